/* infer: documents that `with` replaces, and those that it makes unknown. */
#include "rego/infer.h"

#include <string.h>

/* --- with --- */

/*
 * Who depends on a document, as lists of branches: of those whose refs lead
 * through a node or end there, and of those that read all that is below one.
 */
struct reach {
	struct passes *p;
	uint32_t *at, *below; /* by node id: the first edge; 0 is none */
	struct edge {
		struct node *to;
		uint32_t next;
	} * edges;
	uint32_t len, cap;
	/* The search at work, and by node id the last one that was there. */
	uint32_t gen, *seen, *walked;
	struct node **found;
	uint32_t nfound;
	struct node *from; /* the branch being read */
};

static void reach_edge(struct reach *r, uint32_t *first)
{
	r->edges = arena_grow(
		r->p->a, r->edges, r->len, &r->cap, sizeof(*r->edges));
	r->edges[r->len] = (struct edge){r->from, *first};
	*first = r->len++;
}

static void reach_ref(void *ctx, const struct term *ref)
{
	struct reach *r = ctx;
	const struct node *n = r->p->c->root;

	for (uint32_t i = 1; i < ref->list.len; i++) {
		if (ref->list.items[i]->kind != T_SCALAR)
			break;
		n = node_child(n, ref->list.items[i]->val);
		if (!n)
			return;
		if (node_rules(r->p, n)->len)
			reach_edge(r, &r->at[n->id]);
	}
	reach_edge(r, &r->below[n->id]);
}

static struct reach *reach_new(struct passes *p)
{
	struct reach *r = ARENA_NEW(p->a, struct reach);
	uint32_t n = p->c->nnodes;

	r->p = p;
	r->at = ARENA_ARRAY(p->a, uint32_t, n);
	r->below = ARENA_ARRAY(p->a, uint32_t, n);
	r->seen = ARENA_ARRAY(p->a, uint32_t, n);
	r->walked = ARENA_ARRAY(p->a, uint32_t, n);
	r->found = ARENA_ARRAY(p->a, struct node *, n);
	reach_edge(r, &r->at[0]); /* so that no edge is number 0 */
	r->at[0] = 0;
	for (uint32_t i = 0; i < p->norder; i++) {
		r->from = p->order[i].node;
		graph_refs(p->order[i].branch, reach_ref, r);
	}
	return r;
}

static void reach_add(struct reach *r, struct node *n)
{
	if (r->seen[n->id] == r->gen)
		return;
	r->seen[n->id] = r->gen;
	r->found[r->nfound++] = n;
}

/* All rules at and below a node. */
static void reach_below(struct reach *r, struct node *n)
{
	if (node_rules(r->p, n)->len)
		reach_add(r, n);
	for (uint32_t i = 0; i < n->nkids; i++)
		reach_below(r, n->kids[i]);
}

/* The rules that the target itself names. */
static void reach_target(struct reach *r, const struct term *target)
{
	struct node *n = r->p->c->root;

	for (uint32_t i = 1; i < target->list.len; i++) {
		if (target->list.items[i]->kind != T_SCALAR)
			break;
		n = node_child(n, target->list.items[i]->val);
		if (!n)
			return;
		if (node_rules(r->p, n)->len)
			reach_add(r, n);
	}
	reach_below(r, n);
}

static void reach_list(struct reach *r, uint32_t edge)
{
	for (; edge; edge = r->edges[edge].next)
		reach_add(r, r->edges[edge].to);
}

/* The nodes of all rules that depend on the target, into r->found. */
static void reach_all(struct reach *r, const struct term *target)
{
	r->gen++;
	r->nfound = 0;
	reach_target(r, target);
	for (uint32_t i = 0; i < r->nfound; i++) {
		const struct node *n = r->found[i];

		reach_list(r, r->at[n->id]);
		for (; n && r->walked[n->id] != r->gen; n = n->parent) {
			r->walked[n->id] = r->gen;
			reach_list(r, r->below[n->id]);
		}
	}
}

/* The place in a layer of a node of the tree. */
static struct node *layer_node(
	struct arena *a, struct node *root, const struct node *n)
{
	if (!n->parent)
		return root;
	return node_under(a, layer_node(a, root, n->parent), n->key);
}

static struct node *root_new(struct arena *a)
{
	return ARENA_NEW(a, struct node);
}

/*
 * A tree in which all rules that depend on the target are `any`; NULL when
 * there are none. A function that is replaced keeps its own type.
 */
static struct node *relax(
	struct infer *in, const struct term *target, bool is_func)
{
	struct passes *p = in->p;
	const struct node *own = is_func ? tree_find(p, target) : NULL;
	struct node *root = NULL;

	if (!p->norder)
		return NULL;
	if (!in->reach)
		in->reach = reach_new(p);
	reach_all(in->reach, target);
	for (uint32_t i = 0; i < in->reach->nfound; i++) {
		const struct node *n = in->reach->found[i];

		if (n == own)
			continue;
		if (!root)
			root = root_new(in->a);
		infer_node_put(layer_node(in->a, root, n), &type_any);
	}
	return root;
}

/*
 * A tree in which all that depends on `target` has any type, for where `with`
 * replaces it; NULL: nothing does, or it is not below data.
 */
static struct node *infer_relaxed(
	struct infer *in, const struct term *target, bool is_func)
{
	struct map *known = &in->relaxed;
	struct str key;
	struct node **at, *none = in->p->c->root;

	if (infer_root_of(in->p, target) != DATA)
		return NULL;
	key = str_from(arena_printf(
		in->a, "%s%s", is_func ? "f:" : "", text_of(in->p, target)));
	at = (struct node **)map_at(known, key);
	if (!*at) {
		struct node *made = relax(in, target, is_func);

		*at = made ? made : none;
	}
	return *at == none ? NULL : *at;
}

static bool is_ground(const struct term *ref)
{
	for (uint32_t i = 1; i < ref->list.len; i++)
		if (!term_is_constant(ref->list.items[i]))
			return false;
	return true;
}

/* What the target is under `with`: as before, or as the new value. */
static const struct type *replaced_type(struct infer *in, const struct layer *l,
	const struct with *w, const struct type *old)
{
	const struct type *value, *either = NULL;

	if (!old || !is_ground(w->target))
		return &type_any;
	value = infer_type_of(in, l, w->value);
	if (value)
		either = type_or(in->a, old, value);
	return either ? either : &type_any;
}

void infer_layer_put(struct infer *in, struct layer *l,
	const struct term *target, const struct type *t)
{
	struct node **root =
		infer_root_of(in->p, target) == DATA ? &l->data : &l->input;
	struct node *n;

	if (!*root)
		*root = root_new(in->a);
	n = *root;
	for (uint32_t i = 1; i < target->list.len; i++) {
		if (!term_is_constant(target->list.items[i]))
			break;
		n = node_under(
			in->a, n, infer_const_value(in, target->list.items[i]));
	}
	infer_node_put(n, t);
}

const struct layer *infer_with_layers(
	struct infer *in, const struct layer *l, const struct expr *x)
{
	const struct layer *top = l;
	struct layer *own = NULL;

	for (uint32_t i = 0; i < x->nwiths; i++) {
		const struct with *w = &x->withs[i];
		const struct type *old;
		struct node *relief;
		bool is_func;

		if (w->target->kind != T_REF)
			continue;
		old = infer_ref_type(in, l, w->target);
		is_func = old && old->kind == TY_FUNCTION;
		relief = infer_relaxed(in, w->target, is_func);
		if (relief) {
			struct layer *add = ARENA_NEW(in->a, struct layer);

			*add = (struct layer){.data = relief, .up = top};
			top = add;
		}
		if (is_func || infer_root_of(in->p, w->target) == NO_ROOT)
			continue;
		if (!own)
			own = ARENA_NEW(in->a, struct layer);
		infer_layer_put(
			in, own, w->target, replaced_type(in, l, w, old));
	}
	if (!own)
		return top;
	own->up = top;
	return own;
}

/* A function can be replaced by one that takes the same. */
struct mismatch *infer_check_withs(
	struct infer *in, const struct layer *l, const struct expr *x)
{
	for (uint32_t i = 0; i < x->nwiths; i++) {
		const struct with *w = &x->withs[i];
		const struct type *old = infer_type_of(in, l, w->target), *new;
		struct mismatch *m;

		if (!old || old->kind != TY_FUNCTION)
			continue;
		new = infer_type_of(in, l, w->value);
		if (!new || new->kind != TY_FUNCTION ||
			infer_unifies(in, old, new))
			continue;
		m = infer_mismatch_new(in, MM_ARGS, w->loc,
			arena_printf(in->a, "%s: arity mismatch",
				text_of(in->p, w->target)));
		m->items = new->items;
		m->len = new->len;
		m->want = old;
		return m;
	}
	return NULL;
}
