/* The files of a folder as they lie there. */
#include "bundler/reading.h"

#include <string.h>

struct listing {
	struct reading *g;
	struct buf content;
};

static enum reading_kind kind_of(const struct fs_entry *entry)
{
	switch (entry->info.kind) {
	case FS_FILE:
		return KIND_FILE;
	case FS_DIR:
		return KIND_FOLDER;
	case FS_LINK:
		return KIND_LINK;
	case FS_NONE:
	case FS_OTHER:
	default:
		return KIND_OTHER;
	}
}

/* Of a folder with a .git in it: a submodule, or a clone inside the clone. */
static bool has_git(struct str path, struct str *folder)
{
	struct str name = S("/.git");

	if (!str_ends(path, name))
		return false;
	*folder = str_slice(path, 0, path.len - name.len);
	return true;
}

static enum status read_file(struct listing *l, const struct fs_entry *entry)
{
	struct reading *g = l->g;
	struct str name = str_from(entry->name);
	enum status st = reading_size(g, name, entry->info.size);

	if (st)
		return st;
	buf_reset(&l->content);
	st = fs_read(g->o->fs, entry->path, LIMIT_GIT_BLOB, &l->content, g->e);
	/* It may have grown since it was looked at. */
	g->bytes -= entry->info.size;
	if (!st)
		st = reading_size(g, name, l->content.len);
	return st ? st : reading_add(g, name, buf_str(&l->content));
}

static enum fs_visit visit(void *user, const struct fs_entry *entry,
	enum status *st, struct err *e)
{
	struct listing *l = user;
	struct str name = str_from(entry->name);
	enum reading_kind kind = kind_of(entry);
	enum wanted want = WANT_NOT;

	(void)e; /* the reading has the same */
	if (str_is(name, ".git"))
		return FS_SKIP;
	if (has_git(name, &name))
		kind = KIND_SUBMODULE;
	*st = reading_admit(l->g, name, kind, &want);
	if (!*st && want != WANT_NOT && kind == KIND_FILE)
		*st = read_file(l, entry);
	return want == WANT_NOT ? FS_SKIP : FS_GO_ON;
}

enum status worktree_read(struct reading *g, const char *dir)
{
	struct listing l = {.g = g};
	enum status st =
		fs_walk(g->o->fs, dir, LIMIT_GIT_OBJECTS + 1, visit, &l, g->e);

	buf_release(&l.content);
	return st;
}
