/*
 * YAML as OPA reads data: libyaml's events become a tree of nodes, the tree
 * becomes values. What a scalar means, how merge keys and aliases work and
 * what is refused follows go.yaml.in/yaml v3 and OPA's conversion of its
 * result to JSON (OPA 1.21 and later).
 */
#include "rego/value_impl.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/map.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* Aliases can nest nodes deeper than the text does. */
enum { CONVERT_DEPTH = 1000 };

enum kind { N_SCALAR, N_SEQ, N_MAP, N_ALIAS };

struct node {
	enum kind kind;
	bool plain;                       /* a scalar without quotes */
	bool open;                        /* an alias that is being followed */
	uint32_t line;                    /* from 1 */
	struct str text, tag;             /* tag: short form, empty for none */
	struct node *first, *last, *next; /* members; keys and values */
	struct node *target;              /* of an alias */
};

enum type { T_NULL, T_BOOL, T_INT, T_UINT, T_FLOAT, T_STR, T_MERGE };

struct scalar {
	enum type type;
	bool b;
	int64_t i;
	uint64_t u;
	double d;
	struct str s;
};

struct reader {
	struct arena *arena, nodes; /* of the result; of the tree */
	struct symtab *syms;
	yaml_parser_t parser;
	struct map anchors;
	uint32_t events;
	size_t decoded, aliased; /* nodes converted; of these, below aliases */
	uint32_t depth, alias_depth;
	/* Found while nodes become values, reported when all have. */
	char bad_key[256], bad_float[64];
	struct json_error *e;
};

/* --- errors -------------------------------------------------------- */

static bool fail(struct reader *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static bool fail(struct reader *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->e->text, sizeof(r->e->text), fmt, ap);
	va_end(ap);
	return false;
}

static bool fail_at(struct reader *r, yaml_mark_t mark)
{
	r->e->offset = mark.index;
	r->e->row = (uint32_t)mark.line + 1;
	r->e->col = (uint32_t)mark.column + 1;
	return false;
}

/*
 * The line that Go's library names: of the context if there is one, counted
 * from 0 except for the scanner's errors, and left out when 0.
 */
static bool fail_parser(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	size_t line = p->context_mark.line ? p->context_mark.line
					   : p->problem_mark.line;
	const char *problem = p->problem
				      ? p->problem
				      : "unknown problem parsing YAML content";

	if (line && p->error == YAML_SCANNER_ERROR)
		line++;
	if (line)
		fail(r, "yaml: line %zu: %s", line, problem);
	else
		fail(r, "yaml: %s", problem);
	return fail_at(r, p->problem_mark);
}

/* --- nodes --------------------------------------------------------- */

static struct str keep(struct reader *r, const void *text, size_t len)
{
	return arena_str(&r->nodes, (struct str){text, len});
}

static struct str short_tag(struct reader *r, const unsigned char *tag)
{
	const struct str prefix = STR("tag:yaml.org,2002:");
	struct str s = str_from((const char *)tag);

	if (!s.len || str_is(s, "!"))
		return (struct str){0};
	if (!str_starts(s, prefix))
		return keep(r, s.ptr, s.len);
	s = str_slice(s, prefix.len, s.len);
	return str_from(arena_printf(&r->nodes, "!!%.*s", STR_ARG(s)));
}

static struct node *node_new(struct reader *r, enum kind kind,
	const yaml_event_t *ev, const unsigned char *tag,
	const unsigned char *anchor)
{
	struct node *n = ARENA_NEW(&r->nodes, struct node);
	struct str name = str_from((const char *)anchor);

	n->kind = kind;
	n->line = (uint32_t)ev->start_mark.line + 1;
	n->tag = short_tag(r, tag);
	if (anchor)
		map_set(&r->anchors, keep(r, name.ptr, name.len), n);
	return n;
}

static struct node *alias_new(struct reader *r, const yaml_event_t *ev)
{
	struct str name = str_from((const char *)ev->data.alias.anchor);
	struct node *target = map_get(&r->anchors, name), *n;

	if (!target) {
		fail(r, "yaml: unknown anchor '%.*s' referenced",
			STR_ARG(name));
		fail_at(r, ev->start_mark);
		return NULL;
	}
	n = node_new(r, N_ALIAS, ev, NULL, NULL);
	n->text = keep(r, name.ptr, name.len);
	n->target = target;
	return n;
}

static struct node *scalar_new(struct reader *r, const yaml_event_t *ev)
{
	struct node *n = node_new(
		r, N_SCALAR, ev, ev->data.scalar.tag, ev->data.scalar.anchor);

	n->text = keep(r, ev->data.scalar.value, ev->data.scalar.length);
	n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return n;
}

/* The node that the event begins, or NULL with an error. */
static struct node *event_node(struct reader *r, const yaml_event_t *ev)
{
	if (ev->type == YAML_ALIAS_EVENT)
		return alias_new(r, ev);
	if (ev->type == YAML_SCALAR_EVENT)
		return scalar_new(r, ev);
	if (ev->type == YAML_SEQUENCE_START_EVENT)
		return node_new(r, N_SEQ, ev, ev->data.sequence_start.tag,
			ev->data.sequence_start.anchor);
	return node_new(r, N_MAP, ev, ev->data.mapping_start.tag,
		ev->data.mapping_start.anchor);
}

static void append(struct node *parent, struct node *n)
{
	if (parent->last)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
}

/* The collections around the place that has been read up to. */
struct path {
	struct node *open[LIMIT_YAML_DEPTH];
	uint32_t n;
	struct node *root; /* of the first document */
	uint32_t documents;
};

static bool path_add(struct reader *r, struct path *p, const yaml_event_t *ev)
{
	struct node *n = event_node(r, ev);

	if (!n)
		return false;
	if (p->n)
		append(p->open[p->n - 1], n);
	else if (p->documents == 1)
		p->root = n;
	if (n->kind != N_SEQ && n->kind != N_MAP)
		return true;
	if (p->n == LIMIT_YAML_DEPTH) {
		fail(r, "yaml: exceeded max depth of %u", LIMIT_YAML_DEPTH);
		return fail_at(r, ev->start_mark);
	}
	p->open[p->n++] = n;
	return true;
}

static bool take_event(struct reader *r, struct path *p, const yaml_event_t *ev)
{
	switch ((int)ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		p->documents++;
		return true;
	case YAML_SCALAR_EVENT:
	case YAML_ALIAS_EVENT:
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return path_add(r, p, ev);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		p->n--;
		return true;
	default:
		return true;
	}
}

/*
 * Read the whole stream, since what is broken after the first document makes
 * the text invalid too; only the first one is kept. *root is NULL for none.
 */
static bool read_stream(struct reader *r, struct node **root)
{
	struct path path = {.n = 0};
	bool ok = true, end = false;

	while (ok && !end) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&r->parser, &ev))
			return fail_parser(r);
		end = ev.type == YAML_STREAM_END_EVENT;
		if (++r->events > LIMIT_YAML_EVENTS) {
			fail(r, "yaml: more than %u events", LIMIT_YAML_EVENTS);
			ok = fail_at(r, ev.start_mark);
		} else {
			ok = take_event(r, &path, &ev);
		}
		yaml_event_delete(&ev);
	}
	*root = path.root;
	return ok;
}

/* --- scalars ------------------------------------------------------- */

/* A whole number as Go's ParseInt and ParseUint with base 0 take it. */
static bool scan_int(const char *p, struct scalar *out)
{
	bool neg = *p == '-', sign = neg || *p == '+';
	unsigned base = 10;
	uint64_t u = 0;

	p += sign;
	if (p[0] == '0' && p[1]) {
		char c = (char)(p[1] | 0x20);

		base = 8;
		if (p[2] && (c == 'x' || c == 'o' || c == 'b'))
			base = c == 'x' ? 16 : c == 'o' ? 8 : 2;
		p += p[2] && (c == 'x' || c == 'o' || c == 'b') ? 2 : 1;
	}
	if (!*p)
		return false;
	for (; *p; p++) {
		char c = (char)(*p | 0x20);
		unsigned d = 99;

		if (*p >= '0' && *p <= '9')
			d = (unsigned)(*p - '0');
		else if (c >= 'a' && c <= 'f')
			d = (unsigned)(c - 'a') + 10;
		if (d >= base || __builtin_mul_overflow(u, base, &u) ||
			__builtin_add_overflow(u, d, &u))
			return false;
	}
	if (u <= (uint64_t)INT64_MAX + neg) {
		out->type = T_INT;
		out->i = neg ? (int64_t)(0 - u) : (int64_t)u;
		return true;
	}
	out->type = T_UINT;
	out->u = u;
	return !sign;
}

static const char *skip_digits(const char *p)
{
	while (*p >= '0' && *p <= '9')
		p++;
	return p;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool scan_float(const char *text, struct scalar *out)
{
	const char *p = text + (*text == '-' || *text == '+');
	const char *from = p;
	size_t ndigits;

	p = skip_digits(p);
	ndigits = (size_t)(p - from);
	if (*p == '.') {
		from = p + 1;
		p = skip_digits(from);
		ndigits += (size_t)(p - from);
	}
	if (!ndigits)
		return false;
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '-' || *p == '+';
		from = p;
		p = skip_digits(p);
		if (p == from)
			return false;
	}
	if (*p)
		return false;
	out->type = T_FLOAT;
	out->d = strtod(text, NULL);
	return isfinite(out->d); /* Go refuses what is out of range */
}

/* Words that mean something; the rest of the core schema has rules. */
static bool scan_word(struct str s, struct scalar *out)
{
	static const struct {
		const char *text;
		enum type type;
		bool b;
		double d;
	} words[] = {
		{"", T_NULL, 0, 0},
		{"~", T_NULL, 0, 0},
		{"null", T_NULL, 0, 0},
		{"Null", T_NULL, 0, 0},
		{"NULL", T_NULL, 0, 0},
		{"true", T_BOOL, 1, 0},
		{"True", T_BOOL, 1, 0},
		{"TRUE", T_BOOL, 1, 0},
		{"false", T_BOOL, 0, 0},
		{"False", T_BOOL, 0, 0},
		{"FALSE", T_BOOL, 0, 0},
		{".nan", T_FLOAT, 0, (double)NAN},
		{".NaN", T_FLOAT, 0, (double)NAN},
		{".NAN", T_FLOAT, 0, (double)NAN},
		{".inf", T_FLOAT, 0, (double)INFINITY},
		{".Inf", T_FLOAT, 0, (double)INFINITY},
		{".INF", T_FLOAT, 0, (double)INFINITY},
		{"+.inf", T_FLOAT, 0, (double)INFINITY},
		{"+.Inf", T_FLOAT, 0, (double)INFINITY},
		{"+.INF", T_FLOAT, 0, (double)INFINITY},
		{"-.inf", T_FLOAT, 0, -(double)INFINITY},
		{"-.Inf", T_FLOAT, 0, -(double)INFINITY},
		{"-.INF", T_FLOAT, 0, -(double)INFINITY},
	};

	for (size_t i = 0; i < COUNT(words); i++) {
		if (!str_is(s, words[i].text))
			continue;
		out->type = words[i].type;
		out->b = words[i].b;
		out->d = words[i].d;
		return true;
	}
	return false;
}

/* What a scalar is that carries no tag: the core schema, as Go has it. */
static void resolve_plain(struct reader *r, struct str s, struct scalar *out)
{
	char *bare, *to;
	char c = s.len ? s.ptr[0] : '\0';

	if (memchr(s.ptr, '\0', s.len) || scan_word(s, out))
		return;
	if (c == '.') {
		if (!scan_float(s.ptr, out))
			out->type = T_STR;
		return;
	}
	if (c != '-' && c != '+' && (c < '0' || c > '9'))
		return;
	to = bare = arena_strdup(&r->nodes, s);
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] != '_')
			*to++ = s.ptr[i];
	}
	*to = '\0';
	if (!scan_int(bare, out) && !scan_float(bare, out))
		out->type = T_STR;
}

static const char *type_tag(enum type t)
{
	static const char *const tags[] = {
		[T_NULL] = "!!null",
		[T_BOOL] = "!!bool",
		[T_INT] = "!!int",
		[T_UINT] = "!!int",
		[T_FLOAT] = "!!float",
		[T_STR] = "!!str",
		[T_MERGE] = "!!merge",
	};

	return tags[t];
}

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Standard alphabet with padding; line ends may stand anywhere. */
static bool decode_base64(struct reader *r, struct str s, struct str *out)
{
	char *to = arena_raw(&r->nodes, s.len + 1);
	uint32_t bits = 0;
	size_t n = 0, len = 0, pad = 0;

	for (size_t i = 0; i < s.len; i++) {
		int d = base64_digit(s.ptr[i]);

		if (s.ptr[i] == '\n' || s.ptr[i] == '\r')
			continue;
		if (s.ptr[i] == '=')
			pad++;
		else if (d < 0 || pad)
			return false;
		bits = bits << 6 | (d < 0 ? 0u : (uint32_t)d);
		if (++n % 4 == 0) {
			to[len++] = (char)(bits >> 16);
			to[len++] = (char)(bits >> 8);
			to[len++] = (char)bits;
		}
	}
	if (n % 4 || pad > 2 || pad > len)
		return false;
	*out = (struct str){to, len - pad};
	return true;
}

/* A tag that asks for another type than the text has. */
static bool resolve_tagged(
	struct reader *r, const struct node *n, struct scalar *out)
{
	static const char *const known[] = {
		"!!bool", "!!int", "!!float", "!!null"};
	bool resolvable = false;

	for (size_t i = 0; i < COUNT(known); i++)
		resolvable = resolvable || str_is(n->tag, known[i]);
	if (str_is(n->tag, "!!timestamp"))
		return fail(r,
			"yaml: line %u: the tag !!timestamp is not "
			"supported",
			n->line);
	if (str_is(n->tag, "!!binary"))
		return decode_base64(r, n->text, &out->s) ||
		       fail(r, "yaml: !!binary value contains invalid base64 "
			       "data");
	if (!resolvable)
		return true; /* "!mine text" is the text */
	resolve_plain(r, n->text, out);
	if (str_is(n->tag, "!!float") && out->type == T_INT) {
		out->type = T_FLOAT;
		out->d = (double)out->i;
	}
	if (str_is(n->tag, type_tag(out->type)))
		return true;
	return fail(r, "yaml: cannot decode %s `%.*s` as a %.*s",
		type_tag(out->type), STR_ARG(n->text), STR_ARG(n->tag));
}

static bool resolve(struct reader *r, const struct node *n, struct scalar *out)
{
	*out = (struct scalar){.type = T_STR, .s = n->text};
	if (n->tag.len)
		return str_is(n->tag, "!!str") || resolve_tagged(r, n, out);
	if (!n->plain)
		return true;
	if (str_is(n->text, "<<"))
		out->type = T_MERGE; /* as a value it is the text */
	else
		resolve_plain(r, n->text, out);
	return true;
}

static bool is_merge(const struct node *n)
{
	return n->kind == N_SCALAR && str_is(n->text, "<<") &&
	       (n->tag.len ? str_is(n->tag, "!!merge") : n->plain);
}

static struct value integer_value(struct arena *a, uint64_t u)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)u);

	return v_number(a, text, (size_t)n);
}

static struct value float_value(struct reader *r, double d)
{
	struct buf text = {0};
	struct value v;

	if (!isfinite(d)) {
		snprintf(r->bad_float, sizeof(r->bad_float),
			"json: unsupported value: %s",
			isnan(d) ? "NaN"
			: d > 0  ? "+Inf"
				 : "-Inf");
		return v_null;
	}
	num_write_double(&text, d, FLOAT_JSON);
	v = v_number(r->arena, text.ptr, text.len);
	buf_release(&text);
	return v;
}

/* Bytes that are not UTF-8 do not survive the way through JSON. */
static struct str repaired(struct reader *r, struct str s)
{
	struct buf b = {0};

	if (utf8_valid(s.ptr, s.len))
		return s;
	for (size_t i = 0; i < s.len;) {
		uint32_t cp;

		i += utf8_decode(s.ptr + i, s.len - i, &cp);
		buf_addcp(&b, cp);
	}
	s = keep(r, b.ptr, b.len);
	buf_release(&b);
	return s;
}

static bool scalar_value(
	struct reader *r, const struct node *n, struct value *out)
{
	struct scalar s;

	if (!resolve(r, n, &s))
		return false;
	switch (s.type) {
	case T_NULL:
		*out = v_null;
		return true;
	case T_BOOL:
		*out = v_bool(s.b);
		return true;
	case T_INT:
		*out = v_int(s.i);
		return true;
	case T_UINT:
		*out = integer_value(r->arena, s.u);
		return true;
	case T_FLOAT:
		*out = float_value(r, s.d);
		return true;
	case T_STR:
	case T_MERGE:
	default:
		*out = v_str(r->arena, repaired(r, s.s));
		return true;
	}
}

/* --- keys ---------------------------------------------------------- */

static bool key_float(struct reader *r, double d, struct str *out)
{
	struct buf text = {0};

	if (isnan(d)) {
		*out = S(".nan");
	} else if (!isfinite((double)(float)d)) {
		*out = d > 0 ? S(".inf") : S("-.inf");
	} else {
		num_write_double(&text, d, FLOAT_G32);
		*out = keep(r, text.ptr, text.len);
		buf_release(&text);
	}
	return true;
}

/* A value as Go's %#v shows it, in the types that go-yaml decodes to. */
static void go_syntax(struct buf *out, struct value v)
{
	if (v.tag == V_NULL) {
		buf_adds(out, "interface {}(nil)");
	} else if (v.tag == V_ARR) {
		buf_adds(out, "[]interface {}{");
		for (uint32_t i = 0; i < v.arr->len; i++) {
			buf_adds(out, i ? ", " : "");
			go_syntax(out, v.arr->items[i]);
		}
		buf_addc(out, '}');
	} else if (v.tag == V_OBJ) {
		buf_adds(out, "map[string]interface {}{");
		for (uint32_t i = 0; i < v.obj->len; i++) {
			buf_adds(out, i ? ", " : "");
			value_text(out, v.obj->keys->items[i]);
			buf_addc(out, ':');
			go_syntax(out, v.obj->vals[i]);
		}
		buf_addc(out, '}');
	} else {
		value_text(out, v);
	}
}

static bool convert(struct reader *r, struct node *n, struct value *out);

/* A key that is a collection: no map can have it. */
static bool bad_key(struct reader *r, struct node *n, bool raw)
{
	const struct node *target = n->kind == N_ALIAS ? n->target : n;
	struct buf text = {0};
	struct value v;

	if (raw)
		return fail(r,
			"yaml: unmarshal errors:\n  line %u: cannot unmarshal "
			"%s into string",
			target->line,
			target->kind == N_MAP ? "!!map" : "!!seq");
	if (!convert(r, n, &v))
		return false;
	go_syntax(&text, v);
	fail(r, "yaml: invalid map key: %s", text.ptr);
	buf_release(&text);
	return false;
}

/* Null as a key can be decoded, but is no string. */
static void null_key(struct reader *r, struct value v)
{
	struct buf text = {0};

	if (*r->bad_key)
		return;
	go_syntax(&text, v);
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
static bool key_string(
	struct reader *r, struct node *n, bool raw, struct str *out, bool *null)
{
	const struct node *target = n->kind == N_ALIAS ? n->target : n;
	struct scalar s;

	*null = false;
	if (target->kind != N_SCALAR)
		return bad_key(r, n, raw);
	if (!resolve(r, target, &s))
		return false;
	*out = repaired(r, s.s);
	*null = s.type == T_NULL;
	if (raw || s.type == T_NULL || s.type == T_STR || s.type == T_MERGE)
		return true;
	if (s.type == T_FLOAT)
		return key_float(r, s.d, out);
	if (s.type == T_BOOL)
		*out = s.b ? S("true") : S("false");
	else if (s.type == T_INT)
		*out = str_from(
			arena_printf(&r->nodes, "%lld", (long long)s.i));
	else
		*out = str_from(arena_printf(
			&r->nodes, "%llu", (unsigned long long)s.u));
	return true;
}

/* What go-yaml calls a string map; decides how merged keys are read. */
static bool all_string_keys(struct reader *r, const struct node *map)
{
	for (const struct node *k = map->first; k; k = k->next->next) {
		const struct node *n = k->kind == N_ALIAS ? k->target : k;
		struct scalar s;

		if (is_merge(n))
			continue;
		if (n->kind != N_SCALAR)
			return false;
		if (n->tag.len && !str_is(n->tag, "!!str"))
			return false;
		if (!resolve(r, n, &s) || s.type != T_STR)
			return false;
	}
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
static bool may_repeat(struct reader *r, const struct node *k)
{
	struct scalar s;

	if (k->kind != N_SCALAR || str_is(k->text, "<<"))
		return false;
	if (k->plain && !k->tag.len && like_date(k->text))
		return false;
	return !resolve(r, k, &s) || s.type != T_NULL;
}

static bool check_unique(struct reader *r, const struct node *map)
{
	const struct node *before = NULL, *k;
	struct map seen = {0};
	bool merges = false;

	for (k = map->first; k; k = k->next->next) {
		char *id;

		if (may_repeat(r, k) || (is_merge(k) && merges))
			continue;
		merges = merges || is_merge(k);
		id = arena_printf(
			&r->nodes, "%d%.*s", (int)k->kind, STR_ARG(k->text));
		before = map_set(&seen, str_from(id), (void *)(uintptr_t)k);
		if (before)
			break;
	}
	map_release(&seen);
	return !k || fail(r,
			     "yaml: unmarshal errors:\n  line %u: mapping key "
			     "\"%.*s\" already defined at line %u",
			     k->line, STR_ARG(k->text), before->line);
}

/* --- values -------------------------------------------------------- */

/*
 * The share of nodes that may come from following aliases: nearly all in small
 * documents, a tenth in huge ones. Source: go-yaml v3.
 */
static bool count_node(struct reader *r)
{
	const double low = 400000, high = 4000000;
	double n, allowed = 0.99;

	r->decoded++;
	r->aliased += r->alias_depth > 0;
	if (r->aliased <= 100 || r->decoded <= 1000)
		return true;
	n = (double)r->decoded;
	if (n >= high)
		allowed = 0.10;
	else if (n > low)
		allowed = 0.99 - 0.89 * ((n - low) / (high - low));
	return (double)r->aliased / n <= allowed ||
	       fail(r, "yaml: document contains excessive aliasing");
}

static bool convert_list(
	struct reader *r, const struct node *list, struct value *out)
{
	size_t n = 0, i = 0;
	struct value *items;

	for (const struct node *m = list->first; m; m = m->next)
		n++;
	items = ARENA_ARRAY(r->arena, struct value, n ? n : 1);
	for (struct node *m = list->first; m; m = m->next) {
		if (!convert(r, m, &items[i++]))
			return false;
	}
	*out = v_arr(r->arena, items, n);
	return true;
}

static struct value key_value(struct reader *r, struct str s)
{
	return r->syms ? sym_intern(r->syms, s.ptr, s.len) : v_str(r->arena, s);
}

static bool merge_one(
	struct reader *r, struct node *n, bool raw, struct builder *b);

/* The key `k` and its value, unless it is merged and already there. */
static bool add_member(struct reader *r, struct node *k, bool raw, bool merging,
	struct builder *b)
{
	struct value key, v = v_null;
	struct str name = {0};
	bool null;

	if (!count_node(r) || !key_string(r, k, raw, &name, &null))
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
static bool add_members(struct reader *r, const struct node *map, bool raw,
	bool merging, struct builder *b)
{
	for (struct node *k = map->first; k; k = k->next->next) {
		if (!is_merge(k) && !add_member(r, k, raw, merging, b))
			return false;
	}
	for (struct node *k = map->first; k; k = k->next->next) {
		if (is_merge(k) && !merge_one(r, k->next, raw, b))
			return false;
	}
	return true;
}

static bool not_a_map(struct reader *r)
{
	return fail(r, "yaml: map merge requires map or sequence of maps as "
		       "the value");
}

static bool follow(struct reader *r, struct node *alias)
{
	if (alias->open)
		return fail(r, "yaml: anchor '%.*s' value contains itself",
			STR_ARG(alias->text));
	alias->open = true;
	r->alias_depth++;
	return true;
}

static void leave(struct reader *r, struct node *alias)
{
	alias->open = false;
	r->alias_depth--;
}

static bool deeper(struct reader *r)
{
	return r->depth++ < CONVERT_DEPTH ||
	       fail(r, "yaml: exceeded max depth of %d", CONVERT_DEPTH);
}

static bool merge_map(
	struct reader *r, struct node *n, bool raw, struct builder *b)
{
	bool ok;

	if (n->kind != N_ALIAS)
		return n->kind == N_MAP
			       ? deeper(r) && count_node(r) &&
					 check_unique(r, n) &&
					 add_members(r, n, raw, true, b) &&
					 r->depth--
			       : not_a_map(r);
	if (n->target->kind != N_MAP)
		return not_a_map(r);
	if (!count_node(r) || !follow(r, n))
		return false;
	ok = merge_map(r, n->target, raw, b);
	leave(r, n);
	return ok;
}

/* The value of a merge key: a map, an alias of one, or a list of these. */
static bool merge_one(
	struct reader *r, struct node *n, bool raw, struct builder *b)
{
	if (n->kind != N_SEQ)
		return merge_map(r, n, raw, b);
	for (struct node *m = n->first; m; m = m->next) {
		if (!merge_map(r, m, raw, b))
			return false;
	}
	return true;
}

static bool convert_map(
	struct reader *r, const struct node *map, struct value *out)
{
	struct builder b = builder_obj(r->arena);

	if (!check_unique(r, map) ||
		!add_members(r, map, all_string_keys(r, map), false, &b))
		return false;
	*out = builder_done(&b);
	return true;
}

static bool convert(struct reader *r, struct node *n, struct value *out)
{
	bool ok;

	if (!count_node(r) || !deeper(r))
		return false;
	switch (n->kind) {
	case N_ALIAS:
		if (!follow(r, n))
			return false;
		ok = convert(r, n->target, out);
		leave(r, n);
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
	r->depth--;
	return ok;
}

bool yaml_parse(struct arena *a, struct symtab *t, struct str text,
	struct value *out, struct json_error *e)
{
	struct json_error ignored;
	struct reader r = {.arena = a, .syms = t, .e = e ? e : &ignored};
	struct node *root = NULL;
	struct value v = v_null;
	bool ok;

	*r.e = (struct json_error){.row = 1, .col = 1};
	if (text.len > LIMIT_YAML_BYTES)
		return fail(&r, "yaml: %zu bytes, limit %zu", text.len,
			LIMIT_YAML_BYTES);
	if (!yaml_parser_initialize(&r.parser))
		die("out of memory: YAML parser");
	yaml_parser_set_input_string(
		&r.parser, (const unsigned char *)text.ptr, text.len);
	ok = read_stream(&r, &root) && (!root || convert(&r, root, &v)) &&
	     (!*r.bad_key || fail(&r, "%s", r.bad_key)) &&
	     (!*r.bad_float || fail(&r, "%s", r.bad_float));
	if (ok)
		*out = v;
	yaml_parser_delete(&r.parser);
	map_release(&r.anchors);
	arena_release(&r.nodes);
	return ok;
}
