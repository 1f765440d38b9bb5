/* The ledger again from its first line: is everything what it says? */
#include "base/digest.h"
#include "base/map.h"
#include "canary/internal.h"

#include <string.h>

/* A version as its events made it. */
struct made {
	struct channel_version v;
	struct channel_ancestry ancestry;
	int64_t published_ns, first_stable_ns;
};

struct replay {
	struct state *s;
	const struct sign_key *key;
	struct ledger_report report;
	const struct ledger_head *known;
	bool met; /* the known head */
	unsigned char hash[LEDGER_HASH];

	/* Records live in one of two arenas; what is dead stays behind. */
	struct arena arenas[2];
	unsigned at;
	size_t kept;         /* bytes that were alive at the last move */
	struct map channels; /* by name */
	struct map versions; /* by name and revision */
	struct arena names;
};

enum { REPLAY_SLACK = 4 << 20 };

static struct arena *arena_now(struct replay *r)
{
	return &r->arenas[r->at];
}

/* --- records -------------------------------------------------------------- */

static struct channel *channel_of(struct replay *r, struct str bundle)
{
	struct channel *c = map_get(&r->channels, bundle);

	if (c)
		return c;
	c = ARENA_NEW(&r->names, struct channel);
	c->bundle = arena_str(&r->names, bundle);
	map_set(&r->channels, c->bundle, c);
	return c;
}

static struct made *version_of(
	struct replay *r, struct str bundle, struct str revision)
{
	struct buf b = {0};
	struct str key;
	struct made *m;

	buf_addstr(&b, bundle);
	buf_addc(&b, 0);
	buf_addstr(&b, revision);
	m = map_get(&r->versions, buf_str(&b));
	if (!m) {
		key = arena_str(&r->names, buf_str(&b));
		m = ARENA_NEW(&r->names, struct made);
		map_set(&r->versions, key, m);
	}
	buf_release(&b);
	return m;
}

/* All records into the other arena; this one is empty then. */
static enum status move(struct replay *r, struct err *e)
{
	struct arena *old = arena_now(r), *new = &r->arenas[!r->at];
	enum status st = OK;

	if (old->used < r->kept + REPLAY_SLACK)
		return OK;
	for (size_t i = 0; i < r->channels.len && !st; i++)
		st = channel_move(r->channels.entries[i].value, new, e);
	arena_reset(old);
	r->at = !r->at;
	r->kept = new->used;
	return st;
}

/* --- one line ------------------------------------------------------------- */

static enum status check_hash(
	struct replay *r, struct str line, struct str hash, struct err *e)
{
	ledger_chain(r->hash, line);
	if (hash.len != LEDGER_HASH ||
		memcmp(hash.ptr, r->hash, LEDGER_HASH) != 0)
		return err_set(e, E_INVALID,
			"the line and its hash do not belong together");
	return OK;
}

static enum status check_head(
	struct replay *r, int64_t seq, struct str head, struct err *e)
{
	struct buf want = {0}, got = {0};
	enum status st = OK;

	if (!head.len)
		return OK;
	ledger_payload(&want, seq, r->hash);
	if (!r->key)
		st = err_set(e, E_NOT_FOUND,
			"it is signed, and there is no key to check with");
	else
		st = verify_jws(r->key, head, &got, e);
	if (!st && !str_eq(buf_str(&got), buf_str(&want)))
		st = err_set(e, E_INVALID, "the signature is of another line");
	if (!st)
		r->report.signed_until = seq;
	buf_release(&want);
	buf_release(&got);
	return st;
}

static enum status check_known(struct replay *r, int64_t seq, struct err *e)
{
	struct buf hex = {0};
	bool same;

	if (!r->known || r->known->seq != seq)
		return OK;
	digest_hex(&hex, r->hash, LEDGER_HASH);
	same = str_is(buf_str(&hex), r->known->hash);
	buf_release(&hex);
	if (!same)
		return err_set(e, E_INVALID,
			"the head that was kept elsewhere is another: the "
			"ledger was rewritten");
	r->met = true;
	return OK;
}

static enum status check_side(const struct channel *c,
	const struct ledger_side *side, const char *which, struct err *e)
{
	struct arena a = {0};
	struct ledger_side want;
	enum status st = OK;

	ledger_side(c, &a, &want);
	if (want.generation != side->generation ||
		!str_eq(want.record, side->record) ||
		!str_eq(want.stable, side->stable) ||
		!str_eq(want.candidate, side->candidate) ||
		!str_eq(want.state, side->state))
		st = err_set(e, E_INVALID,
			"the record %s it is not the one it names", which);
	arena_release(&a);
	return st;
}

static void note_version(struct replay *r, const struct ledger_line *line,
	const struct channel *after)
{
	struct arena *a = &r->names;
	const struct channel_version *v = &line->event.version;
	struct made *m;

	if (line->event.kind == EVENT_PUBLISH) {
		m = version_of(r, line->bundle, v->revision);
		m->v = (struct channel_version){arena_str(a, v->revision),
			arena_str(a, v->digest), arena_str(a, v->commit),
			v->commit_time, v->order};
		m->ancestry.commits =
			arena_str(a, line->event.ancestry.commits);
		m->ancestry.since = line->event.ancestry.since;
		m->published_ns = line->ns;
	} else if (line->event.kind == EVENT_SUCCEED) {
		m = version_of(r, line->bundle, after->stable.revision);
		if (!m->first_stable_ns)
			m->first_stable_ns = line->ns;
	}
}

static enum status apply_line(
	struct replay *r, const struct ledger_line *line, struct err *e)
{
	struct channel *c = channel_of(r, line->bundle), after;
	enum status st = check_side(c, &line->before, "before", e);

	if (st)
		return st;
	if (channel_apply(c, &line->event, line->ns, arena_now(r), &after, e)) {
		err_wrap(e, "its event was not allowed");
		return E_INVALID;
	}
	st = check_side(&after, &line->after, "after", e);
	if (st)
		return st;
	*c = after;
	note_version(r, line, &after);
	return OK;
}

static enum status check_line(
	struct replay *r, const struct db_rows *row, struct err *e)
{
	struct ledger_line line;
	int64_t seq = db_int(row, 0);
	enum status st;

	if (seq != r->report.lines + 1)
		return err_set(e, E_INVALID, "line %lld is missing",
			(long long)r->report.lines + 1);
	st = check_hash(r, db_text(row, 1), db_text(row, 2), e);
	if (!st)
		st = check_head(r, seq, db_text(row, 3), e);
	if (!st)
		st = check_known(r, seq, e);
	if (!st)
		st = ledger_read_line(
			seq, db_text(row, 1), arena_now(r), &line, e);
	if (!st && !str_eq(line.bundle, db_text(row, 4)))
		st = err_set(e, E_INVALID, "filed under another bundle");
	if (!st)
		st = apply_line(r, &line, e);
	if (!st)
		st = move(r, e);
	return st;
}

static enum status check_lines(struct replay *r, struct err *e)
{
	struct db_rows row;
	enum status st = db_query(&row, r->s->db,
		"SELECT seq, line, hash, head, bundle FROM ledger ORDER BY seq",
		DB_NONE, e);

	while (!st && db_next(&row, &st, e)) {
		st = check_line(r, &row, e);
		if (st) {
			r->report.bad = r->report.lines + 1;
			err_wrap(e, "ledger line %lld",
				(long long)r->report.bad);
		} else {
			r->report.lines++;
		}
	}
	db_end(&row);
	return st;
}

/* --- what is stored beside it --------------------------------------------- */

static enum status check_channels(struct replay *r, struct err *e)
{
	struct arena a = {0};
	struct buf want = {0}, got = {0};
	struct channel *list;
	size_t n;
	enum status st = state_records(r->s, &a, &list, &n, e);

	if (!st && n != r->channels.len)
		st = err_set(e, E_INVALID,
			"the ledger knows %zu channels, %zu are stored",
			r->channels.len, n);
	for (size_t i = 0; i < n && !st; i++) {
		struct channel *c = map_get(&r->channels, list[i].bundle);

		buf_reset(&want);
		buf_reset(&got);
		if (c)
			channel_write(c, &want);
		channel_write(&list[i], &got);
		if (!str_eq(buf_str(&want), buf_str(&got)))
			st = err_set(e, E_INVALID,
				"the record of %.*s is not what its ledger "
				"leads to",
				STR_ARG(list[i].bundle));
	}
	buf_release(&want);
	buf_release(&got);
	arena_release(&a);
	return st;
}

static bool same_version(const struct made *m, const struct state_version *v,
	const struct channel_ancestry *ancestry)
{
	return str_eq(m->ancestry.commits, ancestry->commits) &&
	       m->ancestry.since == ancestry->since &&
	       str_eq(m->v.digest, v->v.digest) &&
	       str_eq(m->v.commit, v->v.commit) &&
	       m->v.commit_time == v->v.commit_time &&
	       m->v.order == v->v.order && m->published_ns == v->published_ns &&
	       m->first_stable_ns == v->first_stable_ns;
}

static enum status check_versions_of(
	struct replay *r, struct str bundle, size_t *seen, struct err *e)
{
	struct arena a = {0};
	struct state_version *list;
	size_t n;
	enum status st = state_versions(r->s, bundle, &a, &list, &n, e);

	for (size_t i = 0; !st && i < n; i++) {
		struct made *m = version_of(r, bundle, list[i].v.revision);
		struct channel_ancestry ancestry;

		st = version_ancestry(
			r->s, bundle, list[i].v.revision, &a, &ancestry, e);
		if (!st && !same_version(m, &list[i], &ancestry))
			st = err_set(e, E_INVALID,
				"version %.*s of %.*s is not what the ledger "
				"says was published",
				STR_ARG(list[i].v.revision), STR_ARG(bundle));
		++*seen;
	}
	arena_release(&a);
	return st;
}

static enum status check_versions(struct replay *r, struct err *e)
{
	size_t published = r->versions.len, seen = 0;
	int64_t stored = 0;
	enum status st = OK;

	for (size_t i = 0; !st && i < r->channels.len; i++)
		st = check_versions_of(r, r->channels.entries[i].key, &seen, e);
	if (!st)
		st = db_number(r->s->db, "SELECT count(*) FROM versions",
			DB_NONE, 0, &stored, e);
	if (!st && (seen != published || (size_t)stored != published))
		st = err_set(e, E_INVALID,
			"%zu versions were published, %lld are stored",
			published, (long long)stored);
	return st;
}

static enum status check_all(struct replay *r, struct err *e)
{
	struct buf hex = {0};
	enum status st = check_lines(r, e);

	if (!st && r->known && r->known->seq && !r->met)
		st = err_set(e, E_INVALID,
			"the ledger ends at line %lld, but line %lld was known "
			"elsewhere: lines at its end are gone",
			(long long)r->report.lines, (long long)r->known->seq);
	if (!st)
		st = check_channels(r, e);
	if (!st)
		st = check_versions(r, e);
	digest_hex(&hex, r->hash, LEDGER_HASH);
	r->report.head.seq = r->report.lines;
	memcpy(r->report.head.hash, hex.ptr, sizeof(r->report.head.hash));
	buf_release(&hex);
	return st;
}

static enum status own_key(
	struct state *s, struct sign_key **out, struct err *e)
{
	struct arena a = {0};
	struct buf pem = {0};
	struct fs_info info;
	const char *path = state_path(s, STATE_KEY_PUBLIC, &a);
	enum status st = fs_stat(s->fs, path, &info, e);

	if (!st && info.kind != FS_NONE)
		st = fs_read(s->fs, path, 65536, &pem, e);
	if (!st && pem.len)
		st = sign_key_parse_public(
			out, buf_str(&pem), ALG_ES256, "ledger", e);
	if (st)
		err_wrap(e, "%s", path);
	buf_release(&pem);
	arena_release(&a);
	return st;
}

/* Of one moment, while others go on writing. */
enum status ledger_verify(struct state *s, const struct sign_key *key,
	const struct ledger_head *known, struct ledger_report *out,
	struct err *e)
{
	struct replay r = {.s = s, .known = known};
	struct sign_key *own = NULL;
	struct err mine = {0};
	enum status st;

	e = e ? e : &mine;
	*out = (struct ledger_report){0};
	st = key ? OK : own_key(s, &own, e);
	if (st)
		return st;
	r.key = key ? key : own;
	st = db_begin_read(s->db, e);
	if (!st) {
		st = check_all(&r, e);
		db_rollback(s->db);
		*out = r.report;
	}
	sign_key_free(own);
	map_release(&r.channels);
	map_release(&r.versions);
	arena_release(&r.names);
	arena_release(&r.arenas[0]);
	arena_release(&r.arenas[1]);
	return st;
}
