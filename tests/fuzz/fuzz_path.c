/*
 * A path of a repository or bundle: one that is allowed is short, has no step
 * that leads elsewhere and is shown as it is; a message about one that isn't
 * has nothing that a terminal would obey. Folding twice is folding once.
 */
#include "bundler/repo.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
	if (!ok)
		abort();
}

static void check_text(const char *s)
{
	for (; *s; s++)
		need((unsigned char)*s >= ' ' && *s != 0x7f);
}

static void check_allowed(struct str path)
{
	struct buf framed = {0};

	buf_addf(&framed, "/%.*s/", STR_ARG(path));
	need(framed.len == path.len + 2 && path.len <= LIMIT_PATH_BYTES);
	need(!strstr(framed.ptr, "//") && !strstr(framed.ptr, "/../"));
	need(!strstr(framed.ptr, "/./") && !strstr(framed.ptr, "/.git/"));
	need(!strpbrk(framed.ptr, "\\:") && utf8_valid(path.ptr, path.len));
	if (path.len < 300)
		need(str_is(path, repo_path_text(path).s));
	buf_release(&framed);
}

static void check_fold(struct str path)
{
	struct buf once = {0}, twice = {0};

	repo_path_fold(&once, path);
	repo_path_fold(&twice, buf_str(&once));
	need(str_eq(buf_str(&once), buf_str(&twice)));
	buf_release(&once);
	buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str path = {(const char *)data, size};
	struct err e = {0};

	if (repo_path_check(path, &e))
		check_text(e.text);
	else
		check_allowed(path);
	check_text(repo_path_text(path).s);
	check_fold(path);
	return 0;
}
