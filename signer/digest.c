/*
 * The digest of a bundle's file.
 *
 * A structured file is hashed as compact JSON with sorted keys, numbers as
 * they were written, so that layout does not matter. value_json() writes just
 * that: its strings are escaped as Go's encoder does without HTML escaping.
 * json_canonical() gives the same and refuses what `strict` refuses.
 *
 * Source: OPA contract, sections 2.4 and 2.5; HashFile() of OPA.
 */
#include "base/digest.h"
#include "base/json.h"
#include "base/libcrypto.h"
#include "rego/value.h"
#include "signer/signer.h"

#include <string.h>

/* clang-format off */
/* As the payload calls them; md: what only OpenSSL has, by its name. */
static const struct {
	const char *name, *md;
	enum digest_kind kind;
} hashes[] = {
	{"SHA-256",     NULL,         DIGEST_SHA256},
	{"SHA-384",     NULL,         DIGEST_SHA384},
	{"SHA-512",     NULL,         DIGEST_SHA512},
	{"SHA-1",       NULL,         DIGEST_SHA1},
	{"MD5",         NULL,         DIGEST_MD5},
	{"SHA-224",     "SHA224",     DIGEST_SHA256},
	{"SHA-512-224", "SHA512-224", DIGEST_SHA512},
	{"SHA-512-256", "SHA512-256", DIGEST_SHA512},
};
/* clang-format on */

static enum status hash_openssl(const char *name, struct str text,
	unsigned char sum[DIGEST_MAX], size_t *len, struct err *e)
{
	enum status st = crypto_open(e);
	unsigned n = 0;
	EVP_MD *md;
	int ok;

	if (st)
		return st;
	md = ssl.EVP_MD_fetch(NULL, name, NULL);
	ok = md && ssl.EVP_Digest(text.ptr, text.len, sum, &n, md, NULL);
	ssl.EVP_MD_free(md);
	if (!ok)
		return crypto_fail(e, E_UNSUPPORTED, "hashing with %s", name);
	*len = n;
	return OK;
}

static enum status hash(
	size_t row, struct str text, struct buf *hex, struct err *e)
{
	unsigned char sum[DIGEST_MAX];
	size_t len = digest_size(hashes[row].kind);
	enum status st = OK;

	if (hashes[row].md)
		st = hash_openssl(hashes[row].md, text, sum, &len, e);
	else
		digest(hashes[row].kind, text, sum);
	if (!st)
		digest_hex(hex, sum, len);
	return st;
}

static enum status find_hash(
	struct str name, struct str algorithm, size_t *row, struct err *e)
{
	if (!algorithm.len)
		return err_set(e, E_INVALID,
			"no hashing algorithm provided for file %.*s",
			STR_ARG(name));
	for (size_t i = 0; i < COUNT(hashes); i++)
		if (str_is(algorithm, hashes[i].name)) {
			*row = i;
			return OK;
		}
	return err_set(e, E_INVALID, "unsupported hashing algorithm: %.*s",
		STR_ARG(algorithm));
}

/* --- structured files ----------------------------------------------------- */

static bool is_structured(struct str name)
{
	static const char *const names[] = {
		"data.json", "data.yaml", "data.yml", ".manifest"};
	size_t base = name.len;

	while (base && name.ptr[base - 1] != '/')
		base--;
	for (size_t i = 0; i < COUNT(names); i++)
		if (str_is(str_slice(name, base, name.len), names[i]))
			return true;
	return false;
}

static enum status strict_canonical(
	struct str text, struct buf *out, struct err *e)
{
	static const struct json_limits limits = {
		.keys = UINT32_MAX, .string = SIZE_MAX};
	struct str doc;
	enum status st = json_check(text, &limits, &doc, e);

	return st ? st : json_canonical(out, doc, NULL, e);
}

static enum status canonical(struct str text, struct buf *out, struct err *e)
{
	struct arena a = {0};
	struct json_error je = {0};
	struct value v = v_undef;
	enum status st = OK;

	if (!json_parse(&a, NULL, text, LIMIT_DATA_DEPTH, &v, NULL) &&
		!yaml_parse(&a, NULL, text, &v, &je))
		st = err_set(e, E_INVALID, "%s", je.text);
	else
		value_json(out, v, 0, 0);
	arena_release(&a);
	return st;
}

static enum status hash_structured(size_t row, struct str text, bool strict,
	struct buf *hex, struct err *e)
{
	struct buf form = {0};
	enum status st;

	if (!text.len)
		text = S("");
	if (text.len > 2 && str_starts(text, S("\xef\xbb\xbf")))
		text = str_slice(text, 3, text.len);
	if (strict)
		st = strict_canonical(text, &form, e);
	else
		st = canonical(text, &form, e);
	if (!st)
		st = hash(row, buf_str(&form), hex, e);
	buf_release(&form);
	return st;
}

enum status sign_digest(struct str name, struct str content,
	struct str algorithm, bool strict, struct buf *hex, struct err *e)
{
	size_t row = 0;
	enum status st = find_hash(name, algorithm, &row, e);

	if (st)
		return st;
	if (!is_structured(name))
		return hash(row, content, hex, e);
	st = hash_structured(row, content, strict, hex, e);
	if (st)
		err_wrap(e, "%.*s", STR_ARG(name));
	return st;
}
