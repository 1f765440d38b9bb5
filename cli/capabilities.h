/*
 * The flag --capabilities, alike in all commands that compile.
 */
#ifndef CLI_CAPABILITIES_H
#define CLI_CAPABILITIES_H

#include "cli/cli.h"
#include "rego/capabilities.h"

/* clang-format off */
#define CAPABILITIES_OPTION(at) \
	{0, "capabilities", OPT_STRING, (at), "file|version", NULL, "refuse what an OPA of that version, or with that capabilities file, has not"}
/* clang-format on */

typedef int capabilities_fn(const struct command *c, const void *params,
	const struct list *args, const struct capabilities *caps);

/*
 * Run a command under the capabilities that the flag names; NULL: it was not
 * given. Ends with a usage error where there are none of that name.
 */
int capabilities_run(const struct command *c, const void *params,
	const struct list *args, const char *name, capabilities_fn *run);

#endif
