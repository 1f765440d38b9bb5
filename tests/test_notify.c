/* The user's command is told, and can't hold anything up. */
#include "tests/test.h"

#include "base/clock.h"
#include "base/fs.h"
#include "canary/notify.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct err err;

static void a_command_gets_the_text_on_its_standard_input(void **state)
{
	char path[] = "/tmp/regatta-notify-XXXXXX";
	const char *argv[] = {"sh", "-c", "cat >\"$0\"", path, NULL};
	struct buf got = {0};

	(void)state;
	close(mkstemp(path));
	assert_ok(notify_run(argv, S("{\"a\":1}\n"), 10000, &err), &err);
	assert_ok(fs_read(NULL, path, 100, &got, &err), &err);
	assert_string_equal(got.ptr, "{\"a\":1}\n");
	buf_release(&got);
	unlink(path);
}

static void how_a_command_fails_is_told(void **state)
{
	static const char *const three[] = {"sh", "-c", "exit 3", NULL};
	static const char *const killed[] = {"sh", "-c", "kill -9 $$", NULL};
	static const char *const none[] = {"/no/such/command", NULL};

	(void)state;
	assert_fails(notify_run(three, S("x"), 10000, &err), &err, E_IO,
		"sh ended with code 3");
	assert_fails(notify_run(killed, S("x"), 10000, &err), &err, E_IO,
		"sh ended with signal 9");
	assert_fails(notify_run(none, S("x"), 10000, &err), &err, E_NOT_FOUND,
		"no command /no/such/command");
}

/* Nor do those that it has started, which hold its pipe. */
static void a_command_that_takes_too_long_is_ended(void **state)
{
	static const char *const slow[] = {
		"sh", "-c", "sleep 60 & sleep 60", NULL};
	int64_t begin = clock_mono(&clock_system);

	(void)state;
	assert_fails(notify_run(slow, S("x"), 100, &err), &err, E_CANCELED,
		"took more than 100 ms");
	assert_true(clock_mono(&clock_system) - begin < 5 * NS_PER_S);
}

static void a_command_that_reads_nothing_is_no_failure(void **state)
{
	static const char *const deaf[] = {"true", NULL};
	char *much = calloc(1, 1 << 20);

	(void)state;
	memset(much, 'x', (1 << 20) - 1);
	assert_ok(notify_run(deaf, str_from(much), 10000, &err), &err);
	free(much);
}

static void a_notifier_runs_them_one_after_the_other(void **state)
{
	char path[] = "/tmp/regatta-notify-XXXXXX";
	const char *argv[] = {"sh", "-c", "cat >>\"$0\"", path, NULL};
	struct notifier *n;
	struct buf got = {0};

	(void)state;
	close(mkstemp(path));
	n = notifier_new(argv, NULL, NULL);
	notifier_tell(n, S("1"));
	notifier_tell(n, S("2"));
	notifier_tell(n, S("3"));
	for (int i = 0; i < 1000 && got.len < 6; i++) {
		clock_sleep(&clock_system, 10 * NS_PER_MS);
		buf_reset(&got);
		assert_ok(fs_read(NULL, path, 100, &got, &err), &err);
	}
	assert_string_equal(got.ptr, "1\n2\n3\n");
	notifier_free(n);
	notifier_free(NULL);
	buf_release(&got);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_gets_the_text_on_its_standard_input),
		cmocka_unit_test(how_a_command_fails_is_told),
		cmocka_unit_test(a_command_that_takes_too_long_is_ended),
		cmocka_unit_test(a_command_that_reads_nothing_is_no_failure),
		cmocka_unit_test(a_notifier_runs_them_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
