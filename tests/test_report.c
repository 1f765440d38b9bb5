/* What the gates found, in the forms that people and programs read. */
#include "tests/test.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/map.h"
#include "gates/gates.h"

/* --- reports to write --------------------------------------------------------
 */

static struct finding sample_findings[] = {
	{.gate = "load",
		.level = GATE_BROKEN,
		.file = "policies/b.rego",
		.row = 3,
		.col = 7,
		.code = "rego_parse_error",
		.message = "unexpected \"}\"",
		.detail = "\tx := }\n\t     ^\n"},
	{.gate = "test",
		.level = GATE_FAIL,
		.file = "policies/k8s/a/a_test.rego",
		.row = 31,
		.subject = "data.a_test.test_x[\"init container\"]",
		.message = "violation == set() is not true",
		.detail = "left   {\"a <b>\"}\nright  set()\n",
		.again = "regatta test -r '^data.a_test.test_x$' ."},
	{.gate = "waivers",
		.level = GATE_WARN,
		.file = "waivers/payments.yaml",
		.row = 1,
		.code = "W012",
		.message = "WV-0042 ends in 12 days"},
	{.gate = "changes",
		.level = GATE_NOTE,
		.message = "1 policy is new: 50 % more"},
};

static struct gate_step sample_steps[] = {
	{.name = "waivers",
		.level = GATE_WARN,
		.summary = "38 waivers, 1 ends within 30 days",
		.duration_ns = 1000000},
	{.name = "load", .level = GATE_BROKEN, .summary = "1 error"},
	{.name = "test",
		.level = GATE_FAIL,
		.summary = "1,004 passed, 1 failed, 1 skipped",
		.duration_ns = 420000000},
	{.name = "coverage",
		.skipped = true,
		.summary = "not run: the modules do not compile"},
	{.name = "changes", .level = GATE_NOTE, .summary = "1 policy"},
};

static struct gate_case sample_cases[] = {
	{.suite = "policies/k8s/a/a_test.rego",
		.class = "data.a_test",
		.name = "test_w",
		.row = 12,
		.duration_ns = 4000000},
	{.suite = "policies/k8s/a/a_test.rego",
		.class = "data.a_test",
		.name = "test_x[\"init container\"]",
		.row = 31,
		.problem = &sample_findings[1],
		.output = "seen: 1\nseen: 2\n",
		.duration_ns = 5000000},
	{.suite = "policies/k8s/a/a_test.rego",
		.class = "data.a_test",
		.name = "todo_test_y",
		.row = 40,
		.skip = true},
};

static struct bundle_file sample_extra[] = {
	{.path = STR("data.waivers"), .content = STR("abc")}};

static struct gate_report sample(void)
{
	return (struct gate_report){.tool = "regatta 0.1.0",
		.bundle = "platform",
		.steps = sample_steps,
		.nsteps = COUNT(sample_steps),
		.findings = sample_findings,
		.nfindings = COUNT(sample_findings),
		.cases = sample_cases,
		.ncases = COUNT(sample_cases),
		.coverage = 94.125,
		.level = GATE_BROKEN,
		.npolicies = 3,
		.nmodules = 7,
		.ndata = 2,
		.as_of_ns = INT64_C(1795514400) * 1000000000,
		.duration_ns = 1890000000,
		.commit = "4f1c2ab0123456789abcdef0123456789abcdef0",
		.base = "9e1c2f00123456789abcdef0123456789abcdef0",
		.extra = sample_extra,
		.nextra = 1,
		.digest = "sha256:00ff"};
}

/* A report of findings alone. */
static struct gate_report of_findings(struct finding *f, size_t n)
{
	return (struct gate_report){
		.findings = f, .nfindings = n, .coverage = -1};
}

static size_t count(struct str s, const char *what)
{
	size_t n = 0, at = 0, len = strlen(what);

	while ((at = str_find(s, str_make(what, len), at)) != SIZE_MAX)
		n++, at += len;
	return n;
}

static bool has(const struct buf *b, const char *what)
{
	return count(buf_str(b), what) > 0;
}

static void assert_has(const struct buf *b, const char *what)
{
	if (!has(b, what))
		fail_msg("no \"%s\" in:\n%s", what, b->ptr);
}

/* --- for people --------------------------------------------------------------
 */

static struct buf text_of(const struct gate_report *r, struct report_style s)
{
	struct buf out = {0};

	gate_report_text(&out, r, &s);
	return out;
}

#define FAILED                                                                 \
	"BROKEN  load  policies/b.rego:3:7  rego_parse_error\n"                \
	"      unexpected \"}\"\n"                                             \
	"      \tx := }\n"                                                     \
	"      \t     ^\n"                                                     \
	"\n"                                                                   \
	"FAIL    test  policies/k8s/a/a_test.rego:31  "                        \
	"data.a_test.test_x[\"init container\"]\n"                             \
	"      violation == set() is not true\n"                               \
	"      left   {\"a <b>\"}\n"                                           \
	"      right  set()\n"
#define PRINTED                                                                \
	"      printed: seen: 1\n"                                             \
	"      seen: 2\n"
#define AGAIN                                                                  \
	"      again: regatta test -r '^data.a_test.test_x$' .\n"              \
	"\n"
#define LAST                                                                   \
	"5 gates: 1 ok, 1 warning, 1 failed, 1 broken, 1 not run in 1.9 s\n"

static void people_read_a_line_a_gate_and_the_worst_first(void **state)
{
	struct gate_report r = sample();
	struct buf out = text_of(&r, (struct report_style){0});

	(void)state;
	assert_string_equal(out.ptr,
		"regatta 0.1.0  bundle platform  base 9e1c2f0 -> head 4f1c2ab"
		"  as of 2026-11-24T10:00:00Z\n"
		" WARN    waivers   38 waivers, 1 ends within 30 days      "
		"0.00 s\n"
		" BROKEN  load      1 error                                "
		"0.00 s\n"
		" FAIL    test      1,004 passed, 1 failed, 1 skipped      "
		"0.42 s\n"
		" skip    coverage  not run: the modules do not compile\n"
		" note    changes   1 policy                               "
		"0.00 s\n"
		"\n" FAILED PRINTED AGAIN
		"WARN    waivers  waivers/payments.yaml:1  W012\n"
		"      WV-0042 ends in 12 days\n"
		"\n"
		"note    changes\n"
		"      1 policy is new: 50 % more\n"
		"\n" LAST);
	buf_release(&out);
}

static void quiet_is_what_failed_and_the_last_line(void **state)
{
	struct gate_report r = sample();
	struct buf out = text_of(&r, (struct report_style){.quiet = true});

	(void)state;
	assert_string_equal(out.ptr, FAILED PRINTED AGAIN LAST);
	buf_release(&out);
}

static void verbose_lists_every_case(void **state)
{
	struct gate_report r = sample();
	struct buf out = text_of(&r, (struct report_style){.verbose = true});

	(void)state;
	assert_has(&out,
		"\n\n"
		" ok      data.a_test  test_w  policies/k8s/a/a_test.rego:12"
		"  0.004 s\n"
		" FAIL    data.a_test  test_x[\"init container\"]  "
		"policies/k8s/a/a_test.rego:31  0.005 s\n" PRINTED
		" skip    data.a_test  todo_test_y  "
		"policies/k8s/a/a_test.rego:40\n"
		"\n" FAILED AGAIN);
	buf_release(&out);
}

static void words_are_painted_only_when_asked(void **state)
{
	struct gate_report r = sample();
	struct buf plain = text_of(&r, (struct report_style){0});
	struct buf color = text_of(&r, (struct report_style){.color = true});

	(void)state;
	assert_false(has(&plain, "\033"));
	assert_has(&color, " \033[31mFAIL\033[0m    test      1,004");
	assert_has(&color, "\n\033[1;31mBROKEN\033[0m  load  policies/b.rego");
	assert_num(count(buf_str(&color), "\033["), 2 * (5 + 4));
	buf_release(&plain);
	buf_release(&color);
}

static void a_work_tree_has_no_commit(void **state)
{
	struct gate_report r = {.coverage = -1};
	struct buf out = text_of(&r, (struct report_style){0});

	(void)state;
	assert_string_equal(out.ptr,
		"regatta  work tree  as of 1970-01-01T00:00:00Z\n"
		"\n"
		"0 gates: nothing was judged in 0.0 s\n");
	buf_release(&out);
}

static void a_long_summary_moves_no_other_line(void **state)
{
	char words[101] = {0};
	struct gate_step s[] = {
		{.name = "a", .summary = words}, {.name = "b", .summary = "c"}};
	struct gate_report r = {.steps = s, .nsteps = 2};

	(void)state;
	memset(words, 'x', 100);
	struct buf out = text_of(&r, (struct report_style){0});

	assert_has(&out, "\n ok      b  c    0.00 s\n");
	assert_has(&out, "xx    0.00 s\n");
	buf_release(&out);
}

static void a_text_can_not_steer_the_terminal(void **state)
{
	struct finding f = {.gate = "test",
		.level = GATE_FAIL,
		.file = "a\n.rego",
		.row = 1,
		.message =
			"\033[2Jgone\x7f\xc2\x9b\xff \xe2\x80\xae.\r\nnext\r",
		.detail = "\n\n"};
	struct gate_report r = of_findings(&f, 1);
	struct buf out = text_of(&r, (struct report_style){.quiet = true});

	(void)state;
	assert_string_equal(out.ptr,
		"FAIL    test  a\\n.rego:1\n"
		"      \\u001b[2Jgone\\u007f\\u009b\xef\xbf\xbd \\u202e.\n"
		"      next\n"
		"\n"
		"0 gates: nothing was judged in 0.0 s\n");
	buf_release(&out);
}

/* --- JSON --------------------------------------------------------------------
 */

static void programs_read_everything(void **state)
{
	struct gate_report r = sample();
	struct buf out = {0};

	(void)state;
	r.steps += 1;
	r.nsteps = 3;
	gate_report_json(&out, &r);
	assert_string_equal(out.ptr,
		"{\"schema\":\"regatta.report/1\",\"tool\":\"regatta 0.1.0\","
		"\"bundle\":\"platform\","
		"\"commit\":\"4f1c2ab0123456789abcdef0123456789abcdef0\","
		"\"base\":\"9e1c2f00123456789abcdef0123456789abcdef0\","
		"\"as_of\":\"2026-11-24T10:00:00Z\",\"level\":\"broken\","
		"\"digest\":\"sha256:00ff\",\"policies\":3,\"modules\":7,"
		"\"data\":2,\"coverage\":94.12,\"duration_ns\":1890000000,"
		"\"steps\":["
		"{\"name\":\"load\",\"level\":\"broken\","
		"\"summary\":\"1 error\",\"duration_ns\":0},"
		"{\"name\":\"test\",\"level\":\"fail\","
		"\"summary\":\"1,004 passed, 1 failed, 1 skipped\","
		"\"duration_ns\":420000000},"
		"{\"name\":\"coverage\",\"level\":\"ok\",\"skipped\":true,"
		"\"summary\":\"not run: the modules do not compile\","
		"\"duration_ns\":0}],"
		"\"findings\":["
		"{\"gate\":\"load\",\"level\":\"broken\","
		"\"file\":\"policies/b.rego\",\"row\":3,\"col\":7,"
		"\"code\":\"rego_parse_error\","
		"\"message\":\"unexpected \\\"}\\\"\","
		"\"detail\":\"\\tx := }\\n\\t     ^\\n\"},"
		"{\"gate\":\"test\",\"level\":\"fail\","
		"\"file\":\"policies/k8s/a/a_test.rego\",\"row\":31,"
		"\"subject\":\"data.a_test.test_x[\\\"init container\\\"]\","
		"\"message\":\"violation == set() is not true\","
		"\"detail\":\"left   {\\\"a <b>\\\"}\\nright  set()\\n\","
		"\"again\":\"regatta test -r '^data.a_test.test_x$' .\"},"
		"{\"gate\":\"waivers\",\"level\":\"warn\","
		"\"file\":\"waivers/payments.yaml\",\"row\":1,"
		"\"code\":\"W012\",\"message\":\"WV-0042 ends in 12 days\"},"
		"{\"gate\":\"changes\",\"level\":\"note\","
		"\"message\":\"1 policy is new: 50 % more\"}],"
		"\"cases\":["
		"{\"suite\":\"policies/k8s/a/a_test.rego\","
		"\"class\":\"data.a_test\",\"name\":\"test_w\",\"row\":12,"
		"\"level\":\"ok\",\"duration_ns\":4000000},"
		"{\"suite\":\"policies/k8s/a/a_test.rego\","
		"\"class\":\"data.a_test\","
		"\"name\":\"test_x[\\\"init container\\\"]\",\"row\":31,"
		"\"level\":\"fail\",\"problem\":1,"
		"\"output\":\"seen: 1\\nseen: 2\\n\","
		"\"duration_ns\":5000000},"
		"{\"suite\":\"policies/k8s/a/a_test.rego\","
		"\"class\":\"data.a_test\",\"name\":\"todo_test_y\","
		"\"row\":40,\"level\":\"ok\",\"skipped\":true,"
		"\"duration_ns\":0}],"
		"\"made\":[{\"path\":\"data.waivers\",\"size\":3,"
		"\"digest\":\"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396"
		"177a9cb410ff61f20015ad\"}]}");
	buf_release(&out);
}

static void what_was_not_measured_is_left_out(void **state)
{
	static const double none[] = {-1, NAN, INFINITY};
	struct buf out = {0};
	struct str doc, v;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(none); i++) {
		struct gate_report r = {.coverage = none[i]};

		buf_reset(&out);
		gate_report_json(&out, &r);
		assert_ok(json_check(buf_str(&out), NULL, &doc, &e), &e);
		assert_false(json_member(doc, S("coverage"), &v));
		assert_false(json_member(doc, S("bundle"), &v));
		assert_true(json_member(doc, S("findings"), &v));
		assert_str(v, "[]");
	}
	buf_release(&out);
}

/* --- JUnit -------------------------------------------------------------------
 */

static struct buf junit_of(const struct gate_report *r, bool wide)
{
	struct buf out = {0};

	gate_report_junit(&out, r, wide);
	return out;
}

#define PROPERTIES                                                             \
	"    <properties><property name=\"bundle\" value=\"platform\"/>"       \
	"<property name=\"revision\" "                                         \
	"value=\"4f1c2ab0123456789abcdef0123456789abcdef0\"/>"                 \
	"<property name=\"base\" "                                             \
	"value=\"9e1c2f00123456789abcdef0123456789abcdef0\"/></properties>\n"
#define WHEN "timestamp=\"2026-11-24T10:00:00Z\">\n"

static void viewers_of_tests_read_gates_findings_and_cases(void **state)
{
	struct gate_report r = sample();
	struct buf out = junit_of(&r, false);

	(void)state;
	assert_string_equal(out.ptr,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites name=\"platform\" tests=\"11\" failures=\"1\" "
		"errors=\"1\" time=\"1.890000\">\n"
		"  <testsuite name=\"gate waivers\" tests=\"2\" "
		"failures=\"0\" errors=\"0\" skipped=\"0\" "
		"time=\"0.001000\" " WHEN PROPERTIES
		"    <testcase classname=\"gate.waivers\" name=\"waivers\" "
		"time=\"0.001000\"><system-out>38 waivers, 1 ends within 30 "
		"days\n</system-out></testcase>\n"
		"    <testcase classname=\"gate.waivers\" "
		"name=\"W012 waivers/payments.yaml\" time=\"0.000000\">"
		"<system-out>WARN: WV-0042 ends in 12 days\n"
		"waivers/payments.yaml:1\n</system-out></testcase>\n"
		"  </testsuite>\n"
		"  <testsuite name=\"gate load\" tests=\"2\" failures=\"0\" "
		"errors=\"1\" skipped=\"0\" time=\"0.000000\" " WHEN PROPERTIES
		"    <testcase classname=\"gate.load\" name=\"load\" "
		"time=\"0.000000\"><system-out>1 error\n</system-out>"
		"</testcase>\n"
		"    <testcase classname=\"gate.load\" "
		"name=\"rego_parse_error policies/b.rego\" time=\"0.000000\">"
		"<error message=\"unexpected &quot;}&quot;\" "
		"type=\"rego_parse_error\">policies/b.rego:3:7\n"
		"\tx := }\n\t     ^\n\n</error></testcase>\n"
		"  </testsuite>\n"
		"  <testsuite name=\"gate test\" tests=\"1\" failures=\"0\" "
		"errors=\"0\" skipped=\"0\" time=\"0.420000\" " WHEN PROPERTIES
		"    <testcase classname=\"gate.test\" name=\"test\" "
		"time=\"0.420000\"><system-out>1,004 passed, 1 failed, 1 "
		"skipped\n</system-out></testcase>\n"
		"  </testsuite>\n"
		"  <testsuite name=\"gate coverage\" tests=\"1\" "
		"failures=\"0\" errors=\"0\" skipped=\"1\" "
		"time=\"0.000000\" " WHEN PROPERTIES
		"    <testcase classname=\"gate.coverage\" name=\"coverage\" "
		"time=\"0.000000\"><skipped/><system-out>not run: the modules "
		"do not compile\n</system-out></testcase>\n"
		"  </testsuite>\n"
		"  <testsuite name=\"gate changes\" tests=\"2\" "
		"failures=\"0\" errors=\"0\" skipped=\"0\" "
		"time=\"0.000000\" " WHEN PROPERTIES
		"    <testcase classname=\"gate.changes\" name=\"changes\" "
		"time=\"0.000000\"><system-out>1 policy\n</system-out>"
		"</testcase>\n"
		"    <testcase classname=\"gate.changes\" "
		"name=\"1 policy is new: 50 % more\" time=\"0.000000\">"
		"<system-out>note: 1 policy is new: 50 % more\n</system-out>"
		"</testcase>\n"
		"  </testsuite>\n"
		"  <testsuite name=\"policies/k8s/a/a_test.rego\" "
		"tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\" "
		"time=\"0.009000\" " WHEN PROPERTIES
		"    <testcase classname=\"data.a_test\" name=\"test_w\" "
		"time=\"0.004000\"></testcase>\n"
		"    <testcase classname=\"data.a_test\" "
		"name=\"test_x[&quot;init container&quot;]\" "
		"time=\"0.005000\"><failure message=\"violation == set() is "
		"not true\" type=\"fail\">policies/k8s/a/a_test.rego:31\n"
		"left   {&quot;a &lt;b&gt;&quot;}\nright  set()\n\n"
		"again: regatta test -r '^data.a_test.test_x$' .\n"
		"</failure><system-out>seen: 1\nseen: 2\n\n</system-out>"
		"</testcase>\n"
		"    <testcase classname=\"data.a_test\" "
		"name=\"todo_test_y\" time=\"0.000000\"><skipped/>"
		"</testcase>\n"
		"  </testsuite>\n"
		"</testsuites>\n");
	buf_release(&out);
}

/* Write to a file that is not there any more once the test ended. */
static void temp_file(char path[64], const struct buf *b)
{
	int fd;

	snprintf(path, 64, "/tmp/test_report.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_num(write(fd, b->ptr, b->len), b->len);
	close(fd);
}

enum { NO_XMLLINT = 127 };

/* The exit code of xmllint on `b`; with our schema when `strict`. */
static int xmllint(const struct buf *b, bool strict)
{
	char path[64];
	int status;

	temp_file(path, b);
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null, STDERR_FILENO);
		if (strict)
			execlp("xmllint", "xmllint", "--noout", "--huge",
				"--schema", "tests/junit.xsd", path,
				(char *)NULL);
		else
			execlp("xmllint", "xmllint", "--noout", "--huge", path,
				(char *)NULL);
		_exit(NO_XMLLINT);
	}
	assert_true(pid > 0);
	assert_num(waitpid(pid, &status, 0), pid);
	unlink(path);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Both dialects are XML, and the strict one is what the schema takes. */
static void assert_junit(const struct gate_report *r)
{
	struct buf strict = junit_of(r, false), wide = junit_of(r, true);

	assert_num(xmllint(&strict, true), 0);
	assert_num(xmllint(&wide, false), 0);
	buf_release(&strict);
	buf_release(&wide);
}

static bool have_xmllint(void)
{
	struct buf b = {0};

	buf_adds(&b, "<a/>");
	int code = xmllint(&b, false);

	buf_release(&b);
	return code != NO_XMLLINT;
}

static void need_xmllint(void)
{
	if (have_xmllint())
		return;
	print_message("skipped: no xmllint (libxml2-utils)\n");
	skip();
}

static void the_strict_schema_takes_the_strict_dialect(void **state)
{
	struct gate_report r = sample();
	struct buf wide = junit_of(&r, true), twice = {0};

	(void)state;
	need_xmllint();
	assert_junit(&r);
	assert_has(&wide, " file=\"policies/k8s/a/a_test.rego\" time=");
	assert_num(xmllint(&wide, true), 3);
	buf_adds(&twice, "<testsuites name=\"\" tests=\"0\" failures=\"0\" "
			 "errors=\"0\" time=\"0.1\"/>");
	assert_num(xmllint(&twice, true), 3);
	buf_release(&wide);
	buf_release(&twice);
}

static void the_same_name_is_given_once(void **state)
{
	/* The second and third look the same once they are written. */
	struct gate_case c[] = {
		{.suite = "a", .class = "x", .name = "t"},
		{.suite = "b", .class = "x", .name = "t"},
		{.suite = "a", .class = "x", .name = "t#2"},
		{.suite = "a", .class = "y", .name = "t\x01"},
		{.suite = "a", .class = "y", .name = "t\x02"},
	};
	struct gate_report r = {.cases = c, .ncases = COUNT(c)};
	struct buf out = junit_of(&r, false);

	(void)state;
	assert_num(count(buf_str(&out), "classname=\"x\" name=\"t\""), 1);
	assert_num(count(buf_str(&out), "classname=\"x\" name=\"t#2\""), 1);
	assert_num(count(buf_str(&out), "classname=\"x\" name=\"t#2#2\""), 1);
	assert_num(count(buf_str(&out),
			   "classname=\"y\" name=\"t\xef\xbf\xbd#2\""),
		1);
	assert_num(count(buf_str(&out), "<testsuite "), 2);
	buf_release(&out);
}

static void a_gate_that_failed_in_silence_is_a_failure(void **state)
{
	struct gate_step s[] = {
		{.name = "load", .level = GATE_BROKEN, .summary = "no file"},
		{.name = "test", .level = GATE_FAIL, .summary = "1 failed"},
	};
	struct finding f = {.gate = "test", .level = GATE_FAIL, .message = "m"};
	struct gate_report r = of_findings(&f, 1);

	(void)state;
	r.steps = s;
	r.nsteps = COUNT(s);
	struct buf out = junit_of(&r, false);

	assert_has(&out, "<error message=\"no file\" type=\"broken\">");
	assert_has(&out, " tests=\"3\" failures=\"1\" errors=\"1\" ");
	buf_release(&out);
}

static void what_failed_was_not_skipped(void **state)
{
	struct finding f = {.gate = "test", .level = GATE_FAIL, .message = "m"};
	struct gate_case c = {.suite = "a",
		.class = "x",
		.name = "t",
		.skip = true,
		.problem = &f};
	struct gate_report r = of_findings(&f, 1);

	(void)state;
	r.cases = &c;
	r.ncases = 1;
	struct buf out = junit_of(&r, false);

	assert_false(has(&out, "<skipped/>"));
	assert_has(&out, " failures=\"1\" errors=\"0\" skipped=\"0\" ");
	buf_release(&out);
}

/* --- GitHub ------------------------------------------------------------------
 */

static struct buf github_of(const struct gate_report *r)
{
	struct buf out = {0};

	gate_report_github(&out, r);
	return out;
}

static void the_pull_request_shows_findings_at_their_lines(void **state)
{
	struct gate_report r = sample();
	struct buf out = github_of(&r);

	(void)state;
	assert_string_equal(out.ptr,
		"::error title=load rego_parse_error,file=policies/b.rego,"
		"line=3,col=7::unexpected \"}\"%0A\tx := }%0A\t     ^\n"
		"::error title=test data.a_test.test_x[\"init container\"],"
		"file=policies/k8s/a/a_test.rego,line=31::violation == set() "
		"is not true%0Aleft   {\"a <b>\"}%0Aright  set()%0A%0Aagain: "
		"regatta test -r '^data.a_test.test_x$' .\n"
		"::warning title=waivers W012,file=waivers/payments.yaml,"
		"line=1::WV-0042 ends in 12 days\n"
		"::notice title=changes::1 policy is new: 50 %25 more\n");
	buf_release(&out);
}

static void a_text_can_not_give_commands(void **state)
{
	struct finding f = {.gate = "test",
		.level = GATE_FAIL,
		.file = "a,line=9::b\n::add-mask::x.rego",
		.subject = "s::,%0A",
		.message = "m\r::set-output name=a::b\n::stop-commands::x\r\n%",
		.detail = "::error::d"};
	struct gate_report r = of_findings(&f, 1);
	struct buf out = github_of(&r);

	(void)state;
	assert_string_equal(out.ptr,
		"::error title=test s%3A%3A%2C%250A,file=a%2Cline=9%3A%3Ab%0A"
		"%3A%3Aadd-mask%3A%3Ax.rego::m\\u000d::set-output "
		"name=a::b%0A::stop-commands::x%0A%25%0A::error::d\n");
	buf_release(&out);
}

static void a_log_is_kept_from_giving_commands(void **state)
{
	struct buf out = {0}, again = {0}, end = {0};

	(void)state;
	gate_report_github_log(&out, S("  ::set-output name=a::b"));
	assert_true(str_starts(buf_str(&out), S("::stop-commands::")));
	struct str token = str_slice(buf_str(&out), 17, 17 + 64);

	buf_addf(
		&end, "\n  ::set-output name=a::b\n::%.*s::\n", STR_ARG(token));
	assert_true(str_ends(buf_str(&out), buf_str(&end)));
	assert_num(out.len, 17 + 64 + end.len);
	/* The token of another log is no use. */
	gate_report_github_log(&again, buf_str(&out));
	assert_num(count(buf_str(&again), "::stop-commands::"), 2);
	assert_false(str_eq(str_slice(buf_str(&again), 17, 17 + 64), token));
	buf_release(&out);
	buf_release(&again);
	buf_release(&end);
}

/* Twenty of one policy, then others, and more of both by their fixtures. */
static void many_policies(struct finding f[25], char files[25][64])
{
	static const char *const rest[] = {"policies/b/fixtures/bad/x.yaml",
		"policies/c/c.rego", "policies/d/d.rego",
		"policies/b/fixtures/bad/y.yaml",
		"policies/a/fixtures/bad/z.yaml"};

	for (size_t i = 0; i < 25; i++) {
		if (i < 20)
			snprintf(files[i], 64, "policies/a/a%zu.rego", i);
		else
			snprintf(files[i], 64, "%s", rest[i - 20]);
		f[i] = (struct finding){.gate = "test",
			.level = GATE_FAIL,
			.file = files[i],
			.message = "m",
			.changed = i == 7 || i == 22};
	}
}

static void one_of_each_policy_comes_first_and_what_changed(void **state)
{
	static const char *const want[] = {"/a7.rego", "/d.rego", "/x.yaml",
		"/c.rego", "/a0.rego", "/a1.rego", "/a2.rego", "/a3.rego",
		"/a4.rego", "/a5.rego"};
	struct finding f[25];
	char files[25][64];
	size_t at = 0;

	(void)state;
	many_policies(f, files);
	struct gate_report r = of_findings(f, COUNT(f));
	struct buf out = github_of(&r);

	assert_num(count(buf_str(&out), "::error "), 10);
	for (size_t i = 0; i < COUNT(want); i++) {
		at = str_find(buf_str(&out), str_from(want[i]), at);
		if (at == SIZE_MAX)
			fail_msg("%s is not in its place in:\n%s", want[i],
				out.ptr);
	}
	assert_num(count(buf_str(&out), "more"), 1);
	assert_true(str_ends(
		buf_str(&out), S("::m%0Aand 15 more: see the summary\n")));
	buf_release(&out);
}

static void ten_are_shown_without_more(void **state)
{
	struct finding f[11];

	(void)state;
	for (size_t i = 0; i < COUNT(f); i++)
		f[i] = (struct finding){
			.gate = "g", .level = GATE_WARN, .message = "m"};
	struct gate_report r = of_findings(f, 10);
	struct buf out = github_of(&r);

	assert_num(count(buf_str(&out), "::warning "), 10);
	assert_false(has(&out, "more"));
	buf_release(&out);
	r.nfindings = 11;
	out = github_of(&r);
	assert_num(count(buf_str(&out), "::warning "), 10);
	assert_has(&out, "and 1 more");
	buf_release(&out);
}

static void the_summary_is_a_table_that_nothing_breaks(void **state)
{
	struct gate_report r = sample();
	struct finding f = {.gate = "test",
		.level = GATE_FAIL,
		.message = "</td>|\n\n# `head` <script>",
		.detail = "a\n\n::b"};
	struct buf out = {0};

	(void)state;
	gate_report_summary(&out, &r);
	assert_has(
		&out, "\n<h3>platform: 5 gates: 1 ok, 1 warning, 1 failed, ");
	assert_has(&out, "<p>base 9e1c2f0 -> head 4f1c2ab</p>\n");
	assert_has(&out,
		"<tr><td>FAIL</td><td>test</td><td>1,004 passed, 1 failed, 1 "
		"skipped</td><td align=\"right\">0.42 s</td></tr>\n");
	buf_reset(&out);
	r = of_findings(&f, 1);
	gate_report_summary(&out, &r);
	assert_has(&out,
		"<tr><td>FAIL</td><td>test</td><td></td><td>&lt;/td&gt;|<br>"
		"<br># `head` "
		"&lt;script&gt;<pre>a<br><br>::b</pre></td></tr>\n");
	assert_num(count(buf_str(&out), "\n\n"), 1);
	assert_true(str_ends(buf_str(&out), S("\n\n")));
	buf_release(&out);
}

/* --- much, and anything
 * ------------------------------------------------------- */

/* What must hold of every report. */
static void assert_sound(const struct gate_report *r)
{
	struct json_limits wide = {.keys = 1000000, .string = MIB(64)};
	struct buf json = {0}, text = text_of(r, (struct report_style){0}),
		   junit = junit_of(r, true), github = github_of(r),
		   summary = {0};
	struct err e = {0};
	struct str doc;

	gate_report_json(&json, r);
	gate_report_summary(&summary, r);
	assert_ok(json_check(buf_str(&json), &wide, &doc, &e), &e);
	assert_num(doc.len, json.len);
	assert_true(utf8_valid(text.ptr, text.len));
	assert_true(utf8_valid(junit.ptr, junit.len));
	assert_true(utf8_valid(github.ptr, github.len));
	assert_true(utf8_valid(summary.ptr, summary.len));
	assert_false(has(&text, "\033") || has(&github, "\033"));
	assert_false(has(&text, "\r") || has(&github, "\r"));
	assert_true(summary.len < MIB(1));
	assert_num(count(buf_str(&summary), "\n\n"), 1);
	assert_true(count(buf_str(&github), "\n") <= 30);
	for (size_t at = 0; at < github.len;) {
		size_t end = str_find(buf_str(&github), S("\n"), at);

		assert_memory_equal(github.ptr + at, "::", 2);
		at = end + 1;
	}
	buf_release(&json);
	buf_release(&text);
	buf_release(&junit);
	buf_release(&github);
	buf_release(&summary);
}

static void ten_thousand_findings_are_no_trouble(void **state)
{
	enum { MANY = 10000 };
	struct finding *f = calloc(MANY, sizeof(*f));
	struct gate_case *c = calloc(MANY, sizeof(*c));

	(void)state;
	assert_non_null(f);
	assert_non_null(c);
	for (size_t i = 0; i < MANY; i++) {
		f[i] = (struct finding){.gate = "test",
			.level = GATE_FAIL,
			.file = "policies/a/a_test.rego",
			.row = (uint32_t)i,
			.message = "not true ]]> & so on, in some words",
			.detail = "left\n\nright"};
		c[i] = (struct gate_case){.suite = "policies/a/a_test.rego",
			.class = "data.a_test",
			.name = "test_x",
			.problem = i % 2 ? &f[i] : NULL};
	}
	struct gate_report r = of_findings(f, MANY);

	r.cases = c;
	r.ncases = MANY;
	assert_sound(&r);
	struct buf out = {0};

	gate_report_summary(&out, &r);
	assert_has(&out, " more: see report.json</p>");
	buf_reset(&out);
	gate_report_junit(&out, &r, false);
	assert_num(count(buf_str(&out), "<testcase "), MANY + MANY / 2);
	assert_num(count(buf_str(&out), "<failure "), MANY);
	if (have_xmllint())
		assert_num(xmllint(&out, true), 0);
	buf_release(&out);
	free(f);
	free(c);
}

static uint64_t rnd(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Bytes of all kinds, and pieces that mean something to some reader. */
static const char *noise(struct arena *a, uint64_t *seed)
{
	static const char *const pieces[] = {"]]>", "<![CDATA[", "&amp;",
		"::", "\n::error::", "##[error]", "%0A", "\r\n", "|", "</pre>",
		"\xed\xa0\x80", "\xef\xbf\xbf", "\xf4\x90\x80\x80", "\033[31m",
		"\\u0000", "\"", "\xe2\x80\xa8"};
	struct buf b = {0};

	if (rnd(seed) % 8 == 0)
		return NULL;
	for (uint64_t n = rnd(seed) % 12; n; n--) {
		if (rnd(seed) % 2)
			buf_adds(&b, pieces[rnd(seed) % COUNT(pieces)]);
		else
			buf_addc(&b, (char)(1 + rnd(seed) % 255));
	}
	const char *s = arena_strdup(a, buf_str(&b));

	buf_release(&b);
	return s;
}

enum { NOISY = 12 };

static struct gate_report noisy(struct arena *a, uint64_t *seed)
{
	struct gate_report r = {.tool = noise(a, seed),
		.bundle = noise(a, seed),
		.steps = ARENA_ARRAY(a, struct gate_step, NOISY),
		.nsteps = rnd(seed) % NOISY,
		.findings = ARENA_ARRAY(a, struct finding, NOISY),
		.nfindings = rnd(seed) % NOISY,
		.cases = ARENA_ARRAY(a, struct gate_case, NOISY),
		.ncases = rnd(seed) % NOISY,
		.coverage = (double)(rnd(seed) % 200) - 50};

	for (size_t i = 0; i < r.nsteps; i++)
		r.steps[i] = (struct gate_step){.name = noise(a, seed),
			.level = (enum gate_level)(rnd(seed) % 5),
			.skipped = rnd(seed) % 4 == 0,
			.summary = noise(a, seed)};
	for (size_t i = 0; i < r.nfindings; i++)
		r.findings[i] = (struct finding){.gate = noise(a, seed),
			.level = (enum gate_level)(rnd(seed) % 5),
			.file = noise(a, seed),
			.row = (uint32_t)(rnd(seed) % 3),
			.col = (uint32_t)(rnd(seed) % 3),
			.code = noise(a, seed),
			.subject = noise(a, seed),
			.message = noise(a, seed),
			.detail = noise(a, seed),
			.again = noise(a, seed),
			.changed = rnd(seed) % 2};
	for (size_t i = 0; i < r.ncases; i++)
		r.cases[i] = (struct gate_case){.suite = noise(a, seed),
			.class = noise(a, seed),
			.name = noise(a, seed),
			.skip = rnd(seed) % 4 == 0,
			.output = noise(a, seed),
			.problem =
				r.nfindings && rnd(seed) % 2
					? &r.findings[rnd(seed) % r.nfindings]
					: NULL};
	return r;
}

static void any_bytes_make_sound_reports(void **state)
{
	uint64_t seed = 88172645463325252u;
	struct arena a = {0};

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct gate_report r = noisy(&a, &seed);

		assert_sound(&r);
		arena_reset(&a);
	}
	arena_release(&a);
}

static void any_bytes_are_taken_by_the_schema(void **state)
{
	uint64_t seed = 20261124;
	struct arena a = {0};

	(void)state;
	need_xmllint();
	for (int i = 0; i < 100; i++) {
		struct gate_report r = noisy(&a, &seed);

		assert_junit(&r);
		arena_reset(&a);
	}
	arena_release(&a);
}

/* All reports of `r` in one text. */
static void write_all(struct buf *out, const struct gate_report *r)
{
	gate_report_text(out, r, &(struct report_style){.verbose = true});
	gate_report_json(out, r);
	gate_report_junit(out, r, true);
	gate_report_github(out, r);
	gate_report_summary(out, r);
}

static void the_same_report_gives_the_same_bytes(void **state)
{
	uint64_t seed = 7, seed_again = 7;
	struct arena a = {0}, b = {0};
	struct buf one = {0}, two = {0};

	(void)state;
	/* At other addresses, behind other bytes. */
	arena_alloc(&b, 1000);
	for (int i = 0; i < 200; i++) {
		struct gate_report r = noisy(&a, &seed);
		struct gate_report s = noisy(&b, &seed_again);

		write_all(&one, &r);
		write_all(&two, &s);
	}
	assert_true(str_eq(buf_str(&one), buf_str(&two)));
	buf_release(&one);
	buf_release(&two);
	arena_release(&a);
	arena_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(people_read_a_line_a_gate_and_the_worst_first),
		cmocka_unit_test(quiet_is_what_failed_and_the_last_line),
		cmocka_unit_test(verbose_lists_every_case),
		cmocka_unit_test(words_are_painted_only_when_asked),
		cmocka_unit_test(a_work_tree_has_no_commit),
		cmocka_unit_test(a_long_summary_moves_no_other_line),
		cmocka_unit_test(a_text_can_not_steer_the_terminal),
		cmocka_unit_test(programs_read_everything),
		cmocka_unit_test(what_was_not_measured_is_left_out),
		cmocka_unit_test(
			viewers_of_tests_read_gates_findings_and_cases),
		cmocka_unit_test(the_strict_schema_takes_the_strict_dialect),
		cmocka_unit_test(the_same_name_is_given_once),
		cmocka_unit_test(a_gate_that_failed_in_silence_is_a_failure),
		cmocka_unit_test(what_failed_was_not_skipped),
		cmocka_unit_test(
			the_pull_request_shows_findings_at_their_lines),
		cmocka_unit_test(a_text_can_not_give_commands),
		cmocka_unit_test(a_log_is_kept_from_giving_commands),
		cmocka_unit_test(
			one_of_each_policy_comes_first_and_what_changed),
		cmocka_unit_test(ten_are_shown_without_more),
		cmocka_unit_test(the_summary_is_a_table_that_nothing_breaks),
		cmocka_unit_test(ten_thousand_findings_are_no_trouble),
		cmocka_unit_test(any_bytes_make_sound_reports),
		cmocka_unit_test(any_bytes_are_taken_by_the_schema),
		cmocka_unit_test(the_same_report_gives_the_same_bytes),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
