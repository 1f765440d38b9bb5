/* The rules of a verdict and the record of it. */
#include "tests/test.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "canary/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE (60 * NS_PER_S)

static struct err err;

/* --- one rollout: two canaries, two on stable ----------------------------- */

static struct stratum strata[] = {
	{.path = STR("authz/allow"), .target_class = STR("edge")},
	{.path = STR("authz/admin"), .target_class = STR("edge")},
};

struct scene {
	struct judge *j;
	struct target_facts targets[4];
	struct verdict_facts facts;
	struct verdict v;
	int64_t minute;
};

static void scene_begin(struct scene *s)
{
	static const char *const ids[] = {"c1", "c2", "b1", "b2"};

	*s = (struct scene){0};
	s->j = judge_new(&verdict_defaults, strata, COUNT(strata), 4);
	judge_step(s->j);
	for (int i = 0; i < 4; i++)
		s->targets[i] = (struct target_facts){.id = str_from(ids[i]),
			.canary = i < 2,
			.on_candidate = i < 2,
			.last_poll_ns = 100 * MINUTE,
			.last_event_ns = 100 * MINUTE,
			.poll_period_ns = MINUTE,
			.events_per_s = 1,
			.counts_requests = true,
			.requests = 1000,
			.received = 1000};
	s->facts = (struct verdict_facts){.now_ns = 100 * MINUTE,
		.bake_ns = 20 * MINUTE,
		.min_bake_ns = 15 * MINUTE,
		.log_period_ns = 10 * NS_PER_S,
		.targets = s->targets,
		.ntargets = 4};
}

static void scene_end(struct scene *s)
{
	judge_free(s->j);
}

static struct decision_counts counts(
	uint64_t n, uint64_t error, uint64_t undefined, uint64_t deny)
{
	return (struct decision_counts){.n = n,
		.error = error,
		.undefined = undefined,
		.deny = deny,
		.allow = n - error - undefined - deny,
		.raw = n};
}

/* One window of stratum `at`; canary's by c1. */
static void window_of(struct scene *s, uint32_t at, struct decision_counts c,
	struct decision_counts b)
{
	struct window_row rows[] = {
		{.target = 0, .stratum = at, .canary = true, .k = c},
		{.target = 2, .stratum = at, .k = b},
	};
	struct canary_window w = {.start_ns = s->minute * MINUTE,
		.end_ns = (s->minute + 1) * MINUTE,
		.newest_ns = 99 * MINUTE,
		.rows = rows,
		.nrows = 2};

	s->minute++;
	judge_window(s->j, &w);
}

static void errors(
	struct scene *s, uint64_t xc, uint64_t nc, uint64_t xb, uint64_t nb)
{
	window_of(s, 0, counts(nc, xc, 0, 0), counts(nb, xb, 0, 0));
}

static void clean(struct scene *s, int windows)
{
	for (int i = 0; i < windows; i++)
		errors(s, 0, 100, 0, 900);
}

static void denies(struct scene *s, uint64_t canary, uint64_t baseline)
{
	window_of(
		s, 0, counts(1000, 0, 0, canary), counts(9000, 0, 0, baseline));
}

static void assert_verdict(
	struct scene *s, enum verdict_outcome o, const char *why)
{
	judge_verdict(s->j, &s->facts, &s->v);
	if (s->v.outcome != o || strcmp(s->v.why, why))
		fail_msg("%s", s->v.reason);
}

/* --- evidence ------------------------------------------------------------- */

static void nine_clean_windows_pass_and_eight_do_not(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	clean(&s, 8);
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "evidence");
	assert_near(exp(s.v.metric[METRIC_ERROR].ln_s), 17.752215, 1e-6);
	clean(&s, 1);
	assert_verdict(&s, VERDICT_PASS, "evidence");
	assert_near(exp(s.v.metric[METRIC_UNDEFINED].ln_s), 28.147702, 1e-6);
	assert_string_equal(s.v.reason,
		"PASS(evidence): 900 canary decisions; evidence 28 for errors "
		"and 28 for undefined, 20 needed");
	/* Another step: new targets, new evidence. */
	judge_step(s.j);
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "counts");
	scene_end(&s);
}

static void errors_fail_at_once_and_for_good(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	errors(&s, 3, 100, 0, 900);
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "counts");
	scene_end(&s);
	scene_begin(&s);
	errors(&s, 4, 100, 0, 900);
	assert_verdict(&s, VERDICT_FAIL, "error");
	assert_string_equal(s.v.reason,
		"FAIL(error): 4 of 100 canary decisions failed against 0 of "
		"900 on stable; evidence 346 of 250 needed");
	/* Much clean traffic, less evidence, same verdict and numbers. */
	errors(&s, 0, 1000, 50, 900);
	judge_step(s.j);
	clean(&s, 20);
	assert_verdict(&s, VERDICT_FAIL, "error");
	assert_true(s.v.metric[METRIC_ERROR].ln_e < log(250));
	assert_non_null(strstr(s.v.reason, "evidence 346 of 250 needed"));
	scene_end(&s);
}

static void the_worked_examples_end_as_written(void **state)
{
	static const struct {
		uint64_t xc, nc, xb, nb;
		bool fails;
	} rows[] = {
		{3, 100, 0, 900, false},
		{4, 100, 0, 900, true},
		{5, 100, 3, 900, false},
		{6, 100, 3, 900, true},
		{5, 5, 0, 1000, true},
		{8, 400, 12, 3600, false},
		{30, 1000, 90, 9000, true},
		{12, 1000, 40, 9000, false},
		{400, 1400, 0, 9000, true},
		{1, 1001, 0, 9000, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene s;

		scene_begin(&s);
		errors(&s, rows[i].xc, rows[i].nc, rows[i].xb, rows[i].nb);
		judge_verdict(s.j, &s.facts, &s.v);
		assert_num(s.v.outcome == VERDICT_FAIL, rows[i].fails);
		scene_end(&s);
	}
}

static void traffic_mix_is_no_failure_inside_strata(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	errors(&s, 2, 200, 80, 8000);
	window_of(&s, 1, counts(800, 80, 0, 0), counts(2000, 200, 0, 0));
	judge_verdict(s.j, &s.facts, &s.v);
	/* 8.2 % of all canary decisions failed; 5 % is the ceiling. */
	assert_near(exp(s.v.metric[METRIC_ERROR].ln_e), 0.00660717442, 1e-6);
	assert_near(s.v.metric[METRIC_ERROR].difference, 0, 1e-12);
	scene_end(&s);
}

static void a_canary_with_easy_traffic_still_fails(void **state)
{
	struct scene s;

	(void)state;
	/* Pooled the canary has the lower rate. */
	scene_begin(&s);
	errors(&s, 60, 2000, 10, 2000);
	window_of(&s, 1, counts(100, 10, 0, 0), counts(9000, 900, 0, 0));
	assert_verdict(&s, VERDICT_FAIL, "error");
	assert_true(stat_rate(s.v.metric[METRIC_ERROR].total.c) <
		    stat_rate(s.v.metric[METRIC_ERROR].total.b));
	scene_end(&s);
}

static void a_tiny_difference_is_no_failure(void **state)
{
	struct scene s;

	(void)state;
	/* 0.02 % against 0.01 %: proven, and too little to act on. */
	scene_begin(&s);
	errors(&s, 200, 1000000, 100, 1000000);
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "evidence");
	assert_true(s.v.metric[METRIC_ERROR].ln_e > log(250));
	assert_non_null(strstr(s.v.reason, "evidence of harm in error"));
	scene_end(&s);
}

static void the_ceiling_needs_no_baseline(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	s.facts.first_release = true;
	errors(&s, 6, 20, 0, 0);
	judge_verdict(s.j, &s.facts, &s.v);
	assert_num(s.v.outcome, VERDICT_INCONCLUSIVE);
	scene_end(&s);
	scene_begin(&s);
	errors(&s, 10, 40, 0, 0);
	assert_verdict(&s, VERDICT_FAIL, "ceiling");
	assert_string_equal(s.v.reason,
		"FAIL(ceiling): 10 of 40 canary decisions failed; evidence "
		"1,579 of 1,000 needed");
	scene_end(&s);
}

static void a_first_release_passes_by_absolute_limits_and_says_so(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	s.facts.first_release = true;
	for (int i = 0; i < 9; i++)
		errors(&s, 0, 100, 0, 0);
	assert_verdict(&s, VERDICT_PASS, "evidence");
	assert_non_null(strstr(s.v.reason, "no stable version"));
	s.facts.first_release = false;
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "coverage");
	scene_end(&s);
}

static void undefined_fails_by_itself(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	window_of(&s, 0, counts(100, 0, 6, 0), counts(900, 0, 0, 0));
	assert_verdict(&s, VERDICT_FAIL, "undefined");
	scene_end(&s);
}

static void slow_is_judged_of_what_was_timed(void **state)
{
	struct decision_counts c = counts(1000, 0, 0, 0);
	struct decision_counts b = counts(9000, 0, 0, 0);
	struct scene s;

	(void)state;
	c.timed = 500;
	c.slow = 60;
	b.timed = 9000;
	b.slow = 90;
	scene_begin(&s);
	window_of(&s, 0, c, b);
	assert_verdict(&s, VERDICT_FAIL, "slow");
	assert_non_null(strstr(s.v.reason, "60 of 500 canary"));
	scene_end(&s);
}

/* --- denies --------------------------------------------------------------- */

static void set_denies(enum deny_mode mode, struct deny_plan plan)
{
	strata[0].deny = mode;
	strata[0].plan = plan;
}

static void denies_stay_steady_in_both_directions(void **state)
{
	static const struct {
		uint64_t canary;
		const char *why;
	} rows[] = {{50, "deny_up"}, {2, "deny_down"}, {0, "deny_down"}};
	struct scene s;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		scene_begin(&s);
		denies(&s, rows[i].canary, 180);
		assert_verdict(&s, VERDICT_FAIL, rows[i].why);
		scene_end(&s);
	}
	scene_begin(&s);
	denies(&s, 5, 180);
	judge_verdict(s.j, &s.facts, &s.v);
	assert_near(exp(s.v.metric[METRIC_DENY_DOWN].ln_e), 51.798224, 1e-6);
	assert_num(s.v.outcome, VERDICT_INCONCLUSIVE);
	scene_end(&s);
}

static void observed_denies_are_only_reported(void **state)
{
	struct scene s;

	(void)state;
	set_denies(DENY_OBSERVE, (struct deny_plan){0});
	scene_begin(&s);
	denies(&s, 900, 180);
	assert_verdict(&s, VERDICT_PASS, "evidence");
	assert_num(s.v.canary.deny, 900);
	scene_end(&s);
	set_denies(DENY_STEADY, (struct deny_plan){0});
}

static void planned_denies_may_rise_as_far_as_planned(void **state)
{
	struct deny_plan plan = {.predicted = (350.0 / 9650) / (200.0 / 9800)};
	struct scene s;

	(void)state;
	set_denies(DENY_PLANNED, plan);
	scene_begin(&s);
	denies(&s, 50, 180);
	assert_verdict(&s, VERDICT_PASS, "evidence");
	assert_near(exp(s.v.metric[METRIC_DENY_UP].ln_e), 0.277519, 2e-6);
	scene_end(&s);
	scene_begin(&s);
	denies(&s, 80, 180);
	assert_verdict(&s, VERDICT_FAIL, "deny_up");
	scene_end(&s);
	set_denies(DENY_STEADY, (struct deny_plan){0});
}

/* 180 of 9,000 denied on stable; old and new rules deny on the canary. */
static void new_denies(struct scene *s, uint64_t old, uint64_t by_new)
{
	struct decision_counts c = counts(1000, 0, 0, old + by_new);

	c.deny_new = by_new;
	window_of(s, 0, c, counts(9000, 0, 0, 180));
}

static void new_rules_deny_as_planned_and_old_ones_stay_steady(void **state)
{
	static const struct {
		uint64_t old, by_new;
		enum verdict_outcome outcome;
		const char *why;
	} rows[] = {
		{20, 50, VERDICT_PASS, "evidence"},
		{20, 120, VERDICT_FAIL, "deny_up"}, /* more than planned */
		{60, 50, VERDICT_FAIL, "deny_up"},  /* collateral damage */
		{1, 50, VERDICT_FAIL, "deny_down"}, /* hidden by new ones */
		{20, 0, VERDICT_PASS, "evidence"},
	};
	struct deny_plan plan = {.predicted = 1, .new_rate = 0.05};
	struct scene s;

	(void)state;
	assert_ok(deny_plan_check(&plan, &err), &err);
	set_denies(DENY_PLANNED, plan);
	for (size_t i = 0; i < COUNT(rows); i++) {
		scene_begin(&s);
		new_denies(&s, rows[i].old, rows[i].by_new);
		assert_verdict(&s, rows[i].outcome, rows[i].why);
		assert_num(s.v.canary.deny_new, rows[i].by_new);
		scene_end(&s);
	}
	/* Without a plan for them they are denies like others. */
	set_denies(DENY_STEADY, plan);
	scene_begin(&s);
	new_denies(&s, 1, 19);
	assert_verdict(&s, VERDICT_PASS, "evidence");
	new_denies(&s, 20, 50);
	assert_verdict(&s, VERDICT_FAIL, "deny_up");
	scene_end(&s);
	set_denies(DENY_STEADY, (struct deny_plan){0});
	plan.new_rate = 1;
	assert_fails(deny_plan_check(&plan, &err), &err, E_INVALID,
		"denies by new rules is 1, must be 0 to 1");
}

static void a_plan_ends_with_its_expiry(void **state)
{
	struct deny_plan plan = {.predicted = 1,
		.max_up = 4,
		.ticket = STR("POL-7"),
		.expires_ns = 2 * MINUTE};
	struct scene s;

	(void)state;
	assert_ok(deny_plan_check(&plan, &err), &err);
	set_denies(DENY_PLANNED, plan);
	scene_begin(&s);
	denies(&s, 50, 180);
	judge_verdict(s.j, &s.facts, &s.v);
	assert_num(s.v.outcome, VERDICT_PASS);
	scene_end(&s);
	plan.expires_ns = MINUTE; /* when the window ends */
	set_denies(DENY_PLANNED, plan);
	scene_begin(&s);
	denies(&s, 50, 180);
	assert_verdict(&s, VERDICT_FAIL, "deny_up");
	scene_end(&s);
	set_denies(DENY_STEADY, (struct deny_plan){0});
	plan.expires_ns = 0;
	assert_fails(
		deny_plan_check(&plan, &err), &err, E_INVALID, "has no expiry");
	plan.expires_ns = 1;
	plan.ticket = S("");
	assert_fails(
		deny_plan_check(&plan, &err), &err, E_INVALID, "has no ticket");
	plan.predicted = NAN;
	assert_fails(deny_plan_check(&plan, &err), &err, E_INVALID,
		"must be above 0");
}

/* --- what is not known never reads as good -------------------------------- */

static void a_refused_activation_fails_first(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	clean(&s, 9);
	s.targets[1].activation_error = S("digest mismatch");
	assert_verdict(&s, VERDICT_FAIL, "activation");
	assert_string_equal(
		s.v.reason, "FAIL(activation): c2 refused it: digest mismatch");
	scene_end(&s);
}

static void states_of_targets_follow_polls_and_events(void **state)
{
	struct scene s;
	struct target_facts t;
	int64_t now = 100 * MINUTE;

	(void)state;
	scene_begin(&s);
	t = s.targets[0];
	assert_num(target_state(&t, now), TARGET_REPORTING);
	t.last_event_ns = now - 4 * MINUTE;
	assert_num(target_state(&t, now), TARGET_QUIET);
	t.events_per_s = 0.01; /* 1.8 expected: a quiet night */
	assert_num(target_state(&t, now), TARGET_REPORTING);
	t.last_poll_ns = now - 4 * MINUTE;
	assert_num(target_state(&t, now), TARGET_WAITING);
	t.events_per_s = 1;
	assert_num(target_state(&t, now), TARGET_SILENT);
	t = s.targets[0];
	t.on_candidate = false;
	t.offered_ns = now - 3 * MINUTE;
	assert_num(target_state(&t, now), TARGET_WAITING);
	t.offered_ns--;
	assert_num(target_state(&t, now), TARGET_STALE);
	scene_end(&s);
}

static void silence_is_inconclusive(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	clean(&s, 9);
	s.targets[1].last_poll_ns = s.targets[1].last_event_ns = 1;
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "silent");
	assert_num(s.v.nsilent, 1);
	assert_num(s.v.silent[0], 1);
	/* Evidence of harm does not wait for anybody. */
	errors(&s, 50, 100, 0, 900);
	assert_verdict(&s, VERDICT_FAIL, "error");
	scene_end(&s);
}

static void missing_events_are_no_missing_errors(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	clean(&s, 9);
	s.targets[1].received = 940;
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "coverage");
	assert_num(s.v.nmissing, 1);
	assert_non_null(strstr(s.v.reason, "first c2"));
	s.targets[1].received = 960;
	assert_verdict(&s, VERDICT_PASS, "evidence");
	s.targets[1].counts_requests = false;
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "coverage");
	s.targets[1].counts_requests = true;
	s.targets[0].dropped = 101;
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "coverage");
	scene_end(&s);
}

static void a_path_that_falls_silent_on_the_canary_is_no_pass(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	clean(&s, 9);
	window_of(&s, 1, counts(0, 0, 0, 0), counts(900, 0, 0, 0));
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "coverage");
	assert_non_null(strstr(s.v.reason, "authz/admin"));
	scene_end(&s);
}

static void unattributed_events_are_counted(void **state)
{
	struct scene s;
	struct canary_window w = {.unattributed = 92};

	(void)state;
	scene_begin(&s);
	clean(&s, 9);
	judge_window(s.j, &w); /* 92 of 9,092 */
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "coverage");
	assert_non_null(strstr(s.v.reason, "name no revision"));
	scene_end(&s);
}

static void volume_outside_its_band_is_inconclusive(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	clean(&s, 9);
	s.facts.usual_share = 0.1;
	assert_verdict(&s, VERDICT_PASS, "evidence");
	s.facts.usual_share = 0.21;
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "volume");
	s.facts.usual_share = 0.049;
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "volume");
	scene_end(&s);
}

static void a_short_bake_is_inconclusive(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	clean(&s, 9);
	s.facts.bake_ns = 14 * MINUTE;
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "counts");
	assert_string_equal(
		s.v.reason, "INCONCLUSIVE(counts): baked 14 of 15 minutes");
	scene_end(&s);
}

static void an_old_canary_decision_is_no_pass(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	clean(&s, 9);
	/* The newest is of minute 99; two log periods and a window: 80 s. */
	s.facts.now_ns = 99 * MINUTE + 80 * NS_PER_S;
	assert_verdict(&s, VERDICT_PASS, "evidence");
	s.facts.now_ns++;
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "stale");
	assert_string_equal(s.v.reason,
		"INCONCLUSIVE(stale): the newest canary "
		"decision is 80 s old, limit 80 s");
	/* A FAIL is none the less one. */
	errors(&s, 50, 100, 0, 900);
	assert_verdict(&s, VERDICT_FAIL, "error");
	scene_end(&s);
}

static void without_the_time_of_a_decision_nothing_passes(void **state)
{
	struct window_row rows[] = {
		{.canary = true, .k = counts(10000, 0, 0, 0)},
		{.target = 2, .k = counts(10000, 0, 0, 0)}};
	struct canary_window w = {.rows = rows, .nrows = 2};
	struct scene s;

	(void)state;
	scene_begin(&s);
	clean(&s, 9);
	judge_step(s.j); /* what the last step heard does not count */
	judge_window(s.j, &w);
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "stale");
	scene_end(&s);
}

static void late_decisions_are_missing_ones(void **state)
{
	struct canary_window w = {.late = 400, .overflow = 73, .racing = 9000};
	struct scene s;

	(void)state;
	scene_begin(&s);
	clean(&s, 9);
	judge_window(s.j, &w); /* 473 of 9,473 */
	assert_verdict(&s, VERDICT_PASS, "evidence");
	w = (struct canary_window){.late = 1};
	judge_window(s.j, &w);
	assert_verdict(&s, VERDICT_INCONCLUSIVE, "coverage");
	assert_num(s.v.late, 401);
	assert_num(s.v.overflow, 73);
	judge_step(s.j);
	judge_verdict(s.j, &s.facts, &s.v);
	assert_num(s.v.late, 0);
	scene_end(&s);
}

/* --- is it the host? ------------------------------------------------------ */

/* One window of both canaries, 100 decisions each, against 1,000. */
static void two_tempered(
	struct scene *s, uint64_t x1, uint64_t x2, bool duplicates)
{
	struct window_row rows[] = {
		{.target = 0,
			.canary = true,
			.duplicates = duplicates,
			.k = counts(100, x1, 0, 0)},
		{.target = 1, .canary = true, .k = counts(100, x2, 0, 0)},
		{.target = 2, .k = counts(1000, 5, 0, 0)},
	};
	struct canary_window w = {
		.end_ns = 1, .newest_ns = 1, .rows = rows, .nrows = 3};

	judge_window(s->j, &w);
}

static void two_canaries(struct scene *s, uint64_t x1, uint64_t x2)
{
	two_tempered(s, x1, x2, false);
}

static void errors_of_one_host_are_said_to_be(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	two_canaries(&s, 0, 1);
	two_canaries(&s, 0, 20);
	assert_verdict(&s, VERDICT_FAIL, "error");
	assert_true(s.v.without.known && s.v.without.concentrated);
	assert_num(s.v.worst_target, 1);
	assert_non_null(strstr(s.v.reason, "needed; concentrated on c2"));
	/* It stays what it was when it failed. */
	two_canaries(&s, 90, 0);
	assert_verdict(&s, VERDICT_FAIL, "error");
	assert_non_null(strstr(s.v.reason, "needed; concentrated on c2"));
	scene_end(&s);
}

static void errors_of_all_hosts_are_not_concentrated(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	two_canaries(&s, 20, 22);
	assert_verdict(&s, VERDICT_FAIL, "error");
	assert_true(s.v.without.known && !s.v.without.concentrated);
	assert_num(s.v.without.target, 1);
	assert_null(strstr(s.v.reason, "concentrated"));
	scene_end(&s);
}

/* 8 of 100 fail by themselves, but not as half as much evidence. */
static void without_the_worst_what_was_tempered_stays_so(void **state)
{
	struct scene s;

	(void)state;
	for (int tempered = 0; tempered < 2; tempered++) {
		scene_begin(&s);
		two_tempered(&s, 8, 60, tempered);
		assert_verdict(&s, VERDICT_FAIL, "error");
		assert_num(s.v.without.concentrated, tempered);
		scene_end(&s);
	}
}

static void a_single_canary_leaves_the_question_open(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	errors(&s, 20, 100, 0, 900);
	assert_verdict(&s, VERDICT_FAIL, "error");
	assert_false(s.v.without.known);
	assert_num(s.v.worst_target, 0);
	scene_end(&s);
}

static void fewer_denies_can_be_one_hosts_too(void **state)
{
	struct window_row rows[] = {
		{.target = 0, .canary = true, .k = counts(5000, 0, 0, 100)},
		{.target = 1, .canary = true, .k = counts(5000, 0, 0, 0)},
		{.target = 2, .k = counts(90000, 0, 0, 1800)},
	};
	struct canary_window w = {.rows = rows, .nrows = 3};
	struct scene s;

	(void)state;
	scene_begin(&s);
	judge_window(s.j, &w);
	assert_verdict(&s, VERDICT_FAIL, "deny_down");
	assert_true(s.v.without.concentrated);
	assert_num(s.v.without.target, 1);
	scene_end(&s);
}

/* A row takes 16 bytes; 64 MiB are 41.9 windows. */
static void a_history_over_its_limit_leaves_the_question_open(void **state)
{
	enum {
		ROWS = 100000,
	};
	struct window_row *rows = calloc(ROWS, sizeof(*rows));
	struct canary_window w = {.rows = rows, .nrows = ROWS};

	(void)state;
	for (uint32_t i = 0; i < ROWS; i++)
		rows[i] = (struct window_row){.target = i % 2,
			.stratum = 1,
			.canary = true,
			.k = {.n = UINT64_C(1) << 49}};
	for (int windows = 41; windows <= 42; windows++) {
		struct scene s;

		scene_begin(&s);
		for (int i = 0; i < windows; i++)
			judge_window(s.j, &w);
		two_canaries(&s, 20, 20);
		assert_verdict(&s, VERDICT_FAIL, "error");
		assert_num(s.v.without.known, windows == 41);
		scene_end(&s);
	}
	free(rows);
}

static void cells_over_their_limit_leave_no_interval(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (uint32_t i = 0; i < LIMIT_JUDGE_CELLS; i++)
		errors(&s, 0, 5, 1, 5);
	assert_num(s.j->cells[METRIC_ERROR].len, LIMIT_JUDGE_CELLS);
	assert_false(s.j->cells[METRIC_ERROR].full);
	errors(&s, 0, 5, 1, 5);
	errors(&s, 0, 5, 1, 5);
	assert_true(s.j->cells[METRIC_ERROR].full);
	assert_null(s.j->cells[METRIC_ERROR].items);
	s.facts.intervals = true;
	judge_verdict(s.j, &s.facts, &s.v);
	assert_true(s.v.metric[METRIC_ERROR].odds.low <= 0);
	assert_true(isinf(s.v.metric[METRIC_ERROR].odds.high));
	scene_end(&s);
}

/* --- before the start, and the record ------------------------------------- */

static void a_group_that_differs_already_is_found(void **state)
{
	struct scene s;
	enum canary_metric m = METRIC_SLOW;

	(void)state;
	scene_begin(&s);
	clean(&s, 9);
	assert_near(judge_preflight(s.j, &m), 1, 0);
	denies(&s, 5, 180);
	assert_true(judge_preflight(s.j, &m) >= 20);
	assert_num(m, METRIC_DENY_DOWN);
	scene_end(&s);
}

static void time_to_a_verdict_is_told_before(void **state)
{
	const struct verdict_config *c = &verdict_defaults;

	(void)state;
	assert_num(verdict_minutes(c, 100, 900, 0, 0, 60), 9);
	assert_num(verdict_minutes(c, 40, 360, 0, 15, 60), 21);
	assert_num(verdict_minutes(c, 100, 900, 0, 15, 60), 15);
	double busy = verdict_minutes(c, 100, 900, 0.01, 0, 60);

	assert_true(busy >= 11 && busy <= 17); /* median 14 by simulation */
	assert_true(isinf(verdict_minutes(c, 1, 9, 0, 15, 60)));
	assert_num(verdict_min_bake(MINUTE, 2 * MINUTE, 10 * MINUTE, MINUTE),
		13 * MINUTE);
}

static void the_record_is_json_with_every_number(void **state)
{
	static const struct str ids[] = {STR("d-1"), STR("d-2")};
	struct buf out = {0};
	struct str doc, got;
	struct scene s;

	(void)state;
	scene_begin(&s);
	errors(&s, 30, 1000, 90, 9000);
	s.facts.intervals = true;
	s.facts.latency = (struct mann_whitney){.pairs = 9000000,
		.effect = 0.75,
		.z = 4.5,
		.p = 0.001,
		.high = true};
	s.facts.samples = ids;
	s.facts.nsamples = 2;
	s.facts.step_ns = 80 * MINUTE;
	s.facts.max_bake_ns = 60 * MINUTE;
	assert_verdict(&s, VERDICT_FAIL, "error");
	verdict_write(&out, &s.v, &verdict_defaults, strata, s.targets);
	assert_ok(
		json_check(buf_str(&out), &(struct json_limits){0}, &doc, &err),
		&err);
	assert_true(json_at(doc, S("/metrics/error/ln_evidence"), &got));
	assert_str(got, "5.93222918");
	assert_true(json_at(doc, S("/metrics/error/odds_ratio"), &got));
	assert_str(got, "[1.28628148,6.55607921]");
	assert_true(json_at(doc, S("/metrics/slow/odds_ratio"), &got));
	assert_str(got, "[0,null]");
	assert_true(json_at(doc, S("/metrics/error/canary"), &got));
	assert_str(got, "{\"count\":30,\"of\":1000,\"rate\":0.03,"
			"\"rate_interval\":[0.0210937388,0.0425034141]}");
	assert_true(
		json_at(doc, S("/metrics/error/stratified_odds_ratio"), &got));
	assert_str(got, "3.06185567"); /* 30 x 8910 / 970 / 90 */
	assert_true(json_at(doc, S("/metrics/error/likely_worse"), &got));
	assert_str(got, "0.999999391");
	assert_true(json_at(doc, S("/metrics/undefined/likely_worse"), &got));
	assert_str(got, "null");
	assert_true(json_at(
		doc, S("/metrics/undefined/stratified_odds_ratio"), &got));
	assert_str(got, "null"); /* nothing was undefined */
	assert_true(json_at(doc, S("/metrics/ceiling/likely_worse"), &got));
	assert_str(got, "null");
	assert_true(json_at(doc, S("/metrics/slow/latency"), &got));
	assert_str(got, "{\"slower\":0.75,\"z\":4.5,\"p\":0.001,"
			"\"high\":true}");
	assert_true(json_at(doc, S("/worst_target"), &got));
	assert_str(got, "\"c1\"");
	assert_true(json_at(doc, S("/samples"), &got));
	assert_str(got, "[\"d-1\",\"d-2\"]");
	assert_true(json_at(doc, S("/time"), &got));
	assert_str(got, "\"1970-01-01T01:40:00Z\"");
	assert_true(json_at(doc, S("/step_began"), &got));
	assert_str(got, "\"1970-01-01T01:20:00Z\"");
	assert_true(json_at(doc, S("/newest_decision"), &got));
	assert_str(got, "\"1970-01-01T01:39:00Z\"");
	assert_true(json_at(doc, S("/min_bake_seconds"), &got));
	assert_str(got, "900");
	assert_true(json_at(doc, S("/max_bake_seconds"), &got));
	assert_str(got, "3600");
	assert_null(strstr(out.ptr, "nan"));
	assert_null(strstr(out.ptr, "inf\""));
	buf_release(&out);
	scene_end(&s);
}

static void nothing_at_all_gives_a_record_too(void **state)
{
	struct judge *j = judge_new(&verdict_defaults, NULL, 0, 0);
	struct verdict_facts f = {.intervals = true};
	struct buf out = {0};
	struct verdict v;
	struct str doc;

	(void)state;
	judge_step(j);
	judge_verdict(j, &f, &v);
	assert_num(v.outcome, VERDICT_INCONCLUSIVE);
	verdict_write(&out, &v, &verdict_defaults, NULL, NULL);
	assert_ok(
		json_check(buf_str(&out), &(struct json_limits){0}, &doc, &err),
		&err);
	assert_null(strstr(out.ptr, "nan"));
	buf_release(&out);
	judge_free(j);
}

/* The worked example of a canary that serves the path that errs more. */
static void the_odds_ratio_for_people_is_within_strata(void **state)
{
	struct metric_verdict *m;
	struct scene s;

	(void)state;
	scene_begin(&s);
	s.facts.intervals = true;
	window_of(&s, 0, counts(200, 2, 0, 0), counts(8000, 80, 0, 0));
	window_of(&s, 1, counts(800, 80, 0, 0), counts(2000, 200, 0, 0));
	judge_verdict(s.j, &s.facts, &s.v);
	m = &s.v.metric[METRIC_ERROR];
	assert_near(m->inside.odds_ratio, 1, 1e-12);
	assert_near(m->inside.chi2, 0, 0);
	assert_near(m->difference, 0, 1e-12);
	/* That of the totals says otherwise, and decides nothing. */
	assert_true(m->likely_worse > 0.999);
	assert_true(m->newcombe.low > 0.03);
	assert_true(m->ln_e < 0);
	scene_end(&s);
}

/* Fewer denies is the worse side of deny_down; unasked nothing is computed. */
static void the_chance_of_worse_has_the_metrics_side(void **state)
{
	struct scene s;
	const struct metric_verdict *m = s.v.metric;

	(void)state;
	scene_begin(&s);
	denies(&s, 10, 180);
	judge_verdict(s.j, &s.facts, &s.v);
	assert_near(m[METRIC_DENY_UP].likely_worse, VERDICT_UNKNOWN, 0);
	s.facts.intervals = true;
	judge_verdict(s.j, &s.facts, &s.v);
	assert_near(m[METRIC_DENY_UP].likely_worse +
			    m[METRIC_DENY_DOWN].likely_worse,
		1, 1e-9);
	assert_true(m[METRIC_DENY_DOWN].likely_worse > 0.95);
	assert_near(m[METRIC_CEILING].likely_worse, VERDICT_UNKNOWN, 0);
	scene_end(&s);
}

static void order_of_windows_does_not_matter(void **state)
{
	static const uint64_t x[][4] = {
		{3, 100, 9, 900}, {4, 120, 8, 800}, {0, 50, 2, 700}};
	struct scene a, b;

	(void)state;
	scene_begin(&a);
	scene_begin(&b);
	for (size_t i = 0; i < COUNT(x); i++) {
		const uint64_t *r = x[COUNT(x) - 1 - i];

		errors(&a, x[i][0], x[i][1], x[i][2], x[i][3]);
		errors(&b, r[0], r[1], r[2], r[3]);
	}
	judge_verdict(a.j, &a.facts, &a.v);
	judge_verdict(b.j, &b.facts, &b.v);
	assert_near(a.v.metric[METRIC_ERROR].ln_e,
		b.v.metric[METRIC_ERROR].ln_e, 1e-12);
	assert_string_equal(a.v.reason, b.v.reason);
	scene_end(&a);
	scene_end(&b);
}

/* --- one look -------------------------------------------------------------
 */

/* Of errors alone; everything else is as quiet on both arms. */
static struct one_look look_at(
	uint64_t xc, uint64_t nc, uint64_t xb, uint64_t nb)
{
	struct one_look k = {.gate_why = "evidence", .gate_reason = ""};

	for (int m = 0; m < METRICS; m++)
		k.total[m] = (struct cell){{0, nc}, {0, nb}};
	k.error = k.undefined = k.total[0];
	k.error.c.x = xc;
	k.error.b.x = xb;
	k.total[METRIC_ERROR] = k.error;
	k.total[METRIC_CEILING].c = k.error.c;
	k.difference[METRIC_ERROR] =
		(double)xc / (double)nc - (double)xb / (double)nb;
	return k;
}

static struct one_verdict once(struct one_look k)
{
	struct one_verdict v;

	verdict_once(&verdict_defaults, &k, &v);
	return v;
}

/* Expected values are sums of exact fractions. */
static void one_look_goes_by_exact_tests(void **state)
{
	struct one_verdict v = once(look_at(12, 1000, 40, 9000));

	(void)state;
	assert_string_equal(v.worse[METRIC_ERROR].test, "fisher");
	assert_near(v.worse[METRIC_ERROR].p, 0.004429912314807172, 1e-9);
	assert_near(v.worse[METRIC_ERROR].level, 0.004, 1e-9);
	assert_false(v.worse[METRIC_ERROR].fails);
	assert_int_equal(v.outcome, VERDICT_INCONCLUSIVE);
	v = once(look_at(3, 12, 0, 48));
	assert_string_equal(v.worse[METRIC_ERROR].test, "boschloo");
	assert_near(v.worse[METRIC_ERROR].p, 0.003288144, 1e-4);
	v = once(look_at(10, 40, 40, 160));
	assert_string_equal(v.worse[METRIC_CEILING].test, "binomial");
	assert_near(v.worse[METRIC_CEILING].p, 2.0683305412185263e-05, 1e-6);
	assert_string_equal(v.why, "ceiling");
	v = once(look_at(4, 1000, 90, 9000));
	assert_near(v.good_error, 2 * 5.9757698928985824e-05, 1e-6);
	assert_near(v.good_undefined, 2 * 0.006653968578831948, 1e-6);
	assert_int_equal(v.outcome, VERDICT_PASS);
	/* Clopper, Pearson; of none 1 - 0.05^(1/1000) */
	assert_near(v.error_rate.low, 0.0010909, 1e-4);
	assert_near(v.error_rate.high, 0.0102097, 1e-4);
	assert_near(v.undefined_rate.low, 0, 0);
	assert_near(v.undefined_rate.high, 0.002991250, 1e-6);
	v = once(look_at(20, 1000, 90, 9000));
	assert_near(v.good_error, 1, 1e-6);
	assert_int_equal(v.outcome, VERDICT_INCONCLUSIVE);
}

static void one_look_fails_what_is_worse_and_names_it(void **state)
{
	struct one_verdict v = once(look_at(30, 1000, 90, 9000));
	struct one_look k = look_at(0, 1000, 0, 9000);

	(void)state;
	assert_int_equal(v.outcome, VERDICT_FAIL);
	assert_string_equal(v.why, "error");
	assert_non_null(strstr(v.reason, "30 of 1000 on the canary"));
	k.total[METRIC_DENY_DOWN] = (struct cell){{2, 1000}, {180, 9000}};
	k.difference[METRIC_DENY_DOWN] = -0.018;
	assert_string_equal(once(k).why, "deny_down");
	k.planned_denies = true;
	assert_int_equal(once(k).outcome, VERDICT_PASS);
	/* A mix of paths is no difference: inside of them there is none. */
	k = look_at(82, 1000, 280, 10000);
	k.difference[METRIC_ERROR] = 0;
	k.total[METRIC_CEILING].c.x = 0;
	assert_int_not_equal(once(k).outcome, VERDICT_FAIL);
}

static void one_look_passes_nothing_that_lacks_something(void **state)
{
	static const char *const gates[] = {
		"silent", "coverage", "volume", "counts", "stale"};
	struct one_look k = look_at(0, 1000, 0, 9000);

	(void)state;
	assert_int_equal(once(k).outcome, VERDICT_PASS);
	k.gate_reason = "why";
	for (size_t i = 0; i < COUNT(gates); i++) {
		k.gate_why = gates[i];
		assert_int_equal(once(k).outcome, VERDICT_INCONCLUSIVE);
		assert_string_equal(once(k).reason, "why");
	}
	k.gate = VERDICT_FAIL;
	k.gate_why = "activation";
	assert_int_equal(once(k).outcome, VERDICT_FAIL);
	k.gate_why = "error"; /* by evidence: it is looked at once more */
	assert_int_equal(once(k).outcome, VERDICT_PASS);
	assert_int_equal(
		once(look_at(0, 0, 0, 0)).outcome, VERDICT_INCONCLUSIVE);
}

/* Of two versions that are the same hardly any is failed at one look. */
static void one_look_keeps_its_level(void **state)
{
	uint64_t seed = 88172645463325252u;
	unsigned failed = 0, passed = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		uint64_t x[2] = {0, 0};

		for (int n = 0; n < 10000; n++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			x[n >= 1000] += seed % 1000 < 5;
		}
		struct one_verdict v = once(look_at(x[0], 1000, x[1], 9000));

		failed += v.outcome == VERDICT_FAIL;
		passed += v.outcome == VERDICT_PASS;
	}
	assert_true(failed <= 2000 * 0.004 * 2);
	assert_true(passed > 200);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nine_clean_windows_pass_and_eight_do_not),
		cmocka_unit_test(errors_fail_at_once_and_for_good),
		cmocka_unit_test(the_worked_examples_end_as_written),
		cmocka_unit_test(traffic_mix_is_no_failure_inside_strata),
		cmocka_unit_test(a_canary_with_easy_traffic_still_fails),
		cmocka_unit_test(a_tiny_difference_is_no_failure),
		cmocka_unit_test(the_ceiling_needs_no_baseline),
		cmocka_unit_test(
			a_first_release_passes_by_absolute_limits_and_says_so),
		cmocka_unit_test(undefined_fails_by_itself),
		cmocka_unit_test(slow_is_judged_of_what_was_timed),
		cmocka_unit_test(denies_stay_steady_in_both_directions),
		cmocka_unit_test(observed_denies_are_only_reported),
		cmocka_unit_test(planned_denies_may_rise_as_far_as_planned),
		cmocka_unit_test(
			new_rules_deny_as_planned_and_old_ones_stay_steady),
		cmocka_unit_test(a_plan_ends_with_its_expiry),
		cmocka_unit_test(a_refused_activation_fails_first),
		cmocka_unit_test(states_of_targets_follow_polls_and_events),
		cmocka_unit_test(silence_is_inconclusive),
		cmocka_unit_test(missing_events_are_no_missing_errors),
		cmocka_unit_test(
			a_path_that_falls_silent_on_the_canary_is_no_pass),
		cmocka_unit_test(unattributed_events_are_counted),
		cmocka_unit_test(volume_outside_its_band_is_inconclusive),
		cmocka_unit_test(a_short_bake_is_inconclusive),
		cmocka_unit_test(an_old_canary_decision_is_no_pass),
		cmocka_unit_test(without_the_time_of_a_decision_nothing_passes),
		cmocka_unit_test(late_decisions_are_missing_ones),
		cmocka_unit_test(errors_of_one_host_are_said_to_be),
		cmocka_unit_test(errors_of_all_hosts_are_not_concentrated),
		cmocka_unit_test(without_the_worst_what_was_tempered_stays_so),
		cmocka_unit_test(a_single_canary_leaves_the_question_open),
		cmocka_unit_test(fewer_denies_can_be_one_hosts_too),
		cmocka_unit_test(
			a_history_over_its_limit_leaves_the_question_open),
		cmocka_unit_test(cells_over_their_limit_leave_no_interval),
		cmocka_unit_test(a_group_that_differs_already_is_found),
		cmocka_unit_test(time_to_a_verdict_is_told_before),
		cmocka_unit_test(the_record_is_json_with_every_number),
		cmocka_unit_test(nothing_at_all_gives_a_record_too),
		cmocka_unit_test(the_odds_ratio_for_people_is_within_strata),
		cmocka_unit_test(the_chance_of_worse_has_the_metrics_side),
		cmocka_unit_test(order_of_windows_does_not_matter),
		cmocka_unit_test(one_look_goes_by_exact_tests),
		cmocka_unit_test(one_look_fails_what_is_worse_and_names_it),
		cmocka_unit_test(one_look_passes_nothing_that_lacks_something),
		cmocka_unit_test(one_look_keeps_its_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
