/* Modules out of statements, with the checks OPA has for them. */
#include "rego/parser.h"

#include <string.h>

/* --- rules out of queries -------------------------------------------- */

/* How a query without a body of its own fails to be a rule, or NULL. */
static const char *head_error(struct parser *p, const struct term *ref)
{
	if (ref->list.items[0]->kind == T_VAR)
		return NULL;
	return arena_printf(
		p->arena, "invalid rule head: %s", parser_text_of(p, ref));
}

static const char *name_error(struct parser *p, const struct term *t)
{
	return arena_printf(
		p->arena, "%s cannot be used for rule name", term_kind_name(t));
}

/* p.q.r, p[x]: true, or in v0 a set. */
static const char *rule_from_ref(
	struct parser *p, struct parsed_rule *r, struct term *t)
{
	struct head *h = &r->rule.head;
	const char *why;

	if (t->list.len == 1)
		return "refs cannot be used for rule head";
	why = head_error(p, t);
	if (why)
		return why;
	h->ref = t;
	if (t->list.len == 2) {
		h->ref = parser_ref_of(p, t->list.items[0]);
		h->key = t->list.items[1];
	} else {
		h->value = parser_scalar(p, v_true, t->loc);
		r->made_value = true;
	}
	h->loc = r->rule.loc = t->loc;
	r->rule.body = parser_true_body(p, t->loc);
	return NULL;
}

/* f(x) := y, p := y, p[x] = y */
static const char *rule_from_equation(
	struct parser *p, struct parsed_rule *r, const struct expr *x)
{
	struct head *h = &r->rule.head;
	struct term *call_term = x->term, *lhs;
	const char *why = NULL;

	if (call_term->list.len < 3)
		return "assignment requires two operands";
	lhs = call_term->list.items[1];
	h->value = call_term->list.items[2];
	h->assign = parser_calls(call_term, "assign");
	if (lhs->kind == T_VAR) {
		h->ref = parser_ref_of(p, lhs);
	} else if (lhs->kind == T_REF) {
		h->ref = lhs;
		why = head_error(p, lhs);
	} else if (lhs->kind == T_CALL && lhs->list.items[0]->kind == T_REF &&
		   !head_error(p, lhs->list.items[0])) {
		h->ref = lhs->list.items[0];
		h->args = lhs->list.items + 1;
		h->nargs = lhs->list.len - 1;
		h->is_func = true;
	} else {
		why = name_error(p, lhs);
	}
	h->loc = r->rule.loc = x->loc;
	r->rule.body = parser_true_body(p, h->value->loc);
	return why;
}

/* f(x): true */
static const char *rule_from_call(
	struct parser *p, struct parsed_rule *r, const struct term *t)
{
	struct head *h = &r->rule.head;
	struct loc at = t->list.items[0]->loc;
	const char *why;

	if (parser_called_builtin(t))
		return "rule name conflicts with built-in function";
	if (t->list.len < 2)
		return "rule argument list must take at least one argument";
	why = head_error(p, t->list.items[0]);
	if (why)
		return why;
	h->ref = t->list.items[0];
	h->args = t->list.items + 1;
	h->nargs = t->list.len - 1;
	h->is_func = true;
	h->value = parser_scalar(p, v_true, at);
	h->value_implied = true;
	h->loc = r->rule.loc = at;
	r->rule.body = parser_true_body(p, at);
	return NULL;
}

static const char *rule_from_body(
	struct parser *p, struct parsed_rule *r, const struct body *b)
{
	const struct expr *x = b->items[0];

	if (b->len != 1)
		return "multiple expressions cannot be used for rule head";
	if (x->nwiths)
		return "expressions using with keyword cannot be used for "
		       "rule head";
	if (x->negated)
		return "negated expressions cannot be used for rule head";
	if (x->kind == X_SOME)
		return "'some' declarations cannot be used for rule head";
	if (x->kind != X_TERM)
		return "expression cannot be used for rule head";
	if (x->term->kind == T_REF)
		return rule_from_ref(p, r, x->term);
	if (x->term->kind != T_CALL)
		return name_error(p, x->term);
	if (parser_calls(x->term, "eq") || parser_calls(x->term, "assign"))
		return rule_from_equation(p, r, x);
	return rule_from_call(p, r, x->term);
}

/* --- modules -------------------------------------------------------- */

/* A module under construction. */
struct making {
	struct parser *p;
	struct diags *d;
	const struct stmts *all;
	struct module *mod;
	bool checks_v1; /* the rules of v1 for rules hold */
};

/* `if` or `contains`, when the statement is nothing but that name. */
static const char *head_keyword(const struct stmt *s)
{
	const struct term *t = NULL;

	if (s->kind == S_RULE && s->rule->rule.head.ref->list.len == 1)
		t = s->rule->rule.head.ref->list.items[0];
	else if (s->kind == S_BODY && s->body->len == 1 &&
		 s->body->items[0]->kind == X_TERM)
		t = s->body->items[0]->term;
	if (t && parser_is_name(t, "if"))
		return "if";
	return t && parser_is_name(t, "contains") ? "contains" : NULL;
}

/*
 * The keyword of v1 that the statement was misread for the lack of: it is read
 * as a name, and may be the statement behind on the same line.
 */
static const char *missing_keyword(const struct making *m, uint32_t i)
{
	const struct stmt *s = &m->all->items[i];
	const char *kw = head_keyword(s);
	uint32_t row, col, next_row;

	if (kw || i + 1 == m->all->len)
		return kw;
	source_pos(s->loc, &row, &col);
	source_pos(s[1].loc, &next_row, &col);
	return row == next_row ? head_keyword(&s[1]) : NULL;
}

static void error_at(struct making *m, struct loc at, const char *message)
{
	diag_add(m->d, "rego_parse_error", at, "%s", message);
}

static void body_stmt(struct making *m, uint32_t i)
{
	struct parser *p = m->p;
	const struct stmt *s = &m->all->items[i];
	struct parsed_rule *r = ARENA_NEW(p->arena, struct parsed_rule);
	const char *why = rule_from_body(p, r, s->body);
	const char *kw = NULL;

	if (!why) {
		r->made_body = true;
		r->rule.generated_body = true;
		r->rule.head.value_implied |= r->made_value;
		m->mod->rules[m->mod->nrules++] = &r->rule;
		return;
	}
	if (m->mod->version == REGO_V0 && !m->checks_v1)
		kw = missing_keyword(m, i);
	if (kw)
		why = arena_printf(p->arena,
			"%s (hint: `import future.keywords.%s` for `%s` "
			"rules)",
			why, kw, *kw == 'i' ? "p if { ... }" : "p contains x");
	error_at(m, s->loc, why);
}

static void import_into(struct making *m, struct import *imp)
{
	const struct term *path = imp->path;
	bool rego = path->list.len == 2 &&
		    parser_is_name(path->list.items[0], "rego");
	bool v1 = rego && parser_is_text(path->list.items[1], "v1");
	bool v2 = rego && parser_is_text(path->list.items[1], "v2");

	m->mod->imports[m->mod->nimports++] = imp;
	m->mod->imports_rego_v1 |= v1;
	m->mod->imports_rego_v2 |= v2;
	m->checks_v1 |= v1 || v2;
}

/* The rules of v1 for how a rule is written. */
static void check_rule(
	struct making *m, const struct rule *first, const struct rule *rule)
{
	const struct parsed_rule *r = (const struct parsed_rule *)rule;
	const struct term *name = first->head.ref->list.items[0];
	const char *what = first->head.nargs ? "function" : "rule";
	struct parser *p = m->p;

	if (first->head.ref->list.len < 2 && name->kind == T_VAR &&
		name->var.name->len > 1 &&
		lex_word(name->var.name->bytes, name->var.name->len,
			KW_BASE | KW_NOT | KW_V0_FUTURE) != TOK_IDENT)
		error_at(m, rule->loc,
			arena_printf(p->arena,
				"%s keyword cannot be used for rule name",
				name->var.name->bytes));
	if (r->made_body && r->made_value)
		error_at(m, rule->loc,
			arena_printf(p->arena,
				"%s must have value assignment and/or body "
				"declaration",
				what));
	if (!r->made_body && !r->has_if && !rule->is_default)
		error_at(m, rule->loc,
			arena_printf(p->arena,
				"`if` keyword is required before %s body",
				what));
	if (!rule->head.value && !rule->head.contains)
		error_at(m, rule->loc,
			"`contains` keyword is required for partial set "
			"rules");
}

static void check_rules(struct making *m)
{
	for (uint32_t i = 0; i < m->mod->nrules; i++) {
		struct rule *first = m->mod->rules[i];

		for (struct rule *r = first; r; r = r->els) {
			r->mod = m->mod;
			if (m->checks_v1)
				check_rule(m, first, r);
		}
	}
}

void parser_make_module(struct parser *p, const struct stmts *all,
	struct module *mod, struct diags *d)
{
	struct making m = {p, d, all, mod, mod->version != REGO_V0};
	const struct stmt *s = all->items;
	uint32_t n = all->len;

	mod->rules = ARENA_ARRAY(p->arena, struct rule *, n);
	mod->imports = ARENA_ARRAY(p->arena, struct import *, n);
	if (s->kind == S_PACKAGE) {
		mod->package = s->package.path;
		mod->loc = s->loc;
	} else {
		error_at(&m, s->loc, "package expected");
	}
	for (uint32_t i = 1; i < n; i++) {
		s = &all->items[i];
		switch (s->kind) {
		case S_PACKAGE:
			error_at(&m, s->loc, "unexpected package");
			break;
		case S_IMPORT:
			import_into(&m, s->import);
			break;
		case S_RULE:
			mod->rules[mod->nrules++] = &s->rule->rule;
			break;
		default:
			body_stmt(&m, i);
			break;
		}
	}
	check_rules(&m);
}
