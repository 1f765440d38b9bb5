/*
 * The record of a verdict as JSON. Nine digits: what libraries of mathematics
 * disagree about is behind them.
 */
#include "canary/verdict.h"

#include "base/date.h"
#include "base/json.h"

#include <inttypes.h>
#include <math.h>

static void key(struct buf *out, const char *name)
{
	char last = out->len ? out->ptr[out->len - 1] : '\0';

	if (last != '{' && last != '[' && out->len)
		buf_addc(out, ',');
	json_quote(out, str_from(name));
	buf_addc(out, ':');
}

static void number(struct buf *out, const char *name, double x)
{
	key(out, name);
	if (isfinite(x))
		buf_addf(out, "%.9g", x + 0.0);
	else
		buf_adds(out, "null");
}

static void whole(struct buf *out, const char *name, uint64_t n)
{
	key(out, name);
	buf_addf(out, "%" PRIu64, n);
}

static void text(struct buf *out, const char *name, struct str s)
{
	key(out, name);
	json_quote(out, s);
}

static void pair(struct buf *out, const char *name, struct interval i)
{
	key(out, name);
	buf_addf(out, isfinite(i.low) ? "[%.9g," : "[null,", i.low);
	buf_addf(out, isfinite(i.high) ? "%.9g]" : "null]", i.high);
}

static void tally(struct buf *out, const char *name, struct tally t)
{
	key(out, name);
	buf_addc(out, '{');
	whole(out, "count", t.x);
	whole(out, "of", t.n);
	number(out, "rate", stat_rate(t));
	pair(out, "rate_interval", stat_wilson(t, STAT_Z95));
	buf_addc(out, '}');
}

static void counts(
	struct buf *out, const char *name, const struct decision_counts *k)
{
	key(out, name);
	buf_addc(out, '{');
	whole(out, "decisions", k->n);
	whole(out, "error", k->error);
	whole(out, "undefined", k->undefined);
	whole(out, "deny", k->deny);
	whole(out, "deny_by_new_rules", k->deny_new);
	whole(out, "allow", k->allow);
	whole(out, "other",
		k->n - k->error - k->undefined - k->deny - k->allow);
	whole(out, "slow", k->slow);
	whole(out, "timed", k->timed);
	whole(out, "raw", k->raw);
	buf_addc(out, '}');
}

/* What is for people; null is what the counts can't tell. */
static void comparison(struct buf *out, const struct metric_verdict *r)
{
	pair(out, "difference_interval", r->newcombe);
	pair(out, "odds_ratio", r->odds);
	number(out, "stratified_odds_ratio",
		stat_tells(r->total) ? r->inside.odds_ratio : INFINITY);
	number(out, "cmh", r->inside.chi2);
	number(out, "likely_worse",
		r->likely_worse >= 0 ? r->likely_worse : INFINITY);
}

static void ranks(struct buf *out, const struct mann_whitney *r)
{
	key(out, "latency");
	buf_addc(out, '{');
	number(out, "slower", r->effect);
	number(out, "z", r->z);
	number(out, "p", r->p);
	key(out, "high");
	buf_adds(out, r->high ? "true}" : "false}");
}

static void metric(struct buf *out, enum canary_metric m,
	const struct metric_verdict *r, const struct mann_whitney *latency)
{
	key(out, canary_metric_name(m));
	buf_addc(out, '{');
	tally(out, "canary", r->total.c);
	tally(out, "baseline", r->total.b);
	number(out, "difference", r->difference);
	comparison(out, r);
	number(out, "ln_evidence", r->ln_e);
	number(out, "threshold", r->threshold);
	if (m == METRIC_ERROR || m == METRIC_UNDEFINED)
		number(out, "ln_pass_evidence", r->ln_s);
	if (m == METRIC_SLOW && latency->pairs > 0)
		ranks(out, latency);
	buf_addc(out, '}');
}

static void targets(struct buf *out, const char *name, const uint32_t *list,
	uint32_t n, const struct target_facts *all)
{
	key(out, name);
	buf_addc(out, '[');
	for (uint32_t i = 0; i < n && i < VERDICT_NAMED; i++) {
		if (i)
			buf_addc(out, ',');
		json_quote(out, all[list[i]].id);
	}
	buf_addc(out, ']');
}

static void worst(struct buf *out, const struct verdict *v,
	const struct stratum *strata, const struct target_facts *all)
{
	if (v->worst_stratum != UINT32_MAX) {
		key(out, "worst_stratum");
		buf_addc(out, '{');
		text(out, "path", strata[v->worst_stratum].path);
		text(out, "class", strata[v->worst_stratum].target_class);
		buf_addc(out, '}');
	}
	if (v->worst_target != UINT32_MAX)
		text(out, "worst_target", all[v->worst_target].id);
	if (v->without.known) {
		key(out, "concentrated");
		buf_adds(out, v->without.concentrated ? "true" : "false");
	}
}

static void instant(struct buf *out, const char *name, int64_t ns)
{
	key(out, name);
	if (!ns) {
		buf_adds(out, "null");
		return;
	}
	buf_addc(out, '"');
	instant_text(out, ns);
	buf_addc(out, '"');
}

static void times(struct buf *out, const struct verdict *v)
{
	instant(out, "time", v->now_ns);
	instant(out, "step_began", v->step_ns);
	instant(out, "newest_decision", v->newest_ns);
	number(out, "bake_seconds", (double)v->bake_ns / 1e9);
	number(out, "min_bake_seconds", (double)v->min_bake_ns / 1e9);
	number(out, "max_bake_seconds",
		v->max_bake_ns ? (double)v->max_bake_ns / 1e9 : INFINITY);
}

static void uncounted(struct buf *out, const struct verdict *v)
{
	number(out, "unattributed", v->unattributed);
	number(out, "lost", v->lost);
	number(out, "left_out", v->left_out);
	whole(out, "late_decisions", v->late);
	whole(out, "overflow_decisions", v->overflow);
	whole(out, "racing_decisions", v->racing);
	whole(out, "foreign_decisions", v->foreign);
}

static void samples(struct buf *out, const struct verdict *v)
{
	key(out, "samples");
	buf_addc(out, '[');
	for (uint32_t i = 0; i < v->nsamples; i++) {
		if (i)
			buf_addc(out, ',');
		json_quote(out, v->samples[i]);
	}
	buf_addc(out, ']');
}

static void settings(struct buf *out, const struct verdict_config *c)
{
	key(out, "config");
	buf_addc(out, '{');
	number(out, "alpha", c->alpha);
	number(out, "beta", c->beta);
	number(out, "worse_than", c->worse_than);
	number(out, "twice", c->twice);
	number(out, "pass_below", c->pass_below);
	number(out, "error_ceiling", c->ceiling);
	number(out, "min_effect", c->min_effect);
	whole(out, "min_decisions", c->min_decisions);
	number(out, "min_coverage", c->min_coverage);
	number(out, "min_reporting", c->min_reporting);
	number(out, "fresh_periods", c->fresh_periods);
	buf_addc(out, '}');
}

const char *verdict_outcome_name(enum verdict_outcome o)
{
	static const char *const names[] = {"inconclusive", "pass", "fail"};

	return names[o];
}

void verdict_write(struct buf *out, const struct verdict *v,
	const struct verdict_config *c, const struct stratum *strata,
	const struct target_facts *all)
{
	buf_addc(out, '{');
	text(out, "kind", S("verdict"));
	whole(out, "schema", 1);
	text(out, "outcome", str_from(verdict_outcome_name(v->outcome)));
	text(out, "why", str_from(v->why));
	text(out, "reason", str_from(v->reason));
	key(out, "first_release");
	buf_adds(out, v->first_release ? "true" : "false");
	times(out, v);
	counts(out, "canary", &v->canary);
	counts(out, "baseline", &v->baseline);
	key(out, "metrics");
	buf_addc(out, '{');
	for (int m = 0; m < METRICS; m++)
		metric(out, (enum canary_metric)m, &v->metric[m], &v->latency);
	buf_addc(out, '}');
	number(out, "coverage", v->coverage);
	uncounted(out, v);
	number(out, "share", v->share);
	whole(out, "canary_targets", v->ncanaries);
	whole(out, "reporting_targets", v->nreporting);
	whole(out, "silent_targets", v->nsilent);
	whole(out, "missing_targets", v->nmissing);
	targets(out, "silent", v->silent, v->nsilent, all);
	targets(out, "missing", v->missing, v->nmissing, all);
	worst(out, v, strata, all);
	samples(out, v);
	settings(out, c);
	buf_addc(out, '}');
}
