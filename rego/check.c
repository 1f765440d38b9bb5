/*
 * check: what contradicts itself between rules, and calls of what is not there.
 *
 * Conflicts are looked for node by node in the tree of rules, in the order of
 * their keys. A head with variables stands at the node of its ground prefix.
 */
#include "rego/annotations.h"
#include "rego/passes.h"

#include <stdlib.h>
#include <string.h>

/* --- conflicts between rules ---------------------------------------------- */

/* Rules below a node, none of which stands below another. */
struct below {
	struct place {
		struct term *ref;
		const struct rule *rule;
	} * items;
	uint32_t len, cap;
};

/*
 * Variables that were declared are different in every rule; others are the
 * same when their names are.
 */
static int step_cmp(const struct term *a, const struct term *b)
{
	const struct var *x, *y;

	if (a->kind != T_VAR || b->kind != T_VAR || a == b)
		return term_cmp(a, b);
	x = a->var.var;
	y = b->var.var;
	if (x == y || (!x->declared && !y->declared))
		return term_cmp(a, b);
	if (x->declared != y->declared)
		return x->declared ? -1 : 1;
	return x->loc.off < y->loc.off ? -1 : 1;
}

static bool ref_has_prefix(const struct term *ref, const struct term *prefix)
{
	if (ref->list.len < prefix->list.len)
		return false;
	for (uint32_t i = 0; i < prefix->list.len; i++)
		if (step_cmp(ref->list.items[i], prefix->list.items[i]))
			return false;
	return true;
}

static void below_add(struct passes *p, struct below *l, const struct rule *r)
{
	struct place add = {rule_ref(p, r), r};
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->len; i++)
		if (ref_has_prefix(add.ref, l->items[i].ref))
			return;
	for (uint32_t i = 0; i < l->len; i++)
		if (!ref_has_prefix(l->items[i].ref, add.ref))
			l->items[n++] = l->items[i];
	l->len = n;
	l->items = arena_grow(
		&p->scratch, l->items, l->len, &l->cap, sizeof(*l->items));
	l->items[l->len++] = add;
}

static void below_collect(
	struct passes *p, struct below *l, const struct node *n, bool functions)
{
	struct node **kids = node_sorted(p, n);

	for (uint32_t i = 0; i < n->nkids; i++) {
		const struct rules *rules = node_rules(p, kids[i]);

		for (uint32_t k = 0; k < rules->len; k++)
			if (!functions || rules->items[k]->head.nargs)
				below_add(p, l, rules->items[k]);
		below_collect(p, l, kids[i], functions);
	}
}

static int by_ref(const void *a, const void *b)
{
	const struct term *x = ((const struct place *)a)->ref;
	const struct term *y = ((const struct place *)b)->ref;

	for (uint32_t i = 0; i < x->list.len && i < y->list.len; i++) {
		int c = step_cmp(x->list.items[i], y->list.items[i]);

		if (c)
			return c;
	}
	return x->list.len < y->list.len ? -1 : x->list.len > y->list.len;
}

static void conflict_error(struct passes *p, const struct rules *l,
	const char *name, struct below *b)
{
	struct buf text = {0};

	qsort(b->items, b->len, sizeof(*b->items), by_ref);
	buf_addf(&text, "rule %s conflicts with:", name);
	for (uint32_t i = 0; i < b->len; i++)
		buf_addf(&text, "\n  rule %s at %s",
			text_of(p, b->items[i].ref),
			loc_text(p, b->items[i].rule->loc));
	found_add(p, ST_CONFLICTS, false, ERR_TYPE, l->items[0]->loc, "%s",
		text.ptr);
	buf_release(&text);
}

static void defaults_error(
	struct passes *p, const struct rules *l, const char *name)
{
	struct buf text = {0};
	const struct rule *first = NULL;

	buf_addf(&text, "multiple default rules %s found at ", name);
	for (uint32_t i = 0; i < l->len; i++) {
		if (!l->items[i]->is_default)
			continue;
		if (first)
			buf_adds(&text, ", ");
		else
			first = l->items[i];
		buf_adds(&text, loc_text(p, l->items[i]->loc));
	}
	found_add(p, ST_CONFLICTS, false, ERR_TYPE, first->mod->loc, "%s",
		text.ptr);
	buf_release(&text);
}

/* What kinds of rules stand at one node. */
struct kinds {
	bool single, multi;       /* values: one, or a set */
	bool complete, partial;   /* a ground single value, or anything else */
	bool set, object_of_sets; /* contains, at the node or below */
	bool ground, dynamic;
	bool arities_differ;
	uint32_t defaults;
};

static struct kinds kinds_of(const struct rules *l)
{
	struct kinds k = {0};

	for (uint32_t i = 0; i < l->len; i++) {
		const struct rule *r = l->items[i];
		bool ground =
			head_ground_len(&r->head) == r->head.ref->list.len;

		if (r->head.value)
			k.single = true;
		else
			k.multi = true;
		if (r->head.value && ground)
			k.complete = true;
		else
			k.partial = true;
		if (!r->head.value && ground)
			k.set = true;
		if (!r->head.value && !ground)
			k.object_of_sets = true;
		if (ground)
			k.ground = true;
		else
			k.dynamic = true;
		if (r->head.nargs != l->items[0]->head.nargs)
			k.arities_differ = true;
		k.defaults += r->is_default;
	}
	return k;
}

/*
 * A ground rule may have no other rules below it. A head with variables may,
 * but no functions.
 */
static void check_node(struct passes *p, const struct node *n)
{
	const struct rules *l = node_rules(p, n);
	struct kinds k = kinds_of(l);
	struct below b = {0};
	bool mixed = (k.single && k.multi) || k.arities_differ ||
		     (k.complete && k.partial) || (k.set && k.object_of_sets);

	if (n->nkids && k.ground)
		below_collect(p, &b, n, false);
	if (n->nkids && k.dynamic && !b.len)
		below_collect(p, &b, n, true);
	if (!b.len && !mixed && k.defaults < 2)
		return;
	const char *name = rule_name(p, l->items[l->len - 1]);

	if (b.len)
		conflict_error(p, l, name, &b);
	else if (mixed)
		found_add(p, ST_CONFLICTS, false, ERR_TYPE, l->items[0]->loc,
			"conflicting rules %s found", name);
	else
		defaults_error(p, l, name);
}

static void check_tree(struct passes *p, const struct node *n, bool sorted)
{
	struct node **kids;

	if (node_rules(p, n)->len)
		check_node(p, n);
	kids = sorted ? node_sorted(p, n) : n->kids;
	for (uint32_t i = 0; i < n->nkids; i++)
		check_tree(p, kids[i], sorted);
}

/* In the order of keys only if more was found than is reported. */
static void check_conflicts(struct passes *p)
{
	uint32_t found = p->nfound, fatal = p->nfatal;

	check_tree(p, p->c->root, false);
	if (!found_enough(p, ST_CONFLICTS))
		return;
	p->nfound = found;
	p->nfatal = fatal;
	p->found_in[ST_CONFLICTS] = 0;
	check_tree(p, p->c->root, true);
}

/* --- rules against packages --------------------------------------------------
 */

static void package_error(struct passes *p, const struct module *m,
	const struct module *other, const struct rule *r)
{
	struct term path = *other->package;
	const char *text;

	/* a package is written without data */
	if (path.list.len > 1) {
		struct term *full = term_new(p, T_REF, path.loc);
		struct term *head = term_new(p, T_VAR, path.loc);

		head->var.name = path.list.items[1]->val.str;
		full->list.len = path.list.len - 1;
		full->list.items =
			ARENA_ARRAY(p->a, struct term *, full->list.len);
		memcpy(full->list.items, path.list.items + 1,
			full->list.len * sizeof(*full->list.items));
		full->list.items[0] = head;
		text = text_of(p, full);
	} else {
		text = text_of(p, &path);
	}
	found_add(p, ST_CONFLICTS, false, ERR_TYPE, m->loc,
		"package %s conflicts with rule %s defined at %s", text,
		text_of(p, r->head.ref), loc_text(p, r->loc));
}

static void check_package(struct passes *p, const struct module *m,
	const struct node *pkg, const struct rule *r)
{
	const struct term *ref = r->head.ref;
	const struct node *n = pkg;
	const struct package *other;

	if (head_ground_len(&r->head) < ref->list.len)
		return;
	for (uint32_t i = 0; n && i < ref->list.len; i++) {
		const struct term *t = ref->list.items[i];
		struct value key = i ? t->val
				     : (struct value){.tag = V_STR,
					       .hash = t->var.name->hash,
					       .str = t->var.name};

		n = key.tag == V_STR ? node_child(n, key) : NULL;
		if (n && !n->is_package)
			n = NULL;
	}
	if (!n || n->id >= p->cappackages || !p->packages[n->id])
		return;
	other = p->packages[n->id];
	for (uint32_t i = 0; i < other->nmods; i++)
		package_error(p, m, other->mods[i], r);
}

static void check_packages(struct passes *p)
{
	for (uint32_t i = 0; i < p->c->nmods; i++) {
		const struct module *m = p->c->mods[i];
		const struct node *n = tree_find(p, m->package);

		for (uint32_t k = 0; n && k < m->nrules; k++)
			check_package(p, m, n, m->rules[k]);
	}
}

/* --- calls
 * ---------------------------------------------------------------------- */

static void arity_error(
	struct passes *p, const struct expr *x, int arity, uint32_t got)
{
	const char *name = text_of(p, x->term->list.items[0]);
	struct mismatch *why = arity_mismatch(p, x);
	uint32_t before = p->nfound;

	if (why)
		found_add(p, ST_FUNCS, false, ERR_TYPE, x->loc,
			"%s: arity mismatch", name);
	else
		found_add(p, ST_FUNCS, false, ERR_TYPE, x->loc,
			"function %s has arity %d, got %u argument%s", name,
			arity, got, got == 1 ? "" : "s");
	found_why(p, before, why);
}

static bool funcs_in_expr(struct visit *v, struct expr *x)
{
	struct passes *p = v->p;
	const struct builtin *bi;
	struct group *g;
	uint32_t n;
	int arity;

	if (!expr_is_call(x))
		return false;
	arity = call_arity(p->c, x->term->list.items[0], &bi, &g);
	n = expr_noperands(x);
	if (arity < 0) {
		found_add(p, ST_FUNCS, false, ERR_TYPE, x->loc,
			"undefined function %s",
			text_of(p, x->term->list.items[0]));
		return true;
	}
	if (x->generated ? n != (uint32_t)arity + 1 && !expr_is_op(x, p->eq)
			 : n != (uint32_t)arity && n != (uint32_t)arity + 1) {
		arity_error(p, x, arity, x->generated ? n - 1 : n);
		return true;
	}
	p->deprecated |= bi && capabilities_deprecated(p->c->caps, bi);
	return false;
}

static void check_funcs(struct passes *p, struct rule *r)
{
	struct visit v = {.p = p, .expr = funcs_in_expr};

	visit_head(&v, &r->head);
	visit_body(&v, r->body);
}

/* --- annotations ----------------------------------------------------- */

static void annotated_twice(void *user, const struct annotation *first,
	const struct annotation *again)
{
	struct passes *p = user;

	found_add(p, ST_METADATA, false, ERR_TYPE, again->loc,
		"%s annotation redeclared: %s",
		annotation_scope_name(again->scope), loc_text(p, first->loc));
}

void check_annotations(struct passes *p)
{
	struct compiler *c = p->c;
	bool any = false;

	for (uint32_t i = 0; i < c->nmods && !any; i++)
		any = c->mods[i]->nannotations;
	if (any)
		c->annotations = annotation_set_new(
			p->a, c->mods, c->nmods, annotated_twice, p);
}

void pass_check(struct compiler *c)
{
	struct passes *p = passes_of(c);

	check_conflicts(p);
	check_packages(p);
	arena_reset(&p->scratch);
	groups_build(p);
	for (uint32_t i = 0; i < c->nmods; i++)
		for (uint32_t k = 0; k < c->mods[i]->nrules; k++)
			for (struct rule *b = c->mods[i]->rules[k]; b;
				b = b->els)
				check_funcs(p, b);
}

void query_check(struct passes *p, struct rule *q)
{
	check_funcs(p, q);
}

/* --- builtins that may not be called
 * ------------------------------------------------------------ */

/* By now all calls are statements. */
static bool deprecated_in_expr(struct visit *v, struct expr *x)
{
	const struct builtin *bi;

	if (!expr_is_call(x))
		return false;
	bi = builtin_of_ref(v->p, x->term->list.items[0]);
	if (bi && capabilities_deprecated(v->p->c->caps, bi))
		found_add(v->p, ST_DEPRECATED, true, ERR_TYPE, x->loc,
			"deprecated built-in function calls in expression: %s",
			bi->name);
	return false;
}

static void check_calls(struct passes *p, struct rule *r,
	bool (*check)(struct visit *v, struct expr *x))
{
	struct visit v = {.p = p, .expr = check};

	visit_head(&v, &r->head);
	visit_body(&v, r->body);
}

void pass_deprecated(struct compiler *c)
{
	struct passes *p = passes_of(c);

	for (uint32_t i = 0; p->deprecated && i < c->nmods; i++) {
		struct module *m = c->mods[i];

		if (!c->strict && !module_is_v1(m))
			continue;
		for (uint32_t k = 0; k < m->nrules; k++)
			for (struct rule *b = m->rules[k]; b; b = b->els)
				check_calls(p, b, deprecated_in_expr);
	}
}

void query_deprecated(struct passes *p, struct rule *q)
{
	if (p->c->strict && p->deprecated)
		check_calls(p, q, deprecated_in_expr);
}
