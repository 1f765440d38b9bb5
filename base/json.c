#include "base/json.h"

#include <string.h>

/* --- the checking scanner ---------------------------------------------- */

struct level {
	uint32_t keys; /* members so far */
	bool object;
};

struct scan {
	const char *start, *at, *end;
	struct json_limits limits;
	struct err *e;
	uint32_t depth;
	struct level levels[LIMIT_JSON_DEPTH];
};

/* What one step over the text came to. */
enum step {
	FAILED,
	VALUE, /* a value has to follow */
	DONE,  /* a value has ended */
};

static enum status unexpected(struct scan *s, const char *want)
{
	size_t at = (size_t)(s->at - s->start);
	unsigned char c;

	if (s->at == s->end)
		return err_set(s->e, E_INVALID,
			"byte %zu: text ends, expected %s", at, want);
	c = (unsigned char)*s->at;
	if (c > 0x20 && c < 0x7f)
		return err_set(s->e, E_INVALID,
			"byte %zu: unexpected '%c', expected %s", at, c, want);
	return err_set(s->e, E_INVALID,
		"byte %zu: unexpected byte 0x%02x, expected %s", at, c, want);
}

static enum status over(struct scan *s, const char *what, size_t limit)
{
	return err_set(s->e, E_LIMIT, "byte %zu: more than %zu %s",
		(size_t)(s->at - s->start), limit, what);
}

static const char *space(const char *at, const char *end)
{
	while (at < end &&
		(*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	return at;
}

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))
#define HIGH_BITS EACH_BYTE(0x80)

/* The high bit of each byte of `w` that is 0; bytes above it may lie. */
static uint64_t zero_bytes(uint64_t w)
{
	return (w - EACH_BYTE(1)) & ~w & HIGH_BITS;
}

/* None of the eight bytes at `at` is special in a string, or not ASCII. */
static bool plain8(const char *at)
{
	uint64_t w;

	memcpy(&w, at, sizeof(w));
	return !((w | (w - EACH_BYTE(0x20)) | zero_bytes(w ^ EACH_BYTE('"')) |
			 zero_bytes(w ^ EACH_BYTE('\\'))) &
		 HIGH_BITS);
}

/* At a backslash. */
static enum status escape(struct scan *s)
{
	if (++s->at == s->end)
		return unexpected(s, "an escape");
	if (*s->at != 'u') {
		if (!memchr("\"\\/bfnrt", *s->at, 8))
			return unexpected(s, "an escape");
		s->at++;
		return OK;
	}
	s->at++;
	for (int i = 0; i < 4; i++, s->at++)
		if (s->at == s->end || ascii_hex(*s->at) < 0)
			return unexpected(s, "four hex digits");
	return OK;
}

/* One character of a string that is not plain. */
static enum status character(struct scan *s)
{
	unsigned char c = (unsigned char)*s->at;
	uint32_t cp;
	size_t n;

	if (c == '\\')
		return escape(s);
	if (c < 0x20)
		return unexpected(s, "an escape for a control character");
	if (c < 0x80) {
		s->at++;
		return OK;
	}
	n = utf8_decode(s->at, (size_t)(s->end - s->at), &cp);
	if (n == 1)
		return unexpected(s, "UTF-8");
	s->at += n;
	return OK;
}

/* At a quote. */
static enum status string(struct scan *s)
{
	const char *first = ++s->at;
	enum status st;

	for (;;) {
		while (s->end - s->at >= 8 && plain8(s->at))
			s->at += 8;
		if (s->at == s->end)
			return unexpected(s, "'\"'");
		if (*s->at == '"')
			break;
		st = character(s);
		if (st)
			return st;
	}
	if ((size_t)(s->at - first) > s->limits.string)
		return over(s, "bytes in a string", s->limits.string);
	s->at++;
	return OK;
}

static bool digit(const struct scan *s)
{
	return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

static enum status digits(struct scan *s)
{
	if (!digit(s))
		return unexpected(s, "a digit");
	while (digit(s))
		s->at++;
	return OK;
}

static enum status number(struct scan *s)
{
	enum status st = OK;

	if (*s->at == '-')
		s->at++;
	if (s->at < s->end && *s->at == '0')
		s->at++;
	else
		st = digits(s);
	if (!st && s->at < s->end && *s->at == '.') {
		s->at++;
		st = digits(s);
	}
	if (!st && s->at < s->end && (*s->at | 0x20) == 'e') {
		s->at++;
		if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
			s->at++;
		st = digits(s);
	}
	return st;
}

static enum status word(struct scan *s, struct str w)
{
	struct str rest = {s->at, (size_t)(s->end - s->at)};

	if (!str_starts(rest, w))
		return unexpected(s, "a value");
	s->at += w.len;
	return OK;
}

static enum status scalar(struct scan *s)
{
	switch (*s->at) {
	case '"':
		return string(s);
	case 't':
		return word(s, S("true"));
	case 'f':
		return word(s, S("false"));
	case 'n':
		return word(s, S("null"));
	default:
		if (*s->at != '-' && !digit(s))
			return unexpected(s, "a value");
		return number(s);
	}
}

/* A key and its colon, in the object that is open. */
static enum status key(struct scan *s)
{
	struct level *l = &s->levels[s->depth - 1];
	enum status st;

	s->at = space(s->at, s->end);
	if (s->at == s->end || *s->at != '"')
		return unexpected(s, "a key");
	if (l->keys == s->limits.keys)
		return over(s, "keys in an object", s->limits.keys);
	l->keys++;
	st = string(s);
	if (st)
		return st;
	s->at = space(s->at, s->end);
	if (s->at == s->end || *s->at != ':')
		return unexpected(s, "':'");
	s->at++;
	return OK;
}

static char closing(const struct scan *s)
{
	return s->levels[s->depth - 1].object ? '}' : ']';
}

/* At a bracket. */
static enum step opened(struct scan *s)
{
	if (s->depth == s->limits.depth) {
		over(s, "levels of nesting", s->limits.depth);
		return FAILED;
	}
	s->levels[s->depth++] = (struct level){.object = *s->at == '{'};
	s->at = space(s->at + 1, s->end);
	if (s->at < s->end && *s->at == closing(s)) {
		s->at++;
		s->depth--;
		return DONE;
	}
	if (s->levels[s->depth - 1].object && key(s))
		return FAILED;
	return VALUE;
}

static enum step value(struct scan *s)
{
	s->at = space(s->at, s->end);
	if (s->at == s->end) {
		unexpected(s, "a value");
		return FAILED;
	}
	if (*s->at == '{' || *s->at == '[')
		return opened(s);
	return scalar(s) ? FAILED : DONE;
}

/* Behind a member. */
static enum step after(struct scan *s)
{
	bool object = s->levels[s->depth - 1].object;

	s->at = space(s->at, s->end);
	if (s->at < s->end && *s->at == ',') {
		s->at++;
		return object && key(s) ? FAILED : VALUE;
	}
	if (s->at < s->end && *s->at == closing(s)) {
		s->at++;
		s->depth--;
		return DONE;
	}
	unexpected(s, object ? "',' or '}'" : "',' or ']'");
	return FAILED;
}

static struct json_limits filled(const struct json_limits *given)
{
	struct json_limits l = given ? *given : (struct json_limits){0};

	if (!l.depth || l.depth > LIMIT_JSON_DEPTH)
		l.depth = LIMIT_JSON_DEPTH;
	if (!l.keys)
		l.keys = LIMIT_JSON_KEYS;
	if (!l.string)
		l.string = LIMIT_JSON_STRING;
	return l;
}

/* *to: behind the value, or where it is wrong. */
static enum status scan_value(struct str text, size_t from,
	const struct json_limits *limits, struct str *out, size_t *to,
	struct err *e)
{
	struct err own = {0};
	struct scan s;
	const char *first;
	enum step step;

	s.start = text.ptr ? text.ptr : "";
	s.end = s.start + text.len;
	s.at = s.start + (from < text.len ? from : text.len);
	s.at = first = space(s.at, s.end);
	s.limits = filled(limits);
	s.e = e ? e : &own;
	s.depth = 0;
	do {
		step = value(&s);
		while (step == DONE && s.depth)
			step = after(&s);
		*to = (size_t)(s.at - s.start);
		if (step == FAILED)
			return s.e->code;
	} while (step != DONE);
	*out = (struct str){first, (size_t)(s.at - first)};
	return OK;
}

enum status json_scan(struct str text, size_t *pos,
	const struct json_limits *limits, struct str *out, struct err *e)
{
	size_t to;
	enum status st = scan_value(text, *pos, limits, out, &to, e);

	if (!st)
		*pos = to;
	return st;
}

enum status json_check_at(struct str text, const struct json_limits *limits,
	struct str *out, size_t *bad, struct err *e)
{
	struct str v;
	enum status st = scan_value(text, 0, limits, &v, bad, e);

	if (st)
		return st;
	while (*bad < text.len && memchr(" \t\r\n", text.ptr[*bad], 4))
		++*bad;
	if (*bad < text.len)
		return err_set(e, E_INVALID,
			"byte %zu: more text after the value", *bad);
	*out = v;
	return OK;
}

enum status json_check(struct str text, const struct json_limits *limits,
	struct str *out, struct err *e)
{
	size_t bad;

	return json_check_at(text, limits, out, &bad, e);
}

/* --- walking checked text ------------------------------------------------ */

enum json_kind json_kind(struct str span)
{
	switch (span.len ? span.ptr[0] : 'n') {
	case 'n':
		return JSON_NULL;
	case 't':
	case 'f':
		return JSON_BOOL;
	case '"':
		return JSON_STRING;
	case '[':
		return JSON_ARRAY;
	case '{':
		return JSON_OBJECT;
	default:
		return JSON_NUMBER;
	}
}

const char *json_kind_name(enum json_kind kind)
{
	/* clang-format off */
	static const char *const names[] = {
		[JSON_NULL]   = "null",
		[JSON_BOOL]   = "bool",
		[JSON_NUMBER] = "number",
		[JSON_STRING] = "string",
		[JSON_ARRAY]  = "array",
		[JSON_OBJECT] = "object",
	};
	/* clang-format on */

	return names[kind];
}

/* At a quote; returns what follows the string. */
static const char *skip_string(const char *at, const char *end)
{
	at++;
	for (;;) {
		while (end - at >= 8 && plain8(at))
			at += 8;
		if (at >= end || *at == '"')
			return at + 1;
		at += *at == '\\' ? 2 : 1;
	}
}

static const char *skip_nested(const char *at, const char *end)
{
	size_t depth = 0;

	do {
		char c = *at;

		if (c == '"') {
			at = skip_string(at, end);
			continue;
		}
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		at++;
	} while (depth && at < end);
	return at;
}

static const char *skip_value(const char *at, const char *end)
{
	if (*at == '"')
		return skip_string(at, end);
	if (*at == '{' || *at == '[')
		return skip_nested(at, end);
	while (at < end && !memchr(",]} \t\r\n", *at, 7))
		at++;
	return at;
}

struct json_iter json_iter(struct str span)
{
	enum json_kind kind = json_kind(span);
	struct json_iter it = {.object = kind == JSON_OBJECT};

	if (kind == JSON_OBJECT || kind == JSON_ARRAY) {
		it.at = span.ptr + 1;
		it.end = span.ptr + span.len - 1;
	}
	return it;
}

bool json_next(struct json_iter *it)
{
	const char *at = space(it->at, it->end), *first;

	if (at < it->end && *at == ',')
		at = space(at + 1, it->end);
	if (at >= it->end)
		return false;
	if (it->object) {
		first = at;
		at = skip_string(at, it->end);
		it->key = (struct str){first, (size_t)(at - first)};
		at = space(at, it->end);
		at = space(at + 1, it->end); /* the colon */
	}
	first = at;
	at = skip_value(at, it->end);
	it->value = (struct str){first, (size_t)(at - first)};
	it->at = at;
	return true;
}

/* --- text of strings ------------------------------------------------------ */

/* The code unit of \uXXXX at `at`. */
static uint32_t unit(const char *at)
{
	uint32_t u = 0;

	for (int i = 2; i < 6; i++)
		u = u << 4 | (uint32_t)ascii_hex(at[i]);
	return u;
}

/* At \u; a pair of surrogates is one code point, half a pair U+FFFD. */
static uint32_t unicode_escape(const char **at, const char *end)
{
	uint32_t hi = unit(*at), lo;

	*at += 6;
	if (hi < 0xd800 || hi > 0xdfff)
		return hi;
	if (hi > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
		return 0xfffd;
	lo = unit(*at);
	if (lo < 0xdc00 || lo > 0xdfff)
		return 0xfffd;
	*at += 6;
	return 0x10000 + ((hi - 0xd800) << 10) + (lo - 0xdc00);
}

/* One byte, or the bytes of one escape; returns how many. */
static size_t next_text(const char **at, const char *end, char out[4])
{
	static const char names[] = "bfnrt", means[] = "\b\f\n\r\t";
	const char *name;

	if (**at != '\\') {
		out[0] = *(*at)++;
		return 1;
	}
	if ((*at)[1] == 'u')
		return utf8_encode(unicode_escape(at, end), out);
	name = memchr(names, (*at)[1], sizeof(names) - 1);
	out[0] = name ? means[name - names] : (*at)[1];
	*at += 2;
	return 1;
}

void json_text(struct buf *out, struct str string)
{
	const char *at = string.ptr + 1, *end = string.ptr + string.len - 1;
	char u[4];

	while (at < end) {
		const char *esc = memchr(at, '\\', (size_t)(end - at));
		size_t run = (size_t)((esc ? esc : end) - at);

		buf_add(out, at, run);
		at += run;
		if (esc)
			buf_add(out, u, next_text(&at, end, u));
	}
}

/* One byte of a step of a JSON pointer: ~1 is a slash, ~0 a tilde. */
static char next_step(const char **at, const char *end)
{
	char c = *(*at)++;

	if (c != '~' || *at == end || (**at != '0' && **at != '1'))
		return c;
	return *(*at)++ == '1' ? '/' : '~';
}

/* `want` is plain text, or a step of a JSON pointer. */
static bool means(struct str string, struct str want, bool pointer)
{
	const char *at = string.ptr + 1, *end = string.ptr + string.len - 1;
	const char *w = want.ptr, *wend = want.ptr + want.len;
	char u[4];

	while (at < end) {
		size_t n = next_text(&at, end, u);

		for (size_t i = 0; i < n; i++)
			if (w == wend ||
				u[i] != (pointer ? next_step(&w, wend) : *w++))
				return false;
	}
	return w == wend;
}

bool json_text_is(struct str string, struct str text)
{
	struct str inside;

	if (string.len < 2)
		return false;
	inside = str_slice(string, 1, string.len - 1);
	if (!memchr(inside.ptr, '\\', inside.len))
		return str_eq(inside, text);
	return means(string, text, false);
}

/* --- finding ---------------------------------------------------------------
 */

bool json_member(struct str object, struct str key, struct str *value)
{
	struct str got;

	if (!json_members(object, &key, 1, &got))
		return false;
	*value = got;
	return true;
}

size_t json_members(
	struct str object, const struct str *keys, size_t n, struct str *got)
{
	struct json_iter it = json_iter(object);
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		got[i] = (struct str){0};
	if (!it.object)
		return 0;
	while (json_next(&it))
		for (size_t i = 0; i < n; i++)
			if (json_text_is(it.key, keys[i])) {
				found += !got[i].ptr;
				got[i] = it.value;
			}
	return found;
}

static bool step_object(struct str *span, struct str step)
{
	struct json_iter it = json_iter(*span);
	struct str got = {0};

	while (json_next(&it))
		if (means(it.key, step, true))
			got = it.value;
	if (got.ptr)
		*span = got;
	return got.ptr;
}

/* No leading zero, and no more digits than an index can have. */
static bool step_array(struct str *span, struct str step)
{
	struct json_iter it = json_iter(*span);
	size_t index = 0;

	if (!step.len || step.len > 18 || (step.len > 1 && *step.ptr == '0'))
		return false;
	for (size_t i = 0; i < step.len; i++) {
		if (step.ptr[i] < '0' || step.ptr[i] > '9')
			return false;
		index = index * 10 + (size_t)(step.ptr[i] - '0');
	}
	while (json_next(&it))
		if (index-- == 0) {
			*span = it.value;
			return true;
		}
	return false;
}

bool json_at(struct str span, struct str pointer, struct str *value)
{
	size_t at = 0;

	while (at < pointer.len) {
		size_t to = str_find(pointer, S("/"), at + 1);
		struct str step = str_slice(pointer, at + 1, to);
		enum json_kind kind = json_kind(span);

		if (pointer.ptr[at] != '/')
			return false;
		if (kind == JSON_OBJECT ? !step_object(&span, step)
					: !step_array(&span, step))
			return false;
		at = to < pointer.len ? to : pointer.len;
	}
	*value = span;
	return true;
}

bool json_int(struct str span, int64_t *out)
{
	bool minus = span.len && span.ptr[0] == '-';
	int64_t n = 0;

	if (span.len == minus)
		return false;
	/* Downwards, because INT64_MIN has no positive twin. */
	for (size_t i = minus; i < span.len; i++) {
		if (span.ptr[i] < '0' || span.ptr[i] > '9')
			return false;
		if (__builtin_mul_overflow(n, 10, &n) ||
			__builtin_sub_overflow(n, span.ptr[i] - '0', &n))
			return false;
	}
	if (!minus && n == INT64_MIN)
		return false;
	*out = minus ? n : -n;
	return true;
}

static void quote_char(struct buf *out, uint32_t cp)
{
	static const char names[] = "bfnrt", codes[] = "\b\f\n\r\t";
	const char *code;

	if (cp == '"' || cp == '\\') {
		buf_addf(out, "\\%c", (char)cp);
	} else if (cp < 0x20) {
		code = memchr(codes, (int)cp, sizeof(codes) - 1);
		if (code)
			buf_addf(out, "\\%c", names[code - codes]);
		else
			buf_addf(out, "\\u%04x", cp);
	} else {
		buf_addcp(out, cp);
	}
}

void json_quote(struct buf *out, struct str s)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < s.len;) {
		size_t run = i;
		uint32_t cp;

		while (s.len - run >= 8 && plain8(s.ptr + run))
			run += 8;
		buf_add(out, s.ptr + i, run - i);
		i = run;
		if (i == s.len)
			break;
		i += utf8_decode(s.ptr + i, s.len - i, &cp);
		quote_char(out, cp);
	}
	buf_addc(out, '"');
}
