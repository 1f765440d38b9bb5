/*
 * Would an agent activate this bundle?
 *
 * The engine loads bundles from folders; here the folder is the bundle itself,
 * so that one piece of code decides what a manifest, a root or a data file may
 * be, wherever it comes from.
 *
 * Source: OPA contract, section 1.8 for what is checked, 0 for `strict`.
 */
#include "base/json.h"
#include "bundler/internal.h"
#include "rego/load.h"
#include "rego/rego.h"

#include <stdlib.h>
#include <string.h>

/* --- the bundle as a folder ----------------------------------------------- */

/* A file by the path it has below ".". */
struct leaf {
	struct str path, content;
};

struct folder {
	struct leaf *leaves; /* sorted */
	size_t n;
};

static int by_path(const void *a, const void *b)
{
	const struct leaf *x = a, *y = b;

	return str_cmp(x->path, y->path);
}

static void folder_fill(struct folder *f, const struct bundle *b)
{
	f->leaves = calloc(b->nfiles + 1u, sizeof(*f->leaves));
	if (!f->leaves)
		die("out of memory: %u files", b->nfiles);
	for (uint32_t i = 0; i < b->nfiles; i++) {
		struct str path = b->files[i].path;

		if (str_starts(path, S("./")))
			path = str_slice(path, 2, path.len);
		f->leaves[f->n++] = (struct leaf){path, b->files[i].content};
	}
	qsort(f->leaves, f->n, sizeof(*f->leaves), by_path);
}

/* The first leaf that is not before `path`. */
static size_t lower(const struct folder *f, struct str path)
{
	size_t lo = 0, hi = f->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (str_cmp(f->leaves[mid].path, path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const struct leaf *leaf_find(const struct folder *f, const char *path)
{
	size_t at = lower(f, str_from(path));

	return at < f->n && str_is(f->leaves[at].path, path) ? &f->leaves[at]
							     : NULL;
}

static enum status folder_stat(
	void *user, const char *path, bool nofollow, int *kind, struct err *err)
{
	(void)nofollow;
	(void)err;
	*kind = leaf_find(user, path) ? LOAD_FILE : LOAD_DIR;
	return OK;
}

static enum status folder_read(void *user, const char *path, size_t max,
	struct buf *out, struct err *err)
{
	const struct leaf *l = leaf_find(user, path);

	if (!l)
		return err_set(err, E_NOT_FOUND, "%s: no such file", path);
	if (l->content.len > max)
		return err_set(err, E_LIMIT, "%s: %zu bytes, limit %zu", path,
			l->content.len, max);
	buf_addstr(out, l->content);
	return OK;
}

/* What stands behind `prefix` up to the next slash, each name once. */
static enum status folder_list(void *user, const char *path, struct arena *a,
	struct str **names, size_t *n, struct err *err)
{
	const struct folder *f = user;
	struct buf prefix = {0};
	struct str last = {0};
	size_t len = 0;

	(void)err;
	if (strcmp(path, ".") != 0)
		buf_addf(&prefix, "%s/", path);
	size_t from = lower(f, buf_str(&prefix)), to = from;

	while (to < f->n && str_starts(f->leaves[to].path, buf_str(&prefix)))
		to++;
	*names = ARENA_ARRAY(a, struct str, to - from + 1);
	for (size_t i = from; i < to; i++) {
		struct str rest = str_slice(
			f->leaves[i].path, prefix.len, f->leaves[i].path.len);
		struct str name = str_slice(rest, 0, str_find(rest, S("/"), 0));

		if (len && str_eq(name, last))
			continue;
		last = name;
		(*names)[len++] = str_from(arena_strdup(a, name));
	}
	*n = len;
	buf_release(&prefix);
	return OK;
}

/* --- what an agent checks ------------------------------------------------- */

/* The first error, as one line, without the name of our folder. */
static enum status report(const struct diags *d, struct err *e)
{
	static const struct str ours = STR("bundle .: ");
	const struct diag *x = &d->items[0];
	struct str text = str_from(x->message);

	if (str_starts(text, ours))
		text = str_slice(text, ours.len, text.len);
	if (x->file && x->code)
		return err_set(e, E_INVALID, "%s:%u:%u: %s: %.*s", x->file,
			x->row, x->col, x->code, STR_ARG(text));
	return err_set(e, E_INVALID, "%.*s", STR_ARG(text));
}

static enum status compile_under(const struct bundle *b,
	const struct capabilities *caps, struct rego_engine **out,
	struct err *e)
{
	struct rego_config config = {.version = REGO_V1, .caps = caps};
	struct rego_engine *engine = rego_new(&config);
	struct folder folder = {0};
	struct load_fs fs = {&folder, folder_stat, folder_read, folder_list};
	struct load_options o = {.fs = &fs, .version = REGO_V1};
	struct load_errors errs = {.list = {.arena = rego_arena(engine)}};
	static const char *const here = ".";
	enum status st = OK;

	folder_fill(&folder, b);
	if (!load_bundles(engine, &o, &here, 1, false, &errs))
		st = report(&errs.list, e);
	else if (!rego_compile(engine, true))
		st = report(rego_errors(engine), e);
	free(folder.leaves);
	if (st)
		rego_free(engine);
	else
		*out = engine;
	return st;
}

enum status bundle_compile(
	const struct bundle *b, struct rego_engine **out, struct err *e)
{
	return compile_under(b, NULL, out, e);
}

enum status bundle_check_capabilities(
	const struct bundle *b, const struct capabilities *caps, struct err *e)
{
	struct rego_engine *engine = NULL;
	enum status st = compile_under(b, caps, &engine, e);

	if (!st)
		rego_free(engine);
	return st;
}

bool bundle_is_compiled(const struct bundle *b)
{
	struct json_iter it;

	if (!b->manifest.wasm.len)
		return false;
	it = json_iter(b->manifest.wasm);
	return json_next(&it);
}

/* The manifest must name a module just as the archive does, "/" or not. */
static bool has_wasm(const struct bundle *b, struct str name)
{
	bool bare = !str_starts(name, S("/"));
	const struct bundle_file *f =
		bundle_find(b, str_slice(name, !bare, name.len));

	return f && f->bare == bare && name_role(f->path) == ROLE_WASM;
}

static enum status check_wasm(const struct bundle *b, struct err *e)
{
	struct json_iter it;
	struct str module;
	struct buf name = {0};
	enum status st = OK;

	if (!bundle_is_compiled(b))
		return OK;
	it = json_iter(b->manifest.wasm);
	while (!st && json_next(&it)) {
		buf_reset(&name);
		if (json_kind(it.value) == JSON_OBJECT &&
			json_member(it.value, S("module"), &module) &&
			json_kind(module) == JSON_STRING)
			json_text(&name, module);
		if (!has_wasm(b, buf_str(&name)))
			st = err_set(e, E_INVALID,
				"manifest references wasm module '%.*s' but "
				"the module file does not exist",
				(int)name.len, name.len ? name.ptr : "");
	}
	buf_release(&name);
	return st;
}

enum status check_activates(const struct bundle *b, struct err *e)
{
	struct rego_engine *engine = NULL;
	enum status st = bundle_compile(b, &engine, e);

	if (!st)
		rego_free(engine);
	return st ? st : check_wasm(b, e);
}

/* Two of a kind that there may be one of. */
static enum status only_one(
	const struct bundle *b, enum role role, const char *what, struct err *e)
{
	const struct bundle_file *first = NULL;

	for (uint32_t i = 0; i < b->nfiles; i++) {
		const struct bundle_file *f = &b->files[i];

		if (name_role(f->path) != role)
			continue;
		if (first)
			return err_set(e, E_INVALID,
				"bundle contains multiple %s files: \"/%.*s\" "
				"and \"/%.*s\"",
				what, STR_ARG(first->path), STR_ARG(f->path));
		first = f;
	}
	return OK;
}

/* --- what we ask for beyond ----------------------------------------------- */

/* Why a file should not be in a bundle; NULL: it may. */
static const char *unwanted(struct str path, enum bundle_rules rules)
{
	switch (name_role(path)) {
	case ROLE_SIGNATURES:
	case ROLE_MANIFEST:
		return NULL; /* names and numbers are checked elsewhere */
	case ROLE_MODULE:
		return str_ends(path, S("_test.rego"))
			       ? "tests are not for agents"
			       : NULL;
	case ROLE_JSON:
		return path.len > strlen("data.json")
			       ? "all data belongs into one data.json"
			       : NULL;
	case ROLE_YAML:
		return "data must be JSON: agents differ in how they read YAML";
	case ROLE_PATCH:
		return "deltas can't be signed";
	case ROLE_WASM:
	case ROLE_PLAN:
		return rules == BUNDLE_RELEASE
			       ? "compiled policies are not released: agents "
				 "built without Wasm don't activate them"
			       : NULL;
	case ROLE_NONE:
	default:
		return "agents ignore this file, and it would still have to be "
		       "signed";
	}
}

/* What readers of different age take for different documents. */
static enum status strict_json(const struct bundle_file *f, struct err *e)
{
	static const struct json_limits limits = {
		.keys = UINT32_MAX, .string = SIZE_MAX};
	struct buf form = {0};
	struct str doc;
	enum status st = json_check(f->content, &limits, &doc, e);

	if (!st)
		st = json_canonical(&form, doc, NULL, e);
	if (st)
		err_wrap(e, "%.*s", STR_ARG(f->path));
	buf_release(&form);
	return st;
}

static enum status strict_file(
	const struct bundle_file *f, enum bundle_rules rules, struct err *e)
{
	const char *why = unwanted(f->path, rules);
	enum role role = name_role(f->path);
	enum status st = name_check_strict(f->path, e);

	if (!st && why)
		st = err_set(e, E_INVALID, "%.*s: %s", STR_ARG(f->path), why);
	if (!st && role == ROLE_MODULE && f->content.len > LIMIT_BUNDLE_MODULE)
		st = err_set(e, E_LIMIT, "%.*s: %zu bytes, limit %zu",
			STR_ARG(f->path), f->content.len, LIMIT_BUNDLE_MODULE);
	if (!st && (role == ROLE_JSON || role == ROLE_MANIFEST))
		st = strict_json(f, e);
	return st;
}

static enum status strict_manifest(const struct bundle *b, struct err *e)
{
	const struct bundle_manifest *m = &b->manifest;
	const char *missing = NULL;

	if (!bundle_find(b, S(".manifest")))
		return err_set(e, E_INVALID, "the bundle has no .manifest");
	if (!*m->revision)
		missing = "revision";
	else if (!m->nroots)
		missing = "roots";
	else if (m->rego_version < 0)
		missing = "rego_version";
	if (missing)
		return err_set(e, E_INVALID, ".manifest: no %s", missing);
	return OK;
}

static enum status strict_files(
	const struct bundle *b, enum bundle_rules rules, struct err *e)
{
	enum status st = strict_manifest(b, e);

	for (uint32_t i = 0; i < b->nfiles && !st; i++)
		st = strict_file(&b->files[i], rules, e);
	return st;
}

enum status bundle_check(
	struct bundle *b, enum bundle_rules rules, struct err *e)
{
	struct str patches;
	enum status st = only_one(b, ROLE_SIGNATURES, "signatures", e);

	if (!st)
		st = only_one(b, ROLE_MANIFEST, "manifest", e);
	if (!st && rules != BUNDLE_AS_AGENT)
		st = strict_files(b, rules, e);
	if (!st)
		st = delta_find(b, &patches, e);
	if (st)
		return st;
	return patches.len ? delta_check(b, patches, e) : check_activates(b, e);
}
