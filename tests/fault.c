/*
 * fault: a library in front of libc that makes one call go wrong, for the tests
 * of whole programs.
 *
 *	LD_PRELOAD=build/fault.so FAULT_AT=12 FAULT_DO=kill regatta publish ...
 *
 * Of the calls that change files (the table below), that of number FAULT_AT,
 * counted from 1 over all of them, ends the program with SIGKILL (kill), is
 * made with SIGINT (int), or fails with the errno that FAULT_DO is, and so does
 * every later one that could for lack of room. With FAULT_LOG, a file, their
 * names are written to it, one a line. With FAULT_CLOCK the wall clock is wrong
 * by so many seconds.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_uint calls;

static void *next(const char *name)
{
	void *fn = dlsym(RTLD_NEXT, name);

	if (!fn)
		abort();
	return fn;
}

/* Not through the functions below: it would be counted. */
static void note(const char *name)
{
	const char *path = getenv("FAULT_LOG");
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path,
				O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)
		      : -1;

	if (fd < 0)
		return;
	if (syscall(SYS_write, fd, name, strlen(name)) < 0 ||
		syscall(SYS_write, fd, "\n", 1) < 0)
		abort();
	syscall(SYS_close, fd);
}

/* What must fail now: an errno; 0: nothing. */
static int fault(const char *name, int takes_room)
{
	const char *at = getenv("FAULT_AT"), *what = getenv("FAULT_DO");
	unsigned n = atomic_fetch_add(&calls, 1) + 1;
	unsigned want = at ? (unsigned)strtoul(at, NULL, 10) : 0;

	note(name);
	if (!want || !what || n < want)
		return 0;
	if (n == want && !strcmp(what, "kill"))
		syscall(SYS_kill, getpid(), SIGKILL);
	else if (n == want && !strcmp(what, "int"))
		syscall(SYS_kill, getpid(), SIGINT);
	return n == want || takes_room ? (int)strtol(what, NULL, 10) : 0;
}

/* clang-format off */
#define CALL(type, name, params, args, takes_room)                             \
	type name params;                                                      \
	type name params                                                       \
	{                                                                      \
		type(*real) params;                                            \
		int e = fault(#name, takes_room);                              \
		if (e) {                                                       \
			errno = e;                                             \
			return -1;                                             \
		}                                                              \
		*(void **)&real = next(#name);                                 \
		return real args;                                              \
	}

CALL(int, fsync, (int fd), (fd), 1)
CALL(int, fdatasync, (int fd), (fd), 1)
CALL(int, ftruncate, (int fd, off_t len), (fd, len), 0)
CALL(int, ftruncate64, (int fd, off_t len), (fd, len), 0)
CALL(int, rename, (const char *from, const char *to), (from, to), 1)
CALL(int, unlink, (const char *path), (path), 0)
CALL(int, mkdir, (const char *path, mode_t mode), (path, mode), 1)
CALL(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n), 1)
CALL(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at), 1)
CALL(ssize_t, pwrite64, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at), 1)
/* clang-format on */

/* A file that could not be closed is closed all the same. */
int close(int fd)
{
	int (*real)(int);
	int e = fault("close", 0);

	*(void **)&real = next("close");
	int rc = real(fd);

	if (!e)
		return rc;
	errno = e;
	return -1;
}

/* The wall clock is wrong by so many seconds. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	int (*real)(clockid_t, struct timespec *);
	const char *by = getenv("FAULT_CLOCK");

	*(void **)&real = next("clock_gettime");
	int rc = real(id, ts);

	if (!rc && by && id == CLOCK_REALTIME)
		ts->tv_sec += strtol(by, NULL, 10);
	return rc;
}
