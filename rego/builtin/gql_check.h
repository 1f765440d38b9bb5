/*
 * gql_check: what the parts of the check of GraphQL queries share.
 *
 *	gql_check.c   the walk, fields, fragments, operations, directives
 *	gql_value.c   values where they are given
 *	gql_merge.c   fields of one response name
 */
#ifndef REGO_BUILTIN_GQL_CHECK_H
#define REGO_BUILTIN_GQL_CHECK_H

#include "rego/builtin/gql.h"

#define LIMIT_GQL_LEVELS 2000u /* through fragments, too */

struct gql_check {
	struct bi_ctx *cx;
	struct arena *a;
	const struct gql_schema *s;
	bool is_tree; /* the query came as objects: see gql_selection() */

	struct gql_list operations, fragments;
	struct builder by_name; /* the first fragment of each name */
	struct value typename;  /* definition of the field __typename */

	struct value op;       /* the operation walked through, or undefined */
	struct gql_list vars;  /* of it */
	bool *used;            /* of each variable */
	struct builder bound;  /* values that are variables: see bind() */
	struct builder walked; /* fragments that this walk has been in */

	bool in_fragments;        /* no spread counts as a use from here on */
	struct builder spread;    /* names of fragments in use */
	struct builder named;     /* fragments that were looked at */
	struct builder op_names;  /* operations that were */
	struct builder misplaced; /* directives told: [name, place] */
	struct builder on_path;   /* cycles(): by fragment */
	struct gql_list path;     /* of spreads */
	struct builder inside;    /* lists_too_deep(): by fragment */
	struct builder tops;      /* top_fields(): fragments */
	struct builder pairs;     /* gql_merge(): fragments held together */
	struct builder compared;  /* fragments held against the fields */
	struct held *held;        /* what selections hold, */
	struct builder held_at;   /* by their place in memory */
	uint32_t nheld, capheld;

	unsigned depth;
	bool broken;
	struct buf errors;  /* "input:1:2: text\n" each */
	struct value first; /* place of the first one */
	enum bi_status st;
};

/* One more error, about what stands at `place`. */
void gql_fail(struct gql_check *c, struct value place, const char *fmt, ...)
	PRINTF(3, 4);

/*
 * " PREFIX "a" or "b"?" of the nodes whose names are close to `typed`, or "".
 */
const char *gql_suggest(struct gql_check *c, const char *prefix,
	struct str typed, const struct gql_list *all);

/* One level more, to be taken off c->depth again; false with c->st set. */
bool gql_deeper(struct gql_check *c);

enum gql_sel { SEL_FIELD, SEL_SPREAD, SEL_INLINE };

/*
 * What a selection is. One that came as an object is a field, whatever is in
 * it: so OPA reads them.
 */
static inline enum gql_sel gql_selection(
	const struct gql_check *c, struct value node)
{
	if (c->is_tree || is_def(gql_member(node, "Alias")))
		return SEL_FIELD;
	return is_def(gql_member(node, "TypeCondition")) ? SEL_INLINE
							 : SEL_SPREAD;
}

/* A type as it is written, `[Int!]!`; in c->a. */
const char *gql_type_words(struct gql_check *c, struct value type);
/* The node of this name; undefined if there is none. */
struct value gql_fragment(struct gql_check *c, struct str name);
struct value gql_field_def(
	struct gql_check *c, const struct gql_def *parent, struct str name);

/* What a value has to be. */
struct gql_want {
	struct value type; /* undefined: not known */
	const struct gql_def *def;
	bool has_default; /* so that a variable may be null */
};

/* That of a field, an argument or a variable; `node` may be undefined. */
struct gql_want gql_expected(struct gql_check *c, struct value node);

/* Check a value, and all that is in it, against what it has to be. */
void gql_walk_value(
	struct gql_check *c, struct value value, struct gql_want want);

/* Fields of one response name in the selection of `node`, all of `parent`. */
void gql_merge(
	struct gql_check *c, struct value node, const struct gql_def *parent);

#endif
