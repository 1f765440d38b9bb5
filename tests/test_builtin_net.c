/*
 * net.cidr_*: what OPA 1.22.2 gives for each call.
 */
#include "tests/builtin_calls.h"

static void a_network_can_be_too_large_to_expand(void **state)
{
	static const struct builtin_case cases[] = {
		{"net.cidr_expand", "[\"::/64\"]",
			"eval_cancel_error: network has 2^64 addresses, "
			"limit 100000000"},
		{"net.cidr_expand", "[\"0.0.0.0/0\"]",
			"eval_cancel_error: network has 2^32 addresses, "
			"limit 100000000"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

/* OPA 1.22.2 itself fails on these: it loses leading zeros. */
static void addresses_with_leading_zeros_can_be_merged(void **state)
{
	static const struct builtin_case cases[] = {
		{"net.cidr_merge",
			"[[\"64:ff9b::/97\", \"64:ff9b::8000:0/97\"]]",
			"{\"64:ff9b::/96\"}"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void a_network_contains_addresses_and_networks(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"net.cidr_contains",
			"[\"10.0.0.0/8\",\"10.1.2.3\"]",
			"true"},
		{"net.cidr_contains",
			"[\"10.0.0.0/8\",\"11.1.2.3\"]",
			"false"},
		{"net.cidr_contains",
			"[\"10.0.0.0/8\",\"10.1.0.0/24\"]",
			"true"},
		{"net.cidr_contains",
			"[\"10.0.0.0/24\",\"10.0.0.0/8\"]",
			"false"},
		{"net.cidr_contains",
			"[\"2001:4860:4860::8888/32\",\"2001:4860:4860:8888::8888\"]",
			"true"},
		{"net.cidr_contains",
			"[\"::/80\",\"::/80\"]",
			"true"},
		{"net.cidr_contains",
			"[\"::/0\",\"1.2.3.4\"]",
			"false"},
		{"net.cidr_contains",
			"[\"::ffff:1.2.3.0/120\",\"1.2.3.4\"]",
			"true"},
		{"net.cidr_contains",
			"[\"fe80::/10\",\"fe80::1%eth0\"]",
			"eval_builtin_error: not a valid textual representation of an IP address or CIDR: fe80::1%eth0"},
		{"net.cidr_contains",
			"[\"10.0.0.0/33\",\"10.0.0.1\"]",
			"eval_builtin_error: invalid CIDR address: 10.0.0.0/33"},
		{"net.cidr_contains",
			"[\"10.0.0.0\",\"10.0.0.1\"]",
			"eval_builtin_error: invalid CIDR address: 10.0.0.0"},
		{"net.cidr_contains",
			"[\"010.0.0.0/8\",\"10.0.0.1\"]",
			"eval_builtin_error: invalid CIDR address: 010.0.0.0/8"},
		{"net.cidr_contains",
			"[\"10.0.0.0/8\",\"10.0.0.0/8/8\"]",
			"eval_builtin_error: not a valid textual representation of an IP address or CIDR: 10.0.0.0/8/8"},
		{"net.cidr_contains",
			"[\"10.0.0.0/8\",\"x\"]",
			"eval_builtin_error: not a valid textual representation of an IP address or CIDR: x"},
		{"net.cidr_contains",
			"[1,\"x\"]",
			"eval_type_error: operand 1 must be string but got number"},
		{"net.cidr_contains",
			"[\"10.0.0.0/8\",1]",
			"eval_type_error: operand 1 must be string but got number"},
		{"net.cidr_contains",
			"[\"1::2::3/8\",\"x\"]",
			"eval_builtin_error: invalid CIDR address: 1::2::3/8"},
		{"net.cidr_contains",
			"[\"1:2:3:4:5:6:7:8/128\",\"1:2:3:4:5:6:7:8\"]",
			"true"},
		{"net.cidr_contains",
			"[\"1:2:3:4:5:6:7::/112\",\"1:2:3:4:5:6:7:9\"]",
			"true"},
		{"net.cidr_contains",
			"[\"::1.2.3.4/128\",\"::102:304\"]",
			"true"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void two_networks_intersect_if_one_holds_the_other(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"net.cidr_intersects",
			"[\"192.168.1.0/25\",\"192.168.1.64/25\"]",
			"true"},
		{"net.cidr_intersects",
			"[\"192.168.1.0/24\",\"192.168.2.0/24\"]",
			"false"},
		{"net.cidr_intersects",
			"[\"::/0\",\"10.0.0.0/8\"]",
			"false"},
		{"net.cidr_intersects",
			"[\"10.0.0.0/8\",\"x\"]",
			"eval_builtin_error: invalid CIDR address: x"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void matches_name_the_elements_of_both_sides(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"net.cidr_contains_matches",
			"[\"1.1.1.0/24\",\"1.1.1.128\"]",
			"{[\"1.1.1.0/24\", \"1.1.1.128\"]}"},
		{"net.cidr_contains_matches",
			"[[\"1.1.1.0/24\",\"1.1.2.0/24\"],\"1.1.1.128\"]",
			"{[0, \"1.1.1.128\"]}"},
		{"net.cidr_contains_matches",
			"[[[\"1.1.1.0/24\",\"x\"]],{\"a\":\"1.1.1.1\",\"b\":[\"1.1.1.2\"]}]",
			"{[0, \"a\"], [0, \"b\"]}"},
		{"net.cidr_contains_matches",
			"[{\"$set\":[\"1.1.1.0/24\"]},[\"1.1.1.1\",\"2.2.2.2\"]]",
			"{[\"1.1.1.0/24\", 0]}"},
		{"net.cidr_contains_matches",
			"[1,\"x\"]",
			"set()"},
		{"net.cidr_contains_matches",
			"[[\"1.1.1.0/24\",[]],\"1.1.1.1\"]",
			"eval_builtin_error: operand 1: element must be string or non-empty array"},
		{"net.cidr_contains_matches",
			"[\"1.1.1.0/24\",[1]]",
			"eval_builtin_error: operand 2: element must be string or non-empty array"},
		{"net.cidr_contains_matches",
			"[[[1]],\"1.1.1.1\"]",
			"eval_type_error: operand 1 must be string but got number"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void a_network_is_expanded_to_its_addresses(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"net.cidr_expand",
			"[\"192.168.0.5/30\"]",
			"{\"192.168.0.4\", \"192.168.0.5\", \"192.168.0.6\", \"192.168.0.7\"}"},
		{"net.cidr_expand",
			"[\"255.255.255.255/32\"]",
			"{\"255.255.255.255\"}"},
		{"net.cidr_expand",
			"[\"2001:db8::ffff/127\"]",
			"{\"2001:db8::fffe\", \"2001:db8::ffff\"}"},
		{"net.cidr_expand",
			"[\"::ffff:1.2.3.4/127\"]",
			"{\"1.2.3.4\", \"1.2.3.5\"}"},
		{"net.cidr_expand",
			"[\"10.0.0.0\"]",
			"eval_builtin_error: invalid CIDR address: 10.0.0.0"},
		{"net.cidr_expand",
			"[1]",
			"eval_type_error: operand 1 must be string but got number"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void networks_that_touch_are_merged(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"net.cidr_merge",
			"[[\"192.0.128.0/24\",\"192.0.129.0/24\"]]",
			"{\"192.0.128.0/23\"}"},
		{"net.cidr_merge",
			"[[\"192.0.129.0/24\",\"192.0.130.0/24\"]]",
			"{\"192.0.129.0/24\", \"192.0.130.0/24\"}"},
		{"net.cidr_merge",
			"[[\"10.0.0.0/8\",\"10.1.0.0/16\"]]",
			"{\"10.0.0.0/8\"}"},
		{"net.cidr_merge",
			"[[\"10.0.0.1\",\"10.0.0.2\"]]",
			"{\"10.0.0.0/8\"}"},
		{"net.cidr_merge",
			"[[\"224.1.2.3\",\"128.1.2.3\",\"127.1.2.3\"]]",
			"{\"127.1.2.3/8\", \"128.1.2.3/16\", \"224.1.2.3/24\"}"},
		{"net.cidr_merge",
			"[[\"2601:600:8a80::/48\",\"2601:600:8a81::/48\"]]",
			"{\"2601:600:8a80::/47\"}"},
		{"net.cidr_merge",
			"[[\"::/0\",\"1.2.3.0/24\"]]",
			"{\"::/0\"}"},
		{"net.cidr_merge",
			"[[\"::ffff:1.2.2.0/120\",\"1.2.3.0/24\"]]",
			"{\"1.2.2.0/24\", \"1.2.3.0/24\"}"},
		{"net.cidr_merge",
			"[{\"$set\":[\"0.0.0.0/1\",\"128.0.0.0/1\"]}]",
			"{\"0.0.0.0/0\"}"},
		{"net.cidr_merge",
			"[[]]",
			"set()"},
		{"net.cidr_merge",
			"[\"x\"]",
			"eval_builtin_error: operand must be an array"},
		{"net.cidr_merge",
			"[[1]]",
			"eval_builtin_error: element must be string"},
		{"net.cidr_merge",
			"[[\"::1\"]]",
			"eval_builtin_error: IPv6 invalid: needs prefix length"},
		{"net.cidr_merge",
			"[[\"x\"]]",
			"eval_builtin_error: invalid CIDR address: x"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void validity_is_a_question_without_errors(void **state)
{
	/* clang-format off */
	static const struct builtin_case cases[] = {
		{"net.cidr_is_valid",
			"[\"192.168.1.0/24\"]",
			"true"},
		{"net.cidr_is_valid",
			"[\"192.168.1.0/033\"]",
			"false"},
		{"net.cidr_is_valid",
			"[\"192.168.1.0/08\"]",
			"true"},
		{"net.cidr_is_valid",
			"[\"::/129\"]",
			"false"},
		{"net.cidr_is_valid",
			"[\"192.168.1.0\"]",
			"false"},
		{"net.cidr_is_valid",
			"[1]",
			"false"},
		{"net.cidr_is_valid",
			"[\"1.2.3/8\"]",
			"false"},
		{"net.cidr_is_valid",
			"[\":::/8\"]",
			"false"},
	};
	/* clang-format on */

	(void)state;
	check_builtins(cases, COUNT(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_contains_addresses_and_networks),
		cmocka_unit_test(two_networks_intersect_if_one_holds_the_other),
		cmocka_unit_test(matches_name_the_elements_of_both_sides),
		cmocka_unit_test(a_network_is_expanded_to_its_addresses),
		cmocka_unit_test(networks_that_touch_are_merged),
		cmocka_unit_test(validity_is_a_question_without_errors),
		cmocka_unit_test(a_network_can_be_too_large_to_expand),
		cmocka_unit_test(addresses_with_leading_zeros_can_be_merged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
