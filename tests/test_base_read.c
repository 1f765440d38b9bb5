/* Readers of foreign bytes: JSON spans and YAML events, with their limits. */
#include "tests/test.h"

#include "base/json.h"
#include "base/yaml.h"

/* `n` times `unit`. */
static void repeat(struct buf *b, const char *unit, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_adds(b, unit);
}

static void a_span_keeps_its_bytes(void **state)
{
	struct str text =
		S(" {\"a\": [1.50, \"x\\u0041\"], \"b/c\": {\"a\":1e3},"
		  " \"a\" : -0 } ");
	struct str doc, v;
	struct err e = {0};

	(void)state;
	assert_ok(json_check(text, NULL, &doc, &e), &e);
	assert_true(json_member(doc, S("a"), &v));
	assert_str(v, "-0"); /* the last one counts */
	assert_true(json_at(doc, S("/b~1c/a"), &v));
	assert_str(v, "1e3");
	assert_false(json_at(doc, S("/b~1c/z"), &v));
	assert_num(json_kind(doc), JSON_OBJECT);
}

static void broken_json_is_refused(void **state)
{
	static const char *const bad[] = {"", "{", "[1,]", "{\"a\":}", "01",
		"1.", "nul", "\"\x01\"", "\"\\x\"", "\"\xff\"", "[1] 2",
		"{a:1}", "'a'", "\"abc"};
	struct str doc;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		e = (struct err){0};
		if (json_check(str_from(bad[i]), NULL, &doc, &e) == OK)
			fail_msg("%s is taken", bad[i]);
		assert_true(e.text[0] != '\0');
	}
}

/* Nested `n` deep, or with `n` keys. */
static enum status deep(size_t n, struct err *e)
{
	struct buf b = {0};
	struct str doc;
	enum status st;

	repeat(&b, "[", n);
	repeat(&b, "]", n);
	st = json_check(buf_str(&b), NULL, &doc, e);
	buf_release(&b);
	return st;
}

static enum status wide(size_t n, struct err *e)
{
	struct buf b = {0};
	struct str doc;
	enum status st;

	buf_addc(&b, '{');
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s\"k%zu\":1", i ? "," : "", i);
	buf_addc(&b, '}');
	st = json_check(buf_str(&b), NULL, &doc, e);
	buf_release(&b);
	return st;
}

static enum status long_string(size_t n, struct err *e)
{
	struct buf b = {0};
	struct str doc;
	enum status st;

	buf_addc(&b, '"');
	repeat(&b, "x", n);
	buf_addc(&b, '"');
	st = json_check(buf_str(&b), NULL, &doc, e);
	buf_release(&b);
	return st;
}

static void json_limits_hold_at_n_and_n_plus_1(void **state)
{
	struct err e = {0};

	(void)state;
	assert_ok(deep(LIMIT_JSON_DEPTH, &e), &e);
	assert_num(deep(LIMIT_JSON_DEPTH + 1, &e), E_LIMIT);
	assert_ok(wide(LIMIT_JSON_KEYS, &e), &e);
	assert_num(wide(LIMIT_JSON_KEYS + 1, &e), E_LIMIT);
	assert_ok(long_string(LIMIT_JSON_STRING, &e), &e);
	assert_num(long_string(LIMIT_JSON_STRING + 1, &e), E_LIMIT);
}

/* The events of a text, as one line; or the error. */
static enum status events(struct str text, struct buf *out, struct err *e)
{
	static const char *const names[] = {"doc", "", "[", "{", "end", "."};
	struct yaml_reader *r = yaml_reader_new("t.yaml", text);
	struct yaml_event ev = {0};
	enum status st;

	buf_adds(out, "");
	while (!(st = yaml_next(r, &ev, e)) && ev.kind != YAML_END) {
		buf_addf(out, "%s ", names[ev.kind]);
		if (ev.kind == YAML_SCALAR)
			buf_addf(out, "%.*s:%d ", STR_ARG(ev.text),
				(int)ev.type);
	}
	yaml_reader_free(r);
	return st;
}

static void yaml_scalars_mean_what_the_core_schema_says(void **state)
{
	struct buf b = {0};
	struct err e = {0};

	(void)state;
	assert_ok(events(S("a: yes\nb: true\nc: 0o17\nd: '1'\ne: ~\nf: 1.5\n"),
			  &b, &e),
		&e);
	assert_non_null(strstr(b.ptr, "yes:4"));
	assert_non_null(strstr(b.ptr, "true:1"));
	assert_non_null(strstr(b.ptr, "0o17:2"));
	assert_non_null(strstr(b.ptr, "1:4"));
	assert_non_null(strstr(b.ptr, "~:0"));
	assert_non_null(strstr(b.ptr, "1.5:3"));
	buf_release(&b);
}

static void anchors_and_aliases_are_refused_with_their_place(void **state)
{
	struct buf b = {0};
	struct err e = {0};

	(void)state;
	assert_num(events(S("a: 1\nb: &x [1]\nc: *x\n"), &b, &e), E_INVALID);
	assert_non_null(strstr(e.text, "t.yaml:2:"));
	buf_release(&b);
}

static enum status yaml_deep(size_t n, struct err *e)
{
	struct buf text = {0}, b = {0};
	enum status st;

	repeat(&text, "[", n);
	repeat(&text, "]", n);
	st = events(buf_str(&text), &b, e);
	buf_release(&text);
	buf_release(&b);
	return st;
}

static void yaml_limits_hold_at_n_and_n_plus_1(void **state)
{
	struct err e = {0};

	(void)state;
	assert_ok(yaml_deep(LIMIT_YAML_DEPTH, &e), &e);
	assert_num(yaml_deep(LIMIT_YAML_DEPTH + 1, &e), E_LIMIT);
	assert_num(yaml_deep(20000, &e), E_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_span_keeps_its_bytes),
		cmocka_unit_test(broken_json_is_refused),
		cmocka_unit_test(json_limits_hold_at_n_and_n_plus_1),
		cmocka_unit_test(yaml_scalars_mean_what_the_core_schema_says),
		cmocka_unit_test(
			anchors_and_aliases_are_refused_with_their_place),
		cmocka_unit_test(yaml_limits_hold_at_n_and_n_plus_1),
	};

	return cmocka_run_group_tests_name("base read", tests, NULL, NULL);
}
