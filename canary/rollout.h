/*
 * rollout: a published version goes to the fleet ring by ring, by itself, and
 * back by itself.
 *
 *	plan     what regatta.yaml of the version's commit says: rings, bakes,
 *	         verdict, what follows on a fail
 *	next     a pure function: what is known now -> the next event, or what
 *	         is waited for
 *	store    plans, verdicts and windows beside the channels (channels.db),
 *	         so that commands can read them without the engine
 *	engine   reads the decision log and what is known of targets, judges,
 *	         and applies what `next` says
 *
 * An event that lost a race changes nothing; the engine looks again. Whatever
 * the engine knows it has from the folder: after a restart it reads the
 * rollout's decisions once more and goes on where it was.
 */
#ifndef CANARY_ROLLOUT_H
#define CANARY_ROLLOUT_H

#include "base/clock.h"
#include "bundler/config.h"
#include "canary/state.h"
#include "canary/verdict.h"
#include "decisions/decisions.h"

#define ROLLOUT_CLASS "class" /* the label that makes classes of targets */
#define ROLLOUT_WHO "engine"  /* who did it, in the ledger */

/* --- the plan (rollout_plan.c) ---------------------------------------------
 */

enum rollout_way { WAY_HOLD, WAY_ROLLBACK, WAY_PROMOTE };

/* Text lives in `config`. Must not be copied. */
struct rollout_plan {
	struct config config;
	struct verdict_config verdict;
	enum rollout_way on_fail, on_inconclusive;
	struct outcome_map *map; /* of `decisions` */
};

/*
 * `release` is what a bundle carries (config_write_release()); empty: the
 * defaults. E_INVALID, E_LIMIT.
 */
enum status rollout_plan_parse(
	struct rollout_plan *out, struct str release, struct err *e) MUST_CHECK;
void rollout_plan_release(struct rollout_plan *p);

/* How a version's decisions are read; lives in `a` and in the config. */
size_t rollout_rules(
	const struct config *c, struct arena *a, struct outcome_rule **out);

/* One value of a plan for one rollout; names are those of regatta.yaml. */
struct rollout_override {
	struct str name; /* "bake.min", "approvers" */
	struct str value;
};

/*
 * Append the release text with some values replaced. E_INVALID: no such name
 * (the message lists them), or a value that is none.
 */
enum status rollout_plan_override(struct buf *out, struct str release,
	const struct rollout_override *o, size_t n, struct err *e) MUST_CHECK;

/* How denies of a path are judged. E_INVALID: the plan has ended. */
enum status rollout_plan_denies(const struct rollout_plan *p, struct str path,
	int64_t now_ns, struct stratum *out, struct err *e) MUST_CHECK;

/* --- rings (rollout_ring.c) -------------------------------------------------
 */

enum {
	ROLLOUT_HELD_BACK = 500, /* basis points: controls of a fleet bake */
	ROLLOUT_LOAD_CAP = 25,   /* percent of decisions, of the first ring */
	ROLLOUT_AWAY_S = 86400,  /* who is lost for longer is not waited for */
};

struct rollout_fleet {
	const struct target *targets; /* by id */
	const double *rates; /* decisions a second of each; NULL: unknown */
	size_t n;
	int64_t now_ns;
};

struct rollout_exposure {
	size_t ring; /* of the plan's; nrings: there is none left */
	bool all;
	struct str *targets; /* that it adds; with `all` those held back */
	uint32_t ntargets;
	uint32_t had, has, of; /* with the candidate before, then; targets */
	uint32_t away;         /* it adds nobody, because these are lost */
	bool *chosen;          /* of the fleet: has it then */
};

/*
 * The next ring that adds a target, or the last. Targets that are pinned or
 * lost are in no ring but the last; those labelled `never-canary` neither. An
 * outage is no reason to pass a ring over: where all that a ring could add are
 * lost, and some since less than ROLLOUT_AWAY_S, it is that ring, and `away`
 * says how many. In `a`.
 */
void rollout_expose(const struct rollout_plan *p, const struct channel *c,
	const struct rollout_fleet *f, struct arena *a,
	struct rollout_exposure *out);
/* How many have the labels that a ring wants. */
size_t rollout_ring_matches(
	const struct config_ring *r, const struct rollout_fleet *f);
struct str rollout_class(const struct target *t);
/*
 * Why a rollout of which this is the first step can't begin with this fleet:
 * nobody there to judge it by, or nobody to compare them with. NULL: it can.
 * In `a`.
 */
const char *rollout_bad_rings(const struct rollout_plan *p,
	const struct channel *c, const struct rollout_fleet *f,
	const struct rollout_exposure *first, struct arena *a);

/* --- what comes next (rollout_next.c) ---------------------------------------
 */

/* What is usual, of the last day before the rollout (rollout_survey.c). */
struct rollout_usual {
	bool known;      /* it has been looked at */
	double seconds;  /* of which there are decisions */
	uint64_t events; /* in these */
	double errors;   /* share of errors and undefined */
	int64_t lag_ns;  /* from decision to log, p95; 0: unknown */
	double same;     /* E of the same version on both groups; 0: unknown */
	const char *same_metric;
};

struct rollout_view {
	const struct channel *channel;
	const struct channel *everywhere; /* state_fleet(); NULL: no freeze */
	const struct rollout_plan *plan;
	struct rollout_fleet fleet;
	struct rollout_usual usual;
	/* Of this ring, with all decisions so far; NULL: none yet. */
	const struct verdict *verdict;
	struct str evidence; /* its record */
	int64_t step_ns;     /* when this ring's bake began; 0: not yet */
	int64_t extra_ns;    /* by which its bake was extended */
	bool forced;         /* preflight finds faults, but stops for none */
	int64_t stale_ns;    /* since something could be judged */
	int64_t jump_ns;     /* by which the wall clock jumped; 0: it did not */
	int64_t now_ns;      /* wall */
};

struct rollout_next {
	struct channel_event event; /* EVENT_NONE: nothing to do now */
	struct str why;             /* or what is waited for; one sentence */
};

enum {
	ROLLOUT_STALE_S = 300,    /* without a judge: hold */
	ROLLOUT_CONVERGE_S = 600, /* to take up a version; or five polls */
	ROLLOUT_TARGETS_S = 120,  /* preflight waits for targets to poll */
	ROLLOUT_SAME_LIMIT = 20,  /* E that says that groups differ already */
};

/* Pure. Text is in `a` or in the view. */
void rollout_next(const struct rollout_view *v, struct arena *a,
	struct rollout_next *out);

/* --- the store (rollout_store.c) --------------------------------------------
 */

struct rollout_start {
	struct state_change change; /* EVENT_START */
	struct str release;         /* the plan's text, overrides in it */
	struct str overrides;       /* what was asked for, JSON; or empty */
	struct str plan_hash;       /* or empty */
	uint64_t from_event;        /* the decision log's next number */
};

/*
 * state_apply(), and the plan with it in the same transaction. When the
 * version is put into the queue its plan waits with it.
 */
enum status rollout_start(struct state *s, const struct rollout_start *start,
	struct state_result *out, struct err *e) MUST_CHECK;

struct rollout_step {
	int64_t ring;
	struct str name;
	int64_t exposed_ns, bake_ns; /* 0: not yet */
};

struct rollout_record {
	int64_t rollout;
	struct str release; /* empty: started without a plan; the defaults */
	struct str version; /* revision */
	struct str who, why, overrides, plan_hash;
	bool forced, allow_divergent, allow_overlap;
	int64_t started_ns, from_event;
	/* By the engine. */
	int64_t beat_ns;    /* when it last judged */
	struct str waiting; /* for what */
	struct rollout_step *steps;
	uint32_t nsteps;
	/* By people. */
	int64_t extended_ring, extended_ns;
};

/* Of a number. E_NOT_FOUND: there was no such rollout. In `a`. */
enum status rollout_read(struct state *s, struct str bundle, int64_t rollout,
	struct arena *a, struct rollout_record *out, struct err *e) MUST_CHECK;
/* The newest first, at most `max`. */
enum status rollout_list(struct state *s, struct str bundle, size_t max,
	struct arena *a, struct rollout_record **out, size_t *n,
	struct err *e) MUST_CHECK;

struct rollout_promote {
	struct state_change change; /* who, roles, why, force, expect, key */
	struct rollout_fleet fleet;
};

struct rollout_promoted {
	struct state_result state;
	int approvals, needed; /* needed > approvals: others have to as well */
	struct rollout_exposure exposure;
	bool succeeded; /* the fleet's bake was ended */
};

/*
 * Go on to the next ring, or to the end from a fleet bake. Out of a bake
 * without a verdict it takes `force` and a reason; with one that says FAIL
 * nothing does (E_CONFLICT). Where the plan wants several, it is one approval
 * and goes on with the last of them.
 */
enum status rollout_promote(struct state *s, const struct rollout_promote *p,
	struct arena *a, struct rollout_promoted *out,
	struct err *e) MUST_CHECK;

/*
 * More time for this ring's bake. On hold it resumes; in a bake nothing but
 * the time changes.
 */
enum status rollout_extend(struct state *s, const struct state_change *change,
	int64_t by_ns, struct state_result *out, struct err *e) MUST_CHECK;

/* A verdict's record (verdict_write()), newest: number 0. In `a`. */
enum status rollout_verdict(struct state *s, struct str bundle, int64_t rollout,
	int64_t number, struct arena *a, struct str *record, int64_t *found,
	struct err *e) MUST_CHECK;

/* Append all windows of a rollout, oldest first, as an array of JSON. */
enum status rollout_windows(struct state *s, struct str bundle, int64_t rollout,
	struct buf *out, struct err *e) MUST_CHECK;

/* --- once more (rollout_watch.c) -------------------------------------------
 *
 * A rollout that is over is judged again from its stored decisions, by the same
 * judge, with the settings it had or with others: what would they have done?
 * What only a live server knows is missing, and the rules on it are left out:
 * activation errors, silence, request counts, volume.
 */

struct rollout_past {
	struct str bundle, stable; /* revision; empty: a first release */
	struct str release;        /* the plan's text to judge by */
	const struct rollout_record *record;
	const struct target *targets; /* as they are now, for their classes */
	size_t ntargets;
	uint64_t end_event; /* of the decision log: behind its last one */
};

struct rollout_again {
	enum verdict_outcome outcome; /* the last one; FAIL ends it */
	char reason[VERDICT_REASON_MAX];
	int64_t failed_ns;            /* wall; 0: it did not fail */
	uint32_t passed, step_passed; /* rings that came to a PASS; the last */
	uint64_t events;              /* that were read */
};

/* Takes about as long as it takes to read the decisions. Writes nothing. */
enum status rollout_judge_again(const struct rollout_past *p,
	struct decisions *d, struct rollout_again *out,
	struct err *e) MUST_CHECK;

/* --- the engine (rollout_engine.c) ------------------------------------------
 */

struct rollout_options {
	const char *dir;           /* the state folder; it is there */
	const struct fs *fs;       /* the seam; NULL: none */
	const char *vfs;           /* of SQLite; NULL: the system's */
	const struct clock *clock; /* wall and mono */
	/*
	 * The decision log, open as long as the engine; NULL: none yet. Called
	 * at each tick that has something to judge.
	 */
	struct decisions *(*decisions)(void *user);
	/*
	 * After each change of a rollout, whoever made it: one object of JSON.
	 * Called by tick, outside of any transaction; it should not take long
	 * (notify.h starts a command). NULL: nobody is told.
	 */
	void (*notify)(void *user, struct str json);
	/* A channel has just been changed by the engine. NULL: nobody asks. */
	void (*changed)(void *user);
	void *user;
};

struct rollout_engine;

/*
 * One per folder that is served. It opens its own connection to the folder
 * (struct state); nothing is shared with other threads but the decision log,
 * which is made for that.
 */
enum status rollout_engine_new(struct rollout_engine **out,
	const struct rollout_options *o, struct err *e) MUST_CHECK;
void rollout_engine_free(struct rollout_engine *r); /* NULL is fine */

/*
 * Look, judge, act; about once a second, always from the same thread. With no
 * rollout under way it takes some 10 us, else at most some 100 ms. An error is
 * to be logged and no reason to stop: the next tick tries again, and after
 * ROLLOUT_STALE_S the rollout is held for it.
 */
enum status rollout_engine_tick(
	struct rollout_engine *r, struct err *e) MUST_CHECK;

#endif
