/* How many decisions there were: per minute, and beside what agents counted. */
#include "decisions/query.h"

#include <stdlib.h>
#include <string.h>

static struct str column(sqlite3_stmt *q, int i)
{
	struct str s = {
		sqlite3_column_blob(q, i), (size_t)sqlite3_column_bytes(q, i)};

	return s.ptr ? s : S("");
}

/* --- times only ----------------------------------------------------------- */

static enum status file_times(sqlite3 *db, const struct query *q,
	query_time *visit, void *user, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int code = SQLITE_ROW;
	enum status st = sql_prepare(db,
		"SELECT ts, v FROM d JOIN s ON k=target WHERE ts>=? AND ts<?"
		" AND n<? AND flags & ? = 0",
		&s, e);

	if (st)
		return st;
	sqlite3_bind_int64(s, 1, q->f.from);
	sqlite3_bind_int64(s, 2, q->f.to);
	sqlite3_bind_int64(s, 3, (int64_t)q->position);
	sqlite3_bind_int64(s, 4, q->without);
	while ((code = sqlite3_step(s)) == SQLITE_ROW)
		visit(user, column(s, 1), sqlite3_column_int64(s, 0));
	if (code != SQLITE_DONE)
		st = sql_fail(db, "reading", e);
	sqlite3_finalize(s);
	return st;
}

struct times {
	query_time *visit;
	void *user;
};

static enum status tail_time(struct query *q, const struct decision_row *row,
	bool *go_on, void *user, struct err *e)
{
	const struct times *t = user;

	(void)q, (void)go_on, (void)e;
	t->visit(t->user, row->target, row->event.time);
	return OK;
}

enum status query_times(struct decisions *d, int64_t from, int64_t to,
	query_time *visit, void *user, struct err *e)
{
	struct decision_filter f = {.from = from, .to = to};
	struct times t = {visit, user};
	struct arena a = {0};
	struct query q;
	int64_t *days;
	size_t n = 0;
	enum status st = query_begin(&q, d, &f, e);
	uint64_t at = q.position;

	q.without = DECISION_COMPILE | DECISION_CLASH;
	if (!st)
		st = index_days(d->c.fs, d->index_dir, &a, &days, &n, e);
	for (size_t i = 0; i < n && !st; i++) {
		struct index_file file = {0};

		if (days[i] < day_of(from) || days[i] > day_of(to - 1))
			continue;
		st = store_index_open(d, days[i], &file, e);
		if (!st && file.db)
			st = file_times(file.db, &q, visit, user, e);
		index_file_close(&file);
	}
	if (!st)
		st = query_each(&q, &at, tail_time, &t, e);
	arena_release(&a);
	query_end(&q);
	return st;
}

/* --- rollups ------------------------------------------------------------- */

struct rollups {
	struct arena arena; /* of the strings */
	struct decision_rollup *items;
	size_t n, cap;
};

static void rollups_add(struct rollups *all, const struct decision_rollup *r)
{
	struct decision_rollup *to;

	if (all->n == all->cap) {
		all->cap = all->cap ? 2 * all->cap : 256;
		all->items =
			reallocarray(all->items, all->cap, sizeof(*all->items));
		if (!all->items)
			die("out of memory: rollups");
	}
	to = &all->items[all->n++];
	*to = *r;
	to->path = arena_str(&all->arena, r->path);
	to->revision = arena_str(&all->arena, r->revision);
	to->cohort = arena_str(&all->arena, r->cohort);
}

static int compare_rollups(const void *a, const void *b)
{
	const struct decision_rollup *x = a, *y = b;
	int c = (x->minute > y->minute) - (x->minute < y->minute);

	c = c ? c : str_cmp(x->path, y->path);
	c = c ? c : str_cmp(x->revision, y->revision);
	c = c ? c : str_cmp(x->cohort, y->cohort);
	return c ? c : (int)x->outcome - (int)y->outcome;
}

/* Outcomes of a file that was tampered with are anything. */
static enum outcome known_outcome(int64_t o)
{
	return o >= 0 && o < OUTCOMES ? (enum outcome)o : OUTCOME_UNKNOWN;
}

static enum status file_rollups(sqlite3 *db, int64_t from, int64_t to,
	struct rollups *all, struct err *e)
{
	const int64_t minute = 60 * NS_PER_S;
	sqlite3_stmt *q = NULL;
	int code = SQLITE_ROW;
	enum status st = sql_prepare(db,
		"SELECT minute, p.v, v.v, c.v, outcome, n, timed, sum FROM r"
		" JOIN s p ON p.k=path JOIN s v ON v.k=rev"
		" JOIN s c ON c.k=cohort WHERE minute>=? AND minute<?",
		&q, e);

	if (st)
		return st;
	sqlite3_bind_int64(q, 1, from / minute + (from % minute != 0));
	sqlite3_bind_int64(q, 2, to / minute + (to % minute != 0));
	while ((code = sqlite3_step(q)) == SQLITE_ROW)
		rollups_add(all,
			&(struct decision_rollup){
				.minute = sqlite3_column_int64(q, 0) * minute,
				.path = column(q, 1),
				.revision = column(q, 2),
				.cohort = column(q, 3),
				.outcome = known_outcome(
					sqlite3_column_int64(q, 4)),
				.n = (uint64_t)sqlite3_column_int64(q, 5),
				.timed = (uint64_t)sqlite3_column_int64(q, 6),
				.latency_sum =
					(uint64_t)sqlite3_column_int64(q, 7)});
	if (code != SQLITE_DONE)
		st = sql_fail(db, "reading", e);
	sqlite3_finalize(q);
	return st;
}

struct tail_rollups {
	struct rollups *all;
	int64_t day;
	uint64_t from; /* before it the day's file has all */
};

static enum status add_rollup(struct query *q, const struct decision_row *row,
	bool *go_on, void *user, struct err *e)
{
	struct tail_rollups *t = user;
	const struct decision *ev = &row->event;

	(void)q, (void)go_on, (void)e;
	if (row->number < t->from || day_of(ev->time) != t->day)
		return OK;
	rollups_add(t->all,
		&(struct decision_rollup){
			.minute = ev->time - ev->time % (60 * NS_PER_S),
			.path = ev->path,
			.revision = ev->revision,
			.cohort = row->cohort,
			.outcome = row->outcome,
			.n = 1,
			.timed = ev->latency >= 0,
			.latency_sum =
				ev->latency >= 0 ? (uint64_t)ev->latency : 0});
	return OK;
}

/* Equal ones are together after sorting; false when the visitor has enough. */
static bool visit_rollups(struct rollups *all,
	bool (*visit)(void *user, const struct decision_rollup *r), void *user)
{
	if (all->n)
		qsort(all->items, all->n, sizeof(*all->items), compare_rollups);
	for (size_t i = 0, k; i < all->n; i = k) {
		struct decision_rollup sum = all->items[i];

		for (k = i + 1; k < all->n; k++) {
			const struct decision_rollup *next = &all->items[k];

			if (compare_rollups(&sum, next) != 0)
				break;
			sum.n += next->n;
			sum.timed += next->timed;
			sum.latency_sum += next->latency_sum;
		}
		if (!visit(user, &sum))
			return false;
	}
	return true;
}

static enum status day_rollups(
	struct query *q, int64_t day, struct rollups *all, struct err *e)
{
	struct tail_rollups t = {.all = all, .day = day};
	uint64_t at = q->position;
	struct index_file f;
	enum status st = store_index_open(q->d, day, &f, e);

	if (st)
		return st;
	if (f.db)
		st = file_rollups(f.db, q->f.from, q->f.to, all, e);
	t.from = f.position;
	index_file_close(&f);
	return st ? st : query_each(q, &at, add_rollup, &t, e);
}

/* Whole minutes: those that begin in [from, to). */
static int64_t minute_from(int64_t t)
{
	const int64_t minute = 60 * NS_PER_S;

	if (t > INT64_MAX - minute)
		return t;
	return (t + minute - 1) / minute * minute;
}

/* The days of the files, and those that only the end of the log has. */
static enum status all_days(struct query *q, struct arena *a, int64_t **days,
	size_t *n, struct err *e)
{
	struct keys tail = {0};
	int64_t *files = NULL;
	size_t nfiles = 0, i = 0;
	enum status st =
		index_days(q->d->c.fs, q->d->index_dir, a, &files, &nfiles, e);

	if (!st)
		st = query_scan(q, q->position, &tail, e);
	keys_sort(&tail);
	*days = ARENA_ARRAY(a, int64_t, nfiles + tail.n);
	*n = 0;
	for (size_t k = 0; !st && (i < nfiles || k < tail.n);) {
		int64_t late =
			k < tail.n ? day_of(tail.items[k].time) : INT64_MAX;
		int64_t day = i < nfiles && files[i] < late ? files[i] : late;

		while (i < nfiles && files[i] <= day)
			i++;
		while (k < tail.n && day_of(tail.items[k].time) <= day)
			k++;
		(*days)[(*n)++] = day;
	}
	free(tail.items);
	return st;
}

enum status decisions_rollup(struct decisions *d, int64_t from, int64_t to,
	bool (*visit)(void *user, const struct decision_rollup *r), void *user,
	struct err *e)
{
	struct decision_filter f = {
		.from = minute_from(from), .to = minute_from(to)};
	struct arena a = {0};
	struct rollups all = {0};
	struct query q;
	int64_t *days;
	size_t n = 0;
	enum status st = query_begin(&q, d, &f, e);

	q.without = DECISION_COMPILE | DECISION_CLASH;
	if (!st && q.f.from < q.f.to)
		st = all_days(&q, &a, &days, &n, e);
	for (size_t i = 0; i < n && !st; i++) {
		if (days[i] < day_of(q.f.from) || days[i] > day_of(q.f.to - 1))
			continue;
		all.n = 0;
		arena_reset(&all.arena);
		st = day_rollups(&q, days[i], &all, e);
		if (!st && !visit_rollups(&all, visit, user))
			break;
	}
	free(all.items);
	arena_release(&all.arena);
	arena_release(&a);
	query_end(&q);
	return st;
}
