#include "rego/builtin/template.h"

#include <string.h>

#include "rego/builtin/unicode.h"

#define END UINT32_MAX /* no character: the end of the text */

static const struct {
	struct str word;
	enum tmpl_token_kind kind;
} keywords[] = {
	{STR("block"), TT_BLOCK},
	{STR("break"), TT_BREAK},
	{STR("continue"), TT_CONTINUE},
	{STR("define"), TT_DEFINE},
	{STR("else"), TT_ELSE},
	{STR("end"), TT_END},
	{STR("false"), TT_BOOL},
	{STR("if"), TT_IF},
	{STR("nil"), TT_NIL},
	{STR("range"), TT_RANGE},
	{STR("template"), TT_TEMPLATE},
	{STR("true"), TT_BOOL},
	{STR("with"), TT_WITH},
};

static bool is_space(uint32_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(uint32_t c)
{
	if (c == END)
		return false;
	return c == '_' || rune_is_letter(c) || rune_is_digit(c);
}

/* --- the text that is left ------------------------------------------------ */

static struct str rest_of(const struct tmpl_lexer *l)
{
	return str_slice(l->text, l->at, l->text.len);
}

/* The next character and its width; END and 0 at the end. */
static uint32_t peek(const struct tmpl_lexer *l, size_t *width)
{
	uint32_t c = END;

	*width = 0;
	if (l->at < l->text.len)
		*width = utf8_decode(
			l->text.ptr + l->at, l->text.len - l->at, &c);
	return c;
}

static uint32_t take(struct tmpl_lexer *l)
{
	size_t width;
	uint32_t c = peek(l, &width);

	l->at += width;
	return c;
}

static void skip_spaces(struct tmpl_lexer *l)
{
	while (l->at < l->text.len && is_space((uint8_t)l->text.ptr[l->at]))
		l->at++;
}

static void skip_word(struct tmpl_lexer *l)
{
	size_t width;

	while (is_word(peek(l, &width)))
		l->at += width;
}

/* One of `set` is skipped. */
static bool accept(struct tmpl_lexer *l, const char *set)
{
	char c = l->at < l->text.len ? l->text.ptr[l->at] : '\0';

	if (!c || !strchr(set, c))
		return false;
	l->at++;
	return true;
}

static void accept_all(struct tmpl_lexer *l, const char *set)
{
	while (accept(l, set))
		;
}

/* "- " behind "{{": what stands before the action loses its white space. */
static bool trims_left(struct str s)
{
	return s.len >= 2 && s.ptr[0] == '-' && is_space((uint8_t)s.ptr[1]);
}

/* The length of "}}", or of " -}}", that comes next; or 0. */
static size_t right_delimiter(const struct tmpl_lexer *l)
{
	struct str s = rest_of(l);

	if (str_starts(s, S("}}")))
		return 2;
	return s.len >= 4 && is_space((uint8_t)s.ptr[0]) &&
			       str_starts(str_slice(s, 1, 4), S("-}}"))
		       ? 4
		       : 0;
}

/* --- tokens --------------------------------------------------------------- */

/* The line at l->start, which only grows. */
static uint32_t line_here(struct tmpl_lexer *l)
{
	for (; l->counted < l->start; l->counted++)
		l->line += l->text.ptr[l->counted] == '\n';
	return l->line;
}

/* From l->start up to where the lexer has come. */
static struct str so_far(const struct tmpl_lexer *l)
{
	return str_slice(l->text, l->start, l->at);
}

static struct tmpl_token token(struct tmpl_lexer *l, enum tmpl_token_kind kind)
{
	struct tmpl_token t = {
		.kind = (uint8_t)kind,
		.pos = (uint32_t)l->start,
		.line = line_here(l),
		.text = so_far(l),
	};

	l->start = l->at;
	return t;
}

static struct tmpl_token error_token(struct tmpl_lexer *l, const char *text)
{
	struct tmpl_token t = token(l, TT_ERROR);

	t.text = str_from(text);
	l->inside = false;
	l->at = l->start = l->text.len;
	return t;
}

/* An error about the code point `c`: "bad character U+002D '-'". */
static struct tmpl_token bad_rune(
	struct tmpl_lexer *l, const char *before, uint32_t c)
{
	struct go_value v = go_int(c);
	struct buf b = {0};
	const char *text;

	if (c == END)
		v.i = -1;
	buf_adds(&b, before);
	(void)go_printf(l->cx, &b, S(" %#U"), &v, 1);
	text = arena_strdup(l->cx->arena, buf_str(&b));
	buf_release(&b);
	return error_token(l, text);
}

static struct tmpl_token bad_number(struct tmpl_lexer *l)
{
	struct buf b = {0};
	const char *text;

	buf_adds(&b, "bad number syntax: ");
	quote_go(&b, so_far(l), false);
	text = arena_strdup(l->cx->arena, buf_str(&b));
	buf_release(&b);
	return error_token(l, text);
}

/* --- inside of an action -------------------------------------------------- */

/* What may follow a name. */
static bool at_end_of_name(const struct tmpl_lexer *l)
{
	size_t width;
	uint32_t c = peek(l, &width);

	if (c == END || is_space(c))
		return true;
	if (c && c < 0x80 && strchr(".,|:)(", (int)c))
		return true;
	return str_starts(rest_of(l), S("}}"));
}

/* From behind a dot or a dollar sign; alone they mean something too. */
static struct tmpl_token lex_name(struct tmpl_lexer *l,
	enum tmpl_token_kind alone, enum tmpl_token_kind kind)
{
	size_t width;

	if (at_end_of_name(l))
		return token(l, alone);
	skip_word(l);
	if (!at_end_of_name(l))
		return bad_rune(l, "bad character", peek(l, &width));
	return token(l, kind);
}

static struct tmpl_token lex_word(struct tmpl_lexer *l)
{
	size_t width;

	skip_word(l);
	if (!at_end_of_name(l))
		return bad_rune(l, "bad character", peek(l, &width));
	for (size_t i = 0; i < COUNT(keywords); i++)
		if (str_eq(so_far(l), keywords[i].word))
			return token(l, keywords[i].kind);
	return token(l, TT_IDENT);
}

/* The form of one number, digits not looked at too closely. */
static bool scan_number(struct tmpl_lexer *l)
{
	const char *digits = "0123456789_", *exponent = "eE";
	size_t width;

	accept(l, "+-");
	if (accept(l, "0")) {
		if (accept(l, "xX")) {
			digits = "0123456789abcdefABCDEF_";
			exponent = "pP";
		} else if (accept(l, "oO")) {
			digits = "01234567_";
			exponent = "";
		} else if (accept(l, "bB")) {
			digits = "01_";
			exponent = "";
		}
	}
	accept_all(l, digits);
	if (accept(l, "."))
		accept_all(l, digits);
	if (accept(l, exponent)) {
		accept(l, "+-");
		accept_all(l, "0123456789_");
	}
	accept(l, "i");
	if (!is_word(peek(l, &width)))
		return true;
	l->at += width;
	return false;
}

/* A number, or two that make a complex one: 1+2i. */
static struct tmpl_token lex_number(struct tmpl_lexer *l)
{
	size_t width;
	uint32_t c;

	if (!scan_number(l))
		return bad_number(l);
	c = peek(l, &width);
	if (c != '+' && c != '-')
		return token(l, TT_NUMBER);
	if (!scan_number(l) || l->text.ptr[l->at - 1] != 'i')
		return bad_number(l);
	return token(l, TT_COMPLEX);
}

/* From behind the first quote. */
static struct tmpl_token lex_quoted(struct tmpl_lexer *l, uint32_t quote,
	enum tmpl_token_kind kind, const char *unterminated)
{
	for (;;) {
		uint32_t c = take(l);

		if (c == quote)
			return token(l, kind);
		if (c == '\\') {
			c = take(l);
			if (c != END && c != '\n')
				continue;
		}
		if (c == END || c == '\n')
			return error_token(l, unterminated);
	}
}

static struct tmpl_token lex_raw(struct tmpl_lexer *l)
{
	size_t end = str_find(l->text, S("`"), l->at);

	if (end == SIZE_MAX)
		return error_token(l, "unterminated raw quoted string");
	l->at = end + 1;
	return token(l, TT_RAW);
}

/* A run of white space, but not the blank of " -}}". */
static struct tmpl_token lex_space(struct tmpl_lexer *l)
{
	skip_spaces(l);
	l->at--;
	if (right_delimiter(l) != 4)
		l->at++;
	return token(l, TT_SPACE);
}

static struct tmpl_token lex_right(struct tmpl_lexer *l, size_t len)
{
	struct tmpl_token t;

	if (l->parens)
		return error_token(l, "unclosed left paren");
	l->start = l->at + len - 2;
	l->at += len;
	t = token(l, TT_RIGHT);
	if (len > 2)
		skip_spaces(l);
	l->start = l->at;
	l->inside = false;
	return t;
}

static struct tmpl_token lex_paren(struct tmpl_lexer *l, uint32_t c)
{
	if (c == '(') {
		l->parens++;
		return token(l, TT_OPEN);
	}
	if (!l->parens)
		return error_token(l, "unexpected right paren");
	l->parens--;
	return token(l, TT_CLOSE);
}

/* What begins with none of the letters, digits, quotes and brackets. */
static struct tmpl_token lex_sign(struct tmpl_lexer *l, uint32_t c)
{
	switch (c) {
	case END:
		return error_token(l, "unclosed action");
	case '=':
		return token(l, TT_ASSIGN);
	case ':':
		return accept(l, "=") ? token(l, TT_DECLARE)
				      : error_token(l, "expected :=");
	case '|':
		return token(l, TT_PIPE);
	case '$':
		return lex_name(l, TT_VARIABLE, TT_VARIABLE);
	default:
		if (c > ' ' && c < 0x7f)
			return token(l, TT_OTHER);
		return bad_rune(l, "unrecognized character in action:", c);
	}
}

static bool is_digit(uint32_t c)
{
	return c >= '0' && c <= '9';
}

static struct tmpl_token lex_inside(struct tmpl_lexer *l)
{
	size_t end = right_delimiter(l), width;
	uint32_t c, behind;

	if (end)
		return lex_right(l, end);
	c = take(l);
	behind = peek(l, &width);
	if (is_space(c))
		return lex_space(l);
	if (c == '"')
		return lex_quoted(
			l, c, TT_STRING, "unterminated quoted string");
	if (c == '\'')
		return lex_quoted(
			l, c, TT_CHAR, "unterminated character constant");
	if (c == '`')
		return lex_raw(l);
	if (c == '(' || c == ')')
		return lex_paren(l, c);
	if (c == '.' && behind != END && !is_digit(behind))
		return lex_name(l, TT_DOT, TT_FIELD);
	if (c == '.' || c == '+' || c == '-' || is_digit(c)) {
		l->at--;
		return lex_number(l);
	}
	return is_word(c) ? lex_word(l) : lex_sign(l, c);
}

/* --- between actions ------------------------------------------------------ */

/* From "/ *" on; the comment is skipped. False: *error says why it can't be. */
static bool skip_comment(struct tmpl_lexer *l, struct tmpl_token *error)
{
	size_t end = str_find(l->text, S("*/"), l->at + 2);

	l->start = l->at;
	if (end == SIZE_MAX) {
		*error = error_token(l, "unclosed comment");
		return false;
	}
	l->at = end + 2;
	end = right_delimiter(l);
	if (!end) {
		*error =
			error_token(l, "comment ends before closing delimiter");
		return false;
	}
	l->at += end;
	if (end > 2)
		skip_spaces(l);
	l->start = l->at;
	return true;
}

/* The text up to the next action, without the white space that it takes. */
static struct tmpl_token lex_text(struct tmpl_lexer *l, size_t action)
{
	size_t end = action;
	struct tmpl_token t;

	if (trims_left(str_slice(l->text, action + 2, l->text.len)))
		while (end > l->start &&
			is_space((uint8_t)l->text.ptr[end - 1]))
			end--;
	l->at = end;
	t = token(l, TT_TEXT);
	l->at = l->start = action;
	return t;
}

static struct tmpl_token lex_left(struct tmpl_lexer *l)
{
	struct tmpl_token t;

	l->at += 2;
	t = token(l, TT_LEFT);
	if (trims_left(rest_of(l)))
		l->at += 2;
	l->start = l->at;
	l->inside = true;
	l->parens = 0;
	return t;
}

/* Whether the action at l->at is a comment; l->at is then behind "{{". */
static bool at_comment(struct tmpl_lexer *l)
{
	size_t at = l->at + 2;

	if (trims_left(str_slice(l->text, at, l->text.len)))
		at += 2;
	if (!str_starts(str_slice(l->text, at, l->text.len), S("/*")))
		return false;
	l->at = at;
	return true;
}

static struct tmpl_token lex_outside(struct tmpl_lexer *l)
{
	struct tmpl_token t;

	for (;;) {
		size_t action = str_find(l->text, S("{{"), l->at);

		if (action == SIZE_MAX)
			break;
		if (action > l->at) {
			t = lex_text(l, action);
			if (t.text.len)
				return t;
		}
		if (!at_comment(l))
			return lex_left(l);
		if (!skip_comment(l, &t))
			return t;
	}
	l->at = l->text.len;
	return token(l, l->at > l->start ? TT_TEXT : TT_EOF);
}

struct tmpl_token tmpl_lex(struct tmpl_lexer *l)
{
	return l->inside ? lex_inside(l) : lex_outside(l);
}
