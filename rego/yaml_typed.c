#include "rego/yaml_typed.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "rego/builtin/unicode.h"
#include "rego/value_impl.h"
#include "rego/yaml_tree.h"

enum { WRONG_MAX = 1000 }; /* lines of one error */

struct decoder {
	struct yreader t;
	struct arena *arena; /* of the values */
	struct buf wrong;    /* "\n  line 2: ..." */
	uint32_t nwrong;
	bool broken; /* t.e says how */
};

/* --- errors --------------------------------------------------------- */

static bool broken(struct decoder *d)
{
	d->broken = true;
	return false;
}

static void wrong(struct decoder *d, const char *fmt, ...) PRINTF(2, 3);
static void wrong(struct decoder *d, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (d->nwrong++ == WRONG_MAX) {
		ytree_fail(&d->t, "yaml: more than %d errors", WRONG_MAX);
		d->broken = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_addf(&d->wrong, "\n  %s", line);
}

static const char *type_name(enum ytype t)
{
	static const char *const names[] = {
		[YT_STRING] = "string",
		[YT_BOOL] = "bool",
		[YT_STRINGS] = "[]string",
		[YT_LIST] = "[]interface {}",
		[YT_MAPS] = "[]map[string]interface {}",
		[YT_MAP] = "map[string]interface {}",
		[YT_ANY] = "interface {}",
	};

	return names[t];
}

/* "line 3: cannot unmarshal !!int `12` into bool"; always false. */
static bool mismatch(struct decoder *d, const struct ynode *n, struct str tag,
	const char *type)
{
	struct str text = n->text;
	bool bare, cut = text.len > 10;

	if (n->tag.len)
		tag = n->tag;
	bare = str_is(tag, "!!seq") || str_is(tag, "!!map");
	if (bare || cut)
		text = str_slice(text, 0, bare ? 0 : 7);
	wrong(d, "line %u: cannot unmarshal %.*s%s%.*s%s%s into %s", n->line,
		STR_ARG(tag), bare ? "" : " `", STR_ARG(text),
		cut && !bare ? "..." : "", bare ? "" : "`", type);
	return false;
}

/* --- times ----------------------------------------------------------- */

struct clock_text {
	struct str s;
	size_t at;
};

/* A number of 1 to `max` digits, not above `most`; -1 when there is none. */
static int digits(struct clock_text *c, size_t max, int most)
{
	size_t from = c->at;
	int n = 0;

	while (c->at < c->s.len && c->at - from < max &&
		c->s.ptr[c->at] >= '0' && c->s.ptr[c->at] <= '9')
		n = n * 10 + (c->s.ptr[c->at++] - '0');
	return c->at == from || n > most ? -1 : n;
}

static bool skip(struct clock_text *c, char want)
{
	return c->at < c->s.len && c->s.ptr[c->at] == want && ++c->at;
}

static int month_days(int year, int month)
{
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (month == 2)
		return leap ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* ".250" as ".25"; false when a point has no digits behind it. */
static bool fraction(struct clock_text *c, struct buf *out)
{
	size_t from = c->at, to;

	if (!skip(c, '.') && !skip(c, ','))
		return true;
	while (c->at < c->s.len && c->s.ptr[c->at] >= '0' &&
		c->s.ptr[c->at] <= '9')
		c->at++;
	to = c->at < from + 10 ? c->at : from + 10; /* nanoseconds */
	if (c->at == from + 1)
		return false;
	while (to > from + 1 && c->s.ptr[to - 1] == '0')
		to--;
	if (to > from + 1)
		buf_addf(out, ".%.*s", (int)(to - from - 1),
			c->s.ptr + from + 1);
	return true;
}

/* "Z" or "+02:00". */
static bool zone(struct clock_text *c, struct buf *out)
{
	char sign = c->at < c->s.len ? c->s.ptr[c->at] : '\0';
	int hour, minute;

	if (skip(c, 'Z')) {
		buf_addc(out, 'Z');
		return true;
	}
	if (!skip(c, '+') && !skip(c, '-'))
		return false;
	hour = c->at + 2 < c->s.len ? digits(c, 2, 24) : -1;
	if (hour < 0 || !skip(c, ':') || c->s.len - c->at != 2)
		return false;
	minute = digits(c, 2, 59);
	if (minute < 0 || c->at != c->s.len)
		return false;
	if (hour || minute)
		buf_addf(out, "%c%02d:%02d", sign, hour, minute);
	else
		buf_addc(out, 'Z');
	return true;
}

static bool clock_time(struct clock_text *c, struct buf *out)
{
	bool iso = skip(c, 'T') || skip(c, 't');
	int hour, minute, second;

	if (!iso && !skip(c, ' '))
		return false;
	hour = digits(c, 2, 23);
	minute = skip(c, ':') ? digits(c, 2, 59) : -1;
	second = skip(c, ':') ? digits(c, 2, 59) : -1;
	if (hour < 0 || minute < 0 || second < 0)
		return false;
	buf_addf(out, "T%02d:%02d:%02d", hour, minute, second);
	if (!fraction(c, out))
		return false;
	if (iso)
		return zone(c, out);
	buf_addc(out, 'Z');
	return true;
}

/*
 * A time as go-yaml knows them, written as RFC 3339: 2001-2-3, the same with
 * " 4:05:06", with "T4:05:06Z" or "T4:05:06+02:00", and with fractions.
 */
static bool time_text(struct str s, struct buf *out)
{
	struct clock_text c = {.s = s};
	int year = digits(&c, 4, 9999), month, day;

	if (c.at != 4)
		return false;
	month = skip(&c, '-') ? digits(&c, 2, 12) : -1;
	day = skip(&c, '-') ? digits(&c, 2, 31) : -1;
	if (month < 1 || day < 1 || day > month_days(year, month))
		return false;
	buf_addf(out, "%04d-%02d-%02d", year, month, day);
	if (c.at == s.len)
		buf_adds(out, "T00:00:00Z");
	else if (!clock_time(&c, out))
		return false;
	return c.at == s.len;
}

/* --- scalars --------------------------------------------------------- */

/* A scalar, with times told apart: *when is their text, or undefined. */
static bool resolve(struct decoder *d, const struct ynode *n,
	struct yscalar *out, struct value *when)
{
	bool tagged = str_is(n->tag, "!!timestamp");
	struct buf text = {0};

	*when = v_undef;
	if ((tagged || (n->plain && !n->tag.len)) &&
		time_text(n->text, &text)) {
		*when = v_str(d->arena, buf_str(&text));
		when->spare = YAML_TIME;
		*out = (struct yscalar){.type = Y_STR, .s = n->text};
	}
	buf_release(&text);
	if (is_def(*when))
		return true;
	if (tagged) {
		ytree_fail(&d->t,
			"yaml: cannot decode !!str `%.*s` as a !!timestamp",
			STR_ARG(n->text));
		return broken(d);
	}
	return ytree_resolve(&d->t, n, out) || broken(d);
}

static bool is_word(struct str s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(s, words[i]))
			return true;
	return false;
}

/* Words that YAML 1.1 has for booleans count where a boolean is wanted. */
static bool bool_word(struct str s, struct value *out)
{
	static const char *const yes[] = {
		"y", "Y", "yes", "Yes", "YES", "on", "On", "ON"};
	static const char *const no[] = {
		"n", "N", "no", "No", "NO", "off", "Off", "OFF"};
	bool is_yes = is_word(s, yes, COUNT(yes));

	*out = v_bool(is_yes);
	return is_yes || is_word(s, no, COUNT(no));
}

static struct value text_value(struct decoder *d, struct str s)
{
	return v_str(d->arena, ytree_repaired(&d->t, s));
}

static struct value float_value(struct decoder *d, double f)
{
	struct buf text = {0};
	struct value v;

	if (!isfinite(f)) /* JSON has no number for it */
		return v_cstr(d->arena, isnan(f) ? "NaN"
					: f > 0  ? "+Inf"
						 : "-Inf");
	num_write_double(&text, f, FLOAT_G64);
	v = v_number(d->arena, text.ptr, text.len);
	buf_release(&text);
	return v;
}

static struct value any_scalar(struct decoder *d, const struct yscalar *s)
{
	switch (s->type) {
	case Y_NULL:
		return v_null;
	case Y_BOOL:
		return v_bool(s->b);
	case Y_INT:
		return v_int(s->i);
	case Y_UINT:
		return ytree_integer(d->arena, s->u);
	case Y_FLOAT:
		return float_value(d, s->d);
	case Y_STR:
	case Y_MERGE:
	default:
		return text_value(d, s->s);
	}
}

/* Null leaves a field as it is; a list drops it where its members can't be. */
static bool null_scalar(enum ytype type, struct value *out)
{
	*out = v_null;
	return type != YT_STRING && type != YT_BOOL;
}

static bool scalar(struct decoder *d, const struct ynode *n, enum ytype type,
	struct value *out)
{
	struct yscalar s;
	struct value when;

	if (!resolve(d, n, &s, &when))
		return false;
	if (s.type == Y_NULL)
		return null_scalar(type, out);
	if (type == YT_ANY) {
		*out = is_def(when) ? when : any_scalar(d, &s);
		return true;
	}
	if (type == YT_STRING) {
		*out = text_value(d, s.type == Y_STR ? s.s : n->text);
		return true;
	}
	if (type == YT_BOOL && s.type == Y_BOOL) {
		*out = v_bool(s.b);
		return true;
	}
	if (type == YT_BOOL && s.type == Y_STR && bool_word(s.s, out))
		return true;
	return mismatch(d, n,
		is_def(when) ? S("!!timestamp")
			     : str_from(ytree_type_tag(s.type)),
		type_name(type));
}

/* --- lists and maps --------------------------------------------------- */

static bool decode(
	struct decoder *d, struct ynode *n, enum ytype type, struct value *out);

static bool list(struct decoder *d, const struct ynode *n, enum ytype type,
	struct value *out)
{
	enum ytype member = type == YT_STRINGS ? YT_STRING
			    : type == YT_MAPS  ? YT_MAP
					       : YT_ANY;
	struct value *items;
	size_t len = 0;

	if (type != YT_STRINGS && type != YT_MAPS && type != YT_LIST &&
		type != YT_ANY)
		return mismatch(d, n, S("!!seq"), type_name(type));
	for (const struct ynode *m = n->first; m; m = m->next)
		len++;
	items = ARENA_ARRAY(d->arena, struct value, len);
	len = 0;
	for (struct ynode *m = n->first; m && !d->broken; m = m->next)
		len += decode(d, m, member, &items[len]);
	*out = v_arr(d->arena, items, len);
	return true;
}

/* One key of a map, with those that have the same text behind it. */
struct twin {
	const struct ynode *key;
	struct twin *next;
};

static void twins_wrong(struct decoder *d, const struct twin *t)
{
	struct buf text = {0};

	if (!t->next)
		return;
	quote_go(&text, t->key->text, false);
	for (const struct twin *u = t->next; u && !d->broken; u = u->next)
		wrong(d, "line %u: mapping key %s already defined at line %u",
			u->key->line, text.ptr, t->key->line);
	buf_release(&text);
}

/* Keys are the same when their nodes are of one kind and have one text. */
static bool keys_unique(struct decoder *d, const struct ynode *map)
{
	struct map last = {0};
	uint32_t before = d->nwrong;
	struct twin *all;
	size_t n = 0;

	for (const struct ynode *k = map->first; k; k = k->next->next)
		n++;
	all = ARENA_ARRAY(&d->t.nodes, struct twin, n);
	n = 0;
	for (const struct ynode *k = map->first; k; k = k->next->next, n++) {
		char *id = arena_printf(
			&d->t.nodes, "%d%.*s", (int)k->kind, STR_ARG(k->text));
		struct twin *twin;

		all[n].key = k;
		twin = map_set(&last, str_from(id), &all[n]);
		if (twin)
			twin->next = &all[n];
	}
	map_release(&last);
	for (size_t i = 0; i < n && !d->broken; i++)
		twins_wrong(d, &all[i]);
	return d->nwrong == before;
}

/*
 * Where the members of a map go: into `b`, or into the fields of a struct.
 * What is merged in does not replace what is there.
 */
struct members {
	const struct yfield *fields; /* of the struct, or NULL */
	size_t nfields;
	const char *type;
	struct value *values;
	uint32_t seen; /* fields, by bit */
	struct builder b;
	bool strings; /* keys are strings by type */
};

static void field(
	struct decoder *d, struct members *m, struct ynode *k, bool merging)
{
	struct value name = v_undef;

	if (!decode(d, k, YT_STRING, &name))
		return;
	for (size_t i = 0; i < m->nfields; i++) {
		if (!str_is(v_bytes(name), m->fields[i].name))
			continue;
		if (!(m->seen & 1u << i)) {
			struct value v = v_undef;

			m->seen |= 1u << i;
			if (decode(d, k->next, m->fields[i].type, &v) &&
				v.tag != V_NULL)
				m->values[i] = v;
		} else if (!merging) {
			wrong(d, "line %u: field %s already set in type %s",
				k->line, m->fields[i].name, m->type);
		}
	}
}

/* No map can have a list or a map as a key. */
static bool key_fits(struct decoder *d, struct value key)
{
	struct buf text = {0};

	if (key.tag != V_ARR && key.tag != V_OBJ)
		return true;
	ytree_go_syntax(&text, key);
	ytree_fail(&d->t, "yaml: invalid map key: %s", text.ptr);
	buf_release(&text);
	return broken(d);
}

static void member(
	struct decoder *d, struct members *m, struct ynode *k, bool merging)
{
	struct value key = v_undef, v = v_undef;

	if (!decode(d, k, m->strings ? YT_STRING : YT_ANY, &key) ||
		!key_fits(d, key))
		return;
	if (merging && builder_find(&m->b, key) >= 0)
		return;
	if (decode(d, k->next, YT_ANY, &v))
		builder_set_key(&m->b, key, v);
}

static void merge_one(struct decoder *d, struct members *m, struct ynode *n);

/* False when keys are repeated: then there are no members. */
static bool members(struct decoder *d, struct members *m,
	const struct ynode *map, bool merging)
{
	struct ynode *merged = NULL;

	if (!keys_unique(d, map))
		return false;
	for (struct ynode *k = map->first; k && !d->broken; k = k->next->next) {
		if (ynode_is_merge(k))
			merged = k->next;
		else if (m->fields)
			field(d, m, k, merging);
		else
			member(d, m, k, merging);
	}
	if (merged && merged->kind != N_SEQ)
		merge_one(d, m, merged);
	else if (merged)
		for (struct ynode *n = merged->first; n; n = n->next)
			merge_one(d, m, n);
	return true;
}

static void merge_one(struct decoder *d, struct members *m, struct ynode *n)
{
	const struct ynode *map = n->kind == N_ALIAS ? n->target : n;
	bool alias = n->kind == N_ALIAS;

	if (d->broken)
		return;
	if (map->kind != N_MAP) {
		ytree_fail(&d->t, "yaml: map merge requires map or sequence "
				  "of maps as the value");
		broken(d);
		return;
	}
	if (!ytree_count(&d->t) || !ytree_deeper(&d->t) ||
		(alias && !ytree_follow(&d->t, n))) {
		broken(d);
		return;
	}
	members(d, m, map, true);
	if (alias)
		ytree_leave(&d->t, n);
	d->t.depth--;
}

static bool string_keys(struct decoder *d, const struct ynode *map)
{
	struct buf text = {0};
	bool ok = ytree_string_keys(&d->t, map);

	for (const struct ynode *k = map->first; k && ok; k = k->next->next)
		ok = !k->plain || k->tag.len || !time_text(k->text, &text);
	buf_release(&text);
	return ok;
}

static bool map(struct decoder *d, const struct ynode *n, enum ytype type,
	struct value *out)
{
	struct members m = {.b = builder_obj(d->arena)};

	if (type != YT_MAP && type != YT_ANY)
		return keys_unique(d, n) &&
		       mismatch(d, n, S("!!map"), type_name(type));
	m.strings = type == YT_MAP || string_keys(d, n);
	if (!members(d, &m, n, false))
		return false;
	*out = builder_done(&m.b);
	return true;
}

static bool decode(
	struct decoder *d, struct ynode *n, enum ytype type, struct value *out)
{
	bool ok;

	if (d->broken || !ytree_count(&d->t) || !ytree_deeper(&d->t))
		return broken(d);
	switch (n->kind) {
	case N_ALIAS:
		if (!ytree_follow(&d->t, n))
			return broken(d);
		ok = decode(d, n->target, type, out);
		ytree_leave(&d->t, n);
		break;
	case N_SEQ:
		ok = list(d, n, type, out);
		break;
	case N_MAP:
		ok = map(d, n, type, out);
		break;
	case N_SCALAR:
	default:
		ok = scalar(d, n, type, out);
		break;
	}
	d->t.depth--;
	return ok && !d->broken;
}

/* --- documents --------------------------------------------------------- */

/* The document itself, which is the struct. */
static void document(struct decoder *d, struct ynode *n, struct members *m)
{
	struct yscalar s;
	struct value when;

	if (n->kind == N_MAP)
		members(d, m, n, false);
	else if (n->kind == N_SEQ)
		mismatch(d, n, S("!!seq"), m->type);
	else if (resolve(d, n, &s, &when) && s.type != Y_NULL)
		mismatch(d, n,
			is_def(when) ? S("!!timestamp")
				     : str_from(ytree_type_tag(s.type)),
			m->type);
}

bool yaml_read_typed(struct arena *a, struct str text, const char *type,
	const struct yfield *fields, size_t n, struct value *values,
	const char **why)
{
	struct json_error e;
	struct decoder d = {.t.e = &e, .arena = a};
	struct members m = {
		.fields = fields,
		.nfields = n,
		.type = type,
		.values = values,
	};
	struct ynode *root = NULL;

	for (size_t i = 0; i < n; i++)
		values[i] = v_undef;
	*why = NULL;
	d.broken = !ytree_read(&d.t, text, false, &root);
	if (!d.broken && root)
		document(&d, root, &m);
	if (d.broken)
		*why = arena_strdup(a, str_from(e.text));
	else if (d.nwrong)
		*why = arena_printf(a, "yaml: unmarshal errors:%.*s",
			STR_ARG(buf_str(&d.wrong)));
	buf_release(&d.wrong);
	ytree_release(&d.t);
	return !*why;
}

/* --- values as Go shows them ------------------------------------------- */

/* "2001-02-03T04:05:06Z" as "2001-02-03 04:05:06 +0000 UTC". */
static void show_time(struct buf *out, struct str s)
{
	bool utc = str_ends(s, S("Z"));
	size_t end = s.len - (utc ? 1 : 6);

	buf_addf(out, "%.10s %.*s", s.ptr, (int)(end - 11), s.ptr + 11);
	if (utc)
		buf_adds(out, " +0000 UTC");
	else
		for (int i = 0; i < 2; i++)
			buf_addf(
				out, " %.3s%.2s", s.ptr + end, s.ptr + end + 4);
}

static void show_number(struct buf *out, struct value v)
{
	char tmp[24];

	buf_addf(out, "%%!s(%s=%.*s)", v.tag == V_INT ? "int" : "float64",
		STR_ARG(num_text(v, tmp)));
}

static void show_inside(struct buf *out, struct value v)
{
	if (v.tag == V_NULL)
		buf_adds(out, "<nil>");
	else
		yaml_show(out, v);
}

void yaml_show(struct buf *out, struct value v)
{
	switch (v.tag) {
	case V_STR:
		if (v.spare == YAML_TIME)
			show_time(out, v_bytes(v));
		else
			buf_addstr(out, v_bytes(v));
		break;
	case V_INT:
	case V_NUM:
		show_number(out, v);
		break;
	case V_ARR:
		buf_addc(out, '[');
		for (uint32_t i = 0; i < v.arr->len; i++) {
			buf_adds(out, i ? " " : "");
			show_inside(out, v.arr->items[i]);
		}
		buf_addc(out, ']');
		break;
	case V_OBJ:
		buf_adds(out, "map[");
		for (uint32_t i = 0; i < v.obj->len; i++) {
			buf_adds(out, i ? " " : "");
			show_inside(out, v.obj->keys->items[i]);
			buf_addc(out, ':');
			show_inside(out, v.obj->vals[i]);
		}
		buf_addc(out, ']');
		break;
	case V_TRUE:
	case V_FALSE:
		buf_addf(out, "%%!s(bool=%s)",
			v.tag == V_TRUE ? "true" : "false");
		break;
	default:
		buf_adds(out, "%!s(<nil>)");
		break;
	}
}
