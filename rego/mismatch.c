#include "rego/mismatch.h"

#include "rego/lex.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool mismatch_unknown(const struct mismatch *m)
{
	bool unknown = false;

	if (m->kind == MM_MATCH)
		return type_unknown(m->have) || type_unknown(m->want);
	if (m->kind == MM_ARGS)
		for (uint32_t i = 0; i < m->len; i++)
			unknown |= type_unknown(m->items[i]);
	return unknown;
}

/* --- text --------------------------------------------------------------- */

static void line_add(struct buf *out, const char *label, const struct buf *b)
{
	buf_addf(out, "\n\t%s", label);
	buf_addstr(out, buf_str(b));
}

/* Arguments that are wanted: those of the function, its result perhaps. */
static uint32_t nwanted(const struct mismatch *m)
{
	return m->want->len + (m->result && m->want->rest);
}

static const struct type *wanted(const struct mismatch *m, uint32_t i)
{
	return i < m->want->len ? m->want->items[i] : m->want->rest;
}

static void have_args(struct buf *out, const struct mismatch *m)
{
	buf_addc(out, '(');
	for (uint32_t i = 0; i < m->len; i++) {
		buf_adds(out, i ? ", " : "");
		type_text(out, m->items[i]);
	}
	buf_addc(out, ')');
}

static void want_args(struct buf *out, const struct mismatch *m)
{
	uint32_t n = nwanted(m);

	buf_addc(out, '(');
	for (uint32_t i = 0; i < n; i++) {
		buf_adds(out, i ? ", " : "");
		type_param_text(out, m->want, i);
	}
	if (m->want->more) {
		buf_adds(out, n ? ", " : "");
		type_text(out, m->want->more);
		buf_adds(out, "...");
	}
	buf_addc(out, ')');
}

static void param_name(struct buf *out, const struct mismatch *m, uint32_t i)
{
	const struct param *params = m->want->params;

	if (!params || !params[i].name.len)
		return;
	buf_addstr(out, params[i].name);
	buf_adds(out, ": ");
}

/* The name counts when it is asked whether the type is short. */
static void short_param(struct buf *out, const struct mismatch *m, uint32_t i)
{
	struct buf full = {0};

	type_param_text(&full, m->want, i);
	if (type_is_short(&full)) {
		buf_addstr(out, buf_str(&full));
	} else {
		param_name(out, m, i);
		type_outline(out, wanted(m, i));
	}
	buf_release(&full);
}

/* Arguments that fit are not what the error is about. */
static void short_pair(struct buf *have, struct buf *want,
	const struct mismatch *m, uint32_t i)
{
	uint32_t work = UINT32_MAX;

	if (type_unifies(m->items[i], wanted(m, i), &work)) {
		type_short(have, m->items[i]);
		short_param(want, m, i);
	} else {
		param_name(want, m, i);
		type_diff(have, want, m->items[i], wanted(m, i));
	}
}

static void short_args(
	struct buf *have, struct buf *want, const struct mismatch *m)
{
	uint32_t n = nwanted(m);

	buf_addc(have, '(');
	buf_addc(want, '(');
	for (uint32_t i = 0; i < m->len || i < n; i++) {
		if (i < m->len)
			buf_adds(have, i ? ", " : "");
		if (i < n)
			buf_adds(want, i ? ", " : "");
		if (i < m->len && i < n) {
			short_pair(have, want, m, i);
		} else if (i < n) {
			short_param(want, m, i);
		} else {
			type_short(have, m->items[i]);
		}
	}
	if (m->want->more) {
		buf_adds(want, n ? ", " : "");
		type_short(want, m->want->more);
		buf_adds(want, "...");
	}
	buf_addc(have, ')');
	buf_addc(want, ')');
}

static bool too_wide(const char *label, const struct buf *x)
{
	struct buf line = {0};
	bool wide;

	buf_adds(&line, label);
	buf_addstr(&line, buf_str(x));
	wide = types_wide(buf_str(&line));
	buf_release(&line);
	return wide;
}

static void pair_add(struct buf *out, const char *const labels[2],
	struct buf *x, struct buf *y)
{
	line_add(out, labels[0], x);
	line_add(out, labels[1], y);
	buf_release(x);
	buf_release(y);
}

static void args_text(struct buf *out, const struct mismatch *m)
{
	static const char *const labels[] = {"have: ", "want: "};
	struct buf have = {0}, want = {0};

	have_args(&have, m);
	want_args(&want, m);
	if (too_wide(labels[0], &have) || too_wide(labels[1], &want)) {
		buf_reset(&have);
		buf_reset(&want);
		short_args(&have, &want, m);
	}
	pair_add(out, labels, &have, &want);
}

/* Two collections of one kind read as if they could be compared. */
static void match_hint(struct buf *out, const struct mismatch *m)
{
	const char *kind;

	if (!m->have || !m->want || m->have->kind != m->want->kind)
		return;
	switch (m->have->kind) {
	case TY_OBJECT:
		kind = "objects";
		break;
	case TY_ARRAY:
		kind = "arrays";
		break;
	case TY_SET:
		kind = "sets";
		break;
	default:
		return;
	}
	buf_addf(out,
		"\n\thint  : both sides are %s but their types differ, so "
		"they can never be equal (see https://www.openpolicyagent.org/"
		"docs/errors/rego-type-error/match-error)",
		kind);
}

static void match_text(struct buf *out, const struct mismatch *m)
{
	static const char *const labels[] = {"left  : ", "right : "};
	struct buf left = {0}, right = {0};

	type_text(&left, m->have);
	type_text(&right, m->want);
	if (too_wide(labels[0], &left) || too_wide(labels[1], &right)) {
		buf_reset(&left);
		buf_reset(&right);
		type_diff(&left, &right, m->have, m->want);
	}
	pair_add(out, labels, &left, &right);
	match_hint(out, m);
}

/* Bytes of the first `n` items of the ref, as text. */
static int prefix_len(const struct mismatch *m, uint32_t n)
{
	struct term prefix = *m->ref;
	struct buf b = {0};
	int len;

	prefix.list.len = n;
	term_text(&b, &prefix);
	len = (int)b.len;
	buf_release(&b);
	return len;
}

static void leaf_text(struct buf *out, const struct mismatch *m)
{
	buf_adds(out, "\n\t");
	term_text(out, m->ref);
	buf_adds(out, "\n\t");
	for (int i = prefix_len(m, m->at + 1); i > 0; i--)
		buf_addc(out, '^');
	buf_adds(out, "\n\thave: ");
	type_text(out, m->have);
}

static void one_of_text(struct buf *out, struct value keys)
{
	buf_addc(out, '[');
	for (uint32_t i = 0; i < keys.arr->len; i++) {
		buf_adds(out, i ? " " : "");
		value_text(out, keys.arr->items[i]);
	}
	buf_addc(out, ']');
}

static void ref_text(struct buf *out, const struct mismatch *m)
{
	int pad = prefix_len(m, m->at) + 1;

	buf_adds(out, "\n\t");
	term_text(out, m->ref);
	buf_addf(out, "\n\t%*s^\n\t%*s", pad, "", pad, "");
	if (m->have) {
		buf_adds(out, "have (type): ");
		type_text(out, m->have);
	} else {
		buf_adds(out, "have: ");
		term_text(out, m->ref->list.items[m->at]);
	}
	buf_addf(out, "\n\t%*s", pad, "");
	if (is_def(m->one_of) && v_len(m->one_of)) {
		buf_adds(out, "want (one of): ");
		one_of_text(out, m->one_of);
	} else if (!m->want) {
		buf_adds(out, "want (one of): []");
	} else {
		buf_adds(out, "want (type): ");
		type_text(out, m->want);
	}
}

static void why_text(struct buf *out, const struct mismatch *m)
{
	switch (m->kind) {
	case MM_ARGS:
		args_text(out, m);
		break;
	case MM_MATCH:
		match_text(out, m);
		break;
	case MM_REF:
		ref_text(out, m);
		break;
	case MM_LEAF:
		leaf_text(out, m);
		break;
	case MM_PLAIN:
	default:
		break;
	}
}

const char *mismatch_text(struct passes *p, struct mismatch *m)
{
	struct buf b = {0};

	if (m->text)
		return m->text;
	why_text(&b, m);
	m->text = b.len ? arena_strdup(p->a, buf_str(&b)) : "";
	buf_release(&b);
	return m->text;
}

/* --- JSON ------------------------------------------------------------------
 */

static void args_json(struct buf *out, const struct mismatch *m)
{
	uint32_t n = nwanted(m);

	buf_adds(out, "{\"have\":[");
	for (uint32_t i = 0; i < m->len; i++) {
		buf_adds(out, i ? "," : "");
		type_json(out, m->items[i]);
	}
	buf_adds(out, "],\"want\":{");
	for (uint32_t i = 0; i < n; i++) {
		buf_adds(out, i ? "," : "\"args\":[");
		type_param_json(out, m->want, i);
	}
	buf_adds(out, n ? "]" : "");
	if (m->want->more) {
		buf_adds(out, n ? ",\"variadic\":" : "\"variadic\":");
		type_json(out, m->want->more);
	}
	buf_adds(out, "}}");
}

static void term_json(struct buf *out, const struct term *t);
static void value_term_json(struct buf *out, struct value v);

static void terms_json(struct buf *out, struct term *const *items, uint32_t n)
{
	buf_addc(out, '[');
	for (uint32_t i = 0; i < n; i++) {
		buf_adds(out, i ? "," : "");
		term_json(out, items[i]);
	}
	buf_addc(out, ']');
}

static void pairs_json(struct buf *out, const struct term *t)
{
	buf_addc(out, '[');
	for (uint32_t i = 0; i < t->list.len; i += 2) {
		buf_adds(out, i ? "," : "");
		terms_json(out, t->list.items + i, 2);
	}
	buf_addc(out, ']');
}

static void withs_json(struct buf *out, const struct expr *x)
{
	buf_adds(out, ",\"with\":[");
	for (uint32_t i = 0; i < x->nwiths; i++) {
		buf_adds(out, i ? ",{\"target\":" : "{\"target\":");
		term_json(out, x->withs[i].target);
		buf_adds(out, ",\"value\":");
		term_json(out, x->withs[i].value);
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

static void body_json(struct buf *out, const struct body *b)
{
	buf_addc(out, '[');
	for (uint32_t i = 0; i < b->len; i++) {
		const struct expr *x = b->items[i];

		buf_addf(out, "%s{", i ? "," : "");
		if (x->generated)
			buf_adds(out, "\"generated\":true,");
		buf_addf(out, "\"index\":%u", x->index);
		if (x->negated)
			buf_adds(out, ",\"negated\":true");
		if (x->kind == X_TERM) {
			buf_adds(out, ",\"terms\":");
			if (expr_is_call(x))
				terms_json(out, x->term->list.items,
					x->term->list.len);
			else
				term_json(out, x->term);
		}
		if (x->nwiths)
			withs_json(out, x);
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

static void comp_json(struct buf *out, const struct term *t)
{
	if (t->comp->key) {
		buf_adds(out, "{\"key\":");
		term_json(out, t->comp->key);
		buf_adds(out, ",\"value\":");
	} else {
		buf_adds(out, "{\"term\":");
	}
	term_json(out, t->comp->head);
	buf_adds(out, ",\"body\":");
	body_json(out, t->comp->body);
	buf_addc(out, '}');
}

static const char *const term_types[] = {
	[T_VAR] = "var",
	[T_REF] = "ref",
	[T_ARRAY] = "array",
	[T_SET] = "set",
	[T_OBJECT] = "object",
	[T_CALL] = "call",
	[T_ARRAY_COMP] = "arraycomprehension",
	[T_SET_COMP] = "setcomprehension",
	[T_OBJECT_COMP] = "objectcomprehension",
};

struct wildcards {
	struct loc loc;
	uint32_t before; /* the place */
};

static void count_wildcard(void *ctx, const struct token *t)
{
	struct wildcards *w = ctx;

	w->before += t->off < w->loc.off && t->end - t->off == 1 &&
		     w->loc.src->text.ptr[t->off] == '_';
}

/* OPA's parser numbers the wildcards of a source. */
static uint32_t wildcard_number(struct loc loc)
{
	struct wildcards w = {loc, 0};

	lex_all(loc.src->text, count_wildcard, &w);
	return w.before;
}

static void var_json(struct buf *out, const struct term *t)
{
	if (t->var.var && t->var.var->wildcard && t->loc.src)
		buf_addf(out, "\"$%u\"", wildcard_number(t->loc));
	else
		buf_addf(out, "\"%s\"", t->var.name->bytes);
}

/* OPA's JSON of a term, as `opa parse` writes it, without places. */
static void term_json(struct buf *out, const struct term *t)
{
	if (t->kind == T_SCALAR) {
		buf_addf(
			out, "{\"type\":\"%s\",\"value\":", value_type(t->val));
		if (t->val.tag == V_NULL)
			buf_adds(out, "{}");
		else
			value_json(out, t->val, 0, JSON_HTML);
		buf_addc(out, '}');
		return;
	}
	buf_addf(out, "{\"type\":\"%s\",\"value\":",
		t->kind < T_TEMPLATE ? term_types[t->kind] : "");
	switch (t->kind) {
	case T_VAR:
		var_json(out, t);
		break;
	case T_OBJECT:
		pairs_json(out, t);
		break;
	case T_REF:
	case T_ARRAY:
	case T_SET:
	case T_CALL:
		terms_json(out, t->list.items, t->list.len);
		break;
	case T_ARRAY_COMP:
	case T_SET_COMP:
	case T_OBJECT_COMP:
		comp_json(out, t);
		break;
	default:
		buf_adds(out, "null");
		break;
	}
	buf_addc(out, '}');
}

static void value_ast_json(struct buf *out, struct value v);

static void value_term_json(struct buf *out, struct value v)
{
	buf_addf(out, "{\"type\":\"%s\",\"value\":", value_type(v));
	value_ast_json(out, v);
	buf_addc(out, '}');
}

/* A value as a term: null is {}, members have their types. */
static void value_ast_json(struct buf *out, struct value v)
{
	if (v.tag == V_NULL) {
		buf_adds(out, "{}");
	} else if (v.tag == V_ARR) {
		buf_addc(out, '[');
		for (uint32_t i = 0; i < v.arr->len; i++) {
			buf_adds(out, i ? "," : "");
			value_term_json(out, v.arr->items[i]);
		}
		buf_addc(out, ']');
	} else if (v.tag == V_OBJ) {
		buf_addc(out, '[');
		for (uint32_t i = 0; i < v.obj->len; i++) {
			buf_adds(out, i ? ",[" : "[");
			value_term_json(out, v.obj->keys->items[i]);
			buf_addc(out, ',');
			value_term_json(out, v.obj->vals[i]);
			buf_addc(out, ']');
		}
		buf_addc(out, ']');
	} else {
		value_json(out, v, 0, JSON_HTML);
	}
}

static void one_of_json(struct buf *out, struct value keys)
{
	if (!is_def(keys)) {
		buf_adds(out, "null");
		return;
	}
	buf_addc(out, '[');
	for (uint32_t i = 0; i < keys.arr->len; i++) {
		buf_adds(out, i ? "," : "");
		value_ast_json(out, keys.arr->items[i]);
	}
	buf_addc(out, ']');
}

static void ref_json(struct buf *out, const struct mismatch *m)
{
	buf_adds(out, "{\"ref\":");
	terms_json(out, m->ref->list.items, m->ref->list.len);
	buf_addf(out, ",\"pos\":%u", m->at);
	if (m->have || m->kind == MM_LEAF) {
		buf_adds(out, ",\"have\":");
		type_json(out, m->have);
	}
	if (m->kind == MM_REF) {
		buf_adds(out, ",\"want\":");
		type_json(out, m->want);
		buf_adds(out, ",\"oneOf\":");
		one_of_json(out, m->one_of);
	}
	buf_addc(out, '}');
}

const char *mismatch_json(struct passes *p, const struct mismatch *m)
{
	struct buf b = {0};
	const char *text;

	switch (m->kind) {
	case MM_ARGS:
		args_json(&b, m);
		break;
	case MM_MATCH:
		buf_adds(&b, "{\"a\":");
		type_json(&b, m->have);
		buf_adds(&b, ",\"b\":");
		type_json(&b, m->want);
		buf_addc(&b, '}');
		break;
	case MM_REF:
	case MM_LEAF:
		ref_json(&b, m);
		break;
	case MM_PLAIN:
	default:
		return NULL;
	}
	text = arena_strdup(p->a, buf_str(&b));
	buf_release(&b);
	return text;
}

/* --- order -------------------------------------------------------------------
 */

struct sorted {
	struct mismatch *m;
	struct passes *p;
};

static int by_place(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	int c = 0;

	if (x->m->loc.src && y->m->loc.src)
		c = strcmp(x->m->loc.src->name, y->m->loc.src->name);
	if (!c)
		c = (x->m->row > y->m->row) - (x->m->row < y->m->row);
	if (!c)
		c = (x->m->col > y->m->col) - (x->m->col < y->m->col);
	if (!c)
		c = strcmp(x->m->message, y->m->message);
	if (!c && x->m != y->m)
		c = strcmp(
			mismatch_text(x->p, x->m), mismatch_text(y->p, y->m));
	return c;
}

void mismatch_sort(struct passes *p, struct mismatch **items, uint32_t n)
{
	struct sorted *list;

	if (n < 2)
		return;
	list = arena_raw(&p->scratch, n * sizeof(*list));
	for (uint32_t i = 0; i < n; i++) {
		if (items[i]->loc.src)
			source_pos(
				items[i]->loc, &items[i]->row, &items[i]->col);
		list[i] = (struct sorted){items[i], p};
	}
	qsort(list, n, sizeof(*list), by_place);
	for (uint32_t i = 0; i < n; i++)
		items[i] = list[i].m;
}
