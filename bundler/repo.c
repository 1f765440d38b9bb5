/* Reading a policy repo: the rules that hold wherever the files come from. */
#include "bundler/reading.h"

#include <stdlib.h>
#include <string.h>

/* --- what is wanted ------------------------------------------------------- */

/* `path` is `folder` or lies in it. */
static bool within(struct str path, struct str folder)
{
	return str_starts(path, folder) &&
	       (path.len == folder.len || path.ptr[folder.len] == '/');
}

static enum wanted wanted(const struct repo_options *o, struct str path)
{
	enum wanted most = o->npaths ? WANT_NOT : WANT_ALL;

	for (size_t i = 0; i < o->npaths; i++) {
		struct str p = str_from(o->paths[i]);

		if (within(path, p))
			return WANT_ALL;
		if (within(p, path))
			most = WANT_ABOVE;
	}
	return most;
}

/* --- rules ---------------------------------------------------------------- */

struct seen {
	struct str path;
	enum wanted want;
};

/* The same name twice, or but for case: where one is read, both must differ. */
static enum status check_unique(
	struct reading *g, struct str path, enum wanted want)
{
	struct seen *old, *now = ARENA_NEW(&g->scratch, struct seen);
	void **at;

	buf_reset(&g->folded);
	repo_path_fold(&g->folded, path);
	*now = (struct seen){arena_str(&g->scratch, path), want};
	at = map_at(&g->seen, arena_str(&g->scratch, buf_str(&g->folded)));
	old = *at;
	*at = now;
	if (!old || (want == WANT_NOT && old->want == WANT_NOT))
		return OK;
	if (str_eq(old->path, path))
		return err_set(g->e, E_INVALID, "%s: is there twice",
			repo_path_text(path).s);
	return err_set(g->e, E_INVALID,
		"%s: the same as %s but for case, which not every file system "
		"tells apart; rename one",
		repo_path_text(path).s, repo_path_text(old->path).s);
}

static enum status check_kind(
	struct reading *g, struct str path, enum reading_kind kind)
{
	/* clang-format off */
	static const char *const why[] = {
		[KIND_FILE] = NULL,
		[KIND_FOLDER] = NULL,
		[KIND_LINK] = "a symbolic link, which is not followed; put the "
			      "file itself here",
		[KIND_SUBMODULE] = "a submodule, whose files are not in this "
				   "repository; copy them into it",
		[KIND_OTHER] = "neither a plain file nor a folder; remove it",
	};
	/* clang-format on */

	if (!why[kind])
		return OK;
	return err_set(
		g->e, E_INVALID, "%s: %s", repo_path_text(path).s, why[kind]);
}

enum status reading_admit(struct reading *g, struct str path,
	enum reading_kind kind, enum wanted *want)
{
	enum status st = OK;

	if (g->objects++ == LIMIT_GIT_OBJECTS)
		return err_set(g->e, E_LIMIT,
			"more than %u files and folders; `include` in "
			"regatta.yaml says which are read",
			LIMIT_GIT_OBJECTS);
	*want = wanted(g->o, path);
	if (*want == WANT_ABOVE && kind == KIND_FILE)
		*want = WANT_NOT;
	if (*want != WANT_NOT)
		st = check_kind(g, path, kind);
	if (!st && *want != WANT_NOT)
		st = repo_path_check(path, g->e);
	return st ? st : check_unique(g, path, *want);
}

enum status reading_size(struct reading *g, struct str path, uint64_t size)
{
	if (size > LIMIT_GIT_BLOB)
		return err_set(g->e, E_LIMIT,
			"%s: %llu bytes, limit %zu; keep it out of the policy "
			"repo or split it",
			repo_path_text(path).s, (unsigned long long)size,
			LIMIT_GIT_BLOB);
	g->bytes += size;
	if (g->bytes > LIMIT_GIT_BLOBS)
		return err_set(g->e, E_LIMIT,
			"%s: with it more than %zu bytes in all files; "
			"`include` in regatta.yaml says which are read",
			repo_path_text(path).s, LIMIT_GIT_BLOBS);
	return OK;
}

/* Source: the specification of Git LFS; hawser is its name of 2014. */
static bool is_lfs_pointer(struct str s)
{
	return s.len < 1024 &&
	       (str_starts(s, S("version https://git-lfs.github.com/spec/")) ||
		       str_starts(s, S("version https://hawser.github.com/")));
}

enum status reading_add(struct reading *g, struct str path, struct str content)
{
	struct repo *r = g->repo;

	if (is_lfs_pointer(content))
		return err_set(g->e, E_INVALID,
			"%s: a pointer of Git LFS, whose content is not in "
			"this repository; `git lfs migrate export` puts it "
			"there",
			repo_path_text(path).s);
	r->files = arena_grow(
		&r->arena, r->files, g->files, &g->cap, sizeof(*r->files));
	r->files[g->files++] = (struct repo_file){
		arena_str(&r->arena, path), arena_str(&r->arena, content)};
	return OK;
}

/* --- the whole ------------------------------------------------------------ */

static int by_path(const void *a, const void *b)
{
	const struct repo_file *x = a, *y = b;

	return str_cmp(x->path, y->path);
}

enum status repo_read(struct repo *out, const char *dir,
	const struct repo_options *o, struct err *e)
{
	static const struct repo_options none = {0};
	struct repo r = {0};
	struct reading g = {.repo = &r, .o = o ? o : &none, .e = e};
	enum status st;

	r.worktree = g.o->worktree;
	st = r.worktree ? worktree_read(&g, dir) : gitrepo_read(&g, dir);
	r.nfiles = g.files;
	map_release(&g.seen);
	buf_release(&g.folded);
	arena_release(&g.scratch);
	if (st) {
		repo_release(&r);
		return st;
	}
	if (r.nfiles)
		qsort(r.files, r.nfiles, sizeof(*r.files), by_path);
	*out = r;
	return OK;
}

void repo_release(struct repo *r)
{
	arena_release(&r->arena);
	*r = (struct repo){0};
}

const struct repo_file *repo_find(const struct repo *r, struct str path)
{
	struct repo_file key = {.path = path};

	if (!r->nfiles)
		return NULL;
	return bsearch(&key, r->files, r->nfiles, sizeof(key), by_path);
}
