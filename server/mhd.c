#include "server/mhd.h"

struct mhd_library mhd;

/* clang-format off */
static const char *const names[] = { MHD_FNS(LIB_NAME) NULL };
static const char *const files[] = {"libmicrohttpd.so.12", NULL};
/* clang-format on */
static struct lib lib = {
	.name = "libmicrohttpd", .files = files, .names = names, .slots = &mhd};

enum status mhd_open(struct err *e)
{
	return lib_load(&lib, e);
}
