#include "rego/builtin/template.h"

#include <string.h>

#include "base/limits.h"
#include "rego/builtin/unicode.h"

/*
 * strings.render_template(). OPA writes the variables out as Rego and reads
 * them as JSON, so what is no JSON then is an error: a set, a key that is no
 * string, and characters that Rego escapes in a way of its own. What a template
 * prints as "<no value>" reads "<undefined>" in the result.
 *
 * Source: OPA's builtinRenderTemplate, by trials.
 */

/* The first byte of a value as Rego text. */
static char first_byte(struct value v)
{
	struct buf b = {0};
	char c;

	switch (v.tag) {
	case V_ARR:
		return '[';
	case V_OBJ:
		return '{';
	case V_SET:
		return v_len(v) ? '{' : 's';
	default:
		value_text(&b, v);
		c = b.ptr[0];
		buf_release(&b);
		return c;
	}
}

static bool invalid(struct bi_ctx *cx, char c, const char *where)
{
	bi_error(cx, "invalid character '%c' %s", c, where);
	return false;
}

/* Rego's escapes that JSON has not: \a, \v, \x00, \U0010ffff. */
static bool string_is_json(struct bi_ctx *cx, struct str s)
{
	struct buf b = {0};
	bool ok = true;

	quote_go(&b, s, false);
	for (size_t i = 1; i < b.len - 1 && ok; i++)
		if (b.ptr[i] == '\\' && !strchr("\"\\bfnrtu", b.ptr[++i]))
			ok = invalid(cx, b.ptr[i], "in string escape code");
	buf_release(&b);
	return ok;
}

static bool key_is_json(struct bi_ctx *cx, struct value key)
{
	if (key.tag == V_STR)
		return string_is_json(cx, v_bytes(key));
	return invalid(cx, first_byte(key),
		"looking for beginning of object key string");
}

/* A set reads like an object that breaks off. */
static bool set_is_json(struct bi_ctx *cx, const struct set *s)
{
	if (!s->len)
		return invalid(cx, 's', "looking for beginning of value");
	if (key_is_json(cx, s->keys->items[0]))
		invalid(cx, s->len > 1 ? ',' : '}', "after object key");
	return false;
}

static bool is_json(struct bi_ctx *cx, struct value v, uint32_t depth)
{
	bool collection = v.tag == V_ARR || v.tag == V_OBJ;
	bool ok = true;

	if (v.tag == V_STR)
		return string_is_json(cx, v_bytes(v));
	if (v.tag == V_SET)
		return set_is_json(cx, v.set);
	if (collection && depth == LIMIT_DATA_DEPTH) {
		bi_error(cx, "exceeded max depth");
		return false;
	}
	for (uint32_t i = 0; collection && i < v_len(v) && ok; i++) {
		if (v.tag == V_ARR)
			ok = is_json(cx, v.arr->items[i], depth + 1);
		else
			ok = key_is_json(cx, v.obj->keys->items[i]) &&
			     is_json(cx, v.obj->vals[i], depth + 1);
	}
	return ok;
}

static void add_replaced(
	struct buf *out, struct str text, struct str old, struct str with)
{
	struct str part;

	while (str_cut(&text, old, &part)) {
		buf_addstr(out, part);
		buf_addstr(out, with);
	}
	buf_addstr(out, text);
}

/* Nodes and scratch are in the arena, and left there. */
static enum bi_status render(struct bi_ctx *cx, struct str template,
	struct value vars, struct buf *out)
{
	struct tmpl_set set = {.text = template};
	struct buf text = {0};
	enum bi_status st = tmpl_parse(cx, &set);

	if (!st)
		st = tmpl_run(cx, &set, vars, &text);
	if (!st)
		add_replaced(
			out, buf_str(&text), S("<no value>"), S("<undefined>"));
	buf_release(&text);
	tmpl_set_release(&set);
	return st;
}

static enum bi_status bi_render_template(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct arena_mark mark = arena_mark(cx->arena);
	struct buf text = {0};
	enum bi_status st = BI_ERROR;

	if (is_json(cx, args[1], 0))
		st = render(cx, v_bytes(args[0]), args[1], &text);
	arena_rewind(cx->arena, mark);
	if (!st)
		st = bi_string(cx, buf_str(&text), out);
	buf_release(&text);
	return st;
}

/* clang-format off */
static const struct builtin rows[] = {
	{"strings.render_template", NULL, 2, {BT_STR, BT_OBJ}, bi_render_template, 0},
};
/* clang-format on */

const struct builtin_table builtin_template = {rows, COUNT(rows)};
