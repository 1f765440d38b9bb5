/*
 * clock: what time it is, handed in.
 *
 * Code that depends on time takes a struct clock, or the time itself. The
 * program passes clock_system; a test passes &fake.clock and decides when time
 * goes on. Times are nanoseconds: `wall` since 1970 UTC, for people and
 * files; `mono` since some point, for durations and deadlines; it never steps
 * back. Differences of `wall` are not durations.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

struct clock {
	int64_t (*wall)(void *user);
	int64_t (*mono)(void *user);
	void (*sleep)(void *user, int64_t ns);
	void *user;
};

extern const struct clock clock_system;

int64_t clock_wall(const struct clock *c); /* ns since 1970 */
int64_t clock_mono(const struct clock *c); /* ns */

/* Wait; a fake clock moves on instead. Not cut short by signals. */
void clock_sleep(const struct clock *c, int64_t ns);

/*
 * A clock for tests. It stands still until fake_clock_advance() or a sleep.
 * Any number of threads may read it while one advances it.
 */
struct fake_clock {
	struct clock clock;
	int64_t wall_ns, mono_ns;
};

/* `f` must stay where it is while its clock is used. */
void fake_clock_init(struct fake_clock *f, int64_t wall_ns);
void fake_clock_advance(struct fake_clock *f, int64_t ns);
/* Only the wall clock, as when somebody sets the machine's time. */
void fake_clock_step(struct fake_clock *f, int64_t ns);

#endif
