/* What was published. */
#include "canary/internal.h"

#include <string.h>

#define COLUMNS                                                                \
	"revision, digest, commit_id, commit_time, commit_order,"              \
	" published, first_stable"

static void read_row(
	const struct db_rows *r, struct arena *a, struct state_version *out)
{
	*out = (struct state_version){
		.v = {.revision = arena_str(a, db_text(r, 0)),
			.digest = arena_str(a, db_text(r, 1)),
			.commit = arena_str(a, db_text(r, 2)),
			.commit_time = db_int(r, 3),
			.order = db_int(r, 4)},
		.published_ns = db_int(r, 5),
		.first_stable_ns = db_int(r, 6)};
}

static enum status find(struct state *s, struct str bundle, struct str revision,
	struct arena *a, struct state_version *out, bool *found, struct err *e)
{
	struct db_rows r;
	enum status st = db_query(&r, s->db,
		"SELECT " COLUMNS " FROM versions"
		" WHERE bundle = ? AND revision = ?",
		DB(DB_TEXT(bundle), DB_TEXT(revision)), e);

	*found = !st && db_next(&r, &st, e);
	if (*found)
		read_row(&r, a, out);
	db_end(&r);
	return st;
}

enum status state_version(struct state *s, struct str bundle,
	struct str revision, struct arena *a, struct state_version *out,
	struct err *e)
{
	bool found;
	enum status st = find(s, bundle, revision, a, out, &found, e);

	if (!st && !found)
		return err_set(e, E_NOT_FOUND,
			"%.*s has no version %.*s; see regatta versions",
			STR_ARG(bundle), STR_ARG(revision));
	return st;
}

enum status state_versions(struct state *s, struct str bundle, struct arena *a,
	struct state_version **out, size_t *n, struct err *e)
{
	struct db_rows r;
	struct state_version *list = NULL;
	uint32_t len = 0, cap = 0;
	enum status st = db_query(&r, s->db,
		"SELECT " COLUMNS " FROM versions WHERE bundle = ?"
		" ORDER BY published DESC, revision DESC",
		DB(DB_TEXT(bundle)), e);

	while (!st && db_next(&r, &st, e)) {
		list = arena_grow(a, list, len, &cap, sizeof(*list));
		read_row(&r, a, &list[len++]);
	}
	db_end(&r);
	if (!st) {
		*out = list;
		*n = len;
	}
	return st;
}

static bool is(const struct channel_version *v, struct str revision)
{
	return str_eq(v->revision, revision);
}

bool channel_needs(const struct channel *c, struct str revision)
{
	if (is(&c->stable, revision) || is(&c->last_good, revision) ||
		is(&c->former, revision) || is(&c->candidate, revision) ||
		is(&c->queued, revision))
		return true;
	for (uint32_t i = 0; i < c->npins; i++)
		if (is(&c->pins[i].version, revision))
			return true;
	return false;
}

static bool hex(struct str s, size_t len)
{
	for (size_t i = 0; i < s.len; i++)
		if (!memchr("0123456789abcdef", s.ptr[i], 16))
			return false;
	return s.len == len;
}

static enum status facts_of_new(struct channel_event *ev,
	const struct state_version *there, bool found, struct err *e)
{
	if (!hex(ev->version.digest, 64))
		return err_set(e, E_INVALID,
			"the digest of %.*s is not 64 hexadecimal digits",
			STR_ARG(ev->version.revision));
	ev->known = !found                                        ? KNOWN_NOT
		    : str_eq(there->v.digest, ev->version.digest) ? KNOWN_SAME
								  : KNOWN_OTHER;
	return OK;
}

enum status version_ancestry(struct state *s, struct str bundle,
	struct str revision, struct arena *a, struct channel_ancestry *out,
	struct err *e)
{
	struct db_rows r;
	enum status st = db_query(&r, s->db,
		"SELECT commits, since FROM ancestry"
		" WHERE bundle = ? AND revision = ?",
		DB(DB_TEXT(bundle), DB_TEXT(revision)), e);

	*out = (struct channel_ancestry){0};
	if (!st && db_next(&r, &st, e)) {
		out->commits = arena_str(a, db_text(&r, 0));
		out->since = db_int(&r, 1);
	}
	db_end(&r);
	return st;
}

enum status state_inherits(struct state *s, const struct channel *c,
	const struct channel_version *v, struct arena *a,
	const struct channel_quarantine ***out, size_t *n, struct err *e)
{
	struct channel_ancestry of_v;
	const struct channel_quarantine **list = ARENA_ARRAY(a,
		const struct channel_quarantine *, (size_t)c->nquarantine + 1);
	enum status st =
		version_ancestry(s, c->bundle, v->revision, a, &of_v, e);

	if (st)
		return st;
	*n = 0;
	for (uint32_t i = 0; i < c->nquarantine; i++) {
		const struct channel_quarantine *q = &c->quarantine[i];

		if (!str_eq(q->version.revision, v->revision) &&
			channel_contains(v, &of_v, &q->version))
			list[(*n)++] = q;
	}
	*out = list;
	return OK;
}

/* What the version is beside the last good one. */
static enum status relate(struct state *s, const struct channel *c,
	struct channel_event *ev, struct arena *a, struct err *e)
{
	struct channel_ancestry of_v, of_base;
	enum channel_relation told;
	enum status st = version_ancestry(
		s, c->bundle, ev->version.revision, a, &of_v, e);

	if (!st)
		st = version_ancestry(
			s, c->bundle, c->last_good.revision, a, &of_base, e);
	if (st)
		return st;
	told = channel_descent(&ev->version, &of_v, &c->last_good, &of_base);
	if (told > ev->relation)
		ev->relation = told;
	return OK;
}

enum status version_facts(struct state *s, const struct channel *c,
	struct channel_event *ev, struct arena *a, struct err *e)
{
	struct state_version got;
	enum status st;
	bool found;

	ev->known = KNOWN_NOT;
	ev->promoted = false;
	if (!ev->version.revision.len)
		return OK;
	st = find(s, c->bundle, ev->version.revision, a, &got, &found, e);
	if (st)
		return st;
	if (ev->kind == EVENT_PUBLISH)
		return facts_of_new(ev, &got, found, e);
	if (!found)
		return err_set(e, E_NOT_FOUND,
			"%.*s has no version %.*s; publish it first",
			STR_ARG(c->bundle), STR_ARG(ev->version.revision));
	ev->version = got.v;
	ev->promoted = got.first_stable_ns != 0;
	return relate(s, c, ev, a, e);
}

/* That nothing is known needs no row. */
static enum status note_ancestry(struct state *s, struct str bundle,
	const struct channel_event *ev, struct err *e)
{
	if (!ev->ancestry.since)
		return OK;
	return db_run(s->db,
		"INSERT INTO ancestry(bundle, revision, commits, since)"
		" VALUES(?, ?, ?, ?)",
		DB(DB_TEXT(bundle), DB_TEXT(ev->version.revision),
			DB_TEXT(ev->ancestry.commits),
			DB_INT(ev->ancestry.since)),
		e);
}

static enum status note_version(struct state *s, struct str bundle,
	const struct channel_event *ev, int64_t now_ns, struct err *e)
{
	const struct channel_version *v = &ev->version;
	enum status st = db_run(s->db,
		"INSERT INTO versions(bundle, revision, digest,"
		" commit_id, commit_time, commit_order, published)"
		" VALUES(?, ?, ?, ?, ?, ?, ?)",
		DB(DB_TEXT(bundle), DB_TEXT(v->revision), DB_TEXT(v->digest),
			DB_TEXT(v->commit), DB_INT(v->commit_time),
			DB_INT(v->order), DB_INT(now_ns)),
		e);

	return st ? st : note_ancestry(s, bundle, ev, e);
}

enum status version_note(struct state *s, struct str bundle,
	const struct channel_event *ev, const struct channel *after,
	int64_t now_ns, struct err *e)
{
	if (ev->kind == EVENT_PUBLISH)
		return note_version(s, bundle, ev, now_ns, e);
	if (ev->kind == EVENT_SUCCEED)
		return db_run(s->db,
			"UPDATE versions SET first_stable = ? WHERE bundle = ?"
			" AND revision = ? AND first_stable = 0",
			DB(DB_INT(now_ns), DB_TEXT(bundle),
				DB_TEXT(after->stable.revision)),
			e);
	return OK;
}
