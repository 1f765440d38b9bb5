/*
 * Is everything as it was written?
 *
 * Verifying trusts nothing that it can make again. Each log is walked block by
 * block; sums, their chain, numbers, the tree and the times are computed, and
 * compared with what the manifest, the checkpoints, the file of hashes and the
 * indexes say. The first thing that does not fit ends it.
 */
#include "decisions/internal.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* --- the index ----------------------------------------------------------- */

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

struct check_index {
	struct check_day *days;
	size_t n;
	uint64_t used; /* the newest of them */
};

struct verify {
	struct decisions *d;
	struct decisions_fault *fault;
	const struct note_key *key;
	struct err *e;
	/* Of the log that is walked. */
	int log;
	const char *dir, *name;
	struct arena arena;
	struct manifest manifest;
	struct tree tree;
	struct merkle_hash head;
	struct block block;
	uint64_t end;      /* durable events */
	uint64_t position; /* the indexes have what is before it */
	struct buf checkpoints;
	size_t checkpoint_at;
	uint64_t checkpoint_size; /* of the next one to be reached */
	struct merkle_hash checkpoint_root;
	bool checkpoint_left;
	uint64_t held_size; /* 0: none */
	struct merkle_hash held_root;
	uint32_t torn_seq; /* the open segment has an end that is no block */
	uint64_t torn_at;
	struct check_index index;
	struct arena row;
};

static void at_file(struct verify *v, uint64_t offset, uint64_t event,
	const char *fmt, ...) PRINTF(4, 5);

static void at_file(
	struct verify *v, uint64_t offset, uint64_t event, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->fault->file, sizeof(v->fault->file), fmt, ap);
	va_end(ap);
	v->fault->offset = offset;
	v->fault->event = event;
}

static enum status bad_day(struct verify *v, const struct check_day *c,
	uint64_t event, const char *why)
{
	char name[16];

	day_name(c->day, name);
	at_file(v, 0, event, "index/%s.db", name);
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
		at_file(v, 0, UINT64_MAX, "index/%s.db", name);
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

/* Whether outcomes can be compared: with the rules it was made with. */
static bool same_map(const struct verify *v, const struct check_day *c)
{
	const struct outcome_map *m = v->d->c.map;

	return !strcmp(c->file.map, m ? m->digest : "");
}

static bool row_fits(const struct verify *v, const struct check_day *c,
	const struct index_row *row)
{
	const struct str strings[] = {
		row->path, row->revision, row->target, row->cohort};
	sqlite3_stmt *q = c->row;
	bool ok = column_is(q, 0, (struct str){(const char *)row->id, 16}) &&
		  is_number(q, 1, (int64_t)row->hash) &&
		  is_number(q, 2, row->time) &&
		  is_number(q, 3, row->received) &&
		  is_number(q, 4, row->latency) && is_number(q, 6, row->flags);

	for (int i = 0; i < 4; i++)
		ok = ok && column_is(q, 7 + i, strings[i]);
	if (!same_map(v, c))
		return ok;
	for (int i = 0; i < DIMENSIONS; i++)
		ok = ok && column_is(q, 11 + i, row->dimensions[i]);
	return ok && is_number(q, 5, row->outcome);
}

static enum status check_row(
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
		st = get_check(v, day_of(ev.time), &c);
	if (st)
		return st;
	if (!c->there && number < v->position)
		return bad_day(v, c, number, "the file is gone");
	if (number >= c->position)
		return OK;
	index_row_of(v->d->c.map, r, &ev, number, &v->row, &row);
	c->rows++;
	sqlite3_bind_int64(c->row, 1, (int64_t)number);
	found = sqlite3_step(c->row) == SQLITE_ROW;
	fits = found && row_fits(v, c, &row);
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
static enum status check_files(struct verify *v)
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

static void release_index(struct check_index *ix)
{
	for (size_t i = 0; i < ix->n; i++)
		close_check(&ix->days[i]);
	free(ix->days);
	*ix = (struct check_index){0};
}

/* --- checkpoints --------------------------------------------------------- */

static enum status bad_checkpoint(struct verify *v, const char *why)
{
	at_file(v, v->checkpoint_at, UINT64_MAX, "%s/checkpoints", v->name);
	return err_set(v->e, E_INVALID, "%s/checkpoints: byte %zu: %s", v->name,
		v->checkpoint_at, why);
}

static enum status read_checkpoint(
	struct verify *v, struct str note, struct checkpoint *c)
{
	struct str text = str_slice(note, 0, str_find(note, S("\n\n"), 0) + 1);
	enum status st = OK;

	if (v->key)
		st = note_verify(v->key, note, &text, v->e);
	return st ? st : checkpoint_parse(text, c, v->e);
}

/* The next one to be reached by the walk; sizes grow. */
static enum status next_checkpoint(struct verify *v)
{
	size_t at = v->checkpoint_at;
	struct checkpoint c = {0};
	struct str note;
	enum status st;

	v->checkpoint_left =
		checkpoint_next(buf_str(&v->checkpoints), &at, &note);
	if (!v->checkpoint_left)
		return OK;
	st = read_checkpoint(v, note, &c);
	if (st) {
		at_file(v, v->checkpoint_at, UINT64_MAX, "%s/checkpoints",
			v->name);
		err_wrap(v->e, "%s/checkpoints: byte %zu", v->name,
			v->checkpoint_at);
		return E_INVALID;
	}
	if (c.size < v->checkpoint_size)
		return bad_checkpoint(v, "it is smaller than the one before");
	v->checkpoint_size = c.size;
	v->checkpoint_root = c.root;
	return OK;
}

/* After each event: what was signed of a log of this size. */
static enum status reach(struct verify *v)
{
	uint64_t size = tree_size(&v->tree);
	enum status st = OK;

	while (!st && v->checkpoint_left && v->checkpoint_size == size) {
		struct merkle_hash root = tree_root(&v->tree);
		size_t at = v->checkpoint_at;
		struct str note;

		if (!merkle_equal(&root, &v->checkpoint_root))
			return bad_checkpoint(
				v, "the events before it have another root");
		checkpoint_next(buf_str(&v->checkpoints), &at, &note);
		v->checkpoint_at = at;
		st = next_checkpoint(v);
	}
	if (!st && v->held_size == size && size) {
		struct merkle_hash root = tree_root(&v->tree);

		if (!merkle_equal(&root, &v->held_root)) {
			at_file(v, 0, UINT64_MAX, "%s", v->name);
			st = err_set(v->e, E_INVALID,
				"%s: the first %llu events have another root "
				"than the checkpoint that was kept",
				v->name, (unsigned long long)size);
		}
	}
	return st;
}

/* --- segments ------------------------------------------------------------ */

static void at_block(struct verify *v, uint32_t seq, uint64_t offset)
{
	at_file(v, offset, tree_size(&v->tree), "%s/%08u.seg", v->name, seq);
}

static enum status bad_block(
	struct verify *v, uint32_t seq, uint64_t offset, const char *why)
{
	at_block(v, seq, offset);
	return err_set(v->e, E_INVALID,
		"%s/%08u.seg: byte %llu: event %llu: %s", v->name, seq,
		(unsigned long long)offset,
		(unsigned long long)tree_size(&v->tree), why);
}

/* What block_read() said, which knows the byte. */
static enum status unreadable(struct verify *v, uint32_t seq, uint64_t offset)
{
	at_block(v, seq, offset);
	err_wrap(v->e, "event %llu", (unsigned long long)tree_size(&v->tree));
	return E_INVALID;
}

static enum status check_block(struct verify *v, struct segment *got)
{
	const struct block *b = &v->block;
	enum status st = OK;

	if (b->head.first != tree_size(&v->tree))
		return bad_block(v, got->seq, got->bytes,
			"the block is numbered otherwise");
	if (!merkle_equal(&b->head.prev, &v->head))
		return bad_block(v, got->seq, got->bytes,
			"the block before it is another");
	for (uint32_t i = 0; i < b->head.count && !st; i++) {
		const struct record *r = &b->records[i];
		struct merkle_hash leaf = record_leaf(r);
		bool events = v->log == LOG_EVENTS;
		int64_t time = events ? event_time(r) : r->received;

		if (events)
			st = check_row(v, r, tree_size(&v->tree));
		tree_add(&v->tree, &leaf);
		got->min = time < got->min ? time : got->min;
		got->max = time > got->max ? time : got->max;
		if (!st)
			st = reach(v);
	}
	v->head = b->head.sum;
	got->count += b->head.count;
	got->bytes += b->head.size;
	return st;
}

static const char *differs(
	const struct segment *got, const struct segment *said)
{
	if (got->bytes != said->bytes || got->count != said->count)
		return "the manifest says that it is longer or shorter";
	if (!merkle_equal(&got->head, &said->head))
		return "the manifest has another sum for its last block";
	if (!merkle_equal(&got->root, &said->root))
		return "the manifest has another root";
	if (got->min != said->min || got->max != said->max)
		return "the manifest has other times";
	return NULL;
}

/* In the open segment, what is behind the last whole commit does not count. */
static enum status end_of_open(
	struct verify *v, const struct fs_file *f, const struct segment *got)
{
	uint64_t commit;
	enum status st;

	if (tree_size(&v->tree) >= v->end && v->end != UINT64_MAX)
		return OK;
	if (v->end != UINT64_MAX)
		return unreadable(v, got->seq, got->bytes);
	st = later_commit(f, got->bytes, &commit, v->e);
	if (!st && commit == UINT64_MAX) {
		v->torn_seq = got->seq;
		v->torn_at = got->bytes;
	}
	if (st || commit == UINT64_MAX)
		return st;
	return bad_block(
		v, got->seq, got->bytes, "damaged, with a commit behind it");
}

static enum status walk_blocks(struct verify *v, const struct fs_file *f,
	const struct segment *said, struct segment *got)
{
	enum status st = OK;

	while (!st && tree_size(&v->tree) < v->end &&
		(!said || got->bytes < said->bytes)) {
		st = block_read(f, got->bytes, &v->block, v->e);
		if (st == E_IO)
			return st;
		if (st && !said)
			return end_of_open(v, f, got);
		if (st)
			return unreadable(v, got->seq, got->bytes);
		st = check_block(v, got);
	}
	return st;
}

static enum status check_segment(
	struct verify *v, uint32_t seq, const struct segment *said)
{
	struct segment got = {.seq = seq, .min = INT64_MAX, .max = INT64_MIN};
	struct fs_file f = {.fd = -1};
	uint64_t size = 0;
	const char *why;
	enum status st = fs_open(&f, v->d->c.fs,
		segment_path(&v->arena, v->dir, seq), false, 0, v->e);

	if (st == E_NOT_FOUND && !said)
		return tree_size(&v->tree) < v->end && v->end != UINT64_MAX
			       ? bad_block(v, seq, 0, "it is gone")
			       : OK;
	if (st == E_NOT_FOUND)
		return bad_block(v, seq, 0, "it is gone");
	if (!st)
		st = walk_blocks(v, &f, said, &got);
	if (!st)
		st = fs_size(&f, &size, v->e);
	fs_close(&f, NULL);
	if (st || !said)
		return st;
	got.head = v->head;
	got.root = tree_root(&v->tree);
	why = differs(&got, said);
	if (!why && size != said->bytes)
		why = "there is more behind its end";
	return why ? bad_block(v, seq, got.bytes, why) : OK;
}

static enum status check_ends(struct verify *v)
{
	uint64_t size = tree_size(&v->tree);

	if (v->checkpoint_left && v->torn_seq)
		return bad_block(v, v->torn_seq, v->torn_at,
			"damaged, and a checkpoint was signed for what was "
			"there");
	if (v->checkpoint_left)
		return bad_checkpoint(
			v, "it was signed for more events than there are");
	if (v->checkpoint_at < v->checkpoints.len)
		return bad_checkpoint(v,
			"no whole checkpoint: it was changed, or a crash left "
			"it, and then the next start of the writer ends that");
	if (v->held_size > size) {
		at_file(v, 0, UINT64_MAX, "%s", v->name);
		return err_set(v->e, E_INVALID,
			"%s has %llu events, and the checkpoint that was kept "
			"%llu",
			v->name, (unsigned long long)size,
			(unsigned long long)v->held_size);
	}
	return OK;
}

static enum status check_names(struct verify *v, const char **names, size_t n)
{
	enum status st = OK;

	for (size_t i = 0; i < n && !st; i++)
		if (str_ends(str_from(names[i]), S(".seg")) &&
			strtoul(names[i], NULL, 10) > v->manifest.n + 1) {
			at_file(v, v->manifest.n + 1, UINT64_MAX, "%s/manifest",
				v->name);
			st = err_set(v->e, E_INVALID,
				"%s/manifest: line %u is gone, and %s is there",
				v->name, v->manifest.n + 1, names[i]);
		}
	return st;
}

static enum status check_tree_file(struct verify *v)
{
	struct buf file = {0};
	const struct buf *want = &v->tree.hashes;
	size_t n;
	enum status st =
		fs_read(v->d->c.fs, arena_printf(&v->arena, "%s/tree", v->dir),
			(size_t)1 << 40, &file, v->e);

	if (st == E_NOT_FOUND)
		st = OK;
	n = file.len < want->len ? file.len : want->len;
	for (size_t i = 0; i < n && !st; i++)
		if (file.ptr[i] != want->ptr[i]) {
			at_file(v, i, i / MERKLE_BYTES * GROUP, "%s/tree",
				v->name);
			st = err_set(v->e, E_INVALID,
				"%s/tree: byte %zu: not the hash of events "
				"from %zu on",
				v->name, i, i / MERKLE_BYTES * GROUP);
		}
	buf_release(&file);
	return st;
}

/* --- a whole log --------------------------------------------------------- */

/*
 * What is there now; the log may go on while it is walked. Names first: another
 * process may end a segment at any time, and its line is there before the next.
 */
static enum status look(struct verify *v)
{
	struct decisions *d = v->d;
	const char **names;
	size_t n = 0;
	uint64_t line = 0;
	enum status st = fs_list(d->c.fs, v->dir, &v->arena, &names, &n, v->e);

	if (!st)
		st = manifest_read(&v->manifest, d->c.fs,
			arena_printf(&v->arena, "%s/manifest", v->dir), &line,
			v->e);
	if (st && line)
		at_file(v, line, UINT64_MAX, "%s/manifest", v->name);
	if (!st)
		st = check_names(v, names, n);
	if (!st)
		st = checkpoints_read(d->c.fs, v->dir, &v->checkpoints, v->e);
	if (!st)
		st = index_position(d->c.fs, d->index_dir, &v->position, v->e);
	pthread_mutex_lock(&d->lock);
	v->end = d->c.read_only ? UINT64_MAX : d->durable[v->log];
	pthread_mutex_unlock(&d->lock);
	return st;
}

static enum status walk(struct verify *v)
{
	enum status st;

	pthread_mutex_lock(&v->d->writer);
	st = look(v);
	pthread_mutex_unlock(&v->d->writer);
	if (!st)
		st = next_checkpoint(v);
	if (!st)
		st = reach(v); /* what was signed of the empty log */
	for (uint32_t i = 0; i < v->manifest.n && !st; i++)
		st = check_segment(v, i + 1, &v->manifest.segments[i]);
	if (!st)
		st = check_segment(v, v->manifest.n + 1, NULL);
	if (!st)
		st = check_ends(v);
	if (!st)
		st = check_tree_file(v);
	if (!st && v->log == LOG_EVENTS)
		st = check_files(v);
	return st;
}

static void release(struct verify *v)
{
	release_index(&v->index);
	manifest_release(&v->manifest);
	block_release(&v->block);
	buf_release(&v->checkpoints);
	buf_release(&v->tree.hashes);
	arena_release(&v->row);
	arena_release(&v->arena);
}

static enum status verify_log(struct verify *v)
{
	struct decisions *d = v->d;
	struct fs_info info;
	enum status st;

	v->name = log_names[v->log];
	v->dir = arena_printf(&v->arena, "%s/%s", d->dir, v->name);
	st = fs_stat(d->c.fs, v->dir, &info, v->e);
	if (!st && info.kind == FS_NONE) {
		at_file(v, 0, UINT64_MAX, "%s", v->name);
		st = err_set(v->e, E_INVALID, "%s is gone", v->name);
	}
	return st ? st : walk(v);
}

/* Which log a checkpoint from elsewhere is of is the end of its first line. */
static enum status use_held(struct verify *v, struct str held)
{
	struct checkpoint c;
	struct buf end = {0};
	enum status st;

	if (!held.len)
		return OK;
	st = read_checkpoint(v, held, &c);
	if (st) {
		err_wrap(v->e, "the checkpoint that was kept");
		return st;
	}
	buf_addf(&end, "/%s", log_names[v->log]);
	if (str_ends(c.origin, buf_str(&end))) {
		v->held_size = c.size;
		v->held_root = c.root;
	}
	buf_release(&end);
	return OK;
}

enum status decisions_verify(struct decisions *d, const struct note_key *key,
	struct str held, struct decisions_fault *fault, struct err *e)
{
	struct err own = {0};
	enum status st = OK;

	*fault = (struct decisions_fault){.event = UINT64_MAX};
	for (int i = 0; i < LOGS && !st; i++) {
		struct verify v = {.d = d,
			.fault = fault,
			.key = key,
			.e = e ? e : &own,
			.log = i};

		st = use_held(&v, held);
		if (!st)
			st = verify_log(&v);
		release(&v);
	}
	return st;
}
