/*
 * link: what depends on what, once everything is planned.
 *
 * For each kind of `with` (a set of targets) a bit mask says which groups give
 * another answer under it; a group outside keeps its remembered value. A group
 * that reads no input and nothing that differs between evaluations is closed:
 * its value is kept for the life of a VM.
 *
 * A mask must never be too small: a wrong bit is a silent wrong answer. The
 * check_memo mode recomputes every remembered value and compares.
 */
#include "rego/plan.h"
#include "rego/vm.h"

#include <stdlib.h>
#include <string.h>

static struct value node_base(const struct rego_engine *e, const struct node *n)
{
	return n->parent ? base_get(node_base(e, n->parent), n->key) : e->base;
}

struct value path_base(const struct rego_engine *e, const struct path *p)
{
	struct value v = node_base(e, p->node);

	for (uint32_t i = 0; i < p->nkeys; i++)
		v = base_get(v, p->keys[i]);
	v.flags = 0;
	return v;
}

/* --- mocks ------------------------------------------------------------- */

/* "a.b.c" of a ref or var that is no document: the name of a builtin. */
static const struct builtin *builtin_of_term(
	const struct capabilities *caps, const struct term *t)
{
	struct buf name = {0};
	const struct builtin *bi = NULL;

	if (t->kind == T_VAR && !t->var.var) {
		bi = capabilities_find(caps, str_from(t->var.name->bytes));
	} else if (t->kind == T_REF && t->list.items[0]->kind == T_VAR &&
		   !t->list.items[0]->var.var) {
		buf_adds(&name, t->list.items[0]->var.name->bytes);
		for (uint32_t i = 1; i < t->list.len; i++) {
			const struct term *s = t->list.items[i];

			if (s->kind != T_SCALAR || s->val.tag != V_STR)
				break;
			buf_addc(&name, '.');
			buf_addstr(&name, v_bytes(s->val));
		}
		bi = capabilities_find(caps, buf_str(&name));
	}
	buf_release(&name);
	return bi;
}

void plan_mock_target(struct rego_engine *e, const struct term *target,
	struct group *g, const struct term *value, struct with_target *t)
{
	uint32_t used = 0;

	if (g)
		t->mock_id = mock_id_group(g);
	else
		t->mock_id = mock_id_builtin(
			e, builtin_of_term(e->comp.caps, target));
	if (value->kind == T_REF &&
		term_is_name(value->list.items[0], "data")) {
		g = group_of_ref(&e->comp, value, &used);
		if (g && g->kind == G_FUNC && used == value->list.len)
			t->group = g;
	} else {
		t->bi = builtin_of_term(e->comp.caps, value);
	}
}

/* --- reverse edges -------------------------------------------------------- */

struct edges {
	uint32_t *first; /* by group id, ngroups + 1 */
	uint32_t *to;    /* groups that read it */
};

/* Mocks of the sites, as edges from who calls the one to the other. */
struct mock_edge {
	uint32_t id;
	const struct group *to;
};

struct linker {
	struct rego_engine *e;
	uint32_t ngroups;
	struct edges callers;
	struct mock_edge *mocks;
	uint32_t nmocks, capmocks;
	uint32_t *queue, nqueue;
};

static struct code *code_of(const struct linker *l, uint32_t id)
{
	const struct group_plan *gp = l->e->comp.groups[id]->plan;

	return gp ? gp->code : NULL;
}

static bool calls(const struct code *co, uint32_t id)
{
	for (uint32_t i = 0; i < co->ncallees; i++)
		if (co->callees[i] == id)
			return true;
	return false;
}

static void each_edge(struct linker *l,
	void (*fn)(struct linker *l, uint32_t from, uint32_t to))
{
	for (uint32_t g = 0; g < l->ngroups; g++) {
		const struct code *co = code_of(l, g);

		if (!co)
			continue;
		for (uint32_t i = 0; i < co->ndeps; i++)
			fn(l, g, co->deps[i]->id);
		for (uint32_t m = 0; m < l->nmocks; m++)
			if (calls(co, l->mocks[m].id))
				fn(l, g, l->mocks[m].to->id);
	}
}

static void count_edge(struct linker *l, uint32_t from, uint32_t to)
{
	(void)from;
	l->callers.first[to + 1]++;
}

static void place_edge(struct linker *l, uint32_t from, uint32_t to)
{
	l->callers.to[l->callers.first[to]++] = from;
}

static void *table(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	if (!p)
		die("out of memory: table of %zu", n);
	return p;
}

static void make_edges(struct linker *l)
{
	uint32_t n = l->ngroups, *first;

	first = l->callers.first = table(n + 1, sizeof(*first));
	each_edge(l, count_edge);
	for (uint32_t i = 0; i < n; i++)
		first[i + 1] += first[i];
	l->callers.to = table(first[n], sizeof(*l->callers.to));
	each_edge(l, place_edge);
	/* Placing moved every start to its end: move them back. */
	memmove(first + 1, first, n * sizeof(*first));
	first[0] = 0;
}

static void set_bit(struct linker *l, uint64_t *bits, uint32_t g)
{
	if (bits[g / 64] >> (g % 64) & 1)
		return;
	bits[g / 64] |= UINT64_C(1) << (g % 64);
	l->queue[l->nqueue++] = g;
}

/* Everything that reads what is in the queue, and so on. */
static void spread(struct linker *l, uint64_t *bits)
{
	while (l->nqueue > 0) {
		uint32_t g = l->queue[--l->nqueue];

		for (uint32_t i = l->callers.first[g];
			i < l->callers.first[g + 1]; i++)
			set_bit(l, bits, l->callers.to[i]);
	}
}

/* --- what a target touches --------------------------------------------------
 */

/* One of the two paths is the beginning of the other. */
static bool paths_meet(const struct node *n, const struct value *keys,
	uint32_t nkeys, const struct with_target *t)
{
	for (uint32_t k = 0; k < nkeys && n->depth + k < t->npath; k++)
		if (!value_eq(keys[k], t->path[n->depth + k]))
			return false;
	for (; n->parent; n = n->parent)
		if (n->depth <= t->npath &&
			!value_eq(n->key, t->path[n->depth - 1]))
			return false;
	return true;
}

/* The target is at or above the group. */
static bool covers(const struct with_target *t, const struct group *g)
{
	return t->npath <= g->node->depth && paths_meet(g->node, NULL, 0, t);
}

static bool touches(const struct with_target *t, const struct group *g,
	const struct code *co)
{
	switch (t->kind) {
	case WITH_INPUT:
		return co->reads_input;
	case WITH_MOCK:
		return calls(co, t->mock_id);
	case WITH_DATA:
		break;
	}
	if (covers(t, g))
		return true;
	for (uint32_t i = 0; i < co->npaths; i++)
		if (paths_meet(co->paths[i]->node, co->paths[i]->keys,
			    co->paths[i]->nkeys, t))
			return true;
	return false;
}

static void class_mask(struct linker *l, struct site_class *cls)
{
	cls->affects = arena_array(
		&l->e->arena, l->ngroups / 64 + 1, sizeof(*cls->affects));
	for (uint32_t g = 0; g < l->ngroups; g++) {
		const struct code *co = code_of(l, g);

		for (uint32_t i = 0; co && i < cls->site->ntargets; i++)
			if (touches(&cls->site->targets[i],
				    l->e->comp.groups[g], co))
				set_bit(l, cls->affects, g);
	}
	spread(l, cls->affects);
}

/* --- classes of sites
 * ---------------------------------------------------------- */

static void site_key(struct buf *b, const struct site *s)
{
	for (uint32_t i = 0; i < s->ntargets; i++) {
		const struct with_target *t = &s->targets[i];

		buf_addf(b, "%u:%u:", (unsigned)t->kind, t->mock_id);
		for (uint32_t k = 0; t->kind == WITH_DATA && k < t->npath; k++)
			value_text(b, t->path[k]);
		buf_addc(b, ';');
	}
}

static struct site_class *class_of(
	struct linker *l, struct map *index, struct site *s)
{
	struct buf b = {0};
	void **slot;

	site_key(&b, s);
	slot = map_at(index, arena_str(&l->e->arena, buf_str(&b)));
	buf_release(&b);
	if (!*slot) {
		struct site_class *cls =
			ARENA_NEW(&l->e->arena, struct site_class);

		cls->site = s;
		cls->next = l->e->classes;
		l->e->classes = cls;
		*slot = cls;
	}
	return *slot;
}

static void add_mock(struct linker *l, const struct with_target *t)
{
	for (uint32_t i = 0; i < l->nmocks; i++)
		if (l->mocks[i].id == t->mock_id && l->mocks[i].to == t->group)
			return;
	if (l->nmocks == l->capmocks) {
		l->capmocks = l->capmocks ? l->capmocks * 2 : 16;
		l->mocks = realloc(l->mocks, l->capmocks * sizeof(*l->mocks));
		if (!l->mocks)
			die("out of memory: %u mocks", l->capmocks);
	}
	l->mocks[l->nmocks++] = (struct mock_edge){t->mock_id, t->group};
}

static void find_sites(struct linker *l)
{
	struct map index = {0};

	l->e->classes = NULL;
	for (uint32_t c = 0; c < l->e->ncodes; c++) {
		struct code *co = l->e->codes[c];

		for (uint32_t i = 0; i < co->nsites; i++) {
			struct site *s = &co->sites[i];

			s->cls = class_of(l, &index, s);
			for (uint32_t t = 0; t < s->ntargets; t++)
				if (s->targets[t].group)
					add_mock(l, &s->targets[t]);
		}
	}
	map_release(&index);
}

static void find_closed(struct linker *l)
{
	uint64_t *open = table(l->ngroups / 64 + 1, sizeof(*open));

	for (uint32_t g = 0; g < l->ngroups; g++) {
		const struct code *co = code_of(l, g);

		if (co && (co->reads_input || co->nondet))
			set_bit(l, open, g);
	}
	spread(l, open);
	for (uint32_t g = 0; g < l->ngroups; g++) {
		struct group_plan *gp = l->e->comp.groups[g]->plan;

		if (gp)
			gp->closed = !l->e->cfg.frames &&
				     !(open[g / 64] >> (g % 64) & 1);
	}
	free(open);
}

void rego_link(struct rego_engine *e)
{
	struct linker l = {.e = e, .ngroups = e->comp.ngroups};

	if (e->linked)
		return;
	l.queue = table(l.ngroups, sizeof(*l.queue));
	find_sites(&l);
	make_edges(&l);
	for (struct site_class *c = e->classes; c; c = c->next)
		class_mask(&l, c);
	find_closed(&l);
	e->everything.affects =
		arena_array(&e->arena, l.ngroups / 64 + 1, sizeof(uint64_t));
	memset(e->everything.affects, 0xff, (l.ngroups / 64 + 1) * 8);
	free(l.callers.first);
	free(l.callers.to);
	free(l.mocks);
	free(l.queue);
	e->memo_serial++;
	e->linked = true;
}
