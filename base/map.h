/*
 * map: from a string to a pointer.
 *
 * An open-addressing hash table that keeps the order in which keys came, so
 * that walking one gives the same order in every process. Keys are borrowed:
 * they must live as long as the map. {0} is empty.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_entry {
	struct str key;
	uint32_t hash;
	void *value;
};

struct map {
	struct map_entry *entries; /* in the order of arrival */
	uint32_t *slots;           /* entry number + 1; 0 is free */
	size_t len, cap, nslots;
};

/* The value at `key`, or NULL. */
void *map_get(const struct map *m, struct str key);

/*
 * The place of the value at `key`, made with a NULL value if it was missing.
 * Valid until the next map_at().
 */
void **map_at(struct map *m, struct str key);

/* Set the value at `key`; returns what was there before, or NULL. */
void *map_set(struct map *m, struct str key, void *value);

/* Give back the table and its keys; the values are the caller's. */
void map_release(struct map *m);

#endif
