/*
 * internal: what the files of the agents share.
 *
 *	http.c      a client that never waits
 *	program.c   bundles, compiled once for all who have them
 *	event.c     what is sent: decisions and status
 *	upload.c    how it is cut into uploads, and when it is tried again
 *	fleet.c     agents, and the loop
 */
#ifndef AGENT_INTERNAL_H
#define AGENT_INTERNAL_H

#include "agent/agent.h"
#include "base/arena.h"
#include "bundler/bundler.h"
#include "rego/rego.h"

#include <netdb.h>

enum { ANSWER_MAX = 64 << 20, HEAD_MAX = 16384 };

/* --- http.c -----------------------------------------------------------------
 */

struct loop {
	int epoll;
	struct sockaddr_storage to;
	socklen_t tolen;
	int family;
};

enum link_state { LINK_CLOSED, LINK_CONNECTING, LINK_SENDING, LINK_READING };

/* One connection, one request at a time. */
struct link {
	struct loop *loop;
	int fd;
	enum link_state state;
	bool kept;      /* has had an answer, so it may be stale */
	struct buf out; /* the request */
	size_t sent;
	struct buf in;
	struct http_answer answer;
	bool has_head;
	int64_t deadline_ns; /* mono */
	/* The answer, or NULL: there is none. The body lives during the call.
	 */
	void (*done)(
		struct link *l, const struct http_answer *a, struct str body);
	void *user;
};

/* l->out holds the request. */
void link_send(struct link *l, int64_t deadline_ns);
void link_ready(struct link *l, uint32_t events);
void link_close(struct link *l);

/* --- program.c --------------------------------------------------------------
 */

struct program {
	struct program *next;
	char digest[65];
	struct bundle bundle;
	struct str revision;
	struct str refusal; /* why it can't be activated; empty: it can */
	struct rego_engine *engine;
	struct rego_vm *vm;
	struct rego_query **queries; /* by path of the config */
	struct value *inputs;        /* by input of the config */
	size_t size;                 /* bytes of the archive */
	unsigned users;
};

/* By the archive's "sha256:<hex>"; NULL: not loaded. */
struct program *program_find(struct program *list, const char *digest);
/* Always gives one; it may have a refusal. */
struct program *program_new(
	const struct fleet_config *c, const char *digest, struct str bytes);
void program_free(struct program *p);

enum decided { DECIDED, DECIDED_UNDEFINED, DECIDED_ERROR };

/* The result as JSON, or the error's. */
enum decided program_decide(
	struct program *p, size_t path, size_t input, struct buf *out);

/* --- upload.c ---------------------------------------------------------------
 */

/* The wait after n failures in a row and one more; `chance` from 0 to 1. */
int64_t back_off_ns(unsigned n, int64_t max_ns, double chance);

struct log {
	size_t limit; /* bytes of one upload */
	/* One is to be sent; `packed` may be taken away. */
	void (*full)(void *user, struct buf *packed, uint64_t events);
	void *user;
	struct buf text;  /* events, with commas between */
	uint64_t n;       /* of those */
	size_t soft;      /* bytes at which an upload is full; 0: not yet set */
	uint64_t dropped; /* larger than an upload, each by itself */
};
/* Append an event, which is copied; a chunk that is full goes out. */
void log_add(struct log *l, struct str event);
/* What waits goes out as it is. */
void log_flush(struct log *l);

/* --- event.c ----------------------------------------------------------------
 */

enum { BUCKETS = 10 };

/* Requests that were answered, by how long that took. */
struct answered {
	uint64_t n, at[BUCKETS]; /* at: not more than the bucket's bound */
	double seconds;
};
void answered_add(struct answered *a, int64_t ns);

struct agent {
	struct fleet *fleet;
	struct link poll;
	struct str name, id; /* id: of this run */
	const struct fleet_group *group;
	struct program *program; /* NULL: none yet */
	char etag[80];
	struct str error;   /* of the last poll or activation */
	unsigned http_code; /* or what the server answered; 0: nothing wrong */
	unsigned poll_fails, log_fails; /* in a row */
	int64_t asked_at, took_ns;      /* mono; of the last poll */
	int64_t asked_ns, answered_ns, downloaded_ns; /* wall; 0: never */
	bool waits;                                   /* a poll that holds */
	int64_t poll_at, upload_at, status_at; /* mono; INT64_MAX: not now */
	int64_t activated_ns;                  /* wall */
	bool silent, refuses;                  /* by its share */
	uint64_t rng;
	double credit;                   /* decisions that are due */
	struct answered decided, failed; /* with 200, with 500 */
	struct log log;
	int64_t log_at;     /* mono; no upload of decisions before */
	bool sending, sent; /* one is on its way; there was one */
	unsigned log_code;  /* what the last was answered; 0: nothing, or 2xx */
	bool log_lost;      /* it was not answered */
};

struct event {
	const struct agent *a;
	struct str path, input;
	enum decided kind;
	struct str result; /* or the error */
	int64_t wall_ns, took_ns;
	uint64_t serial;
};

/* Append one event as OPA logs it; `random` becomes its decision_id. */
void event_write(struct buf *out, const struct event *e,
	const struct fleet_config *c, const unsigned char random[16]);
/* Append the body of a status upload, as OPA's, with its counters. */
void status_write(
	struct buf *out, const struct agent *a, const struct fleet_config *c);
/* gzip, as OPA sends it. */
void gzip_write(struct buf *out, struct str text);

#endif
