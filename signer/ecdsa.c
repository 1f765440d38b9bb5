/*
 * ECDSA without chance: the secret number of a signature is made from key and
 * text, so that the same commit gives the same bundle down to its signature.
 * To a verifier it is like any other, and no bad source of random numbers can
 * give the key away.
 *
 * Source: RFC 6979, section 3.2; the names are those used there. OpenSSL 3.0
 * signs with a given number only through the functions it calls deprecated.
 */
#include "base/libcrypto.h"
#include "signer/internal.h"

#include <string.h>

enum { ORDER_MAX = 66 }; /* bytes of P-521's */

/* Everything one signature needs; released as a whole. */
struct signing {
	const struct alg_row *row;
	EC_KEY *key;
	const EC_GROUP *group;
	const BIGNUM *order;
	BN_CTX *ctx;
	BIGNUM *k, *inverse, *r;
	EC_POINT *point;
	size_t len; /* bytes of the order */
	unsigned char h1[DIGEST_MAX], key_mac[DIGEST_MAX], v[DIGEST_MAX];
};

static enum status begin(
	struct signing *s, const struct sign_key *k, struct err *e)
{
	*s = (struct signing){.row = alg_row(k->alg)};
	s->key = ssl.EVP_PKEY_get1_EC_KEY(k->pkey);
	if (!s->key)
		return crypto_fail(e, E_UNSUPPORTED, "reading the key");
	s->group = ssl.EC_KEY_get0_group(s->key);
	s->order = ssl.EC_GROUP_get0_order(s->group);
	s->len = ((size_t)ssl.BN_num_bits(s->order) + 7) / 8;
	s->ctx = ssl.BN_CTX_new();
	s->k = ssl.BN_secure_new();
	s->inverse = ssl.BN_secure_new();
	s->r = ssl.BN_new();
	s->point = ssl.EC_POINT_new(s->group);
	if (!s->ctx || !s->k || !s->inverse || !s->r || !s->point)
		die("out of memory: signature");
	ssl.BN_set_flags(s->k, BN_FLG_CONSTTIME);
	return OK;
}

static void end(struct signing *s)
{
	ssl.EC_POINT_free(s->point);
	ssl.BN_clear_free(s->k);
	ssl.BN_clear_free(s->inverse);
	ssl.BN_clear_free(s->r);
	ssl.BN_CTX_free(s->ctx);
	ssl.EC_KEY_free(s->key);
	explicit_bzero(s, sizeof(*s));
}

/* bits2int: the leftmost bits, as many as the order has. */
static bool bits_to_int(
	const struct signing *s, const unsigned char *p, size_t n, BIGNUM *out)
{
	int excess = (int)(8 * n) - ssl.BN_num_bits(s->order);

	return ssl.BN_bin2bn(p, (int)n, out) &&
	       (excess <= 0 || ssl.BN_rshift(out, out, excess));
}

/* int2octets of the private key, then bits2octets of the text's digest. */
static bool seed(struct signing *s, unsigned char out[2 * ORDER_MAX])
{
	const BIGNUM *x = ssl.EC_KEY_get0_private_key(s->key);
	int n = (int)s->len;

	return x && ssl.BN_bn2binpad(x, out, n) == n &&
	       bits_to_int(s, s->h1, digest_size(s->row->digest), s->r) &&
	       ssl.BN_nnmod(s->r, s->r, s->order, s->ctx) &&
	       ssl.BN_bn2binpad(s->r, out + n, n) == n;
}

static void next_v(struct signing *s)
{
	size_t size = digest_size(s->row->digest);

	hmac(s->row->digest, (struct str){(char *)s->key_mac, size},
		(struct str){(char *)s->v, size}, s->v);
}

/* K = HMAC_K(V || mark || more), V = HMAC_K(V) */
static void stir(
	struct signing *s, int mark, const unsigned char *more, size_t n)
{
	size_t size = digest_size(s->row->digest);
	struct str key = {(const char *)s->key_mac, size};
	unsigned char byte = (unsigned char)mark;
	struct hmac h;

	hmac_init(&h, s->row->digest, key);
	hmac_update(&h, s->v, size);
	hmac_update(&h, &byte, 1);
	hmac_update(&h, more, n);
	hmac_final(&h, s->key_mac);
	hmac_wipe(&h);
	next_v(s);
}

/* The next candidate for k. */
static bool candidate(struct signing *s)
{
	size_t size = digest_size(s->row->digest), n = 0;
	unsigned char t[ORDER_MAX + DIGEST_MAX];

	while (n < s->len) {
		next_v(s);
		memcpy(t + n, s->v, size);
		n += size;
	}
	bool ok = bits_to_int(s, t, s->len, s->k);

	explicit_bzero(t, sizeof(t));
	return ok;
}

/* r = (k * G).x mod order; false: an error. r may be 0, which is no good. */
static bool point_of(struct signing *s)
{
	return ssl.EC_POINT_mul(s->group, s->point, s->k, NULL, NULL, s->ctx) &&
	       ssl.EC_POINT_get_affine_coordinates(
		       s->group, s->point, s->r, NULL, s->ctx) &&
	       ssl.BN_nnmod(s->r, s->r, s->order, s->ctx);
}

static bool choose_k(struct signing *s)
{
	unsigned char both[2 * ORDER_MAX];
	size_t size = digest_size(s->row->digest);

	memset(s->v, 1, size);
	memset(s->key_mac, 0, size);
	bool ok = seed(s, both);

	if (ok) {
		stir(s, 0, both, 2 * s->len);
		stir(s, 1, both, 2 * s->len);
	}
	explicit_bzero(both, sizeof(both));
	while (ok) {
		ok = candidate(s);
		if (ok && !ssl.BN_is_zero(s->k) &&
			ssl.BN_cmp(s->k, s->order) < 0) {
			ok = point_of(s);
			if (ok && !ssl.BN_is_zero(s->r))
				break;
		}
		stir(s, 0, NULL, 0);
	}
	return ok && ssl.BN_mod_inverse(s->inverse, s->k, s->order, s->ctx);
}

enum status ecdsa_sign(const struct sign_key *k, struct str text,
	struct buf *out, struct err *e)
{
	struct signing s;
	ECDSA_SIG *sig = NULL;
	enum status st = begin(&s, k, e);

	if (st)
		return st;
	digest(s.row->digest, text, s.h1);
	if (choose_k(&s))
		sig = ssl.ECDSA_do_sign_ex(s.h1,
			(int)digest_size(s.row->digest), s.inverse, s.r, s.key);
	if (!sig || !crypto_ecdsa_raw(sig, s.row->integer, out))
		st = crypto_fail(
			e, E_UNSUPPORTED, "signing with %s", s.row->name);
	ssl.ECDSA_SIG_free(sig);
	end(&s);
	return st;
}
