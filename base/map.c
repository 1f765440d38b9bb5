#include "base/map.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

static void *grow(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) || !(p = realloc(p, bytes)))
		die("out of memory: map of %zu entries", n);
	return p;
}

static void rehash(struct map *m)
{
	m->nslots = m->nslots ? m->nslots * 2 : 16;
	free(m->slots);
	m->slots = calloc(m->nslots, sizeof(*m->slots));
	if (!m->slots)
		die("out of memory: map of %zu slots", m->nslots);
	for (size_t i = 0; i < m->len; i++) {
		size_t at = m->entries[i].hash & (m->nslots - 1);

		while (m->slots[at])
			at = (at + 1) & (m->nslots - 1);
		m->slots[at] = (uint32_t)i + 1;
	}
}

static struct map_entry *lookup(
	const struct map *m, struct str key, uint32_t hash)
{
	if (!m->nslots)
		return NULL;
	for (size_t at = hash & (m->nslots - 1); m->slots[at];
		at = (at + 1) & (m->nslots - 1)) {
		struct map_entry *e = &m->entries[m->slots[at] - 1];

		if (e->hash == hash && str_eq(e->key, key))
			return e;
	}
	return NULL;
}

void *map_get(const struct map *m, struct str key)
{
	struct map_entry *e = lookup(m, key, str_hash(key.ptr, key.len));

	return e ? e->value : NULL;
}

void **map_at(struct map *m, struct str key)
{
	uint32_t hash = str_hash(key.ptr, key.len);
	struct map_entry *e = lookup(m, key, hash);
	size_t at;

	if (e)
		return &e->value;
	if (m->len == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 8;
		m->entries = grow(m->entries, m->cap, sizeof(*m->entries));
	}
	if ((m->len + 1) * 2 > m->nslots)
		rehash(m);
	at = hash & (m->nslots - 1);
	while (m->slots[at])
		at = (at + 1) & (m->nslots - 1);
	m->slots[at] = (uint32_t)++m->len;
	e = &m->entries[m->len - 1];
	*e = (struct map_entry){.key = key, .hash = hash};
	return &e->value;
}

void *map_set(struct map *m, struct str key, void *value)
{
	void **at = map_at(m, key), *before = *at;

	*at = value;
	return before;
}

void map_release(struct map *m)
{
	free(m->entries);
	free(m->slots);
	*m = (struct map){0};
}
