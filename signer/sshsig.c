#include "signer/sshsig.h"

#include "base/digest.h"
#include "base/libcrypto.h"
#include "signer/internal.h"
#include "signer/note.h"

#define SSHSIG_END "-----END SSH SIGNATURE-----"

static const struct str magic = STR("SSHSIG");

/* --- SSH's own encoding --------------------------------------------------- */

/* A 32-bit length and as many bytes, off the front of *rest. */
static bool take(struct str *rest, struct str *out)
{
	const unsigned char *p = (const unsigned char *)rest->ptr;

	if (rest->len < 4)
		return false;
	size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 |
		     (size_t)p[2] << 8 | p[3];

	if (len > rest->len - 4)
		return false;
	*out = str_slice(*rest, 4, 4 + len);
	*rest = str_slice(*rest, 4 + len, rest->len);
	return true;
}

/* A number above 0, in as few bytes as it takes: what DER has in an INTEGER. */
static bool take_number(struct str *rest, struct str *out)
{
	if (!take(rest, out) || !out->len || (out->ptr[0] & 0x80))
		return false;
	if (out->ptr[0])
		return true;
	return out->len > 1 && (out->ptr[1] & 0x80);
}

static void put(struct buf *out, struct str s)
{
	const char len[4] = {(char)(s.len >> 24), (char)(s.len >> 16),
		(char)(s.len >> 8), (char)s.len};

	buf_add(out, len, sizeof(len));
	buf_addstr(out, s);
}

struct str ssh_key_type(struct str key)
{
	struct str type;

	return take(&key, &type) ? type : (struct str){0};
}

void ssh_fingerprint(struct buf *out, struct str key)
{
	unsigned char sum[DIGEST_MAX];
	size_t size = digest_size(DIGEST_SHA256);

	digest(DIGEST_SHA256, key, sum);
	buf_adds(out, "SHA256:");
	base64_write(out, str_make((const char *)sum, size));
	while (out->ptr[out->len - 1] == '=')
		out->ptr[--out->len] = '\0';
}

/* --- reading -------------------------------------------------------------- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct str trimmed(struct str s)
{
	while (s.len && is_space(s.ptr[0]))
		s = str_slice(s, 1, s.len);
	while (s.len && is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* What is between the armour, without its line ends. */
static enum status unwrap(struct buf *out, struct str text, struct err *e)
{
	struct str s = trimmed(text);
	size_t begin = sizeof(SSHSIG_BEGIN) - 1, end = sizeof(SSHSIG_END) - 1;

	if (text.len > SSHSIG_MAX)
		return err_set(e, E_LIMIT, "a signature of %zu bytes, limit %d",
			text.len, SSHSIG_MAX);
	if (!str_starts(s, S(SSHSIG_BEGIN)) || s.len <= begin ||
		!is_space(s.ptr[begin]))
		return err_set(e, E_INVALID,
			"an SSH signature begins with a line \"%s\"",
			SSHSIG_BEGIN);
	if (!str_ends(s, S(SSHSIG_END)) || s.len < begin + end ||
		s.ptr[s.len - end - 1] != '\n')
		return err_set(e, E_INVALID,
			"an SSH signature ends with a line \"%s\"; this one is "
			"cut off or goes on behind it",
			SSHSIG_END);
	s = str_slice(s, begin, s.len - end);
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != '\r' && s.ptr[i] != '\n')
			buf_addc(out, s.ptr[i]);
	return OK;
}

static enum status cut_off(const char *what, struct err *e)
{
	return err_set(e, E_INVALID, "an SSH signature without %s", what);
}

static enum status read_inner(struct sshsig *s, struct str inner, struct err *e)
{
	if (!take(&inner, &s->alg) || !take(&inner, &s->raw))
		return cut_off("its inner signature", e);
	if (inner.len)
		return err_set(e, E_INVALID,
			"%zu bytes behind the inner SSH signature", inner.len);
	return OK;
}

static enum status read_fields(struct sshsig *s, struct err *e)
{
	static const struct str version = STR("\0\0\0\1");
	struct str rest = buf_str(&s->blob), reserved, inner;

	if (!str_starts(rest, magic))
		return cut_off("the word SSHSIG", e);
	rest = str_slice(rest, magic.len, rest.len);
	if (!str_starts(rest, version))
		return err_set(e, E_INVALID,
			"an SSH signature of another version than 1");
	rest = str_slice(rest, version.len, rest.len);
	if (!take(&rest, &s->key) || !ssh_key_type(s->key).len)
		return cut_off("a public key", e);
	if (!take(&rest, &s->name) || !s->name.len)
		return cut_off("a namespace", e);
	if (!take(&rest, &reserved) || !take(&rest, &s->hash) ||
		!take(&rest, &inner))
		return cut_off("all its fields", e);
	if (reserved.len)
		return err_set(e, E_INVALID,
			"an SSH signature with a reserved field that is not "
			"empty");
	if (rest.len)
		return err_set(e, E_INVALID,
			"%zu bytes behind an SSH "
			"signature",
			rest.len);
	if (!str_is(s->hash, "sha256") && !str_is(s->hash, "sha512"))
		return err_set(e, E_INVALID,
			"an SSH signature over another hash than sha256 or "
			"sha512");
	return read_inner(s, inner, e);
}

enum status sshsig_parse(struct sshsig *out, struct str text, struct err *e)
{
	struct sshsig s = {0};
	struct buf digits = {0};
	enum status st = unwrap(&digits, text, e);

	if (!st) {
		st = base64_parse(&s.blob, buf_str(&digits), e);
		if (st)
			err_wrap(e, "an SSH signature");
	}
	if (!st)
		st = read_fields(&s, e);
	buf_release(&digits);
	if (st)
		sshsig_release(&s);
	else
		*out = s;
	return st;
}

void sshsig_release(struct sshsig *s)
{
	buf_release(&s->blob);
	*s = (struct sshsig){0};
}

/* --- DER, which OpenSSL reads keys and signatures in ---------------------- */

enum { DER_INTEGER = 0x02, DER_BITS = 0x03, DER_SEQUENCE = 0x30 };

/* Content is below SSHSIG_MAX bytes, so that two bytes of length will do. */
static void der(struct buf *out, int tag, struct str content)
{
	buf_addc(out, (char)tag);
	if (content.len > 255)
		buf_addc(out, (char)0x82);
	else if (content.len > 127)
		buf_addc(out, (char)0x81);
	if (content.len > 255)
		buf_addc(out, (char)(content.len >> 8));
	buf_addc(out, (char)content.len);
	buf_addstr(out, content);
}

static void der_numbers(struct buf *out, struct str a, struct str b)
{
	struct buf in = {0};

	der(&in, DER_INTEGER, a);
	der(&in, DER_INTEGER, b);
	der(out, DER_SEQUENCE, buf_str(&in));
	buf_release(&in);
}

/* --- keys ----------------------------------------------------------------- */

struct kind {
	const char *key, *alg; /* types of the key and of the signature */
	const char *md;        /* the digest as OpenSSL calls it */
	enum { ED25519, ECDSA, RSASSA } family;
	const char *curve;
	struct str oids; /* of a curve: those of an AlgorithmIdentifier */
};

/* id-ecPublicKey, before the object id of the curve. */
#define EC_OID "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"

/* clang-format off */
static const struct kind kinds[] = {
	{"ssh-ed25519", "ssh-ed25519", NULL, ED25519, NULL, {0}},
	{"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "SHA256", ECDSA, "nistp256", STR(EC_OID "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")},
	{"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", "SHA384", ECDSA, "nistp384", STR(EC_OID "\x06\x05\x2b\x81\x04\x00\x22")},
	{"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", "SHA512", ECDSA, "nistp521", STR(EC_OID "\x06\x05\x2b\x81\x04\x00\x23")},
	{"ssh-rsa", "rsa-sha2-256", "SHA256", RSASSA, NULL, {0}},
	{"ssh-rsa", "rsa-sha2-512", "SHA512", RSASSA, NULL, {0}},
};
/* clang-format on */

static enum status find_kind(
	const struct kind **out, const struct sshsig *s, struct err *e)
{
	struct str type = ssh_key_type(s->key);
	bool known = false;

	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (!str_is(type, kinds[i].key))
			continue;
		known = true;
		*out = &kinds[i];
		if (str_is(s->alg, kinds[i].alg))
			return OK;
	}
	if (known)
		return err_set(e, E_DENIED,
			"a key of type %s with a signature of type \"%.*s\"",
			(*out)->key, (int)(s->alg.len > 64 ? 64 : s->alg.len),
			s->alg.ptr);
	return err_set(e, E_UNSUPPORTED,
		"a key of type \"%.*s\", which is not read here; sign with a "
		"plain key of type ssh-ed25519, ecdsa-sha2-nistp... or ssh-rsa",
		(int)(type.len > 64 ? 64 : type.len), type.ptr);
}

static EVP_PKEY *ed25519_key(struct str rest)
{
	struct str raw;

	if (!take(&rest, &raw) || rest.len || raw.len != 32)
		return NULL;
	return ssl.EVP_PKEY_new_raw_public_key_ex(
		NULL, "ED25519", NULL, (const unsigned char *)raw.ptr, raw.len);
}

/* OpenSSL holds the point against the curve. */
static EVP_PKEY *ecdsa_key(const struct kind *k, struct str rest)
{
	struct buf in = {0}, out = {0};
	struct str curve, point;
	EVP_PKEY *key = NULL;

	if (!take(&rest, &curve) || !take(&rest, &point) || rest.len ||
		!str_is(curve, k->curve) || !point.len || point.ptr[0] != 4)
		return NULL;
	buf_addc(&out, 0); /* bits not used in the last byte */
	buf_addstr(&out, point);
	der(&in, DER_SEQUENCE, k->oids);
	der(&in, DER_BITS, buf_str(&out));
	buf_reset(&out);
	der(&out, DER_SEQUENCE, buf_str(&in));
	const unsigned char *p = (const unsigned char *)out.ptr;

	key = ssl.d2i_PUBKEY(NULL, &p, (long)out.len);
	buf_release(&in);
	buf_release(&out);
	return key;
}

static EVP_PKEY *rsa_key(struct str rest)
{
	struct buf out = {0};
	struct str exponent, modulus;
	EVP_PKEY *key;

	if (!take_number(&rest, &exponent) || !take_number(&rest, &modulus) ||
		rest.len)
		return NULL;
	der_numbers(&out, modulus, exponent);
	const unsigned char *p = (const unsigned char *)out.ptr;

	key = ssl.d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)out.len);
	buf_release(&out);
	return key;
}

static enum status make_key(
	EVP_PKEY **out, const struct kind *k, struct str blob, struct err *e)
{
	struct str rest = blob, type;
	EVP_PKEY *key = NULL;

	ssl.ERR_clear_error();
	if (take(&rest, &type))
		key = k->family == ED25519 ? ed25519_key(rest)
		      : k->family == ECDSA ? ecdsa_key(k, rest)
					   : rsa_key(rest);
	if (!key)
		return crypto_fail(e, E_INVALID, "no %s key", k->key);
	int bits = ssl.EVP_PKEY_get_bits(key);

	if (k->family == RSASSA && bits < KEY_BITS_MIN) {
		ssl.EVP_PKEY_free(key);
		return err_set(e, E_DENIED,
			"an RSA key of %d bits, at least %d are needed", bits,
			KEY_BITS_MIN);
	}
	*out = key;
	return OK;
}

/* --- verifying ------------------------------------------------------------ */

/* Append the signature as OpenSSL wants it; false: it is none. */
static bool plain_signature(
	const struct kind *k, EVP_PKEY *key, struct str raw, struct buf *out)
{
	struct str r, s;
	size_t size = (size_t)(ssl.EVP_PKEY_get_bits(key) + 7) / 8;

	if (k->family == ECDSA) {
		if (!take_number(&raw, &r) || !take_number(&raw, &s) || raw.len)
			return false;
		der_numbers(out, r, s);
		return true;
	}
	if (k->family == ED25519)
		size = 64;
	if (!raw.len || raw.len > size)
		return false;
	/* Some that make RSA signatures leave out zeros in front. */
	for (size_t i = raw.len; k->family == RSASSA && i < size; i++)
		buf_addc(out, 0);
	buf_addstr(out, raw);
	return true;
}

/* The bytes that were signed. */
static void signed_text(
	struct buf *out, const struct sshsig *s, struct str message)
{
	enum digest_kind kind =
		str_is(s->hash, "sha512") ? DIGEST_SHA512 : DIGEST_SHA256;
	unsigned char sum[DIGEST_MAX];

	digest(kind, message, sum);
	buf_addstr(out, magic);
	put(out, s->name);
	put(out, S(""));
	put(out, s->hash);
	put(out, str_make((const char *)sum, digest_size(kind)));
}

enum status sshsig_verify(const struct sshsig *s, const char *name,
	struct str message, struct err *e)
{
	const struct kind *k = NULL;
	struct buf text = {0}, sig = {0};
	EVP_PKEY *key = NULL;
	enum status st = crypto_open(e);

	if (!st && !str_is(s->name, name))
		st = err_set(e, E_DENIED,
			"a signature for \"%.*s\", not for \"%s\"",
			(int)(s->name.len > 64 ? 64 : s->name.len), s->name.ptr,
			name);
	if (!st)
		st = find_kind(&k, s, e);
	if (!st)
		st = make_key(&key, k, s->key, e);
	if (st)
		return st;
	signed_text(&text, s, message);
	if (!plain_signature(k, key, s->raw, &sig) ||
		!crypto_verify(key, k->md, CRYPTO_NO_PSS, buf_str(&text),
			buf_str(&sig)))
		st = err_set(e, E_DENIED,
			"the signature does not fit what is signed");
	ssl.EVP_PKEY_free(key);
	buf_release(&text);
	buf_release(&sig);
	return st;
}
