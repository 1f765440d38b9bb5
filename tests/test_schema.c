/* JSON schemas as types, and what rules know of documents by them. */
#include "tests/test.h"

#include "rego/rego.h"
#include "rego/schema.h"

#include <string.h>

/* --- schemas by themselves ------------------------------------------------ */

/* The type's text, or why there is none. */
static const char *type_or_why(struct arena *a, const char *schema)
{
	struct json_error e;
	struct buf b = {0};
	struct value v;
	const char *why = NULL;
	const struct type *t;

	if (!json_parse(a, NULL, str_from(schema), 1000, &v, &e))
		fail_msg("%s: %s", schema, e.text);
	t = schema_type(a, v, &why);
	if ((t != NULL) == (why != NULL))
		fail_msg("%s: neither a type nor a reason, or both", schema);
	if (t)
		type_text(&b, t);
	else
		buf_adds(&b, why);
	why = arena_strdup(a, buf_str(&b));
	buf_release(&b);
	return why;
}

struct row {
	const char *schema, *want;
};

static void assert_rows(const struct row *rows, size_t n)
{
	struct arena a = {0};

	for (size_t i = 0; i < n; i++)
		assert_string_equal(
			type_or_why(&a, rows[i].schema), rows[i].want);
	arena_release(&a);
}

static void a_schema_is_a_type(void **state)
{
	static const struct row rows[] = {
		{"{}", "any"},
		{"true", "any"},
		{"{\"type\": \"integer\"}", "number"},
		{"{\"type\": \"null\"}", "any"},
		{"{\"type\": [\"null\", \"string\"]}", "string"},
		{"{\"type\": [\"object\", \"boolean\"]}", "boolean"},
		{"{\"enum\": [1]}", "any"},
		{"{\"type\": \"object\"}", "object[any: any]"},
		{"{\"type\": \"object\", \"additionalProperties\": "
		 "{\"type\": \"number\"}}",
			"object[any: any]"},
		{"{\"properties\": {\"b\": {}, \"a\": {\"type\": \"string\"}}}",
			"object<a: string, b: any>"},
		{"{\"type\": \"array\"}", "array[any]"},
		{"{\"items\": {\"type\": \"string\"}}", "array[string]"},
		{"{\"items\": [{\"type\": \"string\"}, true]}",
			"array<string, any>"},
	};

	(void)state;
	assert_rows(rows, COUNT(rows));
}

static void alternatives_are_one_of_several(void **state)
{
	static const struct row rows[] = {
		{"{\"anyOf\": [{\"type\": \"string\"}, {\"type\": "
		 "\"number\"}]}",
			"any<number, string>"},
		{"{\"anyOf\": [{\"type\": \"string\"}, {}]}", "any"},
		{"{\"type\": \"object\", \"properties\": {\"a\": {}}, "
		 "\"anyOf\": [{\"type\": \"string\"}]}",
			"any<string, object<a: any>>"},
		{"{\"type\": \"string\", \"anyOf\": [{\"type\": "
		 "\"number\"}]}",
			"number"},
	};

	(void)state;
	assert_rows(rows, COUNT(rows));
}

static void parts_of_one_schema_are_merged(void **state)
{
	static const struct row rows[] = {
		{"{\"allOf\": [{\"properties\": {\"a\": {}}}, "
		 "{\"properties\": {\"b\": {}}}]}",
			"object<a: any, b: any>"},
		{"{\"type\": \"object\", \"properties\": {\"c\": {}}, "
		 "\"allOf\": [{\"properties\": {\"a\": {}}}]}",
			"object<a: any, c: any>"},
		{"{\"allOf\": [{\"items\": [{}]}, {\"items\": [{}, {}]}]}",
			"array<any, any>"},
		{"{\"allOf\": [{\"anyOf\": [{\"type\": \"string\"}]}, "
		 "{\"type\": \"number\"}]}",
			"number"},
		{"{\"allOf\": [{\"type\": \"string\"}, {\"maxLength\": 3}]}",
			"type checking: unable to merge these schemas: type "
			"mismatch: string and Undefined"},
		{"{\"allOf\": [{\"type\": [\"string\", \"null\"]}, {\"type\": "
		 "\"null\"}]}",
			"type checking: unable to merge these schemas: type "
			"mismatch: [string,null] and null"},
		{"{\"type\": \"object\", \"allOf\": [{\"type\": \"string\"}]}",
			"type checking: unable to merge these schemas"},
	};

	(void)state;
	assert_rows(rows, COUNT(rows));
}

static void references_are_followed(void **state)
{
	static const struct row rows[] = {
		{"{\"$ref\": \"#/definitions/a\", \"definitions\": "
		 "{\"a\": {\"$ref\": \"#/definitions/b\"}, \"b\": {\"type\": "
		 "\"string\"}}}",
			"string"},
		{"{\"$ref\": \"#/definitions/n\", \"definitions\": {\"n\": "
		 "{\"properties\": {\"next\": {\"$ref\": "
		 "\"#/definitions/n\"}}}}}",
			"object<next: recursive(#/definitions/n)>"},
		{"{\"$id\": \"http://x.y/z\", \"$ref\": \"#/definitions/n\", "
		 "\"definitions\": {\"n\": {\"items\": {\"$ref\": "
		 "\"#/definitions/n\"}}}}",
			"array[recursive(http://x.y/z#/definitions/n)]"},
		{"{\"$ref\": \"http://json-schema.org/draft-07/schema#\"}",
			"boolean"},
	};

	(void)state;
	assert_rows(rows, COUNT(rows));
}

static void what_is_no_schema_says_why(void **state)
{
	static const struct row rows[] = {
		{"1", "unable to compile the schema: schema is invalid"},
		{"{\"type\": \"strng\"}",
			"unable to compile the schema: has a primitive type "
			"that is NOT VALID -- given: /strng/ Expected valid "
			"values are:[array boolean integer number null object "
			"string]"},
		{"{\"$ref\": \"#/x\"}",
			"unable to compile the schema: Object has no key 'x'"},
		{"{\"$ref\": \"other.json\"}",
			"unable to compile the schema: Reference /other.json "
			"must be canonical"},
		{"{\"$ref\": \"http://x.y/z\"}",
			"unable to compile the schema: remote reference "
			"loading disabled: http://x.y/z"},
	};

	(void)state;
	assert_rows(rows, COUNT(rows));
}

/* OPA goes round until its stack is used up. */
static void circles_end(void **state)
{
	static const struct row rows[] = {
		{"{\"$ref\": \"#\"}",
			"type checking: schemas in it lead to each other more "
			"than 400 deep, perhaps in a circle"},
		{"{\"$ref\": \"#/definitions/n\", \"definitions\": {\"n\": "
		 "{\"allOf\": [{\"$ref\": \"#/definitions/n\"}]}}}",
			"type checking: schemas in it lead to each other more "
			"than 400 deep, perhaps in a circle"},
		{"{\"$ref\": \"#/definitions/n\", \"definitions\": {\"n\": "
		 "{\"anyOf\": [{\"type\": \"string\"}, {\"$ref\": "
		 "\"#/definitions/n\"}]}}}",
			"any<recursive(#/definitions/n), string>"},
	};

	(void)state;
	assert_rows(rows, COUNT(rows));
}

/* Each definition stands twice in the next, past what references share. */
static void schemas_that_double_are_refused(void **state)
{
	struct arena a = {0};
	struct buf b = {0};

	(void)state;
	buf_adds(&b, "{\"$ref\": \"#/definitions/d40\", \"definitions\": "
		     "{\"d0\": {\"type\": \"string\"}");
	for (int i = 1; i <= 40; i++)
		buf_addf(&b,
			", \"d%d\": {\"properties\": {\"a\": {\"allOf\": "
			"[{\"$ref\": \"#/definitions/d%d\"}]}, \"b\": "
			"{\"allOf\": [{\"$ref\": \"#/definitions/d%d\"}]}}}",
			i, i - 1, i - 1);
	buf_adds(&b, "}}");
	assert_non_null(strstr(
		type_or_why(&a, b.ptr), "more than 200000 schemas in it"));
	buf_release(&b);
	arena_release(&a);
}

/* --- recursive types --------------------------------------------------------
 */

/* Two lists that nothing tells apart, however far they are followed. */
static void recursive_types_can_be_compared(void **state)
{
	struct arena a = {0};
	struct type *x = type_recursive(&a, S("x")),
		    *y = type_recursive(&a, S("y"));
	const struct type *of_x[] = {x, &type_string},
			  *of_y[] = {y, &type_string};
	struct value keys[] = {v_cstr(&a, "next"), v_cstr(&a, "v")};
	uint32_t work = UINT32_MAX;

	(void)state;
	type_recursive_is(x, type_object(&a, keys, of_x, 2));
	type_recursive_is(y, type_object(&a, keys, of_y, 2));
	assert_num(type_cmp(x, y), 0);
	assert_true(type_unifies(x, y, &work));
	assert_true(type_unifies(x, type_open(y), &work));
	assert_false(type_unifies(x, &type_string, &work));
	assert_ptr_equal(type_select(&a, x, keys[1]), &type_string);
	arena_release(&a);
}

static void a_recursive_type_that_says_nothing_is_any(void **state)
{
	struct arena a = {0};
	struct type *x = type_recursive(&a, S("x"));

	(void)state;
	type_recursive_is(x, type_or(&a, x, &type_string));
	assert_true(type_is_any(type_open(x)));
	arena_release(&a);
}

/* --- rules and queries ------------------------------------------------------
 */

#define OBJECT                                                                 \
	"{\"type\": \"object\", \"properties\": {\"a\": {\"type\": "           \
	"\"string\"}}}"

/* Compiles one module with schema.user and, if set, a schema of input. */
static struct rego_engine *compiled(
	const char *text, const char *input, bool use_schemas)
{
	struct rego_config cfg = {
		.version = REGO_V1, .use_schemas = use_schemas};
	struct rego_engine *e = rego_new(&cfg);
	struct json_error je;
	struct value v;

	assert_true(json_parse(
		rego_arena(e), rego_symtab(e), S(OBJECT), 100, &v, &je));
	rego_add_schema(e, (struct str[]){S("user")}, 1, v);
	if (input) {
		assert_true(json_parse(rego_arena(e), rego_symtab(e),
			str_from(input), 100, &v, &je));
		rego_add_schema(e, NULL, 0, v);
	}
	assert_true(rego_add_module(e, "t.rego", str_from(text)));
	rego_compile(e, false);
	return e;
}

/* The errors, "ROW:COL message" each on a line. */
static void assert_says(
	const char *text, const char *input, bool use_schemas, const char *want)
{
	struct rego_engine *e = compiled(text, input, use_schemas);
	const struct diags *d = rego_errors(e);
	struct buf b = {0};

	for (uint32_t i = 0; i < d->len; i++)
		buf_addf(&b, "%u:%u %s\n", d->items[i].row, d->items[i].col,
			d->items[i].message);
	assert_string_equal(b.len ? b.ptr : "", want);
	buf_release(&b);
	rego_free(e);
}

static void input_has_the_type_of_its_schema(void **state)
{
	(void)state;
	assert_says("package t\np if input.b\nq if input.a == 1", OBJECT, true,
		"2:6 undefined ref: input.b\n3:6 match error\n");
	assert_says("package t\np if input.b with input as {\"b\": 1}", OBJECT,
		true, "");
	assert_says("package t\np := 1", "{\"type\": 1}", true,
		"0:0 unable to compile the schema: Invalid type. Expected: "
		"type, given: string/Array Of Strings\n");
}

static void queries_know_the_schema_of_input(void **state)
{
	struct rego_engine *e = compiled("package t", OBJECT, true);
	struct diags d = {.arena = rego_arena(e)}, none = d;

	(void)state;
	assert_null(rego_prepare(e, S("input.b"), NULL, NULL, 0, &d));
	assert_string_equal(d.items[0].message, "undefined ref: input.b");
	assert_non_null(rego_prepare(e, S("input.a"), NULL, NULL, 0, &none));
	rego_free(e);
}

static void annotations_say_which_schema_a_rule_sees(void **state)
{
	static const char text[] = "package t\n"
				   "# METADATA\n"
				   "# schemas:\n"
				   "# - input: schema.user\n"
				   "# - data.k: {type: number}\n"
				   "p if { input.b; data.k == \"s\" }\n"
				   "q if { input.b; data.k == \"s\" }\n";

	(void)state;
	assert_says(text, NULL, true,
		"6:8 undefined ref: input.b\n6:17 match error\n");
	assert_says(text, NULL, false, "");
	assert_says("package t\n# METADATA\n# schemas:\n# - input: schema.x\n"
		    "p := 1",
		NULL, true, "5:1 undefined schema: schema.x\n");
}

static void the_nearest_annotation_counts(void **state)
{
	static const char text[] = "# METADATA\n"
				   "# schemas:\n"
				   "# - input: schema.user\n"
				   "package t\n"
				   "# METADATA\n"
				   "# scope: document\n"
				   "# schemas:\n"
				   "# - input.a: {type: number}\n"
				   "p if input.a == \"s\"\n"
				   "p if input.c\n"
				   "q if input.a == \"s\"\n"
				   "r if input.a == 1\n";

	(void)state;
	assert_says(text, NULL, true,
		"9:6 match error\n10:6 undefined ref: input.c\n"
		"12:6 match error\n");
}

static void keys_of_a_schema_are_texts(void **state)
{
	(void)state;
	assert_says("package t\n# METADATA\n# schemas:\n"
		    "# - input: {items: {properties: {1: {}}}}\np := 1",
		NULL, true,
		"5:1 unable to compile the schema: json: unsupported type: "
		"map[interface {}]interface {}\n");
}

static void a_path_of_a_schema_is_made_of_constants(void **state)
{
	(void)state;
	assert_says("package t\n# METADATA\n# schemas:\n"
		    "# - input[x]: {type: string}\np if input.a == 1",
		NULL, true,
		"5:1 error getting key from value: var requires evaluation\n");
}

/* The name that OPA would have made for the key, counted over all rules. */
static void keys_without_a_name_are_numbered_over_all_rules(void **state)
{
	(void)state;
	assert_says("package t\np if { x := 1; x == 1 }\n"
		    "q if { some x in input.a; x == 1 }\n"
		    "r if { some y in input.b; y == 1 }",
		"{\"properties\": {\"c\": {}}}", true,
		"3:18 undefined ref: input.a[__local1__]\n"
		"4:18 undefined ref: input.b[__local4__]\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_schema_is_a_type),
		cmocka_unit_test(alternatives_are_one_of_several),
		cmocka_unit_test(parts_of_one_schema_are_merged),
		cmocka_unit_test(references_are_followed),
		cmocka_unit_test(what_is_no_schema_says_why),
		cmocka_unit_test(circles_end),
		cmocka_unit_test(schemas_that_double_are_refused),
		cmocka_unit_test(recursive_types_can_be_compared),
		cmocka_unit_test(a_recursive_type_that_says_nothing_is_any),
		cmocka_unit_test(input_has_the_type_of_its_schema),
		cmocka_unit_test(queries_know_the_schema_of_input),
		cmocka_unit_test(annotations_say_which_schema_a_rule_sees),
		cmocka_unit_test(the_nearest_annotation_counts),
		cmocka_unit_test(keys_of_a_schema_are_texts),
		cmocka_unit_test(a_path_of_a_schema_is_made_of_constants),
		cmocka_unit_test(
			keys_without_a_name_are_numbered_over_all_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
