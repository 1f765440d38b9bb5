/* Evidence that grows with every cell, in logs. */
#include "canary/evidence.h"

#include <math.h>

/*
 * ln of the mean of exp(ln[i]) with weights w[i]; -INFINITY stands for 0. The
 * mean of ones is exactly 1.
 */
static double ln_mean(const double *w, const double *ln, size_t n)
{
	double top = -INFINITY, sum = 0, all = 0;

	for (size_t i = 0; i < n; i++)
		if (w[i] > 0)
			top = fmax(top, ln[i]);
	if (isinf(top))
		return top;
	for (size_t i = 0; i < n; i++) {
		if (w[i] > 0)
			sum += w[i] * exp(ln[i] - top);
		all += w[i];
	}
	return top + log(sum / all);
}

double ln_half(double ln_a, double ln_b)
{
	static const double w[2] = {1, 1};
	const double ln[2] = {ln_a, ln_b};

	return ln_mean(w, ln, 2);
}

/* --- harm ----------------------------------------------------------------- */

/* The bets, as factors of the null. */
static const double gains[HARM_BETS] = {1.2, 1.6, 2.4, 4, 8, 24};

void harm_add(struct harm *h, struct cell t, enum harm_side side, double null,
	double eta)
{
	double psi[HARM_BETS], ln[HARM_BETS];

	if (hyper_settled(t))
		return;
	for (int i = 0; i < HARM_BETS; i++)
		psi[i] = side == HARM_UP ? null * gains[i] : null / gains[i];
	hyper_log_ratios(t, null, psi, HARM_BETS, ln);
	for (int i = 0; i < HARM_BETS; i++)
		h->ln[i] += eta * ln[i];
}

double harm_ln(const struct harm *h)
{
	static const double w[HARM_BETS] = {1, 1, 1, 1, 1, 1};

	return ln_mean(w, h->ln, HARM_BETS);
}

/* --- the interval of odds ratios ------------------------------------------ */

#define LN_ODDS_MAX 13.8 /* about a million */
#define LN_ODDS_STEP 1e-7

static double refutes(const struct weighed_cell *cells, size_t n,
	enum harm_side side, double ln_null)
{
	struct harm h = {0};

	for (size_t i = 0; i < n; i++)
		harm_add(&h, cells[i].t, side, exp(ln_null), cells[i].eta);
	return harm_ln(&h);
}

/*
 * ln of the end on one side: E_up falls as the null rises, E_down rises, since
 * ln f is concave in ln psi.
 */
static double sequence_end(const struct weighed_cell *cells, size_t n,
	enum harm_side side, double ln_threshold)
{
	double sign = side == HARM_UP ? 1 : -1;
	double out = -LN_ODDS_MAX, in = LN_ODDS_MAX;

	if (refutes(cells, n, side, sign * out) < ln_threshold)
		return sign * -INFINITY;
	while (in - out > LN_ODDS_STEP) {
		double mid = (out + in) / 2;

		if (refutes(cells, n, side, sign * mid) < ln_threshold)
			in = mid;
		else
			out = mid;
	}
	return sign * (out + in) / 2;
}

struct interval odds_sequence(
	const struct weighed_cell *cells, size_t n, double threshold)
{
	double ln = log(threshold);

	return (struct interval){exp(sequence_end(cells, n, HARM_UP, ln)),
		exp(sequence_end(cells, n, HARM_DOWN, ln))};
}

/* --- rates of the canary alone -------------------------------------------- */

/* ln of (rate/null)^x ((1-rate)/(1-null))^(n-x) */
static double ln_rate_ratio(struct tally t, double rate, double null)
{
	double good = (double)(t.n - t.x) * (log1p(-rate) - log1p(-null));

	return t.x ? (double)t.x * log(rate / null) + good : good;
}

void harm_add_rate(
	struct harm *h, struct tally canary, double limit, double eta)
{
	if (limit >= 1)
		return;
	for (int i = 0; i < HARM_BETS; i++) {
		double rate = fmin(limit * gains[i], (1 + limit) / 2);

		h->ln[i] += eta * ln_rate_ratio(canary, rate, limit);
	}
}

/* The bets, as factors of the limit. */
static const double above[CEILING_BETS] = {1.5, 2, 4, 10};

void ceiling_add(
	struct ceiling *c, struct tally canary, double limit, double eta)
{
	for (int i = 0; i < CEILING_BETS; i++) {
		double rate = above[i] * limit;

		if (rate < 1)
			c->ln[i] += eta * ln_rate_ratio(canary, rate, limit);
	}
}

/* Equal weights over the bets below 1; without any, it can't be refuted. */
double ceiling_ln(const struct ceiling *c, double limit)
{
	double w[CEILING_BETS];

	for (int i = 0; i < CEILING_BETS; i++)
		w[i] = above[i] * limit < 1;
	return w[0] > 0 ? ln_mean(w, c->ln, CEILING_BETS) : 0;
}

static const double better[GOOD_BETS] = {0.5, 0.25};    /* of psi1 */
static const double lower[GOOD_RATES] = {0, 0.25, 0.5}; /* of p_max */

void good_add(
	struct good *g, struct cell t, double psi1, double p_max, double eta)
{
	double psi[GOOD_BETS], ln[GOOD_BETS];

	for (int i = 0; i < GOOD_BETS; i++)
		psi[i] = psi1 * better[i];
	hyper_log_ratios(t, psi1, psi, GOOD_BETS, ln);
	for (int i = 0; i < GOOD_BETS; i++)
		g->ln_odds[i] += eta * ln[i];
	for (int i = 0; i < GOOD_RATES; i++)
		g->ln_rate[i] +=
			eta * ln_rate_ratio(t.c, lower[i] * p_max, p_max);
}

double good_ln_odds(const struct good *g)
{
	static const double w[GOOD_BETS] = {1, 1};

	return ln_mean(w, g->ln_odds, GOOD_BETS);
}

/* After the first error the bet on no errors is lost for good: -INFINITY. */
double good_ln_rate(const struct good *g)
{
	static const double w[GOOD_RATES] = {2, 1, 1};

	return ln_mean(w, g->ln_rate, GOOD_RATES);
}

double good_ln(const struct good *g)
{
	return ln_half(good_ln_odds(g), good_ln_rate(g));
}
