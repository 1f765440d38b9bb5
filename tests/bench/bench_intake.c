/*
 * bench_intake: how long uploads of decision logs take to be durable.
 *
 *	bench_intake [EVENTS [FILE]]
 *
 * Makes bodies as agents send them (small decisions on HTTP requests, gzip,
 * default 200,000 events, 250 in a body) and takes them in, eight at a time,
 * each waiting until it is on the disk; then as many again as an agent that got
 * no answer would send; then brings the index up to date and verifies
 * everything. Prints rows of a table, each a line of JSON (row.py): processor
 * time per event of each, and bytes. The bodies, one after the other, are left
 * in FILE, for others to measure themselves with.
 */
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

#include "decisions/decisions.h"

enum { PER_BODY = 250, THREADS = 8 };

struct bench {
	struct decisions *d;
	struct buf *bodies;
	unsigned nbodies;
	size_t packed;
	unsigned next; /* body; threads take turns */
};

/* A generator with a seed: every run has the same bodies. */
static uint64_t random_bits(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void add_event(struct buf *b, unsigned n)
{
	unsigned long long r = random_bits(), s = random_bits();
	unsigned agent = (unsigned)(r % 200), ms = n / 2 % 60000;

	buf_addf(b,
		"{\"labels\":{\"id\":\"%08x-5c1b-410e-bf26-083c088e3e09\","
		"\"ring\":\"%s\",\"target\":\"eu-%u\",\"version\":\"1.22.2\"},"
		"\"decision_id\":\"%08llx-%04llx-4%03llx-8%03llx-%012llx\","
		"\"bundles\":{\"authz\":{\"revision\":\"v2026.06.20-3\"}},"
		"\"path\":\"http/authz/allow\",\"input\":{\"method\":\"%s\","
		"\"path\":[\"api\",\"v1\",\"orders\",\"%llu\"],\"user\":"
		"{\"name\":\"user-%llu\",\"roles\":[\"reader\",\"%s\"],"
		"\"team\":\"t%llu\"},\"namespace\":\"ns-%llu\",\"headers\":"
		"{\"host\":\"orders.example\",\"x-request-id\":\"%016llx\"}},"
		"\"result\":%s,\"requested_by\":\"10.0.%u.%llu:%llu\","
		"\"timestamp\":\"2026-11-24T10:%02u:%02u.%03u%06lluZ\","
		"\"metrics\":{\"counter_server_query_cache_hit\":1,"
		"\"timer_rego_input_parse_ns\":%llu,"
		"\"timer_rego_query_eval_ns\":%llu,"
		"\"timer_server_handler_ns\":%llu},\"req_id\":%u}",
		agent * 2654435761u, agent < 20 ? "canary" : "fleet", agent,
		r >> 32, r >> 16 & 0xffff, r >> 4 & 0xfff, s & 0xfff, s >> 16,
		r % 3 ? "GET" : "POST", s % 100000, s % 5000,
		r % 7 ? "writer" : "admin", s % 20, s % 50, r ^ s,
		s % 20 ? "true" : "false", agent, r % 250, s % 60000,
		ms / 60000 % 60, ms / 1000 % 60, ms % 1000, s % 1000000,
		20000 + r % 30000, 30000 + s % 60000, 90000 + r % 90000, n);
}

static void gzip(struct buf *out, struct str text)
{
	z_stream z = {0};
	size_t max;

	if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
		Z_OK)
		die("out of memory: gzip");
	max = deflateBound(&z, text.len);
	z.next_in = (unsigned char *)(uintptr_t)text.ptr;
	z.avail_in = (unsigned)text.len;
	z.next_out = (unsigned char *)buf_reserve(out, max);
	z.avail_out = (unsigned)max;
	deflate(&z, Z_FINISH);
	out->len += max - z.avail_out;
	deflateEnd(&z);
}

static void make_bodies(struct bench *b)
{
	struct buf text = {0};

	b->bodies = calloc(b->nbodies, sizeof(*b->bodies));
	if (!b->bodies)
		die("out of memory: bodies");
	for (unsigned i = 0; i < b->nbodies; i++) {
		buf_reset(&text);
		for (unsigned k = 0; k < PER_BODY; k++) {
			buf_addc(&text, k ? ',' : '[');
			add_event(&text, i * PER_BODY + k);
		}
		buf_addc(&text, ']');
		gzip(&b->bodies[i], buf_str(&text));
		b->packed += b->bodies[i].len;
	}
	buf_release(&text);
}

static double cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e9 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e3;
}

/* Bytes resident at most, so far. */
static double peak(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_maxrss * 1024;
}

static void *send_some(void *arg)
{
	struct bench *b = arg;
	struct err e = {0};
	unsigned i;

	while ((i = __atomic_fetch_add(&b->next, 1, __ATOMIC_RELAXED)) <
		b->nbodies) {
		struct decisions_ticket t = {
			.source = {.target = S("eu-1"), .cohort = S("stable")}};

		if (!decisions_admit(b->d, b->bodies[i].len, &t))
			die("busy");
		if (decisions_submit(b->d, &t, buf_str(&b->bodies[i]), &e) ||
			decisions_wait(b->d, &t, &e))
			die("%s", e.text);
	}
	return NULL;
}

static void send_all(struct bench *b)
{
	pthread_t threads[THREADS];

	b->next = 0;
	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, send_some, b))
			die("no thread");
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void must(enum status st, const struct err *e)
{
	if (st)
		die("%s", e->text);
}

static void leave_bodies(const struct bench *b, const char *path)
{
	struct buf all = {0};
	struct err e = {0};

	for (unsigned i = 0; i < b->nbodies; i++)
		buf_addstr(&all, buf_str(&b->bodies[i]));
	must(fs_write(NULL, path, buf_str(&all), 0600, &e), &e);
	buf_release(&all);
}

static enum fs_visit add_size(void *user, const struct fs_entry *entry,
	enum status *st, struct err *e)
{
	(void)st, (void)e;
	*(uint64_t *)user += entry->info.kind == FS_FILE ? entry->info.size : 0;
	return FS_GO_ON;
}

static double bytes_below(const char *dir)
{
	uint64_t n = 0;
	struct err e = {0};

	must(fs_walk(NULL, dir, 0, add_size, &n, &e), &e);
	return (double)n;
}

static int remove_one(
	const char *path, const struct stat *sb, int kind, struct FTW *where)
{
	(void)sb, (void)kind, (void)where;
	return remove(path);
}

static void row(const char *name, const char *unit, double value)
{
	printf("{\"row\":\"%s\",\"unit\":\"%s\",\"ours\":%.1f}\n", name, unit,
		value);
}

static void show(const struct bench *b, const double *t, double memory,
	double wall, double disk)
{
	double n = (double)b->nbodies * PER_BODY;

	printf("{\"row\":\"taken in, on the disk\",\"unit\":\"ns\","
	       "\"ours\":%.1f,\"ours_mb\":%.1f}\n",
		(t[1] - t[0]) / n, memory / 1e6);
	row("the same once more, known", "ns", (t[2] - t[1]) / n);
	row("indexed", "ns", (t[3] - t[2]) / n);
	row("verified", "ns", (t[4] - t[3]) / n);
	printf("{\"row\":\"taken in\",\"unit\":\"1/s\",\"more\":true,"
	       "\"ours\":%.0f}\n",
		n * 1e9 / wall);
	printf("{\"row\":\"kept, with its index\",\"unit\":\"B\","
	       "\"ours\":%.1f,\"theirs\":%.1f,"
	       "\"peer\":\"the uploads, gzip\"}\n",
		disk / n, (double)b->packed / n);
}

/* What memory grows by while events come in: the bodies were there before. */
static void run(struct bench *b, const char *dir)
{
	struct decisions_config c = {.dir = dir};
	struct fake_clock at;
	struct decisions_fault fault;
	struct err e = {0};
	double t[5], before = peak(), memory;
	int64_t wall;

	fake_clock_init(&at, INT64_C(1795518000) * NS_PER_S);
	c.clock = &at.clock;
	must(decisions_open(&b->d, &c, &e), &e);
	wall = clock_mono(&clock_system);
	t[0] = cpu();
	send_all(b);
	t[1] = cpu();
	wall = clock_mono(&clock_system) - wall;
	memory = peak() - before;
	send_all(b);
	t[2] = cpu();
	must(decisions_tick(b->d, &e), &e);
	t[3] = cpu();
	must(decisions_verify(b->d, NULL, S(""), &fault, &e), &e);
	t[4] = cpu();
	decisions_close(b->d);
	show(b, t, memory, (double)wall, bytes_below(dir));
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/regatta-bench-XXXXXX";
	unsigned events =
		argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 200000;
	struct bench b = {.nbodies = (events + PER_BODY - 1) / PER_BODY};

	if (!events || argc > 3) {
		fputs("usage: bench_intake [EVENTS [FILE]]\n", stderr);
		return 2;
	}
	if (!mkdtemp(dir))
		die("no folder in /tmp");
	make_bodies(&b);
	run(&b, dir);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	if (argc > 2)
		leave_bodies(&b, argv[2]);
	for (unsigned i = 0; i < b.nbodies; i++)
		buf_release(&b.bodies[i]);
	free(b.bodies);
	return 0;
}
