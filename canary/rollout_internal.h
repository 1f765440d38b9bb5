/* rollout_internal: what the files of the rollout driver share. */
#ifndef CANARY_ROLLOUT_INTERNAL_H
#define CANARY_ROLLOUT_INTERNAL_H

#include "base/map.h"
#include "canary/internal.h"
#include "canary/rollout.h"
#include "canary/window.h"

/* --- the store (rollout_store.c) ------------------------------------------ */

enum {
	ROLLOUTS_KEPT = 100,  /* whose windows and verdicts are */
	VERDICTS_KEPT = 2000, /* of one rollout */
	ROLLOUT_STEPS = 1000,
};

/* One that was started without a plan. Nothing when it is there. */
enum status rollout_adopt(struct state *s, const struct channel *c,
	uint64_t from_event, struct err *e) MUST_CHECK;

/*
 * The same call again, by its key, has the first result: whatever generation
 * it was decided on, and whatever was chosen then.
 */
enum status rollout_repeated(struct state *s, const struct state_change *change,
	struct arena *a, struct state_result *out, bool *was,
	struct err *e) MUST_CHECK;

/* Fill in what people have set since. */
enum status rollout_extended(struct state *s, struct str bundle,
	struct rollout_record *r, struct err *e) MUST_CHECK;

struct rollout_window {
	int64_t start_ns;
	struct str record;
};

/* What the engine has to say, in one transaction. */
struct rollout_saving {
	const struct rollout_record *progress;
	struct str verdict; /* a new one; empty: none */
	const struct rollout_window *windows;
	uint32_t nwindows;
};

/* All of it or nothing. */
enum status rollout_save(struct state *s, struct str bundle,
	const struct rollout_saving *w, struct err *e) MUST_CHECK;

/* --- what is usual (rollout_survey.c) ------------------------------------- */

/* One target's own count beside ours (rollout_requests.c). */
struct requests {
	bool known; /* there was a report */
	uint32_t instance;
	int64_t until_ns; /* of the last one */
	uint64_t requests, dropped;
	uint64_t open, late; /* events: after it; of what was weighed */
	int64_t since_ns;    /* the step's begin */
	struct requests_interval {
		int64_t from_ns, to_ns;
		uint64_t requests, dropped, events;
	} * items; /* from `first` on; oldest first */
	uint32_t first, n, cap;
};

/*
 * What an agent says it has answered; it may have started anew, or send an old
 * one again.
 */
void requests_report(
	struct requests *r, const struct decision_counters *c, struct arena *a);
/* A decision of this agent has come in. */
void requests_event(struct requests *r, int64_t time_ns);
/* Weigh what ended up to `until_ns`, into the facts of this step. */
void requests_settle(struct requests *r, int64_t step_ns, int64_t until_ns,
	struct target_facts *f);

/* Targets by their id, with room for some that come later. */
struct roster {
	struct arena arena;
	struct map index; /* id -> struct member * */
	struct member {
		struct str id, target_class;
		uint32_t at;
		/* Since the rollout began, from the decisions themselves. */
		int64_t last_event_ns, candidate_event_ns, other_event_ns;
		uint64_t usual;   /* decisions of the last day */
		int64_t since_ns; /* the first of those; 0: none */
		bool canary;      /* in the group of the A/A check */
		struct requests requests;
	} * *members;
	struct target_facts *facts; /* at the same places */
	uint32_t n, room;           /* the last place is for all others */
};

/* With those that are known now, by id; room for as many again. */
void roster_init(struct roster *r, const struct target *targets, size_t n);
/* Safe on {0}. */
void roster_release(struct roster *r);
/* Made when there is room; else the place of the others. */
struct member *roster_at(struct roster *r, struct str id);
/* Who decided it. */
struct member *roster_of(struct roster *r, const struct decision_row *row);

/* The revision of the bundle that an event names; NULL: it is not about it. */
struct str rollout_revision(
	const struct decision_row *row, struct str bundle, struct arena *a);
enum decision_class rollout_outcome(
	const struct rollout_plan *p, const struct decision_row *row);

/* How long decisions take to come in, in powers of two of 125 ms. */
struct lags {
	uint64_t n, at[32];
};
void lags_add(struct lags *l, int64_t ns);
int64_t lags_p95(const struct lags *l); /* 0: none were seen */

struct survey {
	struct arena arena;
	struct str bundle, stable;
	const struct rollout_plan *plan;
	struct roster *roster;
	int64_t from_ns, to_ns; /* the day */
	uint64_t next, end;     /* of events still to be read */
	bool second;            /* pass: the same version on both groups */
	bool done;

	struct map places; /* path NUL class -> struct usual_place * */
	uint64_t events, stable_events, bad;
	int64_t first_ns;
	struct lags lags;
	struct strata strata;
	int64_t *slow_ns; /* by stratum: the p99; 0: unknown */
	struct windows *windows;
	struct judge *judge;
	double same;
	const char *same_metric;
};

/*
 * Reads events before number `end`, of the day that ends at `to_ns`. The A/A
 * check is left out when nobody in the roster is a canary or the day is short.
 */
void survey_init(struct survey *s, struct str bundle, struct str stable,
	const struct rollout_plan *p, struct roster *r, int64_t to_ns,
	uint64_t end);
void survey_release(struct survey *s);
/* How long there were decisions, a minute at least. */
/*
 * Decisions a second of a target, from its first on: who joined late does not
 * do less for it.
 */
double survey_rate(const struct survey *s, const struct member *m);
double survey_seconds(const struct survey *s);
/* Read on; 50,000 events at once. */
enum status survey_step(
	struct survey *s, struct decisions *d, struct err *e) MUST_CHECK;

/* --- one rollout under way (rollout_watch.c) ------------------------------ */

struct watch {
	struct str bundle;
	int64_t rollout;
	struct arena arena; /* of the watch */
	struct rollout_plan plan;
	struct rollout_record record;
	struct channel_version candidate, stable;
	struct roster roster;
	struct survey survey;
	struct windows *windows;
	struct judge *judge;
	struct windows_config config;
	struct lags lags;
	uint64_t next;           /* of the decision log */
	int64_t longest_poll_ns; /* of the step's canaries */
	bool caught_up;
	uint32_t step; /* of record.steps, that the judge is in; from 1 */
	struct str samples[VERDICT_SAMPLES];
	uint32_t nsamples;
	uint64_t next_report; /* of agents' counters */

	struct arena fresh; /* of what follows */
	struct target *targets;
	size_t ntargets;
	double *rates;
	int64_t targets_mono;

	struct arena rows; /* of what is to be written */
	struct rollout_window *windows_new;
	uint32_t nnew, newcap;
	int64_t saved_window; /* those up to it are written */

	bool judged, fresh_verdict; /* one that is not written */
	struct buf waiting;         /* that was written last */
	struct verdict verdict;
	struct buf evidence;
	enum verdict_outcome said;
	const char *said_why;
	int64_t ok_mono, saved_mono; /* last judged; progress last written */
	int64_t jump_ns;             /* of the clock */
	int64_t gap_ns; /* the longest in which nothing was judged */
};

/*
 * Of the rollout that `c` is in, from where it was saved. Fails when its plan,
 * or what was saved, can't be read.
 */
enum status watch_new(struct watch **out, struct state *s,
	const struct channel *c, struct decisions *d, int64_t now_ns,
	int64_t mono_ns, struct err *e) MUST_CHECK;
/* NULL is fine. */
void watch_free(struct watch *w);

struct watch_now {
	struct state *state;
	struct decisions *decisions; /* NULL: no log */
	const struct channel *channel, *everywhere;
	int64_t wall_ns, mono_ns;
};

/* Read what came in, judge. */
enum status watch_look(
	struct watch *w, const struct watch_now *n, struct err *e) MUST_CHECK;
/* For rollout_next(). */
void watch_view(
	struct watch *w, const struct watch_now *n, struct rollout_view *out);
/* Write what is new, when it is time to. */
enum status watch_save(struct watch *w, const struct watch_now *n,
	struct str waiting, bool at_once, struct err *e) MUST_CHECK;

#endif
