/* builtin: a builtin called by its name, for targets that call some. */
#ifndef TESTS_FUZZ_BUILTIN_H
#define TESTS_FUZZ_BUILTIN_H

#include "rego/builtin.h"

static inline enum bi_status call(struct bi_ctx *cx, const char *name,
	const struct value *args, struct value *out)
{
	const struct builtin *b = builtin_find(str_from(name));

	cx->name = b->name;
	return b->fn(cx, args, out);
}

#endif
