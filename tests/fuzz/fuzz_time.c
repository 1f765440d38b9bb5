/*
 * The first byte picks what is read: a TZif file, a duration, or a layout, a
 * NUL and a time. A time that can be read in a layout which says all must be
 * written so that it reads back as the same.
 */
#include "rego/builtin/duration.h"
#include "rego/builtin/layout.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_zone(struct str s)
{
	struct zone *z = zone_parse(s);
	struct zone_at at;
	int64_t offset;

	for (int64_t t = -4000000000; z && t < 8000000000; t += 86400 * 999)
		zone_lookup(z, t, &at);
	if (z)
		zone_offset_of(z, S("CET"), 0, &offset);
	zone_free(z);
}

static void fuzz_layout(struct str layout, struct str value)
{
	const struct str full = S("2006-01-02T15:04:05.999999999Z07:00");
	struct zone_at utc = {.name = "UTC"};
	struct buf text = {0}, again = {0};
	struct err e = {0};
	int64_t sec, sec2;
	int nsec, nsec2;

	if (layout_parse(layout, value, NULL, &sec, &nsec, &e)) {
		layout_format(&again, layout, sec, nsec, &utc);
		layout_format(&text, full, sec, nsec, &utc);
		if (text.ptr[4] == '-' && text.ptr[0] != '-' &&
			(!layout_parse(full, buf_str(&text), NULL, &sec2,
				 &nsec2, &e) ||
				sec != sec2 || nsec != nsec2))
			abort();
	} else if (!e.text[0]) {
		abort();
	}
	buf_release(&text);
	buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_make((const char *)data + 1, size - 1);
	struct err e = {0};
	size_t nul;
	int64_t ns;

	if (!size)
		return 0;
	nul = str_find(s, str_make("", 1), 0);
	if (data[0] % 4 == 0)
		fuzz_zone(s);
	else if (data[0] % 4 == 1)
		duration_parse(s, &ns, &e);
	else if (nul != SIZE_MAX)
		fuzz_layout(str_slice(s, 0, nul), str_slice(s, nul + 1, s.len));
	return 0;
}
