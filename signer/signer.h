/*
 * signer: keys, and the signatures OPA checks on a bundle.
 *
 * A bundle's signature is one compact JWS in `.signatures.json` whose payload
 * lists every file with its digest. What a digest is taken of depends on the
 * name: structured files (data.json, data.yaml, data.yml, .manifest) are
 * hashed in a canonical form, everything else as raw bytes.
 *
 * Private keys are PEM files that only their owner can read; in memory they
 * are wiped when the key goes. Algorithm and key are one thing: a key is
 * loaded for an algorithm, and a signature of another one is refused whatever
 * its header says.
 *
 * Keys are read-only once made: any number of threads may use one.
 *
 * Source: OPA's bundle signing (docs: "Bundle signature"), RFC 7515, 7518.
 */
#ifndef SIGNER_SIGNER_H
#define SIGNER_SIGNER_H

#include "base/buf.h"
#include "base/err.h"

/* clang-format off */
enum sign_alg {
	ALG_NONE = 0, /* no algorithm: never valid */
	ALG_RS256, ALG_RS384, ALG_RS512,
	ALG_PS256, ALG_PS384, ALG_PS512,
	ALG_ES256, ALG_ES384, ALG_ES512,
	ALG_HS256, ALG_HS384, ALG_HS512, /* verify only */
};
/* clang-format on */

/* By OPA's name ("ES256"); ALG_NONE when there is none. */
enum sign_alg sign_alg_find(struct str name);
const char *sign_alg_name(enum sign_alg alg);

struct sign_key;

/*
 * Make a new key pair and append it as PEM: PKCS#8 and SPKI. RSA keys have
 * 3072 bits, EC keys the curve of the algorithm. The caller wipes what the
 * private one was written to.
 */
enum status sign_key_generate(enum sign_alg alg, struct buf *private_pem,
	struct buf *public_pem, struct err *e) MUST_CHECK;

/*
 * Read a private key from a file. Refused with E_DENIED: a file that group or
 * others can touch, or that belongs to another user. Refused with E_INVALID: a
 * key that does not fit the algorithm (wrong type, wrong curve, RSA under 2048
 * bits), halves that do not belong together, encrypted PEM.
 */
enum status sign_key_load(struct sign_key **out, const char *path,
	enum sign_alg alg, struct err *e) MUST_CHECK;

/*
 * A key to verify with: SPKI, PKCS#1 or certificate PEM, also a private key's
 * PEM; for HS* the bytes of the secret, which may not be PEM. It must fit the
 * algorithm as above. Such a key does not sign. `id` is the key's name.
 */
enum status sign_key_parse_public(struct sign_key **out, struct str text,
	enum sign_alg alg, const char *id, struct err *e) MUST_CHECK;

void sign_key_free(struct sign_key *k); /* NULL is fine */
/* What it signs with, or what it verifies. */
enum sign_alg sign_key_alg(const struct sign_key *k);

/*
 * SHA-256 of the public key (SPKI, DER), in hex: what a key is called by. ""
 * for HS*, whose secrets have no public half.
 */
const char *sign_key_fingerprint(const struct sign_key *k);

/* One line of the payload's `files`. */
struct signed_file {
	struct str name;      /* without a leading slash */
	struct str hash;      /* hex */
	struct str algorithm; /* "SHA-256" */
};

/*
 * Append the digest OPA takes of a file, as lower-case hex; structured or raw
 * by its base name. `algorithm` as in the payload. Structured content that
 * does not parse is refused. So is, when `strict`, what agents of different
 * age read in different ways: YAML, duplicate keys, broken UTF-8, U+0008 and
 * U+000C.
 */
enum status sign_digest(struct str name, struct str content,
	struct str algorithm, bool strict, struct buf *hex,
	struct err *e) MUST_CHECK;

/*
 * Append a compact JWS over any payload: header {"alg", "kid"}. With RS* and
 * ES* the same key and payload give the same bytes every time; PS* has a random
 * salt.
 */
enum status sign_jws(const struct sign_key *k, const char *keyid,
	struct str payload, struct buf *out, struct err *e) MUST_CHECK;

/*
 * Check a compact JWS as sign_jws() makes them, strictly, and append its
 * payload. E_DENIED: it is not this key's signature.
 */
enum status verify_jws(const struct sign_key *k, struct str token,
	struct buf *payload, struct err *e) MUST_CHECK;

/*
 * Append the text of .signatures.json. `files` have SHA-256 digests and
 * different names; keyid and scope may be NULL.
 */
enum status sign_files(const struct sign_key *k, const char *keyid,
	const char *scope, const struct signed_file *files, size_t n,
	struct buf *out, struct err *e) MUST_CHECK;

/* What an agent is configured with. */
struct verify_config {
	struct sign_key *const *keys; /* each has an id */
	size_t nkeys;
	const char *keyid; /* overrides the signature's own; or NULL */
	const char *scope; /* "" or NULL when none is expected */
	bool strict;
};

struct verified {
	struct signed_file *files; /* names are distinct */
	size_t nfiles;
	char *keyid, *scope; /* "" when there is no scope */
	void *memory;        /* verified_release() */
};

/*
 * Check the token of a .signatures.json and give the list it vouches for.
 * Order of checks and texts are those of an OPA agent.
 *
 * E_NOT_FOUND: unsigned, or signed by a key that is not there. E_DENIED: the
 * signature or the scope is wrong. Anything else: no signature at all.
 *
 * `strict` also refuses what an agent lets pass: a header whose alg is not the
 * key's, or that has crit, b64, jku, jwk, x5c or x5u; base64 with line ends or
 * stray bits; repeated members and repeated file names; text after the JSON.
 * Not as an agent, but in both modes: JSON must be UTF-8, with no more than
 * LIMIT_JSON_DEPTH levels.
 */
enum status verify_signatures(struct str signatures_json,
	const struct verify_config *cfg, struct verified *out,
	struct err *e) MUST_CHECK;
void verified_release(struct verified *v);

#endif
