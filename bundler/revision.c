/* What a version is called. */
#include "bundler/config.h"

#include <string.h>
#include <time.h>

bool revision_is_plain(const char *s)
{
	size_t len = strlen(s);

	return len && len <= 64 && s[0] != '.' && s[0] != '-' &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			 "0123456789._-") == len;
}

static enum status by_tag(const struct repo *r, const char **out, struct err *e)
{
	if (!r->ntags)
		return err_set(e, E_INVALID,
			"commit %.12s has no tag, and version.scheme is tag; "
			"tag it (git tag v1.2.3 %.12s), or fetch the tags",
			r->commit, r->commit);
	if (r->ntags > 1)
		return err_set(e, E_INVALID,
			"commit %.12s has %zu tags (%s, %s%s), and its version "
			"must be one; delete the others or use version.scheme "
			"calver",
			r->commit, r->ntags, r->tags[0].name, r->tags[1].name,
			r->ntags > 2 ? ", ..." : "");
	if (!revision_is_plain(r->tags[0].name))
		return err_set(e, E_INVALID,
			"tag \"%s\" can't be a version, which must "
			"have " CONFIG_REVISION_MUST "; tag it otherwise",
			repo_path_text(str_from(r->tags[0].name)).s);
	*out = r->tags[0].name;
	return OK;
}

/* To year 9999, so that every revision has the same shape. */
static bool date_of(int64_t seconds, struct tm *out)
{
	time_t t = (time_t)seconds;

	return seconds >= 0 && seconds <= INT64_C(253402300799) &&
	       gmtime_r(&t, out);
}

static enum status by_date(
	const struct repo *r, struct arena *a, const char **out, struct err *e)
{
	struct tm tm;

	if (!date_of(r->time, &tm))
		return err_set(e, E_INVALID,
			"commit %.12s has a date outside 1970 to 9999; commit "
			"again with the clock set right",
			r->commit);
	if (!r->of_day)
		return err_set(e, E_INVALID,
			"the history of this clone is cut off too near to "
			"%04d-%02d-%02d, so which commit of that day %.12s is "
			"can't be told; "
			"`git fetch --unshallow` (in CI: fetch-depth 0) gets "
			"the rest",
			tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
			r->commit);
	*out = arena_printf(a, "v%04d.%02d.%02d-%u", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, r->of_day);
	return OK;
}

enum status revision_of(const struct repo *r, const struct config *c,
	struct arena *a, const char **out, struct err *e)
{
	const char *got = NULL;
	enum status st;

	if (r->worktree)
		return err_set(e, E_INVALID,
			"a work tree has no version; commit what is in it");
	st = c->scheme == SCHEME_TAG ? by_tag(r, &got, e)
				     : by_date(r, a, &got, e);
	if (!st)
		*out = arena_strdup(a, str_from(got));
	return st;
}
