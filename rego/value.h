/*
 * value: Rego values.
 *
 * A struct value is 16 bytes and is passed by value. Scalars stand in it;
 * strings, big or decimal numbers and collections are pointers into an arena.
 * A value is immutable once made and may be read by any number of threads.
 *
 * "Undefined" is a tag, not an error. V_LAZY stands only in registers of the
 * VM (doc.h): builtins, collections and results never hold one.
 *
 * Collections are always sorted by value_cmp() and without duplicates: arrays
 * keep their order, sets are sorted, objects are sorted by key. Objects that
 * have the same keys may share one struct keys.
 *
 * Source: Rego reference, "Composite Values"; OPA's ordering of types:
 * null < boolean < number < string < array < object < set.
 */
#ifndef REGO_VALUE_H
#define REGO_VALUE_H

#include "base/arena.h"
#include "base/buf.h"

enum tag {
	V_UNDEF = 0,
	V_FALSE = 1,
	V_NULL = 2, /* truthy, as everything from here on */
	V_TRUE = 3,
	V_INT, /* an integer that fits an int64, written canonically */
	V_NUM, /* any other number: literal kept (1.0, 1e3, 2^70) */
	V_STR,
	V_ARR,
	V_OBJ,
	V_SET,
	V_LAZY, /* a document not yet read; only in VM registers */
};

struct value {
	uint8_t tag;
	uint8_t flags;
	uint16_t spare;
	uint32_t hash; /* V_STR, V_NUM, collections: value_hash(); else 0 */
	union {
		int64_t i;
		const struct num *num;
		const struct string *str;
		const struct array *arr;
		const struct object *obj;
		const struct set *set;
		const struct lazy *lazy;
	};
};

_Static_assert(sizeof(struct value) == 16, "values are 16 bytes");

struct string {
	uint32_t hash;
	uint32_t len;   /* bytes */
	uint32_t runes; /* code points; equal to len when ASCII only */
	uint32_t sym;   /* not 0: interned in a symbol table */
	char bytes[];   /* UTF-8, NUL-terminated */
};

/* A number that is not a V_INT. `text` is a JSON number literal. */
struct num {
	uint32_t hash;
	uint32_t len;
	const char *text;
	int64_t i;      /* valid when is_int */
	bool is_int;    /* equal to the int64 `i` (1.0, 1e2) */
	bool is_whole;  /* an integer of any size */
	long double ld; /* nearest 64-bit-mantissa value; inf when too big */
};

struct array {
	uint32_t hash;
	uint32_t len;
	const struct value *items;
};

/* A sorted list of distinct values with an optional hash index over it. */
struct keys {
	uint32_t hash; /* of the whole list, order-independent */
	uint32_t len;
	uint32_t mask;         /* slots - 1; 0: no index, search linearly */
	const uint32_t *slots; /* position + 1; 0 is free */
	const struct value *items;
};

struct object {
	uint32_t hash;
	uint32_t len;
	const struct keys *keys;
	const struct value *vals; /* vals[i] belongs to keys->items[i] */
};

struct set {
	uint32_t hash;
	uint32_t len;
	const struct keys *keys;
};

extern const struct value v_undef, v_null, v_true, v_false;
extern const struct value v_empty_arr, v_empty_obj, v_empty_set;

/* Anything but undefined. */
static inline bool is_def(struct value v)
{
	return v.tag != V_UNDEF;
}

/* What an expression statement wants: defined and not false. */
static inline bool is_truthy(struct value v)
{
	return v.tag >= V_NULL;
}

/* A number, of either kind. */
static inline bool is_num(struct value v)
{
	return v.tag == V_INT || v.tag == V_NUM;
}

/* true or false. */
static inline bool is_bool(struct value v)
{
	return v.tag == V_FALSE || v.tag == V_TRUE;
}

/* A boolean, which needs no arena. */
static inline struct value v_bool(bool b)
{
	return (struct value){.tag = b ? V_TRUE : V_FALSE};
}

/* An integer, which needs no arena. */
static inline struct value v_int(int64_t i)
{
	return (struct value){.tag = V_INT, .i = i};
}

static inline struct str v_bytes(struct value v) /* of a V_STR */
{
	return (struct str){v.str->bytes, v.str->len};
}

static inline uint32_t v_len(struct value v) /* of a collection */
{
	return v.arr->len; /* the same place in array, object and set */
}

/* --- strings ------------------------------------------------------- */

struct value v_str(struct arena *a, struct str s); /* copies */
/* The same of a C string. */
struct value v_cstr(struct arena *a, const char *s);

/* Room for a string of `len` bytes to be filled in; then v_str_done(). */
struct string *v_str_room(struct arena *a, size_t len);
struct value v_str_done(struct string *s);

/*
 * A table of strings that exist once: equal strings of one table are the same
 * pointer. It allocates from `arena` and is not for threads. {.arena = a} is
 * an empty one.
 */
struct symtab {
	struct arena *arena;
	const struct string **slots;
	size_t nslots, len;
};

/*
 * The one string of this text in the table; it lives as long as the table's
 * arena.
 */
struct value sym_intern(struct symtab *t, const char *ptr, size_t len);
void symtab_release(struct symtab *t); /* the slots; strings stay */

/* --- numbers (num.c) ----------------------------------------------- */

/*
 * A number from a JSON literal ("-12", "1.50", "1e9"): V_INT when it is a
 * plain integer that fits, else V_NUM that keeps the literal. The text must
 * be a valid JSON number; V_UNDEF when it is not, or when its exponent is past
 * what OPA takes.
 */
struct value v_number(struct arena *a, const char *text, size_t len);
struct str num_text(struct value v, char tmp[24]); /* decimal literal */
int num_cmp(struct value a, struct value b);       /* exact */
bool num_is_whole(struct value v);                 /* 1.0 and 1e3 are */
bool num_to_int64(struct value v, int64_t *out);   /* whole and fits */
double num_to_double(struct value v);

/*
 * The narrower rule by which OPA takes a number as an array index or as an
 * integer operand: 3 and 3.0, but neither 3e0 nor a string.
 */
bool num_literal_int64(struct value v, int64_t *out);

enum num_op { NUM_ADD, NUM_SUB, NUM_MUL, NUM_DIV, NUM_REM };

/*
 * Arithmetic as OPA does it: exact on integers of any size, else in a 64-bit
 * mantissa. False on division by zero or a remainder of non-integers; *why
 * then names the reason ("divide by zero", "modulo by zero", "modulo on
 * floating-point number").
 */
bool num_arith(struct arena *a, enum num_op op, struct value x, struct value y,
	struct value *out, const char **why);

/* The shortest decimal that reads as `d`; undefined for infinities and NaN. */
struct value num_from_double(struct arena *a, double d);
struct value num_from_ld(struct arena *a, long double d); /* shortest text */

/* --- collections --------------------------------------------------- */

/*
 * An array over `items`, which live as long as the value and are not copied.
 */
struct value v_arr(struct arena *a, const struct value *items, size_t n);

/*
 * A set or object from members in any order; duplicates of a set fall
 * together. `items`, `keys` and `vals` are scratch: sorted in place and then
 * owned by the value. For v_obj() the later of two equal keys wins.
 */
struct value v_set(struct arena *a, struct value *items, size_t n);
struct value v_obj(
	struct arena *a, struct value *keys, struct value *vals, size_t n);

/* The same, from what is already sorted and distinct. */
struct value v_set_sorted(struct arena *a, const struct value *items, size_t n);
struct value v_obj_sorted(struct arena *a, const struct value *keys,
	const struct value *vals, size_t n);
/* An object with the keys of another one: keys are shared. */
struct value v_obj_like(
	struct arena *a, const struct keys *keys, const struct value *vals);

/* Position of `k` in a key list, or -1. */
int64_t keys_find(const struct keys *ks, struct value k);

/* Member of an object by key; V_UNDEF when missing. */
struct value obj_get(const struct object *o, struct value key);
struct value obj_get_cstr(const struct object *o, const char *key);
bool set_has(const struct set *s, struct value v);

/*
 * x[k] for any x: array by integer, object by key, set by member (gives the
 * member). V_UNDEF for everything else.
 */
struct value v_get(struct value x, struct value k);

/* A set or object under construction, hashed, in order of arrival. */
struct builder {
	struct arena *arena;
	struct value *keys, *vals; /* vals NULL for a set */
	uint32_t *slots;
	uint32_t len, cap, nslots;
	bool is_set, sorted; /* sorted: arrived in ascending order so far */
};

/* Empty ones, for builder_add() and for builder_put(), in `a`. */
struct builder builder_set(struct arena *a);
struct builder builder_obj(struct arena *a);

/* False if it was there already. */
bool builder_add(struct builder *b, struct value v);

/*
 * Adds key and value. If the key is there already nothing changes, and *old is
 * the value it has; else *old is V_UNDEF.
 */
void builder_put(
	struct builder *b, struct value k, struct value v, struct value *old);
/* The same, but the later value wins. */
void builder_set_key(struct builder *b, struct value k, struct value v);
int64_t builder_find(const struct builder *b, struct value k); /* or -1 */
/* What an object has at `k`; V_UNDEF when missing. */
struct value builder_get(const struct builder *b, struct value k);
struct value builder_done(struct builder *b); /* frozen; b is spent */

/* --- all values ---------------------------------------------------- */

int value_cmp(struct value a, struct value b); /* total order, see above */
/* value_eq() for what can't be told by tag and hash alone. */
bool value_eq_slow(struct value a, struct value b);
uint32_t value_hash(struct value v); /* equal values hash equal: 1 and 1.0 */

static inline bool value_eq(struct value a, struct value b)
{
	if (a.tag == b.tag) {
		if (a.tag <= V_TRUE)
			return true;
		if (a.i == b.i) /* same integer or same pointer */
			return true;
		if (a.tag == V_INT || (a.tag != V_NUM && a.hash != b.hash))
			return false;
	}
	return value_eq_slow(a, b);
}

/* Name of the type as type_name() gives it: "null", "boolean", ... */
const char *value_type(struct value v);

/* A deep copy into another arena. Nothing of the source is referenced. */
struct value value_copy(struct arena *a, struct value v);

/* --- text (text.c, json.c) ----------------------------------------- */

/* Rego text: [1, {"a": 2}, set()], strings quoted. */
void value_text(struct buf *out, struct value v);

/* value_text(), but a string at the top stands without its quotes. */
void value_text_bare(struct buf *out, struct value v);
/*
 * `s` on one line: runs of white space as one blank, three dots in the place of
 * what stands behind `max` code points.
 */
void text_line(struct buf *out, struct str s, uint32_t max);

/*
 * JSON: sets become arrays, keys that are not strings become their JSON text
 * (of two that become the same, the later one wins).
 * indent 0 is compact; else that many spaces a level, as Go's MarshalIndent.
 * JSON_HTML escapes < > & as \u003c as Go's json.Marshal does.
 */
enum json_flags { JSON_HTML = 1 };
void value_json(struct buf *out, struct value v, int indent, int flags);

struct json_error {
	size_t offset; /* bytes */
	uint32_t row, col;
	char text[256];
};

/*
 * Parse one JSON document. Numbers keep their literal, duplicate keys: the
 * last wins, as Go's encoding/json. `t` interns object keys and may be NULL.
 * Depth is limited to `depth`. Returns false with *e filled in.
 */
bool json_parse(struct arena *a, struct symtab *t, struct str text,
	uint32_t depth, struct value *out, struct json_error *e);

/*
 * Parse one YAML document (the first of the stream) as OPA reads data files:
 * YAML 1.2 booleans, merge keys, keys become strings, numbers through float64.
 */
bool yaml_parse(struct arena *a, struct symtab *t, struct str text,
	struct value *out, struct json_error *e);

#endif
