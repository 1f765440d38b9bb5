/*
 * window: from decisions as they arrive to the windows a judge takes.
 *
 *	windows_new(&w, &config, &strata, ntargets, e)
 *	windows_activated(w, target, t)     an agent took up a revision
 *	windows_add(w, &decision)           each event, in any order
 *	windows_heard(w, target, t)         an upload has been added as a whole
 *	while (windows_close(w, now, &closed))
 *		judge_window(j, &closed);
 *
 * Windows are cut by the events' own times. One closes when every target that
 * was ever heard of is known past its end, or `grace_ns` after it; what comes
 * later is counted as late and changes nothing. Up to closing the order of all
 * calls does not matter: the same decisions and marks give the same rows,
 * unless a limit was met.
 *
 * A decision belongs to the arm whose revision it names, whichever target it
 * is from: a canary that has not activated yet is part of the baseline.
 *
 * What counts, in a row of (target, stratum, arm):
 *	- one decision for each (path, outcome, input): a caller that repeats
 *	  itself is no evidence. `raw` has them all
 *	- nothing within `race_ns` of an activation on the target: OPA may name
 *	  the one revision and have asked the other (its issue 2365)
 *	- for `slow`, nothing until `warmup_ns` after one; an input answered
 *	  both fast and slow is two timed decisions
 *
 * Where inputs can't be compared, because they are erased or too many to
 * remember, every decision counts, by the second for races, and the row says
 * `duplicates`, for which the judge tempers it.
 *
 * Pure: no clock, no I/O. Times are wall ns. Threads may not share one.
 */
#ifndef CANARY_WINDOW_H
#define CANARY_WINDOW_H

#include "canary/strata.h"

struct windows_config {
	int64_t start_ns;  /* of the first window; what is before is ignored */
	int64_t window_ns; /* 60 s; at most an hour */
	int64_t grace_ns;  /* 2 log periods; 20 minutes for a stock agent */
	int64_t race_ns;   /* 5 s */
	int64_t warmup_ns; /* 60 s */
	struct str candidate;
	struct str stable; /* empty: a first release */
	/* Inputs told apart, and coarse ones; at most 80 bytes each. */
	uint32_t max_entries;
};

/* What the product ships, but for start_ns and the revisions. */
extern const struct windows_config windows_defaults;

/* The longest grace that windows of this length can have, up to the default's.
 */
int64_t windows_grace(int64_t window_ns);

struct windows;

/*
 * E_INVALID: no candidate, or the same as stable; times that are none. E_LIMIT:
 * a grace of more than LIMIT_WINDOWS_OPEN windows. `strata` and all text must
 * outlive it. Memory grows with what windows hold, up to the limits.
 */
enum status windows_new(struct windows **out, const struct windows_config *c,
	const struct strata *strata, uint32_t ntargets,
	struct err *e) MUST_CHECK;
void windows_free(struct windows *w); /* NULL is fine */

enum decision_class {
	CLASS_ALLOW,
	CLASS_DENY,
	CLASS_DENY_NEW, /* by rules alone whose messages stable never gave */
	CLASS_OTHER,    /* neither, or it can't be told */
	CLASS_UNDEFINED,
	CLASS_ERROR,
};

struct decision_fact {
	uint32_t target;
	struct str path, target_class;
	struct str revision; /* of this rollout's bundle; empty: names none */
	enum decision_class outcome;
	bool timed, slow;    /* took longer than the cut-off */
	int64_t took_ns;     /* of one that is timed */
	bool erased;         /* input erased or masked: no hash */
	uint64_t input_hash; /* any good 64 bits of the input */
	int64_t time_ns;
};

/*
 * A decision of LIMIT_WINDOWS_OPEN windows or more after the oldest open one
 * has no place: whoever adds stored decisions closes windows in between, with
 * the time of that day.
 */
void windows_add(struct windows *w, const struct decision_fact *d);

/*
 * All that the target decided before `until_ns` has been added. Each event says
 * that of its own time. An upload says it of its time less what others of the
 * same target may still be under way: a batch takes several. Who was never
 * heard of is not waited for, so tell at the start when each was heard last.
 */
void windows_heard(struct windows *w, uint32_t target, int64_t until_ns);

/* Not waited for any more, until it is heard of again. */
void windows_gone(struct windows *w, uint32_t target);

/* The last four of a target are kept. Saying one twice is fine. */
void windows_activated(struct windows *w, uint32_t target, int64_t at_ns);

/*
 * The next window that is complete, oldest first; false: none is. Windows in
 * which nothing happened are left out. `*out` holds until the next call.
 */
bool windows_close(
	struct windows *w, int64_t now_ns, struct canary_window *out);

/* Times on a scale of eight steps for each doubling, from a microsecond on. */
enum { TOOK_BUCKETS = 256 };
unsigned took_bucket(int64_t ns);
int64_t took_end(unsigned bucket); /* the longest that is in it */

/*
 * Whether the candidate's decisions took longer than stable's, by all that were
 * timed in windows that have closed; of one input in a window the first. Those
 * of a stratum are compared with each other.
 */
struct mann_whitney windows_latency(const struct windows *w);

#endif
