#include "tests/builtin_calls.h"

#include "base/limits.h"

/* Strings. Expected values are what OPA gives. */

static void text_is_searched_in_bytes_and_counted_in_code_points(void **state)
{
	static const struct builtin_case cases[] = {
		{"contains", "[\"h\303\251llo\", \"\303\251ll\"]", "true"},
		{"contains", "[\"a\", \"\"]", "true"},
		{"startswith", "[\"abc\", \"ab\"]", "true"},
		{"startswith", "[\"ab\", \"abc\"]", "false"},
		{"endswith", "[\"abc\", \"bc\"]", "true"},
		{"indexof", "[\"h\303\251llo\", \"l\"]", "2"},
		{"indexof", "[\"abc\", \"d\"]", "-1"},
		{"indexof",
			"[\"\346\227\245\346\234\254\346\227\245\346\234\254"
			"\", \"\346\234\254\346\227\245\"]",
			"1"},
		{"indexof", "[\"abc\", \"\"]",
			"eval_builtin_error: empty search character"},
		{"indexof_n", "[\"aaaa\", \"aa\"]", "[0, 1, 2]"},
		{"indexof_n", "[\"\346\227\245a\346\227\245a\", \"a\"]",
			"[1, 3]"},
		{"indexof_n", "[\"x\", \"y\"]", "[]"},
		{"indexof_n", "[\"x\", \"\"]",
			"eval_builtin_error: empty search character"},
		{"strings.count", "[\"aaaa\", \"aa\"]", "2"},
		{"strings.count", "[\"h\303\251\303\251\", \"\"]", "4"},
		{"strings.count", "[\"cheese\", \"e\"]", "3"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void substrings_are_cut_by_code_points(void **state)
{
	static const struct builtin_case cases[] = {
		{"substring", "[\"h\303\251llo\", 1, 2]", "\"\303\251l\""},
		{"substring", "[\"hello\", 1, -1]", "\"ello\""},
		{"substring", "[\"hello\", 9, 1]", "\"\""},
		{"substring", "[\"hello\", 2, 9223372036854775807]", "\"llo\""},
		{"substring",
			"[\"\346\227\245\346\234\254\350\252\236\", 1, -1]",
			"\"\346\234\254\350\252\236\""},
		{"substring",
			"[\"\346\227\245\346\234\254\350\252\236\", 0, 9]",
			"\"\346\227\245\346\234\254\350\252\236\""},
		{"substring", "[\"abc\", -1, 1]",
			"eval_builtin_error: negative offset"},
		{"substring", "[\"\", -1, 1]",
			"eval_builtin_error: negative offset"},
		{"substring", "[\"abc\", 1.0, 1]", "\"b\""},
		{"substring", "[\"abc\", 1e0, 1]",
			"eval_type_error: operand 2 must be integer number b"
			"ut got floating-point number"},
		{"substring", "[\"abc\", 1.5, \"x\"]",
			"eval_type_error: operand 2 must be integer number b"
			"ut got floating-point number"},
		{"substring", "[1, \"x\", 2]",
			"eval_type_error: operand 1 must be string but got n"
			"umber"},
		{"substring", "[\"abc\", \"x\", 2]",
			"eval_type_error: operand 2 must be number but got s"
			"tring"},
		{"strings.reverse", "[\"a\303\261b\"]", "\"b\303\261a\""},
		{"strings.reverse", "[\"\346\227\245\346\234\254\"]",
			"\"\346\234\254\346\227\245\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void case_is_that_of_unicode_without_a_language(void **state)
{
	static const struct builtin_case cases[] = {
		{"lower",
			"[\"\303\200\303\211\303\216 \316\221\316\243 \304\260"
			" K\"]",
			"\"\303\240\303\251\303\256 \316\261\317\203 i k\""},
		{"upper",
			"[\"\303\240\303\251\303\256 \316\261\317\203\317\202"
			" \303\237 \305\277 \304\261 \305\211\"]",
			"\"\303\200\303\211\303\216 \316\221\316\243\316\243"
			" \303\237 S I \305\211\""},
		{"upper", "[\"abc\"]", "\"ABC\""},
		{"lower", "[\"\307\205\"]", "\"\307\206\""},
		{"upper", "[\"\307\206\"]", "\"\307\204\""},
		{"lower", "[\"\341\262\220\"]", "\"\341\203\220\""},
		{"upper", "[\"\352\255\260\"]", "\"\341\216\240\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void trimming_takes_a_set_of_code_points(void **state)
{
	static const struct builtin_case cases[] = {
		{"trim", "[\"  xx  \", \" x\"]", "\"\""},
		{"trim", "[\"\303\251\303\251a\303\251b\", \"\303\251\"]",
			"\"a\303\251b\""},
		{"trim", "[\"abc\", \"\"]", "\"abc\""},
		{"trim", "[\"\", \"a\"]", "\"\""},
		{"trim_left", "[\"abcba\", \"ab\"]", "\"cba\""},
		{"trim_right", "[\"abcba\", \"ab\"]", "\"abc\""},
		{"trim_prefix", "[\"foobar\", \"foo\"]", "\"bar\""},
		{"trim_prefix", "[\"foobar\", \"bar\"]", "\"foobar\""},
		{"trim_suffix", "[\"foobar\", \"bar\"]", "\"foo\""},
		{"trim_space",
			"[\"\302\240\342\200\203 a b\343\200\200\\n\302\205\""
			"]",
			"\"a b\""},
		{"trim_space", "[\"\342\200\213a\"]", "\"\\u200ba\""},
		{"trim_space", "[\" \\t \"]", "\"\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void splitting_keeps_empty_parts(void **state)
{
	static const struct builtin_case cases[] = {
		{"split", "[\"a,b,,c\", \",\"]", "[\"a\", \"b\", \"\", \"c\"]"},
		{"split", "[\"\", \",\"]", "[\"\"]"},
		{"split", "[\"\", \"\"]", "[]"},
		{"split", "[\"h\303\251\303\251\", \"\"]",
			"[\"h\", \"\303\251\", \"\303\251\"]"},
		{"split", "[\"abc\", \"abc\"]", "[\"\", \"\"]"},
		{"strings.split_n", "[\"a,b,c\", \",\", 2]", "[\"a\", \"b\"]"},
		{"strings.split_n", "[\"a,b,c\", \",\", -2]", "[\"b\", \"c\"]"},
		{"strings.split_n", "[\"a,b,c\", \",\", 0]", "[]"},
		{"strings.split_n", "[\"a,b,c\", \",\", 9]",
			"[\"a\", \"b\", \"c\"]"},
		{"strings.split_n", "[\"abc\", \"\", 2]", "[\"a\", \"b\"]"},
		{"strings.split_n", "[\"a,b\", \",\", -9]", "[\"a\", \"b\"]"},
		{"strings.split_n", "[\"a,b\", \",\", 1.5]",
			"eval_type_error: operand 3 must be integer number b"
			"ut got floating-point number"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void replacing_goes_once_over_the_text(void **state)
{
	static const struct builtin_case cases[] = {
		{"replace", "[\"abcabc\", \"b\", \"xx\"]", "\"axxcaxxc\""},
		{"replace", "[\"aaa\", \"aa\", \"b\"]", "\"ba\""},
		{"replace", "[\"ab\", \"\", \"-\"]", "\"-a-b-\""},
		{"replace", "[\"abc\", \"d\", \"e\"]", "\"abc\""},
		{"strings.replace_n",
			"[{\"a\": \"b\", \"b\": \"a\"}, \"aabb\"]", "\"bbaa\""},
		{"strings.replace_n",
			"[{\"a\": \"1\", \"ab\": \"2\"}, \"abab\"]",
			"\"1b1b\""},
		{"strings.replace_n", "[{\"\": \"-\", \"b\": \"x\"}, \"abc\"]",
			"\"-a-x-c-\""},
		{"strings.replace_n", "[{}, \"abc\"]", "\"abc\""},
		{"strings.replace_n", "[{\"a\": 1}, \"abc\"]",
			"eval_type_error: operand 1 non-string value found i"
			"n pattern object"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void concat_wants_strings_only(void **state)
{
	static const struct builtin_case cases[] = {
		{"concat", "[\", \", [\"a\", \"b\", \"c\"]]", "\"a, b, c\""},
		{"concat", "[\"\", []]", "\"\""},
		{"concat", "[\"/\", {\"$set\": [\"b\", \"a\"]}]", "\"a/b\""},
		{"concat", "[\",\", [\"a\", 1]]",
			"eval_type_error: operand 2 must be array of strings"
			" but got array containing number"},
		{"concat", "[\",\", {\"$set\": [\"a\", null]}]",
			"eval_type_error: operand 2 must be set of strings b"
			"ut got set containing null"},
		{"concat", "[\",\", \"a\"]",
			"eval_type_error: operand 2 must be one of {set, arr"
			"ay} but got string"},
		{"concat", "[1, [\"a\"]]",
			"eval_type_error: operand 1 must be string but got n"
			"umber"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

/* concat() of a string of 1 MiB so often, and one of `more` bytes. */
static enum bi_status long_concat(struct bi_ctx *cx, size_t more)
{
	enum { EACH = 1 << 20, N = LIMIT_STRING / EACH };
	struct value *items = ARENA_ARRAY(cx->arena, struct value, N + 1u);
	struct buf text = {0};
	struct value got, args[2];

	memset(buf_reserve(&text, EACH), 'x', EACH);
	text.len = EACH;
	items[0] = v_str(cx->arena, buf_str(&text));
	for (size_t i = 1; i < N; i++)
		items[i] = items[0];
	items[N] = v_str(cx->arena, str_slice(buf_str(&text), 0, more));
	buf_release(&text);
	args[0] = v_str(cx->arena, S(""));
	args[1] = v_arr(cx->arena, items, N + 1u);
	return builtin_find(S("concat"))->fn(cx, args, &got);
}

static void a_string_may_be_as_long_as_the_limit(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);

	(void)state;
	assert_num(long_concat(&cx, 0), BI_OK);
	arena_reset(&a);
	assert_num(long_concat(&cx, 1), BI_HALT);
	assert_string_equal(
		cx.text, "result has 268435457 bytes, limit 268435456");
	arena_release(&a);
}

static void affixes_match_any_of_many(void **state)
{
	static const struct builtin_case cases[] = {
		{"strings.any_prefix_match", "[\"abc\", \"ab\"]", "true"},
		{"strings.any_prefix_match",
			"[[\"x\", \"abc\"], {\"$set\": [\"ab\", \"z\"]}]",
			"true"},
		{"strings.any_prefix_match", "[\"abc\", []]", "false"},
		{"strings.any_prefix_match",
			"[[\"a0\", \"a1\", \"a2\", \"a3\", \"a4\", \"a5\", \""
			"a6\", \"a7\", \"a8\", \"a9\", \"a10\", \"a11\", \"a"
			"12\", \"a13\", \"a14\", \"a15\", \"a16\", \"a17\", "
			"\"a18\", \"a19\"], [\"b\", \"a15\", \"c0\", \"c1\","
			" \"c2\", \"c3\", \"c4\", \"c5\", \"c6\", \"c7\", \""
			"c8\", \"c9\", \"c10\", \"c11\", \"c12\", \"c13\", \""
			"c14\", \"c15\", \"c16\", \"c17\", \"c18\", \"c19\"]"
			"]",
			"true"},
		{"strings.any_suffix_match",
			"[[\"0a\", \"1a\", \"2a\", \"3a\", \"4a\", \"5a\", \""
			"6a\", \"7a\", \"8a\", \"9a\", \"10a\", \"11a\", \"1"
			"2a\", \"13a\", \"14a\", \"15a\", \"16a\", \"17a\", "
			"\"18a\", \"19a\"], [\"b\", \"17a\", \"0c\", \"1c\","
			" \"2c\", \"3c\", \"4c\", \"5c\", \"6c\", \"7c\", \""
			"8c\", \"9c\", \"10c\", \"11c\", \"12c\", \"13c\", \""
			"14c\", \"15c\", \"16c\", \"17c\", \"18c\", \"19c\"]"
			"]",
			"true"},
		{"strings.any_suffix_match",
			"[[\"0a\", \"1a\", \"2a\", \"3a\", \"4a\", \"5a\", \""
			"6a\", \"7a\", \"8a\", \"9a\", \"10a\", \"11a\", \"1"
			"2a\", \"13a\", \"14a\", \"15a\", \"16a\", \"17a\", "
			"\"18a\", \"19a\"], [\"b\", \"97a\", \"0c\", \"1c\","
			" \"2c\", \"3c\", \"4c\", \"5c\", \"6c\", \"7c\", \""
			"8c\", \"9c\", \"10c\", \"11c\", \"12c\", \"13c\", \""
			"14c\", \"15c\", \"16c\", \"17c\", \"18c\", \"19c\"]"
			"]",
			"false"},
		{"strings.any_prefix_match", "[\"abc\", [\"ab\", 1]]",
			"eval_type_error: operand 2 must be array of strings"
			" but got array containing number"},
		{"strings.any_prefix_match", "[1, [1]]",
			"eval_type_error: operand 1 must be one of {string, "
			"set, array} but got number"},
		{"strings.any_suffix_match", "[{\"$set\": [1]}, 1]",
			"eval_type_error: operand 1 must be set of strings b"
			"ut got set containing number"},
		{"strings.any_suffix_match", "[\"a\", {}]",
			"eval_type_error: operand 2 must be one of {string, "
			"set, array} but got object"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void template_strings_join_their_parts(void **state)
{
	static const struct builtin_case cases[] = {
		{"internal.template_string",
			"[[\"a \", {\"$set\": [\"b\"]}, \" \", {\"$set\": []"
			"}, 1, true, null]]",
			"\"a b <undefined>1truenull\""},
		{"internal.template_string",
			"[[{\"$set\": [[\"x\", {\"$set\": [1]}]]}]]",
			"\"[\\\"x\\\", {1}]\""},
		{"internal.template_string", "[[]]", "\"\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			text_is_searched_in_bytes_and_counted_in_code_points),
		cmocka_unit_test(substrings_are_cut_by_code_points),
		cmocka_unit_test(case_is_that_of_unicode_without_a_language),
		cmocka_unit_test(trimming_takes_a_set_of_code_points),
		cmocka_unit_test(splitting_keeps_empty_parts),
		cmocka_unit_test(replacing_goes_once_over_the_text),
		cmocka_unit_test(concat_wants_strings_only),
		cmocka_unit_test(a_string_may_be_as_long_as_the_limit),
		cmocka_unit_test(affixes_match_any_of_many),
		cmocka_unit_test(template_strings_join_their_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
