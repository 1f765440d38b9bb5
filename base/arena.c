#include "base/arena.h"
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_MIN = 1 << 16, BLOCK_MAX = 1 << 20, KEEP = 1 << 20 };

struct arena_block {
	struct arena_block *below;
	size_t size; /* of the whole block, this header included */
};

_Static_assert(sizeof(struct arena_block) == 16, "blocks keep the alignment");

static struct arena_block *block_new(struct arena *a, size_t need)
{
	size_t size = a->top ? a->top->size * 2 : BLOCK_MIN;
	struct arena_block *b;

	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	if (size < need + sizeof(*b))
		size = need + sizeof(*b);
	if (a->spare && a->spare->size >= need + sizeof(*b)) {
		b = a->spare;
		a->spare = b->below;
		return b;
	}
	b = malloc(size);
	if (!b)
		die("out of memory: arena block of %zu bytes", size);
	b->size = size;
	return b;
}

void *arena_more(struct arena *a, size_t size)
{
	size_t need = (size + 15) & ~(size_t)15;
	struct arena_block *b;

	if (need < size || need > SIZE_MAX / 2)
		die("out of memory: arena object of %zu bytes", size);
	b = block_new(a, need);
	b->below = a->top;
	a->top = b;
	a->next = (char *)(b + 1) + need;
	a->end = (char *)b + b->size;
	a->used += need;
	return b + 1;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return memset(arena_raw(a, size ? size : 1), 0, size);
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		die("out of memory: %zu things of %zu bytes", n, size);
	return arena_alloc(a, total);
}

void *arena_grow(
	struct arena *a, void *items, uint32_t len, uint32_t *cap, size_t size)
{
	uint32_t want = *cap ? *cap * 2 : 8;
	void *more;

	if (len < *cap)
		return items;
	if (want <= len)
		die("out of memory: array of %u things", len);
	more = arena_array(a, want, size);
	if (len)
		memcpy(more, items, len * size);
	*cap = want;
	return more;
}

char *arena_strdup(struct arena *a, struct str s)
{
	char *p = arena_raw(a, s.len + 1);

	if (s.len)
		memcpy(p, s.ptr, s.len);
	p[s.len] = '\0';
	return p;
}

struct str arena_str(struct arena *a, struct str s)
{
	return (struct str){arena_strdup(a, s), s.len};
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	int n;
	char *p;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		die("broken format: %s", fmt);
	p = arena_raw(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	p = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return p;
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){a->top, a->next, a->end, a->used};
}

static void chain_free(struct arena_block *b)
{
	while (b) {
		struct arena_block *below = b->below;

		free(b);
		b = below;
	}
}

void arena_rewind(struct arena *a, struct arena_mark m)
{
	while (a->top != m.top) {
		struct arena_block *b = a->top;

		a->top = b->below;
		if (b->size <= BLOCK_MAX && !a->spare) {
			b->below = NULL;
			a->spare = b;
		} else {
			free(b);
		}
	}
	a->next = m.next;
	a->end = m.end;
	a->used = m.used;
}

void arena_reset(struct arena *a)
{
	struct arena_block *b = a->top, *keep = a->spare;
	size_t kept = 0;

	for (struct arena_block *s = keep; s; s = s->below)
		kept += s->size;
	while (b) {
		struct arena_block *below = b->below;

		if (kept + b->size <= KEEP) {
			kept += b->size;
			b->below = keep;
			keep = b;
		} else {
			free(b);
		}
		b = below;
	}
	*a = (struct arena){.spare = keep};
}

void arena_release(struct arena *a)
{
	chain_free(a->top);
	chain_free(a->spare);
	*a = (struct arena){0};
}
