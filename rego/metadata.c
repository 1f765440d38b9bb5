/*
 * metadata: rego.metadata.chain() and rego.metadata.rule() become constants.
 *
 * A rule that calls one begins with a statement that holds what its
 * annotations say, and each call takes that. Only calls outside of rules, in a
 * query, are left for the builtins of these names.
 *
 * Source: v1/ast/compile.go, rewriteRegoMetadataCalls.
 */
#include "rego/annotations.h"
#include "rego/passes.h"

#include <string.h>

enum call { CALL_NONE, CALL_CHAIN, CALL_RULE, CALLS };

/* What the calls of one rule are replaced with. */
struct metadata {
	struct term *first[CALLS]; /* the first call of each, or NULL */
	struct var *var[CALLS];    /* holds its value */
};

static enum call call_of(struct passes *p, const struct expr *x)
{
	const struct builtin *bi;

	if (!expr_is_call(x))
		return CALL_NONE;
	bi = builtin_of_ref(p, x->term->list.items[0]);
	if (!bi)
		return CALL_NONE;
	if (strcmp(bi->name, "rego.metadata.chain") == 0)
		return CALL_CHAIN;
	return strcmp(bi->name, "rego.metadata.rule") == 0 ? CALL_RULE
							   : CALL_NONE;
}

static bool first_in_expr(struct visit *v, struct expr *x)
{
	struct metadata *m = v->ctx;
	enum call which = call_of(v->p, x);

	if (which && !m->first[which])
		m->first[which] = x->term;
	return false;
}

/* --- the values ------------------------------------------------------- */

static struct term *value_term(
	struct passes *p, struct value v, struct loc loc);

static struct term *list_term(struct passes *p, enum term_kind kind,
	struct loc loc, const struct value *keys, const struct value *items,
	uint32_t n)
{
	struct term *t = term_new(p, kind, loc);
	uint32_t each = keys ? 2 : 1;

	t->list.items = ARENA_ARRAY(p->a, struct term *, (size_t)n * each);
	t->list.len = n * each;
	for (uint32_t i = 0; i < n; i++) {
		if (keys)
			t->list.items[2 * i] = value_term(p, keys[i], loc);
		t->list.items[each * i + each - 1] =
			value_term(p, items[i], loc);
	}
	return t;
}

/* Composites are terms of terms: the type checker looks into them. */
static struct term *value_term(struct passes *p, struct value v, struct loc loc)
{
	struct term *t;

	if (v.tag == V_ARR)
		return list_term(p, T_ARRAY, loc, NULL, v.arr->items, v_len(v));
	if (v.tag == V_OBJ)
		return list_term(p, T_OBJECT, loc, v.obj->keys->items,
			v.obj->vals, v_len(v));
	t = term_new(p, T_SCALAR, loc);
	t->val = v;
	return t;
}

/* {"path": ..., "annotations": ...}, without the `data` of the path. */
static struct value link_value(
	struct arena *a, struct value path, const struct annotation *an)
{
	struct builder b = builder_obj(a);

	builder_set_key(&b, v_cstr(a, "path"),
		v_arr(a, path.arr->items + 1, v_len(path) - 1));
	if (an)
		builder_set_key(&b, v_cstr(a, "annotations"), an->value);
	return builder_done(&b);
}

static size_t chain_of(
	struct passes *p, const struct rule *r, const struct annotation ***list)
{
	static const struct annotation_set none;
	const struct annotation_set *set = p->c->annotations;

	return annotations_of_rule(p->a, set ? set : &none, r, list);
}

/* A rule without annotations of its own stands in its chain all the same. */
static struct value chain_value(struct passes *p, const struct rule *r)
{
	struct arena *a = p->a;
	const struct annotation **list;
	size_t n = chain_of(p, r, &list), len = 0;
	struct value *links = ARENA_ARRAY(a, struct value, n + 1);

	if (!n || list[0]->scope != SCOPE_RULE)
		links[len++] = link_value(a, annotation_rule_path(a, r), NULL);
	for (size_t i = 0; i < n; i++)
		links[len++] =
			link_value(a, annotation_path(a, list[i]), list[i]);
	return v_arr(a, links, len);
}

/* Of several annotations of a rule the uppermost counts. */
static struct value rule_value(struct passes *p, const struct rule *r)
{
	const struct annotation **list;
	size_t n = chain_of(p, r, &list), own = 0;

	while (own < n && list[own]->scope == SCOPE_RULE)
		own++;
	return own ? list[own - 1]->value : v_empty_obj;
}

/* --- the calls --------------------------------------------------------- */

static void replace_call(
	struct passes *p, const struct metadata *m, struct expr *x)
{
	enum call which = call_of(p, x);
	struct term *var;

	if (!which)
		return;
	var = term_of_var(p, m->var[which], x->loc);
	x->term = expr_noperands(x) == 0
			  ? var
			  : term_call(p, x->loc, term_op(p, x->loc, &p->eq, 1),
				    expr_operand(x, 0), var);
	x->generated = true;
}

static bool replace_in_expr(struct visit *v, struct expr *x)
{
	replace_call(v->p, v->ctx, x);
	return false;
}

static void prepend_value(
	struct passes *p, struct metadata *m, struct rule *r, enum call which)
{
	struct loc loc;
	struct expr *x;

	if (!m->first[which])
		return;
	loc = m->first[which]->loc;
	x = expr_capture(p, value_term(p,
				    which == CALL_CHAIN ? chain_value(p, r)
							: rule_value(p, r),
				    loc));
	m->var[which] = expr_operand(x, 0)->var.var;
	body_add(p->a, r->body, x);
	body_move_up(r->body, r->body->len - 1, 0);
}

void lower_metadata(struct passes *p, struct rule *r)
{
	struct metadata m = {0};
	struct visit find = {.p = p, .ctx = &m, .expr = first_in_expr};
	struct visit replace = {.p = p, .ctx = &m, .expr = replace_in_expr};

	visit_head(&find, &r->head);
	visit_body(&find, r->body);
	prepend_value(p, &m, r, CALL_RULE);
	prepend_value(p, &m, r, CALL_CHAIN);
	visit_head(&replace, &r->head);
	visit_body(&replace, r->body);
}
