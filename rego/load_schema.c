/* load: JSON schemas. */
#include "base/limits.h"
#include "rego/load_internal.h"

#include <string.h>

/* A folder of schemas being read. */
struct walk {
	struct rego_engine *e;
	const struct load_fs *fs;
	struct arena *a; /* of this loading */
	struct diags *errs;
	struct str steps[LIMIT_PATH_DEPTH]; /* below `schema` */
	size_t nsteps;
};

static struct str without_bom(struct str s)
{
	return str_starts(s, S("\xef\xbb\xbf")) ? str_slice(s, 3, s.len) : s;
}

/* JSON or YAML, whatever the name says; an empty file is null. */
static bool read_schema(struct walk *w, const char *path, struct value *out)
{
	struct buf text = {0};
	struct json_error je;
	struct err err = {0};
	bool ok;

	if (w->fs->read(w->fs->user, path, LIMIT_SCHEMA_FILE, &text, &err)) {
		load_fail(w->errs, "%s", err.text);
		return false;
	}
	struct str s = without_bom(buf_str(&text));

	ok = load_document(w->e, F_JSON, s, out, &je) ||
	     load_document(w->e, F_YAML, s, out, &je);
	if (!ok)
		load_fail(w->errs, "%s: %s", path, je.text);
	buf_release(&text);
	return ok;
}

/* "user.json" is found as schema.user. */
static struct str bare_name(struct str name)
{
	size_t end = name.len;

	while (end && name.ptr[end - 1] != '.')
		end--;
	return end ? str_slice(name, 0, end - 1) : name;
}

static bool walk_folder(struct walk *w, const char *path);

/* One name in a folder. Links are read as files, as OPA does. */
static bool walk_entry(struct walk *w, const char *path, struct str name)
{
	struct err err = {0};
	struct value v;
	bool ok;
	int kind;

	if (w->fs->stat(w->fs->user, path, true, &kind, &err)) {
		load_fail(w->errs, "%s", err.text);
		return false;
	}
	if (w->nsteps == COUNT(w->steps)) {
		load_fail(w->errs, "%s: folders nest deeper than %zu", path,
			COUNT(w->steps));
		return false;
	}
	w->steps[w->nsteps++] = kind == LOAD_DIR ? name : bare_name(name);
	ok = kind == LOAD_DIR ? walk_folder(w, path) : read_schema(w, path, &v);
	if (ok && kind != LOAD_DIR)
		rego_add_schema(w->e, w->steps, w->nsteps, v);
	w->nsteps--;
	return ok;
}

static bool walk_folder(struct walk *w, const char *path)
{
	struct err err = {0};
	struct str *names;
	size_t n;

	if (load_list(w->fs, path, w->a, &names, &n, &err)) {
		load_fail(w->errs, "%s", err.text);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (!walk_entry(
			    w, load_join(w->a, path, names[i].ptr), names[i]))
			return false;
	return true;
}

static bool load_root(struct walk *w, const char *path)
{
	struct err err = {0};
	struct value v;
	int kind;

	if (w->fs->stat(w->fs->user, path, false, &kind, &err)) {
		load_fail(w->errs, "%s", err.text);
		return false;
	}
	rego_use_schemas(w->e);
	if (kind == LOAD_DIR)
		return walk_folder(w, path);
	if (!read_schema(w, path, &v))
		return false;
	rego_add_schema(w->e, NULL, 0, v);
	return true;
}

bool load_schemas(struct rego_engine *e, const struct load_options *o,
	const char *path, struct load_errors *errs)
{
	struct arena a = {0};
	struct walk *w = ARENA_NEW(&a, struct walk);
	bool ok;

	w->e = e;
	w->fs = o->fs ? o->fs : &load_disk;
	w->a = &a;
	w->errs = &errs->list;
	ok = load_url(&a, &path, w->errs) && load_root(w, path);
	arena_release(&a);
	return ok;
}
