/*
 * lower: from what was written to what can be planned.
 *
 * Before the safety check: templates and print become calls that take sets (so
 * that undefined parts do not fail the statement), nested calls and the heads
 * of comprehensions move into statements of their own. After it: `==` becomes
 * `=`, refs and comprehensions leave composites and arguments. The split is
 * OPA's, and seen by users: it decides which variables are unsafe, and in what
 * order a body is evaluated.
 *
 * Table tests: a rule test_x[case] gets a call internal.test_case([case]) at
 * the earliest place where the case is known, so that cases that fail later in
 * the body are counted too (v1/tester/runner.go, injectTestCaseFunc).
 */
#include "rego/passes.h"

#include <string.h>

/* --- table tests -------------------------------------------------------- */

static bool is_test_name(const struct string *s)
{
	return strncmp(s->bytes, "test_", 5) == 0 ||
	       strncmp(s->bytes, "todo_test_", 10) == 0;
}

/* Items of the head up to the name of the test; 0 when there is none. */
static uint32_t test_name_len(const struct head *h)
{
	uint32_t ground = head_ground_len(h);

	for (uint32_t i = 0; i < ground; i++) {
		const struct term *t = h->ref->list.items[i];
		const struct string *s = i == 0                ? t->var.name
					 : t->val.tag == V_STR ? t->val.str
							       : NULL;

		if (s && is_test_name(s))
			return strncmp(s->bytes, "test_", 5) == 0 ? i + 1 : 0;
	}
	return 0;
}

static bool is_test_case_call(struct passes *p, const struct expr *x)
{
	const struct term *op;

	if (!expr_is_call(x))
		return false;
	op = x->term->list.items[0];
	return op->kind == T_REF && op->list.len == 2 &&
	       op->list.items[0]->kind == T_VAR &&
	       op->list.items[0]->var.name == p->internal &&
	       op->list.items[1]->kind == T_SCALAR &&
	       op->list.items[1]->val.tag == V_STR &&
	       op->list.items[1]->val.str == p->test_case;
}

static bool find_test_case(struct visit *v, struct expr *x)
{
	bool *found = v->ctx;

	*found |= is_test_case_call(v->p, x);
	return *found;
}

static bool expr_mentions(
	struct passes *p, const struct expr *x, const struct var *v)
{
	struct vlist l = {0};

	vlist_start(p, &l);
	expr_vars(p, &l, x, 0);
	for (uint32_t i = 0; i < l.len; i++)
		if (l.items[i] == v)
			return true;
	return false;
}

static uint32_t first_mention(
	struct passes *p, const struct body *b, uint32_t n, const struct var *v)
{
	for (uint32_t i = 0; i < n; i++)
		if (expr_mentions(p, b->items[i], v))
			return i;
	return UINT32_MAX;
}

void body_move_up(struct body *b, uint32_t from, uint32_t to)
{
	struct expr *x = b->items[from];

	memmove(b->items + to + 1, b->items + to,
		(from - to) * sizeof(*b->items));
	b->items[to] = x;
}

/* The statement that binds a step of the head goes up as far as it can. */
static void raise_capture(
	struct passes *p, struct body *b, const struct term *step)
{
	for (uint32_t i = b->len; i-- > 0;) {
		struct expr *x = b->items[i];
		struct vlist l = {0};
		uint32_t to = 0;

		if (!x->generated || !expr_is_op(x, p->eq) ||
			expr_operand(x, 0)->kind != T_VAR ||
			expr_operand(x, 0)->var.var != step->var.var)
			continue;
		vlist_start(p, &l);
		term_vars(p, &l, expr_operand(x, 1), 0);
		for (uint32_t k = 0; k < l.len; k++) {
			uint32_t at;

			if (!l.items[k]->declared && !l.items[k]->generated)
				continue;
			at = first_mention(p, b, i, l.items[k]);
			if (at != UINT32_MAX && at + 1 > to)
				to = at + 1;
		}
		if (to < i)
			body_move_up(b, i, to);
		return;
	}
}

static void inject_test_case(struct passes *p, struct rule *r)
{
	struct head *h = &r->head;
	uint32_t used = test_name_len(h), at = 0;
	bool found = false;
	struct visit v = {.p = p, .expr = find_test_case, .ctx = &found};
	struct term *arr, *op;
	const struct string *names[2] = {p->internal, p->test_case};

	if (!used || used >= h->ref->list.len)
		return;
	visit_body(&v, r->body);
	if (found)
		return;
	arr = term_new(p, T_ARRAY, h->ref->loc);
	arr->list.items = h->ref->list.items + used;
	arr->list.len = h->ref->list.len - used;
	for (uint32_t i = 0; i < arr->list.len; i++)
		if (arr->list.items[i]->kind == T_VAR)
			raise_capture(p, r->body, arr->list.items[i]);
	for (uint32_t i = 0; i < arr->list.len; i++) {
		uint32_t first;

		if (arr->list.items[i]->kind != T_VAR)
			continue;
		first = first_mention(
			p, r->body, r->body->len, arr->list.items[i]->var.var);
		if (first != UINT32_MAX && first + 1 > at)
			at = first + 1;
	}
	arr = term_copy(p->a, arr, (struct loc){0});
	op = term_op(p, h->ref->loc, names, 2);
	body_add(p->a, r->body,
		expr_new(p, term_call(p, h->ref->loc, op, arr, NULL),
			h->ref->loc));
	body_move_up(r->body, r->body->len - 1, at);
	r->marks |= R_PRINT; /* it tells, too: no index leaves the rule out */
}

/* --- template strings --------------------------------------------------- */

static void outputs_add(struct passes *p, const struct expr *x, struct vset *o)
{
	struct vlist l = {0};

	expr_outputs(p, x, o, &l);
	for (uint32_t i = 0; i < l.len; i++)
		vset_add(o, l.items[i]);
}

/* Variables of the arguments, which an else branch has too. */
static struct vset args_set(struct passes *p)
{
	const struct rule *r = p->rule;
	struct vset s = vset_new(p, NULL);
	struct vlist l = {0};

	vlist_start(p, &l);
	for (uint32_t i = 0; i < r->head.nargs; i++)
		term_vars(p, &l, r->head.args[i], 0);
	for (uint32_t i = 0; i < l.len; i++)
		vset_add(&s, l.items[i]);
	return s;
}

/* Variables of `t` that are not in `safe` are errors. */
static bool check_declared(struct passes *p, enum stage st,
	const struct term *t, const struct vset *safe)
{
	struct vlist l = {0};
	bool ok = true;

	vlist_start(p, &l);
	term_vars(p, &l, t, SKIP_SAFETY);
	for (uint32_t i = 0; i < l.len; i++) {
		if (vset_has(safe, l.items[i]))
			continue;
		found_add(p, st, false, ERR_COMPILE, t->loc,
			"var %s is undeclared", l.items[i]->name->bytes);
		ok = false;
	}
	return ok;
}

static bool rule_is_constant(const struct rule *r)
{
	return body_is_true(r->body) && r->head.value &&
	       (r->head.value->kind == T_VAR ||
		       term_is_constant(r->head.value));
}

/*
 * A rule that surely has a value: with a default, a set, or one constant. A
 * part of a template that is one needs no comprehension.
 */
static bool rule_is_defined(struct passes *p, const struct term *ref)
{
	struct node *n = tree_find(p, ref);
	struct rules *l;

	if (!n || ref->list.len < 2)
		return false;
	l = node_rules(p, n);
	if (!l->len || l->items[0]->head.nargs)
		return false;
	if (l->items[0]->is_default || !l->items[0]->head.value)
		return true;
	if (l->len == 1)
		return rule_is_constant(l->items[0]);
	for (uint32_t i = 1; i < l->len; i++)
		if (l->items[i]->is_default)
			return true;
	return false;
}

static struct term *term_set_of(struct passes *p, struct term *t)
{
	struct term *s = term_new(p, T_SET, t->loc);

	s->list.items = ARENA_ARRAY(p->a, struct term *, 1);
	s->list.items[0] = t;
	s->list.len = 1;
	return s;
}

/* {v | v = t}, with the modifiers of `x`. */
static struct term *term_captured(
	struct passes *p, struct term *t, const struct expr *x)
{
	struct term *c = term_new(p, T_SET_COMP, t->loc);
	struct expr *eq = expr_capture(p, t);

	eq->generated = false; /* OPA makes an ordinary `=` */
	if (x) {
		eq->withs = x->withs;
		eq->nwiths = x->nwiths;
	}
	c->comp = ARENA_NEW(p->a, struct comp);
	c->comp->head = expr_operand(eq, 0);
	c->comp->body = ARENA_NEW(p->a, struct body);
	c->comp->body->loc = t->loc;
	body_add(p->a, c->comp->body, eq);
	return c;
}

static struct term *template_part(struct passes *p, struct tmpl_part *part,
	const struct vset *safe, bool *ok)
{
	struct term *t;

	if (!part->expr) {
		t = term_new(p, T_SCALAR, part->loc);
		t->val = part->text;
		return t;
	}
	t = part->expr->term;
	if (expr_is_call(part->expr)) {
		const struct builtin *bi = builtin_of_ref(p, t->list.items[0]);

		t->loc = (struct loc){0}; /* lost in OPA, too */

		if (bi && bi->flags & BF_RELATION) {
			found_add(p, ST_TEMPLATES, false, ERR_COMPILE,
				(struct loc){0},
				"illegal call to relation built-in '%s' that "
				"may cause multiple outputs",
				bi->name);
			*ok = false;
			return t;
		}
	}
	if (t->kind == T_VAR || (t->kind == T_REF && rule_is_defined(p, t)))
		return term_set_of(p, t);
	*ok &= check_declared(p, ST_TEMPLATES, t, safe);
	return term_captured(p, t, part->expr);
}

/* The template becomes internal.template_string([part, ...]) in place. */
static void template_term(
	struct passes *p, struct term *t, const struct vset *safe)
{
	const struct string *names[2] = {p->internal, p->template_string};
	struct tmpl *tm = t->tmpl;
	struct term *op = term_op(p, t->loc, names, 2);
	struct term *arr = term_new(p, T_ARRAY, t->loc), *call;
	bool ok = true;

	if (!builtin_of_ref(p, op)) {
		found_add(p, ST_TEMPLATES, false, ERR_COMPILE, t->loc,
			"template-strings are not supported");
		return;
	}
	arr->list.len = tm->len ? tm->len : 1;
	arr->list.items = ARENA_ARRAY(p->a, struct term *, arr->list.len);
	for (uint32_t i = 0; i < tm->len; i++)
		arr->list.items[i] = template_part(p, &tm->parts[i], safe, &ok);
	if (!tm->len) {
		arr->list.items[0] = term_new(p, T_SCALAR, t->loc);
		arr->list.items[0]->val = sym_intern(p->c->syms, "", 0);
	}
	if (!ok)
		return;
	call = term_call(p, t->loc, op, arr, NULL);
	t->kind = T_CALL;
	t->list = call->list;
}

static struct vset templates_body(
	struct passes *p, struct body *b, const struct vset *outer);

static void templates_direct(
	struct passes *p, struct term *t, const struct vset *safe)
{
	if (t->kind == T_TEMPLATE)
		template_term(p, t, safe);
}

static bool templates_in_term(struct visit *v, struct term *t)
{
	const struct vset *safe = v->ctx;
	struct vset inner;

	templates_direct(v->p, t, safe);
	if (!term_is_comp(t))
		return false;
	inner = templates_body(v->p, t->comp->body, safe);
	if (t->comp->key)
		templates_direct(v->p, t->comp->key, &inner);
	templates_direct(v->p, t->comp->head, &inner);
	return false;
}

static bool templates_in_expr(struct visit *v, struct expr *x)
{
	const struct vset *safe = v->ctx;

	if (x->kind == X_TERM && x->term->kind == T_TEMPLATE)
		x->term->raw = 1; /* a call that is not the statement */
	if (x->kind == X_EVERY) {
		struct vset s;

		templates_direct(v->p, x->every.domain, safe);
		s = vset_new(v->p, safe);
		if (x->every.key)
			vset_add(&s, x->every.key->var.var);
		vset_add(&s, x->every.value->var.var);
		templates_body(v->p, x->every.body, &s);
	}
	return false;
}

/*
 * What a template in a body may use is what the statements bind, read from top
 * to bottom. A template deep inside the head of a comprehension sees only what
 * is bound outside of it, as in OPA.
 */
static struct vset templates_body(
	struct passes *p, struct body *b, const struct vset *outer)
{
	struct vset safe = vset_new(p, outer);
	struct visit v = {.p = p,
		.term = templates_in_term,
		.expr = templates_in_expr,
		.ctx = &safe};

	for (uint32_t i = 0; i < b->len; i++)
		outputs_add(p, b->items[i], &safe);
	visit_body(&v, b);
	return safe;
}

static void lower_templates(struct passes *p, struct rule *r)
{
	struct vset args = args_set(p), safe;
	struct visit v = {.p = p,
		.term = templates_in_term,
		.expr = templates_in_expr,
		.ctx = &safe};

	safe = templates_body(p, r->body, &args);
	visit_head(&v, &r->head);
}

/* --- void calls ------------------------------------------------------------
 */

static bool void_in_term(struct visit *v, struct term *t)
{
	const struct builtin *bi;

	if (t->kind != T_CALL)
		return false;
	bi = builtin_of_ref(v->p, t->list.items[0]);
	if (bi && bi->flags & BF_VOID)
		found_add(v->p, ST_VOID, false, ERR_TYPE, t->loc,
			"%s used as value", text_of(v->p, t));
	return false;
}

/* --- print
 * -------------------------------------------------------------------- */

static bool is_print(const struct passes *p, const struct expr *x)
{
	return expr_is_op(x, p->print);
}

static void erase_body(struct passes *p, struct body *b);

static bool erase_in_term(struct visit *v, struct term *t)
{
	if (term_is_comp(t))
		erase_body(v->p, t->comp->body);
	return false;
}

static bool erase_in_expr(struct visit *v, struct expr *x)
{
	struct body *inside[2];
	uint32_t n = expr_bodies(x, inside);

	for (uint32_t i = 0; i < n; i++)
		erase_body(v->p, inside[i]);
	return false;
}

/* Without the print calls of this body; those inside are met by the walk. */
static void erase_body(struct passes *p, struct body *b)
{
	uint32_t n = 0;
	struct loc loc = b->len ? b->items[0]->loc : b->loc;

	for (uint32_t i = 0; i < b->len; i++)
		if (!is_print(p, b->items[i]))
			b->items[n++] = b->items[i];
	if (!n && b->len) {
		struct term *t = term_new(p, T_SCALAR, loc);

		t->val = v_true;
		b->items[n++] = expr_new(p, t, loc);
	}
	b->len = n;
}

static void erase_prints(struct passes *p, struct rule *r)
{
	struct visit v = {.p = p, .term = erase_in_term, .expr = erase_in_expr};

	visit_head(&v, &r->head);
	erase_body(p, r->body);
	visit_body(&v, r->body);
}

static void print_body(
	struct passes *p, struct body *b, const struct vset *globals);

static bool print_in_term(struct visit *v, struct term *t)
{
	const struct vset *safe = v->ctx;

	if (!term_is_comp(t))
		return false;
	print_body(v->p, t->comp->body, safe);
	return true;
}

static bool print_in_expr(struct visit *v, struct expr *x)
{
	struct vset *safe = v->ctx;
	struct body *inside[2];
	uint32_t n = expr_bodies(x, inside);

	if (x->kind == X_EVERY && x->every.key)
		vset_add(safe, x->every.key->var.var);
	if (x->kind == X_EVERY)
		vset_add(safe, x->every.value->var.var);
	for (uint32_t i = 0; i < n; i++)
		print_body(v->p, inside[i], safe);
	return n > 0;
}

static void print_call(
	struct passes *p, struct expr *x, const struct vset *safe)
{
	const struct string *names[2] = {p->internal, p->print};
	uint32_t n = expr_noperands(x);
	struct term *arr = term_new(p, T_ARRAY, x->loc);
	bool ok = true;

	for (uint32_t i = 0; i < n; i++)
		ok &= check_declared(p, ST_PRINT, expr_operand(x, i), safe);
	if (!ok)
		return;
	arr->list.items = ARENA_ARRAY(p->a, struct term *, n);
	arr->list.len = n;
	for (uint32_t i = 0; i < n; i++)
		arr->list.items[i] = term_captured(p, expr_operand(x, i), NULL);
	/* OPA makes a new statement: `not` and `with` are lost. */
	*x = *expr_new(p,
		term_call(p, x->loc, term_op(p, x->loc, names, 2), arr, NULL),
		x->loc);
}

/* Variables that a pass has named anew count as bound once they were seen. */
static void print_seen(
	struct passes *p, const struct expr *x, struct vset *safe)
{
	struct vlist l = {0};

	vlist_start(p, &l);
	expr_vars(p, &l, x, 0);
	for (uint32_t i = 0; i < l.len; i++)
		if (l.items[i]->declared || l.items[i]->generated)
			vset_add(safe, l.items[i]);
}

static void print_calls(
	struct passes *p, struct body *b, const struct vset *globals)
{
	struct vset o = vset_new(p, globals), named = vset_new(p, globals);
	uint32_t fatal = p->nfatal;

	for (uint32_t i = 0; i < b->len && p->nfatal == fatal; i++) {
		struct expr *x = b->items[i];

		if (is_print(p, x)) {
			struct vset safe = vset_new(p, &o);

			for (uint32_t k = 0; k < named.n; k++)
				safe.words[k] |= named.words[k];
			print_call(p, x, &safe);
		} else {
			outputs_add(p, x, &o);
		}
		print_seen(p, x, &named);
	}
}

static void print_body(
	struct passes *p, struct body *b, const struct vset *globals)
{
	struct vset o = vset_new(p, globals);
	uint32_t fatal = p->nfatal;
	bool any = false;

	for (uint32_t i = 0; i < b->len; i++) {
		struct vset inner = vset_new(p, &o);
		struct visit v = {.p = p,
			.term = print_in_term,
			.expr = print_in_expr,
			.ctx = &inner};

		visit_expr(&v, b->items[i]);
		any |= is_print(p, b->items[i]);
		outputs_add(p, b->items[i], &o);
	}
	if (!any || p->nfatal != fatal)
		return;
	print_calls(p, b, globals);
}

static void lower_prints(struct passes *p, struct rule *r)
{
	struct vset args;
	struct visit v = {.p = p, .term = print_in_term, .expr = print_in_expr};

	if (!p->c->keep_print) {
		erase_prints(p, r);
		return;
	}
	args = args_set(p);
	v.ctx = &args;
	visit_head(&v, &r->head);
	args = args_set(p);
	print_body(p, r->body, &args);
}

/* --- nested calls
 * ------------------------------------------------------------- */

static struct term *expand_term(
	struct passes *p, struct term *t, struct body *out);
static void expand_body(struct passes *p, struct body *b);

static void capture_into(struct passes *p, struct term **at, struct body *out)
{
	struct expr *x = expr_capture(p, *at);

	*at = expr_operand(x, 0);
	body_add(p->a, out, x);
}

/* Errors of types show what a variable stands for. */
static void stand_for(const struct term *var, struct term *t)
{
	if (var->kind == T_VAR && var->var.var)
		var->var.var->subject = t;
}

static void expand_list(
	struct passes *p, struct term *t, uint32_t from, struct body *out)
{
	for (uint32_t i = from; i < t->list.len; i++)
		if (t->list.items[i]->kind > T_VAR)
			t->list.items[i] =
				expand_term(p, t->list.items[i], out);
}

/* A nested call becomes a statement with an output in front. */
static struct term *expand_call(
	struct passes *p, struct term *t, struct body *out)
{
	struct term *v, **items;
	struct expr *x;
	uint32_t n = t->list.len;

	expand_list(p, t, 1, out);
	v = term_of_var(p, var_made(p, t->loc), t->loc);
	items = ARENA_ARRAY(p->a, struct term *, n + 1);
	memcpy(items, t->list.items, n * sizeof(*items));
	items[n] = v;
	t->list.items = items;
	t->list.len = n + 1;
	t->raw = 0;
	x = expr_new(p, t, t->loc);
	x->generated = true;
	body_add(p->a, out, x);
	return v;
}

/* Calls inside calls inside refs: those further in are not copied again. */
enum { SUBJECTS_MAX = 8 };

/* What messages show later: passes to come work on the term itself. */
static struct term *subject_copy(struct passes *p, const struct term *t)
{
	return term_copy(p->a, t, (struct loc){0});
}

/* [1, 2][i] becomes v[i] with v = [1, 2] in front. */
static void expand_ref(struct passes *p, struct term *t, struct body *out)
{
	struct term **items = t->list.items, *head;

	for (uint32_t i = 0; i < t->list.len; i++) {
		struct term *call = NULL;

		if (items[i]->kind == T_CALL && p->nsubjects < SUBJECTS_MAX)
			call = subject_copy(p, items[i]);
		p->nsubjects += call != NULL;
		if (items[i]->kind > T_VAR)
			items[i] = expand_term(p, items[i], out);
		p->nsubjects -= call != NULL;
		if (call)
			stand_for(items[i], call);
	}
	switch (items[0]->kind) {
	case T_ARRAY:
	case T_OBJECT:
	case T_SET:
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		head = subject_copy(p, items[0]);
		capture_into(p, &items[0], out);
		stand_for(items[0], head);
		break;
	default:
		break;
	}
}

static void append_all(
	struct passes *p, struct body *b, const struct body *more)
{
	for (uint32_t i = 0; i < more->len; i++)
		if (i == 0)
			body_append(p, b, more->items[0]);
		else
			body_add(p->a, b, more->items[i]);
}

static void expand_comp(struct passes *p, struct comp *c)
{
	struct body key = {0}, head = {0};

	if (c->key)
		c->key = expand_term(p, c->key, &key);
	append_all(p, c->body, &key);
	c->head = expand_term(p, c->head, &head);
	append_all(p, c->body, &head);
	expand_body(p, c->body);
}

static struct term *expand_term(
	struct passes *p, struct term *t, struct body *out)
{
	switch (t->kind) {
	case T_CALL:
		return expand_call(p, t, out);
	case T_REF:
		expand_ref(p, t, out);
		return t;
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
		expand_list(p, t, 0, out);
		return t;
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		expand_comp(p, t->comp);
		return t;
	default:
		return t;
	}
}

/* What was put in front of `x`, from number `from` on, came out of it. */
static void connect(
	struct body *out, uint32_t from, const struct expr *x, bool with)
{
	for (uint32_t i = from; i < out->len; i++) {
		struct expr *e = out->items[i];

		if (!e->from) {
			e->from = x;
			e->index = x->index;
		}
		if (with && x->nwiths) {
			e->withs = x->withs;
			e->nwiths = x->nwiths;
		}
	}
}

static void expand_expr(struct passes *p, struct expr *x, struct body *out);

static void expand_domain(struct passes *p, struct expr *x, struct body *out)
{
	struct expr *eq = expr_capture(p, x->every.domain);

	x->every.domain = expr_operand(eq, 0);
	eq->withs = x->withs;
	eq->nwiths = x->nwiths;
	eq->from = x;
	eq->index = x->index;
	expand_expr(p, eq, out);
}

static void expand_expr(struct passes *p, struct expr *x, struct body *out)
{
	struct body *inside[2];
	uint32_t from = out->len, n;

	for (uint32_t i = 0; i < x->nwiths; i++)
		x->withs[i].value = expand_term(p, x->withs[i].value, out);
	connect(out, from, x, false);
	from = out->len;
	switch (x->kind) {
	case X_TERM:
		if (expr_is_call(x))
			expand_list(p, x->term, 1, out);
		else
			x->term = expand_term(p, x->term, out);
		connect(out, from, x, true);
		break;
	case X_EVERY:
		expand_domain(p, x, out);
		break;
	default:
		break;
	}
	n = expr_bodies(x, inside);
	for (uint32_t i = 0; i < n; i++)
		expand_body(p, inside[i]);
	body_add(p->a, out, x);
}

static bool expands(const struct term *t)
{
	return t->kind > T_VAR;
}

/* Statements of flat terms, the most usual, need no new body. */
static bool expr_is_flat(const struct expr *x)
{
	if (x->kind != X_TERM || x->nwiths)
		return false;
	if (!expr_is_call(x))
		return x->term->kind <= T_VAR;
	for (uint32_t i = 1; i < x->term->list.len; i++)
		if (expands(x->term->list.items[i]))
			return false;
	return true;
}

static void expand_body(struct passes *p, struct body *b)
{
	struct body out = {.loc = b->loc};
	uint32_t i = 0;

	while (i < b->len && expr_is_flat(b->items[i]))
		i++;
	if (i == b->len)
		return;
	out.cap = b->len + 4;
	out.items = arena_raw(p->a, out.cap * sizeof(*out.items));
	memcpy(out.items, b->items, i * sizeof(*out.items));
	out.len = i;
	for (; i < b->len; i++)
		expand_expr(p, b->items[i], &out);
	*b = out;
}

static void expand_rule(struct passes *p, struct rule *r)
{
	struct head *h = &r->head;
	struct body out = {0};

	for (uint32_t i = 0; i < h->nargs; i++)
		h->args[i] = expand_term(p, h->args[i], &out);
	if (h->key)
		h->key = expand_term(p, h->key, &out);
	if (h->value)
		h->value = expand_term(p, h->value, &out);
	append_all(p, r->body, &out);
	expand_body(p, r->body);
}

/* --- heads of comprehensions and rules
 * ------------------------------------------ */

static void capture_head(struct passes *p, struct term **at, struct body *b)
{
	struct expr *x;

	if (!*at || !term_has_refs(*at))
		return;
	x = expr_capture(p, *at);
	*at = expr_operand(x, 0);
	body_append(p, b, x);
}

static bool comp_in_term(struct visit *v, struct term *t)
{
	if (!term_is_comp(t))
		return false;
	capture_head(v->p, &t->comp->key, t->comp->body);
	capture_head(v->p, &t->comp->head, t->comp->body);
	return false;
}

/*
 * What an argument is compared with is computed in every branch: the capture
 * stands at the end of the body, and the branches after it get copies.
 */
static void capture_args(struct passes *p, struct rule *r)
{
	for (uint32_t i = 0; i < r->head.nargs; i++) {
		struct term **at = &r->head.args[i], *t = *at;

		capture_head(p, at, r->body);
		if (*at == t)
			continue;
		for (struct rule *b = r->els; b; b = b->els)
			body_append(p, b->body,
				expr_equals(p,
					term_of_var(p, (*at)->var.var, t->loc),
					term_copy(p->a, t, (struct loc){0})));
	}
}

static void lower_heads(struct passes *p, struct rule *r)
{
	struct visit v = {.p = p, .term = comp_in_term};
	struct head *h = &r->head;

	if (r->marks & R_COMP) {
		visit_head(&v, h);
		visit_body(&v, r->body);
	}
	capture_head(p, &h->key, r->body);
	capture_head(p, &h->value, r->body);
	capture_args(p, r);
}

/* --- with
 * ------------------------------------------------------------------------- */

static bool is_head_name(const struct term *t, const struct name *n)
{
	const struct term *head;

	if (t->kind != T_REF)
		return false;
	head = t->list.items[0];
	return head->kind == T_VAR && !head->var.var &&
	       head->var.name == n->str;
}

/*
 * A name of a builtin, not declared by the rule, is a ref to it, though the
 * locals have taken it for a variable. Returns that variable.
 */
static struct var *with_builtin_name(struct passes *p, struct term *t)
{
	struct term *head;
	struct var *v;

	if (t->kind == T_REF) {
		head = t->list.items[0];
		v = head->kind == T_VAR ? head->var.var : NULL;
		if (!v || v->declared)
			return NULL;
		head->var.var = NULL;
		if (builtin_of_ref(p, t))
			return v;
		head->var.var = v;
		return NULL;
	}
	if (t->kind != T_VAR || (t->var.var && t->var.var->declared) ||
		!name_of(p, t->var.name)->bi)
		return NULL;
	v = t->var.var;
	head = term_new(p, T_VAR, (struct loc){0}); /* OPA's has none, too */
	head->var.name = t->var.name;
	t->kind = T_REF;
	t->list.items = ARENA_ARRAY(p->a, struct term *, 1);
	t->list.items[0] = head;
	t->list.len = 1;
	return v;
}

static bool with_error(struct passes *p, const char *code, struct loc loc,
	const char *fmt, ...) PRINTF(4, 5);

static bool with_error(struct passes *p, const char *code, struct loc loc,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	found_vadd(p, ST_WITH, false, code, loc, fmt, ap);
	va_end(ap);
	return false;
}

static bool rules_have_args(const struct rules *l)
{
	for (uint32_t i = 0; i < l->len; i++)
		if (l->items[i]->head.nargs)
			return true;
	return false;
}

/* A value that replaces a function: a rule or a builtin, by its name. */
static bool is_function_value(struct passes *p, const struct term *t)
{
	return tree_find(p, t) || builtin_of_ref(p, t);
}

/*
 * Target in data. *eval is set when the value must be computed before: it is
 * not the name of a function, or does not replace one.
 */
static bool with_data_target(struct passes *p, const struct with *w, bool *eval)
{
	const struct term *ref = w->target;
	struct node *n = p->c->root, *kid;
	uint32_t last = ref->list.len - 1;

	for (uint32_t i = 1; i < last; i++) {
		const struct term *t = ref->list.items[i];

		kid = t->kind == T_SCALAR ? node_child(n, t->val) : NULL;
		if (!kid)
			break;
		if (node_rules(p, kid)->len)
			return with_error(p, ERR_COMPILE, ref->loc, "%s",
				"with keyword cannot partially replace "
				"virtual document(s)");
		n = kid;
	}
	kid = NULL;
	if (last > 0 && ref->list.items[last]->kind == T_SCALAR)
		kid = node_child(n, ref->list.items[last]->val);
	if (kid && rules_have_args(node_rules(p, kid)) &&
		is_function_value(p, w->value))
		*eval = false;
	kid = tree_find(p, w->value);
	if (kid && rules_have_args(node_rules(p, kid)))
		*eval = false;
	return true;
}

static bool with_builtin_target(struct passes *p, const struct with *w,
	const struct builtin *bi, bool *eval)
{
	static const char before[] =
		"with keyword replacing built-in function: ";
	const char *name = bi->name;
	struct loc loc = w->target->loc;

	if (!strcmp(name, "eq") || !strcmp(name, "rego.metadata.chain") ||
		!strcmp(name, "rego.metadata.rule"))
		return with_error(p, ERR_COMPILE, loc,
			"%sreplacement of \"%s\" invalid", before, name);
	if (!strncmp(name, "internal.", 9))
		return with_error(p, ERR_COMPILE, loc,
			"%sreplacement of internal function \"%s\" invalid",
			before, name);
	if (bi->flags & BF_RELATION)
		return with_error(p, ERR_COMPILE, loc,
			"%starget must not be a relation", before);
	if (bi->flags & BF_VOID)
		return with_error(p, ERR_COMPILE, loc,
			"%starget must not be a void function", before);
	if (is_function_value(p, w->value))
		*eval = false;
	return true;
}

static bool with_target(struct passes *p, struct with *w, bool *eval)
{
	const struct builtin *bi;

	if (is_head_name(w->target, p->data))
		return with_data_target(p, w, eval);
	if (is_head_name(w->target, p->input))
		return true;
	bi = builtin_of_ref(p, w->target);
	if (bi)
		return with_builtin_target(p, w, bi, eval);
	return with_error(p, ERR_TYPE, w->target->loc, "%s",
		"with keyword target must reference existing input, data, or "
		"a function");
}

static bool with_check(struct passes *p, struct with *w, bool *eval)
{
	struct var *v = with_builtin_name(p, w->value);

	with_builtin_name(p, w->target);
	*eval = term_has_refs(w->value);
	if (!with_target(p, w, eval))
		return false;
	if (*eval && v) /* it replaces no function: a variable after all */
		w->value->list.items[0]->var.var = v;
	return true;
}

static bool with_body(struct passes *p, struct body *b);

static bool with_in_term(struct visit *v, struct term *t)
{
	if (term_is_comp(t))
		return !with_body(v->p, t->comp->body);
	return false;
}

static bool with_in_expr(struct visit *v, struct expr *x)
{
	struct body *inside[2];
	uint32_t n = expr_bodies(x, inside);

	for (uint32_t i = 0; i < n; i++)
		with_body(v->p, inside[i]);
	return false;
}

/* Values that need evaluation get statements of their own in front. */
static bool with_body(struct passes *p, struct body *b)
{
	struct body out = {.loc = b->loc};

	for (uint32_t i = 0; i < b->len; i++) {
		struct expr *x = b->items[i];

		for (uint32_t k = 0; k < x->nwiths; k++) {
			bool eval = false;
			uint32_t from = out.len;

			if (!with_check(p, &x->withs[k], &eval))
				return false;
			if (!eval)
				continue;
			capture_into(p, &x->withs[k].value, &out);
			connect(&out, from, x, false);
		}
		body_add(p->a, &out, x);
	}
	*b = out;
	return true;
}

static void lower_withs(struct passes *p, struct rule *r)
{
	struct visit v = {.p = p, .term = with_in_term, .expr = with_in_expr};

	visit_head(&v, &r->head);
	if (with_body(p, r->body))
		visit_body(&v, r->body);
}

/* --- rules
 * ----------------------------------------------------------------------------
 */

static void lower_branch(struct passes *p, struct rule *r)
{
	uint32_t fatal = p->nfatal;

	if (r->marks & R_TEMPLATE)
		lower_templates(p, r);
	if (r->marks & R_PRINT && p->nfatal == fatal) {
		struct visit v = {.p = p, .term = void_in_term};

		visit_head(&v, &r->head);
		visit_body(&v, r->body);
		if (p->nfatal == fatal)
			lower_prints(p, r);
	}
	if (p->nfatal != fatal)
		return;
	if (r->marks & R_PRINT && p->c->keep_print)
		r->marks |= R_COMP;
	expand_rule(p, r);
	if (!p->query)
		graph_note(p, r);
	lower_heads(p, r);
	if (r->marks & R_REGO && !p->query)
		lower_metadata(p, r);
	if (r->marks & R_WITH)
		lower_withs(p, r);
}

void pass_lower(struct compiler *c)
{
	struct passes *p = passes_of(c);

	check_annotations(p); /* OPA does it in the midst of these stages */
	for (uint32_t i = 0; i < c->nmods; i++) {
		struct module *m = c->mods[i];

		p->mod = m;
		for (uint32_t k = 0; k < m->nrules; k++) {
			struct rule *r = m->rules[k];

			rule_enter(p, r);
			if (c->test_mode)
				inject_test_case(p, r);
			for (struct rule *b = r; b; b = b->els)
				lower_branch(p, b);
			rule_leave(p, r);
		}
	}
}

void query_lower(struct passes *p, struct rule *q)
{
	rule_enter(p, q);
	lower_branch(p, q);
	rule_leave(p, q);
}

/* --- after the safety check: refs and comprehensions in terms
 * ----------------------------- */

static void dynamics_body(struct passes *p, struct body *b);

static void set_ground(struct term *t)
{
	t->ground = 1;
	for (uint32_t i = 0; i < t->list.len; i++)
		if (t->list.items[i]->kind != T_SCALAR &&
			!t->list.items[i]->ground)
			t->ground = 0;
}

/* Composites of heads, which no statement holds. */
static void ground_term(struct term *t)
{
	if (t->kind != T_ARRAY && t->kind != T_SET && t->kind != T_OBJECT)
		return;
	for (uint32_t i = 0; i < t->list.len; i++)
		ground_term(t->list.items[i]);
	set_ground(t);
}

static void dynamics_comp(struct passes *p, struct comp *c)
{
	dynamics_body(p, c->body);
	if (c->key)
		ground_term(c->key);
	ground_term(c->head);
}

static void ground_head(struct head *h)
{
	for (uint32_t i = 0; i < h->nargs; i++)
		ground_term(h->args[i]);
	if (h->key)
		ground_term(h->key);
	if (h->value)
		ground_term(h->value);
}

/* Moves a ref or comprehension out of `t`; returns what stands for it. */
static struct term *dynamic_one(struct passes *p, const struct expr *x,
	struct term *t, struct body *out)
{
	switch (t->kind) {
	case T_REF:
		for (uint32_t i = 1; i < t->list.len; i++)
			t->list.items[i] =
				dynamic_one(p, x, t->list.items[i], out);
		break;
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
		for (uint32_t i = 0; i < t->list.len; i++)
			t->list.items[i] =
				dynamic_one(p, x, t->list.items[i], out);
		set_ground(t);
		return t;
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		dynamics_comp(p, t->comp);
		break;
	default:
		return t;
	}
	uint32_t from = out->len;
	struct term *moved = t;

	capture_into(p, &t, out);
	stand_for(t, moved);
	connect(out, from, x, true);
	return t;
}

/* One whole side of `=` or a whole test may be a ref or comprehension. */
static struct term *dynamic_term(struct passes *p, const struct expr *x,
	struct term *t, struct body *out)
{
	switch (t->kind) {
	case T_REF:
		for (uint32_t i = 1; i < t->list.len; i++)
			t->list.items[i] =
				dynamic_one(p, x, t->list.items[i], out);
		return t;
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		dynamics_comp(p, t->comp);
		return t;
	default:
		return dynamic_one(p, x, t, out);
	}
}

static void dynamics_call(struct passes *p, struct expr *x, struct body *out)
{
	struct term **items = x->term->list.items;
	uint32_t n = x->term->list.len;

	if (!p->query && n == 3 && expr_is_op(x, p->equal)) {
		items[0]->list.items[0]->var.name = p->eq;
		x->braces = WAS_EQUAL;
	}
	if (expr_is_op(x, p->eq)) {
		for (uint32_t i = 1; n == 3 && i < n; i++)
			items[i] = dynamic_term(p, x, items[i], out);
		return;
	}
	for (uint32_t i = 1; i < n; i++)
		items[i] = dynamic_one(p, x, items[i], out);
}

static void dynamics_expr(struct passes *p, struct expr *x, struct body *out)
{
	struct body *inside[2];
	uint32_t n;

	switch (x->kind) {
	case X_TERM:
		if (expr_is_call(x))
			dynamics_call(p, x, out);
		else
			x->term = dynamic_term(p, x, x->term, out);
		break;
	case X_EVERY:
		x->every.domain = dynamic_one(p, x, x->every.domain, out);
		break;
	default:
		break;
	}
	n = expr_bodies(x, inside);
	for (uint32_t i = 0; i < n; i++)
		dynamics_body(p, inside[i]);
	body_add(p->a, out, x);
}

static void dynamics_body(struct passes *p, struct body *b)
{
	struct body out = {.loc = b->loc, .cap = b->len + 4};

	out.items = arena_raw(p->a, out.cap * sizeof(*out.items));
	for (uint32_t i = 0; i < b->len; i++)
		dynamics_expr(p, b->items[i], &out);
	*b = out;
}

static void lower_late(struct passes *p, struct rule *r)
{
	dynamics_body(p, r->body);
	ground_head(&r->head);
}

void pass_lower_late(struct compiler *c)
{
	struct passes *p = passes_of(c);

	for (uint32_t i = 0; i < c->nmods; i++)
		for (uint32_t k = 0; k < c->mods[i]->nrules; k++) {
			struct rule *r = c->mods[i]->rules[k];

			rule_enter(p, r);
			for (struct rule *b = r; b; b = b->els)
				lower_late(p, b);
			rule_leave(p, r);
		}
}

void query_lower_late(struct passes *p, struct rule *q)
{
	rule_enter(p, q);
	lower_late(p, q);
	rule_leave(p, q);
}
