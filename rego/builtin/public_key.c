#include "rego/builtin/certificate.h"

#include <gmp.h>
#include <string.h>

/* clang-format off */
static const struct curve_info curves[] = {
	{"P224", "P-224", OID("\x2b\x81\x04\x00\x21"), 28,
		"ffffffffffffffffffffffffffffffff000000000000000000000001",
		"b4050a850c04b3abf54132565044b0b7d7bfd8ba270b39432355ffb4"},
	{"P256", "P-256", OID("\x2a\x86\x48\xce\x3d\x03\x01\x07"), 32,
		"ffffffff00000001000000000000000000000000ffffffffffffffff"
		"ffffffff",
		"5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e"
		"27d2604b"},
	{"P384", "P-384", OID("\x2b\x81\x04\x00\x22"), 48,
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"fffffffeffffffff0000000000000000ffffffff",
		"b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f"
		"5013875ac656398d8a2ed19d2a85c8edd3ec2aef"},
	{"P521", "P-521", OID("\x2b\x81\x04\x00\x23"), 66,
		"1fffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"fffffffffffffffffff",
		"51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489"
		"918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34"
		"f1ef451fd46b503f00"},
};

static const struct {
	struct str oid;
	enum key_kind kind;
} kinds[] = {
	{OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), KEY_RSA},
	{OID("\x2a\x86\x48\xce\x38\x04\x01"), KEY_DSA},
	{OID("\x2a\x86\x48\xce\x3d\x02\x01"), KEY_EC},
	{OID("\x2b\x65\x70"), KEY_ED25519},
};
/* clang-format on */

const struct curve_info *curve_of(struct str oid)
{
	for (size_t i = 0; i < COUNT(curves); i++)
		if (str_eq(curves[i].oid, oid))
			return &curves[i];
	return NULL;
}

enum key_kind public_key_kind(struct str oid)
{
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (str_eq(oid, kinds[i].oid))
			return kinds[i].kind;
	return KEY_UNKNOWN;
}

static bool is_positive(struct str number)
{
	return !(number.ptr[0] & 0x80) && (number.len > 1 || number.ptr[0]);
}

/* --- RSA ------------------------------------------------------------------
 */

static const char *rsa_parse(
	struct str params, struct str body, struct public_key *out)
{
	struct str r = body, e;
	int64_t small;

	if (!str_eq(params, S("\x05\x00")))
		return "x509: RSA key missing NULL parameters";
	if (!der_read(&r, DER_SEQUENCE, &r))
		return "x509: invalid RSA public key";
	if (!der_int(&r, DER_INT, &out->n))
		return "x509: invalid RSA modulus";
	e = r;
	if (!der_int64(&r, DER_INT, &small) || !der_int(&e, DER_INT, &out->e))
		return "x509: invalid RSA public exponent";
	if (!is_positive(out->n))
		return "x509: RSA modulus is not a positive number";
	if (small <= 0)
		return "x509: RSA public exponent is not a positive number";
	return NULL;
}

/* --- DSA ------------------------------------------------------------------
 */

static const char *dsa_parse(
	struct str params, struct str body, struct public_key *out)
{
	if (!der_int(&body, DER_INT, &out->y))
		return "x509: invalid DSA public key";
	if (!der_read(&params, DER_SEQUENCE, &params) ||
		!der_int(&params, DER_INT, &out->p) ||
		!der_int(&params, DER_INT, &out->q) ||
		!der_int(&params, DER_INT, &out->g))
		return "x509: invalid DSA parameters";
	if (!is_positive(out->y) || !is_positive(out->p) ||
		!is_positive(out->q) || !is_positive(out->g))
		return "x509: zero or negative DSA parameter";
	return NULL;
}

/* --- elliptic curves ------------------------------------------------------
 */

static void read_number(mpz_t z, const char *bytes, size_t len)
{
	mpz_init(z);
	mpz_import(z, len, 1, 1, 1, 0, bytes);
}

/* Whether y^2 = x^3 - 3 x + b modulo p. */
static bool is_on_curve(const mpz_t x, const mpz_t y, const mpz_t p, mpz_t b)
{
	mpz_t left, right;
	bool on;

	mpz_inits(left, right, NULL);
	mpz_mul(left, y, y);
	mpz_mul(right, x, x);
	mpz_mul(right, right, x);
	mpz_submul_ui(right, x, 3);
	mpz_add(right, right, b);
	on = mpz_congruent_p(left, right, p);
	mpz_clears(left, right, NULL);
	return on;
}

enum fault { ON_CURVE, TOO_BIG, OFF_CURVE };

static enum fault point_fault(const struct curve_info *c, const char *point)
{
	enum fault fault;
	mpz_t x, y, p, b;

	read_number(x, point, c->size);
	read_number(y, point + c->size, c->size);
	mpz_init_set_str(p, c->p, 16);
	mpz_init_set_str(b, c->b, 16);
	fault = mpz_cmp(x, p) >= 0 || mpz_cmp(y, p) >= 0 ? TOO_BIG
		: is_on_curve(x, y, p, b)                ? ON_CURVE
							 : OFF_CURVE;
	mpz_clears(x, y, p, b, NULL);
	return fault;
}

const char *curve_point_parse(
	struct bi_ctx *cx, const struct curve_info *c, struct str point)
{
	if (!point.len || point.ptr[0] != 4)
		return "ecdsa: invalid uncompressed public key";
	if (point.len != 1 + 2 * c->size)
		return arena_printf(
			cx->arena, "invalid %s point encoding", c->name);
	switch (point_fault(c, point.ptr + 1)) {
	case TOO_BIG:
		return arena_printf(cx->arena, "invalid %s%slement encoding",
			c->name, c->size == 32 ? " e" : "E");
	case OFF_CURVE:
		return arena_printf(
			cx->arena, "%s point not on curve", c->name);
	case ON_CURVE:
		break;
	}
	return NULL;
}

static const char *ec_parse(struct bi_ctx *cx, struct str params,
	struct str body, struct public_key *out)
{
	struct str oid;

	if (!der_oid(&params, &oid))
		return "x509: invalid ECDSA parameters";
	out->curve = curve_of(oid);
	if (!out->curve)
		return "x509: unsupported elliptic curve";
	out->point = body;
	return curve_point_parse(cx, out->curve, body);
}

/* --- all ------------------------------------------------------------------
 */

static const char *ed25519_parse(
	struct str params, struct str body, struct public_key *out)
{
	if (params.ptr)
		return "x509: Ed25519 key encoded with illegal parameters";
	if (body.len != 32)
		return "x509: wrong Ed25519 public key size";
	out->point = body;
	return NULL;
}

/* Bits as bytes, the unused ones in front. */
struct str bits_right(struct arena *a, struct der_bits bits)
{
	unsigned shift = bits.unused, carry = 0;
	struct str s = bits.bytes;
	char *out;

	if (!shift || !s.len)
		return s;
	out = arena_raw(a, s.len);
	for (size_t i = 0; i < s.len; i++) {
		unsigned c = (unsigned char)s.ptr[i];

		out[i] = (char)(carry << (8 - shift) | c >> shift);
		carry = c;
	}
	return str_make(out, s.len);
}

const char *algorithm_parse(
	struct str body, struct str *oid, struct str *params)
{
	int tag;

	*params = (struct str){0};
	if (!der_oid(&body, oid))
		return "x509: malformed OID";
	if (body.len && !der_any_whole(&body, &tag, params))
		return "x509: malformed parameters";
	return NULL;
}

static const char *key_parse(struct bi_ctx *cx, struct str params,
	struct str body, struct public_key *out)
{
	switch (out->kind) {
	case KEY_RSA:
		return rsa_parse(params, body, out);
	case KEY_DSA:
		return dsa_parse(params, body, out);
	case KEY_EC:
		return ec_parse(cx, params, body, out);
	case KEY_ED25519:
		return ed25519_parse(params, body, out);
	case KEY_UNKNOWN:
	case KEY_X25519:
		break;
	}
	return NULL;
}

const char *public_key_parse(
	struct bi_ctx *cx, struct str spki, struct public_key *out)
{
	struct str algorithm, oid, params;
	struct der_bits bits;
	const char *why;

	if (!der_read(&spki, DER_SEQUENCE, &spki))
		return "x509: malformed spki";
	if (!der_read(&spki, DER_SEQUENCE, &algorithm))
		return "x509: malformed public key algorithm identifier";
	why = algorithm_parse(algorithm, &oid, &params);
	if (why)
		return why;
	out->kind = public_key_kind(oid);
	if (!der_bits(&spki, &bits))
		return "x509: malformed subjectPublicKey";
	return key_parse(cx, params, bits_right(cx->arena, bits), out);
}

/* --- algorithms of signatures ---------------------------------------------
 */

/* clang-format off */
static const struct {
	struct str oid;
	enum signed_with number;
} signature_algorithms[] = {
	{OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04"), SIGNED_MD5_RSA},
	{OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"), SIGNED_SHA1_RSA},
	{OID("\x2b\x0e\x03\x02\x1d"),                 SIGNED_SHA1_RSA},
	{OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), SIGNED_SHA256_RSA},
	{OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"), SIGNED_SHA384_RSA},
	{OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"), SIGNED_SHA512_RSA},
	{OID("\x2a\x86\x48\xce\x38\x04\x03"),         SIGNED_SHA1_DSA},
	{OID("\x60\x86\x48\x01\x65\x03\x04\x03\x02"), SIGNED_SHA256_DSA},
	{OID("\x2a\x86\x48\xce\x3d\x04\x01"),         SIGNED_SHA1_EC},
	{OID("\x2a\x86\x48\xce\x3d\x04\x03\x02"),     SIGNED_SHA256_EC},
	{OID("\x2a\x86\x48\xce\x3d\x04\x03\x03"),     SIGNED_SHA384_EC},
	{OID("\x2a\x86\x48\xce\x3d\x04\x03\x04"),     SIGNED_SHA512_EC},
	{OID("\x2b\x65\x70"),                         SIGNED_ED25519},
};

static const struct {
	struct str hash;
	int64_t salt;
	enum signed_with number;
} pss_kinds[] = {
	{OID("\x60\x86\x48\x01\x65\x03\x04\x02\x01"), 32, SIGNED_SHA256_PSS},
	{OID("\x60\x86\x48\x01\x65\x03\x04\x02\x02"), 48, SIGNED_SHA384_PSS},
	{OID("\x60\x86\x48\x01\x65\x03\x04\x02\x03"), 64, SIGNED_SHA512_PSS},
};
/* clang-format on */

/* [n] around an algorithm. */
static bool pss_algorithm(
	struct str *r, int tag, struct str *oid, struct str *params)
{
	struct str body;

	return der_read(r, tag, &body) &&
	       der_read(&body, DER_SEQUENCE, &body) &&
	       !algorithm_parse(body, oid, params);
}

static bool is_null_or_none(struct str params)
{
	return !params.ptr || str_eq(params, S("\x05\x00"));
}

/* PSS whose two hashes and salt go together; any other is unknown. */
static enum signed_with pss_of(struct str params)
{
	static const struct str mgf1 =
		OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08");
	struct str hash, hash_params, mgf, mgf_params, inner, inner_params, r;
	int64_t salt, trailer = 1;

	if (!der_read(&params, DER_SEQUENCE, &params) ||
		!pss_algorithm(&params, DER_EXPLICIT, &hash, &hash_params) ||
		!pss_algorithm(&params, DER_EXPLICIT + 1, &mgf, &mgf_params) ||
		!der_read(&params, DER_EXPLICIT + 2, &r) ||
		!der_int64(&r, DER_INT, &salt))
		return SIGNED_UNKNOWN;
	if (params.len && (!der_read(&params, DER_EXPLICIT + 3, &r) ||
				  !der_int64(&r, DER_INT, &trailer)))
		return SIGNED_UNKNOWN;
	if (!der_read(&mgf_params, DER_SEQUENCE, &mgf_params) ||
		algorithm_parse(mgf_params, &inner, &inner_params) ||
		!is_null_or_none(hash_params) ||
		!is_null_or_none(inner_params) || !str_eq(mgf, mgf1) ||
		!str_eq(inner, hash) || trailer != 1)
		return SIGNED_UNKNOWN;
	for (size_t i = 0; i < COUNT(pss_kinds); i++)
		if (str_eq(hash, pss_kinds[i].hash) &&
			salt == pss_kinds[i].salt)
			return pss_kinds[i].number;
	return SIGNED_UNKNOWN;
}

enum signed_with signature_algorithm_of(struct str oid, struct str params)
{
	if (str_eq(oid, S("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")))
		return pss_of(params);
	for (size_t i = 0; i < COUNT(signature_algorithms); i++)
		if (str_eq(oid, signature_algorithms[i].oid))
			return signature_algorithms[i].number ==
						       SIGNED_ED25519 &&
					       params.ptr
				       ? SIGNED_UNKNOWN
				       : signature_algorithms[i].number;
	return SIGNED_UNKNOWN;
}
