#include "rego/capabilities.h"

#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "rego/ast.h"
#include "rego/lex.h"
#include "rego/load.h"

/* --- features ---------------------------------------------------------- */

static const char *const features[] = {
	"keywords_in_refs",
	"rego_v1",
	"rego_v1_import",
	"rego_v2",
	"rego_v2_import",
	"rule_head_ref_string_prefixes",
	"rule_head_refs",
	"template_strings",
};

_Static_assert(1 << COUNT(features) == FEATURES_ALL + 1, "a name for each");

const char *feature_name(unsigned bit)
{
	return bit < COUNT(features) ? features[bit] : NULL;
}

static unsigned feature_of(struct str name)
{
	for (unsigned i = 0; i < COUNT(features); i++)
		if (str_is(name, features[i]))
			return 1u << i;
	return 0;
}

/* --- look-up ----------------------------------------------------------- */

size_t capabilities_count(const struct capabilities *c)
{
	return builtin_count() + (c ? c->nothers : 0);
}

size_t capabilities_index(const struct capabilities *c, const struct builtin *b)
{
	size_t own = builtin_index(b);

	return own != SIZE_MAX ? own
			       : builtin_count() + (size_t)(b - c->others);
}

const struct builtin *capabilities_find(
	const struct capabilities *c, struct str name)
{
	const struct builtin *b = builtin_find(name);

	if (!c || (b && c->types[builtin_index(b)]))
		return b;
	return map_get(&c->by_name, name);
}

const struct type *capabilities_type(
	struct arena *a, const struct capabilities *c, const struct builtin *b)
{
	const char *text;

	if (c)
		return c->types[capabilities_index(c, b)];
	text = builtin_declared(b);
	return text ? type_declared(a, text) : NULL;
}

bool capabilities_deprecated(
	const struct capabilities *c, const struct builtin *b)
{
	return c ? c->deprecated[capabilities_index(c, b)]
		 : b->flags & BF_DEPRECATED;
}

bool capabilities_host(const struct capabilities *c, struct str host)
{
	if (!c || !c->some_hosts)
		return true;
	for (uint32_t i = 0; i < c->nhosts; i++)
		if (str_eq(c->hosts[i], host))
			return true;
	return false;
}

void capabilities_release(struct capabilities *c)
{
	map_release(&c->by_name);
}

/* --- a file ------------------------------------------------------------ */

struct reading {
	struct arena *a;
	struct capabilities *c;
	struct err *e;
};

/* A member by name, small and large letters alike where there is no better. */
static struct value member(const struct object *o, const char *name)
{
	struct value v = obj_get_cstr(o, name);

	for (uint32_t i = 0; i < o->len && !is_def(v); i++)
		if (!strcasecmp(o->keys->items[i].str->bytes, name))
			v = o->vals[i];
	return v.tag == V_NULL ? v_undef : v;
}

static bool wrong(struct reading *r, const char *what, const char *must)
{
	err_set(r->e, E_INVALID, "%s must be %s", what, must);
	return false;
}

/* A list, perhaps missing; false when it is something else. */
static bool list_member(struct reading *r, const struct object *o,
	const char *name, const struct array **out)
{
	struct value v = member(o, name);

	if (!is_def(v))
		v = v_empty_arr;
	if (v.tag != V_ARR)
		return wrong(r, name, "a list");
	*out = v.arr;
	return true;
}

static bool string_list(struct reading *r, const struct object *o,
	const char *name, const struct array **out)
{
	if (!list_member(r, o, name, out))
		return false;
	for (uint32_t i = 0; i < (*out)->len; i++)
		if ((*out)->items[i].tag != V_STR)
			return wrong(r, name, "a list of strings");
	return true;
}

static const struct type *type_read(struct reading *r, struct value v);

/* The types of a list; NULL when one of them is none. */
static const struct type **types_read(struct reading *r, const struct object *o,
	const char *name, uint32_t *n)
{
	const struct type **out;
	const struct array *l;

	if (!list_member(r, o, name, &l))
		return NULL;
	out = ARENA_ARRAY(r->a, const struct type *, l->len + 1);
	*n = l->len;
	for (uint32_t i = 0; i < l->len; i++) {
		out[i] = type_read(r, l->items[i]);
		if (!out[i])
			return NULL;
	}
	return out;
}

/* A type that may be missing: *out is NULL then. False when it is none. */
static bool type_member(struct reading *r, const struct object *o,
	const char *name, const struct type **out)
{
	struct value v = member(o, name);

	*out = is_def(v) ? type_read(r, v) : NULL;
	return *out || !is_def(v);
}

static const struct type *array_read(struct reading *r, const struct object *o)
{
	const struct type *rest;
	uint32_t n;
	const struct type **items = types_read(r, o, "static", &n);

	if (!items || !type_member(r, o, "dynamic", &rest))
		return NULL;
	return type_array(r->a, items, n, rest);
}

/* The members with a key of their own. */
static bool static_members(struct reading *r, const struct array *l,
	struct value *keys, const struct type **items)
{
	for (uint32_t i = 0; i < l->len; i++) {
		struct value v = l->items[i];

		if (v.tag != V_OBJ)
			return wrong(r, "static", "a list of objects");
		keys[i] = member(v.obj, "key");
		if (!is_def(keys[i]))
			keys[i] = v_null;
		items[i] = type_read(r, member(v.obj, "value"));
		if (!items[i])
			return false;
	}
	return true;
}

static const struct type *object_read(struct reading *r, const struct object *o)
{
	struct value dynamic = member(o, "dynamic");
	const struct array *l;
	const struct type *key, *rest;

	if (!list_member(r, o, "static", &l))
		return NULL;
	struct value *keys = ARENA_ARRAY(r->a, struct value, l->len + 1);
	const struct type **items =
		ARENA_ARRAY(r->a, const struct type *, l->len + 1);

	if (!static_members(r, l, keys, items))
		return NULL;
	if (!is_def(dynamic))
		return type_object(r->a, keys, items, l->len);
	if (dynamic.tag != V_OBJ) {
		wrong(r, "dynamic", "an object");
		return NULL;
	}
	key = type_read(r, member(dynamic.obj, "key"));
	rest = key ? type_read(r, member(dynamic.obj, "value")) : NULL;
	return rest ? type_object_open(r->a, keys, items, l->len, key, rest)
		    : NULL;
}

static const struct type *set_read(struct reading *r, const struct object *o)
{
	const struct type *of;

	if (!type_member(r, o, "of", &of))
		return NULL;
	return of ? type_set(r->a, of) : &type_empty_set;
}

static const struct type *any_read(struct reading *r, const struct object *o)
{
	uint32_t n;
	const struct type **items = types_read(r, o, "of", &n);

	return items ? type_any_of(r->a, items, n) : NULL;
}

static const struct type *function_read(
	struct reading *r, const struct object *o)
{
	const struct type *more, *result;
	uint32_t n;
	const struct type **args = types_read(r, o, "args", &n);

	if (!args || !type_member(r, o, "variadic", &more) ||
		!type_member(r, o, "result", &result))
		return NULL;
	return type_builtin(r->a, args, n, more, result);
}

static const struct type *null_read(struct reading *r, const struct object *o)
{
	(void)r, (void)o;
	return &type_null;
}

static const struct type *boolean_read(
	struct reading *r, const struct object *o)
{
	(void)r, (void)o;
	return &type_boolean;
}

static const struct type *number_read(struct reading *r, const struct object *o)
{
	(void)r, (void)o;
	return &type_number;
}

static const struct type *string_read(struct reading *r, const struct object *o)
{
	(void)r, (void)o;
	return &type_string;
}

/* clang-format off */
static const struct {
	const char *name;
	const struct type *(*read)(struct reading *r, const struct object *o);
} readers[] = {
	{"any",      any_read},
	{"array",    array_read},
	{"boolean",  boolean_read},
	{"function", function_read},
	{"null",     null_read},
	{"number",   number_read},
	{"object",   object_read},
	{"set",      set_read},
	{"string",   string_read},
};
/* clang-format on */

const struct type *capabilities_type_read(
	struct arena *a, struct value decl, struct err *e)
{
	struct reading r = {.a = a, .e = e};

	return type_read(&r, decl);
}

static const struct type *type_read(struct reading *r, struct value v)
{
	struct value name = v.tag == V_OBJ ? member(v.obj, "type") : v_undef;

	for (size_t i = 0; i < COUNT(readers) && name.tag == V_STR; i++)
		if (str_is(v_bytes(name), readers[i].name))
			return readers[i].read(r, v.obj);
	wrong(r, "type",
		"one of any, array, boolean, function, null, number, "
		"object, set, string");
	return NULL;
}

/* Any number of arguments is -1, as of print. */
static int arity_of(const struct type *f)
{
	return f->more && !f->len ? -1 : (int)f->len;
}

/* One that this engine has not, or has with other arguments. */
static const struct builtin *other_add(
	struct reading *r, struct str name, const struct type *f)
{
	struct capabilities *c = r->c;
	struct builtin *b = map_get(&c->by_name, name);

	if (!b)
		b = &c->others[c->nothers++];
	*b = (struct builtin){.name = arena_strdup(r->a, name),
		.arity = arity_of(f),
		.flags = BF_OTHER | (f->rest ? 0 : BF_VOID)};
	map_set(&c->by_name, str_from(b->name), b);
	return b;
}

static bool builtin_read(struct reading *r, struct value v)
{
	struct value name, decl, deprecated;
	const struct type *f;
	const struct builtin *b;
	size_t i;

	if (v.tag != V_OBJ)
		return wrong(r, "builtins", "a list of objects");
	name = member(v.obj, "name");
	decl = member(v.obj, "decl");
	deprecated = member(v.obj, "deprecated");
	if (is_def(name) && name.tag != V_STR)
		return wrong(r, "name", "a string");
	if (is_def(deprecated) && !is_bool(deprecated))
		return wrong(r, "deprecated", "true or false");
	f = type_read(r, decl);
	if (!f)
		return false;
	if (f->kind != TY_FUNCTION)
		return wrong(r, "decl", "of type function");
	if (!is_def(name))
		return true; /* nothing can call it */
	b = builtin_find(v_bytes(name));
	if (!b || b->arity != arity_of(f))
		b = other_add(r, v_bytes(name), f);
	i = capabilities_index(r->c, b);
	r->c->types[i] = f;
	r->c->deprecated[i] = deprecated.tag == V_TRUE;
	return true;
}

static bool builtins_read(struct reading *r, const struct object *o)
{
	struct capabilities *c = r->c;
	const struct array *l;

	if (!list_member(r, o, "builtins", &l))
		return false;
	c->others = ARENA_ARRAY(r->a, struct builtin, l->len + 1);
	c->types = ARENA_ARRAY(
		r->a, const struct type *, builtin_count() + l->len);
	c->deprecated = ARENA_ARRAY(r->a, bool, builtin_count() + l->len);
	for (uint32_t i = 0; i < l->len; i++)
		if (!builtin_read(r, l->items[i]))
			return false;
	return true;
}

static bool language_read(struct reading *r, const struct object *o)
{
	struct capabilities *c = r->c;
	const struct array *l;

	if (!string_list(r, o, "features", &l))
		return false;
	for (uint32_t i = 0; i < l->len; i++)
		c->features |= feature_of(v_bytes(l->items[i]));
	if (!string_list(r, o, "future_keywords", &l))
		return false;
	for (uint32_t i = 0; i < l->len; i++) {
		struct str s = v_bytes(l->items[i]);
		uint8_t tok = s.len ? lex_word(s.ptr, s.len, KW_FUTURE) : 0;
		uint32_t kw = s.len ? tok_info[tok].keyword & KW_FUTURE : 0;

		c->keywords |= kw;
		if (!kw && !c->unknown_keyword)
			c->unknown_keyword = arena_strdup(r->a, s);
	}
	return true;
}

static bool hosts_read(struct reading *r, const struct object *o)
{
	struct capabilities *c = r->c;
	const struct array *l;
	struct str *hosts;

	if (!string_list(r, o, "allow_net", &l))
		return false;
	c->some_hosts = is_def(member(o, "allow_net"));
	hosts = ARENA_ARRAY(r->a, struct str, l->len + 1);
	for (uint32_t i = 0; i < l->len; i++)
		hosts[i] = v_bytes(l->items[i]);
	c->hosts = hosts;
	c->nhosts = l->len;
	return true;
}

static bool wasm_read(struct reading *r, const struct object *o)
{
	const struct array *l;

	if (!list_member(r, o, "wasm_abi_versions", &l))
		return false;
	for (uint32_t i = 0; i < l->len; i++)
		if (l->items[i].tag != V_OBJ)
			return wrong(
				r, "wasm_abi_versions", "a list of objects");
	return true;
}

enum status capabilities_parse(struct arena *a, struct str text,
	struct capabilities *out, struct err *e)
{
	struct capabilities c = {0};
	struct reading r = {a, &c, e};
	struct json_error je = {0};
	struct value v;

	if (text.len > LIMIT_CAPABILITIES)
		return err_set(e, E_LIMIT, "%zu bytes, limit %zu", text.len,
			LIMIT_CAPABILITIES);
	if (!json_parse(a, NULL, text, LIMIT_JSON_DEPTH, &v, &je))
		return err_set(
			e, E_INVALID, "%u:%u: %s", je.row, je.col, je.text);
	if (v.tag == V_NULL)
		v = v_empty_obj;
	if (v.tag != V_OBJ)
		return err_set(e, E_INVALID, "capabilities must be an object");
	if (!builtins_read(&r, v.obj) || !language_read(&r, v.obj) ||
		!hosts_read(&r, v.obj) || !wasm_read(&r, v.obj)) {
		capabilities_release(&c);
		return E_INVALID;
	}
	*out = c;
	return OK;
}

/* --- a version --------------------------------------------------------- */

static const struct type *type_then(
	struct arena *a, const struct builtin *b, uint32_t version)
{
	const char *decl = version_declared(version, str_from(b->name));

	if (!decl)
		decl = builtin_declared(b);
	return decl ? type_unnamed(a, type_declared(a, decl)) : NULL;
}

void capabilities_at(
	struct arena *a, uint32_t version, struct capabilities *out)
{
	bool marks = version_marks_deprecated(version);

	*out = (struct capabilities){
		.features = version_features(version),
		.keywords = version_keywords(version),
		.types = ARENA_ARRAY(a, const struct type *, builtin_count()),
		.deprecated = ARENA_ARRAY(a, bool, builtin_count()),
	};
	for (size_t i = 0; i < builtin_count(); i++) {
		const struct builtin *b = builtin_at(i);

		if (version < version_of_builtin(str_from(b->name)))
			continue;
		out->types[i] = type_then(a, b, version);
		out->deprecated[i] = marks && b->flags & BF_DEPRECATED;
	}
}

enum status capabilities_of_version(struct arena *a, const char *name,
	struct capabilities *out, struct err *e)
{
	uint32_t version = version_parse(str_from(name));

	if (!version)
		return err_set(e, E_NOT_FOUND,
			"no capabilities version found: %s", name);
	capabilities_at(a, version, out);
	return OK;
}

enum status capabilities_load(struct arena *a, const char *name,
	struct capabilities *out, struct err *e)
{
	struct buf text = {0};
	struct err ignored = {0};
	enum status st =
		load_disk.read(NULL, name, LIMIT_CAPABILITIES, &text, e);

	if (!st)
		st = capabilities_parse(
			a, arena_str(a, buf_str(&text)), out, e);
	if (st && !capabilities_of_version(a, name, out, &ignored))
		st = OK;
	buf_release(&text);
	return st;
}
