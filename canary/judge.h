/*
 * judge: the evidence of a rollout so far. Only the canary's own files look
 * inside; the public side is verdict.h.
 */
#ifndef CANARY_JUDGE_H
#define CANARY_JUDGE_H

#include "canary/verdict.h"

/* Both arms of one stratum or all of them. */
struct arms {
	struct decision_counts c, b;
};

struct weighed {
	struct weighed_cell *items;
	size_t len, cap;
	bool full; /* there were more than LIMIT_JUDGE_CELLS; none are kept */
};

struct judge {
	const struct verdict_config *config;
	const struct stratum *strata;
	uint32_t nstrata, ntargets;

	/* Of the rollout. */
	struct harm harm[METRICS];
	bool apart;           /* some plan tells new rules apart */
	struct harm new_deny; /* of these; half of METRIC_DENY_UP then */
	struct ceiling ceiling;
	struct cell total[METRICS];
	struct strata_sums inside[METRICS];     /* of windows and strata */
	struct weighed cells[METRICS];          /* those that tell */
	double *stratum_excess, *target_excess; /* errors beyond stable's */
	struct buf history; /* windows up to a FAIL; history.c */
	bool history_full;
	int failed;       /* a metric, or METRICS */
	double failed_ln; /* its ln E and counts when it failed */
	struct cell failed_total;
	struct left_out failed_without;

	/* Of the step. */
	struct good good[2]; /* error, undefined */
	struct arms *step;   /* by stratum */
	uint64_t unattributed, foreign, racing, late, overflow;
	int64_t newest_ns, window_ns; /* canary's newest event; longest */

	/* Of one window, kept for its memory. */
	struct arms *window;
	bool *duplicates;
};

/* The evidence of one metric in one stratum of the window folded last. */
void judge_metric(struct judge *j, enum canary_metric m, uint32_t s, double eta,
	int64_t now_ns);
double judge_eta(const struct judge *j, uint32_t s);
bool judge_harmful(const struct judge *j, enum canary_metric m);
void judge_add_counts(
	struct decision_counts *to, const struct decision_counts *k);
struct tally judge_tally(const struct decision_counts *k, enum canary_metric m);
uint32_t judge_largest(const double *x, uint32_t n); /* UINT32_MAX: none > 0 */

/* Fill in what is known from counts. */
void judge_report(const struct judge *j, bool intervals, struct verdict *v);

/* A stratum with decisions of stable where the canary's are missing. */
uint32_t judge_vanished(const struct judge *j);

/* --- history.c ------------------------------------------------------------ */

/* Keep the counts of the window folded last. */
void history_add(struct judge *j, const struct canary_window *w);

/* The metric has just failed: would it have without its worst target? */
struct left_out history_without_worst(
	const struct judge *j, enum canary_metric m);

#endif
