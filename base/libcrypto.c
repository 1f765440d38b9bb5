#include "base/libcrypto.h"

#include <stdarg.h>

struct libcrypto ssl;

/* clang-format off */
static const char *const names[] = { CRYPTO_FNS(LIB_NAME) NULL };
static const char *const files[] = {"libcrypto.so.3", NULL};
/* clang-format on */

static void start(void)
{
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
