#include "rego/builtin/template.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rego/builtin/unicode.h"

/* --- digits --------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct str without_sign(struct str s)
{
	return s.len && (s.ptr[0] == '-' || s.ptr[0] == '+')
		       ? str_slice(s, 1, s.len)
		       : s;
}

/* The letter of 0x, 0o and 0b in lower case; NUL where there is none. */
static char prefix_of(struct str s)
{
	char c = s.len >= 2 && s.ptr[0] == '0' ? ascii_lower(s.ptr[1]) : '\0';

	return c == 'x' || c == 'o' || c == 'b' ? c : '\0';
}

/* Whether each underscore stands between two digits, or behind a prefix. */
static bool underscores_fit(struct str s)
{
	char prefix = prefix_of(s);

	for (size_t i = 0; i < s.len; i++) {
		bool before, after;

		if (s.ptr[i] != '_')
			continue;
		if (!i || i + 1 == s.len)
			return false;
		before = is_digit(s.ptr[i - 1]) || (prefix && i == 2) ||
			 (prefix == 'x' && ascii_hex(s.ptr[i - 1]) >= 0);
		after = is_digit(s.ptr[i + 1]) ||
			(prefix == 'x' && ascii_hex(s.ptr[i + 1]) >= 0);
		if (!before || !after)
			return false;
	}
	return true;
}

/* --- integers ------------------------------------------------------------- */

/* 12, 0x1f, 0o17, 017, 0b11, with underscores; no sign. */
static bool read_uint(struct str s, uint64_t *out)
{
	char prefix = prefix_of(s);
	unsigned base = 10;
	uint64_t u = 0;
	bool any = false;

	if (!underscores_fit(s))
		return false;
	if (prefix) {
		base = prefix == 'x' ? 16 : prefix == 'o' ? 8 : 2;
		s = str_slice(s, 2, s.len);
	} else if (s.len > 1 && s.ptr[0] == '0') {
		base = 8;
	}
	for (size_t i = 0; i < s.len; i++) {
		int d = ascii_hex(s.ptr[i]);

		if (s.ptr[i] == '_')
			continue;
		if (d < 0 || (unsigned)d >= base ||
			__builtin_mul_overflow(u, (uint64_t)base, &u) ||
			__builtin_add_overflow(u, (uint64_t)d, &u))
			return false;
		any = true;
	}
	*out = u;
	return any;
}

/* --- floats --------------------------------------------------------------- */

enum float_status { FLOAT_OK, FLOAT_SYNTAX, FLOAT_RANGE };

/* A run of digits and underscores; returns how many of them are digits. */
static size_t skip_digits(struct str s, size_t *at, bool hex)
{
	size_t n = 0;

	for (; *at < s.len; ++*at) {
		char c = s.ptr[*at];

		if (is_digit(c) || (hex && ascii_hex(c) >= 0))
			n++;
		else if (c != '_')
			break;
	}
	return n;
}

/* Whether `s`, which has no sign, is a float as Go writes one. */
static bool is_float(struct str s)
{
	bool hex = prefix_of(s) == 'x';
	size_t at = hex ? 2 : 0, n = skip_digits(s, &at, hex);

	if (at < s.len && s.ptr[at] == '.') {
		at++;
		n += skip_digits(s, &at, hex);
	}
	if (!n || !underscores_fit(s))
		return false;
	if (at == s.len)
		return !hex;
	if (ascii_lower(s.ptr[at]) != (hex ? 'p' : 'e'))
		return false;
	at++;
	if (at < s.len && (s.ptr[at] == '+' || s.ptr[at] == '-'))
		at++;
	return at < s.len && is_digit(s.ptr[at]) &&
	       skip_digits(s, &at, false) && at == s.len;
}

static enum float_status read_float(struct arena *a, struct str s, double *out)
{
	char *plain;
	size_t n = 0;

	if (!is_float(without_sign(s)))
		return FLOAT_SYNTAX;
	plain = arena_raw(a, s.len + 1);
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != '_')
			plain[n++] = s.ptr[i];
	plain[n] = '\0';
	*out = strtod(plain, NULL);
	return isfinite(*out) ? FLOAT_OK : FLOAT_RANGE;
}

/* --- complex numbers ------------------------------------------------------ */

/* Where the float at the beginning of `s` ends, loosely. */
static size_t float_end(struct str s)
{
	size_t at = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+');
	bool hex = prefix_of(str_slice(s, at, s.len)) == 'x';

	at += hex ? 2 : 0;
	skip_digits(s, &at, hex);
	if (at < s.len && s.ptr[at] == '.') {
		at++;
		skip_digits(s, &at, hex);
	}
	if (at >= s.len || ascii_lower(s.ptr[at]) != (hex ? 'p' : 'e'))
		return at;
	at++;
	if (at < s.len && (s.ptr[at] == '+' || s.ptr[at] == '-'))
		at++;
	skip_digits(s, &at, false);
	return at;
}

static const char *bad_float(
	struct arena *a, struct str s, enum float_status st)
{
	return arena_printf(a, "strconv.ParseFloat: parsing \"%.*s\": %s",
		STR_ARG(s),
		st == FLOAT_RANGE ? "value out of range" : "invalid syntax");
}

/* 1+2i */
static const char *read_pair(
	struct arena *a, struct str s, struct go_value *out)
{
	size_t mid = float_end(s), end;
	struct str re = str_slice(s, 0, mid), im = str_slice(s, mid, s.len);
	enum float_status st;

	end = float_end(im);
	if (!im.len || (im.ptr[0] != '+' && im.ptr[0] != '-') || end == 1 ||
		end >= im.len || im.ptr[end] != 'i')
		return "syntax error scanning complex number";
	im = str_slice(im, 0, end);
	out->kind = GO_COMPLEX;
	st = read_float(a, re, &out->f);
	if (st)
		return bad_float(a, re, st);
	st = read_float(a, im, &out->im);
	return st ? bad_float(a, im, st) : NULL;
}

/* --- escapes -------------------------------------------------------------- */

/* `n` digits at *at in a base; false where one is missing. */
static bool code_digits(
	struct str s, size_t *at, int n, int base, uint32_t *out)
{
	*out = 0;
	for (; n; n--) {
		int d = *at < s.len ? ascii_hex(s.ptr[(*at)++]) : -1;

		if (d < 0 || d >= base)
			return false;
		*out = *out * (uint32_t)base + (uint32_t)d;
	}
	return true;
}

/*
 * From behind a backslash. *byte: the value is a byte of its own, not a
 * code point.
 */
static bool read_escape(
	struct str s, size_t *at, char quote, uint32_t *out, bool *byte)
{
	static const char letters[] = "abfnrtv\\",
			  values[] = "\a\b\f\n\r\t\v\\";
	char c = *at < s.len ? s.ptr[(*at)++] : '\0';
	const char *found;

	*byte = c == 'x' || (c >= '0' && c <= '7');
	if (c == 'x')
		return code_digits(s, at, 2, 16, out);
	if (c >= '0' && c <= '7') {
		--*at;
		return code_digits(s, at, 3, 8, out) && *out <= 0xff;
	}
	if (c == 'u' || c == 'U')
		return code_digits(s, at, c == 'u' ? 4 : 8, 16, out) &&
		       *out <= 0x10ffff && (*out < 0xd800 || *out > 0xdfff);
	*out = (uint32_t)(unsigned char)c;
	if (c && c == quote)
		return true;
	found = c ? strchr(letters, c) : NULL;
	if (!found)
		return false;
	*out = (uint32_t)values[found - letters];
	return true;
}

/* One character of what stands in quotes. */
static bool read_char(
	struct str s, size_t *at, char quote, uint32_t *out, bool *byte)
{
	*byte = false;
	if (*at >= s.len || s.ptr[*at] == quote)
		return false;
	if (s.ptr[*at] == '\\') {
		++*at;
		return read_escape(s, at, quote, out, byte);
	}
	*at += utf8_decode(s.ptr + *at, s.len - *at, out);
	return true;
}

static void add_raw(struct buf *out, struct str inner)
{
	for (size_t i = 0; i < inner.len; i++)
		if (inner.ptr[i] != '\r')
			buf_addc(out, inner.ptr[i]);
}

static bool add_unescaped(struct buf *out, struct str inner, char quote)
{
	for (size_t at = 0; at < inner.len;) {
		uint32_t c;
		bool byte;

		if (!read_char(inner, &at, quote, &c, &byte))
			return false;
		if (byte)
			buf_addc(out, (char)c);
		else
			buf_addcp(out, c);
	}
	return true;
}

bool tmpl_unquote(struct arena *a, struct str quoted, struct str *out)
{
	struct str inner = str_slice(quoted, 1, quoted.len - 1);
	struct buf b = {0};
	bool ok = true;

	if (quoted.ptr[0] == '`')
		add_raw(&b, inner);
	else
		ok = add_unescaped(&b, inner, '"');
	*out = arena_str(a, buf_str(&b));
	buf_release(&b);
	return ok;
}

static const char *read_rune(
	struct arena *a, struct str s, struct go_value *out)
{
	size_t at = 1;
	uint32_t c;
	bool byte;

	if (!read_char(s, &at, '\'', &c, &byte))
		return "invalid syntax";
	if (at != s.len - 1)
		return arena_printf(
			a, "malformed character constant: %.*s", STR_ARG(s));
	*out = go_int(c);
	return NULL;
}

/* --- constants ------------------------------------------------------------ */

static bool has_any(struct str s, const char *set)
{
	for (size_t i = 0; i < s.len; i++)
		if (strchr(set, s.ptr[i]))
			return true;
	return false;
}

/* Written as a float: 1.0, 1e3, 0x1p4, but not 0x1e. */
static bool looks_like_float(struct str s)
{
	if (prefix_of(s) == 'x' && !has_any(s, "pP"))
		return false;
	return has_any(s, ".eEpP");
}

/* False: it is no integer of 64 bits. */
static bool read_integer(struct str s, struct go_value *out)
{
	bool negative = s.len && s.ptr[0] == '-';
	bool sign = negative || (s.len && s.ptr[0] == '+');
	uint64_t u, most = (uint64_t)INT64_MAX + negative;

	if (!read_uint(without_sign(s), &u) || (sign && u > most))
		return false;
	if (looks_like_float(s)) /* -0xe: Go sees an exponent */
		*out = (struct go_value){.kind = GO_FLOAT,
			.f = negative ? -(double)u : (double)u};
	else if (u <= most)
		*out = go_int((int64_t)(negative ? 0 - u : u));
	else
		*out = (struct go_value){.kind = GO_NONE};
	return true;
}

static const char *number_error(struct arena *a, const char *what, struct str s)
{
	struct buf b = {0};
	const char *text;

	quote_go(&b, s, false);
	text = arena_printf(a, "%s: %.*s", what, STR_ARG(buf_str(&b)));
	buf_release(&b);
	return text;
}

const char *tmpl_number(
	struct bi_ctx *cx, const struct tmpl_token *t, struct go_value *out)
{
	struct arena *a = cx->arena;
	struct str s = t->text;
	double f;

	*out = (struct go_value){.kind = GO_NONE};
	if (t->kind == TT_CHAR)
		return read_rune(a, s, out);
	if (t->kind == TT_COMPLEX)
		return read_pair(a, s, out);
	if (s.ptr[s.len - 1] == 'i' &&
		!read_float(a, str_slice(s, 0, s.len - 1), &f)) {
		*out = (struct go_value){.kind = GO_COMPLEX, .im = f};
		return NULL;
	}
	if (read_integer(s, out))
		return NULL;
	if (read_float(a, s, &f))
		return number_error(a, "illegal number syntax", s);
	if (!looks_like_float(s))
		return number_error(a, "integer overflow", s);
	*out = (struct go_value){.kind = GO_FLOAT, .f = f};
	return NULL;
}
