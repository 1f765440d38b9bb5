/*
 * Types in messages, shortened: OPA's v1/ast/check_elide.go says how.
 */
#include "rego/mismatch.h"

#include <string.h>

enum {
	LINE_WIDTH = 80,  /* code points; wider lines are shortened */
	SHORT_WIDTH = 32, /* a type up to this long is never shortened */
	DIFF_DEPTH = 8,
};

static size_t width(const struct buf *b)
{
	return b->len ? utf8_count(b->ptr, b->len) : 0;
}

bool types_wide(struct str line)
{
	return utf8_count(line.ptr, line.len) > LINE_WIDTH;
}

/* Puts commas between what is added one by one. */
struct list {
	struct buf *out;
	const char *open, *close;
	bool any;
};

static void list_next(struct list *l)
{
	buf_adds(l->out, l->any ? ", " : l->open);
	l->any = true;
}

static void list_end(struct list *l)
{
	if (l->any)
		buf_adds(l->out, l->close);
}

static void list_key(struct list *l, struct value key)
{
	list_next(l);
	type_key_text(l->out, key);
	buf_adds(l->out, ": ");
}

static void list_dots(struct list *l)
{
	list_next(l);
	buf_adds(l->out, "...");
}

static const char *const composites[] = {
	[TY_ARRAY] = "array",
	[TY_OBJECT] = "object",
	[TY_SET] = "set",
	[TY_ANY] = "any",
};

/* --- one type ------------------------------------------------------------- */

static void text_to(struct buf *out, const struct type *t, int depth);

static void items_to(struct buf *out, const struct type *t, int depth)
{
	struct list l = {out, "<", ">", false};

	if (!depth && t->len)
		list_dots(&l);
	for (uint32_t i = 0; depth && i < t->len; i++) {
		if (t->kind == TY_OBJECT)
			list_key(&l, t->keys[i]);
		else
			list_next(&l);
		text_to(out, t->items[i], depth - 1);
	}
	list_end(&l);
}

static void rest_to(struct buf *out, const struct type *t, int depth)
{
	if (!t->rest && !t->dynamic)
		return;
	buf_addc(out, '[');
	if (!depth) {
		buf_adds(out, "...");
	} else {
		if (t->dynamic) {
			text_to(out, t->key, depth - 1);
			buf_adds(out, ": ");
		}
		text_to(out, t->rest, depth - 1);
	}
	buf_addc(out, ']');
}

static void function_to(struct buf *out, const struct type *t, int depth)
{
	struct list l = {out, "", "", false};

	buf_addc(out, '(');
	if (!depth && (t->len || t->more))
		list_dots(&l);
	for (uint32_t i = 0; depth && i < t->len; i++) {
		list_next(&l);
		text_to(out, t->items[i], depth - 1);
	}
	if (depth && t->more) {
		list_next(&l);
		text_to(out, t->more, depth - 1);
		buf_adds(out, "...");
	}
	buf_adds(out, ") => ");
	if (!depth && t->rest)
		buf_adds(out, "...");
	else
		text_to(out, t->rest, depth - 1);
}

/* Parts deeper than `depth` become dots; 0 leaves the outermost name. */
static void text_to(struct buf *out, const struct type *t, int depth)
{
	if (!t || depth < 0 || t->kind < TY_ARRAY || t->kind == TY_RECURSIVE) {
		type_text(out, t);
	} else if (t->kind == TY_FUNCTION) {
		function_to(out, t, depth);
	} else {
		buf_adds(out, composites[t->kind]);
		items_to(out, t, depth);
		rest_to(out, t, depth);
	}
}

bool type_is_short(const struct buf *text)
{
	return width(text) <= SHORT_WIDTH;
}

void type_outline(struct buf *out, const struct type *t)
{
	text_to(out, t, 0);
}

void type_short(struct buf *out, const struct type *t)
{
	struct buf full = {0};

	type_text(&full, t);
	if (type_is_short(&full))
		buf_addstr(out, buf_str(&full));
	else
		type_outline(out, t);
	buf_release(&full);
}

/* --- two types -------------------------------------------------------------
 */

/* OPA compares the texts; equal types have equal ones. */
static bool same(const struct type *x, const struct type *y)
{
	struct buf a = {0}, b = {0};
	bool equal;

	if (x == y)
		return true;
	if (!x || !y || x->kind != y->kind)
		return false;
	type_text(&a, x);
	type_text(&b, y);
	equal = a.len == b.len && !memcmp(a.ptr, b.ptr, a.len);
	buf_release(&a);
	buf_release(&b);
	return equal;
}

static void diff(struct buf *left, struct buf *right, const struct type *x,
	const struct type *y, int depth);

static void both(struct buf *left, struct buf *right, const char *s)
{
	buf_adds(left, s);
	buf_adds(right, s);
}

static void diff_arrays(struct buf *left, struct buf *right,
	const struct type *x, const struct type *y, int depth)
{
	struct list l = {left, "<", ">", false}, r = {right, "<", ">", false};

	if (x->len != y->len || !x->rest != !y->rest) {
		text_to(left, x, 1);
		text_to(right, y, 1);
		return;
	}
	both(left, right, "array");
	for (uint32_t i = 0; i < x->len; i++) {
		list_next(&l);
		list_next(&r);
		diff(left, right, x->items[i], y->items[i], depth + 1);
	}
	list_end(&l);
	list_end(&r);
	if (!x->rest)
		return;
	both(left, right, "[");
	diff(left, right, x->rest, y->rest, depth + 1);
	both(left, right, "]");
}

static void add_member(struct list *l, const struct type *t, uint32_t i)
{
	list_key(l, t->keys[i]);
	type_short(l->out, t->items[i]);
}

/* Members with constant keys, which both have in order. */
static void diff_members(struct list *l, struct list *r, const struct type *x,
	const struct type *y, int depth)
{
	uint32_t i = 0, k = 0;
	bool dots = false;

	while (i < x->len || k < y->len) {
		int c = i == x->len   ? 1
			: k == y->len ? -1
				      : value_cmp(x->keys[i], y->keys[k]);

		if (c < 0) {
			add_member(l, x, i++);
		} else if (c > 0) {
			add_member(r, y, k++);
		} else {
			if (same(x->items[i], y->items[k])) {
				dots = true;
			} else {
				list_key(l, x->keys[i]);
				list_key(r, y->keys[k]);
				diff(l->out, r->out, x->items[i], y->items[k],
					depth + 1);
			}
			i++;
			k++;
		}
	}
	if (dots) {
		list_dots(l);
		list_dots(r);
	}
}

static void rest_short(struct buf *out, const struct type *t)
{
	buf_addc(out, '[');
	type_short(out, t->key);
	buf_adds(out, ": ");
	type_short(out, t->rest);
	buf_addc(out, ']');
}

static void diff_objects(struct buf *left, struct buf *right,
	const struct type *x, const struct type *y, int depth)
{
	struct list l = {left, "<", ">", false}, r = {right, "<", ">", false};

	both(left, right, "object");
	diff_members(&l, &r, x, y, depth);
	list_end(&l);
	list_end(&r);
	if (x->dynamic && y->dynamic) {
		both(left, right, "[");
		diff(left, right, x->key, y->key, depth + 1);
		both(left, right, ": ");
		diff(left, right, x->rest, y->rest, depth + 1);
		both(left, right, "]");
	} else if (x->dynamic) {
		rest_short(left, x);
	} else if (y->dynamic) {
		rest_short(right, y);
	}
}

static bool has_same(const struct type *any, const struct type *t)
{
	for (uint32_t i = 0; i < any->len; i++)
		if (same(any->items[i], t))
			return true;
	return false;
}

/* What `t` has and `other` has not. */
static bool only_in(
	struct list *l, const struct type *t, const struct type *other)
{
	bool common = false;

	for (uint32_t i = 0; i < t->len; i++) {
		if (has_same(other, t->items[i])) {
			common = true;
			continue;
		}
		list_next(l);
		type_short(l->out, t->items[i]);
	}
	return common;
}

static void diff_anys(struct buf *left, struct buf *right, const struct type *x,
	const struct type *y)
{
	struct list l = {left, "<", ">", false}, r = {right, "<", ">", false};
	bool common;

	both(left, right, "any");
	common = only_in(&l, x, y);
	common |= only_in(&r, y, x);
	if (common) {
		list_dots(&l);
		list_dots(&r);
	}
	list_end(&l);
	list_end(&r);
}

static void diff_functions(struct buf *left, struct buf *right,
	const struct type *x, const struct type *y, int depth)
{
	both(left, right, "(");
	for (uint32_t i = 0; i < x->len; i++) {
		if (i)
			both(left, right, ", ");
		diff(left, right, x->items[i], y->items[i], depth + 1);
	}
	both(left, right, ") => ");
	diff(left, right, x->rest, y->rest, depth + 1);
}

/* Types of the same kind that are worth looking into; else false. */
static bool diff_inside(struct buf *left, struct buf *right,
	const struct type *x, const struct type *y, int depth)
{
	switch (x->kind) {
	case TY_SET:
		if (!x->rest || !y->rest)
			return false;
		both(left, right, "set[");
		diff(left, right, x->rest, y->rest, depth + 1);
		both(left, right, "]");
		return true;
	case TY_ARRAY:
		diff_arrays(left, right, x, y, depth);
		return true;
	case TY_OBJECT:
		diff_objects(left, right, x, y, depth);
		return true;
	case TY_ANY:
		diff_anys(left, right, x, y);
		return true;
	case TY_FUNCTION:
		if (x->len != y->len || x->more || y->more)
			return false;
		diff_functions(left, right, x, y, depth);
		return true;
	default:
		return false;
	}
}

static void diff(struct buf *left, struct buf *right, const struct type *x,
	const struct type *y, int depth)
{
	if (depth < DIFF_DEPTH && x && y && x->kind == y->kind && !same(x, y) &&
		diff_inside(left, right, x, y, depth))
		return;
	type_short(left, x);
	type_short(right, y);
}

void type_diff(struct buf *left, struct buf *right, const struct type *x,
	const struct type *y)
{
	diff(left, right, x, y, 0);
}
