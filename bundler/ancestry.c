/* What a commit follows: how many there were, and the newest of them. */
#include "bundler/reading.h"

#include <string.h>

struct ancestor {
	git_oid id;
	git_commit *commit; /* NULL: the history of this clone ends before */
	int64_t time;
};

/* Commits whose parents are not looked at yet; few, so they are searched. */
struct frontier {
	git_repository *repo;
	struct arena arena;
	struct map seen; /* by the bytes of the id */
	struct ancestor *items;
	uint32_t n, cap;
	int64_t horizon; /* what is not newer may be missing */
};

static struct str key_of(const git_oid *id)
{
	return str_make((const char *)id->id, sizeof(id->id));
}

static enum status add_parent(
	struct frontier *f, const git_commit *child, unsigned i, struct err *e)
{
	const git_oid *id = git.git_commit_parent_id(child, i);
	struct ancestor *x;
	bool cut;
	enum status st;

	if (map_get(&f->seen, key_of(id)))
		return OK;
	f->items = arena_grow(&f->arena, f->items, f->n, &f->cap, sizeof(*x));
	x = &f->items[f->n];
	st = history_parent(f->repo, child, i, &x->commit, &cut, e);
	if (st)
		return st;
	map_set(&f->seen, arena_str(&f->arena, key_of(id)), f);
	x->id = *id;
	/* Of what this clone lacks the id is known, and nothing before it. */
	x->time = git.git_commit_committer(cut ? child : x->commit)->when.time;
	f->n++;
	return OK;
}

static enum status add_parents(
	struct frontier *f, const git_commit *child, struct err *e)
{
	unsigned n = git.git_commit_parentcount(child);
	enum status st = OK;

	for (unsigned i = 0; i < n && !st; i++)
		st = add_parent(f, child, i, e);
	return st;
}

/* The newest; of two of one second always the same. */
static struct ancestor take_newest(struct frontier *f)
{
	struct ancestor *best = &f->items[0], out;

	for (uint32_t i = 1; i < f->n; i++) {
		struct ancestor *x = &f->items[i];

		if (x->time > best->time ||
			(x->time == best->time &&
				memcmp(x->id.id, best->id.id,
					sizeof(x->id.id)) < 0))
			best = x;
	}
	out = *best;
	*best = f->items[--f->n];
	return out;
}

static void write_id(struct buf *out, const git_oid *id)
{
	char hex[65];

	git.git_oid_tostr(hex, sizeof(hex), id);
	if (out->len)
		buf_addc(out, '.');
	buf_add(out, hex, REPO_ANCESTOR);
}

static void not_before(struct frontier *f, int64_t time)
{
	if (time > f->horizon)
		f->horizon = time;
}

static enum status list(struct frontier *f, struct buf *out, struct err *e)
{
	enum status st = OK;
	unsigned n = 0;

	for (; f->n && n < REPO_ANCESTORS && !st; n++) {
		struct ancestor x = take_newest(f);

		write_id(out, &x.id);
		if (x.commit)
			st = add_parents(f, x.commit, e);
		else
			not_before(f, x.time);
		git.git_commit_free(x.commit);
	}
	for (uint32_t i = 0; i < f->n; i++)
		not_before(f, f->items[i].time);
	return st;
}

static void frontier_release(struct frontier *f)
{
	for (uint32_t i = 0; i < f->n; i++)
		git.git_commit_free(f->items[i].commit);
	map_release(&f->seen);
	arena_release(&f->arena);
}

static enum status count(git_repository *repo, const git_commit *commit,
	uint32_t *out, struct err *e)
{
	const git_commit *at = commit;
	git_commit *own = NULL, *next;
	enum status st = OK;
	uint32_t n = 0;
	bool cut = false;

	for (; at && !st && n < LIMIT_GIT_OBJECTS; n++) {
		st = history_parent(repo, at, 0, &next, &cut, e);
		git.git_commit_free(own);
		at = own = next;
	}
	*out = cut || own ? 0 : n;
	git.git_commit_free(own);
	return st;
}

static enum status ancestry(git_repository *repo, const git_commit *commit,
	struct arena *a, struct repo_ancestry *out, struct err *e)
{
	struct frontier f = {.repo = repo, .horizon = 1};
	struct buf ids = {0};
	uint32_t n = 0;
	enum status st = count(repo, commit, &n, e);

	if (!st)
		st = add_parents(&f, commit, e);
	if (!st)
		st = list(&f, &ids, e);
	if (!st)
		*out = (struct repo_ancestry){.count = n,
			.commits = arena_strdup(a, buf_str(&ids)),
			.since = f.horizon};
	buf_release(&ids);
	frontier_release(&f);
	return st;
}

enum status repo_ancestry(const char *dir, const char *rev, struct arena *a,
	struct repo_ancestry *out, struct err *e)
{
	git_repository *repo = NULL;
	git_commit *commit = NULL;
	enum status st = gitrepo_open(&repo, dir, e);

	if (st)
		return st;
	st = history_commit(&commit, repo, rev, e);
	if (!st)
		st = ancestry(repo, commit, a, out, e);
	git.git_commit_free(commit);
	git.git_repository_free(repo);
	return st;
}
