/* The dashboard, made from documents. */
#include "tests/test.h"

#include "base/json.h"
#include "server/page.h"

#include <stdlib.h>
#include <string.h>

struct site {
	struct arena a;
	struct buf out;
	struct page_docs docs;
	struct str status[2];
};

static void site_close(struct site *t)
{
	buf_release(&t->out);
	arena_release(&t->a);
}

/* A document; each "~" in it stands for the JSON string of `name`. */
static struct str doc(struct site *t, const char *text, const char *name)
{
	struct buf b = {0};
	struct str kept, span;
	struct err e = {0};

	for (; *text; text++)
		if (*text == '~')
			json_quote(&b, str_from(name));
		else
			buf_addc(&b, *text);
	kept = arena_str(&t->a, buf_str(&b));
	buf_release(&b);
	assert_ok(json_check(kept, NULL, &span, &e), &e);
	return span;
}

static const char *write(struct site *t)
{
	t->docs.status = t->status;
	t->docs.files.style = S("/page.css?v=1");
	t->docs.files.script = S("/page.js?v=1");
	buf_reset(&t->out);
	page_write(&t->out, &t->a, &t->docs);
	buf_addc(&t->out, 0);
	return t->out.ptr;
}

static const char *write_status(struct site *t, const char *status)
{
	t->status[0] = doc(t, status, "");
	t->docs.nstatus = 1;
	return write(t);
}

#define HEAD "{\"bundle\":\"b\",\"time\":\"2026-01-01T01:00:00Z\","
#define STABLE "\"stable\":{\"revision\":\"v1\"}"
#define BOTH STABLE ",\"candidate\":{\"revision\":\"v2\"}"

static void has_a_word_for_every_state(void **state)
{
	static const struct {
		const char *status, *word;
	} rows[] = {
		{"\"state\":\"idle\"", "EMPTY"},
		{"\"state\":\"idle\"," STABLE, "STABLE"},
		{"\"state\":\"succeeded\"," STABLE, "STABLE"},
		{"\"state\":\"preflight\"," BOTH, "STARTING"},
		{"\"state\":\"baking\"," BOTH ",\"rollout\":{\"ring_name\":"
		 "\"canary\",\"rings\":[{\"name\":\"canary\"}]}",
			"CANARY"},
		{"\"state\":\"distributing\"," BOTH
		 ",\"rollout\":{\"ring_name\":"
		 "\"early\",\"rings\":[{\"name\":\"early\",\"percent\":10}]}",
			"EARLY 10%"},
		{"\"state\":\"fleet-bake\"," BOTH ",\"rollout\":{\"ring_name\":"
		 "\"fleet\",\"rings\":[{\"name\":\"fleet\",\"percent\":100}]}",
			"FLEET 100%"},
		{"\"state\":\"hold\"," BOTH, "HOLD"},
		{"\"state\":\"rolling-back\"," STABLE, "ROLLING BACK"},
		{"\"state\":\"rolled-back\"," STABLE, "ROLLED BACK"},
		{"\"state\":\"aborted\"," STABLE, "ABORTED"},
		{"\"state\":\"refused\"," STABLE, "REFUSED"},
		{"\"state\":\"idle\"," STABLE
		 ",\"freezes\":[{\"scope\":\"all\"}]",
			"FROZEN"},
	};
	struct site t = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[512], want[64];

		snprintf(text, sizeof(text), HEAD "%s}", rows[i].status);
		snprintf(want, sizeof(want), "<p class=\"word\">%s</p>",
			rows[i].word);
		if (!strstr(write_status(&t, text), want))
			fail_msg("%s is not %s", rows[i].status, rows[i].word);
		assert_null(strstr(t.out.ptr, "class=\"act\""));
	}
	site_close(&t);
}

static void says_what_somebody_must_do(void **state)
{
	struct site t = {0};
	const char *page = write_status(&t,
		HEAD "\"state\":\"hold\",\"hold\":\"look\"," BOTH
		     ",\"act\":{\"why\":\"it is on hold\","
		     "\"command\":\"regatta promote\"}}");

	(void)state;
	assert_non_null(strstr(page, "it is on hold. It says: <q>look</q>."));
	assert_non_null(strstr(page, "<code>regatta promote</code>"));
	site_close(&t);
}

static void shows_a_failure_in_place_of_channels(void **state)
{
	struct site t = {0};

	(void)state;
	assert_non_null(strstr(write(&t), "Nothing was published "));
	assert_non_null(strstr(write_status(&t, "{\"error\":{\"code\":\"x\","
						"\"text\":\"no <state>\"}}"),
		"no &lt;state&gt;"));
	site_close(&t);
}

/* --- names -----------------------------------------------------------------
 */

/* Every text of every document is what "~" stands for. */
static const char all_status[] =
	"{\"bundle\":~,\"time\":\"2026-01-01T01:00:00Z\",\"state\":\"hold\","
	"\"since\":~,\"hold\":~,\"stable\":{\"revision\":~},"
	"\"candidate\":{\"revision\":\"v2\"},\"last\":{\"event\":~,\"who\":~},"
	"\"rollout\":{\"ring_name\":~,\"rings\":[{\"name\":~,\"percent\":1}]},"
	"\"act\":{\"why\":~,\"command\":~},\"targets\":{\"total\":~,"
	"\"there\":~,\"lost\":~,\"running\":[{\"revision\":~,\"targets\":~}]},"
	"\"freezes\":[{\"scope\":~,\"who\":~,\"reason\":~,\"until\":~}],"
	"\"pins\":[{\"target\":~,\"revision\":~,\"who\":~,\"reason\":~,"
	"\"until\":~}],\"quarantine\":[{\"revision\":~,\"who\":~,\"reason\":~}]"
	","
	"\"newer\":[~]}";
static const char all_targets[] =
	"{\"targets\":[{\"target\":~,\"labels\":{\"ring\":~,\"class\":~},"
	"\"runs\":~,\"should_run\":\"v2\",\"place\":~,\"last_poll\":~,"
	"\"error\":~}]}";
static const char all_verdict[] =
	"{\"rollout\":~,\"verdict\":{\"outcome\":~,\"reason\":~,\"metrics\":"
	"{\"error\":{\"canary\":{\"count\":~,\"of\":~,\"rate\":~},"
	"\"ln_evidence\":~,\"threshold\":~}}},\"windows\":[{\"canary\":"
	"{\"error\":1,\"decisions\":2},\"baseline\":~}]}";
static const char all_history[] =
	"{\"lines\":[{\"time\":~,\"event\":~,\"revision\":~,\"who\":~,"
	"\"reason\":~}]}";
static const char all_diff[] =
	"{\"from\":{\"revision\":~},\"to\":{\"revision\":~},\"files\":"
	"[{\"change\":~,\"path\":~}],\"rules\":[{\"change\":~,\"rule\":~}],"
	"\"data\":[{\"change\":~,\"path\":~}]}";

static const char *write_all(struct site *t, const char *name)
{
	t->status[0] = doc(t, all_status, name);
	t->docs.nstatus = 1;
	t->docs.targets = doc(t, all_targets, name);
	t->docs.verdict = doc(t, all_verdict, name);
	t->docs.history = doc(t, all_history, name);
	t->docs.diff = doc(t, all_diff, name);
	return write(t);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

static void escapes_every_text(void **state)
{
	static const char *const names[] = {
		"<script>alert(1)</script>",
		"\" onload=\"alert(1)",
		"' onload='alert(1)",
		"--></title></style><img src=x onerror=alert(1)>",
		"@ @@ %s %n &amp; &",
		"\x01\x1b[31m\x7f\xc2\x85",
		"a\xe2\x80\xae"
		"b\xe2\x81\xa6"
		"c\xe2\x80\x8b",
		"\xd8\x9c\xef\xbb\xbf\xf3\xa0\x81\xa1\xc2\xad",
		"\xff\xc0\xaf<\xed\xa0\x80",
	};
	/* All attributes are in double quotes, so that others mean nothing. */
	static const char *const markup[] = {"<", ">", "\""};
	static const char *const unseen[] = {"\x01", "\x1b", "\x7f", "\xc2\x85",
		"\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x80\x8b", "\xd8\x9c",
		"\xef\xbb\xbf", "\xf3\xa0\x81\xa1", "\xc2\xad", "\xff"};
	struct site t = {0};
	size_t want[COUNT(markup)];

	(void)state;
	write_all(&t, "x");
	for (size_t k = 0; k < COUNT(markup); k++)
		want[k] = count(t.out.ptr, markup[k]);
	assert_true(count(t.out.ptr, "x") > 40);
	for (size_t i = 0; i < COUNT(names); i++) {
		write_all(&t, names[i]);
		for (size_t k = 0; k < COUNT(markup); k++)
			if (count(t.out.ptr, markup[k]) != want[k])
				fail_msg("%s makes markup", names[i]);
		for (size_t k = 0; k < COUNT(unseen); k++)
			assert_null(strstr(t.out.ptr, unseen[k]));
	}
	site_close(&t);
}

static void lists_what_changed(void **state)
{
	struct site t = {0};

	(void)state;
	t.docs.diff = doc(&t,
		"{\"from\":{\"revision\":\"v1\"},\"to\":{\"revision\":\"v2\"},"
		"\"same\":false,\"release_changed\":true,\"system_log\":true,"
		"\"files\":[{\"change\":\"added\",\"path\":\"a.rego\"}],"
		"\"rules\":[{\"change\":\"changed\",\"rule\":\"data.a.b\"}],"
		"\"data\":[{\"change\":\"removed\",\"path\":\"/c\"}]}",
		"");
	write_status(&t, HEAD "\"state\":\"baking\"," BOTH "}");
	assert_non_null(strstr(t.out.ptr, "<b>added</b> <code>a.rego<"));
	assert_non_null(strstr(t.out.ptr, "<b>changed</b> <code>data.a.b<"));
	assert_non_null(strstr(t.out.ptr, "<b>removed</b> <code>/c<"));
	assert_non_null(strstr(t.out.ptr, "How it is released changed"));
	assert_non_null(strstr(t.out.ptr, "What decision logs hold back"));
	site_close(&t);
}

static void shows_names_as_they_are(void **state)
{
	struct site t = {0};

	(void)state;
	assert_non_null(strstr(write_all(&t, "a<b>&\"c' d\xc3\xa9"),
		"a&lt;b&gt;&amp;&quot;c' d\xc3\xa9"));
	assert_non_null(
		strstr(t.out.ptr, "/?bundle=a%3Cb%3E%26%22c%27%20d%C3%A9\""));
	assert_non_null(strstr(write_all(&t, "a\x01"), "a\xef\xbf\xbd"));
	site_close(&t);
}

/* --- who looks --------------------------------------------------------------
 */

static void says_who_looks(void **state)
{
	struct site t = {0};
	static const char out[] = "action=\"/sign-out\"";

	(void)state;
	assert_null(strstr(write_status(&t, HEAD "\"state\":\"idle\"}"), out));
	t.docs.name = S("a<b");
	t.docs.role = S("viewer");
	assert_non_null(strstr(write(&t), "<b>a&lt;b</b>, viewer"));
	/* Who came with a token has no session to end. */
	assert_null(strstr(t.out.ptr, out));
	t.docs.session = true;
	assert_non_null(strstr(write(&t), out));
	site_close(&t);
}

static const char *write_word(struct site *t, const struct page_word *w)
{
	buf_reset(&t->out);
	page_write_word(&t->out, &t->a, w);
	return t->out.ptr;
}

static void a_page_of_one_sentence_has_no_markup_of_others(void **state)
{
	static const char hostile[] = "\"><script>\x01'\xe2\x80\xae@&";
	struct page_word w = {.title = S("x"),
		.text = S("x"),
		.bundle = S("x"),
		.sign_in = true,
		.session = true};
	struct site t = {0};
	size_t tags, quotes;

	(void)state;
	tags = count(write_word(&t, &w), "<");
	quotes = count(t.out.ptr, "\"");
	assert_non_null(strstr(t.out.ptr, "action=\"/sign-in?bundle=x\""));
	w.title = w.text = w.bundle = str_from(hostile);
	assert_int_equal(count(write_word(&t, &w), "<"), tags);
	assert_int_equal(count(t.out.ptr, "\""), quotes);
	assert_null(strchr(t.out.ptr, 1));
	assert_null(strstr(t.out.ptr, "\xe2\x80\xae"));
	assert_non_null(strstr(t.out.ptr,
		"/sign-in?bundle=%22%3E%3Cscript%3E%01%27%E2%80%AE%40%26\""));
	w.sign_in = w.session = false;
	assert_null(strstr(write_word(&t, &w), "<form"));
	site_close(&t);
}

/* --- targets ---------------------------------------------------------------
 */

static void marks_a_target_that_runs_another_version(void **state)
{
	struct site t = {0};

	(void)state;
	t.docs.targets = doc(&t,
		"{\"targets\":["
		"{\"target\":\"a\",\"labels\":{\"ring\":\"r\"},\"runs\":\"v2\","
		"\"should_run\":\"v2\",\"place\":\"there\"},"
		"{\"target\":\"b\",\"labels\":{\"ring\":\"r\"},\"runs\":\"v1\","
		"\"should_run\":\"v2\",\"place\":\"waiting\"},"
		"{\"target\":\"c\",\"labels\":{},\"should_run\":\"v1\","
		"\"place\":\"waiting\"},"
		"{\"target\":\"d\",\"labels\":{},\"runs\":\"v0\","
		"\"place\":\"there\"}]}",
		"");
	write_status(&t, HEAD "\"state\":\"baking\"," BOTH
			      ",\"targets\":{\"total\":3}}");
	assert_non_null(strstr(
		t.out.ptr, "\"square runs-candidate should-candidate\""));
	assert_non_null(strstr(
		t.out.ptr, "\"square runs-stable should-candidate differs\""));
	assert_non_null(strstr(t.out.ptr, "waiting\">S!</li>"));
	assert_non_null(strstr(
		t.out.ptr, "\"square runs-none should-stable differs\""));
	assert_non_null(strstr(t.out.ptr,
		"<h3>r <span class=\"more\">2 targets, 1 out of "
		"step</span>"));
	assert_non_null(strstr(t.out.ptr, "without ring or class"));
	/* What should run nothing is not out of step. */
	assert_non_null(strstr(t.out.ptr, "\"square runs-other should-none\""));
	site_close(&t);
}

static void counts_a_large_fleet(void **state)
{
	struct site t = {0};

	(void)state;
	write_status(&t, HEAD "\"state\":\"idle\"," STABLE
			      ",\"targets\":{\"total\":2001,\"there\":2000,"
			      "\"lost\":1,\"running\":[{\"revision\":\"v1\","
			      "\"targets\":2001}]}}");
	assert_non_null(strstr(t.out.ptr, "<b>2000 of 2001 targets</b> run"));
	assert_non_null(strstr(t.out.ptr, "<b>1 lost</b>"));
	assert_non_null(strstr(t.out.ptr, "are counted, not drawn"));
	assert_null(strstr(t.out.ptr, "class=\"squares\""));
	site_close(&t);
}

/* Groups beyond the limit are one; none of its targets is left out. */
static void joins_too_many_groups(void **state)
{
	struct site t = {0};
	struct buf b = {0};

	(void)state;
	buf_adds(&b, "{\"targets\":[");
	for (int i = 0; i < 200; i++)
		buf_addf(&b,
			"%s{\"target\":\"t%d\",\"labels\":{\"ring\":\"r%d\"}}",
			i ? "," : "", i, i);
	buf_adds(&b, "]}");
	buf_addc(&b, 0);
	t.docs.targets = doc(&t, b.ptr, "");
	write_status(&t, HEAD "\"state\":\"idle\"}");
	assert_int_equal(count(t.out.ptr, "<li class=\"square runs-"), 200);
	assert_int_equal(count(t.out.ptr, "class=\"squares small\""), 64);
	assert_non_null(
		strstr(t.out.ptr, "others <span class=\"more\">137 targets<"));
	buf_release(&b);
	site_close(&t);
}

/* --- evidence --------------------------------------------------------------
 */

static const char *write_metric(struct site *t, const char *evidence)
{
	char text[1024];

	snprintf(text, sizeof(text),
		"{\"rollout\":1,\"verdict\":{\"outcome\":\"x\",\"reason\":"
		"\"x\","
		"\"config\":{\"beta\":0.05},\"metrics\":{\"error\":{%s,"
		"\"canary\":{\"count\":1,\"of\":4,\"rate\":0.25},"
		"\"baseline\":{\"count\":0,\"of\":8,\"rate\":0}}}},"
		"\"windows\":["
		"{\"canary\":{\"error\":0,\"decisions\":2},"
		"\"baseline\":{\"error\":0,\"decisions\":4}},"
		"{\"canary\":{\"error\":1,\"decisions\":2},"
		"\"baseline\":{\"error\":0,\"decisions\":4}}]}",
		evidence);
	t->docs.verdict = doc(t, text, "");
	return write_status(t, HEAD "\"state\":\"idle\"}");
}

static void draws_how_near_a_verdict_is(void **state)
{
	static const struct {
		const char *evidence, *word, *good, *bad;
	} rows[] = {
		/* e^2.995732 is 20, e^5.521461 is 250 */
		{"\"ln_evidence\":0,\"threshold\":250,\"ln_pass_evidence\":0",
			"not sure yet", "x=\"120.0\" y=\"4\" width=\"0.0\"",
			"x=\"120\" y=\"4\" width=\"0.0\""},
		{"\"ln_evidence\":-9,\"threshold\":250,"
		 "\"ln_pass_evidence\":2.995733",
			"good", "x=\"30.0\" y=\"4\" width=\"90.0\"",
			"x=\"120\" y=\"4\" width=\"0.0\""},
		{"\"ln_evidence\":5.521462,\"threshold\":250,"
		 "\"ln_pass_evidence\":1.497866",
			"FAIL", "x=\"75.0\" y=\"4\" width=\"45.0\"",
			"x=\"120\" y=\"4\" width=\"90.0\""},
		{"\"ln_evidence\":99,\"threshold\":250", "FAIL",
			"width=\"0.0\"", "x=\"120\" y=\"4\" width=\"120.0\""},
		{"\"ln_evidence\":2.7607305,\"threshold\":250",
			"not worse so far", "width=\"0.0\"",
			"x=\"120\" y=\"4\" width=\"45.0\""},
	};
	struct site t = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char want[64];

		write_metric(&t, rows[i].evidence);
		snprintf(want, sizeof(want), "\">%s</span></h3>", rows[i].word);
		if (!strstr(t.out.ptr, want) ||
			!strstr(t.out.ptr, rows[i].good) ||
			!strstr(t.out.ptr, rows[i].bad))
			fail_msg("%s: %s", rows[i].evidence, t.out.ptr);
	}
	site_close(&t);
}

static void says_how_far_the_canary_is(void **state)
{
	static const struct {
		const char *people, *want;
	} rows[] = {
		{"\"likely_worse\":0.9987,\"stratified_odds_ratio\":3.0618,"
		 "\"difference_interval\":[0.009,0.084],"
		 "\"odds_ratio\":[1.286,6.556]",
			"<p class=\"more\">difference +25 points (+0.9 to "
			"+8.4);"
			" odds ratio 3.06 (1.29 to 6.56); 99.9% likely "
			"worse</p>"},
		{"\"likely_worse\":0.99999,\"stratified_odds_ratio\":3.0618,"
		 "\"difference_interval\":[-0.01,0.084],"
		 "\"odds_ratio\":[1.286,null]",
			"(-1 to +8.4); odds ratio 3.06 (1.29 or more); over "
			"99.9% likely worse</p>"},
		{"\"likely_worse\":0.0001,\"stratified_odds_ratio\":null,"
		 "\"difference_interval\":[-0.01,0.084],"
		 "\"odds_ratio\":[0,null]",
			"+8.4); under 0.1% likely worse</p>"},
		{"\"likely_worse\":0.5,\"stratified_odds_ratio\":1,"
		 "\"latency\":{\"slower\":0.62,\"high\":true},"
		 "\"odds_ratio\":[0,null]",
			"odds ratio 1; 50% likely worse</p>\n"
			"<p class=\"more\">of 100 pairs the canary's decision "
			"took longer in 62; latency is up as a whole</p>"},
	};
	struct site t = {0};
	char text[512];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(text, sizeof(text),
			"\"ln_evidence\":0,\"threshold\":250,%s",
			rows[i].people);
		write_metric(&t, text);
		if (!strstr(t.out.ptr, rows[i].want))
			fail_msg("%s: %s", rows[i].want, t.out.ptr);
	}
	write_metric(&t, "\"ln_evidence\":0,\"threshold\":250");
	assert_null(strstr(t.out.ptr, "likely"));
	site_close(&t);
}

static void draws_rates_by_window(void **state)
{
	struct site t = {0};

	(void)state;
	write_metric(&t, "\"ln_evidence\":0,\"threshold\":250");
	assert_non_null(strstr(t.out.ptr,
		"<path class=\"canary\" d=\"M0.0 47.0L240.0 10.2\"/>"));
	assert_non_null(strstr(t.out.ptr,
		"<path class=\"baseline\" d=\"M0.0 47.0L240.0 47.0\"/>"));
	assert_non_null(strstr(t.out.ptr, "by time, from 0 to 62.5%"));
	assert_non_null(strstr(t.out.ptr,
		"</span>canary</th><td class=\"n\">25%</td><td "
		"class=\"n more\">1 of 4</td>"));
	site_close(&t);
}

/* A line needs two points, so that one alone would not show. */
static void draws_a_window_alone_as_a_dash(void **state)
{
	struct site t = {0};

	(void)state;
	t.docs.verdict = doc(&t,
		"{\"rollout\":1,\"verdict\":{\"outcome\":\"x\",\"metrics\":{"
		"\"error\":{\"canary\":{\"of\":2},\"threshold\":9}}},"
		"\"windows\":[{\"canary\":{\"decisions\":0}},"
		"{\"canary\":{\"error\":2,\"decisions\":2}},"
		"{\"canary\":{\"decisions\":0},"
		"\"baseline\":{\"error\":1,\"decisions\":2}}]}",
		"");
	write_status(&t, HEAD "\"state\":\"idle\"}");
	assert_non_null(strstr(
		t.out.ptr, "<path class=\"canary\" d=\"M120.0 1.0h5\"/>"));
	assert_non_null(strstr(
		t.out.ptr, "<path class=\"baseline\" d=\"M240.0 24.0h-5\"/>"));
	assert_non_null(strstr(t.out.ptr, "from 0 to 100%"));
	site_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_a_word_for_every_state),
		cmocka_unit_test(says_what_somebody_must_do),
		cmocka_unit_test(shows_a_failure_in_place_of_channels),
		cmocka_unit_test(escapes_every_text),
		cmocka_unit_test(lists_what_changed),
		cmocka_unit_test(shows_names_as_they_are),
		cmocka_unit_test(says_who_looks),
		cmocka_unit_test(
			a_page_of_one_sentence_has_no_markup_of_others),
		cmocka_unit_test(marks_a_target_that_runs_another_version),
		cmocka_unit_test(counts_a_large_fleet),
		cmocka_unit_test(joins_too_many_groups),
		cmocka_unit_test(draws_how_near_a_verdict_is),
		cmocka_unit_test(says_how_far_the_canary_is),
		cmocka_unit_test(draws_rates_by_window),
		cmocka_unit_test(draws_a_window_alone_as_a_dash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
