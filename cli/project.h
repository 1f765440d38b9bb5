/*
 * project: what the commands on a policy repo begin with: its files, its
 * config, its key and its store.
 */
#ifndef CLI_PROJECT_H
#define CLI_PROJECT_H

#include "bundler/bundler.h"
#include "cli/cli.h"
#include "cli/publish.h"

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
 * Read commit, config and revision. Returns an exit code, with everything said
 * when it is not 0.
 */
int project_open(struct project *p, const struct project_params *params);
void project_release(struct project *p);

/* The path of a file that the config names: as seen from the repo. */
char *project_path(struct arena *a, const struct project *p, const char *path);

/*
 * Sign with the key of the config, or warn that there is none. Returns an exit
 * code.
 */
int project_sign(const struct project *p, struct bundle *b);

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
