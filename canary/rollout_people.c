/* What people do to a rollout under way, with its plan in view. */
#include "base/json.h"
#include "canary/rollout_internal.h"

#include <string.h>

struct act {
	struct state *s;
	const struct rollout_promote *p;
	struct arena *a;
	struct channel c;
	struct rollout_record record;
	struct rollout_plan plan;
	struct rollout_promoted *out;
	struct err *e;
};

static enum status load(struct state *s, struct str bundle, struct arena *a,
	struct channel *c, struct rollout_record *r, struct rollout_plan *p,
	struct err *e)
{
	bool found;
	enum status st = state_load(s, bundle, a, c, &found, e);

	if (!st && (!found || !channel_busy(c->state)))
		st = err_set(e, E_CONFLICT,
			"%.*s has no rollout under way; start one",
			STR_ARG(bundle));
	if (!st)
		st = rollout_adopt(s, c, 0, e);
	if (!st)
		st = rollout_read(s, bundle, c->rollout, a, r, e);
	return st ? st : rollout_plan_parse(p, r->release, e);
}

/* How many there are with this one; *listed: who promotes is one already. */
static int approvals(const struct act *x, bool *listed)
{
	struct str who = x->p->change.event.who;

	*listed = false;
	for (uint32_t i = 0; i < x->c.napprovals; i++)
		*listed |= str_eq(x->c.approvals[i], who);
	return (int)x->c.napprovals + !*listed;
}

static enum status apply(struct act *x, struct channel_event ev)
{
	struct state_change change = x->p->change;
	struct channel after;

	if (!ev.expect)
		ev.expect = x->c.generation;
	change.event = ev;
	return state_apply_in(
		x->s, &change, x->a, &x->out->state, &after, x->e);
}

static enum status approve(struct act *x, bool listed)
{
	struct channel_event ev = x->p->change.event;

	if (listed)
		return OK;
	ev.kind = EVENT_APPROVE;
	return apply(x, ev);
}

/* Who else wanted it stands in the reason. */
static struct str reason(struct act *x)
{
	struct channel_event ev = x->p->change.event;
	struct buf text = {0};
	struct str s;

	if (!x->c.napprovals)
		return ev.why;
	buf_adds(&text, "approved by ");
	for (uint32_t i = 0; i < x->c.napprovals; i++)
		buf_addf(&text, "%.*s, ", STR_ARG(x->c.approvals[i]));
	buf_addf(&text, "%.*s%s%.*s", STR_ARG(ev.who), ev.why.len ? ": " : "",
		STR_ARG(ev.why));
	s = arena_str(x->a, buf_str(&text));
	buf_release(&text);
	return s;
}

static enum status go_on(struct act *x)
{
	struct channel_event ev = x->p->change.event;
	struct rollout_exposure *next = &x->out->exposure;

	ev.why = reason(x);
	if (x->c.all) {
		x->out->succeeded = true;
		ev.kind = EVENT_SUCCEED;
		return apply(x, ev);
	}
	rollout_expose(&x->plan, &x->c, &x->p->fleet, x->a, next);
	if (next->ring == x->plan.config.rollout.nrings)
		return err_set(x->e, E_CONFLICT,
			"the plan has no ring behind %.*s",
			STR_ARG(x->c.ring_name));
	if (next->away)
		return err_set(x->e, E_CONFLICT,
			"all %u targets that ring %s would add are lost; wait "
			"until some are back, or pin them to what they have",
			next->away,
			x->plan.config.rollout.rings[next->ring].name);
	ev.kind = EVENT_EXPOSE;
	ev.ring = str_from(x->plan.config.rollout.rings[next->ring].name);
	ev.all = next->all;
	ev.targets = next->targets;
	ev.ntargets = next->ntargets;
	return apply(x, ev);
}

/* NULL: it did not fail. What fails is judged again after each window. */
static const char *failure(struct act *x, enum status *st)
{
	struct str record, outcome, why;
	struct buf text = {0};
	struct err e = {0};
	const char *said;
	int64_t number;

	*st = rollout_verdict(x->s, x->p->change.bundle, x->c.rollout, 0, x->a,
		&record, &number, &e);
	if (*st == E_NOT_FOUND) /* none yet */
		*st = OK;
	else if (*st && x->e)
		*x->e = e;
	else if (json_member(record, S("outcome"), &outcome) &&
		 json_text_is(outcome, S("fail")) &&
		 json_member(record, S("reason"), &why))
		json_text(&text, why);
	said = text.len ? arena_strdup(x->a, buf_str(&text)) : NULL;
	buf_release(&text);
	return said;
}

/* What failed goes back. Who wants it all the same starts it anew. */
static enum status check_verdict(struct act *x)
{
	enum status st;
	const char *why = failure(x, &st);

	if (!why)
		return st;
	return err_set(x->e, E_CONFLICT,
		"rollout %lld failed for good: %s; roll back, or abort it and "
		"start the version again",
		(long long)x->c.rollout, why);
}

static enum status promote(struct act *x)
{
	const struct channel_event *ev = &x->p->change.event;
	struct rollout_promoted *out = x->out;
	bool was, listed;
	enum status st = rollout_repeated(
		x->s, &x->p->change, x->a, &out->state, &was, x->e);

	if (st || was)
		return st;
	st = load(x->s, x->p->change.bundle, x->a, &x->c, &x->record, &x->plan,
		x->e);
	if (!st)
		st = check_verdict(x);
	if (st)
		return st;
	out->needed = x->plan.config.rollout.approvers;
	if (out->needed > 1 && str_eq(ev->who, x->c.starter))
		return err_set(x->e, E_DENIED,
			"%.*s started the rollout, and its plan wants %d "
			"others to promote it",
			STR_ARG(ev->who), out->needed);
	out->approvals = approvals(x, &listed);
	return out->approvals < out->needed ? approve(x, listed) : go_on(x);
}

enum status rollout_promote(struct state *s, const struct rollout_promote *p,
	struct arena *a, struct rollout_promoted *out, struct err *e)
{
	struct act x = {.s = s, .p = p, .a = a, .out = out, .e = e};
	enum status st = db_begin(s->db, e);

	*out = (struct rollout_promoted){0};
	if (!st)
		st = promote(&x);
	st = state_finish(s, st, &out->state, e);
	rollout_plan_release(&x.plan);
	return st;
}

/* --- more time ------------------------------------------------------------ */

/* A bake that is resumed begins anew: it gets this time instead of the plan's.
 */
static int64_t extra(const struct channel *c, const struct rollout_record *r,
	const struct rollout_plan *p, int64_t by_ns)
{
	const struct config *k = &p->config;

	if (c->state == CHANNEL_HOLD)
		return by_ns - k->rollout.bake_max_ns -
		       (c->all ? k->rollout.bake_fleet_ns : 0);
	return by_ns + (r->extended_ring == c->ring ? r->extended_ns : 0);
}

static enum status extend(struct state *s, const struct state_change *change,
	int64_t by_ns, struct rollout_plan *p, struct arena *a,
	struct state_result *out, struct err *e)
{
	struct state_change resume = *change;
	struct rollout_record r;
	struct channel c, after;
	bool was;
	enum status st = rollout_repeated(s, change, a, out, &was, e);

	if (st || was)
		return st;
	st = load(s, change->bundle, a, &c, &r, p, e);
	if (!st && !(change->event.roles & (ROLE_RELEASE | ROLE_ONCALL)))
		st = err_set(e, E_DENIED, "%.*s has no role that may extend",
			STR_ARG(change->event.who));
	if (!st && c.state != CHANNEL_HOLD && c.state != CHANNEL_BAKING &&
		c.state != CHANNEL_FLEET_BAKE)
		st = err_set(e, E_CONFLICT,
			"rollout %lld is %s: there is no bake to extend",
			(long long)c.rollout, channel_state_name(c.state));
	if (!st && c.state == CHANNEL_HOLD) {
		resume.event.kind = EVENT_RESUME;
		if (!resume.event.expect)
			resume.event.expect = c.generation;
		st = state_apply_in(s, &resume, a, out, &after, e);
	}
	if (st)
		return st;
	out->changed = true;
	return db_run(s->db,
		"UPDATE rollouts SET extended_ring = ?, extended_ns = ?"
		" WHERE bundle = ? AND rollout = ?",
		DB(DB_INT(c.ring), DB_INT(extra(&c, &r, p, by_ns)),
			DB_TEXT(change->bundle), DB_INT(c.rollout)),
		e);
}

enum status rollout_extend(struct state *s, const struct state_change *change,
	int64_t by_ns, struct state_result *out, struct err *e)
{
	struct arena a = {0};
	struct rollout_plan p = {0};
	enum status st = db_begin(s->db, e);

	*out = (struct state_result){0};
	if (!st)
		st = extend(s, change, by_ns, &p, &a, out, e);
	st = state_finish(s, st, out, e);
	rollout_plan_release(&p);
	arena_release(&a);
	return st;
}
