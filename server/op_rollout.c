/* Rollouts: planned, started, promoted, held, and what was judged. */
#include "server/doc.h"
#include "server/op_common.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "canary/rollout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DAY (86400 * NS_PER_S)

/* --- what a version is rolled out by -------------------------------------- */

struct planning {
	struct service *s;
	struct op_call *call;
	struct channel ch;
	struct state_version version;
	struct buf release; /* with overrides */
	struct buf overrides;
	struct rollout_plan plan;
	struct rollout_fleet fleet;
	char hash[17];
};

static enum op_code read_release(struct planning *p, struct buf *out)
{
	struct bundle b = {0};
	enum status st =
		service_bundle(p->s, p->version.v.digest, &b, p->call->err);

	if (!st)
		buf_addstr(out, bundle_release_config(&b));
	bundle_release(&b);
	return op_code_of(st);
}

/* "bake.min=5m", any number of times. */
static enum op_code override(struct planning *p, struct str release)
{
	struct op_call *c = p->call;
	struct rollout_override *o;
	size_t n;

	if (op_overrides(c, &o, &n))
		return OP_USAGE;
	for (size_t i = 0; i < n; i++) {
		buf_addc(&p->overrides, i ? ',' : '{');
		json_quote(&p->overrides, o[i].name);
		buf_addc(&p->overrides, ':');
		json_quote(&p->overrides, o[i].value);
	}
	if (n)
		buf_addc(&p->overrides, '}');
	if (!n)
		buf_addstr(&p->release, release);
	else if (rollout_plan_override(&p->release, release, o, n, c->err))
		return OP_USAGE;
	return OP_OK;
}

/* Of all that a plan depends on but the targets' number. */
static void hash_plan(struct planning *p)
{
	unsigned char sum[DIGEST_MAX];
	struct buf text = {0}, hex = {0};

	buf_addf(&text, "%.*s\n%.*s\n%.*s\n", STR_ARG(p->ch.bundle),
		STR_ARG(p->version.v.digest), STR_ARG(p->ch.stable.digest));
	buf_addstr(&text, buf_str(&p->release));
	digest(DIGEST_SHA256, buf_str(&text), sum);
	digest_hex(&hex, sum, 8);
	memcpy(p->hash, hex.ptr, sizeof(p->hash));
	buf_release(&text);
	buf_release(&hex);
}

static enum op_code load_fleet(struct planning *p)
{
	struct target *t;
	size_t n;
	enum op_code code = op_fleet(p->s, p->call, p->ch.bundle, &t, &n);

	if (!code)
		p->fleet = (struct rollout_fleet){
			.targets = t, .n = n, .now_ns = p->call->now_ns};
	return code;
}

/* The version that is named, or else the newest. */
static enum op_code find_version(struct planning *p)
{
	struct op_call *c = p->call;
	struct str revision = op_text(c, "revision");
	struct state_version *all;
	size_t n;
	enum status st;

	if (revision.len)
		return op_code_of(state_version(service_state(p->s),
			p->ch.bundle, revision, c->a, &p->version, c->err));
	st = state_versions(
		service_state(p->s), p->ch.bundle, c->a, &all, &n, c->err);
	if (!st && !n)
		return op_fail(c, OP_MISSING, "%.*s has no version yet",
			STR_ARG(p->ch.bundle));
	if (!st)
		p->version = all[0];
	return op_code_of(st);
}

static enum op_code plan_of(
	struct service *s, struct op_call *c, struct planning *p)
{
	struct buf release = {0};
	enum op_code code;

	*p = (struct planning){.s = s, .call = c};
	code = op_bundle(s, c, &p->ch);
	if (!code)
		code = find_version(p);
	if (!code)
		code = read_release(p, &release);
	if (!code)
		code = override(p, buf_str(&release));
	if (!code && rollout_plan_parse(&p->plan, buf_str(&p->release), c->err))
		code = OP_USAGE;
	if (!code)
		code = load_fleet(p);
	hash_plan(p);
	buf_release(&release);
	return code;
}

static void planning_release(struct planning *p)
{
	rollout_plan_release(&p->plan);
	buf_release(&p->release);
	buf_release(&p->overrides);
}

/* --- plan ----------------------------------------------------------------- */

/* What was decided in the last 24 hours. */
struct traffic {
	uint64_t n, bad;
	int64_t first, last;
};

static bool add_rollup(void *user, const struct decision_rollup *r)
{
	struct traffic *t = user;

	if (!t->n)
		t->first = r->minute;
	t->last = r->minute;
	t->n += r->n;
	if (r->outcome == OUTCOME_ERROR || r->outcome == OUTCOME_UNDEFINED)
		t->bad += r->n;
	return true;
}

static double per_minute(const struct traffic *t)
{
	return t->n ? (double)t->n / ((double)(t->last - t->first) / 60e9 + 1)
		    : 0;
}

static void measure(struct planning *p, struct traffic *t)
{
	struct decisions *log;
	struct err ignored;
	int64_t now = p->call->now_ns;

	*t = (struct traffic){0};
	if (service_decisions(p->s, false, &log, &ignored))
		return;
	if (decisions_rollup(log, now - DAY, now, add_rollup, t, &ignored))
		*t = (struct traffic){0};
}

/* How long a clean bake takes to pass, if that is known and it does. */
static void write_minutes(struct buf *out, const struct planning *p,
	const struct traffic *t, const struct rollout_exposure *x)
{
	double rate = per_minute(t), share, minutes;
	double max = (double)p->plan.config.rollout.bake_max_ns / 60e9;

	if (!x->of || rate <= 0)
		return;
	share = (double)x->has / (double)x->of;
	minutes = verdict_minutes(&p->plan.verdict, rate * share,
		rate * (1 - share), (double)t->bad / (double)t->n,
		(double)p->plan.config.rollout.bake_min_ns / 60e9, max);
	if (isfinite(minutes))
		doc_int(out, "minutes", (int64_t)minutes);
	else
		doc_bool(out, "too_little_traffic", true);
}

static void write_ring(struct buf *out, const struct planning *p,
	const struct traffic *t, const struct rollout_exposure *x)
{
	enum { NAMED = 10 };
	const struct config_ring *r = &p->plan.config.rollout.rings[x->ring];

	doc_open(out, NULL, '{');
	doc_text(out, "name", str_from(r->name));
	if (r->select)
		doc_text(out, "select", str_from(r->select));
	doc_int(out, "adds",
		x->all ? x->of - x->had - x->ntargets : x->ntargets);
	doc_int(out, "has", x->has);
	doc_int(out, "of", x->of);
	if (x->all)
		doc_int(out, "held_back", x->ntargets);
	doc_bool(out, "gate", r->gate);
	write_minutes(out, p, t, x);
	doc_open(out, "targets", '[');
	for (uint32_t i = 0; !x->all && i < x->ntargets && i < NAMED; i++)
		doc_text(out, NULL, x->targets[i]);
	doc_close(out, ']');
	doc_close(out, '}');
}

/* As if this ring had been reached. */
static void reach(
	struct planning *p, struct channel *c, const struct rollout_exposure *x)
{
	struct str *all = ARENA_ARRAY(
		p->call->a, struct str, (size_t)c->ntargets + x->ntargets);

	if (c->ntargets)
		memcpy(all, c->targets, c->ntargets * sizeof(*all));
	memcpy(all + c->ntargets, x->targets, x->ntargets * sizeof(*all));
	c->targets = all;
	c->ntargets += x->ntargets;
	str_sort(all, c->ntargets);
	c->ring++;
	c->ring_name = str_from(p->plan.config.rollout.rings[x->ring].name);
	c->all = x->all;
}

static void write_rings(
	struct buf *out, struct planning *p, const struct traffic *t)
{
	struct channel c = {.bundle = p->ch.bundle,
		.stable = p->ch.stable,
		.last_good = p->ch.stable,
		.candidate = p->version.v,
		.pins = p->ch.pins,
		.npins = p->ch.npins};
	struct rollout_exposure x;
	const char *wrong = NULL;

	doc_open(out, "rings", '[');
	for (;;) {
		rollout_expose(&p->plan, &c, &p->fleet, p->call->a, &x);
		if (x.ring >= p->plan.config.rollout.nrings)
			break;
		if (!c.ring)
			wrong = rollout_bad_rings(
				&p->plan, &c, &p->fleet, &x, p->call->a);
		write_ring(out, p, t, &x);
		if (x.all)
			break;
		reach(p, &c, &x);
	}
	doc_close(out, ']');
	doc_some(out, "refused", str_from(wrong));
}

static enum op_code plan(struct service *s, struct op_call *c, struct buf *out)
{
	struct planning p;
	struct traffic t;
	struct str overlap;
	enum op_code code = plan_of(s, c, &p);

	if (!code)
		code = op_code_of(state_overlap(service_state(s), p.ch.bundle,
			c->now_ns, c->a, &overlap, c->err));
	if (!code) {
		measure(&p, &t);
		doc_begin(out, "plan");
		doc_text(out, "bundle", p.ch.bundle);
		doc_text(out, "plan", str_from(p.hash));
		op_version_object(out, "stable", &p.ch.stable);
		op_version_object(out, "version", &p.version.v);
		doc_int(out, "targets", (int64_t)p.fleet.n);
		doc_int(out, "decisions_per_minute", (int64_t)per_minute(&t));
		doc_bool(out, "first_release", !p.ch.stable.revision.len);
		doc_some(out, "overlap", overlap);
		op_inherits(s, c, &p.ch, &p.version.v, out);
		write_rings(out, &p, &t);
		doc_json(out, "release", buf_str(&p.release));
		doc_close(out, '}');
	}
	planning_release(&p);
	return code;
}

#define PARAM_REVISION                                                         \
	{                                                                      \
		"revision", PARAM_TEXT, false, "the version (the newest)"      \
	}
#define PARAM_SET                                                              \
	{                                                                      \
		"set", PARAM_LIST, false,                                      \
			"NAME=VALUE, for this rollout instead of what "        \
			"regatta.yaml says"                                    \
	}

#define PARAM_DIVERGENT                                                        \
	{                                                                      \
		"allow_divergent", PARAM_BOOL, false,                          \
			"what does not follow stable: after a rewritten "      \
			"history, or of another branch"                        \
	}
#define PARAM_OVERLAP                                                          \
	{                                                                      \
		"allow_overlap", PARAM_BOOL, false,                            \
			"while another bundle is rolled out to the same "      \
			"targets"                                              \
	}

static const struct op_param plan_params[] = {
	OP_PARAM_BUNDLE,
	PARAM_REVISION,
	PARAM_SET,
};

const struct op op_rollout_plan = {
	.name = "rollout plan",
	.method = "GET",
	.pattern = "/v1/rollouts/plan",
	.roles = OP_READERS,
	.summary = "Say what a rollout would do, ring by ring, and how long it "
		   "would take",
	.params = plan_params,
	.nparams = COUNT(plan_params),
	.state = true,
	.run = plan,
};

/*
 * Every step of a rollout has a reason, if only that none was given. Where one
 * is wanted, this is none.
 */
static struct state_change step_change(const struct op_call *c,
	const struct channel *ch, enum channel_event_kind kind)
{
	struct state_change change = op_change(c, ch, kind);
	struct channel_event *ev = &change.event;

	if (!ev->why.len && !ev->force && !ev->break_glass)
		ev->why = S("unspecified");
	return change;
}

/* --- start ---------------------------------------------------------------- */

static enum op_code busy_rule(struct op_call *c, enum channel_if_busy *out)
{
	static const char *const names[BUSY_RULES] = {
		[BUSY_REJECT] = "reject",
		[BUSY_QUEUE] = "queue",
		[BUSY_SUPERSEDE] = "supersede",
	};
	struct str s = op_text(c, "if_busy");
	bool machine = (c->roles & SERVER_CI) && !(c->roles & SERVER_RELEASE);

	*out = machine ? BUSY_QUEUE : BUSY_REJECT;
	if (!s.len)
		return OP_OK;
	for (size_t i = 0; i < BUSY_RULES; i++)
		if (str_is(s, names[i])) {
			*out = (enum channel_if_busy)i;
			return OP_OK;
		}
	return op_fail(c, OP_USAGE,
		"if_busy is \"%.*s\", must be reject, queue or supersede",
		STR_ARG(s));
}

/* Where the decisions of this rollout begin. */
static uint64_t next_event(struct service *s)
{
	struct decisions *log;
	struct decisions_counts counts = {0};
	struct err ignored;

	if (!service_decisions(s, false, &log, &ignored))
		decisions_counts(log, &counts);
	return counts.events;
}

static enum op_code check_plan_hash(struct planning *p)
{
	struct str want = op_text(p->call, "plan");

	if (!want.len || str_is(want, p->hash))
		return OP_OK;
	p->call->code = "plan";
	return op_fail(p->call, OP_CONFLICT,
		"plan %.*s is not what would be done now, which is %s: look "
		"at regatta rollout plan again",
		STR_ARG(want), p->hash);
}

static enum op_code start_with(
	struct planning *p, struct rollout_start *start, struct buf *out)
{
	struct op_call *c = p->call;
	struct state_result r = {0};
	struct channel after;
	enum status st = rollout_start(service_state(p->s), start, &r, c->err);

	if (st)
		return op_refused(c, st, r.refusal);
	st = state_channel(
		service_state(p->s), p->ch.bundle, c->a, &after, c->err);
	if (st)
		return op_code_of(st);
	doc_begin(out, "rollout");
	doc_text(out, "bundle", p->ch.bundle);
	op_result_members(out, &r);
	doc_int(out, "rollout", after.rollout);
	op_version_object(out, "version", &p->version.v);
	doc_text(out, "state", str_from(channel_state_name(after.state)));
	doc_bool(out, "queued",
		str_eq(after.queued.revision, p->version.v.revision));
	doc_text(out, "plan", str_from(p->hash));
	op_inherits(p->s, c, &p->ch, &p->version.v, out);
	doc_close(out, '}');
	return OP_OK;
}

static enum op_code start(struct service *s, struct op_call *c, struct buf *out)
{
	struct planning p;
	struct rollout_start x;
	enum channel_if_busy rule = BUSY_REJECT;
	enum op_code code = plan_of(s, c, &p);

	if (!code)
		code = busy_rule(c, &rule);
	if (!code)
		code = check_plan_hash(&p);
	if (!code) {
		x = (struct rollout_start){
			.change = step_change(c, &p.ch, EVENT_START),
			.release = buf_str(&p.release),
			.overrides = buf_str(&p.overrides),
			.plan_hash = op_text(c, "plan"),
			.from_event = next_event(s)};
		x.change.event.version = p.version.v;
		x.change.event.if_busy = rule;
		code = start_with(&p, &x, out);
	}
	planning_release(&p);
	return code;
}

static const struct op_param start_params[] = {
	OP_PARAM_BUNDLE,
	PARAM_REVISION,
	PARAM_SET,
	{"if_busy", PARAM_TEXT, false,
		"reject, queue or supersede, when one is under way (reject; "
		"for ci: queue)"},
	{"plan", PARAM_TEXT, false,
		"only if it does what this plan said, by its hash"},
	{"force", PARAM_BOOL, false, "a version in quarantine; needs a reason"},
	{"break_glass", PARAM_BOOL, false, "in a freeze; needs a reason"},
	PARAM_DIVERGENT,
	PARAM_OVERLAP,
	OP_PARAM_REASON,
	OP_PARAM_GENERATION,
};

const struct op op_rollout_start = {
	.name = "rollout start",
	.method = "POST",
	.pattern = "/v1/rollouts/start",
	.roles = SERVER_CI | SERVER_RELEASE,
	.summary = "Start to roll a version out, ring by ring",
	.params = start_params,
	.nparams = COUNT(start_params),
	.state = true,
	.run = start,
};

/* --- promote, hold, extend, abort ----------------------------------------- */

static enum op_code promote(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct rollout_promote p;
	struct rollout_promoted got;
	struct target *t;
	struct channel ch;
	size_t n;
	enum op_code code = op_bundle(s, c, &ch);
	enum status st;

	if (!code)
		code = op_fleet(s, c, ch.bundle, &t, &n);
	if (code)
		return code;
	p = (struct rollout_promote){.change = step_change(c, &ch, EVENT_NONE),
		.fleet = {.targets = t, .n = n, .now_ns = c->now_ns}};
	st = rollout_promote(service_state(s), &p, c->a, &got, c->err);
	if (st)
		return op_refused(c, st, got.state.refusal);
	doc_begin(out, "promote");
	doc_text(out, "bundle", ch.bundle);
	op_result_members(out, &got.state);
	doc_int(out, "approvals", got.approvals);
	doc_int(out, "approvals_needed", got.needed);
	doc_bool(out, "succeeded", got.succeeded);
	doc_int(out, "has", got.exposure.has);
	doc_int(out, "of", got.exposure.of);
	doc_close(out, '}');
	return got.approvals < got.needed ? OP_PENDING : OP_OK;
}

static const struct op_param promote_params[] = {
	OP_PARAM_BUNDLE,
	{"force", PARAM_BOOL, false, "without a verdict; needs a reason"},
	{"break_glass", PARAM_BOOL, false, "in a freeze; needs a reason"},
	OP_PARAM_REASON,
	OP_PARAM_GENERATION,
};

const struct op op_promote = {
	.name = "promote",
	.method = "POST",
	.pattern = "/v1/rollouts/promote",
	.roles = SERVER_RELEASE,
	.summary = "Go on to the next ring",
	.params = promote_params,
	.nparams = COUNT(promote_params),
	.state = true,
	.run = promote,
};

static enum op_code simple(struct service *s, struct op_call *c,
	enum channel_event_kind kind, const char *name, struct buf *out)
{
	struct channel ch;
	struct state_change change;
	struct state_result r;
	enum op_code code = op_bundle(s, c, &ch);

	if (code)
		return code;
	change = step_change(c, &ch, kind);
	code = op_apply(s, c, &change, &r);
	if (code)
		return code;
	doc_begin(out, name);
	doc_text(out, "bundle", ch.bundle);
	op_result_members(out, &r);
	doc_close(out, '}');
	return OP_OK;
}

static enum op_code hold(struct service *s, struct op_call *c, struct buf *out)
{
	return simple(s, c, EVENT_HOLD, "hold", out);
}

static enum op_code abort_rollout(
	struct service *s, struct op_call *c, struct buf *out)
{
	return simple(s, c, EVENT_ABORT, "abort", out);
}

static const struct op_param simple_params[] = {
	OP_PARAM_BUNDLE,
	OP_PARAM_REASON,
	OP_PARAM_GENERATION,
};

const struct op op_hold = {
	.name = "hold",
	.method = "POST",
	.pattern = "/v1/rollouts/hold",
	.roles = SERVER_RELEASE | SERVER_ONCALL,
	.summary = "Let a rollout wait until somebody says how it goes on",
	.params = simple_params,
	.nparams = COUNT(simple_params),
	.state = true,
	.run = hold,
};

const struct op op_abort = {
	.name = "abort",
	.method = "POST",
	.pattern = "/v1/rollouts/abort",
	.roles = SERVER_RELEASE | SERVER_ONCALL,
	.summary = "End a rollout: everybody gets stable again, and nothing is "
		   "quarantined",
	.params = simple_params,
	.nparams = COUNT(simple_params),
	.state = true,
	.run = abort_rollout,
};

static enum op_code extend(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct channel ch;
	struct state_change change;
	struct state_result r;
	enum op_code code = op_bundle(s, c, &ch);
	enum status st;

	if (code)
		return code;
	change = step_change(c, &ch, EVENT_RESUME);
	st = rollout_extend(service_state(s), &change,
		op_duration(c, "by", 30 * 60 * NS_PER_S), &r, c->err);
	if (st)
		return op_refused(c, st, r.refusal);
	doc_begin(out, "extend");
	doc_text(out, "bundle", ch.bundle);
	doc_bool(out, "changed", r.changed);
	doc_bool(out, "repeated", r.repeated);
	doc_close(out, '}');
	return OP_OK;
}

static const struct op_param extend_params[] = {
	OP_PARAM_BUNDLE,
	{"by", PARAM_DURATION, false, "how much longer (30m)"},
	OP_PARAM_REASON,
	OP_PARAM_GENERATION,
};

const struct op op_extend = {
	.name = "extend",
	.method = "POST",
	.pattern = "/v1/rollouts/extend",
	.roles = SERVER_RELEASE | SERVER_ONCALL,
	.summary = "Give a bake more time; what is on hold bakes again",
	.params = extend_params,
	.nparams = COUNT(extend_params),
	.state = true,
	.run = extend,
};

/* --- retry ---------------------------------------------------------------- */

static enum op_code retry(struct service *s, struct op_call *c, struct buf *out)
{
	struct planning p = {.s = s, .call = c};
	struct rollout_record last;
	struct rollout_start x;
	enum op_code code = op_bundle(s, c, &p.ch);

	if (!code && channel_busy(p.ch.state))
		code = op_fail(c, OP_CONFLICT,
			"rollout %lld is under way; promote, extend or abort "
			"it",
			(long long)p.ch.rollout);
	if (!code)
		code = op_code_of(rollout_read(service_state(s), p.ch.bundle,
			p.ch.rollout, c->a, &last, c->err));
	if (!code)
		code = op_code_of(state_version(service_state(s), p.ch.bundle,
			last.version, c->a, &p.version, c->err));
	if (!code) {
		buf_addstr(&p.release, last.release);
		hash_plan(&p);
		x = (struct rollout_start){
			.change = step_change(c, &p.ch, EVENT_START),
			.release = last.release,
			.overrides = last.overrides,
			.from_event = next_event(s)};
		x.change.event.version = p.version.v;
		code = start_with(&p, &x, out);
	}
	buf_release(&p.release);
	return code;
}

static const struct op_param retry_params[] = {
	OP_PARAM_BUNDLE,
	PARAM_DIVERGENT,
	PARAM_OVERLAP,
	{"force", PARAM_BOOL, false, "a version in quarantine; needs a reason"},
	{"break_glass", PARAM_BOOL, false, "in a freeze; needs a reason"},
	OP_PARAM_REASON,
	OP_PARAM_GENERATION,
};

const struct op op_retry = {
	.name = "retry",
	.method = "POST",
	.pattern = "/v1/rollouts/retry",
	.roles = SERVER_RELEASE,
	.summary = "Start the last rollout anew, with the same plan",
	.params = retry_params,
	.nparams = COUNT(retry_params),
	.state = true,
	.run = retry,
};

/* --- looking -------------------------------------------------------------- */

static void write_record(struct buf *out, const struct rollout_record *r)
{
	doc_int(out, "rollout", r->rollout);
	doc_text(out, "version", r->version);
	doc_text(out, "who", r->who);
	doc_some(out, "reason", r->why);
	doc_time(out, "started", r->started_ns);
	doc_bool(out, "forced", r->forced);
	doc_bool(out, "allow_divergent", r->allow_divergent);
	doc_bool(out, "allow_overlap", r->allow_overlap);
	doc_json(out, "overrides", r->overrides);
	doc_some(out, "plan", r->plan_hash);
	doc_some(out, "waiting", r->waiting);
	doc_time(out, "judged", r->beat_ns);
	op_steps(out, r);
}

/* Of the last rollout; those before have ended. */
static const char *state_of(
	const struct channel *c, const struct rollout_record *r)
{
	return r->rollout == c->rollout ? channel_state_name(c->state) : "";
}

static enum op_code list(struct service *s, struct op_call *c, struct buf *out)
{
	struct channel ch;
	struct rollout_record *all;
	size_t n;
	enum op_code code = op_bundle(s, c, &ch);
	enum status st;

	if (code)
		return code;
	st = rollout_list(service_state(s), ch.bundle,
		(size_t)op_int(c, "limit", 20), c->a, &all, &n, c->err);
	if (st)
		return op_code_of(st);
	doc_begin(out, "rollouts");
	doc_text(out, "bundle", ch.bundle);
	doc_open(out, "rollouts", '[');
	for (size_t i = 0; i < n; i++) {
		doc_open(out, NULL, '{');
		write_record(out, &all[i]);
		doc_some(out, "state", str_from(state_of(&ch, &all[i])));
		doc_close(out, '}');
	}
	doc_close(out, ']');
	doc_close(out, '}');
	return OP_OK;
}

static const struct op_param list_params[] = {
	OP_PARAM_BUNDLE,
	{"limit", PARAM_INT, false, "at most so many, the newest (20)"},
};

const struct op op_rollout_list = {
	.name = "rollout list",
	.method = "GET",
	.pattern = "/v1/rollouts",
	.roles = OP_READERS,
	.summary = "List rollouts, the newest first",
	.params = list_params,
	.nparams = COUNT(list_params),
	.state = true,
	.run = list,
};

static enum op_code show(struct service *s, struct op_call *c, struct buf *out)
{
	struct channel ch;
	struct rollout_record r;
	struct str verdict = {0};
	struct err ignored;
	int64_t number;
	enum op_code code = op_bundle(s, c, &ch);

	if (!code)
		code = op_code_of(rollout_read(service_state(s), ch.bundle,
			op_int(c, "rollout", ch.rollout), c->a, &r, c->err));
	if (code)
		return code;
	doc_begin(out, "rollout");
	doc_text(out, "bundle", ch.bundle);
	write_record(out, &r);
	doc_some(out, "state", str_from(state_of(&ch, &r)));
	doc_json(out, "release", r.release);
	if (!rollout_verdict(service_state(s), ch.bundle, r.rollout, 0, c->a,
		    &verdict, &number, &ignored))
		doc_json(out, "verdict", verdict);
	doc_close(out, '}');
	return OP_OK;
}

static const struct op_param show_params[] = {
	OP_PARAM_BUNDLE,
	{"rollout", PARAM_INT, false, "its number (the last one)"},
};

const struct op op_rollout_show = {
	.name = "rollout show",
	.method = "GET",
	.pattern = "/v1/rollouts/show",
	.roles = OP_READERS,
	.summary = "Show one rollout with its plan and its last verdict",
	.params = show_params,
	.nparams = COUNT(show_params),
	.state = true,
	.run = show,
};
