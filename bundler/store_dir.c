/*
 * A store in a folder.
 *
 *	DIR/archives/<hex>.tar.gz      by the SHA-256 of its bytes
 *	DIR/versions/<bundle>/<revision>.json
 *	DIR/lock                       held by who writes
 *
 * The record of a version is written last, so a version is there when its
 * record is. An archive without a record is what a crash can leave: nobody
 * lists it, and the next put of the same bytes uses it. Names that a file
 * should not have are written as %XX.
 *
 * Readers need no lock: files appear whole under their names and never change.
 * Writers take it, so that of two that bring the same revision the second sees
 * the first; what a killed writer left half-written is removed by the next.
 */
#include "base/clock.h"
#include "bundler/internal.h"

#include <stdlib.h>
#include <string.h>

enum {
	NAME_BYTES = 200, /* of a bundle or a revision as a file's name */
	RECORD_BYTES = 65536,
	FILE_MODE = 0644,
	DIR_MODE = 0755,
};

#define LOCK_WAIT_NS (30 * NS_PER_S)

struct store_dir {
	struct store store;
	const struct fs *fs;
	char *path;
};

static struct store_dir *self(struct store *s)
{
	return (struct store_dir *)(void *)s;
}

/* --- names ---------------------------------------------------------------- */

/* Append a name with %XX for what a file's name should not hold. */
static enum status add_name(
	struct buf *out, const char *what, const char *name, struct err *e)
{
	size_t from = out->len;

	for (const char *p = name; p && *p; p++) {
		char low = (char)(*p | 0x20);

		if ((low >= 'a' && low <= 'z') || (*p >= '0' && *p <= '9') ||
			*p == '-' || *p == '_' || (*p == '.' && p > name))
			buf_addc(out, *p);
		else
			buf_addf(out, "%%%02X", (unsigned char)*p);
	}
	if (out->len == from)
		return err_set(e, E_INVALID, "a %s without a name", what);
	if (out->len - from > NAME_BYTES)
		return err_set(e, E_LIMIT,
			"the name of the %s takes %zu bytes, limit %d", what,
			out->len - from, NAME_BYTES);
	return OK;
}

/* Append DIR/versions/<bundle> and, if there is one, /<revision>.json */
static enum status record_path(const struct store_dir *d, struct buf *out,
	const char *bundle, const char *revision, struct err *e)
{
	enum status st;

	buf_addf(out, "%s/versions/", d->path);
	st = add_name(out, "bundle", bundle, e);
	if (st || !revision)
		return st;
	buf_addc(out, '/');
	st = add_name(out, "revision", revision, e);
	buf_adds(out, ".json");
	return st;
}

static enum status archive_path(const struct store_dir *d, struct buf *out,
	const char *digest, struct err *e)
{
	struct str s = str_from(digest);
	bool ok = str_starts(s, S("sha256:")) && s.len == 7 + 64;

	for (size_t i = 7; ok && i < s.len; i++)
		ok = (s.ptr[i] >= '0' && s.ptr[i] <= '9') ||
		     (s.ptr[i] >= 'a' && s.ptr[i] <= 'f');
	if (!ok)
		return err_set(e, E_INVALID,
			"\"%s\" is no digest: sha256: and 64 digits of "
			"lower-case hex",
			digest ? digest : "");
	buf_addf(out, "%s/archives/%s.tar.gz", d->path, digest + 7);
	return OK;
}

/* --- reading -------------------------------------------------------------- */

static enum status read_record(const struct store_dir *d, const char *path,
	struct arena *a, struct version *out, struct err *e)
{
	struct buf text = {0};
	enum status st = fs_read(d->fs, path, RECORD_BYTES, &text, e);

	if (!st) {
		st = version_read(out, buf_str(&text), a, e);
		if (st)
			err_wrap(e, "%s", path);
	}
	buf_release(&text);
	return st;
}

static enum status dir_find(struct store *s, const char *bundle,
	const char *revision, struct arena *a, struct version *out,
	struct err *e)
{
	struct store_dir *d = self(s);
	struct buf path = {0};
	enum status st = record_path(d, &path, bundle, revision, e);

	if (!st)
		st = read_record(d, path.ptr, a, out, e);
	if (st == E_NOT_FOUND)
		err_set(e, E_NOT_FOUND, "%s has no version %s in %s", bundle,
			revision, d->path);
	buf_release(&path);
	return st;
}

static enum status dir_get(
	struct store *s, const char *digest, struct buf *out, struct err *e)
{
	struct store_dir *d = self(s);
	struct buf path = {0}, got = {0};
	size_t from = out->len;
	enum status st = archive_path(d, &path, digest, e);

	if (!st)
		st = fs_read(d->fs, path.ptr, LIMIT_BUNDLE_COMPRESSED, out, e);
	if (!st) {
		store_digest(&got, str_slice(buf_str(out), from, out->len));
		if (!str_is(buf_str(&got), digest)) {
			out->len = from;
			st = err_set(e, E_INVALID,
				"%s was changed: its digest is %s", path.ptr,
				got.ptr);
		}
	}
	buf_release(&path);
	buf_release(&got);
	return st;
}

/* Oldest first; what came in the same second, by commit and name. */
static int by_age(const void *a, const void *b)
{
	const struct version *x = a, *y = b;

	if (x->published != y->published)
		return x->published < y->published ? -1 : 1;
	if (x->commit_time != y->commit_time)
		return x->commit_time < y->commit_time ? -1 : 1;
	return strcmp(x->revision, y->revision);
}

static enum status list_dir(const struct store_dir *d, const char *dir,
	struct arena *a, struct version **out, size_t *n, struct err *e)
{
	const char **names = NULL;
	struct version *list;
	size_t nnames = 0, len = 0;
	enum status st = fs_list(d->fs, dir, a, &names, &nnames, e);

	if (st && st != E_NOT_FOUND)
		return st;
	list = ARENA_ARRAY(a, struct version, nnames + 1);
	st = OK;
	for (size_t i = 0; i < nnames && !st; i++) {
		if (!str_ends(str_from(names[i]), S(".json")))
			continue;
		st = read_record(d, arena_printf(a, "%s/%s", dir, names[i]), a,
			&list[len++], e);
	}
	if (st)
		return st;
	qsort(list, len, sizeof(*list), by_age);
	*out = list;
	*n = len;
	return OK;
}

static enum status dir_list(struct store *s, const char *bundle,
	struct arena *a, struct version **out, size_t *n, struct err *e)
{
	struct store_dir *d = self(s);
	struct buf dir = {0};
	enum status st = record_path(d, &dir, bundle, NULL, e);

	if (!st)
		st = list_dir(d, dir.ptr, a, out, n, e);
	buf_release(&dir);
	return st;
}

/* --- writing -------------------------------------------------------------- */

/* What writers that were killed left half-written; the lock is held. */
static enum status sweep(
	const struct store_dir *d, const char *dir, struct err *e)
{
	struct arena a = {0};
	const char **names = NULL;
	size_t n = 0;
	enum status st = fs_list(d->fs, dir, &a, &names, &n, e);

	for (size_t i = 0; i < n && !st; i++)
		if (str_ends(str_from(names[i]), S(".tmp")))
			st = fs_remove(d->fs,
				arena_printf(&a, "%s/%s", dir, names[i]), e);
	arena_release(&a);
	return st;
}

/* Make the entries of new folders survive, up to that of the store itself. */
static enum status sync_above(
	const struct store_dir *d, struct str dir, struct err *e)
{
	size_t top = strlen(d->path);
	enum status st = OK;
	bool last = false;

	while (!st && !last) {
		struct buf path = {0};

		while (dir.len && dir.ptr[dir.len - 1] != '/')
			dir.len--;
		while (dir.len > 1 && dir.ptr[dir.len - 1] == '/')
			dir.len--;
		last = dir.len < top;
		buf_addstr(&path, dir.len ? dir : S("."));
		st = fs_sync_dir(d->fs, path.ptr, e);
		buf_release(&path);
	}
	return st;
}

/* Write a file into its folder, made if it is not there, without leftovers. */
static enum status put_file(const struct store_dir *d, const char *path,
	struct str bytes, struct err *e)
{
	struct buf dir = {0};
	enum status st;

	buf_add(&dir, path, (size_t)(strrchr(path, '/') - path));
	st = fs_mkdirs(d->fs, dir.ptr, DIR_MODE, e);
	if (!st)
		st = sync_above(d, buf_str(&dir), e);
	if (!st)
		st = sweep(d, dir.ptr, e);
	if (!st)
		st = fs_write(d->fs, path, bytes, FILE_MODE, e);
	buf_release(&dir);
	return st;
}

/*
 * An archive that is there and whole stays. It may be one whose writer was
 * killed before the folder was synced, so that is done in any case.
 */
static enum status put_archive(struct store_dir *d, const char *digest,
	struct str archive, struct err *e)
{
	struct buf path = {0}, bytes = {0};
	enum status st = archive_path(d, &path, digest, e);

	if (st)
		goto out;
	if (dir_get(&d->store, digest, &bytes, NULL)) {
		st = put_file(d, path.ptr, archive, e);
		goto out;
	}
	path.len = (size_t)(strrchr(path.ptr, '/') - path.ptr);
	path.ptr[path.len] = '\0';
	st = fs_sync_dir(d->fs, path.ptr, e);
out:
	buf_release(&path);
	buf_release(&bytes);
	return st;
}

static enum status put_record(const struct store_dir *d,
	const struct version *v, const char *path, struct err *e)
{
	struct buf text = {0};
	enum status st;

	version_write(&text, v);
	st = put_file(d, path, buf_str(&text), e);
	buf_release(&text);
	return st;
}

/* Against what is there under this revision, if anything. */
static enum status put_locked(struct store_dir *d, const struct version *v,
	struct str archive, const char *record, bool *fresh, struct err *e)
{
	struct arena a = {0};
	struct version old = {0};
	enum status st = read_record(d, record, &a, &old, e);
	bool is_new = st == E_NOT_FOUND;

	if (!st && strcmp(old.digest, v->digest) != 0)
		st = err_set(e, E_CONFLICT,
			"%s %s is there with other bytes (%s); a version does "
			"not change, give this one another revision",
			v->bundle, v->revision, old.digest);
	else if (!st || is_new)
		st = put_archive(d, v->digest, archive, e);
	if (!st && is_new)
		st = put_record(d, v, record, e);
	if (!st)
		*fresh = is_new;
	arena_release(&a);
	return st;
}

static enum status dir_put(struct store *s, const struct version *v,
	struct str archive, bool *fresh, struct err *e)
{
	struct store_dir *d = self(s);
	struct buf record = {0}, lock = {0};
	int fd = -1;
	enum status st = record_path(d, &record, v->bundle, v->revision, e);

	if (!st)
		st = fs_mkdirs(d->fs, d->path, DIR_MODE, e);
	buf_addf(&lock, "%s/lock", d->path);
	if (!st)
		st = fs_lock(d->fs, lock.ptr, LOCK_WAIT_NS, &fd, e);
	if (!st) {
		st = put_locked(d, v, archive, record.ptr, fresh, e);
		fs_unlock(fd);
	}
	if (st)
		err_wrap(e, "store %s", d->path);
	buf_release(&record);
	buf_release(&lock);
	return st;
}

/* --- the kind ------------------------------------------------------------- */

static void dir_close(struct store *s)
{
	struct store_dir *d = self(s);

	free(d->path);
	free(d);
}

struct store *store_dir_new(const char *path, const struct fs *fs)
{
	static const struct store_ops ops = {
		dir_close, dir_put, dir_get, dir_list, dir_find};
	struct store_dir *d = malloc(sizeof(*d));

	if (!d)
		die("out of memory: a store");
	*d = (struct store_dir){.store = {&ops}, .fs = fs};
	d->path = strdup(path);
	if (!d->path)
		die("out of memory: a store");
	return &d->store;
}
