/*
 * vfs: a file layer for SQLite on which everything can go wrong.
 *
 * vfs_install() makes it known as "faulty". It hands all calls on to the
 * system's, and counts those that change a file or make a change last. The
 * n-th one meets the fault: the process ends there, with the disk as a killed
 * process or as a power cut leaves it, or the call fails. One process has one.
 */
#ifndef TESTS_VFS_H
#define TESTS_VFS_H

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum vfs_fault {
	VFS_NONE,
	VFS_NO_SYNC, /* quick, for tests of something else */
	VFS_KILL,    /* ends before the call */
	VFS_TORN,    /* ends with half of a write done */
	VFS_POWER,   /* ends, and what was not synced is gone */
	VFS_FULL,    /* this and all writes after it find no room */
	VFS_IO,      /* this call fails */
};

enum { VFS_EXIT = 77 };

/* What a power cut would undo. */
struct vfs_undo {
	sqlite3_file *file;
	sqlite3_int64 at, size; /* of the file before */
	int len;
	char *old;
};

static struct {
	enum vfs_fault fault;
	int at, count;
	struct vfs_undo undo[4096];
	int nundo;
	sqlite3_vfs vfs, *real;
} vfs;

struct vfs_file {
	sqlite3_file base;
	sqlite3_file *real; /* behind this struct */
};

static inline sqlite3_file *vfs_real(sqlite3_file *f)
{
	return ((struct vfs_file *)(void *)f)->real;
}

static void vfs_forget(sqlite3_file *f)
{
	int n = 0;

	for (int i = 0; i < vfs.nundo; i++)
		if (vfs.undo[i].file == f)
			free(vfs.undo[i].old);
		else
			vfs.undo[n++] = vfs.undo[i];
	vfs.nundo = n;
}

/* Remember what lies at [at, at + len), and the size. */
static void vfs_remember(sqlite3_file *f, sqlite3_int64 at, int len)
{
	struct vfs_undo *u = &vfs.undo[vfs.nundo++];

	if (vfs.nundo == 4096)
		abort();
	*u = (struct vfs_undo){.file = f, .at = at};
	f->pMethods->xFileSize(f, &u->size);
	if (at + len > u->size)
		len = u->size > at ? (int)(u->size - at) : 0;
	u->len = len;
	u->old = malloc((size_t)len + 1);
	if (len)
		f->pMethods->xRead(f, u->old, len, at);
}

static void vfs_power_cut(void)
{
	while (vfs.nundo) {
		struct vfs_undo *u = &vfs.undo[--vfs.nundo];

		if (u->len)
			u->file->pMethods->xWrite(
				u->file, u->old, u->len, u->at);
		u->file->pMethods->xTruncate(u->file, u->size);
	}
}

/* Counts a call; true: it fails. */
static int vfs_step(int writes)
{
	int now;

	/* Only without a fault may several threads be here. */
	if (vfs.fault <= VFS_NO_SYNC)
		return 0;
	now = ++vfs.count == vfs.at;
	if (vfs.fault == VFS_FULL)
		return writes && vfs.count >= vfs.at;
	if (!now)
		return 0;
	if (vfs.fault == VFS_POWER)
		vfs_power_cut();
	if (vfs.fault == VFS_KILL || vfs.fault == VFS_POWER ||
		(vfs.fault == VFS_TORN && !writes))
		_exit(VFS_EXIT);
	return vfs.fault == VFS_IO;
}

static int vfs_close(sqlite3_file *f)
{
	vfs_forget(vfs_real(f));
	return vfs_real(f)->pMethods->xClose(vfs_real(f));
}

static int vfs_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	return vfs_real(f)->pMethods->xRead(vfs_real(f), to, n, at);
}

static int vfs_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	sqlite3_file *r = vfs_real(f);
	int fails = vfs_step(1);

	if (vfs.fault == VFS_TORN && vfs.count == vfs.at) {
		r->pMethods->xWrite(r, from, n / 2, at);
		_exit(VFS_EXIT);
	}
	if (fails)
		return vfs.fault == VFS_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
	if (vfs.fault == VFS_POWER)
		vfs_remember(r, at, n);
	return r->pMethods->xWrite(r, from, n, at);
}

static int vfs_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	sqlite3_file *r = vfs_real(f);
	sqlite3_int64 old = 0;

	if (vfs_step(0))
		return SQLITE_IOERR_TRUNCATE;
	r->pMethods->xFileSize(r, &old);
	if (vfs.fault == VFS_POWER)
		vfs_remember(r, size, (int)(old > size ? old - size : 0));
	return r->pMethods->xTruncate(r, size);
}

static int vfs_sync(sqlite3_file *f, int flags)
{
	sqlite3_file *r = vfs_real(f);
	int rc;

	if (vfs.fault == VFS_NO_SYNC)
		return SQLITE_OK;
	if (vfs_step(0))
		return SQLITE_IOERR_FSYNC;
	rc = r->pMethods->xSync(r, flags);
	vfs_forget(r);
	return rc;
}

static int vfs_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return vfs_real(f)->pMethods->xFileSize(vfs_real(f), size);
}

static int vfs_lock(sqlite3_file *f, int how)
{
	return vfs_real(f)->pMethods->xLock(vfs_real(f), how);
}

static int vfs_unlock(sqlite3_file *f, int how)
{
	return vfs_real(f)->pMethods->xUnlock(vfs_real(f), how);
}

static int vfs_reserved(sqlite3_file *f, int *out)
{
	return vfs_real(f)->pMethods->xCheckReservedLock(vfs_real(f), out);
}

static int vfs_control(sqlite3_file *f, int op, void *arg)
{
	return vfs_real(f)->pMethods->xFileControl(vfs_real(f), op, arg);
}

static int vfs_sector(sqlite3_file *f)
{
	return vfs_real(f)->pMethods->xSectorSize(vfs_real(f));
}

static int vfs_traits(sqlite3_file *f)
{
	return vfs_real(f)->pMethods->xDeviceCharacteristics(vfs_real(f));
}

static int vfs_shm_map(
	sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return vfs_real(f)->pMethods->xShmMap(
		vfs_real(f), page, size, extend, out);
}

static int vfs_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return vfs_real(f)->pMethods->xShmLock(vfs_real(f), at, n, flags);
}

static void vfs_shm_barrier(sqlite3_file *f)
{
	vfs_real(f)->pMethods->xShmBarrier(vfs_real(f));
}

static int vfs_shm_unmap(sqlite3_file *f, int gone)
{
	return vfs_real(f)->pMethods->xShmUnmap(vfs_real(f), gone);
}

/* clang-format off */
static const sqlite3_io_methods vfs_methods = {
	2, vfs_close, vfs_read, vfs_write, vfs_truncate, vfs_sync, vfs_size,
	vfs_lock, vfs_unlock, vfs_reserved, vfs_control, vfs_sector, vfs_traits,
	vfs_shm_map, vfs_shm_lock, vfs_shm_barrier, vfs_shm_unmap, NULL, NULL,
};
/* clang-format on */

static int vfs_open(
	sqlite3_vfs *v, const char *path, sqlite3_file *f, int flags, int *out)
{
	struct vfs_file *file = (struct vfs_file *)(void *)f;
	int rc;

	(void)v;
	file->real = (sqlite3_file *)(void *)(file + 1);
	memset(file->real, 0, (size_t)vfs.real->szOsFile);
	file->base.pMethods = NULL;
	rc = vfs.real->xOpen(vfs.real, path, file->real, flags, out);
	if (!rc)
		file->base.pMethods = &vfs_methods;
	return rc;
}

static int vfs_delete(sqlite3_vfs *v, const char *path, int sync)
{
	(void)v;
	if (vfs_step(0))
		return SQLITE_IOERR_DELETE;
	return vfs.real->xDelete(vfs.real, path, sync);
}

/* The fault is met at call number `at`, from 1; 0: never. */
static void vfs_arm(enum vfs_fault fault, int at)
{
	vfs.fault = fault;
	vfs.at = at;
	vfs.count = 0;
}

static void vfs_install(void)
{
	vfs.real = sqlite3_vfs_find(NULL);
	vfs.vfs = *vfs.real;
	vfs.vfs.zName = "faulty";
	vfs.vfs.szOsFile = (int)sizeof(struct vfs_file) + vfs.real->szOsFile;
	vfs.vfs.xOpen = vfs_open;
	vfs.vfs.xDelete = vfs_delete;
	vfs.vfs.pNext = NULL;
	sqlite3_vfs_register(&vfs.vfs, 0);
}

#endif
