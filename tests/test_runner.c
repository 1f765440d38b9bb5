/* Which rules are tests, what they are called, and when they pass. */
#include "tests/test.h"

#include "base/clock.h"
#include "rego/runner.h"

struct world {
	struct rego_engine *e;
	struct runner *r;
};

static struct rego_engine *engine(const char *const *texts, size_t n)
{
	struct rego_config cfg = {.version = REGO_V1,
		.test_mode = true,
		.keep_print = true,
		.explain = true};
	struct rego_engine *e = rego_new(&cfg);

	for (size_t i = 0; i < n; i++)
		assert_true(rego_add_module(e,
			arena_printf(rego_arena(e), "%zu_test.rego", i),
			str_from(texts[i])));
	return e;
}

/* Runs the tests of one module. */
static struct world run_with(const char *text, const struct runner_options *o)
{
	struct err err = {0};
	struct world w = {.e = engine(&text, 1)};

	w.r = runner_new(w.e, o, &err);
	assert_non_null(w.r);
	if (!rego_compile(w.e, true))
		fail_msg("%s", rego_errors(w.e)->items[0].message);
	runner_run(w.r);
	return w;
}

static struct world run(const char *text)
{
	struct runner_options o = {.threads = 2};

	return run_with(text, &o);
}

static void end(struct world *w)
{
	runner_free(w->r);
	rego_free(w->e);
}

/* "name outcome, name outcome, ..." of all results. */
static void assert_results(const struct world *w, const char *want)
{
	struct buf text = {0};

	buf_adds(&text, "");
	for (size_t i = 0; i < runner_count(w->r); i++) {
		const struct test_result *t = runner_result(w->r, i);

		buf_addf(&text, "%s%s %s", i ? ", " : "", t->name,
			t->skip         ? "skip"
			: t->error.code ? t->error.code
			: t->fail       ? "fail"
					: "pass");
	}
	assert_string_equal(text.ptr, want);
	buf_release(&text);
}

static void cases_text(struct buf *out, const struct test_case *t)
{
	buf_addc(out, '{');
	for (uint32_t i = 0; i < t->ncases; i++) {
		buf_addf(out, "%s%s%s", i ? " " : "", t->cases[i].name,
			t->cases[i].fail ? "-" : "+");
		if (t->cases[i].ncases)
			cases_text(out, &t->cases[i]);
	}
	buf_addc(out, '}');
}

static void assert_cases(const struct world *w, size_t i, const char *want)
{
	struct buf text = {0};

	cases_text(&text, &runner_result(w->r, i)->table);
	assert_string_equal(text.ptr, want);
	buf_release(&text);
}

static void only_rules_with_the_prefix_are_tests(void **state)
{
	struct world w = run("package a\n\ntest_a if true\n\ntodo_b if true\n\n"
			     "x_test_c if true\n\ntodo_test_d if true\n\n"
			     "g.test_e.x if true\n\nhelper if true\n");

	(void)state;
	assert_results(&w, "test_a pass, todo_test_d skip, g.test_e fail");
	end(&w);
}

static void values_decide(void **state)
{
	struct world w =
		run("package a\n\ntest_t if true\n\ntest_u if false\n\n"
		    "test_f := false\n\ntest_n := 1\n\ntest_z := null\n\n"
		    "test_s contains 1\n\ntest_e if 1 / 0 == 1\n");

	(void)state;
	assert_results(&w, "test_t pass, test_u fail, test_f fail, test_n fail,"
			   " test_z fail, test_s fail, test_e fail");
	end(&w);
}

static void conflicts_are_errors(void **state)
{
	struct world w = run("package a\n\nc := 1\n\nc := 2\n\n"
			     "test_c if c == 1\n");

	(void)state;
	assert_results(&w, "test_c eval_conflict_error");
	end(&w);
}

static void functions_are_refused(void **state)
{
	struct world w = run("package a\n\ntest_f(x) if x\n");

	(void)state;
	assert_results(&w, "test_f rego_type_error");
	assert_string_equal(runner_result(w.r, 0)->error.message,
		"function data.a.test_f used as reference, not called");
	end(&w);
}

static void doubles_are_numbered(void **state)
{
	static const char *const texts[] = {
		"package a\n\ntest_x if true\n\ntest_x if false\n",
		"package a\n\ntest_x if true\n\ntest_y if not test_x\n"};
	struct runner_options o = {.threads = 1};
	struct err err = {0};
	struct world w = {.e = engine(texts, 2)};

	(void)state;
	w.r = runner_new(w.e, &o, &err);
	assert_true(rego_compile(w.e, true));
	runner_run(w.r);
	assert_results(
		&w, "test_x pass, test_x#01 fail, test_x#02 pass, test_y fail");
	end(&w);
}

static void a_pattern_picks_tests(void **state)
{
	struct runner_options o = {.run = "a\\.test_[ab]$"};
	struct world w = run_with("package a\n\ntest_a if true\n\n"
				  "test_ab if true\n\ntest_b if true\n",
		&o);
	struct err err = {0};

	(void)state;
	assert_results(&w, "test_a pass, test_b pass");
	o.run = "(";
	assert_null(runner_new(w.e, &o, &err));
	assert_string_equal(
		err.text, "error parsing regexp: missing closing ): `(`");
	end(&w);
}

static void each_case_of_a_table_counts(void **state)
{
	struct world w =
		run("package a\n\ntest_t[c.n] if {\n\tsome c in [\n"
		    "\t\t{\"n\": \"one\", \"v\": 1},\n"
		    "\t\t{\"n\": \"two\", \"v\": 3},\n\t]\n\tc.v < 2\n}\n\n"
		    "test_ok[n] if {\n\tsome n in [\"x\", \"y\"]\n}\n\n"
		    "test_none[n] if {\n\tsome n in []\n}\n");

	(void)state;
	assert_results(&w, "test_t fail, test_ok pass, test_none pass");
	assert_cases(&w, 0, "{one+ two-}");
	assert_cases(&w, 1, "{x+ y+}");
	assert_cases(&w, 2, "{}");
	end(&w);
}

/* The index would leave such rules out before a case was told. */
static void a_case_without_its_input_fails(void **state)
{
	struct world w = run("package a\n\ntest_i[n] if {\n"
			     "\tsome n in [\"x\", \"y\"]\n\tinput.a\n}\n\n"
			     "test_d[n] if {\n\tsome n in [\"x\"]\n"
			     "\tinput.a == 1\n\tdata.none.b\n}\n");

	(void)state;
	assert_results(&w, "test_i fail, test_d fail");
	assert_cases(&w, 0, "{x- y-}");
	assert_cases(&w, 1, "{x-}");
	end(&w);
}

static void tables_nest(void **state)
{
	struct world w = run("package a\n\ntest_t[a][b] if {\n"
			     "\tsome a, xs in {\"p\": [1, 2], \"q\": [1]}\n"
			     "\tsome b, x in xs\n\tx < 2\n}\n");

	(void)state;
	assert_results(&w, "test_t fail");
	assert_cases(&w, 0, "{p-{0+ 1-} q+{0+}}");
	end(&w);
}

static void prints_are_kept(void **state)
{
	struct world w = run("package a\n\ntest_p if {\n\tprint(\"x\", 1)\n"
			     "\tprint(\"y\")\n}\n\ntest_q if true\n");

	(void)state;
	assert_str(runner_result(w.r, 0)->output, "x 1\ny\n");
	assert_num(runner_result(w.r, 1)->output.len, 0);
	end(&w);
}

static void budgets_end_a_test(void **state)
{
	static const char text[] =
		"package a\n\ntest_long if {\n"
		"\tcount([x | some x in numbers.range(1, 5000000)]) == 1\n}\n\n"
		"test_short if true\n";
	struct runner_options steps = {.max_steps = 10000};
	struct runner_options time = {.timeout_ns = NS_PER_MS};
	struct world w = run_with(text, &steps);

	(void)state;
	assert_non_null(runner_result(w.r, 0)->error.code);
	assert_true(test_passed(runner_result(w.r, 1)));
	end(&w);
	w = run_with(text, &time);
	assert_string_equal(
		runner_result(w.r, 0)->error.code, "eval_cancel_error");
	assert_true(test_passed(runner_result(w.r, 1)));
	end(&w);
}

static void a_failed_comparison_shows_both_sides(void **state)
{
	struct world w = run("package a\n\nf(x) := x + 1\n\n"
			     "test_c if {\n\tx := 2\n\tf(x) == 4\n}\n");
	const struct test_result *t = runner_result(w.r, 0);

	(void)state;
	assert_num(t->why.row, 7);
	assert_str(t->why.text, "f(x) == 4");
	assert_str(t->why.left, "3");
	assert_str(t->why.right, "4");
	end(&w);
}

static void assert_why(const struct test_failure *why, const char *text,
	const char *left, const char *right)
{
	assert_str(why->text, text);
	assert_str(why->left, left);
	assert_str(why->right, right);
}

static void each_case_shows_its_own_sides(void **state)
{
	struct world w =
		run("package a\n\ntest_t[n] if {\n"
		    "\tsome n, v in {\"p\": 1, \"q\": 2, \"r\": 1, \"s\": 3}\n"
		    "\tv == 1\n}\n\n"
		    "test_in[a][b] if {\n\tsome a, xs in {\"p\": [1, 4]}\n"
		    "\tsome b, x in xs\n\tx < 2\n}\n");
	const struct test_result *t = runner_result(w.r, 0);

	(void)state;
	assert_cases(&w, 0, "{p+ q- r+ s-}");
	assert_why(&t->table.cases[1].why, "v == 1", "2", "1");
	assert_why(&t->table.cases[3].why, "v == 1", "3", "1");
	assert_why(&t->why, "v == 1", "2", "1");
	t = runner_result(w.r, 1);
	assert_why(&t->table.cases[0].cases[1].why, "x < 2", "4", "2");
	end(&w);
}

static void sides_are_of_the_expr_that_failed(void **state)
{
	struct world w = run(
		"package a\n\n"
		"test_deep if {\n\tsome x in [1, 2, 3]\n\tx == 2\n"
		"\ty := x\n\ty == 5\n}\n\n"
		"test_inside if count([x | some x in [1, 5]; x > 3]) == 2\n");

	(void)state;
	assert_why(&runner_result(w.r, 0)->why, "y == 5", "2", "5");
	assert_why(&runner_result(w.r, 1)->why,
		"count([x | some x in [1, 5]; x > 3]) == 2", "1", "2");
	end(&w);
}

static void runs_give_the_same_again(void **state)
{
	struct world w =
		run("package a\n\ntest_a if true\n\n"
		    "test_t[n] if {\n\tsome n in [1, 2]\n\tn < 2\n}\n");

	(void)state;
	runner_run(w.r);
	assert_results(&w, "test_a pass, test_t fail");
	assert_cases(&w, 1, "{1+ 2-}");
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_rules_with_the_prefix_are_tests),
		cmocka_unit_test(values_decide),
		cmocka_unit_test(conflicts_are_errors),
		cmocka_unit_test(functions_are_refused),
		cmocka_unit_test(doubles_are_numbered),
		cmocka_unit_test(a_pattern_picks_tests),
		cmocka_unit_test(each_case_of_a_table_counts),
		cmocka_unit_test(a_case_without_its_input_fails),
		cmocka_unit_test(tables_nest),
		cmocka_unit_test(prints_are_kept),
		cmocka_unit_test(budgets_end_a_test),
		cmocka_unit_test(a_failed_comparison_shows_both_sides),
		cmocka_unit_test(each_case_shows_its_own_sides),
		cmocka_unit_test(sides_are_of_the_expr_that_failed),
		cmocka_unit_test(runs_give_the_same_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
