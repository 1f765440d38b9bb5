/*
 * Decisions: the log asked, page by page.
 *
 * A page ends with `next`, which goes on behind its last row when it is given
 * back: as "cursor" where rows are in order of event time, as a number where
 * they are in the order in which they came. Whoever follows it sees each row
 * once, and of a query none that came after its first page.
 */
#include "server/op_common.h"

#include "base/clock.h"
#include "base/date.h"
#include "base/json.h"
#include "server/doc.h"

#include <inttypes.h>
#include <string.h>

enum {
	PAGE_ROWS = 1000,
	PAGE_BYTES = 4 << 20,
	LOOKED_AT = 20000, /* rows of a page with pointers, fitting or not */
	PAGE_S = 5,        /* looked for rows that fit, with `where` */
	RAW_MAX = 1 << 20, /* bytes of what was no event, shown */
	POINTERS = 8,
};

/* Behind the last row of the page before, in a log of `end` events. */
struct cursor {
	int64_t time;
	uint64_t number, end;
};

struct page {
	struct op_call *c;
	struct buf *out;
	const struct clock *clock;
	int64_t until; /* on the clock's mono */
	size_t start;  /* of the rows in `out` */
	size_t rows, max;
	bool more;     /* there is another page */
	uint64_t seen; /* rows: looked at, or with those of pages before */
	/* Of queries: */
	struct cursor from, last;
	size_t most;                      /* rows looked at */
	struct dimension where[POINTERS]; /* pointers into the event */
	size_t nwhere;
};

static void page_open(struct page *p, const char *kind)
{
	int64_t max = op_int(p->c, "limit", PAGE_ROWS);

	p->max = max > 0 && max < PAGE_ROWS ? (size_t)max : PAGE_ROWS;
	doc_begin(p->out, kind);
	doc_open(p->out, "rows", '[');
	p->start = p->out->len;
}

static bool page_full(const struct page *p)
{
	return p->rows == p->max || p->out->len - p->start >= PAGE_BYTES;
}

static void page_close(struct page *p)
{
	doc_close(p->out, ']');
}

/* With its fraction, which doc_time() leaves out. */
static void write_time(struct buf *out, const char *name, int64_t ns)
{
	struct buf text = {0};

	instant_text_whole(&text, ns);
	doc_text(out, name, buf_str(&text));
	buf_release(&text);
}

/* --- one row ---------------------------------------------------------------
 */

static void write_flags(struct buf *out, unsigned flags)
{
	static const struct {
		unsigned flag;
		const char *name;
	} names[] = {
		{DECISION_CLASH, "clash"},
		{DECISION_MASKED, "masked"},
		{DECISION_FOREIGN, "foreign"},
		{DECISION_COMPILE, "compile"},
		{DECISION_BACKDATED, "backdated"},
	};

	doc_open(out, "flags", '[');
	for (size_t i = 0; i < COUNT(names); i++)
		if (flags & names[i].flag)
			doc_text(out, NULL, str_from(names[i].name));
	doc_close(out, ']');
}

/* What the pointers of `where` find: dimensions of this query alone. */
static void write_dimensions(const struct page *p, const struct decision *ev)
{
	struct str value;

	doc_open(p->out, "dimensions", '{');
	for (size_t i = 0; i < p->nwhere; i++)
		if (json_at(ev->bytes, p->where[i].name, &value)) {
			doc_named(p->out, p->where[i].name, S(""));
			p->out->len -= 2;
			buf_addstr(p->out, value);
		}
	doc_close(p->out, '}');
}

static void write_row(struct page *p, const struct decision_row *row)
{
	p->rows++;
	doc_open(p->out, NULL, '{');
	doc_int(p->out, "number", (int64_t)row->number);
	write_time(p->out, "time", row->event.time);
	write_time(p->out, "received", row->received);
	doc_text(p->out, "target", row->target);
	doc_text(p->out, "cohort", row->cohort);
	doc_text(p->out, "outcome", str_from(outcome_name(row->outcome)));
	doc_text(p->out, "revision", row->event.revision);
	write_flags(p->out, row->flags);
	write_dimensions(p, &row->event);
	doc_json(p->out, "event", row->event.bytes);
	doc_close(p->out, '}');
}

/* --- filters ---------------------------------------------------------------
 */

static bool add_where(
	struct page *p, struct decision_filter *f, struct str text)
{
	size_t at = str_find(text, S("="), 0);
	bool pointer = str_starts(text, S("/"));
	struct dimension d;

	if (at == SIZE_MAX || !at || (pointer ? p->nwhere : f->nwhere) == 8)
		return false;
	d.name = str_slice(text, 0, at);
	d.pointer = str_slice(text, at + 1, text.len);
	if (pointer)
		p->where[p->nwhere++] = d;
	else
		f->where[f->nwhere++] = d;
	return true;
}

static enum op_code read_lists(struct page *p, struct decision_filter *f)
{
	struct str *items;
	size_t n = op_list(p->c, "outcome", &items);
	enum outcome o;

	for (size_t i = 0; i < n; i++) {
		if (!outcome_find(items[i], &o))
			return op_fail(p->c, OP_USAGE,
				"outcome is \"%.*s\", must be allow, deny, "
				"advice, undefined, error or unknown",
				STR_ARG(items[i]));
		f->outcomes |= 1u << o;
	}
	n = op_list(p->c, "where", &items);
	for (size_t i = 0; i < n; i++)
		if (!add_where(p, f, items[i]))
			return op_fail(p->c, OP_USAGE,
				"where is \"%.*s\", must be NAME=VALUE or "
				"/POINTER=VALUE, and at most %d of each",
				STR_ARG(items[i]), POINTERS);
	return OP_OK;
}

static enum op_code read_filter(struct page *p, struct decision_filter *f)
{
	const struct op_call *c = p->c;
	int64_t since = op_duration(c, "since", 0);

	*f = (struct decision_filter){
		.from = op_time(c, "from", since ? c->now_ns - since : 0),
		.to = op_time(c, "to", 0),
		.path = op_text(c, "path"),
		.revision = op_text(c, "revision"),
		.target = op_text(c, "target"),
		.cohort = op_text(c, "cohort")};
	if (f->from < 0)
		f->from = 0;
	if (f->to && f->to <= f->from)
		return op_fail(p->c, OP_USAGE,
			"the period ends before it begins: `to` is excluded");
	return read_lists(p, f);
}

/* A text means itself, everything else is compared as it is written. */
static bool value_is(struct str span, struct str want)
{
	if (json_kind(span) == JSON_STRING)
		return json_text_is(span, want);
	return str_eq(span, want);
}

static bool wanted(const struct page *p, const struct decision *ev)
{
	struct str value;

	for (size_t i = 0; i < p->nwhere; i++)
		if (!json_at(ev->bytes, p->where[i].name, &value) ||
			!value_is(value, p->where[i].pointer))
			return false;
	return true;
}

#define FILTER_PARAMS                                                          \
	{"path", PARAM_TEXT, false, "of the decision; * and ** as in globs"},  \
		{"outcome", PARAM_LIST, false,                                 \
			"allow, deny, advice, undefined, error or unknown"},   \
		{"revision", PARAM_TEXT, false, "of the bundle that decided"}, \
		{"target", PARAM_TEXT, false, "who sent it"},                  \
		{"cohort", PARAM_TEXT, false, "of whom, as canary"},           \
	{                                                                      \
		"where", PARAM_LIST, false,                                    \
			"NAME=VALUE of a dimension, or /POINTER=VALUE into "   \
			"the event"                                            \
	}
#define PERIOD_PARAMS                                                          \
	{"from", PARAM_TIME, false, "not before"},                             \
		{"to", PARAM_TIME, false, "before"},                           \
	{                                                                      \
		"since", PARAM_DURATION, false, "instead of from: so long ago" \
	}
#define LIMIT_PARAM                                                            \
	{                                                                      \
		"limit", PARAM_INT, false,                                     \
			"at most so many rows (1000, which is the most)"       \
	}

/* --- query ------------------------------------------------------------------
 */

static bool read_cursor(struct str text, struct cursor *out)
{
	int64_t n[3];

	for (size_t i = 0; i < COUNT(n); i++) {
		size_t end = i < 2 ? str_find(text, S("."), 0) : text.len;

		if (end == SIZE_MAX ||
			!json_int(str_slice(text, 0, end), &n[i]) || n[i] < 0)
			return false;
		text = str_slice(text, end + (i < 2), text.len);
	}
	*out = (struct cursor){n[0], (uint64_t)n[1], (uint64_t)n[2]};
	return true;
}

/*
 * Rows that don't fit the pointers are looked at for a while, and then it is
 * the caller's turn to go on: a page may be empty.
 */
static bool query_row(void *user, const struct decision_row *row)
{
	struct page *p = user;
	bool fits = wanted(p, &row->event);

	p->more = (fits && page_full(p)) ||
		  (p->seen && clock_mono(p->clock) >= p->until);
	if (p->more)
		return false;
	if (fits)
		write_row(p, row);
	p->last.time = row->event.time;
	p->last.number = row->number;
	p->more = ++p->seen == p->most;
	return true;
}

static enum op_code begin_query(
	struct page *p, struct decisions *log, struct decision_filter *f)
{
	struct str cursor = op_text(p->c, "cursor");
	enum op_code code = read_filter(p, f);

	if (!code && op_given(p->c, "cursor")) {
		if (!read_cursor(cursor, &p->from))
			return op_fail(p->c, OP_USAGE,
				"cursor is \"%.*s\", must be the `next` of a "
				"page",
				STR_ARG(cursor));
		f->from = p->from.time;
		f->first = p->from.number + 1;
	} else if (!code) {
		code = op_code_of(decisions_end(log, &p->from.end, p->c->err));
	}
	f->end = p->from.end;
	return code;
}

static void write_next(const struct page *p)
{
	if (p->more)
		doc_text(p->out, "next",
			str_from(arena_printf(p->c->a,
				"%" PRId64 ".%" PRIu64 ".%" PRIu64,
				p->last.time, p->last.number, p->from.end)));
}

static struct page page_of(
	struct service *s, struct op_call *c, struct buf *out)
{
	return (struct page){.c = c,
		.out = out,
		.clock = service_clock(s),
		.until = clock_mono(service_clock(s)) + PAGE_S * NS_PER_S};
}

static enum op_code query(struct service *s, struct op_call *c, struct buf *out)
{
	struct page p = page_of(s, c, out);
	struct decision_filter f;
	struct decisions *log;
	enum op_code code =
		op_code_of(service_decisions(s, false, &log, c->err));

	if (!code)
		code = begin_query(&p, log, &f);
	if (code)
		return code;
	page_open(&p, "decisions");
	p.most = p.nwhere ? LOOKED_AT : p.max + 1;
	f.most = p.most;
	code = op_code_of(decisions_query(
		log, &f, op_bool(c, "scan"), query_row, &p, c->err));
	page_close(&p);
	write_next(&p);
	doc_close(out, '}');
	return code;
}

static const struct op_param query_params[] = {
	PERIOD_PARAMS,
	FILTER_PARAMS,
	{"scan", PARAM_BOOL, false,
		"read the log itself and no index: slower, the same rows"},
	LIMIT_PARAM,
	{"cursor", PARAM_TEXT, false, "go on behind a page: its `next`"},
};

const struct op op_decisions_query = {
	.name = "decisions query",
	.method = "GET",
	.pattern = "/v1/decisions",
	.roles = OP_READERS,
	.summary = "List decisions by event time, each with the bytes that the "
		   "agent sent",
	.params = query_params,
	.nparams = COUNT(query_params),
	.run = query,
};

/* --- show -------------------------------------------------------------------
 */

static bool any_row(void *user, const struct decision_row *row)
{
	struct page *p = user;

	p->more = page_full(p);
	if (!p->more)
		write_row(p, row);
	return !p->more;
}

static enum op_code show(struct service *s, struct op_call *c, struct buf *out)
{
	struct page p = page_of(s, c, out);
	struct decisions *log;
	enum status st = service_decisions(s, false, &log, c->err);

	if (st)
		return op_code_of(st);
	page_open(&p, "decision");
	st = decisions_show(log, op_text(c, "id"), any_row, &p, c->err);
	page_close(&p);
	if (p.more)
		doc_bool(out, "more", true);
	doc_close(out, '}');
	return op_code_of(st);
}

static const struct op_param show_params[] = {
	{"id", PARAM_TEXT, true, "the decision_id"},
};

const struct op op_decisions_show = {
	.name = "decisions show",
	.method = "GET",
	.pattern = "/v1/decisions/show",
	.roles = OP_READERS,
	.summary = "Show the decision with this id; several, when agents used "
		   "it twice",
	.params = show_params,
	.nparams = COUNT(show_params),
	.run = show,
};

/* --- tail -------------------------------------------------------------------
 */

/* What was seen once is behind `next`: it stops when the page is full. */
static bool tail_row(void *user, const struct decision_row *row)
{
	struct page *p = user;

	if (wanted(p, &row->event))
		write_row(p, row);
	p->more = page_full(p) || clock_mono(p->clock) >= p->until;
	return !p->more;
}

static enum op_code tail(struct service *s, struct op_call *c, struct buf *out)
{
	struct page p = page_of(s, c, out);
	uint64_t next = (uint64_t)op_int(c, "next", 0);
	struct decision_filter f;
	struct decisions *log;
	enum op_code code =
		op_code_of(service_decisions(s, false, &log, c->err));

	if (!code)
		code = read_filter(&p, &f);
	if (!code && !op_given(c, "next"))
		code = op_code_of(decisions_end(log, &next, c->err));
	if (code)
		return code;
	page_open(&p, "decisions");
	code = op_code_of(decisions_tail(log, &f, &next, tail_row, &p, c->err));
	page_close(&p);
	doc_int(out, "next", (int64_t)next);
	doc_bool(out, "more", p.more);
	doc_close(out, '}');
	return code;
}

static const struct op_param tail_params[] = {
	{"next", PARAM_INT, false,
		"from this number on: `next` of a page (the end of the log)"},
	FILTER_PARAMS,
	LIMIT_PARAM,
};

const struct op op_decisions_tail = {
	.name = "decisions tail",
	.method = "GET",
	.pattern = "/v1/decisions/tail",
	.roles = OP_READERS,
	.summary = "List decisions in the order in which they came",
	.params = tail_params,
	.nparams = COUNT(tail_params),
	.run = tail,
};

/* --- gaps -------------------------------------------------------------------
 */

/* Rows of lists without a time order of their own are counted. */
static bool page_turn(struct page *p)
{
	if (p->seen++ < p->from.number)
		return false;
	p->more = page_full(p);
	p->rows += !p->more;
	return !p->more;
}

static void write_turn(const struct page *p)
{
	if (p->more)
		doc_int(p->out, "next", (int64_t)p->seen - 1);
}

static bool gap_row(void *user, const struct decision_gap *g)
{
	struct page *p = user;

	if (!page_turn(p))
		return !p->more;
	doc_open(p->out, NULL, '{');
	doc_text(p->out, "target", g->target);
	write_time(p->out, "from", g->from);
	write_time(p->out, "to", g->to);
	doc_bool(p->out, "restarted", g->restarted);
	doc_int(p->out, "requests", (int64_t)g->requests);
	doc_int(p->out, "events", (int64_t)g->events);
	doc_int(p->out, "dropped", (int64_t)g->dropped);
	doc_int(p->out, "missing", (int64_t)g->missing);
	doc_close(p->out, '}');
	return true;
}

/* What gaps and quarantine begin with. */
static enum op_code begin_list(struct service *s, struct page *p,
	struct decisions **log, struct decision_filter *f)
{
	enum op_code code =
		op_code_of(service_decisions(s, false, log, p->c->err));

	if (!code)
		code = read_filter(p, f);
	p->from.number = (uint64_t)op_int(p->c, "next", 0);
	return code;
}

static enum op_code gaps(struct service *s, struct op_call *c, struct buf *out)
{
	struct page p = page_of(s, c, out);
	struct decision_filter f;
	struct decisions *log;
	enum op_code code = begin_list(s, &p, &log, &f);

	if (code)
		return code;
	page_open(&p, "gaps");
	code = op_code_of(decisions_gaps(
		log, f.from, f.to, op_bool(c, "all"), gap_row, &p, c->err));
	page_close(&p);
	write_turn(&p);
	doc_close(out, '}');
	return code;
}

static const struct op_param gaps_params[] = {
	PERIOD_PARAMS,
	{"all", PARAM_BOOL, false, "intervals in which nothing is missing too"},
	LIMIT_PARAM,
	{"next", PARAM_INT, false, "go on behind a page: its `next`"},
};

const struct op op_decisions_gaps = {
	.name = "decisions gaps",
	.method = "GET",
	.pattern = "/v1/decisions/gaps",
	.roles = OP_READERS,
	.summary = "List where decisions are missing: what agents counted, "
		   "beside what arrived",
	.params = gaps_params,
	.nparams = COUNT(gaps_params),
	.run = gaps,
};

/* --- quarantine -------------------------------------------------------------
 */

/* As text if it is one; the start of it if it is long. */
static void write_raw(struct buf *out, struct str bytes)
{
	struct str shown =
		str_slice(bytes, 0, bytes.len < RAW_MAX ? bytes.len : RAW_MAX);

	doc_int(out, "size", (int64_t)bytes.len);
	if (utf8_valid(shown.ptr, shown.len)) {
		doc_text(out, "text", shown);
		return;
	}
	doc_text(out, "base64", S(""));
	out->len--;
	base64_write(out, shown);
	buf_addc(out, '"');
}

static bool quarantine_row(void *user, const struct quarantine_row *row)
{
	struct page *p = user;

	if (row->number < p->from.number)
		return true;
	p->seen = row->number + 1;
	p->more = page_full(p);
	if (p->more)
		return false;
	p->rows++;
	doc_open(p->out, NULL, '{');
	doc_int(p->out, "number", (int64_t)row->number);
	write_time(p->out, "received", row->received);
	doc_text(p->out, "target", row->target);
	doc_text(p->out, "reason", row->reason);
	write_raw(p->out, row->bytes);
	doc_close(p->out, '}');
	return true;
}

static enum op_code quarantine(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct page p = page_of(s, c, out);
	struct decision_filter f;
	struct decisions *log;
	enum op_code code = begin_list(s, &p, &log, &f);

	if (code)
		return code;
	page_open(&p, "quarantine");
	code = op_code_of(decisions_quarantine(
		log, f.from, f.to, quarantine_row, &p, c->err));
	page_close(&p);
	write_turn(&p);
	doc_close(out, '}');
	return code;
}

static const struct op_param quarantine_params[] = {
	PERIOD_PARAMS,
	LIMIT_PARAM,
	{"next", PARAM_INT, false, "from this number on: `next` of a page"},
};

const struct op op_decisions_quarantine = {
	.name = "decisions quarantine",
	.method = "GET",
	.pattern = "/v1/decisions/quarantine",
	.roles = OP_READERS,
	.summary = "List what agents sent that was no decision, and why",
	.params = quarantine_params,
	.nparams = COUNT(quarantine_params),
	.run = quarantine,
};
