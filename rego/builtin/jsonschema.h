/*
 * jsonschema: JSON documents against JSON schemas of drafts 4, 6 and 7.
 *
 * A schema is checked whole before it is used, and then walked as it is. Where
 * its `$schema` names no draft, what any of the three allows is allowed.
 * Schemas elsewhere (`$ref` with a host or a file) are not fetched.
 * rego/schema.h makes types of schemas.
 *
 * Source: JSON Schema, drafts 4, 6 and 7; texts of errors and what is reported
 * of alternatives are those of the library that OPA uses, gojsonschema.
 */
#ifndef REGO_BUILTIN_JSONSCHEMA_H
#define REGO_BUILTIN_JSONSCHEMA_H

#include "rego/builtin.h"

enum jsonschema_use {
	JSONSCHEMA_MATCH, /* of documents */
	/*
	 * For the types that it means: what `pattern` says does not count, and
	 * a reference that leads elsewhere is an error, no limit of ours.
	 */
	JSONSCHEMA_TYPES,
};

struct jsonschema {
	struct bi_ctx *cx;
	struct value root;
	enum jsonschema_use use;
	bool draft4;         /* exactly: no true and false, const, if, ... */
	bool draft7;         /* knows if, then, else */
	bool hybrid;         /* no draft is named */
	struct builder seen; /* places of references, to their targets */
};

/* BI_ERROR with the message when `root` is no schema. */
enum bi_status jsonschema_check(struct bi_ctx *cx, struct value root,
	enum jsonschema_use use, struct jsonschema *out);

/* What a reference refers to: after a check it is there. */
struct value jsonschema_target(const struct jsonschema *s, struct value ref);

/* A reference as messages name it: a path begins at the root. */
void jsonschema_ref_text(struct buf *out, struct str ref);

/*
 * The errors of a document, objects of desc, error, field and type. BI_HALT is
 * the only failure.
 */
enum bi_status jsonschema_match(
	const struct jsonschema *s, struct value doc, struct value *errors);

/* Whether a text has a format; formats that nobody knows are had by all. */
bool jsonschema_has_format(
	struct bi_ctx *cx, struct str format, struct value text);

/* Whether a pattern matches anywhere; false, too, when it is none. */
bool jsonschema_matches(
	struct bi_ctx *cx, struct str pattern, struct value text);

#endif
