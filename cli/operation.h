/*
 * operation: commands that are one operation (server/ops.h) and its printing.
 *
 * A command's parameters begin with a struct operation_params. Of its options
 * each but --server, --state, --output and --idempotency-key is an argument of
 * the operation, by the same name with _ for -; positional arguments are named
 * in a struct operation.
 *
 *	OPERATION_COMMAND(cmd_pin, struct channel_params, pin_options,
 *		.name = "pin", .args = "<version>", .summary = "...",
 *		.text = "...",
 *		.operation = OPERATION(NAMES("revision"),
 *			"specify the version to hold them on", print_change));
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
	/* Of positional arguments, NULL at the end; NULL: there are none. */
	const char *const *names;
	/* What a usage error says; NULL: they may be left out. */
	const char *missing;
	/* Make text of the document that came back. */
	void (*print)(struct buf *out, struct str doc);
};

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define OPERATION(the_names, is_missing, printer)                              \
	(&(const struct operation){(the_names), (is_missing), (printer)})

/* The command that is the operation of its name; `...`: what is left to say. */
#define OPERATION_COMMAND(id, type, the_options, ...)                          \
	const struct command id = {                                            \
		.options = (the_options),                                      \
		.noptions = COUNT(the_options),                                \
		.params = sizeof(type),                                        \
		.usage_exit = EXIT_BAD_USAGE,                                  \
		.run = operation_run,                                          \
		__VA_ARGS__,                                                   \
	}

/*
 * Add the arguments of `names` and all options to the call; false: a usage
 * error, printed, with what to exit with in *code.
 */
bool operation_arguments(struct remote *r, const struct command *c,
	const void *params, const struct list *args, const char *const *names,
	const char *missing, int *code);

/*
 * A key of its own for a call. A server that was deaf may wake up and do what
 * was done around it meanwhile: by its key it knows the call. NULL: none to be
 * had.
 */
const char *operation_key(struct arena *a);

/*
 * For command->run: call the operation that has the command's name and print
 * what it gives. Returns what the command exits with.
 */
int operation_run(
	const struct command *c, const void *params, const struct list *args);
/* The same with another operation than c->operation. */
int operation_run_as(const struct operation *o, const struct command *c,
	const void *params, const struct list *args);

#endif
