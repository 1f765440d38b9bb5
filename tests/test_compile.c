/* What the compile passes make of modules and queries, and what they refuse. */
#include "tests/test.h"

#include "rego/compile.h"

#include <string.h>

struct world {
	struct arena arena;
	struct symtab syms;
	struct compiler c;
	struct diags parse;
	bool ok;
};

static void world_start(struct world *w)
{
	*w = (struct world){0};
	w->syms.arena = &w->arena;
	w->parse.arena = &w->arena;
	w->c.arena = &w->arena;
	w->c.syms = &w->syms;
	w->c.keep_print = true;
}

static void world_end(struct world *w)
{
	symtab_release(&w->syms);
	arena_release(&w->arena);
}

static struct source *source_of(
	struct world *w, const char *name, const char *text)
{
	struct source *src = ARENA_NEW(&w->arena, struct source);

	src->name = name;
	src->text = str_from(text);
	return src;
}

static void add_module(struct world *w, const char *name, const char *text)
{
	struct parse_options o = {.version = REGO_V1};
	struct module *m = parse_module(
		&w->arena, &w->syms, source_of(w, name, text), &o, &w->parse);

	if (!m)
		fail_msg("%s", w->parse.items[0].message);
	compile_add(&w->c, m);
}

static void compile(struct world *w, const char *text)
{
	add_module(w, "a.rego", text);
	w->ok = compile_modules(&w->c);
}

/* "row:col code: message" of all errors, a line each. */
static char *errors_of(struct world *w, const struct diags *d)
{
	struct buf b = {0};
	char *s;

	buf_adds(&b, "");
	for (uint32_t i = 0; i < d->len; i++)
		buf_addf(&b, "%u:%u %s: %s\n", d->items[i].row, d->items[i].col,
			d->items[i].code, d->items[i].message);
	s = arena_strdup(&w->arena, buf_str(&b));
	buf_release(&b);
	return s;
}

static void assert_errors_with(
	void (*setup)(struct compiler *c), const char *text, const char *want)
{
	struct world w;

	world_start(&w);
	if (setup)
		setup(&w.c);
	compile(&w, text);
	assert_string_equal(errors_of(&w, &w.c.diags), want);
	assert_true(w.ok == !*want);
	world_end(&w);
}

static void assert_errors(const char *text, const char *want)
{
	assert_errors_with(NULL, text, want);
}

static void strict(struct compiler *c)
{
	c->strict = true;
}

static void without_print(struct compiler *c)
{
	c->keep_print = false;
}

static void for_tests(struct compiler *c)
{
	c->test_mode = true;
}

/* The body of the first rule, after all passes. */
static void assert_body_with(
	void (*setup)(struct compiler *c), const char *text, const char *want)
{
	struct world w;
	struct buf b = {0};

	world_start(&w);
	if (setup)
		setup(&w.c);
	compile(&w, text);
	assert_string_equal(errors_of(&w, &w.c.diags), "");
	body_text(&b, w.c.mods[0]->rules[0]->body);
	assert_string_equal(b.ptr, want);
	buf_release(&b);
	world_end(&w);
}

static void assert_body(const char *text, const char *want)
{
	assert_body_with(NULL, text, want);
}

/* --- bodies -------------------------------------------------------------- */

static void names_of_rules_and_imports_become_full_refs(void **state)
{
	(void)state;
	assert_body("package t\nimport data.lib as l\nimport input.user\n"
		    "p if { q; l.x; user.id }\nq := 1",
		"data.t.q; data.lib.x; input.user.id");
}

static void what_a_body_declares_hides_rules_in_all_of_it(void **state)
{
	(void)state;
	assert_errors("package t\np if { q; q := 1 }\nq := 2",
		"2:11 rego_compile_error: var q referenced above\n");
	assert_body(
		"package t\np if { q := 1; q == 1 }\nq := 2", "q = 1; q = 1");
}

static void nested_calls_stand_in_front_outside_of_not(void **state)
{
	(void)state;
	assert_body("package t\np if not startswith(lower(input.x), \"a\")",
		"__local1__ = input.x; lower(__local1__, __local0__); "
		"not startswith(__local0__, \"a\")");
}

static void statements_run_when_their_variables_are_bound(void **state)
{
	(void)state;
	assert_body("package t\np if { not x == y; y = 2; x = 1 }",
		"y = 2; x = 1; not x = y");
}

static void some_in_is_a_unification_with_a_member(void **state)
{
	(void)state;
	assert_body("package t\np if { some k, {\"a\": v} in input.xs; k; v }",
		"{\"a\": v} = input.xs[k]; k; v");
}

static void refs_leave_composites_and_arguments(void **state)
{
	(void)state;
	assert_body("package t\np if { x := [input.a, 1]; count(x) > input.b }",
		"__local2__ = input.a; x = [__local2__, 1]; "
		"count(x, __local1__); __local3__ = input.b; "
		"gt(__local1__, __local3__)");
}

static void modifiers_go_with_what_was_moved(void **state)
{
	(void)state;
	assert_body("package t\np if lower(input.a) == \"b\" with input.a as "
		    "input.c",
		"__local1__ = input.c; "
		"__local2__ = input.a with input.a as __local1__; "
		"lower(__local2__, __local0__) with input.a as __local1__; "
		"__local0__ = \"b\" with input.a as __local1__");
}

static void templates_become_calls_over_sets(void **state)
{
	(void)state;
	assert_body("package t\np if { x := 1; $\"a {x} {input.b}\" }",
		"x = 1; __local3__ = {__local1__ | __local1__ = input.b}; "
		"internal.template_string([\"a \", {x}, \" \", __local3__], "
		"__local2__); __local2__");
	assert_errors("package a\np if { $\"{input[_]}\"; $\"{[x]}\" == 1 }",
		"2:11 rego_compile_error: var _ is undeclared\n"
		"2:26 rego_compile_error: var x is undeclared\n");
}

static void print_takes_sets_or_goes_away(void **state)
{
	const char *text = "package t\np if { print(input.x); true }";

	(void)state;
	assert_body(text, "__local1__ = {__local0__ | __local0__ = input.x}; "
			  "internal.print([__local1__]); true");
	assert_body_with(without_print, text, "true");
}

static void heads_keep_only_variables_and_constants(void **state)
{
	(void)state;
	assert_body("package t\np contains input.xs[i] if { i > 1; i = 1 }",
		"i = 1; __local1__ = input.xs[i]; gt(i, 1)");
}

static void a_table_test_tells_its_case_early(void **state)
{
	(void)state;
	assert_body_with(for_tests,
		"package t\ntest_x[tc.note] if { some tc in input.cs; "
		"tc.a == tc.b }",
		"tc = input.cs[__local1__]; __local0__ = tc.note; "
		"internal.test_case([__local0__]); tc.a = tc.b");
}

static void equal_keys_of_an_object_are_one(void **state)
{
	(void)state;
	assert_body("package t\np if { {\"a\": lower(\"x\"), \"a\": 2} }",
		"{\"a\": 2}");
}

/* --- groups ----------------------------------------------------------------
 */

static struct group *group_named(struct world *w, const char *name)
{
	for (uint32_t i = 0; i < w->c.ngroups; i++)
		if (strcmp(w->c.groups[i]->name, name) == 0)
			return w->c.groups[i];
	fail_msg("no group %s", name);
	return NULL;
}

static void rules_of_one_ref_make_a_group(void **state)
{
	struct world w;

	(void)state;
	world_start(&w);
	compile(&w, "package t\ndefault p := 1\np := 2 if input.x\n"
		    "s contains 1\nf(x) := x\nf(x) := 1 if x == 2\n"
		    "g() := 1\na.b.c := 1");
	assert_true(w.ok);
	assert_num(group_named(&w, "data.t.p")->kind, G_COMPLETE);
	assert_num(group_named(&w, "data.t.p")->nrules, 1);
	assert_non_null(group_named(&w, "data.t.p")->dflt);
	assert_num(group_named(&w, "data.t.s")->kind, G_SET);
	assert_num(group_named(&w, "data.t.f")->kind, G_FUNC);
	assert_num(group_named(&w, "data.t.f")->nrules, 2);
	assert_num(group_named(&w, "data.t.g")->kind, G_COMPLETE);
	assert_num(group_named(&w, "data.t.a.b.c")->kind, G_COMPLETE);
	world_end(&w);
}

static void heads_with_variables_absorb_what_is_below(void **state)
{
	struct world w;
	struct group *g;

	(void)state;
	world_start(&w);
	compile(&w, "package t\np.q[x].r := 1 if x := input.x\n"
		    "p.q.a.s := 2\np.z := 3");
	assert_true(w.ok);
	g = group_named(&w, "data.t.p.q");
	assert_num(g->kind, G_OBJECT);
	assert_num(g->nrules, 2);
	assert_num(g->rules[0]->npath, 2);
	assert_num(g->rules[1]->npath, 2);
	assert_string_equal(g->rules[1]->path[0]->val.str->bytes, "a");
	assert_num(w.c.ngroups, 2);
	world_end(&w);
}

static void the_tree_finds_groups_by_refs(void **state)
{
	struct world w;
	struct parse_options o = {.version = REGO_V1};
	struct term *ref;
	uint32_t steps;

	(void)state;
	world_start(&w);
	compile(&w, "package t\np := {\"a\": 1}");
	ref = parse_term(&w.arena, &w.syms, source_of(&w, "", "data.t.p.a[x]"),
		&o, &w.parse);
	assert_ptr_equal(group_of_ref(&w.c, ref, &steps), w.c.groups[0]);
	assert_num(steps, 3);
	ref = parse_term(&w.arena, &w.syms, source_of(&w, "", "data.t[x]"), &o,
		&w.parse);
	assert_null(group_of_ref(&w.c, ref, &steps));
	world_end(&w);
}

static void an_else_chain_shares_its_variables(void **state)
{
	struct world w;
	struct rule *r;

	(void)state;
	world_start(&w);
	compile(&w, "package t\nf(x) := 1 if x == 1 else := y if y := x + 1");
	assert_true(w.ok);
	r = w.c.mods[0]->rules[0];
	assert_ptr_equal(r->vars, r->els->vars);
	assert_true(r->head.args[0]->var.var->is_arg);
	for (uint32_t i = 0; i < r->nvars; i++)
		assert_num(r->vars[i]->id, i);
	world_end(&w);
}

/* --- errors ------------------------------------------------------------------
 */

static void each_unsafe_variable_is_reported_once(void **state)
{
	(void)state;
	assert_errors("package t\np if { x > 1; x < y; not z }",
		"2:8 rego_unsafe_var_error: var x is unsafe\n"
		"2:15 rego_unsafe_var_error: var y is unsafe\n"
		"2:22 rego_unsafe_var_error: var z is unsafe\n");
}

/* `_` on the left of := is one more of the variables that it would bind. */
static void what_an_assignment_lacks_is_reported_whole(void **state)
{
	(void)state;
	assert_errors("package a\np if { [x, _] := 1 }",
		"2:8 rego_unsafe_var_error: var _ is unsafe\n"
		"2:8 rego_unsafe_var_error: var x is unsafe\n");
	assert_errors("package a\np if { [x, _] := 1; y = x }",
		"2:21 rego_unsafe_var_error: var y is unsafe\n");
	assert_errors("package a\np if { [x, _] := 1 }\n"
		      "q(v) if { walk([1, v], [x, y]) }",
		"2:8 rego_unsafe_var_error: var _ is unsafe\n"
		"2:8 rego_unsafe_var_error: var x is unsafe\n");
}

static void keys_left_of_an_assignment_are_not_local(void **state)
{
	(void)state;
	assert_errors("package a\np if { k := 1; {k: x} := {1: 2}; x == 2 }",
		"2:16 rego_unsafe_var_error: var k is unsafe\n"
		"2:16 rego_unsafe_var_error: var x is unsafe\n");
	assert_errors("package a\np if { {k: x} := {1: 2}; k := 1; x == 2 }",
		"2:8 rego_unsafe_var_error: var k is unsafe\n"
		"2:8 rego_unsafe_var_error: var x is unsafe\n");
	assert_errors("package a\n"
		      "p if every k in [1] { {k: x} := {1: 2}; x == 2 }",
		"2:23 rego_compile_error: declared var k unused\n"
		"2:23 rego_unsafe_var_error: var x is unsafe\n");
	assert_errors("package a\nf(k) if { {k: x} := {k: 2}; x == 2 }",
		"2:11 rego_unsafe_var_error: var k is unsafe\n"
		"2:11 rego_unsafe_var_error: var x is unsafe\n");
}

static void closures_in_every_are_looked_at_twice(void **state)
{
	static const char once[] = "package a\np if { [x | x := y; y := 1] }";
	static const char twice[] = "package a\np if every z in [1] { [x | x "
				    ":= y; y := z] == [1] }";
	static const char in_and[] = "package a\nimport rego.v2\n"
				     "p if { { y == 1 } and { true }; y := 2 }";

	(void)state;
	assert_errors(
		once, "2:21 rego_compile_error: var y referenced above\n");
	assert_errors(twice,
		"2:36 rego_compile_error: var y referenced above\n"
		"2:36 rego_compile_error: var y referenced above\n");
	assert_errors(
		in_and, "3:33 rego_compile_error: var y referenced above\n");
}

static void a_head_needs_what_its_body_binds(void **state)
{
	(void)state;
	assert_errors("package t\np contains [x, y] if x := 1",
		"2:16 rego_unsafe_var_error: var y is unsafe\n");
}

static void rules_on_one_line_are_told_apart(void **state)
{
	(void)state;
	assert_errors("package t\np if { x > 1 } q if { y > 2 }",
		"2:8 rego_unsafe_var_error: var x is unsafe in rule p\n"
		"2:23 rego_unsafe_var_error: var y is unsafe in rule q\n");
}

/* As many errors as rules, for a limit that is higher. */
static void assert_all_reported(const char *before, const char *after)
{
	struct world w;
	struct buf b = {0};

	buf_adds(&b, "package t\n");
	for (int i = 0; i < 12; i++)
		buf_addf(&b, "p%d %s%d%s\n", i, before, i, after);
	world_start(&w);
	w.c.max_errors = 13;
	compile(&w, b.ptr);
	assert_num(w.c.diags.len, 12);
	assert_num(w.c.diags.items[11].row, 13);
	buf_release(&b);
	world_end(&w);
}

static void a_higher_limit_counts_for_every_kind_of_error(void **state)
{
	(void)state;
	assert_all_reported("if x > ", "");
	assert_all_reported(":= x if ", " == 1");
	assert_all_reported("if p", "");
	assert_all_reported(":= count(", ")");
	assert_all_reported(":= f", "(1)");
}

static void ten_errors_are_the_limit(void **state)
{
	struct world w;
	struct buf b = {0};

	(void)state;
	buf_adds(&b, "package t\n");
	for (int i = 0; i < 12; i++)
		buf_addf(&b, "p%d if x > 1\n", i);
	world_start(&w);
	compile(&w, b.ptr);
	assert_num(w.c.diags.len, 11);
	assert_string_equal(w.c.diags.items[9].message, "var x is unsafe");
	assert_num(w.c.diags.items[9].row, 11);
	assert_string_equal(w.c.diags.items[10].message, "error limit reached");
	assert_null(w.c.diags.items[10].file);
	buf_release(&b);
	world_end(&w);
}

static void an_earlier_stage_hides_later_ones(void **state)
{
	(void)state;
	assert_errors("package t\np if x > 1\nq if foo(1)",
		"3:6 rego_type_error: undefined function foo\n");
}

static void redeclarations_are_refused(void **state)
{
	(void)state;
	assert_errors("package t\np if { x := 1; x := 2 }\n"
		      "q if { some y; y = 1; some y }\nf(a) if a := 1",
		"2:16 rego_compile_error: var x assigned above\n"
		"3:23 rego_compile_error: var y declared above\n"
		"4:9 rego_compile_error: arg a redeclared\n");
	/* OPA takes steps of the refs of `with` for what `some` declares, */
	/* where these begin as the domain does. */
	assert_errors(
		"package a\n"
		"p if { x := 1; some y in data.l with input as data.q[x]; "
		"y }",
		"2:16 rego_compile_error: var x assigned above\n");
	assert_errors("package a\n"
		      "p if { x := 1; some y in input.l with input as "
		      "data.q[x]; y }",
		"");
	/* A template is a closure. */
	assert_errors("package a\np if { some x in [x]; x }",
		"2:8 rego_compile_error: var x assigned before\n");
	assert_errors("package a\np if { some x in [$\"{x}\"]; x }",
		"2:8 rego_unsafe_var_error: var x is unsafe\n");
}

static void a_key_of_every_twice_has_no_place(void **state)
{
	(void)state;
	assert_errors("package t\np if every x, x in input.xs { x }",
		"0:0 rego_compile_error: var x declared above\n");
}

static void what_a_builtin_never_gives_is_no_condition(void **state)
{
	(void)state;
	assert_errors("package t\np if { x := count(input.n); data[x].p }",
		"2:1 rego_recursion_error: rule data.t.p may be recursive: "
		"data.t.p -> data.t.p (data[x].p could refer to data.t.p)\n");
	assert_errors("package t\np if { x := lower(input.n); data[x].p }",
		"2:1 rego_recursion_error: rule data.t.p may be recursive: "
		"data.t.p -> data.t.p (data[x].p refers to data.t.p if x is "
		"\"t\" (x is computed by lower))\n");
}

static void an_argument_must_not_hide_input(void **state)
{
	(void)state;
	/* The first, and of an object the values before the keys. */
	assert_errors("package t\nf({input: 1, \"a\": [data]}, input) := 1 if "
		      "false else := 2",
		"2:1 rego_compile_error: args must not shadow data (use a "
		"different variable name)\n");
	assert_errors("package t\nf({\"b\": {input: x}}) := x",
		"2:1 rego_compile_error: args must not shadow input (use a "
		"different variable name)\n");
	assert_errors("package t\nf({\"a\": input, \"a\": x}) := x",
		"2:1 rego_compile_error: args must not shadow input (use a "
		"different variable name)\n");
}

static void every_branch_needs_the_refs_of_arguments(void **state)
{
	(void)state;
	assert_errors("package t\nf(x.y) := 1 if true else := 2 if z := x",
		"2:3 rego_unsafe_var_error: var x is unsafe\n"
		"2:3 rego_unsafe_var_error: var x is unsafe\n");
}

static void strict_mode_sees_all_keys_of_an_argument(void **state)
{
	(void)state;
	assert_errors_with(strict,
		"package t\nf({\"a\": x, \"a\": y}) := y\ng(x, {x: 1}) := "
		"1\nh({\"a\": x, \"a\": x}) := 1",
		"2:1 rego_compile_error: unused argument x. (hint: use _ "
		"(wildcard variable) instead)\n"
		"3:1 rego_compile_error: unused argument x. (hint: use _ "
		"(wildcard variable) instead)\n");
	assert_errors_with(
		strict, "package t\nimport input.x\np := {1: x, 1: 2}", "");
}

static void strict_mode_wants_everything_used(void **state)
{
	(void)state;
	assert_errors_with(strict,
		"package t\nimport data.foo\nf(x, y) := x if z := 1",
		"2:1 rego_compile_error: import data.foo unused\n"
		"3:1 rego_compile_error: unused argument y. (hint: use _ "
		"(wildcard variable) instead)\n"
		"3:17 rego_compile_error: assigned var z unused\n");
}

static void rules_of_one_ref_must_be_of_one_kind(void **state)
{
	(void)state;
	assert_errors("package t\np := 1\np contains 2",
		"2:1 rego_type_error: conflicting rules data.t.p found\n");
	assert_errors("package t\np := 1\np.a.b := 2\np.c := 3",
		"2:1 rego_type_error: rule data.t.p conflicts with:\n"
		"  rule data.t.p.a.b at a.rego:3\n"
		"  rule data.t.p.c at a.rego:4\n");
	assert_errors("package t\ndefault p := 1\ndefault p := 2",
		"1:1 rego_type_error: multiple default rules data.t.p found "
		"at a.rego:2, a.rego:3\n");
}

static void a_rule_may_not_have_the_name_of_a_package(void **state)
{
	struct world w;

	(void)state;
	world_start(&w);
	add_module(&w, "b.rego", "package t.p\nx := 1");
	compile(&w, "package t\np := 1");
	assert_string_equal(w.c.diags.items[0].message,
		"package t.p conflicts with rule p defined at a.rego:2");
	assert_string_equal(w.c.diags.items[1].message,
		"rule data.t.p conflicts with:\n"
		"  rule data.t.p.x at b.rego:2");
	world_end(&w);
}

static void calls_have_the_arity_of_the_function(void **state)
{
	(void)state;
	assert_errors("package t\nf(x) := x\np if f(1, 2, 3)",
		"3:6 rego_type_error: function data.t.f has arity 1, got 3 "
		"arguments\n");
}

static void an_operator_can_be_captured_by_a_rule(void **state)
{
	(void)state;
	assert_errors("package t\nplus := 1\np := 1 + 2",
		"3:6 rego_type_error: function data.t.plus has arity 0, got 2 "
		"arguments\n");
}

static void with_replaces_documents_and_functions(void **state)
{
	(void)state;
	assert_body("package t\np if count([1]) == 2 with count as f\n"
		    "f(x) := 2",
		"count([1], __local1__) with count as data.t.f; "
		"__local1__ = 2 with count as data.t.f");
	assert_errors("package t\np if true with foo as 1",
		"2:16 rego_type_error: with keyword target must reference "
		"existing input, data, or a function\n");
	assert_errors("package t\np if true with data.t.q.a as 1\nq := {}",
		"2:16 rego_compile_error: with keyword cannot partially "
		"replace virtual document(s)\n");
}

static void cycles_are_refused(void **state)
{
	(void)state;
	assert_errors("package t\np if q\nq if not p",
		"2:1 rego_recursion_error: rule data.t.p is recursive: "
		"data.t.p -> data.t.q -> data.t.p\n"
		"3:1 rego_recursion_error: rule data.t.q is recursive: "
		"data.t.q -> data.t.p -> data.t.q\n");
}

static void a_cycle_through_a_variable_is_only_possible(void **state)
{
	(void)state;
	assert_errors("package t\np if data.t[input.k]",
		"2:1 rego_recursion_error: rule data.t.p may be recursive: "
		"data.t.p -> data.t.p (data.t[input.k] refers to data.t.p if "
		"input.k is \"p\")\n");
	assert_errors("package t\np if { some x in [\"q\", \"r\"]; "
		      "data.t[x] }\nq := 1",
		"");
}

static void heads_are_compared_past_their_ground_prefix(void **state)
{
	(void)state;
	assert_errors("package t\np[x].foo := 1 if x := 1\n"
		      "p[x].bar := 2 if { x := 2; data.t.p[1].foo }",
		"");
}

static void builtins_can_be_deprecated(void **state)
{
	(void)state;
	assert_errors("package t\np if any([true])",
		"2:6 rego_type_error: deprecated built-in function calls in "
		"expression: any\n");
}

static void a_void_call_has_no_value(void **state)
{
	(void)state;
	assert_errors("package t\np if { x := print(1); x }",
		"2:13 rego_type_error: print(1) used as value\n");
}

/* --- many
 * ---------------------------------------------------------------------- */

static void a_long_chain_of_statements_is_ordered(void **state)
{
	enum { N = 3000 };
	struct world w;
	struct buf b = {0};
	const struct body *body;

	(void)state;
	buf_adds(&b, "package t\np if {\n");
	for (int i = 0; i < N; i++)
		buf_addf(&b, "x%d = x%d\n", i, i + 1);
	buf_addf(&b, "x%d = 1\n}\n", N);
	world_start(&w);
	compile(&w, b.ptr);
	assert_true(w.ok);
	body = w.c.mods[0]->rules[0]->body;
	assert_num(body->len, N + 1);
	assert_num(body->items[0]->index, N);
	assert_num(body->items[1]->index, N - 1);
	assert_num(body->items[N]->index, 0);
	buf_release(&b);
	world_end(&w);
}

/* --- queries
 * --------------------------------------------------------------------- */

static void assert_query(const char *text, const char *query, const char *want)
{
	struct parse_options o = {.version = REGO_V1};
	struct world w;
	struct diags d;
	struct body *q;
	struct rule *r;
	struct buf b = {0};

	world_start(&w);
	d = (struct diags){.arena = &w.arena};
	compile(&w, text);
	assert_true(w.ok);
	q = parse_query(&w.arena, &w.syms, source_of(&w, "", query), &o, &d);
	assert_non_null(q);
	r = compile_query(&w.c, q, w.c.mods[0], &d);
	if (r)
		body_text(&b, r->body);
	else
		buf_adds(&b, errors_of(&w, &d));
	assert_string_equal(b.ptr, want);
	buf_release(&b);
	world_end(&w);
}

static void queries_are_resolved_and_ordered(void **state)
{
	(void)state;
	assert_query(
		"package t\np := 1", "x > 0; x = p", "x = data.t.p; gt(x, 0)");
	assert_query("package t\np := 1", "x := [data.t.p]; x[0]",
		"__local1__ = data.t.p; x = [__local1__]; x[0]");
}

static void in_queries_equal_stays_a_comparison(void **state)
{
	(void)state;
	assert_query("package t\np := 1", "data.t.p == 1",
		"__local0__ = data.t.p; equal(__local0__, 1)");
}

static void queries_are_checked(void **state)
{
	(void)state;
	assert_query("package t\np := 1", "foo(1)",
		"1:1 rego_type_error: undefined function foo\n");
	assert_query("package t\np := 1", "x > 1",
		"1:1 rego_unsafe_var_error: var x is unsafe\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_rules_and_imports_become_full_refs),
		cmocka_unit_test(what_a_body_declares_hides_rules_in_all_of_it),
		cmocka_unit_test(nested_calls_stand_in_front_outside_of_not),
		cmocka_unit_test(statements_run_when_their_variables_are_bound),
		cmocka_unit_test(some_in_is_a_unification_with_a_member),
		cmocka_unit_test(refs_leave_composites_and_arguments),
		cmocka_unit_test(modifiers_go_with_what_was_moved),
		cmocka_unit_test(templates_become_calls_over_sets),
		cmocka_unit_test(print_takes_sets_or_goes_away),
		cmocka_unit_test(heads_keep_only_variables_and_constants),
		cmocka_unit_test(a_table_test_tells_its_case_early),
		cmocka_unit_test(equal_keys_of_an_object_are_one),
		cmocka_unit_test(rules_of_one_ref_make_a_group),
		cmocka_unit_test(heads_with_variables_absorb_what_is_below),
		cmocka_unit_test(the_tree_finds_groups_by_refs),
		cmocka_unit_test(an_else_chain_shares_its_variables),
		cmocka_unit_test(each_unsafe_variable_is_reported_once),
		cmocka_unit_test(what_an_assignment_lacks_is_reported_whole),
		cmocka_unit_test(keys_left_of_an_assignment_are_not_local),
		cmocka_unit_test(closures_in_every_are_looked_at_twice),
		cmocka_unit_test(a_head_needs_what_its_body_binds),
		cmocka_unit_test(rules_on_one_line_are_told_apart),
		cmocka_unit_test(ten_errors_are_the_limit),
		cmocka_unit_test(a_higher_limit_counts_for_every_kind_of_error),
		cmocka_unit_test(an_earlier_stage_hides_later_ones),
		cmocka_unit_test(redeclarations_are_refused),
		cmocka_unit_test(a_key_of_every_twice_has_no_place),
		cmocka_unit_test(what_a_builtin_never_gives_is_no_condition),
		cmocka_unit_test(an_argument_must_not_hide_input),
		cmocka_unit_test(every_branch_needs_the_refs_of_arguments),
		cmocka_unit_test(strict_mode_sees_all_keys_of_an_argument),
		cmocka_unit_test(strict_mode_wants_everything_used),
		cmocka_unit_test(rules_of_one_ref_must_be_of_one_kind),
		cmocka_unit_test(a_rule_may_not_have_the_name_of_a_package),
		cmocka_unit_test(calls_have_the_arity_of_the_function),
		cmocka_unit_test(an_operator_can_be_captured_by_a_rule),
		cmocka_unit_test(with_replaces_documents_and_functions),
		cmocka_unit_test(cycles_are_refused),
		cmocka_unit_test(a_cycle_through_a_variable_is_only_possible),
		cmocka_unit_test(heads_are_compared_past_their_ground_prefix),
		cmocka_unit_test(builtins_can_be_deprecated),
		cmocka_unit_test(a_void_call_has_no_value),
		cmocka_unit_test(a_long_chain_of_statements_is_ordered),
		cmocka_unit_test(queries_are_resolved_and_ordered),
		cmocka_unit_test(in_queries_equal_stays_a_comparison),
		cmocka_unit_test(queries_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
