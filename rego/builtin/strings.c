#include "rego/builtin.h"

#include <string.h>

#include "base/limits.h"
#include "rego/builtin/operand.h"
#include "rego/builtin/unicode.h"

/*
 * Strings are bytes, mostly but not surely UTF-8: what base64.decode() gives
 * can be anything. Comparing, searching and replacing work on bytes; what
 * counts code points takes a broken byte for one U+FFFD, as Go does.
 */

/* Room for a result of `len` bytes, to be filled in before v_str_done(). */
static enum bi_status room(struct bi_ctx *cx, size_t len, struct string **s)
{
	if (len > LIMIT_STRING)
		return bi_limit(cx, "result has %zu bytes, limit %zu", len,
			LIMIT_STRING);
	if (!bi_charge(cx, len / 64))
		return BI_HALT;
	*s = v_str_room(cx->arena, len);
	return BI_OK;
}

/* A part of the string `whole`, which is `whole` itself if nothing is cut. */
static enum bi_status part_of(struct bi_ctx *cx, struct value whole,
	struct str part, struct value *out)
{
	if (part.len == whole.str->len) {
		*out = whole;
		return BI_OK;
	}
	return bi_string(cx, part, out);
}

/* Occurrences of a `needle` that is not empty; they do not overlap. */
static size_t count_parts(struct str s, struct str needle)
{
	size_t n = 0, at = 0;

	while ((at = str_find(s, needle, at)) != SIZE_MAX) {
		n++;
		at += needle.len;
	}
	return n;
}

/* --- containment ----------------------------------------------------- */

static enum bi_status bi_contains(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	(void)cx;
	*out = v_bool(
		str_find(v_bytes(args[0]), v_bytes(args[1]), 0) != SIZE_MAX);
	return BI_OK;
}

static enum bi_status bi_startswith(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	(void)cx;
	*out = v_bool(str_starts(v_bytes(args[0]), v_bytes(args[1])));
	return BI_OK;
}

static enum bi_status bi_endswith(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	(void)cx;
	*out = v_bool(str_ends(v_bytes(args[0]), v_bytes(args[1])));
	return BI_OK;
}

static enum bi_status bi_count(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str s = v_bytes(args[0]), needle = v_bytes(args[1]);
	size_t n;

	(void)cx;
	/* The empty string stands before and after each code point. */
	n = needle.len ? count_parts(s, needle) : utf8_count(s.ptr, s.len) + 1;
	*out = v_int((int64_t)n);
	return BI_OK;
}

/* --- indexof --------------------------------------------------------- */

/*
 * Finds `needle` code point by code point. Broken bytes are U+FFFD on both
 * sides, so "\xff" is found in "\xfe" and in "\ufffd".
 */
struct rune_search {
	struct str s, needle;
	size_t at;    /* bytes */
	int64_t rune; /* the same place in code points */
};

static bool runes_match(struct str s, size_t at, struct str needle)
{
	size_t n = 0;

	while (n < needle.len) {
		uint32_t a, b;

		if (at >= s.len)
			return false;
		at += utf8_decode(s.ptr + at, s.len - at, &a);
		n += utf8_decode(needle.ptr + n, needle.len - n, &b);
		if (a != b)
			return false;
	}
	return true;
}

static void step_rune(struct rune_search *f)
{
	uint32_t cp;

	f->at += utf8_decode(f->s.ptr + f->at, f->s.len - f->at, &cp);
	f->rune++;
}

/* Moves on to the next match; false at the end. */
static bool next_match(struct rune_search *f, bool ascii)
{
	if (ascii) {
		f->at = str_find(f->s, f->needle, f->at);
		f->rune = (int64_t)f->at;
		return f->at != SIZE_MAX;
	}
	while (f->at < f->s.len) {
		if (runes_match(f->s, f->at, f->needle))
			return true;
		step_rune(f);
	}
	return false;
}

static enum bi_status bi_indexof(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct rune_search f = {v_bytes(args[0]), v_bytes(args[1]), 0, 0};
	bool ascii = str_is_ascii(f.s) && str_is_ascii(f.needle);

	if (!f.needle.len)
		return bi_error(cx, "empty search character");
	*out = v_int(next_match(&f, ascii) ? f.rune : -1);
	return BI_OK;
}

static enum bi_status bi_indexof_n(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct rune_search f = {v_bytes(args[0]), v_bytes(args[1]), 0, 0};
	bool ascii = str_is_ascii(f.s) && str_is_ascii(f.needle);
	struct rune_search again = f;
	struct value *items;
	size_t n = 0;

	if (!f.needle.len)
		return bi_error(cx, "empty search character");
	/* Matches overlap here: the search goes on one further. */
	for (; next_match(&f, ascii); step_rune(&f))
		n++;
	if (!bi_charge(cx, n))
		return BI_HALT;
	items = ARENA_ARRAY(cx->arena, struct value, n);
	for (size_t i = 0; i < n; i++) {
		next_match(&again, ascii);
		items[i] = v_int(again.rune);
		step_rune(&again);
	}
	*out = v_arr(cx->arena, items, n);
	return BI_OK;
}

/* --- substring, reverse ---------------------------------------------- */

/* Byte offset of code point number `n`, not past the end. */
static size_t rune_offset(struct str s, size_t from, int64_t n)
{
	while (n-- > 0 && from < s.len) {
		uint32_t cp;

		from += utf8_decode(s.ptr + from, s.len - from, &cp);
	}
	return from;
}

/* The bytes of `s` with each broken one replaced by U+FFFD. */
static enum bi_status repaired(
	struct bi_ctx *cx, struct str s, struct value *out)
{
	struct buf b = {0};
	enum bi_status st;

	if (utf8_valid(s.ptr, s.len))
		return bi_string(cx, s, out);
	buf_addutf8(&b, s);
	st = bi_string(cx, buf_str(&b), out);
	buf_release(&b);
	return st;
}

static enum bi_status bi_substring(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str s;
	int64_t start, len;
	size_t from, to;
	enum bi_status st;

	if (args[0].tag != V_STR)
		return bi_operand(cx, 1, "string", args[0]);
	s = v_bytes(args[0]);
	st = operand_int(cx, 2, args[1], &start);
	if (!st)
		st = operand_int(cx, 3, args[2], &len);
	if (st)
		return st;
	if (start < 0)
		return bi_error(cx, "negative offset");
	if (start == 0 && len >= args[0].str->runes) {
		*out = args[0];
		return BI_OK;
	}
	if (str_is_ascii(s)) {
		uint64_t rest;

		from = start < (int64_t)s.len ? (size_t)start : s.len;
		rest = s.len - from;
		if (len >= 0 && (uint64_t)len < rest)
			rest = (uint64_t)len;
		return bi_string(
			cx, (struct str){s.ptr + from, (size_t)rest}, out);
	}
	from = rune_offset(s, 0, start);
	to = len < 0 ? s.len : rune_offset(s, from, len);
	return repaired(cx, str_slice(s, from, to), out);
}

/* Code points in reverse order; the bytes of each stay as they are. */
static enum bi_status bi_reverse(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str s = v_bytes(args[0]);
	struct string *r;
	enum bi_status st = room(cx, s.len, &r);

	if (st)
		return st;
	for (size_t i = 0; i < s.len;) {
		uint32_t cp;
		size_t w = utf8_decode(s.ptr + i, s.len - i, &cp);

		memcpy(r->bytes + s.len - i - w, s.ptr + i, w);
		i += w;
	}
	*out = v_str_done(r);
	return BI_OK;
}

/* --- upper and lower case -------------------------------------------- */

typedef uint32_t rune_map(uint32_t cp);

static enum bi_status map_ascii(
	struct bi_ctx *cx, struct str s, rune_map *map, struct value *out)
{
	struct string *r;
	enum bi_status st = room(cx, s.len, &r);

	if (st)
		return st;
	for (size_t i = 0; i < s.len; i++)
		r->bytes[i] = (char)map((unsigned char)s.ptr[i]);
	*out = v_str_done(r);
	return BI_OK;
}

static enum bi_status map_runes(
	struct bi_ctx *cx, struct value v, rune_map *map, struct value *out)
{
	struct str s = v_bytes(v);
	struct buf b = {0};
	enum bi_status st;

	if (str_is_ascii(s))
		return map_ascii(cx, s, map, out);
	buf_reserve(&b, s.len + 8);
	for (size_t i = 0; i < s.len;) {
		uint32_t cp;

		i += utf8_decode(s.ptr + i, s.len - i, &cp);
		buf_addcp(&b, map(cp));
	}
	st = bi_string(cx, buf_str(&b), out);
	buf_release(&b);
	return st;
}

static enum bi_status bi_lower(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return map_runes(cx, args[0], rune_lower, out);
}

static enum bi_status bi_upper(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return map_runes(cx, args[0], rune_upper, out);
}

/* --- trimming -------------------------------------------------------- */

/* What to cut off: a set of code points, or white space when `set` is NULL. */
struct cutset {
	const struct str *set;
	bool ascii;
	uint64_t bits[2]; /* of an ASCII set */
};

static struct cutset cutset_of(const struct str *set)
{
	struct cutset c = {.set = set, .ascii = str_is_ascii(*set)};

	for (size_t i = 0; c.ascii && i < set->len; i++) {
		unsigned char ch = (unsigned char)set->ptr[i];

		c.bits[ch >> 6] |= (uint64_t)1 << (ch & 63);
	}
	return c;
}

static bool is_cut(const struct cutset *c, uint32_t cp)
{
	if (!c->set)
		return rune_is_space(cp);
	if (c->ascii)
		return cp < 0x80 && c->bits[cp >> 6] >> (cp & 63) & 1;
	for (size_t i = 0; i < c->set->len;) {
		uint32_t other;

		i += utf8_decode(c->set->ptr + i, c->set->len - i, &other);
		if (other == cp)
			return true;
	}
	return false;
}

static struct str cut_left(struct str s, const struct cutset *c)
{
	while (s.len) {
		uint32_t cp;
		size_t w = utf8_decode(s.ptr, s.len, &cp);

		if (!is_cut(c, cp))
			break;
		s = str_slice(s, w, s.len);
	}
	return s;
}

static struct str cut_right(struct str s, const struct cutset *c)
{
	while (s.len) {
		uint32_t cp;
		size_t w = utf8_decode_last(s.ptr, s.len, &cp);

		if (!is_cut(c, cp))
			break;
		s.len -= w;
	}
	return s;
}

static enum bi_status bi_trim(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str set = v_bytes(args[1]);
	struct cutset c = cutset_of(&set);
	struct str s = cut_right(cut_left(v_bytes(args[0]), &c), &c);

	return part_of(cx, args[0], s, out);
}

static enum bi_status bi_trim_left(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str set = v_bytes(args[1]);
	struct cutset c = cutset_of(&set);

	return part_of(cx, args[0], cut_left(v_bytes(args[0]), &c), out);
}

static enum bi_status bi_trim_right(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str set = v_bytes(args[1]);
	struct cutset c = cutset_of(&set);

	return part_of(cx, args[0], cut_right(v_bytes(args[0]), &c), out);
}

static enum bi_status bi_trim_space(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct cutset c = {0};
	struct str s = cut_right(cut_left(v_bytes(args[0]), &c), &c);

	return part_of(cx, args[0], s, out);
}

static enum bi_status bi_trim_prefix(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str s = v_bytes(args[0]), prefix = v_bytes(args[1]);

	if (str_starts(s, prefix))
		s = str_slice(s, prefix.len, s.len);
	return part_of(cx, args[0], s, out);
}

static enum bi_status bi_trim_suffix(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str s = v_bytes(args[0]), suffix = v_bytes(args[1]);

	if (str_ends(s, suffix))
		s.len -= suffix.len;
	return part_of(cx, args[0], s, out);
}

/* --- splitting ------------------------------------------------------- */

/*
 * Parts of `s` between delimiters, or its code points when `delim` is empty.
 * `skip` parts are left out, at most `max` are taken, and the caller knows
 * that there are that many.
 */
static enum bi_status split_parts(struct bi_ctx *cx, struct str s,
	struct str delim, size_t skip, size_t max, struct value *out)
{
	struct value *items;
	size_t at = 0;

	if (!bi_charge(cx, max + s.len / 64))
		return BI_HALT;
	items = ARENA_ARRAY(cx->arena, struct value, max);
	for (size_t i = 0; i < skip + max; i++) {
		size_t end;

		if (delim.len)
			end = str_find(s, delim, at);
		else
			end = rune_offset(s, at, 1);
		if (end == SIZE_MAX)
			end = s.len;
		if (i >= skip)
			items[i - skip] =
				v_str(cx->arena, str_slice(s, at, end));
		at = end + delim.len;
	}
	*out = v_arr(cx->arena, items, max);
	return BI_OK;
}

static size_t number_of_parts(struct str s, struct str delim)
{
	return delim.len ? count_parts(s, delim) + 1 : utf8_count(s.ptr, s.len);
}

static enum bi_status bi_split(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str s = v_bytes(args[0]), delim = v_bytes(args[1]);

	return split_parts(cx, s, delim, 0, number_of_parts(s, delim), out);
}

/* The first n parts, or the last -n. */
static enum bi_status bi_split_n(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str s = v_bytes(args[0]), delim = v_bytes(args[1]);
	size_t parts = number_of_parts(s, delim), skip = 0, max = parts;
	int64_t n;
	enum bi_status st = operand_int(cx, 3, args[2], &n);

	if (st)
		return st;
	if (n >= 0 && (uint64_t)n < parts) {
		max = (size_t)n;
	} else if (n < 0 && n > -(int64_t)parts) {
		max = (size_t)-n;
		skip = parts - max;
	}
	return split_parts(cx, s, delim, skip, max, out);
}

/* --- replacing ------------------------------------------------------- */

struct replacement {
	struct str from, to;
};

/*
 * Replacements in one pass over the text. At each place the first of the pairs
 * that fits wins, not the longest; they are sorted by `from`, so those that
 * begin with one byte are neighbours: first[b] up to first[b + 1]. An empty
 * `from`, which sorts before all others, fits between any two bytes (not code
 * points), but never twice in one place.
 */
struct replacer {
	const struct replacement *pairs;
	size_t len;
	size_t first[257];
};

static void replacer_init(
	struct replacer *r, const struct replacement *pairs, size_t len)
{
	size_t n = 0;

	r->pairs = pairs;
	r->len = len;
	while (n < len && !pairs[n].from.len)
		n++;
	for (unsigned b = 0; b < 256; b++) {
		r->first[b] = n;
		while (n < len && (unsigned char)pairs[n].from.ptr[0] == b)
			n++;
	}
	r->first[256] = n;
}

static const struct replacement *replacer_at(
	const struct replacer *r, struct str s, size_t at, bool empty_too)
{
	struct str rest = str_slice(s, at, s.len);
	unsigned b;

	if (empty_too && r->len && !r->pairs[0].from.len)
		return &r->pairs[0];
	if (!rest.len)
		return NULL;
	b = (unsigned char)rest.ptr[0];
	for (size_t i = r->first[b]; i < r->first[b + 1]; i++) {
		if (str_starts(rest, r->pairs[i].from))
			return &r->pairs[i];
	}
	return NULL;
}

/* Where the next replacement may be, not before `at`. */
static size_t next_candidate(const struct replacer *r, struct str s, size_t at)
{
	if (r->len == 1 && r->pairs[0].from.len) {
		size_t found = str_find(s, r->pairs[0].from, at);

		return found == SIZE_MAX ? s.len : found;
	}
	if (r->len && !r->pairs[0].from.len)
		return at;
	while (at < s.len && r->first[(unsigned char)s.ptr[at]] ==
				     r->first[(unsigned char)s.ptr[at] + 1])
		at++;
	return at;
}

/* Number of pairs to be compared at one place. */
static size_t candidates(const struct replacer *r, struct str s, size_t at)
{
	unsigned b;

	if (at >= s.len)
		return 0;
	b = (unsigned char)s.ptr[at];
	return r->first[b + 1] - r->first[b];
}

static enum bi_status add_replaced(struct bi_ctx *cx, struct buf *out,
	const struct replacer *r, struct str s)
{
	size_t at = 0, done = 0;
	bool was_empty = false;

	while (at <= s.len) {
		const struct replacement *p;

		at = next_candidate(r, s, at);
		if (!bi_charge(cx, candidates(r, s, at) / 16))
			return BI_HALT;
		p = replacer_at(r, s, at, !was_empty);
		was_empty = p && !p->from.len;
		if (!p) {
			at++;
			continue;
		}
		if (out->len + (at - done) + p->to.len > LIMIT_STRING)
			return bi_limit(cx, "result has more than %zu bytes",
				LIMIT_STRING);
		if (!bi_charge(cx, 1 + p->to.len / 64))
			return BI_HALT;
		buf_addstr(out, str_slice(s, done, at));
		buf_addstr(out, p->to);
		at += p->from.len;
		done = at;
	}
	buf_addstr(out, str_slice(s, done, s.len));
	return BI_OK;
}

static enum bi_status replace_all(struct bi_ctx *cx, struct value v,
	const struct replacement *pairs, size_t len, struct value *out)
{
	struct replacer r;
	struct buf b = {0};
	enum bi_status st;

	replacer_init(&r, pairs, len);
	st = add_replaced(cx, &b, &r, v_bytes(v));
	if (!st)
		st = bi_string(cx, buf_str(&b), out);
	buf_release(&b);
	return st;
}

static enum bi_status bi_replace(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct replacement pair = {v_bytes(args[1]), v_bytes(args[2])};

	if (str_find(v_bytes(args[0]), pair.from, 0) == SIZE_MAX) {
		*out = args[0];
		return BI_OK;
	}
	return replace_all(cx, args[0], &pair, 1, out);
}

static enum bi_status bi_replace_n(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct object *o = args[0].obj;
	struct replacement *pairs;

	pairs = ARENA_ARRAY(cx->arena, struct replacement, o->len);
	for (uint32_t i = 0; i < o->len; i++) {
		if (o->keys->items[i].tag != V_STR)
			return bi_operand_text(cx, 1,
				"non-string key found in pattern object");
		if (o->vals[i].tag != V_STR)
			return bi_operand_text(cx, 1,
				"non-string value found in pattern object");
		pairs[i].from = v_bytes(o->keys->items[i]);
		pairs[i].to = v_bytes(o->vals[i]);
	}
	return replace_all(cx, args[1], pairs, o->len, out);
}

/* --- concat, template strings ---------------------------------------- */

/* The members of an array or a set. */
static const struct value *members(struct value v)
{
	return v.tag == V_ARR ? v.arr->items : v.set->keys->items;
}

/* That all members of the array or set `v` are strings. */
static enum bi_status want_strings(struct bi_ctx *cx, int pos, struct value v)
{
	for (uint32_t i = 0; i < v_len(v); i++) {
		if (members(v)[i].tag != V_STR)
			return operand_element(
				cx, pos, v, "string", members(v)[i]);
	}
	return BI_OK;
}

static void put_joined(
	char *p, const struct value *strings, size_t n, struct str sep)
{
	for (size_t i = 0; i < n; i++) {
		struct str s = v_bytes(strings[i]);

		if (i && sep.len)
			memcpy(p, sep.ptr, sep.len);
		p += i ? sep.len : 0;
		memcpy(p, s.ptr, s.len);
		p += s.len;
	}
}

static enum bi_status bi_concat(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct value v = args[1];
	struct str sep;
	struct string *r;
	size_t n, len = 0;
	enum bi_status st;

	if (args[0].tag != V_STR)
		return bi_operand(cx, 1, "string", args[0]);
	if (v.tag != V_ARR && v.tag != V_SET)
		return bi_operand(cx, 2, "one of {set, array}", v);
	st = want_strings(cx, 2, v);
	if (st)
		return st;
	n = v_len(v);
	if (n == 1) {
		*out = members(v)[0];
		return BI_OK;
	}
	sep = v_bytes(args[0]);
	for (size_t i = 0; i < n; i++)
		len += members(v)[i].str->len + (i ? sep.len : 0);
	st = room(cx, len, &r);
	if (st)
		return st;
	put_joined(r->bytes, members(v), n, sep);
	*out = v_str_done(r);
	return BI_OK;
}

/*
 * One part of a template string: a scalar, or a set that holds the value of an
 * expression, or nothing when that is undefined.
 */
static enum bi_status add_template_part(
	struct bi_ctx *cx, struct buf *out, struct value v)
{
	if (v.tag == V_SET && v.set->len == 0) {
		buf_adds(out, "<undefined>");
		return BI_OK;
	}
	if (v.tag == V_SET && v.set->len > 1) {
		cx->code = "eval_conflict_error";
		snprintf(cx->text, sizeof(cx->text),
			"template-strings must not produce multiple outputs");
		return BI_HALT;
	}
	if (v.tag == V_ARR || v.tag == V_OBJ) {
		cx->code = "eval_internal_error";
		snprintf(cx->text, sizeof(cx->text),
			"illegal argument type: %s", value_type(v));
		return BI_HALT;
	}
	value_text_bare(out, v.tag == V_SET ? members(v)[0] : v);
	return BI_OK;
}

static enum bi_status bi_template_string(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct buf b = {0};
	enum bi_status st = BI_OK;

	for (uint32_t i = 0; !st && i < args[0].arr->len; i++)
		st = add_template_part(cx, &b, args[0].arr->items[i]);
	if (!st)
		st = bi_string(cx, buf_str(&b), out);
	buf_release(&b);
	return st;
}

/* --- any_prefix_match, any_suffix_match ------------------------------ */

typedef bool affix_fn(struct str s, struct str affix);

/* Bytes from the front or, for suffixes, from the back. */
static int cmp_front(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static int cmp_back(const void *a, const void *b)
{
	struct str x = *(const struct str *)a, y = *(const struct str *)b;

	while (x.len && y.len) {
		unsigned char cx = (unsigned char)x.ptr[--x.len];
		unsigned char cy = (unsigned char)y.ptr[--y.len];

		if (cx != cy)
			return cx < cy ? -1 : 1;
	}
	return (x.len > 0) - (y.len > 0);
}

/* An argument is one string, or an array or set of them. */
static size_t affix_count(struct value v)
{
	return v.tag == V_STR ? 1 : v_len(v);
}

static struct str affix_at(struct value v, size_t i)
{
	return v_bytes(v.tag == V_STR ? v : members(v)[i]);
}

/*
 * Strings with a common prefix are neighbours in a sorted list, right after
 * the prefix itself: it is enough to look at the first one not below it.
 */
static bool any_in_sorted(
	struct bi_ctx *cx, struct value list, struct value affixes, bool suffix)
{
	int (*cmp)(const void *, const void *) = suffix ? cmp_back : cmp_front;
	affix_fn *match = suffix ? str_ends : str_starts;
	size_t n = affix_count(list);
	struct str *strs = ARENA_ARRAY(cx->arena, struct str, n);

	for (size_t i = 0; i < n; i++)
		strs[i] = affix_at(list, i);
	qsort(strs, n, sizeof(*strs), cmp);
	for (size_t b = 0; b < affix_count(affixes); b++) {
		struct str affix = affix_at(affixes, b);
		size_t lo = 0, hi = n;

		while (lo < hi) {
			size_t mid = (lo + hi) / 2;

			if (cmp(&strs[mid], &affix) < 0)
				lo = mid + 1;
			else
				hi = mid;
		}
		if (lo < n && match(strs[lo], affix))
			return true;
	}
	return false;
}

static bool any_pair(struct value list, struct value affixes, bool suffix)
{
	affix_fn *match = suffix ? str_ends : str_starts;

	for (size_t i = 0; i < affix_count(list); i++) {
		for (size_t b = 0; b < affix_count(affixes); b++) {
			if (match(affix_at(list, i), affix_at(affixes, b)))
				return true;
		}
	}
	return false;
}

static enum bi_status want_affixes(struct bi_ctx *cx, int pos, struct value v)
{
	if (v.tag == V_STR)
		return BI_OK;
	if (v.tag != V_ARR && v.tag != V_SET)
		return bi_operand(cx, pos, "one of {string, set, array}", v);
	return want_strings(cx, pos, v);
}

static enum bi_status any_affix(struct bi_ctx *cx, const struct value *args,
	bool suffix, struct value *out)
{
	enum { PAIRS_MAX = 256 }; /* above, sorting is cheaper */
	size_t n, nbases;
	enum bi_status st = want_affixes(cx, 1, args[0]);

	if (!st)
		st = want_affixes(cx, 2, args[1]);
	if (st)
		return st;
	n = affix_count(args[0]);
	nbases = affix_count(args[1]);
	if (!bi_charge(cx, n + nbases))
		return BI_HALT;
	if (n <= 1 || nbases <= 1 || n * nbases <= PAIRS_MAX)
		*out = v_bool(any_pair(args[0], args[1], suffix));
	else
		*out = v_bool(any_in_sorted(cx, args[0], args[1], suffix));
	return BI_OK;
}

static enum bi_status bi_any_prefix(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return any_affix(cx, args, false, out);
}

static enum bi_status bi_any_suffix(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return any_affix(cx, args, true, out);
}

/* --- the table ------------------------------------------------------- */

enum {
	LIST = BT_ARR | BT_SET,
	STRS = BT_STR | BT_ARR | BT_SET,
	RAW = BF_RAWTYPES,
};

/* clang-format off */
static const struct builtin rows[] = {
	{"concat",       NULL, 2, {BT_STR, LIST},           bi_concat,      RAW},
	{"contains",     NULL, 2, {BT_STR, BT_STR},         bi_contains,    0},
	{"endswith",     NULL, 2, {BT_STR, BT_STR},         bi_endswith,    0},
	{"indexof",      NULL, 2, {BT_STR, BT_STR},         bi_indexof,     0},
	{"indexof_n",    NULL, 2, {BT_STR, BT_STR},         bi_indexof_n,   0},
	{"lower",        NULL, 1, {BT_STR},                 bi_lower,       0},
	{"replace",      NULL, 3, {BT_STR, BT_STR, BT_STR}, bi_replace,     0},
	{"split",        NULL, 2, {BT_STR, BT_STR},         bi_split,       0},
	{"startswith",   NULL, 2, {BT_STR, BT_STR},         bi_startswith,  0},
	{"substring",    NULL, 3, {BT_STR, BT_NUM, BT_NUM}, bi_substring,   RAW},
	{"trim",         NULL, 2, {BT_STR, BT_STR},         bi_trim,        0},
	{"trim_left",    NULL, 2, {BT_STR, BT_STR},         bi_trim_left,   0},
	{"trim_prefix",  NULL, 2, {BT_STR, BT_STR},         bi_trim_prefix, 0},
	{"trim_right",   NULL, 2, {BT_STR, BT_STR},         bi_trim_right,  0},
	{"trim_space",   NULL, 1, {BT_STR},                 bi_trim_space,  0},
	{"trim_suffix",  NULL, 2, {BT_STR, BT_STR},         bi_trim_suffix, 0},
	{"upper",        NULL, 1, {BT_STR},                 bi_upper,       0},
	{"strings.any_prefix_match", NULL, 2, {STRS, STRS}, bi_any_prefix,  RAW},
	{"strings.any_suffix_match", NULL, 2, {STRS, STRS}, bi_any_suffix,  RAW},
	{"strings.count", NULL, 2, {BT_STR, BT_STR},        bi_count,       0},
	{"strings.replace_n", NULL, 2, {BT_OBJ, BT_STR},    bi_replace_n,   0},
	{"strings.reverse", NULL, 1, {BT_STR},              bi_reverse,     0},
	{"strings.split_n", NULL, 3, {BT_STR, BT_STR, BT_NUM}, bi_split_n,  0},
	{"internal.template_string", NULL, 1, {BT_ARR}, bi_template_string, 0},
};
/* clang-format on */

const struct builtin_table builtin_strings = {rows, COUNT(rows)};
