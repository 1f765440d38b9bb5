#include "base/fs.h"
#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the seam ------------------------------------------------------------ */

static int fault_before(void *user, enum fs_op op, const char *path)
{
	struct fs_fault *f = user;
	unsigned n = ++f->calls[op];

	(void)path;
	if (op != f->op || !f->at)
		return 0;
	return n == f->at || (f->sticky && n > f->at) ? f->errnum : 0;
}

void fs_fault_init(struct fs_fault *f, enum fs_op op, unsigned at, int errnum)
{
	*f = (struct fs_fault){
		.fs = {fault_before, f}, .op = op, .at = at, .errnum = errnum};
}

/* True when the call must not be made; errno says why. */
static bool refused(const struct fs *fs, enum fs_op op, const char *path)
{
	int errnum = fs && fs->before ? fs->before(fs->user, op, path) : 0;

	if (errnum)
		errno = errnum;
	return errnum != 0;
}

static int sys_open(
	const struct fs *fs, const char *path, int flags, mode_t mode)
{
	int fd;

	if (refused(fs, FS_OPEN, path))
		return -1;
	do
		fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

static ssize_t sys_read(
	const struct fs *fs, const char *path, int fd, void *buf, size_t len)
{
	ssize_t n;

	if (refused(fs, FS_READ, path))
		return -1;
	do
		n = read(fd, buf, len);
	while (n < 0 && errno == EINTR);
	return n;
}

static ssize_t sys_write(const struct fs *fs, const char *path, int fd,
	const void *buf, size_t len)
{
	ssize_t n;

	if (refused(fs, FS_WRITE, path))
		return -1;
	do
		n = write(fd, buf, len);
	while (n < 0 && errno == EINTR);
	return n;
}

static int sys_sync(const struct fs *fs, const char *path, int fd)
{
	return refused(fs, FS_SYNC, path) ? -1 : fsync(fd);
}

/* The descriptor is gone in any case, also when the close "fails". */
static int sys_close(const struct fs *fs, const char *path, int fd)
{
	bool no = refused(fs, FS_CLOSE, path);
	int errnum = errno, ret = close(fd);

	if (!no)
		return ret;
	errno = errnum;
	return -1;
}

/* --- files --------------------------------------------------------------- */

enum status fs_stat(const struct fs *fs, const char *path, struct fs_info *out,
	struct err *e)
{
	struct fs_info info = {0};
	struct stat sb;

	if (refused(fs, FS_STAT, path) || lstat(path, &sb) < 0) {
		if (errno != ENOENT)
			return err_sys(e, errno, "looking at %s", path);
		*out = info;
		return OK;
	}
	if (S_ISREG(sb.st_mode))
		info.kind = FS_FILE;
	else if (S_ISDIR(sb.st_mode))
		info.kind = FS_DIR;
	else
		info.kind = S_ISLNK(sb.st_mode) ? FS_LINK : FS_OTHER;
	info.size = (uint64_t)sb.st_size;
	info.mode = sb.st_mode & 07777u;
	*out = info;
	return OK;
}

/*
 * Up to `max` bytes and one more, which tells that there are too many. The
 * size that stat() gives is only a hint: pipes have none, files grow.
 */
static enum status read_all(const struct fs *fs, const char *path, int fd,
	size_t max, struct buf *out, struct err *e)
{
	size_t start = out->len;
	struct stat sb;
	size_t step = KIB(64);

	if (!fstat(fd, &sb) && sb.st_size > 0)
		step = (size_t)sb.st_size + 1;
	for (;;) {
		size_t room = max - (out->len - start);
		size_t want = step <= room ? step : room + 1;
		ssize_t n =
			sys_read(fs, path, fd, buf_reserve(out, want), want);

		if (n < 0)
			return err_sys(e, errno, "reading %s", path);
		if (n == 0) {
			out->ptr[out->len] = '\0'; /* also of an empty file */
			return OK;
		}
		if ((size_t)n > room)
			return err_set(e, E_LIMIT, "%s has more than %zu bytes",
				path, max);
		out->len += (size_t)n;
		out->ptr[out->len] = '\0';
		step = KIB(64);
	}
}

enum status fs_read(const struct fs *fs, const char *path, size_t max,
	struct buf *out, struct err *e)
{
	size_t start = out->len;
	enum status st;
	int fd = sys_open(fs, path, O_RDONLY, 0);

	if (fd < 0)
		return err_sys(e, errno, "opening %s", path);
	st = read_all(fs, path, fd, max, out, e);
	if (sys_close(fs, path, fd) < 0 && !st)
		st = err_sys(e, errno, "closing %s", path);
	if (st) {
		out->len = start;
		if (out->ptr)
			out->ptr[start] = '\0';
	}
	return st;
}

static enum status write_all(const struct fs *fs, const char *path, int fd,
	struct str data, struct err *e)
{
	size_t at = 0;

	while (at < data.len) {
		ssize_t n =
			sys_write(fs, path, fd, data.ptr + at, data.len - at);

		if (n < 0)
			return err_sys(e, errno, "writing %s", path);
		at += (size_t)n;
	}
	return OK;
}

/* A new file at `path`, on the disk when this returns OK. */
static enum status write_new(const struct fs *fs, const char *path,
	struct str data, uint32_t mode, struct err *e)
{
	enum status st;
	int fd = sys_open(fs, path, O_WRONLY | O_CREAT | O_EXCL, mode);

	if (fd < 0)
		return err_sys(e, errno, "creating %s", path);
	st = write_all(fs, path, fd, data, e);
	if (!st && sys_sync(fs, path, fd) < 0)
		st = err_sys(e, errno, "syncing %s", path);
	if (sys_close(fs, path, fd) < 0 && !st)
		st = err_sys(e, errno, "closing %s", path);
	if (st)
		unlink(path);
	return st;
}

static enum status rename_over(
	const struct fs *fs, const char *from, const char *to, struct err *e)
{
	enum status st;

	if (!refused(fs, FS_RENAME, to) && !rename(from, to))
		return OK;
	st = err_sys(e, errno, "renaming %s to %s", from, to);
	unlink(from);
	return st;
}

/* The folder that holds `path`. */
static void parent(struct buf *out, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		buf_adds(out, ".");
	else
		buf_add(out, path, slash == path ? 1 : (size_t)(slash - path));
}

/*
 * A name beside `path` that no other writer takes: the process is one part,
 * a count within it the other. What a killed process of the same number left
 * there is stale and goes. A long name is cut, to leave room for the rest.
 */
static void beside(struct buf *out, const char *path)
{
	enum { REST = 40 }; /* two numbers, punctuation, ".tmp" */
	static unsigned count;
	unsigned n = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
	const char *slash = strrchr(path, '/');
	size_t len = strlen(path);
	size_t dir = slash ? (size_t)(slash - path) + 1 : 0;

	if (len - dir > LIMIT_PATH_COMPONENT - REST)
		len = dir + LIMIT_PATH_COMPONENT - REST;
	buf_add(out, path, len);
	buf_addf(out, ".%ld-%u.tmp", (long)getpid(), n);
}

enum status fs_write(const struct fs *fs, const char *path, struct str data,
	uint32_t mode, struct err *e)
{
	struct buf temp = {0}, dir = {0};
	enum status st;

	beside(&temp, path);
	parent(&dir, path);
	st = write_new(fs, temp.ptr, data, mode, e);
	if (st == E_EXISTS && !unlink(temp.ptr))
		st = write_new(fs, temp.ptr, data, mode, e);
	if (!st)
		st = rename_over(fs, temp.ptr, path, e);
	if (!st)
		st = fs_sync_dir(fs, dir.ptr, e);
	buf_release(&temp);
	buf_release(&dir);
	return st;
}

enum status fs_sync_dir(const struct fs *fs, const char *path, struct err *e)
{
	enum status st = OK;
	int fd = sys_open(fs, path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return err_sys(e, errno, "opening %s", path);
	if (sys_sync(fs, path, fd) < 0)
		st = err_sys(e, errno, "syncing %s", path);
	if (sys_close(fs, path, fd) < 0 && !st)
		st = err_sys(e, errno, "closing %s", path);
	return st;
}

/*
 * A lock belongs to an open file, so one process that opens it twice has two
 * to hold. Waiting is trying again: a blocking call could not be given up.
 */
static enum status lock_fd(const struct fs *fs, const char *path, int fd,
	int64_t wait_ns, struct err *e)
{
	int64_t end = clock_mono(&clock_system) + wait_ns;

	while (refused(fs, FS_LOCK, path) || flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, errno, "locking %s", path);
		if (clock_mono(&clock_system) >= end)
			return err_set(e, E_CONFLICT,
				"%s is locked by another process", path);
		clock_sleep(&clock_system, 5 * NS_PER_MS);
	}
	return OK;
}

enum status fs_lock(const struct fs *fs, const char *path, int64_t wait_ns,
	int *fd, struct err *e)
{
	enum status st;
	int got = sys_open(fs, path, O_RDWR | O_CREAT, 0644);

	if (got < 0)
		return err_sys(e, errno, "opening %s", path);
	st = lock_fd(fs, path, got, wait_ns, e);
	if (st)
		close(got);
	else
		*fd = got;
	return st;
}

void fs_unlock(int fd)
{
	close(fd);
}

enum status fs_rename(
	const struct fs *fs, const char *from, const char *to, struct err *e)
{
	if (refused(fs, FS_RENAME, to) || rename(from, to) < 0)
		return err_sys(e, errno, "renaming %s to %s", from, to);
	return OK;
}

enum status fs_remove(const struct fs *fs, const char *path, struct err *e)
{
	if (refused(fs, FS_REMOVE, path) || remove(path) < 0)
		return err_sys(e, errno, "removing %s", path);
	return OK;
}

/* --- files that stay open ------------------------------------------------ */

enum status fs_open(struct fs_file *f, const struct fs *fs, const char *path,
	bool append, uint32_t mode, struct err *e)
{
	int flags = append ? O_RDWR | O_APPEND | O_CREAT : O_RDONLY;
	int fd = sys_open(fs, path, flags, mode);

	if (fd < 0)
		return err_sys(e, errno, "opening %s", path);
	*f = (struct fs_file){fs, path, fd};
	return OK;
}

enum status fs_close(struct fs_file *f, struct err *e)
{
	int fd = f->fd;

	f->fd = -1;
	if (fd >= 0 && sys_close(f->fs, f->path, fd) < 0)
		return err_sys(e, errno, "closing %s", f->path);
	return OK;
}

enum status fs_append(const struct fs_file *f, struct str data, struct err *e)
{
	return write_all(f->fs, f->path, f->fd, data, e);
}

enum status fs_sync(const struct fs_file *f, struct err *e)
{
	if (sys_sync(f->fs, f->path, f->fd) < 0)
		return err_sys(e, errno, "syncing %s", f->path);
	return OK;
}

enum status fs_cut(const struct fs_file *f, uint64_t size, struct err *e)
{
	if (refused(f->fs, FS_CUT, f->path) ||
		ftruncate(f->fd, (off_t)size) < 0)
		return err_sys(e, errno, "cutting %s", f->path);
	return OK;
}

enum status fs_size(const struct fs_file *f, uint64_t *size, struct err *e)
{
	struct stat sb;

	if (refused(f->fs, FS_STAT, f->path) || fstat(f->fd, &sb) < 0)
		return err_sys(e, errno, "looking at %s", f->path);
	*size = (uint64_t)sb.st_size;
	return OK;
}

enum status fs_read_at(const struct fs_file *f, uint64_t at, void *ptr,
	size_t len, size_t *got, struct err *e)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = -1;

		if (!refused(f->fs, FS_READ, f->path))
			n = pread(f->fd, (char *)ptr + have, len - have,
				(off_t)(at + have));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "reading %s", f->path);
		if (n == 0)
			break;
		have += (size_t)n;
	}
	*got = have;
	return OK;
}

/* --- folders ------------------------------------------------------------- */

static enum status mkdir_one(
	const struct fs *fs, const char *path, uint32_t mode, struct err *e)
{
	struct stat sb;

	if (!refused(fs, FS_MKDIR, path) && !mkdir(path, mode))
		return OK;
	if (errno == EEXIST && !stat(path, &sb)) {
		if (S_ISDIR(sb.st_mode))
			return OK;
		return err_set(e, E_IO,
			"making folder %s: a file of that name is in the way",
			path);
	}
	return err_sys(e, errno, "making folder %s", path);
}

enum status fs_mkdirs(
	const struct fs *fs, const char *path, uint32_t mode, struct err *e)
{
	struct buf b = {0};
	enum status st = OK;

	buf_adds(&b, path);
	for (size_t i = 1; i < b.len && !st; i++) {
		if (b.ptr[i] != '/' || b.ptr[i - 1] == '/')
			continue;
		b.ptr[i] = '\0';
		st = mkdir_one(fs, b.ptr, mode, e);
		b.ptr[i] = '/';
	}
	if (!st)
		st = mkdir_one(fs, path, mode, e);
	buf_release(&b);
	return st;
}

static int by_bytes(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* The next name, NULL at the end or on an error; errno is 0 at the end. */
static const char *next_name(const struct fs *fs, const char *path, DIR *dir)
{
	struct dirent *d;

	do {
		if (refused(fs, FS_LIST, path))
			return NULL;
		errno = 0;
		d = readdir(dir);
	} while (d && (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..")));
	return d ? d->d_name : NULL;
}

static enum status list_open(const struct fs *fs, const char *path, DIR *dir,
	struct arena *a, const char ***names, size_t *n, struct err *e)
{
	const char **list = NULL, **grown, *name;
	size_t len = 0, cap = 0;

	while ((name = next_name(fs, path, dir))) {
		if (len == cap) {
			cap = cap ? cap * 2 : 16;
			grown = arena_array(a, cap, sizeof(*grown));
			if (len)
				memcpy(grown, list, len * sizeof(*grown));
			list = grown;
		}
		list[len++] = arena_strdup(a, str_from(name));
	}
	if (errno)
		return err_sys(e, errno, "listing %s", path);
	if (len)
		qsort(list, len, sizeof(*list), by_bytes);
	*names = list;
	*n = len;
	return OK;
}

enum status fs_list(const struct fs *fs, const char *path, struct arena *a,
	const char ***names, size_t *n, struct err *e)
{
	int fd = sys_open(fs, path, O_RDONLY | O_DIRECTORY, 0);
	enum status st;
	DIR *dir;

	if (fd < 0)
		return err_sys(e, errno, "opening %s", path);
	dir = fdopendir(fd);
	if (!dir) {
		st = err_sys(e, errno, "listing %s", path);
		close(fd);
		return st;
	}
	st = list_open(fs, path, dir, a, names, n, e);
	closedir(dir);
	return st;
}

/* --- walking
 * ------------------------------------------------------------------ */

struct walk {
	const struct fs *fs;
	enum fs_visit (*visit)(void *user, const struct fs_entry *entry,
		enum status *st, struct err *e);
	void *user;
	struct err *e;
	struct buf path;
	size_t root; /* bytes of `path` before the name of an entry */
	size_t seen, max;
	bool stop;
};

static enum status walk_dir(struct walk *w, uint32_t depth);

static enum status walk_entry(struct walk *w, uint32_t depth)
{
	struct fs_entry entry = {
		.path = w->path.ptr, .name = w->path.ptr + w->root};
	enum fs_visit next;
	enum status st;

	if (w->path.len - w->root > LIMIT_PATH_BYTES)
		return err_set(w->e, E_LIMIT, "%s: path of more than %u bytes",
			entry.path, LIMIT_PATH_BYTES);
	if (depth > LIMIT_PATH_DEPTH)
		return err_set(w->e, E_LIMIT, "%s: more than %u steps deep",
			entry.path, LIMIT_PATH_DEPTH);
	if (w->seen++ == w->max)
		return err_set(w->e, E_LIMIT, "more than %zu files and folders",
			w->max);
	st = fs_stat(w->fs, entry.path, &entry.info, w->e);
	if (st)
		return st;
	if (entry.info.kind == FS_NONE) /* removed since it was listed */
		return OK;
	next = w->visit(w->user, &entry, &st, w->e);
	w->stop = next == FS_STOP;
	if (st || next != FS_GO_ON || entry.info.kind != FS_DIR)
		return st;
	return walk_dir(w, depth + 1);
}

/* Recursion is as deep as LIMIT_PATH_DEPTH. */
static enum status walk_dir(struct walk *w, uint32_t depth)
{
	struct arena a = {0};
	const char **names = NULL;
	size_t n = 0, len = w->path.len;
	const char *path = len ? w->path.ptr : "/";
	enum status st = fs_list(w->fs, path, &a, &names, &n, w->e);

	for (size_t i = 0; i < n && !st && !w->stop; i++) {
		buf_addf(&w->path, "/%s", names[i]);
		st = walk_entry(w, depth);
		w->path.len = len;
		w->path.ptr[len] = '\0';
	}
	arena_release(&a);
	return st;
}

enum status fs_walk(const struct fs *fs, const char *root, size_t max,
	enum fs_visit (*visit)(void *user, const struct fs_entry *entry,
		enum status *st, struct err *e),
	void *user, struct err *e)
{
	struct walk w = {
		.fs = fs,
		.visit = visit,
		.user = user,
		.e = e,
		.max = max ? max : LIMIT_BUNDLE_FILES,
	};
	enum status st;

	buf_adds(&w.path, root);
	while (w.path.len && w.path.ptr[w.path.len - 1] == '/')
		w.path.ptr[--w.path.len] = '\0';
	w.root = w.path.len + 1;
	st = walk_dir(&w, 1);
	buf_release(&w.path);
	return st;
}
