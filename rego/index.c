/*
 * index: choosing among many rules without trying each.
 *
 * A rule whose body demands `input.path == "/a"` need not be tried when
 * input.path is something else. Of all subjects (a ref below input or base
 * data, or an argument) that the rules of a group compare with constants, the
 * one that tells most rules apart is looked up once, in a hash table from
 * value to rules. Demands for a beginning (startswith, glob.match and anchored
 * regex.match with a literal start) are looked up by length.
 *
 * The body still holds the condition: the table only leaves out rules that
 * cannot succeed. Rules keep their order in the source.
 */
#include "rego/plan.h"
#include "rego/index.h"
#include "rego/passes.h"

#include <string.h>

enum { RULES_MIN = 4 };

struct cond {
	uint32_t rule, subject;
	bool prefix;
	struct value val;
};

struct subject {
	const struct term *ref; /* or */
	uint32_t arg;           /* an argument, when ref is NULL */
	uint32_t distinct, rules, last_rule;
};

struct finder {
	struct rego_engine *e;
	struct arena *arena;
	const struct group *g;
	struct map by_text; /* subject's text to number + 1 */
	struct subject *subjects;
	uint32_t nsubjects, cap_subjects;
	struct cond *conds;
	uint32_t nconds, cap_conds;
	/* Of the body in hand: what each variable stands for, or NULL. */
	const struct term **vars;
	uint32_t nvars;
};

/* What is found in the body of one rule. */
static struct finder body_finder(struct rego_engine *e, const struct rule *r)
{
	return (struct finder){.e = e,
		.arena = &e->arena,
		.vars = ARENA_ARRAY(
			&e->arena, const struct term *, r->nvars + 1u),
		.nvars = r->nvars};
}

/* The builtin that a call is; NULL: none, or one that some `with` replaces. */
static const struct builtin *called_builtin(
	const struct finder *f, const struct term *call)
{
	const struct builtin *bi =
		builtin_of_ref(passes_of(&f->e->comp), call->list.items[0]);

	return bi && !builtin_is_mocked(f->e, bi) ? bi : NULL;
}

/* --- subjects ---------------------------------------------------------------
 */

/* A ref with constant steps below input, or to base data without rules. */
static bool is_subject_ref(const struct finder *f, const struct term *t)
{
	const struct node *n = f->e->comp.root;
	bool input;

	if (t->kind != T_REF)
		return false;
	input = term_is_name(t->list.items[0], "input");
	if (!input && !term_is_name(t->list.items[0], "data"))
		return false;
	for (uint32_t i = 1; i < t->list.len; i++)
		if (t->list.items[i]->kind != T_SCALAR)
			return false;
	if (input)
		return true;
	for (uint32_t i = 1; i < t->list.len && n; i++) {
		n = node_child(n, t->list.items[i]->val);
		if (n && n->group)
			return false;
	}
	return !n;
}

static uint32_t subject_at(
	struct finder *f, struct str text, const struct term *ref, uint32_t arg)
{
	void *found = map_get(&f->by_text, text);
	uint32_t n;

	if (found)
		return (uint32_t)(uintptr_t)found - 1;
	f->subjects = arena_grow(f->arena, f->subjects, f->nsubjects,
		&f->cap_subjects, sizeof(*f->subjects));
	n = f->nsubjects++;
	f->subjects[n] = (struct subject){
		.ref = ref, .arg = arg, .last_rule = UINT32_MAX};
	map_set(&f->by_text, arena_str(f->arena, text),
		(void *)(uintptr_t)(n + 1));
	return n;
}

/* The subject a term stands for; false when it is none. */
static bool subject_of(
	struct finder *f, const struct term *t, uint32_t *subject)
{
	struct buf text = {0};

	if (t->kind == T_VAR && t->var.var && t->var.var->id < f->nvars &&
		f->vars[t->var.var->id])
		t = f->vars[t->var.var->id];
	if (t->kind == T_VAR && t->var.var && t->var.var->is_arg) {
		for (uint32_t i = 0; i < f->g->arity; i++) {
			if (f->vars[f->nvars + i] != t)
				continue;
			buf_addf(&text, "#%u", i);
			*subject = subject_at(f, buf_str(&text), NULL, i);
			buf_release(&text);
			return true;
		}
		return false;
	}
	if (!is_subject_ref(f, t))
		return false;
	term_text(&text, t);
	*subject = subject_at(f, buf_str(&text), t, 0);
	buf_release(&text);
	return true;
}

/* --- conditions
 * --------------------------------------------------------------- */

static void cond_add(struct finder *f, uint32_t rule, uint32_t subject,
	bool prefix, struct value v)
{
	f->conds = arena_grow(f->arena, f->conds, f->nconds, &f->cap_conds,
		sizeof(*f->conds));
	f->conds[f->nconds++] = (struct cond){
		.rule = rule, .subject = subject, .prefix = prefix, .val = v};
}

/* Literal start of a glob pattern. */
static size_t glob_literal(struct str p)
{
	size_t n = 0;

	while (n < p.len && !memchr("*?[]{}\\!", p.ptr[n], 8))
		n++;
	return n;
}

/* Literal text that every match of an anchored regex begins with. */
static size_t regex_literal(struct str p, char *lit, size_t room)
{
	size_t n = 0, i = 1;

	if (p.len == 0 || p.ptr[0] != '^' || memchr(p.ptr, '|', p.len))
		return 0;
	while (i < p.len && n < room) {
		char c = p.ptr[i];
		size_t w = 1;

		if (c == '\\' && i + 1 < p.len &&
			memchr(".-/_+*?()[]{}^$|", p.ptr[i + 1], 16)) {
			c = p.ptr[i + 1];
			w = 2;
		} else if (memchr(".+*?()[]{}^$|\\", c, 14)) {
			break;
		}
		if (i + w < p.len && memchr("*?{", p.ptr[i + w], 3))
			break; /* the character may be missing */
		lit[n++] = c;
		i += w;
	}
	return n;
}

static void prefix_cond(struct finder *f, uint32_t rule, const struct term *t,
	const char *lit, size_t n)
{
	uint32_t s;

	if (n > 0 && subject_of(f, t, &s))
		cond_add(f, rule, s, true, v_str(f->arena, str_make(lit, n)));
}

static bool is_text_const(const struct term *t)
{
	return t->kind == T_SCALAR && t->val.tag == V_STR;
}

/* x in {"a", "b"}: one condition a member. */
static void member_cond(struct finder *f, uint32_t rule, const struct term *x,
	const struct term *coll)
{
	uint32_t s;

	if ((coll->kind != T_ARRAY && coll->kind != T_SET) ||
		!subject_of(f, x, &s))
		return;
	for (uint32_t i = 0; i < coll->list.len; i++)
		if (coll->list.items[i]->kind != T_SCALAR)
			return;
	for (uint32_t i = 0; i < coll->list.len; i++)
		cond_add(f, rule, s, false, coll->list.items[i]->val);
}

static void call_cond(struct finder *f, uint32_t rule, const struct term *t)
{
	const struct builtin *bi = called_builtin(f, t);
	struct term **arg = t->list.items + 1;
	uint32_t n = t->list.len - 1, s;
	char lit[256];

	if (!bi || n < 2)
		return;
	if (!strcmp(bi->name, "equal") && n == 2) {
		if (arg[1]->kind == T_SCALAR && subject_of(f, arg[0], &s))
			cond_add(f, rule, s, false, arg[1]->val);
		else if (arg[0]->kind == T_SCALAR && subject_of(f, arg[1], &s))
			cond_add(f, rule, s, false, arg[0]->val);
	} else if (!strcmp(bi->name, "internal.member_2") && n == 2) {
		member_cond(f, rule, arg[0], arg[1]);
	} else if (!strcmp(bi->name, "startswith") && n == 2 &&
		   is_text_const(arg[1])) {
		prefix_cond(f, rule, arg[0], arg[1]->val.str->bytes,
			arg[1]->val.str->len);
	} else if (!strcmp(bi->name, "glob.match") && n == 3 &&
		   is_text_const(arg[0])) {
		prefix_cond(f, rule, arg[2], arg[0]->val.str->bytes,
			glob_literal(v_bytes(arg[0]->val)));
	} else if (!strcmp(bi->name, "regex.match") && n == 2 &&
		   is_text_const(arg[0])) {
		prefix_cond(f, rule, arg[1], lit,
			regex_literal(v_bytes(arg[0]->val), lit, sizeof(lit)));
	}
}

static void eq_cond(struct finder *f, uint32_t rule, const struct term *a,
	const struct term *b)
{
	uint32_t s;

	if (b->kind == T_SCALAR && subject_of(f, a, &s))
		cond_add(f, rule, s, false, b->val);
	else if (a->kind == T_VAR && a->var.var && a->var.var->id < f->nvars &&
		 !a->var.var->is_arg && !f->vars[a->var.var->id] &&
		 is_subject_ref(f, b))
		f->vars[a->var.var->id] = b;
}

static void rule_conds(struct finder *f, uint32_t number, const struct rule *r)
{
	f->nvars = r->nvars;
	f->vars = (const struct term **)arena_array(
		f->arena, r->nvars + f->g->arity + 1u, sizeof(*f->vars));
	for (uint32_t i = 0; i < r->head.nargs && i < f->g->arity; i++) {
		const struct term *arg = r->head.args[i];
		struct buf text = {0};

		f->vars[r->nvars + i] = arg;
		if (arg->kind != T_SCALAR)
			continue;
		buf_addf(&text, "#%u", i);
		cond_add(f, number, subject_at(f, buf_str(&text), NULL, i),
			false, arg->val);
		buf_release(&text);
	}
	for (uint32_t i = 0; i < r->body->len; i++) {
		const struct expr *x = r->body->items[i];

		if (x->kind != X_TERM || x->negated || x->nwiths ||
			x->term->kind != T_CALL)
			continue;
		if (is_eq_call(x->term)) {
			eq_cond(f, number, x->term->list.items[1],
				x->term->list.items[2]);
			eq_cond(f, number, x->term->list.items[2],
				x->term->list.items[1]);
		} else {
			call_cond(f, number, x->term);
		}
	}
}

/* --- demands
 * OPA's index leaves a rule out whole when the input does not have what a
 * statement needs, however late it stands. What stands before it then cannot
 * fail with an error, and two rules of which one is left out do not conflict.
 * ------------------------------------------------------------------------ */

/* Whether `t` has its value before the body: itself, or what it was made of. */
static bool is_known_before(const struct finder *f, const struct term *t)
{
	if (t->kind == T_VAR && t->var.var && t->var.var->is_arg)
		return true;
	if (t->kind == T_VAR && t->var.var && t->var.var->id < f->nvars)
		return f->vars[t->var.var->id] != NULL;
	return is_subject_ref(f, t);
}

static bool equal_demands(
	struct finder *f, const struct term *a, const struct term *b)
{
	if (!is_known_before(f, a))
		return false;
	if (b->kind == T_SCALAR)
		return true;
	if (a->kind != T_REF || b->kind != T_VAR || !b->var.var ||
		b->var.var->is_arg)
		return false;
	if (b->var.var->id < f->nvars && !f->vars[b->var.var->id])
		f->vars[b->var.var->id] = a;
	return true;
}

/* `=`, or `==` whose result is not asked for. */
static bool is_equality(const struct finder *f, const struct term *t)
{
	const struct builtin *bi;

	if (t->kind != T_CALL || t->list.len != 3)
		return false;
	if (is_eq_call(t))
		return true;
	bi = called_builtin(f, t);
	return bi && !strcmp(bi->name, "equal");
}

static bool expr_demands(struct finder *f, const struct expr *x)
{
	const struct term *t = x->term;

	if (x->kind != X_TERM || x->negated || x->nwiths)
		return false;
	if (is_equality(f, t))
		return equal_demands(f, t->list.items[1], t->list.items[2]) ||
		       equal_demands(f, t->list.items[2], t->list.items[1]);
	return is_subject_ref(f, t);
}

bool *index_demands(struct rego_engine *e, const struct rule *r)
{
	const struct body *b = r->body;
	struct finder f;
	bool *all, others = false, late = false;

	if (r->marks & R_PRINT || e->cfg.coverage || b->len < 2)
		return NULL;
	f = body_finder(e, r);
	all = ARENA_ARRAY(f.arena, bool, b->len);
	for (uint32_t i = 0; i < b->len; i++) {
		all[i] = expr_demands(&f, b->items[i]);
		late |= others && all[i];
		others |= !all[i];
	}
	return late ? all : NULL;
}

/* --- what OPA's index looks at
 * As seen in its coverage: statements that compare a ref, or an argument, with
 * constants. Variables that are another name for one of them count as it.
 * ------------------------------------------------------------------------ */

static const struct term *meaning(const struct finder *f, const struct term *t)
{
	for (uint32_t n = 0; n <= f->nvars && t->kind == T_VAR; n++) {
		const struct var *v = t->var.var;

		if (!v || v->is_arg || v->id >= f->nvars || !f->vars[v->id])
			break;
		t = f->vars[v->id];
	}
	return t;
}

static bool is_constant_step(const struct finder *f, const struct term *t)
{
	return meaning(f, t)->kind == T_SCALAR;
}

/* A ref, or an argument; the last `open` steps may be anything. */
static bool is_material(
	const struct finder *f, const struct term *t, uint32_t open)
{
	const struct term *head;
	struct term shorter;

	t = meaning(f, t);
	if (t->kind == T_VAR)
		return t->var.var && t->var.var->is_arg;
	if (t->kind != T_REF || t->list.len <= open)
		return false;
	head = meaning(f, t->list.items[0]);
	for (uint32_t i = 1; i < t->list.len - open; i++)
		if (!is_constant_step(f, t->list.items[i]))
			return false;
	if (head != t->list.items[0] || head->kind == T_REF)
		return is_material(f, head, 0);
	shorter = *t;
	while (shorter.list.len > 1 &&
		shorter.list.items[shorter.list.len - 1]->kind != T_SCALAR)
		shorter.list.len--;
	return is_subject_ref(f, &shorter);
}

/* An array of constants and of variables, which may be anything. */
static bool is_pattern(const struct term *t)
{
	if (t->kind != T_ARRAY)
		return false;
	for (uint32_t i = 0; i < t->list.len; i++) {
		const struct term *m = t->list.items[i];

		if (m->kind != T_SCALAR && m->kind != T_VAR)
			return false;
		for (uint32_t k = 0; m->kind == T_VAR && k < i; k++)
			if (t->list.items[k]->kind == T_VAR &&
				t->list.items[k]->var.var == m->var.var)
				return false;
	}
	return true;
}

static bool is_new_name(const struct finder *f, const struct term *t)
{
	return t->kind == T_VAR && t->var.var && !t->var.var->is_arg &&
	       t->var.var->id < f->nvars && !f->vars[t->var.var->id];
}

/* xs[i], also of `some 1 in xs` */
static bool is_any_member(const struct finder *f, const struct term *t)
{
	const struct term *last;

	if (t->kind != T_REF || t->list.len < 2)
		return false;
	last = t->list.items[t->list.len - 1];
	return is_new_name(f, last) && is_material(f, t, 1);
}

/* [1, 2], of anything without variables and calls; not empty. */
static bool is_constant_list(const struct term *t)
{
	return (t->kind == T_ARRAY || t->kind == T_SET ||
		       t->kind == T_OBJECT) &&
	       t->list.len > 0 && term_is_constant(t);
}

static bool equal_material(
	struct finder *f, const struct term *a, const struct term *b)
{
	bool constant = meaning(f, b)->kind == T_SCALAR;

	if (is_new_name(f, a) && is_constant_list(b)) {
		f->vars[a->var.var->id] = b;
		return true;
	}
	if (is_new_name(f, a) && (constant || is_material(f, b, 0) ||
					 meaning(f, b)->kind == T_REF)) {
		f->vars[a->var.var->id] = meaning(f, b);
		return constant || is_material(f, b, 0);
	}
	if (is_material(f, a, 0))
		return constant || is_pattern(b);
	return constant && is_any_member(f, meaning(f, a));
}

/* Whether each part of a pattern is a text or stands for all of one. */
static bool is_plain_glob(struct str pattern, char delimiter)
{
	bool star = false, text = false;

	for (size_t i = 0; i < pattern.len; i++) {
		char c = pattern.ptr[i];

		if (strchr("?[]{}\\!", c) && c)
			return false;
		star = c != delimiter && (star || c == '*');
		text = c != delimiter && (text || c != '*');
		if ((star && text) ||
			(c == '*' && i > 0 && pattern.ptr[i - 1] == '*'))
			return false;
	}
	return true;
}

static bool glob_material(struct finder *f, const struct term *const *arg)
{
	const struct term *by = arg[1];
	struct str one = S(".");

	if (!is_text_const(arg[0]) || by->kind != T_ARRAY || by->list.len > 1)
		return false;
	if (by->list.len && !is_text_const(by->list.items[0]))
		return false;
	if (by->list.len)
		one = v_bytes(by->list.items[0]->val);
	return one.len == 1 &&
	       is_plain_glob(v_bytes(arg[0]->val), one.ptr[0]) &&
	       is_material(f, arg[2], 0);
}

static bool is_affix_test(const char *builtin)
{
	return !strcmp(builtin, "startswith") || !strcmp(builtin, "endswith") ||
	       !strcmp(builtin, "strings.any_prefix_match") ||
	       !strcmp(builtin, "strings.any_suffix_match");
}

static bool call_material(struct finder *f, const struct term *call)
{
	const struct term *const *arg =
		(const struct term *const *)call->list.items + 1;
	const struct builtin *bi = called_builtin(f, call);
	uint32_t n = call->list.len - 1;

	if (!bi)
		return false;
	if (!strcmp(bi->name, "internal.member_2") && n == 2)
		return (is_material(f, arg[0], 0) &&
			       is_constant_list(meaning(f, arg[1]))) ||
		       (is_constant_step(f, arg[0]) &&
			       is_material(f, arg[1], 0));
	if (n == 2 && is_affix_test(bi->name))
		return is_material(f, arg[0], 0) &&
		       (is_text_const(meaning(f, arg[1])) ||
			       is_constant_list(meaning(f, arg[1])));
	return !strcmp(bi->name, "glob.match") && n == 3 &&
	       glob_material(f, arg);
}

static bool expr_material(struct finder *f, const struct expr *x)
{
	const struct term *t = x->term;

	if (x->kind != X_TERM || x->negated || x->nwiths)
		return false;
	if (is_equality(f, t))
		return equal_material(f, t->list.items[1], t->list.items[2]) ||
		       equal_material(f, t->list.items[2], t->list.items[1]);
	if (t->kind == T_CALL)
		return call_material(f, t);
	return t->kind == T_REF && is_material(f, t, 0);
}

struct body *index_material(struct rego_engine *e, const struct rule *r)
{
	struct finder f;
	struct body *out;

	if (r->marks & R_PRINT)
		return NULL;
	f = body_finder(e, r);
	out = ARENA_NEW(f.arena, struct body);
	for (uint32_t i = 0; i < r->body->len; i++)
		if (expr_material(&f, r->body->items[i]))
			body_add(f.arena, out, r->body->items[i]);
	return out->len ? out : NULL;
}

/* --- the table
 * ------------------------------------------------------------------ */

static void count_subjects(struct finder *f)
{
	for (uint32_t i = 0; i < f->nconds; i++) {
		struct subject *s = &f->subjects[f->conds[i].subject];

		if (s->last_rule != f->conds[i].rule)
			s->rules++;
		s->last_rule = f->conds[i].rule;
	}
	for (uint32_t k = 0; k < f->nsubjects; k++) {
		struct builder seen = builder_set(f->arena);

		if (f->subjects[k].rules * 2 < f->g->nrules)
			continue;
		for (uint32_t i = 0; i < f->nconds; i++)
			if (f->conds[i].subject == k)
				builder_add(&seen, f->conds[i].val);
		f->subjects[k].distinct = seen.len;
	}
}

static struct rule_list *list_at(struct finder *f, struct switch_table *t,
	struct builder *keys, struct value v)
{
	struct value old;

	builder_put(keys, v, v_int(t->nlists), &old);
	if (is_def(old))
		return &t->lists[old.i];
	t->lists = arena_grow(f->arena, t->lists, t->nlists, &t->cap_lists,
		sizeof(*t->lists));
	t->lists[t->nlists] = (struct rule_list){0};
	return &t->lists[t->nlists++];
}

static void list_add(struct finder *f, struct rule_list *l, uint32_t rule)
{
	if (l->len > 0 && l->rules[l->len - 1] == rule)
		return;
	if (l->len == l->cap) {
		uint32_t cap = l->cap ? l->cap * 2 : 2;
		uint32_t *more = ARENA_ARRAY(f->arena, uint32_t, cap);

		if (l->len)
			memcpy(more, l->rules, l->len * sizeof(*more));
		l->rules = more;
		l->cap = cap;
	}
	l->rules[l->len++] = rule;
}

static void note_length(struct finder *f, struct switch_table *t, uint32_t n)
{
	for (uint32_t i = 0; i < t->nlens; i++)
		if (t->lens[i] == n)
			return;
	t->lens = arena_grow(
		f->arena, t->lens, t->nlens, &t->cap_lens, sizeof(*t->lens));
	t->lens[t->nlens++] = n;
}

static struct switch_table *table_make(struct finder *f, uint32_t subject)
{
	struct switch_table *t = ARENA_NEW(f->arena, struct switch_table);
	bool *has = ARENA_ARRAY(f->arena, bool, f->g->nrules + 1);

	t->equal = builder_obj(f->arena);
	t->prefix = builder_obj(f->arena);
	t->npcs = f->g->nrules;
	t->pcs = ARENA_ARRAY(f->arena, uint32_t, t->npcs + 1);
	for (uint32_t i = 0; i < f->nconds; i++) {
		const struct cond *c = &f->conds[i];

		if (c->subject != subject)
			continue;
		/* Of several demands of one rule any will do: the first kind.
		 */
		if (has[c->rule] && i > 0 &&
			(f->conds[i - 1].rule != c->rule ||
				f->conds[i - 1].subject != subject ||
				f->conds[i - 1].prefix || c->prefix))
			continue;
		has[c->rule] = true;
		list_add(f,
			list_at(f, t, c->prefix ? &t->prefix : &t->equal,
				c->val),
			c->rule);
		if (c->prefix)
			note_length(f, t, c->val.str->len);
	}
	for (uint32_t r = 0; r < f->g->nrules; r++)
		if (!has[r])
			list_add(f, &t->always, r);
	return t;
}

struct switch_table *index_make(struct rego_engine *e, const struct group *g,
	const struct term **ref, uint32_t *arg)
{
	struct finder f = {.e = e, .arena = &e->arena, .g = g};
	struct switch_table *t = NULL;
	uint32_t best = 0;

	if (g->nrules < RULES_MIN)
		return NULL;
	for (uint32_t i = 0; i < g->nrules; i++)
		if (!g->rules[i]->els)
			rule_conds(&f, i, g->rules[i]);
	count_subjects(&f);
	for (uint32_t k = 1; k < f.nsubjects; k++)
		if (f.subjects[k].distinct > f.subjects[best].distinct)
			best = k;
	if (f.nsubjects && f.subjects[best].distinct >= RULES_MIN) {
		t = table_make(&f, best);
		*ref = f.subjects[best].ref;
		*arg = f.subjects[best].arg;
	}
	map_release(&f.by_text);
	return t;
}

/* --- looking up
 * --------------------------------------------------------------------- */

static void merge_list(
	struct arena *a, struct rule_list *into, const struct rule_list *l)
{
	uint32_t *m, n = 0, i = 0, j = 0;

	if (into->len == 0) {
		*into = *l;
		return;
	}
	m = arena_raw(a, ((size_t)into->len + l->len) * sizeof(*m) + 1);
	while (i < into->len || j < l->len) {
		bool left = j >= l->len ||
			    (i < into->len && into->rules[i] <= l->rules[j]);
		uint32_t r = left ? into->rules[i++] : l->rules[j++];

		if (n == 0 || m[n - 1] != r)
			m[n++] = r;
	}
	*into = (struct rule_list){.rules = m, .len = n};
}

struct rule_list switch_find(
	const struct switch_table *t, struct arena *a, struct value v)
{
	struct rule_list found = {0};
	int64_t at;

	if (is_def(v) && t->equal.len) {
		at = builder_find(&t->equal, v);
		if (at >= 0)
			merge_list(a, &found, &t->lists[t->equal.vals[at].i]);
	}
	for (uint32_t i = 0; v.tag == V_STR && i < t->nlens; i++) {
		struct str s = v_bytes(v);

		if (t->lens[i] > s.len)
			continue;
		at = builder_find(
			&t->prefix, v_str(a, str_slice(s, 0, t->lens[i])));
		if (at >= 0)
			merge_list(a, &found, &t->lists[t->prefix.vals[at].i]);
	}
	if (t->always.len)
		merge_list(a, &found, &t->always);
	return found;
}
