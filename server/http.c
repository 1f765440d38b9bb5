/*
 * http: the life of a request, between libmicrohttpd and our handlers.
 *
 * libmicrohttpd calls http_uri() with the request line, then http_access()
 * when the headers are there, for each piece of the body, and once more when
 * all of it came; and again after each resume. http_completed() ends it.
 *
 * A refused request whose body is still on its way is read to its end, without
 * being kept, so that the answer arrives and the connection lives on; one
 * whose framing is in doubt is answered and closed at once.
 */
#include "server/internal.h"

#include "base/json.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct str http_field(const struct request *r, const char *name)
{
	const char *value = NULL;
	size_t len = 0;

	mhd.MHD_lookup_connection_value_n(
		r->mc, MHD_HEADER_KIND, name, strlen(name), &value, &len);
	return (struct str){value, value ? len : 0};
}

bool server_header(
	const struct server_request *req, const char *name, struct str *value)
{
	*value = http_field(req->internals, name);
	return value->ptr != NULL;
}

bool server_query(
	const struct server_request *req, const char *name, struct buf *value)
{
	struct str rest = req->query, k, v;

	while (url_next(&rest, &k, &v))
		if (str_is(k, name))
			return url_value(value, v);
	return false;
}

/* --- replies
 * ------------------------------------------------------------------ */

/* The word and the exit code of a status, as operations have them (ops.h). */
static const struct failure {
	unsigned status;
	int exit;
	const char *code;
} failures[] = {
	{400, 2, "usage"},
	{401, 4, "denied"},
	{403, 4, "denied"},
	{404, 5, "not-found"},
	{411, 2, "usage"},
	{503, 1, "busy"},
	{0, 1, "error"},
};

void reply_error(
	struct server_reply *reply, unsigned status, const char *fmt, ...)
{
	const struct failure *f = failures;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	while (f->status && f->status != status)
		f++;
	reply->status = status;
	buf_reset(&reply->body);
	buf_addf(&reply->body,
		"{\"error\":{\"code\":\"%s\",\"exit\":%d,\"text\":", f->code,
		f->exit);
	json_quote(&reply->body, str_from(text));
	buf_adds(&reply->body, "}}\n");
}

enum MHD_Result http_queue(struct request *r, unsigned status,
	struct MHD_Response *response, size_t bytes)
{
	r->stage = STAGE_DONE;
	r->status = status;
	r->sent = bytes;
	atomic_store(&r->conn->reading, false);
	conn_until(
		r->conn, 30000 + (int64_t)(bytes / r->s->max.send_rate) * 1000);
	return mhd.MHD_queue_response(r->mc, status, response);
}

static void add(
	struct MHD_Response *response, const char *name, const char *value)
{
	mhd.MHD_add_response_header(response, name, value);
}

static void add_number(struct MHD_Response *m, const char *name, long n)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", n);
	add(m, name, text);
}

/* Of a page: nothing but what this server sends, and in nobody's frame. */
#define PAGE_POLICY                                                            \
	"default-src 'none'; style-src 'self'; script-src 'self'; "            \
	"connect-src 'self'; img-src 'self'; base-uri 'none'; "                \
	"form-action 'self'; frame-ancestors 'none'"

void http_headers(const struct request *r, struct MHD_Response *m)
{
	const struct server_reply *reply = &r->reply;

	add(m, "Content-Type", reply->type ? reply->type : "application/json");
	add(m, "Cache-Control",
		reply->keep ? "public, max-age=31536000, immutable"
			    : "no-store");
	add(m, "X-Content-Type-Options", "nosniff");
	if (reply->type && !strncmp(reply->type, "text/html", 9)) {
		add(m, "Content-Security-Policy", PAGE_POLICY);
		add(m, "Referrer-Policy", "same-origin");
	}
	if (reply->location.len)
		add(m, "Location", reply->location.ptr);
	if (reply->cookie.len)
		add(m, "Set-Cookie", reply->cookie.ptr);
	if (reply->etag)
		add(m, "ETag", reply->etag);
	if (reply->exit)
		add_number(m, "Regatta-Exit", reply->exit);
	if (r->allowed)
		add(m, "Allow", r->allowed);
	if (reply->status == 401)
		add(m, "WWW-Authenticate", "Bearer");
	if (reply->status == 503)
		add_number(m, "Retry-After",
			reply->retry_s ? (long)reply->retry_s : 1);
	if (r->s->stopping)
		add(m, "Connection", "close");
}

enum MHD_Result http_reply(struct request *r, bool close)
{
	struct server_reply *reply = &r->reply;
	size_t len = reply->body.len;
	struct MHD_Response *m = mhd.MHD_create_response_from_buffer(
		len, buf_detach(&reply->body), MHD_RESPMEM_MUST_FREE);
	enum MHD_Result ok;

	if (!m)
		die("out of memory: a response");
	if (!reply->status)
		reply->status = 200;
	http_headers(r, m);
	if (close && !r->s->stopping)
		add(m, "Connection", "close");
	ok = http_queue(r, reply->status, m, len);
	mhd.MHD_destroy_response(m);
	return ok;
}

/* --- headers
 * ------------------------------------------------------------------- */

struct tally {
	size_t bytes;
	unsigned lines, lengths, encodings;
	bool chunked, control, odd;
	struct str length;
};

static bool is_field(const char *key, size_t len, const char *name)
{
	return str_eq_fold(str_make(key, len), str_from(name));
}

/*
 * A name with space behind it, which another reader may take for the name alone
 * (RFC 9112, 5.1); and what libmicrohttpd 0.9.75 makes of a folded line, whose
 * second half it puts behind the name.
 */
static bool is_odd(const char *key, size_t len)
{
	static const char *const names[] = {
		"Content-Length", "Transfer-Encoding"};

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)key[i] <= ' ')
			return true;
	for (size_t i = 0; i < COUNT(names); i++)
		if (len > strlen(names[i]) &&
			!strncasecmp(key, names[i], strlen(names[i])))
			return true;
	return false;
}

static enum MHD_Result tally_one(void *user, enum MHD_ValueKind kind,
	const char *key, size_t key_len, const char *value, size_t value_len)
{
	struct tally *t = user;

	(void)kind;
	t->lines++;
	t->bytes += key_len + value_len + 4;
	for (size_t i = 0; i < value_len; i++)
		t->control |=
			(unsigned char)value[i] < 0x20 && value[i] != '\t';
	t->odd |= is_odd(key, key_len);
	if (is_field(key, key_len, "Content-Length")) {
		t->lengths++;
		t->length = (struct str){value, value_len};
	} else if (is_field(key, key_len, "Transfer-Encoding")) {
		t->encodings++;
		t->chunked = is_field(value, value_len, "chunked");
	}
	return MHD_YES;
}

static bool digits(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
	return s.len > 0;
}

/*
 * Where a body ends must be beyond doubt: one Content-Length of digits, or one
 * Transfer-Encoding: chunked, never both (RFC 9112, 6.3).
 */
static const char *framing(const struct tally *t)
{
	if (t->encodings && t->lengths)
		return "both Content-Length and Transfer-Encoding";
	if (t->encodings > 1 || (t->encodings && !t->chunked))
		return "a Transfer-Encoding other than chunked";
	if (t->lengths > 1 || (t->lengths && !digits(t->length)))
		return "not one Content-Length of digits";
	if (t->control)
		return "a header with control characters";
	if (t->odd)
		return "a header whose name is in doubt";
	return NULL;
}

/* What a request says of who it is. */
static void claims(
	const struct request *r, struct who_claims *c, struct buf *target)
{
	c->local = r->conn->local;
	c->has_token = http_field(r, "Authorization").ptr != NULL;
	if (!field_bearer(http_field(r, "Authorization"), &c->token))
		c->token = (struct str){0};
	c->session = !c->has_token && session_find(r, c->sum);
	c->header = http_field(r, "X-Regatta-Target");
	if (!c->path.len && server_query(&r->pub, "target", target))
		c->path = buf_str(target);
}

static bool admit(struct request *r, struct str path_target)
{
	struct server *s = r->s;
	struct who_claims c = {.path = path_target};
	struct buf target = {0};
	enum who_verdict v;

	claims(r, &c, &target);
	pthread_rwlock_rdlock(&s->tokens_lock);
	v = who_resolve(&r->who, &c, s->cfg.tokens ? &s->tokens : NULL,
		s->cfg.anonymous | (s->had_tokens ? 0 : s->cfg.tokenless),
		r->route->api.roles);
	pthread_rwlock_unlock(&s->tokens_lock);
	buf_release(&target);
	if (r->who.disagrees)
		metrics_mismatch(s);
	if (v == WHO_UNKNOWN) {
		metrics_refuse(s, REFUSE_TOKEN);
		reply_error(&r->reply, 401, "a valid bearer token is needed");
	} else if (v == WHO_NOT_ALLOWED) {
		metrics_refuse(s, REFUSE_ROLE);
		reply_error(&r->reply, 403, "token %s may not do that",
			r->who.token);
	}
	return v == WHO_OK;
}

/* Cut "/t/{target}" off the path. */
static struct str take_target(struct str *path)
{
	struct str target = {0};
	size_t end;

	if (!str_starts(*path, S("/t/")))
		return target;
	end = str_find(*path, S("/"), 3);
	if (end == SIZE_MAX)
		return target;
	target = str_slice(*path, 3, end);
	*path = str_slice(*path, end, path->len);
	return target;
}

static bool parse_line(struct request *r, struct str *target)
{
	char *mark = strchr(r->uri, '?');
	struct err e = {0};

	if (mark) {
		*mark = '\0';
		r->pub.query = str_from(mark + 1);
	}
	if (url_path(r->uri, &e)) {
		reply_error(&r->reply, 400, "%s", e.text);
		return false;
	}
	r->pub.path = str_from(r->uri);
	*target = take_target(&r->pub.path);
	return true;
}

static bool find_route(struct request *r, const char *method)
{
	struct buf allowed = {0};

	r->pub.method = str_from(method);
	r->route = route_find(r, r->pub.method, &allowed);
	if (r->route) {
		buf_release(&allowed);
		return true;
	}
	if (allowed.len) {
		r->allowed = buf_detach(&allowed);
		reply_error(&r->reply, 405, "%.200s allows %s", r->pub.path.ptr,
			r->allowed);
	} else {
		reply_error(
			&r->reply, 404, "nothing at %.200s", r->pub.path.ptr);
	}
	return false;
}

static bool too_long(struct request *r, const struct tally *t)
{
	size_t max = r->route->api.max_body;

	if (r->route->beginning || !t->lengths ||
		(t->length.len < 19 &&
			strtoull(t->length.ptr, NULL, 10) <= max))
		return false;
	metrics_refuse(r->s, REFUSE_BODY);
	reply_error(&r->reply, 413, "a body of %.*s bytes, at most %zu",
		STR_ARG(t->length), max);
	return true;
}

/*
 * Without a length there is no body, and what follows would be the next
 * request: an upload that is meant would be lost and told that it was not.
 */
static bool has_length(struct request *r, const struct tally *t)
{
	if (r->route->kind != KIND_WORK || t->lengths || t->encodings)
		return true;
	metrics_refuse(r->s, REFUSE_FRAMING);
	reply_error(&r->reply, 411, "an upload needs a Content-Length");
	return false;
}

static void prepare(
	struct request *r, const char *method, const struct tally *t)
{
	struct str target = {0};

	if (!parse_line(r, &target) || !find_route(r, method) ||
		!admit(r, target) || !has_length(r, t) || too_long(r, t))
		return;
	r->pub.encoding = http_field(r, "Content-Encoding");
	if (r->s->stopping && r->route->kind != KIND_NOW)
		reply_error(&r->reply, 503, "the server is stopping");
	else if (!route_admits(r))
		metrics_refuse(r->s, REFUSE_BUSY);
}

/* A browser gets a page for what a script gets as JSON. */
static void for_people(struct request *r)
{
	const struct server *s = r->s;
	struct str accept = http_field(r, "Accept");

	if (r->reply.status && s->cfg.refused &&
		str_find(accept, S("text/html"), 0) != SIZE_MAX)
		s->cfg.refused(s->cfg.user, &r->pub, &r->reply);
}

/* The headers are there: decide what can be decided without the body. */
static enum MHD_Result on_headers(struct request *r, const char *method)
{
	const struct server_limits *max = &r->s->max;
	struct tally t = {.bytes = strlen(r->uri) + strlen(method) + 12};
	const char *doubt;

	mhd.MHD_get_connection_values_n(r->mc, MHD_HEADER_KIND, tally_one, &t);
	r->stage = STAGE_BODY;
	atomic_store(&r->conn->idle_at, 0);
	r->body_began = server_now(r->s);
	conn_body(r->conn, r);
	doubt = framing(&t);
	if (doubt) {
		metrics_refuse(r->s, REFUSE_FRAMING);
		reply_error(&r->reply, 400, "%s", doubt);
		return http_reply(r, true);
	}
	if (t.lines > max->headers || t.bytes > max->header_bytes) {
		metrics_refuse(r->s, REFUSE_HEADERS);
		reply_error(&r->reply, 431,
			"%u header lines of %zu bytes, at most %u of %zu",
			t.lines, t.bytes, max->headers, max->header_bytes);
		return http_reply(r, true);
	}
	prepare(r, method, &t);
	for_people(r);
	r->discard = r->reply.status != 0;
	if (r->reply.status == 411)
		return http_reply(r, true);
	/* Who asks first is spared the body. */
	if (r->discard && http_field(r, "Expect").ptr)
		return http_reply(r, true);
	return MHD_YES;
}

/* --- the body
 * ------------------------------------------------------------------- */

static void drop_body(struct request *r)
{
	r->s->bodies -= r->body.len;
	buf_release(&r->body);
}

static void refuse_body(struct request *r, unsigned status, const char *why)
{
	drop_body(r);
	r->discard = true;
	metrics_refuse(r->s, status == 413 ? REFUSE_BODY : REFUSE_BUSY);
	reply_error(&r->reply, status, "%s", why);
}

/*
 * An agent sends a log upload again until it is taken, the same bytes for
 * ever, and whatever is behind it waits: of one that is too long the beginning
 * is kept, and the intake says what becomes of it.
 */
static size_t wanted(struct request *r, size_t len)
{
	size_t left;

	if (r->discard) /* there may be no route */
		return 0;
	left = r->route->api.max_body - r->body.len;
	if (len > left && !r->route->beginning) {
		refuse_body(r, 413, "the body is too long");
		return 0;
	}
	len = len < left ? len : left;
	if (r->s->bodies + len > r->s->max.bodies) {
		refuse_body(r, 503, "too many uploads at a time");
		return 0;
	}
	return len;
}

static enum MHD_Result on_body(struct request *r, const char *ptr, size_t *len)
{
	struct server *s = r->s;
	size_t keep = wanted(r, *len);

	r->received += *len;
	conn_body(r->conn, r);
	if (r->discard && r->received > s->max.bodies)
		return MHD_NO; /* enough of that */
	buf_add(&r->body, ptr, keep);
	s->bodies += keep;
	*len = 0;
	return MHD_YES;
}

/* --- the whole request
 * ------------------------------------------------------------ */

static enum MHD_Result to_worker(struct request *r)
{
	r->pub.body = buf_str(&r->body);
	r->pub.received = r->received;
	if (r->received > r->body.len)
		metrics_refuse(r->s, REFUSE_BODY);
	r->stage = STAGE_WORK;
	if (work_push(r))
		return MHD_YES;
	metrics_refuse(r->s, REFUSE_BUSY);
	reply_error(&r->reply, 503, "too many requests at a time");
	return http_reply(r, false);
}

static enum MHD_Result on_whole(struct request *r)
{
	atomic_store(&r->conn->reading, false);
	conn_until(r->conn, -1);
	if (r->discard)
		return http_reply(r, false);
	switch (r->route->kind) {
	case KIND_POLL:
		return poll_handle(r);
	case KIND_STREAM:
		return stream_begin(r);
	case KIND_NOW:
		r->route->api.handle(r->s, &r->pub, &r->reply);
		return http_reply(r, false);
	case KIND_WORK:
	case KIND_API:
		break;
	}
	return to_worker(r);
}

/* --- what libmicrohttpd calls
 * ----------------------------------------------------- */

void *http_uri(void *user, const char *uri, struct MHD_Connection *mc)
{
	const union MHD_ConnectionInfo *info = mhd.MHD_get_connection_info(
		mc, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		die("out of memory: a request");
	r->s = user;
	r->conn = info->socket_context;
	r->mc = mc;
	r->uri = strdup(uri);
	if (!r->uri)
		die("out of memory: a request");
	r->began = server_now(r->s);
	r->pub.who = &r->who;
	r->pub.internals = r;
	r->s->in_flight++;
	conn_until(r->conn, r->s->max.header_ms);
	atomic_store(&r->conn->reading, true);
	return r;
}

enum MHD_Result http_access(void *user, struct MHD_Connection *mc,
	const char *url, const char *method, const char *version,
	const char *body, size_t *len, void **context)
{
	struct request *r = *context;

	(void)user, (void)mc, (void)url, (void)version;
	switch (r->stage) {
	case STAGE_LINE:
		return on_headers(r, method);
	case STAGE_BODY:
		return *len ? on_body(r, body, len) : on_whole(r);
	case STAGE_WAIT:
		return poll_handle(r);
	case STAGE_WORK:
	case STAGE_DONE:
		break;
	}
	return http_reply(r, false);
}

/* libmicrohttpd answers by itself what it can't read; 0: nothing was. */
static unsigned library_status(struct MHD_Connection *mc)
{
	const union MHD_ConnectionInfo *info = mhd.MHD_get_connection_info(
		mc, MHD_CONNECTION_INFO_HTTP_STATUS);

	return info ? info->http_status : 0;
}

void http_completed(void *user, struct MHD_Connection *mc, void **context,
	enum MHD_RequestTerminationCode why)
{
	struct request *r = *context;
	struct server *s = user;

	if (!r)
		return;
	atomic_store(&r->conn->reading, false);
	conn_until(r->conn, s->max.idle_ms);
	atomic_store(&r->conn->idle_at, server_now(s));
	if (!r->status)
		r->status = library_status(mc);
	metrics_count(
		s, r->route, r->status, server_now(s) - r->began, r->sent);
	access_log(s, r, why == MHD_REQUEST_TERMINATED_COMPLETED_OK);
	stream_end(r);
	drop_body(r);
	buf_release(&r->reply.body);
	buf_release(&r->reply.location);
	buf_release(&r->reply.cookie);
	free(r->allowed);
	free(r->uri);
	free(r);
	*context = NULL;
	s->in_flight--;
}
