/*
 * channel: which version each target of a bundle gets.
 *
 * A version is immutable; a channel is the pointer. Its record is one small
 * value, and three pure functions are all that is ever done with it:
 *
 *	channel_apply(before, event, now)   the next record, or a refusal
 *	channel_choose(record, target)      what a target should run, and why
 *	channel_write(), channel_parse()    canonical JSON
 *
 * so that the same events give the same record wherever they are replayed.
 * Where records are kept, and the ledger of events, is state.h.
 *
 * Of one rollout:
 *
 *	         start           expose          converged
 *	  (none) -----> PREFLIGHT -----> DISTRIBUTING -----> BAKING --+
 *	                   |                  ^                |      |
 *	            refuse |                  +----------------+      | hold
 *	                   v                        expose            v
 *	                REFUSED                            ^--------- HOLD
 *	                                                  resume, expose
 *
 *	the ring of all: DISTRIBUTING -> FLEET_BAKE -> SUCCEEDED
 *	from each:       abort -> ABORTED;
 *	                 rollback -> ROLLING_BACK -> ROLLED_BACK
 *
 * `stable` is what everybody gets. With the ring of all it becomes the new
 * version, but `last_good` stays until the rollout succeeds: a rollback of a
 * fleet bake goes to the version before. `former` is the last good one before
 * that, so that a rollout which succeeded can be taken back too.
 *
 * `generation` grows by one with each change. An event names the generation
 * that its author saw; when another came first it is refused. Rollbacks and
 * freezes need not name one: they can't lose. `fence` is the generation of the
 * last rollback; it tells who lost against that.
 *
 * Strings of a record live as long as the arena it was made in; those of
 * `before` are shared with `after`.
 */
#ifndef CANARY_CHANNEL_H
#define CANARY_CHANNEL_H

#include "base/buf.h"
#include "canary/select.h"

enum {
	CHANNEL_TARGETS_MAX = 100000, /* of a candidate, and of one event */
	CHANNEL_PINS_MAX = 1000,
	CHANNEL_QUARANTINE_MAX = 1000,
	CHANNEL_APPROVALS_MAX = 100,
	CHANNEL_TEXT_MAX = 65536, /* bytes of one string of an event */
};

struct channel_version {
	struct str revision; /* empty: none */
	struct str digest;   /* SHA-256 of the archive, 64 hex digits */
	struct str commit;
	int64_t commit_time; /* seconds */
	/* Which commit of the first-parent line, from 1; 0: not known. */
	int64_t order;
};

enum channel_state {
	CHANNEL_IDLE, /* no rollout so far */
	CHANNEL_PREFLIGHT,
	CHANNEL_DISTRIBUTING,
	CHANNEL_BAKING,
	CHANNEL_HOLD,
	CHANNEL_FLEET_BAKE,
	CHANNEL_ROLLING_BACK,
	CHANNEL_SUCCEEDED,
	CHANNEL_ROLLED_BACK,
	CHANNEL_ABORTED,
	CHANNEL_REFUSED,
	CHANNEL_STATES,
};

const char *channel_state_name(enum channel_state s); /* "fleet-bake" */
/* A rollout that has not ended. */
bool channel_busy(enum channel_state s);

/* Automation: `ci` and `engine`; people may go on. */
enum channel_freeze_scope {
	FREEZE_AUTOMATION, /* what a rollback leaves behind */
	FREEZE_ALL,
	FREEZES,
};

struct channel_freeze {
	struct str who, why;
	int64_t from_ns, until_ns; /* wall; until 0: there is none */
};

struct channel_pin {
	struct str target, selector; /* one of both */
	struct channel_version version;
	struct str who, why;
	int64_t until_ns;
};

struct channel_quarantine {
	struct channel_version version;
	struct str who, why;
	int64_t since_ns;
};

/* {0} is a channel before its first event. */
struct channel {
	struct str bundle;
	int64_t epoch, generation, fence;
	struct channel_version stable, last_good, former;
	struct channel_version candidate;
	struct channel_version queued; /* starts when the channel is free */
	struct channel_version bad;    /* what was rolled back last */

	int64_t rollout; /* its number, from 1 */
	enum channel_state state;
	enum channel_state held_from; /* in HOLD */
	struct str hold;              /* why, in HOLD */
	struct str starter;
	int64_t started_ns, since_ns; /* of the rollout, of the state */
	int64_t ring;                 /* from 1; 0: none yet */
	struct str ring_name;
	bool all; /* the ring of all */
	/* Sorted. Who has the candidate; with `all`, who has not. */
	struct str *targets;
	uint32_t ntargets;
	/* Who would go on from this state; gone when it is left. */
	struct str *approvals;
	uint32_t napprovals;

	struct channel_freeze freeze[FREEZES];
	struct channel_pin *pins;
	uint32_t npins;
	struct channel_quarantine *quarantine; /* oldest first */
	uint32_t nquarantine;
};

/* --- events (channel.c) ------------------------------------------------------
 */

enum channel_role {
	ROLE_CI = 1 << 0,
	ROLE_RELEASE = 1 << 1,
	ROLE_ONCALL = 1 << 2,
	ROLE_ENGINE = 1 << 3, /* the rollout's own progress */
};

/*
 * Who may, and what it needs besides a state that allows it. "Needs why": a
 * reason is not optional. `force` on anything needs one too.
 */
enum channel_event_kind {
	EVENT_NONE,
	/* version, known, ancestry. The record stays as it is. */
	EVENT_PUBLISH, /* ci, release */
	/*
	 * version, relation, overlap, if_busy; force: a quarantined one, by
	 * people
	 */
	EVENT_START, /* ci, release; engine: what is queued */
	/* why */
	EVENT_REFUSE, /* engine, release */
	/*
	 * ring, and the targets that it adds; or all, and those held back.
	 * Out of a bake it needs evidence, else people and force.
	 */
	EVENT_EXPOSE, /* engine, release */
	/* evidence. Enough targets are there; or back, after a rollback. */
	EVENT_CONVERGED, /* engine */
	/* why */
	EVENT_HOLD,   /* engine, release, oncall */
	EVENT_RESUME, /* release, oncall */
	/*
	 * One more would go on. How many that takes is the rollout's to know
	 * (rollout.h).
	 */
	EVENT_APPROVE, /* release */
	/* As expose. */
	EVENT_SUCCEED, /* engine, release */
	EVENT_ABORT,   /* release, oncall */
	/* version or none: the last good one; promoted; force: any one */
	EVENT_ROLLBACK, /* oncall, release, engine */
	/* scope, from, until, why */
	EVENT_FREEZE, /* oncall, release */
	/* scope; of all: that of automation too */
	EVENT_UNFREEZE, /* release */
	/* target or selector, version, until, why */
	EVENT_PIN,   /* oncall, release */
	EVENT_UNPIN, /* oncall, release */
	/* version, why */
	EVENT_QUARANTINE, /* oncall, release */
	EVENT_PARDON,     /* release */
	/* epoch, why. For agents that were led to too high a generation. */
	EVENT_EPOCH, /* release */
	EVENTS,
};

const char *channel_event_name(enum channel_event_kind k); /* "rollback" */

enum channel_if_busy { BUSY_REJECT, BUSY_QUEUE, BUSY_SUPERSEDE, BUSY_RULES };

/* A version beside the last good one. */
enum channel_relation {
	RELATION_UNKNOWN,
	RELATION_AHEAD,
	RELATION_STALE,     /* an ancestor: an old job */
	RELATION_DIVERGENT, /* another line, or history was rewritten */
	RELATIONS,
};

/* What can be told from their commits' orders and times. */
enum channel_relation channel_relation(
	const struct channel_version *v, const struct channel_version *base);

/* What a version's commit follows, as its publisher saw it. */
struct channel_ancestry {
	struct str commits; /* the first digits of each, "." between them */
	int64_t since; /* seconds; newer ones are listed. 1: all; 0: unknown */
};

/*
 * What can be told from what they follow, or else from orders and times. A
 * commit that is not among what the other one follows is on another line.
 */
enum channel_relation channel_descent(const struct channel_version *v,
	const struct channel_ancestry *of_v, const struct channel_version *base,
	const struct channel_ancestry *of_base);

/* Whether it is of `q`'s commit, or of one that is known to follow that. */
bool channel_contains(const struct channel_version *v,
	const struct channel_ancestry *of_v, const struct channel_version *q);

enum channel_known { KNOWN_NOT, KNOWN_SAME, KNOWN_OTHER, KNOWNS };

struct channel_event {
	enum channel_event_kind kind;
	struct str who; /* "ana", "ci/1234", "engine" */
	int64_t roles;  /* of enum channel_role */
	struct str why, evidence;
	int64_t expect;  /* generation it was decided on; 0: any */
	int64_t rollout; /* number it is meant for; 0: any */
	struct channel_version version;
	struct channel_ancestry ancestry; /* of a version that is published */
	enum channel_known known; /* the revision was there before publish */
	bool promoted;            /* the version was good once */
	enum channel_relation relation;
	enum channel_if_busy if_busy;
	bool force, break_glass, allow_divergent;
	struct str ring;
	bool all;
	struct str *targets; /* any order */
	uint32_t ntargets;
	struct str target, selector;
	enum channel_freeze_scope scope;
	int64_t from_ns, until_ns, epoch;
	/* Who froze all channels, and why; empty: nobody did. */
	struct str frozen_by, frozen_why;
	/* A bundle that is being rolled out to the same targets; or empty. */
	struct str overlap;
	bool allow_overlap;
};

/* clang-format off */
enum channel_refusal {
	REFUSED_NOT = 0,
	REFUSED_ALREADY,    /* it is so: nothing to change, no failure */
	REFUSED_ROLE,
	REFUSED_GENERATION, REFUSED_FENCED, REFUSED_ROLLOUT,
	REFUSED_STATE, REFUSED_BUSY, REFUSED_OVERLAP, REFUSED_FROZEN,
	REFUSED_QUARANTINED, REFUSED_STALE_COMMIT, REFUSED_DIVERGENT,
	REFUSED_OTHER_BYTES, REFUSED_NOT_PROMOTED, REFUSED_NO_GOOD,
	REFUSED_IN_USE, REFUSED_NOTHING, REFUSED_WHY, REFUSED_EVIDENCE,
	REFUSED_PEOPLE, REFUSED_UNTIL, REFUSED_VALUE, REFUSED_LIMIT,
	REFUSALS,
};
/* clang-format on */

const char *channel_refusal_name(enum channel_refusal r); /* "busy" */

/*
 * The record after an event at `now_ns`, in `a`. On a refusal `after` is
 * untouched and `e` says, in one sentence, what stands against it and what to
 * do. Each event is checked in this order: role, generation, rollout, state,
 * freeze, then what it says.
 */
enum channel_refusal channel_apply(const struct channel *before,
	const struct channel_event *ev, int64_t now_ns, struct arena *a,
	struct channel *after, struct err *e);

/* Where a rollback without a version would go; NULL: nowhere. */
const struct channel_version *channel_way_back(const struct channel *c);

/* The freeze that stops people, or else automation, now; NULL: none. */
const struct channel_freeze *channel_frozen(
	const struct channel *c, bool automation, int64_t now_ns);

/* Whether nobody may get it any more. */
bool channel_quarantined(const struct channel *c, struct str revision);

/* --- answers (choose.c) -----------------------------------------------------
 */

enum channel_why {
	WHY_NOTHING, /* the channel has no stable version yet */
	WHY_STABLE,
	WHY_UNKNOWN, /* stable, since nobody knows who asks */
	WHY_CANDIDATE,
	WHY_HELD_BACK, /* the last good version: a control of a fleet bake */
	WHY_PIN,
	WHY_PIN_REFUSED, /* stable: the pinned version is in quarantine */
	WHYS,
};

/* "candidate", "pin", ...: for documents. */
const char *channel_why_name(enum channel_why w);

struct channel_choice {
	const struct channel_version *version; /* NULL: none */
	enum channel_why why;
	const struct channel_pin *pin; /* of the two last */
};

/* Whether this ring or one before it has taken `target` in. */
bool channel_lists(const struct channel *c, struct str target);

/*
 * What a target should run: its pin, else the candidate, else stable. An empty
 * id is nobody we know: always stable. Pins by id go before pins by labels,
 * and the later in the list wins. `rules` are the record's pins, made once
 * per record.
 */
struct channel_rules {
	struct selector *selectors; /* by pin */
};

/*
 * Read the pins' selectors, once for many polls; they live in `a`. One that
 * can't be read selects nobody.
 */
void channel_rules(
	const struct channel *c, struct arena *a, struct channel_rules *out);
/*
 * What a target gets, and why. `target` is empty for one that is not known: it
 * gets stable. Pure; the answer points into `c`.
 */
struct channel_choice channel_choose(const struct channel *c,
	const struct channel_rules *rules, struct str target,
	const struct label *labels, size_t nlabels, int64_t now_ns);

/* --- canonical JSON (channel_json.c) ----------------------------------------
 */

/* Members in a fixed order, what is empty left out: one record, one text. */
void channel_write(const struct channel *c, struct buf *out);
void channel_event_write(const struct channel_event *ev, struct buf *out);
/* What of the record lives elsewhere is brought into `to`. */
enum status channel_move(
	struct channel *c, struct arena *to, struct err *e) MUST_CHECK;

/* E_INVALID or E_LIMIT; unknown members are refused. In `a`. */
enum status channel_parse(struct channel *out, struct str text, struct arena *a,
	struct err *e) MUST_CHECK;
enum status channel_event_parse(struct channel_event *out, struct str text,
	struct arena *a, struct err *e) MUST_CHECK;

/* SHA-256 of the text, in hex, NUL-terminated. */
void channel_digest(const struct channel *c, char hex[65]);

#endif
