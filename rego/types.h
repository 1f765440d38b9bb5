/*
 * types: what kinds of values a term can have.
 *
 * These are OPA's types (v1/types): they decide which programs are refused, and
 * errors print them. A type is immutable once made and lives as long as its
 * arena. NULL is the unknown type, as the result of a call that was not typed;
 * printed it is ???.
 *
 *	any<number, string>    one of a list, in order of type_cmp(); `any`
 *	                       alone, an empty list, is all types
 *	array<number>[any]     a number, then any number of anything
 *	object<id: number>[string: any]
 *	                       a number under "id", anything under other strings
 *	set[string]; set       `set` alone has no members
 *	(number) => string     a function
 *	recursive(#/$defs/x)   a definition of a JSON schema, within itself
 *
 * A type that nests too deep or is too big becomes `any`, which never is an
 * error: see the limits below. So what works on types may recurse. A recursive
 * type is a leaf there; who looks into it, with type_open(), counts how often.
 */
#ifndef REGO_TYPES_H
#define REGO_TYPES_H

#include "rego/value.h"

/* In the order of type_cmp(). */
enum type_kind {
	TY_NULL,
	TY_BOOLEAN,
	TY_NUMBER,
	TY_STRING,
	TY_ARRAY,
	TY_OBJECT,
	TY_SET,
	TY_ANY,
	TY_FUNCTION,
	TY_RECURSIVE, /* in order it is what it stands for */
};

/* Past these a type is `any`. Size counts all types inside, shared or not. */
enum { TYPE_DEPTH_MAX = 500, TYPE_SIZE_MAX = 1 << 20 };

/* Two types that went through so many recursive ones without a difference are
 * the same, and unify. */
enum { TYPE_OPEN_MAX = 64 };

/* Name and description of a builtin's argument; either may be empty. */
struct param {
	struct str name, text;
};

struct type {
	uint8_t kind;
	bool unknown; /* there is a NULL inside, where OPA looks for one */
	bool dynamic; /* TY_OBJECT: has other members, of types key and rest */
	uint16_t depth;
	uint32_t size;
	uint32_t len;
	const struct type *const *items; /* members, values, arguments */
	const struct value *keys;        /* TY_OBJECT: sorted, one an item */
	const struct type *key;          /* TY_OBJECT */
	/*
	 * Other members of an array or object; members of a set; a result;
	 * what a recursive type stands for.
	 */
	const struct type *rest;
	const struct type *more; /* TY_FUNCTION: type of all further args */
	/* Of a builtin: arguments, result, more. Of a recursive type: name. */
	const struct param *params;
};

extern const struct type type_null, type_boolean, type_number, type_string,
	type_any, type_empty_set, type_set_of_any;

/* `items` and `keys` are kept, not copied. */
const struct type *type_array(struct arena *a, const struct type *const *items,
	uint32_t n, const struct type *rest);
const struct type *type_set(struct arena *a, const struct type *of);
/* `keys` come in any order and are sorted in place, with `items`. */
const struct type *type_object(struct arena *a, struct value *keys,
	const struct type **items, uint32_t n);
/* The same with other members too. */
const struct type *type_object_open(struct arena *a, struct value *keys,
	const struct type **items, uint32_t n, const struct type *key,
	const struct type *rest);
const struct type *type_function(struct arena *a,
	const struct type *const *args, uint32_t n, const struct type *result);
/* The same where any number of `more` may follow, if that is not NULL. */
const struct type *type_builtin(struct arena *a, const struct type *const *args,
	uint32_t n, const struct type *more, const struct type *result);
/* A builtin's type without the names of its arguments. */
const struct type *type_unnamed(struct arena *a, const struct type *function);
/*
 * An any<> of the types in `items`, which is sorted in place; equal ones fall
 * together.
 */
const struct type *type_any_of(
	struct arena *a, const struct type **items, uint32_t n);

/*
 * What `name` defines, inside of its own definition: nothing known (NULL) until
 * type_recursive_is() says it, once.
 */
struct type *type_recursive(struct arena *a, struct str name);
void type_recursive_is(struct type *r, const struct type *t);

/* What a recursive type stands for; any other is itself. */
static inline const struct type *type_open(const struct type *t)
{
	while (t && t->kind == TY_RECURSIVE)
		t = t->rest;
	return t;
}

/* The type of a builtin out of its declaration: see builtin/declared.c. */
const struct type *type_declared(struct arena *a, const char *declaration);
const struct type *type_of_value(struct arena *a, struct value v);

static inline bool type_is_any(const struct type *t) /* of all types */
{
	return t && t->kind == TY_ANY && !t->len;
}

/* Nothing can be said against any value of it. */
static inline bool type_unknown(const struct type *t)
{
	return !t || t->unknown;
}

/* A collection that can't have members. */
bool type_is_empty(const struct type *t);

/* A total order; NULL comes first. */
int type_cmp(const struct type *x, const struct type *y);
/* Either. A function and something else give NULL. */
const struct type *type_or(
	struct arena *a, const struct type *x, const struct type *y);
/* type_or() of all, from left to right. */
const struct type *type_or_all(
	struct arena *a, const struct type *const *items, uint32_t n);

/* Of what can be enumerated; NULL when nothing can. */
const struct type *type_keys(struct arena *a, const struct type *t);
const struct type *type_values(struct arena *a, const struct type *t);
/* The member at a constant; NULL when there can't be one. */
const struct type *type_select(
	struct arena *a, const struct type *t, struct value key);

/*
 * Can a value be of both types? `work` counts down; when it is used up the
 * answer is yes.
 */
bool type_unifies(const struct type *x, const struct type *y, uint32_t *work);

/* The document of two rules of these types. */
const struct type *type_merge(
	struct arena *a, const struct type *x, const struct type *y);
/* The object `t` with a member of type `v` at a path of constants too. */
const struct type *type_insert(struct arena *a, const struct type *t,
	const struct value *path, uint32_t n, const struct type *v);
/*
 * The same, in place of the member that is there. What is no object becomes
 * one that may have any other members.
 */
const struct type *type_override(struct arena *a, const struct type *t,
	const struct value *path, uint32_t n, const struct type *v);

/* As in messages: text, and OPA's JSON form. */
void type_text(struct buf *out, const struct type *t);
void type_json(struct buf *out, const struct type *t);
/* The key of a member as Go prints it. */
void type_key_text(struct buf *out, struct value key);
/* "x: number" of argument `i`; its result comes after the arguments. */
void type_param_text(struct buf *out, const struct type *function, uint32_t i);
void type_param_json(struct buf *out, const struct type *function, uint32_t i);

#endif
