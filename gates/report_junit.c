/*
 * JUnit XML. There is no standard; this is what the schema of Jenkins takes
 * and all viewers read: in a case skipped, error, failure, system-out in this
 * order, no attributes on skipped, none called skipped on testsuites.
 *
 * GitLab shows the class as the suite and takes cases of the same class and
 * name for one, so these pairs are unique over the whole document.
 */
#include "gates/report.h"

#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/map.h"
#include "base/xml.h"

struct item {
	const char *class, *name, *file; /* file NULL: none */
	bool skip;
	const struct finding *problem; /* NULL: passed */
	const char *output;
	int64_t duration_ns;
	struct item *next;
};

struct suite {
	const char *name;
	struct item *first, **end;
	size_t tests, failures, errors, skipped;
	int64_t duration_ns;
	struct suite *next;
};

struct writer {
	struct arena arena;
	struct buf *out;
	const struct gate_report *report;
	bool wide;
	struct suite *first, **end; /* in order of their first case */
	struct map suites, names;
	size_t tests, failures, errors;
};

/* --- collecting
 * --------------------------------------------------------------- */

static struct suite *suite_at(struct writer *w, const char *name)
{
	void **place = map_at(&w->suites, str_from(name));
	struct suite *s = *place;

	if (s)
		return s;
	s = ARENA_NEW(&w->arena, struct suite);
	*s = (struct suite){.name = name, .end = &s->first};
	*w->end = s;
	w->end = &s->next;
	*place = s;
	return s;
}

/*
 * The name, with #2, #3 behind it if there is one as it will be written: two
 * broken names may look the same.
 */
static const char *unique(struct writer *w, const char *class, const char *name)
{
	struct buf key = {0};
	size_t *last, n;

	xml_attr(&key, "", str_from(class));
	xml_attr(&key, "", str_from(name));
	void **place = map_at(&w->names, arena_str(&w->arena, buf_str(&key)));

	buf_release(&key);
	if (!*place) {
		last = ARENA_NEW(&w->arena, size_t);
		*last = 1;
		*place = last;
		return name;
	}
	last = *place;
	n = ++*last;
	return unique(w, class, arena_printf(&w->arena, "%s#%zu", name, n));
}

static enum gate_level item_level(const struct item *i)
{
	return i->problem ? i->problem->level : GATE_OK;
}

static void add(struct writer *w, const char *suite, struct item item)
{
	struct suite *s = suite_at(w, suite);
	struct item *i = ARENA_NEW(&w->arena, struct item);

	*i = item;
	i->name = unique(w, i->class, i->name);
	*s->end = i;
	s->end = &i->next;
	/* What is wrong was not skipped. */
	i->skip &= item_level(i) < GATE_FAIL;
	s->tests++;
	s->skipped += i->skip;
	s->failures += item_level(i) == GATE_FAIL;
	s->errors += item_level(i) == GATE_BROKEN;
	s->duration_ns += i->duration_ns;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static void add_cases(struct writer *w)
{
	for (size_t i = 0; i < w->report->ncases; i++) {
		const struct gate_case *c = &w->report->cases[i];

		add(w, or_empty(c->suite),
			(struct item){.class = or_empty(c->class),
				.name = or_empty(c->name),
				.file = c->suite,
				.skip = c->skip,
				.problem = c->problem,
				.output = c->output,
				.duration_ns = c->duration_ns});
	}
}

static const char *suite_name(struct writer *w, const char *gate)
{
	return arena_printf(&w->arena, "gate %s", or_empty(gate));
}

static const char *class_name(struct writer *w, const char *gate)
{
	return arena_printf(&w->arena, "gate.%s", or_empty(gate));
}

/* What the finding is about, without what changes from run to run. */
static const char *finding_name(struct writer *w, const struct finding *f)
{
	const char *about = f->subject ? f->subject
			    : f->file  ? f->file
				       : or_empty(f->message);

	return f->code ? arena_printf(&w->arena, "%s %s", f->code, about)
		       : about;
}

static void add_finding(struct writer *w, const struct finding *f)
{
	add(w, suite_name(w, f->gate),
		(struct item){.class = class_name(w, f->gate),
			.name = finding_name(w, f),
			.file = f->file,
			.problem = f});
}

/* Does a finding say why the step ended as it did? */
static bool is_told(const struct gate_report *r, const struct gate_step *s)
{
	for (size_t i = 0; i < r->nfindings; i++)
		if (r->findings[i].level == s->level &&
			!strcmp(or_empty(r->findings[i].gate),
				or_empty(s->name)))
			return true;
	return false;
}

/* Of a gate that failed without a finding, its own line is the reason. */
static void add_step(struct writer *w, const struct gate_step *s)
{
	struct item i = {.class = class_name(w, s->name),
		.name = or_empty(s->name),
		.skip = s->skipped,
		.output = s->summary,
		.duration_ns = s->duration_ns};

	if (s->level >= GATE_FAIL && !is_told(w->report, s)) {
		struct finding *f = ARENA_NEW(&w->arena, struct finding);

		*f = (struct finding){.gate = s->name,
			.level = s->level,
			.message = s->summary};
		i.problem = f;
	}
	add(w, suite_name(w, s->name), i);
}

static void collect(struct writer *w)
{
	const struct gate_report *r = w->report;
	const struct gate_case **owners = report_owners(&w->arena, r);

	for (size_t i = 0; i < r->nsteps; i++)
		add_step(w, &r->steps[i]);
	for (size_t i = 0; i < r->nfindings; i++)
		if (!owners[i])
			add_finding(w, &r->findings[i]);
	add_cases(w);
	for (struct suite *s = w->first; s; s = s->next) {
		w->tests += s->tests;
		w->failures += s->failures;
		w->errors += s->errors;
	}
}

/* --- writing
 * ------------------------------------------------------------------ */

static void attr(struct writer *w, const char *name, const char *value)
{
	xml_attr(w->out, name, str_from(value));
}

static void element(struct writer *w, const char *name, const struct buf *text)
{
	if (!text->len)
		return;
	buf_addf(w->out, "<%s>", name);
	xml_text(w->out, buf_str(text));
	buf_addf(w->out, "</%s>", name);
}

static void line(struct buf *out, const char *before, const char *text)
{
	if (text && *text)
		buf_addf(out, "%s%s\n", before, text);
}

static void place_line(struct buf *out, const struct finding *f)
{
	report_place(out, f);
	if (f->file)
		buf_addc(out, '\n');
}

static void problem(struct writer *w, const struct finding *f)
{
	const char *name = f->level == GATE_BROKEN ? "error" : "failure";
	struct buf text = {0};

	buf_addf(w->out, "<%s", name);
	attr(w, "message", f->message);
	attr(w, "type", f->code ? f->code : report_level(f->level));
	buf_addc(w->out, '>');
	place_line(&text, f);
	line(&text, "", f->detail);
	line(&text, "again: ", f->again);
	xml_text(w->out, buf_str(&text));
	buf_addf(w->out, "</%s>", name);
	buf_release(&text);
}

/* What did not make the case fail is said in its output. */
static void remark(struct buf *out, const struct finding *f)
{
	buf_addf(out, "%s: ", gate_level_name(f->level));
	line(out, "", f->message);
	place_line(out, f);
	line(out, "", f->detail);
	line(out, "again: ", f->again);
}

static void testcase(struct writer *w, const struct item *i)
{
	struct buf text = {0};

	buf_adds(w->out, "    <testcase");
	attr(w, "classname", i->class);
	attr(w, "name", i->name);
	if (w->wide && i->file)
		attr(w, "file", i->file);
	buf_addf(w->out, " time=\"%.6f\">",
		(double)i->duration_ns / (double)NS_PER_S);
	if (i->skip)
		buf_adds(w->out, "<skipped/>");
	if (item_level(i) >= GATE_FAIL)
		problem(w, i->problem);
	else if (i->problem)
		remark(&text, i->problem);
	line(&text, "", i->output);
	element(w, "system-out", &text);
	buf_adds(w->out, "</testcase>\n");
	buf_release(&text);
}

static void property(struct buf *out, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	buf_adds(out, "<property");
	xml_attr(out, "name", str_from(name));
	xml_attr(out, "value", str_from(value));
	buf_adds(out, "/>");
}

/* An element of this kind must not be empty. */
static void properties(struct writer *w)
{
	const struct gate_report *r = w->report;
	struct buf list = {0};

	property(&list, "bundle", r->bundle);
	property(&list, "revision", r->commit);
	property(&list, "base", r->base);
	if (list.len)
		buf_addf(w->out, "    <properties>%s</properties>\n", list.ptr);
	buf_release(&list);
}

static void suite(struct writer *w, const struct suite *s)
{
	buf_adds(w->out, "  <testsuite");
	attr(w, "name", s->name);
	buf_addf(w->out,
		" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
		"skipped=\"%zu\" time=\"%.6f\" timestamp=\"",
		s->tests, s->failures, s->errors, s->skipped,
		(double)s->duration_ns / (double)NS_PER_S);
	instant_text(w->out, w->report->as_of_ns);
	buf_adds(w->out, "\">\n");
	properties(w);
	for (const struct item *i = s->first; i; i = i->next)
		testcase(w, i);
	buf_adds(w->out, "  </testsuite>\n");
}

void gate_report_junit(struct buf *out, const struct gate_report *r, bool wide)
{
	struct writer w = {.out = out, .report = r, .wide = wide};

	w.end = &w.first;
	collect(&w);
	buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		      "<testsuites");
	attr(&w, "name", r->bundle ? r->bundle : "policy");
	buf_addf(out,
		" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
		"time=\"%.6f\">\n",
		w.tests, w.failures, w.errors,
		(double)r->duration_ns / (double)NS_PER_S);
	for (const struct suite *s = w.first; s; s = s->next)
		suite(&w, s);
	buf_adds(out, "</testsuites>\n");
	map_release(&w.suites);
	map_release(&w.names);
	arena_release(&w.arena);
}
