#include "cli/capabilities.h"

static int flag_error(
	const struct command *c, const char *name, const struct err *e)
{
	int code = usage_error(c,
		"invalid argument \"%s\" for \"--capabilities\" flag: no such "
		"file or capabilities version found: %s",
		name, name);

	/* OPA says no more; why a file is not taken helps to mend it. */
	fprintf(stderr, "What is wrong: %s\n", e->text);
	return code;
}

int capabilities_run(const struct command *c, const void *params,
	const struct list *args, const char *name, capabilities_fn *run)
{
	struct arena a = {0};
	struct capabilities caps = {0};
	struct err e = {0};
	int code;

	if (!name)
		return run(c, params, args, NULL);
	if (capabilities_load(&a, name, &caps, &e))
		code = flag_error(c, name, &e);
	else
		code = run(c, params, args, &caps);
	capabilities_release(&caps);
	arena_release(&a);
	return code;
}
