/* From decisions to windows, and which strata they fall in. */
#include "tests/test.h"

#include "base/clock.h"
#include "base/limits.h"
#include "canary/window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECOND NS_PER_S
#define MINUTE (60 * NS_PER_S)
#define BEGIN (1000 * MINUTE)

static struct err err;

/* --- strata --------------------------------------------------------------- */

static struct stratum_usual usual(
	const char *path, const char *target_class, double per_window)
{
	return (struct stratum_usual){
		.of = {.path = str_from(path),
			.target_class = str_from(target_class)},
		.per_window = per_window};
}

static void rare_paths_share_a_stratum(void **state)
{
	struct stratum_usual u[] = {
		usual("a", "edge", 30),
		usual("b", "edge", 29),
		usual("c", "edge", 1),
		usual("a", "core", 29.9),
	};
	struct arena a = {0};
	struct strata s;

	(void)state;
	assert_ok(strata_fold(&s, u, COUNT(u), 30, &a, &err), &err);
	assert_num(s.n, 3);
	assert_str(s.items[strata_find(&s, S("a"), S("edge"))].path, "a");
	uint32_t rest = strata_find(&s, S("b"), S("edge"));

	assert_str(s.items[rest].path, "*");
	assert_str(s.items[rest].target_class, "edge");
	assert_num(strata_find(&s, S("c"), S("edge")), rest);
	assert_num(strata_find(&s, S("new"), S("edge")), rest);
	/* core's 29.9 are not enough for a rest of its own. */
	assert_num(strata_find(&s, S("a"), S("core")), s.n - 1);
	assert_num(strata_find(&s, S("a"), S("elsewhere")), s.n - 1);
	assert_str(s.items[s.n - 1].target_class, "*");
	arena_release(&a);
}

static void paths_with_a_plan_stand_alone(void **state)
{
	struct stratum_usual u[] = {
		usual("a", "edge", 1), usual("b", "edge", 1)};
	struct arena a = {0};
	struct strata s;

	(void)state;
	u[1].of.deny = DENY_OBSERVE;
	assert_ok(strata_fold(&s, u, 2, 30, &a, &err), &err);
	assert_num(s.n, 2);
	assert_str(s.items[strata_find(&s, S("b"), S("edge"))].path, "b");
	assert_num(s.items[0].deny, DENY_OBSERVE);
	assert_num(strata_find(&s, S("a"), S("edge")), 1);
	arena_release(&a);
}

static void the_order_of_the_usual_does_not_matter(void **state)
{
	struct stratum_usual u[] = {usual("a", "x", 50), usual("b", "y", 50),
		usual("b", "x", 50), usual("c", "x", 40)};
	struct stratum_usual r[] = {u[3], u[2], u[1], u[0]};
	struct arena a = {0};
	struct strata s, t;

	(void)state;
	assert_ok(strata_fold(&s, u, 4, 30, &a, &err), &err);
	assert_ok(strata_fold(&t, r, 4, 30, &a, &err), &err);
	assert_num(s.n, t.n);
	for (uint32_t i = 0; i < s.n; i++)
		assert_true(str_eq(s.items[i].path, t.items[i].path) &&
			    str_eq(s.items[i].target_class,
				    t.items[i].target_class));
	arena_release(&a);
}

static void nothing_known_before_is_one_stratum(void **state)
{
	struct arena a = {0};
	struct strata s;

	(void)state;
	assert_ok(strata_fold(&s, NULL, 0, 30, &a, &err), &err);
	assert_num(s.n, 1);
	assert_num(strata_find(&s, S("a"), S("edge")), 0);
	arena_release(&a);
}

/* Half of them usually decide 31 times a window, half 61 times. */
static void strata_are_limited(void **state)
{
	uint32_t n = LIMIT_STRATA + 1;
	struct arena a = {0};
	struct stratum_usual *u = ARENA_ARRAY(&a, struct stratum_usual, n);
	struct strata s;

	(void)state;
	for (uint32_t i = 0; i < n; i++)
		u[i] = usual(
			arena_printf(&a, "p%u", i), "edge", i % 2 ? 31 : 61);
	assert_ok(strata_fold(&s, u, n - 1, 30, &a, &err), &err);
	assert_num(s.n, LIMIT_STRATA + 1);
	assert_ok(strata_fold(&s, u, n, 30, &a, &err), &err);
	assert_num(s.n, LIMIT_STRATA / 2 + 1 + 2);
	for (uint32_t i = 0; i < n; i++)
		u[i].of.deny = DENY_PLANNED;
	assert_ok(strata_fold(&s, u, n - 1, 30, &a, &err), &err);
	assert_fails(strata_fold(&s, u, n, 30, &a, &err), &err, E_LIMIT,
		"10001 decision paths");
	arena_release(&a);
}

/* --- windows: two strata, three targets ----------------------------------- */

struct scene {
	struct arena a;
	struct strata strata;
	struct windows_config config;
	struct windows *w;
	struct canary_window out;
};

static void scene_with(struct scene *s, const struct windows_config *c)
{
	struct stratum_usual u[] = {
		usual("allow", "edge", 100), usual("admin", "edge", 100)};

	*s = (struct scene){.config = *c};
	assert_ok(strata_fold(&s->strata, u, 2, 30, &s->a, &err), &err);
	assert_ok(windows_new(&s->w, &s->config, &s->strata, 3, &err), &err);
}

static struct windows_config config(void)
{
	struct windows_config c = windows_defaults;

	c.start_ns = BEGIN;
	c.grace_ns = 20 * SECOND;
	c.candidate = S("v2");
	c.stable = S("v1");
	return c;
}

static void scene_begin(struct scene *s)
{
	struct windows_config c = config();

	scene_with(s, &c);
}

static void scene_end(struct scene *s)
{
	windows_free(s->w);
	arena_release(&s->a);
}

/* `at` from the beginning; a timed, fast allow under the candidate. */
static struct decision_fact fact(int64_t at_ns, uint64_t input)
{
	return (struct decision_fact){.path = S("allow"),
		.target_class = S("edge"),
		.revision = S("v2"),
		.timed = true,
		.input_hash = input,
		.time_ns = BEGIN + at_ns};
}

static void add(struct scene *s, struct decision_fact d)
{
	windows_add(s->w, &d);
}

/* The window that grace closes; there must be one. */
static struct canary_window *closed(struct scene *s, int64_t now_ns)
{
	if (!windows_close(s->w, BEGIN + now_ns, &s->out))
		fail_msg("no window is complete");
	return &s->out;
}

static bool closes(struct scene *s, int64_t now_ns)
{
	return windows_close(s->w, BEGIN + now_ns, &s->out);
}

/* --- what counts ---------------------------------------------------------- */

static void decisions_become_rows_by_revision(void **state)
{
	struct decision_fact d = fact(SECOND, 1);
	struct canary_window *w;
	struct scene s;

	(void)state;
	scene_begin(&s);
	add(&s, d);
	d.outcome = CLASS_DENY;
	d.slow = true;
	add(&s, d);
	d.outcome = CLASS_DENY_NEW;
	add(&s, d);
	d.time_ns += SECOND;
	d.revision = S("v1"); /* the same target, not yet on the candidate */
	d.outcome = CLASS_ERROR;
	add(&s, d);
	d.target = 1;
	d.outcome = CLASS_UNDEFINED;
	d.timed = false;
	d.path = S("admin");
	add(&s, d);
	d.outcome = CLASS_OTHER;
	add(&s, d);
	w = closed(&s, 2 * MINUTE);
	assert_num(w->start_ns, BEGIN);
	assert_num(w->end_ns, BEGIN + MINUTE);
	assert_num(w->nrows, 3);
	assert_false(w->rows[0].canary);
	assert_num(w->rows[0].k.error, 1);
	assert_num(w->rows[0].k.slow, 1);
	assert_true(w->rows[1].canary);
	assert_num(w->rows[1].k.n, 3);
	assert_num(w->rows[1].k.allow, 1);
	assert_num(w->rows[1].k.deny, 2);
	assert_num(w->rows[1].k.deny_new, 1);
	assert_num(w->rows[1].k.timed, 3);
	assert_num(w->rows[1].k.slow, 2);
	assert_num(w->rows[2].target, 1);
	assert_num(w->rows[2].k.n, 2);
	assert_num(w->rows[2].k.undefined, 1);
	assert_num(w->rows[2].k.timed, 0);
	assert_num(w->rows[2].stratum,
		strata_find(&s.strata, S("admin"), S("edge")));
	assert_num(w->newest_ns, BEGIN + SECOND);
	assert_false(closes(&s, 10 * MINUTE));
	scene_end(&s);
}

static void revisions_of_neither_arm_are_only_counted(void **state)
{
	struct decision_fact d = fact(SECOND, 1);
	struct canary_window *w;
	struct scene s;

	(void)state;
	scene_begin(&s);
	d.revision = S("");
	add(&s, d);
	add(&s, d);
	d.revision = S("v0");
	add(&s, d);
	w = closed(&s, 2 * MINUTE);
	assert_num(w->nrows, 0);
	assert_num(w->unattributed, 2);
	assert_num(w->foreign, 1);
	assert_num(w->newest_ns, 0);
	scene_end(&s);
}

static void a_first_release_has_no_stable_arm(void **state)
{
	struct windows_config c = config();
	struct decision_fact d = fact(SECOND, 1);
	struct scene s;

	(void)state;
	c.stable = S("");
	scene_with(&s, &c);
	d.revision = S("");
	add(&s, d);
	assert_num(closed(&s, 2 * MINUTE)->unattributed, 1);
	assert_num(s.out.nrows, 0);
	scene_end(&s);
}

static void a_retry_storm_counts_once_a_window(void **state)
{
	struct decision_fact d = fact(0, 7);
	struct canary_window *w;
	struct scene s;

	(void)state;
	scene_begin(&s);
	d.outcome = CLASS_ERROR;
	for (int i = 0; i < 400; i++) {
		d.time_ns = BEGIN + i * SECOND / 10;
		add(&s, d);
	}
	d.time_ns = BEGIN + MINUTE; /* the next window */
	add(&s, d);
	d = fact(SECOND, 7); /* another outcome */
	add(&s, d);
	d.path = S("admin");
	add(&s, d);
	d.target = 1;
	add(&s, d);
	w = closed(&s, 5 * MINUTE);
	assert_num(w->nrows, 3);
	for (size_t i = 0; i < w->nrows; i++)
		assert_false(w->rows[i].duplicates);
	size_t both = w->rows[0].k.n == 2 ? 0 : 1;

	assert_num(w->rows[both].k.error, 1);
	assert_num(w->rows[both].k.allow, 1);
	assert_num(w->rows[both].k.raw, 401);
	assert_num(w->rows[both].k.timed, 2);
	w = closed(&s, 5 * MINUTE);
	assert_num(w->rows[0].k.error, 1);
	scene_end(&s);
}

/* The worked example: 4.8 in logs apart from 679. */
static void a_storm_weighs_as_one_error_in_a_verdict(void **state)
{
	struct decision_fact d;
	struct verdict_facts f = {0};
	struct verdict v;
	struct scene s;
	struct judge *j;

	(void)state;
	scene_begin(&s);
	for (uint64_t i = 0; i < 10000; i++) {
		d = fact(SECOND, i);
		d.revision = i < 1000 ? S("v2") : S("v1");
		add(&s, d);
	}
	d = fact(SECOND, 1000);
	d.outcome = CLASS_ERROR;
	for (int i = 0; i < 400; i++)
		add(&s, d);
	j = judge_new(&verdict_defaults, s.strata.items, s.strata.n, 3);
	judge_window(j, closed(&s, 2 * MINUTE));
	judge_verdict(j, &f, &v);
	assert_near(exp(v.metric[METRIC_ERROR].ln_e), 3.04291704, 1e-6);
	assert_num(v.canary.raw, 1400);
	assert_num(v.canary.n, 1001);
	judge_free(j);
	scene_end(&s);
}

static void an_input_both_fast_and_slow_is_timed_twice(void **state)
{
	struct decision_fact d = fact(0, 7);
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (int i = 0; i < 10; i++) {
		d.slow = i % 3 == 0;
		add(&s, d);
	}
	assert_num(closed(&s, 2 * MINUTE)->rows[0].k.n, 1);
	assert_num(s.out.rows[0].k.timed, 2);
	assert_num(s.out.rows[0].k.slow, 1);
	assert_num(s.out.rows[0].k.raw, 10);
	scene_end(&s);
}

static void erased_inputs_all_count_and_temper_their_row(void **state)
{
	struct decision_fact d = fact(0, 0);
	struct scene s;

	(void)state;
	scene_begin(&s);
	d.erased = true;
	for (int i = 0; i < 90; i++) {
		d.time_ns = BEGIN + i * SECOND / 2;
		d.slow = i % 9 == 0;
		add(&s, d);
	}
	d = fact(0, 1);
	d.target = 1;
	add(&s, d);
	assert_num(closed(&s, 2 * MINUTE)->nrows, 2);
	assert_true(s.out.rows[0].duplicates);
	assert_num(s.out.rows[0].k.n, 90);
	assert_num(s.out.rows[0].k.raw, 90);
	assert_num(s.out.rows[0].k.timed, 90);
	assert_num(s.out.rows[0].k.slow, 10);
	assert_false(s.out.rows[1].duplicates);
	scene_end(&s);
}

/* --- how long they took --------------------------------------------------- */

static struct decision_fact timed(uint64_t input, bool canary, int64_t ms)
{
	struct decision_fact d = fact((int64_t)input * SECOND / 1000, input);

	d.revision = canary ? S("v2") : S("v1");
	d.took_ns = ms * NS_PER_MS;
	return d;
}

static void times_have_eight_steps_for_each_doubling(void **state)
{
	(void)state;
	assert_num(took_bucket(-1), 0);
	assert_num(took_bucket(1000), 0);
	for (int64_t ns = 1100; ns < INT64_MAX / 3; ns += ns / 50) {
		unsigned at = took_bucket(ns);

		assert_true(at < TOOK_BUCKETS);
		if (at + 1 < TOOK_BUCKETS)
			assert_true(ns <= took_end(at) &&
				    took_end(at) < ns + ns / 8 + 2);
		assert_true(took_bucket(2 * ns) == at + 8 ||
			    took_bucket(2 * ns) == TOOK_BUCKETS - 1);
	}
	assert_num(took_bucket(INT64_MAX), TOOK_BUCKETS - 1);
}

static void latency_is_compared_once_a_window_has_closed(void **state)
{
	struct mann_whitney r;
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (uint64_t i = 0; i < 900; i++)
		add(&s, timed(i, i % 9 == 0, i % 9 == 0 ? 4 : 1));
	assert_near(windows_latency(s.w).pairs, 0, 0);
	closed(&s, 2 * MINUTE);
	r = windows_latency(s.w);
	assert_near(r.pairs, 100 * 800, 0);
	assert_near(r.effect, 1, 0);
	assert_true(r.high);
	scene_end(&s);
}

/* An input that is asked again says nothing new; nor does the order. */
static void of_an_input_the_first_time_counts(void **state)
{
	struct scene s;

	(void)state;
	for (int turned = 0; turned < 2; turned++) {
		struct decision_fact d[] = {timed(1, true, 1),
			timed(1, true, 64), timed(2, false, 8)};

		d[1].time_ns += SECOND;
		scene_begin(&s);
		for (int i = 0; i < 3; i++)
			add(&s, d[turned ? 2 - i : i]);
		closed(&s, 2 * MINUTE);
		assert_near(windows_latency(s.w).pairs, 1, 0);
		assert_near(windows_latency(s.w).effect, 0, 0);
		scene_end(&s);
	}
}

static void latency_leaves_out_what_is_not_timed(void **state)
{
	struct decision_fact d = timed(1, true, 9);
	struct scene s;

	(void)state;
	scene_begin(&s);
	windows_activated(s.w, 0, BEGIN - SECOND); /* still warming up */
	add(&s, d);
	d = timed(2, false, 1);
	d.target = 1;
	add(&s, d);
	d = timed(3, true, 1);
	d.target = 1;
	d.timed = false;
	add(&s, d);
	closed(&s, 2 * MINUTE);
	assert_near(windows_latency(s.w).pairs, 0, 0);
	scene_end(&s);
}

/* --- around activations --------------------------------------------------- */

static void decisions_around_an_activation_are_left_out(void **state)
{
	static const int64_t at[] = {14 * SECOND, 15 * SECOND, 20 * SECOND,
		25 * SECOND, 26 * SECOND};
	struct decision_fact d;
	struct scene s;

	(void)state;
	for (int told_after = 0; told_after < 2; told_after++) {
		scene_begin(&s);
		if (!told_after)
			windows_activated(s.w, 0, BEGIN + 20 * SECOND);
		for (size_t i = 0; i < COUNT(at); i++)
			add(&s, fact(at[i], i));
		d = fact(20 * SECOND, 9);
		d.target = 1; /* not its activation */
		add(&s, d);
		windows_activated(s.w, 0, BEGIN + 20 * SECOND);
		assert_num(closed(&s, 2 * MINUTE)->nrows, 2);
		assert_num(s.out.rows[0].k.n, 2);
		assert_num(s.out.rows[0].k.raw, 2);
		assert_num(s.out.racing, 3);
		assert_num(s.out.rows[1].k.n, 1);
		scene_end(&s);
	}
}

static void a_repeated_input_counts_if_seen_outside_the_race(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	windows_activated(s.w, 0, BEGIN + 20 * SECOND);
	add(&s, fact(20 * SECOND, 1));
	add(&s, fact(26 * SECOND, 1));
	add(&s, fact(19 * SECOND, 2));
	add(&s, fact(21 * SECOND, 2));
	add(&s, fact(16 * SECOND, 3));
	add(&s, fact(14 * SECOND, 3));
	assert_num(closed(&s, 2 * MINUTE)->rows[0].k.n, 2);
	assert_num(s.out.racing, 2);
	scene_end(&s);
}

static void erased_inputs_are_left_out_by_the_second(void **state)
{
	struct decision_fact d = fact(0, 0);
	struct scene s;

	(void)state;
	scene_begin(&s);
	windows_activated(s.w, 0, BEGIN + 20 * SECOND);
	d.erased = true;
	for (int i = 0; i < 40; i++) {
		d.time_ns = BEGIN + i * SECOND;
		add(&s, d);
	}
	assert_num(closed(&s, 2 * MINUTE)->rows[0].k.n, 29);
	assert_num(s.out.racing, 11);
	scene_end(&s);
}

static void warming_up_is_no_slowness(void **state)
{
	struct decision_fact d;
	struct scene s;

	(void)state;
	scene_begin(&s);
	windows_activated(s.w, 0, BEGIN + 30 * SECOND);
	for (uint64_t i = 0; i < 6; i++) {
		/* 10, 36, 62, 88, 114, 140 */
		d = fact((10 + 26 * (int64_t)i) * SECOND, i);
		d.slow = true;
		d.outcome = CLASS_ERROR;
		add(&s, d);
	}
	assert_num(closed(&s, 5 * MINUTE)->rows[0].k.error, 2);
	assert_num(s.out.rows[0].k.timed, 1);
	assert_num(s.out.rows[0].k.slow, 1);
	assert_num(closed(&s, 5 * MINUTE)->rows[0].k.error, 3);
	assert_num(s.out.rows[0].k.slow, 1);
	assert_num(closed(&s, 5 * MINUTE)->rows[0].k.slow, 1);
	scene_end(&s);
}

static void four_activations_of_a_target_are_kept(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (int i = 0; i < 5; i++) {
		int64_t at = (10 + 11 * i) * SECOND;

		for (int twice = 0; twice < 2; twice++)
			windows_activated(s.w, 0, BEGIN + at);
		add(&s, fact(at, (uint64_t)i));
	}
	windows_activated(s.w, 0, BEGIN); /* older than all that are kept */
	windows_activated(s.w, 0, -5);
	assert_num(closed(&s, 2 * MINUTE)->racing, 4);
	assert_num(s.out.rows[0].k.n, 1);
	scene_end(&s);
}

/* --- when a window closes ------------------------------------------------- */

static void a_window_closes_when_all_are_heard_past_its_end(void **state)
{
	struct decision_fact d = fact(MINUTE + SECOND, 2);
	struct scene s;

	(void)state;
	scene_begin(&s);
	add(&s, fact(SECOND, 1));
	windows_heard(s.w, 1, BEGIN + SECOND);
	add(&s, d);
	assert_false(closes(&s, MINUTE + 2 * SECOND)); /* 1 may have more */
	windows_heard(s.w, 1, BEGIN + MINUTE);
	assert_false(closes(&s, MINUTE + 2 * SECOND));
	windows_heard(s.w, 1, BEGIN + MINUTE + 1);
	windows_heard(s.w, 1, BEGIN);         /* is known already */
	assert_false(closes(&s, MINUTE - 1)); /* nor before it has ended */
	assert_true(closes(&s, MINUTE + 2 * SECOND));
	assert_num(s.out.rows[0].k.n, 1);
	assert_false(closes(&s, 2 * MINUTE));
	scene_end(&s);
}

static void a_window_waits_for_grace_and_no_longer(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	add(&s, fact(SECOND, 1));
	assert_false(closes(&s, MINUTE + 20 * SECOND - 1));
	assert_true(closes(&s, MINUTE + 20 * SECOND));
	scene_end(&s);
}

static void who_is_gone_is_not_waited_for(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	add(&s, fact(SECOND, 1));
	windows_heard(s.w, 1, BEGIN + 2 * MINUTE);
	assert_false(closes(&s, MINUTE + SECOND));
	windows_gone(s.w, 0);
	assert_true(closes(&s, MINUTE + SECOND));
	/* With nobody left only grace closes. */
	add(&s, fact(MINUTE, 1));
	windows_gone(s.w, 0);
	windows_gone(s.w, 1);
	assert_false(closes(&s, 2 * MINUTE + SECOND));
	assert_true(closes(&s, 3 * MINUTE));
	scene_end(&s);
}

static void what_comes_late_is_counted_and_changes_nothing(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	add(&s, fact(SECOND, 1));
	assert_num(closed(&s, 2 * MINUTE)->late, 0);
	add(&s, fact(2 * SECOND, 2));
	add(&s, fact(MINUTE - 1, 3));
	add(&s, fact(-1, 4)); /* before it all began: not of this rollout */
	add(&s, fact(MINUTE, 5));
	assert_num(closed(&s, 3 * MINUTE)->late, 2);
	assert_num(s.out.start_ns, BEGIN + MINUTE);
	assert_num(s.out.rows[0].k.n, 1);
	assert_false(closes(&s, 10 * MINUTE));
	/* Told even if nothing else happens any more. */
	add(&s, fact(MINUTE, 6));
	assert_num(closed(&s, 11 * MINUTE)->late, 1);
	assert_num(s.out.nrows, 0);
	scene_end(&s);
}

static void empty_windows_are_passed_over(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	assert_false(closes(&s, 700 * MINUTE));
	add(&s, fact(700 * MINUTE, 1));
	assert_num(closed(&s, 702 * MINUTE)->start_ns, BEGIN + 700 * MINUTE);
	scene_end(&s);
}

static void clocks_far_ahead_fill_no_windows(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	add(&s, fact((LIMIT_WINDOWS_OPEN * MINUTE) - 1, 1));
	add(&s, fact(LIMIT_WINDOWS_OPEN * MINUTE, 2));
	add(&s, fact(INT64_MAX - BEGIN, 3));
	assert_num(closed(&s, 2 * MINUTE)->overflow, 2);
	assert_num(s.out.nrows, 0);
	assert_num(closed(&s, 100 * MINUTE)->nrows, 1);
	assert_num(s.out.start_ns, BEGIN + (LIMIT_WINDOWS_OPEN - 1) * MINUTE);
	scene_end(&s);
}

/* --- limits, order -------------------------------------------------------- */

static void too_many_inputs_are_counted_raw(void **state)
{
	struct windows_config c = config();
	struct scene s;

	(void)state;
	c.max_entries = 10;
	scene_with(&s, &c);
	for (uint64_t i = 0; i < 10; i++)
		add(&s, fact(0, i));
	assert_false(closed(&s, 2 * MINUTE)->rows[0].duplicates);
	for (uint64_t i = 0; i < 12; i++)
		add(&s, fact(MINUTE, i));
	assert_num(closed(&s, 3 * MINUTE)->rows[0].k.n, 12);
	assert_true(s.out.rows[0].duplicates);
	/* 10 apart and 10 seconds of others is all there is room for. */
	for (uint64_t i = 0; i < 10; i++)
		add(&s, fact(2 * MINUTE, i));
	for (uint64_t i = 0; i < 11; i++)
		add(&s, fact(2 * MINUTE + (int64_t)i * SECOND, 10 + i));
	assert_num(closed(&s, 4 * MINUTE)->rows[0].k.n, 20);
	assert_num(s.out.overflow, 1);
	/* Closing gave all of it back. */
	for (uint64_t i = 0; i < 10; i++)
		add(&s, fact(4 * MINUTE, i));
	assert_false(closed(&s, 9 * MINUTE)->rows[0].duplicates);
	scene_end(&s);
}

static void assert_same_rows(
	const struct canary_window *a, const struct canary_window *b)
{
	assert_num(a->nrows, b->nrows);
	assert_num(a->racing, b->racing);
	assert_num(a->newest_ns, b->newest_ns);
	for (size_t i = 0; i < a->nrows; i++) {
		assert_num(a->rows[i].target, b->rows[i].target);
		assert_num(a->rows[i].stratum, b->rows[i].stratum);
		assert_num(a->rows[i].canary, b->rows[i].canary);
		assert_num(a->rows[i].duplicates, b->rows[i].duplicates);
		assert_memory_equal(
			&a->rows[i].k, &b->rows[i].k, sizeof(a->rows[i].k));
	}
}

/* 5,000 decisions of all kinds, then the same ones from last to first. */
static void the_order_of_decisions_does_not_matter(void **state)
{
	enum {
		N = 5000,
	};
	struct decision_fact *d = calloc(N, sizeof(*d));
	uint64_t seed = 20260620;
	struct scene a, b;

	(void)state;
	scene_begin(&a);
	scene_begin(&b);
	windows_activated(a.w, 1, BEGIN + 30 * SECOND);
	for (size_t i = 0; i < N; i++) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		uint64_t x = seed >> 20;

		d[i] = fact((int64_t)(x % 60000) * NS_PER_MS, x % 97);
		d[i].target = (uint32_t)(x / 60000 % 3);
		d[i].revision = x >> 20 & 1 ? S("v1") : S("v2");
		d[i].outcome = (enum decision_class)(x >> 21 & 3);
		d[i].slow = x >> 23 & 1;
		d[i].timed = x >> 24 & 1;
		d[i].erased = (x >> 25 & 15) == 0;
		d[i].path = x >> 29 & 1 ? S("allow") : S("admin");
		add(&a, d[i]);
	}
	for (size_t i = N; i-- > 0;)
		add(&b, d[i]);
	windows_activated(b.w, 1, BEGIN + 30 * SECOND);
	assert_same_rows(closed(&a, 2 * MINUTE), closed(&b, 2 * MINUTE));
	assert_true(a.out.nrows == 12 && a.out.racing > 0);
	free(d);
	scene_end(&a);
	scene_end(&b);
}

static void settings_that_cannot_be_are_refused(void **state)
{
	struct windows_config c = config();
	struct strata strata = {0};
	struct windows *w = NULL;

	(void)state;
	c.grace_ns = (LIMIT_WINDOWS_OPEN - 2) * MINUTE;
	assert_ok(windows_new(&w, &c, &strata, 0, &err), &err);
	windows_free(w);
	windows_free(NULL);
	c.grace_ns = (LIMIT_WINDOWS_OPEN - 1) * MINUTE;
	assert_fails(windows_new(&w, &c, &strata, 0, &err), &err, E_LIMIT,
		"63 windows, limit 62");
	c = config();
	c.candidate = S("v1");
	assert_fails(windows_new(&w, &c, &strata, 0, &err), &err, E_INVALID,
		"same revision, \"v1\"");
	c.candidate = S("");
	assert_fails(windows_new(&w, &c, &strata, 0, &err), &err, E_INVALID,
		"no candidate");
	c = config();
	c.window_ns = 3601 * SECOND;
	assert_fails(windows_new(&w, &c, &strata, 0, &err), &err, E_INVALID,
		"must be 1 to 3600");
	c = config();
	c.warmup_ns = -1;
	assert_fails(windows_new(&w, &c, &strata, 0, &err), &err, E_INVALID,
		"below 0");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rare_paths_share_a_stratum),
		cmocka_unit_test(paths_with_a_plan_stand_alone),
		cmocka_unit_test(the_order_of_the_usual_does_not_matter),
		cmocka_unit_test(nothing_known_before_is_one_stratum),
		cmocka_unit_test(strata_are_limited),
		cmocka_unit_test(decisions_become_rows_by_revision),
		cmocka_unit_test(revisions_of_neither_arm_are_only_counted),
		cmocka_unit_test(a_first_release_has_no_stable_arm),
		cmocka_unit_test(a_retry_storm_counts_once_a_window),
		cmocka_unit_test(a_storm_weighs_as_one_error_in_a_verdict),
		cmocka_unit_test(an_input_both_fast_and_slow_is_timed_twice),
		cmocka_unit_test(erased_inputs_all_count_and_temper_their_row),
		cmocka_unit_test(times_have_eight_steps_for_each_doubling),
		cmocka_unit_test(latency_is_compared_once_a_window_has_closed),
		cmocka_unit_test(of_an_input_the_first_time_counts),
		cmocka_unit_test(latency_leaves_out_what_is_not_timed),
		cmocka_unit_test(decisions_around_an_activation_are_left_out),
		cmocka_unit_test(
			a_repeated_input_counts_if_seen_outside_the_race),
		cmocka_unit_test(erased_inputs_are_left_out_by_the_second),
		cmocka_unit_test(warming_up_is_no_slowness),
		cmocka_unit_test(four_activations_of_a_target_are_kept),
		cmocka_unit_test(
			a_window_closes_when_all_are_heard_past_its_end),
		cmocka_unit_test(a_window_waits_for_grace_and_no_longer),
		cmocka_unit_test(who_is_gone_is_not_waited_for),
		cmocka_unit_test(
			what_comes_late_is_counted_and_changes_nothing),
		cmocka_unit_test(empty_windows_are_passed_over),
		cmocka_unit_test(clocks_far_ahead_fill_no_windows),
		cmocka_unit_test(too_many_inputs_are_counted_raw),
		cmocka_unit_test(the_order_of_decisions_does_not_matter),
		cmocka_unit_test(settings_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
