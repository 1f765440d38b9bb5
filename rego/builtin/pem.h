/*
 * pem: one block of base64 between lines, "-----BEGIN TYPE-----".
 *
 * What stands in front of a block is skipped. Source: RFC 7468, as far as Go's
 * encoding/pem follows it.
 */
#ifndef REGO_BUILTIN_PEM_H
#define REGO_BUILTIN_PEM_H

#include "rego/builtin.h"

struct pem {
	struct str type; /* "CERTIFICATE" */
	struct str der;  /* lives in the context's arena */
	struct str rest; /* what follows the block's last line */
};

/* The first block of `s`; false if there is none. */
bool pem_read(struct bi_ctx *cx, struct str s, struct pem *out);

#endif
