#include "tests/test.h"

#include "rego/value.h"
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

static struct value parse(struct str text)
{
	struct json_error e = {0};
	struct value v = v_undef;

	if (!json_parse(&arena, NULL, text, LIMIT_DATA_DEPTH, &v, &e))
		fail_msg("%.*s: %s", STR_ARG(text), e.text);
	return v;
}

static void assert_writes(
	struct value v, int indent, int flags, const char *want)
{
	struct buf b = {0};

	value_json(&b, v, indent, flags);
	if (!str_is(buf_str(&b), want))
		fail_msg("writes %s, want %s", b.ptr, want);
	buf_release(&b);
}

struct row {
	struct str text;
	const char *want;
};

/* --- reading ------------------------------------------------------- */

static void values_are_read_and_written_again(void **state)
{
	static const struct row rows[] = {
		{STR("null"), "null"},
		{STR(" \t\r\n true "), "true"},
		{STR("[1,2 , 3]"), "[1,2,3]"},
		{STR("{\"b\":1,\"a\":{\"c\":[]}}"),
			"{\"a\":{\"c\":[]},\"b\":1}"},
		{STR("[1.50,1e3,-0,0.0,1E+2]"), "[1.50,1e3,-0,0.0,1E+2]"},
		{STR("123456789012345678"), "123456789012345678"},
		{STR("9223372036854775807"), "9223372036854775807"},
		{STR("9223372036854775808"), "9223372036854775808"},
		{STR("-9223372036854775808"), "-9223372036854775808"},
		{STR("123456789012345678901234567890123456789012345678901234567"
		     "8901234567890"),
			"123456789012345678901234567890123456789012345678901234"
			"5"
			"678901234567890"},
		{STR("\"\""), "\"\""},
		{STR("[[],{},[{}]]"), "[[],{},[{}]]"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_writes(parse(rows[i].text), 0, 0, rows[i].want);
}

static void the_last_of_equal_keys_wins(void **state)
{
	(void)state;
	assert_writes(parse(S("{\"a\":1,\"b\":2,\"a\":3}")), 0, 0,
		"{\"a\":3,\"b\":2}");
	assert_writes(parse(S("[{\"a\":1,\"a\":2},{\"a\":3,\"a\":4}]")), 0, 0,
		"[{\"a\":2},{\"a\":4}]");
	assert_writes(parse(S("{\"a\":1,\"\\u0061\":2}")), 0, 0, "{\"a\":2}");
}

static void strings_are_decoded_as_go_decodes_them(void **state)
{
	static const struct row rows[] = {
		{STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "\"\\/\b\f\n\r\t"},
		{STR("\"\\u0041\\u00e9\\u20AC\""), "A\xc3\xa9\xe2\x82\xac"},
		{STR("\"\\ud83d\\ude00\""), "\xf0\x9f\x98\x80"},
		{STR("\"\\ud83d\""), "\xef\xbf\xbd"},
		{STR("\"\\ud83dx\""), "\xef\xbf\xbdx"},
		{STR("\"\\ude00\\ud83d\""), "\xef\xbf\xbd\xef\xbf\xbd"},
		{STR("\"\\ud83d\\u0041\""), "\xef\xbf\xbd"
					    "A"},
		{STR("\"\\ud83d\\ud83d\\ude00\""),
			"\xef\xbf\xbd\xf0\x9f\x98\x80"},
		{STR("\"a\xff"
		     "b\""),
			"a\xef\xbf\xbd"
			"b"},
		{STR("\"\xed\xa0\x80\""),
			"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{STR("\"\xc3\xa9\x7f\""), "\xc3\xa9\x7f"},
		{STR("\"0123456789abcdef\\n0123456789\""),
			"0123456789abcdef\n0123456789"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct value v = parse(rows[i].text);

		assert_str(v_bytes(v), rows[i].want);
		assert_num(v.str->runes, utf8_count(v.str->bytes, v.str->len));
		assert_true(value_eq(v, v_cstr(&arena, rows[i].want)));
	}
	assert_num(parse(S("\"\\u0000\"")).str->len, 1);
}

/* Texts recorded from OPA 1.22.2. */
static void what_is_wrong_is_said_as_go_says_it(void **state)
{
	static const struct row rows[] = {
		{STR(""), "EOF"},
		{STR(" \n"), "EOF"},
		{STR("{"), "unexpected EOF"},
		{STR("[1,"), "unexpected EOF"},
		{STR("\"abc"), "unexpected EOF"},
		{STR("\"\\u12"), "unexpected EOF"},
		{STR("tru"), "unexpected EOF"},
		{STR("-"), "unexpected EOF"},
		{STR("x"), "invalid character 'x' looking for beginning of "
			   "value"},
		{STR("[1,]"), "invalid character ']' looking for beginning of "
			      "value"},
		{STR("{,}"), "invalid character ',' looking for beginning of "
			     "object key string"},
		{STR("{\"a\":1,}"), "invalid character '}' looking for "
				    "beginning of object key string"},
		{STR("{\"a\" 1}"), "invalid character '1' after object key"},
		{STR("{\"a\":1 \"b\"}"), "invalid character '\"' after object "
					 "key:value pair"},
		{STR("[1 2]"), "invalid character '2' after array element"},
		{STR("[1}"), "invalid character '}' after array element"},
		{STR("\"\\x\""), "invalid character 'x' in string escape code"},
		{STR("\"\\u12g4\""), "invalid character 'g' in \\u hexadecimal "
				     "character escape"},
		{STR("\"a\nb\""), "invalid character '\\n' in string literal"},
		{STR("\"\x01\""), "invalid character '\\x01' in string "
				  "literal"},
		{STR("-x"), "invalid character 'x' in numeric literal"},
		{STR("1.x"), "invalid character 'x' after decimal point in "
			     "numeric literal"},
		{STR("1ex"), "invalid character 'x' in exponent of numeric "
			     "literal"},
		{STR("nulL"), "invalid character 'L' in literal null "
			      "(expecting 'l')"},
		{STR("tRue"), "invalid character 'R' in literal true "
			      "(expecting 'r')"},
		{STR("'"), "invalid character '\\'' looking for beginning of "
			   "value"},
		{STR("\xff"), "invalid character '\xc3\xbf' looking for "
			      "beginning of value"},
		{STR("\xef\xbb\xbf{}"), "invalid character '\xc3\xaf' looking "
					"for beginning of value"},
		{STR("{} }"), "invalid character '}' looking for beginning of "
			      "value"},
		{STR("01"), "error: invalid character '1' after top-level "
			    "value"},
		{STR("1 \"a\""), "error: invalid character 'a' after top-level "
				 "value"},
		{STR("1 [2]"), "error: invalid character '[' after top-level "
			       "value"},
		{STR("1 true"), "error: invalid character '%!s(bool=true)' "
				"after top-level value"},
		{STR("1e40000"), "invalid number: number too big"},
		{STR("[1e40000,x]"), "invalid character 'x' looking for "
				     "beginning of value"},
		{STR("1e99999999999999999999"), "invalid number: invalid "
						"float"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct json_error e = {0};
		struct value v = v_int(7);

		if (json_parse(&arena, NULL, rows[i].text, 100, &v, &e))
			fail_msg("%.*s is taken", STR_ARG(rows[i].text));
		assert_string_equal(e.text, rows[i].want);
		assert_num(v.i, 7); /* untouched */
	}
}

/* A nil token is the end to OPA, whatever comes behind it. */
static void null_may_follow_the_value(void **state)
{
	(void)state;
	assert_num(parse(S("1 null")).i, 1);
	assert_num(parse(S("1 null xyz")).i, 1);
}

static void errors_have_a_place(void **state)
{
	struct json_error e;
	struct value v;

	(void)state;
	assert_false(json_parse(
		&arena, NULL, S("{\n \"\xc3\xa9\": x}"), 100, &v, &e));
	assert_num(e.row, 2);
	assert_num(e.col, 7);
	assert_num(e.offset, 9);
	assert_false(json_parse(&arena, NULL, S("[1,"), 100, &v, NULL));
}

static void depth_is_limited(void **state)
{
	struct json_error e;
	struct value v;

	(void)state;
	assert_true(json_parse(&arena, NULL, S("[[{\"a\":1}]]"), 3, &v, &e));
	assert_false(json_parse(&arena, NULL, S("[[{\"a\":[]}]]"), 3, &v, &e));
	assert_string_equal(e.text, "exceeded max depth");
	assert_true(json_parse(&arena, NULL, S("1"), 0, &v, &e));
}

static void a_document_may_be_as_deep_as_the_limit(void **state)
{
	struct json_error e = {0};
	struct buf text = {0};
	struct value v;

	(void)state;
	for (unsigned i = 0; i < LIMIT_DATA_DEPTH + 1; i++)
		buf_addc(&text, '[');
	for (unsigned i = 0; i < LIMIT_DATA_DEPTH + 1; i++)
		buf_addc(&text, ']');
	assert_true(json_parse(&arena, NULL,
		str_slice(buf_str(&text), 1, text.len - 1), LIMIT_DATA_DEPTH,
		&v, &e));
	assert_false(json_parse(
		&arena, NULL, buf_str(&text), LIMIT_DATA_DEPTH, &v, &e));
	assert_string_equal(e.text, "exceeded max depth");
	buf_release(&text);
}

static void the_deepest_document_can_be_used(void **state)
{
	struct buf text = {0}, out = {0};
	struct arena copies = {0};
	struct value v;

	(void)state;
	for (unsigned i = 0; i < LIMIT_DATA_DEPTH; i++)
		buf_adds(&text, i % 2 ? "{\"a\":" : "[");
	buf_adds(&text, "1");
	for (unsigned i = LIMIT_DATA_DEPTH; i-- > 0;)
		buf_adds(&text, i % 2 ? "}" : "]");
	v = parse(buf_str(&text));
	value_json(&out, v, 0, 0);
	assert_true(str_eq(buf_str(&out), buf_str(&text)));
	assert_true(value_eq(value_copy(&copies, v), v));
	value_json(&out, v, 1, 0);
	value_text(&out, v);
	buf_release(&text);
	buf_release(&out);
	arena_release(&copies);
}

/* --- shapes and symbols -------------------------------------------- */

static void records_of_one_shape_share_their_keys(void **state)
{
	struct value v = parse(S("[{\"b\":1,\"a\":2},{\"b\":3,\"a\":4},"
				 "{\"a\":5,\"b\":6},{\"b\":7},"
				 "{\"b\":8,\"a\":9}]"));
	const struct value *o = v.arr->items;

	(void)state;
	assert_ptr_equal(o[0].obj->keys, o[1].obj->keys);
	assert_ptr_equal(o[0].obj->keys, o[4].obj->keys);
	assert_num(obj_get_cstr(o[1].obj, "a").i, 4);
	assert_num(obj_get_cstr(o[2].obj, "a").i, 5);
	assert_num(obj_get_cstr(o[3].obj, "b").i, 7);
	assert_num(obj_get_cstr(o[4].obj, "b").i, 8);
	assert_true(value_eq(o[2], parse(S("{\"b\":6,\"a\":5}"))));
}

/*
 * Many shapes, more than are kept, nested in each other: what is guessed must
 * never show.
 */
static void guesses_are_never_wrong(void **state)
{
	struct buf text = {0}, out = {0};
	struct value v;

	(void)state;
	buf_addc(&text, '[');
	for (unsigned i = 0; i < 2000; i++) {
		unsigned nkeys = i * 7 % 11, skip = 3 + i * 13 % 97;

		buf_adds(&text, i ? ",{" : "{");
		for (unsigned k = 0; k < nkeys; k++) {
			buf_addf(&text, "%s\"k%03u\":", k ? "," : "",
				k + (k > nkeys / 2 ? skip : i % 3));
			if (k == 1)
				buf_addf(&text,
					"{\"k%03u\":%u,\"k%03u\":{\"k\":%u}}",
					i % 70, i, i % 70 + 1, k);
			else
				buf_addf(&text, "%u", i * 100 + k);
		}
		buf_addc(&text, '}');
	}
	buf_addc(&text, ']');
	v = parse(buf_str(&text));
	value_json(&out, v, 0, 0);
	assert_true(str_eq(buf_str(&out), buf_str(&text)));
	buf_release(&text);
	buf_release(&out);
}

static void long_objects_are_sorted_and_indexed(void **state)
{
	struct buf text = {0};
	struct value v;

	(void)state;
	buf_addc(&text, '{');
	for (unsigned i = 0; i < 3000; i++)
		buf_addf(&text, "%s\"key%u\":%u", i ? "," : "", i * 7919 % 1500,
			i);
	buf_addc(&text, '}');
	v = parse(buf_str(&text));
	buf_release(&text);
	assert_num(v_len(v), 1500);
	for (uint32_t i = 0; i < 1500; i++) {
		struct value key = v.obj->keys->items[i];

		assert_num(keys_find(v.obj->keys, key), i);
		if (i)
			assert_true(
				value_cmp(v.obj->keys->items[i - 1], key) < 0);
		assert_true(v.obj->vals[i].i >= 1500); /* the later one */
	}
}

static void keys_are_interned_in_the_table(void **state)
{
	struct symtab t = {.arena = &arena};
	struct value key = sym_intern(&t, "owner", 5), v;
	struct json_error e;

	(void)state;
	assert_true(json_parse(
		&arena, &t, S("{\"owner\":{\"owner\":1}}"), 10, &v, &e));
	assert_ptr_equal(v.obj->keys->items[0].str, key.str);
	assert_ptr_equal(v.obj->vals[0].obj->keys->items[0].str, key.str);
	symtab_release(&t);
}

static void repeated_strings_of_long_texts_are_kept_once(void **state)
{
	struct buf text = {0};
	struct value v;

	(void)state;
	buf_addc(&text, '[');
	for (unsigned i = 0; i < 5000; i++)
		buf_addf(&text, "%s\"team-%u\"", i ? "," : "", i % 10);
	buf_addc(&text, ']');
	v = parse(buf_str(&text));
	buf_release(&text);
	for (unsigned i = 0; i < 5000; i++) {
		char want[16];

		snprintf(want, sizeof(want), "team-%u", i % 10);
		assert_str(v_bytes(v.arr->items[i]), want);
	}
	assert_ptr_equal(v.arr->items[10].str, v.arr->items[4990].str);
}

/* --- writing ------------------------------------------------------- */

static void indented_as_marshal_indent_does(void **state)
{
	(void)state;
	assert_writes(parse(S("{\"a\":[1,{\"b\":2}],\"c\":{},\"d\":[]}")), 2, 0,
		"{\n"
		"  \"a\": [\n"
		"    1,\n"
		"    {\n"
		"      \"b\": 2\n"
		"    }\n"
		"  ],\n"
		"  \"c\": {},\n"
		"  \"d\": []\n"
		"}");
	assert_writes(parse(S("[]")), 2, 0, "[]");
}

static void strings_are_escaped_as_go_escapes_them(void **state)
{
	struct value v = v_cstr(&arena, "\"\\\b\f\n\r\t\x01\x1f\x7f/<>&"
					"\xe2\x80\xa8\xe2\x80\xa9\xc3\xa9"
					"\xff\xef\xbf\xbd");

	(void)state;
	assert_writes(v, 0, 0,
		"\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f/<>&"
		"\\u2028\\u2029\xc3\xa9\\ufffd\xef\xbf\xbd\"");
	assert_writes(v, 0, JSON_HTML,
		"\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f/"
		"\\u003c\\u003e\\u0026"
		"\\u2028\\u2029\xc3\xa9\\ufffd\xef\xbf\xbd\"");
}

static void sets_become_arrays(void **state)
{
	struct value items[] = {v_cstr(&arena, "b"), v_int(1), v_empty_set};

	(void)state;
	assert_writes(v_set(&arena, items, 3), 0, 0, "[1,\"b\",[]]");
}

/* As recorded from OPA 1.22.2. */
static void other_keys_become_their_text(void **state)
{
	struct value keys[] = {v_null, v_true, parse(S("-1.50")),
		parse(S("[1,\"x\"]")), parse(S("{\"a\":1}")),
		v_cstr(&arena, "1"), v_int(1)};
	struct value vals[] = {v_int(1), v_int(2), v_int(3), v_int(4), v_int(5),
		v_int(6), v_int(7)};

	(void)state;
	assert_writes(v_obj(&arena, keys, vals, 7), 0, 0,
		"{\"-1.50\":3,\"1\":6,\"[1,\\\"x\\\"]\":4,\"null\":1,"
		"\"true\":2,\"{\\\"a\\\":1}\":5}");
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, empty_arena)
	const struct CMUnitTest tests[] = {
		T(values_are_read_and_written_again),
		T(the_last_of_equal_keys_wins),
		T(strings_are_decoded_as_go_decodes_them),
		T(what_is_wrong_is_said_as_go_says_it),
		T(null_may_follow_the_value),
		T(errors_have_a_place),
		T(depth_is_limited),
		T(a_document_may_be_as_deep_as_the_limit),
		T(the_deepest_document_can_be_used),
		T(records_of_one_shape_share_their_keys),
		T(guesses_are_never_wrong),
		T(long_objects_are_sorted_and_indexed),
		T(keys_are_interned_in_the_table),
		T(repeated_strings_of_long_texts_are_kept_once),
		T(indented_as_marshal_indent_does),
		T(strings_are_escaped_as_go_escapes_them),
		T(sets_become_arrays),
		T(other_keys_become_their_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
