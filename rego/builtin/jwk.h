/*
 * jwk: keys of tokens, and the thirteen algorithms that sign with them.
 *
 * A key comes from a PEM block (a certificate or a public key), or from a JSON
 * Web Key or a set of those. All that is not HMAC goes through libcrypto,
 * opened with the first key.
 *
 * Source: RFC 7517, RFC 7518, RFC 8037. Texts of errors are those of OPA and of
 * the library it reads keys with, jwx.
 */
#ifndef REGO_BUILTIN_JWK_H
#define REGO_BUILTIN_JWK_H

#include "base/digest.h"
#include "rego/builtin.h"

enum jwk_family { JWK_RSA, JWK_PSS, JWK_EC, JWK_ED, JWK_HMAC };

struct jwk_alg {
	const char *name; /* "RS256" */
	enum jwk_family family;
	enum digest_kind digest;
	const char *md; /* the digest as OpenSSL calls it; or NULL */
};

/* By name, or NULL; by that in letters of any case. */
const struct jwk_alg *jwk_alg_find(struct str name);
const struct jwk_alg *jwk_alg_find_fold(struct str name);

struct evp_pkey_st;

struct jwk {
	struct evp_pkey_st *pkey; /* NULL: a secret, or a kind nobody uses */
	const char *kind; /* as jwx calls it: "rsaPublicKey"; NULL of PEM */
	const char *made; /* OKP: the type that jwx makes of it */
	bool is_secret, is_private;
	bool torn;           /* OKP: x is not of d */
	struct str secret;   /* what HMAC signs with, if it can */
	struct str alg, kid; /* empty: not given */
};

struct jwks {
	struct jwk *items;
	uint32_t len;
};

/* What jwks_*() made besides memory of the arena. Safe on {0}. */
void jwks_release(struct jwks *ks);

/* A JWK or a set of them. BI_ERROR with the message; `ks` is empty then. */
enum bi_status jwks_parse(struct bi_ctx *cx, struct str text, struct jwks *ks);

/*
 * The same of what a policy verifies with, which may be PEM. Keys for other
 * uses than signatures are left out.
 */
enum bi_status jwks_parse_public(
	struct bi_ctx *cx, struct str text, struct jwks *ks);

/*
 * Whether `sig` is the signature of `text`. io.jwt.verify_* take ECDSA
 * signatures of any length and PSS with any salt, but no private keys: for them
 * `exact` is false.
 */
bool jwk_verify(const struct jwk *k, const struct jwk_alg *alg, struct str text,
	struct str sig, bool exact);

/* Append the signature of `text`. */
enum bi_status jwk_sign(struct bi_ctx *cx, const struct jwk *k,
	const struct jwk_alg *alg, struct str text, struct buf *out);

#endif
