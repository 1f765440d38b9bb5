/* The dashboard: is it good. */
#include "server/page.h"

#include <math.h>

#include "base/json.h"
#include "server/doc.h"

static const struct metric {
	const char *name, *title;
	const char *count, *of; /* of a window; NULL: drawn with another */
} metrics[] = {
	{"error", "Errors", "/error", "/decisions"},
	{"ceiling", "Errors above the ceiling", NULL, NULL},
	{"undefined", "Undefined", "/undefined", "/decisions"},
	{"deny_up", "More denies", "/deny", "/decisions"},
	{"deny_down", "Fewer denies", NULL, NULL},
	{"slow", "Slow", "/slow", "/timed"},
};

enum { ARMS = 2, CHART_W = 240, CHART_H = 48, LINE_HALF = 120, LINE_MARK = 90 };

static const char *const arms[ARMS] = {"/canary", "/baseline"};

/* --- rates by time ---------------------------------------------------------
 */

/* Windows, added up to at most PAGE_BINS. */
struct bins {
	double count[ARMS][PAGE_BINS], of[ARMS][PAGE_BINS];
	size_t n;
};

static void fill(const struct page *p, struct bins *b, const struct metric *m)
{
	size_t total = doc_count(p->docs->verdict, "/windows"), i = 0;
	size_t each = (total + PAGE_BINS - 1) / PAGE_BINS;
	struct json_iter it = json_iter(doc_part(p->docs->verdict, "/windows"));

	*b = (struct bins){.n = each ? (total + each - 1) / each : 0};
	for (; json_next(&it); i++)
		for (size_t arm = 0; arm < ARMS; arm++) {
			struct str w = doc_part(it.value, arms[arm]);

			b->count[arm][i / each] += doc_number(w, m->count);
			b->of[arm][i / each] += doc_number(w, m->of);
		}
}

/* The rate of a bin; -1 where nothing was decided. */
static double rate(const struct bins *b, size_t arm, size_t i)
{
	double of = b->of[arm][i];

	return of > 0 ? b->count[arm][i] / of : -1;
}

/* The highest of all; -1 when nothing was decided at all. */
static double top(const struct bins *b)
{
	double most = -1;

	for (size_t arm = 0; arm < ARMS; arm++)
		for (size_t i = 0; i < b->n; i++)
			most = fmax(most, rate(b, arm, i));
	return most;
}

/* A line per arm, with gaps where nothing was decided; one alone is a dash. */
static void draw(
	const struct page *p, const struct bins *b, size_t arm, double scale)
{
	double wide = b->n > 1 ? (double)CHART_W / (double)(b->n - 1) : CHART_W;

	PUT(p, "<path class=\"@\" d=\"", str_from(arms[arm] + 1));
	for (size_t i = 0; i < b->n; i++) {
		double y = rate(b, arm, i);
		bool pen = i && rate(b, arm, i - 1) >= 0,
		     more = i + 1 < b->n && rate(b, arm, i + 1) >= 0;

		if (y >= 0)
			buf_addf(p->out, "%c%.1f %.1f%s", pen ? 'L' : 'M',
				wide * (double)i,
				1 + (CHART_H - 2) * (1 - y / scale),
				pen || more    ? ""
				: i + 1 < b->n ? "h5"
					       : "h-5");
	}
	page_raw(p, "\"/>");
}

static void chart(const struct page *p, const struct metric *m)
{
	struct bins b;
	double scale;

	if (!m->count)
		return;
	fill(p, &b, m);
	scale = fmin(1, 1.25 * top(&b));
	if (scale <= 0)
		return; /* the counts beside it say so */
	PUT(p,
		"<svg class=\"chart\" viewBox=\"0 0 @ @\" role=\"img\" "
		"preserveAspectRatio=\"none\" "
		"aria-label=\"@ by time, canary and baseline\">",
		PAGE_F(p, "%d", CHART_W), PAGE_F(p, "%d", CHART_H),
		str_from(m->title));
	draw(p, &b, 1, scale);
	draw(p, &b, 0, scale);
	PUT(p, "</svg><p class=\"more\">by time, from 0 to @</p>\n",
		PAGE_F(p, "%.3g%%", 100 * scale));
}

/* --- evidence --------------------------------------------------------------
 */

/* How far the evidence for and against is, and from where on it decides. */
struct evidence {
	double bad, fail, good, pass; /* ln, factor, ln, factor; pass 0: none */
};

static struct evidence evidence_of(struct str m, double beta)
{
	struct evidence e = {.bad = doc_number(m, "/ln_evidence"),
		.fail = doc_number(m, "/threshold")};

	if (doc_part(m, "/ln_pass_evidence").len && beta > 0) {
		e.good = doc_number(m, "/ln_pass_evidence");
		e.pass = 1 / beta;
	}
	return e;
}

static bool reached(double ln, double factor)
{
	return factor > 0 && ln >= log(factor);
}

/* Where nothing was decided there is no word for it either. */
static const char *judged(const struct evidence *e, bool measured)
{
	if (!measured)
		return "not measured";
	if (reached(e->bad, e->fail))
		return "FAIL";
	if (e->pass > 0)
		return reached(e->good, e->pass) ? "good" : "not sure yet";
	return "not worse so far";
}

static const char *tone(const struct evidence *e, bool measured)
{
	if (!measured)
		return "none";
	if (reached(e->bad, e->fail))
		return "bad";
	return reached(e->good, e->pass) ? "good" : "none";
}

static struct str times(const struct page *p, double ln)
{
	return str_from(doc_evidence(p->a, ln));
}

/* Pixels from the middle; a threshold is at LINE_MARK. */
static double reach(double ln, double threshold)
{
	double x = threshold > 1 ? LINE_MARK * ln / log(threshold) : 0;

	return x < 0 ? 0 : fmin(x, LINE_HALF);
}

/*
 * In log scale, from the middle: to the left what says that it is good, to the
 * right what says that it is bad, and the marks from which on that decides.
 */
static void line(const struct page *p, const struct evidence *e)
{
	double l = reach(e->good, e->pass), r = reach(e->bad, e->fail);

	page_raw(p, "<svg class=\"evidence\" viewBox=\"0 0 240 14\" "
		    "preserveAspectRatio=\"none\" aria-hidden=\"true\">"
		    "<path class=\"axis\" d=\"M0 7H240M120 3V11\"/>");
	buf_addf(p->out,
		"<rect class=\"good\" x=\"%.1f\" y=\"4\" width=\"%.1f\" "
		"height=\"6\"/><rect class=\"bad\" x=\"%d\" y=\"4\" "
		"width=\"%.1f\" height=\"6\"/>",
		LINE_HALF - l, l, LINE_HALF, r);
	if (e->pass > 0)
		buf_addf(p->out, "<path class=\"mark\" d=\"M%d 0V14\"/>",
			LINE_HALF - LINE_MARK);
	buf_addf(p->out, "<path class=\"mark\" d=\"M%d 0V14\"/></svg>",
		LINE_HALF + LINE_MARK);
}

static void evidence(const struct page *p, const struct evidence *e)
{
	line(p, e);
	page_raw(p, "<p class=\"ends more\">");
	if (e->pass > 0)
		PUT(p, "<span>good: <b>@</b>, passes at @</span>",
			times(p, e->good), PAGE_F(p, "%.0f", e->pass));
	else
		page_raw(p, "<span></span>");
	PUT(p, "<span>worse: <b>@</b>, fails at @</span></p>\n",
		times(p, e->bad), PAGE_F(p, "%.0f", e->fail));
}

/* --- one metric ------------------------------------------------------------
 */

static void counts(const struct page *p, struct str m)
{
	page_raw(p, "<table class=\"arms\"><tbody>\n");
	for (size_t arm = 0; arm < ARMS; arm++) {
		struct str x = doc_part(m, arms[arm]);

		PUT(p,
			"<tr><th><span class=\"key @\"></span>@</th>"
			"<td class=\"n\">@</td><td class=\"n more\">@ of @</td>"
			"</tr>\n",
			str_from(arms[arm] + 1), str_from(arms[arm] + 1),
			doc_number(x, "/of") > 0
				? PAGE_F(p, "%.3g%%",
					  100 * doc_number(x, "/rate"))
				: S("\xe2\x80\x93"),
			page_or(page_see(p, x, "/count"), "0"),
			page_or(page_see(p, x, "/of"), "0"));
	}
	page_raw(p, "</tbody></table>\n");
}

static void explained(const struct page *p, const char *text)
{
	if (text)
		PUT(p, "<p class=\"more\">@</p>\n", str_from(text));
}

static void metric(
	const struct page *p, const struct metric *m, struct str verdict)
{
	struct str doc =
		doc_part(verdict, arena_printf(p->a, "/metrics/%s", m->name));
	struct evidence e =
		evidence_of(doc, doc_number(verdict, "/config/beta"));
	bool measured = doc_number(doc, "/canary/of") > 0;

	if (!doc.len)
		return;
	PUT(p,
		"<div class=\"metric\"><h3>@ <span class=\"is @\">@</span>"
		"</h3>\n",
		str_from(m->title), str_from(tone(&e, measured)),
		str_from(judged(&e, measured)));
	if (measured || doc_number(doc, "/baseline/of") > 0)
		counts(p, doc);
	if (measured) {
		page_raw(p, "<div class=\"plots\">");
		chart(p, m);
		evidence(p, &e);
		page_raw(p, "</div>\n");
		explained(p, doc_compared(p->a, doc));
		explained(p, doc_latency(p->a, doc));
	}
	page_raw(p, "</div>\n");
}

void page_verdict(const struct page *p)
{
	struct str v = doc_part(p->docs->verdict, "/verdict");

	page_raw(p, "<section><h2>Is it good?</h2>\n");
	if (!v.len) {
		page_raw(p, "<p>No rollout was judged yet.</p></section>\n");
		return;
	}
	PUT(p, "<p class=\"verdict is-@\">Rollout @: @.</p>\n",
		page_see(p, v, "/outcome"),
		page_see(p, p->docs->verdict, "/rollout"),
		page_see(p, v, "/reason"));
	page_raw(p, "<div class=\"metrics\">\n");
	for (size_t i = 0; i < COUNT(metrics); i++)
		metric(p, &metrics[i], v);
	page_raw(p, "</div></section>\n");
}
