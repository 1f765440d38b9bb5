/* Stores: all or nothing, whatever fails and whenever the machine stops. */
#include "tests/bundle_make.h"

#include "base/clock.h"
#include "bundler/internal.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[64], url[80];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test-store-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(url, sizeof(url), "dir:%s/store", dir);
	return 0;
}

/* fs_walk() shows folders first; removing goes the other way. */
struct trash {
	struct arena a;
	const char *paths[256];
	size_t n;
};

static enum fs_visit collect(void *user, const struct fs_entry *entry,
	enum status *st, struct err *e)
{
	struct trash *t = user;

	(void)e;
	*st = OK;
	if (t->n < COUNT(t->paths))
		t->paths[t->n++] = arena_strdup(&t->a, str_from(entry->path));
	return FS_GO_ON;
}

static int teardown(void **state)
{
	struct trash t = {0};

	(void)state;
	if (fs_walk(NULL, dir, 0, collect, &t, &err))
		return -1;
	while (t.n)
		remove(t.paths[--t.n]);
	arena_release(&t.a);
	return rmdir(dir);
}

static struct store *open_store(const struct fs *fs)
{
	struct store *s = NULL;

	assert_ok(store_open(&s, url, fs, &err), &err);
	return s;
}

/* Version `revision` of the bundle prod/a with these bytes. */
static enum status put(struct store *s, const char *revision,
	const char *archive, int64_t published, bool *fresh)
{
	struct buf digest = {0};
	enum status st;

	store_digest(&digest, str_from(archive));
	struct version v = {"prod/a", revision, digest.ptr, "c0ffee", "decade",
		1700000000, published, strlen(archive)};

	err = (struct err){0};
	st = store_put(s, &v, str_from(archive), fresh, &err);
	buf_release(&digest);
	return st;
}

/* The bytes of a version, through its record. */
static bool holds(struct store *s, const char *revision, const char *archive)
{
	struct arena a = {0};
	struct buf out = {0};
	struct version v;
	bool found = false;

	if (!store_find(s, "prod/a", revision, &a, &v, &err)) {
		assert_ok(store_get(s, v.digest, &out, &err), &err);
		found = str_is(buf_str(&out), archive);
		assert_true(found);
	}
	buf_release(&out);
	arena_release(&a);
	return found;
}

/* --- what a store does ---------------------------------------------------- */

static void what_is_put_is_found(void **state)
{
	struct store *s = open_store(NULL);
	struct arena a = {0};
	struct version v;
	bool fresh = false;

	(void)state;
	assert_ok(put(s, "v2026.06.20-3", "bytes", 17, &fresh), &err);
	assert_true(fresh);
	assert_true(holds(s, "v2026.06.20-3", "bytes"));
	assert_ok(store_find(s, "prod/a", "v2026.06.20-3", &a, &v, &err), &err);
	assert_string_equal(v.bundle, "prod/a");
	assert_string_equal(v.commit, "c0ffee");
	assert_string_equal(v.tree, "decade");
	assert_num(v.commit_time, 1700000000);
	assert_num(v.published, 17);
	assert_num(v.size, 5);
	assert_fails(store_find(s, "prod/a", "v2", &a, &v, &err), &err,
		E_NOT_FOUND, "prod/a has no version v2");
	assert_fails(store_find(s, "prod", "v2026.06.20-3", &a, &v, &err), &err,
		E_NOT_FOUND, "prod has no version");
	store_close(s);
	arena_release(&a);
}

static void the_same_bytes_again_change_nothing(void **state)
{
	struct store *s = open_store(NULL);
	struct arena a = {0};
	struct version v;
	bool fresh;

	(void)state;
	assert_ok(put(s, "r1", "bytes", 17, &fresh), &err);
	assert_ok(put(s, "r1", "bytes", 18, &fresh), &err);
	assert_false(fresh);
	assert_ok(store_find(s, "prod/a", "r1", &a, &v, &err), &err);
	assert_num(v.published, 17);
	store_close(s);
	arena_release(&a);
}

static void other_bytes_under_a_revision_are_a_conflict(void **state)
{
	struct store *s = open_store(NULL);
	bool fresh;

	(void)state;
	assert_ok(put(s, "r1", "bytes", 17, &fresh), &err);
	assert_fails(put(s, "r1", "other", 17, &fresh), &err, E_CONFLICT,
		"prod/a r1 is there with other bytes");
	assert_true(holds(s, "r1", "bytes"));
	store_close(s);
}

static void a_version_must_say_what_its_bytes_are(void **state)
{
	struct store *s = open_store(NULL);
	struct version v = {"a", "r", "sha256:00", "", "", 0, 0, 1};
	bool fresh;

	(void)state;
	assert_fails(store_put(s, &v, S("x"), &fresh, &err), &err, E_INVALID,
		"not what its version says");
	store_close(s);
}

static void versions_are_listed_oldest_first(void **state)
{
	static const struct {
		const char *revision;
		int64_t published;
	} rows[] = {{"z", 1}, {"a", 3}, {"m", 2}, {"n", 3}};
	struct store *s = open_store(NULL);
	struct arena a = {0};
	struct version *list;
	size_t n = 9;
	bool fresh;

	(void)state;
	assert_ok(store_list(s, "prod/a", &a, &list, &n, &err), &err);
	assert_num(n, 0);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_ok(put(s, rows[i].revision, rows[i].revision,
				  rows[i].published, &fresh),
			&err);
	assert_ok(store_list(s, "prod/a", &a, &list, &n, &err), &err);
	assert_num(n, 4);
	assert_string_equal(list[0].revision, "z");
	assert_string_equal(list[1].revision, "m");
	assert_string_equal(list[2].revision, "a");
	assert_string_equal(list[3].revision, "n");
	store_close(s);
	arena_release(&a);
}

static void names_do_not_leave_the_store(void **state)
{
	static const char *const names[] = {"..", ".", "../../x", "/x", "a/b",
		"%2F", "a b", "\xc3\xa4", "R"};
	struct store *s = open_store(NULL);
	struct arena a = {0};
	struct fs_info info;
	struct version *list;
	size_t n;
	bool fresh;
	char path[100];

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_ok(put(s, names[i], names[i], 1, &fresh), &err);
	for (size_t i = 0; i < COUNT(names); i++)
		assert_true(holds(s, names[i], names[i]));
	assert_ok(store_list(s, "prod/a", &a, &list, &n, &err), &err);
	assert_num(n, COUNT(names));
	snprintf(path, sizeof(path), "%s/store/versions/prod%%2Fa/%%2E..json",
		dir);
	assert_ok(fs_stat(NULL, path, &info, &err), &err);
	assert_num(info.kind, FS_FILE);
	assert_fails(put(s, "", "x", 1, &fresh), &err, E_INVALID,
		"a revision without a name");
	store_close(s);
	arena_release(&a);
}

static void names_have_a_limit(void **state)
{
	struct store *s = open_store(NULL);
	char name[202];
	bool fresh;

	(void)state;
	memset(name, 'a', sizeof(name));
	name[200] = '\0';
	assert_ok(put(s, name, "x", 1, &fresh), &err);
	name[200] = 'a';
	name[201] = '\0';
	assert_fails(put(s, name, "x", 1, &fresh), &err, E_LIMIT,
		"the name of the revision takes 201 bytes, limit 200");
	store_close(s);
}

static void bytes_that_were_changed_are_not_given(void **state)
{
	struct store *s = open_store(NULL);
	struct buf digest = {0}, out = {0};
	char path[200];
	bool fresh;

	(void)state;
	assert_ok(put(s, "r1", "bytes", 1, &fresh), &err);
	store_digest(&digest, S("bytes"));
	snprintf(path, sizeof(path), "%s/store/archives/%s.tar.gz", dir,
		digest.ptr + 7);
	assert_ok(fs_write(NULL, path, S("bytez"), 0644, &err), &err);
	assert_fails(store_get(s, digest.ptr, &out, &err), &err, E_INVALID,
		"was changed");
	assert_num(out.len, 0);
	/* Who has the right ones can put them back. */
	assert_ok(put(s, "r1", "bytes", 1, &fresh), &err);
	assert_true(holds(s, "r1", "bytes"));
	assert_fails(store_get(s, "sha256:../../x", &out, &err), &err,
		E_INVALID, "is no digest");
	digest.ptr[7] = digest.ptr[7] == '0' ? '1' : '0';
	assert_fails(
		store_get(s, digest.ptr, &out, &err), &err, E_NOT_FOUND, "");
	store_close(s);
	buf_release(&digest);
	buf_release(&out);
}

static void broken_records_are_named(void **state)
{
	struct store *s = open_store(NULL);
	struct arena a = {0};
	struct version *list;
	size_t n;
	bool fresh;
	char path[200];

	(void)state;
	assert_ok(put(s, "r1", "bytes", 1, &fresh), &err);
	snprintf(
		path, sizeof(path), "%s/store/versions/prod%%2Fa/r2.json", dir);
	assert_ok(fs_write(NULL, path, S("{\"bundle\": 1}"), 0644, &err), &err);
	assert_fails(store_list(s, "prod/a", &a, &list, &n, &err), &err,
		E_INVALID, "r2.json: no text at \"bundle\"");
	store_close(s);
	arena_release(&a);
}

static void other_kinds_are_refused_by_name(void **state)
{
	static const char *const urls[] = {
		"http://x/", "https://x/", "s3://x/", "oci://x/"};
	struct store *s = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT(urls); i++)
		assert_fails(store_open(&s, urls[i], NULL, &err), &err,
			E_UNSUPPORTED, "are not to be had here");
	assert_fails(store_open(&s, "./bundles", NULL, &err), &err, E_INVALID,
		"a store is named dir:PATH");
	assert_fails(store_open(&s, "dir:", NULL, &err), &err, E_INVALID,
		"dir:PATH");
	assert_null(s);
	store_close(s);
}

/* --- what goes wrong ------------------------------------------------------ */

/* No file of a writer that gave up is left, but for those it removes itself. */
static size_t leftovers(void)
{
	struct trash t = {0};
	size_t n = 0;

	assert_ok(fs_walk(NULL, dir, 0, collect, &t, &err), &err);
	for (size_t i = 0; i < t.n; i++)
		n += str_ends(str_from(t.paths[i]), S(".tmp"));
	arena_release(&t.a);
	return n;
}

/*
 * Make call number 1, 2, ... of a kind fail: the put fails or not, what is
 * there is all of it or nothing, and the next put succeeds.
 */
static unsigned walk_faults(enum fs_op op, int errnum, bool sticky)
{
	unsigned at = 0, failed = 0, calls;

	do {
		struct store *plain;
		struct fs_fault f;
		char revision[64], bytes[80];
		bool fresh;

		fs_fault_init(&f, op, ++at, errnum);
		f.sticky = sticky;
		/* A store of its own, where every put makes the same calls. */
		snprintf(url, sizeof(url), "dir:%s/store", dir);
		struct store *s = open_store(&f.fs);

		plain = open_store(NULL);
		snprintf(revision, sizeof(revision), "r%d-%d-%d-%u", (int)op,
			errnum, sticky, at);
		snprintf(bytes, sizeof(bytes), "bytes of %s", revision);
		if (put(s, revision, bytes, at, &fresh)) {
			failed++;
			assert_true(err.code == E_IO || err.code == E_DENIED ||
				    err.code == E_EXISTS ||
				    err.code == E_CONFLICT ||
				    err.code == E_NOT_FOUND);
		} else {
			assert_true(holds(plain, revision, bytes));
		}
		assert_num(leftovers(), 0);
		assert_ok(put(plain, revision, bytes, at, &fresh), &err);
		assert_true(holds(plain, revision, bytes));
		calls = f.calls[op];
		store_close(s);
		store_close(plain);
		teardown(NULL);
		assert_num(mkdir(dir, 0755), 0);
	} while (at <= calls);
	return failed;
}

static void every_call_may_fail(void **state)
{
	/* clang-format off */
	static const struct { enum fs_op op; int errnum; } rows[] = {
		{FS_OPEN, EACCES}, {FS_OPEN, EMFILE}, {FS_READ, EIO},
		{FS_WRITE, ENOSPC}, {FS_WRITE, EIO}, {FS_SYNC, EIO},
		{FS_CLOSE, EIO}, {FS_RENAME, EIO}, {FS_MKDIR, EROFS},
		{FS_LIST, EIO}, {FS_LOCK, EIO},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int sticky = 0; sticky < 2; sticky++)
			if (!walk_faults(rows[i].op, rows[i].errnum, sticky) &&
				rows[i].op != FS_READ)
				fail_msg("no call of kind %d failed",
					(int)rows[i].op);
}

static void a_full_disk_is_an_error_with_a_reason(void **state)
{
	struct fs_fault f;
	struct store *s;
	bool fresh;

	(void)state;
	fs_fault_init(&f, FS_WRITE, 1, ENOSPC);
	f.sticky = true;
	s = open_store(&f.fs);
	assert_fails(put(s, "r1", "bytes", 1, &fresh), &err, E_IO,
		"No space left on device");
	assert_true(strstr(err.text, dir) != NULL);
	store_close(s);
}

static void a_store_that_may_not_be_written_says_so(void **state)
{
	struct store *s = open_store(NULL);
	bool fresh;
	char path[100];

	(void)state;
	assert_ok(put(s, "r1", "bytes", 1, &fresh), &err);
	snprintf(path, sizeof(path), "%s/store", dir);
	/* Root writes anywhere, so it is somebody else for a moment. */
	bool root = geteuid() == 0;

	assert_num(chmod(path, 0555), 0);
	assert_num(chmod(dir, 0755), 0);
	assert_true(!root || !seteuid(65534));
	assert_true(holds(s, "r1", "bytes"));
	enum status st = put(s, "r2", "bytes", 1, &fresh);

	assert_true(!root || !seteuid(0));
	assert_num(chmod(path, 0755), 0);
	assert_fails(st, &err, E_DENIED, path);
	store_close(s);
}

/* --- crashes -------------------------------------------------------------- */

struct killer {
	struct fs fs;
	unsigned at, calls;
};

static int kill_at(void *user, enum fs_op op, const char *path)
{
	struct killer *k = user;

	(void)op;
	(void)path;
	if (++k->calls == k->at)
		_exit(9);
	return 0;
}

/* True when the child was killed before it was through. */
static bool child_dies(unsigned at, const char *revision, const char *bytes)
{
	struct killer k = {.at = at};
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct store *s = NULL;
		bool fresh;

		k.fs = (struct fs){kill_at, &k};
		if (store_open(&s, url, &k.fs, NULL))
			_exit(1);
		_exit(put(s, revision, bytes, 1, &fresh) ? 1 : 0);
	}
	assert_num(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9);
	return WEXITSTATUS(status) == 9;
}

/*
 * Kill a writer ahead of its 1st, 2nd, ... system call. A reader sees all of
 * the version or nothing, the next writer gets through, and what the dead one
 * left is gone. One revision for all: a new store each time.
 */
static void a_killed_writer_leaves_all_or_nothing(void **state)
{
	unsigned at = 0, deaths = 0, found = 0;
	bool died = true;

	(void)state;
	while (died) {
		struct store *s;
		bool fresh, there;

		assert_true(++at < 500);
		snprintf(url, sizeof(url), "dir:%s/store%u", dir, at);
		died = child_dies(at, "r1", "bytes");
		deaths += died;
		s = open_store(NULL);
		there = holds(s, "r1", "bytes");
		found += there && died;
		assert_ok(put(s, "r1", "bytes", 2, &fresh), &err);
		assert_true(fresh == !there);
		assert_true(holds(s, "r1", "bytes"));
		assert_ok(put(s, "r2", "more", 2, &fresh), &err);
		assert_num(leftovers(), 0);
		store_close(s);
		teardown(NULL);
		assert_num(mkdir(dir, 0755), 0);
	}
	assert_true(deaths > 20);
	assert_true(found > 0); /* killed behind the rename */
}

/* --- at the same time ----------------------------------------------------- */

struct racer {
	pthread_t thread;
	const char *bytes;
	enum status st;
	bool fresh;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct buf digest = {0};
	struct store *s = NULL;

	store_digest(&digest, str_from(r->bytes));
	struct version v = {
		"prod/a", "r1", digest.ptr, "", "", 0, 0, strlen(r->bytes)};

	r->st = store_open(&s, url, NULL, NULL);
	if (!r->st)
		r->st = store_put(s, &v, str_from(r->bytes), &r->fresh, NULL);
	store_close(s);
	buf_release(&digest);
	return NULL;
}

/* Eight writers of one revision, two kinds of bytes: one kind wins, once. */
static void of_many_writers_at_once_one_is_first(void **state)
{
	(void)state;
	for (int round = 0; round < 5; round++) {
		struct racer racers[8];
		unsigned fresh = 0, ok = 0;
		struct store *s;

		snprintf(url, sizeof(url), "dir:%s/race%d", dir, round);
		for (size_t i = 0; i < COUNT(racers); i++) {
			racers[i] =
				(struct racer){.bytes = i % 2 ? "odd" : "even"};
			assert_num(pthread_create(&racers[i].thread, NULL, race,
					   &racers[i]),
				0);
		}
		for (size_t i = 0; i < COUNT(racers); i++) {
			assert_num(pthread_join(racers[i].thread, NULL), 0);
			ok += racers[i].st == OK;
			fresh += racers[i].st == OK && racers[i].fresh;
			assert_true(racers[i].st == OK ||
				    racers[i].st == E_CONFLICT);
		}
		assert_num(ok, 4);
		assert_num(fresh, 1);
		s = open_store(NULL);
		assert_true(holds(s, "r1", racers[0].st ? "odd" : "even"));
		store_close(s);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_put_is_found),
		T(the_same_bytes_again_change_nothing),
		T(other_bytes_under_a_revision_are_a_conflict),
		T(a_version_must_say_what_its_bytes_are),
		T(versions_are_listed_oldest_first),
		T(names_do_not_leave_the_store),
		T(names_have_a_limit),
		T(bytes_that_were_changed_are_not_given),
		T(broken_records_are_named),
		T(other_kinds_are_refused_by_name),
		T(every_call_may_fail),
		T(a_full_disk_is_an_error_with_a_reason),
		T(a_store_that_may_not_be_written_says_so),
		T(a_killed_writer_leaves_all_or_nothing),
		T(of_many_writers_at_once_one_is_first),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
