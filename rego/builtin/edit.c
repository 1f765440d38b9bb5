#include "rego/builtin/edit.h"

#include "rego/builtin/operand.h"

#include <string.h>

/*
 * What stands under a key, or at a place of an array: nothing any more (a
 * deletion), a collection that may have changes of its own, or a scalar.
 */
struct child {
	struct edit *node;   /* NULL for a scalar */
	struct value scalar; /* V_UNDEF: deleted, if there is no node */
	bool was_coll;       /* a deletion: of a collection */
	bool original;       /* of arrays: item number `from` of the original */
	uint32_t from;
};

struct edit {
	struct bi_ctx *cx;
	struct value value; /* as it was; V_UNDEF when deleted */
	/*
	 * Objects and sets: keys with a child, in order of arrival. Arrays:
	 * all places, as they are now; a slice of the original has none.
	 */
	struct builder keys;
	struct child *children;
	uint32_t len, cap;
};

static bool is_coll(struct value v)
{
	return v.tag == V_ARR || v.tag == V_OBJ || v.tag == V_SET;
}

/* Start over from `v`, without changes. */
static void edit_init(struct edit *e, struct value v)
{
	struct arena *a = e->cx->arena;

	e->value = v;
	e->len = e->cap = 0;
	e->children = NULL;
	e->keys = builder_set(a);
	if (v.tag != V_ARR)
		return;
	e->len = e->cap = v.arr->len;
	e->children = ARENA_ARRAY(a, struct child, e->len);
	for (uint32_t i = 0; i < e->len; i++)
		e->children[i] = (struct child){.original = true, .from = i};
}

struct edit *edit_new(struct bi_ctx *cx, struct value v)
{
	struct edit *e = ARENA_NEW(cx->arena, struct edit);

	e->cx = cx;
	edit_init(e, v);
	return e;
}

/* --- what it is now -------------------------------------------------- */

static struct value render(const struct edit *e);

static struct value child_value(const struct child *c)
{
	return c->node ? render(c->node) : c->scalar;
}

static struct value render_array(const struct edit *e)
{
	struct value *items = ARENA_ARRAY(e->cx->arena, struct value, e->len);

	for (uint32_t i = 0; i < e->len; i++) {
		const struct child *c = &e->children[i];

		items[i] = c->original ? e->value.arr->items[c->from]
				       : child_value(c);
	}
	return v_arr(e->cx->arena, items, e->len);
}

static struct value render_object(const struct edit *e)
{
	const struct object *was = e->value.obj;
	struct builder b = builder_obj(e->cx->arena);

	for (uint32_t i = 0; i < e->len; i++) {
		struct value v = child_value(&e->children[i]);

		if (is_def(v))
			builder_set_key(&b, e->keys.keys[i], v);
	}
	for (uint32_t i = 0; i < was->len; i++)
		if (builder_find(&e->keys, was->keys->items[i]) < 0)
			builder_set_key(&b, was->keys->items[i], was->vals[i]);
	return builder_done(&b);
}

static struct value render_set(const struct edit *e)
{
	const struct set *was = e->value.set;
	struct builder b = builder_set(e->cx->arena);

	for (uint32_t i = 0; i < e->len; i++) {
		struct value v = child_value(&e->children[i]);

		if (is_def(v))
			builder_add(&b, v);
	}
	for (uint32_t i = 0; i < was->len; i++)
		if (builder_find(&e->keys, was->keys->items[i]) < 0)
			builder_add(&b, was->keys->items[i]);
	return builder_done(&b);
}

static struct value render(const struct edit *e)
{
	if (e->value.tag == V_ARR)
		return render_array(e);
	if (!is_coll(e->value) || !e->len)
		return e->value;
	return e->value.tag == V_OBJ ? render_object(e) : render_set(e);
}

/* --- children -------------------------------------------------------- */

static void children_grow(struct edit *e)
{
	struct child *more;

	if (e->len < e->cap)
		return;
	e->cap = e->cap ? e->cap * 2 : 8;
	more = ARENA_ARRAY(e->cx->arena, struct child, e->cap);
	if (e->len)
		memcpy(more, e->children, e->len * sizeof(*more));
	e->children = more;
}

static struct child *child_find(struct edit *e, struct value key)
{
	int64_t at = e->len ? builder_find(&e->keys, key) : -1;

	return at < 0 ? NULL : &e->children[at];
}

/* The child for a key of an object or set, made if missing. */
static struct child *child_at(struct edit *e, struct value key)
{
	struct child *c = child_find(e, key);

	if (c)
		return c;
	children_grow(e);
	builder_add(&e->keys, key);
	c = &e->children[e->len++];
	*c = (struct child){0};
	return c;
}

/* A child with value `v`, and the node to go on from. */
static struct edit *child_set(struct edit *e, struct child *c, struct value v)
{
	struct edit *node = edit_new(e->cx, v);

	*c = (struct child){.scalar = v};
	if (is_coll(v))
		*c = (struct child){.node = node};
	return node;
}

static bool child_deleted(const struct child *c)
{
	return !c->node && !is_def(c->scalar);
}

/* --- indexes --------------------------------------------------------- */

/* Text as OPA reads an integer: "-2", "+2", "2.0"; at most 19 characters. */
static bool index_text(struct str s, int64_t *out)
{
	bool neg = s.len && s.ptr[0] == '-';
	size_t i = neg || (s.len && s.ptr[0] == '+');
	int64_t n = 0;

	if (s.len == i || s.len - i > 19)
		return false;
	for (; i < s.len && s.ptr[i] != '.'; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9' ||
			__builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, s.ptr[i] - '0', &n))
			return false;
	}
	for (i++; i < s.len; i++)
		if (s.ptr[i] != '0')
			return false;
	*out = neg ? -n : n;
	return true;
}

/* A place in an array of `len`: a number, its text, or "-" for the end. */
static enum bi_status index_of(
	struct bi_ctx *cx, uint32_t len, struct value key, int64_t *out)
{
	struct str s;

	if (is_num(key))
		return num_literal_int64(key, out)
			       ? BI_OK
			       : bi_error(cx,
					 "invalid number type for indexing");
	if (key.tag != V_STR)
		return bi_error(cx, "invalid type for indexing");
	s = v_bytes(key);
	if (str_is(s, "-")) {
		*out = len;
		return BI_OK;
	}
	if (!index_text(s, out))
		return bi_error(cx, "invalid string for indexing");
	if (s.ptr[0] == '0' && s.len > 1)
		return bi_error(
			cx, "leading zeros are not allowed in JSON paths");
	return BI_OK;
}

/* --- one step -------------------------------------------------------- */

static const char *go_type(struct value v)
{
	if (v.tag == V_NULL)
		return "ast.Null";
	if (v.tag == V_STR)
		return "ast.String";
	return is_num(v) ? "ast.Number" : "ast.Boolean";
}

static enum bi_status not_coll(const struct edit *e)
{
	return bi_error(e->cx,
		"expected composite type, found value: %s (type: %s)",
		operand_text(e->cx, e->value), go_type(e->value));
}

/* A collection as key of a set: its changes must be in place to find it. */
static void collapse_for(struct edit *e, struct value key)
{
	if (is_coll(key))
		edit_init(e, render(e));
}

static struct edit *array_insert(struct edit *e, uint32_t at, struct value v)
{
	children_grow(e);
	memmove(&e->children[at + 1], &e->children[at],
		(e->len - at) * sizeof(*e->children));
	e->len++;
	return child_set(e, &e->children[at], v);
}

static void array_delete(struct edit *e, uint32_t at)
{
	e->len--;
	memmove(&e->children[at], &e->children[at + 1],
		(e->len - at) * sizeof(*e->children));
}

static enum bi_status insert(
	struct edit *e, struct value key, struct value v, struct edit **out)
{
	struct bi_ctx *cx = e->cx;
	enum bi_status st;
	int64_t at;

	switch (e->value.tag) {
	case V_UNDEF:
		return bi_error(
			cx, "deleted node encountered during insert operation");
	case V_SET:
		if (!value_eq(key, v))
			return bi_error(cx,
				"set key %s does not equal value to be "
				"inserted %s",
				operand_text(cx, key), operand_text(cx, v));
		collapse_for(e, key);
		*out = child_set(e, child_at(e, key), v);
		return BI_OK;
	case V_OBJ:
		*out = child_set(e, child_at(e, key), v);
		return BI_OK;
	case V_ARR:
		st = index_of(cx, e->len, key, &at);
		if (st)
			return st;
		if (at < 0 || at > e->len)
			return bi_error(
				cx, "index for array insertion out of bounds");
		if (!bi_charge(cx, e->len / 16))
			return BI_HALT;
		*out = array_insert(e, (uint32_t)at, v);
		return BI_OK;
	default:
		return not_coll(e);
	}
}

static enum bi_status delete_key(struct edit *e, struct value key)
{
	struct bi_ctx *cx = e->cx;
	struct child *c;
	struct value was;

	if (e->value.tag == V_SET)
		collapse_for(e, key);
	c = child_find(e, key);
	if (c && child_deleted(c))
		return bi_error(cx,
			"cannot delete the already deleted %s node for key %s",
			c->was_coll ? "composite" : "scalar",
			operand_text(cx, key));
	was = c ? (c->node ? c->node->value : c->scalar)
		: operand_get(e->value, key);
	if (!is_def(was))
		return bi_error(cx,
			"cannot delete child key %s that does not exist",
			operand_text(cx, key));
	*child_at(e, key) = (struct child){.was_coll = is_coll(was)};
	return BI_OK;
}

static enum bi_status delete (struct edit *e, struct value key) {
	enum bi_status st; int64_t at;

	switch (e->value.tag){
		case V_UNDEF : return bi_error(e->cx,
			"deleted node encountered during delete operation");
		case V_OBJ : case V_SET : return delete_key(e, key);
		case V_ARR : st = index_of(e->cx, e->len, key, &at);
		if (st) return st;
		if (at < 0 || at >= e->len) return bi_error(
			e->cx, "index for array delete out of bounds");
		if (!bi_charge(e->cx, e->len / 16)) return BI_HALT;
		array_delete(e, (uint32_t)at);
		return BI_OK;
		default : return not_coll(e);
	}
}

/* --- along a path ---------------------------------------------------- */

static enum bi_status unfold_array(
	struct edit *e, struct value key, struct edit **out)
{
	struct bi_ctx *cx = e->cx;
	struct value item;
	int64_t at;
	enum bi_status st = index_of(cx, e->len, key, &at);

	if (st)
		return st;
	if (at >= 0 && at < e->len && !e->children[at].original) {
		struct child *c = &e->children[at];

		*out = c->node ? c->node : edit_new(cx, c->scalar);
		return BI_OK;
	}
	item = operand_get(e->value, v_int(at));
	if (!is_def(item))
		return bi_error(cx, "path %jd does not exist in array term %s",
			(intmax_t)at, operand_text(cx, e->value));
	st = delete (e, v_int(at));
	return st ? st : insert(e, v_int(at), item, out);
}

/* Like a reference of one element: a string stands without quotes. */
static const char *ref_text(struct bi_ctx *cx, struct value key)
{
	return key.tag == V_STR ? key.str->bytes : operand_text(cx, key);
}

static enum bi_status unfold_key(
	struct edit *e, struct value key, struct edit **out)
{
	struct bi_ctx *cx = e->cx;
	bool in_set = e->value.tag == V_SET;
	struct child *c;
	struct value was;

	if (in_set)
		collapse_for(e, key);
	c = child_find(e, key);
	if (c && child_deleted(c))
		return bi_error(cx,
			"cannot unfold the already deleted %s node for key %s",
			c->was_coll ? "composite" : "scalar",
			operand_text(cx, key));
	if (c) {
		*out = c->node ? c->node : edit_new(cx, c->scalar);
		return BI_OK;
	}
	was = operand_get(e->value, key);
	if (is_def(was))
		return insert(e, key, was, out);
	return bi_error(cx, "path %s does not exist in %s term %s",
		in_set ? ref_text(cx, key) : operand_text(cx, key),
		in_set ? "set" : "object", operand_text(cx, e->value));
}

/* The node at the end of the path. */
static enum bi_status unfold(
	struct edit *e, const struct value *path, size_t len, struct edit **out)
{
	enum bi_status st = BI_OK;

	for (size_t i = 0; !st && i < len; i++) {
		if (!bi_charge(e->cx, 1))
			return BI_HALT;
		if (!is_def(e->value))
			return bi_error(e->cx,
				"nil value encountered where composite value "
				"was expected");
		if (e->value.tag == V_ARR)
			st = unfold_array(e, path[i], &e);
		else if (is_coll(e->value))
			st = unfold_key(e, path[i], &e);
		else
			return bi_error(e->cx,
				"expected composite type for path %s, found "
				"value: %s (type: %s)",
				operand_text(e->cx, path[i]),
				operand_text(e->cx, e->value),
				go_type(e->value));
	}
	*out = e;
	return st;
}

enum bi_status edit_insert_at(
	struct edit *e, const struct value *path, size_t len, struct value v)
{
	enum bi_status st;

	if (!is_def(v))
		return bi_error(e->cx, "cannot insert nil value into EditTree");
	if (!len) {
		edit_init(e, v);
		return BI_OK;
	}
	st = unfold(e, path, len - 1, &e);
	return st ? st : insert(e, path[len - 1], v, &e);
}

enum bi_status edit_delete_at(
	struct edit *e, const struct value *path, size_t len)
{
	enum bi_status st;

	if (!len && is_def(e->value)) {
		edit_init(e, v_undef);
		return BI_OK;
	}
	if (!len)
		return bi_error(e->cx,
			"deleted node encountered during delete operation");
	st = unfold(e, path, len - 1, &e);
	return st ? st : delete (e, path[len - 1]);
}

enum bi_status edit_render_at(
	struct edit *e, const struct value *path, size_t len, struct value *out)
{
	enum bi_status st = unfold(e, path, len, &e);

	if (!st)
		*out = render(e);
	return st;
}
