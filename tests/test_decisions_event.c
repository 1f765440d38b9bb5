/* One event: what is read of it, and what its outcome is. */
#include "tests/test.h"

#include <string.h>

#include "base/clock.h"
#include "decisions/decisions.h"

#define ID "\"decision_id\":\"00112233-4455-6677-8899-aabbccddeeff\""
#define TIME "\"timestamp\":\"2026-11-24T10:00:00.5Z\""

static struct arena arena;

static int teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static struct decision parse(const char *text)
{
	struct decision ev = {0};
	struct err e = {0};

	assert_ok(decision_parse(str_from(text), NULL, &arena, &ev, &e), &e);
	return ev;
}

static void assert_refused(const char *text, const char *part)
{
	struct decision ev;
	struct err e = {0};

	assert_fails(decision_parse(str_from(text), NULL, &arena, &ev, &e), &e,
		E_INVALID, part);
}

static void what_counts_is_read(void **state)
{
	struct decision ev = parse(
		"{" ID "," TIME ",\"labels\":{\"id\":\"x\",\"target\":\"t\"},"
		"\"path\":\"/a/b\",\"bundles\":{\"o\":{},\"p\":{\"revision\":"
		"\"r\\u0031\"}},\"input\":{\"a\":1.10},\"result\":[],"
		"\"metrics\":{\"timer_server_handler_ns\":7}}");

	(void)state;
	assert_memory_equal(ev.id,
		"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee"
		"\xff",
		16);
	assert_num(ev.time, INT64_C(1795514400) * NS_PER_S + NS_PER_S / 2);
	assert_str(ev.path, "a/b");
	assert_str(ev.revision, "r1");
	assert_str(ev.label_target, "t");
	assert_str(ev.input, "{\"a\":1.10}");
	assert_str(ev.result, "[]");
	assert_num(ev.latency, 7);
	assert_num(ev.flags, 0);
}

static void what_is_absent_is_absent(void **state)
{
	struct decision ev = parse("{" ID "," TIME ",\"error\":null}");

	(void)state;
	assert_str(ev.path, "");
	assert_str(ev.revision, "");
	assert_num(ev.error.len, 0);
	assert_num(ev.result.len, 0);
	assert_num(ev.latency, -1);
}

static void the_named_bundle_counts(void **state)
{
	struct decision ev;
	struct err e = {0};

	(void)state;
	assert_ok(decision_parse(
			  S("{" ID "," TIME ",\"bundles\":{\"a\":{\"revision\":"
			    "\"1\"},\"b\":{\"revision\":\"2\"}}}"),
			  "b", &arena, &ev, &e),
		&e);
	assert_str(ev.revision, "2");
}

static void times_are_rfc_3339(void **state)
{
	static const struct {
		const char *text;
		int64_t ns; /* -1: refused */
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2000-02-29T12:00:00Z", 951825600 * NS_PER_S},
		{"2026-11-24T12:00:00+02:00", 1795514400 * NS_PER_S},
		{"2026-11-24T04:30:00-05:30", 1795514400 * NS_PER_S},
		{"2026-11-24T10:00:00.123456789Z",
			1795514400 * NS_PER_S + 123456789},
		{"2026-11-24T10:00:00.1234567899Z",
			1795514400 * NS_PER_S + 123456789},
		{"1969-12-31T23:59:59Z", -1},
		{"2262-01-01T00:00:00Z", -1},
		{"2026-02-29T00:00:00Z", -1},
		{"2026-11-24T10:00:00", -1},
		{"2026-11-24T10:00:00.Z", -1},
		{"2026-11-24T10:00:00Zx", -1},
		{"2026-11-24T24:00:00Z", -1},
		{"2026-11-24", -1},
		{"", -1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text = arena_printf(
			&arena, "{" ID ",\"timestamp\":\"%s\"}", cases[i].text);

		if (cases[i].ns < 0)
			assert_refused(text, "timestamp");
		else
			assert_num(parse(text).time, cases[i].ns);
	}
}

static void ids_of_other_forms_are_hashed(void **state)
{
	struct decision a = parse("{\"decision_id\":\"a\"," TIME "}");
	struct decision b = parse("{\"decision_id\":\"b\"," TIME "}");

	(void)state;
	assert_memory_not_equal(a.id, b.id, 16);
	assert_str(a.id_text, "a");
}

static void an_empty_id_is_made_of_instance_and_request(void **state)
{
	struct decision a = parse("{\"decision_id\":\"\"," TIME
				  ",\"labels\":{\"id\":\"x\"},\"req_id\":1}");
	struct decision b = parse("{\"decision_id\":\"\"," TIME
				  ",\"labels\":{\"id\":\"x\"},\"req_id\":2}");

	(void)state;
	assert_memory_not_equal(a.id, b.id, 16);
	assert_refused("{\"decision_id\":\"\"," TIME "}", "req_id");
}

static void what_is_no_event_says_why(void **state)
{
	(void)state;
	assert_refused("[]", "object");
	assert_refused("{" TIME "}", "no decision_id");
	assert_refused("{\"decision_id\":7," TIME "}", "no decision_id");
	assert_refused("{" ID "}", "no timestamp");
	assert_refused("{" ID "," TIME, "byte");
}

/* --- outcomes ------------------------------------------------------------ */

static void assert_outcome(const struct outcome_map *m, const char *path,
	const char *rest, const char *want)
{
	struct decision ev = parse(
		arena_printf(&arena, "{" ID "," TIME ",\"path\":\"%s\"%s%s}",
			path, *rest ? "," : "", rest));
	const char *got = outcome_name(outcome_of(m, &ev));

	if (strcmp(got, want) != 0)
		fail_msg("%s %s: %s, want %s", path, rest, got, want);
}

static void without_rules_the_shape_tells(void **state)
{
	/* clang-format off */
	static const char *const cases[][3] = {
		{"a/allow", "\"result\":true", "allow"},
		{"a/allow", "\"result\":false", "deny"},
		{"a/deny", "\"result\":true", "deny"},
		{"a/deny", "\"result\":[]", "allow"},
		{"a/deny", "\"result\":[\"no\"]", "deny"},
		{"deny", "\"result\":{\"m\":true}", "deny"},
		{"a/undeny", "\"result\":[\"no\"]", "unknown"},
		{"a/violation", "\"result\":{}", "allow"},
		{"a", "\"result\":{\"allow\":false}", "deny"},
		{"a", "\"result\":{\"allowed\":true}", "allow"},
		{"a", "\"result\":{\"response\":{\"allowed\":false}}", "deny"},
		{"a", "\"result\":{\"allow\":1}", "unknown"},
		{"a", "\"result\":7", "unknown"},
		{"a", "\"result\":null", "unknown"},
		{"a", "", "undefined"},
		{"a", "\"erased\":[\"/result\"]", "unknown"},
		{"a", "\"erased\":[\"/input\"]", "undefined"},
		{"a", "\"error\":{\"code\":\"eval_conflict_error\"}", "error"},
		{"a", "\"error\":{}", "error"},
		{"a", "\"error\":[{\"code\":\"rego_type_error\"}]", "error"},
		{"a", "\"error\":{\"code\":\"undefined_document\"}", "undefined"},
		{"a", "\"error\":{\"code\":\"opa_undefined_error\"}", "undefined"},
		{"a", "\"result\":true,\"custom\":{\"type\":"
			"\"open-policy-agent/compile\"}", "unknown"},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_outcome(NULL, cases[i][0], cases[i][1], cases[i][2]);
}

static void rules_say_what_a_result_is(void **state)
{
	static const struct outcome_rule rules[] = {
		{.path = STR("lib/**"),
			.kind = KIND_VIOLATIONS,
			.pointer = STR("/violations")},
		{.path = STR("warn/*"), .kind = KIND_ADVICE},
		{.path = STR("data/*"), .kind = KIND_IGNORE},
		{.path = STR("x/?"),
			.kind = KIND_BOOLEAN,
			.pointer = STR("/ok")},
	};
	/* clang-format off */
	static const char *const cases[][3] = {
		{"lib/a/b", "\"result\":{\"violations\":[]}", "allow"},
		{"lib/a/b", "\"result\":{\"violations\":[1]}", "deny"},
		{"lib/a/b", "\"result\":{}", "undefined"},
		{"warn/a", "\"result\":[\"w\"]", "advice"},
		{"warn/a", "\"result\":\"\"", "allow"},
		{"warn/a/b", "\"result\":[\"w\"]", "unknown"},
		{"data/a", "\"result\":true", "unknown"},
		{"x/y", "\"result\":{\"ok\":true}", "allow"},
		{"x/yy", "\"result\":{\"ok\":true}", "unknown"},
	};
	/* clang-format on */
	struct outcome_map *m = NULL;
	struct err e = {0};

	(void)state;
	assert_ok(outcome_map_new(&m, rules, COUNT(rules), &e), &e);
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_outcome(m, cases[i][0], cases[i][1], cases[i][2]);
	outcome_map_free(m);
}

static void rules_that_cant_be_are_refused(void **state)
{
	static const struct dimension nine[] = {
		{STR("a"), STR("/a")},
		{STR("b"), STR("/a")},
		{STR("c"), STR("/a")},
		{STR("d"), STR("/a")},
		{STR("e"), STR("/a")},
		{STR("f"), STR("/a")},
		{STR("g"), STR("/a")},
		{STR("h"), STR("/a")},
		{STR("i"), STR("/a")},
	};
	struct outcome_rule r = {.path = S("a"), .pointer = S("b")};
	struct outcome_map *m = NULL;
	struct err e = {0};

	(void)state;
	assert_fails(outcome_map_new(&m, &r, 1, &e), &e, E_INVALID, "pointer");
	r = (struct outcome_rule){
		.path = S("a"), .dimensions = nine, .ndimensions = 8};
	assert_ok(outcome_map_new(&m, &r, 1, &e), &e);
	outcome_map_free(m);
	r.ndimensions = 9;
	assert_fails(
		outcome_map_new(&m, &r, 1, &e), &e, E_INVALID, "8 dimensions");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_counts_is_read),
		cmocka_unit_test(what_is_absent_is_absent),
		cmocka_unit_test(the_named_bundle_counts),
		cmocka_unit_test(times_are_rfc_3339),
		cmocka_unit_test(ids_of_other_forms_are_hashed),
		cmocka_unit_test(an_empty_id_is_made_of_instance_and_request),
		cmocka_unit_test(what_is_no_event_says_why),
		cmocka_unit_test(without_rules_the_shape_tells),
		cmocka_unit_test(rules_say_what_a_result_is),
		cmocka_unit_test(rules_that_cant_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
