/*
 * globs: regex.globs_match, whether two simple patterns have a text in common.
 */
#ifndef REGO_BUILTIN_GLOBS_H
#define REGO_BUILTIN_GLOBS_H

#include "rego/builtin.h"

/* The builtin; its arguments have been checked against its row. */
enum bi_status globs_match(
	struct bi_ctx *cx, const struct value *args, struct value *out);

#endif
