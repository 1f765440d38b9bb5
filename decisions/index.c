/*
 * The index: a file of SQLite per day, derived from the log.
 *
 *	d    one row per event; n is its number
 *	r    counts per minute, path, revision, cohort and outcome
 *	s    the strings of both, by number
 *	c    names of the columns d0 to d7 of d; the first eight that came
 *	meta the position, whether it is sealed
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
#include "decisions/index.h"

#include <stdlib.h>
#include <string.h>

enum {
	ROWS = 20000, /* of one transaction */
	FILES = 4,    /* open to write at once */
};

/* --- the position -------------------------------------------------------- */

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

/* --- all files ----------------------------------------------------------- */

void index_init(struct index *ix, const struct decisions_config *c,
	struct rules *rules, const char *dir)
{
	*ix = (struct index){
		.fs = c->fs, .dir = dir, .rules = rules, .bundle = c->bundle};
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
	index_row_of(ix->rules, r, &ev, number, a, &row);
	st = get_day(ix, day_of(ev.time), number, &f, e);
	if (!st && number >= f->position)
		st = day_add(f, &row, e);
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
	const char *path = index_path(&a, ix->dir, day);
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
enum status index_replace(struct index *ix, struct index *by, struct err *e)
{
	struct arena a = {0};
	int64_t *days;
	size_t n;
	enum status st = index_days(by->fs, by->dir, &a, &days, &n, e);

	index_close(ix);
	if (!st) /* before its first sync there is none */
		st = fs_mkdirs(ix->fs, ix->dir, 0750, e);
	if (!st)
		st = remove_others(ix, days, n, &a, e);
	for (size_t i = 0; i < n && !st; i++) {
		st = remove_day(ix, days[i], false, e);
		if (!st)
			st = fs_rename(ix->fs, index_path(&a, by->dir, days[i]),
				index_path(&a, ix->dir, days[i]), e);
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

enum status index_mend_day(
	struct index *ix, int64_t day, struct reader *r, struct err *e)
{
	struct index_file f = {0};
	enum status st = index_file_open(&f, ix->dir, day, e);
	bool there = !st && f.db;

	index_file_close(&f);
	if ((st && st != E_INVALID) || there)
		return st;
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
	for (size_t i = 0; !st && i < f->nnames; i++) {
		char text[160];

		snprintf(text, sizeof(text),
			"CREATE INDEX IF NOT EXISTS d_d%zu ON d(d%zu, ts)"
			" WHERE outcome<>1 AND d%zu IS NOT NULL",
			i, i, i);
		st = sql_run(f->db, text, e);
	}
	if (!st)
		st = day_set_sealed(f, e);
	if (!st)
		st = day_commit(f, f->position, e);
	if (!st) /* one file is left of it; a reader may put that off */
		sqlite3_exec(
			f->db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
	if (st)
		index_close(ix);
	return st;
}
