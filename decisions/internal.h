/*
 * internal: what the files of decisions/ share.
 *
 * The way of an event: batch.c makes items of a body; intake.c drops those
 * that are known (dedupe.c) and lets the rest wait; segment.c writes what
 * waits as blocks (block.c); reader.c reads it back for index.c, query.c and
 * proof.c, which know of no other way to an event. upkeep.c does what is to be
 * done now and then.
 */
#ifndef DECISIONS_INTERNAL_H
#define DECISIONS_INTERNAL_H

#include <pthread.h>

#include "base/digest.h"
#include "base/map.h"
#include "decisions/decisions.h"

/* --- outcome.c, event.c -------------------------------------------------- */

extern const struct json_limits event_limits;

struct map_rule {
	struct str path;
	enum outcome_kind kind;
	struct str pointer;
	struct dimension dimensions[DIMENSIONS];
	size_t ndimensions;
};

struct outcome_map {
	struct arena arena;
	struct map_rule *rules;
	size_t n;
};

/* As regatta.yaml has it. */
const char *outcome_kind_name(enum outcome_kind k);

/* The rule for a path, or NULL. `m` may be NULL. */
const struct map_rule *outcome_rule_of(
	const struct outcome_map *m, struct str path);

/* By one rule, or by its shape where that is NULL. */
enum outcome outcome_by(const struct map_rule *r, const struct decision *ev);

/* Names and values of an event's dimensions; returns how many it has. */
size_t dimensions_of(const struct map_rule *r, const struct decision *ev,
	struct arena *a, struct dimension got[DIMENSIONS]);

/* decision_parse() of a span that was checked before. */
enum status decision_read(struct str doc, const char *bundle, struct arena *a,
	struct decision *out, struct err *e) MUST_CHECK;

/* The 128 bits that a decision_id, which is not empty, goes by. */
void decision_id(struct str text, unsigned char id[16]);

/* A string without quotes and escapes; any other span as it is. */
struct str json_plain(struct str span, struct arena *a);

/* --- batch.c ------------------------------------------------------------- */

/* One thing found in a body: an event, or what was none and why. */
struct item {
	struct str bytes;
	const char *reason; /* NULL: an event */
	unsigned char id[16];
	struct merkle_hash hash; /* SHA-256 of the bytes */
	int64_t time;
	unsigned flags;
};

struct batch {
	struct arena arena;
	struct buf text; /* inflated, when the body was not plain */
	struct item *items;
	uint32_t n, cap;
};

/*
 * Take a body apart. Never fails: what can't be read is an item with a reason.
 * Items point into the body or into the batch.
 */
void batch_parse(struct batch *b, struct str body, const char *bundle,
	struct str target);
/* Of a body that was too long to be kept: one item, with its beginning. */
void batch_cut(struct batch *b, struct str beginning, uint64_t left_out);
void batch_release(struct batch *b);

/* --- block.c ------------------------------------------------------------- */

/* An event as it stands in a segment. Strings are borrowed from the block. */
struct record {
	struct str bytes;
	struct str target, cohort, note; /* note: why it is in quarantine */
	int64_t received;
	unsigned flags;
};

struct block_head {
	uint64_t first; /* number of its first event */
	uint32_t count;
	uint32_t raw;  /* bytes of its events, each with a newline */
	uint32_t size; /* of the whole block in the file */
	bool begins;   /* a commit; a torn one ends before this */
	struct merkle_hash prev, sum;
};

enum {
	BLOCK_RAW = 1 << 20, /* events together, unless one is larger */
	BLOCK_HEAD = 104,
};

struct block {
	struct block_head head;
	struct record *records;
	uint32_t cap;
	struct buf packed, raw;
};

/* What every log has: room for compression. {0} is none yet. */
struct packer {
	void *cctx;
	struct buf meta;
};
void packer_release(struct packer *p);

/*
 * Append the block of n records, whose bytes are `raw`: one after the other
 * with a newline each. head: first, begins and prev are given, the rest set.
 */
void block_write(struct packer *p, struct block_head *head,
	const struct record *records, uint32_t n, struct str raw,
	struct buf *out);

/*
 * Read the head of the block at `at`. E_NOT_FOUND: the file ends there.
 * E_INVALID: no block. What it says is checked by block_read() only.
 */
enum status block_head_read(const struct fs_file *f, uint64_t at,
	struct block_head *head, struct err *e) MUST_CHECK;

/* Read a block and check its sum; its records are in b->records. */
enum status block_read(const struct fs_file *f, uint64_t at, struct block *b,
	struct err *e) MUST_CHECK;
void block_release(struct block *b);

/* The leaf that stands for a record in the tree; `hash` is of its bytes. */
enum { ENTRY = 74 };
void record_entry(const struct record *r, const struct merkle_hash *hash,
	unsigned char entry[ENTRY]);
struct merkle_hash record_leaf(const struct record *r);

/* --- manifest.c ---------------------------------------------------------- */

/* A segment that is full: one line of the manifest. */
struct segment {
	uint32_t seq;
	uint64_t first, count, bytes;
	int64_t min, max;        /* event time */
	struct merkle_hash head; /* sum of its last block */
	struct merkle_hash root; /* of the log's tree after it */
	struct merkle_hash prev; /* SHA-256 of the line before */
};

struct manifest {
	struct segment *segments; /* 1, 2, ... without a hole */
	uint32_t n, cap;
	struct merkle_hash last; /* SHA-256 of the last line, or zeros */
	uint64_t bytes;          /* of whole lines; behind them is a torn one */
};

/* `fault` may be NULL; it gets the number of the line. */
enum status manifest_read(struct manifest *m, const struct fs *fs,
	const char *path, uint64_t *fault, struct err *e) MUST_CHECK;
/* Append the next line to `out`; sets s->prev. Then, when it is on the disk: */
void manifest_line(
	const struct manifest *m, struct segment *s, struct buf *out);
void manifest_add(struct manifest *m, const struct segment *s, struct str line);
void manifest_copy(struct manifest *to, const struct manifest *from);
void manifest_release(struct manifest *m);

uint64_t manifest_end(const struct manifest *m); /* events in full segments */

/* --- reader.c ------------------------------------------------------------ */

/* Where the blocks of a segment are, one after the other from its start. */
struct places {
	uint64_t *offsets, *firsts; /* in the file; numbers of first events */
	uint32_t n, cap;
	uint64_t offset, first; /* behind the last one */
};
void places_add(struct places *p, uint64_t size, uint64_t count);
/* None yet, of a segment that begins with this number. */
void places_reset(struct places *p, uint64_t first);
void places_copy(struct places *to, const struct places *from);
void places_release(struct places *p);

struct log;

/*
 * Reads a log, also while it grows. One thread at a time. It has looked for the
 * blocks of one segment at a time; those of the segment that was open when the
 * writer made the reader are known, with the file, which may be replaced.
 */
struct reader {
	const struct fs *fs;
	struct arena arena; /* of paths */
	const char *dir, *name;
	struct manifest manifest;
	uint64_t end; /* numbers from here on are not there */
	struct fs_file file;
	uint32_t seq; /* of `file`; 0: none */
	struct places places;
	struct fs_file tail;
	uint32_t tail_seq; /* 0: none */
	struct places tail_places;
	uint64_t offset; /* of the block that is loaded */
	bool loaded;
	struct block block;
};

/* `end` UINT64_MAX: whatever is there. */
enum status reader_open(struct reader *r, const struct fs *fs, const char *dir,
	const char *name, uint64_t end, struct err *e) MUST_CHECK;

/* What the writer has made durable: nothing needs to be looked for. */
enum status reader_open_log(
	struct reader *r, const struct log *l, struct err *e) MUST_CHECK;
void reader_close(struct reader *r);

/*
 * The record with this number, valid until the next call; *found is false
 * behind the end. E_INVALID: the log is damaged there.
 */
enum status reader_at(struct reader *r, uint64_t number, struct record *out,
	bool *found, struct err *e) MUST_CHECK;

/*
 * With the first number of a full segment that has no event in [from, to): the
 * number behind it goes to *next.
 */
bool reader_skip(const struct reader *r, uint64_t number, int64_t from,
	int64_t to, uint64_t *next);

/* DIR/00000007.seg, in `a`. */
const char *segment_path(struct arena *a, const char *dir, uint32_t seq);

/* --- tree.c -------------------------------------------------------------- */

enum { GROUP_LEVEL = 8, GROUP = 1 << GROUP_LEVEL };

/* A log's tree: whole groups, and the one that is not full yet. */
struct tree {
	struct merkle groups, rest;
	struct buf hashes; /* of groups that are not in the file `tree` */
};

/* Leaves so far; the root over them; one more. */
uint64_t tree_size(const struct tree *t);
struct merkle_hash tree_root(const struct tree *t);
void tree_add(struct tree *t, const struct merkle_hash *leaf);

/*
 * Make the tree of the first `size` events: from the file `tree` as far as it
 * goes, else from the events. The file is not trusted: `want`, unless NULL, is
 * the root it must lead to, and if not it is made from the events alone.
 */
enum status tree_load(struct tree *t, struct reader *r, uint64_t size,
	const struct merkle_hash *want, struct err *e) MUST_CHECK;

/* Add what is in t->hashes to the file. It is derived: nothing is synced. */
enum status tree_save(struct tree *t, const struct fs *fs, const char *dir,
	struct err *e) MUST_CHECK;

/* Hashes for proofs about the first events of a log. */
struct tree_source {
	struct reader *reader;
	struct buf groups; /* the file `tree` */
};
enum status tree_source_open(
	struct tree_source *s, struct reader *r, struct err *e) MUST_CHECK;
void tree_source_release(struct tree_source *s);
/* For merkle_prove(): `user` is the struct tree_source. */
enum status tree_hash(void *user, uint64_t from, uint64_t to,
	struct merkle_hash *out, struct err *e);

/* --- pending.c ----------------------------------------------------------- */

/* What waits to be written, in the order in which it is numbered. */
struct pending {
	struct arena arena;     /* of strings, and of the array */
	struct record *records; /* bytes.ptr is not set: see `raw` */
	struct merkle_hash *hashes;
	int64_t *times;
	unsigned char (*ids)[16];
	uint32_t n, cap;
	struct buf raw; /* events, a newline behind each */
};
/* `it` has the hash, the id and the time. */
void pending_add(
	struct pending *p, const struct record *r, const struct item *it);
void pending_reset(struct pending *p);
void pending_release(struct pending *p);

/* --- segment.c ----------------------------------------------------------- */

struct log {
	const struct fs *fs;
	struct arena arena; /* of the paths */
	const char *dir, *name;
	const char *manifest_path, *checkpoint_path;
	struct manifest manifest;
	struct tree tree;
	/* The segment that is open. */
	uint32_t seq;
	uint64_t first;
	struct places places; /* of its blocks */
	int64_t began;        /* when its first event was received */
	int64_t min, max;
	struct merkle_hash head; /* sum of the newest block */
	struct fs_file file;
	const char *path;
	/* What a failed write may have left; mended before the next one. */
	bool torn, manifest_torn, checkpoint_torn;
	bool unsure; /* which blocks hold the events of the segment */
	struct packer packer;
	struct buf out;
	uint64_t checkpoint_bytes, signed_size;
	int64_t signed_at;
};

uint64_t log_size(const struct log *l); /* events */

/*
 * Open a log to append to it. Cuts off what no commit finished. E_INVALID:
 * something that was committed is damaged or gone. `time` gives the time of an
 * event; NULL: when it was received.
 */
typedef int64_t record_time(const struct record *r);
enum status log_open(struct log *l, const struct fs *fs, const char *dir,
	const char *name, record_time *time, struct err *e) MUST_CHECK;
void log_close(struct log *l);

/* Write and sync what waits; after an error, as if nothing had been done. */
enum status log_append(
	struct log *l, const struct pending *p, struct err *e) MUST_CHECK;

/* End the open segment: packed again in large blocks, then in the manifest. */
enum status log_seal(struct log *l, struct err *e) MUST_CHECK;

/*
 * The place of a block from `at` on that begins a commit; UINT64_MAX: none. A
 * block is found by its first bytes, and is one when its sum is right.
 */
enum status later_commit(const struct fs_file *f, uint64_t at, uint64_t *place,
	struct err *e) MUST_CHECK;

/* The time of an event, for log_open() and the like. */
int64_t event_time(const struct record *r);

/* Add to a small file that only grows; see mend in segment.c. */
enum status log_add_line(struct log *l, const char *path, uint64_t at,
	struct str text, bool *torn, struct err *e) MUST_CHECK;

/* --- checkpoint.c -------------------------------------------------------- */

/* Sign the log as it is and add that to its checkpoints. */
enum status checkpoint_add(struct log *l, const struct note_key *key,
	const char *origin, int64_t now, struct err *e) MUST_CHECK;

/* All of them as one text, torn ones left out. */
enum status checkpoints_read(const struct fs *fs, const char *dir,
	struct buf *out, struct err *e) MUST_CHECK;
/* The next one at *at; false at the end. */
bool checkpoint_next(struct str all, size_t *at, struct str *note);

/* --- dedupe.c ------------------------------------------------------------ */

/* Ids with the first bytes of their event's hash. {0} is the empty set. */
struct ids {
	struct id_slot *slots;
	size_t n, cap;
	uint64_t seed; /* where they stand; says nothing about them */
};

enum seen { SEEN_NOT, SEEN_SAME, SEEN_OTHER };

/* SEEN_OTHER: the id is there with another hash, and so of another event. */
enum seen ids_find(
	const struct ids *s, const unsigned char id[16], uint64_t hash);
/* Nothing happens when both are there; `hash` is never 0. */
void ids_add(struct ids *s, const unsigned char id[16], uint64_t hash);
/* Add all of `from`. */
void ids_merge(struct ids *into, const struct ids *from);
/* Empty, with the room that most need. */
void ids_reset(struct ids *s);
/* Give back the room; safe on {0}. */
void ids_release(struct ids *s);
/* The hash that stands for an event in a struct ids: never 0, a free slot. */
uint64_t hash_start(const struct merkle_hash *h);

/* --- store.c, intake.c --------------------------------------------------- */

extern const char *const log_names[LOGS];

/* --- rules.c ------------------------------------------------------------- */

/* What the log "rules" says, as far as it has been read. */
struct rules {
	pthread_mutex_t reading;  /* the log; before `lock` */
	_Atomic uint64_t covered; /* events whose rules are all in, below it */
	pthread_mutex_t lock;     /* for all that follows; no other inside */
	struct arena arena;
	struct map versions; /* "BUNDLE NUL REVISION" to a version's rules */
	struct map maps;     /* rules as they are written, to their map */
	struct bundle_rules *bundles;
	size_t nbundles;
	uint64_t read; /* records of the log */
};
void rules_init(struct rules *r);
void rules_release(struct rules *r);

/* Take in one record. E_INVALID: it is none. */
enum status rules_take(
	struct rules *r, struct str json, struct err *e) MUST_CHECK;

/*
 * Read what the log has more, if events before `end` may need it. The writer
 * knows: it has nothing to read after it was opened.
 */
enum status rules_cover(
	struct decisions *d, uint64_t end, struct err *e) MUST_CHECK;

/* The rule that an event is read by, or NULL. Lives as long as `r`. */
const struct map_rule *rules_of(struct rules *r, const struct decision *ev,
	uint64_t number, struct arena *a);

/* Whether any version's rules have it. Any thread. */
bool rules_have_dimension(struct rules *r, struct str name);

/* --- the index: index.h says which file does what ------------------------- */

struct sqlite3;
struct sqlite3_stmt;

/* What an index knows of an event. */
struct index_row {
	uint64_t number;
	unsigned char id[16];
	uint64_t hash; /* hash_start() of the event's */
	int64_t time, received, latency;
	enum outcome outcome;
	unsigned flags;
	struct str path, revision, target, cohort;
	struct dimension dimensions[DIMENSIONS];
	size_t ndimensions;
};
void index_row_of(struct rules *rules, const struct record *r,
	const struct decision *ev, uint64_t number, struct arena *a,
	struct index_row *out);

/* The one that is made: it is behind the log until index_sync(). */
struct index {
	const struct fs *fs;
	const char *dir;
	struct rules *rules;
	const char *bundle;
	uint64_t position;      /* events before it are in */
	struct day_index *days; /* open files */
	size_t ndays;
};

/* Opens nothing yet; all arguments must stay. */
void index_init(struct index *ix, const struct decisions_config *c,
	struct rules *rules, const char *dir);
/* All files; what no commit finished is lost. */
void index_close(struct index *ix);

/* Remove all files: nothing is indexed. */
enum status index_drop(struct index *ix, struct err *e) MUST_CHECK;

/* Read the position; 0 when there is none. */
enum status index_position(const struct fs *fs, const char *dir, uint64_t *out,
	struct err *e) MUST_CHECK;

/* Take in what the reader has from the position on. */
enum status index_sync(
	struct index *ix, struct reader *r, struct err *e) MUST_CHECK;

/* Make one day again, if its file is missing, damaged or of another version. */
enum status index_mend_day(struct index *ix, int64_t day, struct reader *r,
	struct err *e) MUST_CHECK;

/* Put the files of another folder, which is closed, in place of these. */
enum status index_replace(
	struct index *ix, struct index *by, struct err *e) MUST_CHECK;

/* Remove the folder of an index whose files are gone. */
enum status index_discard(struct index *ix, struct err *e) MUST_CHECK;

/* A day that is over: build what queries and late duplicates look up. */
enum status index_seal(struct index *ix, int64_t day, struct err *e) MUST_CHECK;

/* A file to read from. *db is NULL when the day has none. */
struct index_file {
	struct sqlite3 *db;
	uint64_t position; /* its own: events before it are in */
	bool sealed;
	struct arena arena;
	struct str names[DIMENSIONS]; /* of the columns d0, d1, ... */
	size_t nnames;
};
/* The column of a dimension; -1: it has none. */
int index_column(const struct str *names, size_t n, struct str name);

/*
 * To read a day, beside who writes it. A day without a file gives {0} and OK.
 */
enum status index_file_open(struct index_file *f, const char *dir, int64_t day,
	struct err *e) MUST_CHECK;
/* Safe on {0}. */
void index_file_close(struct index_file *f);

/* All ids of a day that is not sealed. */
enum status index_ids(
	struct index_file *f, struct ids *into, struct err *e) MUST_CHECK;
/* One id of a sealed day. */
enum status index_seen(struct index_file *f, const unsigned char id[16],
	uint64_t hash, enum seen *out, struct err *e) MUST_CHECK;

/* The days that have a file, ascending. In `a`. */
enum status index_days(const struct fs *fs, const char *dir, struct arena *a,
	int64_t **days, size_t *n, struct err *e) MUST_CHECK;

void day_name(int64_t day, char out[16]); /* 2026-06-20 */
/*
 * Report what SQLite says of the last call, with the file and what was being
 * done: E_INVALID for a broken file, else E_IO. Returns that.
 */
enum status sql_fail(struct sqlite3 *db, const char *doing, struct err *e);
/* *out is the caller's to finalize. */
enum status sql_prepare(struct sqlite3 *db, const char *text,
	struct sqlite3_stmt **out, struct err *e) MUST_CHECK;

/* The events of one UTC day of event time, as far as ids go. */
struct day {
	int64_t number;  /* days since 1970 */
	uint64_t newest; /* number of its newest event + 1 */
	bool sealed;     /* then its index knows the ids, but for */
	struct ids ids;  /* these: all, or those that came since it was */
};

struct decisions {
	struct decisions_config c;
	struct arena arena; /* of paths; under `lock` */
	const char *dir;    /* DIR/decisions */
	struct fs_file lock_file;
	const char *index_dir;

	pthread_mutex_t indexing; /* before `writer` */
	struct index index;
	struct rules rules;

	pthread_mutex_t writer; /* held while a log is written; before `lock` */
	struct log logs[LOGS];

	pthread_mutex_t lock; /* for all that follows */
	pthread_cond_t changed;
	struct pending wait[LOGS], work[LOGS]; /* work: being written */
	struct ids fresh[2]; /* ids of events in wait, in work */
	struct ids bad[2];   /* the same of quarantine */
	struct ids bad_known;
	bool writing;
	struct decisions_ticket *tickets; /* of what is in wait */
	struct day *days;
	size_t ndays;
	uint64_t durable[LOGS]; /* events that readers may see */
	uint64_t next; /* the number of the first event in wait, if all goes
			  well */
	uint64_t quarantine_bytes;
	size_t in_flight[2]; /* bytes; [1]: of canaries */
	bool high[2];        /* the disk is too full; [1]: for canaries */
	struct decisions_counts counts;
};

#define NS_PER_DAY (86400 * NS_PER_S)
int64_t day_of(int64_t time); /* days since 1970 */

/* Under `lock`. */
struct day *day_get(struct decisions *d, int64_t number);
void day_know(struct decisions *d, int64_t time, const unsigned char id[16],
	uint64_t hash, uint64_t number);

/* All that wait are told that it failed. Under the lock. */
void store_fail_tickets(struct decisions *d);

/* E_DENIED for a store that was opened to read. */
enum status store_writes(const struct decisions *d, struct err *e) MUST_CHECK;

/* --- room.c --- */

/* Which marks a disk is above, from which it was. Pure. */
void room_next(bool high[2], const struct decisions_disk *d,
	const struct decisions_mark *mark);
/* What was known of it stays when it can't be asked. */
void store_look_at_disk(struct decisions *d);

/* --- store.c, again --- */

/* A reader of what is durable. */
enum status store_reader(struct decisions *d, int log, struct reader *r,
	struct err *e) MUST_CHECK;

/* index_file_open(), kept apart from files that are replaced. */
enum status store_index_open(struct decisions *d, int64_t day,
	struct index_file *f, struct err *e) MUST_CHECK;

/* Counters wait for the next commit like anything else. */
void store_add_counters(struct decisions *d, struct str json);

/* A record of rules.c, without its first member: from which event on it is. */
void store_add_rules(struct decisions *d, struct str rest);

/* --- counts.c ------------------------------------------------------------ */

/*
 * Target and time of each event in [from, to) without compile events and
 * clashes, in no order.
 */
typedef void query_time(void *user, struct str target, int64_t time);
enum status query_times(struct decisions *d, int64_t from, int64_t to,
	query_time *visit, void *user, struct err *e) MUST_CHECK;

#endif
