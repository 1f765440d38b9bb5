/*
 * A pattern, a NUL, a text, matched with "/" as separator. The text, quoted,
 * must match itself, also behind a star and between braces.
 */
#include "tests/fuzz/builtin.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool matches(struct bi_ctx *cx, struct value pattern, struct value text)
{
	struct value slash = v_cstr(cx->arena, "/"), got = v_undef;
	struct value args[3] = {pattern, v_arr(cx->arena, &slash, 1), text};

	return call(cx, "glob.match", args, &got) == BI_OK && is_truthy(got);
}

static void quoted_matches(struct bi_ctx *cx, struct value text)
{
	static const char *const around[][2] = {
		{"", ""}, {"*", ""}, {"**", "*"}, {"{x,", "}"}, {"{", "*,}"}};
	struct value quoted;
	struct buf b = {0};

	if (!utf8_valid(text.str->bytes, text.str->len) ||
		memchr(text.str->bytes, ',', text.str->len))
		return;
	if (call(cx, "glob.quote_meta", &text, &quoted) != BI_OK)
		abort();
	for (size_t i = 0; i < COUNT(around); i++) {
		buf_reset(&b);
		buf_adds(&b, around[i][0]);
		buf_addstr(&b, v_bytes(quoted));
		buf_adds(&b, around[i][1]);
		if (!matches(cx, v_str(cx->arena, buf_str(&b)), text))
			abort();
	}
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	size_t n = nul ? (size_t)(nul - data) : size;
	struct arena a = {0};
	struct bi_ctx cx = {.arena = &a, .steps = 1000000};
	struct value pattern = v_str(&a, str_make((const char *)data, n));
	struct value text = v_cstr(&a, "");

	if (nul)
		text = v_str(&a, str_make((const char *)nul + 1, size - n - 1));
	if (matches(&cx, pattern, text) && pattern.str->len == 0 &&
		text.str->len)
		abort();
	if (size < 1000)
		quoted_matches(&cx, text);
	if (cx.caches[BI_CACHE_GLOB].free_fn)
		cx.caches[BI_CACHE_GLOB].free_fn(
			cx.caches[BI_CACHE_GLOB].state);
	arena_release(&a);
	return 0;
}
