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
};

struct judge {
	const struct verdict_config *config;
	const struct stratum *strata;
	uint32_t nstrata, ntargets;

	/* Of the rollout. */
	struct harm harm[METRICS];
	struct ceiling ceiling;
	struct cell total[METRICS];
	double diff[METRICS], weight[METRICS];  /* Mantel, Haenszel */
	struct weighed cells[METRICS];          /* those that tell */
	double *stratum_excess, *target_excess; /* errors beyond stable's */
	int failed;                             /* a metric, or METRICS */
	double failed_ln; /* its ln E and counts when it failed */
	struct cell failed_total;

	/* Of the step. */
	struct good good[2]; /* error, undefined */
	struct arms *step;   /* by stratum */
	uint64_t unattributed;

	/* Of one window, kept for its memory. */
	struct arms *window;
	bool *duplicates;
};

/* Fill in what is known from counts. */
void judge_report(const struct judge *j, bool intervals, struct verdict *v);

/* A stratum with decisions of stable where the canary's are missing. */
uint32_t judge_vanished(const struct judge *j);

#endif
