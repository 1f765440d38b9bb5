#include "rego/builtin/chain.h"

#include "base/libcrypto.h"

enum { SIGNATURES_MAX = 100 }; /* that Go checks before it gives up */

enum place { LEAF, LINK, ROOT };

/* --- signatures ------------------------------------------------------------
 */

/* clang-format off */
static const struct {
	enum signed_with algorithm;
	enum key_kind kind;
	const char *md; /* NULL: the algorithm hashes by itself */
	bool is_pss;
} verifiers[] = {
	{SIGNED_SHA256_RSA, KEY_RSA,     "SHA256", false},
	{SIGNED_SHA384_RSA, KEY_RSA,     "SHA384", false},
	{SIGNED_SHA512_RSA, KEY_RSA,     "SHA512", false},
	{SIGNED_SHA256_PSS, KEY_RSA,     "SHA256", true},
	{SIGNED_SHA384_PSS, KEY_RSA,     "SHA384", true},
	{SIGNED_SHA512_PSS, KEY_RSA,     "SHA512", true},
	{SIGNED_SHA256_EC,  KEY_EC,      "SHA256", false},
	{SIGNED_SHA384_EC,  KEY_EC,      "SHA384", false},
	{SIGNED_SHA512_EC,  KEY_EC,      "SHA512", false},
	{SIGNED_ED25519,    KEY_ED25519, NULL,     false},
};
/* clang-format on */

/* Bits of a number that is not negative. */
static size_t bit_len(struct str n)
{
	size_t i = n.len && !n.ptr[0], bits;

	if (i == n.len)
		return 0;
	bits = 8 * (n.len - i);
	for (unsigned top = (unsigned char)n.ptr[i]; top < 0x80; top <<= 1)
		bits--;
	return bits;
}

static bool is_odd(struct str n)
{
	return n.ptr[n.len - 1] & 1;
}

/* RSA of at least 1024 bits, with an exponent of at most 31. */
static bool is_strong(const struct public_key *k)
{
	return k->kind != KEY_RSA ||
	       (bit_len(k->n) >= 1024 && is_odd(k->n) && is_odd(k->e) &&
		       bit_len(k->e) > 1 && bit_len(k->e) < 32);
}

static enum bi_status verify_with(struct bi_ctx *cx,
	const struct certificate *parent, size_t row,
	const struct certificate *c)
{
	const unsigned char *der = (const unsigned char *)parent->raw_spki.ptr;
	struct err e = {0};
	EVP_PKEY *key;
	bool ok;

	if (crypto_open(&e))
		return bi_limit(cx, "%s", e.text);
	if (parent->key.kind == KEY_RSA &&
		bit_len(parent->key.n) > OPENSSL_RSA_MAX_MODULUS_BITS)
		return bi_limit(cx, "an RSA key has %zu bits, limit %d",
			bit_len(parent->key.n), OPENSSL_RSA_MAX_MODULUS_BITS);
	key = ssl.d2i_PUBKEY(NULL, &der, (long)parent->raw_spki.len);
	ok = key && crypto_verify(key, verifiers[row].md,
			    verifiers[row].is_pss ? RSA_PSS_SALTLEN_DIGEST
						  : CRYPTO_NO_PSS,
			    c->raw_tbs, c->signature);
	ssl.EVP_PKEY_free(key);
	ssl.ERR_clear_error();
	return ok ? BI_OK : BI_UNDEF;
}

enum bi_status certificate_signed_by(struct bi_ctx *cx,
	const struct certificate *c, const struct certificate *parent)
{
	if (!is_strong(&parent->key))
		return BI_UNDEF;
	if (!bi_charge(cx, 1000 + c->raw_tbs.len / 64))
		return BI_HALT;
	for (size_t i = 0; i < COUNT(verifiers); i++)
		if (verifiers[i].algorithm == c->signature_algorithm)
			return verifiers[i].kind == parent->key.kind
				       ? verify_with(cx, parent, i, c)
				       : BI_UNDEF;
	return BI_UNDEF;
}

/* --- one certificate -------------------------------------------------------
 */

static bool may_sign(const struct certificate *c)
{
	enum { CERT_SIGN = 1 << 5 };

	if (c->has_constraints ? !c->is_ca : c->version == 3)
		return false;
	return !c->key_usage || c->key_usage & CERT_SIGN;
}

static bool is_in_time(const struct certificate *c, int64_t now_ns)
{
	int64_t sec = now_ns / 1000000000, nsec = now_ns % 1000000000;

	if (nsec < 0) {
		sec--;
		nsec += 1000000000;
	}
	return sec >= c->not_before.sec &&
	       (sec < c->not_after.sec || (sec == c->not_after.sec && !nsec));
}

/* `below`: certificates of the chain that stand under it, the leaf too. */
static bool fits_at(const struct certificate *c, enum place place,
	uint32_t below, const struct chain_options *options)
{
	if (c->unhandled.len || !is_in_time(c, options->now_ns))
		return false;
	if (place == LINK && (!c->has_constraints || !c->is_ca))
		return false;
	return !c->has_constraints || c->max_path_len < 0 || !below ||
	       below - 1 <= (uint64_t)c->max_path_len;
}

/* --- uses of keys ----------------------------------------------------------
 */

static bool has_usage(const struct certificate *c, int usage)
{
	for (uint32_t i = 0; i < c->ext_key_usage.len; i++)
		if (c->ext_key_usage.items[i] == usage ||
			!c->ext_key_usage.items[i])
			return true;
	return false;
}

static bool names_usages(const struct certificate *c)
{
	return c->ext_key_usage.len || c->unknown_key_usage.len;
}

/* One of the usages is allowed by all that name any. 0 is any. */
static bool keys_allow(const struct chain *chain, const int *usages, uint32_t n)
{
	bool one = false;

	for (uint32_t i = 0; i < n; i++)
		if (!usages[i])
			return true;
	for (uint32_t i = 0; i < n && !one; i++) {
		one = true;
		for (uint32_t j = 0; j < chain->len; j++)
			if (names_usages(chain->items[j]) &&
				!has_usage(chain->items[j], usages[i]))
				one = false;
	}
	return one;
}

/* --- building --------------------------------------------------------------
 */

struct search {
	struct bi_ctx *cx;
	const struct chain_options *options;
	const struct certificate *root, **links;
	uint32_t nlinks;
	unsigned signatures; /* looked at */
	struct chain path;
};

/* Two certificates of one key and subject differ by their other names. */
static bool is_on_path(const struct search *s, const struct certificate *c)
{
	static const struct str id = OID(OID_SUBJECT_ALT_NAME);
	const struct extension *mine = extension_find(&c->extensions, id);

	for (uint32_t i = 0; i < s->path.len; i++) {
		const struct certificate *on = s->path.items[i];
		const struct extension *its;

		if (!str_eq(c->raw_subject, on->raw_subject) ||
			!str_eq(c->raw_spki, on->raw_spki))
			continue;
		its = extension_find(&on->extensions, id);
		if (!mine != !its)
			return false;
		if (!mine || str_eq(mine->value, its->value))
			return true;
	}
	return false;
}

static enum bi_status walk_up(struct search *s, const struct certificate *c);

/* Whether all rules hold for the whole path, which has reached the root. */
static enum bi_status judge(struct search *s)
{
	static const int server[] = {1};
	const struct chain_options *o = s->options;
	enum bi_status st = chain_policies_hold(s->cx, &s->path);

	if (st)
		return st;
	if (!keys_allow(
		    &s->path, o->len ? o->usages : server, o->len ? o->len : 1))
		return BI_UNDEF;
	return chain_names_allowed(s->cx, &s->path);
}

static enum bi_status try_parent(struct search *s, enum place place,
	const struct certificate *c, const struct certificate *parent)
{
	enum bi_status st;

	if (++s->signatures > SIGNATURES_MAX || !parent->key.kind ||
		is_on_path(s, parent) || !may_sign(parent))
		return BI_UNDEF;
	st = certificate_signed_by(s->cx, c, parent);
	if (st)
		return st;
	if (!fits_at(parent, place, s->path.len, s->options))
		return BI_UNDEF;
	s->path.items[s->path.len++] = parent;
	st = place == ROOT ? judge(s) : walk_up(s, parent);
	if (st == BI_UNDEF)
		s->path.len--;
	return st;
}

/* How well identifiers of keys go together: 0 is best. */
static int key_id_rank(
	const struct certificate *c, const struct certificate *parent)
{
	if (str_eq(c->authority_key_id, parent->subject_key_id))
		return 0;
	return c->authority_key_id.len && parent->subject_key_id.len ? 2 : 1;
}

static enum bi_status try_links(
	struct search *s, const struct certificate *c, int rank)
{
	enum bi_status st = BI_UNDEF;

	for (uint32_t i = 0; i < s->nlinks && st == BI_UNDEF; i++)
		if (str_eq(s->links[i]->raw_subject, c->raw_issuer) &&
			key_id_rank(c, s->links[i]) == rank)
			st = try_parent(s, LINK, c, s->links[i]);
	return st;
}

/* The rest of the path above `c`, its last; the root comes first. */
static enum bi_status walk_up(struct search *s, const struct certificate *c)
{
	enum bi_status st = BI_UNDEF;

	if (!bi_charge(s->cx, s->nlinks))
		return BI_HALT;
	if (str_eq(s->root->raw_subject, c->raw_issuer))
		st = try_parent(s, ROOT, c, s->root);
	for (int rank = 0; rank < 3 && st == BI_UNDEF; rank++)
		st = try_links(s, c, rank);
	return st;
}

/* --- all -------------------------------------------------------------------
 */

/* What is between the root and the leaf, each once. */
static void find_links(struct search *s, const struct certificates *all)
{
	s->links =
		ARENA_ARRAY(s->cx->arena, const struct certificate *, all->len);
	for (uint32_t i = 1; i + 1 < all->len; i++) {
		bool is_new = true;

		for (uint32_t j = 0; j < s->nlinks && is_new; j++)
			is_new = !str_eq(s->links[j]->raw, all->items[i].raw);
		if (is_new)
			s->links[s->nlinks++] = &all->items[i];
	}
}

enum bi_status chain_find(struct bi_ctx *cx, const struct certificates *all,
	const struct chain_options *options, struct chain *out)
{
	struct search s = {.cx = cx, .options = options, .root = all->items};
	const struct certificate *leaf;
	enum bi_status st;

	if (all->len < 2)
		return BI_UNDEF;
	leaf = &all->items[all->len - 1];
	if (!fits_at(leaf, LEAF, 0, options) ||
		(options->host.len &&
			!certificate_has_host(leaf, options->host)))
		return BI_UNDEF;
	find_links(&s, all);
	s.path.items = ARENA_ARRAY(
		cx->arena, const struct certificate *, all->len + 1);
	s.path.items[s.path.len++] = leaf;
	st = str_eq(s.root->raw, leaf->raw) ? judge(&s) : walk_up(&s, leaf);
	*out = s.path;
	return st;
}
