/* Making the signature of a bundle. */
#include "base/json.h"
#include "base/map.h"
#include "signer/internal.h"

#include <string.h>

enum status sign_jws(const struct sign_key *k, const char *keyid,
	struct str payload, struct buf *out, struct err *e)
{
	struct buf header = {0}, token = {0}, sig = {0};
	enum status st;

	buf_addf(&header, "{\"alg\":\"%s\"", sign_alg_name(k->alg));
	if (keyid) {
		buf_adds(&header, ",\"kid\":");
		json_quote(&header, str_from(keyid));
	}
	buf_addc(&header, '}');
	b64url_write(&token, buf_str(&header));
	buf_addc(&token, '.');
	b64url_write(&token, payload);
	st = raw_sign(k, buf_str(&token), &sig, e);
	if (!st) {
		buf_addc(&token, '.');
		b64url_write(&token, buf_str(&sig));
		buf_addstr(out, buf_str(&token));
	}
	buf_release(&header);
	buf_release(&token);
	buf_release(&sig);
	return st;
}

static bool is_sha256(struct str hash)
{
	if (hash.len != 2 * digest_size(DIGEST_SHA256))
		return false;
	for (size_t i = 0; i < hash.len; i++)
		if (!memchr("0123456789abcdef", hash.ptr[i], 16))
			return false;
	return true;
}

/* What no agent could check, or none should have to. */
static enum status check_file(
	struct map *seen, const struct signed_file *f, struct err *e)
{
	void **place;

	if (!f->name.len || f->name.ptr[0] == '/')
		return err_set(e, E_INVALID,
			"\"%.*s\" is no name of a file in a bundle",
			STR_ARG(f->name));
	if (!utf8_valid(f->name.ptr, f->name.len))
		return err_set(e, E_INVALID, "the name %.*s is not UTF-8",
			STR_ARG(f->name));
	if (!str_is(f->algorithm, "SHA-256") || !is_sha256(f->hash))
		return err_set(e, E_INVALID, "%.*s has no SHA-256 digest",
			STR_ARG(f->name));
	place = map_at(seen, f->name);
	if (*place)
		return err_set(
			e, E_EXISTS, "%.*s is there twice", STR_ARG(f->name));
	*place = seen;
	return OK;
}

static void add_member(struct buf *out, const char *name, struct str value)
{
	buf_addf(out, "\"%s\":", name);
	json_quote(out, value);
}

static void add_file(struct buf *out, const struct signed_file *f)
{
	buf_addc(out, '{');
	add_member(out, "name", f->name);
	buf_addc(out, ',');
	add_member(out, "hash", f->hash);
	buf_addc(out, ',');
	add_member(out, "algorithm", f->algorithm);
	buf_addc(out, '}');
}

static enum status write_payload(struct buf *out, const char *scope,
	const struct signed_file *files, size_t n, struct err *e)
{
	struct map seen = {0};
	enum status st = OK;

	buf_adds(out, "{\"files\":[");
	for (size_t i = 0; i < n && !st; i++) {
		st = check_file(&seen, &files[i], e);
		if (i)
			buf_addc(out, ',');
		if (!st)
			add_file(out, &files[i]);
	}
	buf_addc(out, ']');
	if (scope && *scope) {
		buf_addc(out, ',');
		add_member(out, "scope", str_from(scope));
	}
	buf_addc(out, '}');
	map_release(&seen);
	return st;
}

enum status sign_files(const struct sign_key *k, const char *keyid,
	const char *scope, const struct signed_file *files, size_t n,
	struct buf *out, struct err *e)
{
	struct buf payload = {0}, token = {0};
	enum status st = write_payload(&payload, scope, files, n, e);

	if (!st)
		st = sign_jws(k, keyid, buf_str(&payload), &token, e);
	if (!st) /* the layout `opa sign` writes */
		buf_addf(out, "{\n \"signatures\": [\n  \"%s\"\n ]\n}",
			token.ptr);
	buf_release(&payload);
	buf_release(&token);
	return st;
}
