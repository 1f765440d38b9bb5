/*
 * graphql.*: queries and schemas, as text or as the objects that parsing gives.
 *
 * Source: OPA's reference, "GraphQL".
 */
#include "rego/builtin/gql.h"
#include "rego/builtin/operand.h"

static enum bi_status parse_query(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	enum bi_status st = gql_parse_query(cx, v_bytes(args[0]), out);

	if (!st)
		*out = gql_prune(cx->arena, *out);
	return st;
}

static enum bi_status parse_schema(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	enum bi_status st = gql_parse_schema(cx, v_bytes(args[0]), out);

	if (!st)
		*out = gql_prune(cx->arena, *out);
	return st;
}

/* What is neither text nor object is no document of either kind. */
static bool is_doc(struct value v)
{
	return v.tag == V_STR || v.tag == V_OBJ;
}

/* A schema as text or as its tree. */
static enum bi_status schema_doc(
	struct bi_ctx *cx, struct value arg, struct value *out)
{
	*out = arg;
	return arg.tag == V_STR ? gql_parse_schema(cx, v_bytes(arg), out)
				: BI_OK;
}

static enum bi_status schema_is_valid(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct gql_schema schema;
	struct value doc;
	enum bi_status st = BI_ERROR;

	if (is_doc(args[0]))
		st = schema_doc(cx, args[0], &doc);
	if (!st)
		st = gql_schema_read(cx, doc, &schema);
	*out = v_bool(st == BI_OK);
	return st == BI_HALT ? BI_HALT : BI_OK;
}

/* --- queries against schemas -----------------------------------------------
 */

/* The trees of a query and of the schema that it keeps to. */
static enum bi_status checked(struct bi_ctx *cx, const struct value *args,
	struct value *query, struct value *types)
{
	struct gql_schema schema;
	enum bi_status st =
		args[0].tag == V_STR
			? gql_parse_query(cx, v_bytes(args[0]), query)
			: gql_tree_query(cx, args[0], query);

	if (!st)
		st = args[1].tag == V_STR
			     ? gql_parse_schema(cx, v_bytes(args[1]), types)
			     : gql_tree_schema(cx, args[1], types);
	if (!st)
		st = gql_schema_read(cx, *types, &schema);
	if (!st)
		st = gql_check(cx, &schema, *query, args[0].tag != V_STR);
	return st;
}

static enum bi_status verified(struct bi_ctx *cx, const struct value *args,
	struct value *query, struct value *types)
{
	if (!is_doc(args[0]) || !is_doc(args[1]))
		return BI_ERROR;
	return checked(cx, args, query, types);
}

static enum bi_status is_valid(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct value query, types;
	enum bi_status st = verified(cx, args, &query, &types);

	*out = v_bool(st == BI_OK);
	return st == BI_HALT ? BI_HALT : BI_OK;
}

static enum bi_status parse_and_verify(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct value *all = ARENA_ARRAY(cx->arena, struct value, 3);
	enum bi_status st = verified(cx, args, &all[1], &all[2]);

	all[0] = v_bool(st == BI_OK);
	for (int i = 1; i < 3; i++)
		all[i] = st ? v_empty_obj : gql_prune(cx->arena, all[i]);
	*out = v_arr(cx->arena, all, 3);
	return st == BI_HALT ? BI_HALT : BI_OK;
}

static enum bi_status parse(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct value *all = ARENA_ARRAY(cx->arena, struct value, 2);
	enum bi_status st = checked(cx, args, &all[0], &all[1]);

	if (st)
		return st;
	for (int i = 0; i < 2; i++)
		all[i] = gql_prune(cx->arena, all[i]);
	*out = v_arr(cx->arena, all, 2);
	return BI_OK;
}

enum { DOC = BT_STR | BT_OBJ };

/* clang-format off */
static const struct builtin rows[] = {
	{"graphql.is_valid",         NULL, 2, {BT_ANY, BT_ANY}, is_valid,         0},
	{"graphql.parse",            NULL, 2, {DOC, DOC},       parse,            0},
	{"graphql.parse_and_verify", NULL, 2, {BT_ANY, BT_ANY}, parse_and_verify, 0},
	{"graphql.parse_query",      NULL, 1, {BT_STR},         parse_query,      0},
	{"graphql.parse_schema",     NULL, 1, {BT_STR},         parse_schema,     0},
	{"graphql.schema_is_valid",  NULL, 1, {BT_ANY},         schema_is_valid,  0},
};
/* clang-format on */

const struct builtin_table builtin_graphql = {rows, COUNT(rows)};
