/* The span scanner: what it takes can be walked without a step outside. */
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(struct str span)
{
	struct json_iter it = json_iter(span);
	size_t n = 1;

	while (json_next(&it))
		n += it.key.len + walk(it.value);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size}, doc, v;
	struct err e = {0};

	if (json_check(text, NULL, &doc, &e) == OK && walk(doc) > 0)
		json_at(doc, S("/a/0"), &v);
	return 0;
}
