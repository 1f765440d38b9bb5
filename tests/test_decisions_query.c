/* Questions: the index says what the segments say. */
#include "tests/decisions.h"

#include <pthread.h>

#include "decisions/internal.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <sys/resource.h>

static const struct dimension by_user[] = {
	{STR("user"), STR("/input/user")}, {STR("n"), STR("/input/n")}};
static const struct outcome_rule rules[] = {{.path = STR("lib/**"),
						    .kind = KIND_VIOLATIONS,
						    .dimensions = by_user,
						    .ndimensions = 1},
	{.path = STR("**"), .dimensions = by_user, .ndimensions = 2}};

static void add_rules(struct decisions *d, const char *revision,
	const struct outcome_rule *r, size_t n)
{
	struct err e = {0};

	assert_ok(decisions_add_rules(
			  d, S("authz"), str_from(revision), r, n, &e),
		&e);
}

static void set_stable(struct decisions *d, const char *revision)
{
	struct err e = {0};

	assert_ok(decisions_set_stable(d, S("authz"), str_from(revision), &e),
		&e);
}

/* Of the two versions that events name, one is known. */
static struct decisions *open_mapped(struct decisions_config c)
{
	struct decisions *d = open_with(c);

	add_rules(d, "r1", rules, COUNT(rules));
	set_stable(d, "r1");
	return d;
}

/* One event of a kind that its number tells, `ns` after NOW. */
static void add_kind(struct buf *b, unsigned n, int64_t ns)
{
	/* clang-format off */
	static const char *const kinds[][2] = {
		{"authz/allow", "\"result\":true"},
		{"authz/allow", "\"result\":false"},
		{"lib/a/deny", "\"result\":[\"no\"]"},
		{"lib/b/deny", "\"result\":[]"},
		{"authz/allow", ""},
		{"authz/x", "\"error\":{\"code\":\"eval_conflict_error\"}"},
		{"x/y/z", "\"result\":7"},
		{"authz/allow", "\"result\":true,\"custom\":"
			"{\"type\":\"open-policy-agent/compile\"}"},
	};
	/* clang-format on */
	const char *const *k = kinds[n * 7 / 3 % COUNT(kinds)];

	add_event(b, n, ns, k[0], k[1]);
	buf_addc(b, '\n');
}

/*
 * Events of three days, not in the order of their times, in several bodies of
 * several targets and cohorts; some come when their day is sealed.
 */
static void fill(struct decisions *d, unsigned n)
{
	static const struct str cohorts[] = {STR("canary"), STR("stable")};
	static const struct str targets[] = {STR("eu-0"), STR("eu-1"), STR("")};

	for (unsigned i = 0; i < n; i += 10) {
		struct decisions_ticket t = {
			.source = {targets[i % 3], cohorts[i % 2]}};
		struct buf b = {0};
		struct err e = {0};

		for (unsigned k = i; k < i + 10; k++)
			add_kind(&b, k,
				-(int64_t)(k * 7919 % 5000) * 40 * NS_PER_S);
		assert_ok(decisions_submit(d, &t, buf_str(&b), &e), &e);
		assert_ok(decisions_commit(d, &e), &e);
		if (i % 100 == 50)
			assert_ok(decisions_tick(d, &e), &e);
		buf_release(&b);
	}
}

/* --- rows ---------------------------------------------------------------- */

static bool print_row(void *user, const struct decision_row *row)
{
	struct buf *b = user;

	buf_addf(b, "%llu %lld %s %.*s %.*s %.*s %.*s ",
		(unsigned long long)row->number, (long long)row->event.time,
		outcome_name(row->outcome), STR_ARG(row->event.path),
		STR_ARG(row->event.revision), STR_ARG(row->target),
		STR_ARG(row->cohort));
	for (size_t i = 0; i < row->ndimensions; i++)
		buf_addf(b, "%.*s=%.*s ", STR_ARG(row->dimensions[i].name),
			STR_ARG(row->dimensions[i].pointer));
	buf_addstr(b, row->event.bytes);
	buf_addc(b, '\n');
	return true;
}

static struct buf ask(
	struct decisions *d, const struct decision_filter *f, bool scan)
{
	struct buf b = {0};
	struct err e = {0};

	assert_ok(decisions_query(d, f, scan, print_row, &b, &e), &e);
	return b;
}

/* Lines of the answer, which is the same both ways and in order. */
static unsigned assert_same(
	struct decisions *d, const struct decision_filter *f)
{
	struct buf a = ask(d, f, false), b = ask(d, f, true);
	unsigned lines = 0;

	if (!str_eq(buf_str(&a), buf_str(&b)))
		fail_msg("index:\n%.3000s\nscan:\n%.3000s", a.ptr ? a.ptr : "",
			b.ptr ? b.ptr : "");
	for (size_t i = 0; i < a.len; i++)
		lines += a.ptr[i] == '\n';
	buf_release(&a);
	buf_release(&b);
	return lines;
}

#define BIT(o) (1u << OUTCOME_##o)

/* clang-format off */
static const struct {
	struct decision_filter f;
	bool some;
} filters[] = {
	{{0}, true},
	{{.from = NOW - 40000 * NS_PER_S, .to = NOW}, true},
	{{.from = NOW - 40000 * NS_PER_S}, true},
	{{.to = NOW - 150000 * NS_PER_S}, true},
	{{.from = NOW, .to = NOW}, false},
	{{.from = NOW + 1}, false},
	{{.path = STR("authz/allow")}, true},
	{{.path = STR("/authz/allow")}, true},
	{{.path = STR("authz/*")}, true},
	{{.path = STR("lib/**")}, true},
	{{.path = STR("nope")}, false},
	{{.path = STR("no*pe")}, false},
	{{.outcomes = BIT(DENY)}, true},
	{{.outcomes = BIT(ALLOW)}, true},
	{{.outcomes = BIT(ERROR) | BIT(UNDEFINED)}, true},
	{{.outcomes = BIT(ADVICE)}, false},
	{{.revision = STR("r1")}, true},
	{{.revision = STR("r2"), .outcomes = BIT(DENY)}, true},
	{{.revision = STR("r3")}, false},
	{{.target = STR("eu-0")}, true},
	{{.target = STR("eu-2"), .outcomes = BIT(DENY)}, true},
	{{.cohort = STR("canary")}, true},
	{{.cohort = STR("canary"), .target = STR("eu-1"), .path = STR("a*/*"),
		.outcomes = BIT(ALLOW), .from = NOW - 100000 * NS_PER_S}, true},
	{{.where = {{STR("user"), STR("u3")}}, .nwhere = 1}, true},
	{{.where = {{STR("user"), STR("u3")}}, .nwhere = 1,
		.outcomes = BIT(DENY)}, true},
	{{.where = {{STR("user"), STR("")}}, .nwhere = 1}, false},
	{{.where = {{STR("user"), STR("u1")}, {STR("n"), STR("1")}},
		.nwhere = 2}, false},
	{{.where = {{STR("n"), STR("0")}, {STR("user"), STR("u0")}},
		.nwhere = 2}, true},
};
/* clang-format on */

static void assert_all_same(struct decisions *d)
{
	for (size_t i = 0; i < COUNT(filters); i++) {
		unsigned lines = assert_same(d, &filters[i].f);

		if ((lines > 0) != filters[i].some)
			fail_msg("filter %zu: %u rows", i, lines);
	}
}

static void the_index_says_what_a_scan_says(void **state)
{
	struct decisions *d = open_mapped(config());
	struct err e = {0};

	(void)state;
	fill(d, 640);
	assert_all_same(d); /* the newest are not in the index */
	assert_ok(decisions_tick(d, &e), &e);
	assert_all_same(d);
	decisions_close(d);
	d = open_mapped(config());
	assert_all_same(d);
	assert_ok(decisions_rebuild(d, &e), &e);
	assert_all_same(d);
	decisions_close(d);
}

static void another_process_sees_the_same(void **state)
{
	struct decisions *d = open_mapped(config()), *reader;
	struct decisions_config c = config();

	(void)state;
	c.read_only = true;
	fill(d, 330);
	reader = open_with(c);
	assert_all_same(reader);
	decisions_close(reader);
	decisions_close(d);
}

static void segments_on_the_way_change_nothing(void **state)
{
	struct decisions_config c = config();
	struct decisions *d;

	(void)state;
	c.segment_bytes = 1;
	d = open_mapped(c);
	fill(d, 640);
	assert_true(d->logs[LOG_EVENTS].seq > 3);
	assert_all_same(d);
	decisions_close(d);
}

static void more_rows_than_are_read_together_are_the_same(void **state)
{
	struct decisions *d = open_mapped(config());

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct buf b = {0};

		for (unsigned k = 1000 * i; k < 1000 * i + 1000; k++)
			add_kind(&b, k,
				-(int64_t)(k * 7919 % 5000) * 40 * NS_PER_S);
		send_body(d, buf_str(&b));
		buf_release(&b);
	}
	assert_num(assert_same(d, &filters[0].f), 10000);
	decisions_close(d);
}

static bool first_three(void *user, const struct decision_row *row)
{
	(void)row;
	return ++*(int *)user < 3;
}

static void a_visitor_ends_the_query(void **state)
{
	static const struct decision_filter all;
	struct decisions *d = open_mapped(config());
	struct err e = {0};
	int n = 0;

	(void)state;
	fill(d, 50);
	assert_ok(decisions_query(d, &all, false, first_three, &n, &e), &e);
	assert_num(n, 3);
	decisions_close(d);
}

static void unknown_dimensions_are_named(void **state)
{
	static const struct decision_filter f = {
		.where = {{STR("team"), STR("x")}}, .nwhere = 1};
	struct decisions *d = open_mapped(config());
	struct buf b = {0};
	struct err e = {0};

	(void)state;
	assert_fails(decisions_query(d, &f, false, print_row, &b, &e), &e,
		E_NOT_FOUND, "\"team\"");
	decisions_close(d);
}

/* --- days ---------------------------------------------------------------- */

static bool sealed(const struct decisions *d, int64_t day)
{
	struct index_file f;
	struct err e = {0};
	bool yes;

	assert_ok(index_file_open(&f, d->index_dir, day, &e), &e);
	yes = f.db && f.sealed;
	index_file_close(&f);
	return yes;
}

static void days_are_sealed_and_still_know_their_ids(void **state)
{
	struct decisions *d = open_mapped(config());
	struct err e = {0};
	struct buf b = {0};
	int64_t day = day_of(NOW);

	(void)state;
	send_events(d, 0, 50);
	assert_ok(decisions_tick(d, &e), &e);
	assert_false(sealed(d, day));
	fake_clock_advance(&fake, 14 * 3600 * NS_PER_S); /* midnight */
	assert_ok(decisions_tick(d, &e), &e);
	assert_false(sealed(d, day));
	fake_clock_advance(&fake, 3600 * NS_PER_S + 1);
	assert_ok(decisions_tick(d, &e), &e);
	assert_true(sealed(d, day));
	assert_num(send_events(d, 0, 60).duplicate, 50); /* 10 are late */
	assert_num(send_events(d, 0, 60).duplicate, 60);
	assert_ok(decisions_tick(d, &e), &e);
	decisions_close(d);
	d = open_mapped(config());
	assert_num(send_events(d, 0, 60).duplicate, 60);
	assert_ok(decisions_rebuild(d, &e), &e);
	assert_true(sealed(d, day));
	assert_num(send_events(d, 0, 60).duplicate, 60);
	add_event(&b, 7, 7 * NS_PER_MS, "other", "");
	assert_num(send_body(d, buf_str(&b)).clashes, 1);
	assert_num(send_body(d, buf_str(&b)).duplicate, 1);
	buf_release(&b);
	decisions_close(d);
}

static void late_ids_leave_memory_when_their_file_has_them(void **state)
{
	struct decisions *d = open_mapped(config());
	struct err e = {0};

	(void)state;
	send_events(d, 0, 50);
	fake_clock_advance(&fake, 48 * 3600 * NS_PER_S);
	assert_ok(decisions_tick(d, &e), &e);
	send_events(d, 0, 60);
	assert_num(day_get(d, day_of(NOW))->ids.n, 10);
	assert_ok(decisions_tick(d, &e), &e);
	assert_num(day_get(d, day_of(NOW))->ids.n, 0);
	assert_num(send_events(d, 0, 60).duplicate, 60);
	decisions_close(d);
}

/* Each page of a query begins where the one before ended. */
static void a_page_reads_no_rows_before_it(void **state)
{
	struct decisions *d = open_mapped(config());
	struct index_file f;
	sqlite3_stmt *q;
	struct err e = {0};

	(void)state;
	for (int over = 0; over < 2; over++) {
		send_events(d, 100 * (unsigned)over, 100);
		assert_ok(decisions_tick(d, &e), &e);
		assert_ok(
			index_file_open(&f, d->index_dir, day_of(NOW), &e), &e);
		assert_int_equal(f.sealed, over);
		assert_ok(sql_prepare(f.db,
				  "EXPLAIN QUERY PLAN SELECT ts, n FROM d WHERE"
				  " ts>=1 AND ts<9 ORDER BY ts, n LIMIT 5",
				  &q, &e),
			&e);
		assert_int_equal(sqlite3_step(q), SQLITE_ROW);
		assert_non_null(strstr((const char *)sqlite3_column_text(q, 3),
			"USING COVERING INDEX d_time (ts>? AND ts<?)"));
		assert_int_equal(sqlite3_step(q), SQLITE_DONE);
		sqlite3_finalize(q);
		index_file_close(&f);
		fake_clock_advance(&fake, 48 * 3600 * NS_PER_S);
		assert_ok(decisions_tick(d, &e), &e);
	}
	decisions_close(d);
}

/* However many commits the open segment has. */
static void the_writer_knows_where_its_blocks_are(void **state)
{
	struct decisions_config c = config();
	struct decisions *d;
	struct fs_fault f;
	struct err e = {0};

	(void)state;
	fs_fault_init(&f, FS_READ, 0, EIO); /* only counts */
	c.fs = &f.fs;
	d = open_with(c);
	for (unsigned i = 0; i < 300; i++)
		send_events(d, i, i + 1);
	assert_ok(decisions_tick(d, &e), &e);
	send_events(d, 300, 301);
	f.calls[FS_READ] = 0;
	assert_ok(decisions_tick(d, &e), &e);
	assert_true(f.calls[FS_READ] < 10);
	decisions_close(d);
}

/* No file can be opened any more: the agent is told to come again. */
static void what_may_be_there_already_is_not_taken_in_blindly(void **state)
{
	struct decisions *d = open_mapped(config());
	struct decisions_ticket t = {.source = {.target = S("eu-1")}};
	struct decisions_counts counts;
	struct rlimit old, low;
	struct buf b = {0};
	struct err e = {0};
	int next;

	(void)state;
	send_events(d, 0, 50);
	fake_clock_advance(&fake, 48 * 3600 * NS_PER_S);
	assert_ok(decisions_tick(d, &e), &e);
	assert_true(sealed(d, day_of(NOW)));
	next = dup(0);
	close(next);
	add_batch(&b, 0, 50);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)next;
	assert_true(decisions_admit(d, b.len, &t));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(decisions_submit(d, &t, buf_str(&b), &e), E_IO);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	decisions_counts(d, &counts);
	assert_num(counts.in_flight, 0);
	assert_num(send_events(d, 0, 50).duplicate, 50);
	assert_num(counts.events, 50);
	buf_release(&b);
	decisions_close(d);
}

static void a_lost_index_comes_back(void **state)
{
	static const char *const names[] = {
		"2026-11-24.db", "2026-11-23.db", "position"};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(names); i++) {
		struct decisions *d = open_mapped(config());
		const char *path = arena_printf(&a, "%s/decisions/index/%s",
			dir, names[i % COUNT(names)]);
		struct decisions_fault fault;
		struct err e = {0};

		fill(d, 330);
		assert_ok(decisions_tick(d, &e), &e);
		decisions_close(d);
		if (i < COUNT(names))
			assert_ok(fs_remove(NULL, path, &e), &e);
		else
			assert_ok(
				fs_write(NULL, path, S("0123456789"), 0640, &e),
				&e);
		d = open_mapped(config());
		assert_ok(decisions_verify(d, NULL, S(""), &fault, &e), &e);
		assert_all_same(d);
		decisions_close(d);
	}
	arena_release(&a);
}

/* --- by id, tail --------------------------------------------------------- */

static void a_decision_is_found_by_its_id(void **state)
{
	struct decisions *d = open_mapped(config());
	struct err e = {0};

	(void)state;
	fill(d, 330);
	for (unsigned i = 0; i < 330; i += 7) {
		char id[64];
		struct buf b = {0};

		snprintf(id, sizeof(id), "%08x-0000-4000-8000-000000000000", i);
		assert_ok(
			decisions_show(d, str_from(id), print_row, &b, &e), &e);
		assert_true(str_find(buf_str(&b), str_from(id), 0) != SIZE_MAX);
		buf_release(&b);
	}
	assert_fails(decisions_show(d, S("nope"), print_row, NULL, &e), &e,
		E_NOT_FOUND, "no decision nope");
	decisions_close(d);
}

static void a_tail_shows_what_is_new(void **state)
{
	static const struct decision_filter denied = {.outcomes = BIT(DENY)};
	struct decisions *d = open_mapped(config());
	struct buf a = {0}, b = {0};
	uint64_t next = 0;
	struct err e = {0};

	(void)state;
	send_events(d, 0, 20);
	assert_ok(decisions_tail(d, &denied, &next, print_row, &a, &e), &e);
	assert_num(next, 20);
	assert_true(str_find(buf_str(&a), S("15 "), 0) != SIZE_MAX);
	send_events(d, 20, 31);
	assert_ok(decisions_tail(d, &denied, &next, print_row, &b, &e), &e);
	assert_num(next, 31);
	assert_true(str_starts(buf_str(&b), S("20 ")));
	buf_release(&a);
	buf_release(&b);
	decisions_close(d);
}

/* --- counts -------------------------------------------------------------- */

static bool print_rollup(void *user, const struct decision_rollup *r)
{
	buf_addf(user, "%lld %.*s %.*s %.*s %s %llu %llu %llu\n",
		(long long)r->minute, STR_ARG(r->path), STR_ARG(r->revision),
		STR_ARG(r->cohort), outcome_name(r->outcome),
		(unsigned long long)r->n, (unsigned long long)r->timed,
		(unsigned long long)r->latency_sum);
	return true;
}

static struct buf rollup(struct decisions *d, int64_t from, int64_t to)
{
	struct buf b = {0};
	struct err e = {0};

	assert_ok(decisions_rollup(d, from, to, print_rollup, &b, &e), &e);
	return b;
}

static void rollups_are_the_same_with_and_without_index(void **state)
{
	static const int64_t from[] = {
		0, NOW - 100000 * NS_PER_S, NOW - 100020 * NS_PER_S, NOW - 1};
	struct decisions *d = open_mapped(config());
	struct err e = {0};

	(void)state;
	fill(d, 660);
	for (size_t i = 0; i < COUNT(from); i++) {
		struct buf before = rollup(d, from[i], NOW), after;

		assert_ok(decisions_tick(d, &e), &e);
		after = rollup(d, from[i], NOW);
		assert_true(str_eq(buf_str(&before), buf_str(&after)));
		assert_num(before.len > 0, i < 3);
		buf_release(&before);
		buf_release(&after);
		send_events(d, 10000, 10001); /* something new for the tail */
	}
	decisions_close(d);
}

static void rollups_count_decisions_once(void **state)
{
	struct decisions *d = open_mapped(config());
	struct buf b = {0}, r;

	(void)state;
	add_event(&b, 1, 0, "authz/allow", "\"result\":true");
	add_event(&b, 1, 0, "authz/allow", "\"result\":false"); /* clash */
	add_event(&b, 3, 59 * NS_PER_S, "authz/allow", "\"result\":true");
	add_event(&b, 5, 60 * NS_PER_S, "authz/allow", "\"result\":true");
	add_event(&b, 7, 0, "authz/allow",
		"\"result\":true,\"custom\":{\"type\":"
		"\"open-policy-agent/compile\"}");
	send_body(d, buf_str(&b));
	r = rollup(d, 0, INT64_MAX);
	assert_str(buf_str(&r),
		"1795514400000000000 authz/allow r2 stable allow 2 2 2004\n"
		"1795514460000000000 authz/allow r2 stable allow 1 1 1005\n");
	buf_release(&b);
	buf_release(&r);
	decisions_close(d);
}

/* --- rules ---------------------------------------------------------------- */

static bool print_outcome(void *user, const struct decision_row *row)
{
	buf_addf(user, "%s ", outcome_name(row->outcome));
	return true;
}

static void assert_outcomes(struct decisions *d, const char *want)
{
	static const struct decision_filter all;
	struct buf by_index = {0}, by_scan = {0};
	struct err e = {0};

	assert_ok(decisions_query(d, &all, false, print_outcome, &by_index, &e),
		&e);
	assert_ok(decisions_query(d, &all, true, print_outcome, &by_scan, &e),
		&e);
	assert_str(buf_str(&by_index), want);
	assert_str(buf_str(&by_scan), want);
	buf_release(&by_index);
	buf_release(&by_scan);
}

/* One decision that came to true, by what `bundles` says. */
static void send_of(struct decisions *d, unsigned n, const char *bundles)
{
	struct buf b = {0};

	buf_addf(&b,
		"{\"decision_id\":\"n%u\",\"path\":\"lib/a\",\"result\":true,"
		"\"bundles\":%s,\"timestamp\":\"2026-11-24T10:00:%02uZ\"}",
		n, bundles, n);
	send_body(d, buf_str(&b));
	buf_release(&b);
}

#define VERSION(revision) "{\"authz\":{\"revision\":\"" revision "\"}}"

static const struct outcome_rule true_denies = {
	.path = STR("lib/**"), .kind = KIND_VIOLATIONS};
static const struct outcome_rule true_advises = {
	.path = STR("**"), .kind = KIND_ADVICE};
static const struct outcome_rule says_nothing = {
	.path = STR("**"), .kind = KIND_IGNORE};

/* Whatever made the index, and whoever reads. */
static void assert_for_ever(struct decisions *d, const char *want)
{
	struct decisions_config c = config();
	struct decisions_fault fault;
	struct decisions *reader;
	struct err e = {0};

	assert_outcomes(d, want); /* the end of the log is not indexed */
	assert_ok(decisions_tick(d, &e), &e);
	assert_outcomes(d, want);
	assert_ok(decisions_rebuild(d, &e), &e);
	assert_outcomes(d, want);
	assert_ok(decisions_verify(d, NULL, S(""), &fault, &e), &e);
	c.read_only = true;
	reader = open_with(c);
	assert_outcomes(reader, want);
	assert_ok(decisions_verify(reader, NULL, S(""), &fault, &e), &e);
	decisions_close(reader);
}

static void events_are_read_by_the_rules_of_their_version(void **state)
{
	static const char want[] =
		"allow allow deny deny advice unknown advice unknown deny ";
	struct decisions *d = open_with(config());

	(void)state;
	send_of(d, 0, VERSION("v1")); /* nobody knows v1 yet: by its shape */
	send_of(d, 1, "{}");
	add_rules(d, "v1", &true_denies, 1);
	set_stable(d, "v1");
	send_of(d, 2, VERSION("v1"));
	send_of(d, 3, VERSION("v2")); /* not published yet: as the stable one */
	add_rules(d, "v2", &true_advises, 1);
	add_rules(d, "v3", &says_nothing, 1);
	send_of(d, 4, VERSION("v2"));
	set_stable(d, "v3");
	send_of(d, 5, VERSION("none"));
	send_of(d, 6, VERSION("v2"));
	send_of(d, 7, "{\"other\":{\"revision\":\"v1\"}}");
	add_rules(d, "v1", &says_nothing, 1); /* it keeps its own */
	send_of(d, 8, VERSION("v1"));
	assert_for_ever(d, want);
	decisions_close(d);
	d = open_with(config());
	assert_for_ever(d, want);
	decisions_close(d);
}

static void of_several_bundles_the_first_with_a_rule_for_the_path_counts(
	void **state)
{
	struct decisions *d = open_with(config());
	struct err e = {0};

	(void)state;
	add_rules(d, "v1", &(struct outcome_rule){.path = S("x/*")}, 1);
	assert_ok(decisions_add_rules(
			  d, S("other"), S("o1"), &true_denies, 1, &e),
		&e);
	assert_ok(decisions_add_rules(d, S("none"), S("n1"), NULL, 0, &e), &e);
	send_of(d, 0,
		"{\"authz\":{\"revision\":\"v1\"},"
		"\"other\":{\"revision\":\"o1\"}}");
	send_of(d, 1, VERSION("v1"));
	assert_ok(decisions_set_stable(d, S("other"), S("o1"), &e), &e);
	send_of(d, 2, "{\"elsewhere\":{\"revision\":\"o1\"}}");
	send_of(d, 3, "{\"none\":{\"revision\":\"n1\"}}");
	assert_for_ever(d, "deny allow deny allow ");
	decisions_close(d);
}

static void a_reader_beside_the_writer_learns_new_rules(void **state)
{
	struct decisions_config c = config();
	struct decisions *d = open_mapped(config()), *reader;

	(void)state;
	c.read_only = true;
	send_of(d, 0, VERSION("r1"));
	reader = open_with(c);
	assert_outcomes(reader, "deny ");
	add_rules(d, "v9", &says_nothing, 1);
	send_of(d, 1, VERSION("v9"));
	assert_outcomes(reader, "deny unknown ");
	decisions_close(reader);
	decisions_close(d);
}

static void what_can_be_no_rules_is_refused(void **state)
{
	static const struct outcome_rule bad = {
		.path = STR("a"), .pointer = STR("b")};
	struct decisions_config c = config();
	struct decisions *d = open_with(c);
	struct err e = {0};

	(void)state;
	assert_fails(decisions_add_rules(d, S("authz"), S("v1"), &bad, 1, &e),
		&e, E_INVALID, "JSON pointer");
	assert_fails(decisions_set_stable(d, S("authz"), S("v1"), &e), &e,
		E_NOT_FOUND, "v1 has no rules");
	assert_false(decisions_have_rules(d, S("authz"), S("v1")));
	decisions_close(d);
	c.read_only = true;
	d = open_with(c);
	assert_fails(decisions_add_rules(
			     d, S("authz"), S("v1"), &true_denies, 1, &e),
		&e, E_DENIED, "opened to read");
	decisions_close(d);
}

/* Ten names, each of a version, of which a file has columns for eight. */
static void more_dimensions_than_columns_are_found(void **state)
{
	struct decisions *d = open_with(config());
	struct err e = {0};

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		char name[8], revision[8], bundles[64];
		struct dimension dim = {.pointer = S("/decision_id")};
		struct outcome_rule r = {
			.path = S("**"), .dimensions = &dim, .ndimensions = 1};

		snprintf(name, sizeof(name), "d%u", i);
		snprintf(revision, sizeof(revision), "w%u", i);
		snprintf(bundles, sizeof(bundles),
			"{\"authz\":{\"revision\":\"%s\"}}", revision);
		dim.name = str_from(name);
		add_rules(d, revision, &r, 1);
		send_of(d, i, bundles);
	}
	assert_ok(decisions_tick(d, &e), &e);
	for (unsigned i = 0; i < 10; i++) {
		char name[8], id[8];
		struct decision_filter f = {.nwhere = 1};

		snprintf(name, sizeof(name), "d%u", i);
		snprintf(id, sizeof(id), "n%u", i);
		f.where[0] = (struct dimension){str_from(name), str_from(id)};
		assert_num(assert_same(d, &f), 1);
		f.where[0].pointer = S("n77");
		assert_num(assert_same(d, &f), 0);
	}
	decisions_close(d);
}

/* --- at the same time ---------------------------------------------------- */

struct sender {
	struct decisions *d;
	unsigned first;
	bool *stop;
};

static void *send_some(void *arg)
{
	struct sender *s = arg;

	for (unsigned i = 0; i < 30; i++)
		send_events(s->d, s->first + 20 * i, s->first + 20 * i + 25);
	return NULL;
}

static void *tick_on(void *arg)
{
	struct sender *s = arg;
	struct err e = {0};

	while (!__atomic_load_n(s->stop, __ATOMIC_ACQUIRE)) {
		assert_ok(decisions_tick(s->d, &e), &e);
		assert_ok(decisions_rebuild(s->d, &e), &e);
	}
	return NULL;
}

static bool in_order(void *user, const struct decision_row *row)
{
	int64_t *last = user;

	assert_true(row->event.time >= *last);
	*last = row->event.time;
	return true;
}

static void *ask_on(void *arg)
{
	static const struct decision_filter denied = {.outcomes = BIT(DENY)};
	struct sender *s = arg;
	struct decisions_fault fault;
	struct err e = {0};

	while (!__atomic_load_n(s->stop, __ATOMIC_ACQUIRE)) {
		int64_t last = 0;
		struct buf b = rollup(s->d, 0, INT64_MAX);

		buf_release(&b);
		assert_ok(decisions_query(
				  s->d, &denied, false, in_order, &last, &e),
			&e);
		assert_ok(decisions_verify(s->d, NULL, S(""), &fault, &e), &e);
	}
	return NULL;
}

static void questions_are_answered_while_uploads_come(void **state)
{
	struct decisions_config c = config();
	struct decisions *d;
	struct sender s[4];
	pthread_t t[4];
	bool stop = false;

	(void)state;
	c.segment_bytes = 2000;
	d = open_mapped(c);
	for (unsigned i = 0; i < 4; i++) {
		void *(*const run[])(void *) = {
			send_some, send_some, tick_on, ask_on};

		s[i] = (struct sender){d, 1000 * i, &stop};
		assert_int_equal(pthread_create(&t[i], NULL, run[i], &s[i]), 0);
	}
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	pthread_join(t[2], NULL);
	pthread_join(t[3], NULL);
	assert_num(assert_same(d, &filters[0].f), 2 * 605);
	decisions_close(d);
}

/* --- quarantine and gaps ------------------------------------------------- */

static bool print_bad(void *user, const struct quarantine_row *r)
{
	buf_addf(user, "%llu %.*s: %.*s: %.*s\n", (unsigned long long)r->number,
		STR_ARG(r->target), STR_ARG(r->reason), STR_ARG(r->bytes));
	return true;
}

static void quarantine_is_shown_with_its_reasons(void **state)
{
	struct decisions *d = open_store();
	struct buf b = {0};
	struct err e = {0};

	(void)state;
	send_body(d, S("[1]"));
	fake_clock_advance(&fake, NS_PER_S);
	send_body(d, S("[{}]"));
	assert_ok(decisions_quarantine(d, NOW + 1, 0, print_bad, &b, &e), &e);
	assert_str(buf_str(&b), "1 eu-1: no decision_id: {}\n");
	buf_release(&b);
	decisions_close(d);
}

static bool print_gap(void *user, const struct decision_gap *g)
{
	buf_addf(user, "%.*s %lld..%lld%s: %llu of %llu, %llu dropped\n",
		STR_ARG(g->target), (long long)((g->from - NOW) / NS_PER_S),
		(long long)((g->to - NOW) / NS_PER_S),
		g->restarted ? " restarted" : "", (unsigned long long)g->events,
		(unsigned long long)g->requests,
		(unsigned long long)g->dropped);
	return true;
}

static void counted(struct decisions *d, const char *instance, int64_t s,
	uint64_t requests, uint64_t dropped)
{
	struct decision_counters c = {.target = S("eu-1"),
		.instance = str_from(instance),
		.time = NOW + s * NS_PER_S,
		.requests = requests,
		.dropped = dropped};
	struct err e = {0};

	assert_ok(decisions_count(d, &c, &e), &e);
	assert_ok(decisions_commit(d, &e), &e);
}

static void gaps_are_what_agents_counted_and_did_not_send(void **state)
{
	struct decisions *d = open_store();
	struct buf b = {0};
	struct err e = {0};

	(void)state;
	counted(d, "a", -1, 100, 0);
	send_events(d, 0, 20); /* all within a second from NOW */
	counted(d, "a", 1, 120, 0);
	counted(d, "a", 2, 125, 3);
	counted(d, "b", 3, 0, 0);
	counted(d, "b", 4, 0, 0);
	decisions_close(d);
	d = open_store();
	assert_ok(decisions_gaps(d, 0, 0, false, print_gap, &b, &e), &e);
	assert_str(buf_str(&b), "eu-1 1..2: 0 of 5, 3 dropped\n"
				"eu-1 2..3 restarted: 0 of 0, 0 dropped\n");
	buf_reset(&b);
	assert_ok(decisions_gaps(
			  d, 0, NOW + 2 * NS_PER_S, true, print_gap, &b, &e),
		&e);
	assert_str(buf_str(&b), "eu-1 -1..1: 20 of 20, 0 dropped\n");
	buf_reset(&b);
	/* Of what was counted before the period, the last counts. */
	assert_ok(decisions_gaps(
			  d, NOW + 3 * NS_PER_S, 0, true, print_gap, &b, &e),
		&e);
	assert_str(buf_str(&b), "eu-1 2..3 restarted: 0 of 0, 0 dropped\n"
				"eu-1 3..4: 0 of 0, 0 dropped\n");
	buf_release(&b);
	decisions_close(d);
}

static bool two_of_them(void *user, const struct decision_counters *c)
{
	struct buf *b = user;

	buf_addf(b, "%.*s/%.*s %llu,", STR_ARG(c->target), STR_ARG(c->instance),
		(unsigned long long)c->requests);
	return strchr(b->ptr, ',') == b->ptr + b->len - 1;
}

static void counters_are_read_on_from_where_one_was(void **state)
{
	struct decisions *d = open_store();
	struct buf b = {0};
	struct err e = {0};
	uint64_t next = 0;

	(void)state;
	counted(d, "a", 1, 10, 0);
	counted(d, "a", 2, 20, 0);
	counted(d, "b", 3, 5, 0);
	assert_ok(decisions_counters(d, 0, &next, two_of_them, &b, &e), &e);
	assert_str(buf_str(&b), "eu-1/a 10,eu-1/a 20,");
	assert_num(next, 2);
	buf_reset(&b);
	assert_ok(decisions_counters(d, 0, &next, two_of_them, &b, &e), &e);
	assert_str(buf_str(&b), "eu-1/b 5,");
	buf_reset(&b);
	assert_ok(decisions_counters(d, 0, &next, two_of_them, &b, &e), &e);
	assert_num(next, 3);
	assert_num(b.len, 0);
	buf_release(&b);
	decisions_close(d);
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(the_index_says_what_a_scan_says),
		STORE_TEST(another_process_sees_the_same),
		STORE_TEST(segments_on_the_way_change_nothing),
		STORE_TEST(more_rows_than_are_read_together_are_the_same),
		STORE_TEST(a_visitor_ends_the_query),
		STORE_TEST(unknown_dimensions_are_named),
		STORE_TEST(days_are_sealed_and_still_know_their_ids),
		STORE_TEST(late_ids_leave_memory_when_their_file_has_them),
		STORE_TEST(a_page_reads_no_rows_before_it),
		STORE_TEST(the_writer_knows_where_its_blocks_are),
		STORE_TEST(what_may_be_there_already_is_not_taken_in_blindly),
		STORE_TEST(a_lost_index_comes_back),
		STORE_TEST(a_decision_is_found_by_its_id),
		STORE_TEST(a_tail_shows_what_is_new),
		STORE_TEST(rollups_are_the_same_with_and_without_index),
		STORE_TEST(events_are_read_by_the_rules_of_their_version),
		STORE_TEST(
			of_several_bundles_the_first_with_a_rule_for_the_path_counts),
		STORE_TEST(a_reader_beside_the_writer_learns_new_rules),
		STORE_TEST(what_can_be_no_rules_is_refused),
		STORE_TEST(more_dimensions_than_columns_are_found),
		STORE_TEST(rollups_count_decisions_once),
		STORE_TEST(questions_are_answered_while_uploads_come),
		STORE_TEST(quarantine_is_shown_with_its_reasons),
		STORE_TEST(counters_are_read_on_from_where_one_was),
		STORE_TEST(gaps_are_what_agents_counted_and_did_not_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
