#include "rego/builtin/edit.h"
#include "rego/builtin/operand.h"

#include "base/limits.h"

#include <string.h>

/* --- paths ----------------------------------------------------------- */

/* Keys from the top down; no keys are the whole document. */
struct path {
	const struct value *keys;
	size_t len;
};

/* A segment of a JSON pointer: ~1 is /, ~0 is ~, in this order. */
static struct value segment(struct bi_ctx *cx, struct str s)
{
	struct string *str;
	size_t n = 0;
	char *copy;
	struct str mid;

	if (str_find(s, S("~"), 0) == SIZE_MAX)
		return v_str(cx->arena, s);
	copy = arena_strdup(cx->arena, s);
	for (size_t i = 0; i < s.len; i++) {
		bool slash =
			s.ptr[i] == '~' && i + 1 < s.len && s.ptr[i + 1] == '1';

		copy[n++] = slash ? '/' : s.ptr[i];
		i += slash;
	}
	mid = str_make(copy, n);
	n = 0;
	for (size_t i = 0; i < mid.len; i++) {
		copy[n++] = mid.ptr[i];
		i += mid.ptr[i] == '~' && i + 1 < mid.len &&
		     mid.ptr[i + 1] == '0';
	}
	str = v_str_room(cx->arena, n);
	memcpy(str->bytes, copy, n);
	return v_str_done(str);
}

/* "a/b/c", with any number of slashes before it. */
static struct path pointer(struct bi_ctx *cx, struct str s)
{
	struct value *keys;
	size_t n = 1, at = 0;

	if (!s.len)
		return (struct path){0};
	while (s.len && s.ptr[0] == '/')
		s = str_slice(s, 1, s.len);
	for (size_t i = 0; i < s.len; i++)
		n += s.ptr[i] == '/';
	keys = ARENA_ARRAY(cx->arena, struct value, n);
	for (size_t i = 0; i < n; i++) {
		size_t end = str_find(s, S("/"), at);

		keys[i] = segment(cx, str_slice(s, at, end));
		at = end == SIZE_MAX ? s.len : end + 1;
	}
	return (struct path){keys, n};
}

static enum bi_status path_parse(
	struct bi_ctx *cx, struct value v, struct path *out)
{
	if (v.tag == V_STR && !bi_charge(cx, v.str->len / 4))
		return BI_HALT;
	if (v.tag == V_STR)
		*out = pointer(cx, v_bytes(v));
	else if (v.tag == V_ARR)
		*out = (struct path){v.arr->items, v.arr->len};
	else
		return bi_operand_text(cx, 2,
			"must be one of {set, array} containing string paths "
			"or array of path segments but got %s",
			value_type(v));
	return BI_OK;
}

/* A shorter path stands before those that it begins. */
static int path_order(const void *a, const void *b)
{
	const struct path *x = a, *y = b;

	for (size_t i = 0; i < x->len && i < y->len; i++) {
		int c = value_cmp(x->keys[i], y->keys[i]);

		if (c)
			return c;
	}
	return (x->len > y->len) - (x->len < y->len);
}

/*
 * Sorted paths that are equal in their first `depth` keys, as an object of
 * objects. The end of a path is null, and longer ones under it count no more.
 * Below the deepest document there is nothing to name.
 */
static struct value path_tree(
	struct arena *a, const struct path *paths, size_t n, size_t depth)
{
	struct value *keys = ARENA_ARRAY(a, struct value, n);
	struct value *vals = ARENA_ARRAY(a, struct value, n);
	size_t len = 0;

	if (depth > LIMIT_DATA_DEPTH)
		return v_empty_obj;
	for (size_t i = 0, end; i < n; i = end, len++) {
		keys[len] = paths[i].keys[depth];
		for (end = i + 1; end < n; end++)
			if (!value_eq(keys[len], paths[end].keys[depth]))
				break;
		vals[len] =
			paths[i].len == depth + 1
				? v_null
				: path_tree(a, paths + i, end - i, depth + 1);
	}
	return v_obj_sorted(a, keys, vals, len);
}

/* The paths of the second argument as a tree. */
static enum bi_status path_operand(
	struct bi_ctx *cx, struct value v, struct value *tree)
{
	const struct value *items;
	struct path *paths;
	uint32_t n;
	size_t empty = 0;
	enum bi_status st = BI_OK;

	if (!operand_members(v, &items, &n))
		return bi_operand(cx, 2, "one of {set, array}", v);
	if (!bi_charge(cx, n))
		return BI_HALT;
	paths = ARENA_ARRAY(cx->arena, struct path, n);
	for (uint32_t i = 0; !st && i < n; i++)
		st = path_parse(cx, items[i], &paths[i]);
	if (st)
		return st;
	if (n)
		qsort(paths, n, sizeof(*paths), path_order);
	while (empty < n && !paths[empty].len)
		empty++;
	*tree = path_tree(cx->arena, paths + empty, n - empty, 0);
	return BI_OK;
}

/* --- json.filter and json.remove ------------------------------------- */

/*
 * Documents beside a tree of paths. An item of an array has its index as a
 * string, a member of a set is its own key. `keep` keeps what the paths name,
 * else that is left out.
 */
struct pruning {
	struct bi_ctx *cx;
	bool keep;
};

static enum bi_status prune(struct pruning *p, struct value v,
	const struct object *tree, struct value *out);

/* One member; *out is V_UNDEF when it is left out. */
static enum bi_status prune_member(struct pruning *p, struct value v,
	const struct object *tree, struct value key, struct value *out)
{
	struct value sub = obj_get(tree, key);

	if (!is_def(sub))
		*out = p->keep ? v_undef : v;
	else if (sub.tag == V_NULL)
		*out = p->keep ? v : v_undef;
	else
		return prune(p, v, sub.obj, out);
	return BI_OK;
}

static struct value index_key(struct arena *a, uint32_t i)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", i);
	return v_cstr(a, text);
}

static enum bi_status prune(struct pruning *p, struct value v,
	const struct object *tree, struct value *out)
{
	struct arena *a = p->cx->arena;
	const struct value *items;
	struct value *keys, *kept;
	uint32_t len;
	size_t n = 0;

	*out = v;
	if (v.tag == V_OBJ) {
		items = v.obj->vals;
		len = v.obj->len;
	} else if (!operand_members(v, &items, &len)) {
		return BI_OK;
	}
	if (!bi_charge(p->cx, len))
		return BI_HALT;
	keys = ARENA_ARRAY(a, struct value, len);
	kept = ARENA_ARRAY(a, struct value, len);
	for (uint32_t i = 0; i < len; i++) {
		enum bi_status st;

		keys[n] = v.tag == V_OBJ   ? v.obj->keys->items[i]
			  : v.tag == V_ARR ? index_key(a, i)
					   : items[i];
		st = prune_member(p, items[i], tree, keys[n], &kept[n]);
		if (st)
			return st;
		if (p->keep && v.tag == V_OBJ)
			keys[n] =
				operand_filter_key(v.obj, tree->keys, keys[n]);
		n += is_def(kept[n]);
	}
	*out = v.tag == V_OBJ   ? v_obj_sorted(a, keys, kept, n)
	       : v.tag == V_ARR ? v_arr(a, kept, n)
				: v_set(a, kept, n);
	return BI_OK;
}

static enum bi_status prune_operands(struct bi_ctx *cx,
	const struct value *args, bool keep, struct value *out)
{
	struct pruning p = {.cx = cx, .keep = keep};
	struct value tree = v_empty_obj;
	enum bi_status st;

	if (args[0].tag != V_OBJ)
		return bi_operand(cx, 1, "object", args[0]);
	st = path_operand(cx, args[1], &tree);
	return st ? st : prune(&p, args[0], tree.obj, out);
}

static enum bi_status bi_json_filter(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return prune_operands(cx, args, true, out);
}

static enum bi_status bi_json_remove(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return prune_operands(cx, args, false, out);
}

/* --- json.patch ------------------------------------------------------ */

/* An operation and what it works on. */
struct patch {
	struct bi_ctx *cx;
	struct edit *doc;
	const struct object *op;
	struct path path;
};

static enum bi_status missing(struct bi_ctx *cx, const char *name)
{
	return bi_error(cx, "missing required attribute '%s'", name);
}

static enum bi_status patch_value(const struct patch *p, struct value *out)
{
	*out = obj_get_cstr(p->op, "value");
	return is_def(*out) ? BI_OK : missing(p->cx, "value");
}

static enum bi_status put(struct patch *p, struct value v)
{
	return edit_insert_at(p->doc, p->path.keys, p->path.len, v);
}

static enum bi_status op_add(struct patch *p)
{
	struct value v;
	enum bi_status st = patch_value(p, &v);

	return st ? st : put(p, v);
}

static enum bi_status op_remove(struct patch *p)
{
	return edit_delete_at(p->doc, p->path.keys, p->path.len);
}

static enum bi_status op_replace(struct patch *p)
{
	enum bi_status st = op_remove(p);

	return st ? st : op_add(p);
}

/* Put what is at "from" in its new place; a move takes it away first. */
static enum bi_status transfer(struct patch *p, bool move)
{
	struct value from = obj_get_cstr(p->op, "from"), v;
	struct path path;
	enum bi_status st;

	if (!is_def(from))
		return missing(p->cx, "from");
	st = path_parse(p->cx, from, &path);
	if (!st)
		st = edit_render_at(p->doc, path.keys, path.len, &v);
	if (!st && move)
		st = edit_delete_at(p->doc, path.keys, path.len);
	return st ? st : put(p, v);
}

static enum bi_status op_move(struct patch *p)
{
	return transfer(p, true);
}

static enum bi_status op_copy(struct patch *p)
{
	return transfer(p, false);
}

static enum bi_status op_test(struct patch *p)
{
	struct value want, got = v_undef;
	enum bi_status st =
		edit_render_at(p->doc, p->path.keys, p->path.len, &got);

	if (!st)
		st = patch_value(p, &want);
	if (st)
		return st;
	if (is_def(got) && value_eq(got, want))
		return BI_OK;
	return bi_error(p->cx,
		"value from EditTree != patch value.\n\nExpected: %s\n\n"
		"Found: %s",
		operand_text(p->cx, want),
		is_def(got) ? operand_text(p->cx, got) : "<nil>");
}

static const struct {
	const char *name;
	enum bi_status (*fn)(struct patch *p);
} ops[] = {
	{"add", op_add},
	{"remove", op_remove},
	{"replace", op_replace},
	{"move", op_move},
	{"copy", op_copy},
	{"test", op_test},
};

static enum bi_status apply(struct patch *p, struct value v)
{
	struct value path, op;
	enum bi_status st;

	if (v.tag != V_OBJ)
		return bi_error(p->cx,
			"must be an array of JSON-Patch objects, but at least "
			"one element is not an object");
	p->op = v.obj;
	path = obj_get_cstr(p->op, "path");
	op = obj_get_cstr(p->op, "op");
	if (!is_def(path))
		return missing(p->cx, "path");
	if (!is_def(op))
		return missing(p->cx, "op");
	if (op.tag != V_STR)
		return bi_error(p->cx,
			"attribute 'op' must be a string but found: %s",
			value_type(op));
	st = path_parse(p->cx, path, &p->path);
	if (st)
		return st;
	for (size_t i = 0; i < COUNT(ops); i++)
		if (str_is(v_bytes(op), ops[i].name))
			return ops[i].fn(p);
	return bi_error(p->cx, "unrecognized op: '%s'", op.str->bytes);
}

/* All operations or none. A document that was removed leaves no result. */
static enum bi_status bi_json_patch(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct patch p = {.cx = cx, .doc = edit_new(cx, args[0])};
	enum bi_status st = BI_OK;

	for (uint32_t i = 0; !st && i < args[1].arr->len; i++)
		st = apply(&p, args[1].arr->items[i]);
	if (!st)
		st = edit_render_at(p.doc, NULL, 0, out);
	return !st && !is_def(*out) ? BI_UNDEF : st;
}

enum { LISTED = BT_ARR | BT_SET };

/* clang-format off */
static const struct builtin rows[] = {
	{"json.filter", NULL, 2, {BT_OBJ, LISTED}, bi_json_filter, BF_RAWTYPES},
	{"json.remove", NULL, 2, {BT_OBJ, LISTED}, bi_json_remove, BF_RAWTYPES},
	{"json.patch",  NULL, 2, {BT_ANY, BT_ARR}, bi_json_patch,  0},
};
/* clang-format on */

const struct builtin_table builtin_json = {rows, COUNT(rows)};
