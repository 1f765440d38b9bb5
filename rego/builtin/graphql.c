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

/* clang-format off */
static const struct builtin rows[] = {
	{"graphql.parse_query",  NULL, 1, {BT_STR}, parse_query,  0},
	{"graphql.parse_schema", NULL, 1, {BT_STR}, parse_schema, 0},
};
/* clang-format on */

const struct builtin_table builtin_graphql = {rows, COUNT(rows)};
