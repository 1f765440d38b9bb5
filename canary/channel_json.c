/* The record and its events as canonical JSON. */
#include "base/digest.h"
#include "canary/channel_json.h"

#include <string.h>

/* clang-format off */
static const char *const states[CHANNEL_STATES] = {
	[CHANNEL_IDLE]         = "idle",
	[CHANNEL_PREFLIGHT]    = "preflight",
	[CHANNEL_DISTRIBUTING] = "distributing",
	[CHANNEL_BAKING]       = "baking",
	[CHANNEL_HOLD]         = "hold",
	[CHANNEL_FLEET_BAKE]   = "fleet-bake",
	[CHANNEL_ROLLING_BACK] = "rolling-back",
	[CHANNEL_SUCCEEDED]    = "succeeded",
	[CHANNEL_ROLLED_BACK]  = "rolled-back",
	[CHANNEL_ABORTED]      = "aborted",
	[CHANNEL_REFUSED]      = "refused",
};
static const char *const events[EVENTS] = {
	[EVENT_NONE]       = "none",
	[EVENT_PUBLISH]    = "publish",
	[EVENT_START]      = "start",
	[EVENT_REFUSE]     = "refuse",
	[EVENT_EXPOSE]     = "expose",
	[EVENT_CONVERGED]  = "converged",
	[EVENT_HOLD]       = "hold",
	[EVENT_RESUME]     = "resume",
	[EVENT_APPROVE]    = "approve",
	[EVENT_SUCCEED]    = "succeed",
	[EVENT_ABORT]      = "abort",
	[EVENT_ROLLBACK]   = "rollback",
	[EVENT_FREEZE]     = "freeze",
	[EVENT_UNFREEZE]   = "unfreeze",
	[EVENT_PIN]        = "pin",
	[EVENT_UNPIN]      = "unpin",
	[EVENT_QUARANTINE] = "quarantine",
	[EVENT_PARDON]     = "pardon",
	[EVENT_EPOCH]      = "epoch",
};
static const char *const relations[RELATIONS] = {
	"unknown", "ahead", "stale", "divergent",
};
static const char *const knowns[KNOWNS] = {"new", "same", "other"};
static const char *const rules[BUSY_RULES] = {"reject", "queue", "supersede"};
static const char *const scopes[FREEZES] = {"automation", "all"};

static const struct shape_field version_fields[] = {
	F_STR(channel_version, "revision", revision),
	F_STR(channel_version, "digest", digest),
	F_STR(channel_version, "commit", commit),
	F_INT(channel_version, "commit_time", commit_time),
	F_INT(channel_version, "order", order),
};
static const struct shape version_shape = SHAPE(channel_version, version_fields);

static const struct shape_field freeze_fields[] = {
	F_STR(channel_freeze, "who", who),
	F_STR(channel_freeze, "why", why),
	F_INT(channel_freeze, "from_ns", from_ns),
	F_INT(channel_freeze, "until_ns", until_ns),
};
static const struct shape freeze_shape = SHAPE(channel_freeze, freeze_fields);

static const struct shape_field pin_fields[] = {
	F_STR(channel_pin, "target", target),
	F_STR(channel_pin, "selector", selector),
	F_OBJ(channel_pin, "version", version, version_shape),
	F_STR(channel_pin, "who", who),
	F_STR(channel_pin, "why", why),
	F_INT(channel_pin, "until_ns", until_ns),
};
static const struct shape pin_shape = SHAPE(channel_pin, pin_fields);

static const struct shape_field quarantine_fields[] = {
	F_OBJ(channel_quarantine, "version", version, version_shape),
	F_STR(channel_quarantine, "who", who),
	F_STR(channel_quarantine, "why", why),
	F_INT(channel_quarantine, "since_ns", since_ns),
};
static const struct shape quarantine_shape =
	SHAPE(channel_quarantine, quarantine_fields);

static const struct shape_field channel_fields[] = {
	F_STR(channel, "bundle", bundle),
	F_INT(channel, "epoch", epoch),
	F_INT(channel, "generation", generation),
	F_INT(channel, "fence", fence),
	F_OBJ(channel, "stable", stable, version_shape),
	F_OBJ(channel, "last_good", last_good, version_shape),
	F_OBJ(channel, "former", former, version_shape),
	F_OBJ(channel, "candidate", candidate, version_shape),
	F_OBJ(channel, "queued", queued, version_shape),
	F_OBJ(channel, "bad", bad, version_shape),
	F_INT(channel, "rollout", rollout),
	F_ENUM(channel, "state", state, states),
	F_ENUM(channel, "held_from", held_from, states),
	F_STR(channel, "hold", hold),
	F_STR(channel, "starter", starter),
	F_INT(channel, "started_ns", started_ns),
	F_INT(channel, "since_ns", since_ns),
	F_INT(channel, "ring", ring),
	F_STR(channel, "ring_name", ring_name),
	F_BOOL(channel, "all", all),
	F_STRS(channel, "targets", targets, ntargets, CHANNEL_TARGETS_MAX),
	F_STRS(channel, "approvals", approvals, napprovals, CHANNEL_APPROVALS_MAX),
	F_OBJ(channel, "frozen_automation", freeze[FREEZE_AUTOMATION], freeze_shape),
	F_OBJ(channel, "frozen_all", freeze[FREEZE_ALL], freeze_shape),
	F_LIST(channel, "pins", pins, npins, CHANNEL_PINS_MAX, pin_shape),
	F_LIST(channel, "quarantine", quarantine, nquarantine,
		CHANNEL_QUARANTINE_MAX, quarantine_shape),
};
static const struct shape channel_shape = SHAPE(channel, channel_fields);

static const struct shape_field event_fields[] = {
	F_ENUM(channel_event, "kind", kind, events),
	F_STR(channel_event, "who", who),
	F_INT(channel_event, "roles", roles),
	F_STR(channel_event, "why", why),
	F_STR(channel_event, "evidence", evidence),
	F_INT(channel_event, "expect", expect),
	F_INT(channel_event, "rollout", rollout),
	F_OBJ(channel_event, "version", version, version_shape),
	F_STR(channel_event, "ancestors", ancestry.commits),
	F_INT(channel_event, "ancestors_since", ancestry.since),
	F_ENUM(channel_event, "known", known, knowns),
	F_BOOL(channel_event, "promoted", promoted),
	F_ENUM(channel_event, "relation", relation, relations),
	F_ENUM(channel_event, "if_busy", if_busy, rules),
	F_BOOL(channel_event, "force", force),
	F_BOOL(channel_event, "break_glass", break_glass),
	F_BOOL(channel_event, "allow_divergent", allow_divergent),
	F_STR(channel_event, "ring", ring),
	F_BOOL(channel_event, "all", all),
	F_STRS(channel_event, "targets", targets, ntargets, CHANNEL_TARGETS_MAX),
	F_STR(channel_event, "target", target),
	F_STR(channel_event, "selector", selector),
	F_ENUM(channel_event, "scope", scope, scopes),
	F_INT(channel_event, "from_ns", from_ns),
	F_INT(channel_event, "until_ns", until_ns),
	F_INT(channel_event, "epoch", epoch),
	F_STR(channel_event, "frozen_by", frozen_by),
	F_STR(channel_event, "frozen_why", frozen_why),
	F_STR(channel_event, "overlap", overlap),
	F_BOOL(channel_event, "allow_overlap", allow_overlap),
};
const struct shape channel_event_shape = SHAPE(channel_event, event_fields);
/* clang-format on */

const char *channel_state_name(enum channel_state s)
{
	return states[s];
}

const char *channel_event_name(enum channel_event_kind k)
{
	return events[k];
}

void channel_write(const struct channel *c, struct buf *out)
{
	shape_write(&channel_shape, c, out);
}

void channel_event_write(const struct channel_event *ev, struct buf *out)
{
	shape_write(&channel_event_shape, ev, out);
}

enum status channel_parse(
	struct channel *out, struct str text, struct arena *a, struct err *e)
{
	return shape_parse(&channel_shape, text, a, out, e);
}

enum status channel_move(struct channel *c, struct arena *to, struct err *e)
{
	struct buf text = {0};
	enum status st;

	channel_write(c, &text);
	st = channel_parse(c, buf_str(&text), to, e);
	buf_release(&text);
	return st;
}

enum status channel_event_parse(struct channel_event *out, struct str text,
	struct arena *a, struct err *e)
{
	return shape_parse(&channel_event_shape, text, a, out, e);
}

void channel_digest(const struct channel *c, char hex[65])
{
	unsigned char sum[DIGEST_MAX];
	struct buf text = {0};

	channel_write(c, &text);
	digest(DIGEST_SHA256, buf_str(&text), sum);
	buf_reset(&text);
	digest_hex(&text, sum, 32);
	memcpy(hex, text.ptr, 65);
	buf_release(&text);
}
