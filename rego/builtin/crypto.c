#include "rego/builtin.h"

#include "base/digest.h"

static enum bi_status hex_result(struct bi_ctx *cx, const unsigned char *sum,
	size_t len, struct value *out)
{
	struct buf b = {0};
	enum bi_status st;

	digest_hex(&b, sum, len);
	st = bi_string(cx, buf_str(&b), out);
	buf_release(&b);
	return st;
}

static enum bi_status hash(struct bi_ctx *cx, enum digest_kind kind,
	const struct value *args, struct value *out)
{
	unsigned char sum[DIGEST_MAX];
	struct str text = v_bytes(args[0]);

	if (!bi_charge(cx, text.len / 64))
		return BI_HALT;
	digest(kind, text, sum);
	return hex_result(cx, sum, digest_size(kind), out);
}

static enum bi_status bi_md5(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return hash(cx, DIGEST_MD5, args, out);
}

static enum bi_status bi_sha1(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return hash(cx, DIGEST_SHA1, args, out);
}

static enum bi_status bi_sha256(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return hash(cx, DIGEST_SHA256, args, out);
}

/* The message comes first, then the key. */
static enum bi_status mac(struct bi_ctx *cx, enum digest_kind kind,
	const struct value *args, struct value *out)
{
	unsigned char sum[DIGEST_MAX];
	struct str text = v_bytes(args[0]);

	if (!bi_charge(cx, text.len / 64))
		return BI_HALT;
	hmac(kind, v_bytes(args[1]), text, sum);
	return hex_result(cx, sum, digest_size(kind), out);
}

static enum bi_status bi_hmac_md5(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return mac(cx, DIGEST_MD5, args, out);
}

static enum bi_status bi_hmac_sha1(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return mac(cx, DIGEST_SHA1, args, out);
}

static enum bi_status bi_hmac_sha256(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return mac(cx, DIGEST_SHA256, args, out);
}

static enum bi_status bi_hmac_sha512(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return mac(cx, DIGEST_SHA512, args, out);
}

static enum bi_status bi_hmac_equal(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str a = v_bytes(args[0]), b = v_bytes(args[1]);

	(void)cx;
	*out = v_bool(a.len == b.len && digest_equal(a.ptr, b.ptr, a.len));
	return BI_OK;
}

/* clang-format off */
static const struct builtin rows[] = {
	{"crypto.hmac.equal",  NULL, 2, {BT_STR, BT_STR}, bi_hmac_equal,  0},
	{"crypto.hmac.md5",    NULL, 2, {BT_STR, BT_STR}, bi_hmac_md5,    0},
	{"crypto.hmac.sha1",   NULL, 2, {BT_STR, BT_STR}, bi_hmac_sha1,   0},
	{"crypto.hmac.sha256", NULL, 2, {BT_STR, BT_STR}, bi_hmac_sha256, 0},
	{"crypto.hmac.sha512", NULL, 2, {BT_STR, BT_STR}, bi_hmac_sha512, 0},
	{"crypto.md5",         NULL, 1, {BT_STR},         bi_md5,         0},
	{"crypto.sha1",        NULL, 1, {BT_STR},         bi_sha1,        0},
	{"crypto.sha256",      NULL, 1, {BT_STR},         bi_sha256,      0},
};
/* clang-format on */

const struct builtin_table builtin_crypto = {rows, COUNT(rows)};
