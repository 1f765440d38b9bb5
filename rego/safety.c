/*
 * safety: every body in an order in which it can be evaluated.
 *
 * Statements are taken greedily, in the order written, as soon as all their
 * variables are bound; what is left over is unsafe. The rules of what binds a
 * variable, and which unsafe ones are reported, are those of OPA
 * (reorderBodyForSafety(), unify.go), its oddities included: the order and the
 * errors are what users see.
 */
#include "rego/passes.h"

#include <stdlib.h>
#include <string.h>

/* --- what a statement binds --------------------------------------------- */

enum var_flag { F_EXTRA = 1, F_LEFT = 2, F_UNIFIED = 4 };

/* `a` is bound once all the `b` it is paired with are. */
struct pair {
	struct var *a, *b;
	bool dead;
};

/* One unification: what is known before it, and what it makes known. */
struct unifier {
	struct passes *p;
	const struct vset *safe;
	uint8_t *flags; /* by variable id */
	struct vlist touched;
	struct pair *pairs;
	uint32_t npairs, cappairs;
};

/* In the context of refs: bound before the unification. */
static bool is_known(const void *ctx, const struct var *v)
{
	const struct unifier *u = ctx;

	if (u->flags[v->id] & F_LEFT)
		return false;
	return u->flags[v->id] & F_EXTRA || vset_has(u->safe, v);
}

static bool is_bound(const struct unifier *u, const struct var *v)
{
	return u->flags[v->id] & F_UNIFIED || is_known(u, v);
}

static void flag_var(struct unifier *u, struct var *v, enum var_flag f)
{
	if (!u->flags[v->id]) {
		struct vlist *l = &u->touched;

		l->items = arena_grow(&u->p->scratch, l->items, l->len, &l->cap,
			sizeof(*l->items));
		l->items[l->len++] = v;
	}
	u->flags[v->id] |= (uint8_t)f;
}

static bool in_set(const void *ctx, const struct var *v)
{
	return vset_has(ctx, v);
}

/* All variables of `t` that safety looks at are known. */
static bool term_known(struct passes *p, const struct term *t,
	bool (*known)(const void *, const struct var *), const void *ctx)
{
	struct vlist l = {.known = known, .ctx = ctx};

	term_vars(p, &l, t, SKIP_SAFETY);
	return !l.unknown;
}

static bool ref_known(struct passes *p, const struct term *ref,
	bool (*known)(const void *, const struct var *), const void *ctx)
{
	const struct term *head = ref->list.items[0];

	if (head->kind == T_VAR && !head->var.var)
		return name_of(p, head->var.name)->reserved;
	return term_known(p, head, known, ctx);
}

static bool ref_is_ground(const struct term *t)
{
	for (uint32_t i = 1; i < t->list.len; i++)
		if (t->list.items[i]->kind != T_SCALAR)
			return false;
	return true;
}

/* OPA's outputVarsForTerms(): the steps of refs whose head is bound. */
static void steps_of_term(struct passes *p, const struct term *t,
	const struct vset *safe, struct vlist *out)
{
	switch (t->kind) {
	case T_REF:
		if (!ref_known(p, t, in_set, safe))
			return;
		if (ref_is_ground(t))
			return;
		for (uint32_t i = 1; i < t->list.len; i++)
			term_vars(p, out, t->list.items[i], SKIP_REF_HEAD);
		break;
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
	case T_CALL:
		break;
	default:
		return;
	}
	for (uint32_t i = 0; i < t->list.len; i++)
		if (t->list.items[i]->kind > T_VAR)
			steps_of_term(p, t->list.items[i], safe, out);
}

static void steps_of_expr(struct passes *p, const struct expr *x,
	const struct vset *safe, struct vlist *out)
{
	if (expr_is_call(x))
		for (uint32_t i = 0; i < x->term->list.len; i++)
			steps_of_term(p, x->term->list.items[i], safe, out);
	else
		steps_of_term(p, x->term, safe, out);
	for (uint32_t i = 0; i < x->nwiths; i++) {
		steps_of_term(p, x->withs[i].target, safe, out);
		steps_of_term(p, x->withs[i].value, safe, out);
	}
}

static void pair_add(struct unifier *u, struct var *a, struct var *b)
{
	u->pairs = arena_grow(&u->p->scratch, u->pairs, u->npairs, &u->cappairs,
		sizeof(*u->pairs));
	u->pairs[u->npairs++] = (struct pair){a, b, false};
}

static bool has_pairs(const struct unifier *u, const struct var *a)
{
	for (uint32_t i = 0; i < u->npairs; i++)
		if (!u->pairs[i].dead && u->pairs[i].a == a)
			return true;
	return false;
}

static void bind_var(struct unifier *u, struct var *v)
{
	flag_var(u, v, F_UNIFIED);
	for (uint32_t i = 0; i < u->npairs; i++)
		if (!u->pairs[i].dead && u->pairs[i].a == v) {
			u->pairs[i].dead = true;
			bind_var(u, u->pairs[i].b);
		}
	for (uint32_t i = 0; i < u->npairs; i++)
		if (!u->pairs[i].dead && u->pairs[i].b == v) {
			struct var *a = u->pairs[i].a;

			u->pairs[i].dead = true;
			if (!has_pairs(u, a))
				bind_var(u, a);
		}
}

enum { SKIP_PATTERN = SKIP_REF_HEAD | SKIP_KEYS | SKIP_CLOSURES };

static void bind_all(struct unifier *u, const struct term *t)
{
	struct vlist l = {0};

	vlist_start(u->p, &l);
	term_vars(u->p, &l, t, SKIP_PATTERN);
	for (uint32_t i = 0; i < l.len; i++)
		bind_var(u, l.items[i]);
}

/* A variable and an array or object: either binds the other. */
static void unify_var_composite(
	struct unifier *u, struct var *a, const struct term *b)
{
	struct vlist l = {0};
	bool all = true;

	if (is_bound(u, a)) {
		bind_all(u, b);
		return;
	}
	vlist_start(u->p, &l);
	term_vars(u->p, &l, b, SKIP_PATTERN);
	for (uint32_t i = 0; i < l.len; i++)
		all &= is_bound(u, l.items[i]);
	if (all) {
		bind_var(u, a);
		return;
	}
	for (uint32_t i = 0; i < l.len; i++)
		if (!is_bound(u, l.items[i]))
			pair_add(u, a, l.items[i]);
}

static bool is_array_or_object(const struct term *t)
{
	return t->kind == T_ARRAY || t->kind == T_OBJECT;
}

/* A ref or call whose own variables are bound has a value. */
static bool has_value(struct unifier *u, const struct term *t)
{
	if (t->kind == T_REF)
		return ref_known(u->p, t, is_known, u);
	return term_known(u->p, t, is_known, u);
}

static void unify_vars(struct unifier *u, struct var *a, struct var *b)
{
	if (is_bound(u, b)) {
		bind_var(u, a);
	} else if (is_bound(u, a)) {
		bind_var(u, b);
	} else {
		pair_add(u, a, b);
		pair_add(u, b, a);
	}
}

static void unify_var(struct unifier *u, struct var *a, const struct term *b)
{
	if (b->kind == T_VAR) {
		if (b->var.var)
			unify_vars(u, a, b->var.var);
		else
			bind_var(u, a);
	} else if (is_array_or_object(b)) {
		unify_var_composite(u, a, b);
	} else if (b->kind == T_REF || b->kind == T_CALL) {
		if (has_value(u, b))
			bind_var(u, a);
	} else {
		bind_var(u, a);
	}
}

static void unify(
	struct unifier *u, const struct term *a, const struct term *b);

static const struct term *object_value(
	const struct term *o, const struct term *key)
{
	uint32_t lo = 0, hi = o->list.len / 2;

	while (lo < hi) { /* keys are sorted, or nearly so after renaming */
		uint32_t mid = lo + (hi - lo) / 2;
		const struct term *k = o->list.items[2 * mid];
		int c = term_cmp(key, k);

		if (!c && key->kind == T_VAR && key->var.var != k->var.var)
			return NULL; /* two variables of one name */
		if (!c)
			return o->list.items[2 * mid + 1];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

static void unify_composites(
	struct unifier *u, const struct term *a, const struct term *b)
{
	if (a->list.len != b->list.len)
		return;
	if (a->kind == T_ARRAY) {
		for (uint32_t i = 0; i < a->list.len; i++)
			unify(u, a->list.items[i], b->list.items[i]);
		return;
	}
	for (uint32_t i = 0; i < a->list.len; i += 2) {
		const struct term *other = object_value(b, a->list.items[i]);

		if (other)
			unify(u, a->list.items[i + 1], other);
	}
}

static void unify_composite(
	struct unifier *u, const struct term *a, const struct term *b)
{
	bool comp = a->kind == T_ARRAY ? term_is_comp(b) : false;

	if (b->kind == T_VAR && b->var.var)
		unify_var_composite(u, b->var.var, a);
	else if (comp)
		bind_all(u, a);
	else if ((b->kind == T_REF || b->kind == T_CALL) && has_value(u, b))
		bind_all(u, a);
	else if (b->kind == a->kind)
		unify_composites(u, a, b);
}

static void unify(struct unifier *u, const struct term *a, const struct term *b)
{
	switch (a->kind) {
	case T_VAR:
		if (a->var.var)
			unify_var(u, a->var.var, b);
		return;
	case T_REF:
	case T_CALL:
		if (!has_value(u, a))
			return;
		if (is_array_or_object(b))
			bind_all(u, b);
		break;
	case T_ARRAY_COMP:
		if (b->kind == T_ARRAY)
			bind_all(u, b);
		break;
	case T_OBJECT_COMP:
		if (b->kind == T_OBJECT)
			bind_all(u, b);
		break;
	case T_ARRAY:
	case T_OBJECT:
		unify_composite(u, a, b);
		return;
	default:
		break;
	}
	if (b->kind == T_VAR && b->var.var)
		bind_var(u, b->var.var);
}

static uint8_t *var_flags(struct passes *p)
{
	if (p->capflags < p->nvars) {
		uint32_t cap = p->capflags ? p->capflags : 64;

		while (cap < p->nvars)
			cap *= 2;
		p->flags = ARENA_ARRAY(p->a, uint8_t, cap);
		p->capflags = cap;
	}
	return p->flags;
}

static void outputs_of_eq(struct passes *p, const struct expr *x,
	const struct vset *safe, struct vlist *out)
{
	struct unifier u = {.p = p, .safe = safe, .flags = var_flags(p)};
	struct vlist steps = {0};

	if (expr_noperands(x) != 2)
		return;
	vlist_start(p, &steps);
	steps_of_expr(p, x, safe, &steps);
	for (uint32_t i = 0; i < steps.len; i++)
		flag_var(&u, steps.items[i], F_EXTRA);
	if (x->assigned) { /* the right side is not bound through the left */
		struct vlist left = {0};

		vlist_start(p, &left);
		term_vars(p, &left, expr_operand(x, 0), 0);
		for (uint32_t i = 0; i < left.len; i++)
			flag_var(&u, left.items[i], F_LEFT);
	}
	unify(&u, expr_operand(x, 0), expr_operand(x, 1));
	vlist_start(p, out);
	for (uint32_t i = 0; i < u.touched.len; i++) {
		struct var *v = u.touched.items[i];
		uint8_t f = u.flags[v->id];

		u.flags[v->id] = 0;
		if (f & F_UNIFIED || (f & F_EXTRA && !(f & F_LEFT)))
			if (!vset_has(safe, v))
				vlist_add(p, out, v);
	}
}

enum {
	SKIP_INPUT = SKIP_CLOSURES | SKIP_SETS | SKIP_KEYS | SKIP_REF_HEAD,
};

/* Arguments must be bound; then the output, if there is one more, is. */
static void outputs_of_call(struct passes *p, const struct expr *x, int arity,
	const struct vset *safe, struct vlist *out)
{
	struct term **items = x->term->list.items;
	uint32_t n = x->term->list.len, inputs = (uint32_t)arity + 1;
	struct unifier u = {.p = p, .safe = safe, .flags = var_flags(p)};
	struct vlist in = {.known = is_known, .ctx = &u};

	vlist_start(p, out);
	steps_of_expr(p, x, safe, out);
	if (inputs >= n)
		return;
	for (uint32_t i = 0; i < out->len; i++)
		flag_var(&u, out->items[i], F_EXTRA);
	for (uint32_t i = 0; i < inputs; i++)
		term_vars(p, &in, items[i], SKIP_INPUT);
	for (uint32_t i = 0; i < u.touched.len; i++)
		u.flags[u.touched.items[i]->id] = 0;
	if (in.unknown) {
		out->len = 0;
		return;
	}
	for (uint32_t i = inputs; i < n; i++)
		term_vars(p, out, items[i], SKIP_INPUT);
}

static bool withs_known(
	struct passes *p, const struct expr *x, const struct vset *safe)
{
	struct vlist l = {.known = in_set, .ctx = safe};

	for (uint32_t i = 0; i < x->nwiths; i++)
		with_vars(p, &l, &x->withs[i], SKIP_SAFETY);
	return !l.unknown;
}

void expr_outputs(struct passes *p, const struct expr *x,
	const struct vset *safe, struct vlist *out)
{
	const struct builtin *bi;
	struct group *g;
	int arity;

	vlist_start(p, out);
	if (x->negated || x->kind == X_NOT || x->kind == X_AND ||
		x->kind == X_OR || x->kind == X_SOME)
		return;
	if (x->nwiths && !withs_known(p, x, safe))
		return;
	if (x->kind == X_EVERY) {
		steps_of_term(p, x->every.domain, safe, out);
	} else if (!expr_is_call(x)) {
		if (x->term->kind != T_TEMPLATE)
			steps_of_expr(p, x, safe, out);
	} else if (expr_is_op(x, p->eq)) {
		outputs_of_eq(p, x, safe, out);
	} else {
		arity = call_arity(p->c, x->term->list.items[0], &bi, &g);
		if (arity >= 0)
			outputs_of_call(p, x, arity, safe, out);
	}
}

/* --- implicit operands of not, and, or ------------------------------------ */

/* What is found out about the variables of one operand. */
struct operand_vars {
	struct vset safe;  /* may be taken as known */
	struct vset bound; /* some statement binds it */
	struct vlist all;
	uint32_t *seen; /* by id: in how many statements */
};

/* All its variables; those that are a side of `=` are not known by that. */
static void operand_uses(
	struct passes *p, struct operand_vars *o, const struct body *b)
{
	for (uint32_t i = 0; i < b->len; i++) {
		struct vlist one = {0};

		vlist_start(p, &one);
		expr_vars(p, &one, b->items[i], SKIP_SAFETY);
		for (uint32_t k = 0; k < one.len; k++) {
			if (!o->seen[one.items[k]->id]++)
				vlist_push(p, &o->all, one.items[k]);
			vset_add(&o->safe, one.items[k]);
		}
	}
	for (uint32_t i = 0; i < b->len; i++)
		for (uint32_t k = 0; k < 2; k++) {
			const struct expr *x = b->items[i];
			const struct term *t;

			if (!expr_is_op(x, p->eq) || expr_noperands(x) < 2)
				continue;
			t = expr_operand(x, k);
			if (t->kind == T_VAR && t->var.var)
				vset_del(&o->safe, t->var.var);
		}
}

/* What `=` binds, until nothing more is. */
static void operand_unifies(
	struct passes *p, struct operand_vars *o, const struct body *b)
{
	struct vlist out = {0};
	bool changed = true;

	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < b->len; i++) {
			if (!expr_is_op(b->items[i], p->eq))
				continue;
			outputs_of_eq(p, b->items[i], &o->safe, &out);
			for (uint32_t k = 0; k < out.len; k++) {
				if (vset_has(&o->bound, out.items[k]))
					continue;
				vset_add(&o->bound, out.items[k]);
				vset_add(&o->safe, out.items[k]);
				changed = true;
			}
		}
	}
}

/* What a call binds: its operands behind those that it takes. */
static void operand_call(
	struct passes *p, struct operand_vars *o, const struct expr *x)
{
	const struct builtin *bi;
	struct vlist out = {0};
	struct group *g;
	int arity;

	if (!expr_is_call(x) || expr_is_op(x, p->eq))
		return;
	arity = call_arity(p->c, x->term->list.items[0], &bi, &g);
	if (arity < 0)
		return;
	vlist_start(p, &out);
	for (uint32_t k = (uint32_t)arity + 1; k < x->term->list.len; k++)
		term_vars(p, &out, x->term->list.items[k], SKIP_INPUT);
	for (uint32_t k = 0; k < out.len; k++)
		vset_add(&o->bound, out.items[k]);
}

/*
 * Variables of an operand without braces that must come from outside: those
 * that no statement of it binds, or that no other statement of it uses. (The
 * operand is one expression; nested calls have made several of it.)
 */
static void operand_vars(
	struct passes *p, struct vlist *l, const struct body *b)
{
	struct operand_vars o = {.safe = vset_new(p, NULL),
		.bound = vset_new(p, NULL),
		.seen = ARENA_ARRAY(&p->scratch, uint32_t, p->nvars)};

	operand_uses(p, &o, b);
	if (b->len > 1)
		operand_unifies(p, &o, b);
	for (uint32_t i = 0; i < b->len && b->len > 1; i++)
		operand_call(p, &o, b->items[i]);
	for (uint32_t i = 0; i < o.all.len; i++) {
		struct var *v = o.all.items[i];

		if (!vset_has(&o.bound, v) || o.seen[v->id] == 1)
			vlist_push(p, l, v);
	}
}

/* Variables of operands without braces count as the statement's own. */
static void operands_promoted(
	struct passes *p, struct vlist *l, const struct expr *x)
{
	struct vlist more = {0};

	switch (x->kind) {
	case X_NOT:
		if (!(x->braces & BRACES_LEFT))
			operand_vars(p, &more, x->body);
		break;
	case X_AND:
	case X_OR:
		if (!(x->braces & BRACES_LEFT))
			operand_vars(p, &more, x->pair.left);
		if (!(x->braces & BRACES_RIGHT))
			operand_vars(p, &more, x->pair.right);
		break;
	default:
		return;
	}
	for (uint32_t i = 0; i < more.len; i++)
		vlist_push(p, l, more.items[i]);
}

static void body_vars_promoted(
	struct passes *p, struct vlist *l, const struct body *b)
{
	vlist_start(p, l);
	body_vars(p, l, b, SKIP_SAFETY);
	for (uint32_t i = 0; i < b->len; i++)
		operands_promoted(p, l, b->items[i]);
}

/* --- order ------------------------------------------------------------------
 */

/* A variable that a statement needs and does not get. */
struct unsafe {
	const struct expr *expr;
	struct var *var;
};

struct unsafes {
	struct unsafe *items;
	uint32_t len, cap;
};

static void unsafe_add(struct passes *p, struct unsafes *l,
	const struct expr *x, struct var *v)
{
	l->items = arena_grow(
		&p->scratch, l->items, l->len, &l->cap, sizeof(*l->items));
	l->items[l->len++] = (struct unsafe){x, v};
}

/* One statement while a body is put in order. */
struct item {
	struct expr *expr;
	struct var **vars; /* all that safety looks at */
	uint32_t nvars;
	struct var **need; /* of them, not bound yet */
	uint32_t nneed;
	struct var **inner; /* used in closures and of the body, not global */
	uint32_t ninner;
	bool done, watching, closures;
	uint64_t queued; /* when it is tried next, or 0 */
};

struct watch {
	struct item *item;
	struct watch *next;
};

/*
 * A round tries all statements that are left, in order; those that failed are
 * tried again only when one of their variables was bound. `queue` is a heap of
 * what is to be tried: round and number of the statement in one key.
 */
struct order {
	struct passes *p;
	struct item *items;
	uint32_t n;
	struct vset safe;
	struct watch **watches; /* by variable id; made on the first failure */
	uint64_t *queue;
	uint32_t nqueue;
	struct item **out; /* in the new order */
	uint32_t nout;
	bool odd; /* a statement was taken before all it needs was bound */
};

static void queue_put(struct order *o, uint64_t key)
{
	uint32_t i = o->nqueue++;

	while (i && o->queue[(i - 1) / 2] > key) {
		o->queue[i] = o->queue[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	o->queue[i] = key;
}

static uint64_t queue_take(struct order *o)
{
	uint64_t top = o->queue[0], key = o->queue[--o->nqueue];
	uint32_t i = 0;

	for (uint32_t k; (k = 2 * i + 1) < o->nqueue; i = k) {
		if (k + 1 < o->nqueue && o->queue[k + 1] < o->queue[k])
			k++;
		if (key <= o->queue[k])
			break;
		o->queue[i] = o->queue[k];
	}
	o->queue[i] = key;
	return top;
}

static void watch_all(struct order *o, struct item *it)
{
	struct passes *p = o->p;
	struct vlist l = {0};

	it->watching = true;
	if (!o->watches)
		o->watches = ARENA_ARRAY(&p->scratch, struct watch *, p->nvars);
	if (!o->queue)
		o->queue = ARENA_ARRAY(&p->scratch, uint64_t, o->n);
	vlist_start(p, &l);
	expr_vars(p, &l, it->expr, 0);
	for (uint32_t i = 0; i < l.len; i++) {
		struct watch *w = arena_raw(&p->scratch, sizeof(*w));

		w->item = it;
		w->next = o->watches[l.items[i]->id];
		o->watches[l.items[i]->id] = w;
	}
}

/* `v` was bound by the statement tried at `now`. */
static void wake(struct order *o, const struct var *v, uint64_t now)
{
	uint64_t round = now >> 32;
	uint32_t at = (uint32_t)now;

	if (!o->watches)
		return;
	for (struct watch *w = o->watches[v->id]; w; w = w->next) {
		uint32_t k = (uint32_t)(w->item - o->items);

		if (w->item->done || w->item->queued > now)
			continue;
		w->item->queued = (k > at ? round : round + 1) << 32 | k;
		queue_put(o, w->item->queued);
	}
}

static uint32_t vars_keep(struct var **vars, uint32_t n,
	const struct vset * not, const struct vlist *nor)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		bool out = vset_has(not, vars[i]);

		for (uint32_t k = 0; !out && nor && k < nor->len; k++)
			out = nor->items[k] == vars[i];
		if (!out)
			vars[kept++] = vars[i];
	}
	return kept;
}

static bool same_vars(struct var **a, uint32_t n, const struct vlist *b)
{
	if (n != b->len)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		bool found = false;

		for (uint32_t k = 0; k < n && !found; k++)
			found = a[i] == b->items[k];
		if (!found)
			return false;
	}
	return true;
}

/* What the statements taken so far bind beyond `safe`: see `odd`. */
static struct vset late_outputs(struct order *o)
{
	struct vset all = vset_new(o->p, &o->safe);

	for (uint32_t i = 0; i < o->nout; i++) {
		struct vlist out = {0};

		expr_outputs(o->p, o->out[i]->expr, &all, &out);
		for (uint32_t k = 0; k < out.len; k++)
			vset_add(&all, out.items[k]);
	}
	for (uint32_t k = 0; k < all.n; k++)
		all.words[k] &= ~o->safe.words[k];
	return all;
}

/*
 * What closures of the statement need takes the place of what itself needs:
 * OPA forgets the latter. False for a statement that waits only for what it
 * would bind itself.
 */
static bool need_inner(
	struct order *o, struct item *it, const struct vlist *outs)
{
	struct vset late;
	struct var **need;
	uint32_t n = it->ninner;

	if (!n)
		return true;
	need = arena_raw(&o->p->scratch, n * sizeof(*need));
	memcpy(need, it->inner, n * sizeof(*need));
	if (o->odd) {
		late = late_outputs(o);
		n = vars_keep(need, n, &late, NULL);
	}
	if (!n)
		return true;
	if (same_vars(need, n, outs))
		return false;
	it->need = need;
	it->nneed = n;
	return true;
}

static bool same_expr(const struct expr *a, const struct expr *b)
{
	if (a->kind != X_TERM || b->kind != X_TERM ||
		a->negated != b->negated || a->nwiths != b->nwiths ||
		term_cmp(a->term, b->term))
		return false;
	for (uint32_t i = 0; i < a->nwiths; i++)
		if (term_cmp(a->withs[i].target, b->withs[i].target) ||
			term_cmp(a->withs[i].value, b->withs[i].value))
			return false;
	return true;
}

/*
 * OPA asks whether the new body holds the statement by comparing text and
 * number, and numbers change: an equal statement that has moved to the place
 * this one had is taken for it.
 */
static bool is_taken_for_placed(const struct order *o, const struct item *it)
{
	uint32_t at = (uint32_t)(it - o->items);

	return at < o->nout && same_expr(o->out[at]->expr, it->expr);
}

static void try_item(struct order *o, struct item *it, uint64_t now)
{
	struct vlist outs = {0};

	if (is_taken_for_placed(o, it))
		return;
	expr_outputs(o->p, it->expr, &o->safe, &outs);
	if (need_inner(o, it, &outs)) {
		it->nneed = vars_keep(it->need, it->nneed, &o->safe, &outs);
		if (!it->nneed) {
			it->done = true;
			o->out[o->nout++] = it;
			for (uint32_t i = 0; i < outs.len; i++) {
				if (vset_has(&o->safe, outs.items[i]))
					continue;
				vset_add(&o->safe, outs.items[i]);
				wake(o, outs.items[i], now);
			}
			for (uint32_t i = 0; i < it->nvars; i++)
				o->odd |= !vset_has(&o->safe, it->vars[i]);
			return;
		}
	}
	if (!it->watching)
		watch_all(o, it);
}

static void order_run(struct order *o)
{
	for (uint32_t i = 0; i < o->n; i++)
		try_item(o, &o->items[i], i);
	while (o->nqueue) {
		uint64_t key = queue_take(o);
		struct item *it = &o->items[(uint32_t)key];

		if (!it->done)
			try_item(o, it, key);
	}
}

/* --- closures
 * ------------------------------------------------------------------ */

struct closures {
	struct passes *p;
	struct vset *globals;
	struct unsafes *unsafe;
	const struct expr *current;
};

static bool body_order(struct passes *p, struct body *b,
	const struct vset *globals, struct unsafes *unsafe);

static void order_closure(struct closures *c, const struct term *key,
	const struct term *head, struct body *b)
{
	struct passes *p = c->p;

	if (head) {
		struct vset known = vset_new(p, c->globals);
		struct vlist l = {0};

		body_vars_promoted(p, &l, b);
		for (uint32_t i = 0; i < l.len; i++)
			vset_add(&known, l.items[i]);
		vlist_start(p, &l);
		if (key)
			term_vars(p, &l, key, 0);
		term_vars(p, &l, head, 0);
		for (uint32_t i = 0; i < l.len; i++)
			if (!vset_has(&known, l.items[i]))
				unsafe_add(
					p, c->unsafe, c->current, l.items[i]);
	}
	body_order(p, b, c->globals, c->unsafe);
}

static bool closures_in_term(struct visit *v, struct term *t)
{
	struct closures *c = v->ctx;

	if (!term_is_comp(t))
		return false;
	order_closure(c, t->comp->key, t->comp->head, t->comp->body);
	return true;
}

static bool closures_in_expr(struct visit *v, struct expr *x)
{
	struct closures *c = v->ctx;
	struct body *inside[2];
	uint32_t n = expr_bodies(x, inside);

	if (x->kind == X_EVERY && x->every.key && x->every.key->var.var)
		vset_add(c->globals, x->every.key->var.var);
	if (x->kind == X_EVERY)
		vset_add(c->globals, x->every.value->var.var);
	for (uint32_t i = 0; i < n; i++)
		order_closure(c, NULL, NULL, inside[i]);
	return n > 0;
}

/* Each closure may use what the statements in front of it mention. */
static void order_closures(struct passes *p, struct order *o,
	const struct vset *globals, struct unsafes *unsafe)
{
	struct vset known = vset_new(p, globals);
	struct closures c = {.p = p, .globals = &known, .unsafe = unsafe};
	struct visit v = {.p = p,
		.term = closures_in_term,
		.expr = closures_in_expr,
		.ctx = &c};
	uint32_t seen = 0;

	for (uint32_t i = 0; i < o->nout; i++) {
		if (!o->out[i]->closures)
			continue;
		for (; seen < i; seen++)
			for (uint32_t k = 0; k < o->out[seen]->nvars; k++)
				vset_add(&known, o->out[seen]->vars[k]);
		c.current = o->out[i]->expr;
		visit_expr(&v, o->out[i]->expr);
	}
}

/* --- bodies
 * ---------------------------------------------------------------------- */

static bool inner_in_term(struct visit *v, struct term *t)
{
	struct vlist *l = v->ctx;

	if (!term_is_comp(t))
		return false;
	term_vars(v->p, l, t, 0);
	return true;
}

/* `every` shows its body only; its domain is outside. */
static bool inner_in_expr(struct visit *v, struct expr *x)
{
	struct body *inside[2];
	uint32_t n = expr_bodies(x, inside);

	for (uint32_t i = 0; i < n; i++)
		body_vars(v->p, v->ctx, inside[i], 0);
	return n > 0;
}

static bool has_closures(const struct term *t)
{
	for (uint32_t i = 0; i < term_len(t); i++)
		if (t->list.items[i]->kind > T_VAR &&
			has_closures(t->list.items[i]))
			return true;
	return term_is_comp(t);
}

static bool expr_has_closures(const struct expr *x)
{
	if (x->kind != X_TERM)
		return true;
	for (uint32_t i = 0; i < x->nwiths; i++)
		if (has_closures(x->withs[i].value))
			return true;
	return has_closures(x->term);
}

static void item_vars(struct passes *p, struct item *it, struct expr *x)
{
	struct vlist l = {0};

	it->expr = x;
	it->closures = expr_has_closures(x);
	vlist_start(p, &l);
	expr_vars(p, &l, x, SKIP_SAFETY);
	operands_promoted(p, &l, x);
	it->vars = l.items;
	it->nvars = l.len;
}

static void item_start(struct order *o, struct item *it,
	const struct vset *mentioned, const struct vset *globals)
{
	struct passes *p = o->p;
	struct vlist inner = {0};
	struct visit v = {.p = p,
		.term = inner_in_term,
		.expr = inner_in_expr,
		.ctx = &inner};
	uint32_t n = 0;

	if (it->nvars) {
		it->need =
			arena_raw(&p->scratch, it->nvars * sizeof(*it->need));
		memcpy(it->need, it->vars, it->nvars * sizeof(*it->need));
		it->nneed = vars_keep(it->need, it->nvars, &o->safe, NULL);
	}
	if (!it->closures)
		return;
	vlist_start(p, &inner);
	visit_expr(&v, it->expr);
	for (uint32_t i = 0; i < inner.len; i++)
		if (vset_has(mentioned, inner.items[i]) &&
			!vset_has(globals, inner.items[i]))
			inner.items[n++] = inner.items[i];
	it->inner = inner.items;
	it->ninner = n;
}

/*
 * Put `b` in order. `globals` are bound outside. What can't be placed is added
 * to `unsafe`, and the body is left as it was.
 */
static bool body_order(struct passes *p, struct body *b,
	const struct vset *globals, struct unsafes *unsafe)
{
	struct order o = {.p = p, .n = b->len};
	struct vset mentioned = vset_new(p, NULL);
	uint32_t before = unsafe->len;

	o.safe = vset_new(p, NULL);
	o.items = ARENA_ARRAY(&p->scratch, struct item, b->len);
	o.out = arena_raw(&p->scratch, b->len * sizeof(*o.out));
	for (uint32_t i = 0; i < b->len; i++) {
		struct item *it = &o.items[i];

		item_vars(p, it, b->items[i]);
		for (uint32_t k = 0; k < it->nvars; k++)
			vset_add(&mentioned, it->vars[k]);
	}
	for (uint32_t k = 0; k < mentioned.n; k++)
		o.safe.words[k] = mentioned.words[k] & globals->words[k];
	for (uint32_t i = 0; i < b->len; i++)
		item_start(&o, &o.items[i], &mentioned, globals);
	order_run(&o);
	for (uint32_t i = 0; i < o.n; i++)
		for (uint32_t k = 0; !o.items[i].done && k < o.items[i].nneed;
			k++)
			unsafe_add(
				p, unsafe, o.items[i].expr, o.items[i].need[k]);
	order_closures(p, &o, globals, unsafe);
	if (unsafe->len != before)
		return false;
	for (uint32_t i = 0; i < o.nout; i++)
		b->items[i] = o.out[i]->expr;
	b->len = o.nout;
	return true;
}

/* --- errors
 * ---------------------------------------------------------------------- */

static bool same_name(const struct rule *a, const struct rule *b)
{
	uint32_t n = head_ground_len(&a->head);
	struct term **x = a->head.ref->list.items, **y;

	if (head_ground_len(&b->head) != n)
		return false;
	y = b->head.ref->list.items;
	for (uint32_t i = 0; i < n; i++)
		if (i ? term_cmp(x[i], y[i]) != 0
		      : x[0]->var.name != y[0]->var.name)
			return false;
	return true;
}

static uint32_t row_of(const struct rule *r)
{
	uint32_t row, col;

	source_pos(r->loc, &row, &col);
	return row;
}

/*
 * " in rule p" where the line holds rules of different names. `top` is the
 * rule that `branch` belongs to.
 */
static const char *scope_text(
	struct passes *p, const struct rule *top, const struct rule *branch)
{
	uint32_t row;
	struct term name;

	if (!top || !p->mod)
		return "";
	row = row_of(branch);
	for (uint32_t i = 0; i < p->mod->nrules; i++)
		for (const struct rule *b = p->mod->rules[i]; b; b = b->els)
			if (!same_name(p->mod->rules[i], top) &&
				row_of(b) == row) {
				name = *top->head.ref;
				name.list.len = head_ground_len(&top->head);
				return arena_printf(
					p->a, " in rule %s", text_of(p, &name));
			}
	return "";
}

static bool is_future_keyword(const struct string *s)
{
	static const char *const words[] = {
		"in", "every", "contains", "if", "and", "or", "not"};

	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(words[i], s->bytes) == 0)
			return true;
	return false;
}

static int loc_cmp(struct loc a, struct loc b)
{
	if (!a.src || !b.src)
		return a.src ? -1 : b.src ? 1 : 0;
	return a.off < b.off ? -1 : a.off > b.off;
}

static int by_var(const void *a, const void *b)
{
	const struct unsafe *x = a, *y = b;

	if (x->var != y->var)
		return x->var->id < y->var->id ? -1 : 1;
	return loc_cmp(x->expr->loc, y->expr->loc);
}

static int by_expr(const void *a, const void *b)
{
	const struct unsafe *x = a, *y = b;
	int c = loc_cmp(x->expr->loc, y->expr->loc);

	if (c)
		return c;
	return x->var->id < y->var->id ? -1 : x->var->id > y->var->id;
}

/* What stands on the left of `:=` in statements that are unsafe. */
struct assigned {
	struct vset vars;
	uint32_t mark; /* left_gen of their names */
};

static struct assigned assigned_in(struct passes *p, const struct unsafes *l)
{
	struct assigned lhs = {vset_new(p, NULL), ++p->gen};

	for (uint32_t i = 0; i < l->len; i++) {
		const struct expr *x = l->items[i].expr;
		struct vlist vars = {0};

		if (!x->assigned || expr_noperands(x) != 2)
			continue;
		vlist_start(p, &vars);
		term_vars(p, &vars, expr_operand(x, 0), 0);
		for (uint32_t k = 0; k < vars.len; k++) {
			vset_add(&lhs.vars, vars.items[k]);
			name_of(p, vars.items[k]->name)->left_gen = lhs.mark;
		}
	}
	return lhs;
}

/* A wildcard is one by itself; all others share what their name is. */
static bool is_assigned(
	struct passes *p, const struct assigned *lhs, const struct var *v)
{
	return v->wildcard ? vset_has(&lhs->vars, v)
			   : name_of(p, v->name)->left_gen == lhs->mark;
}

static void var_error(
	struct passes *p, const struct unsafe *u, const char *scope)
{
	const char *name = u->var->name->bytes;

	if (is_future_keyword(u->var->name))
		found_add(p, ST_SAFETY, false, ERR_UNSAFE, u->expr->loc,
			"var %s is unsafe%s (hint: `import future.keywords.%s` "
			"to import a future keyword)",
			name, scope, name);
	else
		found_add(p, ST_SAFETY, false, ERR_UNSAFE, u->expr->loc,
			"var %s is unsafe%s", name, scope);
}

/*
 * When only variables that passes made are unsafe, whole statements are named
 * instead; each such variable is good for one error.
 */
static bool expr_errors(struct passes *p, struct unsafes *l, const char *scope)
{
	struct vset seen = vset_new(p, NULL);
	bool any = false;

	qsort(l->items, l->len, sizeof(*l->items), by_expr);
	for (uint32_t i = 0; i < l->len;) {
		const struct expr *x = l->items[i].expr;
		bool fresh = false;

		for (; i < l->len && l->items[i].expr == x; i++) {
			const struct var *v = l->items[i].var;

			if (v->wildcard || vset_has(&seen, v))
				continue;
			vset_add(&seen, v);
			fresh = true;
		}
		if (fresh)
			found_add(p, ST_SAFETY, false, ERR_UNSAFE, x->loc,
				"expression is unsafe%s", scope);
		any |= fresh;
	}
	return any;
}

/*
 * A variable is reported once, at its first place, and one that `:=` would
 * have bound not at all if there is another to blame.
 */
static bool safety_errors(
	struct passes *p, struct unsafes *l, const char *scope)
{
	bool others = false, any = false;
	uint32_t n = 0;
	struct unsafe *first;
	struct assigned lhs = assigned_in(p, l);

	qsort(l->items, l->len, sizeof(*l->items), by_var);
	first = arena_raw(&p->scratch, l->len * sizeof(*first));
	for (uint32_t i = 0; i < l->len; i++)
		if (!i || l->items[i].var != l->items[i - 1].var)
			first[n++] = l->items[i];
	qsort(first, n, sizeof(*first), by_expr);
	for (uint32_t i = 0; i < n; i++)
		others |= !var_hidden(first[i].var) &&
			  !is_assigned(p, &lhs, first[i].var);
	for (uint32_t i = 0; i < n; i++) {
		if (var_hidden(first[i].var) ||
			(others && is_assigned(p, &lhs, first[i].var)))
			continue;
		var_error(p, &first[i], scope);
		any = true;
	}
	return any || expr_errors(p, l, scope);
}

/* --- heads
 * -------------------------------------------------------------------------- */

/* The last place of `v` in `t`, as OPA notes it. */
static void find_place(
	const struct term *t, const struct var *v, struct loc *loc)
{
	switch (t->kind) {
	case T_VAR:
		if (t->var.var == v)
			*loc = t->loc;
		break;
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
		for (uint32_t i = 0; i < t->list.len; i++)
			find_place(t->list.items[i], v, loc);
		break;
	default:
		break;
	}
}

static bool head_has_vars(const struct head *h)
{
	if (h->key && h->key->kind != T_SCALAR)
		return true;
	if (h->value && h->value->kind != T_SCALAR)
		return true;
	return h->ref && head_ground_len(h) < h->ref->list.len;
}

static void head_vars(struct passes *p, struct vlist *l, const struct head *h)
{
	if (h->key)
		term_vars(p, l, h->key, 0);
	if (h->value)
		term_vars(p, l, h->value, 0);
	for (uint32_t i = 1; h->ref && i < h->ref->list.len; i++)
		term_vars(p, l, h->ref->list.items[i], 0);
}

static struct loc head_place(const struct head *h, const struct var *v)
{
	struct loc loc = {0};

	if (h->key)
		find_place(h->key, v, &loc);
	if (h->value)
		find_place(h->value, v, &loc);
	for (uint32_t i = 1; h->ref && i < h->ref->list.len; i++)
		find_place(h->ref->list.items[i], v, &loc);
	return loc;
}

static struct vset arg_vars(struct passes *p, const struct rule *top)
{
	struct vset s = vset_new(p, NULL);
	struct vlist l = {0};

	vlist_start(p, &l);
	for (uint32_t i = 0; i < top->head.nargs; i++)
		term_vars(p, &l, top->head.args[i], 0);
	for (uint32_t i = 0; i < l.len; i++)
		vset_add(&s, l.items[i]);
	return s;
}

static void check_head(
	struct passes *p, const struct rule *top, const struct rule *b)
{
	struct vset known;
	struct vlist l = {0};

	if (!head_has_vars(&b->head))
		return;
	known = arg_vars(p, top);
	vlist_start(p, &l);
	body_vars(p, &l, b->body, SKIP_SAFETY);
	for (uint32_t i = 0; i < l.len; i++)
		vset_add(&known, l.items[i]);
	vlist_start(p, &l);
	head_vars(p, &l, &b->head);
	for (uint32_t i = 0; i < l.len; i++) {
		const struct var *v = l.items[i];

		if (vset_has(&known, v) || var_hidden(v))
			continue;
		found_add(p, ST_HEAD_SAFETY, false, ERR_UNSAFE,
			head_place(&b->head, v), "var %s is unsafe%s",
			v->name->bytes, scope_text(p, top, b));
	}
}

/* --- rules
 * ----------------------------------------------------------------------------
 */

static void order_rule(struct passes *p, struct rule *top, struct rule *b)
{
	struct vset args = arg_vars(p, top);
	struct unsafes unsafe = {0};

	if (!body_order(p, b->body, &args, &unsafe) &&
		!found_enough(p, ST_SAFETY))
		safety_errors(p, &unsafe, scope_text(p, top, b));
}

static void safety_rule(struct passes *p, struct rule *r)
{
	uint32_t fatal = p->nfatal;

	rule_enter(p, r);
	for (struct rule *b = r; b; b = b->els)
		if (!found_enough(p, ST_HEAD_SAFETY))
			check_head(p, r, b);
	if (p->nfatal == fatal)
		for (struct rule *b = r; b; b = b->els)
			order_rule(p, r, b);
	rule_leave(p, r);
}

void pass_safety(struct compiler *c)
{
	struct passes *p = passes_of(c);

	for (uint32_t i = 0; i < c->nmods; i++) {
		p->mod = c->mods[i];
		for (uint32_t k = 0; k < c->mods[i]->nrules; k++)
			safety_rule(p, c->mods[i]->rules[k]);
	}
}

void query_safety(struct passes *p, struct rule *q)
{
	struct vset none;
	struct unsafes unsafe = {0};

	rule_enter(p, q);
	none = vset_new(p, NULL);
	if (!body_order(p, q->body, &none, &unsafe))
		safety_errors(p, &unsafe, "");
	rule_leave(p, q);
}
