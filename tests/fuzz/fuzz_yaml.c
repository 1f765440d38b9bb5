/*
 * What YAML gives can be written as JSON and read again; what is refused says
 * why.
 */
#include "rego/value.h"
#include "base/limits.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct symtab t = {.arena = &a};
	struct str text = {(const char *)data, size};
	struct json_error e = {0};
	struct buf out = {0};
	struct value v, again;

	if (yaml_parse(&a, &t, text, &v, &e)) {
		value_json(&out, v, 0, 0);
		if (!json_parse(&a, NULL, buf_str(&out), LIMIT_DATA_DEPTH,
			    &again, NULL) ||
			!value_eq(v, again))
			abort();
	} else if (!e.text[0] || !e.row || !e.col) {
		abort();
	}
	buf_release(&out);
	symtab_release(&t);
	arena_release(&a);
	return 0;
}
