/* What people do with a channel: back, freeze, pin; and its ledger. */
#include "server/doc.h"
#include "server/op_common.h"

#include "base/clock.h"
#include "base/json.h"
#include "canary/rollout.h"

#include <string.h>

#define HOUR (3600 * NS_PER_S)
/* As long as the one that a rollback leaves behind. */
#define FREEZE_HOURS (12 * HOUR)

enum { TRIES = 10 };

static int64_t generation_now(
	struct service *s, struct op_call *c, struct str bundle)
{
	struct channel ch = {0};
	bool fleet = str_is(bundle, STATE_FLEET);
	enum status st =
		fleet ? state_fleet(service_state(s), c->a, &ch, c->err)
		      : state_channel(
				service_state(s), bundle, c->a, &ch, c->err);

	return st ? 0 : ch.generation;
}

/*
 * Who named no generation means the channel as it is. The engine may have moved
 * it since it was read: then once more, but not after a rollback.
 */
static enum op_code apply_now(struct service *s, struct op_call *c,
	const struct state_change *change, struct state_result *r)
{
	struct state_change own = *change;
	enum op_code code;

	for (int i = 0; i < TRIES; i++) {
		code = op_apply(s, c, &own, r);
		if (!code || r->refusal != REFUSED_GENERATION ||
			op_given(c, "generation"))
			break;
		own.event.expect = generation_now(s, c, own.bundle);
	}
	return code;
}

static enum op_code apply(struct service *s, struct op_call *c,
	const struct state_change *change, const char *kind, struct buf *out)
{
	struct state_result r = {0};
	enum op_code code = apply_now(s, c, change, &r);

	if (code)
		return code;
	doc_begin(out, kind);
	doc_text(out, "bundle", change->bundle);
	op_result_members(out, &r);
	doc_close(out, '}');
	return OP_OK;
}

/* --- rollback ------------------------------------------------------------- */

/* The labels of a ring, as the rollout's plan has it. */
static enum op_code ring_selector(struct service *s, struct op_call *c,
	const struct channel *ch, struct str *out)
{
	struct str name = op_text(c, "ring");
	struct rollout_record r = {0};
	struct rollout_plan p;
	struct err ignored;
	enum op_code code = OP_MISSING;

	/* Without a record: the rings that everybody has. */
	if (rollout_read(service_state(s), ch->bundle, ch->rollout, c->a, &r,
		    &ignored))
		r.release = S("");
	if (rollout_plan_parse(&p, r.release, c->err))
		return OP_ERROR;
	for (size_t i = 0; code && i < p.config.rollout.nrings; i++) {
		const struct config_ring *x = &p.config.rollout.rings[i];

		if (!str_is(name, x->name))
			continue;
		if (!x->select) {
			code = OP_USAGE;
			op_fail(c, code,
				"ring %s is a percentage, not labels: name "
				"targets with --target, or roll back all",
				x->name);
			break;
		}
		*out = str_from(arena_strdup(c->a, str_from(x->select)));
		code = OP_OK;
	}
	if (code == OP_MISSING)
		op_fail(c, code, "there is no ring %.*s", STR_ARG(name));
	rollout_plan_release(&p);
	return code;
}

static void write_rollback(struct buf *out, const struct rollback_result *r,
	struct str selector, bool dry_run)
{
	doc_begin(out, "rollback");
	doc_text(out, "bundle", r->bundle);
	doc_bool(out, "dry_run", dry_run);
	doc_some(out, "selector", selector);
	op_result_members(out, &r->state);
	op_version_object(out, "from", &r->from);
	op_version_object(out, "to", &r->to);
	if (r->counted) {
		doc_int(out, "targets", r->targets);
		doc_int(out, "affected", r->affected);
		if (r->within_ns)
			doc_int(out, "within_s",
				(r->within_ns + NS_PER_S - 1) / NS_PER_S);
	}
	doc_close(out, '}');
}

/* A name that was mistyped would get a pin, and nobody would be back. */
static enum op_code check_target(
	struct service *s, struct op_call *c, const struct rollback *r)
{
	struct rollback_result res;
	enum status st =
		state_rollback(service_state(s), r, true, c->a, &res, c->err);

	if (st)
		return op_refused(c, st, res.state.refusal);
	return op_target_known(s, c, res.bundle, r->target);
}

static enum op_code rollback(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct rollback r = {.bundle = op_text(c, "bundle"),
		.to = op_text(c, "to"),
		.target = op_text(c, "target"),
		.pin_ns = op_duration(c, "for", 0),
		.force = op_bool(c, "force"),
		.who = c->who,
		.why = op_text(c, "reason"),
		.key = c->key,
		.roles = op_channel_roles(c),
		.now_ns = c->now_ns};
	bool dry_run = op_bool(c, "dry_run");
	struct rollback_result res;
	struct channel ch;
	enum op_code code = OP_OK;
	enum status st;

	if (op_given(c, "ring")) {
		code = op_bundle(s, c, &ch);
		if (!code)
			code = ring_selector(s, c, &ch, &r.selector);
		if (code)
			return code;
		r.bundle = ch.bundle;
	}
	if (r.target.len)
		code = check_target(s, c, &r);
	if (code)
		return code;
	st = state_rollback(service_state(s), &r, dry_run, c->a, &res, c->err);
	if (st)
		return op_refused(c, st, res.state.refusal);
	write_rollback(out, &res, r.selector, dry_run);
	return OP_OK;
}

static const struct op_param rollback_params[] = {
	OP_PARAM_BUNDLE,
	{"to", PARAM_TEXT, false, "a revision (the last good one)"},
	{"ring", PARAM_TEXT, false,
		"only targets with the labels of this ring"},
	{"target", PARAM_TEXT, false, "only this target"},
	{"for", PARAM_DURATION, false,
		"how long a part of the fleet is held back (24h)"},
	{"force", PARAM_BOOL, false, "to a version that never was good"},
	{"dry_run", PARAM_BOOL, false, "say what would be done"},
	OP_PARAM_REASON,
};

const struct op op_rollback = {
	.name = "rollback",
	.method = "POST",
	.pattern = "/v1/rollback",
	.roles = SERVER_ONCALL | SERVER_RELEASE,
	.summary = "Go back to the last good version, quarantine the bad one "
		   "and freeze automation",
	.params = rollback_params,
	.nparams = COUNT(rollback_params),
	.state = true,
	.run = rollback,
};

/* --- freeze --------------------------------------------------------------- */

static enum channel_freeze_scope scope_of(const struct op_call *c)
{
	return str_is(op_text(c, "scope"), "automation") ? FREEZE_AUTOMATION
							 : FREEZE_ALL;
}

static enum op_code check_scope(struct op_call *c)
{
	struct str s = op_text(c, "scope");

	if (!s.len || str_is(s, "all") || str_is(s, "automation"))
		return OP_OK;
	return op_fail(c, OP_USAGE,
		"scope is \"%.*s\", must be all or automation", STR_ARG(s));
}

/* What is to be frozen: a channel, or the record that stops all of them. */
static enum op_code freezable(
	struct service *s, struct op_call *c, struct channel *out)
{
	if (!op_bool(c, "all"))
		return op_bundle(s, c, out);
	if (op_given(c, "bundle"))
		return op_fail(c, OP_USAGE,
			"all channels, or the one of a bundle: all and bundle "
			"can't both be given");
	return op_code_of(state_fleet(service_state(s), c->a, out, c->err));
}

static enum op_code freeze(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct channel ch;
	struct state_change change;
	enum op_code code = freezable(s, c, &ch);

	if (!code)
		code = check_scope(c);
	if (code)
		return code;
	change = op_change(c, &ch, EVENT_FREEZE);
	change.event.scope = scope_of(c);
	change.event.from_ns = op_time(c, "from", c->now_ns);
	change.event.until_ns = op_time(c, "until", 0);
	if (!op_given(c, "until"))
		change.event.until_ns = change.event.from_ns +
					op_duration(c, "for", FREEZE_HOURS);
	return apply(s, c, &change, "freeze", out);
}

static enum op_code unfreeze(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct channel ch;
	struct state_change change;
	enum op_code code = freezable(s, c, &ch);

	if (!code)
		code = check_scope(c);
	if (code)
		return code;
	change = op_change(c, &ch, EVENT_UNFREEZE);
	change.event.scope = scope_of(c);
	if (!op_given(c, "scope") && !ch.freeze[FREEZE_ALL].who.len)
		change.event.scope = FREEZE_AUTOMATION;
	return apply(s, c, &change, "unfreeze", out);
}

static const struct op_param freeze_params[] = {
	OP_PARAM_BUNDLE,
	{"all", PARAM_BOOL, false, "the channels of all bundles"},
	{"scope", PARAM_TEXT, false, "all or automation (all)"},
	{"from", PARAM_TIME, false, "when it begins (now)"},
	{"until", PARAM_TIME, false, "when it ends"},
	{"for", PARAM_DURATION, false, "or how long (12h)"},
	OP_PARAM_REASON,
	OP_PARAM_GENERATION,
};
static const struct op_param unfreeze_params[] = {
	OP_PARAM_BUNDLE,
	{"all", PARAM_BOOL, false, "what stops the channels of all bundles"},
	{"scope", PARAM_TEXT, false, "all or automation (what is frozen)"},
	OP_PARAM_REASON,
	OP_PARAM_GENERATION,
};

const struct op op_freeze = {
	.name = "freeze",
	.method = "POST",
	.pattern = "/v1/freeze",
	.roles = SERVER_ONCALL | SERVER_RELEASE,
	.summary = "Let nothing advance; rollbacks work always",
	.params = freeze_params,
	.nparams = COUNT(freeze_params),
	.state = true,
	.run = freeze,
};

const struct op op_unfreeze = {
	.name = "unfreeze",
	.method = "POST",
	.pattern = "/v1/unfreeze",
	.roles = SERVER_RELEASE,
	.summary = "End a freeze",
	.params = unfreeze_params,
	.nparams = COUNT(unfreeze_params),
	.state = true,
	.run = unfreeze,
};

/* --- pins ----------------------------------------------------------------- */

static enum op_code pin_change(struct service *s, struct op_call *c,
	enum channel_event_kind kind, struct buf *out)
{
	struct channel ch;
	struct state_change change;
	enum op_code code = op_bundle(s, c, &ch);

	if (code)
		return code;
	if (kind == EVENT_PIN && op_given(c, "target") && !op_bool(c, "unseen"))
		code = op_target_known(s, c, ch.bundle, op_text(c, "target"));
	if (code)
		return code;
	change = op_change(c, &ch, kind);
	change.event.target = op_text(c, "target");
	change.event.selector = op_text(c, "selector");
	if (kind == EVENT_PIN)
		change.event.until_ns =
			c->now_ns + op_duration(c, "for", 24 * HOUR);
	return apply(s, c, &change, kind == EVENT_PIN ? "pin" : "unpin", out);
}

static enum op_code pin(struct service *s, struct op_call *c, struct buf *out)
{
	return pin_change(s, c, EVENT_PIN, out);
}

static enum op_code unpin(struct service *s, struct op_call *c, struct buf *out)
{
	return pin_change(s, c, EVENT_UNPIN, out);
}

static const struct op_param pin_params[] = {
	OP_PARAM_BUNDLE,
	{"target", PARAM_TEXT, false, "a target's id"},
	{"selector", PARAM_TEXT, false, "or labels, as region=eu"},
	{"revision", PARAM_TEXT, true, "what it should run"},
	{"for", PARAM_DURATION, false, "how long (24h)"},
	{"unseen", PARAM_BOOL, false, "a target that never polled, too"},
	OP_PARAM_REASON,
	OP_PARAM_GENERATION,
};
static const struct op_param unpin_params[] = {
	OP_PARAM_BUNDLE,
	{"target", PARAM_TEXT, false, "a target's id"},
	{"selector", PARAM_TEXT, false, "or labels, as they were pinned"},
	OP_PARAM_REASON,
	OP_PARAM_GENERATION,
};

const struct op op_pin = {
	.name = "pin",
	.method = "POST",
	.pattern = "/v1/pin",
	.roles = SERVER_ONCALL | SERVER_RELEASE,
	.summary = "Hold targets on a version for some time",
	.params = pin_params,
	.nparams = COUNT(pin_params),
	.state = true,
	.run = pin,
};

const struct op op_unpin = {
	.name = "unpin",
	.method = "POST",
	.pattern = "/v1/unpin",
	.roles = SERVER_ONCALL | SERVER_RELEASE,
	.summary = "End a pin",
	.params = unpin_params,
	.nparams = COUNT(unpin_params),
	.state = true,
	.run = unpin,
};

/* --- quarantine ----------------------------------------------------------- */

static enum op_code quarantine_change(struct service *s, struct op_call *c,
	enum channel_event_kind kind, struct buf *out)
{
	struct channel ch;
	struct state_change change;
	enum op_code code = op_bundle(s, c, &ch);

	if (code)
		return code;
	change = op_change(c, &ch, kind);
	return apply(s, c, &change, channel_event_name(kind), out);
}

static enum op_code quarantine(
	struct service *s, struct op_call *c, struct buf *out)
{
	return quarantine_change(s, c, EVENT_QUARANTINE, out);
}

static enum op_code pardon(
	struct service *s, struct op_call *c, struct buf *out)
{
	return quarantine_change(s, c, EVENT_PARDON, out);
}

static const struct op_param quarantine_params[] = {
	OP_PARAM_BUNDLE,
	{"revision", PARAM_TEXT, true, "the version"},
	OP_PARAM_REASON,
	OP_PARAM_GENERATION,
};

const struct op op_quarantine = {
	.name = "quarantine",
	.method = "POST",
	.pattern = "/v1/quarantine",
	.roles = SERVER_ONCALL | SERVER_RELEASE,
	.summary = "Let nobody get a version any more",
	.params = quarantine_params,
	.nparams = COUNT(quarantine_params),
	.state = true,
	.run = quarantine,
};

const struct op op_pardon = {
	.name = "pardon",
	.method = "POST",
	.pattern = "/v1/pardon",
	.roles = SERVER_RELEASE,
	.summary = "Take a version out of quarantine",
	.params = quarantine_params,
	.nparams = COUNT(quarantine_params),
	.state = true,
	.run = pardon,
};

/* --- the ledger ----------------------------------------------------------- */

static void write_side(
	struct buf *out, const char *name, const struct ledger_side *x)
{
	doc_open(out, name, '{');
	doc_int(out, "generation", x->generation);
	doc_some(out, "stable", x->stable);
	doc_some(out, "candidate", x->candidate);
	doc_some(out, "state", x->state);
	doc_close(out, '}');
}

static void write_line(struct buf *out, const struct ledger_line *l)
{
	const struct channel_event *ev = &l->event;

	doc_open(out, NULL, '{');
	doc_int(out, "seq", l->seq);
	doc_text(out, "time", l->time);
	doc_text(out, "bundle", l->bundle);
	doc_text(out, "event", str_from(channel_event_name(ev->kind)));
	doc_text(out, "who", ev->who);
	doc_some(out, "reason", ev->why);
	doc_some(out, "revision", ev->version.revision);
	doc_some(out, "ring", ev->ring);
	doc_some(out, "target", ev->target);
	doc_some(out, "selector", ev->selector);
	doc_json(out, "evidence", ev->evidence);
	write_side(out, "before", &l->before);
	write_side(out, "after", &l->after);
	doc_close(out, '}');
}

static enum op_code history(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct ledger_line *lines;
	size_t n, max = (size_t)op_int(c, "limit", 20);
	enum op_code code = OP_OK;
	struct channel ch;
	enum status st;

	if (op_given(c, "bundle"))
		code = op_bundle(s, c, &ch);
	if (code)
		return code;
	if (op_given(c, "after"))
		st = ledger_lines(service_state(s), op_text(c, "bundle"),
			op_int(c, "after", 0), max, c->a, &lines, &n, c->err);
	else
		st = ledger_newest(service_state(s), op_text(c, "bundle"), max,
			c->a, &lines, &n, c->err);
	if (st)
		return op_code_of(st);
	doc_begin(out, "history");
	doc_open(out, "lines", '[');
	for (size_t i = 0; i < n; i++)
		write_line(out, &lines[i]);
	doc_close(out, ']');
	doc_close(out, '}');
	return OP_OK;
}

static const struct op_param history_params[] = {
	{"bundle", PARAM_TEXT, false, "only of this bundle"},
	{"limit", PARAM_INT, false, "at most so many lines (20)"},
	{"after", PARAM_INT, false,
		"oldest first, from behind this line; else the newest first"},
};

const struct op op_history = {
	.name = "history",
	.method = "GET",
	.pattern = "/v1/history",
	.roles = OP_READERS,
	.summary = "Say who changed what, when and why",
	.params = history_params,
	.nparams = COUNT(history_params),
	.state = true,
	.run = history,
};

static bool read_head(struct op_call *c, struct ledger_head *head)
{
	struct str text = op_text(c, "known");
	size_t colon = str_find(text, S(":"), 0);

	if (colon >= text.len || text.len - colon - 1 != 64 ||
		!json_int(str_slice(text, 0, colon), &head->seq))
		return false;
	memcpy(head->hash, text.ptr + colon + 1, 64);
	head->hash[64] = '\0';
	return true;
}

/* Nothing of a ledger that is not what it should be is for another try. */
static enum op_code bad_ledger(
	struct op_call *c, enum status st, const struct ledger_report *r)
{
	c->code = "ledger";
	return st == E_INVALID || r->bad ? OP_INTEGRITY : op_code_of(st);
}

static enum op_code check_ledger(struct service *s, struct op_call *c,
	const struct ledger_head *known, struct ledger_report *r)
{
	struct sign_key *key = NULL;
	enum status st = OK;

	if (op_given(c, "public_key") &&
		sign_key_parse_public(&key, op_text(c, "public_key"), ALG_ES256,
			"ledger", c->err)) {
		err_wrap(c->err, "public_key");
		return OP_USAGE;
	}
	st = ledger_verify(service_state(s), key, known, r, c->err);
	if (!st && key && r->signed_until < r->lines)
		st = err_set(c->err, E_INVALID,
			"ledger lines %lld to %lld have no signature",
			(long long)r->signed_until + 1, (long long)r->lines);
	sign_key_free(key);
	return st ? bad_ledger(c, st, r) : OP_OK;
}

static enum op_code audit_verify(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct ledger_head known;
	struct ledger_report r = {0};
	bool has = op_given(c, "known");
	enum op_code code;

	if (has && !read_head(c, &known))
		return op_fail(c, OP_USAGE,
			"known is \"%.*s\", must be LINE:HASH as audit verify "
			"prints it",
			STR_ARG(op_text(c, "known")));
	code = check_ledger(s, c, has ? &known : NULL, &r);
	if (code)
		return code;
	doc_begin(out, "audit");
	doc_int(out, "lines", r.lines);
	doc_int(out, "signed_until", r.signed_until);
	doc_text(out, "head",
		str_from(arena_printf(
			c->a, "%lld:%s", (long long)r.head.seq, r.head.hash)));
	doc_close(out, '}');
	return OP_OK;
}

static const struct op_param audit_params[] = {
	{"known", PARAM_TEXT, false,
		"a head that was kept elsewhere, LINE:HASH"},
	{"public_key", PARAM_TEXT, false,
		"the ledger's public key, kept elsewhere: all must be signed "
		"with it"},
};

const struct op op_audit_verify = {
	.name = "audit verify",
	.method = "GET",
	.pattern = "/v1/audit",
	.roles = OP_READERS,
	.summary = "Recompute the whole ledger and compare",
	.params = audit_params,
	.nparams = COUNT(audit_params),
	.state = true,
	.run = audit_verify,
};

static enum op_code audit_export(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct buf lines = {0};
	struct str rest;
	enum status st = ledger_export(service_state(s), &lines, c->err);

	rest = buf_str(&lines);
	if (!st) {
		doc_begin(out, "ledger");
		doc_open(out, "lines", '[');
		while (rest.len)
			doc_json(out, NULL, str_take(&rest, S("\n")));
		doc_close(out, ']');
		doc_close(out, '}');
	}
	buf_release(&lines);
	return op_code_of(st);
}

const struct op op_audit_export = {
	.name = "audit export",
	.method = "GET",
	.pattern = "/v1/audit/ledger",
	.roles = OP_READERS,
	.summary = "Give the ledger with its hashes and signatures, to be "
		   "checked elsewhere",
	.state = true,
	.run = audit_export,
};
