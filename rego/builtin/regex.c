/*
 * regex.*: Go's regexp, see rego/rx.h. regex.globs_match is in globs.c.
 *
 * Source: OPA's reference of builtins, "Regex"; Go's documentation of
 * Regexp.FindAllString, .Split, .ReplaceAllString and .Expand.
 */
#include "rego/builtin/globs.h"
#include "rego/builtin/operand.h"
#include "rego/builtin/patterns.h"
#include "rego/builtin/unicode.h"
#include "rego/rx.h"

static void free_rx(void *item)
{
	rx_free(item);
}

/* The compiled pattern, of the cache or new. */
static enum bi_status compiled(
	struct bi_ctx *cx, struct str pattern, struct rx **out)
{
	struct bi_cache *cache = &cx->caches[BI_CACHE_REGEX];
	struct err e = {0};

	*out = patterns_get(cache, pattern);
	if (*out)
		return BI_OK;
	if (!bi_charge(cx, 1 + pattern.len))
		return BI_HALT;
	*out = rx_new(pattern, &e);
	if (!*out)
		return bi_error(cx, "%s", e.text);
	patterns_put(cache, pattern, *out, free_rx, rx_size(*out));
	return BI_OK;
}

static struct value piece(struct bi_ctx *cx, struct str s, struct rx_span at)
{
	if (at.from == RX_NONE)
		return v_cstr(cx->arena, "");
	return v_str(cx->arena, str_slice(s, at.from, at.to));
}

/* --- values under construction --------------------------------------- */

struct list {
	struct arena *arena;
	struct value *items;
	size_t len, cap;
};

static void list_add(struct list *l, struct value v)
{
	if (l->len == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 8;
		struct value *grown = ARENA_ARRAY(l->arena, struct value, cap);

		if (l->len)
			memcpy(grown, l->items, l->len * sizeof(*grown));
		l->items = grown;
		l->cap = cap;
	}
	l->items[l->len++] = v;
}

static struct value list_done(struct list *l)
{
	return v_arr(l->arena, l->items, l->len);
}

/* --- is_valid, match, template_match --------------------------------- */

static enum bi_status is_valid(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct err e = {0};

	if (args[0].tag == V_STR && !bi_charge(cx, args[0].str->len))
		return BI_HALT;
	*out = v_bool(args[0].tag == V_STR && rx_valid(v_bytes(args[0]), &e));
	return BI_OK;
}

static enum bi_status test(struct bi_ctx *cx, struct str pattern,
	struct str text, struct value *out)
{
	struct rx *rx;
	enum bi_status st = compiled(cx, pattern, &rx);

	if (st)
		return st;
	if (!bi_charge(cx, text.len / 64))
		return BI_HALT;
	*out = v_bool(rx_test(rx, text));
	return BI_OK;
}

static enum bi_status match(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return test(cx, v_bytes(args[0]), v_bytes(args[1]), out);
}

static void quote_meta(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] && strchr("\\.+*?()|[]{}^$", s.ptr[i]))
			buf_addc(out, '\\');
		buf_addc(out, s.ptr[i]);
	}
}

/* A part between delimiters must be a pattern by itself. */
static bool template_part_ok(struct bi_ctx *cx, struct str part)
{
	struct buf b = {0};
	struct err e = {0};
	bool ok;

	buf_addc(&b, '^');
	buf_addstr(&b, part);
	buf_addc(&b, '$');
	ok = rx_valid(buf_str(&b), &e);
	if (!ok)
		bi_error(cx, "%s", e.text);
	buf_release(&b);
	return ok;
}

static bool unbalanced(struct bi_ctx *cx, struct str t)
{
	struct buf quoted = {0};

	quote_go(&quoted, t, false);
	bi_error(cx, "unbalanced braces in %s", quoted.ptr);
	buf_release(&quoted);
	return false;
}

/* Patterns between first-level delimiters become groups, the rest is plain. */
static bool template_pattern(
	struct bi_ctx *cx, struct str t, char begin, char end, struct buf *out)
{
	size_t level = 0, open_at = 0, done = 0;
	bool ok = true;

	/* Balance comes first: it is an error before any part's own is. */
	for (size_t i = 0; i < t.len; i++) {
		if (t.ptr[i] == begin)
			level++;
		else if (t.ptr[i] == end && level-- == 0)
			return unbalanced(cx, t);
	}
	if (level)
		return unbalanced(cx, t);
	buf_addc(out, '^');
	for (size_t i = 0; ok && i < t.len; i++) {
		if (t.ptr[i] == begin && level++ == 0) {
			open_at = i;
		} else if (t.ptr[i] == end && t.ptr[i] != begin &&
			   --level == 0) {
			struct str part = str_slice(t, open_at + 1, i);

			quote_meta(out, str_slice(t, done, open_at));
			buf_addc(out, '(');
			buf_addstr(out, part);
			buf_addc(out, ')');
			done = i + 1;
			ok = template_part_ok(cx, part);
		}
	}
	quote_meta(out, str_slice(t, done, t.len));
	buf_addc(out, '$');
	return ok;
}

static enum bi_status template_match(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str t = v_bytes(args[0]), begin = v_bytes(args[2]),
		   end = v_bytes(args[3]);
	struct buf pattern = {0};
	enum bi_status st = BI_ERROR;

	if (begin.len != 1)
		return bi_error(cx,
			"start delimiter has to be exactly one character long "
			"but is %zu long",
			begin.len);
	if (end.len != 1) /* OPA gives the length of the other one here */
		return bi_error(cx,
			"end delimiter has to be exactly one character long "
			"but is %zu long",
			begin.len);
	if (!bi_charge(cx, t.len / 16))
		return BI_HALT;
	if (template_pattern(cx, t, begin.ptr[0], end.ptr[0], &pattern))
		st = test(cx, buf_str(&pattern), v_bytes(args[1]), out);
	buf_release(&pattern);
	return st;
}

/* --- find, split ----------------------------------------------------- */

/* The part of find_n and find_all_string_submatch_n that is the same. */
static enum bi_status find(struct bi_ctx *cx, const struct value *args,
	bool submatches, struct value *out)
{
	struct str text = v_bytes(args[1]);
	struct list all = {.arena = cx->arena};
	struct rx_scan scan;
	struct rx *rx;
	int64_t n;
	enum bi_status st = operand_int(cx, 3, args[2], &n);

	if (!st)
		st = compiled(cx, v_bytes(args[0]), &rx);
	if (st)
		return st;
	if (n < 0)
		n = INT64_MAX;
	rx_scan_start(&scan, rx, text, submatches ? rx_groups(rx) : 1);
	while (!st && n-- > 0 && rx_scan_next(&scan)) {
		struct list one = {.arena = cx->arena};

		if (!bi_charge(cx,
			    1 + scan.ngroups +
				    (scan.spans[0].to - scan.spans[0].from) /
					    64)) {
			st = BI_HALT;
			break;
		}
		for (size_t i = 0; i < scan.ngroups; i++)
			list_add(submatches ? &one : &all,
				piece(cx, text, scan.spans[i]));
		if (submatches)
			list_add(&all, list_done(&one));
	}
	rx_scan_end(&scan);
	if (!st)
		*out = list_done(&all);
	return st;
}

static enum bi_status find_n(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return find(cx, args, false, out);
}

static enum bi_status find_all_string_submatch_n(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return find(cx, args, true, out);
}

/*
 * Go's Split: an empty match at the very start does not split, and an empty
 * text is one empty part unless the pattern is empty too.
 */
static enum bi_status split(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str text = v_bytes(args[1]);
	struct list parts = {.arena = cx->arena};
	struct rx_scan scan;
	size_t begin = 0, end = 0;
	struct rx *rx;
	enum bi_status st = compiled(cx, v_bytes(args[0]), &rx);

	if (st)
		return st;
	if (args[0].str->len && !text.len) {
		list_add(&parts, args[1]);
		*out = list_done(&parts);
		return BI_OK;
	}
	if (!bi_charge(cx, text.len / 64))
		return BI_HALT;
	rx_scan_start(&scan, rx, text, 1);
	while (rx_scan_next(&scan)) {
		if (!bi_charge(cx, 1)) {
			st = BI_HALT;
			break;
		}
		end = scan.spans[0].from;
		if (scan.spans[0].to != 0)
			list_add(&parts,
				v_str(cx->arena, str_slice(text, begin, end)));
		begin = scan.spans[0].to;
	}
	rx_scan_end(&scan);
	if (end != text.len)
		list_add(&parts,
			v_str(cx->arena, str_slice(text, begin, text.len)));
	if (!st)
		*out = list_done(&parts);
	return st;
}

/* --- replace --------------------------------------------------------- */

/* A $name, $1, ${name} at the start of `t`, which is behind the dollar. */
struct reference {
	struct str name;
	int64_t number; /* -1: by name */
	size_t len;     /* of all of it, braces included; 0: none */
};

static int64_t reference_number(struct str name)
{
	int64_t n = 0;

	if (name.ptr[0] == '0' && name.len > 1)
		return -1;
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] < '0' || name.ptr[i] > '9' || n >= 100000000)
			return -1;
		n = n * 10 + name.ptr[i] - '0';
	}
	return n;
}

static struct reference reference_parse(struct str t)
{
	struct reference r = {.number = -1};
	size_t from = t.len && t.ptr[0] == '{', i = from;

	while (i < t.len) {
		uint32_t cp;
		size_t n = utf8_decode(t.ptr + i, t.len - i, &cp);

		if (cp != '_' && !rune_is_letter(cp) && !rune_is_digit(cp))
			break;
		i += n;
	}
	if (i == from || (from && (i == t.len || t.ptr[i] != '}')))
		return r;
	r.name = str_slice(t, from, i);
	r.number = reference_number(r.name);
	r.len = i + from;
	return r;
}

/* The first group of that number or name that took part in the match. */
static struct str reference_text(
	const struct rx_scan *scan, const struct reference *r)
{
	for (size_t i = 0; i < scan->ngroups; i++) {
		bool is_it = r->number >= 0 ? (uint64_t)r->number == i
					    : str_eq(rx_group_name(scan->rx, i),
						      r->name);

		if (is_it && scan->spans[i].from != RX_NONE)
			return str_slice(scan->text, scan->spans[i].from,
				scan->spans[i].to);
	}
	return (struct str){0};
}

/* Append `t` with its references filled in; "$$" is a dollar. */
static void expand(struct buf *out, struct str t, const struct rx_scan *scan)
{
	for (;;) {
		size_t dollar = str_find(t, S("$"), 0);
		struct reference r;

		if (dollar == SIZE_MAX)
			break;
		buf_addstr(out, str_slice(t, 0, dollar));
		t = str_slice(t, dollar + 1, t.len);
		if (str_starts(t, S("$"))) {
			buf_addc(out, '$');
			t = str_slice(t, 1, t.len);
			continue;
		}
		r = reference_parse(t);
		if (r.len)
			buf_addstr(out, reference_text(scan, &r));
		else
			buf_addc(out, '$');
		t = str_slice(t, r.len, t.len);
	}
	buf_addstr(out, t);
}

static enum bi_status replace_all(struct bi_ctx *cx, struct rx_scan *scan,
	struct str with, struct buf *out)
{
	struct str text = scan->text;
	size_t done = 0, charged = 0;

	while (rx_scan_next(scan)) {
		buf_addstr(out, str_slice(text, done, scan->spans[0].from));
		expand(out, with, scan);
		done = scan->spans[0].to;
		if (!bi_charge(cx, 1 + (out->len - charged) / 64))
			return BI_HALT;
		charged = out->len;
		if (out->len > LIMIT_STRING)
			break; /* bi_string() says it */
	}
	buf_addstr(out, str_slice(text, done, text.len));
	return BI_OK;
}

static enum bi_status replace(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str text = v_bytes(args[0]), with = v_bytes(args[2]);
	struct buf result = {0};
	struct rx_scan scan;
	struct rx *rx;
	enum bi_status st = compiled(cx, v_bytes(args[1]), &rx);

	if (st)
		return st;
	rx_scan_start(&scan, rx, text,
		str_find(with, S("$"), 0) == SIZE_MAX ? 1 : rx_groups(rx));
	st = replace_all(cx, &scan, with, &result);
	rx_scan_end(&scan);
	if (!st && str_eq(text, buf_str(&result)))
		*out = args[0];
	else if (!st)
		st = bi_string(cx, buf_str(&result), out);
	buf_release(&result);
	return st;
}

/* clang-format off */
static const struct builtin rows[] = {
	{"regex.find_all_string_submatch_n", NULL, 3, {BT_STR, BT_STR, BT_NUM}, find_all_string_submatch_n, 0},
	{"regex.find_n",         NULL, 3, {BT_STR, BT_STR, BT_NUM}, find_n, 0},
	{"regex.globs_match",    NULL, 2, {BT_STR, BT_STR}, globs_match, 0},
	{"regex.is_valid",       NULL, 1, {BT_STR}, is_valid, BF_RAWTYPES},
	{"regex.match",          NULL, 2, {BT_STR, BT_STR}, match, 0},
	{"regex.replace",        NULL, 3, {BT_STR, BT_STR, BT_STR}, replace, 0},
	{"regex.split",          NULL, 2, {BT_STR, BT_STR}, split, 0},
	{"regex.template_match", NULL, 4, {BT_STR, BT_STR, BT_STR, BT_STR}, template_match, 0},
	{"re_match",             NULL, 2, {BT_STR, BT_STR}, match, BF_DEPRECATED},
};
/* clang-format on */

const struct builtin_table builtin_regex = {rows, COUNT(rows)};
