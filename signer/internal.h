/*
 * internal: what the files of the signer share.
 *
 * A key knows its algorithm as a row of one table, and everything that differs
 * between algorithms stands in that row.
 *
 * Source: RFC 7518 (JSON Web Algorithms), section 3; RFC 7515, section 2, for
 * base64url.
 */
#ifndef SIGNER_INTERNAL_H
#define SIGNER_INTERNAL_H

#include "base/digest.h"
#include "signer/signer.h"

enum family { FAMILY_RSA, FAMILY_PSS, FAMILY_EC, FAMILY_HMAC };

struct alg_row {
	const char *name;
	enum family family;
	enum digest_kind digest;
	const char *md;         /* the digest as OpenSSL calls it */
	const char *curve;      /* as NIST calls it; or NULL */
	const char *group;      /* the curve as OpenSSL calls it */
	unsigned short integer; /* bytes of r and of s */
};

enum {
	KEY_BITS_MIN = 2048, /* of RSA */
	KEY_BITS_NEW = 3072,
	KEY_FILE_MAX = 32768, /* bytes; RSA with 16384 bits has 13,000 */
	FINGERPRINT_HEX = 64,
};

struct evp_pkey_st; /* EVP_PKEY of OpenSSL */

struct sign_key {
	enum sign_alg alg;
	struct evp_pkey_st *pkey; /* NULL for HMAC */
	bool private;             /* has what signing needs */
	unsigned char *secret;
	size_t secret_len;
	char *id; /* or NULL */
	char fingerprint[FINGERPRINT_HEX + 1];
};

/* The row of any algorithm but ALG_NONE. */
const struct alg_row *alg_row(enum sign_alg alg);

/* Append the bytes of a signature as JWS has them: ECDSA is r||s. */
enum status raw_sign(const struct sign_key *k, struct str text, struct buf *out,
	struct err *e) MUST_CHECK;

/* The same for ECDSA keys (ecdsa.c): one text has one signature. */
enum status ecdsa_sign(const struct sign_key *k, struct str text,
	struct buf *out, struct err *e) MUST_CHECK;

/* E_DENIED with the text that an agent of OPA has for it. */
enum status raw_verify(const struct sign_key *k, struct str text,
	struct str signature, struct err *e) MUST_CHECK;

/*
 * Open a file for reading, and say of the open one, which can't be exchanged
 * any more, what it is. E_INVALID: no regular file. The caller closes it.
 */
struct stat;
enum status regular_file_open(
	const char *path, int *fd, struct stat *sb, struct err *e) MUST_CHECK;

/*
 * Read a file that holds a secret. E_DENIED: not only its owner may touch it.
 * The caller wipes `text`, also when this fails.
 */
enum status key_file_read(const char *path, char text[KEY_FILE_MAX],
	size_t *len, struct err *e) MUST_CHECK;

/* Append base64url without padding. */
void b64url_write(struct buf *out, struct str s);

/*
 * Append what base64url without padding stands for. As Go does, line ends are
 * skipped and the bits left over at the end ignored; `strict` refuses both.
 */
enum status b64url_parse(
	struct buf *out, struct str s, bool strict, struct err *e) MUST_CHECK;

#endif
