/*
 * locals: a variable for each name that resolve.c has left, statement by
 * statement; `:=` and `some x in xs` become unifications.
 */
#include "rego/passes.h"

#include <stdlib.h>
#include <string.h>

/* --- scopes ----------------------------------------------------------------
 */

static void scope_push(struct passes *p, struct scope *s)
{
	*s = (struct scope){.up = p->scope};
	s->level = p->scope ? p->scope->level + 1 : 0;
	p->scope = s;
}

/*
 * Close the scope. What a body of `every` or `not` declared is kept for the
 * scope around it: OPA looks a declaration up by name there.
 */
static void scope_pop(struct passes *p, bool leaks)
{
	struct scope *s = p->scope, *up = s->up;

	for (struct bind *b = s->binds, *next; b; b = next) {
		next = b->next;
		b->name->bind = b->outer;
		if (leaks && b->occ >= O_ASSIGNED && !b->quiet && up) {
			b->loc = up->at;
			b->next = up->leaked;
			up->leaked = b;
		}
	}
	p->scope = up;
}

static struct bind *bind_new(
	struct passes *p, struct name *n, enum occurrence occ, struct var *v)
{
	struct bind *b = ARENA_NEW(&p->scratch, struct bind);

	b->name = n;
	b->outer = n->bind;
	b->next = p->scope->binds;
	b->var = v;
	b->renamed = v != NULL;
	b->level = p->scope->level;
	b->count = 1;
	b->occ = (uint8_t)occ;
	b->loc = p->scope->at;
	p->scope->binds = b;
	n->bind = b;
	return b;
}

/* The variable of a name that no scope declares: one in the whole rule. */
static struct var *free_var(struct passes *p, struct name *n, struct loc loc)
{
	if (n->free_gen != p->rule_gen) {
		n->free = var_new(p, n->str, loc);
		n->free_gen = p->rule_gen;
	}
	return n->free;
}

static bool is_free(
	const struct passes *p, const struct name *n, const struct var *v)
{
	return n->free_gen == p->rule_gen && v == n->free;
}

static bool bind_is_here(const struct passes *p, const struct bind *b)
{
	return b && b->level == p->scope->level;
}

static void locals_error(struct passes *p, struct loc loc, const char *fmt, ...)
	PRINTF(3, 4);

static void locals_error(struct passes *p, struct loc loc, const char *fmt, ...)
{
	va_list ap;

	p->nlocal_errors++;
	va_start(ap, fmt);
	found_vadd(p, ST_LOCALS, false, ERR_COMPILE, loc, fmt, ap);
	va_end(ap);
}

/* Declare a name here. NULL, with an error at `loc`, if it was used before. */
static struct bind *declare(struct passes *p, const struct term *t,
	const struct string *s, enum occurrence occ, struct loc loc)
{
	static const char *const texts[][2] = {
		[O_ARG] = {"arg", "redeclared"},
		[O_SEEN] = {"var", "referenced above"},
		[O_ASSIGNED] = {"var", "assigned above"},
		[O_DECLARED] = {"var", "declared above"},
	};
	struct name *n = name_of(p, s);
	struct var *v;

	if (!n->wildcard && bind_is_here(p, n->bind)) {
		locals_error(p, loc, "%s %s %s", texts[n->bind->occ][0],
			s->bytes, texts[n->bind->occ][1]);
		return NULL;
	}
	v = var_new(p, s, t->loc);
	v->declared = true;
	p->nlocals++;
	return bind_new(p, n, occ, v);
}

/* A key that nothing names; messages show it by OPA's name for it. */
static struct term *unnamed_key(struct passes *p, struct loc loc)
{
	struct term *t = term_of_var(p, var_made(p, loc), loc);
	struct term *shown = term_new(p, T_VAR, loc);
	char name[32];

	snprintf(name, sizeof(name), "__local%s%u__", p->query ? "q" : "",
		p->nlocals++);
	shown->var.name = sym_intern(p->c->syms, name, strlen(name)).str;
	t->var.var->subject = shown;
	return t;
}

/* --- names --------------------------------------------------------------
 */

static void local_term(struct passes *p, struct term *t);
static void local_expr(struct passes *p, struct expr *x);
static void local_body(struct passes *p, struct body *b,
	struct term *const *used, uint32_t nused);
static void local_stmt(struct passes *p, struct expr **at);

/*
 * A name at a place where it is not declared. The head of a ref may be input,
 * data or the name of a function: those have no variable unless shadowed.
 */
static void local_name(struct passes *p, struct term *t, bool function)
{
	struct name *n = name_of(p, t->var.name);
	struct bind *b;

	if (t->var.var && !(p->again && is_free(p, n, t->var.var)))
		return;
	if (n->wildcard) {
		t->var.var = var_new(p, n->str, t->loc);
		return;
	}
	b = n->bind;
	if (b)
		b->count++;
	else
		b = bind_new(p, n, O_SEEN, NULL);
	b->present = true;
	if (b->renamed)
		t->var.var = b->var;
	else if (!n->reserved && !function)
		t->var.var = free_var(p, n, t->loc);
}

/* `input` alone, where a variable of that name was declared. */
static void local_root(struct passes *p, struct term *t)
{
	struct term *head = t->list.items[0];
	struct bind *b = name_of(p, head->var.name)->bind;

	if (!b || b->occ == O_SEEN || !b->renamed)
		return;
	b->present = true;
	t->kind = T_VAR;
	t->var.name = b->var->name;
	t->var.var = b->var;
}

static void local_ref(struct passes *p, struct term *t, bool function)
{
	struct term *head = t->list.items[0];

	if (ref_is_root(p, t)) {
		if (!head->var.var)
			local_root(p, t);
		return;
	}
	if (head->kind == T_VAR)
		local_name(p, head, function);
	else
		local_term(p, head);
	for (uint32_t i = 1; i < t->list.len; i++)
		if (t->list.items[i]->kind != T_SCALAR)
			local_term(p, t->list.items[i]);
}

/* The operator of a nested call must not be a variable. */
static void check_shadowed(struct passes *p, const struct term *call)
{
	const struct term *op = call->list.items[0];

	for (uint32_t i = 0; i < op->list.len; i++) {
		const struct term *t = op->list.items[i];
		const struct bind *b;

		if (t->kind != T_VAR)
			continue;
		b = name_of(p, t->var.name)->bind;
		if (b && b->renamed)
			locals_error(p, call->loc,
				"called function %s shadowed", text_of(p, op));
	}
}

static void local_args(struct passes *p, struct term *t)
{
	struct term *op = t->list.items[0];

	if (op->kind == T_REF)
		local_ref(p, op, true);
	for (uint32_t i = 1; i < t->list.len; i++)
		local_term(p, t->list.items[i]);
}

static void local_comp(struct passes *p, struct comp *c)
{
	struct term *used[2] = {c->head, c->key};
	struct scope s;

	scope_push(p, &s);
	local_body(p, c->body, used, c->key ? 2 : 1);
	if (c->key)
		local_term(p, c->key);
	local_term(p, c->head);
	scope_pop(p, false);
}

static void local_template(struct passes *p, struct tmpl *t)
{
	for (uint32_t i = 0; i < t->len; i++)
		if (t->parts[i].expr)
			local_expr(p, t->parts[i].expr);
}

static void local_term(struct passes *p, struct term *t)
{
	switch (t->kind) {
	case T_VAR:
		local_name(p, t, false);
		break;
	case T_REF:
		local_ref(p, t, false);
		break;
	case T_CALL:
		check_shadowed(p, t);
		local_args(p, t);
		break;
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
		for (uint32_t i = 0; i < t->list.len; i++)
			if (t->list.items[i]->kind != T_SCALAR)
				local_term(p, t->list.items[i]);
		break;
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		local_comp(p, t->comp);
		break;
	case T_TEMPLATE:
		local_template(p, t->tmpl);
		break;
	default:
		break;
	}
}

/* A target's `input` is the document, whatever input was made to mean. */
static void local_with(struct passes *p, struct with *w)
{
	struct term *t = w->target;

	if (t->kind == T_REF && t->list.items[0]->kind == T_VAR &&
		t->list.items[0]->var.name == p->input->str) {
		for (uint32_t i = 1; i < t->list.len; i++)
			local_term(p, t->list.items[i]);
	} else if (t->kind == T_REF) {
		local_ref(p, t, true);
	} else {
		local_term(p, t);
	}
	local_term(p, w->value);
}

static void local_withs(struct passes *p, struct expr *x)
{
	for (uint32_t i = 0; i < x->nwiths; i++)
		local_with(p, &x->withs[i]);
}

static void local_expr(struct passes *p, struct expr *x)
{
	if (expr_is_call(x))
		local_args(p, x->term);
	else
		local_term(p, x->term);
	local_withs(p, x);
}

/* --- `:=`
 * --------------------------------------------------------------------- */

static void assign_var(struct passes *p, struct term *t)
{
	const struct string *s =
		t->kind == T_VAR ? t->var.name : t->list.items[0]->var.name;
	struct bind *b;

	if (t->kind == T_VAR && t->var.var)
		return; /* by an earlier look at it */
	b = declare(p, t, s, O_ASSIGNED, t->loc);
	if (!b)
		return;
	t->kind = T_VAR;
	t->var.name = s;
	t->var.var = b->var;
}

static void assign_pattern(struct passes *p, struct term *t)
{
	switch (t->kind) {
	case T_VAR:
		assign_var(p, t);
		return;
	case T_ARRAY:
		for (uint32_t i = 0; i < t->list.len; i++)
			assign_pattern(p, t->list.items[i]);
		return;
	case T_OBJECT: /* keys are not patterns */
		for (uint32_t i = 1; i < t->list.len; i += 2)
			assign_pattern(p, t->list.items[i]);
		return;
	case T_REF:
		if (ref_is_root(p, t)) {
			assign_var(p, t);
			return;
		}
		break;
	default:
		break;
	}
	locals_error(p, t->loc, "cannot assign to %s", term_kind_name(t));
}

/*
 * Names in the keys of an object on the left are not taken for what is declared
 * here, though local_again() may do so.
 */
static void key_names(struct passes *p, struct term *t)
{
	struct name *n;

	switch (t->kind) {
	case T_VAR:
		n = name_of(p, t->var.name);
		if (!t->var.var && !n->reserved)
			t->var.var = n->wildcard ? var_new(p, n->str, t->loc)
						 : free_var(p, n, t->loc);
		break;
	case T_REF:
	case T_CALL:
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
		for (uint32_t i = t->kind == T_CALL; i < t->list.len; i++)
			key_names(p, t->list.items[i]);
		break;
	default:
		local_term(p, t);
		break;
	}
}

static void assign_keys(struct passes *p, struct term *t)
{
	if (t->kind == T_ARRAY)
		for (uint32_t i = 0; i < t->list.len; i++)
			assign_keys(p, t->list.items[i]);
	if (t->kind != T_OBJECT)
		return;
	for (uint32_t i = 0; i < t->list.len; i += 2) {
		key_names(p, t->list.items[i]);
		assign_keys(p, t->list.items[i + 1]);
	}
}

static void local_assign(struct passes *p, struct expr *x)
{
	uint32_t errors = p->nlocal_errors;
	struct term *op = x->term->list.items[0];

	if (x->negated) {
		locals_error(p, x->loc, "%s",
			"cannot assign vars inside negated expression");
		return;
	}
	if (expr_noperands(x) != 2) {
		local_expr(p, x);
		return;
	}
	local_term(p, expr_operand(x, 1));
	for (uint32_t i = 0; i < x->nwiths; i++)
		local_with(p, &x->withs[i]);
	assign_pattern(p, expr_operand(x, 0));
	if (p->nlocal_errors != errors)
		return;
	assign_keys(p, expr_operand(x, 0));
	x->term->list.items[0] = term_op(p, op->loc, &p->eq, 1);
	x->assigned = true;
}

/* --- `some`
 * ----------------------------------------------------------------------- */

/* Names in a term, distinct. */
struct names {
	const struct term **items;
	uint32_t len, cap;
};

static bool names_have(const struct names *l, const struct term *t)
{
	const struct string *s = t->var.name;
	bool wildcard = s->len == 1 && s->bytes[0] == '_';

	for (uint32_t i = 0; i < l->len; i++)
		if (l->items[i] == t ||
			(l->items[i]->var.name == s && !wildcard))
			return true;
	return false;
}

static void names_add(struct passes *p, struct names *l, const struct term *t)
{
	if (names_have(l, t))
		return;
	l->items = arena_grow(
		&p->scratch, l->items, l->len, &l->cap, sizeof(*l->items));
	l->items[l->len++] = t;
}

static void names_of_body(
	struct passes *p, struct names *l, const struct body *b, unsigned skip);

static void names_of_term(
	struct passes *p, struct names *l, const struct term *t, unsigned skip)
{
	uint32_t from = 0, step = 1;

	switch (t->kind) {
	case T_VAR:
		names_add(p, l, t);
		return;
	case T_REF:
		from = skip & SKIP_REF_HEAD ? 1 : 0;
		break;
	case T_OBJECT:
		if (skip & SKIP_KEYS) {
			from = 1;
			step = 2;
		}
		break;
	case T_CALL:
		from = skip & SKIP_CALL_HEAD ? 1 : 0;
		break;
	case T_ARRAY:
	case T_SET:
		break;
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		if (skip & SKIP_CLOSURES)
			return;
		if (t->comp->key)
			names_of_term(p, l, t->comp->key, skip);
		names_of_term(p, l, t->comp->head, skip);
		names_of_body(p, l, t->comp->body, skip);
		return;
	case T_TEMPLATE:
		if (skip & SKIP_CLOSURES)
			return;
		for (uint32_t i = 0; i < t->tmpl->len; i++)
			if (t->tmpl->parts[i].expr)
				names_of_term(p, l,
					t->tmpl->parts[i].expr->term, skip);
		return;
	default:
		return;
	}
	for (uint32_t i = from; i < t->list.len; i += step)
		names_of_term(p, l, t->list.items[i], skip);
}

static void names_of_expr(
	struct passes *p, struct names *l, const struct expr *x, unsigned skip)
{
	struct body *inside[2];
	uint32_t n;

	switch (x->kind) {
	case X_TERM:
		names_of_term(p, l, x->term, skip);
		break;
	case X_SOME:
		for (uint32_t i = 0; i < x->some.len; i++)
			names_of_term(p, l, x->some.symbols[i], skip);
		break;
	case X_EVERY:
		if (x->every.key)
			names_of_term(p, l, x->every.key, skip);
		names_of_term(p, l, x->every.value, skip);
		names_of_term(p, l, x->every.domain, skip);
		break;
	default:
		break;
	}
	n = expr_bodies(x, inside);
	for (uint32_t i = 0; i < n; i++)
		names_of_body(p, l, inside[i], skip);
	for (uint32_t i = 0; i < x->nwiths; i++) {
		names_of_term(p, l, x->withs[i].target, skip);
		names_of_term(p, l, x->withs[i].value, skip);
	}
}

static void names_of_body(
	struct passes *p, struct names *l, const struct body *b, unsigned skip)
{
	for (uint32_t i = 0; i < b->len; i++)
		names_of_expr(p, l, b->items[i], skip);
}

/* Names of the pattern must not be looked for in themselves. */
static bool check_some_domain(struct passes *p, const struct expr *x,
	const struct names *bound, const struct term *domain)
{
	struct names in = {0};
	bool ok = true;

	names_of_term(p, &in, domain, SKIP_CLOSURES);
	for (uint32_t i = 0; i < bound->len; i++) {
		const struct string *s = bound->items[i]->var.name;

		if (s == p->wild->str || !names_have(&in, bound->items[i]))
			continue;
		locals_error(p, x->loc, "var %s assigned before", s->bytes);
		ok = false;
	}
	return ok;
}

/* domain[key], the head of which may be anything. */
static struct term *some_ref(
	struct passes *p, struct term *domain, struct term *key)
{
	struct term *t = term_new(p, T_REF, domain->loc);
	uint32_t n = domain->kind == T_REF ? domain->list.len : 1;

	t->list.len = n + 1;
	t->list.items = ARENA_ARRAY(p->a, struct term *, n + 1);
	if (domain->kind == T_REF)
		memcpy(t->list.items, domain->list.items,
			n * sizeof(*t->list.items));
	else
		t->list.items[0] = domain;
	t->list.items[n] = key;
	return t;
}

static int by_var_name(const void *a, const void *b)
{
	const struct term *const *x = a, *const *y = b;

	return term_cmp(*x, *y);
}

/* Names that iterate in refs which begin with one of `heads`. */
static void names_of_steps(struct passes *p, struct names *l,
	const struct names *heads, const struct term *t)
{
	bool own = t->kind == T_REF && t->list.items[0]->kind == T_VAR &&
		   names_have(heads, t->list.items[0]);

	for (uint32_t i = 1; own && i < t->list.len; i++)
		names_of_term(p, l, t->list.items[i], SKIP_REF_HEAD);
	for (uint32_t i = 0; t->kind != T_REF && i < term_len(t); i++)
		names_of_steps(p, l, heads, t->list.items[i]);
}

/*
 * What `some k, v in xs` declares: the names in k and v that unify with a
 * member, except those that stand in xs already. To OPA the refs of its `with`
 * belong to it, if they begin as xs does.
 */
static bool declare_some(struct passes *p, const struct expr *x,
	const struct term *key, const struct term *val,
	const struct term *domain)
{
	struct names out = {0}, in = {0};

	names_of_term(p, &in, domain, 0);
	names_of_term(p, &out, key, SKIP_REF_HEAD);
	if (val->kind == T_VAR || val->kind == T_ARRAY || val->kind == T_OBJECT)
		names_of_term(p, &out, val,
			SKIP_REF_HEAD | SKIP_KEYS | SKIP_CLOSURES);
	for (uint32_t i = 0; i < x->nwiths; i++)
		names_of_steps(p, &out, &in, x->withs[i].value);
	if (out.len > 1)
		qsort(out.items, out.len, sizeof(*out.items), by_var_name);
	for (uint32_t i = 0; i < out.len; i++) {
		const struct term *t = out.items[i];
		bool unnamed = t->var.var ? t->var.var->generated
					  : t->var.name == p->wild->str;

		if (unnamed && !names_have(&in, t))
			p->nlocals++; /* OPA declares those too */
		if (t->var.var || unnamed || names_have(&in, t))
			continue;
		if (!declare(p, t, t->var.name, O_DECLARED, x->loc))
			return false;
	}
	return true;
}

/* True when a unification takes the place of the statement. */
static bool local_some_in(struct passes *p, struct expr *x)
{
	struct term *call = x->some.symbols[0], *key, *val, *domain;
	struct names bound = {0};
	unsigned skip = SKIP_REF_HEAD | SKIP_KEYS | SKIP_CLOSURES;

	domain = call->list.items[call->list.len - 1];
	val = call->list.items[call->list.len - 2];
	key = call->list.len == 4 ? call->list.items[1]
				  : unnamed_key(p, x->loc);
	names_of_term(p, &bound, key, skip);
	names_of_term(p, &bound, val, skip);
	if (!check_some_domain(p, x, &bound, domain))
		return false;
	if (!declare_some(p, x, key, val, domain))
		return false;
	x->kind = X_TERM;
	x->of_some = true;
	x->term = term_call(p, x->loc, term_op(p, x->loc, &p->eq, 1), val,
		some_ref(p, domain, key));
	local_expr(p, x);
	return true;
}

static bool local_some(struct passes *p, struct expr *x)
{
	for (uint32_t i = 0; i < x->some.len; i++) {
		struct term *t = x->some.symbols[i];

		if (t->kind == T_CALL)
			return local_some_in(p, x);
		if (t->kind == T_REF && ref_is_root(p, t))
			t = t->list.items[0];
		if (!declare(p, t, t->var.name, O_DECLARED, x->loc))
			return false;
	}
	return false;
}

/* --- every, not, and, or
 * ------------------------------------------------------------ */

static bool every_var(struct passes *p, struct term *t)
{
	struct bind *b;

	if (t->kind == T_REF) { /* every input in xs */
		struct term *head = t->list.items[0];

		*t = *head;
	}
	if (t->var.var)
		return true;
	if (t->var.name == p->wild->str) {
		t->var.var = var_new(p, t->var.name, t->loc);
		return true;
	}
	/* Only the key can have it; as in OPA the error has no place. */
	b = declare(p, t, t->var.name, O_DECLARED, (struct loc){0});
	if (!b)
		return false;
	b->quiet = true;
	t->var.var = b->var;
	return true;
}

/*
 * OPA looks at what `every`, `not` and `and`, `or` hold once more when it has
 * declared all their names: names that mean nothing outside are then taken for
 * those, and what is wrong in a closure is said again. A look within a look
 * costs twice as much each time, so there is an end to them.
 */
enum { AGAIN_MAX = 4 };

static void again_body(struct passes *p, struct body *b);

static void again_expr(struct passes *p, struct expr *x)
{
	struct body *inside[2];
	uint32_t n = expr_bodies(x, inside);

	if (x->kind == X_TERM) {
		local_expr(p, x);
		return;
	}
	if (x->kind == X_EVERY)
		local_term(p, x->every.domain);
	for (uint32_t i = 0; i < n; i++)
		again_body(p, inside[i]);
	local_withs(p, x);
}

static void again_body(struct passes *p, struct body *b)
{
	for (uint32_t i = 0; i < b->len; i++)
		again_expr(p, b->items[i]);
}

static void local_again(struct passes *p, struct expr *x)
{
	if (p->again == AGAIN_MAX)
		return;
	p->again++;
	again_expr(p, x);
	p->again--;
}

/* False when nothing is left of the statement. */
static bool local_every(struct passes *p, struct expr *x)
{
	struct scope s;
	bool ok;

	local_term(p, x->every.domain);
	scope_push(p, &s);
	s.at = s.up->at;
	if (!x->every.key)
		x->every.key = unnamed_key(p, x->loc);
	ok = every_var(p, x->every.key) && every_var(p, x->every.value);
	if (ok) {
		local_body(p, x->every.body, NULL, 0);
		local_again(p, x);
	}
	scope_pop(p, true);
	return ok;
}

static void local_operand(
	struct passes *p, struct body *b, bool braces, const char *error)
{
	struct scope s;

	if (braces) {
		scope_push(p, &s);
		local_body(p, b, NULL, 0);
		scope_pop(p, true);
		return;
	}
	for (uint32_t i = 0; i < b->len; i++) {
		struct expr *x = b->items[i];

		if (expr_is_op(x, p->assign))
			locals_error(p, x->loc, "%s", error);
		else
			local_stmt(p, &b->items[i]);
	}
}

static void local_not(struct passes *p, struct expr *x)
{
	struct scope s;

	if (x->braces & BRACES_LEFT) {
		scope_push(p, &s);
		local_body(p, x->body, NULL, 0);
		local_again(p, x);
		scope_pop(p, true);
		return;
	}
	local_operand(p, x->body, false,
		"cannot assign vars inside negated expression");
	local_withs(p, x);
}

static void local_logical(struct passes *p, struct expr *x)
{
	uint32_t errors = p->nlocal_errors;
	const char *error =
		x->kind == X_AND
			? "cannot assign vars inside implicit and operand"
			: "cannot assign vars inside implicit or operand";

	local_operand(p, x->pair.left, x->braces & BRACES_LEFT, error);
	local_operand(p, x->pair.right, x->braces & BRACES_RIGHT, error);
	if (p->nlocal_errors == errors)
		local_again(p, x);
	else
		local_withs(p, x);
}

/* --- bodies
 * ------------------------------------------------------------------------- */

/* *at becomes NULL when nothing is left of the statement. */
static void local_stmt(struct passes *p, struct expr **at)
{
	struct expr *x = *at;

	switch (x->kind) {
	case X_SOME:
		if (!local_some(p, x))
			*at = NULL;
		break;
	case X_EVERY:
		if (!local_every(p, x))
			*at = NULL;
		break;
	case X_NOT:
		local_not(p, x);
		break;
	case X_AND:
	case X_OR:
		local_logical(p, x);
		break;
	default:
		if (expr_is_op(x, p->assign))
			local_assign(p, x);
		else
			local_expr(p, x);
		break;
	}
}

/* Binds of this scope that the head of the closure uses. */
static void mark_used(
	struct passes *p, struct term *const *used, uint32_t nused)
{
	struct names l = {0};

	for (uint32_t i = 0; i < nused; i++)
		names_of_term(p, &l, used[i], 0);
	for (uint32_t i = 0; i < l.len; i++) {
		const struct term *t = l.items[i];
		struct name *n = name_of(p, t->var.name);

		if (n->bind && !(t->var.var && t->var.var->declared))
			n->bind->used = true;
	}
}

static void unused_error(
	struct passes *p, const char *how, const struct bind *b, struct loc loc)
{
	p->nunused++;
	found_add(p, ST_LOCALS, true, ERR_COMPILE, loc, "%s var %s unused", how,
		b->name->str->bytes);
}

static struct loc declared_at(const struct passes *p, const struct bind *b)
{
	struct loc loc = b->quiet ? p->scope->first : b->loc;

	for (const struct bind *l = p->scope->leaked; l; l = l->next)
		if (l->name == b->name && l->loc.off < loc.off)
			loc = l->loc;
	return loc;
}

/* Unused variables of the scope that ends; only the first such is reported. */
static void check_unused(
	struct passes *p, struct term *const *used, uint32_t nused)
{
	struct scope *s = p->scope;
	bool any = false, reported = p->nunused > 0;

	if (p->nlocal_errors || reported)
		return;
	for (struct bind *b = s->binds; b && !any; b = b->next)
		any = (b->occ == O_ASSIGNED && p->c->strict && b->count <= 1 &&
			      !b->name->wildcard) ||
		      (b->occ == O_DECLARED && !b->present);
	if (!any)
		return;
	mark_used(p, used, nused);
	for (struct bind *b = s->binds; b; b = b->next)
		if (p->c->strict && b->occ == O_ASSIGNED && b->count <= 1 &&
			!b->used && !b->name->wildcard)
			unused_error(p, "assigned", b, b->loc);
	if (p->nunused)
		return;
	for (struct bind *b = s->binds; b; b = b->next)
		if (b->occ == O_DECLARED && !b->present && !b->used)
			unused_error(p, "declared", b, declared_at(p, b));
}

static void local_body(struct passes *p, struct body *b,
	struct term *const *used, uint32_t nused)
{
	uint32_t n = 0;

	p->scope->first = b->len ? b->items[0]->loc : b->loc;
	for (uint32_t i = 0; i < b->len; i++) {
		struct expr *x = b->items[i];

		p->scope->at = x->loc;
		local_stmt(p, &x);
		if (x)
			b->items[n++] = x;
	}
	b->len = n;
	if (!n) {
		struct term *t = term_new(p, T_SCALAR, (struct loc){0});

		t->val = v_true;
		body_add(p->a, b, expr_new(p, t, (struct loc){0}));
	}
	check_unused(p, used, nused);
}

/* --- heads
 * ----------------------------------------------------------------------------
 */

/*
 * Closures in a head have scopes of their own, made before the body's: what
 * they do not declare themselves is given its variable by head_term().
 */
static void head_closures(struct passes *p, struct term *t)
{
	struct scope s;

	switch (t->kind) {
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		p->nunused = 0;
		scope_push(p, &s);
		local_comp(p, t->comp);
		scope_pop(p, false);
		break;
	case T_TEMPLATE:
		scope_push(p, &s);
		local_template(p, t->tmpl);
		scope_pop(p, false);
		break;
	case T_REF:
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
	case T_CALL:
		for (uint32_t i = 0; i < t->list.len; i++)
			if (t->list.items[i]->kind != T_SCALAR)
				head_closures(p, t->list.items[i]);
		break;
	default:
		break;
	}
}

static void head_term(struct passes *p, struct term *t);

static void head_body(struct passes *p, struct body *b);

static void head_expr(struct passes *p, struct expr *x)
{
	struct body *inside[2];
	uint32_t n = expr_bodies(x, inside);

	if (x->kind == X_TERM)
		head_term(p, x->term);
	if (x->kind == X_EVERY)
		head_term(p, x->every.domain);
	for (uint32_t i = 0; i < n; i++)
		head_body(p, inside[i]);
	for (uint32_t i = 0; i < x->nwiths; i++) {
		head_term(p, x->withs[i].target);
		head_term(p, x->withs[i].value);
	}
}

static void head_body(struct passes *p, struct body *b)
{
	for (uint32_t i = 0; i < b->len; i++)
		head_expr(p, b->items[i]);
}

/* A name of the head is the body's variable, if the body has declared it. */
static void head_name(struct passes *p, struct term *t, bool root)
{
	struct name *n = name_of(p, t->var.name);
	struct var *v = t->var.var;

	if (v && !is_free(p, n, v))
		return;
	if (n->wildcard)
		t->var.var = var_new(p, n->str, t->loc);
	else if (n->bind && n->bind->renamed)
		t->var.var = n->bind->var;
	else if (!root)
		t->var.var = free_var(p, n, t->loc);
}

static void head_list(struct passes *p, struct term *t, bool function)
{
	struct term *head = t->list.items[0];
	uint32_t i = 0;

	if (t->kind == T_REF && head->kind == T_VAR) {
		struct name *n = name_of(p, head->var.name);

		head_name(p, head, function || n->reserved);
		i = 1;
	}
	if (t->kind == T_CALL) {
		head_list(p, t->list.items[0], true);
		i = 1;
	}
	for (; i < t->list.len; i++)
		head_term(p, t->list.items[i]);
}

static void head_term(struct passes *p, struct term *t)
{
	switch (t->kind) {
	case T_VAR:
		head_name(p, t, false);
		break;
	case T_REF:
	case T_CALL:
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
		if (t->list.len)
			head_list(p, t, false);
		break;
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		if (t->comp->key)
			head_term(p, t->comp->key);
		head_term(p, t->comp->head);
		head_body(p, t->comp->body);
		break;
	case T_TEMPLATE:
		for (uint32_t i = 0; i < t->tmpl->len; i++)
			if (t->tmpl->parts[i].expr)
				head_expr(p, t->tmpl->parts[i].expr);
		break;
	default:
		break;
	}
}

/* Terms of the head that may hold names; returns how many. */
static uint32_t head_terms(
	struct passes *p, const struct rule *b, struct term ***out)
{
	const struct head *h = &b->head;
	uint32_t n = 0, nref = h->ref ? h->ref->list.len : 1;

	*out = arena_raw(&p->scratch, (nref + 1) * sizeof(**out));
	for (uint32_t i = 1; i < nref; i++)
		if (h->ref->list.items[i]->kind != T_SCALAR)
			(*out)[n++] = h->ref->list.items[i];
	if (h->key && h->key->kind != T_SCALAR)
		(*out)[n++] = h->key;
	if (h->value && h->value->kind != T_SCALAR)
		(*out)[n++] = h->value;
	return n;
}

/* --- arguments
 * ---------------------------------------------------------------------------
 */

/* Names that arguments bind, for each branch of the rule anew. */
struct args {
	struct arg {
		struct name *name;
		struct var *var;
		uint32_t count;
		bool used;
		struct bind *bind;
	} * items;
	uint32_t len, cap;
};

static struct arg *arg_add(
	struct passes *p, struct args *l, const struct term *t)
{
	struct name *n = name_of(p, t->var.name);

	for (uint32_t i = 0; i < l->len; i++)
		if (l->items[i].name == n && !n->wildcard)
			return &l->items[i];
	l->items = arena_grow(
		&p->scratch, l->items, l->len, &l->cap, sizeof(*l->items));
	l->items[l->len] = (struct arg){.name = n};
	return &l->items[l->len++];
}

/* Names that are in an argument but not bound by it can still be unused. */
static void arg_unbound(struct passes *p, struct args *l, const struct term *t)
{
	struct names in = {0};

	if (!p->c->strict)
		return;
	names_of_term(p, &in, t, 0);
	for (uint32_t i = 0; i < in.len; i++)
		arg_add(p, l, in.items[i]);
}

static void arg_bind(struct passes *p, struct args *l, struct term *t)
{
	struct arg *a = arg_add(p, l, t);

	if (!a->var) {
		a->var = var_new(p, a->name->str, t->loc);
		a->var->is_arg = a->var->declared = true;
		p->nlocals++;
	}
	a->count++;
	t->var.var = a->var;
}

static void arg_term(struct passes *p, struct args *l, struct term *t)
{
	uint32_t from = 0, step = 1;

	switch (t->kind) {
	case T_VAR:
		arg_bind(p, l, t);
		return;
	case T_CALL:
		arg_unbound(p, l, t);
		locals_error(
			p, t->loc, "%s", "rule arguments cannot contain calls");
		return;
	case T_OBJECT: /* keys are not patterns */
		for (uint32_t i = 0; i < t->list.len; i += 2)
			arg_unbound(p, l, t->list.items[i]);
		from = 1;
		step = 2;
		break;
	case T_REF:
	case T_ARRAY:
		break;
	default:
		arg_unbound(p, l, t);
		return;
	}
	for (uint32_t i = from; i < t->list.len; i += step)
		arg_term(p, l, t->list.items[i]);
	if (t->kind == T_OBJECT)
		term_drop_equal_keys(t);
}

static void args_enter(struct passes *p, struct args *l)
{
	for (uint32_t i = 0; i < l->len; i++) {
		struct arg *a = &l->items[i];

		a->bind = NULL;
		if (!a->var)
			continue;
		a->bind = bind_new(p, a->name, O_ARG, a->var);
		a->bind->count = a->count;
	}
}

/* Strict: an argument is used if the value or the body names it. */
static void args_note_used(struct args *l)
{
	for (uint32_t i = 0; i < l->len; i++) {
		const struct bind *b = l->items[i].name->bind;

		if (b && b->count > 1)
			l->items[i].used = true;
	}
}

static void args_in_value(
	struct passes *p, struct args *l, const struct term *value)
{
	struct names in = {0};

	if (!value || !p->c->strict)
		return;
	names_of_term(p, &in, value, 0);
	for (uint32_t i = 0; i < in.len; i++)
		for (uint32_t k = 0; k < l->len; k++)
			if (l->items[k].name->str == in.items[i]->var.name)
				l->items[k].used = true;
}

static void check_unused_args(
	struct passes *p, const struct args *l, const struct rule *r)
{
	for (uint32_t i = 0; i < l->len; i++)
		if (!l->items[i].used && !l->items[i].name->wildcard)
			found_add(p, ST_LOCALS, true, ERR_COMPILE, r->head.loc,
				"unused argument %s. (hint: use _ (wildcard "
				"variable) instead)",
				l->items[i].name->str->bytes);
}

/* --- variables named like builtins
 * ------------------------------------------------------ */

static void declared_names(
	struct passes *p, struct names *l, const struct body *b)
{
	for (uint32_t i = 0; i < b->len; i++) {
		const struct expr *x = b->items[i];
		struct body *inside[2];
		uint32_t n = expr_bodies(x, inside);

		switch (x->kind) {
		case X_TERM:
			if (expr_is_op(x, p->assign) && expr_noperands(x) == 2)
				names_of_term(p, l, expr_operand(x, 0), 0);
			break;
		case X_SOME:
			for (uint32_t k = 0; k < x->some.len; k++) {
				const struct term *t = x->some.symbols[k];

				if (t->kind != T_CALL) {
					names_of_term(p, l, t, 0);
					continue;
				}
				for (uint32_t m = 1; m + 1 < t->list.len; m++)
					names_of_term(
						p, l, t->list.items[m], 0);
			}
			break;
		default:
			break;
		}
		for (uint32_t k = 0; k < n; k++)
			declared_names(p, l, inside[k]);
	}
}

/* Names in targets and values of `with`, wherever they stand in the rule. */
static void with_names(struct passes *p, struct names *l, const struct body *b);

static void with_names_term(
	struct passes *p, struct names *l, const struct term *t)
{
	for (uint32_t i = 0; i < term_len(t); i++)
		with_names_term(p, l, t->list.items[i]);
	if (term_is_comp(t))
		with_names(p, l, t->comp->body);
}

static void with_names(struct passes *p, struct names *l, const struct body *b)
{
	for (uint32_t i = 0; i < b->len; i++) {
		const struct expr *x = b->items[i];
		struct body *inside[2];
		uint32_t n = expr_bodies(x, inside);

		for (uint32_t k = 0; k < x->nwiths; k++) {
			names_of_term(p, l, x->withs[k].target, 0);
			names_of_term(p, l, x->withs[k].value, 0);
		}
		if (x->kind == X_TERM)
			with_names_term(p, l, x->term);
		for (uint32_t k = 0; k < n; k++)
			with_names(p, l, inside[k]);
	}
}

/* Names in the body itself, without operators and closures. */
static void plain_names(struct passes *p, struct names *l, const struct body *b)
{
	for (uint32_t i = 0; i < b->len; i++) {
		const struct expr *x = b->items[i];
		uint32_t k = expr_is_call(x) ? 1 : 0;

		if (x->kind == X_EVERY)
			names_of_term(p, l, x->every.domain, SKIP_SAFETY);
		if (x->kind == X_SOME)
			for (uint32_t m = 0; m < x->some.len; m++)
				names_of_term(
					p, l, x->some.symbols[m], SKIP_SAFETY);
		if (x->kind != X_TERM)
			continue;
		if (!k) {
			names_of_term(p, l, x->term, SKIP_SAFETY);
			continue;
		}
		for (; k < x->term->list.len; k++)
			names_of_term(
				p, l, x->term->list.items[k], SKIP_SAFETY);
	}
}

/*
 * OPA gives a variable that has the name of a builtin a name of its own, so
 * that calling the builtin in the same body is an error. Not where `with` may
 * mean the builtin.
 */
static void shadow_builtins(struct passes *p, const struct rule *branch)
{
	struct names plain = {0}, declared = {0}, with = {0};

	plain_names(p, &plain, branch->body);
	declared_names(p, &declared, branch->body);
	for (const struct rule *b = branch; b; b = b->els)
		with_names(p, &with, b->body);
	for (uint32_t i = 0; i < plain.len; i++) {
		const struct term *t = plain.items[i];
		struct name *n = name_of(p, t->var.name);
		struct var *v;

		if (!n->bi || n->bind || names_have(&declared, t) ||
			names_have(&with, t))
			continue;
		v = var_new(p, n->str, t->loc);
		v->declared = true;
		p->nlocals++;
		bind_new(p, n, O_SEEN, v);
	}
}

/* --- rules
 * --------------------------------------------------------------------------------
 */

static void local_branch(struct passes *p, struct args *args, struct rule *b)
{
	struct term **terms;
	struct scope s;
	uint32_t n = head_terms(p, b, &terms);

	p->nlocal_errors = 0;
	for (uint32_t i = 0; i < b->head.nargs; i++)
		head_closures(p, b->head.args[i]);
	for (uint32_t i = 0; i < n; i++)
		head_closures(p, terms[i]);
	p->nlocal_errors = p->nunused = 0;
	scope_push(p, &s);
	s.at = b->body->len ? b->body->items[0]->loc : b->loc;
	args_enter(p, args);
	if (b->marks & R_SHADOW)
		shadow_builtins(p, b);
	args_in_value(p, args, b->head.value);
	local_body(p, b->body, terms, n);
	args_note_used(args);
	for (uint32_t i = 0; i < b->head.nargs; i++)
		head_term(p, b->head.args[i]);
	for (uint32_t i = 0; i < n; i++)
		head_term(p, terms[i]);
	scope_pop(p, false);
}

void locals_of_rule(struct passes *p, struct rule *r)
{
	struct args args = {0};

	p->nlocal_errors = 0;
	for (uint32_t i = 0; i < r->head.nargs; i++)
		arg_term(p, &args, r->head.args[i]);
	for (struct rule *b = r; b; b = b->els)
		local_branch(p, &args, b);
	if (p->c->strict)
		check_unused_args(p, &args, r);
}

void locals_of_query(struct passes *p, struct rule *q)
{
	struct scope s;

	p->nlocal_errors = p->nunused = 0;
	scope_push(p, &s);
	local_body(p, q->body, NULL, 0);
	scope_pop(p, false);
}
