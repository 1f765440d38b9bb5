/*
 * The canonical form: what has one has the form that values have, and its own
 * form is itself. What has none is refused at a place inside the text.
 */
#include "base/json.h"
#include "rego/value.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static void same_as_value(struct str text, struct str form)
{
	struct arena a = {0};
	struct buf out = {0};
	struct value v;

	expect(json_parse(&a, NULL, text, LIMIT_DATA_DEPTH, &v, NULL));
	value_json(&out, v, 0, 0);
	expect(str_eq(buf_str(&out), form));
	buf_release(&out);
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct json_limits limits = {
		.keys = UINT32_MAX, .string = SIZE_MAX};
	struct str text = {(const char *)data, size}, doc;
	struct buf form = {0}, again = {0};
	struct json_bad bad = {0};
	struct err e = {0};

	if (json_check(text, &limits, &doc, &e))
		return 0;
	if (json_canonical(&form, doc, &bad, &e)) {
		expect(form.len == 0 && e.text[0]);
		expect(bad.at >= doc.ptr && bad.at < doc.ptr + doc.len);
		expect(!bad.first ||
			(bad.first >= doc.ptr && bad.first < bad.at));
	} else {
		same_as_value(doc, buf_str(&form));
		expect(!json_check(buf_str(&form), &limits, &doc, &e));
		expect(!json_canonical(&again, doc, NULL, &e));
		expect(str_eq(buf_str(&form), buf_str(&again)));
	}
	buf_release(&form);
	buf_release(&again);
	return 0;
}
