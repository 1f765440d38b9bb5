/*
 * regatta dump: what each stage of the engine makes of a module or query.
 */
#include <stddef.h>

#include "base/limits.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "rego/load.h"

struct dump_params {
	struct list data;
	bool tokens, ast, plan, code, builtins, v0;
};

#define AT(field) offsetof(struct dump_params, field)

/* clang-format off */
static const struct option options[] = {
	{0, "ast", OPT_BOOL, AT(ast), NULL, NULL, "the syntax tree of modules (what is printed by default)"},
	{0, "builtins", OPT_BOOL, AT(builtins), NULL, NULL, "the types of all builtins"},
	{0, "code", OPT_BOOL, AT(code), NULL, NULL, "the code of a query"},
	{'d', "data", OPT_LIST, AT(data), "path", NULL, "policy and data for the query; may be repeated"},
	{0, "plan", OPT_BOOL, AT(plan), NULL, NULL, "the plan of a query"},
	{0, "tokens", OPT_BOOL, AT(tokens), NULL, NULL, "the tokens of modules"},
	{0, "v0-compatible", OPT_BOOL, AT(v0), NULL, NULL, "read modules as Rego v0"},
};
/* clang-format on */

static int fail(const struct diags *d)
{
	struct buf text = {0};

	diags_text(&text, d, "");
	buf_addc(&text, '\n');
	print_buf(stderr, &text);
	buf_release(&text);
	return 1;
}

static int dump_file(const struct dump_params *p, const char *path)
{
	struct arena a = {0};
	struct symtab t = {.arena = &a};
	struct diags d = {.arena = &a};
	struct parse_options o = {.version = p->v0 ? REGO_V0 : REGO_V1};
	struct buf text = {0}, out = {0};
	struct err err = {0};
	int code = 0;

	if (load_disk.read(NULL, path, LIMIT_REGO_FILE, &text, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	struct source src = {.name = path, .text = buf_str(&text)};

	if (p->tokens) {
		dump_tokens(&out, &src);
	} else {
		struct module *m = parse_module(&a, &t, &src, &o, &d);

		if (m)
			dump_module(&out, m);
		else
			code = fail(&d);
	}
	print_buf(stdout, &out);
	buf_release(&out);
	buf_release(&text);
	symtab_release(&t);
	arena_release(&a);
	return code;
}

static int dump_with(
	const struct dump_params *p, struct rego_engine *e, const char *text)
{
	struct load_options o = {.version = p->v0 ? REGO_V0 : REGO_V1};
	struct load_errors errs = {.list = {.arena = rego_arena(e)}};
	struct diags d = {.arena = rego_arena(e)};
	struct buf out = {0};

	if (!load_paths(e, &o, p->data.items, p->data.len, &errs))
		return fail(&errs.list);
	if (!rego_compile(e, true))
		return fail(rego_errors(e));
	struct rego_query *q =
		rego_prepare(e, str_from(text), NULL, NULL, 0, &d);

	if (!q)
		return fail(&d);
	if (p->plan)
		rego_dump_plan(&out, q);
	if (p->code)
		rego_dump_code(&out, q);
	print_buf(stdout, &out);
	buf_release(&out);
	return 0;
}

static int dump_query(const struct dump_params *p, const char *text)
{
	struct rego_config cfg = {
		.version = p->v0 ? REGO_V0 : REGO_V1, .keep_print = true};
	struct rego_engine *e = rego_new(&cfg);
	int code = dump_with(p, e, text);

	rego_free(e);
	return code;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct dump_params *p = params;
	int code = 0;

	if (p->builtins) {
		struct buf out = {0};

		dump_builtins(&out);
		print_buf(stdout, &out);
		buf_release(&out);
		return 0;
	}
	if (!args->len)
		return usage_error(c, "specify a file, or a query with --plan "
				      "or --code");
	for (size_t i = 0; i < args->len && !code; i++)
		code = p->plan || p->code ? dump_query(p, args->items[i])
					  : dump_file(p, args->items[i]);
	return code;
}

const struct command cmd_dump = {
	.name = "dump",
	.args = "<file|query> [...]",
	.summary = "Show what the engine makes of a policy",
	.text = "Shows what a stage of the engine makes of a module or a query."
		" For people; the form may change.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct dump_params),
	.run = run,
};
