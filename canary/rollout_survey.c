/*
 * What is usual: the decisions of the day before a rollout, in one pass; and in
 * a second one whether the canaries differ from the others already, while both
 * run the same version.
 */
#include "base/json.h"
#include "base/limits.h"
#include "canary/rollout_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	SURVEY_EVENTS = 1000000, /* no more are read, the newest ones */
	SURVEY_STEP = 50000,     /* of them at once */
	SURVEY_DAY_H = 24,
	SURVEY_SAME_H = 23, /* that there must be for the A/A check */
	STRATUM_MIN = 30,   /* decisions in a window */
};

struct usual_place {
	struct str path, target_class;
	uint64_t n;
	uint32_t took[TOOK_BUCKETS];
};

/* --- targets -------------------------------------------------------------- */

void roster_init(struct roster *r, const struct target *targets, size_t n)
{
	*r = (struct roster){.room = (uint32_t)(2 * n + 64)};
	r->members = ARENA_ARRAY(&r->arena, struct member *, r->room + 1);
	r->facts = ARENA_ARRAY(&r->arena, struct target_facts, r->room + 1);
	for (size_t i = 0; i < n; i++)
		roster_at(r, targets[i].id)->target_class =
			arena_str(&r->arena, rollout_class(&targets[i]));
}

void roster_release(struct roster *r)
{
	map_release(&r->index);
	arena_release(&r->arena);
	*r = (struct roster){0};
}

static struct member *add(struct roster *r, struct str id)
{
	struct member *m = ARENA_NEW(&r->arena, struct member);

	m->id = arena_str(&r->arena, id);
	m->at = r->n;
	r->facts[m->at].id = m->id;
	r->members[r->n++] = m;
	map_set(&r->index, m->id, m);
	return m;
}

struct member *roster_at(struct roster *r, struct str id)
{
	struct member *m = map_get(&r->index, id);

	if (m)
		return m;
	if (r->n + 1 < r->room)
		return add(r, id);
	m = map_get(&r->index, S(""));
	return m ? m : add(r, S(""));
}

struct member *roster_of(struct roster *r, const struct decision_row *row)
{
	return roster_at(
		r, row->target.len ? row->target : row->event.label_target);
}

/* --- events --------------------------------------------------------------- */

struct str rollout_revision(
	const struct decision_row *row, struct str bundle, struct arena *a)
{
	struct str of, revision;
	struct buf text = {0};

	if (!row->event.bundles.len)
		return row->event.revision.len ? row->event.revision : S("");
	if (!json_member(row->event.bundles, bundle, &of) ||
		json_kind(of) != JSON_OBJECT)
		return (struct str){0};
	if (!json_member(of, S("revision"), &revision) ||
		json_kind(revision) != JSON_STRING)
		return S("");
	json_text(&text, revision);
	revision = text.len ? arena_str(a, buf_str(&text)) : S("");
	buf_release(&text);
	return revision;
}

enum decision_class rollout_outcome(
	const struct rollout_plan *p, const struct decision_row *row)
{
	switch (outcome_of(p->map, &row->event)) {
	case OUTCOME_ALLOW:
		return CLASS_ALLOW;
	case OUTCOME_DENY:
		return CLASS_DENY;
	case OUTCOME_UNDEFINED:
		return CLASS_UNDEFINED;
	case OUTCOME_ERROR:
		return CLASS_ERROR;
	case OUTCOME_UNKNOWN:
	case OUTCOME_ADVICE:
	case OUTCOMES:
		break;
	}
	return CLASS_OTHER;
}

void lags_add(struct lags *l, int64_t ns)
{
	int64_t limit = NS_PER_S / 8;
	size_t i = 0;

	for (; i + 1 < COUNT(l->at) && ns > limit; i++)
		limit *= 2;
	l->at[i]++;
	l->n++;
}

int64_t lags_p95(const struct lags *l)
{
	int64_t limit = NS_PER_S / 8;
	uint64_t sum = 0;

	if (!l->n)
		return 0;
	for (size_t i = 0; i < COUNT(l->at); i++, limit *= 2) {
		sum += l->at[i];
		if (sum * 20 >= l->n * 19)
			break;
	}
	return limit;
}

/* --- the first pass ------------------------------------------------------- */

static struct usual_place *place_of(
	struct survey *s, struct str path, struct str target_class)
{
	struct usual_place *p;
	struct buf key = {0};

	buf_addstr(&key, path);
	buf_addc(&key, 0);
	buf_addstr(&key, target_class);
	p = map_get(&s->places, buf_str(&key));
	if (!p && s->places.len < LIMIT_STRATA) {
		p = ARENA_NEW(&s->arena, struct usual_place);
		p->path = arena_str(&s->arena, path);
		p->target_class = arena_str(&s->arena, target_class);
		map_set(&s->places, arena_str(&s->arena, buf_str(&key)), p);
	}
	buf_release(&key);
	return p;
}

/* Load is load, whatever version decides; what is usual of them is stable's. */
static void count(struct survey *s, const struct decision_row *row, bool stable)
{
	struct member *m = roster_of(s->roster, row);
	struct usual_place *p = place_of(s, row->event.path, m->target_class);
	enum decision_class c = rollout_outcome(s->plan, row);

	m->usual++;
	if (!m->since_ns || row->event.time < m->since_ns)
		m->since_ns = row->event.time;
	s->events++;
	s->stable_events += stable;
	s->bad += stable && (c == CLASS_ERROR || c == CLASS_UNDEFINED);
	if (!s->first_ns || row->event.time < s->first_ns)
		s->first_ns = row->event.time;
	if (row->received >= row->event.time)
		lags_add(&s->lags, row->received - row->event.time);
	if (!p)
		return;
	p->n++;
	if (stable && row->event.latency >= 0)
		p->took[took_bucket(row->event.latency)]++;
}

double survey_seconds(const struct survey *s)
{
	int64_t span = s->first_ns ? s->to_ns - s->first_ns : 0;

	return fmax(60, (double)span / NS_PER_S);
}

double survey_rate(const struct survey *s, const struct member *m)
{
	double span = (double)(s->to_ns - m->since_ns) / NS_PER_S;

	return m->usual ? (double)m->usual / fmax(1, span) : 0;
}

static int64_t p99(const uint64_t *took)
{
	uint64_t n = 0, sum = 0;

	for (unsigned i = 0; i < TOOK_BUCKETS; i++)
		n += took[i];
	for (unsigned i = 0; i < TOOK_BUCKETS && n; i++) {
		sum += took[i];
		if (sum * 100 >= n * 99)
			return took_end(i);
	}
	return 0;
}

/* Of each stratum, from the places that are folded into it. */
static void find_slow(struct survey *s)
{
	uint64_t(*took)[TOOK_BUCKETS] =
		arena_array(&s->arena, s->strata.n, sizeof(*took));

	s->slow_ns = ARENA_ARRAY(&s->arena, int64_t, s->strata.n);
	for (size_t i = 0; i < s->places.len; i++) {
		const struct usual_place *p = s->places.entries[i].value;
		uint32_t at = strata_find(&s->strata, p->path, p->target_class);

		for (int b = 0; b < TOOK_BUCKETS; b++)
			took[at][b] += p->took[b];
	}
	for (uint32_t i = 0; i < s->strata.n; i++)
		s->slow_ns[i] = p99(took[i]);
}

/* A plan that has ended is none: preflight has refused it, or it ended since.
 */
static enum status fold(struct survey *s, struct err *e)
{
	size_t n = s->places.len;
	struct stratum_usual *u =
		ARENA_ARRAY(&s->arena, struct stratum_usual, n + 1);
	double windows = survey_seconds(s) * (double)NS_PER_S /
			 (double)s->plan->config.rollout.window_ns;
	enum status st;

	for (size_t i = 0; i < n; i++) {
		const struct usual_place *p = s->places.entries[i].value;
		struct err ended;

		if (rollout_plan_denies(
			    s->plan, p->path, s->to_ns, &u[i].of, &ended))
			u[i].of.deny = DENY_STEADY;
		u[i].of.path = p->path;
		u[i].of.target_class = p->target_class;
		u[i].per_window = (double)p->n / windows;
	}
	st = strata_fold(&s->strata, u, n, STRATUM_MIN, &s->arena, e);
	if (!st)
		find_slow(s);
	return st;
}

/* --- the second pass ------------------------------------------------------ */

static bool has_canaries(const struct roster *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (r->members[i]->canary)
			return true;
	return false;
}

static bool compares(const struct survey *s)
{
	return s->stable_events && has_canaries(s->roster) &&
	       survey_seconds(s) >= SURVEY_SAME_H * 3600.0;
}

static enum status begin_second(struct survey *s, struct err *e)
{
	struct windows_config c = windows_defaults;
	enum status st;

	c.start_ns = s->from_ns;
	c.window_ns = s->plan->config.rollout.window_ns;
	c.grace_ns = windows_grace(c.window_ns);
	c.candidate = S("canary");
	c.stable = S("stable");
	st = windows_new(&s->windows, &c, &s->strata, s->roster->room, e);
	if (st)
		return st;
	s->judge = judge_new(&s->plan->verdict, s->strata.items, s->strata.n,
		s->roster->room);
	s->second = true;
	s->next = s->end > SURVEY_EVENTS ? s->end - SURVEY_EVENTS : 0;
	return OK;
}

static void close_windows(struct survey *s, int64_t now_ns)
{
	struct canary_window w;

	while (windows_close(s->windows, now_ns, &w))
		judge_window(s->judge, &w);
}

static void compare(struct survey *s, const struct decision_row *row)
{
	struct member *m = roster_of(s->roster, row);
	unsigned char sum[MERKLE_BYTES];
	struct decision_fact f = {.target = m->at,
		.path = row->event.path,
		.target_class = m->target_class,
		.revision = m->canary ? S("canary") : S("stable"),
		.outcome = rollout_outcome(s->plan, row),
		.time_ns = row->event.time};

	f.erased = row->flags & DECISION_MASKED ||
		   !decision_input_hash(&row->event, sum);
	if (!f.erased)
		memcpy(&f.input_hash, sum, sizeof(f.input_hash));
	close_windows(s, row->received);
	windows_add(s->windows, &f);
}

/* --- both ----------------------------------------------------------------- */

struct reading {
	struct survey *s;
	struct arena row;
	unsigned left;
};

static void take(
	struct survey *s, const struct decision_row *row, struct str revision)
{
	bool stable = str_eq(revision, s->stable);

	if (!s->second)
		count(s, row, stable);
	else if (stable)
		compare(s, row);
}

static bool visit(void *user, const struct decision_row *row)
{
	struct reading *r = user;
	struct survey *s = r->s;
	struct str revision;

	arena_reset(&r->row);
	revision = rollout_revision(row, s->bundle, &r->row);
	if (row->number < s->end && revision.ptr &&
		!(row->flags & (DECISION_CLASH | DECISION_COMPILE)))
		take(s, row, revision);
	return --r->left > 0 && row->number + 1 < s->end;
}

void survey_init(struct survey *s, struct str bundle, struct str stable,
	const struct rollout_plan *p, struct roster *r, int64_t to_ns,
	uint64_t end)
{
	*s = (struct survey){.bundle = bundle,
		.stable = stable,
		.plan = p,
		.roster = r,
		.from_ns = to_ns - SURVEY_DAY_H * 3600 * NS_PER_S,
		.to_ns = to_ns,
		.next = end > SURVEY_EVENTS ? end - SURVEY_EVENTS : 0,
		.end = end};
	if (!stable.len)
		s->end = s->next;
}

void survey_release(struct survey *s)
{
	windows_free(s->windows);
	judge_free(s->judge);
	map_release(&s->places);
	arena_release(&s->arena);
	*s = (struct survey){0};
}

static enum status end_pass(struct survey *s, struct err *e)
{
	enum canary_metric m = METRIC_ERROR;
	enum status st;

	if (!s->second) {
		st = fold(s, e);
		if (!st && compares(s))
			return begin_second(s, e);
		s->done = !st;
		return st;
	}
	close_windows(s, s->to_ns + 2 * windows_defaults.grace_ns);
	s->same = judge_preflight(s->judge, &m);
	s->same_metric = canary_metric_name(m);
	s->done = true;
	return OK;
}

enum status survey_step(struct survey *s, struct decisions *d, struct err *e)
{
	struct reading r = {.s = s, .left = SURVEY_STEP};
	struct decision_filter f = {.from = s->from_ns, .to = s->to_ns};
	uint64_t before = s->next;
	enum status st = OK;

	if (s->done)
		return OK;
	if (d && s->next < s->end)
		st = decisions_tail(d, &f, &s->next, visit, &r, e);
	arena_release(&r.row);
	if (!st && (!d || s->next >= s->end || s->next == before))
		st = end_pass(s, e);
	return st;
}
