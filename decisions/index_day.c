/* One file of the index, to write: rows, the strings in them, and counts. */
#include "decisions/index.h"

#include <stdlib.h>
#include <string.h>

enum { STRINGS = 100000 }; /* remembered of a file */

/* --- rows ---------------------------------------------------------------- */

/* Whether an event is in the rollups. */
static bool index_counts(const struct index_row *row)
{
	return !(row->flags & (DECISION_COMPILE | DECISION_CLASH));
}

/* Who sent it, as the server knows; else as the agent says. */
static struct str target_of(const struct record *r, const struct decision *ev)
{
	return r->target.len ? r->target : ev->label_target;
}

void index_row_of(struct rules *rules, const struct record *r,
	const struct decision *ev, uint64_t number, struct arena *a,
	struct index_row *out)
{
	const struct map_rule *rule = rules_of(rules, ev, number, a);
	struct merkle_hash h;

	digest(DIGEST_SHA256, r->bytes, h.b);
	*out = (struct index_row){.number = number,
		.hash = hash_start(&h),
		.time = ev->time,
		.received = r->received,
		.latency = ev->latency,
		.outcome = outcome_by(rule, ev),
		.flags = r->flags,
		.path = ev->path,
		.revision = ev->revision,
		.target = target_of(r, ev),
		.cohort = r->cohort};
	memcpy(out->id, ev->id, sizeof(out->id));
	out->ndimensions = dimensions_of(rule, ev, a, out->dimensions);
}

/* --- one file ------------------------------------------------------------ */

static void bind_str(sqlite3_stmt *q, int at, struct str s)
{
	sqlite3_bind_blob64(q, at, s.len ? s.ptr : "", s.len, SQLITE_STATIC);
}

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
	" WITHOUT ROWID;"
	"CREATE TABLE c(k INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE);";

static const char *const queries[QUERIES] = {
	[GET_STRING] = "SELECT k FROM s WHERE v=?",
	[ADD_STRING] = "INSERT INTO s(v) VALUES(?)",
	[ADD_ROW] = "INSERT INTO d VALUES(?,?,?,?,?,?,?,?,?,?,?,?,"
		    "?,?,?,?,?,?,?,?)",
	[ADD_COUNT] = "INSERT INTO r VALUES(?,?,?,?,?,?,?,?) ON CONFLICT "
		      "DO UPDATE SET n=n+excluded.n, "
		      "timed=timed+excluded.timed, sum=sum+excluded.sum",
	[ADD_NAME] = "INSERT INTO c VALUES(?,?)",
	[SET_META] = "INSERT OR REPLACE INTO meta VALUES(?,?)",
};

/* Counts of one minute that are not written yet. */
struct count {
	int64_t key[5];
	uint64_t n, timed, sum;
};

static void forget_counts(struct day_index *f)
{
	map_release(&f->counts);
	arena_reset(&f->counts_arena);
}

void day_close(struct day_index *f)
{
	for (int i = 0; i < QUERIES; i++)
		sqlite3_finalize(f->q[i]);
	sqlite3_close(f->db);
	map_release(&f->strings);
	forget_counts(f);
	arena_release(&f->counts_arena);
	arena_release(&f->arena);
	arena_release(&f->names_arena);
	*f = (struct day_index){0};
}

static enum status set_meta(
	struct day_index *f, const char *key, int64_t number, struct err *e)
{
	sqlite3_stmt *q = f->q[SET_META];

	sqlite3_bind_text(q, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(q, 2, number);
	return sql_done(q, e);
}

static enum status prepare(struct day_index *f, struct err *e)
{
	enum status st = OK;

	for (int i = 0; i < QUERIES && !st; i++)
		if (!f->q[i])
			st = sql_prepare(f->db, queries[i], &f->q[i], e);
	return st;
}

static enum status make_tables(struct day_index *f, struct err *e)
{
	enum status st = sql_run(f->db, "BEGIN IMMEDIATE", e);

	if (!st)
		st = sql_run(f->db, schema, e);
	if (!st)
		st = prepare(f, e);
	if (!st)
		st = set_meta(f, "version", INDEX_VERSION, e);
	if (!st)
		st = set_meta(f, "position", 0, e);
	if (!st)
		st = set_meta(f, "sealed", 0, e);
	return st ? st : sql_run(f->db, "COMMIT", e);
}

enum status day_open(
	struct day_index *f, struct index *ix, int64_t day, struct err *e)
{
	struct arena a = {0};
	int64_t position = 0;
	enum status st = OK;

	*f = (struct day_index){.day = day};
	if (sqlite3_open_v2(index_path(&a, ix->dir, day), &f->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			    SQLITE_OPEN_NOMUTEX,
		    NULL) != SQLITE_OK)
		st = sql_fail(f->db, "opening", e);
	arena_release(&a);
	sqlite3_busy_timeout(f->db, INDEX_BUSY_MS);
	if (!st)
		st = sql_run(f->db,
			"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", e);
	if (!st && !index_has_tables(f->db))
		st = make_tables(f, e);
	if (!st)
		st = prepare(f, e);
	if (!st)
		st = index_meta(f->db, "position", &position, e);
	if (!st)
		st = index_names(
			f->db, &f->names_arena, f->names, &f->nnames, e);
	f->position = (uint64_t)position;
	if (st)
		day_close(f);
	return st;
}

enum status day_begin(struct day_index *f, struct err *e)
{
	enum status st = OK;

	if (!f->writing)
		st = sql_run(f->db, "BEGIN IMMEDIATE", e);
	f->writing = f->writing || !st;
	return st;
}

enum status day_set_sealed(struct day_index *f, struct err *e)
{
	return set_meta(f, "sealed", 1, e);
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

/* Of more names than there are columns the others have none. */
static enum status column_of(
	struct day_index *f, struct str name, int *out, struct err *e)
{
	sqlite3_stmt *q = f->q[ADD_NAME];

	*out = index_column(f->names, f->nnames, name);
	if (*out >= 0 || f->nnames == DIMENSIONS)
		return OK;
	*out = (int)f->nnames++;
	f->names[*out] = arena_str(&f->names_arena, name);
	sqlite3_bind_int64(q, 1, *out);
	bind_str(q, 2, name);
	return sql_done(q, e);
}

static enum status bind_dimension(
	struct day_index *f, const struct dimension *d, struct err *e)
{
	int64_t k = 0;
	int column;
	enum status st = column_of(f, d->name, &column, e);

	if (st || column < 0)
		return st;
	st = intern(f, d->pointer, &k, e);
	sqlite3_bind_int64(f->q[ADD_ROW], 13 + column, k);
	return st;
}

enum status day_add(
	struct day_index *f, const struct index_row *row, struct err *e)
{
	const struct str strings[] = {
		row->path, row->revision, row->target, row->cohort};
	sqlite3_stmt *q = f->q[ADD_ROW];
	int64_t k[COUNT(strings)] = {0};
	enum status st = day_begin(f, e);

	for (size_t i = 0; i < COUNT(strings) && !st; i++)
		st = intern(f, strings[i], &k[i], e);
	sqlite3_clear_bindings(q);
	for (size_t i = 0; i < row->ndimensions && !st; i++)
		st = bind_dimension(f, &row->dimensions[i], e);
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

enum status day_commit(struct day_index *f, uint64_t position, struct err *e)
{
	enum status st = write_counts(f, e);

	if (!st)
		st = set_meta(f, "position", (int64_t)position, e);
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
