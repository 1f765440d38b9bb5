/* One rollout under way: its decisions, windows, judge and verdict. */
#include "base/json.h"
#include "canary/rollout_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	WATCH_STEP = 50000,     /* events read at once */
	WATCH_MANY = 1000,      /* targets; more are looked at less often */
	WATCH_TARGETS_S = 5,    /* then */
	WATCH_REPORTS_S = 3600, /* before the start: what was counted then */
	WATCH_SAVE_S = 30,      /* a sign of life */
	WATCH_WAITING_S = 10,   /* what is waited for */
	WATCH_POLL_S = 60,      /* when it is not known how often one polls */
};

/* --- life ----------------------------------------------------------------- */

static struct channel_version keep(
	struct arena *a, const struct channel_version *v)
{
	struct channel_version k = *v;

	k.revision = arena_str(a, v->revision);
	k.digest = arena_str(a, v->digest);
	k.commit = arena_str(a, v->commit);
	return k;
}

static uint64_t events_of(struct decisions *d)
{
	struct decisions_counts n = {0};

	if (d)
		decisions_counts(d, &n);
	return n.events;
}

static enum status read_record(struct watch *w, struct state *s,
	const struct channel *c, struct decisions *d, struct err *e)
{
	enum status st = rollout_read(
		s, w->bundle, w->rollout, &w->arena, &w->record, e);

	if (st != E_NOT_FOUND)
		return st;
	st = rollout_adopt(s, c, events_of(d), e);
	if (!st)
		st = rollout_read(
			s, w->bundle, w->rollout, &w->arena, &w->record, e);
	return st;
}

static enum status read_targets(
	struct watch *w, struct state *s, int64_t mono_ns, struct err *e)
{
	struct arena a = {0};
	struct target *targets;
	size_t n;
	enum status st = state_targets(s, w->bundle, &a, &targets, &n, e);

	if (st) {
		arena_release(&a);
		return st;
	}
	arena_release(&w->fresh);
	w->fresh = a;
	w->targets = targets;
	w->ntargets = n;
	w->targets_mono = mono_ns;
	w->rates = ARENA_ARRAY(&w->fresh, double, n + 1);
	return OK;
}

static enum status open_in(struct watch *w, struct state *s,
	const struct channel *c, struct decisions *d, int64_t mono_ns,
	struct err *e)
{
	enum status st = read_record(w, s, c, d, e);

	if (!st)
		st = rollout_plan_parse(&w->plan, w->record.release, e);
	if (!st)
		st = read_targets(w, s, mono_ns, e);
	if (!st)
		st = db_number(s->db,
			"SELECT max(start) FROM windows WHERE bundle = ?"
			" AND rollout = ?",
			DB(DB_TEXT(w->bundle), DB_INT(w->rollout)), 0,
			&w->saved_window, e);
	if (st)
		return st;
	roster_init(&w->roster, w->targets, w->ntargets);
	survey_init(&w->survey, w->bundle, w->stable.revision, &w->plan,
		&w->roster, w->record.started_ns,
		(uint64_t)w->record.from_event);
	w->next = (uint64_t)w->record.from_event;
	return OK;
}

/* Another engine was here before; how long ago tells whether it was missed. */
static void look_back(struct watch *w, int64_t now_ns)
{
	int64_t gap = w->record.beat_ns ? now_ns - w->record.beat_ns : 0;

	if (gap < -60 * NS_PER_S)
		w->jump_ns = gap;
	else
		w->gap_ns = gap;
}

enum status watch_new(struct watch **out, struct state *s,
	const struct channel *c, struct decisions *d, int64_t now_ns,
	int64_t mono_ns, struct err *e)
{
	struct watch *w = calloc(1, sizeof(*w));
	enum status st;

	if (!w)
		die("out of memory: rollout");
	w->bundle = arena_str(&w->arena, c->bundle);
	w->rollout = c->rollout;
	w->candidate = keep(&w->arena, &c->candidate);
	w->stable = keep(&w->arena, &c->last_good);
	w->ok_mono = w->saved_mono = mono_ns;
	w->said = VERDICT_INCONCLUSIVE;
	w->said_why = "";
	st = open_in(w, s, c, d, mono_ns, e);
	if (st) {
		err_wrap(e, "rollout %lld of %.*s", (long long)c->rollout,
			STR_ARG(c->bundle));
		watch_free(w);
		return st;
	}
	look_back(w, now_ns);
	*out = w;
	return OK;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	survey_release(&w->survey);
	windows_free(w->windows);
	judge_free(w->judge);
	roster_release(&w->roster);
	rollout_plan_release(&w->plan);
	buf_release(&w->evidence);
	buf_release(&w->waiting);
	arena_release(&w->rows);
	arena_release(&w->fresh);
	arena_release(&w->arena);
	free(w);
}

/* --- before it can be judged ---------------------------------------------- */

/* Who would be canaries, for the A/A check. */
static void mark_canaries(struct watch *w, const struct watch_now *n)
{
	struct rollout_fleet f = {
		.targets = w->targets, .n = w->ntargets, .now_ns = n->wall_ns};
	struct rollout_exposure x;
	struct arena a = {0};

	rollout_expose(&w->plan, n->channel, &f, &a, &x);
	for (uint32_t i = 0; i < w->roster.n; i++)
		w->roster.members[i]->canary = false;
	for (size_t i = 0; i < w->ntargets && !x.all; i++)
		if (x.chosen && x.chosen[i])
			roster_at(&w->roster, w->targets[i].id)->canary = true;
	arena_release(&a);
}

static int64_t grace(const struct survey *s)
{
	int64_t known = 2 * lags_p95(&s->lags);
	int64_t least = s->plan->config.rollout.window_ns;
	int64_t most = windows_grace(s->plan->config.rollout.window_ns);

	if (!known || known > most)
		return most;
	return known > least || least > most ? known : least;
}

static enum status make_judge(struct watch *w, struct err *e)
{
	enum status st;

	w->config = windows_defaults;
	w->config.start_ns = w->record.started_ns;
	w->config.window_ns = w->plan.config.rollout.window_ns;
	w->config.grace_ns = grace(&w->survey);
	w->config.candidate = w->candidate.revision;
	w->config.stable = w->stable.revision;
	st = windows_new(
		&w->windows, &w->config, &w->survey.strata, w->roster.room, e);
	if (st)
		return st;
	w->judge = judge_new(&w->plan.verdict, w->survey.strata.items,
		w->survey.strata.n, w->roster.room);
	w->lags = w->survey.lags;
	for (uint32_t i = 0; i < w->roster.n; i++)
		if (w->roster.members[i]->usual)
			windows_heard(w->windows, i, w->record.started_ns);
	return OK;
}

/* OK with w->judge NULL: not yet. */
static enum status prepare(
	struct watch *w, const struct watch_now *n, struct err *e)
{
	enum status st;

	if (w->judge)
		return OK;
	if (n->channel->state == CHANNEL_PREFLIGHT && !w->survey.second)
		mark_canaries(w, n);
	st = survey_step(&w->survey, n->decisions, e);
	return st || !w->survey.done ? st : make_judge(w, e);
}

/* --- steps ---------------------------------------------------------------- */

static struct rollout_step *last_step(struct watch *w)
{
	return w->record.nsteps ? &w->record.steps[w->record.nsteps - 1] : NULL;
}

static struct rollout_step *add_step(struct watch *w, const struct channel *c)
{
	struct rollout_record *r = &w->record;
	struct rollout_step *all =
		ARENA_ARRAY(&w->arena, struct rollout_step, r->nsteps + 1);

	if (r->nsteps)
		memcpy(all, r->steps, r->nsteps * sizeof(*all));
	all[r->nsteps] = (struct rollout_step){.ring = c->ring,
		.name = arena_str(&w->arena, c->ring_name),
		.exposed_ns = c->since_ns};
	r->steps = all;
	return &all[r->nsteps++];
}

/* What the channel says of rings and bakes that the record has not. */
static bool note_steps(struct watch *w, const struct channel *c)
{
	struct rollout_step *s = last_step(w);
	bool bakes =
		c->state == CHANNEL_BAKING || c->state == CHANNEL_FLEET_BAKE;
	bool changed = false;

	if (!bakes && c->state != CHANNEL_DISTRIBUTING)
		return false;
	if ((!s || s->ring != c->ring) && w->record.nsteps < ROLLOUT_STEPS) {
		s = add_step(w, c);
		changed = true;
	}
	if (bakes && s && !s->bake_ns) {
		s->bake_ns = c->since_ns;
		changed = true;
	}
	return changed;
}

/*
 * A window is of the step in whose bake it began. Judged live or again from
 * the stored decisions, that is the same.
 */
static void enter_steps(struct watch *w, int64_t start_ns)
{
	const struct rollout_record *r = &w->record;

	for (; w->step < r->nsteps; w->step++) {
		const struct rollout_step *s = &r->steps[w->step];

		if (!s->bake_ns && w->step + 1 == r->nsteps)
			return;
		if (!s->bake_ns)
			continue;
		if (start_ns < s->bake_ns)
			return;
		judge_step(w->judge);
	}
}

/* --- windows -------------------------------------------------------------- */

static void arm(
	struct buf *out, const char *name, const struct decision_counts *k)
{
	buf_addf(out,
		",\"%s\":{\"decisions\":%" PRIu64 ",\"error\":%" PRIu64
		",\"undefined\":%" PRIu64 ",\"deny\":%" PRIu64
		",\"allow\":%" PRIu64 ",\"slow\":%" PRIu64 ",\"timed\":%" PRIu64
		",\"raw\":%" PRIu64 "}",
		name, k->n, k->error, k->undefined, k->deny, k->allow, k->slow,
		k->timed, k->raw);
}

static void add_counts(
	struct decision_counts *to, const struct decision_counts *k)
{
	to->n += k->n;
	to->error += k->error;
	to->undefined += k->undefined;
	to->deny += k->deny;
	to->allow += k->allow;
	to->slow += k->slow;
	to->timed += k->timed;
	to->raw += k->raw;
}

static void keep_window(struct watch *w, const struct canary_window *x)
{
	struct decision_counts k[2] = {{0}, {0}};
	struct buf b = {0};

	if (x->start_ns <= w->saved_window)
		return;
	for (size_t i = 0; i < x->nrows; i++)
		add_counts(&k[x->rows[i].canary], &x->rows[i].k);
	buf_addf(&b, "{\"start_ns\":%" PRId64 ",\"end_ns\":%" PRId64,
		x->start_ns, x->end_ns);
	arm(&b, "canary", &k[1]);
	arm(&b, "baseline", &k[0]);
	buf_addf(&b,
		",\"unattributed\":%" PRIu64 ",\"foreign\":%" PRIu64
		",\"late\":%" PRIu64 "}",
		x->unattributed, x->foreign, x->late);
	w->windows_new = arena_grow(&w->rows, w->windows_new, w->nnew,
		&w->newcap, sizeof(*w->windows_new));
	w->windows_new[w->nnew++] = (struct rollout_window){
		x->start_ns, arena_str(&w->rows, buf_str(&b))};
	w->saved_window = x->start_ns;
	buf_release(&b);
}

static void close_windows(struct watch *w, int64_t now_ns)
{
	struct canary_window x;

	while (windows_close(w->windows, now_ns, &x)) {
		enter_steps(w, x.start_ns);
		judge_window(w->judge, &x);
		keep_window(w, &x);
	}
}

/* --- decisions ------------------------------------------------------------ */

static void note_member(struct watch *w, struct member *m,
	const struct decision_row *row, struct str revision)
{
	int64_t t = row->event.time;
	int64_t *by = str_eq(revision, w->candidate.revision)
			      ? &m->candidate_event_ns
			      : &m->other_event_ns;

	if (t > m->last_event_ns)
		m->last_event_ns = t;
	if (t > *by)
		*by = t;
	if (row->received >= t)
		lags_add(&w->lags, row->received - t);
}

static void sample(struct watch *w, const struct decision_row *row,
	struct str revision, enum decision_class c)
{
	if (w->nsamples < VERDICT_SAMPLES &&
		(c == CLASS_ERROR || c == CLASS_UNDEFINED) &&
		str_eq(revision, w->candidate.revision))
		w->samples[w->nsamples++] =
			arena_str(&w->arena, row->event.id_text);
}

/*
 * In a first release who is not in a ring yet has no bundle at all, and decides
 * nothing that could be held against anybody.
 */
static bool has_none_yet(
	const struct watch *w, const struct member *m, struct str revision)
{
	return !w->stable.revision.len && !revision.len &&
	       !m->candidate_event_ns;
}

static void add_decision(
	struct watch *w, const struct decision_row *row, struct str revision)
{
	struct member *m = roster_of(&w->roster, row);
	unsigned char sum[MERKLE_BYTES];
	struct decision_fact f = {.target = m->at,
		.path = row->event.path,
		.target_class = m->target_class,
		.revision = revision,
		.outcome = rollout_outcome(&w->plan, row),
		.time_ns = row->event.time};
	int64_t slow = w->survey.slow_ns[strata_find(
		&w->survey.strata, f.path, f.target_class)];

	f.timed = slow && row->event.latency >= 0;
	f.slow = f.timed && row->event.latency > slow;
	f.took_ns = row->event.latency;
	f.erased = row->flags & DECISION_MASKED ||
		   !decision_input_hash(&row->event, sum);
	if (!f.erased)
		memcpy(&f.input_hash, sum, sizeof(f.input_hash));
	note_member(w, m, row, revision);
	sample(w, row, revision, f.outcome);
	if (!has_none_yet(w, m, revision))
		windows_add(w->windows, &f);
}

struct reading {
	struct watch *w;
	struct arena row;
	unsigned left;
	uint64_t end;        /* of what is read; 0: all there is */
	int64_t received_ns; /* of the newest */
};

/* Windows close with the time of the row: read later it is the same. */
static bool visit(void *user, const struct decision_row *row)
{
	struct reading *r = user;
	struct str revision;

	if (r->end && row->number >= r->end)
		return false;
	arena_reset(&r->row);
	r->received_ns = row->received;
	revision = rollout_revision(row, r->w->bundle, &r->row);
	if (row->flags & (DECISION_CLASH | DECISION_COMPILE))
		return --r->left > 0;
	requests_event(
		&roster_of(&r->w->roster, row)->requests, row->event.time);
	if (revision.ptr) {
		close_windows(r->w, row->received);
		add_decision(r->w, row, revision);
	}
	return --r->left > 0;
}

static enum status read_decisions(
	struct watch *w, const struct watch_now *n, struct err *e)
{
	struct reading r = {.w = w, .left = WATCH_STEP};
	struct decision_filter all = {0};
	enum status st = OK;

	if (n->decisions)
		st = decisions_tail(n->decisions, &all, &w->next, visit, &r, e);
	arena_release(&r.row);
	w->caught_up = !st && r.left > 0;
	if (w->caught_up)
		close_windows(w, n->wall_ns);
	return st;
}

/* --- facts ---------------------------------------------------------------- */

static bool exposed(const struct channel *c, const struct channel_rules *rules,
	const struct target *t, int64_t now_ns)
{
	struct channel_choice x =
		channel_choose(c, rules, t->id, t->labels, t->nlabels, now_ns);

	return x.version && !x.pin &&
	       str_eq(x.version->digest, c->candidate.digest) &&
	       (c->all || x.why == WHY_CANDIDATE);
}

/* Lost before it was exposed: it is no canary, nobody waits for it. */
static bool counts_for_step(struct watch *w, const struct target *t)
{
	const struct rollout_step *s = last_step(w);

	return !s || !target_lost(t, s->exposed_ns);
}

static bool on_candidate(
	const struct watch *w, const struct member *m, const struct target *t)
{
	return str_eq(t->active, w->candidate.digest) ||
	       str_eq(t->revision, w->candidate.revision) ||
	       m->candidate_event_ns > m->other_event_ns;
}

/* An event counts as heard of when it could have come in. */
static int64_t heard(
	const struct watch *w, const struct member *m, int64_t now_ns)
{
	int64_t at = m->last_event_ns + lags_p95(&w->lags);

	return m->last_event_ns && at < now_ns ? at : m->last_event_ns;
}

static void set_facts(struct watch *w, const struct watch_now *n,
	const struct channel_rules *rules, size_t i)
{
	const struct target *t = &w->targets[i];
	struct member *m = roster_at(&w->roster, t->id);
	struct target_facts *f = &w->roster.facts[m->at];
	int64_t poll = WATCH_POLL_S * NS_PER_S;
	bool has = on_candidate(w, m, t);

	f->canary = exposed(n->channel, rules, t, n->wall_ns) &&
		    counts_for_step(w, t);
	f->on_candidate = has;
	f->activation_error =
		!has && t->status_ns >= t->offered_ns &&
				str_eq(t->offered, w->candidate.digest)
			? t->error
			: S("");
	f->last_poll_ns = t->last_poll_ns;
	f->last_event_ns = heard(w, m, n->wall_ns);
	f->offered_ns = t->offered_ns;
	/* Not so impatient with who polls often; but a bake need not wait. */
	f->poll_period_ns = t->period_ns > poll ? t->period_ns : poll;
	if (f->canary &&
		(t->period_ns ? t->period_ns : poll) > w->longest_poll_ns)
		w->longest_poll_ns = t->period_ns ? t->period_ns : poll;
	f->events_per_s = survey_rate(&w->survey, m);
	w->rates[i] = f->events_per_s;
	if (!m->target_class.ptr)
		m->target_class = arena_str(&w->arena, rollout_class(t));
	if (!w->windows)
		return;
	if (t->active_ns)
		windows_activated(w->windows, m->at, t->active_ns);
	if (target_lost(t, n->wall_ns))
		windows_gone(w->windows, m->at);
}

static void set_all_facts(struct watch *w, const struct watch_now *n)
{
	struct channel_rules rules;

	channel_rules(n->channel, &w->fresh, &rules);
	w->longest_poll_ns = 0;
	for (uint32_t i = 0; i < w->roster.n; i++) {
		w->roster.facts[i].canary = false;
		w->roster.facts[i].activation_error = S("");
	}
	for (size_t i = 0; i < w->ntargets; i++)
		set_facts(w, n, &rules, i);
}

static bool add_report(void *user, const struct decision_counters *c)
{
	struct watch *w = user;
	struct member *m = map_get(&w->roster.index, c->target);

	if (m)
		requests_report(&m->requests, c, &w->arena);
	return true;
}

/* Before events are read, so that each finds the interval it is of. */
static enum status read_reports(
	struct watch *w, const struct watch_now *n, struct err *e)
{
	if (!n->decisions)
		return OK;
	return decisions_counters(n->decisions,
		w->record.started_ns - WATCH_REPORTS_S * NS_PER_S,
		&w->next_report, add_report, w, e);
}

/* By then whatever was on its way has come in. */
static int64_t settled(const struct watch *w, int64_t now_ns)
{
	int64_t lag = 4 * lags_p95(&w->lags), least = w->config.window_ns;

	return now_ns - (lag > least ? lag : least);
}

static void settle_requests(struct watch *w, const struct watch_now *n)
{
	const struct rollout_step *s = last_step(w);
	int64_t until = settled(w, n->wall_ns);

	for (uint32_t i = 0; i < w->roster.n && s && s->bake_ns; i++)
		requests_settle(&w->roster.members[i]->requests, s->bake_ns,
			until, &w->roster.facts[i]);
}

/* --- the verdict ---------------------------------------------------------- */

static double usual_share(const struct watch *w)
{
	double all = 0, some = 0;

	for (uint32_t i = 0; i < w->roster.n; i++) {
		double x = survey_rate(&w->survey, w->roster.members[i]);

		all += x;
		some += w->roster.facts[i].canary ? x : 0;
	}
	return all > 0 && some > 0 ? some / all : 0;
}

/* What is known of a step wherever its decisions are judged. */
static struct verdict_facts facts_of(const struct watch *w, int64_t step_ns,
	int64_t now_ns, int64_t bake_ns, int64_t poll_ns)
{
	return (struct verdict_facts){.now_ns = now_ns,
		.step_ns = step_ns,
		.bake_ns = now_ns > step_ns ? now_ns - step_ns : 0,
		.min_bake_ns = verdict_min_bake(bake_ns, poll_ns,
			lags_p95(&w->lags), w->config.window_ns),
		.log_period_ns = w->config.grace_ns / 2,
		.targets = w->roster.facts,
		.ntargets = w->roster.n,
		.first_release = !w->stable.revision.len,
		.samples = w->samples,
		.nsamples = w->nsamples};
}

static void gather(struct watch *w, const struct watch_now *n, bool intervals,
	struct verdict_facts *f)
{
	const struct config *c = &w->plan.config;
	const struct rollout_step *s = last_step(w);
	int64_t step = s && s->bake_ns ? s->bake_ns : n->wall_ns;
	bool all = n->channel->all;

	*f = facts_of(w, step, n->wall_ns,
		all ? c->rollout.bake_fleet_ns : c->rollout.bake_min_ns,
		w->longest_poll_ns);
	f->max_bake_ns =
		c->rollout.bake_max_ns + (all ? c->rollout.bake_fleet_ns : 0);
	f->usual_share = usual_share(w);
	f->first_release |= all && !n->channel->ntargets;
	f->intervals = intervals;
	if (intervals)
		f->latency = windows_latency(w->windows);
}

/* Evidence of an earlier ring says nothing about this one's targets. */
static void only_this_step(struct watch *w)
{
	const struct rollout_step *s = last_step(w);
	bool in = s && s->bake_ns && w->step == w->record.nsteps;
	struct verdict *v = &w->verdict;

	if (v->outcome != VERDICT_PASS || (in && w->caught_up))
		return;
	v->outcome = VERDICT_INCONCLUSIVE;
	v->why = "counts";
	snprintf(v->reason, sizeof(v->reason),
		"INCONCLUSIVE(counts): no window of this ring's bake is "
		"complete yet");
}

static void compute(struct watch *w, const struct watch_now *n, bool intervals)
{
	struct verdict_facts f;

	gather(w, n, intervals, &f);
	judge_verdict(w->judge, &f, &w->verdict);
	only_this_step(w);
}

static bool news(const struct watch *w)
{
	return w->nnew || !w->judged || w->verdict.outcome != w->said ||
	       strcmp(w->verdict.why, w->said_why) != 0;
}

static void judge(struct watch *w, const struct watch_now *n)
{
	compute(w, n, false);
	if (!news(w))
		return;
	compute(w, n, true);
	buf_reset(&w->evidence);
	verdict_write(&w->evidence, &w->verdict, &w->plan.verdict,
		w->survey.strata.items, w->roster.facts);
	w->said = w->verdict.outcome;
	w->said_why = w->verdict.why;
	w->judged = w->fresh_verdict = true;
}

/* --- all of it ------------------------------------------------------------ */

static enum status refresh(
	struct watch *w, const struct watch_now *n, struct err *e)
{
	int64_t age = n->mono_ns - w->targets_mono;
	enum status st = rollout_extended(n->state, w->bundle, &w->record, e);

	if (st ||
		(w->ntargets > WATCH_MANY && age < WATCH_TARGETS_S * NS_PER_S))
		return st;
	return read_targets(w, n->state, n->mono_ns, e);
}

static bool judges(const struct channel *c)
{
	return c->state == CHANNEL_DISTRIBUTING || c->state == CHANNEL_BAKING ||
	       c->state == CHANNEL_HOLD || c->state == CHANNEL_FLEET_BAKE;
}

static enum status look(
	struct watch *w, const struct watch_now *n, struct err *e)
{
	enum status st = refresh(w, n, e);

	if (!st && w->candidate.revision.len)
		st = prepare(w, n, e);
	if (st)
		return st;
	set_all_facts(w, n);
	if (!w->judge || !judges(n->channel))
		return OK;
	st = read_reports(w, n, e);
	if (!st)
		st = read_decisions(w, n, e);
	if (w->caught_up)
		settle_requests(w, n);
	judge(w, n);
	return st;
}

/* An engine that stood still is as one that was not there. */
static void note_gap(struct watch *w, const struct watch_now *n)
{
	int64_t gap = n->mono_ns - w->ok_mono;

	if (gap > w->gap_ns)
		w->gap_ns = gap;
}

enum status watch_look(
	struct watch *w, const struct watch_now *n, struct err *e)
{
	bool noted = note_steps(w, n->channel);
	enum status st;

	note_gap(w, n);
	st = look(w, n, e);

	if (!st && (!w->judge || w->caught_up || !judges(n->channel)))
		w->ok_mono = n->mono_ns;
	if (noted)
		w->saved_mono = INT64_MIN / 2;
	return st;
}

void watch_view(
	struct watch *w, const struct watch_now *n, struct rollout_view *out)
{
	const struct rollout_record *r = &w->record;
	const struct rollout_step *s = last_step(w);
	const struct survey *u = &w->survey;

	*out = (struct rollout_view){.channel = n->channel,
		.everywhere = n->everywhere,
		.plan = &w->plan,
		.fleet = {w->targets, u->events ? w->rates : NULL, w->ntargets,
			n->wall_ns},
		.usual = {.known = u->done,
			.seconds = survey_seconds(u),
			.events = u->events,
			.errors = u->stable_events
					  ? (double)u->bad /
						    (double)u->stable_events
					  : 0,
			.lag_ns = lags_p95(&w->lags),
			.same = u->same,
			.same_metric = u->same_metric},
		.verdict = w->judged ? &w->verdict : NULL,
		.evidence = buf_str(&w->evidence),
		.step_ns = s ? s->bake_ns : 0,
		.extra_ns = r->extended_ring == n->channel->ring
				    ? r->extended_ns
				    : 0,
		.forced = r->forced,
		.stale_ns = w->gap_ns,
		.jump_ns = w->jump_ns,
		.now_ns = n->wall_ns};
	if (out->evidence.len > CHANNEL_TEXT_MAX)
		out->evidence = str_from(w->verdict.reason);
}

static bool due(const struct watch *w, const struct watch_now *n,
	struct str waiting, bool at_once)
{
	int64_t age = n->mono_ns - w->saved_mono;

	return at_once || w->fresh_verdict || age >= WATCH_SAVE_S * NS_PER_S ||
	       (age >= WATCH_WAITING_S * NS_PER_S &&
		       !str_eq(waiting, buf_str(&w->waiting)));
}

static void saved(struct watch *w, const struct watch_now *n)
{
	w->saved_mono = n->mono_ns;
	w->fresh_verdict = false;
	w->nnew = w->newcap = 0;
	w->windows_new = NULL;
	arena_reset(&w->rows);
}

enum status watch_save(struct watch *w, const struct watch_now *n,
	struct str waiting, bool at_once, struct err *e)
{
	struct rollout_saving s = {.progress = &w->record,
		.windows = w->windows_new,
		.nwindows = w->nnew};
	enum status st;

	if (!due(w, n, waiting, at_once))
		return OK;
	buf_reset(&w->waiting);
	buf_addstr(&w->waiting, waiting);
	w->record.waiting = buf_str(&w->waiting);
	if (w->fresh_verdict)
		s.verdict = buf_str(&w->evidence);
	if (w->ok_mono == n->mono_ns)
		w->record.beat_ns = n->wall_ns;
	st = rollout_save(n->state, w->bundle, &s, e);
	if (!st)
		saved(w, n);
	return st;
}

/* --- once more, from the log alone -----------------------------------------
 */

enum { AGAIN_STEP = 1000 }; /* events between two looks */

static enum status again_prepare(struct watch *w, const struct rollout_past *p,
	struct decisions *d, struct err *e)
{
	enum status st = OK;

	w->bundle = p->bundle;
	w->rollout = p->record->rollout;
	w->record = *p->record;
	w->candidate.revision = p->record->version;
	w->stable.revision = p->stable;
	w->saved_window = INT64_MAX; /* none is to be written */
	st = rollout_plan_parse(&w->plan, p->release, e);
	if (st)
		return st;
	roster_init(&w->roster, p->targets, p->ntargets);
	survey_init(&w->survey, w->bundle, w->stable.revision, &w->plan,
		&w->roster, w->record.started_ns,
		(uint64_t)w->record.from_event);
	w->next = (uint64_t)w->record.from_event;
	while (!st && !w->survey.done)
		st = survey_step(&w->survey, d, e);
	return st ? st : make_judge(w, e);
}

/*
 * Nobody knows any more who polled when, or how many requests an agent counted:
 * who decided by the candidate is taken to be a canary that was there.
 */
static void again_facts(
	struct watch *w, int64_t now_ns, struct verdict_facts *f)
{
	int64_t step = w->step ? w->record.steps[w->step - 1].bake_ns : now_ns;

	for (uint32_t i = 0; i < w->roster.n; i++) {
		struct target_facts *t = &w->roster.facts[i];

		t->canary = t->on_candidate =
			w->roster.members[i]->candidate_event_ns > 0;
		t->last_poll_ns = t->last_event_ns = now_ns;
		t->counts_requests = true;
	}
	*f = facts_of(w, step, now_ns, w->plan.config.rollout.bake_min_ns, 0);
}

/* True: it is decided, and no later decision changes that. */
static bool again_judge(
	struct watch *w, int64_t now_ns, struct rollout_again *out)
{
	struct verdict_facts f;

	again_facts(w, now_ns, &f);
	judge_verdict(w->judge, &f, &w->verdict);
	if (w->verdict.outcome == VERDICT_PASS && w->step > out->step_passed) {
		out->step_passed = w->step;
		out->passed++;
	}
	out->outcome = w->verdict.outcome;
	memcpy(out->reason, w->verdict.reason, sizeof(out->reason));
	if (out->outcome != VERDICT_FAIL)
		return false;
	out->failed_ns = now_ns;
	return true;
}

static enum status again_read(struct watch *w, const struct rollout_past *p,
	struct decisions *d, struct rollout_again *out, struct err *e)
{
	struct decision_filter all = {0};
	int64_t newest = w->record.started_ns;
	enum status st = OK;

	while (!st && w->next < p->end_event) {
		struct reading r = {
			.w = w, .left = AGAIN_STEP, .end = p->end_event};
		uint64_t before = w->next;

		st = decisions_tail(d, &all, &w->next, visit, &r, e);
		arena_release(&r.row);
		out->events += w->next - before;
		newest = r.received_ns ? r.received_ns : newest;
		if (st || again_judge(w, newest, out))
			return st;
		if (w->next == before || r.left)
			break;
	}
	if (st)
		return st;
	close_windows(w, newest + 2 * w->config.grace_ns);
	again_judge(w, newest, out);
	return OK;
}

enum status rollout_judge_again(const struct rollout_past *p,
	struct decisions *d, struct rollout_again *out, struct err *e)
{
	struct watch *w = calloc(1, sizeof(*w));
	enum status st;

	if (!w)
		die("out of memory: rollout");
	*out = (struct rollout_again){0};
	st = again_prepare(w, p, d, e);
	if (!st)
		st = again_read(w, p, d, out, e);
	watch_free(w);
	return st;
}
