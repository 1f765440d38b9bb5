/*
 * The data files of a commit as one document.
 *
 * Nothing is parsed into values: a document is a tree of spans of the texts
 * it came from, opened only where two files meet, so numbers keep their
 * literals and what is refused has a place. YAML becomes JSON text first,
 * with a list of where each piece of it stood.
 *
 * Source: OPA contract, sections 1.3 and 2.5.
 */
#include "base/json.h"
#include "base/map.h"
#include "base/yaml.h"
#include "bundler/internal.h"
#include "rego/value.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Where a piece of JSON made from YAML stood. */
struct mark {
	size_t off; /* in the JSON */
	uint32_t row, col;
};

struct source {
	const char *name;
	struct str text;    /* JSON */
	struct mark *marks; /* by offset; NULL: the text is the file's own */
	uint32_t nmarks, cap;
};

struct data_node {
	struct data_node *parent, *next; /* next: any other, for releasing */
	struct str key;                  /* what it means */
	const struct source *src;        /* who gave it; NULL: nobody yet */
	const char *at;                  /* where, for messages */
	struct str span;                 /* unless open */
	bool open;                       /* an object, taken apart */
	struct map members;              /* of an open one */
	uint64_t turn; /* of the object that gave it last, see merge() */
};

void data_release(struct data *d)
{
	for (struct data_node *n = d->root; n; n = n->next)
		map_release(&n->members);
	arena_release(&d->arena);
	*d = (struct data){0};
}

/* --- places --------------------------------------------------------------- */

static void place_marked(
	const struct source *s, size_t off, uint32_t *row, uint32_t *col)
{
	uint32_t lo = 0, hi = s->nmarks;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->marks[mid].off <= off)
			lo = mid;
		else
			hi = mid;
	}
	*row = s->nmarks ? s->marks[lo].row : 1;
	*col = s->nmarks ? s->marks[lo].col : 1;
}

/* Append "name:row:col". */
static void place(struct buf *out, const struct source *s, const char *at)
{
	uint32_t row = 1, col = 1;
	const char *line = s->text.ptr;

	if (s->marks) {
		place_marked(s, (size_t)(at - s->text.ptr), &row, &col);
	} else {
		for (const char *p = line; p < at; p++)
			if (*p == '\n') {
				row++;
				line = p + 1;
			}
		col += (uint32_t)utf8_count(line, (size_t)(at - line));
	}
	buf_addf(out, "%s:%u:%u", s->name, row, col);
}

/* Append data.a.b */
static void path_text(struct buf *out, const struct data_node *n)
{
	if (!n->parent) {
		buf_adds(out, "data");
		return;
	}
	path_text(out, n->parent);
	buf_addf(out, ".%.*s", STR_ARG(n->key));
}

static enum status given_twice(const struct data_node *n,
	const struct source *src, const char *at, struct err *e)
{
	struct buf path = {0}, one = {0}, two = {0};

	path_text(&path, n);
	place(&one, n->src, n->at);
	place(&two, src, at);
	err_set(e, E_CONFLICT,
		"%s: %s is given twice, first at %s; remove "
		"one",
		two.ptr, path.ptr, one.ptr);
	buf_release(&path);
	buf_release(&one);
	buf_release(&two);
	return E_CONFLICT;
}

/* --- merging -------------------------------------------------------------- */

static struct data_node *node_new(
	struct data *d, struct data_node *parent, struct str key)
{
	struct data_node *n = ARENA_NEW(&d->arena, struct data_node);

	n->parent = parent;
	n->key = key;
	if (d->root) {
		n->next = d->root->next;
		d->root->next = n;
	}
	return n;
}

/* The member of an open node, made if it is new. */
static struct data_node *member(
	struct data *d, struct data_node *n, struct str key)
{
	struct data_node *m = map_get(&n->members, key);

	if (!m) {
		m = node_new(d, n, arena_str(&d->arena, key));
		map_set(&n->members, m->key, m);
	}
	return m;
}

static enum status merge(struct data *d, struct data_node *n,
	const struct source *src, struct str span, const char *at,
	struct err *e);

/*
 * Give the members of an object to an open node. Two files may share an
 * object, but one object must not name a member twice, so each one that is
 * taken apart is a turn of its own.
 */
static enum status merge_members(struct data *d, struct data_node *n,
	const struct source *src, struct str span, struct err *e)
{
	struct json_iter it = json_iter(span);
	struct buf key = {0};
	enum status st = OK;
	uint64_t turn = ++d->turns;

	while (!st && json_next(&it)) {
		buf_reset(&key);
		buf_reserve(&key, it.key.len);
		json_text(&key, it.key);

		struct data_node *m = member(d, n, buf_str(&key));

		if (m->turn == turn)
			st = given_twice(m, src, it.key.ptr, e);
		else
			st = merge(d, m, src, it.value, it.key.ptr, e);
		m->turn = turn;
	}
	buf_release(&key);
	return st;
}

/* No deeper than the text, whose depth is limited. */
static enum status merge(struct data *d, struct data_node *n,
	const struct source *src, struct str span, const char *at,
	struct err *e)
{
	bool object = json_kind(span) == JSON_OBJECT;
	enum status st = OK;

	if (!n->src && !n->open) {
		n->src = src;
		n->span = span;
		n->at = at;
		return OK;
	}
	if (!object || (!n->open && json_kind(n->span) != JSON_OBJECT))
		return n->src ? given_twice(n, src, at, e)
			      : err_set(e, E_CONFLICT,
					"%s: not an object, and another file "
					"has data below it; give its values "
					"names",
					src->name);
	if (!n->open) {
		n->open = true;
		st = merge_members(d, n, n->src, n->span, e);
	}
	if (!n->src) {
		n->src = src;
		n->at = at;
	}
	return st ? st : merge_members(d, n, src, span, e);
}

/* --- YAML to JSON --------------------------------------------------------- */

struct yaml_writer {
	struct data *d;
	struct source *src;
	struct buf out;
	struct arena tmp;
	bool map[LIMIT_YAML_DEPTH + 1];   /* by depth: a map is open there */
	bool begun[LIMIT_YAML_DEPTH + 1]; /* it has a member */
	uint32_t documents;
};

static enum status PRINTF(4, 5) fail_at(const struct yaml_writer *w,
	const struct yaml_event *ev, struct err *e, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, E_INVALID, "%s:%u:%u: %s", w->src->name, ev->row,
		ev->col, text);
}

static void mark(struct yaml_writer *w, const struct yaml_event *ev)
{
	struct source *s = w->src;

	s->marks = arena_grow(
		&w->d->arena, s->marks, s->nmarks, &s->cap, sizeof(*s->marks));
	s->marks[s->nmarks++] = (struct mark){w->out.len, ev->row, ev->col};
}

/* Can a plain scalar be anything but this text to any reader of YAML? */
static bool may_mean_more(struct str text)
{
	return !text.len || strchr("+-.0123456789~nNtTfF<", text.ptr[0]);
}

/*
 * What OPA makes of a plain scalar, which is its own mixture of YAML 1.1 and
 * 1.2: a number, a word, or the text itself.
 */
static enum status plain_scalar(
	struct yaml_writer *w, const struct yaml_event *ev, struct err *e)
{
	struct arena_mark start = arena_mark(&w->tmp);
	struct json_error je = {0};
	struct buf text = {0};
	struct value v = v_undef;
	enum status st = OK;

	buf_addstr(&text, ev->text);
	if (ev->key)
		buf_adds(&text, ": 0");
	if (!yaml_parse(&w->tmp, NULL, buf_str(&text), &v, &je))
		st = fail_at(w, ev, e, "%s", je.text);
	else if (ev->key && (v.tag != V_OBJ || v.obj->len != 1))
		st = fail_at(w, ev, e, "this key is not a scalar to an agent");
	else
		value_json(&w->out, ev->key ? v.obj->keys->items[0] : v, 0, 0);
	buf_release(&text);
	arena_rewind(&w->tmp, start);
	return st;
}

static enum status write_scalar(
	struct yaml_writer *w, const struct yaml_event *ev, struct err *e)
{
	bool text =
		ev->plain ? !may_mean_more(ev->text) : ev->type == YAML_STRING;

	if (ev->key && ev->plain && str_is(ev->text, "<<"))
		return fail_at(w, ev, e, "merge keys are not allowed");
	if (!text)
		return plain_scalar(w, ev, e);
	json_quote(&w->out, ev->text);
	return OK;
}

/* What stands between this and what came before. */
static void separate(struct yaml_writer *w, const struct yaml_event *ev)
{
	bool *begun = &w->begun[ev->depth];

	if (w->map[ev->depth] && !ev->key)
		buf_addc(&w->out, ':');
	else if (*begun)
		buf_addc(&w->out, ',');
	*begun = true;
}

static void open_node(struct yaml_writer *w, const struct yaml_event *ev)
{
	bool map = ev->kind == YAML_MAP;

	buf_addc(&w->out, map ? '{' : '[');
	w->map[ev->depth + 1] = map;
	w->begun[ev->depth + 1] = false;
}

static enum status write_event(
	struct yaml_writer *w, const struct yaml_event *ev, struct err *e)
{
	switch (ev->kind) {
	case YAML_DOC:
		if (w->documents++)
			return fail_at(w, ev, e,
				"a second document, which agents would ignore");
		return OK;
	case YAML_CLOSE:
		buf_addc(&w->out, w->map[ev->depth + 1] ? '}' : ']');
		return OK;
	case YAML_SCALAR:
	case YAML_LIST:
	case YAML_MAP:
		separate(w, ev);
		mark(w, ev);
		if (ev->kind == YAML_SCALAR)
			return write_scalar(w, ev, e);
		open_node(w, ev);
		return OK;
	case YAML_END:
	default:
		if (!w->documents)
			return fail_at(w, ev, e, "no document");
		return OK;
	}
}

static enum status from_yaml(
	struct data *d, struct source *src, struct str text, struct err *e)
{
	struct yaml_writer w = {.d = d, .src = src};
	struct yaml_reader *r = yaml_reader_new(src->name, text);
	struct yaml_event ev = {0};
	enum status st;

	do {
		st = yaml_next(r, &ev, e);
		if (!st)
			st = write_event(&w, &ev, e);
	} while (!st && ev.kind != YAML_END);
	if (!st)
		src->text = arena_str(&d->arena, buf_str(&w.out));
	yaml_reader_free(r);
	buf_release(&w.out);
	arena_release(&w.tmp);
	return st;
}

/* --- adding and writing --------------------------------------------------- */

static enum status read_source(
	struct data *d, struct source *src, struct str text, struct err *e)
{
	if (name_role(str_from(src->name)) == ROLE_YAML)
		return from_yaml(d, src, text, e);
	src->text = text;
	return OK;
}

static enum status check(
	const struct source *src, struct str *doc, struct err *e)
{
	static const struct json_limits limits = {
		.keys = UINT32_MAX, .string = SIZE_MAX};
	struct buf at = {0};
	size_t bad;
	enum status st;

	if (str_starts(src->text, S("\xef\xbb\xbf")))
		return err_set(e, E_INVALID,
			"%s:1:1: begins with a byte order mark; save it as "
			"UTF-8 without one",
			src->name);
	st = json_check_at(src->text, &limits, doc, &bad, e);
	if (!st)
		return OK;
	place(&at, src, src->text.ptr ? src->text.ptr + bad : NULL);
	err_wrap(e, "%s", at.ptr);
	buf_release(&at);
	return st;
}

/* The node of a folder, whose upper ones are objects made by its path. */
static enum status folder(struct data *d, struct str at, struct data_node **n,
	struct source *src, struct err *e)
{
	size_t to;

	*n = d->root;
	for (size_t from = 0; from < at.len; from = to + 1) {
		to = str_find(at, S("/"), from);
		to = to < at.len ? to : at.len;
		if (!(*n)->open && (*n)->src &&
			json_kind((*n)->span) != JSON_OBJECT)
			return given_twice(*n, src, src->text.ptr, e);
		if (!(*n)->open && (*n)->src) {
			(*n)->open = true;
			enum status st =
				merge_members(d, *n, (*n)->src, (*n)->span, e);

			if (st)
				return st;
		}
		(*n)->open = true;
		*n = member(d, *n, str_slice(at, from, to));
	}
	return OK;
}

enum status data_add(struct data *d, const char *name, struct str at,
	struct str text, struct err *e)
{
	struct source *src = ARENA_NEW(&d->arena, struct source);
	struct data_node *n = NULL;
	struct str doc;
	enum status st;

	src->name = name;
	st = read_source(d, src, text, e);
	if (!st)
		st = check(src, &doc, e);
	if (st)
		return st;
	if (!at.len && json_kind(doc) != JSON_OBJECT)
		return err_set(
			e, E_INVALID, "%s: root value must be object", name);
	if (!d->root)
		d->root = node_new(d, NULL, (struct str){0});
	st = folder(d, at, &n, src, e);
	return st ? st : merge(d, n, src, doc, doc.ptr, e);
}

static int by_key(const void *a, const void *b)
{
	const struct data_node *const *x = a, *const *y = b;

	return str_cmp((*x)->key, (*y)->key);
}

/* Put the places in front of, and behind, what json_canonical() said. */
static void add_places(
	const struct data_node *n, const struct json_bad *bad, struct err *e)
{
	struct buf text = {0}, at = {0};

	place(&at, n->src, bad->at);
	if (bad->first && e) {
		buf_addf(&text, "%s, first at ", e->text);
		place(&text, n->src, bad->first);
		err_set(e, E_CONFLICT, "%s", text.ptr);
	}
	err_wrap(e, "%s", at.ptr);
	buf_release(&text);
	buf_release(&at);
}

static enum status write_span(
	const struct data_node *n, struct buf *out, struct err *e)
{
	struct json_bad bad = {0};
	enum status st = json_canonical(out, n->span, &bad, e);

	if (st)
		add_places(n, &bad, e);
	return st && bad.first ? E_CONFLICT : st;
}

static enum status write_key(
	const struct data_node *n, struct buf *out, struct err *e)
{
	struct json_bad bad = {.at = n->at};
	struct buf quoted = {0};
	enum status st;

	json_quote(&quoted, n->key);
	st = json_canonical(out, buf_str(&quoted), NULL, e);
	if (st)
		add_places(n, &bad, e);
	buf_addc(out, ':');
	buf_release(&quoted);
	return st;
}

static enum status write_node(struct data *d, const struct data_node *n,
	struct buf *out, struct err *e)
{
	size_t len = n->members.len;
	struct data_node **list;
	enum status st = OK;

	if (!n->open)
		return write_span(n, out, e);
	list = ARENA_ARRAY(&d->arena, struct data_node *, len + 1);
	for (size_t i = 0; i < len; i++)
		list[i] = n->members.entries[i].value;
	qsort(list, len, sizeof(*list), by_key);
	buf_addc(out, '{');
	for (size_t i = 0; i < len && !st; i++) {
		if (i)
			buf_addc(out, ',');
		st = write_key(list[i], out, e);
		if (!st)
			st = write_node(d, list[i], out, e);
	}
	buf_addc(out, '}');
	return st;
}

enum status data_write(struct data *d, struct buf *out, struct err *e)
{
	size_t from = out->len;
	enum status st;

	if (!d->root) {
		buf_adds(out, "{}");
		return OK;
	}
	st = write_node(d, d->root, out, e);
	if (st)
		out->len = from;
	return st;
}
