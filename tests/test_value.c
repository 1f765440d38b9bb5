#include "tests/test.h"

#include "rego/value_impl.h"
#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;

static int empty_arena(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static struct value str(const char *s)
{
	return v_cstr(&arena, s);
}

static struct value json(const char *text)
{
	struct json_error e = {0};
	struct value v = v_undef;

	if (!json_parse(&arena, NULL, str_from(text), 100, &v, &e))
		fail_msg("%s: %s", text, e.text);
	return v;
}

static void assert_shows(struct value v, const char *want)
{
	struct buf b = {0};

	value_text(&b, v);
	if (!str_is(buf_str(&b), want))
		fail_msg("shows as %s, want %s", b.ptr, want);
	buf_release(&b);
}

/* --- strings ------------------------------------------------------- */

static void strings_know_their_code_points(void **state)
{
	(void)state;
	assert_num(str("").str->runes, 0);
	assert_num(str("abcdefghij").str->runes, 10);
	assert_num(str("caf\xc3\xa9").str->runes, 4);
	assert_num(str("caf\xc3\xa9").str->len, 5);
	assert_num(str("\xff\xfe").str->runes, 2);
	assert_num(str("abc").str->bytes[3], 0);
	assert_num(value_hash(str("abc")), str_hash("abc", 3));
}

static void a_symbol_exists_once(void **state)
{
	struct symtab t = {.arena = &arena};
	struct value a = sym_intern(&t, "alpha", 5);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char name[16];
		int n = snprintf(name, sizeof(name), "s%d", i);
		struct value v = sym_intern(&t, name, (size_t)n);

		assert_true(v.str->sym != 0);
		assert_ptr_equal(sym_intern(&t, name, (size_t)n).str, v.str);
	}
	assert_ptr_equal(sym_intern(&t, "alpha", 5).str, a.str);
	assert_true(value_eq(a, str("alpha")));
	assert_num(str("alpha").str->sym, 0);
	assert_num(t.len, 1001);
	symtab_release(&t);
	assert_str(v_bytes(a), "alpha");
}

/* --- order --------------------------------------------------------- */

static void types_are_ordered_as_in_opa(void **state)
{
	struct value items[] = {v_null, v_false, v_true, v_int(-5), v_int(3),
		str(""), str("a"), str("a\x01"), str("b"), str("\xc3\xa9"),
		json("[]"), json("[1]"), json("[1,2]"), json("[2]"), json("{}"),
		json("{\"a\":1}"), json("{\"a\":1,\"b\":0}"), json("{\"a\":2}"),
		json("{\"b\":0}"), v_empty_set,
		v_set(&arena, (struct value[]){v_int(1)}, 1)};

	(void)state;
	for (size_t i = 0; i < COUNT(items); i++) {
		for (size_t j = 0; j < COUNT(items); j++) {
			int c = value_cmp(items[i], items[j]);

			assert_num((c > 0) - (c < 0), i < j ? -1 : i > j);
			assert_num(value_eq(items[i], items[j]), i == j);
		}
	}
}

static void equal_values_are_equal_in_every_form(void **state)
{
	struct value a = json("{\"x\":[1,{\"y\":2.0}],\"z\":null}");
	struct value b = json("{\"z\":null,\"x\":[1.0,{\"y\":2}]}");

	(void)state;
	assert_true(value_eq(a, b));
	assert_num(value_cmp(a, b), 0);
	assert_num(value_hash(a), value_hash(b));
	assert_false(value_eq(v_empty_arr, v_empty_obj));
	assert_false(value_eq(v_true, v_int(1)));
	assert_false(value_eq(str("1"), v_int(1)));
}

static void empty_collections_hash_as_if_made(void **state)
{
	static const struct keys none;

	(void)state;
	assert_num(value_hash(v_empty_arr), hash_items(HASH_ARRAY, NULL, 0));
	assert_num(value_hash(v_empty_obj), hash_object(&none, NULL));
	assert_num(value_hash(v_empty_set), hash_end(hash_step(HASH_SET, 0)));
	assert_true(value_eq(v_arr(&arena, NULL, 0), v_empty_arr));
}

static void every_type_has_its_name(void **state)
{
	(void)state;
	assert_string_equal(value_type(v_null), "null");
	assert_string_equal(value_type(v_false), "boolean");
	assert_string_equal(value_type(v_int(1)), "number");
	assert_string_equal(value_type(json("1.5")), "number");
	assert_string_equal(value_type(str("")), "string");
	assert_string_equal(value_type(v_empty_arr), "array");
	assert_string_equal(value_type(v_empty_obj), "object");
	assert_string_equal(value_type(v_empty_set), "set");
}

/* --- collections --------------------------------------------------- */

static void sets_are_sorted_and_keep_the_first_of_equals(void **state)
{
	struct value items[] = {v_int(3), json("1.0"), v_int(1), str("a"),
		v_null, v_int(3), str("a")};
	struct value s = v_set(&arena, items, COUNT(items));

	(void)state;
	assert_shows(s, "{null, 1.0, 3, \"a\"}");
	assert_true(set_has(s.set, v_int(1)));
	assert_false(set_has(s.set, v_int(2)));
}

static void of_equal_keys_the_first_stays_with_the_last_value(void **state)
{
	struct value keys[] = {str("b"), json("1.0"), v_int(1), str("b")};
	struct value vals[] = {v_int(1), v_int(2), v_int(3), v_int(4)};

	(void)state;
	assert_shows(v_obj(&arena, keys, vals, 4), "{1.0: 3, \"b\": 4}");
}

/* Numbers that repeat, and come in no order. */
static unsigned shuffled(unsigned i, unsigned n)
{
	return i * 7919u % n;
}

static void large_collections_sort_and_find(void **state)
{
	enum { N = 5000, DISTINCT = 1009 };
	struct value *items = ARENA_ARRAY(&arena, struct value, N);
	struct value *vals = ARENA_ARRAY(&arena, struct value, N);
	struct value o;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		unsigned k = shuffled(i, DISTINCT);
		char text[16];
		int n = snprintf(text, sizeof(text), k % 3 ? "key%u" : "%u", k);

		items[i] = k % 3 == 1 ? str(text)
			   : k % 3    ? v_int((int64_t)k)
				      : v_number(&arena, text, (size_t)n);
		vals[i] = v_int(i);
	}
	o = v_obj(&arena, items, vals, N);
	assert_num(v_len(o), DISTINCT);
	for (uint32_t i = 0; i < o.obj->len; i++) {
		struct value k = o.obj->keys->items[i];

		assert_num(keys_find(o.obj->keys, k), i);
		if (i)
			assert_true(
				value_cmp(o.obj->keys->items[i - 1], k) < 0);
	}
	assert_num(obj_get(o.obj, str("key1")).i % DISTINCT,
		obj_get_cstr(o.obj, "key1").i % DISTINCT);
	assert_false(is_def(obj_get_cstr(o.obj, "key2")));
	assert_false(is_def(obj_get(o.obj, v_null)));
}

static void mixed_numbers_sort_by_value(void **state)
{
	enum { N = 40 };
	struct value *items = ARENA_ARRAY(&arena, struct value, N);
	struct value s;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		char text[16];
		int n = snprintf(text, sizeof(text), i % 2 ? "%u.5" : "%u",
			shuffled(i, N));

		items[i] = v_number(&arena, text, (size_t)n);
	}
	s = v_set(&arena, items, N);
	assert_num(v_len(s), N);
	for (uint32_t i = 1; i < N; i++)
		assert_true(num_cmp(s.set->keys->items[i - 1],
				    s.set->keys->items[i]) < 0);
}

static void members_are_reached_by_their_key(void **state)
{
	struct value arr = json("[10,20,30]"), obj = json("{\"a\":1,\"1\":2}");
	struct value set = v_set(&arena, (struct value[]){json("1.0")}, 1);

	(void)state;
	assert_num(v_get(arr, v_int(2)).i, 30);
	assert_num(v_get(arr, json("1.0")).i, 20);
	assert_false(is_def(v_get(arr, json("1e0"))));
	assert_false(is_def(v_get(arr, v_int(3))));
	assert_false(is_def(v_get(arr, v_int(-1))));
	assert_false(is_def(v_get(arr, str("0"))));
	assert_num(v_get(obj, str("a")).i, 1);
	assert_false(is_def(v_get(obj, v_int(1))));
	assert_shows(v_get(set, v_int(1)), "1.0");
	assert_false(is_def(v_get(set, v_int(2))));
	assert_false(is_def(v_get(str("abc"), v_int(0))));
	assert_false(is_def(v_get(v_undef, v_int(0))));
}

static void objects_may_share_their_keys(void **state)
{
	struct value a = json("{\"x\":1,\"y\":2}");
	struct value vals[] = {v_int(5), v_int(6)};
	struct value b = v_obj_like(&arena, a.obj->keys, vals);

	(void)state;
	assert_shows(b, "{\"x\": 5, \"y\": 6}");
	assert_true(value_eq(b, json("{\"y\":6,\"x\":5}")));
	assert_num(value_hash(b), value_hash(json("{\"y\":6,\"x\":5}")));
}

/* --- builder ------------------------------------------------------- */

static void a_builder_makes_what_v_set_makes(void **state)
{
	enum { N = 3000 };

	(void)state;
	for (int down = 0; down < 2; down++) {
		struct builder b = builder_set(&arena);
		struct value *all = ARENA_ARRAY(&arena, struct value, N);
		struct value built;

		for (int i = 0; i < N; i++) {
			all[i] = v_int(down ? N - i : i);
			assert_true(builder_add(&b, all[i]));
			assert_false(builder_add(&b, all[i]));
			assert_num(builder_find(&b, all[i]), i);
		}
		built = builder_done(&b);
		assert_true(value_eq(built, v_set(&arena, all, N)));
		for (int i = 0; i < N; i++)
			assert_true(set_has(built.set, v_int(i + down)));
		assert_false(set_has(built.set, v_int(N + 1)));
	}
}

static void a_builder_tells_what_was_there(void **state)
{
	struct builder b = builder_obj(&arena);
	struct value old;

	(void)state;
	builder_put(&b, str("k"), v_int(1), &old);
	assert_false(is_def(old));
	builder_put(&b, str("k"), v_int(2), &old);
	assert_num(old.i, 1);
	builder_set_key(&b, str("j"), v_int(3));
	builder_set_key(&b, str("j"), v_int(4));
	assert_num(builder_find(&b, str("x")), -1);
	assert_shows(builder_done(&b), "{\"j\": 4, \"k\": 1}");
}

static void an_unused_builder_makes_an_empty_collection(void **state)
{
	struct builder set = builder_set(&arena), obj = builder_obj(&arena);

	(void)state;
	assert_shows(builder_done(&set), "set()");
	assert_shows(builder_done(&obj), "{}");
}

/* --- copies -------------------------------------------------------- */

static void a_copy_outlives_its_source(void **state)
{
	static const char text[] =
		"{\"a\":[1.50,\"s\",[],{}],\"many\":{\"1\":1,\"2\":1,\"3\":1,"
		"\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":1},"
		"\"l\":[{\"x\":1,\"y\":2},{\"x\":3,\"y\":4}]}";
	struct arena source = {0};
	struct json_error e;
	struct value v, copy, list;

	(void)state;
	assert_true(json_parse(&source, NULL, str_from(text), 100, &v, &e));
	copy = value_copy(&arena, v);
	assert_true(value_eq(v, copy));
	arena_release(&source);
	assert_true(value_eq(copy, json(text)));
	assert_num(obj_get_cstr(obj_get_cstr(copy.obj, "many").obj, "9").i, 1);
	list = obj_get_cstr(copy.obj, "l");
	assert_ptr_equal(
		list.arr->items[0].obj->keys, list.arr->items[1].obj->keys);
}

static void sets_and_scalars_are_copied_too(void **state)
{
	struct value items[] = {v_int(2), str("x"), v_empty_set};
	struct value s = v_set(&arena, items, 3);

	(void)state;
	assert_true(value_eq(value_copy(&arena, s), s));
	assert_true(value_eq(value_copy(&arena, v_int(5)), v_int(5)));
	assert_true(value_eq(value_copy(&arena, str("q")), str("q")));
	assert_ptr_equal(value_copy(&arena, v_empty_obj).obj, v_empty_obj.obj);
}

/* --- text ---------------------------------------------------------- */

static void values_show_as_rego(void **state)
{
	struct value keys[] = {v_null, json("[1]"), v_int(2)};
	struct value vals[] = {v_true, v_false, json("\"x\"")};

	(void)state;
	assert_shows(v_obj(&arena, keys, vals, 3),
		"{null: true, 2: \"x\", [1]: false}");
	assert_shows(json("[1, 1.50, -0, {\"a\": {}}, []]"),
		"[1, 1.50, -0, {\"a\": {}}, []]");
	assert_shows(
		v_set(&arena, (struct value[]){v_empty_set}, 1), "{set()}");
}

static void strings_are_quoted_as_go_quotes_them(void **state)
{
	(void)state;
	assert_shows(str("a\"b\\c"), "\"a\\\"b\\\\c\"");
	assert_shows(str("\a\b\f\n\r\t\v\x01\x7f"),
		"\"\\a\\b\\f\\n\\r\\t\\v\\x01\\x7f\"");
	assert_shows(str("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
		"\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
	assert_shows(str("\xc2\xa0\xc2\xad\xe2\x80\xa8\xef\xbb\xbf"),
		"\"\\u00a0\\u00ad\\u2028\\ufeff\"");
	assert_shows(str("\xf3\xa0\x80\x81\xf4\x8f\xbf\xbf"),
		"\"\\U000e0001\\U0010ffff\"");
	assert_shows(str("\xff\xc3"), "\"\\xff\\xc3\"");
	assert_shows(str("\xef\xbf\xbd"), "\"\xef\xbf\xbd\"");
}

static void a_bare_string_has_no_quotes(void **state)
{
	struct buf b = {0};

	(void)state;
	value_text_bare(&b, str("a\nb"));
	assert_str(buf_str(&b), "a\nb");
	buf_reset(&b);
	value_text_bare(&b, json("[\"a\"]"));
	assert_str(buf_str(&b), "[\"a\"]");
	buf_release(&b);
}

/* --- depth --------------------------------------------------------- */

static void deep_values_do_not_overflow_the_stack(void **state)
{
	struct value a = v_int(1), b = v_int(2);
	struct arena copies = {0};
	struct buf text = {0};

	(void)state;
	for (unsigned i = 0; i < LIMIT_DATA_DEPTH; i++) {
		struct value *pair = ARENA_ARRAY(&arena, struct value, 2);

		pair[0] = a;
		pair[1] = b;
		a = i % 2 ? v_arr(&arena, pair, 1)
			  : v_set_sorted(&arena, pair, 1);
		b = i % 2 ? v_arr(&arena, pair + 1, 1)
			  : v_set_sorted(&arena, pair + 1, 1);
	}
	assert_true(value_cmp(a, b) < 0);
	assert_false(value_eq(a, b));
	assert_true(value_eq(value_copy(&copies, a), a));
	value_text(&text, a);
	value_json(&text, a, 2, 0);
	assert_true(text.len > 2 * LIMIT_DATA_DEPTH);
	buf_release(&text);
	arena_release(&copies);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, empty_arena)
	const struct CMUnitTest tests[] = {
		T(strings_know_their_code_points),
		T(a_symbol_exists_once),
		T(types_are_ordered_as_in_opa),
		T(equal_values_are_equal_in_every_form),
		T(empty_collections_hash_as_if_made),
		T(every_type_has_its_name),
		T(sets_are_sorted_and_keep_the_first_of_equals),
		T(of_equal_keys_the_first_stays_with_the_last_value),
		T(large_collections_sort_and_find),
		T(mixed_numbers_sort_by_value),
		T(members_are_reached_by_their_key),
		T(objects_may_share_their_keys),
		T(a_builder_makes_what_v_set_makes),
		T(a_builder_tells_what_was_there),
		T(an_unused_builder_makes_an_empty_collection),
		T(a_copy_outlives_its_source),
		T(sets_and_scalars_are_copied_too),
		T(values_show_as_rego),
		T(strings_are_quoted_as_go_quotes_them),
		T(a_bare_string_has_no_quotes),
		T(deep_values_do_not_overflow_the_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
