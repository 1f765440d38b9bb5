/* What waits to be written, in the order in which it is numbered. */
#include "decisions/internal.h"

#include <stdlib.h>
#include <string.h>

static struct str keep(struct pending *p, struct str s)
{
	/* Runs of records come from one body: the last text is the same. */
	const struct record *last = p->n ? &p->records[p->n - 1] : NULL;

	if (!s.len)
		return S("");
	if (last && str_eq(last->target, s))
		return last->target;
	if (last && str_eq(last->cohort, s))
		return last->cohort;
	return arena_str(&p->arena, s);
}

static void grow(struct pending *p)
{
	uint32_t cap = p->cap ? 2 * p->cap : 256;

	p->records = reallocarray(p->records, cap, sizeof(*p->records));
	p->hashes = reallocarray(p->hashes, cap, sizeof(*p->hashes));
	p->times = reallocarray(p->times, cap, sizeof(*p->times));
	p->ids = reallocarray(p->ids, cap, sizeof(*p->ids));
	if (!p->records || !p->hashes || !p->times || !p->ids)
		die("out of memory: events that wait");
	p->cap = cap;
}

void pending_add(
	struct pending *p, const struct record *r, const struct item *it)
{
	struct record *to;

	if (p->n == p->cap)
		grow(p);
	to = &p->records[p->n];
	*to = *r;
	to->target = keep(p, r->target);
	to->cohort = keep(p, r->cohort);
	to->note = arena_str(&p->arena, r->note);
	p->hashes[p->n] = it->hash;
	p->times[p->n] = it->time;
	memcpy(p->ids[p->n++], it->id, sizeof(it->id));
	buf_addstr(&p->raw, r->bytes);
	buf_addc(&p->raw, '\n');
}

void pending_reset(struct pending *p)
{
	p->n = 0;
	buf_reset(&p->raw);
	arena_reset(&p->arena);
}

void pending_release(struct pending *p)
{
	free(p->records);
	free(p->hashes);
	free(p->times);
	free(p->ids);
	buf_release(&p->raw);
	arena_release(&p->arena);
	*p = (struct pending){0};
}
