#include "rego/annotations.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "rego/builtin/unicode.h"
#include "rego/url.h"
#include "rego/yaml_typed.h"

enum key {
	K_SCOPE,
	K_TITLE,
	K_ENTRYPOINT,
	K_DESCRIPTION,
	K_ORGANIZATIONS,
	K_RELATED,
	K_AUTHORS,
	K_SCHEMAS,
	K_COMPILE,
	K_CUSTOM,
	K_LABELS,
	K_COUNT,
};

/* clang-format off */
static const struct yfield keys[K_COUNT] = {
	[K_SCOPE]         = {"scope",             YT_STRING},
	[K_TITLE]         = {"title",             YT_STRING},
	[K_ENTRYPOINT]    = {"entrypoint",        YT_BOOL},
	[K_DESCRIPTION]   = {"description",       YT_STRING},
	[K_ORGANIZATIONS] = {"organizations",     YT_STRINGS},
	[K_RELATED]       = {"related_resources", YT_LIST},
	[K_AUTHORS]       = {"authors",           YT_LIST},
	[K_SCHEMAS]       = {"schemas",           YT_MAPS},
	[K_COMPILE]       = {"compile",           YT_MAP},
	[K_CUSTOM]        = {"custom",            YT_MAP},
	[K_LABELS]        = {"labels",            YT_MAP},
};

static const struct {
	const char *name, *node; /* what it may stand in front of */
} scopes[] = {
	[SCOPE_RULE]        = {"rule",        "rule"},
	[SCOPE_DOCUMENT]    = {"document",    "rule"},
	[SCOPE_PACKAGE]     = {"package",     "package"},
	[SCOPE_SUBPACKAGES] = {"subpackages", "package"},
};
/* clang-format on */

/* A block that is being read. */
struct block {
	struct arena *arena;
	struct symtab *syms;
	struct annotation *out;
	const char *why; /* why it is refused, or NULL */
};

/* Refuse with the text in `b`, which is released. Always false. */
static bool refuse(struct block *k, struct buf *b)
{
	if (!k->why)
		k->why = arena_strdup(k->arena, buf_str(b));
	buf_release(b);
	return false;
}

/* --- values ------------------------------------------------------------ */

static struct value cstr(struct block *k, const char *s)
{
	return v_cstr(k->arena, s);
}

static bool is_string(struct value v)
{
	return v.tag == V_STR && v.spare != YAML_TIME;
}

/* A string without the blanks around it; empty for everything else. */
static struct str trimmed(struct value v)
{
	struct str s = is_string(v) ? v_bytes(v) : S("");
	uint32_t cp;
	size_t n;

	while (s.len && (n = utf8_decode(s.ptr, s.len, &cp), rune_is_space(cp)))
		s = str_slice(s, n, s.len);
	while (s.len &&
		(n = utf8_decode_last(s.ptr, s.len, &cp), rune_is_space(cp)))
		s.len -= n;
	return s;
}

static void put(
	struct block *k, struct builder *b, const char *key, struct value v)
{
	builder_set_key(b, cstr(k, key), v);
}

static void put_text(
	struct block *k, struct builder *b, const char *key, struct str s)
{
	if (s.len)
		put(k, b, key, v_str(k->arena, s));
}

/*
 * Maps in values must have strings as keys: OPA looks for others in lists and
 * right below, but not inside of maps that are in order themselves.
 */
static bool keys_fit(struct value v, struct buf *path)
{
	size_t len = path->len;

	if (v.tag == V_OBJ) {
		for (uint32_t i = 0; i < v.obj->len; i++)
			if (!is_string(v.obj->keys->items[i]))
				return false;
		return true;
	}
	for (uint32_t i = 0; v.tag == V_ARR && i < v.arr->len; i++) {
		path->len = len;
		buf_addf(path, len ? "/%u" : "%u", i);
		if (!keys_fit(v.arr->items[i], path))
			return false;
	}
	path->len = len;
	return true;
}

/* False with the complaint at the end of `why`. */
static bool check_keys(struct value v, struct buf *why)
{
	struct buf path = {0};
	bool ok = keys_fit(v, &path);

	if (!ok)
		buf_addf(why, "invalid map key type(s): %.*s",
			STR_ARG(buf_str(&path)));
	buf_release(&path);
	return ok;
}

/* Times are texts from here on. */
static struct value plain(struct arena *a, struct value v)
{
	struct builder b;
	struct value *items;

	switch (v.tag) {
	case V_ARR:
		items = ARENA_ARRAY(a, struct value, v.arr->len);
		for (uint32_t i = 0; i < v.arr->len; i++)
			items[i] = plain(a, v.arr->items[i]);
		return v_arr(a, items, v.arr->len);
	case V_OBJ:
		b = builder_obj(a);
		for (uint32_t i = 0; i < v.obj->len; i++)
			builder_set_key(&b, plain(a, v.obj->keys->items[i]),
				plain(a, v.obj->vals[i]));
		return builder_done(&b);
	default:
		v.spare = 0;
		return v;
	}
}

/* --- authors and related resources --------------------------------------- */

/* "A. Person <a@example.com>": words, the last one may be an address. */
static bool author_of_text(
	struct block *k, struct str s, struct value *out, struct buf *why)
{
	struct builder b = builder_obj(k->arena);
	struct buf name = {0};
	struct str email = {0};
	uint32_t cp;

	for (size_t i = 0, n; i < s.len;) {
		size_t from = i;

		while (i < s.len && (n = utf8_decode(s.ptr + i, s.len - i, &cp),
					    !rune_is_space(cp)))
			i += n;
		if (email.len)
			buf_addf(&name, "%s%.*s", name.len ? " " : "",
				STR_ARG(email));
		email = str_slice(s, from, i);
		for (; i < s.len && (n = utf8_decode(s.ptr + i, s.len - i, &cp),
				    rune_is_space(cp));
			i += n)
			;
	}
	if (email.len >= 2 && str_starts(email, S("<")) &&
		str_ends(email, S(">"))) {
		put_text(k, &b, "email", str_slice(email, 1, email.len - 1));
	} else if (email.len) {
		buf_addf(&name, "%s%.*s", name.len ? " " : "", STR_ARG(email));
	} else {
		buf_adds(why, "author is an empty string");
	}
	put_text(k, &b, "name", buf_str(&name));
	buf_release(&name);
	*out = builder_done(&b);
	return email.len;
}

static bool author(
	struct block *k, struct value v, struct value *out, struct buf *why)
{
	struct builder b = builder_obj(k->arena);
	struct str name, email;

	if (!check_keys(v, why))
		return false;
	if (is_string(v))
		return author_of_text(k, trimmed(v), out, why);
	if (v.tag != V_OBJ) {
		buf_adds(why, "invalid value type, must be string or map");
		return false;
	}
	name = trimmed(obj_get_cstr(v.obj, "name"));
	email = trimmed(obj_get_cstr(v.obj, "email"));
	if (!name.len && !email.len) {
		buf_adds(
			why, "'name' and/or 'email' values required in object");
		return false;
	}
	put_text(k, &b, "name", name);
	put_text(k, &b, "email", email);
	*out = builder_done(&b);
	return true;
}

static bool related(
	struct block *k, struct value v, struct value *out, struct buf *why)
{
	struct builder b = builder_obj(k->arena);
	struct str ref, about = {0};
	struct buf url = {0};
	bool ok;

	if (!check_keys(v, why))
		return false;
	if (is_string(v)) {
		ref = v_bytes(v);
		if (!ref.len)
			buf_adds(why, "ref URL may not be empty string");
	} else if (v.tag == V_OBJ) {
		about = trimmed(obj_get_cstr(v.obj, "description"));
		ref = trimmed(obj_get_cstr(v.obj, "ref"));
		if (!ref.len)
			buf_adds(why, "'ref' value required in object");
	} else {
		ref = S("");
		buf_adds(why, "invalid value type, must be string or map");
	}
	ok = ref.len && url_normal(ref, &url, why);
	if (ok) {
		put_text(k, &b, "ref", buf_str(&url));
		put_text(k, &b, "description", about);
	}
	*out = builder_done(&b);
	buf_release(&url);
	return ok;
}

/* Each member of a list, made into what it stands for. */
static bool each(struct block *k, struct value list, const char *what,
	bool (*one)(struct block *k, struct value v, struct value *out,
		struct buf *why),
	struct value *out)
{
	struct value *items;

	*out = v_undef;
	if (!is_def(list))
		return true;
	items = ARENA_ARRAY(k->arena, struct value, list.arr->len);
	for (uint32_t i = 0; i < list.arr->len; i++) {
		struct buf why = {0}, text = {0};

		if (one(k, list.arr->items[i], &items[i], &why)) {
			buf_release(&why);
			continue;
		}
		buf_addf(&text, "invalid %s definition ", what);
		yaml_show(&text, list.arr->items[i]);
		buf_addf(&text, ": %s", why.ptr);
		buf_release(&why);
		return refuse(k, &text);
	}
	*out = v_arr(k->arena, items, list.arr->len);
	return true;
}

/* --- schemas and compile ------------------------------------------------- */

/* Rego inside of an annotation. NULL with OPA's error at the end of `why`. */
static struct term *term_of(struct block *k, struct str text, struct buf *why)
{
	const struct parse_options o = {.version = REGO_V1};
	struct source *src = ARENA_NEW(k->arena, struct source);
	struct diags d = {.arena = k->arena};
	struct term *t;

	src->name = "";
	src->text = arena_str(k->arena, text);
	t = parse_term(k->arena, k->syms, src, &o, &d);
	if (t)
		return t;
	if (d.len && d.items[0].code)
		buf_addf(why, "failed to parse term: ");
	if (d.len == 1 && !d.items[0].code)
		diag_line(why, &d.items[0]);
	else if (d.len)
		diags_text(why, &d, "");
	return NULL;
}

static struct term *ref_of(struct block *k, struct str text, struct buf *why)
{
	struct buf reason = {0};
	struct term *t = term_of(k, text, &reason);

	if (!t) {
		buf_addf(why, "failed to parse ref: %s", reason.ptr);
	} else if (t->kind != T_REF) {
		buf_adds(why, "expected ref but got ");
		term_text(why, t);
		t = NULL;
	}
	buf_release(&reason);
	return t;
}

/* `schema`, schema.x, schema["x"]; NULL for everything else. */
static struct term *schema_ref(struct block *k, struct str text)
{
	struct buf why = {0};
	struct term *t = term_of(k, text, &why), *ref;

	buf_release(&why);
	if (!t || (t->kind != T_VAR && t->kind != T_REF))
		return NULL;
	if (!term_is_name(t->kind == T_REF ? t->list.items[0] : t, "schema"))
		return NULL;
	if (t->kind == T_REF)
		return t;
	ref = ARENA_NEW(k->arena, struct term);
	*ref = (struct term){.kind = T_REF, .loc = t->loc};
	ref->list.items = ARENA_ARRAY(k->arena, struct term *, 1);
	ref->list.items[0] = t;
	ref->list.len = 1;
	return ref;
}

static bool schema(
	struct block *k, struct value pair, struct annotation_schema *out)
{
	bool empty = pair.tag != V_OBJ || !pair.obj->len;
	struct value v = empty ? v_undef : pair.obj->vals[0];
	struct str path = empty ? S("") : v_bytes(pair.obj->keys->items[0]);
	struct buf why = {0};

	out->path = ref_of(k, path, &why);
	buf_reset(&why);
	if (!out->path) {
		buf_adds(&why, "invalid document reference");
		return refuse(k, &why);
	}
	if (is_string(v)) {
		out->schema = schema_ref(k, v_bytes(v));
		if (!out->schema) {
			buf_adds(&why, "invalid schema reference");
			return refuse(k, &why);
		}
	} else if (v.tag == V_OBJ && check_keys(v, &why)) {
		out->definition = plain(k->arena, v);
	} else {
		buf_reset(&why);
		buf_adds(&why, "invalid schema declaration for path ");
		quote_go(&why, path, false);
		return refuse(k, &why);
	}
	buf_release(&why);
	return true;
}

static bool schemas(struct block *k, struct value list)
{
	struct annotation *out = k->out;

	if (!is_def(list))
		return true;
	out->schemas =
		ARENA_ARRAY(k->arena, struct annotation_schema, list.arr->len);
	for (uint32_t i = 0; i < list.arr->len; i++)
		if (!schema(k, list.arr->items[i],
			    &out->schemas[out->nschemas++]))
			return false;
	return true;
}

static bool refuse_quoted(
	struct block *k, const char *what, struct str s, struct buf *why)
{
	struct buf text = {0};

	buf_adds(&text, what);
	quote_go(&text, s, false);
	buf_addf(&text, ": %s", why->ptr);
	buf_release(why);
	return refuse(k, &text);
}

/* Nothing here uses `compile`: it is for SQL filters. It must be in order. */
static bool compile(struct block *k, struct value v)
{
	struct value list, mask;
	struct buf why = {0};
	const struct term *t;

	if (!is_def(v))
		return true;
	list = obj_get_cstr(v.obj, "unknowns");
	for (uint32_t i = 0; list.tag == V_ARR && i < list.arr->len; i++) {
		struct value item = list.arr->items[i];

		if (is_string(item) && !ref_of(k, v_bytes(item), &why))
			return refuse_quoted(k, "invalid unknowns element ",
				v_bytes(item), &why);
	}
	mask = obj_get_cstr(v.obj, "mask_rule");
	if (!is_string(mask))
		return true;
	t = term_of(k, v_bytes(mask), &why);
	if (!t)
		return refuse_quoted(k, "invalid mask_rule annotation ",
			v_bytes(mask), &why);
	if (t->kind == T_VAR || t->kind == T_REF ||
		(t->kind == T_SCALAR && t->val.tag == V_STR))
		return true;
	buf_adds(&why, "string");
	return refuse_quoted(
		k, "invalid mask_rule annotation type ", v_bytes(mask), &why);
}

/* --- blocks -------------------------------------------------------------- */

static struct str comment_text(const struct comment *c)
{
	struct str s = str_slice(
		c->loc.src->text, c->loc.off + 1, c->loc.off + c->loc.len);

	while (s.len && s.ptr[s.len - 1] == '\r')
		s.len--;
	return s;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool annotation_begins(struct str text)
{
	while (text.len && is_blank(text.ptr[0]))
		text = str_slice(text, 1, text.len);
	return str_starts(text, S("METADATA"));
}

/* `c` goes on with the block whose last comment so far is `last`. */
static bool goes_on(const struct comment *c, const struct comment *last)
{
	uint32_t row, col, last_row, last_col;

	source_pos(c->loc, &row, &col);
	source_pos(last->loc, &last_row, &last_col);
	return col == 1 && row == last_row + 1 &&
	       !annotation_begins(comment_text(c));
}

/* The number in "yaml: line 12: ..." and in lists of errors, or 0. */
static uint32_t blamed_line(const char *why)
{
	static const char *const starts[] = {
		"yaml: line ", "yaml: unmarshal errors:\n  line "};

	for (size_t i = 0; i < COUNT(starts); i++) {
		size_t n = strlen(starts[i]);
		char *end;
		unsigned long line;

		if (strncmp(why, starts[i], n) != 0)
			continue;
		line = strtoul(why + n, &end, 10);
		return end > why + n && *end == ':' ? (uint32_t)line : 0;
	}
	return 0;
}

/* "k:v" is one word of YAML, which people overlook: say so. */
static void add_hint(struct block *k, const struct comment *c)
{
	struct str rest = comment_text(c);
	struct buf found = {0};
	uint32_t cp, row, col;
	size_t colon;

	while ((colon = str_find(rest, S(":"), 0)) != SIZE_MAX) {
		rest = str_slice(rest, colon + 1, rest.len);
		if (!rest.len || rest.ptr[0] == ' ' || rest.ptr[0] == '\t')
			break;
		utf8_decode(rest.ptr, rest.len, &cp);
		if (rest.ptr[0] == ':')
			cp = 0xfffd; /* nothing between two of them */
		buf_adds(&found, found.len ? " " : "");
		quote_go_rune(&found, cp, true);
	}
	if (found.len) {
		source_pos(c->loc, &row, &col);
		k->why = arena_printf(k->arena,
			"%s\n  Hint: on line %u, symbol(s) [%s] immediately "
			"following a key/value separator ':' is not a legal "
			"yaml space character",
			k->why, row, found.ptr);
	}
	buf_release(&found);
}

/* The place that an error in the YAML is reported at, and hints. */
static void blame(struct block *k, const struct comment *lines, uint32_t n,
	struct loc *at)
{
	uint32_t line = blamed_line(k->why);

	*at = lines[!line ? 0 : line < n ? line : n - 1].loc;
	for (uint32_t i = 0; i < n; i++)
		add_hint(k, &lines[i]);
}

/* What the YAML says, checked; false with the reason in k->why. */
static bool take(struct block *k, const struct value *got)
{
	static const enum key copied[] = {
		K_SCOPE, K_TITLE, K_DESCRIPTION, K_ORGANIZATIONS};
	static const enum key maps[] = {K_CUSTOM, K_LABELS};
	struct builder b = builder_obj(k->arena);
	struct value list, people;

	if (!each(k, got[K_RELATED], "related-resource", related, &list) ||
		!compile(k, got[K_COMPILE]) || !schemas(k, got[K_SCHEMAS]) ||
		!each(k, got[K_AUTHORS], "author", author, &people))
		return false;
	for (size_t i = 0; i < COUNT(maps); i++) {
		struct value v = got[maps[i]];

		for (uint32_t j = 0; is_def(v) && j < v.obj->len; j++) {
			struct buf why = {0};

			if (!check_keys(v.obj->vals[j], &why))
				return refuse(k, &why);
		}
		if (is_def(v) && v.obj->len)
			put(k, &b, keys[maps[i]].name, plain(k->arena, v));
	}
	for (size_t i = 0; i < COUNT(copied); i++) {
		struct value v = got[copied[i]];

		if (is_def(v) && v_len(v))
			put(k, &b, keys[copied[i]].name, v);
	}
	if (is_def(list) && list.arr->len)
		put(k, &b, "related_resources", list);
	if (is_def(people) && people.arr->len)
		put(k, &b, "authors", people);
	k->out->entrypoint = is_truthy(got[K_ENTRYPOINT]);
	k->out->value = builder_done(&b);
	return true;
}

struct annotation *annotation_parse(struct arena *a, struct symtab *t,
	const struct comment *all, uint32_t n, uint32_t *used, struct loc *at,
	const char **why)
{
	struct annotation *out = ARENA_NEW(a, struct annotation);
	struct block k = {.arena = a, .syms = t, .out = out};
	struct value got[K_COUNT];
	struct buf text = {0};
	uint32_t len = 1;

	*at = out->loc = all[0].loc;
	for (; len < n && goes_on(&all[len], &all[len - 1]); len++) {
		struct str line = comment_text(&all[len]);

		buf_addstr(&text, str_starts(line, S(" "))
					  ? str_slice(line, 1, line.len)
					  : line);
		buf_addc(&text, '\n');
	}
	*used = len;
	out->last_row_off = all[len - 1].loc.off;
	if (!trimmed(v_str(a, buf_str(&text))).len) {
		k.why = "expected METADATA block, found whitespace";
	} else if (!yaml_read_typed(a, buf_str(&text), "ast.rawAnnotation",
			   keys, K_COUNT, got, &k.why)) {
		blame(&k, all + 1, len - 1, at);
	} else {
		take(&k, got);
	}
	buf_release(&text);
	*why = k.why;
	return k.why ? NULL : out;
}

/* --- what they are for -----------------------------------------------------
 */

/* A statement of a module, by where it begins. */
struct place {
	uint32_t off, order;
	const char *what;  /* "package", "import", "rule" */
	struct rule *rule; /* or NULL */
};

static int by_off(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static struct place *places_of(
	struct arena *a, const struct module *m, uint32_t *n)
{
	struct place *all =
		ARENA_ARRAY(a, struct place, 1 + m->nimports + m->nrules);

	*n = 0;
	all[(*n)++] = (struct place){m->loc.off, 0, "package", NULL};
	for (uint32_t i = 0; i < m->nimports; i++, (*n)++)
		all[*n] = (struct place){
			m->imports[i]->loc.off, *n, "import", NULL};
	for (uint32_t i = 0; i < m->nrules; i++, (*n)++)
		all[*n] = (struct place){
			m->rules[i]->loc.off, *n, "rule", m->rules[i]};
	qsort(all, *n, sizeof(*all), by_off);
	return all;
}

/* The first statement behind `off`, or NULL. */
static const struct place *place_behind(
	const struct place *all, uint32_t n, uint32_t off)
{
	uint32_t from = 0, to = n;

	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (all[mid].off <= off)
			from = mid + 1;
		else
			to = mid;
	}
	return from < n ? &all[from] : NULL;
}

static enum annotation_scope scope_named(struct str name)
{
	for (size_t i = 1; i < COUNT(scopes); i++)
		if (str_is(name, scopes[i].name))
			return (enum annotation_scope)i;
	return SCOPE_NONE;
}

/* The scope that is meant where none is written. */
static const char *scope_meant(
	const struct annotation *a, const struct place *at)
{
	if (!at)
		return "";
	return at->rule && a->entrypoint ? "document" : at->what;
}

static void complain(struct diags *d, const struct annotation *a,
	const struct place *at, const char *name)
{
	if (a->scope == SCOPE_NONE)
		diag_add(d, "rego_parse_error", a->loc,
			"invalid annotation scope '%s'. Use one of 'rule', "
			"'document', 'package', or 'subpackages'",
			name);
	else if (!at || strcmp(scopes[a->scope].node, at->what) != 0)
		diag_add(d, "rego_parse_error", a->loc,
			"annotation scope '%s' must be applied to %s%s%s%s",
			name, scopes[a->scope].node, at ? " (have " : "",
			at ? at->what : "", at ? ")" : "");
	if (a->entrypoint && a->scope != SCOPE_DOCUMENT &&
		a->scope != SCOPE_PACKAGE)
		diag_add(d, "rego_parse_error", a->loc,
			"annotation entrypoint applied to non-document or "
			"package scope '%s'",
			name);
}

static struct value path_value(struct arena *a, const struct term *ref)
{
	struct value *items = ARENA_ARRAY(a, struct value, ref->list.len);

	for (uint32_t i = 0; i < ref->list.len; i++) {
		const struct term *t = ref->list.items[i];
		struct buf text = {0};

		if (t->kind == T_SCALAR) {
			items[i] = t->val;
			continue;
		}
		term_text(&text, t);
		items[i] = v_str(a, buf_str(&text));
		buf_release(&text);
	}
	return v_arr(a, items, ref->list.len);
}

static struct value schema_value(
	struct arena *a, const struct annotation_schema *s)
{
	struct builder b = builder_obj(a);

	builder_set_key(&b, v_cstr(a, "path"), path_value(a, s->path));
	if (s->schema)
		builder_set_key(
			&b, v_cstr(a, "schema"), path_value(a, s->schema));
	else
		builder_set_key(&b, v_cstr(a, "definition"), s->definition);
	return builder_done(&b);
}

/* What only where it stands tells, added to the value. */
static void value_finish(
	struct arena *a, struct annotation *an, const char *scope)
{
	struct builder b = builder_obj(a);
	const struct object *o = an->value.obj;
	struct value *list = ARENA_ARRAY(a, struct value, an->nschemas);

	for (uint32_t i = 0; i < o->len; i++)
		builder_set_key(&b, o->keys->items[i], o->vals[i]);
	builder_set_key(&b, v_cstr(a, "scope"), v_cstr(a, scope));
	if (an->entrypoint)
		builder_set_key(&b, v_cstr(a, "entrypoint"), v_true);
	for (uint32_t i = 0; i < an->nschemas; i++)
		list[i] = schema_value(a, &an->schemas[i]);
	if (an->nschemas)
		builder_set_key(
			&b, v_cstr(a, "schemas"), v_arr(a, list, an->nschemas));
	an->value = builder_done(&b);
}

void annotations_attach(struct arena *a, struct module *m, struct diags *d)
{
	uint32_t n;
	const struct place *all = m->nannotations ? places_of(a, m, &n) : NULL;

	for (uint32_t i = 0; i < m->nannotations; i++) {
		struct annotation *an = m->annotations[i];
		const struct place *at = place_behind(all, n, an->loc.off);
		struct str written = annotation_text(an, "scope");
		const char *name =
			written.len ? written.ptr : scope_meant(an, at);

		an->mod = m;
		an->rule = at ? at->rule : NULL;
		an->scope = scope_named(str_from(name));
		complain(d, an, at, name);
		value_finish(a, an, name);
	}
}

/* --- who asks --------------------------------------------------------------
 */

struct str annotation_text(const struct annotation *a, const char *name)
{
	struct value v = obj_get_cstr(a->value.obj, name);

	return v.tag == V_STR ? v_bytes(v) : S("");
}

const char *annotation_scope_name(enum annotation_scope s)
{
	return s == SCOPE_NONE ? "" : scopes[s].name;
}

struct value annotation_rule_path(struct arena *a, const struct rule *r)
{
	while (r->prev_else) /* all branches have the name of the first */
		r = r->prev_else;

	const struct term *pkg = r->mod->package, *ref = r->head.ref;
	struct value *items =
		ARENA_ARRAY(a, struct value, pkg->list.len + ref->list.len);
	uint32_t n = pkg->list.len;

	memcpy(items, path_value(a, pkg).arr->items, n * sizeof(*items));
	memcpy(items + n, path_value(a, ref).arr->items,
		ref->list.len * sizeof(*items));
	n++;
	for (uint32_t i = 1; i < ref->list.len; i++, n++)
		if (ref->list.items[i]->kind != T_SCALAR)
			break;
	return v_arr(a, items, n);
}

struct value annotation_path(struct arena *a, const struct annotation *an)
{
	return an->scope == SCOPE_RULE || an->scope == SCOPE_DOCUMENT
		       ? annotation_rule_path(a, an->rule)
		       : path_value(a, an->mod->package);
}

static const struct annotation *at_path(const struct annotation_set *set,
	const struct builder *paths, struct value path)
{
	int64_t i = builder_find(paths, path);

	return i < 0 ? NULL : set->items[paths->vals[i].i];
}

/* Where `an` is found; NULL for those of single rules. */
static struct builder *index_of(struct annotation_set *set, struct arena *a,
	const struct annotation *an, struct value *path)
{
	if (an->scope == SCOPE_RULE)
		return NULL;
	*path = annotation_path(a, an);
	return an->scope == SCOPE_PACKAGE ? &set->packages : &set->paths;
}

struct annotation_set *annotation_set_new(struct arena *arena,
	struct module *const *mods, size_t nmods,
	void (*twice)(void *user, const struct annotation *first,
		const struct annotation *again),
	void *user)
{
	struct annotation_set *set = ARENA_NEW(arena, struct annotation_set);
	uint32_t n = 0;

	for (size_t i = 0; i < nmods; i++)
		n += mods[i]->nannotations;
	set->items = ARENA_ARRAY(arena, struct annotation *, n);
	set->paths = builder_obj(arena);
	set->packages = builder_obj(arena);
	for (size_t i = 0; i < nmods; i++) {
		for (uint32_t j = 0; j < mods[i]->nannotations; j++) {
			struct annotation *an = mods[i]->annotations[j];
			struct value path, old = v_undef;
			struct builder *b = index_of(set, arena, an, &path);

			if (b)
				builder_put(b, path, v_int(set->len), &old);
			if (is_def(old) && twice)
				twice(user, set->items[old.i], an);
			set->items[set->len++] = an;
		}
	}
	return set;
}

size_t annotations_of_rule(struct arena *arena,
	const struct annotation_set *set, const struct rule *r,
	const struct annotation ***out)
{
	const struct module *m = r->mod;
	const struct annotation **list = ARENA_ARRAY(arena,
					const struct annotation *,
					m->nannotations + m->package->list.len +
						2),
				*one;
	struct value pkg = path_value(arena, m->package);
	size_t n = 0;

	for (uint32_t i = m->nannotations; i-- > 0;)
		if (m->annotations[i]->rule == r &&
			m->annotations[i]->scope == SCOPE_RULE)
			list[n++] = m->annotations[i];
	one = at_path(set, &set->paths, annotation_rule_path(arena, r));
	if (one && one->scope == SCOPE_DOCUMENT)
		list[n++] = one;
	one = at_path(set, &set->packages, pkg);
	if (one)
		list[n++] = one;
	for (uint32_t i = pkg.arr->len; i > 0; i--) {
		one = at_path(
			set, &set->paths, v_arr(arena, pkg.arr->items, i));
		if (one && one->scope == SCOPE_SUBPACKAGES)
			list[n++] = one;
	}
	*out = list;
	return n;
}

const struct annotation *annotation_of_package(
	const struct annotation_set *set, const struct term *package)
{
	struct arena scratch = {0};
	const struct annotation *found =
		at_path(set, &set->packages, path_value(&scratch, package));

	arena_release(&scratch);
	return found;
}
