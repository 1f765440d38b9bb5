/*
 * Reports for GitHub's runner: workflow commands and the summary of a job.
 *
 * A command is a line that begins with "::", whoever printed it. In its message
 * percent signs and line ends are escaped, in its properties colons and commas
 * too; nothing else ends them. The runner shows ten commands of each kind for
 * a step and drops the rest, so the ten are chosen here.
 */
#include "gates/report.h"

#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/xml.h"

enum {
	SHOWN_MAX = 10, /* of a kind, for a step */
	/* Bytes of a summary; the runner refuses more than 1 MiB. */
	SUMMARY_MAX = 1000000,
};

/* --- commands
 * ----------------------------------------------------------------- */

/* `special`: characters to escape beside those that all texts have. */
static void escape(struct buf *out, struct str s, const char *special)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c && strchr(special, c))
			buf_addf(out, "%%%02X", c);
		else
			buf_addc(out, s.ptr[i]);
	}
}

/* A foreign text, in one line of a command. */
static void put(struct buf *out, struct str s, const char *special)
{
	struct buf seen = {0};

	report_visible(&seen, s, "\n");
	escape(out, buf_str(&seen), special);
	buf_release(&seen);
}

static void property(struct buf *out, const char *name, struct str value)
{
	buf_addf(out, "%s=", name);
	put(out, value, "%\r\n:,");
}

static void line(struct buf *out, const char *before, const char *text)
{
	if (text && *text)
		buf_addf(out, "%s%s%s", out->len ? "\n" : "", before, text);
}

/* "test data.a_test.test_x", "waivers W012" */
static void title(struct buf *out, const struct finding *f)
{
	struct buf text = {0};

	buf_adds(&text, f->gate ? f->gate : "");
	if (f->code)
		buf_addf(&text, " %s", f->code);
	if (f->subject)
		buf_addf(&text, " %s", f->subject);
	property(out, "title", buf_str(&text));
	buf_release(&text);
}

static void place(struct buf *out, const struct finding *f)
{
	if (!f->file)
		return;
	property(out, ",file", str_from(f->file));
	if (f->row)
		buf_addf(out, ",line=%u", f->row);
	if (f->row && f->col)
		buf_addf(out, ",col=%u", f->col);
}

static void command(struct buf *out, const char *kind, const struct finding *f,
	size_t beyond)
{
	struct buf text = {0};

	buf_addf(out, "::%s ", kind);
	title(out, f);
	place(out, f);
	buf_adds(out, "::");
	line(&text, "", f->message);
	line(&text, "", f->detail);
	line(&text, "again: ", f->again);
	put(out, buf_str(&text), "%\r\n");
	if (beyond)
		buf_addf(out, "%%0Aand %zu more: see the summary", beyond);
	buf_addc(out, '\n');
	buf_release(&text);
}

/* --- choosing
 * ----------------------------------------------------------------- */

/* What a finding is about: the folder of a policy, or another file. */
static struct str policy_of(const struct finding *f)
{
	struct str file = str_from(f->file ? f->file : f->gate);
	size_t fixtures = str_find(file, S("/fixtures/"), 0);

	if (fixtures != SIZE_MAX)
		return str_slice(file, 0, fixtures);
	if (!str_ends(file, S(".rego")))
		return file;
	while (file.len && file.ptr[file.len - 1] != '/')
		file.len--;
	return str_slice(file, 0, file.len ? file.len - 1 : 0);
}

struct choice {
	const struct finding *shown[SHOWN_MAX];
	size_t n;
};

static bool is_shown(const struct choice *c, const struct finding *f)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->shown[i] == f)
			return true;
	return false;
}

static bool has_policy(const struct choice *c, const struct finding *f)
{
	for (size_t i = 0; i < c->n; i++)
		if (str_eq(policy_of(c->shown[i]), policy_of(f)))
			return true;
	return false;
}

/* `fresh`: one each of policies that have none yet; then whatever is left. */
static void choose(struct choice *c, const struct gate_report *r,
	enum gate_level least, enum gate_level most, bool changed, bool fresh)
{
	for (size_t i = 0; i < r->nfindings && c->n < SHOWN_MAX; i++) {
		const struct finding *f = &r->findings[i];

		if (f->level < least || f->level > most ||
			f->changed != changed)
			continue;
		if (fresh ? !has_policy(c, f) : !is_shown(c, f))
			c->shown[c->n++] = f;
	}
}

static void commands(struct buf *out, const struct gate_report *r,
	const char *kind, enum gate_level least, enum gate_level most)
{
	struct choice c = {0};
	size_t all = 0;

	for (size_t i = 0; i < r->nfindings; i++)
		all += r->findings[i].level >= least &&
		       r->findings[i].level <= most;
	for (int pass = 0; pass < 4; pass++)
		choose(&c, r, least, most, pass % 2 == 0, pass < 2);
	for (size_t i = 0; i < c.n; i++)
		command(out, kind, c.shown[i], i + 1 == c.n ? all - c.n : 0);
}

void gate_report_github(struct buf *out, const struct gate_report *r)
{
	commands(out, r, "error", GATE_FAIL, GATE_BROKEN);
	commands(out, r, "warning", GATE_WARN, GATE_WARN);
	commands(out, r, "notice", GATE_OK, GATE_NOTE);
}

/*
 * The word that ends the log is its own digest: nobody can write a text that
 * holds it, and the same log gives the same bytes.
 */
void gate_report_github_log(struct buf *out, struct str log)
{
	unsigned char sum[DIGEST_MAX];
	struct buf token = {0};

	digest(DIGEST_SHA256, log, sum);
	digest_hex(&token, sum, digest_size(DIGEST_SHA256));
	buf_addf(out, "::stop-commands::%s\n", token.ptr);
	buf_addstr(out, log);
	if (log.len && log.ptr[log.len - 1] != '\n')
		buf_addc(out, '\n');
	buf_addf(out, "::%s::\n", token.ptr);
	buf_release(&token);
}

/* --- the summary
 * -------------------------------------------------------------- */

/*
 * In HTML, because nothing between its tags is read as Markdown as long as
 * there is no blank line: line ends are tags too.
 */
static void html(struct buf *out, struct str s)
{
	struct buf seen = {0}, text = {0};

	report_visible(&seen, s, "\n");
	xml_text(&text, buf_str(&seen));
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\n')
			buf_adds(out, "<br>");
		else
			buf_addc(out, text.ptr[i]);
	}
	buf_release(&seen);
	buf_release(&text);
}

static void cell(struct buf *out, const char *tag, const char *text)
{
	buf_addf(out, "<%s>", tag);
	html(out, str_from(text));
	buf_addf(out, "</%s>", tag);
}

static void step_row(struct buf *out, const struct gate_step *s)
{
	buf_adds(out, "<tr>");
	cell(out, "td", s->skipped ? "skip" : gate_level_name(s->level));
	cell(out, "td", s->name);
	cell(out, "td", s->summary);
	buf_addf(out, "<td align=\"right\">%.2f s</td></tr>\n",
		(double)s->duration_ns / (double)NS_PER_S);
}

static void finding_row(struct buf *out, const struct finding *f)
{
	struct buf where = {0}, more = {0};

	report_place(&where, f);
	line(&where, "", f->code);
	line(&where, "", f->subject);
	line(&more, "", f->detail);
	line(&more, "again: ", f->again);
	buf_adds(out, "<tr>");
	cell(out, "td", gate_level_name(f->level));
	cell(out, "td", f->gate);
	cell(out, "td", where.ptr);
	buf_adds(out, "<td>");
	html(out, str_from(f->message));
	if (more.len)
		cell(out, "pre", more.ptr);
	buf_adds(out, "</td></tr>\n");
	buf_release(&where);
	buf_release(&more);
}

/* As many as the summary that begins at `from` has room for. */
static void finding_rows(
	struct buf *out, const struct gate_report *r, size_t from)
{
	struct buf row = {0};
	size_t i = 0;

	buf_adds(out, "<table>\n");
	for (; i < r->nfindings; i++) {
		buf_reset(&row);
		finding_row(&row, &r->findings[i]);
		if (out->len - from + row.len > SUMMARY_MAX)
			break;
		buf_addstr(out, buf_str(&row));
	}
	buf_adds(out, "</table>\n");
	if (i < r->nfindings)
		buf_addf(out, "<p>and %zu more: see report.json</p>\n",
			r->nfindings - i);
	buf_release(&row);
}

void gate_report_summary(struct buf *out, const struct gate_report *r)
{
	size_t from = out->len;

	buf_adds(out, "\n<h3>");
	html(out, str_from(r->bundle ? r->bundle : "policy"));
	buf_adds(out, ": ");
	report_verdict(out, r);
	buf_adds(out, "</h3>\n<p>");
	report_commits(out, r);
	buf_adds(out, "</p>\n<table>\n");
	for (size_t i = 0; i < r->nsteps; i++)
		step_row(out, &r->steps[i]);
	buf_adds(out, "</table>\n");
	if (r->nfindings)
		finding_rows(out, r, from);
	buf_addc(out, '\n');
}
