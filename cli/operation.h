/*
 * operation: commands that are one operation (server/ops.h) and its printing.
 *
 * A command's parameters begin with a struct operation_params. Of its options
 * each but --server, --state, --output and --idempotency-key is an argument of
 * the operation, by the same name with _ for -; positional arguments are named
 * in a struct operation.
 */
#ifndef CLI_OPERATION_H
#define CLI_OPERATION_H

#include "cli/remote.h"

struct operation_params {
	struct remote_params remote;
	const char *format; /* "text", "json" */
	const char *key;
};

/* clang-format off */
#define OUTPUT_OPTION(type) \
	{'o', "output", OPT_CHOICE, offsetof(type, head.format), "text json", "text", "what to print"}
#define SERVER_OPTION(type) \
	{0, "server", OPT_STRING, offsetof(type, head.remote.server), "url", NULL, "the server to ask (or REGATTA_SERVER; its token: REGATTA_TOKEN)"}
#define STATE_OPTION(type) \
	{0, "state", OPT_STRING, offsetof(type, head.remote.state), "dir", NULL, "the state folder, on its host (or REGATTA_STATE; ./var)"}
#define KEY_OPTION(type) \
	{0, "idempotency-key", OPT_STRING, offsetof(type, head.key), "text", NULL, "the same call again changes nothing"}
#define BUNDLE_OPTION(at) \
	{'b', "bundle", OPT_STRING, at, "name", NULL, "which bundle, when there are several"}
#define REASON_OPTION(at) \
	{'m', "reason", OPT_STRING, at, "text", NULL, "why, for the ledger"}
/* clang-format on */

struct operation {
	const char *op;
	const char *const *names; /* of positional arguments, NULL at the end */
	const char *missing;      /* what a usage error says */
	void (*print)(struct buf *out, struct str doc);
};

/* Add the arguments; false: a usage error, in *code. */
bool operation_arguments(struct remote *r, const struct command *c,
	const void *params, const struct list *args, const char *const *names,
	const char *missing, int *code);

/* Call it and print what it gives. Returns what the command exits with. */
int operation_run(const struct operation *o, const struct command *c,
	const void *params, const struct list *args);

#endif
