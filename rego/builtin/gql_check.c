/*
 * The rules for queries, each a function of what it looks at. A walk goes
 * through the operations, into each fragment once an operation, and then
 * through the fragments by themselves; at each node, behind what is in it, the
 * rules are asked in the order of their names in gqlparser, so that errors come
 * in OPA's order.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "base/limits.h"
#include "rego/builtin/gql_check.h"

/* --- errors ----------------------------------------------------------------
 */

enum { ERRORS_MAX = 4096 }; /* bytes kept; OPA's text would go on */

void gql_fail(struct gql_check *c, struct value place, const char *fmt, ...)
{
	struct buf *b = &c->errors;
	va_list ap;

	c->broken = true;
	if (b->len > ERRORS_MAX)
		return;
	if (place.tag == V_ARR && v_len(place) == 2) {
		if (!b->len)
			c->first = place;
		buf_addf(b,
			"input:%lld:%lld: ", (long long)place.arr->items[0].i,
			(long long)place.arr->items[1].i);
	} else {
		buf_adds(b, "input: ");
	}
	va_start(ap, fmt);
	char *text = arena_vprintf(c->a, fmt, ap);

	va_end(ap);
	buf_adds(b, text);
	buf_addc(b, '\n');
}

bool gql_deeper(struct gql_check *c)
{
	if (c->st)
		return false;
	if (!bi_charge(c->cx, 1))
		c->st = BI_HALT;
	else if (c->depth >= LIMIT_GQL_LEVELS)
		c->st = bi_limit(c->cx,
			"GraphQL query nests more than %u levels",
			LIMIT_GQL_LEVELS);
	else
		c->depth++;
	return !c->st;
}

static enum bi_status errors_told(struct gql_check *c)
{
	struct str all = buf_str(&c->errors);

	if (c->first.tag != V_ARR)
		return bi_error(
			c->cx, "GraphQL parse error: %.*s", STR_ARG(all));
	/* As OPA cuts it: the first place is moved to the end. */
	for (unsigned colons = 0; colons < 3; all.ptr++, all.len--)
		colons += *all.ptr == ':';
	while (all.len && *all.ptr == ' ')
		all.ptr++, all.len--;
	if (all.len > 1 && all.ptr[all.len - 2] == '.')
		all.len -= 2;
	return bi_error(c->cx, "%.*s in GraphQL string at location %lld:%lld",
		STR_ARG(all), (long long)c->first.arr->items[0].i,
		(long long)c->first.arr->items[1].i);
}

/* --- suggestions -----------------------------------------------------------
 */

/* How many letters are to be changed, taken away or put in; 1 for case only. */
static size_t distance(struct arena *a, struct str from, struct str to)
{
	size_t *row = ARENA_ARRAY(a, size_t, to.len + 1);

	if (str_eq_fold(from, to))
		return !str_eq(from, to);
	for (size_t k = 0; k <= to.len; k++)
		row[k] = k;
	for (size_t i = 1; i <= from.len; i++) {
		size_t corner = row[0]++;

		for (size_t k = 1; k <= to.len; k++) {
			bool same = ascii_lower(from.ptr[i - 1]) ==
				    ascii_lower(to.ptr[k - 1]);
			size_t best = corner + !same;

			corner = row[k];
			if (row[k] + 1 < best)
				best = row[k] + 1;
			if (row[k - 1] + 1 < best)
				best = row[k - 1] + 1;
			row[k] = best;
		}
	}
	return row[to.len];
}

/* Quoted: "a", "a" or "b", "a", "b", or "c"; five at most. */
static const char *or_list(
	struct gql_check *c, const struct str *names, size_t n)
{
	struct buf b = {0};
	const char *text;

	n = n > 5 ? 5 : n;
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_adds(&b, n == 2       ? " or "
				     : i == n - 1 ? ", or "
						  : ", ");
		buf_addf(&b, "\"%.*s\"", STR_ARG(names[i]));
	}
	text = arena_strdup(c->a, buf_str(&b));
	buf_release(&b);
	return text;
}

struct guess {
	struct str name;
	size_t distance;
	uint32_t at;
};

static int by_distance(const void *x, const void *y)
{
	const struct guess *a = x, *b = y;

	if (a->distance != b->distance)
		return a->distance < b->distance ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

const char *gql_suggest(struct gql_check *c, const char *prefix,
	struct str typed, const struct gql_list *all)
{
	struct guess *gs = ARENA_ARRAY(c->a, struct guess, all->len + 1u);
	struct str *names = ARENA_ARRAY(c->a, struct str, all->len + 1u);
	size_t n = 0, most = typed.len * 2 / 5 + 1;

	if (c->errors.len > ERRORS_MAX)
		return "";
	for (uint32_t i = 0; i < all->len; i++) {
		struct str name = gql_text(all->items[i], "Name");

		if (name.len > typed.len + most)
			continue;
		gs[n] = (struct guess){name, distance(c->a, typed, name), i};
		n += gs[n].distance <= most;
	}
	qsort(gs, n, sizeof(*gs), by_distance);
	for (size_t i = 0; i < n; i++)
		names[i] = gs[i].name;
	return n ? arena_printf(c->a, " %s %s?", prefix, or_list(c, names, n))
		 : "";
}

/* --- small questions -------------------------------------------------------
 */

static struct str name_of(struct value node)
{
	return gql_text(node, "Name");
}

const char *gql_type_words(struct gql_check *c, struct value type)
{
	struct buf b = {0};
	const char *text;

	gql_type_text(&b, type);
	text = arena_strdup(c->a, buf_str(&b));
	buf_release(&b);
	return text;
}

static bool is_composite(const struct gql_def *d)
{
	return gql_is_kind(d, "OBJECT, INTERFACE, UNION");
}

/* Can what is of type `wide` be a `d`? */
static bool is_possible(const struct gql_def *wide, const struct gql_def *d)
{
	if (gql_is_kind(wide, "UNION"))
		return gql_has_name(&wide->types, d->name);
	if (gql_is_kind(wide, "OBJECT, INPUT_OBJECT") && wide == d)
		return true;
	return gql_is_kind(d, "OBJECT, INTERFACE, INPUT_OBJECT") &&
	       gql_has_name(&d->interfaces, wide->name);
}

struct value gql_fragment(struct gql_check *c, struct str name)
{
	return builder_get(&c->by_name, v_str(c->a, name));
}

struct value gql_field_def(
	struct gql_check *c, const struct gql_def *parent, struct str name)
{
	if (str_is(name, "__typename"))
		return c->typename;
	return parent ? gql_named(&parent->fields, name) : v_undef;
}

/* --- arguments and directives ----------------------------------------------
 */

/* Arguments that are not defined, of `what`: "field \"A.b\"". */
static void known_arguments(struct gql_check *c, struct value use,
	struct value def, const char *what)
{
	struct gql_list given = gql_list(use, "Arguments"),
			defined = gql_list(def, "Arguments");

	for (uint32_t i = 0; i < given.len; i++) {
		struct str arg = name_of(given.items[i]);

		if (is_def(gql_named(&defined, arg)))
			continue;
		gql_fail(c, gql_place(use),
			"Unknown argument \"%.*s\" on %s.%s", STR_ARG(arg),
			what, gql_suggest(c, "Did you mean", arg, &defined));
	}
}

static void required_arguments(struct gql_check *c, struct value use,
	struct value def, const char *what, const char *mark)
{
	struct gql_list given = gql_list(use, "Arguments"),
			defined = gql_list(def, "Arguments");

	for (uint32_t i = 0; i < defined.len; i++) {
		struct value d = defined.items[i], type = gql_member(d, "Type");

		if (!gql_is_required(d) ||
			is_def(gql_named(&given, name_of(d))))
			continue;
		gql_fail(c, gql_place(use),
			"%s \"%s%.*s\" argument \"%.*s\" of type \"%s\" is "
			"required, but it was not provided.",
			what, mark, STR_ARG(name_of(use)), STR_ARG(name_of(d)),
			gql_type_words(c, type));
	}
}

/* The second of a name is told, of those from the third on no more is said. */
static void unique_nodes(struct gql_check *c, struct value node,
	const char *list, const char *member, const char *what)
{
	struct gql_list all = gql_list(node, list);
	struct builder seen = builder_obj(c->a);

	for (uint32_t i = 0; i < all.len; i++) {
		struct str name = gql_text(all.items[i], member);
		struct value key = v_str(c->a, name);
		struct value before = builder_get(&seen, key);

		if (before.tag == V_FALSE)
			gql_fail(c, gql_place(all.items[i]),
				"There can be only one %s%.*s\".", what,
				STR_ARG(name));
		builder_set_key(&seen, key, v_bool(is_def(before)));
	}
}

static void known_directive(struct gql_check *c, struct value use,
	struct value def, const char *location)
{
	struct gql_list where = gql_list(def, "Locations");
	struct str name = name_of(use);
	struct value *pair;

	if (!is_def(def)) {
		gql_fail(c, gql_place(use), "Unknown directive \"@%.*s\".",
			STR_ARG(name));
		return;
	}
	if (gql_has_name(&where, str_from(location)))
		return;
	pair = ARENA_ARRAY(c->a, struct value, 2);
	pair[0] = v_str(c->a, name);
	pair[1] = is_def(gql_place(use)) ? gql_place(use) : v_null;
	if (builder_add(&c->misplaced, v_arr(c->a, pair, 2)))
		gql_fail(c, gql_place(use),
			"Directive \"@%.*s\" may not be used on %s.",
			STR_ARG(name), location);
}

static void walk_arguments(
	struct gql_check *c, struct value use, struct value def)
{
	struct gql_list given = gql_list(use, "Arguments"),
			defined = gql_list(def, "Arguments");

	for (uint32_t i = 0; i < given.len && !c->st; i++) {
		struct value d = gql_named(&defined, name_of(given.items[i]));

		gql_walk_value(c, gql_member(given.items[i], "Value"),
			gql_expected(c, d));
	}
}

static void walk_directive(
	struct gql_check *c, struct value use, const char *location)
{
	struct str name = name_of(use);
	struct value def = gql_directive(c->s, name);

	walk_arguments(c, use, def);
	if (is_def(def))
		known_arguments(c, use, def,
			arena_printf(
				c->a, "directive \"@%.*s\"", STR_ARG(name)));
	known_directive(c, use, def, location);
	if (is_def(def))
		required_arguments(c, use, def, "Directive", "@");
	unique_nodes(c, use, "Arguments", "Name", "argument named \"");
}

static void unique_directives(struct gql_check *c, const struct gql_list *uses)
{
	struct builder seen = builder_set(c->a);

	for (uint32_t i = 0; i < uses->len && !c->st; i++) {
		struct value use = uses->items[i];
		struct str name = name_of(use);

		if (!builder_add(&seen, v_str(c->a, name)) &&
			!gql_flag(gql_directive(c->s, name), "IsRepeatable"))
			gql_fail(c, gql_place(use),
				"The directive \"@%.*s\" can only be used "
				"once at this location.",
				STR_ARG(name));
	}
}

static void walk_directives(
	struct gql_check *c, struct value node, const char *location)
{
	struct gql_list uses = gql_list(node, "Directives");

	for (uint32_t i = 0; i < uses.len && !c->st; i++)
		walk_directive(c, uses.items[i], location);
	unique_directives(c, &uses);
}

/* --- fields ----------------------------------------------------------------
 */

struct usage {
	struct str name;
	uint32_t count;
};

static int by_usage(const void *x, const void *y)
{
	const struct usage *a = x, *b = y;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return str_cmp(a->name, b->name);
}

static void count_usage(struct usage *all, uint32_t *n, struct str name)
{
	for (uint32_t i = 0; i < *n; i++)
		if (all[i].count && str_eq(all[i].name, name)) {
			all[i].count++;
			return;
		}
	all[(*n)++] = (struct usage){name, 1};
}

/* The interfaces of a possible type that have the field too. */
static void count_interfaces(struct gql_check *c, struct usage *all,
	uint32_t *n, const struct gql_def *d, struct str field)
{
	for (uint32_t i = 0; i < d->interfaces.len; i++) {
		struct str name = gql_str(d->interfaces.items[i]);
		const struct gql_def *up = gql_def_find(c->s, name);

		if (up && is_def(gql_named(&up->fields, field)))
			count_usage(all, n, name);
	}
}

/* Types of what may be there that do have the field, or NULL. */
static const char *suggest_types(
	struct gql_check *c, const struct gql_def *parent, struct str field)
{
	uint32_t n = 0, max = 1;

	for (uint32_t i = 0; i < c->s->ndefs; i++)
		max += 1 + c->s->defs[i].interfaces.len;
	struct usage *all = ARENA_ARRAY(c->a, struct usage, max);
	struct str *names = ARENA_ARRAY(c->a, struct str, max);

	if (!gql_is_kind(parent, "INTERFACE, UNION"))
		return NULL;
	for (uint32_t i = 0; i < c->s->ndefs; i++) {
		const struct gql_def *d = &c->s->defs[i];

		if (!is_possible(parent, d) ||
			!is_def(gql_named(&d->fields, field)))
			continue;
		all[n++] = (struct usage){d->name, 0};
		count_interfaces(c, all, &n, d, field);
	}
	/* A type is counted as often as its name is met as an interface. */
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < n && !all[i].count; k++)
			if (all[k].count && str_eq(all[i].name, all[k].name))
				all[i].count = all[k].count;
	qsort(all, n, sizeof(*all), by_usage);
	for (uint32_t i = 0; i < n; i++)
		names[i] = all[i].name;
	return n ? arena_printf(c->a,
			   " Did you mean to use an inline fragment on %s?",
			   or_list(c, names, n))
		 : NULL;
}

static void field_on_type(
	struct gql_check *c, struct value field, const struct gql_def *parent)
{
	struct str name = name_of(field);
	const char *hint = suggest_types(c, parent, name);

	if (!hint)
		hint = gql_is_kind(parent, "OBJECT, INTERFACE")
			       ? gql_suggest(c, "Did you mean", name,
					 &parent->fields)
			       : "";
	gql_fail(c, gql_place(field),
		"Cannot query field \"%.*s\" on type "
		"\"%.*s\".%s",
		STR_ARG(name), STR_ARG(parent->name), hint);
}

static bool lists_too_deep(
	struct gql_check *c, struct value node, unsigned lists);

/* In a fragment, which is not looked at inside of itself. */
static bool lists_in_fragment(
	struct gql_check *c, struct str name, unsigned lists)
{
	struct value key = v_str(c->a, name);
	bool deep;

	if (builder_get(&c->inside, key).tag == V_TRUE)
		return false;
	builder_set_key(&c->inside, key, v_true);
	deep = lists_too_deep(c, gql_fragment(c, name), lists);
	builder_set_key(&c->inside, key, v_false);
	return deep;
}

static bool lists_in_field(
	struct gql_check *c, struct value field, unsigned lists)
{
	lists += gql_among(name_of(field),
		"fields, interfaces, possibleTypes, inputFields");
	return lists >= 3 || lists_too_deep(c, field, lists);
}

/* Lists of introspection inside of each other, through fragments too. */
static bool lists_too_deep(
	struct gql_check *c, struct value node, unsigned lists)
{
	struct gql_list all = gql_list(node, "SelectionSet");
	bool deep = false;

	if (!gql_deeper(c))
		return false;
	for (uint32_t i = 0; i < all.len && !deep && !c->st; i++) {
		struct value x = all.items[i];
		enum gql_sel kind = gql_selection(c, x);

		if (kind == SEL_SPREAD)
			deep = lists_in_fragment(c, name_of(x), lists);
		else if (kind == SEL_FIELD)
			deep = lists_in_field(c, x, lists);
		else
			deep = lists_too_deep(c, x, lists);
	}
	c->depth--;
	return deep;
}

static void introspection_depth(struct gql_check *c, struct value field)
{
	struct str name = name_of(field);

	if (!str_is(name, "__schema") && !str_is(name, "__type"))
		return;
	c->inside = builder_obj(c->a);
	if (lists_too_deep(c, field, 0))
		gql_fail(c, gql_place(field),
			"Maximum introspection depth exceeded");
}

static void leaf(struct gql_check *c, struct value field, struct value type)
{
	const struct gql_def *d = gql_type_def(c->s, type);
	bool has_more = gql_list(field, "SelectionSet").len;
	struct str name = name_of(field);

	if (!d)
		return;
	bool is_leaf = gql_is_kind(d, "SCALAR, ENUM");

	if (is_leaf && has_more)
		gql_fail(c, gql_place(field),
			"Field \"%.*s\" must not have a selection since type "
			"\"%.*s\" has no subfields.",
			STR_ARG(name), STR_ARG(d->name));
	if (!is_leaf && !has_more)
		gql_fail(c, gql_place(field),
			"Field \"%.*s\" of type \"%s\" must have a selection "
			"of subfields. Did you mean \"%.*s { ... }\"?",
			STR_ARG(name), gql_type_words(c, type), STR_ARG(name));
}

static void walk_selections(
	struct gql_check *c, struct value node, const struct gql_def *parent);

static void field(
	struct gql_check *c, struct value node, const struct gql_def *parent)
{
	struct str name = name_of(node);
	struct value def = gql_field_def(c, parent, name);
	struct value type = gql_member(def, "Type");

	walk_arguments(c, node, def);
	walk_directives(c, node, "FIELD");
	walk_selections(c, node, is_def(def) ? gql_type_def(c->s, type) : NULL);
	if (parent && !is_def(def))
		field_on_type(c, node, parent);
	if (parent && is_def(def))
		known_arguments(c, node, def,
			arena_printf(c->a, "field \"%.*s.%.*s\"",
				STR_ARG(parent->name), STR_ARG(name)));
	introspection_depth(c, node);
	if (is_def(c->op))
		gql_merge(
			c, node, is_def(def) ? gql_type_def(c->s, type) : NULL);
	if (is_def(def)) {
		required_arguments(c, node, def, "Field", "");
		leaf(c, node, type);
	}
	unique_nodes(c, node, "Arguments", "Name", "argument named \"");
}

/* --- fragments -------------------------------------------------------------
 */

/* Whether nothing can be of both types; unknown ones are told elsewhere. */
static bool is_impossible(struct gql_check *c, const struct gql_def *parent,
	const struct gql_def *d)
{
	if (!parent || !is_composite(parent) || !d || !is_composite(d))
		return false;
	for (uint32_t i = 0; i < c->s->ndefs; i++) {
		const struct gql_def *x = &c->s->defs[i];
		bool in_parent = gql_is_kind(parent, "OBJECT")
					 ? x == parent
					 : is_possible(parent, x);

		if (in_parent && is_possible(d, x))
			return false;
	}
	return true;
}

static void inline_fragment(
	struct gql_check *c, struct value node, const struct gql_def *parent)
{
	struct str on = gql_text(node, "TypeCondition");
	const struct gql_def *d = on.len ? gql_def_find(c->s, on) : NULL;
	const struct gql_def *inner = on.len ? d : parent;

	walk_directives(c, node, "INLINE_FRAGMENT");
	walk_selections(c, node, inner);
	if (d && !is_composite(d))
		gql_fail(c, gql_place(node),
			"Fragment cannot condition on non composite type "
			"\"%.*s\".",
			STR_ARG(on));
	if (on.len && !d)
		gql_fail(c, gql_place(node), "Unknown type \"%.*s\".",
			STR_ARG(on));
	gql_merge(c, node, inner);
	if (is_impossible(c, parent, d))
		gql_fail(c, gql_place(node),
			"Fragment cannot be spread here as objects of type "
			"\"%.*s\" can never be of type \"%.*s\".",
			STR_ARG(parent->name), STR_ARG(on));
}

static void spread(
	struct gql_check *c, struct value node, const struct gql_def *parent)
{
	struct str name = name_of(node);
	struct value f = gql_fragment(c, name), key = v_str(c->a, name);
	struct str on = gql_text(f, "TypeCondition");
	const struct gql_def *d = is_def(f) ? gql_def_find(c->s, on) : NULL;

	walk_directives(c, node, "FRAGMENT_SPREAD");
	if (is_def(f) && builder_add(&c->walked, key)) {
		walk_directives(c, f, "FRAGMENT_DEFINITION");
		walk_selections(c, f, d);
	}
	if (!is_def(f))
		gql_fail(c, gql_place(node), "Unknown fragment \"%.*s\".",
			STR_ARG(name));
	if (!c->in_fragments)
		builder_add(&c->spread, key);
	if (is_impossible(c, parent, d))
		gql_fail(c, gql_place(node),
			"Fragment \"%.*s\" cannot be spread here as objects "
			"of type \"%.*s\" can never be of type \"%.*s\".",
			STR_ARG(name), STR_ARG(parent->name), STR_ARG(on));
}

static void walk_selections(
	struct gql_check *c, struct value node, const struct gql_def *parent)
{
	struct gql_list all = gql_list(node, "SelectionSet");

	if (!gql_deeper(c))
		return;
	for (uint32_t i = 0; i < all.len && !c->st; i++) {
		struct value x = all.items[i];

		if (!bi_charge(c->cx, 4))
			c->st = BI_HALT;
		else if (gql_selection(c, x) == SEL_FIELD)
			field(c, x, parent);
		else if (gql_selection(c, x) == SEL_SPREAD)
			spread(c, x, parent);
		else
			inline_fragment(c, x, parent);
	}
	c->depth--;
}

/* --- fragments in themselves -----------------------------------------------
 */

/* Spreads anywhere in a selection: those at hand first, and then those in the
   fields and fragments, from the last on. */
static void spreads_in(
	struct gql_check *c, struct value node, struct gql_list *out)
{
	struct gql_list todo = {0};

	gql_list_add(c->a, &todo, node);
	while (todo.len && !c->st) {
		struct gql_list all =
			gql_list(todo.items[--todo.len], "SelectionSet");

		if (!bi_charge(c->cx, all.len))
			c->st = BI_HALT;
		for (uint32_t i = 0; i < all.len; i++) {
			bool is_spread =
				gql_selection(c, all.items[i]) == SEL_SPREAD;

			gql_list_add(
				c->a, is_spread ? out : &todo, all.items[i]);
		}
	}
}

static void cycle_told(struct gql_check *c, struct value node, uint32_t from)
{
	struct buf via = {0};

	for (uint32_t i = from; i < c->path.len; i++)
		buf_addf(&via, "%s\"%.*s\"", i == from ? " via " : ", ",
			STR_ARG(name_of(c->path.items[i])));
	gql_fail(c, gql_place(node),
		"Cannot spread fragment \"%.*s\" within itself%.*s.",
		STR_ARG(name_of(node)), STR_ARG(buf_str(&via)));
	buf_release(&via);
}

/* c->on_path: by name, where its spreads begin in c->path; -1 when left. */
static void cycles(struct gql_check *c, struct value fragment)
{
	struct value key = v_str(c->a, name_of(fragment));
	struct gql_list spreads = {0};

	if (builder_find(&c->on_path, key) >= 0 || !gql_deeper(c))
		return;
	builder_set_key(&c->on_path, key, v_int(c->path.len));
	spreads_in(c, fragment, &spreads);
	for (uint32_t i = 0; i < spreads.len && !c->st; i++) {
		struct value x = spreads.items[i];
		struct value at =
			builder_get(&c->on_path, v_str(c->a, name_of(x)));

		if (is_def(at) && at.i >= 0) {
			cycle_told(c, x, (uint32_t)at.i);
			continue;
		}
		gql_list_add(c->a, &c->path, x);
		if (is_def(gql_fragment(c, name_of(x))))
			cycles(c, gql_fragment(c, name_of(x)));
		c->path.len--;
	}
	builder_set_key(&c->on_path, key, v_int(-1));
	c->depth--;
}

/* All types of the schema, as nodes with a name. */
static struct gql_list type_nodes(struct gql_check *c)
{
	struct gql_list all = {0};

	for (uint32_t i = 0; i < c->s->ndefs; i++) {
		struct builder b = builder_obj(c->a);

		builder_set_key(&b, v_cstr(c->a, "Name"),
			v_str(c->a, c->s->defs[i].name));
		gql_list_add(c->a, &all, builder_done(&b));
	}
	return all;
}

static void unknown_condition(struct gql_check *c, struct value f)
{
	struct str on = gql_text(f, "TypeCondition");
	struct gql_list all = type_nodes(c);

	gql_fail(c, gql_place(f), "Unknown type \"%.*s\".%s", STR_ARG(on),
		gql_suggest(c, "Did you mean", on, &all));
}

static void fragment(struct gql_check *c, struct value f)
{
	struct str name = name_of(f), on = gql_text(f, "TypeCondition");
	const struct gql_def *d = gql_def_find(c->s, on);
	struct value key = v_str(c->a, name);

	c->walked = builder_set(c->a);
	walk_directives(c, f, "FRAGMENT_DEFINITION");
	walk_selections(c, f, d);
	if (d && on.len && !is_composite(d))
		gql_fail(c, gql_place(f),
			"Fragment \"%.*s\" cannot condition on non composite "
			"type \"%.*s\".",
			STR_ARG(name), STR_ARG(on));
	if (!d)
		unknown_condition(c, f);
	cycles(c, f);
	c->in_fragments = true;
	if (builder_find(&c->spread, key) < 0)
		gql_fail(c, gql_place(f), "Fragment \"%.*s\" is never used.",
			STR_ARG(name));
	gql_merge(c, f, d);
	if (!builder_add(&c->named, key))
		gql_fail(c, gql_place(f),
			"There can be only one fragment named \"%.*s\".",
			STR_ARG(name));
}

/* --- operations ------------------------------------------------------------
 */

/* Of the fields that a subscription asks for, the first of each name. */
static void top_fields(
	struct gql_check *c, struct value node, struct builder *fields)
{
	struct gql_list all = gql_list(node, "SelectionSet");
	struct value old;

	if (!gql_deeper(c))
		return;
	for (uint32_t i = 0; i < all.len && !c->st; i++) {
		struct value x = all.items[i], key = v_str(c->a, name_of(x));
		enum gql_sel kind = gql_selection(c, x);

		if (kind == SEL_FIELD)
			builder_put(fields, key, x, &old);
		else if (kind == SEL_INLINE)
			top_fields(c, x, fields);
		else if (!is_def(gql_fragment(c, name_of(x))))
			break;
		else if (builder_add(&c->tops, key))
			top_fields(c, gql_fragment(c, name_of(x)), fields);
	}
	c->depth--;
}

static void one_top_field(struct gql_check *c, struct value op)
{
	struct builder fields = builder_obj(c->a);
	const char *what = "Anonymous Subscription";

	if (!is_def(c->s->subscription) ||
		!str_is(gql_text(op, "Operation"), "subscription"))
		return;
	c->tops = builder_set(c->a);
	top_fields(c, op, &fields);
	if (name_of(op).len)
		what = arena_printf(
			c->a, "Subscription \"%.*s\"", STR_ARG(name_of(op)));
	if (fields.len > 1)
		gql_fail(c, gql_place(fields.vals[1]),
			"%s must select only one top level field.", what);
	for (uint32_t i = 0; i < fields.len; i++)
		if (str_starts(name_of(fields.vals[i]), S("__")))
			gql_fail(c, gql_place(fields.vals[i]),
				"%s must not select an introspection top "
				"level field.",
				what);
}

static void unused_variables(struct gql_check *c, struct value op)
{
	struct str name = name_of(op);

	for (uint32_t i = 0; i < c->vars.len; i++) {
		struct str v = gql_text(c->vars.items[i], "Variable");

		if (c->used[i])
			continue;
		if (name.len)
			gql_fail(c, gql_place(c->vars.items[i]),
				"Variable \"$%.*s\" is never used in "
				"operation \"%.*s\".",
				STR_ARG(v), STR_ARG(name));
		else
			gql_fail(c, gql_place(c->vars.items[i]),
				"Variable \"$%.*s\" is never used.",
				STR_ARG(v));
	}
}

static void input_variables(struct gql_check *c)
{
	for (uint32_t i = 0; i < c->vars.len; i++) {
		struct value v = c->vars.items[i], type = gql_member(v, "Type");
		const struct gql_def *d = gql_type_def(c->s, type);

		if (d && !gql_is_kind(d, "SCALAR, ENUM, INPUT_OBJECT"))
			gql_fail(c, gql_place(v),
				"Variable \"$%.*s\" cannot be non-input type "
				"\"%s\".",
				STR_ARG(gql_text(v, "Variable")),
				gql_type_words(c, type));
	}
}

/* clang-format off */
static const struct {
	const char *name, *location;
	size_t root; /* in struct gql_schema */
} operations[] = {
	{"query",        "QUERY",        offsetof(struct gql_schema, query)},
	{"mutation",     "MUTATION",     offsetof(struct gql_schema, mutation)},
	{"subscription", "SUBSCRIPTION", offsetof(struct gql_schema, subscription)},
};
/* clang-format on */

static void walk_variables(struct gql_check *c)
{
	for (uint32_t i = 0; i < c->vars.len; i++) {
		struct value v = c->vars.items[i], type = gql_member(v, "Type");

		if (!gql_type_def(c->s, type))
			gql_fail(c, gql_place(v), "Unknown type \"%.*s\".",
				STR_ARG(gql_type_name(type)));
	}
	for (uint32_t i = 0; i < c->vars.len && !c->st; i++) {
		struct value v = c->vars.items[i],
			     first = gql_member(v, "DefaultValue");

		if (is_def(first))
			gql_walk_value(c, first, gql_expected(c, v));
		walk_directives(c, v, "VARIABLE_DEFINITION");
	}
}

/* What holds of the operation as a whole. */
static void check_operation(
	struct gql_check *c, struct value op, const struct gql_def *root)
{
	struct str kind = gql_text(op, "Operation"), name = name_of(op);

	if (!root)
		gql_fail(c, gql_place(op),
			"Schema does not support operation type \"%.*s\"",
			STR_ARG(kind));
	if (!name.len && c->operations.len > 1)
		gql_fail(c, gql_place(op),
			"This anonymous operation must be the only defined "
			"operation.");
	unused_variables(c, op);
	gql_merge(c, op, root);
	one_top_field(c, op);
	if (!builder_add(&c->op_names, v_str(c->a, name)))
		gql_fail(c, gql_place(op),
			"There can be only one operation named \"%.*s\".",
			STR_ARG(name));
	unique_nodes(
		c, op, "VariableDefinitions", "Variable", "variable named \"$");
	input_variables(c);
}

static void operation(struct gql_check *c, struct value op)
{
	struct str kind = gql_text(op, "Operation");
	const struct gql_def *root = NULL;
	const char *location = "QUERY";

	for (size_t i = 0; i < COUNT(operations); i++) {
		const struct value *v =
			(const void *)((const char *)c->s + operations[i].root);

		if (!str_is(kind.len ? kind : S("query"), operations[i].name))
			continue;
		location = operations[i].location;
		root = is_def(*v) ? gql_def_find(c->s, gql_str(*v)) : NULL;
	}
	c->op = op;
	c->walked = builder_set(c->a);
	c->vars = gql_list(op, "VariableDefinitions");
	c->used = ARENA_ARRAY(c->a, bool, c->vars.len + 1u);
	walk_variables(c);
	walk_directives(c, op, location);
	walk_selections(c, op, root);
	check_operation(c, op, root);
	c->op = v_undef;
}

/* --- the whole -------------------------------------------------------------
 */

/* __typename: String, which every type has. */
static enum bi_status typename_def(struct gql_check *c)
{
	static const char text[] = "type T { __typename: String }";
	struct value doc;
	enum bi_status st = gql_parse_schema(c->cx, str_from(text), &doc);

	if (st)
		return st;
	doc = gql_list(doc, "Definitions").items[0];
	c->typename = gql_list(doc, "Fields").items[0];
	return BI_OK;
}

static void check_start(struct gql_check *c, struct value doc)
{
	struct value old;

	c->operations = gql_list(doc, "Operations");
	c->fragments = gql_list(doc, "Fragments");
	c->by_name = builder_obj(c->a);
	c->spread = builder_set(c->a);
	c->named = builder_set(c->a);
	c->op_names = builder_set(c->a);
	c->misplaced = builder_set(c->a);
	c->bound = builder_obj(c->a);
	c->held_at = builder_obj(c->a);
	c->on_path = builder_obj(c->a);
	c->pairs = builder_obj(c->a);
	c->compared = builder_set(c->a);
	for (uint32_t i = 0; i < c->fragments.len; i++)
		builder_put(&c->by_name,
			v_str(c->a, name_of(c->fragments.items[i])),
			c->fragments.items[i], &old);
}

enum bi_status gql_check(struct bi_ctx *cx, const struct gql_schema *s,
	struct value doc, bool is_tree)
{
	struct gql_check c = {
		.cx = cx, .a = cx->arena, .s = s, .is_tree = is_tree};

	c.st = typename_def(&c);
	check_start(&c, doc);
	for (uint32_t i = 0; i < c.operations.len && !c.st; i++)
		operation(&c, c.operations.items[i]);
	for (uint32_t i = 0; i < c.fragments.len && !c.st; i++)
		fragment(&c, c.fragments.items[i]);
	if (!c.st && c.broken)
		c.st = errors_told(&c);
	buf_release(&c.errors);
	return c.st;
}
