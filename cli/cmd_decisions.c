/* regatta decisions query, show, tail, gaps, quarantine. */
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/json.h"
#include "cli/output.h"
#include "cli/rows.h"
#include "cli/stop.h"

/* Named as the arguments of the operations; see cli/operation.h. */
struct decisions_params {
	struct operation_params head;
	const char *from, *to, *path, *revision, *target, *cohort;
	const char *next;
	int64_t since, limit;
	struct list outcome, where;
	bool scan, all;
};

#define AT(field) offsetof(struct decisions_params, field)

/* clang-format off */
#define PERIOD \
	{0, "from", OPT_STRING, AT(from), "time", NULL, "not before that time or day"}, \
	{0, "since", OPT_DURATION, AT(since), "duration", NULL, "not before so long ago, as 2h"}, \
	{0, "to", OPT_STRING, AT(to), "time", NULL, "before that time or day"}
#define FILTER \
	{0, "cohort", OPT_STRING, AT(cohort), "name", NULL, "of agents in that cohort"}, \
	{0, "outcome", OPT_CSV, AT(outcome), "list", NULL, "of allow, deny, advice, undefined, error, unknown"}, \
	{0, "path", OPT_STRING, AT(path), "glob", NULL, "of the decision: authz/allow, k8s/**"}, \
	{0, "revision", OPT_STRING, AT(revision), "version", NULL, "decided by that version"}, \
	{0, "target", OPT_STRING, AT(target), "id", NULL, "of that agent"}, \
	{0, "where", OPT_LIST, AT(where), "name=value", NULL, "with that dimension, or /pointer=value in the event"}
#define FORMAT(choices) \
	{'o', "output", OPT_CHOICE, AT(head.format), choices, "table", "what to print"}
#define PLACE \
	SERVER_OPTION(struct decisions_params), \
	STATE_OPTION(struct decisions_params)
#define LIMIT \
	{'n', "limit", OPT_INT, AT(limit), "n", NULL, "at most so many (all)"}

static const struct option query_options[] = {
	PERIOD,
	FILTER,
	LIMIT,
	FORMAT("table ndjson csv json raw"),
	{0, "scan", OPT_BOOL, AT(scan), NULL, NULL, "read the log itself and no index: slower, the same rows"},
	PLACE,
};
static const struct option show_options[] = {
	FORMAT("table ndjson csv json raw"),
	PLACE,
};
static const struct option tail_options[] = {
	FILTER,
	{0, "next", OPT_STRING, AT(next), "number", NULL, "begin with that decision, not with the next to come"},
	FORMAT("table ndjson csv raw"),
	PLACE,
};
static const struct option gaps_options[] = {
	PERIOD,
	{0, "all", OPT_BOOL, AT(all), NULL, NULL, "where nothing is missing too"},
	LIMIT,
	FORMAT("table ndjson csv json"),
	PLACE,
};
static const struct option quarantine_options[] = {
	PERIOD,
	LIMIT,
	FORMAT("table ndjson csv json"),
	PLACE,
};
/* clang-format on */

/* --- columns ----------------------------------------------------------------
 */

static struct str flags_of(const struct screen *s, struct str row)
{
	struct buf text = {0};
	struct str flags, out;
	struct json_iter it;

	if (!json_member(row, S("flags"), &flags))
		return S("");
	it = json_iter(flags);
	while (json_next(&it)) {
		if (text.len)
			buf_addc(&text, ' ');
		json_text(&text, it.value);
	}
	out = arena_str(s->a, buf_str(&text));
	buf_release(&text);
	return out;
}

static struct str event_of(const struct screen *s, struct str row)
{
	struct str event;

	(void)s;
	return json_member(row, S("event"), &event) ? event : S("");
}

/* The start of what was no decision. */
static struct str start_of(const struct screen *s, struct str row)
{
	struct screen part = {.doc = row, .a = s->a};
	struct str text = see(&part, "/text");
	size_t n = text.len < 60 ? text.len : 60;

	if (!text.len)
		return str_from(arena_printf(
			s->a, "(%.*s bytes)", STR_ARG(see(&part, "/size"))));
	while (n < text.len && n && ((unsigned char)text.ptr[n] & 0xc0) == 0x80)
		n--;
	return str_slice(text, 0, n);
}

/* clang-format off */
static const struct rows_column decision_columns[] = {
	{"NUMBER", "/number", NULL, false},
	{"TIME", "/time", NULL, false},
	{"RECEIVED", "/received", NULL, true},
	{"TARGET", "/target", NULL, false},
	{"COHORT", "/cohort", NULL, false},
	{"OUTCOME", "/outcome", NULL, false},
	{"VERSION", "/revision", NULL, false},
	{"PATH", "/event/path", NULL, false},
	{"ID", "/event/decision_id", NULL, false},
	{"FLAGS", NULL, flags_of, false},
	{"EVENT", NULL, event_of, true},
};
static const struct rows_column gap_columns[] = {
	{"TARGET", "/target", NULL, false},
	{"FROM", "/from", NULL, false},
	{"TO", "/to", NULL, false},
	{"REQUESTS", "/requests", NULL, false},
	{"DECISIONS", "/events", NULL, false},
	{"DROPPED", "/dropped", NULL, false},
	{"MISSING", "/missing", NULL, false},
	{"RESTARTED", "/restarted", NULL, false},
};
static const struct rows_column quarantine_columns[] = {
	{"NUMBER", "/number", NULL, false},
	{"RECEIVED", "/received", NULL, false},
	{"TARGET", "/target", NULL, false},
	{"REASON", "/reason", NULL, false},
	{"SIZE", "/size", NULL, false},
	{"BYTES", NULL, start_of, false},
};
/* clang-format on */

/* --- gaps beside a query ----------------------------------------------------
 */

struct gap_sum {
	int64_t missing, dropped, restarts;
	unsigned targets;
	struct str last, name;
	bool more;
};

static void add_gaps(struct gap_sum *g, const struct screen *s, struct str only)
{
	struct json_iter it = json_iter(see_part(s, "/rows"));

	while (json_next(&it)) {
		struct screen row = {.doc = it.value, .a = s->a};
		struct str target = see(&row, "/target");

		if (only.len && !str_eq(only, target))
			continue;
		if (!g->targets)
			g->name = target;
		g->targets += !g->targets || !str_eq(g->last, target);
		g->last = target;
		g->missing += see_int(&row, "/missing");
		g->dropped += see_int(&row, "/dropped");
		g->restarts += see_true(&row, "/restarted");
	}
	g->more = see_int(s, "/next") > 0;
}

static void say_gaps(const struct gap_sum *g)
{
	if (!g->targets)
		return;
	fprintf(stderr,
		"regatta: the log has gaps in this period: %s%lld decisions of "
		"%u %s (%.*s%s) are missing, %lld of them dropped as the "
		"agents say, and agents started again %lld times; `regatta "
		"decisions gaps` lists where\n",
		g->more ? "at least " : "", (long long)g->missing, g->targets,
		g->targets == 1 ? "agent" : "agents", STR_ARG(g->name),
		g->targets == 1 ? "" : ", ...", (long long)g->dropped,
		(long long)g->restarts);
}

/* What is still under way is not missing. */
static const char *settled(struct arena *a)
{
	struct buf text = {0};
	const char *out;

	instant_text(&text, clock_wall(&clock_system) - 60 * NS_PER_S);
	out = arena_strdup(a, buf_str(&text));
	buf_release(&text);
	return out;
}

static int warn_of_gaps(struct remote *r, const struct decisions_params *p)
{
	struct arena a = {0};
	struct gap_sum sum = {0};
	struct screen s;
	int code;

	remote_reset(r);
	remote_text(r, "from", p->from);
	remote_text(r, "to", p->to ? p->to : settled(&a));
	remote_duration(r, "since", p->since);
	/* A period that is all under way has none to tell of. */
	r->quiet = true;
	code = remote_call(r, "decisions gaps");
	if (!code) {
		s = screen_of(buf_str(&r->out), &a);
		add_gaps(&sum, &s, str_from(p->target));
		say_gaps(&sum);
	}
	arena_release(&a);
	return 0;
}

/* --- the commands -----------------------------------------------------------
 */

static int run_rows(struct rows *r, const struct command *c, const void *params,
	const struct list *args, bool gaps)
{
	struct decisions_params p = *(const struct decisions_params *)params;
	struct remote remote = {.params = &p.head.remote};
	int code;

	r->format = p.head.format;
	r->limit = p.limit;
	r->page = &p.limit;
	code = rows_run(r, &remote, c, &p, args);
	if (!code && gaps)
		code = warn_of_gaps(&remote, &p);
	remote_release(&remote);
	return code;
}

static int run_query(
	const struct command *c, const void *params, const struct list *args)
{
	struct rows r = {.op = "decisions query",
		.next = "cursor",
		.kind = "decisions",
		.none = "no decision fits",
		.columns = decision_columns,
		.ncolumns = COUNT(decision_columns)};

	return run_rows(&r, c, params, args, true);
}

static int run_show(
	const struct command *c, const void *params, const struct list *args)
{
	static const char *const names[] = {"id", NULL};
	struct rows r = {.op = "decisions show",
		.kind = "decision",
		.columns = decision_columns,
		.ncolumns = COUNT(decision_columns),
		.names = names,
		.missing = "specify a decision_id"};

	return run_rows(&r, c, params, args, false);
}

static int run_gaps(
	const struct command *c, const void *params, const struct list *args)
{
	struct rows r = {.op = "decisions gaps",
		.next = "next",
		.kind = "gaps",
		.none = "no gaps",
		.columns = gap_columns,
		.ncolumns = COUNT(gap_columns)};

	return run_rows(&r, c, params, args, false);
}

static int run_quarantine(
	const struct command *c, const void *params, const struct list *args)
{
	struct rows r = {.op = "decisions quarantine",
		.next = "next",
		.kind = "quarantine",
		.none = "nothing is in quarantine",
		.columns = quarantine_columns,
		.ncolumns = COUNT(quarantine_columns)};

	return run_rows(&r, c, params, args, false);
}

/* --- tail -------------------------------------------------------------------
 */

/* A page; p->next is then what to ask for after it, *more that there is some.
 */
static int tail_page(struct remote *remote, struct rows *r,
	const struct command *c, struct decisions_params *p, struct buf *next,
	bool *more)
{
	static const struct list none;
	struct buf out = {0};
	struct arena a = {0};
	struct screen s;
	int code = 0;

	remote_reset(remote);
	operation_arguments(remote, c, p, &none, NULL, "", &code);
	code = remote_call(remote, "decisions tail");
	if (!code) {
		s = screen_of(buf_str(&remote->out), &a);
		rows_page(r, buf_str(&remote->out), &out);
		print_buf(stdout, &out);
		if (fflush(stdout))
			code = EXIT_ERROR;
		buf_reset(next);
		buf_addstr(next, see(&s, "/next"));
		p->next = next->ptr;
		*more = see_true(&s, "/more");
	}
	arena_release(&a);
	buf_release(&out);
	return code;
}

/* In slices, so that Ctrl-C is noticed. */
static void nap(void)
{
	for (int i = 0; i < 5 && !stop_asked(); i++)
		clock_sleep(&clock_system, 100 * NS_PER_MS);
}

/* A remote keeps what its calls needed, so none lives for ever. */
static int tail_on(struct rows *r, const struct command *c,
	struct decisions_params *p, struct buf *next)
{
	struct remote remote = {.params = &p->head.remote};
	bool more = false;
	int code = 0;

	for (int i = 0; i < 1000 && !code && !stop_asked(); i++) {
		code = tail_page(&remote, r, c, p, next, &more);
		if (!code && !more)
			nap();
	}
	remote_release(&remote);
	return code;
}

static int run_tail(
	const struct command *c, const void *params, const struct list *args)
{
	struct decisions_params p = *(const struct decisions_params *)params;
	struct rows r = {.columns = decision_columns,
		.ncolumns = COUNT(decision_columns),
		.format = p.head.format};
	struct buf out = {0}, next = {0};
	int code = 0;

	if (args->len)
		return usage_error(c, "decisions tail takes no arguments");
	stop_catch();
	rows_begin(&r, &out);
	print_buf(stdout, &out);
	while (!code && !stop_asked())
		code = tail_on(&r, c, &p, &next);
	buf_release(&next);
	buf_release(&out);
	return code;
}

/* --- the table of commands --------------------------------------------------
 */

const struct command cmd_decisions_query = {
	.name = "decisions query",
	.args = "",
	.summary = "List decisions by event time",
	.text = "Page by page, so that any number can be listed. -o ndjson and "
		"json have each event\nwith the bytes that the agent sent; -o "
		"raw has these alone. Where agents counted more\ndecisions in "
		"the period than arrived, stderr says so.",
	.options = query_options,
	.noptions = COUNT(query_options),
	.params = sizeof(struct decisions_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run_query,
};

const struct command cmd_decisions_show = {
	.name = "decisions show",
	.args = "<decision_id>",
	.summary = "Show one decision",
	.text = "With -o raw, the bytes that the agent sent. An id that agents "
		"used for two events\nhas two rows, with the flag \"clash\".",
	.options = show_options,
	.noptions = COUNT(show_options),
	.params = sizeof(struct decisions_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run_show,
};

const struct command cmd_decisions_tail = {
	.name = "decisions tail",
	.args = "",
	.summary = "Print decisions as they come, until Ctrl-C",
	.text = "In the order in which they came, from now on; --next 0 begins "
		"with the first.",
	.options = tail_options,
	.noptions = COUNT(tail_options),
	.params = sizeof(struct decisions_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run_tail,
};

const struct command cmd_decisions_gaps = {
	.name = "decisions gaps",
	.args = "",
	.summary = "List where decisions are missing",
	.text = "What agents counted, as their status uploads say, beside what "
		"arrived. An agent\nthat started again lost what it had "
		"counted "
		"since its last status.",
	.options = gaps_options,
	.noptions = COUNT(gaps_options),
	.params = sizeof(struct decisions_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run_gaps,
};

const struct command cmd_decisions_quarantine = {
	.name = "decisions quarantine",
	.args = "",
	.summary = "List what agents sent that was no decision",
	.text = "It is kept with the reason, since refusing it would stop an "
		"agent's log. The period\nis of the time it was received.",
	.options = quarantine_options,
	.noptions = COUNT(quarantine_options),
	.params = sizeof(struct decisions_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run_quarantine,
};
