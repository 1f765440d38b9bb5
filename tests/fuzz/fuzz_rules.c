/*
 * Records of the log "rules": one that is refused changes nothing of what
 * events are read by, and one that is taken in can be asked.
 */
#include "decisions/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A record per line, as in a segment. */
static void take_lines(struct rules *r, struct str text)
{
	while (text.len) {
		struct str line = str_take(&text, S("\n"));
		struct err e = {0};
		uint64_t before = r->read;

		if (rules_take(r, line, &e)) {
			if (!e.code || !e.text[0] || r->read != before)
				abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decision ev = {.path = S("lib/a"),
		.bundles = S("{\"authz\":{\"revision\":\"v1\"},\"b\":{}}"),
		.result = S("[1]"),
		.bytes = S("{\"input\":{\"user\":\"u\"}}")};
	struct dimension got[DIMENSIONS];
	struct arena a = {0};
	struct rules r = {0};

	rules_init(&r);
	take_lines(&r, (struct str){(const char *)data, size});
	for (uint64_t n = 0; n < 3; n++) {
		const struct map_rule *rule = rules_of(&r, &ev, n, &a);

		if (outcome_by(rule, &ev) >= OUTCOMES ||
			dimensions_of(rule, &ev, &a, got) > DIMENSIONS)
			abort();
	}
	rules_have_dimension(&r, S("user"));
	rules_release(&r);
	arena_release(&a);
	return 0;
}
