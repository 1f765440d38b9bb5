/* One decision by its id, what is new, and what was none. */
#include "decisions/query.h"

#include <stdlib.h>
#include <string.h>

/* --- by id, and as they come --------------------------------------------- */

static enum status find_id(
	sqlite3 *db, const unsigned char id[16], struct keys *k, struct err *e)
{
	struct where w = {0};
	enum status st;

	buf_adds(&w.sql, "SELECT ts, n FROM d WHERE id=?");
	w.binds[w.n++] = (struct bind){.text = {(const char *)id, 16}};
	st = query_select(db, &w, k, e);
	buf_release(&w.sql);
	return st;
}

struct wanted {
	const unsigned char *id;
	struct keys *keys;
};

static enum status add_if_id(struct query *q, const struct decision_row *row,
	bool *go_on, void *user, struct err *e)
{
	const struct wanted *w = user;

	if (memcmp(row->event.id, w->id, 16) != 0)
		return OK;
	return query_add_key(q, row, go_on, w->keys, e);
}

static enum status find_everywhere(struct query *q, const unsigned char id[16],
	struct keys *k, struct err *e)
{
	struct wanted w = {id, k};
	struct arena a = {0};
	int64_t *days;
	size_t n;
	enum status st = query_each(q, &q->position, add_if_id, &w, e);

	if (!st)
		st = index_days(q->d->c.fs, q->d->index_dir, &a, &days, &n, e);
	for (size_t i = st ? 0 : n; i > 0 && !st; i--) {
		struct index_file f;

		st = store_index_open(q->d, days[i - 1], &f, e);
		if (!st && f.db)
			st = find_id(f.db, id, k, e);
		index_file_close(&f);
	}
	arena_release(&a);
	return st;
}

enum status decisions_show(struct decisions *d, struct str id,
	decision_visit *visit, void *user, struct err *e)
{
	static const struct decision_filter all;
	struct show s = {.visit = visit, .user = user};
	unsigned char wanted[16];
	struct keys k = {0};
	struct query q;
	enum status st = query_begin(&q, d, &all, e);

	decision_id(id, wanted);
	if (!st)
		st = find_everywhere(&q, wanted, &k, e);
	if (!st && !k.n)
		st = err_set(e, E_NOT_FOUND, "no decision %.*s", STR_ARG(id));
	if (!st)
		st = query_show(&q, &k, &s, e);
	free(k.items);
	query_end(&q);
	return st;
}

static enum status show_row(struct query *q, const struct decision_row *row,
	bool *go_on, void *user, struct err *e)
{
	struct show *s = user;

	(void)q, (void)e;
	*go_on = s->visit(s->user, row);
	return OK;
}

enum status decisions_tail(struct decisions *d, const struct decision_filter *f,
	uint64_t *next, decision_visit *visit, void *user, struct err *e)
{
	struct show s = {.visit = visit, .user = user};
	struct query q;
	enum status st = query_begin(&q, d, f, e);

	if (!st)
		st = query_each(&q, next, show_row, &s, e);
	query_end(&q);
	return st;
}

/* Without the lock of its writer, it is counted: heads of blocks say it. */
enum status decisions_end(struct decisions *d, uint64_t *out, struct err *e)
{
	struct record rec;
	struct reader r;
	bool found;
	enum status st = store_reader(d, LOG_EVENTS, &r, e);

	if (st)
		return st;
	*out = r.end;
	if (r.end == UINT64_MAX) {
		st = reader_at(&r, UINT64_MAX - 1, &rec, &found, e);
		*out = r.places.first;
	}
	reader_close(&r);
	return st;
}

/* --- quarantine ---------------------------------------------------------- */

enum status decisions_quarantine(struct decisions *d, int64_t from, int64_t to,
	bool (*visit)(void *user, const struct quarantine_row *r), void *user,
	struct err *e)
{
	struct record rec;
	struct reader r;
	bool go_on = true;
	enum status st = store_reader(d, LOG_QUARANTINE, &r, e);

	if (st)
		return st;
	for (uint64_t n = 0; go_on; n++) {
		struct quarantine_row row = {.number = n};

		st = reader_at(&r, n, &rec, &go_on, e);
		if (st || !go_on)
			break;
		if (rec.received < from || (to && rec.received >= to))
			continue;
		row.received = rec.received;
		row.target = rec.target;
		row.reason = rec.note;
		row.bytes = rec.bytes;
		go_on = visit(user, &row);
	}
	reader_close(&r);
	return st;
}
