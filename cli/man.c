/*
 * The manual page, in mdoc(7), from the table of commands.
 */
#include "cli/cli.h"

#include "rego/rego.h"

/* clang-format off */
static const struct {
	int code;
	const char *meaning;
} exits[] = {
	{0,               "done, and nothing is wrong"},
	{EXIT_ERROR,      "what was asked for could not be done"},
	{EXIT_BAD_USAGE,  "wrong flags, or a wrong regatta.yaml"},
	{EXIT_FAILED,     "judged, and failed"},
	{EXIT_DENIED,     "not allowed: a key that others can read, a clone of another user"},
	{EXIT_MISSING,    "no such repository, ref, key or file"},
	{EXIT_CONFLICT,   "a version exists with other bytes, or a file that would be written over"},
	{EXIT_INTEGRITY,  "a signature, or what is signed, is wrong"},
	{EXIT_UNJUDGED,   "could not be judged"},
};

static const struct {
	const char *name, *meaning;
} variables[] = {
	{"REGATTA_SERVER",          "URL of the server to ask, without --server"},
	{"REGATTA_STATE",           "the state folder, without --state; if it is not set ./var, or for a command on what is there the service's /var/lib/regatta"},
	{"REGATTA_TOKEN",           "the token for the server"},
	{"REGATTA_ALLOWED_SIGNERS", "list of the SSH keys of which one must have signed a commit"},
	{"REGATTA_KEYRING",         "OpenPGP keys for the same, as gpg --export writes them"},
	{"REGATTA_SIGN_KEY",        "file of the key to sign with, before sign.key of regatta.yaml"},
	{"NO_COLOR",                "if it is set, words are not painted on a terminal"},
	{"GITHUB_STEP_SUMMARY",     "with ci -o github: file that the summary is appended to"},
};
/* clang-format on */

/* "x. Y": mdoc wants each sentence on a line of its own. */
static bool ends_sentence(const char *s)
{
	return s[0] == '.' && s[1] == ' ' && s[2] >= 'A' && s[2] <= 'Z';
}

/*
 * A text without requests and escapes of roff in it. An empty line begins a
 * paragraph.
 */
static void text(FILE *f, const char *s)
{
	for (bool start = true; *s; s++) {
		if (start && *s == '\n')
			fputs(".Pp", f);
		if (start && (*s == '.' || *s == '\''))
			fputs("\\&", f);
		start = *s == '\n' || ends_sentence(s);
		if (ends_sentence(s))
			fputs(".\n", f), s++;
		else if (*s == '\\')
			fputs("\\e", f);
		else
			fputc(*s, f);
	}
	fputc('\n', f);
}

static bool is_refused(const struct option *o)
{
	return o->kind == OPT_NO_BOOL || o->kind == OPT_NO_VALUE;
}

/* The choices without the marks of the table; else what the value is called. */
static void value(FILE *f, const struct option *o)
{
	if (o->kind == OPT_BOOL)
		return;
	fputs(" Ar ", f);
	for (const char *p = o->value ? o->value : "value"; *p; p++)
		if (o->kind == OPT_CHOICE && *p == ' ')
			fputs(" | ", f);
		else if (o->kind != OPT_CHOICE || *p != '+')
			fputc(*p, f);
}

static void option(FILE *f, const struct option *o)
{
	fputs(".It ", f);
	if (o->letter)
		fprintf(f, "Fl %c , ", o->letter);
	fprintf(f, "Fl -%s", o->name);
	value(f, o);
	fputc('\n', f);
	text(f, o->help);
	if (o->initial && *o->initial && o->kind != OPT_BOOL)
		fprintf(f, "(default %s)\n", o->initial);
}

static void refused(FILE *f, const struct command *c)
{
	bool first = true;

	for (size_t i = 0; i < c->noptions; i++) {
		if (!is_refused(&c->options[i]))
			continue;
		if (first)
			fprintf(f, ".Pp\nFlags of opa %s that are refused:\n",
				c->name);
		first = false;
		fprintf(f, ".Fl -%s\n", c->options[i].name);
	}
}

static void command(FILE *f, const struct command *c)
{
	fprintf(f, ".Ss regatta %s\n%s.\n.Bd -literal -offset indent\n",
		c->name, c->summary);
	fprintf(f, "regatta %s%s%s%s\n.Ed\n.Pp\n", c->name, *c->args ? " " : "",
		c->args, c->noptions ? " [flags]" : "");
	text(f, c->text);
	if (c->noptions)
		fputs(".Bl -tag -width Ds\n", f);
	for (size_t i = 0; i < c->noptions; i++)
		if (!is_refused(&c->options[i]))
			option(f, &c->options[i]);
	if (c->noptions)
		fputs(".El\n", f);
	refused(f, c);
}

static void environment(FILE *f)
{
	fputs(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n", f);
	for (size_t i = 0; i < COUNT(variables); i++) {
		fprintf(f, ".It Ev %s\n", variables[i].name);
		text(f, variables[i].meaning);
	}
	fputs(".El\n", f);
}

static void exit_status(FILE *f)
{
	fputs(".Sh EXIT STATUS\n"
	      "Commands that opa has too (check, eval, test, ...) end as opa's "
	      "do.\nAll others with:\n.Bl -tag -width Ds\n",
		f);
	for (size_t i = 0; i < COUNT(exits); i++) {
		fprintf(f, ".It %d\n", exits[i].code);
		text(f, exits[i].meaning);
	}
	fputs(".El\n", f);
}

void print_man(FILE *f)
{
	fprintf(f,
		".\\\" Made by `regatta help --man`.\n"
		".Dd %s\n.Dt REGATTA 1\n.Os\n"
		".Sh NAME\n.Nm regatta\n"
		".Nd test Rego policy and release it to Open Policy Agents\n"
		".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar flags\n"
		".Op Ar arguments\n"
		".Sh DESCRIPTION\n"
		"From a commit in a repository of Rego policies to a tested, "
		"signed and versioned\nbundle.\n"
		"This is version %s, whose engine equals opa %s.\n"
		"Flags are written as\n.Fl -name Ns = Ns Ar value ,\n"
		".Fl -name Ar value ,\n.Fl n Ns Ar value\nor\n"
		".Fl n Ar value ,\nalso behind arguments;\n.Fl -\n"
		"ends them.\n"
		".Sh COMMANDS\n",
		program_date, program_version, rego_opa_version);
	for (size_t i = 0; commands[i]; i++)
		command(f, commands[i]);
	environment(f);
	fputs(".Sh FILES\n.Bl -tag -width Ds\n.It Pa regatta.yaml\n"
	      "the release config of a policy repo, at its top\n.El\n",
		f);
	exit_status(f);
	fputs(".Sh SEE ALSO\n.Xr git 1\n.Pp\n"
	      ".Lk https://www.openpolicyagent.org/docs/ \"Open Policy Agent\""
	      "\n",
		f);
}
