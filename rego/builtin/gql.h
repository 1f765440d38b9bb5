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

/* --- schemas (gql_schema.c) ----------------------------------------------- */

/* A definition with all that extends it. Members are nodes. */
struct gql_def {
	struct str name, kind; /* "Query", "OBJECT" */
	struct value place;    /* [line, column] or undefined */
	bool is_own;           /* one of GraphQL's own */
	struct gql_list {
		struct value *items;
		uint32_t len, cap;
	} fields, interfaces, types, places, enums, directives;
};

struct gql_schema {
	struct arena *arena;
	struct gql_def *defs;
	uint32_t ndefs, capdefs;
	struct builder names;      /* of definitions: to their number */
	struct builder directives; /* by name: nodes */
};

/*
 * What a parsed schema defines, checked by the rules of the specification's
 * section 3. BI_ERROR names the first that is broken.
 */
enum bi_status gql_schema_read(
	struct bi_ctx *cx, struct value doc, struct gql_schema *out);

#endif
