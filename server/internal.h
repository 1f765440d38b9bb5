/*
 * internal: what the files of the server share.
 *
 * A connection (struct conn) lives from accept to close and has a deadline; a
 * request (struct request) lives on one from its first line to its last byte.
 * libmicrohttpd's threads own both. Two others look in: the ticker (server.c)
 * cuts connections past their deadline and wakes polls, workers (work.c) run
 * handlers. Locks, none taken inside another but as listed:
 *
 *	conns_lock	the list of connections; their sockets stay open
 *	waits_lock	who waits; polls are resumed under it
 *	jobs_lock	the queue of handlers
 *	blobs_lock	bundles in memory
 *	tokens_lock	the tokens in force
 *	sessions_lock	who signed in
 */
#ifndef SERVER_INTERNAL_H
#define SERVER_INTERNAL_H

#include "server/mhd.h"
#include "server/server.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
	LABELS_MAX = 16,    /* of one poll */
	WHEEL_SLOTS = 4096, /* of WHEEL_TICK: 80 s around */
	TARGET_SLOTS = 1 << 16,
	SESSIONS = 256,
	SESSIONS_PER_TOKEN = 16,
};
#define WHEEL_TICK (20 * NS_PER_MS)
#define NO_DEADLINE INT64_MAX
#define BUNDLE_TYPE "application/vnd.openpolicyagent.bundles"

struct conn {
	struct server *s;
	struct conn *next, **link;
	int fd;
	bool local; /* through the UNIX socket */
	bool plain; /* no TLS */
	char address[64];
	_Atomic int64_t deadline; /* clock_mono(); then it is cut */
	atomic_bool reading;      /* a request has begun and is not whole */
	_Atomic int64_t idle_at;  /* since when it only holds a place; or 0 */
	bool cut;
};

enum route_kind {
	KIND_POLL,
	KIND_STREAM,
	KIND_NOW,  /* ours, in the serving thread: `user` is the server */
	KIND_WORK, /* ours, in a worker */
	KIND_API,  /* the caller's, in a worker: `user` is config.user */
};

/* A row of what is served: ours or the API's. */
struct route {
	struct server_route api;
	enum route_kind kind;
	const char *label; /* in metrics and logs */
	bool beginning;    /* of a body that is too long, the start is taken */
};

/* Where a request stands. */
enum stage {
	STAGE_LINE, /* the request line came */
	STAGE_BODY,
	STAGE_WAIT, /* suspended: in the wheel */
	STAGE_WORK, /* suspended: with a worker */
	STAGE_DONE, /* the reply is made or queued */
};

enum wake { WAKE_NOT, WAKE_DUE, WAKE_CHANGED, WAKE_GONE, WAKE_STOP };

struct request {
	struct server *s;
	struct conn *conn;
	struct MHD_Connection *mc;
	char *uri; /* as sent, cut apart; query points into it */
	enum stage stage;
	const struct route *route;
	struct server_request pub;
	struct server_who who;
	struct server_reply reply;
	char *allowed;   /* methods, of a 405; or NULL */
	unsigned status; /* queued */
	size_t sent;     /* bytes of the body queued */
	int64_t began;   /* clock_mono() */

	/* the body */
	struct buf body;
	uint64_t received; /* bytes, kept or not */
	int64_t body_began;
	bool discard; /* refused: read on, keep nothing */

	/* a poll */
	struct request *next, **link; /* in a slot of the wheel */
	int64_t due;                  /* clock_mono(); 0: no wait asked */
	enum wake wake;
	char tag[SERVER_DIGEST_HEX + 3]; /* the tag it holds, quoted */
	struct server_label labels[LABELS_MAX];
	size_t nlabels;

	/* a stream, which waits as a poll does */
	bool streams;     /* it is counted as one */
	uint64_t changes; /* it has told of */

	/* a job */
	struct request *after;
};

/* What a cookie stands for. */
struct session {
	unsigned char id[32];    /* SHA-256 of the cookie's value */
	unsigned char token[32]; /* and of the token it was traded for */
	int64_t until;           /* server_now(); 0: a free place */
};

struct server {
	struct server_config cfg;
	struct server_limits max;
	struct MHD_Daemon *tcp, *local;
	int tcp_fd, local_fd, lock_fd;
	unsigned port;
	struct buf cert, key;
	atomic_bool stopping;

	pthread_mutex_t conns_lock;
	struct conn *conns;
	_Atomic unsigned nconns;
	_Atomic unsigned in_flight; /* requests begun and not completed */

	pthread_mutex_t waits_lock;
	struct request *wheel[WHEEL_SLOTS];
	int64_t turned; /* ticks the wheel has gone */
	_Atomic unsigned waiting;
	_Atomic unsigned streams;
	_Atomic uint64_t changes; /* of bundles; before a poll waits */
	uint16_t *per_target;     /* waits by hash of the id */
	int gone_fd;              /* epoll: sockets of waiting polls */

	pthread_mutex_t jobs_lock;
	pthread_cond_t jobs_more;
	struct request *first, **last;
	unsigned njobs;
	bool jobs_end;
	pthread_t *workers;
	unsigned nworkers;

	pthread_mutex_t blobs_lock;
	struct blob *blobs;
	size_t blob_bytes;

	pthread_rwlock_t tokens_lock;
	struct server_tokens tokens;
	atomic_bool had_tokens; /* then who has none is nobody for good */
	struct tokens_seen {
		int64_t sec, nsec;
		uint64_t inode, size;
	} tokens_seen;

	pthread_mutex_t sessions_lock;
	struct session sessions[SESSIONS];

	pthread_t ticker;
	bool ticking;
	atomic_bool end;

	struct route *routes;
	size_t nroutes;
	struct metrics *metrics;
	_Atomic size_t bodies; /* bytes held */
};

/* --- url.c: what the request line names --------------------------------- */

/*
 * Decode a path in place, once. E_INVALID: an escape that is none, or of "/",
 * NUL or another control character; empty, "." or ".." segments.
 */
enum status url_path(char *path, struct err *e) MUST_CHECK;
/* Append a decoded query value; false when it is none. */
bool url_value(struct buf *out, struct str raw);
/* Take the next member off a query. */
bool url_next(struct str *query, struct str *key, struct str *value);
/* Whether `path` is of `pattern`; then its {names} are in params. */
bool url_match(
	const char *pattern, struct str path, struct str params[SERVER_PARAMS]);
bool url_bundle_valid(struct str name);

/* --- field.c: header fields we read ------------------------------------------
 */

/* Without spaces and tabs around it. */
struct str field_trim(struct str s);
/* Seconds of `wait` in a Prefer field; 0 without one, UINT_MAX when huge. */
unsigned field_wait(struct str prefer);
/* The first member of an If-None-Match, as it is written; empty: none. */
struct str field_first_tag(struct str list);
/* The credentials of "Bearer <credentials>"; false for anything else. */
bool field_bearer(struct str authorization, struct str *token);
/* The value of the first cookie of this name; empty: none. */
struct str field_cookie(struct str cookies, struct str name);

/* --- who.c -------------------------------------------------------------------
 */

enum who_verdict { WHO_OK, WHO_UNKNOWN, WHO_NOT_ALLOWED };

/* What a request says of itself; empty: nothing. */
struct who_claims {
	struct str token, header, path;
	bool has_token, local;
	bool session; /* without a token: that of `sum` signed in */
	unsigned char sum[32];
};
/*
 * Who that is and whether one of `roles` is theirs. `tokens` is NULL where the
 * server has none.
 */
enum who_verdict who_resolve(struct server_who *who,
	const struct who_claims *claims, const struct server_tokens *tokens,
	unsigned anonymous, unsigned roles);

/* --- token.c
 * ------------------------------------------------------------------ */

/* The token of this SHA-256, in the same time whichever it is; or NULL. */
const struct server_token *token_of(
	const struct server_tokens *t, const unsigned char sum[32]);
/* Read the tokens again if the file is another one; at the start too. */
void tokens_refresh(struct server *s);

/* --- session.c
 * ---------------------------------------------------------------- */

/* Whether a request has a cookie that counts; then the token's SHA-256. */
bool session_find(const struct request *r, unsigned char token[32]);

/* --- listen.c
 * ------------------------------------------------------------------ */

/* Refused where the configuration would let strangers in; says why. */
enum status listen_tcp(struct server *s, struct err *e) MUST_CHECK;
enum status listen_local(struct server *s, struct err *e) MUST_CHECK;
void listen_close(struct server *s); /* removes the socket's file */

/* --- conn.c
 * ----------------------------------------------------------------------- */

/*
 * For libmicrohttpd: a connection came or is gone, of a port or of the local
 * socket.
 */
void conn_notify(void *user, struct MHD_Connection *mc, void **context,
	enum MHD_ConnectionNotificationCode what);
void conn_notify_local(void *user, struct MHD_Connection *mc, void **context,
	enum MHD_ConnectionNotificationCode what);
/* For libmicrohttpd: whether there is room for one more connection. */
enum MHD_Result conn_allow(
	void *user, const struct sockaddr *address, socklen_t len);
void conn_until(struct conn *c, int64_t ms); /* from now; <0: no deadline */
/* The deadline of a body, from what came of it. */
void conn_body(struct conn *c, const struct request *r);
void conn_cut_late(struct server *s);
/* Now and then: places for who comes, from those who only hold one. */
void conn_make_room(struct server *s);

/* --- http.c
 * ------------------------------------------------------------------------ */

/*
 * For libmicrohttpd, of each request in this order: its line came (gives the
 * struct request), then its headers and each part of its body, then it is
 * over, however that was.
 */
void *http_uri(void *user, const char *uri, struct MHD_Connection *mc);
enum MHD_Result http_access(void *user, struct MHD_Connection *mc,
	const char *url, const char *method, const char *version,
	const char *body, size_t *len, void **context);
void http_completed(void *user, struct MHD_Connection *mc, void **context,
	enum MHD_RequestTerminationCode why);
/* A header's value as long as the request; empty: not there. */
struct str http_field(const struct request *r, const char *name);
/* Make {"error": {"code", "exit", "text"}} the reply. */
void reply_error(struct server_reply *reply, unsigned status, const char *fmt,
	...) PRINTF(3, 4);
/* What r->reply says of itself, as headers. */
void http_headers(const struct request *r, struct MHD_Response *response);
/* Queue r->reply, and say that the connection ends with it if it does. */
enum MHD_Result http_reply(struct request *r, bool close);
/* Queue a response that is shared: its headers are all there. */
enum MHD_Result http_queue(struct request *r, unsigned status,
	struct MHD_Response *response, size_t bytes);

/* --- route.c
 * ------------------------------------------------------------------------- */

/* The table that route_find() looks in; once, before the first request. */
void routes_make(struct server *s);
/* NULL: none. *allowed has the methods of the path then, or is empty. */
const struct route *route_find(
	struct request *r, struct str method, struct buf *allowed);

/* Whether its body is worth reading; the reply is made if it is not. */
bool route_admits(struct request *r);

/* --- poll.c
 * -----------------------------------------------------------------------------
 */

enum waits { WAITS, WAITS_TOO_MANY, WAITS_STALE };

/* Answer a poll, or make it wait; after a wait too. */
enum MHD_Result poll_handle(struct request *r);
/* Suspend a request till r->due, unless there were more changes than these. */
enum waits poll_wait(struct request *r, uint64_t changes);
/* Due polls, and those whose client went away. */
void poll_tick(struct server *s, int timeout_ms);
void poll_stop(struct server *s); /* answer all that wait with 503 */

/* --- stream.c
 * ---------------------------------------------------------------------------
 */

/* Answer with a stream of server-sent events, which stays open. */
enum MHD_Result stream_begin(struct request *r);
void stream_end(struct request *r); /* of any request */

/* --- blob.c
 * ------------------------------------------------------------------------------
 */

/*
 * Queue the bytes of `digest` (200), or that they are the same (304). They are
 * read on first use, and checked.
 */
enum status blob_queue(struct request *r, const char *digest, unsigned status,
	enum MHD_Result *queued, struct err *e) MUST_CHECK;
void blobs_release(struct server *s);

/* --- work.c
 * -----------------------------------------------------------------------------
 */

/* Suspend it and queue it for a worker; false: the queue is full. */
bool work_push(struct request *r);
void work_start(struct server *s);
void work_stop(struct server *s); /* after the last job */

/* --- metrics.c
 * ----------------------------------------------------------------------- */

enum refusal {
	REFUSE_CONNECTIONS,
	REFUSE_SLOW,
	REFUSE_FRAMING,
	REFUSE_HEADERS,
	REFUSE_BODY,
	REFUSE_BUSY,
	REFUSE_TOKEN,
	REFUSE_ROLE,
	REFUSE_KINDS,
};
/* Once, when the routes are known. */
void metrics_new(struct server *s);
void metrics_count(struct server *s, const struct route *route, unsigned status,
	int64_t ns, size_t bytes);
void metrics_refuse(struct server *s, enum refusal why);
void metrics_mismatch(struct server *s);
void metrics_write(struct server *s, struct buf *out);
void access_log(struct server *s, const struct request *r, bool whole);

int64_t server_now(const struct server *s); /* clock_mono() */
/* A line for the server's operator; without a place for it, nowhere. */
void server_warn(const struct server *s, const char *fmt, ...) PRINTF(2, 3);

#endif
