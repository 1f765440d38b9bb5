/*
 * duration: "1h30m", with days, weeks and years of fixed length.
 */
#ifndef REGO_BUILTIN_DURATION_H
#define REGO_BUILTIN_DURATION_H

#include "base/err.h"
#include "base/str.h"

/* Nanoseconds; false with the reason in *e. */
bool duration_parse(struct str s, int64_t *ns, struct err *e);

#endif
