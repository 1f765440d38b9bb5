/*
 * builtin_calls: builtins called by name on values written as JSON.
 *
 * A set stands as {"$set": [...]} in an argument. What comes back is one text:
 * the result as Rego text, "undefined", or the code and the message of the
 * error.
 */
#ifndef TESTS_BUILTIN_CALLS_H
#define TESTS_BUILTIN_CALLS_H

#include "tests/test.h"

#include "rego/builtin.h"

#include <string.h>

struct builtin_case {
	const char *name;
	const char *args; /* a JSON array */
	const char *want;
};

/* The value with {"$set": [...]} made into sets, at any depth. */
static inline struct value with_sets(struct arena *a, struct value v)
{
	struct value *keys, *vals;
	struct value set;
	uint32_t n = v.tag == V_ARR || v.tag == V_OBJ ? v_len(v) : 0;

	if (!n)
		return v;
	vals = ARENA_ARRAY(a, struct value, n);
	for (uint32_t i = 0; i < n; i++)
		vals[i] = with_sets(
			a, v.tag == V_ARR ? v.arr->items[i] : v.obj->vals[i]);
	if (v.tag == V_ARR)
		return v_arr(a, vals, n);
	set = obj_get_cstr(v.obj, "$set");
	if (set.tag == V_ARR) {
		n = set.arr->len;
		keys = ARENA_ARRAY(a, struct value, n + 1u);
		for (uint32_t i = 0; i < n; i++)
			keys[i] = vals[0].arr->items[i];
		return v_set(a, keys, n);
	}
	keys = ARENA_ARRAY(a, struct value, n);
	memcpy(keys, v.obj->keys->items, n * sizeof(*keys));
	return v_obj(a, keys, vals, n);
}

/* A fresh context; what it needs is released with the arena. */
static inline struct bi_ctx call_context(struct arena *a)
{
	return (struct bi_ctx){
		.arena = a,
		.seed = 42,
		.steps = INT64_MAX,
	};
}

/* Ends what the families have kept in the context. */
static inline void call_release(struct bi_ctx *cx)
{
	for (size_t i = 0; i < COUNT(cx->caches); i++)
		if (cx->caches[i].free_fn)
			cx->caches[i].free_fn(cx->caches[i].state);
}

/* `out` gets the text of the result. */
static inline void builtin_text(
	struct bi_ctx *cx, const char *name, const char *args, struct buf *out)
{
	const struct builtin *b = builtin_find(str_from(name));
	struct json_error e;
	struct value list, got = v_undef;
	enum bi_status st;

	if (!b || !b->fn)
		fail_msg("no builtin %s", name);
	if (!json_parse(cx->arena, NULL, str_from(args), 100, &list, &e))
		fail_msg("%s: %s", args, e.text);
	list = with_sets(cx->arena, list);
	if (list.tag != V_ARR || (int)list.arr->len != b->arity)
		fail_msg("%s takes %d arguments: %s", name, b->arity, args);
	cx->name = b->name;
	st = b->fn(cx, list.arr->items, &got);
	if (st == BI_OK)
		value_text(out, got);
	else if (st == BI_UNDEF)
		buf_adds(out, "undefined");
	else
		buf_addf(out, "%s: %s", cx->code, cx->text);
}

/* All cases, so that one run shows all that differ. */
static inline void check_builtins(const struct builtin_case *cases, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		struct arena a = {0};
		struct bi_ctx cx = call_context(&a);
		struct buf got = {0};

		builtin_text(&cx, cases[i].name, cases[i].args, &got);
		if (!str_is(buf_str(&got), cases[i].want)) {
			print_error("%s%s is %s, want %s\n", cases[i].name,
				cases[i].args, got.ptr, cases[i].want);
			bad++;
		}
		buf_release(&got);
		call_release(&cx);
		arena_release(&a);
	}
	assert_num(bad, 0);
}

#endif
