/* Names of the files of an index, and what is read of one. */
#include "decisions/index.h"

#include <stdlib.h>
#include <string.h>

/* --- SQLite -------------------------------------------------------------- */

enum status sql_fail(struct sqlite3 *db, const char *doing, struct err *e)
{
	int code = sqlite3_errcode(db);
	enum status st = code == SQLITE_CORRUPT || code == SQLITE_NOTADB ||
					 code == SQLITE_ERROR ||
					 code == SQLITE_CONSTRAINT
				 ? E_INVALID
				 : E_IO;
	const char *path = sqlite3_db_filename(db, "main");

	return err_set(e, st, "%s: %s: %s", path ? path : "index", doing,
		sqlite3_errmsg(db));
}

enum status sql_prepare(struct sqlite3 *db, const char *text,
	struct sqlite3_stmt **out, struct err *e)
{
	if (sqlite3_prepare_v2(db, text, -1, out, NULL) == SQLITE_OK)
		return OK;
	return sql_fail(db, "preparing", e);
}

enum status sql_run(sqlite3 *db, const char *text, struct err *e)
{
	if (sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK)
		return OK;
	return sql_fail(db, "writing", e);
}

enum status sql_done(sqlite3_stmt *q, struct err *e)
{
	int code = sqlite3_step(q);
	enum status st = OK;

	if (code != SQLITE_DONE && code != SQLITE_ROW)
		st = sql_fail(sqlite3_db_handle(q), "writing", e);
	sqlite3_reset(q);
	return st;
}

/* --- names --------------------------------------------------------------- */

void day_name(int64_t day, char out[16])
{
	time_t t = (time_t)(day * 86400);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 16, "%Y-%m-%d", &tm);
}

const char *index_path(struct arena *a, const char *dir, int64_t day)
{
	char name[16];

	day_name(day, name);
	return arena_printf(a, "%s/%s.db", dir, name);
}

/* The day of "2026-06-20.db". */
static bool name_day(const char *name, int64_t *day)
{
	struct tm tm = {0};
	const char *end = strptime(name, "%Y-%m-%d", &tm);

	if (!end || strcmp(end, ".db") != 0)
		return false;
	*day = (int64_t)timegm(&tm) / 86400;
	return true;
}

enum status index_days(const struct fs *fs, const char *dir, struct arena *a,
	int64_t **days, size_t *n, struct err *e)
{
	const char **names;
	size_t count;
	enum status st = fs_list(fs, dir, a, &names, &count, e);

	*n = 0;
	if (st == E_NOT_FOUND)
		return OK;
	if (st)
		return st;
	*days = ARENA_ARRAY(a, int64_t, count);
	for (size_t i = 0; i < count; i++)
		if (name_day(names[i], &(*days)[*n]))
			++*n;
	return OK;
}

/* --- reading ------------------------------------------------------------- */

enum status index_meta(
	sqlite3 *db, const char *key, int64_t *out, struct err *e)
{
	sqlite3_stmt *q = NULL;
	enum status st = sql_prepare(db, "SELECT v FROM meta WHERE k=?", &q, e);
	int code;

	if (st)
		return st;
	sqlite3_bind_text(q, 1, key, -1, SQLITE_STATIC);
	code = sqlite3_step(q);
	if (code == SQLITE_ROW)
		*out = sqlite3_column_int64(q, 0);
	else if (code == SQLITE_DONE)
		st = err_set(e, E_INVALID, "%s: no \"%s\" in it",
			sqlite3_db_filename(db, "main"), key);
	else
		st = sql_fail(db, "reading", e);
	sqlite3_finalize(q);
	return st;
}

enum status index_names(sqlite3 *db, struct arena *a,
	struct str names[DIMENSIONS], size_t *n, struct err *e)
{
	sqlite3_stmt *q = NULL;
	int code = SQLITE_ROW;
	enum status st =
		sql_prepare(db, "SELECT name FROM c ORDER BY k", &q, e);

	*n = 0;
	while (!st && *n < DIMENSIONS &&
		(code = sqlite3_step(q)) == SQLITE_ROW) {
		struct str s = {sqlite3_column_blob(q, 0),
			(size_t)sqlite3_column_bytes(q, 0)};

		names[(*n)++] = arena_str(a, s.ptr ? s : S(""));
	}
	if (!st && code != SQLITE_DONE && code != SQLITE_ROW)
		st = sql_fail(db, "reading", e);
	sqlite3_finalize(q);
	return st;
}

int index_column(const struct str *names, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(names[i], name))
			return (int)i;
	return -1;
}

bool index_has_tables(sqlite3 *db)
{
	sqlite3_stmt *q = NULL;
	bool none = sqlite3_prepare_v2(db, "SELECT 1 FROM sqlite_schema", -1,
			    &q, NULL) == SQLITE_OK &&
		    sqlite3_step(q) == SQLITE_DONE;

	sqlite3_finalize(q);
	return !none;
}

static enum status read_meta(struct index_file *f, struct err *e)
{
	int64_t version = 0, position = 0, sealed = 0;
	enum status st = index_meta(f->db, "version", &version, e);

	if (!st && version != INDEX_VERSION)
		st = err_set(e, E_INVALID, "%s: version %lld, not %d",
			sqlite3_db_filename(f->db, "main"), (long long)version,
			INDEX_VERSION);
	if (!st)
		st = index_meta(f->db, "position", &position, e);
	if (!st)
		st = index_meta(f->db, "sealed", &sealed, e);
	if (!st)
		st = index_names(f->db, &f->arena, f->names, &f->nnames, e);
	f->position = (uint64_t)position;
	f->sealed = sealed == 1;
	return st;
}

enum status index_file_open(
	struct index_file *f, const char *dir, int64_t day, struct err *e)
{
	struct arena a = {0};
	const char *path = index_path(&a, dir, day);
	struct fs_info info;
	enum status st = fs_stat(NULL, path, &info, e);

	*f = (struct index_file){0};
	if (!st && info.kind == FS_FILE) {
		if (sqlite3_open_v2(path, &f->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX,
			    NULL) != SQLITE_OK)
			st = sql_fail(f->db, "opening", e);
		sqlite3_busy_timeout(f->db, INDEX_BUSY_MS);
		if (!st && !index_has_tables(f->db)) /* it is just being made */
			index_file_close(f);
		else if (!st)
			st = read_meta(f, e);
		if (st)
			index_file_close(f);
	}
	arena_release(&a);
	return st;
}

void index_file_close(struct index_file *f)
{
	sqlite3_close(f->db);
	arena_release(&f->arena);
	*f = (struct index_file){0};
}

enum status index_ids(struct index_file *f, struct ids *into, struct err *e)
{
	sqlite3_stmt *q = NULL;
	int code = SQLITE_ROW;
	enum status st = sql_prepare(f->db, "SELECT id, h FROM d", &q, e);

	while (!st && (code = sqlite3_step(q)) == SQLITE_ROW) {
		if (sqlite3_column_bytes(q, 0) == 16)
			ids_add(into, sqlite3_column_blob(q, 0),
				(uint64_t)sqlite3_column_int64(q, 1));
	}
	if (!st && code != SQLITE_DONE)
		st = sql_fail(f->db, "reading", e);
	sqlite3_finalize(q);
	return st;
}

enum status index_seen(struct index_file *f, const unsigned char id[16],
	uint64_t hash, enum seen *out, struct err *e)
{
	sqlite3_stmt *q = NULL;
	int code = SQLITE_ROW;
	enum status st =
		sql_prepare(f->db, "SELECT h FROM d WHERE id=?", &q, e);

	*out = SEEN_NOT;
	if (st)
		return st;
	sqlite3_bind_blob(q, 1, id, 16, SQLITE_STATIC);
	while (*out != SEEN_SAME && (code = sqlite3_step(q)) == SQLITE_ROW)
		*out = (uint64_t)sqlite3_column_int64(q, 0) == hash
			       ? SEEN_SAME
			       : SEEN_OTHER;
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		st = sql_fail(f->db, "reading", e);
	sqlite3_finalize(q);
	return st;
}
