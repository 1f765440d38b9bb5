/*
 * poll: bundles, and those who wait for one.
 *
 * A poll that holds the current tag and asked to wait is suspended and put
 * into a wheel: slot k has the polls that are due by tick k. The ticker turns
 * the wheel; server_bundle_changed() walks all of it. Whoever takes a poll out
 * of the wheel says why and resumes it, and its own thread answers it.
 *
 * A change between the answer and the wait is not lost: the number of changes
 * is read before the answer and compared under the lock.
 */
#include "server/internal.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

/* --- the answer ------------------------------------------------------------
 */

/* The digest in the tag that the agent holds; empty when it is none of ours. */
static struct str held(const struct request *r)
{
	size_t len = strlen(r->tag);

	if (len != SERVER_DIGEST_HEX + 2 || r->tag[0] != '"')
		return S("");
	return str_make(r->tag + 1, SERVER_DIGEST_HEX);
}

static void ask(struct request *r, struct server_answer *out)
{
	struct server_ask a = {.bundle = r->pub.params[0],
		.who = &r->who,
		.labels = r->labels,
		.nlabels = r->nlabels,
		.holds = held(r),
		.again = r->stage == STAGE_WAIT || r->wake != WAKE_NOT};

	*out = (struct server_answer){0};
	r->s->cfg.answer(r->s->cfg.user, &a, out);
}

/* The answer is that the poll has it already: its tag is the bundle's. */
static bool holds(const struct request *r, const struct server_answer *a)
{
	size_t len = strlen(a->digest);

	return a->choice == SERVER_BUNDLE && strlen(r->tag) == len + 2 &&
	       r->tag[0] == '"' && r->tag[len + 1] == '"' &&
	       !memcmp(r->tag + 1, a->digest, len);
}

static void read_labels(struct request *r)
{
	struct str rest = r->pub.query, key, value;

	while (r->nlabels < LABELS_MAX && url_next(&rest, &key, &value))
		if (!str_is(key, "target"))
			r->labels[r->nlabels++] =
				(struct server_label){key, value};
}

/*
 * Only the first tag is what the agent has active; with
 * superseded_etag_ttl_seconds others follow, and a 304 for one of those would
 * keep it from going back.
 */
static void read_tag(struct request *r)
{
	struct str tag = field_first_tag(http_field(r, "If-None-Match"));

	if (tag.len < sizeof(r->tag))
		memcpy(r->tag, tag.ptr ? tag.ptr : "", tag.len);
}

static void read_wait(struct request *r)
{
	unsigned wait = field_wait(http_field(r, "Prefer"));

	if (!wait || str_is(r->pub.method, "HEAD"))
		return;
	if (wait > r->s->max.wait_max_s)
		wait = r->s->max.wait_max_s;
	r->due = r->began + wait * NS_PER_S;
}

/* --- the wheel --------------------------------------------------------------
 */

static uint16_t *target_count(const struct request *r)
{
	size_t len = strlen(r->who.target);

	return &r->s->per_target[str_hash(r->who.target, len) % TARGET_SLOTS];
}

static void link_in(struct request *r)
{
	struct server *s = r->s;
	struct request **slot =
		&s->wheel[(r->due / WHEEL_TICK + 1) % WHEEL_SLOTS];
	struct epoll_event ev = {.events = EPOLLRDHUP, .data.ptr = r};

	r->next = *slot;
	r->link = slot;
	if (r->next)
		r->next->link = &r->next;
	*slot = r;
	s->waiting++;
	if (r->who.target[0])
		++*target_count(r);
	/* Without it a client that left costs its wait, and no more. */
	epoll_ctl(s->gone_fd, EPOLL_CTL_ADD, r->conn->fd, &ev);
}

static void take_out(struct request *r, enum wake wake)
{
	struct server *s = r->s;

	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	s->waiting--;
	if (r->who.target[0])
		--*target_count(r);
	epoll_ctl(s->gone_fd, EPOLL_CTL_DEL, r->conn->fd, NULL);
	r->wake = wake;
	mhd.MHD_resume_connection(r->mc);
}

enum waits poll_wait(struct request *r, uint64_t changes)
{
	struct server *s = r->s;
	enum waits got = WAITS;

	pthread_mutex_lock(&s->waits_lock);
	if (s->stopping || s->waiting >= s->max.waits ||
		(r->who.target[0] &&
			*target_count(r) >= s->max.waits_per_target))
		got = WAITS_TOO_MANY;
	else if (s->changes != changes)
		got = WAITS_STALE;
	if (!got) {
		r->stage = STAGE_WAIT;
		mhd.MHD_suspend_connection(r->mc);
		link_in(r);
	}
	pthread_mutex_unlock(&s->waits_lock);
	return got;
}

/* --- one poll
 * ----------------------------------------------------------------- */

static enum MHD_Result refuse(
	struct request *r, unsigned status, const char *why)
{
	if (status == 503)
		metrics_refuse(r->s, REFUSE_BUSY);
	reply_error(&r->reply, status, "%s", why);
	return http_reply(r, false);
}

static enum MHD_Result give(
	struct request *r, const struct server_answer *a, unsigned status)
{
	enum MHD_Result queued;
	struct err e = {0};

	if (!blob_queue(r, a->digest, status, &queued, &e))
		return queued;
	server_warn(r->s, "bundle %.*s: %s", STR_ARG(r->pub.params[0]), e.text);
	return refuse(r, 503, "the bundle can't be read");
}

static enum MHD_Result decide(struct request *r)
{
	struct server *s = r->s;
	struct server_answer a;
	uint64_t changes;

	do {
		changes = s->changes;
		ask(r, &a);
		if (a.choice == SERVER_NO_BUNDLE)
			return refuse(r, 404, "no such bundle");
		if (a.choice == SERVER_UNAVAILABLE)
			return refuse(r, 503, "not known now");
		if (!holds(r, &a))
			return give(r, &a, 200);
		if (server_now(s) >= r->due)
			return give(r, &a, 304);
		switch (poll_wait(r, changes)) {
		case WAITS:
			return MHD_YES;
		case WAITS_TOO_MANY:
			return refuse(r, 503, "too many polls wait");
		case WAITS_STALE:
			break;
		}
	} while (true);
}

enum MHD_Result poll_handle(struct request *r)
{
	switch (r->wake) {
	case WAKE_GONE:
		return MHD_NO;
	case WAKE_STOP:
		return refuse(r, 503, "the server is stopping");
	case WAKE_DUE:
	case WAKE_CHANGED:
		return decide(r);
	case WAKE_NOT:
		break;
	}
	if (!url_bundle_valid(r->pub.params[0]))
		return refuse(r, 404, "no bundle has such a name");
	read_labels(r);
	read_tag(r);
	read_wait(r);
	return decide(r);
}

/* --- waking
 * ------------------------------------------------------------------------ */

void server_bundle_changed(struct server *s, const char *bundle)
{
	s->changes++;
	pthread_mutex_lock(&s->waits_lock);
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		for (struct request *r = s->wheel[i], *next; r; r = next) {
			struct server_answer a;

			next = r->next;
			if (r->route->kind == KIND_STREAM) {
				take_out(r, WAKE_CHANGED);
				continue;
			}
			if (bundle && !str_is(r->pub.params[0], bundle))
				continue;
			ask(r, &a);
			if (!holds(r, &a))
				take_out(r, WAKE_CHANGED);
		}
	pthread_mutex_unlock(&s->waits_lock);
}

static void turn(struct server *s)
{
	int64_t now = server_now(s), ticks = now / WHEEL_TICK;

	if (ticks - s->turned > WHEEL_SLOTS)
		s->turned = ticks - WHEEL_SLOTS;
	while (s->turned < ticks) {
		size_t slot = (size_t)(++s->turned % WHEEL_SLOTS);

		for (struct request *r = s->wheel[slot], *next; r; r = next) {
			next = r->next;
			if (r->due <= now)
				take_out(r, WAKE_DUE);
		}
	}
}

/* Asked for under the lock: what it names is still in the wheel. */
static void drop_gone(struct server *s)
{
	struct epoll_event ev[64];
	int n = epoll_wait(s->gone_fd, ev, COUNT(ev), 0);

	for (int i = 0; i < n; i++)
		take_out(ev[i].data.ptr, WAKE_GONE);
}

void poll_tick(struct server *s, int timeout_ms)
{
	struct pollfd p = {.fd = s->gone_fd, .events = POLLIN};

	poll(&p, 1, timeout_ms);
	pthread_mutex_lock(&s->waits_lock);
	drop_gone(s);
	turn(s);
	pthread_mutex_unlock(&s->waits_lock);
}

void poll_stop(struct server *s)
{
	pthread_mutex_lock(&s->waits_lock);
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		while (s->wheel[i])
			take_out(s->wheel[i], WAKE_STOP);
	pthread_mutex_unlock(&s->waits_lock);
}

unsigned server_waiting(struct server *s)
{
	return s->waiting;
}
