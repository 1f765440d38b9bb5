/*
 * arena: memory freed all at once.
 *
 * A chain of blocks that only grows. Nothing taken from an arena is freed by
 * itself; arena_release() gives everything back, so no object may outlive
 * its arena. One compiled module has one; one evaluation has another.
 *
 * Sizes are in bytes. Allocation never returns NULL: when the machine is out
 * of memory the process ends with a message. Threads may not share one. {0} is
 * an empty arena.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

#include <stdarg.h>

struct arena_block;

struct arena {
	struct arena_block *top;   /* newest block; NULL when empty */
	struct arena_block *spare; /* blocks kept by arena_reset() */
	char *next, *end;          /* free room in the newest block */
	size_t used;               /* bytes handed out, padding included */
};

/* A point in an arena's life, for arena_rewind(). */
struct arena_mark {
	struct arena_block *top;
	char *next, *end;
	size_t used;
};

/* Slow path of arena_raw(): takes a new block. */
void *arena_more(struct arena *a, size_t size);

/* Room for `size` bytes, not zeroed, aligned to 16. Lives as long as `a`. */
static inline void *arena_raw(struct arena *a, size_t size)
{
	size_t need = (size + 15) & ~(size_t)15;

	if (need < size || need > (size_t)(a->end - a->next))
		return arena_more(a, size);
	void *p = a->next;

	a->next += need;
	a->used += need;
	return p;
}

/* Zeroed room for `size` bytes, aligned to 16. Lives as long as `a`. */
void *arena_alloc(struct arena *a, size_t size);

/* Zeroed room for `n` things of `size` bytes; an overflow ends the process. */
void *arena_array(struct arena *a, size_t n, size_t size);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_array((a), (n), sizeof(type)))

/*
 * Room for one more in an array of `len` things of `size` bytes: the array
 * itself, or, when *cap is reached, a copy of twice the room.
 */
void *arena_grow(
	struct arena *a, void *items, uint32_t len, uint32_t *cap, size_t size);

/* A NUL-terminated copy of `s`. Lives as long as `a`. */
char *arena_strdup(struct arena *a, struct str s);

/* A copy of `s`, and formatted text. Both live as long as `a`. */
struct str arena_str(struct arena *a, struct str s);
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Remember this point; give back everything taken since. */
struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark m);

void arena_reset(struct arena *a);   /* empty, up to 1 MiB is kept */
void arena_release(struct arena *a); /* empty, everything is given back */

#endif
