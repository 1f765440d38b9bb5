/*
 * A GraphQL document, as a query and as a schema; where there is a NUL, a
 * query, and behind it the schema to hold it against. A schema says the same of
 * itself as text and as the tree that parsing gives, and so do the builtins
 * that say whether a query keeps to a schema.
 */
#include "tests/fuzz/builtin.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(struct bi_ctx *cx, struct value query, struct value schema)
{
	struct value args[2] = {query, schema}, valid, all, tree;
	enum bi_status st = call(cx, "graphql.is_valid", args, &valid);

	if (st != BI_OK)
		return;
	st = call(cx, "graphql.parse", args, &all);
	if (st != BI_HALT && (st == BI_OK) != (valid.tag == V_TRUE))
		abort();
	if (call(cx, "graphql.parse_query", &query, &tree) == BI_OK) {
		args[0] = tree;
		call(cx, "graphql.parse_and_verify", args, &all);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, 0, size);
	struct arena a = {0};
	struct bi_ctx cx = {.arena = &a, .steps = 1000000};
	struct value text = v_str(&a, str_make((const char *)data, size));
	struct value tree, x = v_undef, y = v_undef;

	call(&cx, "graphql.parse_query", &text, &tree);
	if (call(&cx, "graphql.parse_schema", &text, &tree) == BI_OK &&
		call(&cx, "graphql.schema_is_valid", &text, &x) == BI_OK &&
		call(&cx, "graphql.schema_is_valid", &tree, &y) == BI_OK &&
		x.tag != y.tag)
		abort();
	if (nul)
		hold(&cx,
			v_str(&a, str_make((const char *)data,
					  (size_t)(nul - data))),
			v_str(&a, str_make((const char *)nul + 1,
					  size - (size_t)(nul - data) - 1)));
	arena_release(&a);
	return 0;
}
