/*
 * The invariants, one function each, and the table of them: R1 to R9 of
 * rollouts, RT their states, RB what a rollback is, RF a freeze; I1 to I11 of
 * what the service promises whatever happens to it.
 *
 * A function says whether the moment was one for it. What does not hold is
 * told with both values; the run goes on.
 */
#include "tests/scenario/checks.h"

#include "base/date.h"
#include "base/json.h"
#include "decisions/decisions.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct model model;

enum { TOLD = 20 }; /* violations of one invariant; all are counted */

struct invariant {
	const char *name, *source; /* see above */
	unsigned at;               /* moments */
	bool (*check)(const struct moment *m);
	const char *what;
};

static const struct invariant *now; /* that is looked at */
static size_t number_of(const struct invariant *x);

void wrong(const char *fmt, ...)
{
	struct buf when = {0};
	char text[1024];
	va_list ap;

	w->violations++;
	if (w->broke[number_of(now)]++ >= TOLD)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	instant_text(&when, w->true_ns);
	printf("FAILED %s (%s, %s): seed %" PRIu64 ", %s, step %" PRIu64
	       ": %s\n",
		now->name, now->source, now->what, w->seed, when.ptr, w->step,
		text);
	fflush(stdout);
	buf_release(&when);
}

const char *version_name(int version)
{
	return version == NOBODY ? "nothing" : w->versions[version].revision;
}

static void same_number(const char *what, int64_t got, int64_t want)
{
	if (got != want)
		wrong("%s is %" PRId64 ", must be %" PRId64, what, got, want);
}

static void same_text(const char *what, struct str got, struct str want)
{
	if (!str_eq(got, want))
		wrong("%s is \"%.*s\", must be \"%.*s\"", what, STR_ARG(got),
			STR_ARG(want));
}

void same_version(const char *what, int got, int want)
{
	if (got != want)
		wrong("%s is %s, must be %s", what, version_name(got),
			version_name(want));
}

/* --- small questions --------------------------------------------------------
 */

static bool automatic(const struct channel_event *ev)
{
	return !(ev->roles & (ROLE_RELEASE | ROLE_ONCALL));
}

static bool by_engine(const struct channel_event *ev)
{
	return ev->roles == ROLE_ENGINE;
}

bool deployed(enum channel_state s)
{
	return s == CHANNEL_DISTRIBUTING || s == CHANNEL_BAKING ||
	       s == CHANNEL_FLEET_BAKE;
}

/* To the next ring, or to the end, out of a bake and by evidence alone. */
static bool passes(const struct moment *m)
{
	const struct channel_event *ev = &m->line->event;

	return by_engine(ev) &&
	       (ev->kind == EVENT_SUCCEED ||
		       (ev->kind == EVENT_EXPOSE &&
			       m->before->state != CHANNEL_PREFLIGHT));
}

static bool begins(const struct moment *m)
{
	return m->line->event.kind == EVENT_START &&
	       m->after->rollout != m->before->rollout;
}

static struct str evidence_of(
	const struct ledger_line *l, const char *pointer, struct arena *a)
{
	struct str doc, span;
	struct buf text = {0};
	struct err e = {0};

	if (json_check(l->event.evidence, NULL, &doc, &e) ||
		!json_at(doc, str_from(pointer), &span))
		return S("");
	if (json_kind(span) == JSON_STRING)
		json_text(&text, span);
	else
		buf_addstr(&text, span);
	span = arena_str(a, buf_str(&text));
	buf_release(&text);
	return span;
}

/* --- rollouts ---------------------------------------------------------------
 */

static bool one_rollout_at_a_time(const struct moment *m)
{
	const struct model *b = m->before, *a = m->after;
	const struct channel_event *ev = &m->line->event;

	if (a->rollout == b->rollout && channel_busy(a->state) &&
		!channel_busy(b->state) && ev->kind != EVENT_ROLLBACK)
		wrong("rollout %" PRId64 " had ended as %s and is %s again",
			a->rollout, channel_state_name(b->state),
			channel_state_name(a->state));
	if (begins(m) && model_active(b) && ev->if_busy != BUSY_SUPERSEDE)
		wrong("rollout %" PRId64 " began while %" PRId64 " was %s",
			a->rollout, b->rollout, channel_state_name(b->state));
	return begins(m);
}

/* Stable, a candidate or a pin: what the lines of the ledger say. */
static bool candidate_stable_or_pin(const struct moment *m)
{
	int got = version_by_digest(str_from(m->answer->digest));

	same_version(m->agent->id, got, model_choose(&model, m->agent, wall()));
	return true;
}

static bool only_good_bytes(const struct moment *m)
{
	int v = version_by_digest(str_from(m->answer->digest));

	if (v == NOBODY)
		return false;
	if (!model.published[v])
		wrong("%s gets %s, which was not published", m->agent->id,
			version_name(v));
	if (model.quarantined[v] && v != model.forced)
		wrong("%s gets %s, which is in quarantine", m->agent->id,
			version_name(v));
	return true;
}

/* Who had a candidate keeps it until the rollout ends. */
static bool exposure_only_grows(const struct moment *m)
{
	int v = version_by_digest(str_from(m->answer->digest));
	struct agent *a = m->agent;
	bool had = a->candidate_of == model.rollout;

	if (model.candidate == NOBODY || model_pin(&model, a, wall()))
		return false;
	if (had && v != model.candidate)
		wrong("%s had the candidate %s of rollout %" PRId64
		      " and gets %s",
			a->id, version_name(model.candidate), model.rollout,
			version_name(v));
	if (v == model.candidate)
		a->candidate_of = model.rollout;
	return had;
}

/* Canaries that a rollout can begin with. */
static unsigned canaries_left(void)
{
	unsigned n = 0;

	for (int i = 0; i < TARGETS; i++) {
		const struct agent *a = &w->agents[i];

		n += a->canary && a->labels_known && !agent_away(a) &&
		     !model_pin(&model, a, wall());
	}
	return n;
}

enum { SOME_CANARIES = 5 }; /* enough that not all of them are lost */

static bool rings_follow_each_other(const struct moment *m)
{
	int ring = ring_of(m->line->event.ring), was = m->before->ring;

	if (m->line->event.kind != EVENT_EXPOSE ||
		(was < 0 && canaries_left() < SOME_CANARIES))
		return false;
	same_number("ring", ring, was + 1);
	return true;
}

static void is_kept(const struct channel *c, const struct channel_version *v)
{
	if (v->revision.len && !channel_needs(c, v->revision))
		wrong("%.*s could be removed from the store, and is in use",
			STR_ARG(v->revision));
}

static bool last_good_is_good(const struct moment *m)
{
	const struct channel *c = m->record;
	int v = c ? version_of(c->last_good.revision) : NOBODY;
	struct state_version known = {0};
	struct arena a = {0};
	struct err e = {0};

	if (!c)
		return false;
	is_kept(c, &c->last_good);
	is_kept(c, &c->stable);
	is_kept(c, &c->candidate);
	for (uint32_t i = 0; i < c->npins; i++)
		is_kept(c, &c->pins[i].version);
	if (v == NOBODY)
		return false;
	if (!model.promoted[v])
		wrong("last good is %s, which no rollout brought to its end",
			version_name(v));
	if (channel_quarantined(c, c->last_good.revision))
		wrong("last good is %s, which is in quarantine",
			version_name(v));
	if (state_version(site_eye(), S(BUNDLE), c->last_good.revision, &a,
		    &known, &e) ||
		!known.first_stable_ns)
		wrong("last good is %s, and its record says it never was: %s",
			version_name(v), e.text);
	arena_release(&a);
	return true;
}

/* Two log periods at their longest, and a window. */
#define FRESH (2 * 10 * MINUTE + MINUTE)

/* The candidate of a rollout that passes; NULL: it does not. */
static const struct build *passing(const struct moment *m)
{
	if (!passes(m) || m->before->candidate == NOBODY)
		return NULL;
	return &w->versions[m->before->candidate];
}

static bool no_pass_without_fresh_evidence(const struct moment *m)
{
	const struct build *v = passing(m);
	struct arena a = {0};
	int64_t n = 0, sent;

	if (!v)
		return false;
	sent = (int64_t)(v->acked - m->before->acked_before);
	same_text("outcome of the evidence",
		evidence_of(m->line, "/outcome", &a), S("pass"));
	json_int(evidence_of(m->line, "/canary/decisions", &a), &n);
	if (n < 40 || n > sent)
		wrong("evidence for %s counts %" PRId64
		      " decisions, 40 are needed and %" PRId64 " were sent",
			v->revision, n, sent);
	if (w->true_ns - v->newest_ns > FRESH)
		wrong("%s passes, and its newest decision is %" PRId64
		      " s old, limit %" PRId64,
			v->revision, (w->true_ns - v->newest_ns) / NS_PER_S,
			FRESH / NS_PER_S);
	arena_release(&a);
	return true;
}

static bool does_harm(int v)
{
	return w->versions[v].trouble != FINE && w->versions[v].trouble != LATE;
}

/*
 * Nobody can tell that a version is slow where the day before the rollout had
 * too little for a limit.
 */
static bool has_no_limit(const struct moment *m)
{
	struct arena a = {0};
	int64_t of = 0;

	json_int(evidence_of(m->line, "/metrics/slow/canary/of", &a), &of);
	arena_release(&a);
	return w->versions[m->before->candidate].trouble == SLOW && !of;
}

/* Looked at when the engine ends a bake of what does harm, whatever way. */
static bool harm_never_passes(const struct moment *m)
{
	const struct build *v = passing(m);
	int bakes = m->before->candidate, good = m->before->last_good;
	struct arena a = {0};

	if (bakes == NOBODY || !by_engine(&m->line->event) ||
		!deployed(m->before->state) || !does_harm(bakes) ||
		has_no_limit(m))
		return false;
	if (v)
		wrong("%s passes as good in %s, and what is wrong with it: "
		      "%s; evidence: %.*s, lost %.*s, slow: %.*s; it is "
		      "compared with %s (%s)",
			v->revision, channel_state_name(m->before->state),
			trouble_name(v->trouble),
			STR_ARG(evidence_of(m->line, "/reason", &a)),
			STR_ARG(evidence_of(m->line, "/lost", &a)),
			STR_ARG(evidence_of(m->line, "/metrics/slow", &a)),
			version_name(good),
			good == NOBODY
				? ""
				: trouble_name(w->versions[good].trouble));
	arena_release(&a);
	return m->after->state != CHANNEL_BAKING &&
	       m->after->state != CHANNEL_FLEET_BAKE;
}

static bool fail_is_final(const struct moment *m)
{
	enum channel_event_kind k = m->line->event.kind;

	if (!m->before->failed || m->after->rollout != m->before->rollout)
		return false;
	if (k == EVENT_EXPOSE || k == EVENT_SUCCEED)
		wrong("rollout %" PRId64 " of %s failed, and goes on: %s by "
		      "%.*s",
			m->after->rollout, version_name(m->before->candidate),
			channel_event_name(k), STR_ARG(m->line->event.who));
	return true;
}

static bool lines_tell_who_and_why(const struct moment *m)
{
	const struct ledger_line *l = m->line;
	enum channel_event_kind k = l->event.kind;
	const char *was =
		line_of_all(l) ? m->before->fleet.record : m->before->record;

	if (!l->event.who.len)
		wrong("line %" PRId64 ", %s: nobody did it", l->seq,
			channel_event_name(k));
	if (!l->event.why.len && k != EVENT_PUBLISH && k != EVENT_UNPIN &&
		k != EVENT_UNFREEZE)
		wrong("line %" PRId64 ", %s by %.*s: no reason", l->seq,
			channel_event_name(k), STR_ARG(l->event.who));
	same_number("number of the line", l->seq, m->before->seq + 1);
	if (*was)
		same_text("record before it", l->before.record, str_from(was));
	return true;
}

/* --- the record beside the model --------------------------------------------
 */

static void same_quarantine(const struct channel *c)
{
	for (int v = 0; v < w->nversions; v++) {
		bool got = channel_quarantined(
			c, str_from(w->versions[v].revision));

		if (got != model.quarantined[v])
			wrong("%s in quarantine: %d, must be %d",
				version_name(v), got, model.quarantined[v]);
	}
}

static void same_targets(const struct channel *c)
{
	uint32_t at = 0;

	for (int i = 0; i < TARGETS; i++) {
		bool got = at < c->ntargets &&
			   str_is(c->targets[at], w->agents[i].id);

		at += got;
		if (got != model.exposed[i])
			wrong("%s in the record's targets: %d, must be %d",
				w->agents[i].id, got, model.exposed[i]);
	}
}

static bool ledger_gives_the_record(const struct moment *m)
{
	const struct channel *c = m->record;
	char hash[65];

	if (!c)
		return false;
	channel_digest(c, hash);
	same_text("hash of the record", str_from(hash), str_from(model.record));
	same_version("stable", version_of(c->stable.revision), model.stable);
	same_version("candidate", version_of(c->candidate.revision),
		model.candidate);
	same_version("last good", version_of(c->last_good.revision),
		model.last_good);
	same_version("former", version_of(c->former.revision), model.former);
	same_version("queued", version_of(c->queued.revision), model.queued);
	same_number("rollout", c->rollout, model.rollout);
	same_number("all", c->all, model.all);
	same_number("pins", c->npins, model.npins);
	same_targets(c);
	return true;
}

static bool rollback_is_whole(const struct moment *m)
{
	const struct channel *c = m->record;

	if (!c)
		return false;
	same_quarantine(c);
	same_number("fence", c->fence, model.fence);
	for (int f = 0; f < FREEZES; f++)
		same_number(f ? "end of the freeze of all"
			      : "end of the freeze of automation",
			c->freeze[f].until_ns, model.until_ns[f]);
	return true;
}

static bool ledger_verifies(const struct moment *m)
{
	static struct ledger_head held;
	struct ledger_report r = {0};
	struct err e = {0};

	(void)m;
	if (!w->high_seq)
		return false;
	if (ledger_verify(site_eye(), NULL, held.seq ? &held : NULL, &r, &e))
		wrong("%s", e.text);
	if (r.lines < w->high_seq)
		wrong("the ledger has %" PRId64 " lines, had %" PRId64, r.lines,
			w->high_seq);
	same_number("signed up to", r.signed_until, r.lines);
	held = r.head;
	return true;
}

/* The 4.2 table: from where to where, and who may. */
static bool states_follow_the_table(const struct moment *m)
{
	enum { P = 1, E = 2 }; /* people and CI, the engine */
#define FROM(s) (1u << CHANNEL_##s)
	static const unsigned ended = FROM(IDLE) | FROM(SUCCEEDED) |
				      FROM(ROLLED_BACK) | FROM(ABORTED) |
				      FROM(REFUSED);
	static const unsigned active = FROM(PREFLIGHT) | FROM(DISTRIBUTING) |
				       FROM(BAKING) | FROM(HOLD) |
				       FROM(FLEET_BAKE);
	static const struct {
		enum channel_event_kind kind;
		unsigned from;
		enum channel_state to;
		unsigned who;
	} rows[] = {
		{EVENT_START, ~0u, CHANNEL_PREFLIGHT, P | E},
		{EVENT_REFUSE, FROM(PREFLIGHT), CHANNEL_REFUSED, P | E},
		{EVENT_EXPOSE, FROM(PREFLIGHT) | FROM(BAKING),
			CHANNEL_DISTRIBUTING, P | E},
		{EVENT_EXPOSE, FROM(HOLD), CHANNEL_DISTRIBUTING, P},
		{EVENT_CONVERGED, FROM(DISTRIBUTING), CHANNEL_BAKING, E},
		{EVENT_CONVERGED, FROM(DISTRIBUTING), CHANNEL_FLEET_BAKE, E},
		{EVENT_CONVERGED, FROM(ROLLING_BACK), CHANNEL_ROLLED_BACK, E},
		{EVENT_HOLD,
			FROM(DISTRIBUTING) | FROM(BAKING) | FROM(FLEET_BAKE),
			CHANNEL_HOLD, P | E},
		{EVENT_RESUME, FROM(HOLD), CHANNEL_BAKING, P},
		{EVENT_RESUME, FROM(HOLD), CHANNEL_DISTRIBUTING, P},
		{EVENT_RESUME, FROM(HOLD), CHANNEL_FLEET_BAKE, P},
		{EVENT_SUCCEED, FROM(FLEET_BAKE), CHANNEL_SUCCEEDED, P | E},
		{EVENT_SUCCEED, FROM(HOLD), CHANNEL_SUCCEEDED, P},
		{EVENT_ABORT, active, CHANNEL_ABORTED, P},
		{EVENT_ROLLBACK, active | ended | FROM(ROLLING_BACK),
			CHANNEL_ROLLING_BACK, P | E},
	};
#undef FROM
	const struct channel_event *ev = &m->line->event;
	unsigned who = by_engine(ev) ? E : P;

	same_text("state before", m->line->before.state,
		str_from(channel_state_name(m->before->state)));
	if (m->after->state == m->before->state && ev->kind != EVENT_ROLLBACK &&
		ev->kind != EVENT_EXPOSE)
		return true;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].kind == ev->kind && rows[i].to == m->after->state &&
			rows[i].from & 1u << m->before->state &&
			rows[i].who & who)
			return true;
	wrong("%s by %.*s led from %s to %s", channel_event_name(ev->kind),
		STR_ARG(ev->who), channel_state_name(m->before->state),
		channel_state_name(m->after->state));
	return true;
}

/* --- rollback, engine, freeze -----------------------------------------------
 */

/* Tried out in every record there ever was, and then for good by people. */
static bool rollback_is_always_legal(const struct moment *m)
{
	const struct called *c = m->call;
	struct str to = site_said("/to/revision");

	if (strcmp(c->name, "rollback") != 0 || c->faulty || !c->may ||
		c->named || !c->on_bundle)
		return false;
	if (c->code == OP_OK)
		return true;
	if (c->code != OP_MISSING || model_back(&model) != NOBODY)
		wrong("in %s, rollback to %s ended with %d: %.*s%.*s",
			channel_state_name(model.state),
			version_name(model_back(&model)), (int)c->code,
			STR_ARG(c->failure), STR_ARG(to));
	return true;
}

/* Without --to, a rollback goes to the last good version, and no further. */
static void probe_rollback(void)
{
	enum op_code code = site_call("bob", SERVER_ONCALL, "rollback",
		"bundle", BUNDLE, "dry_run", "true", NULL);
	int to = version_of(site_said("/to/revision"));
	bool changed = str_is(site_said("/changed"), "true");

	if (code == OP_OK && changed)
		same_version("where a rollback goes", to, model_back(&model));
	if (code == OP_OK && !changed && model_active(&model))
		wrong("in %s, a rollback changes nothing",
			channel_state_name(model.state));
	if (code == OP_OK && !changed)
		same_version("where a rollback stays", model.stable,
			model_back(&model));
}

static bool rollback_goes_to_last_good(const struct moment *m)
{
	static int64_t tried;

	if (!m->record || tried == model.generation || w->broken)
		return false;
	tried = model.generation;
	w->back_tried[model.state]++;
	probe_rollback();
	return true;
}

#define JUMP MINUTE

static bool was_away(void)
{
	return w->gap_ns >= STALE || w->jump_ns > JUMP || w->jump_ns < -JUMP;
}

/* What an engine that was away, or whose clock jumped, finds is held. */
static bool dead_engine_never_promotes(const struct moment *m)
{
	const char *does = m->at == AT_LINE
				   ? channel_event_name(m->line->event.kind)
				   : channel_state_name(m->after->state);

	if (!deployed(m->before->state) ||
		(m->at == AT_LINE && !by_engine(&m->line->event)))
		return false;
	if (w->engine_away_ns > w->true_ns || !site_serves())
		wrong("%s by an engine that does not run", does);
	if (!was_away())
		return false;
	if (m->at == AT_LINE && (m->line->event.kind == EVENT_HOLD ||
					m->line->event.kind == EVENT_ROLLBACK))
		return true;
	if (deployed(m->after->state) && !w->broken)
		wrong("%s after %" PRId64 " s without an engine, limit %" PRId64
		      ", and a jump of the clock by %" PRId64
		      " s, limit %" PRId64,
			does, w->gap_ns / NS_PER_S, STALE / NS_PER_S,
			w->jump_ns / NS_PER_S, JUMP / NS_PER_S);
	return true;
}

static bool refuses_it(const struct model *m, const struct agent *a)
{
	return m->exposed[a->number] != m->all && a->refused == m->candidate &&
	       !a->status_due && !agent_away(a) && !model_pin(m, a, wall());
}

/* Two looks of an engine that nothing disturbs see what an agent reported. */
#define SEEN (2 * BUSY * MINUTE)

static bool what_agents_refuse_goes_back(const struct moment *m)
{
	bool some = false;

	if (!deployed(m->before->state) ||
		w->true_ns - w->disturbed_ns <= 2 * SEEN)
		return false;
	for (int i = 0; i < TARGETS; i++) {
		const struct agent *a = &w->agents[i];
		int64_t age = w->true_ns - a->refused_ns;
		bool it = refuses_it(m->before, a);

		some |= it;
		if (it && age >= SEEN && deployed(m->after->state))
			wrong("%s refuses %s since %" PRId64
			      " s, limit %" PRId64 ", and the rollout is %s",
				a->id, version_name(a->refused), age / NS_PER_S,
				SEEN / NS_PER_S,
				channel_state_name(m->after->state));
	}
	return some;
}

/* What moves in a freeze is by people who broke the glass for it. */
static bool frozen_stands_still(const struct moment *m)
{
	const struct channel_event *ev = &m->line->event;
	bool moves = ev->kind == EVENT_EXPOSE || ev->kind == EVENT_SUCCEED ||
		     begins(m);

	if (!moves || !model_frozen(m->before, automatic(ev), m->line->ns))
		return false;
	if (!ev->break_glass || automatic(ev))
		wrong("%s by %.*s in a freeze that ends at %" PRId64
		      " s, at %" PRId64 " s",
			channel_event_name(ev->kind), STR_ARG(ev->who),
			m->before->until_ns[FREEZE_ALL] / NS_PER_S,
			m->line->ns / NS_PER_S);
	return true;
}

/* --- promises ---------------------------------------------------------------
 */

static bool whole_versions(const struct moment *m)
{
	bool some;

	if (m->at == AT_FETCH) {
		if (!m->good)
			wrong("%s was read and is not whole: %s",
				version_name(m->version), m->text);
		return true;
	}
	some = model_choose(&model, m->agent, wall()) != NOBODY;
	if (some != (m->answer->choice == SERVER_BUNDLE))
		wrong("%s: answer %d, must be %d", m->agent->id,
			(int)m->answer->choice,
			(int)(some ? SERVER_BUNDLE : SERVER_NO_BUNDLE));
	if (some && strlen(m->answer->digest) != SERVER_DIGEST_HEX)
		wrong("%s: a digest of %zu letters, must be %d", m->agent->id,
			strlen(m->answer->digest), SERVER_DIGEST_HEX);
	return true;
}

/* A child has its own view, and what it saw is seen again. */
static unsigned char seen[LOGGED];
enum { IN_LOG = 1, BESIDE = 2 };
static struct checkpoint newest;

/* The serial in an id, for bytes that were sent as they are here; 0: not. */
static uint32_t serial_of(const char *where, struct str id, struct str bytes)
{
	char hex[9];
	unsigned long serial;

	snprintf(hex, sizeof(hex), "%.*s", STR_ARG(str_slice(id, 0, 8)));
	serial = strtoul(hex, NULL, 16);
	if (!serial || serial > w->serial) {
		wrong("%s has %.*s, which nobody sent", where, STR_ARG(id));
		return 0;
	}
	if (hash_of(bytes) != w->hashes[serial])
		wrong("%.*s has other bytes in %s: %.*s", STR_ARG(id), where,
			STR_ARG(bytes));
	return (uint32_t)serial;
}

static bool see(void *user, const struct decision_row *row)
{
	uint32_t serial =
		serial_of("the log", row->event.id_text, row->event.bytes);

	(void)user;
	if (serial && seen[serial] & IN_LOG)
		wrong("the log has %.*s twice", STR_ARG(row->event.id_text));
	seen[serial] |= IN_LOG;
	return true;
}

/* Whose clock seems to be wrong is kept beside the log. */
static bool see_beside(void *user, const struct quarantine_row *row)
{
	static const struct str key = STR("\"decision_id\":\"");
	size_t at = str_find(row->bytes, key, 0) + key.len;
	uint32_t serial;

	(void)user;
	if (at >= row->bytes.len) {
		wrong("what is no event was kept: %.*s", STR_ARG(row->bytes));
		return true;
	}
	serial = serial_of("quarantine",
		str_slice(row->bytes, at, row->bytes.len), row->bytes);
	seen[serial] |= BESIDE;
	return true;
}

static void prove_one(uint64_t number)
{
	struct buf proof = {0};
	struct err e = {0};
	enum status st = decisions_prove(site->decisions, number, &proof, &e);

	if (st && st != E_NOT_FOUND)
		wrong("event %" PRIu64 " can't be proved: %s", number, e.text);
	buf_release(&proof);
}

/* Not of the world's chance: how often this is looked at changes nothing. */
static uint64_t chance_of_one(uint64_t n)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x % n;
}

static bool acknowledged_is_kept(const struct moment *m)
{
	static uint64_t next;
	static uint32_t checked;
	struct decision_filter all = {0};
	struct err e = {0};

	(void)m;
	if (!site_serves())
		return false;
	if (decisions_tail(site->decisions, &all, &next, see, NULL, &e) ||
		decisions_quarantine(
			site->decisions, 0, INT64_MAX, see_beside, NULL, &e))
		wrong("the log can't be read: %s", e.text);
	for (uint32_t s = checked + 1; s <= w->serial; s++)
		if (w->acked[s] && !seen[s])
			wrong("decision %08x was acknowledged and is not in "
			      "the log of %" PRIu64,
				s, next);
	/* Those of agents that are away come later. */
	while (checked < w->serial && seen[checked + 1])
		checked++;
	if (newest.size)
		prove_one(chance_of_one(newest.size));
	return true;
}

static void take_checkpoint(const struct checkpoint *c)
{
	if (c->size < newest.size)
		wrong("the tree has %" PRIu64 " entries, had %" PRIu64, c->size,
			newest.size);
	if (newest.size && c->size == newest.size &&
		!merkle_equal(&c->root, &newest.root))
		wrong("two roots for %" PRIu64 " entries", c->size);
	newest = *c;
}

/* What was written since the last time; a note ends with an empty line. */
static void read_checkpoints(struct str text)
{
	struct checkpoint c;
	struct err e;
	size_t end;

	while ((end = str_find(text, S("\n\n"), 0)) < text.len) {
		struct str note = str_slice(text, 0, end + 1);

		while (note.len && note.ptr[0] == '\n')
			note = str_slice(note, 1, note.len);
		if (!checkpoint_parse(note, &c, &e))
			take_checkpoint(&c);
		text = str_slice(text, end + 2, text.len);
		end = str_find(text, S("\n"), 0);
		text = str_slice(
			text, end < text.len ? end + 1 : text.len, text.len);
	}
}

static bool log_only_grows(const struct moment *m)
{
	static uint64_t read;
	struct buf text = {0};
	char path[512];
	struct fs_file f = {.fd = -1};
	uint64_t size = 0;
	size_t got = 0;
	bool grew;
	struct err e = {0};

	(void)m;
	snprintf(path, sizeof(path), "%s/decisions/events/checkpoints",
		site_dir());
	if (access(path, R_OK) || fs_open(&f, NULL, path, false, 0, &e))
		return false;
	if (!fs_size(&f, &size, &e) && size > read &&
		!fs_read_at(&f, read, buf_reserve(&text, size - read),
			size - read, &got, &e))
		read_checkpoints(str_make(text.ptr, got));
	if (size < read)
		wrong("the checkpoints have %" PRIu64 " bytes, had %" PRIu64,
			size, read);
	grew = size > read;
	read = size;
	fs_close(&f, &e);
	buf_release(&text);
	return grew;
}

static bool generation_grows_by_one(const struct moment *m)
{
	const struct ledger_line *l = m->line;

	if (m->at == AT_CALL) {
		const struct called *c = m->call;

		if (c->code != OP_OK || !c->changed || c->generation < 0)
			return false;
		if (c->seq_after > c->seq_before)
			same_number(
				c->name, c->generation, c->generation_after);
		return true;
	}
	same_number("generation before", l->before.generation,
		line_of_all(l) ? m->before->fleet.generation
			       : m->before->generation);
	same_number(channel_event_name(l->event.kind), l->after.generation,
		l->before.generation + (l->event.kind != EVENT_PUBLISH));
	return true;
}

static bool nothing_falls_back(const struct moment *m)
{
	const struct channel *c = m->record;

	if (!c)
		return false;
	if (c->epoch < w->high_epoch ||
		(c->epoch == w->high_epoch &&
			c->generation < w->high_generation))
		wrong("epoch and generation are %" PRId64 ", %" PRId64
		      ", were %" PRId64 ", %" PRId64,
			c->epoch, c->generation, w->high_epoch,
			w->high_generation);
	if (model.seq < w->high_seq)
		wrong("the ledger has %" PRId64 " lines, had %" PRId64,
			model.seq, w->high_seq);
	w->high_epoch = c->epoch;
	w->high_generation = c->generation;
	w->high_seq = model.seq;
	return true;
}

/* --- files and records ------------------------------------------------------
 */

static void in_store(struct store *s, const struct state_version *v)
{
	struct arena a = {0};
	struct version found;
	struct err e = {0};
	const char *revision = arena_strdup(&a, v->v.revision);

	if (store_find(s, BUNDLE, revision, &a, &found, &e))
		wrong("%s has a record and no archive: %s", revision, e.text);
	else
		same_text(revision, str_from(found.digest + strlen("sha256:")),
			v->v.digest);
	arena_release(&a);
}

/* What a publish that was cut off left behind is its own, until it is tried
 * again. */
static void has_record(
	const struct version *v, const struct state_version *all, size_t n)
{
	int known = version_of(str_from(v->revision));

	for (size_t i = 0; i < n; i++)
		if (str_is(all[i].v.revision, v->revision))
			return;
	if (known == NOBODY || w->versions[known].there ||
		!w->versions[known].tried)
		wrong("%s is in the store and has no record", v->revision);
}

static bool files_have_records(const struct moment *m)
{
	struct service *s = site;
	struct state_version *all;
	struct version *list;
	struct store *store;
	struct arena a = {0};
	size_t n = 0, stored = 0;
	struct err e = {0};

	if (!s || (m->at == AT_CALL && strcmp(m->call->name, "publish") != 0) ||
		state_versions(site_eye(), S(BUNDLE), &a, &all, &n, &e))
		return false;
	if (service_store(s, &store, &e) ||
		store_list(store, BUNDLE, &a, &list, &stored, &e))
		wrong("the store can't be read: %s", e.text);
	for (size_t i = 0; i < n; i++)
		in_store(store, &all[i]);
	for (size_t i = 0; i < stored; i++)
		has_record(&list[i], all, n);
	arena_release(&a);
	return true;
}

/* That it came up is seen by being here; what fails later is told as it is. */
static const char *complained;

void checks_complain(const char *what, const char *text)
{
	struct moment m = {.at = AT_START, .text = text};

	complained = what;
	checks_look(&m);
	complained = NULL;
}

static bool no_repair_is_needed(const struct moment *m)
{
	if (complained)
		wrong("%s: nothing is broken, and it fails: %s", complained,
			m->text);
	return true;
}

static bool errors_are_told(const struct moment *m)
{
	const struct called *c = m->call;
	bool wrote = c->seq_after > c->seq_before;

	if (!c->writes)
		return false;
	if (c->code == OP_OK && c->changed && !wrote &&
		!str_is(site_said("/dry_run"), "true"))
		wrong("%s says that it changed something; the ledger ends at "
		      "line %" PRId64 ", before at %" PRId64,
			c->name, c->seq_after, c->seq_before);
	if (c->code != OP_OK && c->code != OP_PENDING && wrote)
		wrong("%s ended with %d and wrote line %" PRId64
		      ", before it was %" PRId64,
			c->name, (int)c->code, c->seq_after, c->seq_before);
	if (c->code != OP_OK && c->code != OP_PENDING && !c->failure.len)
		wrong("%s ended with %d and says nothing", c->name,
			(int)c->code);
	return true;
}

/* --- secrets, room ----------------------------------------------------------
 */

static struct buf secrets[2];

static void is_private(const char *name, struct buf *text)
{
	char path[512];
	struct stat s;
	struct err e = {0};

	snprintf(path, sizeof(path), "%s/%s", site_dir(), name);
	if (stat(path, &s))
		return;
	if (s.st_mode & 077)
		wrong("%s has mode %o, must be 600", name,
			(unsigned)s.st_mode & 0777);
	if (!text->len && fs_read(NULL, path, 65536, text, &e))
		wrong("%s", e.text);
}

/* The longest line of a key is enough of it. */
static struct str longest(struct str text)
{
	struct str best = S("");

	while (text.len) {
		size_t end = str_find(text, S("\n"), 0);
		struct str line =
			str_slice(text, 0, end < text.len ? end : text.len);

		if (line.len > best.len)
			best = line;
		text = str_slice(
			text, end < text.len ? end + 1 : text.len, text.len);
	}
	return best;
}

static void tells_none(const char *what, struct str text)
{
	for (size_t i = 0; i < COUNT(secrets); i++) {
		struct str key = longest(buf_str(&secrets[i]));

		if (key.len && str_find(text, key, 0) < text.len)
			wrong("%s shows a private key", what);
	}
}

static bool no_secret_is_told(const struct moment *m)
{
	if (m->at == AT_CALL) {
		tells_none(m->call->name, m->call->doc);
		return true;
	}
	is_private("ledger.key", &secrets[0]);
	is_private("log.key", &secrets[1]);
	tells_none("a warning", str_from(site_complaint()));
	return true;
}

#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_MAX (UINT64_C(8) << 30)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_MAX (UINT64_C(8) << 30)
#endif
#endif
#ifndef MEMORY_MAX
#define MEMORY_MAX (UINT64_C(512) << 20)
#endif

enum { FILES_MAX = 64 };

/* Of this process, without the pages of the world. */
static uint64_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long all = 0, pages = 0, shared = 0;

	if (!f || fscanf(f, "%lu %lu %lu", &all, &pages, &shared) != 3)
		pages = shared = 0;
	if (f)
		fclose(f);
	return (pages - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool memory_and_files_are_bounded(const struct moment *m)
{
	uint64_t bytes = resident();

	if (!m->record)
		return false;
	if (bytes > MEMORY_MAX)
		wrong("%" PRIu64 " bytes of memory, limit %" PRIu64, bytes,
			MEMORY_MAX);
	if (site_files() > FILES_MAX)
		wrong("%u open files, limit %d", site_files(), FILES_MAX);
	return true;
}

/* An agent that can reach the server leaves a bad version at its next polls. */
#define LEAVES (15 * MINUTE)

static bool agents_decide_with_a_good_version(const struct moment *m)
{
	static bool had[TARGETS];

	(void)m;
	for (int i = 0; i < TARGETS; i++) {
		const struct agent *a = &w->agents[i];

		if (had[i] && a->active == NOBODY)
			wrong("%s has no version any more", a->id);
		had[i] |= a->active != NOBODY;
		if (a->unwanted_ns && a->refused == NOBODY &&
			w->true_ns - a->unwanted_ns > LEAVES)
			wrong("%s runs %s since %" PRId64 " s, limit %" PRId64,
				a->id, version_name(a->active),
				(w->true_ns - a->unwanted_ns) / NS_PER_S,
				LEAVES / NS_PER_S);
	}
	return true;
}

static bool log_verifies(const struct moment *m)
{
	struct decisions_fault fault;
	struct err e = {0};

	(void)m;
	if (!site_serves())
		return false;
	if (decisions_verify(site->decisions, site->log_key, S(""), &fault, &e))
		wrong("%s: %s", fault.file, e.text);
	return true;
}

/* --- the table --------------------------------------------------------------
 */

/* clang-format off */
static const struct invariant rows[] = {
	{"one_rollout_at_a_time", "R1", AT_LINE, one_rollout_at_a_time,
		"a channel has at most one rollout that has not ended"},
	{"busy_is_refused", "R1", AT_CALL, busy_is_refused,
		"a start waits its turn, takes it, or is told"},
	{"candidate_stable_or_pin", "R2", AT_ANSWER, candidate_stable_or_pin,
		"a target gets stable, the candidate or its pin"},
	{"only_good_bytes", "R2", AT_ANSWER, only_good_bytes,
		"what a target gets is published and not in quarantine"},
	{"quarantined_is_refused", "R2", AT_CALL, quarantined_is_refused,
		"what is in quarantine is not started, pinned or gone back to"},
	{"record_keeps_quarantine", "R2", AT_STEP, record_keeps_quarantine,
		"nor would the record let it"},
	{"exposure_only_grows", "R3", AT_ANSWER, exposure_only_grows,
		"who has the candidate keeps it until the rollout ends"},
	{"rings_follow_each_other", "R3", AT_LINE, rings_follow_each_other,
		"first the canaries, and then ring by ring"},
	{"last_good_is_good", "R4", AT_STEP, last_good_is_good,
		"last good went through a rollout, and what is in use is kept"},
	{"no_pass_without_fresh_evidence", "R5", AT_LINE, no_pass_without_fresh_evidence,
		"no PASS but on enough decisions, and fresh ones"},
	{"harm_never_passes", "R5", AT_LINE, harm_never_passes,
		"what does harm never passes as good"},
	{"unproved_is_refused", "R5", AT_CALL, unproved_is_refused,
		"out of a bake nobody promotes without a verdict or force"},
	{"record_asks_for_evidence", "R5", AT_STEP, record_asks_for_evidence,
		"nor would the record let it"},
	{"fail_is_final", "R6", AT_LINE, fail_is_final,
		"after a FAIL a rollout goes on for nobody"},
	{"failed_is_refused", "R6", AT_CALL, failed_is_refused,
		"a promotion of what failed is refused"},
	{"fail_in_a_bake_is_acted_on", "R6", AT_TICK, fail_in_a_bake_is_acted_on,
		"what fails in a bake goes back, or is held"},
	{"fail_in_a_hold_goes_back", "R6", AT_TICK, fail_in_a_hold_goes_back,
		"and so does what a person holds meanwhile"},
	{"lines_tell_who_and_why", "R7", AT_LINE | AT_FLEET, lines_tell_who_and_why,
		"each line says who, why and what came before"},
	{"ledger_gives_the_record", "R7", AT_STEP, ledger_gives_the_record,
		"the lines lead to the record"},
	{"ledger_verifies", "R7", AT_START | AT_END, ledger_verifies,
		"the whole ledger verifies, and has the head it had"},
	{"rollback_is_always_legal", "R8", AT_CALL, rollback_is_always_legal,
		"a rollback is legal in every state"},
	{"rollback_goes_to_last_good", "R8", AT_STEP, rollback_goes_to_last_good,
		"and goes to the last good version"},
	{"dead_engine_never_promotes", "R9", AT_LINE | AT_TICK, dead_engine_never_promotes,
		"an engine that was away holds, and never promotes"},
	{"engine_goes_on_without_doubt", "R9", AT_STEP, engine_goes_on_without_doubt,
		"nor does it on an old PASS, or in a freeze of all bundles"},
	{"record_keeps_a_hold", "R9", AT_STEP, record_keeps_a_hold,
		"what is held only people let go on"},
	{"states_follow_the_table", "RT", AT_LINE, states_follow_the_table,
		"states follow each other as drawn, by who may"},
	{"record_asks_who", "RT", AT_STEP, record_asks_who,
		"each event takes one of its roles"},
	{"who_may_not_is_refused", "RT", AT_CALL, who_may_not_is_refused,
		"and so does each command"},
	{"what_agents_refuse_goes_back", "RT", AT_TICK, what_agents_refuse_goes_back,
		"what an agent can't activate is taken back at once"},
	{"rollback_is_whole", "RB", AT_STEP, rollback_is_whole,
		"a rollback quarantines and stops automation"},
	{"record_asks_when", "RB", AT_STEP, record_asks_when,
		"who is late is refused, and told when a rollback came first"},
	{"late_promoter_is_refused", "RB", AT_CALL, late_promoter_is_refused,
		"and so is a promotion"},
	{"late_commit_is_refused", "RB", AT_CALL, late_commit_is_refused,
		"a late job does not start what is older than last good"},
	{"record_keeps_its_commit", "RB", AT_STEP, record_keeps_its_commit,
		"nor would the record let it, or another line of commits"},
	{"frozen_stands_still", "RF", AT_LINE, frozen_stands_still,
		"in a freeze nothing advances"},
	{"frozen_is_refused", "RF", AT_CALL, frozen_is_refused,
		"starts and promotions in a freeze are refused"},
	{"record_keeps_a_freeze", "RF", AT_STEP, record_keeps_a_freeze,
		"nor would the record let them"},
	{"engine_lets_wait", "RF", AT_STEP, engine_lets_wait,
		"nor does the engine begin then with what is in the queue"},
	{"pass_in_a_freeze_is_held", "RF", AT_TICK, pass_in_a_freeze_is_held,
		"a bake that passes in a freeze ends in a hold"},
	{"whole_versions", "I1", AT_ANSWER | AT_FETCH, whole_versions,
		"a poll gets a whole version, never a part or none"},
	{"acknowledged_is_kept", "I2", AT_START | AT_END, acknowledged_is_kept,
		"what was acknowledged is there, byte by byte, provable"},
	{"log_only_grows", "I3", AT_STEP, log_only_grows,
		"the log's tree never shrinks, and has one root a size"},
	{"log_verifies", "I3", AT_END, log_verifies,
		"the whole log verifies"},
	{"generation_grows_by_one", "I4", AT_LINE | AT_FLEET | AT_CALL, generation_grows_by_one,
		"the generation grows by one with each change"},
	{"nothing_falls_back", "I5", AT_STEP, nothing_falls_back,
		"epoch, generation and ledger never fall back"},
	{"files_have_records", "I6", AT_START | AT_CALL, files_have_records,
		"each archive has a record, each record its archive"},
	{"no_repair_is_needed", "I7", AT_START, no_repair_is_needed,
		"after a fault the next run works by itself"},
	{"errors_are_told", "I8", AT_CALL, errors_are_told,
		"what was not done is an error, what is none was done"},
	{"no_secret_is_told", "I9", AT_CALL | AT_START, no_secret_is_told,
		"no secret is told"},
	{"memory_and_files_are_bounded", "I10", AT_STEP, memory_and_files_are_bounded,
		"memory and files have a bound"},
	{"agents_decide_with_a_good_version", "I11", AT_STEP, agents_decide_with_a_good_version,
		"agents always have a version, and leave a bad one"},
};
/* clang-format on */

static size_t number_of(const struct invariant *x)
{
	return (size_t)(x - rows);
}

/* One check may call an operation, which is looked at in turn. */
void checks_look(const struct moment *m)
{
	const struct invariant *outer = now;

	for (size_t i = 0; i < COUNT(rows); i++) {
		if (!(rows[i].at & m->at))
			continue;
		now = &rows[i];
		if (rows[i].check(m))
			w->looked[i]++;
	}
	now = outer;
}

/* --- when they are looked at ------------------------------------------------
 */

static void take_line(const struct ledger_line *l)
{
	static struct model before;
	struct arena a = {0};

	before = model;
	model_apply(&model, l);
	checks_look(&(struct moment){.at = line_of_all(l) ? AT_FLEET : AT_LINE,
		.line = l,
		.before = &before,
		.after = &model});
	if (str_is(evidence_of(l, "/outcome", &a), "fail"))
		model.failed = true;
	arena_release(&a);
}

void checks_lines(void)
{
	struct ledger_line *lines;
	struct arena a = {0};
	struct err e = {0};
	size_t n = 0;

	if (!model.seq && !model.since_ns) {
		model = (struct model){.stable = NOBODY,
			.candidate = NOBODY,
			.last_good = NOBODY,
			.former = NOBODY,
			.queued = NOBODY,
			.started = NOBODY,
			.ring = -1,
			.forced = NOBODY,
			.since_ns = 1};
	}
	if (ledger_lines(
		    site_eye(), S(""), model.seq, 1000, &a, &lines, &n, &e))
		die("scenario: ledger: %s", e.text);
	for (size_t i = 0; i < n; i++)
		take_line(&lines[i]);
	arena_release(&a);
}

/* The record is looked at when it is another one. */
void checks_step(void)
{
	static int64_t seq = -1;
	struct channel c;
	struct arena a = {0};
	struct err e = {0};
	struct moment m = {.at = AT_STEP};

	checks_lines();
	if (model.seq != seq &&
		!state_channel(site_eye(), S(BUNDLE), &a, &c, &e))
		m.record = &c;
	seq = model.seq;
	checks_look(&m);
	arena_release(&a);
}

void checks_start(void)
{
	checks_lines();
	checks_look(&(struct moment){.at = AT_START});
}

void checks_end(void)
{
	checks_look(&(struct moment){.at = AT_END});
}

const char *checks_root(void)
{
	static struct ledger_report r;
	struct err e = {0};

	if (ledger_verify(site_eye(), NULL, NULL, &r, &e))
		return e.text[0] ? "none" : "";
	return r.head.hash;
}

size_t checks_report(bool all, size_t *failed)
{
	size_t passed = 0;

	*failed = 0;
	for (size_t i = 0; i < COUNT(rows); i++) {
		printf("  %-4s %-34s %10" PRIu64 " times", rows[i].source,
			rows[i].name, w->looked[i]);
		if (w->broke[i])
			printf(", VIOLATED %" PRIu64, w->broke[i]);
		if (!w->looked[i])
			printf(", never looked at");
		printf("\n");
		if (w->broke[i] || (all && !w->looked[i]))
			++*failed;
		else
			passed++;
	}
	return passed;
}

void checks_release(void)
{
	for (size_t i = 0; i < COUNT(secrets); i++)
		buf_release(&secrets[i]);
}
