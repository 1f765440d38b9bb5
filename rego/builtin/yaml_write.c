#include "rego/builtin/yaml_write.h"

#include <math.h>
#include <string.h>

#include "rego/builtin/operand.h"
#include "rego/builtin/unicode.h"
#include "rego/value_impl.h"

enum {
	DEPTH_MAX = 10000,    /* of flow collections, in go-yaml's reader */
	KEY_CHARS_MAX = 1024, /* of a key as JSON, in go-yaml's reader */
	SIMPLE_KEY_MAX = 128, /* bytes of a key that needs no "? " */
	NEL = 0x85,           /* next line, a line break to YAML */
};

/* --- what a plain scalar means --------------------------------------- */

static bool is_one_of(struct str s, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_is(s, names[i]))
			return true;
	}
	return false;
}

/* Null, booleans and special floats. */
static bool is_core_word(struct str s)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL",
		"true", "True", "TRUE", "false", "False", "FALSE", ".nan",
		".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf",
		"+.INF", "-.inf", "-.Inf", "-.INF"};

	return is_one_of(s, words, COUNT(words));
}

/* What YAML 1.1 took for booleans; they are quoted for old readers. */
static bool is_old_bool(struct str s)
{
	static const char *const words[] = {"y", "Y", "yes", "Yes", "YES", "on",
		"On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"};

	return is_one_of(s, words, COUNT(words));
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char char_at(struct str s, size_t i)
{
	return i < s.len ? s.ptr[i] : '\0';
}

static bool is_sign(char c)
{
	return c == '+' || c == '-';
}

/* One or more digits of `base`, and nothing else, below 2^64. */
static bool is_uint(struct str s, unsigned base, uint64_t max)
{
	uint64_t n = 0;

	if (!s.len)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		unsigned d = 99;

		if (is_digit(c))
			d = (unsigned)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			d = (unsigned)((c | 0x20) - 'a') + 10;
		if (d >= base || n > (max - d) / base)
			return false;
		n = n * base + d;
	}
	return true;
}

/* Digits in `base` with an optional sign that fit an int64. */
static bool is_signed(struct str s, unsigned base)
{
	bool negative = char_at(s, 0) == '-';

	if (is_sign(char_at(s, 0)))
		s = str_slice(s, 1, s.len);
	return is_uint(s, base, (uint64_t)INT64_MAX + negative);
}

/*
 * Integers of Go syntax, 0x, 0b, 0o and 0 for octal, that fit an int64 or,
 * without a sign, a uint64. go-yaml strips the prefixes once more by itself,
 * which lets a sign pass behind them: 0b-1.
 */
static bool is_integer(struct str s)
{
	bool sign = is_sign(char_at(s, 0)), negative = char_at(s, 0) == '-';
	uint64_t max = sign ? (uint64_t)INT64_MAX + negative : UINT64_MAX;
	struct str rest = str_slice(s, sign, s.len);
	char kind = (char)(char_at(rest, 1) | 0x20);

	if (char_at(rest, 0) != '0')
		return is_uint(rest, 10, max);
	if (rest.len >= 3 && kind == 'x')
		return is_uint(str_slice(rest, 2, rest.len), 16, max);
	if (rest.len >= 3 && (kind == 'b' || kind == 'o')) {
		unsigned base = kind == 'b' ? 2 : 8;
		bool lower = rest.ptr[1] == kind;

		rest = str_slice(rest, 2, rest.len);
		return is_uint(rest, base, max) ||
		       (lower && !sign && is_signed(rest, base));
	}
	return rest.len == 1 || is_uint(str_slice(rest, 1, rest.len), 8, max);
}

static size_t skip_digits(struct str s, size_t at)
{
	while (is_digit(char_at(s, at)))
		at++;
	return at;
}

/* [-+]? digits, with a point somewhere, and an exponent */
static bool has_float_form(struct str s)
{
	size_t at = is_sign(char_at(s, 0)), start = at;

	at = skip_digits(s, at);
	if (char_at(s, at) == '.') {
		size_t point = at;

		at = skip_digits(s, at + 1);
		if (point == start && at == point + 1)
			return false;
	} else if (at == start) {
		return false;
	}
	if ((char_at(s, at) | 0x20) == 'e') {
		size_t digits;

		at += 1 + (size_t)is_sign(char_at(s, at + 1));
		digits = at;
		at = skip_digits(s, at);
		if (at == digits)
			return false;
	}
	return at == s.len;
}

static bool is_float(struct str s)
{
	char *text;
	bool fits;

	if (!has_float_form(s))
		return false;
	text = strndup(s.ptr, s.len);
	if (!text)
		die("out of memory");
	fits = isfinite(strtod(text, NULL)) != 0;
	free(text);
	return fits;
}

/* A number of one or two digits from `at` on; 0 digits gives -1. */
static int short_number(struct str s, size_t *at)
{
	int n = 0;
	size_t end = *at;

	while (end < *at + 2 && is_digit(char_at(s, end)))
		n = n * 10 + (s.ptr[end++] - '0');
	if (end == *at)
		return -1;
	*at = end;
	return n;
}

static int days_in(int year, int month)
{
	static const int days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0 && (year % 100 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

static bool skip_date(struct str s, size_t *at)
{
	int year, month, day;

	if (skip_digits(s, 0) != 4 || char_at(s, 4) != '-')
		return false;
	year = (s.ptr[0] - '0') * 1000 + (s.ptr[1] - '0') * 100 +
	       (s.ptr[2] - '0') * 10 + (s.ptr[3] - '0');
	*at = 5;
	month = short_number(s, at);
	if (month < 1 || month > 12 || char_at(s, (*at)++) != '-')
		return false;
	day = short_number(s, at);
	return day >= 1 && day <= days_in(year, month);
}

/* h:m:s with an optional fraction */
static bool skip_clock(struct str s, size_t *at)
{
	int hour = short_number(s, at), minute, second;

	if (hour < 0 || hour > 23 || char_at(s, (*at)++) != ':')
		return false;
	minute = short_number(s, at);
	if (minute < 0 || minute > 59 || char_at(s, (*at)++) != ':')
		return false;
	second = short_number(s, at);
	if (second < 0 || second > 59)
		return false;
	if ((char_at(s, *at) == '.' || char_at(s, *at) == ',') &&
		is_digit(char_at(s, *at + 1)))
		*at = skip_digits(s, *at + 1);
	return true;
}

/* Z or +hh:mm, up to the end */
static bool is_zone(struct str s)
{
	if (str_is(s, "Z"))
		return true;
	return s.len == 6 && is_sign(s.ptr[0]) && s.ptr[3] == ':' &&
	       is_uint(str_slice(s, 1, 3), 10, 24) &&
	       is_uint(str_slice(s, 4, 6), 10, 60);
}

/* A date, or date and time as go-yaml reads them. */
static bool is_timestamp(struct str s)
{
	size_t at;
	char c;

	if (!skip_date(s, &at))
		return false;
	if (at == s.len)
		return true;
	c = s.ptr[at];
	if (c == ' ') {
		while (char_at(s, at) == ' ')
			at++;
		return skip_clock(s, &at) && at == s.len;
	}
	at++;
	return (c == 'T' || c == 't') && skip_clock(s, &at) &&
	       is_zone(str_slice(s, at, s.len));
}

static bool is_number_like(struct str s)
{
	struct buf b = {0};
	bool number;

	if (is_timestamp(s))
		return true;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] != '_')
			buf_addc(&b, s.ptr[i]);
	}
	number = is_integer(buf_str(&b)) || is_float(buf_str(&b));
	buf_release(&b);
	return number;
}

/*
 * What a plain (unquoted) scalar would be read as: true if a string. Empty
 * text, "~", "true", "0x1f", "1e3", ".inf", "2023-01-01" are not.
 */
static bool yaml_is_plain_string(struct str s)
{
	char c = char_at(s, 0);

	if (is_core_word(s))
		return false;
	if (c == '.')
		return !is_float(s);
	if (is_digit(c) || is_sign(c))
		return !is_number_like(s);
	return true;
}

/* 190:20:30 was a number in YAML 1.1. */
static bool is_base60(struct str s)
{
	size_t at = is_sign(char_at(s, 0));
	size_t groups = 0;

	if (!is_digit(char_at(s, at)))
		return false;
	while (is_digit(char_at(s, at)) || char_at(s, at) == '_')
		at++;
	for (; char_at(s, at) == ':'; groups++) {
		size_t end = skip_digits(s, ++at);

		if (end == at || end > at + 2 ||
			(end == at + 2 && s.ptr[at] > '5'))
			return false;
		at = end;
	}
	if (char_at(s, at) == '.') {
		at++;
		while (is_digit(char_at(s, at)) || char_at(s, at) == '_')
			at++;
	}
	return groups && at == s.len;
}

/* --- scalars --------------------------------------------------------- */

struct writer {
	struct arena *arena;
	struct buf *out;
	int indent, column;
	bool whitespace; /* the last character was one that separates */
	bool indention;  /* only indentation so far on this line */
};

/* Length of the line break at s[i]: CR, LF, NEL, LS, PS; or 0. */
static size_t break_at(struct str s, size_t i)
{
	const char *p = s.ptr + i;

	if (*p == '\r' || *p == '\n')
		return 1;
	if (s.len - i >= 2 && !memcmp(p, "\xc2\x85", 2))
		return 2;
	if (s.len - i >= 3 && (!memcmp(p, "\xe2\x80\xa8", 3) ||
				      !memcmp(p, "\xe2\x80\xa9", 3)))
		return 3;
	return 0;
}

/* What go-yaml prints as it is: not even all of what YAML allows. */
static bool is_printable(uint32_t cp)
{
	if (cp < 0x80)
		return cp == '\n' || (cp >= ' ' && cp <= '~');
	return cp >= 0xa0 && cp <= 0xfffd && cp != 0xfeff;
}

/* How a text may be written, from one look at all of it. */
struct shape {
	bool multiline;
	bool plain, single_quoted, literal; /* allowed */
};

/* Characters that mean something at their place. */
static bool is_indicator(
	struct str s, size_t i, bool after_blank, bool blank_next)
{
	char c = s.ptr[i];

	if (c == ':')
		return blank_next;
	if (i)
		return c == '#' && after_blank;
	if (c == '?' || c == '-')
		return blank_next;
	return strchr("#,[]{}&*!|>'\"%@`", c) && c;
}

static struct shape shape_of(struct str s)
{
	bool indicators = str_starts(s, S("---")) || str_starts(s, S("..."));
	bool special = false, tabs = false, breaks = false;
	bool edge_blank = false, trailing_space = false;
	bool break_space = false, space_break = false;
	bool was_space = false, was_break = false, after_blank = true;

	if (!s.len)
		return (struct shape){false, true, true, false};
	for (size_t i = 0; i < s.len;) {
		uint32_t cp;
		size_t w = utf8_decode(s.ptr + i, s.len - i, &cp);
		bool edge = i == 0 || i + w == s.len;
		char next = char_at(s, i + w);

		indicators |= is_indicator(s, i, after_blank,
			i + w == s.len || next == ' ' || next == '\t');
		tabs |= cp == '\t';
		special |= cp != '\t' && !is_printable(cp);
		if (cp == ' ') {
			edge_blank |= edge;
			trailing_space |= i + w == s.len;
			break_space |= was_break;
			was_space = true;
			was_break = false;
		} else if (break_at(s, i)) {
			breaks = true;
			edge_blank |= edge;
			space_break |= was_space;
			was_space = false;
			was_break = true;
		} else {
			was_space = was_break = false;
		}
		after_blank =
			cp == ' ' || cp == '\t' || cp == 0 || break_at(s, i);
		i += w;
	}
	return (struct shape){
		.multiline = breaks,
		.single_quoted =
			!break_space && !space_break && !tabs && !special,
		.literal = !trailing_space && !space_break && !special,
		.plain = !indicators && !edge_blank && !breaks &&
			 !break_space && !space_break && !tabs && !special,
	};
}

static void put_break(struct writer *w)
{
	buf_addc(w->out, '\n');
	w->column = 0;
	w->indention = true;
}

static void write_indent(struct writer *w)
{
	int indent = w->indent < 0 ? 0 : w->indent;

	if (!w->indention || w->column > indent ||
		(w->column == indent && !w->whitespace))
		put_break(w);
	for (; w->column < indent; w->column++)
		buf_addc(w->out, ' ');
	w->whitespace = true;
}

static void write_text(struct writer *w, struct str s)
{
	buf_addstr(w->out, s);
	w->column += (int)s.len;
}

static void write_indicator(struct writer *w, const char *text,
	bool need_whitespace, bool is_whitespace, bool is_indention)
{
	if (need_whitespace && !w->whitespace)
		write_text(w, S(" "));
	write_text(w, str_from(text));
	w->whitespace = is_whitespace;
	w->indention = w->indention && is_indention;
}

static void write_plain(struct writer *w, struct str s)
{
	if (!w->whitespace)
		write_text(w, S(" "));
	write_text(w, s);
	w->whitespace = false;
	w->indention = false;
}

/* A break: \n becomes ours, others stand for themselves. */
static size_t write_break(struct writer *w, struct str s, size_t i)
{
	size_t n = break_at(s, i);

	if (s.ptr[i] == '\n') {
		put_break(w);
	} else {
		buf_addstr(w->out, str_slice(s, i, i + n));
		w->column = 0;
		w->indention = true;
	}
	return n;
}

static void write_single_quoted(struct writer *w, struct str s)
{
	bool breaks = false;

	write_indicator(w, "'", true, false, false);
	for (size_t i = 0; i < s.len;) {
		if (s.ptr[i] != ' ' && break_at(s, i)) {
			if (!breaks && s.ptr[i] == '\n')
				put_break(w);
			i += write_break(w, s, i);
			breaks = true;
			continue;
		}
		if (s.ptr[i] != ' ') {
			if (breaks)
				write_indent(w);
			if (s.ptr[i] == '\'')
				write_text(w, S("'"));
			w->indention = false;
			breaks = false;
		}
		write_text(w, str_slice(s, i, i + 1));
		i++;
	}
	write_indicator(w, "'", false, false, false);
}

static void write_escape(struct writer *w, uint32_t cp)
{
	static const struct {
		uint32_t cp;
		char letter;
	} letters[] = {{0, '0'}, {7, 'a'}, {8, 'b'}, {9, 't'}, {10, 'n'},
		{11, 'v'}, {12, 'f'}, {13, 'r'}, {27, 'e'}, {'"', '"'},
		{'\\', '\\'}, {NEL, 'N'}, {0xa0, '_'}, {0x2028, 'L'},
		{0x2029, 'P'}};

	for (size_t i = 0; i < COUNT(letters); i++) {
		if (letters[i].cp == cp) {
			buf_addf(w->out, "\\%c", letters[i].letter);
			return;
		}
	}
	if (cp <= 0xff)
		buf_addf(w->out, "\\x%02X", cp);
	else if (cp <= 0xffff)
		buf_addf(w->out, "\\u%04X", cp);
	else
		buf_addf(w->out, "\\U%08X", cp);
}

static void write_double_quoted(struct writer *w, struct str s)
{
	/* go-yaml looks at the start for a mark of byte order, every time */
	bool all = str_starts(s, S("\xef\xbb\xbf"));

	write_indicator(w, "\"", true, false, false);
	for (size_t i = 0; i < s.len;) {
		uint32_t cp;
		size_t n = utf8_decode(s.ptr + i, s.len - i, &cp);

		if (all || !is_printable(cp) || break_at(s, i) || cp == '"' ||
			cp == '\\')
			write_escape(w, cp);
		else
			write_text(w, str_slice(s, i, i + n));
		i += n;
	}
	w->column++; /* not 0; how far does not matter */
	write_indicator(w, "\"", false, false, false);
}

/* Where the last line break of `s` begins, or SIZE_MAX. */
static size_t last_break(struct str s)
{
	for (size_t n = 1; n <= 3 && n <= s.len; n++) {
		if (break_at(s, s.len - n) == n)
			return s.len - n;
	}
	return SIZE_MAX;
}

/* "-": no break at the end; "+": more than one. */
static const char *chomp_hint(struct str s)
{
	size_t last = last_break(s);

	if (last == SIZE_MAX)
		return "-";
	if (last == 0 || last_break(str_slice(s, 0, last)) != SIZE_MAX)
		return "+";
	return "";
}

static void write_literal(struct writer *w, struct str s)
{
	bool breaks = true;

	write_indicator(w, "|", true, false, false);
	if (s.ptr[0] == ' ' || break_at(s, 0))
		write_indicator(w, "2", false, false, false);
	write_indicator(w, chomp_hint(s), false, false, false);
	put_break(w);
	w->whitespace = true;
	for (size_t i = 0; i < s.len;) {
		if (break_at(s, i)) {
			i += write_break(w, s, i);
			breaks = true;
			continue;
		}
		if (breaks)
			write_indent(w);
		write_text(w, str_slice(s, i, i + 1));
		w->indention = false;
		breaks = false;
		i++;
	}
}

static void write_string(struct writer *w, struct str s)
{
	struct shape shape = shape_of(s);
	bool plain =
		yaml_is_plain_string(s) && !is_base60(s) && !is_old_bool(s);
	bool literal = memchr(s.ptr, '\n', s.len) != NULL;
	int indent = w->indent;

	w->indent = indent < 0 ? 2 : indent + 2;
	if (literal && shape.literal)
		write_literal(w, s);
	else if (literal || !plain)
		write_double_quoted(w, s);
	else if (shape.plain)
		write_plain(w, s);
	else if (shape.single_quoted)
		write_single_quoted(w, s);
	else
		write_double_quoted(w, s);
	w->indent = indent;
}

/* Integers stay, the rest becomes a float64; what overflows stays as text. */
static void write_number(struct writer *w, struct value v)
{
	char tmp[24];
	struct str text = num_text(v, tmp);
	struct buf b = {0};
	double d;

	if (is_integer(text)) {
		write_plain(w, str_is(text, "-0") ? S("0") : text);
		return;
	}
	d = num_to_double(v);
	if (isfinite(d)) {
		num_write_double(&b, d, FLOAT_G64);
		write_plain(w, buf_str(&b));
		buf_release(&b);
	} else {
		write_string(w, text);
	}
}

/* --- what the detour over JSON does to a string ---------------------- */

/*
 * In quotes, YAML folds lines: blanks around a break go away, one break
 * becomes a space, n breaks become n - 1. Of all line breaks only NEL gets
 * through JSON unescaped.
 */
static struct str fold_lines(struct arena *a, struct str s)
{
	struct buf b = {0};
	struct str folded;

	if (str_find(s, S("\xc2\x85"), 0) == SIZE_MAX)
		return s;
	for (size_t i = 0; i < s.len;) {
		size_t start = i, breaks = 0;

		while (i < s.len) {
			if (str_starts(str_slice(s, i, s.len), S("\xc2\x85"))) {
				breaks++;
				i += 2;
			} else if (s.ptr[i] == ' ') {
				i++;
			} else {
				break;
			}
		}
		if (breaks == 0)
			buf_addstr(&b, str_slice(s, start, i));
		else if (breaks == 1)
			buf_addc(&b, ' ');
		for (size_t n = 1; n < breaks; n++)
			buf_addc(&b, '\n');
		if (i < s.len)
			buf_addc(&b, s.ptr[i++]);
	}
	folded = arena_str(a, buf_str(&b));
	buf_release(&b);
	return folded;
}

static struct str repair(struct arena *a, struct str s)
{
	struct buf b = {0};
	struct str good;

	if (utf8_valid(s.ptr, s.len))
		return s;
	buf_addutf8(&b, s);
	good = arena_str(a, buf_str(&b));
	buf_release(&b);
	return good;
}

static struct str text_of(struct arena *a, struct value v)
{
	return fold_lines(a, repair(a, v_bytes(v)));
}

static bool is_refused(uint32_t cp)
{
	return cp == 0x7f || (cp >= 0x80 && cp < 0xa0 && cp != NEL) ||
	       cp == 0xfffe || cp == 0xffff;
}

static bool has_refused(struct value v)
{
	struct str s = v_bytes(v);

	for (size_t i = 0; i < s.len;) {
		uint32_t cp;

		i += utf8_decode(s.ptr + i, s.len - i, &cp);
		if (is_refused(cp))
			return true;
	}
	return false;
}

/* The same for all strings and keys in `v`. */
static bool any_refused(struct value v)
{
	const struct value *items;
	uint32_t n;

	if (v.tag == V_STR)
		return has_refused(v);
	if (v.tag == V_OBJ) {
		for (uint32_t i = 0; i < v.obj->len; i++) {
			if (has_refused(v.obj->keys->items[i]) ||
				any_refused(v.obj->vals[i]))
				return true;
		}
	}
	if (!operand_members(v, &items, &n))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (any_refused(items[i]))
			return true;
	}
	return false;
}

/* Reading in the order of the JSON text, for what a reader trips over. */
struct reading {
	int line; /* from 0 */
	char *why;
};

/* How many characters `s` has as a JSON string; *breaks of them are NEL. */
static size_t json_chars(struct str s, int *breaks)
{
	size_t chars = 2;

	*breaks = 0;
	for (size_t i = 0; i < s.len;) {
		uint32_t cp;
		size_t w = utf8_decode(s.ptr + i, s.len - i, &cp);

		*breaks += cp == NEL;
		if (cp == '"' || cp == '\\' || cp == '\b' || cp == '\f' ||
			cp == '\n' || cp == '\r' || cp == '\t')
			chars += 2;
		else if (cp < ' ' || cp == '<' || cp == '>' || cp == '&' ||
			 cp == 0x2028 || cp == 0x2029 ||
			 (cp == 0xfffd && w == 1))
			chars += 6;
		else
			chars++;
		i += w;
	}
	return chars;
}

/* A key must be short and on one line, or its colon comes as a surprise. */
static bool read_key(struct reading *r, struct value key, int map_line)
{
	int breaks, line, n;
	size_t chars = json_chars(v_bytes(key), &breaks);

	r->line += breaks;
	if (chars <= KEY_CHARS_MAX && !breaks)
		return true;
	line = map_line ? map_line : r->line;
	if (line)
		n = snprintf(r->why, YAML_WHY_MAX, "yaml: line %d: ", line);
	else
		n = snprintf(r->why, YAML_WHY_MAX, "yaml: ");
	snprintf(r->why + n, YAML_WHY_MAX - (size_t)n,
		"did not find expected ',' or '}'");
	return false;
}

static bool read_value(struct reading *r, struct value v, int depth);

static bool read_object(struct reading *r, struct value v, int depth)
{
	int line = r->line;

	for (uint32_t i = 0; i < v.obj->len; i++) {
		if (!read_key(r, v.obj->keys->items[i], line) ||
			!read_value(r, v.obj->vals[i], depth + 1))
			return false;
	}
	return true;
}

static bool read_items(
	struct reading *r, const struct value *items, uint32_t n, int depth)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!read_value(r, items[i], depth + 1))
			return false;
	}
	return true;
}

static bool read_value(struct reading *r, struct value v, int depth)
{
	int breaks;

	if (depth >= DEPTH_MAX && v.tag >= V_ARR) {
		snprintf(r->why, YAML_WHY_MAX, "yaml: exceeded max depth of %d",
			DEPTH_MAX);
		return false;
	}
	switch (v.tag) {
	case V_STR:
		json_chars(v_bytes(v), &breaks);
		r->line += breaks;
		return true;
	case V_ARR:
		return read_items(r, v.arr->items, v.arr->len, depth);
	case V_SET:
		return read_items(r, v.set->keys->items, v.set->len, depth);
	case V_OBJ:
		return read_object(r, v, depth);
	default:
		return true;
	}
}

/* --- sorting keys ---------------------------------------------------- */

struct entry {
	const uint32_t *runes;
	size_t len;
	struct str key;
	struct value value;
};

/* The number of which a[at] is a digit, as far as it goes on from there. */
static int64_t digits_from(const struct entry *e, size_t *at, uint64_t n)
{
	for (; *at < e->len && rune_is_digit(e->runes[*at]); ++*at)
		n = n * 10 + (uint64_t)((int64_t)e->runes[*at] - '0');
	return (int64_t)n;
}

/* Whether a digit other than 0 stands in the digits right before `at`. */
static bool number_before(const struct entry *e, size_t at)
{
	while (at-- > 0 && rune_is_digit(e->runes[at])) {
		if (e->runes[at] != '0')
			return true;
	}
	return false;
}

/* Two keys that are the same before `i` and differ there. */
static int cmp_from(const struct entry *a, const struct entry *b, size_t i)
{
	uint32_t x = a->runes[i], y = b->runes[i];
	bool xl = rune_is_letter(x), yl = rune_is_letter(y);
	bool digits = i > 0 && rune_is_digit(a->runes[i - 1]);
	size_t ai = i, bi = i;
	int64_t an, bn;
	uint64_t start;

	if (xl && yl)
		return x < y ? -1 : 1;
	if (xl || yl) /* letters after other signs, but before more digits */
		return (digits ? xl : yl) ? -1 : 1;
	start = (x == '0' || y == '0') && number_before(a, i);
	an = digits_from(a, &ai, start);
	bn = digits_from(b, &bi, start);
	if (an != bn)
		return an < bn ? -1 : 1;
	if (ai != bi)
		return ai < bi ? -1 : 1;
	return x < y ? -1 : 1;
}

static int cmp_entries(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	for (size_t i = 0; i < a->len && i < b->len; i++) {
		if (a->runes[i] != b->runes[i])
			return cmp_from(a, b, i);
	}
	return (a->len > b->len) - (a->len < b->len);
}

static struct entry entry_of(struct arena *a, struct value key, struct value v)
{
	struct str s = text_of(a, key);
	uint32_t *runes = arena_raw(a, (s.len + 1) * sizeof(*runes));
	size_t n = 0;

	for (size_t i = 0; i < s.len; n++)
		i += utf8_decode(s.ptr + i, s.len - i, &runes[n]);
	return (struct entry){runes, n, s, v};
}

/* --- values ---------------------------------------------------------- */

static void write_value(struct writer *w, struct value v);

static void write_items(struct writer *w, const struct value *items, uint32_t n)
{
	int indent = w->indent;

	if (!n) {
		write_indicator(w, "[", true, true, false);
		write_indicator(w, "]", false, false, false);
		return;
	}
	w->indent = indent < 0 ? 0 : indent + 2;
	for (uint32_t i = 0; i < n; i++) {
		write_indent(w);
		write_indicator(w, "-", true, false, true);
		write_value(w, items[i]);
	}
	w->indent = indent;
}

static void write_entry(struct writer *w, const struct entry *e)
{
	bool simple =
		e->key.len <= SIMPLE_KEY_MAX && !shape_of(e->key).multiline;

	write_indent(w);
	if (!simple)
		write_indicator(w, "?", true, false, true);
	write_string(w, e->key);
	if (!simple)
		write_indent(w);
	write_indicator(w, ":", !simple, false, !simple);
	write_value(w, e->value);
}

static void write_object(struct writer *w, struct value v)
{
	const struct object *o = v.obj;
	struct entry *entries;
	int indent = w->indent;

	if (!o->len) {
		write_indicator(w, "{", true, true, false);
		write_indicator(w, "}", false, false, false);
		return;
	}
	entries = ARENA_ARRAY(w->arena, struct entry, o->len);
	for (uint32_t i = 0; i < o->len; i++)
		entries[i] = entry_of(w->arena, o->keys->items[i], o->vals[i]);
	qsort(entries, o->len, sizeof(*entries), cmp_entries);
	w->indent = indent < 0 ? 0 : indent + 2;
	for (uint32_t i = 0; i < o->len; i++)
		write_entry(w, &entries[i]);
	w->indent = indent;
}

static void write_value(struct writer *w, struct value v)
{
	switch (v.tag) {
	case V_STR:
		write_string(w, text_of(w->arena, v));
		break;
	case V_INT:
	case V_NUM:
		write_number(w, v);
		break;
	case V_ARR:
		write_items(w, v.arr->items, v.arr->len);
		break;
	case V_SET:
		write_items(w, v.set->keys->items, v.set->len);
		break;
	case V_OBJ:
		write_object(w, v);
		break;
	case V_TRUE:
		write_plain(w, S("true"));
		break;
	case V_FALSE:
		write_plain(w, S("false"));
		break;
	default:
		write_plain(w, S("null"));
		break;
	}
}

bool yaml_write(struct arena *a, struct buf *out, struct value v,
	char why[YAML_WHY_MAX])
{
	struct reading r = {0, why};
	struct writer w = {
		.arena = a,
		.out = out,
		.indent = -1,
		.whitespace = true,
		.indention = true,
	};

	if (any_refused(v)) {
		snprintf(why, YAML_WHY_MAX,
			"yaml: control characters are not allowed");
		return false;
	}
	if (!read_value(&r, v, 0))
		return false;
	write_value(&w, v);
	write_indent(&w);
	return true;
}
