/*
 * plan: from ordered bodies to flat programs.
 *
 * A body is planned from left to right. The planner knows at each point which
 * variables are bound, so every `=` is a move, a compare or a test of shape,
 * and every ref is a look-up or a loop. P->fail is where to go when the code
 * planned next fails: an outer label, or the NEXT of the loop opened last.
 * Opening a loop moves it; nothing has to be closed afterwards, since the code
 * behind the body ends with a jump to P->fail ("next solution").
 */
#include "rego/plan.h"
#include "rego/index.h"
#include "rego/scan.h"

#include <string.h>

#define UNSET UINT32_MAX

enum { KCACHE = 256 };

struct bind {
	bool bound;
	uint16_t op;
};

struct planner {
	struct rego_engine *e;
	struct code *code;
	struct arena *arena;
	uint32_t cap_insns, cap_consts, cap_calls, cap_pool, cap_sites;
	uint32_t cap_rules, cap_switches, cap_exprs;
	uint32_t *labels, nlabels, cap_labels;
	uint32_t fail;      /* label */
	uint32_t nloops;    /* loops opened so far in this code */
	struct bind *binds; /* by var id */
	uint32_t nbinds;
	uint32_t *trail, ntrail, cap_trail; /* vars in order of binding */
	uint32_t next_reg;
	struct loc loc;
	/* For frames: queries around, the expr at work, `every`s around it. */
	uint32_t level;
	const struct expr *current;
	struct every_step {
		const struct expr *expr;
		uint32_t level;
		const struct every_step *outer;
	} const *everys;
	uint32_t stepped; /* the step of the statement that was last */
	uint32_t cap_steps;
	bool silent;   /* in a comprehension: nothing there fails a rule */
	bool unmarked; /* what is planned now leaves no marks */
	uint32_t kcache[KCACHE]; /* constant number + 1 by hash */
};

static void plan_body(struct planner *p, const struct body *b);
static uint16_t value_of(struct planner *p, const struct term *t);
static void unify_op(struct planner *p, uint16_t op, const struct term *t);
static uint32_t call_add(struct planner *p, const struct builtin *bi,
	struct group *g, const uint16_t *ops, uint32_t n);

/* --- labels, registers, constants ------------------------------------ */

static uint32_t label(struct planner *p)
{
	p->labels = arena_grow(p->arena, p->labels, p->nlabels, &p->cap_labels,
		sizeof(*p->labels));
	p->labels[p->nlabels] = UNSET;
	return p->nlabels++;
}

static void place(struct planner *p, uint32_t l)
{
	p->labels[l] = p->code->len;
}

static uint16_t new_reg(struct planner *p)
{
	if (p->next_reg >= REGS_MAX)
		die("rule too large: more than %d registers", REGS_MAX);
	if (p->next_reg + 1 > p->code->nregs)
		p->code->nregs = p->next_reg + 1;
	return (uint16_t)p->next_reg++;
}

static struct insn *emit_to(struct planner *p, enum op op, uint16_t a,
	uint16_t b, uint16_t c, uint32_t fail, uint32_t imm)
{
	struct code *co = p->code;
	uint32_t cap = p->cap_insns;

	co->insns = arena_grow(p->arena, co->insns, co->len, &p->cap_insns,
		sizeof(*co->insns));
	co->locs = arena_grow(
		p->arena, co->locs, co->len, &cap, sizeof(*co->locs));
	co->locs[co->len] = p->loc;
	co->insns[co->len] = (struct insn){(uint16_t)op, a, b, c, fail, imm};
	return &co->insns[co->len++];
}

static void emit(struct planner *p, enum op op, uint16_t a, uint16_t b,
	uint16_t c, uint32_t imm)
{
	emit_to(p, op, a, b, c, p->fail, imm);
}

static void jump(struct planner *p, uint32_t to)
{
	emit_to(p, OP_JMP, 0, 0, 0, to, 0);
}

static uint16_t constant(struct planner *p, struct value v)
{
	struct code *co = p->code;
	uint32_t *slot = &p->kcache[(value_hash(v) + v.tag) % KCACHE];
	uint32_t k = *slot ? *slot - 1 : UNSET;

	if (k == UNSET || co->consts[k].tag != v.tag ||
		(v.tag > V_TRUE && co->consts[k].i != v.i)) {
		co->consts = arena_grow(p->arena, co->consts, co->nconsts,
			&p->cap_consts, sizeof(*co->consts));
		k = co->nconsts++;
		co->consts[k] = v;
		*slot = k + 1;
	}
	if (k < REGS_MAX)
		return (uint16_t)(K_BIT | k);
	uint16_t r = new_reg(p);

	emit(p, OP_MOVE, r, NO_OPERAND, 0, k);
	return r;
}

static uint32_t operands(struct planner *p, const uint16_t *ops, uint32_t n)
{
	uint32_t at = p->code->npool;

	for (uint32_t i = 0; i < n; i++) {
		p->code->pool = arena_grow(p->arena, p->code->pool,
			p->code->npool, &p->cap_pool, sizeof(*p->code->pool));
		p->code->pool[p->code->npool++] = ops[i];
	}
	return at;
}

/* --- what the code reads ---------------------------------------------- */

static void reads_group(struct planner *p, struct group *g)
{
	struct code *co = p->code;

	for (uint32_t i = co->ndeps; i-- > 0 && co->ndeps - i < 8;)
		if (co->deps[i] == g)
			return;
	co->deps = arena_grow(
		p->arena, co->deps, co->ndeps, &co->capdeps, sizeof(*co->deps));
	co->deps[co->ndeps++] = g;
}

static void reads_path(struct planner *p, struct path *path)
{
	struct code *co = p->code;

	co->paths = arena_grow(p->arena, co->paths, co->npaths, &co->cappaths,
		sizeof(*co->paths));
	co->paths[co->npaths++] = path;
}

/* Every group at or below a node: what a document read there can evaluate. */
static void reads_tree(struct planner *p, const struct node *n)
{
	if (n->group && n->group->kind != G_FUNC)
		reads_group(p, n->group);
	for (uint32_t i = 0; i < n->nkids; i++)
		reads_tree(p, n->kids[i]);
}

static void reads_callee(struct planner *p, uint32_t id)
{
	struct code *co = p->code;

	co->callees = arena_grow(p->arena, co->callees, co->ncallees,
		&co->capcallees, sizeof(*co->callees));
	co->callees[co->ncallees++] = id;
}

/* --- variables --------------------------------------------------------- */

static struct bind *bind_of(struct planner *p, const struct term *t)
{
	assert(t->var.var && t->var.var->id < p->nbinds);
	return &p->binds[t->var.var->id];
}

static bool is_free_var(struct planner *p, const struct term *t)
{
	return t->kind == T_VAR && !bind_of(p, t)->bound;
}

static void bind_to(struct planner *p, const struct term *t, uint16_t op)
{
	*bind_of(p, t) = (struct bind){.bound = true, .op = op};
	p->trail = arena_grow(p->arena, p->trail, p->ntrail, &p->cap_trail,
		sizeof(*p->trail));
	p->trail[p->ntrail++] = t->var.var->id;
}

/* Leave a scope of its own: what was bound in it is free again. */
static void unbind_to(struct planner *p, uint32_t mark)
{
	while (p->ntrail > mark)
		p->binds[p->trail[--p->ntrail]].bound = false;
}

/* No free variable inside. Bodies of comprehensions are closed: safety. */
static bool is_bound(struct planner *p, const struct term *t)
{
	if (t->kind == T_VAR)
		return !t->var.var || bind_of(p, t)->bound;
	for (uint32_t i = 0; i < term_len(t); i++)
		if (!is_bound(p, t->list.items[i]))
			return false;
	return true;
}

/* For explain: the two sides of the comparison that comes next. */
static void sides(struct planner *p, uint16_t a, uint16_t b)
{
	if (p->e->cfg.explain && !p->silent)
		emit(p, OP_SIDES, 0, a, b, 0);
}

/* --- terms ---------------------------------------------------------------- */

/* The value of a term made of scalars only. */
static bool fold(struct planner *p, const struct term *t, struct value *out)
{
	uint32_t n = t->list.len;
	struct value *items;

	if (t->kind == T_SCALAR) {
		*out = t->val;
		return true;
	}
	if (t->kind != T_ARRAY && t->kind != T_SET && t->kind != T_OBJECT)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (t->list.items[i]->kind != T_SCALAR &&
			t->list.items[i]->kind != T_ARRAY &&
			t->list.items[i]->kind != T_SET &&
			t->list.items[i]->kind != T_OBJECT)
			return false;
	items = ARENA_ARRAY(p->arena, struct value, n + 1);
	if (t->kind == T_OBJECT) {
		struct value *vals =
			ARENA_ARRAY(p->arena, struct value, n / 2 + 1);

		for (uint32_t i = 0; i < n; i++)
			if (!fold(p, t->list.items[i],
				    i % 2 ? &vals[i / 2] : &items[i / 2]))
				return false;
		*out = v_obj(p->arena, items, vals, n / 2);
		return true;
	}
	for (uint32_t i = 0; i < n; i++)
		if (!fold(p, t->list.items[i], &items[i]))
			return false;
	*out = t->kind == T_ARRAY ? v_arr(p->arena, items, n)
				  : v_set(p->arena, items, n);
	return true;
}

static uint16_t composite(struct planner *p, const struct term *t)
{
	uint32_t n = t->list.len;
	uint16_t *ops = ARENA_ARRAY(p->arena, uint16_t, n + 1), dest;
	enum op op = t->kind == T_ARRAY ? OP_MKARR
		     : t->kind == T_SET ? OP_MKSET
					: OP_MKOBJ;
	uint32_t at;

	for (uint32_t i = 0; i < n; i++)
		ops[i] = value_of(p, t->list.items[i]);
	at = operands(p, ops, n);
	dest = new_reg(p);
	emit_to(p, op, dest, 0, 0, t->kind == T_OBJECT ? n / 2 : n, at);
	p->code->insns[p->code->len - 1].fail |= RAW_FAIL;
	return dest;
}

/* --- frames ------------------------------------------------------------- */

/* Of engine.c: what a query gives is nowhere in its source. */
static bool is_capture(const struct term *t)
{
	return t->var.name->bytes[0] == '$';
}

static void step_var(struct planner *p, struct step *s, const struct term *t)
{
	struct loc at = s->loc;
	uint32_t i = s->nvars;

	if (!t->var.var || t->var.var->wildcard || is_capture(t) ||
		!bind_of(p, t)->bound || t->loc.src != at.src || !t->loc.len ||
		t->loc.off < at.off ||
		t->loc.off + t->loc.len > at.off + at.len)
		return;
	s->vars = arena_grow(
		p->arena, s->vars, s->nvars, &s->cap, sizeof(*s->vars));
	for (; i > 0 && s->vars[i - 1].loc.off > t->loc.off; i--)
		s->vars[i] = s->vars[i - 1];
	s->vars[i] = (struct step_var){t->loc, bind_of(p, t)->op};
	s->nvars++;
}

/* Variables that are read, not those of comprehensions inside. */
static void step_term(struct planner *p, struct step *s, const struct term *t)
{
	if (t->kind == T_VAR)
		step_var(p, s, t);
	for (uint32_t i = t->kind == T_CALL; i < term_len(t); i++)
		step_term(p, s, t->list.items[i]);
}

/* Names that are declared where they stand keep their places. */
static void step_declaration(
	struct planner *p, struct step *s, const struct expr *x)
{
	const struct term *t = x->term->list.items[2];
	uint32_t n = term_len(t);

	if (!x->of_some || t->kind != T_REF) {
		step_term(p, s, t);
		return;
	}
	for (uint32_t i = 0; i + 1 < n; i++)
		step_term(p, s, t->list.items[i]);
}

/* Where the value of a call stands, for frames of the function itself. */
static void step_output(struct step *s, const struct expr *x)
{
	const struct term *t = x->term;
	const struct term *last = t->list.items[t->list.len - 1];

	if (t->kind == T_CALL && t->list.len > 1 && last->kind == T_VAR &&
		!is_capture(last) && last->loc.src == s->loc.src &&
		last->loc.off >= s->loc.off &&
		last->loc.off + last->loc.len <= s->loc.off + s->loc.len)
		s->out = last->loc;
}

static void step_expr(struct planner *p, struct step *s, const struct expr *x)
{
	if (x->kind == X_TERM && is_eq_call(x->term) &&
		(x->assigned || x->of_some))
		step_declaration(p, s, x);
	else if (x->kind == X_TERM)
		step_term(p, s, x->term);
	if (x->kind == X_EVERY) {
		step_term(p, s, x->every.domain);
		for (uint32_t i = 0; i < x->every.body->len; i++)
			step_expr(p, s, x->every.body->items[i]);
	}
	for (uint32_t i = 0; i < x->nwiths; i++)
		step_term(p, s, x->withs[i].value);
}

static void step_at(struct planner *p, const struct expr *x, uint32_t level)
{
	struct code *co = p->code;
	struct step *s;

	co->steps = arena_grow(p->arena, co->steps, co->nsteps, &p->cap_steps,
		sizeof(*co->steps));
	s = &co->steps[co->nsteps];
	*s = (struct step){.loc = x->loc};
	if (x->kind == X_TERM && x->term->kind == T_CALL)
		step_output(s, x);
	step_expr(p, s, x);
	p->stepped = co->nsteps;
	emit(p, OP_STEP, (uint16_t)level, 0, 0, co->nsteps++);
}

static void everys_at(struct planner *p, const struct every_step *e)
{
	if (!e)
		return;
	everys_at(p, e->outer);
	step_at(p, e->expr, e->level);
}

/* The expr that is evaluated next. Bodies of `every` show in its own frame. */
static void frame_step(struct planner *p, const struct expr *x)
{
	if (!p->e->cfg.frames || !x || p->unmarked)
		return;
	everys_at(p, p->everys);
	step_at(p, x, p->level);
}

static void query_starts(struct planner *p)
{
	if (p->e->cfg.frames)
		emit(p, OP_QUERY, (uint16_t)p->level, 0, 0, 0);
}

static void query_enter(struct planner *p)
{
	p->level++;
	query_starts(p);
}

static void query_leave(struct planner *p)
{
	p->level--;
}

/* --- comprehensions ------------------------------------------------------- */

static uint16_t comprehension(struct planner *p, const struct term *t)
{
	uint32_t outer = p->fail, done = label(p), scope = p->ntrail;
	uint16_t b = new_reg(p), dest = new_reg(p), k = 0, v;
	bool silent = p->silent;

	emit(p,
		t->kind == T_ARRAY_COMP ? OP_ARRNEW
		: t->kind == T_SET_COMP ? OP_SETNEW
					: OP_OBJNEW,
		b, 0, 0, 0);
	p->fail = done;
	p->silent = true;
	query_enter(p);
	plan_body(p, t->comp->body);
	if (t->comp->key)
		k = value_of(p, t->comp->key);
	v = value_of(p, t->comp->head);
	p->loc = t->comp->key ? t->comp->key->loc : t->loc;
	if (t->kind == T_ARRAY_COMP)
		emit(p, OP_PUSH, b, v, 0, 0);
	else if (t->kind == T_SET_COMP)
		emit(p, OP_ADDTO, b, v, 0, 0);
	else
		emit(p, OP_PUT, b, k, v, 0);
	jump(p, p->fail);
	place(p, done);
	p->fail = outer;
	p->silent = silent;
	query_leave(p);
	unbind_to(p, scope);
	frame_step(p, p->current);
	emit(p, OP_DONE, dest, b, 0, 0);
	return dest;
}

/* --- refs -------------------------------------------------------------------
 */

/* A value found at a step, and whether it may be a document (LGET). */
struct at {
	uint16_t op;
	bool tree;
};

/* One step with a key that is not known: a loop. */
static struct at step_loop(
	struct planner *p, struct at from, const struct term *key)
{
	uint16_t it = new_reg(p), k, v;
	bool want_key = !(key->kind == T_VAR && key->var.var->wildcard);

	new_reg(p); /* an iterator has two registers */
	k = want_key ? new_reg(p) : NO_OPERAND;
	v = new_reg(p);
	emit(p, from.tree ? OP_LITER : OP_ITER, it, from.op, 0, 0);
	uint32_t next = label(p);

	place(p, next);
	emit(p, from.tree ? OP_LNEXT : OP_NEXT, it, k, v, 0);
	p->fail = next;
	p->nloops++;
	if (want_key)
		unify_op(p, k, key);
	else
		bind_to(p, key, NO_OPERAND);
	return (struct at){v, from.tree};
}

/* Constant keys have a place where the VM notes their last position. */
static uint32_t new_hint(struct planner *p, uint16_t key)
{
	return key & K_BIT ? ++p->e->nhints : 0;
}

static struct at step(struct planner *p, struct at from, const struct term *key)
{
	uint16_t k, dest;

	if (!is_bound(p, key))
		return step_loop(p, from, key);
	k = value_of(p, key);
	dest = new_reg(p);
	emit(p, from.tree ? OP_LGET : OP_GET, dest, from.op, k, new_hint(p, k));
	return (struct at){dest, from.tree};
}

/* The engine's record of node + keys; one for each distinct path. */
static struct path *path_at(struct planner *p, struct node *n,
	struct term *const *keys, uint32_t nkeys)
{
	struct buf id = {0};
	struct path *path;
	void **slot;

	buf_addf(&id, "%u", n->id);
	for (uint32_t i = 0; i < nkeys; i++) {
		buf_addc(&id, '/');
		value_json(&id, keys[i]->val, 0, 0);
	}
	path = map_get(&p->e->path_index, buf_str(&id));
	if (!path) {
		struct value *vals =
			ARENA_ARRAY(p->arena, struct value, nkeys + 1);

		for (uint32_t i = 0; i < nkeys; i++)
			vals[i] = keys[i]->val;
		path = ARENA_NEW(p->arena, struct path);
		*path = (struct path){.node = n, .keys = vals, .nkeys = nkeys};
		slot = map_at(
			&p->e->path_index, arena_str(p->arena, buf_str(&id)));
		*slot = path;
		p->e->paths = arena_grow(p->arena, p->e->paths, p->e->npaths,
			&p->e->cappaths, sizeof(*p->e->paths));
		path->id = p->e->npaths++;
		p->e->paths[path->id] = path;
		path->base = path_base(p->e, path);
		path->tree = nkeys == 0 && (n->nkids > 0 || n->is_package);
	}
	buf_release(&id);
	return path;
}

/* How many keys lead to a value of the group, at most. */
static uint32_t keys_of_group(const struct group *g)
{
	uint32_t n = g->kind == G_SET ? 1 : 0;

	for (uint32_t i = 0; g->kind == G_OBJECT && i < g->nrules; i++)
		if (g->rules[i]->npath > n)
			n = g->rules[i]->npath;
	return n < KEYS_MAX ? n : KEYS_MAX;
}

/*
 * The value of a group at the keys that follow in the ref. Only rules for the
 * keys have a say: what others conflict about is not asked for.
 */
static struct at group_ref(
	struct planner *p, struct group *g, const struct term *t, uint32_t *i)
{
	uint32_t n = 0, max = keys_of_group(g);
	uint16_t ops[KEYS_MAX], dest, down;

	reads_group(p, g);
	while (n < max && *i + n < t->list.len &&
		is_bound(p, t->list.items[*i + n])) {
		ops[n] = value_of(p, t->list.items[*i + n]);
		n++;
	}
	dest = new_reg(p);
	if (!n) {
		emit(p, OP_CALLR, dest, 0, 0, g->id);
		return (struct at){dest, false};
	}
	if (!g->plan)
		g->plan = ARENA_NEW(&p->e->arena, struct group_plan);
	((struct group_plan *)g->plan)->wanted |= 1u << (n - 1);
	emit(p, OP_CALLK, dest, 0, 0, call_add(p, NULL, g, ops, n));
	for (uint32_t k = 0; k < n; k++) {
		down = new_reg(p);
		emit(p, OP_GET, down, dest, ops[k], new_hint(p, ops[k]));
		dest = down;
	}
	*i += n;
	return (struct at){dest, false};
}

/* A ref below `data`: static as far as its keys are constants. */
static struct at data_ref(struct planner *p, const struct term *t, uint32_t *i)
{
	struct node *n = p->e->comp.root, *kid;
	uint32_t len = t->list.len, from;
	struct term **items = t->list.items;
	uint16_t dest;

	*i = 1;
	while (*i < len && items[*i]->kind == T_SCALAR &&
		(kid = node_child(n, items[*i]->val))) {
		n = kid;
		(*i)++;
		if (n->group)
			break;
	}
	if (n->group)
		return group_ref(p, n->group, t, i);
	from = *i;
	while (*i < len && items[*i]->kind == T_SCALAR)
		(*i)++;
	struct path *path = path_at(p, n, items + from, *i - from);

	reads_path(p, path);
	if (path->tree)
		reads_tree(p, n);
	dest = new_reg(p);
	emit(p, OP_DATA, dest, 0, 0, path->id);
	return (struct at){dest, true};
}

static uint16_t ref(struct planner *p, const struct term *t)
{
	struct term *head = t->list.items[0];
	uint32_t i = 1, len = t->list.len;
	struct at at;

	if (term_is_name(head, "input")) {
		at = (struct at){new_reg(p), false};
		p->code->reads_input = true;
		emit(p, OP_INPUT, at.op, 0, 0, 0);
	} else if (term_is_name(head, "data")) {
		at = data_ref(p, t, &i);
	} else {
		at = (struct at){value_of(p, head), false};
	}
	for (; i < len; i++)
		at = step(p, at, t->list.items[i]);
	if (at.tree) {
		uint16_t dest = new_reg(p);

		emit(p, OP_FORCE, dest, at.op, 0, 0);
		return dest;
	}
	return at.op;
}

/* --- calls
 * -------------------------------------------------------------------- */

static const struct inlined {
	const char *name;
	enum op op;
	bool test; /* has no result of its own */
} inlined[] = {
	{"equal", OP_EQ, true},
	{"neq", OP_NE, true},
	{"lt", OP_LT, true},
	{"lte", OP_LE, true},
	{"gt", OP_GT, true},
	{"gte", OP_GE, true},
	{"internal.member_2", OP_IN, true},
	{"plus", OP_ADD, false},
	{"minus", OP_SUB, false},
	{"mul", OP_MUL, false},
	{"div", OP_DIV, false},
	{"rem", OP_REM, false},
};

static const struct inlined *inline_find(
	struct planner *p, const struct builtin *bi, bool has_out)
{
	if (builtin_is_mocked(p->e, bi))
		return NULL;
	for (size_t i = 0; i < COUNT(inlined); i++)
		if (inlined[i].test == !has_out &&
			!strcmp(inlined[i].name, bi->name))
			return &inlined[i];
	return NULL;
}

/* Arithmetic needs its call too: for the error when it fails. */
static uint32_t call_add(struct planner *p, const struct builtin *bi,
	struct group *g, const uint16_t *ops, uint32_t n)
{
	struct code *co = p->code;
	struct call *c;

	co->calls = arena_grow(p->arena, co->calls, co->ncalls, &p->cap_calls,
		sizeof(*co->calls));
	c = &co->calls[co->ncalls];
	*c = (struct call){.bi = bi, .group = g, .nargs = n, .loc = p->loc};
	c->id = bi ? mock_id_builtin(p->e, bi) : mock_id_group(g);
	c->args = memcpy(
		ARENA_ARRAY(p->arena, uint16_t, n + 1), ops, n * sizeof(*ops));
	return co->ncalls++;
}

static bool walk_call(
	struct planner *p, const uint16_t *ops, const struct term *out)
{
	uint16_t it = new_reg(p), path, val;
	bool pair = out && out->kind == T_ARRAY && out->list.len == 2;
	const struct term *pt = pair ? out->list.items[0] : NULL;
	bool want = !(pair && pt->kind == T_VAR && pt->var.var &&
		      pt->var.var->wildcard);

	new_reg(p);
	path = new_reg(p);
	val = new_reg(p);
	emit(p, OP_WALK, it, ops[0], 0, want);
	uint32_t next = label(p);

	place(p, next);
	emit(p, OP_WALKNEXT, it, path, val, want);
	p->fail = next;
	p->nloops++;
	if (pair) {
		if (want)
			unify_op(p, path, pt);
		else
			bind_to(p, pt, NO_OPERAND);
		unify_op(p, val, out->list.items[1]);
	} else if (out) {
		uint16_t both[2] = {path, val}, dest = new_reg(p);
		uint32_t at = operands(p, both, 2);

		emit_to(p, OP_MKARR, dest, 0, 0, 2 | RAW_FAIL, at);
		unify_op(p, dest, out);
	}
	return true;
}

/* The builtins that are no functions: true when it was one. */
static bool special_call(struct planner *p, const struct builtin *bi,
	const uint16_t *ops, const struct term *out)
{
	if (!strcmp(bi->name, "internal.print")) {
		p->code->nondet = true; /* prints in every evaluation */
		emit(p, OP_PRINT, 0, ops[0], 0, 0);
		return true;
	}
	if (!strcmp(bi->name, "internal.test_case")) {
		p->code->nondet = true; /* told in every evaluation */
		emit(p, OP_CASE, 0, ops[0], 0, 0);
		return true;
	}
	if (bi->flags & BF_RELATION)
		return walk_call(p, ops, out);
	return false;
}

/* The call that the statement `x` is. */
static void call(struct planner *p, const struct expr *x)
{
	const struct term *t = x->term;
	const struct builtin *bi = NULL;
	struct group *g = NULL;
	int arity = call_arity(&p->e->comp, t->list.items[0], &bi, &g);
	uint32_t given = t->list.len - 1;
	uint32_t n =
		arity >= 0 && given > (uint32_t)arity ? (uint32_t)arity : given;
	const struct term *out = given > n ? t->list.items[given] : NULL;
	uint16_t *ops = ARENA_ARRAY(p->arena, uint16_t, n + 1), dest;
	const struct inlined *in;

	for (uint32_t i = 0; i < n; i++)
		ops[i] = value_of(p, t->list.items[i + 1]);
	p->loc = x->loc;
	if (bi && special_call(p, bi, ops, out))
		return;
	if (bi)
		reads_callee(p, mock_id_builtin(p->e, bi));
	if (bi && (bi->flags & BF_NONDET))
		p->code->nondet = true;
	in = bi ? inline_find(p, bi, out != NULL) : NULL;
	if (in && in->test) {
		sides(p, ops[0], ops[1]);
		emit(p, in->op, 0, ops[0], ops[1], 0);
		return;
	}
	dest = new_reg(p);
	uint32_t at = call_add(p, bi, g, ops, n);

	if (in) {
		emit(p, in->op, dest, ops[0], ops[1], at);
	} else if (bi) {
		emit(p, OP_CALLB, dest, 0, 0, at);
	} else {
		reads_callee(p, mock_id_group(g));
		reads_group(p, g);
		emit(p, OP_CALLF, dest, 0, 0, at);
	}
	if (out)
		unify_op(p, dest, out);
	else
		emit(p, OP_TEST, 0, dest, 0, 0);
}

/*
 * A variable that nothing binds. There are few that OPA's rules of safety let
 * pass, as it takes a comprehension for something that binds a key; what needs
 * the value is undefined.
 */
static uint16_t unbound(struct planner *p)
{
	jump(p, p->fail);
	return constant(p, v_null);
}

static uint16_t value_of(struct planner *p, const struct term *t)
{
	struct value v;

	switch ((enum term_kind)t->kind) {
	case T_SCALAR:
		return constant(p, t->val);
	case T_VAR:
		if (!t->var.var) { /* input or data, whole */
			struct term *self = (struct term *)(uintptr_t)t;
			struct term r = {.kind = T_REF, .loc = t->loc};

			r.list.items = &self;
			r.list.len = 1;
			return ref(p, &r);
		}
		if (!bind_of(p, t)->bound)
			return unbound(p);
		return bind_of(p, t)->op;
	case T_REF:
		return ref(p, t);
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
		if (fold(p, t, &v))
			return constant(p, v);
		return composite(p, t);
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		return comprehension(p, t);
	case T_CALL:
	case T_TEMPLATE:
	case T_BODY:
		break;
	}
	die("planner: term of kind %d has no value", t->kind);
}

/* --- unification
 * ---------------------------------------------------------------- */

static void unify_object(struct planner *p, uint16_t op, const struct term *t)
{
	uint32_t n = t->list.len / 2;

	emit(p, OP_ISOBJ, 0, op, 0, n);
	for (uint32_t i = 0; i < n; i++) {
		uint16_t k = value_of(p, t->list.items[2 * i]);
		uint16_t r = new_reg(p);

		emit(p, OP_GET, r, op, k, new_hint(p, k));
		unify_op(p, r, t->list.items[2 * i + 1]);
	}
}

/* Unify a value that is there with a term. */
static void unify_op(struct planner *p, uint16_t op, const struct term *t)
{
	struct value v;

	if (is_free_var(p, t)) {
		bind_to(p, t, op);
		return;
	}
	if (t->kind == T_ARRAY && !fold(p, t, &v)) {
		emit(p, OP_ISARR, 0, op, 0, t->list.len);
		for (uint32_t i = 0; i < t->list.len; i++) {
			uint16_t r = new_reg(p);

			emit(p, OP_ITEM, r, op, 0, i);
			unify_op(p, r, t->list.items[i]);
		}
		return;
	}
	if (t->kind == T_OBJECT && !fold(p, t, &v)) {
		unify_object(p, op, t);
		return;
	}
	uint16_t other = value_of(p, t);

	sides(p, op, other);
	emit(p, OP_EQ, 0, op, other, 0);
}

static bool is_pattern(const struct term *t)
{
	return t->kind == T_ARRAY || t->kind == T_OBJECT;
}

/* What is to be unified with what, with nothing left to take apart. */
struct pairs {
	const struct term **as, **bs;
	uint32_t len, cap, capb;
};

/* The values of `o` in the order of the keys of `like`. */
static bool align(
	const struct term *like, const struct term *o, struct term **vals)
{
	uint32_t n = like->list.len / 2;

	for (uint32_t i = 0; i < n; i++) {
		const struct term *k = like->list.items[2 * i];

		vals[i] = NULL;
		for (uint32_t j = 0; j < n && !vals[i]; j++) {
			const struct term *q = o->list.items[2 * j];

			if ((k->kind == T_SCALAR && q->kind == T_SCALAR &&
				    value_eq(k->val, q->val)) ||
				(k->kind == T_VAR && q->kind == T_VAR &&
					k->var.var == q->var.var))
				vals[i] = o->list.items[2 * j + 1];
		}
		if (!vals[i])
			return false;
	}
	return true;
}

static bool take_apart(struct planner *p, struct pairs *l, const struct term *a,
	const struct term *b);

static bool take_objects_apart(struct planner *p, struct pairs *l,
	const struct term *a, const struct term *b)
{
	uint32_t n = a->list.len / 2;
	struct term **vals = ARENA_ARRAY(p->arena, struct term *, n + 1);

	if (!align(a, b, vals))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!take_apart(p, l, a->list.items[2 * i + 1], vals[i]))
			return false;
	return true;
}

/* Two patterns that are not bound are so many pairs; false: they differ. */
static bool take_apart(struct planner *p, struct pairs *l, const struct term *a,
	const struct term *b)
{
	if (!is_pattern(a) || !is_pattern(b) || is_bound(p, a) ||
		is_bound(p, b)) {
		l->as = arena_grow(
			p->arena, l->as, l->len, &l->cap, sizeof(*l->as));
		l->bs = arena_grow(
			p->arena, l->bs, l->len, &l->capb, sizeof(*l->bs));
		l->as[l->len] = a;
		l->bs[l->len++] = b;
		return true;
	}
	if (a->kind != b->kind || a->list.len != b->list.len)
		return false;
	if (a->kind == T_OBJECT)
		return take_objects_apart(p, l, a, b);
	for (uint32_t i = 0; i < a->list.len; i++)
		if (!take_apart(p, l, a->list.items[i], b->list.items[i]))
			return false;
	return true;
}

static void unify(
	struct planner *p, const struct term *a, const struct term *b);

/*
 * Two patterns, neither of them bound. Pairs that can be done now go first,
 * since they may bind what the others need, however deep those are:
 * [x, [y]] = [y, [1]].
 */
static void unify_patterns(
	struct planner *p, const struct term *a, const struct term *b)
{
	struct pairs l = {0};
	bool *done, more = true;

	if (!take_apart(p, &l, a, b)) {
		jump(p, p->fail);
		return;
	}
	done = ARENA_ARRAY(p->arena, bool, l.len + 1);
	while (more) {
		more = false;
		for (uint32_t i = 0; i < l.len; i++) {
			if (done[i] || (!is_bound(p, l.as[i]) &&
					       !is_bound(p, l.bs[i])))
				continue;
			unify(p, l.as[i], l.bs[i]);
			done[i] = more = true;
		}
	}
}

static void unify(struct planner *p, const struct term *a, const struct term *b)
{
	if (is_free_var(p, a) || is_pattern(a)) {
		if (is_bound(p, b)) {
			unify_op(p, value_of(p, b), a);
			return;
		}
	}
	if (is_free_var(p, b) || is_pattern(b)) {
		if (is_bound(p, a)) {
			unify_op(p, value_of(p, a), b);
			return;
		}
	}
	if (is_pattern(a) && is_pattern(b)) {
		unify_patterns(p, a, b);
		return;
	}
	if (is_bound(p, a) || a->kind == T_REF)
		unify_op(p, value_of(p, a), b);
	else
		unify_op(p, value_of(p, b), a);
}

/* --- with
 * ------------------------------------------------------------------------- */

static void with_target(
	struct planner *p, struct with_target *t, const struct with *w)
{
	const struct term *ref = w->target;
	uint32_t used = 0;
	struct group *g = NULL;
	struct value *path;

	*t = (struct with_target){0};
	if (ref->kind == T_REF && term_is_name(ref->list.items[0], "input")) {
		t->kind = WITH_INPUT;
	} else if (ref->kind == T_REF &&
		   term_is_name(ref->list.items[0], "data")) {
		g = group_of_ref(&p->e->comp, ref, &used);
		t->kind = g && g->kind == G_FUNC && used == ref->list.len
				  ? WITH_MOCK
				  : WITH_DATA;
	} else {
		t->kind = WITH_MOCK;
	}
	if (t->kind == WITH_MOCK) {
		plan_mock_target(p->e, ref, g, w->value, t);
		if (!t->bi && !t->group)
			t->operand = value_of(p, w->value);
		if (t->group)
			reads_group(p, t->group);
		return;
	}
	t->npath = ref->kind == T_REF ? ref->list.len - 1 : 0;
	path = ARENA_ARRAY(p->arena, struct value, t->npath + 1);
	for (uint32_t i = 0; i < t->npath; i++)
		path[i] = ref->list.items[i + 1]->val;
	t->path = path;
	t->operand = value_of(p, w->value);
}

static void expr_plain(struct planner *p, const struct expr *x);

/*
 * The scope is entered before the expr and left behind it; a loop inside that
 * is asked for its next solution enters it again.
 */
static void expr_with(struct planner *p, const struct expr *x)
{
	struct code *co = p->code;
	struct site site = {.ntargets = x->nwiths, .loc = x->loc};
	uint16_t env = new_reg(p), old = new_reg(p);
	uint32_t outer, inner, out = label(p), over = label(p), loops;

	site.targets = ARENA_ARRAY(p->arena, struct with_target, x->nwiths);
	for (uint32_t i = 0; i < x->nwiths; i++)
		with_target(p, &site.targets[i], &x->withs[i]);
	co->sites = arena_grow(p->arena, co->sites, co->nsites, &p->cap_sites,
		sizeof(*co->sites));
	co->sites[co->nsites] = site;
	p->loc = x->loc;
	emit(p, OP_WITH, env, old, 0, co->nsites++);
	outer = p->fail;
	p->fail = out;
	loops = p->nloops;
	expr_plain(p, x);
	inner = p->fail;
	emit(p, OP_ENV, 0, old, 0, 0);
	jump(p, over);
	if (p->nloops > loops) {
		uint32_t back = label(p);

		place(p, back);
		emit(p, OP_ENV, 0, env, 0, 0);
		jump(p, inner);
		p->fail = back;
	} else {
		p->fail = outer;
	}
	place(p, out);
	emit(p, OP_ENV, 0, old, 0, 0);
	jump(p, outer);
	place(p, over);
}

/* --- exprs
 * ------------------------------------------------------------------------- */

/* `=`, and `:=` where it was left: two terms to unify. */
bool is_eq_call(const struct term *t)
{
	return t->kind == T_CALL && t->list.len == 3 &&
	       (term_calls(t, "eq") || term_calls(t, "assign"));
}

static void test(struct planner *p, const struct expr *x)
{
	const struct term *t = x->term;

	if (is_eq_call(t)) {
		unify(p, t->list.items[1], t->list.items[2]);
	} else if (t->kind == T_CALL) {
		call(p, x);
	} else if (t->kind == T_SCALAR) {
		if (!is_truthy(t->val))
			jump(p, p->fail);
	} else {
		emit(p, OP_TEST, 0, value_of(p, t), 0, 0);
	}
}

/* Plan `inner` so that control comes out once if it has any solution. */
static void not_body(
	struct planner *p, const struct body *b, const struct expr *x)
{
	uint32_t outer = p->fail, none = label(p), scope = p->ntrail;

	p->fail = none;
	query_enter(p);
	if (b) {
		plan_body(p, b);
	} else {
		frame_step(p, x);
		test(p, x);
	}
	query_leave(p);
	jump(p, outer);
	place(p, none);
	p->fail = outer;
	unbind_to(p, scope);
}

/* Succeeds once if the body has a solution; no loop stays open. */
static void some_body(struct planner *p, const struct body *b)
{
	uint32_t outer = p->fail, found = label(p), none = label(p);
	uint32_t scope = p->ntrail;

	p->fail = none;
	query_enter(p);
	plan_body(p, b);
	query_leave(p);
	jump(p, found);
	place(p, none);
	jump(p, outer);
	place(p, found);
	p->fail = outer;
	unbind_to(p, scope);
}

static void or_expr(struct planner *p, const struct expr *x)
{
	uint32_t outer = p->fail, found = label(p), second = label(p);
	uint32_t scope = p->ntrail;

	p->fail = second;
	query_enter(p);
	plan_body(p, x->pair.left);
	query_leave(p);
	unbind_to(p, scope);
	jump(p, found);
	place(p, second);
	p->fail = outer;
	some_body(p, x->pair.right);
	place(p, found);
	p->fail = outer;
}

static void every_expr(struct planner *p, const struct expr *x)
{
	uint16_t dom = value_of(p, x->every.domain), it = new_reg(p), k, v;
	uint32_t outer = p->fail, next = label(p), done = label(p);
	uint32_t bad = label(p), scope = p->ntrail;
	struct every_step around = {x, p->level, p->everys};
	struct expr domain = {.kind = X_TERM,
		.loc = x->every.domain->loc,
		.term = x->every.domain};

	query_enter(p);
	frame_step(p, &domain);
	p->everys = &around;
	new_reg(p);
	k = new_reg(p);
	v = new_reg(p);
	emit(p, OP_ITER, it, dom, 0, 0);
	place(p, next);
	emit_to(p, OP_NEXT, it, k, v, done, 0);
	p->fail = bad;
	query_enter(p);
	if (x->every.key)
		unify_op(p, k, x->every.key);
	unify_op(p, v, x->every.value);
	plan_body(p, x->every.body);
	query_leave(p);
	query_leave(p);
	p->everys = around.outer;
	jump(p, next);
	place(p, bad);
	jump(p, outer);
	place(p, done);
	p->fail = outer;
	unbind_to(p, scope);
}

static void expr_plain(struct planner *p, const struct expr *x)
{
	switch ((enum expr_kind)x->kind) {
	case X_TERM:
		if (x->negated)
			not_body(p, NULL, x);
		else
			test(p, x);
		break;
	case X_SOME:
		break;
	case X_EVERY:
		if (x->negated)
			die("planner: negated every");
		every_expr(p, x);
		break;
	case X_NOT:
		not_body(p, x->body, NULL);
		break;
	case X_AND:
		some_body(p, x->pair.left);
		some_body(p, x->pair.right);
		break;
	case X_OR:
		or_expr(p, x);
		break;
	}
}

static void mark(struct planner *p, struct loc loc, bool head)
{
	struct rego_engine *e = p->e;

	if (!e->cfg.coverage || !loc.src || p->unmarked)
		return;
	e->marks = arena_grow(
		p->arena, e->marks, e->nmarks, &e->capmarks, sizeof(*e->marks));
	e->marks[e->nmarks] = (struct mark){.loc = loc, .head = head};
	emit(p, OP_MARK, 0, 0, 0, e->nmarks++);
}

/* For explain: the expr that is evaluated next. */
static void at_expr(struct planner *p, const struct expr *x)
{
	struct code *co = p->code;

	if (!p->e->cfg.explain || !co->group || p->silent)
		return;
	co->exprs = arena_grow(p->arena, co->exprs, co->nexprs, &p->cap_exprs,
		sizeof(*co->exprs));
	co->exprs[co->nexprs] = x;
	emit(p, OP_AT, 0, 0, 0, co->nexprs++);
}

static void statement(struct planner *p, const struct expr *x)
{
	if (x->loc.src)
		p->loc = x->loc;
	const struct expr *before = p->current;
	uint32_t stepped;

	p->current = x;
	at_expr(p, x);
	frame_step(p, x);
	stepped = p->stepped;
	mark(p, x->loc, false);
	if (x->nwiths)
		expr_with(p, x);
	else
		expr_plain(p, x);
	p->stepped = stepped;
	p->current = before;
}

static void plan_body(struct planner *p, const struct body *b)
{
	for (uint32_t i = 0; i < b->len; i++)
		statement(p, b->items[i]);
}

/* For coverage: a rule that OPA's index leaves out has nothing covered. */
static void guard(struct planner *p, const struct rule *r)
{
	struct body *b = p->e->cfg.coverage ? index_material(p->e, r) : NULL;
	uint32_t outer = p->fail, none, go, scope = p->ntrail;

	if (!b)
		return;
	none = label(p);
	go = label(p);
	emit_to(p, OP_JPASS, 0, 0, 0, go, REGO_NO_INDEX);
	p->unmarked = true;
	p->fail = none;
	for (uint32_t i = 0; i < b->len; i++)
		if (b->items[i]->term->kind == T_REF)
			value_of(p, b->items[i]->term); /* false will do */
		else
			statement(p, b->items[i]);
	p->unmarked = false;
	jump(p, go);
	place(p, none);
	jump(p, outer);
	place(p, go);
	p->fail = outer;
	unbind_to(p, scope);
}

/* What comes behind a body is at its last expr; see frames_conflict(). */
static void body_ends(struct planner *p, const struct expr *x)
{
	struct code *co = p->code;
	uint32_t before = p->stepped;

	step_at(p, x, p->level);
	co->steps[before].after = co->nsteps;
	co->insns[co->len - 1].b = 1;
	co->insns[co->len - 1].imm = before;
}

/* The body of a rule, what it demands of the input first. */
static void rule_body(struct planner *p, const struct rule *r)
{
	const bool *first = index_demands(p->e, r);
	const struct body *b = r->body;

	guard(p, r);
	for (uint32_t i = 0; first && i < b->len; i++)
		if (first[i])
			statement(p, b->items[i]);
	query_starts(p);
	for (uint32_t i = 0; i < b->len; i++)
		if (!first || !first[i])
			statement(p, b->items[i]);
	if (p->e->cfg.frames && b->len)
		body_ends(p, b->items[b->len - 1]);
}

/* --- rules
 * ------------------------------------------------------------------------- */

static void begin_rule(struct planner *p, const struct rule *r, uint32_t regs)
{
	p->next_reg = regs;
	if (regs > p->code->nregs)
		p->code->nregs = regs;
	p->nbinds = r->nvars;
	p->binds = ARENA_ARRAY(p->arena, struct bind, r->nvars + 1);
	p->ntrail = 0;
}

static uint32_t rule_number(struct planner *p, struct rule *r)
{
	p->code->rules = arena_grow(p->arena, p->code->rules, p->code->nrules,
		&p->cap_rules, sizeof(*p->code->rules));
	p->code->rules[p->code->nrules] = r;
	return p->code->nrules++;
}

static bool is_const_term(const struct term *t)
{
	if (t->kind == T_SCALAR)
		return true;
	if (t->kind != T_ARRAY && t->kind != T_SET && t->kind != T_OBJECT)
		return false;
	for (uint32_t i = 0; i < t->list.len; i++)
		if (!is_const_term(t->list.items[i]))
			return false;
	return true;
}

/* All definitions, else branches too, give one and the same scalar. */
static bool one_constant(const struct group *g)
{
	const struct term *first = NULL;

	for (uint32_t i = 0; i < g->nrules; i++)
		for (const struct rule *r = g->rules[i]; r; r = r->els) {
			const struct term *v = r->head.value;

			if (!v || v->kind != T_SCALAR)
				return false;
			if (first && !value_eq(first->val, v->val))
				return false;
			first = v;
		}
	return first != NULL;
}

/*
 * One branch of an else chain: its body, then its value into `res`. Falls out
 * behind itself when it has no (more) solution.
 */
static void branch(struct planner *p, struct rule *chain, struct rule *r,
	uint16_t res, uint32_t regs, uint32_t end, uint32_t ret)
{
	uint32_t none = label(p), loops;
	uint16_t got = 0, v;
	bool keep;

	begin_rule(p, chain, regs);
	if (r->els)
		got = new_reg(p);
	p->fail = none;
	loops = p->nloops;
	p->loc = r->head.loc;
	for (uint32_t i = 0; i < chain->head.nargs; i++)
		unify_op(p, (uint16_t)i, chain->head.args[i]);
	keep = r->els && !is_const_term(r->head.value);
	if (keep)
		emit(p, OP_SETUNDEF, got, 0, 0, 0);
	rule_body(p, r);
	mark(p, r->head.loc, true);
	v = value_of(p, r->head.value);
	p->loc = r->loc;
	emit_to(p, OP_ONCE, res, v, 0, end, rule_number(p, r));
	if (ret != UNSET) {
		if (p->e->cfg.coverage)
			emit_to(p, OP_JPASS, 0, 0, 0,
				p->nloops == loops ? end : p->fail,
				REGO_NO_EARLY_EXIT);
		jump(p, ret);
	} else if (p->nloops == loops || is_const_term(r->head.value)) {
		jump(p, end);
	} else {
		if (keep)
			emit(p, OP_MOVE, got, constant(p, v_true), 0, 0);
		jump(p, p->fail);
	}
	place(p, none);
	if (keep)
		emit_to(p, OP_JDEF, 0, got, 0, end, 0);
}

/* How the rules of a group follow each other. */
struct sequence {
	struct switch_table *table; /* NULL: one after the other */
	uint32_t dispatch, done;    /* labels */
	uint32_t regs;              /* rules may use registers from here */
};

static uint16_t subject_value(
	struct planner *p, const struct term *r, uint32_t arg)
{
	uint32_t none = label(p), over = label(p);
	uint16_t subject;

	if (!r)
		return (uint16_t)arg;
	subject = new_reg(p);
	p->fail = none;
	emit(p, OP_MOVE, subject, ref(p, r), 0, 0);
	jump(p, over);
	place(p, none);
	emit(p, OP_SETUNDEF, subject, 0, 0, 0);
	place(p, over);
	return subject;
}

/* With an index: find the rules to try, and a place to come back to. */
static struct sequence begin_rules(struct planner *p, const struct group *g)
{
	struct sequence s = {.done = label(p)};
	const struct term *r = NULL;
	uint32_t arg = 0;
	uint16_t cursor, subject;

	if (!p->e->cfg.coverage)
		s.table = index_make(p->e, g, &r, &arg);
	if (s.table) {
		subject = subject_value(p, r, arg);
		cursor = new_reg(p);
		new_reg(p);
		p->code->switches = arena_grow(p->arena, p->code->switches,
			p->code->nswitches, &p->cap_switches,
			sizeof(*p->code->switches));
		p->code->switches[p->code->nswitches] = s.table;
		emit(p, OP_SWITCH, cursor, subject, 0, p->code->nswitches);
		s.dispatch = label(p);
		place(p, s.dispatch);
		emit_to(p, OP_RULE, cursor, 0, 0, s.done, p->code->nswitches++);
	}
	s.regs = p->next_reg;
	return s;
}

/* The label where rule `i` ends. */
static uint32_t begin_one(struct planner *p, struct sequence *s, uint32_t i)
{
	if (!s->table)
		return label(p);
	s->table->pcs[i] = p->code->len;
	return s->dispatch;
}

static void end_one(struct planner *p, struct sequence *s, uint32_t end)
{
	if (s->table)
		jump(p, end);
	else
		place(p, end);
}

static void complete(struct planner *p, struct group *g)
{
	uint16_t res = (uint16_t)g->arity;
	uint32_t ret = label(p), early = one_constant(g) ? ret : UNSET;
	struct sequence s;

	p->next_reg = res;
	new_reg(p);
	emit(p, OP_SETUNDEF, res, 0, 0, 0);
	s = begin_rules(p, g);
	for (uint32_t i = 0; i < g->nrules; i++) {
		uint32_t end = begin_one(p, &s, i);

		for (struct rule *r = g->rules[i]; r; r = r->els)
			branch(p, g->rules[i], r, res, s.regs, end, early);
		end_one(p, &s, end);
	}
	place(p, s.done);
	if (g->dflt) {
		emit_to(p, OP_JDEF, 0, res, 0, ret, 0);
		begin_rule(p, g->dflt, res + 1u);
		p->fail = ret;
		query_starts(p);
		if (g->dflt->body)
			plan_body(p, g->dflt->body);
		mark(p, g->dflt->head.loc, true);
		emit(p, OP_MOVE, res, value_of(p, g->dflt->head.value), 0, 0);
	}
	place(p, ret);
	emit(p, OP_RET, 0, res, 0, 0);
}

/* Path and leaf of one rule of a document with variables in its refs. */
static void tree_rule(struct planner *p, struct rule *r, uint16_t b)
{
	uint16_t *ops = ARENA_ARRAY(p->arena, uint16_t, r->npath + 1), leaf;
	uint32_t at;

	for (uint32_t i = 0; i < r->npath; i++)
		ops[i] = value_of(p, r->path[i]);
	leaf = value_of(p, r->head.contains ? r->head.key : r->head.value);
	at = operands(p, ops, r->npath);
	p->loc = r->head.loc;
	emit_to(p, r->head.contains ? OP_TREEADD : OP_TREEPUT, b,
		(uint16_t)r->npath, leaf, 0, at);
	p->code->insns[p->code->len - 1].fail |= RAW_FAIL;
}

static const struct term *head_key(
	const struct group *g, const struct rule *r, uint32_t k)
{
	if (g->kind == G_SET)
		return k ? NULL : r->head.key;
	return k < r->npath ? r->path[k] : NULL;
}

/*
 * The keys asked for stand in the first registers. One that is a variable or
 * a scalar in the head is known before the body, others after it.
 */
static void unify_keys(struct planner *p, const struct group *g,
	const struct rule *r, uint32_t nkeys, bool before)
{
	for (uint32_t k = 0; k < nkeys; k++) {
		const struct term *t = head_key(g, r, k);

		if (!t)
			continue;
		if (before == (t->kind == T_SCALAR ||
				      (t->kind == T_VAR && t->var.var)))
			unify_op(p, (uint16_t)k, t);
	}
}

/* The document of a group, or as much of it as belongs to some keys. */
static void partial(struct planner *p, struct group *g, uint32_t nkeys)
{
	bool set = g->kind == G_SET;
	uint16_t b, dest;
	struct sequence s;

	p->next_reg = nkeys;
	b = new_reg(p);
	emit(p, set ? OP_SETNEW : OP_TREENEW, b, 0, 0, 0);
	s = begin_rules(p, g);
	for (uint32_t i = 0; i < g->nrules; i++) {
		struct rule *r = g->rules[i];
		uint32_t end = begin_one(p, &s, i);

		begin_rule(p, r, s.regs);
		p->fail = end;
		p->loc = r->head.loc;
		unify_keys(p, g, r, nkeys, true);
		rule_body(p, r);
		unify_keys(p, g, r, nkeys, false);
		mark(p, r->head.loc, true);
		if (set)
			emit(p, OP_ADDTO, b, value_of(p, r->head.key), 0, 0);
		else
			tree_rule(p, r, b);
		jump(p, p->fail);
		if (!s.table)
			place(p, end);
	}
	place(p, s.done);
	dest = new_reg(p);
	emit(p, set ? OP_DONE : OP_TREEDONE, dest, b, 0, 0);
	emit(p, OP_RET, 0, dest, 0, 0);
}

/* --- whole codes
 * --------------------------------------------------------------------- */

static void patch(struct planner *p)
{
	struct code *co = p->code;

	for (uint32_t i = 0; i < co->len; i++) {
		struct insn *in = &co->insns[i];

		if (in->fail & RAW_FAIL)
			in->fail &= ~(uint32_t)RAW_FAIL; /* a count, no label */
		else
			in->fail = p->labels[in->fail];
	}
	scan_plan(p->e, co);
}

static struct planner planner_for(struct rego_engine *e, struct group *g)
{
	struct planner p = {.e = e, .arena = &e->arena};

	p.code = ARENA_NEW(p.arena, struct code);
	p.code->group = g;
	p.fail = label(&p); /* label 0: the end */
	e->codes = arena_grow(
		p.arena, e->codes, e->ncodes, &e->capcodes, sizeof(*e->codes));
	e->codes[e->ncodes++] = p.code;
	e->linked = false;
	return p;
}

static void plan_group(struct rego_engine *e, struct group *g);

/* Plan what the code can reach; groups are queued by being marked done. */
static void plan_deps(struct rego_engine *e, const struct code *co)
{
	for (uint32_t i = 0; i < co->ndeps; i++)
		plan_group(e, co->deps[i]);
}

static struct code *plan_one(
	struct rego_engine *e, struct group *g, uint32_t nkeys)
{
	struct planner p = planner_for(e, g);

	p.loc = (struct loc){0};
	if (g->kind == G_COMPLETE || g->kind == G_FUNC)
		complete(&p, g);
	else
		partial(&p, g, nkeys);
	place(&p, 0);
	emit(&p, OP_RET, 0, constant(&p, v_undef), 0, 0);
	patch(&p);
	return p.code;
}

/* Loops or calls: its results are worth remembering. */
static bool is_dear(const struct code *co)
{
	for (uint32_t i = 0; i < co->len; i++)
		switch (co->insns[i].op) {
		case OP_NEXT:
		case OP_LNEXT:
		case OP_CALLF:
		case OP_CALLB:
		case OP_CALLR:
		case OP_CALLK:
		case OP_WALKNEXT:
			return true;
		default:
			break;
		}
	return co->len > 40;
}

/* Programs for keys that were not wanted before. */
static void plan_keyed(struct rego_engine *e, struct group *g)
{
	struct group_plan *gp = g->plan;

	for (uint32_t n = 0; n < KEYS_MAX; n++)
		if ((gp->wanted >> n & 1) && !gp->keyed[n]) {
			gp->keyed[n] = plan_one(e, g, n + 1);
			plan_deps(e, gp->keyed[n]);
		}
}

static void plan_group(struct rego_engine *e, struct group *g)
{
	struct group_plan *gp = g->plan;

	if (!gp)
		gp = g->plan = ARENA_NEW(&e->arena, struct group_plan);
	if (gp->done) {
		plan_keyed(e, g);
		return;
	}
	gp->done = true;
	gp->code = plan_one(e, g, 0);
	gp->memoize =
		g->kind == G_FUNC && (e->cfg.keep_print || is_dear(gp->code));
	plan_deps(e, gp->code);
	plan_keyed(e, g);
}

/* Operands of the variables a row shows, sorted by name. */
static void query_slots(struct planner *p, const struct rule *q)
{
	struct code *co = p->code;

	co->slots = ARENA_ARRAY(p->arena, struct row_slot, q->nvars + 1);
	for (uint32_t i = 0; i < q->nvars; i++) {
		const struct var *v = q->vars[i];
		uint32_t at = co->nslots;

		if (v->generated || v->wildcard || !p->binds[i].bound ||
			v->name->bytes[0] == '$')
			continue;
		while (at > 0 &&
			strcmp(co->slots[at - 1].name, v->name->bytes) > 0) {
			co->slots[at] = co->slots[at - 1];
			at--;
		}
		co->slots[at] = (struct row_slot){
			.name = v->name->bytes, .operand = p->binds[i].op};
		co->nslots++;
	}
}

/*
 * Numbers of the exprs of a query in the order in which they are evaluated.
 * `some x` is none.
 */
static uint32_t *query_order(struct planner *p, const struct rule *q,
	const struct body *as_written, uint32_t *len)
{
	uint32_t *order = ARENA_ARRAY(p->arena, uint32_t, as_written->len + 1);
	bool *placed = ARENA_ARRAY(p->arena, bool, as_written->len + 1);
	uint32_t n = 0;

	for (uint32_t i = 0; i < q->body->len; i++)
		for (uint32_t k = 0; k < as_written->len; k++) {
			struct loc at = q->body->items[i]->loc;
			struct loc was = as_written->items[k]->loc;

			if (placed[k] || at.src != was.src ||
				at.off != was.off || at.len != was.len)
				continue;
			placed[k] = true;
			order[n++] = k;
		}
	for (uint32_t k = 0; k < as_written->len; k++)
		if (!placed[k] && as_written->items[k]->kind != X_SOME)
			order[n++] = k;
	*len = n;
	return order;
}

/* The operand of each expr of the query, as captured by engine.c. */
static void query_exprs(struct planner *p, const struct rule *q,
	const struct body *as_written, const struct string *const *captures)
{
	struct code *co = p->code;
	const uint32_t *order = query_order(p, q, as_written, &co->nexpr_ops);

	co->expr_ops = ARENA_ARRAY(p->arena, uint16_t, as_written->len + 1);
	co->expr_locs = ARENA_ARRAY(p->arena, struct loc, as_written->len + 1);
	for (uint32_t i = 0; i < co->nexpr_ops; i++) {
		const struct string *capture = captures[order[i]];

		co->expr_ops[i] = NO_OPERAND;
		co->expr_locs[i] = as_written->items[order[i]]->loc;
		for (uint32_t v = 0; capture && v < q->nvars; v++)
			if (q->vars[v]->name == capture && p->binds[v].bound)
				co->expr_ops[i] = p->binds[v].op;
	}
}

struct code *plan_query(struct rego_engine *e, struct rule *q,
	const struct body *as_written, const struct string *const *captures)
{
	struct planner p = planner_for(e, NULL);

	begin_rule(&p, q, 0);
	query_starts(&p);
	plan_body(&p, q->body);
	query_slots(&p, q);
	query_exprs(&p, q, as_written, captures);
	emit(&p, OP_ROW, 0, 0, 0, 0);
	jump(&p, p.fail);
	place(&p, 0);
	emit(&p, OP_RET, 0, constant(&p, v_undef), 0, 0);
	patch(&p);
	plan_deps(e, p.code);
	return p.code;
}
