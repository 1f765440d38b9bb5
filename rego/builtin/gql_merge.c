/*
 * Fields of one response name: in one answer they must be one and the same.
 *
 * A selection is held against itself, against each fragment that is spread in
 * it, and those fragments against each other; so are the selections below two
 * fields of one name. Source: GraphQL specification, section 5.3.2.
 */

#include "rego/builtin/gql_check.h"

/* A field, and the type it is asked of. */
struct asked {
	struct value node;
	const struct gql_def *parent;
	struct value def; /* of the field, or undefined */
	struct str response, name;
};

/* What a selection holds: with its inline fragments, without the others. */
struct held {
	struct asked *fields;
	struct str *spreads;
	uint32_t nfields, capfields, nspreads, capspreads;
};

/* What is wrong; the text of a conflict, "; " for each. */
struct conflicts {
	struct buf *out; /* reasons, joined by " and "; NULL at the top */
	uint32_t n;
};

static struct asked asked(
	struct gql_check *c, struct value node, const struct gql_def *parent)
{
	struct str alias = gql_text(node, "Alias"),
		   name = gql_text(node, "Name");

	return (struct asked){
		.node = node,
		.parent = parent,
		.def = gql_field_def(c, parent, name),
		.response = alias.len ? alias : name,
		.name = name,
	};
}

static void hold(struct gql_check *c, struct held *h, struct value node,
	const struct gql_def *parent)
{
	struct gql_list all = gql_list(node, "SelectionSet");

	if (!gql_deeper(c))
		return;
	for (uint32_t i = 0; i < all.len && !c->st; i++) {
		struct value x = all.items[i];
		enum gql_sel kind = gql_selection(c, x);
		struct str on = gql_text(x, "TypeCondition");

		if (!bi_charge(c->cx, 1))
			c->st = BI_HALT;
		if (kind == SEL_INLINE) {
			hold(c, h, x, on.len ? gql_def_find(c->s, on) : parent);
		} else if (kind == SEL_SPREAD) {
			h->spreads = arena_grow(c->a, h->spreads, h->nspreads,
				&h->capspreads, sizeof(*h->spreads));
			h->spreads[h->nspreads++] = gql_text(x, "Name");
		} else {
			h->fields = arena_grow(c->a, h->fields, h->nfields,
				&h->capfields, sizeof(*h->fields));
			h->fields[h->nfields++] = asked(c, x, parent);
		}
	}
	c->depth--;
}

/* A node is of one type only: what it holds is worked out once. */
static struct held held_in(
	struct gql_check *c, struct value node, const struct gql_def *parent)
{
	struct value key = v_int((int64_t)(uintptr_t)node.obj);
	struct value at = builder_get(&c->held_at, key);
	struct held h = {0};

	if (is_def(at))
		return c->held[at.i];
	hold(c, &h, node, parent);
	c->held = arena_grow(c->a, c->held, c->nheld, &c->capheld, sizeof(h));
	builder_set_key(&c->held_at, key, v_int(c->nheld));
	c->held[c->nheld++] = h;
	return h;
}

static struct held held_in_fragment(struct gql_check *c, struct value f)
{
	return held_in(c, f, gql_def_find(c->s, gql_text(f, "TypeCondition")));
}

/* --- two fields ------------------------------------------------------------
 */

static struct value value_of(struct value node)
{
	return gql_member(node, "Value");
}

/* The i'th of those with the name of the k'th: which that is. */
static uint32_t same_name_before(const struct gql_list *l, uint32_t k)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < k; i++)
		n += str_eq(gql_text(l->items[i], "Name"),
			gql_text(l->items[k], "Name"));
	return n;
}

/* The member of an object with the same name, the same one of many. */
static struct value counterpart(
	const struct gql_list *from, uint32_t k, const struct gql_list *to)
{
	uint32_t skip = same_name_before(from, k);

	for (uint32_t i = 0; i < to->len; i++)
		if (str_eq(gql_text(to->items[i], "Name"),
			    gql_text(from->items[k], "Name")) &&
			!skip--)
			return to->items[i];
	return v_undef;
}

static bool same_value(struct gql_check *c, struct value x, struct value y)
{
	struct gql_list xs = gql_list(x, "Children"),
			ys = gql_list(y, "Children");
	bool is_object = gql_kind_of(x) == GQL_OBJECT;

	if (gql_kind_of(x) != gql_kind_of(y) ||
		!str_eq(gql_text(x, "Raw"), gql_text(y, "Raw")) ||
		xs.len != ys.len)
		return false;
	if (!bi_charge(c->cx, (uint64_t)xs.len * xs.len)) {
		c->st = BI_HALT;
		return true;
	}
	for (uint32_t i = 0; i < xs.len && !c->st; i++) {
		struct value other =
			is_object ? counterpart(&xs, i, &ys) : ys.items[i];

		if (!is_def(other) ||
			!same_value(c, value_of(xs.items[i]), value_of(other)))
			return false;
	}
	return true;
}

static bool has_argument(
	struct gql_check *c, const struct gql_list *all, struct value arg)
{
	for (uint32_t i = 0; i < all->len; i++)
		if (str_eq(gql_text(all->items[i], "Name"),
			    gql_text(arg, "Name")) &&
			same_value(c, value_of(arg), value_of(all->items[i])))
			return true;
	return false;
}

static bool same_arguments(struct gql_check *c, struct value x, struct value y)
{
	struct gql_list xs = gql_list(x, "Arguments"),
			ys = gql_list(y, "Arguments");

	for (uint32_t i = 0; i < xs.len && xs.len == ys.len; i++)
		if (!has_argument(c, &ys, xs.items[i]))
			return false;
	return xs.len == ys.len;
}

/* Types whose values can't be in one place: lists, nulls, leaves. */
static bool types_differ(struct gql_check *c, struct value x, struct value y)
{
	const struct gql_def *dx, *dy;

	while (gql_type_enter(&x, &y))
		;
	if (is_def(gql_member(x, "Elem")) || is_def(gql_member(y, "Elem")) ||
		gql_flag(x, "NonNull") != gql_flag(y, "NonNull"))
		return true;
	dx = gql_type_def(c->s, x);
	dy = gql_type_def(c->s, y);
	return dx && dy && gql_is_kind(dx, "SCALAR, ENUM") &&
	       gql_is_kind(dy, "SCALAR, ENUM") && dx != dy;
}

static const struct gql_def *type_below(struct gql_check *c, struct value def)
{
	return is_def(def) ? gql_type_def(c->s, gql_member(def, "Type")) : NULL;
}

/* --- told ------------------------------------------------------------------
 */

/* Either an error of its own, or a part of the one about the fields above. */
static void conflict(struct gql_check *c, struct conflicts *cs,
	const struct asked *x, const struct asked *y, struct str why)
{
	if (cs->out)
		buf_addf(cs->out, "%ssubfields \"%.*s\" conflict because %.*s",
			cs->n ? " and " : "", STR_ARG(x->response),
			STR_ARG(why));
	else
		gql_fail(c, gql_place(y->node),
			"Fields \"%.*s\" conflict because %.*s. Use different "
			"aliases on the fields to fetch both if this was "
			"intentional.",
			STR_ARG(x->response), STR_ARG(why));
	cs->n++;
}

static void type_reason(struct buf *why, struct value x, struct value y)
{
	buf_adds(why, "they return conflicting types \"");
	gql_type_text(why, gql_member(x, "Type"));
	buf_adds(why, "\" and \"");
	gql_type_text(why, gql_member(y, "Type"));
	buf_adds(why, "\"");
}

static void below(struct gql_check *c, struct buf *why, const struct asked *x,
	const struct asked *y, bool apart);

/* What is against two fields of one response name; empty: nothing. `apart`:
   they can never be in one answer, but have to be of like types. */
static void reason(struct gql_check *c, struct buf *why, const struct asked *x,
	const struct asked *y, bool apart)
{
	struct value dx = x->def, dy = y->def;
	struct str nx = x->name, ny = y->name;

	if (!apart)
		apart = x->parent != y->parent &&
			gql_is_kind(x->parent, "OBJECT") &&
			gql_is_kind(y->parent, "OBJECT") && is_def(dx) &&
			is_def(dy);
	if (!apart && !str_eq(nx, ny))
		buf_addf(why, "\"%.*s\" and \"%.*s\" are different fields",
			STR_ARG(nx), STR_ARG(ny));
	else if (!apart && !same_arguments(c, x->node, y->node))
		buf_adds(why, "they have differing arguments");
	else if (is_def(dx) && is_def(dy) && dx.obj != dy.obj &&
		 types_differ(
			 c, gql_member(dx, "Type"), gql_member(dy, "Type")))
		type_reason(why, dx, dy);
	else
		below(c, why, x, y, apart);
}

static void hold_together(struct gql_check *c, struct conflicts *cs,
	const struct asked *x, const struct asked *y, bool apart)
{
	struct buf why = {0};

	if (!x->parent || !y->parent || !gql_deeper(c))
		return;
	reason(c, &why, x, y, apart);
	if (why.len)
		conflict(c, cs, x, y, buf_str(&why));
	buf_release(&why);
	c->depth--;
}

/* --- two selections --------------------------------------------------------
 */

/* The next field of a response name, from `at` on; h->nfields: none. */
static uint32_t next_of(const struct held *h, struct str response, uint32_t at)
{
	while (at < h->nfields && !str_eq(h->fields[at].response, response))
		at++;
	return at;
}

/* All of one name in `x`, from the first on, each against those in `y`. */
static void between(struct gql_check *c, struct conflicts *cs,
	const struct held *x, const struct held *y, bool apart)
{
	if (!bi_charge(c->cx, (uint64_t)x->nfields * (y->nfields + 1)))
		c->st = BI_HALT;
	for (uint32_t i = 0; i < x->nfields && !c->st; i++) {
		struct str name = x->fields[i].response;

		if (next_of(x, name, 0) < i)
			continue;
		for (uint32_t k = i; k < x->nfields;
			k = next_of(x, name, k + 1))
			for (uint32_t j = next_of(y, name, 0);
				j < y->nfields && !c->st;
				j = next_of(y, name, j + 1))
				hold_together(c, cs, &x->fields[k],
					&y->fields[j], apart);
	}
}

static void within(
	struct gql_check *c, struct conflicts *cs, const struct held *h)
{
	if (!bi_charge(c->cx, (uint64_t)h->nfields * h->nfields))
		c->st = BI_HALT;
	for (uint32_t i = 0; i < h->nfields && !c->st; i++) {
		struct str name = h->fields[i].response;

		if (next_of(h, name, 0) < i)
			continue;
		for (uint32_t k = i; k < h->nfields;
			k = next_of(h, name, k + 1))
			for (uint32_t j = next_of(h, name, k + 1);
				j < h->nfields && !c->st;
				j = next_of(h, name, j + 1))
				hold_together(c, cs, &h->fields[k],
					&h->fields[j], false);
	}
}

/* The same fields: a fragment is not held against itself. */
static bool same_fields(const struct held *x, const struct held *y)
{
	if (x->nfields != y->nfields)
		return false;
	for (uint32_t i = 0; i < x->nfields; i++)
		if (!value_eq(x->fields[i].node, y->fields[i].node))
			return false;
	return true;
}

/* Fields against a fragment, and against those spread in it. */
static void with_fragment(struct gql_check *c, struct conflicts *cs,
	const struct held *x, struct str name, bool apart)
{
	struct value f = gql_fragment(c, name);
	struct held y;

	if (!builder_add(&c->compared, v_str(c->a, name)) || !is_def(f) ||
		!gql_deeper(c))
		return;
	y = held_in_fragment(c, f);
	if (!same_fields(x, &y)) {
		between(c, cs, x, &y, apart);
		for (uint32_t i = 0; i < y.nspreads && !c->st; i++)
			if (!str_eq(y.spreads[i], name))
				with_fragment(c, cs, x, y.spreads[i], apart);
	}
	c->depth--;
}

/* Whether two fragments were held together, at least as strictly. */
static bool is_known_pair(
	struct gql_check *c, struct str x, struct str y, bool apart)
{
	bool in_order = str_cmp(x, y) < 0;
	struct value *pair = ARENA_ARRAY(c->a, struct value, 2), key, was;

	pair[0] = v_str(c->a, in_order ? x : y);
	pair[1] = v_str(c->a, in_order ? y : x);
	key = v_arr(c->a, pair, 2);
	was = builder_get(&c->pairs, key);
	if (is_def(was) && (apart || was.tag == V_FALSE))
		return true;
	builder_set_key(&c->pairs, key, v_bool(apart));
	return false;
}

/* Two fragments, and each against those spread in the other. */
static void fragments(struct gql_check *c, struct conflicts *cs, struct str x,
	struct str y, bool apart)
{
	struct value fx = gql_fragment(c, x), fy = gql_fragment(c, y);
	struct held hx, hy;

	if (str_eq(x, y) || is_known_pair(c, x, y, apart) || !is_def(fx) ||
		!is_def(fy) || !gql_deeper(c))
		return;
	hx = held_in_fragment(c, fx);
	hy = held_in_fragment(c, fy);
	between(c, cs, &hx, &hy, apart);
	for (uint32_t i = 0; i < hy.nspreads && !c->st; i++)
		fragments(c, cs, x, hy.spreads[i], apart);
	for (uint32_t i = 0; i < hx.nspreads && !c->st; i++)
		fragments(c, cs, hx.spreads[i], y, apart);
	c->depth--;
}

/* The fields of one selection against each fragment of the other. */
static void across(struct gql_check *c, struct conflicts *cs,
	const struct held *x, const struct held *y, bool apart)
{
	for (uint32_t i = 0; i < y->nspreads && !c->st; i++) {
		c->compared = builder_set(c->a);
		with_fragment(c, cs, x, y->spreads[i], apart);
	}
}

static void below(struct gql_check *c, struct buf *why, const struct asked *x,
	const struct asked *y, bool apart)
{
	struct held hx = held_in(c, x->node, type_below(c, x->def));
	struct held hy = held_in(c, y->node, type_below(c, y->def));
	struct conflicts cs = {.out = why};

	between(c, &cs, &hx, &hy, apart);
	across(c, &cs, &hx, &hy, apart);
	across(c, &cs, &hy, &hx, apart);
	for (uint32_t i = 0; i < hx.nspreads; i++)
		for (uint32_t k = 0; k < hy.nspreads && !c->st; k++)
			fragments(c, &cs, hx.spreads[i], hy.spreads[k], apart);
}

void gql_merge(
	struct gql_check *c, struct value node, const struct gql_def *parent)
{
	struct conflicts cs = {0};
	struct held h;

	if (!gql_list(node, "SelectionSet").len || c->st)
		return;
	h = held_in(c, node, parent);
	within(c, &cs, &h);
	c->compared = builder_set(c->a);
	for (uint32_t i = 0; i < h.nspreads && !c->st; i++) {
		with_fragment(c, &cs, &h, h.spreads[i], false);
		for (uint32_t k = i + 1; k < h.nspreads && !c->st; k++)
			fragments(c, &cs, h.spreads[i], h.spreads[k], false);
	}
}
