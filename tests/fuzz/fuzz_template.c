/*
 * A template and, behind a NUL, a JSON object of variables; without one some
 * that have members of every kind. A comment in front of a template changes
 * nothing of its text.
 */
#include "tests/fuzz/builtin.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char plenty[] =
	"{\"a\": [1, \"x\", null, true, [2], {\"k\": 3.50}], \"n\": 7, "
	"\"o\": {\"a\": null, \"b\": {\"c\": \"d\"}}, \"s\": \"<\303\251>\"}";

static enum bi_status render(struct arena *a, struct str template,
	struct value vars, struct value *out)
{
	struct bi_ctx cx = {
		.arena = a, .steps = 100000, .memory_max = 64 << 20};
	struct value args[2] = {v_str(a, template), vars};

	return call(&cx, "strings.render_template", args, out);
}

static void hold(struct arena *a, struct str template, struct value vars)
{
	const char comment[] = "{{/* */}}";
	struct buf b = {0};
	struct value x, y;

	buf_adds(&b, comment);
	buf_addstr(&b, template);
	if (render(a, template, vars, &x) == BI_OK &&
		render(a, buf_str(&b), vars, &y) == BI_OK &&
		value_cmp(x, y) != 0)
		abort();
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str all = str_make((const char *)data, size), template;
	struct arena a = {0};
	struct json_error e;
	struct value vars = v_undef;

	if (!str_cut(&all, str_make("", 1), &template)) {
		template = all;
		all = str_from(plenty);
	}
	if (json_parse(&a, NULL, all, 100, &vars, &e) && vars.tag == V_OBJ)
		hold(&a, template, vars);
	arena_release(&a);
	return 0;
}
