/*
 * bench_run: what a command costs.
 *
 *	bench_run COMMAND [ARGUMENT...]
 *
 * Runs it, and says as the last line of standard error: its exit status (128
 * and the signal, when one ended it), seconds of processor time in user and
 * system mode, seconds until it ended, and KiB resident at most. A program of
 * its own, and a small one, because a process also counts the memory of the one
 * that started it.
 */
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	int64_t began = clock_mono(&clock_system), took;
	struct rusage use;
	int status, error;
	pid_t pid;

	if (argc < 2)
		die("usage: bench_run COMMAND [ARGUMENT...]");
	error = posix_spawnp(&pid, argv[1], NULL, NULL, argv + 1, environ);
	if (error)
		die("%s: %s", argv[1], strerror(error));
	if (wait4(pid, &status, 0, &use) != pid)
		die("%s: lost", argv[1]);
	took = clock_mono(&clock_system) - began;
	status = WIFEXITED(status) ? WEXITSTATUS(status)
				   : 128 + WTERMSIG(status);
	fprintf(stderr, "\n%d %.6f %.6f %ld\n", status,
		seconds(use.ru_utime) + seconds(use.ru_stime),
		(double)took / NS_PER_S, use.ru_maxrss);
	return status;
}
