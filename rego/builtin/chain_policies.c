/*
 * Policies of a chain: the graph of RFC 9618, one row of policies for each
 * certificate from the root down. Nobody asks for a certain policy here, so
 * what counts is whether any holds where a certificate requires one.
 */
#include "rego/builtin/chain.h"

#include <string.h>

/* In a row: what it stands for, and what the next row may say for it. */
struct policy {
	struct str id;
	struct str *expected;
	uint32_t nexpected;
	struct policy **parents;
	uint32_t nparents, cap_parents;
	uint32_t nchildren;
	bool gone;
	struct policy *next; /* in its row, the newest first */
};

struct graph {
	struct bi_ctx *cx;
	struct policy **rows;
	uint32_t depth; /* of the last row */
	bool exists;    /* not once a certificate has no policies */
	bool over;      /* the budget is spent */
	/* Certificates that may follow before the rule holds. */
	int64_t any_forbidden, required, mapping_forbidden;
};

static const struct str any_policy = OID("\x55\x1d\x20\x00");

static bool is_any(struct str id)
{
	return str_eq(id, any_policy);
}

static struct policy *row_find(struct graph *g, uint32_t row, struct str id)
{
	for (struct policy *p = g->rows[row]; p; p = p->next)
		if (!p->gone && str_eq(p->id, id))
			return p;
	return NULL;
}

static struct policy *row_add(struct graph *g, struct str id)
{
	struct policy *p = ARENA_NEW(g->cx->arena, struct policy);

	p->id = id;
	p->expected = ARENA_NEW(g->cx->arena, struct str);
	p->expected[p->nexpected++] = id;
	p->next = g->rows[g->depth];
	g->rows[g->depth] = p;
	return p;
}

/* Under each parent a policy stands once. */
static void link_to(struct graph *g, struct policy *p, struct policy *parent)
{
	if (p->nparents && p->parents[p->nparents - 1] == parent)
		return;
	p->parents = arena_grow(g->cx->arena, p->parents, p->nparents,
		&p->cap_parents, sizeof(struct policy *));
	p->parents[p->nparents++] = parent;
	parent->nchildren++;
}

static void take_out(struct policy *p)
{
	p->gone = true;
	for (uint32_t i = 0; i < p->nparents; i++)
		p->parents[i]->nchildren--;
}

/* Policies above the last row that lead nowhere. */
static void prune(struct graph *g)
{
	for (uint32_t row = g->depth; row-- > 1;)
		for (struct policy *p = g->rows[row]; p; p = p->next)
			if (!p->gone && !p->nchildren)
				take_out(p);
}

static bool expects(const struct policy *p, struct str id)
{
	for (uint32_t i = 0; i < p->nexpected; i++)
		if (str_eq(p->expected[i], id))
			return true;
	return false;
}

/* Put a policy under all that expect it, or else under "any". */
static void add_policy(struct graph *g, struct str id)
{
	struct policy *p = NULL, *any;

	for (struct policy *up = g->rows[g->depth - 1]; up; up = up->next) {
		if (up->gone || !expects(up, id))
			continue;
		if (!p)
			p = row_add(g, id);
		link_to(g, p, up);
	}
	any = p ? NULL : row_find(g, g->depth - 1, any_policy);
	if (any)
		link_to(g, row_add(g, id), any);
}

/* The certificate says "any": all that is expected and was not named. */
static void add_expected(struct graph *g)
{
	struct policy *named = g->rows[g->depth];

	for (struct policy *up = g->rows[g->depth - 1]; up; up = up->next)
		for (uint32_t i = 0; !up->gone && i < up->nexpected; i++) {
			struct policy *p =
				row_find(g, g->depth, up->expected[i]);
			bool is_new = true;

			for (struct policy *q = named; q; q = q->next)
				is_new &= q != p;
			if (!p)
				p = row_add(g, up->expected[i]);
			if (is_new)
				link_to(g, p, up);
		}
}

static uint64_t row_size(const struct graph *g, uint32_t row)
{
	uint64_t n = 1;

	for (struct policy *p = g->rows[row]; p; p = p->next)
		n += p->nexpected;
	return n;
}

static bool charge(struct graph *g, uint64_t a, uint64_t b)
{
	g->over = g->over || !bi_charge(g->cx, a * b / 4);
	return !g->over;
}

static void next_row(
	struct graph *g, const struct certificate *c, bool any_counts)
{
	uint64_t above = row_size(g, g->depth);

	g->depth++;
	if (!charge(g, above, above + c->policies.len))
		return;
	for (uint32_t i = 0; i < c->policies.len; i++)
		if (!is_any(c->policies.items[i]))
			add_policy(g, c->policies.items[i]);
	if (any_counts && strs_has(&c->policies, any_policy))
		add_expected(g);
	prune(g);
}

/* --- mappings --------------------------------------------------------------
 */

static bool maps_any(const struct policy_mappings *list)
{
	for (uint32_t i = 0; i < list->len; i++)
		if (is_any(list->items[i].issuer) ||
			is_any(list->items[i].subject))
			return true;
	return false;
}

/* No policy may be called by another name any more. */
static void drop_mapped(struct graph *g, const struct policy_mappings *list)
{
	for (uint32_t i = 0; i < list->len; i++) {
		struct policy *p = row_find(g, g->depth, list->items[i].issuer);

		if (p)
			take_out(p);
	}
	prune(g);
}

/* What the next row may say for `issuer`: all that it is mapped to. */
static void expect_mapped(struct graph *g, struct policy *p,
	const struct policy_mappings *list, struct str issuer)
{
	p->expected = ARENA_ARRAY(g->cx->arena, struct str, list->len);
	p->nexpected = 0;
	for (uint32_t i = 0; i < list->len; i++)
		if (str_eq(list->items[i].issuer, issuer))
			p->expected[p->nexpected++] = list->items[i].subject;
}

static bool is_first(const struct policy_mappings *list, uint32_t at)
{
	for (uint32_t i = 0; i < at; i++)
		if (str_eq(list->items[i].issuer, list->items[at].issuer))
			return false;
	return true;
}

static void map_policies(struct graph *g, const struct policy_mappings *list)
{
	for (uint32_t i = 0; i < list->len; i++) {
		struct str issuer = list->items[i].issuer;
		struct policy *any, *p;

		if (!is_first(list, i))
			continue;
		p = row_find(g, g->depth, issuer);
		any = p ? NULL : row_find(g, g->depth, any_policy);
		if (any) {
			p = row_add(g, issuer);
			link_to(g, p, any);
		}
		if (p)
			expect_mapped(g, p, list, issuer);
	}
}

/* False: the certificate maps what must not be mapped. */
static bool apply_mappings(struct graph *g, const struct certificate *c)
{
	const struct policy_mappings *list = &c->mappings;

	if (!list->len || !charge(g, list->len, list->len))
		return true;
	if (!g->mapping_forbidden) {
		drop_mapped(g, list);
		return true;
	}
	if (maps_any(list))
		return false;
	prune(g);
	map_policies(g, list);
	return true;
}

/* --- all -------------------------------------------------------------------
 */

static void lower_to(int64_t *left, struct count count)
{
	if (count.given && count.n >= 0 && count.n < *left)
		*left = count.n;
}

/* What an authority says of those below it. */
static void count_down(
	struct graph *g, const struct certificate *c, bool self_issued)
{
	if (!self_issued) {
		g->required -= g->required > 0;
		g->mapping_forbidden -= g->mapping_forbidden > 0;
		g->any_forbidden -= g->any_forbidden > 0;
	}
	lower_to(&g->required, c->require_explicit);
	lower_to(&g->mapping_forbidden, c->inhibit_mapping);
	lower_to(&g->any_forbidden, c->inhibit_any);
}

/* Whether a policy holds all the way down. */
static bool holds(struct graph *g)
{
	if (!g->exists)
		return false;
	if (row_find(g, g->depth, any_policy))
		return true;
	for (uint32_t row = 0; row <= g->depth; row++)
		for (struct policy *p = g->rows[row]; p; p = p->next)
			if (!p->gone && !is_any(p->id) && p->nparents == 1 &&
				is_any(p->parents[0]->id))
				return true;
	return false;
}

/* One certificate below the root; false: the chain is refused. */
static bool step(struct graph *g, const struct certificate *c, bool is_leaf)
{
	bool self_issued = str_eq(c->raw_issuer, c->raw_subject);

	g->exists = g->exists && c->policies.len;
	if (!g->required && !g->exists)
		return false;
	if (g->exists)
		next_row(g, c,
			g->any_forbidden > 0 || (!is_leaf && self_issued));
	if (is_leaf)
		return true;
	if (g->exists && !apply_mappings(g, c))
		return false;
	count_down(g, c, self_issued);
	return true;
}

enum bi_status chain_policies_hold(struct bi_ctx *cx, const struct chain *chain)
{
	int64_t far = chain->len;
	struct graph g = {.cx = cx,
		.exists = true,
		.any_forbidden = far,
		.required = far,
		.mapping_forbidden = far};
	bool ok = true;

	if (chain->len == 1)
		return BI_OK;
	g.rows = ARENA_ARRAY(cx->arena, struct policy *, chain->len);
	row_add(&g, any_policy);
	for (uint32_t i = chain->len - 1; i-- > 0 && ok && !g.over;)
		ok = step(&g, chain->items[i], i == 0);
	if (g.over)
		return BI_HALT;
	g.required -= g.required > 0;
	if (chain->items[0]->require_explicit.given &&
		!chain->items[0]->require_explicit.n)
		g.required = 0;
	return ok && (g.required || holds(&g)) ? BI_OK : BI_UNDEF;
}
