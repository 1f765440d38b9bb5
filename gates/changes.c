/*
 * changes: what a commit alters against its base that a reviewer should see.
 *
 * Rules of system.log travel in bundles and can blind the evidence a release
 * is judged by, so each change to them is a warning. For the rest: the policies
 * that are new, gone, or whose decisions can differ because they or something
 * they use changed.
 */
#include "gates/internal.h"

#include <string.h>

enum kind { CHANGED, ADDED, REMOVED };

struct change {
	const char *file;
	const char *package; /* "data.library.lib.image" */
	enum kind kind;
};

struct changes {
	struct run *run;
	struct change *items;
	uint32_t n, cap;
};

static const char *const words[] = {"changed", "added", "removed"};

/* --- which modules differ
 * ------------------------------------------------------- */

/* Of a module's text, without what it stands on; NULL: it does not parse. */
static const char *package_of(struct run *r, const struct repo_file *f)
{
	struct arena a = {0};
	struct symtab syms = {.arena = &a};
	struct diags d = {.arena = &a};
	struct source src = {
		.name = arena_strdup(&a, f->path), .text = f->content};
	struct parse_options o = {.version = REGO_V1};
	struct module *m = parse_module(&a, &syms, &src, &o, &d);
	struct buf text = {0};

	if (!m) {
		o.version = REGO_V0;
		m = parse_module(&a, &syms, &src, &o, &d);
	}
	if (m)
		term_text(&text, m->package);
	const char *out = m ? arena_strdup(r->arena, buf_str(&text)) : NULL;

	buf_release(&text);
	symtab_release(&syms);
	arena_release(&a);
	return out;
}

static bool is_policy_file(struct str path)
{
	return str_ends(path, S(".rego")) && !path_is_test(path) &&
	       !path_is_fixture(path);
}

static void add(struct changes *c, const struct repo_file *f, enum kind kind)
{
	const char *package = package_of(c->run, f);

	if (!package)
		return;
	c->items = arena_grow(
		c->run->arena, c->items, c->n, &c->cap, sizeof(*c->items));
	c->items[c->n++] =
		(struct change){.file = arena_strdup(c->run->arena, f->path),
			.package = package,
			.kind = kind};
}

static void compare(struct changes *c)
{
	const struct repo *head = c->run->o->repo, *base = c->run->o->base;

	for (size_t i = 0; i < head->nfiles; i++) {
		const struct repo_file *f = &head->files[i];
		const struct repo_file *old = repo_find(base, f->path);

		if (!is_policy_file(f->path) ||
			(old && str_eq(old->content, f->content)))
			continue;
		add(c, f, old ? CHANGED : ADDED);
	}
	for (size_t i = 0; i < base->nfiles; i++)
		if (is_policy_file(base->files[i].path) &&
			!repo_find(head, base->files[i].path))
			add(c, &base->files[i], REMOVED);
}

/* --- who uses them
 * ------------------------------------------------------------------ */

/* One is the other or stands above it: a.b and a.b.c, not a.b and a.bc. */
static bool related(struct str a, struct str b)
{
	struct str shorter = a.len < b.len ? a : b;
	struct str longer = a.len < b.len ? b : a;

	return str_starts(longer, shorter) &&
	       (longer.len == shorter.len || longer.ptr[shorter.len] == '.' ||
		       longer.ptr[shorter.len] == '[');
}

static bool name_byte(char c)
{
	return c == '.' || c == '_' || (c >= '0' && c <= '9') ||
	       (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/*
 * Does a module's text speak of a package, of one below it, or of all of one
 * above it? A comment may make this say yes once too often, never no.
 */
static bool speaks_of(struct str text, const char *package)
{
	for (size_t at = 0;
		(at = str_find(text, S("data."), at)) != SIZE_MAX;) {
		size_t end = at;

		while (end < text.len && name_byte(text.ptr[end]))
			end++;
		if (related(str_slice(text, at, end), str_from(package)))
			return true;
		at = end;
	}
	return false;
}

/*
 * Marks the modules that use, at any remove, a package that changed, with the
 * name of that package. c->items grows by what is found.
 */
static void spread(struct changes *c, bool *touched, const char **why)
{
	const struct rego_engine *e = c->run->engine;

	for (uint32_t k = 0; k < c->n; k++) {
		const char *package = c->items[k].package;

		for (size_t i = 0; i < rego_module_count(e); i++) {
			const struct module *m = rego_module_at(e, i);
			struct repo_file f = {.path = str_from(m->src->name),
				.content = m->src->text};

			if (touched[i] || path_is_test(f.path) ||
				!speaks_of(f.content, package))
				continue;
			touched[i] = true;
			why[i] = package;
			add(c, &f, CHANGED);
		}
	}
}

/* --- findings
 * ------------------------------------------------------------------------- */

static void warn_of_masks(struct run *r, const struct changes *c)
{
	for (uint32_t i = 0; i < c->n; i++) {
		const struct change *x = &c->items[i];

		if (!related(str_from(x->package), S("data.system.log")))
			continue;
		find_at(r, GATE_WARN, x->file, 1, 1, NULL,
			"rules of system.log are %s: they decide what agents "
			"leave out of their decision logs, and so what a "
			"rollout can be judged by",
			words[x->kind])
			->subject = x->package;
	}
}

static const struct change *change_of(
	const struct changes *c, uint32_t n, const char *package)
{
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(c->items[i].package, package))
			return &c->items[i];
	return NULL;
}

static const struct policy *policy_of(
	const struct run *r, const struct module *m)
{
	for (size_t i = 0; i < r->npolicies; i++)
		if (r->policies[i].module == m)
			return &r->policies[i];
	return NULL;
}

static size_t note_policies(struct run *r, const struct changes *c,
	uint32_t direct, const bool *touched, const char *const *why)
{
	size_t n = 0;

	for (size_t i = 0; i < rego_module_count(r->engine); i++) {
		const struct policy *p =
			policy_of(r, rego_module_at(r->engine, i));
		const struct change *own =
			p ? change_of(c, direct, p->package) : NULL;
		struct finding *f;
		uint32_t row, col;

		if (!p || (!own && !touched[i]))
			continue;
		source_pos(p->loc, &row, &col);
		n++;
		f = find_at(r, GATE_NOTE, p->module->src->name, row, col, NULL,
			"this policy is %s", own ? words[own->kind] : "");
		if (!own)
			f->message = arena_printf(r->arena,
				"its decisions can differ: %s changed", why[i]);
		f->subject = p->package;
	}
	return n;
}

static size_t warn_of_removed(
	struct run *r, const struct changes *c, uint32_t direct)
{
	size_t n = 0;

	for (uint32_t i = 0; i < direct; i++) {
		if (c->items[i].kind != REMOVED)
			continue;
		n++;
		find_at(r, GATE_WARN, c->items[i].file, 0, 0, NULL,
			"removed: what it denied is allowed from now on")
			->subject = c->items[i].package;
	}
	return n;
}

void gate_changes(struct run *r)
{
	struct changes c = {.run = r};
	size_t modules = rego_module_count(r->engine);

	if (!r->o->base) {
		r->step->skipped = true;
		r->step->summary = "not run: no --base to compare with";
		return;
	}
	compare(&c);
	uint32_t direct = c.n;
	bool *touched = ARENA_ARRAY(r->arena, bool, modules);
	const char **why = ARENA_ARRAY(r->arena, const char *, modules);

	spread(&c, touched, why);
	warn_of_masks(r, &c);
	size_t gone = warn_of_removed(r, &c, direct);
	size_t n = note_policies(r, &c, direct, touched, why);

	summary(r, "%s can decide differently, %s removed",
		plural(r, n, "policy", "policies"),
		plural(r, gone, "file", "files"));
}
