/* The verdict of who looks once: exact tests in place of evidence. */
#include "canary/verdict.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FEW = 100 }; /* decisions of an arm for which Fisher has little power */

/* --- worse ---------------------------------------------------------------- */

static void two_arms(struct cell t, struct one_test *out)
{
	bool few = t.c.n < FEW || t.b.n < FEW;

	out->test = few ? "boschloo" : "fisher";
	out->p = few ? stat_boschloo(t) : stat_fisher(t);
}

/* So many errors or more, were the rate the limit. */
static void one_arm(struct tally t, double limit, struct one_test *out)
{
	out->test = "binomial";
	out->p =
		t.x ? beta_inc((double)t.x, (double)(t.n - t.x) + 1, limit) : 1;
}

static bool is_deny(enum canary_metric m)
{
	return m == METRIC_DENY_UP || m == METRIC_DENY_DOWN;
}

static void test_metric(const struct verdict_config *c,
	const struct one_look *k, enum canary_metric m, struct one_test *out)
{
	struct cell t = k->total[m], turned = {t.b, t.c};
	double d = k->difference[m];

	*out = (struct one_test){
		.p = 1, .level = c->alpha * c->share[m], .test = "none"};
	if (is_deny(m) && k->planned_denies)
		return;
	if (m == METRIC_CEILING)
		one_arm(t.c, c->ceiling, out);
	else
		two_arms(m == METRIC_DENY_DOWN ? turned : t, out);
	out->fails = out->p <= out->level &&
		     (m == METRIC_CEILING ||
			     (m == METRIC_DENY_DOWN ? -d : d) >= c->min_effect);
}

/* --- good enough ---------------------------------------------------------- */

/* So few, were the odds `twice` stable's; and were the rate the limit. */
static double good_p(const struct verdict_config *c, struct cell t)
{
	double x = (double)t.c.x, n = (double)t.c.n;
	double odds = hyper_below(t.c.x, t.c.x + t.b.x, t.c.n, t.b.n, c->twice);
	double rate =
		t.c.x < t.c.n ? beta_inc(n - x, x + 1, 1 - c->pass_below) : 1;

	/* The better of two chances. */
	return fmin(1, 2 * fmin(odds, rate));
}

static struct interval exact_rate(struct tally t)
{
	static const double alpha = 0.05;

	if (t.x)
		return stat_clopper_pearson(t, alpha);
	return (struct interval){0, stat_zero_upper(t.n, alpha)};
}

/* --- the verdict ---------------------------------------------------------- */

static void say(struct one_verdict *v, enum verdict_outcome outcome,
	const char *why, const char *fmt, ...) PRINTF(4, 5);
static void say(struct one_verdict *v, enum verdict_outcome outcome,
	const char *why, const char *fmt, ...)
{
	va_list ap;

	v->outcome = outcome;
	v->why = why;
	va_start(ap, fmt);
	vsnprintf(v->reason, sizeof(v->reason), fmt, ap);
	va_end(ap);
}

static bool say_worse(
	const struct one_look *k, enum canary_metric m, struct one_verdict *v)
{
	const struct one_test *t = &v->worse[m];
	struct cell n = k->total[m];

	if (!t->fails)
		return false;
	say(v, VERDICT_FAIL, canary_metric_name(m),
		"FAIL(%s): %llu of %llu on the canary, %llu of %llu on stable; "
		"chance of that at one look %.2g, limit %.2g (%s)",
		canary_metric_name(m), (unsigned long long)n.c.x,
		(unsigned long long)n.c.n, (unsigned long long)n.b.x,
		(unsigned long long)n.b.n, t->p, t->level, t->test);
	return true;
}

/* What evidence alone has nothing to do with stays as it was. */
static bool say_gate(const struct one_look *k, struct one_verdict *v)
{
	bool stands = k->gate_why && strcmp(k->gate_why, "evidence") != 0;

	if (!stands || k->gate == VERDICT_PASS)
		return false;
	if (k->gate == VERDICT_FAIL && strcmp(k->gate_why, "activation") != 0)
		return false;
	say(v, k->gate, k->gate_why, "%s", k->gate_reason);
	return true;
}

void verdict_once(const struct verdict_config *c, const struct one_look *k,
	struct one_verdict *out)
{
	*out = (struct one_verdict){.level = c->beta};
	for (int m = 0; m < METRICS; m++)
		test_metric(c, k, (enum canary_metric)m, &out->worse[m]);
	out->good_error = good_p(c, k->error);
	out->good_undefined = good_p(c, k->undefined);
	out->error_rate = exact_rate(k->error.c);
	out->undefined_rate = exact_rate(k->undefined.c);
	for (int m = 0; m < METRICS; m++)
		if (say_worse(k, (enum canary_metric)m, out))
			return;
	if (say_gate(k, out))
		return;
	if (out->good_error <= c->beta && out->good_undefined <= c->beta)
		say(out, VERDICT_PASS, "pass",
			"PASS: nothing is worse; chance to look so good if it "
			"were twice as bad and above %.3g%%: errors %.2g, "
			"undefined %.2g, limit %.2g",
			100 * c->pass_below, out->good_error,
			out->good_undefined, c->beta);
	else
		say(out, VERDICT_INCONCLUSIVE, "evidence",
			"INCONCLUSIVE(evidence): nothing is worse, and nothing "
			"shows that it is good: errors %.2g, undefined %.2g, "
			"limit %.2g",
			out->good_error, out->good_undefined, c->beta);
}
