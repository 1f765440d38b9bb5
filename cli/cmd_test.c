/*
 * regatta test: run the tests of a policy tree, as `opa test`.
 */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xml.h"
#include "cli/capabilities.h"
#include "cli/output.h"
#include "rego/load.h"
#include "rego/runner.h"

struct test_params {
	struct list ignore, coverage_runs;
	const char *capabilities, *run, *format, *sort, *target, *explain,
		*schema;
	bool bundle, coverage, verbose, var_values, zero_on_skip, fail_on_empty,
		v0, v1, benchmem;
	double threshold;
	int64_t count, max_errors, parallel, timeout, max_steps, max_memory;
};

#define AT(field) offsetof(struct test_params, field)

/* clang-format off */
static const struct option options[] = {
	{0, "bench", OPT_NO_BOOL, 0, NULL, NULL, NULL},
	{0, "benchmem", OPT_BOOL, AT(benchmem), NULL, NULL, "accepted for opa's sake: it says nothing without --bench"},
	{'b', "bundle", OPT_BOOL, AT(bundle), NULL, NULL, "load folders as bundles"},
	CAPABILITIES_OPTION(AT(capabilities)),
	{0, "count", OPT_INT, AT(count), "n", "1", "run the tests n times, or until a run fails"},
	{'c', "coverage", OPT_BOOL, AT(coverage), NULL, NULL, "print coverage as JSON instead of results"},
	{0, "coverage-runs", OPT_CSV, AT(coverage_runs), "kinds", NULL, "passes that say why pieces are uncovered: index_excluded, early_exit; both unless given"},
	{0, "explain", OPT_CHOICE, AT(explain), "fails full notes debug", NULL, "traces are not written here: refused"},
	{0, "fail-on-empty", OPT_BOOL, AT(fail_on_empty), NULL, NULL, "exit with 1 if there was no test"},
	{'f', "format", OPT_CHOICE, AT(format), "pretty json gobench +junit", "pretty", "how to print results"},
	{0, "ignore", OPT_CSV, AT(ignore), "patterns", NULL, "names of files and folders not to load"},
	{'m', "max-errors", OPT_INT, AT(max_errors), "n", "10", "stop compiling after n errors"},
	{0, "max-memory", OPT_SIZE, AT(max_memory), "size", NULL, "stop a test that takes more memory than this"},
	{0, "max-steps", OPT_INT, AT(max_steps), "n", NULL, "stop a test after n steps"},
	{'p', "parallel", OPT_INT, AT(parallel), "n", "0", "tests that run at the same time; 0: as many as there are cores"},
	{'r', "run", OPT_STRING, AT(run), "regex", NULL, "only tests whose full name matches"},
	{'s', "schema", OPT_STRING, AT(schema), "path", NULL, "JSON schema of input, or a folder with those that annotations name"},
	{0, "sort", OPT_CHOICE, AT(sort), "none duration", "none", "order of results in JSON; duration: longest first"},
	{'t', "target", OPT_CHOICE, AT(target), "rego", "rego", "only rego is there"},
	{0, "threshold", OPT_FLOAT, AT(threshold), "percent", "0", "least coverage; exit with 2 below it"},
	{0, "timeout", OPT_DURATION, AT(timeout), "duration", "0s", "stop a test after this time; 0 is 5s"},
	{0, "v0-compatible", OPT_BOOL, AT(v0), NULL, NULL, "read modules as Rego v0"},
	{0, "v1-compatible", OPT_BOOL, AT(v1), NULL, NULL, "read modules as Rego v1, as is done anyway"},
	{0, "var-values", OPT_BOOL, AT(var_values), NULL, NULL, "show the expr that failed, with the values of both sides"},
	{'v', "verbose", OPT_BOOL, AT(verbose), NULL, NULL, "list passing tests too, and show where failing ones failed"},
	{'w', "watch", OPT_NO_BOOL, 0, NULL, NULL, NULL},
	{'z', "exit-zero-on-skipped", OPT_BOOL, AT(zero_on_skip), NULL, NULL, "skipped tests do not count as failures"},
};
/* clang-format on */

/* --- texts ------------------------------------------------------------------
 */

/* A duration as Go's Duration.String() writes it. */
static void duration_text(struct buf *out, int64_t ns)
{
	static const struct {
		int64_t size;
		const char *name;
	} units[] = {{NS_PER_S, "s"}, {NS_PER_MS, "ms"},
		{NS_PER_US, "\xc2\xb5s"}, {1, "ns"}};
	size_t u = 0;
	char text[32];

	if (ns == 0) {
		buf_adds(out, "0s");
		return;
	}
	if (ns >= 3600 * NS_PER_S)
		buf_addf(out, "%lldh", (long long)(ns / (3600 * NS_PER_S)));
	if (ns >= 60 * NS_PER_S) {
		buf_addf(out, "%lldm", (long long)(ns / (60 * NS_PER_S) % 60));
		ns %= 60 * NS_PER_S;
	}
	while (u + 1 < COUNT(units) && ns < units[u].size)
		u++;
	if (ns == 0)
		u = 0;
	int64_t size = units[u].size;

	snprintf(text, sizeof(text), "%09" PRId64,
		ns % size * (NS_PER_S / size));
	size_t len = strlen(text);

	while (len && text[len - 1] == '0')
		len--;
	buf_addf(out, "%lld%s%.*s%s", (long long)(ns / size), len ? "." : "",
		(int)len, text, units[u].name);
}

static const char *outcome(const struct test_result *t)
{
	if (t->skip)
		return "SKIPPED";
	if (t->error.code)
		return "ERROR";
	return t->fail ? "FAIL" : "PASS";
}

/* "data.a.test_x: FAIL (1.5ms)" */
static void headline(struct buf *out, const struct test_result *t)
{
	buf_addf(out, "%s.%s: %s", t->package, t->name, outcome(t));
	if (t->skip)
		return;
	buf_adds(out, " (");
	duration_text(out, t->duration_ns);
	buf_addc(out, ')');
}

static void base64(struct buf *out, struct str s)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)s.ptr;

	for (size_t i = 0; i < s.len; i += 3) {
		size_t n = s.len - i;
		uint32_t w = (uint32_t)p[i] << 16 |
			     (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (n > 2 ? (uint32_t)p[i + 2] : 0);

		buf_addc(out, set[w >> 18]);
		buf_addc(out, set[w >> 12 & 63]);
		buf_addc(out, n > 1 ? set[w >> 6 & 63] : '=');
		buf_addc(out, n > 2 ? set[w & 63] : '=');
	}
}

/* --- pretty
 * ---------------------------------------------------------------------- */

struct counts {
	size_t pass, fail, skip, error;
};

static void count_cases(struct counts *n, const struct test_case *table)
{
	for (uint32_t i = 0; i < table->ncases; i++) {
		const struct test_case *c = &table->cases[i];

		if (c->ncases)
			count_cases(n, c);
		else if (c->fail)
			n->fail++;
		else
			n->pass++;
	}
}

static void count(struct counts *n, const struct test_result *t)
{
	if (t->skip)
		n->skip++;
	else if (t->error.code)
		n->error++;
	else if (t->table.ncases)
		count_cases(n, &t->table);
	else if (t->fail)
		n->fail++;
	else
		n->pass++;
}

static void cases_text(struct buf *out, const struct test_case *table,
	unsigned depth, bool all)
{
	for (uint32_t i = 0; i < table->ncases; i++) {
		const struct test_case *c = &table->cases[i];

		if (c->fail || all)
			buf_addf(out, "%*s%s: %s\n", (int)(2 * depth), "",
				c->unnamed ? "" : c->name,
				c->fail ? "FAIL" : "PASS");
		cases_text(out, c, depth + 1, all);
	}
}

/* Two blanks in front of every line. */
static void indent(struct buf *out, struct str text, const char *blanks)
{
	for (size_t i = 0; i < text.len; i++) {
		if (i == 0 || text.ptr[i - 1] == '\n')
			buf_adds(out, blanks);
		buf_addc(out, text.ptr[i]);
	}
}

static struct str trim(struct str s)
{
	while (s.len && strchr(" \t\r\n\v\f", s.ptr[0]))
		s.ptr++, s.len--;
	while (s.len && strchr(" \t\r\n\v\f", s.ptr[s.len - 1]))
		s.len--;
	return s;
}

static void print_output(struct buf *out, const struct test_result *t)
{
	if (!t->output.len)
		return;
	buf_addc(out, '\n');
	indent(out, trim(t->output), "  ");
	buf_adds(out, "\n\n");
}

static void test_error_text(struct buf *out, const struct test_result *t)
{
	if (t->compile_error)
		buf_adds(out, "1 error occurred: ");
	error_text(out, &t->error);
}

static void print_error(struct buf *out, const struct test_result *t)
{
	buf_adds(out, "  ");
	test_error_text(out, t);
	buf_addc(out, '\n');
	if (!t->error.nframes)
		return;
	buf_adds(out, "  Traceback:");
	frames_text(out, &t->error, "    ");
	buf_addc(out, '\n');
}

static void print_test(struct buf *out, const struct test_result *t,
	const char **last_file, bool verbose)
{
	if (!test_passed(t) || verbose) {
		if (*last_file && strcmp(*last_file, t->file) != 0)
			buf_addc(out, '\n');
		buf_addf(out, "%s:%u:\n", t->file, t->row);
		*last_file = t->file;
		headline(out, t);
		buf_addc(out, '\n');
		cases_text(out, &t->table, 1, verbose);
		print_output(out, t);
	}
	if (t->error.code)
		print_error(out, t);
}

static void line(struct buf *out)
{
	for (int i = 0; i < 80; i++)
		buf_addc(out, '-');
	buf_addc(out, '\n');
}

/* Values longer than this are cut, as OPA does. */
enum { VALUE_MAX = 64 };

static void value_text_cut(struct buf *out, struct str s)
{
	if (s.len > VALUE_MAX)
		buf_addf(out, "%.*s...", VALUE_MAX - 3, s.ptr);
	else
		buf_addstr(out, s);
}

/* Blanks, and the tabs of the line above, from column `from` up to `to`. */
static void blanks(struct buf *out, struct str line, uint32_t from, uint32_t to)
{
	for (; from < to; from++)
		buf_addc(out, from <= line.len && line.ptr[from - 1] == '\t'
				      ? '\t'
				      : ' ');
}

/*
 * The values of both sides below the line, each under a mark where it stands:
 *
 *	x + 1 == y
 *	|        |
 *	|        3
 *	2
 */
static void print_values(struct buf *out, const struct test_failure *t)
{
	const char *pad = "    ";
	uint32_t l = t->left.len ? t->left_col : 0;
	uint32_t r = t->right.len ? t->right_col : 0;

	for (int row = 0; row < 3; row++) {
		bool has_left = l && row < 3, has_right = r && row < 2;

		if ((row == 1 && !r) || (row == 2 && !l) || (!l && !r))
			continue;
		buf_adds(out, pad);
		if (has_left) {
			blanks(out, t->line, 1, l);
			if (row == 2)
				value_text_cut(out, t->left);
			else
				buf_addc(out, '|');
		}
		if (has_right) {
			blanks(out, t->line, has_left ? l + 1 : 1, r);
			if (row == 1)
				value_text_cut(out, t->right);
			else
				buf_addc(out, '|');
		}
		buf_addc(out, '\n');
	}
}

static void print_sides(struct buf *out, const struct test_failure *t)
{
	if (t->left.len)
		buf_addf(out, "      left:  %.*s\n", STR_ARG(t->left));
	if (t->right.len)
		buf_addf(out, "      right: %.*s\n", STR_ARG(t->right));
}

/* Where a test failed, and what stood on the two sides there. */
static void print_place(
	struct buf *out, const struct test_failure *t, bool values)
{
	if (!t->file)
		return;
	buf_addf(out, "  %s:%u:\n", t->file, t->row);
	if (values) {
		indent(out, t->line, "    ");
		buf_addc(out, '\n');
		print_values(out, t);
	} else {
		indent(out, t->text, "    ");
		buf_addc(out, '\n');
		print_sides(out, t);
	}
}

/* Below the name of a case. */
static void print_why(struct buf *out, const struct test_failure *why)
{
	struct buf text = {0};

	print_place(&text, why, false);
	indent(out, buf_str(&text), "  ");
	buf_release(&text);
}

/* Cases that failed, each below the tables it stands in; `why` of each, too. */
static void print_leaves(struct buf *out, const struct test_case *table,
	struct str above, bool why)
{
	for (uint32_t i = 0; i < table->ncases; i++) {
		const struct test_case *c = &table->cases[i];
		struct buf lines = {0};
		size_t depth = 1;

		if (!c->fail)
			continue;
		for (size_t k = 0; k < above.len; k++)
			depth += above.ptr[k] == '\n';
		buf_addstr(&lines, above);
		buf_addf(&lines, "%*s%s: FAIL\n", (int)(2 * depth), "",
			c->unnamed ? "" : c->name);
		if (c->ncases)
			print_leaves(out, c, buf_str(&lines), why);
		else
			buf_addstr(out, buf_str(&lines));
		if (why)
			print_why(out, &c->why);
		buf_release(&lines);
	}
}

static void print_failure(
	struct buf *out, const struct test_result *t, bool verbose, bool values)
{
	headline(out, t);
	buf_adds(out, verbose ? "\n\n" : "\n");
	if (t->table.ncases) {
		if (values)
			print_place(out, &t->why, true);
		if (values || !verbose || !t->why.file)
			buf_addc(out, '\n');
		print_leaves(out, &t->table, (struct str){0}, !values);
	} else {
		buf_adds(out, values ? "\n" : "");
		print_place(out, &t->why, values);
	}
	buf_addc(out, '\n');
}

static void print_failures(
	struct buf *out, const struct runner *r, bool verbose, bool values)
{
	line(out);
	buf_adds(out, "FAILURES\n");
	line(out);
	for (size_t i = 0; i < runner_count(r); i++)
		if (runner_result(r, i)->fail)
			print_failure(
				out, runner_result(r, i), verbose, values);
}

static void print_count(
	struct buf *out, const char *what, size_t n, size_t total)
{
	if (n)
		buf_addf(out, "%s: %zu/%zu\n", what, n, total);
}

static const char *painted(struct arena *a, const char *word, int colour)
{
	if (!output_colour())
		return word;
	return arena_printf(a, "\033[%dm%s\033[0m", colour, word);
}

static void print_counts(struct buf *out, const struct counts *n)
{
	size_t total = n->pass + n->fail + n->skip + n->error;
	struct arena a = {0};

	print_count(out, painted(&a, "PASS", 32), n->pass, total);
	print_count(out, painted(&a, "FAIL", 31), n->fail, total);
	print_count(out, painted(&a, "SKIPPED", 33), n->skip, total);
	print_count(out, painted(&a, "ERROR", 31), n->error, total);
	arena_release(&a);
}

/* `only_failed`: as the coverage report prints failing tests. */
static void report_pretty(struct buf *out, const struct runner *r, bool verbose,
	bool values, bool only_failed)
{
	struct counts n = {0};
	const char *last = NULL;
	bool dirty = false;

	for (size_t i = 0; i < runner_count(r); i++) {
		const struct test_result *t = runner_result(r, i);

		if (only_failed && !t->fail)
			continue;
		count(&n, t);
		dirty |= verbose || !test_passed(t);
		print_test(out, t, &last, verbose);
	}
	if (n.fail && (verbose || values))
		print_failures(out, r, verbose, values);
	if (dirty)
		line(out);
	print_counts(out, &n);
}

/* --- JSON
 * ------------------------------------------------------------------------- */

static void cases_json(struct buf *out, const struct test_case *table)
{
	if (!table->ncases)
		return;
	json_key(out, "sub_results");
	buf_addc(out, '{');
	for (uint32_t i = 0; i < table->ncases; i++) {
		const struct test_case *c = &table->cases[i];

		json_key(out, c->name);
		buf_addc(out, '{');
		if (*c->name && !c->unnamed) {
			json_key(out, "name");
			json_string(out, str_from(c->name));
		}
		if (c->fail) {
			json_key(out, "fail");
			buf_adds(out, "true");
		}
		cases_json(out, c);
		buf_addc(out, '}');
	}
	buf_addc(out, '}');
}

static void test_json(struct buf *out, const struct test_result *t)
{
	buf_addc(out, '{');
	json_key(out, "location");
	buf_addc(out, '{');
	json_key(out, "file");
	json_string(out, str_from(t->file));
	buf_addf(out, ",\"row\":%u,\"col\":%u}", t->row, t->col);
	json_key(out, "package");
	json_string(out, str_from(t->package));
	json_key(out, "name");
	json_string(out, str_from(t->name));
	if (t->fail)
		buf_adds(out, ",\"fail\":true");
	if (t->error.code) {
		json_key(out, "error");
		buf_adds(out, t->compile_error ? "[" : "");
		error_json(out, &t->error, JSON_CODE_FIRST);
		buf_adds(out, t->compile_error ? "]" : "");
	}
	if (t->skip)
		buf_adds(out, ",\"skip\":true");
	buf_addf(out, ",\"duration\":%lld", (long long)t->duration_ns);
	if (t->output.len) {
		json_key(out, "output");
		buf_addc(out, '"');
		base64(out, t->output);
		buf_addc(out, '"');
	}
	cases_json(out, &t->table);
	buf_addc(out, '}');
}

static int by_duration(const void *a, const void *b)
{
	const struct test_result *const *x = a, *const *y = b;

	if ((*x)->duration_ns != (*y)->duration_ns)
		return (*x)->duration_ns < (*y)->duration_ns ? 1 : -1;
	return *x < *y ? -1 : *x > *y;
}

static void report_json(
	struct buf *out, const struct runner *r, bool by_time, struct arena *a)
{
	size_t n = runner_count(r);
	const struct test_result **list =
		ARENA_ARRAY(a, const struct test_result *, n);

	for (size_t i = 0; i < n; i++)
		list[i] = runner_result(r, i);
	if (by_time)
		qsort(list, n, sizeof(*list), by_duration);
	struct buf text = {0};

	buf_addc(&text, '[');
	for (size_t i = 0; i < n; i++) {
		buf_adds(&text, i ? "," : "");
		test_json(&text, list[i]);
	}
	buf_addc(&text, ']');
	json_indent(out, buf_str(&text));
	buf_release(&text);
}

/* --- JUnit
 * ------------------------------------------------------------------------- */

static void junit_problem(struct buf *out, const struct test_result *t)
{
	struct buf text = {0};

	if (t->error.code) {
		test_error_text(&text, t);
		buf_adds(out, "<error");
		xml_attr(out, "type", str_from(t->error.code));
		xml_attr(out, "message", buf_str(&text));
		buf_adds(out, "/>");
	} else if (t->fail) {
		buf_adds(out, "<failure");
		if (t->why.file)
			buf_addf(&text, "%s:%u: %.*s", t->why.file, t->why.row,
				STR_ARG(t->why.text));
		xml_attr(out, "message",
			text.len ? buf_str(&text) : S("failed"));
		buf_addc(out, '>');
		buf_reset(&text);
		if (t->table.ncases)
			print_leaves(&text, &t->table, (struct str){0}, true);
		else if (t->why.left.len)
			buf_addf(&text, "left:  %.*s\nright: %.*s\n",
				STR_ARG(t->why.left), STR_ARG(t->why.right));
		xml_text(out, buf_str(&text));
		buf_adds(out, "</failure>");
	}
	buf_release(&text);
}

static void junit_test(struct buf *out, const struct test_result *t)
{
	buf_adds(out, "    <testcase");
	xml_attr(out, "classname", str_from(t->package));
	xml_attr(out, "name", str_from(t->name));
	xml_attr(out, "file", str_from(t->file));
	buf_addf(out, " line=\"%u\" time=\"%.6f\">", t->row,
		(double)t->duration_ns / 1e9);
	if (t->skip)
		buf_adds(out, "<skipped/>");
	junit_problem(out, t);
	if (t->output.len) {
		buf_adds(out, "<system-out>");
		xml_text(out, t->output);
		buf_adds(out, "</system-out>");
	}
	buf_adds(out, "</testcase>\n");
}

/* Results i..end of one file. */
static void junit_suite(
	struct buf *out, const struct runner *r, size_t i, size_t end)
{
	struct counts n = {0};
	int64_t ns = 0;

	for (size_t k = i; k < end; k++) {
		const struct test_result *t = runner_result(r, k);

		n.skip += t->skip;
		n.error += t->error.code != NULL;
		n.fail += t->fail;
		ns += t->duration_ns;
	}
	buf_adds(out, "  <testsuite");
	xml_attr(out, "name", str_from(runner_result(r, i)->file));
	buf_addf(out,
		" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
		"skipped=\"%zu\" time=\"%.6f\">\n",
		end - i, n.fail, n.error, n.skip, (double)ns / 1e9);
	for (; i < end; i++)
		junit_test(out, runner_result(r, i));
	buf_adds(out, "  </testsuite>\n");
}

static void report_junit(struct buf *out, const struct runner *r)
{
	size_t n = runner_count(r), end;

	buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		      "<testsuites>\n");
	for (size_t i = 0; i < n; i = end) {
		end = i + 1;
		while (end < n && !strcmp(runner_result(r, end)->file,
					  runner_result(r, i)->file))
			end++;
		junit_suite(out, r, i, end);
	}
	buf_adds(out, "</testsuites>\n");
}

/* --- coverage
 * ------------------------------------------------------------------------ */

static int by_row(const void *a, const void *b)
{
	const struct rego_range *x = a, *y = b;

	return (x->from > y->from) - (x->from < y->from);
}

/* Rows of the ranges as "\n\tFILE:A" or "\n\tFILE:A-B". */
static void rows_text(
	struct buf *out, const struct rego_coverage_file *f, struct arena *a)
{
	struct rego_range *r =
		ARENA_ARRAY(a, struct rego_range, f->nnot_covered);

	if (f->nnot_covered)
		memcpy(r, f->not_covered, f->nnot_covered * sizeof(*r));
	qsort(r, f->nnot_covered, sizeof(*r), by_row);
	for (uint32_t i = 0; i < f->nnot_covered;) {
		uint32_t from = r[i].from, to = r[i].to;

		for (i++; i < f->nnot_covered && r[i].from <= to + 1; i++)
			if (r[i].to > to)
				to = r[i].to;
		buf_addf(out, "\n\t%s:%u", f->name, from);
		if (to > from)
			buf_addf(out, "-%u", to);
	}
}

static void below_threshold(const struct test_params *p, double percent,
	const struct rego_coverage_file *files, size_t n, struct arena *a)
{
	struct buf text = {0};

	buf_addf(&text,
		"Code coverage threshold not met: got %.2f instead of %.2f",
		percent, p->threshold);
	if (p->verbose && n) {
		buf_adds(&text, "\nLines not covered:");
		for (size_t i = 0; i < n; i++)
			rows_text(&text, &files[i], a);
	}
	buf_addc(&text, '\n');
	print_buf(stderr, &text);
	buf_release(&text);
}

/* The first error or failure, if there is one; it ends the report. */
static bool coverage_problem(
	const struct test_params *p, const struct runner *r)
{
	struct buf text = {0}, list = {0};
	const struct test_result *failed = NULL;

	for (size_t i = 0; i < runner_count(r); i++) {
		const struct test_result *t = runner_result(r, i);

		if (t->error.code) {
			test_error_text(&text, t);
			break;
		}
		if (t->fail && !failed)
			failed = t;
	}
	if (!text.len && failed) {
		report_pretty(&list, r, p->verbose, false, true);
		print_buf(stdout, &list);
		headline(&text, failed);
		buf_addc(&text, '\n');
		cases_text(&text, &failed->table, 0, true);
	}
	if (text.len)
		fprintf(stderr, "%s\n", text.ptr);
	bool found = text.len > 0;

	buf_release(&text);
	buf_release(&list);
	return found;
}

/* The bundle a module comes from, as it was named. */
static const char *bundle_of(
	struct arena *a, const struct list *bundles, const char *module)
{
	for (size_t i = 0; i < bundles->len; i++) {
		const char *dir = load_clean(a, bundles->items[i]);
		size_t n = strlen(dir);

		if (!strcmp(dir, ".") ||
			(!strncmp(module, dir, n) && module[n] == '/'))
			return bundles->items[i];
	}
	return ".";
}

static int by_name(const void *a, const void *b)
{
	const struct rego_coverage_file *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/*
 * OPA keeps what of a bundle is not covered under another name, BUNDLE/FILE,
 * than what is.
 */
static struct rego_coverage_file *split_files(struct arena *a,
	const struct list *bundles, const struct rego_coverage_file *files,
	size_t *n)
{
	struct rego_coverage_file *out =
		ARENA_ARRAY(a, struct rego_coverage_file, 2 * *n);
	size_t len = 0;

	for (size_t i = 0; i < *n; i++) {
		const char *bundle = bundle_of(a, bundles, files[i].name);
		const char *name = load_join(a, bundle, files[i].name);

		out[len] = files[i];
		if (!strcmp(name, files[i].name)) {
			len++;
			continue;
		}
		out[len].not_covered = NULL;
		out[len].nnot_covered = out[len].lines_not_covered = 0;
		len += files[i].ncovered > 0;
		out[len] = files[i];
		out[len].name = name;
		out[len].covered = NULL;
		out[len].ncovered = out[len].lines_covered = 0;
		len++;
	}
	qsort(out, len, sizeof(*out), by_name);
	*n = len;
	return out;
}

static struct runner_options runner_options(const struct test_params *p)
{
	return (struct runner_options){.run = p->run,
		.threads = p->parallel > 0 ? (unsigned)p->parallel : 0,
		.timeout_ns = p->timeout ? p->timeout : 5 * NS_PER_S,
		.max_steps = (uint64_t)p->max_steps,
		.max_memory = (size_t)p->max_memory};
}

/* All VMs of some runners together. */
static struct rego_coverage_file *covered_by(struct runner *const *rs, size_t n,
	struct rego_engine *e, struct arena *a, size_t *nfiles)
{
	struct rego_vm **all = NULL;
	uint32_t len = 0, cap = 0;

	for (size_t i = 0; i < n; i++) {
		size_t nvms;
		struct rego_vm *const *vms = runner_vms(rs[i], &nvms);

		for (size_t k = 0; k < nvms; k++) {
			all = arena_grow(a, all, len, &cap, sizeof(*all));
			all[len++] = vms[k];
		}
	}
	return rego_coverage(a, e, all, len, nfiles);
}

/* The tests run once more for each pass; what they say is of no interest. */
static struct rego_coverage_file *cover(const struct test_params *p,
	struct rego_engine *e, struct runner *r, struct arena *a,
	size_t *nfiles)
{
	unsigned passes = coverage_passes(&p->coverage_runs);
	struct runner *rs[3] = {r};
	struct rego_coverage_file *files;
	size_t n = 1;

	for (unsigned pass = 1; pass <= passes; pass *= 2) {
		struct runner_options ro = runner_options(p);
		struct err err = {0};

		ro.pass = pass;
		rs[n] = passes & pass ? runner_new(e, &ro, &err) : NULL;
		if (rs[n])
			runner_run(rs[n++]);
	}
	files = covered_by(rs, n, e, a, nfiles);
	while (n > 1)
		runner_free(rs[--n]);
	return files;
}

static int report_coverage(const struct test_params *p, const struct list *args,
	struct rego_engine *e, struct runner *r, struct arena *a)
{
	struct buf out = {0};
	size_t nfiles;

	if (coverage_problem(p, r))
		return 1;
	struct rego_coverage_file *files = cover(p, e, r, a, &nfiles);

	if (p->bundle)
		files = split_files(a, args, files, &nfiles);
	double percent = coverage_percent(files, nfiles);

	if (percent < p->threshold) {
		below_threshold(p, percent, files, nfiles, a);
		return 2;
	}
	coverage_json(&out, files, nfiles);
	json_print(stdout, buf_str(&out));
	buf_release(&out);
	return 0;
}

/* --- the command
 * ----------------------------------------------------------------------- */

static int report(const struct test_params *p, const struct list *args,
	struct rego_engine *e, struct runner *r, struct arena *a)
{
	struct buf out = {0};

	if (p->coverage)
		return report_coverage(p, args, e, r, a);
	if (!strcmp(p->format, "json"))
		report_json(&out, r, !strcmp(p->sort, "duration"), a);
	else if (!strcmp(p->format, "junit"))
		report_junit(&out, r);
	else
		report_pretty(&out, r, p->verbose, p->var_values, false);
	print_buf(stdout, &out);
	buf_release(&out);
	return 0;
}

static int exit_code(const struct test_params *p, const struct runner *r)
{
	for (size_t i = 0; i < runner_count(r); i++) {
		const struct test_result *t = runner_result(r, i);

		if (!test_passed(t) && !(t->skip && p->zero_on_skip))
			return 2;
	}
	return 0;
}

static void loading_failed(const struct load_errors *errs, bool bundle)
{
	struct buf text = {0};

	if (errs->bundle)
		buf_addf(&text, "unable to load bundle %s: ", errs->bundle);
	if (bundle && !errs->prefix)
		diag_text(&text, &errs->list.items[0]);
	else
		load_errors_text(&text, errs);
	buf_addc(&text, '\n');
	print_buf(stderr, &text);
	buf_release(&text);
}

static bool load(const struct test_params *p, const struct list *args,
	struct rego_engine *e)
{
	struct load_options o = {.ignore = p->ignore.items,
		.nignore = p->ignore.len,
		.version = p->v0 ? REGO_V0 : REGO_V1};
	struct load_errors errs = {.list = {.arena = rego_arena(e)}};

	if (!(p->bundle ? load_bundles(
				  e, &o, args->items, args->len, true, &errs)
			: load_paths(e, &o, args->items, args->len, &errs))) {
		loading_failed(&errs, p->bundle);
		return false;
	}
	if (!p->schema || !*p->schema || load_schemas(e, &o, p->schema, &errs))
		return true;
	loading_failed(&errs, false);
	return false;
}

/* What was being evaluated where a test ended in an error. */
static void add_frames(const struct test_params *p, const struct list *args,
	const struct rego_config *cfg, struct runner *r)
{
	struct rego_config slow = *cfg;
	struct runner_options ro = runner_options(p);
	struct err err = {0};
	struct runner *again = NULL;

	ro.threads = 1;
	slow.frames = true;
	slow.coverage = slow.explain = false;
	struct rego_engine *e = rego_new(&slow);

	if (load(p, args, e))
		again = runner_new(e, &ro, &err);
	if (again && rego_compile(e, true))
		runner_add_frames(r, again);
	runner_free(again);
	rego_free(e);
}

static int run_once(const struct test_params *p, const struct list *args,
	const struct rego_config *cfg, struct rego_engine *e, struct runner *r)
{
	struct arena a = {0};

	runner_run(r);
	if (runner_has_errors(r) && !p->coverage)
		add_frames(p, args, cfg, r);
	int code = report(p, args, e, r, &a);

	arena_release(&a);
	if (code)
		return code;
	if (p->fail_on_empty && !runner_count(r)) {
		fputs("no tests were run\n", stderr);
		return 1;
	}
	return exit_code(p, r);
}

static bool compile(struct rego_engine *e)
{
	struct buf text = {0};

	if (rego_compile(e, true))
		return true;
	diags_text(&text, rego_errors(e), "");
	buf_addc(&text, '\n');
	print_buf(stderr, &text);
	buf_release(&text);
	return false;
}

static int test_all(const struct test_params *p, const struct list *args,
	const struct rego_config *cfg, struct rego_engine *e)
{
	struct err err = {0};
	struct runner_options ro = runner_options(p);
	int code = 0;

	if (!load(p, args, e))
		return 1;
	struct runner *r = runner_new(e, &ro, &err);

	if (!r) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	if (strcmp(p->sort, "none") != 0 && strcmp(p->format, "json") != 0 &&
		!p->coverage)
		fputs("warning: --sort is only supported with JSON format\n",
			stderr);
	if (!compile(e))
		code = 1;
	for (int64_t i = 0; i < p->count && !code; i++)
		code = run_once(p, args, cfg, e, r);
	runner_free(r);
	return code;
}

/* False: the program ends, with *code; what was wrong has been said. */
static bool check_params(
	const struct command *c, const struct test_params *p, int *code)
{
	*code = 0;
	for (size_t i = 0; i < p->coverage_runs.len && !*code; i++)
		if (!is_coverage_run(p->coverage_runs.items[i]))
			*code = usage_error(
				c, BAD_COVERAGE_RUN, p->coverage_runs.items[i]);
	if (*code)
		return false;
	if (p->explain)
		*code = usage_error(c,
			"flag --explain of opa test is not supported here yet");
	else if (p->max_steps < 0)
		*code = usage_error(c, "--max-steps must be at least 0");
	if (*code)
		return false;
	if (!strcmp(p->format, "gobench")) {
		fputs("cannot use output format gobench without running "
		      "benchmarks (--bench)\n",
			stderr);
		return false;
	}
	if (isnan(p->threshold) || p->threshold < 0 || p->threshold > 100) {
		fputs("Code coverage threshold must be between 0 and 100\n",
			stderr);
		*code = 1;
	}
	return !*code;
}

static int run_with(const struct command *c, const void *params,
	const struct list *args, const struct capabilities *caps)
{
	struct test_params p = *(const struct test_params *)params;
	int code;

	if (!args->len)
		return usage_error(c, "specify at least one file");
	if (!check_params(c, &p, &code))
		return code;
	p.coverage |= p.threshold > 0 || p.coverage_runs.set;
	struct rego_config cfg = {.version = p.v0 ? REGO_V0 : REGO_V1,
		.caps = caps,
		.keep_print = true,
		.test_mode = true,
		.use_schemas = true,
		.coverage = p.coverage,
		.explain =
			p.verbose || p.var_values || !strcmp(p.format, "junit"),
		.max_errors =
			p.max_errors > 0 ? (uint32_t)p.max_errors : UINT32_MAX};
	struct rego_engine *e = rego_new(&cfg);

	code = test_all(&p, args, &cfg, e);
	rego_free(e);
	return code;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct test_params *p = params;

	return capabilities_run(c, params, args, p->capabilities, run_with);
}

const struct command cmd_test = {
	.name = "test",
	.args = "<path> [path [...]]",
	.summary = "Run the tests of a policy tree",
	.text = "Runs the rules whose names begin with test_ and prints what "
		"failed. Rules that\nbegin with todo_test_ are skipped.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct test_params),
	.run = run,
};
