/*
 * bench_verdict: how long a judge takes for one window of a large fleet.
 *
 *	bench_verdict [WINDOWS]
 *
 * 10,000 targets, 50 paths and 20 classes; each target decides on every path;
 * one in twenty runs the candidate. WINDOWS (default 20) windows are judged,
 * each with its verdict. Then a million decisions of one minute become a
 * window. Prints rows of a table, each a line of JSON (row.py): processor time
 * of a window and its verdict, mean and longest, of the last verdict with its
 * odds ratios, of adding a decision and of closing their window.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "canary/window.h"

enum {
	TARGETS = 10000,
	PATHS = 50,
	CLASSES = 20,
	ROWS = TARGETS * PATHS,
	DECISIONS = 1000000,
};

static uint64_t seed = 20260620;

static uint64_t below(uint64_t n)
{
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return (seed >> 33) % n;
}

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void row(const char *name, const char *unit, double value)
{
	printf("{\"row\":\"%s\",\"unit\":\"%s\",\"ours\":%.2f}\n", name, unit,
		value);
}

static struct stratum *make_strata(struct arena *a)
{
	struct stratum *s = ARENA_ARRAY(a, struct stratum, PATHS * CLASSES);

	for (int i = 0; i < PATHS * CLASSES; i++) {
		s[i].path = str_from(arena_printf(a, "p%d", i % PATHS));
		s[i].target_class = str_from(arena_printf(a, "c%d", i / PATHS));
	}
	return s;
}

static struct target_facts *make_targets(struct arena *a)
{
	struct target_facts *t = ARENA_ARRAY(a, struct target_facts, TARGETS);

	for (int i = 0; i < TARGETS; i++)
		t[i] = (struct target_facts){
			.id = str_from(arena_printf(a, "t%d", i)),
			.canary = i / CLASSES % 20 == 0,
			.on_candidate = i / CLASSES % 20 == 0,
			.last_poll_ns = NS_PER_S,
			.last_event_ns = NS_PER_S,
			.poll_period_ns = 60 * NS_PER_S,
			.counts_requests = true};
	return t;
}

/* A few errors, one deny in ten, one slow in a hundred. */
static void fill(struct window_row *rows)
{
	for (uint32_t i = 0; i < ROWS; i++) {
		uint32_t target = i / PATHS, path = i % PATHS;
		struct decision_counts *k = &rows[i].k;

		rows[i].target = target;
		rows[i].stratum = target % CLASSES * PATHS + path;
		rows[i].canary = target / CLASSES % 20 == 0;
		k->n = k->raw = k->timed = 5 + below(20);
		k->error = below(100) == 0;
		k->undefined = below(100) == 0;
		k->deny = below(5) == 0 ? k->n / 2 : 0;
		k->slow = below(8) == 0;
		k->allow = k->n - k->error - k->undefined - k->deny;
	}
}

static struct windows *make_windows(
	struct arena *a, struct strata *strata, const struct stratum *of)
{
	struct stratum_usual *u =
		ARENA_ARRAY(a, struct stratum_usual, PATHS * CLASSES);
	struct windows_config c = windows_defaults;
	struct windows *w;
	struct err e;

	for (int i = 0; i < PATHS * CLASSES; i++)
		u[i] = (struct stratum_usual){.of = of[i], .per_window = 1000};
	c.candidate = S("v2026.06.22-1");
	c.stable = S("v2026.06.20-3");
	if (strata_fold(strata, u, PATHS * CLASSES, 30, a, &e) ||
		windows_new(&w, &c, strata, TARGETS, &e))
		die("%s", e.text);
	return w;
}

/* Inputs are all apart: a repeated one comes from another target. */
static void bench_windows(const struct stratum *of)
{
	struct arena a = {0};
	struct strata strata;
	struct windows *w = make_windows(&a, &strata, of);
	struct canary_window closed = {0};
	double start = cpu_ms(), added;

	for (uint64_t i = 0; i < DECISIONS; i++) {
		uint32_t target = (uint32_t)below(TARGETS);
		uint32_t s = target % CLASSES * PATHS + (uint32_t)below(PATHS);
		bool canary = target / CLASSES % 20 == 0;

		windows_add(
			w, &(struct decision_fact){.target = target,
				   .path = of[s].path,
				   .target_class = of[s].target_class,
				   .revision = canary ? S("v2026.06.22-1")
						      : S("v2026.06.20-3"),
				   .timed = true,
				   .input_hash = below(DECISIONS),
				   .time_ns = (int64_t)below(60) * NS_PER_S});
	}
	added = cpu_ms();
	windows_close(w, 3600 * NS_PER_S, &closed);
	row("a decision added", "ns", (added - start) * 1e6 / DECISIONS);
	row("a window of a million decisions closed", "ms", cpu_ms() - added);
	windows_free(w);
	arena_release(&a);
}

int main(int argc, char **argv)
{
	struct arena a = {0};
	long windows = argc > 1 ? strtol(argv[1], NULL, 10) : 20;
	struct stratum *strata = make_strata(&a);
	struct target_facts *targets = make_targets(&a);
	struct window_row *rows = ARENA_ARRAY(&a, struct window_row, ROWS);
	struct judge *j =
		judge_new(&verdict_defaults, strata, PATHS * CLASSES, TARGETS);
	struct verdict_facts f = {
		.now_ns = NS_PER_S, .targets = targets, .ntargets = TARGETS};
	struct canary_window w = {.rows = rows, .nrows = ROWS};
	struct verdict v;
	double sum = 0, most = 0;

	judge_step(j);
	for (long i = 0; i < windows; i++) {
		fill(rows);
		double start = cpu_ms();

		judge_window(j, &w);
		judge_verdict(j, &f, &v);
		double took = cpu_ms() - start;

		sum += took;
		most = took > most ? took : most;
	}
	row("a window and its verdict", "ms",
		sum / (double)(windows > 0 ? windows : 1));
	row("the longest of them", "ms", most);
	double start = cpu_ms();

	f.intervals = true;
	judge_verdict(j, &f, &v);
	row("a verdict with its odds, for people", "ms", cpu_ms() - start);
	judge_free(j);
	bench_windows(strata);
	arena_release(&a);
	return 0;
}
