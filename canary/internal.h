/* internal: what the files of the state folder share. */
#ifndef CANARY_INTERNAL_H
#define CANARY_INTERNAL_H

#include "base/db.h"
#include "canary/state.h"

struct state {
	char *dir;
	const struct fs *fs;
	struct db *db;
	int64_t seen;         /* last line that state_changed() saw */
	struct sign_key *key; /* once a head was signed */
	bool no_key;          /* tried, and could not */
};

/*
 * Inside of a transaction: all of state_apply() but its begin and commit, and
 * the record that it leaves. On a failure the transaction must be undone.
 */
enum status state_apply_in(struct state *s, const struct state_change *change,
	struct arena *a, struct state_result *out, struct channel *after,
	struct err *e) MUST_CHECK;

/*
 * The end of a transaction that came to `st`: what changed something is
 * committed, all else undone. Of what failed, nothing has changed.
 */
enum status state_finish(struct state *s, enum status st,
	struct state_result *out, struct err *e) MUST_CHECK;

/* {0} but for its name when there is none yet. */
enum status state_load(struct state *s, struct str bundle, struct arena *a,
	struct channel *out, bool *found, struct err *e) MUST_CHECK;

/* state_channels() and the record of them all. */
enum status state_records(struct state *s, struct arena *a,
	struct channel **out, size_t *n, struct err *e) MUST_CHECK;

/*
 * The disk is full: give up the room that was kept for what has to go on when
 * nothing else does. False: it is gone already.
 */
bool state_free_reserve(struct state *s);

/* --- version.c */

/* The facts of the event's version, as they are in the table. */
enum status version_facts(struct state *s, const struct channel *c,
	struct channel_event *ev, struct arena *a, struct err *e) MUST_CHECK;
/* {0}: not known. */
enum status version_ancestry(struct state *s, struct str bundle,
	struct str revision, struct arena *a, struct channel_ancestry *out,
	struct err *e) MUST_CHECK;
/* What an event that was applied means for the table. */
enum status version_note(struct state *s, struct str bundle,
	const struct channel_event *ev, const struct channel *after,
	int64_t now_ns, struct err *e) MUST_CHECK;

/* --- ledger.c */

enum { LEDGER_HASH = 32 };

/*
 * `hash` of the lines so far becomes that of those and `line`: SHA-256 over
 * both.
 */
void ledger_chain(unsigned char hash[LEDGER_HASH], struct str line);
/* What a head's signature is over. */
void ledger_payload(
	struct buf *out, int64_t seq, const unsigned char hash[LEDGER_HASH]);
enum status ledger_read_line(int64_t seq, struct str text, struct arena *a,
	struct ledger_line *out, struct err *e) MUST_CHECK;

/* Sets line->seq and line->time. */
enum status ledger_append(struct state *s, struct ledger_line *line,
	bool *is_signed, struct err *e) MUST_CHECK;
enum status ledger_line_at(struct state *s, int64_t seq, struct arena *a,
	struct ledger_line *out, struct err *e) MUST_CHECK;
void ledger_side(
	const struct channel *c, struct arena *a, struct ledger_side *out);

#endif
