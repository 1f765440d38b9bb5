/*
 * state: the folder in which a fleet's channels are kept.
 *
 *	VERSION       what wrote the folder: "1"
 *	channels.db   channels, ledger, versions, targets (SQLite)
 *	ledger.key    signs the ledger's heads; made at first use, mode 0600
 *	ledger.pub    its public half, to check them with
 *	reserve       room that a rollback may take when the disk is full
 *	bundles/      the archives, by digest      (bundler/bundler.h)
 *	decisions/    logs and evidence            (decisions/decisions.h)
 *	tokens        who may what                 (server/server.h)
 *	socket        a running server, for commands on its host
 *
 * Any number of processes of one machine may have it open: a server, and the
 * commands beside it. What one changes, another sees with state_changed().
 *
 * Whatever changes a channel goes through state_apply(): in one transaction
 * the record is read, channel_apply() makes the next one, a line is added to
 * the ledger, and all of it is on the disk before it returns. A crash at any
 * point leaves the old record or the new one, each with its ledger.
 *
 * The ledger is a chain: the hash of a line is SHA-256 of the hash before it
 * (32 zero bytes at first) and the line's bytes. Each line has the event with
 * its author, reason and evidence, the time, and the record's generation and
 * SHA-256 before and after; the last hash is signed each time. Replaying the
 * events gives the records: ledger_verify() does, and names the first line
 * that is not what it was. Who keeps a head elsewhere can tell when lines at
 * the end are gone.
 *
 * A struct state is one thread's at a time. Times are wall clock ns.
 */
#ifndef CANARY_STATE_H
#define CANARY_STATE_H

#include "base/fs.h"
#include "canary/channel.h"
#include "signer/signer.h"

#define STATE_DB "channels.db"
#define STATE_KEY "ledger.key"
#define STATE_KEY_PUBLIC "ledger.pub"
#define STATE_BUNDLES "bundles"
#define STATE_DECISIONS "decisions"
#define STATE_TOKENS "tokens"
#define STATE_SOCKET "socket"

enum {
	STATE_VERSION = 2,       /* 2: what versions follow */
	STATE_RESERVE = 1 << 20, /* bytes */
	STATE_KEY_DAYS = 7,      /* how long a call is known by its key */
	STATE_KEY_MAX = 200,     /* bytes of one */
	STATE_BUNDLE_MAX = 255,  /* bytes of a bundle's name */
};

struct state;

struct state_options {
	const struct fs *fs; /* the seam, outlives the state; NULL: none */
	const char *vfs;     /* of SQLite; NULL: the system's */
	int busy_ms;         /* how long to wait for others; 0: 5000 */
	bool create;         /* make the folder when it isn't there */
};

/*
 * E_NOT_FOUND: there is none. E_UNSUPPORTED: it was written by a newer
 * version, or is none of ours. `o` may be NULL.
 */
enum status state_open(struct state **out, const char *dir,
	const struct state_options *o, struct err *e) MUST_CHECK;
void state_close(struct state *s); /* NULL is fine */

/* dir/name, in `a`. */
const char *state_path(
	const struct state *s, const char *name, struct arena *a);

/*
 * Whether a channel changed, here or beside us, since this was last asked; the
 * first time it did. Some 10 us: to be asked often.
 */
enum status state_changed(
	struct state *s, bool *changed, struct err *e) MUST_CHECK;

/* --- channels ---------------------------------------------------------------
 */

/* The record, in `a`. E_NOT_FOUND: no version of the bundle was published. */
enum status state_channel(struct state *s, struct str bundle, struct arena *a,
	struct channel *out, struct err *e) MUST_CHECK;
/*
 * What stops all channels: a record with freezes, and nothing else in it, that
 * stands in the ledger under the name STATE_FLEET. {0} but for its name when
 * nobody ever froze them. In `a`.
 */
#define STATE_FLEET "*"
enum status state_fleet(struct state *s, struct arena *a, struct channel *out,
	struct err *e) MUST_CHECK;
/* All of them but that, by name. */
enum status state_channels(struct state *s, struct arena *a,
	struct channel **out, size_t *n, struct err *e) MUST_CHECK;

struct state_change {
	struct str bundle;
	/*
	 * Of `version` the revision is enough, but to publish; `known`,
	 * `promoted`, what the versions' commits tell, who froze all channels
	 * and what overlaps are filled in. Of STATE_FLEET: freezes and their
	 * ends.
	 */
	struct channel_event event;
	/*
	 * Names the call: the same one again, whatever times and generation
	 * it names, changes nothing and has the result of the first. Empty:
	 * made of the event when it names a generation, else none.
	 */
	struct str key;
	int64_t now_ns;
};

struct state_result {
	enum channel_refusal refusal;
	bool changed;
	bool repeated;         /* the result of an earlier call */
	bool is_signed;        /* the ledger's new head */
	int64_t seq;           /* of the ledger's line; 0: none */
	int64_t before, after; /* generations */
};

/*
 * OK with changed false: it was so already (REFUSED_ALREADY). A refusal gives
 * an error with its sentence, and sets out->refusal. Others: E_NOT_FOUND, the
 * version was not published; E_CONFLICT, the key was used for another call, or
 * the database is held by others for too long; E_IO, E_LIMIT, E_INVALID.
 *
 * A publish makes the channel. That the ledger could not be signed stops
 * nothing: the next signature covers the line.
 */
enum status state_apply(struct state *s, const struct state_change *change,
	struct state_result *out, struct err *e) MUST_CHECK;

/* --- versions (version.c)
 * ----------------------------------------------------- */

struct state_version {
	struct channel_version v;
	int64_t published_ns;
	int64_t first_stable_ns; /* its first rollout ended well; 0: never */
};

/* Of a bundle, newest first, in `a`. */
enum status state_versions(struct state *s, struct str bundle, struct arena *a,
	struct state_version **out, size_t *n, struct err *e) MUST_CHECK;
enum status state_version(struct state *s, struct str bundle,
	struct str revision, struct arena *a, struct state_version *out,
	struct err *e) MUST_CHECK;

/*
 * Those in the channel's quarantine, but for itself, whose commits are in it:
 * its own commit, or one that it is known to follow. In `a`.
 */
enum status state_inherits(struct state *s, const struct channel *c,
	const struct channel_version *v, struct arena *a,
	const struct channel_quarantine ***out, size_t *n,
	struct err *e) MUST_CHECK;

/*
 * Whether a version may be removed from the store: not while it is stable, the
 * last good or former one, a candidate, queued or pinned.
 */
bool channel_needs(const struct channel *c, struct str revision);

/* --- the ledger (ledger.c)
 * ------------------------------------------------------ */

struct ledger_side {
	int64_t generation;
	struct str record; /* SHA-256 of its JSON, hex */
	struct str stable, candidate, state;
};

struct ledger_line {
	int64_t seq; /* from 1 */
	struct str time;
	int64_t ns;
	struct str bundle, key;
	struct channel_event event;
	struct ledger_side before, after;
};

struct ledger_head {
	int64_t seq;
	char hash[65]; /* hex */
};

/*
 * Lines after `after`, oldest first, at most `max`; of one bundle, or of all
 * when it is empty. In `a`.
 */
enum status ledger_lines(struct state *s, struct str bundle, int64_t after,
	size_t max, struct arena *a, struct ledger_line **out, size_t *n,
	struct err *e) MUST_CHECK;

/* As ledger_lines(), the newest, newest first. */
enum status ledger_newest(struct state *s, struct str bundle, size_t max,
	struct arena *a, struct ledger_line **out, size_t *n,
	struct err *e) MUST_CHECK;

/*
 * How a target came to a version (given.c): the ledger played again up to a
 * time. `labels` are those of today; nothing keeps what they were.
 */
struct given_ask {
	struct str bundle, target, revision;
	const struct label *labels;
	size_t nlabels;
	int64_t at_ns;
};

struct ledger_given {
	/* The last line up to then from which on it was to run `revision`. */
	bool found;
	int64_t seq, ns;
	enum channel_event_kind kind;
	struct str who, why, evidence;
	enum channel_why because;
	struct str ring;
	int64_t rollout;
	/* What it was to run at that time; empty: nothing. */
	struct str should_run;
	enum channel_why should_because;
};

/* In `a`. E_INVALID: the ledger is not what the rules allow. */
enum status ledger_given(struct state *s, const struct given_ask *ask,
	struct arena *a, struct ledger_given *out, struct err *e) MUST_CHECK;

struct ledger_report {
	int64_t lines, signed_until; /* seq of the last signature */
	struct ledger_head head;
	int64_t bad; /* first line that is wrong; 0: none, or no line */
};

/*
 * Recompute all of it: order and hashes, signatures, every record from the
 * first event on, and the stored channels and versions against it. E_INVALID
 * says what is wrong, and out->bad where. `key` NULL: the folder's own public
 * key. `known`: a head that was kept elsewhere, or NULL.
 */
enum status ledger_verify(struct state *s, const struct sign_key *key,
	const struct ledger_head *known, struct ledger_report *out,
	struct err *e) MUST_CHECK;

/*
 * Append all of it as lines of JSON: {"line": "...", "hash": "...", "head":
 * "<JWS>"}, for who checks it elsewhere.
 */
enum status ledger_export(
	struct state *s, struct buf *out, struct err *e) MUST_CHECK;

/* --- back (rollback.c)
 * ------------------------------------------------------------ */

struct rollback {
	struct str bundle; /* empty: the one with a rollout now or lately */
	struct str to;     /* revision; empty: the last good one */
	/* One of both makes it a pin, of these targets alone. */
	struct str target, selector;
	int64_t pin_ns; /* how long; 0: 24 h */
	bool force;
	struct str who, why, key;
	int64_t roles, now_ns;
};

struct rollback_result {
	struct state_result state;
	struct str bundle;
	struct channel_version from, to;
	bool counted;      /* both of these are known */
	uint32_t targets;  /* of the bundle that were ever heard of */
	uint32_t affected; /* who gets something else now */
	/*
	 * In which all of these that still poll should be there: the longest
	 * time between two polls. Who waits in one has it at once. 0: unknown.
	 */
	int64_t within_ns;
};

enum { ROLLBACK_RECENT_H = 24 };

/*
 * One transaction. When nothing is to change: OK with state.changed false.
 * E_NOT_FOUND: no channel, or no rollout to choose one by. E_CONFLICT: several
 * channels have one; the message names them. With dry_run nothing is done, and
 * the result says what would be. Strings in `a`.
 */
enum status state_rollback(struct state *s, const struct rollback *r,
	bool dry_run, struct arena *a, struct rollback_result *out,
	struct err *e) MUST_CHECK;

/* --- targets (target.c)
 * ------------------------------------------------------------ */

struct target {
	struct str id;
	struct label *labels;
	uint32_t nlabels;
	int64_t first_ns, last_poll_ns;
	int64_t period_ns; /* between polls, smoothed; 0: not known */
	/* Digests: what its last poll was answered with, and has active. */
	struct str offered, active;
	int64_t offered_ns;   /* since when that is offered */
	int64_t active_ns;    /* since when that is active */
	int64_t status_ns;    /* its last status upload; 0: none */
	struct str revision;  /* as its status says */
	struct str error;     /* of its last activation; empty: none */
	struct str version;   /* of OPA */
	struct str log_error; /* of its log uploads; empty: none */
};

/* Not heard of for three polls, at least 3 min. */
bool target_lost(const struct target *t, int64_t now_ns);

/* All that are known of a bundle, by id, in `a`. */
enum status state_targets(struct state *s, struct str bundle, struct arena *a,
	struct target **out, size_t *n, struct err *e) MUST_CHECK;

/*
 * Another bundle that is being rolled out to a target which has both, and is
 * not lost; empty: none. What goes wrong there could be of either. In `a`.
 */
enum status state_overlap(struct state *s, struct str bundle, int64_t now_ns,
	struct arena *a, struct str *out, struct err *e) MUST_CHECK;

/*
 * What a server hears of targets: kept in memory, since a write for each poll
 * would be too slow, and written every second or so. Any thread may call these.
 */
struct target_book;

enum { TARGETS_MAX = 100000, TARGET_LABELS_MAX = 64 };

/* `max` 0: TARGETS_MAX; those beyond are answered, but not kept. */
struct target_book *target_book_new(size_t max);
void target_book_free(struct target_book *b); /* NULL is fine */

struct target_poll {
	struct str bundle, id; /* an empty id is not kept */
	const struct label *labels;
	size_t nlabels;
	struct str active;  /* digest that it says it has; empty: none */
	struct str offered; /* digest of the answer */
	bool again;         /* another answer to a poll that waits */
};

/*
 * A poll was answered. A book that is full forgets nobody for a new one. Any
 * thread.
 */
void target_polled(
	struct target_book *b, const struct target_poll *p, int64_t now_ns);
/* What is known of its labels, under the book's lock: be quick. */
void target_labels(struct target_book *b, struct str bundle, struct str id,
	void (*use)(void *user, const struct label *labels, size_t n),
	void *user);
struct target_report {
	struct str bundle, id, revision, error, version, log_error;
	const struct label *labels; /* all that it has; none: as before */
	size_t nlabels;
};

/* A status upload. */
void target_reported(
	struct target_book *b, const struct target_report *r, int64_t now_ns);

/* Read what was known before; write what was heard since the last time. */
enum status target_book_load(
	struct target_book *b, struct state *s, struct err *e) MUST_CHECK;
enum status target_book_flush(
	struct target_book *b, struct state *s, struct err *e) MUST_CHECK;

enum target_place {
	PLACE_THERE,
	PLACE_WAITING, /* polls, and has something else */
	PLACE_FAILED,  /* its last activation failed */
	PLACE_LOST,    /* did not poll for three periods, at least 3 min */
	PLACES,
};

/* "there", "lost", ...: for documents. */
const char *target_place_name(enum target_place p);

struct convergence {
	uint32_t targets;
	uint32_t at[PLACES];
};

/*
 * Where each target is that should run something. `places` has room for n, or
 * is NULL. Pure.
 */
struct convergence target_converge(const struct channel *c,
	const struct channel_rules *rules, const struct target *targets,
	size_t n, int64_t now_ns, enum target_place *places);

#endif
