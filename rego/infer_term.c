/* infer: the tree of documents, and the types of terms. */
#include "rego/infer.h"

#include <string.h>

/* --- the tree of documents ---------------------------------------------- */

/* A constant as Go's JSON of it: sets are arrays. */
struct value infer_const_value(struct infer *in, const struct term *t)
{
	uint32_t n = t->list.len;
	struct value *items, *keys;

	if (t->kind == T_SCALAR)
		return t->val;
	items = ARENA_ARRAY(in->a, struct value, n);
	if (t->kind != T_OBJECT) {
		for (uint32_t i = 0; i < n; i++)
			items[i] = infer_const_value(in, t->list.items[i]);
		return v_arr(in->a, items, n);
	}
	keys = ARENA_ARRAY(in->a, struct value, n);
	for (uint32_t i = 0; i < n / 2; i++) {
		keys[i] = infer_const_value(in, t->list.items[2 * i]);
		items[i] = infer_const_value(in, t->list.items[2 * i + 1]);
	}
	return v_obj(in->a, keys, items, n / 2);
}

/* The node of documents with types below `n` at a constant, or NULL. */
struct node *infer_kid_at(const struct node *n, const struct term *t)
{
	struct node *kid = t->kind == T_SCALAR ? node_child(n, t->val) : NULL;

	return kid && kid->typed ? kid : NULL;
}

/*
 * All that is at and below a node: an object with the rules there, and with
 * what base documents may add.
 */
const struct type *infer_extent(struct infer *in, struct node *n)
{
	const struct type **items;
	struct value *keys;
	uint32_t len = 0;

	if (n->type || n->extent)
		return n->type ? n->type : n->extent;
	items = ARENA_ARRAY(in->a, const struct type *, n->nkids);
	keys = ARENA_ARRAY(in->a, struct value, n->nkids);
	for (uint32_t i = 0; i < n->nkids; i++) {
		struct value key = n->kids[i]->key;

		if (!n->kids[i]->typed || key.tag == V_NULL || key.tag > V_STR)
			continue;
		keys[len] = key;
		items[len++] = infer_extent(in, n->kids[i]);
	}
	n->extent = type_object_open(
		in->a, keys, items, len, &type_string, &type_any);
	return n->extent;
}

/* Something changed at `n`. */
void infer_node_touch(struct node *n)
{
	for (; n; n = n->parent) {
		n->typed = true;
		n->extent = NULL;
	}
}

void infer_node_put(struct node *n, const struct type *t)
{
	n->type = t;
	infer_node_touch(n);
}

/* The keys from below `from` to `to`. */
static struct value *keys_between(struct infer *in, const struct node *from,
	const struct node *to, uint32_t *n)
{
	struct value *keys;
	uint32_t i = to->depth - from->depth;

	*n = i;
	keys = ARENA_ARRAY(in->a, struct value, i);
	for (; to != from; to = to->parent)
		keys[--i] = to->key;
	return keys;
}

/* Into the object at `at` go all types below it. */
static void insert_kids(
	struct infer *in, struct node *at, const struct node *below)
{
	for (uint32_t i = 0; i < below->nkids; i++) {
		const struct node *kid = below->kids[i];
		struct value *path;
		uint32_t n;

		if (!kid->typed || type_open(at->type)->kind != TY_OBJECT)
			continue;
		if (!kid->type) {
			insert_kids(in, at, kid);
			continue;
		}
		path = keys_between(in, at, kid, &n);
		at->type = type_insert(in->a, at->type, path, n, kid->type);
	}
}

/* One more rule of type `t` at `n`. Objects above it get it too. */
void infer_node_insert(struct infer *in, struct node *n, const struct type *t)
{
	for (struct node *up = n->parent; up; up = up->parent) {
		struct value *path;
		uint32_t len;

		if (!up->type || type_open(up->type)->kind != TY_OBJECT)
			continue;
		path = keys_between(in, up, n, &len);
		up->type = type_insert(in->a, up->type, path, len, t);
	}
	n->type = type_merge(in->a, n->type, t);
	if (type_open(t)->kind == TY_OBJECT)
		insert_kids(in, n, n);
	infer_node_touch(n);
}

/* --- types of terms ------------------------------------------------------ */

bool infer_is_key_var(const struct term *t)
{
	return t->kind == T_VAR && t->var.var;
}

/* The type of what is left of a ref, from step `i` on, below `t`. */
static const struct type *select_ref(struct infer *in, const struct type *t,
	const struct term *ref, uint32_t i)
{
	for (; t && i < ref->list.len; i++) {
		const struct term *step = ref->list.items[i];

		if (step->kind == T_SCALAR)
			t = type_select(in->a, t, step->val);
		else if (type_is_empty(t))
			return &type_any;
		else
			t = type_values(in->a, t);
	}
	return t;
}

/* Below one root. False when the ref leads out of what the layer knows. */
static bool ref_below(struct infer *in, struct node *n, const struct term *ref,
	const struct type **t)
{
	uint32_t i = 1;

	for (; i < ref->list.len; i++) {
		const struct term *step = ref->list.items[i];
		struct node *kid;

		if (!n->type && !term_is_constant(step))
			break;
		kid = infer_kid_at(n, step);
		if (!kid && n->type)
			break;
		if (!kid)
			return false;
		n = kid;
	}
	*t = select_ref(in, infer_extent(in, n), ref, i);
	return true;
}

enum root infer_root_of(const struct passes *p, const struct term *ref)
{
	const struct term *head = ref->kind == T_REF ? ref->list.items[0] : ref;

	if (head->kind != T_VAR || head->var.var)
		return NO_ROOT;
	if (head->var.name == p->data->str)
		return DATA;
	return head->var.name == p->input->str ? INPUT : NO_ROOT;
}

struct node *infer_layer_root(const struct layer *l, enum root root)
{
	struct node *n = root == DATA ? l->data : l->input;

	return n && n->typed ? n : NULL;
}

const struct type *infer_ref_type(
	struct infer *in, const struct layer *l, const struct term *ref)
{
	enum root root = infer_root_of(in->p, ref);
	const struct term *head = ref->list.items[0];
	const struct builtin *b;
	const struct type *t = NULL;

	if (root == NO_ROOT && head->kind == T_VAR && head->var.var)
		return select_ref(
			in, infer_var_type(in, head->var.var), ref, 1);
	if (root == NO_ROOT) {
		b = builtin_of_ref(in->p, ref);
		return b ? infer_builtin_type(in, b) : NULL;
	}
	for (; l; l = l->up) {
		struct node *n = infer_layer_root(l, root);

		if (n && ref_below(in, n, ref, &t))
			return t;
	}
	return &type_any;
}

static const struct type *array_type(
	struct infer *in, const struct layer *l, const struct term *t)
{
	const struct type **items =
		ARENA_ARRAY(in->a, const struct type *, t->list.len);

	for (uint32_t i = 0; i < t->list.len; i++)
		items[i] = infer_type_of(in, l, t->list.items[i]);
	return type_array(in->a, items, t->list.len, NULL);
}

/* Of several keys that are not constant, the last tells what others are. */
static const struct type *object_type(
	struct infer *in, const struct layer *l, const struct term *t)
{
	uint32_t n = 0, open = 0, len = t->list.len / 2;
	const struct type **items =
		ARENA_ARRAY(in->a, const struct type *, len);
	struct value *keys = ARENA_ARRAY(in->a, struct value, len);
	struct term **pair;

	for (uint32_t i = 0; i < len; i++) {
		pair = &t->list.items[2 * i];
		if (!term_is_constant(pair[0])) {
			open = i + 1;
			continue;
		}
		keys[n] = infer_const_value(in, pair[0]);
		items[n++] = infer_type_of(in, l, pair[1]);
	}
	if (!open)
		return type_object(in->a, keys, items, n);
	pair = &t->list.items[2 * (open - 1)];
	return type_object_open(in->a, keys, items, n,
		infer_type_of(in, l, pair[0]), infer_type_of(in, l, pair[1]));
}

static const struct type *set_type(
	struct infer *in, const struct layer *l, const struct term *t)
{
	const struct type **items =
		ARENA_ARRAY(in->a, const struct type *, t->list.len);

	for (uint32_t i = 0; i < t->list.len; i++)
		items[i] = infer_type_of(in, l, t->list.items[i]);
	return type_set(in->a, type_or_all(in->a, items, t->list.len));
}

static const struct type *comp_type(
	struct infer *in, const struct layer *l, const struct term *t)
{
	const struct typed *c = infer_comp_typed(in, l, t->comp);

	if (c->errors.len)
		return NULL;
	if (t->kind == T_ARRAY_COMP)
		return type_array(in->a, NULL, 0, c->head);
	if (t->kind == T_SET_COMP)
		return type_set(in->a, c->head);
	return type_object_open(in->a, NULL, NULL, 0, c->key, c->head);
}

const struct type *infer_type_of(
	struct infer *in, const struct layer *l, const struct term *t)
{
	struct term head = *t, *items[1] = {&head};
	struct term ref = {.kind = T_REF, .list = {items, 1}};

	switch (t->kind) {
	case T_SCALAR:
		return type_of_value(in->a, t->val);
	case T_TEMPLATE:
		return &type_string;
	case T_VAR:
		if (t->var.var)
			return infer_var_type(in, t->var.var);
		return infer_ref_type(in, l, &ref);
	case T_REF:
		return infer_ref_type(in, l, t);
	case T_ARRAY:
		return array_type(in, l, t);
	case T_SET:
		return set_type(in, l, t);
	case T_OBJECT:
		return object_type(in, l, t);
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		return comp_type(in, l, t);
	default:
		return NULL;
	}
}
