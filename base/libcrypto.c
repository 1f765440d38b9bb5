#include "base/libcrypto.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct libcrypto ssl;

/* clang-format off */
static const char *const names[] = { CRYPTO_FNS(LIB_NAME) NULL };
static const char *const files[] = {"libcrypto.so.3", NULL};
/* clang-format on */

/*
 * Memory that is wiped as it is given back: the decoders of OpenSSL 3.0 copy a
 * private key as they try what it could be, and free the copies as they are.
 */
static void *wiping_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(n);
}

static void wiping_free(void *ptr, const char *file, int line)
{
	(void)file;
	(void)line;
	if (ptr)
		explicit_bzero(ptr, malloc_usable_size(ptr));
	free(ptr);
}

static void *wiping_realloc(void *ptr, size_t n, const char *file, int line)
{
	size_t had = ptr ? malloc_usable_size(ptr) : 0;
	void *to = n ? malloc(n) : NULL;

	if (to && ptr)
		memcpy(to, ptr, had < n ? had : n);
	if (to || !n)
		wiping_free(ptr, file, line);
	return to;
}

static void start(void)
{
	/* 0 when another library was here first: then it is as it is. */
	(void)ssl.CRYPTO_set_mem_functions(
		wiping_malloc, wiping_realloc, wiping_free);
	if (!ssl.OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL))
		die("libcrypto does not start");
}

static struct lib lib = {.name = "libcrypto",
	.files = files,
	.names = names,
	.slots = &ssl,
	.start = start};

enum status crypto_open(struct err *e)
{
	return lib_load(&lib, e);
}

enum status crypto_fail(struct err *e, enum status code, const char *fmt, ...)
{
	const char *why =
		ssl.ERR_reason_error_string(ssl.ERR_peek_last_error());
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	ssl.ERR_clear_error();
	if (!why)
		return err_set(e, code, "%s", what);
	return err_set(e, code, "%s: %s", what, why);
}

EVP_PKEY *crypto_certificate_key(const unsigned char *der, long len)
{
	X509 *cert = ssl.d2i_X509(NULL, &der, len);
	EVP_PKEY *pkey = cert ? ssl.X509_get_pubkey(cert) : NULL;

	ssl.X509_free(cert);
	return pkey;
}

/* --- signatures ----------------------------------------------------------- */

static EVP_MD_CTX *context(void)
{
	EVP_MD_CTX *ctx = ssl.EVP_MD_CTX_new();

	if (!ctx)
		die("out of memory: signature");
	ssl.ERR_clear_error();
	return ctx;
}

static bool set_salt(EVP_PKEY_CTX *ctx, int salt)
{
	return salt == CRYPTO_NO_PSS ||
	       (ssl.EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) >
			       0 &&
		       ssl.EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salt) > 0);
}

bool crypto_verify(EVP_PKEY *key, const char *md, int salt, struct str text,
	struct str sig)
{
	EVP_MD_CTX *ctx = context();
	EVP_PKEY_CTX *pctx = NULL;
	bool ok = ssl.EVP_DigestVerifyInit_ex(
			  ctx, &pctx, md, NULL, NULL, key, NULL) > 0 &&
		  set_salt(pctx, salt) &&
		  ssl.EVP_DigestVerify(ctx, (const unsigned char *)sig.ptr,
			  sig.len, (const unsigned char *)text.ptr,
			  text.len) == 1;

	ssl.EVP_MD_CTX_free(ctx);
	ssl.ERR_clear_error();
	return ok;
}

bool crypto_sign(EVP_PKEY *key, const char *md, int salt, struct str text,
	struct buf *out)
{
	const unsigned char *p = (const unsigned char *)text.ptr;
	EVP_MD_CTX *ctx = context();
	EVP_PKEY_CTX *pctx = NULL;
	size_t len = 0;
	bool ok =
		ssl.EVP_DigestSignInit_ex(
			ctx, &pctx, md, NULL, NULL, key, NULL) > 0 &&
		set_salt(pctx, salt) &&
		ssl.EVP_DigestSign(ctx, NULL, &len, p, text.len) > 0 &&
		ssl.EVP_DigestSign(ctx, (unsigned char *)buf_reserve(out, len),
			&len, p, text.len) > 0;

	out->len += ok ? len : 0;
	ssl.EVP_MD_CTX_free(ctx);
	return ok;
}

void crypto_ecdsa_der(struct str raw, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)raw.ptr;
	size_t half = raw.len / 2;
	ECDSA_SIG *sig = ssl.ECDSA_SIG_new();
	BIGNUM *r = ssl.BN_bin2bn(p, (int)half, NULL);
	BIGNUM *s = ssl.BN_bin2bn(p + half, (int)(raw.len - half), NULL);
	unsigned char *at;
	int len;

	if (!sig || !r || !s || !ssl.ECDSA_SIG_set0(sig, r, s))
		die("out of memory: signature");
	len = ssl.i2d_ECDSA_SIG(sig, NULL);
	at = (unsigned char *)buf_reserve(out, (size_t)len);
	out->len += (size_t)ssl.i2d_ECDSA_SIG(sig, &at);
	ssl.ECDSA_SIG_free(sig);
}

bool crypto_ecdsa_raw(const ECDSA_SIG *sig, size_t size, struct buf *out)
{
	unsigned char *at = (unsigned char *)buf_reserve(out, 2 * size);
	const BIGNUM *r, *s;
	int n = (int)size;

	ssl.ECDSA_SIG_get0(sig, &r, &s);
	if (ssl.BN_bn2binpad(r, at, n) != n ||
		ssl.BN_bn2binpad(s, at + size, n) != n)
		return false;
	out->len += 2 * size;
	return true;
}
