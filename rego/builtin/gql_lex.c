#include "rego/builtin/gql_lex.h"

#include <string.h>

#include "base/buf.h"

/* clang-format off */
const char *const gql_token_names[] = {
	[GT_INVALID] = "<Invalid>", [GT_EOF] = "<EOF>", [GT_BANG] = "!",
	[GT_DOLLAR] = "$", [GT_AMP] = "&", [GT_PAREN_L] = "(", [GT_PAREN_R] = ")",
	[GT_SPREAD] = "...", [GT_COLON] = ":", [GT_EQUALS] = "=", [GT_AT] = "@",
	[GT_BRACKET_L] = "[", [GT_BRACKET_R] = "]", [GT_BRACE_L] = "{",
	[GT_BRACE_R] = "}", [GT_PIPE] = "|", [GT_NAME] = "Name", [GT_INT] = "Int",
	[GT_FLOAT] = "Float", [GT_STRING] = "String",
	[GT_BLOCK] = "BlockString", [GT_COMMENT] = "Comment",
};
/* clang-format on */

static char peek_byte(const struct gql_lexer *l, size_t ahead)
{
	return l->at + ahead < l->s.len ? l->s.ptr[l->at + ahead] : '\0';
}

static void step(struct gql_lexer *l, size_t bytes)
{
	l->at += bytes;
	l->rune += (int64_t)bytes;
}

/* One code point of any width. */
static uint32_t step_rune(struct gql_lexer *l)
{
	uint32_t cp;

	l->at += utf8_decode(l->s.ptr + l->at, l->s.len - l->at, &cp);
	l->rune++;
	return cp;
}

static void new_line(struct gql_lexer *l)
{
	l->line++;
	l->line_start = l->rune;
}

static void skip_blanks(struct gql_lexer *l)
{
	while (l->at < l->s.len) {
		char c = l->s.ptr[l->at];

		if (c == ' ' || c == '\t' || c == ',') {
			step(l, 1);
		} else if (c == '\n') {
			step(l, 1);
			new_line(l);
		} else if (c == '\r') {
			step(l, 1);
			new_line(l);
			if (peek_byte(l, 0) == '\n')
				step(l, 1);
		} else if (str_starts(str_slice(l->s, l->at, l->s.len),
				   S("\xef\xbb\xbf"))) {
			step_rune(l);
		} else {
			return;
		}
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       is_digit(c);
}

static size_t read_digits(struct gql_lexer *l)
{
	size_t n = 0;

	while (is_digit(peek_byte(l, 0))) {
		step(l, 1);
		n++;
	}
	return n;
}

/* A broken token stands where the fault is. */
static enum gql_token_kind broken(struct gql_lexer *l)
{
	l->tok.row = l->line;
	l->tok.col = l->rune - l->line_start + 1;
	l->tok.text = S("");
	return GT_INVALID;
}

static enum gql_token_kind read_number(struct gql_lexer *l)
{
	size_t from = l->at;
	bool is_float = false;

	if (peek_byte(l, 0) == '-')
		step(l, 1);
	if (peek_byte(l, 0) == '0') {
		step(l, 1);
		if (is_digit(peek_byte(l, 0)))
			return broken(l);
	} else if (!read_digits(l)) {
		return broken(l);
	}
	if (peek_byte(l, 0) == '.') {
		is_float = true;
		step(l, 1);
		if (!read_digits(l))
			return broken(l);
	}
	if ((peek_byte(l, 0) | 0x20) == 'e') {
		is_float = true;
		step(l, 1);
		if (peek_byte(l, 0) == '-' || peek_byte(l, 0) == '+')
			step(l, 1);
		if (!read_digits(l))
			return broken(l);
	}
	l->tok.text = str_slice(l->s, from, l->at);
	return is_float ? GT_FLOAT : GT_INT;
}

/* \u and four digits; false: it is broken. */
static bool read_unicode(struct gql_lexer *l, struct buf *out)
{
	uint32_t cp = 0;

	if (l->at + 6 >= l->s.len)
		return false;
	for (size_t i = 2; i < 6; i++) {
		int digit = ascii_hex(peek_byte(l, i));

		if (digit < 0)
			return false;
		cp = cp << 4 | (uint32_t)digit;
	}
	buf_addcp(out, cp >= 0xd800 && cp < 0xe000 ? 0xfffd : cp);
	step(l, 6);
	return true;
}

static bool read_escape(struct gql_lexer *l, struct buf *out)
{
	static const char from[] = "\"/\\bfnrt", to[] = "\"/\\\b\f\n\r\t";
	char c = peek_byte(l, 1);
	const char *at;

	if (c == 'u')
		return read_unicode(l, out);
	at = c ? strchr(from, c) : NULL;
	if (!at)
		return false;
	buf_addc(out, to[at - from]);
	step(l, 2);
	return true;
}

static struct str kept(struct gql_lexer *l, struct buf *b)
{
	struct str s = arena_str(l->arena, buf_str(b));

	buf_release(b);
	return s;
}

/* A string in single quotes; its place is behind the first one. */
static enum gql_token_kind read_string(struct gql_lexer *l)
{
	struct buf b = {0};

	step(l, 1);
	l->tok.col++;
	for (;;) {
		unsigned char c = (unsigned char)peek_byte(l, 0);

		if (l->at >= l->s.len || (c < ' ' && c != '\t'))
			break;
		if (c == '"') {
			step(l, 1);
			l->tok.text = kept(l, &b);
			return GT_STRING;
		}
		if (c != '\\') {
			buf_addcp(&b, step_rune(l));
		} else if (!read_escape(l, &b)) {
			step(l, 1);
			break;
		}
	}
	buf_release(&b);
	return broken(l);
}

/* White space at the beginning; SIZE_MAX when there is nothing else. */
static size_t indent_of(struct str line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] != ' ' && line.ptr[i] != '\t')
			return i;
	return SIZE_MAX;
}

static struct str next_line(struct str s, size_t *at)
{
	size_t end = str_find(s, S("\n"), *at);
	struct str line = str_slice(s, *at, end == SIZE_MAX ? s.len : end);

	*at = end == SIZE_MAX ? s.len + 1 : end + 1;
	return line;
}

static size_t common_indent(struct str s)
{
	size_t common = SIZE_MAX;

	for (size_t at = 0; at <= s.len;) {
		size_t n = indent_of(next_line(s, &at));

		if (n < common)
			common = n;
	}
	return common;
}

/*
 * Without the indentation that all lines share and without blank lines at
 * either end. The first line keeps its own.
 */
static struct str block_value(struct gql_lexer *l, struct str raw)
{
	size_t common = common_indent(raw), keep = 0;
	struct buf b = {0};
	bool any = false;

	for (size_t at = 0; at <= raw.len;) {
		bool first = at == 0;
		struct str line = next_line(raw, &at);

		if (!first && common != SIZE_MAX)
			line = str_slice(line,
				line.len < common ? line.len : common,
				line.len);
		if (!any && indent_of(line) == SIZE_MAX)
			continue;
		if (any)
			buf_addc(&b, '\n');
		any = true;
		buf_addstr(&b, line);
		if (indent_of(line) != SIZE_MAX)
			keep = b.len;
	}
	b.len = keep;
	return kept(l, &b);
}

static void read_block_rune(struct gql_lexer *l, struct buf *b)
{
	uint32_t cp = step_rune(l);

	if (cp == '\r' && peek_byte(l, 0) == '\n')
		step(l, 1);
	if (cp == '\r' || cp == '\n') {
		buf_addc(b, '\n');
		new_line(l);
	} else {
		buf_addcp(b, cp);
	}
}

/* The last three of all quotes at the end close it. */
static bool read_block_quotes(struct gql_lexer *l, struct buf *b)
{
	size_t n = 0;

	while (peek_byte(l, n) == '"')
		n++;
	if (n < 3) {
		buf_addc(b, '"');
		step(l, 1);
		return false;
	}
	for (size_t i = 3; i < n; i++)
		buf_addc(b, '"');
	l->tok.row = l->line;
	step(l, n);
	return true;
}

static enum gql_token_kind read_block(struct gql_lexer *l)
{
	int64_t start = l->rune + 3;
	struct buf b = {0};
	bool closed = false;

	step(l, 3);
	while (!closed && l->at < l->s.len) {
		unsigned char c = (unsigned char)peek_byte(l, 0);
		int64_t line_start = l->line_start;

		if (c < ' ' && c != '\t' && c != '\n' && c != '\r')
			break;
		if (c == '"') {
			closed = read_block_quotes(l, &b);
			l->tok.col = start - line_start + 1;
		} else if (str_starts(str_slice(l->s, l->at, l->s.len),
				   S("\\\"\"\""))) {
			buf_adds(&b, "\"\"\"");
			step(l, 4);
		} else {
			read_block_rune(l, &b);
		}
	}
	if (closed)
		l->tok.text = block_value(l, buf_str(&b));
	buf_release(&b);
	return closed ? GT_BLOCK : broken(l);
}

static enum gql_token_kind read_comment(struct gql_lexer *l)
{
	size_t from = l->at;

	while (l->at < l->s.len) {
		unsigned char c = (unsigned char)peek_byte(l, 0);

		if (c < ' ' && c != '\t')
			break;
		step_rune(l);
	}
	l->tok.text = str_slice(l->s, from, l->at);
	return GT_COMMENT;
}

static enum gql_token_kind read_name(struct gql_lexer *l)
{
	size_t from = l->at;

	while (is_name(peek_byte(l, 0)))
		step(l, 1);
	l->tok.text = str_slice(l->s, from, l->at);
	return GT_NAME;
}

static enum gql_token_kind read_sign(struct gql_lexer *l, char c)
{
	static const char signs[] = "!$&():=@[]{}|";
	/* clang-format off */
	static const enum gql_token_kind tokens[] = {
		GT_BANG, GT_DOLLAR, GT_AMP, GT_PAREN_L, GT_PAREN_R, GT_COLON,
		GT_EQUALS, GT_AT, GT_BRACKET_L, GT_BRACKET_R, GT_BRACE_L, GT_BRACE_R,
		GT_PIPE,
	};
	/* clang-format on */
	const char *at = c ? strchr(signs, c) : NULL;

	if (c == '.' && peek_byte(l, 1) == '.' && peek_byte(l, 2) == '.') {
		step(l, 3);
		return GT_SPREAD;
	}
	if (!at)
		return broken(l);
	step(l, 1);
	return tokens[at - signs];
}

static enum gql_token_kind read_token(struct gql_lexer *l)
{
	char c;

	skip_blanks(l);
	l->tok.row = l->line;
	l->tok.col = l->rune - l->line_start + 1;
	l->tok.text = S("");
	if (l->at >= l->s.len)
		return GT_EOF;
	c = l->s.ptr[l->at];
	if (c == '#')
		return read_comment(l);
	if (is_digit(c) || c == '-')
		return read_number(l);
	if (is_name(c))
		return read_name(l);
	if (c == '"')
		return peek_byte(l, 1) == '"' && peek_byte(l, 2) == '"'
			       ? read_block(l)
			       : read_string(l);
	return read_sign(l, c);
}

struct gql_token gql_lex(struct gql_lexer *l)
{
	l->tok.kind = read_token(l);
	return l->tok;
}
