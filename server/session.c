#include "base/digest.h"
#include "server/internal.h"

#include <string.h>
#include <sys/random.h>

enum { LIFE_S = 12 * 3600, RANDOM = 32 };

/*
 * Browsers give a host's cookies to all its ports, so the name has the port.
 * Under TLS it begins with __Host-: only this host may have set it, over TLS.
 */
static struct str cookie_name(const struct request *r, char room[32])
{
	int n = snprintf(room, 32, "%sregatta-%u",
		r->conn->plain ? "" : "__Host-", r->s->port);

	return (struct str){room, (size_t)n};
}

/* Behind a proxy that has TLS for us the browser says so itself. */
static bool over_tls(const struct request *r)
{
	return !r->conn->plain ||
	       str_starts(http_field(r, "Origin"), S("https://"));
}

static void set_cookie(const struct request *r, struct str value, int life_s,
	struct server_reply *reply)
{
	char room[32];
	struct str name = cookie_name(r, room);

	buf_addf(&reply->cookie,
		"%.*s=%.*s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s",
		STR_ARG(name), STR_ARG(value), life_s,
		over_tls(r) ? "; Secure" : "");
}

/* --- the places: all under sessions_lock -----------------------------------
 */

static bool alive(const struct session *x, int64_t now)
{
	return x->until > now;
}

/* A free place, else the oldest: of the same token when it has too many. */
static struct session *place_for(
	struct server *s, const unsigned char token[32], int64_t now)
{
	struct session *oldest = &s->sessions[0], *own = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < SESSIONS; i++) {
		struct session *x = &s->sessions[i];

		if (!alive(x, now))
			x->until = 0;
		if (x->until < oldest->until)
			oldest = x;
		if (!x->until || memcmp(x->token, token, 32) != 0)
			continue;
		n++;
		if (!own || x->until < own->until)
			own = x;
	}
	return n < SESSIONS_PER_TOKEN ? oldest : own;
}

/* Of a cookie's value. All are looked at, whichever it is. */
static struct session *session_of(struct server *s, struct str value)
{
	unsigned char id[DIGEST_MAX];
	struct session *found = NULL;
	int64_t now = server_now(s);

	digest(DIGEST_SHA256, value, id);
	for (size_t i = 0; i < SESSIONS; i++)
		if (digest_equal(s->sessions[i].id, id, 32) &&
			alive(&s->sessions[i], now))
			found = &s->sessions[i];
	return found;
}

/* --- requests --------------------------------------------------------------
 */

static struct str cookie(const struct request *r)
{
	char room[32];

	return field_cookie(http_field(r, "Cookie"), cookie_name(r, room));
}

static bool counts(const struct route *route)
{
	return route->kind == KIND_STREAM ||
	       (route->kind == KIND_API && !strcmp(route->api.method, "GET"));
}

bool session_find(const struct request *r, unsigned char token[32])
{
	struct str value = {0};
	struct session *x;

	if (counts(r->route))
		value = cookie(r);
	if (value.len != 2 * RANDOM)
		return false;
	pthread_mutex_lock(&r->s->sessions_lock);
	x = session_of(r->s, value);
	if (x)
		memcpy(token, x->token, 32);
	pthread_mutex_unlock(&r->s->sessions_lock);
	return x != NULL;
}

/* The role of a token, and its SHA-256; 0: there is no such token. */
static unsigned role_of(
	struct server *s, struct str token, unsigned char sum[32])
{
	const struct server_token *t;
	unsigned role = 0;

	pthread_rwlock_rdlock(&s->tokens_lock);
	t = server_token_find(&s->tokens, token);
	if (t) {
		role = t->role;
		memcpy(sum, t->sha256, 32);
	}
	pthread_rwlock_unlock(&s->tokens_lock);
	return role;
}

static void begin(
	struct server *s, struct str value, const unsigned char token[32])
{
	int64_t now = server_now(s);
	unsigned char id[DIGEST_MAX];
	struct session *x;

	digest(DIGEST_SHA256, value, id);
	pthread_mutex_lock(&s->sessions_lock);
	x = place_for(s, token, now);
	memcpy(x->id, id, 32);
	memcpy(x->token, token, 32);
	x->until = now + LIFE_S * NS_PER_S;
	pthread_mutex_unlock(&s->sessions_lock);
}

unsigned server_sign_in(const struct server_request *req, struct str token,
	struct server_reply *reply)
{
	struct request *r = req->internals;
	unsigned char sum[32], random[RANDOM];
	unsigned role = role_of(r->s, token, sum);
	struct buf value = {0};

	if (!(role & SERVER_READERS)) {
		metrics_refuse(r->s, role ? REFUSE_ROLE : REFUSE_TOKEN);
		return role ? 403 : 401;
	}
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		die("no random bytes for a session");
	digest_hex(&value, random, sizeof(random));
	begin(r->s, buf_str(&value), sum);
	set_cookie(r, buf_str(&value), LIFE_S, reply);
	buf_release(&value);
	return 0;
}

void server_sign_out(
	const struct server_request *req, struct server_reply *reply)
{
	struct request *r = req->internals;
	struct session *x;

	pthread_mutex_lock(&r->s->sessions_lock);
	x = session_of(r->s, cookie(r));
	if (x)
		*x = (struct session){0};
	pthread_mutex_unlock(&r->s->sessions_lock);
	set_cookie(r, (struct str){0}, 0, reply);
}
