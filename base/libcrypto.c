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
