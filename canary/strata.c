/* Rare strata fold into those of their class, then into one. */
#include "canary/strata.h"

#include "base/limits.h"

#include <math.h>
#include <stdlib.h>

static bool stands_alone(const struct stratum_usual *u, double min)
{
	return u->of.deny != DENY_STEADY || u->per_window >= min;
}

static size_t alone(const struct stratum_usual *u, size_t n, double min)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += stands_alone(&u[i], min);
	return count;
}

/* The least above which no more than LIMIT_STRATA stand alone. */
static enum status fitting_min(
	const struct stratum_usual *u, size_t n, double *min, struct err *e)
{
	size_t planned = alone(u, n, INFINITY);

	if (planned > LIMIT_STRATA)
		return err_set(e, E_LIMIT,
			"%zu decision paths and classes with plans for "
			"denies, limit %u",
			planned, LIMIT_STRATA);
	while (alone(u, n, *min) > LIMIT_STRATA)
		*min = *min > 1 ? 2 * *min : 2;
	return OK;
}

static int by_class(const void *a, const void *b)
{
	const struct stratum_usual *x = a, *y = b;
	int c = str_cmp(x->of.target_class, y->of.target_class);

	return c ? c : str_cmp(x->of.path, y->of.path);
}

static int by_place(const void *a, const void *b)
{
	const struct strata_place *x = a, *y = b;
	int c = str_cmp(x->path, y->path);

	return c ? c : str_cmp(x->target_class, y->target_class);
}

/* Under way: room for one stratum and one rest for each of the usual. */
struct folding {
	struct stratum *items;
	uint32_t n;
	struct strata_place *places;
	size_t nplaces;
};

static void place(struct folding *f, struct str path, struct str target_class,
	uint32_t stratum)
{
	f->places[f->nplaces++] =
		(struct strata_place){path, target_class, stratum};
}

/* One class's strata; its rest has a stratum where it is worth one. */
static void fold_class(
	struct folding *f, const struct stratum_usual *u, size_t n, double min)
{
	double rest = 0;

	for (size_t i = 0; i < n; i++) {
		if (!stands_alone(&u[i], min)) {
			rest += u[i].per_window;
			continue;
		}
		place(f, u[i].of.path, u[i].of.target_class, f->n);
		f->items[f->n++] = u[i].of;
	}
	if (rest < min || rest <= 0)
		return;
	place(f, S(STRATA_REST), u[0].of.target_class, f->n);
	f->items[f->n++] = (struct stratum){
		.path = S(STRATA_REST), .target_class = u[0].of.target_class};
}

static size_t class_end(const struct stratum_usual *u, size_t from, size_t n)
{
	size_t to = from + 1;

	while (to < n && str_eq(u[to].of.target_class, u[from].of.target_class))
		to++;
	return to;
}

enum status strata_fold(struct strata *out, const struct stratum_usual *usual,
	size_t n, double min_per_window, struct arena *a, struct err *e)
{
	struct folding f = {.items = ARENA_ARRAY(a, struct stratum, 2 * n + 1),
		.places = ARENA_ARRAY(a, struct strata_place, 2 * n + 1)};
	struct stratum_usual *u = ARENA_ARRAY(a, struct stratum_usual, n + 1);
	double min = min_per_window;
	enum status st = fitting_min(usual, n, &min, e);

	if (st)
		return st;
	for (size_t i = 0; i < n; i++)
		u[i] = usual[i];
	qsort(u, n, sizeof(*u), by_class);
	for (size_t from = 0, to; from < n; from = to) {
		to = class_end(u, from, n);
		fold_class(&f, u + from, to - from, min);
	}
	f.items[f.n++] = (struct stratum){
		.path = S(STRATA_REST), .target_class = S(STRATA_REST)};
	qsort(f.places, f.nplaces, sizeof(*f.places), by_place);
	*out = (struct strata){f.items, f.n, f.places, f.nplaces};
	return OK;
}

static const struct strata_place *look_up(
	const struct strata *s, struct str path, struct str target_class)
{
	struct strata_place want = {path, target_class, 0};

	return s->nplaces ? bsearch(&want, s->places, s->nplaces, sizeof(want),
				    by_place)
			  : NULL;
}

uint32_t strata_find(
	const struct strata *s, struct str path, struct str target_class)
{
	const struct strata_place *p = look_up(s, path, target_class);

	if (!p)
		p = look_up(s, S(STRATA_REST), target_class);
	return p ? p->stratum : s->n - 1;
}
