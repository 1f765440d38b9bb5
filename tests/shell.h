/*
 * shell: scripts that make what a test reads, in a folder of the test's own.
 *
 * They run in that folder and end at the first command that fails. `git` in
 * them has no configuration but a name; `at DATE` sets the date of commits,
 * `commit DATE` makes an empty one, `head TREE` one of a tree, `blob` stores
 * stdin and prints its id.
 */
#ifndef TESTS_SHELL_H
#define TESTS_SHELL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

#include "base/buf.h"

static const char shell_start[] =
	"set -eu; cd \"$0\"; umask 022\n"
	"export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1\n"
	"export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com\n"
	"export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.com\n"
	"at() { export GIT_AUTHOR_DATE=\"$1\" GIT_COMMITTER_DATE=\"$1\"; }\n"
	"at 2026-06-20T12:00:00Z\n"
	"commit() { at $1; git commit -q --allow-empty -m x; }\n"
	"blob() { git hash-object -w --stdin; }\n"
	"head() { git update-ref HEAD $(git commit-tree -m x \"$1\"); }\n";

/* The output of the script, without the last newline, until the next call. */
static const char *shell(const char *dir, const char *script)
{
	static char text[4096];
	struct buf whole = {0};
	int out[2], status = -1;
	size_t n;
	pid_t pid;

	buf_addf(&whole, "%s%s", shell_start, script);
	if (pipe(out) || (pid = fork()) < 0)
		die("test: no process");
	if (!pid) {
		dup2(out[1], 1);
		close(out[0]);
		close(out[1]);
		execl("/bin/sh", "sh", "-c", whole.ptr, dir, (char *)NULL);
		_exit(127);
	}
	buf_release(&whole);
	close(out[1]);
	FILE *f = fdopen(out[0], "re");

	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	if (f)
		fclose(f);
	while (waitpid(pid, &status, 0) < 0)
		;
	if (status)
		fail_msg("script failed: %s", script);
	while (n && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	return text;
}

/* A new folder; gone with shell_clean(). */
static inline void shell_folder(char out[64])
{
	snprintf(out, 64, "/tmp/regatta-test-XXXXXX");
	if (!mkdtemp(out))
		die("test: no folder");
}

static inline void shell_clean(const char *dir)
{
	shell(dir, "cd /; chmod -R u+w \"$0\"; rm -rf \"$0\"");
}

#endif
