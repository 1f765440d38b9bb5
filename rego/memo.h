/*
 * memo: results of functions within one evaluation.
 *
 * A hash table from (function, env that can change it, arguments) to the
 * result. It fills only after a function was called a number of times, and a
 * function whose calls rarely repeat is left alone for the rest of the
 * evaluation: looking up is cheaper than most bodies, but not than all.
 */
#ifndef REGO_MEMO_H
#define REGO_MEMO_H

#include "rego/value.h"

struct memo_entry {
	uint64_t env;
	uint32_t hash, group, nargs;
	const struct value *args;
	struct value result; /* V_UNDEF: the call is undefined */
};

/* How often a function was asked for, and found. */
struct memo_use {
	uint32_t asked, found;
	bool halts; /* a document that can only be had key by key */
};

struct memo_table {
	struct memo_entry *entries; /* malloc'ed, kept between evaluations */
	uint32_t *slots;            /* entry number + 1 */
	uint32_t len, cap, mask;
	bool always; /* as OPA: from the first call, so that prints are too */
	struct memo_use *use; /* by group id */
};

/* False while it is not worth asking. Counts the call. */
bool memo_wanted(struct memo_table *t, uint32_t group);

/* The entry, or NULL; *hash is for memo_add(). */
const struct memo_entry *memo_lookup(struct memo_table *t, uint32_t group,
	uint64_t env, const struct value *args, uint32_t n, uint32_t *hash);

/* `args` must live until the next reset. */
void memo_add(struct memo_table *t, uint32_t group, uint64_t env,
	const struct value *args, uint32_t n, uint32_t hash,
	struct value result);

/* Forget everything; `ngroups` groups from now on. */
void memo_reset(struct memo_table *t, uint32_t ngroups);
void memo_release(struct memo_table *t);

#endif
