/*
 * schema: the types that JSON schemas stand for.
 *
 *	{"type": "object", "properties": {"id": {"type": "integer"}}}
 *	    -> object<id: number>
 *
 * Only what says which kinds of values there can be counts: type, properties,
 * items, anyOf, allOf and $ref. Of several types of one schema the first of
 * boolean, string, number, object, array is taken; an object with properties
 * has no others. A definition that refers to itself is a recursive type.
 *
 * The schema is checked whole first (builtin/jsonschema.h). What another place
 * defines is not fetched. Texts of errors are OPA's.
 */
#ifndef REGO_SCHEMA_H
#define REGO_SCHEMA_H

#include "rego/types.h"

/*
 * Looks at schemas while making one type: OPA would not end, or run out of
 * memory, where schemas refer to each other in circles.
 */
enum { SCHEMA_WORK_MAX = 200000, SCHEMA_DEPTH_MAX = 400 };

/* NULL with the reason in *why; both live as long as `a`. */
const struct type *schema_type(
	struct arena *a, struct value schema, const char **why);

#endif
