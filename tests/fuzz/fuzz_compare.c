/*
 * Two bundles beside each other: their policies and data, cut at zero bytes.
 * What comes out is JSON, and a bundle does not differ from itself.
 */
#include "server/compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

/* The bytes before the next zero. */
static struct str cut(struct str *rest)
{
	size_t n = str_find(*rest, (struct str){"", 1}, 0);
	struct str out = str_slice(*rest, 0, n);

	*rest = str_slice(*rest, n < rest->len ? n + 1 : n, rest->len);
	return out;
}

static void fill(struct bundle *b, struct str policy, struct str doc)
{
	struct err e;

	expect(!bundle_add(b, S("a.rego"), policy, &e));
	expect(!bundle_add(b, S("data.json"), doc, &e));
}

static void compare(
	struct buf *out, const struct bundle *x, const struct bundle *y)
{
	struct str doc;
	struct err e;

	buf_reset(out);
	buf_addc(out, '{');
	compare_bundles(out, x, y);
	buf_addc(out, '}');
	/* Names are as they were read, so what is no UTF-8 stays that. */
	if (utf8_valid(out->ptr, out->len))
		expect(!json_check(buf_str(out),
			&(struct json_limits){
				.keys = UINT32_MAX, .string = SIZE_MAX},
			&doc, &e));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_make((const char *)data, size);
	struct bundle x = {0}, y = {0};
	struct buf out = {0};
	struct str policy = cut(&rest), doc = cut(&rest);

	fill(&x, policy, doc);
	policy = cut(&rest);
	fill(&y, policy, rest);
	compare(&out, &x, &y);
	compare(&out, &x, &x);
	expect(strstr(out.ptr, "\"rules\":[],\"data\":[]"));
	bundle_release(&x);
	bundle_release(&y);
	buf_release(&out);
	return 0;
}
