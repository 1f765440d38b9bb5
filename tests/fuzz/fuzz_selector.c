/*
 * A selector, and behind a NUL labels: key, NUL, value, NUL, and so on. What
 * can be read must select the same with a term more that always holds, and
 * nothing with one that never does.
 */
#include "base/buf.h"
#include "canary/select.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOBODYS "a.key:of/nobody"

enum {
	LABELS_MAX = 32,
};

static struct str next(struct str *rest)
{
	return str_take(rest, str_make("", 1));
}

static size_t read_labels(struct str rest, struct label *out)
{
	size_t n = 0;

	while (rest.len && n < LABELS_MAX) {
		out[n].key = next(&rest);
		out[n].value = next(&rest);
		n += !str_is(out[n].key, NOBODYS);
	}
	return n;
}

/* Whether `text` and `more` select the labels; `sel` is that of `text`. */
static bool with(struct arena *a, struct str text, const char *more,
	const struct selector *sel, const struct label *labels, size_t n)
{
	struct selector longer;
	struct buf b = {0};
	struct err e = {0};
	enum status st;

	buf_addstr(&b, text);
	buf_adds(&b, sel->nterms ? "," : "");
	buf_adds(&b, more);
	st = selector_parse(&longer, buf_str(&b), a, &e);
	buf_release(&b);
	if (st && st != E_LIMIT)
		abort();
	return selector_matches(st ? sel : &longer, labels, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_make((const char *)data, size);
	struct str text = next(&rest);
	struct label labels[LABELS_MAX];
	size_t n = read_labels(rest, labels);
	struct selector sel = {0};
	struct arena a = {0};
	struct err e = {0};
	bool all;

	if (selector_parse(&sel, text, &a, &e)) {
		if (!e.text[0] || sel.terms)
			abort();
		arena_release(&a);
		return 0;
	}
	all = selector_matches(&sel, labels, n);
	if (with(&a, text, NOBODYS " notin (x)", &sel, labels, n) != all)
		abort();
	if (with(&a, text, "!" NOBODYS, &sel, labels, n) != all)
		abort();
	if (sel.nterms < SELECT_TERMS_MAX && text.len < 1000 &&
		with(&a, text, NOBODYS, &sel, labels, n))
		abort();
	arena_release(&a);
	return 0;
}
