/*
 * The bundle of a commit.
 *
 * Source: OPA contract, sections 0 and 1; what repositories may hold.
 */
#include "base/clock.h"
#include "base/date.h"
#include "base/json.h"
#include "bundler/internal.h"
#include "rego/ast.h"

#include <stdlib.h>
#include <string.h>

struct build {
	struct bundle *out;
	struct data data;
	struct str *roots; /* those that were not given, with doubles */
	uint32_t nroots, cap;
};

/* --- which files ---------------------------------------------------------- */

/* A step of the path is `name`; the last one is the file's and doesn't count.
 */
static bool has_folder(struct str path, struct str name)
{
	size_t to;

	for (size_t at = 0; (to = str_find(path, S("/"), at)) < path.len;
		at = to + 1)
		if (str_eq(str_slice(path, at, to), name))
			return true;
	return false;
}

/* Data in these is what gates make something of. */
static bool is_gated(struct str path)
{
	static const char *const folders[] = {
		"waivers", "stages", "enforcement"};

	for (size_t i = 0; i < COUNT(folders); i++)
		if (root_holds(str_from(folders[i]), path))
			return true;
	return false;
}

/* The path below the included folder that holds it; false: none does. */
static bool included(const struct config *c, struct str path, struct str *rest)
{
	for (size_t i = 0; i < c->include.len; i++) {
		struct str dir = str_from(c->include.items[i]);

		while (dir.len && dir.ptr[dir.len - 1] == '/')
			dir.len--;
		if (!dir.len || str_is(dir, ".")) {
			*rest = path;
			return true;
		}
		if (path.len > dir.len && root_holds(dir, path)) {
			*rest = str_slice(path, dir.len + 1, path.len);
			return true;
		}
	}
	return false;
}

static struct str dir_of(struct str path)
{
	size_t base = name_base(path).len;

	return base < path.len ? str_slice(path, 0, path.len - base - 1)
			       : (struct str){0};
}

static enum status refuse(struct str path, const char *why, struct err *e)
{
	return err_set(e, E_INVALID, "%.*s: %s", STR_ARG(path), why);
}

/* Why a name may not stand in an included folder; NULL: it may. */
static const char *forbidden(struct str path)
{
	switch (name_role(path)) {
	case ROLE_MANIFEST:
		return "the manifest is made from regatta.yaml, and agents "
		       "take every name that ends with .manifest for one; "
		       "remove it";
	case ROLE_PATCH:
		return "this name makes a delta of a bundle; rename it";
	case ROLE_WASM:
	case ROLE_PLAN:
		return "compiled policies are not released; remove it";
	case ROLE_YAML:
		return str_is(name_base(path), "data.yml")
			       ? "agents of different age hash this name in "
				 "different ways; rename it to data.yaml"
			       : NULL;
	case ROLE_SIGNATURES:
	case ROLE_MODULE:
	case ROLE_JSON:
	case ROLE_NONE:
	default:
		return str_ends(path, S("signatures.json"))
			       ? "agents take this name for a bundle's "
				 "signatures; rename it"
			       : NULL;
	}
}

static enum status add_data(struct build *b, struct str path, struct str rest,
	struct str content, struct err *e)
{
	const char *name = arena_strdup(&b->data.arena, path);
	enum status st = name_check_strict(path, e);

	return st ? st : data_add(&b->data, name, dir_of(rest), content, e);
}

static enum status add_module(
	struct build *b, struct str path, struct str content, struct err *e)
{
	enum status st = name_check_strict(path, e);

	if (!st && content.len > LIMIT_BUNDLE_MODULE)
		st = err_set(e, E_LIMIT, "%.*s: %zu bytes, limit %zu",
			STR_ARG(path), content.len, LIMIT_BUNDLE_MODULE);
	return st ? st : bundle_add(b->out, path, content, e);
}

/* `rest` is the path that tells where data goes. */
static enum status add_file(struct build *b, struct str path, struct str rest,
	struct str content, struct err *e)
{
	const char *why = forbidden(path);

	if (why)
		return refuse(path, why, e);
	switch (name_role(path)) {
	case ROLE_MODULE:
		return add_module(b, path, content, e);
	case ROLE_JSON:
	case ROLE_YAML:
		return add_data(b, path, rest, content, e);
	case ROLE_SIGNATURES:
	case ROLE_PATCH:
	case ROLE_WASM:
	case ROLE_PLAN:
	case ROLE_MANIFEST:
	case ROLE_NONE:
	default:
		return OK;
	}
}

static enum status add_repo(struct build *b, const struct repo *r,
	const struct config *c, struct err *e)
{
	enum status st = OK;

	for (size_t i = 0; i < r->nfiles && !st; i++) {
		const struct repo_file *f = &r->files[i];
		struct str rest;
		enum role role = name_role(f->path);

		if (!included(c, f->path, &rest) ||
			has_folder(f->path, S("fixtures")) ||
			str_ends(f->path, S("_test.rego")))
			continue;
		if ((role == ROLE_JSON || role == ROLE_YAML) &&
			is_gated(f->path))
			continue;
		st = add_file(b, f->path, rest, f->content, e);
	}
	return st;
}

static enum status add_extra(
	struct build *b, const struct build_options *o, struct err *e)
{
	enum status st = OK;

	for (size_t i = 0; i < o->nextra && !st; i++) {
		const struct bundle_file *f = &o->extra[i];

		if (name_role(f->path) == ROLE_NONE)
			return refuse(f->path,
				"neither a module nor data, and agents ignore "
				"everything else",
				e);
		st = add_file(b, f->path, f->path, f->content, e);
	}
	return st;
}

static enum status finish_data(struct build *b, struct err *e)
{
	struct buf text = {0};
	enum status st = data_write(&b->data, &text, e);

	if (st) {
		buf_release(&text);
		return st;
	}
	buf_addc(&text, '\n');
	return bundle_take(b->out, S("data.json"), &text, e);
}

/* --- roots ---------------------------------------------------------------- */

static void add_root(struct build *b, struct str root)
{
	struct arena *a = &b->out->arena;

	b->roots =
		arena_grow(a, b->roots, b->nroots, &b->cap, sizeof(*b->roots));
	b->roots[b->nroots++] = arena_str(a, root);
}

/*
 * The first step of a package; of system the second one as well, since agents
 * keep what they know of bundles below data.system.
 */
static void package_root(struct build *b, const struct module *m)
{
	struct buf root = {0};

	for (uint32_t i = 1; i < m->package->list.len && i < 3; i++) {
		const struct term *t = m->package->list.items[i];

		if (t->kind != T_SCALAR || t->val.tag != V_STR)
			break;
		if (i == 2) {
			if (!str_is(buf_str(&root), "system"))
				break;
			buf_addc(&root, '/');
		}
		buf_addstr(&root, v_bytes(t->val));
	}
	add_root(b, buf_str(&root));
	buf_release(&root);
}

static enum status parse_failed(const struct diags *d, struct err *e)
{
	const struct diag *x = &d->items[0];

	return err_set(e, E_INVALID, "%s:%u:%u: %s: %s", x->file, x->row,
		x->col, x->code, x->message);
}

static enum status module_root(struct build *b, const struct bundle_file *f,
	enum rego_version version, struct err *e)
{
	struct arena a = {0};
	struct symtab t = {.arena = &a};
	struct diags d = {.arena = &a};
	struct parse_options o = {.version = version};
	struct source src = {
		.name = arena_strdup(&a, f->path), .text = f->content};
	const struct module *m = parse_module(&a, &t, &src, &o, &d);
	enum status st = OK;

	if (m)
		package_root(b, m);
	else
		st = parse_failed(&d, e);
	symtab_release(&t);
	arena_release(&a);
	return st;
}

static void text_root(struct build *b, struct str key, struct str value)
{
	struct json_iter it = json_iter(value);
	struct buf root = {0};

	json_text(&root, key);
	if (!str_is(buf_str(&root), "system") || !it.object) {
		add_root(b, buf_str(&root));
		buf_release(&root);
		return;
	}
	while (json_next(&it)) {
		buf_reset(&root);
		buf_adds(&root, "system/");
		json_text(&root, it.key);
		add_root(b, buf_str(&root));
	}
	buf_release(&root);
}

static void data_roots(struct build *b)
{
	struct str doc = bundle_find(b->out, S("data.json"))->content;
	struct json_iter it;

	doc.len--; /* the line end */
	it = json_iter(doc);
	while (json_next(&it))
		text_root(b, it.key, it.value);
}

static int by_bytes(const void *a, const void *b)
{
	const struct str *x = a, *y = b;

	return str_cmp(*x, *y);
}

/* What was found, sorted, without those that another one holds. */
static void keep_roots(struct build *b)
{
	struct bundle_manifest *m = &b->out->manifest;

	qsort(b->roots, b->nroots, sizeof(*b->roots), by_bytes);
	m->roots = ARENA_ARRAY(&b->out->arena, const char *, b->nroots + 1);
	for (uint32_t i = 0; i < b->nroots; i++) {
		size_t held = 0;

		for (size_t k = 0; k < m->nroots; k++)
			held += root_holds(str_from(m->roots[k]), b->roots[i]);
		if (!held)
			m->roots[m->nroots++] =
				arena_strdup(&b->out->arena, b->roots[i]);
	}
}

/* As the manifest counts them. */
static enum rego_version version_of(int n)
{
	static const enum rego_version versions[] = {REGO_V0, REGO_V1, REGO_V2};

	return n >= 0 && n < (int)COUNT(versions) ? versions[n] : REGO_V1;
}

static enum status find_roots(
	struct build *b, const struct config *c, struct err *e)
{
	enum status st = OK;

	for (uint32_t i = 0; i < b->out->nfiles && !st; i++)
		if (name_role(b->out->files[i].path) == ROLE_MODULE)
			st = module_root(b, &b->out->files[i],
				version_of(c->rego_version), e);
	if (st)
		return st;
	data_roots(b);
	if (!b->nroots)
		return err_set(e, E_INVALID,
			"no policy and no data in the folders that "
			"regatta.yaml includes");
	keep_roots(b);
	return OK;
}

static void given_roots(struct build *b, const struct config *c)
{
	struct bundle_manifest *m = &b->out->manifest;
	struct arena *a = &b->out->arena;

	m->roots = ARENA_ARRAY(a, const char *, c->roots.len + 1);
	for (size_t i = 0; i < c->roots.len; i++) {
		struct str s = str_from(c->roots.items[i]);

		while (s.len && s.ptr[0] == '/')
			s = str_slice(s, 1, s.len);
		while (s.len && s.ptr[s.len - 1] == '/')
			s.len--;
		m->roots[m->nroots++] = arena_strdup(a, s);
	}
}

/* --- the manifest --------------------------------------------------------- */

static void add_meta(struct buf *out, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	buf_addf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
	json_quote(out, str_from(value));
}

static const char *commit_time(const struct repo *r, struct arena *a)
{
	struct buf text = {0};
	const char *out;

	if (!r->commit[0])
		return NULL;
	instant_text(&text, r->time * NS_PER_S);
	out = arena_strdup(a, buf_str(&text));
	buf_release(&text);
	return out;
}

static enum status finish_manifest(struct build *b, const struct repo *r,
	const struct config *c, const struct build_options *o, struct err *e)
{
	struct bundle_manifest *m = &b->out->manifest;
	struct buf text = {0};

	m->revision = arena_strdup(&b->out->arena, str_from(o->revision));
	m->rego_version = c->rego_version;
	buf_addc(&text, '{');
	add_meta(&text, "commit", r->commit);
	add_meta(&text, "commit_time", commit_time(r, &b->out->arena));
	add_meta(&text, "tree", r->tree);
	add_meta(&text, "tool", o->tool);
	add_meta(&text, "test_report", o->test_digest);
	add_meta(&text, "signer_key", o->signer_key);
	if (c->bundle) {
		buf_adds(
			&text, text.len > 1 ? ",\"release\":" : "\"release\":");
		config_write_release(c, &text);
	}
	buf_addc(&text, '}');
	m->metadata = arena_str(&b->out->arena, buf_str(&text));
	buf_reset(&text);
	bundle_manifest_write(&text, m);
	return bundle_take(b->out, S(".manifest"), &text, e);
}

static enum status build(struct build *b, const struct repo *r,
	const struct config *c, const struct build_options *o, struct err *e)
{
	enum status st;

	if (!o->revision || !*o->revision)
		return err_set(e, E_INVALID, "a bundle needs a revision");
	st = add_repo(b, r, c, e);
	if (!st)
		st = add_extra(b, o, e);
	if (!st)
		st = finish_data(b, e);
	if (!st && c->roots.len)
		given_roots(b, c);
	else if (!st)
		st = find_roots(b, c, e);
	if (!st)
		st = finish_manifest(b, r, c, o, e);
	return st;
}

enum status bundle_gather(struct bundle *out, const struct repo *r,
	const struct config *c, const struct build_options *o, struct err *e)
{
	struct build b = {.out = out};
	enum status st;

	*out = (struct bundle){0};
	st = build(&b, r, c, o, e);
	data_release(&b.data);
	if (st)
		bundle_release(out);
	else
		bundle_order(out);
	return st;
}

/* Who wrote `roots` is told where, which agents can't know. */
static void name_roots(const struct config *c, struct err *e)
{
	struct err agents;

	if (!e || !c->roots.len || !strstr(e->text, "do not permit"))
		return;
	agents = *e;
	err_set(e, agents.code,
		"%s; add it to `roots` in regatta.yaml, or move it",
		agents.text);
}

enum status bundle_activates(
	const struct bundle *b, const struct config *c, struct err *e)
{
	enum status st = check_activates(b, e);

	if (st)
		name_roots(c, e);
	return st;
}

enum status bundle_build(struct bundle *out, const struct repo *r,
	const struct config *c, const struct build_options *o, struct err *e)
{
	enum status st = bundle_gather(out, r, c, o, e);

	if (st)
		return st;
	st = bundle_activates(out, c, e);
	if (st)
		bundle_release(out);
	return st;
}
