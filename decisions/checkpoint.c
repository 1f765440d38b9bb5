#include "decisions/internal.h"

#include <string.h>

enum { CHECKPOINTS_MAX = 1 << 30 };

static const struct str dash = STR("\xe2\x80\x94 ");

enum status checkpoint_add(struct log *l, const struct note_key *key,
	const char *origin, int64_t now, struct err *e)
{
	struct buf text = {0}, note = {0};
	struct checkpoint c = {.origin = str_from(origin),
		.size = log_size(l),
		.root = tree_root(&l->tree)};
	enum status st;

	checkpoint_write(&c, &text);
	st = note_sign(key, buf_str(&text), &note, e);
	if (!st)
		st = log_add_line(l, l->checkpoint_path, l->checkpoint_bytes,
			buf_str(&note), &l->checkpoint_torn, e);
	if (!st) {
		l->checkpoint_bytes += note.len;
		l->signed_size = c.size;
		l->signed_at = now;
	}
	buf_release(&text);
	buf_release(&note);
	return st;
}

enum status checkpoints_read(
	const struct fs *fs, const char *dir, struct buf *out, struct err *e)
{
	struct arena a = {0};
	enum status st = fs_read(fs, arena_printf(&a, "%s/checkpoints", dir),
		CHECKPOINTS_MAX, out, e);

	arena_release(&a);
	return st == E_NOT_FOUND ? OK : st;
}

/* A text up to an empty line, then lines of signatures. */
bool checkpoint_next(struct str all, size_t *at, struct str *note)
{
	size_t end = str_find(all, S("\n\n"), *at), lines = 0;

	if (end == SIZE_MAX)
		return false;
	end += 2;
	while (str_starts(str_slice(all, end, all.len), dash)) {
		size_t newline = str_find(all, S("\n"), end);

		if (newline == SIZE_MAX)
			break;
		end = newline + 1;
		lines++;
	}
	if (!lines)
		return false;
	*note = str_slice(all, *at, end);
	*at = end;
	return true;
}
