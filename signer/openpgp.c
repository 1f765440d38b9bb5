#include "signer/openpgp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

/* --- judging -------------------------------------------------------------- */

static struct str field(struct str line, unsigned at)
{
	struct str word = str_take(&line, S(" "));

	while (at--)
		word = str_take(&line, S(" "));
	return word;
}

/* clang-format off */
/* Lines after which a signature does not count. */
static const struct {
	const char *keyword;
	enum status st;
	const char *why;
} refusals[] = {
	{"BADSIG",     E_DENIED,    "the signature does not fit what is signed"},
	{"EXPSIG",     E_DENIED,    "the signature has ended"},
	{"EXPKEYSIG",  E_DENIED,    "its key has ended"},
	{"KEYEXPIRED", E_DENIED,    "its key has ended"},
	{"REVKEYSIG",  E_DENIED,    "its key was revoked"},
	{"KEYREVOKED", E_DENIED,    "its key was revoked"},
	{"NO_PUBKEY",  E_NOT_FOUND, "its key is not in the keyring"},
	{"NODATA",     E_DENIED,    "there is no OpenPGP signature in it"},
	{"FAILURE",    E_DENIED,    "gpgv failed"},
	{"ERROR",      E_DENIED,    "gpgv failed"},
	{"UNEXPECTED", E_DENIED,    "there is more than a signature in it"},
};
/* clang-format on */

struct judge {
	unsigned sigs, good, valid;
	struct str who, fingerprint, hash;
	enum status st;
	const char *why;
	struct str key; /* that the refusal names */
};

static void take_status(struct judge *j, struct str line)
{
	struct str rest = line, keyword = str_take(&rest, S(" "));

	if (str_is(keyword, "NEWSIG"))
		j->sigs++;
	if (str_is(keyword, "GOODSIG")) {
		j->good++;
		str_take(&rest, S(" "));
		j->who = rest;
	} else if (str_is(keyword, "VALIDSIG")) {
		j->valid++;
		j->fingerprint = field(rest, 9);
		if (!j->fingerprint.len)
			j->fingerprint = field(rest, 0);
		j->hash = field(rest, 7);
	}
	for (size_t i = 0; i < COUNT(refusals); i++)
		/* Why the key is wanted says more than that it failed. */
		if (str_is(keyword, refusals[i].keyword) &&
			(!j->why || refusals[i].st == E_NOT_FOUND)) {
			j->st = refusals[i].st;
			j->why = refusals[i].why;
			j->key = field(rest, 0);
		}
}

static void take_lines(struct judge *j, struct str status)
{
	static const struct str front = STR("[GNUPG:] ");

	while (status.len) {
		struct str line = str_take(&status, S("\n"));

		if (str_starts(line, front))
			take_status(j, str_slice(line, front.len, line.len));
	}
}

/* MD5, SHA-1 and RIPEMD-160, of which two texts with one sum can be made. */
static bool is_weak(struct str hash)
{
	return str_is(hash, "1") || str_is(hash, "2") || str_is(hash, "3");
}

/* gpgv escapes what is no UTF-8 or controls a terminal, but not all. */
static const char *shown(struct arena *a, struct str s)
{
	char *text = arena_strdup(a, str_slice(s, 0, 200));

	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return utf8_valid(text, strlen(text)) ? text
					      : "(a name that is no UTF-8)";
}

enum status openpgp_judge(struct openpgp_signer *out, struct str status,
	bool ended_well, struct arena *a, struct err *e)
{
	struct judge j = {0};

	take_lines(&j, status);
	if (j.why)
		return err_set(e, j.st, "%s%s%s", j.why, j.key.len ? ": " : "",
			shown(a, j.key));
	if (j.sigs != 1 || j.good != 1 || j.valid != 1)
		return err_set(e, E_DENIED,
			"%u signatures, of which %u are good and %u valid; one "
			"is wanted",
			j.sigs, j.good, j.valid);
	if (!ended_well)
		return err_set(e, E_DENIED, "gpgv did not end well");
	if (is_weak(j.hash))
		return err_set(e, E_DENIED,
			"it was made with a digest that is no longer safe");
	*out = (struct openpgp_signer){
		shown(a, j.who), shown(a, j.fingerprint)};
	return OK;
}

/* --- the child ------------------------------------------------------------ */

/* What is passed to gpgv, and as which of its descriptors. */
enum { FD_STATUS = 1, FD_SIGNATURE = 3, FD_MESSAGE, FD_KEYRING, FD_END };

static void limit(__rlimit_resource_t what, rlim_t n)
{
	struct rlimit r = {n, n};

	if (setrlimit(what, &r))
		_exit(126);
}

/* Between fork and exec: only what is safe there. */
static void confine(void)
{
	limit(RLIMIT_CPU, OPENPGP_SECONDS);
	limit(RLIMIT_AS, (rlim_t)512 << 20);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, 64);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		_exit(126);
	/* Where that is not allowed, gpgv has no reason to use it anyway. */
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		errno = 0;
}

static _Noreturn void become_gpgv(const int fds[FD_END])
{
	static char *const argv[] = {"gpgv", "--status-fd", "1", "--keyring",
		"/proc/self/fd/5", "/proc/self/fd/3", "/proc/self/fd/4", NULL};
	static char *const env[] = {"LC_ALL=C", "HOME=/nonexistent",
		"GNUPGHOME=/nonexistent", NULL};
	int null = fcntl(open("/dev/null", O_RDWR | O_CLOEXEC), F_DUPFD, 20);

	/* Out of the way of the numbers they are given. */
	int high[FD_END];

	for (int fd = FD_STATUS; fd < FD_END; fd++)
		high[fd] = fds[fd] < 0 ? -1 : fcntl(fds[fd], F_DUPFD, 20);
	for (int fd = FD_STATUS; fd < FD_END; fd++)
		if (high[fd] >= 0 && dup2(high[fd], fd) < 0)
			_exit(126);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 2) < 0 ||
		close_range(FD_END, ~0U, 0))
		_exit(126);
	confine();
	execve(OPENPGP_PROGRAM, argv, env);
	_exit(127);
}

static int memory_of(const char *name, struct str s)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	size_t at = 0;

	while (fd >= 0 && at < s.len) {
		ssize_t n = write(fd, s.ptr + at, s.len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(fd);
			return -1;
		}
		at += (size_t)n;
	}
	if (fd >= 0 && lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* All it says, until it closes its end; false: too long, or too much. */
static bool listen_to(int fd, struct buf *out)
{
	int64_t end = clock_mono(&clock_system) + OPENPGP_SECONDS * NS_PER_S;
	char part[4096];

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = end - clock_mono(&clock_system);
		int rc =
			left > 0 ? poll(&p, 1, (int)(left / NS_PER_MS) + 1) : 0;

		if (rc < 0 && errno == EINTR)
			continue;
		if (rc <= 0)
			return false;
		ssize_t n = read(fd, part, sizeof(part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		buf_add(out, part, (size_t)n);
		if (out->len > OPENPGP_STATUS)
			return false;
	}
}

static enum status ended(int status, bool heard, bool *well, struct err *e)
{
	if (!heard)
		return err_set(e, E_DENIED,
			"gpgv took more than %d s or said too much",
			OPENPGP_SECONDS);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(e, E_UNSUPPORTED,
			"there is no %s to judge OpenPGP signatures; install "
			"gpgv",
			OPENPGP_PROGRAM);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 126)
		return err_set(e, E_UNSUPPORTED, "gpgv could not be confined");
	*well = WIFEXITED(status) && !WEXITSTATUS(status);
	return OK;
}

static enum status run(
	int fds[FD_END], int from, struct buf *said, bool *well, struct err *e)
{
	int status = 0;
	bool heard;
	pid_t pid = fork();

	if (pid < 0)
		return err_sys(e, errno, "starting gpgv");
	if (!pid)
		become_gpgv(fds);
	close(fds[FD_STATUS]);
	fds[FD_STATUS] = -1;
	heard = listen_to(from, said);
	if (!heard)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return ended(status, heard, well, e);
}

enum status openpgp_verify(struct openpgp_signer *out, struct str keyring,
	struct str signature, struct str message, struct arena *a,
	struct err *e)
{
	int ends[2], fds[FD_END] = {-1, -1, -1, -1, -1, -1};
	struct buf said = {0};
	enum status st = OK;
	bool well = false;

	if (pipe2(ends, O_CLOEXEC))
		return err_sys(e, errno, "starting gpgv");
	fds[FD_STATUS] = ends[1];
	fds[FD_SIGNATURE] = memory_of("signature", signature);
	fds[FD_MESSAGE] = memory_of("message", message);
	fds[FD_KEYRING] = memory_of("keyring", keyring);
	for (int fd = FD_SIGNATURE; fd < FD_END && !st; fd++)
		if (fds[fd] < 0)
			st = err_sys(e, errno, "passing it to gpgv");
	if (!st)
		st = run(fds, ends[0], &said, &well, e);
	if (!st)
		st = openpgp_judge(out, buf_str(&said), well, a, e);
	close(ends[0]);
	for (int fd = FD_STATUS; fd < FD_END; fd++)
		if (fds[fd] >= 0)
			close(fds[fd]);
	buf_release(&said);
	return st;
}
