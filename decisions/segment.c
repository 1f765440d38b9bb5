/*
 * The writer of a log: blocks at the end of a segment, full segments in the
 * manifest.
 *
 * What is acknowledged was synced. A failed write may leave anything behind
 * what was synced last; it is cut off before the next write, and by log_open()
 * after a crash. There the rule is: what is no block can only be the rest of
 * the last commit, because a commit begins after the one before was synced. So
 * if a commit begins anywhere behind it, something acknowledged is damaged,
 * and nothing is touched.
 */
#include "decisions/internal.h"

#include <stdlib.h>
#include <string.h>

enum { MODE_FILE = 0640, MODE_DIR = 0750 };

/* --- state --------------------------------------------------------------- */

uint64_t log_size(const struct log *l)
{
	return tree_size(&l->tree);
}

static void begin_segment(struct log *l)
{
	const struct segment *last =
		l->manifest.n ? &l->manifest.segments[l->manifest.n - 1] : NULL;

	fs_close(&l->file, NULL);
	l->seq = l->manifest.n + 1;
	l->first = manifest_end(&l->manifest);
	l->path = segment_path(&l->arena, l->dir, l->seq);
	places_reset(&l->places, l->first);
	l->began = 0;
	l->min = INT64_MAX;
	l->max = INT64_MIN;
	if (last)
		l->head = last->head;
	else
		l->head = (struct merkle_hash){0};
}

static void note_time(struct log *l, int64_t time)
{
	if (time < l->min)
		l->min = time;
	if (time > l->max)
		l->max = time;
}

static void note_block(
	struct log *l, const struct block_head *h, int64_t received)
{
	if (!l->places.n)
		l->began = received;
	places_add(&l->places, h->size, h->count);
	l->head = h->sum;
}

/* --- opening ------------------------------------------------------------- */

/* Full segments are there and have their size. */
static enum status check_files(struct log *l, struct err *e)
{
	for (uint32_t i = 0; i < l->manifest.n; i++) {
		const struct segment *s = &l->manifest.segments[i];
		struct arena_mark mark = arena_mark(&l->arena);
		const char *path = segment_path(&l->arena, l->dir, s->seq);
		struct fs_info info;
		enum status st = fs_stat(l->fs, path, &info, e);

		if (st)
			return st;
		if (info.kind != FS_FILE || info.size != s->bytes)
			return err_set(e, E_INVALID,
				"%s has %llu bytes, its manifest says %llu",
				path, (unsigned long long)info.size,
				(unsigned long long)s->bytes);
		arena_rewind(&l->arena, mark);
	}
	return OK;
}

/* Segments behind the open one: lines of the manifest are missing. */
static enum status check_names(struct log *l, struct err *e)
{
	const char **names;
	size_t n;
	enum status st = fs_list(l->fs, l->dir, &l->arena, &names, &n, e);

	for (size_t i = 0; i < n && !st; i++) {
		struct str name = str_from(names[i]);

		if (str_ends(name, S(".seg")) &&
			strtoul(names[i], NULL, 10) > l->seq)
			st = err_set(e, E_INVALID,
				"%s/%s is there, and the manifest ends with "
				"segment %u",
				l->dir, names[i], l->manifest.n);
		/* What a crash left of a segment that was packed again. */
		if (str_ends(name, S(".tmp")))
			st = fs_remove(l->fs,
				arena_printf(
					&l->arena, "%s/%s", l->dir, names[i]),
				e);
	}
	return st;
}

static enum status load_tree(struct log *l, struct err *e)
{
	const struct segment *last =
		l->manifest.n ? &l->manifest.segments[l->manifest.n - 1] : NULL;
	uint64_t end = manifest_end(&l->manifest);
	struct reader r;
	enum status st = reader_open(&r, l->fs, l->dir, l->name, end, e);

	if (st)
		return st;
	st = tree_load(&l->tree, &r, end, last ? &last->root : NULL, e);
	reader_close(&r);
	return st;
}

enum status later_commit(
	const struct fs_file *f, uint64_t at, uint64_t *place, struct err *e)
{
	static const char magic[] = "\x50\x2a\x4d\x18";
	struct buf rest = {0};
	struct block b = {0};
	uint64_t size = at;
	size_t got = 0, k = SIZE_MAX; /* the first search is from 0 */
	enum status st = fs_size(f, &size, e);

	*place = UINT64_MAX;
	if (!st && size > at)
		st = fs_read_at(f, at, buf_reserve(&rest, size - at), size - at,
			&got, e);
	rest.len = got;
	while (!st && *place == UINT64_MAX) {
		k = str_find(buf_str(&rest), (struct str){magic, 4}, k + 1);
		if (k == SIZE_MAX)
			break;
		if (!block_read(f, at + k, &b, NULL) && b.head.begins)
			*place = at + k;
	}
	block_release(&b);
	buf_release(&rest);
	return st;
}

static enum status cut_tail(struct log *l, struct err *e)
{
	uint64_t commit;
	enum status st = later_commit(&l->file, l->places.offset, &commit, e);

	if (!st && commit != UINT64_MAX)
		st = err_set(e, E_INVALID,
			"%s: byte %llu: damaged, with a later commit at "
			"byte %llu: nothing is written here any more; "
			"decisions verify says more",
			l->path, (unsigned long long)l->places.offset,
			(unsigned long long)commit);
	return st ? st : fs_cut(&l->file, l->places.offset, e);
}

static enum status recover_block(
	struct log *l, struct block *b, record_time *time, struct err *e)
{
	enum status st = block_read(&l->file, l->places.offset, b, e);

	if (st)
		return st;
	if (b->head.first != log_size(l) ||
		!merkle_equal(&b->head.prev, &l->head))
		return err_set(e, E_INVALID,
			"%s: byte %llu: not the block that follows", l->path,
			(unsigned long long)l->places.offset);
	for (uint32_t i = 0; i < b->head.count; i++) {
		const struct record *r = &b->records[i];
		struct merkle_hash leaf = record_leaf(r);

		tree_add(&l->tree, &leaf);
		note_time(l, time ? time(r) : r->received);
	}
	note_block(l, &b->head, b->records[0].received);
	return OK;
}

/*
 * Blocks of a commit that nobody was told about stay when they are whole: from
 * now on they count, and so they are synced.
 */
static enum status recover(struct log *l, record_time *time, struct err *e)
{
	struct block b = {0};
	struct fs_info info;
	enum status st = fs_stat(l->fs, l->path, &info, e);

	if (st || info.kind == FS_NONE)
		return st;
	st = fs_open(&l->file, l->fs, l->path, true, MODE_FILE, e);
	while (!st)
		st = recover_block(l, &b, time, e);
	block_release(&b);
	if (st == E_INVALID)
		st = cut_tail(l, e);
	else if (st == E_NOT_FOUND)
		st = OK;
	return st ? st : fs_sync(&l->file, e);
}

static enum status recover_checkpoints(struct log *l, struct err *e)
{
	struct buf all = {0};
	struct checkpoint c = {0};
	struct str note, text = {0};
	size_t at = 0;
	enum status st = checkpoints_read(l->fs, l->dir, &all, e);

	while (!st && checkpoint_next(buf_str(&all), &at, &note))
		text = str_slice(note, 0, str_find(note, S("\n\n"), 0) + 1);
	l->checkpoint_bytes = at;
	l->checkpoint_torn = true; /* what is behind is cut before writing */
	if (!st && text.len)
		st = checkpoint_parse(text, &c, e);
	if (st)
		err_wrap(e, "%s", l->checkpoint_path);
	else if (c.size > log_size(l))
		st = err_set(e, E_INVALID,
			"%s has %llu events, and a checkpoint of %llu was "
			"signed: some are gone, or it is an old copy",
			l->dir, (unsigned long long)log_size(l),
			(unsigned long long)c.size);
	l->signed_size = c.size;
	buf_release(&all);
	return st;
}

static enum status open_all(struct log *l, record_time *time, struct err *e)
{
	enum status st = fs_mkdirs(l->fs, l->dir, MODE_DIR, e);

	if (!st)
		st = manifest_read(
			&l->manifest, l->fs, l->manifest_path, NULL, e);
	l->manifest_torn = true;
	begin_segment(l);
	if (!st)
		st = check_files(l, e);
	if (!st)
		st = check_names(l, e);
	if (!st)
		st = load_tree(l, e);
	if (!st)
		st = recover(l, time, e);
	if (!st)
		st = recover_checkpoints(l, e);
	return st;
}

enum status log_open(struct log *l, const struct fs *fs, const char *dir,
	const char *name, record_time *time, struct err *e)
{
	enum status st;

	*l = (struct log){.fs = fs, .name = name, .file.fd = -1};
	l->dir = arena_strdup(&l->arena, str_from(dir));
	l->manifest_path = arena_printf(&l->arena, "%s/manifest", dir);
	l->checkpoint_path = arena_printf(&l->arena, "%s/checkpoints", dir);
	st = open_all(l, time, e);
	if (st)
		log_close(l);
	return st;
}

void log_close(struct log *l)
{
	fs_close(&l->file, NULL);
	manifest_release(&l->manifest);
	places_release(&l->places);
	packer_release(&l->packer);
	buf_release(&l->out);
	buf_release(&l->tree.hashes);
	arena_release(&l->arena);
	*l = (struct log){.file.fd = -1};
}

/* --- appending ----------------------------------------------------------- */

static enum status cut_file(struct log *l, const char *path, uint64_t size,
	bool *torn, struct err *e)
{
	struct fs_file f = {.fd = -1};
	struct fs_info info;
	enum status st = fs_stat(l->fs, path, &info, e);

	if (!st && info.kind != FS_NONE && info.size > size) {
		st = fs_open(&f, l->fs, path, true, MODE_FILE, e);
		if (!st)
			st = fs_cut(&f, size, e);
		if (!st)
			st = fs_sync(&f, e);
		fs_close(&f, NULL);
	}
	if (!st)
		*torn = false;
	return st;
}

/*
 * The segment was being packed again: the old blocks stand there or the new
 * ones, with the same events.
 */
static enum status look_again(struct log *l, struct err *e)
{
	struct block_head h = {0};
	struct fs_file f;
	enum status st = fs_open(&f, l->fs, l->path, true, MODE_FILE, e);

	if (st)
		return st;
	places_reset(&l->places, l->first);
	while (!st && l->places.first < log_size(l)) {
		st = block_head_read(&f, l->places.offset, &h, e);
		if (!st)
			places_add(&l->places, h.size, h.count);
	}
	if (!st)
		st = fs_sync_dir(l->fs, l->dir, e);
	if (st) {
		fs_close(&f, NULL);
		return st;
	}
	fs_close(&l->file, NULL);
	l->file = f;
	l->head = h.sum;
	l->unsure = false;
	return OK;
}

static enum status mend(struct log *l, struct err *e)
{
	enum status st = OK;

	if (l->unsure)
		st = look_again(l, e);
	if (!st && l->manifest_torn)
		st = cut_file(l, l->manifest_path, l->manifest.bytes,
			&l->manifest_torn, e);
	if (!st && l->torn)
		st = cut_file(l, l->path, l->places.offset, &l->torn, e);
	return st;
}

static enum status open_file(struct log *l, struct err *e)
{
	enum status st;

	if (l->file.fd >= 0)
		return OK;
	st = fs_open(&l->file, l->fs, l->path, true, MODE_FILE, e);
	if (!st)
		st = fs_sync_dir(l->fs, l->dir, e);
	if (st)
		fs_close(&l->file, NULL);
	return st;
}

/* How many records from `from` on make one block; *raw gets their bytes. */
static uint32_t block_len(
	const struct record *r, uint32_t n, uint32_t from, size_t *raw)
{
	uint32_t i = from;

	*raw = 0;
	while (i < n && (i == from || *raw + r[i].bytes.len < BLOCK_RAW))
		*raw += r[i++].bytes.len + 1;
	return i - from;
}

/* All blocks of a commit to l->out. */
static void pack(struct log *l, const struct pending *p, struct log *after)
{
	size_t at = 0, raw;

	buf_reset(&l->out);
	for (uint32_t i = 0, n; i < p->n; i += n, at += raw) {
		struct block_head h = {.first = log_size(l) + i,
			.begins = i == 0,
			.prev = after->head};

		n = block_len(p->records, p->n, i, &raw);
		block_write(&l->packer, &h, p->records + i, n,
			str_slice(buf_str(&p->raw), at, at + raw), &l->out);
		note_block(after, &h, p->records[i].received);
	}
}

static void add_leaves(struct log *l, const struct pending *p)
{
	for (uint32_t i = 0; i < p->n; i++) {
		unsigned char entry[ENTRY];
		struct merkle_hash leaf;

		record_entry(&p->records[i], &p->hashes[i], entry);
		leaf = merkle_leaf((struct str){(char *)entry, ENTRY});
		tree_add(&l->tree, &leaf);
		note_time(l, p->times[i]);
	}
}

enum status log_append(struct log *l, const struct pending *p, struct err *e)
{
	struct log after;
	struct places known;
	enum status st = mend(l, e);

	if (!p->n)
		return OK;
	if (!st)
		st = open_file(l, e);
	if (st)
		return st;
	after = *l; /* only what is known of the segment is used */
	pack(l, p, &after);
	known = after.places;
	l->places.offsets = known.offsets; /* they may have moved */
	l->places.firsts = known.firsts;
	l->places.cap = known.cap;
	l->torn = true;
	st = fs_append(&l->file, buf_str(&l->out), e);
	if (!st)
		st = fs_sync(&l->file, e);
	if (st)
		return st; /* torn: mended before the next write */
	l->torn = false;
	l->places = known;
	l->began = after.began;
	l->head = after.head;
	add_leaves(l, p);
	return OK;
}

enum status log_add_line(struct log *l, const char *path, uint64_t at,
	struct str text, bool *torn, struct err *e)
{
	struct fs_file f = {.fd = -1};
	enum status st = OK;

	if (*torn)
		st = cut_file(l, path, at, torn, e);
	if (!st)
		st = fs_open(&f, l->fs, path, true, MODE_FILE, e);
	if (st)
		return st;
	*torn = true;
	st = fs_append(&f, text, e);
	if (!st)
		st = fs_sync(&f, e);
	if (!st)
		st = fs_close(&f, e);
	else
		fs_close(&f, NULL);
	if (!st && !at)
		st = fs_sync_dir(l->fs, l->dir, e);
	if (!st)
		*torn = false;
	return st;
}

/* --- full segments ------------------------------------------------------- */

/* The blocks of the open segment again, as large as they may be. */
struct repack {
	struct log *log;
	struct pending p;
	struct places places;
	struct merkle_hash head;
	struct buf out;
};

static void flush(struct repack *k)
{
	struct block_head h = {
		.first = k->places.first, .begins = true, .prev = k->head};
	size_t at = 0;

	if (!k->p.n)
		return;
	for (uint32_t i = 0; i < k->p.n; i++) {
		k->p.records[i].bytes.ptr = k->p.raw.ptr + at;
		at += k->p.records[i].bytes.len + 1;
	}
	block_write(&k->log->packer, &h, k->p.records, k->p.n,
		buf_str(&k->p.raw), &k->out);
	k->head = h.sum;
	places_add(&k->places, h.size, h.count);
	pending_reset(&k->p);
}

static enum status repack_all(struct repack *k, struct err *e)
{
	static const struct item none;
	struct block b = {0};
	uint64_t at = 0;
	enum status st = OK;

	while (!st && at < k->log->places.offset) {
		st = block_read(&k->log->file, at, &b, e);
		if (st)
			break;
		for (uint32_t i = 0; i < b.head.count; i++) {
			const struct record *r = &b.records[i];

			if (k->p.raw.len + r->bytes.len >= BLOCK_RAW)
				flush(k);
			pending_add(&k->p, r, &none);
		}
		at += b.head.size;
	}
	flush(k);
	block_release(&b);
	return st == E_NOT_FOUND ? err_set(e, E_INVALID, "%s ends too early",
					   k->log->path)
				 : st;
}

/* Not worth it when blocks are about as large as they can be. */
static bool small_blocks(const struct log *l)
{
	return l->places.n > 1 &&
	       l->places.offset / l->places.n < BLOCK_RAW / 32;
}

static enum status repack(struct log *l, struct err *e)
{
	const struct segment *last =
		l->manifest.n ? &l->manifest.segments[l->manifest.n - 1] : NULL;
	struct repack k = {.log = l};
	enum status st;

	places_reset(&k.places, l->first);
	if (last)
		k.head = last->head;
	st = repack_all(&k, e);
	if (!st) {
		st = fs_write(l->fs, l->path, buf_str(&k.out), MODE_FILE, e);
		l->unsure = st != OK;
	}
	if (!st) {
		fs_close(&l->file, NULL);
		places_copy(&l->places, &k.places);
		l->head = k.head;
	}
	places_release(&k.places);
	pending_release(&k.p);
	buf_release(&k.out);
	return st;
}

enum status log_seal(struct log *l, struct err *e)
{
	struct segment s;
	struct buf line = {0};
	enum status st = mend(l, e);

	if (st || log_size(l) == l->first)
		return st;
	st = open_file(l, e);
	if (!st && small_blocks(l))
		st = repack(l, e);
	if (st)
		return st;
	s = (struct segment){.seq = l->seq,
		.first = l->first,
		.count = log_size(l) - l->first,
		.bytes = l->places.offset,
		.min = l->min,
		.max = l->max,
		.head = l->head,
		.root = tree_root(&l->tree)};
	manifest_line(&l->manifest, &s, &line);
	st = log_add_line(l, l->manifest_path, l->manifest.bytes,
		buf_str(&line), &l->manifest_torn, e);
	if (!st) {
		manifest_add(&l->manifest, &s, buf_str(&line));
		begin_segment(l);
		st = tree_save(&l->tree, l->fs, l->dir, e);
	}
	buf_release(&line);
	return st;
}
