/*
 * advice: rows in the order of harm, and what is found in the configuration of
 * an agent.
 */
#include "tests/test.h"

#include "base/buf.h"
#include "base/json.h"
#include "server/advice.h"

#include <string.h>

static const char good[] =
	"services:\n"
	"  main:\n"
	"    url: https://regatta.example\n"
	"    headers: {X-Regatta-Target: \"${NODE}\"}\n"
	"labels: {target: \"${NODE}\", ring: canary}\n"
	"keys:\n"
	"  bundle-1: {algorithm: ES256, key: \"...\"}\n"
	"bundles:\n"
	"  platform:\n"
	"    service: main\n"
	"    resource: bundles/platform\n"
	"    persist: true\n"
	"    polling: {min_delay_seconds: 1, max_delay_seconds: 2, "
	"long_polling_timeout_seconds: 30}\n"
	"    signing: {keyid: bundle-1, scope: prod}\n"
	"status: {service: main}\n"
	"decision_logs:\n"
	"  service: main\n"
	"  reporting: {min_delay_seconds: 1, max_delay_seconds: 5, "
	"upload_size_limit_bytes: 1048576}\n";

/* One thing in it is replaced by another. */
static void edited(struct buf *out, const char *from, const char *to)
{
	const char *at = strstr(good, from);

	if (!at)
		fail_msg("the good configuration has no \"%s\"", from);
	buf_addf(
		out, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
}

/* "D501 agent.yaml:10 high; ..." */
static void summary(struct buf *out, const char *config)
{
	struct advice a = {0};
	struct buf doc = {0};
	struct str rows;
	struct json_iter it;

	advice_agent_config(&a, "agent.yaml", str_from(config));
	buf_addc(&doc, '{');
	advice_write(&a, &doc);
	buf_addc(&doc, '}');
	assert_true(json_member(buf_str(&doc), S("rows"), &rows));
	it = json_iter(rows);
	while (json_next(&it)) {
		static const char *const parts[] = {"code", "where", "harm"};

		if (out->len)
			buf_adds(out, "; ");
		for (size_t i = 0; i < COUNT(parts); i++) {
			struct str part;

			assert_true(json_member(
				it.value, str_from(parts[i]), &part));
			if (i)
				buf_addc(out, ' ');
			json_text(out, part);
		}
	}
	buf_addc(out, '\0');
	advice_release(&a);
	buf_release(&doc);
}

/* clang-format off */
static const struct {
	const char *from, *to, *finds;
} rows[] = {
	{"status", "status", ""},
	/* Who signs. */
	{"    signing: {keyid: bundle-1, scope: prod}\n", "", "D501 agent.yaml:10 high"},
	{"signing: {keyid: bundle-1, scope: prod}", "signing:", "D501 agent.yaml:10 high"},
	{"{keyid: bundle-1, scope: prod}", "{scope: prod}", "D502 agent.yaml:14 high"},
	{"{keyid: bundle-1, scope: prod}", "{keyid: other, scope: prod}", "D503 agent.yaml:14 high"},
	{"{keyid: bundle-1, scope: prod}", "{keyid: \"${KEY}\", scope: prod}", ""},
	{"{keyid: bundle-1, scope: prod}", "{keyid: bundle-1}", "D504 agent.yaml:14 medium"},
	{"ES256, key: \"...\"}", "ES256, key: \"...\", scope: s}", ""},
	/* What comes back. */
	{"status: {service: main}\n", "", "D505 agent.yaml:1 high"},
	{"status: {service: main}", "status: {console: true}", "D505 agent.yaml:15 high"},
	{"status: {service: main}", "status: {}", ""},
	{"decision_logs:\n  service: main\n  reporting", "other", "D516 agent.yaml:1 high"},
	{"  service: main\n  reporting", "  console: true\n  reporting", "D516 agent.yaml:17 high"},
	{"bytes: 1048576", "bytes: 131072", "D506 agent.yaml:18 high"},
	{"bytes: 1048576", "bytes: 1048575", "D506 agent.yaml:18 high"},
	{"bytes: 1048576", "bytes: ${LIMIT}", ""},
	{", upload_size_limit_bytes: 1048576", "", "D506 agent.yaml:18 high"},
	{"max_delay_seconds: 5", "max_delay_seconds: 31", "D513 agent.yaml:18 medium"},
	{"  reporting: {min_delay_seconds: 1, max_delay_seconds: 5, upload_size_limit_bytes: 1048576}\n", "", "D506 agent.yaml:17 high; D513 agent.yaml:17 medium"},
	{"max_delay_seconds: 5", "max_delay_seconds: 5, max_decisions_per_second: 10", "D515 agent.yaml:18 medium"},
	/* How it polls. */
	{"bundles:\n  platform:", "other:\n  platform:", "D507 agent.yaml:1 high"},
	{"service: main\n    resource", "service: nobody\n    resource", "D508 agent.yaml:10 high"},
	{"service: main\n    resource", "resource", ""},
	{", long_polling_timeout_seconds: 30", "", "D511 agent.yaml:13 medium"},
	{"max_delay_seconds: 2", "max_delay_seconds: 120", "D511 agent.yaml:13 medium"},
	{"persist: true", "persist: false", "D512 agent.yaml:10 medium"},
	/* Who it is. */
	{"    headers: {X-Regatta-Target: \"${NODE}\"}\n", "", "D509 agent.yaml:3 high"},
	{"headers: {X-Regatta-Target", "headers: {x-regatta-target", ""},
	{"headers: {X-Regatta-Target: \"${NODE}\"}", "credentials: {bearer: {token_path: /t}}", ""},
	{"target: \"${NODE}\", ring", "ring", "D510 agent.yaml:5 medium"},
	{"https://regatta.example", "http://regatta.example", "D514 agent.yaml:3 medium"},
	{"https://regatta.example", "http://127.0.0.1:8080", ""},
};
/* clang-format on */

static void each_weakness_is_found_at_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf config = {0}, found = {0};

		edited(&config, rows[i].from, rows[i].to);
		summary(&found, config.ptr);
		if (strcmp(found.ptr, rows[i].finds) != 0)
			fail_msg("%s -> %s: found \"%s\", want \"%s\"",
				rows[i].from, rows[i].to, found.ptr,
				rows[i].finds);
		buf_release(&config);
		buf_release(&found);
	}
}

static void services_may_be_a_list(void **state)
{
	struct buf config = {0}, found = {0};

	(void)state;
	edited(&config, "services:\n  main:\n    url",
		"services:\n  - name: main\n    url");
	summary(&found, config.ptr);
	assert_string_equal(found.ptr, "");
	buf_release(&config);
	buf_release(&found);
}

static void what_is_no_configuration_is_said(void **state)
{
	static const char *const wrong[] = {
		"", "[]", "a: &b 1", "{", "a: 1\na: 2"};

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct buf found = {0};

		summary(&found, wrong[i]);
		assert_string_equal(found.ptr, "D500 agent.yaml high");
		buf_release(&found);
	}
}

static void an_empty_map_has_every_high_harm_first(void **state)
{
	struct buf found = {0};

	(void)state;
	summary(&found, "{}");
	assert_string_equal(found.ptr,
		"D507 agent.yaml:1 high; D505 agent.yaml:1 high; "
		"D516 agent.yaml:1 high");
	buf_release(&found);
}

static void rows_are_in_the_order_of_harm(void **state)
{
	struct advice a = {0};
	struct buf out = {0};

	(void)state;
	for (int h = HARMS - 1; h >= 0; h--)
		advice_add(&a,
			(struct advice_row){
				(enum harm)h, "D1", "mend it", S("it")},
			"is %d", h);
	advice_write(&a, &out);
	assert_string_equal(out.ptr,
		"\"rows\":[{\"harm\":\"high\",\"code\":\"D1\",\"where\":\"it\","
		"\"what\":\"is 0\",\"fix\":\"mend it\"},"
		"{\"harm\":\"medium\",\"code\":\"D1\",\"where\":\"it\","
		"\"what\":\"is 1\",\"fix\":\"mend it\"},"
		"{\"harm\":\"low\",\"code\":\"D1\",\"where\":\"it\","
		"\"what\":\"is 2\",\"fix\":\"mend it\"}]");
	assert_num(a.n[HARM_HIGH], 1);
	advice_release(&a);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_in_the_order_of_harm),
		cmocka_unit_test(each_weakness_is_found_at_its_line),
		cmocka_unit_test(services_may_be_a_list),
		cmocka_unit_test(what_is_no_configuration_is_said),
		cmocka_unit_test(an_empty_map_has_every_high_harm_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
