/* Which targets a ring adds. */
#include "canary/rollout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct str *label(const struct target *t, const char *key)
{
	for (uint32_t i = 0; i < t->nlabels; i++)
		if (str_is(t->labels[i].key, key))
			return &t->labels[i].value;
	return NULL;
}

struct str rollout_class(const struct target *t)
{
	const struct str *v = label(t, ROLLOUT_CLASS);

	return v ? *v : S("");
}

static bool never_canary(const struct target *t)
{
	const struct str *v = label(t, "never-canary");

	return v && !str_is(*v, "false");
}

/* What is asked of the targets again and again. */
struct fleet {
	const struct rollout_fleet *f;
	const struct rollout_plan *p;
	const struct channel *c;
	struct arena *a;
	bool *pinned, *had; /* of all targets */
};

static void look(struct fleet *x)
{
	struct channel_rules rules;

	x->pinned = ARENA_ARRAY(x->a, bool, x->f->n);
	x->had = ARENA_ARRAY(x->a, bool, x->f->n);
	channel_rules(x->c, x->a, &rules);
	for (size_t i = 0; i < x->f->n; i++) {
		const struct target *t = &x->f->targets[i];
		struct channel_choice w = channel_choose(x->c, &rules, t->id,
			t->labels, t->nlabels, x->f->now_ns);

		x->pinned[i] = w.pin != NULL;
		x->had[i] = channel_lists(x->c, t->id);
	}
}

static bool selects(const struct selector *s, const struct target *t)
{
	return selector_matches(s, t->labels, t->nlabels);
}

static void parse_selector(
	const struct config_ring *r, struct arena *a, struct selector *out)
{
	static const struct selector everybody;
	struct err ignored;

	if (!r->select || selector_parse(out, str_from(r->select), a, &ignored))
		*out = everybody;
}

size_t rollout_ring_matches(
	const struct config_ring *r, const struct rollout_fleet *f)
{
	struct arena a = {0};
	struct selector s;
	size_t n = 0;

	parse_selector(r, &a, &s);
	for (size_t i = 0; i < f->n; i++)
		n += selects(&s, &f->targets[i]);
	arena_release(&a);
	return n;
}

/*
 * A percentage of those for whom `in` is set, in addition to what is chosen; or
 * of all, but for controls that are held back.
 */
static void take(struct fleet *x, const bool *in, double percent,
	uint32_t held_back, bool *chosen)
{
	size_t n = 0, *at = ARENA_ARRAY(x->a, size_t, x->f->n);
	struct select_target *some =
		ARENA_ARRAY(x->a, struct select_target, x->f->n);
	bool *got = ARENA_ARRAY(x->a, bool, x->f->n);
	struct select_percent how = {.channel = x->c->bundle,
		.basis_points = (uint32_t)lround(fmax(1, percent * 100)),
		.held_back = held_back};

	for (size_t i = 0; i < x->f->n; i++) {
		const struct target *t = &x->f->targets[i];

		if (!in[i])
			continue;
		at[n] = i;
		some[n++] = (struct select_target){.id = t->id,
			.target_class = rollout_class(t),
			.labels = t->labels,
			.nlabels = t->nlabels};
	}
	select_by_percent(&how, some, n, got);
	for (size_t i = 0; i < n; i++)
		chosen[at[i]] |= got[i];
}

static void choose_some(
	struct fleet *x, const struct config_ring *r, bool *chosen)
{
	struct selector s;
	bool *in = ARENA_ARRAY(x->a, bool, x->f->n);

	parse_selector(r, x->a, &s);
	for (size_t i = 0; i < x->f->n; i++) {
		const struct target *t = &x->f->targets[i];

		in[i] = !x->pinned[i] && !target_lost(t, x->f->now_ns) &&
			!never_canary(t) && selects(&s, t);
		if (r->percent <= 0)
			chosen[i] |= in[i];
	}
	if (r->percent > 0)
		take(x, in, r->percent, 0, chosen);
}

/*
 * Whoever is lost gets it when it comes back. Controls come from those that
 * don't have it yet, as many as if they came from all.
 */
static void choose_all(struct fleet *x, bool *chosen)
{
	bool *free = ARENA_ARRAY(x->a, bool, x->f->n);
	size_t live = 0, left = 0, back;

	for (size_t i = 0; i < x->f->n; i++) {
		bool lost = target_lost(&x->f->targets[i], x->f->now_ns);

		free[i] = !x->pinned[i] && !lost && !x->had[i];
		chosen[i] = !free[i];
		live += !lost;
		left += free[i];
	}
	/* A first release has nothing that they could be held on. */
	back = left && x->c->last_good.revision.len
		       ? ROLLOUT_HELD_BACK * live / left
		       : 0;
	take(x, free, 100,
		back < SELECT_WHOLE / 2 ? (uint32_t)back : SELECT_WHOLE / 2,
		chosen);
}

/* Of those that a ring could add nobody is there, and so many were lately. */
static uint32_t away(struct fleet *x, const struct config_ring *r)
{
	int64_t since = x->f->now_ns - ROLLOUT_AWAY_S * NS_PER_S;
	struct selector s;
	uint32_t n = 0;

	parse_selector(r, x->a, &s);
	for (size_t i = 0; i < x->f->n; i++) {
		const struct target *t = &x->f->targets[i];

		if (x->pinned[i] || x->had[i] || never_canary(t) ||
			!selects(&s, t))
			continue;
		if (!target_lost(t, x->f->now_ns))
			return 0;
		n += t->last_poll_ns > since;
	}
	return n;
}

static void list(struct fleet *x, struct rollout_exposure *out)
{
	out->targets = ARENA_ARRAY(x->a, struct str, x->f->n);
	out->ntargets = out->had = out->has = 0;
	out->of = (uint32_t)x->f->n;
	for (size_t i = 0; i < x->f->n; i++) {
		bool now = out->chosen[i],
		     named = out->all ? !now : now && !x->had[i];

		out->had += x->had[i];
		out->has += now && !x->pinned[i];
		if (named)
			out->targets[out->ntargets++] = x->f->targets[i].id;
	}
}

/* The ring behind the one that was reached. */
static size_t first_ring(const struct rollout_plan *p, const struct channel *c)
{
	for (size_t i = 0; c->ring && i < p->config.rollout.nrings; i++)
		if (str_is(c->ring_name, p->config.rollout.rings[i].name))
			return i + 1;
	return c->all ? p->config.rollout.nrings : 0;
}

void rollout_expose(const struct rollout_plan *p, const struct channel *c,
	const struct rollout_fleet *f, struct arena *a,
	struct rollout_exposure *out)
{
	size_t n = p->config.rollout.nrings;
	struct fleet x = {.f = f, .p = p, .c = c, .a = a};

	*out = (struct rollout_exposure){.ring = first_ring(p, c)};
	look(&x);
	for (; out->ring < n; out->ring++) {
		out->chosen = ARENA_ARRAY(a, bool, f->n);
		out->all = out->ring + 1 == n;
		for (size_t i = 0; i < f->n; i++)
			out->chosen[i] = x.had[i];
		if (out->all)
			choose_all(&x, out->chosen);
		else
			choose_some(&x, &p->config.rollout.rings[out->ring],
				out->chosen);
		list(&x, out);
		if (!out->all && !out->ntargets)
			out->away =
				away(&x, &p->config.rollout.rings[out->ring]);
		if (out->all || out->ntargets || out->away)
			return;
	}
}

/* --- what is wrong with them ---------------------------------------------- */

/* Whom a ring selects; NULL: somebody. */
static const char *selects_nobody(const struct rollout_plan *p,
	const struct rollout_fleet *f, struct arena *a)
{
	const struct config *c = &p->config;

	for (size_t i = 0; i + 1 < c->rollout.nrings; i++) {
		const struct config_ring *r = &c->rollout.rings[i];

		if (r->select && !rollout_ring_matches(r, f))
			return arena_printf(a,
				"ring %s selects no target (%s); label some, "
				"or name other rings in regatta.yaml",
				r->name, r->select);
	}
	return NULL;
}

const char *rollout_bad_rings(const struct rollout_plan *p,
	const struct channel *c, const struct rollout_fleet *f,
	const struct rollout_exposure *first, struct arena *a)
{
	const struct config_ring *r = p->config.rollout.rings;
	bool alone = p->config.rollout.nrings == 1;
	const char *why;

	if (!f->n)
		return "no target is known: none has polled for this bundle";
	why = selects_nobody(p, f, a);
	if (why || alone)
		return why;
	if (first->ring > 0 || first->away)
		return arena_printf(a,
			"ring %s has nobody to begin with: the %zu targets "
			"that it selects are lost, pinned or never-canary; "
			"start some, or label others",
			r->name, rollout_ring_matches(r, f));
	if (c->last_good.revision.len && first->has == first->of)
		return arena_printf(a,
			"ring %s selects all %u targets, and nothing is left "
			"to compare with",
			r->name, first->of);
	return NULL;
}
