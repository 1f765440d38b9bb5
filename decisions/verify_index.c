/* The indexes beside the events of the log. */
#include "decisions/verify.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* A day's file beside the events of the log. */
struct check_day {
	int64_t day;
	bool there;
	uint64_t position; /* when it was first opened */
	uint64_t rows;     /* events of the day that it should have */
	struct index_file file;
	sqlite3_stmt *row;
	uint64_t used; /* when it was asked last; 0: it is not open */
};

enum { OPEN_DAYS = 8 }; /* a log of years has more days than there are files */

static enum status bad_day(struct verify *v, const struct check_day *c,
	uint64_t event, const char *why)
{
	char name[16];

	day_name(c->day, name);
	verify_at(v, 0, event, "index/%s.db", name);
	if (event == UINT64_MAX)
		return err_set(v->e, E_INVALID, "index/%s.db: %s", name, why);
	return err_set(v->e, E_INVALID, "index/%s.db: event %llu: %s", name,
		(unsigned long long)event, why);
}

static const char row_query[] =
	"SELECT id, h, ts, recv, lat, outcome, flags,"
	" (SELECT v FROM s WHERE k=path), (SELECT v FROM s WHERE k=rev),"
	" (SELECT v FROM s WHERE k=target), (SELECT v FROM s WHERE k=cohort),"
	" (SELECT v FROM s WHERE k=d0), (SELECT v FROM s WHERE k=d1),"
	" (SELECT v FROM s WHERE k=d2), (SELECT v FROM s WHERE k=d3),"
	" (SELECT v FROM s WHERE k=d4), (SELECT v FROM s WHERE k=d5),"
	" (SELECT v FROM s WHERE k=d6), (SELECT v FROM s WHERE k=d7)"
	" FROM d WHERE n=?";

static void close_check(struct check_day *c)
{
	sqlite3_finalize(c->row);
	index_file_close(&c->file);
	c->row = NULL;
	c->used = 0;
}

/* The one that was not asked for the longest time makes room. */
static void make_room(struct check_index *ix)
{
	struct check_day *oldest = NULL;
	size_t open = 0;

	for (size_t i = 0; i < ix->n; i++) {
		struct check_day *c = &ix->days[i];

		open += c->used != 0;
		if (c->used && (!oldest || c->used < oldest->used))
			oldest = c;
	}
	if (open >= OPEN_DAYS)
		close_check(oldest);
}

static enum status open_check(struct verify *v, struct check_day *c)
{
	enum status st;
	char name[16];

	make_room(&v->index);
	st = store_index_open(v->d, c->day, &c->file, v->e);
	if (!st && c->file.db)
		st = sql_prepare(c->file.db, row_query, &c->row, v->e);
	if (st) {
		day_name(c->day, name);
		verify_at(v, 0, UINT64_MAX, "index/%s.db", name);
	}
	return st;
}

static struct check_day *find_day(struct check_index *ix, int64_t day)
{
	for (size_t i = ix->n; i > 0; i--)
		if (ix->days[i - 1].day == day)
			return &ix->days[i - 1];
	return NULL;
}

static struct check_day *add_day(struct check_index *ix, int64_t day)
{
	ix->days = reallocarray(ix->days, ix->n + 1, sizeof(*ix->days));
	if (!ix->days)
		die("out of memory: days");
	ix->days[ix->n] = (struct check_day){.day = day};
	return &ix->days[ix->n++];
}

/* With its file open, if there is one. */
static enum status get_check(
	struct verify *v, int64_t day, struct check_day **out)
{
	struct check_index *ix = &v->index;
	struct check_day *c = find_day(ix, day);
	bool first = !c;
	enum status st = OK;

	if (first)
		c = add_day(ix, day);
	if (!c->used)
		st = open_check(v, c);
	if (first) {
		c->there = c->file.db != NULL;
		c->position = c->file.position;
	} else if (!st && c->there && !c->file.db) {
		st = bad_day(v, c, UINT64_MAX, "the file is gone");
	}
	c->used = ++ix->used;
	*out = c;
	return st;
}

static bool column_is(sqlite3_stmt *q, int i, struct str want)
{
	struct str got = {
		sqlite3_column_blob(q, i), (size_t)sqlite3_column_bytes(q, i)};
	bool none = sqlite3_column_type(q, i) == SQLITE_NULL;

	return none ? !want.ptr : want.ptr && str_eq(got, want);
}

static bool is_number(sqlite3_stmt *q, int i, int64_t want)
{
	return sqlite3_column_int64(q, i) == want;
}

/* Each dimension is in its column, and in no column is anything else. */
static bool dimensions_fit(const struct index_file *f, sqlite3_stmt *q,
	const struct index_row *row)
{
	struct str want[DIMENSIONS] = {{0}};
	bool ok = true;

	for (size_t i = 0; i < row->ndimensions; i++) {
		const struct dimension *d = &row->dimensions[i];
		int at = index_column(f->names, f->nnames, d->name);

		if (at >= 0)
			want[at] = d->pointer;
		else
			ok = ok && f->nnames == DIMENSIONS;
	}
	for (int i = 0; i < DIMENSIONS; i++)
		ok = ok && column_is(q, 11 + i, want[i]);
	return ok;
}

static bool row_fits(const struct check_day *c, const struct index_row *row)
{
	const struct str strings[] = {
		row->path, row->revision, row->target, row->cohort};
	sqlite3_stmt *q = c->row;
	bool ok = column_is(q, 0, (struct str){(const char *)row->id, 16}) &&
		  is_number(q, 1, (int64_t)row->hash) &&
		  is_number(q, 2, row->time) &&
		  is_number(q, 3, row->received) &&
		  is_number(q, 4, row->latency) &&
		  is_number(q, 5, row->outcome) && is_number(q, 6, row->flags);

	for (int i = 0; i < 4; i++)
		ok = ok && column_is(q, 7 + i, strings[i]);
	return ok && dimensions_fit(&c->file, q, row);
}

enum status verify_row(
	struct verify *v, const struct record *r, uint64_t number)
{
	struct check_day *c;
	struct index_row row;
	struct decision ev;
	bool found, fits;
	enum status st;

	arena_reset(&v->row);
	st = decision_parse(r->bytes, v->d->c.bundle, &v->row, &ev, v->e);
	if (!st)
		st = rules_cover(
			v->d, v->block.head.first + v->block.head.count, v->e);
	if (!st)
		st = get_check(v, day_of(ev.time), &c);
	if (st)
		return st;
	if (!c->there && number < v->position)
		return bad_day(v, c, number, "the file is gone");
	if (number >= c->position)
		return OK;
	index_row_of(&v->d->rules, r, &ev, number, &v->row, &row);
	c->rows++;
	sqlite3_bind_int64(c->row, 1, (int64_t)number);
	found = sqlite3_step(c->row) == SQLITE_ROW;
	fits = found && row_fits(c, &row);
	sqlite3_reset(c->row);
	if (fits)
		return OK;
	return bad_day(v, c, number,
		found ? "its row says something else" : "it has no row");
}

/* Whether a query has no row. */
static bool is_empty(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *q = NULL;
	bool empty = sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK &&
		     sqlite3_step(q) == SQLITE_DONE;

	sqlite3_finalize(q);
	return empty;
}

/* Of events before `end`. */
static uint64_t count_rows(sqlite3 *db, uint64_t end)
{
	sqlite3_stmt *q = NULL;
	uint64_t n = UINT64_MAX;

	if (sqlite3_prepare_v2(db, "SELECT count(*) FROM d WHERE n<?", -1, &q,
		    NULL) == SQLITE_OK) {
		sqlite3_bind_int64(q, 1, (int64_t)end);
		if (sqlite3_step(q) == SQLITE_ROW)
			n = (uint64_t)sqlite3_column_int64(q, 0);
	}
	sqlite3_finalize(q);
	return n;
}

/* What queries look up in is part of the file, and no row says it is right. */
static bool is_whole(sqlite3 *db)
{
	sqlite3_stmt *q = NULL;
	bool whole = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &q,
			     NULL) == SQLITE_OK &&
		     sqlite3_step(q) == SQLITE_ROW &&
		     !strcmp((const char *)sqlite3_column_text(q, 0), "ok");

	sqlite3_finalize(q);
	return whole;
}

#define COUNTED                                                                \
	"SELECT ts / 60000000000, path, rev, cohort, outcome, count(*),"       \
	" sum(lat >= 0), sum(max(lat, 0)) FROM d WHERE flags & 9 = 0"          \
	" GROUP BY 1, 2, 3, 4, 5"
#define ROLLED "SELECT minute, path, rev, cohort, outcome, n, timed, sum FROM r"

/*
 * Before which number rows have been counted. The log may have grown since it
 * was walked, and so may the file; but it never knows more than the log.
 */
static enum status rows_end(
	struct verify *v, const struct check_day *c, uint64_t *end)
{
	uint64_t size = tree_size(&v->tree), now = c->position;
	enum status st = OK;

	*end = c->position;
	if (c->position <= size)
		return OK;
	if (v->d->c.read_only)
		st = decisions_end(v->d, &now, v->e);
	if (c->position <= now)
		*end = size;
	return st;
}

static enum status check_file(struct verify *v, const struct check_day *c)
{
	uint64_t end;
	enum status st = rows_end(v, c, &end);

	if (st || !c->there)
		return st;
	if (!is_whole(c->file.db))
		return bad_day(v, c, UINT64_MAX, "the file is damaged");
	if (count_rows(c->file.db, end) != c->rows)
		return bad_day(v, c, UINT64_MAX,
			"it has rows of events that are not in the log");
	if (!is_empty(c->file.db, COUNTED " EXCEPT " ROLLED) ||
		!is_empty(c->file.db, ROLLED " EXCEPT " COUNTED))
		return bad_day(v, c, UINT64_MAX,
			"its rollups are not the sums of its rows");
	return OK;
}

/* Also of days that the log has no event of. */
enum status verify_files(struct verify *v)
{
	struct check_day *c;
	int64_t *days;
	size_t n;
	enum status st = index_days(
		v->d->c.fs, v->d->index_dir, &v->arena, &days, &n, v->e);

	for (size_t i = 0; i < n && !st; i++)
		st = get_check(v, days[i], &c);
	for (size_t i = 0; i < v->index.n && !st; i++) {
		st = get_check(v, v->index.days[i].day, &c);
		if (!st)
			st = check_file(v, c);
	}
	return st;
}

void verify_index_release(struct check_index *ix)
{
	for (size_t i = 0; i < ix->n; i++)
		close_check(&ix->days[i]);
	free(ix->days);
	*ix = (struct check_index){0};
}
