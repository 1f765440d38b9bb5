/*
 * Did every request that an agent answered send its event? Agents count, in
 * each status upload; events are counted here between two of these by their own
 * time, as they come in. An interval is weighed once its events must be there.
 *
 * An event that comes before the report of its time is given to the interval
 * that is open, which may be the one after; over all of a step that evens out.
 */
#include "canary/rollout_internal.h"

#include <string.h>

static struct requests_interval *room_for(struct requests *r, struct arena *a)
{
	if (r->first && r->first * 2 >= r->n) {
		memmove(r->items, r->items + r->first,
			(r->n - r->first) * sizeof(*r->items));
		r->n -= r->first;
		r->first = 0;
	}
	r->items = arena_grow(a, r->items, r->n, &r->cap, sizeof(*r->items));
	return &r->items[r->n++];
}

void requests_report(
	struct requests *r, const struct decision_counters *c, struct arena *a)
{
	uint32_t instance = str_hash(c->instance.ptr, c->instance.len);
	bool same = r->known && instance == r->instance &&
		    c->requests >= r->requests;

	if (r->known && c->time <= r->until_ns)
		return;
	if (r->known)
		*room_for(r, a) = (struct requests_interval){
			.from_ns = r->until_ns,
			.to_ns = c->time,
			.requests = c->requests - (same ? r->requests : 0),
			.dropped = same && c->dropped >= r->dropped
					   ? c->dropped - r->dropped
					   : c->dropped,
			.events = r->open};
	r->known = true;
	r->instance = instance;
	r->until_ns = c->time;
	r->requests = c->requests;
	r->dropped = c->dropped;
	r->open = 0;
}

void requests_event(struct requests *r, int64_t time_ns)
{
	uint32_t lo = r->first, hi = r->n;

	if (!r->known)
		return;
	if (time_ns > r->until_ns) {
		r->open++;
		return;
	}
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (r->items[mid].to_ns < time_ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < r->n && time_ns > r->items[lo].from_ns)
		r->items[lo].events++;
	else if (time_ns > r->since_ns)
		r->late++;
}

void requests_settle(struct requests *r, int64_t step_ns, int64_t until_ns,
	struct target_facts *f)
{
	if (r->since_ns != step_ns) {
		r->since_ns = step_ns;
		r->late = 0;
		f->counts_requests = false;
		f->requests = f->received = f->dropped = 0;
	}
	for (; r->first < r->n && r->items[r->first].to_ns <= until_ns;
		r->first++) {
		const struct requests_interval *i = &r->items[r->first];

		if (i->to_ns < step_ns)
			continue;
		f->counts_requests = true;
		f->requests += i->requests;
		f->received += i->events;
		f->dropped += i->dropped;
	}
	f->received += r->late;
	r->late = 0;
}
