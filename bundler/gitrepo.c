/* The files of one commit, from the object database. */
#include "bundler/reading.h"

#include <stdlib.h>
#include <string.h>

/* --- opening -------------------------------------------------------------- */

/* Objects of elsewhere: that folder's owner could change what a commit is. */
static enum status refuse_alternates(
	git_repository *repo, const char *dir, struct err *e)
{
	struct buf path = {0};
	struct fs_info info;
	enum status st;

	buf_addf(&path, "%sobjects/info/alternates",
		git.git_repository_commondir(repo));
	st = fs_stat(NULL, path.ptr, &info, e);
	if (!st && info.kind != FS_NONE)
		st = err_set(e, E_INVALID,
			"%s: borrows objects from another repository (%s); run "
			"`git repack -a -d` and remove that file, or clone "
			"without --shared and --reference",
			dir, path.ptr);
	buf_release(&path);
	return st;
}

/* libgit2 1.5 says GIT_ENOTFOUND too: no config allows the folder. */
static bool is_foreign(int rc)
{
	const git_error *why = git.git_error_last();

	return rc == GIT_EOWNER ||
	       (rc == GIT_ENOTFOUND && why && why->klass == GIT_ERROR_CONFIG);
}

/* What git asks for, by its setting, that libgit2 has not. */
static enum status extension_failed(
	const char *dir, const char *reason, struct err *e)
{
	if (strstr(reason, "extensions.objectformat"))
		return err_set(e, E_INVALID,
			"%s: the ids of this repository are not of SHA-1, and "
			"no others are read here; `git fast-export --all` "
			"carries it into one of `git init "
			"--object-format=sha1`",
			dir);
	return err_set(e, E_INVALID,
		"%s: %s, which is not read here; a plain `git clone` of it is",
		dir, reason);
}

static enum status open_failed(int rc, const char *dir, struct err *e)
{
	const git_error *why = git.git_error_last();

	if (is_foreign(rc))
		return err_set(e, E_DENIED,
			"%s: the repository belongs to another user, whose "
			"settings are not trusted; run as that user or change "
			"the owner",
			dir);
	if (rc == GIT_ENOTFOUND)
		return err_set(e, E_NOT_FOUND,
			"%s: no git repository here; name its top folder, "
			"those above are not searched (--worktree reads a "
			"plain folder)",
			dir);
	if (why && strstr(why->message, "unsupported extension"))
		return extension_failed(dir, why->message, e);
	return git_fail(e, rc, "opening %s", dir);
}

enum status gitrepo_open(git_repository **out, const char *dir, struct err *e)
{
	git_repository *repo = NULL;
	enum status st = git_open(e);
	int rc;

	if (st)
		return st;
	rc = git.git_repository_open_ext(
		&repo, dir, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);
	if (rc)
		return open_failed(rc, dir, e);
	st = refuse_alternates(repo, dir, e);
	if (st) {
		git.git_repository_free(repo);
		return st;
	}
	*out = repo;
	return OK;
}

/* --- trees ---------------------------------------------------------------- */

struct entry {
	struct str path;
	git_oid id;
	size_t size;
};

struct walk {
	struct reading *g;
	git_repository *repo;
	git_odb *odb;
	struct entry *list; /* files to read, in scratch */
	uint32_t n, cap;
};

static enum status object_failed(
	struct walk *w, int rc, struct str path, const git_oid *id)
{
	char hex[65];

	git.git_oid_tostr(hex, sizeof(hex), id);
	if (rc == GIT_ENOTFOUND)
		return err_set(w->g->e, E_INVALID,
			"%s: object %s is not in this clone; a clone made with "
			"--filter lacks some, one without has all",
			repo_path_text(path).s, hex);
	return git_fail(w->g->e, rc,
		"%s: object %s can't be read (`git fsck` shows more)",
		repo_path_text(path).s, hex);
}

/* The size of an object, before any of it is read. */
static enum status object_size(struct walk *w, struct str path,
	const git_oid *id, git_object_t want, size_t *size)
{
	git_object_t type;
	int rc = git.git_odb_read_header(size, &type, w->odb, id);

	if (rc)
		return object_failed(w, rc, path, id);
	if (type != want)
		return err_set(w->g->e, E_INVALID,
			"%s: the tree names an object of another type; "
			"`git fsck` shows more",
			repo_path_text(path).s);
	return OK;
}

static enum reading_kind kind_of(const git_tree_entry *entry)
{
	switch ((unsigned)git.git_tree_entry_filemode_raw(entry)) {
	case 0100644:
	case 0100755:
		return KIND_FILE;
	case 0040000:
		return KIND_FOLDER;
	case 0120000:
		return KIND_LINK;
	case 0160000:
		return KIND_SUBMODULE;
	default:
		return KIND_OTHER;
	}
}

static enum status add_file(struct walk *w, struct str path, const git_oid *id)
{
	struct entry entry = {.path = path, .id = *id};
	enum status st = object_size(w, path, id, GIT_OBJECT_BLOB, &entry.size);

	if (!st)
		st = reading_size(w->g, path, entry.size);
	if (st)
		return st;
	w->list = arena_grow(
		&w->g->scratch, w->list, w->n, &w->cap, sizeof(*w->list));
	w->list[w->n++] = entry;
	return OK;
}

static enum status walk_tree(
	struct walk *w, struct str path, const git_oid *id);

static enum status walk_entry(
	struct walk *w, struct str folder, const git_tree_entry *entry)
{
	const char *name = git.git_tree_entry_name(entry);
	const git_oid *id = git.git_tree_entry_id(entry);
	struct str path = str_from(arena_printf(&w->g->scratch, "%.*s%s%s",
		STR_ARG(folder), folder.len ? "/" : "", name));
	enum reading_kind kind = kind_of(entry);
	enum wanted want;
	enum status st;

	/* No git makes one, and it would say two things. */
	if (strchr(name, '/'))
		return err_set(w->g->e, E_INVALID, "%s: a name with / in it",
			repo_path_text(path).s);
	st = reading_admit(w->g, path, kind, &want);
	if (st || want == WANT_NOT)
		return st;
	return kind == KIND_FOLDER ? walk_tree(w, path, id)
				   : add_file(w, path, id);
}

static enum status walk_entries(
	struct walk *w, struct str path, const git_tree *tree)
{
	size_t n = git.git_tree_entrycount(tree);
	enum status st = OK;

	for (size_t i = 0; i < n && !st; i++)
		st = walk_entry(w, path, git.git_tree_entry_byindex(tree, i));
	return st;
}

/* Recursion is as deep as LIMIT_PATH_DEPTH: a deeper folder's path is. */
static enum status walk_tree(struct walk *w, struct str path, const git_oid *id)
{
	git_tree *tree = NULL;
	size_t size;
	enum status st = object_size(w, path, id, GIT_OBJECT_TREE, &size);
	int rc;

	if (!st && size > LIMIT_GIT_BLOB)
		st = err_set(w->g->e, E_LIMIT,
			"%s: a tree of %zu bytes, limit %zu",
			repo_path_text(path).s, size, LIMIT_GIT_BLOB);
	if (st)
		return st;
	rc = git.git_tree_lookup(&tree, w->repo, id);
	if (rc)
		return object_failed(w, rc, path, id);
	st = walk_entries(w, path, tree);
	git.git_tree_free(tree);
	return st;
}

/* --- contents ------------------------------------------------------------- */

static enum status read_blob(struct walk *w, const struct entry *entry)
{
	git_odb_object *blob = NULL;
	int rc = git.git_odb_read(&blob, w->odb, &entry->id);
	enum status st;

	if (rc)
		return object_failed(w, rc, entry->path, &entry->id);
	st = reading_add(w->g, entry->path,
		str_make(git.git_odb_object_data(blob),
			git.git_odb_object_size(blob)));
	git.git_odb_object_free(blob);
	return st;
}

/* All rules are held against names and sizes before a content is read. */
static enum status read_tree(struct walk *w, const git_oid *id)
{
	enum status st;
	int rc = git.git_repository_odb(&w->odb, w->repo);

	if (rc)
		return git_fail(w->g->e, rc, "opening the object database");
	st = walk_tree(w, S(""), id);
	for (uint32_t i = 0; i < w->n && !st; i++)
		st = read_blob(w, &w->list[i]);
	git.git_odb_free(w->odb);
	return st;
}

static enum status read_commit(
	struct reading *g, git_repository *repo, const git_commit *commit)
{
	struct walk w = {.g = g, .repo = repo};
	struct repo *r = g->repo;
	const git_oid *id = git.git_commit_id(commit);
	const git_oid *tree = git.git_commit_tree_id(commit);
	enum status st;

	git.git_oid_tostr(r->commit, sizeof(r->commit), id);
	git.git_oid_tostr(r->tree, sizeof(r->tree), tree);
	r->time = git.git_commit_committer(commit)->when.time;
	st = history_object(repo, id, &r->arena, &r->object, g->e);
	if (!st)
		st = history_of_day(repo, commit, &r->of_day, g->e);
	if (!st)
		st = history_tags(
			repo, id, &r->arena, &r->tags, &r->ntags, g->e);
	return st ? st : read_tree(&w, tree);
}

enum status gitrepo_read(struct reading *g, const char *dir)
{
	git_repository *repo = NULL;
	git_commit *commit = NULL;
	enum status st = gitrepo_open(&repo, dir, g->e);

	if (st)
		return st;
	st = history_commit(&commit, repo, g->o->rev, g->e);
	if (!st)
		st = read_commit(g, repo, commit);
	git.git_commit_free(commit);
	git.git_repository_free(repo);
	return st;
}
