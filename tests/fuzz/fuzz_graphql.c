/*
 * A GraphQL document, as a query and as a schema. A schema says the same of
 * itself as text and as the tree that parsing gives.
 */
#include "rego/builtin.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum bi_status call(struct bi_ctx *cx, const char *name,
	struct value arg, struct value *out)
{
	const struct builtin *b = builtin_find(str_from(name));

	cx->name = b->name;
	return b->fn(cx, &arg, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct bi_ctx cx = {.arena = &a, .steps = 1000000};
	struct value text = v_str(&a, str_make((const char *)data, size));
	struct value tree, x = v_undef, y = v_undef;

	call(&cx, "graphql.parse_query", text, &tree);
	if (call(&cx, "graphql.parse_schema", text, &tree) == BI_OK &&
		call(&cx, "graphql.schema_is_valid", text, &x) == BI_OK &&
		call(&cx, "graphql.schema_is_valid", tree, &y) == BI_OK &&
		x.tag != y.tag)
		abort();
	arena_release(&a);
	return 0;
}
