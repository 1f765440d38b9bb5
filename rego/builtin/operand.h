/*
 * operand: what builtins of several families need to read their arguments.
 *
 * Source of the texts: OPA's operand checks (topdown/builtins).
 */
#ifndef REGO_BUILTIN_OPERAND_H
#define REGO_BUILTIN_OPERAND_H

#include "rego/builtin.h"

/* An integer literal as num_literal_int64() reads it, or OPA's error text. */
enum bi_status operand_int(
	struct bi_ctx *cx, int pos, struct value v, int64_t *out);

/* "operand 1 must be array of numbers but got array containing string" */
enum bi_status operand_element(struct bi_ctx *cx, int pos, struct value all,
	const char *expected, struct value got);

/*
 * The member at a key, as OPA's Get: array by integer literal, object by key,
 * set by member; V_UNDEF when there is none.
 */
struct value operand_get(struct value from, struct value key);

/* The members of an array or a set, in order; false for anything else. */
bool operand_members(struct value v, const struct value **items, uint32_t *len);

/*
 * The key that a filter leaves in an object, 1 or 1.0: OPA takes that of the
 * filter when the filter has more keys than the object.
 */
struct value operand_filter_key(
	const struct object *o, const struct keys *filter, struct value key);

/* Rego text of a value for an error message; lives as long as the result. */
const char *operand_text(struct bi_ctx *cx, struct value v);

/*
 * A 64-bit number that is the same for the same bytes and seed, and looks
 * random otherwise.
 */
uint64_t operand_random(uint64_t seed, struct str key);

/* Run another builtin, on values of the types it takes. */
enum bi_status operand_call(struct bi_ctx *cx, const char *name,
	const struct value *args, struct value *out);

/* Put `before` in front of the message of the error that was just made. */
enum bi_status operand_wrap(struct bi_ctx *cx, const char *before);

/* A set algebra over sorted members. */
struct value set_union(
	struct arena *a, const struct set *x, const struct set *y);
struct value set_intersect(
	struct arena *a, const struct set *x, const struct set *y);
struct value set_minus(
	struct arena *a, const struct set *x, const struct set *y);

#endif
