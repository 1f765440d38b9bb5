#include "tests/test.h"

#include "base/yaml.h"

#include <string.h>

/* The events of a text in one line each, or the error. */
static enum status events(struct buf *out, struct str text, struct err *e)
{
	static const char *const kinds[] = {"doc", "", "list", "map", "close"};
	static const char *const types[] = {
		"null", "bool", "int", "float", "string"};
	struct yaml_reader *r = yaml_reader_new("f.yaml", text);
	struct yaml_event ev;
	enum status st;

	for (;;) {
		st = yaml_next(r, &ev, e);
		if (st || ev.kind == YAML_END)
			break;
		if (ev.kind == YAML_SCALAR)
			buf_addf(out, "%s%s %.*s", types[ev.type],
				ev.key ? " key" : "", STR_ARG(ev.text));
		else
			buf_adds(out, kinds[ev.kind]);
		buf_addf(out, " %u:%u\n", ev.row, ev.col);
	}
	yaml_reader_free(r);
	return st;
}

static void reads(const char *text, const char *want)
{
	struct buf b = {0};
	struct err e = {0};

	assert_ok(events(&b, str_from(text), &e), &e);
	assert_str(buf_str(&b), want);
	buf_release(&b);
}

static void refuses(const char *text, const char *why)
{
	struct buf b = {0};
	struct err e = {0};

	assert_fails(events(&b, str_from(text), &e), &e, E_INVALID, why);
	buf_release(&b);
}

static void maps_lists_and_scalars_come_with_their_place(void **state)
{
	(void)state;
	reads("# a config\n"
	      "bundle: platform\n"
	      "roots: [a, \"b\"]\n"
	      "rings:\n"
	      "  - {percent: 10}\n",
		"doc 2:1\n"
		"map 2:1\n"
		"string key bundle 2:1\nstring platform 2:9\n"
		"string key roots 3:1\nlist 3:8\n"
		"string a 3:9\nstring b 3:12\nclose 3:15\n"
		"string key rings 4:1\nlist 5:3\nmap 5:5\n"
		"string key percent 5:6\nint 10 5:15\n"
		"close 5:17\nclose 6:1\nclose 6:1\n");
}

static void keys_are_told_from_values_at_every_depth(void **state)
{
	(void)state;
	reads("{a: {b: [c, {d: e}], f: g}, h: i}",
		"doc 1:1\nmap 1:1\n"
		"string key a 1:2\nmap 1:5\n"
		"string key b 1:6\nlist 1:9\nstring c 1:10\n"
		"map 1:13\nstring key d 1:14\nstring e 1:17\nclose 1:18\n"
		"close 1:19\n"
		"string key f 1:22\nstring g 1:25\nclose 1:26\n"
		"string key h 1:29\nstring i 1:32\nclose 1:33\n");
}

static void depth_counts_the_maps_and_lists_around(void **state)
{
	struct yaml_reader *r =
		yaml_reader_new("f.yaml", S("a: [1, {b: }]\n--- []\n"));
	struct yaml_event ev;
	struct buf b = {0};
	struct err e = {0};

	(void)state;
	do {
		assert_ok(yaml_next(r, &ev, &e), &e);
		buf_addf(&b, "%u%c ", ev.depth, "ds[{ce"[ev.kind]);
	} while (ev.kind != YAML_END);
	assert_str(
		buf_str(&b), "0d 0{ 1s 1[ 2s 2{ 3s 3s 2c 1c 0c 0d 0[ 0c 0e ");
	yaml_reader_free(r);
	buf_release(&b);
}

static void an_empty_text_has_no_document(void **state)
{
	(void)state;
	reads("", "");
	reads("# nothing\n", "");
	reads("---\n", "doc 1:1\nnull  2:1\n");
}

static void every_document_of_a_stream_is_read(void **state)
{
	(void)state;
	reads("a: 1\n---\n- b\n",
		"doc 1:1\nmap 1:1\nstring key a 1:1\nint 1 1:4\nclose 2:1\n"
		"doc 2:1\nlist 3:1\nstring b 3:3\nclose 4:1\n");
}

static void the_end_comes_again(void **state)
{
	struct yaml_reader *r = yaml_reader_new("f.yaml", S(""));
	struct yaml_event ev;
	struct err e = {0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_ok(yaml_next(r, &ev, &e), &e);
		assert_num(ev.kind, YAML_END);
	}
	yaml_reader_free(r);
	yaml_reader_free(NULL);
}

static void columns_count_code_points(void **state)
{
	(void)state;
	reads("caf\xc3\xa9: \xe2\x82\xac\n",
		"doc 1:1\nmap 1:1\nstring key caf\xc3\xa9 1:1\n"
		"string \xe2\x82\xac 1:7\nclose 2:1\n");
}

static void plain_scalars_follow_the_core_schema(void **state)
{
	/* clang-format off */
	static const struct { const char *text; enum yaml_type type; } rows[] = {
		{"", YAML_NULL}, {"~", YAML_NULL}, {"null", YAML_NULL},
		{"NULL", YAML_NULL}, {"nULL", YAML_STRING},
		{"true", YAML_BOOL}, {"FALSE", YAML_BOOL}, {"tRUE", YAML_STRING},
		{"yes", YAML_STRING}, {"on", YAML_STRING}, {"n", YAML_STRING},
		{"0", YAML_INT}, {"-12", YAML_INT}, {"+7", YAML_INT},
		{"007", YAML_INT}, {"0o17", YAML_INT}, {"0xfF", YAML_INT},
		{"0o8", YAML_STRING}, {"0x", YAML_STRING}, {"0xg", YAML_STRING},
		{"-0x1", YAML_STRING}, {"-", YAML_STRING}, {"+", YAML_STRING},
		{"1_000", YAML_STRING}, {"12:30", YAML_STRING},
		{"1.", YAML_FLOAT}, {".5", YAML_FLOAT}, {"-1.5e+3", YAML_FLOAT},
		{"1e3", YAML_FLOAT}, {"1e", YAML_STRING}, {".", YAML_STRING},
		{"1.2.3", YAML_STRING}, {".e1", YAML_STRING},
		{".inf", YAML_FLOAT}, {"-.INF", YAML_FLOAT}, {".nan", YAML_FLOAT},
		{"-.nan", YAML_STRING}, {"inf", YAML_STRING},
		{"2026-06-20", YAML_STRING}, {"v1", YAML_STRING},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (yaml_plain_type(str_from(rows[i].text)) != rows[i].type)
			fail_msg("type of %s", rows[i].text);
	assert_num(yaml_plain_type((struct str)STR("\0")), YAML_STRING);
}

static void quoted_and_block_scalars_are_strings(void **state)
{
	(void)state;
	reads("['1', \"true\", \"a\\nb\"]",
		"doc 1:1\nlist 1:1\nstring 1 1:2\nstring true 1:7\n"
		"string a\nb 1:15\nclose 1:21\n");
	reads("a: |\n  1\n",
		"doc 1:1\nmap 1:1\nstring key a 1:1\nstring 1\n 1:4\n"
		"close 3:1\n");
}

static void core_tags_name_the_type(void **state)
{
	(void)state;
	reads("[!!str 1, !!int '1', !!float 1, ! x, !!null '', !!bool true]",
		"doc 1:1\nlist 1:1\nstring 1 1:2\nint 1 1:11\nfloat 1 1:22\n"
		"string x 1:33\nnull  1:38\nbool true 1:49\nclose 1:60\n");
	reads("!!map {a: !!seq []}",
		"doc 1:1\nmap 1:1\nstring key a 1:8\nlist 1:11\nclose 1:18\n"
		"close 1:19\n");
	refuses("a: !!int x", "f.yaml:1:4: the value is not what its tag says");
	refuses("!!float true", "not what its tag says");
}

static void anchors_aliases_and_other_tags_are_refused(void **state)
{
	(void)state;
	refuses("a: &x 1\n", "f.yaml:1:4: anchors are not allowed");
	refuses("a: &x [1]\n", "f.yaml:1:4: anchors are not allowed");
	refuses("a:\n  b: &x {c: 1}\n", "f.yaml:2:6: anchors are not allowed");
	refuses("a: *x\n", "f.yaml:1:4: aliases are not allowed");
	refuses("*x\n", "aliases are not allowed");
	refuses("a: !!binary aGk=\n", "f.yaml:1:4: this tag is not allowed");
	refuses("a: !local x\n", "this tag is not allowed");
	refuses("!!set {a: }\n", "this tag is not allowed");
	refuses("[!!omap [a: 1]]\n", "f.yaml:1:2: this tag is not allowed");
}

static void a_key_must_be_a_scalar(void **state)
{
	(void)state;
	refuses("{[a]: 1}", "f.yaml:1:2: a key must be a scalar");
	refuses("? {a: 1}\n: 2\n", "f.yaml:1:3: a key must be a scalar");
}

static void broken_yaml_is_told_with_its_place(void **state)
{
	(void)state;
	refuses("a: [1\n", "f.yaml:2:1: ");
	refuses("a: 1\n\tb: 2\n", "f.yaml:2:1: ");
	refuses("a: 'x\n", "f.yaml:");
	refuses("a: 1\nb: \xff\n", "f.yaml:2:1: ");
	refuses("a: \x01\n", "f.yaml:1:1: ");
}

static void an_error_comes_again(void **state)
{
	struct yaml_reader *r = yaml_reader_new("f.yaml", S("*x"));
	struct yaml_event ev;
	struct err e = {0};

	(void)state;
	assert_ok(yaml_next(r, &ev, &e), &e);
	for (int i = 0; i < 2; i++) {
		e = (struct err){0};
		assert_fails(yaml_next(r, &ev, &e), &e, E_INVALID, "aliases");
	}
	assert_num(yaml_next(r, &ev, NULL), E_INVALID);
	yaml_reader_free(r);
}

static enum status nested(unsigned depth, struct err *e)
{
	struct buf text = {0}, out = {0};
	enum status st;

	for (unsigned i = 0; i < depth; i++)
		buf_adds(&text, i % 2 ? "[" : "{a: ");
	for (unsigned i = depth; i-- > 0;)
		buf_adds(&text, i % 2 ? "]" : "}");
	st = events(&out, buf_str(&text), e);
	buf_release(&text);
	buf_release(&out);
	return st;
}

static void depth_is_limited(void **state)
{
	struct err e = {0};

	(void)state;
	assert_ok(nested(LIMIT_YAML_DEPTH, &e), &e);
	assert_fails(nested(LIMIT_YAML_DEPTH + 1, &e), &e, E_LIMIT,
		"more than 64 levels of nesting");
}

/* The stream, a document and a list have six events around the members. */
static enum status members(unsigned n, struct err *e)
{
	struct buf text = {0};
	struct yaml_reader *r;
	struct yaml_event ev;
	enum status st;

	buf_addc(&text, '[');
	for (unsigned i = 0; i < n; i++)
		buf_adds(&text, "1,");
	buf_addc(&text, ']');
	r = yaml_reader_new("f.yaml", buf_str(&text));
	do
		st = yaml_next(r, &ev, e);
	while (!st && ev.kind != YAML_END);
	yaml_reader_free(r);
	buf_release(&text);
	return st;
}

static void events_are_limited(void **state)
{
	struct err e = {0};

	(void)state;
	assert_ok(members(LIMIT_YAML_EVENTS - 6, &e), &e);
	assert_fails(members(LIMIT_YAML_EVENTS - 5, &e), &e, E_LIMIT,
		"more than 1000000 events");
}

static enum status of_size(size_t len, struct err *e)
{
	struct buf text = {0}, out = {0};
	enum status st;

	buf_adds(&text, "#");
	memset(buf_reserve(&text, len), 'x', len);
	text.len = len;
	st = events(&out, buf_str(&text), e);
	buf_release(&text);
	buf_release(&out);
	return st;
}

static void size_is_limited(void **state)
{
	struct err e = {0};

	(void)state;
	assert_fails(of_size(LIMIT_YAML_BYTES + 1, &e), &e, E_LIMIT,
		"f.yaml: 16777217 bytes, limit 16777216");
	(void)!of_size(16, &e);
	assert_num(of_size(LIMIT_YAML_BYTES, &e) == E_LIMIT, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_lists_and_scalars_come_with_their_place),
		cmocka_unit_test(keys_are_told_from_values_at_every_depth),
		cmocka_unit_test(depth_counts_the_maps_and_lists_around),
		cmocka_unit_test(an_empty_text_has_no_document),
		cmocka_unit_test(every_document_of_a_stream_is_read),
		cmocka_unit_test(the_end_comes_again),
		cmocka_unit_test(columns_count_code_points),
		cmocka_unit_test(plain_scalars_follow_the_core_schema),
		cmocka_unit_test(quoted_and_block_scalars_are_strings),
		cmocka_unit_test(core_tags_name_the_type),
		cmocka_unit_test(anchors_aliases_and_other_tags_are_refused),
		cmocka_unit_test(a_key_must_be_a_scalar),
		cmocka_unit_test(broken_yaml_is_told_with_its_place),
		cmocka_unit_test(an_error_comes_again),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(events_are_limited),
		cmocka_unit_test(size_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
