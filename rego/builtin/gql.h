/*
 * gql: GraphQL documents as Rego values.
 *
 * A document is a tree of objects with the member names that OPA gives it
 * (those of the library it parses with, gqlparser). What a node has not is left
 * out, texts and numbers excepted. Each node that an error can name has its
 * place as "Position": [line, column], until gql_prune() takes it away.
 *
 * Source: GraphQL specification, October 2021, section 2 and appendix B.
 */
#ifndef REGO_BUILTIN_GQL_H
#define REGO_BUILTIN_GQL_H

#include "rego/builtin.h"

/* Values of "Kind" in nodes of values. */
enum gql_kind {
	GQL_VARIABLE,
	GQL_INT,
	GQL_FLOAT,
	GQL_STRING,
	GQL_BLOCK,
	GQL_BOOLEAN,
	GQL_NULL,
	GQL_ENUM,
	GQL_LIST,
	GQL_OBJECT,
};

/* BI_ERROR with "... in GraphQL string at location LINE:COLUMN". */
enum bi_status gql_parse_query(
	struct bi_ctx *cx, struct str text, struct value *out);
enum bi_status gql_parse_schema(
	struct bi_ctx *cx, struct str text, struct value *out);

/* Without places, nulls, and lists and objects that are then empty. */
struct value gql_prune(struct arena *a, struct value doc);

#endif
