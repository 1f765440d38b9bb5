/* Where two commits part. */
#include "bundler/reading.h"

#include <string.h>

/* --- of a shallow clone ------------------------------------------------------
 *
 * libgit2 1.5 fails at the first parent that a shallow clone lacks, also when
 * the answer is nearer. What is here is little, so all of it is walked, and a
 * commit whose parents are missing is taken for a first one, as git does.
 */

enum { OF_FIRST = 1, OF_SECOND = 2, OF_BOTH = 3, INNER = 4 };

struct node {
	git_oid id;
	int64_t time;
	struct node **parents; /* those that are here */
	unsigned nparents;
	unsigned flags;
	bool here, read;
	struct node *next; /* to be walked */
};

struct graph {
	git_repository *repo;
	struct arena arena;
	struct map nodes; /* by the bytes of the id */
	struct err *e;
};

static struct node *node_at(struct graph *g, const git_oid *id)
{
	struct str key = {(const char *)id->id, sizeof(id->id)};
	struct node *n = map_get(&g->nodes, key);

	if (n)
		return n;
	n = ARENA_NEW(&g->arena, struct node);
	n->id = *id;
	key.ptr = (const char *)n->id.id;
	map_set(&g->nodes, key, n);
	return n;
}

static void read_parents(
	struct graph *g, struct node *n, const git_commit *commit)
{
	unsigned len = git.git_commit_parentcount(commit);

	n->here = true;
	n->time = git.git_commit_committer(commit)->when.time;
	n->parents = ARENA_ARRAY(&g->arena, struct node *, len ? len : 1);
	for (unsigned i = 0; i < len; i++)
		n->parents[n->nparents++] =
			node_at(g, git.git_commit_parent_id(commit, i));
}

static enum status read_node(struct graph *g, struct node *n)
{
	git_commit *commit = NULL;
	char hex[65];
	int rc;

	if (n->read)
		return OK;
	n->read = true;
	if (g->nodes.len > LIMIT_GIT_OBJECTS)
		return err_set(g->e, E_LIMIT,
			"more than %u commits in a shallow clone; `git fetch "
			"--unshallow` gets the rest",
			LIMIT_GIT_OBJECTS);
	rc = git.git_commit_lookup(&commit, g->repo, &n->id);
	if (rc == GIT_ENOTFOUND)
		return OK;
	if (rc) {
		git.git_oid_tostr(hex, sizeof(hex), &n->id);
		return git_fail(g->e, rc, "reading commit %s", hex);
	}
	read_parents(g, n, commit);
	git.git_commit_free(commit);
	return OK;
}

/* Flag a commit and all before it. */
static enum status flag_all(struct graph *g, const git_oid *from, unsigned flag)
{
	struct node *todo = node_at(g, from);
	enum status st = OK;

	todo->flags |= flag;
	todo->next = NULL;
	while (todo && !st) {
		struct node *n = todo;

		todo = n->next;
		st = read_node(g, n);
		for (unsigned i = 0; i < n->nparents; i++) {
			struct node *parent = n->parents[i];

			if (parent->flags & flag)
				continue;
			parent->flags |= flag;
			parent->next = todo;
			todo = parent;
		}
	}
	return st;
}

/* The newer one; of two of one second always the same. */
static bool is_better(const struct node *n, const struct node *best)
{
	if (!best || n->time != best->time)
		return !best || n->time > best->time;
	return memcmp(n->id.id, best->id.id, sizeof(n->id.id)) < 0;
}

/*
 * What is before a common commit is common too, so the best are those that are
 * parents of none.
 */
static const struct node *best_common(const struct graph *g)
{
	const struct node *best = NULL;

	for (size_t i = 0; i < g->nodes.len; i++) {
		const struct node *n = g->nodes.entries[i].value;

		for (unsigned j = 0; j < n->nparents; j++)
			if ((n->flags & OF_BOTH) == OF_BOTH)
				n->parents[j]->flags |= INNER;
	}
	for (size_t i = 0; i < g->nodes.len; i++) {
		const struct node *n = g->nodes.entries[i].value;

		if (n->here && (n->flags & (OF_BOTH | INNER)) == OF_BOTH &&
			is_better(n, best))
			best = n;
	}
	return best;
}

static enum status shallow_base(git_repository *repo, const git_oid *a,
	const git_oid *b, git_oid *out, struct err *e)
{
	struct graph g = {.repo = repo, .e = e};
	const struct node *best = NULL;
	enum status st = flag_all(&g, a, OF_FIRST);

	if (!st)
		st = flag_all(&g, b, OF_SECOND);
	if (!st)
		best = best_common(&g);
	if (best)
		*out = best->id;
	else if (!st)
		st = err_set(e, E_NOT_FOUND,
			"this clone is too shallow to tell where they part; "
			"`git fetch --unshallow` gets the rest");
	map_release(&g.nodes);
	arena_release(&g.arena);
	return st;
}

/* --- of any clone --------------------------------------------------------- */

static enum status merge_base(git_repository *repo, const git_oid *a,
	const git_oid *b, git_oid *out, struct err *e)
{
	int rc;

	if (git.git_repository_is_shallow(repo) == 1)
		return shallow_base(repo, a, b, out, e);
	rc = git.git_merge_base(out, repo, a, b);
	if (rc == GIT_ENOTFOUND)
		return err_set(
			e, E_NOT_FOUND, "the two have no commit in common");
	return rc ? git_fail(e, rc, "finding where they part") : OK;
}

enum status repo_merge_base(const char *dir, const char *a, const char *b,
	char out[65], struct err *e)
{
	git_repository *repo = NULL;
	git_commit *first = NULL, *second = NULL;
	git_oid base;
	enum status st = gitrepo_open(&repo, dir, e);

	if (st)
		return st;
	st = history_commit(&first, repo, a, e);
	if (!st)
		st = history_commit(&second, repo, b, e);
	if (!st)
		st = merge_base(repo, git.git_commit_id(first),
			git.git_commit_id(second), &base, e);
	if (st)
		err_wrap(e, "comparing %s with %s", a, b);
	else
		git.git_oid_tostr(out, 65, &base);
	git.git_commit_free(first);
	git.git_commit_free(second);
	git.git_repository_free(repo);
	return st;
}
