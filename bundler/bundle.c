/* A bundle's files. */
#include "bundler/internal.h"

#include <stdlib.h>
#include <string.h>

struct bundle_text {
	struct bundle_text *next;
	char *ptr;
};

void bundle_release(struct bundle *b)
{
	for (struct bundle_text *t = b->texts; t; t = t->next)
		free(t->ptr);
	map_release(&b->index);
	arena_release(&b->arena);
	*b = (struct bundle){0};
}

/* Positions in the index count from 1. */
static struct bundle_file *find(const struct bundle *b, struct str path)
{
	uintptr_t at = (uintptr_t)map_get(&b->index, path);

	return at ? &b->files[at - 1] : NULL;
}

const struct bundle_file *bundle_find(const struct bundle *b, struct str path)
{
	return find(b, path);
}

static void append(struct bundle *b, struct str path, struct str content)
{
	struct bundle_file f = {
		.path = arena_str(&b->arena, path), .content = content};

	b->files = arena_grow(
		&b->arena, b->files, b->nfiles, &b->cap, sizeof(*b->files));
	b->files[b->nfiles++] = f;
	map_set(&b->index, f.path, (void *)(uintptr_t)b->nfiles);
}

static enum status is_free(
	const struct bundle *b, struct str path, struct err *e)
{
	if (!find(b, path))
		return OK;
	return err_set(e, E_CONFLICT, "%.*s stands twice in the bundle",
		STR_ARG(path));
}

enum status bundle_add(
	struct bundle *b, struct str path, struct str content, struct err *e)
{
	enum status st = is_free(b, path, e);

	if (!st)
		append(b, path, arena_str(&b->arena, content));
	return st;
}

static struct str keep(struct bundle *b, struct buf *content)
{
	struct bundle_text *t = ARENA_NEW(&b->arena, struct bundle_text);
	struct str s = buf_str(content);

	t->ptr = buf_detach(content);
	t->next = b->texts;
	b->texts = t;
	s.ptr = t->ptr;
	return s;
}

enum status bundle_take(
	struct bundle *b, struct str path, struct buf *content, struct err *e)
{
	enum status st = is_free(b, path, e);

	if (st)
		buf_release(content);
	else
		append(b, path, keep(b, content));
	return st;
}

void bundle_set(struct bundle *b, struct str path, struct buf *content)
{
	struct bundle_file *f = find(b, path);

	if (f)
		f->content = keep(b, content);
	else
		append(b, path, keep(b, content));
}

/* --- comparing ------------------------------------------------------------ */

static uint32_t count_unsigned(const struct bundle *b)
{
	return b->nfiles - (find(b, S(".signatures.json")) != NULL);
}

bool bundle_same(const struct bundle *a, const struct bundle *b)
{
	bool same = count_unsigned(a) == count_unsigned(b);

	for (uint32_t i = 0; i < a->nfiles && same; i++) {
		const struct bundle_file *f = &a->files[i];
		const struct bundle_file *other = find(b, f->path);

		if (!str_is(f->path, ".signatures.json"))
			same = other && str_eq(f->content, other->content);
	}
	return same;
}

/* --- order ---------------------------------------------------------------- */

/* That of `opa build`. */
static int rank(struct str path)
{
	if (str_is(path, "data.json"))
		return 0;
	if (str_is(path, ".signatures.json"))
		return 2;
	return str_is(path, ".manifest") ? 3 : 1;
}

static int by_rank(const void *a, const void *b)
{
	const struct bundle_file *x = a, *y = b;
	int order = rank(x->path) - rank(y->path);

	return order ? order : str_cmp(x->path, y->path);
}

void bundle_order(struct bundle *b)
{
	if (b->nfiles)
		qsort(b->files, b->nfiles, sizeof(*b->files), by_rank);
	for (uint32_t i = 0; i < b->nfiles; i++)
		map_set(&b->index, b->files[i].path,
			(void *)(uintptr_t)(i + 1));
}
