/*
 * A pattern, a NUL, a text. A pattern that is well-formed must also compile,
 * unless it is too large, and matches must come in order and inside the text.
 */
#include "rego/rx.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Compiling is as long as the pattern says: \pL{1000}; that is no bug. */
enum { PATTERN_MAX = 64 };

static void scan(struct rx *rx, struct str text)
{
	struct rx_scan s;
	size_t end = 0;
	bool any = false;

	rx_scan_start(&s, rx, text, rx_groups(rx));
	while (rx_scan_next(&s)) {
		if (s.spans[0].from < end || s.spans[0].to > text.len ||
			s.spans[0].from > s.spans[0].to)
			abort();
		end = s.spans[0].to;
		any = true;
	}
	rx_scan_end(&s);
	if (any != rx_test(rx, text))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	size_t n = nul ? (size_t)(nul - data) : size;
	struct str pattern = str_make((const char *)data, n);
	struct str text = str_make("", 0);
	struct err e = {0};
	struct rx *rx;

	if (n > PATTERN_MAX)
		return 0;
	if (nul)
		text = str_make((const char *)nul + 1, size - n - 1);
	rx = rx_new(pattern, &e);
	if (!rx && !strstr(e.text, "too large") && rx_valid(pattern, &e))
		abort();
	if (rx)
		scan(rx, text);
	rx_free(rx);
	return 0;
}
