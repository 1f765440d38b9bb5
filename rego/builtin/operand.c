#include "rego/builtin/operand.h"

#include <string.h>

enum bi_status operand_int(
	struct bi_ctx *cx, int pos, struct value v, int64_t *out)
{
	if (!is_num(v))
		return bi_operand(cx, pos, "number", v);
	if (!num_literal_int64(v, out))
		return bi_operand_text(cx, pos,
			"must be integer number but got floating-point number");
	return BI_OK;
}

enum bi_status operand_element(struct bi_ctx *cx, int pos, struct value all,
	const char *expected, struct value got)
{
	const char *type = value_type(all);

	return bi_operand_text(cx, pos,
		"must be %s of %ss but got %s containing %s", type, expected,
		type, value_type(got));
}

struct value operand_get(struct value from, struct value key)
{
	int64_t i;

	if (from.tag == V_OBJ)
		return obj_get(from.obj, key);
	if (from.tag == V_SET)
		return set_has(from.set, key) ? key : v_undef;
	if (from.tag != V_ARR || !num_literal_int64(key, &i))
		return v_undef;
	return i >= 0 && i < from.arr->len ? from.arr->items[i] : v_undef;
}

bool operand_members(struct value v, const struct value **items, uint32_t *len)
{
	if (v.tag == V_ARR)
		*items = v.arr->items;
	else if (v.tag == V_SET)
		*items = v.set->keys->items;
	else
		return false;
	*len = v_len(v);
	return true;
}

struct value operand_filter_key(
	const struct object *o, const struct keys *filter, struct value key)
{
	int64_t at = is_num(key) && o->len < filter->len
			     ? keys_find(filter, key)
			     : -1;

	return at < 0 ? key : filter->items[at];
}

const char *operand_text(struct bi_ctx *cx, struct value v)
{
	struct buf b = {0};
	char *s;

	value_text(&b, v);
	s = arena_strdup(cx->arena, buf_str(&b));
	buf_release(&b);
	return s;
}

/* FNV-1a over the bytes, finished as splitmix64 does. */
uint64_t operand_random(uint64_t seed, struct str key)
{
	uint64_t h = seed ^ 0xcbf29ce484222325u;

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ (uint8_t)key.ptr[i]) * 0x100000001b3u;
	h += 0x9e3779b97f4a7c15u;
	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
	h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
	return h ^ (h >> 31);
}

struct value set_union(
	struct arena *a, const struct set *x, const struct set *y)
{
	const struct value *p = x->keys->items, *q = y->keys->items;
	const struct value *pe = p + x->len, *qe = q + y->len;
	struct value *items =
		ARENA_ARRAY(a, struct value, (size_t)x->len + y->len);
	size_t n = 0;

	while (p < pe && q < qe) {
		int c = value_cmp(*p, *q);

		items[n++] = c <= 0 ? *p : *q;
		p += c <= 0;
		q += c >= 0;
	}
	while (p < pe)
		items[n++] = *p++;
	while (q < qe)
		items[n++] = *q++;
	return v_set_sorted(a, items, n);
}

/* Members of `x` that are in `y`, or are not. */
static struct value set_pick(
	struct arena *a, const struct set *x, const struct set *y, bool in)
{
	struct value *items = ARENA_ARRAY(a, struct value, x->len);
	size_t n = 0;

	for (uint32_t i = 0; i < x->len; i++)
		if (set_has(y, x->keys->items[i]) == in)
			items[n++] = x->keys->items[i];
	return v_set_sorted(a, items, n);
}

struct value set_intersect(
	struct arena *a, const struct set *x, const struct set *y)
{
	/* Of equal members OPA keeps the one of the smaller set: 1 or 1.0. */
	return y->len < x->len ? set_pick(a, y, x, true)
			       : set_pick(a, x, y, true);
}

struct value set_minus(
	struct arena *a, const struct set *x, const struct set *y)
{
	return set_pick(a, x, y, false);
}

enum bi_status operand_call(struct bi_ctx *cx, const char *name,
	const struct value *args, struct value *out)
{
	const char *caller = cx->name;
	enum bi_status st = builtin_find(str_from(name))->fn(cx, args, out);

	cx->name = caller;
	return st;
}

enum bi_status operand_wrap(struct bi_ctx *cx, const char *before)
{
	char *after = arena_strdup(cx->arena, str_from(cx->text));

	return bi_error(cx, "%s%s", before, after);
}
