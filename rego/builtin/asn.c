#include "rego/builtin/asn.h"

#include "rego/builtin/der.h"

#include <stdio.h>

const struct asn_kind asn_int = {DER_INT, false, "int"};
const struct asn_kind asn_big = {DER_INT, false, ""};
const struct asn_kind asn_bits = {DER_BITS, false, "BitString"};
const struct asn_kind asn_octets = {DER_OCTETS, false, ""};
const struct asn_kind asn_oid = {DER_OID, false, "ObjectIdentifier"};

static bool set_fault(
	struct asn_fault *fault, const char *kind, const char *what)
{
	if (!fault->text[0])
		snprintf(fault->text, sizeof(fault->text), "asn1: %s error: %s",
			kind, what);
	return false;
}

bool asn_syntax(struct asn_fault *fault, const char *what)
{
	return set_fault(fault, "syntax", what);
}

bool asn_structure(struct asn_fault *fault, const char *what)
{
	return set_fault(fault, "structure", what);
}

static unsigned byte_at(struct str s, size_t i)
{
	return (unsigned char)s.ptr[i];
}

/* --- headers --------------------------------------------------------------
 */

/* Seven bits a byte, of 31 in all. */
static bool base128(struct asn_fault *fault, struct str s, size_t *at, int *out)
{
	uint64_t v = 0;

	for (unsigned n = 0; *at < s.len; n++) {
		unsigned c = byte_at(s, (*at)++);

		if (n == 5)
			return asn_structure(
				fault, "base 128 integer too large");
		if (!n && c == 0x80)
			return asn_syntax(
				fault, "integer is not minimally encoded");
		v = v << 7 | (c & 0x7f);
		if (c & 0x80)
			continue;
		if (v > INT32_MAX)
			return asn_structure(
				fault, "base 128 integer too large");
		*out = (int)v;
		return true;
	}
	return asn_syntax(fault, "truncated base 128 integer");
}

static bool long_length(struct asn *r, unsigned n, size_t *len)
{
	if (!n)
		return asn_syntax(
			r->fault, "indefinite length found (not DER)");
	*len = 0;
	for (unsigned i = 0; i < n; i++) {
		if (r->at == r->s.len)
			return asn_syntax(r->fault, "truncated tag or length");
		if (*len >= 1 << 23)
			return asn_structure(r->fault, "length too large");
		*len = *len << 8 | byte_at(r->s, r->at++);
		if (!*len)
			return asn_structure(r->fault,
				"superfluous leading zeros in length");
	}
	return *len >= 0x80 || asn_structure(r->fault, "non-minimal length");
}

static bool header(struct asn *r, struct asn_any *out, size_t *len)
{
	unsigned first = byte_at(r->s, r->at++), c;

	out->class = (int)(first >> 6);
	out->compound = first & 0x20;
	out->tag = (int)(first & 0x1f);
	if (out->tag == 0x1f) {
		if (!base128(r->fault, r->s, &r->at, &out->tag))
			return false;
		if (out->tag < 0x1f)
			return asn_syntax(r->fault, "non-minimal tag");
	}
	if (r->at == r->s.len)
		return asn_syntax(r->fault, "truncated tag or length");
	c = byte_at(r->s, r->at++);
	*len = c;
	return c < 0x80 || long_length(r, c & 0x7f, len);
}

/* --- members --------------------------------------------------------------
 */

bool asn_end(const struct asn *r)
{
	return r->at == r->s.len;
}

bool asn_is_next(const struct asn *r, int tag)
{
	struct asn copy = *r;
	struct asn_any any;
	size_t len;

	return !r->fault->text[0] && !asn_end(r) && header(&copy, &any, &len) &&
	       (int)byte_at(r->s, r->at) == tag;
}

static bool mismatch(const struct asn *r, struct asn_kind kind,
	const struct asn_any *got, size_t len)
{
	char text[320];

	snprintf(text, sizeof(text),
		"tags don't match (%d vs {class:%d tag:%d length:%zu "
		"isCompound:%s}) {optional:false explicit:false "
		"application:false private:false defaultValue:<nil> tag:<nil> "
		"stringType:0 timeType:0 set:%s omitEmpty:false} %s @%zu",
		kind.tag, got->class, got->tag, len,
		got->compound ? "true" : "false",
		kind.tag == 17 ? "true" : "false", kind.name, r->at);
	return asn_structure(r->fault, text);
}

/* Of any kind if `kind` is NULL. */
static bool next(
	struct asn *r, const struct asn_kind *kind, struct asn_any *out)
{
	size_t from = r->at, len;

	if (r->fault->text[0])
		return false;
	if (asn_end(r))
		return asn_syntax(r->fault, "sequence truncated");
	if (!header(r, out, &len))
		return false;
	if (kind && (out->class || out->tag != kind->tag ||
			    out->compound != kind->compound))
		return mismatch(r, *kind, out, len);
	if (len > r->s.len - r->at)
		return asn_syntax(r->fault, "data truncated");
	out->body = str_make(r->s.ptr + r->at, len);
	r->at += len;
	out->whole = str_make(r->s.ptr + from, r->at - from);
	return true;
}

bool asn_next(struct asn *r, struct asn_any *out)
{
	return next(r, NULL, out);
}

bool asn_take(struct asn *r, struct asn_kind kind, struct str *body,
	struct str *whole)
{
	struct asn_any got;

	if (!next(r, &kind, &got))
		return false;
	*body = got.body;
	if (whole)
		*whole = got.whole;
	return true;
}

bool asn_enter(
	struct asn *r, const char *type, struct asn *inner, struct str *whole)
{
	struct asn_kind kind = {16, true, type};

	*inner = (struct asn){.fault = r->fault};
	return asn_take(r, kind, &inner->s, whole);
}

/* --- scalars --------------------------------------------------------------
 */

bool asn_int_check(struct asn_fault *fault, struct str s)
{
	if (!s.len)
		return asn_structure(fault, "empty integer");
	if (s.len > 1 && byte_at(s, 0) == (byte_at(s, 1) & 0x80 ? 0xffu : 0u))
		return asn_structure(fault, "integer not minimally-encoded");
	return true;
}

bool asn_integer(struct asn *r, struct str *out)
{
	return asn_take(r, asn_big, out, NULL) && asn_int_check(r->fault, *out);
}

bool asn_int64(struct asn *r, int64_t *out)
{
	struct str s;
	uint64_t v;

	if (!asn_take(r, asn_int, &s, NULL) || !asn_int_check(r->fault, s))
		return false;
	if (s.len > 8)
		return asn_structure(r->fault, "integer too large");
	v = byte_at(s, 0) & 0x80 ? UINT64_MAX : 0;
	for (size_t i = 0; i < s.len; i++)
		v = v << 8 | byte_at(s, i);
	*out = (int64_t)v;
	return true;
}

bool asn_oid_check(struct asn_fault *fault, struct str s)
{
	int part;

	if (!s.len)
		return asn_syntax(fault, "zero length OBJECT IDENTIFIER");
	for (size_t at = 0; at < s.len;)
		if (!base128(fault, s, &at, &part))
			return false;
	return true;
}

bool asn_identifier(struct asn *r, struct str *out)
{
	return asn_take(r, asn_oid, out, NULL) && asn_oid_check(r->fault, *out);
}

bool asn_algorithm(struct asn *r, struct str *oid, struct str *params)
{
	struct asn inner;
	struct asn_any any;

	*params = (struct str){0};
	if (!asn_enter(r, "AlgorithmIdentifier", &inner, NULL) ||
		!asn_identifier(&inner, oid))
		return false;
	if (asn_end(&inner))
		return true;
	if (!asn_next(&inner, &any))
		return false;
	*params = any.whole;
	return true;
}

bool asn_bits_check(struct asn_fault *fault, struct str s, struct der_bits *out)
{
	if (!s.len)
		return asn_syntax(fault, "zero length BIT STRING");
	out->unused = byte_at(s, 0);
	out->bytes = str_make(s.ptr + 1, s.len - 1);
	if (out->unused > 7 || (s.len == 1 && out->unused) ||
		(s.len > 1 &&
			byte_at(s, s.len - 1) & ((1u << out->unused) - 1)))
		return asn_syntax(fault, "invalid padding bits in BIT STRING");
	return true;
}

bool asn_bit_string(struct asn *r, struct der_bits *out)
{
	struct str s;

	return asn_take(r, asn_bits, &s, NULL) &&
	       asn_bits_check(r->fault, s, out);
}
