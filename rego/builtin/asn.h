/*
 * asn: ASN.1 as Go's encoding/asn1 reads it, with its errors.
 *
 * Go reads certificates strictly (der.h), but requests and private keys with
 * this older reader: it takes long tags, passes over what stands behind the
 * last member of a sequence, and says what did not match.
 *
 * A reader walks through the members of one sequence. After the first fault
 * all calls return false, and fault->text says why.
 */
#ifndef REGO_BUILTIN_ASN_H
#define REGO_BUILTIN_ASN_H

#include "base/str.h"

struct asn_fault {
	char text[400]; /* empty: none */
};

struct asn {
	struct str s;
	size_t at;
	struct asn_fault *fault;
};

/* What a member has to be: its tag, and what Go calls its type. */
struct asn_kind {
	int tag;
	bool compound;
	const char *name;
};

extern const struct asn_kind asn_int, asn_big, asn_bits, asn_octets, asn_oid;

/* The next member, whatever it is. */
struct asn_any {
	int class, tag;
	bool compound;
	struct str body, whole;
};

/* Whether nothing comes any more. */
bool asn_end(const struct asn *r);
/* Whether one of that tag byte comes next; a broken header is a fault. */
bool asn_is_next(const struct asn *r, int tag);
bool asn_next(struct asn *r, struct asn_any *out);
/* Of that kind; `whole` may be NULL. */
bool asn_take(struct asn *r, struct asn_kind kind, struct str *body,
	struct str *whole);
/* A sequence of that type, to be read with `inner`. */
bool asn_enter(
	struct asn *r, const char *type, struct asn *inner, struct str *whole);

/* An INTEGER. */
bool asn_int64(struct asn *r, int64_t *out);
/* Two's complement, as der_int(). */
bool asn_integer(struct asn *r, struct str *out);
bool asn_identifier(struct asn *r, struct str *out);
/* An algorithm's identifier, and its parameters; no pointer: none. */
bool asn_algorithm(struct asn *r, struct str *oid, struct str *params);
struct der_bits;
bool asn_bit_string(struct asn *r, struct der_bits *out);

/* Checks of a body: false with the fault. */
bool asn_oid_check(struct asn_fault *fault, struct str body);
bool asn_int_check(struct asn_fault *fault, struct str body);
bool asn_bits_check(
	struct asn_fault *fault, struct str body, struct der_bits *out);
bool asn_syntax(struct asn_fault *fault, const char *what);
bool asn_structure(struct asn_fault *fault, const char *what);

#endif
