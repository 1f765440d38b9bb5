/* infer: what does not fit, and where a ref can go. */
#include "rego/infer.h"

#include <string.h>

/* --- errors --- */

struct mismatch *infer_mismatch_new(struct infer *in, enum mismatch_kind kind,
	struct loc loc, const char *message)
{
	struct mismatch *m = ARENA_NEW(in->a, struct mismatch);

	m->kind = kind;
	m->loc = loc;
	m->message = message;
	return m;
}

void infer_errors_add(struct infer *in, struct errors *e, struct mismatch *m)
{
	e->items =
		arena_grow(in->a, e->items, e->len, &e->cap, sizeof(*e->items));
	e->items[e->len++] = m;
}

void infer_errors_append(
	struct infer *in, struct errors *e, const struct errors *more)
{
	for (uint32_t i = 0; i < more->len; i++)
		infer_errors_add(in, e, more->items[i]);
}

const struct type **infer_arg_types(
	struct infer *in, const struct layer *l, const struct expr *x)
{
	uint32_t n = expr_noperands(x);
	const struct type **types = ARENA_ARRAY(in->a, const struct type *, n);

	for (uint32_t i = 0; i < n; i++)
		types[i] = infer_type_of(in, l, expr_operand(x, i));
	return types;
}

struct mismatch *infer_args_error(struct infer *in, const struct expr *x,
	const char *what, const struct type **have, const struct type *want)
{
	struct mismatch *m = infer_mismatch_new(in, MM_ARGS, x->loc,
		arena_printf(in->a, "%s: %s",
			text_of(in->p, x->term->list.items[0]), what));

	m->items = have;
	m->len = expr_noperands(x);
	m->want = want;
	m->result = true;
	return m;
}

struct mismatch *infer_match_error(struct infer *in, struct loc loc,
	const struct type *left, const struct type *right)
{
	struct mismatch *m =
		infer_mismatch_new(in, MM_MATCH, loc, "match error");

	m->have = left;
	m->want = right;
	return m;
}

/* What was written, where passes have put variables in its place. */
static void show_subjects(struct infer *in, struct term *t)
{
	const struct term *subject =
		infer_is_key_var(t) ? t->var.var->subject : NULL;

	if (subject)
		*t = *term_copy(in->a, subject, (struct loc){0});
	for (uint32_t i = 0; i < term_len(t); i++)
		show_subjects(in, t->list.items[i]);
}

static struct mismatch *ref_error(
	struct infer *in, enum mismatch_kind kind, const struct term *ref)
{
	struct mismatch *m =
		infer_mismatch_new(in, kind, ref->list.items[0]->loc, NULL);

	m->ref = term_copy(in->a, ref, (struct loc){0});
	show_subjects(in, m->ref);
	m->message = arena_printf(
		in->a, "undefined ref: %s", text_of(in->p, m->ref));
	return m;
}

static struct mismatch *step_error(struct infer *in, const struct term *ref,
	uint32_t at, const struct type *have, const struct type *want)
{
	struct mismatch *m = ref_error(in, MM_REF, ref);

	m->at = at;
	m->have = have;
	m->want = want;
	return m;
}

/* Does a term read as if it named a variable of a pass: __local1__ */
static bool names_local(struct infer *in, const struct term *t)
{
	const char *at = strstr(text_of(in->p, t), "__local");

	if (!at)
		return false;
	at += strlen("__local");
	return strspn(at, "0123456789") &&
	       !strncmp(at + strspn(at, "0123456789"), "__", 2);
}

/* `have` has no members, and step `at` of the ref ends there. */
static struct mismatch *leaf_error(struct infer *in, const struct term *ref,
	uint32_t at, const struct type *have)
{
	struct mismatch *m = ref_error(in, MM_LEAF, ref);
	struct term shown = *m->ref;

	m->at = at;
	m->have = have;
	if (!have || have->kind != TY_FUNCTION)
		return m;
	if (names_local(in, shown.list.items[shown.list.len - 1]))
		shown.list.len--;
	m->message =
		arena_printf(in->a, "function %s used as reference, not called",
			text_of(in->p, &shown));
	return m;
}

static void add_keys(struct builder *b, const struct type *t)
{
	t = type_open(t);
	if (!t)
		return;
	for (uint32_t i = 0; i < t->len; i++)
		if (t->kind == TY_OBJECT)
			builder_add(b, t->keys[i]);
		else if (t->kind == TY_ANY)
			add_keys(b, t->items[i]);
}

/* The keys that a type has, or the nodes below one, in order. */
static struct value one_of(
	struct infer *in, const struct type *t, const struct node *n)
{
	struct builder b = builder_set(in->a);
	struct value set;

	add_keys(&b, t);
	for (uint32_t i = 0; n && i < n->nkids; i++)
		if (n->kids[i]->typed)
			builder_add(&b, n->kids[i]->key);
	set = builder_done(&b);
	if (!v_len(set) && !n)
		return v_undef;
	return v_arr(in->a, set.set->keys->items, v_len(set));
}

/* --- refs --- */

/* A variable as a step: of one of the types of keys, or it gets it. */
static bool step_var(
	struct infer *in, const struct var *v, const struct type *keys)
{
	const struct type *have = infer_var_type(in, v);

	if (have)
		return infer_unifies(in, have, keys);
	infer_var_put(in, v, keys);
	return true;
}

/* Step `i` of a ref into an empty collection. */
static struct mismatch *check_empty(struct infer *in, const struct term *ref,
	uint32_t i, const struct type *t)
{
	const struct term *step = ref->list.items[i];
	const struct type *keys, *have;

	if (step->kind == T_SCALAR)
		return step_error(in, ref, i, NULL, NULL);
	if (!infer_is_key_var(step))
		return NULL;
	have = infer_var_type(in, step->var.var);
	keys = type_keys(in->a, t);
	if (!have)
		infer_var_put(in, step->var.var, &type_any);
	else if (keys && !infer_unifies(in, have, keys))
		return step_error(in, ref, i, have, keys);
	return NULL;
}

/* A step that is no constant. */
static struct mismatch *check_step(struct infer *in, const struct layer *l,
	const struct term *ref, uint32_t i, const struct type *t,
	const struct type *keys)
{
	const struct term *step = ref->list.items[i];
	struct mismatch *m;

	if (infer_is_key_var(step)) {
		const struct type *have = infer_var_type(in, step->var.var);

		if (step_var(in, step->var.var, keys))
			return NULL;
		m = step_error(in, ref, i, have, keys);
		m->one_of = one_of(in, t, NULL);
		return m;
	}
	if (step->kind != T_ARRAY && step->kind != T_OBJECT &&
		step->kind != T_SET) {
		const struct type *have = infer_type_of(in, l, step);

		if (!have || infer_unifies(in, have, keys))
			return NULL;
		m = step_error(in, ref, i, have, keys);
		m->one_of = one_of(in, t, NULL);
		return m;
	}
	if (infer_unify(in, l, step, keys, false))
		return NULL;
	return step_error(in, ref, i, infer_type_of(in, l, step), keys);
}

/* Steps from `i` on, below something of type `t`. */
static struct mismatch *check_below(struct infer *in, const struct layer *l,
	const struct term *ref, uint32_t i, const struct type *t)
{
	for (; i < ref->list.len; i++) {
		const struct term *step = ref->list.items[i];
		const struct type *keys;
		struct mismatch *m;

		if (type_is_empty(t))
			return check_empty(in, ref, i, t);
		keys = type_keys(in->a, t);
		if (!keys)
			return leaf_error(in, ref, i - 1, t);
		if (step->kind == T_SCALAR) {
			const struct type *at =
				type_select(in->a, t, step->val);

			if (!at) {
				m = step_error(in, ref, i, NULL, keys);
				m->one_of = one_of(in, t, NULL);
				return m;
			}
			t = at;
			continue;
		}
		m = check_step(in, l, ref, i, t, keys);
		if (m)
			return m;
		t = type_values(in->a, t);
	}
	return NULL;
}

/*
 * Below one root, as far as the layer knows. Packages and the names of their
 * rules are strings. *done: the answer is final.
 */
static struct mismatch *check_tree(struct infer *in, const struct layer *l,
	struct node *n, const struct term *ref, bool *done)
{
	*done = true;
	for (uint32_t i = 1;; i++) {
		const struct term *step;
		struct mismatch *m;

		if (n->type)
			return check_below(in, l, ref, i, n->type);
		if (i == ref->list.len)
			return NULL;
		step = ref->list.items[i];
		if (i < 3 && !infer_is_key_var(step) &&
			!(step->kind == T_SCALAR && step->val.tag == V_STR)) {
			m = step_error(in, ref, i, infer_type_of(in, l, step),
				&type_string);
			m->one_of = one_of(in, NULL, n);
			return m;
		}
		if (infer_is_key_var(step)) {
			const struct type *have =
				infer_var_type(in, step->var.var);
			const struct type *keys =
				type_keys(in->a, infer_extent(in, n));

			if (!step_var(in, step->var.var, keys)) {
				m = step_error(in, ref, i, have, keys);
				m->one_of = one_of(in, NULL, n);
				return m;
			}
		}
		n = infer_kid_at(n, step);
		if (!n) {
			*done = false;
			return NULL;
		}
	}
}

static struct mismatch *check_ref(
	struct infer *in, const struct layer *l, const struct term *ref)
{
	enum root root = infer_root_of(in->p, ref);
	const struct term *head = ref->list.items[0];
	const struct type *t;

	if (root == NO_ROOT && head->kind == T_VAR && head->var.var) {
		t = infer_var_type(in, head->var.var);
		if (!t)
			infer_var_put(in, head->var.var, &type_any);
		return check_below(in, l, ref, 1, t ? t : &type_any);
	}
	if (root == NO_ROOT && head->kind == T_VAR) /* a builtin, by its name */
		return NULL;
	if (root == NO_ROOT) /* some k, v in null */
		return check_below(in, l, ref, 1, &type_any);
	for (const struct layer *at = l; at; at = at->up) {
		struct node *n = infer_layer_root(at, root);
		struct mismatch *m;
		bool done;

		if (!n)
			continue;
		m = check_tree(in, l, n, ref, &done);
		if (done)
			return m;
	}
	return check_below(in, l, ref, 1, &type_any);
}

static void refs_in_term(struct infer *in, const struct layer *l,
	const struct term *t, struct errors *e);

static void refs_in_list(struct infer *in, const struct layer *l,
	const struct term *t, uint32_t from, struct errors *e)
{
	for (uint32_t i = from; i < t->list.len; i++)
		if (t->list.items[i]->kind > T_VAR)
			refs_in_term(in, l, t->list.items[i], e);
}

static void refs_in_term(struct infer *in, const struct layer *l,
	const struct term *t, struct errors *e)
{
	const struct type *whole;
	struct mismatch *m;

	switch (t->kind) {
	case T_REF:
		whole = infer_ref_type(in, l, t);
		if (whole && whole->kind == TY_FUNCTION) {
			infer_errors_add(in, e,
				leaf_error(in, t, t->list.len - 1, whole));
			return;
		}
		m = check_ref(in, l, t);
		if (m)
			infer_errors_add(in, e, m);
		refs_in_list(in, l, t, 1, e);
		break;
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
	case T_CALL:
		refs_in_list(in, l, t, 0, e);
		break;
	default: /* comprehensions are looked at by themselves */
		break;
	}
}

static void refs_in_body(struct infer *in, const struct layer *l,
	const struct body *b, struct errors *e);

/* Values of `with` have statements of their own, mostly. */
void infer_refs_in_expr(struct infer *in, const struct layer *l,
	const struct expr *x, struct errors *e)
{
	switch (x->kind) {
	case X_TERM:
		if (expr_is_call(x))
			refs_in_list(in, l, x->term, 1, e);
		else
			refs_in_term(in, l, x->term, e);
		return;
	case X_NOT:
		refs_in_body(in, l, x->body, e);
		return;
	case X_EVERY:
		refs_in_term(in, l, x->every.domain, e);
		refs_in_body(in, l, x->every.body, e);
		break;
	case X_AND:
	case X_OR:
		refs_in_body(in, l, x->pair.left, e);
		refs_in_body(in, l, x->pair.right, e);
		break;
	default:
		break;
	}
	for (uint32_t i = 0; i < x->nwiths; i++) {
		refs_in_term(in, l, x->withs[i].target, e);
		refs_in_term(in, l, x->withs[i].value, e);
	}
}

static void refs_in_body(struct infer *in, const struct layer *l,
	const struct body *b, struct errors *e)
{
	for (uint32_t i = 0; i < b->len; i++)
		infer_refs_in_expr(in, l, b->items[i], e);
}
