/* jws_header: see the header. */
#include "rego/builtin/jws_header.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "rego/builtin/unicode.h"

enum { DEPTH_MAX = 300, TAIL_MAX = 80 };

struct reader {
	struct bi_ctx *cx;
	const char *p, *end;
	unsigned depth;
	const char
		*around[2 * DEPTH_MAX + 4]; /* of the error, innermost first */
	unsigned naround;
	const char *what;
	struct str rest; /* the part of the error in quotes, if .ptr */
	struct jws_header *top;
	bool plain[2]; /* the member of names[i] was written so */
};

static const char *const names[] = {"alg", "typ"};

/* --- errors ----------------------------------------------------------------
 */

static bool fail(struct reader *r, const char *what)
{
	r->what = what;
	return false;
}

static bool fail_at(struct reader *r, const char *what, struct str quoted)
{
	r->rest = quoted;
	return fail(r, what);
}

static bool inside(struct reader *r, const char *where)
{
	r->around[r->naround++] = where;
	return false;
}

static struct str rest(const struct reader *r)
{
	return (struct str){r->p, (size_t)(r->end - r->p)};
}

/* Long ones without their middle. */
static void tail_text(struct buf *out, struct str s)
{
	struct buf cut = {0};

	if (s.len > TAIL_MAX) {
		buf_addstr(&cut, str_slice(s, 0, TAIL_MAX / 2));
		buf_adds(&cut, "...");
		buf_addstr(&cut, str_slice(s, s.len - TAIL_MAX / 2, s.len));
		s = buf_str(&cut);
	}
	quote_go(out, s, false);
	buf_release(&cut);
}

static enum bi_status report(struct reader *r)
{
	struct buf text = {0};
	enum bi_status st;

	buf_adds(&text, "cannot parse JSON: ");
	while (r->naround > 0)
		buf_adds(&text, r->around[--r->naround]);
	buf_adds(&text, r->what);
	if (r->rest.ptr)
		quote_go(&text, r->rest, false);
	buf_adds(&text, "; unparsed tail: ");
	tail_text(&text, rest(r));
	st = bi_error(r->cx, "%.*s", STR_ARG(buf_str(&text)));
	buf_release(&text);
	return st;
}

/* --- strings ---------------------------------------------------------------
 */

/* The string behind the opening quote at hand, escapes and all. */
static bool raw_string(struct reader *r, struct str *s)
{
	s->ptr = ++r->p;
	for (; r->p < r->end && *r->p != '"'; r->p++)
		if (*r->p == '\\' && r->p + 1 < r->end)
			r->p++;
	if (r->p >= r->end)
		return fail(r, "missing closing '\"'");
	s->len = (size_t)(r->p++ - s->ptr);
	return true;
}

static bool hex4(struct str s, size_t at, uint32_t *unit)
{
	char digits[5] = "";

	if (at + 4 > s.len)
		return false;
	memcpy(digits, s.ptr + at, 4);
	*unit = (uint32_t)strtoul(digits, NULL, 16);
	return strspn(digits, "0123456789abcdefABCDEF") == 4;
}

static void add_rune(struct buf *out, uint32_t cp)
{
	char bytes[4];

	buf_add(out, bytes, utf8_encode(cp, bytes));
}

/* \u at `i`, which is behind the u: how much of it is used, 0 if none. */
static size_t escaped_unit(struct buf *out, struct str s, size_t i)
{
	uint32_t unit, low;

	if (!hex4(s, i, &unit))
		return 0;
	if (unit < 0xd800 || unit > 0xdfff) {
		add_rune(out, unit);
		return 4;
	}
	if (i + 6 > s.len || s.ptr[i + 4] != '\\' || s.ptr[i + 5] != 'u' ||
		!hex4(s, i + 6, &low))
		return 0;
	add_rune(out,
		unit < 0xdc00 && low >= 0xdc00 && low <= 0xdfff
			? 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
			: 0xfffd);
	return 10;
}

/* Escapes that mean nothing stay as they are written. */
static void unescape(struct buf *out, struct str s)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

	for (size_t i = 0; i < s.len; i++) {
		const char *known;
		size_t used;

		if (s.ptr[i] != '\\' || i + 1 == s.len) {
			buf_addc(out, s.ptr[i]);
			continue;
		}
		i++;
		known = memchr(from, s.ptr[i], sizeof(from) - 1);
		if (known) {
			buf_addc(out, to[known - from]);
			continue;
		}
		used = s.ptr[i] == 'u' ? escaped_unit(out, s, i + 1) : 0;
		if (!used)
			buf_addstr(out, str_slice(s, i - 1, i + 1));
		i += used;
	}
}

static struct value string_value(struct reader *r, struct str raw)
{
	struct buf text = {0};
	struct value v;

	unescape(&text, raw);
	v = v_str(r->cx->arena, buf_str(&text));
	buf_release(&text);
	return v;
}

/* --- values ----------------------------------------------------------------
 */

static bool read_value(struct reader *r, struct value *v);

static void space(struct reader *r)
{
	while (r->p < r->end && strchr(" \t\n\r", *r->p) && *r->p)
		r->p++;
}

static bool at(const struct reader *r, char c)
{
	return r->p < r->end && *r->p == c;
}

/* What begins like a number but with another character in its first place. */
static bool odd_number(struct reader *r, const char *p)
{
	if (r->end - p >= 3 &&
		(!strncasecmp(p, "inf", 3) || !strncasecmp(p, "nan", 3))) {
		r->p = p + 3;
		return true;
	}
	fail_at(r, "unexpected char: ", (struct str){r->p, 1});
	return inside(r, "cannot parse number: ");
}

static bool read_number(struct reader *r)
{
	const char *p = r->p;
	bool sign = *p == '-' || *p == '+';

	while (p < r->end && *p && strchr("0123456789.-eE+", *p))
		p++;
	if (p < r->end && (p == r->p || (p == r->p + 1 && sign)))
		return odd_number(r, p);
	r->p = p;
	return true;
}

static bool read_word(
	struct reader *r, const char *word, struct value is, struct value *v)
{
	size_t n = strlen(word);

	*v = is;
	if ((size_t)(r->end - r->p) >= n && !memcmp(r->p, word, n)) {
		r->p += n;
		return true;
	}
	if (*word == 'n' && r->end - r->p >= 3 &&
		!strncasecmp(r->p, "nan", 3)) {
		*v = v_int(0);
		r->p += 3;
		return true;
	}
	return fail_at(r, "unexpected value found: ", rest(r));
}

/* Behind an item: another one follows, or none (*more), or an error. */
static bool item_end(struct reader *r, char close, const char *ends,
	const char *comma, bool *more)
{
	space(r);
	if (r->p == r->end)
		return fail(r, ends);
	*more = *r->p == ',';
	if (!*more && *r->p != close)
		return fail(r, comma);
	r->p++;
	return true;
}

static bool read_array(struct reader *r)
{
	struct value item;
	bool more = true;

	r->p++;
	space(r);
	if (r->p == r->end)
		return fail(r, "missing ']'");
	if (at(r, ']'))
		more = false;
	r->p += !more;
	while (more) {
		space(r);
		if (!read_value(r, &item))
			return inside(r, "cannot parse array value: ");
		if (!item_end(r, ']', "unexpected end of array",
			    "missing ',' after array value", &more))
			return false;
	}
	return true;
}

/* The first of the name counts, one without escapes before all others. */
static void note_member(struct reader *r, struct str key, struct value v)
{
	struct value *into[] = {&r->top->alg, &r->top->typ};
	struct buf name = {0};

	unescape(&name, key);
	for (size_t i = 0; i < COUNT(into); i++) {
		bool plain = str_is(key, names[i]);

		if (!str_is(buf_str(&name), names[i]) || r->plain[i] ||
			(is_def(*into[i]) && !plain))
			continue;
		*into[i] = v;
		r->plain[i] = plain;
	}
	buf_release(&name);
}

static bool read_member(struct reader *r)
{
	struct str key;
	struct value v;

	space(r);
	if (!at(r, '"'))
		return fail(r, "cannot find opening '\"\" for object key");
	if (!raw_string(r, &key))
		return inside(r, "cannot parse object key: ");
	space(r);
	if (!at(r, ':'))
		return fail(r, "missing ':' after object key");
	r->p++;
	space(r);
	if (!read_value(r, &v))
		return inside(r, "cannot parse object value: ");
	if (r->depth == 1)
		note_member(r, key, v);
	return true;
}

static bool read_object(struct reader *r)
{
	bool more = true;

	r->p++;
	space(r);
	if (r->p == r->end)
		return fail(r, "missing '}'");
	if (at(r, '}'))
		more = false;
	r->p += !more;
	while (more)
		if (!read_member(r) ||
			!item_end(r, '}', "unexpected end of object",
				"missing ',' after object value", &more))
			return false;
	return true;
}

static bool read_text(struct reader *r, struct value *v)
{
	struct str raw;

	if (!raw_string(r, &raw))
		return inside(r, "cannot parse string: ");
	*v = string_value(r, raw);
	return true;
}

static bool read_one(struct reader *r, struct value *v)
{
	switch (*r->p) {
	case '{':
		*v = v_empty_obj;
		return read_object(r) || inside(r, "cannot parse object: ");
	case '[':
		*v = v_empty_arr;
		return read_array(r) || inside(r, "cannot parse array: ");
	case '"':
		return read_text(r, v);
	case 't':
		return read_word(r, "true", v_true, v);
	case 'f':
		return read_word(r, "false", v_false, v);
	case 'n':
		return read_word(r, "null", v_null, v);
	default:
		*v = v_int(0);
		return read_number(r);
	}
}

static bool read_value(struct reader *r, struct value *v)
{
	bool ok;

	if (r->p == r->end)
		return fail(r, "cannot parse empty string");
	if (r->depth == DEPTH_MAX)
		return fail(r, "too big depth for the nested JSON; it exceeds "
			       "300");
	r->depth++;
	ok = read_one(r, v);
	r->depth--;
	return ok;
}

enum bi_status jws_header_read(
	struct bi_ctx *cx, struct str text, struct jws_header *h)
{
	struct reader r = {
		.cx = cx, .p = text.ptr, .end = text.ptr + text.len, .top = h};
	struct buf tail = {0};
	struct value v;
	enum bi_status st;

	*h = (struct jws_header){v_undef, v_undef};
	space(&r);
	if (!read_value(&r, &v))
		return report(&r);
	space(&r);
	if (r.p == r.end)
		return BI_OK;
	tail_text(&tail, rest(&r));
	st = bi_error(cx, "unexpected tail: %.*s", STR_ARG(buf_str(&tail)));
	buf_release(&tail);
	return st;
}
