/*
 * regatta capabilities: what an OPA can do, as `opa capabilities`.
 */
#include <stddef.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "rego/capabilities.h"
#include "rego/load.h"

struct capabilities_params {
	const char *file, *version;
	bool current, v0;
};

#define AT(field) offsetof(struct capabilities_params, field)

/* clang-format off */
static const struct option options[] = {
	{0, "current", OPT_BOOL, AT(current), NULL, NULL, "print those of the OPA that this program equals, without its descriptions"},
	{0, "file", OPT_STRING, AT(file), "file", NULL, "print those of a file, as far as OPA reads it"},
	{0, "v0-compatible", OPT_BOOL, AT(v0), NULL, NULL, "with --current: of modules in Rego v0"},
	{0, "version", OPT_STRING, AT(version), "version", NULL, "print those of a version of OPA"},
};
/* clang-format on */

/* OPA is silent here, and so is this where nobody reads along. */
static int failed(const struct err *e)
{
	if (isatty(STDERR_FILENO))
		print_wrong(e->text);
	return EXIT_ERROR;
}

static enum status of_version(struct buf *out, const char *name, struct err *e)
{
	uint32_t version = version_parse(str_from(name));

	if (!version)
		return err_set(e, E_NOT_FOUND,
			"no capabilities version found: %s", name);
	capabilities_of_version_json(out, version);
	return OK;
}

static enum status of_file(struct buf *out, const char *path, struct err *e)
{
	struct buf text = {0};
	enum status st =
		load_disk.read(NULL, path, LIMIT_CAPABILITIES, &text, e);

	if (!st)
		st = capabilities_of_file_json(out, buf_str(&text), e);
	buf_release(&text);
	return st;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct capabilities_params *p = params;
	struct buf out = {0};
	struct err e = {0};
	enum status st = OK;
	bool version = p->version && *p->version, file = p->file && *p->file;

	(void)c, (void)args;
	if (version)
		st = of_version(&out, p->version, &e);
	else if (file)
		st = of_file(&out, p->file, &e);
	else if (p->current)
		capabilities_current_json(&out, p->v0);
	else
		capabilities_versions(&out);
	if (!st && (version || file || p->current))
		json_print(stdout, buf_str(&out));
	else if (!st)
		print_buf(stdout, &out);
	buf_release(&out);
	return st ? failed(&e) : 0;
}

const struct command cmd_capabilities = {
	.name = "capabilities",
	.args = "",
	.summary = "Print what a version of OPA can do",
	.text = "Prints builtins, keywords and features of an OPA, for "
		"--capabilities of\nother commands. Without flags: the "
		"versions that have a name. A version or\nfile that is not "
		"there ends with 1, without a word unless on a terminal.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct capabilities_params),
	.run = run,
};
