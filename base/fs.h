/*
 * fs: files, with a seam for what goes wrong.
 *
 * Every function takes a struct fs first. NULL, or one of {0}, is the plain
 * file system. One with a `before` asks it ahead of each system call, and an
 * errno that it answers is what the call fails with; struct fs_fault makes
 * the n-th call of a kind fail, so that a test can walk through all of them.
 *
 * Paths are as the system takes them. Nothing follows a symbolic link but the
 * path that is handed in. Files are opened with O_CLOEXEC.
 */
#ifndef BASE_FS_H
#define BASE_FS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"

enum fs_op {
	FS_OPEN,
	FS_STAT,
	FS_READ,
	FS_WRITE,
	FS_SYNC, /* of a file or of a folder */
	FS_CLOSE,
	FS_RENAME,
	FS_REMOVE,
	FS_MKDIR,
	FS_LIST, /* the next name of a folder */
	FS_LOCK, /* each try to get a lock */
	FS_CUT,  /* of a file's end */
	FS_OPS,  /* how many there are */
};

struct fs {
	/* 0: go on. An errno: fail with it instead of calling the system. */
	int (*before)(void *user, enum fs_op op, const char *path);
	void *user;
};

/* Fails call number `at` (from 1) of kind `op`, and with `sticky` all after. */
struct fs_fault {
	struct fs fs; /* hand this in */
	enum fs_op op;
	unsigned at;
	int errnum;
	bool sticky;
	unsigned calls[FS_OPS]; /* counted so far */
};

/* at 0: only counts. `f` must stay where it is. */
void fs_fault_init(struct fs_fault *f, enum fs_op op, unsigned at, int errnum);

enum fs_kind { FS_NONE, FS_FILE, FS_DIR, FS_LINK, FS_OTHER };

struct fs_info {
	enum fs_kind kind;
	uint64_t size; /* bytes */
	uint32_t mode; /* permission bits */
};

/* Of the path itself, not of what a link points to; FS_NONE: nothing there. */
enum status fs_stat(const struct fs *fs, const char *path, struct fs_info *out,
	struct err *e) MUST_CHECK;

/*
 * Append the whole file to `out`. More than `max` bytes are E_LIMIT. Of a
 * failed read nothing stays in `out`.
 */
enum status fs_read(const struct fs *fs, const char *path, size_t max,
	struct buf *out, struct err *e) MUST_CHECK;

/*
 * Put `data` at `path`, whole or not at all: written beside it, synced,
 * renamed over it, and the folder synced. When this fails before the rename
 * what was there is untouched and no other file is left behind; when only the
 * last sync fails, the new file is there but may not survive a power cut.
 */
enum status fs_write(const struct fs *fs, const char *path, struct str data,
	uint32_t mode, struct err *e) MUST_CHECK;

/* Make a folder and those above it; one that is there is fine. */
enum status fs_mkdirs(const struct fs *fs, const char *path, uint32_t mode,
	struct err *e) MUST_CHECK;

/* Remove a file or an empty folder; what isn't there is E_NOT_FOUND. */
enum status fs_remove(
	const struct fs *fs, const char *path, struct err *e) MUST_CHECK;

/*
 * Hold the lock of a file, which is made if it is not there, until fs_unlock();
 * when the process ends it is given back. Of two holders, threads too, one
 * waits: up to `wait_ns`, then it is E_CONFLICT.
 */
enum status fs_lock(const struct fs *fs, const char *path, int64_t wait_ns,
	int *fd, struct err *e) MUST_CHECK;
void fs_unlock(int fd);
/* Let `to` be what `from` was; what was there before is gone. */
enum status fs_rename(const struct fs *fs, const char *from, const char *to,
	struct err *e) MUST_CHECK;

/* Make renames and removals in a folder survive a power cut. */
enum status fs_sync_dir(
	const struct fs *fs, const char *path, struct err *e) MUST_CHECK;

/* The names in a folder without "." and "..", sorted by bytes, in `a`. */
enum status fs_list(const struct fs *fs, const char *path, struct arena *a,
	const char ***names, size_t *n, struct err *e) MUST_CHECK;

/*
 * A file that is open, to append to and to read anywhere. {.fd = -1} is none.
 * `path` is borrowed: it is for messages and for the seam.
 */
struct fs_file {
	const struct fs *fs;
	const char *path;
	int fd;
};

/*
 * Open for reading, or with `append` also for writing at the end, where a
 * missing file is made with this mode. Who makes a file syncs its folder.
 */
enum status fs_open(struct fs_file *f, const struct fs *fs, const char *path,
	bool append, uint32_t mode, struct err *e) MUST_CHECK;

/* Safe on {.fd = -1} and twice; only what was appended can be lost by it. */
enum status fs_close(struct fs_file *f, struct err *e);

/* All of `data` at the end. When it fails, a part of it may stand there. */
enum status fs_append(
	const struct fs_file *f, struct str data, struct err *e) MUST_CHECK;

/* What was appended survives a power cut when this returns OK. */
enum status fs_sync(const struct fs_file *f, struct err *e) MUST_CHECK;

/* Make the file end after `size` bytes. */
enum status fs_cut(
	const struct fs_file *f, uint64_t size, struct err *e) MUST_CHECK;

/* Bytes in the file now, whoever wrote them. */
enum status fs_size(
	const struct fs_file *f, uint64_t *size, struct err *e) MUST_CHECK;

/* Up to `len` bytes from `at`; *got is less only at the end of the file. */
enum status fs_read_at(const struct fs_file *f, uint64_t at, void *ptr,
	size_t len, size_t *got, struct err *e) MUST_CHECK;

/* One thing below a folder. The strings live during the call. */
struct fs_entry {
	const char *path; /* root, "/" and `name` */
	const char *name; /* path below the root, with "/" */
	struct fs_info info;
};

enum fs_visit { FS_GO_ON, FS_SKIP, FS_STOP }; /* FS_SKIP: not below here */

/*
 * Visit everything below `root`, a folder before what is in it, names sorted
 * by bytes in each. Links are visited, not followed. Limits: LIMIT_PATH_DEPTH
 * steps, LIMIT_PATH_BYTES in a name, `max` entries (0: LIMIT_BUNDLE_FILES).
 * When *st is set, the walk ends with it.
 */
enum status fs_walk(const struct fs *fs, const char *root, size_t max,
	enum fs_visit (*visit)(void *user, const struct fs_entry *entry,
		enum status *st, struct err *e),
	void *user, struct err *e) MUST_CHECK;

#endif
