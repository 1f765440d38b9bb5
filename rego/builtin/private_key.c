#include "rego/builtin/private_key.h"

#include "base/libcrypto.h"
#include "rego/builtin/asn.h"
#include "rego/builtin/bigint.h"
#include "rego/builtin/operand.h"

#include <string.h>

static const char too_many_primes[] = "too many primes";

static void put(
	struct bi_ctx *cx, struct builder *b, const char *name, struct value v)
{
	builder_set_key(b, v_cstr(cx->arena, name), v);
}

/* --- what stands there -----------------------------------------------------
 */

struct pkcs8 {
	struct str oid, params, key;
};

struct sec1 {
	int64_t version;
	struct str key, curve;
};

static bool take_pkcs8(struct str der, struct pkcs8 *out, struct asn_fault *f)
{
	struct asn outer = {der, 0, f}, r;
	int64_t version;

	return asn_enter(&outer, "pkcs8", &r, NULL) &&
	       asn_int64(&r, &version) &&
	       asn_algorithm(&r, &out->oid, &out->params) &&
	       asn_take(&r, asn_octets, &out->key, NULL);
}

/* A field that may be missing, or is not as it should be. */
static bool take_field(struct asn *r, int tag, struct asn *field)
{
	struct asn_any any;

	if (!asn_is_next(r, tag) || !asn_next(r, &any))
		return false;
	*field = (struct asn){any.body, 0, r->fault};
	return true;
}

static bool take_sec1(struct str der, struct sec1 *out, struct asn_fault *f)
{
	struct asn outer = {der, 0, f}, r, field;
	struct der_bits point;

	out->curve = (struct str){0};
	if (!asn_enter(&outer, "ecPrivateKey", &r, NULL) ||
		!asn_int64(&r, &out->version) ||
		!asn_take(&r, asn_octets, &out->key, NULL))
		return false;
	if (take_field(&r, DER_EXPLICIT, &field) &&
		!asn_identifier(&field, &out->curve))
		return false;
	if (take_field(&r, DER_EXPLICIT + 1, &field))
		asn_bit_string(&field, &point);
	return !f->text[0];
}

/* The numbers that a key may leave out, to be worked out again. */
static bool take_rest(struct asn *r, struct private_key *out)
{
	struct str *optional[] = {&out->dp, &out->dq, &out->qinv};

	for (size_t i = 0; i < COUNT(optional); i++)
		if (asn_is_next(r, DER_INT) && !asn_integer(r, optional[i]))
			return false;
	return !r->fault->text[0];
}

/* Whether primes follow that stand in no field of their own. */
static bool take_more(struct asn *r, bool *more)
{
	struct asn list;

	*more = false;
	if (!asn_is_next(r, DER_SEQUENCE))
		return !r->fault->text[0];
	if (!asn_enter(r, "", &list, NULL))
		return false;
	*more = list.s.len > 0;
	return true;
}

static bool take_pkcs1(struct str der, int64_t *version,
	struct private_key *out, bool *more, struct asn_fault *f)
{
	struct asn outer = {der, 0, f}, r, e;
	int64_t small;

	if (!asn_enter(&outer, "pkcs1PrivateKey", &r, NULL) ||
		!asn_int64(&r, version) || !asn_integer(&r, &out->pub.n))
		return false;
	e = r;
	if (!asn_int64(&r, &small) || !asn_integer(&e, &out->pub.e) ||
		!asn_integer(&r, &out->d) || !asn_integer(&r, &out->p) ||
		!asn_integer(&r, &out->q) || !take_rest(&r, out) ||
		!take_more(&r, more))
		return false;
	return asn_end(&outer) || asn_syntax(f, "trailing data");
}

static bool is_pkcs1(struct str der)
{
	struct asn_fault f = {""};
	struct private_key k;
	int64_t version;
	bool more;

	return take_pkcs1(der, &version, &k, &more, &f);
}

static bool is_pkcs8(struct str der)
{
	struct asn_fault f = {""};
	struct pkcs8 p;

	return take_pkcs8(der, &p, &f);
}

static bool is_sec1(struct str der)
{
	struct asn_fault f = {""};
	struct sec1 s;

	return take_sec1(der, &s, &f);
}

#define USE(which)                                                             \
	"x509: failed to parse private key (use Parse" which                   \
	"PrivateKey instead for this key format)"

/* --- RSA -------------------------------------------------------------------
 */

static bool is_negative_or_zero(struct str n)
{
	return n.ptr && (n.ptr[0] & 0x80 || (n.len == 1 && !n.ptr[0]));
}

struct numbers {
	mpz_t n, e, d, p, q, dp, dq, qinv, p1, q1, t;
};

static void import(mpz_t z, struct str s)
{
	mpz_import(z, s.len, 1, 1, 1, 0, s.ptr);
}

static void numbers_read(struct numbers *z, const struct private_key *k)
{
	mpz_inits(z->n, z->e, z->d, z->p, z->q, z->dp, z->dq, z->qinv, z->p1,
		z->q1, z->t, NULL);
	import(z->n, k->pub.n);
	import(z->e, k->pub.e);
	import(z->d, k->d);
	import(z->p, k->p);
	import(z->q, k->q);
	import(z->dp, k->dp);
	import(z->dq, k->dq);
	import(z->qinv, k->qinv);
	mpz_sub_ui(z->p1, z->p, 1);
	mpz_sub_ui(z->q1, z->q, 1);
}

static void numbers_release(struct numbers *z)
{
	mpz_clears(z->n, z->e, z->d, z->p, z->q, z->dp, z->dq, z->qinv, z->p1,
		z->q1, z->t, NULL);
}

static const char *check_public(struct numbers *z)
{
	if (mpz_even_p(z->n))
		return "crypto/rsa: public modulus is even";
	if (mpz_cmp_ui(z->e, 2) < 0)
		return "crypto/rsa: public exponent too small or negative";
	if (mpz_even_p(z->e))
		return "crypto/rsa: public exponent is even";
	return mpz_sizeinbase(z->e, 2) > 31
		       ? "crypto/rsa: public exponent too large"
		       : NULL;
}

/* Whether e and `exponent` undo each other modulo `m`. */
static bool is_inverse(struct numbers *z, const mpz_t exponent, const mpz_t m)
{
	mpz_mul(z->t, z->e, exponent);
	mpz_sub_ui(z->t, z->t, 1);
	return mpz_cmp(exponent, m) < 0 && mpz_divisible_p(z->t, m);
}

static const char *check_shortcuts(struct numbers *z)
{
	if (!is_inverse(z, z->dp, z->p1) || !is_inverse(z, z->dq, z->q1))
		return "crypto/rsa: invalid CRT exponent";
	mpz_mul(z->t, z->q, z->qinv);
	mpz_mod(z->t, z->t, z->p);
	if (mpz_cmp_ui(z->t, 1))
		return "crypto/rsa: invalid CRT coefficient";
	if (!mpz_congruent_p(z->d, z->dp, z->p1))
		return "crypto/rsa: d does not match dP";
	if (!mpz_congruent_p(z->d, z->dq, z->q1))
		return "crypto/rsa: d does not match dQ";
	return NULL;
}

static const char *check_sizes(struct numbers *z)
{
	size_t bits = mpz_sizeinbase(z->n, 2);

	mpz_sub(z->t, z->p, z->q);
	if (!mpz_sgn(z->t))
		return "crypto/rsa: p == q";
	if (bits / 2 > 100 && mpz_sizeinbase(z->t, 2) <= bits / 2 - 100)
		return "crypto/rsa: |p - q| too small";
	return mpz_sizeinbase(z->d, 2) <= bits / 2 ? "crypto/rsa: d too small"
						   : NULL;
}

static const char *check_rsa(struct numbers *z)
{
	const char *why;

	if (mpz_cmp_ui(z->n, 1) <= 0 || !mpz_sgn(z->p1) || !mpz_sgn(z->q1))
		return "modulus must be > 1";
	if (mpz_cmp(z->d, z->n) >= 0 || mpz_cmp(z->qinv, z->p) >= 0)
		return "input overflows the modulus";
	if ((why = check_public(z)))
		return why;
	mpz_mul(z->t, z->p, z->q);
	if (mpz_cmp(z->p, z->n) >= 0 || mpz_cmp(z->q, z->n) >= 0)
		return "crypto/rsa: invalid prime";
	if (!mpz_divisible_p(z->t, z->n))
		return "crypto/rsa: p * q != n";
	why = check_shortcuts(z);
	return why ? why : check_sizes(z);
}

/* As der_int() would have it. */
static struct str number_bytes(struct bi_ctx *cx, const mpz_t z)
{
	size_t n = mpz_sizeinbase(z, 256) + 1;
	char *out = arena_alloc(cx->arena, n);
	size_t len = 0;

	mpz_export(out + 1, &len, 1, 1, 1, 0, z);
	return str_make(out, len + 1);
}

/* What the key leaves out follows from the rest. */
static void work_out(
	struct bi_ctx *cx, struct numbers *z, struct private_key *k)
{
	if (!mpz_sgn(z->p1) || !mpz_sgn(z->q1))
		return;
	mpz_mod(z->dp, z->d, z->p1);
	mpz_mod(z->dq, z->d, z->q1);
	mpz_invert(z->qinv, z->q, z->p);
	k->dp = number_bytes(cx, z->dp);
	k->dq = number_bytes(cx, z->dq);
	k->qinv = number_bytes(cx, z->qinv);
}

static const char *parse_rsa(
	struct bi_ctx *cx, struct str der, struct private_key *k)
{
	struct asn_fault f = {""};
	struct numbers z;
	int64_t version;
	const char *why;
	bool more;

	k->pub.kind = KEY_RSA;
	if (!take_pkcs1(der, &version, k, &more, &f))
		return strstr(f.text, "trailing data")
			       ? arena_strdup(cx->arena, str_from(f.text))
		       : is_sec1(der) ? USE("EC")
		       : is_pkcs8(der)
			       ? USE("PKCS8")
			       : arena_strdup(cx->arena, str_from(f.text));
	if (version > 1)
		return "x509: unsupported private key version";
	if (is_negative_or_zero(k->pub.n) || is_negative_or_zero(k->d) ||
		is_negative_or_zero(k->p) || is_negative_or_zero(k->q) ||
		is_negative_or_zero(k->dp) || is_negative_or_zero(k->dq) ||
		is_negative_or_zero(k->qinv))
		return "x509: private key contains zero or negative value";
	if (more)
		return too_many_primes;
	if (k->pub.e.ptr[0] & 0x80)
		return "crypto/rsa: public exponent too small or negative";
	numbers_read(&z, k);
	if (!k->dp.ptr || !k->dq.ptr || !k->qinv.ptr)
		work_out(cx, &z, k);
	why = check_rsa(&z);
	numbers_release(&z);
	return why;
}

/* --- elliptic curves -------------------------------------------------------
 */

static int curve_nid(const struct curve_info *c)
{
	return c->size == 28   ? NID_secp224r1
	       : c->size == 32 ? NID_X9_62_prime256v1
	       : c->size == 48 ? NID_secp384r1
			       : NID_secp521r1;
}

/* 4, x, y of the scalar times the generator. */
static void public_point(const struct curve_info *c, const EC_GROUP *group,
	const BIGNUM *d, unsigned char *out)
{
	EC_POINT *point = ssl.EC_POINT_new(group);
	BIGNUM *x = ssl.BN_new(), *y = ssl.BN_new();

	if (!point || !x || !y ||
		!ssl.EC_POINT_mul(group, point, d, NULL, NULL, NULL) ||
		!ssl.EC_POINT_get_affine_coordinates(group, point, x, y, NULL))
		die("out of memory: key");
	out[0] = 4;
	ssl.BN_bn2binpad(x, out + 1, (int)c->size);
	ssl.BN_bn2binpad(y, out + 1 + c->size, (int)c->size);
	ssl.BN_clear_free(x);
	ssl.BN_clear_free(y);
	ssl.EC_POINT_free(point);
}

static const char *set_scalar(
	struct bi_ctx *cx, struct str bytes, struct private_key *k)
{
	const struct curve_info *c = k->pub.curve;
	EC_GROUP *group = ssl.EC_GROUP_new_by_curve_name(curve_nid(c));
	BIGNUM *d = ssl.BN_bin2bn(
		(const unsigned char *)bytes.ptr, (int)bytes.len, NULL);
	unsigned char *point = arena_alloc(cx->arena, 1 + 2 * c->size);
	const char *why = NULL;
	int order;

	if (!group || !d)
		die("out of memory: key");
	order = ssl.BN_cmp(d, ssl.EC_GROUP_get0_order(group));
	if (!order || ssl.BN_is_zero(d))
		why = "ecdsa: invalid public key encoding";
	else if (order > 0)
		why = "input overflows the modulus";
	else
		public_point(c, group, d, point);
	k->pub.point = str_make((char *)point, 1 + 2 * c->size);
	ssl.BN_clear_free(d);
	ssl.EC_GROUP_free(group);
	return why;
}

/* `curve`: of the wrapping, or no pointer. */
static const char *parse_ec(struct bi_ctx *cx, struct str der, struct str curve,
	struct private_key *k)
{
	struct asn_fault f = {""};
	struct sec1 s;
	char *bytes;
	size_t size;

	k->pub.kind = KEY_EC;
	if (!take_sec1(der, &s, &f))
		return is_pkcs8(der)   ? USE("PKCS8")
		       : is_pkcs1(der) ? USE("PKCS1")
				       : arena_printf(cx->arena,
						 "x509: failed to parse EC "
						 "private key: %s",
						 f.text);
	if (s.version != 1)
		return arena_printf(cx->arena,
			"x509: unknown EC private key version %lld",
			(long long)s.version);
	k->pub.curve = curve_of(curve.ptr ? curve : s.curve);
	if (!k->pub.curve)
		return "x509: unknown elliptic curve";
	size = k->pub.curve->size;
	for (; s.key.len > size; s.key = str_slice(s.key, 1, s.key.len))
		if (s.key.ptr[0])
			return "x509: invalid private key length";
	bytes = arena_alloc(cx->arena, size + 1);
	if (s.key.len)
		memcpy(bytes + 1 + size - s.key.len, s.key.ptr, s.key.len);
	k->d = str_make(bytes, size + 1);
	return set_scalar(cx, str_slice(k->d, 1, size + 1), k);
}

/* --- Ed25519, X25519 -------------------------------------------------------
 */

static const char *okp_name(const struct private_key *k)
{
	return k->pub.kind == KEY_ED25519 ? "Ed25519" : "X25519";
}

static const char *okp_size(struct bi_ctx *cx, const struct private_key *k)
{
	if (k->seed.len == 32)
		return NULL;
	if (k->pub.kind == KEY_X25519)
		return "crypto/ecdh: invalid private key size";
	return arena_printf(cx->arena,
		"x509: invalid Ed25519 private key length: %zu", k->seed.len);
}

static const char *parse_okp(struct bi_ctx *cx, const struct pkcs8 *p,
	enum key_kind kind, struct private_key *k)
{
	struct asn_fault f = {""};
	struct asn r = {p->key, 0, &f};
	unsigned char *pub = arena_alloc(cx->arena, 32);
	const char *why;
	size_t len = 32;
	EVP_PKEY *pkey;

	k->pub.kind = kind;
	if (p->params.ptr)
		return arena_printf(cx->arena,
			"x509: invalid %s private key parameters", okp_name(k));
	if (!asn_take(&r, asn_octets, &k->seed, NULL))
		return arena_printf(cx->arena,
			"x509: invalid %s private key: %s", okp_name(k),
			f.text);
	why = okp_size(cx, k);
	if (why)
		return why;
	pkey = ssl.EVP_PKEY_new_raw_private_key_ex(NULL, okp_name(k), NULL,
		(const unsigned char *)k->seed.ptr, 32);
	if (!pkey || !ssl.EVP_PKEY_get_raw_public_key(pkey, pub, &len))
		die("out of memory: key");
	ssl.EVP_PKEY_free(pkey);
	k->pub.point = str_make((char *)pub, 32);
	return NULL;
}

/* --- any -------------------------------------------------------------------
 */

static const char *embedded(
	struct bi_ctx *cx, const char *kind, const char *why)
{
	if (!why || why == too_many_primes)
		return why;
	return arena_printf(cx->arena,
		"x509: failed to parse %s private key embedded in PKCS#8: %s",
		kind, why);
}

static const char *unknown_algorithm(struct bi_ctx *cx, struct str oid)
{
	return arena_printf(cx->arena,
		"x509: PKCS#8 wrapping contained private key with unknown "
		"algorithm: %s",
		oid_text(cx->arena, oid));
}

static const char *parse_pkcs8(
	struct bi_ctx *cx, struct str der, struct private_key *k)
{
	struct asn_fault f = {""};
	struct pkcs8 p;
	struct str curve, params;

	if (!take_pkcs8(der, &p, &f))
		return is_sec1(der) ? USE("EC")
		       : is_pkcs1(der)
			       ? USE("PKCS1")
			       : arena_strdup(cx->arena, str_from(f.text));
	switch (public_key_kind(p.oid)) {
	case KEY_RSA:
		return embedded(cx, "RSA", parse_rsa(cx, p.key, k));
	case KEY_EC:
		params = p.params;
		if (!der_oid(&params, &curve))
			curve = (struct str){0};
		return embedded(cx, "EC", parse_ec(cx, p.key, curve, k));
	case KEY_ED25519:
		return parse_okp(cx, &p, KEY_ED25519, k);
	case KEY_DSA:
	case KEY_UNKNOWN:
	case KEY_X25519:
		break;
	}
	if (str_eq(p.oid, S("\x2b\x65\x6e")))
		return parse_okp(cx, &p, KEY_X25519, k);
	return unknown_algorithm(cx, p.oid);
}

static enum bi_status parsed(struct bi_ctx *cx, const char *why)
{
	if (!why)
		return BI_OK;
	if (why == too_many_primes)
		return bi_limit(cx, "a private key of more than two primes");
	return bi_error(cx, "%s", why);
}

static enum bi_status start(struct bi_ctx *cx, struct str der)
{
	struct err e = {0};

	if (!bi_charge(cx, 1000 + der.len))
		return BI_HALT;
	return crypto_open(&e) ? bi_limit(cx, "%s", e.text) : BI_OK;
}

enum bi_status private_key_parse(struct bi_ctx *cx, struct str type,
	struct str der, struct private_key *out)
{
	enum bi_status st = start(cx, der);

	if (st)
		return st;
	*out = (struct private_key){0};
	if (str_is(type, "RSA PRIVATE KEY"))
		return parsed(cx, parse_rsa(cx, der, out));
	if (str_is(type, "PRIVATE KEY"))
		return parsed(cx, parse_pkcs8(cx, der, out));
	return parsed(cx, parse_ec(cx, der, (struct str){0}, out));
}

enum bi_status private_key_guess(
	struct bi_ctx *cx, struct str der, struct private_key *out)
{
	static const char *const types[] = {
		"RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY"};
	enum bi_status st = BI_ERROR;

	for (size_t i = 0; i < COUNT(types) && st == BI_ERROR; i++)
		st = private_key_parse(cx, str_from(types[i]), der, out);
	return st;
}

/* --- as JSON ---------------------------------------------------------------
 */

static struct value ed25519_value(
	struct bi_ctx *cx, const struct private_key *k)
{
	char both[64];

	memcpy(both, k->seed.ptr, 32);
	memcpy(both + 32, k->pub.point.ptr, 32);
	return base64_value(cx, str_make(both, 64));
}

static struct value rsa_value(struct bi_ctx *cx, const struct private_key *k)
{
	struct builder b = builder_obj(cx->arena);
	struct builder extra = builder_obj(cx->arena);
	struct value *primes = ARENA_ARRAY(cx->arena, struct value, 2);

	primes[0] = integer_value(cx, k->p);
	primes[1] = integer_value(cx, k->q);
	put(cx, &extra, "Dp", integer_value(cx, k->dp));
	put(cx, &extra, "Dq", integer_value(cx, k->dq));
	put(cx, &extra, "Qinv", integer_value(cx, k->qinv));
	put(cx, &extra, "CRTValues", v_empty_arr);
	put(cx, &b, "N", integer_value(cx, k->pub.n));
	put(cx, &b, "E", integer_value(cx, k->pub.e));
	put(cx, &b, "D", integer_value(cx, k->d));
	put(cx, &b, "Primes", v_arr(cx->arena, primes, 2));
	put(cx, &b, "Precomputed", builder_done(&extra));
	return builder_done(&b);
}

struct value private_key_value(struct bi_ctx *cx, const struct private_key *k)
{
	struct builder b = builder_obj(cx->arena);

	if (k->pub.kind == KEY_RSA)
		return rsa_value(cx, k);
	if (k->pub.kind == KEY_ED25519)
		return ed25519_value(cx, k);
	if (k->pub.kind == KEY_X25519)
		return v_empty_obj; /* Go's struct shows nothing */
	ec_point_put(cx, &b, &k->pub);
	put(cx, &b, "D", integer_value(cx, k->d));
	return builder_done(&b);
}

static void put_url(
	struct bi_ctx *cx, struct builder *b, const char *name, struct str s)
{
	struct value text = v_str(cx->arena, s), out = v_null;

	operand_call(cx, "base64url.encode_no_pad", &text, &out);
	put(cx, b, name, out);
}

/* Without the byte that keeps it positive. */
static void put_number(
	struct bi_ctx *cx, struct builder *b, const char *name, struct str s)
{
	put_url(cx, b, name, str_slice(s, s.len > 1 && !s.ptr[0], s.len));
}

static void rsa_jwk(
	struct bi_ctx *cx, struct builder *b, const struct private_key *k)
{
	put(cx, b, "kty", v_cstr(cx->arena, "RSA"));
	put_number(cx, b, "n", k->pub.n);
	put_number(cx, b, "e", k->pub.e);
	put_number(cx, b, "d", k->d);
	put_number(cx, b, "p", k->p);
	put_number(cx, b, "q", k->q);
	put_number(cx, b, "dp", k->dp);
	put_number(cx, b, "dq", k->dq);
	put_number(cx, b, "qi", k->qinv);
}

static void ec_jwk(
	struct bi_ctx *cx, struct builder *b, const struct private_key *k)
{
	size_t n = k->pub.curve->size;

	put(cx, b, "kty", v_cstr(cx->arena, "EC"));
	put(cx, b, "crv", v_cstr(cx->arena, k->pub.curve->jwk));
	put_url(cx, b, "x", str_slice(k->pub.point, 1, 1 + n));
	put_url(cx, b, "y", str_slice(k->pub.point, 1 + n, 1 + 2 * n));
	put_url(cx, b, "d", str_slice(k->d, 1, 1 + n));
}

enum bi_status private_key_jwk(
	struct bi_ctx *cx, const struct private_key *k, struct value *out)
{
	struct builder b = builder_obj(cx->arena);

	if (k->pub.kind == KEY_EC && k->pub.curve->size == 28)
		return bi_error(cx,
			"failed to initialize *jwk.ecdsaPrivateKey from "
			"*ecdsa.PrivateKey: jwk: failed to get algorithm for "
			"converting ECDSA private key to JWK: unknown elliptic "
			"curve: P-224");
	if (k->pub.kind == KEY_RSA) {
		rsa_jwk(cx, &b, k);
	} else if (k->pub.kind == KEY_EC) {
		ec_jwk(cx, &b, k);
	} else {
		put(cx, &b, "kty", v_cstr(cx->arena, "OKP"));
		put(cx, &b, "crv", v_cstr(cx->arena, okp_name(k)));
		put_url(cx, &b, "x", k->pub.point);
		put_url(cx, &b, "d", k->seed);
	}
	*out = builder_done(&b);
	return BI_OK;
}
