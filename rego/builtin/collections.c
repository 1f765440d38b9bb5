#include "rego/builtin/operand.h"

#include "base/limits.h"

#include <string.h>

/* --- arrays ---------------------------------------------------------- */

static void copy_values(struct value *to, const struct value *from, size_t n)
{
	if (n)
		memcpy(to, from, n * sizeof(*from));
}

static enum bi_status bi_array_concat(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct array *x = args[0].arr, *y = args[1].arr;
	size_t n = (size_t)x->len + y->len;
	struct value *items;

	if (!x->len || !y->len) {
		*out = x->len ? args[0] : args[1];
		return BI_OK;
	}
	if (n > UINT32_MAX || !bi_charge(cx, n))
		return BI_HALT;
	items = arena_raw(cx->arena, n * sizeof(*items));
	copy_values(items, x->items, x->len);
	copy_values(items + x->len, y->items, y->len);
	*out = v_arr(cx->arena, items, n);
	return BI_OK;
}

/* One level: arrays in the array give way to their items. */
static enum bi_status bi_array_flatten(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct array *arr = args[0].arr;
	struct value *items;
	uint64_t n = 0, at = 0;

	for (uint32_t i = 0; i < arr->len; i++)
		n += arr->items[i].tag == V_ARR ? v_len(arr->items[i]) : 1;
	if (n > LIMIT_RANGE)
		return bi_limit(cx, "more than %u items", LIMIT_RANGE);
	if (!bi_charge(cx, n))
		return BI_HALT;
	items = ARENA_ARRAY(cx->arena, struct value, n);
	for (uint32_t i = 0; i < arr->len; i++) {
		struct value v = arr->items[i];

		if (v.tag == V_ARR) {
			copy_values(items + at, v.arr->items, v.arr->len);
			at += v.arr->len;
		} else {
			items[at++] = v;
		}
	}
	*out = v_arr(cx->arena, items, n);
	return BI_OK;
}

static enum bi_status bi_array_reverse(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct array *arr = args[0].arr;
	struct value *items;

	if (!bi_charge(cx, arr->len))
		return BI_HALT;
	items = ARENA_ARRAY(cx->arena, struct value, arr->len);
	for (uint32_t i = 0; i < arr->len; i++)
		items[i] = arr->items[arr->len - 1 - i];
	*out = v_arr(cx->arena, items, arr->len);
	return BI_OK;
}

/* Both ends are cut to fit; a start past the stop gives []. */
static enum bi_status bi_array_slice(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	int64_t start, stop;
	enum bi_status st = BI_OK;

	if (args[0].tag != V_ARR)
		return bi_operand(cx, 1, "array", args[0]);
	st = operand_int(cx, 2, args[1], &start);
	if (!st)
		st = operand_int(cx, 3, args[2], &stop);
	if (st)
		return st;
	if (stop > args[0].arr->len)
		stop = args[0].arr->len;
	if (start < 0)
		start = 0;
	if (stop < start)
		stop = start = 0;
	*out = v_arr(
		cx->arena, args[0].arr->items + start, (size_t)(stop - start));
	return BI_OK;
}

/* --- sets of sets ---------------------------------------------------- */

static enum bi_status bi_intersection(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct set *all = args[0].set;
	struct value got = v_empty_set;

	for (uint32_t i = 0; i < all->len; i++) {
		struct value v = all->keys->items[i];

		if (v.tag != V_SET)
			return bi_operand(cx, 1, "set", v);
		if (!bi_charge(cx, v.set->len))
			return BI_HALT;
		got = i ? set_intersect(cx->arena, got.set, v.set) : v;
	}
	*out = got;
	return BI_OK;
}

static enum bi_status bi_union(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct set *all = args[0].set;
	struct value *items;
	uint64_t n = 0;

	for (uint32_t i = 0; i < all->len; i++) {
		struct value v = all->keys->items[i];

		if (v.tag != V_SET)
			return bi_operand(cx, 1, "set", v);
		n += v.set->len;
	}
	if (!bi_charge(cx, n))
		return BI_HALT;
	items = ARENA_ARRAY(cx->arena, struct value, n);
	n = 0;
	for (uint32_t i = 0; i < all->len; i++) {
		const struct set *s = all->keys->items[i].set;

		copy_values(items + n, s->keys->items, s->len);
		n += s->len;
	}
	*out = v_set(cx->arena, items, n);
	return BI_OK;
}

/* --- keys of objects ------------------------------------------------- */

static enum bi_status bi_object_keys(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct keys *keys = args[0].obj->keys;

	if (!bi_charge(cx, args[0].obj->len))
		return BI_HALT;
	*out = v_set_sorted(cx->arena, args[0].obj->len ? keys->items : NULL,
		args[0].obj->len);
	return BI_OK;
}

/* The second argument of object.filter and object.remove, as a set. */
static enum bi_status key_set(
	struct bi_ctx *cx, struct value v, struct value *out)
{
	const struct value *items;
	struct value *copy;
	uint32_t n;

	if (v.tag == V_SET) {
		*out = v;
		return BI_OK;
	}
	if (v.tag == V_OBJ) {
		*out = v_set_sorted(cx->arena,
			v.obj->len ? v.obj->keys->items : NULL, v.obj->len);
		return BI_OK;
	}
	if (!operand_members(v, &items, &n))
		return bi_operand(cx, 2, "one of {object, set, array}", v);
	if (!bi_charge(cx, n))
		return BI_HALT;
	copy = ARENA_ARRAY(cx->arena, struct value, n);
	copy_values(copy, items, n);
	*out = v_set(cx->arena, copy, n);
	return BI_OK;
}

/* Members of the object whose key is in the set, or is not. */
static enum bi_status keep_keys(struct bi_ctx *cx, const struct value *args,
	bool named, struct value *out)
{
	const struct object *obj = args[0].obj;
	struct value set = v_empty_set, *keys, *vals;
	enum bi_status st;
	size_t n = 0;

	if (args[0].tag != V_OBJ)
		return bi_operand(cx, 1, "object", args[0]);
	st = key_set(cx, args[1], &set);
	if (st)
		return st;
	if (!bi_charge(cx, obj->len))
		return BI_HALT;
	keys = ARENA_ARRAY(cx->arena, struct value, obj->len);
	vals = ARENA_ARRAY(cx->arena, struct value, obj->len);
	for (uint32_t i = 0; i < obj->len; i++) {
		if (set_has(set.set, obj->keys->items[i]) != named)
			continue;
		keys[n] = obj->keys->items[i];
		if (named)
			keys[n] =
				operand_filter_key(obj, set.set->keys, keys[n]);
		vals[n++] = obj->vals[i];
	}
	*out = v_obj_sorted(cx->arena, keys, vals, n);
	return BI_OK;
}

static enum bi_status bi_object_filter(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return keep_keys(cx, args, true, out);
}

static enum bi_status bi_object_remove(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return keep_keys(cx, args, false, out);
}

/* A key, or an array of keys: a path through objects, arrays and sets. */
static enum bi_status bi_object_get(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct value at = args[0];

	(void)cx;
	if (args[1].tag != V_ARR)
		at = obj_get(at.obj, args[1]);
	else
		for (uint32_t i = 0; is_def(at) && i < args[1].arr->len; i++)
			at = operand_get(at, args[1].arr->items[i]);
	*out = is_def(at) ? at : args[2];
	return BI_OK;
}

/* --- unions ---------------------------------------------------------- */

/*
 * The second object over the first; where both have an object under a key,
 * these are united in the same way. Depth is that of the values, which the
 * readers of documents limit.
 */
static struct value unite(
	struct arena *a, const struct object *x, const struct object *y)
{
	size_t room = (size_t)x->len + y->len, n = 0;
	struct value *keys = ARENA_ARRAY(a, struct value, room);
	struct value *vals = ARENA_ARRAY(a, struct value, room);
	uint32_t i = 0, j = 0;

	while (i < x->len || j < y->len) {
		int c = i == x->len   ? 1
			: j == y->len ? -1
				      : value_cmp(x->keys->items[i],
						y->keys->items[j]);
		struct value from_x = c <= 0 ? x->vals[i] : v_undef;
		struct value from_y = c >= 0 ? y->vals[j] : v_undef;

		keys[n] = c <= 0 ? x->keys->items[i] : y->keys->items[j];
		if (from_x.tag == V_OBJ && from_y.tag == V_OBJ)
			vals[n++] = unite(a, from_x.obj, from_y.obj);
		else
			vals[n++] = is_def(from_y) ? from_y : from_x;
		i += c <= 0;
		j += c >= 0;
	}
	return v_obj_sorted(a, keys, vals, n);
}

static enum bi_status bi_object_union(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct object *x = args[0].obj, *y = args[1].obj;

	if (!bi_charge(cx, (uint64_t)x->len + y->len))
		return BI_HALT;
	if (!x->len || !y->len)
		*out = x->len ? args[0] : args[1];
	else
		*out = unite(cx->arena, x, y);
	return BI_OK;
}

/* A member of one of several objects: `place` is the number of the object. */
struct member {
	struct value key, val;
	uint32_t place;
};

static int member_order(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int c = value_cmp(x->key, y->key);

	return c ? c : (x->place > y->place) - (x->place < y->place);
}

static enum bi_status unite_all(struct bi_ctx *cx, const struct value *objs,
	size_t nobjs, struct value *out);

/*
 * What stands under one key, oldest first. The last one wins; if it is an
 * object it is united with the objects before it, back to the last value that
 * was none.
 */
static enum bi_status unite_group(struct bi_ctx *cx, const struct member *group,
	size_t n, struct value *out)
{
	struct value *objs;
	size_t from = n;

	while (from > 0 && group[from - 1].val.tag == V_OBJ)
		from--;
	if (n - from < 2) {
		*out = group[n - 1].val;
		return BI_OK;
	}
	objs = ARENA_ARRAY(cx->arena, struct value, n - from);
	for (size_t i = from; i < n; i++)
		objs[i - from] = group[i].val;
	return unite_all(cx, objs, n - from, out);
}

/* All members of all objects, sorted by key and then by object. */
static struct member *all_members(
	struct bi_ctx *cx, const struct value *objs, size_t nobjs, size_t total)
{
	struct member *all = ARENA_ARRAY(cx->arena, struct member, total);
	size_t n = 0;

	for (size_t i = 0; i < nobjs; i++)
		for (uint32_t j = 0; j < objs[i].obj->len; j++)
			all[n++] = (struct member){
				.key = objs[i].obj->keys->items[j],
				.val = objs[i].obj->vals[j],
				.place = (uint32_t)i,
			};
	if (n)
		qsort(all, n, sizeof(*all), member_order);
	return all;
}

static enum bi_status unite_all(struct bi_ctx *cx, const struct value *objs,
	size_t nobjs, struct value *out)
{
	struct value *keys, *vals;
	struct member *all;
	size_t total = 0, n = 0;

	for (size_t i = 0; i < nobjs; i++)
		total += objs[i].obj->len;
	if (!bi_charge(cx, total))
		return BI_HALT;
	all = all_members(cx, objs, nobjs, total);
	keys = ARENA_ARRAY(cx->arena, struct value, total);
	vals = ARENA_ARRAY(cx->arena, struct value, total);
	for (size_t i = 0, end; i < total; i = end, n++) {
		enum bi_status st;

		for (end = i + 1; end < total; end++)
			if (!value_eq(all[i].key, all[end].key))
				break;
		keys[n] = all[end - 1].key;
		st = unite_group(cx, all + i, end - i, &vals[n]);
		if (st)
			return st;
	}
	*out = v_obj_sorted(cx->arena, keys, vals, n);
	return BI_OK;
}

static enum bi_status bi_object_union_n(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct array *arr = args[0].arr;

	for (uint32_t i = 0; i < arr->len; i++)
		if (arr->items[i].tag != V_OBJ)
			return operand_element(
				cx, 1, args[0], "object", arr->items[i]);
	if (arr->len == 1) {
		*out = arr->items[0];
		return BI_OK;
	}
	return unite_all(cx, arr->items, arr->len, out);
}

/* --- subsets --------------------------------------------------------- */

static bool subset_set(const struct set *super, const struct set *sub)
{
	for (uint32_t i = 0; i < sub->len; i++)
		if (!set_has(super, sub->keys->items[i]))
			return false;
	return true;
}

/* A run of `super` that equals `sub`. */
static bool subset_array(const struct array *super, const struct array *sub)
{
	for (uint32_t at = 0; at + (uint64_t)sub->len <= super->len; at++) {
		uint32_t i = 0;

		while (i < sub->len &&
			value_eq(super->items[at + i], sub->items[i]))
			i++;
		if (i == sub->len)
			return true;
	}
	return false;
}

/*
 * Members of `sub` in any order in `super`. OPA counts an item of the array
 * each time that it meets it, and looks at no empty array: [1, 1] holds all of
 * {1, 2}, and [] does not hold set().
 */
static bool subset_array_set(const struct array *super, const struct set *sub)
{
	uint32_t missing = sub->len;

	for (uint32_t i = 0; i < super->len; i++) {
		if (set_has(sub, super->items[i]))
			missing--;
		if (!missing)
			return true;
	}
	return false;
}

/* Member by member, into objects, sets and arrays of the same kind. */
static bool subset_object(const struct object *super, const struct object *sub)
{
	for (uint32_t i = 0; i < sub->len; i++) {
		struct value x = obj_get(super, sub->keys->items[i]);
		struct value y = sub->vals[i];

		if (!is_def(x))
			return false;
		if (value_eq(x, y))
			continue;
		if (x.tag != y.tag)
			return false;
		if (x.tag == V_OBJ       ? !subset_object(x.obj, y.obj)
			: x.tag == V_SET ? !subset_set(x.set, y.set)
			: x.tag == V_ARR ? !subset_array(x.arr, y.arr)
					 : true)
			return false;
	}
	return true;
}

static enum bi_status bi_object_subset(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct value x = args[0], y = args[1];

	if (x.tag == V_ARR && (y.tag == V_ARR || y.tag == V_SET))
		if (!bi_charge(cx, (uint64_t)v_len(x) + v_len(y)))
			return BI_HALT;
	if (x.tag == V_OBJ && y.tag == V_OBJ)
		*out = v_bool(subset_object(x.obj, y.obj));
	else if (x.tag == V_SET && y.tag == V_SET)
		*out = v_bool(subset_set(x.set, y.set));
	else if (x.tag == V_ARR && y.tag == V_ARR)
		*out = v_bool(subset_array(x.arr, y.arr));
	else if (x.tag == V_ARR && y.tag == V_SET)
		*out = v_bool(subset_array_set(x.arr, y.set));
	else {
		bi_error(cx, "both arguments object.subset must be of the same "
			     "type or array and set");
		cx->code = "eval_type_error";
		return BI_ERROR;
	}
	return BI_OK;
}

enum { LISTED = BT_ARR | BT_SET, COLL = BT_ARR | BT_OBJ | BT_SET };

/* clang-format off */
static const struct builtin rows[] = {
	{"array.concat",   NULL, 2, {BT_ARR, BT_ARR},         bi_array_concat,   0},
	{"array.flatten",  NULL, 1, {BT_ARR},                 bi_array_flatten,  0},
	{"array.reverse",  NULL, 1, {BT_ARR},                 bi_array_reverse,  0},
	{"array.slice",    NULL, 3, {BT_ARR, BT_NUM, BT_NUM}, bi_array_slice,    BF_RAWTYPES},
	{"intersection",   NULL, 1, {BT_SET},                 bi_intersection,   0},
	{"union",          NULL, 1, {BT_SET},                 bi_union,          0},
	{"object.filter",  NULL, 2, {BT_OBJ, COLL},           bi_object_filter,  BF_RAWTYPES},
	{"object.get",     NULL, 3, {BT_OBJ, BT_ANY, BT_ANY}, bi_object_get,     0},
	{"object.keys",    NULL, 1, {BT_OBJ},                 bi_object_keys,    0},
	{"object.remove",  NULL, 2, {BT_OBJ, COLL},           bi_object_remove,  BF_RAWTYPES},
	{"object.subset",  NULL, 2, {COLL, COLL},             bi_object_subset,  BF_RAWTYPES},
	{"object.union",   NULL, 2, {BT_OBJ, BT_OBJ},         bi_object_union,   0},
	{"object.union_n", NULL, 1, {BT_ARR},                 bi_object_union_n, 0},
};
/* clang-format on */

const struct builtin_table builtin_collections = {rows, COUNT(rows)};
