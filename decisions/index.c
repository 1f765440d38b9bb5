/*
 * The index: a file of SQLite per day, derived from the log.
 *
 *	d    one row per event; n is its number
 *	r    counts per minute, path, revision, cohort and outcome
 *	s    the strings of both, by number
 *	meta the map the outcomes are from, the position, whether it is sealed
 *
 * While a day is open its rows are only appended, and their times, which come
 * nearly in order, are indexed, so that each page of a query begins where the
 * one before ended. An index over random ids would be most of the work: when
 * the day is over it is sealed, which builds that one and those over what is
 * not allowed.
 *
 * A transaction per file ends with the number of the event up to which the
 * file has all; after a crash events before that are skipped. The file
 * `position` says the same of all files together and may be behind them.
 */
#include "decisions/internal.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

enum {
	VERSION = 2,
	ROWS = 20000,     /* of one transaction */
	STRINGS = 100000, /* remembered of a file */
	FILES = 4,        /* open to write at once */
	BUSY_MS = 5000,
};

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

static enum status sql_run(sqlite3 *db, const char *text, struct err *e)
{
	if (sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK)
		return OK;
	return sql_fail(db, "writing", e);
}

/* A statement that has no rows, or one that is read by the caller before. */
static enum status sql_done(sqlite3_stmt *q, struct err *e)
{
	int code = sqlite3_step(q);
	enum status st = OK;

	if (code != SQLITE_DONE && code != SQLITE_ROW)
		st = sql_fail(sqlite3_db_handle(q), "writing", e);
	sqlite3_reset(q);
	return st;
}

static void bind_str(sqlite3_stmt *q, int at, struct str s)
{
	sqlite3_bind_blob64(q, at, s.len ? s.ptr : "", s.len, SQLITE_STATIC);
}

/* --- names --------------------------------------------------------------- */

void day_name(int64_t day, char out[16])
{
	time_t t = (time_t)(day * 86400);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 16, "%Y-%m-%d", &tm);
}

static const char *file_path(struct arena *a, const char *dir, int64_t day)
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

static const char *position_path(struct arena *a, const char *dir)
{
	return arena_printf(a, "%s/position", dir);
}

enum status index_position(
	const struct fs *fs, const char *dir, uint64_t *out, struct err *e)
{
	struct arena a = {0};
	struct buf b = {0};
	enum status st = fs_read(fs, position_path(&a, dir), 64, &b, e);

	*out = 0;
	if (st == E_NOT_FOUND)
		st = OK;
	else if (!st)
		*out = strtoull(b.ptr, NULL, 10);
	buf_release(&b);
	arena_release(&a);
	return st;
}

static enum status save_position(struct index *ix, struct err *e)
{
	struct arena a = {0};
	struct buf b = {0};
	enum status st;

	buf_addf(&b, "%llu\n", (unsigned long long)ix->position);
	st = fs_write(ix->fs, position_path(&a, ix->dir), buf_str(&b), 0640, e);
	buf_release(&b);
	arena_release(&a);
	return st;
}

/* --- rows ---------------------------------------------------------------- */

bool index_counts(const struct index_row *row)
{
	return !(row->flags & (DECISION_COMPILE | DECISION_CLASH));
}

/* Who sent it, as the server knows; else as the agent says. */
static struct str target_of(const struct record *r, const struct decision *ev)
{
	return r->target.len ? r->target : ev->label_target;
}

void index_row_of(const struct outcome_map *m, const struct record *r,
	const struct decision *ev, uint64_t number, struct arena *a,
	struct index_row *out)
{
	struct merkle_hash h;

	digest(DIGEST_SHA256, r->bytes, h.b);
	*out = (struct index_row){.number = number,
		.hash = hash_start(&h),
		.time = ev->time,
		.received = r->received,
		.latency = ev->latency,
		.outcome = outcome_of(m, ev),
		.flags = r->flags,
		.path = ev->path,
		.revision = ev->revision,
		.target = target_of(r, ev),
		.cohort = r->cohort};
	memcpy(out->id, ev->id, sizeof(out->id));
	dimensions_of(m, ev, a, out->dimensions);
}

/* --- one file ------------------------------------------------------------ */

static const char schema[] =
	"CREATE TABLE meta(k TEXT PRIMARY KEY, v) WITHOUT ROWID;"
	"CREATE TABLE s(k INTEGER PRIMARY KEY, v BLOB NOT NULL UNIQUE);"
	"CREATE TABLE d(n INTEGER PRIMARY KEY, id BLOB, h INTEGER, ts INTEGER,"
	" recv INTEGER, lat INTEGER, outcome INTEGER, flags INTEGER,"
	" path INTEGER, rev INTEGER, target INTEGER, cohort INTEGER,"
	" d0 INTEGER, d1 INTEGER, d2 INTEGER, d3 INTEGER, d4 INTEGER,"
	" d5 INTEGER, d6 INTEGER, d7 INTEGER);"
	"CREATE INDEX d_time ON d(ts);"
	"CREATE TABLE r(minute INTEGER, path INTEGER, rev INTEGER,"
	" cohort INTEGER, outcome INTEGER, n INTEGER, timed INTEGER,"
	" sum INTEGER, PRIMARY KEY(minute, path, rev, cohort, outcome))"
	" WITHOUT ROWID;";

enum { COLUMNS = 12 + DIMENSIONS, FIRST_STRING = 8 };

enum query { GET_STRING, ADD_STRING, ADD_ROW, ADD_COUNT, SET_META, QUERIES };

static const char *const queries[QUERIES] = {
	[GET_STRING] = "SELECT k FROM s WHERE v=?",
	[ADD_STRING] = "INSERT INTO s(v) VALUES(?)",
	[ADD_ROW] = "INSERT INTO d VALUES(?,?,?,?,?,?,?,?,?,?,?,?,"
		    "?,?,?,?,?,?,?,?)",
	[ADD_COUNT] = "INSERT INTO r VALUES(?,?,?,?,?,?,?,?) ON CONFLICT "
		      "DO UPDATE SET n=n+excluded.n, "
		      "timed=timed+excluded.timed, sum=sum+excluded.sum",
	[SET_META] = "INSERT OR REPLACE INTO meta VALUES(?,?)",
};

/* Counts of one minute that are not written yet. */
struct count {
	int64_t key[5];
	uint64_t n, timed, sum;
};

struct day_index {
	int64_t day;
	sqlite3 *db;
	sqlite3_stmt *q[QUERIES];
	uint64_t position;
	bool writing;       /* a transaction is open */
	struct arena arena; /* of the strings */
	struct map strings; /* to their numbers */
	struct arena counts_arena;
	struct map counts;
};

static void forget_counts(struct day_index *f)
{
	map_release(&f->counts);
	arena_reset(&f->counts_arena);
}

static void day_close(struct day_index *f)
{
	for (int i = 0; i < QUERIES; i++)
		sqlite3_finalize(f->q[i]);
	sqlite3_close(f->db);
	map_release(&f->strings);
	forget_counts(f);
	arena_release(&f->counts_arena);
	arena_release(&f->arena);
	*f = (struct day_index){0};
}

/* The value of meta, as a number and as text; both may be NULL. */
static enum status get_meta(sqlite3 *db, const char *key, int64_t *number,
	char text[40], struct err *e)
{
	sqlite3_stmt *q = NULL;
	enum status st = sql_prepare(db, "SELECT v FROM meta WHERE k=?", &q, e);
	int code;

	if (st)
		return st;
	sqlite3_bind_text(q, 1, key, -1, SQLITE_STATIC);
	code = sqlite3_step(q);
	if (code != SQLITE_ROW && code != SQLITE_DONE) {
		st = sql_fail(db, "reading", e);
	} else if (code == SQLITE_DONE) {
		st = err_set(e, E_INVALID, "%s: no \"%s\" in it",
			sqlite3_db_filename(db, "main"), key);
	} else if (number) {
		*number = sqlite3_column_int64(q, 0);
	} else {
		const unsigned char *v = sqlite3_column_text(q, 0);

		snprintf(text, 40, "%s", v ? (const char *)v : "");
	}
	sqlite3_finalize(q);
	return st;
}

static enum status set_meta(struct day_index *f, const char *key,
	int64_t number, const char *text, struct err *e)
{
	sqlite3_stmt *q = f->q[SET_META];

	sqlite3_bind_text(q, 1, key, -1, SQLITE_STATIC);
	if (text)
		sqlite3_bind_text(q, 2, text, -1, SQLITE_STATIC);
	else
		sqlite3_bind_int64(q, 2, number);
	return sql_done(q, e);
}

static const char *map_digest(const struct outcome_map *m)
{
	return m ? m->digest : "";
}

static enum status prepare(struct day_index *f, struct err *e)
{
	enum status st = OK;

	for (int i = 0; i < QUERIES && !st; i++)
		if (!f->q[i])
			st = sql_prepare(f->db, queries[i], &f->q[i], e);
	return st;
}

static enum status make_tables(
	struct day_index *f, const struct outcome_map *m, struct err *e)
{
	enum status st = sql_run(f->db, "BEGIN IMMEDIATE", e);

	if (!st)
		st = sql_run(f->db, schema, e);
	if (!st)
		st = prepare(f, e);
	if (!st)
		st = set_meta(f, "version", VERSION, NULL, e);
	if (!st)
		st = set_meta(f, "map", 0, map_digest(m), e);
	if (!st)
		st = set_meta(f, "position", 0, NULL, e);
	if (!st)
		st = set_meta(f, "sealed", 0, NULL, e);
	return st ? st : sql_run(f->db, "COMMIT", e);
}

/* False for an empty file; one that can't be read says so later. */
static bool has_tables(sqlite3 *db)
{
	sqlite3_stmt *q = NULL;
	bool none = sqlite3_prepare_v2(db, "SELECT 1 FROM sqlite_schema", -1,
			    &q, NULL) == SQLITE_OK &&
		    sqlite3_step(q) == SQLITE_DONE;

	sqlite3_finalize(q);
	return !none;
}

static enum status day_open(
	struct day_index *f, struct index *ix, int64_t day, struct err *e)
{
	struct arena a = {0};
	int64_t position = 0;
	enum status st = OK;

	*f = (struct day_index){.day = day};
	if (sqlite3_open_v2(file_path(&a, ix->dir, day), &f->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			    SQLITE_OPEN_NOMUTEX,
		    NULL) != SQLITE_OK)
		st = sql_fail(f->db, "opening", e);
	arena_release(&a);
	sqlite3_busy_timeout(f->db, BUSY_MS);
	if (!st)
		st = sql_run(f->db,
			"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", e);
	if (!st && !has_tables(f->db))
		st = make_tables(f, ix->map, e);
	if (!st)
		st = prepare(f, e);
	if (!st)
		st = get_meta(f->db, "position", &position, NULL, e);
	f->position = (uint64_t)position;
	if (st)
		day_close(f);
	return st;
}

static enum status day_begin(struct day_index *f, struct err *e)
{
	enum status st = OK;

	if (!f->writing)
		st = sql_run(f->db, "BEGIN IMMEDIATE", e);
	f->writing = f->writing || !st;
	return st;
}

/* --- strings and counts -------------------------------------------------- */

/* The number of a string in this file; made when it is new. */
static enum status intern(
	struct day_index *f, struct str s, int64_t *k, struct err *e)
{
	void *known = map_get(&f->strings, s);
	sqlite3_stmt *get = f->q[GET_STRING], *add = f->q[ADD_STRING];
	enum status st = OK;

	if (known) {
		*k = (int64_t)(intptr_t)known;
		return OK;
	}
	bind_str(get, 1, s);
	if (sqlite3_step(get) == SQLITE_ROW) {
		*k = sqlite3_column_int64(get, 0);
	} else {
		bind_str(add, 1, s);
		st = sql_done(add, e);
		*k = sqlite3_last_insert_rowid(f->db);
	}
	sqlite3_reset(get);
	if (!st)
		map_set(&f->strings, arena_str(&f->arena, s),
			(void *)(intptr_t)*k);
	return st;
}

static void count(
	struct day_index *f, const struct index_row *row, const int64_t key[5])
{
	struct str name = {(const char *)key, 5 * sizeof(*key)};
	struct count *c = map_get(&f->counts, name);

	if (!c) {
		c = ARENA_NEW(&f->counts_arena, struct count);
		memcpy(c->key, key, sizeof(c->key));
		map_set(&f->counts,
			(struct str){(const char *)c->key, sizeof(c->key)}, c);
	}
	c->n++;
	if (row->latency >= 0) {
		c->timed++;
		c->sum += (uint64_t)row->latency;
	}
}

static enum status add_row(
	struct day_index *f, const struct index_row *row, struct err *e)
{
	const struct str strings[] = {
		row->path, row->revision, row->target, row->cohort};
	sqlite3_stmt *q = f->q[ADD_ROW];
	int64_t k[COUNT(strings)] = {0}, dim;
	enum status st = day_begin(f, e);

	for (size_t i = 0; i < COUNT(strings) && !st; i++)
		st = intern(f, strings[i], &k[i], e);
	sqlite3_clear_bindings(q);
	for (int i = 0; i < DIMENSIONS && !st; i++) {
		if (!row->dimensions[i].ptr)
			continue;
		st = intern(f, row->dimensions[i], &dim, e);
		sqlite3_bind_int64(q, 13 + i, dim);
	}
	if (st)
		return st;
	sqlite3_bind_int64(q, 1, (int64_t)row->number);
	sqlite3_bind_blob(q, 2, row->id, sizeof(row->id), SQLITE_STATIC);
	sqlite3_bind_int64(q, 3, (int64_t)row->hash);
	sqlite3_bind_int64(q, 4, row->time);
	sqlite3_bind_int64(q, 5, row->received);
	sqlite3_bind_int64(q, 6, row->latency);
	sqlite3_bind_int64(q, 7, row->outcome);
	sqlite3_bind_int64(q, 8, row->flags);
	for (int i = 0; i < 4; i++)
		sqlite3_bind_int64(q, 9 + i, k[i]);
	if (index_counts(row))
		count(f, row,
			(const int64_t[]){row->time / (60 * NS_PER_S), k[0],
				k[1], k[3], row->outcome});
	return sql_done(q, e);
}

static enum status write_counts(struct day_index *f, struct err *e)
{
	sqlite3_stmt *q = f->q[ADD_COUNT];
	enum status st = OK;

	for (size_t i = 0; i < f->counts.len && !st; i++) {
		const struct count *c = f->counts.entries[i].value;

		for (int k = 0; k < 5; k++)
			sqlite3_bind_int64(q, 1 + k, c->key[k]);
		sqlite3_bind_int64(q, 6, (int64_t)c->n);
		sqlite3_bind_int64(q, 7, (int64_t)c->timed);
		sqlite3_bind_int64(q, 8, (int64_t)c->sum);
		st = sql_done(q, e);
	}
	return st;
}

/* Events before `position` are in from now on. */
static enum status day_commit(
	struct day_index *f, uint64_t position, struct err *e)
{
	enum status st = write_counts(f, e);

	if (!st)
		st = set_meta(f, "position", (int64_t)position, NULL, e);
	if (!st)
		st = sql_run(f->db, "COMMIT", e);
	if (st)
		return st;
	f->position = position;
	f->writing = false;
	forget_counts(f);
	if (f->strings.len > STRINGS) {
		map_release(&f->strings);
		arena_reset(&f->arena);
	}
	return OK;
}

/* --- all files ----------------------------------------------------------- */

void index_init(
	struct index *ix, const struct decisions_config *c, const char *dir)
{
	*ix = (struct index){
		.fs = c->fs, .dir = dir, .map = c->map, .bundle = c->bundle};
}

/* What no commit finished is rolled back. */
void index_close(struct index *ix)
{
	for (size_t i = 0; i < ix->ndays; i++)
		day_close(&ix->days[i]);
	free(ix->days);
	ix->days = NULL;
	ix->ndays = 0;
}

static enum status commit_all(
	struct index *ix, uint64_t position, struct err *e)
{
	enum status st = OK;

	for (size_t i = 0; i < ix->ndays && !st; i++)
		if (ix->days[i].writing)
			st = day_commit(&ix->days[i], position, e);
	if (st || position == ix->position)
		return st;
	ix->position = position;
	return save_position(ix, e);
}

static enum status get_day(struct index *ix, int64_t day, uint64_t number,
	struct day_index **out, struct err *e)
{
	enum status st;

	for (size_t i = 0; i < ix->ndays; i++)
		if (ix->days[i].day == day) {
			*out = &ix->days[i];
			return OK;
		}
	if (ix->ndays == FILES) {
		st = commit_all(ix, number, e);
		if (st)
			return st;
		index_close(ix);
	}
	if (!ix->days)
		ix->days = calloc(FILES, sizeof(*ix->days));
	if (!ix->days)
		die("out of memory: index");
	st = fs_mkdirs(ix->fs, ix->dir, 0750, e);
	if (!st)
		st = day_open(&ix->days[ix->ndays], ix, day, e);
	if (!st)
		*out = &ix->days[ix->ndays++];
	return st;
}

/* Only events of day `only`, unless it is negative. */
static enum status add_record(struct index *ix, const struct record *r,
	uint64_t number, int64_t only, struct arena *a, struct err *e)
{
	struct day_index *f = NULL;
	struct index_row row;
	struct decision ev;
	enum status st = decision_parse(r->bytes, ix->bundle, a, &ev, e);

	if (st)
		return st;
	if (only >= 0 && day_of(ev.time) != only)
		return OK;
	index_row_of(ix->map, r, &ev, number, a, &row);
	st = get_day(ix, day_of(ev.time), number, &f, e);
	if (!st && number >= f->position)
		st = add_row(f, &row, e);
	return st;
}

/* After an error what is not committed is forgotten, and comes again. */
enum status index_sync(struct index *ix, struct reader *r, struct err *e)
{
	struct arena a = {0};
	struct record rec;
	uint64_t n = ix->position;
	bool found = true;
	enum status st = OK;

	while (!st) {
		st = reader_at(r, n, &rec, &found, e);
		if (st || !found)
			break;
		st = add_record(ix, &rec, n++, -1, &a, e);
		arena_reset(&a);
		if (!st && n % ROWS == 0)
			st = commit_all(ix, n, e);
	}
	if (!st)
		st = commit_all(ix, n, e);
	if (st)
		index_close(ix);
	arena_release(&a);
	return st;
}

/* What SQLite keeps beside a file, and with `all` the file too. */
static enum status remove_day(
	struct index *ix, int64_t day, bool all, struct err *e)
{
	static const char *const ends[] = {"-wal", "-shm", "-journal", ""};
	struct arena a = {0};
	const char *path = file_path(&a, ix->dir, day);
	enum status st = OK;

	for (size_t i = 0; i < COUNT(ends) - !all && !st; i++) {
		st = fs_remove(
			ix->fs, arena_printf(&a, "%s%s", path, ends[i]), e);
		if (st == E_NOT_FOUND)
			st = OK;
	}
	arena_release(&a);
	return st;
}

enum status index_drop(struct index *ix, struct err *e)
{
	struct arena a = {0};
	int64_t *days;
	size_t n;
	enum status st;

	index_close(ix);
	st = index_days(ix->fs, ix->dir, &a, &days, &n, e);
	for (size_t i = 0; i < n && !st; i++)
		st = remove_day(ix, days[i], true, e);
	if (!st && ix->position) {
		ix->position = 0;
		st = save_position(ix, e);
	}
	arena_release(&a);
	return st;
}

/* Days that only the old folder has a file of. */
static enum status remove_others(struct index *ix, const int64_t *days,
	size_t n, struct arena *a, struct err *e)
{
	int64_t *old;
	size_t nold, k = 0;
	enum status st = index_days(ix->fs, ix->dir, a, &old, &nold, e);

	for (size_t i = 0; i < nold && !st; i++) {
		while (k < n && days[k] < old[i])
			k++;
		if (k == n || days[k] != old[i])
			st = remove_day(ix, old[i], true, e);
	}
	return st;
}

/* A log of SQLite that is left of the file that goes would be read for it. */
enum status index_replace(
	struct index *ix, struct index *by, bool all, struct err *e)
{
	struct arena a = {0};
	int64_t *days;
	size_t n;
	enum status st = index_days(by->fs, by->dir, &a, &days, &n, e);

	index_close(ix);
	if (!st) /* before its first sync there is none */
		st = fs_mkdirs(ix->fs, ix->dir, 0750, e);
	if (!st && all)
		st = remove_others(ix, days, n, &a, e);
	for (size_t i = 0; i < n && !st; i++) {
		st = remove_day(ix, days[i], false, e);
		if (!st)
			st = fs_rename(ix->fs, file_path(&a, by->dir, days[i]),
				file_path(&a, ix->dir, days[i]), e);
	}
	if (!st && by->position > ix->position) {
		ix->position = by->position;
		st = save_position(ix, e);
	}
	arena_release(&a);
	return st;
}

enum status index_discard(struct index *ix, struct err *e)
{
	struct arena a = {0};
	enum status st = fs_remove(ix->fs, position_path(&a, ix->dir), e);

	if (!st || st == E_NOT_FOUND)
		st = fs_remove(ix->fs, ix->dir, e);
	arena_release(&a);
	return st == E_NOT_FOUND ? OK : st;
}

static enum status make_day(
	struct index *ix, int64_t day, struct reader *r, struct err *e)
{
	struct arena a = {0};
	struct record rec;
	struct day_index *f;
	uint64_t n = 0;
	bool found = true;
	enum status st = remove_day(ix, day, true, e);

	if (!st) /* also when it turns out to be empty */
		st = get_day(ix, day, 0, &f, e);
	while (!st && n < ix->position) {
		if (reader_skip(
			    r, n, day * NS_PER_DAY, (day + 1) * NS_PER_DAY, &n))
			continue;
		st = reader_at(r, n, &rec, &found, e);
		if (st || !found)
			break;
		st = add_record(ix, &rec, n++, day, &a, e);
		arena_reset(&a);
	}
	if (!st)
		st = commit_all(ix, ix->position, e);
	arena_release(&a);
	return st;
}

enum status index_mend_day(struct index *ix, int64_t day, struct reader *r,
	bool *stale, struct err *e)
{
	struct index_file f = {0};
	enum status st = index_file_open(&f, ix->dir, day, e);
	bool there = !st && f.db,
	     same = there && !strcmp(f.map, map_digest(ix->map));

	*stale = there && !same && f.sealed;
	index_file_close(&f);
	if (st && st != E_INVALID)
		return st;
	if (same || *stale)
		return OK;
	index_close(ix);
	st = make_day(ix, day, r, e);
	if (st)
		index_close(ix);
	return st;
}

/* --- sealing ------------------------------------------------------------- */

enum status index_seal(struct index *ix, int64_t day, struct err *e)
{
	struct day_index *f;
	enum status st = get_day(ix, day, ix->position, &f, e);

	if (!st)
		st = day_begin(f, e);
	if (!st)
		st = sql_run(f->db,
			"CREATE INDEX IF NOT EXISTS d_id ON d(id);"
			"CREATE INDEX IF NOT EXISTS d_ts ON d(ts)"
			" WHERE outcome<>1;"
			"CREATE INDEX IF NOT EXISTS d_rev ON d(rev, ts)"
			" WHERE outcome<>1;",
			e);
	for (size_t i = 0; ix->map && i < ix->map->nnames && !st; i++) {
		char text[160];

		snprintf(text, sizeof(text),
			"CREATE INDEX IF NOT EXISTS d_d%zu ON d(d%zu, ts)"
			" WHERE outcome<>1 AND d%zu IS NOT NULL",
			i, i, i);
		st = sql_run(f->db, text, e);
	}
	if (!st)
		st = set_meta(f, "sealed", 1, NULL, e);
	if (!st)
		st = day_commit(f, f->position, e);
	if (!st) /* one file is left of it; a reader may put that off */
		sqlite3_exec(
			f->db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
	if (st)
		index_close(ix);
	return st;
}

enum status index_make_sealed(
	struct index *ix, int64_t day, struct reader *r, struct err *e)
{
	enum status st = make_day(ix, day, r, e);

	if (!st)
		st = index_seal(ix, day, e);
	index_close(ix);
	return st;
}

/* --- reading ------------------------------------------------------------- */

static enum status read_meta(struct index_file *f, struct err *e)
{
	int64_t version = 0, position = 0, sealed = 0;
	enum status st = get_meta(f->db, "version", &version, NULL, e);

	if (!st && version != VERSION)
		st = err_set(e, E_INVALID, "%s: version %lld, not %d",
			sqlite3_db_filename(f->db, "main"), (long long)version,
			VERSION);
	if (!st)
		st = get_meta(f->db, "position", &position, NULL, e);
	if (!st)
		st = get_meta(f->db, "sealed", &sealed, NULL, e);
	if (!st)
		st = get_meta(f->db, "map", NULL, f->map, e);
	f->position = (uint64_t)position;
	f->sealed = sealed == 1;
	return st;
}

enum status index_file_open(
	struct index_file *f, const char *dir, int64_t day, struct err *e)
{
	struct arena a = {0};
	const char *path = file_path(&a, dir, day);
	struct fs_info info;
	enum status st = fs_stat(NULL, path, &info, e);

	*f = (struct index_file){0};
	if (!st && info.kind == FS_FILE) {
		if (sqlite3_open_v2(path, &f->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX,
			    NULL) != SQLITE_OK)
			st = sql_fail(f->db, "opening", e);
		sqlite3_busy_timeout(f->db, BUSY_MS);
		if (!st && !has_tables(f->db)) /* it is just being made */
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
