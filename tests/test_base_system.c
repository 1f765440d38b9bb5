/* Clocks, and libraries that are opened late. */
#include "tests/test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/lib.h"

static void a_fake_clock_stands_still_until_told(void **state)
{
	struct fake_clock f;
	int64_t mono;

	(void)state;
	fake_clock_init(&f, 5 * NS_PER_S);
	mono = clock_mono(&f.clock);
	assert_true(mono > 0); /* 0 often means "no deadline" */
	assert_num(clock_wall(&f.clock), 5 * NS_PER_S);
	assert_num(clock_mono(&f.clock), mono);
	fake_clock_advance(&f, 3 * NS_PER_MS);
	assert_num(clock_wall(&f.clock), 5 * NS_PER_S + 3 * NS_PER_MS);
	assert_num(clock_mono(&f.clock), mono + 3 * NS_PER_MS);
}

static void a_sleep_moves_a_fake_clock_on(void **state)
{
	struct fake_clock f;
	int64_t mono;

	(void)state;
	fake_clock_init(&f, 0);
	mono = clock_mono(&f.clock);
	clock_sleep(&f.clock, 3600 * NS_PER_S);
	assert_num(clock_mono(&f.clock), mono + 3600 * NS_PER_S);
	clock_sleep(&f.clock, -1);
	clock_sleep(&f.clock, 0);
	assert_num(clock_mono(&f.clock), mono + 3600 * NS_PER_S);
}

static void setting_the_time_is_no_duration(void **state)
{
	struct fake_clock f;
	int64_t mono;

	(void)state;
	fake_clock_init(&f, 10 * NS_PER_S);
	mono = clock_mono(&f.clock);
	fake_clock_step(&f, -4 * NS_PER_S);
	assert_num(clock_wall(&f.clock), 6 * NS_PER_S);
	assert_num(clock_mono(&f.clock), mono);
}

static void *advance(void *user)
{
	for (int i = 0; i < 10000; i++)
		fake_clock_advance(user, 1);
	return NULL;
}

static void threads_may_read_a_fake_clock(void **state)
{
	struct fake_clock f;
	pthread_t t;
	int64_t start, last, now;

	(void)state;
	fake_clock_init(&f, 0);
	start = last = clock_mono(&f.clock);
	assert_num(pthread_create(&t, NULL, advance, &f), 0);
	do {
		now = clock_mono(&f.clock);
		assert_true(now >= last);
		last = now;
	} while (now < start + 10000);
	pthread_join(t, NULL);
	assert_num(clock_mono(&f.clock), start + 10000);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void a_sleep_is_not_cut_short_by_signals(void **state)
{
	struct sigaction sa = {.sa_handler = on_alarm}, before;
	struct itimerval every_ms = {{0, 1000}, {0, 1000}}, off = {0};
	int64_t start;

	(void)state;
	assert_num(sigaction(SIGALRM, &sa, &before), 0);
	assert_num(setitimer(ITIMER_REAL, &every_ms, NULL), 0);
	start = clock_mono(&clock_system);
	clock_sleep(&clock_system, 20 * NS_PER_MS);
	assert_true(clock_mono(&clock_system) - start >= 20 * NS_PER_MS);
	setitimer(ITIMER_REAL, &off, NULL);
	sigaction(SIGALRM, &before, NULL);
	assert_true(clock_wall(&clock_system) > 1700000000 * NS_PER_S);
}

/* Any slot: what it points to is not called here. */
static struct {
	void (*fn)(void);
} slot;

static int started;

static void count_start(void)
{
	started += slot.fn != NULL;
}

static void a_library_is_opened_by_the_first_name_that_is_there(void **state)
{
	static const char *const files[] = {
		"libregatta-none.so.1", "libm.so.6", NULL};
	static const char *const names[] = {"cos", NULL};
	struct lib l = {.name = "libm",
		.files = files,
		.names = names,
		.slots = &slot,
		.start = count_start};
	struct err e = {0};

	(void)state;
	slot.fn = NULL;
	assert_ok(lib_load(&l, &e), &e);
	assert_true(slot.fn != NULL);
	assert_true(l.loaded);
	slot.fn = NULL;
	assert_ok(lib_load(&l, &e), &e);
	assert_true(slot.fn == NULL); /* once is enough */
	assert_num(started, 1);
}

static void a_library_that_is_not_there_is_said_by_name(void **state)
{
	static const char *const files[] = {"libregatta-none.so.1", NULL};
	static const char *const real[] = {"libm.so.6", NULL};
	static const char *const names[] = {"cos", NULL};
	static const char *const missing[] = {"regatta_no_such", NULL};
	struct lib gone = {.name = "libgone",
		.files = files,
		.names = names,
		.slots = &slot};
	struct lib old = {.name = "libold",
		.files = real,
		.names = missing,
		.slots = &slot};
	struct err e = {0};

	(void)state;
	assert_fails(lib_load(&gone, &e), &e, E_UNSUPPORTED, "opening libgone");
	assert_false(gone.loaded);
	assert_fails(lib_load(&old, &e), &e, E_UNSUPPORTED,
		"libold has no regatta_no_such");
	assert_false(old.loaded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fake_clock_stands_still_until_told),
		cmocka_unit_test(a_sleep_moves_a_fake_clock_on),
		cmocka_unit_test(setting_the_time_is_no_duration),
		cmocka_unit_test(threads_may_read_a_fake_clock),
		cmocka_unit_test(a_sleep_is_not_cut_short_by_signals),
		cmocka_unit_test(
			a_library_is_opened_by_the_first_name_that_is_there),
		cmocka_unit_test(a_library_that_is_not_there_is_said_by_name),
	};

	return cmocka_run_group_tests_name("base system", tests, NULL, NULL);
}
