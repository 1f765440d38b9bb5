/* The run: step by step to its end, and what came of it. */
#include "tests/scenario/site.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- a step -----------------------------------------------------------------
 */

static bool quiet(void)
{
	return (!channel_busy(model.state) || model.state == CHANNEL_HOLD) &&
	       model.stable != NOBODY && site_serves() && !w->broken &&
	       !w->kill;
}

/* Nothing that the engine would look at. */
static bool idle(void)
{
	return !channel_busy(model.state) && model.queued == NOBODY;
}

static void minutes(int n)
{
	for (; n > 0; n--) {
		time_passes(MINUTE);
		fleet_decide(MINUTE);
		fleet_upload();
	}
}

/* All of the fleet reports now and then; whose version changed, at once. */
static void report(void)
{
	static int64_t last;
	int64_t every = quiet() ? 2 * HOUR : 10 * MINUTE;
	bool all = w->true_ns - last >= every;

	fleet_report(all);
	if (all)
		last = w->true_ns;
}

static void step(void)
{
	site_break();
	minutes(!quiet() ? BUSY : idle() ? IDLE : QUIET);
	days_act();
	site_look();
	checks_lines();
	fleet_poll();
	report();
	site_tick();
	site_mend();
}

static void server_comes_and_goes(void)
{
	if (w->server_away_ns > w->true_ns) {
		if (site)
			site_down();
	} else if (!site) {
		site_up();
	} else if (w->restart) {
		site_down();
		site_up();
		w->restarts++;
	}
	w->restart = false;
}

static bool disturbed(void)
{
	return w->kill || w->breaks || w->restart || !site ||
	       w->server_away_ns > w->true_ns || w->engine_away_ns > w->true_ns;
}

static void one_step(void)
{
	w->step++;
	if (disturbed())
		w->disturbed_ns = w->true_ns;
	server_comes_and_goes();
	if (w->kill && site_serves())
		site_killed(step);
	else
		step();
	checks_step();
}

/* --- the report -------------------------------------------------------------
 */

static void print_states(const char *what, const uint64_t n[CHANNEL_STATES])
{
	printf("%s:", what);
	for (int s = 0; s < CHANNEL_STATES; s++)
		if (n[s])
			printf(" %s %" PRIu64 ",",
				channel_state_name((enum channel_state)s),
				n[s]);
	printf("\n");
}

static void print_counts(double seconds)
{
	printf("%" PRIu64 " steps, %" PRIu64 " answers, %" PRIu64
	       " decisions, %" PRIu64 " calls (%" PRIu64
	       " refused), %d versions, %" PRId64 " rollouts, %" PRId64
	       " lines of ledger, %" PRIu64 " kills, %" PRIu64
	       " restarts, %" PRIu64 " faults; %.1f s\n",
		w->step, w->answers, w->decisions, w->calls, w->refused_calls,
		w->nversions, model.rollout, model.seq, w->kills, w->restarts,
		w->faults, seconds);
	printf("happened:");
	for (unsigned i = 0; days_name(i); i++)
		if (w->happened[i])
			printf(" %s %" PRIu64 ",", days_name(i),
				w->happened[i]);
	print_states("\nrollback tried in", w->back_tried);
	print_states("rolled back by hand from", w->back_from);
}

/* --- arguments --------------------------------------------------------------
 */

static uint64_t seed_of(void)
{
	const char *text = getenv("SEED");
	struct timespec t;

	if (text && *text)
		return strtoull(text, NULL, 10);
	clock_gettime(CLOCK_REALTIME, &t);
	return ((uint64_t)t.tv_sec * 1000003 + (uint64_t)t.tv_nsec) %
	       1000000000;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A sanitizer takes its time. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { WEEKS = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { WEEKS = 1 };
#else
enum { WEEKS = 4 };
#endif
#else
enum { WEEKS = 4 };
#endif

enum { WEEKS_MAX = 52 };

/* 0: they can't be understood. */
static int64_t weeks_of(int argc, char **argv)
{
	int64_t weeks = WEEKS;

	if (argc == 3 && !strcmp(argv[1], "--weeks"))
		weeks = strtol(argv[2], NULL, 10);
	else if (argc > 1)
		return 0;
	return weeks < 1 || weeks > WEEKS_MAX ? 0 : weeks;
}

static void play(int64_t weeks)
{
	site_up();
	days_plan(0);
	for (int64_t week = 1; week <= weeks; week++) {
		while (w->true_ns < w->start_ns + week * WEEK)
			one_step();
		printf("root after week %" PRId64 ": %s\n", week,
			checks_root());
		fflush(stdout);
	}
	w->server_away_ns = 0;
	if (!site)
		site_up();
	checks_end();
}

static void give_back(void)
{
	site_free();
	site_calls_release();
	versions_release();
	checks_release();
}

int main(int argc, char **argv)
{
	int64_t weeks = weeks_of(argc, argv);
	double began = seconds();
	size_t passed, failed;

	if (!weeks) {
		fprintf(stderr,
			"usage: scenario [--weeks 1-%d]; SEED=n "
			"repeats a run\n",
			WEEKS_MAX);
		return 2;
	}
	world_new(seed_of());
	printf("scenario: SEED=%" PRIu64 ", %" PRId64 " weeks\n", w->seed,
		weeks);
	fflush(stdout);
	site_new();
	play(weeks);
	passed = checks_report(weeks >= 4, &failed);
	print_counts(seconds() - began);
	give_back();
	printf("%zu passed, %zu failed\n", passed, failed);
	return failed ? 1 : 0;
}
