#include "rego/builtin/patterns.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 2 * PATTERNS_MAX };

struct entry {
	char *key; /* NULL: free */
	size_t len;
	uint32_t hash;
	void *item;
};

struct patterns {
	void (*free_item)(void *item);
	size_t n, bytes;
	struct entry slots[SLOTS];
};

static void clear(struct patterns *p)
{
	for (size_t i = 0; i < SLOTS; i++) {
		if (!p->slots[i].key)
			continue;
		free(p->slots[i].key);
		p->free_item(p->slots[i].item);
		p->slots[i] = (struct entry){0};
	}
	p->n = p->bytes = 0;
}

static void patterns_free(void *state)
{
	clear(state);
	free(state);
}

/* The entry of `key`, or the free one where it belongs. */
static size_t slot_of(const struct patterns *p, struct str key, uint32_t hash)
{
	size_t i = hash % SLOTS;

	while (p->slots[i].key &&
		(p->slots[i].hash != hash ||
			!str_eq(key,
				str_make(p->slots[i].key, p->slots[i].len))))
		i = (i + 1) % SLOTS;
	return i;
}

void *patterns_get(const struct bi_cache *c, struct str key)
{
	const struct patterns *p = c->state;

	if (!p)
		return NULL;
	return p->slots[slot_of(p, key, str_hash(key.ptr, key.len))].item;
}

void patterns_put(struct bi_cache *c, struct str key, void *item,
	void (*free_item)(void *item), size_t size)
{
	struct patterns *p = c->state;
	struct entry e = {.len = key.len, .item = item};

	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			die("out of memory: pattern cache");
		p->free_item = free_item;
		c->state = p;
		c->free_fn = patterns_free;
	}
	size += key.len;
	if (p->n == PATTERNS_MAX || p->bytes + size > PATTERNS_BYTES)
		clear(p);
	e.key = malloc(key.len + 1);
	if (!e.key)
		die("out of memory: pattern of %zu bytes", key.len);
	memcpy(e.key, key.len ? key.ptr : "", key.len);
	e.hash = str_hash(key.ptr, key.len);
	p->slots[slot_of(p, key, e.hash)] = e;
	p->n++;
	p->bytes += size;
}
