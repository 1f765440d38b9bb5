/*
 * What parses must be written as JSON that parses to an equal value, and must
 * survive being copied; what does not must say why.
 */
#include "rego/value.h"
#include "base/limits.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(struct arena *a, struct value v)
{
	struct buf out = {0};
	struct value again;

	value_json(&out, v, 0, JSON_HTML);
	if (!json_parse(a, NULL, buf_str(&out), LIMIT_DATA_DEPTH, &again, NULL))
		abort();
	if (!value_eq(v, again) || value_cmp(v, again) ||
		value_hash(v) != value_hash(again))
		abort();
	if (!value_eq(value_copy(a, v), v))
		abort();
	buf_reset(&out);
	value_text(&out, v);
	value_json(&out, v, 2, 0);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct symtab t = {.arena = &a};
	struct str text = {(const char *)data, size};
	struct json_error e = {0};
	struct value v;

	if (json_parse(&a, &t, text, LIMIT_DATA_DEPTH, &v, &e))
		round_trip(&a, v);
	else if (!e.text[0] || e.offset > size || !e.row || !e.col)
		abort();
	symtab_release(&t);
	arena_release(&a);
	return 0;
}
