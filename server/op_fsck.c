/*
 * fsck: is everything in a state folder what it was when it was written?
 *
 * Each part is checked against what it can be computed from: the database
 * against its pages, the ledger against its hashes and events, archives against
 * their names, decisions against their hashes, checkpoints and indexes. It goes
 * on behind a fault, so that all parts are looked at, and changes nothing.
 *
 * What nobody knows is a note, and no fault: it does no harm where it is.
 */
#include "server/op_common.h"

#include "base/db.h"
#include "base/digest.h"
#include "server/doc.h"
#include "server/server.h"
#include "signer/note.h"
#include "signer/signer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 1000 /* rows; behind them faults are counted */ };

struct fsck {
	struct service *s;
	struct op_call *c;
	struct buf rows;
	unsigned faults, notes;
	uint64_t lines, archives, decisions;
	bool has_log; /* and it is right */
};

static void add_row(struct fsck *f, const char *harm, unsigned *n,
	struct str where, const char *what)
{
	if (++*n > SHOWN)
		return;
	doc_open(&f->rows, NULL, '{');
	doc_text(&f->rows, "harm", str_from(harm));
	doc_text(&f->rows, "where", where);
	doc_text(&f->rows, "what", str_from(what));
	doc_close(&f->rows, '}');
}

static void fault(struct fsck *f, const char *where, const char *what)
{
	add_row(f, "fault", &f->faults, str_from(where), what);
}

static void note(struct fsck *f, const char *where, const char *what)
{
	add_row(f, "note", &f->notes, str_from(where), what);
}

static const char *path_of(struct fsck *f, const char *fmt, ...) PRINTF(2, 3);

static const char *path_of(struct fsck *f, const char *fmt, ...)
{
	char name[LIMIT_PATH_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	return arena_printf(f->c->a, "%s/%s", service_dir(f->s), name);
}

static bool is_there(struct fsck *f, const char *name)
{
	struct fs_info info;
	struct err e = {0};

	return !fs_stat(service_fs(f->s), path_of(f, "%s", name), &info, &e) &&
	       info.kind != FS_NONE;
}

/* --- the database and its ledger ---------------------------------------------
 */

static enum status each_line(
	struct fsck *f, struct db *d, const char *sql, struct err *e)
{
	struct db_rows r;
	enum status st = db_query(&r, d, sql, DB_NONE, e);

	if (st)
		return st;
	while (db_next(&r, &st, e)) {
		struct str says = db_text(&r, 0);

		if (!str_is(says, "ok"))
			fault(f, STATE_DB, arena_strdup(f->c->a, says));
	}
	db_end(&r);
	return st;
}

static void check_pages(struct fsck *f)
{
	struct db_options o = {.readonly = true};
	struct db *d = NULL;
	struct err e = {0};
	enum status st = db_open(&d, path_of(f, STATE_DB), &o, &e);

	if (!st)
		st = each_line(f, d, "PRAGMA integrity_check(20)", &e);
	if (!st)
		st = each_line(f, d,
			"SELECT \"table\" || ': row ' || coalesce(rowid, '?') "
			"|| ' belongs to nothing' FROM "
			"pragma_foreign_key_check",
			&e);
	if (st)
		fault(f, STATE_DB, e.text);
	db_close(d);
}

static void check_ledger(struct fsck *f)
{
	struct ledger_report r = {0};
	struct err e = {0};
	enum status st;

	service_lock(f->s);
	st = ledger_verify(service_state(f->s), NULL, NULL, &r, &e);
	service_unlock(f->s);
	f->lines = (uint64_t)r.lines;
	if (st && r.bad)
		fault(f,
			arena_printf(f->c->a, STATE_DB ": ledger line %" PRId64,
				r.bad),
			e.text);
	else if (st)
		fault(f, STATE_DB ": ledger", e.text);
}

/* --- keys --------------------------------------------------------------------
 */

/* What two halves of a key have in common, in `id`; for parse_*() below. */
typedef enum status key_id(
	const char *path, const struct fs *fs, struct buf *id, struct err *e);

static enum status ledger_private(
	const char *path, const struct fs *fs, struct buf *id, struct err *e)
{
	struct sign_key *k = NULL;
	enum status st = sign_key_load(&k, path, ALG_ES256, e);

	(void)fs;
	if (!st)
		buf_adds(id, sign_key_fingerprint(k));
	sign_key_free(k);
	return st;
}

static enum status ledger_public(
	const char *path, const struct fs *fs, struct buf *id, struct err *e)
{
	struct sign_key *k = NULL;
	struct buf pem = {0};
	enum status st = fs_read(fs, path, KIB(4), &pem, e);

	if (!st)
		st = sign_key_parse_public(
			&k, buf_str(&pem), ALG_ES256, "ledger", e);
	if (!st)
		buf_adds(id, sign_key_fingerprint(k));
	sign_key_free(k);
	buf_release(&pem);
	return st;
}

static enum status log_private(
	const char *path, const struct fs *fs, struct buf *id, struct err *e)
{
	struct note_key *k = NULL;
	enum status st = note_key_load(&k, path, e);

	(void)fs;
	if (!st)
		note_key_public(k, id);
	note_key_free(k);
	return st;
}

static enum status log_public(
	const char *path, const struct fs *fs, struct buf *id, struct err *e)
{
	struct note_key *k = NULL;
	enum status st = note_key_read(&k, fs, path, e);

	if (!st)
		note_key_public(k, id);
	note_key_free(k);
	return st;
}

static const struct key_pair {
	const char *private, *public; /* files */
	key_id *of_private, *of_public;
} pairs[] = {
	{STATE_KEY, STATE_KEY_PUBLIC, ledger_private, ledger_public},
	{"log.key", "log.pub", log_private, log_public},
};

/* A half that can't be read is a fault; `id` is empty then. */
static void key_half(
	struct fsck *f, const char *name, key_id *of, struct buf *id)
{
	struct err e = {0};

	if (of(path_of(f, "%s", name), service_fs(f->s), id, &e)) {
		fault(f, name, e.text);
		buf_reset(id);
	}
}

static void check_pair(struct fsck *f, const struct key_pair *p)
{
	bool has_private = is_there(f, p->private);
	bool has_public = is_there(f, p->public);
	struct buf a = {0}, b = {0};

	if (has_private)
		key_half(f, p->private, p->of_private, &a);
	if (has_public)
		key_half(f, p->public, p->of_public, &b);
	if (a.len && b.len && !str_eq(buf_str(&a), buf_str(&b)))
		fault(f, p->private,
			arena_printf(f->c->a, "%s is not its other half",
				p->public));
	if (has_private != has_public)
		fault(f, has_private ? p->public : p->private,
			"it is gone, and its other half is there: put it back "
			"from a backup");
	buf_release(&a);
	buf_release(&b);
}

/* --- archives ----------------------------------------------------------------
 */

static void check_archive(struct fsck *f, struct str name)
{
	const char *where = arena_printf(
		f->c->a, STATE_BUNDLES "/archives/%.*s", STR_ARG(name));
	unsigned char sum[DIGEST_MAX];
	struct buf bytes = {0}, hex = {0};
	struct bundle b = {0};
	struct err e = {0};
	enum status st = fs_read(service_fs(f->s), path_of(f, "%s", where),
		LIMIT_BUNDLE_COMPRESSED, &bytes, &e);

	f->archives++;
	if (!st) {
		digest(DIGEST_SHA256, buf_str(&bytes), sum);
		digest_hex(&hex, sum, 32);
		if (!str_eq(buf_str(&hex), str_slice(name, 0, 64)))
			st = err_set(&e, E_INVALID,
				"its bytes have the digest %s", hex.ptr);
	}
	if (!st)
		st = bundle_unpack(&b, buf_str(&bytes), &e);
	if (st)
		fault(f, where, e.text);
	bundle_release(&b);
	buf_release(&hex);
	buf_release(&bytes);
}

static bool is_archive(struct str name)
{
	return name.len == 64 + strlen(".tar.gz") &&
	       str_ends(name, S(".tar.gz")) &&
	       strspn(name.ptr, "0123456789abcdef") == 64;
}

static enum status list(struct fsck *f, const char *dir, const char ***names,
	size_t *n, struct err *e)
{
	enum status st = fs_list(
		service_fs(f->s), path_of(f, "%s", dir), f->c->a, names, n, e);

	if (st == E_NOT_FOUND) {
		*n = 0;
		return OK;
	}
	return st;
}

static void check_archives(struct fsck *f)
{
	const char **names;
	size_t n;
	struct err e = {0};

	if (list(f, STATE_BUNDLES "/archives", &names, &n, &e)) {
		fault(f, STATE_BUNDLES "/archives", e.text);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (is_archive(str_from(names[i])))
			check_archive(f, str_from(names[i]));
}

static bool has_archive(struct fsck *f, struct str digest)
{
	if (str_starts(digest, S("sha256:")))
		digest = str_slice(digest, 7, digest.len);
	return is_there(
		f, arena_printf(f->c->a, STATE_BUNDLES "/archives/%.*s.tar.gz",
			   STR_ARG(digest)));
}

static const struct version *stored_as(
	const struct version *v, size_t n, struct str revision)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(revision, v[i].revision))
			return &v[i];
	return NULL;
}

static const char *version_name(
	struct fsck *f, struct str bundle, struct str revision)
{
	return arena_printf(f->c->a, "version %.*s of %.*s", STR_ARG(revision),
		STR_ARG(bundle));
}

/* What was published, as the ledger has it, beside what the store says. */
static void check_published(struct fsck *f, const struct channel *ch,
	const struct channel_version *v, const struct version *stored)
{
	const char *where = version_name(f, ch->bundle, v->revision);
	struct str digest;

	if (channel_needs(ch, v->revision) && !has_archive(f, v->digest))
		fault(f, where,
			"the channel needs it, and its archive is gone");
	if (!stored) {
		fault(f, where,
			arena_printf(f->c->a,
				STATE_BUNDLES "/versions/%.*s/%.*s.json is "
					      "gone: publish it again",
				STR_ARG(ch->bundle), STR_ARG(v->revision)));
		return;
	}
	digest = str_from(stored->digest);
	if (str_starts(digest, S("sha256:")))
		digest = str_slice(digest, 7, digest.len);
	if (!str_eq(digest, v->digest) || !str_is(v->commit, stored->commit))
		fault(f, where,
			arena_printf(f->c->a,
				STATE_BUNDLES "/versions/%.*s/%.*s.json has "
					      "another digest or commit than "
					      "was published",
				STR_ARG(ch->bundle), STR_ARG(v->revision)));
}

/* What the store lists, and what the channel may hand out. */
static void check_versions(struct fsck *f, const struct channel *ch)
{
	const char *bundle = arena_strdup(f->c->a, ch->bundle);
	struct state_version *known;
	struct version *stored = NULL;
	struct store *store;
	size_t n = 0, nstored = 0;
	struct err e = {0};
	enum status st = service_store(f->s, &store, &e);

	if (!st)
		st = store_list(store, bundle, f->c->a, &stored, &nstored, &e);
	for (size_t i = 0; i < nstored && !st; i++)
		if (!has_archive(f, str_from(stored[i].digest)))
			fault(f,
				version_name(f, ch->bundle,
					str_from(stored[i].revision)),
				arena_printf(f->c->a, "its archive %s is gone",
					stored[i].digest));
	if (!st)
		st = state_versions(service_state(f->s), ch->bundle, f->c->a,
			&known, &n, &e);
	for (size_t i = 0; i < n && !st; i++)
		check_published(f, ch, &known[i].v,
			stored_as(stored, nstored, known[i].v.revision));
	if (st)
		fault(f, arena_printf(f->c->a, "bundle %s", bundle), e.text);
}

static void check_channels(struct fsck *f)
{
	struct channel *channels;
	size_t n;
	struct err e = {0};

	service_lock(f->s);
	if (state_channels(service_state(f->s), f->c->a, &channels, &n, &e)) {
		fault(f, STATE_DB, e.text);
		n = 0;
	}
	for (size_t i = 0; i < n; i++)
		check_versions(f, &channels[i]);
	service_unlock(f->s);
}

/* --- decisions ---------------------------------------------------------------
 */

/* As far as it can be read; that it can't is a fault of its own. */
static struct note_key *read_log_key(struct fsck *f)
{
	struct note_key *key = NULL;
	struct err e;

	return note_key_read(&key, service_fs(f->s), path_of(f, "log.pub"), &e)
		       ? NULL
		       : key;
}

static void bare_logs(struct fsck *f, unsigned bare)
{
	for (enum decisions_log i = 0; i < LOGS; i++)
		if (bare & 1u << i)
			note(f,
				arena_printf(f->c->a,
					STATE_DECISIONS "/%s/checkpoints",
					decisions_log_name(i)),
				"there is none: the log is new, or somebody "
				"took them away");
}

static void verify_decisions(struct fsck *f)
{
	struct decisions_fault at = {.event = UINT64_MAX};
	struct note_key *key = read_log_key(f);
	struct decisions *log;
	struct err e = {0};
	enum status st = service_decisions(f->s, false, &log, &e);

	if (!st)
		st = decisions_verify(log, key, S(""), &at, &e);
	if (st)
		fault(f,
			arena_printf(f->c->a, STATE_DECISIONS "%s%s",
				at.file[0] ? "/" : "", at.file),
			e.text);
	else
		f->has_log = !decisions_end(log, &f->decisions, &e);
	bare_logs(f, at.bare);
	note_key_free(key);
}

/* The key is made in front of the log. */
static void check_decisions(struct fsck *f)
{
	if (is_there(f, STATE_DECISIONS))
		verify_decisions(f);
	else if (is_there(f, "log.pub"))
		fault(f, STATE_DECISIONS,
			"the decision log is gone, and log.pub is there: put "
			"it back from a backup");
}

/* --- the rest
 * ----------------------------------------------------------------- */

static void check_tokens(struct fsck *f)
{
	struct server_tokens t = {0};
	struct err e = {0};

	if (server_tokens_read(
		    &t, service_fs(f->s), path_of(f, STATE_TOKENS), &e))
		fault(f, STATE_TOKENS, e.text);
	server_tokens_release(&t);
}

/* Names that a folder may have in it: whole, or how they end. */
struct names {
	const char *dir;
	const char *known[12];
	const char *ends[6];
};

/* clang-format off */
static const struct names folders[] = {
	{".", {"VERSION", STATE_DB, STATE_BUNDLES, STATE_DECISIONS, STATE_TOKENS, STATE_SOCKET, "reserve"}, {".key", ".pub", ".lock", ".db-wal", ".db-shm"}},
	{STATE_BUNDLES, {"archives", "versions", "lock"}, {0}},
	{STATE_BUNDLES "/archives", {0}, {0}},
	{STATE_DECISIONS, {"lock", "events", "quarantine", "counters", "rules", "index"}, {0}},
	{STATE_DECISIONS "/events", {"manifest", "checkpoints", "tree"}, {".seg"}},
	{STATE_DECISIONS "/quarantine", {"manifest", "checkpoints", "tree"}, {".seg"}},
	{STATE_DECISIONS "/counters", {"manifest", "checkpoints", "tree"}, {".seg"}},
	{STATE_DECISIONS "/rules", {"manifest", "checkpoints", "tree"}, {".seg"}},
	{STATE_DECISIONS "/index", {"position"}, {".db", ".db-wal", ".db-shm", ".db-journal"}},
};
/* clang-format on */

static bool is_known(const struct names *in, struct str name)
{
	if (is_archive(name))
		return true;
	for (size_t i = 0; i < COUNT(in->known) && in->known[i]; i++)
		if (str_is(name, in->known[i]))
			return true;
	for (size_t i = 0; i < COUNT(in->ends) && in->ends[i]; i++)
		if (str_ends(name, str_from(in->ends[i])))
			return true;
	return false;
}

static void check_names(struct fsck *f, const struct names *in)
{
	const char **names;
	size_t n;
	struct err e = {0};

	if (list(f, in->dir, &names, &n, &e)) {
		fault(f, in->dir, e.text);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct str name = str_from(names[i]);
		const char *where = strcmp(in->dir, ".") != 0
					    ? arena_printf(f->c->a, "%s/%s",
						      in->dir, names[i])
					    : names[i];

		if (is_known(in, name))
			continue;
		note(f, where,
			str_ends(name, S(".tmp")) || str_is(name, "index.new")
				? "left by a process that was killed; nothing "
				  "reads it"
				: "not made by regatta");
	}
}

static enum op_code fsck(struct service *s, struct op_call *c, struct buf *out)
{
	struct fsck f = {.s = s, .c = c};

	check_pages(&f);
	check_ledger(&f);
	for (size_t i = 0; i < COUNT(pairs); i++)
		check_pair(&f, &pairs[i]);
	check_archives(&f);
	check_channels(&f);
	check_decisions(&f);
	check_tokens(&f);
	for (size_t i = 0; i < COUNT(folders); i++)
		check_names(&f, &folders[i]);
	doc_begin(out, "fsck");
	doc_bool(out, "ok", !f.faults);
	doc_int(out, "faults", f.faults);
	doc_int(out, "notes", f.notes);
	doc_int(out, "ledger_lines", (int64_t)f.lines);
	doc_int(out, "archives", (int64_t)f.archives);
	if (f.has_log)
		doc_int(out, "decisions", (int64_t)f.decisions);
	doc_open(out, "rows", '[');
	buf_addstr(out, buf_str(&f.rows));
	doc_close(out, ']');
	doc_close(out, '}');
	buf_release(&f.rows);
	return f.faults ? OP_INTEGRITY : OP_OK;
}

const struct op op_fsck = {
	.name = "fsck",
	.method = "GET",
	.pattern = "/v1/fsck",
	.roles = SERVER_RELEASE | SERVER_ONCALL | SERVER_VIEWER,
	.summary = "Check everything in the state folder against what it can "
		   "be computed from",
	.slow = true,
	.run = fsck,
};
