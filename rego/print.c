#include "rego/ast.h"

#include <string.h>

#include "rego/builtin.h"
#include "rego/lex.h"

/*
 * Rego source text as OPA's String() methods write it. Sets and objects are in
 * order already; calls are written as calls, also those of operators.
 */

static void list_text(struct buf *out, struct term *const *items, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_adds(out, ", ");
		term_text(out, items[i]);
	}
}

static bool is_name_text(struct str s)
{
	if (!s.len || (s.ptr[0] >= '0' && s.ptr[0] <= '9'))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		unsigned char low = c | 0x20;

		if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') &&
			c != '_')
			return false;
	}
	return true;
}

static bool is_keyword(struct str s)
{
	return s.len > 1 &&
	       lex_word(s.ptr, s.len, KW_BASE | KW_NOT | KW_V0_FUTURE) !=
		       TOK_IDENT;
}

/* A backslash, or a control character: these make a step be escaped. */
static bool needs_escape(struct str s)
{
	for (size_t i = 0; i < s.len;) {
		uint32_t cp;

		i += utf8_decode(s.ptr + i, s.len - i, &cp);
		if (cp == '\\' || cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			return true;
	}
	return false;
}

static void string_step(struct buf *out, struct value v)
{
	struct str s = v_bytes(v);

	if (is_name_text(s) && !is_keyword(s)) {
		buf_addc(out, '.');
		buf_addstr(out, s);
		return;
	}
	buf_addc(out, '[');
	if (needs_escape(s)) {
		value_text(out, v);
	} else {
		buf_addc(out, '"');
		buf_addstr(out, s);
		buf_addc(out, '"');
	}
	buf_addc(out, ']');
}

static bool is_string(const struct term *t)
{
	return t->kind == T_SCALAR && t->val.tag == V_STR;
}

static void ref_text(struct buf *out, const struct term *t)
{
	const struct term *head = t->list.items[0];

	if (is_string(head))
		buf_addstr(out, v_bytes(head->val));
	else
		term_text(out, head);
	for (uint32_t i = 1; i < t->list.len; i++) {
		const struct term *step = t->list.items[i];

		if (is_string(step)) {
			string_step(out, step->val);
			continue;
		}
		buf_addc(out, '[');
		term_text(out, step);
		buf_addc(out, ']');
	}
}

static void object_text(struct buf *out, const struct term *t)
{
	buf_addc(out, '{');
	for (uint32_t i = 0; i + 1 < t->list.len; i += 2) {
		if (i)
			buf_adds(out, ", ");
		term_text(out, t->list.items[i]);
		buf_adds(out, ": ");
		term_text(out, t->list.items[i + 1]);
	}
	buf_addc(out, '}');
}

static const struct builtin *infix_builtin(const struct term *t)
{
	struct buf name = {0};
	const struct builtin *bi;

	if (t->kind != T_CALL || t->list.len != 3)
		return NULL;
	term_text(&name, t->list.items[0]);
	bi = builtin_find(buf_str(&name));
	buf_release(&name);
	return bi && bi->infix && strcmp(bi->infix, "in") != 0 ? bi : NULL;
}

/*
 * In the head of a comprehension operators are written between their
 * operands, so that its | stands out.
 */
static void comp_head_text(struct buf *out, const struct term *t)
{
	const struct builtin *bi = infix_builtin(t);

	if (!bi) {
		term_text(out, t);
		return;
	}
	buf_addc(out, '(');
	comp_head_text(out, t->list.items[1]);
	buf_addf(out, " %s ", bi->infix);
	comp_head_text(out, t->list.items[2]);
	buf_addc(out, ')');
}

static void comp_text(struct buf *out, const struct term *t)
{
	bool array = t->kind == T_ARRAY_COMP;

	buf_addc(out, array ? '[' : '{');
	if (t->comp->key) {
		comp_head_text(out, t->comp->key);
		buf_adds(out, ": ");
	}
	comp_head_text(out, t->comp->head);
	buf_adds(out, " | ");
	body_text(out, t->comp->body);
	buf_addc(out, array ? ']' : '}');
}

/* Text of a template: as in a string, and braces escaped. */
static void literal_part(struct buf *out, struct value v)
{
	struct buf quoted = {0};
	struct str s;

	value_text(&quoted, v);
	s = str_slice(buf_str(&quoted), 1, quoted.len - 1);
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '{' && (i == 0 || s.ptr[i - 1] != '\\'))
			buf_addc(out, '\\');
		buf_addc(out, s.ptr[i]);
	}
	buf_release(&quoted);
}

static void expr_text(struct buf *out, const struct expr *x);

static void template_text(struct buf *out, const struct tmpl *t)
{
	buf_adds(out, "$\"");
	for (uint32_t i = 0; i < t->len; i++) {
		const struct tmpl_part *part = &t->parts[i];

		if (part->expr) {
			buf_addc(out, '{');
			expr_text(out, part->expr);
			buf_addc(out, '}');
		} else if (part->text.tag == V_STR) {
			literal_part(out, part->text);
		} else {
			value_text(out, part->text);
		}
	}
	buf_addc(out, '"');
}

void term_text(struct buf *out, const struct term *t)
{
	switch (t->kind) {
	case T_SCALAR:
		value_text(out, t->val);
		break;
	case T_VAR: /* of a numbered wildcard, as it was written */
		if (*t->var.name->bytes == '$')
			buf_addc(out, '_');
		else
			buf_add(out, t->var.name->bytes, t->var.name->len);
		break;
	case T_REF:
		ref_text(out, t);
		break;
	case T_ARRAY:
		buf_addc(out, '[');
		list_text(out, t->list.items, t->list.len);
		buf_addc(out, ']');
		break;
	case T_SET:
		if (!t->list.len) {
			buf_adds(out, "set()");
			break;
		}
		buf_addc(out, '{');
		list_text(out, t->list.items, t->list.len);
		buf_addc(out, '}');
		break;
	case T_OBJECT:
		object_text(out, t);
		break;
	case T_CALL:
		term_text(out, t->list.items[0]);
		buf_addc(out, '(');
		list_text(out, t->list.items + 1, t->list.len - 1);
		buf_addc(out, ')');
		break;
	case T_TEMPLATE:
		template_text(out, t->tmpl);
		break;
	case T_BODY:
		buf_adds(out, "{ ");
		body_text(out, t->body);
		buf_adds(out, " }");
		break;
	default:
		comp_text(out, t);
		break;
	}
}

/* --- expressions ---------------------------------------------------- */

static void some_text(struct buf *out, const struct expr *x)
{
	const struct term *first = x->some.symbols[0];

	buf_adds(out, "some ");
	if (first->kind != T_CALL) {
		list_text(out, x->some.symbols, x->some.len);
		return;
	}
	term_text(out, first->list.items[1]);
	if (first->list.len == 4) {
		buf_adds(out, ", ");
		term_text(out, first->list.items[2]);
	}
	buf_adds(out, " in ");
	term_text(out, first->list.items[first->list.len - 1]);
}

static void every_text(struct buf *out, const struct expr *x)
{
	buf_adds(out, "every ");
	if (x->every.key) {
		term_text(out, x->every.key);
		buf_adds(out, ", ");
	}
	term_text(out, x->every.value);
	buf_adds(out, " in ");
	term_text(out, x->every.domain);
	buf_adds(out, " { ");
	body_text(out, x->every.body);
	buf_adds(out, " }");
}

/* Does the text begin with a brace, so that it would be read as a body? */
static bool leads_with_brace(const struct term *t)
{
	if (t->kind == T_REF)
		return leads_with_brace(t->list.items[0]);
	if (t->kind == T_SET)
		return t->list.len > 0;
	return t->kind == T_OBJECT || t->kind == T_SET_COMP ||
	       t->kind == T_OBJECT_COMP;
}

/* Is the operand of not, and, or to be put in parentheses? */
static bool wants_parens(const struct expr *x, uint8_t parent, bool right)
{
	if (x->nwiths)
		return true;
	switch (x->kind) {
	case X_OR:
		return parent != X_OR || right;
	case X_AND:
		return parent == X_NOT || (parent == X_AND && right);
	case X_NOT:
		return parent == X_NOT;
	case X_TERM:
		return x->term->kind != T_CALL && leads_with_brace(x->term);
	default:
		return false;
	}
}

static void operand_text(struct buf *out, const struct body *b, bool braces,
	uint8_t parent, bool right)
{
	bool tight = parent == X_NOT;

	if (!braces && b->len == 1) {
		bool parens = wants_parens(b->items[0], parent, right);

		if (parens)
			buf_addc(out, '(');
		body_text(out, b);
		if (parens)
			buf_addc(out, ')');
		return;
	}
	buf_adds(out, tight ? "{" : "{ ");
	body_text(out, b);
	buf_adds(out, tight ? "}" : " }");
}

static void pair_text(struct buf *out, const struct expr *x)
{
	operand_text(
		out, x->pair.left, x->braces & BRACES_LEFT, x->kind, false);
	buf_adds(out, x->kind == X_AND ? " and " : " or ");
	operand_text(
		out, x->pair.right, x->braces & BRACES_RIGHT, x->kind, true);
}

static bool is_equality(const struct term *t)
{
	const struct term *op;

	if (t->kind != T_CALL || t->list.len != 3)
		return false;
	op = t->list.items[0];
	return op->kind == T_REF && op->list.len == 1 &&
	       op->list.items[0]->kind == T_VAR &&
	       strcmp(op->list.items[0]->var.name->bytes, "eq") == 0;
}

static void expr_text(struct buf *out, const struct expr *x)
{
	if (x->negated)
		buf_adds(out, "not ");
	switch (x->kind) {
	case X_TERM:
		if (is_equality(x->term)) {
			term_text(out, x->term->list.items[1]);
			buf_adds(out, " = ");
			term_text(out, x->term->list.items[2]);
		} else {
			term_text(out, x->term);
		}
		break;
	case X_SOME:
		some_text(out, x);
		break;
	case X_EVERY:
		every_text(out, x);
		break;
	case X_NOT:
		buf_adds(out, "not ");
		operand_text(
			out, x->body, x->braces & BRACES_LEFT, X_NOT, false);
		break;
	default:
		pair_text(out, x);
		break;
	}
	for (uint32_t i = 0; i < x->nwiths; i++) {
		buf_adds(out, " with ");
		term_text(out, x->withs[i].target);
		buf_adds(out, " as ");
		term_text(out, x->withs[i].value);
	}
}

void body_text(struct buf *out, const struct body *b)
{
	for (uint32_t i = 0; i < b->len; i++) {
		if (i)
			buf_adds(out, "; ");
		expr_text(out, b->items[i]);
	}
}
