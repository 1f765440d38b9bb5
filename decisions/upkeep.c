/*
 * What is done now and then: segments that are full, checkpoints, the index.
 *
 * Locks are taken in the order of store.c: `indexing`, `writer`, `lock`.
 */
#include "decisions/internal.h"

#include <stdlib.h>

enum { SEGMENT_BLOCKS = 1 << 16 };

/* In either direction. */
static bool apart(int64_t a, int64_t b, int64_t by)
{
	return a - b >= by || b - a >= by;
}

/*
 * A clock that was set back does not make a segment live for as long as it was
 * ahead. Small blocks are packed into large ones when a segment is full, and
 * who reads beside the writer looks for each.
 */
static bool full(const struct decisions *d, const struct log *l, int64_t now)
{
	return l->places.n && (l->places.offset >= d->c.segment_bytes ||
				      l->places.n >= SEGMENT_BLOCKS ||
				      apart(now, l->began, d->c.segment_ns));
}

static enum status sign(struct decisions *d, int i, int64_t now, struct err *e)
{
	struct log *l = &d->logs[i];
	struct buf origin = {0};
	enum status st = OK;

	if (!d->c.key || log_size(l) == l->signed_size)
		return OK;
	buf_addf(&origin, "%s/%s", d->c.origin, log_names[i]);
	st = checkpoint_add(l, d->c.key, origin.ptr, now, e);
	buf_release(&origin);
	return st;
}

enum status decisions_checkpoint(struct decisions *d, struct err *e)
{
	int64_t now = clock_wall(d->c.clock);
	enum status st = store_writes(d, e);

	if (st)
		return st;
	pthread_mutex_lock(&d->writer);
	for (int i = 0; i < LOGS && !st; i++)
		st = sign(d, i, now, e);
	pthread_mutex_unlock(&d->writer);
	return st;
}

static enum status tick_log(
	struct decisions *d, int i, int64_t now, struct err *e)
{
	struct log *l = &d->logs[i];
	bool ends = full(d, l, now);
	enum status st = OK;

	if (ends)
		st = log_seal(l, e);
	if (!st && (ends || apart(now, l->signed_at, d->c.checkpoint_ns)))
		st = sign(d, i, now, e);
	return st;
}

/* What came late for a sealed day is in its file now. */
static void forget_late(struct decisions *d, struct day *day)
{
	if (day->ids.n && day->newest <= d->index.position)
		ids_release(&day->ids);
}

/*
 * Days that are over are sealed. What came for one since the index was brought
 * up to date lets it wait for the next time.
 */
static enum status seal_days(struct decisions *d, int64_t now, struct err *e)
{
	enum status st = OK;
	size_t i = 0;

	pthread_mutex_lock(&d->lock);
	for (; i < d->ndays && !st; i++) {
		int64_t number = d->days[i].number;

		if (d->days[i].sealed)
			forget_late(d, &d->days[i]);
		if (d->days[i].sealed ||
			now < (number + 1) * NS_PER_DAY + d->c.grace_ns ||
			d->days[i].newest > d->index.position)
			continue;
		pthread_mutex_unlock(&d->lock);
		st = index_seal(&d->index, number, e);
		pthread_mutex_lock(&d->lock);
		if (st || d->days[i].newest > d->index.position)
			continue;
		d->days[i].sealed = true;
		ids_release(&d->days[i].ids);
	}
	pthread_mutex_unlock(&d->lock);
	return st;
}

/* Beside the index in use, which answers until it is replaced. */
static void beside(struct decisions *d, struct index *ix, struct arena *a)
{
	index_init(
		ix, &d->c, &d->rules, arena_printf(a, "%s.new", d->index_dir));
}

static enum status tick_index(struct decisions *d, int64_t now, struct err *e)
{
	struct reader r;
	enum status st;

	pthread_mutex_lock(&d->indexing);
	st = store_reader(d, LOG_EVENTS, &r, e);
	if (!st) {
		st = index_sync(&d->index, &r, e);
		if (!st)
			st = seal_days(d, now, e);
		reader_close(&r);
	}
	pthread_mutex_unlock(&d->indexing);
	return st;
}

enum status decisions_tick(struct decisions *d, struct err *e)
{
	int64_t now = clock_wall(d->c.clock);
	enum status st;

	store_look_at_disk(d);
	st = decisions_commit(d, e); /* counters have no upload that waits */
	if (st)
		return st;
	pthread_mutex_lock(&d->writer);
	for (int i = 0; i < LOGS && !st; i++)
		st = tick_log(d, i, now, e);
	pthread_mutex_unlock(&d->writer);
	return st ? st : tick_index(d, now, e);
}

static enum status rebuild(
	struct decisions *d, struct index *ix, int64_t now, struct err *e)
{
	struct arena a = {0};
	struct reader r;
	int64_t *days;
	size_t n = 0;
	enum status st = index_drop(ix, e);

	if (!st)
		st = store_reader(d, LOG_EVENTS, &r, e);
	if (st)
		return st;
	st = index_sync(ix, &r, e);
	reader_close(&r);
	if (!st)
		st = index_days(ix->fs, ix->dir, &a, &days, &n, e);
	for (size_t i = 0; i < n && !st; i++)
		if (now >= (days[i] + 1) * NS_PER_DAY + d->c.grace_ns)
			st = index_seal(ix, days[i], e);
	index_close(ix);
	arena_release(&a);
	if (st)
		return st;
	pthread_mutex_lock(&d->lock);
	st = index_replace(&d->index, ix, e);
	pthread_mutex_unlock(&d->lock);
	return st ? st : index_discard(ix, e);
}

enum status decisions_rebuild(struct decisions *d, struct err *e)
{
	int64_t now = clock_wall(d->c.clock);
	struct arena a = {0};
	struct index ix;
	enum status st = store_writes(d, e);

	if (st)
		return st;
	beside(d, &ix, &a);
	pthread_mutex_lock(&d->indexing);
	st = rebuild(d, &ix, now, e);
	pthread_mutex_unlock(&d->indexing);
	index_close(&ix);
	arena_release(&a);
	return st ? st : decisions_tick(d, e);
}
