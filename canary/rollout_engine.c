/* Look, judge, act, for all channels of a folder. */
#include "base/date.h"
#include "base/json.h"
#include "canary/rollout_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
	JUMP_S = 60, /* between the wall clock and the one that only runs */
	NOTICES_MAX = 100, /* at one tick; the others come with the next */
	QUEUE_S = 10       /* until what waits and was refused is tried again */
};

struct rollout_engine {
	struct rollout_options o;
	struct state *state;
	struct arena arena; /* of the channels */
	struct arena tick;
	struct channel *channels, everywhere;
	size_t nchannels;
	bool busy;  /* some channel has something to do */
	bool dirty; /* the folder changed, and that was not read yet */
	struct watch **watches;
	size_t nwatches;
	int64_t wall_ns, mono_ns; /* of the last tick */
	int64_t told;             /* last line of the ledger that was */
	int64_t queue_mono;       /* when what waits is tried again */
};

static enum status read_head(struct rollout_engine *r, struct err *e)
{
	struct arena a = {0};
	struct ledger_line *newest;
	size_t n;
	enum status st = ledger_newest(r->state, S(""), 1, &a, &newest, &n, e);

	if (!st)
		r->told = n ? newest[0].seq : 0;
	arena_release(&a);
	return st;
}

enum status rollout_engine_new(struct rollout_engine **out,
	const struct rollout_options *o, struct err *e)
{
	struct rollout_engine *r = calloc(1, sizeof(*r));
	struct state_options so = {.fs = o->fs, .vfs = o->vfs};
	enum status st;

	if (!r)
		die("out of memory: rollouts");
	r->o = *o;
	r->wall_ns = clock_wall(o->clock);
	r->mono_ns = clock_mono(o->clock);
	st = state_open(&r->state, o->dir, &so, e);
	if (!st)
		st = read_head(r, e);
	if (st)
		rollout_engine_free(r);
	else
		*out = r;
	return st;
}

void rollout_engine_free(struct rollout_engine *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->nwatches; i++)
		watch_free(r->watches[i]);
	free(r->watches);
	state_close(r->state);
	arena_release(&r->arena);
	arena_release(&r->tick);
	free(r);
}

/* --- whom to tell --------------------------------------------------------- */

static bool worth_telling(const struct ledger_line *l)
{
	switch ((int)l->event.kind) {
	case EVENT_START:
	case EVENT_REFUSE:
	case EVENT_EXPOSE:
	case EVENT_HOLD:
	case EVENT_RESUME:
	case EVENT_APPROVE:
	case EVENT_SUCCEED:
	case EVENT_ABORT:
	case EVENT_ROLLBACK:
		return true;
	case EVENT_CONVERGED:
		return str_is(l->after.state, "rolled-back");
	default:
		return false;
	}
}

static void member(struct buf *b, const char *name, struct str value)
{
	if (!value.len)
		return;
	buf_addf(b, ",\"%s\":", name);
	json_quote(b, value);
}

static void tell(struct rollout_engine *r, const struct ledger_line *l)
{
	struct buf b = {0};

	buf_adds(&b, "{\"kind\":\"notice\",\"schema\":1");
	member(&b, "time", l->time);
	member(&b, "bundle", l->bundle);
	member(&b, "event", str_from(channel_event_name(l->event.kind)));
	member(&b, "state", l->after.state);
	member(&b, "who", l->event.who);
	member(&b, "why", l->event.why);
	member(&b, "ring", l->event.ring);
	member(&b, "stable", l->after.stable);
	member(&b, "candidate",
		l->after.candidate.len ? l->after.candidate
				       : l->before.candidate);
	buf_addf(&b, ",\"generation\":%lld,\"ledger\":%lld}",
		(long long)l->after.generation, (long long)l->seq);
	r->o.notify(r->o.user, buf_str(&b));
	buf_release(&b);
}

static enum status tell_news(struct rollout_engine *r, struct err *e)
{
	struct arena a = {0};
	struct ledger_line *lines;
	size_t n = 0;
	enum status st = ledger_lines(
		r->state, S(""), r->told, NOTICES_MAX, &a, &lines, &n, e);

	for (size_t i = 0; i < n && !st; i++) {
		if (r->o.notify && worth_telling(&lines[i]))
			tell(r, &lines[i]);
		r->told = lines[i].seq;
	}
	arena_release(&a);
	return st;
}

/* --- channels and their watches ------------------------------------------- */

static bool wants(const struct channel *c)
{
	return channel_busy(c->state) || c->queued.revision.len;
}

static enum status read_channels(struct rollout_engine *r, struct err *e)
{
	struct arena a = {0};
	struct channel *list = NULL, everywhere;
	size_t n = 0;
	enum status st = state_channels(r->state, &a, &list, &n, e);

	if (!st)
		st = state_fleet(r->state, &a, &everywhere, e);
	if (st) {
		arena_release(&a);
		return st;
	}
	arena_release(&r->arena);
	r->arena = a;
	r->channels = list;
	r->everywhere = everywhere;
	r->nchannels = n;
	r->busy = false;
	for (size_t i = 0; i < n; i++)
		r->busy |= wants(&list[i]);
	return OK;
}

static bool watches(const struct watch *w, const struct channel *c)
{
	return w->rollout == c->rollout && channel_busy(c->state) &&
	       str_eq(w->bundle, c->bundle);
}

/* Those whose rollout has ended. */
static void drop_watches(struct rollout_engine *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->nwatches; i++) {
		bool on = false;

		for (size_t k = 0; k < r->nchannels; k++)
			on |= watches(r->watches[i], &r->channels[k]);
		if (on)
			r->watches[n++] = r->watches[i];
		else
			watch_free(r->watches[i]);
	}
	r->nwatches = n;
}

static enum status watch_of(struct rollout_engine *r, const struct watch_now *n,
	struct watch **out, struct err *e)
{
	enum status st;

	for (size_t i = 0; i < r->nwatches; i++)
		if (watches(r->watches[i], n->channel)) {
			*out = r->watches[i];
			return OK;
		}
	st = watch_new(out, r->state, n->channel, n->decisions, n->wall_ns,
		n->mono_ns, e);
	if (st)
		return st;
	r->watches = reallocarray(
		r->watches, r->nwatches + 1, sizeof(struct watch *));
	if (!r->watches)
		die("out of memory: rollouts");
	r->watches[r->nwatches++] = *out;
	return OK;
}

/* --- acting --------------------------------------------------------------- */

/*
 * That something else came first is no failure: the next tick looks again. Nor
 * is a refusal, which stands in `why` then.
 */
static enum status apply(struct rollout_engine *r, const struct watch_now *n,
	struct rollout_next *next, struct err *e)
{
	struct rollout_start start = {.change = {.bundle = n->channel->bundle,
					      .event = next->event,
					      .now_ns = n->wall_ns}};
	struct decisions_counts counts = {0};
	struct state_result result;
	enum status st;

	if (n->decisions)
		decisions_counts(n->decisions, &counts);
	start.from_event = counts.events;
	if (next->event.kind == EVENT_START)
		st = rollout_start(r->state, &start, &result, e);
	else
		st = state_apply(r->state, &start.change, &result, e);
	if (!st && result.changed && r->o.changed)
		r->o.changed(r->o.user);
	if (!st || !result.refusal)
		return st;
	next->why = arena_str(&r->tick, str_from(e->text));
	memset(e, 0, sizeof(*e));
	return OK;
}

static bool deployed(const struct channel *c)
{
	return c->state == CHANNEL_DISTRIBUTING || c->state == CHANNEL_BAKING ||
	       c->state == CHANNEL_FLEET_BAKE;
}

/* What is broken does not keep a rollback from being seen: both are tried. */
static enum status drive(struct rollout_engine *r, const struct watch_now *n,
	int64_t jump_ns, struct err *e)
{
	struct rollout_view v;
	struct rollout_next next;
	struct watch *w;
	struct err late = {0};
	enum status st = watch_of(r, n, &w, e), acted;

	if (st)
		return st;
	st = watch_look(w, n, e);
	w->jump_ns += jump_ns;
	if (!deployed(n->channel))
		w->jump_ns = w->gap_ns = 0;
	watch_view(w, n, &v);
	rollout_next(&v, &r->tick, &next);
	acted = next.event.kind ? apply(r, n, &next, &late) : OK;
	if (!acted)
		acted = watch_save(
			w, n, next.why, next.event.kind != EVENT_NONE, &late);
	if (!st && acted) {
		*e = late;
		st = acted;
	}
	return st;
}

static enum status start_queued(
	struct rollout_engine *r, const struct watch_now *n, struct err *e)
{
	struct rollout_view v = {.channel = n->channel,
		.everywhere = n->everywhere,
		.now_ns = n->wall_ns};
	struct rollout_next next;

	rollout_next(&v, &r->tick, &next);
	if (next.event.kind)
		r->queue_mono = n->mono_ns + QUEUE_S * NS_PER_S;
	return next.event.kind ? apply(r, n, &next, e) : OK;
}

static enum status drive_all(struct rollout_engine *r, struct watch_now *n,
	int64_t jump, struct err *e)
{
	bool queue = n->mono_ns >= r->queue_mono;
	enum status st = OK;

	n->decisions = r->o.decisions ? r->o.decisions(r->o.user) : NULL;
	n->everywhere = &r->everywhere;
	for (size_t i = 0; i < r->nchannels; i++) {
		struct err own = {0};
		enum status one = OK;

		n->channel = &r->channels[i];
		if (channel_busy(n->channel->state))
			one = drive(r, n, jump, &own);
		else if (queue && n->channel->queued.revision.len)
			one = start_queued(r, n, &own);
		if (one && !st) {
			st = one;
			if (e)
				*e = own;
		}
	}
	return st;
}

/* How much more the wall clock went on than time did. */
static int64_t jump(struct rollout_engine *r, const struct watch_now *n)
{
	int64_t by = (n->wall_ns - r->wall_ns) - (n->mono_ns - r->mono_ns);

	r->wall_ns = n->wall_ns;
	r->mono_ns = n->mono_ns;
	return by > JUMP_S * NS_PER_S || by < -JUMP_S * NS_PER_S ? by : 0;
}

enum status rollout_engine_tick(struct rollout_engine *r, struct err *e)
{
	struct watch_now n = {.state = r->state,
		.wall_ns = clock_wall(r->o.clock),
		.mono_ns = clock_mono(r->o.clock)};
	int64_t jumped = jump(r, &n);
	bool changed = false;
	enum status st = state_changed(r->state, &changed, e);

	arena_reset(&r->tick);
	r->dirty |= !st && changed;
	if (!st && r->dirty)
		st = read_channels(r, e);
	if (!st && r->dirty) {
		r->queue_mono = n.mono_ns;
		drop_watches(r);
		st = tell_news(r, e);
	}
	if (st)
		return st;
	r->dirty = false;
	return r->busy ? drive_all(r, &n, jumped, e) : OK;
}
