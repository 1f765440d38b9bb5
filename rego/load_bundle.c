/*
 * Folders as bundles. Source: OPA contract, sections 1.2 to 1.5.
 */
#include "rego/load_internal.h"

#include <stdarg.h>

#include "base/limits.h"
#include "base/map.h"

struct module_file {
	const char *path;     /* as messages name it */
	const char *relative; /* "/a/b.rego" */
	struct buf text;
};

struct bundle {
	struct rego_engine *e;
	const struct load_options *o;
	const struct load_fs *fs;
	struct arena *a;
	const char *dir;
	struct diags *errs;
	const char *manifest_path; /* NULL: none yet */
	struct value manifest;
	struct value *docs; /* nested from data on */
	size_t ndocs, capdocs;
	struct module_file *modules;
	size_t nmodules, capmodules;
	struct map wasm; /* "/a/policy.wasm" to its path */
	struct str *roots;
	size_t nroots;
};

/* The one error a bundle ends with; false, so that it can be returned. */
static bool PRINTF(2, 3) fail(struct bundle *b, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	load_fail(b->errs, "bundle %s: %s", b->dir, text);
	return false;
}

/* --- roots ----------------------------------------------------------- */

static struct str trim_slashes(struct str s)
{
	while (s.len && s.ptr[0] == '/')
		s.ptr++, s.len--;
	while (s.len && s.ptr[s.len - 1] == '/')
		s.len--;
	return s;
}

/* Is `path` (steps with "/" between) the same as `root` or below it? */
static bool root_holds(struct str root, struct str path)
{
	if (!root.len)
		return true;
	return str_starts(path, root) &&
	       (path.len == root.len || path.ptr[root.len] == '/');
}

static bool roots_hold(const struct bundle *b, struct str path)
{
	for (size_t i = 0; i < b->nroots; i++)
		if (root_holds(b->roots[i], path))
			return true;
	return false;
}

static bool overlap(struct str x, struct str y)
{
	return root_holds(x, y) || root_holds(y, x);
}

/* [a b] */
static const char *roots_text(const struct bundle *b)
{
	struct buf out = {0};

	buf_addc(&out, '[');
	for (size_t i = 0; i < b->nroots; i++)
		buf_addf(&out, "%s%.*s", i ? " " : "", STR_ARG(b->roots[i]));
	buf_addc(&out, ']');
	const char *text = arena_strdup(b->a, buf_str(&out));

	buf_release(&out);
	return text;
}

/* --- manifest --------------------------------------------------------- */

/* Name of a value's kind as Go's JSON errors have it. */
static const char *json_kind(struct value v)
{
	switch (v.tag) {
	case V_TRUE:
	case V_FALSE:
		return "bool";
	case V_INT:
	case V_NUM:
		return "number";
	case V_STR:
		return "string";
	case V_ARR:
		return "array";
	default:
		return "object";
	}
}

static bool wrong_type(
	struct bundle *b, struct value v, const char *field, const char *want)
{
	return fail(b,
		"bundle load failed on manifest decode: json: cannot "
		"unmarshal %s into Go struct field Manifest.%s of type %s",
		json_kind(v), field, want);
}

/* clang-format off */
/* field, type, its members' type; as the JSON errors name them */
static const struct field {
	const char *name;
	uint8_t tag;
	const char *type;
	uint8_t member;
	const char *member_type;
} fields[] = {
	{"revision",           V_STR, "string",                 0,     NULL},
	{"roots",              V_ARR, "[]string",               V_STR, "string"},
	{"wasm",               V_ARR, "[]bundle.WasmResolver",  V_OBJ, "bundle.WasmResolver"},
	{"rego_version",       V_INT, "int",                    0,     NULL},
	{"file_rego_versions", V_OBJ, "map[string]int",         V_INT, "int"},
	{"metadata",           V_OBJ, "map[string]interface {}", 0,    NULL},
};
/* clang-format on */

static bool check_field(struct bundle *b, const struct field *f, struct value v)
{
	if (!is_def(v) || v.tag == V_NULL)
		return true;
	if (v.tag != f->tag)
		return wrong_type(b, v, f->name, f->type);
	for (uint32_t i = 0; f->member && i < v_len(v); i++) {
		struct value m =
			v.tag == V_ARR ? v.arr->items[i] : v.obj->vals[i];

		if (m.tag != f->member)
			return wrong_type(b, m, f->name, f->member_type);
	}
	return true;
}

static bool read_manifest(struct bundle *b, const char *path, struct str text)
{
	struct json_error je;

	if (b->manifest_path)
		return fail(b,
			"bundle contains multiple manifest files: \"%s\" and "
			"\"%s\"",
			b->manifest_path, path);
	b->manifest_path = path;
	while (text.len && strchr(" \t\r\n", text.ptr[text.len - 1]))
		text.len--;
	if (!text.len)
		return fail(b, "bundle load failed on manifest decode: EOF");
	if (!load_document(b->e, F_JSON, text, &b->manifest, &je))
		return fail(b, "bundle load failed on manifest decode: %s",
			je.text);
	if (b->manifest.tag != V_OBJ)
		return fail(b,
			"bundle load failed on manifest decode: json: cannot "
			"unmarshal %s into Go value of type bundle.Manifest",
			json_kind(b->manifest));
	for (size_t i = 0; i < COUNT(fields); i++)
		if (!check_field(b, &fields[i],
			    obj_get_cstr(b->manifest.obj, fields[i].name)))
			return false;
	return true;
}

static struct value manifest_get(const struct bundle *b, const char *name)
{
	struct value v = v_undef;

	if (b->manifest.tag == V_OBJ)
		v = obj_get_cstr(b->manifest.obj, name);
	return v.tag == V_NULL ? v_undef : v;
}

static void read_roots(struct bundle *b)
{
	struct value roots = manifest_get(b, "roots");

	if (!is_def(roots)) {
		b->roots = ARENA_ARRAY(b->a, struct str, 1);
		b->nroots = 1;
		return;
	}
	b->nroots = roots.arr->len;
	b->roots = ARENA_ARRAY(b->a, struct str, b->nroots);
	for (size_t i = 0; i < b->nroots; i++)
		b->roots[i] = trim_slashes(v_bytes(roots.arr->items[i]));
}

/* The version number of a module, or -1 where the manifest sets none. */
static int64_t version_of(const struct bundle *b, const char *relative)
{
	struct value files = manifest_get(b, "file_rego_versions");
	struct value all = manifest_get(b, "rego_version");

	for (uint32_t i = 0; is_def(files) && i < files.obj->len; i++)
		if (load_match(files.obj->keys->items[i].str->bytes, relative))
			return files.obj->vals[i].i;
	return is_def(all) ? all.i : -1;
}

static bool module_version(
	struct bundle *b, const char *relative, enum rego_version *out)
{
	switch (version_of(b, relative)) {
	case -1:
		*out = b->o->version;
		return true;
	case 0:
		*out = REGO_V0;
		return true;
	case 1:
		*out = REGO_V1;
		return true;
	case 2:
		*out = REGO_V2;
		return true;
	default:
		return fail(b, "unknown bundle rego-version %lld for file '%s'",
			(long long)version_of(b, relative), relative);
	}
}

/* --- files ------------------------------------------------------------ */

/* Steps of the folder of "/a/b/data.json"; leading "/" and "." go. */
static size_t data_steps(
	struct arena *a, const char *relative, struct str **out)
{
	const char *end = strrchr(relative, '/');
	const char *p = relative;
	size_t n = 0;

	while (p < end && (*p == '/' || *p == '.'))
		p++;
	*out = ARENA_ARRAY(a, struct str, LIMIT_PATH_BYTES);
	while (p < end && n < LIMIT_PATH_BYTES) {
		size_t len = strcspn(p, "/");

		(*out)[n++] = str_make(p, len);
		p += len + 1;
	}
	return n;
}

static bool add_data(struct bundle *b, const char *relative, struct value v)
{
	struct err err = {0};
	struct str *steps;
	size_t n = data_steps(b->a, relative, &steps);

	if (!n && v.tag != V_OBJ)
		return fail(b,
			"bundle load failed on %s: root value must be "
			"object",
			relative);
	v = load_nest(b->e, steps, n, v);
	enum status st = rego_add_data(b->e, NULL, 0, v, false, &err);

	if (st == E_CONFLICT) {
		const char *end = strrchr(relative, '/');
		const char *dir = relative;

		while (dir < end && (*dir == '/' || *dir == '.'))
			dir++;
		return fail(b,
			"bundle load failed on %s: failed to insert data file "
			"from path %.*s",
			relative, (int)(end > dir ? end - dir : 0), dir);
	}
	if (st)
		return fail(
			b, "bundle load failed on %s: %s", relative, err.text);
	if (b->ndocs == b->capdocs) {
		struct value *old = b->docs;

		b->capdocs = b->capdocs ? 2 * b->capdocs : 8;
		b->docs = ARENA_ARRAY(b->a, struct value, b->capdocs);
		if (b->ndocs)
			memcpy(b->docs, old, b->ndocs * sizeof(*old));
	}
	b->docs[b->ndocs++] = v;
	return true;
}

static void keep_module(struct bundle *b, const char *path,
	const char *relative, struct buf *text)
{
	if (b->nmodules == b->capmodules) {
		struct module_file *old = b->modules;

		b->capmodules = b->capmodules ? 2 * b->capmodules : 16;
		b->modules =
			ARENA_ARRAY(b->a, struct module_file, b->capmodules);
		if (b->nmodules)
			memcpy(b->modules, old, b->nmodules * sizeof(*old));
	}
	b->modules[b->nmodules++] = (struct module_file){path, relative, *text};
	*text = (struct buf){0};
}

static bool read_patch(struct bundle *b, struct str text)
{
	struct json_error je;
	struct value v;

	if (!load_document(b->e, F_JSON, text, &v, &je))
		return fail(
			b, "bundle load failed on patch decode: %s", je.text);
	struct value list =
		v.tag == V_OBJ ? obj_get_cstr(v.obj, "data") : v_undef;

	if (list.tag == V_ARR && list.arr->len)
		return fail(b, "delta bundles are not read here");
	return true;
}

static bool read_one(struct bundle *b, const char *path, const char *relative,
	const char *base, struct buf *text)
{
	bool json = !strcmp(base, "data.json");
	struct json_error je;
	struct value v;

	if (load_has_suffix(relative, ".rego")) {
		keep_module(b, path, relative, text);
		return true;
	}
	if (json || !strcmp(base, "data.yaml") || !strcmp(base, "data.yml")) {
		if (!load_document(b->e, json ? F_JSON : F_YAML, buf_str(text),
			    &v, &je))
			return fail(b, "bundle load failed on %s: %s", path,
				je.text);
		return add_data(b, relative, v);
	}
	if (!strcmp(base, "patch.json"))
		return read_patch(b, buf_str(text));
	return read_manifest(b, relative, buf_str(text));
}

static bool wanted(const char *relative, const char *base)
{
	return load_has_suffix(relative, ".rego") ||
	       !strcmp(base, "data.json") || !strcmp(base, "data.yaml") ||
	       !strcmp(base, "data.yml") || !strcmp(base, "patch.json") ||
	       load_has_suffix(relative, ".manifest");
}

static bool read_file(struct bundle *b, const char *path)
{
	size_t skip = !strcmp(b->dir, ".") ? 0 : strlen(b->dir);
	const char *base = strrchr(path, '/');
	struct buf text = {0};
	struct err err = {0};
	bool ok;

	base = base ? base + 1 : path;
	if (strncmp(path, b->dir, skip) != 0)
		skip = 0;
	const char *relative = path + skip;

	if (*relative != '/')
		relative = arena_printf(b->a, "/%s", relative);
	if (!strcmp(base, "policy.wasm"))
		map_set(&b->wasm, str_from(relative), (void *)(uintptr_t)path);
	if (!wanted(relative, base))
		return true;
	if (b->fs->read(b->fs->user, path, load_max(load_format(path)), &text,
		    &err))
		return fail(b, "%s", err.text);
	ok = read_one(b, path, relative, base, &text);
	buf_release(&text);
	return ok;
}

/* Number of steps of a path, without slashes at its ends. */
static size_t steps_of(const char *path, bool dir)
{
	struct str s = trim_slashes(str_from(path));
	size_t n = 1;

	if (!dir) {
		while (s.len && s.ptr[s.len - 1] != '/')
			s.len--;
		s = trim_slashes(s);
	}
	for (size_t i = 0; i < s.len; i++)
		n += s.ptr[i] == '/';
	return n;
}

/* Symbolic links are passed over, as everything that is no file or folder. */
static bool walk(struct bundle *b, const char *path, const char *name)
{
	struct err err = {0};
	struct str *names;
	size_t n;
	int kind;

	if (b->fs->stat(b->fs->user, path, true, &kind, &err) ||
		kind == LOAD_OTHER ||
		load_ignored(
			b->o, name, kind, steps_of(path, kind == LOAD_DIR)))
		return true;
	if (kind == LOAD_FILE)
		return read_file(b, path);
	if (strlen(path) > 4096)
		return fail(b, "%s: the path is too long", path);
	if (load_list(b->fs, path, b->a, &names, &n, &err))
		return true;
	for (size_t i = 0; i < n; i++)
		if (!walk(b, load_join(b->a, path, names[i].ptr), names[i].ptr))
			return false;
	return true;
}

/* --- what is checked ----------------------------------------------------- */

static bool check_roots(struct bundle *b)
{
	for (size_t i = 0; i < b->nroots; i++)
		for (size_t j = i + 1; j < b->nroots; j++)
			if (overlap(b->roots[i], b->roots[j]))
				return fail(b,
					"manifest has overlapped roots: "
					"'%.*s' and '%.*s'",
					STR_ARG(b->roots[i]),
					STR_ARG(b->roots[j]));
	return true;
}

/* The package of a module as a path, or an empty one that no root holds. */
static struct str package_path(struct arena *a, const struct module *m)
{
	struct buf out = {0};

	for (uint32_t i = 1; i < m->package->list.len; i++) {
		const struct term *t = m->package->list.items[i];

		if (t->kind != T_SCALAR || t->val.tag != V_STR)
			break;
		if (out.len)
			buf_addc(&out, '/');
		buf_addstr(&out, v_bytes(t->val));
	}
	struct str path = arena_str(a, buf_str(&out));

	buf_release(&out);
	return path;
}

static const struct module *module_named(
	const struct rego_engine *e, const char *name)
{
	for (size_t i = 0; i < rego_module_count(e); i++)
		if (!strcmp(rego_module_at(e, i)->src->name, name))
			return rego_module_at(e, i);
	return NULL;
}

static bool check_packages(struct bundle *b)
{
	for (size_t i = 0; i < b->nmodules; i++) {
		const struct module *m = module_named(b->e, b->modules[i].path);

		if (!m || roots_hold(b, package_path(b->a, m)))
			continue;
		struct buf pkg = {0};

		/* The text of "package a.b" has no leading "data.". */
		term_text(&pkg, m->package);
		struct str name = buf_str(&pkg);

		if (str_starts(name, S("data.")))
			name = str_slice(name, 5, name.len);
		fail(b,
			"manifest roots %s do not permit 'package %.*s' in "
			"module '%s'",
			roots_text(b), STR_ARG(name), b->modules[i].path);
		buf_release(&pkg);
		return false;
	}
	return true;
}

/* As the manifest calls it: from the top, "/" in front or not; NULL: none. */
static const char *wasm_named(const struct bundle *b, struct str name)
{
	if (!str_starts(name, S("/")))
		name = str_from(arena_printf(b->a, "/%.*s", STR_ARG(name)));
	return map_get(&b->wasm, name);
}

static struct str wasm_text(struct value list, uint32_t i, const char *key)
{
	struct value v = obj_get_cstr(list.arr->items[i].obj, key);

	return v.tag == V_STR ? v_bytes(v) : S("");
}

/* `seen`: the entrypoints before it. */
static bool check_entrypoint(
	struct bundle *b, struct map *seen, struct str name, const char *path)
{
	if (map_get(seen, name))
		return fail(b,
			"entrypoint '%.*s' cannot be used by more than one "
			"wasm module",
			STR_ARG(name));
	map_set(seen, name, b);
	if (!roots_hold(b, name))
		return fail(b,
			"manifest roots %s do not permit '%.*s' entrypoint for "
			"wasm module '%s'",
			roots_text(b), STR_ARG(name), path);
	return true;
}

static bool check_wasm(struct bundle *b)
{
	struct value list = manifest_get(b, "wasm");
	struct map seen = {0};
	bool ok = true;

	for (uint32_t i = 0; ok && is_def(list) && i < list.arr->len; i++) {
		struct str name = wasm_text(list, i, "module");
		const char *path = wasm_named(b, name);

		if (path)
			ok = check_entrypoint(b, &seen,
				wasm_text(list, i, "entrypoint"), path);
		else
			ok = fail(b,
				"manifest references wasm module '%.*s' but "
				"the module file does not exist",
				STR_ARG(name));
	}
	map_release(&seen);
	return ok;
}

/* Does a root lie at `path` or below it? */
static bool root_below(const struct bundle *b, struct str path)
{
	for (size_t i = 0; i < b->nroots; i++)
		if (root_holds(path, b->roots[i]))
			return true;
	return false;
}

static bool check_data(struct bundle *b, struct str path, struct value v)
{
	if (roots_hold(b, path))
		return true;
	if (v.tag != V_OBJ || !root_below(b, path))
		return fail(b,
			"manifest roots %s do not permit data at path '/%.*s' "
			"(hint: check bundle directory structure)",
			roots_text(b), STR_ARG(path));
	for (uint32_t i = 0; i < v.obj->len; i++) {
		struct str key = v_bytes(v.obj->keys->items[i]);
		const char *sub = arena_printf(b->a, "%.*s%s%.*s",
			STR_ARG(path), path.len ? "/" : "", STR_ARG(key));

		if (!check_data(b, str_from(sub), v.obj->vals[i]))
			return false;
	}
	return true;
}

static bool parse_modules(struct bundle *b, struct load_errors *errs)
{
	enum rego_version *versions =
		ARENA_ARRAY(b->a, enum rego_version, b->nmodules);

	for (size_t i = 0; i < b->nmodules; i++)
		if (!module_version(b, b->modules[i].relative, &versions[i]))
			return false;
	for (size_t i = 0; i < b->nmodules; i++) {
		struct module_file *m = &b->modules[i];

		if (load_module(b->e, m->path, buf_str(&m->text), versions[i],
			    b->errs))
			continue;
		errs->prefix =
			arena_printf(errs->list.arena, "bundle %s: ", b->dir);
		return false;
	}
	return true;
}

static bool load_one(struct bundle *b, struct load_errors *errs)
{
	struct err err = {0};
	int kind;

	if (!load_url(b->a, &b->dir, b->errs))
		return false;
	if (b->fs->stat(b->fs->user, b->dir, false, &kind, &err)) {
		load_fail(
			b->errs, "error reading \"%s\": %s", b->dir, err.text);
		return false;
	}
	if (kind != LOAD_DIR)
		return fail(b, "bundles as archives are not read here yet");

	const char *name = b->dir;
	const char *root = load_clean(b->a, b->dir);

	b->dir = root;
	bool ok = walk(b, root, root);

	b->dir = name;
	if (!ok || !parse_modules(b, errs))
		return false;
	read_roots(b);
	if (!check_roots(b) || !check_packages(b) || !check_wasm(b))
		return false;
	for (size_t i = 0; i < b->ndocs; i++)
		if (!check_data(b, (struct str){0}, b->docs[i]))
			return false;
	return true;
}

/* --- several bundles --------------------------------------------------------
 */

/* As `check` merges bundles: no root may lie in another one. */
static bool merge_roots(
	const struct bundle *bs, size_t n, struct load_errors *errs)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			for (size_t k = 0; k < bs[i].nroots; k++)
				for (size_t m = 0; m < bs[j].nroots; m++) {
					struct str x = bs[i].roots[k];
					struct str y = bs[j].roots[m];

					if (!overlap(x, y))
						continue;
					load_fail(&errs->list,
						"manifest has overlapped "
						"roots: '%.*s' and '%.*s'",
						STR_ARG(x), STR_ARG(y));
					return false;
				}
	return true;
}

static int by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* "a, b" without doubles. */
static void sorted_list(struct buf *out, const char **names, size_t n)
{
	qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n; i++)
		if (!i || strcmp(names[i], names[i - 1]) != 0)
			buf_addf(out, "%s%s", i ? ", " : "", names[i]);
}

static bool has_empty_root(const struct bundle *b)
{
	for (size_t i = 0; i < b->nroots; i++)
		if (!b->roots[i].len)
			return true;
	return false;
}

/* The clashes of roots between bundles: who, and what about. */
struct clashes {
	const char **bundles, **texts;
	size_t nbundles, ntexts;
};

static void compare(struct clashes *c, struct arena *a, const struct bundle *x,
	const struct bundle *y)
{
	for (size_t i = 0; i < x->nroots; i++)
		for (size_t j = 0; j < y->nroots; j++) {
			struct str r = x->roots[i], s = y->roots[j];

			if (!overlap(r, s))
				continue;
			c->bundles[c->nbundles++] = x->dir;
			c->bundles[c->nbundles++] = y->dir;
			if (r.len > s.len) {
				struct str t = r;

				r = s;
				s = t;
			}
			c->texts[c->ntexts++] =
				str_eq(r, s)
					? arena_printf(a,
						  "root %.*s is in multiple "
						  "bundles",
						  STR_ARG(r))
					: arena_printf(a, "%.*s overlaps %.*s",
						  STR_ARG(r), STR_ARG(s));
		}
}

/* OPA's sentence; `empty`: bundles with a root that is all there is. */
static void clashes_text(struct buf *out, const struct clashes *c,
	const char **empty, size_t nempty)
{
	buf_adds(out, nempty ? "bundles ["
			     : "detected overlapping roots in manifests for "
			       "these bundles: [");
	sorted_list(out, c->bundles, c->nbundles);
	if (nempty) {
		buf_adds(out,
			"] have overlapping roots and cannot be activated "
			"simultaneously because bundle(s) [");
		sorted_list(out, empty, nempty);
		buf_adds(out,
			"] specify empty root paths ('') which overlap with "
			"any other bundle root");
	} else {
		buf_adds(out, "] (");
		sorted_list(out, c->texts, c->ntexts);
		buf_addc(out, ')');
	}
}

/* As activation compares the roots of all bundles. */
static bool activate_roots(
	struct bundle *bs, size_t n, struct arena *a, struct load_errors *errs)
{
	size_t roots = 0, nempty = 0;
	const char **empty = ARENA_ARRAY(a, const char *, n);
	struct clashes c = {0};
	struct buf out = {0};

	for (size_t i = 0; i < n; i++) {
		roots += bs[i].nroots;
		if (has_empty_root(&bs[i]))
			empty[nempty++] = bs[i].dir;
	}
	c.bundles = ARENA_ARRAY(a, const char *, 2 * roots * roots + 1);
	c.texts = ARENA_ARRAY(a, const char *, roots *roots + 1);
	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			compare(&c, a, &bs[i], &bs[j]);
	if (!c.ntexts)
		return true;
	clashes_text(&out, &c, empty, nempty);
	load_fail(&errs->list, "%s", out.ptr);
	buf_release(&out);
	return false;
}

static struct value pair(
	struct arena *a, const char *k, struct value v, struct value rest)
{
	struct builder b = builder_obj(a);

	for (uint32_t i = 0; rest.tag == V_OBJ && i < rest.obj->len; i++)
		builder_set_key(
			&b, rest.obj->keys->items[i], rest.obj->vals[i]);
	builder_set_key(&b, v_cstr(a, k), v);
	return builder_done(&b);
}

/* data.system.bundles[DIR], as OPA writes it when it activates a bundle. */
static enum status add_system(struct bundle *b, struct err *err)
{
	struct arena *a = rego_arena(b->e);
	struct value *roots = ARENA_ARRAY(a, struct value, b->nroots);
	struct value revision = manifest_get(b, "revision");
	struct value m = v_empty_obj;

	for (size_t i = 0; i < b->nroots; i++)
		roots[i] = v_str(a, b->roots[i]);
	m = pair(a, "roots", v_arr(a, roots, b->nroots), m);
	m = pair(a, "revision", is_def(revision) ? revision : v_cstr(a, ""), m);
	for (size_t i = 3; i < COUNT(fields); i++) {
		struct value v = manifest_get(b, fields[i].name);

		if (is_def(v) && (v.tag != V_OBJ || v.obj->len))
			m = pair(a, fields[i].name, v, m);
	}
	struct value doc =
		pair(a, "etag", v_cstr(a, ""), pair(a, "manifest", m, v_undef));
	struct str steps[] = {STR("system"), STR("bundles"), str_from(b->dir)};

	return rego_add_data(b->e, NULL, 0,
		load_nest(b->e, steps, COUNT(steps), doc), false, err);
}

bool load_bundles(struct rego_engine *e, const struct load_options *o,
	const char *const *paths, size_t n, bool activate,
	struct load_errors *errs)
{
	struct arena a = {0};
	struct bundle *bs = ARENA_ARRAY(&a, struct bundle, n);
	struct err err = {0};
	bool ok = true;

	for (size_t i = 0; i < n && ok; i++) {
		bs[i].e = e;
		bs[i].o = o;
		bs[i].fs = o->fs ? o->fs : &load_disk;
		bs[i].a = &a;
		bs[i].dir = arena_strdup(&a, str_from(paths[i]));
		bs[i].errs = &errs->list;
		errs->bundle = paths[i];
		ok = load_one(&bs[i], errs);
	}
	if (ok)
		errs->bundle = NULL;
	if (ok && !activate)
		ok = merge_roots(bs, n, errs);
	else if (ok)
		ok = activate_roots(bs, n, &a, errs);
	for (size_t i = 0; i < n && ok && activate; i++)
		if (add_system(&bs[i], &err)) {
			load_fail(&errs->list, "bundle %s: %s", paths[i],
				err.text);
			ok = false;
		}
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < bs[i].nmodules; k++)
			buf_release(&bs[i].modules[k].text);
		map_release(&bs[i].wasm);
	}
	arena_release(&a);
	return ok;
}
