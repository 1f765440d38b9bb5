/*
 * Is everything as it was written?
 *
 * Verifying trusts nothing that it can make again. Each log is walked block by
 * block; sums, their chain, numbers, the tree and the times are computed, and
 * compared with what the manifest, the checkpoints, the file of hashes and the
 * indexes say. The first thing that does not fit ends it.
 */
#include "decisions/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- places -------------------------------------------------------------- */

void verify_at(
	struct verify *v, uint64_t offset, uint64_t event, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->fault->file, sizeof(v->fault->file), fmt, ap);
	va_end(ap);
	v->fault->offset = offset;
	v->fault->event = event;
}

/* --- checkpoints --------------------------------------------------------- */

static enum status bad_checkpoint(struct verify *v, const char *why)
{
	verify_at(v, v->checkpoint_at, UINT64_MAX, "%s/checkpoints", v->name);
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

/* Which log a checkpoint is of is the end of its first line. */
static bool is_of(const struct checkpoint *c, const char *name)
{
	return c->origin.len > strlen(name) &&
	       str_ends(c->origin, str_from(name)) &&
	       c->origin.ptr[c->origin.len - strlen(name) - 1] == '/';
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
		verify_at(v, v->checkpoint_at, UINT64_MAX, "%s/checkpoints",
			v->name);
		err_wrap(v->e, "%s/checkpoints: byte %zu", v->name,
			v->checkpoint_at);
		return E_INVALID;
	}
	if (!is_of(&c, v->name))
		return bad_checkpoint(v, "it is of another log");
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
			verify_at(v, 0, UINT64_MAX, "%s", v->name);
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
	verify_at(v, offset, tree_size(&v->tree), "%s/%08u.seg", v->name, seq);
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

/* What is no event can't be in an index. */
static enum status check_row(
	struct verify *v, const struct record *r, const struct segment *got)
{
	enum status st = verify_row(v, r, tree_size(&v->tree));

	if (st == E_INVALID && !v->fault->file[0]) {
		at_block(v, got->seq, got->bytes);
		err_wrap(v->e, "%s/%08u.seg: byte %llu: event %llu", v->name,
			got->seq, (unsigned long long)got->bytes,
			(unsigned long long)tree_size(&v->tree));
	}
	return st;
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
			st = check_row(v, r, got);
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

	if (size && !v->checkpoints.len)
		v->fault->bare |= 1u << v->log;
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
		verify_at(v, 0, UINT64_MAX, "%s", v->name);
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
			verify_at(v, v->manifest.n + 1, UINT64_MAX,
				"%s/manifest", v->name);
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
			verify_at(v, i, i / MERKLE_BYTES * GROUP, "%s/tree",
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
 * Then checkpoints: what was signed is in these segments and the one behind.
 */
static enum status look(struct verify *v)
{
	struct decisions *d = v->d;
	const char **names;
	size_t n = 0;
	uint64_t line = 0;
	enum status st = fs_list(d->c.fs, v->dir, &v->arena, &names, &n, v->e);

	if (!st)
		st = checkpoints_read(d->c.fs, v->dir, &v->checkpoints, v->e);
	if (!st)
		st = manifest_read(&v->manifest, d->c.fs,
			arena_printf(&v->arena, "%s/manifest", v->dir), &line,
			v->e);
	if (st && line)
		verify_at(v, line, UINT64_MAX, "%s/manifest", v->name);
	if (!st)
		st = check_names(v, names, n);
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
		st = verify_files(v);
	return st;
}

static void release(struct verify *v)
{
	verify_index_release(&v->index);
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
		verify_at(v, 0, UINT64_MAX, "%s", v->name);
		st = err_set(v->e, E_INVALID, "%s is gone", v->name);
	}
	return st ? st : walk(v);
}

static enum status use_held(struct verify *v, struct str held)
{
	struct checkpoint c;
	enum status st;

	if (!held.len)
		return OK;
	st = read_checkpoint(v, held, &c);
	if (st) {
		err_wrap(v->e, "the checkpoint that was kept");
		return st;
	}
	if (is_of(&c, log_names[v->log])) {
		v->held_size = c.size;
		v->held_root = c.root;
	}
	return OK;
}

enum status decisions_verify(struct decisions *d, const struct note_key *key,
	struct str held, struct decisions_fault *fault, struct err *e)
{
	struct err own = {0};
	enum status st = OK;

	*fault = (struct decisions_fault){.event = UINT64_MAX};
	/* Rules first: indexes are held against what they say of events. */
	for (int k = 0; k < LOGS && !st; k++) {
		int i = (k + LOG_RULES) % LOGS;
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
