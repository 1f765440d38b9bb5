/* Terms: scalars, template strings, lists, refs, calls and operators. */
#include "rego/parser.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct term *infix_in_list(struct parser *p);

/* --- scalars -------------------------------------------------------- */

/* The bytes OPA takes for the token: see the note on wide characters. */
static struct str literal_text(const struct parser *p, uint32_t from)
{
	uint32_t end = p->s.end;
	uint32_t cp;

	/*
	 * OPA cuts one byte before where the character behind the token ends,
	 * so a wide one leaves some of its bytes in the token.
	 */
	if (end < p->lx.len && (unsigned char)p->lx.text[end] >= 0x80)
		end += (uint32_t)utf8_decode(
			       p->lx.text + end, p->lx.len - end, &cp) -
		       1;
	return str_make(p->lx.text + from, end - from);
}

/* The number `json`, but written as `text`. */
static struct value number_as(
	struct parser *p, const char *json, struct str text)
{
	struct value v = v_number(p->arena, json, strlen(json));

	if (v.tag != V_NUM)
		return v;
	struct num *n = arena_raw(p->arena, sizeof(*n));

	*n = *v.num;
	n->text = arena_strdup(p->arena, text);
	n->len = (uint32_t)text.len;
	v.num = n;
	return v;
}

/* The exponent of a literal; false when it does not fit an int64. */
static bool exponent(struct str text, int64_t *out)
{
	const char *e = memchr(text.ptr, 'e', text.len);

	if (!e)
		e = memchr(text.ptr, 'E', text.len);
	*out = 0;
	if (!e)
		return true;
	errno = 0;
	*out = strtoll(e + 1, NULL, 10);
	return errno == 0;
}

enum { EXP10_ZERO = -646456993 }; /* of 2^-2^31: what is less is zero to OPA */

/*
 * The value of the literal `text`, NUL-terminated. V_UNDEF: too big. A literal
 * like .5 is no JSON number, but OPA keeps it as it stands.
 */
static struct value number_value(struct parser *p, struct str text, bool dot)
{
	const char *minus = text.ptr[0] == '-' ? "-" : "";
	int64_t exp;

	exponent(text, &exp);
	if (exp < EXP10_ZERO)
		return number_as(p, "0.0", text);
	if (!dot)
		return v_number(p->arena, text.ptr, text.len);
	return number_as(p,
		arena_printf(
			p->arena, "%s0%s", minus, text.ptr + (*minus != 0)),
		text);
}

static bool has_leading_zero(struct str s)
{
	if (s.len < 2 || s.ptr[0] != '0' || s.ptr[1] == '.')
		return false;
	return !(s.len > 2 && (s.ptr[1] | 0x20) == 'e');
}

static bool is_plain_number(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!strchr("0123456789.eE+-", s.ptr[i]) || !s.ptr[i])
			return false;
	return true;
}

/* The most usual number: digits that surely fit. -1: it is another. */
static int64_t small_number(const struct parser *p)
{
	uint32_t len = p->s.end - p->s.off;
	const char *s = p->lx.text + p->s.off;
	int64_t n = 0;

	if (p->s.tok != TOK_NUMBER || len > 18 || (s[0] == '0' && len > 1) ||
		literal_text(p, p->s.off).len != len)
		return -1;
	for (uint32_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		n = n * 10 + (s[i] - '0');
	}
	return n;
}

static struct term *number(struct parser *p)
{
	struct loc at = parser_here(p);
	bool minus = p->s.tok == TOK_SUB, dot = false;
	int64_t small = small_number(p);

	if (small >= 0)
		return parser_scalar(p, v_int(small), at);

	if (minus) {
		parser_scan(p);
		if (p->s.tok != TOK_NUMBER && p->s.tok != TOK_DOT) {
			parser_unexpected(p, "expected number");
			return NULL;
		}
	}
	if (p->s.tok == TOK_DOT) {
		dot = true;
		parser_scan(p);
		if (p->s.tok != TOK_NUMBER) {
			parser_unexpected(p, "expected number");
			return NULL;
		}
	}
	struct str lit = literal_text(p, p->s.off);

	if (!dot && has_leading_zero(lit)) {
		parser_unexpected(p, "expected number without leading zero");
		return NULL;
	}
	char *text = arena_printf(p->arena, "%s%s%.*s", minus ? "-" : "",
		dot ? "." : "", STR_ARG(lit));
	struct str s = str_from(text);

	int64_t exp;

	if (!is_plain_number(s) || (dot && memchr(lit.ptr, '.', lit.len)) ||
		!exponent(s, &exp)) {
		parser_unexpected(p, "invalid float");
		return NULL;
	}
	struct value v = number_value(p, s, dot);

	if (v.tag == V_UNDEF) {
		parser_problem(p, p->s.off, "number too big");
		return NULL;
	}
	return parser_scalar(p, v, at);
}

/* Four hexadecimal digits at s.ptr[at], or -1. */
static int32_t hex4(struct str s, size_t at)
{
	int32_t n = 0;

	if (at + 4 > s.len)
		return -1;
	for (size_t i = at; i < at + 4; i++) {
		int d = ascii_hex(s.ptr[i]);

		if (d < 0)
			return -1;
		n = n * 16 + d;
	}
	return n;
}

/* \uXXXX at s.ptr[*at], behind the u; half a surrogate pair gives U+FFFD. */
static bool unescape_u(struct buf *out, struct str s, size_t *at)
{
	int32_t a = hex4(s, *at), b = -1;

	if (a < 0)
		return false;
	*at += 4;
	if (a >= 0xd800 && a < 0xe000) {
		if (*at + 6 <= s.len && s.ptr[*at] == '\\' &&
			s.ptr[*at + 1] == 'u')
			b = hex4(s, *at + 2);
		if (a < 0xdc00 && b >= 0xdc00 && b < 0xe000) {
			*at += 6;
			a = 0x10000 + ((a - 0xd800) << 10) + (b - 0xdc00);
		} else {
			a = 0xfffd;
		}
	}
	buf_addcp(out, (uint32_t)a);
	return true;
}

/* The inside of a string literal as JSON reads it. */
static bool unescape(struct buf *out, struct str s)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

	for (size_t i = 0; i < s.len;) {
		char c = s.ptr[i++];

		if ((unsigned char)c < 0x20 || c == '"')
			return false;
		if (c != '\\') {
			buf_addc(out, c);
			continue;
		}
		if (i == s.len)
			return false;
		c = s.ptr[i++];
		if (c == 'u') {
			if (!unescape_u(out, s, &i))
				return false;
			continue;
		}
		const char *hit = c ? strchr(from, c) : NULL;

		if (!hit)
			return false;
		buf_addc(out, to[hit - from]);
	}
	return true;
}

static struct term *string(struct parser *p)
{
	struct loc at = parser_here(p);
	struct str in = {p->lx.text + at.off + 1, at.len - 2};
	bool raw = p->lx.text[at.off] == '`';
	struct buf b = {0};
	struct value v;

	if (raw || !memchr(in.ptr, '\\', in.len)) {
		v = sym_intern(p->syms, in.ptr, in.len);
	} else if (unescape(&b, in)) {
		v = sym_intern(p->syms, b.ptr ? b.ptr : "", b.len);
	} else {
		buf_release(&b);
		parser_problem(p, at.off, "illegal string literal: %.*s",
			STR_ARG(literal_text(p, at.off)));
		return NULL;
	}
	buf_release(&b);
	struct term *t = parser_scalar(p, v, at);

	t->raw = raw;
	return t;
}

/* --- template strings ----------------------------------------------- */

/*
 * The text of the part at hand into *out. It stands between a quote or } and
 * a quote or {; \{ is a brace in both kinds, other escapes only in "...".
 */
static bool template_text(struct parser *p, bool first, struct value *out)
{
	uint32_t from = p->s.off + (first ? 2 : 0);
	struct str s = {p->lx.text + from, p->s.end - 1 - from};
	bool raw = p->s.tok == TOK_RAW_TEMPLATE_PART ||
		   p->s.tok == TOK_RAW_TEMPLATE_END;
	struct buf plain = {0}, done = {0};
	bool ok = true;

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\\' && i + 1 < s.len) {
			if (s.ptr[i + 1] != '{') {
				buf_addc(&plain, '\\');
				/* \\{ is a backslash and then a brace */
				if (raw)
					continue;
			}
			i++;
		}
		buf_addc(&plain, s.ptr[i]);
	}
	s = buf_str(&plain);
	if (!raw && s.len && memchr(s.ptr, '\\', s.len)) {
		ok = unescape(&done, s);
		s = buf_str(&done);
	}
	if (ok)
		*out = sym_intern(p->syms, s.len ? s.ptr : "", s.len);
	else
		parser_problem(p, p->s.off,
			"illegal template-string part: %c%.*s%c",
			first ? '"' : '}', STR_ARG(buf_str(&plain)),
			p->lx.text[p->s.end - 1]);
	buf_release(&plain);
	buf_release(&done);
	return ok;
}

struct parts {
	struct tmpl_part *items;
	uint32_t len, cap;
};

static void add_part(
	struct parser *p, struct parts *parts, struct tmpl_part part)
{
	if (parts->len == parts->cap) {
		uint32_t cap = parts->cap ? parts->cap * 2 : 4;
		struct tmpl_part *more =
			ARENA_ARRAY(p->arena, struct tmpl_part, cap);

		if (parts->len)
			memcpy(more, parts->items, parts->len * sizeof(*more));
		parts->items = more;
		parts->cap = cap;
	}
	parts->items[parts->len++] = part;
}

/* What may not stand in the braces of a template, or NULL. */
static const char *not_in_template(const struct expr *x)
{
	if (x->negated)
		return "unexpected negation ('not')";
	if (x->kind == X_TERM && parser_calls(x->term, "eq"))
		return "unexpected unification ('=')";
	if (x->kind == X_TERM && parser_calls(x->term, "assign"))
		return "unexpected assignment (':=')";
	if (x->kind == X_EVERY)
		return "unexpected 'every'";
	if (x->kind == X_SOME)
		return "unexpected 'some'";
	return NULL;
}

/* {expression}, from its brace. */
static bool template_expr(struct parser *p, struct parts *parts)
{
	uint32_t before = p->s.nremarks, after;
	struct tmpl_part part = {0};
	const char *why;

	parser_scan(p);
	after = p->s.nremarks;
	struct expr *x = parser_literal(p);

	if (!x) {
		parser_problem(
			p, p->s.off, "invalid template-string expression");
		return false;
	}
	why = not_in_template(x);
	if (why) {
		parser_problem(
			p, x->loc.off, "%s in template-string expression", why);
		return false;
	}
	/* A scalar without a comment in front is as good as text. */
	if (x->kind == X_TERM && x->term->kind == T_SCALAR && before == after)
		part.text = x->term->val;
	else
		part.expr = x;
	part.loc = part.expr ? x->loc : x->term->loc;
	add_part(p, parts, part);
	if (p->s.tok != TOK_RBRACE) {
		parser_problem(p, p->s.off,
			"expected } to end template string expression");
		return false;
	}
	return true;
}

static struct term *template_string(struct parser *p, bool raw)
{
	uint32_t start = p->s.off;
	struct parts parts = {0};
	bool first = true;

	if (!(p->features & FEATURE_TEMPLATES)) {
		parser_problem(p, start,
			"template strings are not supported by current "
			"capabilities");
		return NULL;
	}
	for (;; first = false) {
		struct tmpl_part text = {.loc = parser_here(p)};

		if (!template_text(p, first, &text.text))
			return NULL;
		if (text.text.str->len)
			add_part(p, &parts, text);
		if (p->s.tok == TOK_TEMPLATE_END ||
			p->s.tok == TOK_RAW_TEMPLATE_END)
			break;
		if (!template_expr(p, &parts))
			return NULL;
		parser_scan_template(p, raw);
		if (p->s.tok == TOK_ILLEGAL) {
			parser_problem(
				p, p->s.off, "expected template-string part");
			return NULL;
		}
	}
	struct term *t =
		parser_term_new(p, T_TEMPLATE, parser_span(p, start, p->s.end));

	t->raw = raw;
	t->tmpl = ARENA_NEW(p->arena, struct tmpl);
	*t->tmpl = (struct tmpl){parts.items, parts.len, raw};
	return t;
}

/* --- lists ---------------------------------------------------------- */

/*
 * Terms up to `end`, a comma between them and perhaps behind the last, onto
 * the stack. The parser stays at `end`.
 */
static bool term_list(struct parser *p, uint8_t end)
{
	while (p->s.tok != end) {
		struct term *t = infix_in_list(p);

		if (!t)
			return false;
		parser_push(p, t);
		if (p->s.tok == end)
			return true;
		if (p->s.tok != TOK_COMMA) {
			parser_unexpected(p, "expected \",\" or \"%s\"",
				tok_info[end].name);
			return false;
		}
		parser_scan(p);
	}
	return true;
}

/* key: value pairs up to }, onto the stack. */
static bool pair_list(struct parser *p)
{
	while (p->s.tok != TOK_RBRACE) {
		struct term *key = infix_in_list(p), *val;

		if (!key)
			return false;
		if (p->s.tok != TOK_COLON) {
			parser_unexpected(p, "expected \":\"");
			return false;
		}
		parser_scan(p);
		val = infix_in_list(p);
		if (!val)
			return false;
		parser_push(p, key);
		parser_push(p, val);
		if (p->s.tok == TOK_RBRACE)
			return true;
		if (p->s.tok != TOK_COMMA) {
			parser_unexpected(p, "expected \",\" or \"}\"");
			return false;
		}
		parser_scan(p);
	}
	return true;
}

/* One member of a set or object while they are put in order. */
struct member {
	struct term *key, *val;
	uint32_t at;
};

static int member_cmp(const void *x, const void *y)
{
	const struct member *a = x, *b = y;
	int c = term_cmp(a->key, b->key);

	return c ? c : (a->at > b->at) - (a->at < b->at);
}

/* Are the keys, every `step`th item, in order? Those of a set are distinct. */
static bool is_sorted(struct term *const *items, uint32_t n, uint32_t step)
{
	int most = step == 1 ? -1 : 0;

	for (uint32_t i = step; i < n; i += step)
		if (term_cmp(items[i - step], items[i]) > most)
			return false;
	return true;
}

/*
 * Put the members of a set (step 1) or object (step 2) in order. Of equal ones
 * in a set the first stays; in an object all stay, as written: as in OPA, the
 * last wins when the value is made.
 */
static void sort_members(struct parser *p, struct term *t, uint32_t step)
{
	struct term **items = t->list.items;
	uint32_t n = t->list.len / step, out = 0;
	struct member *ms;

	if (is_sorted(items, t->list.len, step))
		return;
	ms = arena_raw(p->arena, n * sizeof(*ms));
	for (uint32_t i = 0; i < n; i++)
		ms[i] = (struct member){
			items[i * step], items[i * step + step - 1], i};
	qsort(ms, n, sizeof(*ms), member_cmp);
	for (uint32_t i = 0; i < n; i++) {
		if (step == 1 && out &&
			term_cmp(ms[out - 1].key, ms[i].key) == 0)
			continue;
		ms[out++] = ms[i];
	}
	for (uint32_t i = 0; i < out; i++) {
		items[i * step + step - 1] = ms[i].val;
		items[i * step] = ms[i].key;
	}
	t->list.len = out * step;
}

static struct term *set_term(struct parser *p, uint32_t base, struct loc loc)
{
	struct term *t = parser_list_term(p, T_SET, base, loc);

	sort_members(p, t, 1);
	return t;
}

static struct term *object_term(struct parser *p, uint32_t base, struct loc loc)
{
	struct term *t = parser_list_term(p, T_OBJECT, base, loc);

	sort_members(p, t, 2);
	return t;
}

static struct term *comprehension(struct parser *p, uint8_t kind,
	struct term *key, struct term *head, struct body *body)
{
	struct term *t = parser_term_new(p, kind, (struct loc){0});

	t->comp = ARENA_NEW(p->arena, struct comp);
	*t->comp = (struct comp){.key = key, .head = head, .body = body};
	return t;
}

/* Behind the [ of an array or array comprehension. */
static struct term *array_rest(struct parser *p)
{
	uint32_t base = p->nstack;
	bool may_comprehend = true;
	struct loc none = {0};

	parser_scan(p);
	if (p->s.tok == TOK_RBRACK)
		return parser_list_term(p, T_ARRAY, base, none);
	/* A comma in front: taken, as OPA does. */
	if (p->s.tok == TOK_COMMA) {
		may_comprehend = false;
		parser_scan(p);
	}
	struct state start = p->s;
	struct term *head = parser_term(p);

	if (!head)
		return NULL;
	if (p->s.tok == TOK_RBRACK || p->s.tok == TOK_COMMA) {
		parser_push(p, head);
		if (p->s.tok == TOK_COMMA) {
			parser_scan(p);
			if (!term_list(p, TOK_RBRACK))
				return NULL;
		}
		return parser_list_term(p, T_ARRAY, base, none);
	}
	if (p->s.tok == TOK_OR && may_comprehend) {
		parser_scan(p);
		struct body *body = parser_body_until(p, TOK_RBRACK);

		if (body)
			return comprehension(p, T_ARRAY_COMP, NULL, head, body);
		if (p->s.tok != TOK_COMMA)
			return NULL;
	}
	p->s = start;
	if (!term_list(p, TOK_RBRACK))
		return NULL;
	return parser_list_term(p, T_ARRAY, base, none);
}

/* At the token behind the first member of a set. */
static struct term *set_rest(struct parser *p, const struct state *start,
	struct term *head, bool may_comprehend)
{
	uint32_t base = p->nstack;
	struct loc none = {0};

	if (!parser_enter(p, 1))
		return NULL;
	switch (p->s.tok) {
	case TOK_RBRACE:
		parser_push(p, head);
		return set_term(p, base, none);
	case TOK_COMMA:
		parser_push(p, head);
		parser_scan(p);
		break;
	case TOK_OR:
		if (may_comprehend) {
			parser_scan(p);
			struct body *body = parser_body_until(p, TOK_RBRACE);

			if (body)
				return comprehension(
					p, T_SET_COMP, NULL, head, body);
			if (p->s.tok != TOK_COMMA)
				return NULL;
		}
		p->s = *start;
		break;
	default:
		return NULL;
	}
	return term_list(p, TOK_RBRACE) ? set_term(p, base, none) : NULL;
}

/* At the token behind the first value of an object. */
static struct term *object_finish(struct parser *p, struct term *key,
	struct term *val, bool may_comprehend)
{
	uint32_t base = p->nstack;
	struct loc none = {0};
	struct body *body;

	if (!parser_enter(p, 1))
		return NULL;
	switch (p->s.tok) {
	case TOK_RBRACE:
		parser_push(p, key);
		parser_push(p, val);
		return object_term(p, base, none);
	case TOK_OR:
		if (!may_comprehend) {
			parser_unexpected(p, "non-terminated object");
			return NULL;
		}
		parser_scan(p);
		body = parser_body_until(p, TOK_RBRACE);
		return body ? comprehension(p, T_OBJECT_COMP, key, val, body)
			    : NULL;
	case TOK_COMMA:
		parser_scan(p);
		parser_push(p, key);
		parser_push(p, val);
		return pair_list(p) ? object_term(p, base, none) : NULL;
	default:
		return NULL;
	}
}

/* At the colon behind the first key. */
static struct term *object_rest(
	struct parser *p, struct term *key, bool may_comprehend)
{
	if (!parser_enter(p, 1))
		return NULL;
	parser_scan(p);
	struct state start = p->s;
	uint32_t levels = p->levels;
	struct term *val = parser_term(p);

	if (!val)
		return NULL;
	if (may_comprehend) {
		/* Only one reading is left: its errors are the ones to see. */
		if (p->s.tok == TOK_RBRACE || p->s.tok == TOK_COMMA)
			return object_finish(p, key, val, true);
		if (p->s.tok == TOK_OR) {
			struct term *t = object_finish(p, key, val, true);

			if (t)
				return t;
			p->levels = levels;
		}
	}
	p->s = start;
	val = infix_in_list(p);
	if (!val)
		return NULL;
	if (p->s.tok == TOK_RBRACE || p->s.tok == TOK_COMMA)
		return object_finish(p, key, val, false);
	parser_unexpected(p, "non-terminated object");
	return NULL;
}

/* Behind the { of a set, an object or a comprehension of either. */
static struct term *brace_rest(struct parser *p)
{
	bool may_comprehend = true;

	parser_scan(p);
	if (p->s.tok == TOK_RBRACE)
		return parser_list_term(
			p, T_OBJECT, p->nstack, (struct loc){0});
	if (p->s.tok == TOK_COMMA) {
		may_comprehend = false;
		parser_scan(p);
	}
	/*
	 * First a term alone, so that {a | b} is a comprehension and not a set
	 * of one call.
	 */
	struct state start = p->s;
	struct term *head = parser_term(p);

	if (!head)
		return NULL;
	switch (p->s.tok) {
	case TOK_OR:
		if (may_comprehend)
			return set_rest(p, &start, head, true);
		break;
	case TOK_RBRACE:
	case TOK_COMMA:
		return set_rest(p, &start, head, may_comprehend);
	case TOK_COLON:
		return object_rest(p, head, may_comprehend);
	default:
		break;
	}
	p->s = start;
	head = infix_in_list(p);
	if (!head)
		return NULL;
	switch (p->s.tok) {
	case TOK_RBRACE:
	case TOK_COMMA:
		return set_rest(p, &start, head, false);
	case TOK_COLON:
		return object_rest(p, head, may_comprehend);
	default:
		parser_unexpected(p, "non-terminated set");
		return NULL;
	}
}

/* A term in [ ] or { }; the parser stays at the closing one. */
static struct term *bracketed(
	struct parser *p, struct term *(*rest)(struct parser *p))
{
	uint32_t start = p->s.off, base = p->nstack, levels = p->levels;
	struct term *t;

	if (!parser_enter(p, 1))
		return NULL;
	t = rest(p);
	p->levels = levels; /* also of what rest() has entered */
	p->nstack = base;
	if (t)
		t->loc = parser_span(p, start, p->s.end);
	return t;
}

/* --- refs and calls ------------------------------------------------- */

/* Behind the ( of a call; the parser stays at the closing one. */
static struct term *call(struct parser *p, struct term *op)
{
	uint32_t base = p->nstack;
	struct term *t;

	if (!parser_enter(p, 1))
		return NULL;
	parser_scan(p);
	parser_push(p, op);
	bool ok = term_list(p, TOK_RPAREN);

	parser_leave(p, 1);
	if (!ok) {
		p->nstack = base;
		return NULL;
	}
	struct loc at = parser_span(p, op->loc.off, p->s.end);

	if (p->nstack == base + 1 && op->list.len == 1 &&
		parser_is_name(op->list.items[0], "set")) {
		p->nstack = base;
		return parser_list_term(p, T_SET, base, at);
	}
	t = parser_list_term(p, T_CALL, base, at);
	return t;
}

/* Can a ref begin with it? */
static bool is_ref_head(const struct term *t)
{
	return t->kind != T_SCALAR && t->kind != T_REF &&
	       t->kind != T_TEMPLATE && t->kind != T_BODY;
}

/* .name: onto the stack. */
static bool dot_step(struct parser *p)
{
	parser_scan_space(p);
	if (p->s.tok != TOK_IDENT && !parser_is_ref_keyword(p, p->s.tok)) {
		parser_unexpected(p, "expected identifier");
		return false;
	}
	struct loc at = parser_here(p);

	parser_push(p,
		parser_scalar(p,
			sym_intern(p->syms, p->lx.text + at.off, at.len), at));
	return true;
}

/* [term]: onto the stack; the parser stays at ]. */
static bool bracket_step(struct parser *p)
{
	parser_scan(p);
	struct term *t = parser_infix_call(p);

	if (!t)
		return false;
	if (p->s.tok != TOK_RBRACK) {
		parser_unexpected(p, "expected [");
		return false;
	}
	parser_push(p, t);
	return true;
}

/* As inside parser_ref_steps(), without counting the level. */
static struct term *ref_inside(struct parser *p, struct term *head)
{
	uint32_t base = p->nstack;
	struct term *t;

	if (!is_ref_head(head))
		parser_problem(p, head->loc.off,
			"illegal ref (head cannot be %s)",
			term_kind_name(head));
	parser_push(p, head);
	for (;;) {
		bool space = false;

		switch (p->s.tok) {
		case TOK_DOT:
			if (!dot_step(p))
				goto failed;
			break;
		case TOK_LBRACK:
			if (!bracket_step(p))
				goto failed;
			break;
		case TOK_LPAREN:
			t = parser_list_term(p, T_REF, base,
				parser_span(p, head->loc.off, p->s.off));
			t = call(p, t);
			if (!t)
				goto failed;
			space = !parser_touches_next(p);
			parser_scan(p);
			if (space ||
				(p->s.tok != TOK_DOT && p->s.tok != TOK_LBRACK))
				return t;
			if (!parser_nest(p))
				goto failed;
			t = parser_ref_steps(p, t);
			p->nesting--;
			return t;
		default:
			return parser_list_term(p, T_REF, base,
				parser_span(p, head->loc.off, p->s.last_end));
		}
		space = !parser_touches_next(p);
		parser_scan(p);
		if (space)
			return parser_list_term(p, T_REF, base,
				parser_span(p, head->loc.off, p->s.last_end));
	}
failed:
	p->nstack = base;
	return NULL;
}

/* The steps of a ref, from the . [ or ( behind its head on. */
struct term *parser_ref_steps(struct parser *p, struct term *head)
{
	struct term *t;

	if (!parser_enter(p, 1))
		return NULL;
	t = ref_inside(p, head);
	parser_leave(p, 1);
	return t;
}

bool parser_at_ref_step(const struct parser *p)
{
	return p->s.tok == TOK_LPAREN || p->s.tok == TOK_DOT ||
	       p->s.tok == TOK_LBRACK;
}

/* Behind the first part of a term: perhaps it is the head of a ref. */
static struct term *term_finish(struct parser *p, struct term *head)
{
	bool touches = parser_touches_next(p);

	parser_scan(p);
	if (touches && parser_at_ref_step(p))
		return parser_ref_steps(p, head);
	return parser_name_alone(p, head);
}

/* --- terms ---------------------------------------------------------- */

/* and(x, y), or(x, y): at the start of a term these are functions. */
static void logical_call(struct parser *p)
{
	if (p->s.tok != TOK_LOGICAL_AND && p->s.tok != TOK_LOGICAL_OR)
		return;
	if (parser_peek_space(p) == TOK_LPAREN)
		p->s.tok = TOK_IDENT;
}

/* ( term ); the parser stays at the closing one. */
static struct term *parenthesized(struct parser *p)
{
	uint32_t start = p->s.off;

	parser_scan(p);
	struct term *t = parser_infix_call(p);

	if (!t)
		return NULL;
	if (p->s.tok != TOK_RPAREN) {
		parser_problem(p, p->s.off, "non-terminated expression");
		return NULL;
	}
	t->lead = t->loc.off - start;
	t->loc.len = p->s.end - t->loc.off;
	return t;
}

/* The operator token at hand as the ref that names its builtin. */
struct term *parser_operator_ref(struct parser *p)
{
	uint8_t tok = p->s.tok;
	struct loc at = parser_here(p);

	if (!p->ops[tok])
		p->ops[tok] = parser_intern(
			p, tok_info[tok].name, strlen(tok_info[tok].name));
	struct term *op =
		parser_ref_of(p, parser_var_named(p, p->ops[tok], at));

	parser_scan(p);
	return op;
}

struct term *parser_binary_call(
	struct parser *p, struct term *op, struct term *lhs, struct term *rhs)
{
	uint32_t base = p->nstack;
	struct loc at = parser_span(p, lhs->loc.off, p->s.last_end);

	parser_push(p, op);
	parser_push(p, lhs);
	parser_push(p, rhs);
	struct term *t = parser_list_term(p, T_CALL, base, at);

	t->lead = lhs->lead;
	return t;
}

/* -x of a name is minus(0, x). */
static struct term *negative(struct parser *p, struct loc minus, struct term *t)
{
	struct term *op, *call_term;
	const struct string *name = parser_intern(p, "minus", 5);

	op = parser_ref_of(p, parser_var_named(p, name, (struct loc){0}));
	call_term =
		parser_binary_call(p, op, parser_scalar(p, v_int(0), minus), t);
	call_term->loc = parser_span(p, minus.off, p->s.last_end);
	return call_term;
}

/* What a term begins with, without the steps of a ref. */
static struct term *primary(struct parser *p)
{
	switch (p->s.tok) {
	case TOK_NULL:
		return parser_scalar(p, v_null, parser_here(p));
	case TOK_TRUE:
		return parser_scalar(p, v_true, parser_here(p));
	case TOK_FALSE:
		return parser_scalar(p, v_false, parser_here(p));
	case TOK_DOT:
	case TOK_NUMBER:
	case TOK_SUB:
		return number(p);
	case TOK_STRING:
		return string(p);
	case TOK_TEMPLATE_PART:
	case TOK_TEMPLATE_END:
		return template_string(p, false);
	case TOK_RAW_TEMPLATE_PART:
	case TOK_RAW_TEMPLATE_END:
		return template_string(p, true);
	case TOK_IDENT:
	case TOK_CONTAINS: /* a keyword only in heads of rules */
		return parser_var(p);
	case TOK_LBRACK:
		return bracketed(p, array_rest);
	case TOK_LBRACE:
		return bracketed(p, brace_rest);
	case TOK_LPAREN:
		return parenthesized(p);
	default:
		parser_unexpected_token(p);
		return NULL;
	}
}

/* A term without operators around it, behind which the parser then stands. */
struct term *parser_term(struct parser *p)
{
	const struct memo_item *known = parser_memo_find(&p->memo, p->s.off);
	uint32_t start = p->s.off;
	struct loc minus = {0};
	struct term *t;

	if (known) {
		p->s = known->after;
		return known->term;
	}
	if (!parser_enter(p, 1))
		return NULL;
	if (!parser_nest(p)) {
		parser_leave(p, 1);
		return NULL;
	}
	logical_call(p);
	if (p->s.tok == TOK_SUB) {
		struct state s = p->s;

		minus = parser_here(p);
		parser_scan(p);
		if (p->s.tok != TOK_IDENT && p->s.tok != TOK_CONTAINS) {
			p->s = s;
			minus.src = NULL;
		}
	}
	t = primary(p);
	if (t)
		t = term_finish(p, t);
	if (t && minus.src)
		t = negative(p, minus, t);
	p->nesting--;
	parser_leave(p, 1);
	/* One token is as quickly read again. */
	if (!t || (t->kind != T_SCALAR && t->kind != T_VAR))
		parser_memo_add(p, start, t);
	return t;
}

enum { TIGHTEST = 5 }; /* level of * and / */

/*
 * Terms with binary operators of level `min` and up between them. An operator
 * without a right side is an error, but the left side is still a term; the
 * operators that may then follow are looser ones.
 */
static struct term *infix(struct parser *p, unsigned min)
{
	uint32_t levels = p->levels, nesting = p->nesting;
	unsigned max = TIGHTEST, folds = 0;
	struct term *lhs;

	if (!parser_enter(p, TIGHTEST + 1 - min))
		return NULL;
	lhs = parser_term(p);
	while (lhs) {
		unsigned level = tok_info[p->s.tok].level;
		struct term *op, *rhs;

		if (level < min || level > max || !level)
			break;
		/* OPA has left the tighter levels, and is one deeper a fold. */
		folds = level == max ? folds : 0;
		p->levels = levels + level + 1 - min + folds;
		if (p->levels > LEVELS_MAX || !parser_nest(p)) {
			if (p->levels > LEVELS_MAX)
				parser_deep_problem(p);
			lhs = NULL;
			break;
		}
		op = parser_operator_ref(p);
		rhs = level == TIGHTEST ? parser_term(p) : infix(p, level + 1);
		if (rhs)
			lhs = parser_binary_call(p, op, lhs, rhs);
		folds = rhs ? folds + 1 : 0;
		max = rhs ? level : level - 1;
	}
	p->levels = levels;
	p->nesting = nesting;
	return lhs;
}

/* internal.member_2 or _3, at the place of the `in` at hand. */
static struct term *member_ref(struct parser *p, const char *name)
{
	struct loc at = parser_here(p);
	uint32_t base = p->nstack;

	parser_push(
		p, parser_var_named(p, parser_intern(p, "internal", 8), at));
	parser_push(p,
		parser_scalar(p, sym_intern(p->syms, name, strlen(name)), at));
	parser_scan(p);
	return parser_list_term(p, T_REF, base, at);
}

/* `, value in collection` behind a key; NULL when it is something else. */
static struct term *pair_in(struct parser *p, struct term *key)
{
	struct state s = p->s;
	struct term *val, *op, *rhs, *t;
	uint32_t base = p->nstack;

	parser_scan(p);
	val = infix(p, 1);
	if (val && p->s.tok == TOK_IN) {
		op = member_ref(p, "member_3");
		rhs = infix(p, 1);
		if (rhs) {
			struct loc at =
				parser_span(p, key->loc.off, p->s.last_end);

			parser_push(p, op);
			parser_push(p, key);
			parser_push(p, val);
			parser_push(p, rhs);
			t = parser_list_term(p, T_CALL, base, at);
			t->lead = key->lead;
			return t;
		}
	}
	p->s = s;
	return NULL;
}

/*
 * Relations with `in` between them; `pairs`: also `key, value in collection`,
 * which is not possible in a list, where commas mean something else.
 */
static struct term *membership(struct parser *p, bool pairs)
{
	uint32_t levels = p->levels, nesting = p->nesting;
	struct term *lhs;

	if (!parser_enter(p, 2))
		return NULL;
	lhs = infix(p, 1);
	while (lhs) {
		struct term *t = NULL, *op;

		if (pairs && p->s.tok == TOK_COMMA)
			t = pair_in(p, lhs);
		if (!t) {
			parser_keyword_as_name(p);
			if (p->s.tok != TOK_IN)
				break;
			op = member_ref(p, "member_2");
			t = infix(p, 1);
			if (t)
				t = parser_binary_call(p, op, lhs, t);
		}
		if (!t)
			break;
		lhs = t;
		if (p->s.tok != TOK_IN)
			break;
		if (!parser_enter(p, 1) || !parser_nest(p))
			lhs = NULL;
	}
	p->levels = levels;
	p->nesting = nesting;
	return lhs;
}

/* A whole term, with everything but = and := in it. */
struct term *parser_infix_call(struct parser *p)
{
	return membership(p, true);
}

static struct term *infix_in_list(struct parser *p)
{
	return membership(p, false);
}
