#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *buf_reserve(struct buf *b, size_t len)
{
	size_t need, cap;

	if (__builtin_add_overflow(b->len, len, &need) ||
		__builtin_add_overflow(need, (size_t)1, &need))
		die("out of memory: buffer of %zu + %zu bytes", b->len, len);
	if (need > b->cap) {
		cap = b->cap < 32 ? 64 : b->cap + b->cap / 2;
		if (cap < need)
			cap = need;
		b->ptr = realloc(b->ptr, cap);
		if (!b->ptr)
			die("out of memory: buffer of %zu bytes", cap);
		b->cap = cap;
	}
	return b->ptr + b->len;
}

void buf_add(struct buf *b, const void *ptr, size_t len)
{
	char *at = buf_reserve(b, len);

	if (len)
		memcpy(at, ptr, len);
	b->len += len;
	b->ptr[b->len] = '\0';
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_adds(struct buf *b, const char *cstr)
{
	buf_add(b, cstr, strlen(cstr));
}

void buf_addstr(struct buf *b, struct str s)
{
	buf_add(b, s.ptr, s.len);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		die("broken format: %s", fmt);
	char *at = buf_reserve(b, (size_t)n);

	va_start(ap, fmt);
	vsnprintf(at, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void buf_addcp(struct buf *b, uint32_t cp)
{
	char u[4];

	buf_add(b, u, utf8_encode(cp, u));
}

void buf_addutf8(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.len;) {
		uint32_t cp;

		i += utf8_decode(s.ptr + i, s.len - i, &cp);
		buf_addcp(b, cp);
	}
}

void buf_addurl(struct buf *b, struct str s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] && strchr(plain, s.ptr[i]))
			buf_addc(b, s.ptr[i]);
		else
			buf_addf(b, "%%%02X", (unsigned char)s.ptr[i]);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	if (b->ptr)
		b->ptr[0] = '\0';
}

void buf_release(struct buf *b)
{
	free(b->ptr);
	*b = (struct buf){0};
}

struct str buf_str(const struct buf *b)
{
	return (struct str){b->ptr ? b->ptr : "", b->len};
}

char *buf_detach(struct buf *b)
{
	char *p = buf_reserve(b, 0);

	p[0] = '\0';
	p = b->ptr;
	*b = (struct buf){0};
	return p;
}
