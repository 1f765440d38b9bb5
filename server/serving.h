/*
 * serving: what the files of a service share.
 *
 *	service.c   the folder: what is open
 *	shown.c     what polls are answered from
 *	outcomes.c  how decisions in the log are read
 *	uploads.c   decision logs and status that come in
 *	serve.c     threads, start and stop
 *	api.c       operations over HTTP
 *	ops.c       the table of operations; op_<family>.c what they do
 */
#ifndef SERVER_SERVING_H
#define SERVER_SERVING_H

#include "canary/notify.h"
#include "canary/rollout.h"
#include "server/service.h"
#include "server/service_ops.h"

#include <pthread.h>
#include <stdatomic.h>

enum { SERVICE_THREADS = 3 };

/* One channel as polls see it. */
struct shown_channel {
	struct channel c;
	struct channel_rules rules;
	bool by_labels; /* a pin selects by labels */
};

struct shown {
	struct arena arena;
	struct shown_channel *channels; /* by name */
	size_t n;
	int64_t next_ns; /* when a pin ends, and answers change; or INT64_MAX */
};

struct service {
	const char *dir;
	const struct fs *fs;
	const struct clock *clock;
	struct arena arena;
	int busy_ms;

	pthread_mutex_t state_lock;
	struct state *state;

	pthread_mutex_t open_lock; /* for what is opened when it is used */
	struct store *store;
	struct decisions *decisions;
	struct service_disk disk;
	bool decisions_write;
	struct note_key *log_key;

	/* While it runs: */
	struct server *server;
	struct server_config caller; /* its log and warn, with its user */
	struct target_book *book;
	struct rollout_engine *engine;
	struct notifier *notifier; /* NULL: nobody is told */
	struct state *watch;       /* the keeper's own connection */
	pthread_rwlock_t shown_lock;
	struct shown *shown;
	bool rules_due; /* the log has not all of them; the keeper's */
	struct server_route *routes;
	_Atomic int64_t complained; /* of an upload; clock_mono() */

	pthread_mutex_t diff_lock; /* the diff that a page showed last */
	struct buf diff_of, diff;

	pthread_mutex_t wake_lock;
	pthread_cond_t wake;
	bool kicked, woken, end; /* the keeper, the driver, all */
	pthread_t threads[SERVICE_THREADS];
	unsigned nthreads;
};

/*
 * A line for the operator, to the warn() that the service was given, or
 * nowhere.
 */
void service_warn(struct service *s, const char *fmt, ...) PRINTF(2, 3);

/* --- shown.c ----------------------------------------------------------------
 */

/* Read the channels again, if any changed. */
enum status shown_refresh(struct service *s, struct err *e) MUST_CHECK;
void shown_free(struct shown *x);
/* The hooks of server.h; `user` is the service. */
void shown_answer(
	void *user, const struct server_ask *ask, struct server_answer *out);
enum status shown_content(
	void *user, struct str digest, struct buf *out, struct err *e);
/* Whether a target has a candidate of any bundle now. */
bool shown_canary(struct service *s, struct str target);

/* --- uploads.c --------------------------------------------------------------
 */

/*
 * For struct server_config: whether the disk has room for a body now, before
 * it is read. False: *reply says so.
 */
bool upload_admit(
	void *user, const struct server_who *who, struct server_reply *reply);
/* For struct server_config: a body of decision logs, and a status. */
enum server_stored upload_logs(void *user, const struct server_request *req,
	struct server_reply *reply);
enum server_stored upload_status(void *user, const struct server_request *req,
	struct server_reply *reply);

/* --- outcomes.c --- */

/* The rules of every version of these channels, as far as they are new. */
enum status outcomes_versions(
	struct service *s, const struct shown *x, struct err *e) MUST_CHECK;
/* And which of them is stable, of the channels that are shown. */
enum status outcomes_record(struct service *s, struct err *e) MUST_CHECK;

/* --- api.c ------------------------------------------------------------------
 */

/* A row for each operation; the caller frees it. */
struct server_route *api_routes(size_t *n);

#endif
