/* What agents say of themselves: every capture of a real one, and others. */
#include "tests/test.h"

#include "base/clock.h"
#include "base/fs.h"
#include "canary/status.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPTURES "../shared/fixtures/opa-1.22.2/status/"

static struct arena arena;

static enum status parse(struct str text, struct agent_status *out)
{
	struct err e = {0};

	arena_reset(&arena);
	return agent_status_parse(out, text, &arena, &e);
}

static struct agent_status status_of(const char *text)
{
	struct agent_status s;

	assert_num(parse(str_from(text), &s), OK);
	return s;
}

static void what_a_real_agent_sent_is_read(void **state)
{
	static const struct {
		const char *file, *revision, *error, *log_error;
		int64_t http_code;
	} rows[] = {
		{"success.json", "r1", "", "", 0},
		{"success.raw.json", "r1", "", "", 0},
		{"not-modified.json", "r1", "", "", 0},
		{"recovered.json", "r1", "", "", 0},
		{"compile-error.json", "r1",
			"error(s) occurred while compiling module(s): "
			"/authz/policy.rego:3: undefined function nope",
			"", 0},
		{"compile-error.raw.json", "r1", "undefined function nope", "",
			0},
		{"parse-error.json", "r1",
			"/authz/policy.rego:4: unexpected eof token", "", 0},
		{"data-outside-roots.json", "r1",
			"manifest roots [authz] do not permit data", "", 0},
		{"empty-body.json", "r1", "archive read failed: EOF", "", 0},
		{"http-404.json", "r1", "server replied with Not Found", "",
			404},
		{"http-500.json", "r1", "Internal Server Error", "", 500},
		{"missing-signature.json", "s1", "missing .signatures.json", "",
			0},
		{"never-activated.json", "", "Not Found", "", 404},
		{"not-gzip.json", "r1", "gzip: invalid header", "", 0},
		{"truncated.json", "r1", "unexpected EOF", "", 0},
		{"discovery.json", "r1", "", "", 0},
		{"log-upload-failed.json", "r1", "", "log upload failed", 0},
	};

	(void)state;
	if (access(CAPTURES, R_OK) != 0) {
		print_message("skipped: no " CAPTURES "\n");
		return;
	}
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf path = {0}, text = {0};
		struct agent_status s;
		struct err e = {0};

		buf_addf(&path, CAPTURES "%s", rows[i].file);
		assert_ok(fs_read(NULL, path.ptr, MIB(4), &text, &e), &e);
		assert_num(parse(buf_str(&text), &s), OK);
		assert_num(s.nbundles > 0, true);
		assert_str(s.bundles[0].name, "authz");
		assert_str(s.bundles[0].revision, rows[i].revision);
		assert_num(s.bundles[0].http_code, rows[i].http_code);
		struct str got = status_bundle_error(&s.bundles[0], &arena);

		assert_num(status_bundle_refusal(&s.bundles[0], &arena).len,
			rows[i].http_code ? 0 : got.len);
		if (!got.len != !*rows[i].error ||
			!strstr(arena_strdup(&arena, got), rows[i].error))
			fail_msg("%s: \"%.*s\"", rows[i].file, STR_ARG(got));
		if (!strstr(arena_strdup(&arena, s.log_error),
			    rows[i].log_error))
			fail_msg("%s: \"%.*s\"", rows[i].file,
				STR_ARG(s.log_error));
		assert_str(s.version, "1.22.2");
		assert_num(s.id.len, 36);
		assert_num(!s.bundles[0].activated_ns, !*rows[i].revision);
		buf_release(&path);
		buf_release(&text);
	}
}

static void labels_are_kept_but_for_what_names_the_agent(void **state)
{
	struct agent_status s = status_of(
		"{\"labels\":{\"id\":\"u\",\"version\":\"1\",\"target\":\"t\","
		"\"ring\":\"canary\",\"n\":7}}");

	(void)state;
	assert_str(s.id, "u");
	assert_str(s.version, "1");
	assert_str(s.target, "t");
	assert_num(s.nlabels, 1);
	assert_str(s.labels[0].key, "ring");
	assert_str(s.labels[0].value, "canary");
	assert_num(s.nbundles, 0);
}

static void the_legacy_member_is_a_bundle(void **state)
{
	struct agent_status s = status_of(
		"{\"bundle\":{\"name\":\"a\",\"active_revision\":\"r\","
		"\"http_code\":\"503\",\"code\":\"bundle_error\"}}");

	(void)state;
	assert_num(s.nbundles, 1);
	assert_str(s.bundles[0].name, "a");
	assert_num(s.bundles[0].http_code, 503);
	assert_str(status_bundle_error(&s.bundles[0], &arena), "bundle_error");
}

#define FAMILY(handler, code, n)                                               \
	"{\"label\":[{\"name\":\"code\",\"value\":\"" code "\"},"              \
	"{\"name\":\"handler\",\"value\":\"" handler "\"}],"                   \
	"\"histogram\":{\"sampleCount\":" n "}}"

static void requests_and_losses_are_counted(void **state)
{
	struct agent_status s = status_of(
		"{\"metrics\":{\"prometheus\":{"
		"\"http_request_duration_seconds\":{\"metric\":[" FAMILY(
			"v1/data", "200", "\"41\"") "," FAMILY("v1/data", "500",
			"1") "," FAMILY("v1/data", "400",
			"\"7\"") "," FAMILY("health", "200",
			"\"9\"") "]},"
				 "\"counter_decision_logs_dropped_rate_limit_"
				 "exceeded\":"
				 "{\"metric\":[{\"counter\":{\"value\":3}}]},"
				 "\"counter_decision_logs_encoding_failure\":"
				 "{\"metric\":[{\"counter\":{\"value\":\"2\"}}]"
				 "}}}}");

	(void)state;
	assert_true(s.counted);
	assert_num(s.requests, 42);
	assert_num(s.dropped, 5);
}

/* As OPA 1.22.2 wrote it with a buffer of 2,000 bytes that was full. */
static void losses_are_counted_as_opa_writes_them(void **state)
{
	struct agent_status s = status_of(
		"{\"metrics\":{\"prometheus\":{"
		"\"counter_decision_logs_chunks_uploaded\":1,"
		"\"counter_decision_logs_dropped_buffer_size_limit_bytes_"
		"exceeded"
		"\":5,"
		"\"counter_decision_logs_dropped_buffer_size_limit_exceeded\":"
		"5,"
		"\"counter_enc_log_exceeded_upload_size_limit_bytes\":2,"
		"\"counter_decision_logs_encoding_failure\":-1,"
		"\"counter_enc_soft_limit_scale_up\":1}}}");

	(void)state;
	assert_true(s.counted);
	assert_num(s.dropped, 7);
}

static void what_is_of_another_kind_is_absent(void **state)
{
	static const char *const rows[] = {
		"{}",
		"{\"labels\":[],\"bundles\":7,\"metrics\":\"x\"}",
		"{\"bundles\":{\"a\":null},\"decision_logs\":[]}",
		"{\"bundles\":{\"a\":{\"errors\":{},\"code\":1}}}",
		"{\"metrics\":{\"prometheus\":{"
		"\"http_request_duration_seconds\":{\"metric\":[1,{},{"
		"\"label\":{},\"histogram\":[]}]}}}}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct agent_status s = status_of(rows[i]);

		assert_num(s.requests, 0);
		assert_num(s.nlabels, 0);
	}
}

static void what_is_no_status_is_refused(void **state)
{
	struct agent_status s;
	struct buf big = {0};

	(void)state;
	assert_num(parse(S("[]"), &s), E_INVALID);
	assert_num(parse(S("{"), &s), E_INVALID);
	assert_num(parse(S(""), &s), E_INVALID);
	memset(buf_reserve(&big, STATUS_BYTES_MAX + 1), ' ',
		STATUS_BYTES_MAX + 1);
	big.ptr[0] = '{';
	big.ptr[1] = '}';
	assert_num(parse(str_make(big.ptr, STATUS_BYTES_MAX), &s), OK);
	assert_num(parse(str_make(big.ptr, STATUS_BYTES_MAX + 1), &s), E_LIMIT);
	buf_release(&big);
}

static int teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_real_agent_sent_is_read),
		cmocka_unit_test(labels_are_kept_but_for_what_names_the_agent),
		cmocka_unit_test(the_legacy_member_is_a_bundle),
		cmocka_unit_test(requests_and_losses_are_counted),
		cmocka_unit_test(losses_are_counted_as_opa_writes_them),
		cmocka_unit_test(what_is_of_another_kind_is_absent),
		cmocka_unit_test(what_is_no_status_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
