/* Is it a schema? In the order in which OPA looks. */
#include "rego/builtin/jsonschema.h"

#include <stdarg.h>
#include <string.h>

#include "base/limits.h"
#include "rego/builtin/operand.h"
#include "rego/url.h"

struct checker {
	struct jsonschema *s;
	struct bi_ctx *cx;
	enum bi_status st;
	unsigned depth;
};

static void check(struct checker *c, struct value node);

static void fail(struct checker *c, const char *fmt, ...) PRINTF(2, 3);
static void fail(struct checker *c, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	if (c->st)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->st = bi_error(c->cx, "%s", text);
}

static void invalid_type(
	struct checker *c, const char *expected, const char *given)
{
	fail(c, "Invalid type. Expected: %s, given: %s", expected, given);
}

static struct value get(struct value node, const char *key)
{
	return obj_get_cstr(node.obj, key);
}

static bool is_schema(struct value v)
{
	return v.tag == V_OBJ || is_bool(v);
}

/* --- references ---------------------------------------------------------- */

/* One step of a JSON pointer: RFC 6901, within a URI's fragment. */
static struct value step_text(struct checker *c, struct str raw)
{
	struct value coded = v_str(c->cx->arena, raw), bare = coded;
	struct buf b = {0};
	struct value v;

	operand_call(c->cx, "urlquery.decode", &coded, &bare);
	struct str s = v_bytes(bare);
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '~' && i + 1 < s.len &&
			(s.ptr[i + 1] == '0' || s.ptr[i + 1] == '1'))
			buf_addc(&b, s.ptr[++i] == '0' ? '~' : '/');
		else
			buf_addc(&b, s.ptr[i]);
	v = v_str(c->cx->arena, buf_str(&b));
	buf_release(&b);
	return v;
}

static bool array_index(struct str s, uint32_t *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9' || n > UINT32_MAX / 10)
			return false;
		n = n * 10 + (uint64_t)(s.ptr[i] - '0');
	}
	*out = (uint32_t)n;
	return s.len > 0;
}

static struct value step_into(
	struct checker *c, struct value node, struct value key)
{
	struct str s = v_bytes(key);
	struct value v = v_undef;
	uint32_t i;

	if (node.tag == V_OBJ) {
		v = obj_get(node.obj, key);
		if (!is_def(v))
			fail(c, "Object has no key '%.*s'", STR_ARG(s));
	} else if (node.tag == V_ARR) {
		if (!array_index(s, &i))
			fail(c, "Invalid array index '%.*s'", STR_ARG(s));
		else if (i >= v_len(node))
			fail(c, "Out of bound array[0,%u] index '%u'",
				v_len(node), i);
		else
			v = node.arr->items[i];
	} else {
		fail(c, "Invalid token reference '%.*s'", STR_ARG(s));
	}
	return v;
}

static struct value pointer_target(struct checker *c, struct str path)
{
	struct value node = c->s->root;

	for (size_t at = 1; at <= path.len && !c->st;) {
		size_t end = str_find(path, S("/"), at);

		if (end == SIZE_MAX)
			end = path.len;
		node = step_into(
			c, node, step_text(c, str_slice(path, at, end)));
		at = end + 1;
	}
	return node;
}

/* The node that calls itself `id`, in any depth. */
static struct value named_node(struct value node, struct str id, unsigned depth)
{
	static const char *const names[] = {"$id", "id"};
	uint32_t n = node.tag == V_OBJ || node.tag == V_ARR ? v_len(node) : 0;

	for (size_t i = 0; node.tag == V_OBJ && i < COUNT(names); i++) {
		struct value v = get(node, names[i]);

		if (v.tag == V_STR && str_eq(v_bytes(v), id))
			return node;
	}
	for (uint32_t i = 0; i < n && depth < LIMIT_JSON_DEPTH; i++) {
		struct value found =
			named_node(node.tag == V_OBJ ? node.obj->vals[i]
						     : node.arr->items[i],
				id, depth + 1);

		if (is_def(found))
			return found;
	}
	return v_undef;
}

/* The part behind the document's own name. */
static struct str own_part(const struct jsonschema *s, struct str ref)
{
	static const char *const names[] = {"$id", "id"};

	for (size_t i = 0; s->root.tag == V_OBJ && i < COUNT(names); i++) {
		struct value v = get(s->root, names[i]);
		struct str id;

		if (v.tag != V_STR)
			continue;
		id = v_bytes(v);
		if (id.len && id.ptr[id.len - 1] == '#')
			id.len--;
		if (id.len && str_starts(ref, id))
			return str_slice(ref, id.len, ref.len);
	}
	return ref;
}

/*
 * The schemas that schemas of drafts 6 and 7 keep to, as far as types go: they
 * are objects and booleans.
 */
static struct value metaschema(struct checker *c, struct str ref)
{
	static const char text[] = "{\"type\":[\"object\",\"boolean\"]}";
	struct json_error e;
	struct value v = v_undef;
	bool known;

	if (str_ends(ref, S("#")))
		ref.len--;
	known = str_is(ref, "http://json-schema.org/draft-06/schema") ||
		str_is(ref, "http://json-schema.org/draft-07/schema");
	if (c->s->use == JSONSCHEMA_TYPES && known)
		json_parse(c->cx->arena, NULL, str_from(text), 9, &v, &e);
	return v;
}

static bool has_host(struct str url)
{
	return str_find(url, S("://"), 0) != SIZE_MAX;
}

/* The document has a name below which other documents can be. */
static bool has_base(const struct jsonschema *s)
{
	struct value id = v_undef;

	if (s->root.tag == V_OBJ)
		id = get(s->root, is_def(get(s->root, "id")) ? "id" : "$id");
	return id.tag == V_STR && has_host(v_bytes(id));
}

void jsonschema_ref_text(struct buf *out, struct str ref)
{
	struct buf why = {0};
	bool rooted = !ref.len || !!memchr("/?#", ref.ptr[0], 3) ||
		      str_find(ref, S(":"), 0) != SIZE_MAX;

	buf_adds(out, rooted ? "" : "/");
	if (!url_normal(ref, out, &why))
		buf_addstr(out, ref);
	buf_release(&why);
}

/* A reference out of the schema. */
static void elsewhere(struct checker *c, struct str ref)
{
	struct buf text = {0};

	if (c->st)
		return;
	jsonschema_ref_text(&text, ref);
	if (!has_host(ref) && !has_base(c->s))
		fail(c, "Reference %s must be canonical", text.ptr);
	else if (c->s->use == JSONSCHEMA_TYPES)
		fail(c, "remote reference loading disabled: %.*s",
			STR_ARG(ref));
	else
		c->st = bi_limit(c->cx,
			"the schema refers to %.*s, and schemas elsewhere are "
			"not fetched",
			STR_ARG(ref));
	buf_release(&text);
}

static struct value find_target(struct checker *c, struct str ref)
{
	struct value named = named_node(c->s->root, ref, 0);

	if (is_def(named))
		return named;
	ref = own_part(c->s, ref);
	if (str_starts(ref, S("#/")))
		return pointer_target(c, str_slice(ref, 1, ref.len));
	named = named_node(c->s->root, ref, 0);
	if (!is_def(named))
		named = metaschema(c, ref);
	if (!is_def(named) && (!ref.len || ref.ptr[0] == '#'))
		return c->s->root; /* a name that nothing has */
	if (!is_def(named))
		elsewhere(c, ref);
	return named;
}

struct value jsonschema_target(const struct jsonschema *s, struct value ref)
{
	struct value target = builder_get(&s->seen, ref);

	return is_def(target) ? target : v_true;
}

/* Each target is checked once, so that schemas may refer to themselves. */
static void check_ref(struct checker *c, struct value ref)
{
	struct value target;

	if (ref.tag != V_STR) {
		invalid_type(c, "string", "$ref");
		return;
	}
	if (builder_find(&c->s->seen, ref) >= 0)
		return;
	target = find_target(c, v_bytes(ref));
	if (c->st)
		return;
	if (!is_schema(target)) {
		fail(c, "Valid Schema must be of type object");
		return;
	}
	builder_set_key(&c->s->seen, ref, target);
	check(c, target);
}

/* --- keywords --------------------------------------------------------------
 */

static void check_text(struct checker *c, struct value node, const char *key)
{
	struct value v = get(node, key);

	if (is_def(v) && v.tag != V_STR)
		invalid_type(c, "string", key);
}

static const char *const types[] = {
	"array", "boolean", "integer", "number", "null", "object", "string"};

/* Whether an item of an array stands before the i'th, too. */
static bool is_repeated(struct value all, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++)
		if (value_eq(all.arr->items[k], all.arr->items[i]))
			return true;
	return false;
}

static void check_type_name(struct checker *c, struct value v)
{
	bool known = false;

	if (v.tag != V_STR) {
		invalid_type(c, "type", "string/Array Of Strings");
		return;
	}
	for (size_t i = 0; i < COUNT(types); i++)
		known |= str_is(v_bytes(v), types[i]);
	if (!known)
		fail(c,
			"has a primitive type that is NOT VALID -- given: "
			"/%.*s/ Expected valid values are:[array boolean "
			"integer number null object string]",
			STR_ARG(v_bytes(v)));
}

static void check_types(struct checker *c, struct value v)
{
	if (v.tag != V_ARR) {
		check_type_name(c, v);
		return;
	}
	for (uint32_t i = 0; i < v_len(v) && !c->st; i++) {
		check_type_name(c, v.arr->items[i]);
		if (!c->st && is_repeated(v, i))
			fail(c, "%s type is duplicated",
				v.arr->items[i].str->bytes);
	}
}

static void check_each(struct checker *c, const struct object *o)
{
	for (uint32_t i = 0; i < o->len && !c->st; i++)
		check(c, o->vals[i]);
}

static void check_definitions(struct checker *c, struct value v)
{
	if (v.tag != V_OBJ) {
		invalid_type(c, "Array Of Schemas", "definitions");
		return;
	}
	for (uint32_t i = 0; i < v.obj->len && !c->st; i++)
		if (is_schema(v.obj->vals[i]))
			check(c, v.obj->vals[i]);
		else
			invalid_type(c, "Array Of Schemas", "definitions");
}

static void check_properties(struct checker *c, struct value v)
{
	if (v.tag != V_OBJ)
		fail(c, "Properties must be of type object");
	else
		check_each(c, v.obj);
}

/* A boolean, in any draft, or a schema. */
static void check_additional(struct checker *c, struct value v, const char *key)
{
	if (v.tag == V_OBJ)
		check(c, v);
	else if (!is_bool(v))
		invalid_type(c, "boolean/Valid Schema", key);
}

static bool is_pattern(struct checker *c, struct value v)
{
	struct value valid = v_bool(false);

	operand_call(c->cx, "regex.is_valid", &v, &valid);
	return valid.tag == V_TRUE;
}

static void check_patterns(struct checker *c, struct value v)
{
	if (v.tag != V_OBJ) {
		invalid_type(c, "Valid Schema", "patternProperties");
		return;
	}
	for (uint32_t i = 0; i < v.obj->len && !c->st; i++) {
		struct value key = v.obj->keys->items[i];

		if (!is_pattern(c, key))
			fail(c, "Invalid regex pattern '%.*s'",
				STR_ARG(v_bytes(key)));
		check(c, v.obj->vals[i]);
	}
}

static void check_dependency(struct checker *c, struct value v)
{
	bool good = v.tag == V_ARR || is_schema(v);

	for (uint32_t i = 0; v.tag == V_ARR && i < v_len(v); i++)
		good &= v.arr->items[i].tag == V_STR;
	if (!good)
		fail(c, "Dependency must be of type Schema Or Array Of "
			"Strings");
	else if (v.tag != V_ARR)
		check(c, v);
}

static void check_dependencies(struct checker *c, struct value v)
{
	if (v.tag != V_OBJ) {
		fail(c, "dependencies must be of type object");
		return;
	}
	for (uint32_t i = 0; i < v.obj->len && !c->st; i++)
		check_dependency(c, v.obj->vals[i]);
}

static void check_items(struct checker *c, struct value v)
{
	bool list = v.tag == V_ARR;
	uint32_t n = list ? v_len(v) : 1;

	for (uint32_t i = 0; i < n && !c->st; i++) {
		struct value one = list ? v.arr->items[i] : v;

		if (is_schema(one))
			check(c, one);
		else
			invalid_type(
				c, "Valid Schema/Array Of Schemas", "items");
	}
}

static void check_multiple(struct checker *c, struct value v)
{
	if (!is_num(v))
		invalid_type(c, "Number", "multipleOf");
	else if (num_cmp(v, v_int(0)) <= 0)
		fail(c, "multipleOf must be strictly greater than 0");
}

/* `minimum` or `maximum`, and what makes it exclusive. */
static void check_bound(struct checker *c, struct value node, const char *key,
	const char *exclusive)
{
	struct value v = get(node, key), x = get(node, exclusive);
	bool may_be_bool = c->s->draft4 || c->s->hybrid;
	bool may_be_number = !c->s->draft4;

	if (is_def(v) && !is_num(v))
		fail(c, "%s must be of a Number", key);
	if (!is_def(x))
		return;
	if (may_be_bool && is_bool(x)) {
		if (!is_def(v))
			fail(c, "%s cannot be used without %s", exclusive, key);
	} else if (!may_be_number || !is_num(x)) {
		invalid_type(c,
			!may_be_number ? "boolean"
			: may_be_bool  ? "boolean/number"
				       : "number",
			exclusive);
	}
}

static void check_count(struct checker *c, struct value v, const char *key)
{
	if (v.tag != V_INT)
		fail(c, "%s must be of an integer", key);
	else if (v.i < 0)
		fail(c, "%s must be greater than or equal to 0", key);
}

/* Two counts; `in_order`: the first may not be the greater one. */
static void check_counts(struct checker *c, struct value node, const char *min,
	const char *max, bool in_order)
{
	struct value x = get(node, min), y = get(node, max);

	if (is_def(x))
		check_count(c, x, min);
	if (is_def(y))
		check_count(c, y, max);
	if (!c->st && in_order && is_def(x) && is_def(y) && x.i > y.i)
		fail(c, "%s cannot be greater than %s", min, max);
}

static void check_required(struct checker *c, struct value v)
{
	if (v.tag != V_ARR) {
		fail(c, "required must be of an array");
		return;
	}
	for (uint32_t i = 0; i < v_len(v) && !c->st; i++) {
		if (v.arr->items[i].tag != V_STR)
			invalid_type(c, "string", "required");
		if (is_repeated(v, i))
			fail(c, "required items must be unique");
	}
}

static void check_enum(struct checker *c, struct value v)
{
	if (v.tag != V_ARR) {
		fail(c, "enum must be of an array");
		return;
	}
	for (uint32_t i = 0; i < v_len(v) && !c->st; i++)
		if (is_repeated(v, i))
			fail(c, "enum items must be unique");
}

static void check_list(struct checker *c, struct value node, const char *key)
{
	struct value v = get(node, key);

	if (!is_def(v))
		return;
	if (v.tag != V_ARR) {
		fail(c, "%s must be of an array", key);
		return;
	}
	for (uint32_t i = 0; i < v_len(v) && !c->st; i++)
		check(c, v.arr->items[i]);
}

static void check_one(struct checker *c, struct value node, const char *key)
{
	struct value v = get(node, key);

	if (!is_def(v))
		return;
	if (is_schema(v))
		check(c, v);
	else
		fail(c, "%s must be of an object", key);
}

static void check_object_keywords(struct checker *c, struct value node)
{
	struct value v;

	if (is_def(v = get(node, "type")))
		check_types(c, v);
	if (is_def(v = get(node, "properties")))
		check_properties(c, v);
	if (is_def(v = get(node, "additionalProperties")))
		check_additional(c, v, "additionalProperties");
	if (is_def(v = get(node, "patternProperties")))
		check_patterns(c, v);
	if (!c->s->draft4 && is_def(v = get(node, "propertyNames"))) {
		if (is_schema(v))
			check(c, v);
		else
			invalid_type(c, "Valid Schema", "patternProperties");
	}
	if (is_def(v = get(node, "dependencies")))
		check_dependencies(c, v);
	if (is_def(v = get(node, "items")))
		check_items(c, v);
	if (is_def(v = get(node, "additionalItems")))
		check_additional(c, v, "additionalItems");
}

static void check_value_keywords(struct checker *c, struct value node)
{
	struct value v;

	if (is_def(v = get(node, "multipleOf")))
		check_multiple(c, v);
	check_bound(c, node, "minimum", "exclusiveMinimum");
	check_bound(c, node, "maximum", "exclusiveMaximum");
	check_counts(c, node, "minLength", "maxLength", true);
	check_text(c, node, "pattern");
	v = get(node, "pattern");
	if (!c->st && is_def(v) && c->s->use == JSONSCHEMA_MATCH &&
		!is_pattern(c, v))
		fail(c, "pattern must be a valid regex");
	check_text(c, node, "format");
	check_counts(c, node, "minProperties", "maxProperties", true);
	if (is_def(v = get(node, "required")))
		check_required(c, v);
	check_counts(c, node, "minItems", "maxItems", false);
	if (is_def(v = get(node, "uniqueItems")) && !is_bool(v))
		fail(c, "uniqueItems must be of a boolean");
	if (!c->s->draft4 && is_def(v = get(node, "contains")))
		check(c, v);
	if (is_def(v = get(node, "enum")))
		check_enum(c, v);
}

static void check_node(struct checker *c, struct value node)
{
	struct value v;

	check_text(c, node,
		c->s->draft4 || (c->s->hybrid && is_def(get(node, "id")))
			? "id"
			: "$id");
	if (is_def(v = get(node, "definitions")))
		check_definitions(c, v);
	check_text(c, node, "title");
	check_text(c, node, "description");
	if (is_def(v = get(node, "$ref"))) {
		check_ref(c, v);
		return;
	}
	check_object_keywords(c, node);
	check_value_keywords(c, node);
	check_list(c, node, "oneOf");
	check_list(c, node, "anyOf");
	check_list(c, node, "allOf");
	check_one(c, node, "not");
	if (!c->s->draft7)
		return;
	check_one(c, node, "if");
	check_one(c, node, "then");
	check_one(c, node, "else");
}

static void check(struct checker *c, struct value node)
{
	if (c->st || (is_bool(node) && !c->s->draft4))
		return;
	if (node.tag != V_OBJ) {
		fail(c, "Expected: Valid Schema, given: Invalid JSON");
		return;
	}
	if (c->depth == LIMIT_JSON_DEPTH) {
		c->st = bi_limit(c->cx, "schema is nested more than %u deep",
			LIMIT_JSON_DEPTH);
		return;
	}
	c->depth++;
	check_node(c, node);
	c->depth--;
}

/* --- names ------------------------------------------------------------------
 */

static void check_names(struct checker *c, struct value node,
	struct builder *names, unsigned depth);

/* Of these the keys are no keywords. */
static bool is_described(struct value key)
{
	static const char *const maps[] = {
		"properties", "dependencies", "patternProperties"};

	for (size_t i = 0; i < COUNT(maps); i++)
		if (str_is(v_bytes(key), maps[i]))
			return true;
	return false;
}

static void check_member_names(struct checker *c, struct value key,
	struct value v, struct builder *names, unsigned depth)
{
	if (str_is(v_bytes(key), "const") || str_is(v_bytes(key), "enum"))
		return;
	if (!is_described(key) || v.tag != V_OBJ) {
		check_names(c, v, names, depth + 1);
		return;
	}
	for (uint32_t i = 0; i < v.obj->len; i++)
		check_names(c, v.obj->vals[i], names, depth + 1);
}

/* Two schemas of one name are none; before anything else is looked at. */
static void check_names(struct checker *c, struct value node,
	struct builder *names, unsigned depth)
{
	struct value id;

	if (c->st || depth > LIMIT_JSON_DEPTH)
		return;
	for (uint32_t i = 0; node.tag == V_ARR && i < v_len(node); i++)
		check_names(c, node.arr->items[i], names, depth + 1);
	if (node.tag != V_OBJ)
		return;
	id = get(node, is_def(get(node, "id")) ? "id" : "$id");
	if (id.tag == V_STR && id.str->len && !builder_add(names, id))
		fail(c, "Reference already exists: \"%.*s\"",
			STR_ARG(v_bytes(id)));
	for (uint32_t i = 0; i < node.obj->len; i++)
		check_member_names(c, node.obj->keys->items[i],
			node.obj->vals[i], names, depth);
}

/* --- the whole --------------------------------------------------------------
 */

/* clang-format off */
static const struct {
	const char *url; /* without the # at its end */
	bool draft4, draft7;
} drafts[] = {
	{"http://json-schema.org/draft-04/schema", true,  false},
	{"http://json-schema.org/draft-06/schema", false, false},
	{"http://json-schema.org/draft-07/schema", false, true},
};
/* clang-format on */

static void choose_draft(struct checker *c)
{
	struct value v =
		c->s->root.tag == V_OBJ ? get(c->s->root, "$schema") : v_undef;
	struct str url;

	c->s->hybrid = c->s->draft7 = true;
	if (!is_def(v))
		return;
	if (v.tag != V_STR) {
		fail(c, "$schema must be of type string");
		return;
	}
	url = v_bytes(v);
	if (str_ends(url, S("#")))
		url.len--;
	for (size_t i = 0; i < COUNT(drafts); i++) {
		if (!str_is(url, drafts[i].url))
			continue;
		c->s->hybrid = false;
		c->s->draft4 = drafts[i].draft4;
		c->s->draft7 = drafts[i].draft7;
	}
}

enum bi_status jsonschema_check(struct bi_ctx *cx, struct value root,
	enum jsonschema_use use, struct jsonschema *out)
{
	struct checker c = {.s = out, .cx = cx};
	struct builder names = builder_set(cx->arena);

	*out = (struct jsonschema){.cx = cx,
		.root = root,
		.use = use,
		.seen = builder_obj(cx->arena)};
	if (!is_schema(root))
		return bi_error(cx, "schema is invalid");
	choose_draft(&c);
	check_names(&c, root, &names, 0);
	check(&c, root);
	return c.st;
}
