#include "bundler/libgit2.h"

#include <git2/sys/alloc.h>
#include <stdarg.h>

#include "base/limits.h"

struct libgit2 git;

/* clang-format off */
static const char *const names[] = { GIT_FNS(LIB_NAME) NULL };
static const char *const files[] = {"libgit2.so.1.5", NULL};
/* clang-format on */

/* --- memory -----------------------------------------------------------------
 *
 * A few bytes of a pack can inflate to gigabytes, also in what sizes asked for
 * beforehand don't tell: the base of a delta, a tag, a commit. So libgit2 gets
 * no block of more than LIMIT_GIT_BLOCK, which it reports as being out of
 * memory; when there really is none left the process ends.
 */

static void *block(void *old, size_t n, size_t size)
{
	size_t total;
	void *p;

	if (__builtin_mul_overflow(n, size, &total) ||
		total > LIMIT_GIT_BLOCK) {
		git.git_error_set_oom();
		return NULL;
	}
	p = realloc(old, total ? total : 1);
	if (!p)
		die("out of memory: %zu bytes for libgit2", total);
	return p;
}

static void *git_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return block(NULL, n, 1);
}

static void *git_malloc_array(size_t n, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return block(NULL, n, size);
}

static void *git_calloc(size_t n, size_t size, const char *file, int line)
{
	void *p = git_malloc_array(n, size, file, line);

	return p ? memset(p, 0, n * size) : NULL;
}

static void *git_realloc(void *old, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return block(old, n, 1);
}

static void *git_realloc_array(
	void *old, size_t n, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return block(old, n, size);
}

/* Exactly `n` bytes and a NUL. */
static char *git_substrdup(const char *s, size_t n, const char *file, int line)
{
	char *p = n < SIZE_MAX ? git_malloc(n + 1, file, line) : NULL;

	if (!p)
		return NULL;
	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

static char *git_strndup(const char *s, size_t n, const char *file, int line)
{
	return git_substrdup(s, strnlen(s, n), file, line);
}

static char *git_strdup(const char *s, const char *file, int line)
{
	return git_substrdup(s, strlen(s), file, line);
}

static git_allocator allocator = {
	.gmalloc = git_malloc,
	.gcalloc = git_calloc,
	.gstrdup = git_strdup,
	.gstrndup = git_strndup,
	.gsubstrdup = git_substrdup,
	.grealloc = git_realloc,
	.greallocarray = git_realloc_array,
	.gmallocarray = git_malloc_array,
	.gfree = free,
};

/* --- opening -------------------------------------------------------------- */

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
	int rc = git.git_libgit2_opts(GIT_OPT_SET_ALLOCATOR, &allocator);

	if (!rc)
		rc = git.git_libgit2_init() < 0;
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

static void start(void)
{
	if (set_up())
		die("libgit2 does not start: %s",
			git.git_error_last() ? git.git_error_last()->message
					     : "no reason given");
}

static struct lib lib = {.name = "libgit2",
	.files = files,
	.names = names,
	.slots = &git,
	.start = start};

enum status git_open(struct err *e)
{
	return lib_load(&lib, e);
}

/* --- errors --------------------------------------------------------------- */

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

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (!why)
		return err_set(e, code_of(rc, why), "%s", what);
	if (why->klass == GIT_ERROR_NOMEMORY)
		return err_set(e, E_LIMIT, "%s: more than %zu bytes at once",
			what, LIMIT_GIT_BLOCK);
	return err_set(e, code_of(rc, why), "%s: %s", what, why->message);
}
