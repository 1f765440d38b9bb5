/*
 * The gates in their order, and what they report through.
 */
#include "gates/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

static const struct gate {
	const char *name;
	void (*run)(struct run *r);
	enum {
		SOURCE,
		DATA,
		CODE,
		EVALUATES
	} needs; /* what it makes, or wants */
} gates[] = {
	{"source", gate_source, SOURCE}, /* wants signers */
	{"waivers", gate_waivers, DATA},
	{"stages", gate_stages, DATA},
	{"load", gate_load, CODE},
	{"check", gate_check, CODE},
	{"test", gate_test, EVALUATES}, /* wants modules that compile */
	{"fixtures", gate_fixtures, EVALUATES},
	{"coverage", gate_coverage, EVALUATES},
	{"changes", gate_changes, EVALUATES},
};

#define NGATES (sizeof(gates) / sizeof(gates[0]))

/* --- findings ----------------------------------------------------------------
 */

static struct finding *find(struct run *r, enum gate_level level)
{
	struct found *f = ARENA_NEW(r->arena, struct found);

	r->found = arena_grow(r->arena, r->found, r->nfound, &r->cap_found,
		sizeof(*r->found));
	r->found[r->nfound++] = f;
	f->finding.gate = r->step->name;
	f->finding.level = level;
	if (level > r->step->level)
		r->step->level = level;
	return &f->finding;
}

struct finding *find_at(struct run *r, enum gate_level level, const char *file,
	uint32_t row, uint32_t col, const char *code, const char *fmt, ...)
{
	struct finding *f = find(r, level);
	struct buf text = {0};
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_adds(&text, line);
	f->file = file ? arena_strdup(r->arena, str_from(file)) : NULL;
	f->row = row;
	f->col = col;
	f->code = code ? arena_strdup(r->arena, str_from(code)) : NULL;
	f->message = arena_strdup(r->arena, buf_str(&text));
	buf_release(&text);
	return f;
}

/* ":12" at *p; false when it is something else. */
static bool colon_number(const char **p, uint32_t *out)
{
	char *end;

	if (**p != ':' || (*p)[1] < '0' || (*p)[1] > '9')
		return false;
	*out = (uint32_t)strtoul(*p + 1, &end, 10);
	*p = end;
	return true;
}

/* "name:3:7: text" taken apart; false when it does not begin so. */
static bool split_place(struct run *r, const char *text, struct finding *f)
{
	const char *colon = strchr(text, ':'), *p = colon;

	if (!p || !colon_number(&p, &f->row) || !colon_number(&p, &f->col) ||
		p[0] != ':' || p[1] != ' ')
		return false;
	f->file =
		arena_strdup(r->arena, str_make(text, (size_t)(colon - text)));
	f->message = arena_strdup(r->arena, str_from(p + 2));
	return true;
}

/* "name: text" of a file of the commit taken apart; false when it is none. */
static bool split_file(struct run *r, const char *text, struct finding *f)
{
	const char *colon = strstr(text, ": ");
	struct str path = str_make(text, colon ? (size_t)(colon - text) : 0);

	if (!repo_find(r->o->repo, path))
		return false;
	f->file = arena_strdup(r->arena, path);
	f->message = arena_strdup(r->arena, str_from(colon + 2));
	return true;
}

void find_err(struct run *r, enum gate_level level, const char *code,
	const struct err *e)
{
	struct finding *f = find(r, level);

	f->code = code;
	if (!split_place(r, e->text, f) && !split_file(r, e->text, f))
		f->message = arena_strdup(r->arena, str_from(e->text));
}

const char *cut_text(struct run *r, struct str s, size_t max)
{
	size_t n = max;

	if (s.len <= max)
		return arena_strdup(r->arena, s);
	while (n && (s.ptr[n] & 0xc0) == 0x80) /* not inside a character */
		n--;
	return arena_printf(r->arena, "%.*s...", (int)n, s.ptr);
}

static const char *source_line(struct run *r, const struct diag *x)
{
	return cut_text(r, str_make(x->line, x->line_len), SOURCE_LINE_MAX);
}

void find_diags(struct run *r, enum gate_level level, const struct diags *d,
	size_t from)
{
	for (size_t i = from; i < d->len; i++) {
		const struct diag *x = &d->items[i];
		struct str text = str_from(x->message);
		struct str first = str_take(&text, S("\n"));
		struct finding *f = find_at(r, level, x->file, x->row, x->col,
			x->code, "%.*s", STR_ARG(first));

		if (text.len)
			f->detail = arena_strdup(r->arena, text);
		else if (x->line)
			f->detail = source_line(r, x);
	}
}

const char *limit_text(struct run *r, const struct rego_error *e)
{
	static const struct {
		const char *text, *key;
	} limits[] = {
		{"caller cancelled", "test.timeout"},
		{"limit of memory", "test.budget.memory"},
		{" steps", "test.budget.steps"},
	};

	if (!e->code || strcmp(e->code, "eval_cancel_error") != 0)
		return NULL;
	for (size_t i = 0; i < COUNT(limits); i++)
		if (strstr(e->message, limits[i].text))
			return arena_printf(r->arena,
				"%s in regatta.yaml is the limit",
				limits[i].key);
	return NULL;
}

void summary(struct run *r, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	r->step->summary = arena_strdup(r->arena, str_from(line));
}

struct gate_case *case_add(struct run *r)
{
	struct gate_report *out = r->report;
	uint32_t n = (uint32_t)out->ncases++;

	out->cases = arena_grow(
		r->arena, out->cases, n, &r->cap_cases, sizeof(*out->cases));
	out->cases[n] = (struct gate_case){0};
	return &out->cases[n];
}

void extra_add(struct run *r, const char *path, const struct buf *content)
{
	struct gate_report *out = r->report;

	if (!out->extra)
		out->extra = ARENA_ARRAY(r->arena, struct bundle_file, NGATES);
	out->extra[out->nextra++] = (struct bundle_file){
		.path = str_from(arena_strdup(r->arena, str_from(path))),
		.content = arena_str(r->arena, buf_str(content))};
}

bool path_is_test(struct str path)
{
	return str_ends(path, S("_test.rego"));
}

bool path_is_fixture(struct str path)
{
	return str_find(path, S("/fixtures/"), 0) != SIZE_MAX;
}

const char *count_text(struct run *r, uint64_t n)
{
	char digits[24], out[32];
	int len =
		snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	size_t to = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[to++] = ',';
		out[to++] = digits[i];
	}
	return arena_strdup(r->arena, str_make(out, to));
}

const char *plural(struct run *r, uint64_t n, const char *one, const char *many)
{
	return arena_printf(
		r->arena, "%s %s", count_text(r, n), n == 1 ? one : many);
}

/* --- the end
 * ------------------------------------------------------------------- */

static bool has_changed(const struct gate_options *o, const char *file)
{
	const struct repo_file *now, *before;

	if (!o->base || !file)
		return false;
	now = repo_find(o->repo, str_from(file));
	before = repo_find(o->base, str_from(file));
	return now && (!before || !str_eq(now->content, before->content));
}

/* The worst first; of the same level in order of arrival. */
static void settle_findings(struct run *r)
{
	struct gate_report *out = r->report;

	out->findings = ARENA_ARRAY(r->arena, struct finding, r->nfound);
	for (int level = GATE_BROKEN; level >= GATE_OK; level--)
		for (uint32_t i = 0; i < r->nfound; i++) {
			struct found *f = r->found[i];

			if ((int)f->finding.level != level)
				continue;
			f->last = &out->findings[out->nfindings++];
			*f->last = f->finding;
			f->last->changed = has_changed(r->o, f->finding.file);
		}
	for (size_t i = 0; i < out->ncases; i++) {
		const struct finding *f = out->cases[i].problem;

		if (f) /* the first member of a struct found */
			out->cases[i].problem =
				((const struct found *)(const void *)f)->last;
	}
}

/* Who may sign is known on some machines, and what a commit's base is. */
static bool is_of_commit(const struct gate_step *s)
{
	return strcmp(s->name, "changes") != 0 &&
	       strcmp(s->name, "source") != 0;
}

/*
 * What was judged and how it ended. The bundle carries it, so it is the same on
 * every machine, on every day on which the commit passes (a waiver that expires
 * soon is a warning), and whatever the commit was compared with.
 */
static void report_digest(struct gate_report *out)
{
	struct buf text = {0}, hex = {0};
	unsigned char sum[DIGEST_MAX];

	for (size_t i = 0; i < out->nsteps; i++) {
		const struct gate_step *s = &out->steps[i];

		if (is_of_commit(s))
			buf_addf(&text, "%s %s\n", s->name,
				s->skipped ? "skipped"
				: s->level < GATE_FAIL
					? gate_level_name(GATE_OK)
					: gate_level_name(s->level));
	}
	for (size_t i = 0; i < out->ncases; i++)
		buf_addf(&text, "%s %s %s\n", out->cases[i].class,
			out->cases[i].name,
			out->cases[i].skip      ? "skipped"
			: out->cases[i].problem ? "failed"
						: "passed");
	digest(DIGEST_SHA256, buf_str(&text), sum);
	digest_hex(&hex, sum, digest_size(DIGEST_SHA256));
	snprintf(out->digest, sizeof(out->digest), "sha256:%s", hex.ptr);
	buf_release(&text);
	buf_release(&hex);
}

static void run_gate(struct run *r, const struct gate *g)
{
	int64_t from = clock_mono(r->clock);

	r->step = &r->report->steps[r->report->nsteps++];
	r->step->name = g->name;
	r->step->summary = "";
	if (g->needs == EVALUATES && !r->compiled) {
		r->step->skipped = true;
		r->step->summary = "not run: the modules do not compile";
		return;
	}
	g->run(r);
	r->step->duration_ns = clock_mono(r->clock) - from;
}

static bool is_wanted(const struct gate_options *o, const struct gate *g)
{
	if (g->needs == SOURCE)
		return o->source;
	return !o->data_only || g->needs == DATA;
}

void gates_run(struct gate_report *out, const struct gate_options *o,
	const struct clock *clock)
{
	int64_t from = clock_mono(clock);

	*out = (struct gate_report){.coverage = -1,
		.as_of_ns = o->now_ns,
		.tool = o->tool,
		.bundle = o->config->bundle};
	struct run r = {
		.o = o, .clock = clock, .report = out, .arena = &out->arena};

	snprintf(out->commit, sizeof(out->commit), "%s", o->repo->commit);
	if (o->base)
		snprintf(out->base, sizeof(out->base), "%s", o->base->commit);
	out->steps = ARENA_ARRAY(r.arena, struct gate_step, NGATES);
	for (size_t i = 0; i < NGATES; i++)
		if (is_wanted(o, &gates[i]))
			run_gate(&r, &gates[i]);
	for (size_t i = 0; i < out->nsteps; i++)
		if (out->steps[i].level > out->level)
			out->level = out->steps[i].level;
	settle_findings(&r);
	report_digest(out);
	out->duration_ns = clock_mono(clock) - from;
	if (r.runner)
		runner_free(r.runner);
	if (r.engine)
		rego_free(r.engine);
	bundle_release(&r.bundle);
	map_release(&r.stages);
}

void gate_report_release(struct gate_report *r)
{
	arena_release(&r->arena);
	*r = (struct gate_report){0};
}
