/*
 * What OPA 1.22.2 can call and this engine does not have: templates. The row is
 * here so that the compiler can refuse such a call by name, and so that its own
 * checks of arity still come first.
 */
#include "rego/builtin.h"

#define MISSING(name, arity, ...)                                              \
	{                                                                      \
		name, NULL, arity, {__VA_ARGS__}, NULL, BF_MISSING             \
	}

/* clang-format off */
/* name, argument count, types of each argument */
static const struct builtin rows[] = {
	MISSING("strings.render_template", 2, BT_STR, BT_OBJ),
};
/* clang-format on */

const struct builtin_table builtin_missing = {rows, COUNT(rows)};
