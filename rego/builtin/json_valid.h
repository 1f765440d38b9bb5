/*
 * json_valid: whether a text is JSON, without making a value of it.
 *
 * As Go's json.Valid(): bytes that are not UTF-8 pass inside strings, numbers
 * of any size do, and nesting is limited to 10,000. json_parse() is not the
 * same: it takes what OPA's json.unmarshal() takes.
 */
#ifndef REGO_BUILTIN_JSON_VALID_H
#define REGO_BUILTIN_JSON_VALID_H

#include "base/str.h"

/* Whether Go's json.Valid() would say so. */
bool json_valid(struct str text);

#endif
