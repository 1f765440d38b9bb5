/*
 * infer: the types of all rules and terms, and what can't fit.
 *
 * Rules are looked at after those they depend on (passes.order). A body is
 * read from top to bottom in the order in which it will run: what a variable
 * is first compared with gives it its type, later uses must agree. The type of
 * a rule is merged into those of the other rules of its document, and kept at
 * its node of the tree. What is not known (input, base documents) is `any`,
 * which agrees with everything. The rules are those of OPA's v1/ast/check.go
 * and env.go, also where they are weak: calls in the body of an `every`, say,
 * are not looked at.
 *
 * Environments. OPA nests them; here they are a few registers:
 *
 *	vars     type of each variable of the rule, by id. A comprehension
 *	         works on the same array; puts are logged and taken back when it
 *	         is left
 *	layers   documents that `with` replaces for one statement, innermost
 *	         first; then those with schemas of the rule's annotations; the
 *	         last layer is the tree of rules
 *
 * The type of a comprehension is asked for several times, in OPA as well, and
 * each time it looks at the comprehensions inside several times. It is kept
 * until a variable gets a type.
 */
#include "rego/infer.h"

#include <string.h>

static struct infer *infer_of(struct passes *p)
{
	struct infer *in = p->infer;

	if (in)
		return in;
	in = ARENA_NEW(p->a, struct infer);
	in->p = p;
	in->a = p->a;
	in->builtins = ARENA_ARRAY(
		p->a, const struct type *, capabilities_count(p->c->caps));
	in->member_2 = builtin_find(str_from("internal.member_2"));
	in->member_3 = builtin_find(str_from("internal.member_3"));
	p->infer = in;
	return in;
}

const struct type *infer_builtin_type(struct infer *in, const struct builtin *b)
{
	const struct capabilities *caps = in->p->c->caps;
	const struct type **at = &in->builtins[capabilities_index(caps, b)];

	if (!*at)
		*at = capabilities_type(in->a, caps, b);
	return *at;
}

/* --- variables -------------------------------------------------------- */

/* A variable named like a builtin is one, as long as nothing types it. */
const struct type *infer_var_type(struct infer *in, const struct var *v)
{
	const struct type *t = v->id < in->capvars ? in->vars[v->id] : NULL;
	const struct builtin *b;

	if (t || v->declared || v->generated || v->wildcard)
		return t;
	b = name_of(in->p, v->name)->bi;
	return b ? infer_builtin_type(in, b) : NULL;
}

static void vars_grow(struct infer *in, uint32_t need)
{
	uint32_t cap = in->capvars ? in->capvars : 64;
	const struct type **more;

	while (cap <= need)
		cap *= 2;
	more = ARENA_ARRAY(in->a, const struct type *, cap);
	if (in->capvars)
		memcpy(more, in->vars, in->capvars * sizeof(*more));
	in->vars = more;
	in->capvars = cap;
}

void infer_var_put(struct infer *in, const struct var *v, const struct type *t)
{
	if (v->id >= in->capvars)
		vars_grow(in, v->id);
	in->puts = arena_grow(
		in->a, in->puts, in->nputs, &in->capputs, sizeof(*in->puts));
	in->puts[in->nputs++] = (struct put){v->id, in->vars[v->id], in->state};
	in->vars[v->id] = t;
	in->state = ++in->nstates;
}

static void puts_undo(struct infer *in, uint32_t mark)
{
	while (in->nputs > mark) {
		const struct put *u = &in->puts[--in->nputs];

		in->vars[u->id] = u->old;
		in->state = u->state;
	}
}

/* --- statements --- */

/* A list of two any: what `=` takes. */
static const struct type *eq_type(struct infer *in)
{
	return infer_builtin_type(in, name_of(in->p, in->p->eq)->bi);
}

static struct mismatch *check_eq(
	struct infer *in, const struct layer *l, const struct expr *x)
{
	uint32_t n = expr_noperands(x);
	struct side a, b;
	struct mismatch *m;

	if (n != 2) {
		m = infer_args_error(in, x,
			n < 2 ? "too few arguments" : "too many arguments",
			infer_arg_types(in, l, x), eq_type(in));
		m->result = false;
		return m;
	}
	a = infer_side_of(in, l, expr_operand(x, 0));
	b = infer_side_of(in, l, expr_operand(x, 1));
	if (infer_unify_sides(in, l, a, b))
		return NULL;
	return infer_match_error(in, x->loc, a.type, b.type);
}

static struct mismatch *check_member(struct infer *in, const struct layer *l,
	const struct expr *x, const struct term *t, const struct type *of)
{
	const struct type *have;

	if (type_unknown(of))
		return NULL;
	have = infer_type_of(in, l, t);
	if ((type_unknown(have) || infer_unifies(in, have, of)) &&
		infer_unify(in, l, t, of, false))
		return NULL;
	return infer_match_error(in, x->loc, have, of);
}

/* `x in xs`, `k, x in xs` */
static struct mismatch *check_in(struct infer *in, const struct layer *l,
	const struct expr *x, uint32_t arity)
{
	const struct type *coll, *values;
	struct mismatch *m = NULL;

	if (expr_noperands(x) < arity)
		return NULL;
	coll = infer_type_of(in, l, expr_operand(x, arity - 1));
	values = type_values(in->a, coll);
	if (!values)
		return NULL;
	if (arity == 3)
		m = check_member(
			in, l, x, expr_operand(x, 0), type_keys(in->a, coll));
	if (!m)
		m = check_member(in, l, x, expr_operand(x, arity - 2), values);
	return m;
}

static struct mismatch *check_args(struct infer *in, const struct layer *l,
	const struct expr *x, const struct type *f)
{
	uint32_t n = expr_noperands(x), max = f->len + (f->rest != NULL);
	const struct type **have;

	if (n > max && !f->more)
		return infer_args_error(in, x, "too many arguments",
			infer_arg_types(in, l, x), f);
	if (n < f->len)
		return infer_args_error(in, x, "too few arguments",
			infer_arg_types(in, l, x), f);
	have = infer_arg_types(in, l, x);
	for (uint32_t i = 0; i < n; i++) {
		const struct type *want = i < f->len ? f->items[i]
					  : i < max  ? f->rest
						     : f->more;

		if (!type_unknown(have[i]) && !infer_unifies(in, have[i], want))
			return infer_args_error(
				in, x, "invalid argument(s)", have, f);
		if (!infer_unify(in, l, expr_operand(x, i), want, false))
			return infer_args_error(in, x, "invalid argument(s)",
				infer_arg_types(in, l, x), f);
	}
	return NULL;
}

static struct mismatch *check_call(
	struct infer *in, const struct layer *l, const struct expr *x)
{
	const struct term *op = x->term->list.items[0];
	const struct builtin *b;
	const struct type *f;
	struct mismatch *m = NULL;

	if (expr_is_op(x, in->p->eq))
		return check_eq(in, l, x);
	b = builtin_of_ref(in->p, op);
	if (b && (b == in->member_2 || b == in->member_3))
		m = check_in(in, l, x, (uint32_t)b->arity);
	if (m)
		return m;
	f = b ? infer_builtin_type(in, b) : infer_ref_type(in, l, op);
	if (type_is_any(f))
		return NULL;
	if (f && f->kind == TY_FUNCTION)
		return check_args(in, l, x, f);
	return infer_mismatch_new(in, MM_PLAIN, x->loc,
		arena_printf(
			in->a, "undefined function %s", text_of(in->p, op)));
}

static struct mismatch *check_expr(
	struct infer *in, const struct layer *l, const struct expr *x)
{
	struct mismatch *m = infer_check_withs(in, l, x);

	return m || !expr_is_call(x) ? m : check_call(in, l, x);
}

/* --- bodies --- */

static void check_body(struct infer *in, const struct layer *l,
	const struct body *b, struct errors *e);

/* Typed anew unless a look at it in the same environment is kept. */
const struct typed *infer_comp_typed(
	struct infer *in, const struct layer *l, struct comp *c)
{
	struct typed *t = c->typed;
	uint32_t mark = in->nputs;

	if (t && t->state == in->state && t->layer == l)
		return t;
	t = ARENA_NEW(in->a, struct typed);
	t->state = in->state;
	t->layer = l;
	if (!in->bodies) {
		t->key = t->head = &type_any;
	} else {
		in->bodies--;
		check_body(in, l, c->body, &t->errors);
		t->key = c->key ? infer_type_of(in, l, c->key) : NULL;
		t->head = infer_type_of(in, l, c->head);
		puts_undo(in, mark);
	}
	c->typed = t;
	return t;
}

struct closures {
	struct infer *in;
	const struct layer *layer;
	const struct errors *found; /* of the last one that has errors */
};

static bool closure_in_term(struct visit *v, struct term *t)
{
	struct closures *c = v->ctx;
	const struct typed *typed;

	if (!term_is_comp(t))
		return false;
	typed = infer_comp_typed(c->in, c->layer, t->comp);
	if (!typed->errors.len)
		return false;
	c->found = &typed->errors;
	return true;
}

static const struct errors *check_closures(
	struct infer *in, const struct layer *l, struct expr *x)
{
	static const struct errors none;
	struct closures c = {in, l, &none};
	struct visit v = {.p = in->p, .term = closure_in_term, .ctx = &c};

	if (in->closures)
		visit_expr(&v, x);
	return c.found;
}

/*
 * `$0 = f(x)`: how the engine asks for the value of a statement of a query,
 * where OPA gives the call an output. What is wrong with the call, or with
 * what replaces it, has been said.
 */
static bool is_capture(const struct infer *in, const struct expr *x)
{
	const struct term *v, *output;

	if (!in->p->query || !expr_is_op(x, in->p->eq))
		return false;
	v = expr_operand(x, 0);
	output = expr_operand(x, 1);
	return v->kind == T_VAR && v->var.name->bytes[0] == '$' &&
	       infer_is_key_var(output) && output->var.var->generated;
}

/*
 * An error that comes of a type that is not known is left out where another
 * error of the statement has said why.
 */
static void check_stmt(struct infer *in, const struct layer *l, struct expr *x,
	struct errors *e)
{
	uint32_t before = e->len;
	struct mismatch *m;

	if (x->nwiths)
		l = infer_with_layers(in, l, x);
	infer_errors_append(in, e, check_closures(in, l, x));
	infer_refs_in_expr(in, l, x, e);
	m = check_expr(in, l, x);
	if (m && m->kind == MM_ARGS && is_capture(in, x))
		return;
	if (m && (e->len == before || !mismatch_unknown(m)))
		infer_errors_add(in, e, m);
}

static void check_body(struct infer *in, const struct layer *l,
	const struct body *b, struct errors *e)
{
	for (uint32_t i = 0; i < b->len; i++)
		check_stmt(in, l, b->items[i], e);
}

/* --- rules --- */

/* Arguments that no statement uses are `any`. */
static bool free_is_any(struct visit *v, struct term *t)
{
	struct infer *in = v->ctx;

	if (infer_is_key_var(t) && !infer_var_type(in, t->var.var))
		infer_var_put(in, t->var.var, &type_any);
	return false;
}

static const struct type *function_type(
	struct infer *in, const struct head *h, const struct term *value)
{
	const struct type **args =
		ARENA_ARRAY(in->a, const struct type *, h->nargs);
	struct visit v = {.p = in->p, .term = free_is_any, .ctx = in};

	for (uint32_t i = 0; i < h->nargs; i++)
		visit_term(&v, h->args[i]);
	for (uint32_t i = 0; i < h->nargs; i++)
		args[i] = infer_type_of(in, in->env, h->args[i]);
	return type_function(in->a, args, h->nargs,
		value ? infer_type_of(in, in->env, value) : NULL);
}

/* What stands at the ground part of a head: objects for steps behind it. */
static const struct type *document_type(
	struct infer *in, const struct head *h, const struct head *own)
{
	const struct type *t, *key;
	uint32_t ground = head_ground_len(h);
	bool set = h->key && !h->value;

	t = infer_type_of(in, in->env, set ? h->key : own->value);
	if (t && set)
		t = type_set(in->a, t);
	for (uint32_t i = h->ref->list.len; t && i-- > ground;) {
		key = infer_type_of(in, in->env, h->ref->list.items[i]);
		t = key ? type_object_open(in->a, NULL, NULL, 0, key, t) : NULL;
	}
	return t;
}

static void infer_start(struct infer *in, const struct rule *branch)
{
	in->work = UNIFY_MAX;
	in->bodies = BODIES_MAX;
	in->closures = branch->marks & (R_COMP | R_TEMPLATE);
}

static void infer_branch(
	struct infer *in, const struct ordered *o, struct errors *e)
{
	const struct rule *top = o->branch;
	const struct type *t = NULL;
	uint32_t before;

	while (top->prev_else)
		top = top->prev_else;
	infer_start(in, o->branch);
	infer_env_of_rule(in, o->branch, e);
	before = e->len;
	check_body(in, in->env, o->branch->body, e);
	if (e->len > before) {
		/* Who uses the rule is not to blame. */
		if (head_ground_len(&top->head) == top->head.ref->list.len)
			infer_node_put(o->node, &type_any);
		else
			infer_node_touch(o->node);
	} else {
		t = top->head.nargs
			    ? function_type(
				      in, &top->head, o->branch->head.value)
			    : document_type(in, &top->head, &o->branch->head);
	}
	if (t)
		infer_node_insert(in, o->node, t);
	puts_undo(in, 0);
}

static void errors_report(struct infer *in, const struct errors *e)
{
	for (uint32_t i = 0; i < e->len; i++) {
		uint32_t before = in->p->nfound;

		found_add(in->p, ST_TYPES, true, ERR_TYPE, e->items[i]->loc,
			"%s", e->items[i]->message);
		found_why(in->p, before, e->items[i]);
	}
}

void pass_types(struct compiler *c)
{
	struct passes *p = passes_of(c);
	struct infer *in = infer_of(p);
	struct errors e = {0};

	infer_rules_start(in, c->root);
	for (uint32_t i = 0; i < p->norder; i++)
		infer_branch(in, &p->order[i], &e);
	mismatch_sort(p, e.items, e.len);
	errors_report(in, &e);
	map_release(&in->relaxed);
	arena_reset(&p->scratch);
}

void query_types(struct passes *p, struct rule *q)
{
	struct infer *in = infer_of(p);
	struct errors e = {0};

	infer_rules_start(in, p->c->root);
	infer_start(in, q);
	check_body(in, in->env, q->body, &e);
	errors_report(in, &e);
	puts_undo(in, 0);
	map_release(&in->relaxed);
}

/* Rules have no types yet when a module is looked at, but for a query. */
struct mismatch *arity_mismatch(struct passes *p, const struct expr *x)
{
	struct infer *in = infer_of(p);
	const struct term *op = x->term->list.items[0];
	const struct builtin *b = builtin_of_ref(p, op);
	const struct type *f;
	struct mismatch *m;

	infer_rules_start(in, p->query ? p->c->root : NULL);
	in->work = UNIFY_MAX;
	in->bodies = BODIES_MAX;
	in->closures = true;
	f = b ? infer_builtin_type(in, b) : infer_ref_type(in, in->env, op);
	if (!f || f->kind != TY_FUNCTION)
		return NULL;
	m = infer_args_error(
		in, x, "arity mismatch", infer_arg_types(in, in->env, x), f);
	m->result = false;
	map_release(&in->relaxed);
	return m;
}
