/*
 * service: a state folder, and what runs on it.
 *
 * A service is opened by whoever works on the folder: `regatta serve`, which
 * then starts it, or a command when no server has it, for one operation
 * (ops.h). Started, it answers agents: which bundle (canary/channel.h), what
 * they decided (decisions/decisions.h), how they are (canary/state.h); and it
 * drives rollouts. What a command changes beside it is seen within 200 ms.
 *
 * Threads of a service that runs: those of server.h; one that looks for
 * changes and writes what was heard of targets, one that keeps the decision
 * log, one that drives rollouts. Locks, none taken inside another:
 *
 *	state_lock    service_state(): one operation at a time
 *	shown_lock    what polls are answered from; held for a poll
 *	diff_lock     what the page showed last of two versions
 */
#ifndef SERVER_SERVICE_H
#define SERVER_SERVICE_H

#include "bundler/bundler.h"
#include "canary/state.h"
#include "decisions/decisions.h"
#include "server/ops.h"

struct service;

/* When decision logs are pushed back (decisions/decisions.h); {0}: as usual. */
struct service_disk {
	struct decisions_mark mark;
	enum status (*read)(
		void *user, struct decisions_disk *out, struct err *e);
	void *user;
};

struct service_options {
	const char *dir;           /* the state folder */
	bool create;               /* make it when it is not there */
	const struct fs *fs;       /* the seam; NULL: none */
	const struct clock *clock; /* NULL: clock_system */
	int busy_ms;               /* as in struct state_options */
	struct service_disk disk;
};

/* As state_open(). Nothing but the channels is opened before it is used. */
enum status service_open(struct service **out, const struct service_options *o,
	struct err *e) MUST_CHECK;
/* Stops it first when it runs. NULL is fine. */
void service_close(struct service *s);

/*
 * Before the start: run this command, NULL at its end, at each change of a
 * rollout, with one line of JSON on its standard input (canary/notify.h).
 */
void service_notify(struct service *s, const char *const *argv);

/*
 * Start to serve. Of `cfg` the caller sets where and who: listen, tls_*,
 * socket, insecure, anonymous, limits, log, warn; the rest is filled in here.
 */
enum status service_start(struct service *s, const struct server_config *cfg,
	struct err *e) MUST_CHECK;
/* Nothing acknowledged is lost. Returns how many requests were cut. */
unsigned service_stop(struct service *s);
unsigned service_port(const struct service *s);

/* --- for operations --------------------------------------------------------
 */

/*
 * The state folder; what it is read through; the clock of all that is done in
 * it. They live as long as the service.
 */
const char *service_dir(const struct service *s);
const struct fs *service_fs(const struct service *s);
const struct clock *service_clock(const struct service *s);
/* Only in operations that say so (struct op, `state`). */
struct state *service_state(struct service *s);
/* The archives: the folder's store. */
enum status service_store(
	struct service *s, struct store **out, struct err *e) MUST_CHECK;
/* One of them, by a version's digest (hex): its bytes, or what it holds. */
enum status service_archive(struct service *s, struct str digest,
	struct buf *out, struct err *e) MUST_CHECK;
enum status service_bundle(struct service *s, struct str digest,
	struct bundle *out, struct err *e) MUST_CHECK;
/*
 * The decision log: the one that runs, else opened to read, or to write with
 * `write`. E_NOT_FOUND: there is none yet, and it is not to be made.
 */
enum status service_decisions(struct service *s, bool write,
	struct decisions **out, struct err *e) MUST_CHECK;
/* The disk, and above which mark decision logs are pushed back. */
enum status service_disk(struct service *s, struct decisions_disk *out,
	struct decisions_mark *mark, struct err *e) MUST_CHECK;
/* What was heard of targets and is not written yet; NULL: it does not run. */
struct target_book *service_book(struct service *s);
/* A channel changed: answer waiting polls now, not when it is noticed. */
void service_changed(struct service *s);

#endif
