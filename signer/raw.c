/* Signatures as bytes, and the alphabet they travel in. */
#include "base/libcrypto.h"
#include "signer/internal.h"

#include <string.h>

enum { DER_MAX = 160 }; /* of ECDSA on P-521 */

/* --- ECDSA: r||s here, DER in OpenSSL ------------------------------------- */

/* Bytes written. */
static size_t raw_to_der(struct str raw, unsigned char der[DER_MAX])
{
	const unsigned char *p = (const unsigned char *)raw.ptr;
	int half = (int)(raw.len / 2), len;
	ECDSA_SIG *sig = ssl.ECDSA_SIG_new();
	BIGNUM *r = ssl.BN_bin2bn(p, half, NULL);
	BIGNUM *s = ssl.BN_bin2bn(p + half, half, NULL);

	if (!sig || !r || !s || !ssl.ECDSA_SIG_set0(sig, r, s))
		die("out of memory: signature");
	len = ssl.i2d_ECDSA_SIG(sig, &der);
	ssl.ECDSA_SIG_free(sig);
	return len > 0 ? (size_t)len : 0;
}

/* --- with a key ----------------------------------------------------------- */

/* RFC 7518, section 3.5: the salt is as long as the digest, no other. */
static bool set_padding(enum family family, EVP_PKEY_CTX *ctx)
{
	if (family != FAMILY_PSS)
		return true;
	return ssl.EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) >
		       0 &&
	       ssl.EVP_PKEY_CTX_set_rsa_pss_saltlen(
		       ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
}

static EVP_MD_CTX *context(void)
{
	EVP_MD_CTX *ctx = ssl.EVP_MD_CTX_new();

	if (!ctx)
		die("out of memory: signature");
	ssl.ERR_clear_error();
	return ctx;
}

static bool sign_with(EVP_MD_CTX *ctx, const struct sign_key *k,
	struct str text, struct buf *sig)
{
	const struct alg_row *row = alg_row(k->alg);
	const unsigned char *p = (const unsigned char *)text.ptr;
	EVP_PKEY_CTX *pctx = NULL;
	size_t len = 0;

	if (ssl.EVP_DigestSignInit_ex(
		    ctx, &pctx, row->md, NULL, NULL, k->pkey, NULL) <= 0 ||
		!set_padding(row->family, pctx) ||
		ssl.EVP_DigestSign(ctx, NULL, &len, p, text.len) <= 0 ||
		ssl.EVP_DigestSign(ctx, (unsigned char *)buf_reserve(sig, len),
			&len, p, text.len) <= 0)
		return false;
	sig->len += len;
	return true;
}

enum status raw_sign(const struct sign_key *k, struct str text, struct buf *out,
	struct err *e)
{
	const struct alg_row *row = alg_row(k->alg);
	struct buf sig = {0};
	EVP_MD_CTX *ctx;
	enum status st = OK;

	if (row->family == FAMILY_HMAC)
		return err_set(e, E_UNSUPPORTED, "%s is for verifying only",
			row->name);
	if (!k->private)
		return err_set(e, E_INVALID, "the key is for verifying only");
	if (row->family == FAMILY_EC)
		return ecdsa_sign(k, text, out, e);
	ctx = context();
	if (!sign_with(ctx, k, text, &sig))
		st = crypto_fail(
			e, E_UNSUPPORTED, "signing with %s", row->name);
	else
		buf_addstr(out, buf_str(&sig));
	ssl.EVP_MD_CTX_free(ctx);
	buf_release(&sig);
	return st;
}

static enum status verify_hmac(const struct sign_key *k, struct str text,
	struct str signature, struct err *e)
{
	enum digest_kind kind = alg_row(k->alg)->digest;
	unsigned char sum[DIGEST_MAX];
	struct hmac h;
	bool ok;

	hmac_init(
		&h, kind, (struct str){(const char *)k->secret, k->secret_len});
	hmac_update(&h, text.ptr, text.len);
	hmac_final(&h, sum);
	hmac_wipe(&h);
	ok = signature.len == digest_size(kind) &&
	     digest_equal(signature.ptr, sum, signature.len);
	explicit_bzero(sum, sizeof(sum));
	return ok ? OK : err_set(e, E_DENIED, "invalid HMAC signature");
}

static bool verify_with(
	const struct sign_key *k, struct str text, struct str signature)
{
	const struct alg_row *row = alg_row(k->alg);
	EVP_MD_CTX *ctx = context();
	EVP_PKEY_CTX *pctx = NULL;
	bool ok;

	ok = ssl.EVP_DigestVerifyInit_ex(
		     ctx, &pctx, row->md, NULL, NULL, k->pkey, NULL) > 0 &&
	     set_padding(row->family, pctx) &&
	     ssl.EVP_DigestVerify(ctx, (const unsigned char *)signature.ptr,
		     signature.len, (const unsigned char *)text.ptr,
		     text.len) == 1;
	ssl.EVP_MD_CTX_free(ctx);
	ssl.ERR_clear_error();
	return ok;
}

static enum status verify_ec(const struct sign_key *k, struct str text,
	struct str signature, struct err *e)
{
	const struct alg_row *row = alg_row(k->alg);
	unsigned char der[DER_MAX];
	size_t len;

	if (signature.len != 2 * (size_t)row->integer)
		return err_set(e, E_DENIED,
			"dsig.VerifyECDSA: failed to unpack ECDSA signature: "
			"invalid signature length for curve \"%s\"",
			row->curve);
	len = raw_to_der(signature, der);
	if (!verify_with(k, text, (struct str){(const char *)der, len}))
		return err_set(e, E_DENIED, "invalid ECDSA signature");
	return OK;
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
