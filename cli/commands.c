/*
 * The table of commands, and what all of them say alike.
 */
#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "cli/cli.h"

#define VERSION "0.1.0"

const char program_version[] = VERSION;
const char program_name[] = "regatta " VERSION;
const char program_date[] = "November 25, 2026";

const struct command *const commands[] = {
	&cmd_abort,
	&cmd_agent_config,
	&cmd_audit_export,
	&cmd_audit_verify,
	&cmd_build,
	&cmd_capabilities,
	&cmd_check,
	&cmd_ci,
	&cmd_decisions_gaps,
	&cmd_decisions_quarantine,
	&cmd_decisions_query,
	&cmd_decisions_rebuild,
	&cmd_decisions_show,
	&cmd_decisions_tail,
	&cmd_decisions_verify,
	&cmd_diff,
	&cmd_doctor,
	&cmd_dump,
	&cmd_eval,
	&cmd_extend,
	&cmd_freeze,
	&cmd_fsck,
	&cmd_history,
	&cmd_hold,
	&cmd_init,
	&cmd_inspect,
	&cmd_key_new,
	&cmd_pardon,
	&cmd_pin,
	&cmd_promote,
	&cmd_publish,
	&cmd_quarantine,
	&cmd_retry,
	&cmd_rollback,
	&cmd_rollout_list,
	&cmd_rollout_plan,
	&cmd_rollout_show,
	&cmd_rollout_start,
	&cmd_serve,
	&cmd_sign,
	&cmd_simulate,
	&cmd_status,
	&cmd_targets,
	&cmd_test,
	&cmd_token_add,
	&cmd_token_list,
	&cmd_token_revoke,
	&cmd_unfreeze,
	&cmd_unpin,
	&cmd_verdict,
	&cmd_verify,
	&cmd_version,
	&cmd_versions,
	&cmd_why,
	NULL,
};

void print_help(FILE *f)
{
	fputs("Regatta tests Rego policy and releases it to Open Policy Agents."
	      "\n\nUsage:\n  regatta <command> [flags] [arguments]\n\n"
	      "Commands:\n",
		f);
	for (size_t i = 0; commands[i]; i++)
		fprintf(f, "  %-21s %s\n", commands[i]->name,
			commands[i]->summary);
	fputs("\nUse \"regatta <command> --help\" for more about a command.\n",
		f);
}

int usage_error(const struct command *c, const char *fmt, ...)
{
	va_list ap;

	fputs("Error: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr,
		"\nUsage:\n  regatta %s%s%s%s\n\n"
		"Run 'regatta %s --help' for the flags.\n",
		c->name, *c->args ? " " : "", c->args,
		c->noptions ? " [flags]" : "", c->name);
	return c->usage_exit ? c->usage_exit : EXIT_USAGE;
}

/* clang-format off */
/* What the system answers, and what can be done about it. */
static const struct {
	const char *reason, *way_out;
} ways[] = {
	{"No space left on device",  "free some room there, then do this again"},
	{"disk is full",             "free some room there, then do this again"},
	{"Disk quota exceeded",      "free some room there, then do this again"},
	{"Read-only file system",    "mount it for writing, or name another place"},
	{"Input/output error",       "look after that disk, then do this again"},
	{"disk I/O error",           "look after that disk, then do this again"},
	{"Permission denied",        "do this as the owner of it, or let the owner give access to it (chmod)"},
	{"readonly database",        "do this as the owner of it, or let the owner give access to it (chmod)"},
	{"Operation not permitted",  "do this as the owner of it"},
	{" needs an RSA key",        "name the algorithm that fits the key, or make another one (regatta key new --alg)"},
	{" needs a key on P-",       "name the algorithm that fits the key, or make another one (regatta key new --alg)"},
	{"a PUBLIC KEY where",       "name the other file of the pair"},
	{"failed to parse PEM block", "it is no PEM file with a key; `regatta key new` makes one"},
	{"missing .signatures.json", "it is not signed: get the signed one, or sign it (regatta sign)"},
	{"read failed: unexpected EOF", "the file is cut short: get it again, or build it again"},
	{"gzip: invalid header",     "it is no bundle: those of regatta and opa are .tar.gz"},
	{"Unrecognized archive format", "it is no bundle: those of regatta and opa are .tar.gz"},
	{"archive read failed: EOF", "the file is empty: get it again, or build it again"},
	{"Not a directory",         "a file of that name is in the way: name another folder"},
	{"Is a directory",          "name a file, not a folder"},
	{"incorrect data check",     "the file is damaged: get it again, or build it again"},
	{"behind the end of the gzip", "the file is damaged: get it again, or build it again"},
	{"digest mismatch (want",    "it is not what was signed: get it again from who released it"},
	{"has no .manifest",         "those of `regatta build` have one"},
	{"scope mismatch",           "name the scope it was signed for (--scope), or get the bundle that is for yours"},
	{"the key is encrypted",     "decrypt it into a file that only you can read (openssl pkey), or make another one (regatta key new)"},
	{"a CERTIFICATE where",      "name the file with the private key of it"},
	{"at least 2048 are needed", "make another one (regatta key new --alg RS256)"},
};
/* clang-format on */

void print_wrong(const char *text)
{
	const char *way = NULL;

	for (size_t i = 0; i < COUNT(ways) && !way; i++)
		if (strstr(text, ways[i].reason))
			way = ways[i].way_out;
	fprintf(stderr, "regatta: %s%s%s\n", text, way ? "; " : "",
		way ? way : "");
}

int print_err(enum status st, const struct err *e)
{
	static const int codes[] = {
		[E_NOT_FOUND] = EXIT_MISSING,
		[E_EXISTS] = EXIT_CONFLICT,
		[E_CONFLICT] = EXIT_CONFLICT,
		[E_DENIED] = EXIT_DENIED,
	};

	print_wrong(e->text);
	return (size_t)st < COUNT(codes) && codes[st] ? codes[st] : EXIT_ERROR;
}

int print_given(enum status st, const struct err *e)
{
	int code = print_err(st, e);

	return code == EXIT_ERROR && st != E_IO ? EXIT_BAD_USAGE : code;
}

bool read_stdin(struct buf *out)
{
	for (;;) {
		char *at = buf_reserve(out, 65536);
		ssize_t n = read(STDIN_FILENO, at, 65536);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			fprintf(stderr, "read /dev/stdin: %s\n",
				strerror(errno));
			return false;
		}
		if (n == 0)
			return true;
		out->len += (size_t)n;
		out->ptr[out->len] = '\0';
	}
}
