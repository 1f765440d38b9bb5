/*
 * patterns: compiled patterns kept from one call to the next.
 *
 * A table from the text of a pattern to what it was compiled into; one for
 * each family that compiles, in the cache slot of its VM. It holds a bounded
 * number and is emptied when that is reached: a policy has few patterns, or it
 * makes them from its input and then none comes twice.
 */
#ifndef REGO_BUILTIN_PATTERNS_H
#define REGO_BUILTIN_PATTERNS_H

#include "rego/builtin.h"

enum { PATTERNS_MAX = 256, PATTERNS_BYTES = 64 << 20 };

/* What was put at `key`, or NULL. */
void *patterns_get(const struct bi_cache *c, struct str key);

/*
 * Keep `item` at `key`, which is copied; free_item() ends it later. All items
 * of one cache have the same free_item. `size` is about what the item takes;
 * one that takes more than PATTERNS_BYTES is kept until the next one comes.
 */
void patterns_put(struct bi_cache *c, struct str key, void *item,
	void (*free_item)(void *item), size_t size);

#endif
