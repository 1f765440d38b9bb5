/* Signatures as bytes, and the alphabet they travel in. */
#include "base/libcrypto.h"
#include "signer/internal.h"

#include <string.h>

/* --- with a key ----------------------------------------------------------- */

/* RFC 7518, section 3.5: the salt is as long as the digest, no other. */
static int salt_of(const struct alg_row *row)
{
	return row->family == FAMILY_PSS ? RSA_PSS_SALTLEN_DIGEST
					 : CRYPTO_NO_PSS;
}

enum status raw_sign(const struct sign_key *k, struct str text, struct buf *out,
	struct err *e)
{
	const struct alg_row *row = alg_row(k->alg);

	if (row->family == FAMILY_HMAC)
		return err_set(e, E_UNSUPPORTED, "%s is for verifying only",
			row->name);
	if (!k->private)
		return err_set(e, E_INVALID, "the key is for verifying only");
	if (row->family == FAMILY_EC)
		return ecdsa_sign(k, text, out, e);
	if (!crypto_sign(k->pkey, row->md, salt_of(row), text, out))
		return crypto_fail(
			e, E_UNSUPPORTED, "signing with %s", row->name);
	return OK;
}

static enum status verify_hmac(const struct sign_key *k, struct str text,
	struct str signature, struct err *e)
{
	enum digest_kind kind = alg_row(k->alg)->digest;
	unsigned char sum[DIGEST_MAX];
	bool ok;

	hmac(kind, (struct str){(const char *)k->secret, k->secret_len}, text,
		sum);
	ok = signature.len == digest_size(kind) &&
	     digest_equal(signature.ptr, sum, signature.len);
	explicit_bzero(sum, sizeof(sum));
	return ok ? OK : err_set(e, E_DENIED, "invalid HMAC signature");
}

static bool verify_with(
	const struct sign_key *k, struct str text, struct str signature)
{
	const struct alg_row *row = alg_row(k->alg);

	return crypto_verify(k->pkey, row->md, salt_of(row), text, signature);
}

static enum status verify_ec(const struct sign_key *k, struct str text,
	struct str signature, struct err *e)
{
	const struct alg_row *row = alg_row(k->alg);
	struct buf der = {0};
	bool ok;

	if (signature.len != 2 * (size_t)row->integer)
		return err_set(e, E_DENIED,
			"dsig.VerifyECDSA: failed to unpack ECDSA signature: "
			"invalid signature length for curve \"%s\"",
			row->curve);
	crypto_ecdsa_der(signature, &der);
	ok = verify_with(k, text, buf_str(&der));
	buf_release(&der);
	return ok ? OK : err_set(e, E_DENIED, "invalid ECDSA signature");
}

enum status raw_verify(const struct sign_key *k, struct str text,
	struct str signature, struct err *e)
{
	enum family family = alg_row(k->alg)->family;

	if (family == FAMILY_HMAC)
		return verify_hmac(k, text, signature, e);
	if (family == FAMILY_EC)
		return verify_ec(k, text, signature, e);
	if (!verify_with(k, text, signature))
		return err_set(e, E_DENIED, "crypto/rsa: verification error");
	return OK;
}

/* --- base64url ------------------------------------------------------------ */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789-_";

void b64url_write(struct buf *out, struct str s)
{
	char *p = buf_reserve(out, s.len / 3 * 4 + 4), *start = p;
	uint32_t bits = 0;
	unsigned n = 0;

	for (size_t i = 0; i < s.len; i++) {
		bits = bits << 8 | (unsigned char)s.ptr[i];
		for (n += 8; n >= 6; n -= 6)
			*p++ = alphabet[bits >> (n - 6) & 63];
	}
	if (n)
		*p++ = alphabet[bits << (6 - n) & 63];
	*p = '\0';
	out->len += (size_t)(p - start);
}

static enum status bad_base64(struct err *e, size_t at)
{
	return err_set(
		e, E_INVALID, "illegal base64 data at input byte %zu", at);
}

enum status b64url_parse(
	struct buf *out, struct str s, bool strict, struct err *e)
{
	unsigned char *p = (unsigned char *)buf_reserve(out, s.len / 4 * 3 + 3);
	uint32_t bits = 0;
	size_t got = 0, digits = 0;
	unsigned n = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		const char *digit = memchr(alphabet, c, sizeof(alphabet) - 1);

		if (!digit && !strict && (c == '\r' || c == '\n'))
			continue;
		if (!digit)
			return bad_base64(e, i);
		bits = bits << 6 | (uint32_t)(digit - alphabet);
		n += 6;
		digits++;
		if (n < 8)
			continue;
		n -= 8;
		p[got++] = (unsigned char)(bits >> n);
	}
	if (digits % 4 == 1)
		return bad_base64(e, s.len - 1);
	if (strict && (bits & ((1u << n) - 1)))
		return bad_base64(e, s.len - 1);
	out->len += got;
	out->ptr[out->len] = '\0';
	return OK;
}
