/*
 * http.send, net.lookup_ip_addr, opa.runtime and rego.metadata.*: what asks for
 * something outside of policy and data.
 */
#include "tests/builtin_calls.h"

static void an_evaluation_reaches_no_network(void **state)
{
	static const struct builtin_case cases[] = {
		{"http.send",
			"[{\"method\": \"get\", \"url\": \"http://[::1]\"}]",
			"eval_cancel_error: no network is reached from here: "
			"replace the call, `with http.send as ...`"},
		{"net.lookup_ip_addr", "[\"example.invalid\"]",
			"eval_cancel_error: no network is reached from here to "
			"look up example.invalid: replace the call, `with "
			"net.lookup_ip_addr as ...`"},
		{"json.match_schema", "[{}, {\"$ref\": \"http://[::1]/x\"}]",
			"eval_cancel_error: the schema refers to "
			"http://[::1]/x, and schemas elsewhere are not "
			"fetched"},
		{"json.verify_schema", "[{\"$ref\": \"http://[::1]/x\"}]",
			"eval_cancel_error: the schema refers to "
			"http://[::1]/x, and schemas elsewhere are not "
			"fetched"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void a_request_is_checked_before_it_is_refused(void **state)
{
	static const struct builtin_case cases[] = {
		{"http.send", "[{\"method\": \"get\"}]",
			"eval_type_error: operand 1 missing required request "
			"parameters(s): {\"url\"}"},
		{"http.send", "[{\"b\": 1, \"a\": 2}]",
			"eval_type_error: operand 1 invalid request "
			"parameters(s): {\"a\", \"b\"}"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void an_address_is_its_own_name(void **state)
{
	static const struct builtin_case cases[] = {
		{"net.lookup_ip_addr", "[\"10.0.0.1\"]", "{\"10.0.0.1\"}"},
		{"net.lookup_ip_addr", "[\"::ffff:1.2.3.4\"]", "{\"1.2.3.4\"}"},
		{"net.lookup_ip_addr", "[\"fe80::1%lo\"]", "{\"fe80::1%lo\"}"},
		{"net.lookup_ip_addr", "[\"1.2.3\"]",
			"eval_builtin_error: lookup 1.2.3: no such host"},
		{"net.lookup_ip_addr", "[\"\"]",
			"eval_builtin_error: lookup : no such host"},
		{"net.lookup_ip_addr", "[\"a b\"]",
			"eval_builtin_error: lookup a b: no such host"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void the_environment_is_told(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	struct value got, env;

	(void)state;
	assert_int_equal(setenv("REGATTA_TEST", "a=b", 1), 0);
	assert_int_equal(
		builtin_find(S("opa.runtime"))->fn(&cx, NULL, &got), BI_OK);
	env = obj_get_cstr(got.obj, "env");
	assert_string_equal(
		obj_get_cstr(env.obj, "REGATTA_TEST").str->bytes, "a=b");
	assert_string_equal(
		obj_get_cstr(got.obj, "version").str->bytes, "1.22.2");
	unsetenv("REGATTA_TEST");
	call_release(&cx);
	arena_release(&a);
}

static void a_query_has_no_metadata(void **state)
{
	static const struct builtin_case cases[] = {
		{"rego.metadata.rule", "[]",
			"eval_builtin_error: the rego.metadata.rule function "
			"must only be called within the scope of a rule"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_evaluation_reaches_no_network),
		cmocka_unit_test(a_request_is_checked_before_it_is_refused),
		cmocka_unit_test(an_address_is_its_own_name),
		cmocka_unit_test(the_environment_is_told),
		cmocka_unit_test(a_query_has_no_metadata),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
