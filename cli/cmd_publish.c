/*
 * regatta publish: a bundle file into a store.
 */
#include <stddef.h>
#include <stdlib.h>

#include "cli/output.h"
#include "cli/project.h"

struct params {
	const char *name, *format;
	const char *repo; /* where its commit is; who may sign that: */
	struct source_params source;
	struct publish_params to;
};

#define AT(field) offsetof(struct params, field)

/* clang-format off */
static const struct option options[] = {
	SOURCE_OPTIONS(struct params, source),
	{0, "name", OPT_STRING, AT(name), "name", NULL, "the bundle's name, as agents ask for it"},
	{'o', "output", OPT_CHOICE, AT(format), "text json", "text", "what to print"},
	{0, "repo", OPT_STRING, AT(repo), "folder", NULL, "the policy repo with its commit, of which it must be the bundle"},
	PUBLISH_OPTIONS(struct params, to),
};
/* clang-format on */

static void print_published(
	const struct params *p, const struct bundle *b, bool fresh)
{
	struct buf out = {0};

	if (strcmp(p->format, "json") != 0) {
		printf("%s %s  %s  %s\n", p->name, b->manifest.revision,
			b->digest, fresh ? "published" : "published before");
		return;
	}
	buf_addc(&out, '{');
	version_json(&out, p->name, b->manifest.revision, b->digest);
	buf_addf(&out, ",\"fresh\":%s}", fresh ? "true" : "false");
	json_print(stdout, buf_str(&out));
	buf_release(&out);
}

static int check(struct bundle *b, struct str archive, const char *path)
{
	struct arena a = {0};
	struct version v;
	struct err e = {0};
	enum status st = bundle_check(b, BUNDLE_RELEASE, &e);

	if (!st)
		st = bundle_version(b, "", archive, &a, &v, &e);
	arena_release(&a);
	if (!st)
		return 0;
	err_wrap(&e, "%s", path);
	print_wrong(e.text);
	return EXIT_INTEGRITY;
}

/* --- the commit it says it is of --------------------------------------------
 */

static bool asks_for_commit(const struct params *p)
{
	return p->repo || project_has_lists(&p->source);
}

/* The first file that is not as the commit has it; NULL: one is missing. */
static const char *first_other(
	const struct bundle *b, const struct bundle *built, struct arena *a)
{
	for (uint32_t i = 0; i < b->nfiles; i++) {
		const struct bundle_file *f = &b->files[i];
		const struct bundle_file *own = bundle_find(built, f->path);

		if (!str_is(f->path, ".signatures.json") &&
			(!own || !str_eq(own->content, f->content)))
			return arena_strdup(
				a, str_from(repo_path_text(f->path).s));
	}
	return NULL;
}

/*
 * Is it what the commit gives? Built once more with what it says of its maker
 * (the tool, the report), it must be the same in all else, manifest included.
 */
static int compare(const struct project *x, const char *path,
	const struct bundle *b, const struct gate_report *report)
{
	struct bundle built = {0};
	struct arena a = {0};
	struct err e = {0};
	struct build_options o = {.revision = x->revision,
		.tool = bundle_metadata(b, "tool", &a),
		.test_digest = bundle_metadata(b, "test_report", &a),
		.signer_key = bundle_metadata(b, "signer_key", &a),
		.extra = report->extra,
		.nextra = report->nextra};
	enum status st = bundle_build(&built, &x->repo, &x->config, &o, &e);

	if (!st && !bundle_same(b, &built)) {
		const char *other = first_other(b, &built, &a);

		st = err_set(&e, E_DENIED,
			"%s is not the bundle of commit %.12s: %s%s; build "
			"that with `regatta ci` or `regatta build`",
			path, x->repo.commit, other ? other : "a file",
			other ? " differs" : " is missing");
	}
	bundle_release(&built);
	arena_release(&a);
	if (st)
		fprintf(stderr, "regatta: %s\n", e.text);
	return st ? EXIT_INTEGRITY : 0;
}

/* Its commit must be there, be signed by who may, and give these files. */
static int check_commit(
	const struct params *p, const char *path, const struct bundle *b)
{
	struct project x = {0};
	struct arena a = {0};
	struct gate_source source;
	struct gate_report report = {0};
	struct project_params where = {.repo = p->repo ? p->repo : ".",
		.ref = bundle_metadata(b, "commit", &a)};
	bool asked = false;
	int code = 0;

	if (!*where.ref) {
		fprintf(stderr,
			"regatta: %s: it does not say which commit it is of, "
			"so whether that is signed can't be told\n",
			path);
		code = EXIT_FAILED;
	}
	if (!code)
		code = project_open(&x, &where);
	if (!code)
		code = project_source(&x, &p->source, NULL, &source, &asked);
	if (!code)
		code = project_derive(&x, asked ? &source : NULL, &report);
	if (!code)
		code = compare(&x, path, b, &report);
	gate_report_release(&report);
	project_release(&x);
	arena_release(&a);
	return code;
}

/* --- the command ------------------------------------------------------------
 */

static int publish(const struct params *p, const char *path)
{
	struct bundle b = {0};
	struct buf archive = {0};
	struct published got = {0};
	struct publish_params to = p->to;
	int code = bundle_read_file(path, &b, &archive);

	to.repo = p->repo ? p->repo : ".";
	if (!code)
		code = check(&b, buf_str(&archive), path);
	if (!code && asks_for_commit(p))
		code = check_commit(p, path, &b);
	if (!code)
		code = publish_bundle(
			&to, NULL, NULL, p->name, &b, buf_str(&archive), &got);
	if (!code)
		print_published(p, &b, got.fresh);
	bundle_release(&b);
	buf_release(&archive);
	return code;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct params *p = params;

	if (args->len != 1)
		return usage_error(c, "specify one bundle file");
	if (!p->name)
		return usage_error(c, "specify --name, the bundle's name");
	if (!config_is_bundle(str_from(p->name)))
		return usage_error(c, "--name is \"%s\", must be %s", p->name,
			CONFIG_BUNDLE_MUST);
	const char *wrong = publish_params_wrong(&p->to);

	if (wrong)
		return usage_error(c, "%s", wrong);
	return publish(p, args->items[0]);
}

const struct command cmd_publish = {
	.name = "publish",
	.args = "<bundle>",
	.summary = "Publish a bundle file",
	.text = "Makes a bundle file a version that can be released, whole "
		"or not at all: on a\nserver, in a state folder (./var), or in "
		"a store that others serve. A version\nthat is there already "
		"with the same content is left as it is; with other\ncontent "
		"it is refused. What agents run does not change.\n\nWith "
		"--repo or a list of allowed signers, the commit that the "
		"bundle names must be\nthere, be signed as regatta.yaml or the "
		"list asks, and give these very files.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run,
};
