/*
 * A log's tree, and the file that spares reading the whole log for a proof:
 * one hash per 256 events, in order, nothing else. It is derived, and wrong
 * content shows in the root.
 */
#include "decisions/internal.h"

#include <string.h>

uint64_t tree_size(const struct tree *t)
{
	return t->groups.size + t->rest.size;
}

/* The rest is the right edge: every whole group stands to its left. */
struct merkle_hash tree_root(const struct tree *t)
{
	unsigned n = (unsigned)__builtin_popcountll(t->groups.size);
	struct merkle_hash h;

	if (!t->rest.size)
		return merkle_root(&t->groups);
	h = merkle_root(&t->rest);
	while (n)
		h = merkle_node(&t->groups.roots[--n], &h);
	return h;
}

void tree_add(struct tree *t, const struct merkle_hash *leaf)
{
	merkle_add(&t->rest, leaf);
	if (t->rest.size < GROUP)
		return;
	merkle_add_tree(&t->groups, GROUP_LEVEL, &t->rest.roots[0]);
	buf_add(&t->hashes, t->rest.roots[0].b, MERKLE_BYTES);
	t->rest.size = 0;
}

static void tree_reset(struct tree *t)
{
	t->groups.size = t->rest.size = 0;
	buf_reset(&t->hashes);
}

static const char *path_of(struct arena *a, const char *dir)
{
	return arena_printf(a, "%s/tree", dir);
}

static enum status add_events(
	struct tree *t, struct reader *r, uint64_t size, struct err *e)
{
	while (tree_size(t) < size) {
		struct merkle_hash leaf;
		struct record rec;
		bool found;
		enum status st = reader_at(r, tree_size(t), &rec, &found, e);

		if (st)
			return st;
		if (!found)
			return err_set(e, E_INVALID, "%s ends at event %llu",
				r->name, (unsigned long long)tree_size(t));
		leaf = record_leaf(&rec);
		tree_add(t, &leaf);
	}
	return OK;
}

static bool fits(const struct tree *t, const struct merkle_hash *want)
{
	struct merkle_hash root = tree_root(t);

	return !want || merkle_equal(&root, want);
}

static struct merkle_hash hash_at(struct str file, uint64_t i)
{
	struct merkle_hash h;

	memcpy(h.b, file.ptr + i * MERKLE_BYTES, MERKLE_BYTES);
	return h;
}

enum status tree_load(struct tree *t, struct reader *r, uint64_t size,
	const struct merkle_hash *want, struct err *e)
{
	struct tree_source s = {0};
	enum status st = tree_source_open(&s, r, e);
	uint64_t n = size / GROUP;

	if (st)
		return st;
	tree_reset(t);
	for (uint64_t i = 0; i < n && i < s.groups.len / MERKLE_BYTES; i++) {
		struct merkle_hash h = hash_at(buf_str(&s.groups), i);

		merkle_add_tree(&t->groups, GROUP_LEVEL, &h);
	}
	st = add_events(t, r, size, e);
	if (!st && !fits(t, want)) {
		tree_reset(t);
		st = add_events(t, r, size, e);
	}
	if (!st && !fits(t, want))
		st = err_set(e, E_INVALID,
			"the events of %s do not have the root that its "
			"manifest says",
			r->name);
	tree_source_release(&s);
	return st;
}

/* The groups before those that are new stay, what is behind goes. */
enum status tree_save(
	struct tree *t, const struct fs *fs, const char *dir, struct err *e)
{
	uint64_t at = t->groups.size / GROUP * MERKLE_BYTES - t->hashes.len;
	struct arena a = {0};
	struct fs_file f = {.fd = -1};
	uint64_t size = 0;
	enum status st = fs_open(&f, fs, path_of(&a, dir), true, 0640, e);

	if (!st)
		st = fs_size(&f, &size, e);
	if (!st && size > at)
		st = fs_cut(&f, at, e);
	if (!st && t->hashes.len && size >= at)
		st = fs_append(&f, buf_str(&t->hashes), e);
	if (!st)
		st = fs_close(&f, e);
	else
		fs_close(&f, NULL);
	if (!st)
		buf_reset(&t->hashes);
	arena_release(&a);
	return st;
}

/* --- hashes for proofs --------------------------------------------------- */

enum status tree_source_open(
	struct tree_source *s, struct reader *r, struct err *e)
{
	enum status st;

	*s = (struct tree_source){.reader = r};
	st = fs_read(r->fs, path_of(&r->arena, r->dir), (size_t)1 << 40,
		&s->groups, e);
	return st == E_NOT_FOUND ? OK : st;
}

void tree_source_release(struct tree_source *s)
{
	buf_release(&s->groups);
}

/*
 * Ranges of a tree begin at a multiple of their size rounded up to a power of
 * two, so that each is a tree of its own, and whole groups are groups.
 */
enum status tree_hash(void *user, uint64_t from, uint64_t to,
	struct merkle_hash *out, struct err *e)
{
	struct tree_source *s = user;
	struct tree t = {0};
	uint64_t known = s->groups.len / MERKLE_BYTES;
	enum status st = OK;

	while (!st && from + tree_size(&t) < to) {
		uint64_t at = from + tree_size(&t);
		struct merkle_hash h;
		struct record rec;
		bool found = true;

		if (at % GROUP == 0 && to - at >= GROUP && at / GROUP < known) {
			h = hash_at(buf_str(&s->groups), at / GROUP);
			merkle_add_tree(&t.groups, GROUP_LEVEL, &h);
			continue;
		}
		st = reader_at(s->reader, at, &rec, &found, e);
		if (!st && !found)
			st = err_set(e, E_INVALID, "no event %llu",
				(unsigned long long)at);
		if (st)
			break;
		h = record_leaf(&rec);
		tree_add(&t, &h);
	}
	if (!st)
		*out = tree_root(&t);
	buf_release(&t.hashes);
	return st;
}
