/*
 * recursion: no rule may need itself.
 *
 * A rule depends on every rule that a ref in it can lead to. A first look at
 * the tree of documents, in which a ref with a variable leads to all that is
 * below, finds strongly connected parts in linear time; nearly always there
 * are none. Rules inside of one are then looked at as OPA does (compile.go,
 * NewGraph() and checkSelfPath()): variables narrowed to the constants they
 * can hold, refs compared with heads beyond their ground prefix, and a cycle
 * through a variable told apart from a certain one.
 */
#include "rego/passes.h"
#include "rego/types.h"

#include <string.h>

/* A ref in a rule, as it was before later passes took it apart. */
struct note {
	struct note *next;
	struct term *ref;
	uint32_t at;  /* number of the statement; that of statements: head */
	bool dynamic; /* has a step that is not constant */
};

/* The body of a rule as it was then; noted first. */
struct snapshot {
	struct note note; /* ref NULL */
	struct expr **items;
	uint32_t len;
};

/* --- noting ------------------------------------------------------------ */

struct noting {
	struct rule *rule;
	struct note *last;
	uint32_t at;
	bool dynamic;
};

static bool note_ref(struct visit *v, struct term *t)
{
	struct noting *n = v->ctx;
	const struct term *head;
	struct note *note;

	if (t->kind != T_REF)
		return false;
	head = t->list.items[0];
	if (head->kind != T_VAR || head->var.var ||
		head->var.name != v->p->data->str)
		return false;
	note = ARENA_NEW(v->p->a, struct note);
	note->ref = t;
	note->at = n->at;
	for (uint32_t i = 1; i < t->list.len; i++)
		note->dynamic |= !term_is_constant(t->list.items[i]);
	if (note->dynamic) {
		struct term *copy = term_new(v->p, T_REF, t->loc);

		copy->list.len = t->list.len;
		copy->list.items =
			ARENA_ARRAY(v->p->a, struct term *, t->list.len);
		memcpy(copy->list.items, t->list.items,
			t->list.len * sizeof(*copy->list.items));
		note->ref = copy;
		n->dynamic = true;
	}
	if (n->last)
		n->last->next = note;
	else
		n->rule->notes = note;
	n->last = note;
	return false;
}

void graph_note(struct passes *p, struct rule *r)
{
	struct noting n = {.rule = r};
	struct visit v = {.p = p, .term = note_ref, .ctx = &n};

	if (!(r->marks & R_DATA))
		return;
	for (n.at = 0; n.at < r->body->len; n.at++)
		visit_expr(&v, r->body->items[n.at]);
	visit_head(&v, &r->head);
	if (n.dynamic) {
		struct snapshot *s = ARENA_NEW(p->a, struct snapshot);

		s->len = r->body->len;
		s->items = ARENA_ARRAY(p->a, struct expr *, s->len);
		memcpy(s->items, r->body->items, s->len * sizeof(*s->items));
		s->note.next = r->notes;
		r->notes = &s->note;
	}
}

void graph_refs(const struct rule *branch,
	void (*ref)(void *ctx, const struct term *ref), void *ctx)
{
	for (const struct note *n = branch->notes; n; n = n->next)
		if (n->ref)
			ref(ctx, n->ref);
}

/* --- first look: the tree of documents ------------------------------------ */

/*
 * Vertices are numbered 2 * node for the rules at a node and 2 * node + 1 for
 * all that is at and below it.
 */
struct scc {
	struct passes *p;
	struct node **nodes; /* by id */
	uint32_t *index, *low;
	uint32_t *stack, nstack;
	uint32_t next;
	bool *on_stack;
	bool *cyclic;       /* by node id: its rules are in a cycle */
	struct node **done; /* those with rules, what they depend on first */
	uint32_t ndone;
	bool any;
};

struct edges {
	uint32_t *items;
	uint32_t len, cap;
};

/* A vertex being visited: which edge is next. */
struct frame {
	uint32_t vertex, edge;
	struct edges edges;
};

static void edge_add(struct passes *p, struct edges *e, uint32_t to)
{
	e->items = arena_grow(
		&p->scratch, e->items, e->len, &e->cap, sizeof(*e->items));
	e->items[e->len++] = to;
}

static void edges_of_ref(
	struct passes *p, struct edges *e, const struct term *ref)
{
	struct node *n = p->c->root;

	for (uint32_t i = 1; i < ref->list.len; i++) {
		if (ref->list.items[i]->kind != T_SCALAR)
			break;
		n = node_child(n, ref->list.items[i]->val);
		if (!n)
			return;
		if (node_rules(p, n)->len)
			edge_add(p, e, 2 * n->id);
	}
	edge_add(p, e, 2 * n->id + 1);
}

static struct edges edges_of(struct scc *s, uint32_t vertex)
{
	struct edges e = {0};
	const struct node *n = s->nodes[vertex / 2];
	const struct rules *l = node_rules(s->p, n);

	if (vertex % 2) {
		if (l->len)
			edge_add(s->p, &e, 2 * n->id);
		for (uint32_t i = 0; i < n->nkids; i++)
			edge_add(s->p, &e, 2 * n->kids[i]->id + 1);
		return e;
	}
	for (uint32_t i = 0; i < l->len; i++)
		for (const struct rule *r = l->items[i]; r; r = r->els)
			for (const struct note *t = r->notes; t; t = t->next)
				if (t->ref)
					edges_of_ref(s->p, &e, t->ref);
	return e;
}

static void scc_close(struct scc *s, uint32_t v)
{
	bool alone = s->stack[s->nstack - 1] == v;
	uint32_t w;

	do {
		w = s->stack[--s->nstack];
		s->on_stack[w] = false;
		if (!alone && w % 2 == 0) {
			s->cyclic[w / 2] = true;
			s->any = true;
		}
		if (w % 2 == 0 && node_rules(s->p, s->nodes[w / 2])->len)
			s->done[s->ndone++] = s->nodes[w / 2];
	} while (w != v);
}

/* Tarjan's algorithm, with a stack of its own: documents may be deep. */
static void scc_visit(struct scc *s, uint32_t start)
{
	struct frame *frames = NULL;
	uint32_t n = 0, cap = 0;
	uint32_t v = start;

enter:
	if (n == cap) {
		uint32_t more = cap ? 2 * cap : 64;
		struct frame *grown =
			arena_raw(&s->p->scratch, more * sizeof(*grown));

		if (n)
			memcpy(grown, frames, n * sizeof(*grown));
		frames = grown;
		cap = more;
	}
	frames[n++] = (struct frame){.vertex = v, .edges = edges_of(s, v)};
	s->index[v] = s->low[v] = ++s->next;
	s->stack[s->nstack++] = v;
	s->on_stack[v] = true;
	while (n) {
		struct frame *f = &frames[n - 1];

		v = f->vertex;
		while (f->edge < f->edges.len) {
			uint32_t w = f->edges.items[f->edge++];

			if (!s->index[w]) {
				v = w;
				goto enter;
			}
			if (w == v && v % 2 == 0) {
				s->cyclic[v / 2] = true;
				s->any = true;
			}
			if (s->on_stack[w] && s->index[w] < s->low[v])
				s->low[v] = s->index[w];
		}
		if (s->low[v] == s->index[v])
			scc_close(s, v);
		n--;
		if (n && s->low[v] < s->low[frames[n - 1].vertex])
			s->low[frames[n - 1].vertex] = s->low[v];
	}
}

static void number_nodes(struct scc *s, struct node *n)
{
	s->nodes[n->id] = n;
	for (uint32_t i = 0; i < n->nkids; i++)
		number_nodes(s, n->kids[i]);
}

static struct scc scc_find(struct passes *p)
{
	uint32_t n = p->c->nnodes;
	struct scc s = {.p = p};

	s.nodes = ARENA_ARRAY(&p->scratch, struct node *, n);
	s.index = ARENA_ARRAY(&p->scratch, uint32_t, 2 * (size_t)n);
	s.low = ARENA_ARRAY(&p->scratch, uint32_t, 2 * (size_t)n);
	s.stack = ARENA_ARRAY(&p->scratch, uint32_t, 2 * (size_t)n);
	s.on_stack = ARENA_ARRAY(&p->scratch, bool, 2 * (size_t)n);
	s.cyclic = ARENA_ARRAY(&p->scratch, bool, n);
	s.done = ARENA_ARRAY(&p->scratch, struct node *, n);
	number_nodes(&s, p->c->root);
	for (uint32_t i = 0; i < 2 * n; i++)
		if (!s.index[i] && s.nodes[i / 2])
			scc_visit(&s, i);
	return s;
}

/* --- constants that variables can hold -------------------------------------
 */

/* More refs than this are not made out of one. */
enum { EXPANSION_MAX = 64 };

struct values {
	struct term *items[EXPANSION_MAX];
	uint32_t len;
	bool known;
};

/* A variable that a statement binds to one of a few constants. */
struct known {
	struct known *next;
	const struct var *var;
	uint32_t at;
	struct values values;
};

static const struct known *known_find(
	const struct known *l, const struct var *v, uint32_t before)
{
	for (; l; l = l->next)
		if (l->var == v && l->at < before)
			return l;
	return NULL;
}

static struct values values_of(
	struct term *t, const struct known *l, uint32_t before);

static struct term *member_at(struct term *coll, const struct term *key)
{
	uint32_t n = coll->list.len;
	int64_t at;

	switch (coll->kind) {
	case T_ARRAY:
		if (key->kind != T_SCALAR || !is_num(key->val) ||
			!num_to_int64(key->val, &at) || at < 0 || at >= n)
			return NULL;
		return coll->list.items[at];
	case T_OBJECT:
		for (uint32_t i = 0; i < n; i += 2)
			if (!term_cmp(coll->list.items[i], key))
				return coll->list.items[i + 1];
		return NULL;
	case T_SET:
		for (uint32_t i = 0; i < n; i++)
			if (!term_cmp(coll->list.items[i], key))
				return coll->list.items[i];
		return NULL;
	default:
		return NULL;
	}
}

/* Number of members, or -1 for what has none. Values of objects count. */
static int64_t members_len(const struct term *t)
{
	switch (t->kind) {
	case T_ARRAY:
	case T_SET:
		return t->list.len;
	case T_OBJECT:
		return t->list.len / 2;
	default:
		return -1;
	}
}

static struct term *member(const struct term *t, uint32_t i)
{
	return t->list.items[t->kind == T_OBJECT ? 2 * i + 1 : i];
}

static bool values_add_members(struct values *out, const struct term *t)
{
	int64_t n = members_len(t);

	if (n < 0 || out->len + n > EXPANSION_MAX)
		return false;
	for (uint32_t i = 0; i < n; i++)
		out->items[out->len++] = member(t, i);
	return true;
}

static struct values values_of_ref(
	const struct term *ref, const struct known *l, uint32_t before)
{
	struct values vals = values_of(ref->list.items[0], l, before);

	for (uint32_t i = 1; vals.known && i < ref->list.len; i++) {
		struct term *step = ref->list.items[i];
		struct values next = {.known = true};

		for (uint32_t k = 0; k < vals.len && next.known; k++) {
			struct term *m;

			if (!term_is_constant(step)) {
				next.known = values_add_members(
					&next, vals.items[k]);
				continue;
			}
			m = member_at(vals.items[k], step);
			if (m)
				next.items[next.len++] = m;
		}
		vals = next;
	}
	return vals;
}

static struct values values_of(
	struct term *t, const struct known *l, uint32_t before)
{
	struct values vals = {0};
	const struct known *k;

	if (t->kind == T_VAR) {
		k = t->var.var ? known_find(l, t->var.var, before) : NULL;
		return k ? k->values : vals;
	}
	if (t->kind == T_REF)
		return values_of_ref(t, l, before);
	if (term_is_constant(t)) {
		vals.items[vals.len++] = t;
		vals.known = true;
	}
	return vals;
}

/* A statement `x = y` as it was when dependencies were noted. */
static bool is_plain_eq(struct passes *p, const struct expr *x)
{
	return expr_is_op(x, p->eq) && x->braces != WAS_EQUAL && !x->negated &&
	       !x->nwiths && expr_noperands(x) == 2;
}

static struct known *known_vars(struct passes *p, const struct snapshot *s)
{
	struct known *l = NULL;

	for (uint32_t i = 0; i < s->len; i++) {
		const struct expr *x = s->items[i];

		for (uint32_t k = 0; k < 2 && is_plain_eq(p, x); k++) {
			struct term *v = expr_operand(x, k);
			struct values vals;
			struct known *add;

			if (v->kind != T_VAR || !v->var.var)
				continue;
			vals = values_of(expr_operand(x, 1 - k), l, UINT32_MAX);
			if (!vals.known)
				continue;
			if (known_find(l, v->var.var, UINT32_MAX))
				break;
			add = ARENA_NEW(&p->scratch, struct known);
			*add = (struct known){l, v->var.var, i, vals};
			l = add;
			break;
		}
	}
	return l;
}

/* --- rules that a ref can lead to -------------------------------------------
 */

/* A branch of a rule in a cyclic part of the tree. */
struct vertex {
	struct rule *branch, *top;
	struct term *ref; /* the rule's, in full */
	struct edge *edges, *last_edge;
	struct vertex *next; /* branch of the same rule */
	const struct snapshot *body;
	uint32_t seen; /* by the search numbered so */

	/* For putting them in order. */
	struct node *node;
	struct vertex *up;
	const struct edge *turn; /* the next to be followed */
	bool ordered;
};

/* A ref of `from` that leads, perhaps, to a rule. */
struct cause {
	const struct term *ref, *sel; /* as written, and as narrowed */
	uint32_t at;
};

struct edge {
	struct edge *next;
	struct vertex *to;
	const struct cause *cause; /* of a dynamic edge; else NULL */
};

struct graph {
	struct passes *p;
	struct scc *scc;
	struct vertex **tops; /* by node id: the vertices of its rules */
	struct vertex **all;
	uint32_t nall, search;
};

/* One dependency of a rule, before they are all known. */
struct dep {
	struct dep *next;
	struct vertex *to;
	const struct cause *cause;
	bool certain;
};

struct deps {
	struct graph *g;
	struct vertex *from;
	struct dep *first, *last;
	const struct cause *cause;
	bool dynamic;
};

static bool refs_may_meet(
	const struct term *a, const struct term *b, uint32_t from)
{
	for (uint32_t i = from; i < a->list.len && i < b->list.len; i++) {
		const struct term *x = a->list.items[i], *y = b->list.items[i];

		if (term_is_constant(x) && term_is_constant(y) &&
			term_cmp(x, y))
			return false;
	}
	return true;
}

static uint32_t times_in(const struct term *ref, const struct var *v)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ref->list.len; i++)
		n += ref->list.items[i]->kind == T_VAR &&
		     ref->list.items[i]->var.var == v;
	return n;
}

/* Variables that may have a value before statement `at` of the rule. */
static bool may_be_bound(
	struct passes *p, struct vertex *v, uint32_t at, const struct var *x)
{
	struct vlist l = {0};
	const struct head *h = &v->branch->head;

	vlist_start(p, &l);
	for (uint32_t i = 0; i < v->top->head.nargs; i++)
		term_vars(p, &l, v->top->head.args[i], 0);
	if (h->key)
		term_vars(p, &l, h->key, 0);
	if (h->value)
		term_vars(p, &l, h->value, 0);
	if (v->top->head.ref->list.len == 2)
		term_vars(p, &l, v->top->head.ref->list.items[1], 0);
	for (uint32_t i = 0; i < at && i < v->body->len; i++)
		expr_vars(p, &l, v->body->items[i], 0);
	for (uint32_t i = 0; i < l.len; i++)
		if (l.items[i] == x)
			return true;
	return false;
}

/*
 * Whether `ref` leads to the rule `to` whatever its variables hold. `at`, if
 * not NULL, gets the steps that must have the value the rule's ref has there.
 */
static bool leads_to(struct passes *p, struct vertex *from,
	const struct cause *c, const struct term *ref, const struct vertex *to,
	uint32_t *at, uint32_t *nat)
{
	bool certain = true;

	for (uint32_t i = 1; i < ref->list.len && i < to->ref->list.len; i++) {
		const struct term *t = ref->list.items[i];
		const struct term *want = to->ref->list.items[i];

		if (!term_is_constant(want))
			continue;
		if (t->kind == T_VAR && t->var.var &&
			times_in(ref, t->var.var) == 1 &&
			!may_be_bound(p, from, c->at, t->var.var))
			continue;
		if (term_is_constant(t)) {
			if (term_cmp(t, want))
				return false;
			continue;
		}
		if (!at)
			return false;
		certain = false;
		at[(*nat)++] = i;
	}
	return certain;
}

static void dep_add(struct deps *d, struct vertex *to)
{
	struct dep *dep = ARENA_NEW(&d->g->p->scratch, struct dep);

	dep->to = to;
	dep->cause = d->cause;
	dep->certain = !d->dynamic || leads_to(d->g->p, d->from, d->cause,
					      d->cause->sel, to, NULL, NULL);
	if (d->last)
		d->last->next = dep;
	else
		d->first = dep;
	d->last = dep;
}

/* Rules at `n` that `ref` can still mean beyond step `i`. */
static void deps_at(struct deps *d, const struct node *n,
	const struct term *ref, uint32_t i)
{
	for (struct vertex *v = d->g->tops[n->id]; v; v = v->next)
		if (v->branch == v->top && refs_may_meet(v->ref, ref, i))
			dep_add(d, v);
}

static void deps_walk(struct deps *d, const struct node *n,
	const struct term *ref, uint32_t i)
{
	struct node *kid;

	if (i >= ref->list.len) {
		deps_at(d, n, ref, i);
		for (uint32_t k = 0; k < n->nkids; k++)
			deps_walk(d, n->kids[k], ref, i);
		return;
	}
	if (!term_is_constant(ref->list.items[i])) {
		for (uint32_t k = 0; k < n->nkids; k++) {
			deps_at(d, n->kids[k], ref, i + 1);
			deps_walk(d, n->kids[k], ref, i + 1);
		}
		return;
	}
	if (ref->list.items[i]->kind != T_SCALAR)
		return;
	kid = node_child(n, ref->list.items[i]->val);
	if (!kid)
		return;
	if (i + 1 < ref->list.len)
		deps_at(d, kid, ref, i + 1);
	deps_walk(d, kid, ref, i + 1);
}

static struct term *ref_with(
	struct passes *p, const struct term *ref, uint32_t i, struct term *step)
{
	struct term *t = ARENA_NEW(&p->scratch, struct term);

	*t = *ref;
	t->list.items =
		arena_raw(&p->scratch, ref->list.len * sizeof(*t->list.items));
	memcpy(t->list.items, ref->list.items,
		ref->list.len * sizeof(*t->list.items));
	t->list.items[i] = step;
	return t;
}

/* The refs that `ref` can be, with variables replaced by their constants. */
static uint32_t expand_ref(struct passes *p, struct term *ref,
	const struct known *l, uint32_t before, struct term **out)
{
	uint32_t n = 1;

	out[0] = ref;
	for (uint32_t i = 1; i < ref->list.len; i++) {
		struct term *next[EXPANSION_MAX];
		struct values vals;
		uint32_t m = 0;

		if (term_is_constant(ref->list.items[i]))
			continue;
		vals = values_of(ref->list.items[i], l, before);
		if (!vals.known || !vals.len || n * vals.len > EXPANSION_MAX)
			continue;
		for (uint32_t k = 0; k < n; k++)
			for (uint32_t j = 0; j < vals.len; j++)
				next[m++] =
					ref_with(p, out[k], i, vals.items[j]);
		memcpy(out, next, m * sizeof(*out));
		n = m;
	}
	return n;
}

static void deps_of_note(
	struct deps *d, const struct note *note, const struct known *l)
{
	struct passes *p = d->g->p;
	struct cause *c = ARENA_NEW(&p->scratch, struct cause);
	struct term *refs[EXPANSION_MAX];
	uint32_t n = 1;

	refs[0] = note->ref;
	if (note->dynamic)
		n = expand_ref(p, note->ref, l, note->at, refs);
	*c = (struct cause){note->ref, n == 1 ? refs[0] : note->ref, note->at};
	d->cause = c;
	d->dynamic = note->dynamic;
	for (uint32_t i = 0; i < n; i++)
		deps_walk(d, p->c->root, refs[i], 1);
}

static bool has_certain(const struct deps *d, const struct vertex *to)
{
	for (const struct dep *x = d->first; x; x = x->next)
		if (x->to == to && x->certain)
			return true;
	return false;
}

static struct edge *edge_to(const struct vertex *v, const struct vertex *to)
{
	for (struct edge *e = v->edges; e; e = e->next)
		if (e->to == to)
			return e;
	return NULL;
}

/* An edge to each branch; the first ref is the one to blame. */
static void edges_add(
	struct graph *g, struct vertex *from, const struct dep *d, bool certain)
{
	for (struct vertex *b = d->to; b && b->top == d->to->top; b = b->next) {
		struct edge *e;

		if (edge_to(from, b))
			continue;
		e = ARENA_NEW(&g->p->scratch, struct edge);
		e->to = b;
		e->cause = certain ? NULL : d->cause;
		if (from->last_edge)
			from->last_edge->next = e;
		else
			from->edges = e;
		from->last_edge = e;
	}
}

static void vertex_edges(struct graph *g, struct vertex *v)
{
	struct deps d = {.g = g, .from = v};
	const struct note *note = v->branch->notes;
	const struct known *l = NULL;
	static const struct snapshot none;

	v->body = &none;
	if (note && !note->ref) {
		v->body = (const struct snapshot *)(const void *)note;
		l = known_vars(g->p, v->body);
		note = note->next;
	}
	for (; note; note = note->next)
		deps_of_note(&d, note, l);
	for (const struct dep *x = d.first; x; x = x->next)
		edges_add(g, v, x, has_certain(&d, x->to));
}

/* --- cycles
 * ---------------------------------------------------------------------- */

struct path {
	struct vertex **items; /* from the end backwards, while searching */
	uint32_t len, cap;
};

static void path_add(struct passes *p, struct path *l, struct vertex *v)
{
	l->items = arena_grow(
		&p->scratch, l->items, l->len, &l->cap, sizeof(*l->items));
	l->items[l->len++] = v;
}

struct step {
	struct vertex *v;
	struct edge *edge;
};

/* Depth first from `v` back to `v`; *out begins and ends with it. */
static bool path_find(
	struct graph *g, struct vertex *v, bool certain, struct path *out)
{
	struct step *stack =
		ARENA_ARRAY(&g->p->scratch, struct step, (size_t)g->nall + 1);
	uint32_t n = 1;

	g->search++;
	stack[0] = (struct step){v, v->edges};
	v->seen = g->search;
	while (n) {
		struct step *s = &stack[n - 1];
		struct edge *e = s->edge, *back;

		if (e == s->v->edges) { /* no detours at the end */
			back = edge_to(s->v, v);
			if (back && !(certain && back->cause))
				e = back;
		}

		if (!e) {
			n--;
			continue;
		}
		s->edge = e->next;
		if (certain && e->cause)
			continue;
		if (e->to == v) {
			for (uint32_t i = 0; i < n; i++)
				path_add(g->p, out, stack[i].v);
			path_add(g->p, out, v);
			return true;
		}
		if (e->to->seen == g->search)
			continue;
		e->to->seen = g->search;
		stack[n++] = (struct step){e->to, e->to->edges};
	}
	return false;
}

static bool path_is_certain(const struct path *l)
{
	for (uint32_t i = 1; i < l->len; i++)
		if (edge_to(l->items[i - 1], l->items[i])->cause)
			return false;
	return true;
}

/* --- saying why
 * ---------------------------------------------------------------------- */

enum { CONDITIONS_MAX = 2, MEMBERS_SHOWN = 5 };

enum origin_kind {
	FROM_NOWHERE,
	FROM_INPUT,
	FROM_RULE,
	FROM_COLLECTION,
	FROM_BUILTIN,
	FROM_KEY,
	FROM_ARG,
};

/* Where a variable gets its value. */
struct origin {
	enum origin_kind kind;
	const struct term *ref;  /* FROM_INPUT, FROM_RULE: constant prefix */
	const struct term *coll; /* FROM_COLLECTION */
	const char *builtin;     /* FROM_BUILTIN */
};

static bool head_is(const struct term *ref, const struct name *n)
{
	const struct term *head = ref->list.items[0];

	return head->kind == T_VAR && !head->var.var &&
	       head->var.name == n->str;
}

static const struct term *constant_prefix(
	struct passes *p, const struct term *ref)
{
	struct term *t = ARENA_NEW(&p->scratch, struct term);

	*t = *ref;
	for (uint32_t i = 1; i < ref->list.len; i++)
		if (!term_is_constant(ref->list.items[i])) {
			t->list.len = i;
			break;
		}
	return t;
}

/* What `v` is unified with ahead of the statement. */
static const struct term *bound_to(struct passes *p, const struct vertex *in,
	uint32_t at, const struct var *v)
{
	for (uint32_t i = 0; i < at && i < in->body->len; i++) {
		const struct expr *x = in->body->items[i];

		if (!is_plain_eq(p, x))
			continue;
		for (uint32_t k = 0; k < 2; k++) {
			const struct term *t = expr_operand(x, k);

			if (t->kind == T_VAR && t->var.var == v)
				return expr_operand(x, 1 - k);
		}
	}
	return NULL;
}

/* The builtin whose output `v` is. */
static const char *output_of(struct passes *p, const struct vertex *in,
	uint32_t at, const struct var *v)
{
	const char *name = NULL;

	for (uint32_t i = 0; i < at && i < in->body->len; i++) {
		const struct expr *x = in->body->items[i];
		const struct builtin *bi;
		uint32_t n;

		if (!expr_is_call(x) || x->negated || x->nwiths ||
			is_plain_eq(p, x))
			continue;
		bi = builtin_of_ref(p, x->term->list.items[0]);
		n = expr_noperands(x);
		if (bi && bi->arity >= 0 && n == (uint32_t)bi->arity + 1 &&
			expr_operand(x, n - 1)->kind == T_VAR &&
			expr_operand(x, n - 1)->var.var == v)
			name = bi->name;
	}
	return name;
}

static enum origin_kind head_origin(
	const struct vertex *in, const struct var *v)
{
	const struct head *h = &in->top->head;
	enum origin_kind kind = FROM_NOWHERE;

	for (uint32_t i = 1; i < h->ref->list.len; i++)
		if (h->ref->list.items[i]->kind == T_VAR &&
			h->ref->list.items[i]->var.var == v)
			kind = FROM_KEY;
	if (h->key && h->key->kind == T_VAR && h->key->var.var == v)
		kind = FROM_KEY;
	for (uint32_t i = 0; i < h->nargs; i++)
		if (h->args[i]->kind == T_VAR && h->args[i]->var.var == v)
			kind = FROM_ARG;
	return kind;
}

static const struct term *constant_collection(struct passes *p,
	const struct vertex *in, uint32_t at, const struct term *t,
	uint32_t depth)
{
	for (; t && t->kind == T_VAR && depth <= in->body->len; depth++)
		t = bound_to(p, in, at, t->var.var);
	return t && members_len(t) >= 0 && term_is_constant(t) ? t : NULL;
}

static struct origin origin_of(struct passes *p, const struct vertex *in,
	uint32_t at, const struct var *v, uint32_t depth)
{
	struct origin o = {0};
	const struct term *t;

	if (depth > in->body->len)
		return o;
	o.builtin = output_of(p, in, at, v);
	if (o.builtin) {
		o.kind = FROM_BUILTIN;
		return o;
	}
	t = bound_to(p, in, at, v);
	if (t && t->kind == T_VAR && t->var.var)
		return origin_of(p, in, at, t->var.var, depth + 1);
	if (t && t->kind == T_REF) {
		if (head_is(t, p->input))
			o.kind = FROM_INPUT;
		else if (head_is(t, p->data))
			o.kind = FROM_RULE;
		if (o.kind) {
			o.ref = constant_prefix(p, t);
			return o;
		}
		if (t->list.len == 2 && !term_is_constant(t->list.items[1])) {
			o.coll = constant_collection(
				p, in, at, t->list.items[0], depth);
			if (o.coll) {
				o.kind = FROM_COLLECTION;
				return o;
			}
		}
	}
	o.kind = head_origin(in, v);
	return o;
}

/* A step of the ref and the value it must have. */
struct condition {
	uint32_t at;
	const struct term *term, *value;
};

static bool has_member(const struct term *coll, const struct term *value)
{
	int64_t n = members_len(coll);

	for (uint32_t i = 0; i < n; i++)
		if (!term_cmp(member(coll, i), value))
			return true;
	return false;
}

/* Conditions, each term once; -1 when one would need two values. */
static int conditions_of(const struct term *ref, const struct term *want,
	const uint32_t *at, uint32_t n, struct condition *out)
{
	int len = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct term *t = ref->list.items[at[i]];
		int k = 0;

		while (k < len && term_cmp(out[k].term, t))
			k++;
		if (k < len) {
			if (term_cmp(out[k].value, want->list.items[at[i]]))
				return -1;
			continue;
		}
		out[len++] =
			(struct condition){at[i], t, want->list.items[at[i]]};
	}
	return len;
}

static void origin_text(struct passes *p, struct buf *b,
	const struct vertex *in, const struct cause *c,
	const struct condition *cond)
{
	const char *term = text_of(p, cond->term);
	const struct term *t = c->sel->list.items[cond->at];
	struct origin o;
	int64_t n;

	if (t->kind == T_REF) {
		if (head_is(t, p->data))
			buf_adds(b, " (rule values aren't known at compile "
				    "time)");
		return;
	}
	if (t->kind != T_VAR || !t->var.var)
		return;
	o = origin_of(p, in, c->at, t->var.var, 0);
	switch (o.kind) {
	case FROM_INPUT:
		buf_addf(b, " (%s comes from %s)", term, text_of(p, o.ref));
		break;
	case FROM_RULE:
		buf_addf(b,
			" (%s comes from rule %s, whose value isn't known at "
			"compile time)",
			term, text_of(p, o.ref));
		break;
	case FROM_COLLECTION:
		n = members_len(o.coll);
		if (n > MEMBERS_SHOWN)
			buf_addf(b, " (%s is one of %d values)", term, (int)n);
		else
			buf_addf(b, " (%s is one of %s)", term,
				text_of(p, o.coll));
		break;
	case FROM_BUILTIN:
		buf_addf(b, " (%s is computed by %s)", term, o.builtin);
		break;
	case FROM_KEY:
		buf_addf(b, " (%s is a key of %s)", term, text_of(p, in->ref));
		break;
	case FROM_ARG:
		buf_addf(b, " (%s is an argument of %s)", term,
			text_of(p, in->ref));
		break;
	case FROM_NOWHERE:
	default:
		break;
	}
}

/* Whether a builtin never gives a value of that type. */
static bool never_gives(
	struct passes *p, const char *builtin, const struct term *value)
{
	const struct capabilities *caps = p->c->caps;
	const struct builtin *b = capabilities_find(caps, str_from(builtin));
	const struct type *f =
		b ? capabilities_type(&p->scratch, caps, b) : NULL;
	uint32_t work = 1000;

	return f && f->rest && value->kind == T_SCALAR &&
	       !type_unifies(
		       f->rest, type_of_value(&p->scratch, value->val), &work);
}

/* A condition that cannot hold: of a member that is not, or of its type. */
static bool is_impossible(struct passes *p, const struct vertex *in,
	const struct cause *c, const struct condition *cond)
{
	const struct term *t = c->sel->list.items[cond->at];
	struct origin o;

	if (t->kind != T_VAR || !t->var.var)
		return false;
	o = origin_of(p, in, c->at, t->var.var, 0);
	if (o.kind == FROM_BUILTIN)
		return never_gives(p, o.builtin, cond->value);
	return o.kind == FROM_COLLECTION && !has_member(o.coll, cond->value);
}

static void cause_text(struct passes *p, struct buf *b, const struct path *l)
{
	uint32_t i = 1;
	const struct edge *e = NULL;

	for (; i < l->len; i++) {
		e = edge_to(l->items[i - 1], l->items[i]);
		if (e->cause)
			break;
	}
	if (i == l->len)
		return;
	struct vertex *from = l->items[i - 1], *to = l->items[i];
	const struct cause *c = e->cause;
	struct term shown = *c->ref;
	uint32_t n = 0,
		 *at = ARENA_ARRAY(&p->scratch, uint32_t, c->sel->list.len);
	struct condition *conds =
		ARENA_ARRAY(&p->scratch, struct condition, c->sel->list.len);
	int len;
	bool plain;

	if (shown.list.len > to->ref->list.len)
		shown.list.len = to->ref->list.len;
	buf_addf(b, " (%s", text_of(p, &shown));
	if (i > 1)
		buf_addf(b, " in %s", text_of(p, from->ref));
	leads_to(p, from, c, c->sel, to, at, &n);
	len = conditions_of(&shown, to->ref, at, n, conds);
	plain = len <= 0 || len > CONDITIONS_MAX;
	for (int k = 0; k < len && !plain; k++)
		plain = is_impossible(p, from, c, &conds[k]);
	buf_addf(b, " %s %s", plain ? "could refer to" : "refers to",
		text_of(p, to->ref));
	for (int k = 0; k < len && !plain; k++) {
		buf_addf(b, " %s %s is %s", k ? "and" : "if",
			text_of(p, conds[k].term), text_of(p, conds[k].value));
		origin_text(p, b, from, c, &conds[k]);
	}
	buf_addc(b, ')');
}

static void check_vertex(struct graph *g, struct vertex *v)
{
	struct passes *p = g->p;
	struct path l = {0}, certain = {0};
	struct buf text = {0};
	bool maybe;

	rule_enter(p, v->top);
	if (!path_find(g, v, false, &l))
		return;
	maybe = !path_is_certain(&l);
	if (maybe && path_find(g, v, true, &certain)) {
		l = certain;
		maybe = false;
	}
	buf_addf(&text, "rule %s %s recursive: ", text_of(p, v->ref),
		maybe ? "may be" : "is");
	for (uint32_t i = 0; i < l.len; i++)
		buf_addf(&text, "%s%s", i ? " -> " : "",
			text_of(p, l.items[i]->ref));
	if (maybe)
		cause_text(p, &text, &l);
	found_add(p, ST_RECURSION, false, ERR_RECURSION, v->branch->loc, "%s",
		text.ptr);
	buf_release(&text);
}

/* --- the pass
 * ------------------------------------------------------------------------ */

static void add_rule(struct graph *g, const struct node *n, struct rule *r)
{
	struct passes *p = g->p;
	struct vertex **end = &g->tops[n->id];
	struct term *ref = rule_ref(p, r);

	while (*end)
		end = &(*end)->next;
	for (struct rule *b = r; b; b = b->els) {
		struct vertex *v = ARENA_NEW(&p->scratch, struct vertex);

		v->branch = b;
		v->top = r;
		v->node = g->scc->nodes[n->id];
		v->ref = ref;
		*end = v;
		end = &v->next;
		g->all[g->nall++] = v;
	}
}

static void add_rules(struct graph *g, const struct node *n)
{
	const struct rules *l = node_rules(g->p, n);
	struct node **kids;

	for (uint32_t i = 0; g->scc->cyclic[n->id] && i < l->len; i++)
		add_rule(g, n, l->items[i]);
	if (!n->nkids)
		return;
	kids = node_sorted(g->p, n);
	for (uint32_t i = 0; i < n->nkids; i++)
		add_rules(g, kids[i]);
}

static uint32_t count_branches(const struct scc *s)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < s->p->c->nnodes; i++) {
		const struct rules *l;

		if (!s->cyclic[i])
			continue;
		l = node_rules(s->p, s->nodes[i]);
		for (uint32_t k = 0; k < l->len; k++)
			for (const struct rule *b = l->items[k]; b; b = b->els)
				sum++;
	}
	return sum;
}

static void order_add(struct passes *p, struct node *n, struct rule *branch)
{
	p->order = arena_grow(
		p->a, p->order, p->norder, &p->caporder, sizeof(*p->order));
	p->order[p->norder++] = (struct ordered){n, branch};
}

/* In a cycle of the first look the closer look tells what comes first. */
static void order_vertex(struct passes *p, struct vertex *v)
{
	if (v->ordered)
		return;
	v->up = NULL;
	v->turn = v->edges;
	v->ordered = true;
	while (v) {
		struct vertex *to;

		if (!v->turn) {
			order_add(p, v->node, v->branch);
			v = v->up;
			continue;
		}
		to = v->turn->to;
		v->turn = v->turn->next;
		if (to->ordered)
			continue;
		to->ordered = true;
		to->turn = to->edges;
		to->up = v;
		v = to;
	}
}

static void order_rules(const struct graph *g)
{
	for (uint32_t i = 0; i < g->scc->ndone; i++) {
		struct node *n = g->scc->done[i];
		const struct rules *l = node_rules(g->p, n);

		if (g->scc->cyclic[n->id]) {
			for (struct vertex *v = g->tops[n->id]; v; v = v->next)
				order_vertex(g->p, v);
			continue;
		}
		for (uint32_t k = 0; k < l->len; k++)
			for (struct rule *b = l->items[k]; b; b = b->els)
				order_add(g->p, n, b);
	}
}

void pass_recursion(struct compiler *c)
{
	struct passes *p = passes_of(c);
	struct scc s = scc_find(p);
	struct graph g = {.p = p, .scc = &s};

	if (!s.any) {
		order_rules(&g);
		return;
	}
	g.tops = ARENA_ARRAY(&p->scratch, struct vertex *, c->nnodes);
	g.all = ARENA_ARRAY(&p->scratch, struct vertex *, count_branches(&s));
	add_rules(&g, c->root);
	for (uint32_t i = 0; i < g.nall; i++) {
		rule_enter(p, g.all[i]->top);
		vertex_edges(&g, g.all[i]);
	}
	for (uint32_t i = 0; i < g.nall && !found_enough(p, ST_RECURSION); i++)
		check_vertex(&g, g.all[i]);
	order_rules(&g);
}
