#include "cli/project.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "signer/openpgp.h"

int project_unread(enum status st, const struct err *e)
{
	int code = print_err(st, e);

	return st == E_INVALID || st == E_LIMIT ? EXIT_UNJUDGED : code;
}

/* What is wrong with the repo, with its config, or with the ref. */
static int not_opened(
	const struct project *p, enum status st, const struct err *e)
{
	if (strncmp(e->text, CONFIG_NAME ":", sizeof(CONFIG_NAME)) != 0)
		return project_unread(st, e);
	fprintf(stderr, "regatta: %s%s%s\n", strcmp(p->dir, ".") ? p->dir : "",
		strcmp(p->dir, ".") ? "/" : "", e->text);
	return EXIT_BAD_USAGE;
}

/* Before "no git repository here", which would be half the truth. */
static enum status check_folder(const char *dir, struct err *e)
{
	struct fs_info info;
	enum status st = fs_stat(NULL, dir, &info, e);

	if (!st && info.kind == FS_NONE)
		st = err_set(e, E_NOT_FOUND, "%s: no such folder", dir);
	return st;
}

int project_open(struct project *p, const struct project_params *params)
{
	struct repo_options o = {
		.rev = params->ref, .worktree = params->worktree};
	struct err e = {0};

	*p = (struct project){.dir = params->repo ? params->repo : "."};
	enum status st = check_folder(p->dir, &e);

	if (!st)
		st = config_read_repo(&p->config, &p->repo, p->dir, &o, &e);
	/* A work tree has no version, and can't be published. */
	if (!st && p->repo.worktree)
		p->revision = "worktree";
	else if (!st)
		st = revision_of(&p->repo, &p->config, &p->config.arena,
			&p->revision, &e);
	return st ? not_opened(p, st, &e) : 0;
}

void project_release(struct project *p)
{
	repo_release(&p->repo);
	config_release(&p->config);
}

/* The path of a file that the config names: as seen from the repo. */
static char *project_path(
	struct arena *a, const struct project *p, const char *path)
{
	if (path[0] == '/' || !strcmp(p->dir, "."))
		return arena_strdup(a, str_from(path));
	return arena_printf(a, "%s/%s", p->dir, path);
}

/* --- whose signature the commit must carry -------------------------------- */

struct asking {
	struct source_params lists;
	const char *by;              /* what asks for it */
	const struct config *config; /* that asks; NULL: something else does */
};

/* Who runs this names lists: then no other counts, and it is asked for. */
static bool of_machine(const struct source_params *given, struct asking *out)
{
	if (given->signers || given->keyring) {
		out->lists = *given;
		out->by = given->signers ? "--allowed-signers" : "--keyring";
	} else {
		out->lists.signers = env_value("REGATTA_ALLOWED_SIGNERS");
		out->lists.keyring = env_value("REGATTA_KEYRING");
		out->by = out->lists.signers ? "REGATTA_ALLOWED_SIGNERS"
					     : "REGATTA_KEYRING";
	}
	return out->lists.signers || out->lists.keyring;
}

static bool find_asking(const struct project *p,
	const struct source_params *given, const struct config *base,
	struct asking *out)
{
	bool of_base = base && base->source.row;
	const struct config *c = of_base ? base : &p->config;
	bool machine = of_machine(given, out);

	if (!c->source.row)
		return machine;
	out->config = c;
	out->by = of_base ? "regatta.yaml of the base" : "regatta.yaml";
	if (!machine)
		out->lists = (struct source_params){
			c->source.signers, c->source.keyring};
	return true;
}

static int no_lists(const struct asking *x)
{
	fprintf(stderr,
		"regatta: %s (line %u, source) asks that the commit is signed, "
		"but nothing says by whom: name a list of allowed signers with "
		"--allowed-signers, REGATTA_ALLOWED_SIGNERS or "
		"source.signers, or a keyring with --keyring, REGATTA_KEYRING "
		"or source.keyring\n",
		x->by, x->config->source.row);
	return EXIT_BAD_USAGE;
}

static enum status read_lists(const struct project *p,
	const struct source_params *from, struct arena *a,
	struct gate_source *out, struct err *e)
{
	struct signers *list = ARENA_NEW(a, struct signers);
	struct buf ring = {0};
	enum status st = OK;

	if (from->signers) {
		st = signers_read(list, from->signers, p->dir, a, e);
		out->signers = list;
	}
	if (!st && from->keyring) {
		st = signers_file(
			&ring, from->keyring, p->dir, OPENPGP_KEYRING, e);
		if (!st && !ring.len)
			st = err_set(e, E_INVALID, "%s: no key in it",
				from->keyring);
		out->keyring = arena_str(a, buf_str(&ring));
	}
	buf_release(&ring);
	out->file =
		arena_printf(a, "%s%s%s", from->signers ? from->signers : "",
			from->signers && from->keyring ? " or " : "",
			from->keyring ? from->keyring : "");
	return st;
}

bool project_has_lists(const struct source_params *given)
{
	struct asking x = {0};

	return of_machine(given, &x);
}

int project_source(struct project *p, const struct source_params *given,
	const struct config *base, struct gate_source *out, bool *asked)
{
	struct asking x = {0};
	struct err e = {0};

	*asked = !p->repo.worktree && find_asking(p, given, base, &x);
	if (!*asked)
		return 0;
	if (!x.lists.signers && !x.lists.keyring)
		return no_lists(&x);
	*out = (struct gate_source){.what = p->config.source.what, .by = x.by};
	if (x.config == &p->config) {
		out->row = p->config.source.row;
		out->col = p->config.source.col;
	}
	enum status st = read_lists(p, &x.lists, &p->config.arena, out, &e);

	if (!st)
		return 0;
	err_wrap(&e, "the allowed signers, for which %s asks", x.by);
	return print_given(st, &e);
}

/* --- what goes into the bundle -------------------------------------------- */

static void print_finding(const struct finding *f)
{
	fputs("regatta: ", stderr);
	if (f->file && f->row)
		fprintf(stderr, "%s:%u:%u: ", f->file, f->row, f->col);
	else if (f->file)
		fprintf(stderr, "%s: ", f->file);
	fprintf(stderr, "%s\n", f->message);
}

/* Waivers and stages are data of the bundle; wrong ones don't get into it. */
int project_derive(const struct project *p, const struct gate_source *source,
	struct gate_report *report)
{
	struct gate_options o = {.repo = &p->repo,
		.config = &p->config,
		.source = source,
		.now_ns = clock_wall(&clock_system),
		.data_only = true};

	gates_run(report, &o, &clock_system);
	if (report->level < GATE_FAIL)
		return 0;
	for (size_t i = 0; i < report->nfindings; i++)
		if (report->findings[i].level >= GATE_FAIL)
			print_finding(&report->findings[i]);
	return report->level == GATE_BROKEN ? EXIT_UNJUDGED : EXIT_FAILED;
}

/*
 * Sign with the key of the config, or warn that there is none. Returns an exit
 * code.
 */
static int project_sign(const struct project *p, struct bundle *b)
{
	const struct config *c = &p->config;
	struct arena a = {0};
	struct sign_key *key = NULL;
	struct err e = {0};
	const char *own = env_value("REGATTA_SIGN_KEY");

	if (!c->sign.key) {
		fputs("regatta: warning: the bundle is not signed, so an agent "
		      "can't tell it from a forged one; `regatta key new` "
		      "makes a key, `sign:` in regatta.yaml uses it\n",
			stderr);
		return 0;
	}
	const char *path = own ? own : project_path(&a, p, c->sign.key);
	enum status st = sign_key_load(&key, path, c->sign.alg, &e);

	if (st == E_NOT_FOUND && p->key_optional) {
		fprintf(stderr,
			"regatta: warning: the bundle is not signed: there is "
			"no key file %s; --publish needs it\n",
			path);
		st = OK;
	} else if (st) {
		err_wrap(&e, "the key of regatta.yaml (sign.key, or "
			     "REGATTA_SIGN_KEY)");
	} else {
		st = bundle_sign(b, key, c->sign.keyid, c->sign.scope, &e);
		sign_key_free(key);
	}
	arena_release(&a);
	return st ? print_given(st, &e) : 0;
}

int project_build(const struct project *p, const struct build_options *o,
	struct bundle *b, struct buf *archive)
{
	struct err e = {0};
	enum status st = bundle_build(b, &p->repo, &p->config, o, &e);

	if (!st)
		st = bundle_check(b, BUNDLE_RELEASE, &e);
	if (st) {
		fprintf(stderr, "regatta: %s\n", e.text);
		return EXIT_UNJUDGED;
	}
	int code = project_sign(p, b);

	if (code)
		return code;
	st = bundle_pack(b, archive, &e);
	return st ? print_err(st, &e) : 0;
}

int project_publish(const struct project *p, const struct publish_params *to,
	const struct bundle *b, struct str archive, struct published *out)
{
	struct publish_params where = *to;

	if (p->repo.worktree) {
		fputs("regatta: a work tree can't be published: commit first, "
		      "so that the version can be made again\n",
			stderr);
		return EXIT_BAD_USAGE;
	}
	if (!where.store && !where.remote.server && !where.remote.state)
		where.remote.server = p->config.server;
	where.repo = p->dir;
	return publish_bundle(&where, p->config.store, p->dir, p->config.bundle,
		b, archive, out);
}

void version_json(struct buf *out, const char *name, const char *revision,
	const char *digest)
{
	buf_adds(out, "\"name\":");
	json_quote(out, str_from(name));
	buf_adds(out, ",\"revision\":");
	json_quote(out, str_from(revision));
	buf_adds(out, ",\"digest\":");
	json_quote(out, str_from(digest));
}

int bundle_read_file(const char *path, struct bundle *b, struct buf *archive)
{
	struct err e = {0};
	enum status st =
		fs_read(NULL, path, LIMIT_BUNDLE_COMPRESSED, archive, &e);

	if (st)
		return print_err(st, &e);
	st = bundle_unpack(b, buf_str(archive), &e);
	if (!st)
		return 0;
	err_wrap(&e, "%s", path);
	print_wrong(e.text);
	return EXIT_INTEGRITY;
}
