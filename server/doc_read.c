#include "server/doc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
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

/* --- a comparison ----------------------------------------------------------
 */

static bool is_number(struct str metric, const char *pointer)
{
	struct str x = doc_part(metric, pointer);

	return x.len && json_kind(x) == JSON_NUMBER;
}

static void odds(struct buf *out, struct str metric)
{
	double low = doc_number(metric, "/odds_ratio/0");

	if (!is_number(metric, "/stratified_odds_ratio"))
		return;
	buf_addf(out, "; odds ratio %.3g",
		doc_number(metric, "/stratified_odds_ratio"));
	if (is_number(metric, "/odds_ratio/1"))
		buf_addf(out, " (%.3g to %.3g)", low,
			doc_number(metric, "/odds_ratio/1"));
	else if (low > 0)
		buf_addf(out, " (%.3g or more)", low);
}

static void chance(struct buf *out, struct str metric)
{
	double p = 100 * doc_number(metric, "/likely_worse");

	if (p > 99.9)
		buf_adds(out, "; over 99.9% likely worse");
	else if (p < 0.1)
		buf_adds(out, "; under 0.1% likely worse");
	else
		buf_addf(out, "; %.3g%% likely worse", p);
}

const char *doc_compared(struct arena *a, struct str metric)
{
	struct buf out = {0};
	const char *text;

	/* Of the rates that are shown beside it, as its interval is. */
	double d = doc_number(metric, "/canary/rate") -
		   doc_number(metric, "/baseline/rate");

	if (!is_number(metric, "/likely_worse"))
		return NULL;
	buf_addf(&out, "difference %+.3g points (%+.3g to %+.3g)", 100 * d,
		100 * doc_number(metric, "/difference_interval/0"),
		100 * doc_number(metric, "/difference_interval/1"));
	odds(&out, metric);
	chance(&out, metric);
	text = arena_strdup(a, buf_str(&out));
	buf_release(&out);
	return text;
}

const char *doc_latency(struct arena *a, struct str metric)
{
	bool high = str_eq(doc_part(metric, "/latency/high"), S("true"));

	if (!doc_part(metric, "/latency").len)
		return NULL;
	return arena_printf(a,
		"of 100 pairs the canary's decision took longer in %.0f; %s",
		100 * doc_number(metric, "/latency/slower"),
		high ? "latency is up as a whole"
		     : "latency as a whole is not up");
}
