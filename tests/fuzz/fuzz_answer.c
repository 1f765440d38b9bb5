/* Heads of answers: whole or in pieces they read the same, and stay inside. */
#include "agent/agent.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);
	struct http_answer a, b;
	enum http_parsed whole = http_answer_parse(&a, text);

	if (whole != HTTP_DONE)
		return 0;
	expect(a.status >= 100 && a.status <= 999 && a.head <= size);
	expect(!a.etag.len ||
		(a.etag.ptr >= text.ptr &&
			a.etag.ptr + a.etag.len <= text.ptr + a.head));
	expect(http_answer_parse(&b, str_slice(text, 0, a.head)) == HTTP_DONE);
	expect(a.length == b.length && a.status == b.status);
	expect(http_answer_parse(&b, str_slice(text, 0, a.head - 1)) ==
		HTTP_MORE);
	return 0;
}
