/* A rollout from its start to its end, by itself, with a fleet that acts. */
#include "tests/rollout_site.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* --- good and bad versions ------------------------------------------------ */

static void a_good_version_reaches_all_rings_by_itself(void **state)
{
	struct channel c;

	(void)state;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_BAKING, 5);
	c = site_channel("p");
	assert_num(c.ntargets, CANARIES);
	assert_str(c.ring_name, "canary");
	UNTIL(CHANNEL_FLEET_BAKE, 60);
	c = site_channel("p");
	assert_str(c.stable.revision, "v2");
	assert_str(c.last_good.revision, "v1");
	assert_num(c.ntargets, 1);
	UNTIL(CHANNEL_SUCCEEDED, 30);
	c = site_channel("p");
	assert_str(c.last_good.revision, "v2");
	fleet_minutes(1);
	for (unsigned i = 0; i < AGENTS; i++)
		assert_string_equal(fleet.agents[i].revision, "v2");
	site_verify(site.state);
}

/* On the canary, and nobody else ever had it. */
static void fails_on_the_canary(const char *why)
{
	struct channel c;
	struct ledger_line *lines;
	size_t n;

	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_ROLLING_BACK, 30);
	c = site_channel("p");
	assert_num(c.ring, 1);
	assert_str(c.stable.revision, "v1");
	assert_true(channel_quarantined(&c, S("v2")));
	assert_ok(ledger_newest(site.state, S("p"), 1, &site.arena, &lines, &n,
			  &site.err),
		&site.err);
	assert_true(str_starts(lines[0].event.why, str_from(why)));
	assert_str(lines[0].event.who, ROLLOUT_WHO);
	UNTIL(CHANNEL_ROLLED_BACK, 10);
	for (unsigned i = 0; i < AGENTS; i++)
		assert_string_equal(fleet.agents[i].revision, "v1");
	site_verify(site.state);
}

static void errors_are_found_on_the_canary(void **state)
{
	static const struct behaviour bad[] = {{"v2", 30, 0, 100}, {0}};

	(void)state;
	fleet.behaviour = bad;
	fails_on_the_canary("FAIL(error): ");
}

static struct rollout_again again(
	int64_t rollout, const char *stable, const char *yaml, uint64_t end)
{
	struct rollout_record r;
	struct rollout_past p = {.bundle = S("p"),
		.stable = str_from(stable),
		.record = &r,
		.end_event = end};
	struct rollout_again a;
	struct target *targets;

	assert_ok(rollout_read(site.state, S("p"), rollout, &site.arena, &r,
			  &site.err),
		&site.err);
	p.release = yaml ? fleet_release(yaml) : r.release;
	assert_ok(state_targets(site.state, S("p"), &site.arena, &targets,
			  &p.ntargets, &site.err),
		&site.err);
	p.targets = targets;
	assert_ok(rollout_judge_again(&p, fleet.log, &a, &site.err), &site.err);
	return a;
}

static uint64_t log_end(void)
{
	uint64_t end;

	assert_ok(decisions_end(fleet.log, &end, &site.err), &site.err);
	return end;
}

/* v2 is good, v3 errs; and judged once more they are so again. */
static void what_was_judged_is_judged_the_same_from_the_log(void **state)
{
	static const struct behaviour bad[] = {{"v3", 30, 0, 100}, {0}};
	struct rollout_again a;
	uint64_t between;
	int64_t good;

	(void)state;
	fleet.behaviour = bad;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_SUCCEEDED, 100);
	good = site_channel("p").rollout;
	between = log_end();
	fleet_start(PLAN, "v3");
	UNTIL(CHANNEL_ROLLED_BACK, 50);
	int64_t generation = site_channel("p").generation;

	a = again(good, "v1", NULL, between);
	assert_num(a.failed_ns, 0);
	assert_true(a.passed >= 2 && a.events > 1000);
	a = again(good + 1, "v2", NULL, log_end());
	assert_num(a.outcome, VERDICT_FAIL);
	assert_true(str_starts(str_from(a.reason), S("FAIL(error): ")));
	assert_num(a.passed, 0);
	assert_true(a.failed_ns > 0);
	/* Whoever tolerates that much has no FAIL by comparison. */
	a = again(good + 1, "v2",
		PLAN "  verdict: {worse_than: 10000, error_ceiling: 99%}\n",
		log_end());
	assert_num(a.failed_ns, 0);
	assert_num(site_channel("p").generation, generation);
	site_verify(site.state);
}

static void undefined_decisions_are_found_on_the_canary(void **state)
{
	static const struct behaviour bad[] = {{"v2", 0, 50, 100}, {0}};

	(void)state;
	fleet.behaviour = bad;
	fails_on_the_canary("FAIL(undefined): ");
}

static void more_denies_are_found_on_the_canary(void **state)
{
	static const struct behaviour bad[] = {{"v2", 0, 0, 300}, {0}};

	(void)state;
	fleet.behaviour = bad;
	fails_on_the_canary("FAIL(deny_up): ");
}

static void denies_that_are_gone_are_found_on_the_canary(void **state)
{
	static const struct behaviour bad[] = {{"v2", 0, 0, 10}, {0}};

	(void)state;
	fleet.behaviour = bad;
	fails_on_the_canary("FAIL(deny_down): ");
}

static void what_an_agent_refuses_goes_back_at_once(void **state)
{
	(void)state;
	fleet.agents[1].refuses = true;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_ROLLING_BACK, 3);
	UNTIL(CHANNEL_ROLLED_BACK, 3);
	fleet_tick();
	if (!strstr(fleet.notice, "\"rolled-back\""))
		fail_msg("%s", fleet.notice);
}

static void a_fail_can_be_told_to_hold(void **state)
{
	static const struct behaviour bad[] = {{"v2", 100, 0, 100}, {0}};

	(void)state;
	fleet.behaviour = bad;
	fleet_with_v1();
	fleet_start(PLAN "  on_fail: hold\n", "v2");
	UNTIL(CHANNEL_HOLD, 30);
	assert_true(
		str_starts(site_channel("p").hold, S("fail: FAIL(error): ")));
	fleet_minutes(3);
	assert_num(fleet_state(), CHANNEL_HOLD);
}

/* --- what can't be judged ------------------------------------------------- */

static void a_canary_that_falls_silent_is_no_pass(void **state)
{
	(void)state;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_BAKING, 5);
	fleet.agents[0].silent = true;
	UNTIL(CHANNEL_HOLD, 40);
	assert_true(str_starts(site_channel("p").hold, S("silent: ")));
	assert_num(site_channel("p").ring, 1);
}

static void an_agent_that_loses_events_never_passes(void **state)
{
	(void)state;
	fleet_with_v1();
	fleet.agents[2].loses = 5;
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_HOLD, 40);
	assert_true(str_starts(site_channel("p").hold,
		S("inconclusive: INCONCLUSIVE(coverage)")));
	assert_num(site_channel("p").ring, 1);
}

static void a_canary_that_never_takes_it_up_is_held(void **state)
{
	(void)state;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_DISTRIBUTING, 5);
	for (unsigned i = 0; i < CANARIES; i++)
		fleet.agents[i].gone = true;
	UNTIL(CHANNEL_HOLD, 30);
	assert_true(str_starts(site_channel("p").hold, S("silent: ")));
}

static void inconclusive_can_be_told_to_go_back(void **state)
{
	(void)state;
	fleet_with_v1();
	fleet.agents[2].loses = 5;
	fleet_start(PLAN "  on_inconclusive: rollback\n", "v2");
	UNTIL(CHANNEL_ROLLED_BACK, 40);
}

static void inconclusive_can_be_told_to_go_on(void **state)
{
	(void)state;
	fleet_with_v1();
	fleet.agents[2].loses = 5;
	fleet_start(PLAN "  on_inconclusive: promote\n  reason: few events\n",
		"v2");
	UNTIL(CHANNEL_SUCCEEDED, 150);
}

static void harm_in_a_hold_goes_back(void **state)
{
	static const struct behaviour bad[] = {{"v2", 100, 0, 100}, {0}};

	(void)state;
	fleet_with_v1();
	fleet.agents[2].loses = 5;
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_HOLD, 40);
	fleet.behaviour = bad;
	UNTIL(CHANNEL_ROLLED_BACK, 20);
}

/* --- an engine that was away ---------------------------------------------- */

static const char *counts_of(struct str record)
{
	char *s = arena_strdup(&site.arena, record);
	char *from = strstr(s, "\"canary\":"), *to = strstr(s, "\"coverage\"");

	assert_non_null(from);
	assert_non_null(to);
	*to = '\0';
	return from;
}

static void a_new_engine_judges_what_was_stored_as_the_old_one_did(void **state)
{
	static const struct behaviour some[] = {{"v2", 2, 1, 110}, {0}};
	struct channel c;
	struct str record;
	struct buf before = {0}, after = {0}, windows = {0}, again = {0};
	int64_t number;

	(void)state;
	fleet.behaviour = some;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_BAKING, 5);
	fleet_minutes(4);
	c = site_channel("p");
	assert_ok(rollout_verdict(site.state, S("p"), c.rollout, 0, &site.arena,
			  &record, &number, &site.err),
		&site.err);
	buf_adds(&before, counts_of(record));
	assert_ok(rollout_windows(
			  site.state, S("p"), c.rollout, &windows, &site.err),
		&site.err);
	fleet_engine();
	for (int i = 0; i < 4; i++)
		fleet_tick();
	assert_ok(rollout_verdict(site.state, S("p"), c.rollout, 0, &site.arena,
			  &record, &number, &site.err),
		&site.err);
	buf_adds(&after, counts_of(record));
	assert_string_equal(before.ptr, after.ptr);
	assert_ok(rollout_windows(
			  site.state, S("p"), c.rollout, &again, &site.err),
		&site.err);
	assert_string_equal(windows.ptr, again.ptr);
	buf_release(&before);
	buf_release(&after);
	buf_release(&windows);
	buf_release(&again);
}

/* A new one at every step on the way. */
static void an_engine_that_starts_anew_goes_on_in_every_state(void **state)
{
	enum channel_state last = CHANNEL_IDLE, now;
	unsigned restarts = 0;

	(void)state;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	for (int i = 0; i < 600; i++) {
		now = fleet_state();
		if (now == CHANNEL_SUCCEEDED)
			break;
		if (now != last || i % 20 == 0) {
			fleet_engine();
			restarts++;
		}
		last = now;
		fleet_step();
	}
	assert_num(fleet_state(), CHANNEL_SUCCEEDED);
	assert_true(restarts > 10);
	site_verify(site.state);
}

/* Six minutes in which all goes on but the engine. */
static void without_engine(void)
{
	for (int i = 0; i < 6 * 6; i++) {
		fake_clock_advance(&fleet.clock, STEP_S * NS_PER_S);
		site.now = clock_wall(&fleet.clock.clock);
		fleet_act(PER_STEP);
	}
}

static void an_engine_that_stood_still_too_long_holds(void **state)
{
	(void)state;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_BAKING, 5);
	fleet_minutes(2);
	without_engine();
	fleet_step();
	assert_num(fleet_state(), CHANNEL_HOLD);
	assert_true(str_starts(site_channel("p").hold, S("judge-stale: ")));
}

static void an_engine_that_was_away_too_long_holds(void **state)
{
	(void)state;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_BAKING, 5);
	fleet_minutes(2);
	rollout_engine_free(fleet.engine);
	fleet.engine = NULL;
	without_engine();
	fleet_engine();
	fleet_step();
	fleet_step();
	assert_num(fleet_state(), CHANNEL_HOLD);
	assert_true(str_starts(site_channel("p").hold, S("judge-stale: ")));
}

/* From now on every read of the decision log fails; time goes on. */
static enum status blind(unsigned steps)
{
	struct err e = {0};
	enum status st = OK;

	fs_fault_init(&fleet.fault, FS_READ, 1, EIO);
	fleet.fault.sticky = true;
	for (unsigned i = 0; i < steps; i++) {
		fake_clock_advance(&fleet.clock, STEP_S * NS_PER_S);
		site.now = clock_wall(&fleet.clock.clock);
		st = rollout_engine_tick(fleet.engine, &e);
	}
	return st;
}

static void a_log_that_can_not_be_read_holds(void **state)
{
	(void)state;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_BAKING, 5);
	fleet_minutes(1);
	assert_num(blind(29), E_IO);
	assert_num(fleet_state(), CHANNEL_BAKING);
	blind(3);
	assert_num(fleet_state(), CHANNEL_HOLD);
	assert_true(str_starts(site_channel("p").hold, S("judge-stale: ")));
}

static void a_refusal_is_seen_without_the_log(void **state)
{
	struct err e = {0};

	(void)state;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_BAKING, 5);
	for (unsigned i = 0; i < CANARIES; i++) {
		struct agent *a = &fleet.agents[i];
		struct target_poll p = {.bundle = S("p"),
			.id = str_from(a->id),
			.labels = a->labels,
			.nlabels = 2,
			.active = S(""),
			.offered = site_channel("p").candidate.digest};

		target_polled(fleet.book, &p, site.now);
		target_reported(fleet.book,
			&(struct target_report){.bundle = S("p"),
				.id = p.id,
				.revision = S("v1"),
				.error = S("rego_type_error")},
			site.now);
	}
	assert_ok(target_book_flush(fleet.book, site.state, &e), &e);
	blind(1);
	assert_num(fleet_state(), CHANNEL_ROLLING_BACK);
}

static void a_clock_that_jumps_holds(int64_t by)
{
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_BAKING, 5);
	fleet_minutes(3);
	fake_clock_step(&fleet.clock, by);
	fleet_step();
	fleet_step();
	assert_num(fleet_state(), CHANNEL_HOLD);
	assert_true(str_starts(site_channel("p").hold, S("clock: ")));
	assert_num(site_channel("p").ring, 1);
	fleet_minutes(10);
	assert_num(fleet_state(), CHANNEL_HOLD);
	assert_num(site_channel("p").ring, 1);
}

static void a_clock_that_jumps_an_hour_back_holds(void **state)
{
	(void)state;
	a_clock_that_jumps_holds(-HOURS(1));
}

static void a_clock_that_jumps_400_days_ahead_holds(void **state)
{
	(void)state;
	a_clock_that_jumps_holds(HOURS(24 * 400));
}

/* --- people --------------------------------------------------------------- */

static enum status promote_as(
	const char *who, bool force, struct rollout_promoted *out)
{
	struct target *targets;
	size_t n;
	struct err e = {0};
	struct rollout_promote p = {.change = {.bundle = S("p"),
					    .event = {.who = str_from(who),
						    .roles = ROLE_RELEASE,
						    .force = force,
						    .why = S("it looks good")},
					    .now_ns = site.now}};

	assert_ok(state_targets(
			  site.state, S("p"), &site.arena, &targets, &n, &e),
		&e);
	p.fleet = (struct rollout_fleet){targets, NULL, n, site.now};
	memset(&site.err, 0, sizeof(site.err));
	return rollout_promote(site.state, &p, &site.arena, out, &site.err);
}

static void a_gate_waits_for_people(void **state)
{
	struct rollout_promoted out;

	(void)state;
	fleet_with_v1();
	fleet_start("bundle: p\nrollout:\n"
		    "  rings: [{name: canary, select: \"ring=canary\", gate: "
		    "true}, {name: fleet, percent: 100}]\n"
		    "  bake: {min: 5m, max: 20m, fleet: 5m}\n",
		"v2");
	UNTIL(CHANNEL_HOLD, 40);
	assert_true(str_starts(site_channel("p").hold, S("gate: PASS")));
	assert_ok(promote_as("ben", false, &out), &site.err);
	assert_true(out.exposure.all);
	UNTIL(CHANNEL_SUCCEEDED, 40);
}

static void a_bake_is_left_early_with_force_alone(void **state)
{
	struct rollout_promoted out;

	(void)state;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_BAKING, 5);
	assert_fails(promote_as("ben", false, &out), &site.err, E_DENIED,
		"no verdict yet");
	assert_ok(promote_as("ben", true, &out), &site.err);
	assert_num(fleet_state(), CHANNEL_DISTRIBUTING);
	assert_str(site_channel("p").ring_name, "half");
}

/* Who wants it all the same says so by a rollout of its own. */
static void what_failed_is_promoted_by_nobody(void **state)
{
	static const struct behaviour bad[] = {{"v2", 100, 0, 100}, {0}};
	struct rollout_promoted out;

	(void)state;
	fleet.behaviour = bad;
	fleet_with_v1();
	fleet_start(PLAN "  on_fail: hold\n", "v2");
	UNTIL(CHANNEL_HOLD, 30);
	assert_fails(promote_as("ben", false, &out), &site.err, E_CONFLICT,
		"failed for good: FAIL(error): ");
	assert_fails(promote_as("ben", true, &out), &site.err, E_CONFLICT,
		"failed for good");
	SITE_OK("p", .kind = EVENT_ABORT);
	fleet_start(PLAN "  on_fail: hold\n", "v2");
	UNTIL(CHANNEL_BAKING, 5);
	assert_ok(promote_as("ben", true, &out), &site.err);
}

static void two_others_have_to_promote(void **state)
{
	struct rollout_promoted out;

	(void)state;
	fleet_with_v1();
	fleet_start(PLAN "  approvers: 2\n", "v2");
	UNTIL(CHANNEL_BAKING, 5);
	assert_fails(promote_as("ana", true, &out), &site.err, E_DENIED,
		"ana started the rollout");
	assert_ok(promote_as("ben", true, &out), &site.err);
	assert_num(out.approvals, 1);
	assert_num(out.needed, 2);
	assert_num(fleet_state(), CHANNEL_BAKING);
	assert_ok(promote_as("ben", true, &out), &site.err);
	assert_false(out.state.changed);
	assert_num(fleet_state(), CHANNEL_BAKING);
	assert_ok(promote_as("cho", true, &out), &site.err);
	assert_num(fleet_state(), CHANNEL_DISTRIBUTING);
	site_verify(site.state);
}

static void a_hold_is_extended_and_passes_then(void **state)
{
	struct state_change change = {.bundle = S("p")};

	(void)state;
	fleet_with_v1();
	fleet.agents[2].loses = 5;
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_HOLD, 40);
	fleet.agents[2].loses = 0;
	change.event = (struct channel_event){.who = S("ben"),
		.roles = ROLE_ONCALL,
		.why = S("it is mended")};
	change.now_ns = site.now;
	assert_ok(rollout_extend(site.state, &change, 3600 * NS_PER_S,
			  &site.result, &site.err),
		&site.err);
	assert_num(fleet_state(), CHANNEL_BAKING);
	/* Longer than the plan has. */
	fleet_minutes(30);
	assert_true(
		fleet_state() == CHANNEL_BAKING || site_channel("p").ring > 1);
}

static void what_is_frozen_is_held_at_the_end_of_its_bake(void **state)
{
	struct rollout_promoted out;

	(void)state;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_BAKING, 5);
	site.now -= NS_PER_S;
	SITE_OK("p", .kind = EVENT_FREEZE, .scope = FREEZE_ALL,
		.until_ns = site.now + HOURS(5));
	UNTIL(CHANNEL_HOLD, 40);
	assert_true(str_starts(site_channel("p").hold, S("frozen: by ana")));
	assert_fails(promote_as("ben", false, &out), &site.err, E_DENIED,
		"frozen by ana");
}

static void what_stops_all_channels_stops_the_engine(void **state)
{
	(void)state;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_BAKING, 5);
	assert_ok(fleet_try_start(
			  PLAN, (struct channel_event){.if_busy = BUSY_QUEUE,
					.version = {.revision = S("v3")}}),
		&site.err);
	site.now -= NS_PER_S;
	SITE_OK(STATE_FLEET, .kind = EVENT_FREEZE, .scope = FREEZE_AUTOMATION,
		.until_ns = site.now + HOURS(5), .why = S("the fair"));
	UNTIL(CHANNEL_HOLD, 40);
	assert_str(site_channel("p").hold, "frozen: by ana (the fair)");
	SITE_OK("p", .kind = EVENT_ROLLBACK);
	UNTIL(CHANNEL_ROLLED_BACK, 5);
	SITE_OK("p", .kind = EVENT_UNFREEZE);
	fleet_minutes(5);
	assert_int_equal(fleet_state(), CHANNEL_ROLLED_BACK);
	SITE_OK(STATE_FLEET, .kind = EVENT_UNFREEZE);
	UNTIL(CHANNEL_BAKING, 5);
	assert_str(site_channel("p").candidate.revision, "v3");
}

static void a_rollout_that_waits_starts_when_the_channel_is_free(void **state)
{
	struct channel c;
	struct rollout_record r;

	(void)state;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_BAKING, 5);
	assert_ok(fleet_try_start(PLAN "  approvers: 3\n",
			  (struct channel_event){.if_busy = BUSY_QUEUE,
				  .version = {.revision = S("v3")}}),
		&site.err);
	UNTIL(CHANNEL_SUCCEEDED, 100);
	UNTIL(CHANNEL_BAKING, 10);
	c = site_channel("p");
	assert_str(c.candidate.revision, "v3");
	assert_ok(rollout_read(site.state, S("p"), c.rollout, &site.arena, &r,
			  &site.err),
		&site.err);
	assert_true(str_find(r.release, S("\"approvers\":3"), 0) != SIZE_MAX);
	UNTIL(CHANNEL_SUCCEEDED, 100);
}

/* Another bundle is rolled out to t00, which polls for it too. */
static void other_moves(bool allow)
{
	site.now = clock_wall(&fleet.clock.clock);
	target_polled(fleet.book,
		&(struct target_poll){.bundle = S("other"), .id = S("t00")},
		site.now);
	assert_ok(target_book_flush(fleet.book, site.state, &site.err),
		&site.err);
	SITE_OK("other", .kind = EVENT_START, .version.revision = S("o1"),
		.allow_overlap = allow);
	site.now = clock_wall(&fleet.clock.clock);
}

static void what_overlaps_waits_unless_it_was_allowed(void **state)
{
	struct channel_event v = {
		.if_busy = BUSY_QUEUE, .version = {.revision = S("v2")}};

	(void)state;
	fleet_with_v1();
	site_publish("other", "o1", 1);
	other_moves(false);
	assert_ok(fleet_try_start(PLAN, v), &site.err);
	for (int i = 0; i < 6; i++) {
		other_moves(false);
		fleet_step();
		assert_str(site_channel("p").queued.revision, "v2");
		if (i < 5)
			SITE_OK("other", .kind = EVENT_ABORT);
	}
	SITE_OK("other", .kind = EVENT_ABORT);
	UNTIL(CHANNEL_BAKING, 5);
	other_moves(true);
	v.allow_overlap = true;
	v.version.revision = S("v3");
	assert_ok(fleet_try_start(PLAN, v), &site.err);
	assert_str(site_channel("p").queued.revision, "v3");
	SITE_OK("p", .kind = EVENT_ABORT);
	fleet_step();
	assert_str(site_channel("p").candidate.revision, "v3");
	assert_true(channel_busy(site_channel("other").state));
}

/* --- preflight ------------------------------------------------------------ */

static void is_refused(const char *yaml, const char *why)
{
	struct ledger_line *lines;
	size_t n;

	fleet_start(yaml, "v2");
	UNTIL(CHANNEL_REFUSED, 5);
	assert_ok(ledger_newest(site.state, S("p"), 1, &site.arena, &lines, &n,
			  &site.err),
		&site.err);
	if (str_find(lines[0].event.why, str_from(why), 0) == SIZE_MAX)
		fail_msg("\"%.*s\" lacks \"%s\"", STR_ARG(lines[0].event.why),
			why);
}

#define RINGS(first)                                                           \
	"bundle: p\nrollout: {rings: [" first                                  \
	", {name: fleet, percent: 100}]}\n"

static void a_plan_that_can_not_work_is_refused(void **state)
{
	(void)state;
	fleet_with_v1();
	is_refused(RINGS("{name: a, select: \"ring=cannary\"}"),
		"ring a selects no target (ring=cannary)");
	is_refused(RINGS("{name: a, select: \"class=edge\"}"),
		"ring a selects all 20 targets");
	is_refused(RINGS("{name: a, percent: 50}"),
		"ring a takes 50% of all decisions, limit 25%");
	is_refused("bundle: p\nrollout: {rings: [{name: a, percent: 5}, {name: "
		   "b, percent: 100}], bake: {min: 1m, max: 2m}}\n",
		"which proves nothing in 2 minutes");
	is_refused("bundle: p\nrollout: {denies: [{path: a, max_up: 2, ticket: "
		   "T-1, expires: 2026-01-01}]}\n",
		"the plan for denies of a (T-1) has ended");
}

static void canaries_gone(bool gone)
{
	for (unsigned i = 0; i < CANARIES; i++)
		fleet.agents[i].gone = gone;
}

static void without_canaries_nobody_is_first(void **state)
{
	(void)state;
	fleet_with_v1();
	canaries_gone(true);
	fleet_minutes(4);
	is_refused(PLAN, "ring canary has nobody to begin with: the 3 targets");
	is_refused(RINGS("{name: canary, select: \"ring=canary\"}"),
		"lost, pinned or never-canary");
	for (unsigned i = 0; i < AGENTS; i++)
		assert_string_equal(fleet.agents[i].revision, "v1");
	canaries_gone(false);
	fleet_step();
	SITE_OK("p", .kind = EVENT_PIN, .version = {.revision = S("v1")},
		.selector = S("ring=canary"), .until_ns = site.now + HOURS(1));
	is_refused(PLAN, "ring canary has nobody to begin with");
}

static void canaries_that_come_back_in_time_are_first(void **state)
{
	(void)state;
	fleet_with_v1();
	canaries_gone(true);
	fleet_minutes(4);
	fleet_start(PLAN, "v2");
	fleet_minutes(1);
	assert_num(fleet_state(), CHANNEL_PREFLIGHT);
	canaries_gone(false);
	UNTIL(CHANNEL_BAKING, 5);
	assert_str(site_channel("p").ring_name, "canary");
	assert_num(site_channel("p").ntargets, CANARIES);
}

static void rest_gone(bool gone)
{
	for (unsigned i = CANARIES; i < AGENTS; i++)
		fleet.agents[i].gone = gone;
}

static void a_ring_that_is_lost_is_waited_for(void **state)
{
	struct rollout_promoted out;

	(void)state;
	fleet_with_v1();
	fleet_start(
		PLAN "  on_inconclusive: promote\n  reason: staging\n", "v2");
	UNTIL(CHANNEL_BAKING, 5);
	rest_gone(true);
	fleet_minutes(25);
	assert_num(fleet_state(), CHANNEL_BAKING);
	assert_string_equal(fleet_why(),
		"all 17 targets that ring half would add are lost");
	assert_fails(promote_as("ben", true, &out), &site.err, E_CONFLICT,
		"all 17 targets that ring half would add are lost; wait");
	assert_str(site_channel("p").ring_name, "canary");
	rest_gone(false);
	fleet_minutes(1);
	assert_str(site_channel("p").ring_name, "half");
}

/* Nobody waits for what will hardly come back. */
static void a_ring_that_is_lost_for_a_day_is_passed_over(void **state)
{
	struct rollout_plan plan;
	struct rollout_exposure x;
	struct channel c;
	struct target *targets;
	size_t n;

	(void)state;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_BAKING, 5);
	c = site_channel("p");
	assert_ok(state_targets(site.state, S("p"), &site.arena, &targets, &n,
			  &site.err),
		&site.err);
	assert_ok(rollout_plan_parse(&plan, fleet_release(PLAN), &site.err),
		&site.err);
	for (int hours = 1; hours <= 25; hours += 24) {
		struct rollout_fleet f = {
			targets, NULL, n, site.now + HOURS(hours)};
		bool passed = hours > 24;

		rollout_expose(&plan, &c, &f, &site.arena, &x);
		assert_num(x.ring, passed ? 2 : 1);
		assert_num(x.away, passed ? 0 : AGENTS - CANARIES);
		assert_num(x.all, passed);
	}
	rollout_plan_release(&plan);
}

static void force_goes_through_preflight(void **state)
{
	(void)state;
	fleet_with_v1();
	assert_ok(fleet_try_start(RINGS("{name: a, percent: 50}"),
			  (struct channel_event){.force = true,
				  .version = {.revision = S("v2")}}),
		&site.err);
	UNTIL(CHANNEL_BAKING, 5);
}

static void a_planned_shift_of_denies_passes(void **state)
{
	static const struct behaviour more[] = {{"v2", 0, 0, 200}, {0}};

	(void)state;
	fleet.behaviour = more;
	fleet_with_v1();
	fleet_start(PLAN "  denies: [{path: \"authz/**\", max_up: 4, ticket: "
			 "T-1, expires: 2026-12-31}]\n",
		"v2");
	UNTIL(CHANNEL_SUCCEEDED, 120);
}

static void a_first_release_has_nothing_to_be_compared_with(void **state)
{
	(void)state;
	site_publish("p", "v2", 2);
	fleet_minutes(1);
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_SUCCEEDED, 150);
}

/* One step stands for some minutes of a day. */
static void a_day(void)
{
	for (int i = 0; i < 24 * 12; i++) {
		fake_clock_advance(&fleet.clock, 300 * NS_PER_S);
		site.now = clock_wall(&fleet.clock.clock);
		fleet_act(10);
	}
}

static void canaries_that_differ_already_are_refused(void **state)
{
	static const struct behaviour odd = {"", 0, 0, 300};

	(void)state;
	fleet_with_v1();
	for (unsigned i = 0; i < CANARIES; i++)
		fleet.agents[i].own = &odd;
	a_day();
	is_refused(PLAN "  on_inconclusive: promote\n  reason: x\n",
		"differ already, with the same version, in deny_up");
}

static void canaries_like_the_others_are_not_refused(void **state)
{
	(void)state;
	fleet_with_v1();
	a_day();
	fleet_start(PLAN "  on_inconclusive: promote\n  reason: x\n", "v2");
	UNTIL(CHANNEL_BAKING, 5);
}

/* --- everybody at once ---------------------------------------------------- */

enum { ROUNDS = 1000 };

static struct {
	pthread_barrier_t barrier;
	int64_t now;
	struct rollout_fleet targets;
	bool promoted, back;
} duel;

static void *promoter(void *arg)
{
	struct state *s = site_beside();

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct rollout_promote p = {
			.change = {.bundle = S("p"),
				.event = {.who = S("ben"),
					.roles = ROLE_RELEASE,
					.force = true,
					.why = S("x")}},
			.fleet = duel.targets};
		struct rollout_promoted out;
		struct arena a = {0};
		struct err e = {0};

		pthread_barrier_wait(&duel.barrier);
		p.change.now_ns = duel.now;
		duel.promoted = !rollout_promote(s, &p, &a, &out, &e);
		arena_release(&a);
		pthread_barrier_wait(&duel.barrier);
	}
	state_close(s);
	return NULL;
}

static void *taker(void *arg)
{
	struct state *s = site_beside();

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct rollback r = {.bundle = S("p"),
			.who = S("cho"),
			.roles = ROLE_ONCALL};
		struct rollback_result out;
		struct arena a = {0};
		struct err e = {0};

		pthread_barrier_wait(&duel.barrier);
		r.now_ns = duel.now;
		duel.back = !state_rollback(s, &r, false, &a, &out, &e);
		arena_release(&a);
		pthread_barrier_wait(&duel.barrier);
	}
	state_close(s);
	return NULL;
}

static void a_promoter_never_wins_against_a_rollback(void **state)
{
	pthread_t threads[2];
	struct target *targets;
	struct arena a = {0};
	size_t n;
	int first = 0;

	(void)state;
	fleet_with_v1();
	assert_ok(
		state_targets(site.state, S("p"), &a, &targets, &n, &site.err),
		&site.err);
	duel.targets = (struct rollout_fleet){targets, NULL, n, site.now};
	pthread_barrier_init(&duel.barrier, NULL, 3);
	assert_false(pthread_create(&threads[0], NULL, promoter, NULL));
	assert_false(pthread_create(&threads[1], NULL, taker, NULL));
	alarm(300);
	for (int i = 0; i < ROUNDS; i++) {
		struct channel c;

		site_bake("p", "v2");
		duel.now = site.now;
		pthread_barrier_wait(&duel.barrier);
		pthread_barrier_wait(&duel.barrier);
		c = site_channel("p");
		if (!duel.back || c.state != CHANNEL_ROLLING_BACK ||
			!str_is(c.stable.revision, "v1"))
			fail_msg(
				"round %d: %s", i, channel_state_name(c.state));
		first += duel.promoted;
		site_advance("p", EVENT_CONVERGED, false);
		arena_reset(&site.arena);
	}
	alarm(0);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	pthread_barrier_destroy(&duel.barrier);
	arena_release(&a);
	print_message("the promoter came first in %d of %d\n", first, ROUNDS);
	site_verify(site.state);
}

/* --- a process that ends anywhere ----------------------------------------- */

/* What a child does on a disk with a fault. */
typedef enum status deed(struct state *s, struct err *e);

static enum status do_start(struct state *s, struct err *e)
{
	struct rollout_start start = {.release = fleet_release(PLAN),
		.change = {.bundle = S("p"),
			.event = {.kind = EVENT_START,
				.who = S("ana"),
				.roles = ROLE_RELEASE,
				.version = {.revision = S("v2")}},
			.now_ns = site.now}};
	struct state_result r;

	return rollout_start(s, &start, &r, e);
}

static enum status do_promote(struct state *s, struct err *e)
{
	struct rollout_promote p = {.change = {.bundle = S("p"),
					    .event = {.who = S("ben"),
						    .roles = ROLE_RELEASE,
						    .force = true,
						    .why = S("x")},
					    .now_ns = site.now}};
	struct rollout_promoted out;
	struct target *targets;
	size_t n;
	enum status st = state_targets(s, S("p"), &site.arena, &targets, &n, e);

	p.fleet = (struct rollout_fleet){targets, NULL, n, site.now};
	return st ? st : rollout_promote(s, &p, &site.arena, &out, e);
}

/* One step of the engine, with what it writes besides. */
static enum status do_tick(struct state *s, struct err *e)
{
	struct rollout_options o = {
		.dir = site.dir, .vfs = "faulty", .clock = &fleet.clock.clock};
	struct rollout_engine *r;
	enum status st = rollout_engine_new(&r, &o, e);

	(void)s;
	for (int i = 0; i < 3 && !st; i++)
		st = rollout_engine_tick(r, e);
	if (!st)
		rollout_engine_free(r);
	return st;
}

/* A plan is there with its rollout, and only then. */
static void plan_fits(void)
{
	struct channel c = site_channel("p");
	struct rollout_record *all;
	size_t n;

	assert_ok(rollout_list(site.state, S("p"), 100, &site.arena, &all, &n,
			  &site.err),
		&site.err);
	for (size_t i = 0; i < n; i++)
		assert_true(all[i].rollout <= c.rollout);
	if (c.state == CHANNEL_PREFLIGHT)
		assert_true(
			n && all[0].rollout == c.rollout && all[0].release.len);
}

/*
 * From one state to the next, with a fault at every call that changes a file:
 * what is left is the old record or the new one, and can be gone on from.
 */
static void sweep(deed *act, void (*prepare)(void), enum vfs_fault fault)
{
	int n = 0, old = 0;
	bool done = false;

	while (!done) {
		int64_t before, after;

		prepare();
		before = site_channel("p").generation;
		done = site_crash(act, fault, ++n, NULL);
		after = site_channel("p").generation;
		old += after == before;
		assert_true(after - before >= 0 && after - before <= 3);
		assert_true(!done || after > before);
		site_verify(site.state);
		plan_fits();
		arena_reset(&site.arena);
		assert_true(n < 300);
	}
	print_message(
		"%d places, the old record after %d of them\n", n - 1, old);
	assert_true(n > 5 && old > 0);
}

static void to_free(void)
{
	if (channel_busy(fleet_state()))
		SITE_OK("p", .kind = EVENT_ABORT);
}

static void to_start(void)
{
	to_free();
	assert_ok(do_start(site.state, &site.err), &site.err);
}

static void to_a_bake(void)
{
	to_free();
	site_bake("p", "v2");
}

static void a_start_that_is_cut_off_leaves_all_of_it_or_nothing(void **state)
{
	(void)state;
	fleet_with_v1();
	sweep(do_start, to_free, VFS_KILL);
	sweep(do_start, to_free, VFS_POWER);
}

static void a_promotion_that_is_cut_off_leaves_all_of_it_or_nothing(
	void **state)
{
	(void)state;
	fleet_with_v1();
	sweep(do_promote, to_a_bake, VFS_KILL);
	sweep(do_promote, to_a_bake, VFS_POWER);
}

static void a_step_of_the_engine_that_is_cut_off_can_be_gone_on_from(
	void **state)
{
	(void)state;
	fleet_with_v1();
	sweep(do_tick, to_start, VFS_KILL);
	sweep(do_tick, to_start, VFS_TORN);
	sweep(do_tick, to_start, VFS_POWER);
	fleet_engine();
	UNTIL(CHANNEL_SUCCEEDED, 100);
}

/* --- all of them ---------------------------------------------------------- */

#define T(f) cmocka_unit_test_setup_teardown(f, fleet_setup, fleet_teardown)

/* An argument is a pattern of the tests to run. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(a_good_version_reaches_all_rings_by_itself),
		T(errors_are_found_on_the_canary),
		T(what_was_judged_is_judged_the_same_from_the_log),
		T(undefined_decisions_are_found_on_the_canary),
		T(more_denies_are_found_on_the_canary),
		T(denies_that_are_gone_are_found_on_the_canary),
		T(what_an_agent_refuses_goes_back_at_once),
		T(a_fail_can_be_told_to_hold),
		T(a_canary_that_falls_silent_is_no_pass),
		T(an_agent_that_loses_events_never_passes),
		T(a_canary_that_never_takes_it_up_is_held),
		T(inconclusive_can_be_told_to_go_back),
		T(inconclusive_can_be_told_to_go_on),
		T(harm_in_a_hold_goes_back),
		T(a_new_engine_judges_what_was_stored_as_the_old_one_did),
		T(an_engine_that_starts_anew_goes_on_in_every_state),
		T(an_engine_that_stood_still_too_long_holds),
		T(an_engine_that_was_away_too_long_holds),
		T(a_log_that_can_not_be_read_holds),
		T(a_refusal_is_seen_without_the_log),
		T(a_clock_that_jumps_an_hour_back_holds),
		T(a_clock_that_jumps_400_days_ahead_holds),
		T(a_gate_waits_for_people),
		T(a_bake_is_left_early_with_force_alone),
		T(what_failed_is_promoted_by_nobody),
		T(two_others_have_to_promote),
		T(a_hold_is_extended_and_passes_then),
		T(what_is_frozen_is_held_at_the_end_of_its_bake),
		T(what_stops_all_channels_stops_the_engine),
		T(a_rollout_that_waits_starts_when_the_channel_is_free),
		T(what_overlaps_waits_unless_it_was_allowed),
		T(a_plan_that_can_not_work_is_refused),
		T(without_canaries_nobody_is_first),
		T(canaries_that_come_back_in_time_are_first),
		T(a_ring_that_is_lost_is_waited_for),
		T(a_ring_that_is_lost_for_a_day_is_passed_over),
		T(force_goes_through_preflight),
		T(a_planned_shift_of_denies_passes),
		T(a_first_release_has_nothing_to_be_compared_with),
		T(canaries_that_differ_already_are_refused),
		T(canaries_like_the_others_are_not_refused),
		T(a_promoter_never_wins_against_a_rollback),
		T(a_start_that_is_cut_off_leaves_all_of_it_or_nothing),
		T(a_promotion_that_is_cut_off_leaves_all_of_it_or_nothing),
		T(a_step_of_the_engine_that_is_cut_off_can_be_gone_on_from),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
