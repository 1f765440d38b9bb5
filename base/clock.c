#include "base/clock.h"

#include <errno.h>
#include <time.h>

static int64_t now(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int64_t system_wall(void *user)
{
	(void)user;
	return now(CLOCK_REALTIME);
}

static int64_t system_mono(void *user)
{
	(void)user;
	return now(CLOCK_MONOTONIC);
}

static void system_sleep(void *user, int64_t ns)
{
	struct timespec until;

	if (ns <= 0)
		return;
	/* Until a point in time, so that a signal costs nothing. */
	ns += system_mono(user);
	until.tv_sec = (time_t)(ns / NS_PER_S);
	until.tv_nsec = (long)(ns % NS_PER_S);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) ==
		EINTR)
		;
}

const struct clock clock_system = {
	system_wall, system_mono, system_sleep, NULL};

int64_t clock_wall(const struct clock *c)
{
	return c->wall(c->user);
}

int64_t clock_mono(const struct clock *c)
{
	return c->mono(c->user);
}

void clock_sleep(const struct clock *c, int64_t ns)
{
	c->sleep(c->user, ns);
}

static int64_t fake_wall(void *user)
{
	struct fake_clock *f = user;

	return __atomic_load_n(&f->wall_ns, __ATOMIC_SEQ_CST);
}

static int64_t fake_mono(void *user)
{
	struct fake_clock *f = user;

	return __atomic_load_n(&f->mono_ns, __ATOMIC_SEQ_CST);
}

static void fake_sleep(void *user, int64_t ns)
{
	if (ns > 0)
		fake_clock_advance(user, ns);
}

void fake_clock_init(struct fake_clock *f, int64_t wall_ns)
{
	/* Not 0: a deadline of 0 means "none" in more than one place. */
	*f = (struct fake_clock){
		.clock = {fake_wall, fake_mono, fake_sleep, f},
		.wall_ns = wall_ns,
		.mono_ns = NS_PER_S,
	};
}

void fake_clock_advance(struct fake_clock *f, int64_t ns)
{
	__atomic_fetch_add(&f->wall_ns, ns, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&f->mono_ns, ns, __ATOMIC_SEQ_CST);
}

void fake_clock_step(struct fake_clock *f, int64_t ns)
{
	__atomic_fetch_add(&f->wall_ns, ns, __ATOMIC_SEQ_CST);
}
