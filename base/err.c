#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status err_set(struct err *e, enum status code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	e->code = code;
	return code;
}

enum status err_sys(struct err *e, int errnum, const char *fmt, ...)
{
	enum status code = E_IO;
	const char *reason;
	size_t n;
	va_list ap;

	if (errnum == ENOENT || errnum == ENOTDIR)
		code = E_NOT_FOUND;
	else if (errnum == EEXIST)
		code = E_EXISTS;
	else if (errnum == EACCES || errnum == EPERM)
		code = E_DENIED;
	if (!e)
		return code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	reason = strerrordesc_np(errnum);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s",
		reason ? reason : "unknown error");
	e->code = code;
	return code;
}

void err_wrap(struct err *e, const char *fmt, ...)
{
	char inner[ERR_TEXT_MAX];
	size_t n;
	va_list ap;

	if (!e)
		return;
	memcpy(inner, e->text, sizeof(inner));
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	if (n + 3 > sizeof(e->text))
		return;
	memcpy(e->text + n, ": ", 3);
	n += 2;
	size_t room = sizeof(e->text) - n - 1, len = strlen(inner);

	if (len > room)
		len = room;
	memcpy(e->text + n, inner, len);
	e->text[n + len] = '\0';
}

void die(const char *fmt, ...)
{
	va_list ap;

	fputs("regatta: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}
