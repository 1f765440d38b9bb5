/* Bundles and long polls, as stock agents ask for them. */
#include "tests/server_site.h"

#include <sys/resource.h>

#define CAPTURES "../shared/fixtures/opa-1.22.2/poll"

static void identical_bytes_have_the_identical_strong_tag(void **state)
{
	struct site t;
	struct answer a = {0};
	char tag[80];
	int fd;

	(void)state;
	site_init(&t);
	site_start(&t);
	fd = dial(server_port(t.s));
	send_poll(&t, fd, -1, 0, "");
	hear(fd, &a);
	snprintf(tag, sizeof(tag), "\"%s\"", t.digests[0]);
	assert_num(a.status, 200);
	assert_str(buf_str(&a.body), "bundle a");
	assert_str(answer_field(&a, "ETag"), tag);
	assert_str(answer_field(&a, "Content-Type"),
		"application/vnd.openpolicyagent.bundles");
	assert_str(answer_field(&a, "Content-Encoding"), "");
	assert_str(answer_field(&a, "Cache-Control"), "no-cache, private");
	/* There and back: the tag is the first one again. */
	site_serve(&t, 1);
	send_poll(&t, fd, 0, 0, "");
	hear(fd, &a);
	assert_str(buf_str(&a.body), "bundle b");
	site_serve(&t, 0);
	send_poll(&t, fd, 1, 0, "");
	hear(fd, &a);
	assert_num(a.status, 200);
	assert_str(answer_field(&a, "ETag"), tag);
	assert_num(t.loads, 2);
	answer_release(&a);
	close(fd);
	site_release(&t);
}

static void only_the_first_tag_and_that_very_tag_gives_304(void **state)
{
	/* clang-format off */
	static const struct {
		const char *format;
		unsigned status;
	} rows[] = {
		{"\"%1$s\"", 304},
		{"\"%1$s\", \"%2$s\"", 304},
		{"\"%2$s\", \"%1$s\"", 200},
		{"W/\"%1$s\"", 200},
		{"%1$s", 200},
		{"*", 200},
		{"\"\"", 200},
		{"", 200},
		{",\"%1$s\"", 200},
		{"\"%1$s%1$s\"", 200},
	};
	/* clang-format on */
	struct site t;
	struct answer a = {0};

	(void)state;
	site_init(&t);
	site_start(&t);
	for (size_t i = 0; i < COUNT(rows); i++) {
		char tags[300], line[500];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
		snprintf(tags, sizeof(tags), rows[i].format, t.digests[0],
			t.digests[1]);
#pragma GCC diagnostic pop
		snprintf(line, sizeof(line),
			"GET /bundles/authz HTTP/1.1\r\nHost: x\r\n"
			"If-None-Match: %s\r\n\r\n",
			tags);
		if (once(&t, line, &a) != rows[i].status)
			fail_msg("%s: %u", tags, a.status);
		assert_num(answer_field(&a, "ETag").len, 66);
	}
	answer_release(&a);
	site_release(&t);
}

static void a_poll_is_held_for_its_whole_wait_then_304(void **state)
{
	struct site t;
	struct answer a = {0};
	int64_t began;
	int fd;

	(void)state;
	site_init(&t);
	site_start(&t);
	fd = dial(server_port(t.s));
	for (int i = 0; i < 2; i++) {
		began = now_ms();
		send_poll(&t, fd, 0, 1, "");
		hear(fd, &a);
		assert_num(a.status, 304);
		assert_true(now_ms() - began >= 1000);
		assert_true(now_ms() - began < 2000);
		assert_num(answer_field(&a, "ETag").len, 66);
	}
	answer_release(&a);
	close(fd);
	site_release(&t);
}

static void a_change_answers_a_waiting_poll_at_once(void **state)
{
	struct site t;
	struct answer a = {0};
	int64_t began;
	int fd;

	(void)state;
	site_init(&t);
	site_start(&t);
	fd = dial(server_port(t.s));
	send_poll(&t, fd, 0, 30, "");
	site_await(&t, 1);
	began = now_ms();
	site_serve(&t, 1);
	hear(fd, &a);
	assert_num(a.status, 200);
	assert_str(buf_str(&a.body), "bundle b");
	assert_true(now_ms() - began < 1000);
	answer_release(&a);
	close(fd);
	site_release(&t);
}

static void a_change_of_others_wakes_nobody(void **state)
{
	struct site t;
	struct answer a = {0};
	int canary, other;

	(void)state;
	site_init(&t);
	memcpy(t.canary, "eu-1", 5);
	site_start(&t);
	canary = dial(server_port(t.s));
	other = dial(server_port(t.s));
	send_poll(&t, canary, 0, 30, "X-Regatta-Target: eu-1\r\n");
	send_poll(&t, other, 0, 30, "X-Regatta-Target: eu-2\r\n");
	site_await(&t, 2);
	server_bundle_changed(t.s, "other");
	server_bundle_changed(t.s, NULL);
	assert_false(heard(canary, 100));
	pthread_mutex_lock(&t.lock);
	t.canary_now = 2;
	pthread_mutex_unlock(&t.lock);
	server_bundle_changed(t.s, NULL);
	hear(canary, &a);
	assert_str(buf_str(&a.body), "bundle c");
	assert_false(heard(other, 100));
	assert_num(server_waiting(t.s), 1);
	answer_release(&a);
	close(canary);
	close(other);
	site_release(&t);
}

static void there_and_back_is_no_early_304(void **state)
{
	struct site t;
	struct answer a = {0};
	int fd;

	(void)state;
	site_init(&t);
	site_start(&t);
	fd = dial(server_port(t.s));
	for (int i = 0; i < 50; i++) {
		int64_t began = now_ms();

		send_poll(&t, fd, 0, 30, "");
		site_await(&t, 1);
		site_serve(&t, 1);
		site_serve(&t, 0);
		if (!heard(fd, 5)) {
			site_serve(&t, 1);
			hear(fd, &a);
			assert_num(a.status, 200);
		} else {
			hear(fd, &a);
			assert_num(a.status, 200);
			assert_str(buf_str(&a.body), "bundle b");
		}
		assert_true(now_ms() - began < 5000);
		site_serve(&t, 0);
	}
	answer_release(&a);
	close(fd);
	site_release(&t);
}

/* Changes and polls as fast as they go: no poll may sleep over a change. */
static void *flip(void *user)
{
	struct site *t = user;

	for (size_t i = 1; i <= 400; i++) {
		site_serve(t, i % 3);
		clock_sleep(&clock_system, NS_PER_MS / 2);
	}
	site_serve(t, 2);
	return NULL;
}

static void no_poll_sleeps_over_a_change(void **state)
{
	struct site t;
	struct answer a = {0};
	pthread_t thread;
	int holds = 0, fd;

	(void)state;
	site_init(&t);
	site_start(&t);
	fd = dial(server_port(t.s));
	assert_num(pthread_create(&thread, NULL, flip, &t), 0);
	while (holds != 2) {
		send_poll(&t, fd, holds, 10, "");
		hear(fd, &a);
		assert_num(a.status, 200);
		holds = a.body.ptr[7] - 'a';
		if (holds == 2) { /* the last one, or one on the way */
			send_poll(&t, fd, 2, 1, "");
			hear(fd, &a);
			if (a.status == 200)
				holds = a.body.ptr[7] - 'a';
		}
	}
	pthread_join(thread, NULL);
	answer_release(&a);
	close(fd);
	site_release(&t);
}

static void many_waiting_polls_get_a_change_within_a_second(void **state)
{
	enum { MANY = 2000 };
	static int fds[MANY];
	struct rlimit r;
	struct site t;
	struct answer a = {0};
	int64_t began;

	(void)state;
	assert_num(getrlimit(RLIMIT_NOFILE, &r), 0);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	if (r.rlim_max < 2 * MANY + 200) {
		print_message("skipped: this process may open %lu files\n",
			(unsigned long)r.rlim_max);
		skip();
	}
	site_init(&t);
	site_start(&t);
	for (size_t i = 0; i < MANY; i++) {
		fds[i] = dial(server_port(t.s));
		send_poll(&t, fds[i], 0, 60, "");
	}
	site_await(&t, MANY);
	began = now_ms();
	site_serve(&t, 1);
	for (size_t i = 0; i < MANY; i++) {
		hear(fds[i], &a);
		assert_str(buf_str(&a.body), "bundle b");
	}
	print_message("# %d polls answered in %lld ms\n", MANY,
		(long long)(now_ms() - began));
#ifndef __SANITIZE_THREAD__
	assert_true(now_ms() - began < 1000);
#endif
	assert_num(t.loads, 2 - 1);
	for (size_t i = 0; i < MANY; i++)
		close(fds[i]);
	answer_release(&a);
	site_release(&t);
}

static void too_many_waits_are_503_never_304(void **state)
{
	struct site t;
	struct answer a = {0};
	int fds[3];

	(void)state;
	site_init(&t);
	t.cfg.limits.waits = 2;
	site_start(&t);
	for (size_t i = 0; i < 3; i++) {
		fds[i] = dial(server_port(t.s));
		send_poll(&t, fds[i], 0, 30, "");
		if (i < 2)
			site_await(&t, (unsigned)i + 1);
	}
	hear(fds[2], &a);
	assert_num(a.status, 503);
	/* One who holds another bundle is served all the same. */
	send_poll(&t, fds[2], 1, 30, "");
	hear(fds[2], &a);
	assert_num(a.status, 200);
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	answer_release(&a);
	site_release(&t);
}

static void one_target_waits_as_often_as_allowed(void **state)
{
	struct site t;
	struct answer a = {0};
	int fds[3];

	(void)state;
	site_init(&t);
	t.cfg.limits.waits_per_target = 2;
	site_start(&t);
	for (size_t i = 0; i < 3; i++) {
		fds[i] = dial(server_port(t.s));
		send_poll(&t, fds[i], 0, 30, "X-Regatta-Target: eu-1\r\n");
		if (i < 2)
			site_await(&t, (unsigned)i + 1);
	}
	hear(fds[2], &a);
	assert_num(a.status, 503);
	send_poll(&t, fds[2], 0, 1, "X-Regatta-Target: eu-2\r\n");
	hear(fds[2], &a);
	assert_num(a.status, 304);
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	site_await(&t, 0);
	answer_release(&a);
	site_release(&t);
}

static void a_client_that_leaves_gives_its_place_back(void **state)
{
	struct site t;
	int fd;

	(void)state;
	site_init(&t);
	site_start(&t);
	for (int i = 0; i < 20; i++) {
		fd = dial(server_port(t.s));
		send_poll(&t, fd, 0, 60, "");
		site_await(&t, 1);
		close(fd);
		site_await(&t, 0);
	}
	site_release(&t);
}

static void a_stop_answers_waiting_polls_503_and_closes(void **state)
{
	struct site t;
	struct answer a = {0};
	int fd;

	(void)state;
	site_init(&t);
	site_start(&t);
	fd = dial(server_port(t.s));
	send_poll(&t, fd, 0, 60, "");
	site_await(&t, 1);
	assert_num(server_stop(t.s), 0);
	t.s = NULL;
	hear(fd, &a);
	assert_num(a.status, 503);
	assert_str(answer_field(&a, "Connection"), "close");
	answer_release(&a);
	close(fd);
	site_release(&t);
}

static void a_wait_is_cut_to_what_is_granted(void **state)
{
	struct site t;
	struct answer a = {0};
	int64_t began = now_ms();

	(void)state;
	site_init(&t);
	t.cfg.limits.wait_max_s = 1;
	site_start(&t);
	began = now_ms();
	int fd = dial(server_port(t.s));

	send_poll(&t, fd, 0, 4000000000u, "");
	hear(fd, &a);
	assert_num(a.status, 304);
	assert_true(now_ms() - began >= 1000);
	close(fd);
	answer_release(&a);
	site_release(&t);
}

static void what_cannot_be_served_is_an_error_the_agent_retries(void **state)
{
	struct site t;
	struct answer a = {0};

	(void)state;
	site_init(&t);
	site_start(&t);
	assert_num(
		once(&t, "GET /bundles/none HTTP/1.1\r\nHost: x\r\n\r\n", &a),
		404);
	assert_num(
		once(&t, "GET /bundles/Upper HTTP/1.1\r\nHost: x\r\n\r\n", &a),
		404);
	t.damaged = true;
	assert_num(
		once(&t, "GET /bundles/authz HTTP/1.1\r\nHost: x\r\n\r\n", &a),
		503);
	assert_non_null(strstr(t.warned.ptr, "SHA-256"));
	t.damaged = false;
	t.unavailable = true;
	assert_num(
		once(&t, "GET /bundles/authz HTTP/1.1\r\nHost: x\r\n\r\n", &a),
		503);
	t.unavailable = false;
	assert_num(
		once(&t, "GET /bundles/authz HTTP/1.1\r\nHost: x\r\n\r\n", &a),
		200);
	answer_release(&a);
	site_release(&t);
}

static void bundles_are_dropped_from_memory_and_read_again(void **state)
{
	struct site t;
	struct answer a = {0};
	int fd;

	(void)state;
	site_init(&t);
	t.cfg.limits.blobs = 16; /* room for two of eight bytes */
	site_start(&t);
	fd = dial(server_port(t.s));
	for (size_t i = 0; i < 9; i++) {
		site_serve(&t, i % 3);
		send_poll(&t, fd, -1, 0, "");
		hear(fd, &a);
		assert_num(a.status, 200);
		assert_num(a.body.ptr[7], 'a' + (int)(i % 3));
	}
	assert_num(t.loads, 9);
	answer_release(&a);
	close(fd);
	site_release(&t);
}

static void head_is_get_without_the_body(void **state)
{
	struct site t;
	struct answer a = {0};
	int fd;

	(void)state;
	site_init(&t);
	site_start(&t);
	fd = dial(server_port(t.s));
	say(fd, S("HEAD /bundles/authz HTTP/1.1\r\nHost: x\r\n\r\n"
		  "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
	while (!str_ends(buf_str(&a.body), S("{}\n"))) {
		char *room = buf_reserve(&a.body, 1);

		assert_num(recv(fd, room, 1, 0), 1);
		a.body.len++;
	}
	a.body.ptr[a.body.len] = '\0';
	assert_non_null(strstr(a.body.ptr, t.digests[0]));
	assert_null(strstr(a.body.ptr, "bundle a"));
	answer_release(&a);
	close(fd);
	site_release(&t);
}

/* --- captures ---------------------------------------------------------------
 */

/*
 * A transcript is requests (">") with the answers ("<") somebody's server gave
 * to a stock agent. Each tag there stands for a content: ours has the digest
 * of it. Before each request the site serves what the next answer says.
 */
struct replay {
	struct site *t;
	int fd;
	struct buf request;
	size_t body;   /* bytes announced */
	unsigned want; /* status */
	char tag;      /* of the answer */
	unsigned answered;
};

static size_t letter_index(char letter)
{
	return letter == 'd' ? 0 : (size_t)(letter - 'a');
}

static void add_request_line(struct replay *p, const char *line)
{
	const char *name = "If-None-Match: ";

	if (!strncmp(line, "(", 1)) {
		p->body = strtoul(line + 1, NULL, 10);
	} else if (!strncmp(line, name, strlen(name))) {
		buf_adds(&p->request, name);
		for (const char *c = line + strlen(name); *c; c++)
			if (*c >= 'a' && *c <= 'd')
				buf_adds(&p->request,
					p->t->digests[letter_index(*c)]);
			else
				buf_addc(&p->request, *c);
		buf_adds(&p->request, "\r\n");
	} else if (!strncmp(line, "GET /bundles/boot ", 18)) {
		buf_adds(&p->request, "GET /bundles/authz HTTP/1.1\r\n");
	} else {
		buf_addf(&p->request, "%s\r\n", line);
	}
}

static void replay_one(struct replay *p)
{
	struct answer a = {0};

	if (!p->request.len)
		return;
	if (p->tag)
		site_set(p->t, letter_index(p->tag));
	buf_adds(&p->request, "\r\n");
	for (size_t i = 0; i < p->body; i++)
		buf_addc(&p->request, 'x');
	say(p->fd, buf_str(&p->request));
	hear(p->fd, &a);
	if (a.status != p->want)
		fail_msg("%s: %u, want %u", p->request.ptr, a.status, p->want);
	if (p->tag) {
		struct str tag = answer_field(&a, "ETag");

		assert_num(tag.len, 66);
		assert_memory_equal(
			tag.ptr + 1, p->t->digests[letter_index(p->tag)], 64);
	}
	answer_release(&a);
	buf_reset(&p->request);
	p->body = 0;
	p->tag = 0;
	p->answered++;
}

static void replay_file(struct site *t, const char *name, unsigned requests)
{
	struct replay p = {.t = t, .fd = dial(server_port(t->s))};
	char path[256], line[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.txt", CAPTURES, name);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "> ", 2)) {
			if (p.want)
				replay_one(&p);
			p.want = 0;
			add_request_line(&p, line + 2);
		} else if (!strncmp(line, "< ETag: \"", 9)) {
			p.tag = line[9];
		} else if (line[0] == '<' && line[2] >= '0' && line[2] <= '9') {
			p.want = (unsigned)strtoul(line + 2, NULL, 10);
		}
	}
	replay_one(&p);
	fclose(f);
	assert_num(p.answered, requests);
	close(p.fd);
	buf_release(&p.request);
}

static void captured_polls_get_what_the_agent_wants(void **state)
{
	/* clang-format off */
	static const struct {
		const char *name;
		unsigned requests;
	} rows[] = {
		{"rollback", 5}, {"superseded-etags", 4}, {"target", 3},
		{"discovery", 2}, {"long-poll", 4},
	};
	/* clang-format on */
	struct site t;

	(void)state;
	if (access(CAPTURES, R_OK)) {
		print_message("skipped: no folder %s\n", CAPTURES);
		skip();
	}
	for (size_t i = 0; i < COUNT(rows); i++) {
		site_init(&t);
		site_start(&t);
		replay_file(&t, rows[i].name, rows[i].requests);
		site_release(&t);
	}
}

/* A release that does not compile: the agent comes again and again. */
static void a_refused_release_is_served_as_often_as_it_is_asked(void **state)
{
	char path[256], line[256], held, got;
	struct site t;
	struct answer a = {0};
	unsigned status, n = 0;
	FILE *f;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/broken-release.txt", CAPTURES);
	f = fopen(path, "re");
	if (!f) {
		print_message("skipped: no file %s\n", path);
		skip();
	}
	site_init(&t);
	site_start(&t);
	fd = dial(server_port(t.s));
	while (fgets(line, sizeof(line), f)) {
		char *at = strstr(line, "If-None-Match: \"");

		if (!at || sscanf(at, "If-None-Match: \"%c\" -> %u \"%c\"",
				   &held, &status, &got) != 3)
			continue;
		site_set(&t, (size_t)(got - 'a'));
		send_poll(&t, fd, held - 'a', 0, "");
		hear(fd, &a);
		assert_num(a.status, status);
		n++;
	}
	fclose(f);
	assert_num(n, 7);
	answer_release(&a);
	close(fd);
	site_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identical_bytes_have_the_identical_strong_tag),
		cmocka_unit_test(
			only_the_first_tag_and_that_very_tag_gives_304),
		cmocka_unit_test(a_poll_is_held_for_its_whole_wait_then_304),
		cmocka_unit_test(a_change_answers_a_waiting_poll_at_once),
		cmocka_unit_test(a_change_of_others_wakes_nobody),
		cmocka_unit_test(there_and_back_is_no_early_304),
		cmocka_unit_test(no_poll_sleeps_over_a_change),
		cmocka_unit_test(
			many_waiting_polls_get_a_change_within_a_second),
		cmocka_unit_test(too_many_waits_are_503_never_304),
		cmocka_unit_test(one_target_waits_as_often_as_allowed),
		cmocka_unit_test(a_client_that_leaves_gives_its_place_back),
		cmocka_unit_test(a_stop_answers_waiting_polls_503_and_closes),
		cmocka_unit_test(a_wait_is_cut_to_what_is_granted),
		cmocka_unit_test(
			what_cannot_be_served_is_an_error_the_agent_retries),
		cmocka_unit_test(
			bundles_are_dropped_from_memory_and_read_again),
		cmocka_unit_test(head_is_get_without_the_body),
		cmocka_unit_test(captured_polls_get_what_the_agent_wants),
		cmocka_unit_test(
			a_refused_release_is_served_as_often_as_it_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
