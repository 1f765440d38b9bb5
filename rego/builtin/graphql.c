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

	if (args[0].tag == V_STR || args[0].tag == V_OBJ)
		st = schema_doc(cx, args[0], &doc);
	if (!st)
		st = gql_schema_read(cx, doc, &schema);
	*out = v_bool(st == BI_OK);
	return st == BI_HALT ? BI_HALT : BI_OK;
}

/* clang-format off */
static const struct builtin rows[] = {
	{"graphql.parse_query",     NULL, 1, {BT_STR}, parse_query,     0},
	{"graphql.parse_schema",    NULL, 1, {BT_STR}, parse_schema,    0},
	{"graphql.schema_is_valid", NULL, 1, {BT_ANY}, schema_is_valid, 0},
};
/* clang-format on */

const struct builtin_table builtin_graphql = {rows, COUNT(rows)};
