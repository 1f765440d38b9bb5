/*
 * The report for people: words, not only colours; the worst finding first,
 * each with its place, its reason and the command that shows it again.
 */
#include "gates/report.h"

#include <string.h>

#include "base/clock.h"
#include "base/date.h"

struct writer {
	struct buf *out;
	const struct gate_report *report;
	const struct report_style *style;
};

static const char *const paints[] = {
	[GATE_OK] = "32",
	[GATE_NOTE] = "36",
	[GATE_WARN] = "33",
	[GATE_FAIL] = "31",
	[GATE_BROKEN] = "1;31",
};

/* The width of the widest line of summaries that seconds stand behind. */
enum { SUMMARY_WIDTH = 64, INDENT = 6 };

static double seconds(int64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

static void pad(struct buf *out, size_t from, size_t width)
{
	size_t used = utf8_count(out->ptr + from, out->len - from);

	buf_addf(out, "%*s", used < width ? (int)(width - used) : 0, "");
}

/* " FAIL   ": the word that a line begins with. */
static void word(struct writer *w, enum gate_level l, bool skipped)
{
	const char *text = skipped ? "skip" : gate_level_name(l);
	const char *paint = skipped ? "2" : paints[l];
	int room = INDENT - (int)str_from(text).len;

	if (w->style->color)
		buf_addf(w->out, "\033[%sm%s\033[0m", paint, text);
	else
		buf_adds(w->out, text);
	buf_addf(w->out, "%*s", room, "");
}

static void column(struct writer *w, const char *text)
{
	buf_adds(w->out, "  ");
	report_visible(w->out, str_from(text), "\\n");
}

/* --- steps -------------------------------------------------------------------
 */

static void head(struct writer *w)
{
	const struct gate_report *r = w->report;

	report_visible(w->out, str_from(r->tool ? r->tool : "regatta"), " ");
	if (r->bundle) {
		buf_adds(w->out, "  bundle ");
		report_visible(w->out, str_from(r->bundle), "\\n");
	}
	buf_adds(w->out, "  ");
	report_commits(w->out, r);
	buf_adds(w->out, "  as of ");
	instant_text(w->out, r->as_of_ns);
	buf_addc(w->out, '\n');
}

/* Columns of the widest text, up to `most`. */
static void widen(size_t *width, const char *text, size_t most)
{
	size_t n = utf8_count(text ? text : "", str_from(text).len);

	if (n > *width && n <= most)
		*width = n;
}

static void step_line(struct writer *w, const struct gate_step *s, size_t name,
	size_t summary)
{
	struct buf *out = w->out;

	buf_addc(out, ' ');
	word(w, s->level, s->skipped);
	size_t from = out->len;

	column(w, s->name);
	pad(out, from, name + 2);
	from = out->len;
	column(w, s->summary);
	if (!s->skipped) {
		pad(out, from, summary + 2);
		buf_addf(out, "  %6.2f s", seconds(s->duration_ns));
	}
	buf_addc(out, '\n');
}

static void steps(struct writer *w)
{
	const struct gate_report *r = w->report;
	size_t name = 0, summary = 0;

	for (size_t i = 0; i < r->nsteps; i++) {
		widen(&name, r->steps[i].name, SUMMARY_WIDTH);
		widen(&summary, r->steps[i].summary, SUMMARY_WIDTH);
	}
	for (size_t i = 0; i < r->nsteps; i++)
		step_line(w, &r->steps[i], name, summary);
}

/* --- cases and findings
 * ---------------------------------------------------------- */

/* A text below a line, all its lines indented; NULL: nothing. */
static void below(struct writer *w, const char *before, const char *text)
{
	static const char line_end[] = "\n      ";

	if (!text || !text[strspn(text, "\r\n")])
		return;
	buf_addf(w->out, "%*s%s", INDENT, "", before);
	report_visible(w->out, str_from(text), line_end);
	buf_addc(w->out, '\n');
}

static void case_line(struct writer *w, const struct gate_case *c)
{
	buf_addc(w->out, ' ');
	word(w, c->problem ? c->problem->level : GATE_OK, c->skip);
	column(w, c->class);
	column(w, c->name);
	column(w, c->suite);
	if (c->row)
		buf_addf(w->out, ":%u", c->row);
	if (!c->skip)
		buf_addf(w->out, "  %.3f s", seconds(c->duration_ns));
	buf_addc(w->out, '\n');
	below(w, "printed: ", c->output);
}

static void cases(struct writer *w)
{
	if (w->report->ncases)
		buf_addc(w->out, '\n');
	for (size_t i = 0; i < w->report->ncases; i++)
		case_line(w, &w->report->cases[i]);
}

static void finding(struct writer *w, const struct finding *f,
	const struct gate_case *owner)
{
	word(w, f->level, false);
	column(w, f->gate);
	if (f->file) {
		buf_adds(w->out, "  ");
		report_place(w->out, f);
	}
	if (f->code)
		column(w, f->code);
	if (f->subject)
		column(w, f->subject);
	buf_addc(w->out, '\n');
	below(w, "", f->message);
	below(w, "", f->detail);
	if (owner && !w->style->verbose)
		below(w, "printed: ", owner->output);
	below(w, "again: ", f->again);
	buf_addc(w->out, '\n');
}

static void findings(struct writer *w)
{
	const struct gate_report *r = w->report;
	struct arena scratch = {0};
	const struct gate_case **owners = report_owners(&scratch, r);

	for (size_t i = 0; i < r->nfindings; i++)
		if (!w->style->quiet || r->findings[i].level >= GATE_FAIL)
			finding(w, &r->findings[i], owners[i]);
	arena_release(&scratch);
}

void gate_report_text(struct buf *out, const struct gate_report *r,
	const struct report_style *s)
{
	struct writer w = {.out = out, .report = r, .style = s};

	if (!s->quiet) {
		head(&w);
		steps(&w);
		if (s->verbose)
			cases(&w);
		buf_addc(out, '\n');
	}
	findings(&w);
	report_verdict(out, r);
	buf_addf(out, " in %.1f s\n", seconds(r->duration_ns));
}
