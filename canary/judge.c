/* From windows of counts to evidence. */
#include "canary/judge.h"

#include "base/limits.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		die("out of memory");
	return p;
}

struct judge *judge_new(const struct verdict_config *config,
	const struct stratum *strata, uint32_t nstrata, uint32_t ntargets)
{
	struct judge *j = zeroed(1, sizeof(*j));

	j->config = config;
	j->strata = strata;
	j->nstrata = nstrata;
	j->ntargets = ntargets;
	j->failed = METRICS;
	for (uint32_t s = 0; s < nstrata; s++)
		j->apart |= strata[s].deny == DENY_PLANNED &&
			    strata[s].plan.new_rate > 0;
	j->step = zeroed(nstrata, sizeof(*j->step));
	j->window = zeroed(nstrata, sizeof(*j->window));
	j->duplicates = zeroed(nstrata, sizeof(*j->duplicates));
	j->stratum_excess = zeroed(nstrata, sizeof(double));
	j->target_excess = zeroed(ntargets, sizeof(double));
	return j;
}

void judge_free(struct judge *j)
{
	if (!j)
		return;
	for (int m = 0; m < METRICS; m++)
		free(j->cells[m].items);
	free(j->step);
	free(j->window);
	free(j->duplicates);
	free(j->stratum_excess);
	free(j->target_excess);
	buf_release(&j->history);
	free(j);
}

void judge_step(struct judge *j)
{
	memset(j->good, 0, sizeof(j->good));
	memset(j->step, 0, j->nstrata * sizeof(*j->step));
	j->unattributed = j->foreign = j->racing = j->late = j->overflow = 0;
	j->newest_ns = 0;
}

/* --- one window ----------------------------------------------------------- */

void judge_add_counts(
	struct decision_counts *to, const struct decision_counts *k)
{
	to->n += k->n;
	to->error += k->error;
	to->undefined += k->undefined;
	to->deny += k->deny;
	to->deny_new += k->deny_new;
	to->allow += k->allow;
	to->timed += k->timed;
	to->slow += k->slow;
	to->raw += k->raw;
}

struct tally judge_tally(const struct decision_counts *k, enum canary_metric m)
{
	switch (m) {
	case METRIC_ERROR:
	case METRIC_CEILING:
		return (struct tally){k->error, k->n};
	case METRIC_UNDEFINED:
		return (struct tally){k->undefined, k->n};
	case METRIC_DENY_UP:
	case METRIC_DENY_DOWN:
		return (struct tally){k->deny, k->n};
	case METRIC_SLOW:
		break;
	}
	return (struct tally){k->slow, k->timed};
}

static void fold_rows(struct judge *j, const struct canary_window *w)
{
	memset(j->window, 0, j->nstrata * sizeof(*j->window));
	memset(j->duplicates, 0, j->nstrata * sizeof(*j->duplicates));
	for (size_t i = 0; i < w->nrows; i++) {
		const struct window_row *r = &w->rows[i];

		assert(r->stratum < j->nstrata && r->target < j->ntargets);
		struct arms *a = &j->window[r->stratum];

		judge_add_counts(r->canary ? &a->c : &a->b, &r->k);
		j->duplicates[r->stratum] |= r->duplicates;
	}
}

/* Steady again once a plan's widening has ended. */
static bool planned(const struct stratum *s, int64_t now_ns)
{
	return s->deny == DENY_PLANNED &&
	       (!s->plan.expires_ns || now_ns < s->plan.expires_ns);
}

/* What is tolerated; only what has an end may be wider than predicted. */
static double deny_null(const struct judge *j, const struct stratum *s,
	enum harm_side side, int64_t now_ns)
{
	double tolerated = j->config->worse_than;
	const struct deny_plan *p = &s->plan;
	bool wide = p->expires_ns;

	if (!planned(s, now_ns))
		return side == HARM_UP ? tolerated : 1 / tolerated;
	if (side == HARM_UP)
		return fmax(p->predicted * tolerated, wide ? p->max_up : 0);
	double low = p->predicted / tolerated;

	return wide && p->min_down > 0 ? fmin(low, p->min_down) : low;
}

/* What rules did that stable has too. */
static struct tally old_denies(const struct decision_counts *k)
{
	return (struct tally){k->deny - k->deny_new, k->n - k->deny_new};
}

static void keep_cell(struct weighed *w, struct cell t, double eta)
{
	if (w->full || hyper_settled(t))
		return;
	if (w->len == LIMIT_JUDGE_CELLS) {
		free(w->items);
		*w = (struct weighed){.full = true};
		return;
	}
	if (w->len == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 64;
		w->items = realloc(w->items, w->cap * sizeof(*w->items));
		if (!w->items)
			die("out of memory");
	}
	w->items[w->len++] = (struct weighed_cell){t, eta};
}

static void add_total(struct judge *j, enum canary_metric m, struct cell t)
{
	struct cell *all = &j->total[m];

	all->c.x += t.c.x;
	all->c.n += t.c.n;
	all->b.x += t.b.x;
	all->b.n += t.b.n;
	strata_sums_add(&j->inside[m], t);
}

/*
 * Where a plan tells new rules apart they have a rate of their own to keep, and
 * the old ones are compared as if new ones had not been asked.
 */
static void judge_denies(struct judge *j, enum canary_metric m, uint32_t s,
	double eta, int64_t now_ns)
{
	const struct stratum *st = &j->strata[s];
	const struct arms *w = &j->window[s];
	bool apart = planned(st, now_ns) && st->plan.new_rate > 0;
	enum harm_side side = m == METRIC_DENY_DOWN ? HARM_DOWN : HARM_UP;
	struct cell all = {judge_tally(&w->c, m), judge_tally(&w->b, m)};
	struct cell old = {old_denies(&w->c), old_denies(&w->b)};

	/* New denies must not hide that old ones are gone. */
	add_total(j, m, apart && side == HARM_DOWN ? old : all);
	keep_cell(&j->cells[m], apart ? old : all, eta);
	if (st->deny == DENY_OBSERVE)
		return;
	harm_add(&j->harm[m], apart ? old : all, side,
		deny_null(j, st, side, now_ns), eta);
	if (apart && side == HARM_UP)
		harm_add_rate(&j->new_deny,
			(struct tally){w->c.deny_new, w->c.n},
			st->plan.new_rate * j->config->worse_than, eta);
}

void judge_metric(struct judge *j, enum canary_metric m, uint32_t s, double eta,
	int64_t now_ns)
{
	struct cell t = {judge_tally(&j->window[s].c, m),
		judge_tally(&j->window[s].b, m)};

	if (m == METRIC_DENY_UP || m == METRIC_DENY_DOWN) {
		judge_denies(j, m, s, eta, now_ns);
		return;
	}
	add_total(j, m, t);
	if (m == METRIC_CEILING) {
		ceiling_add(&j->ceiling, t.c, j->config->ceiling, eta);
		return;
	}
	keep_cell(&j->cells[m], t, eta);
	harm_add(&j->harm[m], t, HARM_UP, j->config->worse_than, eta);
}

double judge_eta(const struct judge *j, uint32_t s)
{
	return j->duplicates[s] ? j->config->eta_raw : j->config->eta;
}

static void judge_good(struct judge *j, uint32_t s, double eta)
{
	static const enum canary_metric of[2] = {
		METRIC_ERROR, METRIC_UNDEFINED};

	for (int i = 0; i < 2; i++) {
		struct cell t = {judge_tally(&j->window[s].c, of[i]),
			judge_tally(&j->window[s].b, of[i])};

		good_add(&j->good[i], t, j->config->twice,
			j->config->pass_below, eta);
	}
}

/* Errors and undefined beyond what stable's rate of the window gives. */
static double excess(
	const struct judge *j, uint32_t s, const struct decision_counts *k)
{
	const struct decision_counts *b = &j->window[s].b;
	double bad = (double)(k->error + k->undefined);
	double usual =
		b->n ? (double)(b->error + b->undefined) / (double)b->n : 0;

	return bad - usual * (double)k->n;
}

static void blame(struct judge *j, const struct canary_window *w)
{
	for (uint32_t s = 0; s < j->nstrata; s++)
		j->stratum_excess[s] += excess(j, s, &j->window[s].c);
	for (size_t i = 0; i < w->nrows; i++) {
		const struct window_row *r = &w->rows[i];

		if (r->canary)
			j->target_excess[r->target] +=
				excess(j, r->stratum, &r->k);
	}
}

/*
 * Old and new rules share a budget half and half, so that new ones which keep
 * to their plan don't speak for the old ones.
 */
static double ln_e(const struct judge *j, enum canary_metric m)
{
	if (m == METRIC_CEILING)
		return ceiling_ln(&j->ceiling, j->config->ceiling);
	if (m == METRIC_DENY_UP && j->apart)
		return ln_half(harm_ln(&j->harm[m]), harm_ln(&j->new_deny));
	return harm_ln(&j->harm[m]);
}

static double difference(const struct judge *j, enum canary_metric m)
{
	return strata_sums_result(&j->inside[m]).difference;
}

/*
 * The difference is taken inside strata: pooled, a canary that serves the
 * easy paths would look better than it is.
 */
bool judge_harmful(const struct judge *j, enum canary_metric m)
{
	double d = difference(j, m);

	if (ln_e(j, m) < log(verdict_threshold(j->config, m)))
		return false;
	if (m == METRIC_CEILING)
		return true;
	return (m == METRIC_DENY_DOWN ? -d : d) >= j->config->min_effect;
}

/* Evidence may fall again; the verdict does not. */
static void fail_for_good(struct judge *j, enum canary_metric m)
{
	j->failed = (int)m;
	j->failed_ln = ln_e(j, m);
	j->failed_total = j->total[m];
	j->failed_without = history_without_worst(j, m);
	buf_release(&j->history);
}

static void add_uncounted(struct judge *j, const struct canary_window *w)
{
	int64_t length = w->end_ns - w->start_ns;

	j->unattributed += w->unattributed;
	j->foreign += w->foreign;
	j->racing += w->racing;
	j->late += w->late;
	j->overflow += w->overflow;
	j->newest_ns =
		w->newest_ns > j->newest_ns ? w->newest_ns : j->newest_ns;
	j->window_ns = length > j->window_ns ? length : j->window_ns;
}

void judge_window(struct judge *j, const struct canary_window *w)
{
	fold_rows(j, w);
	if (j->failed == METRICS)
		history_add(j, w);
	for (uint32_t s = 0; s < j->nstrata; s++) {
		double eta = judge_eta(j, s);

		for (int m = 0; m < METRICS; m++)
			judge_metric(
				j, (enum canary_metric)m, s, eta, w->end_ns);
		judge_good(j, s, eta);
		judge_add_counts(&j->step[s].c, &j->window[s].c);
		judge_add_counts(&j->step[s].b, &j->window[s].b);
	}
	blame(j, w);
	add_uncounted(j, w);
	for (int m = 0; m < METRICS && j->failed == METRICS; m++)
		if (judge_harmful(j, (enum canary_metric)m))
			fail_for_good(j, (enum canary_metric)m);
}

/* --- what it says --------------------------------------------------------- */

uint32_t judge_largest(const double *x, uint32_t n)
{
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < n; i++)
		if (x[i] > 0 && (best == UINT32_MAX || x[i] > x[best]))
			best = i;
	return best;
}

/*
 * The chance that the canary's rate is the worse one. Where nothing happened on
 * either arm it would only say which of them has fewer decisions.
 */
static double likely_worse(enum canary_metric m, struct cell t)
{
	struct cell turned = {t.b, t.c};

	if (m == METRIC_CEILING || !stat_tells(t))
		return VERDICT_UNKNOWN;
	return stat_posterior_worse(m == METRIC_DENY_DOWN ? turned : t, 0);
}

static void report_metric(const struct judge *j, enum canary_metric m,
	bool intervals, struct metric_verdict *r)
{
	r->total = j->total[m];
	r->newcombe = stat_newcombe(r->total, STAT_Z95);
	r->threshold = verdict_threshold(j->config, m);
	r->ln_e = ln_e(j, m);
	r->difference = difference(j, m);
	r->inside = strata_sums_result(&j->inside[m]);
	r->likely_worse =
		intervals ? likely_worse(m, r->total) : VERDICT_UNKNOWN;
	r->odds = (struct interval){0, INFINITY};
	if (intervals && m != METRIC_CEILING && !j->cells[m].full)
		r->odds = odds_sequence(
			j->cells[m].items, j->cells[m].len, r->threshold);
}

static double share_of(uint64_t x, double others)
{
	return x ? (double)x / (others + (double)x) : 0;
}

void judge_report(const struct judge *j, bool intervals, struct verdict *v)
{
	uint64_t matched = 0;

	for (int m = 0; m < METRICS; m++)
		report_metric(
			j, (enum canary_metric)m, intervals, &v->metric[m]);
	v->metric[METRIC_ERROR].ln_s = good_ln(&j->good[0]);
	v->metric[METRIC_UNDEFINED].ln_s = good_ln(&j->good[1]);
	for (uint32_t s = 0; s < j->nstrata; s++) {
		judge_add_counts(&v->canary, &j->step[s].c);
		judge_add_counts(&v->baseline, &j->step[s].b);
		if (j->step[s].b.n)
			matched += j->step[s].c.n;
	}
	double both = (double)(v->canary.raw + v->baseline.raw);

	v->coverage = v->canary.n ? (double)matched / (double)v->canary.n : 0;
	v->share = both > 0 ? (double)v->canary.raw / both : 0;
	v->unattributed = share_of(j->unattributed, both);
	v->left_out = share_of(j->late + j->overflow, both);
	v->foreign = j->foreign;
	v->racing = j->racing;
	v->late = j->late;
	v->overflow = j->overflow;
	v->newest_ns = j->newest_ns;
	v->without = j->failed_without;
	v->worst_stratum = judge_largest(j->stratum_excess, j->nstrata);
	v->worst_target =
		v->without.known ? v->without.target
				 : judge_largest(j->target_excess, j->ntargets);
}

enum {
	VANISHED_EXPECTED = 30, /* decisions that can't all be missing */
};

/*
 * As many as the class's other paths lead to expect. One that the canary
 * never decides under any path is for coverage to find.
 */
uint32_t judge_vanished(const struct judge *j)
{
	for (uint32_t s = 0; s < j->nstrata; s++) {
		struct str of = j->strata[s].target_class;
		double c = 0, b = 0, here = (double)j->step[s].b.raw;

		if (j->step[s].c.raw || !j->step[s].b.raw)
			continue;
		for (uint32_t i = 0; i < j->nstrata; i++)
			if (str_eq(j->strata[i].target_class, of)) {
				c += (double)j->step[i].c.raw;
				b += (double)j->step[i].b.raw;
			}
		if (c > 0 && b > here &&
			here * c / (b - here) >= VANISHED_EXPECTED)
			return s;
	}
	return UINT32_MAX;
}

double judge_preflight(const struct judge *j, enum canary_metric *which)
{
	double top = -INFINITY;

	for (int m = 0; m < METRICS; m++)
		if (m != METRIC_CEILING &&
			ln_e(j, (enum canary_metric)m) > top) {
			top = ln_e(j, (enum canary_metric)m);
			*which = (enum canary_metric)m;
		}
	return exp(top);
}
