/*
 * Completion for bash, from the table of commands.
 *
 * A case for each command offers its flags, the choices of a flag that has some
 * and, for all else, what bash offers itself: names of files.
 */
#include "cli/cli.h"

/* First words, each once: of "key new" and "key list" one "key". */
static void first_words(FILE *f)
{
	const char *last = "";

	for (size_t i = 0; commands[i]; i++) {
		const char *name = commands[i]->name;
		size_t n = strcspn(name, " ");

		if (strncmp(name, last, n) != 0 || strcspn(last, " ") != n)
			fprintf(f, "%.*s ", (int)n, name);
		last = name;
	}
	fputs("help", f);
}

/* What may follow `word`: the second words of a family. */
static void second_words(FILE *f, const char *word, size_t len)
{
	bool first = true;

	for (size_t i = 0; commands[i]; i++) {
		const char *name = commands[i]->name;

		if (strncmp(name, word, len) != 0 || name[len] != ' ')
			continue;
		fprintf(f, "%s%s", first ? "" : " ", name + len + 1);
		first = false;
	}
}

static void families(FILE *f)
{
	for (size_t i = 0; commands[i]; i++) {
		const char *name = commands[i]->name;
		size_t n = strcspn(name, " ");

		if (!name[n] || (i && !strncmp(commands[i - 1]->name, name, n)))
			continue;
		fprintf(f, "\t\"%.*s \") words='", (int)n, name);
		second_words(f, name, n);
		fputs("' ;;\n", f);
	}
}

/* Behind a flag that takes a value come its choices, or names of files. */
static void option_values(FILE *f, const struct command *c)
{
	for (size_t i = 0; i < c->noptions; i++) {
		const struct option *o = &c->options[i];

		if (o->kind == OPT_BOOL || o->kind >= OPT_NO_BOOL)
			continue;
		fputs("\t\t", f);
		if (o->letter)
			fprintf(f, "-%c|", o->letter);
		fprintf(f, "--%s) words='", o->name);
		for (const char *p = o->value; o->kind == OPT_CHOICE && *p; p++)
			if (*p != '+')
				fputc(*p, f);
		fputs("' ;;\n", f);
	}
}

static void command_case(FILE *f, const struct command *c)
{
	fprintf(f, "\t\"%s \"*)\n\t\tcase $prev in\n", c->name);
	option_values(f, c);
	fputs("\t\t*) [[ $cur != -* ]] || words='", f);
	for (size_t i = 0; i < c->noptions; i++)
		if (c->options[i].kind < OPT_NO_BOOL)
			fprintf(f, "--%s ", c->options[i].name);
	fputs("--help' ;;\n\t\tesac ;;\n", f);
}

void print_completion(FILE *f)
{
	fputs("# bash completion of regatta; made by "
	      "`regatta help --completion`\n"
	      "_regatta()\n{\n\tlocal cur=$2 prev=$3 words=\n"
	      "\tcase \"${COMP_WORDS[*]:1:COMP_CWORD-1} \" in\n"
	      "\t' '|'help ') words='",
		f);
	first_words(f);
	fputs("' ;;\n", f);
	families(f);
	for (size_t i = 0; commands[i]; i++)
		command_case(f, commands[i]);
	fputs("\tesac\n\tmapfile -t COMPREPLY < "
	      "<(compgen -W \"$words\" -- \"$cur\")\n}\n"
	      "complete -o default -F _regatta regatta\n",
		f);
}
