/* What comes next, whatever happens: rollouts under random events. */
#include "tests/test.h"

#include "base/clock.h"
#include "canary/rollout_internal.h"

#include <stdlib.h>
#include <string.h>

enum { TARGETS = 8, STEPS = 3000, SEEDS = 100 };

#define T0 (INT64_C(1780000000) * NS_PER_S)

static uint64_t rng;
static struct err err;

static unsigned roll(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng >> 11) % n;
}

/* --- one world ------------------------------------------------------------ */

static struct {
	struct arena arena;
	struct channel c;
	struct rollout_plan plan;
	struct target targets[TARGETS];
	struct label labels[TARGETS][1];
	char ids[TARGETS][4];
	struct verdict verdict;
	double rates[TARGETS];
	int64_t now;
	unsigned applied[EVENTS];
} w;

static const char *const plans[] = {
	"bundle: p\nrollout: {rings: [{name: a, select: \"ring=a\"}, {name: b, "
	"percent: 50}, {name: all, percent: 100}]}\n",
	"bundle: p\nrollout: {rings: [{name: a, percent: 20, gate: true}, "
	"{name: all, percent: 100}], on_fail: hold}\n",
	"bundle: p\nrollout: {on_inconclusive: promote, reason: x, rings: "
	"[{name: a, percent: 20}, {name: all, percent: 100}]}\n",
	"bundle: p\nrollout: {on_inconclusive: rollback, rings: [{name: all, "
	"percent: 100}]}\n",
};

static struct channel_version version(unsigned i)
{
	static const char *const names[] = {"v0", "v1", "v2", "v3", "v4", "v5"};
	struct channel_version v = {
		.revision = str_from(names[i]), .commit = str_from(names[i])};
	char *digest = arena_alloc(&w.arena, 65);

	memset(digest, 'a' + (int)i, 64);
	v.digest = str_make(digest, 64);
	v.order = i + 1;
	return v;
}

static void new_world(uint64_t seed)
{
	memset(&w, 0, sizeof(w));
	rng = seed * 88172645463325252u + 1;
	w.c.bundle = S("p");
	w.now = T0;
	assert_ok(rollout_plan_parse(&w.plan, str_from(plans[seed % 4]), &err),
		&err);
	for (unsigned i = 0; i < TARGETS; i++) {
		snprintf(w.ids[i], sizeof(w.ids[i]), "t%u", i);
		w.labels[i][0] =
			(struct label){S("ring"), i < 2 ? S("a") : S("b")};
		w.targets[i] = (struct target){.id = str_from(w.ids[i]),
			.labels = w.labels[i],
			.nlabels = 1,
			.period_ns = 30 * NS_PER_S,
			.last_poll_ns = w.now};
		w.rates[i] = 1;
	}
}

static void end_world(void)
{
	rollout_plan_release(&w.plan);
	arena_release(&w.arena);
}

/* --- what must always be so ----------------------------------------------- */

static struct str record(const struct channel *c)
{
	struct buf b = {0};
	struct str s;

	channel_write(c, &b);
	s = arena_str(&w.arena, buf_str(&b));
	buf_release(&b);
	return s;
}

static bool has(const struct channel *c, struct str id)
{
	for (uint32_t i = 0; i < c->ntargets; i++)
		if (str_eq(c->targets[i], id))
			return !c->all;
	return c->all;
}

/* Within a rollout nobody loses the candidate but by its end. */
static void only_grows(const struct channel *a, const struct channel *b)
{
	if (a->rollout != b->rollout || !a->candidate.revision.len ||
		!b->candidate.revision.len)
		return;
	for (unsigned i = 0; i < TARGETS; i++)
		if (has(a, w.targets[i].id))
			assert_true(has(b, w.targets[i].id));
}

static void one_of_its_versions(const struct channel *c)
{
	struct channel_rules rules;

	channel_rules(c, &w.arena, &rules);
	for (unsigned i = 0; i < TARGETS; i++) {
		struct channel_choice x = channel_choose(c, &rules,
			w.targets[i].id, w.targets[i].labels, 1, w.now);

		if (!x.version)
			continue;
		assert_true(x.version == &c->stable ||
			    x.version == &c->candidate ||
			    x.version == &c->last_good);
		assert_false(channel_quarantined(c, x.version->revision));
	}
}

static void check(const struct channel *before, const struct channel *after,
	const struct channel_event *ev)
{
	assert_num(after->generation, before->generation + 1);
	only_grows(before, after);
	one_of_its_versions(after);
	assert_false(channel_quarantined(after, after->last_good.revision));
	/* One rollout at a time: the next begins when one has ended. */
	if (after->rollout != before->rollout)
		assert_true(!channel_busy(before->state) ||
			    ev->if_busy == BUSY_SUPERSEDE);
	assert_true(after->rollout == before->rollout ||
		    after->rollout == before->rollout + 1);
}

/* The same event on the text of the record gives the same text. */
static void replays(const struct channel *before,
	const struct channel_event *ev, const struct channel *after)
{
	struct channel parsed, again;
	struct channel_event event;
	struct buf b = {0};

	assert_ok(channel_parse(&parsed, record(before), &w.arena, &err), &err);
	channel_event_write(ev, &b);
	assert_ok(channel_event_parse(&event, arena_str(&w.arena, buf_str(&b)),
			  &w.arena, &err),
		&err);
	assert_num(
		channel_apply(&parsed, &event, w.now, &w.arena, &again, &err),
		REFUSED_NOT);
	assert_true(str_eq(record(&again), record(after)));
	buf_release(&b);
}

static enum channel_refusal apply(const struct channel_event *ev)
{
	struct channel after;
	enum channel_refusal r =
		channel_apply(&w.c, ev, w.now, &w.arena, &after, &err);

	if (r)
		return r;
	check(&w.c, &after, ev);
	replays(&w.c, ev, &after);
	w.c = after;
	w.applied[ev->kind]++;
	return r;
}

/* --- people --------------------------------------------------------------- */

static void somebody_does_something(void)
{
	static const enum channel_event_kind kinds[] = {EVENT_START,
		EVENT_START, EVENT_START, EVENT_HOLD, EVENT_RESUME, EVENT_ABORT,
		EVENT_ROLLBACK, EVENT_FREEZE, EVENT_UNFREEZE, EVENT_UNFREEZE,
		EVENT_SUCCEED, EVENT_APPROVE, EVENT_PARDON};
	struct channel_event ev = {.kind = kinds[roll(COUNT(kinds))],
		.who = S("ana"),
		.roles = ROLE_RELEASE | ROLE_ONCALL,
		.why = S("x"),
		.expect = w.c.generation,
		.version = version(roll(6)),
		.if_busy = (enum channel_if_busy)roll(BUSY_RULES),
		.scope = (enum channel_freeze_scope)roll(FREEZES),
		.until_ns = w.now + 600 * NS_PER_S,
		.force = !roll(4)};

	if (ev.kind == EVENT_ROLLBACK)
		ev.version = (struct channel_version){0};
	if (ev.kind == EVENT_START)
		ev.relation = channel_relation(&ev.version, &w.c.last_good);
	apply(&ev);
}

/* Always legal: it may find nothing to do, or nowhere to go, and no more. */
static void a_rollback_is_never_refused(void)
{
	struct channel_event ev = {
		.kind = EVENT_ROLLBACK, .who = S("cho"), .roles = ROLE_ONCALL};
	struct channel ignored;
	enum channel_refusal r =
		channel_apply(&w.c, &ev, w.now, &w.arena, &ignored, &err);

	assert_true(r == REFUSED_NOT || r == REFUSED_ALREADY ||
		    r == REFUSED_NO_GOOD);
}

/* --- the fleet and its judge ---------------------------------------------- */

static void the_fleet_moves(void)
{
	struct channel_rules rules;

	channel_rules(&w.c, &w.arena, &rules);
	for (unsigned i = 0; i < TARGETS; i++) {
		struct target *t = &w.targets[i];
		struct channel_choice x = channel_choose(
			&w.c, &rules, t->id, t->labels, 1, w.now);

		if (!roll(10))
			continue;
		t->last_poll_ns = w.now;
		if (x.version && !str_eq(t->offered, x.version->digest)) {
			t->offered = x.version->digest;
			t->offered_ns = w.now;
		}
		t->status_ns = w.now;
		t->error = !roll(400) ? S("parse error") : S("");
		if (x.version && !t->error.len)
			t->active = x.version->digest;
	}
}

static struct rollout_view look(void)
{
	static const char *const whys[] = {"silent", "coverage", "evidence"};
	unsigned luck = roll(30);

	w.verdict.outcome = luck < 20   ? VERDICT_INCONCLUSIVE
			    : luck < 29 ? VERDICT_PASS
					: VERDICT_FAIL;
	w.verdict.why = whys[roll(3)];
	snprintf(w.verdict.reason, sizeof(w.verdict.reason), "by chance");
	w.verdict.now_ns = w.now - roll(100) * NS_PER_S;
	return (struct rollout_view){.channel = &w.c,
		.plan = &w.plan,
		.fleet = {w.targets, roll(2) ? w.rates : NULL, TARGETS, w.now},
		.usual = {.known = roll(5) > 0,
			.same = roll(50) ? 0 : 100,
			.same_metric = "error"},
		.verdict = roll(8) ? &w.verdict : NULL,
		.evidence = S("{}"),
		.forced = !roll(4),
		.stale_ns = roll(40) ? 0 : 400 * NS_PER_S,
		.jump_ns = roll(40) ? 0 : -3600 * NS_PER_S,
		.now_ns = w.now};
}

static bool goes_on(enum channel_event_kind k)
{
	return k == EVENT_EXPOSE || k == EVENT_SUCCEED;
}

/* By evidence that is new, from a judge that was there. */
static void has_reason(
	const struct rollout_view *v, const struct channel_event *ev)
{
	enum channel_state s = v->channel->state;
	bool bakes = s == CHANNEL_BAKING || s == CHANNEL_FLEET_BAKE;
	const struct verdict *d = v->verdict;

	if (!goes_on(ev->kind) || s == CHANNEL_PREFLIGHT)
		return;
	assert_true(bakes);
	assert_num(v->jump_ns, 0);
	assert_true(v->stale_ns < ROLLOUT_STALE_S * NS_PER_S);
	assert_true(!d || d->outcome != VERDICT_FAIL);
	if (w.plan.on_inconclusive == WAY_PROMOTE)
		return;
	assert_non_null(d);
	assert_num(d->outcome, VERDICT_PASS);
	assert_true(w.now - d->now_ns < 60 * NS_PER_S);
}

static void the_engine_looks(void)
{
	struct rollout_view v = look();
	struct rollout_next next;
	bool harm = v.verdict && v.verdict->outcome == VERDICT_FAIL &&
		    w.plan.on_fail == WAY_ROLLBACK;
	enum channel_state s = w.c.state;

	rollout_next(&v, &w.arena, &next);
	if (harm && (s == CHANNEL_BAKING || s == CHANNEL_DISTRIBUTING ||
			    s == CHANNEL_HOLD || s == CHANNEL_FLEET_BAKE))
		assert_num(next.event.kind, EVENT_ROLLBACK);
	if (!next.event.kind)
		return;
	has_reason(&v, &next.event);
	if (next.event.kind == EVENT_START)
		next.event.relation =
			channel_relation(&next.event.version, &w.c.last_good);
	/* What waited may be late by now. */
	if (apply(&next.event) && next.event.relation < RELATION_STALE)
		fail_msg("%s from %s: %s", channel_event_name(next.event.kind),
			channel_state_name(s), err.text);
}

static void run(uint64_t seed)
{
	new_world(seed);
	for (int i = 0; i < STEPS; i++) {
		struct buf keep = {0};

		w.now += roll(60) * NS_PER_S;
		the_fleet_moves();
		the_engine_looks();
		a_rollback_is_never_refused();
		if (!roll(12))
			somebody_does_something();
		buf_release(&keep);
	}
}

static void random_events_break_no_promise(void **state)
{
	unsigned sum[EVENTS] = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		run(seed);
		for (int k = 0; k < EVENTS; k++)
			sum[k] += w.applied[k];
		end_world();
	}
	for (int k = EVENT_START; k <= EVENT_UNFREEZE; k++)
		assert_true(sum[k] > 0);
	print_message("%u started, %u exposed, %u held, %u rolled back, %u "
		      "succeeded\n",
		sum[EVENT_START], sum[EVENT_EXPOSE], sum[EVENT_HOLD],
		sum[EVENT_ROLLBACK], sum[EVENT_SUCCEED]);
	assert_true(sum[EVENT_SUCCEED] > 50);
}

/* --- plans ---------------------------------------------------------------- */

static void a_plan_without_text_is_the_defaults(void **state)
{
	struct rollout_plan p;

	(void)state;
	assert_ok(rollout_plan_parse(&p, S(""), &err), &err);
	assert_num(p.config.rollout.nrings, 4);
	assert_num(p.on_fail, WAY_ROLLBACK);
	assert_num(p.on_inconclusive, WAY_HOLD);
	rollout_plan_release(&p);
}

static void values_can_be_set_for_one_rollout(void **state)
{
	static const struct rollout_override o[] = {
		{STR("bake.min"), STR("2h")}, {STR("bake.max"), STR("3h")},
		{STR("on_inconclusive"), STR("promote")},
		{STR("reason"), STR("few events")},
		{STR("approvers"), STR("3")},
		{STR("error_ceiling"), STR("0.2%")},
		{STR("pass_below"), STR("0.1%")}};
	struct rollout_plan p;
	struct buf text = {0};

	(void)state;
	assert_ok(rollout_plan_override(&text, S(""), o, COUNT(o), &err), &err);
	assert_ok(rollout_plan_parse(&p, buf_str(&text), &err), &err);
	assert_num(p.config.rollout.bake_min_ns, 7200 * NS_PER_S);
	assert_num(p.config.rollout.approvers, 3);
	assert_num(p.on_inconclusive, WAY_PROMOTE);
	assert_string_equal(p.config.rollout.reason, "few events");
	assert_near(p.verdict.ceiling, 0.002, 1e-12);
	rollout_plan_release(&p);
	buf_release(&text);
}

static void what_can_not_be_set_is_named(void **state)
{
	static const struct {
		struct rollout_override o;
		const char *why;
	} rows[] = {
		{{STR("bake"), STR("2h")}, "known: bake.min, bake.max"},
		{{STR("bake.min"), STR("soon")}, "a duration above 0"},
		{{STR("bake.min"), STR("1h, max: 2h")}, "is no value"},
		{{STR("bake.min"), STR("")}, "is no value"},
		{{STR("bake.min"), STR("2h")}, "min must not be more"},
		{{STR("on_inconclusive"), STR("promote")},
			"needs rollout.reason"},
		{{STR("approvers"), STR("0")}, "1 to 9"},
	};
	struct buf text = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_fails(rollout_plan_override(
				     &text, S(""), &rows[i].o, 1, &err),
			&err, E_INVALID, rows[i].why);
	assert_num(text.len, 0);
}

/* --- requests and events -------------------------------------------------- */

static void reported(
	struct requests *r, int64_t time, uint64_t n, const char *instance)
{
	struct decision_counters c = {
		.time = time, .requests = n, .instance = str_from(instance)};

	requests_report(r, &c, &w.arena);
}

static void came(struct requests *r, int64_t time, unsigned n)
{
	while (n--)
		requests_event(r, time);
}

static void every_event_is_weighed_once_whenever_it_comes(void **state)
{
	struct requests r = {0};
	struct target_facts f = {0};

	(void)state;
	memset(&w, 0, sizeof(w));
	came(&r, 50, 9); /* nobody knows of which interval */
	reported(&r, 100, 1000, "a");
	came(&r, 90, 3);  /* before the first report */
	came(&r, 150, 4); /* before its own */
	reported(&r, 200, 1010, "a");
	came(&r, 120, 4);
	came(&r, 201, 5);
	reported(&r, 300, 1020, "a");
	reported(&r, 300, 1020, "a");
	requests_settle(&r, 100, 200, &f);
	assert_true(f.counts_requests);
	assert_num(f.requests, 10);
	assert_num(f.received, 8);
	came(&r, 199, 2); /* late */
	came(&r, 300, 5);
	requests_settle(&r, 100, 300, &f);
	assert_num(f.requests, 20);
	assert_num(f.received, 20);
	reported(&r, 400, 7, "b"); /* started anew */
	came(&r, 350, 6);
	requests_settle(&r, 100, 400, &f);
	assert_num(f.requests, 27);
	assert_num(f.received, 26);
	arena_release(&w.arena);
}

static void a_step_counts_what_ended_in_it(void **state)
{
	struct requests r = {0};
	struct target_facts f = {0};

	(void)state;
	memset(&w, 0, sizeof(w));
	for (int i = 1; i <= 1000; i++)
		reported(&r, 10 * i, (uint64_t)(2 * i), "a");
	requests_settle(&r, 5000, 9000, &f);
	assert_num(f.requests, 2 * 401);
	assert_num(f.received, 0);
	requests_settle(&r, 9500, 9600, &f);
	assert_num(f.requests, 2 * 11);
	requests_settle(&r, 20000, 30000, &f);
	assert_false(f.counts_requests);
	for (int i = 1001; i <= 3000; i++) {
		reported(&r, 10 * i, (uint64_t)(2 * i), "a");
		requests_settle(&r, 20000, 10 * i, &f);
	}
	assert_num(f.requests, 2 * 1001);
	assert_true(r.cap < 2000);
	arena_release(&w.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_without_text_is_the_defaults),
		cmocka_unit_test(values_can_be_set_for_one_rollout),
		cmocka_unit_test(what_can_not_be_set_is_named),
		cmocka_unit_test(every_event_is_weighed_once_whenever_it_comes),
		cmocka_unit_test(a_step_counts_what_ended_in_it),
		cmocka_unit_test(random_events_break_no_promise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
