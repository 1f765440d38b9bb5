/*
 * The span scanner: what it takes can be walked without a step outside, each
 * span in it is taken by itself, and a string means the same after it was
 * read and written again.
 */
#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static void same_text(struct str span)
{
	struct buf text = {0}, again = {0}, back = {0};

	json_text(&text, span);
	json_quote(&again, buf_str(&text));
	json_text(&back, buf_str(&again));
	expect(json_text_is(span, buf_str(&text)));
	expect(str_eq(buf_str(&text), buf_str(&back)));
	buf_release(&text);
	buf_release(&again);
	buf_release(&back);
}

/* Depth is bounded: the text was checked. */
static void walk(struct str around, struct str span)
{
	struct json_iter it = json_iter(span);
	int64_t n;

	expect(span.len > 0 && span.ptr >= around.ptr &&
		span.ptr + span.len <= around.ptr + around.len);
	if (json_kind(span) == JSON_STRING)
		same_text(span);
	else if (json_kind(span) == JSON_NUMBER)
		json_int(span, &n);
	while (json_next(&it)) {
		if (it.object)
			walk(span, it.key);
		walk(span, it.value);
	}
}

/* A whole value, and so are its members: none may need more room than it. */
static void alone(struct str span)
{
	struct json_iter it = json_iter(span);
	struct str doc;

	while (json_next(&it))
		expect(!json_check(it.value, NULL, &doc, NULL) &&
			str_eq(doc, it.value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size}, doc, v;
	struct err e = {0};

	if (json_check(text, NULL, &doc, &e)) {
		expect(e.code && e.text[0]);
		return 0;
	}
	walk(text, doc);
	alone(doc);
	json_at(doc, S("/a/0"), &v);
	return 0;
}
