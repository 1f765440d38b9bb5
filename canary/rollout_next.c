/*
 * What comes next in a rollout: one function for each state, on what is known.
 *
 * Harm is looked for first in every state that has a candidate out, and then
 * whether there still is a judge: without one nothing goes on.
 */
#include "canary/rollout.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct look {
	const struct rollout_view *v;
	const struct channel *c;
	const struct rollout_plan *p;
	struct arena *a;
	struct rollout_next *out;
};

static struct str text(struct look *l, const char *fmt, va_list ap)
	PRINTF(2, 0);
static struct str text(struct look *l, const char *fmt, va_list ap)
{
	char line[1024];
	size_t n = 0, width;
	uint32_t cp;

	vsnprintf(line, sizeof(line), fmt, ap);
	/* A cut in the middle of a character would make it no text. */
	for (; line[n]; n += width) {
		width = utf8_decode(line + n, strlen(line + n), &cp);
		if (cp == 0xfffd && width == 1)
			break;
	}
	return arena_str(l->a, str_make(line, n));
}

/* Nothing to do but to wait for something. */
static void wait_for(struct look *l, const char *fmt, ...) PRINTF(2, 3);
static void wait_for(struct look *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	l->out->why = text(l, fmt, ap);
	va_end(ap);
}

static void act(struct look *l, enum channel_event_kind kind, const char *fmt,
	...) PRINTF(3, 4);
static void act(
	struct look *l, enum channel_event_kind kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	l->out->why = text(l, fmt, ap);
	va_end(ap);
	l->out->event = (struct channel_event){.kind = kind,
		.who = S(ROLLOUT_WHO),
		.roles = ROLE_ENGINE,
		.why = l->out->why,
		.evidence = l->v->evidence,
		.expect = l->c->generation,
		.rollout = kind == EVENT_START ? 0 : l->c->rollout};
}

/* --- rings ---------------------------------------------------------------- */

static const struct config_ring *ring_of(const struct look *l)
{
	for (size_t i = 0; i < l->p->config.rollout.nrings; i++)
		if (str_is(l->c->ring_name, l->p->config.rollout.rings[i].name))
			return &l->p->config.rollout.rings[i];
	return NULL;
}

static const struct channel_freeze *frozen(const struct look *l)
{
	const struct channel_freeze *f =
		channel_frozen(l->c, true, l->v->now_ns);

	if (f || !l->v->everywhere)
		return f;
	return channel_frozen(l->v->everywhere, true, l->v->now_ns);
}

static void say_frozen(struct look *l, const struct channel_freeze *f,
	void (*how)(struct look *l, const char *fmt, ...))
{
	how(l, "frozen: by %.*s (%.*s)", STR_ARG(f->who),
		STR_ARG(f->why.len ? f->why : S("no reason")));
}

static void hold(struct look *l, const char *fmt, ...) PRINTF(2, 3);
static void hold(struct look *l, const char *fmt, ...)
{
	va_list ap;
	struct str why;

	va_start(ap, fmt);
	why = text(l, fmt, ap);
	va_end(ap);
	act(l, EVENT_HOLD, "%.*s", STR_ARG(why));
}

static void expose(
	struct look *l, const struct rollout_exposure *x, const char *why)
{
	struct channel_event *ev = &l->out->event;
	const char *name = l->p->config.rollout.rings[x->ring].name;

	act(l, EVENT_EXPOSE, "%s", why);
	ev->ring = str_from(name);
	ev->all = x->all;
	ev->targets = x->targets;
	ev->ntargets = x->ntargets;
}

/* Out of a bake: to the next ring or to the end, unless something is closed. */
static void advance(struct look *l, const char *why)
{
	const struct config_ring *r = ring_of(l);
	struct rollout_exposure x;

	if (frozen(l)) {
		say_frozen(l, frozen(l), hold);
		return;
	}
	if (r && r->gate) {
		hold(l, "gate: %s; ring %s waits for %d to promote it", why,
			r->name, l->p->config.rollout.approvers);
		return;
	}
	if (l->c->all) {
		act(l, EVENT_SUCCEED, "%s", why);
		return;
	}
	rollout_expose(l->p, l->c, &l->v->fleet, l->a, &x);
	if (x.ring == l->p->config.rollout.nrings)
		hold(l, "the plan has no ring behind %.*s",
			STR_ARG(l->c->ring_name));
	else if (x.away)
		wait_for(l, "all %u targets that ring %s would add are lost",
			x.away, l->p->config.rollout.rings[x.ring].name);
	else
		expose(l, &x, why);
}

/* --- preflight ------------------------------------------------------------ */

static bool first_release(const struct channel *c)
{
	return !c->last_good.revision.len;
}

static double rate_of(const struct rollout_fleet *f, const bool *chosen)
{
	double sum = 0;

	for (size_t i = 0; i < f->n; i++)
		if (!chosen || chosen[i])
			sum += f->rates[i];
	return sum;
}

/*
 * A small fleet can't keep to a quarter: there it is a quarter more than the
 * fair share of two targets, which is what a verdict wants at least.
 */
static double load_cap(const struct rollout_exposure *x)
{
	double few = fmin(2, x->has);

	return fmax(ROLLOUT_LOAD_CAP, 125 * few / (double)x->of);
}

static const char *too_much_load(
	struct look *l, const struct rollout_exposure *x)
{
	const struct rollout_fleet *f = &l->v->fleet;
	double all = rate_of(f, NULL), some = rate_of(f, x->chosen);

	if (x->all || all <= 0 || 100 * some <= load_cap(x) * all)
		return NULL;
	return arena_printf(l->a,
		"ring %s takes %.0f%% of all decisions, limit %.0f%%; choose "
		"other targets or fewer",
		l->p->config.rollout.rings[x->ring].name, 100 * some / all,
		load_cap(x));
}

static const char *never_passes(
	struct look *l, const struct rollout_exposure *x)
{
	const struct config *c = &l->p->config;
	double some = 60 * rate_of(&l->v->fleet, x->chosen);
	double rest = 60 * rate_of(&l->v->fleet, NULL) - some;
	double max = (double)c->rollout.bake_max_ns / NS_PER_S / 60;
	double min = (double)c->rollout.bake_min_ns / NS_PER_S / 60;

	if (x->all || some + rest <= 0 || l->p->on_inconclusive == WAY_PROMOTE)
		return NULL;
	if (!isinf(verdict_minutes(&l->p->verdict, some, rest,
		    l->v->usual.errors, fmin(min, max), ceil(max))))
		return NULL;
	return arena_printf(l->a,
		"ring %s decides %.3g times a minute, which proves nothing in "
		"%.0f minutes (bake.max); choose more targets or a longer bake",
		c->rollout.rings[x->ring].name, some, max);
}

static const char *differ_already(struct look *l)
{
	const struct rollout_usual *u = &l->v->usual;

	if (u->same < ROLLOUT_SAME_LIMIT)
		return NULL;
	return arena_printf(l->a,
		"canaries and the others differ already, with the same "
		"version, in %s (evidence %.3g, limit %d); choose other "
		"canaries",
		u->same_metric, fmin(u->same, 1e6), ROLLOUT_SAME_LIMIT);
}

static const char *ended_plan(struct look *l)
{
	const struct config *c = &l->p->config;
	struct stratum ignored;
	struct err e = {0};

	for (size_t i = 0; i < c->rollout.ndenies; i++)
		if (rollout_plan_denies(l->p,
			    str_from(c->rollout.denies[i].path), l->v->now_ns,
			    &ignored, &e))
			return arena_strdup(l->a, str_from(e.text));
	return NULL;
}

/* What can't get better by waiting; NULL: nothing. */
static const char *fault(struct look *l, const struct rollout_exposure *x)
{
	const char *why = ended_plan(l);

	if (why || !l->v->fleet.rates || first_release(l->c))
		return why;
	why = too_much_load(l, x);
	if (!why)
		why = never_passes(l, x);
	return why ? why : differ_already(l);
}

static void preflight(struct look *l)
{
	const struct rollout_view *v = l->v;
	struct rollout_exposure x;
	const char *why;

	if (!v->usual.known) {
		wait_for(l, "preflight: reading the last day's decisions");
		return;
	}
	rollout_expose(l->p, l->c, &v->fleet, l->a, &x);
	why = rollout_bad_rings(l->p, l->c, &v->fleet, &x, l->a);
	if (v->forced && x.ntargets)
		why = NULL;
	if (why && v->now_ns - l->c->since_ns < ROLLOUT_TARGETS_S * NS_PER_S) {
		wait_for(l, "preflight: %s", why);
		return;
	}
	if (!why && !v->forced)
		why = fault(l, &x);
	if (why)
		act(l, EVENT_REFUSE, "%s", why);
	else if (frozen(l))
		say_frozen(l, frozen(l), wait_for);
	else
		expose(l, &x, "preflight found nothing against it");
}

/* --- harm, and who looks for it ------------------------------------------- */

static bool has_candidate(const struct channel *c, const struct target *t)
{
	return str_eq(t->active, c->candidate.digest) ||
	       str_eq(t->revision, c->candidate.revision);
}

/* It was offered the candidate, and says since then that it can't have it. */
static const struct target *refused_it(const struct look *l)
{
	for (size_t i = 0; i < l->v->fleet.n; i++) {
		const struct target *t = &l->v->fleet.targets[i];

		if (t->error.len && !has_candidate(l->c, t) &&
			str_eq(t->offered, l->c->candidate.digest) &&
			t->status_ns >= t->offered_ns)
			return t;
	}
	return NULL;
}

static void fail(struct look *l, const char *why)
{
	if (l->p->on_fail == WAY_ROLLBACK)
		act(l, EVENT_ROLLBACK, "%s", why);
	else if (l->c->state != CHANNEL_HOLD)
		act(l, EVENT_HOLD, "fail: %s", why);
	else
		wait_for(l, "%s", why);
}

static bool found_harm(struct look *l)
{
	const struct target *t = refused_it(l);

	if (t)
		fail(l, arena_printf(l->a,
				"FAIL(activation): %.*s refused it: %.*s",
				STR_ARG(t->id), STR_ARG(t->error)));
	else if (l->v->verdict && l->v->verdict->outcome == VERDICT_FAIL)
		fail(l, l->v->verdict->reason);
	else
		return false;
	return true;
}

/* A judge that was away, or does not know what time it is. */
static bool no_judge(struct look *l)
{
	const struct rollout_view *v = l->v;
	double jump = (double)v->jump_ns / NS_PER_S;

	if (v->jump_ns)
		hold(l, "clock: this machine's clock jumped by %+.0f s", jump);
	else if (v->stale_ns >= ROLLOUT_STALE_S * NS_PER_S)
		hold(l,
			"judge-stale: nothing could be judged for %.0f s, "
			"limit %d",
			(double)v->stale_ns / NS_PER_S, ROLLOUT_STALE_S);
	else
		return false;
	return true;
}

/* --- distributing --------------------------------------------------------- */

struct there {
	uint32_t of, there, lost;
	const struct target *missing; /* the first */
	int64_t period_ns;            /* the longest between polls */
};

/* Those for whom `wanted` is meant. Whoever is lost is not waited for. */
static struct there count_there(
	const struct look *l, const struct channel_version *wanted)
{
	struct there n = {0};
	const struct rollout_fleet *f = &l->v->fleet;
	struct channel_rules rules;

	channel_rules(l->c, l->a, &rules);
	for (size_t i = 0; i < f->n; i++) {
		const struct target *t = &f->targets[i];
		struct channel_choice w = channel_choose(
			l->c, &rules, t->id, t->labels, t->nlabels, f->now_ns);

		if (w.version != wanted || w.pin)
			continue;
		n.of++;
		if (str_eq(t->active, wanted->digest)) {
			n.there++;
			continue;
		}
		n.lost += target_lost(t, f->now_ns);
		if (!n.missing)
			n.missing = t;
		if (t->period_ns > n.period_ns && !target_lost(t, f->now_ns))
			n.period_ns = t->period_ns;
	}
	return n;
}

static bool overdue(const struct look *l, const struct there *n)
{
	int64_t limit = ROLLOUT_CONVERGE_S * NS_PER_S;

	if (5 * n->period_ns > limit)
		limit = 5 * n->period_ns;
	return l->v->now_ns - l->c->since_ns >= limit;
}

static void distributing(struct look *l)
{
	const struct channel_version *w =
		l->c->all ? &l->c->stable : &l->c->candidate;
	struct there n = count_there(l, w);
	uint32_t live = n.of - n.lost;
	double need = ceil(l->p->verdict.min_reporting * live - 1e-9);

	need = fmax(need, fmin(2, n.of));
	if (n.of && n.there >= need)
		act(l, EVENT_CONVERGED, "%u of %u targets have it", n.there,
			n.of);
	else if (overdue(l, &n))
		hold(l,
			"silent: %u of %u targets took it up, %.0f "
			"needed%s%.*s",
			n.there, n.of, need, n.missing ? "; first not " : "",
			STR_ARG(n.missing ? n.missing->id : S("")));
	else
		wait_for(l, "%u of %u targets have it, %.0f needed", n.there,
			n.of, need);
}

/* --- baking --------------------------------------------------------------- */

static void inconclusive(struct look *l, const char *why)
{
	bool silent = l->v->verdict && !strcmp(l->v->verdict->why, "silent");
	const char *reason = l->p->config.rollout.reason;

	if (l->p->on_inconclusive == WAY_ROLLBACK)
		act(l, EVENT_ROLLBACK, "%s", why);
	else if (l->p->on_inconclusive == WAY_PROMOTE && l->v->evidence.len)
		advance(l, arena_printf(l->a, "%s: %s", reason, why));
	else
		hold(l, "%s: %s", silent ? "silent" : "inconclusive", why);
}

/* A fleet's bake takes its time, and then as much more as other rings have. */
static int64_t longest(const struct look *l)
{
	const struct config *c = &l->p->config;

	return c->rollout.bake_max_ns + l->v->extra_ns +
	       (l->c->all ? c->rollout.bake_fleet_ns : 0);
}

static void baking(struct look *l)
{
	const struct rollout_view *v = l->v;
	const struct verdict *d = v->verdict;
	const char *why = d ? d->reason : "nothing was judged yet";
	bool now = d && d->now_ns <= v->now_ns &&
		   v->now_ns - d->now_ns < 60 * NS_PER_S;

	if (now && d->outcome == VERDICT_PASS)
		advance(l, why);
	else if (v->now_ns - l->c->since_ns >= longest(l))
		inconclusive(l, why);
	else if (frozen(l) && d)
		wait_for(l, "%s (frozen: it will be held then)", why);
	else
		wait_for(l, "%s", why);
}

/* --- back, and the queue -------------------------------------------------- */

static void rolling_back(struct look *l)
{
	struct there n = count_there(l, &l->c->stable);

	if (n.there + n.lost == n.of)
		act(l, EVENT_CONVERGED, "all %u targets are back%s%.*s",
			n.there, n.lost ? "; not heard of: " : "",
			STR_ARG(n.missing ? n.missing->id : S("")));
	else if (overdue(l, &n))
		act(l, EVENT_CONVERGED,
			"%u of %u targets are back; stragglers, first %.*s",
			n.there, n.of, STR_ARG(n.missing->id));
	else
		wait_for(l, "%u of %u targets are back", n.there, n.of);
}

static void queue(struct look *l)
{
	const struct channel_version *q = &l->c->queued;

	if (!q->revision.len)
		return;
	if (frozen(l)) {
		say_frozen(l, frozen(l), wait_for);
		return;
	}
	if (str_eq(q->revision, l->c->stable.revision)) {
		wait_for(l, "%.*s waits, and is stable already",
			STR_ARG(q->revision));
		return;
	}
	if (channel_quarantined(l->c, q->revision)) {
		wait_for(l,
			"%.*s waits, and is in quarantine: a person has to "
			"start it",
			STR_ARG(q->revision));
		return;
	}
	act(l, EVENT_START, "%.*s waited for the channel",
		STR_ARG(q->revision));
	l->out->event.version = *q;
	l->out->event.evidence = S("");
}

void rollout_next(
	const struct rollout_view *v, struct arena *a, struct rollout_next *out)
{
	struct look l = {v, v->channel, v->plan, a, out};

	*out = (struct rollout_next){0};
	switch (v->channel->state) {
	case CHANNEL_PREFLIGHT:
		preflight(&l);
		break;
	case CHANNEL_DISTRIBUTING:
		if (!found_harm(&l) && !no_judge(&l))
			distributing(&l);
		break;
	case CHANNEL_BAKING:
	case CHANNEL_FLEET_BAKE:
		if (!found_harm(&l) && !no_judge(&l))
			baking(&l);
		break;
	case CHANNEL_HOLD:
		if (!found_harm(&l))
			wait_for(&l, "%.*s", STR_ARG(v->channel->hold));
		break;
	case CHANNEL_ROLLING_BACK:
		rolling_back(&l);
		break;
	case CHANNEL_IDLE:
	case CHANNEL_SUCCEEDED:
	case CHANNEL_ROLLED_BACK:
	case CHANNEL_ABORTED:
	case CHANNEL_REFUSED:
	case CHANNEL_STATES:
		queue(&l);
		break;
	}
}
