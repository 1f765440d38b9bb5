#include "bundler/libgit2.h"

#include <pthread.h>
#include <stdarg.h>

struct libgit2 git;

/* clang-format off */
static const char *const names[] = { GIT_FNS(LIB_NAME) NULL };
static const char *const files[] = {"libgit2.so.1.5", NULL};
/* clang-format on */
static struct lib lib = {"libgit2", files, names, &git, false};

/* Where libgit2 would look for config that is not the repository's. */
static const int elsewhere[] = {
	GIT_CONFIG_LEVEL_PROGRAMDATA,
	GIT_CONFIG_LEVEL_SYSTEM,
	GIT_CONFIG_LEVEL_XDG,
	GIT_CONFIG_LEVEL_GLOBAL,
};

/*
 * Extensions that change nothing for who only reads objects: without a name
 * here, a clone that has one is refused.
 */
static const char *const extensions[] = {
	"partialclone", "preciousobjects", "worktreeconfig"};

static int set_up(void)
{
	int rc = git.git_libgit2_init();

	if (rc > 0)
		rc = 0;
	for (size_t i = 0; i < COUNT(elsewhere) && !rc; i++)
		rc = git.git_libgit2_opts(
			GIT_OPT_SET_SEARCH_PATH, elsewhere[i], "");
	if (!rc)
		rc = git.git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 1);
	if (!rc)
		rc = git.git_libgit2_opts(
			GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
	if (!rc)
		rc = git.git_libgit2_opts(
			GIT_OPT_SET_EXTENSIONS, extensions, COUNT(extensions));
	return rc;
}

static void init(void)
{
	if (set_up())
		die("libgit2 does not start: %s",
			git.git_error_last() ? git.git_error_last()->message
					     : "no reason given");
}

enum status git_open(struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	enum status st = lib_load(&lib, e);

	if (st)
		return st;
	pthread_once(&once, init);
	return OK;
}

static enum status code_of(int rc, const git_error *why)
{
	if (rc == GIT_ENOTFOUND)
		return E_NOT_FOUND;
	if (rc == GIT_EOWNER)
		return E_DENIED;
	return why && why->klass == GIT_ERROR_OS ? E_IO : E_INVALID;
}

enum status git_fail(struct err *e, int rc, const char *fmt, ...)
{
	const git_error *why = git.git_error_last();
	char what[1024];
	va_list ap;

	if (why && why->klass == GIT_ERROR_NOMEMORY)
		die("out of memory: libgit2");
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (!why)
		return err_set(e, code_of(rc, why), "%s", what);
	return err_set(e, code_of(rc, why), "%s: %s", what, why->message);
}
