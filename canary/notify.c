#include "canary/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;

/* --- one run -------------------------------------------------------------- */

static enum status spawn(
	const char *const *argv, int in, pid_t *pid, struct err *e)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, pipes;
	int failed;

	sigemptyset(&none);
	sigemptyset(&pipes);
	sigaddset(&pipes, SIGPIPE);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &pipes);
	/* A group of its own, so that all it started can be killed. */
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP |
						POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	failed = posix_spawnp(pid, argv[0], &files, &attr,
		(char *const *)(uintptr_t)argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	if (failed == ENOENT)
		return err_set(e, E_NOT_FOUND, "notify: there is no command %s",
			argv[0]);
	return failed ? err_sys(e, failed, "notify: %s", argv[0]) : OK;
}

static int left_ms(int64_t end_ns)
{
	int64_t left = (end_ns - clock_mono(&clock_system)) / NS_PER_MS;

	return left > 0 ? (int)left : 0;
}

/* A command that does not read has what fits into the pipe. */
static void feed(int to, struct str text, int64_t end_ns)
{
	struct pollfd p = {.fd = to, .events = POLLOUT};
	size_t at = 0;

	while (at < text.len && poll(&p, 1, left_ms(end_ns)) > 0) {
		ssize_t n = write(to, text.ptr + at, text.len - at);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return;
		at += n > 0 ? (size_t)n : 0;
	}
}

/* Looks every 10 ms: there is no call that waits for a child and a time. */
static bool wait_for(pid_t pid, int64_t end_ns, int *how)
{
	for (;;) {
		pid_t got = waitpid(pid, how, WNOHANG);

		if (got == pid || (got < 0 && errno != EINTR))
			return true;
		if (!left_ms(end_ns))
			return false;
		clock_sleep(&clock_system, 10 * NS_PER_MS);
	}
}

static enum status finish(const char *name, pid_t pid, int limit_ms,
	int64_t end_ns, struct err *e)
{
	int how = 0;

	if (!wait_for(pid, end_ns, &how)) {
		kill(-pid, SIGKILL);
		waitpid(pid, &how, 0);
		return err_set(e, E_CANCELED,
			"notify: %s took more than %d ms and was ended", name,
			limit_ms);
	}
	if (WIFEXITED(how) && !WEXITSTATUS(how))
		return OK;
	return err_set(e, E_IO, "notify: %s ended with %s %d", name,
		WIFEXITED(how) ? "code" : "signal",
		WIFEXITED(how) ? WEXITSTATUS(how) : WTERMSIG(how));
}

static void mask_pipes(int how)
{
	sigset_t pipes;

	sigemptyset(&pipes);
	sigaddset(&pipes, SIGPIPE);
	pthread_sigmask(how, &pipes, NULL);
}

/* Of this thread, if it has come: so that unmasking does not let it in. */
static void drop_pipe_signal(void)
{
	static const struct timespec now;
	sigset_t pipes;

	sigemptyset(&pipes);
	sigaddset(&pipes, SIGPIPE);
	while (sigtimedwait(&pipes, NULL, &now) < 0 && errno == EINTR)
		continue;
}

enum status notify_run(
	const char *const *argv, struct str text, int limit_ms, struct err *e)
{
	int64_t end = clock_mono(&clock_system) + limit_ms * NS_PER_MS;
	int ends[2];
	pid_t pid = 0;
	enum status st;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "notify: a pipe");
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	st = spawn(argv, ends[0], &pid, e);
	close(ends[0]);
	if (!st) {
		mask_pipes(SIG_BLOCK);
		feed(ends[1], text, end);
		drop_pipe_signal();
		mask_pipes(SIG_UNBLOCK);
	}
	close(ends[1]);
	return st ? st : finish(argv[0], pid, limit_ms, end, e);
}

/* --- a thread for them ---------------------------------------------------- */

struct notifier {
	char **argv;
	void (*failed)(void *user, const struct err *e);
	void *user;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	char *waiting[NOTIFY_WAITING]; /* a ring */
	unsigned first, n;
	bool stop;
};

/* The oldest; NULL: it is to stop. */
static char *next(struct notifier *n)
{
	char *text = NULL;

	pthread_mutex_lock(&n->lock);
	while (!n->stop && !n->n)
		pthread_cond_wait(&n->more, &n->lock);
	if (!n->stop) {
		text = n->waiting[n->first];
		n->first = (n->first + 1) % NOTIFY_WAITING;
		n->n--;
	}
	pthread_mutex_unlock(&n->lock);
	return text;
}

static void *run(void *arg)
{
	struct notifier *n = arg;
	char *text;

	while ((text = next(n)) != NULL) {
		struct err e = {0};

		if (notify_run((const char *const *)n->argv, str_from(text),
			    NOTIFY_LIMIT_MS, &e) &&
			n->failed)
			n->failed(n->user, &e);
		free(text);
	}
	return NULL;
}

static char *copy(struct str s)
{
	char *p = malloc(s.len + 2);

	if (!p)
		die("out of memory: notify");
	memcpy(p, s.ptr, s.len);
	p[s.len] = '\0';
	return p;
}

struct notifier *notifier_new(const char *const *argv,
	void (*failed)(void *user, const struct err *e), void *user)
{
	struct notifier *n = calloc(1, sizeof(*n));
	size_t len = 0;

	while (argv[len])
		len++;
	if (!n || !(n->argv = calloc(len + 1, sizeof(*n->argv))))
		die("out of memory: notify");
	for (size_t i = 0; i < len; i++)
		n->argv[i] = copy(str_from(argv[i]));
	n->failed = failed;
	n->user = user;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->more, NULL);
	if (pthread_create(&n->thread, NULL, run, n))
		die("no thread for notify");
	return n;
}

void notifier_tell(struct notifier *n, struct str text)
{
	char *line = copy(text);

	line[text.len] = '\n';
	line[text.len + 1] = '\0';
	pthread_mutex_lock(&n->lock);
	if (n->n == NOTIFY_WAITING) {
		free(n->waiting[n->first]);
		n->first = (n->first + 1) % NOTIFY_WAITING;
		n->n--;
	}
	n->waiting[(n->first + n->n++) % NOTIFY_WAITING] = line;
	pthread_cond_signal(&n->more);
	pthread_mutex_unlock(&n->lock);
}

void notifier_free(struct notifier *n)
{
	if (!n)
		return;
	pthread_mutex_lock(&n->lock);
	n->stop = true;
	pthread_cond_signal(&n->more);
	pthread_mutex_unlock(&n->lock);
	pthread_join(n->thread, NULL);
	while (n->n--)
		free(n->waiting[(n->first + n->n) % NOTIFY_WAITING]);
	for (size_t i = 0; n->argv[i]; i++)
		free(n->argv[i]);
	free(n->argv);
	pthread_cond_destroy(&n->more);
	pthread_mutex_destroy(&n->lock);
	free(n);
}
