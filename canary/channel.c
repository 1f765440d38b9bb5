/*
 * The next record of a channel.
 *
 * A table says for each event who may, in which states, and whether a freeze
 * stops it; one function each then does it on a copy of the record. What a
 * function refuses it has not changed: the copy is thrown away.
 */
#include "canary/channel.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one event is applied with. */
struct step {
	const struct channel *before;
	const struct channel_event *ev;
	int64_t now;
	struct arena *a;
	struct channel *c; /* the record to come */
	struct err *e;
};

typedef enum channel_refusal apply_fn(struct step *s);

static enum channel_refusal refuse(struct step *s, enum channel_refusal r,
	const char *fmt, ...) PRINTF(3, 4);

/* clang-format off */
static const struct {
	const char *name;
	enum status status;
} refusals[REFUSALS] = {
	[REFUSED_NOT]          = {"none",           OK},
	[REFUSED_ALREADY]      = {"already",        E_EXISTS},
	[REFUSED_ROLE]         = {"role",           E_DENIED},
	[REFUSED_GENERATION]   = {"generation",     E_CONFLICT},
	[REFUSED_FENCED]       = {"fenced",         E_CONFLICT},
	[REFUSED_ROLLOUT]      = {"rollout",        E_CONFLICT},
	[REFUSED_STATE]        = {"state",          E_CONFLICT},
	[REFUSED_BUSY]         = {"busy",           E_CONFLICT},
	[REFUSED_OVERLAP]      = {"overlap",        E_CONFLICT},
	[REFUSED_FROZEN]       = {"frozen",         E_DENIED},
	[REFUSED_QUARANTINED]  = {"quarantined",    E_DENIED},
	[REFUSED_STALE_COMMIT] = {"stale-commit",   E_CONFLICT},
	[REFUSED_DIVERGENT]    = {"divergent",      E_CONFLICT},
	[REFUSED_OTHER_BYTES]  = {"other-bytes",    E_CONFLICT},
	[REFUSED_NOT_PROMOTED] = {"not-promoted",   E_DENIED},
	[REFUSED_NO_GOOD]      = {"no-good",        E_NOT_FOUND},
	[REFUSED_IN_USE]       = {"in-use",         E_CONFLICT},
	[REFUSED_NOTHING]      = {"nothing",        E_NOT_FOUND},
	[REFUSED_WHY]          = {"why",            E_INVALID},
	[REFUSED_EVIDENCE]     = {"evidence",       E_DENIED},
	[REFUSED_PEOPLE]       = {"people",         E_DENIED},
	[REFUSED_UNTIL]        = {"until",          E_INVALID},
	[REFUSED_VALUE]        = {"value",          E_INVALID},
	[REFUSED_LIMIT]        = {"limit",          E_LIMIT},
};
/* clang-format on */

const char *channel_refusal_name(enum channel_refusal r)
{
	return refusals[r].name;
}

static enum channel_refusal refuse(
	struct step *s, enum channel_refusal r, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(s->e, refusals[r].status, "%s", text);
	return r;
}

/* --- small questions ------------------------------------------------------ */

bool channel_busy(enum channel_state s)
{
	return s >= CHANNEL_PREFLIGHT && s <= CHANNEL_ROLLING_BACK;
}

/* There is a candidate that could still become stable. */
static bool active(const struct channel *c)
{
	return channel_busy(c->state) && c->state != CHANNEL_ROLLING_BACK;
}

static bool people(const struct channel_event *ev)
{
	return ev->roles & (ROLE_RELEASE | ROLE_ONCALL);
}

static bool same(
	const struct channel_version *a, const struct channel_version *b)
{
	return str_eq(a->revision, b->revision);
}

static const struct channel_quarantine *in_quarantine(
	const struct channel *c, struct str revision)
{
	for (uint32_t i = 0; i < c->nquarantine; i++)
		if (str_eq(c->quarantine[i].version.revision, revision))
			return &c->quarantine[i];
	return NULL;
}

bool channel_quarantined(const struct channel *c, struct str revision)
{
	return in_quarantine(c, revision) != NULL;
}

static bool holds(const struct channel_freeze *f, int64_t now)
{
	return f->until_ns > now && f->from_ns <= now;
}

const struct channel_freeze *channel_frozen(
	const struct channel *c, bool automation, int64_t now_ns)
{
	if (holds(&c->freeze[FREEZE_ALL], now_ns))
		return &c->freeze[FREEZE_ALL];
	if (automation && holds(&c->freeze[FREEZE_AUTOMATION], now_ns))
		return &c->freeze[FREEZE_AUTOMATION];
	return NULL;
}

const struct channel_version *channel_way_back(const struct channel *c)
{
	const struct channel_version *v = &c->last_good;

	if (c->state == CHANNEL_SUCCEEDED)
		v = &c->former;
	return v->revision.len && !channel_quarantined(c, v->revision) ? v
								       : NULL;
}

enum channel_relation channel_relation(
	const struct channel_version *v, const struct channel_version *base)
{
	if (!v->commit.len || !base->commit.len ||
		str_eq(v->commit, base->commit))
		return RELATION_UNKNOWN;
	if (v->order && base->order) {
		if (v->order == base->order)
			return RELATION_DIVERGENT;
		return v->order > base->order ? RELATION_AHEAD : RELATION_STALE;
	}
	return v->commit_time < base->commit_time ? RELATION_STALE
						  : RELATION_UNKNOWN;
}

static bool follows(const struct channel_ancestry *x, struct str commit)
{
	struct str rest = x->commits;

	while (rest.len) {
		struct str one = str_take(&rest, S("."));

		if (one.len && str_starts(commit, one))
			return true;
	}
	return false;
}

/* Were it an ancestor, then it would be listed. */
static bool not_among(
	const struct channel_ancestry *x, const struct channel_version *v)
{
	return x->since && v->commit_time > x->since;
}

enum channel_relation channel_descent(const struct channel_version *v,
	const struct channel_ancestry *of_v, const struct channel_version *base,
	const struct channel_ancestry *of_base)
{
	enum channel_relation told = channel_relation(v, base);

	if (!v->commit.len || !base->commit.len ||
		str_eq(v->commit, base->commit))
		return told;
	if (follows(of_v, base->commit))
		return RELATION_AHEAD;
	if (follows(of_base, v->commit))
		return RELATION_STALE;
	if (!not_among(of_v, base))
		return told;
	return told == RELATION_STALE && !not_among(of_base, v)
		       ? RELATION_STALE
		       : RELATION_DIVERGENT;
}

bool channel_contains(const struct channel_version *v,
	const struct channel_ancestry *of_v, const struct channel_version *q)
{
	return q->commit.len &&
	       (str_eq(v->commit, q->commit) || follows(of_v, q->commit));
}

/* --- lists ---------------------------------------------------------------- */

bool channel_lists(const struct channel *c, struct str target)
{
	return str_among(target, c->targets, c->ntargets);
}

/* `n` ids in order, each once. */
static struct str *sorted(
	struct arena *a, const struct str *ids, uint32_t n, uint32_t *out)
{
	struct str *s = ARENA_ARRAY(a, struct str, n);
	uint32_t len = 0;

	if (!n)
		return *out = 0, s;
	memcpy(s, ids, n * sizeof(*s));
	str_sort(s, n);
	for (uint32_t i = 0; i < n; i++)
		if (!len || !str_eq(s[len - 1], s[i]))
			s[len++] = s[i];
	*out = len;
	return s;
}

static void keep_pins(
	struct step *s, bool (*keep)(struct step *, const struct channel_pin *))
{
	struct channel *c = s->c;
	struct channel_pin *pins =
		ARENA_ARRAY(s->a, struct channel_pin, c->npins + 1);
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->npins; i++)
		if (keep(s, &c->pins[i]))
			pins[n++] = c->pins[i];
	c->pins = pins;
	c->npins = n;
}

static void pardon(struct step *s, struct str revision)
{
	struct channel *c = s->c;
	struct channel_quarantine *q =
		ARENA_ARRAY(s->a, struct channel_quarantine, c->nquarantine);
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->nquarantine; i++)
		if (!str_eq(c->quarantine[i].version.revision, revision))
			q[n++] = c->quarantine[i];
	c->quarantine = q;
	c->nquarantine = n;
}

/* At the limit the oldest goes: a rollback is never refused for that. */
static void quarantine(struct step *s, const struct channel_version *v)
{
	struct channel *c = s->c;
	uint32_t skip = c->nquarantine >= CHANNEL_QUARANTINE_MAX;
	uint32_t n = c->nquarantine - skip;
	struct channel_quarantine *q =
		ARENA_ARRAY(s->a, struct channel_quarantine, n + 1);

	if (!v->revision.len || in_quarantine(c, v->revision))
		return;
	if (n)
		memcpy(q, c->quarantine + skip, n * sizeof(*q));
	q[n] = (struct channel_quarantine){*v, s->ev->who, s->ev->why, s->now};
	c->quarantine = q;
	c->nquarantine = n + 1;
	if (same(&c->queued, v))
		c->queued = (struct channel_version){0};
}

/* --- moving --------------------------------------------------------------- */

static void enter(struct step *s, enum channel_state state)
{
	s->c->state = state;
	s->c->since_ns = s->now;
	s->c->hold = (struct str){0};
	s->c->held_from = CHANNEL_IDLE;
	s->c->approvals = NULL;
	s->c->napprovals = 0;
}

/* No target has the candidate any more. */
static void withdraw(struct channel *c)
{
	c->candidate = (struct channel_version){0};
	c->targets = NULL;
	c->ntargets = 0;
	c->all = false;
}

static enum channel_refusal publish(struct step *s)
{
	if (s->ev->known == KNOWN_OTHER)
		return refuse(s, REFUSED_OTHER_BYTES,
			"%.*s was published with other bytes; a version never "
			"changes, so publish under another revision",
			STR_ARG(s->ev->version.revision));
	if (s->ev->known == KNOWN_SAME)
		return refuse(s, REFUSED_ALREADY,
			"%.*s is published already, with the same bytes",
			STR_ARG(s->ev->version.revision));
	return REFUSED_NOT;
}

static struct str short_of(struct str commit)
{
	return str_slice(commit, 0, commit.len < 12 ? commit.len : 12);
}

static enum channel_refusal startable(struct step *s)
{
	const struct channel_event *ev = s->ev;
	const struct channel_version *v = &ev->version,
				     *base = &s->c->last_good;
	const struct channel_quarantine *q = in_quarantine(s->c, v->revision);

	if (q && !(ev->force && people(ev)))
		return refuse(s, REFUSED_QUARANTINED,
			"%.*s is in quarantine since %.*s took it back; fix "
			"forward, or start it with --force and --reason",
			STR_ARG(v->revision), STR_ARG(q->who));
	if (ev->relation == RELATION_STALE)
		return refuse(s, REFUSED_STALE_COMMIT,
			"%.*s is older than %.*s, which is stable: this looks "
			"like a late job; to go back, use rollback --to",
			STR_ARG(v->revision), STR_ARG(base->revision));
	if (ev->relation == RELATION_DIVERGENT && !ev->allow_divergent)
		return refuse(s, REFUSED_DIVERGENT,
			"%.*s (commit %.*s) does not follow %.*s (commit "
			"%.*s), which is stable: history was rewritten, or it "
			"is of another branch; publish one that follows it, or "
			"start with --allow-divergent",
			STR_ARG(v->revision), STR_ARG(short_of(v->commit)),
			STR_ARG(base->revision),
			STR_ARG(short_of(base->commit)));
	return REFUSED_NOT;
}

static void start_now(struct step *s)
{
	struct channel *c = s->c;

	if (active(c))
		c->stable = c->last_good;
	withdraw(c);
	pardon(s, s->ev->version.revision);
	if (same(&c->queued, &s->ev->version))
		c->queued = (struct channel_version){0};
	c->candidate = s->ev->version;
	c->rollout++;
	c->starter = s->ev->who;
	c->started_ns = s->now;
	c->ring = 0;
	c->ring_name = (struct str){0};
	enter(s, CHANNEL_PREFLIGHT);
}

/* Waits for the channel; only the newest does. */
static enum channel_refusal enqueue(struct step *s)
{
	const struct channel_version *v = &s->ev->version;

	if (same(&s->c->queued, v))
		return refuse(s, REFUSED_ALREADY, "%.*s is waiting already",
			STR_ARG(v->revision));
	if (s->c->queued.revision.len &&
		channel_relation(v, &s->c->queued) == RELATION_STALE)
		return refuse(s, REFUSED_STALE_COMMIT,
			"%.*s is older than %.*s, which waits already",
			STR_ARG(v->revision), STR_ARG(s->c->queued.revision));
	s->c->queued = *v;
	return REFUSED_NOT;
}

static enum channel_refusal frozen(struct step *s);

/* What stands against a start for some time, and would let it wait. */
static enum channel_refusal in_the_way(struct step *s)
{
	const struct channel_event *ev = s->ev;
	enum channel_refusal r = frozen(s);

	if (r || !ev->overlap.len || ev->allow_overlap)
		return r;
	return refuse(s, REFUSED_OVERLAP,
		"%.*s is being rolled out to the same targets, and what goes "
		"wrong there could be of either; wait for it, or start with "
		"--if-busy=queue or --allow-overlap",
		STR_ARG(ev->overlap));
}

static enum channel_refusal start(struct step *s)
{
	struct channel *c = s->c;
	const struct channel_version *v = &s->ev->version;
	bool queue = s->ev->if_busy == BUSY_QUEUE;
	enum channel_refusal r;

	if (active(c) && same(&c->candidate, v))
		return refuse(s, REFUSED_ALREADY, "%.*s is being rolled out",
			STR_ARG(v->revision));
	if (!active(c) && same(&c->stable, v))
		return refuse(s, REFUSED_ALREADY, "%.*s is stable",
			STR_ARG(v->revision));
	r = startable(s);
	if (!r && s->ev->roles == ROLE_ENGINE && !same(&c->queued, v))
		r = refuse(s, REFUSED_PEOPLE, "%.*s is not what waits",
			STR_ARG(v->revision));
	if (r)
		return r;
	r = in_the_way(s);
	if (r)
		return queue ? enqueue(s) : r;
	if (channel_busy(c->state) && queue)
		return enqueue(s);
	if (channel_busy(c->state) && s->ev->if_busy == BUSY_REJECT)
		return refuse(s, REFUSED_BUSY,
			"rollout %lld is %s; wait for it, or start with "
			"--if-busy=queue or --if-busy=supersede",
			(long long)c->rollout, channel_state_name(c->state));
	start_now(s);
	return REFUSED_NOT;
}

static enum channel_refusal stop(struct step *s)
{
	s->c->stable = s->c->last_good;
	withdraw(s->c);
	enter(s, s->ev->kind == EVENT_REFUSE ? CHANNEL_REFUSED
					     : CHANNEL_ABORTED);
	return REFUSED_NOT;
}

/* Out of a bake by evidence, or by a person who says why; of a hold, people. */
static enum channel_refusal may_advance(struct step *s)
{
	const struct channel_event *ev = s->ev;

	if (s->c->state == CHANNEL_HOLD && !people(ev))
		return refuse(s, REFUSED_PEOPLE,
			"rollout %lld is on hold (%.*s); a person has to "
			"promote, resume or abort it",
			(long long)s->c->rollout, STR_ARG(s->c->hold));
	if (s->c->state == CHANNEL_HOLD || s->c->state == CHANNEL_PREFLIGHT)
		return REFUSED_NOT;
	if (!ev->evidence.len && !(ev->force && people(ev)))
		return refuse(s, REFUSED_EVIDENCE,
			"the bake has no verdict yet; wait for it, or promote "
			"with --skip-analysis and --reason");
	return REFUSED_NOT;
}

static enum channel_refusal expose_all(struct step *s)
{
	struct channel *c = s->c;
	uint32_t n;
	struct str *held = sorted(s->a, s->ev->targets, s->ev->ntargets, &n);

	for (uint32_t i = 0; i < n; i++)
		if (channel_lists(c, held[i]))
			return refuse(s, REFUSED_VALUE,
				"%.*s has the candidate and can't be held back",
				STR_ARG(held[i]));
	c->targets = held;
	c->ntargets = n;
	c->all = true;
	c->stable = c->candidate;
	return REFUSED_NOT;
}

static enum channel_refusal expose_some(struct step *s)
{
	struct channel *c = s->c;
	uint32_t add = s->ev->ntargets, n = c->ntargets;
	struct str *ids = ARENA_ARRAY(s->a, struct str, n + add);

	if (!n && !add)
		return refuse(s, REFUSED_NOTHING,
			"the ring %.*s has no targets", STR_ARG(s->ev->ring));
	if (n)
		memcpy(ids, c->targets, n * sizeof(*ids));
	if (add)
		memcpy(ids + n, s->ev->targets, add * sizeof(*ids));
	c->targets = sorted(s->a, ids, n + add, &c->ntargets);
	if (c->ntargets > CHANNEL_TARGETS_MAX)
		return refuse(s, REFUSED_LIMIT, "more than %d targets",
			CHANNEL_TARGETS_MAX);
	return REFUSED_NOT;
}

static enum channel_refusal expose(struct step *s)
{
	enum channel_refusal r = may_advance(s);

	if (!r && s->c->all)
		r = refuse(s, REFUSED_STATE, "all targets have %.*s already",
			STR_ARG(s->c->candidate.revision));
	if (!r)
		r = s->ev->all ? expose_all(s) : expose_some(s);
	if (r)
		return r;
	s->c->ring++;
	s->c->ring_name = s->ev->ring;
	enter(s, CHANNEL_DISTRIBUTING);
	return REFUSED_NOT;
}

static enum channel_refusal converged(struct step *s)
{
	if (s->c->state == CHANNEL_ROLLING_BACK)
		enter(s, CHANNEL_ROLLED_BACK);
	else
		enter(s, s->c->all ? CHANNEL_FLEET_BAKE : CHANNEL_BAKING);
	return REFUSED_NOT;
}

static enum channel_refusal hold(struct step *s)
{
	enum channel_state from = s->c->state;

	enter(s, CHANNEL_HOLD);
	s->c->held_from = from;
	s->c->hold = s->ev->why;
	return REFUSED_NOT;
}

static enum channel_refusal resume(struct step *s)
{
	enter(s, s->c->held_from);
	return REFUSED_NOT;
}

static enum channel_refusal approve(struct step *s)
{
	struct channel *c = s->c;
	uint32_t n = c->napprovals;
	struct str *all = ARENA_ARRAY(s->a, struct str, n + 1);

	for (uint32_t i = 0; i < n; i++) {
		if (str_eq(c->approvals[i], s->ev->who))
			return refuse(s, REFUSED_ALREADY,
				"%.*s has approved already",
				STR_ARG(s->ev->who));
		all[i] = c->approvals[i];
	}
	if (n == CHANNEL_APPROVALS_MAX)
		return refuse(s, REFUSED_LIMIT, "more than %d approvals",
			CHANNEL_APPROVALS_MAX);
	all[n] = s->ev->who;
	c->approvals = all;
	c->napprovals = n + 1;
	return REFUSED_NOT;
}

static enum channel_refusal succeed(struct step *s)
{
	struct channel *c = s->c;
	enum channel_refusal r;

	if (!c->all)
		return refuse(s, REFUSED_STATE,
			"rollout %lld has not reached all targets",
			(long long)c->rollout);
	r = may_advance(s);
	if (r)
		return r;
	c->former = c->last_good;
	c->last_good = c->stable = c->candidate;
	withdraw(c);
	enter(s, CHANNEL_SUCCEEDED);
	return REFUSED_NOT;
}

/* --- back ----------------------------------------------------------------- */

enum { ROLLBACK_FREEZE_H = 12 };

static enum channel_refusal back_to(
	struct step *s, struct channel_version *to, bool *good)
{
	const struct channel_event *ev = s->ev;
	const struct channel *c = s->c;

	*to = ev->version;
	*good = ev->promoted;
	if (to->revision.len) {
		if (channel_quarantined(c, to->revision) && !ev->force)
			return refuse(s, REFUSED_QUARANTINED,
				"%.*s is in quarantine; choose another, or use "
				"--force and --reason",
				STR_ARG(to->revision));
		if (!ev->promoted && !ev->force)
			return refuse(s, REFUSED_NOT_PROMOTED,
				"%.*s never reached the end of a rollout; "
				"choose another, or use --force and --reason",
				STR_ARG(to->revision));
		return REFUSED_NOT;
	}
	*good = true;
	*to = c->last_good;
	if (c->state != CHANNEL_SUCCEEDED)
		return REFUSED_NOT;
	if (!channel_way_back(c))
		return refuse(s, REFUSED_NO_GOOD,
			"no good version before %.*s is known; name one with "
			"--to",
			STR_ARG(c->stable.revision));
	*to = *channel_way_back(c);
	return REFUSED_NOT;
}

/* Who asked for a longer freeze keeps it. */
static void freeze_automation(struct step *s)
{
	struct channel_freeze *f = &s->c->freeze[FREEZE_AUTOMATION];
	int64_t until = s->now + ROLLBACK_FREEZE_H * INT64_C(3600000000000);

	if (holds(f, s->now) && f->until_ns >= until)
		return;
	*f = (struct channel_freeze){s->ev->who, s->ev->why, s->now, until};
}

/*
 * The pointer, quarantine, freeze and fence, at once. A version that is left
 * is bad, and what is gone back to is not.
 */
static enum channel_refusal rollback(struct step *s)
{
	struct channel *c = s->c;
	struct channel_version to, left = active(c) ? c->candidate : c->stable;
	bool good;
	enum channel_refusal r = back_to(s, &to, &good);

	if (r)
		return r;
	if (!active(c) && same(&c->stable, &to))
		return refuse(s, REFUSED_ALREADY,
			"already at %.*s, 0 changed; to go further back, name "
			"a version with --to",
			STR_ARG(to.revision));
	if (!same(&left, &to))
		quarantine(s, &left);
	pardon(s, to.revision);
	withdraw(c);
	c->bad = left;
	c->stable = to;
	if (good || same(&c->last_good, &left))
		c->last_good = good ? to : (struct channel_version){0};
	c->former = (struct channel_version){0};
	freeze_automation(s);
	c->fence = c->generation;
	enter(s, CHANNEL_ROLLING_BACK);
	return REFUSED_NOT;
}

/* --- freezes, pins, quarantine -------------------------------------------- */

static enum channel_refusal later(struct step *s)
{
	if (s->ev->until_ns <= s->now || s->ev->from_ns >= s->ev->until_ns)
		return refuse(s, REFUSED_UNTIL,
			"a %s needs an end that lies ahead; use --until or "
			"--for",
			channel_event_name(s->ev->kind));
	return REFUSED_NOT;
}

static enum channel_refusal freeze(struct step *s)
{
	const struct channel_event *ev = s->ev;
	enum channel_refusal r = later(s);

	if (!r)
		s->c->freeze[ev->scope] = (struct channel_freeze){ev->who,
			ev->why, ev->from_ns ? ev->from_ns : s->now,
			ev->until_ns};
	return r;
}

static enum channel_refusal unfreeze(struct step *s)
{
	struct channel_freeze *f = s->c->freeze;
	bool any = false;

	for (int i = 0; i <= (int)s->ev->scope; i++) {
		any = any || f[i].until_ns > s->now;
		f[i] = (struct channel_freeze){0};
	}
	return any ? REFUSED_NOT
		   : refuse(s, REFUSED_ALREADY, "the channel is not frozen");
}

static bool other_pin(struct step *s, const struct channel_pin *p)
{
	return !str_eq(p->target, s->ev->target) ||
	       !str_eq(p->selector, s->ev->selector);
}

static bool valid_pin(struct step *s, const struct channel_pin *p)
{
	return p->until_ns > s->now;
}

static enum channel_refusal pin_place(struct step *s)
{
	struct selector parsed;
	struct arena scratch = {0};
	struct err why = {0};
	enum status st = OK;

	if (!s->ev->target.len == !s->ev->selector.len)
		return refuse(s, REFUSED_VALUE,
			"a pin is of one target or of a selector of labels");
	if (s->ev->selector.len)
		st = selector_parse(&parsed, s->ev->selector, &scratch, &why);
	arena_release(&scratch);
	if (st)
		return refuse(s, REFUSED_VALUE, "%s", why.text);
	return REFUSED_NOT;
}

static enum channel_refusal pin(struct step *s)
{
	struct channel *c = s->c;
	const struct channel_event *ev = s->ev;
	enum channel_refusal r = pin_place(s);

	if (!r)
		r = later(s);
	if (r)
		return r;
	if (channel_quarantined(c, ev->version.revision))
		return refuse(s, REFUSED_QUARANTINED,
			"%.*s is in quarantine; pardon it before pinning to it",
			STR_ARG(ev->version.revision));
	keep_pins(s, other_pin);
	if (c->npins >= CHANNEL_PINS_MAX)
		return refuse(s, REFUSED_LIMIT, "more than %d pins",
			CHANNEL_PINS_MAX);
	c->pins[c->npins++] = (struct channel_pin){ev->target, ev->selector,
		ev->version, ev->who, ev->why, ev->until_ns};
	return REFUSED_NOT;
}

static enum channel_refusal unpin(struct step *s)
{
	uint32_t before = s->c->npins;

	keep_pins(s, other_pin);
	if (s->c->npins == before)
		return refuse(s, REFUSED_NOTHING, "there is no pin of %.*s",
			STR_ARG(s->ev->target.len ? s->ev->target
						  : s->ev->selector));
	return REFUSED_NOT;
}

static enum channel_refusal set_quarantine(struct step *s)
{
	struct channel *c = s->c;
	const struct channel_version *v = &s->ev->version;

	if (channel_quarantined(c, v->revision))
		return refuse(s, REFUSED_ALREADY, "%.*s is in quarantine",
			STR_ARG(v->revision));
	if (same(v, &c->stable) || same(v, &c->candidate) ||
		same(v, &c->last_good))
		return refuse(s, REFUSED_IN_USE,
			"%.*s is %s; roll back to be rid of it",
			STR_ARG(v->revision),
			same(v, &c->candidate) ? "the candidate" : "stable");
	if (c->nquarantine >= CHANNEL_QUARANTINE_MAX)
		return refuse(s, REFUSED_LIMIT,
			"more than %d versions in quarantine",
			CHANNEL_QUARANTINE_MAX);
	quarantine(s, v);
	return REFUSED_NOT;
}

static enum channel_refusal end_quarantine(struct step *s)
{
	if (!channel_quarantined(s->c, s->ev->version.revision))
		return refuse(s, REFUSED_NOTHING, "%.*s is not in quarantine",
			STR_ARG(s->ev->version.revision));
	pardon(s, s->ev->version.revision);
	return REFUSED_NOT;
}

static enum channel_refusal raise_epoch(struct step *s)
{
	if (s->ev->epoch <= s->c->epoch)
		return refuse(s, REFUSED_VALUE,
			"the epoch is %lld and only rises",
			(long long)s->c->epoch);
	s->c->epoch = s->ev->epoch;
	return REFUSED_NOT;
}

/* --- the table ------------------------------------------------------------ */

enum {
	NEEDS_WHY = 1 << 0,
	NEEDS_EXPECT = 1 << 1, /* a generation, or it could be late */
	NEEDS_VERSION = 1 << 2,
	STOPS_FROZEN = 1 << 3,
	NO_CHANGE = 1 << 4, /* of the record */
};

#define IN(state) (1u << CHANNEL_##state)

enum {
	ANY = (1u << CHANNEL_STATES) - 1,
	DEPLOYED = IN(DISTRIBUTING) | IN(BAKING) | IN(FLEET_BAKE),
	ACTIVE = DEPLOYED | IN(PREFLIGHT) | IN(HOLD),
	CI = ROLE_CI,
	REL = ROLE_RELEASE,
	ONC = ROLE_ONCALL,
	ENG = ROLE_ENGINE,
};

/* clang-format off */
static const struct row {
	unsigned roles, states, flags;
	apply_fn *fn;
} rows[EVENTS] = {
	[EVENT_PUBLISH]    = {CI | REL,        ANY, NEEDS_VERSION | NO_CHANGE, publish},
	[EVENT_START]      = {CI | REL | ENG,  ANY, NEEDS_VERSION, start},
	[EVENT_REFUSE]     = {REL | ENG,       IN(PREFLIGHT), NEEDS_WHY | NEEDS_EXPECT, stop},
	[EVENT_EXPOSE]     = {REL | ENG,       IN(PREFLIGHT) | IN(BAKING) | IN(HOLD),
						NEEDS_EXPECT | STOPS_FROZEN, expose},
	[EVENT_CONVERGED]  = {ENG,             IN(DISTRIBUTING) | IN(ROLLING_BACK),
						NEEDS_EXPECT, converged},
	[EVENT_HOLD]       = {REL | ONC | ENG, DEPLOYED, NEEDS_WHY | NEEDS_EXPECT, hold},
	[EVENT_RESUME]     = {REL | ONC,       IN(HOLD), NEEDS_EXPECT, resume},
	[EVENT_APPROVE]    = {REL,             DEPLOYED | IN(HOLD), 0, approve},
	[EVENT_SUCCEED]    = {REL | ENG,       IN(FLEET_BAKE) | IN(HOLD),
						NEEDS_EXPECT | STOPS_FROZEN, succeed},
	[EVENT_ABORT]      = {REL | ONC,       ACTIVE, 0, stop},
	[EVENT_ROLLBACK]   = {REL | ONC | ENG, ANY, 0, rollback},
	[EVENT_FREEZE]     = {REL | ONC,       ANY, NEEDS_WHY, freeze},
	[EVENT_UNFREEZE]   = {REL,             ANY, 0, unfreeze},
	[EVENT_PIN]        = {REL | ONC,       ANY, NEEDS_VERSION | NEEDS_WHY, pin},
	[EVENT_UNPIN]      = {REL | ONC,       ANY, 0, unpin},
	[EVENT_QUARANTINE] = {REL | ONC,       ANY, NEEDS_VERSION | NEEDS_WHY, set_quarantine},
	[EVENT_PARDON]     = {REL,             ANY, NEEDS_VERSION | NEEDS_WHY, end_quarantine},
	[EVENT_EPOCH]      = {REL,             ANY, NEEDS_WHY, raise_epoch},
};
/* clang-format on */

static enum channel_refusal frozen(struct step *s)
{
	const struct channel_event *ev = s->ev;
	const struct channel_freeze *f =
		channel_frozen(s->before, !people(ev), s->now);
	struct str who = f ? f->who : ev->frozen_by;
	struct str why = f ? f->why : ev->frozen_why;

	if (!who.len || (ev->break_glass && people(ev)))
		return REFUSED_NOT;
	return refuse(s, REFUSED_FROZEN,
		"%sfrozen by %.*s (%.*s); unfreeze%s, or use --break-glass and "
		"--reason",
		f ? "" : "all channels are ", STR_ARG(who),
		STR_ARG(why.len ? why : S("no reason")), f ? "" : " --all");
}

static bool text_fits(struct str s)
{
	return s.len <= CHANNEL_TEXT_MAX && utf8_valid(s.ptr, s.len);
}

/* What is written into the ledger must read as it was given. */
static enum channel_refusal check_values(struct step *s)
{
	const struct channel_event *ev = s->ev;
	const struct str all[] = {ev->who, ev->why, ev->evidence, ev->ring,
		ev->target, ev->selector, ev->version.revision,
		ev->version.digest, ev->version.commit, ev->ancestry.commits};

	for (size_t i = 0; i < COUNT(all); i++)
		if (!text_fits(all[i]))
			return refuse(s, REFUSED_VALUE,
				"a text is longer than %d bytes or not UTF-8",
				CHANNEL_TEXT_MAX);
	if (ev->ntargets > CHANNEL_TARGETS_MAX)
		return refuse(s, REFUSED_LIMIT, "more than %d targets",
			CHANNEL_TARGETS_MAX);
	for (uint32_t i = 0; i < ev->ntargets; i++)
		if (!ev->targets[i].len || !text_fits(ev->targets[i]))
			return refuse(s, REFUSED_VALUE,
				"target %u has no id in UTF-8", i);
	if (!ev->who.len)
		return refuse(s, REFUSED_VALUE,
			"nobody is named as the one "
			"who did it");
	return REFUSED_NOT;
}

static enum channel_refusal check_needs(struct step *s, unsigned flags)
{
	const struct channel_event *ev = s->ev;
	bool why = flags & NEEDS_WHY || ev->force || ev->break_glass;

	if (why && !ev->why.len)
		return refuse(s, REFUSED_WHY, "say why, with --reason");
	if (flags & NEEDS_VERSION && !ev->version.revision.len)
		return refuse(s, REFUSED_VALUE, "no version is named");
	if (flags & NEEDS_EXPECT && !ev->expect)
		return refuse(s, REFUSED_VALUE,
			"no generation is named that this was decided on");
	return REFUSED_NOT;
}

/* Who lost against a rollback is told so. */
static enum channel_refusal check_generation(struct step *s)
{
	const struct channel *c = s->before;
	const struct channel_event *ev = s->ev;

	if (ev->expect && ev->expect != c->generation)
		return refuse(s,
			ev->expect < c->fence ? REFUSED_FENCED
					      : REFUSED_GENERATION,
			"decided on generation %lld, but it is %lld now%s; "
			"look "
			"again",
			(long long)ev->expect, (long long)c->generation,
			ev->expect < c->fence ? ": a rollback came first" : "");
	if (ev->rollout && ev->rollout != c->rollout)
		return refuse(s, REFUSED_ROLLOUT,
			"meant for rollout %lld, but it is %lld now",
			(long long)ev->rollout, (long long)c->rollout);
	return REFUSED_NOT;
}

/* As people call it, who type one word for both ways on. */
static const char *verb(enum channel_event_kind kind)
{
	bool on = kind == EVENT_EXPOSE || kind == EVENT_SUCCEED;

	return on ? "promote" : channel_event_name(kind);
}

static enum channel_refusal check_state(struct step *s, const struct row *row)
{
	struct buf when = {0};
	enum channel_refusal r;

	if (row->states & 1u << s->before->state)
		return REFUSED_NOT;
	for (int i = 0; i < CHANNEL_STATES; i++)
		if (row->states & 1u << i)
			buf_addf(&when, "%s%s", when.len ? ", " : "",
				channel_state_name((enum channel_state)i));
	r = refuse(s, REFUSED_STATE,
		"rollout %lld is %s; %s is possible in: %s",
		(long long)s->before->rollout,
		channel_state_name(s->before->state), verb(s->ev->kind),
		when.ptr);
	buf_release(&when);
	return r;
}

static enum channel_refusal check(struct step *s, const struct row *row)
{
	enum channel_refusal r = check_values(s);

	if (!r && !(row->roles & (unsigned)s->ev->roles))
		r = refuse(s, REFUSED_ROLE, "%.*s has no role that may %s",
			STR_ARG(s->ev->who), channel_event_name(s->ev->kind));
	if (!r)
		r = check_needs(s, row->flags);
	if (!r)
		r = check_generation(s);
	if (!r)
		r = check_state(s, row);
	if (!r && row->flags & STOPS_FROZEN)
		r = frozen(s);
	return r;
}

enum channel_refusal channel_apply(const struct channel *before,
	const struct channel_event *ev, int64_t now_ns, struct arena *a,
	struct channel *after, struct err *e)
{
	struct channel next = *before;
	struct step s = {before, ev, now_ns, a, &next, e};
	enum channel_refusal r;

	if (ev->kind <= EVENT_NONE || ev->kind >= EVENTS)
		return refuse(&s, REFUSED_VALUE, "no such event");
	r = check(&s, &rows[ev->kind]);
	if (r)
		return r;
	if (!(rows[ev->kind].flags & NO_CHANGE)) {
		next.generation++;
		keep_pins(&s, valid_pin);
	}
	r = rows[ev->kind].fn(&s);
	if (!r)
		*after = next;
	return r;
}
