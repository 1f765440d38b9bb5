/* Files: whole or not at all, whichever call fails. */
#include "tests/test.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

static char *dir; /* a fresh folder for each test */

static int setup(void **state)
{
	char name[] = "/tmp/regatta-fs-XXXXXX";

	(void)state;
	dir = strdup(mkdtemp(name));
	return dir ? 0 : -1;
}

static int remove_one(
	const char *path, const struct stat *sb, int kind, struct FTW *where)
{
	(void)sb, (void)kind, (void)where;
	return remove(path);
}

static int teardown(void **state)
{
	int failed = nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);

	(void)state;
	free(dir);
	return failed;
}

static const char *at(struct arena *a, const char *name)
{
	return arena_printf(a, "%s/%s", dir, name);
}

/* What stands at `path`, and how many names there are in the folder. */
static void assert_file(const char *path, const char *want, size_t names)
{
	struct buf b = {0};
	struct arena a = {0};
	struct err e = {0};
	const char **list;
	size_t n;

	assert_ok(fs_read(NULL, path, 1000, &b, &e), &e);
	assert_str(buf_str(&b), want);
	assert_ok(fs_list(NULL, dir, &a, &list, &n, &e), &e);
	assert_num(n, names);
	buf_release(&b);
	arena_release(&a);
}

static void reading_stops_at_the_limit(void **state)
{
	struct arena a = {0};
	struct buf b = {0};
	struct err e = {0};
	const char *path = at(&a, "f");

	(void)state;
	assert_ok(fs_write(NULL, path, S("12345"), 0644, &e), &e);
	assert_ok(fs_read(NULL, path, 5, &b, &e), &e);
	assert_num(fs_read(NULL, path, 4, &b, &e), E_LIMIT);
	assert_str(buf_str(&b), "12345"); /* nothing was added */
	assert_num(fs_read(NULL, at(&a, "none"), 4, &b, &e), E_NOT_FOUND);
	buf_release(&b);
	arena_release(&a);
}

static void reading_an_empty_file_gives_an_empty_string(void **state)
{
	struct arena a = {0};
	struct buf b = {0};
	struct err e = {0};

	(void)state;
	assert_ok(fs_write(NULL, at(&a, "f"), S(""), 0644, &e), &e);
	assert_ok(fs_read(NULL, at(&a, "f"), 0, &b, &e), &e);
	assert_string_equal(b.ptr, "");
	buf_release(&b);
	arena_release(&a);
}

/* /dev/zero: what stat() says of a size is not to be trusted. */
static void reading_ends_where_the_size_is_not_known(void **state)
{
	struct buf b = {0};
	struct err e = {0};

	(void)state;
	assert_fails(fs_read(NULL, "/dev/zero", 100000, &b, &e), &e, E_LIMIT,
		"/dev/zero has more than 100000 bytes");
	assert_num(b.len, 0);
	buf_release(&b);
}

static void of_a_failed_read_nothing_stays(void **state)
{
	static const enum fs_op ops[] = {FS_OPEN, FS_READ, FS_CLOSE};
	struct arena a = {0};
	struct buf b = {0}, big = {0};
	struct err e = {0};
	size_t failed = 0;

	(void)state;
	memset(buf_reserve(&big, KIB(200)), 'x', KIB(200));
	big.len = KIB(200);
	assert_ok(fs_write(NULL, at(&a, "f"), buf_str(&big), 0644, &e), &e);
	buf_adds(&b, "kept");
	for (size_t i = 0; i < COUNT(ops); i++)
		for (unsigned nth = 1;; nth++) {
			struct fs_fault f;
			enum status st;

			fs_fault_init(&f, ops[i], nth, EIO);
			st = fs_read(&f.fs, at(&a, "f"), MIB(1), &b, &e);
			if (f.calls[ops[i]] < nth) {
				assert_ok(st, &e);
				b.len = 4;
				break;
			}
			assert_fails(st, &e, E_IO, "Input/output error");
			assert_string_equal(b.ptr, "kept");
			failed++;
		}
	assert_true(failed >= 4); /* one open, two reads, one close */
	buf_release(&b);
	buf_release(&big);
	arena_release(&a);
}

/* Write while call `nth` of `op` fails; *was: there was such a call. */
static void write_failing(
	const char *path, enum fs_op op, unsigned nth, bool sticky, bool *was)
{
	struct fs_fault f;
	struct err e = {0};
	enum status st;

	fs_fault_init(&f, op, nth, ENOSPC);
	f.sticky = sticky;
	st = fs_write(&f.fs, path, S("new"), 0600, &e);
	*was = f.calls[op] >= nth;
	if (*was)
		assert_fails(st, &e, E_IO, "No space left on device");
	else
		assert_ok(st, &e);
}

/* Only opening, syncing and closing the folder come after the rename. */
static bool before_rename(enum fs_op op, unsigned nth)
{
	return op == FS_WRITE || op == FS_RENAME || nth == 1;
}

/* Fail each call of writing in turn: the file is the old one or the new one. */
static void a_failed_write_leaves_the_old_file_or_the_new(void **state)
{
	static const enum fs_op ops[] = {
		FS_OPEN, FS_WRITE, FS_SYNC, FS_CLOSE, FS_RENAME};
	struct arena a = {0};
	struct err e = {0};
	const char *path = at(&a, "f");
	unsigned failed = 0;
	bool was;

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(ops); i++)
		for (unsigned nth = 1;; nth++) {
			enum fs_op op = ops[i / 2];

			assert_ok(fs_write(NULL, path, S("old"), 0600, &e), &e);
			write_failing(path, op, nth, i % 2, &was);
			if (!was)
				break; /* there is no such call */
			failed++;
			assert_file(path,
				before_rename(op, nth) ? "old" : "new", 1);
		}
	/* Two of open, sync and close; one of write and rename; both kinds. */
	assert_num(failed, 16);
	arena_release(&a);
}

static void a_failed_first_write_leaves_nothing(void **state)
{
	static const enum fs_op ops[] = {
		FS_OPEN, FS_WRITE, FS_SYNC, FS_CLOSE, FS_RENAME};
	struct arena a = {0};
	struct err e = {0};
	const char **names;
	size_t n;
	bool was;

	(void)state;
	for (size_t i = 0; i < COUNT(ops); i++) {
		write_failing(at(&a, "f"), ops[i], 1, false, &was);
		assert_true(was);
		assert_ok(fs_list(NULL, dir, &a, &names, &n, &e), &e);
		assert_num(n, 0);
	}
	arena_release(&a);
}

static void a_folder_is_not_written_over(void **state)
{
	struct arena a = {0};
	struct err e = {0};
	const char **names;
	size_t n;

	(void)state;
	assert_ok(fs_mkdirs(NULL, at(&a, "d"), 0755, &e), &e);
	assert_fails(fs_write(NULL, at(&a, "d"), S("x"), 0644, &e), &e, E_IO,
		"renaming");
	assert_fails(fs_write(NULL, at(&a, "none/f"), S("x"), 0644, &e), &e,
		E_NOT_FOUND, "none/f");
	assert_ok(fs_list(NULL, dir, &a, &names, &n, &e), &e);
	assert_num(n, 1);
	arena_release(&a);
}

static void a_file_has_the_mode_that_was_asked_for(void **state)
{
	struct arena a = {0};
	struct err e = {0};
	struct fs_info info;

	(void)state;
	assert_ok(fs_write(NULL, at(&a, "f"), S("1"), 0644, &e), &e);
	assert_ok(fs_write(NULL, at(&a, "f"), S("123"), 0600, &e), &e);
	assert_ok(fs_stat(NULL, at(&a, "f"), &info, &e), &e);
	assert_num(info.kind, FS_FILE);
	assert_num(info.mode, 0600);
	assert_num(info.size, 3);
	arena_release(&a);
}

static const char *named(struct arena *a, size_t len)
{
	return at(a, arena_printf(a, "%0*d", (int)len, 0));
}

static void a_name_may_be_as_long_as_the_system_takes(void **state)
{
	struct arena a = {0};
	struct err e = {0};
	const char *path = named(&a, LIMIT_PATH_COMPONENT);

	(void)state;
	assert_ok(fs_write(NULL, path, S("1"), 0644, &e), &e);
	assert_file(path, "1", 1);
	path = named(&a, LIMIT_PATH_COMPONENT + 1);
	assert_num(fs_write(NULL, path, S("1"), 0644, &e), E_IO);
	assert_file(named(&a, LIMIT_PATH_COMPONENT), "1", 1);
	arena_release(&a);
}

static void *write_often(void *text)
{
	struct arena a = {0};
	struct err e = {0};
	enum status st = OK;

	for (int i = 0; i < 50 && !st; i++)
		st = fs_write(NULL, at(&a, "f"), str_from(text), 0644, &e);
	arena_release(&a);
	return st ? text : NULL;
}

static void of_two_writers_at_once_one_wins(void **state)
{
	static char one[] = "one", two[] = "two";
	struct arena a = {0};
	struct buf b = {0};
	struct err e = {0};
	pthread_t t;
	void *failed;

	(void)state;
	assert_num(pthread_create(&t, NULL, write_often, one), 0);
	assert_null(write_often(two));
	pthread_join(t, &failed);
	assert_null(failed);
	assert_ok(fs_read(NULL, at(&a, "f"), 10, &b, &e), &e);
	assert_true(str_is(buf_str(&b), "one") || str_is(buf_str(&b), "two"));
	assert_file(at(&a, "f"), b.ptr, 1);
	buf_release(&b);
	arena_release(&a);
}

static void folders_are_made_with_those_above(void **state)
{
	struct arena a = {0};
	struct err e = {0};
	struct fs_info info;
	struct fs_fault f;

	(void)state;
	assert_ok(fs_mkdirs(NULL, at(&a, "a/b//c/"), 0755, &e), &e);
	assert_ok(fs_mkdirs(NULL, at(&a, "a/b/c"), 0755, &e), &e);
	assert_ok(fs_stat(NULL, at(&a, "a/b/c"), &info, &e), &e);
	assert_num(info.kind, FS_DIR);
	assert_ok(fs_stat(NULL, at(&a, "nothing"), &info, &e), &e);
	assert_num(info.kind, FS_NONE);
	assert_ok(fs_write(NULL, at(&a, "f"), S(""), 0644, &e), &e);
	assert_num(fs_mkdirs(NULL, at(&a, "f"), 0755, &e), E_IO);
	assert_num(fs_mkdirs(NULL, at(&a, "f/g"), 0755, &e), E_IO);
	fs_fault_init(&f, FS_MKDIR, 1, EACCES);
	assert_fails(fs_mkdirs(&f.fs, at(&a, "z"), 0755, &e), &e, E_DENIED,
		"making folder");
	fs_fault_init(&f, FS_STAT, 1, EIO);
	assert_fails(
		fs_stat(&f.fs, at(&a, "a"), &info, &e), &e, E_IO, "looking at");
	arena_release(&a);
}

static void what_is_not_there_cannot_be_removed(void **state)
{
	struct arena a = {0};
	struct err e = {0};
	struct fs_fault f;

	(void)state;
	assert_ok(fs_mkdirs(NULL, at(&a, "a/b"), 0755, &e), &e);
	assert_num(fs_remove(NULL, at(&a, "a"), &e), E_IO); /* not empty */
	fs_fault_init(&f, FS_REMOVE, 1, EROFS);
	assert_num(fs_remove(&f.fs, at(&a, "a/b"), &e), E_IO);
	assert_ok(fs_remove(NULL, at(&a, "a/b"), &e), &e);
	assert_ok(fs_remove(NULL, at(&a, "a"), &e), &e);
	assert_num(fs_remove(NULL, at(&a, "a"), &e), E_NOT_FOUND);
	arena_release(&a);
}

static void a_list_is_sorted_and_whole(void **state)
{
	struct arena a = {0};
	struct err e = {0};
	const char **names = NULL;
	size_t n = 99;
	struct fs_fault f;

	(void)state;
	for (int i = 99; i >= 0; i--)
		assert_ok(fs_write(NULL, at(&a, arena_printf(&a, "%02d", i)),
				  S(""), 0644, &e),
			&e);
	for (unsigned nth = 1;; nth++) {
		enum status st;

		fs_fault_init(&f, FS_LIST, nth, EIO);
		st = fs_list(&f.fs, dir, &a, &names, &n, &e);
		if (f.calls[FS_LIST] < nth)
			break;
		assert_num(st, E_IO);
		assert_null(names); /* as it was */
	}
	assert_num(n, 100);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(names[i], arena_printf(&a, "%02d", (int)i));
	assert_num(fs_list(NULL, at(&a, "00"), &a, &names, &n, &e),
		E_NOT_FOUND); /* no folder */
	arena_release(&a);
}

/* --- walking ------------------------------------------------------------- */

struct seen {
	struct buf names;
	const char *at; /* do this here: */
	enum fs_visit visit;
	enum status status;
};

static enum fs_visit note(void *user, const struct fs_entry *entry,
	enum status *st, struct err *e)
{
	struct seen *s = user;

	assert_true(str_ends(str_from(entry->path), str_from(entry->name)));
	buf_addf(&s->names, "%s%c ", entry->name, "-fdlo"[entry->info.kind]);
	if (!s->at || strcmp(s->at, entry->name) != 0)
		return FS_GO_ON;
	if (s->status)
		*st = err_set(e, s->status, "as told");
	return s->visit;
}

static enum status walk(struct seen *s, size_t max, struct err *e)
{
	buf_reset(&s->names);
	buf_adds(&s->names, "");
	return fs_walk(NULL, dir, max, note, s, e);
}

static void a_walk_is_in_order_and_follows_no_link(void **state)
{
	struct arena a = {0};
	struct err e = {0};
	struct seen s = {0};

	(void)state;
	assert_ok(fs_mkdirs(NULL, at(&a, "a/b"), 0755, &e), &e);
	assert_ok(fs_write(NULL, at(&a, "a/b/f"), S(""), 0644, &e), &e);
	assert_ok(fs_write(NULL, at(&a, "a.f"), S(""), 0644, &e), &e);
	assert_num(symlink(dir, at(&a, "loop")), 0);
	assert_num(mkfifo(at(&a, "pipe"), 0600), 0);
	assert_ok(walk(&s, 0, &e), &e);
	assert_str(buf_str(&s.names), "ad a/bd a/b/ff a.ff loopl pipeo ");
	s.at = "a/b";
	s.visit = FS_SKIP;
	assert_ok(walk(&s, 0, &e), &e);
	assert_str(buf_str(&s.names), "ad a/bd a.ff loopl pipeo ");
	s.visit = FS_STOP;
	assert_ok(walk(&s, 0, &e), &e);
	assert_str(buf_str(&s.names), "ad a/bd ");
	s.visit = FS_GO_ON;
	s.status = E_DENIED;
	assert_fails(walk(&s, 0, &e), &e, E_DENIED, "as told");
	assert_str(buf_str(&s.names), "ad a/bd ");
	buf_release(&s.names);
	arena_release(&a);
}

static void a_walk_ends_with_the_error_of_any_call(void **state)
{
	static const enum fs_op ops[] = {FS_OPEN, FS_STAT, FS_LIST};
	struct arena a = {0};
	struct err e = {0};
	struct seen s = {0};
	unsigned failed = 0;

	(void)state;
	assert_ok(fs_mkdirs(NULL, at(&a, "a/b"), 0755, &e), &e);
	for (size_t i = 0; i < COUNT(ops); i++)
		for (unsigned nth = 1;; nth++) {
			struct fs_fault f;
			enum status st;

			fs_fault_init(&f, ops[i], nth, EIO);
			st = fs_walk(&f.fs, dir, 0, note, &s, &e);
			if (f.calls[ops[i]] < nth)
				break;
			failed++;
			assert_num(st, E_IO);
		}
	assert_true(failed >= 3 + 2 + 5);
	buf_release(&s.names);
	arena_release(&a);
}

/* `n` folders inside each other, each with a name of `len` bytes. */
static void nest(struct arena *a, size_t n, size_t len)
{
	struct buf b = {0};
	struct err e = {0};

	buf_adds(&b, dir);
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "/%0*d", (int)len, 0);
	assert_ok(fs_mkdirs(NULL, b.ptr, 0755, &e), &e);
	buf_release(&b);
	arena_reset(a);
}

static void a_walk_goes_as_deep_as_the_limit(void **state)
{
	struct arena a = {0};
	struct err e = {0};
	struct seen s = {0};

	(void)state;
	nest(&a, LIMIT_PATH_DEPTH, 1);
	assert_ok(walk(&s, 0, &e), &e);
	nest(&a, LIMIT_PATH_DEPTH + 1, 1);
	assert_fails(walk(&s, 0, &e), &e, E_LIMIT, "more than 32 steps deep");
	buf_release(&s.names);
	arena_release(&a);
}

static void a_walk_takes_names_as_long_as_the_limit(void **state)
{
	struct arena a = {0};
	struct err e = {0};
	struct seen s = {0};

	(void)state;
	nest(&a, 5, 204); /* and four slashes */
	assert_ok(walk(&s, 0, &e), &e);
	nest(&a, 5, 205);
	assert_fails(walk(&s, 0, &e), &e, E_LIMIT, "more than 1024 bytes");
	buf_release(&s.names);
	arena_release(&a);
}

static void a_walk_counts_what_it_sees(void **state)
{
	struct arena a = {0};
	struct err e = {0};
	struct seen s = {0};

	(void)state;
	nest(&a, 5, 1);
	assert_ok(walk(&s, 5, &e), &e);
	assert_fails(
		walk(&s, 4, &e), &e, E_LIMIT, "more than 4 files and folders");
	buf_release(&s.names);
	arena_release(&a);
}

static void without_a_word_a_walk_is_bounded_too(void **state)
{
	struct arena a = {0};
	struct err e = {0};
	struct seen s = {0};
	struct buf name = {0};
	const char *first = at(&a, "0");

	(void)state;
	/* Links to one file cost a tenth of as many files. */
	assert_ok(fs_write(NULL, first, S(""), 0644, &e), &e);
	for (unsigned i = 1; i < LIMIT_BUNDLE_FILES; i++) {
		buf_reset(&name);
		buf_addf(&name, "%s/%u", dir, i);
		assert_num(link(first, name.ptr), 0);
	}
	assert_ok(walk(&s, 0, &e), &e);
	assert_num(link(first, at(&a, "one-more")), 0);
	assert_fails(walk(&s, 0, &e), &e, E_LIMIT,
		"more than 20000 files and folders");
	buf_release(&s.names);
	buf_release(&name);
	arena_release(&a);
}

/* Two opens of one file exclude each other, within one process too. */
static void a_lock_has_one_holder(void **state)
{
	struct err err = {0};
	char path[128];
	int one = -1, two = -1;

	(void)state;
	snprintf(path, sizeof(path), "%s/lock", dir);
	assert_ok(fs_lock(NULL, path, 0, &one, &err), &err);
	assert_fails(fs_lock(NULL, path, 20 * 1000 * 1000, &two, &err), &err,
		E_CONFLICT, "is locked by another process");
	assert_num(two, -1);
	fs_unlock(one);
	assert_ok(fs_lock(NULL, path, 0, &two, &err), &err);
	fs_unlock(two);
}

/* --- files that stay open ------------------------------------------------ */

static void an_open_file_grows_and_is_cut(void **state)
{
	struct arena a = {0};
	const char *path = at(&a, "f");
	struct fs_file f = {.fd = -1};
	struct err e = {0};
	char got[8] = "";
	uint64_t size;
	size_t n;

	(void)state;
	assert_fails(fs_open(&f, NULL, path, false, 0, &e), &e, E_NOT_FOUND,
		"opening");
	assert_ok(fs_open(&f, NULL, path, true, 0640, &e), &e);
	assert_ok(fs_append(&f, S("hello"), &e), &e);
	assert_ok(fs_append(&f, S(" you"), &e), &e);
	assert_ok(fs_sync(&f, &e), &e);
	assert_ok(fs_read_at(&f, 6, got, sizeof(got), &n, &e), &e);
	assert_num(n, 3);
	assert_string_equal(got, "you");
	assert_ok(fs_cut(&f, 2, &e), &e);
	assert_ok(fs_append(&f, S("!"), &e), &e);
	assert_ok(fs_size(&f, &size, &e), &e);
	assert_num(size, 3);
	assert_ok(fs_close(&f, &e), &e);
	assert_ok(fs_close(&f, &e), &e); /* twice is fine */
	assert_file(path, "he!", 1);
	assert_ok(fs_rename(NULL, path, at(&a, "g"), &e), &e);
	assert_file(at(&a, "g"), "he!", 1);
	arena_release(&a);
}

static void each_call_on_an_open_file_can_fail(void **state)
{
	struct arena a = {0};
	struct fs_fault fault;
	struct fs_file f = {.fd = -1};
	struct err e = {0};
	uint64_t size;
	char c;
	size_t n;

	(void)state;
	fs_fault_init(&fault, FS_OPS, 0, EIO);
	assert_ok(fs_open(&f, &fault.fs, at(&a, "f"), true, 0640, &e), &e);
	fault.at = 1;
	fault.sticky = true;
	for (fault.op = FS_OPEN; fault.op < FS_OPS; fault.op++) {
		memset(fault.calls, 0, sizeof(fault.calls));
		assert_num(fs_append(&f, S("x"), &e) == E_IO,
			fault.op == FS_WRITE);
		assert_num(fs_sync(&f, &e) == E_IO, fault.op == FS_SYNC);
		assert_num(fs_cut(&f, 0, &e) == E_IO, fault.op == FS_CUT);
		assert_num(fs_size(&f, &size, &e) == E_IO, fault.op == FS_STAT);
		assert_num(fs_read_at(&f, 0, &c, 1, &n, &e) == E_IO,
			fault.op == FS_READ);
		assert_num(fs_rename(&fault.fs, at(&a, "f"), at(&a, "f"), &e) ==
				   E_IO,
			fault.op == FS_RENAME);
	}
	fault.op = FS_CLOSE;
	assert_num(fs_close(&f, &e), E_IO);
	assert_num(f.fd, -1);
	arena_release(&a);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(reading_stops_at_the_limit),
		T(reading_an_empty_file_gives_an_empty_string),
		T(reading_ends_where_the_size_is_not_known),
		T(of_a_failed_read_nothing_stays),
		T(a_failed_write_leaves_the_old_file_or_the_new),
		T(a_failed_first_write_leaves_nothing),
		T(a_folder_is_not_written_over),
		T(a_file_has_the_mode_that_was_asked_for),
		T(a_name_may_be_as_long_as_the_system_takes),
		T(of_two_writers_at_once_one_wins),
		T(folders_are_made_with_those_above),
		T(what_is_not_there_cannot_be_removed),
		T(a_list_is_sorted_and_whole),
		T(a_walk_is_in_order_and_follows_no_link),
		T(a_walk_ends_with_the_error_of_any_call),
		T(a_walk_goes_as_deep_as_the_limit),
		T(a_walk_takes_names_as_long_as_the_limit),
		T(a_walk_counts_what_it_sees),
		T(without_a_word_a_walk_is_bounded_too),
		T(a_lock_has_one_holder),
		T(an_open_file_grows_and_is_cut),
		T(each_call_on_an_open_file_can_fail),
	};

	return cmocka_run_group_tests_name("base fs", tests, NULL, NULL);
}
