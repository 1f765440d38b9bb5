/*
 * jws_header: what a token is signed by, read from its header.
 *
 * jwx reads the header of a token to be signed with a JSON reader of its own,
 * which takes more than JSON: numbers of any spelling, control characters and
 * unknown escapes in strings. What it takes and the texts of its errors were
 * recorded from OPA 1.22.2.
 */
#ifndef REGO_BUILTIN_JWS_HEADER_H
#define REGO_BUILTIN_JWS_HEADER_H

#include "rego/builtin.h"

/*
 * Undefined when not there; a string as it is; anything else is of the right
 * type, but without what it holds.
 */
struct jws_header {
	struct value alg, typ;
};

/* BI_ERROR with the message when `text` is none; *h lives in the arena. */
enum bi_status jws_header_read(
	struct bi_ctx *cx, struct str text, struct jws_header *h);

#endif
