/*
 * The report for programs. Names and the order of members are part of the
 * schema; one that is left out is not known or empty.
 */
#include "gates/report.h"

#include <inttypes.h>
#include <math.h>

#include "base/date.h"
#include "base/digest.h"
#include "base/json.h"

static void key(struct buf *out, const char *name)
{
	char last = out->ptr[out->len - 1];

	if (last != '{')
		buf_addc(out, ',');
	json_quote(out, str_from(name));
	buf_addc(out, ':');
}

static void text(struct buf *out, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	key(out, name);
	json_quote(out, str_from(value));
}

static void number(struct buf *out, const char *name, int64_t n)
{
	key(out, name);
	buf_addf(out, "%" PRId64, n);
}

/* Rows, columns and sizes: 0 is not known. */
static void size(struct buf *out, const char *name, size_t n)
{
	if (n)
		number(out, name, (int64_t)n);
}

static void truth(struct buf *out, const char *name, bool is)
{
	if (!is)
		return;
	key(out, name);
	buf_adds(out, "true");
}

/* Between the members of a list. */
static void next(struct buf *out, size_t i)
{
	buf_adds(out, i ? ",{" : "{");
}

/* --- lists -------------------------------------------------------------------
 */

static void steps(struct buf *out, const struct gate_report *r)
{
	key(out, "steps");
	buf_addc(out, '[');
	for (size_t i = 0; i < r->nsteps; i++) {
		const struct gate_step *s = &r->steps[i];

		next(out, i);
		text(out, "name", s->name);
		text(out, "level", report_level(s->level));
		truth(out, "skipped", s->skipped);
		text(out, "summary", s->summary);
		number(out, "duration_ns", s->duration_ns);
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

static void findings(struct buf *out, const struct gate_report *r)
{
	key(out, "findings");
	buf_addc(out, '[');
	for (size_t i = 0; i < r->nfindings; i++) {
		const struct finding *f = &r->findings[i];

		next(out, i);
		text(out, "gate", f->gate);
		text(out, "level", report_level(f->level));
		text(out, "file", f->file);
		size(out, "row", f->row);
		size(out, "col", f->col);
		text(out, "code", f->code);
		text(out, "subject", f->subject);
		text(out, "message", f->message);
		text(out, "detail", f->detail);
		text(out, "again", f->again);
		truth(out, "changed", f->changed);
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

static void cases(struct buf *out, const struct gate_report *r)
{
	key(out, "cases");
	buf_addc(out, '[');
	for (size_t i = 0; i < r->ncases; i++) {
		const struct gate_case *c = &r->cases[i];

		next(out, i);
		text(out, "suite", c->suite);
		text(out, "class", c->class);
		text(out, "name", c->name);
		size(out, "row", c->row);
		text(out, "level",
			report_level(c->problem ? c->problem->level : GATE_OK));
		truth(out, "skipped", c->skip);
		if (c->problem)
			number(out, "problem",
				(int64_t)report_index(r, c->problem));
		text(out, "output", c->output);
		number(out, "duration_ns", c->duration_ns);
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

/* Files made for the bundle, by their sums: they are found in it. */
static void extra(struct buf *out, const struct gate_report *r)
{
	unsigned char sum[DIGEST_MAX];

	key(out, "made");
	buf_addc(out, '[');
	for (size_t i = 0; i < r->nextra; i++) {
		const struct bundle_file *f = &r->extra[i];

		next(out, i);
		key(out, "path");
		json_quote(out, f->path);
		number(out, "size", (int64_t)f->content.len);
		digest(DIGEST_SHA256, f->content, sum);
		key(out, "digest");
		buf_adds(out, "\"sha256:");
		digest_hex(out, sum, digest_size(DIGEST_SHA256));
		buf_adds(out, "\"}");
	}
	buf_addc(out, ']');
}

static void signer(struct buf *out, const struct gate_signer *s)
{
	if (!s->key)
		return;
	key(out, "signer");
	buf_addc(out, '{');
	text(out, "what", s->what);
	text(out, "who", s->who);
	text(out, "key", s->key);
	buf_addc(out, '}');
}

/* --- the whole
 * ----------------------------------------------------------------- */

static void head(struct buf *out, const struct gate_report *r)
{
	text(out, "schema", "regatta.report/1");
	text(out, "tool", r->tool);
	text(out, "bundle", r->bundle);
	text(out, "commit", r->commit);
	text(out, "base", r->base);
	key(out, "as_of");
	buf_addc(out, '"');
	instant_text(out, r->as_of_ns);
	buf_addc(out, '"');
	text(out, "level", report_level(r->level));
	text(out, "digest", r->digest);
}

void gate_report_json(struct buf *out, const struct gate_report *r)
{
	buf_addc(out, '{');
	head(out, r);
	signer(out, &r->signer);
	number(out, "policies", (int64_t)r->npolicies);
	number(out, "modules", (int64_t)r->nmodules);
	number(out, "data", (int64_t)r->ndata);
	if (isfinite(r->coverage) && r->coverage >= 0) {
		key(out, "coverage");
		buf_addf(out, "%.2f", r->coverage);
	}
	number(out, "duration_ns", r->duration_ns);
	steps(out, r);
	findings(out, r);
	cases(out, r);
	extra(out, r);
	buf_addc(out, '}');
}
