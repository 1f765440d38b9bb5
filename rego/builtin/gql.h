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

/* --- documents that come as objects (gql_tree.c) ---------------------------
 */

/*
 * As OPA reads them: members that are not there are empty. A member that no
 * parsed document has ends the evaluation, as does one of another type: OPA
 * might make something of it that is not to be guessed.
 */
enum bi_status gql_tree_query(
	struct bi_ctx *cx, struct value doc, struct value *out);
enum bi_status gql_tree_schema(
	struct bi_ctx *cx, struct value doc, struct value *out);

/* --- nodes (gql_schema.c) ------------------------------------------------- */

/* Nodes, or names; what is not there is an empty one. */
struct gql_list {
	struct value *items;
	uint32_t len, cap;
};

/* Members of a node by name. Of another type, or not there: undefined, "",
   false, and empty. */
struct value gql_member(struct value node, const char *name);
struct str gql_text(struct value node, const char *name);
struct str gql_str(struct value v); /* a name of a list, likewise */
bool gql_flag(struct value node, const char *name);
struct value gql_place(struct value node); /* [line, column] or undefined */
int64_t gql_kind_of(struct value v);       /* enum gql_kind, or -1 */
struct gql_list gql_list(struct value node, const char *name);

/* To a list that began empty: those of gql_list() are the nodes' own. */
void gql_list_add(struct arena *a, struct gql_list *l, struct value v);

/* Is it one of those in "OBJECT, UNION"? */
bool gql_among(struct str word, const char *list);

/* The first node with this "Name", or undefined. */
struct value gql_named(const struct gql_list *l, struct str name);
bool gql_has_name(const struct gql_list *l, struct str name); /* of names */

struct str gql_type_name(struct value type); /* inside of all lists */
void gql_type_text(struct buf *out, struct value type); /* "[Int!]" */
/* Of an argument or an input field: must it be given? */
bool gql_is_required(struct value input);
/* From two types of lists to those of their elements; false, and nothing is
   changed, when one of them is none. */
bool gql_type_enter(struct value *x, struct value *y);

/* --- schemas (gql_schema.c) ----------------------------------------------- */

/* A definition with all that extends it. Members are nodes. */
struct gql_def {
	struct str name, kind; /* "Query", "OBJECT" */
	struct value place;    /* [line, column] or undefined */
	bool is_own;           /* one of GraphQL's own */
	struct gql_list fields, interfaces, types, places, enums, directives;
};

struct gql_schema {
	struct arena *arena;
	struct gql_def *defs;
	uint32_t ndefs, capdefs;
	struct builder names;      /* of definitions: to their number */
	struct builder directives; /* by name: nodes */
	/* Roots of operations, or undefined: names of types. */
	struct value query, mutation, subscription;
};

/* The definition of this name; NULL, or undefined, if there is none. */
struct gql_def *gql_def_find(const struct gql_schema *s, struct str name);
struct value gql_directive(const struct gql_schema *s, struct str name);
/* Of what gql_type_name() says. */
struct gql_def *gql_type_def(const struct gql_schema *s, struct value type);
bool gql_is_kind(const struct gql_def *d, const char *kinds); /* gql_among() */

/*
 * What a parsed schema defines, checked by the rules of the specification's
 * section 3. BI_ERROR names the first that is broken.
 */
enum bi_status gql_schema_read(
	struct bi_ctx *cx, struct value doc, struct gql_schema *out);

/* --- queries against a schema (gql_check.c) ------------------------------- */

/*
 * The rules of the specification's section 5, as OPA applies them, on a query
 * that came as text or (`is_tree`) as objects. BI_ERROR names all that are
 * broken, in OPA's order.
 */
enum bi_status gql_check(struct bi_ctx *cx, const struct gql_schema *s,
	struct value doc, bool is_tree);

#endif
