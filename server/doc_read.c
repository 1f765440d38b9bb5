#include "server/doc.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

struct str doc_part(struct str doc, const char *pointer)
{
	struct str span;

	return doc.len && json_at(doc, str_from(pointer), &span) ? span : S("");
}

struct str doc_see(struct str doc, const char *pointer, struct arena *a)
{
	struct str span = doc_part(doc, pointer), out;
	struct buf text = {0};

	if (!span.len || json_kind(span) == JSON_NULL)
		return S("");
	if (json_kind(span) != JSON_STRING)
		return span;
	json_text(&text, span);
	out = arena_str(a, buf_str(&text));
	buf_release(&text);
	return out;
}

double doc_number(struct str doc, const char *pointer)
{
	struct str span = doc_part(doc, pointer);
	char text[64];

	if (!span.len || span.len >= sizeof(text) ||
		json_kind(span) != JSON_NUMBER)
		return 0;
	memcpy(text, span.ptr, span.len);
	text[span.len] = '\0';
	return strtod(text, NULL);
}

size_t doc_count(struct str doc, const char *pointer)
{
	struct str span = doc_part(doc, pointer);
	struct json_iter it = json_iter(span);
	size_t n = 0;

	while (span.len && json_next(&it))
		n++;
	return n;
}

const char *doc_span(struct arena *a, int64_t ns)
{
	static const struct {
		int64_t unit, from;
		const char *name;
	} units[] = {
		{86400, 2 * 86400, "d"},
		{3600, 2 * 3600, "h"},
		{60, 120, "min"},
	};
	int64_t s = ns / NS_PER_S;

	for (size_t i = 0; i < COUNT(units); i++)
		if (s >= units[i].from)
			return arena_printf(a, "%lld %s",
				(long long)(s / units[i].unit), units[i].name);
	return arena_printf(a, "%lld s", (long long)s);
}
