/*
 * server_site: a server for tests, and a client that sends exact bytes.
 *
 * The site serves one text as the bundle "authz"; site_serve() changes it.
 * Which one a target gets can be said by target. Uploads are kept.
 */
#ifndef TESTS_SERVER_SITE_H
#define TESTS_SERVER_SITE_H

#include "tests/test.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "server/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TEXTS = 8 };

struct site {
	struct server *s;
	struct server_config cfg;
	pthread_mutex_t lock;
	char digests[TEXTS][SERVER_DIGEST_HEX + 1];
	struct buf texts[TEXTS];
	size_t ntexts;
	size_t now;      /* what all get */
	char canary[64]; /* but for this target */
	size_t canary_now;
	bool unavailable, damaged, busy, not_ready;
	bool degraded;
	unsigned loads, uploads;
	struct buf last_body, last_encoding, last_target, log, warned;
	uint64_t last_received;
	int hold_ms; /* an upload takes that long */
};

static void site_answer(
	void *user, const struct server_ask *ask, struct server_answer *out)
{
	struct site *t = user;
	size_t i;

	pthread_mutex_lock(&t->lock);
	i = t->canary[0] && !strcmp(ask->who->target, t->canary) ? t->canary_now
								 : t->now;
	out->choice = SERVER_NO_BUNDLE;
	if (t->unavailable)
		out->choice = SERVER_UNAVAILABLE;
	else if (str_is(ask->bundle, "authz") && i < t->ntexts) {
		out->choice = SERVER_BUNDLE;
		memcpy(out->digest, t->digests[i], sizeof(out->digest));
	}
	pthread_mutex_unlock(&t->lock);
}

static enum status site_content(
	void *user, struct str digest_hex_text, struct buf *out, struct err *e)
{
	struct site *t = user;
	enum status st = E_NOT_FOUND;

	pthread_mutex_lock(&t->lock);
	t->loads++;
	for (size_t i = 0; i < t->ntexts; i++)
		if (str_is(digest_hex_text, t->digests[i])) {
			buf_addstr(out, buf_str(&t->texts[i]));
			st = OK;
		}
	if (t->damaged)
		buf_addc(out, 'x');
	pthread_mutex_unlock(&t->lock);
	return st ? err_set(e, st, "no such bytes") : OK;
}

static enum server_stored site_upload(void *user,
	const struct server_request *req, struct server_reply *reply)
{
	struct site *t = user;
	bool busy;

	if (t->hold_ms)
		clock_sleep(&clock_system, t->hold_ms * NS_PER_MS);
	pthread_mutex_lock(&t->lock);
	t->uploads++;
	buf_reset(&t->last_body);
	buf_reset(&t->last_encoding);
	buf_reset(&t->last_target);
	buf_addstr(&t->last_body, req->body);
	t->last_received = req->received;
	buf_addstr(&t->last_encoding, req->encoding);
	buf_adds(&t->last_target, req->who->target);
	busy = t->busy;
	pthread_mutex_unlock(&t->lock);
	buf_adds(&reply->body, "{\"accepted\":1}");
	return busy ? SERVER_BUSY : SERVER_STORED;
}

static bool site_ready(void *user, struct buf *why)
{
	struct site *t = user;

	if (t->not_ready)
		buf_adds(why, "no state yet");
	else if (t->degraded)
		buf_adds(why, "no \"logs\"");
	return !t->not_ready;
}

static void site_log(void *user, struct str line)
{
	struct site *t = user;

	pthread_mutex_lock(&t->lock);
	buf_addstr(&t->log, line);
	pthread_mutex_unlock(&t->lock);
}

static void site_warn(void *user, const char *text)
{
	struct site *t = user;

	pthread_mutex_lock(&t->lock);
	buf_adds(&t->warned, text);
	buf_addc(&t->warned, '\n');
	pthread_mutex_unlock(&t->lock);
}

static inline size_t site_add(struct site *t, struct str text)
{
	unsigned char sum[DIGEST_MAX];
	struct buf hex = {0};
	size_t i = t->ntexts;

	digest(DIGEST_SHA256, text, sum);
	digest_hex(&hex, sum, 32);
	pthread_mutex_lock(&t->lock);
	memcpy(t->digests[i], hex.ptr, SERVER_DIGEST_HEX + 1);
	buf_addstr(&t->texts[i], text);
	t->ntexts++;
	pthread_mutex_unlock(&t->lock);
	buf_release(&hex);
	return i;
}

/* Three bundles: "bundle a", "bundle b" and "bundle c"; a is served. */
static inline void site_init(struct site *t)
{
	*t = (struct site){0};
	pthread_mutex_init(&t->lock, NULL);
	site_add(t, S("bundle a"));
	site_add(t, S("bundle b"));
	site_add(t, S("bundle c"));
	t->cfg = (struct server_config){
		.listen = "127.0.0.1:0",
		.anonymous = SERVER_AGENT,
		.user = t,
		.answer = site_answer,
		.content = site_content,
		.intake = site_upload,
		.status = site_upload,
		.ready = site_ready,
		.log = site_log,
		.warn = site_warn,
	};
}

static inline void site_start(struct site *t)
{
	struct err e = {0};

	assert_ok(server_start(&t->s, &t->cfg, &e), &e);
}

static inline void site_set(struct site *t, size_t i)
{
	pthread_mutex_lock(&t->lock);
	t->now = i;
	pthread_mutex_unlock(&t->lock);
}

static inline void site_serve(struct site *t, size_t i)
{
	site_set(t, i);
	server_bundle_changed(t->s, "authz");
}

static inline void site_release(struct site *t)
{
	server_stop(t->s);
	for (size_t i = 0; i < t->ntexts; i++)
		buf_release(&t->texts[i]);
	buf_release(&t->last_body);
	buf_release(&t->last_encoding);
	buf_release(&t->last_target);
	buf_release(&t->log);
	buf_release(&t->warned);
	pthread_mutex_destroy(&t->lock);
}

/* Wait at most 10 s for a line of the access log. */
static inline void site_await_log(struct site *t)
{
	size_t len = 0;

	for (int i = 0; !len; i++) {
		assert_true(i < 5000);
		clock_sleep(&clock_system, 2 * NS_PER_MS);
		pthread_mutex_lock(&t->lock);
		len = t->log.len;
		pthread_mutex_unlock(&t->lock);
	}
}

static inline int64_t now_ms(void)
{
	return clock_mono(&clock_system) / NS_PER_MS;
}

/* Wait at most 10 s for `n` polls to wait. */
static inline void site_await(struct site *t, unsigned n)
{
	for (int i = 0; server_waiting(t->s) != n; i++) {
		if (i > 5000)
			fail_msg("%u polls wait, want %u", server_waiting(t->s),
				n);
		clock_sleep(&clock_system, 2 * NS_PER_MS);
	}
}

/* --- the client ------------------------------------------------------------
 */

static inline int dial(unsigned port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval limit = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		fail_msg("connect: %s", strerror(errno));
	return fd;
}

static inline int dial_local(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline void say(int fd, struct str text)
{
	while (text.len) {
		ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text = str_slice(text, (size_t)n, text.len);
	}
}

struct answer {
	unsigned status; /* 0: the connection ended without one */
	struct buf head, body;
};

static inline void answer_release(struct answer *a)
{
	buf_release(&a->head);
	buf_release(&a->body);
	*a = (struct answer){0};
}

/* The value of a header in `a`, up to the line's end; empty: none. */
static inline struct str answer_field(const struct answer *a, const char *name)
{
	struct buf key = {0};
	struct str head = buf_str(&a->head);
	size_t at, end;

	buf_addf(&key, "\r\n%s: ", name);
	at = str_find(head, buf_str(&key), 0);
	if (at != SIZE_MAX)
		at += key.len;
	buf_release(&key);
	if (at == SIZE_MAX)
		return (struct str){"", 0};
	end = str_find(head, S("\r\n"), at);
	return str_slice(head, at, end);
}

/* The lines up to the empty one, and not a byte more. */
static inline bool hear_head(int fd, struct buf *head)
{
	char room[4096];
	size_t end = SIZE_MAX;

	while (end == SIZE_MAX) {
		ssize_t n = recv(fd, room, sizeof(room), MSG_PEEK);
		size_t before = head->len, use;

		if (n <= 0)
			return false;
		buf_add(head, room, (size_t)n);
		end = str_find(buf_str(head), S("\r\n\r\n"), 0);
		if (end != SIZE_MAX)
			head->len = end + 4;
		use = head->len - before;
		if (recv(fd, room, use, 0) != (ssize_t)use)
			return false;
	}
	head->ptr[head->len] = '\0';
	return true;
}

/* One answer, with a body of its Content-Length. */
static inline void hear(int fd, struct answer *a)
{
	size_t length = 0;

	answer_release(a);
	if (!hear_head(fd, &a->head))
		return;
	a->status = (unsigned)strtoul(a->head.ptr + 9, NULL, 10);
	if (a->status != 304 && answer_field(a, "Content-Length").len)
		length = strtoul(
			answer_field(a, "Content-Length").ptr, NULL, 10);
	while (a->body.len < length) {
		char *room = buf_reserve(&a->body, length - a->body.len);
		ssize_t n = recv(fd, room, length - a->body.len, 0);

		if (n <= 0)
			return;
		a->body.len += (size_t)n;
	}
	if (a->body.ptr)
		a->body.ptr[a->body.len] = '\0';
}

static inline void talk(int fd, const char *request, struct answer *a)
{
	say(fd, str_from(request));
	hear(fd, a);
}

/* A request of its own connection. */
static inline unsigned once(
	struct site *t, const char *request, struct answer *a)
{
	int fd = dial(server_port(t->s));

	talk(fd, request, a);
	close(fd);
	return a->status;
}

/* Something to be heard within `ms`, or the end of the connection. */
static inline bool heard(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

/* A poll of "authz" that holds `tag` (index of a text; -1: none). */
static inline void poll_line(struct site *t, int holds, unsigned wait,
	const char *more, struct buf *out)
{
	buf_addf(out, "GET /bundles/authz HTTP/1.1\r\nHost: x\r\n%s", more);
	if (holds >= 0)
		buf_addf(out, "If-None-Match: \"%s\"\r\n", t->digests[holds]);
	if (wait)
		buf_addf(out, "Prefer: modes=snapshot,delta;wait=%u\r\n", wait);
	else
		buf_adds(out, "Prefer: modes=snapshot,delta\r\n");
	buf_adds(out, "\r\n");
}

static inline void send_poll(
	struct site *t, int fd, int holds, unsigned wait, const char *more)
{
	struct buf line = {0};

	poll_line(t, holds, wait, more, &line);
	say(fd, buf_str(&line));
	buf_release(&line);
}

#endif
