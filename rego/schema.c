#include "rego/schema.h"

#include <string.h>

#include "base/limits.h"
#include "rego/builtin/jsonschema.h"

/* --- schemas as they are read --------------------------------------------- */

enum json_type {
	J_ARRAY,
	J_BOOLEAN,
	J_INTEGER,
	J_NULL,
	J_NUMBER,
	J_OBJECT,
	J_STRING,
	J_COUNT,
};

static const char *const type_names[J_COUNT] = {
	"array", "boolean", "integer", "null", "number", "object", "string"};

struct subs {
	struct sub **items;
	uint32_t len, cap;
};

/* One schema. Merging those of an allOf changes the first one of them. */
struct sub {
	struct value property; /* where it stands in another */
	uint8_t types[J_COUNT];
	uint8_t ntypes; /* in the order in which they are written */
	bool one_item;  /* items is one schema for all */
	struct subs properties, items, any, all;
	struct sub *ref; /* then it is this one, and nothing else counts */
	struct value ref_name;
};

struct reader {
	struct arena *a;
	const struct jsonschema *s;
	struct builder refs; /* names of references, to numbers */
	struct subs targets;
};

static void subs_add(struct arena *a, struct subs *l, struct sub *s)
{
	l->items = arena_grow(a, l->items, l->len, &l->cap, sizeof(*l->items));
	l->items[l->len++] = s;
}

static bool has_type(const struct sub *s, enum json_type t)
{
	return memchr(s->types, (int)t, s->ntypes) != NULL;
}

static void add_type(struct sub *s, enum json_type t)
{
	if (!has_type(s, t))
		s->types[s->ntypes++] = (uint8_t)t;
}

static void read_type_name(struct sub *s, struct value name)
{
	for (unsigned t = 0; t < J_COUNT; t++)
		if (str_is(v_bytes(name), type_names[t]))
			add_type(s, (enum json_type)t);
}

static void read_types(struct sub *s, struct value v)
{
	if (v.tag == V_STR)
		read_type_name(s, v);
	for (uint32_t i = 0; v.tag == V_ARR && i < v_len(v); i++)
		read_type_name(s, v.arr->items[i]);
}

static struct sub *read_sub(
	struct reader *r, struct value node, struct value property);

static void read_list(
	struct reader *r, struct subs *l, struct value v, struct value property)
{
	for (uint32_t i = 0; v.tag == V_ARR && i < v_len(v); i++)
		subs_add(r->a, l, read_sub(r, v.arr->items[i], property));
}

static void read_properties(struct reader *r, struct sub *s, struct value v)
{
	for (uint32_t i = 0; v.tag == V_OBJ && i < v_len(v); i++)
		subs_add(r->a, &s->properties,
			read_sub(r, v.obj->vals[i], v.obj->keys->items[i]));
}

static void read_items(struct reader *r, struct sub *s, struct value v)
{
	struct value name = v_cstr(r->a, "items");

	s->one_item = v.tag != V_ARR;
	if (is_def(v) && s->one_item)
		subs_add(r->a, &s->items, read_sub(r, v, name));
	read_list(r, &s->items, v, name);
}

/* What a reference names is read once; until then it stands there empty. */
static struct sub *read_target(struct reader *r, struct value ref)
{
	struct value at = builder_get(&r->refs, ref);
	uint32_t i = r->targets.len;

	if (is_def(at))
		return r->targets.items[at.i];
	builder_set_key(&r->refs, ref, v_int(i));
	subs_add(r->a, &r->targets, ARENA_NEW(r->a, struct sub));
	struct sub *target = r->targets.items[i];

	*target = *read_sub(r, jsonschema_target(r->s, ref), ref);
	return target;
}

/* The checker has seen all of it, and how deep it is. */
static struct sub *read_sub(
	struct reader *r, struct value node, struct value property)
{
	struct sub *s = ARENA_NEW(r->a, struct sub);
	struct value ref;

	s->property = property;
	if (node.tag != V_OBJ)
		return s;
	ref = obj_get_cstr(node.obj, "$ref");
	if (ref.tag == V_STR) {
		s->ref_name = ref;
		s->ref = read_target(r, ref);
		return s;
	}
	read_types(s, obj_get_cstr(node.obj, "type"));
	read_properties(r, s, obj_get_cstr(node.obj, "properties"));
	read_items(r, s, obj_get_cstr(node.obj, "items"));
	read_list(r, &s->any, obj_get_cstr(node.obj, "anyOf"),
		v_cstr(r->a, "anyOf"));
	read_list(r, &s->all, obj_get_cstr(node.obj, "allOf"),
		v_cstr(r->a, "allOf"));
	return s;
}

/* --- types --------------------------------------------------------------- */

/* What is known of the target of a reference. */
struct definition {
	const struct type *type; /* NULL: it is being made */
	struct type *inside;     /* for references from within */
};

struct maker {
	struct arena *a;
	const struct jsonschema *s;
	struct builder names; /* of references, to numbers */
	struct definition **definitions;
	uint32_t len, cap;
	uint32_t work, depth;
	const char *why; /* the first reason why there is no type */
};

static const struct type *fail(struct maker *m, const char *why)
{
	if (!m->why)
		m->why = why;
	return NULL;
}

static const struct type *make_sub(struct maker *m, struct sub *s);

/* As messages name it: with the name that the document has. */
static struct str full_name(struct maker *m, struct str ref)
{
	struct value root = m->s->root, id = v_undef;
	struct buf whole = {0}, shown = {0};
	struct str out;

	if (root.tag == V_OBJ && str_starts(ref, S("#")))
		id = obj_get_cstr(root.obj,
			is_def(obj_get_cstr(root.obj, "id")) ? "id" : "$id");
	if (id.tag == V_STR)
		buf_addstr(&whole, v_bytes(id));
	if (str_ends(buf_str(&whole), S("#")))
		whole.len--;
	buf_addstr(&whole, ref);
	jsonschema_ref_text(&shown, buf_str(&whole));
	out = arena_str(m->a, buf_str(&shown));
	buf_release(&whole);
	buf_release(&shown);
	return out;
}

static const struct type *make_ref(struct maker *m, struct sub *s)
{
	struct value at = builder_get(&m->names, s->ref_name);
	struct definition *d;

	if (is_def(at)) {
		d = m->definitions[at.i];
		if (!d->type && !d->inside)
			d->inside = type_recursive(
				m->a, full_name(m, v_bytes(s->ref_name)));
		return d->type ? d->type : d->inside;
	}
	if (s->ref->ref) /* a reference to a reference has no name of its own */
		return make_sub(m, s->ref);
	d = ARENA_NEW(m->a, struct definition);
	builder_set_key(&m->names, s->ref_name, v_int(m->len));
	m->definitions = arena_grow(
		m->a, m->definitions, m->len, &m->cap, sizeof(*m->definitions));
	m->definitions[m->len++] = d;
	d->type = make_sub(m, s->ref);
	if (d->type && d->inside)
		type_recursive_is(d->inside, d->type);
	return d->type;
}

/* What goes wrong in a part is said with the name of the part. */
static const struct type *make_part(struct maker *m, struct sub *s)
{
	const struct type *t = m->why ? NULL : make_sub(m, s);
	struct value name = s->property;

	if (!t && m->why)
		m->why = arena_printf(m->a, "unexpected schema type %.*s: %s",
			STR_ARG(v_bytes(name)), m->why);
	return t;
}

/* All parts of a list; NULL when one of them has no type. */
static const struct type **make_list(struct maker *m, const struct subs *l)
{
	const struct type **types =
		ARENA_ARRAY(m->a, const struct type *, l->len);

	for (uint32_t i = 0; i < l->len; i++) {
		types[i] = make_part(m, l->items[i]);
		if (m->why)
			return NULL;
	}
	return types;
}

static const struct type *make_object(struct maker *m, const struct sub *s)
{
	const struct subs *l = &s->properties;
	const struct type **types = make_list(m, l);
	struct value *keys = ARENA_ARRAY(m->a, struct value, l->len);

	if (!types)
		return NULL;
	for (uint32_t i = 0; i < l->len; i++)
		keys[i] = l->items[i]->property;
	if (l->len)
		return type_object(m->a, keys, types, l->len);
	return type_object_open(m->a, NULL, NULL, 0, &type_any, &type_any);
}

static const struct type *make_array(struct maker *m, const struct sub *s)
{
	const struct type **types = make_list(m, &s->items);

	if (!types)
		return NULL;
	if (!s->items.len)
		return type_array(m->a, NULL, 0, &type_any);
	if (s->one_item)
		return type_array(m->a, NULL, 0, types[0]);
	return type_array(m->a, types, s->items.len, NULL);
}

/* By the types that it has, or that what it says of members means. */
static const struct type *make_core(struct maker *m, struct sub *s)
{
	if (!s->ntypes && s->properties.len)
		add_type(s, J_OBJECT);
	else if (!s->ntypes && s->items.len)
		add_type(s, J_ARRAY);
	if (has_type(s, J_BOOLEAN))
		return &type_boolean;
	if (has_type(s, J_STRING))
		return &type_string;
	if (has_type(s, J_INTEGER) || has_type(s, J_NUMBER))
		return &type_number;
	if (has_type(s, J_OBJECT))
		return make_object(m, s);
	if (has_type(s, J_ARRAY))
		return make_array(m, s);
	if (s->properties.len || s->items.len) {
		add_type(s, s->properties.len ? J_OBJECT : J_ARRAY);
		return make_core(m, s);
	}
	return &type_any;
}

/* Alternatives. What stands beside them counts if it is an object. */
static const struct type *make_any(struct maker *m, struct sub *s)
{
	const struct type **types;
	const struct type *sum = NULL;

	if (s->ntypes) {
		struct sub *core = ARENA_NEW(m->a, struct sub);

		*core = *s;
		core->any = (struct subs){0};
		sum = make_part(m, core);
		if (m->why)
			return NULL;
		if (sum->kind != TY_OBJECT || sum->dynamic)
			sum = NULL;
	}
	types = make_list(m, &s->any);
	for (uint32_t i = 0; types && i < s->any.len; i++)
		sum = type_or(m->a, types[i], sum);
	return types ? sum : NULL;
}

/* --- allOf ---------------------------------------------------------------- */

static const char *types_text(struct maker *m, const struct sub *s)
{
	struct buf b = {0};
	const char *text;

	if (!s->ntypes)
		return "Undefined";
	for (unsigned i = 0; i < s->ntypes; i++)
		buf_addf(&b, "%s%s",
			i               ? ","
			: s->ntypes > 1 ? "["
					: "",
			type_names[s->types[i]]);
	buf_adds(&b, s->ntypes > 1 ? "]" : "");
	text = arena_strdup(m->a, buf_str(&b));
	buf_release(&b);
	return text;
}

/* Written in the same order, too. */
static bool same_types(const struct sub *x, const struct sub *y)
{
	return x->ntypes == y->ntypes && !memcmp(x->types, y->types, x->ntypes);
}

/* What has members is of a type that can have them. */
static void imply_type(struct sub *s)
{
	if (s->properties.len)
		add_type(s, J_OBJECT);
	else if (s->items.len)
		add_type(s, J_ARRAY);
}

static void merge_properties(
	struct maker *m, struct sub *into, const struct sub *s)
{
	uint32_t n = s->properties.len;

	for (uint32_t i = 0; i < n && m->work; i++, m->work--)
		subs_add(m->a, &into->properties, s->properties.items[i]);
}

static bool merge_items(struct maker *m, struct sub *into, const struct sub *s)
{
	for (uint32_t i = 0; i < s->items.len; i++) {
		if (i >= into->items.len)
			subs_add(m->a, &into->items, s->items.items[i]);
		if (!same_types(into->items.items[i], s->items.items[i]))
			return fail(m, "unable to merge these schemas") != NULL;
	}
	return true;
}

/* False with the reason in m->why. */
static bool merge(struct maker *m, struct sub *into, const struct sub *s)
{
	if (!same_types(into, s))
		return fail(m, arena_printf(m->a,
				       "unable to merge these schemas: type "
				       "mismatch: %s and %s",
				       types_text(m, into),
				       types_text(m, s))) != NULL;
	if (has_type(into, J_OBJECT) && into->properties.len &&
		s->properties.len)
		merge_properties(m, into, s);
	else if (has_type(into, J_ARRAY) && into->items.len && s->items.len)
		return merge_items(m, into, s);
	return true;
}

static struct sub *merge_all(struct maker *m, const struct subs *l)
{
	for (uint32_t i = 0; i < l->len; i++)
		imply_type(l->items[i]);
	for (uint32_t i = 1; i < l->len; i++)
		if (!merge(m, l->items[0], l->items[i]))
			return NULL;
	return l->items[0];
}

/* Where references lead to; of nothing but alternatives nothing is known. */
static struct subs merged_ones(struct maker *m, const struct sub *s)
{
	struct subs out = {0};

	for (uint32_t i = 0; i < s->all.len; i++) {
		struct sub *x = s->all.items[i];

		for (unsigned n = 0; x->ref && n < SCHEMA_DEPTH_MAX; n++)
			x = x->ref;
		if (x->ntypes || !x->any.len || x->properties.len ||
			x->items.len)
			subs_add(m->a, &out, x);
	}
	return out;
}

static const struct type *make_all(struct maker *m, struct sub *s)
{
	struct subs parts = merged_ones(m, s), pair = {0};
	struct sub *sum;

	if (!parts.len)
		return &type_any;
	sum = merge_all(m, &parts);
	if (!sum)
		return NULL;
	if (!s->ntypes)
		return make_sub(m, sum);
	if ((has_type(s, J_OBJECT) && has_type(sum, J_OBJECT)) ||
		(has_type(s, J_ARRAY) && has_type(sum, J_ARRAY))) {
		subs_add(m->a, &pair, sum);
		subs_add(m->a, &pair, s);
		sum = merge_all(m, &pair);
		return sum ? make_sub(m, sum) : NULL;
	}
	if (!same_types(s, sum))
		return fail(m, "unable to merge these schemas");
	return make_sub(m, sum);
}

/* --- the whole -------------------------------------------------------------
 */

static const struct type *make_inside(struct maker *m, struct sub *s)
{
	if (s->ref)
		return make_ref(m, s);
	if (s->any.len)
		return make_any(m, s);
	if (s->all.len)
		return make_all(m, s);
	return make_core(m, s);
}

static const struct type *make_sub(struct maker *m, struct sub *s)
{
	const struct type *t;

	if (m->why)
		return NULL;
	if (m->depth >= SCHEMA_DEPTH_MAX)
		return fail(m, arena_printf(m->a,
				       "schemas in it lead to each other more "
				       "than %d deep, perhaps in a circle",
				       SCHEMA_DEPTH_MAX));
	if (!m->work)
		return fail(m, arena_printf(m->a,
				       "more than %d schemas in it, with those "
				       "that are referred to counted each time",
				       SCHEMA_WORK_MAX));
	m->work--;
	m->depth++;
	t = make_inside(m, s);
	m->depth--;
	return t;
}

/* YAML's other keys, which annotations let pass below the first maps. */
static bool keys_are_texts(struct value v)
{
	bool ok = true;

	for (uint32_t i = 0; v.tag == V_ARR && ok && i < v_len(v); i++)
		ok = keys_are_texts(v.arr->items[i]);
	for (uint32_t i = 0; v.tag == V_OBJ && ok && i < v_len(v); i++)
		ok = v.obj->keys->items[i].tag == V_STR &&
		     keys_are_texts(v.obj->vals[i]);
	return ok;
}

/* The builtins' checker works in a context of a call. */
static bool check(struct arena *a, struct bi_ctx *cx, struct value schema,
	struct jsonschema *s, const char **why)
{
	enum bi_status st = jsonschema_check(cx, schema, JSONSCHEMA_TYPES, s);

	for (size_t i = 0; i < COUNT(cx->caches); i++)
		if (cx->caches[i].free_fn)
			cx->caches[i].free_fn(cx->caches[i].state);
	if (st)
		*why = arena_printf(
			a, "unable to compile the schema: %s", cx->text);
	return !st;
}

const struct type *schema_type(
	struct arena *a, struct value schema, const char **why)
{
	struct bi_ctx *cx = ARENA_NEW(a, struct bi_ctx);
	struct jsonschema s;
	struct reader r = {.a = a, .s = &s, .refs = builder_obj(a)};
	struct maker m = {.a = a,
		.s = &s,
		.names = builder_obj(a),
		.work = SCHEMA_WORK_MAX};
	const struct type *t;

	cx->arena = a;
	cx->steps = INT64_MAX;
	cx->memory_max = LIMIT_EVAL_MEMORY;
	if (!keys_are_texts(schema)) {
		*why = "unable to compile the schema: json: unsupported type: "
		       "map[interface {}]interface {}";
		return NULL;
	}
	if (!check(a, cx, schema, &s, why))
		return NULL;
	t = make_sub(&m, read_sub(&r, schema, v_cstr(a, "(root)")));
	if (m.why)
		*why = arena_printf(a, "type checking: %s", m.why);
	return m.why ? NULL : t;
}
