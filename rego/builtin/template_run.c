#include "rego/builtin/template.h"

#include <string.h>

#include "base/limits.h"
#include "rego/builtin/unicode.h"

/*
 * Lists of nodes are run from a stack of frames, so that templates which
 * call each other 100,000 deep, as Go allows, take no stack of C; only
 * expressions recur, and those are as deep as brackets in the template.
 */
enum { DEPTH_MAX = 100000 };

struct var {
	struct str name;
	struct go_value value;
};

enum frame_kind {
	FR_LIST,
	FR_RANGE,
	FR_CALL, /* of a template: what is around it */
};

struct frame {
	enum frame_kind kind;
	uint32_t vars;              /* to go back to at the end */
	const struct tmpl_node *at; /* FR_LIST: next; FR_RANGE: the range */
	struct go_value value;      /* FR_LIST: dot; FR_RANGE: members */
	uint64_t i, sets;           /* FR_RANGE: of members done; see below */
	struct arena_mark mark;     /* FR_RANGE: before this round */
	struct str name;            /* FR_CALL: of the template around, */
	uint32_t base;              /* and where its variables begin */
};

struct run {
	struct bi_ctx *cx;
	const struct tmpl_set *set;
	struct buf *out;
	size_t charged;             /* bytes of `out` paid for */
	const struct tmpl_node *at; /* what is at work, for errors */
	struct str name;            /* of the template that is run */
	struct var *vars;
	uint32_t nvars, cap_vars, base;
	struct frame *frames;
	uint32_t nframes, cap_frames, depth;
	struct arena stacks; /* variables and frames */
	uint64_t sets;       /* variables given a new value so far */
	enum bi_status st;
};

static const struct go_value no_value = {.kind = GO_NONE};

/* --- errors --------------------------------------------------------------- */

/* "1:2: executing "template" at <.a>: " */
static void add_place(struct run *r, struct buf *b)
{
	struct str before = str_slice(r->set->text, 0, r->at->pos);
	uint32_t line = 1;
	size_t start = 0;

	for (size_t i = 0; i < before.len; i++) {
		if (before.ptr[i] == '\n') {
			line++;
			start = i + 1;
		}
	}
	buf_addf(b, "%u:%zu: executing ", line, before.len - start);
	quote_go(b, r->name, false);
	buf_adds(b, " at <");
	tmpl_node_text(b, r->at);
	buf_adds(b, ">: ");
}

/* The end, with an error at r->at. Returns false. */
static bool fail_text(struct run *r, struct str text)
{
	struct buf b = {0};

	if (r->st)
		return false;
	buf_adds(&b, "template: " TMPL_NAME ":");
	add_place(r, &b);
	buf_addstr(&b, text);
	r->st = bi_error(r->cx, "%s", b.ptr);
	buf_release(&b);
	return false;
}

PRINTF(2, 3)
static bool fail(struct run *r, const char *fmt, ...)
{
	va_list ap;
	const char *text;

	va_start(ap, fmt);
	text = arena_vprintf(r->cx->arena, fmt, ap);
	va_end(ap);
	return fail_text(r, str_from(text));
}

static bool charge(struct run *r, uint64_t units)
{
	size_t most = r->cx->memory_max;

	if (!r->st && !bi_charge(r->cx, units))
		r->st = BI_HALT;
	if (!r->st && most && r->stacks.used > most)
		r->st = bi_limit(r->cx,
			"template needs more than %zu bytes of memory", most);
	return !r->st;
}

/* What was written since the last time. */
static bool charge_output(struct run *r)
{
	if (!r->st && r->out->len > LIMIT_STRING)
		r->st = bi_limit(
			r->cx, "result has more than %zu bytes", LIMIT_STRING);
	charge(r, (r->out->len - r->charged) / 64);
	r->charged = r->out->len;
	return !r->st;
}

/* --- variables ------------------------------------------------------------ */

static void push_var(struct run *r, struct str name, struct go_value v)
{
	r->vars = arena_grow(
		&r->stacks, r->vars, r->nvars, &r->cap_vars, sizeof(*r->vars));
	r->vars[r->nvars++] = (struct var){name, v};
}

/* The youngest of that name in this template, or NULL after an error. */
static struct go_value *find_var(struct run *r, struct str name)
{
	for (uint32_t i = r->nvars; i > r->base; i--)
		if (str_eq(r->vars[i - 1].name, name)) {
			charge(r, (r->nvars - i) / 16);
			return &r->vars[i - 1].value;
		}
	fail(r, "undefined variable: %.*s", STR_ARG(name));
	return NULL;
}

static void set_var(struct run *r, struct str name, struct go_value v)
{
	struct go_value *var = find_var(r, name);

	if (!var)
		return;
	*var = v;
	r->sets++;
}

/* --- expressions ---------------------------------------------------------- */

static struct go_value eval_pipe(struct run *r, const struct go_value *dot,
	const struct tmpl_node *pipe);
static struct go_value eval_arg(struct run *r, const struct go_value *dot,
	enum tmpl_param want, const struct tmpl_node *n);

/* What a value is called where an interface{} hides what is in it. */
static const char *type_outside(const struct go_value *v)
{
	return v->boxed || v->kind == GO_NIL ? "interface {}" : go_type(v);
}

/* The value as an argument of the wanted type. */
static struct go_value convert(
	struct run *r, enum tmpl_param want, struct go_value v)
{
	if (r->st || want == TP_NONE || want == TP_VALUE)
		return v;
	if (want == TP_ANY) {
		v.boxed = false;
		if (v.kind == GO_NONE)
			v.kind = GO_NIL;
		return v;
	}
	if (v.kind == GO_NONE)
		fail(r, "invalid value; expected string");
	else if (v.kind != GO_STRING)
		fail(r, "wrong type for value; expected string; got %s",
			v.kind == GO_NIL ? "interface {}" : go_type(&v));
	v.boxed = false;
	return v;
}

/* Text of a node for an error; in the arena. */
static const char *node_text(struct run *r, const struct tmpl_node *n)
{
	struct buf b = {0};
	const char *text;

	tmpl_node_text(&b, n);
	text = arena_strdup(r->cx->arena, buf_str(&b));
	buf_release(&b);
	return text;
}

/* A command whose first word takes no arguments has none. */
static bool takes_nothing(struct run *r, const struct tmpl_list *args,
	const struct go_value *final)
{
	if (args->len <= 1 && !final)
		return true;
	return fail(r, "can't give argument to non-function %s",
		node_text(r, args->first));
}

/* v.name */
static struct go_value eval_field(
	struct run *r, struct go_value v, struct str name, bool has_args)
{
	struct value member;

	if (v.kind == GO_NONE)
		return no_value;
	if (v.kind == GO_NIL) {
		fail(r, "nil pointer evaluating interface {}.%.*s",
			STR_ARG(name));
		return no_value;
	}
	if (v.kind != GO_MAP) {
		fail(r, "can't evaluate field %.*s in type %s", STR_ARG(name),
			type_outside(&v));
		return no_value;
	}
	if (has_args) {
		fail(r, "%.*s is not a method but has arguments",
			STR_ARG(name));
		return no_value;
	}
	member = obj_get(v.map, v_str(r->cx->arena, name));
	if (!is_def(member))
		return no_value;
	v = go_from_json(r->cx->arena, member);
	v.boxed = true;
	return v;
}

/* v.a.b from name number `from` on; only the last may have arguments. */
static struct go_value eval_fields(struct run *r, struct go_value v,
	const struct tmpl_names *names, uint32_t from, bool has_args)
{
	for (uint32_t i = from; i < names->len && !r->st; i++)
		v = eval_field(
			r, v, names->at[i], has_args && i + 1 == names->len);
	return v;
}

static struct go_value eval_variable(struct run *r, const struct tmpl_node *n,
	const struct tmpl_list *args, const struct go_value *final)
{
	struct go_value *var;

	r->at = n;
	var = find_var(r, n->names.at[0]);
	if (!var)
		return no_value;
	if (n->names.len > 1)
		return eval_fields(
			r, *var, &n->names, 1, args->len > 1 || final);
	return takes_nothing(r, args, final) ? *var : no_value;
}

static struct go_value eval_chain(struct run *r, const struct go_value *dot,
	const struct tmpl_node *n, const struct tmpl_list *args,
	const struct go_value *final)
{
	struct go_value v;

	r->at = n;
	v = eval_arg(r, dot, TP_NONE, n->of);
	return eval_fields(r, v, &n->names, 0, args->len > 1 || final);
}

/* --- calls ---------------------------------------------------------------- */

/* The first argument that decides, else the last one. */
static struct go_value eval_and_or(struct run *r, const struct go_value *dot,
	const struct tmpl_func *f, const struct tmpl_node *arg,
	const struct go_value *final)
{
	struct go_value v = no_value;

	for (; arg && !r->st; arg = arg->next) {
		v = eval_arg(r, dot, TP_VALUE, arg);
		if (tmpl_truth(&v) == (f->special == TF_OR))
			return v;
	}
	return final ? *final : v;
}

static bool count_fits(struct run *r, const struct tmpl_func *f, uint32_t n)
{
	if (n == f->min || (f->more && n > f->min))
		return true;
	return fail(r, "wrong number of args for %s: want %s%u got %u", f->name,
		f->more ? "at least " : "", f->min, n);
}

/* Go's text of a value that was to be called, where it isn't written. */
static struct str value_name(const struct go_value *v)
{
	switch (v->kind) {
	case GO_STRING:
	case GO_NUMBER:
		return v->s;
	case GO_NONE:
		return S("<invalid Value>");
	case GO_BOOL:
		return S("<bool Value>");
	case GO_INT:
		return S("<int Value>");
	case GO_UINT8:
		return S("<uint8 Value>");
	case GO_FLOAT:
		return S("<float64 Value>");
	case GO_COMPLEX:
		return S("<complex128 Value>");
	case GO_LIST:
		return S("<[]interface {} Value>");
	case GO_MAP:
		return S("<map[string]interface {} Value>");
	default:
		return S("<interface {} Value>");
	}
}

/* Run the function of a command on its arguments. */
static struct go_value apply(struct run *r, const struct tmpl_node *cmd,
	const struct tmpl_func *f, const struct go_value *args, uint32_t n)
{
	struct go_value v = no_value;
	struct buf why = {0};
	enum bi_status st = f->fn(r->cx, args, n, &v, &why);

	if (st == BI_HALT)
		r->st = st;
	if (st == BI_ERROR) {
		struct buf text = {0};

		r->at = cmd;
		buf_addf(&text, "error calling %s: ", f->name);
		buf_addstr(&text, buf_str(&why));
		fail_text(r, buf_str(&text));
		buf_release(&text);
	}
	buf_release(&why);
	return v;
}

/*
 * `cmd` calls the function of its first word, `ident`, on what follows from
 * `arg` on and the value that comes through the pipe.
 */
static struct go_value eval_call(struct run *r, const struct go_value *dot,
	const struct tmpl_node *ident, const struct tmpl_node *cmd,
	const struct tmpl_node *arg, uint32_t nargs,
	const struct go_value *final)
{
	const struct tmpl_func *f = ident->func;
	uint32_t n = 0, total = nargs + (final != NULL);
	struct go_value *all;

	r->at = ident;
	if (!charge(r, total + 1) || !count_fits(r, f, total))
		return no_value;
	if (!f->fn)
		return eval_and_or(r, dot, f, arg, final);
	all = ARENA_ARRAY(r->cx->arena, struct go_value, total + 1);
	if (f->special == TF_CALL)
		all[n++] = go_string(
			arg ? str_from(node_text(r, arg)) : value_name(final));
	for (uint32_t i = 0; i < total && !r->st; i++) {
		enum tmpl_param want = i < f->min ? f->first : f->rest;

		all[n++] = arg ? eval_arg(r, dot, want, arg)
			       : convert(r, want, *final);
		arg = arg ? arg->next : NULL;
	}
	return r->st ? no_value : apply(r, cmd, f, all, n);
}

/* --- commands ------------------------------------------------------------- */

static struct go_value constant(struct run *r, const struct tmpl_node *n)
{
	r->at = n;
	if (n->kind == TN_NUMBER && n->constant.kind == GO_NONE)
		fail(r, "%.*s overflows int", STR_ARG(n->text));
	return n->constant;
}

/* The value of a word that takes arguments only if it is a function. */
static struct go_value eval_word(struct run *r, const struct go_value *dot,
	const struct tmpl_node *n, const struct tmpl_list *args,
	const struct go_value *final)
{
	if (n->kind == TN_PIPE)
		return takes_nothing(r, args, final) ? eval_pipe(r, dot, n)
						     : no_value;
	r->at = n;
	if (!takes_nothing(r, args, final))
		return no_value;
	if (n->kind == TN_DOT)
		return *dot;
	if (n->kind == TN_NIL) {
		fail(r, "nil is not a command");
		return no_value;
	}
	return constant(r, n);
}

static struct go_value eval_command(struct run *r, const struct go_value *dot,
	const struct tmpl_node *cmd, const struct go_value *final)
{
	const struct tmpl_list *args = &cmd->args;
	const struct tmpl_node *n = args->first;

	switch (n->kind) {
	case TN_FIELD:
		r->at = n;
		return eval_fields(
			r, *dot, &n->names, 0, args->len > 1 || final);
	case TN_CHAIN:
		return eval_chain(r, dot, n, args, final);
	case TN_IDENT:
		return eval_call(r, dot, n, cmd, n->next, args->len - 1, final);
	case TN_VARIABLE:
		return eval_variable(r, n, args, final);
	default:
		return eval_word(r, dot, n, args, final);
	}
}

static struct go_value eval_pipe(
	struct run *r, const struct go_value *dot, const struct tmpl_node *pipe)
{
	struct go_value v = no_value;

	r->at = pipe;
	for (const struct tmpl_node *c = pipe->commands.first; c && !r->st;
		c = c->next) {
		struct go_value before = v;

		v = tmpl_unbox(eval_command(
			r, dot, c, c == pipe->commands.first ? NULL : &before));
	}
	for (uint32_t i = 0; i < pipe->decls.len && !r->st; i++) {
		if (pipe->assign)
			set_var(r, pipe->decls.at[i], v);
		else
			push_var(r, pipe->decls.at[i], v);
	}
	return v;
}

/* An argument that is written as a value of its own. */
static struct go_value eval_literal(
	struct run *r, enum tmpl_param want, const struct tmpl_node *n)
{
	if (n->kind == TN_NIL) {
		if (want == TP_STRING)
			fail(r, "cannot assign nil to string");
		return no_value;
	}
	if (want == TP_STRING && n->kind != TN_STRING) {
		fail(r, "expected string; found %.*s", STR_ARG(n->text));
		return no_value;
	}
	return constant(r, n);
}

static struct go_value eval_arg(struct run *r, const struct go_value *dot,
	enum tmpl_param want, const struct tmpl_node *n)
{
	static const struct tmpl_list none;

	r->at = n;
	switch (n->kind) {
	case TN_DOT:
		return convert(r, want, *dot);
	case TN_FIELD:
		return convert(
			r, want, eval_fields(r, *dot, &n->names, 0, false));
	case TN_VARIABLE:
		return convert(r, want, eval_variable(r, n, &none, NULL));
	case TN_PIPE:
		return convert(r, want, eval_pipe(r, dot, n));
	case TN_IDENT:
		return convert(r, want, eval_call(r, dot, n, n, NULL, 0, NULL));
	case TN_CHAIN:
		return convert(r, want, eval_chain(r, dot, n, &none, NULL));
	default:
		return convert(r, want, eval_literal(r, want, n));
	}
}

/* --- frames --------------------------------------------------------------- */

static struct frame *push_frame(struct run *r, enum frame_kind kind)
{
	struct frame *f;

	r->frames = arena_grow(&r->stacks, r->frames, r->nframes,
		&r->cap_frames, sizeof(*r->frames));
	f = &r->frames[r->nframes++];
	*f = (struct frame){.kind = kind, .vars = r->nvars};
	return f;
}

/* Run `list` next, and then go back to `vars` variables. */
static void push_list(struct run *r, const struct tmpl_list *list,
	struct go_value dot, uint32_t vars)
{
	struct frame *f = push_frame(r, FR_LIST);

	f->at = list->first;
	f->value = dot;
	f->vars = vars;
}

static void pop_frame(struct run *r)
{
	struct frame *f = &r->frames[--r->nframes];

	r->nvars = f->vars;
	if (f->kind != FR_CALL)
		return;
	r->name = f->name;
	r->base = f->base;
	r->depth--;
}

/* Out of all lists up to the range that is run. */
static void pop_to_range(struct run *r)
{
	while (r->frames[r->nframes - 1].kind != FR_RANGE)
		pop_frame(r);
}

/* --- actions -------------------------------------------------------------- */

static void run_action(
	struct run *r, const struct go_value *dot, const struct tmpl_node *n)
{
	struct go_value v = eval_pipe(r, dot, n->pipe);

	if (n->pipe->decls.len || r->st)
		return;
	r->st = tmpl_print(r->cx, r->out, &v);
	charge_output(r);
}

static void run_if_with(
	struct run *r, const struct go_value *dot, const struct tmpl_node *n)
{
	uint32_t vars = r->nvars;
	struct go_value v = eval_pipe(r, dot, n->pipe);

	if (r->st)
		return;
	if (!tmpl_truth(&v))
		push_list(r, &n->otherwise, *dot, vars);
	else
		push_list(r, &n->body, n->kind == TN_WITH ? v : *dot, vars);
}

/* How often a range goes round; false after an error. */
static bool range_length(
	struct run *r, const struct go_value *v, uint32_t nvars, uint64_t *out)
{
	struct buf b = {0};

	switch (v->kind) {
	case GO_NONE:
		*out = 0;
		return true;
	case GO_LIST:
		*out = v->list.len;
		return true;
	case GO_MAP:
		*out = v->map->len;
		return true;
	case GO_INT:
	case GO_UINT8:
		*out = v->i > 0 ? (uint64_t)v->i : 0;
		if (nvars < 2)
			return true;
		return fail(r,
			"can't use %lld to iterate over more than one variable",
			(long long)v->i);
	default:
		buf_adds(&b, "range can't iterate over ");
		r->st = go_print(r->cx, &b, v, 1);
		fail_text(r, buf_str(&b));
		buf_release(&b);
		return false;
	}
}

static void run_range(
	struct run *r, const struct go_value *dot, const struct tmpl_node *n)
{
	uint32_t vars = r->nvars;
	struct go_value v = eval_pipe(r, dot, n->pipe);
	struct frame *f;
	uint64_t len;

	if (r->st || !range_length(r, &v, n->pipe->decls.len, &len))
		return;
	if (!len) {
		push_list(r, &n->otherwise, *dot, vars);
		return;
	}
	f = push_frame(r, FR_RANGE);
	f->at = n;
	f->value = v;
	f->vars = vars;
}

/* Key and member number `i` of what is ranged over. */
static void range_member(struct run *r, const struct go_value *over, uint64_t i,
	struct go_value *key, struct go_value *member)
{
	*key = go_int((int64_t)i);
	if (over->kind == GO_LIST) {
		*member = go_member(r->cx->arena, &over->list, (uint32_t)i);
		member->boxed = true;
	} else if (over->kind == GO_MAP) {
		*key = go_string(v_bytes(over->map->keys->items[i]));
		*member = go_from_json(r->cx->arena, over->map->vals[i]);
		member->boxed = true;
	} else {
		key->kind = over->kind;
		*member = *key;
	}
}

/* $k, $v := or = of one round. */
static void set_range_vars(struct run *r, const struct tmpl_node *pipe,
	struct go_value key, struct go_value member)
{
	const struct tmpl_names *names = &pipe->decls;

	if (names->len && pipe->assign) {
		set_var(r, names->at[0], names->len > 1 ? key : member);
		if (names->len > 1)
			set_var(r, names->at[1], member);
	} else if (names->len) {
		r->vars[r->nvars - 1].value = member;
		if (names->len > 1)
			r->vars[r->nvars - 2].value = key;
	}
}

/*
 * What the last round has made is given back, unless a variable from outside
 * of it may hold some of that.
 */
static void forget_round(struct run *r, struct frame *f)
{
	if (f->i && f->sets == r->sets)
		arena_rewind(r->cx->arena, f->mark);
	f->mark = arena_mark(r->cx->arena);
	f->sets = r->sets;
}

/* One more round of the range on top, or its end. */
static void step_range(struct run *r)
{
	struct frame *f = &r->frames[r->nframes - 1];
	const struct tmpl_node *n = f->at;
	struct go_value key, member;
	uint64_t len = 0;

	if (!charge(r, 1) || !range_length(r, &f->value, 0, &len))
		return;
	if (f->i == len) {
		pop_frame(r);
		return;
	}
	forget_round(r, f);
	range_member(r, &f->value, f->i++, &key, &member);
	set_range_vars(r, n->pipe, key, member);
	push_list(r, &n->body, member, r->nvars);
}

static void push_call(struct run *r, struct str name,
	const struct tmpl_list *list, struct go_value dot)
{
	struct frame *f = push_frame(r, FR_CALL);

	f->name = r->name;
	f->base = r->base;
	r->name = name;
	r->base = r->nvars;
	r->depth++;
	push_var(r, S("$"), dot);
	push_list(r, list, dot, r->nvars);
}

static void run_template(
	struct run *r, const struct go_value *dot, const struct tmpl_node *n)
{
	const struct tmpl_list *list = map_get(&r->set->defined, n->text);
	struct go_value v = no_value;

	r->at = n;
	if (!list) {
		struct buf b = {0};

		buf_adds(&b, "template ");
		quote_go(&b, n->text, false);
		buf_adds(&b, " not defined");
		fail_text(r, buf_str(&b));
		buf_release(&b);
		return;
	}
	if (r->depth > DEPTH_MAX) {
		fail(r, "exceeded maximum template depth (%d)", DEPTH_MAX);
		return;
	}
	if (n->pipe)
		v = eval_pipe(r, dot, n->pipe);
	if (!r->st)
		push_call(r, n->text, list, v);
}

static void run_node(
	struct run *r, const struct go_value *dot, const struct tmpl_node *n)
{
	switch (n->kind) {
	case TN_TEXT:
		buf_addstr(r->out, n->text);
		charge_output(r);
		break;
	case TN_ACTION:
		run_action(r, dot, n);
		break;
	case TN_IF:
	case TN_WITH:
		run_if_with(r, dot, n);
		break;
	case TN_RANGE:
		run_range(r, dot, n);
		break;
	case TN_TEMPLATE:
		run_template(r, dot, n);
		break;
	case TN_BREAK:
		pop_to_range(r);
		pop_frame(r);
		break;
	case TN_CONTINUE:
		pop_to_range(r);
		break;
	default: /* no action */
		break;
	}
}

static void step(struct run *r)
{
	struct frame *f = &r->frames[r->nframes - 1];
	const struct tmpl_node *n = f->at;
	struct go_value dot = f->value;

	if (f->kind == FR_RANGE) {
		step_range(r);
	} else if (!n) {
		pop_frame(r);
	} else if (charge(r, 1)) {
		f->at = n->next;
		run_node(r, &dot, n);
	}
}

enum bi_status tmpl_run(struct bi_ctx *cx, const struct tmpl_set *set,
	struct value vars, struct buf *out)
{
	struct run r = {.cx = cx, .set = set, .out = out};

	push_call(&r, S(TMPL_NAME), map_get(&set->defined, S(TMPL_NAME)),
		go_from_json(cx->arena, vars));
	while (r.nframes && !r.st)
		step(&r);
	arena_release(&r.stacks);
	return r.st;
}
