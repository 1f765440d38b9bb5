/* The rules of a verdict, in their order. */
#include "canary/verdict.h"

#include "base/clock.h"
#include "canary/judge.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct verdict_config verdict_defaults = {
	.alpha = 0.01,
	.share = {[METRIC_ERROR] = 0.40,
		[METRIC_CEILING] = 0.10,
		[METRIC_UNDEFINED] = 0.15,
		[METRIC_DENY_UP] = 0.15,
		[METRIC_DENY_DOWN] = 0.10,
		[METRIC_SLOW] = 0.10},
	.beta = 0.05,
	.worse_than = 1.25,
	.twice = 2,
	.pass_below = 0.005,
	.ceiling = 0.05,
	.min_effect = 0.001,
	.calm = 10,
	.min_reporting = 0.8,
	.min_coverage = 0.8,
	.max_unattributed = 0.01,
	.max_lost = 0.05,
	.fresh_periods = 2,
	.volume_low = 0.5,
	.volume_high = 2,
	.min_decisions = 500,
	.eta = 1,
	.eta_raw = 0.5,
};

const char *canary_metric_name(enum canary_metric m)
{
	static const char *const names[METRICS] = {"error", "ceiling",
		"undefined", "deny_up", "deny_down", "slow"};

	return names[m];
}

double verdict_threshold(const struct verdict_config *c, enum canary_metric m)
{
	return 1 / (c->alpha * c->share[m]);
}

enum status deny_plan_check(const struct deny_plan *p, struct err *e)
{
	if (!(p->predicted > 0) || isinf(p->predicted))
		return err_set(e, E_INVALID,
			"predicted ratio of denies is %g, must be above 0",
			p->predicted);
	if (!(p->new_rate >= 0) || p->new_rate >= 1)
		return err_set(e, E_INVALID,
			"rate of denies by new rules is %g, must be 0 to 1",
			p->new_rate);
	if (!(p->max_up >= 0) || !(p->min_down >= 0) || isinf(p->max_up))
		return err_set(e, E_INVALID,
			"ratio of denies must be a number above 0");
	if (p->max_up <= 0 && p->min_down <= 0)
		return OK;
	if (!p->expires_ns)
		return err_set(
			e, E_INVALID, "plan for denies has no expiry; add one");
	if (!p->ticket.len)
		return err_set(
			e, E_INVALID, "plan for denies has no ticket; add one");
	return OK;
}

/* --- targets -------------------------------------------------------------- */

enum {
	MISSED_PERIODS = 3, /* polls that may fail before it means something */
	SURE_EVENTS = 6,    /* expected, none came: chance e^-6 */
};

enum target_state target_state(const struct target_facts *t, int64_t now_ns)
{
	int64_t patience = MISSED_PERIODS * t->poll_period_ns;
	bool polls = t->last_poll_ns && now_ns - t->last_poll_ns <= patience;
	bool logs = t->last_event_ns && now_ns - t->last_event_ns <= patience;
	double expected = t->events_per_s * (double)patience / NS_PER_S;

	if (t->activation_error.len)
		return TARGET_FAILED;
	if (!polls && !logs)
		return expected >= SURE_EVENTS ? TARGET_SILENT : TARGET_WAITING;
	if (!t->on_candidate)
		return polls && t->offered_ns &&
				       now_ns - t->offered_ns > patience
			       ? TARGET_STALE
			       : TARGET_WAITING;
	if (!logs && expected >= SURE_EVENTS)
		return TARGET_QUIET;
	return TARGET_REPORTING;
}

static double over(uint64_t x, uint64_t n)
{
	return n ? (double)x / (double)n : 0;
}

/* Its own count of requests is missing, or too few events came of them. */
static bool loses_events(const struct target_facts *t, double max_lost)
{
	uint64_t lost =
		t->requests > t->received ? t->requests - t->received : 0;

	return !t->counts_requests ||
	       (double)lost > fmax(SURE_EVENTS, max_lost * (double)t->requests);
}

static void name_target(uint32_t *list, uint32_t *n, uint32_t target)
{
	if (*n < VERDICT_NAMED)
		list[*n] = target;
	++*n;
}

/* Count the step's canaries; the first that refused the revision, or NULL. */
static const struct target_facts *look_at_targets(
	const struct verdict_config *c, const struct verdict_facts *f,
	struct verdict *v)
{
	const struct target_facts *failed = NULL;
	uint64_t dropped = 0, decided = 0, missing = 0;

	for (uint32_t i = 0; i < f->ntargets; i++) {
		const struct target_facts *t = &f->targets[i];

		if (!t->canary)
			continue;
		enum target_state s = target_state(t, f->now_ns);

		v->ncanaries++;
		v->nreporting += s == TARGET_REPORTING;
		if (s == TARGET_SILENT || s == TARGET_QUIET)
			name_target(v->silent, &v->nsilent, i);
		if (s == TARGET_FAILED && !failed)
			failed = t;
		if (loses_events(t, c->max_lost))
			name_target(v->missing, &v->nmissing, i);
		dropped += t->dropped;
		decided +=
			t->received > t->requests ? t->received : t->requests;
		missing += t->requests > t->received ? t->requests - t->received
						     : 0;
	}
	v->lost = over(dropped > missing ? dropped : missing, decided);
	return failed;
}

/* --- words ---------------------------------------------------------------- */

/* 7310 as 7,310 */
static const char *thousands(double x, char out[32])
{
	char plain[32];
	size_t n, at = 0;

	if (!(x < 1e6))
		return "over a million";
	n = (size_t)snprintf(plain, sizeof(plain), "%.0f", floor(x));
	for (size_t i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = plain[i];
	}
	out[at] = '\0';
	return out;
}

static const char *count(uint64_t n, char out[32])
{
	char plain[32];
	size_t len = (size_t)snprintf(
		       plain, sizeof(plain), "%llu", (unsigned long long)n),
	       at = 0;

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = plain[i];
	}
	out[at] = '\0';
	return out;
}

static void say(struct verdict *v, enum verdict_outcome o, const char *why,
	const char *fmt, ...) PRINTF(4, 5);

static void say(struct verdict *v, enum verdict_outcome o, const char *why,
	const char *fmt, ...)
{
	static const char *const words[] = {"INCONCLUSIVE", "PASS", "FAIL"};
	va_list ap;
	int n;

	v->outcome = o;
	v->why = why;
	n = snprintf(v->reason, sizeof(v->reason), "%s(%s): ", words[o], why);
	va_start(ap, fmt);
	vsnprintf(v->reason + n, sizeof(v->reason) - (size_t)n, fmt, ap);
	va_end(ap);
}

static void say_harm(
	const struct judge *j, const struct verdict_facts *f, struct verdict *v)
{
	static const char *const did[METRICS] = {"failed", "failed",
		"were undefined", "denied", "denied", "were slow"};
	enum canary_metric m = (enum canary_metric)j->failed;
	struct cell t = j->failed_total;
	char a[32], b[32], c[32], d[32], e[32], g[32], base[96] = "";
	char host[128] = "";

	if (m != METRIC_CEILING)
		snprintf(base, sizeof(base), " against %s of %s on stable",
			count(t.b.x, c), count(t.b.n, d));
	if (v->without.concentrated)
		snprintf(host, sizeof(host), "; concentrated on %.*s",
			STR_ARG(f->targets[v->without.target].id));
	say(v, VERDICT_FAIL, canary_metric_name(m),
		"%s of %s canary decisions %s%s; evidence %s of %s needed%s",
		count(t.c.x, a), count(t.c.n, b), did[m], base,
		thousands(exp(j->failed_ln), e),
		thousands(round(v->metric[m].threshold), g), host);
}

/* --- the rules ------------------------------------------------------------ */

static bool too_silent(const struct verdict_config *c, struct verdict *v)
{
	double need = fmax(2, ceil(c->min_reporting * v->ncanaries - 1e-9));

	need = fmin(need, fmax(1, v->ncanaries));
	if (v->nreporting >= need && !v->nsilent)
		return false;
	say(v, VERDICT_INCONCLUSIVE, "silent",
		"%u of %u canary targets report on the new revision, %.0f "
		"needed; %u fell silent",
		v->nreporting, v->ncanaries, need, v->nsilent);
	return true;
}

static bool uncovered(
	const struct judge *j, const struct verdict_facts *f, struct verdict *v)
{
	const struct verdict_config *c = j->config;
	uint32_t gone = judge_vanished(j);

	if (v->nmissing)
		say(v, VERDICT_INCONCLUSIVE, "coverage",
			"%u canary targets sent fewer events than they "
			"answered requests, or no request counts; first %.*s",
			v->nmissing, STR_ARG(f->targets[v->missing[0]].id));
	else if (v->lost > c->max_lost)
		say(v, VERDICT_INCONCLUSIVE, "coverage",
			"%.1f%% of canary decisions were lost, limit %.1f%%",
			100 * v->lost, 100 * c->max_lost);
	else if (v->unattributed > c->max_unattributed)
		say(v, VERDICT_INCONCLUSIVE, "coverage",
			"%.1f%% of events name no revision, limit %.1f%%",
			100 * v->unattributed, 100 * c->max_unattributed);
	else if (v->left_out > c->max_lost)
		say(v, VERDICT_INCONCLUSIVE, "coverage",
			"%.1f%% of decisions came too late or were too many, "
			"limit %.1f%%",
			100 * v->left_out, 100 * c->max_lost);
	else if (!f->first_release && gone != UINT32_MAX)
		say(v, VERDICT_INCONCLUSIVE, "coverage",
			"stable decides %.*s on %.*s targets, from the "
			"canary there nothing came",
			STR_ARG(j->strata[gone].path),
			STR_ARG(j->strata[gone].target_class));
	else if (!f->first_release && v->canary.n &&
		 v->coverage < c->min_coverage)
		say(v, VERDICT_INCONCLUSIVE, "coverage",
			"%.0f%% of canary decisions can be compared with "
			"stable, %.0f%% needed",
			100 * v->coverage, 100 * c->min_coverage);
	else
		return false;
	return true;
}

static bool off_volume(const struct verdict_config *c,
	const struct verdict_facts *f, struct verdict *v)
{
	if (f->first_release || f->usual_share <= 0 || v->canary.raw == 0)
		return false;
	double times = v->share / f->usual_share;

	if (times >= c->volume_low && times <= c->volume_high)
		return false;
	say(v, VERDICT_INCONCLUSIVE, "volume",
		"the canary takes %.3g times its usual share of decisions, "
		"allowed %.3g to %.3g",
		times, c->volume_low, c->volume_high);
	return true;
}

static bool too_few(const struct verdict_config *c,
	const struct verdict_facts *f, struct verdict *v)
{
	char a[32], b[32];

	if (v->canary.n < c->min_decisions)
		say(v, VERDICT_INCONCLUSIVE, "counts", "%s of %s decisions",
			count(v->canary.n, a), count(c->min_decisions, b));
	else if (f->bake_ns < f->min_bake_ns)
		say(v, VERDICT_INCONCLUSIVE, "counts",
			"baked %lld of %lld minutes",
			(long long)(f->bake_ns / NS_PER_S / 60),
			(long long)(f->min_bake_ns / NS_PER_S / 60));
	else
		return false;
	return true;
}

/*
 * Windows close some time after their last event: by the grace, which is as
 * long, and up to one window. What is older says nothing about now.
 */
static bool outdated(
	const struct judge *j, const struct verdict_facts *f, struct verdict *v)
{
	double age = (double)(f->now_ns - v->newest_ns) / NS_PER_S;
	double limit = (j->config->fresh_periods * (double)f->log_period_ns +
			       (double)j->window_ns) /
		       NS_PER_S;

	if (v->newest_ns && age <= limit)
		return false;
	if (!v->newest_ns)
		say(v, VERDICT_INCONCLUSIVE, "stale",
			"the time of no canary decision is known");
	else
		say(v, VERDICT_INCONCLUSIVE, "stale",
			"the newest canary decision is %.0f s old, limit "
			"%.0f s",
			age, limit);
	return true;
}

/* The metric that is least calm; METRICS when all are. */
static int restless(const struct verdict_config *c, const struct verdict *v)
{
	int worst = METRICS;

	for (int m = 0; m < METRICS; m++)
		if (v->metric[m].ln_e >= log(c->calm) &&
			(worst == METRICS ||
				v->metric[m].ln_e > v->metric[worst].ln_e))
			worst = m;
	return worst;
}

static void weigh(const struct verdict_config *c, struct verdict *v)
{
	double need = log(1 / c->beta);
	double error = v->metric[METRIC_ERROR].ln_s;
	double undefined = v->metric[METRIC_UNDEFINED].ln_s;
	int m = restless(c, v);
	char a[32], b[32], d[32];
	const char *alone = v->first_release
				    ? "; no stable version to compare with, "
				      "judged by absolute limits alone"
				    : "";

	if (m < METRICS)
		say(v, VERDICT_INCONCLUSIVE, "evidence",
			"evidence of harm in %s is %s, below %.0f needed%s",
			canary_metric_name((enum canary_metric)m),
			thousands(exp(v->metric[m].ln_e), a), c->calm, alone);
	else if (error >= need && undefined >= need)
		say(v, VERDICT_PASS, "evidence",
			"%s canary decisions; evidence %s for errors and %s "
			"for undefined, %.0f needed%s",
			count(v->canary.n, a), thousands(exp(error), b),
			thousands(exp(undefined), d), 1 / c->beta, alone);
	else
		say(v, VERDICT_INCONCLUSIVE, "evidence",
			"%s canary decisions; evidence %.1f for errors and "
			"%.1f for undefined, %.0f needed%s",
			count(v->canary.n, a), fmin(1e6, exp(error)),
			fmin(1e6, exp(undefined)), 1 / c->beta, alone);
}

void judge_verdict(const struct judge *j, const struct verdict_facts *f,
	struct verdict *out)
{
	struct verdict v = {.now_ns = f->now_ns,
		.step_ns = f->step_ns,
		.bake_ns = f->bake_ns,
		.min_bake_ns = f->min_bake_ns,
		.max_bake_ns = f->max_bake_ns,
		.first_release = f->first_release,
		.latency = f->latency};
	const struct target_facts *failed = look_at_targets(j->config, f, &v);

	judge_report(j, f->intervals, &v);
	for (; v.nsamples < f->nsamples && v.nsamples < VERDICT_SAMPLES;
		v.nsamples++)
		v.samples[v.nsamples] = f->samples[v.nsamples];
	if (failed)
		say(&v, VERDICT_FAIL, "activation", "%.*s refused it: %.*s",
			STR_ARG(failed->id), STR_ARG(failed->activation_error));
	else if (j->failed < METRICS)
		say_harm(j, f, &v);
	else if (!too_silent(j->config, &v) && !uncovered(j, f, &v) &&
		 !off_volume(j->config, f, &v) && !too_few(j->config, f, &v) &&
		 !outdated(j, f, &v))
		weigh(j->config, &v);
	*out = v;
}

/* --- before the start ----------------------------------------------------- */

int64_t verdict_min_bake(int64_t configured_ns, int64_t max_poll_ns,
	int64_t log_lag_p95_ns, int64_t window_ns)
{
	int64_t known = max_poll_ns + log_lag_p95_ns + window_ns;

	return configured_ns > known ? configured_ns : known;
}

/* The errors expected up to minute i, less those up to the one before. */
static struct tally minute(double per_min, double rate, double i)
{
	double n = floor(per_min * i) - floor(per_min * (i - 1));
	double x = floor(per_min * i * rate + 0.5) -
		   floor(per_min * (i - 1) * rate + 0.5);

	return (struct tally){(uint64_t)fmin(x, n), (uint64_t)n};
}

double verdict_minutes(const struct verdict_config *c, double canary_per_min,
	double baseline_per_min, double error_rate, double min_bake, double max)
{
	struct good g = {0};
	double seen = 0;

	for (double i = 1; i <= max; i++) {
		struct cell t = {minute(canary_per_min, error_rate, i),
			minute(baseline_per_min, error_rate, i)};

		good_add(&g, t, c->twice, c->pass_below, c->eta);
		seen += (double)t.c.n;
		if (i >= min_bake && seen >= (double)c->min_decisions &&
			good_ln(&g) >= log(1 / c->beta))
			return i;
	}
	return INFINITY;
}
