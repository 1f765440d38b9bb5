/*
 * crypto.x509.*: certificates, requests for them, and keys.
 */
#include "rego/builtin/certificate_request.h"
#include "rego/builtin/chain.h"
#include "rego/builtin/operand.h"
#include "rego/builtin/pem.h"
#include "rego/builtin/private_key.h"

#include <string.h>

/* --- what is given ---------------------------------------------------------
 */

static const struct str pem_mark = STR("-----BEGIN");

/* What does not begin with `mark` is base64, of that or of DER. */
static enum bi_status decode_unless(
	struct bi_ctx *cx, struct str mark, struct value *text)
{
	struct value coded = *text;

	return str_starts(v_bytes(coded), mark)
		       ? BI_OK
		       : operand_call(cx, "base64.decode", &coded, text);
}

/* The blocks of a text, one behind the other; all must be certificates. */
static enum bi_status pem_certificates(
	struct bi_ctx *cx, struct str text, struct str *der)
{
	struct buf all = {0};
	struct pem pem;
	enum bi_status st = BI_OK;

	while (!st && text.len && pem_read(cx, text, &pem)) {
		if (!str_is(pem.type, "CERTIFICATE"))
			st = bi_error(cx,
				"PEM block type is '%.*s', expected "
				"CERTIFICATE",
				pem.type.len < 200 ? (int)pem.type.len : 200,
				pem.type.ptr);
		buf_addstr(&all, pem.der);
		text = pem.rest;
	}
	*der = arena_str(cx->arena, buf_str(&all));
	buf_release(&all);
	return st;
}

/* PEM, or base64 of PEM or of DER. */
static enum bi_status certificates_read(
	struct bi_ctx *cx, struct value text, struct certificates *out)
{
	enum bi_status st;
	struct str der;

	if (!bi_charge(cx, v_bytes(text).len / 64))
		return BI_HALT;
	st = decode_unless(cx, pem_mark, &text);
	if (st)
		return st;
	der = v_bytes(text);
	if (str_starts(der, pem_mark))
		st = pem_certificates(cx, der, &der);
	return st ? st : certificates_parse(cx, der, out);
}

static struct value certificates_value(
	struct bi_ctx *cx, const struct certificates *list)
{
	struct value *items = ARENA_ARRAY(cx->arena, struct value, list->len);

	for (uint32_t i = 0; i < list->len; i++)
		items[i] = certificate_value(cx, &list->items[i], true);
	return v_arr(cx->arena, items, list->len);
}

static enum bi_status parse_certificates(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct certificates list = {0};
	enum bi_status st = certificates_read(cx, args[0], &list);

	if (!st)
		*out = certificates_value(cx, &list);
	return st;
}

/* --- chains ----------------------------------------------------------------
 */

static struct value chain_value(
	struct bi_ctx *cx, const struct chain *chain, bool uri_strings)
{
	struct value *items = ARENA_ARRAY(cx->arena, struct value, chain->len);

	for (uint32_t i = 0; i < chain->len; i++)
		items[i] = certificate_value(cx, chain->items[i], uri_strings);
	return v_arr(cx->arena, items, chain->len);
}

/* [true, chain], or [false, []] for `st` BI_UNDEF. */
static enum bi_status verdict(struct bi_ctx *cx, enum bi_status st,
	struct value chain, struct value *out)
{
	struct value *pair = ARENA_ARRAY(cx->arena, struct value, 2);

	if (st != BI_OK && st != BI_UNDEF)
		return st;
	pair[0] = v_bool(st == BI_OK);
	pair[1] = st == BI_OK ? chain : v_empty_arr;
	*out = v_arr(cx->arena, pair, 2);
	return BI_OK;
}

static enum bi_status verified(struct bi_ctx *cx,
	const struct certificates *list, const struct chain_options *options,
	bool uri_strings, struct value *out)
{
	struct value value = v_undef;
	struct chain chain;
	enum bi_status st = chain_find(cx, list, options, &chain);

	if (!st)
		value = chain_value(cx, &chain, uri_strings);
	return verdict(cx, st, value, out);
}

static enum bi_status parse_and_verify(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct chain_options options = {.now_ns = cx->now_ns};
	struct certificates list = {0};
	enum bi_status st = certificates_read(cx, args[0], &list);

	if (st == BI_ERROR)
		return verdict(cx, BI_UNDEF, v_undef, out);
	return st ? st : verified(cx, &list, &options, true, out);
}

/* --- options ---------------------------------------------------------------
 */

struct reading {
	struct bi_ctx *cx;
	struct chain_options *to;
};

static struct str unquoted(struct str s)
{
	while (str_starts(s, S("\"")))
		s = str_slice(s, 1, s.len);
	while (str_ends(s, S("\"")))
		s = str_slice(s, 0, s.len - 1);
	return s;
}

static enum bi_status dns_name(struct reading *r, struct value v)
{
	if (v.tag != V_STR)
		return bi_error(r->cx, "'DNSName' should be a string");
	r->to->host = unquoted(v_bytes(v));
	return BI_OK;
}

static enum bi_status current_time(struct reading *r, struct value v)
{
	if (!is_num(v))
		return bi_error(r->cx, "'CurrentTime' should be a number");
	if (!num_literal_int64(v, &r->to->now_ns))
		return bi_error(
			r->cx, "'CurrentTime' should be a valid int64 number");
	return BI_OK;
}

/* Go no longer looks at it; comparisons are charged for here anyway. */
static enum bi_status max_comparisons(struct reading *r, struct value v)
{
	int64_t n;

	if (!is_num(v))
		return bi_error(
			r->cx, "'MaxConstraintComparisons' should be a number");
	if (!num_literal_int64(v, &n))
		return bi_error(r->cx,
			"'MaxConstraintComparisons' should be a valid number");
	return BI_OK;
}

/* In the order of Go's ExtKeyUsage. */
static const char *const usage_names[] = {
	"KeyUsageAny",
	"KeyUsageServerAuth",
	"KeyUsageClientAuth",
	"KeyUsageCodeSigning",
	"KeyUsageEmailProtection",
	"KeyUsageIPSECEndSystem",
	"KeyUsageIPSECTunnel",
	"KeyUsageIPSECUser",
	"KeyUsageTimeStamping",
	"KeyUsageOCSPSigning",
	"KeyUsageMicrosoftServerGatedCrypto",
	"KeyUsageNetscapeServerGatedCrypto",
	"KeyUsageMicrosoftCommercialCodeSigning",
	"KeyUsageMicrosoftKernelCodeSigning",
};

static int usage_of(struct str name)
{
	for (size_t i = 0; i < COUNT(usage_names); i++)
		if (str_is(name, usage_names[i]))
			return (int)i;
	return -1;
}

static enum bi_status key_usages(struct reading *r, struct value v)
{
	const struct value *items;
	struct buf unknown = {0};
	enum bi_status st = BI_OK;
	uint32_t len;
	int *usages;

	if (!operand_members(v, &items, &len))
		return bi_error(r->cx, "'KeyUsages' should be an Array or Set");
	usages = ARENA_ARRAY(r->cx->arena, int, len);
	for (uint32_t i = 0; i < len; i++) {
		struct str name;
		int usage;

		if (items[i].tag != V_STR)
			continue;
		name = unquoted(v_bytes(items[i]));
		usage = usage_of(name);
		if (usage >= 0)
			usages[r->to->len++] = usage;
		else
			buf_addf(&unknown, "%s%.*s", unknown.len ? " " : "[",
				STR_ARG(name));
	}
	r->to->usages = usages;
	if (unknown.len)
		st = bi_error(r->cx,
			"invalid entries for 'KeyUsages' found: %s]",
			unknown.ptr);
	buf_release(&unknown);
	return st;
}

/* clang-format off */
static const struct {
	const char *name;
	enum bi_status (*read)(struct reading *r, struct value v);
} option_rows[] = {
	{"CurrentTime",              current_time},
	{"DNSName",                  dns_name},
	{"KeyUsages",                key_usages},
	{"MaxConstraintComparisons", max_comparisons},
};
/* clang-format on */

static enum bi_status read_option(
	struct reading *r, struct str key, struct value v)
{
	for (size_t i = 0; i < COUNT(option_rows); i++)
		if (str_is(key, option_rows[i].name))
			return option_rows[i].read(r, v);
	return bi_error(r->cx, "invalid key option");
}

static enum bi_status read_options(
	struct bi_ctx *cx, const struct object *o, struct chain_options *to)
{
	struct reading r = {cx, to};
	enum bi_status st = BI_OK;

	for (uint32_t i = 0; i < o->len && !st; i++)
		if (o->keys->items[i].tag == V_STR)
			st = read_option(
				&r, v_bytes(o->keys->items[i]), o->vals[i]);
	return st;
}

static enum bi_status parse_and_verify_with(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct chain_options options = {.now_ns = cx->now_ns};
	struct certificates list = {0};
	enum bi_status st = certificates_read(cx, args[0], &list);

	if (st == BI_ERROR)
		return verdict(cx, BI_UNDEF, v_undef, out);
	if (!st)
		st = read_options(cx, args[1].obj, &options);
	return st ? st : verified(cx, &list, &options, false, out);
}

/* --- requests --------------------------------------------------------------
 */

/* PEM, or base64 of PEM or of DER. */
static enum bi_status parse_request(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct value text = args[0];
	struct pem pem;
	enum bi_status st;

	if (!bi_charge(cx, v_bytes(text).len / 64))
		return BI_HALT;
	st = decode_unless(cx, S("-----BEGIN CERTIFICATE REQUEST-----"), &text);
	if (st)
		return st;
	if (!pem_read(cx, v_bytes(text), &pem))
		return certificate_request_value(cx, v_bytes(text), out);
	if (!str_is(pem.type, "CERTIFICATE REQUEST"))
		return bi_error(
			cx, "invalid PEM-encoded certificate signing request");
	return certificate_request_value(cx, pem.der, out);
}

/* --- private keys ----------------------------------------------------------
 */

enum { KEYS_MAX = 1000 };

struct private_keys {
	struct private_key *items;
	uint32_t len, cap;
};

static bool is_key_type(struct str type)
{
	return str_is(type, "RSA PRIVATE KEY") || str_is(type, "PRIVATE KEY") ||
	       str_is(type, "EC PRIVATE KEY");
}

/* All keys of a text of blocks, or of its base64; other blocks are left. */
static enum bi_status private_keys_read(
	struct bi_ctx *cx, struct value text, struct private_keys *out)
{
	struct value bytes;
	struct pem pem;
	struct str s;
	enum bi_status st = BI_OK;

	if (!operand_call(cx, "base64.decode", &text, &bytes))
		text = bytes;
	s = v_bytes(text);
	for (; !st && s.len && pem_read(cx, s, &pem); s = pem.rest) {
		if (!is_key_type(pem.type))
			continue;
		if (out->len == KEYS_MAX)
			return bi_limit(
				cx, "more than %d private keys", KEYS_MAX);
		out->items = arena_grow(cx->arena, out->items, out->len,
			&out->cap, sizeof(struct private_key));
		st = private_key_parse(
			cx, pem.type, pem.der, &out->items[out->len++]);
	}
	return st;
}

static enum bi_status parse_private_keys(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct private_keys keys = {0};
	struct value *items;
	enum bi_status st;

	*out = v_null;
	if (!v_bytes(args[0]).len)
		return BI_OK;
	st = private_keys_read(cx, args[0], &keys);
	if (st)
		return st;
	items = ARENA_ARRAY(cx->arena, struct value, keys.len);
	for (uint32_t i = 0; i < keys.len; i++)
		items[i] = private_key_value(cx, &keys.items[i]);
	*out = v_arr(cx->arena, items, keys.len);
	return BI_OK;
}

/* The first key as a JSON Web Key, of whatever kind it is. */
static enum bi_status parse_rsa_private_key(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct private_keys keys = {0};
	struct value text = args[0];
	enum bi_status st;

	if (!v_bytes(text).len)
		return bi_error(cx, "input PEM data was empty");
	st = decode_unless(cx, pem_mark, &text);
	if (st)
		return st;
	st = private_keys_read(cx, text, &keys);
	*out = v_null;
	return st || !keys.len ? st : private_key_jwk(cx, keys.items, out);
}

/* --- pairs of a certificate and its key ------------------------------------
 */

struct pair {
	struct strs chain; /* DER of the certificates */
	struct certificate leaf;
	struct private_key key;
};

/* What blocks were passed over, "[A B]". */
struct skipped {
	struct buf types;
	unsigned n;
	struct str last;
};

static void skip(struct skipped *s, struct str type)
{
	buf_addf(&s->types, "%s%.*s", s->n++ ? " " : "", STR_ARG(type));
	s->last = type;
}

static const char *no_certificate(struct bi_ctx *cx, const struct skipped *s)
{
	if (!s->n)
		return "tls: failed to find any PEM data in certificate input";
	if (s->n == 1 && str_ends(s->last, S("PRIVATE KEY")))
		return "tls: failed to find certificate PEM data in "
		       "certificate input, but did find a private key; PEM "
		       "inputs may have been switched";
	return arena_printf(cx->arena,
		"tls: failed to find \"CERTIFICATE\" PEM block in "
		"certificate input after skipping PEM blocks of the following "
		"types: [%.200s]",
		s->types.ptr);
}

static const char *no_key(struct bi_ctx *cx, const struct skipped *s)
{
	if (!s->n)
		return "tls: failed to find any PEM data in key input";
	if (s->n == 1 && str_is(s->last, "CERTIFICATE"))
		return "tls: found a certificate rather than a key in the PEM "
		       "for the private key";
	return arena_printf(cx->arena,
		"tls: failed to find PEM block with type ending in \"PRIVATE "
		"KEY\" in key input after skipping PEM blocks of the "
		"following types: [%.200s]",
		s->types.ptr);
}

/* PEM, or base64 of PEM or of DER: what is no PEM is one block. */
static enum bi_status pair_text(
	struct bi_ctx *cx, struct value text, struct str *pem, struct str *der)
{
	static const struct str mark = STR("-----BEGIN ");
	enum bi_status st = decode_unless(cx, mark, &text);

	*pem = *der = S("");
	if (!st)
		*(str_starts(v_bytes(text), mark) ? pem : der) = v_bytes(text);
	return st;
}

static enum bi_status pair_certificates(
	struct bi_ctx *cx, struct value text, struct pair *out)
{
	struct skipped skipped = {0};
	struct pem block;
	struct str pem, der;
	const char *why = NULL;
	enum bi_status st = pair_text(cx, text, &pem, &der);

	if (st)
		return st;
	if (!pem.len)
		strs_add(cx->arena, &out->chain, der);
	for (; pem.len && !why && pem_read(cx, pem, &block); pem = block.rest) {
		if (!str_is(block.type, "CERTIFICATE"))
			skip(&skipped, block.type);
		else if (!strs_add(cx->arena, &out->chain, block.der))
			why = certificate_too_many;
	}
	if (!why && !out->chain.len)
		why = no_certificate(cx, &skipped);
	buf_release(&skipped.types);
	return why ? certificate_error(cx, why) : BI_OK;
}

static bool is_any_key(struct str type)
{
	return str_is(type, "PRIVATE KEY") || str_ends(type, S(" PRIVATE KEY"));
}

static enum bi_status pair_key(
	struct bi_ctx *cx, struct value text, struct str *der)
{
	struct skipped skipped = {0};
	struct pem block;
	struct str pem;
	const char *why = NULL;
	enum bi_status st = pair_text(cx, text, &pem, der);
	bool found = !pem.len;

	for (; !st && pem.len && !found && pem_read(cx, pem, &block);
		pem = block.rest) {
		found = is_any_key(block.type);
		if (found)
			*der = block.der;
		else
			skip(&skipped, block.type);
	}
	if (!st && !found)
		why = no_key(cx, &skipped);
	buf_release(&skipped.types);
	return why ? bi_error(cx, "%s", why) : st;
}

static bool is_same_key(const struct public_key *a, const struct public_key *b)
{
	return a->kind == KEY_RSA
		       ? str_eq(a->n, b->n) && str_eq(a->e, b->e)
		       : a->curve == b->curve && str_eq(a->point, b->point);
}

static enum bi_status pair_match(struct bi_ctx *cx, const struct pair *p)
{
	const struct public_key *pub = &p->leaf.key;

	if (pub->kind == KEY_UNKNOWN || pub->kind == KEY_DSA)
		return bi_error(cx, "tls: unknown public key algorithm");
	if (pub->kind != p->key.pub.kind)
		return bi_error(cx, "tls: private key type does not match "
				    "public key type");
	if (!is_same_key(pub, &p->key.pub))
		return bi_error(
			cx, "tls: private key does not match public key");
	return BI_OK;
}

static enum bi_status pair_read(
	struct bi_ctx *cx, const struct value *args, struct pair *out)
{
	struct str key;
	enum bi_status st;

	if ((st = pair_certificates(cx, args[0], out)) ||
		(st = pair_key(cx, args[1], &key)) ||
		(st = certificate_parse_single(
			 cx, out->chain.items[0], &out->leaf)))
		return st;
	st = private_key_guess(cx, key, &out->key);
	if (st == BI_ERROR)
		return bi_error(cx, "tls: failed to parse private key");
	if (!st && out->key.pub.kind == KEY_X25519)
		return bi_error(cx, "tls: found unknown private key type in "
				    "PKCS#8 wrapping");
	return st ? st : pair_match(cx, out);
}

static enum bi_status parse_keypair(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	static const char *const none[] = {"OCSPStaple",
		"SignedCertificateTimestamps", "SupportedSignatureAlgorithms"};
	struct arena *a = cx->arena;
	struct builder b = builder_obj(a);
	struct pair p = {0};
	struct value *chain;
	enum bi_status st = pair_read(cx, args, &p);

	if (st)
		return st;
	chain = ARENA_ARRAY(a, struct value, p.chain.len);
	for (uint32_t i = 0; i < p.chain.len; i++)
		chain[i] = base64_value(cx, p.chain.items[i]);
	builder_set_key(
		&b, v_cstr(a, "Certificate"), v_arr(a, chain, p.chain.len));
	builder_set_key(
		&b, v_cstr(a, "Leaf"), certificate_value(cx, &p.leaf, false));
	builder_set_key(
		&b, v_cstr(a, "PrivateKey"), private_key_value(cx, &p.key));
	for (size_t i = 0; i < COUNT(none); i++)
		builder_set_key(&b, v_cstr(a, none[i]), v_null);
	*out = builder_done(&b);
	return BI_OK;
}

/* clang-format off */
static const struct builtin rows[] = {
	{"crypto.parse_private_keys", NULL, 1, {BT_STR}, parse_private_keys, 0},
	{"crypto.x509.parse_and_verify_certificates", NULL, 1, {BT_STR}, parse_and_verify, BF_NONDET},
	{"crypto.x509.parse_and_verify_certificates_with_options", NULL, 2, {BT_STR, BT_OBJ}, parse_and_verify_with, BF_NONDET},
	{"crypto.x509.parse_certificate_request", NULL, 1, {BT_STR}, parse_request, 0},
	{"crypto.x509.parse_certificates", NULL, 1, {BT_STR}, parse_certificates, 0},
	{"crypto.x509.parse_keypair", NULL, 2, {BT_STR, BT_STR}, parse_keypair, 0},
	{"crypto.x509.parse_rsa_private_key", NULL, 1, {BT_STR}, parse_rsa_private_key, 0},
};
/* clang-format on */

const struct builtin_table builtin_x509 = {rows, COUNT(rows)};
