#include "rego/ast.h"

#include <stdarg.h>
#include <string.h>

/* --- places --------------------------------------------------------- */

/* The start of the line that holds `off`, and its number from 1. */
static uint32_t line_start(
	const struct source *src, uint32_t off, uint32_t *row)
{
	uint32_t lo = 0, hi = src->nlines;

	if (src->lines) {
		while (hi - lo > 1) {
			uint32_t mid = lo + (hi - lo) / 2;

			if (src->lines[mid] <= off)
				lo = mid;
			else
				hi = mid;
		}
		*row = lo + 1;
		return src->lines[lo];
	}
	*row = 1;
	for (uint32_t i = 0; i < off; i++)
		if (src->text.ptr[i] == '\n') {
			++*row;
			lo = i + 1;
		}
	return lo;
}

/*
 * As in OPA a line end is column 0 of the line after it, and the end of a
 * source is where its last character is.
 */
void source_pos(struct loc loc, uint32_t *row, uint32_t *col)
{
	*row = *col = 0;
	if (!loc.src)
		return;
	uint32_t len = (uint32_t)loc.src->text.len;
	uint32_t off = loc.off < len ? loc.off : len;
	uint32_t start = line_start(loc.src, off, row);

	if (off < len && loc.src->text.ptr[off] == '\n') {
		++*row;
		return;
	}
	*col = (uint32_t)utf8_count(loc.src->text.ptr + start, off - start);
	if (off < len)
		++*col;
}

/* --- errors --------------------------------------------------------- */

void diag_add(
	struct diags *d, const char *code, struct loc loc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *text = arena_vprintf(d->arena, fmt, ap);

	va_end(ap);
	d->items = arena_grow(
		d->arena, d->items, d->len, &d->cap, sizeof(*d->items));
	struct diag *item = &d->items[d->len++];

	*item = (struct diag){.code = code, .message = text};
	if (loc.src) {
		item->file = loc.src->name;
		source_pos(loc, &item->row, &item->col);
	}
}

void diag_line(struct buf *out, const struct diag *d)
{
	if (d->code && d->file && *d->file)
		buf_addf(out, "%s:%u: ", d->file, d->row);
	else if (d->code && d->file)
		buf_addf(out, "%u:%u: ", d->row, d->col);
	if (d->code)
		buf_addf(out, "%s: ", d->code);
	buf_adds(out, d->message);
}

/* The line of a parse error without its leading tabs, and a mark below. */
static void details_text(struct buf *out, const struct diag *d)
{
	size_t tabs = strspn(d->line, "\t");
	int indent = d->idx - (int)tabs;

	buf_adds(out, "\n\t");
	buf_add(out, d->line + tabs, d->line_len - tabs);
	buf_addf(out, "\n\t%*s^", indent > 0 ? indent : 0, "");
}

void diag_text(struct buf *out, const struct diag *d)
{
	diag_line(out, d);
	if (!d->code)
		return;
	if (d->line)
		details_text(out, d);
	if (d->why)
		buf_adds(out, d->why);
}

void diags_text(struct buf *out, const struct diags *d, const char *what)
{
	if (d->len == 1)
		buf_addf(out, "1 error occurred%s: ", what);
	else
		buf_addf(out, "%u errors occurred%s:\n", d->len, what);
	for (uint32_t i = 0; i < d->len; i++) {
		if (i)
			buf_addc(out, '\n');
		diag_text(out, &d->items[i]);
	}
}

/* --- bodies --------------------------------------------------------- */

void body_add(struct arena *a, struct body *b, struct expr *x)
{
	if (b->len == b->cap) {
		uint32_t cap = b->cap ? b->cap * 2 : 2;
		struct expr **more = arena_raw(a, cap * sizeof(struct expr *));

		if (b->len)
			memcpy(more, b->items, b->len * sizeof(struct expr *));
		b->items = more;
		b->cap = cap;
	}
	b->items[b->len++] = x;
}

/* --- names ---------------------------------------------------------- */

bool term_is_name(const struct term *t, const char *name)
{
	return t->kind == T_VAR && !t->var.var &&
	       !strcmp(t->var.name->bytes, name);
}

bool term_calls(const struct term *t, const char *name)
{
	const struct term *op;

	if (t->kind != T_CALL)
		return false;
	op = t->list.items[0];
	if (op->kind == T_REF && op->list.len == 1)
		op = op->list.items[0];
	return term_is_name(op, name);
}

/* --- terms ---------------------------------------------------------- */

/* clang-format off */
static const struct {
	const char *name;
	uint8_t order; /* among terms of other kinds; scalars first */
} kinds[] = {
	[T_SCALAR]      = {NULL,                  0},
	[T_TEMPLATE]    = {"templatestring",      1},
	[T_VAR]         = {"var",                 2},
	[T_REF]         = {"ref",                 3},
	[T_ARRAY]       = {"array",               4},
	[T_OBJECT]      = {"object",              5},
	[T_SET]         = {"set",                 6},
	[T_ARRAY_COMP]  = {"arraycomprehension",  7},
	[T_OBJECT_COMP] = {"objectcomprehension", 8},
	[T_SET_COMP]    = {"setcomprehension",    9},
	[T_CALL]        = {"call",               10},
	[T_BODY]        = {"body",               11},
};
/* clang-format on */

const char *term_kind_name(const struct term *t)
{
	return t->kind == T_SCALAR ? value_type(t->val) : kinds[t->kind].name;
}

static int number_cmp(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int expr_cmp(const struct expr *a, const struct expr *b);

static int body_cmp(const struct body *a, const struct body *b)
{
	for (uint32_t i = 0; i < a->len && i < b->len; i++) {
		int c = expr_cmp(a->items[i], b->items[i]);

		if (c)
			return c;
	}
	return number_cmp(a->len, b->len);
}

static int optional_cmp(const struct term *a, const struct term *b)
{
	if (!a || !b)
		return number_cmp(a != NULL, b != NULL);
	return term_cmp(a, b);
}

static int list_cmp(
	struct term *const *a, uint32_t na, struct term *const *b, uint32_t nb)
{
	for (uint32_t i = 0; i < na && i < nb; i++) {
		int c = term_cmp(a[i], b[i]);

		if (c)
			return c;
	}
	return number_cmp(na, nb);
}

static int withs_cmp(const struct expr *a, const struct expr *b)
{
	for (uint32_t i = 0; i < a->nwiths && i < b->nwiths; i++) {
		int c = term_cmp(a->withs[i].target, b->withs[i].target);

		if (!c)
			c = term_cmp(a->withs[i].value, b->withs[i].value);
		if (c)
			return c;
	}
	return number_cmp(a->nwiths, b->nwiths);
}

static int every_cmp(const struct expr *a, const struct expr *b)
{
	int c = optional_cmp(a->every.key, b->every.key);

	if (!c)
		c = term_cmp(a->every.value, b->every.value);
	if (!c)
		c = term_cmp(a->every.domain, b->every.domain);
	return c;
}

static int expr_cmp(const struct expr *a, const struct expr *b)
{
	struct body *left[2], *right[2];
	uint32_t n;
	int c = number_cmp(a->index, b->index);

	if (!c)
		c = number_cmp(a->kind, b->kind);
	if (!c)
		c = number_cmp(a->negated, b->negated);
	if (c)
		return c;
	switch (a->kind) {
	case X_TERM:
		c = term_cmp(a->term, b->term);
		break;
	case X_SOME:
		c = list_cmp(a->some.symbols, a->some.len, b->some.symbols,
			b->some.len);
		break;
	case X_EVERY:
		c = every_cmp(a, b);
		break;
	default:
		break;
	}
	n = expr_bodies(a, left);
	expr_bodies(b, right);
	for (uint32_t i = 0; i < n && !c; i++)
		c = body_cmp(left[i], right[i]);
	return c ? c : withs_cmp(a, b);
}

static int comp_cmp(const struct comp *a, const struct comp *b)
{
	int c = optional_cmp(a->key, b->key);

	if (!c)
		c = term_cmp(a->head, b->head);
	return c ? c : body_cmp(a->body, b->body);
}

static int tmpl_cmp(const struct tmpl *a, const struct tmpl *b)
{
	for (uint32_t i = 0; i < a->len && i < b->len; i++) {
		const struct tmpl_part *x = &a->parts[i], *y = &b->parts[i];
		int c = number_cmp(x->expr != NULL, y->expr != NULL);

		if (!c)
			c = x->expr ? expr_cmp(x->expr, y->expr)
				    : value_cmp(x->text, y->text);
		if (c)
			return c;
	}
	return number_cmp(a->len, b->len);
}

static int var_cmp(const struct term *a, const struct term *b)
{
	const struct string *x = a->var.name, *y = b->var.name;

	if (x == y && x->len == 1 && x->bytes[0] == '_')
		return number_cmp(a->loc.off, b->loc.off);
	if (x == y)
		return 0;
	return str_cmp(
		(struct str){x->bytes, x->len}, (struct str){y->bytes, y->len});
}

int term_cmp(const struct term *a, const struct term *b)
{
	if (a == b)
		return 0;
	if (a->kind != b->kind)
		return number_cmp(kinds[a->kind].order, kinds[b->kind].order);
	switch (a->kind) {
	case T_SCALAR:
		return value_cmp(a->val, b->val);
	case T_VAR:
		return var_cmp(a, b);
	case T_REF:
	case T_ARRAY:
	case T_OBJECT:
	case T_SET:
	case T_CALL:
		return list_cmp(
			a->list.items, a->list.len, b->list.items, b->list.len);
	case T_TEMPLATE:
		return tmpl_cmp(a->tmpl, b->tmpl);
	case T_BODY:
		return body_cmp(a->body, b->body);
	default:
		return comp_cmp(a->comp, b->comp);
	}
}

/* --- copies --------------------------------------------------------- */

static struct term *term_at(
	struct arena *a, const struct term *t, struct loc at);
static struct expr *expr_at(
	struct arena *a, const struct expr *x, struct loc at);

static struct term **list_at(
	struct arena *a, struct term *const *items, uint32_t n, struct loc at)
{
	struct term **copy = arena_raw(a, n * sizeof(*copy));

	for (uint32_t i = 0; i < n; i++)
		copy[i] = term_at(a, items[i], at);
	return copy;
}

static struct body *body_at(
	struct arena *a, const struct body *b, struct loc at)
{
	struct body *copy = ARENA_NEW(a, struct body);

	copy->loc = at.src ? at : b->loc;
	for (uint32_t i = 0; i < b->len; i++)
		body_add(a, copy, expr_at(a, b->items[i], at));
	return copy;
}

static struct with *withs_at(
	struct arena *a, const struct expr *x, struct loc at)
{
	struct with *copy = ARENA_ARRAY(a, struct with, x->nwiths);

	for (uint32_t i = 0; i < x->nwiths; i++) {
		copy[i].target = term_at(a, x->withs[i].target, at);
		copy[i].value = term_at(a, x->withs[i].value, at);
		copy[i].loc = at.src ? at : x->withs[i].loc;
	}
	return copy;
}

static struct expr *expr_at(
	struct arena *a, const struct expr *x, struct loc at)
{
	struct expr *copy = arena_raw(a, sizeof(*copy));

	*copy = *x;
	if (at.src)
		copy->loc = at;
	copy->withs = withs_at(a, x, at);
	switch (x->kind) {
	case X_TERM:
		copy->term = term_at(a, x->term, at);
		break;
	case X_SOME:
		copy->some.symbols =
			list_at(a, x->some.symbols, x->some.len, at);
		break;
	case X_EVERY:
		if (x->every.key)
			copy->every.key = term_at(a, x->every.key, at);
		copy->every.value = term_at(a, x->every.value, at);
		copy->every.domain = term_at(a, x->every.domain, at);
		copy->every.body = body_at(a, x->every.body, at);
		break;
	case X_NOT:
		copy->body = body_at(a, x->body, at);
		break;
	default:
		copy->pair.left = body_at(a, x->pair.left, at);
		copy->pair.right = body_at(a, x->pair.right, at);
		break;
	}
	return copy;
}

static struct comp *comp_at(
	struct arena *a, const struct comp *c, struct loc at)
{
	struct comp *copy = ARENA_NEW(a, struct comp);

	if (c->key)
		copy->key = term_at(a, c->key, at);
	copy->head = term_at(a, c->head, at);
	copy->body = body_at(a, c->body, at);
	return copy;
}

static struct tmpl *tmpl_at(
	struct arena *a, const struct tmpl *t, struct loc at)
{
	struct tmpl *copy = ARENA_NEW(a, struct tmpl);

	*copy = *t;
	copy->parts = ARENA_ARRAY(a, struct tmpl_part, t->len);
	for (uint32_t i = 0; i < t->len; i++) {
		copy->parts[i] = t->parts[i];
		if (at.src)
			copy->parts[i].loc = at;
		if (t->parts[i].expr)
			copy->parts[i].expr = expr_at(a, t->parts[i].expr, at);
	}
	return copy;
}

static struct term *term_at(
	struct arena *a, const struct term *t, struct loc at)
{
	struct term *copy = arena_raw(a, sizeof(*copy));

	*copy = *t;
	if (at.src)
		copy->loc = at;
	switch (t->kind) {
	case T_SCALAR:
	case T_VAR:
		break;
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		copy->comp = comp_at(a, t->comp, at);
		break;
	case T_TEMPLATE:
		copy->tmpl = tmpl_at(a, t->tmpl, at);
		break;
	case T_BODY:
		copy->body = body_at(a, t->body, at);
		break;
	default:
		copy->list.items = list_at(a, t->list.items, t->list.len, at);
		break;
	}
	return copy;
}

struct term *term_copy(struct arena *a, const struct term *t, struct loc at)
{
	return term_at(a, t, at);
}

/* --- moving --------------------------------------------------------- */

static void term_move(struct term *t, struct loc at);

static void body_move(struct body *b, struct loc at)
{
	b->loc = at;
	for (uint32_t i = 0; i < b->len; i++)
		expr_move(b->items[i], at);
}

static void list_move(struct term **items, uint32_t n, struct loc at)
{
	for (uint32_t i = 0; i < n; i++)
		term_move(items[i], at);
}

static void term_move(struct term *t, struct loc at)
{
	t->loc = at;
	switch (t->kind) {
	case T_SCALAR:
	case T_VAR:
		break;
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		if (t->comp->key)
			term_move(t->comp->key, at);
		term_move(t->comp->head, at);
		body_move(t->comp->body, at);
		break;
	case T_TEMPLATE:
		for (uint32_t i = 0; i < t->tmpl->len; i++) {
			t->tmpl->parts[i].loc = at;
			if (t->tmpl->parts[i].expr)
				expr_move(t->tmpl->parts[i].expr, at);
		}
		break;
	case T_BODY:
		body_move(t->body, at);
		break;
	default:
		list_move(t->list.items, t->list.len, at);
		break;
	}
}

void expr_move(struct expr *x, struct loc at)
{
	struct body *inside[2];
	uint32_t n;

	x->loc = at;
	for (uint32_t i = 0; i < x->nwiths; i++) {
		x->withs[i].loc = at;
		term_move(x->withs[i].target, at);
		term_move(x->withs[i].value, at);
	}
	switch (x->kind) {
	case X_TERM:
		term_move(x->term, at);
		break;
	case X_SOME:
		list_move(x->some.symbols, x->some.len, at);
		break;
	case X_EVERY:
		if (x->every.key)
			term_move(x->every.key, at);
		term_move(x->every.value, at);
		term_move(x->every.domain, at);
		break;
	default:
		break;
	}
	n = expr_bodies(x, inside);
	for (uint32_t i = 0; i < n; i++)
		body_move(inside[i], at);
}
