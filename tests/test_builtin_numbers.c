#include "tests/builtin_calls.h"

#include "base/limits.h"

static void rounding_looks_at_the_integer_part(void **state)
{
	static const struct builtin_case cases[] = {
		{"round", "[2.5]", "3"},
		{"round", "[-2.5]", "-3"},
		{"round", "[-0.4]", "0"},
		{"ceil", "[1.2]", "2"},
		{"ceil", "[-1.5]", "-1"},
		{"ceil", "[-0.5]", "1"},
		{"floor", "[-0.5]", "0"},
		{"floor", "[-1.5]", "-2"},
		{"round", "[9223372036854775809]", "9223372036854775810"},
		{"ceil", "[1e30]", "1000000000000000000024696061952"},
		{"abs", "[-9223372036854775808]", "9223372036854775808"},
		{"abs", "[-0.0]", "0"},
		{"abs", "[-1e-5000]", "1e-5000"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void sums_and_products_stay_exact_on_integers(void **state)
{
	static const struct builtin_case cases[] = {
		{"sum", "[[]]", "0"},
		{"sum", "[[9223372036854775807, 1]]", "9223372036854775808"},
		{"sum", "[[1e2, 1.0]]", "101"},
		{"sum", "[[0.1, 0.2]]", "0.3"},
		{"product", "[[]]", "1"},
		{"product", "[[4294967296, 4294967296]]",
			"18446744073709551616"},
		/* a product of floats has 53 bits, a sum 64 */
		{"product", "[[0.1, 0.3, 7]]", "0.21000000000000002"},
		{"product", "[[-0.5, 0]]", "-0"},
		{"product", "[[1000000.5]]", "1.0000005e+06"},
		{"product", "[[18446744073709551615.4]]",
			"18446744073709550000"},
		{"sum", "[[1, \"a\"]]",
			"eval_type_error: operand 1 must be array of numbers "
			"but got array containing string"},
		{"product", "[1]",
			"eval_type_error: operand 1 must be one of {set, "
			"array} but got number"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void aggregates_order_all_values(void **state)
{
	static const struct builtin_case cases[] = {
		{"count", "[\"caf\xc3\xa9\"]", "4"},
		{"count", "[null]",
			"eval_type_error: operand 1 must be one of {array, "
			"object, set, string} but got null"},
		{"max", "[[1, 1.0]]", "1.0"},
		{"max", "[[]]", "undefined"},
		{"min", "[[[], null, 3]]", "null"},
		{"sort", "[[{}, \"b\", 2, \"a\", [1], null, true, 1.0, 1]]",
			"[null, true, 1.0, 1, 2, \"a\", \"b\", [1], {}]"},
		{"sort", "[{\"$set\": [3, 1]}]", "[1, 3]"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void ranges_go_both_ways(void **state)
{
	static const struct builtin_case cases[] = {
		{"numbers.range", "[2, -1]", "[2, 1, 0, -1]"},
		{"numbers.range", "[1e0, 3.0]", "[1, 2, 3]"},
		{"numbers.range", "[9223372036854775806, 9223372036854775809]",
			"[9223372036854775806, 9223372036854775807, "
			"9223372036854775808, 9223372036854775809]"},
		{"numbers.range",
			"[-9223372036854775808, "
			"-9223372036854775807]",
			"[-9223372036854775808, -9223372036854775807]"},
		{"numbers.range_step", "[1, 8, 3]", "[1, 4, 7]"},
		{"numbers.range_step", "[0, 1, 100000000000000000000]", "[0]"},
		{"numbers.range_step", "[1, 2, 0]",
			"eval_builtin_error: numbers.range_step: step must be "
			"a positive integer"},
		{"numbers.range", "[1, 1.5]",
			"eval_type_error: operand 2 must be integer number "
			"but got floating-point number"},
		{"numbers.range", "[\"a\", 1]",
			"eval_type_error: operand 1 must be integer but got "
			"string"},
		{"numbers.range", "[1, 100000001]",
			"eval_cancel_error: more than 100000000 numbers in "
			"range"},
		{"numbers.range", "[0, 100000000000000000000]",
			"eval_cancel_error: more than 100000000 numbers in "
			"range"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void a_range_is_charged_before_it_is_made(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	const struct builtin *b = builtin_find(S("numbers.range"));
	struct value args[] = {v_int(1), v_int(50000000)}, out;

	(void)state;
	cx.steps = 1000;
	cx.name = b->name;
	assert_num(b->fn(&cx, args, &out), BI_HALT);
	assert_true(a.used < 4096);
	arena_release(&a);
}

static void strings_become_numbers_as_in_go(void **state)
{
	static const struct builtin_case cases[] = {
		{"to_number", "[null]", "0"},
		{"to_number", "[true]", "1"},
		{"to_number", "[\"-1.50\"]", "-1.50"},
		{"to_number", "[\"+5\"]", "5"},
		{"to_number", "[\"007\"]", "7"},
		{"to_number", "[\".5\"]", "0.5"},
		{"to_number", "[\"5.e1\"]", "5e1"},
		{"to_number", "[\"1_000\"]", "1000"},
		{"to_number", "[\"0x1.8p3\"]", "12"},
		{"to_number", "[\"0x.E82p1\"]", "1.8134765625"},
		{"to_number", "[\"1__0\"]",
			"eval_builtin_error: strconv.ParseFloat: parsing "
			"\"1__0\": invalid syntax"},
		{"to_number", "[\"1e400\"]",
			"eval_builtin_error: strconv.ParseFloat: parsing "
			"\"1e400\": value out of range"},
		{"to_number", "[\"-Inf\"]",
			"eval_type_error: operand 1 must be valid number "
			"string but got string"},
		{"to_number", "[[]]",
			"eval_type_error: operand 1 must be one of {null, "
			"boolean, number, string} but got array"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void bits_have_no_end(void **state)
{
	static const struct builtin_case cases[] = {
		{"bits.and", "[-1, 18446744073709551616]",
			"18446744073709551616"},
		{"bits.or", "[5, 2]", "7"},
		{"bits.xor", "[-1, 1e0]", "-2"},
		{"bits.negate", "[-9223372036854775808]",
			"9223372036854775807"},
		{"bits.lsh", "[1, 64]", "18446744073709551616"},
		/* the low 64 bits of the distance count */
		{"bits.lsh", "[1, 18446744073709551617]", "2"},
		{"bits.rsh", "[-5, 1]", "-3"},
		{"bits.lsh", "[1, -1]",
			"eval_type_error: operand 2 must be an unsigned "
			"integer number but got a negative integer"},
		{"bits.and", "[1, \"a\"]",
			"eval_type_error: operand 2 must be integer but got "
			"string"},
		{"bits.lsh", "[1, 1000000000]",
			"eval_builtin_error: shift by 1000000000 bits, limit "
			"268435456"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void a_random_number_is_the_same_in_one_query(void **state)
{
	struct buf got[4] = {{0}};
	struct arena a = {0};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct bi_ctx cx = call_context(&a);

		cx.seed = i == 2 ? 43 : 42;
		builtin_text(&cx, "rand.intn",
			i == 3 ? "[\"b\", 1000000000]" : "[\"a\", -1000000000]",
			&got[i]);
	}
	assert_string_equal(got[0].ptr, got[1].ptr);
	assert_string_not_equal(got[0].ptr, got[2].ptr);
	assert_string_not_equal(got[0].ptr, got[3].ptr);
	for (int i = 0; i < 4; i++)
		buf_release(&got[i]);
	arena_release(&a);
}

/* What numbers.range(1, n) ends with when no step is left. */
static const char *range_error(struct bi_ctx *cx, int64_t n)
{
	struct value args[] = {v_int(1), v_int(n)}, got;

	cx->steps = 0;
	assert_num(
		builtin_find(S("numbers.range"))->fn(cx, args, &got), BI_HALT);
	return cx->text;
}

/* A list of that length is not made here: it would take 1.6 GB. */
static void a_range_is_bounded_before_it_is_made(void **state)
{
	static const char want[] = "more than 100000000 numbers in range";
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);

	(void)state;
	assert_string_not_equal(range_error(&cx, LIMIT_RANGE), want);
	assert_string_equal(range_error(&cx, LIMIT_RANGE + 1), want);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rounding_looks_at_the_integer_part),
		cmocka_unit_test(sums_and_products_stay_exact_on_integers),
		cmocka_unit_test(aggregates_order_all_values),
		cmocka_unit_test(ranges_go_both_ways),
		cmocka_unit_test(a_range_is_charged_before_it_is_made),
		cmocka_unit_test(strings_become_numbers_as_in_go),
		cmocka_unit_test(bits_have_no_end),
		cmocka_unit_test(a_random_number_is_the_same_in_one_query),
		cmocka_unit_test(a_range_is_bounded_before_it_is_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
