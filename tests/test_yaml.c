#include "tests/test.h"

#include "rego/value.h"
#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;

static int empty_arena(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static void assert_reads(struct str text, const char *want)
{
	struct json_error e = {0};
	struct value v = v_undef;
	struct buf b = {0};

	if (!yaml_parse(&arena, NULL, text, &v, &e))
		fail_msg("%.*s: %s", STR_ARG(text), e.text);
	value_json(&b, v, 0, 0);
	if (!str_is(buf_str(&b), want))
		fail_msg("%.*s reads as %s, want %s", STR_ARG(text), b.ptr,
			want);
	buf_release(&b);
}

static void assert_refuses(struct str text, const char *want)
{
	struct json_error e = {0};
	struct value v = v_int(7);

	if (yaml_parse(&arena, NULL, text, &v, &e))
		fail_msg("%.*s is taken", STR_ARG(text));
	assert_string_equal(e.text, want);
	assert_num(v.i, 7);
}

struct row {
	const char *text, *want;
};

static void each_row_reads(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_reads(str_from(rows[i].text), rows[i].want);
}

/* All rows of this file were recorded from OPA 1.22.2. */

static void plain_scalars_follow_the_core_schema(void **state)
{
	/* clang-format off */
	static const struct row rows[] = {
		{"[yes, no, on, off, y, n, tRue]",
			"[\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\",\"tRue\"]"},
		{"[true, True, TRUE, false, False, FALSE]",
			"[true,true,true,false,false,false]"},
		{"[~, null, Null, NULL, '']", "[null,null,null,null,\"\"]"},
		{"a:", "{\"a\":null}"},
		{"[2020-01-01, 2001-12-14t21:59:43.10-05:00, 12:30:45]",
			"[\"2020-01-01\",\"2001-12-14t21:59:43.10-05:00\","
			"\"12:30:45\"]"},
		{"['1', \"true\", \"\\u00e9\"]",
			"[\"1\",\"true\",\"\xc3\xa9\"]"},
		{"<<", "\"<<\""},
	};
	/* clang-format on */

	(void)state;
	each_row_reads(rows, COUNT(rows));
}

static void integers_have_many_forms(void **state)
{
	static const struct row rows[] = {
		{"[1, -1, +1, 0, 00, 012, 0o17, 0O17]",
			"[1,-1,1,0,0,10,15,15]"},
		{"[0x1F, 0X1f, -0x10, 0b101, -0b11]", "[31,31,-16,5,-3]"},
		{"[1_000, 1__0, 0x_f, _1]", "[1000,10,15,\"_1\"]"},
		{"[08, 0o8, 0x, -, 1-2, 1.2.3]",
			"[8,\"0o8\",\"0x\",\"-\",\"1-2\",\"1.2.3\"]"},
		{"[9223372036854775807, 9223372036854775808]",
			"[9223372036854775807,9223372036854775808]"},
		{"[18446744073709551615, 18446744073709551616]",
			"[18446744073709551615,18446744073709552000]"},
		{"[-9223372036854775808, -9223372036854775809]",
			"[-9223372036854775808,-9223372036854776000]"},
	};

	(void)state;
	each_row_reads(rows, COUNT(rows));
}

static void floats_go_through_a_double(void **state)
{
	static const struct row rows[] = {
		{"[1.0, 1.50, .5, -.5, 5., 1e3]", "[1,1.5,0.5,-0.5,5,1000]"},
		{"[1E-7, 1e-6, 1e20, 1e21, -1e-9]",
			"[1e-7,0.000001,100000000000000000000,1e+21,-1e-9]"},
		{"[-0, -0.0, 1e400, 1e, .e5, .]",
			"[0,-0,\"1e400\",\"1e\",\".e5\",\".\"]"},
		{"[0.30000000000000004, 5e-324, 1.7976931348623157e308]",
			"[0.30000000000000004,5e-324,1.7976931348623157e+308]"},
		{"3.14159265358979323846", "3.141592653589793"},
		{"123456789012345678901234567890", "1.2345678901234568e+29"},
	};

	(void)state;
	each_row_reads(rows, COUNT(rows));
	assert_refuses(S("a: .inf"), "json: unsupported value: +Inf");
	assert_refuses(S("a: -.Inf"), "json: unsupported value: -Inf");
	assert_refuses(S("a: .NaN"), "json: unsupported value: NaN");
}

static void tags_say_what_a_scalar_is(void **state)
{
	static const struct row rows[] = {
		{"[!!str 1, !!int \"3\", !!float 3, !!bool true]",
			"[\"1\",3,3,true]"},
		{"[!!null '', !foo bar, ! 12]", "[null,\"bar\",12]"},
		{"[!!binary aGVsbG8=, !!binary /w==]",
			"[\"hello\",\"\xef\xbf\xbd\"]"},
		{"!!map {a: !!seq [1]}", "{\"a\":[1]}"},
	};

	(void)state;
	each_row_reads(rows, COUNT(rows));
	assert_refuses(
		S("!!bool yes"), "yaml: cannot decode !!str `yes` as a !!bool");
	assert_refuses(
		S("!!int 1.5"), "yaml: cannot decode !!float `1.5` as a !!int");
	assert_refuses(S("!!binary x"),
		"yaml: !!binary value contains invalid base64 data");
}

static void keys_become_strings(void **state)
{
	static const struct row rows[] = {
		{"{1: a, true: b, 1.5: c, 0x10: d}",
			"{\"1\":\"a\",\"1.5\":\"c\",\"16\":\"d\","
			"\"true\":\"b\"}"},
		{"{1234567.0: a, 16777217.0: b, .inf: c, .nan: d}",
			"{\".inf\":\"c\",\".nan\":\"d\","
			"\"1.234567e+06\":\"a\",\"1.6777216e+07\":\"b\"}"},
		{"{18446744073709551615: a}",
			"{\"18446744073709551615\":\"a\"}"},
		{"{on: 1, 2020-01-01: 2}", "{\"2020-01-01\":2,\"on\":1}"},
		{"{a: 1, b: 2, a: 3}", "{\"a\":3,\"b\":2}"},
		{"{1: a, '1': b}", "{\"1\":\"b\"}"},
	};

	(void)state;
	each_row_reads(rows, COUNT(rows));
	assert_refuses(S("null: a"), "unsupported map key of type: %!s(<nil>), "
				     "key: <nil>, value: \"a\"");
	assert_refuses(S("? [a, 1]\n: b"),
		"yaml: invalid map key: []interface {}{\"a\", 1}");
	assert_refuses(S("? {a: x}\n: b"),
		"yaml: invalid map key: map[string]interface {}{\"a\":\"x\"}");
	assert_refuses(S("{2020-01-01: 1,\n 2020-01-01: 2}"),
		"yaml: unmarshal errors:\n  line 2: mapping key "
		"\"2020-01-01\" already defined at line 1");
}

static void block_texts_are_strings(void **state)
{
	static const struct row rows[] = {
		{"a: |\n  x\n   y\n\nb: >-\n  x\n  y\n",
			"{\"a\":\"x\\n y\\n\",\"b\":\"x y\"}"},
		{"- a\n- - b\n  - {c: d}\n", "[\"a\",[\"b\",{\"c\":\"d\"}]]"},
		{"'it''s'", "\"it's\""},
	};

	(void)state;
	each_row_reads(rows, COUNT(rows));
}

static void aliases_stand_for_their_anchor(void **state)
{
	static const struct row rows[] = {
		{"a: &x [1, {b: 2}]\nc: *x\n", "{\"a\":[1,{\"b\":2}],"
					       "\"c\":[1,{\"b\":2}]}"},
		{"a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}"},
		{"- &k key\n- {*k : 1}\n", "[\"key\",{\"key\":1}]"},
	};

	(void)state;
	each_row_reads(rows, COUNT(rows));
	assert_refuses(S("a: *x"), "yaml: unknown anchor 'x' referenced");
	assert_refuses(S("&x [*x]"), "yaml: anchor 'x' value contains itself");
	assert_refuses(S("- &k a\n- {*k : 1, *k : 2}\n"),
		"yaml: unmarshal errors:\n  line 2: mapping key \"k\" already "
		"defined at line 2");
}

static void merge_keys_fill_in_what_is_missing(void **state)
{
	static const struct row rows[] = {
		{"b: &b {x: 1, y: 2}\nd:\n  <<: *b\n  y: 3\n",
			"{\"b\":{\"x\":1,\"y\":2},\"d\":{\"x\":1,\"y\":3}}"},
		{"d:\n  y: 3\n  <<: {x: 1, y: 2}\n",
			"{\"d\":{\"x\":1,\"y\":3}}"},
		{"<<: [{x: 1}, {x: 2, y: 3}]", "{\"x\":1,\"y\":3}"},
		{"<<: {x: 1}\n<<: {x: 2, y: 3}\n", "{\"x\":1,\"y\":3}"},
		{"<<: {<<: {z: 1, x: 5}, x: 2}\n", "{\"x\":2,\"z\":1}"},
		{"\"<<\": {x: 1}", "{\"<<\":{\"x\":1}}"},
		/* Keys merged into a map of strings keep their text. */
		{"{q: 2, <<: {0x10: a, null: b}}", "{\"0x10\":\"a\",\"q\":2}"},
		{"{7: 2, <<: {0x10: a}}", "{\"16\":\"a\",\"7\":2}"},
	};

	(void)state;
	each_row_reads(rows, COUNT(rows));
	assert_refuses(S("<<: 1"),
		"yaml: map merge requires map or sequence of "
		"maps as the value");
	assert_refuses(S("- &s [1]\n- {<<: *s}\n"),
		"yaml: map merge requires map or sequence of maps as the "
		"value");
}

static void only_the_first_document_counts(void **state)
{
	(void)state;
	assert_reads(S(""), "null");
	assert_reads(S("# nothing\n"), "null");
	assert_reads(S("---\na: 1\n---\nb: 2\n"), "{\"a\":1}");
	assert_reads(S("\xef\xbb\xbf"
		       "a: 1"),
		"{\"a\":1}");
	assert_refuses(S("a: 1\n---\nb: [\n"),
		"yaml: line 3: did not find expected node content");
	assert_refuses(S("  a:\nb: 1"),
		"yaml: line 1: did not find expected <document start>");
}

static void errors_name_the_line_that_go_names(void **state)
{
	struct json_error e;
	struct value v;

	(void)state;
	assert_refuses(S("a: b: c"),
		"yaml: mapping values are not allowed in this context");
	assert_refuses(S("a: 1\n\tb: 2\n"),
		"yaml: line 2: found a tab character that "
		"violates indentation");
	assert_refuses(S("a: [1, 2\nb: 3\n"),
		"yaml: line 1: did not find expected ',' or ']'");
	assert_refuses(S("a: \"x"), "yaml: found unexpected end of stream");
	assert_refuses(S("\x01"), "yaml: control characters are not allowed");
	assert_false(yaml_parse(&arena, NULL, S("a: 1\nb: *x\n"), &v, &e));
	assert_num(e.row, 2);
	assert_num(e.col, 4);
}

/* --- limits -------------------------------------------------------- */

static void nested(struct buf *out, const char *open, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		buf_adds(out, open);
}

static void depth_is_limited(void **state)
{
	struct buf text = {0};
	struct json_error e;
	struct value v;

	(void)state;
	nested(&text, "[", LIMIT_YAML_DEPTH);
	nested(&text, "]", LIMIT_YAML_DEPTH);
	assert_true(yaml_parse(&arena, NULL, buf_str(&text), &v, &e));
	buf_reset(&text);
	nested(&text, "[", LIMIT_YAML_DEPTH + 1);
	nested(&text, "]", LIMIT_YAML_DEPTH + 1);
	assert_refuses(buf_str(&text), "yaml: exceeded max depth of 64");
	buf_release(&text);
}

static void size_is_limited(void **state)
{
	struct buf text = {0};
	char want[64];

	(void)state;
	memset(buf_reserve(&text, LIMIT_YAML_BYTES + 1), '\n',
		LIMIT_YAML_BYTES + 1);
	text.len = LIMIT_YAML_BYTES + 1;
	snprintf(want, sizeof(want), "yaml: %zu bytes, limit %zu", text.len,
		LIMIT_YAML_BYTES);
	assert_refuses(buf_str(&text), want);
	text.len = 0;
	for (unsigned i = 0; i < LIMIT_YAML_EVENTS; i++)
		buf_adds(&text, "-\n");
	assert_refuses(buf_str(&text), "yaml: more than 1000000 events");
	buf_release(&text);
}

/* A few bytes that would become billions of values. */
static void aliases_of_aliases_are_limited(void **state)
{
	struct buf text = {0};

	(void)state;
	buf_adds(&text, "- &a0 [x, x, x, x, x, x, x, x, x]\n");
	for (unsigned i = 1; i < 12; i++) {
		buf_addf(&text, "- &a%u [", i);
		for (unsigned k = 0; k < 9; k++)
			buf_addf(&text, "*a%u,", i - 1);
		buf_adds(&text, "]\n");
	}
	assert_refuses(
		buf_str(&text), "yaml: document contains excessive aliasing");
	buf_release(&text);
}

static void chains_of_aliases_are_limited(void **state)
{
	struct buf text = {0};

	(void)state;
	buf_adds(&text, "- &a0 []\n");
	for (unsigned i = 1; i < 2000; i++)
		buf_addf(&text, "- &a%u [*a%u]\n", i, i - 1);
	assert_refuses(
		buf_str(&text), "yaml: document contains excessive aliasing");
	buf_release(&text);
}

static void keys_are_interned_in_the_table(void **state)
{
	struct symtab t = {.arena = &arena};
	struct value key = sym_intern(&t, "k", 1), v;
	struct json_error e;

	(void)state;
	assert_true(yaml_parse(&arena, &t, S("k: 1"), &v, &e));
	assert_ptr_equal(v.obj->keys->items[0].str, key.str);
	symtab_release(&t);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, empty_arena)
	const struct CMUnitTest tests[] = {
		T(plain_scalars_follow_the_core_schema),
		T(integers_have_many_forms),
		T(floats_go_through_a_double),
		T(tags_say_what_a_scalar_is),
		T(keys_become_strings),
		T(block_texts_are_strings),
		T(aliases_stand_for_their_anchor),
		T(merge_keys_fill_in_what_is_missing),
		T(only_the_first_document_counts),
		T(errors_name_the_line_that_go_names),
		T(depth_is_limited),
		T(size_is_limited),
		T(aliases_of_aliases_are_limited),
		T(chains_of_aliases_are_limited),
		T(keys_are_interned_in_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
