#include "base/db.h"

#include "base/clock.h"
#include "base/map.h"

#include <errno.h>
#include <sqlite3.h>
#include <unistd.h>

struct db {
	sqlite3 *handle;
	struct map statements; /* from SQL text to sqlite3_stmt */
	char *path;
};

/* --- errors --------------------------------------------------------------- */

static enum status code_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return E_CONFLICT;
	case SQLITE_CONSTRAINT:
		return E_EXISTS;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return E_INVALID;
	case SQLITE_FULL:
		return E_LIMIT;
	default:
		return E_IO;
	}
}

static enum status failed(struct db *d, int rc, struct err *e)
{
	enum status code = code_of(rc);
	int errnum = sqlite3_system_errno(d->handle);
	const char *why = sqlite3_errmsg(d->handle);

	if (code == E_CONFLICT)
		return err_set(e, code,
			"%s: another process or thread holds it: %s; one that "
			"hangs can be killed, with SIGKILL too: what it did "
			"not finish is undone",
			d->path, why);
	/* The memory that its readers share is a file too. */
	if (code == E_IO && (errnum == ENOSPC || errnum == EDQUOT))
		return err_set(e, E_LIMIT, "%s: the disk is full", d->path);
	if (code == E_IO && errnum)
		return err_sys(e, errnum, "%s: %s", d->path, why);
	return err_set(e, code, "%s: %s (SQLite %d)", d->path, why,
		sqlite3_extended_errcode(d->handle));
}

/* --- opening -------------------------------------------------------------- */

enum status db_script(struct db *d, const char *sql, struct err *e)
{
	int rc = sqlite3_exec(d->handle, sql, NULL, NULL, NULL);

	return rc ? failed(d, rc, e) : OK;
}

/* Damaged pages are found when they are read, not when they are trusted. */
static const char settings[] =
	"PRAGMA synchronous = FULL;"
	"PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
	"PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"
	"PRAGMA journal_size_limit = 4194304;";

/*
 * Of those who make a new file a WAL file at once SQLite tells all but one that
 * it is locked, without waiting.
 */
static enum status use_wal(struct db *d, int busy_ms, struct err *e)
{
	int64_t end = clock_mono(&clock_system) + busy_ms * NS_PER_MS;

	for (;;) {
		enum status st = db_script(d, "PRAGMA journal_mode = WAL", e);

		if (st != E_CONFLICT || clock_mono(&clock_system) >= end)
			return st;
		clock_sleep(&clock_system, NS_PER_MS);
	}
}

static enum status set_up(
	struct db *d, const struct db_options *o, struct err *e)
{
	int busy_ms = o && o->busy_ms ? o->busy_ms : 5000;
	enum status st;

	sqlite3_busy_timeout(d->handle, busy_ms);
	if (o && o->readonly)
		return OK;
	st = use_wal(d, busy_ms, e);
	return st ? st : db_script(d, settings, e);
}

/* SQLite opens what can't be written to read it; what fails then is anything.
 */
static enum status check_writable(
	struct db *d, const struct db_options *o, struct err *e)
{
	if ((o && o->readonly) || sqlite3_db_readonly(d->handle, NULL) != 1)
		return OK;
	return err_sys(e, access(d->path, W_OK) ? errno : EACCES,
		"%s can be read but not written", d->path);
}

enum status db_open(struct db **out, const char *path,
	const struct db_options *o, struct err *e)
{
	int flags =
		SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE |
		(o && o->readonly ? SQLITE_OPEN_READONLY
				  : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	struct db *d;
	enum status st;
	int rc;

	d = calloc(1, sizeof(*d));
	if (!d || !(d->path = strdup(path)))
		die("out of memory: database");
	rc = sqlite3_open_v2(path, &d->handle, flags, o ? o->vfs : NULL);
	st = rc ? failed(d, rc, e) : check_writable(d, o, e);
	if (!st)
		st = set_up(d, o, e);
	if (st) {
		db_close(d);
		return st;
	}
	*out = d;
	return OK;
}

void db_close(struct db *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->statements.len; i++) {
		sqlite3_finalize(d->statements.entries[i].value);
		free((void *)(uintptr_t)d->statements.entries[i].key.ptr);
	}
	map_release(&d->statements);
	sqlite3_close(d->handle);
	free(d->path);
	free(d);
}

/* --- statements ----------------------------------------------------------- */

static enum status prepare(
	struct db *d, const char *sql, sqlite3_stmt **out, struct err *e)
{
	struct str key = str_from(sql);
	int rc;

	*out = map_get(&d->statements, key);
	if (*out)
		return OK;
	rc = sqlite3_prepare_v3(
		d->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
	if (rc)
		return failed(d, rc, e);
	key.ptr = strdup(sql);
	if (!key.ptr)
		die("out of memory: statement");
	map_set(&d->statements, key, *out);
	return OK;
}

/* Without a pointer SQLite would bind NULL for what is only empty. */
static int bind(sqlite3_stmt *s, int at, const struct db_value *v)
{
	const char *ptr = v->s.ptr ? v->s.ptr : "";

	switch (v->kind) {
	case DB_KIND_INT:
		return sqlite3_bind_int64(s, at, v->i);
	case DB_KIND_TEXT:
		return sqlite3_bind_text64(
			s, at, ptr, v->s.len, SQLITE_TRANSIENT, SQLITE_UTF8);
	case DB_KIND_BLOB:
		return sqlite3_bind_blob64(
			s, at, ptr, v->s.len, SQLITE_TRANSIENT);
	case DB_KIND_NULL:
	default:
		return sqlite3_bind_null(s, at);
	}
}

enum status db_query(struct db_rows *r, struct db *d, const char *sql,
	const struct db_value *args, size_t n, struct err *e)
{
	sqlite3_stmt *s = NULL;
	enum status st;

	*r = (struct db_rows){.db = d};
	st = prepare(d, sql, &s, e);
	if (st)
		return st;
	r->stmt = s;
	for (size_t i = 0; i < n; i++) {
		int rc = bind(s, (int)i + 1, &args[i]);

		if (rc)
			return failed(d, rc, e);
	}
	return OK;
}

bool db_next(struct db_rows *r, enum status *st, struct err *e)
{
	int rc = sqlite3_step(r->stmt);

	if (rc == SQLITE_ROW)
		return true;
	if (rc != SQLITE_DONE)
		*st = failed(r->db, rc, e);
	return false;
}

void db_end(struct db_rows *r)
{
	if (r->stmt) {
		sqlite3_reset(r->stmt);
		sqlite3_clear_bindings(r->stmt);
	}
	r->stmt = NULL;
}

int64_t db_int(const struct db_rows *r, int column)
{
	return sqlite3_column_int64(r->stmt, column);
}

struct str db_text(const struct db_rows *r, int column)
{
	const char *ptr = sqlite3_column_blob(r->stmt, column);
	int len = sqlite3_column_bytes(r->stmt, column);

	return ptr ? (struct str){ptr, (size_t)len} : S("");
}

enum status db_run(struct db *d, const char *sql, const struct db_value *args,
	size_t n, struct err *e)
{
	int64_t unused;

	return db_number(d, sql, args, n, 0, &unused, e);
}

enum status db_number(struct db *d, const char *sql,
	const struct db_value *args, size_t n, int64_t missing, int64_t *out,
	struct err *e)
{
	struct db_rows r;
	enum status st = db_query(&r, d, sql, args, n, e);
	int64_t got = missing;

	if (!st && db_next(&r, &st, e))
		got = db_int(&r, 0);
	db_end(&r);
	if (!st)
		*out = got;
	return st;
}

/* --- transactions --------------------------------------------------------- */

enum status db_begin(struct db *d, struct err *e)
{
	return db_run(d, "BEGIN IMMEDIATE", DB_NONE, e);
}

enum status db_begin_read(struct db *d, struct err *e)
{
	return db_run(d, "BEGIN", DB_NONE, e);
}

enum status db_commit(struct db *d, struct err *e)
{
	enum status st = db_run(d, "COMMIT", DB_NONE, e);

	if (st)
		db_rollback(d);
	return st;
}

void db_rollback(struct db *d)
{
	struct err ignored;

	/* Some errors have ended it already. */
	if (!sqlite3_get_autocommit(d->handle) &&
		db_run(d, "ROLLBACK", DB_NONE, &ignored))
		return;
}

enum status db_finish(struct db *d, enum status st, struct err *e)
{
	if (!st)
		return db_commit(d, e);
	db_rollback(d);
	return st;
}
