#include "rego/types.h"

#include <stdlib.h>
#include <string.h>

const struct type type_null = {.kind = TY_NULL, .size = 1};
const struct type type_boolean = {.kind = TY_BOOLEAN, .size = 1};
const struct type type_number = {.kind = TY_NUMBER, .size = 1};
const struct type type_string = {.kind = TY_STRING, .size = 1};
const struct type type_any = {.kind = TY_ANY, .size = 1};
const struct type type_empty_set = {.kind = TY_SET, .size = 1, .unknown = true};
const struct type type_set_of_any = {
	.kind = TY_SET, .size = 2, .depth = 1, .rest = &type_any};

/* --- making ----------------------------------------------------------- */

/* One part more: counted, and unknown if it is. */
static void part(struct type *t, const struct type *x)
{
	if (!x)
		return;
	if (x->depth >= t->depth)
		t->depth = (uint16_t)(x->depth + 1);
	t->size += x->size;
	if (t->size > TYPE_SIZE_MAX)
		t->size = TYPE_SIZE_MAX + 1;
}

/* Which parts make a type unknown differs: OPA does not look into any<>. */
static bool parts_unknown(const struct type *t)
{
	bool unknown = false;

	if (t->kind == TY_ANY)
		return false;
	for (uint32_t i = 0; i < t->len; i++)
		unknown |= type_unknown(t->items[i]);
	if (t->kind == TY_SET || t->kind == TY_FUNCTION || t->rest)
		unknown |= type_unknown(t->rest);
	if (t->dynamic)
		unknown |= type_unknown(t->key) || type_unknown(t->rest);
	return unknown;
}

static const struct type *make(struct arena *a, struct type t)
{
	struct type *kept;

	t.size = 1;
	for (uint32_t i = 0; i < t.len; i++)
		part(&t, t.items[i]);
	part(&t, t.key);
	part(&t, t.rest);
	if (t.depth > TYPE_DEPTH_MAX || t.size > TYPE_SIZE_MAX)
		return &type_any;
	t.unknown = parts_unknown(&t);
	kept = arena_raw(a, sizeof(*kept));
	*kept = t;
	return kept;
}

const struct type *type_array(struct arena *a, const struct type *const *items,
	uint32_t n, const struct type *rest)
{
	return make(a, (struct type){.kind = TY_ARRAY,
			       .items = items,
			       .len = n,
			       .rest = rest});
}

const struct type *type_set(struct arena *a, const struct type *of)
{
	if (!of)
		return &type_empty_set;
	if (type_is_any(of))
		return &type_set_of_any;
	return make(a, (struct type){.kind = TY_SET, .rest = of});
}

struct member {
	struct value key;
	const struct type *type;
};

static int by_key(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return value_cmp(x->key, y->key);
}

static void sort_members(struct arena *a, struct value *keys,
	const struct type **items, uint32_t n)
{
	struct member *m;
	uint32_t i = 1;

	while (i < n && value_cmp(keys[i - 1], keys[i]) <= 0)
		i++;
	if (i >= n)
		return;
	m = arena_raw(a, n * sizeof(*m));
	for (i = 0; i < n; i++)
		m[i] = (struct member){keys[i], items[i]};
	qsort(m, n, sizeof(*m), by_key);
	for (i = 0; i < n; i++) {
		keys[i] = m[i].key;
		items[i] = m[i].type;
	}
}

const struct type *type_object(struct arena *a, struct value *keys,
	const struct type **items, uint32_t n)
{
	sort_members(a, keys, items, n);
	return make(a, (struct type){.kind = TY_OBJECT,
			       .keys = keys,
			       .items = items,
			       .len = n});
}

static const struct type *object_with(struct arena *a, const struct type *t,
	const struct type *key, const struct type *rest)
{
	return make(a, (struct type){.kind = TY_OBJECT,
			       .keys = t ? t->keys : NULL,
			       .items = t ? t->items : NULL,
			       .len = t ? t->len : 0,
			       .dynamic = true,
			       .key = key,
			       .rest = rest});
}

const struct type *type_object_open(struct arena *a, struct value *keys,
	const struct type **items, uint32_t n, const struct type *key,
	const struct type *rest)
{
	struct type fixed = {.keys = keys, .items = items, .len = n};

	sort_members(a, keys, items, n);
	return object_with(a, &fixed, key, rest);
}

const struct type *type_function(struct arena *a,
	const struct type *const *args, uint32_t n, const struct type *result)
{
	return make(a, (struct type){.kind = TY_FUNCTION,
			       .items = args,
			       .len = n,
			       .rest = result});
}

const struct type *type_builtin(struct arena *a, const struct type *const *args,
	uint32_t n, const struct type *more, const struct type *result)
{
	return make(a, (struct type){.kind = TY_FUNCTION,
			       .items = args,
			       .len = n,
			       .more = more,
			       .rest = result});
}

const struct type *type_unnamed(struct arena *a, const struct type *function)
{
	return type_builtin(a, function->items, function->len, function->more,
		function->rest);
}

struct type *type_recursive(struct arena *a, struct str name)
{
	struct type *t = ARENA_NEW(a, struct type);
	struct param *p = ARENA_NEW(a, struct param);

	p->name = name;
	t->kind = TY_RECURSIVE;
	t->size = 1;
	t->params = p;
	return t;
}

/* Does `t` say no more than `r`, itself or as one of several? */
static bool leads_to(const struct type *t, const struct type *r, uint32_t *left)
{
	if (t == r || !*left)
		return true;
	--*left;
	if (t && t->kind == TY_RECURSIVE)
		return leads_to(t->rest, r, left);
	for (uint32_t i = 0; t && t->kind == TY_ANY && i < t->len; i++)
		if (leads_to(t->items[i], r, left))
			return true;
	return false;
}

/* So that nobody who looks for members of one goes round in circles. */
void type_recursive_is(struct type *r, const struct type *t)
{
	uint32_t left = TYPE_SIZE_MAX;

	r->rest = leads_to(t, r, &left) ? &type_any : t;
}

static const struct type *value_array(struct arena *a, const struct array *l)
{
	const struct type **items = ARENA_ARRAY(a, const struct type *, l->len);

	for (uint32_t i = 0; i < l->len; i++)
		items[i] = type_of_value(a, l->items[i]);
	return type_array(a, items, l->len, NULL);
}

static const struct type *value_object(struct arena *a, const struct object *o)
{
	const struct type **items = ARENA_ARRAY(a, const struct type *, o->len);
	struct value *keys = ARENA_ARRAY(a, struct value, o->len);

	for (uint32_t i = 0; i < o->len; i++) {
		keys[i] = o->keys->items[i];
		items[i] = type_of_value(a, o->vals[i]);
	}
	return type_object(a, keys, items, o->len);
}

const struct type *type_of_value(struct arena *a, struct value v)
{
	switch (v.tag) {
	case V_NULL:
		return &type_null;
	case V_FALSE:
	case V_TRUE:
		return &type_boolean;
	case V_INT:
	case V_NUM:
		return &type_number;
	case V_STR:
		return &type_string;
	case V_ARR:
		return value_array(a, v.arr);
	case V_OBJ:
		return value_object(a, v.obj);
	default: /* sets are arrays here: see const_value() in infer.c */
		return NULL;
	}
}

/* --- comparing ---------------------------------------------------------- */

bool type_is_empty(const struct type *t)
{
	t = type_open(t);
	return t && !t->len && !t->rest && !t->dynamic &&
	       (t->kind == TY_ARRAY || t->kind == TY_OBJECT ||
		       t->kind == TY_SET);
}

static int sign(int64_t n)
{
	return n < 0 ? -1 : n > 0;
}

/* What a recursive type stands for, as often as `left` says. */
static const struct type *open_counted(const struct type *t, uint32_t *left)
{
	if (!t || t->kind != TY_RECURSIVE)
		return t;
	*left -= *left > 0;
	return type_open(t);
}

static int compare(const struct type *x, const struct type *y, uint32_t *left);

static int items_cmp(const struct type *x, const struct type *y, uint32_t *left)
{
	for (uint32_t i = 0; i < x->len && i < y->len; i++) {
		int c = x->keys && y->keys ? value_cmp(x->keys[i], y->keys[i])
					   : 0;

		if (!c)
			c = compare(x->items[i], y->items[i], left);
		if (c)
			return c;
	}
	return sign((int64_t)x->len - y->len);
}

static int object_cmp(
	const struct type *x, const struct type *y, uint32_t *left)
{
	int c = sign(x->dynamic - y->dynamic);

	if (!c && x->dynamic)
		c = compare(x->key, y->key, left);
	if (!c && x->dynamic)
		c = compare(x->rest, y->rest, left);
	return c ? c : items_cmp(x, y, left);
}

static int function_cmp(
	const struct type *x, const struct type *y, uint32_t *left)
{
	int c = sign((int64_t)x->len - y->len);

	if (!c)
		c = items_cmp(x, y, left);
	return c ? c : compare(x->rest, y->rest, left);
}

static int compare(const struct type *x, const struct type *y, uint32_t *left)
{
	int c;

	if (x == y || !*left)
		return 0;
	x = open_counted(x, left);
	y = open_counted(y, left);
	if (x == y)
		return 0;
	if (!x || !y)
		return x ? 1 : -1;
	if (x->kind != y->kind)
		return sign(x->kind - y->kind);
	switch (x->kind) {
	case TY_ARRAY:
		c = compare(x->rest, y->rest, left);
		return c ? c : items_cmp(x, y, left);
	case TY_OBJECT:
		return object_cmp(x, y, left);
	case TY_SET:
		return compare(x->rest, y->rest, left);
	case TY_ANY:
		return items_cmp(x, y, left);
	case TY_FUNCTION:
		return function_cmp(x, y, left);
	default:
		return 0;
	}
}

int type_cmp(const struct type *x, const struct type *y)
{
	uint32_t left = TYPE_OPEN_MAX;

	return compare(x, y, &left);
}

/* --- unions --------------------------------------------------------------- */

static int by_type(const void *a, const void *b)
{
	const struct type *const *x = a, *const *y = b;

	return type_cmp(*x, *y);
}

const struct type *type_any_of(
	struct arena *a, const struct type **items, uint32_t n)
{
	uint32_t kept = 0;

	qsort(items, n, sizeof(*items), by_type);
	for (uint32_t i = 0; i < n; i++)
		if (!kept || type_cmp(items[kept - 1], items[i]))
			items[kept++] = items[i];
	return make(
		a, (struct type){.kind = TY_ANY, .items = items, .len = kept});
}

static const struct type *function_or(
	struct arena *a, const struct type *x, const struct type *y)
{
	const struct type **args;

	if (x->len != y->len || !x->more != !y->more)
		return NULL;
	args = ARENA_ARRAY(a, const struct type *, x->len);
	for (uint32_t i = 0; i < x->len; i++)
		args[i] = type_or(a, x->items[i], y->items[i]);
	return type_function(a, args, x->len, type_or(a, x->rest, y->rest));
}

/* Is `x` a type of the list already? */
static bool any_has(const struct type *any, const struct type *x)
{
	return !any->len ||
	       bsearch(&x, any->items, any->len, sizeof(x), by_type);
}

const struct type *type_or(
	struct arena *a, const struct type *x, const struct type *y)
{
	const struct type **items;
	const struct type *swap;

	if (!x || !y)
		return x ? x : y;
	if (x->kind == TY_FUNCTION && y->kind == TY_FUNCTION)
		return function_or(a, x, y);
	if (x->kind == TY_FUNCTION || y->kind == TY_FUNCTION)
		return NULL;
	if (x->kind != TY_ANY) {
		swap = x;
		x = y;
		y = swap;
	}
	if (x->kind != TY_ANY) {
		if (!type_cmp(x, y))
			return y;
		items = ARENA_ARRAY(a, const struct type *, 2);
		items[0] = x;
		items[1] = y;
		return type_any_of(a, items, 2);
	}
	if (type_is_any(y))
		return &type_any;
	if (y->kind != TY_ANY && any_has(x, y))
		return x;
	if (!x->len)
		return x;
	uint32_t n = y->kind == TY_ANY ? y->len : 1;

	items = ARENA_ARRAY(a, const struct type *, x->len + n);
	memcpy(items, x->items, x->len * sizeof(*items));
	memcpy(items + x->len, y->kind == TY_ANY ? y->items : &y,
		n * sizeof(*items));
	return type_any_of(a, items, x->len + n);
}

static bool only_plain(const struct type *const *items, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!items[i] || items[i]->kind >= TY_ANY)
			return false;
	return true;
}

/*
 * Collections may have thousands of members: of plain types all are sorted at
 * once, where one type_or() after the other would copy the list each time.
 */
const struct type *type_or_all(
	struct arena *a, const struct type *const *items, uint32_t n)
{
	const struct type *sum = NULL;
	const struct type **own;
	uint32_t same = 0;

	while (same < n && items[same] == items[0])
		same++;
	if (n && same == n)
		return items[0];
	if (n > 2 && only_plain(items, n)) {
		own = arena_raw(a, n * sizeof(*own));
		memcpy(own, items, n * sizeof(*own));
		sum = type_any_of(a, own, n);
		return sum->len == 1 ? own[0] : sum;
	}
	for (uint32_t i = 0; i < n; i++)
		sum = type_or(a, sum, items[i]);
	return sum;
}

/* --- members ---------------------------------------------------------------
 */

static const struct type *any_each(struct arena *a, const struct type *t,
	const struct type *(*of)(struct arena *a, const struct type *t))
{
	const struct type *sum = NULL;

	if (!t->len)
		return t;
	for (uint32_t i = 0; i < t->len; i++)
		sum = type_or(a, of(a, t->items[i]), sum);
	return sum;
}

const struct type *type_keys(struct arena *a, const struct type *t)
{
	const struct type *sum = NULL;

	t = type_open(t);
	if (!t)
		return NULL;
	switch (t->kind) {
	case TY_ARRAY:
		return &type_number;
	case TY_OBJECT:
		for (uint32_t i = 0; i < t->len; i++)
			if (t->keys[i].tag != V_STR || sum != &type_string)
				sum = type_or(
					a, sum, type_of_value(a, t->keys[i]));
		return t->dynamic ? type_or(a, sum, t->key) : sum;
	case TY_SET:
		return t->rest;
	case TY_ANY:
		return any_each(a, t, type_keys);
	default:
		return NULL;
	}
}

const struct type *type_values(struct arena *a, const struct type *t)
{
	t = type_open(t);
	if (!t)
		return NULL;
	switch (t->kind) {
	case TY_ARRAY:
	case TY_OBJECT:
		return type_or(a, type_or_all(a, t->items, t->len), t->rest);
	case TY_SET:
		return t->rest;
	case TY_ANY:
		return any_each(a, t, type_values);
	default:
		return NULL;
	}
}

/* Position of a key of an object type, the first one if it is twice; or -1. */
static int64_t find_key(const struct type *t, struct value key)
{
	uint32_t lo = 0, hi = t->len;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (value_cmp(t->keys[mid], key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == t->len || value_cmp(t->keys[lo], key) != 0)
		return -1;
	return lo;
}

static const struct type *array_at(const struct type *t, int64_t i)
{
	if (i < 0)
		return NULL;
	return i < t->len ? t->items[i] : t->rest;
}

/* Is `t` of one of the types of `of`? */
static bool contains(const struct type *of, const struct type *t)
{
	return of && of->kind == TY_ANY ? any_has(of, t) : !type_cmp(of, t);
}

static const struct type *object_at(
	struct arena *a, const struct type *t, struct value key)
{
	int64_t at = find_key(t, key);

	if (at >= 0)
		return t->items[at];
	if (t->dynamic && contains(t->key, type_of_value(a, key)))
		return t->rest;
	return NULL;
}

const struct type *type_select(
	struct arena *a, const struct type *t, struct value key)
{
	const struct type *sum = NULL;

	t = type_open(t);
	if (!t)
		return NULL;
	switch (t->kind) {
	case TY_ARRAY:
		return key.tag == V_INT ? array_at(t, key.i) : NULL;
	case TY_OBJECT:
		return object_at(a, t, key);
	case TY_SET:
		sum = type_of_value(a, key);
		return t->rest && contains(t->rest, sum) ? sum : NULL;
	case TY_ANY:
		if (!t->len)
			return t;
		for (uint32_t i = 0; i < t->len; i++)
			sum = type_or(a, type_select(a, t->items[i], key), sum);
		return sum;
	default:
		return NULL;
	}
}

/* --- unifying ---------------------------------------------------------------
 */

/* What is left of the work: at all, and of looking into recursive types. */
struct budget {
	uint32_t *work, opens;
};

static bool unify(const struct type *x, const struct type *y, struct budget *b);

static bool any_unifies(
	const struct type *any, const struct type *x, struct budget *b)
{
	if (x->kind == TY_FUNCTION)
		return false;
	for (uint32_t i = 0; i < any->len; i++)
		if (unify(any->items[i], x, b))
			return true;
	return !any->len;
}

static bool array_fits(
	const struct type *x, const struct type *y, struct budget *b)
{
	for (uint32_t i = 0; i < x->len; i++)
		if (!unify(x->items[i], array_at(y, i), b))
			return false;
	return true;
}

static bool object_fits(
	const struct type *x, const struct type *y, struct budget *b)
{
	bool open = x->rest || y->rest;
	struct arena a = {0}; /* of the types of keys */
	bool fits = true;

	for (uint32_t i = 0; fits && i < x->len; i++) {
		const struct type *at = object_at(&a, y, x->keys[i]);

		fits = at ? unify(x->items[i], at, b) : open;
	}
	arena_release(&a);
	return fits;
}

static bool rest_unifies(
	const struct type *x, const struct type *y, struct budget *b)
{
	return !x->rest || !y->rest || unify(x->rest, y->rest, b);
}

static bool function_unifies(
	const struct type *x, const struct type *y, struct budget *b)
{
	if (x->len != y->len)
		return false;
	for (uint32_t i = 0; i < x->len; i++)
		if (!unify(x->items[i], y->items[i], b))
			return false;
	return true;
}

static bool unify(const struct type *x, const struct type *y, struct budget *b)
{
	x = open_counted(x, &b->opens);
	y = open_counted(y, &b->opens);
	if (!x || !y)
		return false;
	if (!*b->work || !b->opens)
		return true;
	--*b->work;
	if (x->kind == TY_ANY && any_unifies(x, y, b))
		return true;
	if (y->kind == TY_ANY && any_unifies(y, x, b))
		return true;
	if (x->kind != y->kind || x->kind == TY_ANY)
		return false;
	switch (x->kind) {
	case TY_ARRAY:
		return array_fits(x, y, b) && array_fits(y, x, b) &&
		       rest_unifies(x, y, b);
	case TY_OBJECT:
		return object_fits(x, y, b) && object_fits(y, x, b) &&
		       rest_unifies(x, y, b);
	case TY_SET: /* the empty set is of all types of sets */
		return rest_unifies(x, y, b);
	case TY_FUNCTION:
		return function_unifies(x, y, b);
	default:
		return true;
	}
}

bool type_unifies(const struct type *x, const struct type *y, uint32_t *work)
{
	struct budget b = {work, TYPE_OPEN_MAX};

	return unify(x, y, &b);
}

/* --- documents of several rules ---------------------------------------------
 */

/* Objects without constant keys fall together. */
static const struct type *merge_objects(
	struct arena *a, const struct type *x, const struct type *y)
{
	if (!x->dynamic)
		return y;
	if (!y->dynamic)
		return x;
	return object_with(a, NULL, type_or(a, x->key, y->key),
		type_merge(a, x->rest, y->rest));
}

/* The open object `x` into the first open object of a list, or NULL. */
static const struct type *merge_into_any(
	struct arena *a, const struct type *x, const struct type *any)
{
	const struct type **items;

	for (uint32_t i = 0; i < any->len; i++) {
		const struct type *t = any->items[i];

		if (t->kind != TY_OBJECT || t->len || !t->dynamic)
			continue;
		items = ARENA_ARRAY(a, const struct type *, any->len);
		memcpy(items, any->items, any->len * sizeof(*items));
		items[i] = object_with(a, NULL, type_or(a, t->key, x->key),
			type_or(a, t->rest, x->rest));
		return make(a, (struct type){.kind = TY_ANY,
				       .items = items,
				       .len = any->len});
	}
	return NULL;
}

const struct type *type_merge(
	struct arena *a, const struct type *x, const struct type *y)
{
	const struct type *t;

	if (!x || !y)
		return x ? x : y;
	x = type_open(x);
	y = type_open(y);
	if (x->kind == TY_ANY && y->kind != TY_ANY)
		return type_merge(a, y, x);
	if (x->kind == TY_OBJECT && y->kind == TY_OBJECT && !x->len && !y->len)
		return merge_objects(a, x, y);
	if (x->kind == TY_OBJECT && !x->len && x->dynamic &&
		y->kind == TY_ANY) {
		t = merge_into_any(a, x, y);
		if (t)
			return t;
	}
	if (x->kind == TY_SET && y->kind == TY_SET)
		return type_set(a, type_or(a, x->rest, y->rest));
	return type_or(a, x, y);
}

const struct type *type_insert(struct arena *a, const struct type *t,
	const struct value *path, uint32_t n, const struct type *v)
{
	const struct type *key;

	if (!n)
		return t;
	t = type_open(t);
	key = type_of_value(a, path[0]);
	if (n > 1) {
		const struct type none = {.kind = TY_OBJECT};

		v = type_insert(a, &none, path + 1, n - 1, v);
	}
	if (t->dynamic) {
		key = type_or(a, t->key, key);
		v = type_or(a, t->rest, v);
	}
	return object_with(a, t, key, v);
}

/* `t` with one member more, behind those that it has. */
static const struct type *object_add(struct arena *a, const struct type *t,
	struct value key, const struct type *v)
{
	const struct type **items =
		ARENA_ARRAY(a, const struct type *, t->len + 1);
	struct value *keys = ARENA_ARRAY(a, struct value, t->len + 1);

	if (t->len) {
		memcpy(items, t->items, t->len * sizeof(*items));
		memcpy(keys, t->keys, t->len * sizeof(*keys));
	}
	items[t->len] = v;
	keys[t->len] = key;
	if (t->dynamic)
		return type_object_open(
			a, keys, items, t->len + 1, t->key, t->rest);
	return type_object(a, keys, items, t->len + 1);
}

/* Nested objects for a path, each with the other members that `like` has. */
static const struct type *object_nest(struct arena *a, const struct type *like,
	const struct value *path, uint32_t n, const struct type *v)
{
	const struct type bare = {.kind = TY_OBJECT,
		.dynamic = like->dynamic,
		.key = like->key,
		.rest = like->rest};

	while (n-- > 0)
		v = object_add(a, &bare, path[n], v);
	return v;
}

const struct type *type_override(struct arena *a, const struct type *t,
	const struct value *path, uint32_t n, const struct type *v)
{
	static const struct type open = {.kind = TY_OBJECT,
		.dynamic = true,
		.key = &type_any,
		.rest = &type_any};
	const struct type **items;
	bool found = false;

	if (!n)
		return v;
	t = type_open(t);
	if (!t || t->kind != TY_OBJECT)
		return object_nest(a, &open, path, n, v);
	items = ARENA_ARRAY(a, const struct type *, t->len);
	for (uint32_t i = 0; i < t->len; i++) {
		bool here = !value_cmp(t->keys[i], path[0]);

		found |= here;
		items[i] =
			here ? type_override(a, t->items[i], path + 1, n - 1, v)
			     : t->items[i];
	}
	if (!found)
		return object_add(
			a, t, path[0], object_nest(a, t, path + 1, n - 1, v));
	struct type same = *t;

	same.items = items;
	return make(a, same);
}

/* --- declarations -----------------------------------------------------------
 */

struct reader {
	struct arena *a;
	const char *at;
};

enum { PARTS_MAX = 8 }; /* of one type in a declaration */

static const struct type *read_type(struct reader *r);

/* Types up to `end`; one that is followed by `*` is that of all others. */
static const struct type *read_array(struct reader *r)
{
	const struct type **items =
		ARENA_ARRAY(r->a, const struct type *, PARTS_MAX);
	const struct type *rest = NULL;
	uint32_t n = 0;

	while (*r->at != ']') {
		const struct type *t = read_type(r);

		if (*r->at == '*') {
			rest = t;
			r->at++;
		} else {
			items[n++] = t;
		}
	}
	r->at++;
	return type_array(r->a, items, n, rest);
}

static const struct type *read_object(struct reader *r)
{
	const struct type **items =
		ARENA_ARRAY(r->a, const struct type *, PARTS_MAX);
	struct value *keys = ARENA_ARRAY(r->a, struct value, PARTS_MAX);
	uint32_t n = 0;

	for (;; r->at++) {
		size_t len = strcspn(r->at, "=:");
		const struct type *key;

		if (r->at[len] == ':') {
			key = read_type(r);
			r->at++; /* the colon */
			const struct type *rest = read_type(r);

			r->at++;
			return type_object_open(
				r->a, keys, items, n, key, rest);
		}
		keys[n] = v_str(r->a, (struct str){r->at, len});
		r->at += len + 1;
		items[n++] = read_type(r);
		if (*r->at == '}')
			break;
	}
	r->at++;
	return type_object(r->a, keys, items, n);
}

static const struct type *read_any(struct reader *r)
{
	const struct type **items =
		ARENA_ARRAY(r->a, const struct type *, PARTS_MAX);
	uint32_t n = 0;

	while (*r->at != '>')
		items[n++] = read_type(r);
	r->at++;
	return make(
		r->a, (struct type){.kind = TY_ANY, .items = items, .len = n});
}

static const struct type *read_type(struct reader *r)
{
	switch (*r->at++) {
	case '0':
		return &type_null;
	case 'b':
		return &type_boolean;
	case 'n':
		return &type_number;
	case 's':
		return &type_string;
	case 'a':
		return &type_any;
	case '%':
		return type_set(r->a, read_type(r));
	case '[':
		return read_array(r);
	case '{':
		return read_object(r);
	case '<':
		return read_any(r);
	default:
		die("no type in a declaration: %s", r->at - 1);
	}
}

static struct str read_field(struct reader *r)
{
	struct str s = {r->at, 0};

	if (*r->at != '|')
		return s;
	s.ptr = ++r->at;
	s.len = strcspn(s.ptr, "|\n");
	r->at += s.len;
	return s;
}

const struct type *type_declared(struct arena *a, const char *declaration)
{
	struct reader r = {a, declaration};
	const struct type **args =
		ARENA_ARRAY(a, const struct type *, PARTS_MAX);
	struct param *params = ARENA_ARRAY(a, struct param, PARTS_MAX);
	struct type *t = ARENA_NEW(a, struct type);
	uint32_t n = 0;

	while (*r.at) {
		char mark = *r.at;
		const struct type *x;

		r.at += mark == '=' || mark == '+';
		x = read_type(&r);
		params[n].name = read_field(&r);
		params[n].text = read_field(&r);
		r.at += *r.at == '\n';
		if (mark == '=')
			t->rest = x;
		else if (mark == '+')
			t->more = x;
		else
			args[n++] = x;
	}
	t->kind = TY_FUNCTION;
	t->items = args;
	t->len = n;
	t->params = params;
	t->size = 1;
	t->unknown = parts_unknown(t);
	return t;
}

/* --- text -------------------------------------------------------------------
 */

static void map_text(struct buf *out, const struct object *o)
{
	buf_adds(out, "map[");
	for (uint32_t i = 0; i < o->len; i++) {
		if (i)
			buf_addc(out, ' ');
		type_key_text(out, o->keys->items[i]);
		buf_addc(out, ':');
		type_key_text(out, o->vals[i]);
	}
	buf_addc(out, ']');
}

void type_key_text(struct buf *out, struct value key)
{
	switch (key.tag) {
	case V_STR:
		buf_addstr(out, v_bytes(key));
		break;
	case V_NULL:
		buf_adds(out, "<nil>");
		break;
	case V_ARR:
		buf_addc(out, '[');
		for (uint32_t i = 0; i < key.arr->len; i++) {
			if (i)
				buf_addc(out, ' ');
			type_key_text(out, key.arr->items[i]);
		}
		buf_addc(out, ']');
		break;
	case V_OBJ:
		map_text(out, key.obj);
		break;
	default:
		value_text(out, key);
		break;
	}
}

static void items_text(struct buf *out, const struct type *t)
{
	if (!t->len)
		return;
	buf_addc(out, '<');
	for (uint32_t i = 0; i < t->len; i++) {
		if (i)
			buf_adds(out, ", ");
		if (t->kind == TY_OBJECT) {
			type_key_text(out, t->keys[i]);
			buf_adds(out, ": ");
		}
		type_text(out, t->items[i]);
	}
	buf_addc(out, '>');
}

static void function_text(struct buf *out, const struct type *t)
{
	buf_addc(out, '(');
	for (uint32_t i = 0; i < t->len; i++) {
		if (i)
			buf_adds(out, ", ");
		type_text(out, t->items[i]);
	}
	if (t->more) {
		buf_adds(out, t->len ? ", " : "");
		type_text(out, t->more);
		buf_adds(out, "...");
	}
	buf_adds(out, ") => ");
	type_text(out, t->rest);
}

static const char *const kind_names[] = {
	[TY_NULL] = "null",
	[TY_BOOLEAN] = "boolean",
	[TY_NUMBER] = "number",
	[TY_STRING] = "string",
	[TY_ARRAY] = "array",
	[TY_OBJECT] = "object",
	[TY_SET] = "set",
	[TY_ANY] = "any",
	[TY_FUNCTION] = "function",
};

void type_text(struct buf *out, const struct type *t)
{
	if (!t) {
		buf_adds(out, "???");
		return;
	}
	if (t->kind == TY_FUNCTION) {
		function_text(out, t);
		return;
	}
	if (t->kind == TY_RECURSIVE) {
		buf_addf(out, "recursive(%.*s)", STR_ARG(t->params->name));
		return;
	}
	buf_adds(out, kind_names[t->kind]);
	items_text(out, t);
	if (!t->rest && !t->dynamic)
		return;
	buf_addc(out, '[');
	if (t->dynamic) {
		type_text(out, t->key);
		buf_adds(out, ": ");
	}
	type_text(out, t->rest);
	buf_addc(out, ']');
}

/* The type of argument `i`, or of the result when it comes after the last. */
static const struct type *param_type(const struct type *f, uint32_t i)
{
	return i < f->len ? f->items[i] : f->rest;
}

void type_param_text(struct buf *out, const struct type *function, uint32_t i)
{
	if (function->params && function->params[i].name.len) {
		buf_addstr(out, function->params[i].name);
		buf_adds(out, ": ");
	}
	type_text(out, param_type(function, i));
}

/* --- JSON -------------------------------------------------------------------
 */

static void list_json(
	struct buf *out, const struct type *const *items, uint32_t n)
{
	buf_addc(out, '[');
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_addc(out, ',');
		type_json(out, items[i]);
	}
	buf_addc(out, ']');
}

static void member_json(struct buf *out, const char *name, const struct type *t)
{
	buf_addf(out, "\"%s\":", name);
	type_json(out, t);
	buf_addc(out, ',');
}

static void members_json(struct buf *out, const struct type *t)
{
	buf_adds(out, "\"static\":[");
	for (uint32_t i = 0; i < t->len; i++) {
		buf_adds(out, i ? ",{\"key\":" : "{\"key\":");
		value_json(out, t->keys[i], 0, JSON_HTML);
		buf_adds(out, ",\"value\":");
		type_json(out, t->items[i]);
		buf_addc(out, '}');
	}
	buf_adds(out, "],");
}

static void name_json(struct buf *out, struct str s)
{
	struct arena a = {0};

	value_json(out, v_str(&a, s), 0, JSON_HTML);
	arena_release(&a);
}

static void text_member(struct buf *out, const char *name, struct str s)
{
	if (!s.len)
		return;
	buf_addf(out, "\"%s\":", name);
	name_json(out, s);
	buf_addc(out, ',');
}

static void function_json(struct buf *out, const struct type *t)
{
	if (t->len) {
		buf_adds(out, "\"args\":[");
		for (uint32_t i = 0; i < t->len; i++) {
			buf_adds(out, i ? "," : "");
			type_param_json(out, t, i);
		}
		buf_adds(out, "],");
	}
	if (t->rest) {
		buf_adds(out, "\"result\":");
		type_param_json(out, t, t->len);
		buf_addc(out, ',');
	}
}

static void dynamic_json(struct buf *out, const struct type *t)
{
	if (t->kind == TY_ARRAY && t->rest)
		member_json(out, "dynamic", t->rest);
	if (!t->dynamic)
		return;
	buf_adds(out, "\"dynamic\":{");
	member_json(out, "key", t->key);
	buf_adds(out, "\"value\":");
	type_json(out, t->rest);
	buf_adds(out, "},");
}

static void static_json(struct buf *out, const struct type *t)
{
	if (!t->len)
		return;
	if (t->kind == TY_OBJECT) {
		members_json(out, t);
	} else {
		buf_adds(out, t->kind == TY_ANY ? "\"of\":" : "\"static\":");
		list_json(out, t->items, t->len);
		buf_addc(out, ',');
	}
}

/* An object with its keys in order, as Go writes maps. */
static void named_json(
	struct buf *out, const struct type *t, const struct param *p)
{
	buf_addc(out, '{');
	if (p)
		text_member(out, "description", p->text);
	if (t->kind == TY_FUNCTION)
		function_json(out, t);
	else
		dynamic_json(out, t);
	if (p)
		text_member(out, "name", p->name);
	if (t->kind == TY_SET && t->rest)
		member_json(out, "of", t->rest);
	if (t->kind != TY_FUNCTION)
		static_json(out, t);
	buf_addf(out, "\"type\":\"%s\"", kind_names[t->kind]);
	if (t->kind == TY_FUNCTION && t->more) {
		buf_adds(out, ",\"variadic\":");
		type_json(out, t->more);
	}
	buf_addc(out, '}');
}

static void recursive_json(struct buf *out, const struct type *t)
{
	buf_adds(out, "{\"name\":");
	name_json(out, t->params->name);
	buf_addc(out, '}');
}

void type_json(struct buf *out, const struct type *t)
{
	if (t && t->kind == TY_RECURSIVE)
		recursive_json(out, t);
	else if (t)
		named_json(out, t, NULL);
	else
		buf_adds(out, "null");
}

void type_param_json(struct buf *out, const struct type *function, uint32_t i)
{
	const struct type *t = param_type(function, i);

	if (t)
		named_json(
			out, t, function->params ? &function->params[i] : NULL);
	else
		buf_adds(out, "null");
}
