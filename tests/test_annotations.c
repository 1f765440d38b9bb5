#include "tests/test.h"

#include <string.h>

#include "base/limits.h"
#include "rego/annotations.h"
#include "rego/compile.h"
#include "rego/rego.h"
#include "rego/url.h"
#include "rego/yaml_typed.h"

enum { MODULES = 4 };

struct fixture {
	struct arena arena;
	struct symtab syms;
	struct source src[MODULES];
	struct compiler c;
	struct buf text;
};

static void start(struct fixture *f)
{
	*f = (struct fixture){0};
	f->syms.arena = &f->arena;
	f->c = (struct compiler){.arena = &f->arena, .syms = &f->syms};
	f->c.diags.arena = &f->arena;
}

static struct module *add(struct fixture *f, const char *name, const char *text)
{
	const struct parse_options o = {.version = REGO_V1};
	struct source *src = &f->src[f->c.nmods];
	struct module *m;

	*src = (struct source){.name = name, .text = str_from(text)};
	m = parse_module(&f->arena, &f->syms, src, &o, &f->c.diags);
	if (m)
		compile_add(&f->c, m);
	return m;
}

/* The errors, as "file:row:col message" lines. */
static const char *errors(struct fixture *f)
{
	buf_reset(&f->text);
	buf_adds(&f->text, "");
	for (uint32_t i = 0; i < f->c.diags.len; i++) {
		const struct diag *d = &f->c.diags.items[i];

		buf_addf(&f->text, "%s:%u:%u %s\n", d->file, d->row, d->col,
			d->message);
	}
	return f->text.ptr;
}

static void end(struct fixture *f)
{
	buf_release(&f->text);
	symtab_release(&f->syms);
	arena_release(&f->arena);
}

static void assert_json(struct fixture *f, struct value v, const char *want)
{
	buf_reset(&f->text);
	value_json(&f->text, v, 0, 0);
	assert_string_equal(f->text.ptr, want);
}

static void assert_error(const char *text, const char *want)
{
	struct fixture f;

	start(&f);
	assert_null(add(&f, "a.rego", text));
	assert_string_equal(errors(&f), want);
	end(&f);
}

/* --- reading -------------------------------------------------------------- */

static void every_field_is_in_the_value(void **state)
{
	struct fixture f;
	struct module *m;

	(void)state;
	start(&f);
	m = add(&f, "a.rego",
		"package t\n\n"
		"# METADATA\n"
		"# title: A title\n"
		"# description: |\n"
		"#  two\n"
		"#  lines\n"
		"# organizations: [o1, o2]\n"
		"# authors: [\"A B <a@b>\", {name: C, email: c@d}, <e@f>]\n"
		"# related_resources:\n"
		"# - HTTP://example.com/a b\n"
		"# - {ref: https://example.com, description: Home}\n"
		"# schemas: [{input: schema.a}, {data.x: {type: object}}]\n"
		"# custom: {level: 3, since: 2024-01-15, deep: [1.5, {a: b}]}\n"
		"# labels: {team: x}\n"
		"# unknown: field\n"
		"p := 1\n");
	assert_string_equal(errors(&f), "");
	assert_num(m->nannotations, 1);
	const struct annotation *a = m->annotations[0];

	assert_num(a->scope, SCOPE_RULE);
	assert_ptr_equal(a->rule, m->rules[0]);
	assert_false(a->entrypoint);
	assert_true(str_is(annotation_text(a, "title"), "A title"));
	assert_true(str_is(annotation_text(a, "custom"), ""));
	assert_num(a->nschemas, 2);
	assert_non_null(a->schemas[0].schema);
	assert_null(a->schemas[1].schema);
	assert_json(&f, a->schemas[1].definition, "{\"type\":\"object\"}");
	assert_json(&f, a->value,
		"{\"authors\":[{\"email\":\"a@b\",\"name\":\"A B\"},"
		"{\"email\":\"c@d\",\"name\":\"C\"},{\"email\":\"e@f\"}],"
		"\"custom\":{\"deep\":[1.5,{\"a\":\"b\"}],\"level\":3,"
		"\"since\":\"2024-01-15T00:00:00Z\"},"
		"\"description\":\"two\\nlines\\n\",\"labels\":{\"team\":\"x\"}"
		","
		"\"organizations\":[\"o1\",\"o2\"],"
		"\"related_resources\":["
		"{\"ref\":\"http://example.com/a%20b\"},"
		"{\"description\":\"Home\",\"ref\":\"https://example.com\"}],"
		"\"schemas\":[{\"path\":[\"input\"],"
		"\"schema\":[\"schema\",\"a\"]},"
		"{\"definition\":{\"type\":\"object\"},"
		"\"path\":[\"data\",\"x\"]}],"
		"\"scope\":\"rule\",\"title\":\"A title\"}");
	end(&f);
}

static void a_block_ends_where_its_comments_do(void **state)
{
	struct fixture f;
	struct module *m;

	(void)state;
	start(&f);
	m = add(&f, "a.rego",
		"#METADATA\n#title: one\n\n# scope: [not part of it\n"
		"package t\n # METADATA\n # title: [indented\n"
		"p := 1 # METADATA\n# title: [behind a rule\n"
		"# METADATA two\n# title: two\n# METADATA\n# entrypoint: true\n"
		"q := 1\n");
	assert_string_equal(errors(&f), "");
	assert_num(m->nannotations, 3);
	assert_num(m->annotations[0]->scope, SCOPE_PACKAGE);
	assert_null(m->annotations[0]->rule);
	assert_num(m->annotations[1]->scope, SCOPE_RULE);
	assert_num(m->annotations[2]->scope, SCOPE_DOCUMENT);
	assert_ptr_equal(m->annotations[1]->rule, m->rules[1]);
	end(&f);
}

static void what_is_wrong_is_said_as_opa_says_it(void **state)
{
	static const struct {
		const char *block, *want;
	} rows[] = {
		{"#\n", "2:1 expected METADATA block, found whitespace"},
		{"# title: [x\n", "3:1 yaml: line 1: did not find expected "
				  "',' or ']'"},
		{"# title: a\n# title: b\n# scope: c\n",
			"5:1 yaml: unmarshal errors:\n  line 2: mapping key "
			"\"title\" already defined at line 1"},
		{"# title: [x]\n# entrypoint: a long text\n",
			"4:1 yaml: unmarshal errors:\n  line 1: cannot "
			"unmarshal !!seq into string\n  line 2: cannot "
			"unmarshal !!str `a long ...` into bool"},
		{"# title:x\n",
			"3:1 yaml: unmarshal errors:\n  line 1: cannot "
			"unmarshal !!str `title:x` into ast.rawAnnotation\n"
			"  Hint: on line 3, symbol(s) ['x'] immediately "
			"following a key/value separator ':' is not a legal "
			"yaml space character"},
		{"# authors: [{x: [1, ~]}]\n",
			"2:1 invalid author definition map[x:[%!s(int=1) "
			"<nil>]]: 'name' and/or 'email' values required in "
			"object"},
		{"# authors: [2024-01-15T10:00:00.50+02:00]\n",
			"2:1 invalid author definition 2024-01-15 10:00:00.5 "
			"+0200 +0200: invalid value type, must be string or "
			"map"},
		{"# related_resources: [{}]\n",
			"2:1 invalid related-resource definition map[]: 'ref' "
			"value required in object"},
		{"# schemas: [{x: schema.x}]\n",
			"2:1 invalid document reference"},
		{"# schemas: [{input: x}]\n", "2:1 invalid schema reference"},
		{"# schemas: [{input: 1}]\n",
			"2:1 invalid schema declaration for path \"input\""},
		{"# compile: {unknowns: [\"1 + 1\"]}\n",
			"2:1 invalid unknowns element \"1 + 1\": failed to "
			"parse ref: expected term but got [plus 1 1]"},
		{"# compile: {mask_rule: \"1\"}\n",
			"2:1 invalid mask_rule annotation type \"1\": string"},
		{"# custom: {a: [0, {1: x}]}\n",
			"2:1 invalid map key type(s): 1"},
		{"# scope: rules\n",
			"2:1 invalid annotation scope 'rules'. Use one of "
			"'rule', 'document', 'package', or 'subpackages'"},
		{"# scope: package\n# entrypoint: true\n",
			"2:1 annotation scope 'package' must be applied to "
			"package (have rule)"},
		{"# scope: rule\n# entrypoint: true\n",
			"2:1 annotation entrypoint applied to non-document or "
			"package scope 'rule'"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf text = {0}, want = {0};

		buf_addf(&text, "package t\n# METADATA\n%sp := 1\n",
			rows[i].block);
		buf_addf(&want, "a.rego:%s\n", rows[i].want);
		assert_error(text.ptr, want.ptr);
		buf_release(&text);
		buf_release(&want);
	}
}

static void annotations_need_a_package_and_something_behind_them(void **state)
{
	(void)state;
	assert_error(
		"# METADATA\n# title: x\n", "a.rego:1:1 package expected\n");
	assert_error("package t\n# METADATA\n# title: x\n",
		"a.rego:2:1 invalid annotation scope ''. Use one of 'rule', "
		"'document', 'package', or 'subpackages'\n");
	assert_error("package t\n# METADATA\n# title: x\nimport data.a\n",
		"a.rego:2:1 invalid annotation scope 'import'. Use one of "
		"'rule', 'document', 'package', or 'subpackages'\n");
}

static void errors_of_rego_come_before_those_of_annotations(void **state)
{
	(void)state;
	assert_error("package t\n# METADATA\n# title: [x\np := ]\n",
		"a.rego:4:6 unexpected ] token\n"
		"a.rego:4:6 unexpected ] token: expected rule value term "
		"(e.g., p := <VALUE> { ... })\n"
		"a.rego:3:1 yaml: line 1: did not find expected ',' or ']'\n");
}

/* A value nested in `levels` lists, counting the map around them. */
static bool nested_fits(struct arena *a, size_t levels)
{
	static const struct yfield any = {"a", YT_ANY};
	struct buf text = {0};
	struct value v;
	const char *why;
	bool ok;

	buf_adds(&text, "a: ");
	for (size_t i = 1; i < levels; i++)
		buf_addc(&text, '[');
	for (size_t i = 1; i < levels; i++)
		buf_addc(&text, ']');
	ok = yaml_read_typed(a, buf_str(&text), "x", &any, 1, &v, &why);
	if (!ok)
		assert_string_equal(why, "yaml: exceeded max depth of 64");
	buf_release(&text);
	return ok;
}

static void nesting_is_bounded(void **state)
{
	struct arena a = {0};

	(void)state;
	assert_true(nested_fits(&a, LIMIT_YAML_DEPTH));
	assert_false(nested_fits(&a, LIMIT_YAML_DEPTH + 1));
	arena_release(&a);
}

static void repeated_keys_are_not_counted_out_without_end(void **state)
{
	static const struct yfield any = {"a", YT_ANY};
	struct arena a = {0};
	struct buf text = {0};
	struct value v;
	const char *why;

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_adds(&text, "k: 1\n");
	assert_false(
		yaml_read_typed(&a, buf_str(&text), "x", &any, 1, &v, &why));
	assert_string_equal(why, "yaml: more than 1000 errors");
	buf_release(&text);
	arena_release(&a);
}

/* --- modules together ----------------------------------------------------- */

static void annotations_are_declared_once(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	add(&f, "b.rego",
		"# METADATA\n# title: b\npackage t.u\n"
		"# METADATA\n# scope: document\np := 1\n"
		"# METADATA\n# scope: document\np := 1\n");
	add(&f, "a.rego",
		"# METADATA\n# title: a\npackage t.u\n"
		"# METADATA\n# title: one\n\n"
		"# METADATA\n# title: two\nq := 1\n");
	assert_false(compile_modules(&f.c));
	assert_string_equal(errors(&f),
		"b.rego:1:1 package annotation redeclared: a.rego:1\n"
		"b.rego:7:1 document annotation redeclared: b.rego:4\n");
	end(&f);
}

static void a_rule_is_told_what_holds_for_it(void **state)
{
	static const char *const want[] = {
		"near", "far", "document", "package", "inner", "outer"};
	const struct annotation **chain;
	struct fixture f;
	struct module *m;

	(void)state;
	start(&f);
	add(&f, "a.rego",
		"# METADATA\n# scope: subpackages\n# title: outer\npackage "
		"t\n");
	add(&f, "b.rego",
		"# METADATA\n# title: package\n\n"
		"# METADATA\n# scope: subpackages\n# title: inner\n"
		"package t.u\n"
		"# METADATA\n# scope: document\n# title: document\n"
		"p contains 1\n");
	m = add(&f, "c.rego",
		"package t.u\n"
		"# METADATA\n# title: far\n# METADATA\n# title: near\n"
		"p contains 2\n"
		"q := 1\n");
	assert_true(compile_modules(&f.c));
	assert_non_null(f.c.annotations);
	assert_num(annotations_of_rule(
			   &f.arena, f.c.annotations, m->rules[0], &chain),
		COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++)
		assert_true(
			str_is(annotation_text(chain[i], "title"), want[i]));
	assert_num(annotations_of_rule(
			   &f.arena, f.c.annotations, m->rules[1], &chain),
		3);
	assert_ptr_equal(
		annotation_of_package(f.c.annotations, m->package), chain[0]);
	end(&f);
}

static void an_engine_hands_out_the_set(void **state)
{
	const struct rego_config cfg = {.version = REGO_V1};
	struct rego_engine *e = rego_new(&cfg);
	const struct annotation *a;

	(void)state;
	assert_true(rego_add_module(
		e, "a.rego", S("# METADATA\n# title: x\npackage t\np := 1\n")));
	assert_null(rego_annotations(e));
	assert_true(rego_compile(e, false));
	assert_non_null(rego_annotations(e));
	a = annotation_of_package(
		rego_annotations(e), rego_module_at(e, 0)->package);
	assert_true(str_is(annotation_text(a, "title"), "x"));
	rego_free(e);
}

static void modules_without_annotations_have_no_set(void **state)
{
	struct fixture f;
	struct module *m;

	(void)state;
	start(&f);
	m = add(&f, "a.rego", "# a comment\npackage t\n# another\np := 1\n");
	assert_num(m->nannotations, 0);
	assert_num(m->ncomments, 0);
	assert_true(compile_modules(&f.c));
	assert_null(f.c.annotations);
	end(&f);
}

/* --- URLs ------------------------------------------------------------------
 */

static void urls_are_taken_and_refused_as_in_go(void **state)
{
	static const struct {
		const char *url, *normal, *why;
	} rows[] = {
		{"HTTPS://a/b?c=d#e", "https://a/b?c=d#e", NULL},
		{"http://u:p@h:80/x/%41\xc3\xa9", "http://u:p@h:80/x/A%C3%A9",
			NULL},
		{"mailto:a@b", "mailto:a@b", NULL},
		{"http://[::1%25en0]:1/", "http://[::1%25en0]:1/", NULL},
		{"a/b", "a/b", NULL},
		{":x", NULL, "parse \":x\": missing protocol scheme"},
		{"a b:c", NULL,
			"parse \"a b:c\": first path segment in URL cannot "
			"contain colon"},
		{"http://a:b/", NULL,
			"parse \"http://a:b/\": invalid port \":b\" after "
			"host"},
		{"http://a b/", NULL,
			"parse \"http://a b/\": invalid character \" \" in "
			"host name"},
		{"http://[::1/", NULL,
			"parse \"http://[::1/\": missing ']' in host"},
		{"http://a/%zz#x", NULL,
			"parse \"http://a/%zz\": invalid URL escape \"%zz\""},
		{"http://a/#%z", NULL,
			"parse \"http://a/#%z\": invalid URL escape \"%z\""},
		{"http://a|b@c/", NULL,
			"parse \"http://a|b@c/\": net/url: invalid userinfo"},
		{"http://a/\x01", NULL,
			"parse \"http://a/\\x01\": net/url: invalid control "
			"character in URL"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out = {0}, why = {0};
		bool ok = url_normal(str_from(rows[i].url), &out, &why);

		assert_num(ok, rows[i].normal != NULL);
		assert_string_equal(ok ? out.ptr : why.ptr,
			ok ? rows[i].normal : rows[i].why);
		buf_release(&out);
		buf_release(&why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_in_the_value),
		cmocka_unit_test(a_block_ends_where_its_comments_do),
		cmocka_unit_test(what_is_wrong_is_said_as_opa_says_it),
		cmocka_unit_test(
			annotations_need_a_package_and_something_behind_them),
		cmocka_unit_test(
			errors_of_rego_come_before_those_of_annotations),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(repeated_keys_are_not_counted_out_without_end),
		cmocka_unit_test(annotations_are_declared_once),
		cmocka_unit_test(a_rule_is_told_what_holds_for_it),
		cmocka_unit_test(an_engine_hands_out_the_set),
		cmocka_unit_test(modules_without_annotations_have_no_set),
		cmocka_unit_test(urls_are_taken_and_refused_as_in_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
