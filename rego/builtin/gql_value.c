/* Values in GraphQL queries: of the type that is wanted where they are. */
#include <math.h>

#include "rego/builtin/gql_check.h"

static struct str raw(struct value v)
{
	return gql_text(v, "Raw");
}

/* --- as text ---------------------------------------------------------------
 */

static void value_words(struct buf *out, struct value v)
{
	struct gql_list all = gql_list(v, "Children");
	int64_t kind = gql_kind_of(v);

	if (kind == GQL_STRING || kind == GQL_BLOCK) {
		value_text(out, gql_member(v, "Raw"));
		return;
	}
	if (kind != GQL_LIST && kind != GQL_OBJECT) {
		buf_addf(out, "%s%.*s", kind == GQL_VARIABLE ? "$" : "",
			STR_ARG(raw(v)));
		return;
	}
	buf_addc(out, kind == GQL_LIST ? '[' : '{');
	for (uint32_t i = 0; i < all.len; i++) {
		buf_adds(out, i ? "," : "");
		if (kind == GQL_OBJECT)
			buf_addf(out, "%.*s:",
				STR_ARG(gql_text(all.items[i], "Name")));
		value_words(out, gql_member(all.items[i], "Value"));
	}
	buf_addc(out, kind == GQL_LIST ? ']' : '}');
}

static const char *words(struct gql_check *c, struct value v)
{
	struct buf b = {0};
	const char *text;

	value_words(&b, v);
	text = arena_strdup(c->a, buf_str(&b));
	buf_release(&b);
	return text;
}

/* --- numbers ---------------------------------------------------------------
 */

/* A whole number of `bits`: 0 yes, 1 too large, -1 no number. */
static int whole(struct gql_check *c, struct str s, unsigned bits)
{
	struct value n;
	int64_t i, most = bits == 32 ? INT32_MAX : INT64_MAX;
	size_t digits = s.len && (*s.ptr == '-' || *s.ptr == '+');

	for (size_t k = digits; k < s.len; k++)
		if (s.ptr[k] < '0' || s.ptr[k] > '9')
			return -1;
	if (digits == s.len)
		return -1;
	if (*s.ptr == '+')
		s = str_make(s.ptr + 1, s.len - 1);
	n = v_number(c->a, s.ptr, s.len);
	if (!is_num(n) || !num_to_int64(n, &i))
		return 1;
	return i > most || i < -most - 1;
}

static bool is_finite(struct gql_check *c, struct str s)
{
	struct value n = v_number(c->a, s.ptr, s.len);

	return is_num(n) && isfinite(num_to_double(n));
}

/* Whether it can be made a value of Go: numbers have their limits. */
static bool is_broken(struct gql_check *c, struct value v)
{
	struct gql_list all = gql_list(v, "Children");
	struct str s = raw(v);

	switch (gql_kind_of(v)) {
	case GQL_INT:
		return whole(c, s, 64) != 0;
	case GQL_FLOAT:
		return !is_finite(c, s);
	case GQL_BOOLEAN:
		return !str_is(s, "true") && !str_is(s, "false");
	case GQL_LIST:
	case GQL_OBJECT:
		if (!bi_charge(c->cx, all.len))
			c->st = BI_HALT;
		for (uint32_t i = 0; i < all.len && !c->st; i++)
			if (is_broken(c, gql_member(all.items[i], "Value")))
				return true;
		return false;
	default:
		return false;
	}
}

/* --- of the right type -----------------------------------------------------
 */

/* clang-format off */
/* What is said of a value that can't be of one of GraphQL's own types. */
static const struct {
	const char *type, *text;
} mismatches[] = {
	{"String",   "String cannot represent a non string value"},
	{"[String]", "String cannot represent a non string value"},
	{"Boolean",  "Boolean cannot represent a non boolean value"},
	{"Float",    "Float cannot represent non numeric value"},
	{"ID",       "ID cannot represent a non-string and non-integer value"},
};
/* clang-format on */

/* Of a type as text, or NULL: it is none of GraphQL's own. */
static const char *own_mismatch(
	struct gql_check *c, struct value v, const char *type)
{
	struct str bare = str_from(type);

	if (*type != '[' && str_ends(bare, S("!")))
		bare.len--;
	if (str_is(bare, "Int"))
		return whole(c, raw(v), 32) == 1
			       ? "Int cannot represent non 32-bit signed "
				 "integer value"
			       : "Int cannot represent non-integer value";
	for (size_t i = 0; i < COUNT(mismatches); i++)
		if (str_is(bare, mismatches[i].type))
			return mismatches[i].text;
	return NULL;
}

static const char *mismatch_text(
	struct gql_check *c, struct value v, const struct gql_want *want)
{
	const char *type = gql_type_words(c, want->type), *text = words(c, v);
	const char *own = own_mismatch(c, v, type);

	if (own)
		return arena_printf(c->a, "%s: %s", own, text);
	if (gql_is_kind(want->def, "ENUM"))
		return arena_printf(c->a,
			"Enum \"%s\" cannot represent non-enum value: %s.",
			type, text);
	return arena_printf(
		c->a, "Expected value of type \"%s\", found %s.", type, text);
}

static void mismatch(
	struct gql_check *c, struct value v, const struct gql_want *want)
{
	gql_fail(c, gql_place(v), "%s", mismatch_text(c, v, want));
}

static void enum_value(
	struct gql_check *c, struct value v, const struct gql_want *want)
{
	const struct gql_list *all = &want->def->enums;

	if (!gql_is_kind(want->def, "ENUM"))
		mismatch(c, v, want);
	else if (!is_def(gql_named(all, raw(v))))
		gql_fail(c, gql_place(v),
			"Value \"%s\" does not exist in \"%s\" enum.%s",
			words(c, v), gql_type_words(c, want->type),
			gql_suggest(
				c, "Did you mean the enum value", raw(v), all));
}

static void string_value(
	struct gql_check *c, struct value v, const struct gql_want *want)
{
	if (gql_is_kind(want->def, "ENUM"))
		gql_fail(c, gql_place(v),
			"Enum \"%s\" cannot represent non-enum value: %s.%s",
			gql_type_words(c, want->type), words(c, v),
			gql_suggest(c, "Did you mean the enum value", raw(v),
				&want->def->enums));
	else if (!gql_among(want->def->name, "String, ID"))
		mismatch(c, v, want);
}

static void one_of(struct gql_check *c, struct value v, const struct gql_def *d)
{
	struct gql_list all = gql_list(v, "Children");
	struct value only;

	if (all.len != 1) {
		gql_fail(c, gql_place(v),
			"OneOf Input Object \"%.*s\" must specify exactly one "
			"key.",
			STR_ARG(d->name));
		return;
	}
	only = gql_member(all.items[0], "Value");
	if (gql_kind_of(only) == GQL_NULL)
		gql_fail(c, gql_place(only),
			"Field \"%.*s.%.*s\" must be non-null.",
			STR_ARG(d->name),
			STR_ARG(d->fields.len
					? gql_text(d->fields.items[0], "Name")
					: S("")));
}

static void object_value(
	struct gql_check *c, struct value v, const struct gql_def *d)
{
	struct gql_list all = gql_list(v, "Children");

	for (uint32_t i = 0; i < d->fields.len; i++) {
		struct value f = d->fields.items[i],
			     type = gql_member(f, "Type");
		struct str name = gql_text(f, "Name");

		if (gql_is_required(f) && !is_def(gql_named(&all, name)))
			gql_fail(c, gql_place(v),
				"Field \"%.*s.%.*s\" of required type \"%s\" "
				"was not provided.",
				STR_ARG(d->name), STR_ARG(name),
				gql_type_words(c, type));
	}
	for (uint32_t i = 0; i < d->directives.len; i++)
		if (str_is(gql_text(d->directives.items[i], "Name"), "oneOf"))
			one_of(c, v, d);
	for (uint32_t i = 0; i < all.len; i++) {
		struct str name = gql_text(all.items[i], "Name");

		if (!is_def(gql_named(&d->fields, name)))
			gql_fail(c, gql_place(all.items[i]),
				"Field \"%.*s\" is not defined by type "
				"\"%.*s\".%s",
				STR_ARG(name), STR_ARG(d->name),
				gql_suggest(
					c, "Did you mean", name, &d->fields));
	}
}

/* Of which of GraphQL's own types a literal may be. */
static const char *const literals[] = {
	[GQL_INT] = "Int, Float, ID",
	[GQL_FLOAT] = "Float",
	[GQL_BOOLEAN] = "Boolean",
};

static void of_type(
	struct gql_check *c, struct value v, const struct gql_want *want)
{
	int64_t kind = gql_kind_of(v);

	if (!want->def || !is_def(want->type))
		return;
	if (kind == GQL_NULL && gql_flag(want->type, "NonNull"))
		gql_fail(c, gql_place(v),
			"Expected value of type \"%s\", found %s.",
			gql_type_words(c, want->type), words(c, v));
	if (gql_is_kind(want->def, "SCALAR") &&
		!gql_among(want->def->name, "Int, Float, String, Boolean, ID"))
		return;
	if (is_broken(c, v))
		mismatch(c, v, want);
	switch (kind) {
	case GQL_LIST:
		if (!is_def(gql_member(want->type, "Elem")))
			mismatch(c, v, want);
		break;
	case GQL_INT:
	case GQL_FLOAT:
	case GQL_BOOLEAN:
		if (!gql_among(want->def->name, literals[kind]))
			mismatch(c, v, want);
		break;
	case GQL_STRING:
	case GQL_BLOCK:
		string_value(c, v, want);
		break;
	case GQL_ENUM:
		enum_value(c, v, want);
		break;
	case GQL_OBJECT:
		object_value(c, v, want->def);
		break;
	default:
		break;
	}
}

/* --- variables -------------------------------------------------------------
 */

static int64_t variable_of(struct gql_check *c, struct value v)
{
	for (uint32_t i = 0; i < c->vars.len; i++)
		if (str_eq(gql_text(c->vars.items[i], "Variable"), raw(v)))
			return i;
	return -1;
}

/* Does a variable of type `got` suit where `want` is? Null does if `loose`. */
static bool suits(struct value got, struct value want, bool loose)
{
	while (str_eq(
		gql_text(got, "NamedType"), gql_text(want, "NamedType"))) {
		if (gql_flag(want, "NonNull") && !loose &&
			!gql_flag(got, "NonNull"))
			return false;
		if (!gql_type_enter(&got, &want))
			return !is_def(gql_member(got, "Elem"));
		loose = false;
	}
	return false;
}

static void undefined_variable(struct gql_check *c, struct value v)
{
	struct str name = gql_text(c->op, "Name");

	if (name.len)
		gql_fail(c, gql_place(v),
			"Variable \"%s\" is not defined by operation "
			"\"%.*s\".",
			words(c, v), STR_ARG(name));
	else
		gql_fail(c, gql_place(v), "Variable \"%s\" is not defined.",
			words(c, v));
}

static void variable_suits(struct gql_check *c, struct value v,
	const struct gql_want *want, struct value var)
{
	struct value type = gql_member(var, "Type");
	struct value first = gql_member(var, "DefaultValue");
	bool loose = want->has_default ||
		     (is_def(first) && gql_kind_of(first) != GQL_NULL);

	if (is_def(want->type) && !suits(type, want->type, loose))
		gql_fail(c, gql_place(v),
			"Variable \"%s\" of type \"%s\" used in position "
			"expecting type \"%s\".",
			words(c, v), gql_type_words(c, type),
			gql_type_words(c, want->type));
}

/* Values of variables by their place in memory: what they were last bound to,
   which still holds where a fragment is looked at by itself. */
static struct value variable_key(struct value v)
{
	return v_int((int64_t)(uintptr_t)v.obj);
}

static void bind(struct gql_check *c, struct value v, int64_t at)
{
	builder_set_key(&c->bound, variable_key(v),
		at < 0 ? v_null : c->vars.items[at]);
}

/* The one member of a oneOf object may not be null. */
static void one_of_variables(
	struct gql_check *c, struct value v, const struct gql_want *want)
{
	struct gql_list all = gql_list(v, "Children");

	if (!want->def ||
		!is_def(gql_named(&want->def->directives, S("oneOf"))))
		return;
	for (uint32_t i = 0; i < all.len; i++) {
		struct value x = gql_member(all.items[i], "Value"), var, type;

		if (gql_kind_of(x) != GQL_VARIABLE)
			continue;
		var = builder_get(&c->bound, variable_key(x));
		type = gql_member(var, "Type");
		if (var.tag != V_OBJ)
			continue;
		if (!gql_flag(type, "NonNull"))
			gql_fail(c, gql_place(var),
				"Variable \"%s\" is of type \"%s\" but must "
				"be non-nullable to be used for OneOf Input "
				"Object \"%.*s\".",
				words(c, x), gql_type_words(c, type),
				STR_ARG(want->def->name));
	}
}

/* --- the walk --------------------------------------------------------------
 */

struct gql_want gql_expected(struct gql_check *c, struct value node)
{
	struct value type = gql_member(node, "Type"),
		     first = gql_member(node, "DefaultValue");
	struct gql_want want = {.type = type};

	if (!is_def(type))
		return want;
	want.def = gql_type_def(c->s, type);
	want.has_default = is_def(first) && gql_kind_of(first) != GQL_NULL;
	return want;
}

/* What an element of a list, or a member of an object, has to be. */
static struct gql_want inner_want(struct gql_check *c, struct value v,
	const struct gql_want *want, struct value child)
{
	struct value elem = gql_member(want->type, "Elem");

	if (gql_kind_of(v) == GQL_LIST && is_def(elem))
		return (struct gql_want){.type = elem, .def = want->def};
	if (gql_kind_of(v) == GQL_OBJECT && want->def)
		return gql_expected(c,
			gql_named(&want->def->fields, gql_text(child, "Name")));
	return (struct gql_want){0};
}

static void unique_members(struct gql_check *c, const struct gql_list *all)
{
	struct builder seen = builder_set(c->a);

	for (uint32_t i = 0; i < all->len; i++) {
		struct str name = gql_text(all->items[i], "Name");

		if (!builder_add(&seen, v_str(c->a, name)))
			gql_fail(c, gql_place(all->items[i]),
				"There can be only one input field named "
				"\"%.*s\".",
				STR_ARG(name));
	}
}

void gql_walk_value(struct gql_check *c, struct value v, struct gql_want want)
{
	struct gql_list all = gql_list(v, "Children");
	bool is_object = gql_kind_of(v) == GQL_OBJECT;
	bool is_variable = gql_kind_of(v) == GQL_VARIABLE && is_def(c->op);
	int64_t var = is_variable ? variable_of(c, v) : -1;

	if (!gql_deeper(c))
		return;
	if (is_variable)
		bind(c, v, var);
	if (var >= 0)
		c->used[var] = true;
	if (is_object || gql_kind_of(v) == GQL_LIST)
		for (uint32_t i = 0; i < all.len && !c->st; i++)
			gql_walk_value(c, gql_member(all.items[i], "Value"),
				inner_want(c, v, &want, all.items[i]));
	if (is_variable && var < 0)
		undefined_variable(c, v);
	if (is_object)
		unique_members(c, &all);
	of_type(c, v, &want);
	if (var >= 0)
		variable_suits(c, v, &want, c->vars.items[var]);
	if (is_object)
		one_of_variables(c, v, &want);
	c->depth--;
}
