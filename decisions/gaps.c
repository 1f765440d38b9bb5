/*
 * Was the log complete: what agents counted beside what arrived.
 *
 * An agent's counters only grow while it runs, and are lost when it stops. Of
 * two uploads of the same instance the difference is what happened between
 * them; of another instance it is all that instance has counted.
 */
#include "decisions/internal.h"

#include <stdlib.h>

#include "base/json.h"

enum status decisions_count(
	struct decisions *d, const struct decision_counters *c, struct err *e)
{
	struct buf b = {0};
	enum status st = store_writes(d, e);

	if (st)
		return st;
	if (c->target.len > LIMIT_SOURCE || c->instance.len > LIMIT_SOURCE)
		return err_set(e, E_LIMIT,
			"the name of a target has more than %u bytes",
			LIMIT_SOURCE);
	if (c->time < 0 || c->requests > INT64_MAX || c->dropped > INT64_MAX)
		return err_set(e, E_INVALID, "counters out of range");
	buf_adds(&b, "{\"target\":");
	json_quote(&b, c->target);
	buf_adds(&b, ",\"instance\":");
	json_quote(&b, c->instance);
	buf_addf(&b, ",\"time\":%lld,\"requests\":%llu,\"dropped\":%llu}",
		(long long)c->time, (unsigned long long)c->requests,
		(unsigned long long)c->dropped);
	store_add_counters(d, buf_str(&b));
	buf_release(&b);
	return OK;
}

struct reports {
	struct arena arena;
	struct decision_counters *items;
	uint32_t n, cap;
};

static bool get_count(struct str object, struct str key, uint64_t *out)
{
	struct str v;
	int64_t n;

	if (!json_member(object, key, &v) || !json_int(v, &n) || n < 0)
		return false;
	*out = (uint64_t)n;
	return true;
}

static enum status parse_report(struct str json, struct arena *a,
	struct decision_counters *c, struct err *e)
{
	struct str target, instance, doc;
	uint64_t time;

	if (json_check(json, NULL, &doc, NULL) ||
		!json_member(doc, S("target"), &target) ||
		!json_member(doc, S("instance"), &instance) ||
		!get_count(doc, S("time"), &time) ||
		!get_count(doc, S("requests"), &c->requests) ||
		!get_count(doc, S("dropped"), &c->dropped))
		return err_set(e, E_INVALID, "no counters: %.*s",
			STR_ARG(str_slice(json, 0, 100)));
	c->time = (int64_t)time;
	c->target = arena_str(a, json_plain(target, a));
	c->instance = arena_str(a, json_plain(instance, a));
	return OK;
}

enum status decisions_counters(struct decisions *d, int64_t from,
	uint64_t *next,
	bool (*visit)(void *user, const struct decision_counters *c),
	void *user, struct err *e)
{
	struct decision_counters c;
	struct arena a = {0};
	struct record rec;
	struct reader r;
	bool go_on = true;
	enum status st = store_reader(d, LOG_COUNTERS, &r, e);

	if (st)
		return st;
	while (!st && go_on) {
		if (reader_skip(&r, *next, from, INT64_MAX, next))
			continue;
		st = reader_at(&r, *next, &rec, &go_on, e);
		if (st || !go_on)
			break;
		++*next;
		arena_reset(&a);
		st = parse_report(rec.bytes, &a, &c, e);
		if (!st)
			go_on = visit(user, &c);
	}
	arena_release(&a);
	reader_close(&r);
	return st;
}

static bool keep_report(void *user, const struct decision_counters *c)
{
	struct reports *all = user;
	struct decision_counters *to;

	all->items = arena_grow(&all->arena, all->items, all->n, &all->cap,
		sizeof(*all->items));
	to = &all->items[all->n++];
	*to = *c;
	to->target = arena_str(&all->arena, c->target);
	to->instance = arena_str(&all->arena, c->instance);
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct decision_counters *x = a, *y = b;
	int c = str_cmp(x->target, y->target);

	return c ? c : (x->time > y->time) - (x->time < y->time);
}

static uint64_t since(uint64_t before, uint64_t now, bool restarted)
{
	return restarted || now < before ? now : now - before;
}

static enum status gap_between(struct decisions *d,
	const struct decision_counters *a, const struct decision_counters *b,
	struct decision_gap *g, struct err *e)
{
	struct decision_filter f = {
		.from = a->time + 1, .to = b->time + 1, .target = b->target};
	bool restarted =
		!str_eq(a->instance, b->instance) || b->requests < a->requests;
	enum status st = query_count(d, &f, &g->events, e);

	g->target = b->target;
	g->from = a->time;
	g->to = b->time;
	g->restarted = restarted;
	g->requests = since(a->requests, b->requests, restarted);
	g->dropped = since(a->dropped, b->dropped, restarted);
	g->missing = g->requests > g->events ? g->requests - g->events : 0;
	return st;
}

enum status decisions_gaps(struct decisions *d, int64_t from, int64_t to,
	bool all, bool (*visit)(void *user, const struct decision_gap *g),
	void *user, struct err *e)
{
	struct reports r = {0};
	bool go_on = true;
	uint64_t next = 0;
	enum status st =
		decisions_counters(d, INT64_MIN, &next, keep_report, &r, e);

	if (!st && r.n)
		qsort(r.items, r.n, sizeof(*r.items), compare);
	for (uint32_t i = 1; i < r.n && !st && go_on; i++) {
		const struct decision_counters *a = &r.items[i - 1], *b = a + 1;
		struct decision_gap g;

		if (!str_eq(a->target, b->target) || a->time == b->time ||
			b->time < from || (to && b->time >= to))
			continue;
		st = gap_between(d, a, b, &g, e);
		if (!st && (all || g.missing || g.dropped || g.restarted))
			go_on = visit(user, &g);
	}
	arena_release(&r.arena);
	return st;
}
