/*
 * What has to be refused. Most rules are kept twice: the engine does not ask
 * for what the record would refuse it, so that one of both may be broken and no
 * harm is done that could be seen. So each is asked by itself:
 *
 *	calls     what people and CI ask for by a command, in whatever state
 *	record    events that nobody should get past it, tried on each record
 *	engine    what it asks for by itself, beside what it knows
 *
 * A moment counts when the rule was what stood against it, and nothing else.
 */
#include "tests/scenario/checks.h"

#include "base/json.h"
#include "canary/rollout.h"

#include <inttypes.h>
#include <string.h>

/* --- calls ------------------------------------------------------------------
 * The model is as it was before the call.
 */

static bool is(const struct called *c, const char *name)
{
	return !strcmp(c->name, name);
}

static bool starts(const struct called *c)
{
	return is(c, "rollout start") || is(c, "retry");
}

static bool by_people(const struct called *c)
{
	return op_channel_roles(c->call) & (ROLE_RELEASE | ROLE_ONCALL);
}

/* Whom the whole bundle would obey. */
static bool in_earnest(const struct called *c)
{
	return c->may && !c->faulty && c->on_bundle;
}

static bool said(const char *code)
{
	return str_is(site_said("/error/code"), code);
}

static void told(const struct called *c, const char *how, const char *rule)
{
	struct str who = c->call->who, code = site_said("/error/code");

	wrong("%s by %.*s in %s %s, must be refused as \"%s\"; it ended with "
	      "%d, \"%.*s\": %.*s",
		c->name, STR_ARG(who), channel_state_name(model.state), how,
		rule, (int)c->code, STR_ARG(code), STR_ARG(c->failure));
}

/* By this word, and nothing has changed. */
static bool refused(const struct called *c, const char *rule)
{
	if (c->seq_after != c->seq_before)
		told(c, "was done", rule);
	else if (c->code == OP_OK || !said(rule))
		told(c, "was not refused by that", rule);
	return true;
}

bool who_may_not_is_refused(const struct moment *m)
{
	const struct called *c = m->call;

	return !c->may && !c->faulty && refused(c, "denied");
}

/* What is named; NOBODY: nothing that was published. */
static int named(const struct called *c)
{
	bool to = is(c, "rollback");
	int v = is(c, "retry")
			? model.started
			: version_of(op_text(c->call, to ? "to" : "revision"));

	return v != NOBODY && model.published[v] ? v : NOBODY;
}

/* Machines are not asked whether they mean it. */
static bool forced(const struct called *c)
{
	return op_bool(c->call, "force") && (!starts(c) || by_people(c));
}

static bool out_of_turn(const struct called *c)
{
	return is(c, "retry") && channel_busy(model.state);
}

static bool keeps_from(const struct called *c, int v)
{
	return model.quarantined[v] && !forced(c);
}

bool quarantined_is_refused(const struct moment *m)
{
	const struct called *c = m->call;
	int v = named(c);

	if (!in_earnest(c) || v == NOBODY || out_of_turn(c) ||
		!keeps_from(c, v) ||
		!(starts(c) || is(c, "pin") || is(c, "rollback")))
		return false;
	return refused(c, "quarantined");
}

static bool is_there_already(int v)
{
	return v == (model_active(&model) ? model.candidate : model.stable);
}

static bool is_late(int v)
{
	return model.last_good != NOBODY && v < model.last_good;
}

/* A start that only its commit stands against, or what follows below. */
static bool of_use(const struct called *c)
{
	int v = named(c);

	return in_earnest(c) && starts(c) && v != NOBODY && !out_of_turn(c) &&
	       !keeps_from(c, v) && !is_there_already(v);
}

bool late_commit_is_refused(const struct moment *m)
{
	const struct called *c = m->call;

	return of_use(c) && is_late(named(c)) && refused(c, "stale-commit");
}

static bool stands_still(const struct called *c)
{
	bool glass = op_bool(c->call, "break_glass");

	return model_frozen(&model, !by_people(c), wall()) &&
	       !(glass && by_people(c));
}

static bool would_wait(const struct called *c)
{
	struct str busy = op_text(c->call, "if_busy");

	return is(c, "rollout start") &&
	       (busy.len ? str_is(busy, "queue") : !by_people(c));
}

/* It does not begin: it is in the queue now, or something newer was. */
static bool waits(const struct called *c)
{
	if (c->code == OP_OK && !str_is(site_said("/queued"), "true"))
		told(c, "did not wait", "frozen");
	return false;
}

/*
 * What is asked of a promotion before all else: that it did not fail, who
 * promotes, and how many.
 */
static bool earlier(const struct called *c)
{
	return c->code == OP_PENDING || said("conflict") || said("denied");
}

static bool promotes(const struct called *c)
{
	return is(c, "promote") && in_earnest(c) &&
	       !op_given(c->call, "generation") && !earlier(c);
}

static bool bakes(void)
{
	return model.state == CHANNEL_BAKING ||
	       model.state == CHANNEL_FLEET_BAKE;
}

static bool may_go_on(void)
{
	return bakes() || model.state == CHANNEL_HOLD;
}

bool frozen_is_refused(const struct moment *m)
{
	const struct called *c = m->call;

	if (!stands_still(c))
		return false;
	if (of_use(c) && !is_late(named(c)))
		return would_wait(c) ? waits(c) : refused(c, "frozen");
	return promotes(c) && may_go_on() && refused(c, "frozen");
}

bool busy_is_refused(const struct moment *m)
{
	const struct called *c = m->call;

	return of_use(c) && !is_late(named(c)) && !stands_still(c) &&
	       channel_busy(model.state) && !would_wait(c) &&
	       !str_is(op_text(c->call, "if_busy"), "supersede") &&
	       refused(c, "busy");
}

bool unproved_is_refused(const struct moment *m)
{
	const struct called *c = m->call;

	return promotes(c) && !op_bool(c->call, "force") && !stands_still(c) &&
	       bakes() && refused(c, "evidence");
}

bool late_promoter_is_refused(const struct moment *m)
{
	const struct called *c = m->call;
	int64_t seen = op_int(c->call, "generation", 0);

	return is(c, "promote") && in_earnest(c) && !earlier(c) && seen &&
	       seen < model.generation &&
	       refused(c, seen < model.fence ? "fenced" : "generation");
}

/* --- the judge's last word --------------------------------------------------
 */

struct word {
	int64_t number;
	bool pass, fail;
};

static struct word last_word(int64_t rollout)
{
	struct word said_last = {0};
	struct str record, outcome;
	struct arena a = {0};
	struct err e = {0};

	if (!rollout_verdict(site_eye(), S(BUNDLE), rollout, 0, &a, &record,
		    &said_last.number, &e) &&
		json_member(record, S("outcome"), &outcome)) {
		said_last.pass = json_text_is(outcome, S("pass"));
		said_last.fail = json_text_is(outcome, S("fail"));
	}
	arena_release(&a);
	return said_last;
}

bool failed_is_refused(const struct moment *m)
{
	const struct called *c = m->call;

	return is(c, "promote") && in_earnest(c) && channel_busy(model.state) &&
	       last_word(model.rollout).fail && refused(c, "conflict");
}

/* --- the record -------------------------------------------------------------
 * In each that there was. Nothing of what it answers is kept.
 */

static void ask(const struct channel *c, struct channel_event ev,
	enum channel_refusal want)
{
	struct channel after;
	struct arena a = {0};
	struct err e = {0};
	enum channel_refusal got;

	ev.who = S("somebody");
	ev.why = S("to see whether it works");
	if (!ev.expect)
		ev.expect = c->generation;
	got = channel_apply(c, &ev, wall(), &a, &after, &e);
	if (got != want)
		wrong("%s by role %" PRId64 " in %s: \"%s\", must be \"%s\"; "
		      "%s",
			channel_event_name(ev.kind), ev.roles,
			channel_state_name(c->state), channel_refusal_name(got),
			channel_refusal_name(want), e.text);
	arena_release(&a);
}

static const struct channel_version newer = {
	.revision = STR("newer"), .commit = STR("newer"), .order = INT64_MAX};

/* release.md 4.6, and what only the engine can know. */
static int64_t who_may(enum channel_event_kind k)
{
	enum {
		C = ROLE_CI,
		R = ROLE_RELEASE,
		O = ROLE_ONCALL,
		E = ROLE_ENGINE
	};
	static const int64_t roles[EVENTS] = {
		[EVENT_PUBLISH] = C | R,
		[EVENT_START] = C | R | E,
		[EVENT_REFUSE] = R | E,
		[EVENT_EXPOSE] = R | E,
		[EVENT_CONVERGED] = E,
		[EVENT_HOLD] = R | O | E,
		[EVENT_RESUME] = R | O,
		[EVENT_APPROVE] = R,
		[EVENT_SUCCEED] = R | E,
		[EVENT_ABORT] = R | O,
		[EVENT_ROLLBACK] = R | O | E,
		[EVENT_FREEZE] = R | O,
		[EVENT_UNFREEZE] = R,
		[EVENT_PIN] = R | O,
		[EVENT_UNPIN] = R | O,
		[EVENT_QUARANTINE] = R | O,
		[EVENT_PARDON] = R,
		[EVENT_EPOCH] = R,
	};

	return roles[k];
}

bool record_asks_who(const struct moment *m)
{
	static const int64_t all[] = {
		0, ROLE_CI, ROLE_RELEASE, ROLE_ONCALL, ROLE_ENGINE};

	for (int k = EVENT_NONE + 1; m->record && k < EVENTS; k++)
		for (size_t r = 0; r < COUNT(all); r++)
			if (!(who_may((enum channel_event_kind)k) & all[r]))
				ask(m->record,
					(struct channel_event){
						.kind = (enum channel_event_kind)
							k,
						.roles = all[r],
						.version = newer},
					REFUSED_ROLE);
	return m->record;
}

/* Who was late, and against what: against a rollback it is told. */
bool record_asks_when(const struct moment *m)
{
	const struct channel *c = m->record;
	int64_t seen = model.generation - 1;

	if (!c || seen < 1)
		return false;
	for (int k = EVENT_NONE + 1; k < EVENTS; k++)
		ask(c,
			(struct channel_event){
				.kind = (enum channel_event_kind)k,
				.roles = who_may((enum channel_event_kind)k),
				.version = newer,
				.expect = seen},
			seen < model.fence ? REFUSED_FENCED
					   : REFUSED_GENERATION);
	return true;
}

/* To the next ring, or to the end. */
static struct channel_event onward(int64_t roles, bool proved)
{
	static struct str one[] = {STR("t000")};

	return (struct channel_event){
		.kind = model.all ? EVENT_SUCCEED : EVENT_EXPOSE,
		.roles = roles,
		.evidence = proved ? S("{\"outcome\":\"pass\"}") : S(""),
		.ring = S("early"),
		.targets = one,
		.ntargets = COUNT(one)};
}

bool record_keeps_a_hold(const struct moment *m)
{
	if (!m->record || model.state != CHANNEL_HOLD ||
		model_frozen_itself(&model, true, wall()))
		return false;
	ask(m->record, onward(ROLE_ENGINE, true), REFUSED_PEOPLE);
	return true;
}

bool record_asks_for_evidence(const struct moment *m)
{
	if (!m->record || !bakes() || model_frozen_itself(&model, true, wall()))
		return false;
	ask(m->record, onward(ROLE_ENGINE, false), REFUSED_EVIDENCE);
	ask(m->record, onward(ROLE_RELEASE, false), REFUSED_EVIDENCE);
	return true;
}

static struct channel_event start_of(
	const struct channel_version *v, int64_t roles)
{
	return (struct channel_event){.kind = EVENT_START,
		.roles = roles,
		.version = *v,
		.relation = RELATION_AHEAD,
		.if_busy = BUSY_SUPERSEDE};
}

/* Nobody breaks the glass but people. */
static void ask_frozen(const struct channel *c, struct channel_event ev)
{
	ask(c, ev, REFUSED_FROZEN);
	ev.break_glass = !(ev.roles & (ROLE_RELEASE | ROLE_ONCALL));
	ask(c, ev, REFUSED_FROZEN);
}

bool record_keeps_a_freeze(const struct moment *m)
{
	const struct channel *c = m->record;
	struct channel_event ev = start_of(&newer, ROLE_CI);
	bool all;

	if (!c || !model_frozen_itself(&model, true, wall()))
		return false;
	all = model_frozen_itself(&model, false, wall());
	ask_frozen(c, ev);
	ev.roles = ROLE_RELEASE;
	if (!all)
		ev.frozen_by = S("who froze all channels");
	ask_frozen(c, ev);
	if (!may_go_on() && model.state != CHANNEL_PREFLIGHT)
		return true;
	ask_frozen(c, onward(ROLE_ENGINE, true));
	if (all)
		ask_frozen(c, onward(ROLE_RELEASE, true));
	return true;
}

static const struct channel_version *bad_one(const struct channel *c)
{
	for (uint32_t i = 0; i < c->nquarantine; i++) {
		int v = version_of(c->quarantine[i].version.revision);

		if (v != NOBODY && model.quarantined[v])
			return &c->quarantine[i].version;
	}
	return NULL;
}

/* Pinned before it was bad, it is not given to anybody. */
static void ask_pinned(
	const struct channel *record, const struct channel_version *bad)
{
	struct channel_pin pin = {.target = S("t000"),
		.version = *bad,
		.until_ns = wall() + HOUR};
	struct channel c = *record;
	struct channel_rules rules;
	struct channel_choice got;
	struct arena a = {0};

	c.pins = &pin;
	c.npins = 1;
	channel_rules(&c, &a, &rules);
	got = channel_choose(&c, &rules, S("t000"), NULL, 0, wall());
	if (got.why != WHY_PIN_REFUSED)
		wrong("a pin to %.*s, which is in quarantine: \"%s\"",
			STR_ARG(bad->revision), channel_why_name(got.why));
	arena_release(&a);
}

bool record_keeps_quarantine(const struct moment *m)
{
	const struct channel *c = m->record;
	const struct channel_version *bad = c ? bad_one(c) : NULL;
	struct channel_event ev;

	if (!bad)
		return false;
	ask(c, start_of(bad, ROLE_RELEASE), REFUSED_QUARANTINED);
	ask(c, start_of(bad, ROLE_ENGINE), REFUSED_QUARANTINED);
	ev = start_of(bad, ROLE_CI);
	ev.force = true;
	ask(c, ev, REFUSED_QUARANTINED);
	ask(c,
		(struct channel_event){.kind = EVENT_PIN,
			.roles = ROLE_ONCALL,
			.version = *bad,
			.target = S("t000"),
			.until_ns = wall() + HOUR},
		REFUSED_QUARANTINED);
	ask(c,
		(struct channel_event){.kind = EVENT_ROLLBACK,
			.roles = ROLE_ONCALL,
			.version = *bad,
			.promoted = true},
		REFUSED_QUARANTINED);
	ask_pinned(c, bad);
	return true;
}

/* An old job, another line, and an engine that starts what nobody asked for. */
bool record_keeps_its_commit(const struct moment *m)
{
	const struct channel *c = m->record;
	struct channel_event ev = start_of(&newer, ROLE_RELEASE);

	if (!c)
		return false;
	ev.force = true;
	ev.relation = RELATION_STALE;
	ask(c, ev, REFUSED_STALE_COMMIT);
	ev.relation = RELATION_DIVERGENT;
	ask(c, ev, REFUSED_DIVERGENT);
	ask(c, start_of(&newer, ROLE_ENGINE), REFUSED_PEOPLE);
	return true;
}

/* --- the engine -------------------------------------------------------------
 */

static void freeze_automation(struct channel *c)
{
	c->freeze[FREEZE_AUTOMATION] = (struct channel_freeze){
		S("somebody"), S("to see"), wall() - 1, wall() + HOUR};
}

/* Of a record that nothing stands against but what is given. */
static void ask_queue(const struct channel *record,
	const struct channel_version *queued, bool frozen, bool all_frozen,
	enum channel_event_kind want)
{
	struct channel c = *record, all = {0};
	struct rollout_view v = {
		.channel = &c, .everywhere = &all, .now_ns = wall()};
	struct rollout_next next;
	struct arena a = {0};

	memset(c.freeze, 0, sizeof(c.freeze));
	c.queued = *queued;
	if (frozen)
		freeze_automation(&c);
	if (all_frozen)
		freeze_automation(&all);
	rollout_next(&v, &a, &next);
	if (next.event.kind != want)
		wrong("%.*s waits in %s%s%s, and the engine would %sstart it",
			STR_ARG(queued->revision), channel_state_name(c.state),
			frozen ? ", frozen" : "",
			all_frozen ? ", all are frozen" : "",
			want == EVENT_START ? "not " : "");
	arena_release(&a);
}

/*
 * What is in the queue does not begin in a freeze, nor while it is in
 * quarantine. The record would refuse it too; but then it would be asked every
 * ten seconds.
 */
bool engine_lets_wait(const struct moment *m)
{
	const struct channel *c = m->record;
	const struct channel_version *bad = c ? bad_one(c) : NULL;

	if (!bad || channel_busy(model.state))
		return false;
	ask_queue(c, &newer, false, false, EVENT_START);
	ask_queue(c, &newer, true, false, EVENT_NONE);
	ask_queue(c, &newer, false, true, EVENT_NONE);
	ask_queue(c, bad, false, false, EVENT_NONE);
	return true;
}

static bool read_plan(int64_t rollout, struct rollout_plan *p)
{
	struct rollout_record r;
	struct arena a = {0};
	struct err e = {0};
	bool got = !rollout_read(site_eye(), S(BUNDLE), rollout, &a, &r, &e) &&
		   !rollout_plan_parse(p, r.release, &e);

	arena_release(&a);
	return got;
}

/* Who fails is held by its plan, and does not go back. */
static bool fails_into_a_hold(int64_t rollout)
{
	static int64_t known;
	static bool holds;
	struct rollout_plan p = {0};

	if (known != rollout && read_plan(rollout, &p)) {
		known = rollout;
		holds = p.on_fail == WAY_HOLD;
	}
	rollout_plan_release(&p);
	return holds;
}

/* What is known beside a PASS. */
struct doubt {
	const char *what;
	int64_t age_ns, stale_ns, jump_ns;
	bool frozen, all_frozen, refused, lost;
};

static const struct target *lost_for(
	int64_t ns, const struct rollout_fleet *f, struct arena *a)
{
	struct target *copy = ARENA_ARRAY(a, struct target, f->n);

	for (size_t i = 0; i < f->n; i++) {
		copy[i] = f->targets[i];
		copy[i].last_poll_ns -= ns;
		copy[i].period_ns = 0;
	}
	return copy;
}

static bool would_go_on(const struct channel *record,
	const struct rollout_plan *p, const struct rollout_fleet *fleet,
	const struct doubt *d, struct arena *a)
{
	struct verdict pass = {.outcome = VERDICT_PASS,
		.why = "evidence",
		.now_ns = wall() - d->age_ns};
	struct channel c = *record, all = {0};
	struct target refusing = {.id = S("t000"),
		.offered = c.candidate.digest,
		.error = S("rego_type_error: undefined function nope")};
	struct rollout_view v = {.channel = &c,
		.everywhere = &all,
		.plan = p,
		.fleet = *fleet,
		.verdict = &pass,
		.evidence = S("{}"),
		.stale_ns = d->stale_ns,
		.jump_ns = d->jump_ns,
		.now_ns = wall()};
	struct rollout_next next;

	if (d->refused)
		v.fleet = (struct rollout_fleet){
			.targets = &refusing, .n = 1, .now_ns = wall()};
	if (d->lost)
		v.fleet.targets = lost_for(20 * HOUR, fleet, a);
	if (d->frozen)
		freeze_automation(&c);
	if (d->all_frozen)
		freeze_automation(&all);
	rollout_next(&v, a, &next);
	return next.event.kind == EVENT_EXPOSE ||
	       next.event.kind == EVENT_SUCCEED;
}

/*
 * Nobody has refused the candidate, which would be harm before all else, and
 * nobody is lost.
 */
static bool read_fleet(struct arena *a, struct rollout_fleet *out)
{
	struct target *targets;
	struct err e = {0};

	*out = (struct rollout_fleet){.now_ns = wall()};
	if (state_targets(site_eye(), S(BUNDLE), a, &targets, &out->n, &e))
		return false;
	for (size_t i = 0; i < out->n; i++) {
		targets[i].error = S("");
		targets[i].last_poll_ns = wall();
	}
	out->targets = targets;
	return true;
}

/*
 * Some of it takes two things that go wrong in one minute, as that the judge
 * gives a PASS and then can't read on; some of it the judge or the record knows
 * too, as that a target refused the candidate, or a freeze. So it is asked what
 * the engine would do.
 */
bool engine_goes_on_without_doubt(const struct moment *m)
{
	static const struct doubt doubts[] = {
		{.what = "no doubt"},
		{.what = "an old PASS", .age_ns = MINUTE},
		{.what = "a PASS that is to come", .age_ns = -MINUTE},
		{.what = "a judge that was away", .stale_ns = STALE},
		{.what = "a clock that jumped", .jump_ns = -HOUR},
		{.what = "a freeze", .frozen = true},
		{.what = "a freeze of all bundles", .all_frozen = true},
		{.what = "a target that refused it", .refused = true},
		{.what = "a ring that is lost", .lost = true},
	};
	struct rollout_fleet fleet;
	struct rollout_plan p = {0};
	struct arena a = {0};
	bool asked = m->record && bakes() &&
		     !model_frozen_itself(&model, true, wall()) &&
		     read_plan(model.rollout, &p) && read_fleet(&a, &fleet);

	/* Whoever is lost gets it from the last ring when it comes back. */
	for (size_t i = 0; asked && i < COUNT(doubts); i++)
		if ((!doubts[i].lost || !model.ring) &&
			would_go_on(m->record, &p, &fleet, &doubts[i], &a) !=
				!i)
			wrong("in %s, with a PASS and %s, the engine %s",
				channel_state_name(model.state), doubts[i].what,
				i ? "goes on" : "does not go on");
	rollout_plan_release(&p);
	arena_release(&a);
	return asked;
}

/* An engine that has just come up reads first what was decided. */
#define READS (8 * BUSY * MINUTE)

/*
 * What failed goes back with the look that sees it, or is held: its plan says
 * which. A promotion is refused too (failed_is_refused), but that leaves the
 * canaries with what does harm.
 */
static bool acted_on(const struct moment *m)
{
	const struct model *b = m->before, *a = m->after;
	bool holds;

	if (a->rollout != b->rollout || w->broken ||
		w->true_ns - w->disturbed_ns <= READS ||
		!last_word(b->rollout).fail)
		return false;
	holds = fails_into_a_hold(b->rollout);
	if (deployed(a->state) || (a->state == CHANNEL_HOLD && !holds))
		wrong("rollout %" PRId64
		      " of %s failed in %s, and is %s; its plan says to %s "
		      "it then",
			b->rollout, version_name(b->candidate),
			channel_state_name(b->state),
			channel_state_name(a->state),
			holds ? "hold" : "roll back");
	return true;
}

bool fail_in_a_bake_is_acted_on(const struct moment *m)
{
	return deployed(m->before->state) && acted_on(m);
}

/* Held by its plan it stays so; what counts is what a person held. */
bool fail_in_a_hold_goes_back(const struct moment *m)
{
	return m->before->state == CHANNEL_HOLD && acted_on(m) &&
	       !fails_into_a_hold(m->before->rollout);
}

/* A bake goes on in a freeze, and ends in a hold. */
bool pass_in_a_freeze_is_held(const struct moment *m)
{
	const struct model *b = m->before;
	struct word word;
	bool fresh;

	if (b->state != CHANNEL_BAKING && b->state != CHANNEL_FLEET_BAKE)
		return false;
	word = last_word(b->rollout);
	fresh = w->word_rollout != b->rollout || w->word != word.number;
	w->word_rollout = b->rollout;
	w->word = word.number;
	if (!word.pass || !fresh || w->broken || !model_frozen(b, true, wall()))
		return false;
	if (deployed(m->after->state))
		wrong("rollout %" PRId64 " of %s passed in a freeze, and is "
		      "still %s",
			b->rollout, version_name(b->candidate),
			channel_state_name(m->after->state));
	return true;
}
