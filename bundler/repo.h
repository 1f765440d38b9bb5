/*
 * repo: the policy repo at one commit, read from git's object database.
 *
 * A rev is resolved once; everything after works on the commit it named, never
 * on the work tree. Nothing of the repository is executed: no hooks, filters or
 * config of the user's or the system's. What could make one commit mean two
 * things is refused with path and reason: links, submodules, LFS pointers,
 * alternates, a repository that somebody else owns, paths that are too long,
 * odd, or the same but for case.
 *
 * Reading is libgit2's, opened on first use; that costs some 7 ms once.
 */
#ifndef BUNDLER_REPO_H
#define BUNDLER_REPO_H

#include "base/arena.h"
#include "base/err.h"
#include "base/fs.h"

struct repo_file {
	struct str path; /* "policies/k8s/a.rego": no leading slash */
	struct str content;
};

/* A tag that leads to the commit. */
struct repo_tag {
	const char *name; /* short: "v1.2.3" */
	char id[65];      /* of the tag object; "": it is a name and no more */
	/* As git stores it; "": it can't be read, or is one of several. */
	struct str object;
};

/* Everything in it lives until repo_release(). */
struct repo {
	struct arena arena;
	struct repo_file *files; /* sorted by path */
	size_t nfiles;
	char commit[65], tree[65]; /* hex; "" of a work tree */
	int64_t time;              /* the committer's, seconds since 1970 */
	/*
	 * Which one of its UTC day this commit is on the first-parent line,
	 * from 1; 0: not known, the history ends before (a shallow clone).
	 */
	uint32_t of_day;
	struct str object;     /* the commit, as git stores it (signed.h) */
	struct repo_tag *tags; /* that lead here, sorted by name */
	size_t ntags;
	bool worktree; /* files as they lie there: may not be published */
};

struct repo_options {
	const char *rev; /* branch, tag or id; NULL: HEAD */
	/*
	 * What lies in the folder instead, untracked files too, whether it is
	 * a git repository or not; .git and `rev` are ignored.
	 */
	bool worktree;
	/*
	 * Files and folders to read, as "CODEOWNERS" or "policies/k8s"; none:
	 * all. What is not read is not judged either.
	 */
	const char *const *paths;
	size_t npaths;
	const struct fs
		*fs; /* the seam when reading a work tree; may be NULL */
};

/*
 * Read files of a commit, within the limits. `dir` is the work tree or the
 * git folder itself, bare or not; folders above it are not searched. `o` may
 * be NULL. E_NOT_FOUND: no repository, or no such rev. E_DENIED: it belongs to
 * somebody else. On failure `out` is untouched.
 */
enum status repo_read(struct repo *out, const char *dir,
	const struct repo_options *o, struct err *e) MUST_CHECK;
void repo_release(struct repo *r);

/* NULL: no such file. */
const struct repo_file *repo_find(const struct repo *r, struct str path);

/*
 * The id of the best common ancestor of two revs, for comparing with a base.
 * E_NOT_FOUND: none, or the clone is too shallow to tell.
 */
enum status repo_merge_base(const char *dir, const char *a, const char *b,
	char out[65], struct err *e) MUST_CHECK;

/*
 * What a commit follows, so that somebody without the repository can tell
 * whether it follows another one.
 */
struct repo_ancestry {
	/* Commits of the first-parent line up to this one; 0: not known. */
	uint32_t count;
	/*
	 * The first digits of its newest ancestors by all lines, "." between
	 * them; an ancestor that is newer than `since` (seconds) is one of
	 * these. since 1: all are listed.
	 */
	const char *commits;
	int64_t since;
};

enum {
	REPO_ANCESTORS = 250,
	REPO_ANCESTOR = 12, /* digits of one */
};

/* Text in `a`. A shallow clone is no failure: it knows less. */
enum status repo_ancestry(const char *dir, const char *rev, struct arena *a,
	struct repo_ancestry *out, struct err *e) MUST_CHECK;

/*
 * Is `path` (without a leading slash) one that repositories and bundles may
 * have? Else E_INVALID or E_LIMIT with "PATH: the rule". That two paths differ
 * by more than case is for the caller to see to, with repo_path_fold().
 *
 * Valid UTF-8 that can be printed, so that a path can't hide or rewrite what a
 * terminal shows; no \ or :, no empty step, ".", ".." or ".git", no dot or
 * space at the end of a step, which Windows would drop.
 */
enum status repo_path_check(struct str path, struct err *e) MUST_CHECK;

/* Append `path` with all case folded: equal for what some systems mix up. */
void repo_path_fold(struct buf *out, struct str path);

/* `path` to be shown in a message: cut, and nothing a terminal would obey. */
struct repo_path_text {
	char s[400];
};
struct repo_path_text repo_path_text(struct str path);

#endif
