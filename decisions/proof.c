/* That one event is in the log, without showing the others. */
#include "decisions/internal.h"

#include <string.h>

static const char proof_line[] = "c2sp.org/tlog-proof@v1\n";

static void put_base64(struct buf *out, const void *ptr, size_t len)
{
	base64_write(out, (struct str){ptr, len});
	buf_addc(out, '\n');
}

/* The newest checkpoint, which has the event. */
static enum status newest(struct reader *r, uint64_t number, struct buf *all,
	struct str *note, struct checkpoint *c, struct err *e)
{
	size_t at = 0;
	struct str one;
	enum status st = checkpoints_read(r->fs, r->dir, all, e);

	*note = S("");
	while (!st && checkpoint_next(buf_str(all), &at, &one))
		*note = one;
	if (!st && note->len)
		st = checkpoint_parse(
			str_slice(*note, 0, str_find(*note, S("\n\n"), 0) + 1),
			c, e);
	if (!st && (!note->len || c->size <= number))
		st = err_set(e, E_NOT_FOUND, "no checkpoint has event %llu yet",
			(unsigned long long)number);
	return st;
}

static enum status prove(struct reader *r, uint64_t number,
	struct merkle_proof *p, const struct checkpoint *c, struct err *e)
{
	struct tree_source s;
	struct merkle_source source = {tree_hash, &s};
	struct merkle_hash leaf;
	enum status st = tree_source_open(&s, r, e);

	if (!st)
		st = merkle_prove(&source, number, c->size, p, e);
	if (!st)
		st = tree_hash(&s, number, number + 1, &leaf, e);
	if (!st && !merkle_check(number, c->size, &leaf, p, &c->root))
		st = err_set(e, E_INVALID,
			"the log does not have the root that was signed: "
			"`regatta decisions verify` says where");
	tree_source_release(&s);
	return st;
}

static enum status entry_of(struct reader *r, uint64_t number,
	unsigned char entry[ENTRY], struct err *e)
{
	struct merkle_hash hash;
	struct record rec;
	bool found;
	enum status st = reader_at(r, number, &rec, &found, e);

	if (!st && !found)
		st = err_set(e, E_NOT_FOUND, "no event %llu",
			(unsigned long long)number);
	if (st)
		return st;
	digest(DIGEST_SHA256, rec.bytes, hash.b);
	record_entry(&rec, &hash, entry);
	return OK;
}

enum status decisions_prove(
	struct decisions *d, uint64_t number, struct buf *out, struct err *e)
{
	unsigned char entry[ENTRY];
	struct merkle_proof p = {0};
	struct buf all = {0};
	struct checkpoint c = {0};
	struct reader r;
	struct str note;
	enum status st = store_reader(d, LOG_EVENTS, &r, e);

	if (st)
		return st;
	st = entry_of(&r, number, entry, e);
	if (!st)
		st = newest(&r, number, &all, &note, &c, e);
	if (!st)
		st = prove(&r, number, &p, &c, e);
	if (!st) {
		buf_adds(out, proof_line);
		buf_adds(out, "extra ");
		put_base64(out, entry, ENTRY);
		buf_addf(out, "index %llu\n", (unsigned long long)number);
		for (unsigned i = 0; i < p.n; i++)
			put_base64(out, p.hashes[i].b, MERKLE_BYTES);
		buf_addc(out, '\n');
		buf_addstr(out, note);
	}
	buf_release(&all);
	reader_close(&r);
	return st;
}

static bool get_base64(struct str s, void *to, size_t len)
{
	struct buf b = {0};
	bool ok = !base64_parse(&b, s, NULL) && b.len == len;

	if (ok)
		memcpy(to, b.ptr, len);
	buf_release(&b);
	return ok;
}

static bool get_index(struct str s, uint64_t *out)
{
	uint64_t n = 0;

	if (!s.len || s.len > 18 || (s.len > 1 && s.ptr[0] == '0'))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(s.ptr[i] - '0');
	}
	*out = n;
	return true;
}

/* What is left of *text behind it is the checkpoint. */
static bool proof_parse(struct str *text, unsigned char entry[ENTRY],
	uint64_t *index, struct merkle_proof *p)
{
	struct str line;

	if (!str_starts(*text, str_from(proof_line)))
		return false;
	str_cut(text, S("\n"), &line);
	if (!str_cut(text, S("\n"), &line) || !str_starts(line, S("extra ")) ||
		!get_base64(str_slice(line, 6, line.len), entry, ENTRY))
		return false;
	if (!str_cut(text, S("\n"), &line) || !str_starts(line, S("index ")) ||
		!get_index(str_slice(line, 6, line.len), index))
		return false;
	while (str_cut(text, S("\n"), &line)) {
		if (!line.len)
			return true;
		if (p->n == MERKLE_LEVELS ||
			!get_base64(line, p->hashes[p->n++].b, MERKLE_BYTES))
			return false;
	}
	return false;
}

enum status decision_proof_check(struct str proof, struct str bytes,
	const struct note_key *key, struct err *e)
{
	unsigned char entry[ENTRY], sum[DIGEST_MAX];
	struct merkle_proof p = {0};
	struct merkle_hash leaf;
	struct checkpoint c;
	struct str text;
	uint64_t index;
	enum status st;

	if (!proof_parse(&proof, entry, &index, &p))
		return err_set(e, E_INVALID, "no proof of a decision");
	st = note_verify(key, proof, &text, e);
	if (!st)
		st = checkpoint_parse(text, &c, e);
	if (st)
		return st;
	digest(DIGEST_SHA256, bytes, sum);
	if (memcmp(sum, entry + ENTRY - MERKLE_BYTES, MERKLE_BYTES) != 0)
		return err_set(e, E_DENIED, "the proof is of another event");
	leaf = merkle_leaf((struct str){(char *)entry, ENTRY});
	if (!merkle_check(index, c.size, &leaf, &p, &c.root))
		return err_set(e, E_DENIED,
			"the event is not in the log that was signed");
	return OK;
}
