/*
 * regatta version.
 */
#include "cli/cli.h"

#include "rego/rego.h"

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	(void)params;
	if (args->len)
		return usage_error(
			c, "unknown argument \"%s\"", args->items[0]);
	printf("Version: %s\nOPA Version: %s\nRego Version: v1\n",
		program_version, rego_opa_version);
	return 0;
}

const struct command cmd_version = {
	.name = "version",
	.args = "",
	.summary = "Print the version, and that of the OPA it equals",
	.text = "Prints the version of this program and that of the OPA whose "
		"behaviour it has.",
	.run = run,
};
