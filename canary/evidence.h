/*
 * evidence: what may be looked at after every window, for as long as one likes.
 *
 * Each process is a bet against a hypothesis: it starts at 1 and, while the
 * hypothesis is true, is not expected to grow, so that the chance that it ever
 * reaches 1/alpha is at most alpha (Ville). Looking often, longer bakes and
 * early stops do not change that.
 *
 *	harm      against "the odds of an error rose by no more than psi0"
 *	ceiling   against "the canary's error rate is at most c"
 *	good      against "the odds are psi1 or more", averaged with one against
 *	          "the rate is p_max or more"
 *
 * harm and good's first half take cells: inside one, given the totals of both
 * arms and the number of errors, only how errors fell on the arms is random.
 * So rates may drift, traffic may move between arms, and strata come for free;
 * a cell with an empty arm or without errors multiplies by exactly 1.
 *
 * All is kept in logs. {0} is a process before its first cell; adding is
 * commutative but for rounding. `eta` <= 1 tempers a cell whose decisions are
 * not independent: 1 is none.
 *
 * Sources: Robbins 1970; Turner, Gruenwald arXiv:2302.11401; Lindon, Malek
 * 2022.
 */
#ifndef CANARY_EVIDENCE_H
#define CANARY_EVIDENCE_H

#include "canary/stats.h"

enum {
	HARM_BETS = 6,
	CEILING_BETS = 4,
	GOOD_BETS = 2,
	GOOD_RATES = 3,
};

struct harm {
	double ln[HARM_BETS]; /* one bet each */
};

/*
 * HARM_UP: the odds ratio canary / baseline is at most `null`, bet on null
 * times 1.2, 1.6, 2.4, 4, 8, 24. HARM_DOWN: it is at least `null`, bet on null
 * divided by these.
 */
enum harm_side {
	HARM_UP,
	HARM_DOWN,
};

/*
 * Bet on the counts of `t` against what `side` says of `null`; what that tells
 * is weighed by `eta` (1: in full).
 */
void harm_add(struct harm *h, struct cell t, enum harm_side side, double null,
	double eta);
double harm_ln(const struct harm *h); /* ln E */

/* ln of the mean of two E: against both their hypotheses at once. */
double ln_half(double ln_a, double ln_b);

/*
 * For what only the canary can do: against "its rate is at most `limit`", bet
 * on limit times the same factors, as far as below 1. A limit of 1 or more
 * can't be refuted.
 */
void harm_add_rate(
	struct harm *h, struct tally canary, double limit, double eta);

/*
 * The odds ratios that have not been refuted: those `null` against which E_up
 * and E_down of `cells` stay below `threshold`. Covers the true one at all
 * times together with chance 1 - 2 / threshold; its low end passes psi0 when
 * E_up against psi0 passes the threshold. [0, INFINITY] knows nothing. Takes
 * some 60 passes over the cells: for display.
 */
struct weighed_cell {
	struct cell t;
	double eta;
};
struct interval odds_sequence(
	const struct weighed_cell *cells, size_t n, double threshold);

struct ceiling {
	double ln[CEILING_BETS];
};

/* The null is "rate <= limit", 0 < limit < 1. */
void ceiling_add(
	struct ceiling *c, struct tally canary, double limit, double eta);
double ceiling_ln(const struct ceiling *c, double limit); /* ln E */

struct good {
	double ln_odds[GOOD_BETS], ln_rate[GOOD_RATES];
};

/* Nulls: odds ratio >= psi1; canary's rate >= p_max, 0 < p_max < 1. */
void good_add(
	struct good *g, struct cell t, double psi1, double p_max, double eta);
double good_ln_odds(const struct good *g);
double good_ln_rate(const struct good *g);
double good_ln(const struct good *g); /* of the mean of both */

#endif
