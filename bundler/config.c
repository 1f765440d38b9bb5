/* regatta.yaml: events to nodes, nodes to the struct by tables of keys. */
#include "bundler/config.h"

#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/fs.h"
#include "base/quantity.h"
#include "base/yaml.h"

/* --- nodes ------------------------------------------------------------------
 */

struct node {
	enum yaml_kind kind; /* YAML_SCALAR, YAML_LIST or YAML_MAP */
	enum yaml_type type;
	struct str text;
	uint32_t row, col;
	struct node *first; /* of a map: key, value, key, value, ... */
	struct node *next;
};

struct parser {
	const char *name;
	struct arena *a;     /* the config's */
	struct arena *nodes; /* gone after parsing */
	struct yaml_reader *reader;
	struct config *c;
	struct err *e;
};

static enum status read_node(
	struct parser *p, const struct yaml_event *ev, struct node **out);

static enum status read_members(struct parser *p, struct node *parent)
{
	struct node **end = &parent->first;
	struct yaml_event ev;
	enum status st = yaml_next(p->reader, &ev, p->e);

	while (!st && ev.kind != YAML_CLOSE) {
		st = read_node(p, &ev, end);
		if (!st) {
			end = &(*end)->next;
			st = yaml_next(p->reader, &ev, p->e);
		}
	}
	return st;
}

/* Recursion is as deep as LIMIT_YAML_DEPTH. */
static enum status read_node(
	struct parser *p, const struct yaml_event *ev, struct node **out)
{
	struct node *n = ARENA_NEW(p->nodes, struct node);

	*n = (struct node){
		.kind = ev->kind,
		.type = ev->type,
		.row = ev->row,
		.col = ev->col,
	};
	*out = n;
	if (ev->kind != YAML_SCALAR)
		return read_members(p, n);
	n->text = arena_str(p->nodes, ev->text);
	return OK;
}

static enum status fail(struct parser *p, const struct node *n,
	enum status code, const char *fmt, ...) PRINTF(4, 5);

static enum status fail(struct parser *p, const struct node *n,
	enum status code, const char *fmt, ...)
{
	char what[1600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(
		p->e, code, "%s:%u:%u: %s", p->name, n->row, n->col, what);
}

/* The one document; NULL when the text is empty. */
static enum status read_document(struct parser *p, struct node **root)
{
	struct yaml_event ev;
	enum status st = yaml_next(p->reader, &ev, p->e);

	*root = NULL;
	if (st || ev.kind == YAML_END)
		return st;
	st = yaml_next(p->reader, &ev, p->e);
	if (!st)
		st = read_node(p, &ev, root);
	if (!st)
		st = yaml_next(p->reader, &ev, p->e);
	if (st || ev.kind == YAML_END)
		return st;
	return fail(p, &(struct node){.row = ev.row, .col = ev.col}, E_INVALID,
		"a second document; one file has one config");
}

/* --- tables of keys ---------------------------------------------------------
 */

struct key;

struct section {
	const char *path; /* "rollout.bake."; "" on top */
	const struct key *keys;
	size_t n;
};

/* `base` is the struct that offsets of the key count from. */
struct key {
	const char *name;
	enum status (*read)(struct parser *p, const struct section *s,
		const struct key *k, const struct node *n, void *base);
	size_t at;
	const char *must; /* what is allowed: "must be ..." */
	double min, max;
	const struct section *sub;
};

#define READER(fn)                                                             \
	static enum status fn(struct parser *p, const struct section *s,       \
		const struct key *k, const struct node *n, void *base)

static void *slot(const struct key *k, void *base)
{
	return (char *)base + k->at;
}

/* What stands there instead of what is allowed. */
static const char *found(struct parser *p, const struct node *n)
{
	if (n->kind == YAML_LIST)
		return n->first ? "a list" : "an empty list";
	if (n->kind == YAML_MAP)
		return "a map";
	if (n->type == YAML_NULL)
		return "empty";
	return arena_printf(p->nodes, "\"%s\"", repo_path_text(n->text).s);
}

static enum status bad(struct parser *p, const struct section *s,
	const struct key *k, const struct node *n)
{
	return fail(p, n, E_INVALID, "%s%s is %s, must be %s", s->path, k->name,
		found(p, n), k->must);
}

static const struct key *find_key(const struct section *s, struct str name)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_is(name, s->keys[i].name))
			return &s->keys[i];
	return NULL;
}

static const char *nearest(const struct section *s, struct str name)
{
	char text[64];
	const char *best = NULL;
	unsigned least = UINT_MAX;

	snprintf(text, sizeof(text), "%.*s", STR_ARG(str_slice(name, 0, 60)));
	for (size_t i = 0; i < s->n; i++) {
		unsigned d = str_distance(text, s->keys[i].name);

		if (d < least) {
			least = d;
			best = s->keys[i].name;
		}
	}
	return best;
}

/* The section that has this key, when another one does. */
static const struct section *elsewhere(struct str name);

static enum status unknown(
	struct parser *p, const struct section *s, const struct node *n)
{
	struct repo_path_text name = repo_path_text(n->text);
	const struct section *other = elsewhere(n->text);
	struct buf known = {0};

	for (size_t i = 0; i < s->n; i++)
		buf_addf(&known, "%s%s", i ? ", " : "", s->keys[i].name);
	if (other)
		fail(p, n, E_INVALID,
			"unknown key \"%s%s\"; there is %s%s; known here: %s",
			s->path, name.s, other->path, name.s, known.ptr);
	else
		fail(p, n, E_INVALID,
			"unknown key \"%s%s\"; the nearest is \"%s%s\"; known "
			"here: %s",
			s->path, name.s, s->path, nearest(s, n->text),
			known.ptr);
	buf_release(&known);
	return E_INVALID;
}

static const struct node *member(const struct node *map, struct str name)
{
	for (const struct node *k = map->first; k; k = k->next->next)
		if (str_eq(k->text, name))
			return k;
	return NULL;
}

static enum status check_repeated(struct parser *p, const struct section *s,
	const struct node *map, const struct node *key)
{
	const struct node *first = member(map, key->text);

	if (first == key)
		return OK;
	return fail(p, key, E_INVALID,
		"key \"%s%s\" is already given in line %u; remove one", s->path,
		repo_path_text(key->text).s, first->row);
}

/* The members of a map, each by its row of the table. */
static enum status read_section(struct parser *p, const struct section *s,
	const struct node *map, void *base)
{
	enum status st = OK;

	for (const struct node *n = map->first; n && !st; n = n->next->next) {
		const struct key *k = find_key(s, n->text);

		if (!k)
			return unknown(p, s, n);
		st = check_repeated(p, s, map, n);
		if (!st)
			st = k->read(p, s, k, n->next, base);
	}
	return st;
}

READER(section)
{
	if (n->kind != YAML_MAP)
		return bad(p, s, k, n);
	return read_section(p, k->sub, n, base);
}

/* --- texts ------------------------------------------------------------------
 */

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool is_empty(const struct node *n)
{
	return n->kind == YAML_SCALAR && n->type == YAML_NULL;
}

static bool is_text(const struct node *n)
{
	if (n->kind != YAML_SCALAR || is_empty(n) || !n->text.len)
		return false;
	for (size_t i = 0; i < n->text.len; i++)
		if ((unsigned char)n->text.ptr[i] < ' ')
			return false;
	return n->text.len <= LIMIT_PATH_BYTES;
}

static bool only(struct str s, const char *set)
{
	for (size_t i = 0; i < s.len; i++)
		if (!s.ptr[i] || !strchr(set, s.ptr[i]))
			return false;
	return s.len > 0;
}

/* Take the part of *s up to `sep`; false when nothing is left. */
static bool next_part(struct str *s, char sep, struct str *part)
{
	const char *end;

	if (!s->ptr)
		return false;
	end = s->len ? memchr(s->ptr, sep, s->len) : NULL;
	if (!end) {
		*part = *s;
		*s = (struct str){0};
		return true;
	}
	*part = str_slice(*s, 0, (size_t)(end - s->ptr));
	*s = str_slice(*s, part->len + 1, s->len);
	return true;
}

static void keep(
	struct parser *p, const struct key *k, struct str text, void *base)
{
	*(const char **)slot(k, base) = arena_strdup(p->a, text);
}

READER(text)
{
	if (!is_text(n))
		return bad(p, s, k, n);
	keep(p, k, n->text, base);
	return OK;
}

/* [a-z0-9][a-z0-9._-]{0,63}: stands in URLs, file names and logs. */
static bool is_name(struct str s)
{
	return s.len <= 64 && only(s, LOWER DIGITS "._-") &&
	       !strchr("._-", s.ptr[0]);
}

READER(name)
{
	if (!is_text(n) || !is_name(n->text))
		return bad(p, s, k, n);
	keep(p, k, n->text, base);
	return OK;
}

bool config_is_bundle(struct str name)
{
	struct str part;
	size_t parts = 0;

	while (next_part(&name, '/', &part))
		if (!is_name(part) || ++parts > 4)
			return false;
	return parts > 0;
}

READER(bundle_name)
{
	if (!is_text(n) || !config_is_bundle(n->text))
		return bad(p, s, k, n);
	keep(p, k, n->text, base);
	return OK;
}

/* `must` is what may be chosen: "rollback or hold", "a, b or c". */
READER(choice)
{
	struct str rest = str_from(k->must), word;

	while (is_text(n) && next_part(&rest, ' ', &word)) {
		if (str_ends(word, S(",")))
			word.len--;
		if (!str_eq(word, n->text) || str_is(word, "or"))
			continue;
		keep(p, k, n->text, base);
		return OK;
	}
	return bad(p, s, k, n);
}

READER(scheme)
{
	bool tag = n->kind == YAML_SCALAR && str_is(n->text, "tag");

	if (!tag && (n->kind != YAML_SCALAR || !str_is(n->text, "calver")))
		return bad(p, s, k, n);
	*(enum version_scheme *)slot(k, base) =
		tag ? SCHEME_TAG : SCHEME_CALVER;
	return OK;
}

/* HS* is not for bundles: who can check such a signature can make one. */
READER(algorithm)
{
	enum sign_alg alg =
		n->kind == YAML_SCALAR ? sign_alg_find(n->text) : ALG_NONE;

	if (alg == ALG_NONE || alg >= ALG_HS256)
		return bad(p, s, k, n);
	*(enum sign_alg *)slot(k, base) = alg;
	return OK;
}

/* A scheme and something behind it, no spaces. `must` begins with them. */
static bool has_scheme(struct str text, const char *const *schemes)
{
	if (memchr(text.ptr, ' ', text.len))
		return false;
	for (; *schemes; schemes++)
		if (str_starts(text, str_from(*schemes)))
			return text.len > strlen(*schemes);
	return false;
}

READER(store)
{
	static const char *const schemes[] = {
		"dir:", "http://", "https://", "s3://", "oci://", NULL};

	if (!is_text(n) || !has_scheme(n->text, schemes))
		return bad(p, s, k, n);
	keep(p, k, n->text, base);
	return OK;
}

READER(server)
{
	static const char *const schemes[] = {"http://", "https://", NULL};

	if (!is_text(n) || !has_scheme(n->text, schemes))
		return bad(p, s, k, n);
	keep(p, k, n->text, base);
	return OK;
}

/* Of a file of the machine, which a path as seen from the repo is not. */
READER(absolute)
{
	if (!is_text(n) || n->text.ptr[0] != '/')
		return bad(p, s, k, n);
	keep(p, k, n->text, base);
	return OK;
}

/* Steps with / between; ** only as a whole step. */
READER(glob)
{
	struct str rest = n->text, step;

	if (!is_text(n))
		return bad(p, s, k, n);
	while (next_part(&rest, '/', &step))
		if (!step.len ||
			(!str_is(step, "**") &&
				str_find(step, S("**"), 0) != SIZE_MAX))
			return bad(p, s, k, n);
	keep(p, k, n->text, base);
	return OK;
}

/* "a=b,c!=d". */
READER(selector)
{
	const char *set = LOWER UPPER DIGITS "._/-";
	struct str rest = n->text, term, value;

	if (!is_text(n))
		return bad(p, s, k, n);
	while (next_part(&rest, ',', &term)) {
		value = term;
		if (!next_part(&value, '=', &term) || !value.ptr)
			return bad(p, s, k, n);
		if (str_ends(term, S("!")))
			term.len--;
		if (!only(term, set) || !only(value, set))
			return bad(p, s, k, n);
	}
	keep(p, k, n->text, base);
	return OK;
}

/* --- numbers ----------------------------------------------------------------
 */

static bool is_number(const struct node *n)
{
	return n->kind == YAML_SCALAR &&
	       (n->type == YAML_INT || n->type == YAML_FLOAT) &&
	       only(n->text, DIGITS ".eE+-") && n->text.len < 32;
}

/* The C string of a scalar; NULL when it is none, or has a NUL in it. */
static const char *cstr(struct parser *p, const struct node *n)
{
	return is_text(n) ? arena_strdup(p->nodes, n->text) : NULL;
}

/* Digits and a dot, then `unit` and nothing more. */
static bool with_unit(const char *text, char unit, double *out)
{
	size_t len = text ? strspn(text, DIGITS ".") : 0;
	char *end;

	if (!len || len > 30 || text[len] != unit || (unit && text[len + 1]))
		return false;
	*out = strtod(text, &end);
	return end == text + len;
}

static bool in_range(const struct key *k, double x)
{
	return x >= k->min && x <= k->max;
}

READER(number)
{
	double x;

	if (!is_number(n))
		return bad(p, s, k, n);
	x = strtod(cstr(p, n), NULL);
	if (!in_range(k, x))
		return bad(p, s, k, n);
	*(double *)slot(k, base) = x;
	return OK;
}

/* 10 or 10%. */
READER(percent)
{
	const char *text = cstr(p, n);
	double x;

	if ((!with_unit(text, '\0', &x) && !with_unit(text, '%', &x)) ||
		!in_range(k, x))
		return bad(p, s, k, n);
	*(double *)slot(k, base) = x;
	return OK;
}

/* 5%, kept as 0.05. Without the sign it could be meant either way. */
READER(share)
{
	double x;

	if (!with_unit(cstr(p, n), '%', &x) || !in_range(k, x))
		return bad(p, s, k, n);
	*(double *)slot(k, base) = x / 100;
	return OK;
}

static bool whole(struct parser *p, const struct node *n, uint64_t *out)
{
	if (n->kind != YAML_SCALAR || n->type != YAML_INT ||
		!only(n->text, DIGITS) || n->text.len > 18)
		return false;
	*out = strtoull(cstr(p, n), NULL, 10);
	return true;
}

READER(count)
{
	uint64_t x;

	if (!whole(p, n, &x) || !in_range(k, (double)x))
		return bad(p, s, k, n);
	*(uint64_t *)slot(k, base) = x;
	return OK;
}

READER(small)
{
	uint64_t x;

	if (!whole(p, n, &x) || !in_range(k, (double)x))
		return bad(p, s, k, n);
	*(int *)slot(k, base) = (int)x;
	return OK;
}

READER(flag)
{
	if (n->kind != YAML_SCALAR || n->type != YAML_BOOL)
		return bad(p, s, k, n);
	*(bool *)slot(k, base) = str_is(n->text, "true");
	return OK;
}

READER(instant)
{
	int64_t ns;

	if (!is_text(n) || !instant_parse(n->text, &ns, NULL) || ns <= 0)
		return bad(p, s, k, n);
	*(int64_t *)slot(k, base) = ns - ns % NS_PER_S;
	return OK;
}

READER(duration)
{
	const char *text = cstr(p, n);
	int64_t ns;

	if (!text || !quantity_duration(text, &ns) || ns <= 0)
		return bad(p, s, k, n);
	*(int64_t *)slot(k, base) = ns;
	return OK;
}

READER(size)
{
	const char *text = cstr(p, n);
	int64_t bytes;

	if (!text || !quantity_size(text, &bytes) || bytes <= 0)
		return bad(p, s, k, n);
	*(uint64_t *)slot(k, base) = (uint64_t)bytes;
	return OK;
}

/* --- lists ------------------------------------------------------------------
 */

/* How many items; an empty list is refused. */
static enum status count_items(struct parser *p, const struct section *s,
	const struct key *k, const struct node *n, size_t *count)
{
	size_t len = 0;

	if (n->kind != YAML_LIST || !n->first)
		return bad(p, s, k, n);
	for (const struct node *item = n->first; item; item = item->next)
		if (len++ == LIMIT_CONFIG_ITEMS)
			return fail(p, item, E_LIMIT,
				"%s%s has more than %u items", s->path, k->name,
				LIMIT_CONFIG_ITEMS);
	*count = len;
	return OK;
}

READER(words)
{
	struct config_list *list = slot(k, base);
	size_t len = 0;
	enum status st = count_items(p, s, k, n, &len);

	if (st)
		return st;
	*list = (struct config_list){ARENA_ARRAY(p->a, const char *, len), 0};
	for (const struct node *item = n->first; item; item = item->next) {
		if (!is_text(item))
			return bad(p, s, k, item);
		list->items[list->len++] = arena_strdup(p->a, item->text);
	}
	return OK;
}

/* `inner` is `outer` or lies in it. */
static bool within(const char *inner, const char *outer)
{
	size_t len = strlen(outer);

	return !strncmp(inner, outer, len) &&
	       (!inner[len] || inner[len] == '/');
}

/* Item `at` of the list and those before it. */
static enum status check_overlap(struct parser *p, const struct section *s,
	const struct key *k, const struct node *n,
	const struct config_list *list, size_t at)
{
	const char *own = list->items[at];

	for (size_t i = 0; i < at; i++) {
		const char *old = list->items[i];

		if (within(own, old) || within(old, own))
			return fail(p, n, E_INVALID,
				"%s%s has \"%s\" and \"%s\", and one holds the "
				"other; leave one out",
				s->path, k->name, old, own);
	}
	return OK;
}

static enum status check_path(struct parser *p, const struct section *s,
	const struct key *k, const struct node *n)
{
	struct err why = {0};

	if (!repo_path_check(n->text, &why))
		return OK;
	return fail(p, n, E_INVALID, "%s%s must be %s: %s", s->path, k->name,
		k->must, why.text);
}

/* Paths, none in another. */
READER(paths)
{
	struct config_list *list = slot(k, base);
	enum status st = words(p, s, k, n, base);
	const struct node *item = n->first;

	for (size_t i = 0; !st && i < list->len; i++, item = item->next) {
		st = check_path(p, s, k, item);
		if (!st)
			st = check_overlap(p, s, k, item, list, i);
	}
	return st;
}

/* --- decisions --------------------------------------------------------------
 */

/* Letters, digits and _: a column of an index, a word of a query. */
static bool is_dimension(const struct node *n)
{
	return is_text(n) && n->text.len <= 64 &&
	       only(n->text, LOWER UPPER DIGITS "_") &&
	       !strchr(DIGITS, n->text.ptr[0]);
}

/* RFC 6901: steps that begin with /, in which ~ is ~0 or ~1. */
static bool is_pointer(const struct node *n)
{
	if (!is_text(n) || n->text.ptr[0] != '/')
		return false;
	for (size_t i = 0; i < n->text.len; i++)
		if (n->text.ptr[i] == '~' &&
			(i + 1 == n->text.len ||
				!strchr("01", n->text.ptr[i + 1])))
			return false;
	return true;
}

static enum status read_dimension(struct parser *p, const struct node *map,
	const struct node *n, struct config_dimension *out)
{
	static const struct section names = {
		"decisions[].dimensions.", NULL, 0};
	enum status st = check_repeated(p, &names, map, n);

	if (st)
		return st;
	if (!is_dimension(n))
		return fail(p, n, E_INVALID,
			"the name of a dimension is %s, must be letters, "
			"digits and _, at most 64",
			found(p, n));
	if (!is_pointer(n->next))
		return fail(p, n->next, E_INVALID,
			"dimension %.*s is %s, must be a JSON pointer into the "
			"event, like /input/user",
			STR_ARG(n->text), found(p, n->next));
	*out = (struct config_dimension){
		arena_strdup(p->a, n->text), arena_strdup(p->a, n->next->text)};
	return OK;
}

READER(dimensions)
{
	struct config_decision *d = base;
	enum status st = OK;

	if (n->kind != YAML_MAP)
		return bad(p, s, k, n);
	d->dimensions = ARENA_ARRAY(
		p->a, struct config_dimension, LIMIT_CONFIG_DIMENSIONS);
	for (const struct node *m = n->first; m && !st; m = m->next->next) {
		if (d->ndimensions == LIMIT_CONFIG_DIMENSIONS)
			return fail(p, m, E_LIMIT,
				"more than %u dimensions of one kind of "
				"decision",
				LIMIT_CONFIG_DIMENSIONS);
		st = read_dimension(p, n, m, &d->dimensions[d->ndimensions++]);
	}
	return st;
}

#define AT(field) offsetof(struct config_decision, field)

/* clang-format off */
static const struct key decision_keys[] = {
	{"path",       glob,       AT(path), "a glob like library/** (* within a step, ** for any steps)", 0, 0, NULL},
	{"outcome",    choice,     AT(outcome), "allow, deny, violations or advice", 0, 0, NULL},
	{"dimensions", dimensions, 0, "a map from names to JSON pointers", 0, 0, NULL},
};
/* clang-format on */
#undef AT
static const struct section decision = {
	"decisions[].", decision_keys, COUNT(decision_keys)};

static enum status read_decision(struct parser *p, const struct node *n,
	struct config_decision *list, size_t at)
{
	struct config_decision *d = &list[at];
	enum status st;

	*d = (struct config_decision){
		.outcome = "", .row = n->row, .col = n->col};
	st = read_section(p, &decision, n, d);
	if (st)
		return st;
	if (!d->path)
		return fail(p, n, E_INVALID,
			"decisions[] has no path; say which it is about, like "
			"{path: \"library/**\"}");
	for (size_t i = 0; i < at; i++)
		if (!strcmp(list[i].path, d->path))
			return fail(p, n, E_INVALID,
				"decisions[].path \"%s\" is already in line "
				"%u, and the first counts; remove one",
				d->path, list[i].row);
	return OK;
}

READER(decisions)
{
	size_t len = 0;
	enum status st = count_items(p, s, k, n, &len);

	(void)base;
	if (st)
		return st;
	p->c->decisions = ARENA_ARRAY(p->a, struct config_decision, len);
	for (const struct node *m = n->first; m && !st; m = m->next) {
		if (m->kind != YAML_MAP)
			return bad(p, s, k, m);
		st = read_decision(p, m, p->c->decisions, p->c->ndecisions++);
	}
	return st;
}

/* --- rings ------------------------------------------------------------------
 */

#define AT(field) offsetof(struct config_ring, field)

/* clang-format off */
static const struct key ring_keys[] = {
	{"name",    name,     AT(name), "lower-case letters, digits, . _ and -, at most 64", 0, 0, NULL},
	{"select",  selector, AT(select), "a selector like \"ring=canary,region!=eu\"", 0, 0, NULL},
	{"percent", percent,  AT(percent), "a percentage above 0, to 100", 1e-6, 100, NULL},
	{"gate",    flag,     AT(gate), "true or false", 0, 0, NULL},
};
/* clang-format on */
#undef AT
static const struct section ring = {
	"rollout.rings[].", ring_keys, COUNT(ring_keys)};

/* A ring by itself. */
static enum status read_ring(
	struct parser *p, const struct node *n, struct config_ring *r)
{
	enum status st;

	*r = (struct config_ring){.row = n->row, .col = n->col};
	st = read_section(p, &ring, n, r);
	if (st)
		return st;
	if (!r->name)
		return fail(p, n, E_INVALID,
			"rollout.rings[] has no name; give it one, like {name: "
			"canary, percent: 10}");
	if (!r->select && r->percent <= 0)
		return fail(p, n, E_INVALID,
			"ring %s has neither select nor percent; say which "
			"targets are in it",
			r->name);
	return OK;
}

/* A ring and those before it. */
static enum status check_ring(struct parser *p, const struct node *n,
	const struct config_ring *list, size_t at)
{
	const struct config_ring *r = &list[at];

	for (size_t i = 0; i < at; i++) {
		const struct config_ring *old = &list[i];

		if (!strcmp(old->name, r->name))
			return fail(p, n, E_INVALID,
				"ring %s is already in line %u; name it "
				"otherwise",
				r->name, old->row);
		if (!old->select && !r->select && old->percent >= r->percent)
			return fail(p, n, E_INVALID,
				"ring %s has %g percent, and %s before it %g; "
				"percents must rise",
				r->name, r->percent, old->name, old->percent);
	}
	return OK;
}

static enum status check_last_ring(
	struct parser *p, const struct node *n, const struct config_ring *r)
{
	if (!r->select && r->percent >= 100)
		return OK;
	return fail(p, n, E_INVALID,
		"ring %s is the last and not the whole fleet; end with {name: "
		"fleet, percent: 100}",
		r->name);
}

READER(rings)
{
	size_t len = 0, at = 0;
	const struct node *last = n;
	struct config_ring *list;
	enum status st = count_items(p, s, k, n, &len);

	(void)base;
	if (st)
		return st;
	list = ARENA_ARRAY(p->a, struct config_ring, len);
	for (const struct node *m = n->first; m && !st; m = m->next, at++) {
		if (m->kind != YAML_MAP)
			return bad(p, s, k, m);
		st = read_ring(p, m, &list[at]);
		if (!st)
			st = check_ring(p, m, list, at);
		last = m;
	}
	p->c->rollout.rings = list;
	p->c->rollout.nrings = len;
	return st ? st : check_last_ring(p, last, &list[len - 1]);
}

/* --- denies -----------------------------------------------------------------
 */

#define AT(field) offsetof(struct config_denies, field)

/* clang-format off */
static const struct key denies_keys[] = {
	{"path",     glob,    AT(path), "a glob like library/** (* within a step, ** for any steps)", 0, 0, NULL},
	{"mode",     choice,  AT(mode), "planned, steady or observe", 0, 0, NULL},
	{"max_up",   number,  AT(max_up), "a ratio of odds from 1 on, like 3", 1, 1e6, NULL},
	{"min_down", number,  AT(min_down), "a ratio of odds above 0, to 1, like 0.5", 1e-6, 1, NULL},
	{"ticket",   text,    AT(ticket), "a text of one line", 0, 0, NULL},
	{"expires",  instant, AT(expires_ns), "a date or a time, like 2026-12-31 or 2026-12-31T12:00:00Z", 0, 0, NULL},
};
/* clang-format on */
#undef AT
static const struct section denies_section = {
	"rollout.denies[].", denies_keys, COUNT(denies_keys)};

/* As with waivers: what is let pass has an owner's ticket and an end. */
static enum status check_denies(
	struct parser *p, const struct node *n, const struct config_denies *d)
{
	bool plan = d->max_up > 0 || d->min_down > 0;
	bool planned = !strcmp(d->mode, "planned");

	if (!d->path)
		return fail(p, n, E_INVALID,
			"rollout.denies[] has no path; say which it is about, "
			"like {path: \"library/**\"}");
	if (plan != planned)
		return fail(p, n, E_INVALID,
			"rollout.denies[] of %s is %s and has %s; a plan has "
			"max_up or min_down, and nothing else has one",
			d->path, d->mode, plan ? "a ratio" : "no ratio");
	if (planned && (!d->ticket || !d->expires_ns))
		return fail(p, n, E_INVALID,
			"rollout.denies[] of %s has no %s; a plan for denies "
			"needs both ticket and expires",
			d->path, d->ticket ? "expires" : "ticket");
	return OK;
}

READER(denies)
{
	size_t len = 0, at = 0;
	struct config_denies *list;
	enum status st = count_items(p, s, k, n, &len);

	(void)base;
	if (st)
		return st;
	list = ARENA_ARRAY(p->a, struct config_denies, len);
	for (const struct node *m = n->first; m && !st; m = m->next, at++) {
		if (m->kind != YAML_MAP)
			return bad(p, s, k, m);
		list[at] = (struct config_denies){
			.mode = "planned", .row = m->row, .col = m->col};
		st = read_section(p, &denies_section, m, &list[at]);
		if (!st)
			st = check_denies(p, m, &list[at]);
	}
	p->c->rollout.denies = list;
	p->c->rollout.ndenies = len;
	return st;
}

/* --- the source -------------------------------------------------------------
 */

/* The place is kept: that it is asked for counts even if nothing is in it. */
READER(source)
{
	p->c->source.row = n->row;
	p->c->source.col = n->col;
	return section(p, s, k, n, base);
}

/* --- the keys
 * ------------------------------------------------------------------ */

#define AT(field) offsetof(struct config, field)
#define MAP(keys) "a map with " keys
#define TIME "a duration above 0, like 15m or 1h30m"
#define TEXT "a text of one line"
#define MANY 1e15

/* clang-format off */
static const struct key version_keys[] = {
	{"scheme", scheme, AT(scheme), "calver or tag", 0, 0, NULL},
};
static const struct key source_keys[] = {
	{"signed",  choice,   AT(source.what),    "commit or tag", 0, 0, NULL},
	{"keyring", absolute, AT(source.keyring), "an absolute path of a file outside of the repository, like /etc/regatta/keyring.gpg", 0, 0, NULL},
	{"signers", absolute, AT(source.signers), "an absolute path of a file outside of the repository, like /etc/regatta/allowed_signers", 0, 0, NULL},
};
static const struct key sign_keys[] = {
	{"key",   text,      AT(sign.key),   "the path of a key file", 0, 0, NULL},
	{"alg",   algorithm, AT(sign.alg),   "RS, PS or ES with 256, 384 or 512, like ES256", 0, 0, NULL},
	{"keyid", text,      AT(sign.keyid), TEXT, 0, 0, NULL},
	{"scope", text,      AT(sign.scope), TEXT, 0, 0, NULL},
};
static const struct key publish_keys[] = {
	{"store", store, AT(store), "dir:PATH, http://..., https://..., s3://... or oci://...", 0, 0, NULL},
};
static const struct key budget_keys[] = {
	{"steps",  count, AT(test.steps),  "a whole number above 0", 1, MANY, NULL},
	{"memory", size,  AT(test.memory), "a size above 0, like 256MiB", 0, 0, NULL},
};
static const struct section budget = {"test.budget.", budget_keys, COUNT(budget_keys)};
static const struct key test_keys[] = {
	{"coverage", percent,  AT(test.coverage),   "a percentage from 0 to 100", 0, 100, NULL},
	{"timeout",  duration, AT(test.timeout_ns), TIME, 0, 0, NULL},
	{"budget",   section,  0, MAP("steps and memory"), 0, 0, &budget},
};
static const struct key bake_keys[] = {
	{"min",   duration, AT(rollout.bake_min_ns),   TIME, 0, 0, NULL},
	{"max",   duration, AT(rollout.bake_max_ns),   TIME, 0, 0, NULL},
	{"fleet", duration, AT(rollout.bake_fleet_ns), TIME, 0, 0, NULL},
};
static const struct section bake = {"rollout.bake.", bake_keys, COUNT(bake_keys)};
static const struct key verdict_keys[] = {
	{"alpha",         number, AT(rollout.alpha),         "a number above 0, at most 0.5", 1e-9, 0.5, NULL},
	{"worse_than",    number, AT(rollout.worse_than),    "a factor above 1, like 1.25", 1.0000001, 1e6, NULL},
	{"error_ceiling", share,  AT(rollout.error_ceiling), "a percentage with its sign, like 5%", 1e-6, 100, NULL},
	{"pass_below",    share,  AT(rollout.pass_below),    "a percentage with its sign, like 0.5%", 1e-6, 100, NULL},
	{"min_decisions", count,  AT(rollout.min_decisions), "a whole number above 0", 1, MANY, NULL},
	{"window",        duration, AT(rollout.window_ns),   TIME, 0, 0, NULL},
};
static const struct section verdict = {"rollout.verdict.", verdict_keys, COUNT(verdict_keys)};
static const struct key rollout_keys[] = {
	{"rings",           rings,   0, "a list of maps with name, select, percent, gate", 0, 0, NULL},
	{"bake",            section, 0, MAP("min, max and fleet"), 0, 0, &bake},
	{"verdict",         section, 0, MAP("alpha, worse_than, error_ceiling, pass_below, min_decisions, window"), 0, 0, &verdict},
	{"on_fail",         choice,  AT(rollout.on_fail), "rollback or hold", 0, 0, NULL},
	{"on_inconclusive", choice,  AT(rollout.on_inconclusive), "hold, rollback or promote", 0, 0, NULL},
	{"reason",          text,    AT(rollout.reason), TEXT, 0, 0, NULL},
	{"approvers",       small,   AT(rollout.approvers), "a whole number from 1 to 9", 1, 9, NULL},
	{"denies",          denies,  0, "a list of maps with path, mode, max_up, min_down, ticket, expires", 0, 0, NULL},
};
static const struct section version = {"version.", version_keys, COUNT(version_keys)};
static const struct section source_section = {"source.", source_keys, COUNT(source_keys)};
static const struct section sign = {"sign.", sign_keys, COUNT(sign_keys)};
static const struct section publish = {"publish.", publish_keys, COUNT(publish_keys)};
static const struct section test = {"test.", test_keys, COUNT(test_keys)};
static const struct section rollout = {"rollout.", rollout_keys, COUNT(rollout_keys)};
static const struct key top_keys[] = {
	{"bundle",       bundle_name, AT(bundle), CONFIG_BUNDLE_MUST, 0, 0, NULL},
	{"roots",        paths,     AT(roots), "a list of data paths, like [library, k8s/rules]", 0, 0, NULL},
	{"include",      paths,     AT(include), "a list of files and folders, like [policies]", 0, 0, NULL},
	{"rego_version", small,     AT(rego_version), "0 or 1", 0, 1, NULL},
	{"version",      section,   0, MAP("scheme"), 0, 0, &version},
	{"source",       source,    0, MAP("signed, signers and keyring"), 0, 0, &source_section},
	{"sign",         section,   0, MAP("key, alg, keyid and scope"), 0, 0, &sign},
	{"publish",      section,   0, MAP("store"), 0, 0, &publish},
	{"test",         section,   0, MAP("coverage, timeout and budget"), 0, 0, &test},
	{"decisions",    decisions, 0, "a list of maps with path, outcome, dimensions", 0, 0, NULL},
	{"rollout",      section,   0, MAP("rings, bake, verdict, on_fail, on_inconclusive, reason, approvers, denies"), 0, 0, &rollout},
	{"server",       server,    AT(server), "a URL like https://regatta.example", 0, 0, NULL},
	{"notify",       words,     AT(notify), "a list of a command and its arguments", 0, 0, NULL},
};
/* clang-format on */
#undef AT
static const struct section top = {"", top_keys, COUNT(top_keys)};

static const struct section *const sections[] = {&top, &version,
	&source_section, &sign, &publish, &test, &budget, &decision, &rollout,
	&ring, &bake, &verdict, &denies_section};

static const struct section *elsewhere(struct str name)
{
	for (size_t i = 0; i < COUNT(sections); i++)
		if (find_key(sections[i], name))
			return sections[i];
	return NULL;
}

/* --- what keys must be together ----------------------------------------------
 */

/* The value at "rollout.bake.min", NULL when it was not given. */
static const struct node *find(const struct node *root, const char *path)
{
	struct str rest = str_from(path), step;

	while (root && next_part(&rest, '.', &step)) {
		const struct node *k = member(root, step);

		root = k ? k->next : NULL;
	}
	return root;
}

/* The first of two that was given; what they say together is wrong. */
static const struct node *either(
	const struct node *root, const char *a, const char *b)
{
	const struct node *n = find(root, a);

	return n ? n : find(root, b);
}

static enum status check_rollout(struct parser *p, const struct node *root)
{
	const struct config *c = p->c;

	if (c->rollout.bake_min_ns > c->rollout.bake_max_ns)
		return fail(p,
			either(root, "rollout.bake.min", "rollout.bake.max"),
			E_INVALID,
			"rollout.bake.min is %lld s and rollout.bake.max "
			"%lld s; min must not be more",
			(long long)(c->rollout.bake_min_ns / NS_PER_S),
			(long long)(c->rollout.bake_max_ns / NS_PER_S));
	if (c->rollout.window_ns < NS_PER_S ||
		c->rollout.window_ns > 3600 * NS_PER_S)
		return fail(p, find(root, "rollout.verdict.window"), E_INVALID,
			"rollout.verdict.window is %g s; it must be from 1s to "
			"1h",
			(double)c->rollout.window_ns / NS_PER_S);
	if (c->rollout.pass_below > c->rollout.error_ceiling)
		return fail(p,
			either(root, "rollout.verdict.pass_below",
				"rollout.verdict.error_ceiling"),
			E_INVALID,
			"rollout.verdict.pass_below is %g%% and error_ceiling "
			"%g%%; pass_below must not be more",
			c->rollout.pass_below * 100,
			c->rollout.error_ceiling * 100);
	if (!strcmp(c->rollout.on_inconclusive, "promote") &&
		!c->rollout.reason)
		return fail(p, find(root, "rollout.on_inconclusive"), E_INVALID,
			"rollout.on_inconclusive is \"promote\", which needs "
			"rollout.reason: why going on without evidence is "
			"right");
	return OK;
}

static enum status check_together(struct parser *p, const struct node *root)
{
	const struct config *c = p->c;

	if (!c->bundle)
		return fail(p, root, E_INVALID,
			"\"bundle\" is missing; name what agents load, like "
			"bundle: platform");
	if (c->scheme != SCHEME_TAG && c->source.what &&
		!strcmp(c->source.what, "tag"))
		return fail(p, find(root, "source.signed"), E_INVALID,
			"source.signed is \"tag\", but versions are not made "
			"from tags; say version: {scheme: tag}, or signed: "
			"commit");
	return check_rollout(p, root);
}

/* --- the whole
 * ------------------------------------------------------------------ */

static const struct config defaults = {
	.rego_version = 1,
	.scheme = SCHEME_CALVER,
	.sign = {.alg = ALG_ES256},
	.store = "dir:./var/bundles",
	.test = {.timeout_ns = 5 * NS_PER_S},
	.rollout =
		{
			.bake_min_ns = 15 * 60 * NS_PER_S,
			.bake_max_ns = 60 * 60 * NS_PER_S,
			.bake_fleet_ns = 60 * 60 * NS_PER_S,
			.alpha = 0.01,
			.worse_than = 1.25,
			.error_ceiling = 0.05,
			.pass_below = 0.005,
			.min_decisions = 500,
			.window_ns = 60 * NS_PER_S,
			.on_fail = "rollback",
			.on_inconclusive = "hold",
			.approvers = 1,
		},
};

static void default_lists(struct config *c)
{
	static const char *const folders[] = {"policies", "waivers", "stages"};
	static const struct config_ring rings[] = {
		{.name = "canary", .select = "ring=canary"},
		{.name = "early", .percent = 10},
		{.name = "half", .percent = 50},
		{.name = "fleet", .percent = 100},
	};

	c->include.len = COUNT(folders);
	c->include.items = arena_alloc(&c->arena, sizeof(folders));
	memcpy(c->include.items, folders, sizeof(folders));
	c->rollout.nrings = COUNT(rings);
	c->rollout.rings = arena_alloc(&c->arena, sizeof(rings));
	memcpy(c->rollout.rings, rings, sizeof(rings));
}

static enum status parse(struct parser *p)
{
	static const struct node nothing = {
		.kind = YAML_MAP, .row = 1, .col = 1};
	struct node *read = NULL;
	const struct node *root;
	enum status st = read_document(p, &read);

	if (st)
		return st;
	root = read && !is_empty(read) ? read : &nothing;
	if (root->kind != YAML_MAP)
		return fail(p, root, E_INVALID,
			"the config is %s, must be a map that begins like "
			"bundle: platform",
			found(p, root));
	st = read_section(p, &top, root, p->c);
	if (!st)
		st = check_together(p, root);
	if (!st && !p->c->source.what)
		p->c->source.what =
			p->c->scheme == SCHEME_TAG ? "tag" : "commit";
	return st;
}

enum status config_parse(
	struct config *out, const char *name, struct str text, struct err *e)
{
	struct config c = defaults;
	struct arena nodes = {0};
	struct parser p = {
		.name = name, .a = &c.arena, .nodes = &nodes, .c = &c, .e = e};
	enum status st;

	if (text.len > LIMIT_CONFIG_BYTES)
		return err_set(e, E_LIMIT, "%s:1:1: %zu bytes, limit %zu", name,
			text.len, LIMIT_CONFIG_BYTES);
	default_lists(&c);
	p.reader = yaml_reader_new(name, text);
	st = parse(&p);
	yaml_reader_free(p.reader);
	arena_release(&nodes);
	if (st)
		config_release(&c);
	else
		*out = c;
	return st;
}

enum status config_read(struct config *out, const char *dir, struct err *e)
{
	struct buf path = {0}, text = {0};
	enum status st;

	buf_addf(&path, "%s/" CONFIG_NAME, dir);
	st = fs_read(NULL, path.ptr, LIMIT_CONFIG_BYTES, &text, e);
	if (!st)
		st = config_parse(out, CONFIG_NAME, buf_str(&text), e);
	buf_release(&path);
	buf_release(&text);
	return st;
}

void config_release(struct config *c)
{
	arena_release(&c->arena);
	*c = (struct config){0};
}
