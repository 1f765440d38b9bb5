/*
 * strata: which decisions are compared with which.
 *
 * A stratum is a decision path on one class of targets. Where too little
 * happens to compare anything they fold together: first the class's rare
 * paths, then, if these are still too few, into one for all. The rule and the
 * numbers it takes are those of before the rollout, so that what a candidate
 * does can't choose with what it is compared. A path that nobody had decided
 * before falls in with the rare ones.
 *
 * Only steady paths fold: with others a stratum would have two plans for its
 * denies.
 */
#ifndef CANARY_STRATA_H
#define CANARY_STRATA_H

#include "base/arena.h"
#include "base/err.h"
#include "canary/verdict.h"

#define STRATA_REST "*" /* as path: the class's rare ones; as class: all */

/* What usually happens, of the last 24 h. Each path and class once. */
struct stratum_usual {
	struct stratum of;
	double per_window; /* decisions on both arms */
};

struct strata_place {
	struct str path, target_class;
	uint32_t stratum;
};

struct strata {
	const struct stratum *items; /* for judge_new(); the last is for all */
	uint32_t n;
	const struct strata_place *places; /* by path, then class */
	size_t nplaces;
};

/*
 * Fold what has less than `min_per_window`. Where more than LIMIT_STRATA would
 * stand alone that number is doubled until they fit; E_LIMIT when those with
 * plans alone are more. The order of `usual` does not matter. Lives as long as
 * `a`; text is borrowed.
 */
enum status strata_fold(struct strata *out, const struct stratum_usual *usual,
	size_t n, double min_per_window, struct arena *a,
	struct err *e) MUST_CHECK;

/* The index in `items`; there is always one. */
uint32_t strata_find(
	const struct strata *s, struct str path, struct str target_class);

#endif
