/* What is known of targets, and whether they are where they should be. */
#include "base/clock.h"
#include "base/map.h"
#include "canary/internal.h"
#include "canary/shape.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* --- as rows -------------------------------------------------------------- */

/* clang-format off */
static const struct shape_field label_fields[] = {
	F_STR(label, "key", key),
	F_STR(label, "value", value),
};
static const struct shape label_shape = SHAPE(label, label_fields);

static const struct shape_field target_fields[] = {
	F_STR(target, "id", id),
	F_LIST(target, "labels", labels, nlabels, TARGET_LABELS_MAX, label_shape),
	F_INT(target, "first_ns", first_ns),
	F_INT(target, "last_poll_ns", last_poll_ns),
	F_INT(target, "period_ns", period_ns),
	F_STR(target, "offered", offered),
	F_STR(target, "active", active),
	F_INT(target, "offered_ns", offered_ns),
	F_INT(target, "active_ns", active_ns),
	F_INT(target, "status_ns", status_ns),
	F_STR(target, "revision", revision),
	F_STR(target, "error", error),
	F_STR(target, "version", version),
	F_STR(target, "log_error", log_error),
};
static const struct shape target_shape = SHAPE(target, target_fields);
/* clang-format on */

static enum status read_target(
	struct str text, struct arena *a, struct target *out, struct err *e)
{
	enum status st = shape_parse(&target_shape, text, a, out, e);

	if (st)
		err_wrap(e, "a target's record");
	return st;
}

enum status state_targets(struct state *s, struct str bundle, struct arena *a,
	struct target **out, size_t *n, struct err *e)
{
	struct db_rows r;
	struct target *list = NULL;
	uint32_t len = 0, cap = 0;
	enum status st = db_query(&r, s->db,
		"SELECT record FROM targets WHERE bundle = ? ORDER BY id",
		DB(DB_TEXT(bundle)), e);

	while (!st && db_next(&r, &st, e)) {
		list = arena_grow(a, list, len, &cap, sizeof(*list));
		st = read_target(db_text(&r, 0), a, &list[len++], e);
	}
	db_end(&r);
	if (!st) {
		*out = list;
		*n = len;
	}
	return st;
}

bool target_lost(const struct target *t, int64_t now_ns)
{
	int64_t patience = 3 * 60 * NS_PER_S;

	if (3 * t->period_ns > patience)
		patience = 3 * t->period_ns;
	return now_ns - t->last_poll_ns > patience;
}

/* --- two bundles ---------------------------------------------------------- */

static enum status share_a_target(struct state *s, struct str x, struct str y,
	int64_t now_ns, struct arena *a, bool *out, struct err *e)
{
	struct db_rows r;
	struct target in_x, in_y;
	enum status st = db_query(&r, s->db,
		"SELECT x.record, y.record FROM targets x JOIN targets y"
		" ON y.id = x.id WHERE x.bundle = ? AND y.bundle = ?",
		DB(DB_TEXT(x), DB_TEXT(y)), e);

	*out = false;
	while (!st && !*out && db_next(&r, &st, e)) {
		st = read_target(db_text(&r, 0), a, &in_x, e);
		if (!st)
			st = read_target(db_text(&r, 1), a, &in_y, e);
		*out = !st && !target_lost(&in_x, now_ns) &&
		       !target_lost(&in_y, now_ns);
	}
	db_end(&r);
	return st;
}

enum status state_overlap(struct state *s, struct str bundle, int64_t now_ns,
	struct arena *a, struct str *out, struct err *e)
{
	struct channel *list;
	size_t n;
	bool shared = false;
	enum status st = state_channels(s, a, &list, &n, e);

	*out = (struct str){0};
	for (size_t i = 0; !st && !shared && i < n; i++) {
		if (!channel_busy(list[i].state) ||
			str_eq(list[i].bundle, bundle))
			continue;
		st = share_a_target(
			s, bundle, list[i].bundle, now_ns, a, &shared, e);
		if (shared)
			*out = list[i].bundle;
	}
	return st;
}

/* --- the book ------------------------------------------------------------- */

/* One target; each string in it has its own memory. */
struct entry {
	struct target t;
	char *key; /* bundle NUL id */
	size_t bundle_len;
	bool dirty;
};

struct target_book {
	pthread_mutex_t lock;
	pthread_mutex_t writing; /* else an older record could come last */
	struct map entries;
	size_t max;
};

struct target_book *target_book_new(size_t max)
{
	struct target_book *b = calloc(1, sizeof(*b));

	if (!b)
		die("out of memory: targets");
	b->max = max ? max : TARGETS_MAX;
	pthread_mutex_init(&b->lock, NULL);
	pthread_mutex_init(&b->writing, NULL);
	return b;
}

static void drop(struct str *s)
{
	free((void *)(uintptr_t)s->ptr);
	*s = (struct str){0};
}

/* Same text: same memory. What is kept can be written as it is: UTF-8. */
static bool keep(struct str *to, struct str from)
{
	char *copy;

	if (from.len > CHANNEL_TEXT_MAX)
		from.len = CHANNEL_TEXT_MAX;
	if (!utf8_valid(from.ptr, from.len))
		from = S("");
	if (str_eq(*to, from))
		return false;
	drop(to);
	if (!from.len)
		return true;
	copy = malloc(from.len);
	if (!copy)
		die("out of memory: targets");
	memcpy(copy, from.ptr, from.len);
	*to = str_make(copy, from.len);
	return true;
}

static void drop_labels(struct target *t)
{
	for (uint32_t i = 0; i < t->nlabels; i++) {
		drop(&t->labels[i].key);
		drop(&t->labels[i].value);
	}
	free(t->labels);
	t->labels = NULL;
	t->nlabels = 0;
}

static bool same_labels(
	const struct target *t, const struct label *labels, size_t n)
{
	if (t->nlabels != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!str_eq(t->labels[i].key, labels[i].key) ||
			!str_eq(t->labels[i].value, labels[i].value))
			return false;
	return true;
}

static void keep_labels(struct target *t, const struct label *labels, size_t n)
{
	if (n > TARGET_LABELS_MAX)
		n = TARGET_LABELS_MAX;
	if (same_labels(t, labels, n))
		return;
	drop_labels(t);
	t->labels = calloc(n + 1, sizeof(*t->labels));
	if (!t->labels)
		die("out of memory: targets");
	for (size_t i = 0; i < n; i++) {
		keep(&t->labels[i].key, labels[i].key);
		keep(&t->labels[i].value, labels[i].value);
	}
	t->nlabels = (uint32_t)n;
}

static void free_entry(struct entry *x)
{
	drop_labels(&x->t);
	drop(&x->t.offered);
	drop(&x->t.active);
	drop(&x->t.revision);
	drop(&x->t.error);
	drop(&x->t.version);
	drop(&x->t.log_error);
	free(x->key);
	free(x);
}

void target_book_free(struct target_book *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->entries.len; i++)
		free_entry(b->entries.entries[i].value);
	map_release(&b->entries);
	pthread_mutex_destroy(&b->lock);
	pthread_mutex_destroy(&b->writing);
	free(b);
}

static struct entry *new_entry(
	struct target_book *b, struct str bundle, struct str key)
{
	struct entry *x = calloc(1, sizeof(*x));

	if (!x || !(x->key = malloc(key.len)))
		die("out of memory: targets");
	memcpy(x->key, key.ptr, key.len);
	x->bundle_len = bundle.len;
	x->t.id = str_make(x->key + bundle.len + 1, key.len - bundle.len - 1);
	map_set(&b->entries, str_make(x->key, key.len), x);
	return x;
}

/* NULL: nobody, or one too many. With the lock held. */
static struct entry *entry_of(
	struct target_book *b, struct str bundle, struct str id, bool make)
{
	struct buf key = {0};
	struct entry *x;

	if (!id.len || !utf8_valid(id.ptr, id.len) ||
		bundle.len + id.len > CHANNEL_TEXT_MAX)
		return NULL;
	buf_addstr(&key, bundle);
	buf_addc(&key, 0);
	buf_addstr(&key, id);
	x = map_get(&b->entries, buf_str(&key));
	if (!x && make && b->entries.len < b->max)
		x = new_entry(b, bundle, buf_str(&key));
	buf_release(&key);
	return x;
}

/* A quarter of the newest gap, so that one long wait does not hide a loss. */
static int64_t smooth(int64_t period, int64_t gap)
{
	return period ? period + (gap - period) / 4 : gap;
}

static void note_poll(struct target *t, int64_t now_ns)
{
	if (t->last_poll_ns && now_ns > t->last_poll_ns)
		t->period_ns = smooth(t->period_ns, now_ns - t->last_poll_ns);
	t->last_poll_ns = now_ns;
}

void target_polled(
	struct target_book *b, const struct target_poll *p, int64_t now_ns)
{
	struct entry *x;
	struct target *t;

	pthread_mutex_lock(&b->lock);
	x = entry_of(b, p->bundle, p->id, true);
	if (x) {
		t = &x->t;
		if (!t->first_ns)
			t->first_ns = now_ns;
		if (!p->again)
			note_poll(t, now_ns);
		if (keep(&t->active, p->active))
			t->active_ns = now_ns;
		if (keep(&t->offered, p->offered))
			t->offered_ns = now_ns;
		if (p->nlabels)
			keep_labels(t, p->labels, p->nlabels);
		x->dirty = true;
	}
	pthread_mutex_unlock(&b->lock);
}

void target_labels(struct target_book *b, struct str bundle, struct str id,
	void (*use)(void *user, const struct label *labels, size_t n),
	void *user)
{
	struct entry *x;

	pthread_mutex_lock(&b->lock);
	x = entry_of(b, bundle, id, false);
	if (x)
		use(user, x->t.labels, x->t.nlabels);
	pthread_mutex_unlock(&b->lock);
}

void target_reported(
	struct target_book *b, const struct target_report *r, int64_t now_ns)
{
	struct entry *x;

	pthread_mutex_lock(&b->lock);
	x = entry_of(b, r->bundle, r->id, true);
	if (x) {
		if (!x->t.first_ns)
			x->t.first_ns = now_ns;
		x->t.status_ns = now_ns;
		keep(&x->t.revision, r->revision);
		keep(&x->t.error, r->error);
		keep(&x->t.version, r->version);
		keep(&x->t.log_error, r->log_error);
		if (r->nlabels)
			keep_labels(&x->t, r->labels, r->nlabels);
		x->dirty = true;
	}
	pthread_mutex_unlock(&b->lock);
}

/* --- between book and rows ------------------------------------------------ */

static void copy_in(
	struct target_book *b, struct str bundle, const struct target *from)
{
	struct entry *x = entry_of(b, bundle, from->id, true);
	struct target *t;

	if (!x || x->t.first_ns)
		return;
	t = &x->t;
	t->first_ns = from->first_ns;
	t->last_poll_ns = from->last_poll_ns;
	t->period_ns = from->period_ns;
	t->offered_ns = from->offered_ns;
	t->active_ns = from->active_ns;
	t->status_ns = from->status_ns;
	keep(&t->offered, from->offered);
	keep(&t->active, from->active);
	keep(&t->revision, from->revision);
	keep(&t->error, from->error);
	keep(&t->version, from->version);
	keep(&t->log_error, from->log_error);
	keep_labels(t, from->labels, from->nlabels);
}

enum status target_book_load(
	struct target_book *b, struct state *s, struct err *e)
{
	struct arena a = {0};
	struct target t;
	struct db_rows r;
	enum status st = db_query(
		&r, s->db, "SELECT bundle, record FROM targets", DB_NONE, e);

	pthread_mutex_lock(&b->lock);
	while (!st && db_next(&r, &st, e)) {
		arena_reset(&a);
		st = read_target(db_text(&r, 1), &a, &t, e);
		if (!st)
			copy_in(b, db_text(&r, 0), &t);
	}
	pthread_mutex_unlock(&b->lock);
	db_end(&r);
	arena_release(&a);
	return st;
}

/* A row to be written, copied so that polls need not wait for the disk. */
struct pending {
	struct str key; /* as the entry's, in the arena */
	size_t bundle_len;
	struct str text;
};

/* All that is dirty, which it is no longer. */
static struct pending *take_dirty(
	struct target_book *b, struct arena *a, uint32_t *n)
{
	struct pending *list = NULL;
	uint32_t len = 0, cap = 0;
	struct buf text = {0};

	pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < b->entries.len; i++) {
		struct entry *x = b->entries.entries[i].value;

		if (!x->dirty)
			continue;
		x->dirty = false;
		buf_reset(&text);
		shape_write(&target_shape, &x->t, &text);
		list = arena_grow(a, list, len, &cap, sizeof(*list));
		list[len++] = (struct pending){
			arena_str(a, b->entries.entries[i].key), x->bundle_len,
			arena_str(a, buf_str(&text))};
	}
	pthread_mutex_unlock(&b->lock);
	buf_release(&text);
	*n = len;
	return list;
}

static void give_back(
	struct target_book *b, const struct pending *list, uint32_t n)
{
	pthread_mutex_lock(&b->lock);
	for (uint32_t i = 0; i < n; i++)
		((struct entry *)map_get(&b->entries, list[i].key))->dirty =
			true;
	pthread_mutex_unlock(&b->lock);
}

static enum status write_rows(
	struct state *s, const struct pending *list, uint32_t n, struct err *e)
{
	enum status st = db_begin(s->db, e);

	for (uint32_t i = 0; i < n && !st; i++) {
		struct str key = list[i].key;
		size_t at = list[i].bundle_len;

		st = db_run(s->db,
			"INSERT OR REPLACE INTO targets(bundle, id, record)"
			" VALUES(?, ?, ?)",
			DB(DB_TEXT(str_slice(key, 0, at)),
				DB_TEXT(str_slice(key, at + 1, key.len)),
				DB_TEXT(list[i].text)),
			e);
	}
	return db_finish(s->db, st, e);
}

/* What could not be written stays to be written. */
enum status target_book_flush(
	struct target_book *b, struct state *s, struct err *e)
{
	struct arena a = {0};
	struct pending *list;
	enum status st = OK;
	uint32_t n;

	pthread_mutex_lock(&b->writing);
	list = take_dirty(b, &a, &n);
	if (n)
		st = write_rows(s, list, n, e);
	if (st)
		give_back(b, list, n);
	pthread_mutex_unlock(&b->writing);
	arena_release(&a);
	return st;
}

/* --- convergence ---------------------------------------------------------- */

/* clang-format off */
static const char *const places_names[PLACES] = {
	[PLACE_THERE]   = "there",
	[PLACE_WAITING] = "waiting",
	[PLACE_FAILED]  = "failed",
	[PLACE_LOST]    = "lost",
};
/* clang-format on */

const char *target_place_name(enum target_place p)
{
	return places_names[p];
}

static enum target_place place_of(
	const struct target *t, const struct channel_version *want, int64_t now)
{
	/* The tag of a poll is what the agent runs; nothing is newer. */
	if (want && str_eq(t->active, want->digest))
		return PLACE_THERE;
	if (target_lost(t, now))
		return PLACE_LOST;
	if (!want)
		return PLACE_THERE;
	return t->error.len ? PLACE_FAILED : PLACE_WAITING;
}

struct convergence target_converge(const struct channel *c,
	const struct channel_rules *rules, const struct target *targets,
	size_t n, int64_t now_ns, enum target_place *places)
{
	struct convergence sum = {.targets = (uint32_t)n};

	for (size_t i = 0; i < n; i++) {
		const struct target *t = &targets[i];
		struct channel_choice want = channel_choose(
			c, rules, t->id, t->labels, t->nlabels, now_ns);
		enum target_place p = place_of(t, want.version, now_ns);

		sum.at[p]++;
		if (places)
			places[i] = p;
	}
	return sum;
}
