#include "rego/builtin/gql.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/limits.h"
#include "rego/builtin/operand.h"

/* Types and directives that every schema has; section 3.5, 3.13 and 4. */
static const char own_types[] =
	"scalar Int scalar Float scalar String scalar Boolean scalar ID\n"
	"directive @include(if: Boolean!) on FIELD | FRAGMENT_SPREAD |\n"
	" INLINE_FRAGMENT\n"
	"directive @skip(if: Boolean!) on FIELD | FRAGMENT_SPREAD |\n"
	" INLINE_FRAGMENT\n"
	"directive @deprecated(reason: String = \"No longer supported\") on\n"
	" FIELD_DEFINITION | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION |\n"
	" ENUM_VALUE\n"
	"directive @specifiedBy(url: String!) on SCALAR\n"
	"directive @defer(if: Boolean = true, label: String) on\n"
	" FRAGMENT_SPREAD | INLINE_FRAGMENT\n"
	"directive @oneOf on INPUT_OBJECT\n"
	"type __Schema { description: String types: [__Type!]!\n"
	" queryType: __Type! mutationType: __Type subscriptionType: __Type\n"
	" directives: [__Directive!]! }\n"
	"type __Type { kind: __TypeKind! name: String description: String\n"
	" fields(includeDeprecated: Boolean = false): [__Field!]\n"
	" interfaces: [__Type!] possibleTypes: [__Type!]\n"
	" enumValues(includeDeprecated: Boolean = false): [__EnumValue!]\n"
	" inputFields(includeDeprecated: Boolean = false): [__InputValue!]\n"
	" ofType: __Type specifiedByURL: String isOneOf: Boolean }\n"
	"type __Field { name: String! description: String\n"
	" args(includeDeprecated: Boolean = false): [__InputValue!]!\n"
	" type: __Type! isDeprecated: Boolean! deprecationReason: String }\n"
	"type __InputValue { name: String! description: String type: __Type!\n"
	" defaultValue: String isDeprecated: Boolean!\n"
	" deprecationReason: String }\n"
	"type __EnumValue { name: String! description: String\n"
	" isDeprecated: Boolean! deprecationReason: String }\n"
	"enum __TypeKind { SCALAR OBJECT INTERFACE UNION ENUM INPUT_OBJECT\n"
	" LIST NON_NULL }\n"
	"type __Directive { name: String! description: String\n"
	" locations: [__DirectiveLocation!]!\n"
	" args(includeDeprecated: Boolean = false): [__InputValue!]!\n"
	" isRepeatable: Boolean! }\n"
	"enum __DirectiveLocation { QUERY MUTATION SUBSCRIPTION FIELD\n"
	" FRAGMENT_DEFINITION FRAGMENT_SPREAD INLINE_FRAGMENT\n"
	" VARIABLE_DEFINITION SCHEMA SCALAR OBJECT FIELD_DEFINITION\n"
	" ARGUMENT_DEFINITION INTERFACE UNION ENUM ENUM_VALUE INPUT_OBJECT\n"
	" INPUT_FIELD_DEFINITION }\n";

/* --- nodes -----------------------------------------------------------------
 */

struct value gql_member(struct value node, const char *name)
{
	return node.tag == V_OBJ ? obj_get_cstr(node.obj, name) : v_undef;
}

struct str gql_str(struct value v)
{
	return v.tag == V_STR ? v_bytes(v) : S("");
}

struct str gql_text(struct value node, const char *name)
{
	return gql_str(gql_member(node, name));
}

bool gql_among(struct str word, const char *list)
{
	struct str rest = str_from(list);

	while (rest.len)
		if (str_eq(str_take(&rest, S(", ")), word))
			return true;
	return false;
}

bool gql_flag(struct value node, const char *name)
{
	return gql_member(node, name).tag == V_TRUE;
}

struct gql_list gql_list(struct value node, const char *name)
{
	struct value v = gql_member(node, name);

	if (v.tag != V_ARR)
		return (struct gql_list){0};
	return (struct gql_list){
		.items = (struct value *)(uintptr_t)v.arr->items,
		.len = v_len(v),
	};
}

void gql_list_add(struct arena *a, struct gql_list *l, struct value v)
{
	l->items = arena_grow(a, l->items, l->len, &l->cap, sizeof(v));
	l->items[l->len++] = v;
}

static void append(
	struct arena *a, struct gql_list *to, const struct gql_list *from)
{
	for (uint32_t i = 0; i < from->len; i++)
		gql_list_add(a, to, from->items[i]);
}

struct value gql_named(const struct gql_list *l, struct str name)
{
	for (uint32_t i = 0; i < l->len; i++)
		if (str_eq(gql_text(l->items[i], "Name"), name))
			return l->items[i];
	return v_undef;
}

bool gql_has_name(const struct gql_list *l, struct str name)
{
	for (uint32_t i = 0; i < l->len; i++)
		if (l->items[i].tag == V_STR &&
			str_eq(v_bytes(l->items[i]), name))
			return true;
	return false;
}

struct value gql_place(struct value node)
{
	return gql_member(node, "Position");
}

int64_t gql_kind_of(struct value v)
{
	struct value kind = gql_member(v, "Kind");

	return kind.tag == V_INT ? kind.i : -1;
}

/* --- types -----------------------------------------------------------------
 */

struct str gql_type_name(struct value type)
{
	for (unsigned i = 0; i < LIMIT_JSON_DEPTH; i++) {
		struct str name = gql_text(type, "NamedType");

		if (name.len || !is_def(gql_member(type, "Elem")))
			return name;
		type = gql_member(type, "Elem");
	}
	return S("");
}

bool gql_type_enter(struct value *x, struct value *y)
{
	struct value in_x = gql_member(*x, "Elem"),
		     in_y = gql_member(*y, "Elem");

	if (!is_def(in_x) || !is_def(in_y))
		return false;
	*x = in_x;
	*y = in_y;
	return true;
}

void gql_type_text(struct buf *out, struct value type)
{
	struct str name = gql_text(type, "NamedType");

	if (name.len) {
		buf_addstr(out, name);
	} else {
		buf_addc(out, '[');
		if (is_def(gql_member(type, "Elem")))
			gql_type_text(out, gql_member(type, "Elem"));
		buf_addc(out, ']');
	}
	if (gql_flag(type, "NonNull"))
		buf_addc(out, '!');
}

bool gql_is_required(struct value input)
{
	return gql_flag(gql_member(input, "Type"), "NonNull") &&
	       !is_def(gql_member(input, "DefaultValue"));
}

/* --- reading ---------------------------------------------------------------
 */

struct reading {
	struct bi_ctx *cx;
	struct gql_schema *s;
	enum bi_status st;
	unsigned depth;
};

static void fail(struct reading *r, struct value place, const char *fmt, ...)
	PRINTF(3, 4);
static void fail(struct reading *r, struct value place, const char *fmt, ...)
{
	char what[600], where[64] = "input";
	va_list ap;

	if (r->st)
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (place.tag == V_ARR && v_len(place) == 2)
		snprintf(where, sizeof(where), "input:%lld:%lld",
			(long long)place.arr->items[0].i,
			(long long)place.arr->items[1].i);
	r->st = bi_error(r->cx,
		"Error in gqlparser SchemaDocument to Schema conversion: "
		"%s: %s",
		where, what);
}

struct gql_def *gql_def_find(const struct gql_schema *s, struct str name)
{
	struct value at = builder_get(&s->names, v_str(s->arena, name));

	return is_def(at) ? &s->defs[at.i] : NULL;
}

struct value gql_directive(const struct gql_schema *s, struct str name)
{
	return builder_get(&s->directives, v_str(s->arena, name));
}

struct gql_def *gql_type_def(const struct gql_schema *s, struct value type)
{
	return gql_def_find(s, gql_type_name(type));
}

static struct gql_def *def_new(struct gql_schema *s, struct value node)
{
	struct gql_def *d;
	struct str name = gql_text(node, "Name");
	struct value old;

	s->defs = arena_grow(
		s->arena, s->defs, s->ndefs, &s->capdefs, sizeof(*s->defs));
	d = &s->defs[s->ndefs];
	*d = (struct gql_def){
		.name = name,
		.kind = gql_text(node, "Kind"),
		.place = gql_place(node),
		.is_own = gql_flag(node, "BuiltIn"),
	};
	builder_put(&s->names, v_str(s->arena, name), v_int(s->ndefs), &old);
	s->ndefs++;
	return d;
}

static void def_extend(
	struct gql_schema *s, struct gql_def *d, struct value node)
{
	const struct {
		struct gql_list *to;
		const char *name;
	} lists[] = {
		{&d->fields, "Fields"},
		{&d->interfaces, "Interfaces"},
		{&d->types, "Types"},
		{&d->places, "TypePositions"},
		{&d->enums, "EnumValues"},
		{&d->directives, "Directives"},
	};

	for (size_t i = 0; i < COUNT(lists); i++) {
		struct gql_list more = gql_list(node, lists[i].name);

		append(s->arena, lists[i].to, &more);
	}
}

static void read_definitions(struct reading *r, struct value doc, bool own)
{
	struct gql_list all = gql_list(doc, "Definitions");

	for (uint32_t i = 0; i < all.len && !r->st; i++) {
		struct str name = gql_text(all.items[i], "Name");
		struct gql_def *d;

		if (gql_def_find(r->s, name)) {
			fail(r, gql_place(all.items[i]),
				"Cannot redeclare type %.*s.", STR_ARG(name));
			return;
		}
		d = def_new(r->s, all.items[i]);
		d->is_own |= own;
		def_extend(r->s, d, all.items[i]);
	}
}

static void read_extensions(struct reading *r, struct value doc)
{
	struct gql_list all = gql_list(doc, "Extensions");

	for (uint32_t i = 0; i < all.len && !r->st; i++) {
		struct value node = all.items[i];
		struct str name = gql_text(node, "Name"),
			   kind = gql_text(node, "Kind");
		struct gql_def *d = gql_def_find(r->s, name);

		if (!d) {
			d = def_new(r->s, node);
			d->is_own = false;
		}
		if (!str_eq(d->kind, kind))
			fail(r, gql_place(node),
				"Cannot extend type %.*s because the base "
				"type is a %.*s, not %.*s.",
				STR_ARG(name), STR_ARG(d->kind), STR_ARG(kind));
		def_extend(r->s, d, node);
	}
}

static bool may_be_redeclared(struct str name)
{
	return gql_among(
		name, "include, skip, deprecated, specifiedBy, defer, oneOf");
}

/* Of two with the name of one of GraphQL's own, the second counts. */
static void read_directives(struct reading *r, struct value doc)
{
	struct gql_list all = gql_list(doc, "Directives");

	for (uint32_t i = 0; i < all.len && !r->st; i++) {
		struct str name = gql_text(all.items[i], "Name");

		if (is_def(gql_directive(r->s, name)) &&
			!may_be_redeclared(name))
			fail(r, gql_place(all.items[i]),
				"Cannot redeclare directive %.*s.",
				STR_ARG(name));
		builder_set_key(&r->s->directives, v_str(r->s->arena, name),
			all.items[i]);
	}
}

/* --- directives where they are used ----------------------------------------
 */

static void check_name(struct reading *r, struct value place, struct str name)
{
	if (str_starts(name, S("__")))
		fail(r, place,
			"Name \"%.*s\" must not begin with \"__\", which is "
			"reserved by GraphQL introspection.",
			STR_ARG(name));
}

static void check_arguments_given(
	struct reading *r, struct value use, struct value def)
{
	struct gql_list given = gql_list(use, "Arguments"),
			defined = gql_list(def, "Arguments");
	struct str name = gql_text(use, "Name");

	for (uint32_t i = 0; i < given.len; i++) {
		struct str arg = gql_text(given.items[i], "Name");

		if (!is_def(gql_named(&defined, arg)))
			fail(r, gql_place(given.items[i]),
				"Undefined argument %.*s for directive %.*s.",
				STR_ARG(arg), STR_ARG(name));
	}
	for (uint32_t i = 0; i < defined.len; i++) {
		struct value d = defined.items[i];
		struct value arg = gql_named(&given, gql_text(d, "Name"));

		if (gql_is_required(d) &&
			(!is_def(arg) || gql_kind_of(gql_member(
						 arg, "Value")) == GQL_NULL))
			fail(r, gql_place(use),
				"Argument %.*s for directive %.*s cannot be "
				"null.",
				STR_ARG(gql_text(d, "Name")), STR_ARG(name));
	}
}

static bool used_before(const struct gql_list *uses, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++)
		if (str_eq(gql_text(uses->items[k], "Name"),
			    gql_text(uses->items[i], "Name")))
			return true;
	return false;
}

/* `self` is the directive in whose definition this stands, or empty. */
static void check_directives(struct reading *r, const struct gql_list *uses,
	struct str location, struct str self, bool one_place)
{
	for (uint32_t i = 0; i < uses->len && !r->st; i++) {
		struct value use = uses->items[i], place = gql_place(use);
		struct str name = gql_text(use, "Name");
		struct value def = gql_directive(r->s, name);
		struct gql_list where = gql_list(def, "Locations");

		check_name(r, place, name);
		if (self.len && str_eq(self, name))
			fail(r, place, "Directive %.*s cannot refer to itself.",
				STR_ARG(name));
		if (!is_def(def)) {
			fail(r, place, "Undefined directive %.*s.",
				STR_ARG(name));
			return;
		}
		if (one_place && !gql_flag(def, "IsRepeatable") &&
			used_before(uses, i))
			fail(r, place,
				"The directive %.*s can only be used once at "
				"this location.",
				STR_ARG(name));
		if (!gql_has_name(&where, location))
			fail(r, place,
				"Directive %.*s is not applicable on %.*s.",
				STR_ARG(name), STR_ARG(location));
		check_arguments_given(r, use, def);
	}
}

static void check_node_directives(struct reading *r, struct value node,
	const char *location, struct str self)
{
	struct gql_list uses = gql_list(node, "Directives");

	check_directives(r, &uses, str_from(location), self, true);
}

/* --- definitions ------------------------------------------------------------
 */

bool gql_is_kind(const struct gql_def *d, const char *kinds)
{
	return gql_among(d->kind, kinds);
}

static void check_arguments(
	struct reading *r, const struct gql_list *args, struct str self)
{
	for (uint32_t i = 0; i < args->len && !r->st; i++) {
		struct value arg = args->items[i],
			     type = gql_member(arg, "Type");
		struct str name = gql_text(arg, "Name");
		const struct gql_def *d = gql_type_def(r->s, type);
		struct buf b = {0};

		check_name(r, gql_place(arg), name);
		if (!d) {
			fail(r, gql_place(type), "Undefined type %.*s.",
				STR_ARG(gql_type_name(type)));
			return;
		}
		gql_type_text(&b, type);
		if (!gql_is_kind(d, "SCALAR, ENUM, INPUT_OBJECT"))
			fail(r, gql_place(arg),
				"cannot use %.*s as argument %.*s because "
				"%.*s is not a valid input type",
				STR_ARG(buf_str(&b)), STR_ARG(name),
				STR_ARG(d->kind));
		buf_release(&b);
		check_node_directives(r, arg, "ARGUMENT_DEFINITION", self);
	}
}

static void check_fields(struct reading *r, const struct gql_def *d)
{
	bool input = str_is(d->kind, "INPUT_OBJECT");

	for (uint32_t i = 0; i < d->fields.len && !r->st; i++) {
		struct value f = d->fields.items[i],
			     type = gql_member(f, "Type");
		struct gql_list args = gql_list(f, "Arguments");

		check_name(r, gql_place(f), gql_text(f, "Name"));
		if (!gql_type_def(r->s, type))
			fail(r, gql_place(type), "Undefined type %.*s.",
				STR_ARG(gql_type_name(type)));
		check_arguments(r, &args, S(""));
		check_node_directives(r, f,
			input ? "INPUT_FIELD_DEFINITION" : "FIELD_DEFINITION",
			S(""));
	}
}

static void check_union(struct reading *r, const struct gql_def *d)
{
	for (uint32_t i = 0; i < d->types.len && !r->st; i++) {
		struct str name = gql_str(d->types.items[i]);
		const struct gql_def *t = gql_def_find(r->s, name);

		if (!t)
			fail(r, d->place, "Undefined type \"%.*s\".",
				STR_ARG(name));
		else if (!gql_is_kind(t, "OBJECT"))
			fail(r, d->place, "%.*s type \"%.*s\" must be OBJECT.",
				STR_ARG(d->kind), STR_ARG(name));
	}
}

/* The types of a union, and all that implement an interface. */
static bool is_possible(
	const struct gql_schema *s, struct str wide, struct str narrow)
{
	const struct gql_def *w = gql_def_find(s, wide),
			     *n = gql_def_find(s, narrow);

	return (w && str_is(w->kind, "UNION") &&
		       gql_has_name(&w->types, narrow)) ||
	       (n && gql_has_name(&n->interfaces, wide));
}

static bool is_covariant(
	const struct gql_schema *s, struct value want, struct value got)
{
	for (unsigned i = 0; i < LIMIT_JSON_DEPTH; i++) {
		struct str w = gql_text(want, "NamedType"),
			   g = gql_text(got, "NamedType");

		if (gql_flag(want, "NonNull") && !gql_flag(got, "NonNull"))
			return false;
		if (w.len)
			return str_eq(w, g) || is_possible(s, w, g);
		if (!gql_type_enter(&want, &got))
			return !is_def(gql_member(want, "Elem"));
	}
	return false;
}

/* An argument of type `want` takes what one of type `got` does. */
static bool is_compatible(struct value want, struct value got)
{
	for (unsigned i = 0; i < LIMIT_JSON_DEPTH; i++) {
		if (!str_eq(gql_text(want, "NamedType"),
			    gql_text(got, "NamedType")))
			return false;
		if (gql_flag(got, "NonNull") && !gql_flag(want, "NonNull"))
			return false;
		if (!gql_type_enter(&want, &got))
			return !is_def(gql_member(want, "Elem"));
	}
	return false;
}

/* Those of the interface's field `want` are in `got`, of types that suit. */
static void check_wanted_arguments(struct reading *r, const struct gql_def *d,
	const struct gql_def *i, struct value want, struct value got)
{
	struct gql_list wanted = gql_list(want, "Arguments"),
			found = gql_list(got, "Arguments");
	struct str field = gql_text(want, "Name");

	for (uint32_t k = 0; k < wanted.len; k++) {
		struct str name = gql_text(wanted.items[k], "Name");
		struct value arg = gql_named(&found, name);

		if (!is_def(arg))
			fail(r, gql_place(got),
				"For %.*s to implement %.*s the field %.*s "
				"must have the same arguments but it is "
				"missing %.*s.",
				STR_ARG(d->name), STR_ARG(i->name),
				STR_ARG(field), STR_ARG(name));
		else if (!is_compatible(gql_member(wanted.items[k], "Type"),
				 gql_member(arg, "Type")))
			fail(r, gql_place(arg),
				"For %.*s to implement %.*s the field %.*s "
				"must have the same arguments but %.*s has "
				"the wrong type.",
				STR_ARG(d->name), STR_ARG(i->name),
				STR_ARG(field), STR_ARG(name));
	}
}

/* What `got` has beyond those of `want` need not be given. */
static void check_more_arguments(struct reading *r, const struct gql_def *d,
	const struct gql_def *i, struct value want, struct value got)
{
	struct gql_list wanted = gql_list(want, "Arguments"),
			found = gql_list(got, "Arguments");

	for (uint32_t k = 0; k < found.len; k++) {
		struct value arg = found.items[k];
		struct str name = gql_text(arg, "Name");

		if (!is_def(gql_named(&wanted, name)) && gql_is_required(arg))
			fail(r, gql_place(arg),
				"For %.*s to implement %.*s any additional "
				"arguments on %.*s must be optional or have a "
				"default value but %.*s is required.",
				STR_ARG(d->name), STR_ARG(i->name),
				STR_ARG(gql_text(want, "Name")), STR_ARG(name));
	}
}

static void check_field_of(struct reading *r, const struct gql_def *d,
	const struct gql_def *i, struct value want)
{
	struct str name = gql_text(want, "Name");
	struct value got = gql_named(&d->fields, name);
	struct buf b = {0};

	if (!is_def(got)) {
		fail(r, d->place,
			"For %.*s to implement %.*s it must have a field "
			"called %.*s.",
			STR_ARG(d->name), STR_ARG(i->name), STR_ARG(name));
		return;
	}
	gql_type_text(&b, gql_member(want, "Type"));
	if (!is_covariant(
		    r->s, gql_member(want, "Type"), gql_member(got, "Type")))
		fail(r, gql_place(got),
			"For %.*s to implement %.*s the field %.*s must have "
			"type %.*s.",
			STR_ARG(d->name), STR_ARG(i->name), STR_ARG(name),
			STR_ARG(buf_str(&b)));
	buf_release(&b);
	check_wanted_arguments(r, d, i, want, got);
	check_more_arguments(r, d, i, want, got);
}

static void check_inherited(
	struct reading *r, const struct gql_def *d, const struct gql_def *i)
{
	for (uint32_t k = 0; k < i->interfaces.len && !r->st; k++) {
		struct str up = gql_str(i->interfaces.items[k]);

		if (gql_has_name(&d->interfaces, up))
			continue;
		if (str_eq(up, d->name))
			fail(r, d->place,
				"Type %.*s cannot implement %.*s because it "
				"would create a circular reference.",
				STR_ARG(d->name), STR_ARG(i->name));
		else
			fail(r, d->place,
				"Type %.*s must implement %.*s because it is "
				"implemented by %.*s.",
				STR_ARG(d->name), STR_ARG(up),
				STR_ARG(i->name));
	}
}

static void check_interfaces(struct reading *r, const struct gql_def *d)
{
	for (uint32_t k = 0; k < d->interfaces.len && !r->st; k++) {
		struct str name = gql_str(d->interfaces.items[k]);
		const struct gql_def *i = gql_def_find(r->s, name);

		if (!i) {
			fail(r, d->place, "Undefined type \"%.*s\".",
				STR_ARG(name));
			return;
		}
		if (!str_is(i->kind, "INTERFACE"))
			fail(r, d->place,
				"\"%.*s\" is a non interface type %.*s.",
				STR_ARG(name), STR_ARG(i->kind));
		for (uint32_t f = 0; f < i->fields.len && !r->st; f++)
			check_field_of(r, d, i, i->fields.items[f]);
		check_inherited(r, d, i);
	}
}

static void check_enum(struct reading *r, const struct gql_def *d)
{
	for (uint32_t i = 0; i < d->enums.len && !r->st; i++) {
		struct str name = gql_text(d->enums.items[i], "Name");

		if (gql_among(name, "true, false, null"))
			fail(r, d->place, "%.*s %.*s: non-enum value %.*s.",
				STR_ARG(d->kind), STR_ARG(d->name),
				STR_ARG(name));
		check_node_directives(
			r, d->enums.items[i], "ENUM_VALUE", S(""));
	}
}

static void check_field_kinds(
	struct reading *r, const struct gql_def *d, const char *kinds)
{
	bool input = str_is(d->kind, "INPUT_OBJECT");

	for (uint32_t i = 0; i < d->fields.len && !r->st; i++) {
		struct value f = d->fields.items[i];
		const struct gql_def *t =
			gql_type_def(r->s, gql_member(f, "Type"));
		struct str kind = input && t ? t->kind : d->kind;
		struct str name = input ? gql_text(f, "Name") : d->name;

		if (t && !gql_is_kind(t, kinds))
			fail(r, gql_place(f),
				"%.*s %.*s: field must be one of %s.",
				STR_ARG(kind), STR_ARG(name), kinds);
	}
}

/* What each kind must have, and of which kinds its fields may be. */
/* clang-format off */
static const struct {
	const char *kind, *needs, *fields;
} kinds[] = {
	{"OBJECT",       "fields",             "SCALAR, OBJECT, INTERFACE, UNION, ENUM"},
	{"INTERFACE",    "fields",             "SCALAR, OBJECT, INTERFACE, UNION, ENUM"},
	{"ENUM",         "unique enum values", NULL},
	{"INPUT_OBJECT", "input fields",       "SCALAR, ENUM, INPUT_OBJECT"},
};
/* clang-format on */

static void check_members(struct reading *r, const struct gql_def *d)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (!str_is(d->kind, kinds[i].kind))
			continue;
		if (!(kinds[i].fields ? d->fields.len : d->enums.len))
			fail(r, d->place,
				"%.*s %.*s: must define one or more %s.",
				STR_ARG(d->kind), STR_ARG(d->name),
				kinds[i].needs);
		if (kinds[i].fields)
			check_field_kinds(r, d, kinds[i].fields);
		else
			check_enum(r, d);
	}
}

/* The second of two nodes of one name, or undefined. */
static struct value repeated(const struct gql_list *l)
{
	for (uint32_t i = 0; i < l->len; i++)
		for (uint32_t k = i + 1; k < l->len; k++)
			if (str_eq(gql_text(l->items[i], "Name"),
				    gql_text(l->items[k], "Name")))
				return l->items[k];
	return v_undef;
}

static void check_repeated(struct reading *r, const struct gql_def *d)
{
	struct value f = repeated(&d->fields), e = repeated(&d->enums);

	if (is_def(f))
		fail(r, gql_place(f),
			"Field %.*s.%.*s can only be defined once.",
			STR_ARG(d->name), STR_ARG(gql_text(f, "Name")));
	if (is_def(e))
		fail(r, gql_place(e),
			"Enum value %.*s.%.*s can only be defined once.",
			STR_ARG(d->name), STR_ARG(gql_text(e, "Name")));
	for (uint32_t i = 0; i < d->types.len; i++)
		for (uint32_t k = i + 1; k < d->types.len; k++)
			if (value_eq(d->types.items[i], d->types.items[k]))
				fail(r,
					d->places.len == d->types.len
						? d->places.items[k]
						: d->place,
					"Union type %.*s can only include "
					"type %.*s once.",
					STR_ARG(d->name),
					STR_ARG(gql_str(d->types.items[k])));
}

static void check_definition(struct reading *r, const struct gql_def *d)
{
	check_fields(r, d);
	check_union(r, d);
	check_interfaces(r, d);
	check_members(r, d);
	check_repeated(r, d);
	if (!d->is_own)
		check_name(r, d->place, d->name);
	check_directives(r, &d->directives, d->kind, S(""), false);
}

/* --- input objects that need themselves --------------------------------------
 */

struct cycle {
	struct reading *r;
	uint8_t *seen;        /* by number: 1 visited, 2 on the path */
	struct value *path;   /* fields */
	uint32_t *types, len; /* whose fields those are */
};

/* From where the path has been at the type `at` before. */
static void cycle_found(struct cycle *c, uint32_t at)
{
	struct buf b = {0};
	uint32_t from = 0;

	while (from < c->len && c->types[from] != at)
		from++;
	for (uint32_t i = from; i < c->len; i++) {
		if (i > from)
			buf_addc(&b, '.');
		buf_addstr(&b, gql_text(c->path[i], "Name"));
	}
	fail(c->r, gql_place(c->path[from]),
		"Cannot reference Input Object \"%.*s\" within itself through "
		"a series of non-null fields: \"%.*s\".",
		STR_ARG(c->r->s->defs[at].name), STR_ARG(buf_str(&b)));
	buf_release(&b);
}

static void cycle_walk(struct cycle *c, uint32_t at)
{
	const struct gql_def *d = &c->r->s->defs[at];

	if (c->seen[at] || c->r->st)
		return;
	if (c->len >= LIMIT_CALL_DEPTH) {
		c->r->st = bi_limit(c->r->cx,
			"input objects need each other more than %u deep",
			LIMIT_CALL_DEPTH);
		return;
	}
	c->seen[at] = 2;
	for (uint32_t i = 0; i < d->fields.len && !c->r->st; i++) {
		struct value type = gql_member(d->fields.items[i], "Type");
		const struct gql_def *t =
			gql_def_find(c->r->s, gql_text(type, "NamedType"));
		uint32_t next;

		if (!gql_flag(type, "NonNull") || !t ||
			!str_is(t->kind, "INPUT_OBJECT"))
			continue;
		next = (uint32_t)(t - c->r->s->defs);
		c->types[c->len] = at;
		c->path[c->len++] = d->fields.items[i];
		if (c->seen[next] == 2)
			cycle_found(c, next);
		cycle_walk(c, next);
		c->len--;
	}
	c->seen[at] = 1;
}

/* --- the whole ---------------------------------------------------------------
 */

static int by_name(const void *a, const void *b)
{
	const struct gql_def *x = *(const struct gql_def *const *)a,
			     *y = *(const struct gql_def *const *)b;

	return str_cmp(x->name, y->name);
}

static void check_definitions(struct reading *r)
{
	struct gql_schema *s = r->s;
	const struct gql_def **sorted =
		ARENA_ARRAY(s->arena, const struct gql_def *, s->ndefs + 1u);
	struct cycle c = {
		.r = r,
		.seen = ARENA_ARRAY(s->arena, uint8_t, s->ndefs + 1u),
		.path = ARENA_ARRAY(s->arena, struct value, s->ndefs + 1u),
		.types = ARENA_ARRAY(s->arena, uint32_t, s->ndefs + 1u),
	};

	for (uint32_t i = 0; i < s->ndefs; i++)
		sorted[i] = &s->defs[i];
	qsort(sorted, s->ndefs, sizeof(*sorted), by_name);
	for (uint32_t i = 0; i < s->ndefs && !r->st; i++)
		check_definition(r, sorted[i]);
	for (uint32_t i = 0; i < s->ndefs && !r->st; i++)
		if (str_is(sorted[i]->kind, "INPUT_OBJECT"))
			cycle_walk(&c, (uint32_t)(sorted[i] - s->defs));
}

static void check_directive_definitions(struct reading *r)
{
	struct builder *b = &r->s->directives;

	for (uint32_t i = 0; i < b->len && !r->st; i++) {
		struct gql_list args = gql_list(b->vals[i], "Arguments");
		struct str name = gql_text(b->vals[i], "Name");

		check_name(r, gql_place(b->vals[i]), name);
		check_arguments(r, &args, name);
	}
}

static void set_root(
	struct gql_schema *s, struct str operation, struct value type)
{
	if (str_is(operation, "query"))
		s->query = type;
	else if (str_is(operation, "mutation"))
		s->mutation = type;
	else if (str_is(operation, "subscription"))
		s->subscription = type;
}

static void default_root(
	struct gql_schema *s, struct value *root, const char *name)
{
	if (!is_def(*root) && gql_def_find(s, str_from(name)))
		*root = v_cstr(s->arena, name);
}

/* What every query may ask for: section 4.1. */
static void add_introspection(struct reading *r)
{
	static const char fields[] = "type Query { __schema: __Schema! "
				     "__type(name: String!): __Type }";
	struct gql_def *d = is_def(r->s->query)
				    ? gql_def_find(r->s, gql_str(r->s->query))
				    : NULL;
	struct gql_list defs, more;
	struct value doc;

	if (!d || r->st)
		return;
	r->st = gql_parse_schema(r->cx, str_from(fields), &doc);
	if (r->st)
		return;
	defs = gql_list(doc, "Definitions");
	more = gql_list(defs.items[0], "Fields");
	append(r->s->arena, &d->fields, &more);
}

/* Names that stand for roots where there is no schema definition. */
static void finish_roots(struct reading *r, struct value doc)
{
	if (!gql_list(doc, "Schema").len) {
		default_root(r->s, &r->s->query, "Query");
		default_root(r->s, &r->s->mutation, "Mutation");
		default_root(r->s, &r->s->subscription, "Subscription");
	}
	add_introspection(r);
}

static void check_roots(struct reading *r, struct value schema)
{
	struct gql_list roots = gql_list(schema, "OperationTypes");

	for (uint32_t i = 0; i < roots.len && !r->st; i++) {
		struct value root = roots.items[i];
		struct str type = gql_text(root, "Type");

		set_root(r->s, gql_text(root, "Operation"),
			gql_member(root, "Type"));
		if (!gql_def_find(r->s, type))
			fail(r, gql_place(root),
				"Schema root %.*s refers to a type %.*s that "
				"does not exist.",
				STR_ARG(gql_text(root, "Operation")),
				STR_ARG(type));
	}
	check_node_directives(r, schema, "SCHEMA", S(""));
}

static void check_schemas(struct reading *r, struct value doc)
{
	struct gql_list own = gql_list(doc, "Schema"),
			more = gql_list(doc, "SchemaExtension");

	if (own.len > 1)
		fail(r, gql_place(own.items[1]),
			"Cannot have multiple schema entry points, consider "
			"schema extensions instead.");
	if (own.len)
		check_roots(r, own.items[0]);
	for (uint32_t i = 0; i < more.len; i++)
		check_roots(r, more.items[i]);
}

enum bi_status gql_schema_read(
	struct bi_ctx *cx, struct value doc, struct gql_schema *out)
{
	struct reading r = {.cx = cx, .s = out};
	struct value own;
	enum bi_status st = gql_parse_schema(cx, str_from(own_types), &own);

	*out = (struct gql_schema){
		.arena = cx->arena,
		.names = builder_obj(cx->arena),
		.directives = builder_obj(cx->arena),
	};
	if (st)
		return st;
	read_definitions(&r, own, true);
	read_definitions(&r, doc, false);
	read_extensions(&r, doc);
	read_directives(&r, own);
	read_directives(&r, doc);
	check_schemas(&r, doc);
	check_definitions(&r);
	check_directive_definitions(&r);
	finish_roots(&r, doc);
	return r.st;
}
