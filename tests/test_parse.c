#include "tests/test.h"

#include <string.h>

#include "base/limits.h"
#include "rego/ast.h"

/* A source with what came of it. */
struct parsed {
	struct arena arena;
	struct symtab syms;
	struct source src;
	struct diags diags;
	struct module *mod;
	struct buf text;
};

static void start(struct parsed *p, struct str text)
{
	*p = (struct parsed){0};
	p->syms.arena = p->diags.arena = &p->arena;
	p->src = (struct source){.name = "t.rego", .text = text};
}

static void parse_as(
	struct parsed *p, const char *text, enum rego_version version)
{
	struct parse_options o = {.version = version, .keep_comments = true};

	start(p, str_from(text));
	p->mod = parse_module(&p->arena, &p->syms, &p->src, &o, &p->diags);
}

static void end(struct parsed *p)
{
	buf_release(&p->text);
	symtab_release(&p->syms);
	arena_release(&p->arena);
}

/* Each error as "row:col message", with "| line^idx" where it has details. */
static const char *errors(struct parsed *p)
{
	buf_reset(&p->text);
	buf_adds(&p->text, "");
	for (uint32_t i = 0; i < p->diags.len; i++) {
		const struct diag *d = &p->diags.items[i];

		assert_string_equal(d->code, "rego_parse_error");
		buf_addf(&p->text, "%u:%u %s", d->row, d->col, d->message);
		if (d->line)
			buf_addf(&p->text, " | %s^%d", d->line, d->idx);
		buf_addc(&p->text, '\n');
	}
	return p->text.ptr;
}

static void expect_errors(
	const char *text, enum rego_version version, const char *want)
{
	struct parsed p;

	parse_as(&p, text, version);
	assert_null(p.mod);
	assert_string_equal(errors(&p), want);
	end(&p);
}

static void expect_tree(
	const char *text, enum rego_version version, const char *want)
{
	struct parsed p;

	parse_as(&p, text, version);
	assert_string_equal(errors(&p), "");
	assert_non_null(p.mod);
	buf_reset(&p.text);
	dump_module(&p.text, p.mod);
	assert_string_equal(p.text.ptr, want);
	end(&p);
}

/* A query, printed back. */
static void expect_query(const char *text, const char *want)
{
	struct parse_options o = {.version = REGO_V1};
	struct parsed p;
	struct body *b;

	start(&p, str_from(text));
	b = parse_query(&p.arena, &p.syms, &p.src, &o, &p.diags);
	assert_string_equal(errors(&p), "");
	assert_non_null(b);
	buf_reset(&p.text);
	body_text(&p.text, b);
	assert_string_equal(p.text.ptr, want);
	end(&p);
}

/* --- what parses ------------------------------------------------------ */

static void operators_are_calls_by_how_tight_they_bind(void **state)
{
	(void)state;
	expect_query("x := 1 + 2 * 3 - 4",
		"assign(x, minus(plus(1, mul(2, 3)), 4))");
	expect_query("a | b & c == d", "equal(or(a, and(b, c)), d)");
	expect_query("(1 + 2) * -x", "mul(plus(1, 2), minus(0, x))");
	expect_query("x = y", "x = y");
	expect_query("1 == 2 != 3", "neq(equal(1, 2), 3)");
}

static void in_takes_a_value_or_a_key_and_a_value(void **state)
{
	(void)state;
	expect_query("x in xs", "internal.member_2(x, xs)");
	expect_query("k, v in xs", "internal.member_3(k, v, xs)");
	expect_query("[1, 2 in xs]", "[1, internal.member_2(2, xs)]");
	expect_query("some x, y in xs", "some x, y in xs");
	expect_query("every v in xs { v > 1; v < 3 }",
		"every v in xs { gt(v, 1); lt(v, 3) }");
}

static void braces_are_sets_objects_or_comprehensions(void **state)
{
	(void)state;
	expect_query("x := {2, 1, 1.0}", "assign(x, {1, 2})");
	expect_query("x := {}", "assign(x, {})");
	expect_query("x := set()", "assign(x, set())");
	expect_query(
		"x := {a | a := y[_]}", "assign(x, {a | assign(a, y[_])})");
	expect_query("x := {(a | b)}", "assign(x, {or(a, b)})");
	expect_query("x := {\"b\": 1, \"a\": [c | c]}",
		"assign(x, {\"a\": [c | c], \"b\": 1})");
}

static void wildcards_are_different_from_each_other(void **state)
{
	(void)state;
	expect_query("x := {_, _, y, y}", "assign(x, {_, _, y})");
}

static void an_object_keeps_equal_keys_as_written(void **state)
{
	(void)state;
	expect_query("x := {\"a\": 1, \"b\": 2, \"a\": 3}",
		"assign(x, {\"a\": 1, \"a\": 3, \"b\": 2})");
}

static void strings_are_unescaped_as_json(void **state)
{
	(void)state;
	expect_query("x[\"a\\u0062\\n\"]", "x[\"ab\\n\"]");
	expect_query("x[`a b`]", "x[\"a b\"]");
	expect_query(
		"x[\"\\ud83d\\ude00\"] = 1", "x[\"\xf0\x9f\x98\x80\"] = 1");
}

static void keywords_may_stand_in_refs(void **state)
{
	(void)state;
	expect_query("input.if.not[\"in\"]", "input[\"if\"][\"not\"][\"in\"]");
	expect_query("not.x", "not.x");
}

static void rules_keep_their_heads(void **state)
{
	(void)state;
	expect_tree("package a.b\n\nimport data.x as y\n\n"
		    "p[i].q := y if some i in input\n"
		    "q contains 1\n"
		    "default f(_) := false\n"
		    "r if { not x } else := 2 # c\n",
		REGO_V1,
		"package 1:9 data.a.b\n"
		"import 3:1 data.x as y\n"
		"rule 5:1\n"
		"  ref 5:1 p[i].q\n"
		"  assign 5:11 y\n"
		"  body 5:16\n"
		"    some 5:16\n"
		"      symbol 5:21 internal.member_2(i, input)\n"
		"rule 6:1\n"
		"  ref 6:1 q\n"
		"  contains 6:12 1\n"
		"rule 7:1 default\n"
		"  ref 7:9 f\n"
		"  arg 7:11 _\n"
		"  assign 7:17 false\n"
		"rule 8:1\n"
		"  ref 8:1 r\n"
		"  body 8:8\n"
		"    expr 8:8 negated\n"
		"      term 8:12 x\n"
		"else 8:16\n"
		"  assign 8:24 2\n"
		"comment 8:26 # c\n");
}

static void bodies_of_v0_are_chained(void **state)
{
	(void)state;
	expect_tree("package t\np[x] { x = 1 } { x = 2 }\n", REGO_V0,
		"package 1:9 data.t\n"
		"rule 2:1\n"
		"  ref 2:1 p\n"
		"  key 2:3 x\n"
		"  body 2:8\n"
		"    expr 2:8\n"
		"      term 2:8 eq(x, 1)\n"
		"rule 2:16\n"
		"  ref 2:1 p\n"
		"  key 2:16 x\n"
		"  body 2:18\n"
		"    expr 2:18\n"
		"      term 2:18 eq(x, 2)\n");
}

static void and_binds_tighter_than_or(void **state)
{
	(void)state;
	expect_tree("package t\nimport rego.v2\np if a or b and not c\n",
		REGO_V1,
		"package 1:9 data.t\n"
		"import 2:1 rego.v2\n"
		"rule 3:1\n"
		"  ref 3:1 p\n"
		"  body 3:6\n"
		"    or 3:6\n"
		"      left 3:6\n"
		"        expr 3:6\n"
		"          term 3:6 a\n"
		"      right 3:11\n"
		"        and 3:11\n"
		"          left 3:11\n"
		"            expr 3:11\n"
		"              term 3:11 b\n"
		"          right 3:17\n"
		"            not 3:17\n"
		"              body 3:21\n"
		"                expr 3:21\n"
		"                  term 3:21 c\n");
}

static void templates_alternate_text_and_expressions(void **state)
{
	struct parse_options o = {.version = REGO_V1};
	struct parsed p;
	struct term *t;

	(void)state;
	start(&p, S("$\"a\\{{x}{1}b\""));
	t = parse_term(&p.arena, &p.syms, &p.src, &o, &p.diags);
	assert_non_null(t);
	assert_num(t->kind, T_TEMPLATE);
	assert_num(t->tmpl->len, 4);
	assert_str(v_bytes(t->tmpl->parts[0].text), "a{");
	assert_non_null(t->tmpl->parts[1].expr);
	assert_num(t->tmpl->parts[2].text.tag, V_INT);
	assert_str(v_bytes(t->tmpl->parts[3].text), "b");
	end(&p);
}

static void a_query_of_nothing_is_an_empty_body(void **state)
{
	struct parse_options o = {.version = REGO_V1};
	struct parsed p;
	struct body *b;

	(void)state;
	start(&p, S("  # nothing\n"));
	b = parse_query(&p.arena, &p.syms, &p.src, &o, &p.diags);
	assert_non_null(b);
	assert_num(b->len, 0);
	end(&p);
}

static void a_term_is_not_a_call(void **state)
{
	struct parse_options o = {.version = REGO_V1};
	struct parsed p;

	(void)state;
	start(&p, S("f(x)"));
	assert_null(parse_term(&p.arena, &p.syms, &p.src, &o, &p.diags));
	assert_num(p.diags.len, 1);
	end(&p);
}

/* --- what does not ---------------------------------------------------- */

static void an_empty_module_has_no_place(void **state)
{
	(void)state;
	expect_errors("# nothing\n", REGO_V1, "0:0 empty module\n");
}

static void a_missing_value_is_reported_twice(void **state)
{
	(void)state;
	expect_errors("package t\np := )\n", REGO_V1,
		"2:6 unexpected ) token | p := )^5\n"
		"2:6 unexpected ) token: expected rule value term (e.g., p := "
		"<VALUE> { ... }) | p := )^5\n");
}

/* An else without a body always holds, so nothing may follow it. */
static void an_else_without_a_body_is_the_last(void **state)
{
	(void)state;
	expect_errors("package t\np if false\nelse := 1 else := 2\n", REGO_V1,
		"3:11 unexpected else keyword | else := 1 else := 2^10\n");
	expect_tree("package t\nr := 1 if x\nelse if y\nelse := 2\n", REGO_V1,
		"package 1:9 data.t\n"
		"rule 2:1\n"
		"  ref 2:1 r\n"
		"  assign 2:6 1\n"
		"  body 2:11\n"
		"    expr 2:11\n"
		"      term 2:11 x\n"
		"else 3:1\n"
		"  body 3:1\n"
		"    expr 3:1\n"
		"      term 3:1 y\n"
		"else 4:1\n"
		"  assign 4:9 2\n");
}

static void the_end_of_a_file_is_column_0_of_the_next_line(void **state)
{
	(void)state;
	expect_errors("package t\np if {\n", REGO_V1,
		"3:0 unexpected eof token | p if {^5\n");
}

static void v1_wants_if_and_contains(void **state)
{
	(void)state;
	expect_errors("package t\np { true }\nq[x] { x = 1 }\n", REGO_V1,
		"2:1 `if` keyword is required before rule body\n"
		"3:1 `if` keyword is required before rule body\n"
		"3:1 `contains` keyword is required for partial set rules\n");
}

static void v0_names_the_missing_import(void **state)
{
	(void)state;
	expect_errors("package t\np if { true }\n", REGO_V0,
		"2:1 var cannot be used for rule name (hint: `import "
		"future.keywords.if` for `p if { ... }` rules)\n");
	expect_errors("package t\np { some x in y }\n", REGO_V0,
		"2:12 unexpected identifier token: expected \\n or ; or } "
		"(hint: `import future.keywords.in` for `some x in xs` "
		"expressions) | p { some x in y }^11\n");
}

static void keywords_of_later_versions_are_imported(void **state)
{
	struct parsed p;

	(void)state;
	parse_as(&p,
		"package t\nimport future.keywords\n"
		"p contains x if { some x in y }\n",
		REGO_V0);
	assert_string_equal(errors(&p), "");
	end(&p);
	parse_as(&p, "package t\nimport rego.v1\np { true }\n", REGO_V0);
	assert_string_equal(
		errors(&p), "3:1 `if` keyword is required before rule body\n");
	end(&p);
}

static void broken_characters_belong_to_the_token_before(void **state)
{
	struct parsed p;
	struct parse_options o = {.version = REGO_V1};

	(void)state;
	start(&p, S("package t\np\0 := 1\n"));
	p.mod = parse_module(&p.arena, &p.syms, &p.src, &o, &p.diags);
	assert_null(p.mod);
	assert_num(p.diags.items[0].row, 2);
	assert_num(p.diags.items[0].col, 1);
	assert_string_equal(p.diags.items[0].message, "illegal null character");
	assert_num(p.diags.items[0].line_len, 7);
	end(&p);
}

static void errors_of_readings_given_up_are_not_seen(void **state)
{
	struct parsed p;

	(void)state;
	parse_as(&p, "package t\np if {\n\tx := 1\n\tx == 1\n}\n", REGO_V1);
	assert_string_equal(errors(&p), "");
	end(&p);
}

/* The error about lists nested so deep, or "". */
static const char *nested_error(struct parsed *p, unsigned levels)
{
	struct buf text = {0};

	buf_adds(&text, "package t\np := ");
	for (unsigned i = 0; i < levels; i++)
		buf_addc(&text, '[');
	for (unsigned i = 0; i < levels; i++)
		buf_addc(&text, ']');
	parse_as(p, text.ptr, REGO_V1);
	buf_release(&text);
	assert_num(p->mod != NULL, p->diags.len == 0);
	return p->diags.len ? p->diags.items[0].message : "";
}

static void nesting_is_bounded(void **state)
{
	struct parsed p;

	(void)state;
	assert_string_equal(nested_error(&p, LIMIT_REGO_DEPTH), "");
	end(&p);
	assert_string_equal(nested_error(&p, LIMIT_REGO_DEPTH + 1),
		"max parsing recursion depth exceeded");
	end(&p);
}

static void a_module_may_be_as_large_as_the_limit(void **state)
{
	const struct parse_options o = {.version = REGO_V1};
	struct buf text = {0};
	struct parsed p;

	(void)state;
	memset(buf_reserve(&text, LIMIT_REGO_FILE + 1), ' ',
		LIMIT_REGO_FILE + 1);
	text.len = LIMIT_REGO_FILE;
	start(&p, buf_str(&text));
	assert_null(parse_module(&p.arena, &p.syms, &p.src, &o, &p.diags));
	assert_string_equal(p.diags.items[0].message, "empty module");
	end(&p);
	text.len++;
	start(&p, buf_str(&text));
	assert_null(parse_module(&p.arena, &p.syms, &p.src, &o, &p.diags));
	assert_string_equal(p.diags.items[0].message,
		"module is too large: 67108865 bytes");
	end(&p);
	buf_release(&text);
}

static void tokens_are_listed_with_their_places(void **state)
{
	struct parsed p;

	(void)state;
	start(&p, S("p := $\"a{x}\" # c"));
	dump_tokens(&p.text, &p.src);
	assert_string_equal(p.text.ptr, "1:1\tidentifier\tp\n"
					"1:3\tassign\t:=\n"
					"1:6\ttemplate-string-part\t$\"a{\n"
					"1:10\tidentifier\tx\n"
					"1:11\t}\t}\n"
					"1:12\ttemplate-string-end\t\"\n"
					"1:14\tcomment\t# c\n"
					"1:16\teof\n");
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operators_are_calls_by_how_tight_they_bind),
		cmocka_unit_test(in_takes_a_value_or_a_key_and_a_value),
		cmocka_unit_test(braces_are_sets_objects_or_comprehensions),
		cmocka_unit_test(wildcards_are_different_from_each_other),
		cmocka_unit_test(an_object_keeps_equal_keys_as_written),
		cmocka_unit_test(strings_are_unescaped_as_json),
		cmocka_unit_test(keywords_may_stand_in_refs),
		cmocka_unit_test(rules_keep_their_heads),
		cmocka_unit_test(bodies_of_v0_are_chained),
		cmocka_unit_test(an_else_without_a_body_is_the_last),
		cmocka_unit_test(and_binds_tighter_than_or),
		cmocka_unit_test(templates_alternate_text_and_expressions),
		cmocka_unit_test(a_query_of_nothing_is_an_empty_body),
		cmocka_unit_test(a_term_is_not_a_call),
		cmocka_unit_test(an_empty_module_has_no_place),
		cmocka_unit_test(a_missing_value_is_reported_twice),
		cmocka_unit_test(
			the_end_of_a_file_is_column_0_of_the_next_line),
		cmocka_unit_test(v1_wants_if_and_contains),
		cmocka_unit_test(v0_names_the_missing_import),
		cmocka_unit_test(keywords_of_later_versions_are_imported),
		cmocka_unit_test(broken_characters_belong_to_the_token_before),
		cmocka_unit_test(errors_of_readings_given_up_are_not_seen),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(a_module_may_be_as_large_as_the_limit),
		cmocka_unit_test(tokens_are_listed_with_their_places),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
