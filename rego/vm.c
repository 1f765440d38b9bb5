/*
 * vm: the loop that runs programs.
 *
 * One C call of run() for each rule or function being evaluated; its registers
 * stand on the VM's own stack. "Undefined" is a jump to the instruction's fail
 * address; only errors that end the evaluation leave the loop early.
 */
#include "rego/vm.h"
#include "rego/index.h"
#include "rego/scan.h"
#include "rego/builtin/walk.h"
#include "base/limits.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

enum { TICKS = 4096, CONFLICTS_MAX = 10, CONFLICT_TEXT = 80 };

/* The values a rule gave, when they turned out to conflict. */
struct collect {
	struct value vals[CONFLICTS_MAX];
	const struct rule *rules[CONFLICTS_MAX];
	uint32_t len;
	bool more;
};

struct frame {
	const struct code *code;
	struct value *regs;
	struct collect *collect;
	const struct rule *once; /* rule that gave the value so far */
};

static bool run(struct rego_vm *vm, const struct code *co, struct value *regs,
	struct collect *collect, struct value *out);

/* --- errors ------------------------------------------------------------- */

static void error_at(struct rego_vm *vm, struct rego_error *e, const char *code,
	struct loc loc, const char *text)
{
	*e = (struct rego_error){.code = code,
		.message = arena_strdup(&vm->arena, str_from(text))};
	if (loc.src) {
		e->file = loc.src->name;
		source_pos(loc, &e->row, &e->col);
		if (!*e->file)
			e->text = str_slice(loc.src->text, loc.off,
				(size_t)loc.off + loc.len);
	}
	if (vm->e->cfg.frames)
		e->frames = frames_now(vm, &e->nframes);
}

/* End the evaluation with an error. Returns false. */
PRINTF(4, 5)
static bool vm_halt(struct rego_vm *vm, const char *code, struct loc loc,
	const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	if (vm->error.code)
		return false;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error_at(vm, &vm->error, code, loc, text);
	return false;
}

/* The slow half of every countdown: limits, deadline, cancel. */
static bool tick(struct rego_vm *vm, struct loc loc)
{
	vm->cx.steps -= vm->granted;
	/* One past the budget at the end: that step finds it spent. */
	vm->granted = vm->cx.steps < TICKS ? (int32_t)vm->cx.steps + 1 : TICKS;
	vm->tick = vm->granted;
	if (vm->cx.steps < 0)
		return vm_halt(vm, "eval_cancel_error", loc,
			"evaluation is over its limit of %lld steps",
			(long long)vm->start_steps);
	if (bi_cancelled(&vm->cx))
		return vm_halt(vm, "eval_cancel_error", loc,
			"caller cancelled query execution");
	if (vm->arena.used > vm->cx.memory_max)
		return vm_halt(vm, "eval_cancel_error", loc,
			"evaluation is over its limit of %zu bytes of memory",
			vm->cx.memory_max);
	return true;
}

/* --- conflicts ------------------------------------------------------------ */

static int by_place(const struct rule *a, const struct rule *b)
{
	int c = strcmp(a->loc.src->name, b->loc.src->name);

	if (c)
		return c;
	return a->loc.off < b->loc.off ? -1 : a->loc.off > b->loc.off;
}

/* The values in the order of their places in the source. */
static void conflict_text(struct buf *b, struct collect *c)
{
	for (uint32_t i = 1; i < c->len; i++)
		for (uint32_t j = i;
			j > 0 && by_place(c->rules[j - 1], c->rules[j]) > 0;
			j--) {
			const struct rule *r = c->rules[j];
			struct value v = c->vals[j];

			c->rules[j] = c->rules[j - 1];
			c->vals[j] = c->vals[j - 1];
			c->rules[j - 1] = r;
			c->vals[j - 1] = v;
		}
	for (uint32_t i = 0; i < c->len; i++) {
		struct buf text = {0};
		uint32_t row, col;

		source_pos(c->rules[i]->loc, &row, &col);
		value_text(&text, c->vals[i]);
		buf_adds(b, "\n  ");
		text_line(b, buf_str(&text), CONFLICT_TEXT);
		buf_addf(b, " at %s:%u", c->rules[i]->loc.src->name, row);
		buf_release(&text);
	}
	if (c->more)
		buf_adds(b, "\n  ...");
}

/*
 * Two definitions gave different values. Run the group again to find all of
 * them, as OPA's collectConflicts does, and end the evaluation.
 */
static bool conflict(struct rego_vm *vm, const struct code *co,
	const struct value *regs, const struct rule *r)
{
	const struct group *g = co->group;
	bool func = g->kind == G_FUNC;
	struct rego_error soft = vm->soft;
	struct collect c = {0};
	struct buf b = {0};
	struct value out;
	struct value *again = vm->sp;
	const struct rego_frame *frames = NULL;
	uint32_t nframes = 0;

	if (vm->e->cfg.frames)
		frames = frames_conflict(vm, co, r, &nframes);
	if (again + co->nregs < vm->stack_end) {
		memcpy(again, regs, g->arity * sizeof(*regs));
		vm->sp += co->nregs;
		run(vm, co, again, &c, &out);
		vm->sp = again;
	}
	vm->soft = soft;
	buf_addf(&b, "%s %s produced conflicting values%s",
		func ? "function" : "rule", g->name,
		func ? " for the same inputs" : "");
	if (c.len >= 2) {
		buf_addc(&b, ':');
		conflict_text(&b, &c);
	}
	vm->error.code = NULL;
	error_at(vm, &vm->error, "eval_conflict_error", r->loc, b.ptr);
	vm->error.frames = frames;
	vm->error.nframes = nframes;
	buf_release(&b);
	return false;
}

/* True when the rule is done: its value differs from the first. */
static bool collect_add(struct collect *c, const struct rule *r, struct value v)
{
	if (c->len > 0 && value_eq(c->vals[0], v))
		return false;
	if (c->len == CONFLICTS_MAX) {
		c->more = true;
		return true;
	}
	c->vals[c->len] = v;
	c->rules[c->len++] = r;
	return c->len > 1;
}

/* --- groups and functions ---------------------------------------------------
 */

/* Run a group's program; arguments are in place at vm->sp. */
static bool activate(struct rego_vm *vm, const struct code *co,
	struct loc where, struct value *out)
{
	struct value *regs = vm->sp;
	uint32_t base = vm->live_base, live = vm->nlive;
	bool ok;

	if (vm->depth >= LIMIT_CALL_DEPTH ||
		(size_t)(vm->stack_end - regs) < (size_t)co->nregs + 64)
		return vm_halt(vm, "eval_cancel_error", where,
			"rules are nested deeper than %u", LIMIT_CALL_DEPTH);
	vm->depth++;
	vm->sp += co->nregs;
	vm->live_base = live;
	ok = run(vm, co, regs, NULL, out);
	if (vm->live) {
		vm->live_base = base;
		frames_return(vm, co, live);
	}
	vm->sp = regs;
	vm->depth--;
	return ok;
}

/* The youngest env that can change what `g` gives. */
static const struct env *env_for(const struct rego_vm *vm, uint32_t id)
{
	const struct env *env = vm->env;

	while (env->up && !env_changes(env, id))
		env = env->up;
	return env;
}

static struct memo *memo_find(struct rego_vm *vm, uint32_t id, uint64_t env)
{
	struct memo *m = &vm->memo[id];

	if (m->env < vm->base_env) {
		m->env = 0;
		return NULL;
	}
	while (m->env > env && m->below)
		*m = *m->below;
	if (m->env > env)
		m->env = 0;
	return m->env == env ? m : NULL;
}

static void memo_put(
	struct rego_vm *vm, uint32_t id, uint64_t env, struct value v)
{
	struct memo *m = &vm->memo[id], *below = NULL;

	if (m->env >= vm->base_env && m->env != env) {
		below = arena_raw(&vm->arena, sizeof(*below));
		*below = *m;
	}
	*m = (struct memo){.env = env, .val = v, .below = below};
}

/* A group that no evaluation can change is evaluated once for the VM. */
static bool closed_group(struct rego_vm *vm, struct group *g,
	const struct code *co, struct value *out)
{
	struct arena *before = vm->cx.arena;
	bool ok;

	vm->cx.arena = &vm->perm;
	ok = activate(vm, co, (struct loc){0}, out);
	vm->cx.arena = before;
	if (!ok)
		return false;
	vm->closed[g->id] = *out;
	vm->closed_state[g->id] = 1;
	return true;
}

/* With check_memo: a value found must be the value made again. */
static bool memo_check(struct rego_vm *vm, const struct group *g,
	const struct code *co, struct value found)
{
	struct value again;

	if (!activate(vm, co, (struct loc){0}, &again))
		return false;
	if (again.tag != found.tag || !value_eq(again, found))
		return vm_halt(vm, "eval_internal_error",
			g->nrules ? g->rules[0]->loc : (struct loc){0},
			"memo of %s is stale", g->name);
	return true;
}

bool vm_group(struct rego_vm *vm, struct group *g, struct value *out)
{
	const struct group_plan *gp = g->plan;
	const struct env *env;
	const struct memo *m;

	if (vm->env->ov && doc_replaced(vm->env, g->node, out))
		return true;
	if (vm->closed_state[g->id] && !vm->env->up) {
		*out = vm->closed[g->id];
		return !vm->e->cfg.check_memo ||
		       memo_check(vm, g, gp->code, *out);
	}
	env = env_for(vm, g->id);
	if (gp->closed && !env->up) {
		if (!vm->closed_state[g->id])
			return closed_group(vm, g, gp->code, out);
		*out = vm->closed[g->id];
		return !vm->e->cfg.check_memo ||
		       memo_check(vm, g, gp->code, *out);
	}
	m = memo_find(vm, g->id, env->id);
	if (m) {
		*out = m->val;
		return !vm->e->cfg.check_memo ||
		       memo_check(vm, g, gp->code, *out);
	}
	if (!activate(vm, gp->code, (struct loc){0}, out))
		return false;
	memo_put(vm, g->id, env->id, *out);
	return true;
}

/*
 * The whole document halted: only the rules for the keys, and only those parts
 * of it that they make.
 */
static bool group_keyed(struct rego_vm *vm, const struct call *c,
	const struct value *keys, struct value *out)
{
	const struct group_plan *gp = c->group->plan;
	const struct code *co = gp->keyed[c->nargs - 1];
	bool keep = vm->cx.arena == &vm->arena;
	const struct memo_entry *m;
	struct value *kept;
	uint64_t env = env_for(vm, c->group->id)->id;
	uint32_t hash;

	memcpy(vm->sp, keys, c->nargs * sizeof(*keys));
	if (!keep)
		return activate(vm, co, c->loc, out);
	m = memo_lookup(&vm->calls, c->group->id, env, keys, c->nargs, &hash);
	if (m) {
		*out = m->result;
		return !vm->e->cfg.check_memo ||
		       memo_check(vm, c->group, co, *out);
	}
	if (!activate(vm, co, c->loc, out))
		return false;
	kept = arena_raw(&vm->arena, c->nargs * sizeof(*kept));
	memcpy(kept, keys, c->nargs * sizeof(*kept));
	memo_add(&vm->calls, c->group->id, env, kept, c->nargs, hash, *out);
	return true;
}

/*
 * A partial document of which the values at some keys are wanted. The whole is
 * made and remembered; where that ends in an error, the rules for these keys
 * may still be good, and OPA asks no others.
 */
static bool group_at(struct rego_vm *vm, const struct call *c,
	const struct value *keys, struct value *out)
{
	bool *halts = &vm->calls.use[c->group->id].halts;
	const struct env *env = vm->env;
	uint32_t queries = vm->queries;

	if (!*halts) {
		if (vm_group(vm, c->group, out))
			return true;
		if (strcmp(vm->error.code, "eval_conflict_error") != 0)
			return false;
		vm->error = (struct rego_error){0};
		vm->env = env;
		vm->queries = queries;
		*halts = true;
	} else if (env->ov && doc_replaced(env, c->group->node, out)) {
		return true;
	}
	return group_keyed(vm, c, keys, out);
}

/* --- builtins
 * ------------------------------------------------------------------ */

static const struct {
	uint8_t bit;
	const char *name;
} type_names[] = {
	{BT_NULL, "null"},
	{BT_BOOL, "boolean"},
	{BT_NUM, "number"},
	{BT_STR, "string"},
	{BT_ARR, "array"},
	{BT_OBJ, "object"},
	{BT_SET, "set"},
};

static const uint8_t type_bits[] = {
	[V_FALSE] = BT_BOOL,
	[V_NULL] = BT_NULL,
	[V_TRUE] = BT_BOOL,
	[V_INT] = BT_NUM,
	[V_NUM] = BT_NUM,
	[V_STR] = BT_STR,
	[V_ARR] = BT_ARR,
	[V_OBJ] = BT_OBJ,
	[V_SET] = BT_SET,
	[V_LAZY] = 0,
};

static enum bi_status wrong_type(
	struct bi_ctx *cx, int pos, uint8_t types, struct value got)
{
	char text[128] = "";
	size_t n = 0, count = 0;

	for (size_t i = 0; i < COUNT(type_names); i++)
		if (types & type_names[i].bit)
			count++;
	if (count > 1)
		n = (size_t)snprintf(text, sizeof(text), "one of {");
	for (size_t i = 0, k = 0; i < COUNT(type_names); i++)
		if (types & type_names[i].bit)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
				"%s%s", k++ ? ", " : "", type_names[i].name);
	if (count > 1)
		snprintf(text + n, sizeof(text) - n, "}");
	return bi_operand(cx, pos, text, got);
}

static enum bi_status builtin_call(struct rego_vm *vm, const struct builtin *bi,
	const struct value *args, struct value *out)
{
	struct bi_ctx *cx = &vm->cx;

	cx->name = bi->name;
	if (!bi->fn)
		return bi_error(cx, "cannot be called this way");
	if (!(bi->flags & BF_RAWTYPES))
		for (int i = 0; i < bi->arity; i++)
			if (!(bi->types[i] & type_bits[args[i].tag]))
				return wrong_type(
					cx, i + 1, bi->types[i], args[i]);
	return bi->fn(cx, args, out);
}

/* A builtin failed, which ends nothing. */
static void soft_error(struct rego_vm *vm, struct loc loc, const char *text)
{
	struct rego_error e;

	error_at(vm, &e, vm->cx.code, loc, text);
	if (!vm->soft.code)
		vm->soft = e;
	if (!vm->in->collect)
		return;
	vm->failures = arena_grow(&vm->arena, vm->failures, vm->out->nfailures,
		&vm->cap_failures, sizeof(e));
	vm->failures[vm->out->nfailures++] = e;
	vm->out->failures = vm->failures;
}

/* Undefined: *defined is false. False: halted. */
static bool call_builtin(struct rego_vm *vm, const struct builtin *bi,
	struct loc loc, const struct value *args, struct value *out,
	bool *defined)
{
	char text[1200];

	if (bi->flags & BF_OTHER)
		return vm_halt(vm, "eval_internal_error", loc,
			"unsupported built-in: %s", bi->name);
	switch (builtin_call(vm, bi, args, out)) {
	case BI_OK:
		*defined = is_def(*out);
		return true;
	case BI_UNDEF:
		*defined = false;
		return true;
	case BI_ERROR:
		*defined = false;
		if (!vm->soft.code || vm->in->collect) {
			snprintf(text, sizeof(text), "%s: %s", bi->name,
				vm->cx.text);
			soft_error(vm, loc, text);
		}
		return true;
	case BI_HALT:
	default:
		if (bi_cancelled(&vm->cx))
			return vm_halt(vm, vm->cx.code, loc,
				"caller cancelled query execution");
		return vm_halt(
			vm, vm->cx.code, loc, "%s: %s", bi->name, vm->cx.text);
	}
}

/* --- calls
 * ------------------------------------------------------------------------ */

static const struct mock *mock_find(const struct env *env, uint32_t id)
{
	for (const struct mock *m = env->mocks; m; m = m->next)
		if (m->id == id)
			return m;
	return NULL;
}

static bool call_function(struct rego_vm *vm, struct group *g, struct loc loc,
	const struct value *args, uint32_t n, struct value *out)
{
	const struct group_plan *gp = g->plan;
	const struct memo_entry *m;
	struct value *kept, again;
	uint64_t env;
	uint32_t hash;

	if (n)
		memcpy(vm->sp, args, n * sizeof(*args));
	/* What closed groups make must not refer to this evaluation. */
	if (!gp->memoize || vm->cx.arena != &vm->arena ||
		!memo_wanted(&vm->calls, g->id))
		return activate(vm, gp->code, loc, out);
	env = env_for(vm, g->id)->id;
	m = memo_lookup(&vm->calls, g->id, env, args, n, &hash);
	/* OPA does not remember that there was no value: frames count it. */
	if (m && (is_def(m->result) || !vm->e->cfg.frames)) {
		*out = m->result;
		if (!vm->e->cfg.check_memo)
			return true;
		if (!activate(vm, gp->code, loc, &again))
			return false;
		if (again.tag != out->tag || !value_eq(again, *out))
			return vm_halt(vm, "eval_internal_error", loc,
				"memo of %s is stale", g->name);
		return true;
	}
	if (!activate(vm, gp->code, loc, out))
		return false;
	kept = arena_raw(&vm->arena, n * sizeof(*kept) + 1);
	if (n)
		memcpy(kept, args, n * sizeof(*kept));
	memo_add(&vm->calls, g->id, env, kept, n, hash, *out);
	return true;
}

static bool call_any(struct rego_vm *vm, const struct call *c,
	const struct value *args, struct value *out, bool *defined)
{
	const struct env *before = vm->env;
	const struct mock *m = before->mocks ? mock_find(before, c->id) : NULL;
	const struct builtin *bi = c->bi;
	struct group *g = c->group;
	struct env bare;
	bool ok;

	/* As in OPA: it must be there for a mere value to take its place. */
	if (m && !m->bi && !m->group && !(bi && bi->flags & BF_OTHER)) {
		*out = m->value;
		*defined = is_def(*out);
		return true;
	}
	if (m && (m->bi || m->group)) {
		/* Inside a replacement no mock is in force. */
		bi = m->bi;
		g = m->group;
		bare = *before;
		bare.mocks = NULL;
		bare.id = vm->next_env++;
		bare.up = before;
		bare.cls = &vm->e->everything;
		vm->env = &bare;
	}
	if (bi) {
		ok = call_builtin(vm, bi, c->loc, args, out, defined);
	} else {
		ok = call_function(vm, g, c->loc, args, c->nargs, out);
		*defined = ok && is_def(*out);
	}
	vm->env = before;
	return ok;
}

/* --- print
 * ------------------------------------------------------------------------ */

static void print_row(struct rego_vm *vm, const struct array *sets, uint32_t i,
	struct buf *line, struct loc loc)
{
	size_t before = line->len;
	const struct set *s;

	if (i == sets->len) {
		vm->in->print(vm->in->user, loc, buf_str(line));
		return;
	}
	if (i > 0)
		buf_addc(line, ' ');
	size_t start = line->len;

	s = sets->items[i].set;
	if (s->len == 0) {
		buf_adds(line, "<undefined>");
		print_row(vm, sets, i + 1, line, loc);
	}
	for (uint32_t k = 0; k < s->len; k++) {
		line->len = start;
		value_text_bare(line, s->keys->items[k]);
		print_row(vm, sets, i + 1, line, loc);
	}
	line->len = before;
}

static void print(struct rego_vm *vm, struct value sets, struct loc loc)
{
	struct buf line = {0};

	if (!vm->in->print || sets.tag != V_ARR)
		return;
	buf_adds(&line, "");
	print_row(vm, sets.arr, 0, &line, loc);
	buf_release(&line);
}

/* --- builders of arrays and of documents
 * ---------------------------------------------- */

struct arr {
	struct value *items;
	uint32_t len, cap;
};

static void arr_push(struct arena *a, struct arr *b, struct value v)
{
	if (b->len == b->cap) {
		uint32_t cap = b->cap ? b->cap * 2 : 8;
		struct value *more = arena_raw(a, cap * sizeof(*more));

		if (b->len)
			memcpy(more, b->items, b->len * sizeof(*more));
		b->items = more;
		b->cap = cap;
	}
	b->items[b->len++] = v;
}

/* A document made by rules with variables in their refs. */
struct tree {
	enum { TREE_MAP, TREE_LEAF, TREE_SET } kind;
	struct value leaf;
	struct builder members; /* TREE_SET */
	struct builder keys;    /* TREE_MAP: key to position in kids */
	struct tree **kids;
	uint32_t nkids, cap;
};

static struct tree *tree_new(struct arena *a)
{
	struct tree *t = ARENA_NEW(a, struct tree);

	t->keys = builder_obj(a);
	return t;
}

static struct tree *tree_kid(
	struct arena *a, struct tree *t, struct value key, bool *fresh)
{
	struct value old;

	builder_put(&t->keys, key, v_int(t->nkids), &old);
	*fresh = !is_def(old);
	if (!*fresh)
		return t->kids[old.i];
	if (t->nkids == t->cap) {
		uint32_t cap = t->cap ? t->cap * 2 : 8;
		struct tree **more = arena_raw(a, cap * sizeof(struct tree *));

		if (t->nkids)
			memcpy(more, t->kids, t->nkids * sizeof(struct tree *));
		t->kids = more;
		t->cap = cap;
	}
	return t->kids[t->nkids++] = tree_new(a);
}

static struct value tree_done(struct arena *a, struct tree *t)
{
	struct builder b;
	struct value old;

	if (t->kind == TREE_LEAF)
		return t->leaf;
	if (t->kind == TREE_SET)
		return builder_done(&t->members);
	b = builder_obj(a);
	for (uint32_t i = 0; i < t->nkids; i++)
		builder_put(
			&b, t->keys.keys[i], tree_done(a, t->kids[i]), &old);
	return builder_done(&b);
}

/* False: the path meets the value of another rule, or another value. */
static bool tree_put(struct arena *a, struct tree *t, const struct value *path,
	uint32_t n, struct value v, bool member)
{
	bool fresh = false;

	for (uint32_t i = 0; i < n; i++) {
		if (t->kind != TREE_MAP)
			return false;
		t = tree_kid(a, t, path[i], &fresh);
	}
	if (member) {
		if (fresh) {
			t->kind = TREE_SET;
			t->members = builder_set(a);
		}
		if (t->kind != TREE_SET)
			return false;
		builder_add(&t->members, v);
		return true;
	}
	if (fresh) {
		t->kind = TREE_LEAF;
		t->leaf = v;
		return true;
	}
	if (t->kind == TREE_LEAF)
		return value_eq(t->leaf, v);
	return value_eq(tree_done(a, t), v);
}

/* --- rows
 * ------------------------------------------------------------------------------
 */

/* clang-format off */
#define OPERAND(x) (base[(x) >> 15][(x) & 0x7fff])
/* clang-format on */

static void row(struct rego_vm *vm, const struct code *co,
	const struct value *const base[2])
{
	struct rego_result *out = vm->out;
	struct rego_row *r;

	out->rows = arena_grow(
		&vm->arena, out->rows, out->nrows, &vm->cap_rows, sizeof(*r));
	r = &out->rows[out->nrows++];
	r->nbindings = co->nslots;
	r->bindings =
		ARENA_ARRAY(&vm->arena, struct rego_binding, co->nslots + 1);
	for (uint32_t i = 0; i < co->nslots; i++)
		r->bindings[i] =
			(struct rego_binding){str_from(co->slots[i].name),
				OPERAND(co->slots[i].operand)};
	r->nexprs = co->nexpr_ops;
	r->exprs = ARENA_ARRAY(&vm->arena, struct value, co->nexpr_ops + 1);
	for (uint32_t i = 0; i < co->nexpr_ops; i++)
		r->exprs[i] = co->expr_ops[i] == NO_OPERAND
				      ? v_true
				      : OPERAND(co->expr_ops[i]);
}

static void table_case(struct rego_vm *vm, struct value keys)
{
	struct rego_result *out = vm->out;
	struct rego_case *c;

	if (keys.tag != V_ARR)
		return;
	out->cases = arena_grow(&vm->arena, out->cases, out->ncases,
		&vm->cap_cases, sizeof(*c));
	c = &out->cases[out->ncases++];
	*c = (struct rego_case){
		.nkeys = keys.arr->len, .failed = {NULL, v_undef, v_undef}};
	c->keys = ARENA_ARRAY(&vm->arena, struct value, c->nkeys + 1);
	if (c->nkeys)
		memcpy(c->keys, keys.arr->items, c->nkeys * sizeof(*c->keys));
}

/* A rule under test is called by the query: its exprs are at this depth. */
enum { EXPLAIN_DEPTH = 2 };

/* Of the case of a table that was started last, or of all. */
static struct rego_failed *failed(struct rego_vm *vm)
{
	struct rego_result *out = vm->out;

	return out->ncases ? &out->cases[out->ncases - 1].failed : &out->failed;
}

/* Where a statement stands in the source, or the one that it was made of. */
static uint32_t offset(const struct expr *x)
{
	while (x->from)
		x = x->from;
	return x->loc.off;
}

/* Remember the expr furthest down the rule under test. */
static void explain_at(struct rego_vm *vm, const struct expr *x)
{
	struct rego_failed *f = failed(vm);

	if (vm->depth != EXPLAIN_DEPTH)
		return;
	vm->explained = !f->expr || offset(f->expr) <= offset(x);
	if (vm->explained)
		*f = (struct rego_failed){x, v_undef, v_undef};
}

/* The sides of the expr that is remembered, not of one before it. */
static void explain_sides(
	struct rego_vm *vm, struct value left, struct value right)
{
	struct rego_failed *f = failed(vm);

	if (vm->depth != EXPLAIN_DEPTH || !vm->explained)
		return;
	f->left = left;
	f->right = right;
}

/* --- iteration
 * ------------------------------------------------------------------------- */

static bool is_collection(struct value v)
{
	return v.tag == V_ARR || v.tag == V_OBJ || v.tag == V_SET;
}

/* Key and value at position i of a collection. */
static void member_at(
	struct value c, uint32_t i, struct value *regs, uint16_t k, uint16_t v)
{
	struct value key, val;

	if (c.tag == V_ARR) {
		key = v_int(i);
		val = c.arr->items[i];
	} else if (c.tag == V_OBJ) {
		key = c.obj->keys->items[i];
		val = c.obj->vals[i];
	} else {
		key = val = c.set->keys->items[i];
	}
	if (k != NO_OPERAND)
		regs[k] = key;
	val.flags |= c.flags & VF_BASE;
	regs[v] = val;
}

static bool is_member(struct value m, struct value c)
{
	if (c.tag == V_SET)
		return set_has(c.set, m);
	if (c.tag != V_ARR && c.tag != V_OBJ)
		return false;
	const struct value *items = c.tag == V_ARR ? c.arr->items : c.obj->vals;

	for (uint32_t i = 0; i < v_len(c); i++)
		if (value_eq(items[i], m))
			return true;
	return false;
}

static bool int_op(int op, int64_t x, int64_t y, int64_t *z)
{
	switch (op) {
	case OP_ADD:
		return !__builtin_add_overflow(x, y, z);
	case OP_SUB:
		return !__builtin_sub_overflow(x, y, z);
	case OP_MUL:
		return !__builtin_mul_overflow(x, y, z);
	default:
		return false;
	}
}

/* obj_get(), with a guess of the position; 0 is the hint of no key. */
static inline struct value get_hinted(
	const struct object *o, struct value key, uint32_t *hint)
{
	int64_t at = *hint;

	if (at < o->len && value_eq(o->keys->items[at], key))
		return o->vals[at];
	at = keys_find(o->keys, key);
	if (at < 0)
		return v_undef;
	*hint = (uint32_t)at;
	return o->vals[at];
}

static inline void *pointer(struct value v)
{
	return (void *)(intptr_t)v.i;
}

static inline struct value v_pointer(void *p)
{
	return (struct value){.i = (int64_t)(intptr_t)p};
}

/* --- the loop
 * ---------------------------------------------------------------------------
 */

#define TICK()                                                                 \
	do {                                                                   \
		if (--vm->tick <= 0 && !tick(vm, co->locs[pc]))                \
			return false;                                          \
	} while (0)
#define FAIL()                                                                 \
	do {                                                                   \
		pc = in->fail;                                                 \
		goto next;                                                     \
	} while (0)

/* An ITER may go by an index of the collection. */
#define PROBE()                                                                \
	scan_begin(vm, co->probes[in->imm - 1].path,                           \
		OPERAND(co->probes[in->imm - 1].operand), &regs[in->a])

static bool run(struct rego_vm *vm, const struct code *co, struct value *regs,
	struct collect *collect, struct value *out)
{
	const struct value *const base[2] = {regs, co->consts};
	uint32_t pc = 0;
	bool defined;

	for (;;) {
		const struct insn *in = &co->insns[pc];
		struct arena *arena = vm->cx.arena;

		switch (in->op) {
		case OP_MOVE:
			regs[in->a] = in->b == NO_OPERAND ? co->consts[in->imm]
							  : OPERAND(in->b);
			break;
		case OP_INPUT:
			regs[in->a] = vm->env->input;
			if (!is_def(regs[in->a]))
				FAIL();
			break;
		case OP_DATA:
			regs[in->a] = doc_at(vm, vm->e->paths[in->imm]);
			if (!is_def(regs[in->a]))
				FAIL();
			break;
		case OP_GET: {
			struct value from = OPERAND(in->b);
			struct value key = OPERAND(in->c);

			regs[in->a] = from.tag == V_OBJ
					      ? get_hinted(from.obj, key,
							&vm->hints[in->imm])
					      : v_get(from, key);
			if (!is_def(regs[in->a]))
				FAIL();
			break;
		}
		case OP_LGET: {
			struct value from = OPERAND(in->b);

			if (from.tag == V_OBJ && (from.flags & VF_BASE) &&
				OPERAND(in->c).tag == V_STR) {
				regs[in->a] = get_hinted(from.obj,
					OPERAND(in->c), &vm->hints[in->imm]);
				regs[in->a].flags = VF_BASE;
			} else if (!doc_get(vm, from, OPERAND(in->c),
					   &regs[in->a])) {
				return false;
			}
			if (!is_def(regs[in->a]))
				FAIL();
			break;
		}
		case OP_FORCE:
			if (!doc_force(vm, OPERAND(in->b), &regs[in->a]))
				return false;
			if (!is_def(regs[in->a]))
				FAIL();
			break;
		case OP_TEST:
			if (!is_truthy(OPERAND(in->b)))
				FAIL();
			break;
		case OP_EQ:
			if (!value_eq(OPERAND(in->b), OPERAND(in->c)))
				FAIL();
			break;
		case OP_NE:
			if (value_eq(OPERAND(in->b), OPERAND(in->c)))
				FAIL();
			break;
		case OP_LT:
			if (value_cmp(OPERAND(in->b), OPERAND(in->c)) >= 0)
				FAIL();
			break;
		case OP_LE:
			if (value_cmp(OPERAND(in->b), OPERAND(in->c)) > 0)
				FAIL();
			break;
		case OP_GT:
			if (value_cmp(OPERAND(in->b), OPERAND(in->c)) <= 0)
				FAIL();
			break;
		case OP_GE:
			if (value_cmp(OPERAND(in->b), OPERAND(in->c)) < 0)
				FAIL();
			break;
		case OP_ADD:
		case OP_SUB:
		case OP_MUL:
		case OP_DIV:
		case OP_REM: {
			struct value args[2] = {OPERAND(in->b), OPERAND(in->c)};
			int64_t z;

			if (args[0].tag == V_INT && args[1].tag == V_INT &&
				int_op(in->op, args[0].i, args[1].i, &z)) {
				regs[in->a] = v_int(z);
				break;
			}
			const struct call *c = &co->calls[in->imm];

			if (!call_builtin(vm, c->bi, c->loc, args, &regs[in->a],
				    &defined))
				return false;
			if (!defined)
				FAIL();
			break;
		}
		case OP_IN:
			if (!is_member(OPERAND(in->b), OPERAND(in->c)))
				FAIL();
			break;
		case OP_ISARR: {
			struct value v = OPERAND(in->b);

			if (v.tag != V_ARR || v.arr->len != in->imm)
				FAIL();
			break;
		}
		case OP_ISOBJ: {
			struct value v = OPERAND(in->b);

			if (v.tag != V_OBJ || v.obj->len != in->imm)
				FAIL();
			break;
		}
		case OP_ITEM:
			regs[in->a] = OPERAND(in->b).arr->items[in->imm];
			break;
		case OP_ITER:
			regs[in->a] = OPERAND(in->b);
			regs[in->a + 1] = v_int(0);
			if (!is_collection(regs[in->a]))
				FAIL();
			if (in->imm)
				PROBE();
			break;
		case OP_NEXT: {
			uint32_t i;

			TICK();
			if (!iter_step(&regs[in->a], &i))
				FAIL();
			member_at(regs[in->a], i, regs, in->b, in->c);
			break;
		}
		case OP_LITER: {
			struct value c = OPERAND(in->b);

			regs[in->a] = c;
			regs[in->a + 1] = v_int(0);
			if (c.tag == V_LAZY) {
				struct value *pair =
					arena_raw(arena, 2 * sizeof(*pair));

				pair[0] = c;
				pair[1] = doc_keys(vm, c);
				regs[in->a] = v_pointer(pair);
				regs[in->a].tag = V_LAZY;
			} else if (!is_collection(c)) {
				FAIL();
			} else if (in->imm) {
				PROBE();
			}
			break;
		}
		case OP_LNEXT: {
			struct value c = regs[in->a];
			uint32_t at;

			TICK();
			if (c.tag != V_LAZY) {
				if (!iter_step(&regs[in->a], &at))
					FAIL();
				member_at(c, at, regs, in->b, in->c);
				break;
			}
			const struct value *pair = pointer(c);
			int64_t i = regs[in->a + 1].i++;

			if (i >= pair[1].arr->len)
				FAIL();
			struct value key = pair[1].arr->items[i];

			if (!doc_get(vm, pair[0], key, &regs[in->c]))
				return false;
			if (!is_def(regs[in->c]))
				continue; /* this instruction again */
			if (in->b != NO_OPERAND)
				regs[in->b] = key;
			break;
		}
		case OP_CALLR:
			TICK();
			if (!vm_group(vm, vm->e->comp.groups[in->imm],
				    &regs[in->a]))
				return false;
			if (!is_def(regs[in->a]))
				FAIL();
			break;
		case OP_CALLK: {
			const struct call *c = &co->calls[in->imm];
			struct value keys[KEYS_MAX];

			TICK();
			for (uint32_t i = 0; i < c->nargs; i++)
				keys[i] = OPERAND(c->args[i]);
			if (!group_at(vm, c, keys, &regs[in->a]))
				return false;
			if (!is_def(regs[in->a]))
				FAIL();
			break;
		}
		case OP_CALLF:
		case OP_CALLB: {
			const struct call *c = &co->calls[in->imm];
			struct value few[8], *args = few;

			TICK();
			if (c->nargs > COUNT(few))
				args = arena_raw(
					arena, c->nargs * sizeof(few[0]));
			for (uint32_t i = 0; i < c->nargs; i++)
				args[i] = OPERAND(c->args[i]);
			if (!call_any(vm, c, args, &regs[in->a], &defined))
				return false;
			if (!defined)
				FAIL();
			break;
		}
		case OP_WALK:
			regs[in->a] = v_pointer(
				walk_new(arena, OPERAND(in->b), in->imm != 0));
			break;
		case OP_WALKNEXT:
			TICK();
			if (!walk_next(pointer(regs[in->a]),
				    in->imm ? &regs[in->b] : NULL,
				    &regs[in->c]))
				FAIL();
			break;
		case OP_MKARR: {
			struct value *items =
				arena_raw(arena, in->fail * sizeof(*items) + 1);

			for (uint32_t i = 0; i < in->fail; i++)
				items[i] = OPERAND(co->pool[in->imm + i]);
			regs[in->a] = v_arr(arena, items, in->fail);
			break;
		}
		case OP_MKSET: {
			struct value *items =
				arena_raw(arena, in->fail * sizeof(*items) + 1);

			for (uint32_t i = 0; i < in->fail; i++)
				items[i] = OPERAND(co->pool[in->imm + i]);
			regs[in->a] = v_set(arena, items, in->fail);
			break;
		}
		case OP_MKOBJ: {
			uint32_t n = in->fail;
			struct value *keys =
				arena_raw(arena, 2 * n * sizeof(*keys) + 1);

			for (uint32_t i = 0; i < n; i++) {
				keys[i] = OPERAND(co->pool[in->imm + 2 * i]);
				keys[n + i] =
					OPERAND(co->pool[in->imm + 2 * i + 1]);
			}
			regs[in->a] = v_obj(arena, keys, keys + n, n);
			break;
		}
		case OP_ARRNEW:
			regs[in->a] = v_pointer(ARENA_NEW(arena, struct arr));
			regs[in->a].tag = V_ARR;
			break;
		case OP_SETNEW:
		case OP_OBJNEW: {
			struct builder *b = arena_raw(arena, sizeof(*b));

			*b = in->op == OP_SETNEW ? builder_set(arena)
						 : builder_obj(arena);
			regs[in->a] = v_pointer(b);
			break;
		}
		case OP_PUSH:
			arr_push(arena, pointer(regs[in->a]), OPERAND(in->b));
			break;
		case OP_ADDTO:
			builder_add(pointer(regs[in->a]), OPERAND(in->b));
			break;
		case OP_PUT: {
			struct builder *b = pointer(regs[in->a]);
			struct value k = OPERAND(in->b), v = OPERAND(in->c);
			struct value old;

			builder_put(b, k, v, &old);
			if (!is_def(old))
				break;
			if (!value_eq(old, v))
				return vm_halt(vm, "eval_conflict_error",
					co->locs[pc],
					"object keys must be unique");
			builder_set_key(b, k, v); /* 1.0 after 1 */
			break;
		}
		case OP_DONE: {
			struct value b = regs[in->b];

			if (b.tag == V_ARR) {
				struct arr *x = pointer(b);

				regs[in->a] = v_arr(arena, x->items, x->len);
			} else {
				regs[in->a] = builder_done(pointer(b));
			}
			break;
		}
		case OP_TREENEW:
			regs[in->a] = v_pointer(tree_new(arena));
			break;
		case OP_TREEPUT:
		case OP_TREEADD: {
			struct value few[16], *path = few;

			if (in->b > COUNT(few))
				path = arena_raw(arena, in->b * sizeof(*path));
			for (uint32_t i = 0; i < in->b; i++)
				path[i] = OPERAND(co->pool[in->imm + i]);
			if (!tree_put(arena, pointer(regs[in->a]), path, in->b,
				    OPERAND(in->c), in->op == OP_TREEADD))
				return vm_halt(vm, "eval_conflict_error",
					co->locs[pc],
					"object keys must be unique");
			break;
		}
		case OP_TREEDONE:
			regs[in->a] = tree_done(arena, pointer(regs[in->b]));
			break;
		case OP_ONCE: {
			struct value v = OPERAND(in->b);
			const struct rule *r = co->rules[in->imm];

			if (collect) {
				if (collect_add(collect, r, v))
					FAIL();
			} else if (is_def(regs[in->a]) &&
				   !value_eq(regs[in->a], v)) {
				return conflict(vm, co, regs, r);
			}
			if (!is_def(regs[in->a]))
				regs[in->a] = v;
			break;
		}
		case OP_SETUNDEF:
			regs[in->a] = v_undef;
			break;
		case OP_JMP:
			FAIL();
		case OP_JDEF:
			if (is_def(OPERAND(in->b)))
				FAIL();
			break;
		case OP_WITH: {
			const struct env *env = env_with(
				vm, &co->sites[in->imm], regs, co->consts);

			regs[in->b] = v_pointer((void *)(uintptr_t)vm->env);
			regs[in->a] = v_pointer((void *)(uintptr_t)env);
			vm->env = env;
			break;
		}
		case OP_ENV:
			vm->env = pointer(regs[in->b]);
			break;
		case OP_PRINT:
			print(vm, OPERAND(in->b), co->locs[pc]);
			break;
		case OP_CASE:
			table_case(vm, OPERAND(in->b));
			break;
		case OP_MARK:
			vm->marks[in->imm] = 1;
			break;
		case OP_JPASS:
			if (vm->passes & in->imm)
				FAIL();
			break;
		case OP_ROW:
			row(vm, co, base);
			break;
		case OP_RET:
			*out = OPERAND(in->b);
			return true;
		case OP_AT:
			explain_at(vm, co->exprs[in->imm]);
			break;
		case OP_QUERY:
			frames_query(vm, in->a);
			break;
		case OP_STEP:
			if (!in->b)
				vm->tail = 0;
			frames_step(vm, in->a, co, &co->steps[in->imm], regs);
			break;
		case OP_SIDES:
			explain_sides(vm, OPERAND(in->b), OPERAND(in->c));
			break;
		case OP_SWITCH: {
			struct rule_list *l = arena_raw(arena, sizeof(*l));

			*l = switch_find(
				co->switches[in->imm], arena, OPERAND(in->b));
			regs[in->a] = v_pointer(l);
			regs[in->a + 1] = v_int(0);
			break;
		}
		case OP_RULE: {
			const struct rule_list *l = pointer(regs[in->a]);
			int64_t i = regs[in->a + 1].i++;

			if (i >= l->len)
				FAIL();
			pc = co->switches[in->imm]->pcs[l->rules[i]];
			continue;
		}
		case OP_COUNT:
		default:
			die("vm: instruction %d", in->op);
		}
		pc++;
	next:;
	}
}

bool vm_run_query(struct rego_vm *vm, const struct code *co)
{
	struct value out;

	return activate(vm, co, (struct loc){0}, &out);
}
