/*
 * Questions: by the index, or by reading everything.
 *
 * Both ways first find the numbers and times of the events that fit, sort
 * them, and then read each event from its segment; the index gives no more
 * than that, and each row is looked at again before it is shown. What the
 * index does not have yet is read from the end of the log.
 */
#include "base/glob.h"
#include "decisions/query.h"

#include <stdlib.h>
#include <string.h>

/* Append one; keys_sort() when all are there. */
static void keys_add(struct keys *k, int64_t time, uint64_t number)
{
	if (k->n == k->cap) {
		k->cap = k->cap ? 2 * k->cap : 256;
		k->items = reallocarray(k->items, k->cap, sizeof(*k->items));
		if (!k->items)
			die("out of memory: %zu rows", k->n);
	}
	k->items[k->n++] = (struct key){time, number};
}

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

void keys_sort(struct keys *k)
{
	size_t n = 0;

	if (k->n)
		qsort(k->items, k->n, sizeof(*k->items), compare_keys);
	for (size_t i = 0; i < k->n; i++)
		if (!i || k->items[i].number != k->items[n - 1].number)
			k->items[n++] = k->items[i];
	k->n = n;
}

/* Only the first ones are wanted: the others are forgotten on the way. */
static void keys_bound(struct keys *k, size_t most)
{
	if (!most || k->n < 2 * most + 1024)
		return;
	keys_sort(k);
	k->n = k->n < most ? k->n : most;
}

/* --- one event ----------------------------------------------------------- */

/* What is in a block came at once: it is all there when one of it is. */
static uint64_t block_end(const struct query *q, uint64_t number)
{
	const struct block_head *h = &q->reader.block.head;
	bool in = q->reader.loaded && number >= h->first &&
		  number - h->first < h->count;

	return in ? h->first + h->count : number + 1;
}

static enum status row_of(struct query *q, const struct record *r,
	uint64_t number, struct decision_row *out, struct err *e)
{
	const struct decisions_config *c = &q->d->c;
	struct index_row row;
	enum status st;

	*out = (struct decision_row){.number = number};
	st = decision_parse(r->bytes, c->bundle, &q->row, &out->event, e);
	if (!st)
		st = rules_cover(q->d, block_end(q, number), e);
	if (st)
		return st;
	index_row_of(&q->d->rules, r, &out->event, number, &q->row, &row);
	out->outcome = row.outcome;
	out->flags = row.flags;
	out->received = row.received;
	out->target = row.target;
	out->cohort = row.cohort;
	memcpy(out->dimensions, row.dimensions, sizeof(row.dimensions));
	out->ndimensions = row.ndimensions;
	return OK;
}

static bool same(struct str want, struct str got)
{
	return !want.len || str_eq(want, got);
}

static bool is_glob(struct str s)
{
	return s.len &&
	       (memchr(s.ptr, '*', s.len) || memchr(s.ptr, '?', s.len));
}

static bool has(const struct decision_row *row, const struct dimension *want)
{
	for (size_t i = 0; i < row->ndimensions; i++)
		if (str_eq(row->dimensions[i].name, want->name))
			return str_eq(
				row->dimensions[i].pointer, want->pointer);
	return false;
}

static bool fits(const struct query *q, const struct decision_row *row)
{
	const struct decision_filter *f = &q->f;

	if (row->event.time < f->from || row->event.time >= f->to)
		return false;
	if ((row->event.time == f->from && row->number < f->first) ||
		row->number >= f->end)
		return false;
	if (f->outcomes && !(f->outcomes & 1u << row->outcome))
		return false;
	if (row->flags & q->without)
		return false;
	if (f->path.len && !glob_path(f->path, row->event.path))
		return false;
	if (!same(f->revision, row->event.revision) ||
		!same(f->target, row->target) || !same(f->cohort, row->cohort))
		return false;
	for (size_t i = 0; i < f->nwhere; i++)
		if (!has(row, &f->where[i]))
			return false;
	return true;
}

/* --- preparing ----------------------------------------------------------- */

static enum status check_where(struct query *q, struct err *e)
{
	const struct decision_filter *f = &q->f;

	if (f->nwhere > DIMENSIONS)
		return err_set(e, E_LIMIT, "%zu dimensions asked for, limit %d",
			f->nwhere, DIMENSIONS);
	for (size_t i = 0; i < f->nwhere; i++)
		if (!rules_have_dimension(&q->d->rules, f->where[i].name))
			return err_set(e, E_NOT_FOUND,
				"no rule has a dimension \"%.*s\"",
				STR_ARG(f->where[i].name));
	return OK;
}

enum status query_begin(struct query *q, struct decisions *d,
	const struct decision_filter *f, struct err *e)
{
	enum status st;

	*q = (struct query){.d = d, .f = *f};
	if (!f->to)
		q->f.to = INT64_MAX;
	if (!f->end)
		q->f.end = INT64_MAX;
	while (str_starts(q->f.path, S("/")))
		q->f.path = str_slice(q->f.path, 1, q->f.path.len);
	st = index_position(d->c.fs, d->index_dir, &q->position, e);
	if (!st) /* of those also that no event has come for */
		st = rules_cover(d, q->position + 1, e);
	if (!st)
		st = check_where(q, e);
	return st ? st : store_reader(d, LOG_EVENTS, &q->reader, e);
}

void query_end(struct query *q)
{
	reader_close(&q->reader);
	arena_release(&q->row);
}

/* --- without an index ---------------------------------------------------- */

enum status query_each(struct query *q, uint64_t *number, query_row *call,
	void *user, struct err *e)
{
	bool go_on = true;
	enum status st = OK;

	while (!st && go_on) {
		struct decision_row row;
		struct record rec;

		if (reader_skip(
			    &q->reader, *number, q->f.from, q->f.to, number))
			continue;
		st = reader_at(&q->reader, *number, &rec, &go_on, e);
		if (st || !go_on)
			break;
		arena_reset(&q->row);
		st = row_of(q, &rec, (*number)++, &row, e);
		if (!st && fits(q, &row))
			st = call(q, &row, &go_on, user, e);
	}
	return st;
}

enum status query_add_key(struct query *q, const struct decision_row *row,
	bool *go_on, void *user, struct err *e)
{
	(void)go_on, (void)e;
	keys_add(user, row->event.time, row->number);
	keys_bound(user, q->f.most);
	return OK;
}

enum status query_scan(
	struct query *q, uint64_t from, struct keys *k, struct err *e)
{
	return query_each(q, &from, query_add_key, k, e);
}

/* --- by the index -------------------------------------------------------- */

static void bind_number(struct where *w, const char *sql, int64_t n)
{
	buf_adds(&w->sql, sql);
	w->binds[w->n++] = (struct bind){.number = n};
}

static void bind_text(struct where *w, const char *column, struct str text)
{
	if (!text.len)
		return;
	buf_addf(&w->sql, " AND %s=(SELECT k FROM s WHERE v=?)", column);
	w->binds[w->n++] = (struct bind){.text = text};
}

/* Partial indexes are used when their condition stands in the query. */
static void where_outcomes(struct where *w, unsigned outcomes)
{
	const char *before = " AND outcome IN (";

	if (!outcomes)
		return;
	for (int i = 0; i < OUTCOMES; i++)
		if (outcomes & 1u << i) {
			buf_addf(&w->sql, "%s%d", before, i);
			before = ",";
		}
	buf_addc(&w->sql, ')');
	if (!(outcomes & 1u << OUTCOME_ALLOW))
		buf_adds(&w->sql, " AND outcome<>1");
}

static void where_path(struct where *w, struct str path)
{
	if (!is_glob(path)) {
		bind_text(w, "path", path);
		return;
	}
	buf_adds(&w->sql,
		" AND path IN (SELECT k FROM s WHERE path_glob(?, v))");
	w->binds[w->n++] = (struct bind){.text = path};
}

static void where_dimension(
	struct where *w, const struct index_file *of, const struct dimension *d)
{
	int at = index_column(of->names, of->nnames, d->name);
	char column[8];

	if (at < 0) { /* no event of the day has it */
		buf_adds(&w->sql, " AND 0");
		return;
	}
	snprintf(column, sizeof(column), "d%d", at & 7);
	bind_text(w, column, d->pointer);
	if (!d->pointer.len) /* the empty string */
		buf_addf(&w->sql, " AND %s=(SELECT k FROM s WHERE v=x'')",
			column);
}

static void where_write(
	const struct query *q, const struct index_file *of, struct where *w)
{
	const struct decision_filter *f = &q->f;

	bind_number(w, "SELECT ts, n FROM d WHERE ts>=?", f->from);
	bind_number(w, " AND ts<?", f->to);
	bind_number(w, " AND n<?", (int64_t)f->end);
	if (f->first) {
		bind_number(w, " AND (ts>?", f->from);
		bind_number(w, " OR n>=?)", (int64_t)f->first);
	}
	if (q->without)
		bind_number(w, " AND flags & ? = 0", q->without);
	where_outcomes(w, f->outcomes);
	where_path(w, f->path);
	bind_text(w, "rev", f->revision);
	bind_text(w, "target", f->target);
	bind_text(w, "cohort", f->cohort);
	for (size_t i = 0; i < f->nwhere; i++)
		where_dimension(w, of, &f->where[i]);
	if (f->most)
		bind_number(w, " ORDER BY ts, n LIMIT ?", (int64_t)f->most);
}

static void sql_glob(sqlite3_context *c, int n, sqlite3_value **args)
{
	struct str glob = {sqlite3_value_blob(args[0]),
		(size_t)sqlite3_value_bytes(args[0])};
	struct str path = {sqlite3_value_blob(args[1]),
		(size_t)sqlite3_value_bytes(args[1])};

	(void)n;
	if (!path.ptr)
		path = S("");
	sqlite3_result_int(c, glob_path(glob, path));
}

static void bind_all(sqlite3_stmt *s, const struct where *w)
{
	for (int i = 0; i < w->n; i++) {
		const struct bind *b = &w->binds[i];

		if (b->text.ptr)
			sqlite3_bind_blob64(s, i + 1, b->text.ptr, b->text.len,
				SQLITE_STATIC);
		else
			sqlite3_bind_int64(s, i + 1, b->number);
	}
}

enum status query_select(
	sqlite3 *db, const struct where *w, struct keys *k, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int code = SQLITE_ROW;
	enum status st;

	sqlite3_create_function(db, "path_glob", 2,
		SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, sql_glob, NULL, NULL);
	st = sql_prepare(db, w->sql.ptr, &s, e);
	if (!st)
		bind_all(s, w);
	while (!st && (code = sqlite3_step(s)) == SQLITE_ROW)
		keys_add(k, sqlite3_column_int64(s, 0),
			(uint64_t)sqlite3_column_int64(s, 1));
	if (!st && code != SQLITE_DONE)
		st = sql_fail(db, "reading", e);
	sqlite3_finalize(s);
	return st;
}

/* A file has eight columns for dimensions; of the others it knows nothing. */
static bool knows(
	const struct index_file *file, const struct decision_filter *f)
{
	for (size_t i = 0; file->nnames == DIMENSIONS && i < f->nwhere; i++)
		if (index_column(file->names, file->nnames, f->where[i].name) <
			0)
			return false;
	return true;
}

static enum status scan_day(struct query *q, int64_t day, query_row *call,
	void *user, struct err *e)
{
	struct decision_filter all = q->f;
	uint64_t at = 0;
	enum status st;

	if (q->f.from < day * NS_PER_DAY) {
		q->f.from = day * NS_PER_DAY;
		q->f.first = 0;
	}
	if (q->f.to > (day + 1) * NS_PER_DAY)
		q->f.to = (day + 1) * NS_PER_DAY;
	st = query_each(q, &at, call, user, e);
	q->f = all;
	return st;
}

static enum status day_keys(
	struct query *q, int64_t day, struct keys *k, struct err *e)
{
	struct where w = {0};
	struct index_file f;
	enum status st = store_index_open(q->d, day, &f, e);

	if (!st && f.db && !knows(&f, &q->f)) {
		st = scan_day(q, day, query_add_key, k, e);
	} else if (!st && f.db) {
		where_write(q, &f, &w);
		st = query_select(f.db, &w, k, e);
		buf_release(&w.sql);
	}
	index_file_close(&f);
	return st;
}

/* --- rows ---------------------------------------------------------------- */

enum { TOGETHER = 4096 }; /* rows that are read in the order of numbers */

/* Rows that are shown one after the other, and what was read for them. */
struct together {
	struct arena arena;
	const struct key *keys;
	uint32_t order[TOGETHER]; /* by number */
	struct record records[TOGETHER];
	bool read[TOGETHER];
	size_t n;
};

static int compare_numbers(const void *a, const void *b, void *user)
{
	const struct key *keys = user;
	uint64_t x = keys[*(const uint32_t *)a].number;
	uint64_t y = keys[*(const uint32_t *)b].number;

	return (x > y) - (x < y);
}

static enum status no_event(uint64_t number, struct err *e)
{
	return err_set(e, E_INVALID,
		"the index says of event %llu what it is not: "
		"`regatta decisions rebuild` makes it again",
		(unsigned long long)number);
}

static enum status read_event(
	struct query *q, const struct key *k, struct record *out, struct err *e)
{
	bool found;
	enum status st = reader_at(&q->reader, k->number, out, &found, e);

	return !st && !found ? no_event(k->number, e) : st;
}

static void keep_record(struct arena *a, struct record *r)
{
	r->bytes = arena_str(a, r->bytes);
	r->target = arena_str(a, r->target);
	r->cohort = arena_str(a, r->cohort);
	r->note = arena_str(a, r->note);
}

/*
 * By time, events of many agents come from as many blocks, and each block is
 * unpacked whole: so they are read by number, as far as memory allows.
 */
static enum status read_together(
	struct query *q, struct together *t, struct err *e)
{
	enum status st = OK;

	arena_reset(&t->arena);
	for (uint32_t i = 0; i < t->n; i++) {
		t->order[i] = i;
		t->read[i] = false;
	}
	qsort_r(t->order, t->n, sizeof(*t->order), compare_numbers,
		(void *)(uintptr_t)t->keys);
	for (size_t i = 0; i < t->n && !st && t->arena.used < MIB(64); i++) {
		uint32_t k = t->order[i];

		st = read_event(q, &t->keys[k], &t->records[k], e);
		if (st)
			break;
		keep_record(&t->arena, &t->records[k]);
		t->read[k] = true;
	}
	return st;
}

static enum status show_one(struct query *q, struct together *t, size_t i,
	struct show *s, struct err *e)
{
	const struct key *k = &t->keys[i];
	struct decision_row row;
	enum status st = OK;

	arena_reset(&q->row);
	if (!t->read[i])
		st = read_event(q, k, &t->records[i], e);
	if (!st)
		st = row_of(q, &t->records[i], k->number, &row, e);
	if (!st && (row.event.time != k->time || !fits(q, &row)))
		st = no_event(k->number, e);
	if (!st)
		s->stopped = !s->visit(s->user, &row) || ++s->n == s->most;
	return st;
}

enum status query_show(
	struct query *q, struct keys *k, struct show *s, struct err *e)
{
	struct together *t;
	enum status st = OK;

	keys_sort(k);
	if (s->most && k->n > s->most - s->n)
		k->n = s->most - s->n;
	if (!k->n)
		return OK;
	t = calloc(1, sizeof(*t));
	if (!t)
		die("out of memory: rows");
	for (size_t at = 0; at < k->n && !st && !s->stopped; at += t->n) {
		t->keys = k->items + at;
		t->n = k->n - at < TOGETHER ? k->n - at : TOGETHER;
		st = read_together(q, t, e);
		for (size_t i = 0; i < t->n && !st && !s->stopped; i++)
			st = show_one(q, t, i, s, e);
	}
	arena_release(&t->arena);
	free(t);
	return st;
}

/* The keys of one day, which are the next in `tail`. */
static size_t take_day(
	const struct keys *tail, size_t at, int64_t day, struct keys *k)
{
	for (; at < tail->n && day_of(tail->items[at].time) == day; at++)
		keys_add(k, tail->items[at].time, tail->items[at].number);
	return at;
}

/* Day by day, so that no more than the keys of one are in memory. */
static enum status query_days(struct query *q, const int64_t *days, size_t n,
	const struct keys *tail, struct show *s, struct err *e)
{
	struct keys k = {0};
	size_t i = 0, at = 0;
	enum status st = OK;

	while (!st && !s->stopped && (i < n || at < tail->n)) {
		int64_t day =
			at < tail->n ? day_of(tail->items[at].time) : INT64_MAX;
		bool indexed = i < n && days[i] <= day;

		day = indexed ? days[i] : day;
		k.n = 0;
		if (indexed && day >= day_of(q->f.from) &&
			day <= day_of(q->f.to - 1))
			st = day_keys(q, day, &k, e);
		i += indexed;
		at = take_day(tail, at, day, &k);
		if (!st)
			st = query_show(q, &k, s, e);
	}
	free(k.items);
	return st;
}

static enum status query_index(struct query *q, struct show *s, struct err *e)
{
	struct arena a = {0};
	struct keys tail = {0};
	int64_t *days = NULL;
	size_t n = 0;
	enum status st = OK;

	if (q->f.from < q->f.to)
		st = index_days(q->d->c.fs, q->d->index_dir, &a, &days, &n, e);
	if (!st)
		st = query_scan(q, q->position, &tail, e);
	keys_sort(&tail);
	if (!st)
		st = query_days(q, days, n, &tail, s, e);
	free(tail.items);
	arena_release(&a);
	return st;
}

enum status decisions_query(struct decisions *d,
	const struct decision_filter *f, bool by_scan, decision_visit *visit,
	void *user, struct err *e)
{
	struct show s = {.visit = visit, .user = user, .most = f->most};
	struct keys k = {0};
	struct query q;
	enum status st = query_begin(&q, d, f, e);

	if (!st && by_scan) {
		st = query_scan(&q, 0, &k, e);
		if (!st)
			st = query_show(&q, &k, &s, e);
	} else if (!st) {
		st = query_index(&q, &s, e);
	}
	free(k.items);
	query_end(&q);
	return st;
}
