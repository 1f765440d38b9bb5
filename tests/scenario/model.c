/*
 * What the ledger's lines mean, written down a second time: small, slow, and
 * with nothing of canary/channel.c in it, to hold what the product says and
 * does against.
 */
#include "tests/scenario/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool model_active(const struct model *m)
{
	return channel_busy(m->state) && m->state != CHANNEL_ROLLING_BACK;
}

static enum channel_state state_of(struct str name)
{
	for (int s = 0; s < CHANNEL_STATES; s++)
		if (str_is(name, channel_state_name((enum channel_state)s)))
			return (enum channel_state)s;
	return CHANNEL_IDLE;
}

static int target_of(struct str id)
{
	for (int i = 0; i < TARGETS; i++)
		if (str_is(id, w->agents[i].id))
			return i;
	return -1;
}

/* --- pins and freezes -------------------------------------------------------
 */

static bool wants(const struct pinned *p, const struct agent *a)
{
	if (p->target >= 0)
		return p->target == (int)a->number;
	if (!a->labels_known)
		return false;
	return !strcmp(p->selector, a->eu ? "region=eu" : "region=us") ||
	       !strcmp(p->selector, a->core ? "class=core" : "class=edge") ||
	       !strcmp(p->selector, a->canary ? "ring=canary" : "ring=rest");
}

/* One of the target itself, else of its labels; of several the latest. */
const struct pinned *model_pin(
	const struct model *m, const struct agent *a, int64_t wall_ns)
{
	const struct pinned *found = NULL;

	for (unsigned i = 0; i < m->npins; i++) {
		const struct pinned *p = &m->pins[i];

		if (p->until_ns > wall_ns && wants(p, a) &&
			(!found || p->target >= 0 || found->target < 0))
			found = p;
	}
	return found;
}

static void drop_pins(
	struct model *m, int target, struct str selector, int64_t ended_ns)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->npins; i++) {
		const struct pinned *p = &m->pins[i];
		bool same =
			p->target == target && str_is(selector, p->selector);

		if (!same && p->until_ns > ended_ns)
			m->pins[n++] = *p;
	}
	m->npins = n;
}

static void add_pin(struct model *m, const struct channel_event *ev)
{
	struct pinned p = {
		.target = ev->target.len ? target_of(ev->target) : -1,
		.version = version_of(ev->version.revision),
		.until_ns = ev->until_ns};

	if (m->npins == PINS)
		die("scenario: more than %d pins", PINS);
	snprintf(p.selector, sizeof(p.selector), "%.*s", STR_ARG(ev->selector));
	m->pins[m->npins++] = p;
}

static bool holds(const int64_t from_ns[FREEZES],
	const int64_t until_ns[FREEZES], bool automation, int64_t wall_ns)
{
	for (int f = 0; f < FREEZES; f++)
		if ((f == FREEZE_ALL || automation) && from_ns[f] <= wall_ns &&
			until_ns[f] > wall_ns)
			return true;
	return false;
}

bool model_frozen_itself(
	const struct model *m, bool automation, int64_t wall_ns)
{
	return holds(m->from_ns, m->until_ns, automation, wall_ns);
}

bool model_frozen(const struct model *m, bool automation, int64_t wall_ns)
{
	return model_frozen_itself(m, automation, wall_ns) ||
	       holds(m->fleet.from_ns, m->fleet.until_ns, automation, wall_ns);
}

/* --- who gets what ----------------------------------------------------------
 */

int model_choose(const struct model *m, const struct agent *a, int64_t wall_ns)
{
	const struct pinned *p = model_pin(m, a, wall_ns);

	if (p && !m->quarantined[p->version])
		return p->version;
	if (p || m->candidate == NOBODY)
		return m->stable;
	if (m->all)
		return m->exposed[a->number] ? m->last_good : m->stable;
	return m->exposed[a->number] ? m->candidate : m->stable;
}

int model_back(const struct model *m)
{
	int v = m->state == CHANNEL_SUCCEEDED ? m->former : m->last_good;

	return v == NOBODY || m->quarantined[v] ? NOBODY : v;
}

/* --- lines ------------------------------------------------------------------
 */

static void withdraw(struct model *m)
{
	m->candidate = NOBODY;
	m->all = false;
	m->ring = -1;
	memset(m->exposed, 0, sizeof(m->exposed));
}

static void start(struct model *m, const struct ledger_line *l)
{
	int v = version_of(l->event.version.revision);
	bool began = str_is(l->after.state, "preflight") &&
		     str_eq(l->after.candidate, l->event.version.revision);

	if (!began) {
		m->queued = v;
		return;
	}
	if (model_active(m))
		m->stable = m->last_good;
	withdraw(m);
	m->candidate = v;
	m->quarantined[v] = false;
	if (m->queued == v)
		m->queued = NOBODY;
	m->rollout++;
	m->started = v;
	m->failed = false;
}

int ring_of(struct str name)
{
	static const char *const rings[] = {"canary", "early", "fleet"};

	for (int i = 0; i < (int)COUNT(rings); i++)
		if (str_is(name, rings[i]))
			return i;
	return -1;
}

static void expose(struct model *m, const struct channel_event *ev)
{
	m->ring = ring_of(ev->ring);
	if (ev->all) {
		memset(m->exposed, 0, sizeof(m->exposed));
		m->stable = m->candidate;
		m->all = true;
	}
	for (uint32_t i = 0; i < ev->ntargets; i++) {
		int t = target_of(ev->targets[i]);

		if (t >= 0)
			m->exposed[t] = true;
	}
}

static void succeed(struct model *m)
{
	m->former = m->last_good;
	m->last_good = m->stable = m->candidate;
	m->promoted[m->stable] = true;
	withdraw(m);
}

/* What was left is bad, what is gone back to is not; machines stand still. */
static void go_back(struct model *m, const struct ledger_line *l)
{
	const struct channel_event *ev = &l->event;
	bool named = ev->version.revision.len > 0;
	int to = named ? version_of(ev->version.revision)
		 : m->state == CHANNEL_SUCCEEDED ? m->former
						 : m->last_good;
	int left = model_active(m) ? m->candidate : m->stable;
	bool good = to == NOBODY || m->promoted[to];
	int64_t until = l->ns + 12 * HOUR;
	int64_t *freeze = &m->until_ns[FREEZE_AUTOMATION];

	if (left != to && left != NOBODY) {
		m->quarantined[left] = true;
		if (m->queued == left)
			m->queued = NOBODY;
	}
	if (to != NOBODY)
		m->quarantined[to] = false;
	withdraw(m);
	m->stable = to;
	if (good)
		m->last_good = to;
	else if (m->last_good == left)
		m->last_good = NOBODY;
	m->forced = good ? NOBODY : to;
	m->former = NOBODY;
	m->fence = l->after.generation;
	if (m->from_ns[FREEZE_AUTOMATION] > l->ns || *freeze < until) {
		m->from_ns[FREEZE_AUTOMATION] = l->ns;
		*freeze = until;
	}
}

static void freeze(const struct ledger_line *l, int64_t from_ns[FREEZES],
	int64_t until_ns[FREEZES])
{
	const struct channel_event *ev = &l->event;

	if (ev->kind == EVENT_FREEZE) {
		from_ns[ev->scope] = ev->from_ns ? ev->from_ns : l->ns;
		until_ns[ev->scope] = ev->until_ns;
		return;
	}
	for (int f = 0; f <= (int)ev->scope; f++)
		until_ns[f] = 0;
}

bool line_of_all(const struct ledger_line *l)
{
	return str_is(l->bundle, STATE_FLEET);
}

static void change_all(struct model *m, const struct ledger_line *l)
{
	freeze(l, m->fleet.from_ns, m->fleet.until_ns);
	m->fleet.generation = l->after.generation;
	snprintf(m->fleet.record, sizeof(m->fleet.record), "%.*s",
		STR_ARG(l->after.record));
}

static void change(struct model *m, const struct ledger_line *l)
{
	const struct channel_event *ev = &l->event;
	int v = version_of(ev->version.revision);
	int target = ev->target.len ? target_of(ev->target) : -1;

	switch ((int)ev->kind) {
	case EVENT_START:
		start(m, l);
		break;
	case EVENT_EXPOSE:
		expose(m, ev);
		break;
	case EVENT_CONVERGED:
		m->acked_before = m->candidate == NOBODY
					  ? 0
					  : w->versions[m->candidate].acked;
		break;
	case EVENT_REFUSE:
	case EVENT_ABORT:
		m->stable = m->last_good;
		withdraw(m);
		break;
	case EVENT_SUCCEED:
		succeed(m);
		break;
	case EVENT_ROLLBACK:
		go_back(m, l);
		break;
	case EVENT_FREEZE:
	case EVENT_UNFREEZE:
		freeze(l, m->from_ns, m->until_ns);
		break;
	case EVENT_PIN:
	case EVENT_UNPIN:
		drop_pins(m, target, ev->selector, l->ns);
		if (ev->kind == EVENT_PIN)
			add_pin(m, ev);
		break;
	case EVENT_QUARANTINE:
		m->quarantined[v] = true;
		if (m->queued == v)
			m->queued = NOBODY;
		break;
	case EVENT_PARDON:
		m->quarantined[v] = false;
		break;
	default:
		break;
	}
}

void model_apply(struct model *m, const struct ledger_line *l)
{
	enum channel_state was = m->state;

	m->seq = l->seq;
	if (line_of_all(l)) {
		change_all(m, l);
		return;
	}
	snprintf(
		m->record, sizeof(m->record), "%.*s", STR_ARG(l->after.record));
	if (l->event.kind == EVENT_PUBLISH) {
		m->published[version_of(l->event.version.revision)] = true;
		return;
	}
	change(m, l);
	drop_pins(m, -2, S(""), l->ns);
	m->state = state_of(l->after.state);
	if (m->state != was)
		m->since_ns = l->ns;
	m->generation = l->after.generation;
	if (l->event.kind == EVENT_EPOCH)
		m->epoch = l->event.epoch;
}
