/*
 * cli: the regatta command.
 *
 * One table of commands; each has one table of options. Parsing, usage
 * errors, --help and everything else that describes commands is made from
 * these rows.
 *
 * Options are written as OPA's (pflag): --name=value, --name value, -nvalue,
 * -n value, -n=value, -abc; "--" ends them; they may stand behind arguments.
 * What OPA has and we have not is a row too, so that it is refused by name.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"

enum option_kind {
	OPT_BOOL,     /* bool */
	OPT_STRING,   /* const char * */
	OPT_CHOICE,   /* const char *, one of `choices` */
	OPT_LIST,     /* struct list, one more each time */
	OPT_CSV,      /* struct list, split at commas */
	OPT_INT,      /* int64_t */
	OPT_FLOAT,    /* double */
	OPT_DURATION, /* int64_t, ns: 1.5s, 300ms */
	OPT_SIZE,     /* int64_t, bytes: 64MiB, 1GB, 1000 */
	OPT_NO_BOOL,  /* OPA's, and not here: takes no value */
	OPT_NO_VALUE, /* OPA's, and not here: takes a value */
};

struct list {
	const char **items;
	size_t len, cap;
	bool set; /* the option was given, even if empty */
};

struct option {
	char letter; /* 0: none */
	const char *name;
	uint8_t kind;
	size_t at; /* offset in the command's parameters */
	/*
	 * What OPT_CHOICE allows, "a b +c", + for what OPA has not and error
	 * messages do not name; else what the value is called.
	 */
	const char *value;
	const char *initial; /* as if given; NULL: zero */
	const char *help;
};

struct operation;

struct command {
	const char *name; /* one word or two, "key new" */
	const char *args;
	const char *summary; /* one line, no full stop */
	const char *text;    /* what --help says first */
	const struct option *options;
	size_t noptions;
	size_t params;  /* bytes of the struct that options write into */
	int usage_exit; /* of a usage error; 0: EXIT_USAGE, as OPA's */
	int (*run)(const struct command *c, const void *params,
		const struct list *args);
	/* For operation_run(): what it needs beside (operation.h). */
	const struct operation *operation;
};

/* NULL-terminated, in order of name. */
extern const struct command *const commands[];

extern const struct command cmd_abort, cmd_agent_config, cmd_audit_export,
	cmd_audit_verify, cmd_build, cmd_capabilities, cmd_check, cmd_ci,
	cmd_decisions_gaps, cmd_decisions_quarantine, cmd_decisions_query,
	cmd_decisions_rebuild, cmd_decisions_show, cmd_decisions_tail,
	cmd_decisions_verify, cmd_diff, cmd_doctor, cmd_dump, cmd_eval,
	cmd_extend, cmd_freeze, cmd_fsck, cmd_history, cmd_hold, cmd_init,
	cmd_inspect, cmd_key_new, cmd_pardon, cmd_pin, cmd_promote, cmd_publish,
	cmd_quarantine, cmd_retry, cmd_rollback, cmd_rollout_list,
	cmd_rollout_plan, cmd_rollout_show, cmd_rollout_start, cmd_serve,
	cmd_sign, cmd_simulate, cmd_status, cmd_targets, cmd_test,
	cmd_token_add, cmd_token_list, cmd_token_revoke, cmd_unfreeze,
	cmd_unpin, cmd_verdict, cmd_verify, cmd_version, cmd_versions, cmd_why;

extern const char program_version[];
extern const char program_name[]; /* with its version */
extern const char program_date[]; /* of that version, as mdoc(7) writes it */

/*
 * Exit codes. Commands that OPA has too end as OPA's do; all others with these.
 */
enum {
	EXIT_USAGE = 1,      /* of OPA's commands */
	EXIT_ERROR = 1,      /* unexpected */
	EXIT_BAD_USAGE = 2,  /* wrong flags, or a wrong regatta.yaml */
	EXIT_FAILED = 3,     /* judged, and failed */
	EXIT_DENIED = 4,     /* not allowed */
	EXIT_MISSING = 5,    /* not found */
	EXIT_CONFLICT = 6,   /* a version exists with other bytes */
	EXIT_INTEGRITY = 11, /* a signature, or what is signed, is wrong */
	EXIT_UNJUDGED = 13,  /* could not judge */
	EXIT_TIMEOUT = 124,  /* --timeout */
};

/* Prints what went wrong here, with the way out where the system is why. */
void print_wrong(const char *text);

/* The same, and returns the exit code that stands for the status. */
int print_err(enum status st, const struct err *e);
/* For what the user named: what is wrong with it is EXIT_BAD_USAGE. */
int print_given(enum status st, const struct err *e);

/*
 * Read the arguments behind the command's name. False: a usage error, in *err.
 * *help: --help was given. Everything lives in `a`.
 */
bool parse_options(struct arena *a, const struct command *c, int argc,
	char **argv, void *params, struct list *args, bool *help,
	struct err *err);

/* What `regatta COMMAND --help` says, and `regatta --help`. */
void print_command_help(FILE *f, const struct command *c);
void print_help(FILE *f);

/* The manual page, in mdoc(7). */
void print_man(FILE *f);

/* The unit of systemd for the service (unit.c). */
void print_unit(FILE *f);
/* All operations of the API, as a part of docs/api.md (unit.c). */
void print_api(FILE *f);

/* What bash completes, as a script for it. */
void print_completion(FILE *f);

/* Prints "Error: ..." and how the command is used. Returns EXIT_USAGE. */
int usage_error(const struct command *c, const char *fmt, ...) PRINTF(2, 3);

/* What the environment says; NULL: nothing, or nothing but "". */
const char *env_value(const char *name);

/* The whole of standard input; false with a message printed. */
bool read_stdin(struct buf *out);

#endif
