/* The statistics of a verdict: published examples, properties, edges. */
#include "tests/test.h"

#include "canary/evidence.h"

#include <math.h>

#define CELL(xc, nc, xb, nb)                                                   \
	{                                                                      \
		{xc, nc},                                                      \
		{                                                              \
			xb, nb                                                 \
		}                                                              \
	}
#define EPS 1e-6
#define HALF_DIGIT(d) (0.51 * (d)) /* of a value given to so many places */

static void assert_within(double got, double want, double absolute)
{
	if (!(fabs(got - want) <= absolute))
		fail_msg("%.17g, want %.17g", got, want);
}

/* --- one look ------------------------------------------------------------- */

static void newcombe_matches_published_intervals(void **state)
{
	static const struct {
		struct cell t;
		double d, low, high;
	} rows[] = {
		{CELL(56, 70, 48, 80), 0.2, 0.0524315, 0.3338727},
		{CELL(12, 1000, 40, 9000), 0.00755556, 0.00218867, 0.01649091},
		{CELL(3, 200, 10, 5000), 0.013, 0.00297286, 0.04118053},
		{CELL(0, 100, 0, 1000), 0, -0.00382676, 0.03699350},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct interval r = stat_newcombe(rows[i].t, STAT_Z95);
		double place = i ? 1e-8 : 1e-7;

		assert_within(stat_rate(rows[i].t.c) - stat_rate(rows[i].t.b),
			rows[i].d, HALF_DIGIT(1e-8));
		assert_within(r.low, rows[i].low, HALF_DIGIT(place));
		assert_within(r.high, rows[i].high, HALF_DIGIT(place));
	}
}

static void one_arm_intervals_match(void **state)
{
	struct interval none = stat_wilson((struct tally){0, 100}, STAT_Z95);
	struct interval some = stat_wilson((struct tally){8, 400}, STAT_Z95);
	struct interval exact =
		stat_clopper_pearson((struct tally){0, 100}, 0.05);

	(void)state;
	assert_near(none.low, 0, 0);
	assert_within(none.high, 0.03699350, HALF_DIGIT(1e-8));
	assert_within(some.low, 0.01016839, HALF_DIGIT(1e-8));
	assert_within(some.high, 0.03896342, HALF_DIGIT(1e-8));
	assert_near(exact.low, 0, 0);
	assert_within(exact.high, 0.03621669, HALF_DIGIT(1e-8));
	assert_within(stat_zero_upper(300, 0.05), 0.00993608, HALF_DIGIT(1e-8));
}

/* The tails of the binomial law at both ends are alpha / 2. */
static void clopper_pearson_ends_leave_half_alpha(void **state)
{
	static const struct tally t[] = {{3, 20}, {17, 20}, {40, 9000}};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct interval r = stat_clopper_pearson(t[i], 0.05);
		double x = (double)t[i].x, n = (double)t[i].n;

		/* P(X >= x | low) and P(X <= x | high) */
		assert_near(beta_inc(x, n - x + 1, r.low), 0.025, 1e-9);
		assert_near(1 - beta_inc(x + 1, n - x, r.high), 0.025, 1e-9);
	}
}

static void fisher_matches(void **state)
{
	static const struct {
		struct cell t;
		double p;
	} rows[] = {
		{CELL(3, 200, 10, 5000), 0.0120488600},
		{CELL(12, 1000, 40, 9000), 0.00442991231},
		{CELL(8, 400, 12, 3600), 0.000397726058},
		{CELL(1, 1000, 1, 9000), 0.190009001},
		{CELL(5, 50, 2, 500), 9.36879566e-05},
		{CELL(3, 12, 0, 48), 0.00642899},
		{CELL(2, 10, 1, 40), 0.09795918},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_near(stat_fisher(rows[i].t), rows[i].p, EPS);
}

static void fisher_tails_add_up_to_one(void **state)
{
	(void)state;
	for (uint64_t m = 1; m <= 40; m += 13) {
		for (uint64_t x = 0; x <= m && x <= 30; x++) {
			double up = hyper_tail(x, m, 30, 50), sum = 0;

			for (uint64_t u = x; u <= m; u++)
				sum += hyper_pmf(u, m, 30, 50, 1);
			assert_near(up, sum, 1e-10);
		}
	}
}

static void boschloo_matches_and_is_never_above_fisher(void **state)
{
	static const struct cell a = CELL(3, 12, 0, 48);
	static const struct cell b = CELL(2, 10, 1, 40);

	(void)state;
	assert_near(stat_boschloo(a), 0.003288144, 1e-4);
	assert_near(stat_boschloo(b), 0.05775687, 1e-4);
	for (uint64_t x = 0; x <= 8; x++) {
		struct cell t = {{x, 8}, {2, 30}};

		assert_true(stat_boschloo(t) <= stat_fisher(t));
	}
}

static void mann_whitney_matches(void **state)
{
	/* Buckets are the values 8 to 20, and 0 to 2. */
	static const uint64_t c[13] = {
		[3] = 1, [4] = 1, [7] = 1, [10] = 1, [12] = 1};
	static const uint64_t c2[13] = {
		[4] = 1, [7] = 1, [3] = 1, [10] = 1, [12] = 1};
	static const uint64_t b[13] = {
		[0] = 1, [1] = 1, [2] = 2, [3] = 1, [4] = 1, [5] = 1};
	static const uint64_t kc[3] = {3, 2, 1}, kb[3] = {6, 0, 0};
	struct mann_whitney r = stat_mann_whitney(c, b, 13);
	struct mann_whitney k = stat_mann_whitney(kc, kb, 3);

	(void)state;
	assert_memory_equal(c, c2, sizeof(c));
	assert_near(r.u, 31, 0);
	assert_near(r.ties, 18, 0);
	assert_near(r.sd, 6.12527056, EPS);
	assert_near(r.z, 2.12235523, EPS);
	assert_near(r.p, 0.0169039594, EPS);
	assert_near(r.effect, 0.885714286, EPS);
	assert_false(r.high);
	assert_near(k.p, 0.0365699, EPS);
	assert_near(2 * k.p, 0.0731398, EPS);
}

/*
 * Two paths, the second a hundred times as slow; the canary serves mostly that
 * one. Pooled it looks slower; compared within the paths it is not.
 */
static void ranks_are_compared_within_strata(void **state)
{
	static const uint64_t fast_c[4] = {5, 5}, fast_b[4] = {450, 450};
	static const uint64_t slow_c[4] = {0, 0, 450, 450},
			      slow_b[4] = {0, 0, 50, 50};
	static const uint64_t all_c[4] = {5, 5, 450, 450},
			      all_b[4] = {450, 450, 50, 50};
	struct mann_whitney fast = stat_mann_whitney(fast_c, fast_b, 4);
	struct mann_whitney slow = stat_mann_whitney(slow_c, slow_b, 4);
	struct mann_whitney none = {0};
	struct mann_whitney pooled = stat_mann_whitney(all_c, all_b, 4);
	struct mann_whitney both = stat_mann_whitney_both(&fast, &slow);

	(void)state;
	assert_true(pooled.high && pooled.effect > 0.9);
	assert_near(both.effect, 0.5, 1e-12);
	assert_near(both.pairs, 10 * 900 + 900 * 100, 0);
	assert_near(both.u, fast.u + slow.u, 0);
	assert_near(both.sd * both.sd, fast.sd * fast.sd + slow.sd * slow.sd,
		EPS * both.sd * both.sd);
	assert_false(both.high);
	both = stat_mann_whitney_both(&none, &pooled);
	assert_near(both.z, pooled.z, 1e-12);
	assert_true(both.high);
}

static void posterior_matches(void **state)
{
	static const struct {
		struct cell t;
		double margin, p;
	} rows[] = {
		{CELL(3, 200, 10, 5000), 0, 0.998404121},
		{CELL(12, 1000, 40, 9000), 0, 0.998249916},
		{CELL(12, 1000, 40, 9000), 0.002, 0.9791793},
		{CELL(1, 1000, 1, 9000), 0, 0.971978405},
		{CELL(1, 1000, 1, 9000), 0.002, 0.3499421},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_near(stat_posterior_worse(rows[i].t, rows[i].margin),
			rows[i].p, EPS);
}

static void mixture_test_matches(void **state)
{
	static const struct cell a = CELL(30, 1000, 90, 9000);
	static const struct cell b = CELL(12, 1000, 40, 9000);
	struct msprt r = stat_msprt(a, 0.01, 0.05);

	(void)state;
	assert_near(r.ratio, 77.929404, EPS);
	assert_within(r.difference.low, 0.00288150, HALF_DIGIT(1e-8));
	assert_within(r.difference.high, 0.03711850, HALF_DIGIT(1e-8));
	r = stat_msprt(b, 0.01, 0.05);
	assert_near(r.ratio, 2.59479090, EPS);
	assert_within(r.difference.low, -0.00310967, HALF_DIGIT(1e-8));
	assert_within(r.difference.high, 0.01822078, HALF_DIGIT(1e-8));
}

static void planning_numbers_match(void **state)
{
	(void)state;
	assert_num(stat_sample_size(0.01, 0.02, 9), 912);
	assert_num(stat_sample_size(0.01, 0.03, 9), 281);
	assert_num(stat_sample_size(0.001, 0.002, 9), 9237);
	assert_num(stat_sample_size(0.001, 0.005, 9), 975);
	assert_within(stat_spending(0.25), 0.0000886, HALF_DIGIT(1e-7));
	assert_within(stat_spending(0.5), 0.00557, HALF_DIGIT(1e-5));
	assert_within(stat_spending(0.75), 0.0236, HALF_DIGIT(1e-4));
	assert_near(stat_spending(1), 0.05, EPS);
}

/* --- the law -------------------------------------------------------------- */

static void hypergeometric_law_matches_and_sums_to_one(void **state)
{
	static const double psi[] = {1e-3, 0.5, 1, 3, 30, 1e4};

	(void)state;
	assert_near(hyper_pmf(5, 8, 100, 900, 1), 0.000378060725, EPS);
	assert_near(hyper_pmf(5, 8, 100, 900, 3), 0.0215154121, EPS);
	for (size_t i = 0; i < COUNT(psi); i++) {
		double sum = 0, wide = 0;

		for (uint64_t x = 0; x <= 60; x++)
			sum += hyper_pmf(x, 60, 45, 30, psi[i]);
		assert_near(sum, 1, 1e-10);
		/* Long enough to be summed from the mode. */
		for (uint64_t x = 0; x <= 700; x++)
			wide += hyper_pmf(x, 900, 700, 800, psi[i]);
		assert_near(wide, 1, 1e-9);
	}
}

/* ln of the sum of C(nc,u) C(nb,m-u) psi^u, term by term with lgamma. */
static double plain_ln_sum(double m, double nc, double nb, double psi)
{
	double top = -INFINITY, sum = 0;

	for (int pass = 0; pass < 2; pass++)
		for (double u = fmax(0, m - nb); u <= fmin(m, nc); u++) {
			double ln = u * log(psi) - lgamma(u + 1) -
				    lgamma(nc - u + 1) - lgamma(m - u + 1) -
				    lgamma(nb - m + u + 1);

			if (!pass)
				top = fmax(top, ln);
			else
				sum += exp(ln - top);
		}
	return top + log(sum);
}

/* A support of 512 is summed from its end, one of 513 from the modes. */
static void both_ways_to_sum_agree_with_the_plain_one(void **state)
{
	static const double psi[] = {0.001, 0.8, 1.25, 37.5, 5000};
	static const struct cell t[] = {CELL(90, 512, 700, 6000),
		CELL(90, 513, 700, 6000), CELL(40, 3000, 500, 700)};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		double m = (double)(t[i].c.x + t[i].b.x), x = (double)t[i].c.x;
		double nc = (double)t[i].c.n, nb = (double)t[i].b.n;
		double ln[COUNT(psi)];

		hyper_log_ratios(t[i], 2, psi, COUNT(psi), ln);
		for (size_t k = 0; k < COUNT(psi); k++)
			assert_within(ln[k],
				x * log(psi[k] / 2) -
					plain_ln_sum(m, nc, nb, psi[k]) +
					plain_ln_sum(m, nc, nb, 2),
				1e-8);
	}
}

/* --- evidence ------------------------------------------------------------- */

struct sums {
	double ln_harm, odds, rate, good;
};

static struct sums judged(const struct cell *t, size_t n)
{
	struct harm h = {0};
	struct good g = {0};

	for (size_t i = 0; i < n; i++) {
		harm_add(&h, t[i], HARM_UP, 1.25, 1);
		good_add(&g, t[i], 2, 0.005, 1);
	}
	return (struct sums){harm_ln(&h), exp(good_ln_odds(&g)),
		exp(good_ln_rate(&g)), exp(good_ln(&g))};
}

static void evidence_matches_worked_examples(void **state)
{
	/* clang-format off */
	static const struct {
		struct cell t[2];
		size_t n;
		double ln_harm, odds; /* odds 0: not given */
		double rate, good, place; /* given to so many places */
	} rows[] = {
		{{CELL(3, 100, 0, 900)}, 1, 4.133409228, 0.0952953541, 0.045489, 0.070392, 1e-6},
		{{CELL(4, 100, 0, 900)}, 1, 5.848720617, 0.0492424676, 0.021283, 0.035263, 1e-6},
		{{CELL(5, 100, 3, 900)}, 1, 4.561461566, 0.0349995106, 0.010265, 0.022632, 1e-6},
		{{CELL(6, 100, 3, 900)}, 1, 6.135879156, 0.018828188, 0.005032, 0.011930, 1e-6},
		{{CELL(5, 5, 0, 1000)}, 1, 13.467841290, 0.016523591, -1, -1, 0},
		{{CELL(8, 400, 12, 3600)}, 1, 3.822890743, 0.0132362222, -1, -1, 0},
		{{CELL(30, 1000, 90, 9000)}, 1, 5.932229182, 4.09484276e-05, 0, 2.0e-05, 1e-6},
		{{CELL(12, 1000, 40, 9000)}, 1, 1.292418805, 0.0172299444, 0.000729, 0.008979, 1e-6},
		{{CELL(20, 2000, 180, 18000)}, 1, -2.920054892, 86.4653191, 3.4e-05, 43.232677, 1e-6},
		{{CELL(3, 100, 9, 900), CELL(4, 100, 8, 900)}, 2, 1.572705796, 0.0391235583, 0.003202, 0.021163, 1e-6},
		{{CELL(400, 1400, 0, 9000)}, 1, 679.276132134, 0, -1, -1, 0},
		{{CELL(1, 1001, 0, 9000)}, 1, 1.112816608, 0.419778037, 4.226216, 2.322997, 1e-6},
		{{CELL(2, 200, 80, 8000), CELL(80, 800, 200, 2000)}, 2, -5.01959918694, 488342.401, -1, -1, 0},
		{{CELL(82, 1000, 280, 10000)}, 1, 19.010005775, 0, -1, -1, 0},
	};
	static const double shown[] = {62.390263, 346.790419, 95.7232835,
		462.145213, 706332.444, 45.7362291, 376.993966, 3.64158419,
		0.0539307268, 4.81967161, 0, 3.04291704, 0.00660717442, 180277119};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sums s = judged(rows[i].t, rows[i].n);

		assert_near(s.ln_harm, rows[i].ln_harm, 1e-9);
		if (shown[i] > 0)
			assert_near(exp(s.ln_harm), shown[i], EPS);
		if (rows[i].odds > 0)
			assert_near(s.odds, rows[i].odds, EPS);
		if (rows[i].rate < 0)
			continue;
		assert_within(s.rate, rows[i].rate, HALF_DIGIT(rows[i].place));
		assert_within(s.good, rows[i].good, HALF_DIGIT(rows[i].place));
	}
	static const struct cell good = CELL(10, 1000, 90, 9000);
	struct sums s = judged(&good, 1);

	assert_within(exp(s.ln_harm), 0.109823, HALF_DIGIT(1e-6));
	assert_within(s.odds, 7.569756, HALF_DIGIT(1e-6));
	assert_within(s.rate, 0.002938, HALF_DIGIT(1e-6));
	assert_within(s.good, 3.786347, HALF_DIGIT(1e-6));
}

static void clean_windows_are_evidence_of_a_low_rate(void **state)
{
	struct cell t[9];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		t[i] = (struct cell)CELL(0, 100, 0, 900);
	struct sums nine = judged(t, 9), eight = judged(t, 8);

	assert_near(nine.ln_harm, 0, 0);
	assert_near(nine.odds, 1, 0);
	assert_near(nine.rate, 55.295403, EPS);
	assert_near(nine.good, 28.147702, EPS);
	assert_near(eight.rate, 34.504431, EPS);
	assert_near(eight.good, 17.752215, EPS);
}

/* Fewest canary decisions for S >= 20 when the odds say `odds`. */
static uint64_t decisions_to_pass(uint64_t errors, double p_max, double odds)
{
	for (uint64_t n = errors;; n++) {
		struct good g = {0};

		good_add(&g, (struct cell){{errors, n}, {0, 0}}, 2, p_max, 1);
		if (odds + exp(good_ln_rate(&g)) >= 40)
			return n;
	}
}

static void a_pass_takes_so_many_decisions(void **state)
{
	(void)state;
	assert_num(decisions_to_pass(0, 0.01, 1), 412);
	assert_num(decisions_to_pass(0, 0.005, 1), 827);
	assert_num(decisions_to_pass(0, 0.002, 1), 2069);
	assert_num(decisions_to_pass(0, 0.001, 1), 4139);
	assert_num(decisions_to_pass(1, 0.005, 0), 1660);
	assert_num(decisions_to_pass(2, 0.005, 0), 2015);
	assert_num(decisions_to_pass(3, 0.005, 0), 2366);
}

static double ceiling_of(uint64_t x, uint64_t n, double limit)
{
	struct ceiling c = {0};

	ceiling_add(&c, (struct tally){x, n}, limit, 1);
	return exp(ceiling_ln(&c, limit));
}

static void ceiling_matches_worked_examples(void **state)
{
	(void)state;
	assert_near(ceiling_of(5, 20, 0.05), 25.916355, EPS);
	assert_near(ceiling_of(6, 20, 0.05), 133.103205, EPS);
	assert_near(ceiling_of(10, 40, 0.05), 1579.813812, EPS);
	assert_near(ceiling_of(12, 100, 0.05), 13.027587, EPS);
	/* Bets of 1 and more do not exist; without one left E is 1. */
	assert_true(ceiling_of(10, 10, 0.2) > 1000);
	assert_near(ceiling_of(10, 10, 0.7), 1, 0);
}

static void strata_take_traffic_mix_out(void **state)
{
	static const struct cell mix[] = {
		CELL(2, 200, 80, 8000), CELL(80, 800, 200, 2000)};
	static const struct cell worse[] = {CELL(5, 200, 80, 8000),
		CELL(130, 800, 200, 2000), CELL(5, 200, 80, 8000),
		CELL(130, 800, 200, 2000)};
	struct mantel_haenszel same = stat_mantel_haenszel(mix, 2);
	struct mantel_haenszel bad = stat_mantel_haenszel(worse, 2);

	(void)state;
	assert_near(same.odds_ratio, 1, 1e-12);
	assert_near(same.chi2, 0, 0);
	assert_near(bad.odds_ratio, 1.77655626, EPS);
	assert_near(bad.chi2, 23.6802866, EPS);
	assert_near(exp(judged(worse, 2).ln_harm), 13.040711, EPS);
	assert_near(exp(judged(worse, 4).ln_harm), 549.795941, EPS);
}

static double harm_of(struct cell t, enum harm_side side, double null)
{
	struct harm h = {0};

	harm_add(&h, t, side, null, 1);
	return exp(harm_ln(&h));
}

/* At the limit itself, over all that can happen, E is 1 on average. */
static void a_bet_on_a_rate_is_fair(void **state)
{
	static const double limits[] = {0.01, 0.3, 0.97};

	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		double p = limits[i], mean = 0, below = 0;

		for (uint64_t x = 0; x <= 20; x++) {
			struct harm h = {0};
			double ways = ln_choose(20, (double)x);

			harm_add_rate(&h, (struct tally){x, 20}, p, 1);
			mean += exp(ways + (double)x * log(p) +
				    (double)(20 - x) * log1p(-p) + harm_ln(&h));
			below += exp(ways + (double)x * log(p / 2) +
				     (double)(20 - x) * log1p(-p / 2) +
				     harm_ln(&h));
		}
		assert_within(mean, 1, 1e-9);
		assert_true(below < 1);
	}
	struct harm h = {0};

	harm_add_rate(&h, (struct tally){20, 20}, 1, 1);
	assert_within(harm_ln(&h), 0, 0);
}

static void planned_denies_match_worked_examples(void **state)
{
	static const struct {
		uint64_t denied;
		double planned, naive; /* 0: not given */
	} up[] = {
		{36, 0.0322766, 1.7289},
		{50, 0.277519, 868.9},
		{70, 53.605157, 0},
		{80, 2926.679394, 0},
	};
	static const struct {
		uint64_t denied;
		double e;
	} down[] = {
		{20, 0.0755495},
		{10, 1.277730},
		{5, 51.798224},
		{2, 4483.599971},
		{0, 593429.746},
	};
	double predicted = (350.0 / 9650) / (200.0 / 9800);

	(void)state;
	assert_near(predicted, 1.77720207, EPS);
	assert_near(predicted * 1.25, 2.22150259, EPS);
	for (size_t i = 0; i < COUNT(up); i++) {
		struct cell t = {{up[i].denied, 1000}, {180, 9000}};

		assert_near(harm_of(t, HARM_UP, predicted * 1.25),
			up[i].planned, 2e-6);
		if (up[i].naive > 0)
			assert_near(
				harm_of(t, HARM_UP, 1.25), up[i].naive, 5e-5);
	}
	for (size_t i = 0; i < COUNT(down); i++) {
		struct cell t = {{down[i].denied, 1000}, {180, 9000}};

		assert_near(harm_of(t, HARM_DOWN, 0.8), down[i].e, EPS);
	}
}

/* --- properties of evidence ----------------------------------------------- */

static void cells_that_tell_nothing_multiply_by_one(void **state)
{
	static const struct cell t[] = {CELL(0, 100, 0, 900),
		CELL(0, 0, 7, 900), CELL(9, 100, 0, 0), CELL(0, 0, 0, 0),
		CELL(100, 100, 900, 900)};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct harm h = {{0.5, 1, 2, 0, 1, -3}}, before = h;

		harm_add(&h, t[i], HARM_UP, 1.25, 1);
		harm_add(&h, t[i], HARM_DOWN, 0.8, 1);
		assert_memory_equal(&h, &before, sizeof(h));
	}
}

/* Expectation of E over all ways m errors can fall at odds ratio psi. */
static double mean_e(uint64_t m, uint64_t nc, uint64_t nb, double psi,
	enum harm_side side, double null, double eta)
{
	double mean = 0;

	for (uint64_t x = m > nb ? m - nb : 0; x <= m && x <= nc; x++) {
		struct harm h = {0};
		struct cell t = {{x, nc}, {m - x, nb}};

		harm_add(&h, t, side, null, eta);
		mean += hyper_pmf(x, m, nc, nb, psi) * exp(harm_ln(&h));
	}
	return mean;
}

static void evidence_is_not_expected_to_grow_under_the_null(void **state)
{
	(void)state;
	for (uint64_t nc = 1; nc <= 12; nc += 3)
		for (uint64_t nb = 1; nb <= 20; nb += 6)
			for (uint64_t m = 1; m < nc + nb; m++) {
				double at = mean_e(
					m, nc, nb, 1.25, HARM_UP, 1.25, 1);

				assert_near(at, 1, 1e-10);
				assert_true(mean_e(m, nc, nb, 1, HARM_UP, 1.25,
						    1) <= 1 + 1e-12);
				assert_true(mean_e(m, nc, nb, 0.3, HARM_UP,
						    1.25, 1) <= 1 + 1e-12);
				assert_near(mean_e(m, nc, nb, 0.8, HARM_DOWN,
						    0.8, 1),
					1, 1e-10);
				assert_true(mean_e(m, nc, nb, 1, HARM_DOWN, 0.8,
						    1) <= 1 + 1e-12);
				/* Tempering only lowers it. */
				assert_true(mean_e(m, nc, nb, 1.25, HARM_UP,
						    1.25, 0.5) <= 1 + 1e-12);
			}
}

static void pass_evidence_is_not_expected_to_grow_under_its_null(void **state)
{
	(void)state;
	for (uint64_t m = 1; m < 24; m++) {
		double odds = 0;

		for (uint64_t x = m > 15 ? m - 15 : 0; x <= m && x <= 9; x++) {
			struct good g = {0};

			good_add(&g, (struct cell){{x, 9}, {m - x, 15}}, 2,
				0.005, 1);
			odds += hyper_pmf(x, m, 9, 15, 2) *
				exp(good_ln_odds(&g));
		}
		assert_near(odds, 1, 1e-10);
	}
	double rate = 0;

	for (uint64_t x = 0; x <= 50; x++) {
		struct good g = {0};
		double n = 50, k = (double)x;

		good_add(&g, (struct cell){{x, 50}, {0, 0}}, 2, 0.05, 1);
		rate += exp(ln_choose(n, k) + k * log(0.05) +
			    (n - k) * log1p(-0.05) + good_ln_rate(&g));
	}
	assert_near(rate, 1, 1e-10);
}

static void splitting_a_window_keeps_the_expectation(void **state)
{
	double whole = mean_e(4, 10, 20, 1.25, HARM_UP, 1.25, 1), split = 0;

	(void)state;
	/* Two windows of 2 errors each; the product's mean over both. */
	for (uint64_t x = 0; x <= 2; x++)
		for (uint64_t y = 0; y <= 2; y++) {
			struct harm h = {0};
			struct cell a = {{x, 5}, {2 - x, 10}};
			struct cell b = {{y, 5}, {2 - y, 10}};

			harm_add(&h, a, HARM_UP, 1.25, 1);
			harm_add(&h, b, HARM_UP, 1.25, 1);
			split += hyper_pmf(x, 2, 5, 10, 1.25) *
				 hyper_pmf(y, 2, 5, 10, 1.25) *
				 exp(harm_ln(&h));
		}
	assert_near(whole, 1, 1e-10);
	assert_near(split, 1, 1e-10);
}

static void order_of_cells_does_not_matter(void **state)
{
	static const struct cell t[] = {CELL(3, 100, 9, 900),
		CELL(4, 120, 8, 800), CELL(0, 50, 2, 700), CELL(9, 90, 1, 40)};
	struct cell r[COUNT(t)];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		r[i] = t[COUNT(t) - 1 - i];
	assert_near(judged(t, COUNT(t)).ln_harm, judged(r, COUNT(t)).ln_harm,
		1e-13);
	assert_near(judged(t, COUNT(t)).good, judged(r, COUNT(t)).good, 1e-13);
}

static void odds_sequence_ends_where_evidence_reaches_its_threshold(
	void **state)
{
	static const struct weighed_cell w[] = {
		{CELL(30, 1000, 90, 9000), 1}, {CELL(5, 200, 9, 800), 1}};
	struct interval r = odds_sequence(w, COUNT(w), 250);
	struct harm up = {0}, down = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(w); i++) {
		harm_add(&up, w[i].t, HARM_UP, r.low, 1);
		harm_add(&down, w[i].t, HARM_DOWN, r.high, 1);
	}
	assert_near(exp(harm_ln(&up)), 250, 1e-4);
	assert_near(exp(harm_ln(&down)), 250, 1e-4);
	assert_true(r.low > 1 && r.low < 2 && r.high > 3);
	r = odds_sequence(w, 0, 250);
	assert_near(r.low, 0, 0);
	assert_near(r.high, INFINITY, 0);
	/* Nothing on the baseline: no end above. */
	static const struct weighed_cell all = {CELL(5, 5, 0, 1000), 1};

	r = odds_sequence(&all, 1, 250);
	assert_true(r.low > 1.25);
	assert_near(r.high, INFINITY, 0);
}

/* --- edges ---------------------------------------------------------------- */

static void every_number(struct cell t)
{
	struct sums s = judged(&t, 1);
	struct interval n = stat_newcombe(t, STAT_Z95);
	struct interval w = stat_wilson(t.c, STAT_Z95);
	struct interval cp = stat_clopper_pearson(t.c, 0.05);
	struct msprt m = stat_msprt(t, 0.01, 0.05);
	struct mantel_haenszel mh = stat_mantel_haenszel(&t, 1);
	struct weighed_cell wc = {t, 1};
	struct interval o = odds_sequence(&wc, 1, 250);
	double all[] = {s.ln_harm, s.odds, s.rate, s.good, n.low, n.high, w.low,
		w.high, cp.low, cp.high, m.ratio, m.difference.low,
		m.difference.high, mh.odds_ratio, mh.chi2, mh.difference, o.low,
		o.high, stat_fisher(t), stat_boschloo(t),
		stat_posterior_worse(t, 0.002), stat_rate(t.b)};

	for (size_t i = 0; i < COUNT(all); i++)
		if (isnan(all[i]))
			fail_msg("number %zu is NaN", i);
	assert_true(n.low <= n.high && w.low <= w.high && cp.low <= cp.high);
	assert_true(o.low <= o.high);
}

static void no_counts_give_nan(void **state)
{
	static const uint64_t n[] = {0, 1, 2, 1000, 1000000000};

	(void)state;
	for (size_t i = 0; i < COUNT(n) * COUNT(n); i++) {
		uint64_t nc = n[i % COUNT(n)], nb = n[i / COUNT(n)];

		every_number((struct cell){{0, nc}, {0, nb}});
		every_number((struct cell){{nc, nc}, {nb, nb}});
		every_number((struct cell){{nc / 2, nc}, {nb / 3, nb}});
		every_number((struct cell){{nc, nc}, {0, nb}});
		every_number((struct cell){{0, nc}, {nb, nb}});
	}
}

/* A Poisson limit says what huge counts must give. */
static void huge_counts_keep_their_digits(void **state)
{
	static const struct cell few = CELL(3, 1000000000, 0, 9000000000);
	static const struct cell even =
		CELL(10000000, 1000000000, 10000000, 1000000000);
	double p = stat_fisher(few);

	(void)state;
	assert_near(p, 0.001, 1e-6);
	/* P(X >= mean) of a symmetric law: half, and half of f(mean). */
	double f = hyper_pmf(10000000, 20000000, 1000000000, 1000000000, 1);

	assert_near(stat_fisher(even), 0.5 + f / 2, 1e-5);
	assert_true(judged(&even, 1).ln_harm < -1000);
}

/* --- seeded simulation ---------------------------------------------------- */

static uint64_t seed;

/* splitmix64 */
static double uniform(void)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* Errors among n at rate p, by the gaps between them. */
static uint64_t errors(uint64_t n, double p)
{
	uint64_t x = 0;
	double at = 0;

	if (p <= 0)
		return 0;
	for (;;) {
		at += floor(log1p(-uniform()) / log1p(-p)) + 1;
		if (at > (double)n)
			return x;
		x++;
	}
}

enum {
	RUNS = 500,
	MINUTES = 60,
};

struct outcome {
	int fail, pass, undecided;
};

/* FAIL when E >= threshold, PASS from minute `first` on when S >= 20. */
static struct outcome simulate(
	double canary, double baseline, double threshold, bool may_pass)
{
	struct outcome o = {0};

	seed = 20260620;
	for (int run = 0; run < RUNS; run++) {
		struct harm h = {0};
		struct good g = {0};
		int *end = &o.undecided;

		for (int i = 1; i <= MINUTES && end == &o.undecided; i++) {
			struct cell t = {{errors(100, canary), 100},
				{errors(900, baseline), 900}};

			harm_add(&h, t, HARM_UP, 1.25, 1);
			good_add(&g, t, 2, 0.005, 1);
			if (harm_ln(&h) >= log(threshold))
				end = &o.fail;
			else if (may_pass && good_ln(&g) >= log(20) &&
				 harm_ln(&h) < log(10) && i >= 5)
				end = &o.pass;
		}
		++*end;
	}
	return o;
}

/* Within four standard deviations of what the design's simulation gave. */
static void assert_share(int got, double share, const char *what)
{
	double sd = sqrt(RUNS * share * (1 - share)) + 1;

	if (fabs(got - RUNS * share) > 4 * sd)
		fail_msg("%s: %d of %d, want about %.1f", what, got, RUNS,
			RUNS * share);
}

static void simulated_releases_end_as_designed(void **state)
{
	static const struct {
		double canary, baseline, fail, pass;
	} rows[] = {
		{0.01, 0.01, 0, 0.995},
		{0.002, 0.002, 0, 0.87},
		{0.0001, 0.0001, 0, 1},
		{0.02, 0.01, 0.83, 0.013},
		{0.03, 0.01, 1, 0},
		{0.05, 0.01, 1, 0},
		{0.02, 0.002, 1, 0},
		{0.02, 0, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct outcome o =
			simulate(rows[i].canary, rows[i].baseline, 100, true);

		assert_share(o.fail, rows[i].fail, "fail");
		assert_share(o.pass, rows[i].pass, "pass");
	}
}

static void at_the_edge_false_alarms_stay_under_their_bound(void **state)
{
	double odds = 1.25 * 0.01 / 0.99;
	struct outcome o = simulate(odds / (1 + odds), 0.01, 100, false);

	(void)state;
	assert_true(o.fail < RUNS / 50);
	/* With the budget's own threshold no more than with 100. */
	assert_true(
		simulate(odds / (1 + odds), 0.01, 250, false).fail <= o.fail);
}

static void twice_as_bad_seldom_passes(void **state)
{
	double odds = 2 * 0.01 / 0.99;
	struct outcome o = simulate(odds / (1 + odds), 0.01, 1e300, true);

	(void)state;
	assert_true(o.pass < RUNS / 20);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(newcombe_matches_published_intervals),
		cmocka_unit_test(one_arm_intervals_match),
		cmocka_unit_test(clopper_pearson_ends_leave_half_alpha),
		cmocka_unit_test(fisher_matches),
		cmocka_unit_test(fisher_tails_add_up_to_one),
		cmocka_unit_test(boschloo_matches_and_is_never_above_fisher),
		cmocka_unit_test(mann_whitney_matches),
		cmocka_unit_test(ranks_are_compared_within_strata),
		cmocka_unit_test(posterior_matches),
		cmocka_unit_test(mixture_test_matches),
		cmocka_unit_test(planning_numbers_match),
		cmocka_unit_test(hypergeometric_law_matches_and_sums_to_one),
		cmocka_unit_test(both_ways_to_sum_agree_with_the_plain_one),
		cmocka_unit_test(evidence_matches_worked_examples),
		cmocka_unit_test(clean_windows_are_evidence_of_a_low_rate),
		cmocka_unit_test(a_pass_takes_so_many_decisions),
		cmocka_unit_test(ceiling_matches_worked_examples),
		cmocka_unit_test(strata_take_traffic_mix_out),
		cmocka_unit_test(a_bet_on_a_rate_is_fair),
		cmocka_unit_test(planned_denies_match_worked_examples),
		cmocka_unit_test(cells_that_tell_nothing_multiply_by_one),
		cmocka_unit_test(
			evidence_is_not_expected_to_grow_under_the_null),
		cmocka_unit_test(
			pass_evidence_is_not_expected_to_grow_under_its_null),
		cmocka_unit_test(splitting_a_window_keeps_the_expectation),
		cmocka_unit_test(order_of_cells_does_not_matter),
		cmocka_unit_test(
			odds_sequence_ends_where_evidence_reaches_its_threshold),
		cmocka_unit_test(no_counts_give_nan),
		cmocka_unit_test(huge_counts_keep_their_digits),
		cmocka_unit_test(simulated_releases_end_as_designed),
		cmocka_unit_test(
			at_the_edge_false_alarms_stay_under_their_bound),
		cmocka_unit_test(twice_as_bad_seldom_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
