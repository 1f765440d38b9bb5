#include "tests/builtin_calls.h"

/* units, semver, uuid: strings with a syntax of their own. */

static void units_are_exact_decimals(void **state)
{
	static const struct builtin_case cases[] = {
		{"units.parse", "[\"10Ki\"]", "10240"},
		{"units.parse", "[\"0.1M\"]", "100000"},
		{"units.parse", "[\"1500m\"]", "1.5000000000"},
		{"units.parse", "[\"1e3\"]", "1000"},
		{"units.parse", "[\"1e\"]", "1000000000000000000"},
		{"units.parse", "[\"-.00000000005\"]", "-0.0000000001"},
		{"units.parse", "[\"1MI\"]", "1048576"},
		{"units.parse", "[\"1x\"]",
			"eval_builtin_error: units.parse: unit x not "
			"recognized"},
		{"units.parse", "[\"M\"]",
			"eval_builtin_error: units.parse: no amount provided"},
		{"units.parse", "[\"1 K\"]",
			"eval_builtin_error: units.parse: spaces not allowed "
			"in resource strings"},
		{"units.parse", "[\"1e1234567\"]",
			"eval_builtin_error: units.parse: exponent too large"},
		{"units.parse", "[\"1.2.3K\"]",
			"eval_builtin_error: units.parse: could not parse "
			"amount to a number"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void bytes_are_whole(void **state)
{
	static const struct builtin_case cases[] = {
		{"units.parse_bytes", "[\"1.5kb\"]", "1500"},
		{"units.parse_bytes", "[\"100MIB\"]", "104857600"},
		{"units.parse_bytes", "[\"0.0000001\"]", "0"},
		{"units.parse_bytes", "[\"-1.9\"]", "-1"},
		{"units.parse_bytes", "[\"123456789012345678901\"]",
			"123456789012345678904"},
		{"units.parse_bytes", "[\"\\\"3\\\"k\"]", "3000"},
		{"units.parse_bytes", "[\"1KK\"]",
			"eval_builtin_error: units.parse_bytes: byte unit kk "
			"not recognized"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void versions_compare(void **state)
{
	static const struct builtin_case cases[] = {
		{"semver.compare", "[\"v1.10.0\", \"1.9.0\"]", "1"},
		{"semver.compare", "[\"1.0.0-alpha\", \"1.0.0\"]", "-1"},
		{"semver.compare", "[\"1.0.0-a.2\", \"1.0.0-a.10\"]", "-1"},
		{"semver.compare", "[\"1.0.0-1\", \"1.0.0-a\"]", "-1"},
		{"semver.compare", "[\"1.0.0+x\", \"1.0.0\"]", "0"},
		{"semver.compare", "[\"1.0\", \"1.0.0\"]",
			"eval_builtin_error: operand 1: string \"1.0\" is not "
			"a valid SemVer"},
		{"semver.is_valid", "[\"1.0.0-01\"]", "false"},
		{"semver.is_valid", "[\"01.0.0\"]", "false"},
		{"semver.is_valid", "[\"1.0.0-0a\"]", "true"},
		{"semver.is_valid", "[7]", "false"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void ids_are_taken_apart(void **state)
{
	static const struct builtin_case cases[] = {
		{"uuid.parse", "[\"00000000-0000-4000-8000-000000000000\"]",
			"{\"variant\": \"RFC4122\", \"version\": 4}"},
		{"uuid.parse", "[\"{000003e8-48b9-21ee-b200-325096b39f47}\"]",
			"{\"clocksequence\": 12800, \"domain\": \"Person\", "
			"\"id\": 1000, \"macvariables\": \"local:unicast\", "
			"\"nodeid\": \"32-50-96-b3-9f-47\", "
			"\"time\": 1693566990121469600, "
			"\"variant\": \"RFC4122\", \"version\": 2}"},
		{"uuid.parse", "[\"urn:uuid:1\"]", "undefined"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void a_new_id_is_the_same_in_one_query(void **state)
{
	struct buf got[3] = {{0}};
	struct arena a = {0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct bi_ctx cx = call_context(&a);

		builtin_text(&cx, "uuid.rfc4122",
			i == 2 ? "[\"b\"]" : "[\"a\"]", &got[i]);
		assert_num(got[i].len, 36 + 2);
		assert_num(got[i].ptr[15], '4');
		assert_non_null(strchr("89ab", got[i].ptr[20]));
	}
	assert_string_equal(got[0].ptr, got[1].ptr);
	assert_string_not_equal(got[0].ptr, got[2].ptr);
	for (int i = 0; i < 3; i++)
		buf_release(&got[i]);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_are_exact_decimals),
		cmocka_unit_test(bytes_are_whole),
		cmocka_unit_test(versions_compare),
		cmocka_unit_test(ids_are_taken_apart),
		cmocka_unit_test(a_new_id_is_the_same_in_one_query),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
