/*
 * verdict: what the decisions of a canary say about a version.
 *
 * A judge takes closed windows of counts and keeps the evidence; a verdict is
 * read from it together with what is known of the targets. Values in, values
 * out: no clock, no file, no randomness. The same windows give the same
 * verdict; their order does not matter but for rounding.
 *
 *	struct judge *j = judge_new(&config, strata, nstrata, ntargets);
 *	judge_step(j);                      each time a step begins
 *	judge_window(j, &window);           each time a window closes
 *	judge_verdict(j, &facts, &verdict);
 *
 * Rules, the first that matches: FAIL(activation), FAIL(metric),
 * INCONCLUSIVE(silent, coverage, volume, counts, stale), PASS,
 * INCONCLUSIVE(evidence). A FAIL by decisions is final for the judge, that is
 * for the rollout; one by activation is read from the facts each time. Evidence
 * of harm runs on through all steps; evidence for PASS begins anew with each,
 * since new targets are exposed.
 *
 * The guarantee holds for independent decisions inside a cell. Targets are
 * assigned, not requests: a bad host can look like a bad policy.
 */
#ifndef CANARY_VERDICT_H
#define CANARY_VERDICT_H

#include "base/buf.h"
#include "canary/evidence.h"

enum canary_metric {
	METRIC_ERROR,
	METRIC_CEILING, /* the error rate by itself */
	METRIC_UNDEFINED,
	METRIC_DENY_UP,
	METRIC_DENY_DOWN,
	METRIC_SLOW,
};

enum {
	METRICS = METRIC_SLOW + 1,
	VERDICT_SAMPLES = 10,
	VERDICT_NAMED = 20, /* targets listed by name; all are counted */
	VERDICT_REASON_MAX = 512,
};

/* "error", "deny_up", ...: for documents. */
const char *canary_metric_name(enum canary_metric m);

/* All rates are shares of 1. verdict_defaults has what the product ships. */
struct verdict_config {
	double alpha;            /* all false alarms of a rollout: 0.01 */
	double share[METRICS];   /* of alpha; add up to 1 */
	double beta;             /* false passes of a step: 0.05 */
	double worse_than;       /* odds ratio tolerated, psi0: 1.25 */
	double twice;            /* odds ratio a PASS must refute, psi1: 2 */
	double pass_below;       /* or the rate it must refute: 0.005 */
	double ceiling;          /* error rate that fails by itself: 0.05 */
	double min_effect;       /* difference of rates for a FAIL: 0.001 */
	double calm;             /* every E must be below for PASS: 10 */
	double min_reporting;    /* of the step's canaries: 0.8 */
	double min_coverage;     /* of decisions in matched strata: 0.8 */
	double max_unattributed; /* of events: 0.01 */
	double max_lost;         /* of decisions, dropped or missing: 0.05 */
	double fresh_periods;    /* of logs; no PASS on what is older: 2 */
	double volume_low, volume_high; /* times the usual share: 0.5, 2 */
	uint64_t min_decisions;         /* on the canary: 500 */
	double eta;     /* tempering of cells without duplicates: 1 */
	double eta_raw; /* of cells that may hold them: 0.5 */
};

extern const struct verdict_config verdict_defaults;

/* A metric's threshold for E: 1 / (alpha * share). */
double verdict_threshold(const struct verdict_config *c, enum canary_metric m);

enum deny_mode {
	DENY_STEADY, /* up and down within worse_than */
	DENY_OBSERVE,
	DENY_PLANNED,
};

/*
 * What replay predicts of the denies of a path and what its author asked for.
 * A widening has a ticket and an end; after it the path is steady again. With a
 * new_rate, denies by new rules alone are judged by it, and `predicted` and the
 * others are of the old rules: these stay steady at 1. Without, all denies are
 * one, since a rule whose message was reworded is no new one.
 */
struct deny_plan {
	double predicted; /* odds ratio by replay; 1 when unknown */
	double new_rate;  /* share of decisions for new rules; 0: not apart */
	double max_up;    /* widest odds ratio asked for; 0: none */
	double min_down;  /* lowest asked for; 0: none */
	struct str ticket;
	int64_t expires_ns; /* wall; 0: none was given */
};

/* Refused with E_INVALID: no expiry, no ticket, ratios that are none. */
enum status deny_plan_check(
	const struct deny_plan *p, struct err *e) MUST_CHECK;

/* Decision path and class of targets; the same index in all windows. */
struct stratum {
	struct str path, target_class;
	enum deny_mode deny;
	struct deny_plan plan; /* DENY_PLANNED */
};

/* After de-duplication, but for `raw`. Classes are disjoint; slow is a flag. */
struct decision_counts {
	uint64_t n, error, undefined, deny, allow;
	uint64_t deny_new;    /* of deny: by rules that stable lacks alone */
	uint64_t timed, slow; /* slow of timed */
	uint64_t raw;         /* decisions as they came */
};

/* What one target sent of one stratum under one of both revisions. */
struct window_row {
	uint32_t target, stratum;
	bool canary;     /* decided by the candidate */
	bool duplicates; /* some input could not be compared: tempered */
	struct decision_counts k;
};

struct canary_window {
	int64_t start_ns, end_ns; /* wall */
	const struct window_row *rows;
	size_t nrows;
	int64_t newest_ns;     /* event of the canary that counts; 0: none */
	uint64_t unattributed; /* events without a revision */
	uint64_t foreign;      /* of other revisions than these two */
	uint64_t racing;       /* left out: around an activation */
	uint64_t late;         /* left out: their window had closed */
	uint64_t overflow;     /* left out: limits, clocks ahead of time */
};

struct judge;

/* `config` and `strata`, and the text in them, must outlive the judge. */
struct judge *judge_new(const struct verdict_config *config,
	const struct stratum *strata, uint32_t nstrata, uint32_t ntargets);
void judge_free(struct judge *j); /* NULL is fine */
void judge_step(struct judge *j);
void judge_window(struct judge *j, const struct canary_window *w);

enum target_state {
	TARGET_REPORTING, /* on the new revision and heard of */
	TARGET_QUIET,     /* polls, logs nothing though it should */
	TARGET_SILENT,    /* neither, though it should */
	TARGET_STALE,     /* polls with an old tag after several offers */
	TARGET_WAITING,   /* not there yet, or too slow to tell */
	TARGET_FAILED,    /* refused the revision */
};

/* What the server knows of one target. Times are wall ns; 0: never. */
struct target_facts {
	struct str id;
	bool canary;       /* of this step */
	bool on_candidate; /* its last poll or event names the revision */
	struct str activation_error; /* empty: none */
	int64_t last_poll_ns, last_event_ns, offered_ns;
	int64_t poll_period_ns;
	double events_per_s; /* usual */
	/* Since the step began, by its own status and by what came in. */
	bool counts_requests;
	uint64_t requests, received, dropped;
};

/* Whether it can be judged, by what was heard of it until now. */
enum target_state target_state(const struct target_facts *t, int64_t now_ns);

struct verdict_facts {
	int64_t now_ns;
	int64_t step_ns; /* when the step began */
	int64_t bake_ns, min_bake_ns;
	int64_t max_bake_ns;                /* 0: none */
	int64_t log_period_ns;              /* the longest of the canaries */
	const struct target_facts *targets; /* by the windows' index */
	uint32_t ntargets;
	double usual_share; /* of canary decisions; 0: unknown */
	bool first_release; /* there is no stable version to compare with */
	const struct str *samples; /* decision ids, the telling ones first */
	uint32_t nsamples;
	struct mann_whitney latency; /* of the rollout; {0}: not known */
	bool intervals; /* also what is for people alone: takes longer */
};

enum verdict_outcome {
	VERDICT_INCONCLUSIVE,
	VERDICT_PASS,
	VERDICT_FAIL,
};

/* "inconclusive", "pass", "fail": for documents. */
const char *verdict_outcome_name(enum verdict_outcome o);

#define VERDICT_UNKNOWN (-1.0) /* a chance that nobody asked for, or knows */

struct metric_verdict {
	struct cell total;      /* of the rollout, both arms */
	double ln_e, threshold; /* FAIL when e^ln_e reaches it */
	double difference;      /* of rates, over strata */
	double ln_s;            /* for PASS; error and undefined only */
	/* For people; no rule reads them. */
	struct interval newcombe;
	struct interval odds; /* [0, INFINITY]: not asked, LIMIT_JUDGE_CELLS */
	struct mantel_haenszel inside; /* windows and strata */
	double likely_worse;           /* of the totals, or VERDICT_UNKNOWN */
};

/*
 * A FAIL by decisions once more without the target that did most to it. When
 * that is no FAIL, then the cause may be this host and not the policy. Not
 * known when only one canary decided anything, and when the counts of so many
 * targets and windows were over LIMIT_JUDGE_HISTORY.
 */
struct left_out {
	bool known;
	bool concentrated; /* no FAIL without it */
	uint32_t target;
};

struct verdict {
	enum verdict_outcome outcome;
	const char *why;                 /* "error", "silent", ... */
	char reason[VERDICT_REASON_MAX]; /* one sentence */
	struct metric_verdict metric[METRICS];
	struct mann_whitney latency; /* an explanation of `slow`, no more */
	struct decision_counts canary, baseline; /* of the step */
	double coverage, unattributed, lost, share;
	double left_out; /* share of decisions, late and overflow */
	uint64_t foreign, racing, late, overflow; /* of the step */
	int64_t newest_ns;
	struct left_out without;
	uint32_t ncanaries, nreporting, nsilent, nmissing;
	uint32_t silent[VERDICT_NAMED], missing[VERDICT_NAMED]; /* targets */
	uint32_t worst_stratum, worst_target; /* UINT32_MAX: none */
	bool first_release;
	int64_t now_ns, step_ns, bake_ns, min_bake_ns, max_bake_ns;
	struct str samples[VERDICT_SAMPLES];
	uint32_t nsamples;
};

/*
 * What can be said at f->now_ns of all that was added; may be asked any number
 * of times.
 */
void judge_verdict(const struct judge *j, const struct verdict_facts *f,
	struct verdict *out);

/*
 * Whether groups that run the same version already differ: the largest E of
 * the judge's metrics, to be refused from 20 on.
 */
double judge_preflight(const struct judge *j, enum canary_metric *which);

/*
 * Minutes until a clean step can PASS, at so many decisions a minute on each
 * arm and this error rate on both; INFINITY when that takes over `max`.
 */
double verdict_minutes(const struct verdict_config *c, double canary_per_min,
	double baseline_per_min, double error_rate, double min_bake,
	double max);

/* Shortest bake in which something can be known. */
int64_t verdict_min_bake(int64_t configured_ns, int64_t max_poll_ns,
	int64_t log_lag_p95_ns, int64_t window_ns);

/* --- one look (once.c) ------------------------------------------------------
 *
 * For who looks once, at an end that was fixed before: exact tests of the
 * totals, at the level that each metric has of alpha. Worse is Fisher's
 * one-sided P, Boschloo's where an arm has under 100 decisions, and for the
 * ceiling the binomial one; good is the better of "so few, at twice the odds"
 * and "so few, at the rate pass_below", doubled for the choice. Who looks again
 * and again has to go by evidence.
 */
struct one_look {
	struct cell total[METRICS];         /* of the rollout */
	double difference[METRICS];         /* inside strata */
	struct cell error, undefined;       /* of the step */
	bool planned_denies;                /* not to be judged as steady */
	enum verdict_outcome gate;          /* the verdict by evidence; */
	const char *gate_why, *gate_reason; /* what it found missing stands */
};

struct one_test {
	const char *test; /* "fisher", "boschloo", "binomial", "none" */
	double p, level;
	bool fails;
};

struct one_verdict {
	enum verdict_outcome outcome;
	const char *why;
	char reason[VERDICT_REASON_MAX];
	struct one_test worse[METRICS];
	double good_error, good_undefined, level;
	/* Exact, 95 %, of the step's canaries; without one, from above alone.
	 */
	struct interval error_rate, undefined_rate;
};

/* The exact tests, for one look that was fixed before. Pure. */
void verdict_once(const struct verdict_config *c, const struct one_look *k,
	struct one_verdict *out);

/* Append the record as JSON: 9 digits, null for what is not finite. */
void verdict_write(struct buf *out, const struct verdict *v,
	const struct verdict_config *c, const struct stratum *strata,
	const struct target_facts *targets);

#endif
