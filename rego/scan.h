/*
 * scan: loops that look for the members with a given value.
 *
 * `some c in input.changes; c.type == "vm"` goes through a whole collection to
 * keep a few members of it. The planner knows such a loop by its shape: after
 * NEXT come look-ups with constant keys, then an EQ with a value that the loop
 * does not change, and all of them fail to the NEXT. The VM counts how often
 * the same collection is gone through for the same path of keys; from then on
 * it asks an index of the members by hash of the value there, and NEXT visits
 * in order only those that may be equal. The look-ups and the EQ still run, so
 * an index only saves work and never decides.
 *
 * An index lives as long as the evaluation.
 */
#ifndef REGO_SCAN_H
#define REGO_SCAN_H

#include "rego/vm.h"

/* No member left. */
#define SCAN_END UINT32_MAX

/* What is known of one collection and path. */
struct scan {
	const void *members; /* the collection; NULL: a free place */
	const struct scan_path *path;
	uint8_t flags;  /* of the collection's value: how to step */
	uint32_t full;  /* times it was gone through to the end */
	uint32_t mask;  /* lists - 1 */
	uint32_t *next; /* by position; NULL: no index yet */
	uint32_t *first;
};

/* Give ITER the number of its probe, where the loop has the shape. */
void scan_plan(struct rego_engine *e, struct code *co);

/*
 * The iterator `it` (a collection and v_int(0)) begins a loop that keeps only
 * members with the value `want` at the path.
 */
void scan_begin(struct rego_vm *vm, const struct scan_path *path,
	struct value want, struct value *it);

/*
 * One step of an iterator over a collection: its second register holds the
 * next position in `hash`, beside the scan or NULL; with the tag V_LAZY it
 * follows the scan's index. False: at the end.
 */
static inline bool iter_step(struct value *it, uint32_t *at)
{
	struct scan *s = (struct scan *)(intptr_t)it[1].i;

	*at = it[1].hash;
	if (it[1].tag == V_LAZY) {
		if (*at == SCAN_END)
			return false;
		it[1].hash = s->next[*at];
		return true;
	}
	if (*at < v_len(it[0])) {
		it[1].hash++;
		return true;
	}
	if (s)
		s->full++;
	return false;
}

#endif
