/*
 * db: SQLite, for what must survive.
 *
 * One connection to one file. Statements are prepared once per connection and
 * kept by their text, so an SQL text should be a literal with ? for values.
 *
 *	st = db_run(d, "DELETE FROM t WHERE id = ?", DB(DB_INT(7)), e);
 *
 *	struct db_rows r;
 *	st = db_query(&r, d, "SELECT id, name FROM t", DB_NONE, e);
 *	while (!st && db_next(&r, &st, e))
 *		use(db_int(&r, 0), db_text(&r, 1));
 *	db_end(&r);
 *
 * Files are in WAL mode with synchronous=FULL: what db_commit() said OK to is
 * on the disk, readers never wait for a writer, and any number of processes of
 * one machine may use a file. Network file systems are not for it.
 *
 * A connection is one thread's at a time. SQLite is linked as an archive.
 *
 * Errors: E_CONFLICT, others held the lock for longer than `busy_ms`; E_EXISTS,
 * a constraint; E_INVALID, the file is damaged or no database; E_LIMIT, the
 * disk is full; E_IO, the rest.
 */
#ifndef BASE_DB_H
#define BASE_DB_H

#include "base/err.h"
#include "base/str.h"

struct db;

struct db_options {
	const char *vfs; /* SQLite's name of one; NULL: the system's */
	int busy_ms;     /* how long to wait for others; 0: 5000 */
	bool readonly;   /* what isn't there is not made */
};

/* `o` may be NULL. */
enum status db_open(struct db **out, const char *path,
	const struct db_options *o, struct err *e) MUST_CHECK;
void db_close(struct db *d); /* NULL is fine; ends a transaction undone */

enum db_kind { DB_KIND_NULL, DB_KIND_INT, DB_KIND_TEXT, DB_KIND_BLOB };

struct db_value {
	enum db_kind kind;
	int64_t i;
	struct str s; /* borrowed during the call */
};

#define DB_INT(n)                                                              \
	{                                                                      \
		DB_KIND_INT, (int64_t)(n),                                     \
		{                                                              \
			0                                                      \
		}                                                              \
	}
#define DB_TEXT(str)                                                           \
	{                                                                      \
		DB_KIND_TEXT, 0, (str)                                         \
	}
#define DB_BLOB(str)                                                           \
	{                                                                      \
		DB_KIND_BLOB, 0, (str)                                         \
	}
#define DB_NULL                                                                \
	{                                                                      \
		DB_KIND_NULL, 0,                                               \
		{                                                              \
			0                                                      \
		}                                                              \
	}

/* The values of a statement, as the two arguments `args` and `n`. */
#define DB(...)                                                                \
	(const struct db_value[]){__VA_ARGS__},                                \
		sizeof((const struct db_value[]){__VA_ARGS__}) /               \
			sizeof(struct db_value)
#define DB_NONE NULL, 0

/* A statement whose rows nobody wants. */
enum status db_run(struct db *d, const char *sql, const struct db_value *args,
	size_t n, struct err *e) MUST_CHECK;

/* Several statements without values, not kept. */
enum status db_script(struct db *d, const char *sql, struct err *e) MUST_CHECK;

struct db_rows {
	struct db *db;
	void *stmt;
};

/* Until db_end() the same text may not be run again. */
enum status db_query(struct db_rows *r, struct db *d, const char *sql,
	const struct db_value *args, size_t n, struct err *e) MUST_CHECK;
bool db_next(struct db_rows *r, enum status *st, struct err *e);
void db_end(struct db_rows *r);

/* Columns from 0. NULL is 0 and the empty string. Until the next db_next(). */
int64_t db_int(const struct db_rows *r, int column);
struct str db_text(const struct db_rows *r, int column);

/* The first column of the first row; `missing` when there is no row. */
enum status db_number(struct db *d, const char *sql,
	const struct db_value *args, size_t n, int64_t missing, int64_t *out,
	struct err *e) MUST_CHECK;

/*
 * A transaction that may write; it has the lock from its beginning, so what is
 * read in it stays true until it ends. db_rollback() undoes all of it and can
 * be called without one. After a db_commit() that failed nothing was done.
 */
enum status db_begin(struct db *d, struct err *e) MUST_CHECK;
enum status db_commit(struct db *d, struct err *e) MUST_CHECK;
/* The end of one that came to `st`: db_commit() if that is OK, else undone. */
enum status db_finish(struct db *d, enum status st, struct err *e) MUST_CHECK;
/*
 * One that only reads: all of it sees the same moment, and nobody waits. Ends
 * with db_rollback().
 */
enum status db_begin_read(struct db *d, struct err *e) MUST_CHECK;
void db_rollback(struct db *d);

#endif
