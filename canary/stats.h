/*
 * stats: the statistics a verdict is made of, as functions of counts.
 *
 * Everything is x of n on two arms: c is the canary, b the baseline. Nothing
 * here knows what is counted, keeps state or allocates; every result is a
 * number, never NaN, whatever the counts: an empty arm knows nothing and gives
 * the widest interval or 1.
 *
 * Tests that may be looked at once are in stats.c, for display and for a gate
 * at a fixed end. What may be looked at all the time is in evidence.h and rests
 * on Fisher's non-central hypergeometric law in hyper.c.
 *
 * Counts may be up to 2^53. Relative error is about 1e-12 for everyday counts
 * and 1e-6 near 10^9.
 */
#ifndef CANARY_STATS_H
#define CANARY_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAT_Z95 1.959963984540054 /* two-sided 95 % */

struct tally {
	uint64_t x, n; /* x of n; x <= n */
};

struct interval {
	double low, high;
};

/* Both arms of one cell: a window's decisions of one stratum. */
struct cell {
	struct tally c, b;
};

double stat_rate(struct tally t); /* 0 when n is 0 */
/* Whether both arms have some and anything happened: else nothing compares. */
bool stat_tells(struct cell t);

/* Wilson 1927, and Newcombe's method 10 of 1998 for rate c - rate b. */
struct interval stat_wilson(struct tally t, double z);
struct interval stat_newcombe(struct cell t, double z);

/* The exact two-sided interval at level 1 - alpha. */
struct interval stat_clopper_pearson(struct tally t, double alpha);

/* One-sided upper limit of the rate after n decisions without an error. */
double stat_zero_upper(uint64_t n, double alpha);

/* P(as many errors on c or more | both totals), one-sided. */
double stat_fisher(struct cell t);

/*
 * Boschloo 1970: the same question, more powerful where an arm is small;
 * never above Fisher's P. Takes time with the size of the canary: above
 * STAT_BOSCHLOO_MAX decisions on either arm the answer is Fisher's.
 */
enum {
	STAT_BOSCHLOO_MAX = 100000,
};
double stat_boschloo(struct cell t);

/* Common odds ratio and test (1 degree of freedom) over strata. */
struct mantel_haenszel {
	double odds_ratio; /* 1 when no stratum tells; INFINITY is possible */
	double chi2;
	double difference; /* of rates, weighted n_c n_b / N; 0 as above */
};
struct mantel_haenszel stat_mantel_haenszel(const struct cell *t, size_t n);

/* The same of strata that come one by one; {0} has none. */
struct strata_sums {
	double up, down, excess, var, diff, weight;
};
void strata_sums_add(struct strata_sums *s, struct cell t);
struct mantel_haenszel strata_sums_result(const struct strata_sums *s);

/* Whether c has the larger values, from two histograms over one scale. */
struct mann_whitney {
	double u, ties, sd, z, p; /* ties: sum of t^3 - t; p one-sided */
	double pairs;             /* n_c n_b; 0: nothing to compare */
	double effect;            /* U / pairs; 0.5 is no difference */
	bool high;                /* z > 2.326 and effect >= 0.60 */
};
struct mann_whitney stat_mann_whitney(
	const uint64_t *c, const uint64_t *b, size_t nbuckets);
/*
 * Both as one, each compared within itself: what is slow on either arm does not
 * look slower where it is asked more often. {0} adds nothing.
 */
struct mann_whitney stat_mann_whitney_both(
	const struct mann_whitney *a, const struct mann_whitney *b);

/* P(rate c > rate b + margin) under uniform priors. For display only. */
double stat_posterior_worse(struct cell t, double margin);

/*
 * Normal mixture test and confidence sequence for rate c - rate b, for display
 * where both arms have 30 errors or more. `scale` is the prior's, 0.01.
 */
struct msprt {
	double ratio; /* L */
	struct interval difference;
};
struct msprt stat_msprt(struct cell t, double scale, double alpha);

/* Two-sided 0.05 spent at the information fraction t: Lan, DeMets 1983. */
double stat_spending(double t);

/*
 * Decisions on the canary to tell rate `worse` from rate `base` with 80 %
 * power at 5 %, one-sided, one look, `ratio` times as many on the baseline.
 */
double stat_sample_size(double base, double worse, double ratio);

/* --- hyper.c -------------------------------------------------------------- */

/*
 * How m errors fall on the arms when the odds ratio is psi: x of them on the
 * canary with probability
 *	C(n_c,x) C(n_b,m-x) psi^x / sum over u of C(n_c,u) C(n_b,m-u) psi^u
 */
double hyper_pmf(uint64_t x, uint64_t m, uint64_t nc, uint64_t nb, double psi);

/*
 * ln f(t; psi[i]) - ln f(t; null) for i < n <= HYPER_PSI_MAX. Exactly 0 for a
 * cell that tells nothing: an empty arm, no errors, nothing but errors.
 */
enum {
	HYPER_PSI_MAX = 8,
};
void hyper_log_ratios(
	struct cell t, double null, const double *psi, size_t n, double *out);

/* Nothing is random in it: one arm is empty, or there is one way to fall. */
bool hyper_settled(struct cell t);

/* P(X <= x) at psi. */
double hyper_below(
	uint64_t x, uint64_t m, uint64_t nc, uint64_t nb, double psi);

/* P(X >= x) at psi 1. */
double hyper_tail(uint64_t x, uint64_t m, uint64_t nc, uint64_t nb);

/* ln C(n, k), k <= n. */
double ln_choose(double n, double k);

/* I_x(a, b), the regularised incomplete beta function; a, b > 0. */
double beta_inc(double a, double b, double x);

#endif
