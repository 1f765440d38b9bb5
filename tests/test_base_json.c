#include "tests/test.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

static struct str text(const char *cstr)
{
	return str_from(cstr);
}

static struct str checked(const char *cstr)
{
	struct err e = {0};
	struct str v = {0};

	assert_ok(json_check(text(cstr), NULL, &v, &e), &e);
	return v;
}

static void accepts_what_the_grammar_allows(void **state)
{
	static const char *const good[] = {
		"null",
		"true",
		"false",
		"0",
		"-0",
		"-0.0e-00",
		"1E+2",
		"123456789012345678901234567890.5",
		"\"\"",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\"",
		"\"\\ud800\"", /* half a pair: the grammar allows it */
		"\"caf\xc3\xa9 \xf0\x9f\x98\x80 and more than eight\"",
		"\"\x7f\"",
		"[]",
		"[ ]",
		"{}",
		"{ }",
		" [1,\t2 ,\r\n3 ] ",
		"{\"a\":{\"b\":[{},[]]},\"a\":1}",
		"[[[[[[]]]]]]",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		checked(good[i]);
}

static void refuses_everything_else(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *why; } bad[] = {
		{"",                 "byte 0: text ends, expected a value"},
		{"  ",               "byte 2: text ends"},
		{"nul",              "byte 0: unexpected 'n', expected a value"},
		{"nulll",            "byte 4: more text after the value"},
		{"True",             "unexpected 'T'"},
		{"01",               "byte 1: more text"},
		{"-",                "expected a digit"},
		{"+1",               "unexpected '+'"},
		{".5",               "unexpected '.'"},
		{"1.",               "expected a digit"},
		{"1e",               "expected a digit"},
		{"1e+",              "expected a digit"},
		{"0x10",             "more text"},
		{"NaN",              "unexpected 'N'"},
		{"\"",               "expected '\"'"},
		{"\"abc",            "expected '\"'"},
		{"\"\\",             "expected an escape"},
		{"\"\\x\"",          "byte 2: unexpected 'x', expected an escape"},
		{"\"\\u12g4\"",      "expected four hex digits"},
		{"\"\\u12",          "expected four hex digits"},
		{"\"\n\"",           "unexpected byte 0x0a, expected an escape"},
		{"\"0123456\n\"",    "byte 8: unexpected byte 0x0a"},
		{"\"\xff\"",         "byte 1: unexpected byte 0xff, expected UTF-8"},
		{"\"\xc0\x80\"",     "expected UTF-8"},
		{"\"\xed\xa0\x80\"", "expected UTF-8"},
		{"\"\xc3",           "expected UTF-8"},
		{"[",                "text ends, expected a value"},
		{"[1",               "text ends, expected ',' or ']'"},
		{"[1,]",             "unexpected ']', expected a value"},
		{"[,1]",             "unexpected ','"},
		{"[1 2]",            "unexpected '2', expected ',' or ']'"},
		{"[1}",              "unexpected '}', expected ',' or ']'"},
		{"{",                "expected a key"},
		{"{\"a\"",           "expected ':'"},
		{"{\"a\":",          "expected a value"},
		{"{\"a\":1",         "expected ',' or '}'"},
		{"{\"a\":1]",        "unexpected ']'"},
		{"{\"a\":1,}",       "unexpected '}', expected a key"},
		{"{a:1}",            "unexpected 'a', expected a key"},
		{"{1:1}",            "expected a key"},
		{"\xef\xbb\xbf{}",   "unexpected byte 0xef, expected a value"},
		{"[1]//",            "more text"},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct str v = {0};
		struct err e = {0};

		assert_fails(json_check(text(bad[i].text), NULL, &v, &e), &e,
			E_INVALID, bad[i].why);
		assert_null(v.ptr);
	}
}

static void a_nul_byte_is_no_space(void **state)
{
	struct str v;
	struct err e = {0};

	(void)state;
	assert_fails(json_check((struct str)STR("1\0"), NULL, &v, &e), &e,
		E_INVALID, "more text");
	assert_fails(json_check((struct str)STR("\"\\\0\""), NULL, &v, &e), &e,
		E_INVALID, "byte 2");
}

static void the_span_has_no_space_around(void **state)
{
	(void)state;
	assert_str(checked(" \n{ \"a\" : 1 }\t "), "{ \"a\" : 1 }");
}

static enum status nested(uint32_t depth, uint32_t limit, struct err *e)
{
	struct json_limits limits = {.depth = limit};
	struct buf b = {0};
	struct str v;
	enum status st;

	for (uint32_t i = 0; i < depth; i++)
		buf_adds(&b, i % 2 ? "{\"a\":" : "[");
	buf_addc(&b, '0');
	for (uint32_t i = depth; i-- > 0;)
		buf_adds(&b, i % 2 ? "}" : "]");
	st = json_check(buf_str(&b), &limits, &v, e);
	buf_release(&b);
	return st;
}

static void depth_is_limited(void **state)
{
	struct err e = {0};

	(void)state;
	assert_ok(nested(LIMIT_JSON_DEPTH, 0, &e), &e);
	assert_fails(nested(LIMIT_JSON_DEPTH + 1, 0, &e), &e, E_LIMIT,
		"more than 128 levels of nesting");
	assert_fails(nested(LIMIT_JSON_DEPTH + 1, 10000, &e), &e, E_LIMIT,
		"more than 128 levels");
	assert_ok(nested(3, 3, &e), &e);
	assert_fails(nested(4, 3, &e), &e, E_LIMIT, "more than 3 levels");
}

static enum status with_keys(
	uint32_t n, const struct json_limits *limits, struct err *e)
{
	struct buf b = {0};
	struct str v;
	enum status st;

	for (uint32_t i = 0; i < n; i++)
		buf_addf(&b, "%c\"%u\":0", i ? ',' : '{', i);
	buf_addc(&b, '}');
	st = json_check(buf_str(&b), limits, &v, e);
	buf_release(&b);
	return st;
}

static void keys_of_an_object_are_limited(void **state)
{
	struct json_limits two = {.keys = 2};
	struct err e = {0};
	struct str v;

	(void)state;
	assert_ok(with_keys(LIMIT_JSON_KEYS, NULL, &e), &e);
	assert_fails(with_keys(LIMIT_JSON_KEYS + 1, NULL, &e), &e, E_LIMIT,
		"more than 100000 keys in an object");
	assert_ok(with_keys(2, &two, &e), &e);
	assert_fails(with_keys(3, &two, &e), &e, E_LIMIT, "more than 2 keys");
	/* Each object has its own count. */
	assert_ok(json_check(S("[{\"a\":0,\"b\":0},{\"c\":{\"d\":0}}]"), &two,
			  &v, &e),
		&e);
}

static enum status with_string(
	size_t len, const struct json_limits *limits, struct err *e)
{
	char *s = malloc(len + 2);
	struct str v;
	enum status st;

	assert_non_null(s);
	memset(s, 'x', len + 2);
	s[0] = s[len + 1] = '"';
	st = json_check(str_make(s, len + 2), limits, &v, e);
	free(s);
	return st;
}

static void strings_are_limited(void **state)
{
	struct json_limits ten = {.string = 10};
	struct err e = {0};

	(void)state;
	assert_ok(with_string(LIMIT_JSON_STRING, NULL, &e), &e);
	assert_fails(with_string(LIMIT_JSON_STRING + 1, NULL, &e), &e, E_LIMIT,
		"more than 1048576 bytes in a string");
	assert_ok(with_string(10, &ten, &e), &e);
	assert_fails(with_string(11, &ten, &e), &e, E_LIMIT, "more than 10");
}

static void scan_takes_one_value_at_a_time(void **state)
{
	struct str t = STR(" {\"a\":1} [2] x"), v;
	struct err e = {0};
	size_t pos = 0;

	(void)state;
	assert_ok(json_scan(t, &pos, NULL, &v, &e), &e);
	assert_str(v, "{\"a\":1}");
	assert_num(pos, 8);
	assert_ok(json_scan(t, &pos, NULL, &v, &e), &e);
	assert_str(v, "[2]");
	assert_fails(json_scan(t, &pos, NULL, &v, &e), &e, E_INVALID,
		"byte 13: unexpected 'x'");
	assert_num(pos, 12);
	pos = 100;
	assert_fails(
		json_scan(t, &pos, NULL, &v, &e), &e, E_INVALID, "text ends");
}

static void no_error_struct_is_needed(void **state)
{
	struct str v;

	(void)state;
	assert_num(json_check(S("["), NULL, &v, NULL), E_INVALID);
	assert_num(json_check(S("1 1"), NULL, &v, NULL), E_INVALID);
}

static void kinds_are_told_by_the_first_byte(void **state)
{
	(void)state;
	assert_num(json_kind(S("null")), JSON_NULL);
	assert_num(json_kind(S("false")), JSON_BOOL);
	assert_num(json_kind(S("true")), JSON_BOOL);
	assert_num(json_kind(S("-1")), JSON_NUMBER);
	assert_num(json_kind(S("7")), JSON_NUMBER);
	assert_num(json_kind(S("\"\"")), JSON_STRING);
	assert_num(json_kind(S("[]")), JSON_ARRAY);
	assert_num(json_kind(S("{}")), JSON_OBJECT);
}

static void walking_gives_every_member_as_written(void **state)
{
	struct str doc = checked(
		"{ \"a\" : 1.0 ,\"b,}\":[1,{\"]\":\"\\\"\"}], \"c\":null}");
	struct json_iter it = json_iter(doc);

	(void)state;
	assert_true(json_next(&it));
	assert_str(it.key, "\"a\"");
	assert_str(it.value, "1.0");
	assert_true(json_next(&it));
	assert_str(it.key, "\"b,}\"");
	assert_str(it.value, "[1,{\"]\":\"\\\"\"}]");
	assert_true(json_next(&it));
	assert_str(it.value, "null");
	assert_false(json_next(&it));
	assert_false(json_next(&it));
}

static void a_scalar_and_an_empty_array_have_no_members(void **state)
{
	static const char *const none[] = {"1", "\"ab\"", "[ ]", "{}", "null"};

	(void)state;
	for (size_t i = 0; i < COUNT(none); i++) {
		struct json_iter it = json_iter(checked(none[i]));

		assert_false(json_next(&it));
	}
}

static void a_member_is_found_whatever_its_key_looks_like(void **state)
{
	struct str doc = checked("{\"\\u0061\\/\":1,\"caf\\u00e9\":2,"
				 "\"\":3,\"x\":{\"y\":4}}"),
		   v = {0};

	(void)state;
	assert_true(json_member(doc, S("a/"), &v));
	assert_str(v, "1");
	assert_true(json_member(doc, S("caf\xc3\xa9"), &v));
	assert_str(v, "2");
	assert_true(json_member(doc, S(""), &v));
	assert_str(v, "3");
	assert_false(json_member(doc, S("y"), &v));
	assert_str(v, "3");
	assert_false(json_member(checked("[1]"), S("y"), &v));
}

static void of_equal_keys_the_last_counts(void **state)
{
	struct str v;

	(void)state;
	assert_true(json_member(
		checked("{\"a\":1,\"b\":2,\"\\u0061\":3}"), S("a"), &v));
	assert_str(v, "3");
	assert_true(json_at(
		checked("{\"a\":{\"b\":1},\"a\":{\"b\":2}}"), S("/a/b"), &v));
	assert_str(v, "2");
}

static void many_members_come_in_one_pass(void **state)
{
	struct str doc = checked("{\"b\":2,\"a\":1,\"b\":3}"), got[3];
	struct str keys[] = {STR("a"), STR("b"), STR("c")};

	(void)state;
	assert_num(json_members(doc, keys, 3, got), 2);
	assert_str(got[0], "1");
	assert_str(got[1], "3");
	assert_null(got[2].ptr);
}

static void pointers_lead_through_objects_and_arrays(void **state)
{
	/* clang-format off */
	static const struct { const char *pointer, *want; } rows[] = {
		{"/a",         "[10,{\"b/c\":11,\"~\":12,\"\":13}]"},
		{"/a/0",       "10"},
		{"/a/1/b~1c",  "11"},
		{"/a/1/~0",    "12"},
		{"/a/1/",      "13"},
	};
	static const char *const nowhere[] = {
		"a", "/b", "/a/2", "/a/00", "/a/-", "/a/", "/a/0/0",
		"/a/99999999999999999999", "/a/1/b", "/a/1/b~1cd",
	};
	/* clang-format on */
	struct str v = {0};

	(void)state;
	struct str doc = checked("{\"a\":[10,{\"b/c\":11,\"~\":12,\"\":13}]}");
	assert_true(json_at(doc, S(""), &v));
	assert_true(str_eq(v, doc));
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(json_at(doc, text(rows[i].pointer), &v));
		assert_str(v, rows[i].want);
	}
	for (size_t i = 0; i < COUNT(nowhere); i++)
		assert_false(json_at(doc, text(nowhere[i]), &v));
}

static void text_resolves_escapes(void **state)
{
	/* clang-format off */
	static const struct { const char *json; struct str want; } rows[] = {
		{"\"\"",                     STR("")},
		{"\"plain\"",                STR("plain")},
		{"\"\\\"\\\\\\/\"",          STR("\"\\/")},
		{"\"\\b\\f\\n\\r\\t\"",      STR("\b\f\n\r\t")},
		{"\"\\u0000\"",              STR("\0")},
		{"\"a\\u00E9b\"",            STR("a\xc3\xa9" "b")},
		{"\"\\ud83d\\ude00\"",       STR("\xf0\x9f\x98\x80")},
		{"\"\\ud83d\"",              STR("\xef\xbf\xbd")},
		{"\"\\ude00\\ud83d\"",       STR("\xef\xbf\xbd\xef\xbf\xbd")},
		{"\"\\ud83d\\ud83d\\ude00\"", STR("\xef\xbf\xbd\xf0\x9f\x98\x80")},
		{"\"\\ud83dx\"",             STR("\xef\xbf\xbdx")},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str span = checked(rows[i].json);
		struct buf b = {0};

		json_text(&b, span);
		assert_true(str_eq(buf_str(&b), rows[i].want));
		assert_true(json_text_is(span, rows[i].want));
		assert_false(json_text_is(span, S("other")));
		buf_release(&b);
	}
	assert_false(json_text_is((struct str){0}, S("")));
}

static void integers_are_read_when_they_fit(void **state)
{
	static const char *const none[] = {"9223372036854775808",
		"-9223372036854775809", "1.0", "1e3", "-", "\"1\"", "null",
		"99999999999999999999999"};
	int64_t n = 7;

	(void)state;
	assert_true(json_int(S("9223372036854775807"), &n));
	assert_num(n, INT64_MAX);
	assert_true(json_int(S("-9223372036854775808"), &n));
	assert_num(n, INT64_MIN);
	assert_true(json_int(S("-0"), &n));
	assert_num(n, 0);
	for (size_t i = 0; i < COUNT(none); i++)
		assert_false(json_int(text(none[i]), &n));
	assert_false(json_int((struct str){0}, &n));
	assert_num(n, 0);
}

static void quoting_round_trips(void **state)
{
	struct str s = STR("a\"\\/\b\f\n\r\t\x01\x1f\x7f caf\xc3\xa9 plain "
			   "text that is long");
	struct buf q = {0}, back = {0};
	struct err e = {0};
	struct str v;

	(void)state;
	json_quote(&q, s);
	assert_ok(json_check(buf_str(&q), NULL, &v, &e), &e);
	json_text(&back, v);
	assert_true(str_eq(buf_str(&back), s));
	buf_reset(&q);
	json_quote(&q, S("\xff\n\x02"));
	assert_str(buf_str(&q), "\"\xef\xbf\xbd\\n\\u0002\"");
	buf_release(&q);
	buf_release(&back);
}

/* --- canonical ------------------------------------------------------------ */

static void the_canonical_form_is_sorted_and_without_space(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *want; } rows[] = {
		{" { \"b\" : [ 1 , 2.50 ] , \"a\" : { } } ",
			"{\"a\":{},\"b\":[1,2.50]}"},
		{"{\"b\":{\"d\":1,\"c\":2},\"a\":[{\"f\":1,\"e\":{\"h\":0,\"g\":0}}]}",
			"{\"a\":[{\"e\":{\"g\":0,\"h\":0},\"f\":1}],"
			"\"b\":{\"c\":2,\"d\":1}}"},
		{"{\"aa\":1,\"a\":2,\"\":3,\"a\\u0000\":4}",
			"{\"\":3,\"a\":2,\"a\\u0000\":4,\"aa\":1}"},
		{"[-0, 1E5, 1.0, true, null]", "[-0,1E5,1.0,true,null]"},
		{"\"\\u00e9\\/<\\u2028\xe2\x80\xa9 and a longer run of text\"",
			"\"\xc3\xa9/<\\u2028\\u2029 and a longer run of text\""},
		{"\"\\ud83d\\ude00 \\ud800 \\u001f\\n\"",
			"\"\xf0\x9f\x98\x80 \xef\xbf\xbd \\u001f\\n\""},
		{"[[],{},\"\"]", "[[],{},\"\"]"},
	};
	/* clang-format on */
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out = {0};

		buf_adds(&out, "before ");
		assert_ok(
			json_canonical(&out, checked(rows[i].text), NULL, &err),
			&err);
		assert_str(str_slice(buf_str(&out), 7, out.len), rows[i].want);
		buf_release(&out);
	}
}

static void what_has_two_meanings_has_no_canonical_form(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *why; size_t at, first; } rows[] = {
		{"{\"a\":1,\"b\":2,\"\\u0061\":3}",
			"the key \"a\" stands twice", 13, 1},
		{"{\"x\":[{\"b\":1,\"b\":1}]}",
			"the key \"b\" stands twice", 13, 7},
		{"[1,\"a\\b\"]", "U+0008", 3, 0},
		{"{\"\\f\":1}", "U+000C", 1, 0},
		{"[1e9999,-1.5E-10000]", "the number -1.5E-10000 is", 8, 0},
		{"[1e+0009999,1e10000]", "the number 1e10000 is", 12, 0},
	};
	/* clang-format on */
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = {0};
		struct json_bad bad = {0};
		struct str doc = checked(rows[i].text);

		assert_fails(json_canonical(&out, doc, &bad, &err), &err,
			E_INVALID, rows[i].why);
		assert_num(bad.at - doc.ptr, rows[i].at);
		assert_num(bad.first ? bad.first - doc.ptr : 0, rows[i].first);
		assert_num(out.len, 0);
	}
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_what_the_grammar_allows),
		cmocka_unit_test(refuses_everything_else),
		cmocka_unit_test(a_nul_byte_is_no_space),
		cmocka_unit_test(the_span_has_no_space_around),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(keys_of_an_object_are_limited),
		cmocka_unit_test(strings_are_limited),
		cmocka_unit_test(scan_takes_one_value_at_a_time),
		cmocka_unit_test(no_error_struct_is_needed),
		cmocka_unit_test(kinds_are_told_by_the_first_byte),
		cmocka_unit_test(walking_gives_every_member_as_written),
		cmocka_unit_test(a_scalar_and_an_empty_array_have_no_members),
		cmocka_unit_test(a_member_is_found_whatever_its_key_looks_like),
		cmocka_unit_test(of_equal_keys_the_last_counts),
		cmocka_unit_test(many_members_come_in_one_pass),
		cmocka_unit_test(pointers_lead_through_objects_and_arrays),
		cmocka_unit_test(text_resolves_escapes),
		cmocka_unit_test(integers_are_read_when_they_fit),
		cmocka_unit_test(quoting_round_trips),
		cmocka_unit_test(
			the_canonical_form_is_sorted_and_without_space),
		cmocka_unit_test(what_has_two_meanings_has_no_canonical_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
