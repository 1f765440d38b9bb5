/*
 * GraphQL documents that come as objects: those of graphql.parse_query and
 * graphql.parse_schema, or made by a policy. They are read by tables of what a
 * node may hold; texts, numbers and flags that are not there are put in.
 */
#include <string.h>

#include "rego/builtin/gql.h"

#define LIMIT_TREE_LEVELS 2000u

enum shape {
	TEXT,   /* "" where it is not there */
	NUMBER, /* 0 */
	FLAG,   /* false */
	NAMES,  /* an array of texts */
	NODE,   /* of `node` */
	NEEDED, /* the same, and never left out */
	NODES,  /* an array of those */
	IGNORED,
};

enum node {
	N_QUERY,
	N_OPERATION,
	N_FRAGMENT,
	N_VARIABLE,
	N_SELECTION,
	N_DIRECTIVE,
	N_ARGUMENT,
	N_VALUE,
	N_CHILD,
	N_TYPE,
	N_COMMENTS,
	N_COMMENT,
	N_SCHEMA_DOC,
	N_SCHEMA,
	N_ROOT,
	N_DEFINITION,
	N_FIELD,
	N_INPUT,
	N_ENUM_VALUE,
	N_DIRECTIVE_DEFINITION,
	N_COUNT,
};

struct member {
	const char *name;
	uint8_t shape; /* enum shape */
	uint8_t node;  /* enum node */
};

enum { MEMBERS = 14 };

#define DESCRIBED                                                              \
	{"Description", TEXT, 0},                                              \
		{"BeforeDescriptionComment", NODE, N_COMMENTS},                \
	{                                                                      \
		"AfterDescriptionComment", NODE, N_COMMENTS                    \
	}

/* clang-format off */
static const struct member members[N_COUNT][MEMBERS] = {
	[N_QUERY] = {
		{"Operations", NODES, N_OPERATION},
		{"Fragments",  NODES, N_FRAGMENT},
		{"Comment",    NODE,  N_COMMENTS},
	},
	[N_OPERATION] = {
		{"Operation",           TEXT,  0},
		{"Name",                TEXT,  0},
		{"VariableDefinitions", NODES, N_VARIABLE},
		{"Directives",          NODES, N_DIRECTIVE},
		{"SelectionSet",        NODES, N_SELECTION},
		{"Comment",             NODE,  N_COMMENTS},
	},
	[N_FRAGMENT] = {
		{"Name",               TEXT,  0},
		{"VariableDefinition", NODES, N_VARIABLE},
		{"TypeCondition",      TEXT,  0},
		{"Directives",         NODES, N_DIRECTIVE},
		{"SelectionSet",       NODES, N_SELECTION},
		{"Comment",            IGNORED, 0},
	},
	[N_VARIABLE] = {
		{"Variable",     TEXT,  0},
		{"Type", NEEDED, N_TYPE},
		{"DefaultValue", NODE,  N_VALUE},
		{"Directives",   NODES, N_DIRECTIVE},
		{"Used",         FLAG,  0},
		{"Comment",      NODE,  N_COMMENTS},
	},
	[N_SELECTION] = {
		{"Alias",         TEXT,  0},
		{"Name",          TEXT,  0},
		{"Arguments",     NODES, N_ARGUMENT},
		{"Directives",    NODES, N_DIRECTIVE},
		{"SelectionSet",  NODES, N_SELECTION},
		{"TypeCondition", IGNORED, 0},
		{"Comment",       IGNORED, 0},
	},
	[N_DIRECTIVE] = {
		{"Name",      TEXT,  0},
		{"Arguments", NODES, N_ARGUMENT},
		{"Location",  TEXT,  0},
	},
	[N_ARGUMENT] = {
		{"Name",    TEXT, 0},
		{"Value", NEEDED, N_VALUE},
		{"Comment", NODE, N_COMMENTS},
	},
	[N_VALUE] = {
		{"Raw",                    TEXT,   0},
		{"Kind",                   NUMBER, 0},
		{"Children",               NODES,  N_CHILD},
		{"ExpectedTypeHasDefault", FLAG,   0},
		{"Comment",                NODE,   N_COMMENTS},
	},
	[N_CHILD] = {
		{"Name",    TEXT, 0},
		{"Value", NEEDED, N_VALUE},
		{"Comment", NODE, N_COMMENTS},
	},
	[N_TYPE] = {
		{"NamedType", TEXT, 0},
		{"Elem",      NODE, N_TYPE},
		{"NonNull",   FLAG, 0},
	},
	[N_COMMENTS] = {{"List", NODES, N_COMMENT}},
	[N_COMMENT] = {{"Value", TEXT, 0}},
	[N_SCHEMA_DOC] = {
		{"Schema",          NODES, N_SCHEMA},
		{"SchemaExtension", NODES, N_SCHEMA},
		{"Directives",      NODES, N_DIRECTIVE_DEFINITION},
		{"Definitions",     NODES, N_DEFINITION},
		{"Extensions",      NODES, N_DEFINITION},
		{"Comment",         NODE,  N_COMMENTS},
	},
	[N_SCHEMA] = {
		DESCRIBED,
		{"Directives",     NODES, N_DIRECTIVE},
		{"OperationTypes", NODES, N_ROOT},
		{"EndOfDefinitionComment", NODE, N_COMMENTS},
	},
	[N_ROOT] = {
		{"Operation", TEXT, 0},
		{"Type",      TEXT, 0},
		{"Comment",   NODE, N_COMMENTS},
	},
	[N_DEFINITION] = {
		DESCRIBED,
		{"Kind",       TEXT,  0},
		{"Name",       TEXT,  0},
		{"Directives", NODES, N_DIRECTIVE},
		{"Interfaces", NAMES, 0},
		{"Fields",     NODES, N_FIELD},
		{"Types",      NAMES, 0},
		{"EnumValues", NODES, N_ENUM_VALUE},
		{"BuiltIn",    FLAG,  0},
		{"EndOfDefinitionComment", NODE, N_COMMENTS},
	},
	[N_FIELD] = {
		DESCRIBED,
		{"Name",         TEXT,  0},
		{"Arguments",    NODES, N_INPUT},
		{"DefaultValue", NODE,  N_VALUE},
		{"Type", NEEDED, N_TYPE},
		{"Directives",   NODES, N_DIRECTIVE},
	},
	[N_INPUT] = {
		DESCRIBED,
		{"Name",         TEXT,  0},
		{"DefaultValue", NODE,  N_VALUE},
		{"Type", NEEDED, N_TYPE},
		{"Directives",   NODES, N_DIRECTIVE},
	},
	[N_ENUM_VALUE] = {
		DESCRIBED,
		{"Name",       TEXT,  0},
		{"Directives", NODES, N_DIRECTIVE},
	},
	[N_DIRECTIVE_DEFINITION] = {
		DESCRIBED,
		{"Name",         TEXT,  0},
		{"Arguments",    NODES, N_INPUT},
		{"Locations",    NAMES, 0},
		{"IsRepeatable", FLAG,  0},
	},
};
/* clang-format on */

struct tree {
	struct bi_ctx *cx;
	unsigned depth;
	enum bi_status st;
};

static struct value refuse(struct tree *t, const char *name)
{
	if (!t->st)
		t->st = bi_limit(t->cx,
			"GraphQL document has a member \"%s\" that no parsed "
			"one has",
			name);
	return v_undef;
}

static struct value node_of(struct tree *t, struct value v, enum node node);

static struct value items(
	struct tree *t, const struct member *m, struct value v)
{
	uint32_t n = v.tag == V_ARR ? v_len(v) : 0;
	struct value *all = ARENA_ARRAY(t->cx->arena, struct value, n + 1u);

	if (v.tag != V_ARR)
		return refuse(t, m->name);
	for (uint32_t i = 0; i < n && !t->st; i++) {
		all[i] = v.arr->items[i];
		if (m->shape == NODES)
			all[i] = node_of(t, all[i], (enum node)m->node);
		else if (all[i].tag != V_STR)
			refuse(t, m->name);
	}
	return v_arr(t->cx->arena, all, n);
}

/* What stands where nothing does. */
static struct value empty(struct tree *t, const struct member *m)
{
	if (m->shape == TEXT)
		return v_cstr(t->cx->arena, "");
	if (m->shape == NUMBER)
		return v_int(0);
	if (m->shape == FLAG)
		return v_bool(false);
	if (m->shape == NEEDED && !t->st)
		t->st = bi_limit(t->cx,
			"GraphQL document lacks a member \"%s\"", m->name);
	return v_undef;
}

static struct value shaped(
	struct tree *t, const struct member *m, struct value v)
{
	if (m->shape == IGNORED)
		return v_undef;
	if (!is_def(v) || v.tag == V_NULL)
		return empty(t, m);
	if (m->shape == NODES || m->shape == NAMES)
		return items(t, m, v);
	if (m->shape == NODE || m->shape == NEEDED)
		return node_of(t, v, (enum node)m->node);
	if ((m->shape == TEXT && v.tag != V_STR) ||
		(m->shape == FLAG && !is_bool(v)) ||
		(m->shape == NUMBER && (v.tag != V_INT || v.i < 0 || v.i > 9)))
		return refuse(t, m->name);
	return v;
}

static bool is_member(enum node node, struct value key)
{
	for (size_t i = 0; i < MEMBERS && members[node][i].name; i++)
		if (str_is(v_bytes(key), members[node][i].name))
			return true;
	return false;
}

static void check_members(struct tree *t, struct value v, enum node node)
{
	for (uint32_t i = 0; i < v_len(v) && !t->st; i++) {
		struct value key = v.obj->keys->items[i];

		if (key.tag != V_STR)
			refuse(t, value_type(key));
		else if (!is_member(node, key))
			refuse(t, key.str->bytes);
	}
}

/* A type is a name or a list. */
static struct value done(struct tree *t, enum node node, struct value v)
{
	if (node == N_TYPE && !gql_text(v, "NamedType").len &&
		!is_def(gql_member(v, "Elem")) && !t->st)
		t->st = bi_limit(t->cx, "GraphQL document has an empty type");
	return v;
}

static struct value node_of(struct tree *t, struct value v, enum node node)
{
	struct builder b = builder_obj(t->cx->arena);

	if (v.tag != V_OBJ)
		return refuse(t, value_type(v));
	if (t->depth == LIMIT_TREE_LEVELS)
		t->st = bi_limit(t->cx,
			"GraphQL document nests more than %u levels",
			LIMIT_TREE_LEVELS);
	else if (!bi_charge(t->cx, v_len(v)))
		t->st = BI_HALT;
	t->depth++;
	check_members(t, v, node);
	for (size_t i = 0; i < MEMBERS && members[node][i].name && !t->st;
		i++) {
		const struct member *m = &members[node][i];
		struct value x = shaped(t, m, obj_get_cstr(v.obj, m->name));

		if (is_def(x))
			builder_set_key(&b, v_cstr(t->cx->arena, m->name), x);
	}
	t->depth--;
	return done(t, node, builder_done(&b));
}

static enum bi_status read_tree(
	struct bi_ctx *cx, struct value doc, enum node node, struct value *out)
{
	struct tree t = {.cx = cx};

	*out = node_of(&t, doc, node);
	return t.st;
}

enum bi_status gql_tree_query(
	struct bi_ctx *cx, struct value doc, struct value *out)
{
	return read_tree(cx, doc, N_QUERY, out);
}

enum bi_status gql_tree_schema(
	struct bi_ctx *cx, struct value doc, struct value *out)
{
	return read_tree(cx, doc, N_SCHEMA_DOC, out);
}
