/* A policy repo with its config, both of one commit. */
#include "bundler/config.h"

#include <string.h>

/* What gates read beside what is packed. */
static const char *const beside[] = {
	CONFIG_NAME,
	"CODEOWNERS",
	".github/CODEOWNERS",
	".gitlab/CODEOWNERS",
	"docs/CODEOWNERS",
	"enforcement",
};

static enum status read_config(struct config *c, struct repo *r,
	const char *dir, struct repo_options o, struct err *e)
{
	static const char *const only[] = {CONFIG_NAME};
	const struct repo_file *file;
	enum status st;

	o.paths = only;
	o.npaths = COUNT(only);
	st = repo_read(r, dir, &o, e);
	if (st)
		return st;
	file = repo_find(r, S(CONFIG_NAME));
	if (file)
		st = config_parse(c, CONFIG_NAME, file->content, e);
	else
		st = err_set(e, E_NOT_FOUND,
			"%s: no %s%s%.12s; `regatta init` makes one", dir,
			CONFIG_NAME, r->worktree ? "" : " in commit ",
			r->commit);
	if (st)
		repo_release(r);
	return st;
}

static void add(
	const char **list, size_t *n, const char *const *items, size_t len)
{
	for (size_t i = 0; i < len; i++)
		list[(*n)++] = items[i];
}

enum status config_read_repo(struct config *c, struct repo *r, const char *dir,
	const struct repo_options *o, struct err *e)
{
	struct repo_options all = o ? *o : (struct repo_options){0};
	struct config config = {0};
	struct repo first = {0};
	const char **paths;
	size_t n = 0;
	enum status st = read_config(&config, &first, dir, all, e);

	if (st)
		return st;
	paths = ARENA_ARRAY(&first.arena, const char *,
		config.include.len + COUNT(beside) + all.npaths);
	for (size_t i = 0; i < config.include.len; i++)
		paths[n++] = config.include.items[i];
	add(paths, &n, beside, COUNT(beside));
	add(paths, &n, all.paths, all.npaths);
	all.paths = paths;
	all.npaths = n;
	/* The ref may move meanwhile; the commit doesn't. */
	if (!all.worktree)
		all.rev = first.commit;
	st = repo_read(r, dir, &all, e);
	repo_release(&first);
	if (st)
		config_release(&config);
	else
		*c = config;
	return st;
}
