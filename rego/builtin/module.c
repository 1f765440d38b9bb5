/*
 * rego.parse_module: a module as the tree that OPA makes of it, in the form of
 * `opa parse --format json`, with comments and without annotations.
 *
 * Every term is {"type": T, "value": V}. Members that OPA leaves out are left
 * out: those of flags that are false, of lists that are empty.
 *
 * Source: OPA's policy reference, "Rego"; OPA's output.
 */
#include <string.h>

#include "base/limits.h"
#include "rego/ast.h"
#include "rego/builtin/operand.h"
#include "rego/value_impl.h"

/* A tree being turned into values. */
struct writer {
	struct bi_ctx *cx;
	struct arena *a;
	struct symtab syms;
	const struct keys *term_keys; /* type, value */
	unsigned depth;
	bool too_deep;
};

static struct value word(struct writer *w, const char *s)
{
	return sym_intern(&w->syms, s, strlen(s));
}

static void put(
	struct writer *w, struct builder *b, const char *key, struct value v)
{
	builder_set_key(b, word(w, key), v);
}

/* A flag, left out when it is false. */
static void put_flag(
	struct writer *w, struct builder *b, const char *key, bool set)
{
	if (set)
		put(w, b, key, v_true);
}

static struct value typed(struct writer *w, const char *type, struct value v)
{
	struct value *vals = ARENA_ARRAY(w->a, struct value, 2);

	vals[0] = word(w, type);
	vals[1] = v;
	return v_obj_like(w->a, w->term_keys, vals);
}

/* --- terms ------------------------------------------------------------- */

static struct value term_value(struct writer *w, const struct term *t);
static struct value body_value(struct writer *w, const struct body *b);
static struct value expr_value(struct writer *w, const struct expr *x);

static struct value terms_value(
	struct writer *w, struct term *const *items, uint32_t n)
{
	struct value *vals = ARENA_ARRAY(w->a, struct value, n + 1u);

	for (uint32_t i = 0; i < n; i++)
		vals[i] = term_value(w, items[i]);
	return v_arr(w->a, vals, n);
}

static struct value pairs_value(struct writer *w, const struct term *t)
{
	uint32_t n = t->list.len / 2;
	struct value *vals = ARENA_ARRAY(w->a, struct value, n + 1u);

	for (uint32_t i = 0; i < n; i++)
		vals[i] = terms_value(w, t->list.items + (size_t)2 * i, 2);
	return v_arr(w->a, vals, n);
}

static struct value comp_value(struct writer *w, const struct comp *c)
{
	struct builder b = builder_obj(w->a);

	if (c->key)
		put(w, &b, "key", term_value(w, c->key));
	put(w, &b, c->key ? "value" : "term", term_value(w, c->head));
	put(w, &b, "body", body_value(w, c->body));
	return builder_done(&b);
}

/* Null is the one scalar that does not stand for itself. */
static struct value scalar_value(struct writer *w, struct value v)
{
	return typed(w, value_type(v), v.tag == V_NULL ? v_empty_obj : v);
}

static struct value template_value(struct writer *w, const struct tmpl *t)
{
	struct value *parts = ARENA_ARRAY(w->a, struct value, t->len + 1u);
	struct builder b = builder_obj(w->a);

	for (uint32_t i = 0; i < t->len; i++)
		parts[i] = t->parts[i].expr ? expr_value(w, t->parts[i].expr)
					    : scalar_value(w, t->parts[i].text);
	put(w, &b, "multi_line", v_bool(t->raw));
	put(w, &b, "parts", t->len ? v_arr(w->a, parts, t->len) : v_null);
	return builder_done(&b);
}

/* What stands beside "type". */
static struct value inside(struct writer *w, const struct term *t)
{
	switch (t->kind) {
	case T_VAR:
		return v_of_string(t->var.name);
	case T_OBJECT:
		return pairs_value(w, t);
	case T_TEMPLATE:
		return template_value(w, t->tmpl);
	case T_BODY:
		return body_value(w, t->body);
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		return comp_value(w, t->comp);
	default:
		return terms_value(w, t->list.items, t->list.len);
	}
}

static struct value term_value(struct writer *w, const struct term *t)
{
	struct value v;

	if (t->kind == T_SCALAR)
		return scalar_value(w, t->val);
	if (w->depth == LIMIT_REGO_DEPTH) {
		w->too_deep = true;
		return v_null;
	}
	w->depth++;
	v = typed(w, term_kind_name(t), inside(w, t));
	w->depth--;
	return v;
}

/* --- statements -------------------------------------------------------- */

static struct value some_value(struct writer *w, const struct expr *x)
{
	struct builder b = builder_obj(w->a);

	put(w, &b, "symbols", terms_value(w, x->some.symbols, x->some.len));
	return builder_done(&b);
}

static struct value every_value(struct writer *w, const struct expr *x)
{
	struct builder b = builder_obj(w->a);

	put(w, &b, "key", x->every.key ? term_value(w, x->every.key) : v_null);
	put(w, &b, "value", term_value(w, x->every.value));
	put(w, &b, "domain", term_value(w, x->every.domain));
	put(w, &b, "body", body_value(w, x->every.body));
	return builder_done(&b);
}

static struct value not_value(struct writer *w, const struct expr *x)
{
	struct builder b = builder_obj(w->a);

	put(w, &b, "type", word(w, "not"));
	put(w, &b, "body", body_value(w, x->body));
	put(w, &b, "explicit_body", v_bool(x->braces & BRACES_LEFT));
	return builder_done(&b);
}

static struct value pair_value(struct writer *w, const struct expr *x)
{
	struct builder b = builder_obj(w->a);

	put(w, &b, "type", word(w, x->kind == X_AND ? "and" : "or"));
	put(w, &b, "lhs", body_value(w, x->pair.left));
	put(w, &b, "rhs", body_value(w, x->pair.right));
	put_flag(w, &b, "explicit_lhs", x->braces & BRACES_LEFT);
	put_flag(w, &b, "explicit_rhs", x->braces & BRACES_RIGHT);
	return builder_done(&b);
}

static struct value statement(struct writer *w, const struct expr *x)
{
	switch (x->kind) {
	case X_TERM:
		return x->term->kind == T_CALL ? inside(w, x->term)
					       : term_value(w, x->term);
	case X_SOME:
		return some_value(w, x);
	case X_EVERY:
		return every_value(w, x);
	case X_NOT:
		return not_value(w, x);
	default:
		return pair_value(w, x);
	}
}

static struct value withs_value(struct writer *w, const struct expr *x)
{
	struct value *all = ARENA_ARRAY(w->a, struct value, x->nwiths);

	for (uint32_t i = 0; i < x->nwiths; i++) {
		struct builder b = builder_obj(w->a);

		put(w, &b, "target", term_value(w, x->withs[i].target));
		put(w, &b, "value", term_value(w, x->withs[i].value));
		all[i] = builder_done(&b);
	}
	return v_arr(w->a, all, x->nwiths);
}

static struct value expr_value(struct writer *w, const struct expr *x)
{
	struct builder b = builder_obj(w->a);

	put_flag(w, &b, "generated", x->generated);
	put_flag(w, &b, "negated", x->negated);
	put(w, &b, "index", v_int(x->index));
	put(w, &b, "terms", statement(w, x));
	if (x->nwiths)
		put(w, &b, "with", withs_value(w, x));
	return builder_done(&b);
}

static struct value body_value(struct writer *w, const struct body *b)
{
	struct value *all = ARENA_ARRAY(w->a, struct value, b->len + 1u);

	if (w->depth == LIMIT_REGO_DEPTH) {
		w->too_deep = true;
		return v_null;
	}
	w->depth++;
	for (uint32_t i = 0; i < b->len; i++)
		all[i] = expr_value(w, b->items[i]);
	w->depth--;
	return v_arr(w->a, all, b->len);
}

/* --- rules ------------------------------------------------------------- */

/* Without variables: what is one key, whatever it is evaluated with. */
static bool is_ground(const struct term *t);

static bool body_is_ground(const struct body *b)
{
	for (uint32_t i = 0; i < b->len; i++)
		if (b->items[i]->kind != X_TERM ||
			!is_ground(b->items[i]->term))
			return false;
	return true;
}

static bool comp_is_ground(const struct comp *c)
{
	return (!c->key || is_ground(c->key)) && is_ground(c->head) &&
	       body_is_ground(c->body);
}

static bool is_ground(const struct term *t)
{
	if (t->kind == T_SCALAR)
		return true;
	if (term_is_comp(t))
		return comp_is_ground(t->comp);
	if (t->kind < T_REF || t->kind > T_CALL)
		return false;
	for (uint32_t i = t->kind == T_REF; i < t->list.len; i++)
		if (!is_ground(t->list.items[i]))
			return false;
	return true;
}

/* How a rule is named: the older members beside "ref". */
struct naming {
	bool name, key;
};

/*
 * A head of one step is its name. p[x] was a set or an object before heads were
 * refs, and has name and key where it could be one: depending on what is
 * written behind it.
 */
static struct naming naming(const struct rule *r)
{
	const struct head *h = &r->head;
	const struct term *step;
	struct naming n = {.name = h->ref->list.len == 1};

	if (h->ref->list.len != 2 || h->contains || r->is_default)
		return n;
	step = h->ref->list.items[1];
	if (r->generated_body) {
		n.name = n.key = !h->is_func;
	} else {
		n.name = !h->value_implied || h->nargs;
		n.key = !h->nargs && (!is_ground(step) || step->kind == T_REF);
	}
	return n;
}

/* The head of a branch: what an else has not is that of the first one. */
static struct value head_value(
	struct writer *w, const struct rule *first, const struct rule *r)
{
	const struct head *h = &first->head, *own = &r->head;
	struct builder b = builder_obj(w->a);
	struct naming n = naming(first);
	struct term *const *path = h->ref->list.items;

	if (n.name && path[0]->kind == T_VAR)
		put(w, &b, "name", v_of_string(path[0]->var.name));
	put(w, &b, "ref", terms_value(w, path, h->ref->list.len));
	if (own->nargs)
		put(w, &b, "args", terms_value(w, own->args, own->nargs));
	if (h->key)
		put(w, &b, "key", term_value(w, h->key));
	else if (n.key)
		put(w, &b, "key", term_value(w, path[1]));
	if (own->value)
		put(w, &b, "value", term_value(w, own->value));
	put_flag(w, &b, "assign", own->assign);
	return builder_done(&b);
}

/* A rule and its else branches, from the last one on. */
static struct value rule_value(struct writer *w, const struct rule *first)
{
	const struct rule *r = first;
	struct value inner = v_undef;

	while (r->els)
		r = r->els;
	for (; r; r = r->prev_else) {
		struct builder b = builder_obj(w->a);

		put_flag(w, &b, "default", r->is_default);
		put(w, &b, "head", head_value(w, first, r));
		put(w, &b, "body", body_value(w, r->body));
		if (is_def(inner))
			put(w, &b, "else", inner);
		inner = builder_done(&b);
	}
	return inner;
}

/* --- modules ----------------------------------------------------------- */

static struct value imports_value(struct writer *w, const struct module *m)
{
	struct value *all = ARENA_ARRAY(w->a, struct value, m->nimports);

	for (uint32_t i = 0; i < m->nimports; i++) {
		struct builder b = builder_obj(w->a);

		put(w, &b, "path", term_value(w, m->imports[i]->path));
		if (m->imports[i]->alias)
			put(w, &b, "alias", v_of_string(m->imports[i]->alias));
		all[i] = builder_done(&b);
	}
	return v_arr(w->a, all, m->nimports);
}

static struct value rules_value(struct writer *w, const struct module *m)
{
	struct value *all = ARENA_ARRAY(w->a, struct value, m->nrules);

	for (uint32_t i = 0; i < m->nrules; i++)
		all[i] = rule_value(w, m->rules[i]);
	return v_arr(w->a, all, m->nrules);
}

static struct value place_value(struct writer *w, struct loc at)
{
	struct builder b = builder_obj(w->a);
	uint32_t row, col;

	source_pos(at, &row, &col);
	put(w, &b, "file", v_cstr(w->a, at.src->name));
	put(w, &b, "row", v_int(row));
	put(w, &b, "col", v_int(col));
	return builder_done(&b);
}

/* What is behind the #, in base64. */
static enum bi_status comment_value(
	struct writer *w, struct loc at, struct value *out)
{
	struct builder b = builder_obj(w->a);
	struct value text = v_str(
		w->a, (struct str){at.src->text.ptr + at.off + 1, at.len - 1});
	enum bi_status st = operand_call(w->cx, "base64.encode", &text, &text);

	put(w, &b, "Text", text);
	put(w, &b, "Location", place_value(w, at));
	*out = builder_done(&b);
	return st;
}

static enum bi_status comments_value(
	struct writer *w, const struct module *m, struct value *out)
{
	struct value *all = ARENA_ARRAY(w->a, struct value, m->ncomments);
	enum bi_status st = BI_OK;

	for (uint32_t i = 0; i < m->ncomments && !st; i++)
		st = comment_value(w, m->comments[i].loc, &all[i]);
	*out = v_arr(w->a, all, m->ncomments);
	return st;
}

static enum bi_status module_value(
	struct writer *w, const struct module *m, struct value *out)
{
	struct builder b = builder_obj(w->a), package = builder_obj(w->a);
	enum bi_status st = BI_OK;
	struct value comments;

	put(w, &package, "path",
		terms_value(w, m->package->list.items, m->package->list.len));
	put(w, &b, "package", builder_done(&package));
	if (m->nimports)
		put(w, &b, "imports", imports_value(w, m));
	if (m->nrules)
		put(w, &b, "rules", rules_value(w, m));
	if (m->ncomments) {
		st = comments_value(w, m, &comments);
		put(w, &b, "comments", comments);
	}
	*out = builder_done(&b);
	return st;
}

/* --- the builtin ------------------------------------------------------- */

static void writer_start(struct writer *w, struct bi_ctx *cx)
{
	struct value *keys = ARENA_ARRAY(cx->arena, struct value, 2);

	*w = (struct writer){
		.cx = cx, .a = cx->arena, .syms = {.arena = cx->arena}};
	keys[0] = word(w, "type");
	keys[1] = word(w, "value");
	w->term_keys =
		v_obj_sorted(w->a, keys, (struct value[2]){v_null, v_null}, 2)
			.obj->keys;
}

static enum bi_status errors(struct bi_ctx *cx, const struct diags *d)
{
	struct buf text = {0};
	enum bi_status st;

	if (d->len == 1 && !d->items[0].row)
		diag_text(&text, &d->items[0]);
	else
		diags_text(&text, d, "");
	st = bi_error(cx, "%.*s", STR_ARG(buf_str(&text)));
	buf_release(&text);
	return st;
}

static enum bi_status parsed(
	struct writer *w, struct source *src, struct value *out)
{
	const struct parse_options o = {
		.version = REGO_V1,
		.keep_comments = true,
		.number_wildcards = true,
		.skip_annotations = true,
	};
	struct diags d = {.arena = w->a};
	struct module *m = parse_module(w->a, &w->syms, src, &o, &d);
	enum bi_status st;

	if (!m)
		return errors(w->cx, &d);
	st = module_value(w, m, out);
	if (w->too_deep)
		return bi_limit(w->cx, "module nests more than %u levels",
			LIMIT_REGO_DEPTH);
	return st;
}

static enum bi_status parse_text(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct source src = {
		.name = args[0].str->bytes,
		.text = v_bytes(args[1]),
	};
	struct writer w;
	enum bi_status st;

	if (!bi_charge(cx, src.text.len))
		return BI_HALT;
	writer_start(&w, cx);
	st = parsed(&w, &src, out);
	symtab_release(&w.syms);
	return st;
}

/* clang-format off */
static const struct builtin rows[] = {
	{"rego.parse_module", NULL, 2, {BT_STR, BT_STR}, parse_text, 0},
};
/* clang-format on */

const struct builtin_table builtin_module = {rows, COUNT(rows)};
