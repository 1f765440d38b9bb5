/*
 * project: what the commands on a policy repo begin with: its files, its
 * config, its key and its store.
 */
#ifndef CLI_PROJECT_H
#define CLI_PROJECT_H

#include "bundler/bundler.h"
#include "cli/cli.h"
#include "cli/publish.h"
#include "gates/gates.h"

/* What several commands let the user say. */
struct project_params {
	const char *repo; /* folder */
	const char *ref;  /* NULL: HEAD */
	bool worktree;
};

struct project {
	const char *dir;
	struct repo repo;
	struct config config;
	const char *revision; /* in config's arena */
	/* Without the key's file, warn and don't sign: pull requests have none.
	 */
	bool key_optional;
};

/*
 * Say why a commit can't be read. What it holds is no fault of the machine:
 * EXIT_UNJUDGED.
 */
int project_unread(enum status st, const struct err *e);

/*
 * Read commit, config and revision. Returns an exit code, with everything said
 * when it is not 0.
 */
int project_open(struct project *p, const struct project_params *params);
void project_release(struct project *p);

/* Lists of keys, of which one must have signed; NULL: not given. */
struct source_params {
	const char *signers; /* of SSH keys */
	const char *keyring; /* of OpenPGP keys */
};

#define SOURCE_OPTIONS(type, member)                                           \
	{0, "allowed-signers", OPT_STRING, offsetof(type, member.signers),     \
		"file", NULL,                                                  \
		"SSH keys of which one must have signed the commit (or "       \
		"REGATTA_ALLOWED_SIGNERS)"},                                   \
	{                                                                      \
		0, "keyring", OPT_STRING, offsetof(type, member.keyring),      \
			"file", NULL,                                          \
			"OpenPGP keys of which one must have signed the "      \
			"commit (or REGATTA_KEYRING)"                          \
	}

/*
 * Whose signature the commit must carry. In order: `given`, REGATTA_ALLOWED_
 * SIGNERS and REGATTA_KEYRING, the `source` of `base` (what a commit is
 * compared with; NULL: none), and that of the commit itself. With one of the
 * first two a signature is asked for whatever regatta.yaml says, and its lists
 * do not count. *asked: somebody does; what `out` has lives in the project's
 * arena. Returns an exit code.
 */
int project_source(struct project *p, const struct source_params *given,
	const struct config *base, struct gate_source *out, bool *asked);
/* Does who runs this name lists? */
bool project_has_lists(const struct source_params *given);

/*
 * Run the gates that make data of the bundle, and source if that is not NULL.
 * What they find is printed. Returns an exit code.
 */
int project_derive(const struct project *p, const struct gate_source *source,
	struct gate_report *report);

/* Publish a bundle (publish.h). Returns an exit code. */
int project_publish(const struct project *p, const struct publish_params *to,
	const struct bundle *b, struct str archive, struct published *out);

/*
 * Build, check, sign and pack. `report` digest and extra files as
 * bundle_build() takes them. Returns an exit code.
 */
int project_build(const struct project *p, const struct build_options *o,
	struct bundle *b, struct buf *archive);

/* Append "name", "revision" and "digest" as members of a JSON object. */
void version_json(struct buf *out, const char *name, const char *revision,
	const char *digest);

/* Read and unpack a bundle file. Returns an exit code. */
int bundle_read_file(const char *path, struct bundle *b, struct buf *archive);

#endif
