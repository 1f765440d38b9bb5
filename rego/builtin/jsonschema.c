#include "rego/builtin/jsonschema.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "rego/builtin/json_valid.h"
#include "rego/builtin/operand.h"
#include "rego/value_impl.h"

/* Where in the document: the innermost name, and what is around it. */
struct place {
	const char *name;
	const struct place *around;
};

/* How well a schema fits: of alternatives the best one's errors are told. */
struct result {
	struct value *errors;
	uint32_t len, cap;
	int64_t score;
};

struct matcher {
	const struct jsonschema *s;
	struct bi_ctx *cx;
	bool halted;
	unsigned depth;
};

static void match(struct matcher *m, struct value node, struct value v,
	const struct place *at, struct result *r);

static struct value get(struct value node, const char *key)
{
	return obj_get_cstr(node.obj, key);
}

/* --- errors -------------------------------------------------------------- */

static void place_text(struct buf *out, const struct place *at)
{
	if (at->around) {
		place_text(out, at->around);
		buf_addc(out, '.');
	}
	buf_adds(out, at->name);
}

/* The place without the root's name, unless that is all. */
static struct value field_of(struct matcher *m, const struct place *at)
{
	static const char root[] = "(Root).";
	struct buf b = {0};
	struct str s;
	struct value v;

	place_text(&b, at);
	s = buf_str(&b);
	if (str_starts(s, str_from(root)))
		s = str_slice(s, strlen(root), s.len);
	v = v_str(m->cx->arena, s);
	buf_release(&b);
	return v;
}

static void add(struct matcher *m, struct result *r, struct value error)
{
	r->errors = arena_grow(
		m->cx->arena, r->errors, r->len, &r->cap, sizeof(*r->errors));
	r->errors[r->len++] = error;
}

static void report(struct matcher *m, struct result *r, const struct place *at,
	const char *type, const char *fmt, ...) PRINTF(5, 6);
static void report(struct matcher *m, struct result *r, const struct place *at,
	const char *type, const char *fmt, ...)
{
	struct arena *a = m->cx->arena;
	struct builder o = builder_obj(a);
	struct value field = field_of(m, at);
	const char *desc, *whole;
	va_list ap;

	va_start(ap, fmt);
	desc = arena_vprintf(a, fmt, ap);
	va_end(ap);
	whole = arena_printf(a, "%s: %s", field.str->bytes, desc);
	builder_set_key(&o, v_cstr(a, "desc"), v_cstr(a, desc));
	builder_set_key(&o, v_cstr(a, "error"), v_cstr(a, whole));
	builder_set_key(&o, v_cstr(a, "field"), field);
	builder_set_key(&o, v_cstr(a, "type"), v_cstr(a, type));
	add(m, r, builder_done(&o));
	r->score -= 2;
}

static void merge(struct matcher *m, struct result *r, const struct result *x)
{
	for (uint32_t i = 0; i < x->len; i++)
		add(m, r, x->errors[i]);
	r->score += x->score;
}

static struct result try_match(struct matcher *m, struct value node,
	struct value v, const struct place *at)
{
	struct result r = {0};

	match(m, node, v, at, &r);
	return r;
}

/* --- values as text ------------------------------------------------------ */

/* A number as Go's encoding/json writes a float64. */
static struct value plain_number(struct arena *a, struct value v)
{
	double d = num_to_double(v);
	struct buf b = {0};

	if (!isfinite(d))
		return v;
	num_write_double(&b, d, FLOAT_JSON);
	v = v_number(a, b.ptr, b.len);
	buf_release(&b);
	return v;
}

static struct value plain_numbers(struct arena *a, struct value v)
{
	uint32_t n = v.tag == V_ARR || v.tag == V_OBJ ? v_len(v) : 0;
	struct value *vals;

	if (is_num(v))
		return plain_number(a, v);
	if (!n)
		return v;
	vals = ARENA_ARRAY(a, struct value, n);
	for (uint32_t i = 0; i < n; i++)
		vals[i] = plain_numbers(
			a, v.tag == V_ARR ? v.arr->items[i] : v.obj->vals[i]);
	return v.tag == V_ARR ? v_arr(a, vals, n)
			      : v_obj_like(a, v.obj->keys, vals);
}

static void add_json(struct matcher *m, struct buf *out, struct value v)
{
	value_json(out, plain_numbers(m->cx->arena, v), 0, JSON_HTML);
}

/* As Go prints a big.Float. */
static const char *bound_text(struct matcher *m, struct value v)
{
	struct buf b = {0};
	const char *kept;

	num_write_big(&b, v);
	kept = arena_strdup(m->cx->arena, buf_str(&b));
	buf_release(&b);
	return kept;
}

/* --- types --------------------------------------------------------------- */

static const char *type_of(struct value v)
{
	if (is_num(v))
		return num_is_whole(v) ? "integer" : "number";
	return value_type(v);
}

static bool has_type(struct value want, struct value v)
{
	struct str name = v_bytes(want);

	return str_is(name, type_of(v)) ||
	       (is_num(v) && str_is(name, "number"));
}

static bool type_fits(struct value types, struct value v)
{
	if (types.tag != V_ARR)
		return has_type(types, v);
	for (uint32_t i = 0; i < v_len(types); i++)
		if (has_type(types.arr->items[i], v))
			return true;
	return !v_len(types);
}

static void wrong_type(struct matcher *m, struct value types, struct value v,
	const struct place *at, struct result *r)
{
	struct buf b = {0};

	if (types.tag != V_ARR) {
		buf_addstr(&b, v_bytes(types));
	} else {
		bool list = v_len(types) > 1;

		buf_adds(&b, list ? "[" : "");
		for (uint32_t i = 0; i < v_len(types); i++)
			buf_addf(&b, "%s%s", i ? "," : "",
				types.arr->items[i].str->bytes);
		buf_adds(&b, list ? "]" : "");
	}
	report(m, r, at, "invalid_type",
		"Invalid type. Expected: %.*s, given: %s", STR_ARG(buf_str(&b)),
		type_of(v));
	buf_release(&b);
}

/* --- schemas in a schema ------------------------------------------------- */

/* The errors of the alternative that came nearest. */
struct nearest {
	struct result best;
	bool any;
};

static void nearest_keep(struct nearest *n, const struct result *r)
{
	if (!n->any || r->score > n->best.score)
		n->best = *r;
	n->any = true;
}

static void match_any_of(struct matcher *m, struct value all, struct value v,
	const struct place *at, struct result *r)
{
	struct nearest near = {0};

	for (uint32_t i = 0; i < v_len(all); i++) {
		struct result x = try_match(m, all.arr->items[i], v, at);

		if (!x.len)
			return;
		nearest_keep(&near, &x);
	}
	report(m, r, at, "number_any_of",
		"Must validate at least one schema (anyOf)");
	merge(m, r, &near.best);
}

static void match_one_of(struct matcher *m, struct value all, struct value v,
	const struct place *at, struct result *r)
{
	struct nearest near = {0};
	uint32_t good = 0;

	for (uint32_t i = 0; i < v_len(all); i++) {
		struct result x = try_match(m, all.arr->items[i], v, at);

		if (!x.len)
			good++;
		else if (!good)
			nearest_keep(&near, &x);
	}
	if (good == 1)
		return;
	report(m, r, at, "number_one_of",
		"Must validate one and only one schema (oneOf)");
	if (!good)
		merge(m, r, &near.best);
}

static void match_all_of(struct matcher *m, struct value all, struct value v,
	const struct place *at, struct result *r)
{
	uint32_t good = 0;

	for (uint32_t i = 0; i < v_len(all); i++) {
		struct result x = try_match(m, all.arr->items[i], v, at);

		good += !x.len;
		merge(m, r, &x);
	}
	if (good != v_len(all))
		report(m, r, at, "number_all_of",
			"Must validate all the schemas (allOf)");
}

static void match_dependency(struct matcher *m, struct value dep,
	struct value v, const struct place *at, struct result *r)
{
	if (dep.tag != V_ARR) {
		match(m, dep, v, at, r);
		return;
	}
	for (uint32_t i = 0; i < v_len(dep); i++)
		if (!is_def(obj_get(v.obj, dep.arr->items[i])))
			report(m, r, at, "missing_dependency",
				"Has a dependency on %s",
				dep.arr->items[i].str->bytes);
}

static void match_dependencies(struct matcher *m, struct value all,
	struct value v, const struct place *at, struct result *r)
{
	for (uint32_t i = 0; i < v.obj->len; i++) {
		struct value dep = obj_get(all.obj, v.obj->keys->items[i]);

		if (is_def(dep))
			match_dependency(m, dep, v, at, r);
	}
}

static void match_if(struct matcher *m, struct value node, struct value v,
	const struct place *at, struct result *r)
{
	struct result x = try_match(m, get(node, "if"), v, at), y;
	struct value branch = get(node, x.len ? "else" : "then");

	if (!is_def(branch))
		return;
	y = try_match(m, branch, v, at);
	if (!y.len)
		return;
	if (x.len)
		report(m, r, at, "condition_else",
			"Must validate \"else\" as \"if\" was not valid");
	else
		report(m, r, at, "condition_then",
			"Must validate \"then\" as \"if\" was valid");
	merge(m, r, &y);
}

static void match_schemas(struct matcher *m, struct value node, struct value v,
	const struct place *at, struct result *r)
{
	struct value x;

	if (is_def(x = get(node, "anyOf")) && v_len(x))
		match_any_of(m, x, v, at, r);
	if (is_def(x = get(node, "oneOf")) && v_len(x))
		match_one_of(m, x, v, at, r);
	if (is_def(x = get(node, "allOf")) && v_len(x))
		match_all_of(m, x, v, at, r);
	if (is_def(x = get(node, "not")) && !try_match(m, x, v, at).len)
		report(m, r, at, "number_not",
			"Must not validate the schema (not)");
	if (is_def(x = get(node, "dependencies")) && v.tag == V_OBJ)
		match_dependencies(m, x, v, at, r);
	if (m->s->draft7 && is_def(get(node, "if")))
		match_if(m, node, v, at, r);
	r->score++;
}

/* --- any value ----------------------------------------------------------- */

static void match_enum(struct matcher *m, struct value all, struct value v,
	const struct place *at, struct result *r)
{
	struct buf b = {0};
	bool found = false;

	for (uint32_t i = 0; i < v_len(all); i++) {
		found |= value_eq(all.arr->items[i], v);
		buf_adds(&b, i ? ", " : "");
		add_json(m, &b, all.arr->items[i]);
	}
	if (!found)
		report(m, r, at, "enum",
			"%s must be one of the following: %.*s",
			field_of(m, at).str->bytes, STR_ARG(buf_str(&b)));
	buf_release(&b);
}

static void match_common(struct matcher *m, struct value node, struct value v,
	const struct place *at, struct result *r)
{
	struct value x;
	struct buf b = {0};

	if (!m->s->draft4 && is_def(x = get(node, "const")) &&
		!value_eq(x, v)) {
		add_json(m, &b, x);
		report(m, r, at, "const", "%s does not match: %.*s",
			field_of(m, at).str->bytes, STR_ARG(buf_str(&b)));
	}
	if (is_def(x = get(node, "enum")))
		match_enum(m, x, v, at, r);
	if (is_def(x = get(node, "format")) && v.tag == V_STR &&
		!jsonschema_has_format(m->cx, v_bytes(x), v))
		report(m, r, at, "format", "Does not match format '%s'",
			x.str->bytes);
	buf_release(&b);
	r->score++;
}

/* --- numbers and texts --------------------------------------------------- */

/* Digits behind the point, the exponent counted in; below 0: zeros. */
static int64_t decimals(struct str literal)
{
	size_t e = 0, dot;

	while (e < literal.len && (literal.ptr[e] | 0x20) != 'e')
		e++;
	dot = str_find(str_slice(literal, 0, e), S("."), 0);
	return (dot == SIZE_MAX ? 0 : (int64_t)(e - dot - 1)) -
	       (e < literal.len ? strtoll(literal.ptr + e + 1, NULL, 10) : 0);
}

/* The number times ten to the power of `n`, which makes it whole. */
static struct value scaled(
	struct matcher *m, struct value v, struct str literal, int64_t n)
{
	struct buf b = {0};
	struct value whole;

	for (size_t i = 0; i < literal.len; i++) {
		if ((literal.ptr[i] | 0x20) == 'e')
			break;
		if (literal.ptr[i] != '.' &&
			!(literal.ptr[i] == '0' &&
				b.len <= (b.len && *b.ptr == '-')))
			buf_addc(&b, literal.ptr[i]);
	}
	if (!b.len || (b.len == 1 && *b.ptr == '-'))
		buf_addc(&b, '0');
	for (n -= decimals(literal); n > 0; n--)
		buf_addc(&b, '0');
	whole = v_number(m->cx->arena, b.ptr, b.len);
	buf_release(&b);
	return is_def(whole) ? whole : v;
}

/* Exact, both as whole numbers, but for exponents that nobody writes. */
static bool is_multiple(struct matcher *m, struct value v, struct value of)
{
	enum { ZEROS_MAX = 10000 };
	char tmp[2][24];
	struct str x = num_text(v, tmp[0]), y = num_text(of, tmp[1]);
	int64_t n = decimals(x), k = decimals(y), least = n < k ? n : k;
	struct value rest;
	const char *why;

	n = n > k ? n : k;
	n = n > 0 ? n : 0;
	if (n - least > ZEROS_MAX)
		return false;
	return num_arith(m->cx->arena, NUM_REM, scaled(m, v, x, n),
		       scaled(m, of, y, n), &rest, &why) &&
	       num_cmp(rest, v_int(0)) == 0;
}

/* A bound, and its exclusive form; `sign` is 1 for a maximum. */
static void match_bound(struct matcher *m, struct value node, struct value v,
	int sign, const struct place *at, struct result *r)
{
	bool max = sign > 0;
	struct value bound = get(node, max ? "maximum" : "minimum");
	struct value x =
		get(node, max ? "exclusiveMaximum" : "exclusiveMinimum");

	if (x.tag == V_TRUE) {
		x = bound;
		bound = v_undef;
	}
	if (is_num(bound) && sign * num_cmp(v, bound) > 0)
		report(m, r, at, max ? "number_lte" : "number_gte",
			"Must be %s than or equal to %s",
			max ? "less" : "greater", bound_text(m, bound));
	if (is_num(x) && sign * num_cmp(v, x) >= 0)
		report(m, r, at, max ? "number_lt" : "number_gt",
			"Must be %s than %s", max ? "less" : "greater",
			bound_text(m, x));
}

static void match_number(struct matcher *m, struct value node, struct value v,
	const struct place *at, struct result *r)
{
	struct value of = get(node, "multipleOf");

	if (is_num(of) && !is_multiple(m, v, of))
		report(m, r, at, "multiple_of", "Must be a multiple of %s",
			bound_text(m, of));
	match_bound(m, node, v, 1, at, r);
	match_bound(m, node, v, -1, at, r);
	r->score++;
}

static void match_text(struct matcher *m, struct value node, struct value v,
	const struct place *at, struct result *r)
{
	struct value x;

	if (is_def(x = get(node, "minLength")) && v.str->runes < x.i)
		report(m, r, at, "string_gte",
			"String length must be greater than or equal to %lld",
			(long long)x.i);
	if (is_def(x = get(node, "maxLength")) && v.str->runes > x.i)
		report(m, r, at, "string_lte",
			"String length must be less than or equal to %lld",
			(long long)x.i);
	if (is_def(x = get(node, "pattern")) &&
		!jsonschema_matches(m->cx, v_bytes(x), v))
		report(m, r, at, "pattern", "Does not match pattern '%s'",
			x.str->bytes);
	r->score++;
}

/* --- arrays -------------------------------------------------------------- */

static struct result match_item(struct matcher *m, struct value node,
	struct value v, uint32_t i, const struct place *at)
{
	char name[16];
	struct place here = {name, at};

	snprintf(name, sizeof(name), "%u", i);
	return try_match(m, node, v.arr->items[i], &here);
}

static void match_items(struct matcher *m, struct value node, struct value v,
	const struct place *at, struct result *r)
{
	struct value items = get(node, "items");
	struct value more = get(node, "additionalItems");
	bool list = items.tag == V_ARR;
	uint32_t n = list ? v_len(items) : UINT32_MAX;

	if (!is_def(items) || !n)
		return;
	for (uint32_t i = 0; i < v_len(v); i++) {
		struct result x;

		if (i >= n && more.tag != V_OBJ)
			break;
		x = match_item(m,
			!list   ? items
			: i < n ? items.arr->items[i]
				: more,
			v, i, at);
		merge(m, r, &x);
	}
	if (v_len(v) > n && more.tag == V_FALSE)
		report(m, r, at, "array_no_additional_items",
			"No additional items allowed on array");
}

static void match_unique(struct matcher *m, struct value v,
	const struct place *at, struct result *r)
{
	for (uint32_t k = 1; k < v_len(v) && bi_charge(m->cx, k / 8); k++)
		for (uint32_t i = k; i-- > 0;)
			if (value_eq(v.arr->items[i], v.arr->items[k])) {
				report(m, r, at, "unique",
					"array items[%u,%u] must be unique", i,
					k);
				break;
			}
}

static void match_contains(struct matcher *m, struct value node, struct value v,
	const struct place *at, struct result *r)
{
	struct nearest near = {0};

	for (uint32_t i = 0; i < v_len(v); i++) {
		struct result x = match_item(m, node, v, i, at);

		if (!x.len)
			return;
		nearest_keep(&near, &x);
	}
	report(m, r, at, "contains", "At least one of the items must match");
	merge(m, r, &near.best);
}

static void match_array(struct matcher *m, struct value node, struct value v,
	const struct place *at, struct result *r)
{
	struct value x;

	match_items(m, node, v, at, r);
	if (is_def(x = get(node, "minItems")) && v_len(v) < x.i)
		report(m, r, at, "array_min_items",
			"Array must have at least %lld items", (long long)x.i);
	if (is_def(x = get(node, "maxItems")) && v_len(v) > x.i)
		report(m, r, at, "array_max_items",
			"Array must have at most %lld items", (long long)x.i);
	if (get(node, "uniqueItems").tag == V_TRUE)
		match_unique(m, v, at, r);
	if (!m->s->draft4 && is_def(x = get(node, "contains")))
		match_contains(m, x, v, at, r);
	r->score++;
}

/* --- objects ------------------------------------------------------------- */

static bool match_patterns(struct matcher *m, struct value all,
	struct value key, struct value v, const struct place *at,
	struct result *r)
{
	struct place here = {key.str->bytes, at};
	bool any = false;

	for (uint32_t i = 0; all.tag == V_OBJ && i < all.obj->len; i++) {
		struct result x;

		if (!jsonschema_matches(
			    m->cx, v_bytes(all.obj->keys->items[i]), key))
			continue;
		any = true;
		x = try_match(m, all.obj->vals[i], v, &here);
		merge(m, r, &x);
	}
	r->score += any;
	return any;
}

/* What neither `properties` nor a pattern describes. */
static void match_additional(struct matcher *m, struct value rule,
	struct value key, struct value v, const struct place *at,
	struct result *r)
{
	struct place here = {key.str->bytes, at};
	struct result x;

	if (rule.tag == V_FALSE) {
		report(m, r, at, "additional_property_not_allowed",
			"Additional property %s is not allowed",
			key.str->bytes);
	} else if (rule.tag == V_OBJ) {
		x = try_match(m, rule, v, &here);
		merge(m, r, &x);
	}
}

static void match_members(struct matcher *m, struct value node, struct value v,
	const struct place *at, struct result *r)
{
	struct value described = get(node, "properties");
	struct value patterns = get(node, "patternProperties");
	struct value rule = get(node, "additionalProperties");

	for (uint32_t i = 0; i < v.obj->len && !m->halted; i++) {
		struct value key = v.obj->keys->items[i], x = v.obj->vals[i];
		bool known = described.tag == V_OBJ &&
			     is_def(obj_get(described.obj, key));

		if (!match_patterns(m, patterns, key, x, at, r) && !known)
			match_additional(m, rule, key, x, at, r);
	}
}

static void match_names(struct matcher *m, struct value node, struct value v,
	const struct place *at, struct result *r)
{
	for (uint32_t i = 0; i < v.obj->len; i++) {
		struct value key = v.obj->keys->items[i];
		struct result x = try_match(m, node, key, at);

		if (!x.len)
			continue;
		report(m, r, at, "invalid_property_name",
			"Property name of \"%s\" does not match",
			key.str->bytes);
		merge(m, r, &x);
	}
}

static void match_required(struct matcher *m, struct value all, struct value v,
	const struct place *at, struct result *r)
{
	for (uint32_t i = 0; i < v_len(all); i++)
		if (is_def(obj_get(v.obj, all.arr->items[i])))
			r->score++;
		else
			report(m, r, at, "required", "%s is required",
				all.arr->items[i].str->bytes);
}

static void match_object(struct matcher *m, struct value node, struct value v,
	const struct place *at, struct result *r)
{
	struct value x;

	if (is_def(x = get(node, "minProperties")) && v_len(v) < x.i)
		report(m, r, at, "array_min_properties",
			"Must have at least %lld properties", (long long)x.i);
	if (is_def(x = get(node, "maxProperties")) && v_len(v) > x.i)
		report(m, r, at, "array_max_properties",
			"Must have at most %lld properties", (long long)x.i);
	if (is_def(x = get(node, "required")))
		match_required(m, x, v, at, r);
	match_members(m, node, v, at, r);
	if (!m->s->draft4 && is_def(x = get(node, "propertyNames")))
		match_names(m, x, v, at, r);
	r->score++;
}

static void match_properties(struct matcher *m, struct value all,
	struct value v, const struct place *at, struct result *r)
{
	for (uint32_t i = 0; i < all.obj->len; i++) {
		struct value key = all.obj->keys->items[i];
		struct value x = obj_get(v.obj, key);
		struct place here = {key.str->bytes, at};

		if (is_def(x))
			match(m, all.obj->vals[i], x, &here, r);
	}
}

/* --- the walk ------------------------------------------------------------ */

static void match_kinds(struct matcher *m, struct value node, struct value v,
	const struct place *at, struct result *r)
{
	struct value all = get(node, "properties");

	match_schemas(m, node, v, at, r);
	if (is_num(v))
		match_number(m, node, v, at, r);
	else if (v.tag == V_ARR)
		match_array(m, node, v, at, r);
	else if (v.tag == V_OBJ)
		match_object(m, node, v, at, r);
	match_common(m, node, v, at, r);
	if (v.tag == V_STR)
		match_text(m, node, v, at, r);
	if (v.tag == V_OBJ && all.tag == V_OBJ)
		match_properties(m, all, v, at, r);
	r->score++;
}

static void match_node(struct matcher *m, struct value node, struct value v,
	const struct place *at, struct result *r)
{
	struct value ref = get(node, "$ref"), types = get(node, "type");

	if (is_def(ref))
		match(m, jsonschema_target(m->s, ref), v, at, r);
	else if (is_def(types) && !type_fits(types, v))
		wrong_type(m, types, v, at, r);
	else
		match_kinds(m, node, v, at, r);
}

static void match(struct matcher *m, struct value node, struct value v,
	const struct place *at, struct result *r)
{
	if (m->halted)
		return;
	if (is_bool(node)) {
		if (node.tag == V_FALSE)
			report(m, r, at, "false",
				"False always fails validation");
		return;
	}
	if (m->depth == LIMIT_JSON_DEPTH) {
		bi_limit(m->cx, "schema is nested more than %u deep",
			LIMIT_JSON_DEPTH);
		m->halted = true;
		return;
	}
	if (!bi_charge(m->cx, 1)) {
		m->halted = true;
		return;
	}
	m->depth++;
	match_node(m, node, v, at, r);
	m->depth--;
}

enum bi_status jsonschema_match(
	const struct jsonschema *s, struct value doc, struct value *errors)
{
	struct matcher m = {.s = s, .cx = s->cx};
	const struct place root = {"(Root)", NULL};
	struct result r = try_match(&m, s->root, doc, &root);

	if (m.halted)
		return BI_HALT;
	*errors = v_arr(s->cx->arena, r.errors, r.len);
	return BI_OK;
}

/* --- builtins ------------------------------------------------------------ */

/* A document as text or as it is: sets become arrays. */
static enum bi_status document(
	struct bi_ctx *cx, struct value arg, struct value *out)
{
	struct json_error e;
	struct buf b = {0};
	bool good;

	if (arg.tag == V_STR) {
		if (!json_valid(v_bytes(arg)))
			return bi_error(cx, "invalid JSON string");
		return operand_call(cx, "json.unmarshal", &arg, out);
	}
	if (arg.tag != V_OBJ && arg.tag != V_ARR)
		return bi_error(cx, "wrong type, expected string or object");
	value_json(&b, arg, 0, 0);
	good = json_parse(
		cx->arena, NULL, buf_str(&b), LIMIT_DATA_DEPTH, out, &e);
	buf_release(&b);
	return good ? BI_OK : bi_error(cx, "%s", e.text);
}

static struct value pair(struct bi_ctx *cx, bool good, struct value what)
{
	struct value *items = ARENA_ARRAY(cx->arena, struct value, 2);

	items[0] = v_bool(good);
	items[1] = what;
	return v_arr(cx->arena, items, 2);
}

static enum bi_status verify_schema(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct jsonschema s;
	struct value root;
	enum bi_status st = document(cx, args[0], &root);

	if (!st)
		st = jsonschema_check(cx, root, JSONSCHEMA_MATCH, &s);
	if (st == BI_ERROR) {
		operand_wrap(cx, "jsonschema: ");
		*out = pair(cx, false, v_cstr(cx->arena, cx->text));
		return BI_OK;
	}
	*out = pair(cx, true, v_null);
	return st;
}

static enum bi_status match_schema(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct jsonschema s;
	struct value doc, root, errors;
	enum bi_status st = document(cx, args[0], &doc);

	if (!st)
		st = document(cx, args[1], &root);
	if (!st)
		st = jsonschema_check(cx, root, JSONSCHEMA_MATCH, &s);
	if (!st)
		st = jsonschema_match(&s, doc, &errors);
	if (!st)
		*out = pair(cx, !v_len(errors), errors);
	return st;
}

enum { DOC = BT_STR | BT_OBJ };

/* clang-format off */
static const struct builtin rows[] = {
	{"json.match_schema",  NULL, 2, {DOC, DOC}, match_schema,  BF_RAWTYPES},
	{"json.verify_schema", NULL, 1, {DOC},      verify_schema, BF_RAWTYPES},
};
/* clang-format on */

const struct builtin_table builtin_jsonschema = {rows, COUNT(rows)};
