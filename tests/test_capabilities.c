/* Capabilities of other OPAs: of a file, of a version, and what they refuse. */
#include "tests/test.h"

#include <string.h>

#include "base/limits.h"
#include "rego/capabilities.h"
#include "rego/lex.h"
#include "rego/rego.h"

struct world {
	struct arena arena;
	struct capabilities caps;
	struct err err;
};

static void parse(struct world *w, const char *text)
{
	*w = (struct world){0};
	assert_ok(capabilities_parse(
			  &w->arena, str_from(text), &w->caps, &w->err),
		&w->err);
}

static void of_version(struct world *w, const char *name)
{
	*w = (struct world){0};
	assert_ok(capabilities_of_version(&w->arena, name, &w->caps, &w->err),
		&w->err);
}

static void end(struct world *w)
{
	capabilities_release(&w->caps);
	arena_release(&w->arena);
}

/* The first error of a module under them; NULL: there is none. */
static char *error_of(
	struct world *w, enum rego_version version, const char *text)
{
	struct rego_config cfg = {.version = version, .caps = &w->caps};
	struct rego_engine *e = rego_new(&cfg);
	char *out = NULL;

	if (!rego_add_module(e, "a.rego", str_from(text)) ||
		!rego_compile(e, false))
		out = arena_printf(&w->arena, "%u: %s",
			rego_errors(e)->items[0].row,
			rego_errors(e)->items[0].message);
	rego_free(e);
	return out;
}

static void assert_error(struct world *w, enum rego_version version,
	const char *text, const char *want)
{
	char *got = error_of(w, version, text);

	assert_non_null(got);
	assert_string_equal(got, want);
}

/* The error code of a query under them. */
static const char *result_of(struct world *w, const char *query)
{
	struct rego_config cfg = {.version = REGO_V1, .caps = &w->caps};
	struct rego_engine *e = rego_new(&cfg);
	struct rego_input in = {0};
	struct rego_result res;
	struct diags d = {0};
	struct rego_query *q;
	struct rego_vm *vm;
	const char *out;

	assert_true(rego_add_module(e, "a.rego",
		str_from("package t\nmock(x) := [x]\nf(x) := my.f(x)")));
	assert_true(rego_compile(e, false));
	q = rego_prepare(e, str_from(query), NULL, NULL, 0, &d);
	assert_non_null(q);
	vm = rego_vm_new(e);
	rego_eval(vm, q, &in, &res);
	out = res.error.code ? arena_strdup(&w->arena, str_from(res.error.code))
	      : res.nrows    ? "defined"
			     : "undefined";
	rego_vm_free(vm);
	rego_free(e);
	return out;
}

#define ANY "{\"type\": \"any\"}"
#define EQ                                                                     \
	"{\"name\": \"eq\", \"decl\": {\"type\": \"function\", \"args\": "     \
	"[" ANY ", " ANY "], \"result\": {\"type\": \"boolean\"}}}"
#define MY_F                                                                   \
	"{\"name\": \"my.f\", \"decl\": {\"type\": \"function\", \"args\": ["  \
	"{\"type\": \"string\"}], \"result\": {\"type\": \"number\"}}}"

static void a_builtin_that_is_not_listed_is_undefined(void **state)
{
	struct world w;

	(void)state;
	parse(&w, "{\"builtins\": [" EQ "], \"features\": [\"rego_v1\"]}");
	assert_error(&w, REGO_V1, "package t\np := count([1])",
		"2: undefined function count");
	assert_null(error_of(&w, REGO_V1, "package t\np := 1"));
	end(&w);
}

static void a_builtin_of_others_has_the_type_of_the_file(void **state)
{
	struct world w;

	(void)state;
	parse(&w, "{\"builtins\": [" MY_F "], \"features\": [\"rego_v1\"]}");
	assert_null(error_of(&w, REGO_V1, "package t\np := my.f(\"a\")"));
	assert_error(&w, REGO_V1, "package t\np := my.f(1)",
		"2: my.f: invalid argument(s)");
	assert_error(&w, REGO_V1, "package t\np := my.f(\"a\", 1, 2)",
		"2: my.f: arity mismatch");
	end(&w);
}

static void evaluating_a_builtin_of_others_ends_with_an_error(void **state)
{
	struct world w;

	(void)state;
	parse(&w, "{\"builtins\": [" EQ ", " MY_F
		  "], \"features\": [\"rego_v1\"]}");
	assert_string_equal(
		result_of(&w, "my.f(\"a\")"), "eval_internal_error");
	assert_string_equal(result_of(&w, "data.t.f(\"a\") with my.f as 1"),
		"eval_internal_error");
	assert_string_equal(
		result_of(&w, "data.t.f(\"a\") with my.f as data.t.mock"),
		"defined");
	end(&w);
}

static void features_decide_what_can_be_parsed(void **state)
{
	struct world w;

	(void)state;
	parse(&w, "{\"features\": [\"rego_v1\"], \"future_keywords\": null}");
	assert_error(&w, REGO_V1, "package t\nimport future.keywords.and",
		"2: unexpected keyword, must be one of [contains every if in]");
	assert_error(&w, REGO_V1, "package t\np := $\"a\"",
		"2: template strings are not supported by current "
		"capabilities");
	assert_error(&w, REGO_V1, "package t\nimport rego.v2",
		"2: invalid import, `rego.v2` is not supported by current "
		"capabilities");
	end(&w);
	parse(&w, "{}");
	assert_error(&w, REGO_V1, "package t",
		"0: illegal capabilities: rego_v1 feature required for parsing "
		"v1 Rego");
	assert_error(&w, REGO_V0, "package t\na.b.c = 1 { true }",
		"2: rule heads with refs are not supported: a.b.c");
	end(&w);
	parse(&w, "{\"future_keywords\": [\"in\", \"nor\", \"xor\"]}");
	assert_error(&w, REGO_V0, "package t",
		"0: illegal capabilities: unknown keyword: nor");
	end(&w);
}

static void a_file_says_what_is_wrong_with_it(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text, *want;
	} wrong[] = {
		{"[]", "must be an object"},
		{"{\"features\": \"rego_v1\"}", "features must be a list"},
		{"{\"features\": [1]}", "features must be a list of strings"},
		{"{\"builtins\": [1]}", "builtins must be a list of objects"},
		{"{\"builtins\": [{\"name\": \"f\"}]}", "type must be one of"},
		{"{\"builtins\": [{\"name\": \"f\", \"decl\": {\"type\": \"string\"}}]}", "decl must be of type function"},
		{"{\"builtins\": [{\"name\": 1}]}", "name must be a string"},
		{"{\"wasm_abi_versions\": [1]}", "wasm_abi_versions must be"},
		{"{\"builtins\": ", "1:"},
	};
	/* clang-format on */
	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct world w = {0};

		assert_fails(capabilities_parse(&w.arena,
				     str_from(wrong[i].text), &w.caps, &w.err),
			&w.err, E_INVALID, wrong[i].want);
		end(&w);
	}
}

static void a_file_has_a_limit(void **state)
{
	struct world w = {0};
	struct buf text = {0};

	(void)state;
	while (text.len <= LIMIT_CAPABILITIES)
		buf_adds(&text, "                ");
	assert_fails(
		capabilities_parse(&w.arena, buf_str(&text), &w.caps, &w.err),
		&w.err, E_LIMIT, "limit");
	buf_release(&text);
	end(&w);
}

static void a_version_has_what_was_there_then(void **state)
{
	struct world w;

	(void)state;
	of_version(&w, "v0.37.0");
	assert_num(w.caps.keywords, KW_IN);
	assert_num(w.caps.features, 0);
	assert_non_null(capabilities_find(&w.caps, str_from("indexof_n")));
	assert_null(capabilities_find(&w.caps, str_from("units.parse")));
	end(&w);
	of_version(&w, "v1.0.0");
	assert_num(w.caps.keywords, 0);
	assert_num(w.caps.features, FEATURE_REGO_V1);
	assert_non_null(capabilities_find(&w.caps, str_from("units.parse")));
	assert_false(capabilities_deprecated(
		&w.caps, capabilities_find(&w.caps, str_from("re_match"))));
	end(&w);
	of_version(&w, "v1.22.2");
	for (size_t i = 0; i < builtin_count(); i++)
		assert_non_null(w.caps.types[i]);
	assert_true(capabilities_deprecated(
		&w.caps, capabilities_find(&w.caps, str_from("re_match"))));
	end(&w);
}

static void only_versions_that_were_have_a_name(void **state)
{
	struct world w = {0};

	(void)state;
	assert_num(version_parse(str_from("v0.25.0-rc4")) <
			   version_parse(str_from("v0.25.0")),
		1);
	assert_fails(
		capabilities_of_version(&w.arena, "v1.22.3", &w.caps, &w.err),
		&w.err, E_NOT_FOUND, "v1.22.3");
	assert_num(version_parse(str_from("1.0.0")), 0);
	assert_num(version_parse(str_from("v1.0")), 0);
	assert_num(version_parse(str_from("")), 0);
	end(&w);
}

static void declarations_were_changed_at_their_time(void **state)
{
	struct world w;

	(void)state;
	of_version(&w, "v0.42.0");
	assert_error(&w, REGO_V0,
		"package t\np { glob.match(\"a\", null, \"a\") }",
		"2: glob.match: invalid argument(s)");
	end(&w);
	of_version(&w, "v0.43.0");
	assert_null(error_of(&w, REGO_V0,
		"package t\np { glob.match(\"a\", null, \"a\") }"));
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_builtin_that_is_not_listed_is_undefined),
		cmocka_unit_test(a_builtin_of_others_has_the_type_of_the_file),
		cmocka_unit_test(
			evaluating_a_builtin_of_others_ends_with_an_error),
		cmocka_unit_test(features_decide_what_can_be_parsed),
		cmocka_unit_test(a_file_says_what_is_wrong_with_it),
		cmocka_unit_test(a_file_has_a_limit),
		cmocka_unit_test(a_version_has_what_was_there_then),
		cmocka_unit_test(only_versions_that_were_have_a_name),
		cmocka_unit_test(declarations_were_changed_at_their_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
