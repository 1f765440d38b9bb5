/* What a decision was: by rules per path, else by the shape of its result. */
#include "decisions/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/json.h"

/* --- names --------------------------------------------------------------- */

static const char *const outcomes[OUTCOMES] = {
	[OUTCOME_UNKNOWN] = "unknown",
	[OUTCOME_ALLOW] = "allow",
	[OUTCOME_DENY] = "deny",
	[OUTCOME_ADVICE] = "advice",
	[OUTCOME_UNDEFINED] = "undefined",
	[OUTCOME_ERROR] = "error",
};

static const char *const kinds[] = {
	[KIND_AUTO] = "auto",
	[KIND_BOOLEAN] = "boolean",
	[KIND_VIOLATIONS] = "violations",
	[KIND_ADVICE] = "advice",
	[KIND_IGNORE] = "ignore",
};

const char *outcome_name(enum outcome o)
{
	return outcomes[o];
}

static bool find(
	const char *const *list, size_t n, struct str name, unsigned *out)
{
	for (unsigned i = 0; i < n; i++)
		if (str_is(name, list[i])) {
			*out = i;
			return true;
		}
	return false;
}

bool outcome_find(struct str name, enum outcome *out)
{
	unsigned i;

	if (!find(outcomes, COUNT(outcomes), name, &i))
		return false;
	*out = (enum outcome)i;
	return true;
}

const char *outcome_kind_name(enum outcome_kind k)
{
	return kinds[k];
}

bool outcome_kind_find(struct str name, enum outcome_kind *out)
{
	unsigned i;

	if (!find(kinds, COUNT(kinds), name, &i))
		return false;
	*out = (enum outcome_kind)i;
	return true;
}

/* --- the map ------------------------------------------------------------- */

static enum status bad_rule(
	struct err *e, const struct outcome_rule *r, const char *why)
{
	return err_set(
		e, E_INVALID, "outcome of \"%.*s\": %s", STR_ARG(r->path), why);
}

static bool is_pointer(struct str p)
{
	return !p.len || p.ptr[0] == '/';
}

static enum status add_dimensions(struct outcome_map *m, struct map_rule *rule,
	const struct outcome_rule *r, struct err *e)
{
	if (r->ndimensions > DIMENSIONS)
		return bad_rule(e, r, "more than 8 dimensions");
	for (size_t i = 0; i < r->ndimensions; i++) {
		const struct dimension *d = &r->dimensions[i];

		if (!d->name.len || !d->pointer.len || !is_pointer(d->pointer))
			return bad_rule(e, r,
				"a dimension is a name and a JSON pointer");
		rule->dimensions[rule->ndimensions++] =
			(struct dimension){arena_str(&m->arena, d->name),
				arena_str(&m->arena, d->pointer)};
	}
	return OK;
}

static enum status fill(struct outcome_map *m, const struct outcome_rule *rules,
	size_t n, struct err *e)
{
	enum status st = OK;

	if (n > OUTCOME_RULES)
		return err_set(e, E_LIMIT, "%zu outcome rules, limit %d", n,
			OUTCOME_RULES);
	m->rules = ARENA_ARRAY(&m->arena, struct map_rule, n);
	for (; m->n < n && !st; m->n++) {
		const struct outcome_rule *r = &rules[m->n];
		struct str path = r->path;

		while (str_starts(path, S("/"))) /* as of events */
			path = str_slice(path, 1, path.len);
		if (!path.len || !is_pointer(r->pointer))
			return bad_rule(e, r,
				"a rule is a path glob and a "
				"JSON pointer into the result");
		m->rules[m->n] =
			(struct map_rule){.path = arena_str(&m->arena, path),
				.kind = r->kind,
				.pointer = arena_str(&m->arena, r->pointer)};
		st = add_dimensions(m, &m->rules[m->n], r, e);
	}
	return st;
}

enum status outcome_map_new(struct outcome_map **out,
	const struct outcome_rule *rules, size_t n, struct err *e)
{
	struct outcome_map *m = calloc(1, sizeof(*m));
	enum status st;

	if (!m)
		die("out of memory: outcome map");
	st = fill(m, rules, n, e);
	if (st) {
		outcome_map_free(m);
		return st;
	}
	*out = m;
	return OK;
}

void outcome_map_free(struct outcome_map *m)
{
	if (!m)
		return;
	arena_release(&m->arena);
	free(m);
}

const struct map_rule *outcome_rule_of(
	const struct outcome_map *m, struct str path)
{
	for (size_t i = 0; m && i < m->n; i++)
		if (glob_path(m->rules[i].path, path))
			return &m->rules[i];
	return NULL;
}

size_t dimensions_of(const struct map_rule *r, const struct decision *ev,
	struct arena *a, struct dimension got[DIMENSIONS])
{
	struct str v;
	size_t n = 0;

	for (size_t i = 0; r && i < r->ndimensions; i++) {
		if (!json_at(ev->bytes, r->dimensions[i].pointer, &v))
			continue;
		v = json_plain(v, a);
		if (v.len > DIMENSION_MAX)
			v.len = DIMENSION_MAX;
		got[n++] = (struct dimension){r->dimensions[i].name, v};
	}
	return n;
}

/* --- outcomes ------------------------------------------------------------ */

/* An error that stands for "there is no such document". */
static bool undefined_error(struct str error)
{
	struct str code;

	return json_kind(error) == JSON_OBJECT &&
	       json_member(error, S("code"), &code) &&
	       json_kind(code) == JSON_STRING &&
	       (json_text_is(code, S("undefined_document")) ||
		       json_text_is(code, S("opa_undefined_error")));
}

static enum outcome boolean(struct str v, enum outcome yes, enum outcome no)
{
	if (!v.len || json_kind(v) != JSON_BOOL)
		return OUTCOME_UNKNOWN;
	return v.ptr[0] == 't' ? yes : no;
}

/* Messages: none is an allow. */
static enum outcome messages(struct str v, enum outcome some)
{
	struct json_iter it = json_iter(v);

	switch (json_kind(v)) {
	case JSON_ARRAY:
	case JSON_OBJECT:
		return json_next(&it) ? some : OUTCOME_ALLOW;
	case JSON_STRING:
		return v.len > 2 ? some : OUTCOME_ALLOW;
	case JSON_BOOL:
		return boolean(v, some, OUTCOME_ALLOW);
	case JSON_NULL:
	case JSON_NUMBER:
		break;
	}
	return OUTCOME_UNKNOWN;
}

static bool of_messages(struct str path)
{
	static const struct str last[] = {
		STR("deny"), STR("violation"), STR("violations")};

	for (size_t i = 0; i < COUNT(last); i++) {
		size_t at = path.len - last[i].len;

		if (str_ends(path, last[i]) && (!at || path.ptr[at - 1] == '/'))
			return true;
	}
	return false;
}

/* {"allow": true}, {"allowed": true}, or an AdmissionReview's response. */
static enum outcome by_members(struct str result)
{
	static const struct str at[] = {
		STR("/allow"), STR("/allowed"), STR("/response/allowed")};
	struct str v;

	for (size_t i = 0; i < COUNT(at); i++)
		if (json_at(result, at[i], &v) && json_kind(v) == JSON_BOOL)
			return boolean(v, OUTCOME_ALLOW, OUTCOME_DENY);
	return OUTCOME_UNKNOWN;
}

static enum outcome by_shape(struct str path, struct str result)
{
	enum outcome o = OUTCOME_UNKNOWN;

	if (json_kind(result) == JSON_OBJECT)
		o = by_members(result);
	if (o == OUTCOME_UNKNOWN && of_messages(path))
		o = messages(result, OUTCOME_DENY);
	else if (o == OUTCOME_UNKNOWN)
		o = boolean(result, OUTCOME_ALLOW, OUTCOME_DENY);
	return o;
}

static enum outcome by_kind(
	enum outcome_kind kind, struct str path, struct str v)
{
	switch (kind) {
	case KIND_AUTO:
		return by_shape(path, v);
	case KIND_BOOLEAN:
		return boolean(v, OUTCOME_ALLOW, OUTCOME_DENY);
	case KIND_VIOLATIONS:
		return messages(v, OUTCOME_DENY);
	case KIND_ADVICE:
		return messages(v, OUTCOME_ADVICE);
	case KIND_IGNORE:
		break;
	}
	return OUTCOME_UNKNOWN;
}

enum outcome outcome_by(const struct map_rule *r, const struct decision *ev)
{
	struct str v = ev->result;

	if (ev->error.len)
		return undefined_error(ev->error) ? OUTCOME_UNDEFINED
						  : OUTCOME_ERROR;
	if (!v.len)
		return ev->result_erased ? OUTCOME_UNKNOWN : OUTCOME_UNDEFINED;
	if (ev->flags & DECISION_COMPILE)
		return OUTCOME_UNKNOWN;
	if (!r)
		return by_shape(ev->path, v);
	/* A part that isn't there is a rule that has no value. */
	if (!json_at(ev->result, r->pointer, &v))
		return OUTCOME_UNDEFINED;
	return by_kind(r->kind, ev->path, v);
}

enum outcome outcome_of(const struct outcome_map *m, const struct decision *ev)
{
	return outcome_by(outcome_rule_of(m, ev->path), ev);
}
