#include "signer/libcrypto.h"

#include <pthread.h>
#include <stdarg.h>

struct libcrypto ssl;

/* clang-format off */
static const char *const names[] = { CRYPTO_FNS(LIB_NAME) NULL };
static const char *const files[] = {"libcrypto.so.3", NULL};
/* clang-format on */
static struct lib lib = {"libcrypto", files, names, &ssl, false};

static void init(void)
{
	if (!ssl.OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL))
		die("libcrypto does not start");
}

enum status crypto_open(struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	enum status st = lib_load(&lib, e);

	if (st)
		return st;
	pthread_once(&once, init);
	return OK;
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
