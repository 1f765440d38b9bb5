/*
 * crash_intake: takes decisions in until somebody kills it.
 *
 *	crash_intake run DIR SEQ...
 *		One thread per SEQ sends batches numbered from it on, and says
 *		"THREAD SEQ" when one is durable. Batch and thread tell the
 *		bytes, so that one sent again is the same. Beside them the log
 *		is kept as a server does, but in a hurry: small segments, a
 *		checkpoint each time, days that are over.
 *	crash_intake check DIR
 *		The ids in the order of the log, read from the log alone; then
 *		"clean" when it verifies, or what is wrong.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "decisions/decisions.h"

enum { BATCH = 5, THREADS = 8 };

struct sender {
	struct decisions *d;
	unsigned thread;
	unsigned long seq;
};

static void fail(const struct err *e)
{
	fprintf(stderr, "crash_intake: %s\n", e->text);
	exit(1);
}

static struct note_key *key_of(const char *dir)
{
	struct buf path = {0}, private_line = {0}, public_line = {0};
	struct note_key *key = NULL;
	struct fs_info info;
	struct err e;

	buf_addf(&path, "%s/log.key", dir);
	if (fs_stat(NULL, path.ptr, &info, &e))
		fail(&e);
	if (info.kind == FS_NONE &&
		(note_key_generate(S("log"), &private_line, &public_line, &e) ||
			fs_write(NULL, path.ptr, buf_str(&private_line), 0600,
				&e)))
		fail(&e);
	if (note_key_load(&key, path.ptr, &e))
		fail(&e);
	buf_release(&private_line);
	buf_release(&public_line);
	buf_release(&path);
	return key;
}

static struct decisions *open_log(
	const char *dir, const struct note_key *key, bool read_only)
{
	struct decisions_config c = {.dir = dir,
		.clock = &clock_system,
		.key = key,
		.read_only = read_only,
		.segment_bytes = 64 << 10,
		.segment_ns = NS_PER_S / 5,
		.checkpoint_ns = NS_PER_S / 50,
		.grace_ns = 1};
	struct decisions *d;
	struct err e;

	if (decisions_open(&d, &c, &e))
		fail(&e);
	return d;
}

/* Events of three days that are over, so that files are sealed on the way. */
static void write_batch(struct buf *out, unsigned thread, unsigned long seq)
{
	buf_reset(out);
	for (unsigned i = 0; i < BATCH; i++) {
		buf_addf(out,
			"{\"decision_id\":\"%u-%lu-%u\",\"path\":\"a/b\","
			"\"timestamp\":\"",
			thread, seq, i);
		instant_text(out, (1790000000 + (int64_t)(seq % 3) * 86400 +
					  (int64_t)seq % 86400) *
					  NS_PER_S);
		buf_addf(
			out, "\",\"result\":%s}\n", seq % 7 ? "true" : "false");
	}
}

static void *send(void *user)
{
	struct sender *s = user;
	struct buf body = {0};

	for (;; s->seq++) {
		struct decisions_ticket t = {.source = {.target = S("t")}};
		char line[64];
		struct err e;
		int n;

		write_batch(&body, s->thread, s->seq);
		if (!decisions_admit(s->d, body.len, &t))
			continue;
		if (decisions_submit(s->d, &t, buf_str(&body), &e) ||
			decisions_wait(s->d, &t, &e))
			fail(&e);
		/* One write: whole lines, whenever it is killed. */
		n = snprintf(line, sizeof(line), "%u %lu\n", s->thread, s->seq);
		if (write(1, line, (size_t)n) != n)
			exit(1);
	}
	return NULL;
}

static int run(const char *dir, char **seqs, int n)
{
	struct decisions *d = open_log(dir, key_of(dir), false);
	struct sender senders[THREADS];
	struct err e;

	for (int i = 0; i < n; i++) {
		pthread_t thread;

		senders[i] = (struct sender){
			d, (unsigned)i, strtoul(seqs[i], NULL, 10)};
		if (pthread_create(&thread, NULL, send, &senders[i]))
			return 1;
	}
	for (;;) {
		if (decisions_tick(d, &e))
			fail(&e);
		clock_sleep(&clock_system, 5 * NS_PER_MS);
	}
}

static bool print_id(void *user, const struct decision_row *row)
{
	(void)user;
	printf("%.*s\n", STR_ARG(row->event.id_text));
	return true;
}

static int check(const char *dir)
{
	static const struct decision_filter all;
	struct note_key *key = key_of(dir);
	struct decisions *d = open_log(dir, key, true);
	struct decisions_fault fault;
	uint64_t next = 0;
	struct err e;

	if (decisions_tail(d, &all, &next, print_id, NULL, &e) ||
		decisions_verify(d, key, S(""), &fault, &e))
		fail(&e);
	printf("clean\n");
	decisions_close(d);
	note_key_free(key);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 3 && argc - 3 <= THREADS && !strcmp(argv[1], "run"))
		return run(argv[2], argv + 3, argc - 3);
	if (argc == 3 && !strcmp(argv[1], "check"))
		return check(argv[2]);
	fprintf(stderr, "usage: crash_intake run DIR SEQ... | check DIR\n");
	return 2;
}
