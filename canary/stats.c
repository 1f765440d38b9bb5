/* Tests and intervals for one look. */
#include "canary/stats.h"

#include <math.h>

double stat_rate(struct tally t)
{
	return t.n ? (double)t.x / (double)t.n : 0;
}

static double square(double x)
{
	return x * x;
}

/* P(Z > z) of the standard normal law. */
static double upper(double z)
{
	return 0.5 * erfc(z * 0.70710678118654752440);
}

bool stat_tells(struct cell t)
{
	return t.c.n && t.b.n && (t.c.x || t.b.x);
}

/* --- intervals ------------------------------------------------------------ */

struct interval stat_wilson(struct tally t, double z)
{
	double n = (double)t.n, p = stat_rate(t), z2 = z * z;

	if (!t.n)
		return (struct interval){0, 1};
	double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
	double half =
		z * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n);

	/* The ends are exact where rounding would leave 1e-18. */
	return (struct interval){t.x ? fmax(0, centre - half) : 0,
		t.x < t.n ? fmin(1, centre + half) : 1};
}

struct interval stat_newcombe(struct cell t, double z)
{
	struct interval c = stat_wilson(t.c, z), b = stat_wilson(t.b, z);
	double pc = stat_rate(t.c), pb = stat_rate(t.b), d = pc - pb;

	if (!t.c.n || !t.b.n)
		return (struct interval){-1, 1};
	return (struct interval){
		d - sqrt(square(pc - c.low) + square(b.high - pb)),
		d + sqrt(square(c.high - pc) + square(pb - b.low))};
}

double stat_zero_upper(uint64_t n, double alpha)
{
	return n ? -expm1(log(alpha) / (double)n) : 1;
}

/* Where I_x(a, b) reaches p. */
static double beta_quantile(double p, double a, double b)
{
	double low = 0, high = 1;

	for (int i = 0; i < 60 && high - low > 1e-14 * high; i++) {
		double mid = (low + high) / 2;

		if (beta_inc(a, b, mid) < p)
			low = mid;
		else
			high = mid;
	}
	return (low + high) / 2;
}

struct interval stat_clopper_pearson(struct tally t, double alpha)
{
	double x = (double)t.x, n = (double)t.n;
	struct interval r = {0, 1};

	if (t.x)
		r.low = beta_quantile(alpha / 2, x, n - x + 1);
	if (t.x < t.n)
		r.high = beta_quantile(1 - alpha / 2, x + 1, n - x);
	return r;
}

/* --- two arms, one look --------------------------------------------------- */

double stat_fisher(struct cell t)
{
	return hyper_tail(t.c.x, t.c.x + t.b.x, t.c.n, t.b.n);
}

enum {
	BOSCHLOO_GRID = 400,  /* values of the common rate */
	BOSCHLOO_REFINE = 40, /* steps around the best of them */
	BOSCHLOO_CANARY = 2000,
};

/* Most errors on b that with i on c are as extreme as p; -1 for none. */
static int64_t most_on_baseline(struct cell t, uint64_t i, double p)
{
	int64_t low = -1, high = (int64_t)t.b.n;

	while (low < high) {
		int64_t mid = low + (high - low + 1) / 2;

		if (hyper_tail(i, i + (uint64_t)mid, t.c.n, t.b.n) <= p)
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

/* Probability of everything as extreme, when both arms err at `rate`. */
static double boschloo_size(struct cell t, const int64_t *most, double rate)
{
	double nc = (double)t.c.n, nb = (double)t.b.n, sum = 0;

	for (uint64_t i = 0; i <= t.c.n; i++) {
		double x = (double)i, j = (double)most[i];

		if (j < 0)
			continue;
		double below = j < nb ? beta_inc(nb - j, j + 1, 1 - rate) : 1;

		sum += below * exp(ln_choose(nc, x) + x * log(rate) +
				       (nc - x) * log1p(-rate));
	}
	return sum;
}

/* The largest size over all rates: a grid, then thirds around its best. */
static double boschloo_max(struct cell t, const int64_t *most)
{
	double step = 1.0 / BOSCHLOO_GRID, best = 0, at = step;

	for (int i = 1; i < BOSCHLOO_GRID; i++) {
		double size = boschloo_size(t, most, i * step);

		if (size > best) {
			best = size;
			at = i * step;
		}
	}
	double low = fmax(at - step, 1e-12), high = fmin(at + step, 1 - 1e-12);

	for (int i = 0; i < BOSCHLOO_REFINE; i++) {
		double a = low + (high - low) / 3, b = high - (high - low) / 3;
		double sa = boschloo_size(t, most, a);
		double sb = boschloo_size(t, most, b);

		best = fmax(best, fmax(sa, sb));
		if (sa < sb)
			low = a;
		else
			high = b;
	}
	return best;
}

double stat_boschloo(struct cell t)
{
	double fisher = stat_fisher(t), p = fisher * (1 + 1e-9);
	int64_t most[BOSCHLOO_CANARY + 1];

	if (t.c.n > BOSCHLOO_CANARY || t.b.n > STAT_BOSCHLOO_MAX || fisher >= 1)
		return fisher;
	for (uint64_t i = 0; i <= t.c.n; i++)
		most[i] = most_on_baseline(t, i, p);
	return fmin(fisher, boschloo_max(t, most));
}

/* --- strata --------------------------------------------------------------- */

void strata_sums_add(struct strata_sums *s, struct cell t)
{
	double nc = (double)t.c.n, nb = (double)t.b.n;
	double xc = (double)t.c.x, xb = (double)t.b.x;
	double all = nc + nb, m = xc + xb;

	if (!t.c.n || !t.b.n)
		return;
	s->up += xc * (nb - xb) / all;
	s->down += (nc - xc) * xb / all;
	s->excess += xc - nc * m / all;
	s->var += nc * nb * m * (all - m) / (all * all * (all - 1));
	s->diff += (xc * nb - xb * nc) / all;
	s->weight += nc * nb / all;
}

struct mantel_haenszel strata_sums_result(const struct strata_sums *s)
{
	struct mantel_haenszel r = {.odds_ratio = 1};

	if (s->down > 0)
		r.odds_ratio = s->up / s->down;
	else if (s->up > 0)
		r.odds_ratio = INFINITY;
	if (s->var > 0)
		r.chi2 = square(fmax(0, fabs(s->excess) - 0.5)) / s->var;
	if (s->weight > 0)
		r.difference = s->diff / s->weight;
	return r;
}

struct mantel_haenszel stat_mantel_haenszel(const struct cell *t, size_t n)
{
	struct strata_sums s = {0};

	for (size_t i = 0; i < n; i++)
		strata_sums_add(&s, t[i]);
	return strata_sums_result(&s);
}

/* --- ranks ---------------------------------------------------------------- */

/* From u, pairs and sd. */
static void rank_test(struct mann_whitney *r)
{
	r->effect = r->pairs > 0 ? r->u / r->pairs : 0.5;
	r->z = r->sd > 0 ? (r->u - r->pairs / 2 - 0.5) / r->sd : 0;
	r->p = upper(r->z);
	r->high = r->z > 2.326 && r->effect >= 0.60;
}

struct mann_whitney stat_mann_whitney(
	const uint64_t *c, const uint64_t *b, size_t nbuckets)
{
	struct mann_whitney r = {0};
	double nc = 0, nb = 0;

	for (size_t j = 0; j < nbuckets; j++) {
		double cj = (double)c[j], bj = (double)b[j], tied = cj + bj;

		r.u += cj * (nb + bj / 2);
		r.ties += tied * tied * tied - tied;
		nc += cj;
		nb += bj;
	}
	double all = nc + nb;

	r.pairs = nc * nb;
	if (r.pairs > 0)
		r.sd = sqrt(fmax(
			0, r.pairs / 12 *
				   ((all + 1) - r.ties / (all * (all - 1)))));
	rank_test(&r);
	return r;
}

struct mann_whitney stat_mann_whitney_both(
	const struct mann_whitney *a, const struct mann_whitney *b)
{
	struct mann_whitney r = {.u = a->u + b->u,
		.ties = a->ties + b->ties,
		.pairs = a->pairs + b->pairs,
		.sd = hypot(a->sd, b->sd)};

	rank_test(&r);
	return r;
}

/* --- incomplete beta ------------------------------------------------------ */

enum {
	FRACTION_MAX = 1000000, /* terms; about the root of a + b is needed */
};

/*
 * The continued fraction of DLMF 8.17.22 by Lentz's method; converges fast
 * for x < (a + 1) / (a + b + 2).
 */
static double beta_fraction(double a, double b, double x)
{
	static const double tiny = 1e-300;
	double c = 1, d = 1 - (a + b) * x / (a + 1), h;

	d = 1 / (fabs(d) < tiny ? tiny : d);
	h = d;
	for (int m = 1; m < FRACTION_MAX; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x /
			     ((a + 2 * m) * (a + 2 * m + 1));

		d = 1 + even * d;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = 1 + even / c;
		c = fabs(c) < tiny ? tiny : c;
		h *= c * d;
		d = 1 + odd * d;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = 1 + odd / c;
		c = fabs(c) < tiny ? tiny : c;
		h *= c * d;
		if (fabs(c * d - 1) < 1e-15)
			break;
	}
	return h;
}

/* x^a (1-x)^b / B(a, b), for 0 < x < 1 */
static double beta_kernel(double a, double b, double x)
{
	/* 1 / B(a, b) = C(a+b, a) a b / (a+b) */
	return exp(a * log(x) + b * log1p(-x) + ln_choose(a + b, a)) * a * b /
	       (a + b);
}

double beta_inc(double a, double b, double x)
{
	if (x <= 0)
		return 0;
	if (x >= 1)
		return 1;
	if (x < (a + 1) / (a + b + 2))
		return fmin(
			1, beta_kernel(a, b, x) * beta_fraction(a, b, x) / a);
	return fmax(
		0, 1 - beta_kernel(a, b, x) * beta_fraction(b, a, 1 - x) / b);
}

/* --- for display ---------------------------------------------------------- */

enum {
	POSTERIOR_STEPS = 8000, /* of Simpson's rule; even */
	POSTERIOR_SD = 25,      /* beyond lies under 1e-11 of the mass */
};

/*
 * Simpson's rule over the canary's density times the baseline's distribution,
 * from `margin` on, where the latter begins.
 */
double stat_posterior_worse(struct cell t, double margin)
{
	double a = (double)t.c.x + 1, b = (double)(t.c.n - t.c.x) + 1;
	double ab = (double)t.b.x + 1, bb = (double)(t.b.n - t.b.x) + 1;
	double mean = a / (a + b);
	double reach = POSTERIOR_SD * sqrt(a * b / (a + b + 1)) / (a + b);
	double low = fmax(fmax(0, margin), mean - reach);
	double high = fmin(1, mean + reach), sum = 0;
	double h = (high - low) / POSTERIOR_STEPS;

	for (int i = 0; i <= POSTERIOR_STEPS && h > 0; i++) {
		double p = low + i * h, w = i % 2 ? 4 : 2;
		double x = fmin(1 - 1e-16, fmax(1e-300, p));

		if (i == 0 || i == POSTERIOR_STEPS)
			w = 1;
		sum += w * beta_kernel(a, b, x) / (x * (1 - x)) *
		       beta_inc(ab, bb, p - margin);
	}
	return fmin(1, fmax(0, sum * h / 3));
}

struct msprt stat_msprt(struct cell t, double scale, double alpha)
{
	double pc = stat_rate(t.c), pb = stat_rate(t.b), d = pc - pb;
	double v = 0, t2 = scale * scale;

	if (t.c.n && t.b.n)
		v = pc * (1 - pc) / (double)t.c.n +
		    pb * (1 - pb) / (double)t.b.n;
	if (v <= 0)
		return (struct msprt){1, {-1, 1}};
	double half = sqrt(
		v * (v + t2) / t2 * (2 * log(1 / alpha) + log((v + t2) / v)));

	return (struct msprt){.ratio = sqrt(v / (v + t2)) *
				       exp(t2 * d * d / (2 * v * (v + t2))),
		.difference = {d - half, d + half}};
}

double stat_spending(double t)
{
	return t > 0 ? 2 * upper(STAT_Z95 / sqrt(t)) : 0;
}

double stat_sample_size(double base, double worse, double ratio)
{
	static const double z_alpha = 1.6448536269514722; /* 0.05 */
	static const double z_power = 0.8416212335729143; /* 0.80 */
	double mean = (worse + ratio * base) / (1 + ratio);
	double null = mean * (1 - mean) * (1 + 1 / ratio);
	double real = worse * (1 - worse) + base * (1 - base) / ratio;

	if (worse <= base)
		return INFINITY;
	return ceil(square(z_alpha * sqrt(null) + z_power * sqrt(real)) /
		    square(worse - base));
}
