#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { IN_LIST, IN_KEY, IN_VALUE };

struct yaml_reader {
	const char *name;
	struct str text;
	yaml_parser_t parser;
	yaml_event_t raw; /* holds the text of the last event */
	size_t events;
	uint32_t depth;
	uint8_t within[LIMIT_YAML_DEPTH + 1]; /* by depth; [0]: the document */
	bool ended;
	struct err failed;
};

struct yaml_reader *yaml_reader_new(const char *name, struct str text)
{
	struct yaml_reader *r = calloc(1, sizeof(*r));

	if (!r || !yaml_parser_initialize(&r->parser))
		die("out of memory: YAML reader");
	r->name = name;
	r->text = text;
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser,
		(const unsigned char *)(text.ptr ? text.ptr : ""), text.len);
	return r;
}

void yaml_reader_free(struct yaml_reader *r)
{
	if (!r)
		return;
	yaml_event_delete(&r->raw);
	yaml_parser_delete(&r->parser);
	free(r);
}

/* --- what a plain scalar means -------------------------------------------- */

static bool one_of(struct str s, const char *const *words)
{
	for (; *words; words++)
		if (str_is(s, *words))
			return true;
	return false;
}

static size_t run_of(struct str s, size_t at, const char *set)
{
	size_t from = at;

	while (at < s.len && s.ptr[at] && strchr(set, s.ptr[at]))
		at++;
	return at - from;
}

#define DIGITS "0123456789"

/* [-+]? ( [0-9]+ | 0o[0-7]+ | 0x[0-9a-fA-F]+ ); no sign before 0o and 0x */
static bool is_int(struct str s)
{
	size_t sign = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+');

	if (str_starts(s, S("0o")))
		return s.len > 2 && run_of(s, 2, "01234567") == s.len - 2;
	if (str_starts(s, S("0x")))
		return s.len > 2 &&
		       run_of(s, 2, DIGITS "abcdefABCDEF") == s.len - 2;
	return s.len > sign && run_of(s, sign, DIGITS) == s.len - sign;
}

/* [-+]? ( \.[0-9]+ | [0-9]+ (\.[0-9]*)? ) ( [eE][-+]?[0-9]+ )? */
static bool is_float(struct str s)
{
	static const char *const infinite[] = {
		".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL};
	size_t at = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+');
	size_t whole, part = 0, power;

	if (one_of(str_slice(s, at, s.len), infinite))
		return at == 0 || (s.ptr[2] | 0x20) == 'i';
	whole = run_of(s, at, DIGITS);
	at += whole;
	if (at < s.len && s.ptr[at] == '.') {
		part = run_of(s, ++at, DIGITS);
		at += part;
	}
	if (!whole && !part)
		return false;
	if (at < s.len && (s.ptr[at] | 0x20) == 'e') {
		at++;
		at += at < s.len && (s.ptr[at] == '-' || s.ptr[at] == '+');
		power = run_of(s, at, DIGITS);
		if (!power)
			return false;
		at += power;
	}
	return at == s.len;
}

enum yaml_type yaml_plain_type(struct str text)
{
	static const char *const nulls[] = {
		"", "~", "null", "Null", "NULL", NULL};
	static const char *const bools[] = {
		"true", "True", "TRUE", "false", "False", "FALSE", NULL};

	if (one_of(text, nulls))
		return YAML_NULL;
	if (one_of(text, bools))
		return YAML_BOOL;
	if (is_int(text))
		return YAML_INT;
	return is_float(text) ? YAML_FLOAT : YAML_STRING;
}

/* --- the event loop --------------------------------------------------------
 */

static enum status fail_at(struct yaml_reader *r, enum status code, size_t row,
	size_t col, const char *what)
{
	return err_set(&r->failed, code, "%s:%zu:%zu: %s", r->name, row + 1,
		col + 1, what);
}

static enum status refuse(
	struct yaml_reader *r, enum status code, const char *what)
{
	return fail_at(r, code, r->raw.start_mark.line,
		r->raw.start_mark.column, what);
}

static enum status limit(struct yaml_reader *r, size_t max, const char *what)
{
	char text[96];

	snprintf(text, sizeof(text), "more than %zu %s", max, what);
	return refuse(r, E_LIMIT, text);
}

/* "did not find expected ',' or ']' while parsing a flow sequence from 2:8" */
static enum status problem(struct yaml_reader *r)
{
	const yaml_parser_t *p = &r->parser;
	char text[256];

	snprintf(text, sizeof(text), "%s", p->problem);
	if (p->context)
		snprintf(text, sizeof(text), "%s %s from %zu:%zu", p->problem,
			p->context, p->context_mark.line + 1,
			p->context_mark.column + 1);
	return fail_at(r, E_INVALID, p->problem_mark.line,
		p->problem_mark.column, text);
}

/* libyaml has the place of the problem, or, for broken bytes, an offset. */
static enum status parser_error(struct yaml_reader *r)
{
	const yaml_parser_t *p = &r->parser;
	size_t row = 0;

	if (p->error == YAML_MEMORY_ERROR)
		die("out of memory: YAML");
	if (p->error != YAML_READER_ERROR)
		return problem(r);
	for (size_t i = 0; i < p->problem_offset && i < r->text.len; i++)
		row += r->text.ptr[i] == '\n';
	return fail_at(r, E_INVALID, row, 0, p->problem);
}

static enum status anchor(struct yaml_reader *r, const void *name)
{
	return name ? refuse(r, E_INVALID,
			      "anchors are not allowed; write the value out")
		    : OK;
}

#define CORE "tag:yaml.org,2002:"

/* The tag of a list or a map. */
static enum status node_tag(
	struct yaml_reader *r, const yaml_char_t *tag, const char *want)
{
	if (!tag || !strcmp((const char *)tag, want))
		return OK;
	return refuse(
		r, E_INVALID, "this tag is not allowed here; leave it out");
}

/*
 * A tag names the type, and the text must look like it; "!" alone means a
 * string.
 */
static enum status scalar_type(struct yaml_reader *r, enum yaml_type *out)
{
	/* clang-format off */
	static const struct { const char *tag; enum yaml_type type; } tags[] = {
		{"!",            YAML_STRING},
		{CORE "str",     YAML_STRING},
		{CORE "null",    YAML_NULL},
		{CORE "bool",    YAML_BOOL},
		{CORE "int",     YAML_INT},
		{CORE "float",   YAML_FLOAT},
	};
	/* clang-format on */
	const char *tag = (const char *)r->raw.data.scalar.tag;
	struct str text = {(const char *)r->raw.data.scalar.value,
		r->raw.data.scalar.length};
	enum yaml_type plain = yaml_plain_type(text);

	if (!tag) {
		*out = r->raw.data.scalar.style == YAML_PLAIN_SCALAR_STYLE
			       ? plain
			       : YAML_STRING;
		return OK;
	}
	for (size_t i = 0; i < COUNT(tags); i++)
		if (!strcmp(tag, tags[i].tag)) {
			if (tags[i].type != YAML_STRING &&
				tags[i].type != plain &&
				!(tags[i].type == YAML_FLOAT &&
					plain == YAML_INT))
				return refuse(r, E_INVALID,
					"the value is not what its tag says");
			*out = tags[i].type;
			return OK;
		}
	return refuse(
		r, E_INVALID, "this tag is not allowed here; leave it out");
}

/* A value begins: is it a key, and what comes next where it stands? */
static bool begin(struct yaml_reader *r)
{
	uint8_t *w = &r->within[r->depth];
	bool is_key = *w == IN_KEY;

	if (*w != IN_LIST)
		*w = is_key ? IN_VALUE : IN_KEY;
	return is_key;
}

static enum status open_node(
	struct yaml_reader *r, struct yaml_event *ev, enum yaml_kind kind)
{
	if (begin(r))
		return refuse(r, E_INVALID, "a key must be a scalar");
	if (r->depth == LIMIT_YAML_DEPTH)
		return limit(r, LIMIT_YAML_DEPTH, "levels of nesting");
	ev->kind = kind;
	r->within[++r->depth] = kind == YAML_MAP ? IN_KEY : IN_LIST;
	return OK;
}

static enum status scalar(struct yaml_reader *r, struct yaml_event *ev)
{
	enum status st = anchor(r, r->raw.data.scalar.anchor);

	if (!st)
		st = scalar_type(r, &ev->type);
	ev->kind = YAML_SCALAR;
	ev->key = begin(r);
	ev->plain = !r->raw.data.scalar.tag &&
		    r->raw.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	ev->text = (struct str){(const char *)r->raw.data.scalar.value,
		r->raw.data.scalar.length};
	return st;
}

static enum status list(struct yaml_reader *r, struct yaml_event *ev)
{
	enum status st = anchor(r, r->raw.data.sequence_start.anchor);

	if (!st)
		st = node_tag(r, r->raw.data.sequence_start.tag, CORE "seq");
	return st ? st : open_node(r, ev, YAML_LIST);
}

static enum status map(struct yaml_reader *r, struct yaml_event *ev)
{
	enum status st = anchor(r, r->raw.data.mapping_start.anchor);

	if (!st)
		st = node_tag(r, r->raw.data.mapping_start.tag, CORE "map");
	return st ? st : open_node(r, ev, YAML_MAP);
}

/* Turn libyaml's event into ours; *skip when it has none. */
static enum status convert(
	struct yaml_reader *r, struct yaml_event *ev, bool *skip)
{
	*skip = false;
	switch (r->raw.type) {
	case YAML_DOCUMENT_START_EVENT:
		r->within[0] = IN_LIST;
		ev->kind = YAML_DOC;
		return OK;
	case YAML_ALIAS_EVENT:
		return refuse(r, E_INVALID,
			"aliases are not allowed; write the value out");
	case YAML_SCALAR_EVENT:
		return scalar(r, ev);
	case YAML_SEQUENCE_START_EVENT:
		return list(r, ev);
	case YAML_MAPPING_START_EVENT:
		return map(r, ev);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		ev->depth = --r->depth;
		ev->kind = YAML_CLOSE;
		return OK;
	case YAML_STREAM_END_EVENT:
		r->ended = true;
		ev->kind = YAML_END;
		return OK;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	default:
		*skip = true;
		return OK;
	}
}

static enum status read_event(struct yaml_reader *r, struct yaml_event *ev)
{
	bool skip;
	enum status st;

	do {
		yaml_event_delete(&r->raw);
		if (!yaml_parser_parse(&r->parser, &r->raw))
			return parser_error(r);
		if (++r->events > LIMIT_YAML_EVENTS)
			return limit(r, LIMIT_YAML_EVENTS, "events");
		*ev = (struct yaml_event){
			.row = (uint32_t)r->raw.start_mark.line + 1,
			.col = (uint32_t)r->raw.start_mark.column + 1,
			.depth = r->depth,
		};
		st = convert(r, ev, &skip);
	} while (!st && skip);
	return st;
}

enum status yaml_next(
	struct yaml_reader *r, struct yaml_event *ev, struct err *e)
{
	struct yaml_event got = {.kind = YAML_END};
	enum status st = r->failed.code;

	if (!st && r->text.len > LIMIT_YAML_BYTES)
		st = err_set(&r->failed, E_LIMIT, "%s: %zu bytes, limit %zu",
			r->name, r->text.len, LIMIT_YAML_BYTES);
	if (!st && !r->ended)
		st = read_event(r, &got);
	if (st)
		return err_set(e, st, "%s", r->failed.text);
	*ev = got;
	return OK;
}
