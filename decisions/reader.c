#include "decisions/internal.h"

#include <stdlib.h>
#include <string.h>

const char *segment_path(struct arena *a, const char *dir, uint32_t seq)
{
	return arena_printf(a, "%s/%08u.seg", dir, seq);
}

enum status reader_open(struct reader *r, const struct fs *fs, const char *dir,
	const char *name, uint64_t end, struct err *e)
{
	enum status st;

	*r = (struct reader){.fs = fs, .name = name, .end = end, .file.fd = -1};
	r->dir = arena_strdup(&r->arena, str_from(dir));
	st = manifest_read(&r->manifest, fs,
		arena_printf(&r->arena, "%s/manifest", dir), NULL, e);
	if (st)
		reader_close(r);
	return st;
}

void reader_close(struct reader *r)
{
	if (r->seq)
		fs_close(&r->file, NULL);
	free(r->offsets);
	free(r->firsts);
	block_release(&r->block);
	manifest_release(&r->manifest);
	arena_release(&r->arena);
	*r = (struct reader){.file.fd = -1};
}

void reader_place(const struct reader *r, struct decisions_fault *out)
{
	snprintf(out->file, sizeof(out->file), "%s/%08u.seg", r->name, r->seq);
	out->offset = r->offset;
	out->event = r->next_first;
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

	if (r->seq)
		fs_close(&r->file, NULL);
	r->seq = seq;
	r->nblocks = 0;
	r->loaded = false;
	r->offset = r->next_offset = 0;
	r->next_first = s ? s->first : manifest_end(&r->manifest);
	r->file.fd = -1;
	st = fs_open(&r->file, r->fs, segment_path(&r->arena, r->dir, seq),
		false, 0, e);
	if (st)
		r->seq = st == E_NOT_FOUND && !s ? 0 : seq;
	if (st == E_NOT_FOUND && s)
		return err_set(
			e, E_INVALID, "segment %u of %s is gone", seq, r->name);
	return st;
}

static void push(struct reader *r, uint64_t offset, uint64_t first)
{
	if (r->nblocks == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 256;
		r->offsets = reallocarray(r->offsets, r->cap, 8);
		r->firsts = reallocarray(r->firsts, r->cap, 8);
		if (!r->offsets || !r->firsts)
			die("out of memory: blocks");
	}
	r->offsets[r->nblocks] = offset;
	r->firsts[r->nblocks++] = first;
}

/* Note one more block of the segment. E_NOT_FOUND: there is none. */
static enum status hop(struct reader *r, struct err *e)
{
	const struct segment *s = full(r, r->seq);
	struct block_head head;
	enum status st;

	r->offset = r->next_offset;
	if (s && r->next_offset == s->bytes)
		return E_NOT_FOUND;
	st = block_head_read(&r->file, r->next_offset, &head, e);
	if (!st && head.first != r->next_first)
		st = err_set(e, E_INVALID,
			"%s: byte %llu: event %llu where %llu should be",
			r->file.path, (unsigned long long)r->offset,
			(unsigned long long)head.first,
			(unsigned long long)r->next_first);
	/* A full segment does not end before its time, or go on. */
	if (st == E_NOT_FOUND && s)
		st = err_set(e, E_INVALID, "%s ends at byte %llu, not %llu",
			r->file.path, (unsigned long long)r->offset,
			(unsigned long long)s->bytes);
	if (st)
		return st;
	push(r, r->next_offset, head.first);
	r->next_offset += head.size;
	r->next_first += head.count;
	return OK;
}

static bool in_block(const struct reader *r, uint64_t number)
{
	const struct block_head *h = &r->block.head;

	return r->loaded && number >= h->first && number - h->first < h->count;
}

/* The noted block with this number, which is one of theirs. */
static uint32_t block_of(const struct reader *r, uint64_t number)
{
	uint32_t lo = 0, hi = r->nblocks;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (r->firsts[mid] <= number)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static enum status load(struct reader *r, uint64_t number, struct err *e)
{
	uint32_t i;
	enum status st = OK;

	while (!st && r->next_first <= number)
		st = hop(r, e);
	if (st)
		return st;
	i = block_of(r, number);
	r->loaded = false;
	r->offset = r->offsets[i];
	st = block_read(&r->file, r->offset, &r->block, e);
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
