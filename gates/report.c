#include "gates/report.h"

#include <assert.h>
#include <string.h>

static const struct {
	const char *word, *plain;
} levels[] = {
	[GATE_OK] = {"ok", "ok"},
	[GATE_NOTE] = {"note", "note"},
	[GATE_WARN] = {"WARN", "warn"},
	[GATE_FAIL] = {"FAIL", "fail"},
	[GATE_BROKEN] = {"BROKEN", "broken"},
};

const char *gate_level_name(enum gate_level l)
{
	return levels[l].word;
}

const char *report_level(enum gate_level l)
{
	return levels[l].plain;
}

size_t report_index(const struct gate_report *r, const struct finding *f)
{
	assert(f >= r->findings && f < r->findings + r->nfindings);
	return (size_t)(f - r->findings);
}

const struct gate_case **report_owners(
	struct arena *a, const struct gate_report *r)
{
	const struct gate_case **owners =
		ARENA_ARRAY(a, const struct gate_case *, r->nfindings);

	for (size_t i = 0; i < r->ncases; i++)
		if (r->cases[i].problem)
			owners[report_index(r, r->cases[i].problem)] =
				&r->cases[i];
	return owners;
}

/* C0, DEL and C1; line separators; marks that turn the direction around. */
static bool steers(uint32_t cp)
{
	return (cp < 0x20 && cp != '\t') || (cp >= 0x7f && cp < 0xa0) ||
	       (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2066 && cp <= 0x2069) || cp == 0x200e || cp == 0x200f ||
	       cp == 0x061c;
}

void report_visible(struct buf *out, struct str s, const char *line_end)
{
	while (s.len && strchr("\r\n", s.ptr[s.len - 1]))
		s.len--;
	for (size_t i = 0; i < s.len;) {
		uint32_t cp;

		i += utf8_decode(s.ptr + i, s.len - i, &cp);
		if (cp == '\r' && i < s.len && s.ptr[i] == '\n')
			continue;
		if (cp == '\n')
			buf_adds(out, line_end);
		else if (steers(cp))
			buf_addf(out, "\\u%04x", cp);
		else
			buf_addcp(out, cp);
	}
}

void report_place(struct buf *out, const struct finding *f)
{
	if (!f->file)
		return;
	report_visible(out, str_from(f->file), "\\n");
	if (f->row)
		buf_addf(out, ":%u", f->row);
	if (f->row && f->col)
		buf_addf(out, ":%u", f->col);
}

/* --- sums ------------------------------------------------------------------
 */

static void part(struct buf *out, size_t n, const char *one, const char *many)
{
	char last = out->ptr[out->len - 1];

	if (n)
		buf_addf(out, "%s %zu %s", last == ':' ? "" : ",", n,
			n == 1 ? one : many);
}

void report_verdict(struct buf *out, const struct gate_report *r)
{
	size_t n[COUNT(levels)] = {0}, skipped = 0;

	for (size_t i = 0; i < r->nsteps; i++) {
		if (r->steps[i].skipped)
			skipped++;
		else
			n[r->steps[i].level]++;
	}
	buf_addf(out, "%zu gate%s:", r->nsteps, r->nsteps == 1 ? "" : "s");
	part(out, n[GATE_OK] + n[GATE_NOTE], "ok", "ok");
	part(out, n[GATE_WARN], "warning", "warnings");
	part(out, n[GATE_FAIL], "failed", "failed");
	part(out, n[GATE_BROKEN], "broken", "broken");
	part(out, skipped, "not run", "not run");
	if (!r->nsteps)
		buf_adds(out, " nothing was judged");
}

void report_commits(struct buf *out, const struct gate_report *r)
{
	if (r->base[0])
		buf_addf(out, "base %.7s -> ", r->base);
	if (r->commit[0])
		buf_addf(out, "head %.7s", r->commit);
	else
		buf_adds(out, "work tree");
}
