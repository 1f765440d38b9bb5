/*
 * index: the table a group with many rules dispatches by.
 */
#ifndef REGO_INDEX_H
#define REGO_INDEX_H

#include "rego/program.h"

struct rule_list {
	uint32_t *rules; /* numbers within the group, ascending */
	uint32_t len, cap;
};

struct switch_table {
	struct builder equal;  /* value to number of a list */
	struct builder prefix; /* beginning to number of a list */
	struct rule_list *lists;
	uint32_t nlists, cap_lists;
	uint32_t *lens; /* lengths of the beginnings, in bytes */
	uint32_t nlens, cap_lens;
	struct rule_list always; /* rules that make no demand */
	uint32_t *pcs;           /* where each rule begins */
	uint32_t npcs;
};

/*
 * The table for a group, and its subject: a ref, or, when *ref is NULL, the
 * number of an argument. NULL when no subject tells the rules apart.
 */
struct switch_table *index_make(struct rego_engine *e, const struct group *g,
	const struct term **ref, uint32_t *arg);

/*
 * Which statements of a rule's body demand something of what is known before
 * the body begins: that it is there, or equal to a constant. NULL when nothing
 * but demands stands in front of them: then the order is as good as any.
 */
bool *index_demands(struct rego_engine *e, const struct rule *r);

/*
 * The statements of a rule's body by which OPA's index may leave it out, in
 * their order; NULL when there are none. For coverage alone: what a rule that
 * is left out holds was not reached.
 */
struct body *index_material(struct rego_engine *e, const struct rule *r);

/* Rules that may succeed for a value of the subject (it may be undefined). */
struct rule_list switch_find(
	const struct switch_table *t, struct arena *a, struct value v);

#endif
