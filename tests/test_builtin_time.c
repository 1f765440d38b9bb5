/*
 * time.*: what OPA 1.22.2 gives for each call.
 */
#include "tests/builtin_calls.h"

#include <stdlib.h>

static void the_clock_is_the_one_of_the_query(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	struct buf got = {0};

	(void)state;
	cx.now_ns = 1700000000123456789;
	builtin_text(&cx, "time.now_ns", "[]", &got);
	assert_string_equal(got.ptr, "1700000000123456789");
	assert_true(builtin_find(S("time.now_ns"))->flags & BF_NONDET);
	buf_release(&got);
	arena_release(&a);
}

static void a_moment_is_shown_in_its_zone(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"time.date",
			"[1707133074028819500]",
			"[2024, 2, 5]"},
		{"time.date",
			"[[1707133074028819500,\"Asia/Tokyo\"]]",
			"[2024, 2, 5]"},
		{"time.date",
			"[[1707133074028819500,\"\"]]",
			"[2024, 2, 5]"},
		{"time.date",
			"[1.5e18]",
			"[2017, 7, 14]"},
		{"time.clock",
			"[1707133074028819500]",
			"[11, 37, 54]"},
		{"time.clock",
			"[[1707133074028819500,\"America/St_Johns\"]]",
			"[8, 7, 54]"},
		{"time.clock",
			"[[4000000000000000000,\"America/New_York\"]]",
			"[3, 6, 40]"},
		{"time.clock",
			"[-1]",
			"[23, 59, 59]"},
		{"time.weekday",
			"[1707133074028819500]",
			"\"Monday\""},
		{"time.weekday",
			"[[1707133074028819500,\"Pacific/Kiritimati\"]]",
			"\"Tuesday\""},
		{"time.weekday",
			"[0]",
			"\"Thursday\""},
		{"time.weekday",
			"[-9223372036854775808]",
			"\"Tuesday\""},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void a_moment_must_be_a_number_in_range(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"time.date",
			"[\"x\"]",
			"eval_type_error: operand 1 must be either number (ns) or [number (ns), string (tz)] but got string"},
		{"time.date",
			"[[]]",
			"eval_type_error: operand 1 must be either number (ns) or [number (ns), string (tz)] but got array"},
		{"time.date",
			"[[\"x\"]]",
			"eval_type_error: operand 1 must be number but got string"},
		{"time.date",
			"[[1,2]]",
			"eval_type_error: operand 1 must be string but got number"},
		{"time.date",
			"[[1,\"Foo/Bar\"]]",
			"eval_builtin_error: unknown time zone Foo/Bar"},
		{"time.date",
			"[[1,\"America\"]]",
			"eval_builtin_error: is a directory"},
		{"time.date",
			"[[1,\"../x\"]]",
			"eval_builtin_error: time: invalid location name"},
		{"time.date",
			"[[1,\"/etc\"]]",
			"eval_builtin_error: time: invalid location name"},
		{"time.date",
			"[9223372036854775808]",
			"eval_builtin_error: timestamp too big"},
		{"time.date",
			"[1.5]",
			"eval_builtin_error: timestamp too big"},
		{"time.date",
			"[null]",
			"eval_type_error: operand 1 must be either number (ns) or [number (ns), string (tz)] but got null"},
		{"time.format",
			"[[1,\"UTC\",3]]",
			"eval_type_error: operand 1 must be string but got number"},
		{"time.format",
			"[[1,\"UTC\",\"\"]]",
			"\"1970-01-01T00:00:00.000000001Z\""},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void layouts_are_given_by_example(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"time.format",
			"[1707133074028819500]",
			"\"2024-02-05T11:37:54.0288195Z\""},
		{"time.format",
			"[[1707133074028819500,\"Asia/Tokyo\",\"RFC3339\"]]",
			"\"2024-02-05T20:37:54+09:00\""},
		{"time.format",
			"[[1707133074028819500,\"Asia/Tokyo\",\"RFC1123\"]]",
			"\"Mon, 05 Feb 2024 20:37:54 JST\""},
		{"time.format",
			"[[1707133074028819500,\"Asia/Tokyo\",\"RubyDate\"]]",
			"\"Mon Feb 05 20:37:54 +0900 2024\""},
		{"time.format",
			"[[1707133074028819500,\"Asia/Tokyo\",\"UnixDate\"]]",
			"\"Mon Feb  5 20:37:54 JST 2024\""},
		{"time.format",
			"[[1707133074028819500,\"Asia/Tokyo\",\"Mon Jan _2 15:04:05 MST 2006\"]]",
			"\"Mon Feb  5 20:37:54 JST 2024\""},
		{"time.format",
			"[[1707133074028819500,\"Asia/Tokyo\",\"2006-002 __2\"]]",
			"\"2024-036  36\""},
		{"time.format",
			"[[1707133074028819500,\"Asia/Tokyo\",\"03:04:05.000 PM pm\"]]",
			"\"08:37:54.028 PM pm\""},
		{"time.format",
			"[[1707133074028819500,\"Asia/Tokyo\",\"3:4:5,999\"]]",
			"\"8:37:54,028\""},
		{"time.format",
			"[[1707133074028819500,\"Asia/Tokyo\",\"Z07 Z0700 Z07:00 Z070000 Z07:00:00\"]]",
			"\"+09 +0900 +09:00 +090000 +09:00:00\""},
		{"time.format",
			"[[1707133074028819500,\"Asia/Tokyo\",\"-07 -0700 -07:00 -070000 -07:00:00\"]]",
			"\"+09 +0900 +09:00 +090000 +09:00:00\""},
		{"time.format",
			"[[1707133074028819500,\"Asia/Tokyo\",\"January Monday Janu Mond\"]]",
			"\"February Monday Janu Mond\""},
		{"time.format",
			"[[1707133074028819500,\"Asia/Tokyo\",\"1/2/06\"]]",
			"\"2/5/24\""},
		{"time.format",
			"[[1707133074028819500,\"Asia/Tokyo\",\"_2006\"]]",
			"\"_2024\""},
		{"time.format",
			"[[1707133074028819500,\"Asia/Tokyo\",\"\\u00e9\\\"\\\\.00\"]]",
			"\"\xc3\xa9\\\"\\\\.02\""},
		{"time.format",
			"[[1707133074028819500,\"UTC\",\"Z07:00 -07:00 MST\"]]",
			"\"Z +00:00 UTC\""},
		{"time.format",
			"[[-2840140800000000000,\"Europe/Amsterdam\",\"Z07:00:00 MST\"]]",
			"\"+00:19:32 AMT\""},
		{"time.format",
			"[[100,\"\",\".999999999 .000 .99\"]]",
			"\".0000001 .000 \""},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void zones_follow_their_rules_after_the_last_change(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"time.format",
			"[[4102444800000000000,\"Europe/Berlin\"]]",
			"\"2100-01-01T01:00:00+01:00\""},
		{"time.format",
			"[[4118000000000000000,\"Europe/Berlin\"]]",
			"\"2100-06-30T02:53:20+02:00\""},
		{"time.format",
			"[[4102444800000000000,\"Australia/Sydney\"]]",
			"\"2100-01-01T11:00:00+11:00\""},
		{"time.format",
			"[[4118000000000000000,\"Australia/Sydney\",\"MST -07:00\"]]",
			"\"AEST +10:00\""},
		{"time.format",
			"[[4118000000000000000,\"America/Sao_Paulo\",\"MST\"]]",
			"\"-03\""},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void times_are_read_by_layout(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"time.parse_ns",
			"[\"2006-01-02\",\"2024-02-29\"]",
			"1709164800000000000"},
		{"time.parse_ns",
			"[\"RFC1123\",\"Mon, 02 Jan 2006 15:04:05 MST\"]",
			"1136214245000000000"},
		{"time.parse_ns",
			"[\"RFC1123Z\",\"Mon, 02 Jan 2006 15:04:05 -0700\"]",
			"1136239445000000000"},
		{"time.parse_ns",
			"[\"2006-01-02 15:04:05\",\"2006-01-02 15:04:05.123\"]",
			"1136214245123000000"},
		{"time.parse_ns",
			"[\"2006 002\",\"2024 060\"]",
			"1709164800000000000"},
		{"time.parse_ns",
			"[\"3:04PM 2006\",\"12:00AM 2020\"]",
			"1577836800000000000"},
		{"time.parse_ns",
			"[\"Jan _2 06\",\"feb  3 70\"]",
			"2851200000000000"},
		{"time.parse_ns",
			"[\"2006 MST\",\"2020 GMT+3\"]",
			"1577836800000000000"},
		{"time.parse_ns",
			"[\"2006 Z07:00\",\"2020 +24:00\"]",
			"1577750400000000000"},
		{"time.parse_ns",
			"[\"2006\",\"1677\"]",
			"eval_builtin_error: time outside of valid range"},
		{"time.parse_ns",
			"[\".000 2006\",\".12 2000\"]",
			"eval_builtin_error: parsing time \".12 2000\" as \".000 2006\": cannot parse \".12 2000\" as \".000\""},
		{"time.parse_rfc3339_ns",
			"[\"2006-01-02T15:04:05.999999999Z\"]",
			"1136214245999999999"},
		{"time.parse_rfc3339_ns",
			"[\"2006-01-02T15:04:05,5+01:00\"]",
			"1136210645500000000"},
		{"time.parse_rfc3339_ns",
			"[\"1677-09-21T00:12:43.145224192Z\"]",
			"-9223372036854775808"},
		{"time.parse_rfc3339_ns",
			"[\"2262-04-11T23:47:16.854775808Z\"]",
			"eval_builtin_error: time outside of valid range"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void what_cannot_be_read_is_named(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"time.parse_ns",
			"[\"2006-01-02\",\"2024-02-30\"]",
			"eval_builtin_error: parsing time \"2024-02-30\": day out of range"},
		{"time.parse_ns",
			"[\"2006-01-02\",\"2024-13-01\"]",
			"eval_builtin_error: parsing time \"2024-13-01\": month out of range"},
		{"time.parse_ns",
			"[\"2006-01-02\",\"2024-1-01\"]",
			"eval_builtin_error: parsing time \"2024-1-01\" as \"2006-01-02\": cannot parse \"1-01\" as \"01\""},
		{"time.parse_ns",
			"[\"2006-01-02\",\"2024-01-01x\"]",
			"eval_builtin_error: parsing time \"2024-01-01x\": extra text: \"x\""},
		{"time.parse_ns",
			"[\"2006-01-02\",\"2024/01\"]",
			"eval_builtin_error: parsing time \"2024/01\" as \"2006-01-02\": cannot parse \"/01\" as \"-\""},
		{"time.parse_ns",
			"[\"15:04\",\"24:00\"]",
			"eval_builtin_error: parsing time \"24:00\": hour out of range"},
		{"time.parse_ns",
			"[\"15:04\",\"23:60\"]",
			"eval_builtin_error: parsing time \"23:60\": minute out of range"},
		{"time.parse_ns",
			"[\"Jan\",\"Foo\"]",
			"eval_builtin_error: parsing time \"Foo\" as \"Jan\": cannot parse \"Foo\" as \"Jan\""},
		{"time.parse_ns",
			"[\"2006 002\",\"2023 366\"]",
			"eval_builtin_error: parsing time \"2023 366\": day-of-year out of range"},
		{"time.parse_ns",
			"[\"2006 01 002\",\"2023 02 001\"]",
			"eval_builtin_error: parsing time \"2023 02 001\": day-of-year does not match month"},
		{"time.parse_ns",
			"[\"Z07:00\",\"+25:00\"]",
			"eval_builtin_error: parsing time \"+25:00\": time zone offset hour out of range"},
		{"time.parse_ns",
			"[\"-07:00\",\"x1:00\"]",
			"eval_builtin_error: parsing time \"x1:00\" as \"-07:00\": cannot parse \"x1:00\" as \"-07:00\""},
		{"time.parse_ns",
			"[\"2006\\n\\\"\",\"\\u00e9\\u0001\"]",
			"eval_builtin_error: parsing time \"\\xc3\\xa9\\x01\" as \"2006\\x0a\\\"\": cannot parse \"\\xc3\\xa9\\x01\" as \"2006\""},
		{"time.parse_rfc3339_ns",
			"[\"x\"]",
			"eval_builtin_error: parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"x\" as \"2006\""},
		{"time.parse_rfc3339_ns",
			"[\"2006-01-02T15:04:05\"]",
			"eval_builtin_error: parsing time \"2006-01-02T15:04:05\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as \"Z07:00\""},
		{"time.parse_rfc3339_ns",
			"[\"2006-01-02T15:04:05+99:00\"]",
			"eval_builtin_error: parsing time \"2006-01-02T15:04:05+99:00\": time zone offset hour out of range"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void dates_are_added_by_the_calendar(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"time.add_date",
			"[[1707133074028819500,\"UTC\"],1,2,3]",
			"1744112274028819500"},
		{"time.add_date",
			"[[1707133074028819500,\"Europe/Berlin\"],0,1,24]",
			"1711712274028819500"},
		{"time.add_date",
			"[1709164800000000000,1,0,0]",
			"1740787200000000000"},
		{"time.add_date",
			"[1707133074028819500,0,-14,0]",
			"1670240274028819500"},
		{"time.add_date",
			"[1707133074028819500,300,0,0]",
			"eval_builtin_error: time outside of valid range"},
		{"time.add_date",
			"[1707133074028819500,0,0,-9223372036854775808]",
			"1707133074028819500"},
		{"time.add_date",
			"[1707133074028819500,1.0,0,0]",
			"1738755474028819500"},
		{"time.add_date",
			"[1707133074028819500,1.5,0,0]",
			"eval_type_error: operand 2 must be integer number but got floating-point number"},
		{"time.add_date",
			"[1707133074028819500,\"x\",0,0]",
			"eval_type_error: operand 2 must be number but got string"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void differences_are_by_the_calendar(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"time.diff",
			"[1707133074028819500,1500000000000000000]",
			"[6, 6, 22, 8, 57, 54]"},
		{"time.diff",
			"[1709164800000000000,1703980800000000000]",
			"[0, 1, 29, 0, 0, 0]"},
		{"time.diff",
			"[[1707133074028819500,\"Asia/Tokyo\"],[1707133074028819500,\"UTC\"]]",
			"[0, 0, 0, 0, 0, 0]"},
		{"time.diff",
			"[[\"x\"],1]",
			"eval_type_error: operand 1 must be number but got string"},
		{"time.diff",
			"[1,\"x\"]",
			"eval_type_error: operand 1 must be either number (ns) or [number (ns), string (tz)] but got string"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void durations_have_days_weeks_and_years(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"time.parse_duration_ns",
			"[\"1h30m\"]",
			"5400000000000"},
		{"time.parse_duration_ns",
			"[\"-1.5h\"]",
			"-5400000000000"},
		{"time.parse_duration_ns",
			"[\"1d2h\"]",
			"93600000000000"},
		{"time.parse_duration_ns",
			"[\"1w\"]",
			"604800000000000"},
		{"time.parse_duration_ns",
			"[\"1y\"]",
			"31536000000000000"},
		{"time.parse_duration_ns",
			"[\"1.5d\"]",
			"129600000000000"},
		{"time.parse_duration_ns",
			"[\"0.1d\"]",
			"8640000000000"},
		{"time.parse_duration_ns",
			"[\"0\"]",
			"0"},
		{"time.parse_duration_ns",
			"[\"1h0\"]",
			"eval_builtin_error: time: missing unit in duration \"1h0\""},
		{"time.parse_duration_ns",
			"[\"\"]",
			"eval_builtin_error: time: invalid duration \"\""},
		{"time.parse_duration_ns",
			"[\"1x\"]",
			"eval_builtin_error: time: unknown unit \"x\" in duration \"1x\""},
		{"time.parse_duration_ns",
			"[\"d\"]",
			"eval_builtin_error: time: invalid duration \"d\""},
		{"time.parse_duration_ns",
			"[\"1d1x\"]",
			"eval_builtin_error: time: unknown unit \"x\" in duration \"1d1x\""},
		{"time.parse_duration_ns",
			"[\"1.2.3d\"]",
			"eval_builtin_error: time: invalid duration \"1.2.3d\""},
		{"time.parse_duration_ns",
			"[\"106752d\"]",
			"eval_builtin_error: time: invalid duration \"106752d\""},
		{"time.parse_duration_ns",
			"[\"292y\"]",
			"9208512000000000000"},
		{"time.parse_duration_ns",
			"[\"293y\"]",
			"eval_builtin_error: time: invalid duration \"293y\""},
		{"time.parse_duration_ns",
			"[\"9223372036854775807ns\"]",
			"9223372036854775807"},
		{"time.parse_duration_ns",
			"[\"9223372036854775808ns\"]",
			"eval_builtin_error: time: invalid duration \"9223372036854775808ns\""},
		{"time.parse_duration_ns",
			"[\"-9223372036854775808ns\"]",
			"-9223372036854775808"},
		{"time.parse_duration_ns",
			"[\"1\\u00b5s2\\u03bcs\"]",
			"3000"},
		{"time.parse_duration_ns",
			"[\"1d\\u03bcs\"]",
			"eval_builtin_error: time: invalid duration \"1d\xce\xbcs\""},
		{"time.parse_duration_ns",
			"[\"1\\u00e9\"]",
			"eval_builtin_error: time: unknown unit \"\\xc3\\xa9\" in duration \"1\\xc3\\xa9\""},
		{"time.parse_duration_ns",
			"[\"1\\n\"]",
			"eval_builtin_error: time: unknown unit \"\\x0a\" in duration \"1\\x0a\""},
		{"time.parse_duration_ns",
			"[\"--1s\"]",
			"eval_builtin_error: time: invalid duration \"--1s\""},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_moment_is_shown_in_its_zone),
		cmocka_unit_test(a_moment_must_be_a_number_in_range),
		cmocka_unit_test(layouts_are_given_by_example),
		cmocka_unit_test(
			zones_follow_their_rules_after_the_last_change),
		cmocka_unit_test(times_are_read_by_layout),
		cmocka_unit_test(what_cannot_be_read_is_named),
		cmocka_unit_test(dates_are_added_by_the_calendar),
		cmocka_unit_test(differences_are_by_the_calendar),
		cmocka_unit_test(durations_have_days_weeks_and_years),
		cmocka_unit_test(the_clock_is_the_one_of_the_query),
	};

	setenv("TZ", "UTC", 1); /* abbreviations mean what they mean there */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
