/*
 * agent: the other side of the contract, many times in one process.
 *
 * A fleet is a number of agents that poll a bundle, activate it on our own
 * engine, decide, and send decision logs and status, as OPA agents do. All of
 * them live in one thread over one epoll: an agent is its state and, while it
 * waits for a change, one connection. Programs are shared by all agents that
 * have the same bundle. Uploads of all agents go through a few connections,
 * each with its agent's name.
 *
 * What an agent decides hangs on the seed, its number and how many decisions
 * it made before, and on nothing else: the same seed gives the same decisions
 * and the same latencies in the log. Ids and times are new each time.
 *
 *	fleet_new(&f, &config, e)
 *	while (go on)
 *		fleet_step(f, 50)
 *	fleet_counts(f, &counts)
 *	fleet_free(f)
 *
 * Faults play what goes wrong with a version or a host. A fault has a share:
 * of decisions for error, undefined, deny, allow, slow and lost, of agents for
 * silent and refuse.
 *
 * Plain HTTP only: it is for tests, demos and measuring, on one host.
 *
 * Source: OPA's bundle, status and decision log services, as seen with 1.22.2.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "signer/signer.h"

enum fault_kind {
	FAULT_ERROR,     /* the evaluation fails */
	FAULT_UNDEFINED, /* no result */
	FAULT_DENY,      /* false, or one violation */
	FAULT_ALLOW,     /* true, or no violation */
	FAULT_SLOW,      /* takes 100 times as long, as logged */
	FAULT_LOST,      /* decided, and never logged */
	FAULT_SILENT,    /* polls, and sends nothing */
	FAULT_REFUSE,    /* does not take the bundle */
	FAULTS,
};

/* "error", "lost", ... as `regatta simulate` has them; false: no such. */
bool fault_find(struct str name, enum fault_kind *out);

struct fault {
	enum fault_kind kind;
	double share;
	struct str revision; /* only with this one; empty: always */
};

/* Agents with the same labels. */
struct fleet_group {
	struct str name; /* agents are NAME-1, NAME-2, ... */
	unsigned count;
	const struct fleet_label {
		struct str key, value;
	} * labels;
	size_t nlabels;
};

enum fleet_event_kind {
	FLEET_ACTIVATED,
	FLEET_REFUSED, /* text says why */
	FLEET_FAILED,  /* a poll got no answer it can use; text */
};

struct fleet_event {
	enum fleet_event_kind kind;
	struct str target, revision, text;
	int64_t after_ns; /* since fleet_mark(), or the start */
};

struct fleet_config {
	const char *host, *port; /* "127.0.0.1", "8181" */
	struct str bundle;
	const struct fleet_group *groups;
	size_t ngroups;
	const struct str *paths; /* "authz/allow" */
	size_t npaths;
	const struct str *inputs; /* documents of JSON */
	size_t ninputs;
	const struct fault *faults;
	size_t nfaults;
	double rate;         /* decisions a second of each agent */
	unsigned wait_s;     /* of long polls; 0: none */
	int64_t poll_ns;     /* between polls that don't wait */
	int64_t upload_ns;   /* between uploads of decisions */
	size_t upload_limit; /* bytes of one, packed; 0: 1 MiB */
	int64_t status_ns;   /* between status uploads */
	const char *token;   /* bearer; NULL: none */
	/* What bundles must be signed with; NULL: nobody looks. */
	const struct verify_config *keys;
	uint64_t seed;
	const struct clock *clock; /* NULL: clock_system */
	void (*event)(void *user, const struct fleet_event *e); /* or NULL */
	void *user;
};

struct fleet;

/* What `c` points to must stay. E_IO: the host has no address. */
enum status fleet_new(struct fleet **out, const struct fleet_config *c,
	struct err *e) MUST_CHECK;
void fleet_free(struct fleet *f); /* NULL is fine */

/* Do what is due, and wait for more up to `ms`. */
void fleet_step(struct fleet *f, int ms);
/* No more decisions; what was decided is uploaded. */
void fleet_drain(struct fleet *f);
/* From now on activations are timed. */
void fleet_mark(struct fleet *f);

struct fleet_counts {
	unsigned agents;
	unsigned active;  /* run some bundle */
	unsigned waiting; /* in a long poll */
	uint64_t decided, logged, acknowledged, lost;
	uint64_t dropped;              /* logged, and too large for an upload */
	uint64_t uploads, pushed_back; /* answered 503 or not at all */
	uint64_t polls, activations, refusals, failures;
	uint64_t in_flight; /* logged, and neither acknowledged nor dropped */
};
/* As of the last fleet_step(): since the fleet was made. */
void fleet_counts(const struct fleet *f, struct fleet_counts *out);

/* How many agents run a revision. */
unsigned fleet_running(const struct fleet *f, struct str revision);
/* Each revision that some agent runs, and how many do. */
void fleet_revisions(const struct fleet *f,
	void (*visit)(void *user, struct str revision, unsigned agents),
	void *user);

/* --- answers (http.c), for tests -------------------------------------------
 */

struct http_answer {
	unsigned status;
	size_t length;   /* bytes of the body */
	struct str etag; /* as it stands there; empty: none */
	bool close;
	size_t head; /* bytes up to the body */
};

enum http_parsed { HTTP_MORE, HTTP_DONE, HTTP_BAD };

/*
 * Read the head of an answer. HTTP_MORE: it is not whole yet. HTTP_BAD: it is
 * none, has no length or is chunked, or is larger than 16 KiB.
 */
enum http_parsed http_answer_parse(struct http_answer *out, struct str text);

#endif
