/* Packages, imports and rules. */
#include "rego/parser.h"

#include <string.h>

/* --- packages and imports -------------------------------------------- */

/*
 * Behind `package` or `import`: false when the word is the head of a ref
 * (*is_ref) or no path follows.
 */
static bool path_follows(struct parser *p, bool *is_ref)
{
	parser_scan_space(p);
	*is_ref = p->s.tok == TOK_DOT || p->s.tok == TOK_LBRACK;
	if (*is_ref)
		return false;
	if (p->s.tok == TOK_SPACE)
		parser_scan(p);
	if (parser_name_or_keyword(p))
		return true;
	parser_unexpected_token(p);
	return false;
}

static bool only_strings(struct parser *p, const struct term *ref)
{
	for (uint32_t i = 1; i < ref->list.len; i++) {
		const struct term *t = ref->list.items[i];

		if (t->kind == T_SCALAR && t->val.tag == V_STR)
			continue;
		parser_problem(p, t->loc.off,
			"unexpected %s token: expecting string",
			term_kind_name(t));
		return false;
	}
	return true;
}

/* data. in front of what was written. */
static struct term *package_path(struct parser *p, struct term *t)
{
	uint32_t base = p->nstack;
	struct term *head = t->kind == T_REF ? t->list.items[0] : t;

	if (t->kind != T_REF && t->kind != T_VAR) {
		parser_unexpected_token(p);
		return NULL;
	}
	if (head->kind != T_VAR) {
		parser_problem(p, head->loc.off,
			"unexpected %s token: expecting var",
			term_kind_name(head));
		return NULL;
	}
	if (t->kind == T_REF && !only_strings(p, t))
		return NULL;
	parser_push(p, parser_var_named(p, p->data, head->loc));
	parser_push(p, parser_scalar(p,
			       sym_intern(p->syms, head->var.name->bytes,
				       head->var.name->len),
			       head->loc));
	for (uint32_t i = 1; t->kind == T_REF && i < t->list.len; i++)
		parser_push(p, t->list.items[i]);
	return parser_list_term(p, T_REF, base, t->loc);
}

bool parser_package(struct parser *p, struct package *pkg)
{
	bool is_ref;
	struct term *t;

	pkg->loc = parser_here(p);
	if (!path_follows(p, &is_ref))
		return false;
	t = parser_term(p);
	pkg->path = t ? package_path(p, t) : NULL;
	if (!pkg->path && !p->s.problems)
		parser_problem(p, p->s.off, "expected path");
	return pkg->path != NULL;
}

/* Without the words of later versions, so that these can be imported. */
static struct term *import_path(struct parser *p)
{
	struct excursion e;
	struct term *t;

	parser_excursion_start(p, &e, p->lx.keywords & ~(uint32_t)KW_FUTURE);
	t = parser_term(p);
	parser_excursion_end(p, &e);
	return t;
}

static bool is_keyword_of(const struct parser *p, const struct string *s)
{
	uint8_t tok = lex_word(s->bytes, s->len, p->ref_keywords);

	return s->len > 1 && tok != TOK_IDENT;
}

static bool import_alias(struct parser *p, struct import *imp)
{
	struct term *t;

	parser_scan(p);
	if (p->s.tok != TOK_IDENT) {
		parser_unexpected(p, "expected var");
		return false;
	}
	t = parser_term(p);
	if (t && t->kind == T_VAR) {
		imp->alias = t->var.name;
		imp->alias_loc = t->loc;
		return true;
	}
	if (t && t->kind == T_REF && t->list.len == 1 &&
		parser_is_root(p, t->list.items[0])) {
		parser_problem(p, t->loc.off,
			"unexpected import alias, must not be a reserved "
			"name, got: %s",
			t->list.items[0]->var.name->bytes);
		return false;
	}
	parser_unexpected(p, "expected var");
	return false;
}

/* The last step of a path is a name in the module: no keyword then. */
static void check_import_name(struct parser *p, const struct term *path)
{
	const struct term *head = path->list.items[0];
	const struct term *last = path->list.items[path->list.len - 1];
	const struct string *name;

	if (path->list.len > 1 && parser_is_name(head, "future"))
		return;
	name = path->list.len == 1 ? last->var.name : last->val.str;
	if (!is_keyword_of(p, name))
		return;
	parser_hint(p, "import a different path or use an alias");
	parser_problem(p, last->loc.off,
		"unexpected import path, must not end with a keyword, got: %s",
		name->bytes);
}

struct import *parser_import(struct parser *p)
{
	struct import *imp = ARENA_NEW(p->arena, struct import);
	bool is_ref;
	struct term *t;

	imp->loc = parser_here(p);
	if (!path_follows(p, &is_ref))
		return NULL;
	t = import_path(p);
	if (t && t->kind == T_VAR)
		t = parser_ref_of(p, t);
	if (t && t->kind == T_REF) {
		if (!only_strings(p, t))
			return NULL;
		imp->path = t;
	}
	if (!imp->path) {
		parser_problem(p, p->s.off, "expected path");
		return NULL;
	}
	const struct term *head = t->list.items[0];

	if (!parser_is_root(p, head) && !parser_is_name(head, "future") &&
		!parser_is_name(head, "rego")) {
		parser_hint(p, "if this is unexpected, try updating OPA");
		parser_problem(p, t->loc.off,
			"unexpected import path, must begin with one of: "
			"{data, future, input, rego}, got: %s",
			parser_text_of(p, head));
		return NULL;
	}
	if (p->s.tok == TOK_AS)
		return import_alias(p, imp) ? imp : NULL;
	check_import_name(p, t);
	return imp;
}

static void add_keywords(struct parser *p, uint32_t keywords)
{
	if (keywords & KW_EVERY)
		keywords |= KW_IN;
	if (keywords & KW_NOT)
		p->not_bodies = true;
	p->lx.keywords |= keywords;
}

static void unknown_keyword(struct parser *p, const struct term *path)
{
	struct buf list = {0};

	for (size_t i = 0; i < FUTURE_WORDS; i++)
		if (future_words[i].keyword & p->future)
			buf_addf(&list, "%s%s", list.len ? " " : "",
				future_words[i].name);
	parser_problem(p, path->loc.off,
		"unexpected keyword, must be one of [%.*s]",
		STR_ARG(buf_str(&list)));
	buf_release(&list);
}

/* import future.keywords and import future.keywords.x */
void parser_future_import(struct parser *p, const struct import *imp)
{
	const struct term *path = imp->path;
	uint32_t steps = path->list.len, keyword = p->future;

	if (steps == 1 || !parser_is_text(path->list.items[1], "keywords")) {
		parser_problem(p, path->loc.off,
			"invalid import, must be `future.keywords`");
		return;
	}
	if (imp->alias) {
		parser_problem(p, imp->alias_loc.off,
			"`future` imports cannot be aliased");
		return;
	}
	if (steps == 3) {
		const struct string *s = path->list.items[2]->val.str;
		uint8_t tok = s->len ? lex_word(s->bytes, s->len, KW_FUTURE)
				     : TOK_IDENT;

		keyword = tok_info[tok].keyword & p->future;
		if (!keyword) {
			unknown_keyword(p, path);
			return;
		}
	}
	add_keywords(p, keyword);
}

/* import rego.v1 and import rego.v2 */
void parser_rego_import(struct parser *p, const struct import *imp)
{
	const struct term *path = imp->path;
	bool two = path->list.len == 2;
	bool v1 = two && parser_is_text(path->list.items[1], "v1");
	bool v2 = two && parser_is_text(path->list.items[1], "v2");

	if (!v1 && !v2) {
		parser_problem(p, path->loc.off,
			"invalid import `%s`, must be one of: `rego.v1`, "
			"`rego.v2`",
			parser_text_of(p, path));
		return;
	}
	if (!(p->features & (v1 ? FEATURE_REGO_V1 | FEATURE_REGO_V1_IMPORT
				: FEATURE_REGO_V2 | FEATURE_REGO_V2_IMPORT))) {
		parser_problem(p, path->loc.off,
			"invalid import, `%s` is not supported by current "
			"capabilities",
			parser_text_of(p, path));
		return;
	}
	if (imp->alias) {
		parser_problem(p, imp->alias_loc.off,
			"`rego` imports cannot be aliased");
		return;
	}
	if (v1 && p->version != REGO_V1)
		add_keywords(p, KW_V0_FUTURE);
	if (v2 && p->version != REGO_V2)
		add_keywords(p, KW_FUTURE);
}

/*
 * The token behind an import was read before its keywords were known: look at
 * it again.
 */
void parser_reread_word(struct parser *p)
{
	if (p->s.tok == TOK_IDENT)
		p->s.tok = lex_word(p->lx.text + p->s.off, p->s.end - p->s.off,
			p->lx.keywords & KW_FUTURE);
}

/* --- rules ---------------------------------------------------------- */

/* Report an operator that touches the name in front of it. */
static bool is_operator(uint8_t tok)
{
	return tok_info[tok].level > 0;
}

/* The name at hand with what may follow it in a head: steps, arguments. */
static struct term *head_name(struct parser *p)
{
	struct term *t = parser_var(p);

	parser_scan_space(p);
	if (is_operator(p->s.tok))
		parser_unexpected_token(p);
	if (p->s.tok == TOK_SPACE)
		parser_scan(p);
	if (parser_at_ref_step(p))
		return parser_ref_steps(p, t);
	return parser_name_alone(p, t);
}

/* The parts of a head, out of the term it was read as. */
static bool set_head_name(struct parser *p, struct head *h, struct term *t)
{
	h->ref = t;
	if (t->kind == T_VAR)
		h->ref = parser_ref_of(p, t);
	if (t->kind != T_CALL)
		return h->ref->kind == T_REF;
	h->ref = t->list.items[0];
	h->args = t->list.items + 1;
	h->nargs = t->list.len - 1;
	h->is_func = true;
	if (h->ref->list.items[0]->kind == T_VAR)
		return true;
	parser_unexpected(
		p, "rule head ref %s invalid", parser_text_of(p, h->ref));
	return false;
}

static void missing_value(
	struct parser *p, const struct head *h, bool is_default)
{
	const char *name = parser_text_of(p, h->ref);

	if (h->nargs)
		parser_unexpected(p,
			"expected function value term (e.g., %s(...) := "
			"<VALUE> { ... })",
			name);
	else if (is_default)
		parser_unexpected(p,
			"expected default rule value term (e.g., default "
			"%s := <VALUE>)",
			name);
	else
		parser_unexpected(p,
			"expected rule value term (e.g., %s := <VALUE> { "
			"... })",
			name);
}

static void contains_key(struct parser *p, struct head *h)
{
	const char *use = "contains <VALUE> { ... }";

	h->contains = true;
	if (h->is_func)
		parser_unexpected(p,
			"the contains keyword can only be used with "
			"multi-value rule definitions (e.g., %s %s)",
			parser_text_of(p, h->ref), use);
	parser_scan(p);
	h->key = parser_infix_call(p);
	if (!h->key)
		parser_unexpected(p, "expected rule key term (e.g., %s %s)",
			parser_text_of(p, h->ref), use);
}

/* Name, arguments, key or value of a rule. */
static bool rule_head(struct parser *p, struct parsed_rule *r)
{
	struct head *h = &r->rule.head;
	uint32_t start = p->s.off;
	struct term *t = head_name(p);

	if (!t) {
		parser_unexpected(p, "expected rule head name");
		return false;
	}
	if (!set_head_name(p, h, t))
		return false;
	switch (p->s.tok) {
	case TOK_CONTAINS:
		contains_key(p, h);
		break;
	case TOK_UNIFY:
		parser_scan(p);
		h->value = parser_infix_call(p);
		if (!h->value)
			parser_unexpected(p,
				"expected rule value term (e.g., %s[%s] "
				"= <VALUE> { ... })",
				parser_text_of(p, h->ref), "<nil>");
		break;
	case TOK_ASSIGN:
		parser_scan(p);
		h->assign = true;
		h->value = parser_infix_call(p);
		if (!h->value)
			missing_value(p, h, r->rule.is_default);
		break;
	default:
		break;
	}
	h->loc = parser_span(p, start, p->s.last_end);
	if (!h->value && !h->contains && (h->ref->list.len != 2 || h->nargs)) {
		r->made_value = true;
		h->value = parser_scalar(p, v_true, (struct loc){0});
	}
	return true;
}

/* A default value has to be a constant, but for what comprehensions hold. */
static bool default_value(struct parser *p, uint32_t at, const struct term *t);

static bool default_values(
	struct parser *p, uint32_t at, struct term *const *items, uint32_t n)
{
	bool ok = true;

	for (uint32_t i = 0; i < n; i++)
		ok &= default_value(p, at, items[i]);
	return ok;
}

static bool default_template(
	struct parser *p, uint32_t at, const struct tmpl *t)
{
	bool ok = true;

	for (uint32_t i = 0; i < t->len; i++) {
		const struct expr *x = t->parts[i].expr;

		if (!x || x->kind != X_TERM)
			continue;
		if (x->term->kind == T_CALL)
			ok &= default_values(
				p, at, x->term->list.items, x->term->list.len);
		else
			ok &= default_value(p, at, x->term);
		for (uint32_t j = 0; j < x->nwiths; j++) {
			ok &= default_value(p, at, x->withs[j].target);
			ok &= default_value(p, at, x->withs[j].value);
		}
	}
	return ok;
}

static bool default_value(struct parser *p, uint32_t at, const struct term *t)
{
	switch (t->kind) {
	case T_REF:
	case T_VAR:
	case T_CALL:
		parser_problem(p, at,
			"illegal default rule (value cannot contain %s)",
			term_kind_name(t));
		return false;
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
		return default_values(p, at, t->list.items, t->list.len);
	case T_TEMPLATE:
		return default_template(p, at, t->tmpl);
	default:
		return true;
	}
}

/* Arguments of a default function: variables, each once. */
static bool default_args(struct parser *p, const struct parsed_rule *r)
{
	const struct head *h = &r->rule.head;
	uint32_t at = r->rule.loc.off;
	bool ok = true;

	for (uint32_t i = 0; i < h->nargs; i++) {
		const struct term *t = h->args[i];

		if (t->kind != T_VAR) {
			parser_problem(p, at,
				"illegal default rule (arguments cannot "
				"contain %s)",
				term_kind_name(t));
			ok = false;
			continue;
		}
		for (uint32_t j = 0; j < i; j++) {
			if (term_cmp(h->args[j], t) != 0)
				continue;
			parser_problem(p, at,
				"illegal default rule (arguments cannot be "
				"repeated %s)",
				t->var.name->bytes);
			ok = false;
			break;
		}
	}
	return ok;
}

static bool default_rule(struct parser *p, struct parsed_rule *r)
{
	if (!r->rule.head.value) {
		parser_problem(p, r->rule.loc.off,
			"illegal default rule (must have a value)");
		return false;
	}
	if (!default_value(p, r->rule.loc.off, r->rule.head.value))
		return false;
	if (!default_args(p, r))
		return false;
	r->rule.body = parser_true_body(p, r->rule.loc);
	return true;
}

static bool is_ground(const struct term *t)
{
	switch (t->kind) {
	case T_SCALAR:
		return true;
	case T_REF:
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
	case T_CALL:
		for (uint32_t i = t->kind == T_REF; i < t->list.len; i++)
			if (!is_ground(t->list.items[i]))
				return false;
		return true;
	default:
		return false;
	}
}

/*
 * A head of two steps: p[x] without `if` or `contains` is v0's way to write a
 * set, and with a value or `if` it is one document a key.
 */
static bool two_steps(struct parser *p, struct parsed_rule *r, bool has_if)
{
	struct head *h = &r->rule.head;
	const struct term *step;

	if (h->contains || h->ref->list.len != 2 || (h->nargs && !has_if))
		return true;
	step = h->ref->list.items[1];
	if (!h->nargs)
		r->keyed = !has_if || !is_ground(step) || step->kind == T_REF;
	if (h->value || has_if) {
		if (!h->value) {
			r->made_value = true;
			h->value = parser_scalar(p, v_true, h->loc);
		}
		return h->ref->list.items[0]->kind == T_VAR || r->made_value;
	}
	if (h->ref->list.items[0]->kind != T_VAR)
		return false;
	h->key = h->ref->list.items[1];
	h->ref = parser_ref_of(p, h->ref->list.items[0]);
	return true;
}

/*
 * What { ... } behind `if` is when it is read as a literal, like the left side
 * of {"a": 1} == x. NULL: it has to be a body. Most often it is one, so the
 * first try is a guess without the work of reporting errors; it is made again
 * when they could matter.
 */
static struct expr *brace_literal(struct parser *p)
{
	struct state s = p->s;
	struct expr *x;

	p->quiet = true;
	x = parser_literal(p);
	p->quiet = false;
	p->memo.len = 0; /* it knows of failures, not of their reasons */
	if (!x || (x->kind == X_TERM && x->term->kind == T_SET))
		return NULL;
	p->s = s;
	return parser_literal(p);
}

/* What stands behind `if`: a literal, or { body }. */
static struct body *if_body(struct parser *p)
{
	struct state s = p->s;
	struct expr *x;
	struct body *b;

	if (s.tok != TOK_LBRACE) {
		x = parser_literal(p);
		return x ? parser_body_of(p, x) : NULL;
	}
	x = brace_literal(p);
	if (x)
		return parser_body_of(p, x);
	p->s = s;
	parser_scan(p);
	b = parser_body_until(p, TOK_RBRACE);
	if (b)
		parser_scan(p);
	return b;
}

/* { body } */
static struct body *braced_body(struct parser *p)
{
	struct body *b;

	parser_scan(p);
	b = parser_body_until(p, TOK_RBRACE);
	if (b)
		parser_scan(p);
	return b;
}

/* The value and the beginning of one else; the parser stays at its body. */
static bool else_head(struct parser *p, struct parsed_rule *e)
{
	struct head *h = &e->rule.head;

	h->loc = parser_here(p);
	parser_scan(p);
	switch (p->s.tok) {
	case TOK_LBRACE:
	case TOK_IF:
		e->made_value = true;
		h->value = parser_scalar(p, v_true, (struct loc){0});
		return true;
	case TOK_ASSIGN:
	case TOK_UNIFY:
		h->assign = p->s.tok == TOK_ASSIGN;
		parser_scan(p);
		h->value = parser_infix_call(p);
		h->loc = parser_reaching(p, h->loc);
		return h->value != NULL;
	default:
		parser_unexpected(p, "expected else value term or rule body");
		return false;
	}
}

static bool else_body(struct parser *p, struct parsed_rule *e)
{
	struct expr *x;

	e->has_if = p->s.tok == TOK_IF;
	if (!e->has_if && p->s.tok != TOK_LBRACE) {
		e->made_body = true;
		e->rule.body = parser_true_body(p, e->rule.loc);
		return true;
	}
	if (e->has_if)
		parser_scan(p);
	if (p->s.tok == TOK_LBRACE) {
		e->rule.body = braced_body(p);
		return e->rule.body != NULL;
	}
	if (p->s.tok == TOK_EOF) {
		parser_unexpected(p, "rule body expected");
		return false;
	}
	x = parser_literal(p);
	if (!x)
		return false;
	/* OPA gives everything in such a body the place of the else. */
	e->rule.body = parser_body_of(p, x);
	expr_move(x, e->rule.loc);
	e->rule.body->loc = e->rule.loc;
	return true;
}

/* The arguments of the branch before, where the tree is to show them. */
static void else_args(struct parser *p, const struct head *from, struct head *h)
{
	if (!p->number_wildcards || !from->nargs)
		return;
	h->nargs = from->nargs;
	h->args = ARENA_ARRAY(p->arena, struct term *, h->nargs);
	memcpy(h->args, from->args, h->nargs * sizeof(*h->args));
	parser_renew_wildcards(p, h->args, h->nargs);
}

/* The chain of else branches from the one at hand on; it ends at the first
   that has no body, since that one always holds. */
static bool elses(struct parser *p, struct parsed_rule *r)
{
	struct rule *last = &r->rule;

	while (p->s.tok == TOK_ELSE && !last->generated_body) {
		struct parsed_rule *e = ARENA_NEW(p->arena, struct parsed_rule);

		e->rule.loc = parser_here(p);
		e->rule.head.assign = r->rule.head.assign;
		else_args(p, &last->head, &e->rule.head);
		if (!else_head(p, e) || !else_body(p, e))
			return false;
		e->rule.head.value_implied = e->made_value;
		e->rule.generated_body = e->made_body;
		e->rule.prev_else = last;
		last->els = &e->rule;
		last = &e->rule;
	}
	for (; last != &r->rule; last = last->prev_else) {
		last->loc.len = p->s.last_end - last->loc.off;
		if (last->generated_body)
			last->body->items[0]->loc = last->loc;
	}
	return true;
}

static bool allows_else(struct parser *p, const struct parsed_rule *r)
{
	const struct head *h = &r->rule.head;

	if (h->ref->list.len > 1 && !is_ground(h->ref)) {
		parser_problem(p, p->s.off,
			"else keyword cannot be used on rules with variables "
			"in head");
		return false;
	}
	if (h->key || r->keyed) {
		parser_problem(p, p->s.off,
			"else keyword cannot be used on multi-value rules");
		return false;
	}
	return true;
}

static void add_rule(struct parser *p, struct rules *rs, struct parsed_rule *r)
{
	if (rs->len == rs->cap) {
		uint32_t cap = rs->cap ? rs->cap * 2 : 2;
		struct parsed_rule **more =
			arena_raw(p->arena, cap * sizeof(*more));

		if (rs->len)
			memcpy(more, rs->items, rs->len * sizeof(*more));
		rs->items = more;
		rs->cap = cap;
	}
	rs->items[rs->len++] = r;
}

/*
 * { body } behind a body, as v0 allows: a rule with the same head, which
 * stands where its body does.
 */
static struct parsed_rule *chained_rule(
	struct parser *p, const struct parsed_rule *first)
{
	struct parsed_rule *r = ARENA_NEW(p->arena, struct parsed_rule);
	const struct head *from = &first->rule.head;
	struct head *h = &r->rule.head;
	struct loc at = parser_here(p);

	r->has_if = first->has_if;
	r->made_value = first->made_value;
	r->rule.body = braced_body(p);
	if (!r->rule.body)
		return NULL;
	at = parser_reaching(p, at);
	r->rule.loc = at;
	*h = *from;
	h->loc = at;
	h->ref = term_copy(p->arena, from->ref, (struct loc){0});
	if (from->nargs)
		h->args = ARENA_ARRAY(p->arena, struct term *, from->nargs);
	for (uint32_t i = 0; i < from->nargs; i++)
		h->args[i] = term_copy(p->arena, from->args[i], at);
	parser_renew_wildcards(p, h->args, h->nargs);
	if (from->key)
		h->key = term_copy(p->arena, from->key, at);
	if (from->value)
		h->value = term_copy(p->arena, from->value, at);
	return r;
}

static bool chained_rules(struct parser *p, struct rules *out)
{
	struct parsed_rule *first = out->items[0];

	while (p->s.tok == TOK_LBRACE) {
		struct parsed_rule *r;

		if (first->rule.els) {
			parser_problem(p, p->s.off, "expected else keyword");
			return false;
		}
		r = chained_rule(p, first);
		if (!r)
			return false;
		add_rule(p, out, r);
	}
	return true;
}

/*
 * Is the keyword at hand followed by what makes it the name of a rule? Some
 * have uses of their own in front of ( or a name.
 */
static bool follows_rule_name(uint8_t keyword, uint8_t next)
{
	bool value = next == TOK_ASSIGN || next == TOK_UNIFY;
	bool head = next == TOK_IF || next == TOK_CONTAINS;

	switch (keyword) {
	case TOK_EVERY:
	case TOK_IF:
	case TOK_IN:
	case TOK_SOME:
	case TOK_AS:
		return value || head || next == TOK_LPAREN;
	case TOK_PACKAGE:
	case TOK_IMPORT:
		return value || next == TOK_LPAREN;
	case TOK_NOT:
	case TOK_LOGICAL_AND:
	case TOK_LOGICAL_OR:
		return value || head;
	case TOK_CONTAINS:
		return head;
	default:
		return false;
	}
}

static bool can_name_rule(uint8_t keyword)
{
	return follows_rule_name(keyword, TOK_UNIFY) ||
	       follows_rule_name(keyword, TOK_IF);
}

/* Report a keyword as the name of a rule, and say whether it was one. */
bool parser_keyword_rule_name(struct parser *p, bool is_default)
{
	uint8_t keyword = p->s.tok;

	if (!can_name_rule(keyword))
		return false;
	if (!is_default) {
		struct state s = p->s;

		parser_scan(p);
		uint8_t next = p->s.tok;

		p->s = s;
		if (!follows_rule_name(keyword, next))
			return false;
	}
	parser_problem(p, p->s.off, "%s keyword cannot be used for rule name",
		tok_info[keyword].name);
	return true;
}

/*
 * A rule, with the rules chained to it. False when there is none here, or it
 * is broken; a rule without a body (p := 1) is read as a query, and turned
 * into one later.
 */
bool parser_rule(struct parser *p, struct rules *out)
{
	struct parsed_rule *r = ARENA_NEW(p->arena, struct parsed_rule);
	struct head *h = &r->rule.head;

	r->rule.loc = parser_here(p);
	parser_keyword_as_name(p);
	if (p->s.tok == TOK_DEFAULT) {
		parser_scan(p);
		r->rule.is_default = true;
		parser_keyword_as_name(p);
	}
	if (p->s.tok != TOK_IDENT) {
		if (r->rule.is_default)
			parser_keyword_rule_name(p, true);
		return false;
	}
	if (!rule_head(p, r))
		return false;
	add_rule(p, out, r);
	if (r->rule.is_default)
		return default_rule(p, r);
	r->has_if = p->s.tok == TOK_IF;
	if (!two_steps(p, r, r->has_if))
		return false;
	if (r->has_if) {
		parser_scan(p);
		r->rule.body = if_body(p);
	} else if (p->s.tok == TOK_LBRACE) {
		r->rule.body = braced_body(p);
	} else if (h->contains) {
		r->rule.body = parser_true_body(p, r->rule.loc);
		r->made_body = true;
		r->rule.loc = h->loc;
		return true;
	}
	if (!r->rule.body)
		return false;
	/* `else` in front of . or [ is the name of another rule. */
	if (p->s.tok == TOK_ELSE && !parser_keyword_as_name(p) &&
		(!allows_else(p, r) || !elses(p, r)))
		return false;
	r->rule.loc.len = p->s.last_end - r->rule.loc.off;
	return chained_rules(p, out);
}
