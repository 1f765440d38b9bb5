/*
 * regatta ci: everything a commit must pass, and the bundle it becomes.
 */
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/json.h"
#include "cli/output.h"
#include "cli/project.h"
#include "gates/gates.h"

struct ci_params {
	struct project_params project;
	const char *base, *out, *format, *as_of, *junit;
	struct source_params source;
	struct publish_params to;
	bool publish, quiet, verbose;
	int64_t parallel;
};

#define AT(field) offsetof(struct ci_params, field)

/* clang-format off */
static const struct option options[] = {
	SOURCE_OPTIONS(struct ci_params, source),
	{0, "as-of", OPT_STRING, AT(as_of), "time", NULL, "judge waivers and stages as of this date or instant, not now"},
	{0, "base", OPT_STRING, AT(base), "ref", NULL, "show what changed since the last common commit with this ref"},
	{0, "junit", OPT_CHOICE, AT(junit), "strict wide", "wide", "dialect of junit.xml; wide names files for viewers that show them"},
	{'o', "output", OPT_CHOICE, AT(format), "text json github", "text", "what to print"},
	{0, "out", OPT_STRING, AT(out), "folder", NULL, "write report.json, junit.xml and the bundle there"},
	{'p', "parallel", OPT_INT, AT(parallel), "n", "0", "tests that run at the same time; 0: as many as there are cores"},
	{0, "publish", OPT_BOOL, AT(publish), NULL, NULL, "put the bundle into the store when everything passed"},
	{'q', "quiet", OPT_BOOL, AT(quiet), NULL, NULL, "print failures and the last line only"},
	{0, "ref", OPT_STRING, AT(project.ref), "ref", NULL, "branch, tag or commit; HEAD if not given"},
	{0, "repo", OPT_STRING, AT(project.repo), "folder", ".", "the policy repo"},
	PUBLISH_OPTIONS(struct ci_params, to),
	{'v', "verbose", OPT_BOOL, AT(verbose), NULL, NULL, "list everything that was judged"},
	{0, "worktree", OPT_BOOL, AT(project.worktree), NULL, NULL, "judge the files as they lie there; can't be published"},
};
/* clang-format on */

struct ci {
	const struct ci_params *params;
	struct project project;
	struct repo base;
	struct config base_config;
	struct gate_source source;
	bool signed_by; /* source is asked for */
	struct gate_report report;
	struct bundle bundle;
	struct buf archive;
	bool published, fresh;
};

/* --- judging
 * ------------------------------------------------------------------ */

/* What a push event calls the commit before the first of a branch. */
static bool is_no_commit(const char *ref)
{
	size_t zeros = strspn(ref, "0");

	return zeros >= 40 && !ref[zeros];
}

static int read_base(struct ci *ci)
{
	const struct ci_params *p = ci->params;
	struct repo_options o = {0};
	struct err e = {0};
	char id[65];
	enum status st;

	if (!p->base || is_no_commit(p->base))
		return 0;
	const char *head = p->project.ref ? p->project.ref : "HEAD";

	st = repo_merge_base(ci->project.dir, p->base, head, id, &e);
	if (!st) {
		o.rev = id;
		st = repo_read(&ci->base, ci->project.dir, &o, &e);
	}
	if (!st)
		return 0;
	err_wrap(&e, "--base %s", p->base);
	return project_unread(st, &e);
}

/* What the base asks for holds for the commit that no longer does as well. */
static int read_source(struct ci *ci)
{
	const struct repo_file *f = repo_find(&ci->base, S(CONFIG_NAME));
	struct err e = {0};
	/* One that can't be read asks for nothing: the commit mends it. */
	bool read = f && !config_parse(
				 &ci->base_config, CONFIG_NAME, f->content, &e);

	return project_source(&ci->project, &ci->params->source,
		read ? &ci->base_config : NULL, &ci->source, &ci->signed_by);
}

static int as_of(const struct ci_params *p, int64_t *ns)
{
	*ns = clock_wall(&clock_system);
	if (!p->as_of)
		return 0;
	if (instant_parse(str_from(p->as_of), ns, NULL)) {
		if (!p->publish)
			return 0;
		fputs("regatta: --as-of is for looking: what is published is "
		      "judged now\n",
			stderr);
		return EXIT_BAD_USAGE;
	}
	fprintf(stderr,
		"regatta: --as-of \"%s\" is no date (2026-06-30) and no "
		"instant (2026-06-30T12:00:00Z)\n",
		p->as_of);
	return EXIT_BAD_USAGE;
}

static int judge(struct ci *ci)
{
	struct gate_options o = {.tool = program_name,
		.repo = &ci->project.repo,
		.base = ci->base.commit[0] ? &ci->base : NULL,
		.config = &ci->project.config,
		.source = ci->signed_by ? &ci->source : NULL,
		.threads = (unsigned)ci->params->parallel};
	int code = as_of(ci->params, &o.now_ns);

	if (code)
		return code;
	gates_run(&ci->report, &o, &clock_system);
	if (ci->report.level == GATE_BROKEN)
		return EXIT_UNJUDGED;
	return ci->report.level == GATE_FAIL ? EXIT_FAILED : 0;
}

/* --- the bundle
 * --------------------------------------------------------------- */

static int make_bundle(struct ci *ci)
{
	struct build_options o = {.revision = ci->project.revision,
		.tool = program_name,
		.test_digest = ci->report.digest,
		/* Other machines know of the wish only if the commit has it. */
		.signer_key = ci->project.config.source.row
				      ? ci->report.signer.key
				      : NULL,
		.extra = ci->report.extra,
		.nextra = ci->report.nextra};
	return project_build(&ci->project, &o, &ci->bundle, &ci->archive);
}

static int publish(struct ci *ci)
{
	struct published got = {0};
	int code = project_publish(&ci->project, &ci->params->to, &ci->bundle,
		buf_str(&ci->archive), &got);

	ci->fresh = got.fresh;
	ci->published = !code;
	return code;
}

/* --- what is written
 * ------------------------------------------------------------ */

/* Before anything is judged or published, so that neither is in vain. */
static int make_out(const struct ci_params *p)
{
	struct err e = {0};

	if (!p->out)
		return 0;
	enum status st = fs_mkdirs(NULL, p->out, 0755, &e);

	return st ? print_err(st, &e) : 0;
}

static enum status write_file(const struct ci *ci, const char *name,
	struct str content, struct err *e)
{
	struct buf path = {0};

	buf_addf(&path, "%s/%s", ci->params->out, name);
	enum status st = output_file(path.ptr, content, e);

	buf_release(&path);
	return st;
}

static int write_files(const struct ci *ci)
{
	struct buf json = {0}, junit = {0};
	struct err e = {0};
	enum status st;

	if (!ci->params->out)
		return 0;
	gate_report_json(&json, &ci->report);
	gate_report_junit(
		&junit, &ci->report, strcmp(ci->params->junit, "wide") == 0);
	st = write_file(ci, "report.json", buf_str(&json), &e);
	if (!st)
		st = write_file(ci, "junit.xml", buf_str(&junit), &e);
	if (!st && ci->archive.len)
		st = write_file(ci, "bundle.tar.gz", buf_str(&ci->archive), &e);
	buf_release(&json);
	buf_release(&junit);
	return st ? print_err(st, &e) : 0;
}

/* "platform v2026.11.25-1  sha256:...  1234 bytes  published" */
static void bundle_text(struct buf *out, const struct ci *ci)
{
	if (!ci->bundle.digest[0])
		return;
	buf_addf(out, "%s %s  %s  %zu bytes%s\n", ci->project.config.bundle,
		ci->bundle.manifest.revision, ci->bundle.digest,
		ci->archive.len,
		!ci->published ? ""
		: ci->fresh    ? "  published"
			       : "  published before");
}

static void bundle_json(struct buf *out, const struct ci *ci)
{
	if (!ci->bundle.digest[0]) {
		buf_adds(out, "null");
		return;
	}
	buf_addc(out, '{');
	version_json(out, ci->project.config.bundle,
		ci->bundle.manifest.revision, ci->bundle.digest);
	buf_addf(out, ",\"size\":%zu,\"published\":%s}", ci->archive.len,
		ci->published ? "true" : "false");
}

static void print_json(const struct ci *ci)
{
	struct buf out = {0};

	buf_adds(&out, "{\"schema\":\"regatta.ci/1\",\"report\":");
	gate_report_json(&out, &ci->report);
	buf_adds(&out, ",\"bundle\":");
	bundle_json(&out, ci);
	buf_addc(&out, '}');
	json_print(stdout, buf_str(&out));
	buf_release(&out);
}

/* The page that GitHub shows of a step; it says where to append it. */
static void append_summary(const struct gate_report *r)
{
	const char *path = getenv("GITHUB_STEP_SUMMARY");
	FILE *f = path && *path ? fopen(path, "ae") : NULL;
	struct buf out = {0};

	if (!path || !*path)
		return;
	gate_report_summary(&out, r);
	if (!f || fwrite(out.ptr, 1, out.len, f) != out.len || fclose(f))
		fprintf(stderr, "regatta: warning: %s: %s\n", path,
			strerror(errno));
	buf_release(&out);
}

static void print_github(const struct ci *ci, struct str log)
{
	struct buf out = {0};

	gate_report_github(&out, &ci->report);
	gate_report_github_log(&out, log);
	print_buf(stdout, &out);
	buf_release(&out);
	append_summary(&ci->report);
}

static void print_report(const struct ci *ci)
{
	const struct ci_params *p = ci->params;
	struct report_style style = {.color = output_colour(),
		.quiet = p->quiet,
		.verbose = p->verbose};
	struct buf out = {0};

	if (!strcmp(p->format, "json")) {
		print_json(ci);
		return;
	}
	gate_report_text(&out, &ci->report, &style);
	bundle_text(&out, ci);
	if (!strcmp(p->format, "github"))
		print_github(ci, buf_str(&out));
	else
		print_buf(stdout, &out);
	buf_release(&out);
}

/* --- the command
 * ------------------------------------------------------------------ */

static int run_ci(struct ci *ci)
{
	int code = project_open(&ci->project, &ci->params->project);

	ci->project.key_optional = !ci->params->publish;
	if (!code)
		code = read_base(ci);
	if (!code)
		code = read_source(ci);
	if (!code)
		code = make_out(ci->params);
	if (code)
		return code;
	code = judge(ci);
	if (!ci->report.nsteps)
		return code;
	if (!code)
		code = make_bundle(ci);
	if (!code && ci->params->publish)
		code = publish(ci);
	int wrote = write_files(ci);

	print_report(ci);
	return code ? code : wrote;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	struct ci ci = {.params = params};

	if (args->len)
		return usage_error(c,
			"unknown argument \"%s\"; --repo names the policy "
			"repo, --ref the commit",
			args->items[0]);
	if (ci.params->publish && ci.params->project.worktree)
		return usage_error(c,
			"--worktree is for trying things out; it can't be "
			"published");
	const char *wrong = publish_params_wrong(&ci.params->to);

	if (wrong)
		return usage_error(c, "%s", wrong);
	if (ci.params->parallel < 0)
		return usage_error(c, "--parallel is %lld, must not be below 0",
			(long long)ci.params->parallel);
	int code = run_ci(&ci);

	buf_release(&ci.archive);
	bundle_release(&ci.bundle);
	gate_report_release(&ci.report);
	repo_release(&ci.base);
	config_release(&ci.base_config);
	project_release(&ci.project);
	return code;
}

const struct command cmd_ci = {
	.name = "ci",
	.args = "",
	.summary = "Judge a commit of a policy repo and make its bundle",
	.text = "Reads a commit, runs every gate on it (source, waivers, "
		"stages, parsing, compiling,\nunit tests, fixtures, coverage, "
		"changes) and makes the signed bundle if all pass.\n\n"
		"Exit codes: 0 all passed, 2 wrong flags or regatta.yaml, 3 "
		"judged and failed,\n4 not allowed, 5 no such repo, ref or "
		"key, 6 the version exists with other bytes,\n13 could not be "
		"judged, 1 anything else.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct ci_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run,
};
