/*
 * What events are read by: decisions.h says which rules count. Records of the
 * log, of which the writer adds the first member as it numbers them:
 *
 *	{"from":0,"bundle":"authz","revision":"v41","rules":[{"path":"lib/a",
 *	 "kind":"violations","pointer":"","dimensions":{"user":"/input/user"}}]}
 *	{"from":0,"bundle":"authz","stable":"v41"}
 *
 * Maps are never changed and live as long as the store, so that whoever has
 * one needs no lock.
 */
#include "decisions/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* Of one version, from an event on. */
struct version_rules {
	uint64_t from;
	struct str revision;
	const struct outcome_map *map;
};

struct bundle_rules {
	struct str name;
	struct version_rules *stable; /* one after the other */
	size_t n, cap;
};

void rules_init(struct rules *r)
{
	pthread_mutex_init(&r->reading, NULL);
	pthread_mutex_init(&r->lock, NULL);
}

void rules_release(struct rules *r)
{
	for (size_t i = 0; i < r->maps.len; i++)
		outcome_map_free(r->maps.entries[i].value);
	for (size_t i = 0; i < r->nbundles; i++)
		free(r->bundles[i].stable);
	free(r->bundles);
	map_release(&r->versions);
	map_release(&r->maps);
	arena_release(&r->arena);
	pthread_mutex_destroy(&r->lock);
	pthread_mutex_destroy(&r->reading);
}

/* --- what is there -------------------------------------------------------- */

static struct str version_key(
	struct arena *a, struct str bundle, struct str revision)
{
	struct buf key = {0};
	struct str out;

	buf_addstr(&key, bundle);
	buf_addc(&key, 0);
	buf_addstr(&key, revision);
	out = arena_str(a, buf_str(&key));
	buf_release(&key);
	return out;
}

static struct version_rules *find_version(struct rules *r, struct str bundle,
	struct str revision, struct arena *a)
{
	return map_get(&r->versions, version_key(a, bundle, revision));
}

static struct bundle_rules *find_bundle(struct rules *r, struct str name)
{
	for (size_t i = 0; i < r->nbundles; i++)
		if (str_eq(r->bundles[i].name, name))
			return &r->bundles[i];
	return NULL;
}

static const struct outcome_map *stable_at(
	const struct bundle_rules *b, uint64_t number)
{
	for (size_t i = b ? b->n : 0; i > 0; i--)
		if (b->stable[i - 1].from <= number)
			return b->stable[i - 1].map;
	return NULL;
}

/* --- records -------------------------------------------------------------- */

static void write_dimensions(struct buf *out, const struct outcome_rule *r)
{
	for (size_t i = 0; i < r->ndimensions; i++) {
		if (i)
			buf_addc(out, ',');
		json_quote(out, r->dimensions[i].name);
		buf_addc(out, ':');
		json_quote(out, r->dimensions[i].pointer);
	}
}

static void write_rule(struct buf *out, const struct outcome_rule *r)
{
	buf_adds(out, "{\"path\":");
	json_quote(out, r->path);
	buf_addf(out,
		",\"kind\":\"%s\",\"pointer\":", outcome_kind_name(r->kind));
	json_quote(out, r->pointer);
	buf_adds(out, ",\"dimensions\":{");
	write_dimensions(out, r);
	buf_adds(out, "}}");
}

static bool get_text(
	struct str object, struct str key, struct arena *a, struct str *out)
{
	struct str v;

	if (!json_member(object, key, &v) || json_kind(v) != JSON_STRING)
		return false;
	*out = json_plain(v, a);
	return true;
}

static bool read_dimensions(
	struct outcome_rule *out, struct str object, struct arena *a)
{
	struct dimension *d = ARENA_ARRAY(a, struct dimension, DIMENSIONS);
	struct json_iter it = json_iter(object);

	out->dimensions = d;
	while (json_next(&it)) {
		if (out->ndimensions == DIMENSIONS || !it.key.len ||
			json_kind(it.value) != JSON_STRING)
			return false;
		d[out->ndimensions++] = (struct dimension){
			json_plain(it.key, a), json_plain(it.value, a)};
	}
	return true;
}

static bool read_rule(struct outcome_rule *out, struct str v, struct arena *a)
{
	struct str kind, dimensions;

	return json_kind(v) == JSON_OBJECT &&
	       get_text(v, S("path"), a, &out->path) &&
	       get_text(v, S("kind"), a, &kind) &&
	       outcome_kind_find(kind, &out->kind) &&
	       get_text(v, S("pointer"), a, &out->pointer) &&
	       json_member(v, S("dimensions"), &dimensions) &&
	       read_dimensions(out, dimensions, a);
}

static bool read_rules(
	struct str list, struct arena *a, struct outcome_rule **out, size_t *n)
{
	struct json_iter it = json_iter(list);
	size_t len = 0;

	while (len <= OUTCOME_RULES && json_next(&it))
		len++;
	if (json_kind(list) != JSON_ARRAY || len > OUTCOME_RULES)
		return false;
	*out = ARENA_ARRAY(a, struct outcome_rule, len);
	*n = 0;
	it = json_iter(list);
	while (json_next(&it))
		if (!read_rule(&(*out)[(*n)++], it.value, a))
			return false;
	return true;
}

/* Most versions of a bundle have the rules of the one before. */
static enum status map_of(struct rules *r, struct str list, struct arena *a,
	const struct outcome_map **out, struct err *e)
{
	struct outcome_map *m = map_get(&r->maps, list);
	struct outcome_rule *rules;
	size_t n;
	enum status st = OK;

	if (!m && !read_rules(list, a, &rules, &n))
		return err_set(e, E_INVALID, "no list of rules");
	if (!m) {
		st = outcome_map_new(&m, rules, n, e);
		if (!st)
			map_set(&r->maps, arena_str(&r->arena, list), m);
	}
	*out = m;
	return st;
}

static enum status take_version(struct rules *r, struct str bundle,
	struct version_rules v, struct str list, struct arena *a, struct err *e)
{
	struct version_rules *to;
	enum status st = map_of(r, list, a, &v.map, e);

	if (st || find_version(r, bundle, v.revision, a))
		return st;
	to = ARENA_NEW(&r->arena, struct version_rules);
	*to = v;
	to->revision = arena_str(&r->arena, v.revision);
	map_set(&r->versions, version_key(&r->arena, bundle, v.revision), to);
	return OK;
}

static struct bundle_rules *add_bundle(struct rules *r, struct str name)
{
	r->bundles =
		reallocarray(r->bundles, r->nbundles + 1, sizeof(*r->bundles));
	if (!r->bundles)
		die("out of memory: rules");
	r->bundles[r->nbundles] =
		(struct bundle_rules){.name = arena_str(&r->arena, name)};
	return &r->bundles[r->nbundles++];
}

static enum status take_stable(struct rules *r, struct str bundle,
	uint64_t from, struct str revision, struct arena *a, struct err *e)
{
	const struct version_rules *v = find_version(r, bundle, revision, a);
	struct bundle_rules *b = find_bundle(r, bundle);

	if (!v)
		return err_set(e, E_INVALID, "%.*s is stable and has no rules",
			STR_ARG(revision));
	if (!b)
		b = add_bundle(r, bundle);
	if (b->n == b->cap) {
		b->cap = b->cap ? 2 * b->cap : 8;
		b->stable = reallocarray(b->stable, b->cap, sizeof(*b->stable));
		if (!b->stable)
			die("out of memory: rules");
	}
	b->stable[b->n++] = (struct version_rules){from, v->revision, v->map};
	return OK;
}

static enum status take_doc(
	struct rules *r, struct str doc, struct arena *a, struct err *e)
{
	struct str bundle, revision, list, number;
	int64_t from;

	if (json_kind(doc) != JSON_OBJECT ||
		!json_member(doc, S("from"), &number) ||
		!json_int(number, &from) || from < 0 ||
		!get_text(doc, S("bundle"), a, &bundle))
		return err_set(e, E_INVALID, "no rules of a bundle");
	if (get_text(doc, S("stable"), a, &revision))
		return take_stable(r, bundle, (uint64_t)from, revision, a, e);
	if (get_text(doc, S("revision"), a, &revision) &&
		json_member(doc, S("rules"), &list))
		return take_version(r, bundle,
			(struct version_rules){
				.from = (uint64_t)from, .revision = revision},
			list, a, e);
	return err_set(e, E_INVALID, "neither rules nor a stable version");
}

enum status rules_take(struct rules *r, struct str json, struct err *e)
{
	struct arena a = {0};
	struct str doc;
	enum status st = json_check(json, NULL, &doc, e);

	pthread_mutex_lock(&r->lock);
	if (!st)
		st = take_doc(r, doc, &a, e);
	r->read += !st;
	pthread_mutex_unlock(&r->lock);
	arena_release(&a);
	return st;
}

/* --- reading -------------------------------------------------------------- */

static enum status take_more(
	struct decisions *d, struct reader *from, struct err *e)
{
	struct rules *r = &d->rules;
	struct record rec;
	bool found = true;
	enum status st = OK;

	while (!st) {
		st = reader_at(from, r->read, &rec, &found, e);
		if (st || !found)
			break;
		st = rules_take(r, rec.bytes, e);
		if (st)
			err_wrap(e, "rules %" PRIu64, r->read);
	}
	return st;
}

enum status rules_cover(struct decisions *d, uint64_t end, struct err *e)
{
	struct reader from;
	enum status st;

	if (end <= d->rules.covered)
		return OK;
	pthread_mutex_lock(&d->rules.reading);
	st = store_reader(d, LOG_RULES, &from, e);
	if (!st)
		st = take_more(d, &from, e);
	reader_close(&from);
	if (!st) /* the writer learns the others as it writes them */
		d->rules.covered = d->c.read_only ? end : UINT64_MAX;
	pthread_mutex_unlock(&d->rules.reading);
	return st;
}

/* --- asking --------------------------------------------------------------- */

/* Under the lock. */
static const struct outcome_map *map_for(struct rules *r, struct str bundle,
	struct str revision, uint64_t number, struct arena *a)
{
	const struct version_rules *v = find_version(r, bundle, revision, a);

	return v && v->from <= number
		       ? v->map
		       : stable_at(find_bundle(r, bundle), number);
}

/* Rules found in maps, the first that fits. */
struct search {
	struct str path;
	const struct map_rule *rule;
	bool any; /* map */
};

static void look(struct search *s, const struct outcome_map *m)
{
	s->any |= m != NULL;
	if (!s->rule)
		s->rule = outcome_rule_of(m, s->path);
}

static struct str revision_in(struct str bundle, struct arena *a)
{
	struct str revision;

	if (json_kind(bundle) != JSON_OBJECT ||
		!get_text(bundle, S("revision"), a, &revision))
		return S("");
	return revision;
}

const struct map_rule *rules_of(struct rules *r, const struct decision *ev,
	uint64_t number, struct arena *a)
{
	struct search s = {.path = ev->path};
	struct json_iter it = json_iter(ev->bundles);

	pthread_mutex_lock(&r->lock);
	while (!s.rule && json_next(&it))
		look(&s, map_for(r, json_plain(it.key, a),
				 revision_in(it.value, a), number, a));
	for (size_t i = 0; !s.any && i < r->nbundles; i++)
		look(&s, stable_at(&r->bundles[i], number));
	pthread_mutex_unlock(&r->lock);
	return s.rule;
}

static bool map_has(const struct outcome_map *m, struct str name)
{
	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; k < m->rules[i].ndimensions; k++)
			if (str_eq(m->rules[i].dimensions[k].name, name))
				return true;
	return false;
}

bool rules_have_dimension(struct rules *r, struct str name)
{
	bool found = false;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; !found && i < r->maps.len; i++)
		found = map_has(r->maps.entries[i].value, name);
	pthread_mutex_unlock(&r->lock);
	return found;
}

/* --- adding --------------------------------------------------------------- */

bool decisions_have_rules(
	struct decisions *d, struct str bundle, struct str revision)
{
	struct arena a = {0};
	bool found;

	pthread_mutex_lock(&d->rules.lock);
	found = find_version(&d->rules, bundle, revision, &a) != NULL;
	pthread_mutex_unlock(&d->rules.lock);
	arena_release(&a);
	return found;
}

static bool is_stable(
	struct decisions *d, struct str bundle, struct str revision)
{
	const struct bundle_rules *b;
	bool is;

	pthread_mutex_lock(&d->rules.lock);
	b = find_bundle(&d->rules, bundle);
	is = b && str_eq(b->stable[b->n - 1].revision, revision);
	pthread_mutex_unlock(&d->rules.lock);
	return is;
}

static enum status check_names(struct decisions *d, struct str bundle,
	struct str revision, struct err *e)
{
	enum status st = store_writes(d, e);

	if (!st && (bundle.len > LIMIT_SOURCE || revision.len > LIMIT_SOURCE))
		st = err_set(e, E_LIMIT,
			"the name of a bundle or version has more than %u "
			"bytes",
			LIMIT_SOURCE);
	return st;
}

/* Another one's commit may have failed, and with it what waited here. */
static enum status write_record(struct decisions *d, const struct buf *rest,
	bool (*is)(struct decisions *d, struct str bundle, struct str revision),
	struct str bundle, struct str revision, struct err *e)
{
	enum status st;

	store_add_rules(d, buf_str(rest));
	st = decisions_commit(d, e);
	if (!st && !is(d, bundle, revision))
		st = err_set(e, E_IO, "the commit failed");
	if (st)
		err_wrap(e, "rules of %.*s %.*s", STR_ARG(bundle),
			STR_ARG(revision));
	return st;
}

enum status decisions_add_rules(struct decisions *d, struct str bundle,
	struct str revision, const struct outcome_rule *rules, size_t n,
	struct err *e)
{
	struct outcome_map *m;
	struct buf b = {0};
	enum status st = check_names(d, bundle, revision, e);

	if (st || decisions_have_rules(d, bundle, revision))
		return st;
	st = outcome_map_new(&m, rules, n, e);
	if (st)
		return st;
	outcome_map_free(m);
	buf_adds(&b, "\"bundle\":");
	json_quote(&b, bundle);
	buf_adds(&b, ",\"revision\":");
	json_quote(&b, revision);
	buf_adds(&b, ",\"rules\":[");
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addc(&b, ',');
		write_rule(&b, &rules[i]);
	}
	buf_adds(&b, "]}");
	st = write_record(d, &b, decisions_have_rules, bundle, revision, e);
	buf_release(&b);
	return st;
}

enum status decisions_set_stable(struct decisions *d, struct str bundle,
	struct str revision, struct err *e)
{
	struct buf b = {0};
	enum status st = check_names(d, bundle, revision, e);

	if (st || is_stable(d, bundle, revision))
		return st;
	if (!decisions_have_rules(d, bundle, revision))
		return err_set(e, E_NOT_FOUND, "%.*s %.*s has no rules",
			STR_ARG(bundle), STR_ARG(revision));
	buf_adds(&b, "\"bundle\":");
	json_quote(&b, bundle);
	buf_adds(&b, ",\"stable\":");
	json_quote(&b, revision);
	buf_addc(&b, '}');
	st = write_record(d, &b, is_stable, bundle, revision, e);
	buf_release(&b);
	return st;
}
