/*
 * Commits and tags as git stores them: what is covered and the signature are
 * the object's own bytes, and nothing is lost between them.
 */
#include "bundler/signed.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

/* The header goes, with one space for each line of the signature. */
static void check_commit(struct str text)
{
	struct signed_object o = {0};
	struct arena a = {0};
	struct err e = {0};

	if (signed_commit(&o, text, &a, &e)) {
		expect(e.code && e.text[0] && !o.message.ptr);
	} else if (o.kind == SIGNED_NOT) {
		expect(str_eq(o.message, text) && !o.signature.len);
	} else {
		size_t gone = text.len - o.message.len, at = 0;

		expect(gone >= strlen("gpgsig ") + o.signature.len - 1);
		while (at < o.message.len && o.message.ptr[at] == text.ptr[at])
			at++;
		expect(str_ends(text, str_slice(o.message, at, o.message.len)));
	}
	arena_release(&a);
}

static void check_tag(struct str text)
{
	struct signed_object o = {0};
	struct err e = {0};

	if (signed_tag(&o, text, &e)) {
		expect(e.code && e.text[0] && !o.message.ptr);
		return;
	}
	expect(o.message.len + o.signature.len == text.len);
	expect(str_starts(text, o.message) && str_ends(text, o.signature));
	expect((o.kind == SIGNED_NOT) == !o.signature.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};

	check_commit(text);
	check_tag(text);
	return 0;
}
