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
#include "base/map.h"

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

/* How long a report may be under way. */
#define UNDERWAY_NS NS_PER_S

struct report {
	struct decision_counters c;
	uint64_t events; /* of the target, since the report before */
};

/*
 * Those of a period, and of each target the last one before it: no more than
 * that is in memory, however old the log is.
 */
struct reports {
	struct arena arena;
	int64_t from, to;
	struct report *items;
	uint32_t n, cap;
	struct map before; /* by target: 1 + its place in items */
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
	c->target = json_plain(target, a);
	c->instance = json_plain(instance, a);
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

static struct report *add_report(struct reports *all)
{
	all->items = arena_grow(&all->arena, all->items, all->n, &all->cap,
		sizeof(*all->items));
	all->items[all->n] = (struct report){0};
	return &all->items[all->n++];
}

/* The place of the one before the period; a newer one goes there too. */
static struct report *place_before(
	struct reports *all, const struct decision_counters *c)
{
	uintptr_t known = (uintptr_t)map_get(&all->before, c->target);
	struct report *r;

	if (known) {
		r = &all->items[known - 1];
		return r->c.time <= c->time ? r : NULL;
	}
	r = add_report(all);
	map_set(&all->before, arena_str(&all->arena, c->target),
		(void *)(uintptr_t)all->n);
	return r;
}

static void keep_report(struct reports *all, const struct decision_counters *c)
{
	struct report *r;

	if (c->time >= all->to)
		return;
	r = c->time < all->from ? place_before(all, c) : add_report(all);
	if (!r)
		return;
	if (!r->c.target.len)
		r->c.target = arena_str(&all->arena, c->target);
	if (!str_eq(r->c.instance, c->instance))
		r->c.instance = arena_str(&all->arena, c->instance);
	r->c.time = c->time;
	r->c.requests = c->requests;
	r->c.dropped = c->dropped;
}

static bool visit_report(void *user, const struct decision_counters *c)
{
	keep_report(user, c);
	return true;
}

static enum status read_reports(
	struct decisions *d, struct reports *all, struct err *e)
{
	uint64_t next = 0;

	return decisions_counters(d, INT64_MIN, &next, visit_report, all, e);
}

static int compare(const void *a, const void *b)
{
	const struct report *x = a, *y = b;
	int c = str_cmp(x->c.target, y->c.target);

	return c ? c : (x->c.time > y->c.time) - (x->c.time < y->c.time);
}

/* Whether what is between a report and the one before it counts. */
static bool is_interval(const struct reports *all, uint32_t i)
{
	const struct decision_counters *b = &all->items[i].c;

	return i && str_eq(all->items[i - 1].c.target, b->target) &&
	       all->items[i - 1].c.time != b->time && b->time >= all->from;
}

/* To the first report that is not older than the event. */
static void count_event(void *user, struct str target, int64_t time)
{
	struct reports *all = user;
	struct report want = {.c = {.target = target, .time = time}};
	uint32_t lo = 0, hi = all->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (compare(&all->items[mid], &want) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == all->n || !str_eq(all->items[lo].c.target, target))
		return;
	/* Of what was before the first report the last moment alone. */
	if ((lo && str_eq(all->items[lo - 1].c.target, target)) ||
		time > all->items[lo].c.time - UNDERWAY_NS)
		all->items[lo].events++;
}

/* One pass over the events, however many intervals there are. */
static enum status count_events(
	struct decisions *d, struct reports *all, struct err *e)
{
	int64_t from = INT64_MAX, to = 0;

	for (uint32_t i = 0; i < all->n; i++)
		if (is_interval(all, i)) {
			int64_t begin =
				all->items[i - 1].c.time - UNDERWAY_NS + 1;

			from = begin < from ? begin : from;
			to = all->items[i].c.time + 1 > to
				     ? all->items[i].c.time + 1
				     : to;
		}
	return from < to ? query_times(d, from, to, count_event, all, e) : OK;
}

static uint64_t since(uint64_t before, uint64_t now, bool restarted)
{
	return restarted || now < before ? now : now - before;
}

/*
 * An upload counts up to when it was written, and is dated when it came: what
 * was decided in between is an event too many now, and one too few the next
 * time. `ahead` is how many these are.
 */
static struct decision_gap gap_between(const struct decision_counters *a,
	const struct report *r, uint64_t *ahead)
{
	const struct decision_counters *b = &r->c;
	bool restarted =
		!str_eq(a->instance, b->instance) || b->requests < a->requests;
	struct decision_gap g = {.target = b->target,
		.from = a->time,
		.to = b->time,
		.restarted = restarted,
		.requests = since(a->requests, b->requests, restarted),
		.events = r->events,
		.dropped = since(a->dropped, b->dropped, restarted)};

	uint64_t had = g.events + (restarted ? 0 : *ahead);

	g.missing = g.requests > had ? g.requests - had : 0;
	*ahead = had > g.requests ? had - g.requests : 0;
	return g;
}

enum status decisions_gaps(struct decisions *d, int64_t from, int64_t to,
	bool all, bool (*visit)(void *user, const struct decision_gap *g),
	void *user, struct err *e)
{
	struct reports r = {.from = from, .to = to ? to : INT64_MAX};
	bool go_on = true;
	uint64_t ahead = 0;
	enum status st = read_reports(d, &r, e);

	if (!st && r.n)
		qsort(r.items, r.n, sizeof(*r.items), compare);
	if (!st)
		st = count_events(d, &r, e);
	for (uint32_t i = 1; i < r.n && !st && go_on; i++) {
		const struct decision_counters *before = &r.items[i - 1].c;
		struct decision_gap g;

		if (!is_interval(&r, i))
			continue;
		if (i == 1 || !str_eq(before->target, r.items[i - 2].c.target))
			ahead = r.items[i - 1].events;
		g = gap_between(before, &r.items[i], &ahead);
		if (all || g.missing || g.dropped || g.restarted)
			go_on = visit(user, &g);
	}
	map_release(&r.before);
	arena_release(&r.arena);
	return st;
}
