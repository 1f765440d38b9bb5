#include "rego/passes.h"

#include <stdlib.h>
#include <string.h>

/* A node with more kids than this gets a hash index over their keys. */
enum { KIDS_LINEAR = 8 };

/* --- nodes ------------------------------------------------------------ */

struct node *node_child(const struct node *n, struct value key)
{
	if (n->index) {
		int64_t at = builder_find(n->index, key);

		return at < 0 ? NULL : n->kids[at];
	}
	for (uint32_t i = 0; i < n->nkids; i++)
		if (value_eq(n->kids[i]->key, key))
			return n->kids[i];
	return NULL;
}

static const uint32_t unnumbered = UINT32_MAX;

static struct node *node_new(
	struct arena *a, struct node *parent, struct value key)
{
	struct node *n = ARENA_NEW(a, struct node);

	n->key = key;
	n->parent = parent;
	n->depth = parent ? parent->depth + 1 : 0;
	n->id = unnumbered;
	return n;
}

static void node_index(struct arena *a, struct node *n)
{
	n->index = ARENA_NEW(a, struct builder);
	*n->index = builder_set(a);
	for (uint32_t i = 0; i < n->nkids; i++)
		builder_add(n->index, n->kids[i]->key);
}

struct node *node_under(struct arena *a, struct node *parent, struct value key)
{
	struct node *n = node_child(parent, key);

	if (n)
		return n;
	n = node_new(a, parent, key);
	parent->kids = arena_grow(a, parent->kids, parent->nkids, &parent->cap,
		sizeof(*parent->kids));
	parent->kids[parent->nkids++] = n;
	if (parent->index)
		builder_add(parent->index, key);
	else if (parent->nkids > KIDS_LINEAR)
		node_index(a, parent);
	return n;
}

static struct node *node_make(
	struct passes *p, struct node *parent, struct value key)
{
	struct node *n = node_under(p->a, parent, key);

	if (n->id == unnumbered)
		n->id = p->c->nnodes++;
	return n;
}

static int by_key(const void *a, const void *b)
{
	const struct node *const *x = a, *const *y = b;

	return value_cmp((*x)->key, (*y)->key);
}

struct node **node_sorted(struct passes *p, const struct node *n)
{
	struct node **kids;

	if (n->nkids < 2)
		return n->kids;
	kids = arena_raw(&p->scratch, n->nkids * sizeof(*kids));
	memcpy(kids, n->kids, n->nkids * sizeof(*kids));
	qsort(kids, n->nkids, sizeof(*kids), by_key);
	return kids;
}

void tree_sort(struct arena *a, struct node *n)
{
	if (n->nkids > 1)
		qsort(n->kids, n->nkids, sizeof(*n->kids), by_key);
	if (n->index)
		node_index(a, n);
	for (uint32_t i = 0; i < n->nkids; i++)
		tree_sort(a, n->kids[i]);
}

/* --- heads -------------------------------------------------------------- */

uint32_t head_ground_len(const struct head *h)
{
	uint32_t n = 1;

	while (n < h->ref->list.len && h->ref->list.items[n]->kind == T_SCALAR)
		n++;
	return n;
}

static struct value name_value(const struct string *s)
{
	return (struct value){.tag = V_STR, .hash = s->hash, .str = s};
}

struct term *rule_ref(struct passes *p, const struct rule *r)
{
	const struct term *pkg = r->mod->package, *ref = r->head.ref;
	struct term *full = term_new(p, T_REF, ref->loc), *name;
	uint32_t n = pkg->list.len;

	full->list.len = n + ref->list.len;
	full->list.items = ARENA_ARRAY(p->a, struct term *, full->list.len);
	memcpy(full->list.items, pkg->list.items,
		n * sizeof(*full->list.items));
	memcpy(full->list.items + n, ref->list.items,
		ref->list.len * sizeof(*full->list.items));
	name = term_new(p, T_SCALAR, ref->loc);
	name->val = name_value(ref->list.items[0]->var.name);
	full->list.items[n] = name;
	return full;
}

const char *rule_name(struct passes *p, const struct rule *r)
{
	return text_of(p, rule_ref(p, r));
}

/* --- building ------------------------------------------------------------- */

static struct node *package_node(struct passes *p, const struct module *m)
{
	struct node *n = p->c->root;

	n->is_package = true;
	for (uint32_t i = 1; i < m->package->list.len; i++) {
		n = node_make(p, n, m->package->list.items[i]->val);
		n->is_package = true;
	}
	return n;
}

static void *slots_grow(
	struct passes *p, void *old, uint32_t *cap, uint32_t need, size_t size)
{
	uint32_t n = *cap ? *cap : 64;
	void *more;

	while (n <= need)
		n *= 2;
	more = arena_array(p->a, n, size);
	if (*cap)
		memcpy(more, old, *cap * size);
	*cap = n;
	return more;
}

static void package_note(struct passes *p, struct node *n, struct module *m)
{
	struct package *pkg;

	if (n->id >= p->cappackages)
		p->packages = slots_grow(p, p->packages, &p->cappackages, n->id,
			sizeof(*p->packages));
	pkg = p->packages[n->id];
	if (!pkg) {
		pkg = ARENA_NEW(p->a, struct package);
		pkg->path = m->package;
		p->packages[n->id] = pkg;
	}
	pkg->mods = arena_grow(
		p->a, pkg->mods, pkg->nmods, &pkg->capmods, sizeof(*pkg->mods));
	pkg->mods[pkg->nmods++] = m;
	for (uint32_t i = 0; i < m->nrules; i++) {
		const struct term *head = m->rules[i]->head.ref->list.items[0];

		package_export(p, pkg, head->var.name);
	}
}

struct rules *node_rules(const struct passes *p, const struct node *n)
{
	static struct rules none;

	return n->id < p->caprules ? &p->rules[n->id] : &none;
}

static void node_add_rule(struct passes *p, struct node *n, struct rule *r)
{
	struct rules *l;

	if (n->id >= p->caprules)
		p->rules = slots_grow(
			p, p->rules, &p->caprules, n->id, sizeof(*p->rules));
	l = &p->rules[n->id];
	l->items =
		arena_grow(p->a, l->items, l->len, &l->cap, sizeof(*l->items));
	l->items[l->len++] = r;
}

static void module_rules(struct passes *p, struct module *m, struct node *pkg)
{
	for (uint32_t i = 0; i < m->nrules; i++) {
		struct rule *r = m->rules[i];
		struct term **items = r->head.ref->list.items;
		uint32_t n = head_ground_len(&r->head);
		struct node *at =
			node_make(p, pkg, name_value(items[0]->var.name));

		for (uint32_t k = 1; k < n; k++)
			at = node_make(p, at, items[k]->val);
		node_add_rule(p, at, r);
	}
}

/* Outer packages first, as OPA walks its module tree; files stay in order. */
static int by_depth(const void *a, const void *b)
{
	const struct module *const *x = a, *const *y = b;
	uint32_t nx = (*x)->package->list.len, ny = (*y)->package->list.len;

	if (nx != ny)
		return nx < ny ? -1 : 1;
	return strcmp((*x)->src->name, (*y)->src->name);
}

void tree_build(struct passes *p)
{
	struct compiler *c = p->c;
	struct module **mods;

	c->root = node_new(p->a, NULL, v_undef);
	c->root->id = c->nnodes++;
	if (!c->nmods)
		return;
	mods = arena_raw(&p->scratch, c->nmods * sizeof(*mods));
	memcpy(mods, c->mods, c->nmods * sizeof(*mods));
	qsort(mods, c->nmods, sizeof(*mods), by_depth);
	for (uint32_t i = 0; i < c->nmods; i++)
		package_note(p, package_node(p, mods[i]), mods[i]);
	for (uint32_t i = 0; i < c->nmods; i++)
		module_rules(p, mods[i], package_node(p, mods[i]));
}

/* --- groups ------------------------------------------------------------------
 */

static bool rule_is_ground(const struct rule *r)
{
	return head_ground_len(&r->head) == r->head.ref->list.len;
}

static struct group *group_new(struct passes *p, struct node *n)
{
	struct compiler *c = p->c;
	struct group *g = ARENA_NEW(p->a, struct group);

	g->node = n;
	g->id = c->ngroups;
	c->groups = arena_grow(
		p->a, c->groups, c->ngroups, &c->capgroups, sizeof(*c->groups));
	c->groups[c->ngroups++] = g;
	n->group = g;
	return g;
}

static const char *node_name(struct passes *p, const struct node *n)
{
	struct term full = {.kind = T_REF};
	uint32_t depth = 0;

	for (const struct node *at = n; at->parent; at = at->parent)
		depth++;
	full.list.items = ARENA_ARRAY(p->a, struct term *, depth + 1);
	full.list.len = depth + 1;
	for (; n->parent; n = n->parent, depth--) {
		struct term *t = term_new(p, T_SCALAR, (struct loc){0});

		t->val = n->key;
		full.list.items[depth] = t;
	}
	full.list.items[0] = term_new(p, T_VAR, (struct loc){0});
	full.list.items[0]->var.name = p->data->str;
	return text_of(p, &full);
}

static enum group_kind group_kind_of(const struct rules *l)
{
	const struct head *h = &l->items[0]->head;

	for (uint32_t i = 0; i < l->len; i++)
		if (!rule_is_ground(l->items[i]))
			return G_OBJECT;
	if (h->nargs)
		return G_FUNC;
	return h->key && !h->value ? G_SET : G_COMPLETE;
}

/* `depth` is the number of items of a full ref that lead to the group. */
static void group_take(struct group *g, struct rule *r, uint32_t depth)
{
	uint32_t used = depth - r->mod->package->list.len;

	for (struct rule *b = r; b; b = b->els)
		b->group = g;
	if (g->kind == G_OBJECT) {
		r->path = r->head.ref->list.items + used;
		r->npath = r->head.ref->list.len - used;
	}
	if (r->is_default && g->kind != G_OBJECT)
		g->dflt = r;
	else
		g->rules[g->nrules++] = r;
}

static uint32_t rules_below(const struct passes *p, const struct node *n)
{
	uint32_t sum = node_rules(p, n)->len;

	for (uint32_t i = 0; i < n->nkids; i++)
		sum += rules_below(p, n->kids[i]);
	return sum;
}

static void group_fill(
	struct passes *p, struct group *g, struct node *n, uint32_t depth)
{
	struct rules *l = node_rules(p, n);

	for (uint32_t i = 0; i < l->len; i++)
		group_take(g, l->items[i], depth);
	if (g->kind == G_OBJECT)
		for (uint32_t i = 0; i < n->nkids; i++)
			group_fill(p, g, n->kids[i], depth);
}

static void groups_under(struct passes *p, struct node *n, uint32_t depth)
{
	struct rules *l = node_rules(p, n);
	struct group *g;

	if (!l->len) {
		for (uint32_t i = 0; i < n->nkids; i++)
			groups_under(p, n->kids[i], depth + 1);
		return;
	}
	g = group_new(p, n);
	g->kind = group_kind_of(l);
	g->name = node_name(p, n);
	g->arity = l->items[0]->head.nargs;
	g->rules = ARENA_ARRAY(p->a, struct rule *,
		g->kind == G_OBJECT ? rules_below(p, n) : l->len);
	group_fill(p, g, n, depth);
}

void groups_build(struct passes *p)
{
	groups_under(p, p->c->root, 1);
}

/* --- looking up
 * ----------------------------------------------------------------- */

static bool is_data_ref(const struct passes *p, const struct term *ref)
{
	const struct term *head;

	if (ref->kind != T_REF)
		return false;
	head = ref->list.items[0];
	return head->kind == T_VAR && head->var.name == p->data->str &&
	       !head->var.var;
}

struct node *tree_find(const struct passes *p, const struct term *ref)
{
	struct node *n = p->c->root;

	if (!n || !is_data_ref(p, ref))
		return NULL;
	for (uint32_t i = 1; n && i < ref->list.len; i++) {
		if (ref->list.items[i]->kind != T_SCALAR)
			return NULL;
		n = node_child(n, ref->list.items[i]->val);
	}
	return n;
}

struct group *group_of_ref(
	const struct compiler *c, const struct term *ref, uint32_t *steps)
{
	struct node *n = c->root;

	*steps = 0;
	if (!n || !is_data_ref(c->passes, ref))
		return NULL;
	for (uint32_t i = 1; i < ref->list.len; i++) {
		if (ref->list.items[i]->kind != T_SCALAR)
			return NULL;
		n = node_child(n, ref->list.items[i]->val);
		if (!n)
			return NULL;
		if (n->group) {
			*steps = i + 1;
			return n->group;
		}
	}
	return NULL;
}

int call_arity(const struct compiler *c, const struct term *op,
	const struct builtin **bi, struct group **g)
{
	struct passes *p = c->passes;
	const struct builtin *b = builtin_of_ref(p, op);
	const struct rules *l;
	struct node *n;

	*bi = b;
	*g = NULL;
	if (b)
		return b->arity < 0 ? 0 : b->arity;
	n = tree_find(p, op);
	if (!n)
		return -1;
	l = node_rules(p, n);
	if (!l->len)
		return -1;
	*g = n->group;
	return (int)l->items[0]->head.nargs;
}
