/*
 * stream: /events, for pages that are open in a browser.
 *
 * A stream says "look again" and nothing else: at once when a channel changes,
 * and every BEAT_S, since what targets report changes too. What there is to see
 * is asked for anew each time, so that who may look is, too.
 *
 * Between two events it is suspended and in the wheel of polls (poll.c). It
 * ends after LIFE_S; browsers come again by themselves.
 */
#include "server/internal.h"

#include <string.h>

enum { BEAT_S = 5, LIFE_S = 300, AGAIN_MS = 2000, SEND_MS = 30000 };

static ssize_t event(struct request *r, bool first, char *room, size_t max)
{
	int n = first ? snprintf(room, max, "retry: %d\n\n", AGAIN_MS)
		      : snprintf(room, max, "data: look\n\n");

	r->changes = r->s->changes;
	r->due = server_now(r->s) + BEAT_S * NS_PER_S;
	r->sent += (size_t)n;
	conn_until(r->conn, SEND_MS);
	return n;
}

/* What libmicrohttpd asks for when the former event is on its way. */
static ssize_t next(void *user, uint64_t at, char *room, size_t max)
{
	struct request *r = user;
	enum waits waits;

	do {
		int64_t now = server_now(r->s);

		if (r->wake == WAKE_GONE)
			return MHD_CONTENT_READER_END_WITH_ERROR;
		if (r->wake == WAKE_STOP || now >= r->began + LIFE_S * NS_PER_S)
			return MHD_CONTENT_READER_END_OF_STREAM;
		if (now >= r->due || r->s->changes != r->changes)
			return event(r, !at, room, max);
		conn_until(r->conn, -1);
		waits = poll_wait(r, r->changes);
	} while (waits == WAITS_STALE);
	return waits == WAITS ? 0 : MHD_CONTENT_READER_END_OF_STREAM;
}

enum MHD_Result stream_begin(struct request *r)
{
	struct MHD_Response *m;
	enum MHD_Result ok;

	r->streams = true;
	if (++r->s->streams > r->s->max.streams) {
		metrics_refuse(r->s, REFUSE_BUSY);
		reply_error(&r->reply, 503, "too many pages are open");
		return http_reply(r, false);
	}
	r->reply.type = "text/event-stream";
	m = mhd.MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, 256, next, r, NULL);
	if (!m)
		die("out of memory: a stream");
	http_headers(r, m);
	ok = http_queue(r, 200, m, 0);
	mhd.MHD_destroy_response(m);
	return ok;
}

void stream_end(struct request *r)
{
	if (r->streams)
		r->s->streams--;
	r->streams = false;
}
