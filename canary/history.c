/*
 * What each canary target sent, window by window, to ask of a FAIL whether it
 * hangs on one of them. Packed as numbers of seven bits per byte, the lowest
 * first: some ten bytes for a target's counts of one stratum. Only strata with
 * decisions of the canary are kept; the baseline's targets are summed up.
 *
 *	window	= end_ns n {stratum duplicates counts} n {target stratum counts}
 *	counts	= one per field of the table below
 */
#include "canary/judge.h"

#include "base/limits.h"

#include <string.h>

/* What metrics read of decision_counts. */
static const size_t fields[] = {
	offsetof(struct decision_counts, n),
	offsetof(struct decision_counts, error),
	offsetof(struct decision_counts, undefined),
	offsetof(struct decision_counts, deny),
	offsetof(struct decision_counts, deny_new),
	offsetof(struct decision_counts, timed),
	offsetof(struct decision_counts, slow),
};

static void put(struct buf *b, uint64_t x)
{
	for (; x > 127; x >>= 7)
		buf_addc(b, (char)(x | 128));
	buf_addc(b, (char)x);
}

static void put_counts(struct buf *b, const struct decision_counts *k)
{
	for (size_t i = 0; i < COUNT(fields); i++) {
		uint64_t x;

		memcpy(&x, (const char *)k + fields[i], sizeof(x));
		put(b, x);
	}
}

static void put_strata(struct buf *b, const struct judge *j)
{
	uint64_t n = 0;

	for (uint32_t s = 0; s < j->nstrata; s++)
		n += j->window[s].c.n > 0;
	put(b, n);
	for (uint32_t s = 0; s < j->nstrata; s++) {
		if (!j->window[s].c.n)
			continue;
		put(b, s);
		put(b, j->duplicates[s]);
		put_counts(b, &j->window[s].b);
	}
}

static void put_rows(struct buf *b, const struct canary_window *w)
{
	uint64_t n = 0;

	for (size_t i = 0; i < w->nrows; i++)
		n += w->rows[i].canary && w->rows[i].k.n;
	put(b, n);
	for (size_t i = 0; i < w->nrows; i++) {
		const struct window_row *r = &w->rows[i];

		if (!r->canary || !r->k.n)
			continue;
		put(b, r->target);
		put(b, r->stratum);
		put_counts(b, &r->k);
	}
}

void history_add(struct judge *j, const struct canary_window *w)
{
	if (j->history_full)
		return;
	put(&j->history, (uint64_t)w->end_ns);
	put_strata(&j->history, j);
	put_rows(&j->history, w);
	if (j->history.len <= LIMIT_JUDGE_HISTORY)
		return;
	buf_release(&j->history);
	j->history_full = true;
}

/* --- reading it ----------------------------------------------------------- */

struct reader {
	const unsigned char *at, *end;
};

static struct reader read_from(const struct buf *b)
{
	const unsigned char *p = (const unsigned char *)b->ptr;

	return (struct reader){p, p + b->len};
}

static uint64_t get(struct reader *r)
{
	uint64_t x = 0;

	for (int shift = 0;; shift += 7) {
		unsigned char c = *r->at++;

		x |= (uint64_t)(c & 127) << shift;
		if (c < 128)
			return x;
	}
}

static struct decision_counts get_counts(struct reader *r)
{
	struct decision_counts k = {0};

	for (size_t i = 0; i < COUNT(fields); i++) {
		uint64_t x = get(r);

		memcpy((char *)&k + fields[i], &x, sizeof(x));
	}
	return k;
}

/*
 * How much more of what the metric fears than the baseline's rate gives. Where
 * there is no baseline there is no evidence either.
 */
static double excess(const struct judge *j, enum canary_metric m, uint32_t s,
	const struct decision_counts *k)
{
	struct tally t = judge_tally(k, m), b = judge_tally(&j->window[s].b, m);
	double rate = stat_rate(b);

	if (m == METRIC_CEILING)
		rate = j->config->ceiling;
	else if (!b.n)
		return 0;
	double over = (double)t.x - rate * (double)t.n;

	return m == METRIC_DENY_DOWN ? -over : over;
}

/*
 * Into `j` as if the window had been folded, less the target `without`. Adds to
 * target_excess what `m` fears. Returns the window's end.
 */
static int64_t read_window(struct reader *r, struct judge *j,
	enum canary_metric m, uint32_t without)
{
	int64_t end_ns = (int64_t)get(r);

	memset(j->window, 0, j->nstrata * sizeof(*j->window));
	for (uint64_t n = get(r); n > 0; n--) {
		uint32_t s = (uint32_t)get(r);

		j->duplicates[s] = get(r);
		j->window[s].b = get_counts(r);
	}
	for (uint64_t n = get(r); n > 0; n--) {
		uint32_t target = (uint32_t)get(r), s = (uint32_t)get(r);
		struct decision_counts k = get_counts(r);

		if (target == without)
			continue;
		j->target_excess[target] += excess(j, m, s, &k);
		judge_add_counts(&j->window[s].c, &k);
	}
	return end_ns;
}

static void judge_again(struct judge *j, enum canary_metric m, int64_t end_ns)
{
	for (uint32_t s = 0; s < j->nstrata; s++)
		if (j->window[s].c.n)
			judge_metric(j, m, s, judge_eta(j, s), end_ns);
}

static struct judge *like(const struct judge *j)
{
	return judge_new(j->config, j->strata, j->nstrata, j->ntargets);
}

static uint32_t worst_of(const struct judge *j, enum canary_metric m)
{
	struct judge *all = like(j);
	struct reader r = read_from(&j->history);
	uint32_t worst;

	while (r.at < r.end)
		read_window(&r, all, m, UINT32_MAX);
	worst = judge_largest(all->target_excess, j->ntargets);
	judge_free(all);
	return worst;
}

struct left_out history_without_worst(
	const struct judge *j, enum canary_metric m)
{
	struct left_out out = {0};
	uint32_t worst = j->history_full ? UINT32_MAX : worst_of(j, m);
	struct reader r = read_from(&j->history);
	struct judge *less;

	if (worst == UINT32_MAX)
		return out;
	less = like(j);
	while (r.at < r.end)
		judge_again(less, m, read_window(&r, less, m, worst));
	if (less->total[m].c.n)
		out = (struct left_out){true, !judge_harmful(less, m), worst};
	judge_free(less);
	return out;
}
