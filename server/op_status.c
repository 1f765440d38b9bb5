/* How a channel stands: all that a screen needs, in one document. */
#include "server/doc.h"
#include "server/op_common.h"

#include "base/clock.h"
#include "canary/rollout.h"

#include <stdlib.h>
#include <string.h>

static void write_freezes_of(
	struct buf *out, const struct channel *c, bool everywhere, int64_t now)
{
	static const char *const scopes[FREEZES] = {"automation", "all"};

	for (size_t i = 0; i < FREEZES; i++) {
		const struct channel_freeze *f = &c->freeze[i];

		if (!f->who.len || (f->until_ns && f->until_ns <= now))
			continue;
		doc_open(out, NULL, '{');
		doc_text(out, "scope", str_from(scopes[i]));
		doc_bool(out, "everywhere", everywhere);
		doc_text(out, "who", f->who);
		doc_some(out, "reason", f->why);
		doc_time(out, "from", f->from_ns);
		doc_time(out, "until", f->until_ns);
		doc_close(out, '}');
	}
}

/* Those of the channel, if there is one, and those of all. */
static enum op_code write_freezes(struct service *s, struct op_call *call,
	const struct channel *c, struct buf *out)
{
	struct channel all;
	enum status st =
		state_fleet(service_state(s), call->a, &all, call->err);

	if (st)
		return op_code_of(st);
	doc_open(out, "freezes", '[');
	write_freezes_of(out, &all, true, call->now_ns);
	if (c)
		write_freezes_of(out, c, false, call->now_ns);
	doc_close(out, ']');
	return OP_OK;
}

static void write_pins(struct buf *out, const struct channel *c, int64_t now)
{
	doc_open(out, "pins", '[');
	for (uint32_t i = 0; i < c->npins; i++) {
		const struct channel_pin *p = &c->pins[i];

		if (p->until_ns <= now)
			continue;
		doc_open(out, NULL, '{');
		doc_some(out, "target", p->target);
		doc_some(out, "selector", p->selector);
		doc_text(out, "revision", p->version.revision);
		doc_text(out, "who", p->who);
		doc_some(out, "reason", p->why);
		doc_time(out, "until", p->until_ns);
		doc_close(out, '}');
	}
	doc_close(out, ']');
}

static void write_quarantine(struct buf *out, const struct channel *c)
{
	doc_open(out, "quarantine", '[');
	for (uint32_t i = 0; i < c->nquarantine; i++) {
		const struct channel_quarantine *q = &c->quarantine[i];

		doc_open(out, NULL, '{');
		doc_text(out, "revision", q->version.revision);
		doc_text(out, "who", q->who);
		doc_some(out, "reason", q->why);
		doc_time(out, "since", q->since_ns);
		doc_close(out, '}');
	}
	doc_close(out, ']');
}

/* --- targets -------------------------------------------------------------- */

struct by_revision {
	struct str digest;
	int64_t n;
};

static int larger(const void *a, const void *b)
{
	const struct by_revision *x = a, *y = b;

	return (y->n > x->n) - (y->n < x->n);
}

enum { RUNNING_MAX = 32 };

static void write_running(struct buf *out, const struct target *t, size_t n,
	const struct state_version *v, size_t nv)
{
	struct by_revision rows[RUNNING_MAX] = {{{0}, 0}};
	size_t nrows = 0;

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < nrows && !str_eq(rows[k].digest, t[i].active))
			k++;
		if (k == RUNNING_MAX)
			continue;
		nrows += k == nrows;
		rows[k].digest = t[i].active;
		rows[k].n++;
	}
	qsort(rows, nrows, sizeof(*rows), larger);
	doc_open(out, "running", '[');
	for (size_t k = 0; k < nrows; k++) {
		doc_open(out, NULL, '{');
		doc_text(out, "revision",
			rows[k].digest.len ? op_revision(v, nv, rows[k].digest)
					   : S("none"));
		doc_int(out, "targets", rows[k].n);
		doc_close(out, '}');
	}
	doc_close(out, ']');
}

static void write_stragglers(struct buf *out, const struct target *t, size_t n,
	const enum target_place *places, const struct state_version *v,
	size_t nv)
{
	enum { NAMED = 100 };
	size_t named = 0;

	doc_open(out, "stragglers", '[');
	for (size_t i = 0; i < n && named < NAMED; i++) {
		if (places[i] == PLACE_THERE)
			continue;
		named++;
		doc_open(out, NULL, '{');
		doc_text(out, "target", t[i].id);
		doc_text(out, "place", str_from(target_place_name(places[i])));
		doc_text(out, "runs", op_revision(v, nv, t[i].active));
		doc_time(out, "last_poll", t[i].last_poll_ns);
		doc_some(out, "error", t[i].error);
		doc_close(out, '}');
	}
	doc_close(out, ']');
}

static enum op_code write_targets(struct service *s, struct op_call *call,
	const struct channel *c, struct buf *out)
{
	struct channel_rules rules;
	struct target *t;
	struct state_version *v;
	enum target_place *places;
	struct convergence at;
	size_t n, nv;
	enum op_code code = op_fleet(s, call, c->bundle, &t, &n);

	if (code)
		return code;
	code = op_code_of(state_versions(
		service_state(s), c->bundle, call->a, &v, &nv, call->err));
	if (code)
		return code;
	places = ARENA_ARRAY(call->a, enum target_place, n);
	channel_rules(c, call->a, &rules);
	at = target_converge(c, &rules, t, n, call->now_ns, places);
	doc_open(out, "targets", '{');
	doc_int(out, "total", at.targets);
	for (size_t i = 0; i < PLACES; i++)
		doc_int(out, target_place_name((enum target_place)i), at.at[i]);
	write_running(out, t, n, v, nv);
	write_stragglers(out, t, n, places, v, nv);
	doc_close(out, '}');
	doc_open(out, "newer", '[');
	for (size_t i = 0; i < nv && i < 20; i++) {
		if (str_eq(v[i].v.revision, c->stable.revision))
			break;
		if (!channel_quarantined(c, v[i].v.revision) &&
			!str_eq(v[i].v.revision, c->candidate.revision))
			doc_text(out, NULL, v[i].v.revision);
	}
	doc_close(out, ']');
	return OP_OK;
}

/* --- the rollout ---------------------------------------------------------- */

/* A ring that adds nobody is passed over, so it is found by name. */
static size_t ring_now(const struct rollout_plan *p, struct str name)
{
	size_t i = 0;

	while (i < p->config.rollout.nrings &&
		!str_is(name, p->config.rollout.rings[i].name))
		i++;
	return name.len ? i : SIZE_MAX;
}

static void write_plan(
	struct buf *out, const struct rollout_record *r, struct str ring)
{
	struct rollout_plan p;
	struct err ignored;
	size_t now;

	if (rollout_plan_parse(&p, r->release, &ignored))
		return;
	now = ring_now(&p, ring);
	doc_open(out, "rings", '[');
	for (size_t i = 0; i < p.config.rollout.nrings; i++) {
		const struct config_ring *x = &p.config.rollout.rings[i];
		char percent[32];

		doc_open(out, NULL, '{');
		doc_text(out, "name", str_from(x->name));
		if (x->select)
			doc_text(out, "select", str_from(x->select));
		if (x->percent > 0) {
			snprintf(percent, sizeof(percent), "%g", x->percent);
			doc_json(out, "percent", str_from(percent));
		}
		doc_text(out, "is",
			now == SIZE_MAX || i > now ? S("next")
			: i < now                  ? S("done")
						   : S("now"));
		doc_close(out, '}');
	}
	doc_close(out, ']');
	doc_int(out, "approvers", p.config.rollout.approvers);
	doc_int(out, "bake_min_s", p.config.rollout.bake_min_ns / NS_PER_S);
	doc_int(out, "bake_max_s", p.config.rollout.bake_max_ns / NS_PER_S);
	doc_int(out, "bake_fleet_s", p.config.rollout.bake_fleet_ns / NS_PER_S);
	rollout_plan_release(&p);
}

static void write_rollout(struct service *s, struct op_call *call,
	const struct channel *c, struct buf *out)
{
	struct rollout_record r;
	struct str verdict = {0};
	int64_t number;
	struct err ignored;

	if (!c->rollout || rollout_read(service_state(s), c->bundle, c->rollout,
				   call->a, &r, &ignored))
		return;
	doc_open(out, "rollout", '{');
	doc_int(out, "number", c->rollout);
	doc_text(out, "version", r.version);
	doc_text(out, "who", r.who);
	doc_some(out, "reason", r.why);
	doc_time(out, "started", r.started_ns);
	doc_int(out, "ring", c->ring);
	doc_some(out, "ring_name", c->ring_name);
	doc_bool(out, "all", c->all);
	doc_int(out, c->all ? "held_back" : "exposed", c->ntargets);
	doc_some(out, "waiting", r.waiting);
	doc_time(out, "judged", r.beat_ns);
	write_plan(out, &r, c->ring_name);
	op_steps(out, &r);
	doc_close(out, '}');
	if (!rollout_verdict(service_state(s), c->bundle, c->rollout, 0,
		    call->a, &verdict, &number, &ignored))
		doc_json(out, "verdict", verdict);
}

/* --- what somebody must do ------------------------------------------------ */

static void write_act(struct buf *out, const struct channel *c)
{
	const char *command = NULL, *why = NULL;

	if (c->state == CHANNEL_HOLD) {
		why = "the rollout is on hold and goes on when somebody says "
		      "so";
		command = "regatta promote, regatta extend, or regatta abort";
	} else if (channel_busy(c->state)) {
		return;
	} else if (c->freeze[FREEZE_AUTOMATION].who.len &&
		   c->state == CHANNEL_ROLLED_BACK) {
		why = "a version was rolled back, and nothing starts by itself "
		      "until somebody looked";
		command = "regatta unfreeze";
	}
	if (!why)
		return;
	doc_open(out, "act", '{');
	doc_text(out, "why", str_from(why));
	doc_text(out, "command", str_from(command));
	doc_close(out, '}');
}

/* The last change, in its author's words. */
static void write_last(struct service *s, struct op_call *call,
	const struct channel *c, struct buf *out)
{
	struct ledger_line *lines;
	struct err ignored;
	size_t n;

	if (ledger_newest(service_state(s), c->bundle, 1, call->a, &lines, &n,
		    &ignored) ||
		!n)
		return;
	doc_open(out, "last", '{');
	doc_text(out, "event",
		str_from(channel_event_name(lines[0].event.kind)));
	doc_text(out, "who", lines[0].event.who);
	doc_some(out, "reason", lines[0].event.why);
	doc_text(out, "time", lines[0].time);
	doc_close(out, '}');
}

static enum op_code write_channel(struct service *s, struct op_call *call,
	const struct channel *c, struct buf *out)
{
	enum op_code code;

	doc_text(out, "bundle", c->bundle);
	doc_time(out, "time", call->now_ns);
	doc_int(out, "generation", c->generation);
	doc_text(out, "state", str_from(channel_state_name(c->state)));
	doc_time(out, "since", c->since_ns);
	doc_some(out, "hold", c->hold);
	op_version_object(out, "stable", &c->stable);
	op_version_object(out, "candidate", &c->candidate);
	op_version_object(out, "last_good", &c->last_good);
	op_version_object(out, "former", &c->former);
	op_version_object(out, "queued", &c->queued);
	op_version_object(out, "bad", &c->bad);
	write_last(s, call, c, out);
	write_rollout(s, call, c, out);
	code = write_targets(s, call, c, out);
	if (!code)
		code = write_freezes(s, call, c, out);
	write_pins(out, c, call->now_ns);
	write_quarantine(out, c);
	write_act(out, c);
	return code;
}

static enum op_code status(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct channel ch;
	enum op_code code = op_bundle(s, c, &ch);

	if (code)
		return code;
	doc_begin(out, "status");
	code = write_channel(s, c, &ch, out);
	doc_close(out, '}');
	return code;
}

static const struct op_param status_params[] = {OP_PARAM_BUNDLE};

const struct op op_status = {
	.name = "status",
	.method = "GET",
	.pattern = "/v1/status",
	.roles = OP_READERS,
	.summary = "Say what runs where, how its rollout goes, and what it "
		   "waits for",
	.params = status_params,
	.nparams = COUNT(status_params),
	.state = true,
	.run = status,
};

/* --- all channels --------------------------------------------------------- */

static enum op_code channels(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct channel *all;
	size_t n;
	enum op_code code;
	enum status st =
		state_channels(service_state(s), c->a, &all, &n, c->err);

	if (st)
		return op_code_of(st);
	doc_begin(out, "channels");
	doc_open(out, "channels", '[');
	for (size_t i = 0; i < n; i++) {
		doc_open(out, NULL, '{');
		doc_text(out, "bundle", all[i].bundle);
		doc_int(out, "generation", all[i].generation);
		doc_text(out, "state",
			str_from(channel_state_name(all[i].state)));
		doc_time(out, "since", all[i].since_ns);
		op_version_object(out, "stable", &all[i].stable);
		op_version_object(out, "candidate", &all[i].candidate);
		doc_close(out, '}');
	}
	doc_close(out, ']');
	code = write_freezes(s, c, NULL, out);
	doc_close(out, '}');
	return code;
}

const struct op op_channels = {
	.name = "channels",
	.method = "GET",
	.pattern = "/v1/channels",
	.roles = OP_READERS,
	.summary = "List the bundles and what is stable of each",
	.state = true,
	.run = channels,
};
