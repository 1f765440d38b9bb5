/*
 * der: reading ASN.1 in its one distinguished encoding.
 *
 * A reader is a struct str of what is still to be read. Each function takes one
 * element off its front; on false the reader is spent. What is handed out is
 * borrowed from the bytes that are read. Tags are single bytes, lengths have at
 * most four; longer ones and all that DER does not allow are refused.
 *
 * Source: X.690; what is taken and what is not as Go's cryptobyte does it.
 */
#ifndef REGO_BUILTIN_DER_H
#define REGO_BUILTIN_DER_H

#include "base/buf.h"
#include "base/str.h"

enum der_tag {
	DER_BOOL = 1,
	DER_INT = 2,
	DER_BITS = 3,
	DER_OCTETS = 4,
	DER_NULL = 5,
	DER_OID = 6,
	DER_UTF8 = 12,
	DER_NUMERIC = 18,
	DER_PRINTABLE = 19,
	DER_T61 = 20,
	DER_IA5 = 22,
	DER_UTC_TIME = 23,
	DER_TIME = 24,
	DER_BMP = 30,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_FIELD = 0x80,    /* [0], to be added to */
	DER_EXPLICIT = 0xa0, /* [0] around an element */
};

/* The next element whatever it is; `whole` with its tag and length. */
bool der_any(struct str *r, int *tag, struct str *body);
bool der_any_whole(struct str *r, int *tag, struct str *whole);

/* The next element, which must have that tag. */
bool der_read(struct str *r, int tag, struct str *body);
bool der_read_whole(struct str *r, int tag, struct str *whole);

/* Whether an element of that tag comes next. */
bool der_is_next(struct str r, int tag);

/* An element that may be missing: true, and `body` has no pointer then. */
bool der_maybe(struct str *r, int tag, struct str *body);

/* A BOOLEAN, of one byte that is 0 or 255. */
bool der_bool(struct str *r, bool *out);
/* As it stands there: big-endian, two's complement, in the fewest bytes. */
bool der_int(struct str *r, int tag, struct str *out);
bool der_int64(struct str *r, int tag, int64_t *out);

/* Parts of 31 bits at most; the bytes that stand for it, without the tag. */
bool der_oid(struct str *r, struct str *out);
/* Whether the bytes of an identifier are whole, of parts of any size. */
bool der_oid_valid(struct str oid);
/* One part at a time, from *at = 0; the first byte is two parts. */
bool der_oid_part(struct str oid, size_t *at, uint64_t *out);

struct der_bits {
	struct str bytes;
	unsigned unused; /* bits at the end of the last byte */
};

/* A BIT STRING; false if the bits that are unused are not 0. */
bool der_bits(struct str *r, struct der_bits *out);

/* A moment and the zone it is written in, minutes east of UTC. */
struct der_time {
	int64_t sec;
	int zone;
};

/* Either kind of time, without its tag. */
bool der_time(struct str text, int tag, struct der_time *out);

/*
 * The text of a string of any kind, appended as UTF-8. False with what is
 * wrong: "invalid PrintableString".
 */
bool der_text(int tag, struct str body, struct buf *out, char why[static 48]);

#endif
