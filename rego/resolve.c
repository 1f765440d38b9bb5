/*
 * resolve: what every name means.
 *
 * Two walks over each rule, as in OPA, for their rules of scope differ. The
 * first, here, makes names of rules and imports full refs, except where the
 * body (or an argument) declares the name: there it looks at whole bodies at
 * once, so that `x; x := 1` does not mean a rule x. The second is in locals.c.
 */
#include "rego/passes.h"

#include <stdlib.h>
#include <string.h>

/* --- what a package defines -------------------------------------------- */

static struct export *export_slot(
	const struct package *pkg, const struct string *s)
{
	size_t mask = pkg->cap - 1;
	size_t i = ((uintptr_t)s >> 4) * 0x9e3779b97f4a7c15u >> 20 & mask;

	while (pkg->exports[i].name && pkg->exports[i].name != s)
		i = (i + 1) & mask;
	return &pkg->exports[i];
}

static void exports_grow(struct passes *p, struct package *pkg)
{
	struct export *old = pkg->exports;
	uint32_t n = pkg->cap;

	pkg->cap = n ? 2 * n : 16;
	pkg->exports = ARENA_ARRAY(p->a, struct export, pkg->cap);
	for (uint32_t i = 0; i < n; i++)
		if (old[i].name)
			*export_slot(pkg, old[i].name) = old[i];
}

void package_export(
	struct passes *p, struct package *pkg, const struct string *name)
{
	const struct term *path = pkg->path;
	struct export *at;
	struct term *last;

	if (2 * pkg->len >= pkg->cap)
		exports_grow(p, pkg);
	at = export_slot(pkg, name);
	if (at->name)
		return;
	at->name = name;
	at->global = ARENA_NEW(p->a, struct global);
	at->global->len = path->list.len + 1;
	at->global->items =
		ARENA_ARRAY(p->a, struct term *, path->list.len + 1);
	memcpy(at->global->items, path->list.items,
		path->list.len * sizeof(*path->list.items));
	last = term_new(p, T_SCALAR, path->loc);
	last->val = sym_intern(p->c->syms, name->bytes, name->len);
	at->global->items[path->list.len] = last;
	pkg->len++;
}

/* Imports of future.keywords, rego.v1 and the like name no document. */
static bool import_is_document(const struct passes *p, const struct import *im)
{
	const struct term *head = im->path->list.items[0];

	return head->var.name == p->data->str ||
	       head->var.name == p->input->str ||
	       (strcmp(head->var.name->bytes, "future") != 0 &&
		       strcmp(head->var.name->bytes, "rego") != 0);
}

static const struct string *import_name(const struct import *im)
{
	const struct term *last;

	if (im->alias)
		return im->alias;
	last = im->path->list.items[im->path->list.len - 1];
	return last->kind == T_VAR ? last->var.name : last->val.str;
}

static void imports_enter(struct passes *p, const struct module *m)
{
	for (uint32_t i = 0; i < m->nimports; i++) {
		const struct import *im = m->imports[i];
		struct name *n = name_of(p, import_name(im));

		if (!import_is_document(p, im))
			continue;
		n->imported = ARENA_NEW(p->a, struct global);
		n->imported->items = im->path->list.items;
		n->imported->len = im->path->list.len;
		n->imported->head = im->path->list.items[0];
		n->imported_gen = p->mod_gen;
	}
}

static struct term *head_new(struct passes *p)
{
	struct term *head = term_new(p, T_VAR, (struct loc){0});

	head->var.name = p->data->str;
	return head;
}

/* The full ref of a name in this module, or NULL. Imports hide rules. */
static struct global *global_of(struct passes *p, struct name *n)
{
	if (n->ignored || n->wildcard)
		return NULL;
	if (n->imported_gen == p->mod_gen)
		return n->imported;
	if (n->pkg != p->pkg) {
		n->pkg = p->pkg;
		n->global = p->pkg && p->pkg->len
				    ? export_slot(p->pkg, n->str)->global
				    : NULL;
	}
	return n->global;
}

/* --- names that bodies declare -------------------------------------------- */

/* Names hidden from global_of() at the moment, newest last. */
struct hidden {
	struct name **items;
	uint32_t len, cap;
};

struct resolver {
	struct passes *p;
	struct hidden hidden;
	unsigned marks; /* of the rule */
};

static void hide(struct resolver *r, const struct string *s)
{
	struct hidden *h = &r->hidden;
	struct name *n = name_of(r->p, s);

	h->items = arena_grow(
		&r->p->scratch, h->items, h->len, &h->cap, sizeof(*h->items));
	n->ignored++;
	h->items[h->len++] = n;
}

static void unhide(struct resolver *r, uint32_t to)
{
	while (r->hidden.len > to)
		r->hidden.items[--r->hidden.len]->ignored--;
}

/* All variables in a term that may stand left of `:=` or in `some`. */
static void hide_vars(struct resolver *r, const struct term *t)
{
	if (t->kind == T_VAR)
		hide(r, t->var.name);
	for (uint32_t i = 0; i < term_len(t); i++)
		hide_vars(r, t->list.items[i]);
}

static void hide_declared(struct resolver *r, const struct body *b);

static void hide_some(struct resolver *r, const struct expr *x)
{
	const struct term *call;

	for (uint32_t i = 0; i < x->some.len; i++)
		if (x->some.symbols[i]->kind == T_VAR)
			hide(r, x->some.symbols[i]->var.name);
	call = x->some.symbols[0];
	if (call->kind != T_CALL)
		return;
	for (uint32_t i = 1; i + 1 < call->list.len; i++)
		hide_vars(r, call->list.items[i]);
}

/* OPA's declaredVars(): into `every` and `not`, not into comprehensions. */
static void hide_expr(struct resolver *r, const struct expr *x)
{
	struct body *inside[2];
	uint32_t n;

	switch (x->kind) {
	case X_TERM:
		if (expr_is_op(x, r->p->assign) && expr_noperands(x) == 2)
			hide_vars(r, expr_operand(x, 0));
		break;
	case X_SOME:
		hide_some(r, x);
		break;
	default:
		break;
	}
	n = expr_bodies(x, inside);
	for (uint32_t i = 0; i < n; i++)
		hide_declared(r, inside[i]);
}

static void hide_declared(struct resolver *r, const struct body *b)
{
	for (uint32_t i = 0; i < b->len; i++)
		hide_expr(r, b->items[i]);
}

/* --- first walk: refs ---------------------------------------------------- */

static void resolve_body(struct resolver *r, struct body *b);
static void resolve_expr(struct resolver *r, struct expr *x);
static struct term *resolve_term(struct resolver *r, struct term *t);

/*
 * The items of a global at the place of the name, and room for `more`. As in
 * OPA all refs of a module that were written without their package share one
 * `data`, and all that use an import share its head: they end up at the place
 * of the last of them, which is where type errors stand.
 */
static struct term **global_items(
	struct resolver *r, const struct global *g, struct loc loc, size_t more)
{
	struct term **items =
		ARENA_ARRAY(r->p->a, struct term *, g->len + more);

	items[0] = g->head ? g->head : r->p->mod_head;
	items[0]->loc = loc;
	for (uint32_t i = 1; i < g->len; i++) {
		items[i] = arena_raw(r->p->a, sizeof(**items));
		*items[i] = *g->items[i];
		items[i]->loc = loc;
	}
	return items;
}

static struct term *resolve_name(struct resolver *r, struct term *t)
{
	struct name *n = name_of(r->p, t->var.name);
	struct global *g;
	struct term *head;

	if (n->reserved) { /* OPA's parser makes refs of input and data */
		head = arena_raw(r->p->a, sizeof(*head));
		*head = *t;
		t->kind = T_REF;
		t->list.items = ARENA_ARRAY(r->p->a, struct term *, 1);
		t->list.items[0] = head;
		t->list.len = 1;
		return resolve_term(r, t);
	}
	if (n->bi)
		r->marks |= R_SHADOW;
	g = global_of(r->p, n);
	if (!g)
		return t;
	g->used = true;
	if (g->items[0]->var.name == r->p->data->str)
		r->marks |= R_DATA;
	t->kind = T_REF;
	t->list.items = global_items(r, g, t->loc, 0);
	t->list.len = g->len;
	return t;
}

static void resolve_steps(struct resolver *r, struct term *t, uint32_t from)
{
	for (uint32_t i = from; i < t->list.len; i++)
		if (t->list.items[i]->kind != T_SCALAR)
			t->list.items[i] = resolve_term(r, t->list.items[i]);
}

static void resolve_ref(struct resolver *r, struct term *t)
{
	struct term *head = t->list.items[0];
	uint32_t n = t->list.len;
	struct global *g;

	if (head->kind != T_VAR) {
		t->list.items[0] = resolve_term(r, head);
		resolve_steps(r, t, 1);
		return;
	}
	if (head->var.name == r->p->data->str)
		r->marks |= R_DATA;
	if (name_of(r->p, head->var.name)->bi)
		r->marks |= R_SHADOW;
	g = global_of(r->p, name_of(r->p, head->var.name));
	if (!g) {
		resolve_steps(r, t, 1);
		return;
	}
	g->used = true;
	if (g->items[0]->var.name == r->p->data->str)
		r->marks |= R_DATA;
	struct term **items = global_items(r, g, head->loc, n - 1);

	memcpy(items + g->len, t->list.items + 1, (n - 1) * sizeof(*items));
	t->list.items = items;
	t->list.len = g->len + n - 1;
	resolve_steps(r, t, g->len);
}

/*
 * Void builtins are print and its internal form; `in` is internal, too.
 * Metadata is asked for as rego.metadata.*.
 */
static void note_operator(struct resolver *r, const struct term *op)
{
	struct passes *p = r->p;
	const struct term *head, *last;
	const struct builtin *bi;

	if (op->kind != T_REF)
		return;
	head = op->list.items[0];
	last = op->list.items[op->list.len - 1];
	if (head->kind != T_VAR)
		return;
	if (head->var.name == p->internal && last->kind == T_SCALAR &&
		last->val.tag == V_STR && last->val.str != p->member_2 &&
		last->val.str != p->member_3)
		r->marks |= R_PRINT;
	if (head->var.name == p->print)
		r->marks |= R_PRINT;
	if (head->var.name == p->rego)
		r->marks |= R_REGO;
	if (!p->c->caps || !p->c->caps->nothers)
		return;
	bi = builtin_of_ref(p, op);
	if (bi && bi->flags & BF_VOID)
		r->marks |= R_PRINT;
}

/* The name of a builtin as an operator shadows nothing. */
static void resolve_call(struct resolver *r, struct term *t)
{
	unsigned marks = r->marks;

	note_operator(r, t->list.items[0]);
	t->list.items[0] = resolve_term(r, t->list.items[0]);
	r->marks &= marks | ~(unsigned)R_SHADOW;
	for (uint32_t i = 1; i < t->list.len; i++)
		t->list.items[i] = resolve_term(r, t->list.items[i]);
}

static void resolve_comp(struct resolver *r, struct comp *c)
{
	uint32_t mark = r->hidden.len;

	r->marks |= R_COMP;
	hide_declared(r, c->body);
	if (c->key)
		c->key = resolve_term(r, c->key);
	c->head = resolve_term(r, c->head);
	resolve_body(r, c->body);
	unhide(r, mark);
}

static struct term *resolve_term(struct resolver *r, struct term *t)
{
	switch (t->kind) {
	case T_VAR:
		return resolve_name(r, t);
	case T_REF:
		resolve_ref(r, t);
		return t;
	case T_CALL:
		resolve_call(r, t);
		return t;
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
		for (uint32_t i = 0; i < t->list.len; i++)
			t->list.items[i] = resolve_term(r, t->list.items[i]);
		if (t->kind == T_OBJECT)
			term_drop_equal_keys(t);
		return t;
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		resolve_comp(r, t->comp);
		return t;
	case T_TEMPLATE:
		r->marks |= R_TEMPLATE | R_COMP;
		for (uint32_t i = 0; i < t->tmpl->len; i++)
			if (t->tmpl->parts[i].expr)
				resolve_expr(r, t->tmpl->parts[i].expr);
		return t;
	case T_BODY:
		resolve_body(r, t->body);
		return t;
	default:
		return t;
	}
}

static void resolve_every(struct resolver *r, struct expr *x)
{
	uint32_t mark = r->hidden.len;

	if (x->every.key)
		hide_vars(r, x->every.key);
	hide_vars(r, x->every.value);
	x->every.domain = resolve_term(r, x->every.domain);
	resolve_body(r, x->every.body);
	unhide(r, mark);
}

bool ref_is_root(const struct passes *p, const struct term *t)
{
	return t->kind == T_REF && t->list.len == 1 &&
	       t->list.items[0]->kind == T_VAR &&
	       (t->list.items[0]->var.name == p->input->str ||
		       t->list.items[0]->var.name == p->data->str);
}

static void check_assign_root(struct resolver *r, const struct expr *x)
{
	struct passes *p = r->p;
	const struct term *left;

	if (!p->modern || !expr_is_op(x, p->assign) || !expr_noperands(x))
		return;
	left = expr_operand(x, 0);
	if (ref_is_root(p, left))
		found_add(p, ST_KEYWORDS, true, ERR_COMPILE, x->loc,
			"variables must not shadow %s (use a different "
			"variable name)",
			left->list.items[0]->var.name->bytes);
}

static void resolve_expr(struct resolver *r, struct expr *x)
{
	struct body *inside[2];
	uint32_t n;

	switch (x->kind) {
	case X_TERM:
		x->term = resolve_term(r, x->term);
		check_assign_root(r, x);
		break;
	case X_SOME:
		if (x->some.symbols[0]->kind == T_CALL)
			x->some.symbols[0] =
				resolve_term(r, x->some.symbols[0]);
		break;
	case X_EVERY:
		resolve_every(r, x);
		break;
	default:
		n = expr_bodies(x, inside);
		for (uint32_t i = 0; i < n; i++)
			resolve_body(r, inside[i]);
		break;
	}
	if (x->nwiths)
		r->marks |= R_WITH;
	for (uint32_t i = 0; i < x->nwiths; i++) {
		x->withs[i].target = resolve_term(r, x->withs[i].target);
		x->withs[i].value = resolve_term(r, x->withs[i].value);
	}
}

static void resolve_body(struct resolver *r, struct body *b)
{
	for (uint32_t i = 0; i < b->len; i++)
		resolve_expr(r, b->items[i]);
}

static const struct term *hide_arg(struct resolver *r, struct term *t);

/* Every `step`th item of a term of an argument. */
static const struct term *hide_items(
	struct resolver *r, struct term *t, uint32_t from, uint32_t step)
{
	const struct term *bad = NULL;

	for (uint32_t i = from; !bad && i < t->list.len; i += step)
		bad = hide_arg(r, t->list.items[i]);
	return bad;
}

/*
 * Names that an argument binds. Returns the first ref that would hide input or
 * data, which would need rewriting of more than variables: NULL if none does.
 */
static const struct term *hide_arg(struct resolver *r, struct term *t)
{
	struct passes *p = r->p;
	const struct term *bad;

	if (t->kind == T_VAR && name_of(p, t->var.name)->reserved)
		resolve_name(r, t);
	if (ref_is_root(p, t))
		return t;
	switch (t->kind) {
	case T_VAR:
		hide(r, t->var.name);
		return NULL;
	case T_REF:
		hide_vars(r, t->list.items[0]);
		return hide_items(r, t, 1, 1);
	case T_ARRAY:
		return hide_items(r, t, 0, 1);
	case T_OBJECT: /* keys after the values */
		bad = hide_items(r, t, 1, 2);
		return bad ? bad : hide_items(r, t, 0, 2);
	case T_SCALAR:
		return NULL;
	default: /* not walked, so anything may be in it */
		r->marks |= R_TEMPLATE | R_COMP | R_DATA | R_WITH;
		return NULL;
	}
}

static void resolve_head(struct resolver *r, struct head *h)
{
	if (h->ref)
		for (uint32_t i = 1; i < h->ref->list.len; i++)
			h->ref->list.items[i] =
				resolve_term(r, h->ref->list.items[i]);
	if (h->key)
		h->key = resolve_term(r, h->key);
	if (h->value)
		h->value = resolve_term(r, h->value);
}

static bool resolve_args(struct resolver *r, const struct rule *top)
{
	const struct term *bad = NULL;

	for (uint32_t i = 0; !bad && i < top->head.nargs; i++)
		bad = hide_arg(r, top->head.args[i]);
	if (bad)
		found_add(r->p, ST_RESOLVE, false, ERR_COMPILE, top->loc,
			"args must not shadow %s (use a different variable "
			"name)",
			bad->list.items[0]->var.name->bytes);
	return !bad;
}

/* Templates may stand in arguments; their refs are the body's affair. */
static void resolve_rule(struct passes *p, struct rule *rule)
{
	struct resolver r = {.p = p};

	for (struct rule *b = rule; b && resolve_args(&r, rule); b = b->els) {
		hide_declared(&r, b->body);
		resolve_head(&r, &b->head);
		resolve_body(&r, b->body);
		unhide(&r, 0);
	}
	unhide(&r, 0);
	for (struct rule *b = rule; b; b = b->els)
		b->marks = r.marks;
}

/* --- checks of a whole module -------------------------------------------- */

/* OPA numbers wildcards, and shows it here: "import data.a as $0". */
static void import_text(struct passes *p, struct buf *out,
	const struct module *m, const struct import *im)
{
	int n = 0;

	buf_adds(out, "import ");
	term_text(out, im->path);
	if (!im->alias)
		return;
	if (im->alias != p->wild->str) {
		buf_addf(out, " as %s", im->alias->bytes);
		return;
	}
	for (uint32_t i = 0; m->imports[i] != im; i++)
		n += m->imports[i]->alias == p->wild->str;
	buf_addf(out, " as $%d", n);
}

static void import_error(struct passes *p, enum stage s, const struct module *m,
	struct loc loc, const char *before, const struct import *im,
	const char *after)
{
	struct buf text = {0};

	import_text(p, &text, m, im);
	found_add(p, s, true, ERR_COMPILE, loc, "%s%s%s", before, text.ptr,
		after);
	buf_release(&text);
}

/* An import of a name that another one took later counts as that one. */
static void check_unused_imports(struct passes *p, const struct module *m)
{
	for (uint32_t i = 0; i < m->nimports; i++) {
		const struct import *im = m->imports[i];
		const struct name *n = name_of(p, import_name(im));

		if (import_is_document(p, im) && !n->imported->used)
			import_error(p, ST_UNUSED_IMPORTS, m, im->loc, "", im,
				" unused");
	}
}

/* Names are few; the first of each is kept in a list. */
static void check_duplicate_imports(struct passes *p, const struct module *m)
{
	for (uint32_t i = 1; i < m->nimports; i++)
		for (uint32_t k = 0; k < i; k++)
			if (import_name(m->imports[i]) != p->wild->str &&
				import_name(m->imports[i]) ==
					import_name(m->imports[k])) {
				import_error(p, ST_IMPORTS, m,
					m->imports[i]->loc,
					"import must not shadow ",
					m->imports[k], "");
				break;
			}
}

static void check_rule_root(struct passes *p, const struct rule *r)
{
	struct name *n = name_of(p, r->head.ref->list.items[0]->var.name);

	if (n->reserved)
		found_add(p, ST_KEYWORDS, true, ERR_COMPILE, r->loc,
			"rules must not shadow %s (use a different rule name)",
			n->str->bytes);
	for (uint32_t i = 0; i < r->head.nargs; i++)
		if (ref_is_root(p, r->head.args[i]))
			found_add(p, ST_KEYWORDS, true, ERR_COMPILE,
				r->head.args[i]->loc,
				"args must not shadow %s (use a different "
				"variable name)",
				r->head.args[i]
					->list.items[0]
					->var.name->bytes);
}

/* Whether OPA gives a rule a name: older ones know rules by name alone. */
static bool has_name(const struct rule *r)
{
	const struct head *h = &r->head;

	if (h->ref->list.len < 2)
		return true;
	return h->ref->list.len == 2 && !h->contains && !h->is_func &&
	       !r->is_default && (h->key || !h->value_implied);
}

/* A ref as a head, under capabilities of an OPA that may not know it. */
static void check_head_ref(struct passes *p, const struct rule *r)
{
	enum {
		GENERAL = FEATURE_REF_HEADS | FEATURE_REGO_V1,
		ANY = GENERAL | FEATURE_REF_HEAD_PREFIXES
	};
	const struct capabilities *caps = p->c->caps;
	const struct term *ref = r->head.ref;
	uint32_t n = ref->list.len - (r->head.key ? 0 : 1);

	if (!caps || caps->features & GENERAL)
		return;
	if (!(caps->features & ANY) && !has_name(r)) {
		found_add(p, ST_HEADS, false, ERR_COMPILE, r->loc,
			"rule heads with refs are not supported: %s",
			text_of(p, ref));
		return;
	}
	for (uint32_t i = 1; i < n; i++)
		if (ref->list.items[i]->kind != T_SCALAR ||
			ref->list.items[i]->val.tag != V_STR)
			found_add(p, ST_HEADS, false, ERR_TYPE, r->loc,
				"rule heads with general refs (containing "
				"variables) are not supported: %s",
				text_of(p, ref));
}

/*
 * Steps of a head that are neither scalars nor variables become variables that
 * the body binds: p.q[y.z] is p.q[v] with v = y.z.
 */
static bool step_is_lowered(const struct term *t)
{
	return t->kind != T_SCALAR && t->kind != T_VAR;
}

static uint32_t lowered_steps(const struct rule *r)
{
	const struct term *ref = r->head.ref;
	uint32_t n = 0;

	for (uint32_t i = 1; ref && i < ref->list.len; i++)
		n += step_is_lowered(ref->list.items[i]);
	return n;
}

static void lower_head_ref(struct passes *p, struct rule *r)
{
	struct term *ref = r->head.ref;

	for (uint32_t i = 1; i < ref->list.len; i++) {
		struct term *t = ref->list.items[i];
		struct expr *x;

		if (!step_is_lowered(t))
			continue;
		x = expr_capture(p, t);
		ref->list.items[i] = expr_operand(x, 0);
		body_append(p, r->body, x);
	}
}

static void resolve_module(struct passes *p, struct module *m)
{
	const struct node *n = p->c->root;

	for (uint32_t i = 1; i < m->package->list.len; i++)
		n = node_child(n, m->package->list.items[i]->val);
	p->mod = m;
	p->pkg = p->packages[n->id];
	p->modern = p->c->strict || module_is_v1(m);
	p->mod_gen++;
	p->mod_head = head_new(p);
	imports_enter(p, m);
	for (uint32_t i = 0; i < m->nrules; i++) {
		struct rule *r = m->rules[i];
		uint32_t fatal = p->nfatal;

		rule_enter(p, r);
		check_head_ref(p, r);
		resolve_rule(p, r);
		lower_head_ref(p, r);
		if (p->modern)
			check_rule_root(p, r);
		if (p->nfatal == fatal)
			locals_of_rule(p, r);
		rule_leave(p, r);
	}
	if (p->c->strict)
		check_unused_imports(p, m);
	if (p->modern)
		check_duplicate_imports(p, m);
}

void pass_resolve(struct compiler *c)
{
	struct passes *p = passes_of(c);

	tree_build(p);
	p->nlocals = 0;
	for (uint32_t i = 0; i < c->nmods; i++)
		for (uint32_t k = 0; k < c->mods[i]->nrules; k++)
			p->nlocals += lowered_steps(c->mods[i]->rules[k]);
	for (uint32_t i = 0; i < c->nmods; i++)
		resolve_module(p, c->mods[i]);
}

/* The package of `ctx` may have no module; then it defines nothing. */
void query_resolve(struct passes *p, struct rule *q, const struct module *ctx)
{
	struct resolver r = {.p = p};
	const struct node *n = p->c->root;

	p->mod = NULL;
	p->pkg = NULL;
	p->mod_gen++;
	p->mod_head = head_new(p);
	p->modern = p->c->strict;
	if (ctx) {
		for (uint32_t i = 1;
			n && ctx->package && i < ctx->package->list.len; i++)
			n = node_child(n, ctx->package->list.items[i]->val);
		if (n && ctx->package && n->id < p->cappackages)
			p->pkg = p->packages[n->id];
		imports_enter(p, ctx);
	}
	p->nlocals = 0;
	rule_enter(p, q);
	hide_declared(&r, q->body);
	resolve_body(&r, q->body);
	unhide(&r, 0);
	q->marks = r.marks;
	locals_of_query(p, q);
	rule_leave(p, q);
}
