#include "tests/builtin_calls.h"

#define SET(items) "{\"$set\": [" items "]}"

static void operators_work_as_functions(void **state)
{
	static const struct builtin_case cases[] = {
		{"plus", "[1, 2.50]", "3.5"},
		{"minus", "[3, 5]", "-2"},
		{"minus", "[" SET("1, 2, 3") ", " SET("2, 9") "]", "{1, 3}"},
		{"and", "[" SET("1, 2, 3") ", " SET("2, 3, 4") "]", "{2, 3}"},
		{"or", "[" SET("1, 3") ", " SET("2, 3") "]", "{1, 2, 3}"},
		{"set_diff", "[" SET("1") ", " SET("1") "]", "set()"},
		{"rem", "[-7, 3]", "-1"},
		{"equal", "[1, 1.0]", "true"},
		{"neq", "[[1], {}]", "true"},
		{"lt", "[null, false]", "true"},
		{"gte", "[" SET("") ", {}]", "true"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void operators_say_what_is_wrong(void **state)
{
	static const struct builtin_case cases[] = {
		{"div", "[1, 0]", "eval_builtin_error: divide by zero"},
		{"div", "[1, 0.0]", "eval_builtin_error: divide by zero"},
		{"rem", "[1, 0]", "eval_builtin_error: modulo by zero"},
		{"rem", "[1.5, 1]",
			"eval_builtin_error: modulo on floating-point number"},
		{"minus", "[\"a\", 1]",
			"eval_type_error: operand 1 must be one of {number, "
			"set} but got string"},
		{"minus", "[1, {\"$set\": []}]",
			"eval_type_error: operand 2 must be number but got "
			"set"},
		{"minus", "[{\"$set\": [1]}, 1]",
			"eval_type_error: operand 2 must be set but got "
			"number"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void members_are_found_in_any_collection(void **state)
{
	static const struct builtin_case cases[] = {
		{"internal.member_2", "[2, [1, 2.0]]", "true"},
		{"internal.member_2", "[\"a\", {\"a\": 1}]", "false"},
		{"internal.member_2", "[1, {\"a\": 1}]", "true"},
		{"internal.member_2", "[1, " SET("1") "]", "true"},
		{"internal.member_2", "[1, 1]", "false"},
		{"internal.member_3", "[0, \"x\", [\"x\"]]", "true"},
		{"internal.member_3", "[0.0, \"x\", [\"x\"]]", "true"},
		{"internal.member_3", "[0e0, \"x\", [\"x\"]]", "false"},
		{"internal.member_3", "[1, 1, " SET("1") "]", "true"},
		{"internal.member_3", "[\"k\", 2, {\"k\": 1}]", "false"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void types_are_told_apart(void **state)
{
	static const struct builtin_case cases[] = {
		{"is_array", "[[]]", "true"},
		{"is_set", "[[]]", "false"},
		{"is_boolean", "[false]", "true"},
		{"is_null", "[null]", "true"},
		{"type_name", "[" SET("1") "]", "\"set\""},
		{"cast_set", "[[2, 1, 2]]", "{1, 2}"},
		{"cast_array", "[" SET("2, 1") "]", "[1, 2]"},
		{"cast_string", "[1]",
			"eval_type_error: operand 1 must be string but got "
			"number"},
		{"all", "[[true, 1]]", "false"},
		{"all", "[[]]", "true"},
		{"any", "[" SET("false, true") "]", "true"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operators_work_as_functions),
		cmocka_unit_test(operators_say_what_is_wrong),
		cmocka_unit_test(members_are_found_in_any_collection),
		cmocka_unit_test(types_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
