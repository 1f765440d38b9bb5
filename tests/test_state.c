/* The state folder: alone, beside others, and when everything fails. */
#include "tests/state_site.h"

#include "base/db.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *at(const char *name)
{
	return arena_printf(&site.arena, "%s/%s", site.dir, name);
}

static void put(const char *name, const char *text)
{
	assert_ok(fs_write(NULL, at(name), str_from(text), 0644, &site.err),
		&site.err);
}

/* --- opening -------------------------------------------------------------- */

static void a_folder_that_is_none_is_not_made_by_looking(void **state)
{
	struct state *s;

	(void)state;
	assert_fails(state_open(&s, at("none"), NULL, &site.err), &site.err,
		E_NOT_FOUND, "is no state folder");
	assert_int_equal(access(at("none"), F_OK), -1);
}

static void what_a_newer_version_wrote_is_refused(void **state)
{
	struct state *s;

	(void)state;
	put("VERSION", "3\n");
	assert_fails(state_open(&s, site.dir, NULL, &site.err), &site.err,
		E_UNSUPPORTED, "format 3, which a newer regatta wrote");
	put("VERSION", "one\n");
	assert_fails(state_open(&s, site.dir, NULL, &site.err), &site.err,
		E_UNSUPPORTED, "name another folder");
	put("VERSION", "");
	assert_fails(state_open(&s, site.dir, NULL, &site.err), &site.err,
		E_UNSUPPORTED, "not the VERSION");
	put("VERSION", "0\n");
	assert_fails(state_open(&s, site.dir, NULL, &site.err), &site.err,
		E_UNSUPPORTED, "not the VERSION");
	put("VERSION", "2\n");
	assert_ok(state_open(&s, site.dir, NULL, &site.err), &site.err);
	state_close(s);
}

/* Before format 2 nobody asked what versions follow. */
static void make_older(void)
{
	struct db *db;

	state_close(site.state);
	put("VERSION", "1\n");
	assert_ok(db_open(&db, at(STATE_DB), NULL, &site.err), &site.err);
	assert_ok(db_script(db, "DROP TABLE ancestry; PRAGMA user_version = 1;",
			  &site.err),
		&site.err);
	db_close(db);
}

static void what_an_older_version_wrote_is_gone_on_with(void **state)
{
	struct buf text = {0};

	(void)state;
	site_publish("authz", "v1", 1);
	site_start("authz", "v1");
	make_older();
	site_open();
	assert_ok(
		fs_read(NULL, at("VERSION"), 64, &text, &site.err), &site.err);
	assert_string_equal(text.ptr, "2\n");
	SITE_OK("authz", .kind = EVENT_PUBLISH,
		.version = site_version("v2", 2), .ancestry = {S("v1"), 1});
	site_verify(site.state);
	buf_release(&text);
}

static void a_damaged_database_is_named(void **state)
{
	struct state *s;

	(void)state;
	state_close(site.state);
	site.state = NULL;
	put(STATE_DB,
		"not a database, but long enough to be looked at closely");
	assert_fails(state_open(&s, site.dir, NULL, &site.err), &site.err,
		E_INVALID, STATE_DB);
}

static void the_folder_is_its_owners(void **state)
{
	struct state_options o = {.create = true};
	struct state *s;
	struct stat sb;

	(void)state;
	assert_ok(state_open(&s, at("a/b"), &o, &site.err), &site.err);
	assert_false(stat(at("a/b"), &sb));
	assert_num(sb.st_mode & 0777, 0700);
	state_close(s);
}

/* --- changes -------------------------------------------------------------- */

static void a_version_is_published_before_anything(void **state)
{
	(void)state;
	assert_fails(site_apply("platform",
			     (struct channel_event){.kind = EVENT_ROLLBACK}),
		&site.err, E_NOT_FOUND, "publish a version first");
	site_publish("platform", "v1", 1);
	assert_fails(site_apply("platform",
			     (struct channel_event){.kind = EVENT_START,
				     .version = {.revision = S("v9")}}),
		&site.err, E_NOT_FOUND, "no version v9");
	assert_fails(
		site_apply("", (struct channel_event){.kind = EVENT_PUBLISH}),
		&site.err, E_INVALID, "1 to 255 bytes");
	assert_fails(
		site_apply("x", (struct channel_event){.kind = EVENT_PUBLISH,
					.version = {.revision = S("v"),
						.digest = S("abc")}}),
		&site.err, E_INVALID, "64 hexadecimal digits");
}

static void the_same_version_again_changes_nothing(void **state)
{
	struct channel_version v = site_version("v1", 1);

	(void)state;
	site_publish("platform", "v1", 1);
	SITE_OK("platform", .kind = EVENT_PUBLISH, .version = v);
	assert_false(site.result.changed);
	assert_num(site.result.refusal, REFUSED_ALREADY);
	v.digest = site_version("v1", 2).digest;
	assert_fails(site_apply("platform",
			     (struct channel_event){
				     .kind = EVENT_PUBLISH, .version = v}),
		&site.err, E_CONFLICT, "other bytes");
	site_verify(site.state);
}

static void versions_say_when_they_were_first_good(void **state)
{
	struct state_version *list;
	struct channel c;
	size_t n;

	(void)state;
	site_publish("platform", "v1", 1);
	site_publish("platform", "v2", 2);
	site_publish("other", "v2", 2);
	site_release("platform", "v1");
	assert_ok(state_versions(site.state, S("platform"), &site.arena, &list,
			  &n, &site.err),
		&site.err);
	assert_num(n, 2);
	assert_str(list[0].v.revision, "v2");
	assert_num(list[0].first_stable_ns, 0);
	assert_num(list[1].first_stable_ns, site.now);
	assert_num(list[1].v.order, 1);
	c = site_channel("platform");
	assert_true(channel_needs(&c, S("v1")));
	assert_false(channel_needs(&c, S("v2")));
}

static void facts_about_versions_are_looked_up(void **state)
{
	(void)state;
	site_publish("platform", "v1", 1);
	site_publish("platform", "v2", 2);
	site_release("platform", "v2");
	assert_fails(site_apply("platform",
			     (struct channel_event){.kind = EVENT_START,
				     .relation = RELATION_AHEAD,
				     .version = {.revision = S("v1")}}),
		&site.err, E_CONFLICT, "late job");
	assert_fails(site_apply("platform",
			     (struct channel_event){.kind = EVENT_ROLLBACK,
				     .promoted = true,
				     .version = {.revision = S("v1")}}),
		&site.err, E_DENIED, "never reached the end");
}

static void publish_after(
	const char *revision, int order, const char *ancestors)
{
	SITE_OK("platform", .kind = EVENT_PUBLISH,
		.version = site_version(revision, order),
		.ancestry = {str_from(ancestors), 1});
}

static void a_version_of_another_line_is_refused(void **state)
{
	struct channel_event start = {
		.kind = EVENT_START, .version = {.revision = S("x3")}};

	(void)state;
	publish_after("v1", 1, "");
	publish_after("v2", 2, "v1");
	publish_after("x3", 3, "x2.v1");
	publish_after("v3", 2, "v2.v1"); /* by merge: no further than v2 */
	site_release("platform", "v2");
	assert_fails(site_apply("platform", start), &site.err, E_CONFLICT,
		"x3 (commit x3) does not follow v2 (commit v2), which is "
		"stable: history was rewritten");
	assert_int_equal(site.result.refusal, REFUSED_DIVERGENT);
	assert_false(channel_busy(site_channel("platform").state));
	start.version.revision = S("v1");
	assert_fails(site_apply("platform", start), &site.err, E_CONFLICT,
		"a late job");
	start.version.revision = S("v3");
	assert_ok(site_apply("platform", start), &site.err);
	SITE_OK("platform", .kind = EVENT_ABORT);
	start.version.revision = S("x3");
	start.allow_divergent = true;
	assert_ok(site_apply("platform", start), &site.err);
	site_verify(site.state);
}

static void a_refused_change_leaves_nothing(void **state)
{
	struct ledger_report r;

	(void)state;
	site_publish("platform", "v1", 1);
	assert_fails(site_apply("platform",
			     (struct channel_event){
				     .kind = EVENT_RESUME, .expect = 9}),
		&site.err, E_CONFLICT, "decided on generation 9");
	assert_num(site.result.refusal, REFUSED_GENERATION);
	assert_ok(ledger_verify(site.state, NULL, NULL, &r, &site.err),
		&site.err);
	assert_num(r.lines, 1);
}

/* --- calls with a key -------------------------------------------------------
 */

static enum status keyed(const char *key, struct channel_event ev)
{
	struct state_change change = {.bundle = S("platform"),
		.event = ev,
		.key = str_from(key),
		.now_ns = site.now};

	change.event.who = S("ana");
	change.event.roles = ALL_ROLES;
	change.event.why = S("because");
	return state_apply(site.state, &change, &site.result, &site.err);
}

static void the_same_call_again_has_the_first_result(void **state)
{
	struct channel_event ev = {
		.kind = EVENT_START, .version = {.revision = S("v1")}};
	struct state_result first;

	(void)state;
	site_publish("platform", "v1", 1);
	site_publish("platform", "v2", 2);
	assert_ok(keyed("call-1", ev), &site.err);
	first = site.result;
	assert_true(first.changed);
	SITE_OK("platform", .kind = EVENT_ABORT);
	assert_ok(keyed("call-1", ev), &site.err);
	assert_true(site.result.repeated);
	assert_false(site.result.changed);
	assert_num(site.result.seq, first.seq);
	assert_num(site.result.after, first.after);
	assert_num(site_channel("platform").state, CHANNEL_ABORTED);
	ev.version.revision = S("v2");
	assert_fails(keyed("call-1", ev), &site.err, E_CONFLICT,
		"used for another call");
	/* After a week the key is free again, once somebody writes. */
	site.now += HOURS(24 * STATE_KEY_DAYS + 1);
	assert_ok(keyed("call-2", ev), &site.err);
	SITE_OK("platform", .kind = EVENT_ABORT);
	assert_ok(keyed("call-1", ev), &site.err);
	assert_true(site.result.changed);
}

static void a_call_on_a_generation_is_known_without_a_key(void **state)
{
	struct channel_event ev = {.kind = EVENT_EXPOSE, .all = true};

	(void)state;
	site_publish("platform", "v1", 1);
	site_start("platform", "v1");
	ev.expect = site_channel("platform").generation;
	assert_ok(keyed("", ev), &site.err);
	assert_ok(keyed("", ev), &site.err);
	assert_true(site.result.repeated);
	ev.all = false;
	assert_fails(keyed("", ev), &site.err, E_CONFLICT, "look again");
}

/* --- all channels at once ---------------------------------------------------
 */

#define FLEET_OK(...) SITE_OK(STATE_FLEET, __VA_ARGS__)

static void one_freeze_stops_all_channels_and_those_to_come(void **state)
{
	static const char *const bundles[] = {"platform", "later"};
	struct ledger_report report;

	(void)state;
	site_publish("platform", "v1", 1);
	FLEET_OK(.kind = EVENT_FREEZE, .scope = FREEZE_ALL,
		.until_ns = site.now + HOURS(2), .why = S("the fair"));
	site_publish("later", "v1", 1);
	for (size_t i = 0; i < COUNT(bundles); i++) {
		assert_fails(site_apply(bundles[i],
				     (struct channel_event){.kind = EVENT_START,
					     .version.revision = S("v1")}),
			&site.err, E_DENIED,
			"all channels are frozen by ana (the fair)");
		assert_int_equal(site.result.refusal, REFUSED_FROZEN);
	}
	SITE_OK("later", .kind = EVENT_START, .version.revision = S("v1"),
		.if_busy = BUSY_QUEUE);
	assert_str(site_channel("later").queued.revision, "v1");
	SITE_OK("platform", .kind = EVENT_START, .version.revision = S("v1"),
		.break_glass = true);
	SITE_OK("platform", .kind = EVENT_ROLLBACK);
	FLEET_OK(.kind = EVENT_UNFREEZE, .scope = FREEZE_ALL);
	SITE_OK("later", .kind = EVENT_START, .version.revision = S("v1"));
	assert_ok(ledger_verify(site.state, NULL, NULL, &report, &site.err),
		&site.err);
	assert_true(report.lines == 8);
}

static void what_stops_automation_everywhere_lets_people_go_on(void **state)
{
	(void)state;
	site_publish("platform", "v1", 1);
	FLEET_OK(.kind = EVENT_FREEZE, .scope = FREEZE_AUTOMATION,
		.until_ns = site.now + HOURS(2));
	assert_fails(site_apply("platform",
			     (struct channel_event){.kind = EVENT_START,
				     .roles = ROLE_CI,
				     .version.revision = S("v1")}),
		&site.err, E_DENIED, "frozen by ana");
	SITE_OK("platform", .kind = EVENT_START, .version.revision = S("v1"));
}

static void the_record_of_all_is_no_channel(void **state)
{
	struct channel *list, all;
	size_t n;

	(void)state;
	assert_ok(state_fleet(site.state, &site.arena, &all, &site.err),
		&site.err);
	assert_false(all.generation);
	FLEET_OK(.kind = EVENT_FREEZE, .until_ns = site.now + HOURS(2));
	site_publish("platform", "v1", 1);
	assert_ok(state_channels(site.state, &site.arena, &list, &n, &site.err),
		&site.err);
	assert_true(n == 1);
	assert_str(list[0].bundle, "platform");
	assert_fails(state_channel(site.state, S(STATE_FLEET), &site.arena,
			     &all, &site.err),
		&site.err, E_NOT_FOUND, "no bundle \"*\"");
	for (int k = EVENT_PUBLISH; k < EVENTS; k++)
		if (k != EVENT_FREEZE && k != EVENT_UNFREEZE)
			assert_fails(
				site_apply(STATE_FLEET,
					(struct channel_event){
						.kind = (enum channel_event_kind)
							k}),
				&site.err, E_INVALID, "can't be called \"*\"");
}

static void a_key_has_a_limit(void **state)
{
	char key[STATE_KEY_MAX + 2];
	struct channel_event ev = {
		.kind = EVENT_START, .version = {.revision = S("v1")}};

	(void)state;
	site_publish("platform", "v1", 1);
	memset(key, 'k', sizeof(key));
	key[STATE_KEY_MAX + 1] = 0;
	assert_fails(keyed(key, ev), &site.err, E_INVALID, "up to 200 bytes");
	key[STATE_KEY_MAX] = 0;
	assert_ok(keyed(key, ev), &site.err);
}

/* --- beside others ----------------------------------------------------------
 */

static bool changed(struct state *s)
{
	bool yes;

	assert_ok(state_changed(s, &yes, &site.err), &site.err);
	return yes;
}

static void what_is_changed_beside_is_noticed(void **state)
{
	struct state *server = site_beside();

	(void)state;
	assert_true(changed(server)); /* the first time */
	assert_false(changed(server));
	site_publish("platform", "v1", 1);
	assert_true(changed(server));
	assert_false(changed(server));
	site_apply("platform", (struct channel_event){.kind = EVENT_RESUME});
	assert_false(changed(server)); /* it was refused */
	state_close(server);
}

static void who_waits_too_long_is_told(void **state)
{
	struct state_options o = {.busy_ms = 20};
	struct db *other;
	struct state *s;
	struct channel_event ev = {.kind = EVENT_START,
		.force = true,
		.version = {.revision = S("v1")}};

	(void)state;
	site_publish("platform", "v1", 1);
	assert_ok(state_open(&s, site.dir, &o, &site.err), &site.err);
	assert_ok(db_open(&other, at(STATE_DB), NULL, &site.err), &site.err);
	assert_ok(db_begin(other, &site.err), &site.err);
	assert_fails(site_apply_on(s, "platform", ev, &site.result, &site.err),
		&site.err, E_CONFLICT, "another process or thread holds it");
	assert_true(changed(s)); /* reading goes on */
	db_close(other);
	assert_ok(site_apply_on(s, "platform", ev, &site.result, &site.err),
		&site.err);
	state_close(s);
}

/* All start at once on a folder that is not there. */
static void many_may_make_the_folder_at_once(void **state)
{
	enum { N = 8 };
	pid_t pids[N];

	(void)state;
	for (int round = 0; round < 5; round++) {
		const char *dir = at(arena_printf(&site.arena, "new%d", round));
		struct state_options o = {.create = true, .busy_ms = 20000};

		for (int i = 0; i < N; i++) {
			pids[i] = fork();
			if (!pids[i]) {
				struct state *s;
				struct err e = {0};

				alarm(60);
				if (state_open(&s, dir, &o, &e)) {
					fprintf(stderr, "%s\n", e.text);
					_exit(1);
				}
				state_close(s);
				_exit(0);
			}
		}
		for (int i = 0; i < N; i++) {
			int status;

			waitpid(pids[i], &status, 0);
			assert_num(status, 0);
		}
	}
}

/* --- races ---------------------------------------------------------------- */

enum { RACERS = 3, ROUNDS = 1000 };

/* Shared by threads, or by processes. */
static struct race {
	pthread_barrier_t barrier;
	int64_t generation, now;
	enum channel_refusal refusal[RACERS];
	enum status status[RACERS];
} * race;

/* Two promoters who saw the same generation, and one who takes it back. */
static void run_racer(int me, struct state *s, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		struct channel_event ev = {.kind = EVENT_ROLLBACK};
		struct state_result result;
		struct state_change change = {.bundle = S("p")};
		struct err e = {0};

		pthread_barrier_wait(&race->barrier);
		if (me < 2)
			ev = (struct channel_event){.kind = EVENT_EXPOSE,
				.all = true,
				.expect = race->generation,
				.evidence = me ? S("b") : S("a")};
		ev.who = S("racer");
		ev.roles = me < 2 ? ROLE_RELEASE : ROLE_ENGINE;
		change.event = ev;
		change.now_ns = race->now;
		race->status[me] = state_apply(s, &change, &result, &e);
		race->refusal[me] = result.refusal;
		pthread_barrier_wait(&race->barrier);
	}
}

/* Not an assert: who races must not be left waiting. */
static bool fair(const struct channel *c)
{
	int promoted = 0;

	for (int i = 0; i < 2; i++) {
		promoted += !race->status[i];
		if (race->status[i] && race->refusal[i] != REFUSED_FENCED &&
			race->refusal[i] != REFUSED_GENERATION)
			return false;
	}
	return !race->status[2] && promoted <= 1 &&
	       c->state == CHANNEL_ROLLING_BACK &&
	       str_is(c->stable.revision, "v1") &&
	       str_is(c->bad.revision, "v2") &&
	       c->generation == race->generation + 1 + promoted;
}

static void hold_races(int rounds)
{
	int won = 0, unfair = 0;

	for (int i = 0; i < rounds; i++) {
		struct channel c;

		site_bake("p", "v2");
		race->generation = site_channel("p").generation;
		race->now = site.now;
		pthread_barrier_wait(&race->barrier);
		pthread_barrier_wait(&race->barrier);
		c = site_channel("p");
		unfair += !fair(&c);
		won += !race->status[0] || !race->status[1];
		site_advance("p", EVENT_CONVERGED, false);
		arena_reset(&site.arena);
	}
	print_message("promoters came first in %d of %d\n", won, rounds);
	assert_num(unfair, 0);
}

static void race_begin(void)
{
	pthread_barrierattr_t shared;

	race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(race != MAP_FAILED);
	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&race->barrier, &shared, RACERS + 1);
	pthread_barrierattr_destroy(&shared);
	site_publish("p", "v1", 1);
	site_publish("p", "v2", 2);
	site_release("p", "v1");
	alarm(300);
}

static void race_end(void)
{
	alarm(0);
	site_verify(site.state);
	pthread_barrier_destroy(&race->barrier);
	munmap(race, sizeof(*race));
}

static void *racer_thread(void *arg)
{
	struct state *s = site_beside();

	run_racer((int)(intptr_t)arg, s, ROUNDS);
	state_close(s);
	return NULL;
}

static void threads_that_race_never_lose_a_rollback(void **state)
{
	pthread_t threads[RACERS];

	(void)state;
	race_begin();
	for (intptr_t i = 0; i < RACERS; i++)
		assert_false(pthread_create(
			&threads[i], NULL, racer_thread, (void *)i));
	hold_races(ROUNDS);
	for (int i = 0; i < RACERS; i++)
		pthread_join(threads[i], NULL);
	race_end();
}

static void processes_that_race_never_lose_a_rollback(void **state)
{
	pid_t pids[RACERS];

	(void)state;
	race_begin();
	for (int i = 0; i < RACERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (!pids[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			run_racer(i, site_beside(), ROUNDS);
			_exit(0);
		}
	}
	hold_races(ROUNDS);
	for (int i = 0; i < RACERS; i++) {
		int status;

		waitpid(pids[i], &status, 0);
		assert_num(status, 0);
	}
	race_end();
}

/* --- crashes -------------------------------------------------------------- */

/* One change, of two that go back and forth. */
static enum status crash_change(struct state *s, struct err *e)
{
	struct channel_event ev = {.kind = EVENT_ROLLBACK};
	struct arena a = {0};
	struct state_result out;
	struct channel c;
	enum status st = state_channel(s, S("p"), &a, &c, e);

	if (!st && c.state != CHANNEL_PREFLIGHT)
		ev = (struct channel_event){.kind = EVENT_START,
			.force = true,
			.if_busy = BUSY_SUPERSEDE,
			.version = {.revision = S("v2")}};
	arena_release(&a);
	return st ? st : site_apply_on(s, "p", ev, &out, e);
}

/*
 * At each call that changes a file, a process ends; the disk it leaves has the
 * old record or the new one, and that for sure once it was OK. `alone`: nobody
 * else has the folder open, so that who comes next has to recover, and the last
 * one writes the log back.
 */
static void crash_sweep(enum vfs_fault fault, bool alone, int least)
{
	int n = 0, old = 0, new = 0;
	bool done = false, *acked;

	acked = mmap(NULL, sizeof(*acked), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(acked != MAP_FAILED);
	site_publish("p", "v1", 1);
	site_publish("p", "v2", 2);
	site_release("p", "v1");
	while (!done) {
		int64_t before = site_channel("p").generation, after;

		if (alone) {
			state_close(site.state);
			site.state = NULL;
		}
		*acked = false;
		done = site_crash(crash_change, fault, ++n, acked);
		if (alone)
			site_open();
		after = site_channel("p").generation;
		assert_true(after == before || after == before + 1);
		if (*acked)
			assert_num(after, before + 1);
		old += after == before;
		new += after != before;
		site_verify(site.state);
		arena_reset(&site.arena);
		assert_true(n < 200);
	}
	munmap(acked, sizeof(*acked));
	print_message("%d boundaries: %d old, %d new\n", n - 1, old, new);
	assert_true(n > least);
}

static void a_kill_at_any_write_leaves_old_or_new(void **state)
{
	(void)state;
	crash_sweep(VFS_KILL, false, 5);
}

static void a_torn_write_leaves_old_or_new(void **state)
{
	(void)state;
	crash_sweep(VFS_TORN, true, 5);
}

static void a_power_cut_leaves_old_or_new(void **state)
{
	(void)state;
	crash_sweep(VFS_POWER, false, 5);
}

static void a_kill_at_any_write_of_the_last_one_leaves_old_or_new(void **state)
{
	(void)state;
	crash_sweep(VFS_KILL, true, 9);
}

static void a_power_cut_at_the_last_one_leaves_old_or_new(void **state)
{
	(void)state;
	crash_sweep(VFS_POWER, true, 9);
}

/* Also while the folder is made and the first key. */
static void a_kill_at_any_write_of_a_new_folder_can_be_gone_on_from(
	void **state)
{
	const char *dir = at("new");
	struct state_options o = {.vfs = "faulty", .create = true};
	struct channel_event ev = {
		.kind = EVENT_PUBLISH, .version = site_version("v1", 1)};
	int n = 0, status = -1;

	(void)state;
	while (status) {
		pid_t pid = fork();

		if (!pid) {
			struct state_result r;
			struct state *s;
			struct err e = {0};

			alarm(60);
			vfs_arm(VFS_KILL, n + 1);
			_exit(state_open(&s, dir, &o, &e) ||
				site_apply_on(s, "p", ev, &r, &e));
		}
		waitpid(pid, &status, 0);
		assert_true(!status || WEXITSTATUS(status) == VFS_EXIT);
		n++;
		assert_true(n < 200);
		if (status && n % 2)
			nftw(dir, site_remove, 8, FTW_DEPTH | FTW_PHYS);
	}
	state_close(site.state);
	vfs_arm(VFS_NO_SYNC, 0);
	assert_ok(state_open(&site.state, dir, NULL, &site.err), &site.err);
	assert_num(site_channel("p").generation, 0);
	site_verify(site.state);
	assert_true(n > 4);
}

/* Kills that nothing announces, in a loop of changes. */
static void random_kills_leave_a_clean_ledger(void **state)
{
	uint64_t rng = 88172645463325252u;

	(void)state;
	site_publish("p", "v1", 1);
	site_publish("p", "v2", 2);
	site_release("p", "v1");
	for (int i = 0; i < 200; i++) {
		struct timespec wait = {0};
		int64_t before = site_channel("p").generation;
		pid_t pid = fork();

		if (!pid) {
			struct state *s = site_beside();
			struct err e;

			alarm(60);
			while (!crash_change(s, &e))
				continue;
			_exit(1);
		}
		rng ^= rng << 13;
		rng ^= rng >> 7;
		rng ^= rng << 17;
		wait.tv_nsec = (long)(rng % 6000000);
		nanosleep(&wait, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_true(site_channel("p").generation >= before);
		if (i % 20 == 19)
			site_verify(site.state);
		arena_reset(&site.arena);
	}
	print_message("%lld changes survived\n",
		(long long)site_channel("p").generation);
}

/* --- failures that are told -------------------------------------------------
 */

/* Each call that can fail does, once; nothing changes, and all goes on. */
static void fail_sweep(enum vfs_fault fault, enum status want)
{
	int64_t before;
	int n = 0;
	enum status st = want;

	site_publish("p", "v1", 1);
	site_publish("p", "v2", 2);
	site_release("p", "v1");
	before = site_channel("p").generation;
	while (st) {
		assert_true(n < 100);
		vfs_arm(fault, ++n);
		st = crash_change(site.state, &site.err);
		vfs_arm(VFS_NO_SYNC, 0);
		if (st) {
			assert_num(st, want);
			assert_non_null(strstr(site.err.text, STATE_DB));
			assert_num(site_channel("p").generation, before);
		}
		site_verify(site.state);
	}
	assert_num(site_channel("p").generation, before + 1);
	print_message("%d calls can fail\n", n - 1);
	assert_true(n > 2);
}

static void a_full_disk_changes_nothing(void **state)
{
	(void)state;
	fail_sweep(VFS_FULL, E_LIMIT);
}

static void a_disk_that_fails_changes_nothing(void **state)
{
	(void)state;
	fail_sweep(VFS_IO, E_IO);
}

/* --- rollback ------------------------------------------------------------- */

static struct rollback_result back;

static enum status roll_back(struct rollback r, bool dry_run)
{
	if (!r.who.len)
		r.who = S("ana");
	r.roles = ROLE_ONCALL;
	r.now_ns = site.now;
	memset(&site.err, 0, sizeof(site.err));
	return state_rollback(
		site.state, &r, dry_run, &site.arena, &back, &site.err);
}

#define BACK_OK(...)                                                           \
	assert_ok(roll_back((struct rollback){__VA_ARGS__}, false), &site.err)
#define BACK_FAILS(want, part, ...)                                            \
	assert_fails(roll_back((struct rollback){__VA_ARGS__}, false),         \
		&site.err, want, part)

static void polled(const char *id, const char *region, const char *active)
{
	struct target_book *b = target_book_new(0);
	struct label l = {S("region"), str_from(region)};
	struct target_poll p = {.bundle = S("platform"),
		.id = str_from(id),
		.labels = &l,
		.nlabels = 1,
		.active = str_from(active)};

	assert_ok(target_book_load(b, site.state, &site.err), &site.err);
	target_polled(b, &p, site.now);
	assert_ok(target_book_flush(b, site.state, &site.err), &site.err);
	target_book_free(b);
}

static void two_versions(void)
{
	site_publish("platform", "v1", 1);
	site_publish("platform", "v2", 2);
	site_release("platform", "v1");
	polled("t1", "eu", "");
	polled("t2", "us", "");
	polled("t3", "eu", "");
}

static void a_rollback_needs_no_arguments(void **state)
{
	(void)state;
	two_versions();
	site_publish("other", "v1", 1);
	site_bake("platform", "v2");
	BACK_OK(.who = S("ana"));
	assert_true(back.state.changed);
	assert_str(back.bundle, "platform");
	assert_str(back.from.revision, "v2");
	assert_str(back.to.revision, "v1");
	assert_num(back.targets, 3);
	assert_num(back.affected, 2); /* t1 and t2 had the candidate */
	BACK_OK(.who = S("ana"));
	assert_false(back.state.changed);
	assert_num(back.affected, 0);
	assert_str(back.to.revision, "v1");
	site_verify(site.state);
}

/* --- two bundles on the same targets ----------------------------------------
 */

static void polled_other(const char *id)
{
	struct target_book *b = target_book_new(0);

	target_polled(b,
		&(struct target_poll){.bundle = S("other"), .id = str_from(id)},
		site.now);
	assert_ok(target_book_flush(b, site.state, &site.err), &site.err);
	target_book_free(b);
}

static enum status start_other(struct channel_event ev)
{
	ev.kind = EVENT_START;
	ev.version.revision = S("o1");
	return site_apply("other", ev);
}

static void what_moves_on_the_same_targets_waits(void **state)
{
	(void)state;
	two_versions();
	site_publish("other", "o1", 1);
	polled_other("t2");
	polled_other("t9");
	site_bake("platform", "v2");
	assert_fails(start_other((struct channel_event){0}), &site.err,
		E_CONFLICT, "platform is being rolled out to the same targets");
	assert_int_equal(site.result.refusal, REFUSED_OVERLAP);
	assert_false(site_channel("other").rollout);
	assert_ok(start_other((struct channel_event){.if_busy = BUSY_QUEUE}),
		&site.err);
	assert_str(site_channel("other").queued.revision, "o1");
	assert_ok(start_other((struct channel_event){.allow_overlap = true}),
		&site.err);
	assert_int_equal(site_channel("other").state, CHANNEL_PREFLIGHT);
	site_verify(site.state);
}

static void other_targets_or_those_that_are_gone_do_not_overlap(void **state)
{
	(void)state;
	two_versions();
	site_publish("other", "o1", 1);
	polled_other("t2");
	site.now += HOURS(1);
	polled_other("t8");
	polled("t1", "eu", "");
	site_bake("platform", "v2");
	assert_ok(start_other((struct channel_event){0}), &site.err);
	SITE_OK("other", .kind = EVENT_ABORT);
	polled_other("t1");
	assert_fails(start_other((struct channel_event){0}), &site.err,
		E_CONFLICT, "the same targets");
	SITE_OK("platform", .kind = EVENT_ABORT);
	assert_ok(start_other((struct channel_event){0}), &site.err);
}

static struct ledger_given given(
	const char *target, const char *revision, int64_t at_ns)
{
	struct label l = {S("region"), S("eu")};
	struct given_ask ask = {.bundle = S("platform"),
		.target = str_from(target),
		.revision = str_from(revision),
		.labels = &l,
		.nlabels = 1,
		.at_ns = at_ns};
	struct ledger_given g;

	assert_ok(ledger_given(site.state, &ask, &site.arena, &g, &site.err),
		&site.err);
	return g;
}

static void a_version_that_decided_has_the_line_by_which_it_came(void **state)
{
	struct ledger_given g;
	int64_t canary, back_at;

	(void)state;
	two_versions();
	site_bake("platform", "v2");
	canary = site.now;
	g = given("t1", "v2", canary);
	assert_true(g.found);
	assert_num(g.kind, EVENT_EXPOSE);
	assert_num(g.because, WHY_CANDIDATE);
	assert_num(g.rollout, 2);
	assert_str(g.evidence, "verdict");
	assert_str(g.should_run, "v2");
	/* t3 is in no ring yet; before the start nobody is. */
	g = given("t3", "v2", canary);
	assert_false(g.found);
	assert_str(g.should_run, "v1");
	assert_false(given("t1", "v2", canary - HOURS(1000)).found);
	assert_str(given("t1", "v2", canary - HOURS(1000)).should_run, "");
	site.now += HOURS(1);
	BACK_OK(.who = S("ana"), .why = S("errors"));
	back_at = site.now;
	/* Late: it was to be back, and decided by v2 still. */
	g = given("t1", "v2", back_at);
	assert_true(g.found && g.ns <= canary);
	assert_str(g.should_run, "v1");
	g = given("t1", "v1", back_at);
	assert_num(g.kind, EVENT_ROLLBACK);
	assert_str(g.who, "ana");
	assert_str(g.why, "errors");
	assert_num(g.because, WHY_STABLE);
	/* Nothing that came later counts. */
	assert_str(given("t1", "v1", canary).should_run, "v2");
	assert_true(given("t1", "v1", canary).ns < canary);
}

static void a_pin_by_labels_is_a_way_to_a_version_too(void **state)
{
	struct ledger_given g;

	(void)state;
	two_versions();
	site_release("platform", "v2");
	SITE_OK("platform", .kind = EVENT_PIN, .promoted = true,
		.why = S("looks"), .selector = S("region=eu"),
		.until_ns = site.now + HOURS(2),
		.version = {.revision = S("v1")});
	g = given("t1", "v1", site.now);
	assert_num(g.because, WHY_PIN);
	assert_str(g.why, "looks");
	assert_str(g.should_run, "v1");
	g = given("t1", "v1", site.now + HOURS(3)); /* it has ended */
	assert_str(g.should_run, "v2");
}

/* More lines than are read at once. */
static void a_long_ledger_is_played_to_its_end(void **state)
{
	struct ledger_given g;

	(void)state;
	two_versions();
	for (int i = 0; i < 600; i++) {
		char name[16];

		snprintf(name, sizeof(name), "w%d", i);
		site_publish("platform", name, i + 10);
	}
	site_bake("platform", "v2");
	g = given("t2", "v2", site.now);
	assert_true(g.found && g.seq > 600);
	assert_str(g.should_run, "v2");
}

static int64_t back_within(const char *target)
{
	struct rollback r = {.target = str_from(target)};

	assert_ok(roll_back(r, true), &site.err);
	return back.within_ns;
}

/* t1 polls often, t2 seldom, t3 polled once. */
static void a_rollback_says_in_which_time_all_should_be_back(void **state)
{
	int64_t often, seldom;

	(void)state;
	two_versions();
	site_release("platform", "v2");
	assert_num(back_within(""), 0); /* each polled once */
	site.now += 20 * NS_PER_S;
	polled("t1", "eu", "");
	often = back_within("");
	assert_in_range(often, 20 * NS_PER_S, 40 * NS_PER_S);
	site.now += 70 * NS_PER_S;
	polled("t2", "us", "");
	seldom = back_within("");
	assert_in_range(seldom, 90 * NS_PER_S, 120 * NS_PER_S);
	assert_num(back_within("t1"), often);
	assert_num(back.affected, 1);
	/* Who is not heard of any more is not waited for. */
	site.now += 4 * seldom;
	assert_num(back_within(""), 0);
	polled("t1", "eu", "");
	assert_true(back_within("") > 0);
	assert_num(back_within("t2"), 0);
	assert_num(back.affected, 1);
}

static void a_rehearsal_says_it_and_does_nothing(void **state)
{
	int64_t generation;

	(void)state;
	two_versions();
	site_release("platform", "v2");
	generation = site_channel("platform").generation;
	assert_ok(roll_back((struct rollback){0}, true), &site.err);
	assert_num(back.affected, 3);
	assert_str(back.to.revision, "v1");
	assert_num(site_channel("platform").generation, generation);
	BACK_OK(.why = S("errors"));
	assert_num(back.affected, 3);
}

static void targets_that_can_not_be_counted_stop_no_rollback(void **state)
{
	struct db *d;

	(void)state;
	two_versions();
	site_bake("platform", "v2");
	assert_ok(db_open(&d, at(STATE_DB), NULL, &site.err), &site.err);
	assert_ok(db_script(d, "UPDATE targets SET record = '{'", &site.err),
		&site.err);
	db_close(d);
	BACK_OK(.why = S("errors"));
	assert_true(back.state.changed);
	assert_false(back.counted);
}

static void several_channels_are_asked_about(void **state)
{
	(void)state;
	BACK_FAILS(E_NOT_FOUND, "no channel had a rollout", .force = false);
	two_versions();
	site_publish("other", "v1", 1);
	site_release("other", "v1");
	BACK_FAILS(E_CONFLICT, "other, platform", .force = false);
	site_bake("platform", "v2"); /* one that is active goes first */
	BACK_OK(.force = false);
	assert_str(back.bundle, "platform");
	site_advance("platform", EVENT_CONVERGED, false);
	site.now += HOURS(ROLLBACK_RECENT_H + 1);
	BACK_FAILS(E_NOT_FOUND, "name the bundle", .force = false);
	BACK_FAILS(E_NOT_FOUND, "\"x\" was published", .bundle = S("x"));
}

static void a_part_goes_back_by_a_pin_that_ends(void **state)
{
	struct channel c;

	(void)state;
	two_versions();
	site_bake("platform", "v2");
	BACK_OK(.target = S("t1"));
	assert_num(back.affected, 1);
	assert_str(back.to.revision, "v1");
	c = site_channel("platform");
	assert_num(c.state, CHANNEL_BAKING);
	assert_num(c.npins, 1);
	assert_num(c.pins[0].until_ns, site.now + HOURS(24));
	BACK_OK(.selector = S("region=us"), .pin_ns = HOURS(1));
	assert_num(back.affected, 1); /* t2 */
	BACK_FAILS(E_INVALID, "", .selector = S("=="));
	BACK_FAILS(
		E_NOT_FOUND, "no version v9", .target = S("t1"), .to = S("v9"));
}

static void force_asks_for_a_reason(void **state)
{
	(void)state;
	two_versions();
	BACK_FAILS(E_DENIED, "never reached", .bundle = S("platform"),
		.to = S("v2"));
	BACK_FAILS(E_INVALID, "say why", .bundle = S("platform"), .to = S("v2"),
		.force = true);
	BACK_OK(.bundle = S("platform"), .to = S("v2"), .force = true,
		.why = S("v1 is worse"));
	assert_str(back.to.revision, "v2");
	assert_num(back.affected, 3);
}

/* A disk with room for nothing but what is given up. */
static int room_when_removed(void *user, enum fs_op op, const char *path)
{
	(void)user;
	if (op == FS_REMOVE && str_ends(str_from(path), S("/reserve")))
		vfs_arm(VFS_NO_SYNC, 0);
	return 0;
}

static void a_rollback_takes_the_reserve_of_a_full_disk(void **state)
{
	struct fs fs = {.before = room_when_removed};
	struct state_options o = {.vfs = "faulty", .fs = &fs};
	struct state_change change = {.bundle = S("platform"),
		.event = {.kind = EVENT_ROLLBACK,
			.who = S("ana"),
			.roles = ROLE_ONCALL}};
	struct state *s;

	(void)state;
	two_versions();
	site_bake("platform", "v2");
	change.now_ns = site.now;
	assert_ok(state_open(&s, site.dir, &o, &site.err), &site.err);
	vfs_arm(VFS_FULL, 1);
	assert_fails(site_apply_on(s, "platform",
			     (struct channel_event){.kind = EVENT_ABORT},
			     &site.result, &site.err),
		&site.err, E_LIMIT, "full");
	assert_int_equal(access(at("reserve"), F_OK), 0);
	assert_ok(state_apply(s, &change, &site.result, &site.err), &site.err);
	assert_true(site.result.changed);
	assert_int_equal(access(at("reserve"), F_OK), -1);
	assert_num(site_channel("platform").state, CHANNEL_ROLLING_BACK);
	state_close(s);
}

/* --- targets -------------------------------------------------------------- */

static void a_book_is_kept_over_a_restart(void **state)
{
	struct target_book *b = target_book_new(2);
	struct label l = {S("region"), S("eu")};
	struct target_poll p = {.bundle = S("platform"),
		.id = S("t1"),
		.labels = &l,
		.nlabels = 1,
		.active = S("aa"),
		.offered = S("bb")};
	struct target *list;
	size_t n;

	(void)state;
	target_polled(b, &p, 1000);
	target_polled(b, &p, 2000);
	p.active = S("bb");
	target_polled(b, &p, 3000);
	target_reported(b,
		&(struct target_report){.bundle = S("platform"),
			.id = S("t2"),
			.revision = S("v1"),
			.error = S("no\nroots")},
		3000);
	target_reported(b,
		&(struct target_report){.bundle = S("platform"),
			.id = S("t3"),
			.revision = S("v1"),
			.error = S("")},
		3000);
	target_reported(b,
		&(struct target_report){.bundle = S("platform"),
			.id = S(""),
			.revision = S("v1"),
			.error = S("")},
		3000);
	assert_ok(target_book_flush(b, site.state, &site.err), &site.err);
	target_book_free(b);

	b = target_book_new(0);
	assert_ok(target_book_load(b, site.state, &site.err), &site.err);
	target_reported(b,
		&(struct target_report){.bundle = S("platform"),
			.id = S("t2"),
			.revision = S("v1"),
			.error = S("")},
		4000);
	assert_ok(target_book_flush(b, site.state, &site.err), &site.err);
	target_book_free(b);

	assert_ok(state_targets(site.state, S("platform"), &site.arena, &list,
			  &n, &site.err),
		&site.err);
	assert_num(n, 2); /* the third was one too many */
	assert_str(list[0].id, "t1");
	assert_str(list[0].active, "bb");
	assert_num(list[0].active_ns, 3000);
	assert_num(list[0].offered_ns, 1000);
	assert_num(list[0].last_poll_ns, 3000);
	assert_num(list[0].period_ns, 1000);
	assert_str(list[0].labels[0].value, "eu");
	assert_str(list[1].id, "t2");
	assert_str(list[1].revision, "v1");
	assert_str(list[1].error, "");
	assert_num(list[1].status_ns, 4000);
}

static void a_book_that_could_not_be_written_stays_to_be_written(void **state)
{
	struct target_book *b = target_book_new(0);
	struct target_poll p = {.bundle = S("platform"), .id = S("t1")};
	struct target *list;
	size_t n;

	(void)state;
	target_polled(b, &p, 1000);
	vfs_arm(VFS_FULL, 1);
	assert_fails(target_book_flush(b, site.state, &site.err), &site.err,
		E_LIMIT, "full");
	vfs_arm(VFS_NONE, 0);
	assert_ok(target_book_flush(b, site.state, &site.err), &site.err);
	assert_ok(state_targets(site.state, S("platform"), &site.arena, &list,
			  &n, &site.err),
		&site.err);
	assert_num(n, 1);
	target_book_free(b);
}

enum { POLLERS = 4, POLLS = 5000, POLLED = 50 };

static void *poller(void *arg)
{
	for (int i = 0; i < POLLS; i++) {
		char id[16];
		struct target_poll p = {.bundle = S("platform")};

		snprintf(id, sizeof(id), "t%d", i % POLLED);
		p.id = str_from(id);
		p.active = i % 7 ? S("aa") : S("bb");
		target_polled(arg, &p, i);
		target_reported(arg,
			&(struct target_report){.bundle = p.bundle,
				.id = p.id,
				.revision = S("v1")},
			i);
	}
	return NULL;
}

static void many_threads_write_one_book(void **state)
{
	struct target_book *b = target_book_new(0);
	pthread_t threads[POLLERS];
	struct target *list;
	size_t n;

	(void)state;
	for (int i = 0; i < POLLERS; i++)
		assert_false(pthread_create(&threads[i], NULL, poller, b));
	for (int i = 0; i < 20; i++)
		assert_ok(
			target_book_flush(b, site.state, &site.err), &site.err);
	for (int i = 0; i < POLLERS; i++)
		pthread_join(threads[i], NULL);
	assert_ok(target_book_flush(b, site.state, &site.err), &site.err);
	assert_ok(state_targets(site.state, S("platform"), &site.arena, &list,
			  &n, &site.err),
		&site.err);
	assert_num(n, POLLED);
	assert_str(list[0].revision, "v1");
	target_book_free(b);
}

struct keeper {
	struct target_book *book;
	struct state *state;
	_Atomic bool end;
};

static void *keeper(void *arg)
{
	struct keeper *k = arg;
	struct err e;

	while (!k->end)
		if (target_book_flush(k->book, k->state, &e))
			return k;
	return NULL;
}

/* What somebody else was about to write is written, and nothing before it. */
static void after_a_flush_all_that_was_heard_is_there(void **state)
{
	struct keeper k = {.book = target_book_new(0), .state = site_beside()};
	char active[16];
	struct target *list;
	pthread_t thread;
	void *failed;
	size_t n;

	(void)state;
	assert_false(pthread_create(&thread, NULL, keeper, &k));
	for (int i = 0; i < 500; i++) {
		snprintf(active, sizeof(active), "%d", i);
		target_polled(k.book,
			&(struct target_poll){.bundle = S("platform"),
				.id = S("t1"),
				.active = str_from(active)},
			site.now);
		assert_ok(target_book_flush(k.book, site.state, &site.err),
			&site.err);
		assert_ok(state_targets(site.state, S("platform"), &site.arena,
				  &list, &n, &site.err),
			&site.err);
		assert_str(list[0].active, active);
	}
	k.end = true;
	pthread_join(thread, &failed);
	assert_null(failed);
	state_close(k.state);
	target_book_free(k.book);
}

static void targets_are_there_waiting_failed_or_lost(void **state)
{
	int64_t now = HOURS(10);
	struct target t[] = {
		{.id = S("there"), .active = S("d1"), .last_poll_ns = 1},
		{.id = S("waiting"),
			.active = S("d2"),
			.last_poll_ns = now - NS_PER_S},
		{.id = S("failed"),
			.active = S("d2"),
			.error = S("no"),
			.last_poll_ns = now - NS_PER_S},
		{.id = S("lost"),
			.active = S("d2"),
			.error = S("no"),
			.last_poll_ns = now - 181 * NS_PER_S},
		{.id = S("slow"),
			.active = S("d2"),
			.period_ns = 100 * NS_PER_S,
			.last_poll_ns = now - 299 * NS_PER_S},
	};
	static const char *const want[] = {
		"there", "waiting", "failed", "lost", "waiting"};
	struct channel c = {.stable = {.revision = S("v1"), .digest = S("d1")}};
	struct channel_rules rules;
	enum target_place places[COUNT(t)];
	struct convergence sum;

	(void)state;
	channel_rules(&c, &site.arena, &rules);
	sum = target_converge(&c, &rules, t, COUNT(t), now, places);
	assert_num(sum.targets, 5);
	assert_num(sum.at[PLACE_WAITING], 2);
	for (size_t i = 0; i < COUNT(t); i++)
		assert_string_equal(target_place_name(places[i]), want[i]);
}

#define T(test) cmocka_unit_test_setup_teardown(test, site_setup, site_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_folder_that_is_none_is_not_made_by_looking),
		T(what_a_newer_version_wrote_is_refused),
		T(what_an_older_version_wrote_is_gone_on_with),
		T(a_damaged_database_is_named),
		T(the_folder_is_its_owners),
		T(a_version_is_published_before_anything),
		T(the_same_version_again_changes_nothing),
		T(versions_say_when_they_were_first_good),
		T(facts_about_versions_are_looked_up),
		T(a_version_of_another_line_is_refused),
		T(a_refused_change_leaves_nothing),
		T(the_same_call_again_has_the_first_result),
		T(a_call_on_a_generation_is_known_without_a_key),
		T(a_key_has_a_limit),
		T(one_freeze_stops_all_channels_and_those_to_come),
		T(what_stops_automation_everywhere_lets_people_go_on),
		T(the_record_of_all_is_no_channel),
		T(what_is_changed_beside_is_noticed),
		T(who_waits_too_long_is_told),
		T(many_may_make_the_folder_at_once),
		T(threads_that_race_never_lose_a_rollback),
		T(processes_that_race_never_lose_a_rollback),
		T(a_kill_at_any_write_leaves_old_or_new),
		T(a_torn_write_leaves_old_or_new),
		T(a_power_cut_leaves_old_or_new),
		T(a_kill_at_any_write_of_the_last_one_leaves_old_or_new),
		T(a_power_cut_at_the_last_one_leaves_old_or_new),
		T(a_kill_at_any_write_of_a_new_folder_can_be_gone_on_from),
		T(random_kills_leave_a_clean_ledger),
		T(a_full_disk_changes_nothing),
		T(a_disk_that_fails_changes_nothing),
		T(a_rollback_needs_no_arguments),
		T(what_moves_on_the_same_targets_waits),
		T(other_targets_or_those_that_are_gone_do_not_overlap),
		T(a_long_ledger_is_played_to_its_end),
		T(a_pin_by_labels_is_a_way_to_a_version_too),
		T(a_version_that_decided_has_the_line_by_which_it_came),
		T(a_rollback_says_in_which_time_all_should_be_back),
		T(a_rehearsal_says_it_and_does_nothing),
		T(targets_that_can_not_be_counted_stop_no_rollback),
		T(several_channels_are_asked_about),
		T(a_part_goes_back_by_a_pin_that_ends),
		T(force_asks_for_a_reason),
		T(a_rollback_takes_the_reserve_of_a_full_disk),
		T(a_book_is_kept_over_a_restart),
		T(a_book_that_could_not_be_written_stays_to_be_written),
		T(many_threads_write_one_book),
		T(after_a_flush_all_that_was_heard_is_there),
		T(targets_are_there_waiting_failed_or_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
