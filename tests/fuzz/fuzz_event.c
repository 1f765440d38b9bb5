/*
 * Events: what is borrowed lies in the event or in the arena, an outcome is
 * one of those there are, with and without rules, and globs end.
 */
#include "base/glob.h"
#include "decisions/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static struct outcome_map *rules(void)
{
	static const struct dimension d[] = {{STR("a"), STR("/input/a")},
		{STR("b"), STR("/labels/id")}, {STR("c"), STR("/result/0")}};
	static const struct outcome_rule r[] = {{.path = STR("a/**/z*"),
							.kind = KIND_VIOLATIONS,
							.pointer = STR("/v"),
							.dimensions = d,
							.ndimensions = 2},
		{.path = STR("b/?"), .kind = KIND_ADVICE},
		{.path = STR("**"), .dimensions = d, .ndimensions = 3}};
	struct outcome_map *m = NULL;
	struct err e = {0};

	expect(!outcome_map_new(&m, r, COUNT(r), &e));
	return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct dimension dimensions[DIMENSIONS];
	size_t n;
	struct outcome_map *m;
	unsigned char sum[MERKLE_BYTES];
	struct arena a = {0};
	struct decision ev;
	struct err e = {0};

	if (decision_parse(text, size & 1 ? "authz" : NULL, &a, &ev, &e)) {
		expect(e.code && e.text[0]);
		arena_release(&a);
		return 0;
	}
	m = rules();
	expect(ev.time >= 0 && ev.latency >= -1);
	expect(!ev.path.len || ev.path.ptr[0] != '/');
	expect(outcome_of(NULL, &ev) < OUTCOMES);
	expect(outcome_of(m, &ev) < OUTCOMES);
	expect(decision_input_hash(&ev, sum) == (ev.input.len > 0));
	n = dimensions_of(outcome_rule_of(m, ev.path), &ev, &a, dimensions);
	expect(n <= DIMENSIONS);
	for (size_t i = 0; i < n; i++)
		expect(dimensions[i].pointer.len <= DIMENSION_MAX);
	glob_path(ev.path, ev.query);
	glob_path(ev.query, ev.path);
	outcome_map_free(m);
	arena_release(&a);
	return 0;
}
