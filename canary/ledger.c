/* The chain of everything that changed a channel. */
#include "base/date.h"
#include "base/digest.h"
#include "base/json.h"
#include "canary/channel_json.h"
#include "canary/internal.h"

#include <string.h>

/* clang-format off */
static const struct shape_field side_fields[] = {
	F_INT(ledger_side, "generation", generation),
	F_STR(ledger_side, "record", record),
	F_STR(ledger_side, "stable", stable),
	F_STR(ledger_side, "candidate", candidate),
	F_STR(ledger_side, "state", state),
};
static const struct shape side_shape = SHAPE(ledger_side, side_fields);

static const struct shape_field line_fields[] = {
	F_INT(ledger_line, "seq", seq),
	F_STR(ledger_line, "time", time),
	F_INT(ledger_line, "ns", ns),
	F_STR(ledger_line, "bundle", bundle),
	F_STR(ledger_line, "key", key),
	F_OBJ(ledger_line, "event", event, channel_event_shape),
	F_OBJ(ledger_line, "before", before, side_shape),
	F_OBJ(ledger_line, "after", after, side_shape),
};
static const struct shape line_shape = SHAPE(ledger_line, line_fields);
/* clang-format on */

void ledger_side(
	const struct channel *c, struct arena *a, struct ledger_side *out)
{
	char record[65];

	channel_digest(c, record);
	*out = (struct ledger_side){.generation = c->generation,
		.record = arena_str(a, str_from(record)),
		.stable = c->stable.revision,
		.candidate = c->candidate.revision,
		.state = str_from(channel_state_name(c->state))};
}

enum { HASH = LEDGER_HASH };

void ledger_chain(unsigned char hash[LEDGER_HASH], struct str line)
{
	struct digest d;

	digest_init(&d, DIGEST_SHA256);
	digest_update(&d, hash, HASH);
	digest_update(&d, line.ptr, line.len);
	digest_final(&d, hash);
}

/* --- heads ---------------------------------------------------------------- */

static enum status make_key(
	struct state *s, const char *path, struct arena *a, struct err *e)
{
	struct buf private = {0}, public = {0};
	enum status st = sign_key_generate(ALG_ES256, &private, &public, e);

	if (!st)
		st = fs_write(s->fs, state_path(s, STATE_KEY_PUBLIC, a),
			buf_str(&public), 0644, e);
	if (!st)
		st = fs_write(s->fs, path, buf_str(&private), 0600, e);
	if (private.ptr)
		explicit_bzero(private.ptr, private.cap);
	buf_release(&private);
	buf_release(&public);
	return st;
}

/* In a transaction, so that no two processes make one. */
static enum status load_key(struct state *s, struct err *e)
{
	struct arena a = {0};
	const char *path = state_path(s, STATE_KEY, &a);
	struct fs_info info;
	enum status st = fs_stat(s->fs, path, &info, e);

	if (!st && info.kind == FS_NONE)
		st = make_key(s, path, &a, e);
	if (!st)
		st = sign_key_load(&s->key, path, ALG_ES256, e);
	arena_release(&a);
	return st;
}

void ledger_payload(
	struct buf *out, int64_t seq, const unsigned char hash[LEDGER_HASH])
{
	buf_addf(out, "{\"seq\":%lld,\"hash\":\"", (long long)seq);
	digest_hex(out, hash, HASH);
	buf_adds(out, "\"}");
}

/* Nothing in `out` when it can't be signed. */
static void sign_head(struct state *s, int64_t seq, const unsigned char *hash,
	struct buf *out)
{
	struct buf payload = {0};
	struct err ignored;

	if (!s->key && !s->no_key)
		s->no_key = load_key(s, &ignored) != OK;
	if (!s->key)
		return;
	ledger_payload(&payload, seq, hash);
	if (sign_jws(s->key, sign_key_fingerprint(s->key), buf_str(&payload),
		    out, &ignored))
		buf_reset(out);
	buf_release(&payload);
}

/* --- adding --------------------------------------------------------------- */

static enum status bad_hash(int64_t seq, struct err *e)
{
	return err_set(e, E_INVALID, "ledger line %lld has no hash of %d bytes",
		(long long)seq, HASH);
}

/* Where the chain ends; seq 0 and zeros when it is empty. */
static enum status last(
	struct state *s, int64_t *seq, unsigned char hash[HASH], struct err *e)
{
	struct db_rows r;
	enum status st = db_query(&r, s->db,
		"SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1",
		DB_NONE, e);

	*seq = 0;
	memset(hash, 0, HASH);
	if (!st && db_next(&r, &st, e)) {
		struct str got = db_text(&r, 1);

		*seq = db_int(&r, 0);
		if (got.len == HASH)
			memcpy(hash, got.ptr, HASH);
		else
			st = bad_hash(*seq, e);
	}
	db_end(&r);
	return st;
}

enum status ledger_append(struct state *s, struct ledger_line *line,
	bool *is_signed, struct err *e)
{
	unsigned char hash[HASH];
	struct buf time = {0}, text = {0}, head = {0};
	struct db_value signature = DB_NULL;
	enum status st = last(s, &line->seq, hash, e);

	if (st)
		return st;
	line->seq++;
	instant_text(&time, line->ns);
	line->time = buf_str(&time);
	shape_write(&line_shape, line, &text);
	ledger_chain(hash, buf_str(&text));
	sign_head(s, line->seq, hash, &head);
	*is_signed = head.len != 0;
	if (head.len)
		signature = (struct db_value)DB_TEXT(buf_str(&head));
	st = db_run(s->db,
		"INSERT INTO ledger(seq, bundle, line, hash, head)"
		" VALUES(?, ?, ?, ?, ?)",
		DB(DB_INT(line->seq), DB_TEXT(line->bundle),
			DB_TEXT(buf_str(&text)),
			DB_BLOB(str_make((const char *)hash, HASH)), signature),
		e);
	line->time = (struct str){0};
	buf_release(&time);
	buf_release(&text);
	buf_release(&head);
	return st;
}

/* --- reading -------------------------------------------------------------- */

enum status ledger_read_line(int64_t seq, struct str text, struct arena *a,
	struct ledger_line *out, struct err *e)
{
	enum status st = shape_parse(&line_shape, text, a, out, e);

	if (!st && out->seq != seq)
		st = err_set(e, E_INVALID, "says that it is line %lld",
			(long long)out->seq);
	if (st)
		err_wrap(e, "ledger line %lld", (long long)seq);
	return st;
}

static enum status read_lines(struct db_rows *r, struct arena *a,
	struct ledger_line **out, size_t *n, struct err *e)
{
	struct ledger_line *list = NULL;
	uint32_t len = 0, cap = 0;
	enum status st = OK;

	while (!st && db_next(r, &st, e)) {
		list = arena_grow(a, list, len, &cap, sizeof(*list));
		st = ledger_read_line(
			db_int(r, 0), db_text(r, 1), a, &list[len], e);
		len++;
	}
	if (!st) {
		*out = list;
		*n = len;
	}
	return st;
}

enum status ledger_lines(struct state *s, struct str bundle, int64_t after,
	size_t max, struct arena *a, struct ledger_line **out, size_t *n,
	struct err *e)
{
	struct db_rows r;
	enum status st = db_query(&r, s->db,
		"SELECT seq, line FROM ledger WHERE seq > ?"
		" AND (? = '' OR bundle = ?) ORDER BY seq LIMIT ?",
		DB(DB_INT(after), DB_TEXT(bundle), DB_TEXT(bundle),
			DB_INT(max)),
		e);

	if (!st)
		st = read_lines(&r, a, out, n, e);
	db_end(&r);
	return st;
}

enum status ledger_newest(struct state *s, struct str bundle, size_t max,
	struct arena *a, struct ledger_line **out, size_t *n, struct err *e)
{
	struct db_rows r;
	enum status st = db_query(&r, s->db,
		"SELECT seq, line FROM ledger WHERE (? = '' OR bundle = ?)"
		" ORDER BY seq DESC LIMIT ?",
		DB(DB_TEXT(bundle), DB_TEXT(bundle), DB_INT(max)), e);

	if (!st)
		st = read_lines(&r, a, out, n, e);
	db_end(&r);
	return st;
}

enum status ledger_line_at(struct state *s, int64_t seq, struct arena *a,
	struct ledger_line *out, struct err *e)
{
	struct ledger_line *list;
	size_t n;
	enum status st = ledger_lines(s, S(""), seq - 1, 1, a, &list, &n, e);

	if (st)
		return st;
	if (!n || list->seq != seq)
		return err_set(e, E_INVALID, "the ledger has no line %lld",
			(long long)seq);
	*out = *list;
	return OK;
}

enum status ledger_export(struct state *s, struct buf *out, struct err *e)
{
	struct db_rows r;
	enum status st = db_query(&r, s->db,
		"SELECT line, hash, head FROM ledger ORDER BY seq", DB_NONE, e);

	while (!st && db_next(&r, &st, e)) {
		struct str hash = db_text(&r, 1);

		buf_adds(out, "{\"line\":");
		json_quote(out, db_text(&r, 0));
		buf_adds(out, ",\"hash\":\"");
		digest_hex(out, (const unsigned char *)hash.ptr, hash.len);
		buf_adds(out, "\",\"head\":");
		json_quote(out, db_text(&r, 2));
		buf_adds(out, "}\n");
	}
	db_end(&r);
	return st;
}
