/*
 * decisions: decision logs of OPA, taken in, kept as evidence, and asked.
 *
 * An upload goes in as it came (gzip or not; an array, lines or one object of
 * JSON). Its events are kept byte by byte in segments that only grow, once
 * each however often an agent sends them, and nothing is acknowledged that a
 * power cut could take back:
 *
 *	struct decisions_ticket t = {.source = {target, cohort}};
 *	if (!decisions_admit(d, len, &t)) answer 503
 *	decisions_submit(d, &t, body)           many threads at once
 *	decisions_commit(d, e)                  one write for all of them
 *	t.state == TICKET_DURABLE: answer 200   or wait in decisions_wait()
 *
 * What is no event is not refused, since an agent would send it for ever: it
 * is kept in a log of its own, with the reason, and counts as taken in.
 *
 * The folder, DIR/decisions/:
 *
 *	lock                    held by the process that writes
 *	events/                 the log of events
 *	  00000001.seg          blocks of events (block.h); readable as it is
 *	                        by `zstd -dc`: one event after the other, a
 *	                        newline behind each
 *	  manifest              one line of JSON per segment that is full; each
 *	                        holds the SHA-256 of the one before
 *	  checkpoints           signed notes (signer/note.h), oldest first
 *	  tree                  hashes of 256 events each; derived
 *	quarantine/             the same for what was no event
 *	counters/               the same for what agents counted (below)
 *	rules/                  the same for what events are read by (below)
 *	index/2026-06-20.db     SQLite, one per UTC day of event time; derived
 *	index/position          how many events the indexes know; derived
 *
 * What is derived can be removed at any time and comes back with
 * decisions_rebuild(). Events have numbers, from 0, in the order in which
 * they were taken in; a number is never used twice.
 *
 * The tree of a log is that of signer/merkle.h. An entry is 74 bytes: 1, the
 * flags, when it was received (ns since 1970, 8 bytes, big endian), SHA-256 of
 * `target NUL cohort NUL note`, SHA-256 of the event's bytes. A tree proves
 * that nothing changed since a checkpoint that somebody else holds, and no
 * more: that all events arrived is what decisions_gaps() is about.
 *
 * Source: OPA's decision logs (docs: "Decision Logs"); RFC 6962; RFC 8878 for
 * frames that zstd skips.
 */
#ifndef DECISIONS_DECISIONS_H
#define DECISIONS_DECISIONS_H

#include "base/clock.h"
#include "base/fs.h"
#include "signer/merkle.h"
#include "signer/note.h"

/* --- what an event means ------------------------------------------------- */

/* In the order in which rows and rollups show them. */
enum outcome {
	OUTCOME_UNKNOWN, /* masked, or of a kind that no rule knows */
	OUTCOME_ALLOW,
	OUTCOME_DENY,
	OUTCOME_ADVICE, /* would be a deny, in a stage that doesn't enforce */
	OUTCOME_UNDEFINED,
	OUTCOME_ERROR,
	OUTCOMES, /* how many there are */
};

/* "allow", "deny", ...: for documents and back. */
const char *outcome_name(enum outcome o);
bool outcome_find(struct str name, enum outcome *out);

/* How the result of a decision is read. */
enum outcome_kind {
	KIND_AUTO,       /* by its shape, see outcome_of() */
	KIND_BOOLEAN,    /* true: allow, false: deny */
	KIND_VIOLATIONS, /* an array, object or string: empty is allow */
	KIND_ADVICE,     /* as violations, with advice instead of deny */
	KIND_IGNORE,     /* a decision that is neither: unknown */
};

/* "violations" and the like, as regatta.yaml has them; false: no such. */
bool outcome_kind_find(struct str name, enum outcome_kind *out);

enum {
	DIMENSIONS = 8,      /* of one rule, or of one filter */
	DIMENSION_MAX = 256, /* bytes; longer values are cut there */
	OUTCOME_RULES = 1000,
};

struct dimension {
	struct str name;
	struct str pointer; /* JSON pointer into the event: "/input/user" */
};

struct outcome_rule {
	struct str path; /* see base/glob.h */
	enum outcome_kind kind;
	struct str pointer; /* into the result; "" is all of it */
	const struct dimension *dimensions;
	size_t ndimensions;
};

/*
 * Rules by path, the first that fits counts; and the names of dimensions.
 * Immutable: threads may share it.
 */
struct outcome_map;

/* NULL rules: none. E_INVALID names the rule that can't be. */
enum status outcome_map_new(struct outcome_map **out,
	const struct outcome_rule *rules, size_t n, struct err *e) MUST_CHECK;
void outcome_map_free(struct outcome_map *m); /* NULL is fine */

enum decision_flag {
	DECISION_CLASH = 1 << 0,     /* another event has the same id */
	DECISION_MASKED = 1 << 1,    /* parts were changed or removed */
	DECISION_FOREIGN = 1 << 2,   /* labels.target is not who sent it */
	DECISION_COMPILE = 1 << 3,   /* no decision: left out of all counts */
	DECISION_BACKDATED = 1 << 4, /* 15 minutes or more on the way */
};

/*
 * One event. Strings are borrowed from the event's bytes, or from the arena
 * where they had escapes.
 */
struct decision {
	struct str bytes;     /* as received */
	unsigned char id[16]; /* of decision_id; see event.c */
	struct str id_text;
	int64_t time;    /* ns since 1970 */
	struct str path; /* without slash in front; "" for a query */
	struct str query;
	struct str revision; /* of the bundle that was asked about */
	struct str labels;   /* span of the object, or {0} */
	struct str bundles;  /* span of the object, or {0} */
	struct str input, result, error; /* spans; {0} when absent */
	struct str label_target;
	int64_t latency; /* ns; -1 when not known */
	bool result_erased;
	unsigned flags; /* enum decision_flag, from its content */
};

/*
 * Read an event. E_INVALID and E_LIMIT: it is none, and why. `bundle` names the
 * bundle whose revision counts; NULL is the first that has one.
 */
enum status decision_parse(struct str bytes, const char *bundle,
	struct arena *a, struct decision *out, struct err *e) MUST_CHECK;

/* SHA-256 of the input's bytes; false when there is none. */
bool decision_input_hash(
	const struct decision *ev, unsigned char sum[MERKLE_BYTES]);

/* What a decision counts as, by the rule for its path. `m` may be NULL. */
enum outcome outcome_of(const struct outcome_map *m, const struct decision *ev);

/* --- what events are read by (rules.c) ------------------------------------
 *
 * The log "rules" has the rules of each version of a bundle, which never
 * change, and which version of it is stable; both hold from the event on that
 * was the next one when they were written. So which rules an event is read by
 * is in the folder, and the index, `scan` and decisions_rebuild() agree for
 * ever:
 *
 *  1. Of each bundle that the event names, in its order: the rules of the
 *     version that it names, when they were there as it came; else those of
 *     the version that was stable as it came.
 *  2. Of an event for which that finds no rules at all (it names no bundle, or
 *     none that has any): those of every stable version, in the order in which
 *     bundles had their first.
 *  3. The first rule that fits the path counts; without one, the shape of the
 *     result (KIND_AUTO).
 */

struct decisions;

/*
 * Write the rules of a version; `n` may be 0. Durable when it returns, and no
 * event that is submitted afterwards is without. A version that has rules
 * keeps them. E_INVALID names the rule that can't be.
 */
enum status decisions_add_rules(struct decisions *d, struct str bundle,
	struct str revision, const struct outcome_rule *rules, size_t n,
	struct err *e) MUST_CHECK;
bool decisions_have_rules(
	struct decisions *d, struct str bundle, struct str revision);

/* Which one is stable from now on. E_NOT_FOUND: it has no rules. */
enum status decisions_set_stable(struct decisions *d, struct str bundle,
	struct str revision, struct err *e) MUST_CHECK;

/* --- the disk (room.c) -----------------------------------------------------
 *
 * Above a mark nothing new is taken in, so that the disk never runs full: it
 * has the database of releases too. Canaries have a mark of their own, halfway
 * from that one to a full disk, since a verdict waits for what they send. It
 * ends by itself, 3 % and a quarter of `floor` below the mark.
 */

struct decisions_disk {
	uint64_t size, free; /* bytes, for who is not root */
};

struct decisions_mark {
	unsigned percent; /* used; 100: no mark */
	uint64_t floor;   /* bytes that must be free */
};

enum { DISK_PERCENT = 90, DISK_FLOOR_MIB = 256 };

/* Of the disk that `dir` is on, in bytes; what only root may use is no room. */
enum status decisions_disk_read(
	const char *dir, struct decisions_disk *out, struct err *e) MUST_CHECK;
unsigned decisions_disk_percent(const struct decisions_disk *d); /* used */

/* --- the store ----------------------------------------------------------- */

struct decisions_config {
	const char *dir;     /* the state folder; decisions/ is in it */
	const struct fs *fs; /* NULL: the plain one */
	const struct clock *clock;
	const char *bundle; /* whose revision counts; or NULL */
	const char *origin; /* of checkpoints; NULL: "regatta.local/log" */
	const struct note_key *key; /* signs checkpoints; NULL: none are made */
	bool read_only;             /* to query or verify beside a writer */
	/* Asks for the disk in place of the system; NULL: nothing does. */
	enum status (*disk)(
		void *user, struct decisions_disk *out, struct err *e);
	void *disk_user;
	/* 0 stands for what is in parentheses. */
	struct decisions_mark mark; /* (DISK_PERCENT, DISK_FLOOR_MIB) */
	size_t budget;              /* bytes in flight (64 MiB) */
	size_t canary_budget;       /* and of canaries (16 MiB) */
	uint64_t segment_bytes;     /* a segment is full (64 MiB) */
	int64_t segment_ns;         /* or as old as that (1 hour) */
	int64_t checkpoint_ns;      /* between checkpoints (5 min);
				     * one too when a segment is full */
	int64_t grace_ns;          /* after midnight a day is sealed (1 hour) */
	int64_t retention_ns;      /* events older than that are not taken in
				    * (0: none is too old) */
	uint64_t quarantine_bytes; /* kept there; then reasons only (1 GiB) */
	uint64_t quarantine_items; /* then they are only counted (1 million) */
};

/*
 * Open the folder, or make it. What a crash left half written is cut off, and
 * the indexes are brought up to date. E_CONFLICT: another process writes.
 * E_INVALID: something acknowledged is damaged or gone; reading it still works
 * with `read_only`, and decisions_verify() names the place.
 */
enum status decisions_open(struct decisions **out,
	const struct decisions_config *c, struct err *e) MUST_CHECK;

/* Waiting tickets fail; commit first. NULL is fine. */
void decisions_close(struct decisions *d);

/* --- taking in ----------------------------------------------------------- */

struct decisions_source {
	struct str target; /* who sent it, as the server knows it; or "" */
	struct str cohort; /* "canary", "stable", ...; or "" */
};

enum ticket_state {
	TICKET_NEW,
	TICKET_WAITING, /* for a commit */
	TICKET_DURABLE, /* answer 200 */
	TICKET_FAILED,  /* answer 503: the agent sends it again */
};

/* Belongs to the caller, and stays where it is while it waits. */
struct decisions_ticket {
	struct decisions_source source; /* set by the caller */
	bool canary;                    /* which budget; set by the caller */
	uint64_t left_out; /* bytes behind the body; set by the caller */
	/* Called by the committing thread when the state has changed; or
	 * NULL. It may not call back into the store. */
	void (*done)(struct decisions_ticket *t);
	void *user;

	enum ticket_state state;
	uint32_t accepted, duplicate, quarantined, clashes;
	size_t reserved;
	struct decisions_ticket *next;
};

/*
 * Reserve room for a body of `len` bytes, before it is read. False when the
 * store has too much in flight: answer 503. Canaries have a budget of their
 * own. Given back when the ticket is durable or has failed, or by
 * decisions_withdraw() when the body never came.
 */
bool decisions_admit(
	struct decisions *d, size_t len, struct decisions_ticket *t);
void decisions_withdraw(struct decisions *d, struct decisions_ticket *t);

/*
 * Whether the disk has room for uploads of these; decisions_tick() looks.
 * False: answer 503, before the body is read.
 */
bool decisions_have_room(struct decisions *d, bool canary);

/*
 * Take in a body. E_CONFLICT: too much waits to be written, as it is inflated.
 * E_IO and the like: the index of a day that is over can't be read now. Both:
 * answer 503. Everything else that is wrong with it goes to quarantine; so does
 * the beginning of a body of which the caller kept no more (`left_out`).
 * E_LIMIT: it has more than LIMIT_BATCH_COMPRESSED bytes, and is not to be kept
 * as a whole. Any thread; the body may go when this returns.
 */
enum status decisions_submit(struct decisions *d, struct decisions_ticket *t,
	struct str body, struct err *e) MUST_CHECK;

/*
 * Make all that was submitted durable with one write and one sync per log.
 * Failing, all tickets that wait have failed, and the log is as before.
 */
enum status decisions_commit(struct decisions *d, struct err *e) MUST_CHECK;

/* Wait for a ticket, committing if nobody does. E_IO: it failed. */
enum status decisions_wait(struct decisions *d, struct decisions_ticket *t,
	struct err *e) MUST_CHECK;

/*
 * What is to be done now and then, once a second or so, in one thread: commit
 * what nobody waits for, full segments, checkpoints, indexes, days that are
 * over.
 */
enum status decisions_tick(struct decisions *d, struct err *e) MUST_CHECK;

/* Write a checkpoint now, if there is a key and anything new. */
enum status decisions_checkpoint(struct decisions *d, struct err *e) MUST_CHECK;

struct decisions_counts {
	uint64_t events;      /* in the log */
	uint64_t quarantined; /* in its log */
	/* Since the store was opened: */
	uint64_t duplicates, clashes, bodies, busy, commits, failed;
	uint64_t disk_refused; /* bodies, for want of room on the disk */
	size_t in_flight;      /* bytes */
	bool failing;          /* the newest commit failed */
	struct decisions_disk disk;
	bool disk_high, disk_full; /* nothing of others, of canaries either */
};
/* As of now. Any thread. */
void decisions_counts(struct decisions *d, struct decisions_counts *out);

/* --- asking -------------------------------------------------------------- */

struct decision_row {
	uint64_t number;
	struct decision event;
	enum outcome outcome;
	unsigned flags;
	int64_t received; /* ns since 1970 */
	struct str target, cohort;
	struct dimension dimensions[DIMENSIONS]; /* name, value as `pointer` */
	size_t ndimensions;
};

struct decision_filter {
	int64_t from, to;    /* event time, to excluded; 0 and 0: always */
	struct str path;     /* glob; "": any */
	struct str revision; /* "": any */
	struct str target;   /* "": any */
	struct str cohort;   /* "": any */
	unsigned outcomes;   /* bits 1 << enum outcome; 0: any */
	struct dimension where[DIMENSIONS]; /* name, and value as `pointer` */
	size_t nwhere;
	/* For pages of a query; 0 each: all. */
	uint64_t first; /* of events at `from`, those from this number on */
	uint64_t end;   /* events below this number */
	size_t most;    /* rows: no more keys than twice that are in memory */
};

/* False ends the query. A row lives during the call. */
typedef bool decision_visit(void *user, const struct decision_row *row);

/*
 * Rows by event time, then by number. `scan` reads all segments and no index:
 * slower, and the same rows. E_INVALID: the index does not fit the events;
 * rebuild it.
 */
enum status decisions_query(struct decisions *d,
	const struct decision_filter *f, bool scan, decision_visit *visit,
	void *user, struct err *e) MUST_CHECK;

/* Every event with this decision_id, oldest number first. E_NOT_FOUND: none. */
enum status decisions_show(struct decisions *d, struct str id,
	decision_visit *visit, void *user, struct err *e) MUST_CHECK;

/*
 * Rows in the order in which they came, from number *next on; *next is then
 * what to ask for next. Sees what is durable.
 */
enum status decisions_tail(struct decisions *d, const struct decision_filter *f,
	uint64_t *next, decision_visit *visit, void *user,
	struct err *e) MUST_CHECK;

/* The number that the next event will have. */
enum status decisions_end(
	struct decisions *d, uint64_t *out, struct err *e) MUST_CHECK;

/* One line of a rollup. Strings live during the call. */
struct decision_rollup {
	int64_t minute; /* ns since 1970 */
	struct str path, revision, cohort;
	enum outcome outcome;
	uint64_t n;
	uint64_t timed;       /* of those, with a latency */
	uint64_t latency_sum; /* ns, of the timed ones */
};

/*
 * Counts per minute, path, revision, cohort and outcome, in this order, of the
 * minutes that begin in [from, to). Compile events and clashes are not in.
 */
enum status decisions_rollup(struct decisions *d, int64_t from, int64_t to,
	bool (*visit)(void *user, const struct decision_rollup *r), void *user,
	struct err *e) MUST_CHECK;

struct quarantine_row {
	uint64_t number;
	int64_t received;
	struct str target, reason, bytes;
};
/*
 * What was not understood and received in [from, to) (`to` 0: up to now),
 * oldest first, until `visit` returns false. A row lives until it returns.
 */
enum status decisions_quarantine(struct decisions *d, int64_t from, int64_t to,
	bool (*visit)(void *user, const struct quarantine_row *r), void *user,
	struct err *e) MUST_CHECK;

/* --- was the log complete ------------------------------------------------ */

/*
 * What an agent counted since it started, from its status upload: data API
 * requests, and events that it dropped for any reason.
 */
struct decision_counters {
	struct str target;
	struct str instance; /* labels.id: new at each start */
	int64_t time;        /* ns since 1970 */
	uint64_t requests, dropped;
};
enum status decisions_count(struct decisions *d,
	const struct decision_counters *c, struct err *e) MUST_CHECK;

/*
 * All of them in the order in which they came, from number *next on, which is
 * then what to ask for next. What is certainly older than `from` (wall ns) is
 * skipped. False ends it; strings live during the call. Sees what is durable.
 */
enum status decisions_counters(struct decisions *d, int64_t from,
	uint64_t *next,
	bool (*visit)(void *user, const struct decision_counters *c),
	void *user, struct err *e) MUST_CHECK;

/* Between two status uploads of one target. */
struct decision_gap {
	struct str target;
	int64_t from, to;
	bool restarted; /* another instance: what it counted before is lost */
	uint64_t requests; /* the agent answered */
	uint64_t events;   /* arrived, by event time in (from, to] */
	uint64_t dropped;  /* the agent says */
	uint64_t missing;  /* requests without event */
};

/*
 * Intervals that end in [from, to) and in which something is missing, by
 * target, then time; with `all` the others too.
 */
enum status decisions_gaps(struct decisions *d, int64_t from, int64_t to,
	bool all, bool (*visit)(void *user, const struct decision_gap *g),
	void *user, struct err *e) MUST_CHECK;

/* --- proving ------------------------------------------------------------- */

/* Where the first thing is that does not fit. */
struct decisions_fault {
	char file[64];   /* below DIR/decisions/ */
	uint64_t offset; /* bytes, or a line (from 1) of a manifest */
	uint64_t event;  /* its number; UINT64_MAX when not of one event */
	/* No fault: logs without any checkpoint, bits 1 << enum decisions_log.
	 * So is one that is new, or whose checkpoints somebody took away. */
	unsigned bare;
};

enum decisions_log {
	LOG_EVENTS,
	LOG_QUARANTINE,
	LOG_COUNTERS,
	LOG_RULES,
	LOGS
};
const char *decisions_log_name(enum decisions_log log); /* "events" */

/*
 * Read everything and compare: hashes of blocks, their chain, the manifest,
 * the trees, checkpoints (signatures with `key`; NULL: sizes and roots only),
 * and the indexes against the events. E_INVALID: something does not fit; the
 * error says what and `fault` where. `held` is a checkpoint that was kept
 * elsewhere, or "": the log must begin with what it stands for.
 */
enum status decisions_verify(struct decisions *d, const struct note_key *key,
	struct str held, struct decisions_fault *fault,
	struct err *e) MUST_CHECK;

/* Make the indexes again, from the segments alone. */
enum status decisions_rebuild(struct decisions *d, struct err *e) MUST_CHECK;

/*
 * Append a proof that event `number` is in the log: a C2SP tlog-proof whose
 * `extra` is the entry (above), and the newest checkpoint. E_NOT_FOUND: no
 * checkpoint has that event yet.
 */
enum status decisions_prove(struct decisions *d, uint64_t number,
	struct buf *out, struct err *e) MUST_CHECK;

/* Check a proof with nothing but the event's bytes and the log's key. */
enum status decision_proof_check(struct str proof, struct str bytes,
	const struct note_key *key, struct err *e) MUST_CHECK;

#endif
