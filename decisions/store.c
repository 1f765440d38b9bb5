/*
 * The store: its logs and its index, opened, kept in order and closed.
 *
 * Opening makes what is derived right again, so that the ids of the days that
 * are not sealed can be learned from the index. Locks are taken in this order:
 * `indexing`, `writer`, `lock`; the last one is never held while a log is
 * written.
 */
#include "decisions/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

const char *const log_names[LOGS] = {
	[LOG_EVENTS] = "events",
	[LOG_QUARANTINE] = "quarantine",
	[LOG_COUNTERS] = "counters",
	[LOG_RULES] = "rules",
};

const char *decisions_log_name(enum decisions_log log)
{
	return log_names[log];
}

int64_t day_of(int64_t time)
{
	return time / NS_PER_DAY; /* times are not negative */
}

/* --- days ---------------------------------------------------------------- */

static struct day *day_find(struct decisions *d, int64_t number)
{
	for (size_t i = 0; i < d->ndays; i++)
		if (d->days[i].number == number)
			return &d->days[i];
	return NULL;
}

/* A day that was not seen before has no file, or a sealed one. */
static bool is_sealed(struct decisions *d, int64_t number)
{
	struct index_file f;
	bool sealed = !index_file_open(&f, d->index_dir, number, NULL) &&
		      f.db && f.sealed;

	index_file_close(&f);
	return sealed;
}

struct day *day_get(struct decisions *d, int64_t number)
{
	struct day *day = day_find(d, number);

	if (day)
		return day;
	d->days = reallocarray(d->days, d->ndays + 1, sizeof(*d->days));
	if (!d->days)
		die("out of memory: days");
	day = &d->days[d->ndays++];
	*day = (struct day){.number = number, .sealed = is_sealed(d, number)};
	return day;
}

void day_know(struct decisions *d, int64_t time, const unsigned char id[16],
	uint64_t hash, uint64_t number)
{
	struct day *day = day_get(d, day_of(time));

	ids_add(&day->ids, id, hash);
	day->newest = number + 1;
}

/* --- opening ------------------------------------------------------------- */

enum status store_writes(const struct decisions *d, struct err *e)
{
	if (d->c.read_only)
		return err_set(e, E_DENIED,
			"%s was opened to read: only its writer changes it",
			d->dir);
	return OK;
}

static enum status open_by_files(struct decisions *d, int log, uint64_t end,
	struct reader *r, struct err *e)
{
	struct arena a = {0};
	enum status st = reader_open(r, d->c.fs,
		arena_printf(&a, "%s/%s", d->dir, log_names[log]),
		log_names[log], end, e);

	arena_release(&a);
	return st;
}

enum status store_reader(
	struct decisions *d, int log, struct reader *r, struct err *e)
{
	const struct log *l = &d->logs[log];
	enum status st;

	if (d->c.read_only)
		return open_by_files(d, log, UINT64_MAX, r, e);
	pthread_mutex_lock(&d->writer);
	if (l->unsure) /* where blocks are has to be seen */
		st = open_by_files(d, log, log_size(l), r, e);
	else
		st = reader_open_log(r, l, e);
	pthread_mutex_unlock(&d->writer);
	return st;
}

enum status store_index_open(
	struct decisions *d, int64_t day, struct index_file *f, struct err *e)
{
	enum status st;

	pthread_mutex_lock(&d->lock);
	st = index_file_open(f, d->index_dir, day, e);
	pthread_mutex_unlock(&d->lock);
	return st;
}

int64_t event_time(const struct record *r)
{
	struct arena a = {0};
	struct decision ev = {0};
	enum status st = decision_parse(r->bytes, NULL, &a, &ev, NULL);

	arena_release(&a);
	return st ? r->received : ev.time;
}

/* One writer; the system lets go of the lock when the process ends. */
static enum status take_lock(struct decisions *d, struct err *e)
{
	const char *path = arena_printf(&d->arena, "%s/lock", d->dir);
	enum status st = fs_open(&d->lock_file, d->c.fs, path, true, 0640, e);

	if (st)
		return st;
	if (flock(d->lock_file.fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, E_CONFLICT,
			"another process writes to %s, and one at a time may: "
			"where that is a server, commands reach it by "
			"themselves",
			d->dir);
	return OK;
}

static enum status is_there(
	struct decisions *d, const char *name, bool *there, struct err *e)
{
	struct fs_info info = {0};
	enum status st = fs_stat(d->c.fs,
		arena_printf(&d->arena, "%s/%s", d->dir, name), &info, e);

	*there = !st && info.kind != FS_NONE;
	return st;
}

/*
 * Logs are made in their order, and the index behind them: one that is not
 * there, with one of those behind it, is gone. A new one would cover that up.
 */
static enum status none_is_gone(struct decisions *d, struct err *e)
{
	const char *gone = NULL, *name = NULL;
	bool there = false;
	enum status st = OK;

	for (int i = 0; i <= LOGS && !st; i++) {
		name = i < LOGS ? log_names[i] : "index";
		st = is_there(d, name, &there, e);
		if (!there && !gone)
			gone = name;
		else if (there && gone && !st)
			return err_set(e, E_INVALID,
				"%s/%s is gone, and %s/%s is there: put it "
				"back from a backup",
				d->dir, gone, d->dir, name);
	}
	return st;
}

static enum status open_logs(struct decisions *d, struct err *e)
{
	enum status st = none_is_gone(d, e);

	for (int i = 0; i < LOGS && !st; i++) {
		const char *dir =
			arena_printf(&d->arena, "%s/%s", d->dir, log_names[i]);

		st = log_open(&d->logs[i], d->c.fs, dir, log_names[i],
			i == LOG_EVENTS ? event_time : NULL, e);
		d->durable[i] = st ? 0 : log_size(&d->logs[i]);
	}
	d->next = d->durable[LOG_EVENTS];
	/* The folders may be new. */
	if (!st)
		st = fs_sync_dir(d->c.fs, d->dir, e);
	if (!st)
		st = fs_sync_dir(d->c.fs, d->c.dir, e);
	return st;
}

/* Days that segments have events of, each looked at once. */
struct days {
	bool *some;
	size_t n;
};

static void mark_days(struct days *all, int64_t min, int64_t max)
{
	size_t from = (size_t)day_of(min < 0 ? 0 : min);
	size_t to = (size_t)day_of(max < 0 ? 0 : max) + 1;

	if (to > all->n) {
		all->some = reallocarray(all->some, to, sizeof(*all->some));
		if (!all->some)
			die("out of memory: days");
		memset(all->some + all->n, 0, to - all->n);
		all->n = to;
	}
	for (size_t i = from; i < to; i++)
		all->some[i] = true;
}

/* Every day that the log has events of has a file that can be used. */
static enum status mend_days(struct decisions *d, struct reader *r,
	const struct days *days, struct err *e)
{
	enum status st = OK;

	for (size_t i = 0; i < days->n && !st; i++)
		if (days->some[i])
			st = index_mend_day(&d->index, (int64_t)i, r, e);
	return st;
}

static enum status mend_index(
	struct decisions *d, struct reader *r, struct err *e)
{
	const struct log *l = &d->logs[LOG_EVENTS];
	struct days days = {0};
	enum status st =
		index_position(d->c.fs, d->index_dir, &d->index.position, e);

	if (!st && d->index.position > log_size(l))
		st = index_drop(&d->index, e);
	for (uint32_t i = 0; i < l->manifest.n; i++) {
		const struct segment *s = &l->manifest.segments[i];

		if (s->first < d->index.position)
			mark_days(&days, s->min, s->max);
	}
	if (l->first < d->index.position && l->min <= l->max)
		mark_days(&days, l->min, l->max);
	if (!st)
		st = mend_days(d, r, &days, e);
	free(days.some);
	return st ? st : index_sync(&d->index, r, e);
}

static enum status learn_day(struct decisions *d, int64_t number, struct err *e)
{
	struct day *day = day_get(d, number);
	struct index_file f;
	enum status st = OK;

	if (day->sealed)
		return OK;
	st = index_file_open(&f, d->index_dir, number, e);
	if (!st && f.db)
		st = index_ids(&f, &day->ids, e);
	day->newest = log_size(&d->logs[LOG_EVENTS]);
	index_file_close(&f);
	return st;
}

/* With the index up to date, the ids of days that are not sealed. */
static enum status learn_events(struct decisions *d, struct err *e)
{
	struct arena a = {0};
	struct reader r;
	int64_t *days;
	size_t n = 0;
	enum status st = store_reader(d, LOG_EVENTS, &r, e);

	if (st)
		return st;
	st = mend_index(d, &r, e);
	reader_close(&r);
	if (!st)
		st = index_days(d->c.fs, d->index_dir, &a, &days, &n, e);
	for (size_t i = 0; i < n && !st; i++)
		st = learn_day(d, days[i], e);
	arena_release(&a);
	return st;
}

/* What is not kept is not known again: it is counted once more. */
static enum status learn_quarantine(struct decisions *d, struct err *e)
{
	struct record rec;
	struct reader r;
	bool found = true;
	enum status st = store_reader(d, LOG_QUARANTINE, &r, e);

	if (st)
		return st;
	for (uint64_t n = 0; found && !st; n++) {
		struct merkle_hash h;

		st = reader_at(&r, n, &rec, &found, e);
		if (st || !found)
			break;
		digest(DIGEST_SHA256, rec.bytes, h.b);
		ids_add(&d->bad_known, h.b, hash_start(&h));
		d->quarantine_bytes += rec.bytes.len;
	}
	reader_close(&r);
	return st;
}

static enum status open_store(struct decisions *d, struct err *e)
{
	struct fs_info info;
	enum status st;

	if (d->c.read_only) {
		st = fs_stat(d->c.fs, d->dir, &info, e);
		if (!st && info.kind != FS_DIR)
			st = err_set(
				e, E_NOT_FOUND, "no decisions in %s", d->dir);
		return st;
	}
	st = fs_mkdirs(d->c.fs, d->dir, 0750, e);
	if (!st)
		st = take_lock(d, e);
	store_look_at_disk(d);
	if (!st)
		st = open_logs(d, e);
	if (!st)
		st = rules_cover(d, UINT64_MAX, e);
	if (!st)
		st = learn_events(d, e);
	if (!st)
		st = learn_quarantine(d, e);
	return st;
}

static void set_defaults(struct decisions_config *c)
{
	if (!c->origin)
		c->origin = "regatta.local/log";
	if (!c->mark.percent)
		c->mark.percent = DISK_PERCENT;
	if (!c->mark.floor)
		c->mark.floor = MIB(DISK_FLOOR_MIB);
	if (!c->budget)
		c->budget = MIB(64);
	if (!c->canary_budget)
		c->canary_budget = MIB(16);
	if (!c->segment_bytes)
		c->segment_bytes = MIB(64);
	if (!c->segment_ns)
		c->segment_ns = 3600 * NS_PER_S;
	if (!c->checkpoint_ns)
		c->checkpoint_ns = 300 * NS_PER_S;
	if (!c->grace_ns)
		c->grace_ns = 3600 * NS_PER_S;
	if (!c->quarantine_items)
		c->quarantine_items = 1000000;
	if (!c->quarantine_bytes)
		c->quarantine_bytes = MIB(1024);
}

enum status decisions_open(
	struct decisions **out, const struct decisions_config *c, struct err *e)
{
	struct decisions *d = calloc(1, sizeof(*d));
	enum status st;

	if (!d)
		die("out of memory: decisions");
	d->c = *c;
	set_defaults(&d->c);
	d->dir = arena_printf(&d->arena, "%s/decisions", c->dir);
	d->index_dir = arena_printf(&d->arena, "%s/index", d->dir);
	rules_init(&d->rules);
	index_init(&d->index, &d->c, &d->rules, d->index_dir);
	d->lock_file.fd = -1;
	for (int i = 0; i < LOGS; i++)
		d->logs[i].file.fd = -1;
	pthread_mutex_init(&d->indexing, NULL);
	pthread_mutex_init(&d->writer, NULL);
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->changed, NULL);
	st = open_store(d, e);
	if (st)
		decisions_close(d);
	else
		*out = d;
	return st;
}

void decisions_counts(struct decisions *d, struct decisions_counts *out)
{
	pthread_mutex_lock(&d->lock);
	*out = d->counts;
	out->events = d->durable[LOG_EVENTS];
	out->quarantined = d->durable[LOG_QUARANTINE];
	out->in_flight = d->in_flight[0] + d->in_flight[1];
	pthread_mutex_unlock(&d->lock);
}

void decisions_close(struct decisions *d)
{
	if (!d)
		return;
	store_fail_tickets(d);
	for (int i = 0; i < LOGS; i++) {
		log_close(&d->logs[i]);
		pending_release(&d->wait[i]);
		pending_release(&d->work[i]);
	}
	index_close(&d->index);
	for (size_t i = 0; i < d->ndays; i++)
		ids_release(&d->days[i].ids);
	for (int i = 0; i < 2; i++) {
		ids_release(&d->fresh[i]);
		ids_release(&d->bad[i]);
	}
	ids_release(&d->bad_known);
	free(d->days);
	rules_release(&d->rules);
	fs_close(&d->lock_file, NULL);
	pthread_mutex_destroy(&d->indexing);
	pthread_mutex_destroy(&d->writer);
	pthread_mutex_destroy(&d->lock);
	pthread_cond_destroy(&d->changed);
	arena_release(&d->arena);
	free(d);
}
