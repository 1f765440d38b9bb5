/*
 * What a real OPA 1.22 uploads, as far as the captures stand beside the
 * project: every event is taken, and is what its caller got.
 */
#include "tests/decisions.h"

#include <dirent.h>

#include "decisions/internal.h"

#define LOGS_DIR "../shared/fixtures/opa-1.22.2/logs"

static struct buf upload(const char *name)
{
	struct arena a = {0};
	struct buf b = {0};
	struct err e = {0};

	assert_ok(fs_read(NULL, arena_printf(&a, LOGS_DIR "/%s", name), MIB(16),
			  &b, &e),
		&e);
	arena_release(&a);
	return b;
}

static bool missing(void)
{
	if (!access(LOGS_DIR, R_OK))
		return false;
	print_message("skipped: no " LOGS_DIR "\n");
	return true;
}

static void every_upload_is_taken_whole(void **state)
{
	struct arena a = {0};
	struct err e = {0};
	const char **names;
	size_t n, uploads = 0;

	(void)state;
	if (missing())
		skip();
	assert_ok(fs_list(NULL, LOGS_DIR, &a, &names, &n, &e), &e);
	for (size_t i = 0; i < n; i++) {
		struct batch b = {0};
		struct buf body;

		if (!str_ends(str_from(names[i]), S(".json.gz")))
			continue;
		body = upload(names[i]);
		batch_parse(&b, buf_str(&body), "authz", S("eu-1"));
		assert_true(b.n > 0);
		for (uint32_t k = 0; k < b.n; k++)
			if (b.items[k].reason)
				fail_msg("%s: event %u: %s", names[i], k,
					b.items[k].reason);
		batch_release(&b);
		buf_release(&body);
		uploads++;
	}
	assert_true(uploads >= 8);
	arena_release(&a);
}

static bool count(void *user, const struct decision_row *row)
{
	unsigned *n = user;

	n[row->outcome]++;
	return true;
}

static void they_go_in_once_and_come_out_again(void **state)
{
	static const struct decision_filter all;
	struct decisions *d;
	struct decisions_counts c;
	unsigned n[OUTCOMES] = {0};
	struct arena a = {0};
	struct decisions_fault fault;
	struct err e = {0};
	const char **names;
	size_t len;

	(void)state;
	if (missing())
		skip();
	fake_clock_advance(&fake, 24 * 3600 * NS_PER_S); /* after them */
	d = open_store();
	assert_ok(fs_list(NULL, LOGS_DIR, &a, &names, &len, &e), &e);
	for (int twice = 0; twice < 2; twice++)
		for (size_t i = 0; i < len; i++) {
			struct decisions_ticket t;
			struct buf body;

			if (!str_ends(str_from(names[i]), S(".json.gz")))
				continue;
			body = upload(names[i]);
			t = send_body(d, buf_str(&body));
			assert_num(t.quarantined + t.clashes, 0);
			if (twice)
				assert_num(t.accepted, 0);
			buf_release(&body);
		}
	assert_ok(decisions_tick(d, &e), &e);
	decisions_counts(d, &c);
	assert_ok(decisions_query(d, &all, false, count, n, &e), &e);
	for (int i = 0; i < OUTCOMES; i++)
		c.events -= n[i];
	assert_num(c.events, 0);
	assert_true(n[OUTCOME_ALLOW] && n[OUTCOME_DENY] && n[OUTCOME_ERROR] &&
		    n[OUTCOME_UNDEFINED] && n[OUTCOME_UNKNOWN]);
	assert_ok(decisions_verify(d, NULL, S(""), &fault, &e), &e);
	arena_release(&a);
	decisions_close(d);
}

/* The outcomes of the events of one upload, one letter each. */
static void assert_outcomes(const char *name, const char *want)
{
	static const char letters[OUTCOMES] = "?adwue";
	struct buf body = upload(name), got = {0};
	struct batch b = {0};

	batch_parse(&b, buf_str(&body), "authz", S(""));
	for (uint32_t i = 0; i < b.n; i++) {
		struct arena a = {0};
		struct decision ev;
		struct err e = {0};

		assert_ok(
			decision_parse(b.items[i].bytes, "authz", &a, &ev, &e),
			&e);
		buf_addc(&got, letters[outcome_of(NULL, &ev)]);
		arena_release(&a);
	}
	assert_str(buf_str(&got), want);
	batch_release(&b);
	buf_release(&body);
	buf_release(&got);
}

static void outcomes_are_what_callers_got(void **state)
{
	(void)state;
	if (missing())
		skip();
	assert_outcomes("errors-1.json.gz", "eeee");
	assert_outcomes("masked-1.json.gz", "a?a");
	assert_outcomes("outcomes-1.json.gz", "aaduuuda?uu??a");
	assert_outcomes("switch-1.json.gz", "aa");
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_upload_is_taken_whole),
		STORE_TEST(they_go_in_once_and_come_out_again),
		cmocka_unit_test(outcomes_are_what_callers_got),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
