/*
 * yaml_write: a value as YAML, as OPA's yaml.marshal() prints it.
 *
 * OPA writes JSON, reads that as YAML and gives the result to go-yaml v3 with
 * two spaces a level. So keys are sorted as people count (a2 before a10),
 * numbers go through float64, quotes are used where YAML 1.1 or 1.2 would take
 * a string for something else, and a few characters that JSON allows are
 * refused.
 *
 * Source: go.yaml.in/yaml/v3 v3.0.5, observed and read.
 */
#ifndef REGO_BUILTIN_YAML_WRITE_H
#define REGO_BUILTIN_YAML_WRITE_H

#include "rego/value.h"

enum { YAML_WHY_MAX = 64 };

/*
 * Appends `v`, whose object keys are strings. `a` is for scratch. False with a
 * reason in `why` when YAML has no place for it.
 */
bool yaml_write(struct arena *a, struct buf *out, struct value v,
	char why[YAML_WHY_MAX]);

#endif
