/* The folder, its database, and the one way a channel changes. */
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "canary/internal.h"

#include <stdlib.h>
#include <string.h>

/* What leads from each format to the next; from 0, which is an empty file. */
static const char *const formats[STATE_VERSION] = {
	"CREATE TABLE channels("
	"  bundle TEXT PRIMARY KEY, generation INTEGER NOT NULL,"
	"  record TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE ledger("
	"  seq INTEGER PRIMARY KEY, bundle TEXT NOT NULL,"
	"  line TEXT NOT NULL, hash BLOB NOT NULL, head TEXT);"
	"CREATE INDEX ledger_bundle ON ledger(bundle, seq);"
	"CREATE TABLE calls("
	"  key TEXT PRIMARY KEY, request BLOB NOT NULL,"
	"  seq INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX calls_at ON calls(at);"
	"CREATE TABLE versions("
	"  bundle TEXT NOT NULL, revision TEXT NOT NULL,"
	"  digest TEXT NOT NULL, commit_id TEXT NOT NULL,"
	"  commit_time INTEGER NOT NULL, commit_order INTEGER NOT NULL,"
	"  published INTEGER NOT NULL,"
	"  first_stable INTEGER NOT NULL DEFAULT 0,"
	"  PRIMARY KEY(bundle, revision)) WITHOUT ROWID;"
	"CREATE TABLE targets("
	"  bundle TEXT NOT NULL, id TEXT NOT NULL, record TEXT NOT NULL,"
	"  PRIMARY KEY(bundle, id)) WITHOUT ROWID;"
	/* Number 0 waits in the queue. */
	"CREATE TABLE rollouts("
	"  bundle TEXT NOT NULL, rollout INTEGER NOT NULL,"
	"  release TEXT NOT NULL, record TEXT NOT NULL,"
	"  progress TEXT NOT NULL DEFAULT '{}',"
	"  extended_ring INTEGER NOT NULL DEFAULT 0,"
	"  extended_ns INTEGER NOT NULL DEFAULT 0,"
	"  PRIMARY KEY(bundle, rollout)) WITHOUT ROWID;"
	"CREATE TABLE verdicts("
	"  bundle TEXT NOT NULL, rollout INTEGER NOT NULL,"
	"  number INTEGER NOT NULL, record TEXT NOT NULL,"
	"  PRIMARY KEY(bundle, rollout, number)) WITHOUT ROWID;"
	"CREATE TABLE windows("
	"  bundle TEXT NOT NULL, rollout INTEGER NOT NULL,"
	"  start INTEGER NOT NULL, record TEXT NOT NULL,"
	"  PRIMARY KEY(bundle, rollout, start)) WITHOUT ROWID;"
	"PRAGMA user_version = 1;",
	"CREATE TABLE ancestry("
	"  bundle TEXT NOT NULL, revision TEXT NOT NULL,"
	"  commits TEXT NOT NULL, since INTEGER NOT NULL,"
	"  PRIMARY KEY(bundle, revision)) WITHOUT ROWID;"
	"PRAGMA user_version = 2;",
};

/* --- the folder ----------------------------------------------------------- */

const char *state_path(const struct state *s, const char *name, struct arena *a)
{
	return arena_printf(a, "%s/%s", s->dir, name);
}

static enum status check_format(
	const char *path, struct str text, bool *older, struct err *e)
{
	char *end;
	long n = strtol(text.ptr, &end, 10);

	*older = n < STATE_VERSION;
	if (n > 0 && n <= STATE_VERSION && str_is(str_from(end), "\n"))
		return OK;
	if (n > STATE_VERSION && *end == '\n')
		return err_set(e, E_UNSUPPORTED,
			"%s: the state folder has format %ld, which a newer "
			"regatta wrote; this one knows format %d: use the "
			"newer one",
			path, n, STATE_VERSION);
	return err_set(e, E_UNSUPPORTED,
		"%s: not the VERSION of a state folder; name another folder "
		"with --state",
		path);
}

static enum status write_version(
	struct state *s, struct arena *a, struct err *e)
{
	struct str text = str_from(arena_printf(a, "%d\n", STATE_VERSION));

	return fs_write(s->fs, state_path(s, "VERSION", a), text, 0644, e);
}

/* What writes VERSION first makes the folder ours. */
static enum status check_version(struct state *s, bool create, bool *older,
	struct arena *a, struct err *e)
{
	const char *path = state_path(s, "VERSION", a);
	struct buf text = {0};
	struct fs_info info;
	enum status st = fs_stat(s->fs, path, &info, e);

	if (st)
		return st;
	if (info.kind == FS_NONE) {
		if (!create)
			return err_set(e, E_NOT_FOUND,
				"%s is no state folder; name it with --state, "
				"or publish a version first",
				s->dir);
		return write_version(s, a, e);
	}
	st = fs_read(s->fs, path, 64, &text, e);
	if (!st)
		st = check_format(
			path, text.len ? buf_str(&text) : S(""), older, e);
	buf_release(&text);
	return st;
}

static enum status make_reserve(struct state *s, struct arena *a, struct err *e)
{
	const char *path = state_path(s, "reserve", a);
	struct fs_info info;
	enum status st = fs_stat(s->fs, path, &info, e);

	if (st || info.kind != FS_NONE)
		return st;
	return fs_write(s->fs, path,
		str_make(arena_alloc(a, STATE_RESERVE), STATE_RESERVE), 0600,
		e);
}

/* --- the database --------------------------------------------------------- */

/* The key is made with the ledger's first line, when tables are there. */
static enum status none_is_gone(struct state *s, struct err *e)
{
	struct arena a = {0};
	struct fs_info info = {0};
	enum status st =
		fs_stat(s->fs, state_path(s, STATE_KEY_PUBLIC, &a), &info, e);

	arena_release(&a);
	if (!st && info.kind != FS_NONE)
		return err_set(e, E_INVALID,
			"%s/" STATE_DB
			" is gone or empty, and " STATE_KEY_PUBLIC
			" is there: put it back from a "
			"backup; to begin anew, name another folder",
			s->dir);
	return st;
}

static enum status make_tables(struct state *s, struct err *e)
{
	int64_t version = 0;
	enum status st = db_number(
		s->db, "PRAGMA user_version", DB_NONE, 0, &version, e);

	if (st || version == STATE_VERSION)
		return st;
	if (version < 0 || version > STATE_VERSION)
		return err_set(e, E_UNSUPPORTED,
			"%s/" STATE_DB
			" has format %lld, which a newer regatta wrote; this "
			"one knows format %d: use the newer one",
			s->dir, (long long)version, STATE_VERSION);
	if (!version)
		st = none_is_gone(s, e);
	if (!st)
		st = db_begin(s->db, e);
	if (st)
		return st;
	/* Somebody may have made them while this waited. */
	st = db_number(s->db, "PRAGMA user_version", DB_NONE, 0, &version, e);
	for (; !st && version < STATE_VERSION; version++)
		st = db_script(s->db, formats[version], e);
	return db_finish(s->db, st, e);
}

static enum status open_in(struct state *s, const struct state_options *o,
	struct arena *a, struct err *e)
{
	struct db_options db = {.vfs = o->vfs, .busy_ms = o->busy_ms};
	struct err ignored;
	bool older = false;
	enum status st = OK;

	if (o->create)
		st = fs_mkdirs(s->fs, s->dir, 0700, e);
	if (!st)
		st = check_version(s, o->create, &older, a, e);
	/* Where there is no room for it now, there may be when it is opened
	 * next. */
	if (!st && o->create)
		(void)!make_reserve(s, a, &ignored);
	if (!st)
		st = db_open(&s->db, state_path(s, STATE_DB, a), &db, e);
	/* SQLite takes some room even to read. */
	if (st == E_LIMIT && state_free_reserve(s))
		st = db_open(&s->db, state_path(s, STATE_DB, a), &db, e);
	if (!st)
		st = make_tables(s, e);
	return !st && older ? write_version(s, a, e) : st;
}

enum status state_open(struct state **out, const char *dir,
	const struct state_options *o, struct err *e)
{
	static const struct state_options none = {0};
	struct state *s = calloc(1, sizeof(*s));
	struct arena a = {0};
	enum status st;

	if (!s || !(s->dir = strdup(dir)))
		die("out of memory: state");
	s->fs = o ? o->fs : NULL;
	s->seen = -1;
	st = open_in(s, o ? o : &none, &a, e);
	arena_release(&a);
	if (st)
		state_close(s);
	else
		*out = s;
	return st;
}

void state_close(struct state *s)
{
	if (!s)
		return;
	db_close(s->db);
	sign_key_free(s->key);
	free(s->dir);
	free(s);
}

/* The ledger grows with each change, and only then. */
enum status state_changed(struct state *s, bool *changed, struct err *e)
{
	int64_t last = 0;
	enum status st = db_number(
		s->db, "SELECT max(seq) FROM ledger", DB_NONE, 0, &last, e);

	if (st)
		return st;
	*changed = last != s->seen;
	s->seen = last;
	return OK;
}

/* --- records -------------------------------------------------------------- */

static enum status read_record(struct str bundle, struct str text,
	struct arena *a, struct channel *out, struct err *e)
{
	enum status st = channel_parse(out, text, a, e);

	if (!st && !str_eq(out->bundle, bundle))
		st = err_set(
			e, E_INVALID, "it is of %.*s", STR_ARG(out->bundle));
	if (st)
		err_wrap(e, "the record of %.*s", STR_ARG(bundle));
	return st;
}

enum status state_load(struct state *s, struct str bundle, struct arena *a,
	struct channel *out, bool *found, struct err *e)
{
	struct db_rows r;
	enum status st = db_query(&r, s->db,
		"SELECT record FROM channels WHERE bundle = ?",
		DB(DB_TEXT(bundle)), e);

	*found = !st && db_next(&r, &st, e);
	if (*found)
		st = read_record(bundle, db_text(&r, 0), a, out, e);
	else
		*out = (struct channel){.bundle = bundle};
	db_end(&r);
	return st;
}

enum status state_channel(struct state *s, struct str bundle, struct arena *a,
	struct channel *out, struct err *e)
{
	struct channel got;
	bool found;
	enum status st = state_load(s, bundle, a, &got, &found, e);

	if (!st && (!found || str_is(bundle, STATE_FLEET)))
		return err_set(e, E_NOT_FOUND,
			"no bundle \"%.*s\" was published here",
			STR_ARG(bundle));
	if (!st)
		*out = got;
	return st;
}

enum status state_fleet(
	struct state *s, struct arena *a, struct channel *out, struct err *e)
{
	bool found;

	return state_load(s, S(STATE_FLEET), a, out, &found, e);
}

enum status state_records(struct state *s, struct arena *a,
	struct channel **out, size_t *n, struct err *e)
{
	struct db_rows r;
	struct channel *list = NULL;
	uint32_t len = 0, cap = 0;
	enum status st = db_query(&r, s->db,
		"SELECT bundle, record FROM channels ORDER BY bundle", DB_NONE,
		e);

	while (!st && db_next(&r, &st, e)) {
		list = arena_grow(a, list, len, &cap, sizeof(*list));
		st = read_record(
			db_text(&r, 0), db_text(&r, 1), a, &list[len], e);
		len++;
	}
	db_end(&r);
	if (!st) {
		*out = list;
		*n = len;
	}
	return st;
}

static bool is_fleet(struct str bundle)
{
	return str_is(bundle, STATE_FLEET);
}

enum status state_channels(struct state *s, struct arena *a,
	struct channel **out, size_t *n, struct err *e)
{
	struct channel *list;
	size_t len, left = 0;
	enum status st = state_records(s, a, &list, &len, e);

	if (st)
		return st;
	for (size_t i = 0; i < len; i++)
		if (!is_fleet(list[i].bundle))
			list[left++] = list[i];
	*out = list;
	*n = left;
	return OK;
}

static enum status store_record(
	struct state *s, const struct channel *c, struct err *e)
{
	struct buf text = {0};
	enum status st;

	channel_write(c, &text);
	st = db_run(s->db,
		"INSERT OR REPLACE INTO channels(bundle, generation, record)"
		" VALUES(?, ?, ?)",
		DB(DB_TEXT(c->bundle), DB_INT(c->generation),
			DB_TEXT(buf_str(&text))),
		e);
	buf_release(&text);
	return st;
}

/* --- calls, each known by its key ----------------------------------------- */

struct call {
	struct str key; /* empty: none */
	unsigned char request[32];
};

static void call_of(
	const struct state_change *change, struct arena *a, struct call *out)
{
	unsigned char sum[DIGEST_MAX];
	struct channel_event ev = change->event;
	struct buf text = {0};

	/* Who repeats a call may have looked again, and later. */
	if (change->key.len)
		ev.expect = ev.from_ns = ev.until_ns = 0;
	json_quote(&text, change->bundle);
	channel_event_write(&ev, &text);
	digest(DIGEST_SHA256, buf_str(&text), sum);
	memcpy(out->request, sum, sizeof(out->request));
	out->key = change->key;
	if (!change->key.len && change->event.expect) {
		buf_reset(&text);
		buf_adds(&text, "event:");
		digest_hex(&text, sum, 32);
		out->key = arena_str(a, buf_str(&text));
	}
	buf_release(&text);
}

/* The line that an earlier call with this key made; 0: there was none. */
static enum status find_call(
	struct state *s, const struct call *c, int64_t *seq, struct err *e)
{
	struct db_rows r;
	enum status st;

	*seq = 0;
	if (!c->key.len)
		return OK;
	st = db_query(&r, s->db, "SELECT seq, request FROM calls WHERE key = ?",
		DB(DB_TEXT(c->key)), e);
	if (!st && db_next(&r, &st, e)) {
		struct str request = db_text(&r, 1);

		*seq = db_int(&r, 0);
		if (request.len != sizeof(c->request) ||
			memcmp(request.ptr, c->request, request.len) != 0)
			st = err_set(e, E_CONFLICT,
				"the key %.*s was used for another call",
				STR_ARG(c->key));
	}
	db_end(&r);
	return st;
}

static enum status keep_call(struct state *s, const struct call *c, int64_t seq,
	int64_t now, struct err *e)
{
	int64_t old = now - STATE_KEY_DAYS * 24 * 3600 * NS_PER_S;
	enum status st;

	if (!c->key.len)
		return OK;
	st = db_run(
		s->db, "DELETE FROM calls WHERE at < ?", DB(DB_INT(old)), e);
	if (st)
		return st;
	return db_run(s->db,
		"INSERT INTO calls(key, request, seq, at) VALUES(?, ?, ?, ?)",
		DB(DB_TEXT(c->key),
			DB_BLOB(str_make(
				(const char *)c->request, sizeof(c->request))),
			DB_INT(seq), DB_INT(now)),
		e);
}

static enum status repeat(struct state *s, int64_t seq, struct arena *a,
	struct state_result *out, struct err *e)
{
	struct ledger_line line;
	enum status st = ledger_line_at(s, seq, a, &line, e);

	if (!st)
		*out = (struct state_result){.repeated = true,
			.seq = seq,
			.before = line.before.generation,
			.after = line.after.generation};
	return st;
}

/* --- the one way a channel changes ---------------------------------------- */

static bool is_freeze(enum channel_event_kind k)
{
	return k == EVENT_FREEZE || k == EVENT_UNFREEZE;
}

static enum status check_change(
	const struct state_change *change, bool found, struct err *e)
{
	struct str b = change->bundle;

	if (!b.len || b.len > STATE_BUNDLE_MAX || !utf8_valid(b.ptr, b.len))
		return err_set(e, E_INVALID,
			"a bundle's name has 1 to %d bytes of UTF-8",
			STATE_BUNDLE_MAX);
	if (change->key.len > STATE_KEY_MAX ||
		!utf8_valid(change->key.ptr, change->key.len))
		return err_set(e, E_INVALID,
			"a call's key has up to %d bytes of UTF-8",
			STATE_KEY_MAX);
	if (is_fleet(b))
		return is_freeze(change->event.kind)
			       ? OK
			       : err_set(e, E_INVALID,
					 "a bundle can't be called \"%.*s\"",
					 STR_ARG(b));
	if (!found && change->event.kind != EVENT_PUBLISH)
		return err_set(e, E_NOT_FOUND,
			"no bundle \"%.*s\" was published here; publish a "
			"version first",
			STR_ARG(b));
	return OK;
}

/* The next record, its line, and what else follows from it. */
static enum status commit_event(struct state *s,
	const struct state_change *change, const struct channel_event *ev,
	const struct channel *before, const struct channel *after,
	const struct call *call, struct arena *a, struct state_result *out,
	struct err *e)
{
	struct ledger_line line = {.ns = change->now_ns,
		.bundle = change->bundle,
		.key = call->key,
		.event = *ev};
	enum status st;

	ledger_side(before, a, &line.before);
	ledger_side(after, a, &line.after);
	st = ledger_append(s, &line, &out->is_signed, e);
	if (!st)
		st = store_record(s, after, e);
	if (!st)
		st = version_note(
			s, change->bundle, ev, after, change->now_ns, e);
	if (!st)
		st = keep_call(s, call, line.seq, change->now_ns, e);
	out->changed = true;
	out->seq = line.seq;
	out->before = before->generation;
	out->after = after->generation;
	return st;
}

/* What stands against it outside of its channel. */
static enum status fleet_facts(struct state *s, struct str bundle,
	struct channel_event *ev, int64_t now_ns, struct arena *a,
	struct err *e)
{
	bool people = ev->roles & (ROLE_RELEASE | ROLE_ONCALL);
	const struct channel_freeze *f;
	struct channel all;
	enum status st;

	ev->frozen_by = ev->frozen_why = ev->overlap = (struct str){0};
	if (ev->kind != EVENT_START && ev->kind != EVENT_EXPOSE &&
		ev->kind != EVENT_SUCCEED)
		return OK;
	st = state_fleet(s, a, &all, e);
	if (st)
		return st;
	f = channel_frozen(&all, !people, now_ns);
	if (f) {
		ev->frozen_by = f->who;
		ev->frozen_why = f->why;
	}
	if (ev->kind == EVENT_START)
		st = state_overlap(s, bundle, now_ns, a, &ev->overlap, e);
	return st;
}

static enum status apply_new(struct state *s, const struct state_change *change,
	const struct channel *before, const struct call *call, struct arena *a,
	struct state_result *out, struct channel *after, struct err *e)
{
	struct channel_event ev = change->event;
	enum status st = version_facts(s, before, &ev, a, e);

	if (!st)
		st = fleet_facts(s, change->bundle, &ev, change->now_ns, a, e);
	if (st)
		return st;
	out->before = out->after = before->generation;
	out->refusal = channel_apply(before, &ev, change->now_ns, a, after, e);
	if (out->refusal == REFUSED_ALREADY)
		return OK;
	if (out->refusal)
		return e ? e->code : E_DENIED;
	return commit_event(s, change, &ev, before, after, call, a, out, e);
}

enum status state_apply_in(struct state *s, const struct state_change *change,
	struct arena *a, struct state_result *out, struct channel *after,
	struct err *e)
{
	struct channel before;
	struct call call;
	int64_t seq;
	bool found;
	enum status st = state_load(s, change->bundle, a, &before, &found, e);

	*out = (struct state_result){0};
	*after = before;
	if (!st)
		st = check_change(change, found, e);
	if (st)
		return st;
	call_of(change, a, &call);
	st = find_call(s, &call, &seq, e);
	if (!st && seq)
		return repeat(s, seq, a, out, e);
	if (!st)
		st = apply_new(s, change, &before, &call, a, out, after, e);
	return st;
}

enum status state_finish(struct state *s, enum status st,
	struct state_result *out, struct err *e)
{
	if (!st && out->changed)
		st = db_commit(s->db, e);
	else
		db_rollback(s->db);
	if (st)
		out->changed = false;
	return st;
}

static enum status apply_once(struct state *s,
	const struct state_change *change, struct state_result *out,
	struct err *e)
{
	struct arena a = {0};
	struct channel after;
	enum status st = db_begin(s->db, e);

	if (!st)
		st = state_apply_in(s, change, &a, out, &after, e);
	st = state_finish(s, st, out, e);
	arena_release(&a);
	return st;
}

bool state_free_reserve(struct state *s)
{
	struct arena a = {0};
	struct err ignored;
	bool freed = !fs_remove(s->fs, state_path(s, "reserve", &a), &ignored);

	arena_release(&a);
	return freed;
}

static bool urgent(enum channel_event_kind k)
{
	return k == EVENT_ROLLBACK || k == EVENT_FREEZE || k == EVENT_PIN;
}

enum status state_apply(struct state *s, const struct state_change *change,
	struct state_result *out, struct err *e)
{
	struct err own = {0};
	enum status st;

	e = e ? e : &own;
	*out = (struct state_result){0};
	st = apply_once(s, change, out, e);
	if (st == E_LIMIT && !out->refusal && urgent(change->event.kind) &&
		state_free_reserve(s))
		st = apply_once(s, change, out, e);
	return st;
}
