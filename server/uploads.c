/* What agents send: decision logs, and how they are. */
#include "server/serving.h"

#include <inttypes.h>

static enum status take(struct decisions *d, struct decisions_ticket *t,
	struct str body, struct err *e)
{
	enum status st = decisions_submit(d, t, body, e);

	return st ? st : decisions_wait(d, t, e);
}

enum server_stored upload_logs(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	struct service *s = user;
	struct str target = str_from(req->who->target);
	struct decisions_ticket t = {.source.target = target};
	struct err e = {0};

	t.canary = shown_canary(s, target);
	t.source.cohort = t.canary ? S("canary") : S("stable");
	if (!decisions_admit(s->decisions, req->body.len, &t))
		return SERVER_BUSY;
	if (take(s->decisions, &t, req->body, &e)) {
		service_warn(s, "decision log of %.*s: %s",
			STR_ARG(target.len ? target : S("?")), e.text);
		return SERVER_BUSY;
	}
	buf_addf(&reply->body,
		"{\"accepted\":%" PRIu32 ",\"duplicate\":%" PRIu32
		",\"quarantined\":%" PRIu32 "}",
		t.accepted, t.duplicate, t.quarantined);
	return SERVER_STORED;
}
