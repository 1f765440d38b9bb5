#include "rego/builtin/jwk.h"

#include <string.h>

#include "base/libcrypto.h"
#include "rego/builtin/operand.h"
#include "rego/builtin/pem.h"
#include "rego/builtin/unicode.h"

/* clang-format off */
static const struct jwk_alg algs[] = {
	{"RS256", JWK_RSA,  DIGEST_SHA256, "SHA256"},
	{"RS384", JWK_RSA,  DIGEST_SHA384, "SHA384"},
	{"RS512", JWK_RSA,  DIGEST_SHA512, "SHA512"},
	{"PS256", JWK_PSS,  DIGEST_SHA256, "SHA256"},
	{"PS384", JWK_PSS,  DIGEST_SHA384, "SHA384"},
	{"PS512", JWK_PSS,  DIGEST_SHA512, "SHA512"},
	{"ES256", JWK_EC,   DIGEST_SHA256, "SHA256"},
	{"ES384", JWK_EC,   DIGEST_SHA384, "SHA384"},
	{"ES512", JWK_EC,   DIGEST_SHA512, "SHA512"},
	{"HS256", JWK_HMAC, DIGEST_SHA256, NULL},
	{"HS384", JWK_HMAC, DIGEST_SHA384, NULL},
	{"HS512", JWK_HMAC, DIGEST_SHA512, NULL},
	{"EdDSA", JWK_ED,   DIGEST_SHA512, NULL},
};

/* Other algorithms that a key may name, none of which signs here. */
static const char *const other_algs[] = {
	"A128CBC-HS256", "A128GCM", "A128GCMKW", "A128KW", "A192CBC-HS384",
	"A192GCM", "A192GCMKW", "A192KW", "A256CBC-HS512", "A256GCM",
	"A256GCMKW", "A256KW", "dir", "ECDH-ES", "ECDH-ES+A128KW",
	"ECDH-ES+A192KW", "ECDH-ES+A256KW", "ES256K", "none",
	"PBES2-HS256+A128KW", "PBES2-HS384+A192KW", "PBES2-HS512+A256KW",
	"RSA-OAEP", "RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512", "RSA1_5",
};
/* clang-format on */

const struct jwk_alg *jwk_alg_find(struct str name)
{
	for (size_t i = 0; i < COUNT(algs); i++)
		if (str_is(name, algs[i].name))
			return &algs[i];
	return NULL;
}

const struct jwk_alg *jwk_alg_find_fold(struct str name)
{
	for (size_t i = 0; i < COUNT(algs); i++)
		if (str_eq_fold(name, str_from(algs[i].name)))
			return &algs[i];
	return NULL;
}

static bool is_other_alg(struct str name)
{
	for (size_t i = 0; i < COUNT(other_algs); i++)
		if (str_is(name, other_algs[i]))
			return true;
	return false;
}

static enum bi_status open_crypto(struct bi_ctx *cx)
{
	struct err e = {0};

	if (crypto_open(&e))
		return bi_limit(cx, "%s", e.text);
	return BI_OK;
}

void jwks_release(struct jwks *ks)
{
	for (uint32_t i = 0; i < ks->len; i++)
		if (ks->items[i].pkey)
			ssl.EVP_PKEY_free(ks->items[i].pkey);
	*ks = (struct jwks){0};
}

/* --- the members of a JWK ------------------------------------------------ */

/* One key on its way: what it is called in messages, and its members. */
struct reading {
	struct bi_ctx *cx;
	const struct object *o;
	struct jwk *key;
};

static enum bi_status invalid(struct reading *r, const char *what)
{
	return bi_error(r->cx,
		"failed to unmarshal JSON into key (*jwk.%s): failed to "
		"unmarshal JSON into key (*jwk.%s): %s",
		r->key->kind, r->key->kind, what);
}

static enum bi_status invalid_member(
	struct reading *r, const char *name, const char *what)
{
	char text[600];

	snprintf(text, sizeof(text), "failed to decode value for key %s: %s",
		name, what);
	return invalid(r, text);
}

static const char *go_kind(struct value v)
{
	return v.tag == V_ARR   ? "array"
	       : v.tag == V_OBJ ? "object"
	       : is_bool(v)     ? "bool"
				: "number";
}

/* A member that is text; `*out` is empty when it is not there. */
static enum bi_status text_member(
	struct reading *r, const char *name, struct str *out)
{
	struct value v = obj_get_cstr(r->o, name);
	char why[128];

	*out = S("");
	if (!is_def(v) || v.tag == V_NULL)
		return BI_OK;
	if (v.tag == V_STR) {
		*out = v_bytes(v);
		return BI_OK;
	}
	snprintf(why, sizeof(why),
		"error reading next value: json: cannot unmarshal %s into Go "
		"value of type string",
		go_kind(v));
	return invalid_member(r, name, why);
}

/* Base64 of either alphabet, padded or not. */
static bool base64_any(struct bi_ctx *cx, struct str s, struct str *out)
{
	struct value text, bytes;
	struct buf b = {0};
	bool good;

	while (s.len && s.ptr[s.len - 1] == '=')
		s.len--;
	for (size_t i = 0; i < s.len; i++)
		buf_addc(&b, s.ptr[i] == '+'   ? '-'
			     : s.ptr[i] == '/' ? '_'
					       : s.ptr[i]);
	text = v_str(cx->arena, buf_str(&b));
	buf_release(&b);
	good = operand_call(cx, "base64url.decode", &text, &bytes) == BI_OK;
	if (good)
		*out = v_bytes(bytes);
	return good;
}

/* A member that is base64url: there must be one if `needed`. */
static enum bi_status bytes_member(
	struct reading *r, const char *name, bool needed, struct str *out)
{
	struct str text;
	enum bi_status st = text_member(r, name, &text);
	char why[64];

	*out = S("");
	if (st)
		return st;
	if (!is_def(obj_get_cstr(r->o, name))) {
		if (!needed)
			return BI_OK;
		snprintf(
			why, sizeof(why), "required field %s is missing", name);
		return invalid(r, why);
	}
	if (!base64_any(r->cx, text, out))
		return invalid_member(
			r, name, "expected base64 encoded []byte (string)");
	return BI_OK;
}

static enum bi_status name_members(struct reading *r)
{
	struct jwk *k = r->key;
	enum bi_status st = text_member(r, "alg", &k->alg);
	char why[256];

	if (!st && k->alg.len && !jwk_alg_find(k->alg) &&
		!is_other_alg(k->alg)) {
		snprintf(why, sizeof(why),
			"invalid key value: \"%.*s\": invalid key algorithm",
			k->alg.len < 99 ? (int)k->alg.len : 99, k->alg.ptr);
		return invalid_member(r, "alg", why);
	}
	return st ? st : text_member(r, "kid", &k->kid);
}

/* --- keys for OpenSSL ------------------------------------------------------
 */

static void push_number(
	OSSL_PARAM_BLD *bld, const char *name, struct str s, BIGNUM **keep)
{
	*keep = ssl.BN_bin2bn((const unsigned char *)s.ptr, (int)s.len, NULL);
	if (!*keep || !ssl.OSSL_PARAM_BLD_push_BN(bld, name, *keep))
		die("out of memory: key");
}

static EVP_PKEY *from_params(
	const char *type, OSSL_PARAM_BLD *bld, bool private)
{
	EVP_PKEY_CTX *ctx = ssl.EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = ssl.OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY *pkey = NULL;

	if (!ctx || !params)
		die("out of memory: key");
	if (ssl.EVP_PKEY_fromdata_init(ctx) <= 0 ||
		ssl.EVP_PKEY_fromdata(ctx, &pkey,
			private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
			params) <= 0)
		pkey = NULL;
	ssl.ERR_clear_error();
	ssl.OSSL_PARAM_free(params);
	ssl.EVP_PKEY_CTX_free(ctx);
	return pkey;
}

/* Members of RSA keys; the first two are those of public ones. */
/* clang-format off */
static const struct {
	const char *name, *param;
} rsa_members[] = {
	{"e",  OSSL_PKEY_PARAM_RSA_E},
	{"n",  OSSL_PKEY_PARAM_RSA_N},
	{"d",  OSSL_PKEY_PARAM_RSA_D},
	{"p",  OSSL_PKEY_PARAM_RSA_FACTOR1},
	{"q",  OSSL_PKEY_PARAM_RSA_FACTOR2},
	{"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
	{"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2},
	{"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
};
/* clang-format on */

static enum bi_status not_valid(
	struct reading *r, const char *type, const char *why)
{
	return bi_error(r->cx,
		"jwk.Parse: key validation failed: key validation failed: "
		"jwk.%s%s: %s",
		type, r->key->is_private ? "PrivateKey" : "PublicKey", why);
}

static enum bi_status read_rsa(struct reading *r)
{
	struct str bytes[COUNT(rsa_members)] = {0};
	BIGNUM *keep[COUNT(rsa_members)] = {0};
	OSSL_PARAM_BLD *bld;
	enum bi_status st = BI_OK;

	r->key->kind = r->key->is_private ? "rsaPrivateKey" : "rsaPublicKey";
	for (size_t i = 0; i < COUNT(rsa_members) && !st; i++)
		if (i < 2 || r->key->is_private)
			st = bytes_member(
				r, rsa_members[i].name, i < 2, &bytes[i]);
	if (!st)
		st = name_members(r);
	if (st)
		return st;
	bld = ssl.OSSL_PARAM_BLD_new();
	for (size_t i = 0; i < COUNT(rsa_members); i++)
		if (bytes[i].len)
			push_number(
				bld, rsa_members[i].param, bytes[i], &keep[i]);
	r->key->pkey = from_params("RSA", bld, r->key->is_private);
	ssl.OSSL_PARAM_BLD_free(bld);
	for (size_t i = 0; i < COUNT(keep); i++)
		ssl.BN_clear_free(keep[i]);
	return r->key->pkey ? BI_OK : not_valid(r, "RSA", "invalid numbers");
}

/* clang-format off */
static const struct curve {
	const char *name, *group;
	size_t size; /* bytes of a coordinate */
} curves[] = {
	{"P-256", "prime256v1", 32},
	{"P-384", "secp384r1",  48},
	{"P-521", "secp521r1",  66},
};
/* clang-format on */

static const struct curve *curve_find(struct str name)
{
	for (size_t i = 0; i < COUNT(curves); i++)
		if (str_is(name, curves[i].name))
			return &curves[i];
	return NULL;
}

static enum bi_status unknown_curve(struct reading *r, struct str crv)
{
	char why[160];

	if (!crv.len)
		return invalid(r, "required field crv is missing");
	snprintf(why, sizeof(why), "unknown EllipticCurveAlgorithm: \"%.*s\"",
		crv.len < 99 ? (int)crv.len : 99, crv.ptr);
	return invalid_member(r, "crv", why);
}

static enum bi_status bad_coordinate(struct reading *r, const struct curve *c,
	const char *name, struct str bytes)
{
	char why[96];

	snprintf(why, sizeof(why),
		"invalid \"%s\" length (%zu) for curve \"%s\"", name, bytes.len,
		c->name);
	return not_valid(r, "ECDSA", why);
}

static EVP_PKEY *ec_key(const struct curve *c, struct str x, struct str y,
	struct str d, bool private)
{
	unsigned char point[1 + 2 * 66] = {4};
	OSSL_PARAM_BLD *bld = ssl.OSSL_PARAM_BLD_new();
	BIGNUM *number = NULL;
	EVP_PKEY *pkey;

	memcpy(point + 1, x.ptr, c->size);
	memcpy(point + 1 + c->size, y.ptr, c->size);
	if (!bld ||
		!ssl.OSSL_PARAM_BLD_push_utf8_string(
			bld, OSSL_PKEY_PARAM_GROUP_NAME, c->group, 0) ||
		!ssl.OSSL_PARAM_BLD_push_octet_string(
			bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * c->size))
		die("out of memory: key");
	if (private)
		push_number(bld, OSSL_PKEY_PARAM_PRIV_KEY, d, &number);
	pkey = from_params("EC", bld, private);
	ssl.OSSL_PARAM_BLD_free(bld);
	ssl.BN_clear_free(number);
	return pkey;
}

static enum bi_status read_ec(struct reading *r)
{
	struct str crv, x, y, d = S("");
	const struct curve *c;
	enum bi_status st;

	r->key->kind =
		r->key->is_private ? "ecdsaPrivateKey" : "ecdsaPublicKey";
	if ((st = text_member(r, "crv", &crv)))
		return st;
	c = curve_find(crv);
	if (!c)
		return unknown_curve(r, crv);
	if ((st = bytes_member(r, "x", true, &x)) ||
		(st = bytes_member(r, "y", true, &y)) ||
		(st = bytes_member(r, "d", r->key->is_private, &d)) ||
		(st = name_members(r)))
		return st;
	if (x.len != c->size)
		return bad_coordinate(r, c, "x", x);
	if (y.len != c->size)
		return bad_coordinate(r, c, "y", y);
	r->key->pkey = ec_key(c, x, y, d, r->key->is_private);
	return r->key->pkey ? BI_OK
			    : not_valid(r, "ECDSA", "point is not on curve");
}

/*
 * Go's Ed25519 keys are bytes, private ones d and then x, so that jwx signs
 * HMACs with them; only if d and x belong together.
 */
static void ed_bytes(struct reading *r, struct str x, struct str d)
{
	struct jwk *k = r->key;
	unsigned char pub[32];
	size_t n = sizeof(pub);
	struct buf all = {0};

	k->torn = ssl.EVP_PKEY_get_raw_public_key(k->pkey, pub, &n) <= 0 ||
		  !digest_equal(pub, x.ptr, sizeof(pub));
	if (k->torn) {
		ssl.EVP_PKEY_free(k->pkey);
		k->pkey = NULL;
		return;
	}
	buf_addstr(&all, d);
	buf_addstr(&all, x);
	k->secret = arena_str(r->cx->arena, buf_str(&all));
	buf_release(&all);
}

/* Ed25519; X25519 is a key, but not one that signs. */
static enum bi_status read_okp(struct reading *r)
{
	struct str crv, x, d = S("");
	struct jwk *k = r->key;
	enum bi_status st;

	k->kind = k->is_private ? "okpPrivateKey" : "okpPublicKey";
	if ((st = text_member(r, "crv", &crv)))
		return st;
	if (!str_is(crv, "Ed25519") && !str_is(crv, "X25519"))
		return unknown_curve(r, crv);
	if ((st = bytes_member(r, "x", true, &x)) ||
		(st = bytes_member(r, "d", k->is_private, &d)) ||
		(st = name_members(r)))
		return st;
	if (str_is(crv, "X25519")) {
		k->made =
			k->is_private ? "*ecdh.PrivateKey" : "*ecdh.PublicKey";
		return BI_OK;
	}
	k->made = k->is_private ? "ed25519.PrivateKey" : "ed25519.PublicKey";
	if (x.len != 32)
		return not_valid(r, "OKP", "ed25519: wrong public key size");
	if (k->is_private && d.len != 32)
		return not_valid(r, "OKP", "ed25519: wrong private key size");
	k->pkey = k->is_private
			  ? ssl.EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519",
				    NULL, (const unsigned char *)d.ptr, 32)
			  : ssl.EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519",
				    NULL, (const unsigned char *)x.ptr, 32);
	if (!k->pkey)
		return not_valid(r, "OKP", "invalid key");
	ed_bytes(r, x, d);
	return BI_OK;
}

static enum bi_status read_oct(struct reading *r)
{
	enum bi_status st;

	r->key->kind = "symmetricKey";
	r->key->is_secret = true;
	r->key->is_private = true;
	if ((st = bytes_member(r, "k", true, &r->key->secret)) ||
		(st = name_members(r)))
		return st;
	if (!r->key->secret.len)
		return bi_error(r->cx,
			"jwk.Parse: key validation failed: key validation "
			"failed: jwk.SymmetricKey: missing \"k\" field");
	return BI_OK;
}

/* clang-format off */
static const struct {
	const char *kty;
	enum bi_status (*read)(struct reading *r);
} kinds[] = {
	{"EC",  read_ec},
	{"OKP", read_okp},
	{"RSA", read_rsa},
	{"oct", read_oct},
};
/* clang-format on */

static enum bi_status read_key(
	struct bi_ctx *cx, struct value v, struct jwk *key)
{
	static const char probe[] =
		"jwk.Parse: failed to probe data: probe: failed to unmarshal "
		"data: json: cannot unmarshal";
	struct reading r = {.cx = cx, .key = key};
	struct value kty;
	struct str name = S("");

	if (v.tag != V_OBJ)
		return bi_error(cx,
			"%s %s into Go value of type struct { Kty string "
			"\"json:\\\"kty\\\"\"; D json.RawMessage "
			"\"json:\\\"d,omitempty\\\"\" }",
			probe, v.tag == V_STR ? "string" : go_kind(v));
	r.o = v.obj;
	kty = obj_get_cstr(v.obj, "kty");
	if (is_def(kty) && kty.tag != V_STR && kty.tag != V_NULL)
		return bi_error(cx,
			"%s %s into Go struct field .kty of type string", probe,
			go_kind(kty));
	if (kty.tag == V_STR)
		name = v_bytes(kty);
	key->is_private = is_def(obj_get_cstr(v.obj, "d"));
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (str_is(name, kinds[i].kty))
			return kinds[i].read(&r);
	return bi_error(cx, "invalid key type from JSON (%.*s)",
		name.len < 99 ? (int)name.len : 99, name.ptr);
}

/* --- key sets ---------------------------------------------------------- */

static void keys_room(struct bi_ctx *cx, struct jwks *ks, uint32_t n)
{
	*ks = (struct jwks){.items = ARENA_ARRAY(cx->arena, struct jwk, n + 1)};
}

static enum bi_status read_set(
	struct bi_ctx *cx, struct value keys, struct jwks *ks)
{
	static const char before[] =
		"jwk.Parse: failed to unmarshal JWK set: failed to decode ";
	char where[160];

	if (keys.tag != V_ARR) {
		snprintf(where, sizeof(where),
			"%s\"keys\": expected '[' but got ", before);
		return bi_error(cx, "%s%s", where, operand_text(cx, keys));
	}
	keys_room(cx, ks, v_len(keys));
	for (uint32_t i = 0; i < v_len(keys); i++) {
		struct jwk *k = &ks->items[ks->len++];

		if (!read_key(cx, keys.arr->items[i], k))
			continue;
		snprintf(where, sizeof(where),
			"%skey #%u in \"keys\": jwk.ParseKey: ", before, i);
		return operand_wrap(cx, where);
	}
	return BI_OK;
}

static enum bi_status read_sole(
	struct bi_ctx *cx, struct value v, struct jwks *ks)
{
	keys_room(cx, ks, 1);
	ks->len = 1;
	if (!read_key(cx, v, ks->items))
		return BI_OK;
	return operand_wrap(
		cx, "jwk.Parse: failed to parse sole key: jwk.ParseKey: ");
}

static enum bi_status read_json(
	struct bi_ctx *cx, struct str text, struct value *out)
{
	struct value arg = v_str(cx->arena, text);

	if (!operand_call(cx, "json.unmarshal", &arg, out))
		return BI_OK;
	if (!text.len)
		bi_error(cx, "EOF");
	return operand_wrap(cx,
		"jwk.Parse: failed to parse sole key: jwk.ParseKey: "
		"jwk.Parse: failed to probe data: probe: failed to unmarshal "
		"data: ");
}

enum bi_status jwks_parse(struct bi_ctx *cx, struct str text, struct jwks *ks)
{
	struct value v, keys = v_undef;
	enum bi_status st = open_crypto(cx);

	*ks = (struct jwks){0};
	if (st || (st = read_json(cx, text, &v)))
		return st;
	if (v.tag == V_OBJ)
		keys = obj_get_cstr(v.obj, "keys");
	st = is_def(keys) ? read_set(cx, keys, ks) : read_sole(cx, v, ks);
	if (st)
		jwks_release(ks);
	return st;
}

/* --- PEM ----------------------------------------------------------------- */

static enum bi_status read_pem(
	struct bi_ctx *cx, const struct pem *pem, struct jwks *ks)
{
	const unsigned char *der = (const unsigned char *)pem->der.ptr;
	bool is_cert = str_is(pem->type, "CERTIFICATE");
	enum bi_status st = open_crypto(cx);

	if (st)
		return st;
	if (pem->rest.len)
		return bi_error(cx, "extra data after a PEM certificate block");
	if (!is_cert && !str_is(pem->type, "PUBLIC KEY"))
		return bi_error(
			cx, "failed to extract a Key from the PEM certificate");
	keys_room(cx, ks, 1);
	ks->len = 1;
	ks->items->pkey =
		is_cert ? crypto_certificate_key(der, (long)pem->der.len)
			: ssl.d2i_PUBKEY(NULL, &der, (long)pem->der.len);
	ssl.ERR_clear_error();
	if (ks->items->pkey)
		return BI_OK;
	return bi_error(cx, "failed to parse a PEM %s: %s",
		is_cert ? "certificate" : "public key",
		is_cert ? "x509: malformed certificate"
			: "asn1: structure error");
}

/* Keys for signatures come first, in their order. */
static void leave_signing(struct jwks *ks)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ks->len; i++) {
		struct jwk k = ks->items[i];

		if (k.alg.len && !jwk_alg_find(k.alg)) {
			ssl.EVP_PKEY_free(k.pkey);
			continue;
		}
		ks->items[n++] = k;
	}
	ks->len = n;
}

enum bi_status jwks_parse_public(
	struct bi_ctx *cx, struct str text, struct jwks *ks)
{
	struct pem pem;
	enum bi_status st;

	*ks = (struct jwks){0};
	if (pem_read(cx, text, &pem)) {
		st = read_pem(cx, &pem, ks);
		if (st)
			jwks_release(ks);
		return st;
	}
	st = jwks_parse(cx, text, ks);
	if (st == BI_ERROR)
		return operand_wrap(cx,
			"failed to parse a JWK key (set): jwk.ParseString: "
			"failed to parse string: ");
	if (!st)
		leave_signing(ks);
	return st;
}

/* --- signatures ---------------------------------------------------------- */

static bool verify_hmac(const struct jwk *k, const struct jwk_alg *alg,
	struct str text, struct str sig)
{
	unsigned char sum[DIGEST_MAX];

	if (!k->is_secret)
		return false;
	hmac(alg->digest, k->secret, text, sum);
	return sig.len == digest_size(alg->digest) &&
	       digest_equal(sig.ptr, sum, sig.len);
}

static bool fits(const struct jwk *k, enum jwk_family family)
{
	const char *name = family == JWK_EC   ? "EC"
			   : family == JWK_ED ? "ED25519"
					      : "RSA";

	return k->pkey && ssl.EVP_PKEY_is_a(k->pkey, name);
}

static size_t coordinate_size(const struct jwk *k)
{
	return ((size_t)ssl.EVP_PKEY_get_bits(k->pkey) + 7) / 8;
}

/* What OpenSSL is to sign or verify with: `salt` counts for PSS alone. */
static int salt_of(const struct jwk_alg *alg, int salt)
{
	return alg->family == JWK_PSS ? salt : CRYPTO_NO_PSS;
}

bool jwk_verify(const struct jwk *k, const struct jwk_alg *alg, struct str text,
	struct str sig, bool exact)
{
	struct buf der = {0};
	bool ok;

	if (alg->family == JWK_HMAC)
		return verify_hmac(k, alg, text, sig);
	if (!fits(k, alg->family) || (k->is_private && !exact))
		return false;
	if (alg->family != JWK_EC)
		return crypto_verify(k->pkey, alg->md,
			salt_of(alg, exact ? RSA_PSS_SALTLEN_DIGEST
					   : RSA_PSS_SALTLEN_AUTO),
			text, sig);
	if (exact && sig.len != 2 * coordinate_size(k))
		return false;
	crypto_ecdsa_der(sig, &der);
	ok = crypto_verify(
		k->pkey, alg->md, CRYPTO_NO_PSS, text, buf_str(&der));
	buf_release(&der);
	return ok;
}

/* ECDSA as r||s of fixed length. */
static bool sign_ec(const struct jwk *k, const struct jwk_alg *alg,
	struct str text, struct buf *out)
{
	struct buf der = {0};
	ECDSA_SIG *sig = NULL;
	bool ok;

	if (crypto_sign(k->pkey, alg->md, CRYPTO_NO_PSS, text, &der)) {
		const unsigned char *p = (const unsigned char *)der.ptr;

		sig = ssl.d2i_ECDSA_SIG(NULL, &p, (long)der.len);
	}
	ok = sig && crypto_ecdsa_raw(sig, coordinate_size(k), out);
	ssl.ECDSA_SIG_free(sig);
	buf_release(&der);
	return ok;
}

/* Why jwx cannot make the wanted type of a key. */
static const char *not_exported(
	struct bi_ctx *cx, const struct jwk *k, const char *want)
{
	if (k->torn)
		return "failed to export jwk.Key to raw format: "
		       "jwk.OKPPrivateKey: failed to build private key: "
		       "ed25519: invalid x value given d value";
	if (k->made)
		return arena_printf(cx->arena,
			"failed to assign key: argument to AssignIfCompatible()"
			" must be compatible with %s (was *%s)",
			k->made, want);
	return arena_printf(cx->arena,
		"no suitable exporter found for key type '*jwk.%s'", k->kind);
}

static enum bi_status wrong_key(
	struct bi_ctx *cx, const struct jwk *k, enum jwk_family family)
{
	static const struct {
		const char *want, *type, *by;
	} keys[] = {
		[JWK_RSA] = {"*rsa.PrivateKey", "rsa.PrivateKey", ""},
		[JWK_PSS] = {"*rsa.PrivateKey", "rsa.PrivateKey", ""},
		[JWK_EC] = {"*ecdsa.PrivateKey", "ecdsa.PrivateKey",
			"keyconv: "},
		[JWK_ED] = {"ed25519.PrivateKey", "ed25519.PrivateKey", ""},
		[JWK_HMAC] = {"[]byte", "[]byte", "keyconv: "},
	};
	const char *type = keys[family].type;

	return bi_error(cx,
		"jwsbb.Sign: invalid key type *jwk.%s. %s is required: "
		"%sfailed to produce %s from *jwk.%s: jwk.Export: %s",
		k->kind, keys[family].want, keys[family].by, type, k->kind,
		not_exported(cx, k, family == JWK_HMAC ? "[]uint8" : type));
}

enum bi_status jwk_sign(struct bi_ctx *cx, const struct jwk *k,
	const struct jwk_alg *alg, struct str text, struct buf *out)
{
	unsigned char sum[DIGEST_MAX];
	bool ok;

	if (alg->family == JWK_HMAC ? !k->is_secret && !k->secret.len
				    : !k->is_private || !fits(k, alg->family))
		return wrong_key(cx, k, alg->family);
	if (alg->family == JWK_HMAC) {
		hmac(alg->digest, k->secret, text, sum);
		buf_add(out, sum, digest_size(alg->digest));
		return BI_OK;
	}
	ok = alg->family == JWK_EC
		     ? sign_ec(k, alg, text, out)
		     : crypto_sign(k->pkey, alg->md,
			       salt_of(alg, RSA_PSS_SALTLEN_DIGEST), text, out);
	ssl.ERR_clear_error();
	return ok ? BI_OK : bi_error(cx, "the key does not sign");
}
