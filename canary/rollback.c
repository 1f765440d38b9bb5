/* Back: which channel, to what, and how many targets feel it. */
#include "base/clock.h"
#include "canary/internal.h"

static bool recent(const struct channel *c, int64_t now)
{
	int64_t since = now - ROLLBACK_RECENT_H * 3600 * NS_PER_S;

	return channel_busy(c->state) || (c->rollout && c->since_ns >= since);
}

static enum status several(
	const struct channel *list, size_t n, int64_t now, struct err *e)
{
	struct buf names = {0};

	for (size_t i = 0; i < n; i++)
		if (recent(&list[i], now))
			buf_addf(&names, "%s%.*s", names.len ? ", " : "",
				STR_ARG(list[i].bundle));
	err_set(e, E_CONFLICT, "several channels have a rollout: %s; name one",
		names.ptr);
	buf_release(&names);
	return E_CONFLICT;
}

/* One that is active goes before those that ended lately. */
static enum status pick(struct state *s, int64_t now, struct arena *a,
	struct str *out, struct err *e)
{
	struct channel *list;
	size_t n, nbusy = 0, nrecent = 0;
	enum status st = state_channels(s, a, &list, &n, e);

	if (st)
		return st;
	for (size_t i = 0; i < n; i++) {
		bool busy = channel_busy(list[i].state);

		nbusy += busy;
		nrecent += recent(&list[i], now);
		if (busy || (!nbusy && recent(&list[i], now)))
			*out = list[i].bundle;
	}
	if (nbusy == 1 || (!nbusy && nrecent == 1))
		return OK;
	if (nrecent)
		return several(list, n, now, e);
	return err_set(e, E_NOT_FOUND,
		"no channel had a rollout in the last %d hours; name the "
		"bundle to roll back",
		ROLLBACK_RECENT_H);
}

static bool partial(const struct rollback *r)
{
	return r->target.len || r->selector.len;
}

/* A part goes back by a pin, to what all would go back to. */
static enum status pin_event(const struct rollback *r, const struct channel *c,
	struct channel_event *ev, struct err *e)
{
	const struct channel_version *to = channel_way_back(c);

	ev->kind = EVENT_PIN;
	ev->target = r->target;
	ev->selector = r->selector;
	ev->until_ns =
		r->now_ns + (r->pin_ns ? r->pin_ns : 24 * 3600 * NS_PER_S);
	if (!ev->why.len && !r->force)
		ev->why = S("unspecified");
	if (r->to.len)
		return OK;
	if (!to)
		return err_set(e, E_NOT_FOUND,
			"no good version to go back to is known; name one with "
			"--to");
	ev->version.revision = to->revision;
	return OK;
}

static enum status change_of(const struct rollback *r, const struct channel *c,
	struct state_change *out, struct err *e)
{
	*out = (struct state_change){.bundle = c->bundle,
		.key = r->key,
		.now_ns = r->now_ns,
		.event = {.kind = EVENT_ROLLBACK,
			.who = r->who,
			.roles = r->roles,
			.why = r->why.len || r->force ? r->why
						      : S("unspecified"),
			.force = r->force,
			.version = {.revision = r->to}}};
	return partial(r) ? pin_event(r, c, &out->event, e) : OK;
}

/* --- who feels it --------------------------------------------------------- */

static bool same_answer(struct channel_choice x, struct channel_choice y)
{
	if (!x.version || !y.version)
		return x.version == y.version;
	return str_eq(x.version->digest, y.version->digest);
}

static void count_target(
	struct rollback_result *out, const struct target *t, int64_t now)
{
	out->affected++;
	if (t->period_ns > out->within_ns && !target_lost(t, now))
		out->within_ns = t->period_ns;
}

/* That targets can't be counted stops no rollback. */
static void count(struct state *s, const struct channel *before,
	const struct channel *after, int64_t now, struct arena *a,
	struct rollback_result *out)
{
	struct channel_rules old, new;
	struct err ignored;
	struct target *t;
	size_t n;

	out->counted = !state_targets(s, before->bundle, a, &t, &n, &ignored);
	if (!out->counted)
		return;
	channel_rules(before, a, &old);
	channel_rules(after, a, &new);
	out->targets = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		if (!same_answer(channel_choose(before, &old, t[i].id,
					 t[i].labels, t[i].nlabels, now),
			    channel_choose(after, &new, t[i].id, t[i].labels,
				    t[i].nlabels, now)))
			count_target(out, &t[i], now);
}

static void describe(const struct rollback *r, const struct channel *before,
	const struct channel *after, struct rollback_result *out)
{
	bool candidate =
		channel_busy(before->state) && before->candidate.revision.len;

	out->bundle = before->bundle;
	out->from = candidate ? before->candidate : before->stable;
	out->to = after->stable;
	if (partial(r) && out->state.changed)
		out->to = after->pins[after->npins - 1].version;
}

static enum status in_transaction(struct state *s, const struct rollback *r,
	struct arena *a, struct rollback_result *out, struct err *e)
{
	struct str bundle = r->bundle;
	struct state_change change;
	struct channel before, after;
	enum status st = OK;

	if (!bundle.len)
		st = pick(s, r->now_ns, a, &bundle, e);
	if (!st)
		st = state_channel(s, bundle, a, &before, e);
	if (!st)
		st = change_of(r, &before, &change, e);
	if (!st)
		st = state_apply_in(s, &change, a, &out->state, &after, e);
	if (st)
		return st;
	describe(r, &before, &after, out);
	count(s, &before, &after, r->now_ns, a, out);
	return OK;
}

static enum status once(struct state *s, const struct rollback *r, bool dry_run,
	struct arena *a, struct rollback_result *out, struct err *e)
{
	enum status st;

	*out = (struct rollback_result){0};
	st = db_begin(s->db, e);
	if (!st)
		st = in_transaction(s, r, a, out, e);
	if (st || !dry_run)
		return state_finish(s, st, &out->state, e);
	db_rollback(s->db);
	return OK;
}

enum status state_rollback(struct state *s, const struct rollback *r,
	bool dry_run, struct arena *a, struct rollback_result *out,
	struct err *e)
{
	struct err own = {0};
	enum status st = once(s, r, dry_run, a, out, e ? e : &own);

	if (st == E_LIMIT && !out->state.refusal && !dry_run &&
		state_free_reserve(s))
		st = once(s, r, dry_run, a, out, e ? e : &own);
	return st;
}
