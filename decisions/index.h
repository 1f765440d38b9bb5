/*
 * index: what its files share. index_file.c has names and reads a file,
 * index_day.c writes to one, index.c keeps all of them in step with the log.
 */
#ifndef DECISIONS_INDEX_H
#define DECISIONS_INDEX_H

#include <sqlite3.h>

#include "base/map.h"
#include "decisions/internal.h"

enum {
	INDEX_VERSION = 3,
	INDEX_BUSY_MS = 5000,
};

/* --- index_file.c -------------------------------------------------------- */

/* Statements without values and rows. */
enum status sql_run(sqlite3 *db, const char *text, struct err *e) MUST_CHECK;
/* A statement that has no rows, or one that is read by the caller before. */
enum status sql_done(sqlite3_stmt *q, struct err *e) MUST_CHECK;

/* The file of a day, since 1970-01-01: DIR/2026-06-20.db. */
const char *index_path(struct arena *a, const char *dir, int64_t day);

/* False for an empty file; one that can't be read says so later. */
bool index_has_tables(sqlite3 *db);

/* A value of meta. */
enum status index_meta(
	sqlite3 *db, const char *key, int64_t *out, struct err *e) MUST_CHECK;

/* Names of the columns of dimensions, in `a`. */
enum status index_names(sqlite3 *db, struct arena *a,
	struct str names[DIMENSIONS], size_t *n, struct err *e) MUST_CHECK;

/* --- index_day.c --------------------------------------------------------- */

enum query {
	GET_STRING,
	ADD_STRING,
	ADD_ROW,
	ADD_COUNT,
	ADD_NAME,
	SET_META,
	QUERIES
};

struct day_index {
	int64_t day;
	sqlite3 *db;
	sqlite3_stmt *q[QUERIES];
	uint64_t position;
	bool writing; /* a transaction is open */
	struct str names[DIMENSIONS];
	size_t nnames;
	struct arena names_arena;
	struct arena arena; /* of the strings */
	struct map strings; /* to their numbers */
	struct arena counts_arena;
	struct map counts;
};

/* To write; made when there is none. On a failure *f holds nothing. */
enum status day_open(struct day_index *f, struct index *ix, int64_t day,
	struct err *e) MUST_CHECK;
/* What was not committed is lost. Safe on {0}. */
void day_close(struct day_index *f);

/* A row waits in a transaction, which begins with it or with day_begin(). */
enum status day_begin(struct day_index *f, struct err *e) MUST_CHECK;
enum status day_add(struct day_index *f, const struct index_row *row,
	struct err *e) MUST_CHECK;

/* Events before `position` are in from now on. */
enum status day_commit(
	struct day_index *f, uint64_t position, struct err *e) MUST_CHECK;

/* The next commit says that the day is over. */
enum status day_set_sealed(struct day_index *f, struct err *e) MUST_CHECK;

#endif
