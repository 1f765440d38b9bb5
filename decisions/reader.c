#include "decisions/internal.h"

#include <stdlib.h>
#include <string.h>

const char *segment_path(struct arena *a, const char *dir, uint32_t seq)
{
	return arena_printf(a, "%s/%08u.seg", dir, seq);
}

/* --- places of blocks ---------------------------------------------------- */

static void make_room(struct places *p, uint32_t cap)
{
	p->offsets = reallocarray(p->offsets, cap, sizeof(*p->offsets));
	p->firsts = reallocarray(p->firsts, cap, sizeof(*p->firsts));
	if (!p->offsets || !p->firsts)
		die("out of memory: blocks");
	p->cap = cap;
}

void places_add(struct places *p, uint64_t size, uint64_t count)
{
	if (p->n == p->cap)
		make_room(p, p->cap ? 2 * p->cap : 256);
	p->offsets[p->n] = p->offset;
	p->firsts[p->n++] = p->first;
	p->offset += size;
	p->first += count;
}

void places_reset(struct places *p, uint64_t first)
{
	p->n = 0;
	p->offset = 0;
	p->first = first;
}

void places_copy(struct places *to, const struct places *from)
{
	if (to->cap < from->n)
		make_room(to, from->n);
	if (from->n) {
		memcpy(to->offsets, from->offsets, from->n * sizeof(uint64_t));
		memcpy(to->firsts, from->firsts, from->n * sizeof(uint64_t));
	}
	to->n = from->n;
	to->offset = from->offset;
	to->first = from->first;
}

void places_release(struct places *p)
{
	free(p->offsets);
	free(p->firsts);
	*p = (struct places){0};
}

/* The block with this number, which is in one of them. */
static uint32_t places_find(const struct places *p, uint64_t number)
{
	uint32_t lo = 0, hi = p->n;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (p->firsts[mid] <= number)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* --- opening ------------------------------------------------------------- */

enum status reader_open(struct reader *r, const struct fs *fs, const char *dir,
	const char *name, uint64_t end, struct err *e)
{
	enum status st;

	*r = (struct reader){.fs = fs,
		.name = name,
		.end = end,
		.file.fd = -1,
		.tail.fd = -1};
	r->dir = arena_strdup(&r->arena, str_from(dir));
	st = manifest_read(&r->manifest, fs,
		arena_printf(&r->arena, "%s/manifest", dir), NULL, e);
	if (st)
		reader_close(r);
	return st;
}

enum status reader_open_log(
	struct reader *r, const struct log *l, struct err *e)
{
	enum status st = OK;

	*r = (struct reader){.fs = l->fs,
		.name = l->name,
		.end = log_size(l),
		.file.fd = -1,
		.tail.fd = -1};
	r->dir = arena_strdup(&r->arena, str_from(l->dir));
	manifest_copy(&r->manifest, &l->manifest);
	if (l->places.n)
		st = fs_open(&r->tail, r->fs,
			arena_strdup(&r->arena, str_from(l->path)), false, 0,
			e);
	if (st) {
		reader_close(r);
		return st;
	}
	if (l->places.n) {
		r->tail_seq = l->seq;
		places_copy(&r->tail_places, &l->places);
	}
	return OK;
}

void reader_close(struct reader *r)
{
	fs_close(&r->file, NULL);
	fs_close(&r->tail, NULL);
	places_release(&r->places);
	places_release(&r->tail_places);
	block_release(&r->block);
	manifest_release(&r->manifest);
	arena_release(&r->arena);
	*r = (struct reader){.file.fd = -1, .tail.fd = -1};
}

/* --- finding ------------------------------------------------------------- */

static bool in_tail(const struct reader *r)
{
	return r->seq && r->seq == r->tail_seq;
}

static const struct fs_file *file_of(const struct reader *r)
{
	return in_tail(r) ? &r->tail : &r->file;
}

static struct places *places_of(struct reader *r)
{
	return in_tail(r) ? &r->tail_places : &r->places;
}

/* The segment of the manifest, or NULL for the open one. */
static const struct segment *full(const struct reader *r, uint32_t seq)
{
	return seq <= r->manifest.n ? &r->manifest.segments[seq - 1] : NULL;
}

/* The last segment that does not begin behind the number. */
static uint32_t seq_of(const struct reader *r, uint64_t number)
{
	uint32_t lo = 0, hi = r->manifest.n;

	if (number >= manifest_end(&r->manifest))
		return r->manifest.n + 1;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (r->manifest.segments[mid].first <= number)
			lo = mid;
		else
			hi = mid;
	}
	return lo + 1;
}

bool reader_skip(const struct reader *r, uint64_t number, int64_t from,
	int64_t to, uint64_t *next)
{
	const struct segment *s = full(r, seq_of(r, number));

	if (!s || s->first != number || (s->max >= from && s->min < to))
		return false;
	*next = s->first + s->count;
	return true;
}

/* E_NOT_FOUND: the open segment is not there yet. */
static enum status open_segment(struct reader *r, uint32_t seq, struct err *e)
{
	const struct segment *s = full(r, seq);
	enum status st;

	fs_close(&r->file, NULL);
	r->seq = seq;
	r->loaded = false;
	r->offset = 0;
	if (in_tail(r))
		return OK;
	places_reset(&r->places, s ? s->first : manifest_end(&r->manifest));
	st = fs_open(&r->file, r->fs, segment_path(&r->arena, r->dir, seq),
		false, 0, e);
	if (st)
		r->seq = st == E_NOT_FOUND && !s ? 0 : seq;
	if (st == E_NOT_FOUND && s)
		return err_set(
			e, E_INVALID, "segment %u of %s is gone", seq, r->name);
	return st;
}

/* Note one more block of the segment. E_NOT_FOUND: there is none. */
static enum status hop(struct reader *r, struct err *e)
{
	const struct segment *s = full(r, r->seq);
	const struct fs_file *f = file_of(r);
	struct places *p = places_of(r);
	struct block_head head;
	enum status st;

	r->offset = p->offset;
	if (s && p->offset == s->bytes)
		return E_NOT_FOUND;
	st = block_head_read(f, p->offset, &head, e);
	if (!st && head.first != p->first)
		st = err_set(e, E_INVALID,
			"%s: byte %llu: event %llu where %llu should be",
			f->path, (unsigned long long)r->offset,
			(unsigned long long)head.first,
			(unsigned long long)p->first);
	/* A full segment does not end before its time, or go on. */
	if (st == E_NOT_FOUND && s)
		st = err_set(e, E_INVALID, "%s ends at byte %llu, not %llu",
			f->path, (unsigned long long)r->offset,
			(unsigned long long)s->bytes);
	if (st)
		return st;
	places_add(p, head.size, head.count);
	return OK;
}

static bool in_block(const struct reader *r, uint64_t number)
{
	const struct block_head *h = &r->block.head;

	return r->loaded && number >= h->first && number - h->first < h->count;
}

static enum status load(struct reader *r, uint64_t number, struct err *e)
{
	const struct places *p = places_of(r);
	enum status st = OK;

	while (!st && p->first <= number)
		st = hop(r, e);
	if (st)
		return st;
	r->loaded = false;
	r->offset = p->offsets[places_find(p, number)];
	st = block_read(file_of(r), r->offset, &r->block, e);
	r->loaded = !st;
	return st;
}

/*
 * In the open segment anything that is not a block yet is the end: a writer is
 * just at it, or a crash has left it. Opening the log to write tells which.
 */
static enum status find(struct reader *r, uint64_t number, struct err *e)
{
	uint32_t seq = seq_of(r, number);
	enum status st = OK;

	if (!r->seq || seq != r->seq)
		st = open_segment(r, seq, e);
	if (!st)
		st = load(r, number, e);
	if (st == E_INVALID && !full(r, seq) && r->end == UINT64_MAX)
		st = E_NOT_FOUND;
	return st;
}

enum status reader_at(struct reader *r, uint64_t number, struct record *out,
	bool *found, struct err *e)
{
	enum status st = OK;

	*found = false;
	if (number >= r->end)
		return OK;
	if (!in_block(r, number))
		st = find(r, number, e);
	if (st == E_NOT_FOUND)
		return OK;
	if (st)
		return st;
	*out = r->block.records[number - r->block.head.first];
	*found = true;
	return OK;
}
