/*
 * plan: what plan.c shares with link.c and engine.c.
 */
#ifndef REGO_PLAN_H
#define REGO_PLAN_H

#include "rego/program.h"

#include <assert.h>

/* In insn.fail while planning: it holds a number, not a label. */
#define RAW_FAIL 0x80000000u

/* The base document at a path, before any `with`. */
struct value path_base(const struct rego_engine *e, const struct path *p);

/*
 * Whom a mock replaces and by what: fills mock_id, and bi or group when the
 * replacement is a function; else the value is the caller's to plan.
 */
void plan_mock_target(struct rego_engine *e, const struct term *target,
	struct group *g, const struct term *value, struct with_target *t);

/* A unification: `=`, or `:=` as far as it is still there. */
bool is_eq_call(const struct term *t);

#endif
