#include "rego/runner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "rego/program.h"
#include "rego/rx.h"

struct test {
	struct value *path; /* below data */
	uint32_t npath;
	struct rego_query *query; /* NULL: it can't be one */
	struct test_result result;
};

struct worker {
	struct runner *r;
	pthread_t thread;
	struct rego_vm *vm;
	struct arena arena; /* what results point to */
	struct buf output;
};

struct runner {
	struct rego_engine *e;
	struct runner_options o;
	struct arena arena;
	struct test *tests;
	size_t ntests, captests;
	bool prepared;
	struct worker *workers;
	struct rego_vm **vms;
	unsigned nworkers;
	atomic_size_t next;
};

/* --- names ------------------------------------------------------------------
 */

/* The name in a step of a head; empty for all that is none. */
static struct str step_name(const struct term *t)
{
	if (t->kind == T_VAR)
		return str_make(t->var.name->bytes, t->var.name->len);
	if (t->kind == T_SCALAR && t->val.tag == V_STR)
		return v_bytes(t->val);
	return (struct str){0};
}

static bool is_todo(struct str name)
{
	return str_starts(name, S("todo_test_"));
}

static bool is_test(struct str name)
{
	return str_starts(name, S("test_")) || is_todo(name);
}

static bool is_ground(const struct term *t)
{
	if (t->kind == T_SCALAR)
		return true;
	if (t->kind != T_ARRAY && t->kind != T_SET && t->kind != T_OBJECT)
		return false;
	for (uint32_t i = 0; i < t->list.len; i++)
		if (!is_ground(t->list.items[i]))
			return false;
	return true;
}

/* Steps of the head before the first with a variable; the first is a name. */
static uint32_t ground_steps(const struct term *ref)
{
	uint32_t n = 1;

	while (n < ref->list.len && is_ground(ref->list.items[n]))
		n++;
	return n;
}

/* Steps up to and with the one that makes the rule a test; 0: it is none. */
static uint32_t test_steps(const struct rule *rule)
{
	const struct term *ref = rule->head.ref;
	uint32_t n = ground_steps(ref);

	for (uint32_t i = 0; i < n; i++)
		if (is_test(step_name(ref->list.items[i])))
			return i + 1;
	return 0;
}

/* The text of the first `n` steps; the package in front where there is one. */
static char *ref_name(struct arena *a, const struct term *package,
	const struct term *ref, uint32_t n)
{
	uint32_t before = package ? package->list.len : 0;
	struct term full = {.kind = T_REF};
	struct buf text = {0};

	full.list.len = before + n;
	full.list.items = ARENA_ARRAY(a, struct term *, full.list.len);
	for (uint32_t i = 0; i < before; i++)
		full.list.items[i] = package->list.items[i];
	for (uint32_t i = 0; i < n; i++) {
		struct term *t = ref->list.items[i];

		if (before && i == 0 && t->kind == T_VAR) {
			struct term *s = ARENA_NEW(a, struct term);

			*s = *t;
			s->kind = T_SCALAR;
			s->val = v_str(a, step_name(t));
			t = s;
		}
		full.list.items[before + i] = t;
	}
	term_text(&text, &full);
	char *s = arena_strdup(a, buf_str(&text));

	buf_release(&text);
	return s;
}

/* --- finding tests
 * --------------------------------------------------------------- */

/* The rule becomes NAME#01, ... before it is compiled. */
static void rename_test(
	struct rego_engine *e, struct rule *rule, uint32_t steps, uintptr_t n)
{
	struct arena *a = rego_arena(e);
	struct term *old = rule->head.ref->list.items[steps - 1];
	struct term *t = ARENA_NEW(a, struct term);
	struct str name = step_name(old);
	const char *text =
		arena_printf(a, "%.*s#%02u", STR_ARG(name), (unsigned)n);
	struct value v = sym_intern(rego_symtab(e), text, strlen(text));

	*t = *old;
	if (t->kind == T_VAR)
		t->var.name = v.str;
	else
		t->val = v;
	rule->head.ref->list.items[steps - 1] = t;
}

/* A name that was there before gets a number. todo_test_ ones may repeat. */
static void number_test(struct runner *r, struct map *seen,
	const struct module *m, struct rule *rule, uint32_t steps)
{
	const struct term *ref = rule->head.ref;

	if (is_todo(step_name(ref->list.items[steps - 1])))
		return;
	const char *name = ref_name(&r->arena, m->package, ref, steps);
	void **count = map_at(seen, str_from(name));
	uintptr_t n = (uintptr_t)*count;

	if (n > 0)
		rename_test(r->e, rule, steps, n);
	*count = (void *)(n + 1);
}

static struct test *new_test(struct runner *r)
{
	if (r->ntests == r->captests) {
		struct test *old = r->tests;

		r->captests = r->captests ? 2 * r->captests : 64;
		r->tests = ARENA_ARRAY(&r->arena, struct test, r->captests);
		if (r->ntests)
			memcpy(r->tests, old, r->ntests * sizeof(*old));
	}
	return &r->tests[r->ntests++];
}

static void set_path(struct runner *r, struct test *t, const struct module *m,
	const struct term *ref, uint32_t steps)
{
	uint32_t before = m->package->list.len - 1;

	t->npath = before + steps;
	t->path = ARENA_ARRAY(&r->arena, struct value, t->npath);
	for (uint32_t i = 0; i < before; i++)
		t->path[i] = m->package->list.items[i + 1]->val;
	for (uint32_t i = 0; i < steps; i++) {
		const struct term *s = ref->list.items[i];

		t->path[before + i] = s->kind == T_SCALAR
					      ? s->val
					      : v_str(&r->arena, step_name(s));
	}
}

static void add_test(struct runner *r, const struct module *m,
	struct rule *rule, uint32_t steps, struct rx *rx)
{
	const struct term *ref = rule->head.ref;
	const char *full = ref_name(&r->arena, m->package, ref, steps);

	if (rx && !rx_test(rx, str_from(full)))
		return;
	struct test *t = new_test(r);

	set_path(r, t, m, ref, steps);
	t->result = (struct test_result){
		.rule = rule,
		.file = m->src->name,
		.package = ref_name(
			&r->arena, NULL, m->package, m->package->list.len),
		.name = ref_name(&r->arena, NULL, ref, steps),
		.skip = is_todo(step_name(ref->list.items[steps - 1])),
		.is_table =
			!rule->head.key && ground_steps(ref) < ref->list.len,
	};
	source_pos(rule->loc, &t->result.row, &t->result.col);
}

static int by_file(const void *a, const void *b)
{
	const struct module *const *x = a, *const *y = b;

	return strcmp((*x)->src->name, (*y)->src->name);
}

static void find_tests(struct runner *r, struct rx *rx)
{
	uint32_t n = r->e->comp.nmods;
	struct module **mods = ARENA_ARRAY(&r->arena, struct module *, n);
	struct map seen = {0};

	if (n)
		memcpy(mods, r->e->comp.mods, n * sizeof(struct module *));
	qsort(mods, n, sizeof(struct module *), by_file);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < mods[i]->nrules; k++) {
			struct rule *rule = mods[i]->rules[k];
			uint32_t steps = test_steps(rule);

			if (!steps)
				continue;
			number_test(r, &seen, mods[i], rule, steps);
			add_test(r, mods[i], rule, steps, rx);
		}
	map_release(&seen);
}

struct runner *runner_new(
	struct rego_engine *e, const struct runner_options *o, struct err *err)
{
	struct rx *rx = NULL;

	if (o->run && *o->run) {
		rx = rx_new(str_from(o->run), err);
		if (!rx)
			return NULL;
	}
	struct runner *r = calloc(1, sizeof(*r));

	if (!r)
		die("out of memory");
	r->e = e;
	r->o = *o;
	find_tests(r, rx);
	if (rx)
		rx_free(rx);
	return r;
}

/* --- what failed ------------------------------------------------------------
 */

static struct str value_string(struct arena *a, struct value v)
{
	struct buf text = {0};

	if (!is_def(v))
		return (struct str){0};
	value_text(&text, v);
	struct str s = arena_str(a, buf_str(&text));

	buf_release(&text);
	return s;
}

/* The text of `loc`, behind what indents it: tabs stay, all else is blank. */
static struct str padded_text(struct arena *a, struct loc loc)
{
	struct str all = loc.src->text;
	size_t start = loc.off;
	struct buf line = {0};

	while (start > 0 && all.ptr[start - 1] != '\n')
		start--;
	while (start < loc.off) {
		uint32_t cp;

		start += utf8_decode(all.ptr + start, loc.off - start, &cp);
		buf_addc(&line, cp == '\t' ? '\t' : ' ');
	}
	buf_addstr(&line, str_slice(all, loc.off, (size_t)loc.off + loc.len));
	struct str s = arena_str(a, buf_str(&line));

	buf_release(&line);
	return s;
}

/* The column of a side that is no constant and stands on the same row. */
static uint32_t side_column(const struct expr *x, uint32_t i, uint32_t row)
{
	uint32_t side_row, col;

	if (x->kind != X_TERM || x->term->kind != T_CALL ||
		x->term->list.len <= i)
		return 0;
	const struct term *t = x->term->list.items[i];

	if (t->kind == T_SCALAR || !t->loc.src)
		return 0;
	source_pos(t->loc, &side_row, &col);
	return side_row == row ? col : 0;
}

static void note_failure(struct arena *a, struct test_failure *t,
	const struct rego_failed *failed)
{
	const struct expr *x = failed->expr;
	uint32_t col;

	while (x && x->from)
		x = x->from;
	if (!x || !x->loc.src)
		return;
	source_pos(x->loc, &t->row, &col);
	t->file = x->loc.src->name;
	t->text = str_slice(
		x->loc.src->text, x->loc.off, (size_t)x->loc.off + x->loc.len);
	t->line = padded_text(a, x->loc);
	t->left = value_string(a, failed->left);
	t->right = value_string(a, failed->right);
	t->left_col = side_column(x, 1, t->row);
	t->right_col = side_column(x, 2, t->row);
}

/* --- tables
 * ------------------------------------------------------------------------- */

/* A key as OPA names the case: a string as it is, all else as JSON. */
static const char *case_name(struct arena *a, struct value key)
{
	struct buf text = {0};

	if (key.tag == V_STR)
		return arena_strdup(a, v_bytes(key));
	value_json(&text, key, 0, JSON_HTML);
	const char *s = arena_strdup(a, buf_str(&text));

	buf_release(&text);
	return s;
}

static struct test_case *find_case(
	const struct test_case *in, const char *name, uint32_t *at)
{
	uint32_t lo = 0, hi = in->ncases;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int c = strcmp(in->cases[mid].name, name);

		if (c == 0)
			return &in->cases[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*at = lo;
	return NULL;
}

static struct test_case *insert_case(
	struct arena *a, struct test_case *in, const char *name, uint32_t at)
{
	if (in->ncases == in->cap) {
		struct test_case *old = in->cases;

		in->cap = in->cap ? 2 * in->cap : 8;
		in->cases = ARENA_ARRAY(a, struct test_case, in->cap);
		if (in->ncases)
			memcpy(in->cases, old, in->ncases * sizeof(*old));
	}
	memmove(&in->cases[at + 1], &in->cases[at],
		(in->ncases - at) * sizeof(*in->cases));
	in->ncases++;
	in->cases[at] = (struct test_case){.name = name};
	return &in->cases[at];
}

/* Cases that came to an end: true passes, objects are tables below. */
static void add_values(struct arena *a, struct test_case *in, struct value v)
{
	for (uint32_t i = 0; v.tag == V_OBJ && i < v.obj->len; i++) {
		const char *name = case_name(a, v.obj->keys->items[i]);
		struct value x = v.obj->vals[i];
		uint32_t at;
		struct test_case *c = find_case(in, name, &at);

		if (!c)
			c = insert_case(a, in, name, at);
		c->unnamed = x.tag == V_NULL;
		if (c->unnamed)
			continue;
		if (x.tag == V_OBJ)
			add_values(a, c, x);
		else
			c->fail |= x.tag != V_TRUE;
		in->fail |= c->fail;
	}
}

/* A case that began. It fails unless its end is known already. */
static bool add_started(struct arena *a, struct test_case *in,
	const struct rego_case *began, uint32_t depth)
{
	const char *name = case_name(a, began->keys[depth]);
	bool last = depth + 1 == began->nkeys;
	uint32_t at;
	struct test_case *c = find_case(in, name, &at);

	if (!c) {
		c = insert_case(a, in, name, at);
		c->fail = c->unfinished = true;
	}
	if (last && c->unfinished && !c->why.file)
		note_failure(a, &c->why, &began->failed);
	if (!last && add_started(a, c, began, depth + 1))
		c->fail = true;
	in->fail |= c->fail;
	in->unfinished |= c->unfinished;
	return c->fail;
}

static void judge_table(struct arena *a, struct test_result *t,
	const struct rego_result *res, struct value v)
{
	add_values(a, &t->table, v);
	for (uint32_t i = 0; i < res->ncases; i++)
		if (res->cases[i].nkeys)
			add_started(a, &t->table, &res->cases[i], 0);
	t->fail = v.tag == V_NULL || t->table.fail;
}

/* Of the first case that has one; NULL: none. */
static const struct test_failure *failure_in(const struct test_case *in)
{
	const struct test_failure *found = in->why.file ? &in->why : NULL;

	for (uint32_t i = 0; !found && i < in->ncases; i++)
		found = failure_in(&in->cases[i]);
	return found;
}

static void first_failure(
	struct arena *a, struct test_result *t, const struct rego_result *res)
{
	const struct test_failure *found = failure_in(&t->table);

	if (found)
		t->why = *found;
	else
		note_failure(a, &t->why, &res->failed);
}

/* --- running
 * ----------------------------------------------------------------------------
 */

static void keep_line(void *user, struct loc where, struct str text)
{
	struct buf *out = user;

	(void)where;
	buf_addstr(out, text);
	buf_addc(out, '\n');
}

static const char *copy_text(struct arena *a, const char *text)
{
	return text ? arena_strdup(a, str_from(text)) : NULL;
}

static struct rego_error copy_error(struct arena *a, const struct rego_error *e)
{
	struct rego_error c = *e;
	struct rego_frame *frames =
		ARENA_ARRAY(a, struct rego_frame, e->nframes);

	c.code = arena_strdup(a, str_from(e->code));
	c.message = arena_strdup(a, str_from(e->message));
	c.file = copy_text(a, e->file);
	c.text = arena_str(a, e->text);
	c.why = copy_text(a, e->why);
	c.why_json = copy_text(a, e->why_json);
	for (uint32_t i = 0; i < e->nframes; i++) {
		frames[i] = e->frames[i];
		frames[i].file = copy_text(a, e->frames[i].file);
		frames[i].text = arena_str(a, e->frames[i].text);
	}
	c.frames = frames;
	return c;
}

static void judge(
	struct worker *w, struct test_result *t, const struct rego_result *res)
{
	struct value v = v_undef;

	if (res->error.code) {
		t->error = copy_error(&w->arena, &res->error);
		return;
	}
	if (res->nrows && res->rows[0].nexprs)
		v = res->rows[0].exprs[0];
	if (!is_def(v))
		t->fail = true;
	else if (t->is_table)
		judge_table(&w->arena, t, res, v);
	else
		t->fail = v.tag != V_TRUE;
	/* A value that is not true says what is wrong by itself. */
	if (t->fail && (!is_def(v) || t->table.unfinished))
		first_failure(&w->arena, t, res);
}

/* What the earlier run of the same test left behind. */
static void clear(struct test_result *t)
{
	*t = (struct test_result){
		.rule = t->rule,
		.file = t->file,
		.row = t->row,
		.col = t->col,
		.package = t->package,
		.name = t->name,
		.skip = t->skip,
		.is_table = t->is_table,
	};
}

static void run_test(struct worker *w, struct test *t)
{
	const struct runner_options *o = &w->r->o;
	struct rego_result res = {0};
	struct rego_input in = {.now_ns = o->now_ns,
		.max_steps = o->max_steps,
		.max_memory = o->max_memory,
		.print = keep_line,
		.user = &w->output};
	int64_t start = clock_mono(&clock_system);

	if (o->timeout_ns > 0)
		in.deadline_ns = start + o->timeout_ns;
	buf_reset(&w->output);
	rego_eval(w->vm, t->query, &in, &res);
	t->result.duration_ns = clock_mono(&clock_system) - start;
	t->result.steps = res.steps;
	t->result.memory = res.memory;
	t->result.output = arena_str(&w->arena, buf_str(&w->output));
	judge(w, &t->result, &res);
}

static void *work(void *user)
{
	struct worker *w = user;
	struct runner *r = w->r;

	for (;;) {
		size_t i = atomic_fetch_add(&r->next, 1);

		if (i >= r->ntests)
			return NULL;
		if (r->tests[i].query)
			run_test(w, &r->tests[i]);
	}
}

/* A function is no document: asking for it is an error of its own. */
static void refuse_function(struct runner *r, struct test *t)
{
	struct diags d = {0};
	const char *ref = arena_printf(
		&r->arena, "%s.%s", t->result.package, t->result.name);

	t->result.compile_error = true;
	if (rego_prepare(r->e, str_from(ref), NULL, NULL, 0, &d) || !d.len) {
		t->result.error = (struct rego_error){
			.code = "rego_type_error",
			.message = arena_printf(&r->arena,
				"function %s used as reference, not called",
				ref),
			.file = "",
			.row = 1,
			.col = 1,
		};
		return;
	}
	t->result.error = (struct rego_error){
		.code = d.items[0].code,
		.message = d.items[0].message,
		.file = d.items[0].file,
		.row = d.items[0].row,
		.col = d.items[0].col,
		.why = d.items[0].why,
		.why_json = d.items[0].why_json,
	};
}

static void prepare_tests(struct runner *r)
{
	/* Tables of lines are made here, before threads ask for places. */
	for (size_t i = 0; i < rego_module_count(r->e); i++) {
		struct loc loc = rego_module_at(r->e, i)->loc;
		uint32_t row, col;

		source_pos(loc, &row, &col);
	}
	for (size_t i = 0; i < r->ntests; i++) {
		struct test *t = &r->tests[i];

		if (!t->result.skip && !t->result.rule->head.is_func)
			t->query = rego_prepare_ref(r->e, t->path, t->npath);
	}
	r->prepared = true;
}

static unsigned wanted_threads(const struct runner *r)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = r->o.threads;

	if (!n)
		n = cores > 0 ? (unsigned)cores : 1;
	if (n > r->ntests)
		n = (unsigned)r->ntests;
	return n ? n : 1;
}

static void hire(struct runner *r)
{
	r->nworkers = wanted_threads(r);
	r->workers = calloc(r->nworkers, sizeof(*r->workers));
	r->vms = calloc(r->nworkers, sizeof(struct rego_vm *));
	if (!r->workers || !r->vms)
		die("out of memory");
	for (unsigned i = 0; i < r->nworkers; i++) {
		r->workers[i].r = r;
		r->workers[i].vm = r->vms[i] = rego_vm_new(r->e);
		rego_vm_pass(r->vms[i], r->o.pass);
	}
}

void runner_run(struct runner *r)
{
	unsigned started = 0;

	if (!r->prepared)
		prepare_tests(r);
	if (!r->workers)
		hire(r);
	for (unsigned i = 0; i < r->nworkers; i++)
		arena_reset(&r->workers[i].arena);
	for (size_t i = 0; i < r->ntests; i++) {
		clear(&r->tests[i].result);
		if (!r->tests[i].query && !r->tests[i].result.skip)
			refuse_function(r, &r->tests[i]);
	}
	atomic_store(&r->next, 0);
	/* This thread is the first worker; too few others are no error. */
	while (started + 1 < r->nworkers &&
		!pthread_create(&r->workers[started + 1].thread, NULL, work,
			&r->workers[started + 1]))
		started++;
	work(&r->workers[0]);
	for (unsigned i = 1; i <= started; i++)
		pthread_join(r->workers[i].thread, NULL);
}

/* A limit is met wherever it is met. */
static bool can_have_frames(const struct test_result *t)
{
	return t->error.code && !t->compile_error &&
	       strcmp(t->error.code, "eval_cancel_error") != 0;
}

bool runner_has_errors(const struct runner *r)
{
	for (size_t i = 0; i < r->ntests; i++)
		if (can_have_frames(&r->tests[i].result))
			return true;
	return false;
}

static bool same_error(const struct rego_error *a, const struct rego_error *b)
{
	return b->code && !strcmp(a->code, b->code) &&
	       !strcmp(a->message, b->message) && a->row == b->row &&
	       a->col == b->col;
}

void runner_add_frames(struct runner *r, struct runner *again)
{
	if (!again->prepared)
		prepare_tests(again);
	if (!again->workers)
		hire(again);
	for (size_t i = 0; i < r->ntests && i < again->ntests; i++) {
		struct test_result *t = &r->tests[i].result;
		struct test *same = &again->tests[i];

		if (!can_have_frames(t) || !same->query)
			continue;
		clear(&same->result);
		run_test(&again->workers[0], same);
		if (same_error(&t->error, &same->result.error))
			t->error = copy_error(
				&r->workers[0].arena, &same->result.error);
	}
}

void runner_free(struct runner *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->nworkers; i++) {
		rego_vm_free(r->workers[i].vm);
		arena_release(&r->workers[i].arena);
		buf_release(&r->workers[i].output);
	}
	free(r->workers);
	free(r->vms);
	arena_release(&r->arena);
	free(r);
}

size_t runner_count(const struct runner *r)
{
	return r->ntests;
}

const struct test_result *runner_result(const struct runner *r, size_t i)
{
	return &r->tests[i].result;
}

struct rego_vm *const *runner_vms(const struct runner *r, size_t *n)
{
	*n = r->nworkers;
	return r->vms;
}
