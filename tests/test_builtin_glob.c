/*
 * glob.*: what OPA 1.22.2 gives for each call.
 */
#include "tests/builtin_calls.h"

static void a_star_stops_at_a_separator(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"glob.match",
			"[\"*.github.com\",[],\"api.github.com\"]",
			"true"},
		{"glob.match",
			"[\"*.github.com\",[],\"a.b.github.com\"]",
			"false"},
		{"glob.match",
			"[\"**.github.com\",[],\"a.b.github.com\"]",
			"true"},
		{"glob.match",
			"[\"*\",null,\"a.b/c\"]",
			"true"},
		{"glob.match",
			"[\"*:x\",[\":\"],\"a:b:x\"]",
			"false"},
		{"glob.match",
			"[\"a/*/c\",[\"/\"],\"a/b/c\"]",
			"true"},
		{"glob.match",
			"[\"a/*/c\",[\"/\"],\"a/b/b/c\"]",
			"false"},
		{"glob.match",
			"[\"a/**/c\",[\"/\"],\"a/b/b/c\"]",
			"true"},
		{"glob.match",
			"[\"a/**c\",[\"/\"],\"a/c\"]",
			"true"},
		{"glob.match",
			"[\"*/*x\",[\"/\"],\"a/bx\"]",
			"true"},
		{"glob.match",
			"[\"**a*b\",[\"/\"],\"a/ab/axb\"]",
			"true"},
		{"glob.match",
			"[\"?at\",[],\".at\"]",
			"false"},
		{"glob.match",
			"[\"?at\",[],\"cat\"]",
			"true"},
		{"glob.match",
			"[\"*\\u00e9*\",[\".\"],\"a\\u00e9b\"]",
			"true"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void classes_and_braces_match_one_of_many(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"glob.match",
			"[\"[abc]at\",[],\"bat\"]",
			"true"},
		{"glob.match",
			"[\"[!abc]at\",[],\"bat\"]",
			"false"},
		{"glob.match",
			"[\"[a-c]at\",[],\"cat\"]",
			"true"},
		{"glob.match",
			"[\"[!a-c]at\",[],\"dat\"]",
			"true"},
		{"glob.match",
			"[\"[\\u00e9-\\u00fc]\",[],\"\\u00f6\"]",
			"true"},
		{"glob.match",
			"[\"{cat,bat,[fr]at}\",[],\"rat\"]",
			"true"},
		{"glob.match",
			"[\"{cat,bat,[fr]at}\",[],\"hat\"]",
			"false"},
		{"glob.match",
			"[\"{a,}b\",[],\"b\"]",
			"true"},
		{"glob.match",
			"[\"{a*,b}c\",[\".\"],\"a.c\"]",
			"false"},
		{"glob.match",
			"[\"{a{1,2},b}x\",[],\"a2x\"]",
			"true"},
		{"glob.match",
			"[\"{}\",[],\"\"]",
			"true"},
		{"glob.match",
			"[\"*{*0,}\",[],\"ab\"]",
			"true"},
		{"glob.match",
			"[\"a\\\\*b\",[],\"a*b\"]",
			"true"},
		{"glob.match",
			"[\"a\\\\*b\",[],\"axb\"]",
			"false"},
		{"glob.match",
			"[\"{a\\\\,b}\",[],\"a,b\"]",
			"true"},
		{"glob.match",
			"[\"a,b}\",[],\"a,b}\"]",
			"true"},
		{"glob.match",
			"[\"[*]\",[],\"*\"]",
			"true"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void errors_say_where_the_pattern_is_wrong(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"glob.match",
			"[\"[\",[],\"a\"]",
			"eval_builtin_error: glob: syntax error at 1: unexpected end of input"},
		{"glob.match",
			"[\"[a\",[],\"a\"]",
			"eval_builtin_error: glob: syntax error at 2: unexpected end of input"},
		{"glob.match",
			"[\"[]\",[],\"a\"]",
			"eval_builtin_error: glob: syntax error at 2: could not parse range"},
		{"glob.match",
			"[\"[!]\",[],\"a\"]",
			"eval_builtin_error: glob: syntax error at 3: could not parse range"},
		{"glob.match",
			"[\"[b-a]\",[],\"a\"]",
			"eval_builtin_error: glob: syntax error at 5: range hi character is less than lo"},
		{"glob.match",
			"[\"[a-bc]\",[],\"a\"]",
			"eval_builtin_error: glob: syntax error at 5: expected close range character"},
		{"glob.match",
			"[\"{a\",[],\"a\"]",
			"eval_builtin_error: glob: syntax error at 2: unclosed `{`"},
		{"glob.match",
			"[\"a\\\\\",[],\"a\"]",
			"eval_builtin_error: glob: syntax error at 2: trailing backslash"},
		{"glob.match",
			"[\"x{a,[b}\",[],\"a\"]",
			"eval_builtin_error: glob: syntax error at 7: unexpected end of input"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void separators_are_single_characters(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"glob.match",
			"[\"a\",[\"ab\"],\"a\"]",
			"eval_type_error: operand 2 must be array of runes but got array containing string"},
		{"glob.match",
			"[\"a\",[\"\"],\"a\"]",
			"eval_type_error: operand 2 must be array of runes but got array containing string"},
		{"glob.match",
			"[\"a\",[1],\"a\"]",
			"eval_type_error: operand 2 must be array of strings but got array containing number"},
		{"glob.match",
			"[\"a\",\".\",\"a\"]",
			"eval_type_error: operand 2 must be one of {array, null} but got string"},
		{"glob.match",
			"[\"a\",[\"..\"],1]",
			"eval_type_error: operand 2 must be array of runes but got array containing string"},
		{"glob.match",
			"[1,[],\"a\"]",
			"eval_type_error: operand 1 must be string but got number"},
		{"glob.match",
			"[\"a\",[],1]",
			"eval_type_error: operand 3 must be string but got number"},
		{"glob.match",
			"[\"*\",[\"\\u00e9\"],\"a\\u00e9b\"]",
			"false"},
		{"glob.match",
			"[\"*\",[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\"],\"xjy\"]",
			"false"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void special_characters_are_quoted(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"glob.quote_meta",
			"[\"*.github.com\"]",
			"\"\\\\*.github.com\""},
		{"glob.quote_meta",
			"[\"a{b}[c]?\\\\!-,\"]",
			"\"a\\\\{b\\\\}\\\\[c\\\\]\\\\?\\\\\\\\!-,\""},
		{"glob.quote_meta",
			"[\"\"]",
			"\"\""},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_star_stops_at_a_separator),
		cmocka_unit_test(classes_and_braces_match_one_of_many),
		cmocka_unit_test(errors_say_where_the_pattern_is_wrong),
		cmocka_unit_test(separators_are_single_characters),
		cmocka_unit_test(special_characters_are_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
