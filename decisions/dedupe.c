/* A set of 128-bit ids that only grows: 32 to 64 bytes for each. */
#include "decisions/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { KEPT = 1 << 16 }; /* slots that a reset keeps */

struct id_slot {
	unsigned char id[16];
	uint64_t hash; /* 0: free */
};

/* Never 0, which is a free slot. */
uint64_t hash_start(const struct merkle_hash *h)
{
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		n = n << 8 | h->b[i];
	return n ? n : 1;
}

/* With a number that no agent knows, so that none can choose one slot. */
static size_t start(const struct ids *s, const unsigned char id[16])
{
	uint64_t a, b;

	memcpy(&a, id, 8);
	memcpy(&b, id + 8, 8);
	a = (a ^ s->seed) * 0x9e3779b97f4a7c15u;
	a = (a ^ (a >> 32) ^ b) * 0xd6e8feb86659fd93u;
	return (size_t)(a ^ (a >> 32)) & (s->cap - 1);
}

/* The slot of this pair, or the first free one. Sets *other on the way. */
static struct id_slot *probe(const struct ids *s, const unsigned char id[16],
	uint64_t hash, bool *other)
{
	size_t i = start(s, id);

	for (;; i = (i + 1) & (s->cap - 1)) {
		struct id_slot *slot = &s->slots[i];

		if (!slot->hash)
			return slot;
		if (memcmp(slot->id, id, 16) != 0)
			continue;
		if (slot->hash == hash)
			return slot;
		*other = true;
	}
}

enum seen ids_find(
	const struct ids *s, const unsigned char id[16], uint64_t hash)
{
	bool other = false;

	if (!s->n)
		return SEEN_NOT;
	if (probe(s, id, hash, &other)->hash)
		return SEEN_SAME;
	return other ? SEEN_OTHER : SEEN_NOT;
}

static void resize(struct ids *s, size_t cap)
{
	struct ids old = *s;

	s->slots = calloc(cap, sizeof(*s->slots));
	if (!s->slots)
		die("out of memory: %zu ids", old.n);
	s->cap = cap;
	s->n = 0;
	if (!s->seed && getrandom(&s->seed, sizeof(s->seed), 0) < 0)
		s->seed = (uintptr_t)s->slots;
	ids_merge(s, &old);
	free(old.slots);
}

void ids_add(struct ids *s, const unsigned char id[16], uint64_t hash)
{
	bool other;
	struct id_slot *slot;

	if (4 * (s->n + 1) > 3 * s->cap)
		resize(s, s->cap ? 2 * s->cap : 1024);
	slot = probe(s, id, hash, &other);
	if (slot->hash)
		return;
	memcpy(slot->id, id, 16);
	slot->hash = hash;
	s->n++;
}

void ids_merge(struct ids *into, const struct ids *from)
{
	for (size_t i = 0; i < from->cap; i++)
		if (from->slots[i].hash)
			ids_add(into, from->slots[i].id, from->slots[i].hash);
}

/* Room for one large upload is not cleared for each small one. */
void ids_reset(struct ids *s)
{
	if (s->cap > KEPT)
		ids_release(s);
	if (s->slots)
		memset(s->slots, 0, s->cap * sizeof(*s->slots));
	s->n = 0;
}

void ids_release(struct ids *s)
{
	free(s->slots);
	*s = (struct ids){0};
}
