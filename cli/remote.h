/*
 * remote: where an operation is done, and by whom.
 *
 * Every operation on versions, channels, rollouts and decisions is a row of
 * server/ops.h. A command finds its folder in this order:
 *
 *	--server URL, REGATTA_SERVER, `server:` in ./regatta.yaml
 *		HTTP, with the token in REGATTA_TOKEN
 *	--state DIR, REGATTA_STATE, ./var; where that is not there, the
 *	folder of the service that the package installs
 *		through the socket in it when a server runs there; when none
 *		does, or it does not answer within REMOTE_DEAF_MS, on the
 *		folder itself
 *
 * --state given beside a server that is only in the environment or the config
 * wins: what is nearer counts.
 *
 *	struct remote r = {.params = &p->remote};
 *	ARG(&r, "bundle", p->bundle);
 *	code = remote_call(&r, "rollback");     the document is in r.out
 *	...
 *	remote_release(&r);
 */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "cli/cli.h"
#include "server/ops.h"

enum {
	REMOTE_DEAF_MS = 3000,   /* of an operation that should be quick */
	REMOTE_QUICK_MS = 15000, /* of a change, over a network */
	REMOTE_MS = 60000,
	REMOTE_SLOW_MS = 24 * 3600 * 1000,
};

struct remote_params {
	const char *server, *state;
};

struct http;
struct service;

struct remote {
	const struct remote_params *params;
	bool create; /* make the folder when there is none */
	bool quiet;  /* print no failure */
	struct arena a;
	struct op_arg *args;
	uint32_t nargs, cap;
	struct str body; /* raw bytes */
	const char *key; /* of idempotency; NULL: none */
	struct buf out;  /* the document of the last call */

	/* How it was found; kept between calls. */
	enum {
		PLACE_NOT_FOUND,
		PLACE_SERVER,
		PLACE_SOCKET,
		PLACE_FOLDER
	} place;
	const char *url, *dir, *socket;
	struct http *http;
	struct service *service;
};

/* Where the unit of systemd keeps the state; see unit.c. */
#define SERVICE_STATE "/var/lib/regatta"

/* The state folder: `given`, else REGATTA_STATE, else "var". */
const char *remote_folder(const char *given);

/* Add an argument; NULL and false are left out. */
void remote_text(struct remote *r, const char *name, const char *value);
void remote_bool(struct remote *r, const char *name, bool value);
void remote_list(struct remote *r, const char *name, const struct list *values);
void remote_duration(struct remote *r, const char *name, int64_t ns);
void remote_int(struct remote *r, const char *name, int64_t n);
/* Forget the arguments, for another call. */
void remote_reset(struct remote *r);

/*
 * Do it. Returns what the command exits with. On a failure the sentence has
 * been printed, and `out` holds the document of the error.
 */
int remote_call(struct remote *r, const char *op);
/* The document is of an error, or there is none. */
bool remote_failed(const struct remote *r);
void remote_release(struct remote *r);

/* "the server https://...", "the server on ./var", "./var": for messages. */
const char *remote_where(const struct remote *r);

#endif
