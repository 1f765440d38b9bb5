/*
 * YAML as OPA reads data: the nodes of yaml_tree.h become values, as OPA turns
 * them into JSON (OPA 1.21 and later): keys become strings, of two that are
 * the same the last one wins.
 */
#include "base/map.h"
#include "rego/value_impl.h"
#include "rego/yaml_tree.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct converter {
	struct yreader t;
	struct arena *arena; /* of the result */
	struct symtab *syms;
	/* Found while nodes become values, reported when all have. */
	char bad_key[256], bad_float[64];
};

/* --- scalars ------------------------------------------------------- */

static struct value float_value(struct converter *r, double d)
{
	if (isfinite(d))
		return ytree_float(r->arena, d);
	snprintf(r->bad_float, sizeof(r->bad_float),
		"json: unsupported value: %s",
		isnan(d) ? "NaN"
		: d > 0  ? "+Inf"
			 : "-Inf");
	return v_null;
}

static bool scalar_value(
	struct converter *r, const struct ynode *n, struct value *out)
{
	struct yscalar s;

	if (!ytree_resolve(&r->t, n, &s))
		return false;
	switch (s.type) {
	case Y_NULL:
		*out = v_null;
		return true;
	case Y_BOOL:
		*out = v_bool(s.b);
		return true;
	case Y_INT:
		*out = v_int(s.i);
		return true;
	case Y_UINT:
		*out = ytree_integer(r->arena, s.u);
		return true;
	case Y_FLOAT:
		*out = float_value(r, s.d);
		return true;
	case Y_STR:
	case Y_MERGE:
	default:
		*out = v_str(r->arena, ytree_repaired(&r->t, s.s));
		return true;
	}
}

/* --- keys ---------------------------------------------------------- */

static bool key_float(struct converter *r, double d, struct str *out)
{
	struct buf text = {0};

	if (isnan(d)) {
		*out = S(".nan");
	} else if (!isfinite((double)(float)d)) {
		*out = d > 0 ? S(".inf") : S("-.inf");
	} else {
		num_write_double(&text, d, FLOAT_G32);
		*out = ytree_keep(&r->t, text.ptr, text.len);
		buf_release(&text);
	}
	return true;
}

static bool convert(struct converter *r, struct ynode *n, struct value *out);

/* A key that is a collection: no map can have it. */
static bool bad_key(struct converter *r, struct ynode *n, bool raw)
{
	const struct ynode *target = n->kind == N_ALIAS ? n->target : n;
	struct buf text = {0};
	struct value v;

	if (raw)
		return ytree_fail(&r->t,
			"yaml: unmarshal errors:\n  line %u: cannot unmarshal "
			"%s into string",
			target->line,
			target->kind == N_MAP ? "!!map" : "!!seq");
	if (!convert(r, n, &v))
		return false;
	ytree_go_syntax(&text, v);
	ytree_fail(&r->t, "yaml: invalid map key: %s", text.ptr);
	buf_release(&text);
	return false;
}

/* Null as a key can be decoded, but is no string. */
static void null_key(struct converter *r, struct value v)
{
	struct buf text = {0};

	if (*r->bad_key)
		return;
	ytree_go_syntax(&text, v);
	snprintf(r->bad_key, sizeof(r->bad_key),
		"unsupported map key of type: %%!s(<nil>), key: <nil>, "
		"value: %s",
		v.tag == V_NULL ? "<nil>" : text.ptr);
	buf_release(&text);
}

/*
 * The string that a key becomes; *null when it is null. `raw`: the map has
 * been found to have only strings as keys, and what is merged into it keeps
 * its text then.
 */
static bool key_string(struct converter *r, struct ynode *n, bool raw,
	struct str *out, bool *null)
{
	const struct ynode *target = n->kind == N_ALIAS ? n->target : n;
	struct yscalar s;

	*null = false;
	if (target->kind != N_SCALAR)
		return bad_key(r, n, raw);
	if (!ytree_resolve(&r->t, target, &s))
		return false;
	*out = ytree_repaired(&r->t, s.s);
	*null = s.type == Y_NULL;
	if (raw || s.type == Y_NULL || s.type == Y_STR || s.type == Y_MERGE)
		return true;
	if (s.type == Y_FLOAT)
		return key_float(r, s.d, out);
	if (s.type == Y_BOOL)
		*out = s.b ? S("true") : S("false");
	else if (s.type == Y_INT)
		*out = str_from(
			arena_printf(&r->t.nodes, "%lld", (long long)s.i));
	else
		*out = str_from(arena_printf(
			&r->t.nodes, "%llu", (unsigned long long)s.u));
	return true;
}

/* A number of 1 to `max` digits at *i; *i moves behind it. */
static bool digits_at(struct str s, size_t *i, size_t max, unsigned *n)
{
	size_t from = *i;

	for (*n = 0; *i < s.len && *i - from < max && s.ptr[*i] >= '0' &&
		     s.ptr[*i] <= '9';
		(*i)++)
		*n = *n * 10 + (unsigned)(s.ptr[*i] - '0');
	return *i > from;
}

static bool dash_at(struct str s, size_t *i)
{
	return *i < s.len && s.ptr[(*i)++] == '-';
}

/* "2001-2-3", perhaps with a time: what go-yaml takes for a date. */
static bool like_date(struct str s)
{
	unsigned year, month, day;
	size_t i = 0;
	char c;

	if (s.len < 8 || s.ptr[4] != '-' || !digits_at(s, &i, 4, &year) ||
		!dash_at(s, &i) || !digits_at(s, &i, 2, &month) ||
		!dash_at(s, &i) || !digits_at(s, &i, 2, &day))
		return false;
	c = i < s.len ? s.ptr[i] : '\0';
	return month >= 1 && month <= 12 && day >= 1 && day <= 31 &&
	       (!c || c == ' ' || c == 't' || c == 'T');
}

/*
 * Keys of which OPA lets the last one win are those that have a text as JSON
 * keys from the start. The others may not be repeated.
 */
static bool may_repeat(struct converter *r, const struct ynode *k)
{
	struct yscalar s;

	if (k->kind != N_SCALAR || str_is(k->text, "<<"))
		return false;
	if (k->plain && !k->tag.len && like_date(k->text))
		return false;
	return !ytree_resolve(&r->t, k, &s) || s.type != Y_NULL;
}

static bool check_unique(struct converter *r, const struct ynode *map)
{
	const struct ynode *before = NULL, *k;
	struct map seen = {0};
	bool merges = false;

	for (k = map->first; k; k = k->next->next) {
		char *id;

		if (may_repeat(r, k) || (ynode_is_merge(k) && merges))
			continue;
		merges = merges || ynode_is_merge(k);
		id = arena_printf(
			&r->t.nodes, "%d%.*s", (int)k->kind, STR_ARG(k->text));
		before = map_set(&seen, str_from(id), (void *)(uintptr_t)k);
		if (before)
			break;
	}
	map_release(&seen);
	return !k || ytree_fail(&r->t,
			     "yaml: unmarshal errors:\n  line %u: mapping key "
			     "\"%.*s\" already defined at line %u",
			     k->line, STR_ARG(k->text), before->line);
}

/* --- values -------------------------------------------------------- */
static bool convert_list(
	struct converter *r, const struct ynode *list, struct value *out)
{
	size_t n = 0, i = 0;
	struct value *items;

	for (const struct ynode *m = list->first; m; m = m->next)
		n++;
	items = ARENA_ARRAY(r->arena, struct value, n ? n : 1);
	for (struct ynode *m = list->first; m; m = m->next) {
		if (!convert(r, m, &items[i++]))
			return false;
	}
	*out = v_arr(r->arena, items, n);
	return true;
}

static struct value key_value(struct converter *r, struct str s)
{
	return r->syms ? sym_intern(r->syms, s.ptr, s.len) : v_str(r->arena, s);
}

static bool merge_one(
	struct converter *r, struct ynode *n, bool raw, struct builder *b);

/* The key `k` and its value, unless it is merged and already there. */
static bool add_member(struct converter *r, struct ynode *k, bool raw,
	bool merging, struct builder *b)
{
	struct value key, v = v_null;
	struct str name = {0};
	bool null;

	if (!ytree_count(&r->t) || !key_string(r, k, raw, &name, &null))
		return false;
	if ((null && raw) || (merging && str_is(name, "<<")))
		return true; /* go-yaml drops these */
	key = key_value(r, name);
	if (merging && builder_find(b, key) >= 0)
		return true;
	if (!convert(r, k->next, &v))
		return false;
	if (null)
		null_key(r, v);
	builder_set_key(b, key, v);
	return true;
}

/*
 * The members of `map`. `merging`: it is merged into another, whose members
 * stay. Its own merge keys come after its members.
 */
static bool add_members(struct converter *r, const struct ynode *map, bool raw,
	bool merging, struct builder *b)
{
	for (struct ynode *k = map->first; k; k = k->next->next) {
		if (!ynode_is_merge(k) && !add_member(r, k, raw, merging, b))
			return false;
	}
	for (struct ynode *k = map->first; k; k = k->next->next) {
		if (ynode_is_merge(k) && !merge_one(r, k->next, raw, b))
			return false;
	}
	return true;
}

static bool not_a_map(struct converter *r)
{
	return ytree_fail(&r->t,
		"yaml: map merge requires map or sequence of maps as "
		"the value");
}

static bool merge_map(
	struct converter *r, struct ynode *n, bool raw, struct builder *b)
{
	bool ok;

	if (n->kind != N_ALIAS)
		return n->kind == N_MAP
			       ? ytree_deeper(&r->t) && ytree_count(&r->t) &&
					 check_unique(r, n) &&
					 add_members(r, n, raw, true, b) &&
					 r->t.depth--
			       : not_a_map(r);
	if (n->target->kind != N_MAP)
		return not_a_map(r);
	if (!ytree_count(&r->t) || !ytree_follow(&r->t, n))
		return false;
	ok = merge_map(r, n->target, raw, b);
	ytree_leave(&r->t, n);
	return ok;
}

/* The value of a merge key: a map, an alias of one, or a list of these. */
static bool merge_one(
	struct converter *r, struct ynode *n, bool raw, struct builder *b)
{
	if (n->kind != N_SEQ)
		return merge_map(r, n, raw, b);
	for (struct ynode *m = n->first; m; m = m->next) {
		if (!merge_map(r, m, raw, b))
			return false;
	}
	return true;
}

static bool convert_map(
	struct converter *r, const struct ynode *map, struct value *out)
{
	struct builder b = builder_obj(r->arena);

	if (!check_unique(r, map) ||
		!add_members(r, map, ytree_string_keys(&r->t, map), false, &b))
		return false;
	*out = builder_done(&b);
	return true;
}

static bool convert(struct converter *r, struct ynode *n, struct value *out)
{
	bool ok;

	if (!ytree_count(&r->t) || !ytree_deeper(&r->t))
		return false;
	switch (n->kind) {
	case N_ALIAS:
		if (!ytree_follow(&r->t, n))
			return false;
		ok = convert(r, n->target, out);
		ytree_leave(&r->t, n);
		break;
	case N_SEQ:
		ok = convert_list(r, n, out);
		break;
	case N_MAP:
		ok = convert_map(r, n, out);
		break;
	case N_SCALAR:
	default:
		ok = scalar_value(r, n, out);
		break;
	}
	r->t.depth--;
	return ok;
}

bool yaml_parse(struct arena *a, struct symtab *t, struct str text,
	struct value *out, struct json_error *e)
{
	struct json_error ignored;
	struct converter r = {.t.e = e ? e : &ignored, .arena = a, .syms = t};
	struct ynode *root = NULL;
	struct value v = v_null;
	bool ok;

	ok = ytree_read(&r.t, text, true, &root) &&
	     (!root || convert(&r, root, &v)) &&
	     (!*r.bad_key || ytree_fail(&r.t, "%s", r.bad_key)) &&
	     (!*r.bad_float || ytree_fail(&r.t, "%s", r.bad_float));
	if (ok)
		*out = v;
	ytree_release(&r.t);
	return ok;
}
