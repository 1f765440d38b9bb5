/*
 * digest: MD5, SHA-1, SHA-2 and HMAC over them.
 *
 * For content hashes and for policies that ask for one; signatures are made
 * elsewhere. All at once:
 *
 *	unsigned char sum[DIGEST_MAX];
 *	digest(DIGEST_SHA256, text, sum);
 *
 * or piece by piece: digest_init(), digest_update() as often as needed,
 * digest_final(), after which the struct may be used for another digest_init().
 * Nothing allocates and nothing can fail. Input may be up to 2^61 - 1 bytes.
 *
 * MD5 and SHA-1 are broken for anything an attacker may choose.
 *
 * Source: RFC 1321 (MD5), FIPS 180-4 (SHA), RFC 2104 (HMAC).
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/buf.h"
#include "base/str.h"

enum digest_kind {
	DIGEST_MD5,
	DIGEST_SHA1,
	DIGEST_SHA256,
	DIGEST_SHA384,
	DIGEST_SHA512,
};

enum {
	DIGEST_MAX = 64,        /* bytes of the longest sum */
	DIGEST_BLOCK_MAX = 128, /* bytes of the longest block */
};

struct digest {
	enum digest_kind kind;
	uint64_t len; /* bytes so far */
	union {
		uint32_t w32[8];
		uint64_t w64[8];
	} state;
	unsigned char block[DIGEST_BLOCK_MAX]; /* input not yet mixed in */
};

size_t digest_size(enum digest_kind kind); /* bytes of a sum */

/* Begin anew, mix in any number of times, then digest_final(). */
void digest_init(struct digest *d, enum digest_kind kind);
void digest_update(struct digest *d, const void *ptr, size_t len);
/* Writes digest_size() bytes. */
void digest_final(struct digest *d, unsigned char *sum);

/* One text at once. */
void digest(enum digest_kind kind, struct str text, unsigned char *sum);

/*
 * HMAC: hmac_init() with a key of any length, then as above. The key is not
 * kept, but what is made of it is: hmac_wipe() when it is a secret.
 */
struct hmac {
	struct digest inner, outer;
};

/*
 * As digest_init(), digest_update(), digest_final(); `key` may have any
 * length.
 */
void hmac_init(struct hmac *h, enum digest_kind kind, struct str key);
void hmac_update(struct hmac *h, const void *ptr, size_t len);
void hmac_final(struct hmac *h, unsigned char *sum);
/* Overwrite all of it, for what was made of a secret. */
void hmac_wipe(struct hmac *h);

/* One text at once, and wiped. `sum` may be where the key or the text is. */
void hmac(enum digest_kind kind, struct str key, struct str text,
	unsigned char *sum);

/* Whether `a` and `b` are equal, in a time that depends on lengths only. */
bool digest_equal(const void *a, const void *b, size_t len);

/* Append `len` bytes as lower-case hexadecimal. */
void digest_hex(struct buf *out, const unsigned char *sum, size_t len);

#endif
