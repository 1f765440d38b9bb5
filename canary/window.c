/*
 * Open windows keep one entry for each input that can be told apart, with when
 * it was first and last seen: activations may be told of after the decisions
 * around them. What counts is decided when a window closes.
 */
#include "canary/window.h"

#include "base/clock.h"
#include "base/limits.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct windows_config windows_defaults = {
	.window_ns = 60 * NS_PER_S,
	.grace_ns = 1200 * NS_PER_S,
	.race_ns = 5 * NS_PER_S,
	.warmup_ns = 60 * NS_PER_S,
	.max_entries = LIMIT_WINDOW_ENTRIES,
};

enum {
	ACTIVATIONS = 4, /* remembered of a target */
};

struct target_marks {
	int64_t heard_ns; /* 0: never, or gone */
	int64_t activated_ns[ACTIVATIONS];
};

enum timing {
	TIMED_NOT,
	TIMED_FAST,
	TIMED_SLOW,
};

/* Decisions that differ in nothing but their time. */
struct entry {
	uint64_t key; /* path and input; of coarse ones, the second */
	uint32_t target, stratum;
	uint32_t raw;
	uint32_t first_us, last_us; /* from the window's start */
	bool canary : 1, coarse : 1;
	uint8_t outcome, timing; /* enum decision_class, enum timing */
	uint8_t took;            /* took_bucket() of the first */
};

struct open_window {
	struct entry *entries;
	uint32_t len, cap;
	uint32_t *slots; /* entry number + 1; 0 is free */
	uint32_t nslots; /* a power of two, or 0 */
	uint64_t unattributed, foreign;
};

/* How long decisions took, of both arms of a stratum. */
struct took {
	uint64_t canary[TOOK_BUCKETS], stable[TOOK_BUCKETS];
};

struct windows {
	struct windows_config config;
	const struct strata *strata;
	struct target_marks *targets;
	uint32_t ntargets;
	int64_t first; /* number of the oldest open window */
	struct open_window open[LIMIT_WINDOWS_OPEN]; /* by number, modulo */
	uint32_t fine, coarse;                       /* entries in all */
	uint64_t late, overflow;                     /* not yet reported */
	struct window_row *rows; /* of the window closed last */
	size_t nrows, cap;
	struct took **took; /* by stratum, once one was timed */
	uint32_t nstrata;
};

/* --- life ----------------------------------------------------------------- */

static enum status check_config(const struct windows_config *c, struct err *e)
{
	if (!c->candidate.len)
		return err_set(e, E_INVALID, "no candidate to watch");
	if (str_eq(c->candidate, c->stable))
		return err_set(e, E_INVALID,
			"candidate and stable are the same revision, \"%.*s\"",
			STR_ARG(c->stable));
	if (c->window_ns < NS_PER_S || c->window_ns > 3600 * NS_PER_S)
		return err_set(e, E_INVALID,
			"a window of %.3g s, must be 1 to 3600",
			(double)c->window_ns / NS_PER_S);
	if (c->start_ns < 0 || c->grace_ns < 0 || c->race_ns < 0 ||
		c->warmup_ns < 0)
		return err_set(
			e, E_INVALID, "times of windows must not be below 0");
	/* One more that grace only touches, one that has begun. */
	if (c->grace_ns / c->window_ns + 2 > LIMIT_WINDOWS_OPEN)
		return err_set(e, E_LIMIT,
			"a grace of %lld windows, limit %u; take longer "
			"windows or shorter log periods",
			(long long)(c->grace_ns / c->window_ns),
			LIMIT_WINDOWS_OPEN - 2);
	return OK;
}

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		die("out of memory");
	return p;
}

int64_t windows_grace(int64_t window_ns)
{
	int64_t most = (int64_t)(LIMIT_WINDOWS_OPEN - 4) * window_ns;

	return most < windows_defaults.grace_ns ? most
						: windows_defaults.grace_ns;
}

enum status windows_new(struct windows **out, const struct windows_config *c,
	const struct strata *strata, uint32_t ntargets, struct err *e)
{
	enum status st = check_config(c, e);
	struct windows *w;

	if (st)
		return st;
	w = zeroed(1, sizeof(*w));
	w->config = *c;
	w->strata = strata;
	w->ntargets = ntargets;
	w->targets = zeroed(ntargets, sizeof(*w->targets));
	w->nstrata = strata->n;
	w->took = zeroed(strata->n, sizeof(*w->took));
	*out = w;
	return OK;
}

static void empty(struct windows *w, struct open_window *o)
{
	for (uint32_t i = 0; i < o->len; i++)
		*(o->entries[i].coarse ? &w->coarse : &w->fine) -= 1;
	free(o->entries);
	free(o->slots);
	*o = (struct open_window){0};
}

void windows_free(struct windows *w)
{
	if (!w)
		return;
	for (uint32_t i = 0; i < LIMIT_WINDOWS_OPEN; i++)
		empty(w, &w->open[i]);
	for (uint32_t i = 0; i < w->nstrata; i++)
		free(w->took[i]);
	free(w->took);
	free(w->targets);
	free(w->rows);
	free(w);
}

/* --- marks ---------------------------------------------------------------- */

void windows_heard(struct windows *w, uint32_t target, int64_t until_ns)
{
	struct target_marks *t = &w->targets[target];

	if (until_ns > t->heard_ns)
		t->heard_ns = until_ns;
}

void windows_gone(struct windows *w, uint32_t target)
{
	w->targets[target].heard_ns = 0;
}

void windows_activated(struct windows *w, uint32_t target, int64_t at_ns)
{
	int64_t *at = w->targets[target].activated_ns;
	int oldest = 0;

	for (int i = 0; i < ACTIVATIONS; i++) {
		if (at[i] == at_ns)
			return;
		if (at[i] < at[oldest])
			oldest = i;
	}
	if (at_ns > at[oldest])
		at[oldest] = at_ns;
}

/* Whether `ns` is from `before` an activation of the target to `after` it. */
static bool near_activation(const struct windows *w, uint32_t target,
	int64_t ns, int64_t before, int64_t after)
{
	const int64_t *at = w->targets[target].activated_ns;

	for (int i = 0; i < ACTIVATIONS; i++)
		if (at[i] > 0 && ns - at[i] >= -before && ns - at[i] <= after)
			return true;
	return false;
}

/* --- entries -------------------------------------------------------------- */

/* The finalizer of SplitMix64. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint64_t entry_hash(const struct entry *x)
{
	uint64_t place = (uint64_t)x->target << 32 | x->stratum;
	uint64_t kind = (uint64_t)x->outcome << 4 | (uint64_t)x->timing << 2 |
			(uint64_t)x->canary << 1 | x->coarse;

	return mix(x->key ^ mix(place ^ kind << 56));
}

#define ORDER(x, y) ((x) < (y) ? -1 : (x) > (y))

/* What belongs to one row stands together, and in it what is one input. */
static int by_row(const struct entry *x, const struct entry *y)
{
	int c = ORDER(x->target, y->target);

	c = c ? c : ORDER(x->stratum, y->stratum);
	return c ? c : ORDER(x->canary, y->canary);
}

static int by_input(const struct entry *x, const struct entry *y)
{
	int c = by_row(x, y);

	c = c ? c : ORDER(x->outcome, y->outcome);
	c = c ? c : ORDER(x->coarse, y->coarse);
	return c ? c : ORDER(x->key, y->key);
}

static int by_all(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = by_input(x, y);

	return c ? c : ORDER(x->timing, y->timing);
}

/* The slot of what equals `x`, or the free one where it should be. */
static uint32_t *slot_of(const struct open_window *o, const struct entry *x)
{
	uint32_t at = (uint32_t)entry_hash(x) & (o->nslots - 1);

	while (o->slots[at] && by_all(&o->entries[o->slots[at] - 1], x))
		at = (at + 1) & (o->nslots - 1);
	return &o->slots[at];
}

static void grow(struct open_window *o)
{
	if (o->len == o->cap) {
		o->cap = o->cap ? 2 * o->cap : 64;
		o->entries = realloc(o->entries, o->cap * sizeof(*o->entries));
		if (!o->entries)
			die("out of memory");
	}
	if (o->nslots && o->len < o->nslots / 3 * 2)
		return;
	free(o->slots);
	o->nslots = o->nslots ? 2 * o->nslots : 64;
	o->slots = zeroed(o->nslots, sizeof(*o->slots));
	for (uint32_t i = 0; i < o->len; i++)
		*slot_of(o, &o->entries[i]) = i + 1;
}

/* Count `x`, a single decision, with its equals; false: there is no room. */
static bool count_in(
	struct windows *w, struct open_window *o, const struct entry *x)
{
	uint32_t *held = x->coarse ? &w->coarse : &w->fine;
	uint32_t *slot;

	grow(o);
	slot = slot_of(o, x);
	if (!*slot) {
		if (*held >= w->config.max_entries)
			return false;
		++*held;
		o->entries[o->len++] = *x;
		*slot = o->len;
		return true;
	}
	struct entry *old = &o->entries[*slot - 1];

	old->raw += old->raw < UINT32_MAX;
	if (x->first_us < old->first_us ||
		(x->first_us == old->first_us && x->took < old->took)) {
		old->first_us = x->first_us;
		old->took = x->took;
	}
	old->last_us = x->last_us > old->last_us ? x->last_us : old->last_us;
	return true;
}

static bool count_coarse(
	struct windows *w, struct open_window *o, struct entry x)
{
	x.coarse = true;
	x.key = x.first_us / 1000000;
	return count_in(w, o, &x);
}

static uint64_t key_of(const struct decision_fact *d)
{
	return mix(d->input_hash ^
		   mix(str_hash(d->path.ptr, d->path.len) + UINT64_C(1)));
}

static void count(struct windows *w, struct open_window *o, int64_t since_ns,
	const struct decision_fact *d)
{
	uint32_t us = (uint32_t)(since_ns / NS_PER_US);
	struct entry x = {.key = key_of(d),
		.target = d->target,
		.stratum = strata_find(w->strata, d->path, d->target_class),
		.raw = 1,
		.first_us = us,
		.last_us = us,
		.canary = str_eq(d->revision, w->config.candidate),
		.outcome = (uint8_t)d->outcome,
		.timing = !d->timed ? TIMED_NOT
			  : d->slow ? TIMED_SLOW
				    : TIMED_FAST,
		.took = (uint8_t)took_bucket(d->timed ? d->took_ns : 0)};

	if (!d->erased && count_in(w, o, &x))
		return;
	if (!count_coarse(w, o, x))
		w->overflow++;
}

void windows_add(struct windows *w, const struct decision_fact *d)
{
	const struct windows_config *c = &w->config;

	assert(d->target < w->ntargets);
	if (d->time_ns < c->start_ns)
		return;
	int64_t since = d->time_ns - c->start_ns;
	int64_t number = since / c->window_ns;

	if (number < w->first) {
		w->late++;
		return;
	}
	if (number - w->first >= LIMIT_WINDOWS_OPEN) {
		w->overflow++;
		return;
	}
	struct open_window *o = &w->open[number % LIMIT_WINDOWS_OPEN];

	windows_heard(w, d->target, d->time_ns);
	if (!d->revision.len)
		o->unattributed++;
	else if (!str_eq(d->revision, c->candidate) &&
		 !str_eq(d->revision, c->stable))
		o->foreign++;
	else
		count(w, o, since % c->window_ns, d);
}

/* --- closing -------------------------------------------------------------- */

static int64_t window_start(const struct windows *w, int64_t number)
{
	return w->config.start_ns + number * w->config.window_ns;
}

/* Somebody was heard of, and nobody who was may still have sent less. */
static bool all_heard(const struct windows *w, int64_t end_ns)
{
	bool any = false;

	for (uint32_t i = 0; i < w->ntargets; i++) {
		int64_t heard = w->targets[i].heard_ns;

		if (heard && heard <= end_ns)
			return false;
		any |= heard != 0;
	}
	return any;
}

static bool complete(const struct windows *w, int64_t now_ns)
{
	int64_t end = window_start(w, w->first + 1);

	if (now_ns < end)
		return false;
	return now_ns - end >= w->config.grace_ns || all_heard(w, end);
}

/* First and last: between them it was seen outside, or it does not matter. */
static bool all_near(const struct windows *w, int64_t start_ns,
	const struct entry *x, int64_t after)
{
	int64_t before = w->config.race_ns;

	return near_activation(w, x->target, start_ns + x->first_us * NS_PER_US,
		       before, after) &&
	       near_activation(w, x->target, start_ns + x->last_us * NS_PER_US,
		       before, after);
}

static void add_class(
	struct decision_counts *k, enum decision_class c, uint64_t n)
{
	k->n += n;
	switch (c) {
	case CLASS_ALLOW:
		k->allow += n;
		break;
	case CLASS_DENY:
		k->deny += n;
		break;
	case CLASS_DENY_NEW:
		k->deny += n;
		k->deny_new += n;
		break;
	case CLASS_UNDEFINED:
		k->undefined += n;
		break;
	case CLASS_ERROR:
		k->error += n;
		break;
	case CLASS_OTHER:
		break;
	}
}

static void add_took(struct windows *w, const struct entry *x, uint64_t n)
{
	struct took **t = &w->took[x->stratum];

	if (!*t)
		*t = zeroed(1, sizeof(**t));
	(x->canary ? (*t)->canary : (*t)->stable)[x->took] += n;
}

/* One input's entries, which differ in timing. */
static void add_input(struct windows *w, const struct entry *x, size_t n,
	struct canary_window *out, struct window_row *row)
{
	const struct windows_config *c = &w->config;
	int64_t after = c->warmup_ns > c->race_ns ? c->warmup_ns : c->race_ns;
	uint64_t seen = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t times = x[i].coarse ? x[i].raw : 1;
		int64_t last = out->start_ns + x[i].last_us * NS_PER_US;

		if (all_near(w, out->start_ns, &x[i], c->race_ns)) {
			out->racing += x[i].raw;
			continue;
		}
		row->k.raw += x[i].raw;
		row->duplicates |= x[i].coarse;
		seen = x[i].coarse ? seen + times : 1;
		if (x[i].canary && last > out->newest_ns)
			out->newest_ns = last;
		if (x[i].timing == TIMED_NOT ||
			all_near(w, out->start_ns, &x[i], after))
			continue;
		row->k.timed += times;
		row->k.slow += x[i].timing == TIMED_SLOW ? times : 0;
		add_took(w, &x[i], times);
	}
	add_class(&row->k, (enum decision_class)x->outcome, seen);
}

static size_t run_of(const struct entry *x, size_t from, size_t n,
	int (*by)(const struct entry *, const struct entry *))
{
	size_t to = from + 1;

	while (to < n && by(&x[to], &x[from]) == 0)
		to++;
	return to;
}

static void add_row(struct windows *w, const struct entry *x, size_t n,
	struct canary_window *out)
{
	struct window_row row = {.target = x->target,
		.stratum = x->stratum,
		.canary = x->canary};

	for (size_t from = 0, to; from < n; from = to) {
		to = run_of(x, from, n, by_input);
		add_input(w, x + from, to - from, out, &row);
	}
	if (!row.k.raw)
		return;
	if (w->nrows == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 64;
		w->rows = realloc(w->rows, w->cap * sizeof(*w->rows));
		if (!w->rows)
			die("out of memory");
	}
	w->rows[w->nrows++] = row;
}

static void close_first(struct windows *w, struct canary_window *out)
{
	struct open_window *o = &w->open[w->first % LIMIT_WINDOWS_OPEN];

	*out = (struct canary_window){.start_ns = window_start(w, w->first),
		.end_ns = window_start(w, w->first + 1),
		.unattributed = o->unattributed,
		.foreign = o->foreign,
		.late = w->late,
		.overflow = w->overflow};
	w->late = w->overflow = 0;
	w->first++;
	w->nrows = 0;
	if (o->len)
		qsort(o->entries, o->len, sizeof(*o->entries), by_all);
	for (size_t from = 0, to; from < o->len; from = to) {
		to = run_of(o->entries, from, o->len, by_row);
		add_row(w, o->entries + from, to - from, out);
	}
	out->rows = w->rows;
	out->nrows = w->nrows;
	empty(w, o);
}

bool windows_close(struct windows *w, int64_t now_ns, struct canary_window *out)
{
	struct canary_window closed;

	while (complete(w, now_ns)) {
		close_first(w, &closed);
		if (!closed.nrows && !closed.unattributed && !closed.foreign &&
			!closed.racing && !closed.late && !closed.overflow)
			continue;
		*out = closed;
		return true;
	}
	return false;
}

/* --- how long it took ----------------------------------------------------- */

enum { TOOK_STEPS = 8 }; /* a doubling */

unsigned took_bucket(int64_t ns)
{
	double i = ns > 1000 ? TOOK_STEPS * log2((double)ns / 1000) : 0;

	return i < TOOK_BUCKETS ? (unsigned)i : TOOK_BUCKETS - 1;
}

int64_t took_end(unsigned bucket)
{
	return (int64_t)(1000 * exp2((double)(bucket + 1) / TOOK_STEPS));
}

struct mann_whitney windows_latency(const struct windows *w)
{
	struct mann_whitney all = {0};

	for (uint32_t i = 0; i < w->nstrata; i++) {
		const struct took *t = w->took[i];

		if (!t)
			continue;
		struct mann_whitney one =
			stat_mann_whitney(t->canary, t->stable, TOOK_BUCKETS);

		all = stat_mann_whitney_both(&all, &one);
	}
	return all;
}
