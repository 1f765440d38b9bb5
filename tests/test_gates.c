/* The gates on small repos made by hand, with a clock that stands still. */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "gates/gates.h"

/* --- a repo from (path, content) pairs
 * ------------------------------------------ */

struct pair {
	const char *path, *content;
};

static int by_path(const void *a, const void *b)
{
	const struct repo_file *x = a, *y = b;

	return str_cmp(x->path, y->path);
}

static void make_repo(struct repo *r, const struct pair *files, size_t n)
{
	*r = (struct repo){.commit = "c0ffee", .tree = "beef", .of_day = 1};
	r->files = ARENA_ARRAY(&r->arena, struct repo_file, n);
	for (size_t i = 0; i < n; i++)
		r->files[r->nfiles++] =
			(struct repo_file){.path = str_from(files[i].path),
				.content = str_from(files[i].content)};
	qsort(r->files, n, sizeof(*r->files), by_path);
}

static int64_t at(const char *text)
{
	int64_t ns = 0;

	assert_true(instant_parse(str_from(text), &ns, NULL));
	return ns;
}

struct site {
	struct repo repo, base;
	struct config config;
	struct gate_report report;
	bool has_base;
};

static const char plain_config[] = "bundle: p\nroots: [a, waivers, stages]\n"
				   "include: [policies, waivers, stages]\n";

static void judge_as(struct site *s, const struct pair *files, size_t n,
	const char *config, const char *now)
{
	struct err e;
	struct gate_options o = {.repo = &s->repo,
		.base = s->has_base ? &s->base : NULL,
		.config = &s->config,
		.now_ns = at(now),
		.threads = 1};

	make_repo(&s->repo, files, n);
	s->repo.time = at("2026-06-20") / NS_PER_S;
	assert_ok(
		config_parse(&s->config, "regatta.yaml", str_from(config), &e),
		&e);
	gates_run(&s->report, &o, &clock_system);
}

#define judge(s, files)                                                        \
	judge_as(s, files, COUNT(files), plain_config, "2026-06-21")

static void release(struct site *s)
{
	gate_report_release(&s->report);
	config_release(&s->config);
	arena_release(&s->repo.arena);
	arena_release(&s->base.arena);
}

static const struct finding *finding(const struct site *s, const char *part)
{
	for (size_t i = 0; i < s->report.nfindings; i++)
		if (strstr(s->report.findings[i].message, part))
			return &s->report.findings[i];
	return NULL;
}

#define assert_finds(s, want_level, want_file, part)                           \
	do {                                                                   \
		const struct finding *f_ = finding(s, part);                   \
		if (!f_)                                                       \
			fail_msg("no finding holds \"%s\"", part);             \
		assert_num(f_->level, want_level);                             \
		assert_string_equal(f_->file, want_file);                      \
	} while (0)

static const struct gate_step *step(const struct site *s, const char *name)
{
	for (size_t i = 0; i < s->report.nsteps; i++)
		if (!strcmp(s->report.steps[i].name, name))
			return &s->report.steps[i];
	fail_msg("no step %s", name);
	return NULL;
}

/* --- files
 * ------------------------------------------------------------------------ */

#define RULE                                                                   \
	{                                                                      \
		"policies/a/p/p.rego",                                         \
			"package a.p\n\nviolations contains \"bad\" if "       \
			"input.bad\n"                                          \
	}
#define TEST                                                                   \
	{                                                                      \
		"policies/a/p/p_test.rego",                                    \
			"package a.p_test\n\nimport data.a.p\n\n"              \
			"test_bad if p.violations == {\"bad\"} with input as " \
			"{\"bad\": true}\n"                                    \
	}
#define GOOD                                                                   \
	{                                                                      \
		"policies/a/p/fixtures/good/a.json", "{\"bad\": false}"        \
	}
#define BAD                                                                    \
	{                                                                      \
		"policies/a/p/fixtures/bad/a.yaml", "bad: true\n"              \
	}

/* --- the tests
 * ---------------------------------------------------------------------- */

static void a_sound_repo_passes_every_gate(void **state)
{
	static const struct pair files[] = {RULE, TEST, GOOD, BAD};
	struct site s = {0};

	(void)state;
	judge(&s, files);
	assert_num(s.report.level, GATE_OK);
	assert_num(s.report.nfindings, 0);
	assert_num(s.report.npolicies, 1);
	assert_num(s.report.ncases, 3);
	assert_true(s.report.coverage == 100);
	assert_true(step(&s, "changes")->skipped);
	release(&s);
}

static void a_function_named_like_a_verdict_is_no_policy(void **state)
{
	static const struct pair files[] = {RULE, TEST, GOOD, BAD,
		{"policies/a/texts/texts.rego",
			"package a.texts\n\nviolation(msg) := {\"msg\": "
			"msg}\n"},
		{"policies/a/texts/texts_test.rego",
			"package a.texts_test\n\nimport data.a.texts\n\n"
			"test_text if texts.violation(\"x\").msg == \"x\"\n"}};
	struct site s = {0};

	(void)state;
	judge(&s, files);
	assert_num(s.report.level, GATE_OK);
	assert_num(s.report.npolicies, 1);
	release(&s);
}

static void the_digest_is_of_outcomes_not_of_times(void **state)
{
	static const struct pair files[] = {RULE, TEST, GOOD, BAD};
	static const struct pair other[] = {RULE, TEST, GOOD, BAD,
		{"policies/a/p/fixtures/bad/b.yaml", "bad: 1\n"}};
	struct site a = {0}, b = {0}, c = {0};

	(void)state;
	judge(&a, files);
	judge(&b, files);
	judge(&c, other);
	assert_string_equal(a.report.digest, b.report.digest);
	assert_string_not_equal(a.report.digest, c.report.digest);
	release(&a);
	release(&b);
	release(&c);
}

static void what_does_not_parse_is_broken_not_failed(void **state)
{
	static const struct pair files[] = {
		{"policies/a/p/p.rego", "package a.p\n\np if {\n"}, TEST};
	struct site s = {0};

	(void)state;
	judge(&s, files);
	assert_num(s.report.level, GATE_BROKEN);
	assert_true(step(&s, "test")->skipped);
	assert_true(step(&s, "fixtures")->skipped);
	assert_string_equal(s.report.findings[0].code, "rego_parse_error");
	assert_string_equal(s.report.findings[0].file, "policies/a/p/p.rego");
	release(&s);
}

static void a_repo_without_policies_is_broken(void **state)
{
	static const struct pair files[] = {{"README.md", "x"}};
	struct site s = {0};

	(void)state;
	judge(&s, files);
	assert_num(s.report.level, GATE_BROKEN);
	assert_non_null(finding(&s, "no policy"));
	release(&s);
}

static void a_repo_without_tests_is_broken(void **state)
{
	static const struct pair files[] = {RULE, GOOD, BAD};
	struct site s = {0};

	(void)state;
	judge(&s, files);
	assert_num(s.report.level, GATE_BROKEN);
	assert_non_null(finding(&s, "no test"));
	release(&s);
}

static void a_red_test_shows_both_sides_and_how_to_run_it(void **state)
{
	static const struct pair files[] = {RULE, GOOD, BAD,
		{"policies/a/p/p_test.rego",
			"package a.p_test\n\nimport data.a.p\n\n"
			"test_red if {\n\tn := count(p.violations) with input "
			"as {\"bad\": true}\n\tn == 2\n}\n"}};
	struct site s = {0};

	(void)state;
	judge(&s, files);
	assert_num(s.report.level, GATE_FAIL);
	assert_finds(&s, GATE_FAIL, "policies/a/p/p_test.rego", "n == 2");
	const struct finding *f = finding(&s, "n == 2");

	assert_num(f->row, 7);
	assert_string_equal(f->subject, "data.a.p_test.test_red");
	assert_non_null(strstr(f->detail, "left   1"));
	assert_non_null(strstr(f->again, "regatta test"));
	release(&s);
}

/* Both limits lie inside of a character here. */
static void long_lines_and_values_are_cut_between_characters(void **state)
{
	static struct pair files[] = {
		RULE, GOOD, BAD, {"policies/a/p/p_test.rego", NULL}};
	struct buf module = {0};
	struct site s = {0};

	(void)state;
	buf_adds(&module, "package a.p_test\n\np := \"");
	for (int i = 0; i < 600; i++)
		buf_adds(&module, "\xc3\xa9");
	files[3].content = module.ptr;
	judge(&s, files);
	const struct finding *f = finding(&s, "non-terminated string");

	assert_non_null(f);
	assert_true(strlen(f->detail) < 520);
	assert_non_null(strstr(f->detail, "\xc3\xa9..."));
	assert_true(utf8_valid(f->detail, strlen(f->detail)));
	release(&s);
	buf_adds(&module, "\"\n\ntest_x if concat(\"\", [p, p]) == \"no\"\n");
	files[3].content = module.ptr;
	judge(&s, files);
	f = finding(&s, "is not true");
	assert_non_null(f);
	assert_non_null(strstr(f->detail, "\xc3\xa9...\nright  \"no\""));
	release(&s);
	buf_release(&module);
}

static void each_row_of_a_table_is_a_case(void **state)
{
	static const struct pair files[] = {RULE, GOOD, BAD,
		{"policies/a/p/p_test.rego",
			"package a.p_test\n\nimport data.a.p\n\n"
			"test_table[name] if {\n\tsome name, bad in "
			"{\"one\": true, \"two\": false}\n"
			"\tcount(p.violations) == 1 with input as "
			"{\"bad\": bad}\n}\n"}};
	struct site s = {0};
	size_t failed = 0;

	(void)state;
	judge(&s, files);
	assert_num(s.report.ncases, 4);
	for (size_t i = 0; i < s.report.ncases; i++)
		if (s.report.cases[i].problem) {
			failed++;
			assert_string_equal(
				s.report.cases[i].name, "test_table[two]");
		}
	assert_num(failed, 1);
	release(&s);
}

static void a_test_over_its_budget_fails(void **state)
{
	static const struct pair files[] = {RULE, TEST, GOOD, BAD,
		{"policies/a/p/q_test.rego",
			"package a.q_test\n\ntest_long if count([x | some x in "
			"numbers.range(1, 5000)]) == 5000\n"}};
	struct site s = {0};

	(void)state;
	judge_as(&s, files, COUNT(files),
		"bundle: p\nroots: [a]\ninclude: [policies]\n"
		"test: {budget: {steps: 1000}}\n",
		"2026-06-21");
	assert_num(s.report.level, GATE_FAIL);
	const struct finding *f = finding(&s, "over its limit of steps");

	assert_non_null(f);
	assert_non_null(strstr(f->detail, "test.budget.steps in regatta.yaml"));
	release(&s);
}

static void fixtures_are_held_against_the_policy(void **state)
{
	static const struct pair files[] = {RULE, TEST,
		{"policies/a/p/fixtures/good/a.json", "{\"bad\": true}"},
		{"policies/a/p/fixtures/bad/a.yaml",
			"bad: true\n---\nbad: false\n"},
		{"policies/a/p/fixtures/bad/broken.yaml", "{]"}};
	struct site s = {0};

	(void)state;
	judge(&s, files);
	assert_num(s.report.level, GATE_BROKEN);
	assert_finds(&s, GATE_FAIL, "policies/a/p/fixtures/good/a.json",
		"a good input violates data.a.p");
	assert_finds(&s, GATE_FAIL, "policies/a/p/fixtures/bad/a.yaml",
		"a bad input does not violate data.a.p");
	assert_string_equal(s.report.findings[0].file,
		"policies/a/p/fixtures/bad/broken.yaml");
	assert_num(step(&s, "fixtures")->level, GATE_BROKEN);
	release(&s);
}

static void a_policy_needs_both_kinds_of_fixtures(void **state)
{
	static const struct pair files[] = {RULE, TEST, GOOD};
	struct site s = {0};

	(void)state;
	judge(&s, files);
	assert_num(s.report.level, GATE_FAIL);
	assert_finds(&s, GATE_FAIL, "policies/a/p/p.rego", "fixtures/bad/");
	assert_string_equal(s.report.findings[0].code, "T010");
	release(&s);
}

static void every_module_that_does_not_compile_is_named(void **state)
{
	static const struct pair files[] = {RULE, TEST, GOOD, BAD,
		{"policies/a/q.rego", "package a.q\n\np := x\n"},
		{"policies/a/r.rego", "package a.r\n\np := y\n"},
		{"policies/a/r_test.rego", "package a.r_test\n\np := z\n"}};
	struct site s = {0};

	(void)state;
	judge(&s, files);
	assert_num(s.report.level, GATE_BROKEN);
	assert_num(step(&s, "load")->level, GATE_OK);
	assert_num(step(&s, "check")->level, GATE_BROKEN);
	assert_finds(&s, GATE_BROKEN, "policies/a/q.rego", "var x is unsafe");
	assert_finds(&s, GATE_BROKEN, "policies/a/r.rego", "var y is unsafe");
	assert_finds(
		&s, GATE_BROKEN, "policies/a/r_test.rego", "var z is unsafe");
	assert_true(step(&s, "test")->skipped);
	release(&s);
}

/* Tests are not packed, so a policy may not need what stands in them. */
static void what_only_tests_define_is_missed(void **state)
{
	static const struct pair files[] = {TEST, GOOD, BAD,
		{"policies/a/p/p.rego",
			"package a.p\n\nimport data.a.h\n\nviolations "
			"contains \"bad\" if h.f(input.bad)\n"},
		{"policies/a/h_test.rego", "package a.h\n\nf(x) if x\n"}};
	struct site s = {0};

	(void)state;
	judge(&s, files);
	assert_num(s.report.level, GATE_BROKEN);
	assert_num(step(&s, "check")->level, GATE_BROKEN);
	assert_finds(&s, GATE_BROKEN, "policies/a/p/p.rego", "data.a.h.f");
	assert_true(step(&s, "test")->skipped);
	release(&s);
}

static void tests_that_are_left_to_do_judge_nothing(void **state)
{
	static const struct pair files[] = {RULE, GOOD, BAD,
		{"policies/a/p/p_test.rego",
			"package a.p_test\n\ntodo_test_x if false\n"}};
	struct site s = {0};

	(void)state;
	judge(&s, files);
	assert_num(s.report.level, GATE_BROKEN);
	assert_non_null(finding(&s, "no test that is not left to do"));
	release(&s);
}

static void inputs_that_no_policy_reads_are_found(void **state)
{
	static const struct pair files[] = {RULE, TEST, GOOD, BAD,
		{"policies/a/q/q.rego",
			"package a.q\n\nvoilations contains 1 if input.x\n"},
		{"policies/a/q/fixtures/good/x.json", "{\"x\": false}"},
		{"policies/a/q/fixtures/bad/x.yaml", "x: true\n"},
		{"policies/a/q/fixtures/bad/README.md", "no input\n"}};
	struct site s = {0};

	(void)state;
	judge(&s, files);
	assert_num(s.report.level, GATE_FAIL);
	assert_num(s.report.nfindings, 1);
	assert_finds(&s, GATE_FAIL, "policies/a/q/fixtures/bad/x.yaml",
		"no module in policies/a/q has a rule violations");
	assert_string_equal(s.report.findings[0].code, "T013");
	release(&s);
}

static void a_repo_whose_rules_nobody_asks_for_is_broken(void **state)
{
	static const struct pair files[] = {
		{"policies/a/p.rego", "package a\n\nallow if input.x\n"},
		{"policies/a/p_test.rego",
			"package a_test\n\ntest_x if data.a.allow with input "
			"as {\"x\": true}\n"}};
	struct site s = {0};

	(void)state;
	judge_as(&s, files, 2, "bundle: p\n", "2026-06-21");
	assert_num(s.report.level, GATE_BROKEN);
	assert_num(step(&s, "fixtures")->level, GATE_BROKEN);
	assert_non_null(finding(&s, "`decisions` in regatta.yaml"));
	release(&s);
}

static void empty_inputs_do_not_show_that_a_policy_lets_pass(void **state)
{
	static const char *const texts[] = {"{}", "[]", "null", "---\n{}\n"};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		const struct pair files[] = {RULE, TEST, BAD,
			{"policies/a/p/fixtures/good/a.yaml", texts[i]}, GOOD};
		struct site s = {0};

		judge_as(&s, files, 4, plain_config, "2026-06-21");
		assert_num(s.report.level, GATE_FAIL);
		assert_finds(&s, GATE_FAIL, "policies/a/p/p.rego",
			"nothing but empty inputs");
		release(&s);
		judge(&s, files); /* one beside it is enough */
		assert_num(s.report.level, GATE_OK);
		release(&s);
	}
}

static void coverage_below_its_gate_fails_and_names_the_rows(void **state)
{
	static const struct pair files[] = {TEST, GOOD, BAD,
		{"policies/a/p/p.rego",
			"package a.p\n\nviolations contains \"bad\" if "
			"input.bad\n\nviolations contains \"worse\" if "
			"input.worse\n\nother := 1 if input.other\n"}};
	struct site s = {0};

	(void)state;
	judge_as(&s, files, COUNT(files),
		"bundle: p\nroots: [a]\ninclude: [policies]\n"
		"test: {coverage: 90}\n",
		"2026-06-21");
	assert_num(s.report.level, GATE_FAIL);
	assert_num(step(&s, "coverage")->level, GATE_FAIL);
	assert_non_null(finding(&s, "reached by no test"));
	release(&s);
}

/* --- waivers and stages
 * ------------------------------------------------------------- */

#define WAIVER                                                                 \
	"- policy: p\n  scope: {namespace: legacy}\n  owner: team-a\n"         \
	"  reason: a vendor image that is being rebuilt\n  ticket: A-1\n"      \
	"  approved_by: team-b\n  granted: 2026-06-01\n  expires: "            \
	"2026-06-30\n"

static const struct pair waived[] = {
	RULE, TEST, GOOD, BAD, {"waivers/w.yaml", WAIVER}};

static void a_waiver_ends_at_the_start_of_its_day(void **state)
{
	static const struct {
		const char *now;
		enum gate_level level;
	} rows[] = {
		{"2026-06-29T23:59:59Z", GATE_WARN}, /* expires soon */
		{"2026-06-30T00:00:00Z", GATE_FAIL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct site s = {0};

		judge_as(&s, waived, COUNT(waived), plain_config, rows[i].now);
		assert_num(s.report.level, rows[i].level);
		assert_non_null(finding(&s, "last day 2026-06-29"));
		release(&s);
	}
}

static const struct bundle_file *extra(const struct site *s, const char *path)
{
	for (size_t i = 0; i < s->report.nextra; i++)
		if (str_is(s->report.extra[i].path, path))
			return &s->report.extra[i];
	fail_msg("no %s", path);
	return NULL;
}

static void the_digest_is_of_the_commit_not_of_the_day_or_the_base(void **state)
{
	struct site a = {0}, b = {0};

	(void)state;
	judge_as(&a, waived, COUNT(waived), plain_config, "2026-05-01");
	make_repo(&b.base, waived, 2);
	b.has_base = true;
	judge_as(&b, waived, COUNT(waived), plain_config, "2026-06-21");
	assert_num(a.report.level, GATE_OK);
	assert_num(b.report.level, GATE_WARN);
	assert_string_equal(a.report.digest, b.report.digest);
	release(&a);
	release(&b);
}

static void data_is_what_was_valid_at_the_commit(void **state)
{
	struct site s = {0};

	(void)state;
	/* Long after: the commit is of the 20th, and stays what it was. */
	judge_as(&s, waived, COUNT(waived), plain_config, "2026-09-01");
	assert_str(extra(&s, "waivers/data.json")->content,
		"[{\"policy\":\"p\",\"scope\":{\"namespace\":\"legacy\"},"
		"\"owner\":\"team-a\",\"reason\":\"a vendor image that is "
		"being rebuilt\",\"ticket\":\"A-1\",\"approved_by\":\"team-b\","
		"\"granted\":\"2026-06-01\",\"expires\":\"2026-06-30\","
		"\"expires_at\":\"2026-06-30T00:00:00Z\","
		"\"expires_ns\":1782777600000000000}]");
	release(&s);
}

static void a_waiver_that_lapsed_before_the_commit_is_left_out(void **state)
{
	static const struct pair files[] = {RULE, TEST, GOOD, BAD,
		{"waivers/w.yaml",
			"- policy: p\n  scope: {namespace: x}\n  owner: a\n"
			"  reason: a vendor image that is being rebuilt\n"
			"  ticket: A-1\n  approved_by: b\n"
			"  expires: 2026-06-20\n"}};
	struct site s = {0};

	(void)state;
	judge(&s, files);
	assert_str(extra(&s, "waivers/data.json")->content, "[]");
	assert_num(s.report.level, GATE_FAIL);
	release(&s);
}

static void bad_waivers_are_refused_at_their_place(void **state)
{
	static const struct {
		const char *text, *says;
		unsigned row;
	} rows[] = {
		{"- policy: p\n  policy: q\n", "given twice", 2},
		{"a: 1\n", "begins with version: 1", 1},
		{"- 7\n", "a waiver is a map", 1},
		{"- policy: p\n  exipres: 2026-01-01\n", "unknown key", 2},
		{"- policy: p\n  scope: {}\n", "needs a scope", 2},
		{"- policy: p\n  scope: {namespace: 'x*'}\n", "without *", 2},
		{"- policy: p\n  scope: {colour: red}\n", "unknown scope", 2},
		{"- policy: p\n  expires: soon\n", "must be a date", 2},
		{"- policy: p\n", "without expires", 1},
		{"- policy: p\n  granted: 2026-01-01\n"
		 "  expires: 2026-12-31\n",
			"at most 90", 3},
		{"- policy: p\n  owner: a\n  approved_by: a\n",
			"may not approve", 3},
		{"- policy: p\n  reason: short\n", "has 5 characters", 2},
		{"- {id: W-1, policy: p}\n- {id: W-1, policy: p}\n",
			"is in use", 2},
		{"- &a {policy: p}\n- *a\n", "anchor", 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct pair files[] = {RULE, TEST, GOOD, BAD,
			{"waivers/w.yaml", rows[i].text}};
		struct site s = {0};

		judge(&s, files);
		const struct finding *f = finding(&s, rows[i].says);

		if (!f)
			fail_msg("row %zu: nothing says \"%s\"", i,
				rows[i].says);
		assert_num(f->row, rows[i].row);
		assert_string_equal(f->file, "waivers/w.yaml");
		assert_num(s.report.level, GATE_FAIL);
		release(&s);
	}
}

static void stages_go_up_one_by_one(void **state)
{
	static const struct {
		const char *stages, *says;
	} rows[] = {
		{"[{stage: enforce, from: 2026-01-01}]", "born in enforce"},
		{"[{stage: dryrun, from: 2026-01-01}, "
		 "{stage: audit, from: 2026-02-01}]",
			"at once"},
		{"[{stage: dryrun, from: 2026-01-01}, "
		 "{stage: warn, from: 2025-02-01}]",
			"begins before"},
		{"[{stage: dryrun, from: 2026-01-01}, "
		 "{stage: warn, from: soon}]",
			"needs `from`"},
		{"[{stage: dry, from: 2026-01-01}]", "is one of"},
		{"[]", "has no stages"},
		{"[{stage: dryrun, from: 2026-01-01}, "
		 "{stage: warn, from: 2026-01-02}, "
		 "{stage: audit, from: 2026-01-03}, "
		 "{stage: enforce, from: 2026-01-04}]",
			"names a scope"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf text = {0};

		buf_addf(&text, "version: 1\npolicies:\n  p:\n    stages: %s\n",
			rows[i].stages);
		const struct pair files[] = {
			RULE, TEST, GOOD, BAD, {"stages/s.yaml", text.ptr}};
		struct site s = {0};

		judge(&s, files);
		if (!finding(&s, rows[i].says))
			fail_msg("row %zu: nothing says \"%s\"", i,
				rows[i].says);
		assert_num(s.report.level, GATE_FAIL);
		release(&s);
		buf_release(&text);
	}
}

static void stages_reach_the_bundle_by_policy(void **state)
{
	static const struct pair files[] = {RULE, TEST, GOOD, BAD,
		{"stages/s.yaml",
			"version: 1\npolicies:\n  p:\n    owner: a\n"
			"    stages: [{stage: dryrun, from: 2026-01-01}]\n"}};
	struct site s = {0};

	(void)state;
	judge(&s, files);
	assert_num(s.report.level, GATE_OK);
	assert_str(extra(&s, "stages/data.json")->content,
		"{\"p\":{\"stages\":[{\"stage\":\"dryrun\","
		"\"from\":\"2026-01-01\"}]}}");
	release(&s);
}

static void what_names_no_policy_is_found(void **state)
{
	static const struct pair files[] = {RULE, TEST, GOOD, BAD,
		{"waivers/w.yaml",
			"- policy: pp\n  scope: {namespace: x}\n  owner: a\n"
			"  reason: a vendor image that is being rebuilt\n"
			"  ticket: A-1\n  approved_by: b\n"
			"  expires: 2026-08-20\n"},
		{"stages/s.yaml",
			"version: 1\npolicies:\n  elsewhere:\n    owner: a\n"
			"    stages: [{stage: dryrun, from: 2026-01-01}]\n"}};
	struct site s = {0};

	(void)state;
	judge(&s, files);
	const struct finding *waiver =
		finding(&s, "no policy pp; did you mean p?");
	const struct finding *stage = finding(&s, "no policy elsewhere");

	assert_non_null(waiver);
	assert_string_equal(waiver->code, "W006");
	assert_num(waiver->row, 1);
	assert_non_null(stage);
	assert_string_equal(stage->code, "R002");
	assert_num(stage->row, 3);
	assert_num(s.report.level, GATE_FAIL);
	release(&s);
}

/* --- changes
 * -------------------------------------------------------------------------- */

static void changes_are_followed_to_the_policies_that_use_them(void **state)
{
	static const struct pair before[] = {
		{"policies/a/p/p.rego",
			"package a.p\n\nimport data.a.lib\n\nviolations "
			"contains \"bad\" if lib.bad(input)\n"},
		{"policies/a/gone/gone.rego", "package a.gone\n\nx := 1\n"},
		{"policies/a/lib.rego",
			"package a.lib\n\nbad(x) if x.bad == true\n"}};
	static const struct pair after[] = {
		{"policies/a/p/p.rego",
			"package a.p\n\nimport data.a.lib\n\nviolations "
			"contains \"bad\" if lib.bad(input)\n"},
		{"policies/a/lib.rego", "package a.lib\n\nbad(x) if x.bad\n"},
		{"policies/log.rego",
			"package system.log\n\ndrop if input.path == \"x\"\n"},
		TEST, GOOD, BAD};
	struct site s = {.has_base = true};

	(void)state;
	make_repo(&s.base, before, COUNT(before));
	judge_as(&s, after, COUNT(after),
		"bundle: p\nroots: [a, system/log]\ninclude: [policies]\n",
		"2026-06-21");
	assert_num(s.report.level, GATE_WARN);
	assert_finds(
		&s, GATE_WARN, "policies/log.rego", "system.log are added");
	assert_finds(&s, GATE_WARN, "policies/a/gone/gone.rego", "removed");
	assert_finds(&s, GATE_NOTE, "policies/a/p/p.rego",
		"can differ: data.a.lib changed");
	release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_repo_passes_every_gate),
		cmocka_unit_test(a_function_named_like_a_verdict_is_no_policy),
		cmocka_unit_test(the_digest_is_of_outcomes_not_of_times),
		cmocka_unit_test(what_does_not_parse_is_broken_not_failed),
		cmocka_unit_test(a_repo_without_policies_is_broken),
		cmocka_unit_test(a_repo_without_tests_is_broken),
		cmocka_unit_test(a_red_test_shows_both_sides_and_how_to_run_it),
		cmocka_unit_test(
			long_lines_and_values_are_cut_between_characters),
		cmocka_unit_test(each_row_of_a_table_is_a_case),
		cmocka_unit_test(a_test_over_its_budget_fails),
		cmocka_unit_test(fixtures_are_held_against_the_policy),
		cmocka_unit_test(a_policy_needs_both_kinds_of_fixtures),
		cmocka_unit_test(every_module_that_does_not_compile_is_named),
		cmocka_unit_test(what_only_tests_define_is_missed),
		cmocka_unit_test(tests_that_are_left_to_do_judge_nothing),
		cmocka_unit_test(inputs_that_no_policy_reads_are_found),
		cmocka_unit_test(a_repo_whose_rules_nobody_asks_for_is_broken),
		cmocka_unit_test(
			empty_inputs_do_not_show_that_a_policy_lets_pass),
		cmocka_unit_test(
			coverage_below_its_gate_fails_and_names_the_rows),
		cmocka_unit_test(a_waiver_ends_at_the_start_of_its_day),
		cmocka_unit_test(
			the_digest_is_of_the_commit_not_of_the_day_or_the_base),
		cmocka_unit_test(data_is_what_was_valid_at_the_commit),
		cmocka_unit_test(
			a_waiver_that_lapsed_before_the_commit_is_left_out),
		cmocka_unit_test(bad_waivers_are_refused_at_their_place),
		cmocka_unit_test(stages_go_up_one_by_one),
		cmocka_unit_test(stages_reach_the_bundle_by_policy),
		cmocka_unit_test(what_names_no_policy_is_found),
		cmocka_unit_test(
			changes_are_followed_to_the_policies_that_use_them),
	};

	return cmocka_run_group_tests_name("gates", tests, NULL, NULL);
}
