/*
 * regex.*: what OPA 1.22.2 gives for each call, and what only we do.
 */
#include "tests/builtin_calls.h"

#include "base/limits.h"

static void a_pattern_has_a_size_limit(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	struct buf pattern = {0}, args = {0}, got = {0};

	(void)state;
	memset(buf_reserve(&pattern, LIMIT_REGEX_PATTERN + 1), 'a',
		LIMIT_REGEX_PATTERN + 1);
	pattern.len = LIMIT_REGEX_PATTERN;
	buf_addf(&args, "[\"%.*s\", \"b\"]", STR_ARG(buf_str(&pattern)));
	builtin_text(&cx, "regex.match", args.ptr, &got);
	assert_string_equal(got.ptr, "false");
	pattern.len++;
	buf_reset(&args);
	buf_reset(&got);
	buf_addf(&args, "[\"%.*s\", \"b\"]", STR_ARG(buf_str(&pattern)));
	builtin_text(&cx, "regex.match", args.ptr, &got);
	assert_string_equal(got.ptr,
		"eval_builtin_error: pattern has 1048577 bytes, "
		"limit 1048576");
	buf_release(&pattern);
	buf_release(&args);
	buf_release(&got);
	call_release(&cx);
	arena_release(&a);
}

static void bytes_that_are_not_utf8_count_as_one_code_point(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	const struct builtin *b = builtin_find(S("regex.find_n"));
	struct value args[3], got;
	struct str part;

	(void)state;
	args[0] = v_cstr(&a, "b.");
	args[1] = v_cstr(&a, "a\xff"
			     "b\xfe"
			     "c");
	args[2] = v_int(-1);
	assert_int_equal(b->fn(&cx, args, &got), BI_OK);
	assert_int_equal(got.arr->len, 1);
	part = v_bytes(got.arr->items[0]);
	assert_int_equal(part.len, 2);
	assert_memory_equal(part.ptr, "b\xfe", 2);
	call_release(&cx);
	arena_release(&a);
}

static void many_patterns_do_not_pile_up(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	struct buf got = {0};

	(void)state;
	for (int i = 0; i < 2000; i++) {
		char args[64];

		snprintf(args, sizeof(args), "[\"^%d.$\", \"%d7\"]", i, i);
		buf_reset(&got);
		builtin_text(&cx, "regex.match", args, &got);
		assert_string_equal(got.ptr, "true");
	}
	buf_release(&got);
	call_release(&cx);
	arena_release(&a);
}

static void a_step_limit_ends_a_regex(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	struct buf got = {0};

	(void)state;
	cx.steps = 3;
	builtin_text(&cx, "regex.match", "[\"^a.*b.*c$\", \"a\"]", &got);
	assert_string_equal(got.ptr,
		"eval_cancel_error: evaluation is over its limit of steps");
	buf_release(&got);
	arena_release(&a);
}

static void a_match_may_be_anywhere_in_the_text(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"regex.match",
			"[\"a+\",\"xaay\"]",
			"true"},
		{"regex.match",
			"[\"^a+$\",\"aaa\"]",
			"true"},
		{"regex.match",
			"[\"^a+$\",\"xaaa\"]",
			"false"},
		{"regex.match",
			"[\"\",\"x\"]",
			"true"},
		{"regex.match",
			"[\"a.c\",\"a\\nc\"]",
			"false"},
		{"regex.match",
			"[\"(?s)a.c\",\"a\\nc\"]",
			"true"},
		{"regex.match",
			"[\"(?m)^b$\",\"a\\nb\\nc\"]",
			"true"},
		{"regex.match",
			"[\"^b$\",\"a\\nb\\nc\"]",
			"false"},
		{"regex.match",
			"[\"^abc\",\"abcd\"]",
			"true"},
		{"regex.match",
			"[\"bc$\",\"abc\"]",
			"true"},
		{"regex.match",
			"[\".*bc.*\",\"xabcd\"]",
			"true"},
		{"regex.match",
			"[\"^a.*\",\"b\"]",
			"false"},
		{"regex.match",
			"[\"\\\\pL{2}\",\"1\\u00e9\\u00df\"]",
			"true"},
		{"regex.match",
			"[\"(?i)stra\\u00dfe\",\"STRA\\u00dfE\"]",
			"true"},
		{"regex.match",
			"[\"[[:upper:]]\\\\d\",\"aB7\"]",
			"true"},
		{"regex.match",
			"[\"\\\\bfoo\\\\b\",\"a foo b\"]",
			"true"},
		{"regex.match",
			"[\"\\\\p{greek}\",\"\\u03b4\"]",
			"true"},
		{"regex.match",
			"[\"\\\\pC\",\"\\u0378\"]",
			"true"},
		{"regex.match",
			"[\"[^\\\\pC]\",\"\\u0378\"]",
			"false"},
		{"regex.match",
			"[\"\\\\Qa.b\\\\E\",\"a.b\"]",
			"true"},
		{"regex.match",
			"[\"\\\\Qa.b\\\\E\",\"axb\"]",
			"false"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void matches_are_found_from_left_to_right(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"regex.find_n",
			"[\"a.\",\"paranormal\",-1]",
			"[\"ar\", \"an\", \"al\"]"},
		{"regex.find_n",
			"[\"a.\",\"paranormal\",2]",
			"[\"ar\", \"an\"]"},
		{"regex.find_n",
			"[\"a.\",\"paranormal\",0]",
			"[]"},
		{"regex.find_n",
			"[\"a*\",\"baaac\",-1]",
			"[\"\", \"aaa\", \"\"]"},
		{"regex.find_n",
			"[\"\",\"a\\u00e9\",-1]",
			"[\"\", \"\", \"\"]"},
		{"regex.find_n",
			"[\"\\\\B\",\"a\\u00e9\",-1]",
			"[\"\"]"},
		{"regex.find_n",
			"[\"b|[bB]\",\"bB\",-1]",
			"[\"b\", \"B\"]"},
		{"regex.find_n",
			"[\"b|(?i:b)\",\"bB\",-1]",
			"[\"b\", \"B\"]"},
		{"regex.find_n",
			"[\"[a-c]|[bB]\",\"bB\",-1]",
			"[\"b\", \"B\"]"},
		{"regex.find_n",
			"[\"ab|a[bB]\",\"aB\",-1]",
			"[\"aB\"]"},
		{"regex.find_n",
			"[\"(^?i)?(?i)?i\",\"xI\",-1]",
			"[\"I\"]"},
		{"regex.find_n",
			"[\"(a*)\\\\Q\\\\E*\",\"aa\",-1]",
			"[\"aa\"]"},
		{"regex.find_n",
			"[\"(?i)k\",\"k\\u212aK\",-1]",
			"[\"k\", \"\xe2\x84\xaa\", \"K\"]"},
		{"regex.find_n",
			"[\"a|ab\",\"ab\",-1]",
			"[\"a\"]"},
		{"regex.find_n",
			"[\"x*?\",\"xx\",-1]",
			"[\"\", \"\", \"\"]"},
		{"regex.find_n",
			"[\"ab\",\"xxabyabz\",-1]",
			"[\"ab\", \"ab\"]"},
		{"regex.find_n",
			"[\"^a\",\"aaa\",-1]",
			"[\"a\"]"},
		{"regex.find_n",
			"[\"a$\",\"aaa\",-1]",
			"[\"a\"]"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void groups_that_took_no_part_are_empty(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"regex.find_all_string_submatch_n",
			"[\"(a)|(b)\",\"ab\",-1]",
			"[[\"a\", \"a\", \"\"], [\"b\", \"\", \"b\"]]"},
		{"regex.find_all_string_submatch_n",
			"[\"a(x*)b(y|z)?c\",\"-axxxbyc-abzc-\",-1]",
			"[[\"axxxbyc\", \"xxx\", \"y\"], [\"abzc\", \"\", \"z\"]]"},
		{"regex.find_all_string_submatch_n",
			"[\"(a*)*\",\"b\",-1]",
			"[[\"\", \"\"], [\"\", \"\"]]"},
		{"regex.find_all_string_submatch_n",
			"[\"(|a)+\",\"aa\",-1]",
			"[[\"\", \"\"], [\"\", \"\"], [\"\", \"\"]]"},
		{"regex.find_all_string_submatch_n",
			"[\"(?P<n>.)(?<m>.)?\",\"abc\",-1]",
			"[[\"ab\", \"a\", \"b\"], [\"c\", \"c\", \"\"]]"},
		{"regex.find_all_string_submatch_n",
			"[\"\\u00e9(.)\",\"x\\u00e9y\",1]",
			"[[\"\xc3\xa9y\", \"y\"]]"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void split_is_as_in_go(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"regex.split",
			"[\"a*\",\"abaabaccadaaae\"]",
			"[\"\", \"b\", \"b\", \"c\", \"c\", \"d\", \"e\"]"},
		{"regex.split",
			"[\"\",\"abc\"]",
			"[\"a\", \"b\", \"c\"]"},
		{"regex.split",
			"[\"x\",\"\"]",
			"[\"\"]"},
		{"regex.split",
			"[\"\",\"\"]",
			"[]"},
		{"regex.split",
			"[\"b\",\"b\"]",
			"[\"\", \"\"]"},
		{"regex.split",
			"[\"^\",\"ab\"]",
			"[\"ab\"]"},
		{"regex.split",
			"[\",\\\\s*\",\"a, b,c,\"]",
			"[\"a\", \"b\", \"c\", \"\"]"},
		{"regex.split",
			"[\"\\\\d\",\"1a2\"]",
			"[\"\", \"a\", \"\"]"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void a_replacement_may_refer_to_groups(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"regex.replace",
			"[\"-ab-axxb-\",\"a(x*)b\",\"T\"]",
			"\"-T-T-\""},
		{"regex.replace",
			"[\"-ab-axxb-\",\"a(x*)b\",\"$1\"]",
			"\"--xx-\""},
		{"regex.replace",
			"[\"-ab-axxb-\",\"a(x*)b\",\"$1W\"]",
			"\"---\""},
		{"regex.replace",
			"[\"-ab-axxb-\",\"a(x*)b\",\"${1}W\"]",
			"\"-W-xxW-\""},
		{"regex.replace",
			"[\"-ab-axxb-\",\"a(?P<n>x*)b\",\"<${n}$n>\"]",
			"\"-<>-<xxxx>-\""},
		{"regex.replace",
			"[\"a\",\"a\",\"$$1$\"]",
			"\"$1$\""},
		{"regex.replace",
			"[\"a\",\"a\",\"${1\"]",
			"\"${1\""},
		{"regex.replace",
			"[\"a\",\"(a)\",\"$01 $00 $10\"]",
			"\"  \""},
		{"regex.replace",
			"[\"ab\",\"(?P<x>a)|(?P<x>b)\",\"[$x]\"]",
			"\"[a][b]\""},
		{"regex.replace",
			"[\"foo\",\"^[a-z]\",\"F\"]",
			"\"Foo\""},
		{"regex.replace",
			"[\"abc\",\"\",\"-\"]",
			"\"-a-b-c-\""},
		{"regex.replace",
			"[\"a\\u00e9\",\"\\u00e9?\",\".\"]",
			"\".a.\""},
		{"regex.replace",
			"[\"same\",\"x\",\"y\"]",
			"\"same\""},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void a_pattern_must_be_right(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"regex.match",
			"[\"[\",\"a\"]",
			"eval_builtin_error: error parsing regexp: missing closing ]: `[`"},
		{"regex.match",
			"[\"a[b-a]\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid character class range: `b-a`"},
		{"regex.match",
			"[\"(\",\"a\"]",
			"eval_builtin_error: error parsing regexp: missing closing ): `(`"},
		{"regex.match",
			"[\"a)\",\"a\"]",
			"eval_builtin_error: error parsing regexp: unexpected ): `a)`"},
		{"regex.match",
			"[\"*\",\"a\"]",
			"eval_builtin_error: error parsing regexp: missing argument to repetition operator: `*`"},
		{"regex.match",
			"[\"a**\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid nested repetition operator: `**`"},
		{"regex.match",
			"[\"a{2}{3}\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid nested repetition operator: `{2}{3}`"},
		{"regex.match",
			"[\"a{1001}\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid repeat count: `{1001}`"},
		{"regex.match",
			"[\"(a{100}){11}\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid repeat count: `{11}`"},
		{"regex.match",
			"[\"\\\\\",\"a\"]",
			"eval_builtin_error: error parsing regexp: trailing backslash at end of expression: ``"},
		{"regex.match",
			"[\"\\\\8\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid escape sequence: `\\8`"},
		{"regex.match",
			"[\"\\\\x{110000}\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid escape sequence: `\\x{110000`"},
		{"regex.match",
			"[\"\\\\x4\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid escape sequence: `\\x4`"},
		{"regex.match",
			"[\"\\\\p{Foo}\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid character class range: `\\p{Foo}`"},
		{"regex.match",
			"[\"\\\\pQ\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid character class range: `\\pQ`"},
		{"regex.match",
			"[\"[[:foo:]]\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid character class range: `[:foo:]`"},
		{"regex.match",
			"[\"(?P<n\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid named capture: `(?P<n`"},
		{"regex.match",
			"[\"(?P<n->x)\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid named capture: `(?P<n->`"},
		{"regex.match",
			"[\"(?x)\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid or unsupported Perl syntax: `(?x`"},
		{"regex.match",
			"[\"(?\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid or unsupported Perl syntax: `(?`"},
		{"regex.match",
			"[\"(?i-)\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid or unsupported Perl syntax: `(?i-)`"},
		{"regex.match",
			"[\"(?P=n)\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid or unsupported Perl syntax: `(?P`"},
		{"regex.match",
			"[\"\\\\C\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid escape sequence: `\\C`"},
		{"regex.match",
			"[\"x{2,1}\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid repeat count: `{2,1}`"},
		{"regex.match",
			"[\"(?=a)\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
		{"regex.match",
			"[\"\\\\p{Old_Italic}\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid character class range: `\\p{Old_Italic}`"},
		{"regex.match",
			"[\"a++\",\"a\"]",
			"eval_builtin_error: error parsing regexp: invalid nested repetition operator: `++`"},
		{"regex.match",
			"[\"+\",\"a\"]",
			"eval_builtin_error: error parsing regexp: missing argument to repetition operator: `+`"},
		{"regex.is_valid",
			"[\"a(b\"]",
			"false"},
		{"regex.is_valid",
			"[\"a\"]",
			"true"},
		{"regex.is_valid",
			"[\"a{1000}\"]",
			"true"},
		{"regex.is_valid",
			"[\"a{1001}\"]",
			"false"},
		{"regex.is_valid",
			"[1]",
			"false"},
		{"regex.is_valid",
			"[\"(?<n>x)\"]",
			"true"},
		{"regex.find_n",
			"[\"a\",\"a\",1.0]",
			"[\"a\"]"},
		{"regex.find_n",
			"[\"a\",\"a\",1.5]",
			"eval_type_error: operand 3 must be integer number but got floating-point number"},
		{"regex.find_n",
			"[\"a\",\"a\",1e0]",
			"eval_type_error: operand 3 must be integer number but got floating-point number"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void a_template_is_plain_outside_of_its_delimiters(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"regex.template_match",
			"[\"urn:foo:{.*}\",\"urn:foo:bar\",\"{\",\"}\"]",
			"true"},
		{"regex.template_match",
			"[\"urn.foo:<[0-9]{1,2}>\",\"urnxfoo:1\",\"<\",\">\"]",
			"false"},
		{"regex.template_match",
			"[\"<a|b>\",\"b\",\"<\",\">\"]",
			"true"},
		{"regex.template_match",
			"[\"<a\",\"a\",\"<\",\">\"]",
			"eval_builtin_error: unbalanced braces in \"<a\""},
		{"regex.template_match",
			"[\"a\",\"a\",\"<<\",\">\"]",
			"eval_builtin_error: start delimiter has to be exactly one character long but is 2 long"},
		{"regex.template_match",
			"[\"a\",\"a\",\"<\",\">>\"]",
			"eval_builtin_error: end delimiter has to be exactly one character long but is 1 long"},
		{"regex.template_match",
			"[\"<[>\",\"a\",\"<\",\">\"]",
			"eval_builtin_error: error parsing regexp: missing closing ]: `[$`"},
		{"regex.template_match",
			"[\"|a|\",\"a\",\"|\",\"|\"]",
			"eval_builtin_error: unbalanced braces in \"|a|\""},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void two_globs_match_if_a_text_matches_both(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"regex.globs_match",
			"[\"a.a.\",\".b.b\"]",
			"true"},
		{"regex.globs_match",
			"[\"[a-z]+\",\"[0-9]*\"]",
			"false"},
		{"regex.globs_match",
			"[\"a*\",\"b*\"]",
			"false"},
		{"regex.globs_match",
			"[\".+\",\"x\"]",
			"true"},
		{"regex.globs_match",
			"[\"[a-c]b*\",\"cbb\"]",
			"true"},
		{"regex.globs_match",
			"[\"a\",\"[a\"]",
			"eval_builtin_error: input:[a, pos:2, found [ without matching ]: the input provided is invalid"},
		{"regex.globs_match",
			"[\"+\",\"a\"]",
			"eval_builtin_error: input:+, pos:1, flag '+' must be preceded by a non-flag: the input provided is invalid"},
		{"regex.globs_match",
			"[\"a]\",\"a\"]",
			"eval_builtin_error: input:a], pos:2, set-close ']' with no preceding '[': the input provided is invalid"},
		{"regex.globs_match",
			"[\"[c-a]\",\"a\"]",
			"eval_builtin_error: input:[c-a], pos:4, range is out of order: 'a' comes before 'c' in Unicode: the input provided is invalid"},
		{"regex.globs_match",
			"[\"[-a]\",\"a\"]",
			"eval_builtin_error: input:[-a], pos:2, range character '-' must be preceded by a Unicode character: the input provided is invalid"},
		{"regex.globs_match",
			"[\"[a-\",\"a\"]",
			"eval_builtin_error: input:[a-, pos:3, range character '-' must be followed by a Unicode character: the input provided is invalid"},
		{"regex.globs_match",
			"[\"[a--]\",\"a\"]",
			"eval_builtin_error: input:[a--], pos:4, range character '-' cannot be followed by a special symbol: the input provided is invalid"},
		{"regex.globs_match",
			"[\"a\\\\\",\"a\"]",
			"eval_builtin_error: input:a\\, pos:1, input ends with a \\ (escape) character: the input provided is invalid"},
		{"regex.globs_match",
			"[\"a**\",\"a\"]",
			"eval_builtin_error: input:a**, pos:3, flag '*' must be preceded by a non-flag: the input provided is invalid"},
		{"regex.globs_match",
			"[\"\",\"a\"]",
			"false"},
		{"regex.globs_match",
			"[\"\",\"a*\"]",
			"false"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_match_may_be_anywhere_in_the_text),
		cmocka_unit_test(matches_are_found_from_left_to_right),
		cmocka_unit_test(groups_that_took_no_part_are_empty),
		cmocka_unit_test(split_is_as_in_go),
		cmocka_unit_test(a_replacement_may_refer_to_groups),
		cmocka_unit_test(a_pattern_must_be_right),
		cmocka_unit_test(a_template_is_plain_outside_of_its_delimiters),
		cmocka_unit_test(two_globs_match_if_a_text_matches_both),
		cmocka_unit_test(a_pattern_has_a_size_limit),
		cmocka_unit_test(
			bytes_that_are_not_utf8_count_as_one_code_point),
		cmocka_unit_test(many_patterns_do_not_pile_up),
		cmocka_unit_test(a_step_limit_ends_a_regex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
