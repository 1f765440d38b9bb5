#include "rego/passes.h"

#include "rego/mismatch.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char ERR_COMPILE[] = "rego_compile_error";
const char ERR_TYPE[] = "rego_type_error";
const char ERR_UNSAFE[] = "rego_unsafe_var_error";
const char ERR_RECURSION[] = "rego_recursion_error";

/* Compile errors that are reported before OPA gives up. */
enum { ERRORS_MAX = 10 };

/* --- errors -------------------------------------------------------------- */

static uint32_t errors_max(const struct passes *p)
{
	return p->c->max_errors ? p->c->max_errors : ERRORS_MAX;
}

bool found_enough(const struct passes *p, enum stage s)
{
	return p->found_in[s] >= errors_max(p);
}

void found_vadd(struct passes *p, enum stage s, bool recoverable,
	const char *code, struct loc loc, const char *fmt, va_list ap)
{
	p->nfatal += !recoverable;
	/* Those past the limit are not reported; of a query one is counted. */
	if (p->found_in[s]++ >= errors_max(p) + p->query)
		return;
	p->found = arena_grow(
		p->a, p->found, p->nfound, &p->capfound, sizeof(*p->found));
	p->found[p->nfound++] = (struct found){
		.stage = s,
		.recoverable = recoverable,
		.loc = loc,
		.code = code,
		.message = arena_vprintf(p->a, fmt, ap),
	};
}

void found_why(struct passes *p, uint32_t before, struct mismatch *why)
{
	if (p->nfound > before)
		p->found[p->nfound - 1].why = why;
}

void found_add(struct passes *p, enum stage s, bool recoverable,
	const char *code, struct loc loc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	found_vadd(p, s, recoverable, code, loc, fmt, ap);
	va_end(ap);
}

static int by_stage(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->stage != y->stage)
		return x->stage < y->stage ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row; /* order of finding */
}

/* OPA's order of errors: file, row, column, text; no place comes last. */
static int by_place(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int c;

	if (!x->loc.src || !y->loc.src) {
		if (x->loc.src != y->loc.src)
			return x->loc.src ? -1 : 1;
	} else {
		c = strcmp(x->loc.src->name, y->loc.src->name);
		if (c)
			return c;
		if (x->row != y->row)
			return x->row < y->row ? -1 : 1;
		if (x->col != y->col)
			return x->col < y->col ? -1 : 1;
	}
	c = strcmp(x->code, y->code);
	return c ? c : strcmp(x->message, y->message);
}

/* How many of the errors, in order of stages, OPA would have seen. */
static uint32_t found_reached(struct passes *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->nfound; i++)
		p->found[i].row = i;
	qsort(p->found, p->nfound, sizeof(*p->found), by_stage);
	for (bool fatal = false; n < p->nfound; n++) {
		const struct found *f = &p->found[n];

		if (fatal && f->stage != p->found[n - 1].stage)
			break;
		fatal |= !f->recoverable;
	}
	return n;
}

static void found_report(
	struct passes *p, const struct found *f, struct diags *d)
{
	diag_add(d, f->code, f->loc, "%s", f->message);
	if (!f->why)
		return;
	d->items[d->len - 1].why = mismatch_text(p, f->why);
	d->items[d->len - 1].why_json = mismatch_json(p, f->why);
}

/* Hand the errors over to `d`, in OPA's order and number. */
static void errors_settle(struct passes *p, struct diags *d)
{
	uint32_t n = p->nfound ? found_reached(p) : 0;
	bool limit = n >= errors_max(p) + p->query;

	if (limit)
		n = errors_max(p);
	for (uint32_t i = 0; i < n; i++) {
		struct found *f = &p->found[i];

		f->row = f->col = 0;
		if (f->loc.src)
			source_pos(f->loc, &f->row, &f->col);
	}
	if (n && !p->query) /* of a query in the order of finding */
		qsort(p->found, n, sizeof(*p->found), by_place);
	for (uint32_t i = 0; i < n; i++)
		found_report(p, &p->found[i], d);
	if (limit)
		diag_add(
			d, ERR_COMPILE, (struct loc){0}, "error limit reached");
	p->nfound = 0;
	p->nfatal = 0;
	memset(p->found_in, 0, sizeof(p->found_in));
}

/* --- names ---------------------------------------------------------------- */

static size_t name_slot(const struct passes *p, const struct string *s)
{
	size_t mask = p->capnames - 1;
	size_t i = ((uintptr_t)s >> 4) * 0x9e3779b97f4a7c15u >> 20 & mask;

	while (p->names[i] && p->names[i]->str != s)
		i = (i + 1) & mask;
	return i;
}

static void names_grow(struct passes *p)
{
	struct name **old = p->names;
	uint32_t n = p->capnames;

	p->capnames = n ? 2 * n : 256;
	p->names = ARENA_ARRAY(p->a, struct name *, p->capnames);
	for (uint32_t i = 0; i < n; i++)
		if (old[i])
			p->names[name_slot(p, old[i]->str)] = old[i];
}

struct name *name_of(struct passes *p, const struct string *s)
{
	struct name **at = &p->names[name_slot(p, s)];
	struct name *n = *at;

	if (n)
		return n;
	n = ARENA_NEW(p->a, struct name);
	n->str = s;
	n->bi = capabilities_find(p->c->caps, (struct str){s->bytes, s->len});
	*at = n;
	if (2 * ++p->nnames > p->capnames)
		names_grow(p);
	return n;
}

static const struct string *interned(struct passes *p, const char *s)
{
	return sym_intern(p->c->syms, s, strlen(s)).str;
}

struct passes *passes_of(struct compiler *c)
{
	struct passes *p = c->passes;

	if (p)
		return p;
	p = ARENA_NEW(c->arena, struct passes);
	p->c = c;
	p->a = c->arena;
	c->passes = p;
	if (!c->diags.arena)
		c->diags.arena = c->arena;
	names_grow(p);
	p->input = name_of(p, interned(p, "input"));
	p->data = name_of(p, interned(p, "data"));
	p->wild = name_of(p, interned(p, "_"));
	p->input->reserved = p->data->reserved = true;
	p->wild->wildcard = true;
	p->eq = interned(p, "eq");
	p->assign = interned(p, "assign");
	p->equal = interned(p, "equal");
	p->print = interned(p, "print");
	p->internal = interned(p, "internal");
	p->rego = interned(p, "rego");
	p->member_2 = interned(p, "member_2");
	p->member_3 = interned(p, "member_3");
	p->template_string = interned(p, "template_string");
	p->test_case = interned(p, "test_case");
	return p;
}

static bool imports_rego_v2(const struct module *m)
{
	for (uint32_t i = 0; i < m->nimports; i++) {
		struct term *const *items = m->imports[i]->path->list.items;

		if (m->imports[i]->path->list.len == 2 &&
			strcmp(items[0]->var.name->bytes, "rego") == 0 &&
			strcmp(items[1]->val.str->bytes, "v2") == 0)
			return true;
	}
	return false;
}

bool module_is_v1(const struct module *m)
{
	return m->version != REGO_V0 || m->imports_rego_v1 ||
	       imports_rego_v2(m);
}

/* --- variables of a rule ---------------------------------------------------
 */

void rule_enter(struct passes *p, struct rule *r)
{
	uint32_t cap = 8;

	while (cap < r->nvars)
		cap *= 2;
	p->rule = r;
	p->vars = r->vars;
	p->nvars = r->nvars;
	p->capvars = r->vars ? cap : 0;
	p->rule_gen++;
}

void rule_leave(struct passes *p, struct rule *r)
{
	for (; r; r = r->els) {
		r->vars = p->vars;
		r->nvars = p->nvars;
	}
	p->rule = NULL;
	if (p->scratch.used > 1 << 16)
		arena_reset(&p->scratch);
}

struct var *var_new(struct passes *p, const struct string *name, struct loc loc)
{
	struct var *v = ARENA_NEW(p->a, struct var);

	p->vars = arena_grow(
		p->a, p->vars, p->nvars, &p->capvars, sizeof(*p->vars));
	v->name = name;
	v->id = p->nvars;
	v->loc = loc;
	v->wildcard = name == p->wild->str;
	p->vars[p->nvars++] = v;
	return v;
}

static const struct string *made_name(struct passes *p, uint32_t id)
{
	char text[32];

	if (id >= p->capmade) {
		uint32_t cap = p->capmade ? p->capmade : 64;
		const struct string **more;

		while (cap <= id)
			cap *= 2;
		more = ARENA_ARRAY(p->a, const struct string *, cap);
		if (p->made)
			memcpy(more, p->made, p->capmade * sizeof(*more));
		p->made = more;
		p->capmade = cap;
	}
	if (!p->made[id]) {
		snprintf(text, sizeof(text), "__local%u__", id);
		p->made[id] = interned(p, text);
	}
	return p->made[id];
}

struct var *var_made(struct passes *p, struct loc loc)
{
	struct var *v = var_new(p, made_name(p, p->nvars), loc);

	v->generated = true;
	return v;
}

bool var_hidden(const struct var *v)
{
	return v->generated || strncmp(v->name->bytes, "__local", 7) == 0;
}

/* --- terms -----------------------------------------------------------------
 */

struct term *term_new(struct passes *p, enum term_kind kind, struct loc loc)
{
	struct term *t = ARENA_NEW(p->a, struct term);

	t->kind = (uint8_t)kind;
	t->loc = loc;
	return t;
}

struct term *term_of_var(struct passes *p, struct var *v, struct loc loc)
{
	struct term *t = term_new(p, T_VAR, loc);

	t->var.name = v->name;
	t->var.var = v;
	return t;
}

struct term *term_op(struct passes *p, struct loc loc,
	const struct string *const *parts, uint32_t n)
{
	struct term *t;

	if (n == 1 && parts[0] == p->eq && p->eq_op)
		return p->eq_op; /* there are many; nobody asks where */
	t = term_new(p, T_REF, loc);

	t->list.items = ARENA_ARRAY(p->a, struct term *, n);
	t->list.len = n;
	for (uint32_t i = 0; i < n; i++) {
		struct term *x = term_new(p, i ? T_SCALAR : T_VAR, loc);

		if (i)
			x->val = sym_intern(
				p->c->syms, parts[i]->bytes, parts[i]->len);
		else
			x->var.name = parts[i];
		t->list.items[i] = x;
	}
	if (n == 1 && parts[0] == p->eq)
		p->eq_op = t;
	return t;
}

struct term *term_call(struct passes *p, struct loc loc, struct term *op,
	struct term *x, struct term *y)
{
	struct term *t = term_new(p, T_CALL, loc);

	t->list.items = arena_raw(p->a, 3 * sizeof(*t->list.items));
	t->list.len = y ? 3 : 2;
	t->list.items[0] = op;
	t->list.items[1] = x;
	t->list.items[2] = y;
	return t;
}

void term_drop_equal_keys(struct term *t)
{
	struct term **items = t->list.items;
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->list.len; i += 2) {
		if (i + 2 < t->list.len && !term_cmp(items[i], items[i + 2]))
			continue;
		items[n++] = items[i];
		items[n++] = items[i + 1];
	}
	t->list.len = n;
}

struct expr *expr_new(struct passes *p, struct term *t, struct loc loc)
{
	struct expr *x = ARENA_NEW(p->a, struct expr);

	x->kind = X_TERM;
	x->term = t;
	x->loc = loc;
	return x;
}

struct expr *expr_equals(struct passes *p, struct term *v, struct term *t)
{
	struct term *op = term_op(p, t->loc, &p->eq, 1);
	struct expr *x = expr_new(p, term_call(p, t->loc, op, v, t), t->loc);

	x->generated = true;
	return x;
}

struct expr *expr_capture(struct passes *p, struct term *t)
{
	return expr_equals(p, term_of_var(p, var_made(p, t->loc), t->loc), t);
}

bool expr_is_op(const struct expr *x, const struct string *name)
{
	const struct term *op;

	if (!expr_is_call(x))
		return false;
	op = x->term->list.items[0];
	return op->kind == T_REF && op->list.len == 1 &&
	       op->list.items[0]->kind == T_VAR &&
	       op->list.items[0]->var.name == name &&
	       !op->list.items[0]->var.var;
}

bool body_is_true(const struct body *b)
{
	const struct expr *x;

	if (b->len != 1)
		return false;
	x = b->items[0];
	return x->kind == X_TERM && x->term->kind == T_SCALAR &&
	       x->term->val.tag == V_TRUE;
}

/*
 * OPA looks at the term only: a body of `not true` is replaced as well, and
 * so is one of `true with input as x`.
 */
void body_append(struct passes *p, struct body *b, struct expr *x)
{
	if (body_is_true(b))
		b->len = 0;
	x->index = b->len;
	body_add(p->a, b, x);
}

const struct builtin *builtin_of_ref(struct passes *p, const struct term *ref)
{
	const struct term *head;
	char text[128];
	size_t n;

	if (ref->kind != T_REF)
		return NULL;
	head = ref->list.items[0];
	if (head->kind != T_VAR || head->var.var)
		return NULL;
	if (ref->list.len == 1)
		return name_of(p, head->var.name)->bi;
	if (head->var.name == p->data->str || head->var.name->len > 100)
		return NULL;
	n = head->var.name->len;
	memcpy(text, head->var.name->bytes, n);
	for (uint32_t i = 1; i < ref->list.len; i++) {
		const struct term *t = ref->list.items[i];

		if (t->kind != T_SCALAR || t->val.tag != V_STR ||
			n + 1 + t->val.str->len > sizeof(text) ||
			memchr(t->val.str->bytes, '.', t->val.str->len))
			return NULL;
		text[n++] = '.';
		memcpy(text + n, t->val.str->bytes, t->val.str->len);
		n += t->val.str->len;
	}
	return capabilities_find(p->c->caps, (struct str){text, n});
}

const char *text_of(struct passes *p, const struct term *t)
{
	struct buf b = {0};
	char *s;

	term_text(&b, t);
	s = arena_strdup(p->a, buf_str(&b));
	buf_release(&b);
	return s;
}

const char *loc_text(struct passes *p, struct loc loc)
{
	uint32_t row, col;

	if (!loc.src)
		return "";
	source_pos(loc, &row, &col);
	if (!*loc.src->name)
		return arena_printf(p->a, "%u:%u", row, col);
	return arena_printf(p->a, "%s:%u", loc.src->name, row);
}

/* OPA's requiresEval(): has a ref or a comprehension anywhere. */
bool term_has_refs(const struct term *t)
{
	switch (t->kind) {
	case T_REF:
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		return true;
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
	case T_CALL:
		for (uint32_t i = 0; i < t->list.len; i++)
			if (term_has_refs(t->list.items[i]))
				return true;
		return false;
	case T_BODY:
		return true;
	default:
		return false;
	}
}

bool term_is_constant(const struct term *t)
{
	switch (t->kind) {
	case T_SCALAR:
		return true;
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
		for (uint32_t i = 0; i < t->list.len; i++)
			if (!term_is_constant(t->list.items[i]))
				return false;
		return true;
	default:
		return false;
	}
}

/* --- sets of variables
 * -------------------------------------------------------- */

void vlist_start(struct passes *p, struct vlist *l)
{
	if (p->capstamps < p->nvars) {
		uint32_t cap = p->capstamps ? p->capstamps : 64;

		while (cap < p->nvars)
			cap *= 2;
		p->stamps = ARENA_ARRAY(p->a, uint32_t, cap);
		p->capstamps = cap;
	}
	l->len = 0;
	l->gen = ++p->gen;
}

void vlist_add(struct passes *p, struct vlist *l, struct var *v)
{
	if (l->known) {
		l->unknown |= !l->known(l->ctx, v);
		return;
	}
	if (p->stamps[v->id] == l->gen)
		return;
	p->stamps[v->id] = l->gen;
	vlist_push(p, l, v);
}

void vlist_push(struct passes *p, struct vlist *l, struct var *v)
{
	l->items = arena_grow(
		&p->scratch, l->items, l->len, &l->cap, sizeof(*l->items));
	l->items[l->len++] = v;
}

struct vset vset_new(struct passes *p, const struct vset *from)
{
	struct vset s = {.n = p->nvars / 64 + 1};

	s.words = ARENA_ARRAY(&p->scratch, uint64_t, s.n);
	if (from)
		memcpy(s.words, from->words,
			(from->n < s.n ? from->n : s.n) * sizeof(*s.words));
	return s;
}

void vset_add(struct vset *s, const struct var *v)
{
	s->words[v->id / 64] |= (uint64_t)1 << (v->id % 64);
}

void vset_del(struct vset *s, const struct var *v)
{
	s->words[v->id / 64] &= ~((uint64_t)1 << (v->id % 64));
}

/* --- variables in terms (OPA's VarVisitor)
 * -------------------------------------- */

static void comp_vars(
	struct passes *p, struct vlist *l, const struct comp *c, unsigned skip)
{
	if (c->key)
		term_vars(p, l, c->key, skip);
	term_vars(p, l, c->head, skip);
	body_vars(p, l, c->body, skip);
}

static void list_vars(struct passes *p, struct vlist *l, const struct term *t,
	uint32_t from, uint32_t step, unsigned skip)
{
	for (uint32_t i = from; i < t->list.len; i += step)
		term_vars(p, l, t->list.items[i], skip);
}

void term_vars(
	struct passes *p, struct vlist *l, const struct term *t, unsigned skip)
{
	switch (t->kind) {
	case T_VAR:
		if (t->var.var)
			vlist_add(p, l, t->var.var);
		break;
	case T_REF:
		list_vars(p, l, t, skip & SKIP_REF_HEAD ? 1 : 0, 1, skip);
		break;
	case T_ARRAY:
		list_vars(p, l, t, 0, 1, skip);
		break;
	case T_SET:
		if (!(skip & SKIP_SETS))
			list_vars(p, l, t, 0, 1, skip);
		break;
	case T_OBJECT:
		if (skip & SKIP_KEYS)
			list_vars(p, l, t, 1, 2, skip);
		else
			list_vars(p, l, t, 0, 1, skip);
		break;
	case T_CALL:
		if (skip & SKIP_CALL_HEAD) {
			list_vars(p, l, t->list.items[0], 1, 1, skip);
			list_vars(p, l, t, 1, 1, skip);
		} else {
			list_vars(p, l, t, 0, 1, skip);
		}
		break;
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		if (!(skip & SKIP_CLOSURES))
			comp_vars(p, l, t->comp, skip);
		break;
	case T_TEMPLATE:
		if (skip & SKIP_CLOSURES)
			break;
		for (uint32_t i = 0; i < t->tmpl->len; i++)
			if (t->tmpl->parts[i].expr)
				expr_vars(p, l, t->tmpl->parts[i].expr, skip);
		break;
	case T_BODY:
		if (!(skip & SKIP_CLOSURES))
			body_vars(p, l, t->body, skip);
		break;
	default:
		break;
	}
}

/* The first step of a ref that is a target or value may name a function. */
void with_vars(
	struct passes *p, struct vlist *l, const struct with *w, unsigned skip)
{
	if (!(skip & SKIP_CALL_HEAD)) {
		term_vars(p, l, w->target, skip);
		term_vars(p, l, w->value, skip);
		return;
	}
	if (w->target->kind == T_REF)
		list_vars(p, l, w->target, 1, 1, skip);
	if (w->value->kind == T_REF)
		list_vars(p, l, w->value, 1, 1, skip);
	else
		term_vars(p, l, w->value, skip);
}

void expr_vars(
	struct passes *p, struct vlist *l, const struct expr *x, unsigned skip)
{
	struct body *inside[2];
	uint32_t n;

	switch (x->kind) {
	case X_TERM:
		term_vars(p, l, x->term, skip);
		break;
	case X_SOME:
		for (uint32_t i = 0; i < x->some.len; i++)
			term_vars(p, l, x->some.symbols[i], skip);
		break;
	case X_EVERY:
		if (skip & SKIP_CLOSURES) { /* nor its with */
			term_vars(p, l, x->every.domain, skip);
			return;
		}
		if (x->every.key)
			term_vars(p, l, x->every.key, skip);
		term_vars(p, l, x->every.value, skip);
		term_vars(p, l, x->every.domain, skip);
		break;
	default:
		break;
	}
	n = skip & SKIP_CLOSURES ? 0 : expr_bodies(x, inside);
	for (uint32_t i = 0; i < n; i++)
		body_vars(p, l, inside[i], skip);
	for (uint32_t i = 0; i < x->nwiths; i++)
		with_vars(p, l, &x->withs[i], skip);
}

void body_vars(
	struct passes *p, struct vlist *l, const struct body *b, unsigned skip)
{
	for (uint32_t i = 0; i < b->len; i++)
		expr_vars(p, l, b->items[i], skip);
}

/* --- walking
 * ------------------------------------------------------------------ */

static void visit_list(struct visit *v, struct term *const *items, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		visit_term(v, items[i]);
}

void visit_term(struct visit *v, struct term *t)
{
	if (v->term && v->term(v, t))
		return;
	switch (t->kind) {
	case T_REF:
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
	case T_CALL:
		visit_list(v, t->list.items, t->list.len);
		break;
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		if (t->comp->key)
			visit_term(v, t->comp->key);
		visit_term(v, t->comp->head);
		visit_body(v, t->comp->body);
		break;
	case T_TEMPLATE:
		for (uint32_t i = 0; i < t->tmpl->len; i++)
			if (t->tmpl->parts[i].expr)
				visit_expr(v, t->tmpl->parts[i].expr);
		break;
	default:
		break;
	}
}

static void visit_inside(struct visit *v, struct expr *x)
{
	struct body *inside[2];
	uint32_t n;

	switch (x->kind) {
	case X_TERM:
		if (expr_is_call(x)) /* the call is the statement itself */
			visit_list(v, x->term->list.items, x->term->list.len);
		else
			visit_term(v, x->term);
		break;
	case X_SOME:
		visit_list(v, x->some.symbols, x->some.len);
		break;
	case X_EVERY:
		if (x->every.key)
			visit_term(v, x->every.key);
		visit_term(v, x->every.value);
		visit_term(v, x->every.domain);
		break;
	default:
		break;
	}
	n = expr_bodies(x, inside);
	for (uint32_t i = 0; i < n; i++)
		visit_body(v, inside[i]);
}

void visit_expr(struct visit *v, struct expr *x)
{
	if (v->expr && v->expr(v, x))
		return;
	visit_inside(v, x);
	for (uint32_t i = 0; i < x->nwiths; i++) {
		visit_term(v, x->withs[i].target);
		visit_term(v, x->withs[i].value);
	}
}

void visit_body(struct visit *v, struct body *b)
{
	for (uint32_t i = 0; i < b->len; i++)
		visit_expr(v, b->items[i]);
}

void visit_head(struct visit *v, struct head *h)
{
	visit_list(v, h->args, h->nargs);
	if (h->key)
		visit_term(v, h->key);
	if (h->value)
		visit_term(v, h->value);
}

/* --- driver ------------------------------------------------------------------
 */

void compile_add(struct compiler *c, struct module *m)
{
	c->mods = arena_grow(
		c->arena, c->mods, c->nmods, &c->cap, sizeof(*c->mods));
	c->mods[c->nmods++] = m;
}

static int by_name(const void *a, const void *b)
{
	const struct module *const *x = a, *const *y = b;

	return strcmp((*x)->src->name, (*y)->src->name);
}

bool compile_modules(struct compiler *c)
{
	static void (*const passes[])(struct compiler * c) = {
		pass_resolve,
		pass_lower,
		pass_check,
		pass_safety,
		pass_lower_late,
		pass_recursion,
		pass_types,
		pass_deprecated,
	};
	struct passes *p = passes_of(c);
	uint32_t before = c->diags.len;

	if (c->nmods)
		qsort(c->mods, c->nmods, sizeof(*c->mods), by_name);
	read_input_schema(p);
	for (size_t i = 0; i < COUNT(passes) && !p->nfatal; i++)
		passes[i](c);
	errors_settle(p, &c->diags);
	arena_release(&p->scratch);
	if (c->root)
		tree_sort(c->arena, c->root);
	return c->diags.len == before;
}

struct rule *compile_query(struct compiler *c, struct body *query,
	const struct module *ctx, struct diags *d)
{
	static void (*const parts[])(struct passes * p, struct rule * q) = {
		query_lower,
		query_check,
		query_safety,
		query_lower_late,
		query_types,
		query_deprecated,
	};
	struct passes *p = passes_of(c);
	struct rule *q = ARENA_NEW(c->arena, struct rule);
	uint32_t before = d->len;

	q->body = query;
	q->loc = query->loc;
	p->query = true;
	query_resolve(p, q, ctx);
	for (size_t i = 0; i < COUNT(parts) && !p->nfound; i++)
		parts[i](p, q);
	errors_settle(p, d);
	p->query = false;
	arena_release(&p->scratch);
	return d->len == before ? q : NULL;
}
