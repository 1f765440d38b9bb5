/*
 * regatta build: the bundle of a commit.
 */
#include <stddef.h>

#include "base/json.h"
#include "cli/capabilities.h"
#include "cli/output.h"
#include "cli/project.h"

struct build_params {
	struct project_params project;
	const char *capabilities, *out, *revision, *format;
	bool bundle;
};

#define AT(field) offsetof(struct build_params, field)

/* clang-format off */
static const struct option options[] = {
	{'b', "bundle", OPT_BOOL, AT(bundle), NULL, NULL, "accepted for opa's sake: a bundle is what is built"},
	CAPABILITIES_OPTION(AT(capabilities)),
	{'e', "entrypoint", OPT_NO_VALUE, 0, NULL, NULL, NULL},
	{'f', "format", OPT_CHOICE, AT(format), "text json", "text", "what to print"},
	{'O', "optimize", OPT_NO_VALUE, 0, NULL, NULL, NULL},
	{'o', "output", OPT_STRING, AT(out), "file", "bundle.tar.gz", "where to write the bundle"},
	{0, "ref", OPT_STRING, AT(project.ref), "ref", NULL, "branch, tag or commit; HEAD if not given"},
	{'r', "revision", OPT_STRING, AT(revision), "text", NULL, "revision to write; made from the commit if not given"},
	{0, "signing-key", OPT_NO_VALUE, 0, NULL, NULL, NULL},
	{'t', "target", OPT_NO_VALUE, 0, NULL, NULL, NULL},
	{0, "worktree", OPT_BOOL, AT(project.worktree), NULL, NULL, "the files as they lie there; can't be published"},
};
/* clang-format on */

static void print_built(const struct build_params *p, const struct project *x,
	const struct bundle *b, size_t size)
{
	struct buf out = {0};

	if (strcmp(p->format, "json") != 0) {
		printf("%s %s  %s  %zu bytes\n", x->config.bundle,
			b->manifest.revision, b->digest, size);
		return;
	}
	buf_addc(&out, '{');
	version_json(&out, x->config.bundle, b->manifest.revision, b->digest);
	buf_addf(&out, ",\"size\":%zu,\"file\":", size);
	json_quote(&out, str_from(p->out));
	buf_addc(&out, '}');
	json_print(stdout, buf_str(&out));
	buf_release(&out);
}

/* Agents of these capabilities must be able to run it. */
static int check_agents(const struct build_params *p, const struct bundle *b,
	const struct capabilities *caps)
{
	struct err e = {0};

	if (!caps || !bundle_check_capabilities(b, caps, &e))
		return 0;
	err_wrap(&e, "an OPA of --capabilities %s does not take it",
		p->capabilities);
	print_wrong(e.text);
	return EXIT_UNJUDGED;
}

static int build(const struct build_params *p, struct project *x,
	const struct capabilities *caps)
{
	struct gate_report report = {0};
	struct bundle b = {0};
	struct buf archive = {0};
	struct err e = {0};
	int code = project_derive(x, NULL, &report);

	struct build_options o = {
		.revision = p->revision ? p->revision : x->revision,
		.tool = program_name,
		.extra = report.extra,
		.nextra = report.nextra};

	if (!code)
		code = project_build(x, &o, &b, &archive);
	if (!code)
		code = check_agents(p, &b, caps);
	if (!code) {
		enum status st = output_file(p->out, buf_str(&archive), &e);

		code = st ? print_err(st, &e) : 0;
	}
	if (!code)
		print_built(p, x, &b, archive.len);
	buf_release(&archive);
	bundle_release(&b);
	gate_report_release(&report);
	return code;
}

static int run_with(const struct command *c, const void *params,
	const struct list *args, const struct capabilities *caps)
{
	struct build_params p = *(const struct build_params *)params;
	struct project x;

	if (args->len > 1)
		return usage_error(
			c, "unknown argument \"%s\"", args->items[1]);
	if (p.revision && !revision_is_plain(p.revision))
		return usage_error(c, "--revision is \"%s\", must have %s",
			p.revision, CONFIG_REVISION_MUST);
	p.project.repo = args->len ? args->items[0] : ".";
	int code = project_open(&x, &p.project);

	if (!code)
		code = build(&p, &x, caps);
	project_release(&x);
	return code;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct build_params *p = params;

	return capabilities_run(c, params, args, p->capabilities, run_with);
}

const struct command cmd_build = {
	.name = "build",
	.args = "[<repo>]",
	.summary = "Make the bundle of a commit, without judging it",
	.text = "Packs what regatta.yaml includes of a commit: policies "
		"without tests and\nfixtures, all data, waivers and stages; "
		"signed if regatta.yaml says with what.\nThe same commit gives "
		"the same bytes on every machine. With --capabilities it is\n"
		"not written where agents with these could not run it.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct build_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run,
};
