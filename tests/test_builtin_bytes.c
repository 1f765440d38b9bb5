#include "tests/builtin_calls.h"

#include "base/limits.h"

/* What a table of JSON cannot say: bytes that are not UTF-8, and limits. */

static enum bi_status call(struct bi_ctx *cx, const char *name,
	const struct value *args, struct value *out)
{
	cx->name = name;
	return builtin_find(str_from(name))->fn(cx, args, out);
}

static void broken_bytes_count_as_one_code_point(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	struct value args[3] = {v_str(&a, S("x\xff\xe2\x82y"))}, out;

	(void)state;
	args[1] = v_cstr(&a, "y");
	assert_num(call(&cx, "indexof", args, &out), BI_OK);
	assert_num(out.i, 4);
	args[1] = v_cstr(&a, "\xc3");
	assert_num(call(&cx, "indexof", args, &out), BI_OK);
	assert_num(out.i, 1);
	args[1] = v_int(1);
	args[2] = v_int(2);
	assert_num(call(&cx, "substring", args, &out), BI_OK);
	assert_str(v_bytes(out), "\xef\xbf\xbd\xef\xbf\xbd");
	args[2] = v_int(9);
	args[1] = v_int(0);
	assert_num(call(&cx, "substring", args, &out), BI_OK);
	assert_str(v_bytes(out), "x\xff\xe2\x82y");
	assert_num(call(&cx, "strings.reverse", args, &out), BI_OK);
	assert_str(v_bytes(out), "y\x82\xe2\xffx");
	assert_num(call(&cx, "upper", args, &out), BI_OK);
	assert_str(v_bytes(out), "X\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdY");
	arena_release(&a);
}

static void bytes_survive_base64(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	struct value arg = v_cstr(&a, "AP/+gA=="), out, back;

	(void)state;
	assert_num(call(&cx, "base64.decode", &arg, &out), BI_OK);
	assert_num(out.str->len, 4);
	assert_memory_equal(out.str->bytes, "\x00\xff\xfe\x80", 4);
	assert_num(call(&cx, "base64.encode", &out, &back), BI_OK);
	assert_str(v_bytes(back), "AP/+gA==");
	arena_release(&a);
}

static void an_empty_pattern_fits_between_bytes(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	struct value args[3], out;

	(void)state;
	args[0] = v_cstr(&a, "\xc3\xa9");
	args[1] = v_cstr(&a, "");
	args[2] = v_cstr(&a, "-");
	assert_num(call(&cx, "replace", args, &out), BI_OK);
	assert_str(v_bytes(out), "-\xc3-\xa9-");
	arena_release(&a);
}

static void two_values_in_one_template_part_end_it(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	struct value items[2] = {v_int(1), v_int(2)}, set, arg, out;

	(void)state;
	set = v_set(&a, items, 2);
	arg = v_arr(&a, &set, 1);
	assert_num(call(&cx, "internal.template_string", &arg, &out), BI_HALT);
	assert_string_equal(cx.code, "eval_conflict_error");
	arena_release(&a);
}

static void growing_text_is_stopped_by_the_budget(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	struct value args[3], arr, out;
	struct buf many = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_adds(&many, "%1000d");
	arr = v_empty_arr;
	args[0] = v_str(&a, buf_str(&many));
	args[1] = arr;
	cx.steps = 1300;
	assert_num(call(&cx, "sprintf", args, &out), BI_OK);
	args[0] = v_cstr(&a, "%999999d%999999d");
	out = v_int(1);
	args[1] = v_arr(&a, (struct value[]){v_int(1), v_int(2)}, 2);
	cx.steps = 20000;
	assert_num(call(&cx, "sprintf", args, &out), BI_HALT);
	assert_string_equal(cx.code, "eval_cancel_error");
	args[0] = v_str(&a, buf_str(&many));
	args[1] = v_cstr(&a, "%");
	args[2] = v_str(&a, buf_str(&many));
	cx.steps = 10000;
	assert_num(call(&cx, "replace", args, &out), BI_HALT);
	args[1] = v_cstr(&a, "");
	cx.steps = 1000;
	assert_num(call(&cx, "split", args, &out), BI_HALT);
	buf_release(&many);
	arena_release(&a);
}

static void results_above_the_limit_are_refused(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	char *mega = arena_alloc(&a, MIB(1));
	struct value args[2], *items = ARENA_ARRAY(&a, struct value, 257), out;

	(void)state;
	memset(mega, 'x', MIB(1));
	for (int i = 0; i < 257; i++)
		items[i] = v_str(&a, (struct str){mega, MIB(1)});
	args[0] = v_cstr(&a, "");
	args[1] = v_arr(&a, items, 257);
	assert_num(call(&cx, "concat", args, &out), BI_HALT);
	assert_string_equal(
		cx.text, "result has 269484032 bytes, limit 268435456");
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_bytes_count_as_one_code_point),
		cmocka_unit_test(bytes_survive_base64),
		cmocka_unit_test(an_empty_pattern_fits_between_bytes),
		cmocka_unit_test(two_values_in_one_template_part_end_it),
		cmocka_unit_test(growing_text_is_stopped_by_the_budget),
		cmocka_unit_test(results_above_the_limit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
