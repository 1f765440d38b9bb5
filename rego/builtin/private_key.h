/*
 * private_key: private keys in DER, checked and written as OPA does it.
 *
 * Source: RFC 8017 (RSA), SEC 1 (EC), RFC 5208 and 8410 (any, Ed25519); Go's
 * crypto/x509, whose errors these are. Keys of more than two primes are not
 * read.
 */
#ifndef REGO_BUILTIN_PRIVATE_KEY_H
#define REGO_BUILTIN_PRIVATE_KEY_H

#include "rego/builtin/certificate.h"

struct private_key {
	struct public_key pub; /* of RSA or a curve */
	/* RSA, numbers as der_int() has them; d is EC's scalar too. */
	struct str d, p, q, dp, dq, qinv;
	struct str seed; /* Ed25519, X25519 */
};

/* By the type of the PEM block that it stood in. */
enum bi_status private_key_parse(struct bi_ctx *cx, struct str type,
	struct str der, struct private_key *out);
/* Of whatever form; BI_ERROR without a message if it is none. */
enum bi_status private_key_guess(
	struct bi_ctx *cx, struct str der, struct private_key *out);

/* As Go's encoding/json writes the struct, and as a JSON Web Key. */
struct value private_key_value(struct bi_ctx *cx, const struct private_key *k);
enum bi_status private_key_jwk(
	struct bi_ctx *cx, const struct private_key *k, struct value *out);

#endif
