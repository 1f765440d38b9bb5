/* infer: which types the two sides of an equation have in common. */
#include "rego/infer.h"

#include <string.h>

/* --- unifying ------------------------------------------------------------- */

bool infer_unifies(struct infer *in, const struct type *x, const struct type *y)
{
	return type_unifies(x, y, &in->work);
}

static bool unify_array(struct infer *in, const struct layer *l,
	const struct term *t, const struct type *to, bool sum)
{
	if (t->list.len != to->len && !to->rest)
		return false;
	for (uint32_t i = 0; i < t->list.len; i++)
		if (!infer_unify(in, l, t->list.items[i],
			    i < to->len ? to->items[i] : to->rest, sum))
			return false;
	return true;
}

static bool unify_object(struct infer *in, const struct layer *l,
	const struct term *t, const struct type *to, bool sum)
{
	if (t->list.len / 2 != to->len && !to->rest)
		return false;
	for (uint32_t i = 0; i < t->list.len; i += 2) {
		const struct term *key = t->list.items[i];
		const struct term *val = t->list.items[i + 1];
		const struct type *at;

		if (!term_is_constant(key)) {
			infer_unify(in, l, val, &type_any, sum);
			continue;
		}
		at = type_select(in->a, to, infer_const_value(in, key));
		if (!at || !infer_unify(in, l, val, at, sum))
			return false;
	}
	return true;
}

static bool unify_set(struct infer *in, const struct layer *l,
	const struct term *t, const struct type *to, bool sum)
{
	for (uint32_t i = 0; i < t->list.len; i++)
		if (!infer_unify(in, l, t->list.items[i], to->rest, sum))
			return false;
	return true;
}

static bool unify_any(struct infer *in, const struct layer *l,
	const struct term *t, const struct type *to)
{
	bool fits = false;

	if (!to->len) {
		for (uint32_t i = 0; i < t->list.len; i++)
			infer_unify(in, l, t->list.items[i], &type_any, true);
		return true;
	}
	for (uint32_t i = 0; i < to->len; i++)
		fits |= infer_unify(in, l, t, to->items[i], true);
	return fits;
}

static bool unify_composite(struct infer *in, const struct layer *l,
	const struct term *t, const struct type *to, bool sum)
{
	if (!in->work)
		return true;
	in->work--;
	if (!to)
		return false;
	if (to->kind == TY_ANY)
		return unify_any(in, l, t, to);
	to = type_open(to);
	if (!to)
		return false;
	if (t->kind == T_ARRAY)
		return to->kind == TY_ARRAY && unify_array(in, l, t, to, sum);
	if (t->kind == T_OBJECT)
		return to->kind == TY_OBJECT && unify_object(in, l, t, to, sum);
	return to->kind == TY_SET && unify_set(in, l, t, to, sum);
}

static bool unify_var(
	struct infer *in, const struct var *v, const struct type *to, bool sum)
{
	const struct type *have = infer_var_type(in, v);

	if (sum) {
		to = type_or(in->a, have, to);
		if (to != have)
			infer_var_put(in, v, to);
		return true;
	}
	if (have)
		return infer_unifies(in, have, to);
	infer_var_put(in, v, to);
	return true;
}

bool infer_unify(struct infer *in, const struct layer *l, const struct term *t,
	const struct type *to, bool sum)
{
	switch (t->kind) {
	case T_ARRAY:
	case T_OBJECT:
	case T_SET:
		return unify_composite(in, l, t, to, sum);
	case T_VAR:
		if (t->var.var)
			return unify_var(in, t->var.var, to, sum);
		return infer_unifies(in, infer_type_of(in, l, t), to);
	default:
		return infer_unifies(in, infer_type_of(in, l, t), to);
	}
}

struct side infer_side_of(
	struct infer *in, const struct layer *l, const struct term *t)
{
	return (struct side){t, infer_type_of(in, l, t)};
}

static bool unify_items(struct infer *in, const struct layer *l,
	const struct term *x, const struct term *y)
{
	if (x->list.len != y->list.len)
		return false;
	for (uint32_t i = 0; i < x->list.len; i++)
		if (!infer_unify_sides(in, l,
			    infer_side_of(in, l, x->list.items[i]),
			    infer_side_of(in, l, y->list.items[i])))
			return false;
	return true;
}

/* Objects of the same keys. */
static bool unify_members(struct infer *in, const struct layer *l,
	const struct term *x, const struct term *y)
{
	if (x->list.len != y->list.len)
		return false;
	for (uint32_t i = 0; i < x->list.len; i += 2)
		if (term_cmp(x->list.items[i], y->list.items[i]))
			return false;
	for (uint32_t i = 1; i < x->list.len; i += 2)
		if (!infer_unify_sides(in, l,
			    infer_side_of(in, l, x->list.items[i]),
			    infer_side_of(in, l, y->list.items[i])))
			return false;
	return true;
}

/* A variable takes what is known of the other side, the rest is `any`. */
static bool unify_var_with(struct infer *in, const struct layer *l,
	const struct term *var, const struct term *t)
{
	return infer_unify(in, l, t, &type_any, false) &&
	       infer_unify(in, l, var, infer_type_of(in, l, t), false);
}

/* Neither side is known in whole. */
static bool unify_unknown(
	struct infer *in, const struct layer *l, struct side x, struct side y)
{
	unsigned a = x.term->kind, b = y.term->kind;

	if (a == T_ARRAY && b == T_ARRAY)
		return unify_items(in, l, x.term, y.term);
	if (a == T_OBJECT && b == T_OBJECT)
		return unify_members(in, l, x.term, y.term);
	if ((a == T_ARRAY || a == T_OBJECT) && b == T_VAR)
		return unify_var_with(in, l, y.term, x.term);
	if (a == T_ARRAY || a == T_OBJECT)
		return false;
	if (a == T_VAR && b == T_VAR)
		return unify_var_with(in, l, y.term, x.term);
	if (a == T_VAR && (b == T_ARRAY || b == T_OBJECT))
		return unify_var_with(in, l, x.term, y.term);
	if (a == T_VAR && b == T_REF)
		return infer_unify(in, l, x.term, &type_any, false);
	if (a == T_REF && b == T_VAR)
		return infer_unify(in, l, y.term, &type_any, false);
	if (a == T_VAR && !x.type && y.type)
		return infer_unify(in, l, x.term, y.type, false);
	if (b == T_VAR && !y.type && x.type)
		return infer_unify(in, l, y.term, x.type, false);
	return false;
}

bool infer_unify_sides(
	struct infer *in, const struct layer *l, struct side x, struct side y)
{
	bool nx = type_unknown(x.type), ny = type_unknown(y.type);

	if (nx && !ny)
		return infer_unify(in, l, x.term, y.type, false);
	if (ny && !nx)
		return infer_unify(in, l, y.term, x.type, false);
	if (!nx)
		return infer_unifies(in, x.type, y.type);
	return unify_unknown(in, l, x, y);
}
