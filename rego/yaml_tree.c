#include "rego/yaml_tree.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/err.h"
#include "base/limits.h"
#include "rego/value_impl.h"

/* Aliases can nest nodes deeper than the text does. */
enum { CONVERT_DEPTH = 1000 };

/* --- errors -------------------------------------------------------- */

bool ytree_fail(struct yreader *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->e->text, sizeof(r->e->text), fmt, ap);
	va_end(ap);
	return false;
}

static bool fail_at(struct yreader *r, yaml_mark_t mark)
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
static bool fail_parser(struct yreader *r, const yaml_parser_t *p)
{
	size_t line = p->context_mark.line ? p->context_mark.line
					   : p->problem_mark.line;
	const char *problem = p->problem
				      ? p->problem
				      : "unknown problem parsing YAML content";

	if (line && p->error == YAML_SCANNER_ERROR)
		line++;
	if (line)
		ytree_fail(r, "yaml: line %zu: %s", line, problem);
	else
		ytree_fail(r, "yaml: %s", problem);
	return fail_at(r, p->problem_mark);
}

/* --- nodes --------------------------------------------------------- */

struct str ytree_keep(struct yreader *r, const void *text, size_t len)
{
	return arena_str(&r->nodes, (struct str){text, len});
}

static struct str short_tag(struct yreader *r, const unsigned char *tag)
{
	const struct str prefix = STR("tag:yaml.org,2002:");
	struct str s = str_from((const char *)tag);

	if (!s.len || str_is(s, "!"))
		return (struct str){0};
	if (!str_starts(s, prefix))
		return ytree_keep(r, s.ptr, s.len);
	s = str_slice(s, prefix.len, s.len);
	return str_from(arena_printf(&r->nodes, "!!%.*s", STR_ARG(s)));
}

static struct ynode *node_new(struct yreader *r, enum ynode_kind kind,
	const yaml_event_t *ev, const unsigned char *tag,
	const unsigned char *anchor)
{
	struct ynode *n = ARENA_NEW(&r->nodes, struct ynode);
	struct str name = str_from((const char *)anchor);

	n->kind = kind;
	n->line = (uint32_t)ev->start_mark.line + 1;
	n->tag = short_tag(r, tag);
	if (anchor)
		map_set(&r->anchors, ytree_keep(r, name.ptr, name.len), n);
	return n;
}

static struct ynode *alias_new(struct yreader *r, const yaml_event_t *ev)
{
	struct str name = str_from((const char *)ev->data.alias.anchor);
	struct ynode *target = map_get(&r->anchors, name), *n;

	if (!target) {
		ytree_fail(r, "yaml: unknown anchor '%.*s' referenced",
			STR_ARG(name));
		fail_at(r, ev->start_mark);
		return NULL;
	}
	n = node_new(r, N_ALIAS, ev, NULL, NULL);
	n->text = ytree_keep(r, name.ptr, name.len);
	n->target = target;
	return n;
}

static struct ynode *scalar_new(struct yreader *r, const yaml_event_t *ev)
{
	struct ynode *n = node_new(
		r, N_SCALAR, ev, ev->data.scalar.tag, ev->data.scalar.anchor);

	n->text = ytree_keep(r, ev->data.scalar.value, ev->data.scalar.length);
	n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return n;
}

/* The node that the event begins, or NULL with an error. */
static struct ynode *event_node(struct yreader *r, const yaml_event_t *ev)
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

static void append(struct ynode *parent, struct ynode *n)
{
	if (parent->last)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
}

/* The collections around the place that has been read up to. */
struct path {
	struct ynode *open[LIMIT_YAML_DEPTH];
	uint32_t n;
	struct ynode *root; /* of the first document */
	uint32_t documents;
};

static bool path_add(struct yreader *r, struct path *p, const yaml_event_t *ev)
{
	struct ynode *n = event_node(r, ev);

	if (!n)
		return false;
	if (p->n)
		append(p->open[p->n - 1], n);
	else if (p->documents == 1)
		p->root = n;
	if (n->kind != N_SEQ && n->kind != N_MAP)
		return true;
	if (p->n == LIMIT_YAML_DEPTH) {
		ytree_fail(
			r, "yaml: exceeded max depth of %u", LIMIT_YAML_DEPTH);
		return fail_at(r, ev->start_mark);
	}
	p->open[p->n++] = n;
	return true;
}

static bool take_event(
	struct yreader *r, struct path *p, const yaml_event_t *ev)
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

static bool read_event(struct yreader *r, yaml_parser_t *p, struct path *path,
	bool whole, bool *end)
{
	yaml_event_t ev;
	bool ok;

	if (!yaml_parser_parse(p, &ev))
		return fail_parser(r, p);
	*end = ev.type == YAML_STREAM_END_EVENT ||
	       (!whole && ev.type == YAML_DOCUMENT_END_EVENT);
	if (++r->events > LIMIT_YAML_EVENTS) {
		ytree_fail(r, "yaml: more than %u events", LIMIT_YAML_EVENTS);
		ok = fail_at(r, ev.start_mark);
	} else {
		ok = take_event(r, path, &ev);
	}
	yaml_event_delete(&ev);
	return ok;
}

bool ytree_read(
	struct yreader *r, struct str text, bool whole, struct ynode **root)
{
	struct path path = {.n = 0};
	yaml_parser_t parser;
	bool ok = true, end = false;

	*r->e = (struct json_error){.row = 1, .col = 1};
	if (text.len > LIMIT_YAML_BYTES)
		return ytree_fail(r, "yaml: %zu bytes, limit %zu", text.len,
			LIMIT_YAML_BYTES);
	if (!yaml_parser_initialize(&parser))
		die("out of memory: YAML parser");
	yaml_parser_set_input_string(
		&parser, (const unsigned char *)text.ptr, text.len);
	while (ok && !end)
		ok = read_event(r, &parser, &path, whole, &end);
	yaml_parser_delete(&parser);
	*root = path.root;
	return ok;
}

void ytree_release(struct yreader *r)
{
	map_release(&r->anchors);
	arena_release(&r->nodes);
}

/* --- scalars ------------------------------------------------------- */

/* A whole number as Go's ParseInt and ParseUint with base 0 take it. */
static bool scan_int(const char *p, struct yscalar *out)
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
		out->type = Y_INT;
		out->i = neg ? (int64_t)(0 - u) : (int64_t)u;
		return true;
	}
	out->type = Y_UINT;
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
static bool scan_float(const char *text, struct yscalar *out)
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
	out->type = Y_FLOAT;
	out->d = strtod(text, NULL);
	return isfinite(out->d); /* Go refuses what is out of range */
}

/* Words that mean something; the rest of the core schema has rules. */
static bool scan_word(struct str s, struct yscalar *out)
{
	static const struct {
		const char *text;
		enum yscalar_type type;
		bool b;
		double d;
	} words[] = {
		{"", Y_NULL, 0, 0},
		{"~", Y_NULL, 0, 0},
		{"null", Y_NULL, 0, 0},
		{"Null", Y_NULL, 0, 0},
		{"NULL", Y_NULL, 0, 0},
		{"true", Y_BOOL, 1, 0},
		{"True", Y_BOOL, 1, 0},
		{"TRUE", Y_BOOL, 1, 0},
		{"false", Y_BOOL, 0, 0},
		{"False", Y_BOOL, 0, 0},
		{"FALSE", Y_BOOL, 0, 0},
		{".nan", Y_FLOAT, 0, (double)NAN},
		{".NaN", Y_FLOAT, 0, (double)NAN},
		{".NAN", Y_FLOAT, 0, (double)NAN},
		{".inf", Y_FLOAT, 0, (double)INFINITY},
		{".Inf", Y_FLOAT, 0, (double)INFINITY},
		{".INF", Y_FLOAT, 0, (double)INFINITY},
		{"+.inf", Y_FLOAT, 0, (double)INFINITY},
		{"+.Inf", Y_FLOAT, 0, (double)INFINITY},
		{"+.INF", Y_FLOAT, 0, (double)INFINITY},
		{"-.inf", Y_FLOAT, 0, -(double)INFINITY},
		{"-.Inf", Y_FLOAT, 0, -(double)INFINITY},
		{"-.INF", Y_FLOAT, 0, -(double)INFINITY},
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
static void resolve_plain(struct yreader *r, struct str s, struct yscalar *out)
{
	char *bare, *to;
	char c = s.len ? s.ptr[0] : '\0';

	if (memchr(s.ptr, '\0', s.len) || scan_word(s, out))
		return;
	if (c == '.') {
		if (!scan_float(s.ptr, out))
			out->type = Y_STR;
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
		out->type = Y_STR;
}

const char *ytree_type_tag(enum yscalar_type t)
{
	static const char *const tags[] = {
		[Y_NULL] = "!!null",
		[Y_BOOL] = "!!bool",
		[Y_INT] = "!!int",
		[Y_UINT] = "!!int",
		[Y_FLOAT] = "!!float",
		[Y_STR] = "!!str",
		[Y_MERGE] = "!!merge",
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
static bool decode_base64(struct yreader *r, struct str s, struct str *out)
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
	struct yreader *r, const struct ynode *n, struct yscalar *out)
{
	static const char *const known[] = {
		"!!bool", "!!int", "!!float", "!!null"};
	bool resolvable = false;

	for (size_t i = 0; i < COUNT(known); i++)
		resolvable = resolvable || str_is(n->tag, known[i]);
	if (str_is(n->tag, "!!timestamp"))
		return ytree_fail(r,
			"yaml: line %u: the tag !!timestamp is not "
			"supported",
			n->line);
	if (str_is(n->tag, "!!binary"))
		return decode_base64(r, n->text, &out->s) ||
		       ytree_fail(r,
			       "yaml: !!binary value contains invalid base64 "
			       "data");
	if (!resolvable)
		return true; /* "!mine text" is the text */
	resolve_plain(r, n->text, out);
	if (str_is(n->tag, "!!float") && out->type == Y_INT) {
		out->type = Y_FLOAT;
		out->d = (double)out->i;
	}
	if (str_is(n->tag, ytree_type_tag(out->type)))
		return true;
	return ytree_fail(r, "yaml: cannot decode %s `%.*s` as a %.*s",
		ytree_type_tag(out->type), STR_ARG(n->text), STR_ARG(n->tag));
}

bool ytree_resolve(
	struct yreader *r, const struct ynode *n, struct yscalar *out)
{
	*out = (struct yscalar){.type = Y_STR, .s = n->text};
	if (n->tag.len)
		return str_is(n->tag, "!!str") || resolve_tagged(r, n, out);
	if (!n->plain)
		return true;
	if (str_is(n->text, "<<"))
		out->type = Y_MERGE; /* as a value it is the text */
	else
		resolve_plain(r, n->text, out);
	return true;
}

bool ynode_is_merge(const struct ynode *n)
{
	return n->kind == N_SCALAR && str_is(n->text, "<<") &&
	       (n->tag.len ? str_is(n->tag, "!!merge") : n->plain);
}

struct value ytree_integer(struct arena *a, uint64_t u)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)u);

	return v_number(a, text, (size_t)n);
}

struct value ytree_float(struct arena *a, double d)
{
	struct buf text = {0};
	struct value v;

	num_write_double(&text, d, FLOAT_JSON);
	v = v_number(a, text.ptr, text.len);
	buf_release(&text);
	return v;
}

struct str ytree_repaired(struct yreader *r, struct str s)
{
	struct buf b = {0};

	if (utf8_valid(s.ptr, s.len))
		return s;
	buf_addutf8(&b, s);
	s = ytree_keep(r, b.ptr, b.len);
	buf_release(&b);
	return s;
}

void ytree_go_syntax(struct buf *out, struct value v)
{
	if (v.tag == V_NULL) {
		buf_adds(out, "interface {}(nil)");
	} else if (v.tag == V_ARR) {
		buf_adds(out, "[]interface {}{");
		for (uint32_t i = 0; i < v.arr->len; i++) {
			buf_adds(out, i ? ", " : "");
			ytree_go_syntax(out, v.arr->items[i]);
		}
		buf_addc(out, '}');
	} else if (v.tag == V_OBJ) {
		buf_adds(out, "map[string]interface {}{");
		for (uint32_t i = 0; i < v.obj->len; i++) {
			buf_adds(out, i ? ", " : "");
			value_text(out, v.obj->keys->items[i]);
			buf_addc(out, ':');
			ytree_go_syntax(out, v.obj->vals[i]);
		}
		buf_addc(out, '}');
	} else {
		value_text(out, v);
	}
}

/* What go-yaml calls a string map; decides how merged keys are read. */
bool ytree_string_keys(struct yreader *r, const struct ynode *map)
{
	for (const struct ynode *k = map->first; k; k = k->next->next) {
		const struct ynode *n = k->kind == N_ALIAS ? k->target : k;
		struct yscalar s;

		if (ynode_is_merge(n))
			continue;
		if (n->kind != N_SCALAR)
			return false;
		if (n->tag.len && !str_is(n->tag, "!!str"))
			return false;
		if (!ytree_resolve(r, n, &s) || s.type != Y_STR)
			return false;
	}
	return true;
}

/* --- bounds of decoding --------------------------------------------- */

/*
 * The share of nodes that may come from following aliases: nearly all in small
 * documents, a tenth in huge ones. Source: go-yaml v3.
 */
bool ytree_count(struct yreader *r)
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
	       ytree_fail(r, "yaml: document contains excessive aliasing");
}
bool ytree_follow(struct yreader *r, struct ynode *alias)
{
	if (alias->open)
		return ytree_fail(r,
			"yaml: anchor '%.*s' value contains itself",
			STR_ARG(alias->text));
	alias->open = true;
	r->alias_depth++;
	return true;
}

void ytree_leave(struct yreader *r, struct ynode *alias)
{
	alias->open = false;
	r->alias_depth--;
}

bool ytree_deeper(struct yreader *r)
{
	return r->depth++ < CONVERT_DEPTH ||
	       ytree_fail(r, "yaml: exceeded max depth of %d", CONVERT_DEPTH);
}
