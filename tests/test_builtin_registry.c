#include "tests/builtin_calls.h"

static void every_builtin_is_found_by_its_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < builtin_count(); i++) {
		const struct builtin *b = builtin_at(i);

		assert_non_null(b);
		if (builtin_find(str_from(b->name)) != b)
			fail_msg("%s is not found, or twice there", b->name);
		assert_num(builtin_index(b), i);
	}
	assert_null(builtin_at(builtin_count()));
}

static void other_names_are_not_found(void **state)
{
	static const char *const names[] = {
		"", "coun", "countx", "regex", "regex.", "Count", "data.count"};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		if (builtin_find(str_from(names[i])))
			fail_msg("found \"%s\"", names[i]);
}

static void a_row_says_the_types_of_each_argument(void **state)
{
	(void)state;
	for (size_t i = 0; i < builtin_count(); i++) {
		const struct builtin *b = builtin_at(i);

		assert_in_range(b->arity + 1, 0, COUNT(b->types) + 1);
		for (int k = 0; k < b->arity; k++)
			if (!b->types[k])
				fail_msg("%s: argument %d takes no type",
					b->name, k + 1);
	}
}

static void an_operand_error_names_both_types(void **state)
{
	struct bi_ctx cx = {0};

	(void)state;
	assert_int_equal(bi_operand(&cx, 2, "string", v_empty_arr), BI_ERROR);
	assert_string_equal(cx.code, "eval_type_error");
	assert_string_equal(cx.text, "operand 2 must be string but got array");
}

static void a_long_message_is_cut_between_code_points(void **state)
{
	struct bi_ctx cx = {0};
	struct buf b = {0};

	(void)state;
	buf_addc(&b, '>');
	while (b.len < 2 * sizeof(cx.text))
		buf_adds(&b, "\xe2\x82\xac");
	bi_error(&cx, "%s", b.ptr);
	assert_in_range(
		strlen(cx.text), sizeof(cx.text) - 4, sizeof(cx.text) - 1);
	assert_true(utf8_valid(cx.text, strlen(cx.text)));
	buf_release(&b);
}

static void a_budget_is_spent_once(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = {.arena = &a, .steps = 10};

	(void)state;
	assert_true(bi_charge(&cx, 10));
	assert_false(bi_charge(&cx, 1));
	assert_string_equal(cx.code, "eval_cancel_error");
	assert_false(bi_charge(&cx, 0));
}

static void memory_is_refused_before_it_is_taken(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = {
		.arena = &a, .steps = INT64_MAX, .memory_max = 16000};

	(void)state;
	assert_true(bi_charge(&cx, 1000));
	assert_false(bi_charge(&cx, 1001));
	assert_string_equal(cx.code, "eval_cancel_error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_builtin_is_found_by_its_name),
		cmocka_unit_test(other_names_are_not_found),
		cmocka_unit_test(a_row_says_the_types_of_each_argument),
		cmocka_unit_test(an_operand_error_names_both_types),
		cmocka_unit_test(a_long_message_is_cut_between_code_points),
		cmocka_unit_test(a_budget_is_spent_once),
		cmocka_unit_test(memory_is_refused_before_it_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
