/* How a rollout was judged; and what one look at an end would say. */
#include "server/doc.h"
#include "server/op_common.h"
#include "server/service_ops.h"

#include "base/clock.h"
#include "base/json.h"
#include "canary/rollout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum op_code outcome_code(enum verdict_outcome outcome)
{
	if (outcome == VERDICT_FAIL)
		return OP_VERDICT_FAIL;
	return outcome == VERDICT_PASS ? OP_OK : OP_PENDING;
}

/* --- one look ------------------------------------------------------------- */

static struct str at(struct str record, const char *pointer)
{
	struct str span;

	return json_at(record, str_from(pointer), &span) ? span : S("");
}

static uint64_t count_at(struct op_call *c, struct str record,
	const char *metric, const char *pointer)
{
	int64_t n = 0;

	(void)!json_int(
		at(record, arena_printf(c->a, "/%s/%s", metric, pointer)), &n);
	return n > 0 ? (uint64_t)n : 0;
}

static struct tally tally_at(struct op_call *c, struct str record,
	const char *of, const char *x, const char *n)
{
	struct tally t = {
		count_at(c, record, of, x), count_at(c, record, of, n)};

	t.x = t.x < t.n ? t.x : t.n;
	return t;
}

static const char *text_at(
	struct op_call *c, struct str record, const char *pointer)
{
	struct buf text = {0};
	struct str span = at(record, pointer);
	const char *out;

	if (json_kind(span) == JSON_STRING)
		json_text(&text, span);
	out = arena_strdup(c->a, text.len ? buf_str(&text) : S(""));
	buf_release(&text);
	return out;
}

static enum verdict_outcome outcome_by_evidence(struct str record)
{
	struct str span = at(record, "/outcome");

	if (json_text_is(span, S("fail")))
		return VERDICT_FAIL;
	return json_text_is(span, S("pass")) ? VERDICT_PASS
					     : VERDICT_INCONCLUSIVE;
}

static void read_metric(struct op_call *c, struct str record,
	enum canary_metric m, struct one_look *k)
{
	const char *of =
		arena_printf(c->a, "metrics/%s", canary_metric_name(m));
	struct str d = at(record, arena_printf(c->a, "/%s/difference", of));

	k->total[m].c = tally_at(c, record, of, "canary/count", "canary/of");
	k->total[m].b =
		tally_at(c, record, of, "baseline/count", "baseline/of");
	k->difference[m] = d.len ? strtod(arena_strdup(c->a, d), NULL) : 0;
}

static void read_look(struct op_call *c, struct str record,
	const struct rollout_plan *p, struct one_look *k)
{
	const struct config *config = &p->config;

	*k = (struct one_look){.gate = outcome_by_evidence(record),
		.gate_why = text_at(c, record, "/why"),
		.gate_reason = text_at(c, record, "/reason")};
	for (int m = 0; m < METRICS; m++)
		read_metric(c, record, (enum canary_metric)m, k);
	k->error.c = tally_at(c, record, "canary", "error", "decisions");
	k->error.b = tally_at(c, record, "baseline", "error", "decisions");
	k->undefined.c =
		tally_at(c, record, "canary", "undefined", "decisions");
	k->undefined.b =
		tally_at(c, record, "baseline", "undefined", "decisions");
	for (size_t i = 0; i < config->rollout.ndenies; i++)
		k->planned_denies |=
			!strcmp(config->rollout.denies[i].mode, "planned");
}

static void write_number(struct buf *out, const char *name, double x)
{
	char text[32];

	snprintf(text, sizeof(text), "%.9g", x);
	doc_json(out, name, str_from(text));
}

static void write_test(struct buf *out, const char *name, const char *test,
	double p, double level, bool holds)
{
	doc_open(out, name, '{');
	doc_text(out, "test", str_from(test));
	write_number(out, "p", p);
	write_number(out, "level", level);
	doc_bool(out, "holds", holds);
	doc_close(out, '}');
}

static void write_rate(
	struct buf *out, const char *name, const struct interval *r)
{
	doc_open(out, name, '{');
	write_number(out, "low", r->low);
	write_number(out, "high", r->high);
	doc_close(out, '}');
}

static void write_once(struct buf *out, const struct one_verdict *v)
{
	doc_open(out, "once", '{');
	doc_text(out, "outcome", str_from(verdict_outcome_name(v->outcome)));
	doc_text(out, "why", str_from(v->why));
	doc_text(out, "reason", str_from(v->reason));
	doc_open(out, "worse", '{');
	for (int m = 0; m < METRICS; m++)
		write_test(out, canary_metric_name((enum canary_metric)m),
			v->worse[m].test, v->worse[m].p, v->worse[m].level,
			v->worse[m].fails);
	doc_close(out, '}');
	doc_open(out, "good", '{');
	write_test(out, "error", "exact", v->good_error, v->level,
		v->good_error <= v->level);
	write_test(out, "undefined", "exact", v->good_undefined, v->level,
		v->good_undefined <= v->level);
	doc_close(out, '}');
	doc_open(out, "rate", '{');
	write_rate(out, "error", &v->error_rate);
	write_rate(out, "undefined", &v->undefined_rate);
	doc_close(out, '}');
	doc_close(out, '}');
}

static enum op_code look_once(struct service *s, struct op_call *c,
	const struct channel *ch, struct str record, struct buf *out)
{
	struct rollout_record r;
	struct rollout_plan p;
	struct one_look k;
	struct one_verdict v;
	enum status st = rollout_read(service_state(s), ch->bundle,
		op_int(c, "rollout", ch->rollout), c->a, &r, c->err);

	if (!st)
		st = rollout_plan_parse(&p, r.release, c->err);
	if (st)
		return op_code_of(st);
	read_look(c, record, &p, &k);
	verdict_once(&p.verdict, &k, &v);
	write_once(out, &v);
	rollout_plan_release(&p);
	return outcome_code(v.outcome);
}

/* --- the last ones once more ---------------------------------------------- */

struct retro {
	struct op_call *c;
	struct channel ch;
	struct rollout_record *list; /* the newest first */
	size_t n;
	struct target *targets;
	size_t ntargets;
	struct rollout_override *set;
	size_t nset;
	struct str *stable, *release, *ended; /* of each */
};

/* What was stable when it began; in a first release nothing was. */
static enum status stable_then(
	struct service *s, const struct retro *x, size_t i, struct err *e)
{
	struct given_ask ask = {.bundle = x->ch.bundle,
		.target = S(""),
		.at_ns = x->list[i].started_ns};
	struct ledger_given g;
	enum status st = ledger_given(service_state(s), &ask, x->c->a, &g, e);

	x->stable[i] = g.should_run;
	return st;
}

/* "bake.min=5m" and the like, in the place of what it had. */
static enum status release_of(const struct retro *x, size_t i)
{
	struct op_call *c = x->c;
	struct buf out = {0};
	enum status st = OK;

	x->release[i] = x->list[i].release;
	if (!x->nset)
		return OK;
	st = rollout_plan_override(
		&out, x->list[i].release, x->set, x->nset, c->err);
	if (!st)
		x->release[i] = arena_str(c->a, buf_str(&out));
	buf_release(&out);
	return st;
}

static enum op_code retro_load(struct service *s, struct retro *x)
{
	struct op_call *c = x->c;
	int64_t max = op_int(c, "retro", 10);
	int64_t number;
	struct err none;
	enum op_code code = op_bundle(s, c, &x->ch);
	enum status st;

	if (!code)
		code = op_fleet(s, c, x->ch.bundle, &x->targets, &x->ntargets);
	if (!code)
		code = op_overrides(c, &x->set, &x->nset);
	if (code)
		return code;
	st = rollout_list(service_state(s), x->ch.bundle,
		max > 0 ? (size_t)max : 0, c->a, &x->list, &x->n, c->err);
	x->stable = ARENA_ARRAY(c->a, struct str, x->n + 1);
	x->release = ARENA_ARRAY(c->a, struct str, x->n + 1);
	x->ended = ARENA_ARRAY(c->a, struct str, x->n + 1);
	for (size_t i = 0; !st && i < x->n; i++) {
		st = stable_then(s, x, i, c->err);
		if (!st && release_of(x, i))
			return OP_USAGE;
		if (rollout_verdict(service_state(s), x->ch.bundle,
			    x->list[i].rollout, 0, c->a, &x->ended[i], &number,
			    &none))
			x->ended[i] = S("");
	}
	return op_code_of(st);
}

static void write_again(struct buf *out, const struct retro *x, size_t i,
	const struct rollout_again *a)
{
	const struct rollout_record *r = &x->list[i];

	doc_open(out, NULL, '{');
	doc_int(out, "rollout", r->rollout);
	doc_text(out, "version", r->version);
	doc_some(out, "over", x->stable[i]);
	doc_time(out, "started", r->started_ns);
	doc_some(out, "was", doc_see(x->ended[i], "/outcome", x->c->a));
	doc_text(out, "outcome", str_from(verdict_outcome_name(a->outcome)));
	doc_text(out, "reason", str_from(a->reason));
	if (a->failed_ns)
		doc_int(out, "failed_after_s",
			(a->failed_ns - r->started_ns) / NS_PER_S);
	doc_int(out, "rings_passed", a->passed);
	doc_int(out, "rings", r->nsteps);
	doc_int(out, "decisions", (int64_t)a->events);
	doc_close(out, '}');
}

/* The folder is others' while the log is read. */
static enum op_code retro_judge(
	struct service *s, const struct retro *x, struct buf *out)
{
	struct op_call *c = x->c;
	struct decisions *log;
	uint64_t end = 0;
	enum status st = service_decisions(s, false, &log, c->err);

	if (!st)
		st = decisions_end(log, &end, c->err);
	/* Where one began, the one before it had ended. */
	for (size_t i = 0; i < x->n && !st; i++) {
		struct rollout_past p = {.bundle = x->ch.bundle,
			.stable = x->stable[i],
			.release = x->release[i],
			.record = &x->list[i],
			.targets = x->targets,
			.ntargets = x->ntargets,
			.end_event = end};
		struct rollout_again a;

		st = rollout_judge_again(&p, log, &a, c->err);
		if (!st)
			write_again(out, x, i, &a);
		end = (uint64_t)x->list[i].from_event;
	}
	return op_code_of(st);
}

static enum op_code retro(struct service *s, struct op_call *c, struct buf *out)
{
	struct retro x = {.c = c};
	enum op_code code = retro_load(s, &x);

	if (code)
		return code;
	doc_begin(out, "retro");
	doc_text(out, "bundle", x.ch.bundle);
	doc_open(out, "rollouts", '[');
	service_unlock(s);
	code = retro_judge(s, &x, out);
	service_lock(s);
	doc_close(out, ']');
	doc_close(out, '}');
	return code;
}

/* --- the operation -------------------------------------------------------- */

static enum op_code verdict(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct channel ch;
	struct str record;
	int64_t number;
	enum op_code code;
	enum status st;

	if (op_given(c, "retro"))
		return retro(s, c, out);
	if (op_given(c, "set"))
		return op_fail(c, OP_USAGE,
			"set is for rollouts that are judged once more: say "
			"retro, too");
	code = op_bundle(s, c, &ch);
	if (code)
		return code;
	st = rollout_verdict(service_state(s), ch.bundle,
		op_int(c, "rollout", ch.rollout), op_int(c, "number", 0), c->a,
		&record, &number, c->err);
	if (st)
		return op_code_of(st);
	doc_begin(out, "verdict");
	doc_text(out, "bundle", ch.bundle);
	doc_int(out, "rollout", op_int(c, "rollout", ch.rollout));
	doc_int(out, "number", number);
	doc_json(out, "verdict", record);
	if (op_bool(c, "windows")) {
		struct buf windows = {0};

		st = rollout_windows(service_state(s), ch.bundle,
			op_int(c, "rollout", ch.rollout), &windows, c->err);
		doc_json(out, "windows", buf_str(&windows));
		buf_release(&windows);
	}
	code = outcome_code(outcome_by_evidence(record));
	if (op_bool(c, "once"))
		code = look_once(s, c, &ch, record, out);
	doc_close(out, '}');
	return st ? op_code_of(st) : code;
}

static const struct op_param verdict_params[] = {
	OP_PARAM_BUNDLE,
	{"rollout", PARAM_INT, false, "its number (the last one)"},
	{"number", PARAM_INT, false, "which of its verdicts (the last one)"},
	{"once", PARAM_BOOL, false,
		"by exact tests, for who looks once, at an end that was fixed "
		"before"},
	{"windows", PARAM_BOOL, false, "with the counts of each window"},
	{"retro", PARAM_INT, false,
		"the last so many rollouts once more, from the decision log"},
	{"set", PARAM_LIST, false,
		"with retro: NAME=VALUE, by this setting instead of theirs"},
};

const struct op op_verdict = {
	.name = "verdict",
	.method = "GET",
	.pattern = "/v1/verdict",
	.roles = OP_READERS,
	.summary = "Say how a rollout was judged: counts, evidence, reason",
	.params = verdict_params,
	.nparams = COUNT(verdict_params),
	.state = true,
	.run = verdict,
};
