/*
 * Fisher's non-central hypergeometric law.
 *
 * Only ratios of neighbouring weights are needed: with w(u) = C(n_c,u)
 * C(n_b,m-u),
 *	w(u+1) / w(u) = (n_c-u) (m-u) / ((u+1) (n_b-m+u+1))
 * which falls as u grows, so that sums can stop where terms no longer count.
 * A short support is summed from its lower end for all psi at once; a long one
 * outward from each psi's mode, whose own weight comes from ln_choose().
 */
#include "canary/stats.h"

#include <assert.h>
#include <math.h>

enum {
	SHORT = 512, /* longest support summed from its end */
	STRIDE = 4,  /* steps between two looks at the size of terms */
};

#define NEGLIGIBLE 1e-18 /* of a sum, for one term of a falling series */
#define BIG 1e150        /* terms are scaled down above it */

struct hyper {
	double m, nc, nb;
	double lo, hi; /* the support */
};

static struct hyper make(double m, double nc, double nb)
{
	struct hyper h = {.m = m, .nc = nc, .nb = nb};

	h.lo = fmax(0, m - nb);
	h.hi = fmin(nc, m);
	return h;
}

/* w(u+1) / w(u) */
static double step_up(const struct hyper *h, double u)
{
	return (h->nc - u) * (h->m - u) / ((u + 1) * (h->nb - h->m + u + 1));
}

/* ln n! less Stirling's n ln n - n + ln(2 pi n) / 2, for n >= 1. */
static double stirling_error(double n)
{
	static const double half_ln_2pi = 0.91893853320467274178;
	double n2 = n * n;

	if (n < 16) {
		int sign;

		return lgamma_r(n + 1, &sign) - (n + 0.5) * log(n) + n -
		       half_ln_2pi;
	}
	return (1.0 / 12 -
		       (1.0 / 360 - (1.0 / 1260 - 1.0 / 1680 / n2) / n2) / n2) /
	       n;
}

/*
 * By differences of Stirling's series: ln n! of a large n has more digits than
 * a double, and they would cancel.
 */
double ln_choose(double n, double k)
{
	static const double two_pi = 6.28318530717958647693;

	k = fmin(k, n - k);
	if (k <= 0)
		return 0;
	return k * log(n / k) - (n - k) * log1p(-k / n) +
	       0.5 * log(n / (two_pi * k * (n - k))) + stirling_error(n) -
	       stirling_error(k) - stirling_error(n - k);
}

static double ln_weight(const struct hyper *h, double u)
{
	return ln_choose(h->nc, u) + ln_choose(h->nb, h->m - u);
}

/* The likeliest u, give or take one: a root of step_up(u-1) psi = 1. */
static double mode(const struct hyper *h, double psi)
{
	double a = psi - 1, b = (h->m + h->nc + 2) * psi + h->nb - h->m;
	double c = psi * (h->m + 1) * (h->nc + 1);
	double root = sqrt(fmax(0, b * b - 4 * a * c));

	return fmin(h->hi, fmax(h->lo, floor(2 * c / (b + root))));
}

/* Sum of w(u) psi^u / (w(from) psi^from) for u >= from, falling or nearly. */
static double sum_up(const struct hyper *h, double from, double psi)
{
	double sum = 1, term = 1;

	for (double u = from; u < h->hi; u++) {
		term *= step_up(h, u) * psi;
		sum += term;
		if (term < NEGLIGIBLE * sum)
			break;
	}
	return sum;
}

/* The same for u < from. */
static double sum_down(const struct hyper *h, double from, double psi)
{
	double sum = 0, term = 1;

	for (double u = from - 1; u >= h->lo; u--) {
		term /= step_up(h, u) * psi;
		sum += term;
		if (term < NEGLIGIBLE * (1 + sum))
			break;
	}
	return sum;
}

/* ln of the sum over u of w(u) psi^u / (w(lo) psi^lo) */
static double long_norm(const struct hyper *h, double psi)
{
	double at = mode(h, psi);

	return ln_weight(h, at) - ln_weight(h, h->lo) +
	       (at - h->lo) * log(psi) +
	       log(sum_up(h, at, psi) + sum_down(h, at, psi));
}

/* One walk over a short support for several psi. */
struct walk {
	double psi[HYPER_PSI_MAX + 1];
	double term[HYPER_PSI_MAX + 1], sum[HYPER_PSI_MAX + 1];
	double scaled[HYPER_PSI_MAX + 1]; /* ln of what terms were cut by */
	size_t n;
};

/* Cut what grows too large; true when no later term can count. */
static bool walk_look(struct walk *w, double step)
{
	bool done = true;

	for (size_t i = 0; i < w->n; i++) {
		if (w->term[i] > BIG) {
			w->term[i] /= BIG;
			w->sum[i] /= BIG;
			w->scaled[i] += log(BIG);
		}
		if (step * w->psi[i] >= 1 ||
			w->term[i] > NEGLIGIBLE * w->sum[i])
			done = false;
	}
	return done;
}

static void walk_steps(struct walk *w, const struct hyper *h)
{
	int until_look = STRIDE;

	for (double u = h->lo; u < h->hi; u++) {
		double step = step_up(h, u);

		for (size_t i = 0; i < w->n; i++) {
			w->term[i] *= step * w->psi[i];
			w->sum[i] += w->term[i];
		}
		if (--until_look)
			continue;
		until_look = STRIDE;
		if (walk_look(w, step))
			return;
	}
}

/* As long_norm(), for n psi. */
static void short_norms(
	const struct hyper *h, const double *psi, size_t n, double *out)
{
	struct walk w = {.n = n};

	for (size_t i = 0; i < n; i++) {
		w.psi[i] = psi[i];
		w.term[i] = w.sum[i] = 1;
	}
	walk_steps(&w, h);
	for (size_t i = 0; i < n; i++)
		out[i] = log(w.sum[i]) + w.scaled[i];
}

static void norms(
	const struct hyper *h, const double *psi, size_t n, double *out)
{
	if (h->hi - h->lo <= SHORT) {
		short_norms(h, psi, n, out);
		return;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = long_norm(h, psi[i]);
}

double hyper_pmf(uint64_t x, uint64_t m, uint64_t nc, uint64_t nb, double psi)
{
	struct hyper h = make((double)m, (double)nc, (double)nb);
	double at = (double)x, norm;

	if (at < h.lo || at > h.hi)
		return 0;
	norms(&h, &psi, 1, &norm);
	return exp(ln_weight(&h, at) - ln_weight(&h, h.lo) +
		   (at - h.lo) * log(psi) - norm);
}

bool hyper_settled(struct cell t)
{
	uint64_t m = t.c.x + t.b.x;

	return !m || !t.c.n || !t.b.n || m == t.c.n + t.b.n;
}

void hyper_log_ratios(
	struct cell t, double null, const double *psi, size_t n, double *out)
{
	double all[HYPER_PSI_MAX + 1], norm[HYPER_PSI_MAX + 1];

	assert(n <= HYPER_PSI_MAX);
	for (size_t i = 0; i < n; i++)
		out[i] = 0;
	if (hyper_settled(t))
		return;
	struct hyper h =
		make((double)(t.c.x + t.b.x), (double)t.c.n, (double)t.b.n);

	all[0] = null;
	for (size_t i = 0; i < n; i++)
		all[i + 1] = psi[i];
	norms(&h, all, n + 1, norm);
	for (size_t i = 0; i < n; i++)
		out[i] = ((double)t.c.x - h.lo) * log(psi[i] / null) -
			 (norm[i + 1] - norm[0]);
}

double hyper_below(uint64_t x, uint64_t m, uint64_t nc, uint64_t nb, double psi)
{
	struct hyper h = make((double)m, (double)nc, (double)nb);
	double at = (double)x;

	if (at < h.lo)
		return 0;
	if (at >= h.hi)
		return 1;
	if (at > mode(&h, psi))
		return fmax(0, 1 - hyper_pmf(x + 1, m, nc, nb, psi) *
					       sum_up(&h, at + 1, psi));
	return fmin(
		1, hyper_pmf(x, m, nc, nb, psi) * (1 + sum_down(&h, at, psi)));
}

double hyper_tail(uint64_t x, uint64_t m, uint64_t nc, uint64_t nb)
{
	struct hyper h = make((double)m, (double)nc, (double)nb);
	double at = (double)x;

	if (at <= h.lo)
		return 1;
	if (at > h.hi)
		return 0;
	if (at > mode(&h, 1))
		return fmin(1, hyper_pmf(x, m, nc, nb, 1) * sum_up(&h, at, 1));
	return fmax(0, 1 - hyper_pmf(x, m, nc, nb, 1) * sum_down(&h, at, 1));
}
