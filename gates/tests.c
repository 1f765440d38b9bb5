/*
 * test: the unit tests, each within the budget of regatta.yaml; and how much
 * of the policies they reach.
 */
#include "gates/internal.h"

#include <string.h>

struct tally {
	size_t passed, failed, skipped;
	uint64_t most_steps;
};

/* As a bundle, so that fixtures are not read as data. */
static const char *again(struct run *r, const char *package, const char *name)
{
	return arena_printf(
		r->arena, "regatta test -b -v -r '^%s\\.%s$' .", package, name);
}

static void sides(struct run *r, struct buf *out,
	const struct test_failure *why, const char *file)
{
	if (why->left.len)
		buf_addf(out, "left   %s\nright  %s\n",
			cut_text(r, why->left, VALUE_MAX),
			cut_text(r, why->right, VALUE_MAX));
	if (strcmp(why->file, file) != 0)
		buf_addf(out, "from   %s:%u\n", why->file, why->row);
}

/* What is wrong with a test as a whole, or with one case of it. */
static const struct finding *problem(struct run *r, const struct test_result *t,
	const struct test_failure *why, const char *name)
{
	struct finding *f;
	struct buf detail = {0};

	if (t->error.code) {
		f = find_at(r, GATE_FAIL,
			t->error.file && *t->error.file ? t->error.file
							: t->file,
			t->error.row ? t->error.row : t->row, t->error.col,
			t->error.code, "%s", t->error.message);
		f->detail = limit_text(r, &t->error);
	} else if (why->file) {
		f = find_at(r, GATE_FAIL, why->file, why->row, 0, NULL,
			"%s is not true",
			cut_text(r, why->text, SOURCE_LINE_MAX));
		sides(r, &detail, why, t->file);
	} else {
		f = find_at(r, GATE_FAIL, t->file, t->row, t->col, NULL,
			"the test failed");
	}
	f->subject = arena_printf(r->arena, "%s.%s", t->package, name);
	f->again = again(r, t->package, t->name);
	if (detail.len)
		f->detail = arena_strdup(r->arena, buf_str(&detail));
	buf_release(&detail);
	return f;
}

static struct gate_case *add(
	struct run *r, const struct test_result *t, const char *name)
{
	struct gate_case *c = case_add(r);

	c->suite = arena_strdup(r->arena, str_from(t->file));
	c->class = arena_strdup(r->arena, str_from(t->package));
	c->name = name;
	c->row = t->row;
	c->skip = t->skip;
	return c;
}

/* The leaves of a table, each a case: test_x[small pod]. */
static void add_leaves(struct run *r, const struct test_result *t,
	const struct test_case *c, const char *name, struct tally *n)
{
	for (uint32_t i = 0; i < c->ncases; i++) {
		const struct test_case *x = &c->cases[i];
		const char *own =
			arena_printf(r->arena, "%s[%s]", name, x->name);

		if (x->ncases) {
			add_leaves(r, t, x, own, n);
			continue;
		}
		const struct finding *f =
			x->fail ? problem(r, t, &x->why, own) : NULL;

		add(r, t, own)->problem = f;
		n->passed += !x->fail;
		n->failed += x->fail;
	}
}

static void add_test(
	struct run *r, const struct test_result *t, struct tally *n)
{
	const char *name = arena_strdup(r->arena, str_from(t->name));
	bool failed = t->fail || t->error.code;

	if (t->steps > n->most_steps)
		n->most_steps = t->steps;
	if (t->table.ncases && !t->error.code) {
		add_leaves(r, t, &t->table, name, n);
		return;
	}
	const struct finding *f = failed ? problem(r, t, &t->why, name) : NULL;
	struct gate_case *c = add(r, t, name);

	c->problem = f;
	c->duration_ns = t->duration_ns;
	if (t->output.len)
		c->output = arena_strdup(r->arena, t->output);
	n->passed += !failed && !t->skip;
	n->failed += failed;
	n->skipped += t->skip;
}

void gate_test(struct run *r)
{
	struct tally n = {0};

	runner_run(r->runner);
	for (size_t i = 0; i < runner_count(r->runner); i++)
		add_test(r, runner_result(r->runner, i), &n);
	if (!n.passed && !n.failed)
		find_at(r, GATE_BROKEN, NULL, 0, 0, NULL,
			"there is no test%s: write rules whose names begin "
			"with test_ in files named *_test.rego",
			n.skipped ? " that is not left to do" : "");
	summary(r, "%s passed, %s failed, %s skipped; at most %s steps",
		count_text(r, n.passed), count_text(r, n.failed),
		count_text(r, n.skipped), count_text(r, n.most_steps));
}

/* --- coverage
 * ------------------------------------------------------------------- */

static const char *missed_rows(
	struct run *r, const struct rego_coverage_file *f)
{
	struct buf out = {0};

	for (uint32_t i = 0; i < f->nnot_covered && i < 20; i++) {
		const struct rego_range *g = &f->not_covered[i];

		buf_addf(&out, "%s%u", i ? ", " : "not reached: ", g->from);
		if (g->to > g->from)
			buf_addf(&out, "-%u", g->to);
	}
	if (f->nnot_covered > 20)
		buf_addf(&out, " and %u more", f->nnot_covered - 20);
	const char *text = arena_strdup(r->arena, buf_str(&out));

	buf_release(&out);
	return text;
}

/* Files with rows that no test reaches, when there are too many of them. */
static void point_at_files(
	struct run *r, const struct rego_coverage_file *files, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct rego_coverage_file *f = &files[i];
		uint32_t all = f->lines_covered + f->lines_not_covered;

		if (path_is_test(str_from(f->name)) || !f->lines_not_covered)
			continue;
		find_at(r, GATE_FAIL, f->name,
			f->nnot_covered ? f->not_covered[0].from : 0, 0, NULL,
			"%u of %u lines are reached by no test",
			f->lines_not_covered, all)
			->detail = missed_rows(r, f);
	}
}

void gate_coverage(struct run *r)
{
	double least = r->o->config->test.coverage;
	struct arena scratch = {0};
	size_t nvms, n, covered = 0, missed = 0;
	struct rego_vm *const *vms = runner_vms(r->runner, &nvms);
	struct rego_coverage_file *files =
		rego_coverage(&scratch, r->engine, vms, nvms, &n);

	for (size_t i = 0; i < n; i++) {
		if (path_is_test(str_from(files[i].name)))
			continue;
		covered += files[i].lines_covered;
		missed += files[i].lines_not_covered;
	}
	double percent = covered + missed ? 100.0 * (double)covered /
						    (double)(covered + missed)
					  : 0;

	r->report->coverage = percent;
	if (percent < least) {
		find_at(r, GATE_FAIL, NULL, 0, 0, NULL,
			"the tests reach %.2f %% of the policies' lines; "
			"regatta.yaml asks for %g (test.coverage)",
			percent, least);
		point_at_files(r, files, n);
	}
	summary(r, "%.1f %% of %s (gate %g)", percent,
		plural(r, covered + missed, "line", "lines"), least);
	arena_release(&scratch);
}
