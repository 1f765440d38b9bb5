/* The dashboard: is it good. */
#include "server/page.h"

#include <math.h>

#include "base/json.h"

/* --- one metric ------------------------------------------------------------
 */

static const struct metric {
	const char *name, *title;
	const char *count, *of; /* of a window; NULL: drawn with another */
} metrics[] = {
	{"error", "Errors", "/error", "/decisions"},
	{"ceiling", "Errors, of all", NULL, NULL},
	{"undefined", "Undefined", "/undefined", "/decisions"},
	{"deny_up", "More denies", "/deny", "/decisions"},
	{"deny_down", "Fewer denies", NULL, NULL},
	{"slow", "Slow", "/slow", "/timed"},
};

enum { ARMS = 2, CHART_W = 240, CHART_H = 60, LINE_HALF = 120, LINE_MARK = 90 };

static const char *const arms[ARMS] = {"canary", "baseline"};

/* Windows, added up to at most PAGE_BINS. */
struct bins {
	double count[ARMS][PAGE_BINS], of[ARMS][PAGE_BINS], top;
	size_t n;
};

static size_t length(struct str list)
{
	struct json_iter it = json_iter(list);
	size_t n = 0;

	while (list.len && json_next(&it))
		n++;
	return n;
}

static void fill(const struct page *p, struct bins *b, const struct metric *m)
{
	struct str list = page_part(p->docs->verdict, "/windows");
	struct json_iter it = json_iter(list);
	size_t total = length(list), i = 0;
	size_t each = (total + PAGE_BINS - 1) / PAGE_BINS;

	*b = (struct bins){.n = each ? (total + each - 1) / each : 0};
	for (; total && json_next(&it); i++)
		for (size_t arm = 0; arm < ARMS; arm++) {
			struct str w = page_part(
				it.value, page_f(p, "/%s", arms[arm]).ptr);

			b->count[arm][i / each] += page_number(w, m->count);
			b->of[arm][i / each] += page_number(w, m->of);
		}
	for (size_t arm = 0; arm < ARMS; arm++)
		for (i = 0; i < b->n; i++)
			if (b->of[arm][i] > 0)
				b->top = fmax(b->top,
					b->count[arm][i] / b->of[arm][i]);
}

static bool decided(const struct bins *b)
{
	for (size_t arm = 0; arm < ARMS; arm++)
		for (size_t i = 0; i < b->n; i++)
			if (b->of[arm][i] > 0)
				return true;
	return false;
}

/* A line per arm; where nothing was decided it has a gap. */
static void draw(const struct page *p, const struct bins *b, size_t arm)
{
	double wide = b->n > 1 ? (double)CHART_W / (double)(b->n - 1) : CHART_W;
	bool pen = false;

	PUT(p, "<path class=\"@\" d=\"", str_from(arms[arm]));
	for (size_t i = 0; i < b->n; i++) {
		if (b->of[arm][i] > 0) {
			double rate = b->count[arm][i] / b->of[arm][i];

			buf_addf(p->out, "%c%.1f %.1f", pen ? 'L' : 'M',
				wide * (double)i,
				2 + (CHART_H - 4) * (1 - rate / b->top));
			if (!pen)
				buf_adds(p->out, "h1");
		}
		pen = b->of[arm][i] > 0;
	}
	page_raw(p, "\"/>");
}

static void chart(const struct page *p, const struct metric *m)
{
	struct bins b;

	if (!m->count)
		return;
	fill(p, &b, m);
	if (!decided(&b))
		return;
	if (b.top <= 0) {
		page_raw(p, "<p class=\"more\">0% in every window</p>\n");
		return;
	}
	PUT(p,
		"<svg class=\"chart\" viewBox=\"0 0 @ @\" role=\"img\" "
		"aria-label=\"@ by time, canary and baseline\">",
		page_f(p, "%d", CHART_W), page_f(p, "%d", CHART_H),
		str_from(m->title));
	draw(p, &b, 1);
	draw(p, &b, 0);
	PUT(p, "</svg><p class=\"more\">0 to @</p>\n",
		page_f(p, "%.3g%%", 100 * b.top));
}

/* --- evidence --------------------------------------------------------------
 */

static struct str times(const struct page *p, double ln)
{
	if (ln > log(1e6))
		return S("over a million");
	if (ln < log(0.01))
		return S("under 0.01");
	if (ln > log(100))
		return page_f(p, "%.0f", exp(ln));
	return page_f(p, "%.3g", exp(ln));
}

/* Pixels from the middle; a threshold is at LINE_MARK. */
static double reach(double ln, double threshold)
{
	double x = threshold > 1 ? LINE_MARK * ln / log(threshold) : 0;

	return x < 0 ? 0 : fmin(x, LINE_HALF);
}

/* Logarithmic from 1 in the middle: to the left for, to the right against. */
static void line(
	const struct page *p, double bad, double fail, double good, double pass)
{
	double l = reach(good, pass), r = reach(bad, fail);

	page_raw(p, "<svg class=\"evidence\" viewBox=\"0 0 240 14\" "
		    "aria-hidden=\"true\"><path class=\"axis\" "
		    "d=\"M0 7H240M120 3V11\"/>");
	buf_addf(p->out,
		"<rect class=\"good\" x=\"%.1f\" y=\"4\" width=\"%.1f\" "
		"height=\"6\"/><rect class=\"bad\" x=\"%d\" y=\"4\" "
		"width=\"%.1f\" height=\"6\"/>",
		LINE_HALF - l, l, LINE_HALF, r);
	if (pass > 0)
		buf_addf(p->out, "<path class=\"mark\" d=\"M%d 0V14\"/>",
			LINE_HALF - LINE_MARK);
	buf_addf(p->out, "<path class=\"mark\" d=\"M%d 0V14\"/></svg>",
		LINE_HALF + LINE_MARK);
}

static void evidence(const struct page *p, struct str m, double beta)
{
	double bad = page_number(m, "/ln_evidence"),
	       fail = page_number(m, "/threshold"), good = 0, pass = 0;

	if (page_part(m, "/ln_pass_evidence").len && beta > 0) {
		good = page_number(m, "/ln_pass_evidence");
		pass = 1 / beta;
	}
	line(p, bad, fail, good, pass);
	page_raw(p, "<p class=\"more\">");
	if (pass > 0)
		PUT(p, "good: @ of @ that pass; ", times(p, good),
			page_f(p, "%.0f", pass));
	PUT(p, "bad: @ of @ that fail</p>\n", times(p, bad),
		page_f(p, "%.0f", fail));
}

static const char *judged(struct str m, double beta)
{
	if (page_number(m, "/threshold") > 0 &&
		page_number(m, "/ln_evidence") >=
			log(page_number(m, "/threshold")))
		return "FAIL";
	if (beta > 0 && page_part(m, "/ln_pass_evidence").len)
		return page_number(m, "/ln_pass_evidence") >= -log(beta)
			       ? "good"
			       : "not sure yet";
	return "not worse so far";
}

static void metric(
	const struct page *p, const struct metric *m, struct str verdict)
{
	struct str doc =
		page_part(verdict, page_f(p, "/metrics/%s", m->name).ptr);
	double beta = page_number(verdict, "/config/beta");

	if (!doc.len)
		return;
	PUT(p, "<div class=\"metric\"><h3>@: @</h3>\n", str_from(m->title),
		str_from(judged(doc, beta)));
	chart(p, m);
	evidence(p, doc, beta);
	page_raw(p, "<p>");
	for (size_t arm = 0; arm < ARMS; arm++) {
		struct str x = page_part(doc, page_f(p, "/%s", arms[arm]).ptr);

		PUT(p, "<span class=\"key @\"></span>@ @ (@ of @) ",
			str_from(arms[arm]), str_from(arms[arm]),
			page_f(p, "%.3g%%", 100 * page_number(x, "/rate")),
			page_see(p, x, "/count"), page_see(p, x, "/of"));
	}
	page_raw(p, "</p></div>\n");
}

void page_verdict(const struct page *p)
{
	struct str v = page_part(p->docs->verdict, "/verdict");

	page_raw(p, "<section><h2>Is it good?</h2>\n");
	if (!v.len) {
		page_raw(p, "<p>No rollout was judged yet.</p></section>\n");
		return;
	}
	PUT(p, "<p class=\"verdict @\">Rollout @: @.</p>\n",
		page_see(p, v, "/outcome"),
		page_see(p, p->docs->verdict, "/rollout"),
		page_see(p, v, "/reason"));
	for (size_t i = 0; i < COUNT(metrics); i++)
		metric(p, &metrics[i], v);
	page_raw(p, "</section>\n");
}
