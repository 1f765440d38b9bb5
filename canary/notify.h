/*
 * notify: tell the user's command what happened.
 *
 * The command is run without a shell, with one line of JSON on its standard
 * input (rollout.h says what), its output thrown away, and is killed when it
 * takes too long. Its failure is told and changes nothing.
 *
 * notify_run() waits. A service hands texts to a struct notifier, whose own
 * thread runs the commands one after the other; what is too much is dropped,
 * the oldest first.
 */
#ifndef CANARY_NOTIFY_H
#define CANARY_NOTIFY_H

#include "base/err.h"
#include "base/str.h"

enum {
	NOTIFY_LIMIT_MS = 10000, /* one run */
	NOTIFY_WAITING = 100,    /* texts that wait */
};

/*
 * `argv` ends with NULL. E_NOT_FOUND: there is no such command; E_CANCELED: it
 * was killed after `limit_ms`; E_IO: it failed, with its exit code.
 */
enum status notify_run(const char *const *argv, struct str text, int limit_ms,
	struct err *e) MUST_CHECK;

struct notifier;

/* `argv` is copied. `failed` is called by its thread; NULL: nobody asks. */
struct notifier *notifier_new(const char *const *argv,
	void (*failed)(void *user, const struct err *e), void *user);
void notifier_tell(struct notifier *n, struct str text);
/* Waits for the one that runs; those that wait are dropped. NULL is fine. */
void notifier_free(struct notifier *n);

#endif
