/*
 * yaml_typed: YAML read into fields with types, as go-yaml fills a Go struct.
 *
 * A field that does not fit is one line of the error, and reading goes on to
 * find the others; only what breaks the document as a whole ends it at once.
 * Keys that are no field are passed over.
 *
 * Values of fields without a type are what Go calls `any`. Maps whose keys are
 * not all strings keep the keys they have.
 */
#ifndef REGO_YAML_TYPED_H
#define REGO_YAML_TYPED_H

#include "rego/value.h"

enum ytype {
	YT_STRING,
	YT_BOOL,
	YT_STRINGS, /* V_ARR of V_STR */
	YT_LIST,    /* V_ARR of anything */
	YT_MAPS,    /* V_ARR of V_OBJ with strings as keys, or V_NULL */
	YT_MAP,     /* V_OBJ with strings as keys */
	YT_ANY,
};

struct yfield {
	const char *name;
	enum ytype type;
};

/* value.spare of a V_STR: the text of a time, which in Go is no string. */
enum { YAML_TIME = 1 };

/*
 * values[i] is what fields[i] has; V_UNDEF when it is missing or null. False
 * with the text of the error in *why. `type` is Go's name of the struct. All
 * lives in `a`.
 */
bool yaml_read_typed(struct arena *a, struct str text, const char *type,
	const struct yfield *fields, size_t n, struct value *values,
	const char **why);

/* A value as Go's %s shows an `any`. */
void yaml_show(struct buf *out, struct value v);

#endif
