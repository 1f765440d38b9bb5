/* Files: whole or not at all, whichever call fails. */
#include "tests/test.h"

#include <errno.h>
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

static enum fs_visit remove_one(void *user, const struct fs_entry *entry,
	enum status *st, struct err *e)
{
	(void)user;
	if (entry->info.kind != FS_DIR)
		*st = fs_remove(NULL, entry->path, e);
	return FS_GO_ON;
}

static int teardown(void **state)
{
	struct err e = {0};

	(void)state;
	if (fs_walk(NULL, dir, 0, remove_one, NULL, &e))
		return -1;
	rmdir(dir);
	free(dir);
	return 0;
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

/* Fail each call of writing in turn: the file is the old one or the new one. */
static void a_failed_write_leaves_the_old_file_or_the_new(void **state)
{
	static const enum fs_op ops[] = {
		FS_OPEN, FS_WRITE, FS_SYNC, FS_CLOSE, FS_RENAME};
	struct arena a = {0};
	const char *path = at(&a, "f");

	(void)state;
	for (size_t i = 0; i < COUNT(ops); i++)
		for (unsigned nth = 1; nth < 10; nth++) {
			struct fs_fault f;
			struct err e = {0};
			struct buf b = {0};
			enum status st;

			assert_ok(fs_write(NULL, path, S("old"), 0600, &e), &e);
			fs_fault_init(&f, ops[i], nth, ENOSPC);
			st = fs_write(&f.fs, path, S("new"), 0600, &e);
			if (f.calls[ops[i]] < nth)
				break; /* there is no such call */
			assert_ok(fs_read(NULL, path, 100, &b, &e), &e);
			if (st == OK)
				assert_str(buf_str(&b), "new");
			else
				assert_true(str_is(buf_str(&b), "old") ||
					    str_is(buf_str(&b), "new"));
			assert_file(path, b.ptr, 1);
			buf_release(&b);
		}
	arena_release(&a);
}

static void folders_are_made_listed_and_walked_in_order(void **state)
{
	struct arena a = {0};
	struct err e = {0};
	struct fs_info info;

	(void)state;
	assert_ok(fs_mkdirs(NULL, at(&a, "b"), 0755, &e), &e);
	assert_ok(fs_mkdirs(NULL, at(&a, "b"), 0755, &e), &e);
	assert_ok(fs_stat(NULL, at(&a, "b"), &info, &e), &e);
	assert_num(info.kind, FS_DIR);
	assert_ok(fs_stat(NULL, at(&a, "nothing"), &info, &e), &e);
	assert_num(info.kind, FS_NONE);
	assert_ok(fs_remove(NULL, at(&a, "b"), &e), &e);
	assert_num(fs_remove(NULL, at(&a, "b"), &e), E_NOT_FOUND);
	arena_release(&a);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(reading_stops_at_the_limit),
		T(a_failed_write_leaves_the_old_file_or_the_new),
		T(folders_are_made_listed_and_walked_in_order),
	};

	return cmocka_run_group_tests_name("base fs", tests, NULL, NULL);
}
