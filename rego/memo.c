#include "rego/memo.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1024, ENTRIES_MAX = 1 << 20, TRIAL = 64, RARE = 8 };

bool memo_wanted(struct memo_table *t, uint32_t group)
{
	struct memo_use *u = &t->use[group];

	u->asked++;
	if (t->always)
		return true;
	if (u->asked < 4)
		return false; /* most functions are called once or twice */
	return u->asked < TRIAL || u->found >= u->asked / RARE;
}

static uint32_t key_hash(
	uint32_t group, uint64_t env, const struct value *args, uint32_t n)
{
	uint64_t h = (group + 1) * 0x9e3779b97f4a7c15u ^ env;

	for (uint32_t i = 0; i < n; i++) {
		h = (h ^ value_hash(args[i])) * 0x9fb21c651e98df25u;
		h ^= h >> 29;
	}
	return (uint32_t)(h >> 16);
}

static bool same_args(
	const struct memo_entry *e, const struct value *args, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!value_eq(e->args[i], args[i]))
			return false;
	return true;
}

const struct memo_entry *memo_lookup(struct memo_table *t, uint32_t group,
	uint64_t env, const struct value *args, uint32_t n, uint32_t *hash)
{
	*hash = key_hash(group, env, args, n);
	if (!t->len)
		return NULL;
	for (uint32_t at = *hash & t->mask; t->slots[at];
		at = (at + 1) & t->mask) {
		const struct memo_entry *e = &t->entries[t->slots[at] - 1];

		if (e->hash == *hash && e->group == group && e->env == env &&
			e->nargs == n && same_args(e, args, n)) {
			t->use[group].found++;
			return e;
		}
	}
	return NULL;
}

static void place(struct memo_table *t, uint32_t entry)
{
	uint32_t at = t->entries[entry].hash & t->mask;

	while (t->slots[at])
		at = (at + 1) & t->mask;
	t->slots[at] = entry + 1;
}

static void table_grow(struct memo_table *t)
{
	uint32_t slots = t->mask ? (t->mask + 1) * 2 : SLOTS;

	t->cap = slots / 2;
	t->entries = realloc(t->entries, t->cap * sizeof(*t->entries));
	free(t->slots);
	t->slots = calloc(slots, sizeof(*t->slots));
	if (!t->entries || !t->slots)
		die("out of memory: memo of %u entries", t->cap);
	t->mask = slots - 1;
	for (uint32_t i = 0; i < t->len; i++)
		place(t, i);
}

void memo_add(struct memo_table *t, uint32_t group, uint64_t env,
	const struct value *args, uint32_t n, uint32_t hash,
	struct value result)
{
	if (t->len >= ENTRIES_MAX)
		return;
	if (t->len == t->cap)
		table_grow(t);
	t->entries[t->len] = (struct memo_entry){.env = env,
		.hash = hash,
		.group = group,
		.nargs = n,
		.args = args,
		.result = result};
	place(t, t->len++);
}

void memo_reset(struct memo_table *t, uint32_t ngroups)
{
	if (t->len) {
		t->len = 0;
		memset(t->slots, 0, (t->mask + 1u) * sizeof(*t->slots));
	}
	if (ngroups && t->use)
		memset(t->use, 0, ngroups * sizeof(*t->use));
}

void memo_release(struct memo_table *t)
{
	free(t->entries);
	free(t->slots);
	free(t->use);
	*t = (struct memo_table){0};
}
