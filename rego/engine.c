/*
 * engine: the public face: modules and data in, queries and results out.
 */
#include "rego/mark.h"
#include "rego/passes.h"
#include "rego/plan.h"
#include "rego/vm.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { STACK_BYTES = 64 << 20 };

struct rego_engine *rego_new(const struct rego_config *cfg)
{
	struct rego_engine *e = calloc(1, sizeof(*e));

	if (!e)
		die("out of memory: engine");
	e->cfg = *cfg;
	e->syms.arena = &e->arena;
	e->diags = (struct diags){.arena = &e->arena,
		.max = cfg->max_errors ? cfg->max_errors : 10};
	e->comp = (struct compiler){.arena = &e->arena,
		.syms = &e->syms,
		.diags = e->diags,
		.caps = cfg->caps,
		.strict = cfg->strict,
		.max_errors = cfg->max_errors,
		.keep_print = cfg->keep_print,
		.test_mode = cfg->test_mode,
		.use_schemas = cfg->use_schemas};
	e->base = v_empty_obj;
	e->mocked = ARENA_ARRAY(
		&e->arena, uint64_t, capabilities_count(cfg->caps) / 64 + 1);
	return e;
}

void rego_free(struct rego_engine *e)
{
	if (!e)
		return;
	map_release(&e->path_index);
	map_release(&e->scan_index);
	symtab_release(&e->syms);
	arena_release(&e->arena);
	free(e);
}

struct arena *rego_arena(struct rego_engine *e)
{
	return &e->arena;
}

struct symtab *rego_symtab(struct rego_engine *e)
{
	return &e->syms;
}

static struct source *source_new(
	struct rego_engine *e, const char *name, struct str text)
{
	struct source *s = ARENA_NEW(&e->arena, struct source);

	s->name = name;
	s->text = text;
	return s;
}

bool rego_add_module(struct rego_engine *e, const char *name, struct str text)
{
	struct parse_options o = {
		.version = e->cfg.version, .caps = e->cfg.caps};
	struct module *m = parse_module(
		&e->arena, &e->syms, source_new(e, name, text), &o, &e->diags);

	if (!m)
		return false;
	compile_add(&e->comp, m);
	return true;
}

/* --- base data ------------------------------------------------------------ */

/* Can `y` be merged into `x`? Both objects, all the way down, or no overlap. */
static bool mergeable(struct value x, struct value y)
{
	if (x.tag != V_OBJ || y.tag != V_OBJ)
		return false;
	for (uint32_t i = 0; i < y.obj->len; i++) {
		struct value v = obj_get(x.obj, y.obj->keys->items[i]);

		if (is_def(v) && !mergeable(v, y.obj->vals[i]))
			return false;
	}
	return true;
}

enum status rego_add_data(struct rego_engine *e, const struct str *path,
	size_t n, struct value v, bool copy, struct err *err)
{
	if (copy)
		v = value_copy(&e->arena, v);
	while (n-- > 0) {
		struct value *kv = ARENA_ARRAY(&e->arena, struct value, 2);

		kv[0] = sym_intern(&e->syms, path[n].ptr, path[n].len);
		kv[1] = v;
		v = v_obj(&e->arena, kv, kv + 1, 1);
	}
	if (v.tag != V_OBJ)
		return err_set(err, E_INVALID, "root value must be object");
	if (!mergeable(e->base, v))
		return err_set(err, E_CONFLICT, "merge error");
	e->base = value_merge(&e->arena, v, e->base);
	return OK;
}

/* --- schemas ----------------------------------------------------------------
 */

void rego_use_schemas(struct rego_engine *e)
{
	if (e->comp.schemas)
		return;
	e->comp.schemas = ARENA_NEW(&e->arena, struct builder);
	*e->comp.schemas = builder_obj(&e->arena);
}

void rego_add_schema(
	struct rego_engine *e, const struct str *path, size_t n, struct value v)
{
	struct value *steps = ARENA_ARRAY(&e->arena, struct value, n);

	for (size_t i = 0; i < n; i++)
		steps[i] = v_str(&e->arena, path[i]);
	rego_use_schemas(e);
	builder_set_key(
		e->comp.schemas, v_arr(&e->arena, steps, (uint32_t)n), v);
}

/* --- compiling ---------------------------------------------------------------
 */

/* "a/b/c" of a node. */
static const char *data_path(struct rego_engine *e, const struct node *n)
{
	struct buf b = {0};
	const char *up =
		n->parent && n->parent->parent ? data_path(e, n->parent) : NULL;

	if (up)
		buf_addf(&b, "%s/", up);
	value_text_bare(&b, n->key);
	up = arena_strdup(&e->arena, buf_str(&b));
	buf_release(&b);
	return up;
}

/*
 * A rule may not stand where base data is, nor below data without names. Only
 * names can be in the way: steps that are numbers and the like are not looked
 * at.
 */
static void conflict_check(
	struct rego_engine *e, const struct node *n, struct value base)
{
	for (uint32_t i = 0; i < n->nkids; i++) {
		const struct node *kid = n->kids[i];
		struct value v = base_get(base, kid->key);

		if (kid->key.tag != V_STR || (!is_def(v) && base.tag == V_OBJ))
			continue;
		if (!is_def(v))
			v = base;
		if (kid->group &&
			kid->group->nrules + (kid->group->dflt != NULL)) {
			const struct rule *r = kid->group->nrules
						       ? kid->group->rules[0]
						       : kid->group->dflt;

			diag_add(&e->diags, "rego_compile_error", r->loc,
				"conflicting rule for data path %s found",
				data_path(e, kid));
		} else {
			conflict_check(e, kid, v);
		}
	}
}

/* `with` targets that are builtins: those are not compiled inline. */
static void note_mock(struct rego_engine *e, const struct with *w)
{
	const struct term *t = w->target;
	struct with_target target = {0};
	const struct term *head = t->kind == T_REF ? t->list.items[0] : t;
	uint32_t n;

	if (head->kind != T_VAR || head->var.var ||
		term_is_name(head, "input") || term_is_name(head, "data"))
		return;
	plan_mock_target(e, t, NULL, w->value, &target);
	n = target.mock_id / 2;
	e->mocked[n / 64] |= UINT64_C(1) << (n % 64);
}

static bool note_mocks_expr(struct visit *v, struct expr *x)
{
	for (uint32_t i = 0; i < x->nwiths; i++)
		note_mock(v->ctx, &x->withs[i]);
	return false;
}

static void note_mocks_body(struct rego_engine *e, struct body *b)
{
	struct visit v = {.expr = note_mocks_expr, .ctx = e};

	if (b)
		visit_body(&v, b);
}

static void note_mocks(struct rego_engine *e)
{
	for (uint32_t m = 0; m < e->comp.nmods; m++)
		for (uint32_t i = 0; i < e->comp.mods[m]->nrules; i++)
			for (const struct rule *r = e->comp.mods[m]->rules[i];
				r; r = r->els)
				note_mocks_body(e, r->body);
}

bool rego_compile(struct rego_engine *e, bool check_conflicts)
{
	if (e->diags.len)
		return false;
	if (!compile_modules(&e->comp)) {
		e->diags = e->comp.diags;
		return false;
	}
	if (check_conflicts)
		conflict_check(e, e->comp.root, e->base);
	note_mocks(e);
	e->compiled = e->diags.len == 0;
	return e->compiled;
}

const struct diags *rego_errors(const struct rego_engine *e)
{
	return &e->diags;
}

size_t rego_module_count(const struct rego_engine *e)
{
	return e->comp.nmods;
}

const struct module *rego_module_at(const struct rego_engine *e, size_t i)
{
	return e->comp.mods[i];
}

const struct annotation_set *rego_annotations(const struct rego_engine *e)
{
	return e->comp.annotations;
}

/* --- queries
 * -------------------------------------------------------------------- */

static struct term *var_term(
	struct rego_engine *e, const struct string *name, struct loc loc)
{
	struct term *t = ARENA_NEW(&e->arena, struct term);

	t->kind = T_VAR;
	t->loc = loc;
	t->var.name = name;
	return t;
}

/*
 * The call already says where its result goes, walk(x, [p, v]), or has none:
 * print(x).
 */
static bool takes_no_output(struct rego_engine *e, const struct term *t)
{
	const struct builtin *bi = NULL;
	struct group *g = NULL;
	int arity;

	if (t->kind != T_CALL)
		return false;
	arity = call_arity(&e->comp, t->list.items[0], &bi, &g);
	if (bi && bi->flags & BF_VOID)
		return true;
	return arity >= 0 && t->list.len - 1 != (uint32_t)arity;
}

/*
 * A query that can have several rows, or several exprs, wants each value to be
 * true; a single one is shown whatever it is.
 */
static bool iterates(const struct term *t)
{
	bool list = t->kind == T_REF || t->kind == T_ARRAY ||
		    t->kind == T_SET || t->kind == T_OBJECT ||
		    t->kind == T_CALL;

	if (term_calls(t, "walk"))
		return true;
	for (uint32_t i = 0; list && i < t->list.len; i++) {
		const struct term *x = t->list.items[i];

		if ((t->kind == T_REF && i > 0 && x->kind == T_VAR) ||
			iterates(x))
			return true;
	}
	return false;
}

static bool wants_truth(const struct body *b)
{
	if (b->len > 1)
		return true;
	return b->len == 1 && b->items[0]->kind == X_TERM &&
	       iterates(b->items[0]->term);
}

static struct term *eq_term(
	struct rego_engine *e, struct loc loc, struct term *a, struct term *b)
{
	struct term *eq = ARENA_NEW(&e->arena, struct term);
	struct term *op = ARENA_NEW(&e->arena, struct term);

	op->kind = T_REF;
	op->loc = loc;
	op->list.items = ARENA_ARRAY(&e->arena, struct term *, 1);
	op->list.items[0] = var_term(e, sym_intern(&e->syms, "eq", 2).str, loc);
	op->list.len = 1;
	eq->kind = T_CALL;
	eq->loc = b->loc;
	eq->list.items = ARENA_ARRAY(&e->arena, struct term *, 3);
	eq->list.items[0] = op;
	eq->list.items[1] = a;
	eq->list.items[2] = b;
	eq->list.len = 3;
	return eq;
}

/* f(x) becomes f(x, out). */
static void call_capture(
	struct rego_engine *e, struct term *call, struct term *out)
{
	struct term **more =
		ARENA_ARRAY(&e->arena, struct term *, call->list.len + 1);

	memcpy(more, call->list.items, call->list.len * sizeof(*more));
	more[call->list.len++] = out;
	call->list.items = more;
}

/*
 * So that the value of each expr can be shown, also false ones: `f(x)` is
 * evaluated as `f(x, $0)` and others as `$0 = x`, as OPA's query rewriting
 * does.
 */
static const struct string *capture(struct rego_engine *e, struct body *body,
	struct expr *x, uint32_t i, bool truth)
{
	char name[24];
	const struct string *sym;
	struct expr *check;

	if (x->kind != X_TERM || x->negated || term_calls(x->term, "eq") ||
		term_calls(x->term, "assign") || takes_no_output(e, x->term))
		return NULL;
	snprintf(name, sizeof(name), "$%u", i);
	sym = sym_intern(&e->syms, name, strlen(name)).str;
	if (x->term->kind == T_CALL)
		call_capture(e, x->term, var_term(e, sym, x->loc));
	else
		x->term = eq_term(e, x->loc, var_term(e, sym, x->loc), x->term);
	if (truth) {
		check = ARENA_NEW(&e->arena, struct expr);
		check->kind = X_TERM;
		check->loc = x->loc;
		check->generated = true;
		check->index = body->len;
		check->term = var_term(e, sym, x->loc);
		body_add(&e->arena, body, check);
	}
	return sym;
}

/* Messages call a captured value what OPA calls it: _. */
static void hide_captures(struct rego_engine *e, struct diags *d)
{
	for (uint32_t i = 0; i < d->len; i++) {
		const char *at = strstr(d->items[i].message, "var $");
		const char *rest = at ? at + 5 : NULL;

		if (!at)
			continue;
		while (*rest >= '0' && *rest <= '9')
			rest++;
		d->items[i].message = arena_printf(&e->arena, "%.*svar _%s",
			(int)(at - d->items[i].message), d->items[i].message,
			rest);
	}
}

static struct rego_query *prepare(struct rego_engine *e, struct body *body,
	const struct module *ctx, struct diags *d)
{
	struct rego_query *q = ARENA_NEW(&e->arena, struct rego_query);
	const struct string **captures = (const struct string **)arena_array(
		&e->arena, body->len + 1u, sizeof(*captures));
	struct body written = *body;

	written.items =
		memcpy(ARENA_ARRAY(&e->arena, struct expr *, body->len + 1),
			body->items, body->len * sizeof(*body->items));
	bool truth = wants_truth(body);

	for (uint32_t i = 0; i < written.len; i++)
		captures[i] = capture(e, body, written.items[i], i, truth);
	q->engine = e;
	e->comp.strict = false; /* unused variables are no error in a query */
	q->rule = compile_query(&e->comp, body, ctx, d);
	e->comp.strict = e->cfg.strict;
	if (!q->rule || d->len) {
		hide_captures(e, d);
		return NULL;
	}
	note_mocks_body(e, q->rule->body);
	q->code = plan_query(e, q->rule, &written, captures);
	return q;
}

/* A module that only says what names mean in a query. */
static struct module *context(struct rego_engine *e, const char *package,
	const char *const *imports, size_t n, struct diags *d)
{
	struct buf text = {0};
	struct parse_options o = {
		.version = e->cfg.version, .caps = e->cfg.caps};
	struct module *m;

	if (package && !strncmp(package, "data.", 5))
		package += 5;
	buf_addf(&text, "package %s\n", package ? package : "__query__");
	for (size_t i = 0; i < n; i++)
		buf_addf(&text, "import %s\n", imports[i]);
	struct str s = arena_str(&e->arena, buf_str(&text));

	buf_release(&text);
	m = parse_module(&e->arena, &e->syms, source_new(e, "", s), &o, d);
	return m;
}

static bool is_blank(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!memchr(" \t\r\n", s.ptr[i], 4))
			return false;
	return true;
}

struct rego_query *rego_prepare(struct rego_engine *e, struct str text,
	const char *package, const char *const *imports, size_t nimports,
	struct diags *d)
{
	struct parse_options o = {
		.version = e->cfg.version, .caps = e->cfg.caps};
	struct module *ctx = NULL;
	struct body *body;

	d->arena = &e->arena;
	if (package || nimports) {
		ctx = context(e, package, imports, nimports, d);
		/* Each was an argument of its own, with one row. */
		for (uint32_t i = 0; i < d->len; i++)
			d->items[i].row = 1;
		if (!ctx)
			return NULL;
	}
	if (is_blank(text)) {
		diag_add(d, "rego_compile_error", (struct loc){0},
			"empty query cannot be compiled");
		return NULL;
	}
	text = arena_str(&e->arena, text);
	body = parse_query(&e->arena, &e->syms, source_new(e, "", text), &o, d);
	if (!body || d->len)
		return NULL;
	return prepare(e, body, ctx, d);
}

/* A place for what was not written: frames show it. */
static struct loc ref_source(struct rego_engine *e, const struct term *ref)
{
	struct buf text = {0};
	struct str s;

	term_text(&text, ref);
	s = arena_str(&e->arena, buf_str(&text));
	buf_release(&text);
	return (struct loc){source_new(e, "", s), 0, (uint32_t)s.len};
}

struct rego_query *rego_prepare_ref(
	struct rego_engine *e, const struct value *path, size_t n)
{
	struct term *ref = ARENA_NEW(&e->arena, struct term);
	struct expr *x = ARENA_NEW(&e->arena, struct expr);
	struct body *body = ARENA_NEW(&e->arena, struct body);
	struct diags d = {.arena = &e->arena};

	ref->kind = T_REF;
	ref->list.len = (uint32_t)n + 1;
	ref->list.items = ARENA_ARRAY(&e->arena, struct term *, n + 1);
	ref->list.items[0] = var_term(
		e, sym_intern(&e->syms, "data", 4).str, (struct loc){0});
	for (size_t i = 0; i < n; i++) {
		struct term *s = ARENA_NEW(&e->arena, struct term);

		s->kind = T_SCALAR;
		s->val = path[i];
		if (path[i].tag == V_STR)
			s->val = sym_intern(
				&e->syms, path[i].str->bytes, path[i].str->len);
		ref->list.items[i + 1] = s;
	}
	x->kind = X_TERM;
	x->term = ref;
	if (e->cfg.frames)
		x->loc = ref_source(e, ref);
	body_add(&e->arena, body, x);
	return prepare(e, body, NULL, &d);
}

struct loc rego_query_expr_loc(const struct rego_query *q, size_t i)
{
	return q->code->expr_locs[i];
}

/* --- evaluating
 * --------------------------------------------------------------------- */

struct rego_vm *rego_vm_new(struct rego_engine *e)
{
	struct rego_vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		die("out of memory: vm");
	rego_link(e);
	vm->e = e;
	vm->next_env = 1;
	vm->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (vm->stack == MAP_FAILED)
		die("out of memory: stack of %d bytes", STACK_BYTES);
	vm->stack_end = vm->stack + STACK_BYTES / sizeof(*vm->stack);
	return vm;
}

static void caches_drop(struct rego_vm *vm, bool all)
{
	for (size_t i = 0; i < COUNT(vm->cx.caches); i++) {
		struct bi_cache *c = &vm->cx.caches[i];

		if (!all && i != BI_CACHE_RAND && i != BI_CACHE_UUID)
			continue;
		if (c->state && c->free_fn)
			c->free_fn(c->state);
		*c = (struct bi_cache){0};
	}
}

void rego_vm_free(struct rego_vm *vm)
{
	if (!vm)
		return;
	caches_drop(vm, true);
	arena_release(&vm->arena);
	arena_release(&vm->perm);
	munmap(vm->stack, STACK_BYTES);
	memo_release(&vm->calls);
	free(vm->memo);
	free(vm->closed);
	free(vm->closed_state);
	free(vm->hints);
	free(vm->live);
	free(vm->marks);
	free(vm);
}

static void *resize(void *p, size_t n, size_t size)
{
	free(p);
	p = calloc(n + 1, size);
	if (!p)
		die("out of memory: table of %zu", n);
	return p;
}

/* The engine was linked again: tables by group are made anew. */
static void vm_fit(struct rego_vm *vm)
{
	uint32_t n = vm->e->comp.ngroups, marks = vm->e->nmarks;

	if (vm->serial == vm->e->memo_serial)
		return;
	vm->memo = resize(vm->memo, n, sizeof(*vm->memo));
	vm->closed = resize(vm->closed, n, sizeof(*vm->closed));
	vm->closed_state = resize(vm->closed_state, n, 1);
	vm->hints = resize(vm->hints, vm->e->nhints, sizeof(*vm->hints));
	arena_reset(&vm->perm);
	memo_release(&vm->calls);
	vm->calls.always = vm->e->cfg.keep_print;
	vm->calls.use = resize(NULL, n, sizeof(*vm->calls.use));
	vm->ngroups = n;
	uint8_t *old = vm->marks;

	vm->marks = calloc(marks + 1u, 1);
	if (!vm->marks)
		die("out of memory: marks");
	if (old)
		memcpy(vm->marks, old, vm->nmarks);
	free(old);
	vm->nmarks = marks;
	vm->serial = vm->e->memo_serial;
}

static int64_t wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void begin(struct rego_vm *vm, const struct rego_input *in,
	struct rego_result *out)
{
	struct env *env;

	rego_link(vm->e);
	vm_fit(vm);
	*out = (struct rego_result){0};
	arena_reset(&vm->arena);
	caches_drop(vm, false);
	memo_reset(&vm->calls, vm->ngroups);
	env = ARENA_NEW(&vm->arena, struct env);
	env->id = vm->base_env = vm->next_env++;
	env->input = in->input;
	vm->env = env;
	vm->in = in;
	vm->out = out;
	vm->sp = vm->stack;
	vm->depth = 0;
	vm->cap_rows = vm->cap_cases = vm->cap_failures = 0;
	vm->failures = NULL;
	vm->nlive = vm->live_base = vm->queries = vm->tail = 0;
	vm->scans = NULL;
	vm->error = vm->soft = (struct rego_error){0};
	vm->cx.arena = &vm->arena;
	vm->cx.caps = vm->e->cfg.caps;
	vm->cx.now_ns = in->now_ns ? in->now_ns : wall_ns();
	vm->cx.seed = in->seed ? in->seed : (uint64_t)wall_ns();
	vm->cx.memory_max = in->max_memory ? in->max_memory : LIMIT_EVAL_MEMORY;
	vm->cx.steps = in->max_steps && in->max_steps < INT64_MAX
			       ? (int64_t)in->max_steps
			       : INT64_MAX;
	vm->cx.cancel = in->cancel;
	vm->cx.deadline_ns = in->deadline_ns;
	vm->start_steps = vm->cx.steps;
	vm->granted = vm->tick = 1;
	vm->cx.vm = vm;
}

static bool is_cancel(const struct rego_error *e)
{
	return e->code && strcmp(e->code, "eval_cancel_error") == 0;
}

void rego_eval(struct rego_vm *vm, const struct rego_query *q,
	const struct rego_input *in, struct rego_result *out)
{
	begin(vm, in, out);
	if (!vm_run_query(vm, q->code)) {
		out->error = vm->error;
		out->nrows = 0;
	}
	/* As in OPA, also where a conflict has ended the evaluation. */
	if (in->strict && vm->soft.code && !is_cancel(&vm->error))
		out->error = vm->soft;
	out->steps = (uint64_t)(vm->start_steps - vm->cx.steps + vm->granted -
				vm->tick);
	out->memory = vm->arena.used;
}

/* --- coverage
 * ---------------------------------------------------------------------------
 */

size_t engine_marks(const struct rego_engine *e)
{
	return e->nmarks;
}

const struct capabilities *engine_capabilities(const struct rego_engine *e)
{
	return e->cfg.caps;
}

struct loc engine_mark_loc(const struct rego_engine *e, size_t i)
{
	return e->marks[i].loc;
}

void rego_vm_pass(struct rego_vm *vm, unsigned pass)
{
	vm->passes = pass;
}

unsigned vm_passes(const struct rego_vm *vm)
{
	return vm->passes;
}

bool vm_marked(const struct rego_vm *vm, size_t i)
{
	return i < vm->nmarks && vm->marks[i];
}
