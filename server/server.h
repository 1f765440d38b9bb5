/*
 * server: one HTTP service for stock OPA agents and for people.
 *
 * Agents fetch bundles from it, with or without long polling, and post their
 * decision logs and status. What it serves and what becomes of what it gets
 * is handed in: nothing in this folder knows a policy, a channel or a
 * database.
 *
 *	GET  /bundles/{name...}          config.answer, config.content
 *	POST /logs[/{partition...}]      config.intake
 *	POST /status[/{partition...}]    config.status
 *	GET  /healthz /readyz /metrics
 *	GET  /events                     text/event-stream: look again
 *	     and the rows of config.api
 *
 * Each of the first three also below /t/{target}, which names who asks.
 *
 * Agents believe much of what a server says, so its manners are fixed here:
 * identical bytes have the identical strong ETag; 304 answers only the first
 * tag an agent sends, and only that very tag; a waiting poll is held for its
 * whole wait, answered at once when its answer changes, and gets 503 when it
 * can't be held, never an early 304; nothing is sent with Content-Encoding.
 *
 * libmicrohttpd is opened at the first server_start() (base/lib.h).
 *
 * Source: OPA's bundle, status and decision log services (docs, "Bundles",
 * "Status", "Decision Logs"); RFC 9110, 9112, 7240.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"

/* --- who asks ------------------------------------------------------------ */

enum server_role {
	SERVER_AGENT = 1 << 0, /* its own target's bundle, log and status */
	SERVER_CI = 1 << 1,
	SERVER_RELEASE = 1 << 2,
	SERVER_ONCALL = 1 << 3,
	SERVER_VIEWER = 1 << 4,
	SERVER_EVERYONE = (1 << 5) - 1,
	SERVER_READERS = SERVER_EVERYONE & ~SERVER_AGENT, /* may look */
};

/* By name ("agent"); 0 when there is none. */
unsigned server_role_find(struct str name);
const char *server_role_name(unsigned role);

enum {
	SERVER_NAME_MAX = 64,    /* bytes of a token's name */
	SERVER_TARGET_MAX = 128, /* bytes of a target's id */
	SERVER_DIGEST_HEX = 64,
	SERVER_PARAMS = 4, /* of one route */
};

/* What named the target; the first that does wins. */
enum server_named {
	SERVER_NOBODY,
	SERVER_BY_TOKEN,
	SERVER_BY_HEADER, /* X-Regatta-Target */
	SERVER_BY_PATH,   /* /t/{target}/ or ?target= */
	SERVER_BY_LABEL,  /* in a body */
};

struct server_who {
	unsigned roles; /* what this request may */
	bool local;     /* through the UNIX socket: its file's permission */
	char token[SERVER_NAME_MAX + 1];    /* its name; "" without one */
	char target[SERVER_TARGET_MAX + 1]; /* ""; a nobody */
	enum server_named by;
	bool disagrees; /* something else was claimed beside it */
	bool session;   /* by a browser's cookie: it only looks */
};

/*
 * A target's id: 1 to 128 of A-Z a-z 0-9 . _ - : @. What is left of an unset
 * variable in an agent's configuration, "${NODE}", is none.
 */
bool server_target_valid(struct str id);

/*
 * A body's label claims `id` too: it names a nobody, and is noted where it
 * disagrees with what is known. For who reads the bodies of logs and status.
 */
void server_who_label(struct server_who *who, struct str id);

/* --- tokens -------------------------------------------------------------- */

/*
 * The tokens file: JSON that says who may what. A token is "rgt_" and 64
 * hexadecimal digits; the file has its SHA-256 alone. Files are replaced whole,
 * with mode 0600; a running server notices within 200 ms.
 */
struct server_token {
	char name[SERVER_NAME_MAX + 1];     /* unique */
	unsigned role;                      /* one of enum server_role */
	char target[SERVER_TARGET_MAX + 1]; /* or "" */
	unsigned char sha256[32];
};

struct server_tokens {
	struct server_token *items; /* in the order of sha256 */
	size_t len;
};

enum { SERVER_TOKEN_LEN = 68, SERVER_TOKEN_RANDOM = 32 };

/*
 * The text of the token file. *out is a copy, for server_tokens_release();
 * E_INVALID names the token that is wrong.
 */
enum status server_tokens_parse(
	struct server_tokens *out, struct str text, struct err *e) MUST_CHECK;
/* A file that is not there has no tokens. */
enum status server_tokens_read(struct server_tokens *out, const struct fs *fs,
	const char *path, struct err *e) MUST_CHECK;
void server_tokens_write(const struct server_tokens *t, struct buf *out);
void server_tokens_release(struct server_tokens *t);

/* Takes the same time for every token that is not there. NULL: unknown. */
const struct server_token *server_token_find(
	const struct server_tokens *t, struct str token);

/*
 * Add a token to the file and append its text to `out`: the only time it is
 * seen. `random` is fresh randomness. E_EXISTS: a name that is taken.
 * E_INVALID: a name that is none; a target with a role other than agent.
 */
enum status server_token_add(const struct fs *fs, const char *path,
	const char *name, unsigned role, const char *target,
	const unsigned char random[SERVER_TOKEN_RANDOM], struct buf *out,
	struct err *e) MUST_CHECK;
enum status server_token_revoke(const struct fs *fs, const char *path,
	const char *name, struct err *e) MUST_CHECK;

/* --- what is handed in -----------------------------------------------------
 */

/* A request, as handlers see it; strings live during the call. */
struct server_request {
	struct str method;
	struct str path;                  /* decoded, without /t/{target} */
	struct str query;                 /* as sent, without "?" */
	struct str params[SERVER_PARAMS]; /* {names} of the route, in order */
	struct str encoding;              /* Content-Encoding */
	struct str body;
	/* Bytes that came. Of a log upload longer than limits.log_body only
	 * the first so many are in `body`. */
	uint64_t received;
	const struct server_who *who;
	const struct server_route *route; /* of the API, else NULL */
	void *internals;
};

/* The first header of this name; false when there is none. */
bool server_header(
	const struct server_request *req, const char *name, struct str *value);
/* Append the decoded value of the first query member of this name. */
bool server_query(
	const struct server_request *req, const char *name, struct buf *value);

struct server_reply {
	unsigned status;  /* 200 unless it is set */
	const char *type; /* static; NULL: application/json */
	const char *etag; /* copied; NULL: none */
	bool keep;        /* caches may keep it for ever; else none may */
	int exit;         /* sent as Regatta-Exit, what a command ends with */
	unsigned retry_s; /* Retry-After of a 503; 0: 1 */
	struct buf body;  /* the server releases these */
	struct buf location, cookie; /* of 303; Set-Cookie; empty: none */
};

/* --- sessions --------------------------------------------------------------
 *
 * A browser can't send a token with each request, so it trades one for a
 * cookie: random bytes that say nothing, of which this process alone keeps the
 * SHA-256, for 12 hours at most. With the cookie come the rights of the token,
 * to look and no more: it counts for GET below config.api and for /events.
 * It ends with the token, and with the process.
 */

/*
 * Begin one in `reply`. 0, or the status that says why not: 401, no such token;
 * 403, a token that may not look.
 */
unsigned server_sign_in(const struct server_request *req, struct str token,
	struct server_reply *reply);
/* End the request's, if it has one. */
void server_sign_out(
	const struct server_request *req, struct server_reply *reply);

/* ?key=value of a poll's URL: what an agent claims of itself. */
struct server_label {
	struct str key, value; /* as sent */
};

/*
 * Which bundle a poll gets. Called in the serving threads, at every poll and
 * for each waiting poll at server_bundle_changed(): quick, and pure; it
 * calls nothing of the server. Strings live during the call.
 */
struct server_ask {
	struct str bundle;
	const struct server_who *who;
	const struct server_label *labels;
	size_t nlabels;
	struct str
		holds; /* digest that the agent says it has active, or empty */
	bool again;    /* this poll waits, and has had an answer before */
};

enum server_choice {
	SERVER_NO_BUNDLE,   /* 404 */
	SERVER_BUNDLE,      /* `digest` */
	SERVER_UNAVAILABLE, /* 503: not known now; the agent keeps what it has
			     */
};

struct server_answer {
	enum server_choice choice;
	char digest[SERVER_DIGEST_HEX + 1]; /* SHA-256 of the bytes, hex */
};

enum server_stored {
	SERVER_STORED, /* 200 with the reply's body; safely kept */
	SERVER_BUSY,   /* 503; the agent sends it again */
};

/* One row of the API. Handlers run in worker threads and may block. */
struct server_route {
	const char *method;
	/* "/v1/x/{id}/y"; {id} is one segment, {id...} at the end all. */
	const char *pattern;
	unsigned roles;  /* any of them; 0: everybody, without a token too */
	size_t max_body; /* bytes */
	void (*handle)(void *user, const struct server_request *req,
		struct server_reply *reply);
	const void *data; /* of the handler */
};

/* 0 stands for what is in brackets. */
struct server_limits {
	/* [12,000] less where files are few. From nine tenths on, the oldest
	 * that only hold a place are closed. */
	unsigned connections;
	unsigned per_address;      /* connections [no limit] */
	unsigned waits;            /* polls that wait at a time [11,000] */
	unsigned waits_per_target; /* [16] */
	unsigned streams;          /* of /events; they are waits too [256] */
	unsigned wait_max_s;       /* longer waits are cut to it [60] */
	unsigned threads;          /* that serve [2] */
	unsigned workers;          /* that run handlers [4] */
	unsigned queue;            /* handlers waiting for a worker [1,024] */
	unsigned headers;          /* lines of one request [64] */
	size_t header_bytes;       /* of one request [16 KiB, at most that] */
	int64_t header_ms; /* to the end of the headers, or first byte [10 s] */
	int64_t idle_ms;   /* of a connection between requests [180 s] */
	int64_t body_idle_ms; /* without a byte of the body [10 s] */
	int64_t body_ms;      /* for the whole body [60 s] */
	size_t rate;          /* bytes a second, asked after 10 s [1 KiB] */
	size_t send_rate;     /* of answers, asked after 30 s [16 KiB] */
	size_t log_body;      /* kept of one log upload [16 MiB] */
	size_t status_body;   /* [4 MiB] */
	size_t bodies;        /* bytes held of all uploads [64 MiB] */
	size_t blobs;         /* bytes of bundles kept in memory [256 MiB] */
	int64_t drain_ms;     /* for requests in flight at a stop [10 s] */
};

struct server_config {
	const char *listen; /* "127.0.0.1:8181", "[::1]:0"; NULL: none */
	const char *tls_cert, *tls_key; /* PEM files; NULL: no TLS */
	const char *tokens;             /* file; NULL: there are no tokens */
	const char *socket;             /* path of a UNIX socket; NULL: none */
	bool insecure;      /* listen beyond loopback without TLS and tokens */
	unsigned anonymous; /* roles of a request without a token */
	unsigned tokenless; /* and more of them until there is a first token */
	struct server_limits limits;
	const struct fs *fs;
	const struct clock *clock; /* NULL: clock_system */

	void *user; /* first argument of all below */
	void (*answer)(void *user, const struct server_ask *ask,
		struct server_answer *out);
	/*
	 * Append the bytes of a digest, once while they are kept in memory.
	 * Called in the serving threads: from local files.
	 */
	enum status (*content)(
		void *user, struct str digest, struct buf *out, struct err *e);
	/*
	 * Whether a log upload's body is worth reading; in serving threads: be
	 * quick. False: it has made the reply. NULL: it is.
	 */
	bool (*admit)(void *user, const struct server_who *who,
		struct server_reply *reply);
	/* Uploads; in worker threads. params[0] is the partition or empty. */
	enum server_stored (*intake)(void *user,
		const struct server_request *req, struct server_reply *reply);
	enum server_stored (*status)(void *user,
		const struct server_request *req, struct server_reply *reply);
	/* May be NULL: */
	/*
	 * A refusal, before any handler, of who accepts HTML: `reply` has its
	 * status, and {"error": ...} as body. In the serving threads.
	 */
	void (*refused)(void *user, const struct server_request *req,
		struct server_reply *reply);
	/*
	 * For /readyz: whether agents get bundles here. `why` not; or what
	 * does not work though it is.
	 */
	bool (*ready)(void *user, struct buf *why);
	void (*metrics)(void *user, struct buf *out); /* more of them */
	/* One line of JSON a request, with its line end; many threads. */
	void (*log)(void *user, struct str line);
	/* What an operator must know, one line; many threads. */
	void (*warn)(void *user, const char *text);
	const struct server_route *api;
	size_t napi;
};

struct server;

/*
 * Start to listen; requests are answered when this returns. `cfg` is copied,
 * what it points to must stay. E_DENIED: an address beyond loopback without
 * TLS and tokens. E_CONFLICT: the socket belongs to a server that runs.
 */
enum status server_start(struct server **out, const struct server_config *cfg,
	struct err *e) MUST_CHECK;

/* Where it listens; 0 without a TCP address. */
unsigned server_port(const struct server *s);

/*
 * The answer of `bundle` (NULL: of any) may have changed for some: waiting
 * polls whose answer is another one get it now. Any thread.
 */
void server_bundle_changed(struct server *s, const char *bundle);

/*
 * Take no new connections, answer waiting polls 503 (an early 304 would be a
 * lie), finish what is in flight for up to limits.drain_ms, and end. Returns
 * how many requests were cut. Frees `s`; NULL is fine.
 */
unsigned server_stop(struct server *s);

/* For tests and metrics: polls that wait now. */
unsigned server_waiting(struct server *s);

#endif
