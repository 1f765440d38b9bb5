/*
 * dump_ast: tokens and trees as text, for people and for tests.
 *
 * A token is a line: row, column, kind, and what was written. A tree is
 * indented by two spaces a level; a line is a node with its place, and terms
 * that fit one line are written as Rego.
 */
#include "rego/lex.h"

#include "rego/builtin.h"
#include "rego/types.h"

#include <string.h>

/* --- tokens --------------------------------------------------------- */

struct printer {
	struct buf *out;
	const struct source *src;
};

static void token_line(void *ctx, const struct token *t)
{
	const struct printer *p = ctx;
	struct loc at = {p->src, t->off, t->end - t->off};
	uint32_t row, col;

	source_pos(at, &row, &col);
	buf_addf(p->out, "%u:%u\t%s", row, col, tok_info[t->kind].name);
	if (t->end > t->off)
		buf_addf(p->out, "\t%.*s", (int)(t->end - t->off),
			p->src->text.ptr + t->off);
	for (const struct lex_note *n = t->notes; n; n = n->next)
		buf_addf(p->out, "\t(%s)", n->message);
	buf_addc(p->out, '\n');
}

void dump_tokens(struct buf *out, const struct source *src)
{
	struct printer p = {out, src};

	lex_all(src->text, token_line, &p);
}

/* --- trees ---------------------------------------------------------- */

/* Where a line is written, and how far in. */
struct tree {
	struct buf *out;
	unsigned depth;
};

static void body_tree(struct tree *t, const struct body *b);

static void line_start(struct tree *t, struct loc at, const char *what)
{
	uint32_t row, col;

	for (unsigned i = 0; i < t->depth; i++)
		buf_adds(t->out, "  ");
	buf_adds(t->out, what);
	if (!at.src)
		return;
	source_pos(at, &row, &col);
	buf_addf(t->out, " %u:%u", row, col);
}

static void term_line(struct tree *t, const char *what, const struct term *x)
{
	line_start(t, x->loc, what);
	buf_addc(t->out, ' ');
	term_text(t->out, x);
	buf_addc(t->out, '\n');
}

static void operand_tree(struct tree *t, const char *what, const struct body *b)
{
	line_start(t, b->loc, what);
	buf_addc(t->out, '\n');
	t->depth++;
	body_tree(t, b);
	t->depth--;
}

static void some_tree(struct tree *t, const struct expr *x)
{
	for (uint32_t i = 0; i < x->some.len; i++)
		term_line(t, "symbol", x->some.symbols[i]);
}

static void every_tree(struct tree *t, const struct expr *x)
{
	if (x->every.key)
		term_line(t, "key", x->every.key);
	term_line(t, "value", x->every.value);
	term_line(t, "domain", x->every.domain);
	operand_tree(t, "body", x->every.body);
}

static void expr_parts(struct tree *t, const struct expr *x)
{
	switch (x->kind) {
	case X_TERM:
		term_line(t, "term", x->term);
		break;
	case X_SOME:
		some_tree(t, x);
		break;
	case X_EVERY:
		every_tree(t, x);
		break;
	case X_NOT:
		operand_tree(t, "body", x->body);
		break;
	default:
		operand_tree(t, "left", x->pair.left);
		operand_tree(t, "right", x->pair.right);
		break;
	}
	for (uint32_t i = 0; i < x->nwiths; i++) {
		term_line(t, "with", x->withs[i].target);
		term_line(t, "as", x->withs[i].value);
	}
}

static void expr_tree(struct tree *t, const struct expr *x)
{
	static const char *const names[] = {
		[X_TERM] = "expr",
		[X_SOME] = "some",
		[X_EVERY] = "every",
		[X_NOT] = "not",
		[X_AND] = "and",
		[X_OR] = "or",
	};

	line_start(t, x->loc, names[x->kind]);
	if (x->negated)
		buf_adds(t->out, " negated");
	if (x->generated)
		buf_adds(t->out, " generated");
	buf_addc(t->out, '\n');
	t->depth++;
	expr_parts(t, x);
	t->depth--;
}

static void body_tree(struct tree *t, const struct body *b)
{
	for (uint32_t i = 0; i < b->len; i++)
		expr_tree(t, b->items[i]);
}

static void head_parts(struct tree *t, const struct head *h)
{
	if (h->ref)
		term_line(t, "ref", h->ref);
	for (uint32_t i = 0; i < h->nargs; i++)
		term_line(t, "arg", h->args[i]);
	if (h->key)
		term_line(t, h->contains ? "contains" : "key", h->key);
	if (h->value && !h->value_implied)
		term_line(t, h->assign ? "assign" : "value", h->value);
}

static void rule_tree(struct tree *t, const struct rule *r)
{
	line_start(t, r->loc, r->prev_else ? "else" : "rule");
	buf_adds(t->out, r->is_default ? " default\n" : "\n");
	t->depth++;
	head_parts(t, &r->head);
	if (!r->generated_body)
		operand_tree(t, "body", r->body);
	t->depth--;
}

void dump_module(struct buf *out, const struct module *m)
{
	struct tree t = {out, 0};

	term_line(&t, "package", m->package);
	for (uint32_t i = 0; i < m->nimports; i++) {
		const struct import *imp = m->imports[i];

		line_start(&t, imp->loc, "import");
		buf_addc(out, ' ');
		term_text(out, imp->path);
		if (imp->alias)
			buf_addf(out, " as %s", imp->alias->bytes);
		buf_addc(out, '\n');
	}
	for (uint32_t i = 0; i < m->nrules; i++)
		for (const struct rule *r = m->rules[i]; r; r = r->els)
			rule_tree(&t, r);
	for (uint32_t i = 0; i < m->ncomments; i++) {
		struct loc at = m->comments[i].loc;

		line_start(&t, at, "comment");
		buf_addf(
			out, " %.*s\n", (int)at.len, at.src->text.ptr + at.off);
	}
}

/* --- builtins ------------------------------------------------------- */

void dump_builtins(struct buf *out)
{
	struct arena a = {0};

	buf_adds(out, "[\n");
	for (size_t i = 0; i < builtin_count(); i++) {
		const struct builtin *b = builtin_at(i);
		const char *decl = builtin_declared(b);

		buf_addf(out, "%s{\"name\":\"%s\",\"decl\":", i ? ",\n" : "",
			b->name);
		type_json(out, decl ? type_declared(&a, decl) : NULL);
		buf_addc(out, '}');
	}
	buf_adds(out, "\n]\n");
	arena_release(&a);
}
