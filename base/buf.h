/*
 * buf: bytes that grow.
 *
 * The caller owns a struct buf; functions append to it. {0} is empty and ready
 * to use. The bytes are always followed by a NUL, so buf.ptr can be read as a
 * C string once anything was added. Growing never fails: out of memory ends
 * the process. What comes from outside is limited before it is added.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"
#include "base/str.h"

struct buf {
	char *ptr;  /* NULL while nothing was added */
	size_t len; /* bytes, without the NUL */
	size_t cap; /* bytes allocated */
};

/* Append `len` bytes, a byte, a C string, a struct str, formatted text. */
void buf_add(struct buf *b, const void *ptr, size_t len);
void buf_addc(struct buf *b, char c);
void buf_adds(struct buf *b, const char *cstr);
void buf_addstr(struct buf *b, struct str s);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_addcp(struct buf *b, uint32_t cp); /* one code point as UTF-8 */
/* `s` as UTF-8: each byte that can't be decoded becomes U+FFFD. */
void buf_addutf8(struct buf *b, struct str s);
/* For a URL: all but letters, digits and -._~ as %XX. */
void buf_addurl(struct buf *b, struct str s);

/* Room for `len` more bytes; returns where they go. buf.len is unchanged. */
char *buf_reserve(struct buf *b, size_t len);

void buf_reset(struct buf *b);   /* empty, the memory is kept */
void buf_release(struct buf *b); /* empty, the memory is given back */
/* What is in it, borrowed: until the next change of `b`. */
struct str buf_str(const struct buf *b);

/* Hand the memory to the caller, who frees it; never NULL. `b` is empty. */
char *buf_detach(struct buf *b);

#endif
