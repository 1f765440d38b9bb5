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
 *	         first; the last layer is the tree of rules
 *
 * The type of a comprehension is asked for several times, in OPA as well, and
 * each time it looks at the comprehensions inside several times. It is kept
 * until a variable gets a type.
 */
#include "rego/mismatch.h"
#include "rego/passes.h"

#include "base/map.h"

#include <string.h>

/*
 * Bounds on the work for one rule. Past them comprehensions are `any` and all
 * types fit: a policy is never refused because it is big.
 */
enum { BODIES_MAX = 20000, UNIFY_MAX = 10000000 };

struct layer {
	struct node *data, *input; /* NULL: not replaced */
	const struct layer *up;
};

/* A variable's type before a put, for taking it back. */
struct put {
	uint32_t id;
	const struct type *old;
	uint64_t state;
};

struct errors {
	struct mismatch **items;
	uint32_t len, cap;
};

/* What is known of a comprehension while variables and layers are these. */
struct typed {
	uint64_t state;
	const struct layer *layer;
	const struct type *key, *head;
	struct errors errors;
};

struct infer {
	struct passes *p;
	struct arena *a;
	const struct type **vars;
	uint32_t capvars;
	struct put *puts;
	uint32_t nputs, capputs;
	uint64_t state, nstates; /* which puts are in force */
	uint32_t work, bodies;   /* left for this rule */
	bool closures;           /* the rule has comprehensions */
	struct layer rules;
	const struct type **builtins; /* by number */
	const struct builtin *member_2, *member_3;
	struct map relaxed;  /* by target: struct node; the root for none */
	struct reach *reach; /* made on first use */
};

static struct infer *infer_of(struct passes *p)
{
	struct infer *in = p->infer;

	if (in)
		return in;
	in = ARENA_NEW(p->a, struct infer);
	in->p = p;
	in->a = p->a;
	in->builtins = ARENA_ARRAY(p->a, const struct type *, builtin_count());
	in->member_2 = builtin_find(str_from("internal.member_2"));
	in->member_3 = builtin_find(str_from("internal.member_3"));
	p->infer = in;
	return in;
}

static const struct type *builtin_type(
	struct infer *in, const struct builtin *b)
{
	const struct type **at = &in->builtins[builtin_index(b)];
	const char *text = *at ? NULL : builtin_declared(b);

	if (text)
		*at = type_declared(in->a, text);
	return *at;
}

/* --- variables -------------------------------------------------------- */

/* A variable named like a builtin is one, as long as nothing types it. */
static const struct type *var_type(struct infer *in, const struct var *v)
{
	const struct type *t = v->id < in->capvars ? in->vars[v->id] : NULL;
	const struct builtin *b;

	if (t || v->declared || v->generated || v->wildcard)
		return t;
	b = name_of(in->p, v->name)->bi;
	return b ? builtin_type(in, b) : NULL;
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

static void var_put(struct infer *in, const struct var *v, const struct type *t)
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

/* --- the tree of documents ---------------------------------------------- */

/* A constant as Go's JSON of it: sets are arrays. */
static struct value const_value(struct infer *in, const struct term *t)
{
	uint32_t n = t->list.len;
	struct value *items, *keys;

	if (t->kind == T_SCALAR)
		return t->val;
	items = ARENA_ARRAY(in->a, struct value, n);
	if (t->kind != T_OBJECT) {
		for (uint32_t i = 0; i < n; i++)
			items[i] = const_value(in, t->list.items[i]);
		return v_arr(in->a, items, n);
	}
	keys = ARENA_ARRAY(in->a, struct value, n);
	for (uint32_t i = 0; i < n / 2; i++) {
		keys[i] = const_value(in, t->list.items[2 * i]);
		items[i] = const_value(in, t->list.items[2 * i + 1]);
	}
	return v_obj(in->a, keys, items, n / 2);
}

/* The node of documents with types below `n` at a constant, or NULL. */
static struct node *kid_at(const struct node *n, const struct term *t)
{
	struct node *kid = t->kind == T_SCALAR ? node_child(n, t->val) : NULL;

	return kid && kid->typed ? kid : NULL;
}

/*
 * All that is at and below a node: an object with the rules there, and with
 * what base documents may add.
 */
static const struct type *extent(struct infer *in, struct node *n)
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
		items[len++] = extent(in, n->kids[i]);
	}
	n->extent = type_object_open(
		in->a, keys, items, len, &type_string, &type_any);
	return n->extent;
}

/* Something changed at `n`. */
static void node_touch(struct node *n)
{
	for (; n; n = n->parent) {
		n->typed = true;
		n->extent = NULL;
	}
}

static void node_put(struct node *n, const struct type *t)
{
	n->type = t;
	node_touch(n);
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

		if (!kid->typed || at->type->kind != TY_OBJECT)
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
static void node_insert(struct infer *in, struct node *n, const struct type *t)
{
	for (struct node *up = n->parent; up; up = up->parent) {
		struct value *path;
		uint32_t len;

		if (!up->type || up->type->kind != TY_OBJECT)
			continue;
		path = keys_between(in, up, n, &len);
		up->type = type_insert(in->a, up->type, path, len, t);
	}
	n->type = type_merge(in->a, n->type, t);
	if (t->kind == TY_OBJECT)
		insert_kids(in, n, n);
	node_touch(n);
}

/* --- types of terms ------------------------------------------------------ */

static const struct type *type_of(
	struct infer *in, const struct layer *l, const struct term *t);

static bool is_key_var(const struct term *t)
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
		kid = kid_at(n, step);
		if (!kid && n->type)
			break;
		if (!kid)
			return false;
		n = kid;
	}
	*t = select_ref(in, extent(in, n), ref, i);
	return true;
}

enum root { NO_ROOT, DATA, INPUT };

static enum root root_of(const struct passes *p, const struct term *ref)
{
	const struct term *head = ref->kind == T_REF ? ref->list.items[0] : ref;

	if (head->kind != T_VAR || head->var.var)
		return NO_ROOT;
	if (head->var.name == p->data->str)
		return DATA;
	return head->var.name == p->input->str ? INPUT : NO_ROOT;
}

static struct node *layer_root(const struct layer *l, enum root root)
{
	struct node *n = root == DATA ? l->data : l->input;

	return n && n->typed ? n : NULL;
}

static const struct type *ref_type(
	struct infer *in, const struct layer *l, const struct term *ref)
{
	enum root root = root_of(in->p, ref);
	const struct term *head = ref->list.items[0];
	const struct builtin *b;
	const struct type *t = NULL;

	if (root == NO_ROOT && head->kind == T_VAR && head->var.var)
		return select_ref(in, var_type(in, head->var.var), ref, 1);
	if (root == NO_ROOT) {
		b = builtin_of_ref(in->p, ref);
		return b ? builtin_type(in, b) : NULL;
	}
	for (; l; l = l->up) {
		struct node *n = layer_root(l, root);

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
		items[i] = type_of(in, l, t->list.items[i]);
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
		keys[n] = const_value(in, pair[0]);
		items[n++] = type_of(in, l, pair[1]);
	}
	if (!open)
		return type_object(in->a, keys, items, n);
	pair = &t->list.items[2 * (open - 1)];
	return type_object_open(in->a, keys, items, n, type_of(in, l, pair[0]),
		type_of(in, l, pair[1]));
}

static const struct type *set_type(
	struct infer *in, const struct layer *l, const struct term *t)
{
	const struct type **items =
		ARENA_ARRAY(in->a, const struct type *, t->list.len);

	for (uint32_t i = 0; i < t->list.len; i++)
		items[i] = type_of(in, l, t->list.items[i]);
	return type_set(in->a, type_or_all(in->a, items, t->list.len));
}

static const struct typed *comp_typed(
	struct infer *in, const struct layer *l, struct comp *c);

static const struct type *comp_type(
	struct infer *in, const struct layer *l, const struct term *t)
{
	const struct typed *c = comp_typed(in, l, t->comp);

	if (c->errors.len)
		return NULL;
	if (t->kind == T_ARRAY_COMP)
		return type_array(in->a, NULL, 0, c->head);
	if (t->kind == T_SET_COMP)
		return type_set(in->a, c->head);
	return type_object_open(in->a, NULL, NULL, 0, c->key, c->head);
}

static const struct type *type_of(
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
			return var_type(in, t->var.var);
		return ref_type(in, l, &ref);
	case T_REF:
		return ref_type(in, l, t);
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

/* --- unifying ------------------------------------------------------------- */

static bool unifies(
	struct infer *in, const struct type *x, const struct type *y)
{
	return type_unifies(x, y, &in->work);
}

/*
 * Does `t` fit a type? Variables that have none get it; under `sum` they may
 * be of this type too, as one of several.
 */
static bool unify(struct infer *in, const struct layer *l, const struct term *t,
	const struct type *to, bool sum);

static bool unify_array(struct infer *in, const struct layer *l,
	const struct term *t, const struct type *to, bool sum)
{
	if (t->list.len != to->len && !to->rest)
		return false;
	for (uint32_t i = 0; i < t->list.len; i++)
		if (!unify(in, l, t->list.items[i],
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
			unify(in, l, val, &type_any, sum);
			continue;
		}
		at = type_select(in->a, to, const_value(in, key));
		if (!at || !unify(in, l, val, at, sum))
			return false;
	}
	return true;
}

static bool unify_set(struct infer *in, const struct layer *l,
	const struct term *t, const struct type *to, bool sum)
{
	for (uint32_t i = 0; i < t->list.len; i++)
		if (!unify(in, l, t->list.items[i], to->rest, sum))
			return false;
	return true;
}

static bool unify_any(struct infer *in, const struct layer *l,
	const struct term *t, const struct type *to)
{
	bool fits = false;

	if (!to->len) {
		for (uint32_t i = 0; i < t->list.len; i++)
			unify(in, l, t->list.items[i], &type_any, true);
		return true;
	}
	for (uint32_t i = 0; i < to->len; i++)
		fits |= unify(in, l, t, to->items[i], true);
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
	if (t->kind == T_ARRAY)
		return to->kind == TY_ARRAY && unify_array(in, l, t, to, sum);
	if (t->kind == T_OBJECT)
		return to->kind == TY_OBJECT && unify_object(in, l, t, to, sum);
	return to->kind == TY_SET && unify_set(in, l, t, to, sum);
}

static bool unify_var(
	struct infer *in, const struct var *v, const struct type *to, bool sum)
{
	const struct type *have = var_type(in, v);

	if (sum) {
		to = type_or(in->a, have, to);
		if (to != have)
			var_put(in, v, to);
		return true;
	}
	if (have)
		return unifies(in, have, to);
	var_put(in, v, to);
	return true;
}

static bool unify(struct infer *in, const struct layer *l, const struct term *t,
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
		return unifies(in, type_of(in, l, t), to);
	default:
		return unifies(in, type_of(in, l, t), to);
	}
}

/* Both sides of `=`, and the types they have before. */
struct side {
	const struct term *term;
	const struct type *type;
};

static bool unify_sides(
	struct infer *in, const struct layer *l, struct side x, struct side y);

static struct side side_of(
	struct infer *in, const struct layer *l, const struct term *t)
{
	return (struct side){t, type_of(in, l, t)};
}

static bool unify_items(struct infer *in, const struct layer *l,
	const struct term *x, const struct term *y)
{
	if (x->list.len != y->list.len)
		return false;
	for (uint32_t i = 0; i < x->list.len; i++)
		if (!unify_sides(in, l, side_of(in, l, x->list.items[i]),
			    side_of(in, l, y->list.items[i])))
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
		if (!unify_sides(in, l, side_of(in, l, x->list.items[i]),
			    side_of(in, l, y->list.items[i])))
			return false;
	return true;
}

/* A variable takes what is known of the other side, the rest is `any`. */
static bool unify_var_with(struct infer *in, const struct layer *l,
	const struct term *var, const struct term *t)
{
	return unify(in, l, t, &type_any, false) &&
	       unify(in, l, var, type_of(in, l, t), false);
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
		return unify(in, l, x.term, &type_any, false);
	if (a == T_REF && b == T_VAR)
		return unify(in, l, y.term, &type_any, false);
	if (a == T_VAR && !x.type && y.type)
		return unify(in, l, x.term, y.type, false);
	if (b == T_VAR && !y.type && x.type)
		return unify(in, l, y.term, x.type, false);
	return false;
}

static bool unify_sides(
	struct infer *in, const struct layer *l, struct side x, struct side y)
{
	bool nx = type_unknown(x.type), ny = type_unknown(y.type);

	if (nx && !ny)
		return unify(in, l, x.term, y.type, false);
	if (ny && !nx)
		return unify(in, l, y.term, x.type, false);
	if (!nx)
		return unifies(in, x.type, y.type);
	return unify_unknown(in, l, x, y);
}

/* --- errors -----------------------------------------------------------------
 */

static struct mismatch *mismatch_new(struct infer *in, enum mismatch_kind kind,
	struct loc loc, const char *message)
{
	struct mismatch *m = ARENA_NEW(in->a, struct mismatch);

	m->kind = kind;
	m->loc = loc;
	m->message = message;
	return m;
}

static void errors_add(struct infer *in, struct errors *e, struct mismatch *m)
{
	e->items =
		arena_grow(in->a, e->items, e->len, &e->cap, sizeof(*e->items));
	e->items[e->len++] = m;
}

static void errors_append(
	struct infer *in, struct errors *e, const struct errors *more)
{
	for (uint32_t i = 0; i < more->len; i++)
		errors_add(in, e, more->items[i]);
}

static const struct type **arg_types(
	struct infer *in, const struct layer *l, const struct expr *x)
{
	uint32_t n = expr_noperands(x);
	const struct type **types = ARENA_ARRAY(in->a, const struct type *, n);

	for (uint32_t i = 0; i < n; i++)
		types[i] = type_of(in, l, expr_operand(x, i));
	return types;
}

static struct mismatch *args_error(struct infer *in, const struct expr *x,
	const char *what, const struct type **have, const struct type *want)
{
	struct mismatch *m = mismatch_new(in, MM_ARGS, x->loc,
		arena_printf(in->a, "%s: %s",
			text_of(in->p, x->term->list.items[0]), what));

	m->items = have;
	m->len = expr_noperands(x);
	m->want = want;
	m->result = true;
	return m;
}

static struct mismatch *match_error(struct infer *in, struct loc loc,
	const struct type *left, const struct type *right)
{
	struct mismatch *m = mismatch_new(in, MM_MATCH, loc, "match error");

	m->have = left;
	m->want = right;
	return m;
}

/* What was written, where passes have put variables in its place. */
static void show_subjects(struct infer *in, struct term *t)
{
	const struct term *subject = is_key_var(t) ? t->var.var->subject : NULL;

	if (subject)
		*t = *term_copy(in->a, subject, (struct loc){0});
	switch (t->kind) {
	case T_REF:
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
	case T_CALL:
		for (uint32_t i = 0; i < t->list.len; i++)
			show_subjects(in, t->list.items[i]);
		break;
	default:
		break;
	}
}

static struct mismatch *ref_error(
	struct infer *in, enum mismatch_kind kind, const struct term *ref)
{
	struct mismatch *m =
		mismatch_new(in, kind, ref->list.items[0]->loc, NULL);

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

/* --- refs --------------------------------------------------------------------
 */

/* A variable as a step: of one of the types of keys, or it gets it. */
static bool step_var(
	struct infer *in, const struct var *v, const struct type *keys)
{
	const struct type *have = var_type(in, v);

	if (have)
		return unifies(in, have, keys);
	var_put(in, v, keys);
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
	if (!is_key_var(step))
		return NULL;
	have = var_type(in, step->var.var);
	keys = type_keys(in->a, t);
	if (!have)
		var_put(in, step->var.var, &type_any);
	else if (keys && !unifies(in, have, keys))
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

	if (is_key_var(step)) {
		const struct type *have = var_type(in, step->var.var);

		if (step_var(in, step->var.var, keys))
			return NULL;
		m = step_error(in, ref, i, have, keys);
		m->one_of = one_of(in, t, NULL);
		return m;
	}
	if (step->kind != T_ARRAY && step->kind != T_OBJECT &&
		step->kind != T_SET) {
		const struct type *have = type_of(in, l, step);

		if (!have || unifies(in, have, keys))
			return NULL;
		m = step_error(in, ref, i, have, keys);
		m->one_of = one_of(in, t, NULL);
		return m;
	}
	if (unify(in, l, step, keys, false))
		return NULL;
	return step_error(in, ref, i, type_of(in, l, step), keys);
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
		if (i < 3 && !is_key_var(step) &&
			!(step->kind == T_SCALAR && step->val.tag == V_STR)) {
			m = step_error(
				in, ref, i, type_of(in, l, step), &type_string);
			m->one_of = one_of(in, NULL, n);
			return m;
		}
		if (is_key_var(step)) {
			const struct type *have = var_type(in, step->var.var);
			const struct type *keys =
				type_keys(in->a, extent(in, n));

			if (!step_var(in, step->var.var, keys)) {
				m = step_error(in, ref, i, have, keys);
				m->one_of = one_of(in, NULL, n);
				return m;
			}
		}
		n = kid_at(n, step);
		if (!n) {
			*done = false;
			return NULL;
		}
	}
}

static struct mismatch *check_ref(
	struct infer *in, const struct layer *l, const struct term *ref)
{
	enum root root = root_of(in->p, ref);
	const struct term *head = ref->list.items[0];
	const struct type *t;

	if (root == NO_ROOT && head->kind == T_VAR && head->var.var) {
		t = var_type(in, head->var.var);
		if (!t)
			var_put(in, head->var.var, &type_any);
		return check_below(in, l, ref, 1, t ? t : &type_any);
	}
	if (root == NO_ROOT) /* a builtin, by its name */
		return NULL;
	for (const struct layer *at = l; at; at = at->up) {
		struct node *n = layer_root(at, root);
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
		whole = ref_type(in, l, t);
		if (whole && whole->kind == TY_FUNCTION) {
			errors_add(in, e,
				leaf_error(in, t, t->list.len - 1, whole));
			return;
		}
		m = check_ref(in, l, t);
		if (m)
			errors_add(in, e, m);
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
static void refs_in_expr(struct infer *in, const struct layer *l,
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
		refs_in_expr(in, l, b->items[i], e);
}

/* --- with
 * ----------------------------------------------------------------------
 */

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
		node_put(layer_node(in->a, root, n), &type_any);
	}
	return root;
}

static struct node *relaxed(
	struct infer *in, const struct term *target, bool is_func)
{
	struct map *known = &in->relaxed;
	struct str key;
	struct node **at, *none = in->p->c->root;

	if (root_of(in->p, target) != DATA)
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
	value = type_of(in, l, w->value);
	if (value)
		either = type_or(in->a, old, value);
	return either ? either : &type_any;
}

static void layer_put(struct infer *in, struct layer *l,
	const struct term *target, const struct type *t)
{
	struct node **root =
		root_of(in->p, target) == DATA ? &l->data : &l->input;
	struct node *n;

	if (!*root)
		*root = root_new(in->a);
	n = *root;
	for (uint32_t i = 1; i < target->list.len; i++) {
		if (!term_is_constant(target->list.items[i]))
			break;
		n = node_under(
			in->a, n, const_value(in, target->list.items[i]));
	}
	node_put(n, t);
}

static const struct layer *with_layers(
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
		old = ref_type(in, l, w->target);
		is_func = old && old->kind == TY_FUNCTION;
		relief = relaxed(in, w->target, is_func);
		if (relief) {
			struct layer *add = ARENA_NEW(in->a, struct layer);

			*add = (struct layer){.data = relief, .up = top};
			top = add;
		}
		if (is_func || root_of(in->p, w->target) == NO_ROOT)
			continue;
		if (!own)
			own = ARENA_NEW(in->a, struct layer);
		layer_put(in, own, w->target, replaced_type(in, l, w, old));
	}
	if (!own)
		return top;
	own->up = top;
	return own;
}

/* A function can be replaced by one that takes the same. */
static struct mismatch *check_withs(
	struct infer *in, const struct layer *l, const struct expr *x)
{
	for (uint32_t i = 0; i < x->nwiths; i++) {
		const struct with *w = &x->withs[i];
		const struct type *old = type_of(in, l, w->target), *new;
		struct mismatch *m;

		if (!old || old->kind != TY_FUNCTION)
			continue;
		new = type_of(in, l, w->value);
		if (!new || new->kind != TY_FUNCTION || unifies(in, old, new))
			continue;
		m = mismatch_new(in, MM_ARGS, w->loc,
			arena_printf(in->a, "%s: arity mismatch",
				text_of(in->p, w->target)));
		m->items = new->items;
		m->len = new->len;
		m->want = old;
		return m;
	}
	return NULL;
}

/* --- statements
 * ------------------------------------------------------------------ */

/* A list of two any: what `=` takes. */
static const struct type *eq_type(struct infer *in)
{
	return builtin_type(in, name_of(in->p, in->p->eq)->bi);
}

static struct mismatch *check_eq(
	struct infer *in, const struct layer *l, const struct expr *x)
{
	uint32_t n = expr_noperands(x);
	struct side a, b;
	struct mismatch *m;

	if (n != 2) {
		m = args_error(in, x,
			n < 2 ? "too few arguments" : "too many arguments",
			arg_types(in, l, x), eq_type(in));
		m->result = false;
		return m;
	}
	a = side_of(in, l, expr_operand(x, 0));
	b = side_of(in, l, expr_operand(x, 1));
	if (unify_sides(in, l, a, b))
		return NULL;
	return match_error(in, x->loc, a.type, b.type);
}

static struct mismatch *check_member(struct infer *in, const struct layer *l,
	const struct expr *x, const struct term *t, const struct type *of)
{
	const struct type *have;

	if (type_unknown(of))
		return NULL;
	have = type_of(in, l, t);
	if ((type_unknown(have) || unifies(in, have, of)) &&
		unify(in, l, t, of, false))
		return NULL;
	return match_error(in, x->loc, have, of);
}

/* `x in xs`, `k, x in xs` */
static struct mismatch *check_in(struct infer *in, const struct layer *l,
	const struct expr *x, uint32_t arity)
{
	const struct type *coll, *values;
	struct mismatch *m = NULL;

	if (expr_noperands(x) < arity)
		return NULL;
	coll = type_of(in, l, expr_operand(x, arity - 1));
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
		return args_error(
			in, x, "too many arguments", arg_types(in, l, x), f);
	if (n < f->len)
		return args_error(
			in, x, "too few arguments", arg_types(in, l, x), f);
	have = arg_types(in, l, x);
	for (uint32_t i = 0; i < n; i++) {
		const struct type *want = i < f->len ? f->items[i]
					  : i < max  ? f->rest
						     : f->more;

		if (!type_unknown(have[i]) && !unifies(in, have[i], want))
			return args_error(
				in, x, "invalid argument(s)", have, f);
		if (!unify(in, l, expr_operand(x, i), want, false))
			return args_error(in, x, "invalid argument(s)",
				arg_types(in, l, x), f);
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
	f = b ? builtin_type(in, b) : ref_type(in, l, op);
	if (type_is_any(f))
		return NULL;
	if (f && f->kind == TY_FUNCTION)
		return check_args(in, l, x, f);
	return mismatch_new(in, MM_PLAIN, x->loc,
		arena_printf(
			in->a, "undefined function %s", text_of(in->p, op)));
}

static struct mismatch *check_expr(
	struct infer *in, const struct layer *l, const struct expr *x)
{
	struct mismatch *m = check_withs(in, l, x);

	return m || !expr_is_call(x) ? m : check_call(in, l, x);
}

/* --- bodies
 * --------------------------------------------------------------------
 */

static void check_body(struct infer *in, const struct layer *l,
	const struct body *b, struct errors *e);

/* Typed anew unless a look at it in the same environment is kept. */
static const struct typed *comp_typed(
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
		t->key = c->key ? type_of(in, l, c->key) : NULL;
		t->head = type_of(in, l, c->head);
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

	if (t->kind != T_ARRAY_COMP && t->kind != T_SET_COMP &&
		t->kind != T_OBJECT_COMP)
		return false;
	typed = comp_typed(c->in, c->layer, t->comp);
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
	       is_key_var(output) && output->var.var->generated;
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
		l = with_layers(in, l, x);
	errors_append(in, e, check_closures(in, l, x));
	refs_in_expr(in, l, x, e);
	m = check_expr(in, l, x);
	if (m && m->kind == MM_ARGS && is_capture(in, x))
		return;
	if (m && (e->len == before || !mismatch_unknown(m)))
		errors_add(in, e, m);
}

static void check_body(struct infer *in, const struct layer *l,
	const struct body *b, struct errors *e)
{
	for (uint32_t i = 0; i < b->len; i++)
		check_stmt(in, l, b->items[i], e);
}

/* --- rules
 * -----------------------------------------------------------------------
 */

/* Arguments that no statement uses are `any`. */
static bool free_is_any(struct visit *v, struct term *t)
{
	struct infer *in = v->ctx;

	if (is_key_var(t) && !var_type(in, t->var.var))
		var_put(in, t->var.var, &type_any);
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
		args[i] = type_of(in, &in->rules, h->args[i]);
	return type_function(in->a, args, h->nargs,
		value ? type_of(in, &in->rules, value) : NULL);
}

/* What stands at the ground part of a head: objects for steps behind it. */
static const struct type *document_type(
	struct infer *in, const struct head *h, const struct head *own)
{
	const struct type *t, *key;
	uint32_t ground = head_ground_len(h);
	bool set = h->key && !h->value;

	t = type_of(in, &in->rules, set ? h->key : own->value);
	if (t && set)
		t = type_set(in->a, t);
	for (uint32_t i = h->ref->list.len; t && i-- > ground;) {
		key = type_of(in, &in->rules, h->ref->list.items[i]);
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
	uint32_t before = e->len;

	while (top->prev_else)
		top = top->prev_else;
	infer_start(in, o->branch);
	check_body(in, &in->rules, o->branch->body, e);
	if (e->len > before) {
		/* Who uses the rule is not to blame. */
		if (head_ground_len(&top->head) == top->head.ref->list.len)
			node_put(o->node, &type_any);
		else
			node_touch(o->node);
	} else {
		t = top->head.nargs
			    ? function_type(
				      in, &top->head, o->branch->head.value)
			    : document_type(in, &top->head, &o->branch->head);
	}
	if (t)
		node_insert(in, o->node, t);
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

	in->rules = (struct layer){.data = c->root};
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

	in->rules = (struct layer){.data = p->c->root};
	infer_start(in, q);
	check_body(in, &in->rules, q->body, &e);
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

	in->rules = (struct layer){.data = p->query ? p->c->root : NULL};
	in->work = UNIFY_MAX;
	in->bodies = BODIES_MAX;
	in->closures = true;
	f = b ? builtin_type(in, b) : ref_type(in, &in->rules, op);
	if (!f || f->kind != TY_FUNCTION)
		return NULL;
	m = args_error(
		in, x, "arity mismatch", arg_types(in, &in->rules, x), f);
	m->result = false;
	map_release(&in->relaxed);
	return m;
}
