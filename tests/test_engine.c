/* Evaluating: values kept and made again, indexes, limits, documents. */
#include "tests/test.h"

#include <pthread.h>

#include "base/buf.h"
#include "base/limits.h"
#include "rego/rego.h"

struct world {
	struct rego_engine *e;
	struct rego_vm *vm;
	const struct rego_query *q;
	struct rego_result r;
};

static void add_json(struct rego_engine *e, const char *text, struct err *err)
{
	struct json_error je;
	struct value v;

	assert_true(json_parse(
		rego_arena(e), rego_symtab(e), str_from(text), 100, &v, &je));
	assert_ok(rego_add_data(e, NULL, 0, v, false, err), err);
}

static struct world ready_with(const struct rego_config *cfg,
	const char *module, const char *data, const char *query)
{
	struct world w = {.e = rego_new(cfg)};
	struct diags d = {0};
	struct err err = {0};

	if (!rego_add_module(w.e, "m.rego", str_from(module)))
		fail_msg("%s", rego_errors(w.e)->items[0].message);
	if (data)
		add_json(w.e, data, &err);
	if (!rego_compile(w.e, false))
		fail_msg("%s", rego_errors(w.e)->items[0].message);
	w.q = rego_prepare(w.e, str_from(query), NULL, NULL, 0, &d);
	if (!w.q)
		fail_msg("%s", d.items[0].message);
	w.vm = rego_vm_new(w.e);
	return w;
}

static struct world ready(const char *module, const char *data,
	const char *query, bool check_memo)
{
	struct rego_config cfg = {.version = REGO_V1, .check_memo = check_memo};

	return ready_with(&cfg, module, data, query);
}

static void end(struct world *w)
{
	rego_vm_free(w->vm);
	rego_free(w->e);
}

/* The value of the query's first expr, as compact JSON; "-": no row. */
static void assert_gives(struct world *w, const char *input, const char *want)
{
	struct rego_input in = {0};
	struct arena a = {0};
	struct json_error je;
	struct buf got = {0};

	if (input)
		assert_true(json_parse(
			&a, NULL, str_from(input), 100, &in.input, &je));
	rego_eval(w->vm, w->q, &in, &w->r);
	if (w->r.error.code)
		buf_adds(&got, w->r.error.message);
	else if (w->r.nrows == 0)
		buf_adds(&got, "-");
	else
		value_json(&got, w->r.rows[0].exprs[0], 0, 0);
	assert_string_equal(got.ptr, want);
	buf_release(&got);
	arena_release(&a);
}

static void a_vm_forgets_what_depends_on_the_input(void **state)
{
	struct world w = ready("package a\n\nkept := count(data.xs)\n"
			       "p := [kept, input.x]\n",
		"{\"xs\": [1, 2]}", "data.a.p", true);

	(void)state;
	assert_gives(&w, "{\"x\": 1}", "[2,1]");
	assert_gives(&w, "{\"x\": 2}", "[2,2]");
	assert_gives(&w, NULL, "-");
	end(&w);
}

static void with_changes_only_what_it_touches(void **state)
{
	struct world w = ready("package a\n\nseen := input.x\nfrom := data.d\n"
			       "len := count(\"abc\")\nmine(_) := 7\n"
			       "p := [a, b, c, d] if {\n"
			       "\ta := seen with input.x as 2\n"
			       "\tb := from with data.d as 3\n"
			       "\tc := len with count as mine\n"
			       "\td := [seen, from, len]\n}\n",
		"{\"d\": 0}", "data.a.p", true);

	(void)state;
	assert_gives(&w, "{\"x\": 1}", "[2,3,7,[1,0,3]]");
	end(&w);
}

static void a_mock_is_off_inside_its_replacement(void **state)
{
	struct world w = ready("package a\n\nn := count([1, 2])\n"
			       "half(x) := count(x) / n\n"
			       "p := y if y := count([1, 2, 3, 4]) "
			       "with count as half\n",
		NULL, "data.a.p", true);

	(void)state;
	assert_gives(&w, NULL, "2");
	end(&w);
}

/* Many rules of one shape, and one without a condition at the end. */
static char *many_rules(const char *shape)
{
	struct buf b = {0};

	buf_adds(&b, "package a\n\n");
	for (int i = 0; i < 40; i++) {
		buf_adds(&b, "hit contains ");
		buf_addf(&b, "%d if { ", i);
		for (const char *p = shape; *p; p++) {
			if (*p == '#')
				buf_addf(&b, "%d", i);
			else
				buf_addc(&b, *p);
		}
		buf_adds(&b, " }\n");
	}
	buf_adds(&b, "hit contains 99 if input.always\n");
	return buf_detach(&b);
}

static void an_index_finds_what_trying_each_rule_would(void **state)
{
	static const char *const shapes[] = {
		"input.x == \"v#/a\"",
		"\"v#/a\" == input.x",
		"y := input.x; y == \"v#/a\"",
		"input.x in {\"v#/a\", \"w#\"}",
		"startswith(input.x, \"v#/\")",
		"glob.match(\"v#/*\", [\"/\"], input.x)",
		"regex.match(`^v#/[a-z]+$`, input.x)",
		"regex.match(`^v#/x*a`, input.x)",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		char *text = many_rules(shapes[i]);
		struct world w = ready(text, NULL, "data.a.hit", false);

		assert_gives(&w, "{\"x\": \"v7/a\"}", "[7]");
		assert_gives(
			&w, "{\"x\": \"v7/a\", \"always\": true}", "[7,99]");
		assert_gives(&w, "{\"x\": \"v/a\"}", "[]");
		assert_gives(&w, "{\"x\": 7}", "[]");
		assert_gives(&w, "{\"always\": 1}", "[99]");
		end(&w);
		free(text);
	}
}

static void an_index_over_arguments_keeps_the_order_of_rules(void **state)
{
	struct world w = ready("package a\n\nf(\"a\", x) := x\n"
			       "f(\"b\", x) := x + 1\nf(\"c\", x) := x + 2\n"
			       "f(\"d\", x) := x + 3\nf(k, x) := x + 9 if "
			       "k == \"e\"\nf(k, _) := 0 if k == \"z\"\n"
			       "p := [f(\"a\", 1), f(\"d\", 1), f(\"e\", 1), "
			       "f(\"z\", 1)]\n",
		NULL, "data.a.p", false);

	(void)state;
	assert_gives(&w, NULL, "[1,4,10,0]");
	end(&w);
}

static void conflicts_list_their_values(void **state)
{
	struct world w = ready("package a\n\np := 1 if input.a\n\n"
			       "p := 2 if input.b\n\np := 1 if input.b\n",
		NULL, "data.a.p", false);

	(void)state;
	assert_gives(&w, "{\"a\": true}", "1");
	assert_gives(&w, "{\"a\": true, \"b\": true}",
		"rule data.a.p produced conflicting values:\n"
		"  1 at m.rego:3\n  2 at m.rego:5");
	assert_gives(&w, "{\"a\": true}", "1");
	end(&w);
}

static void base_data_lies_over_rules_and_takes_text_keys(void **state)
{
	struct world w = ready("package a.b\n\np := 1\nq := 2\n",
		"{\"a\": {\"b\": {\"p\": 5}, \"c\": {\"7\": \"x\"}}}",
		"[data.a, data.a.c[7]]", false);

	(void)state;
	assert_gives(&w, NULL,
		"[{\"b\":{\"p\":5,\"q\":2},\"c\":{\"7\":\"x\"}},\"x\"]");
	end(&w);
}

/* `data.p0.p1. ... .pN` */
static void long_path(struct buf *b, int n)
{
	for (int i = 0; i < n; i++)
		buf_addf(b, "%sp%d", i ? "." : "", i);
}

static void packages_may_be_long(void **state)
{
	struct buf module = {0}, query = {0};

	(void)state;
	buf_adds(&module, "package ");
	long_path(&module, 600);
	buf_adds(&module, "\n\nx := 1\n\ny := x\n");
	buf_adds(&query, "data.");
	long_path(&query, 600);
	buf_adds(&query, ".y with data.");
	long_path(&query, 600);
	buf_adds(&query, ".x as 2");
	struct world w = ready(module.ptr, NULL, query.ptr, true);

	assert_gives(&w, NULL, "2");
	end(&w);
	buf_release(&module);
	buf_release(&query);
}

/* The error code of an evaluation under some limit. */
static void assert_stops(
	struct world *w, const struct rego_input *in, const char *part)
{
	rego_eval(w->vm, w->q, in, &w->r);
	assert_non_null(w->r.error.code);
	assert_string_equal(w->r.error.code, "eval_cancel_error");
	if (!strstr(w->r.error.message, part))
		fail_msg("%s", w->r.error.message);
	assert_num(w->r.nrows, 0);
}

static void every_limit_ends_an_evaluation(void **state)
{
	struct world w = ready("package a\n\np := count([1 | some x in "
			       "numbers.range(1, 3000); some y in "
			       "numbers.range(1, 3000); x == y + 5000])\n",
		NULL, "data.a.p", false);
	int cancel = 1;

	(void)state;
	assert_stops(&w, &(struct rego_input){.max_steps = 10000}, "steps");
	assert_stops(&w, &(struct rego_input){.deadline_ns = 1}, "cancelled");
	assert_stops(&w, &(struct rego_input){.cancel = &cancel}, "cancelled");
	assert_stops(&w, &(struct rego_input){.max_memory = 1000}, "memory");
	end(&w);
}

/* Rules that call one another, so many deep. */
static void assert_chain(int n, const char *want)
{
	struct buf b = {0};
	struct world w;

	buf_adds(&b, "package a\n\n");
	for (int i = 1; i < n; i++)
		buf_addf(&b, "p%d := p%d\n", i, i + 1);
	buf_addf(&b, "p%d := input\n", n);
	w = ready(b.ptr, NULL, "data.a.p1", false);
	assert_gives(&w, "1", want);
	end(&w);
	buf_release(&b);
}

static void *chains(void *unused)
{
	(void)unused;
	assert_chain(LIMIT_CALL_DEPTH - 1, "1"); /* the query is one more */
	assert_chain(LIMIT_CALL_DEPTH, "rules are nested deeper than 10000");
	return NULL;
}

/* With stack to spare: what a level takes is more under sanitizers. */
static void rules_may_be_as_deep_as_the_limit(void **state)
{
	pthread_attr_t attr;
	pthread_t thread;

	(void)state;
	assert_num(pthread_attr_init(&attr), 0);
	assert_num(pthread_attr_setstacksize(&attr, 1 << 28), 0);
	assert_num(pthread_create(&thread, &attr, chains, NULL), 0);
	assert_num(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
}

static void steps_are_counted_to_the_one(void **state)
{
	struct world w = ready("package a\n\np := count([1 | some _ in "
			       "input])\n",
		NULL, "data.a.p", false);
	struct rego_input in = {0};
	uint64_t used;

	(void)state;
	assert_gives(&w, "[1, 2, 3]", "3");
	used = w.r.steps;
	assert_true(used > 3 && used < 20);
	assert_gives(&w, "[1, 2, 3, 4]", "4");
	assert_num(w.r.steps, used + 1);
	in.input = v_arr(rego_arena(w.e), (struct value[3]){v_null}, 3);
	in.max_steps = used;
	rego_eval(w.vm, w.q, &in, &w.r);
	assert_null(w.r.error.code);
	assert_num(w.r.steps, used);
	in.max_steps = used - 1;
	rego_eval(w.vm, w.q, &in, &w.r);
	assert_non_null(w.r.error.code);
	end(&w);
}

static void data_that_meets_is_a_conflict(void **state)
{
	struct rego_config cfg = {.version = REGO_V1};
	struct rego_engine *e = rego_new(&cfg);
	struct str path[] = {STR("a"), STR("b")};
	struct err err = {0};

	(void)state;
	assert_ok(rego_add_data(e, path, 2, v_int(1), true, &err), &err);
	assert_fails(rego_add_data(e, path, 2, v_int(1), true, &err), &err,
		E_CONFLICT, "merge error");
	assert_ok(rego_add_data(e, path, 1, v_empty_obj, true, &err), &err);
	assert_fails(rego_add_data(e, path, 0, v_int(1), true, &err), &err,
		E_INVALID, "root value must be object");
	rego_free(e);
}

/* What OPA 1.22.2 says to the same data and module, row by row. */
static void a_rule_has_no_room_where_data_is(void **state)
{
	/* clang-format off */
	static const struct { const char *data, *module, *at; } rows[] = {
		{"{\"a\":{\"p\":{\"q\":1}}}", "package a\np contains 1", "a/p"},
		{"{\"a\":{\"p\":{\"q\":1}}}", "package a\np.q := 1", "a/p/q"},
		{"{\"a\":{\"p\":{\"q\":1}}}", "package a\np.r := 1", NULL},
		{"{\"a\":3}", "package a\np := 1", "a/p"},
		{"{\"a\":null}", "package a.b\np := 1", "a/b/p"},
		{"{\"a\":{\"b\":\"s\"}}", "package a.b.c\ndefault q := 1", "a/b/c/q"},
		{"{\"a\":{\"p\":3}}", "package a\np[x] := 1 if some x in [\"y\"]", "a/p"},
		{"{\"a\":{\"p\":[1]}}", "package a\np[\"7\"] := 2", "a/p/7"},
		{"{\"a\":[{\"q\":1}]}", "package a[\"0\"]\nq := 1", "a/0/q"},
		{"{\"a\":{\"p\":[1]}}", "package a\np[0] := 2", NULL},
		{"{\"a\":{\"p\":3}}", "package a\np[1].q := 2", NULL},
		{"{\"a\":3}", "package a.b", NULL},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rego_config cfg = {.version = REGO_V1};
		struct rego_engine *e = rego_new(&cfg);
		struct err err = {0};
		char want[64];

		add_json(e, rows[i].data, &err);
		assert_true(
			rego_add_module(e, "m.rego", str_from(rows[i].module)));
		if (rego_compile(e, true) != !rows[i].at)
			fail_msg("row %zu", i);
		if (rows[i].at) {
			snprintf(want, sizeof(want),
				"conflicting rule for data path %s found",
				rows[i].at);
			assert_string_equal(
				rego_errors(e)->items[0].message, want);
		}
		rego_free(e);
	}
}

static void errors_stand_where_the_statement_or_the_key_begins(void **state)
{
	static const struct {
		const char *rule;
		uint32_t col;
	} rows[] = {
		{"p if (count(input.x))", 6},
		{"p if not count(input.x)", 6},
		{"p if not count(input.x) == 1", 10},
		{"p := x if x := count(input.x)", 16},
		{"p := {\"k\": v | some v in [1, 2]}", 7},
		{"p := [x | x := {upper(\"k\"): v | some v in [1, 2]}]", 17},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf text = {0};
		struct rego_input in = {0};
		struct rego_error *e;
		struct arena a = {0};
		struct json_error je;
		struct world w;

		buf_addf(&text, "package a\n%s\n", rows[i].rule);
		w = ready(text.ptr, NULL, "data.a.p", false);
		assert_true(json_parse(
			&a, NULL, str_from("{\"x\": 1}"), 10, &in.input, &je));
		in.strict = true;
		rego_eval(w.vm, w.q, &in, &w.r);
		e = &w.r.error;
		assert_non_null(e->code);
		assert_int_equal(e->row, 2);
		assert_int_equal(e->col, rows[i].col);
		end(&w);
		arena_release(&a);
		buf_release(&text);
	}
}

/* "id row:text" of all frames, a line each. */
static void assert_frames(const struct rego_error *e, const char *want)
{
	struct buf got = {0};

	buf_adds(&got, "");
	for (uint32_t i = 0; i < e->nframes; i++)
		buf_addf(&got, "%u %u:%.*s\n", e->frames[i].query_id,
			e->frames[i].row, STR_ARG(e->frames[i].text));
	assert_string_equal(got.ptr, want);
	buf_release(&got);
}

static void an_error_says_what_was_being_evaluated(void **state)
{
	/* clang-format off */
	static const struct {
		const char *module, *want;
	} cases[] = {
		{"package a\np := f(x) if x := \"q\"\nf(y) := to_number(y)",
			"2 3:to_number(\"q\")\n1 2:f(\"q\")\n0 1:data.a.p\n"},
		{"package a\np if not to_number(\"q\")",
			"2 2:not to_number(\"q\")\n1 2:not to_number(\"q\")\n0 1:data.a.p\n"},
		{"package a\np := [n | some s in [\"1\", \"q\"]; n := to_number(s)]",
			"2 2:to_number(\"q\")\n1 2:[n | some s in [\"1\", \"q\"]; n := to_number(s)]\n0 1:data.a.p\n"},
		{"package a\np if every s in [\"1\", \"q\"] { to_number(s) > 0 }",
			"4 2:to_number(\"q\")\n2 2:[\"1\", \"q\"]\n"
			"1 2:every s in [\"1\", \"q\"] { to_number(\"q\") > 0 }\n0 1:data.a.p\n"},
		{"package a\np := 1 if false\n else := to_number(\"q\")",
			"2 3:to_number(\"q\")\n0 1:data.a.p\n"},
		{"package a\np := x if some x in [1, 2]",
			"1 2:some x in [1, 2]\n0 1:data.a.p\n"},
		{"package a\np := f(3)\nf(x) := 1 if x > 1\nf(x) := 2 if x > 2",
			"3 4:3 > 2\n1 2:2\n0 1:data.a.p\n"},
		{"package a\np := f(w) if some w in [1, 2]\nf(x) := x",
			"3 3:x\n1 2:2\n0 1:data.a.p\n"},
		{"package a\np := to_number(concat(\"\", [\"a\",\n\t\t\"b\"]))",
			"1 2:to_number(\"ab\")\n0 1:data.a.p\n"},
		{"package a\np := to_number(\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\")",
			"1 2:to_number(\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\n0 1:data.a.p\n"},
	};
	/* clang-format on */
	const struct rego_config cfg = {
		.version = REGO_V1, .keep_print = true, .frames = true};
	struct rego_input in = {.strict = true};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world w =
			ready_with(&cfg, cases[i].module, NULL, "data.a.p");

		rego_eval(w.vm, w.q, &in, &w.r);
		assert_non_null(w.r.error.code);
		assert_frames(&w.r.error, cases[i].want);
		end(&w);
	}
}

static void all_failures_of_builtins_can_be_told(void **state)
{
	struct world w = ready("package a\np contains to_number(s) if "
			       "some s in [\"x\", \"1\", \"y\"]",
		NULL, "data.a.p", false);
	struct rego_input in = {.collect = true};

	(void)state;
	rego_eval(w.vm, w.q, &in, &w.r);
	assert_num(w.r.nrows, 1);
	assert_null(w.r.error.code);
	assert_num(w.r.nfailures, 2);
	assert_non_null(strstr(w.r.failures[0].message, "\"x\""));
	assert_non_null(strstr(w.r.failures[1].message, "\"y\""));
	assert_num(w.r.failures[1].nframes, 0);
	in.collect = false;
	rego_eval(w.vm, w.q, &in, &w.r);
	assert_num(w.r.nfailures, 0);
	end(&w);
}

static const struct rego_config covering = {
	.version = REGO_V1, .coverage = true};

static void assert_ranges(
	const struct rego_range *list, uint32_t n, const char *want)
{
	struct buf got = {0};

	for (uint32_t i = 0; i < n; i++)
		buf_addf(&got, " %u:%u-%u:%u", list[i].from, list[i].from_col,
			list[i].to, list[i].to_col);
	assert_string_equal(got.ptr, want);
	buf_release(&got);
}

/* Also what the passes make something else of: heads, templates, `some`. */
static void not_covered_is_what_was_written(void **state)
{
	struct world w = ready_with(&covering,
		"package a\n"
		"p := 1\n"
		"f(x) := [y | y := x]\n"
		"g(x) := [y | y := x] if x\n"
		"h(x) := 1 if { some y in [x]; y } else := $\"{x}\"\n",
		NULL, "data.a.p");
	struct arena a = {0};
	struct rego_coverage_file *files;
	size_t n;

	(void)state;
	assert_gives(&w, NULL, "1");
	files = rego_coverage(&a, w.e, &w.vm, 1, &n);
	assert_int_equal(n, 1);
	assert_ranges(files[0].covered, files[0].ncovered, " 2:1-2:7 2:6-2:7");
	assert_ranges(files[0].not_covered, files[0].nnot_covered,
		" 3:1-3:21 3:9-3:21 3:14-3:20 4:1-4:21 4:14-4:20 4:25-4:26"
		" 5:1-5:10 5:31-5:32 5:35-5:49 5:46-5:47");
	arena_release(&a);
	end(&w);
}

/* What OPA reports: it begins behind the parentheses and is as long as all. */
static void a_term_in_parentheses_is_as_long_as_its_text(void **state)
{
	struct world w = ready_with(&covering,
		"package a\n"
		"p := ((1 + 2) * 3)\n"
		"q if (\n"
		"\t1 + # one\n"
		"\t2\n"
		") == 3\n"
		"r[(1 + 2)] := (p) if ((p + 1)) == 10\n",
		NULL, "data.a");
	struct arena a = {0};
	struct rego_coverage_file *files;
	size_t n;

	(void)state;
	assert_gives(&w, NULL, "{\"p\":9,\"q\":true,\"r\":{\"3\":9}}");
	files = rego_coverage(&a, w.e, &w.vm, 1, &n);
	assert_ranges(files[0].covered, files[0].ncovered,
		" 2:1-2:19 2:8-2:15 2:8-2:21 3:1-3:2 3:6-6:7 4:2-7:2"
		" 7:1-7:18 7:4-7:11 7:16-7:19 7:22-7:37 7:24-7:25"
		" 7:24-7:33");
	arena_release(&a);
	end(&w);
}

/* As in OPA; what only declares is no expr. */
static void exprs_of_a_query_come_as_they_are_evaluated(void **state)
{
	struct world w = ready("package a\n", NULL,
		"x = y + 1; some i; [3, 2][i] == y; y = 2", false);
	struct rego_input in = {0};
	uint32_t row, col[3] = {0};

	(void)state;
	rego_eval(w.vm, w.q, &in, &w.r);
	assert_int_equal(w.r.nrows, 1);
	assert_int_equal(w.r.rows[0].nexprs, 3);
	for (uint32_t i = 0; i < 3; i++)
		source_pos(rego_query_expr_loc(w.q, i), &row, &col[i]);
	assert_int_equal(col[0], 36);
	assert_int_equal(col[1], 1);
	assert_int_equal(col[2], 20);
	end(&w);
}

static void missed(struct buf *out, const struct rego_coverage_file *f)
{
	buf_reset(out);
	for (uint32_t i = 0; i < f->nnot_covered; i++)
		buf_addf(out, " %u:%u/%u", f->not_covered[i].from,
			f->not_covered[i].from_col, f->not_covered[i].passes);
}

/*
 * A rule that OPA's index leaves out has nothing covered, and the pass without
 * the index says so; as the pass without early exit of what comes after it.
 */
static void passes_say_why_a_rule_was_not_reached(void **state)
{
	struct world w = ready_with(&covering,
		"package a\n"
		"p if { true; input.a == 1 }\n"
		"p if { true; input.f }\n"
		"p if { 1 == 1 }\n"
		"q if { true; x := input.l; x[_] == 7 }\n"
		"q if { true; input.l = [1, _] }\n"
		"r if { true; \"c\" in input.l }\n"
		"r if { true; startswith(input.s, \"b\") }\n"
		"r if { true; glob.match(\"a.*\", [], input.s) }\n"
		"r if { true; input.a in {1, 3} }\n"
		"s if { true; not input.a == 2 }\n"
		"t if { true; 1 == 1 }\n"
		"t if { true; 2 == 2 }\n",
		NULL, "data.a");
	struct rego_vm *vms[3] = {w.vm, rego_vm_new(w.e), rego_vm_new(w.e)};
	struct rego_input in = {0};
	struct arena a = {0};
	struct json_error je;
	struct buf got = {0};
	size_t n;

	(void)state;
	assert_true(json_parse(&a, NULL,
		S("{\"a\": 2, \"f\": false, \"l\": [1, 2], \"s\": \"a\"}"), 100,
		&in.input, &je));
	rego_vm_pass(vms[1], REGO_NO_INDEX);
	rego_vm_pass(vms[2], REGO_NO_EARLY_EXIT);
	for (size_t i = 0; i < COUNT(vms); i++)
		rego_eval(vms[i], w.q, &in, &w.r);
	missed(&got, rego_coverage(&a, w.e, vms, 1, &n));
	assert_string_equal(got.ptr,
		" 2:1/0 2:8/0 2:14/0 3:1/0 5:1/0 5:8/0 5:14/0 5:28/0 7:1/0 "
		"7:8/0"
		" 7:14/0 8:1/0 8:8/0 8:14/0 9:1/0 9:8/0 9:14/0 10:1/0 10:8/0 "
		"10:14/0 11:1/0 13:1/0 13:8/0 13:14/0");
	missed(&got, rego_coverage(&a, w.e, vms, COUNT(vms), &n));
	assert_string_equal(got.ptr,
		" 2:1/0 2:8/1 2:14/1 3:1/0 5:1/0 5:8/1 5:14/1 5:28/1 7:1/0 "
		"7:8/1"
		" 7:14/1 8:1/0 8:8/1 8:14/1 9:1/0 9:8/1 9:14/1 10:1/0 10:8/1 "
		"10:14/1 11:1/0 13:1/2 13:8/2 13:14/2");
	rego_vm_free(vms[1]);
	rego_vm_free(vms[2]);
	buf_release(&got);
	arena_release(&a);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vm_forgets_what_depends_on_the_input),
		cmocka_unit_test(with_changes_only_what_it_touches),
		cmocka_unit_test(a_mock_is_off_inside_its_replacement),
		cmocka_unit_test(an_index_finds_what_trying_each_rule_would),
		cmocka_unit_test(
			an_index_over_arguments_keeps_the_order_of_rules),
		cmocka_unit_test(conflicts_list_their_values),
		cmocka_unit_test(base_data_lies_over_rules_and_takes_text_keys),
		cmocka_unit_test(packages_may_be_long),
		cmocka_unit_test(every_limit_ends_an_evaluation),
		cmocka_unit_test(rules_may_be_as_deep_as_the_limit),
		cmocka_unit_test(steps_are_counted_to_the_one),
		cmocka_unit_test(data_that_meets_is_a_conflict),
		cmocka_unit_test(a_rule_has_no_room_where_data_is),
		cmocka_unit_test(exprs_of_a_query_come_as_they_are_evaluated),
		cmocka_unit_test(not_covered_is_what_was_written),
		cmocka_unit_test(passes_say_why_a_rule_was_not_reached),
		cmocka_unit_test(a_term_in_parentheses_is_as_long_as_its_text),
		cmocka_unit_test(
			errors_stand_where_the_statement_or_the_key_begins),
		cmocka_unit_test(an_error_says_what_was_being_evaluated),
		cmocka_unit_test(all_failures_of_builtins_can_be_told),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
