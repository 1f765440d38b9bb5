#include "signer/note.h"

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/libcrypto.h"
#include "base/limits.h"
#include "signer/internal.h"

enum {
	KEY_ED25519 = 1, /* C2SP's type byte */
	SEED = 32,
	PUBLIC = 32,
	SIGNATURE = 64,
	ID = 4,
};

struct note_key {
	char name[NOTE_NAME_MAX + 1];
	unsigned char id[ID];
	unsigned char public[PUBLIC];
	EVP_PKEY *pkey;
	bool private;
};

/* --- base64 -------------------------------------------------------------- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i += 3) {
		size_t n = s.len - i < 3 ? s.len - i : 3;
		uint32_t bits = 0;

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 |
			       (k < n ? (unsigned char)s.ptr[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			buf_addc(out, k <= n ? digits[bits >> (18 - 6 * k) & 63]
					     : '=');
	}
}

/* The value of a digit; -1 when it is none. */
static int value_of(char c)
{
	const char *at = memchr(digits, c, sizeof(digits) - 1);

	return at ? (int)(at - digits) : -1;
}

enum status base64_parse(struct buf *out, struct str s, struct err *e)
{
	size_t start = out->len, pad = 0;
	uint32_t bits = 0;

	while (pad < 2 && pad < s.len && s.ptr[s.len - 1 - pad] == '=')
		pad++;
	if (s.len % 4)
		return err_set(e, E_INVALID, "base64 of %zu characters", s.len);
	for (size_t i = 0; i < s.len; i++) {
		int v = i < s.len - pad ? value_of(s.ptr[i]) : 0;

		if (v < 0) {
			out->len = start;
			return err_set(
				e, E_INVALID, "no base64 at byte %zu", i);
		}
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 < 3)
			continue;
		for (int k = 16; k >= 0; k -= 8)
			buf_addc(out, (char)(bits >> k & 255));
		bits &= 0xffffff;
	}
	for (size_t k = 0; k < pad; k++) /* bits that nobody wrote */
		if (out->ptr[--out->len])
			return err_set(e, E_INVALID, "base64 with stray bits");
	return OK;
}

/* --- keys ---------------------------------------------------------------- */

static bool name_fits(struct str name)
{
	if (!name.len || name.len > NOTE_NAME_MAX ||
		!utf8_valid(name.ptr, name.len))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.ptr[i] <= ' ' || name.ptr[i] == '+')
			return false;
	return true;
}

static void set_id(struct note_key *k)
{
	unsigned char sum[DIGEST_MAX];
	static const char type[] = {'\n', KEY_ED25519};
	struct digest d;

	digest_init(&d, DIGEST_SHA256);
	digest_update(&d, k->name, strlen(k->name));
	digest_update(&d, type, sizeof(type));
	digest_update(&d, k->public, sizeof(k->public));
	digest_final(&d, sum);
	memcpy(k->id, sum, ID);
}

/* From the 32 bytes of either half. */
static enum status key_make(struct note_key **out, struct str name,
	const unsigned char *raw, bool private, struct err *e)
{
	struct note_key *k;
	size_t len = PUBLIC;
	enum status st = crypto_open(e);

	if (st)
		return st;
	if (!name_fits(name))
		return err_set(e, E_INVALID, "no name for a key: \"%.*s\"",
			STR_ARG(name));
	k = calloc(1, sizeof(*k));
	if (!k)
		die("out of memory: key");
	memcpy(k->name, name.ptr, name.len);
	k->private = private;
	k->pkey = private ? ssl.EVP_PKEY_new_raw_private_key_ex(
				    NULL, "ED25519", NULL, raw, SEED)
			  : ssl.EVP_PKEY_new_raw_public_key_ex(
				    NULL, "ED25519", NULL, raw, PUBLIC);
	if (!k->pkey || ssl.EVP_PKEY_get_raw_public_key(
				k->pkey, k->public, &len) <= 0) {
		note_key_free(k);
		return crypto_fail(e, E_INVALID, "reading an Ed25519 key");
	}
	set_id(k);
	*out = k;
	return OK;
}

void note_key_free(struct note_key *k)
{
	if (!k)
		return;
	if (k->pkey) /* OpenSSL clears the private half */
		ssl.EVP_PKEY_free(k->pkey);
	free(k);
}

struct str note_key_name(const struct note_key *k)
{
	return str_from(k->name);
}

static void write_line(struct buf *out, const char *before,
	const struct note_key *k, const unsigned char raw[SEED])
{
	unsigned char typed[1 + SEED] = {KEY_ED25519};

	memcpy(typed + 1, raw, SEED);
	buf_addf(out, "%s%s+", before, k->name);
	digest_hex(out, k->id, ID);
	buf_addc(out, '+');
	base64_write(out, (struct str){(const char *)typed, sizeof(typed)});
	explicit_bzero(typed, sizeof(typed));
}

void note_key_public(const struct note_key *k, struct buf *out)
{
	write_line(out, "", k, k->public);
}

enum status note_key_generate(struct str name, struct buf *private_line,
	struct buf *public_line, struct err *e)
{
	unsigned char seed[SEED];
	size_t len = SEED;
	struct note_key *k = NULL;
	EVP_PKEY *pkey;
	enum status st = crypto_open(e);

	if (st)
		return st;
	pkey = ssl.EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (!pkey || ssl.EVP_PKEY_get_raw_private_key(pkey, seed, &len) <= 0)
		st = crypto_fail(e, E_UNSUPPORTED, "making an Ed25519 key");
	ssl.EVP_PKEY_free(pkey);
	if (!st)
		st = key_make(&k, name, seed, true, e);
	if (!st) {
		write_line(private_line, "PRIVATE+KEY+", k, seed);
		note_key_public(k, public_line);
	}
	explicit_bzero(seed, sizeof(seed));
	note_key_free(k);
	return st;
}

static struct str trimmed(struct str s)
{
	while (s.len && memchr(" \t\r\n", s.ptr[0], 4))
		s = str_slice(s, 1, s.len);
	while (s.len && memchr(" \t\r\n", s.ptr[s.len - 1], 4))
		s.len--;
	return s;
}

enum status note_key_parse(
	struct note_key **out, struct str line, struct err *e)
{
	struct str rest = trimmed(line), name, hash;
	bool private = str_starts(rest, S("PRIVATE+KEY+"));
	struct buf raw = {0}, hex = {0};
	struct note_key *k = NULL;
	enum status st;

	if (private)
		rest = str_slice(rest, 12, rest.len);
	if (!str_cut(&rest, S("+"), &name) || !str_cut(&rest, S("+"), &hash))
		return err_set(
			e, E_INVALID, "a key of a log is name+hash+base64");
	st = base64_parse(&raw, rest, e);
	if (!st && (raw.len != 1 + SEED || raw.ptr[0] != KEY_ED25519))
		st = err_set(e, E_INVALID, "the key is no Ed25519 key");
	if (!st)
		st = key_make(
			&k, name, (unsigned char *)raw.ptr + 1, private, e);
	if (!st) {
		digest_hex(&hex, k->id, ID);
		if (!str_eq(buf_str(&hex), hash))
			st = err_set(e, E_INVALID,
				"the key's hash is %s, not %.*s", hex.ptr,
				STR_ARG(hash));
	}
	if (raw.ptr)
		explicit_bzero(raw.ptr, raw.cap);
	buf_release(&raw);
	buf_release(&hex);
	if (st)
		note_key_free(k);
	else
		*out = k;
	return st;
}

enum status note_key_read(struct note_key **out, const struct fs *fs,
	const char *path, struct err *e)
{
	struct buf line = {0};
	enum status st = fs_read(fs, path, KIB(4), &line, e);

	if (!st)
		st = note_key_parse(out, buf_str(&line), e);
	buf_release(&line);
	return st;
}

enum status note_key_load(
	struct note_key **out, const char *path, struct err *e)
{
	char text[KEY_FILE_MAX];
	size_t len = 0;
	enum status st = key_file_read(path, text, &len, e);

	if (!st) {
		st = note_key_parse(out, (struct str){text, len}, e);
		if (st)
			err_wrap(e, "%s", path);
	}
	explicit_bzero(text, sizeof(text));
	if (!st && !(*out)->private) {
		note_key_free(*out);
		*out = NULL;
		return err_set(e, E_INVALID,
			"%s holds a key that only verifies", path);
	}
	return st;
}

/* --- notes --------------------------------------------------------------- */

static const struct str dash = STR("\xe2\x80\x94 ");

/* A text may hold no empty line at its end, or it could not be told apart. */
static enum status text_fits(struct str text, struct err *e)
{
	if (!text.len || text.len > NOTE_MAX || text.ptr[text.len - 1] != '\n')
		return err_set(e, E_INVALID,
			"the text of a note ends in a "
			"newline");
	if (!utf8_valid(text.ptr, text.len))
		return err_set(e, E_INVALID, "the text of a note is UTF-8");
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < ' ' && text.ptr[i] != '\n')
			return err_set(e, E_INVALID,
				"byte %zu of a note is a control character", i);
	return OK;
}

enum status note_sign(const struct note_key *k, struct str text,
	struct buf *out, struct err *e)
{
	struct buf sig = {0};
	enum status st = text_fits(text, e);

	if (st)
		return st;
	if (!k->private)
		return err_set(e, E_INVALID, "the key is for verifying only");
	buf_add(&sig, k->id, ID);
	if (!crypto_sign(k->pkey, NULL, CRYPTO_NO_PSS, text, &sig)) {
		buf_release(&sig);
		return crypto_fail(e, E_UNSUPPORTED, "signing a note");
	}
	buf_addstr(out, text);
	buf_addc(out, '\n');
	buf_addstr(out, dash);
	buf_addf(out, "%s ", k->name);
	base64_write(out, buf_str(&sig));
	buf_addc(out, '\n');
	buf_release(&sig);
	return OK;
}

/* The empty line before the signatures is the last one. */
static bool parts(struct str note, struct str *text, struct str *lines)
{
	for (size_t i = note.len; i >= 2; i--)
		if (note.ptr[i - 1] == '\n' && note.ptr[i - 2] == '\n') {
			*text = str_slice(note, 0, i - 1);
			*lines = str_slice(note, i, note.len);
			return lines->len > 0 &&
			       lines->ptr[lines->len - 1] == '\n';
		}
	return false;
}

/* One line without its newline. Sets *mine when the key is ours. */
static enum status check_line(const struct note_key *k, struct str line,
	struct str text, bool *mine, struct err *e)
{
	struct str name = str_slice(line, dash.len, line.len), sig;
	size_t space = str_find(name, S(" "), 0);
	struct buf raw = {0};
	enum status st;

	if (!str_starts(line, dash) || space == SIZE_MAX)
		return err_set(e, E_INVALID, "no line of a signature: %.*s",
			STR_ARG(line));
	sig = str_slice(name, space + 1, name.len);
	name.len = space;
	st = base64_parse(&raw, sig, e);
	if (!st && raw.len > ID && str_is(name, k->name) &&
		!memcmp(raw.ptr, k->id, ID)) {
		*mine = true;
		sig = (struct str){raw.ptr + ID, raw.len - ID};
		if (sig.len != SIGNATURE ||
			!crypto_verify(k->pkey, NULL, CRYPTO_NO_PSS, text, sig))
			st = err_set(e, E_DENIED,
				"the signature of %s is wrong", k->name);
	}
	buf_release(&raw);
	return st;
}

enum status note_verify(const struct note_key *k, struct str note,
	struct str *out, struct err *e)
{
	struct str text, lines;
	bool mine = false;
	enum status st = OK;
	int n = 0;

	if (note.len > NOTE_MAX)
		return err_set(e, E_LIMIT, "a note of %zu bytes, limit %d",
			note.len, NOTE_MAX);
	if (!parts(note, &text, &lines))
		return err_set(e, E_INVALID,
			"a note has a text, an empty line "
			"and signatures");
	st = text_fits(text, e);
	while (!st && lines.len && n++ < NOTE_SIGNATURES) {
		struct str line = str_take(&lines, S("\n"));

		st = check_line(k, line, text, &mine, e);
	}
	if (st)
		return st;
	if (!mine)
		return err_set(e, E_NOT_FOUND, "not signed by %s", k->name);
	*out = text;
	return OK;
}

/* --- checkpoints --------------------------------------------------------- */

void checkpoint_write(const struct checkpoint *c, struct buf *out)
{
	buf_addstr(out, c->origin);
	buf_addf(out, "\n%llu\n", (unsigned long long)c->size);
	base64_write(
		out, (struct str){(const char *)c->root.b, sizeof(c->root.b)});
	buf_addc(out, '\n');
}

static bool next_line(struct str *text, struct str *line)
{
	return str_cut(text, S("\n"), line) && line->len > 0;
}

/* Decimal, without signs and zeros in front. */
static bool size_of(struct str s, uint64_t *out)
{
	uint64_t n = 0;

	if (!s.len || s.len > 19 || (s.ptr[0] == '0' && s.len > 1))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(s.ptr[i] - '0');
	}
	*out = n;
	return true;
}

enum status checkpoint_parse(
	struct str text, struct checkpoint *out, struct err *e)
{
	struct checkpoint c = {0};
	struct str size, root;
	struct buf raw = {0};
	enum status st;

	if (!next_line(&text, &c.origin) || !next_line(&text, &size) ||
		!next_line(&text, &root) || text.len || !size_of(size, &c.size))
		return err_set(e, E_INVALID,
			"a checkpoint has three lines: log, size, root");
	st = base64_parse(&raw, root, e);
	if (!st && raw.len != MERKLE_BYTES)
		st = err_set(e, E_INVALID, "a root of %zu bytes", raw.len);
	if (!st) {
		memcpy(c.root.b, raw.ptr, MERKLE_BYTES);
		*out = c;
	}
	buf_release(&raw);
	return st;
}
