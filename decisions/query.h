/*
 * query: what the files that answer questions share. query.c finds rows by
 * the index or without it, lookup.c one decision and what is new, counts.c how
 * many there are.
 */
#ifndef DECISIONS_QUERY_H
#define DECISIONS_QUERY_H

#include <sqlite3.h>

#include "decisions/internal.h"

/* --- numbers and times of events that fit -------------------------------- */

struct key {
	int64_t time;
	uint64_t number;
};

struct keys {
	struct key *items;
	size_t n, cap;
};
/* In order, and each once: the end of the log may be in the index too. */
void keys_sort(struct keys *k);

/* --- a question ---------------------------------------------------------- */

struct query {
	struct decisions *d;
	struct decision_filter f;
	unsigned without; /* flags: such events don't fit */
	struct reader reader;
	uint64_t position; /* the index has what is before it */
	struct arena row;  /* of the event that is looked at */
};

/* query_end() whatever query_begin() returns. */
enum status query_begin(struct query *q, struct decisions *d,
	const struct decision_filter *f, struct err *e) MUST_CHECK;
void query_end(struct query *q);

/* --- without an index ---------------------------------------------------- */

typedef enum status query_row(struct query *q, const struct decision_row *row,
	bool *go_on, void *user, struct err *e);

/* Every event that fits, from a number on, in the order of numbers. */
enum status query_each(struct query *q, uint64_t *number, query_row *call,
	void *user, struct err *e) MUST_CHECK;

/* A query_row: `user` is a struct keys. */
enum status query_add_key(struct query *q, const struct decision_row *row,
	bool *go_on, void *user, struct err *e);

/* Add the keys of all that fits, from the log itself, from number `from` on. */
enum status query_scan(struct query *q, uint64_t from, struct keys *k,
	struct err *e) MUST_CHECK;

/* --- by the index -------------------------------------------------------- */

struct bind {
	struct str text;
	int64_t number;
};

struct where {
	struct buf sql;
	struct bind binds[12 + DIMENSIONS];
	int n;
};

/* Times and numbers that a statement selects. */
enum status query_select(sqlite3 *db, const struct where *w, struct keys *k,
	struct err *e) MUST_CHECK;

/* --- rows ---------------------------------------------------------------- */

struct show {
	decision_visit *visit;
	void *user;
	uint64_t n, most; /* rows shown; 0: all */
	bool stopped;
};

/* Read and show these, sorted. */
enum status query_show(struct query *q, struct keys *k, struct show *s,
	struct err *e) MUST_CHECK;

#endif
