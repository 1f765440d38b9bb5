/*
 * regatta init: a policy repo to begin with.
 */
#include <stddef.h>

#include "base/fs.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/stop.h"
#include "cli/template.h"

struct params {
	const char *format;
};

#define AT(field) offsetof(struct params, field)

/* clang-format off */
static const struct option options[] = {
	{'o', "output", OPT_CHOICE, AT(format), "text json", "text", "what to print"},
};
/* clang-format on */

static char *target(
	struct arena *a, const char *dir, const struct template_file *f)
{
	return arena_printf(a, "%s/%s", dir, f->path);
}

/* Nothing that is there is written over. */
static enum status look(struct arena *a, const char *dir, struct err *e)
{
	struct fs_info info;

	for (const struct template_file *f = template_files; f->path; f++) {
		enum status st = fs_stat(NULL, target(a, dir, f), &info, e);

		if (st)
			return st;
		if (info.kind != FS_NONE)
			return err_set(e, E_EXISTS,
				"%s/%s exists; nothing was written: use an "
				"empty folder",
				dir, f->path);
	}
	return OK;
}

static enum status write_one(struct arena *a, const char *dir,
	const struct template_file *f, struct err *e)
{
	char *path = target(a, dir, f);
	char *slash = strrchr(path, '/');

	*slash = '\0';
	enum status st = fs_mkdirs(NULL, path, 0755, e);

	*slash = '/';
	if (st)
		return st;
	return fs_write(NULL, path,
		str_make(f->from, (size_t)(f->to - f->from)), 0644, e);
}

/* A part would be in the way of the next try. Its folders are not. */
static void take_back(struct arena *a, const char *dir, size_t n)
{
	struct err ignored;

	while (n-- > 0)
		(void)!fs_remove(
			NULL, target(a, dir, &template_files[n]), &ignored);
}

/* All of it or nothing; Ctrl-C waits for that. */
static enum status make(const char *dir, size_t *n, struct err *e)
{
	struct arena a = {0};
	enum status st;

	stop_hold();
	st = look(&a, dir, e);
	for (const struct template_file *f = template_files; !st && f->path;
		f++) {
		st = write_one(&a, dir, f, e);
		*n += !st;
	}
	if (st)
		take_back(&a, dir, *n);
	stop_release();
	arena_release(&a);
	return st;
}

static void print_made(const struct params *p, const char *dir, size_t n)
{
	struct buf out = {0};

	if (strcmp(p->format, "json") != 0) {
		printf("%s: %zu files\n", dir, n);
		return;
	}
	buf_adds(&out, "{\"folder\":");
	json_quote(&out, str_from(dir));
	buf_addf(&out, ",\"files\":%zu}", n);
	json_print(stdout, buf_str(&out));
	buf_release(&out);
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const char *dir = args->len ? args->items[0] : ".";
	struct err e = {0};
	size_t n = 0;

	if (args->len > 1)
		return usage_error(
			c, "unknown argument \"%s\"", args->items[1]);
	enum status st = make(dir, &n, &e);

	if (st)
		return print_err(st, &e);
	print_made(params, dir, n);
	fprintf(stderr,
		"Next: read README.md there, then\n\n"
		"  cd %s && git init && git add . && git commit -m 'First "
		"policies'\n"
		"  regatta ci\n",
		dir);
	return 0;
}

const struct command cmd_init = {
	.name = "init",
	.args = "[<folder>]",
	.summary = "Make a policy repo with the library of policies",
	.text = "Writes a policy repo: the library of policies with its tests "
		"and fixtures,\nwaivers, stages, enforcement points, "
		"CODEOWNERS, a CI workflow and regatta.yaml.\nFiles that exist "
		"are never written over.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run,
};
