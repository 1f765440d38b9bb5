/*
 * regatta check: parse and compile, as `opa check`.
 */
#include <stddef.h>

#include "cli/capabilities.h"
#include "cli/output.h"
#include "rego/load.h"

struct check_params {
	struct list ignore;
	const char *format, *schema, *capabilities;
	bool bundle, strict, v0, v1, v0_v1;
	int64_t max_errors;
};

#define AT(field) offsetof(struct check_params, field)

/* clang-format off */
static const struct option options[] = {
	{'b', "bundle", OPT_BOOL, AT(bundle), NULL, NULL, "load folders as bundles"},
	CAPABILITIES_OPTION(AT(capabilities)),
	{'f', "format", OPT_CHOICE, AT(format), "pretty json", "pretty", "how to print errors"},
	{0, "ignore", OPT_CSV, AT(ignore), "patterns", NULL, "names of files and folders not to load"},
	{'m', "max-errors", OPT_INT, AT(max_errors), "n", "10", "stop compiling after n errors"},
	{0, "rego-v1", OPT_BOOL, AT(v0_v1), NULL, NULL, "the same as --v0-v1"},
	{'s', "schema", OPT_STRING, AT(schema), "path", NULL, "JSON schema of input, or a folder with those that annotations name"},
	{'S', "strict", OPT_BOOL, AT(strict), NULL, NULL, "compile in strict mode"},
	{0, "v0-compatible", OPT_BOOL, AT(v0), NULL, NULL, "read modules as Rego v0"},
	{0, "v0-v1", OPT_BOOL, AT(v0_v1), NULL, NULL, "modules must be right in both versions"},
	{0, "v1-compatible", OPT_BOOL, AT(v1), NULL, NULL, "read modules as Rego v1, as is done anyway"},
};
/* clang-format on */

static void print_json(const struct diags *d)
{
	struct buf out = {0};

	buf_addc(&out, '{');
	json_key(&out, "errors");
	diags_json(&out, d);
	buf_addc(&out, '}');
	json_print(stderr, buf_str(&out));
	buf_release(&out);
}

static void print_text(const struct buf *text)
{
	print_buf(stderr, text);
	fputc('\n', stderr);
}

/* Loading errors; those of a bundle without a code are a text of their own. */
static void report_loading(const struct check_params *p,
	const struct load_errors *errs, bool bundle)
{
	struct buf text = {0};

	if (!strcmp(p->format, "json")) {
		print_json(&errs->list);
		return;
	}
	if (bundle && !errs->prefix)
		diag_text(&text, &errs->list.items[0]);
	else
		load_errors_text(&text, errs);
	print_text(&text);
	buf_release(&text);
}

static void report_compiling(
	const struct check_params *p, const struct diags *d)
{
	struct buf text = {0};

	if (!strcmp(p->format, "json")) {
		print_json(d);
		return;
	}
	diags_text(&text, d, "");
	print_text(&text);
	buf_release(&text);
}

static enum rego_version version(const struct check_params *p)
{
	if (p->v0_v1)
		return REGO_V0_V1;
	return p->v0 ? REGO_V0 : REGO_V1;
}

static bool check(const struct check_params *p, const struct list *args,
	struct rego_engine *e, struct load_errors *errs)
{
	struct load_options o = {.ignore = p->ignore.items,
		.nignore = p->ignore.len,
		.only_rego = !p->bundle,
		.version = version(p)};

	if (p->schema && *p->schema && !load_schemas(e, &o, p->schema, errs)) {
		report_loading(p, errs, false);
		return false;
	}
	bool ok = p->bundle ? load_bundles(e, &o, args->items, args->len, false,
				      errs)
			    : load_paths(e, &o, args->items, args->len, errs);

	if (!ok) {
		report_loading(p, errs, p->bundle);
		return false;
	}
	if (!rego_compile(e, p->bundle)) {
		report_compiling(p, rego_errors(e));
		return false;
	}
	return true;
}

static int run_with(const struct command *c, const void *params,
	const struct list *args, const struct capabilities *caps)
{
	const struct check_params *p = params;
	struct arena a = {0};
	struct load_errors errs = {.list = {.arena = &a}};

	if (!args->len)
		return usage_error(c, "specify at least one file");
	struct rego_config cfg = {.version = version(p),
		.caps = caps,
		.strict = p->strict,
		.keep_print = true,
		.use_schemas = true,
		.max_errors = p->max_errors > 0 ? (uint32_t)p->max_errors
						: UINT32_MAX};
	struct rego_engine *e = rego_new(&cfg);
	bool ok = check(p, args, e, &errs);

	rego_free(e);
	arena_release(&a);
	return ok ? 0 : 1;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct check_params *p = params;

	return capabilities_run(c, params, args, p->capabilities, run_with);
}

const struct command cmd_check = {
	.name = "check",
	.args = "<path> [path [...]]",
	.summary = "Check policies for errors",
	.text = "Parses and compiles policies and prints what is wrong with "
		"them.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct check_params),
	.run = run,
};
