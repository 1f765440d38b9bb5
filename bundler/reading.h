/*
 * reading: what the ways to read a policy repo share.
 *
 * Whatever lies in a folder or a tree is first asked for with reading_admit(),
 * which says whether to look at it and holds all paths against the rules; then
 * contents come with reading_add().
 */
#ifndef BUNDLER_READING_H
#define BUNDLER_READING_H

#include "base/map.h"
#include "bundler/libgit2.h"
#include "bundler/repo.h"

struct reading {
	struct repo *repo;
	const struct repo_options *o;
	struct arena scratch;
	struct map seen; /* folded path -> struct seen * */
	struct buf folded;
	uint32_t files, cap; /* of repo->files */
	size_t objects, bytes;
	struct err *e;
};

enum wanted {
	WANT_NOT,
	WANT_ABOVE, /* a folder above what is wanted */
	WANT_ALL,   /* it, and all below it */
};

/* What a path may be; the others are refused. */
enum reading_kind {
	KIND_FILE,
	KIND_FOLDER,
	KIND_LINK,
	KIND_SUBMODULE,
	KIND_OTHER,
};

/* *want tells whether to go on with it: read a file, look into a folder. */
enum status reading_admit(struct reading *g, struct str path,
	enum reading_kind kind, enum wanted *want) MUST_CHECK;

/* Count bytes before they are read. */
enum status reading_size(
	struct reading *g, struct str path, uint64_t size) MUST_CHECK;

/* One more file; both are copied. An LFS pointer is refused. */
enum status reading_add(
	struct reading *g, struct str path, struct str content) MUST_CHECK;

/* worktree.c */
enum status worktree_read(struct reading *g, const char *dir) MUST_CHECK;

/* gitrepo.c */
enum status gitrepo_open(
	git_repository **out, const char *dir, struct err *e) MUST_CHECK;
enum status gitrepo_read(struct reading *g, const char *dir) MUST_CHECK;

/* history.c */

/* The commit a rev names; NULL: HEAD. */
enum status history_commit(git_commit **out, git_repository *repo,
	const char *rev, struct err *e) MUST_CHECK;

/*
 * A parent, NULL when there is none. *cut: there is one, but the history of
 * this clone ends here.
 */
enum status history_parent(git_repository *repo, const git_commit *c,
	unsigned i, git_commit **out, bool *cut, struct err *e) MUST_CHECK;

/* Which one of its UTC day a commit is, 0 when that can't be known. */
enum status history_of_day(git_repository *repo, const git_commit *commit,
	uint32_t *out, struct err *e) MUST_CHECK;

/* The tags that lead to `commit`, sorted, in `a`. */
enum status history_tags(git_repository *repo, const git_oid *commit,
	struct arena *a, struct repo_tag **tags, size_t *n,
	struct err *e) MUST_CHECK;

/* The bytes of a commit or a tag, in `a`. */
enum status history_object(git_repository *repo, const git_oid *id,
	struct arena *a, struct str *out, struct err *e) MUST_CHECK;

#endif
