/*
 * Coverage: which exprs and rule heads the evaluations reached.
 *
 * Covered is what a VM has marked. Not covered is every other expr and rule
 * head of the modules whose piece of the source does not lie inside a covered
 * one; `some x` is no expr here. Source: OPA contract 7.7; that pieces have
 * columns, and one can hide in another, from OPA 1.22's reports.
 */
#include "rego/mark.h"
#include "rego/passes.h"

#include "base/map.h"

/* The pieces of one file. */
struct file {
	const struct source *src;
	const struct module *written; /* the passes have changed the other */
	struct rego_range *covered, *missed;
	uint32_t ncovered, nmissed, capcovered, capmissed;
	struct rego_range *more; /* reached by passes, which they name */
	uint32_t nmore, capmore;
};

struct cover {
	struct arena *a;
	const struct capabilities *caps; /* of the engine */
	struct file *files;
	size_t nfiles;
	struct map index; /* name to struct file */
	struct map leads; /* place to the term there whose text has a lead */
};

/* --- pieces --------------------------------------------------------------- */

/* A place as a key: of one file, and not as long as a source may be. */
static struct str place_key(const struct loc *loc)
{
	return (struct str){(const char *)loc, sizeof(*loc)};
}

/*
 * As in OPA a term in parentheses begins behind them, and ends as far from
 * there as its text with them is long.
 */
static struct rego_range range_of(const struct cover *c, struct loc loc)
{
	const struct term *t = map_get(&c->leads, place_key(&loc));
	struct str text = str_slice(loc.src->text, loc.off - (t ? t->lead : 0),
		(size_t)loc.off + loc.len);
	struct rego_range r = {0};

	source_pos(loc, &r.from, &r.from_col);
	r.to = r.from;
	r.to_col = r.from_col;
	for (size_t i = 0; i < text.len;) {
		uint32_t cp;

		i += utf8_decode(text.ptr + i, text.len - i, &cp);
		if (cp == '\n') {
			r.to++;
			r.to_col = 1;
		} else {
			r.to_col++;
		}
	}
	return r;
}

static int compare(const void *a, const void *b)
{
	const struct rego_range *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->from_col != y->from_col)
		return x->from_col < y->from_col ? -1 : 1;
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return (x->to_col > y->to_col) - (x->to_col < y->to_col);
}

static bool contains(const struct rego_range *x, const struct rego_range *y)
{
	bool starts = x->from < y->from ||
		      (x->from == y->from && x->from_col <= y->from_col);
	bool ends = x->to > y->to || (x->to == y->to && x->to_col >= y->to_col);

	return starts && ends;
}

static void add(struct arena *a, struct rego_range **list, uint32_t *n,
	uint32_t *cap, struct rego_range r)
{
	if (*n == *cap) {
		struct rego_range *old = *list;

		*cap = *cap ? 2 * *cap : 64;
		*list = ARENA_ARRAY(a, struct rego_range, *cap);
		if (*n)
			memcpy(*list, old, *n * sizeof(*old));
	}
	(*list)[(*n)++] = r;
}

/* Sorted and without doubles. */
static uint32_t settle(struct rego_range *list, uint32_t n)
{
	uint32_t kept = 0;

	if (n)
		qsort(list, n, sizeof(*list), compare);
	for (uint32_t i = 0; i < n; i++)
		if (!kept || compare(&list[kept - 1], &list[i]) != 0)
			list[kept++] = list[i];
	return kept;
}

/* --- what was reached
 * ---------------------------------------------------------- */

static struct file *file_of(struct cover *c, struct loc loc)
{
	if (!loc.src || !*loc.src->name)
		return NULL;
	return map_get(&c->index, str_from(loc.src->name));
}

/* What has reached a mark: bits of passes, and this one. */
enum { REACHED = 1 << 8 };

static unsigned reached_by(struct rego_vm *const *vms, size_t nvms, size_t mark)
{
	unsigned by = 0;

	for (size_t k = 0; k < nvms; k++)
		if (vm_marked(vms[k], mark))
			by |= vm_passes(vms[k]) ? vm_passes(vms[k]) : REACHED;
	return by;
}

static void add_marks(struct cover *c, const struct rego_engine *e,
	struct rego_vm *const *vms, size_t nvms)
{
	for (size_t i = 0; i < engine_marks(e); i++) {
		struct loc loc = engine_mark_loc(e, i);
		struct file *f = file_of(c, loc);
		unsigned by = f ? reached_by(vms, nvms, i) : 0;
		struct rego_range r;

		if (!by)
			continue;
		r = range_of(c, loc);
		if (by & REACHED) {
			add(c->a, &f->covered, &f->ncovered, &f->capcovered, r);
			continue;
		}
		r.passes = by;
		add(c->a, &f->more, &f->nmore, &f->capmore, r);
	}
	for (size_t i = 0; i < c->nfiles; i++)
		c->files[i].ncovered =
			settle(c->files[i].covered, c->files[i].ncovered);
}

/* --- what was not
 * -------------------------------------------------------------- */

static void walk_term(struct cover *c, const struct term *t);
static void walk_body(struct cover *c, const struct body *b);

static void miss(struct cover *c, struct loc loc)
{
	struct file *f = file_of(c, loc);

	if (!f)
		return;
	struct rego_range r = range_of(c, loc);

	/* Covered pieces are sorted: only those that begin before can hold it*/
	for (uint32_t i = 0; i < f->ncovered; i++) {
		if (contains(&f->covered[i], &r))
			return;
		if (f->covered[i].from > r.from)
			break;
	}
	add(c->a, &f->missed, &f->nmissed, &f->capmissed, r);
}

static void walk_expr(struct cover *c, const struct expr *x)
{
	struct body *inside[2];
	uint32_t n;

	if (x->kind != X_SOME)
		miss(c, x->loc);
	switch (x->kind) {
	case X_TERM:
		walk_term(c, x->term);
		break;
	case X_SOME:
		for (uint32_t i = 0; i < x->some.len; i++)
			walk_term(c, x->some.symbols[i]);
		break;
	case X_EVERY:
		walk_term(c, x->every.domain);
		break;
	default:
		break;
	}
	n = expr_bodies(x, inside);
	for (uint32_t i = 0; i < n; i++)
		walk_body(c, inside[i]);
	for (uint32_t i = 0; i < x->nwiths; i++)
		walk_term(c, x->withs[i].value);
}

static void walk_body(struct cover *c, const struct body *b)
{
	for (uint32_t i = 0; b && i < b->len; i++)
		walk_expr(c, b->items[i]);
}

static void walk_template(struct cover *c, const struct tmpl *t)
{
	for (uint32_t i = 0; i < t->len; i++)
		if (t->parts[i].expr)
			walk_expr(c, t->parts[i].expr);
}

static void walk_term(struct cover *c, const struct term *t)
{
	if (!t)
		return;
	switch (t->kind) {
	case T_REF:
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
	case T_CALL:
		for (uint32_t i = 0; i < t->list.len; i++)
			walk_term(c, t->list.items[i]);
		break;
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		walk_term(c, t->comp->key);
		walk_term(c, t->comp->head);
		walk_body(c, t->comp->body);
		break;
	case T_TEMPLATE:
		walk_template(c, t->tmpl);
		break;
	case T_BODY:
		walk_body(c, t->body);
		break;
	default:
		break;
	}
}

static void walk_rule(struct cover *c, const struct rule *r)
{
	for (; r; r = r->els) {
		miss(c, r->head.loc);
		for (uint32_t i = 0; i < r->head.nargs; i++)
			walk_term(c, r->head.args[i]);
		walk_term(c, r->head.key);
		walk_term(c, r->head.value);
		walk_body(c, r->body);
	}
}

/* --- what was written
 * ------------------------------------------------------------ */

static bool note_lead(struct visit *v, struct term *t)
{
	struct cover *c = v->ctx;

	if (t->lead)
		map_set(&c->leads, place_key(&t->loc), t);
	return false;
}

static void read_module(struct cover *c, struct file *f, const struct module *m)
{
	struct symtab syms = {.arena = c->a};
	struct diags d = {.arena = c->a};
	struct parse_options o = {.version = m->version,
		.caps = c->caps,
		.skip_annotations = true};
	struct visit v = {.term = note_lead, .ctx = c};

	f->src = m->src;
	f->written = m = parse_module(c->a, &syms, m->src, &o, &d);
	symtab_release(&syms);
	for (uint32_t i = 0; m && i < m->nrules; i++)
		for (struct rule *r = m->rules[i]; r; r = r->els) {
			if (r->head.ref)
				visit_term(&v, r->head.ref);
			visit_head(&v, &r->head);
			visit_body(&v, r->body);
		}
}

/* --- the report
 * ------------------------------------------------------------------ */

static uint32_t rows(const struct rego_range *list, uint32_t n)
{
	uint32_t count = 0, last = 0;

	/* Sorted by where they begin, so rows up to `last` are counted. */
	for (uint32_t i = 0; i < n; i++) {
		uint32_t from = list[i].from > last ? list[i].from : last + 1;

		if (list[i].to < from)
			continue;
		count += list[i].to - from + 1;
		last = list[i].to;
	}
	return count;
}

static int by_name(const void *a, const void *b)
{
	const struct rego_coverage_file *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void name_passes(struct file *f)
{
	for (uint32_t i = 0; i < f->nmissed; i++)
		for (uint32_t k = 0; k < f->nmore; k++)
			if (contains(&f->more[k], &f->missed[i]))
				f->missed[i].passes |= f->more[k].passes;
}

static struct rego_coverage_file *report(struct cover *c)
{
	struct rego_coverage_file *out =
		ARENA_ARRAY(c->a, struct rego_coverage_file, c->nfiles);

	for (size_t i = 0; i < c->nfiles; i++) {
		struct file *f = &c->files[i];

		f->nmissed = settle(f->missed, f->nmissed);
		name_passes(f);
		out[i] = (struct rego_coverage_file){
			.name = f->src->name,
			.covered = f->covered,
			.not_covered = f->missed,
			.ncovered = f->ncovered,
			.nnot_covered = f->nmissed,
			.lines_covered = rows(f->covered, f->ncovered),
			.lines_not_covered = rows(f->missed, f->nmissed),
		};
	}
	qsort(out, c->nfiles, sizeof(*out), by_name);
	return out;
}

struct rego_coverage_file *rego_coverage(struct arena *a, struct rego_engine *e,
	struct rego_vm *const *vms, size_t nvms, size_t *nfiles)
{
	struct cover c = {.a = a,
		.caps = engine_capabilities(e),
		.nfiles = rego_module_count(e)};

	c.files = ARENA_ARRAY(a, struct file, c.nfiles);
	for (size_t i = 0; i < c.nfiles; i++) {
		read_module(&c, &c.files[i], rego_module_at(e, i));
		map_set(&c.index, str_from(c.files[i].src->name), &c.files[i]);
	}
	add_marks(&c, e, vms, nvms);
	for (size_t i = 0; i < c.nfiles; i++)
		for (uint32_t k = 0;
			c.files[i].written && k < c.files[i].written->nrules;
			k++)
			walk_rule(&c, c.files[i].written->rules[k]);
	map_release(&c.index);
	map_release(&c.leads);
	*nfiles = c.nfiles;
	return report(&c);
}
