#include "server/internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void name_address(struct conn *c, const struct sockaddr *a)
{
	const struct sockaddr_in *v4 = (const void *)a;
	const struct sockaddr_in6 *v6 = (const void *)a;

	if (c->local || !a)
		memcpy(c->address, "local", sizeof("local"));
	else if (a->sa_family == AF_INET)
		inet_ntop(
			AF_INET, &v4->sin_addr, c->address, sizeof(c->address));
	else if (a->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, c->address,
			sizeof(c->address));
}

void conn_until(struct conn *c, int64_t ms)
{
	int64_t at = ms < 0 ? NO_DEADLINE : server_now(c->s) + ms * NS_PER_MS;

	atomic_store(&c->deadline, at);
}

static void started(
	struct server *s, struct MHD_Connection *mc, bool local, void **context)
{
	const union MHD_ConnectionInfo *info;
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		die("out of memory: a connection");
	c->s = s;
	info = mhd.MHD_get_connection_info(
		mc, MHD_CONNECTION_INFO_CONNECTION_FD);
	c->fd = info->connect_fd;
	info = mhd.MHD_get_connection_info(
		mc, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	c->local = local;
	c->plain = c->local || !s->cfg.tls_cert;
	name_address(c, info->client_addr);
	conn_until(c, s->max.header_ms);
	atomic_store(&c->idle_at, server_now(s));
	pthread_mutex_lock(&s->conns_lock);
	c->link = &s->conns;
	c->next = s->conns;
	if (c->next)
		c->next->link = &c->next;
	s->conns = c;
	pthread_mutex_unlock(&s->conns_lock);
	s->nconns++;
	*context = c;
}

/* The socket is open until this returns. */
static void closed(struct server *s, void **context)
{
	struct conn *c = *context;

	if (!c)
		return;
	pthread_mutex_lock(&s->conns_lock);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	pthread_mutex_unlock(&s->conns_lock);
	free(c);
	*context = NULL;
	s->nconns--;
}

void conn_notify(void *user, struct MHD_Connection *mc, void **context,
	enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		started(user, mc, false, context);
	else
		closed(user, context);
}

void conn_notify_local(void *user, struct MHD_Connection *mc, void **context,
	enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		started(user, mc, true, context);
	else
		closed(user, context);
}

/*
 * Each thread may be one above the limit: what is accepted is not counted. Who
 * comes through the UNIX socket has a place always, or a flood would keep out
 * the commands against it.
 */
enum MHD_Result conn_allow(
	void *user, const struct sockaddr *address, socklen_t len)
{
	struct server *s = user;

	(void)len;
	if (s->nconns < s->max.connections || address->sa_family == AF_UNIX)
		return MHD_YES;
	metrics_refuse(s, REFUSE_CONNECTIONS);
	return MHD_NO;
}

/*
 * A body may pause for body_idle_ms, take body_ms, and must have come at
 * `rate` from its tenth second on.
 */
void conn_body(struct conn *c, const struct request *r)
{
	const struct server_limits *max = &c->s->max;
	int64_t fast =
		(int64_t)(r->received / max->rate) * NS_PER_S + 10 * NS_PER_S;
	int64_t at = r->body_began + max->body_ms * NS_PER_MS;
	int64_t idle = server_now(c->s) + max->body_idle_ms * NS_PER_MS;

	if (at > r->body_began + fast)
		at = r->body_began + fast;
	if (at > idle)
		at = idle;
	atomic_store(&c->deadline, at);
}

/*
 * Of a request that is not whole nothing was answered yet, so that a plain
 * socket can still be told why.
 */
static void cut(struct conn *c, enum refusal why)
{
	static const char late[] = "HTTP/1.1 408 Request Timeout\r\n"
				   "Content-Length: 0\r\n"
				   "Connection: close\r\n\r\n";

	if (c->plain && atomic_load(&c->reading))
		send(c->fd, late, sizeof(late) - 1,
			MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(c->fd, SHUT_RDWR);
	c->cut = true;
	metrics_refuse(c->s, why);
}

void conn_cut_late(struct server *s)
{
	int64_t now = server_now(s);

	pthread_mutex_lock(&s->conns_lock);
	for (struct conn *c = s->conns; c; c = c->next)
		if (!c->cut && atomic_load(&c->deadline) <= now)
			cut(c, REFUSE_SLOW);
	pthread_mutex_unlock(&s->conns_lock);
}

/* --- room -----------------------------------------------------------------
 *
 * When nearly all places are taken, those who only hold one give it back, who
 * has held it longest first: so however many are held, who comes finds one. A
 * client that is cut between two requests begins the next one anew.
 */

/* How many connections are nearly all. */
static size_t nearly_all(const struct server *s)
{
	return s->max.connections - s->max.connections / 10;
}

static int by_age(const void *a, const void *b)
{
	int64_t x = (*(struct conn *const *)a)->idle_at;
	int64_t y = (*(struct conn *const *)b)->idle_at;

	return (x > y) - (x < y);
}

/* Under the lock: those who hold a place; and how many leave already. */
static size_t idle(struct server *s, struct conn **out, size_t max, size_t *cut)
{
	size_t n = 0;

	*cut = 0;
	for (struct conn *c = s->conns; c; c = c->next) {
		*cut += c->cut;
		if (!c->cut && !c->local && atomic_load(&c->idle_at) && n < max)
			out[n++] = c;
	}
	return n;
}

static void cut_oldest(struct server *s, struct conn **list, size_t max)
{
	size_t full = nearly_all(s);
	size_t n, gone, over = s->nconns;

	n = idle(s, list, max, &gone);
	over = over > full + gone ? over - full - gone : 0;
	qsort(list, n, sizeof(struct conn *), by_age);
	for (size_t i = 0; i < n && i < over; i++)
		cut(list[i], REFUSE_CONNECTIONS);
}

void conn_make_room(struct server *s)
{
	size_t max = s->nconns;
	struct conn **list;

	if (max <= nearly_all(s))
		return;
	list = calloc(max, sizeof(struct conn *));
	if (!list)
		die("out of memory: connections");
	pthread_mutex_lock(&s->conns_lock);
	cut_oldest(s, list, max);
	pthread_mutex_unlock(&s->conns_lock);
	free(list);
}
