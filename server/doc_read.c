#include "server/doc.h"

#include <math.h>
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

/* In the largest unit of which there are two. */
static const char *span(struct arena *a, int64_t s, bool nearest)
{
	static const struct {
		int64_t unit;
		const char *name;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}};

	for (size_t i = 0; i < COUNT(units); i++) {
		int64_t n =
			(s + (nearest ? units[i].unit / 2 : 0)) / units[i].unit;

		if (n >= 2)
			return arena_printf(
				a, "%lld %s", (long long)n, units[i].name);
	}
	return arena_printf(a, "%lld s", (long long)s);
}

const char *doc_span(struct arena *a, int64_t ns)
{
	return span(a, ns / NS_PER_S, false);
}

const char *doc_ahead(struct arena *a, int64_t ns)
{
	return span(a, ns / NS_PER_S, true);
}

const char *doc_evidence(struct arena *a, double ln)
{
	if (ln > log(1e6))
		return "over a million";
	if (ln < log(0.01))
		return "under 0.01";
	return arena_printf(a, ln > log(100) ? "%.0f" : "%.3g", exp(ln));
}
