/*
 * The regatta command: finds the command and runs it.
 */
#include <errno.h>

#include "cli/cli.h"

static const struct command *find(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

/* Changed, added or dropped letters between two names, up to 3. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[32];
	size_t n = strlen(b);

	if (n >= COUNT(row))
		return 3;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			unsigned best = corner + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			corner = row[j];
			row[j] = best;
		}
	}
	return row[n] > 3 ? 3 : row[n];
}

static int unknown_command(const char *name)
{
	bool first = true;

	fprintf(stderr, "Error: unknown command \"%s\" for \"regatta\"\n",
		name);
	for (size_t i = 0; commands[i]; i++) {
		if (distance(name, commands[i]->name) > 2)
			continue;
		if (first)
			fputs("\nDid you mean this?\n", stderr);
		first = false;
		fprintf(stderr, "\t%s\n", commands[i]->name);
	}
	if (!first)
		fputc('\n', stderr);
	fputs("Run 'regatta --help' for usage.\n", stderr);
	return EXIT_USAGE;
}

static int help(int argc, char **argv)
{
	if (argc > 0 && !find(argv[0]))
		return unknown_command(argv[0]);
	if (argc > 0)
		print_command_help(stdout, find(argv[0]));
	else
		print_help(stdout);
	return 0;
}

static int run(const struct command *c, int argc, char **argv)
{
	struct arena a = {0};
	struct err err = {0};
	struct list args = {0};
	void *params = arena_alloc(&a, c->params);
	bool wants_help;
	int code;

	if (!parse_options(&a, c, argc, argv, params, &args, &wants_help, &err))
		code = usage_error(c, "%s", err.text);
	else if (wants_help)
		code = (print_command_help(stdout, c), 0);
	else
		code = c->run(c, params, &args);
	arena_release(&a);
	return code;
}

/* What was printed must have arrived. */
static int finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "regatta: standard output: %s\n", strerror(errno));
	return code ? code : 1;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return finish((print_help(stdout), 0));
	if (!strcmp(argv[1], "help"))
		return finish(help(argc - 2, argv + 2));
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return finish(help(0, NULL));
	if (!strcmp(argv[1], "--version"))
		return finish(run(&cmd_version, 0, NULL));
	const struct command *c = find(argv[1]);

	if (!c)
		return unknown_command(argv[1]);
	return finish(run(c, argc - 2, argv + 2));
}
