/* What agents send: decision logs, and how they are. */
#include "server/internal.h"
#include "server/serving.h"

#include "base/json.h"
#include "canary/status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static enum status take(struct decisions *d, struct decisions_ticket *t,
	struct str body, struct err *e)
{
	enum status st = decisions_submit(d, t, body, e);

	return st ? st : decisions_wait(d, t, e);
}

enum { DISK_RETRY_S = 30 }; /* room does not come back in a second */

bool upload_admit(
	void *user, const struct server_who *who, struct server_reply *reply)
{
	struct service *s = user;

	if (decisions_have_room(
		    s->decisions, shown_canary(s, str_from(who->target))))
		return true;
	reply->retry_s = DISK_RETRY_S;
	reply_error(reply, 503,
		"the server's disk is too full for decision logs: send it "
		"again later");
	return false;
}

#define COMPLAIN_EVERY (10 * NS_PER_S)

/*
 * What fails for one fails for all, many times a second while they try again:
 * all lines of that would fill what is left of the disk.
 */
static void complain(struct service *s, const char *fmt, ...) PRINTF(2, 3);

static void complain(struct service *s, const char *fmt, ...)
{
	int64_t now = clock_mono(&clock_system);
	int64_t before = atomic_load(&s->complained);
	struct err e;
	va_list ap;

	if ((before && now - before < COMPLAIN_EVERY) ||
		!atomic_compare_exchange_strong(&s->complained, &before, now))
		return;
	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	service_warn(s, "%s", e.text);
}

/* Its agent was told 200, since it would send the same bytes for ever. */
static void warn_cut(
	struct service *s, const struct server_request *req, struct str target)
{
	complain(s,
		"decision log of %.*s: an upload of %" PRIu64 " bytes went to "
		"quarantine, and its decisions are not in the log: lower "
		"upload_size_limit_bytes of that agent to %zu or less",
		STR_ARG(target.len ? target : S("?")), req->received,
		req->body.len);
}

enum server_stored upload_logs(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	struct service *s = user;
	struct str target = str_from(req->who->target);
	struct decisions_ticket t = {.source.target = target};
	struct err e = {0};
	enum status st;

	t.left_out = req->received - req->body.len;
	t.canary = shown_canary(s, target);
	t.source.cohort = t.canary ? S("canary") : S("stable");
	if (!decisions_admit(s->decisions, req->body.len, &t))
		return SERVER_BUSY;
	st = take(s->decisions, &t, req->body, &e);
	if (st && st != E_CONFLICT) /* which is no more than busy */
		complain(s, "decision log of %.*s: %s: answered 503",
			STR_ARG(target.len ? target : S("?")), e.text);
	if (st)
		return SERVER_BUSY;
	if (t.left_out)
		warn_cut(s, req, target);
	buf_addf(&reply->body,
		"{\"accepted\":%" PRIu32 ",\"duplicate\":%" PRIu32
		",\"quarantined\":%" PRIu32 "}",
		t.accepted, t.duplicate, t.quarantined);
	return SERVER_STORED;
}

/* --- status --------------------------------------------------------------- */

/* Who it is: what the server knows counts before what the body says. */
static struct str target_of(
	const struct server_who *who, const struct agent_status *a)
{
	if (who->target[0])
		return str_from(who->target);
	return server_target_valid(a->target) ? a->target : S("");
}

static void report(struct service *s, struct str target,
	const struct agent_status *a, struct arena *arena)
{
	int64_t now = clock_wall(s->clock);

	for (uint32_t i = 0; i < a->nbundles; i++)
		target_reported(s->book,
			&(struct target_report){.bundle = a->bundles[i].name,
				.id = target,
				.revision = a->bundles[i].revision,
				.error = status_bundle_refusal(
					&a->bundles[i], arena),
				.version = a->version,
				.log_error = a->log_error,
				.labels = a->labels,
				.nlabels = a->nlabels},
			now);
}

/* What it counted since it started, to hold against what arrived. */
static enum status count(struct service *s, struct str target,
	const struct agent_status *a, struct err *e)
{
	if (!a->counted || !target.len)
		return OK;
	return decisions_count(s->decisions,
		&(struct decision_counters){.target = target,
			.instance = a->id,
			.time = clock_wall(s->clock),
			.requests = a->requests,
			.dropped = a->dropped},
		e);
}

enum server_stored upload_status(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	struct service *s = user;
	struct agent_status a;
	struct arena arena = {0};
	struct err e = {0};
	struct str target;
	enum status st = agent_status_parse(&a, req->body, &arena, &e);

	/* An agent sends a whole new one soon: nothing is worth a retry. */
	if (st) {
		reply_error(reply, 400, "%s", e.text);
	} else {
		target = target_of(req->who, &a);
		report(s, target, &a, &arena);
		st = count(s, target, &a, &e);
		if (st)
			complain(s, "status of %.*s: %s", STR_ARG(target),
				e.text);
	}
	arena_release(&arena);
	return SERVER_STORED;
}
