/* state_site: a state folder for a test, and shorthand for its changes. */
#ifndef TESTS_STATE_SITE_H
#define TESTS_STATE_SITE_H

#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "canary/state.h"
#include "tests/test.h"
#include "tests/vfs.h"

#define HOURS(n) ((n)*3600 * NS_PER_S)

enum { ALL_ROLES = ROLE_CI | ROLE_RELEASE | ROLE_ONCALL | ROLE_ENGINE };

static struct {
	char dir[64];
	struct state *state;
	struct arena arena;
	int64_t now;
	struct state_result result;
	struct err err;
} site;

static void site_open(void)
{
	struct state_options o = {.vfs = "faulty", .create = true};
	struct err e = {0};

	assert_ok(state_open(&site.state, site.dir, &o, &e), &e);
}

/* Another connection to the same folder. */
static inline struct state *site_beside(void)
{
	struct state_options o = {.vfs = "faulty", .busy_ms = 20000};
	struct state *s;
	struct err e = {0};

	if (state_open(&s, site.dir, &o, &e))
		die("%s", e.text);
	return s;
}

static int site_setup(void **state)
{
	(void)state;
	if (!vfs.real)
		vfs_install();
	vfs_arm(VFS_NO_SYNC, 0);
	snprintf(site.dir, sizeof(site.dir), "/tmp/regatta-state-XXXXXX");
	if (!mkdtemp(site.dir))
		return -1;
	site.now = INT64_C(1780000000) * NS_PER_S;
	site_open();
	return 0;
}

static int site_remove(
	const char *path, const struct stat *sb, int kind, struct FTW *where)
{
	(void)sb, (void)kind, (void)where;
	return remove(path);
}

static int site_teardown(void **state)
{
	(void)state;
	vfs_arm(VFS_NONE, 0);
	state_close(site.state);
	site.state = NULL;
	arena_release(&site.arena);
	return nftw(site.dir, site_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static inline struct channel site_channel(const char *bundle)
{
	struct channel c;
	struct err e = {0};

	assert_ok(state_channel(
			  site.state, str_from(bundle), &site.arena, &c, &e),
		&e);
	return c;
}

/* A change on the generation that `s` has now, unless it names another. */
static inline enum status site_apply_on(struct state *s, const char *bundle,
	struct channel_event ev, struct state_result *out, struct err *e)
{
	struct state_change change = {
		.bundle = str_from(bundle), .event = ev, .now_ns = site.now};
	struct channel_event *to = &change.event;

	if (!to->who.len)
		to->who = S("ana");
	if (!to->roles)
		to->roles = ALL_ROLES;
	if (!to->why.len)
		to->why = S("because");
	return state_apply(s, &change, out, e);
}

static inline enum status site_apply(
	const char *bundle, struct channel_event ev)
{
	site.now += NS_PER_S;
	memset(&site.err, 0, sizeof(site.err));
	return site_apply_on(site.state, bundle, ev, &site.result, &site.err);
}

#define SITE_OK(bundle, ...)                                                   \
	assert_ok(site_apply(bundle, (struct channel_event){__VA_ARGS__}),     \
		&site.err)

static inline struct channel_version site_version(
	const char *revision, int order)
{
	char *digest = arena_alloc(&site.arena, 65);

	memset(digest, 'a' + order % 6, 64);
	snprintf(digest, 65, "%04x", (unsigned)order);
	digest[4] = 'a';
	return (struct channel_version){.revision = str_from(revision),
		.digest = str_make(digest, 64),
		.commit = str_from(revision),
		.commit_time = 1000 + order,
		.order = order};
}

static void site_publish(const char *bundle, const char *revision, int order)
{
	SITE_OK(bundle, .kind = EVENT_PUBLISH,
		.version = site_version(revision, order));
}

static void site_start(const char *bundle, const char *revision)
{
	SITE_OK(bundle, .kind = EVENT_START, .force = true,
		.version = {.revision = str_from(revision)});
}

static void site_advance(
	const char *bundle, enum channel_event_kind kind, bool all)
{
	static struct str canaries[] = {STR("t1"), STR("t2")};
	struct channel c = site_channel(bundle);

	SITE_OK(bundle, .kind = kind, .expect = c.generation, .all = all,
		.targets = all ? NULL : canaries, .ntargets = all ? 0 : 2,
		.evidence = S("verdict"));
}

static void site_bake(const char *bundle, const char *revision)
{
	site_start(bundle, revision);
	site_advance(bundle, EVENT_EXPOSE, false);
	site_advance(bundle, EVENT_CONVERGED, false);
}

static void site_release(const char *bundle, const char *revision)
{
	site_bake(bundle, revision);
	site_advance(bundle, EVENT_EXPOSE, true);
	site_advance(bundle, EVENT_CONVERGED, true);
	site_advance(bundle, EVENT_SUCCEED, true);
}

static void site_verify(struct state *s)
{
	struct ledger_report report;
	struct err e = {0};

	assert_ok(ledger_verify(s, NULL, NULL, &report, &e), &e);
	assert_num(report.signed_until, report.lines);
}

/*
 * In a child: what `act` does to the folder, up to the fault at the n-th call
 * that changes a file. True when it came to its end; *acked, which the child
 * shares (or NULL), that it did before it closed the folder.
 */
static inline bool site_crash(
	enum status (*act)(struct state *s, struct err *e),
	enum vfs_fault fault, int n, bool *acked)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		struct state_options o = {.vfs = "faulty"};
		struct state *s;
		struct err e = {0};

		alarm(60);
		vfs_arm(fault, n);
		if (state_open(&s, site.dir, &o, &e) || act(s, &e)) {
			fprintf(stderr, "%s\n", e.text);
			_exit(2);
		}
		if (acked)
			*acked = true;
		state_close(s);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status))
		assert_num(WEXITSTATUS(status), VFS_EXIT);
	return !WEXITSTATUS(status);
}

#endif
