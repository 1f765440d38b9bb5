/* Types: how they join, fit and read; what the type checker says of modules. */
#include "tests/test.h"

#include "rego/compile.h"
#include "rego/mismatch.h"

#include <string.h>

/* --- types by themselves ----------------------------------------------- */

/* A type in the notation of builtin/declared.c. */
static const struct type *read(struct arena *a, const char *text)
{
	return type_declared(a, text)->items[0];
}

static char *shown(struct arena *a, const struct type *t)
{
	struct buf b = {0};
	char *s;

	type_text(&b, t);
	s = arena_strdup(a, buf_str(&b));
	buf_release(&b);
	return s;
}

static void a_type_reads_as_opa_writes_it(void **state)
{
	static const struct {
		const char *declared, *text;
	} rows[] = {
		{"a", "any"},
		{"<ns>", "any<number, string>"},
		{"[ns]", "array<number, string>"},
		{"[n*]", "array[number]"},
		{"[sn*]", "array<string>[number]"},
		{"{s:a}", "object[string: any]"},
		{"{id=n,s:a}", "object<id: number>[string: any]"},
		{"%b", "set[boolean]"},
		{"0", "null"},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(
			shown(&a, read(&a, rows[i].declared)), rows[i].text);
	assert_string_equal(shown(&a, NULL), "???");
	assert_string_equal(shown(&a, &type_empty_set), "set");
	assert_string_equal(shown(&a, type_declared(&a, "n|x|what\n=s")),
		"(number) => string");
	arena_release(&a);
}

static void every_builtin_has_a_declaration_that_fits_its_row(void **state)
{
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < builtin_count(); i++) {
		const struct builtin *b = builtin_at(i);
		const char *text = builtin_declared(b);
		const struct type *t;

		if (!text)
			fail_msg("%s has no declaration", b->name);
		t = type_declared(&a, text);
		if (b->arity >= 0 && t->len != (uint32_t)b->arity)
			fail_msg("%s has %d arguments, declared %u", b->name,
				b->arity, t->len);
		if (!t->rest != !!(b->flags & BF_VOID))
			fail_msg("%s: result and BF_VOID differ", b->name);
	}
	arena_release(&a);
}

static void either_of_two_types_is_a_sorted_list(void **state)
{
	static const struct {
		const char *x, *y, *text;
	} rows[] = {
		{"n", "n", "number"},
		{"s", "n", "any<number, string>"},
		{"<ns>", "b", "any<boolean, number, string>"},
		{"<ns>", "<sb>", "any<boolean, number, string>"},
		{"a", "n", "any"},
		{"n", "a", "any"},
		{"[n]", "[s]", "any<array<number>, array<string>>"},
		{"[n*]", "[n*]", "array[number]"},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(shown(&a, type_or(&a, read(&a, rows[i].x),
						      read(&a, rows[i].y))),
			rows[i].text);
	assert_ptr_equal(type_or(&a, NULL, &type_null), &type_null);
	assert_null(type_or(&a, type_declared(&a, "n\n=n"), &type_null));
	arena_release(&a);
}

static void types_fit_when_a_value_can_be_of_both(void **state)
{
	static const struct {
		const char *x, *y;
		bool fit;
	} rows[] = {
		{"n", "n", true},
		{"n", "s", false},
		{"a", "s", true},
		{"<ns>", "<sb>", true},
		{"<ns>", "b", false},
		{"[ns]", "[n*]", false},
		{"[nn]", "[n*]", true},
		{"[n]", "[nn]", false},
		{"[n*]", "[s*]", false},
		{"{a=n}", "{s:n}", true},
		{"{a=n}", "{s:s}", false},
		{"{a=n}", "{b=n}", false},
		{"{a=n,s:a}", "{b=n}", true},
		{"%n", "%s", false},
		{"%<ns>", "%s", true},
	};
	struct arena a = {0};
	uint32_t work = 1000, none = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct type *x = read(&a, rows[i].x);
		const struct type *y = read(&a, rows[i].y);

		if (type_unifies(x, y, &work) != rows[i].fit ||
			type_unifies(y, x, &work) != rows[i].fit)
			fail_msg("%s and %s", rows[i].x, rows[i].y);
	}
	assert_true(type_unifies(&type_empty_set, read(&a, "%n"), &work));
	assert_false(type_unifies(NULL, &type_any, &work));
	assert_true(type_unifies(&type_null, &type_string, &none));
	arena_release(&a);
}

static void a_member_has_the_type_of_its_key(void **state)
{
	struct arena a = {0};
	const struct type *o = read(&a, "{id=n,s:b}"), *l = read(&a, "[ns]");

	(void)state;
	assert_ptr_equal(type_select(&a, o, v_cstr(&a, "id")), &type_number);
	assert_ptr_equal(type_select(&a, o, v_cstr(&a, "x")), &type_boolean);
	assert_null(type_select(&a, o, v_int(1)));
	assert_ptr_equal(type_select(&a, l, v_int(1)), &type_string);
	assert_null(type_select(&a, l, v_int(2)));
	assert_null(type_select(&a, l, v_int(-1)));
	assert_null(type_select(&a, &type_string, v_int(0)));
	assert_string_equal(shown(&a, type_keys(&a, o)), "string");
	assert_string_equal(
		shown(&a, type_values(&a, o)), "any<boolean, number>");
	assert_null(type_values(&a, &type_number));
	arena_release(&a);
}

static const struct type *nested(struct arena *a, uint32_t depth)
{
	const struct type *t = &type_null;

	while (depth--) {
		const struct type **item =
			ARENA_ARRAY(a, const struct type *, 1);

		item[0] = t;
		t = type_array(a, item, 1, NULL);
	}
	return t;
}

static void a_type_too_deep_or_too_big_is_any(void **state)
{
	struct arena a = {0};
	const struct type **items;

	(void)state;
	assert_false(type_is_any(nested(&a, TYPE_DEPTH_MAX)));
	assert_true(type_is_any(nested(&a, TYPE_DEPTH_MAX + 1)));
	items = ARENA_ARRAY(&a, const struct type *, TYPE_SIZE_MAX);
	for (uint32_t i = 0; i < TYPE_SIZE_MAX; i++)
		items[i] = &type_null;
	assert_false(
		type_is_any(type_array(&a, items, TYPE_SIZE_MAX - 1, NULL)));
	assert_true(type_is_any(type_array(&a, items, TYPE_SIZE_MAX, NULL)));
	arena_release(&a);
}

static void what_two_long_types_have_in_common_is_left_out(void **state)
{
	struct arena a = {0};
	struct buf l = {0}, r = {0};

	(void)state;
	type_diff(&l, &r, read(&a, "{a=n,b=s,c={d=n,e=s}}"),
		read(&a, "{a=n,b=n,c={d=s,e=s}}"));
	assert_string_equal(
		l.ptr, "object<b: string, c: object<d: number, ...>, ...>");
	assert_string_equal(
		r.ptr, "object<b: number, c: object<d: string, ...>, ...>");
	buf_reset(&l);
	type_short(&l, read(&a, "[{id=n,name=s}{id=n,name=s}]"));
	assert_string_equal(l.ptr, "array<...>");
	buf_release(&l);
	buf_release(&r);
	arena_release(&a);
}

/* --- modules ------------------------------------------------------------- */

/* What the compiler says of a module: place, message and lines below. */
static char *errors_of(struct arena *a, const char *text)
{
	struct symtab t = {.arena = a};
	struct compiler c = {.arena = a, .syms = &t, .max_errors = 10};
	struct source src = {.name = "a.rego", .text = str_from(text)};
	struct parse_options o = {.version = REGO_V1};
	struct diags parse = {.arena = a};
	struct module *m = parse_module(a, &t, &src, &o, &parse);
	struct buf b = {0};
	char *s;

	if (!m)
		fail_msg("%s", parse.items[0].message);
	compile_add(&c, m);
	compile_modules(&c);
	buf_adds(&b, "");
	for (uint32_t i = 0; i < c.diags.len; i++)
		buf_addf(&b, "%u:%u %s%s\n", c.diags.items[i].row,
			c.diags.items[i].col, c.diags.items[i].message,
			c.diags.items[i].why ? c.diags.items[i].why : "");
	s = arena_strdup(a, buf_str(&b));
	buf_release(&b);
	symtab_release(&t);
	return s;
}

static void assert_errors(const char *text, const char *want)
{
	struct arena a = {0};

	assert_string_equal(errors_of(&a, text), want);
	arena_release(&a);
}

static void wrong_arguments_show_what_is_there_and_what_is_wanted(void **state)
{
	(void)state;
	assert_errors("package t\np := upper(1)",
		"2:6 upper: invalid argument(s)\n"
		"\thave: (number, ?\?\?)\n"
		"\twant: (x: string, y: string)\n");
	assert_errors("package t\nf(x) := x + 1\np := f(\"a\")",
		"3:6 data.t.f: invalid argument(s)\n"
		"\thave: (string, ?\?\?)\n"
		"\twant: (number, number)\n");
}

static void a_key_that_is_not_there_names_those_that_are(void **state)
{
	(void)state;
	assert_errors("package t\nm := {\"a\": 1, \"b\": 2}\np := m.c",
		"3:6 undefined ref: data.t.m.c\n"
		"\tdata.t.m.c\n"
		"\t         ^\n"
		"\t         have: \"c\"\n"
		"\t         want (one of): [\"a\" \"b\"]\n");
	assert_errors("package t\np := 1\nq := p.x",
		"3:6 undefined ref: data.t.p.x\n"
		"\tdata.t.p.x\n"
		"\t^^^^^^^^\n"
		"\thave: number\n");
}

static void refs_show_what_was_written(void **state)
{
	(void)state;
	assert_errors("package t\np := [[1], 2][0][1]",
		"2:6 undefined ref: [[1], 2][0][1]\n"
		"\t[[1], 2][0][1]\n"
		"\t            ^\n"
		"\t            have: 1\n"
		"\t            want (type): number\n");
	assert_errors("package t\np := count(\"a\").b",
		"2:6 undefined ref: count(\"a\").b\n"
		"\tcount(\"a\").b\n"
		"\t^^^^^^^^^^\n"
		"\thave: number\n");
}

static void one_cause_is_one_error(void **state)
{
	(void)state;
	assert_errors(
		"package t\np := [x | y := 1 + \"a\"; x := y]\nq := p[0].z",
		"2:16 plus: invalid argument(s)\n"
		"\thave: (number, string, ?\?\?)\n"
		"\twant: (x: number, y: number, z: number)\n");
}

/* Each level doubles what would be looked at. */
static void deep_comprehensions_take_no_time(void **state)
{
	struct arena a = {0};
	struct buf b = {0};

	(void)state;
	buf_adds(&b, "package t\nf(v) := w if { w := ");
	for (int i = 0; i < 60; i++)
		buf_addf(&b, "[x%d | some x%d in [v, input[v], ", i, i);
	buf_adds(&b, "v + 1");
	for (int i = 60; i-- > 0;)
		buf_addf(&b, "]; x%d.a[v]; v > 1]", i);
	buf_adds(&b, " }");
	assert_string_equal(errors_of(&a, b.ptr), "");
	buf_release(&b);
	arena_release(&a);
}

/* Each rule has two of the one before: the last would have 2^200 parts. */
static void types_that_double_take_no_time(void **state)
{
	struct arena a = {0};
	struct buf b = {0};

	(void)state;
	buf_adds(&b, "package t\np0 := 1\n");
	for (int i = 1; i < 200; i++)
		buf_addf(&b, "p%d := [p%d, p%d]\n", i, i - 1, i - 1);
	buf_adds(&b, "q if p198 == p199\nr := {p197, p198}\n");
	assert_string_equal(errors_of(&a, b.ptr), "");
	buf_release(&b);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_type_reads_as_opa_writes_it),
		cmocka_unit_test(
			every_builtin_has_a_declaration_that_fits_its_row),
		cmocka_unit_test(either_of_two_types_is_a_sorted_list),
		cmocka_unit_test(types_fit_when_a_value_can_be_of_both),
		cmocka_unit_test(a_member_has_the_type_of_its_key),
		cmocka_unit_test(a_type_too_deep_or_too_big_is_any),
		cmocka_unit_test(
			what_two_long_types_have_in_common_is_left_out),
		cmocka_unit_test(
			wrong_arguments_show_what_is_there_and_what_is_wanted),
		cmocka_unit_test(a_key_that_is_not_there_names_those_that_are),
		cmocka_unit_test(refs_show_what_was_written),
		cmocka_unit_test(one_cause_is_one_error),
		cmocka_unit_test(deep_comprehensions_take_no_time),
		cmocka_unit_test(types_that_double_take_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
