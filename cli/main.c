/*
 * The regatta command: finds the command and runs it.
 */
#include <errno.h>

#include "cli/cli.h"

/* By its name of one or two words; *words is how many there are. */
static const struct command *find(int argc, char **argv, int *words)
{
	for (size_t i = 0; commands[i]; i++) {
		const char *name = commands[i]->name;
		size_t n = strcspn(name, " ");

		if (strncmp(name, argv[0], n) != 0 || argv[0][n])
			continue;
		*words = name[n] ? 2 : 1;
		if (!name[n] || (argc > 1 && !strcmp(name + n + 1, argv[1])))
			return commands[i];
	}
	return NULL;
}

/* A first word that has more than one command behind it. */
static bool is_family(const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; commands[i]; i++)
		if (!strncmp(commands[i]->name, word, n) &&
			commands[i]->name[n] == ' ')
			return true;
	return false;
}

static int family_help(FILE *f, const char *word)
{
	size_t n = strlen(word);

	fprintf(f, "Usage:\n");
	for (size_t i = 0; commands[i]; i++)
		if (!strncmp(commands[i]->name, word, n) &&
			commands[i]->name[n] == ' ')
			fprintf(f, "  regatta %s %s\n", commands[i]->name,
				commands[i]->args);
	return EXIT_BAD_USAGE;
}

static int unknown_command(const char *name)
{
	bool first = true;

	fprintf(stderr, "Error: unknown command \"%s\" for \"regatta\"\n",
		name);
	for (size_t i = 0; commands[i]; i++) {
		if (str_distance(name, commands[i]->name) > 2)
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

/* What an installation keeps beside the program. */
static bool made_of_table(const char *what)
{
	static const struct {
		const char *flag;
		void (*print)(FILE *f);
	} made[] = {
		{"--man", print_man},
		{"--completion", print_completion},
		{"--systemd", print_unit},
		{"--api", print_api},
	};

	for (size_t i = 0; i < COUNT(made); i++)
		if (!strcmp(what, made[i].flag)) {
			made[i].print(stdout);
			return true;
		}
	return false;
}

static int help(int argc, char **argv)
{
	if (argc == 1 && made_of_table(argv[0]))
		return 0;

	int words;
	const struct command *c = argc > 0 ? find(argc, argv, &words) : NULL;

	if (c)
		print_command_help(stdout, c);
	else if (argc > 0 && is_family(argv[0]))
		family_help(stdout, argv[0]);
	else if (argc > 0)
		return unknown_command(argv[0]);
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
	int words;
	const struct command *c = find(argc - 1, argv + 1, &words);

	if (!c && is_family(argv[1]))
		return family_help(stderr, argv[1]);
	if (!c)
		return unknown_command(argv[1]);
	return finish(run(c, argc - 1 - words, argv + 1 + words));
}
