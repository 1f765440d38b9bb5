#include "rego/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/map.h"
#include "rego/load_internal.h"
#include "rego/program.h"

/* --- paths ---------------------------------------------------------- */

char *load_clean(struct arena *a, const char *path)
{
	size_t len = strlen(path), n = 0, back = 0;
	bool rooted = path[0] == '/';
	char *out = arena_raw(a, len + 2);

	if (rooted)
		out[n++] = '/', back = 1;
	for (size_t i = 0; i < len;) {
		size_t j = i;

		while (j < len && path[j] != '/')
			j++;
		size_t part = j - i;

		if (part == 0 || (part == 1 && path[i] == '.')) {
			/* nothing */
		} else if (part == 2 && path[i] == '.' && path[i + 1] == '.' &&
			   (rooted || n > back)) {
			while (n > back && out[n - 1] != '/')
				n--;
			if (n > back)
				n--;
		} else {
			if (n > (rooted ? 1u : 0u))
				out[n++] = '/';
			memcpy(out + n, path + i, part);
			n += part;
			if (part == 2 && path[i] == '.' && path[i + 1] == '.')
				back = n; /* no later ".." may undo it */
		}
		i = j + 1;
	}
	if (n == 0)
		out[n++] = '.';
	out[n] = '\0';
	return out;
}

char *load_join(struct arena *a, const char *dir, const char *name)
{
	return load_clean(a, arena_printf(a, "%s/%s", dir, name));
}

/* One class of a pattern at *p, after the "[". Moves *p behind the "]". */
static bool match_class(const char **pp, unsigned char c, bool *broken)
{
	const char *p = *pp;
	bool negated = *p == '^', hit = false;

	if (negated)
		p++;
	for (bool first = true; *p && (first || *p != ']'); first = false) {
		if (*p == ']' || *p == '-' || (*p == '\\' && !*++p)) {
			*broken = true;
			return false;
		}
		unsigned char lo = (unsigned char)*p++, hi = lo;

		if (*p == '-') {
			p++;
			if (!*p || *p == ']' || (*p == '\\' && !*++p)) {
				*broken = true;
				return false;
			}
			hi = (unsigned char)*p++;
		}
		hit |= lo <= c && c <= hi;
	}
	if (*p != ']') {
		*broken = true;
		return false;
	}
	*pp = p + 1;
	return hit != negated;
}

/*
 * One step of the pattern against the name at `s`, neither at its end: *pp goes
 * behind the step, *width is how much of the name it takes.
 */
static bool match_step(
	const char **pp, const char *s, size_t *width, bool *broken)
{
	uint32_t cp;

	*width = 1;
	if (**pp == '?') {
		*width = utf8_decode(s, strlen(s), &cp);
		++*pp;
		return true;
	}
	if (**pp == '[') {
		++*pp;
		return match_class(pp, (unsigned char)*s, broken);
	}
	if (**pp == '\\' && !*++*pp) {
		*broken = true;
		return false;
	}
	return *(*pp)++ == *s;
}

bool load_match(const char *pattern, const char *name)
{
	const char *p = pattern, *s = name;
	const char *star = NULL, *star_at = NULL;
	bool broken = false;

	for (;;) {
		const char *next = p;
		size_t width;

		if (*p == '*') {
			star = ++p;
			star_at = s;
			continue;
		}
		if (!*p && !*s)
			return true;
		if (*p && *s && match_step(&next, s, &width, &broken)) {
			p = next;
			s += width;
		} else if (!broken && star && *star_at) {
			p = star;
			s = ++star_at;
		} else {
			return false;
		}
	}
}

/* --- the file system ------------------------------------------------ */

/* As err_sys(), with the text as Go writes it: in small letters. */
static enum status PRINTF(3, 4)
	sys_fail(struct err *err, int errnum, const char *fmt, ...)
{
	char what[1024], why[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(why, sizeof(why), "%s", strerror(errnum));
	if (why[0] >= 'A' && why[0] <= 'Z' && why[1] >= 'a' && why[1] <= 'z')
		why[0] = (char)(why[0] + 'a' - 'A');
	return err_set(err, errnum == ENOENT ? E_NOT_FOUND : E_IO, "%s: %s",
		what, why);
}

static enum status disk_stat(
	void *user, const char *path, bool nofollow, int *kind, struct err *err)
{
	struct stat st;

	(void)user;
	if (nofollow ? lstat(path, &st) : stat(path, &st))
		return sys_fail(
			err, errno, "%s %s", nofollow ? "lstat" : "stat", path);
	*kind = S_ISDIR(st.st_mode)   ? LOAD_DIR
		: S_ISREG(st.st_mode) ? LOAD_FILE
				      : LOAD_OTHER;
	return OK;
}

static enum status disk_read(void *user, const char *path, size_t max,
	struct buf *out, struct err *err)
{
	enum status status = OK;
	struct stat st;
	size_t start = out->len;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	(void)user;
	if (fd < 0)
		return sys_fail(err, errno, "open %s", path);
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 &&
		(uintmax_t)st.st_size <= max)
		buf_reserve(out, (size_t)st.st_size + 1);
	for (;;) {
		size_t room = out->cap - out->len;
		char *at = buf_reserve(out, room > 65536 ? room - 1 : 65536);
		ssize_t got = read(fd, at, room > 65536 ? room - 1 : 65536);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			status = sys_fail(err, errno, "read %s", path);
			break;
		}
		if (got == 0)
			break;
		out->len += (size_t)got;
		out->ptr[out->len] = '\0';
		if (out->len - start > max) {
			status = err_set(err, E_LIMIT,
				"%s: more than %zu bytes, the limit", path,
				max);
			break;
		}
	}
	close(fd);
	return status;
}

static enum status disk_list(void *user, const char *path, struct arena *a,
	struct str **names, size_t *n, struct err *err)
{
	DIR *dir = opendir(path);
	size_t len = 0, cap = 0;
	struct str *list = NULL;

	(void)user;
	if (!dir)
		return sys_fail(err, errno, "open %s", path);
	for (struct dirent *de; (de = readdir(dir));) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (len == cap) {
			struct str *old = list;

			cap = cap ? 2 * cap : 32;
			list = ARENA_ARRAY(a, struct str, cap);
			if (len)
				memcpy(list, old, len * sizeof(*list));
		}
		list[len++] = arena_str(a, str_from(de->d_name));
	}
	closedir(dir);
	*names = list;
	*n = len;
	return OK;
}

const struct load_fs load_disk = {
	.stat = disk_stat,
	.read = disk_read,
	.list = disk_list,
};

enum status load_list(const struct load_fs *fs, const char *path,
	struct arena *a, struct str **names, size_t *n, struct err *err)
{
	enum status st = fs->list(fs->user, path, a, names, n, err);

	if (!st)
		str_sort(*names, *n);
	return st;
}

/* --- errors ---------------------------------------------------------- */

void load_fail(struct diags *d, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX + 512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_add(d, NULL, (struct loc){0}, "%s", text);
}

static void load_copy_diags(
	struct diags *to, const struct diags *from, size_t start)
{
	for (size_t i = start; i < from->len; i++) {
		/* The place goes in by hand: it has lost its source. */
		diag_add(to, from->items[i].code, (struct loc){0}, "%s", "");
		to->items[to->len - 1] = from->items[i];
	}
}

/* --- files ----------------------------------------------------------- */

bool rego_add_module_as(struct rego_engine *e, const char *name,
	struct str text, enum rego_version version)
{
	struct parse_options o = {.version = version, .caps = e->cfg.caps};
	struct source *src = ARENA_NEW(&e->arena, struct source);
	uint32_t max = e->diags.max;

	/* The limit of errors is one of compiling. */
	e->diags.max = 0;
	*src = (struct source){.name = name, .text = text};
	struct module *m =
		parse_module(&e->arena, &e->syms, src, &o, &e->diags);

	e->diags.max = max;
	if (m)
		compile_add(&e->comp, m);
	return m != NULL;
}

bool load_module(struct rego_engine *e, const char *name, struct str text,
	enum rego_version version, struct diags *d)
{
	struct arena *a = rego_arena(e);
	size_t before = rego_errors(e)->len;

	if (rego_add_module_as(e, arena_strdup(a, str_from(name)),
		    arena_str(a, text), version))
		return true;
	load_copy_diags(d, rego_errors(e), before);
	return false;
}

bool load_has_suffix(const char *s, const char *suffix)
{
	return str_ends(str_from(s), str_from(suffix));
}

/* The name's extension with its dot, as Go's filepath.Ext(); "" if none. */
static const char *extension(const char *path)
{
	for (const char *p = path + strlen(path); p > path; p--) {
		if (p[-1] == '/')
			break;
		if (p[-1] == '.')
			return p - 1;
	}
	return "";
}

enum format load_format(const char *path)
{
	const char *ext = extension(path);

	if (!strcmp(ext, ".json"))
		return F_JSON;
	if (!strcmp(ext, ".rego"))
		return F_REGO;
	if (!strcmp(ext, ".yaml") || !strcmp(ext, ".yml"))
		return F_YAML;
	return load_has_suffix(path, ".tar.gz") ? F_ARCHIVE : F_UNKNOWN;
}

size_t load_max(enum format f)
{
	switch (f) {
	case F_REGO:
		return LIMIT_REGO_FILE;
	case F_YAML:
		return LIMIT_YAML_BYTES;
	case F_JSON:
	case F_ARCHIVE:
	case F_UNKNOWN:
	default:
		return LIMIT_DATA_FILE;
	}
}

bool load_document(struct rego_engine *e, enum format f, struct str text,
	struct value *out, struct json_error *je)
{
	struct arena *a = rego_arena(e);
	struct symtab *t = rego_symtab(e);

	*je = (struct json_error){0};
	return f == F_YAML ? yaml_parse(a, t, text, out, je)
			   : json_parse(a, t, text, LIMIT_DATA_DEPTH, out, je);
}

/* {"a": {"b": v}} for the steps a, b. */
struct value load_nest(struct rego_engine *e, const struct str *steps, size_t n,
	struct value v)
{
	struct arena *a = rego_arena(e);

	while (n--) {
		struct value *kv = ARENA_ARRAY(a, struct value, 2);

		kv[0] = sym_intern(rego_symtab(e), steps[n].ptr, steps[n].len);
		kv[1] = v;
		v = v_obj_sorted(a, &kv[0], &kv[1], 1);
	}
	return v;
}

/* One document that was loaded, from data on. */
struct doc {
	const char *path;
	struct value v;
};

/* The arguments being loaded. */
struct loader {
	struct rego_engine *e;
	const struct load_options *o;
	const struct load_fs *fs;
	struct arena *a; /* of this loading */
	struct diags *errs;
	struct map seen; /* place and clean path of files */
	struct doc *docs;
	size_t ndocs, capdocs;
	struct str steps[LIMIT_PATH_BYTES]; /* below data */
	size_t nsteps;
};

/*
 * The first place, in order of keys, where `v` meets something of `docs` and
 * the two are not both objects. Its keys go to `keys`; 0 if there is none.
 */
static size_t first_conflict(struct arena *a, struct value v,
	const struct value *docs, size_t n, struct value *keys, size_t max)
{
	struct value *sub = ARENA_ARRAY(a, struct value, n);

	for (uint32_t i = 0; max && i < v.obj->len; i++) {
		struct value key = v.obj->keys->items[i];
		struct value mine = v.obj->vals[i];
		bool clash = false;
		size_t nsub = 0;

		for (size_t k = 0; k < n; k++) {
			sub[nsub] = obj_get(docs[k].obj, key);
			if (!is_def(sub[nsub]))
				continue;
			clash |= sub[nsub].tag != V_OBJ || mine.tag != V_OBJ;
			nsub++;
		}
		keys[0] = key;
		if (clash)
			return 1;
		if (!nsub)
			continue;
		size_t below =
			first_conflict(a, mine, sub, nsub, keys + 1, max - 1);

		if (below)
			return below + 1;
	}
	return 0;
}

static bool has_path(struct value v, const struct value *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (v.tag != V_OBJ)
			return false;
		v = obj_get(v.obj, keys[i]);
	}
	return is_def(v);
}

/* data.a["b-c"] for the steps a, b-c. */
static void load_ref_text(
	struct arena *a, struct buf *out, const struct value *keys, size_t n)
{
	struct symtab names = {.arena = a};
	struct term head = {.kind = T_VAR}, ref = {.kind = T_REF};
	struct value data = sym_intern(&names, "data", 4);

	head.var.name = data.str;
	ref.list.items = ARENA_ARRAY(a, struct term *, n + 1);
	ref.list.len = (uint32_t)n + 1;
	ref.list.items[0] = &head;
	for (size_t i = 0; i < n; i++) {
		struct term *t = ARENA_NEW(a, struct term);

		t->kind = T_SCALAR;
		t->val = keys[i];
		ref.list.items[i + 1] = t;
	}
	term_text(out, &ref);
	symtab_release(&names);
}

enum { CONFLICT_DEPTH = 256 };

static void merge_error(struct loader *l, const char *path, struct value v)
{
	struct value keys[CONFLICT_DEPTH];
	struct value *docs = ARENA_ARRAY(l->a, struct value, l->ndocs);
	struct buf ref = {0};

	for (size_t i = 0; i < l->ndocs; i++)
		docs[i] = l->docs[i].v;
	size_t n =
		first_conflict(l->a, v, docs, l->ndocs, keys, CONFLICT_DEPTH);

	if (!n) {
		load_fail(l->errs, "%s: merge error", path);
		return;
	}
	load_ref_text(l->a, &ref, keys, n);
	for (size_t i = 0; i < l->ndocs; i++) {
		if (!has_path(l->docs[i].v, keys, n))
			continue;
		load_fail(l->errs,
			"%s: merge error: conflicting values at %s, also "
			"defined in %s",
			path, ref.ptr, l->docs[i].path);
		break;
	}
	buf_release(&ref);
}

static void add_doc(struct loader *l, const char *path, struct value v)
{
	struct err err = {0};

	if (!l->nsteps && v.tag != V_OBJ) {
		load_fail(l->errs, "%s: document must be of type object", path);
		return;
	}
	v = load_nest(l->e, l->steps, l->nsteps, v);
	enum status st = rego_add_data(l->e, NULL, 0, v, false, &err);

	if (st == E_CONFLICT) {
		merge_error(l, path, v);
		return;
	}
	if (st) {
		load_fail(l->errs, "%s: %s", path, err.text);
		return;
	}
	if (l->ndocs == l->capdocs) {
		struct doc *old = l->docs;

		l->capdocs = l->capdocs ? 2 * l->capdocs : 16;
		l->docs = ARENA_ARRAY(l->a, struct doc, l->capdocs);
		if (l->ndocs)
			memcpy(l->docs, old, l->ndocs * sizeof(*old));
	}
	l->docs[l->ndocs++] = (struct doc){path, v};
}

/* Does `text` parse as a module? Nothing is kept. */
static bool is_module(struct loader *l, const char *path, struct str text)
{
	struct arena a = {0};
	struct symtab t = {.arena = &a};
	struct diags d = {.arena = &a};
	struct source src = {.name = path, .text = text};
	struct parse_options po = {
		.version = l->o->version, .caps = l->e->cfg.caps};
	bool ok = parse_module(&a, &t, &src, &po, &d) && d.len == 0;

	symtab_release(&t);
	arena_release(&a);
	return ok;
}

/* A file named as argument whose name says nothing: whatever it reads as. */
static void load_any(struct loader *l, const char *path, struct str text)
{
	struct json_error je;
	struct value v;

	if (is_module(l, path, text))
		load_module(l->e, path, text, l->o->version, l->errs);
	else if (load_document(l->e, F_JSON, text, &v, &je) ||
		 load_document(l->e, F_YAML, text, &v, &je))
		add_doc(l, path, v);
	else
		load_fail(l->errs, "%s: can't recognize file type", path);
}

static void load_text(
	struct loader *l, const char *path, enum format f, struct str text)
{
	struct json_error je;
	struct value v;

	if (f == F_UNKNOWN)
		load_any(l, path, text);
	else if (f == F_REGO)
		load_module(l->e, path, text, l->o->version, l->errs);
	else if (load_document(l->e, f, text, &v, &je))
		add_doc(l, path, v);
	else
		load_fail(l->errs, "%s: %s%s", path,
			f == F_YAML ? "error converting YAML to JSON: " : "",
			je.text);
}

static void load_file(struct loader *l, const char *path, bool named)
{
	enum format f = load_format(path);
	struct buf key = {0}, text = {0};
	struct err err = {0};

	/* The same file twice at the same place counts once. */
	for (size_t i = 0; i < l->nsteps; i++) {
		buf_addstr(&key, l->steps[i]);
		buf_addc(&key, '\0');
	}
	buf_addc(&key, '\1');
	buf_adds(&key, load_clean(l->a, path));
	bool again = map_set(&l->seen, arena_str(l->a, buf_str(&key)), l);

	buf_release(&key);
	if (again || (f == F_UNKNOWN && !named))
		return;
	if (f == F_ARCHIVE) {
		load_fail(l->errs,
			"bundle %s: bundles as archives are not read here yet",
			path);
		return;
	}
	if (l->fs->read(l->fs->user, path, load_max(f), &text, &err))
		load_fail(l->errs, "%s", err.text);
	else
		load_text(l, path, f, buf_str(&text));
	buf_release(&text);
}

bool load_ignored(
	const struct load_options *o, const char *name, int kind, size_t depth)
{
	if (o->only_rego && kind != LOAD_DIR &&
		strcmp(extension(name), ".rego") != 0)
		return true;
	for (size_t i = 0; depth > 0 && i < o->nignore; i++)
		if (load_match(o->ignore[i], name))
			return true;
	return false;
}

/* The last step of a path, as the system's stat would name it. */
static const char *base_name(struct arena *a, const char *path)
{
	const char *clean = load_clean(a, path);
	const char *slash = strrchr(clean, '/');

	return slash && slash[1] ? slash + 1 : clean;
}

static void load_tree(struct loader *l, const char *path, size_t depth)
{
	struct err err = {0};
	struct str *names;
	size_t n;
	int kind;

	if (l->fs->stat(l->fs->user, path, false, &kind, &err)) {
		load_fail(l->errs, "%s", err.text);
		return;
	}
	const char *name = base_name(l->a, path);

	if (load_ignored(l->o, name, kind, depth))
		return;
	if (kind != LOAD_DIR) {
		load_file(l, path, depth == 0);
		return;
	}
	if (depth > 0 && l->nsteps == COUNT(l->steps)) {
		load_fail(l->errs, "%s: folders nest deeper than %zu", path,
			COUNT(l->steps));
		return;
	}
	if (load_list(l->fs, path, l->a, &names, &n, &err)) {
		load_fail(l->errs, "%s", err.text);
		return;
	}
	if (depth > 0)
		l->steps[l->nsteps++] = str_from(name);
	for (size_t i = 0; i < n; i++)
		load_tree(l, load_join(l->a, path, names[i].ptr), depth + 1);
	if (depth > 0)
		l->nsteps--;
}

bool load_url(struct arena *a, const char **path, struct diags *d)
{
	const char *mark = strstr(*path, "://");

	if (mark) {
		if (strncmp(*path, "file://", 7) != 0) {
			load_fail(d, "unsupported URL scheme: %s", *path);
			return false;
		}
		/* file://HOST/PATH: the host is dropped */
		mark = strchr(mark + 3, '/');
		*path = arena_strdup(a, str_from(mark ? mark : ""));
	}
	if (((*path)[0] == '/' || (*path)[0] == '\\') &&
		((*path)[1] == '/' || (*path)[1] == '\\')) {
		load_fail(d, "UNC path read is not allowed: %s", *path);
		return false;
	}
	return true;
}

/* Splits x.y:path; the steps go into the loader. */
static const char *split_prefix(struct loader *l, const char *arg)
{
	const char *colon = strchr(arg, ':');

	l->nsteps = 0;
	if (!colon || colon == arg || strstr(arg, "://") == colon)
		return arg;
	for (const char *p = arg;; p++) {
		size_t len = strcspn(p, ".:");

		if (l->nsteps == COUNT(l->steps)) {
			load_fail(l->errs, "%s: more than %zu steps", arg,
				COUNT(l->steps));
			return NULL;
		}
		l->steps[l->nsteps++] = arena_str(l->a, str_make(p, len));
		p += len;
		if (p == colon)
			return colon + 1;
	}
}

bool load_paths(struct rego_engine *e, const struct load_options *o,
	const char *const *paths, size_t n, struct load_errors *errs)
{
	struct arena a = {0};
	struct loader *l = ARENA_NEW(&a, struct loader);
	size_t before = errs->list.len;

	l->e = e;
	l->o = o;
	l->fs = o->fs ? o->fs : &load_disk;
	l->a = &a;
	l->errs = &errs->list;
	for (size_t i = 0; i < n; i++) {
		const char *path = split_prefix(l, paths[i]);

		if (path && load_url(&a, &path, l->errs))
			load_tree(l,
				arena_strdup(rego_arena(e), str_from(path)), 0);
	}
	map_release(&l->seen);
	arena_release(&a);
	return errs->list.len == before;
}
