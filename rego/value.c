#include "rego/value_impl.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

const struct value v_undef = {.tag = V_UNDEF};
const struct value v_null = {.tag = V_NULL};
const struct value v_true = {.tag = V_TRUE};
const struct value v_false = {.tag = V_FALSE};

/* What the hash functions give for collections without members. */
#define HASH_NONE(seed) ((uint32_t)((seed)*0xc4ceb9fe1a85ec53u >> 32))
#define HASH_STEP_0(seed)                                                      \
	((seed)*0x9fb21c651e98df25u ^ (seed)*0x9fb21c651e98df25u >> 32)
#define HASH_NO_ITEMS HASH_NONE(HASH_ARRAY)
#define HASH_NO_FIELDS HASH_NONE(HASH_STEP_0(HASH_OBJECT))
#define HASH_NO_MEMBERS HASH_NONE(HASH_STEP_0(HASH_SET))

static const struct keys no_keys;
static const struct array no_items = {.hash = HASH_NO_ITEMS};
static const struct object no_fields = {
	.hash = HASH_NO_FIELDS, .keys = &no_keys};
static const struct set no_members = {
	.hash = HASH_NO_MEMBERS, .keys = &no_keys};

const struct value v_empty_arr = {
	.tag = V_ARR, .hash = HASH_NO_ITEMS, .arr = &no_items};
const struct value v_empty_obj = {
	.tag = V_OBJ, .hash = HASH_NO_FIELDS, .obj = &no_fields};
const struct value v_empty_set = {
	.tag = V_SET, .hash = HASH_NO_MEMBERS, .set = &no_members};

/* --- strings ------------------------------------------------------- */

struct string *v_str_room(struct arena *a, size_t len)
{
	struct string *s;

	if (len >= UINT32_MAX)
		die("out of memory: string of %zu bytes", len);
	s = arena_raw(a, sizeof(*s) + len + 1);
	s->len = (uint32_t)len;
	s->sym = 0;
	return s;
}

struct value v_str_done(struct string *s)
{
	s->bytes[s->len] = '\0';
	s->hash = str_hash(s->bytes, s->len);
	s->runes = all_ascii(s->bytes, s->len)
			   ? s->len
			   : (uint32_t)utf8_count(s->bytes, s->len);
	return v_of_string(s);
}

struct value v_str(struct arena *a, struct str s)
{
	struct string *made = v_str_room(a, s.len);

	if (s.len)
		memcpy(made->bytes, s.ptr, s.len);
	return v_str_done(made);
}

struct value v_cstr(struct arena *a, const char *s)
{
	return v_str(a, str_from(s));
}

static void symtab_grow(struct symtab *t)
{
	size_t n = t->nslots ? t->nslots * 2 : 64;
	const struct string **slots = calloc(n, sizeof(*slots));

	if (!slots)
		die("out of memory: symbol table of %zu slots", n);
	for (size_t i = 0; i < t->nslots; i++) {
		const struct string *s = t->slots[i];

		if (!s)
			continue;
		size_t at = s->hash & (n - 1);

		while (slots[at])
			at = (at + 1) & (n - 1);
		slots[at] = s;
	}
	free(t->slots);
	t->slots = slots;
	t->nslots = n;
}

struct value sym_intern(struct symtab *t, const char *ptr, size_t len)
{
	uint32_t hash = str_hash(ptr, len);
	struct string *made;
	size_t at;

	if ((t->len + 1) * 2 > t->nslots)
		symtab_grow(t);
	at = hash & (t->nslots - 1);
	while (t->slots[at]) {
		const struct string *s = t->slots[at];

		if (s->hash == hash && s->len == len &&
			(!len || !memcmp(s->bytes, ptr, len)))
			return v_of_string(s);
		at = (at + 1) & (t->nslots - 1);
	}
	made = v_str_room(t->arena, len);
	if (len)
		memcpy(made->bytes, ptr, len);
	made->sym = (uint32_t)++t->len;
	t->slots[at] = made;
	return v_str_done(made);
}

void symtab_release(struct symtab *t)
{
	free(t->slots);
	t->slots = NULL;
	t->nslots = t->len = 0;
}

/* --- sorting ------------------------------------------------------- */

/*
 * What stands in for a key while sorting: `prefix` orders like the key as far
 * as it goes, equal prefixes ask value_cmp().
 */
struct entry {
	uint64_t prefix;
	size_t at;
};

static const uint8_t tag_rank[] = {
	[V_UNDEF] = 0,
	[V_NULL] = 1,
	[V_FALSE] = 2,
	[V_TRUE] = 3,
	[V_INT] = 4,
	[V_NUM] = 4,
	[V_STR] = 5,
	[V_ARR] = 6,
	[V_OBJ] = 7,
	[V_SET] = 8,
	[V_LAZY] = 9,
};

static uint64_t string_prefix(const struct string *s)
{
	uint64_t p = 0;

	for (uint32_t i = 0; i < 7; i++)
		p = p << 8 | (i < s->len ? (unsigned char)s->bytes[i] : 0u);
	return p;
}

static uint64_t key_prefix(struct value v, bool ints_only)
{
	uint64_t p = 0;

	if (v.tag == V_STR)
		p = string_prefix(v.str);
	else if (v.tag == V_INT && ints_only)
		p = ((uint64_t)v.i ^ (uint64_t)1 << 63) >> 8;
	return (uint64_t)tag_rank[v.tag] << 56 | p;
}

static bool entry_after(
	const struct value *keys, struct entry a, struct entry b)
{
	if (a.prefix != b.prefix)
		return a.prefix > b.prefix;
	return value_cmp(keys[a.at], keys[b.at]) > 0;
}

/* One pass of a merge sort: runs of `width` in `from` become double in `to`. */
static void merge_pass(const struct value *keys, const struct entry *from,
	struct entry *to, size_t n, size_t width)
{
	for (size_t lo = 0; lo < n; lo += 2 * width) {
		size_t mid = lo + width < n ? lo + width : n;
		size_t hi = mid + width < n ? mid + width : n;
		size_t i = lo, j = mid;

		for (size_t k = lo; k < hi; k++) {
			if (i < mid && (j == hi || !entry_after(keys, from[i],
							   from[j])))
				to[k] = from[i++];
			else
				to[k] = from[j++];
		}
	}
}

static void permute(struct value *v, const struct entry *order, size_t n,
	struct value *scratch)
{
	for (size_t i = 0; i < n; i++)
		scratch[i] = v[order[i].at];
	memcpy(v, scratch, n * sizeof(*v));
}

static void sort_many(struct value *keys, struct value *vals, size_t n)
{
	struct entry *order, *other, *block;
	bool ints_only = true;

	block = malloc(n * 2 * sizeof(*block));
	if (!block)
		die("out of memory: sorting %zu members", n);
	order = block;
	other = block + n;
	for (size_t i = 0; i < n; i++)
		ints_only = ints_only && keys[i].tag != V_NUM;
	for (size_t i = 0; i < n; i++)
		order[i] = (struct entry){key_prefix(keys[i], ints_only), i};
	for (size_t width = 1; width < n; width *= 2) {
		struct entry *swap = order;

		merge_pass(keys, order, other, n, width);
		order = other;
		other = swap;
	}
	_Static_assert(sizeof(struct entry) == sizeof(struct value),
		"the spare half of the block holds n values");
	permute(keys, order, n, (struct value *)(void *)other);
	if (vals)
		permute(vals, order, n, (struct value *)(void *)other);
	free(block);
}

static void sort_few(struct value *keys, struct value *vals, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct value k = keys[i], v = vals ? vals[i] : k;
		size_t j = i;

		for (; j > 0 && value_cmp(keys[j - 1], k) > 0; j--) {
			keys[j] = keys[j - 1];
			if (vals)
				vals[j] = vals[j - 1];
		}
		keys[j] = k;
		if (vals)
			vals[j] = v;
	}
}

/* How many members from the start are in strictly ascending order. */
static size_t sorted_run(const struct value *keys, size_t n)
{
	size_t i = 1;

	while (i < n && value_cmp(keys[i - 1], keys[i]) < 0)
		i++;
	return i < n ? i : n;
}

/*
 * Sort `keys` (and with them `vals`, which may be NULL) in place and drop
 * duplicates: of equal keys the first stays, with the last value. Returns how
 * many are left.
 */
static size_t sort_members(struct value *keys, struct value *vals, size_t n)
{
	size_t out = 0;

	if (sorted_run(keys, n) == n)
		return n;
	if (n <= 16)
		sort_few(keys, vals, n);
	else
		sort_many(keys, vals, n);
	for (size_t i = 1; i < n; i++) {
		if (!value_eq(keys[out], keys[i]))
			keys[++out] = keys[i];
		if (vals)
			vals[out] = vals[i];
	}
	return out + 1;
}

/* --- key lists ----------------------------------------------------- */

static void slots_fill(
	uint32_t *slots, uint32_t mask, const struct value *items, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = hash_value(items[i]) & mask;

		while (slots[at])
			at = (at + 1) & mask;
		slots[at] = i + 1;
	}
}

/* Slots for `n` keys: a power of two, at most two thirds full. */
static uint32_t slots_for(size_t n)
{
	uint32_t want = 4 * KEYS_LINEAR;

	while (want < n + n / 2)
		want *= 2;
	return want;
}

static uint32_t hash_keys(const struct value *items, size_t n)
{
	uint32_t h = 0;

	for (size_t i = 0; i < n; i++)
		h += hash_end(hash_step(HASH_SET, hash_value(items[i])));
	return h;
}

/* `slots` may be an index that fits already, or NULL to have one made. */
static const struct keys *keys_make(struct arena *a, const struct value *items,
	size_t n, const uint32_t *slots, uint32_t nslots)
{
	struct keys *ks = arena_raw(a, sizeof(*ks));

	if (n > UINT32_MAX / 4)
		die("out of memory: collection of %zu members", n);
	*ks = (struct keys){.hash = hash_keys(items, n),
		.len = (uint32_t)n,
		.items = items};
	if (n <= KEYS_LINEAR)
		return ks;
	if (!slots) {
		uint32_t *made;

		nslots = slots_for(n);
		made = ARENA_ARRAY(a, uint32_t, nslots);
		slots_fill(made, nslots - 1, items, ks->len);
		slots = made;
	}
	ks->slots = slots;
	ks->mask = nslots - 1;
	return ks;
}

static int64_t keys_find_linear(const struct keys *ks, struct value k)
{
	for (uint32_t i = 0; i < ks->len; i++) {
		if (value_eq(ks->items[i], k))
			return i;
	}
	return -1;
}

int64_t keys_find(const struct keys *ks, struct value k)
{
	uint32_t at;

	if (!ks->mask)
		return keys_find_linear(ks, k);
	at = hash_value(k) & ks->mask;
	for (; ks->slots[at]; at = (at + 1) & ks->mask) {
		if (value_eq(ks->items[ks->slots[at] - 1], k))
			return (int64_t)ks->slots[at] - 1;
	}
	return -1;
}

static bool is_string(struct value v, struct str s, uint32_t hash)
{
	return v.tag == V_STR && v.hash == hash && str_eq(v_bytes(v), s);
}

static int64_t keys_find_str(const struct keys *ks, struct str s)
{
	uint32_t hash = str_hash(s.ptr, s.len), at = hash & ks->mask;

	if (!ks->mask) {
		for (uint32_t i = 0; i < ks->len; i++) {
			if (is_string(ks->items[i], s, hash))
				return i;
		}
		return -1;
	}
	for (; ks->slots[at]; at = (at + 1) & ks->mask) {
		if (is_string(ks->items[ks->slots[at] - 1], s, hash))
			return (int64_t)ks->slots[at] - 1;
	}
	return -1;
}

/* --- collections --------------------------------------------------- */

struct value v_arr(struct arena *a, const struct value *items, size_t n)
{
	struct array *arr;

	if (!n)
		return v_empty_arr;
	if (n > UINT32_MAX)
		die("out of memory: array of %zu members", n);
	arr = arena_raw(a, sizeof(*arr));
	*arr = (struct array){.hash = hash_items(HASH_ARRAY, items, n),
		.len = (uint32_t)n,
		.items = items};
	return (struct value){.tag = V_ARR, .hash = arr->hash, .arr = arr};
}

static struct value set_over(struct arena *a, const struct keys *keys)
{
	struct set *s = arena_raw(a, sizeof(*s));

	*s = (struct set){.hash = hash_end(hash_step(HASH_SET, keys->hash)),
		.len = keys->len,
		.keys = keys};
	return (struct value){.tag = V_SET, .hash = s->hash, .set = s};
}

struct value v_set_sorted(struct arena *a, const struct value *items, size_t n)
{
	if (!n)
		return v_empty_set;
	return set_over(a, keys_make(a, items, n, NULL, 0));
}

struct value v_set(struct arena *a, struct value *items, size_t n)
{
	return v_set_sorted(a, items, n ? sort_members(items, NULL, n) : 0);
}

struct value v_obj_like(
	struct arena *a, const struct keys *keys, const struct value *vals)
{
	struct object *o;

	if (!keys->len)
		return v_empty_obj;
	o = arena_raw(a, sizeof(*o));
	*o = (struct object){.hash = hash_object(keys, vals),
		.len = keys->len,
		.keys = keys,
		.vals = vals};
	return (struct value){.tag = V_OBJ, .hash = o->hash, .obj = o};
}

struct value v_obj_sorted(struct arena *a, const struct value *keys,
	const struct value *vals, size_t n)
{
	if (!n)
		return v_empty_obj;
	return v_obj_like(a, keys_make(a, keys, n, NULL, 0), vals);
}

struct value v_obj(
	struct arena *a, struct value *keys, struct value *vals, size_t n)
{
	return v_obj_sorted(a, keys, vals, n ? sort_members(keys, vals, n) : 0);
}

struct value obj_get(const struct object *o, struct value key)
{
	int64_t at = keys_find(o->keys, key);

	return at < 0 ? v_undef : o->vals[at];
}

struct value obj_get_cstr(const struct object *o, const char *key)
{
	int64_t at = keys_find_str(o->keys, str_from(key));

	return at < 0 ? v_undef : o->vals[at];
}

bool set_has(const struct set *s, struct value v)
{
	return keys_find(s->keys, v) >= 0;
}

struct value v_get(struct value x, struct value k)
{
	int64_t at;

	switch (x.tag) {
	case V_ARR:
		if (!num_literal_int64(k, &at) || at < 0 || at >= x.arr->len)
			return v_undef;
		return x.arr->items[at];
	case V_OBJ:
		return obj_get(x.obj, k);
	case V_SET:
		at = keys_find(x.set->keys, k);
		return at < 0 ? v_undef : x.set->keys->items[at];
	default:
		return v_undef;
	}
}

/* --- builder ------------------------------------------------------- */

struct builder builder_set(struct arena *a)
{
	return (struct builder){.arena = a, .is_set = true, .sorted = true};
}

struct builder builder_obj(struct arena *a)
{
	return (struct builder){.arena = a, .sorted = true};
}

static struct value *values_grow(
	struct arena *a, const struct value *old, uint32_t len, uint32_t cap)
{
	struct value *made = arena_raw(a, (size_t)cap * sizeof(*made));

	if (len)
		memcpy(made, old, len * sizeof(*made));
	return made;
}

static void builder_grow(struct builder *b)
{
	uint32_t cap = b->cap ? b->cap * 2 : KEYS_LINEAR;

	if (cap > UINT32_MAX / 8)
		die("out of memory: collection of %u members", b->len);
	b->keys = values_grow(b->arena, b->keys, b->len, cap);
	if (!b->is_set)
		b->vals = values_grow(b->arena, b->vals, b->len, cap);
	b->cap = cap;
	if (cap == KEYS_LINEAR)
		return;
	b->nslots = slots_for(cap);
	b->slots = ARENA_ARRAY(b->arena, uint32_t, b->nslots);
	slots_fill(b->slots, b->nslots - 1, b->keys, b->len);
}

/* The place of `k`, or -1 and in *at the slot where it would go. */
static int64_t builder_probe(
	const struct builder *b, struct value k, uint32_t *at)
{
	uint32_t mask = b->nslots - 1;

	if (!b->nslots) {
		for (uint32_t i = 0; i < b->len; i++) {
			if (value_eq(b->keys[i], k))
				return i;
		}
		return -1;
	}
	*at = hash_value(k) & mask;
	for (; b->slots[*at]; *at = (*at + 1) & mask) {
		if (value_eq(b->keys[b->slots[*at] - 1], k))
			return (int64_t)b->slots[*at] - 1;
	}
	return -1;
}

int64_t builder_find(const struct builder *b, struct value k)
{
	uint32_t at = 0;

	return builder_probe(b, k, &at);
}

struct value builder_get(const struct builder *b, struct value k)
{
	int64_t at = builder_find(b, k);

	return at < 0 ? v_undef : b->vals[at];
}

/* The place of `k`, which is made when missing (*fresh). */
static uint32_t builder_at(struct builder *b, struct value k, bool *fresh)
{
	uint32_t at = 0;
	int64_t found = builder_probe(b, k, &at);

	*fresh = found < 0;
	if (found >= 0)
		return (uint32_t)found;
	if (b->len == b->cap) {
		builder_grow(b);
		builder_probe(b, k, &at);
	}
	if (b->nslots)
		b->slots[at] = b->len + 1;
	if (b->sorted && b->len)
		b->sorted = value_cmp(b->keys[b->len - 1], k) < 0;
	b->keys[b->len] = k;
	return b->len++;
}

bool builder_add(struct builder *b, struct value v)
{
	bool fresh;

	builder_at(b, v, &fresh);
	return fresh;
}

void builder_put(
	struct builder *b, struct value k, struct value v, struct value *old)
{
	bool fresh;
	uint32_t at = builder_at(b, k, &fresh);

	*old = fresh ? v_undef : b->vals[at];
	if (fresh)
		b->vals[at] = v;
}

void builder_set_key(struct builder *b, struct value k, struct value v)
{
	bool fresh;
	uint32_t at = builder_at(b, k, &fresh);

	b->vals[at] = v;
}

struct value builder_done(struct builder *b)
{
	const struct keys *keys;

	if (!b->len)
		return b->is_set ? v_empty_set : v_empty_obj;
	if (!b->sorted) {
		sort_members(b->keys, b->vals, b->len);
		if (b->nslots) { /* positions have changed, the size is right */
			memset(b->slots, 0, b->nslots * sizeof(*b->slots));
			slots_fill(b->slots, b->nslots - 1, b->keys, b->len);
		}
	}
	keys = keys_make(b->arena, b->keys, b->len, b->slots, b->nslots);
	return b->is_set ? set_over(b->arena, keys)
			 : v_obj_like(b->arena, keys, b->vals);
}

/* --- all values ---------------------------------------------------- */

static int cmp_items(
	const struct value *a, size_t na, const struct value *b, size_t nb)
{
	for (size_t i = 0; i < na && i < nb; i++) {
		int c = value_cmp(a[i], b[i]);

		if (c)
			return c;
	}
	return na < nb ? -1 : na > nb;
}

/* Key by key, each with its value: OPA's order of objects. */
static int cmp_objects(const struct object *a, const struct object *b)
{
	for (uint32_t i = 0; i < a->len && i < b->len; i++) {
		int c = value_cmp(a->keys->items[i], b->keys->items[i]);

		if (!c)
			c = value_cmp(a->vals[i], b->vals[i]);
		if (c)
			return c;
	}
	return a->len < b->len ? -1 : a->len > b->len;
}

int value_cmp(struct value a, struct value b)
{
	if (tag_rank[a.tag] != tag_rank[b.tag])
		return tag_rank[a.tag] < tag_rank[b.tag] ? -1 : 1;
	if (a.tag <= V_TRUE || (a.tag == b.tag && a.i == b.i))
		return 0;
	switch (a.tag) {
	case V_INT:
	case V_NUM:
		return num_cmp(a, b);
	case V_STR:
		return str_cmp(v_bytes(a), v_bytes(b));
	case V_ARR:
		return cmp_items(
			a.arr->items, a.arr->len, b.arr->items, b.arr->len);
	case V_OBJ:
		return cmp_objects(a.obj, b.obj);
	case V_SET:
		return cmp_items(a.set->keys->items, a.set->len,
			b.set->keys->items, b.set->len);
	default:
		return 0;
	}
}

static bool eq_items(const struct value *a, const struct value *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!value_eq(a[i], b[i]))
			return false;
	}
	return true;
}

static bool eq_keys(const struct keys *a, const struct keys *b)
{
	return a == b || (a->len == b->len && a->hash == b->hash &&
				 eq_items(a->items, b->items, a->len));
}

bool value_eq_slow(struct value a, struct value b)
{
	if (is_num(a) && is_num(b))
		return num_cmp(a, b) == 0;
	if (a.tag != b.tag || a.hash != b.hash)
		return false;
	switch (a.tag) {
	case V_STR:
		return str_eq(v_bytes(a), v_bytes(b));
	case V_ARR:
		return a.arr->len == b.arr->len &&
		       eq_items(a.arr->items, b.arr->items, a.arr->len);
	case V_OBJ:
		return eq_keys(a.obj->keys, b.obj->keys) &&
		       eq_items(a.obj->vals, b.obj->vals, a.obj->len);
	case V_SET:
		return eq_keys(a.set->keys, b.set->keys);
	default:
		return a.i == b.i;
	}
}

uint32_t value_hash(struct value v)
{
	return hash_value(v);
}

const char *value_type(struct value v)
{
	static const char *const names[] = {
		[V_UNDEF] = "undefined",
		[V_FALSE] = "boolean",
		[V_NULL] = "null",
		[V_TRUE] = "boolean",
		[V_INT] = "number",
		[V_NUM] = "number",
		[V_STR] = "string",
		[V_ARR] = "array",
		[V_OBJ] = "object",
		[V_SET] = "set",
		[V_LAZY] = "object",
	};

	return names[v.tag];
}

/* --- copying ------------------------------------------------------- */

/*
 * Records that share their key list shall share it in the copy too: the last
 * few lists are remembered.
 */
struct copier {
	struct arena *arena;
	struct copied {
		const struct keys *from, *to;
	} lists[64];
};

static struct value copy_value(struct copier *c, struct value v);

static const struct value *copy_items(
	struct copier *c, const struct value *items, size_t n)
{
	struct value *made = arena_raw(c->arena, n * sizeof(*made));

	for (size_t i = 0; i < n; i++)
		made[i] = copy_value(c, items[i]);
	return made;
}

static const struct keys *copy_keys(struct copier *c, const struct keys *from)
{
	uint32_t *slots = NULL, nslots = from->mask ? from->mask + 1 : 0;
	struct copied *seen = &c->lists[(uintptr_t)from / 16 % COUNT(c->lists)];
	const struct keys *to;

	if (seen->from == from)
		return seen->to;
	if (nslots) {
		slots = arena_raw(c->arena, nslots * sizeof(*slots));
		memcpy(slots, from->slots, nslots * sizeof(*slots));
	}
	to = keys_make(c->arena, copy_items(c, from->items, from->len),
		from->len, slots, nslots);
	*seen = (struct copied){from, to};
	return to;
}

static struct value copy_num(struct arena *a, const struct num *n)
{
	struct num *made = arena_raw(a, sizeof(*made) + n->len + 1);
	char *text = (char *)(made + 1);

	*made = *n;
	memcpy(text, n->text, n->len);
	text[n->len] = '\0';
	made->text = text;
	return (struct value){.tag = V_NUM, .hash = made->hash, .num = made};
}

static struct value copy_string(struct arena *a, const struct string *s)
{
	struct string *made = v_str_room(a, s->len);

	memcpy(made, s, sizeof(*s) + s->len + 1);
	made->sym = 0; /* no longer the one of its table */
	return v_of_string(made);
}

static struct value copy_value(struct copier *c, struct value v)
{
	if (v.tag > V_INT && v.tag <= V_SET && v.tag > V_STR && !v_len(v))
		return v.tag == V_ARR   ? v_empty_arr
		       : v.tag == V_OBJ ? v_empty_obj
					: v_empty_set;
	switch (v.tag) {
	case V_NUM:
		return copy_num(c->arena, v.num);
	case V_STR:
		return copy_string(c->arena, v.str);
	case V_ARR:
		return v_arr(c->arena, copy_items(c, v.arr->items, v.arr->len),
			v.arr->len);
	case V_OBJ: {
		const struct keys *keys = copy_keys(c, v.obj->keys);

		return v_obj_like(
			c->arena, keys, copy_items(c, v.obj->vals, v.obj->len));
	}
	case V_SET:
		return set_over(c->arena, copy_keys(c, v.set->keys));
	default:
		return v;
	}
}

struct value value_copy(struct arena *a, struct value v)
{
	struct copier c = {.arena = a};

	if (v.tag <= V_INT) /* most results: nothing to copy */
		return v;
	return copy_value(&c, v);
}
