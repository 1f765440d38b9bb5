/*
 * Signing a bundle, and what an agent says to a signature.
 *
 * Source: OPA contract, sections 1.9, 2.6 and 2.7.
 */
#include "base/json.h"
#include "bundler/internal.h"
#include "rego/load.h"

#include <stdlib.h>

#define SIGNATURES ".signatures.json"

/* --- signing -------------------------------------------------------------- */

static enum status list_file(struct bundle *b, const struct bundle_file *f,
	struct signed_file *out, struct err *e)
{
	struct buf hex = {0};
	enum status st = name_check_strict(f->path, e);

	if (!st)
		st = sign_digest(
			f->path, f->content, S("SHA-256"), true, &hex, e);
	if (!st)
		*out = (struct signed_file){f->path,
			arena_str(&b->arena, buf_str(&hex)), S("SHA-256")};
	buf_release(&hex);
	return st;
}

enum status bundle_sign(struct bundle *b, const struct sign_key *k,
	const char *keyid, const char *scope, struct err *e)
{
	struct signed_file *list =
		ARENA_ARRAY(&b->arena, struct signed_file, b->nfiles + 1u);
	struct buf text = {0};
	enum status st = OK;
	size_t n = 0;

	for (uint32_t i = 0; i < b->nfiles && !st; i++)
		if (!str_is(b->files[i].path, SIGNATURES))
			st = list_file(b, &b->files[i], &list[n++], e);
	if (!st)
		st = sign_files(k, keyid, scope, list, n, &text, e);
	if (st) {
		err_wrap(e, "signing");
		buf_release(&text);
		return st;
	}
	bundle_set(b, S(SIGNATURES), &text);
	bundle_order(b);
	return OK;
}

/* --- verifying ------------------------------------------------------------ */

static enum status find_signatures(
	const struct bundle *b, const struct bundle_file **out, struct err *e)
{
	*out = NULL;
	for (uint32_t i = 0; i < b->nfiles; i++) {
		const struct bundle_file *f = &b->files[i];

		if (name_role(f->path) != ROLE_SIGNATURES)
			continue;
		if (*out)
			return err_set(e, E_INVALID,
				"bundle contains multiple signatures files: "
				"\"/%.*s\" and \"/%.*s\"",
				STR_ARG((*out)->path), STR_ARG(f->path));
		*out = f;
	}
	return OK;
}

/* As Go's filepath.Match(): "*" does not cross a slash. */
static bool glob(struct arena *a, struct str pattern, struct str path)
{
	size_t p = 0, s = 0;

	for (;;) {
		size_t pe = str_find(pattern, S("/"), p);
		size_t se = str_find(path, S("/"), s);

		if ((pe == SIZE_MAX) != (se == SIZE_MAX) ||
			!load_match(arena_strdup(a, str_slice(pattern, p, pe)),
				arena_strdup(a, str_slice(path, s, se))))
			return false;
		if (pe == SIZE_MAX)
			return true;
		p = pe + 1;
		s = se + 1;
	}
}

static bool excluded(const struct bundle_verify_options *o, struct str path)
{
	struct arena a = {0};
	bool hit = false;

	for (size_t i = 0; i < o->nexclude && !hit; i++)
		hit = glob(&a, str_from(o->exclude[i]), path);
	arena_release(&a);
	return hit;
}

static enum status check_digest(const struct bundle_file *f,
	const struct signed_file *want, bool strict, struct err *e)
{
	struct buf got = {0};
	enum status st;

	if (strict && (str_is(want->algorithm, "MD5") ||
			      str_is(want->algorithm, "SHA-1")))
		return err_set(e, E_DENIED, "%.*s: the digest is a broken %.*s",
			STR_ARG(f->path), STR_ARG(want->algorithm));
	st = sign_digest(f->path, f->content, want->algorithm, strict, &got, e);
	if (!st && !str_eq_fold(buf_str(&got), want->hash))
		st = err_set(e, E_DENIED,
			"%.*s: digest mismatch (want: %.*s, got: %s)",
			STR_ARG(f->path), STR_ARG(want->hash), got.ptr);
	buf_release(&got);
	return st;
}

/* The name without one more slash, if there is one. */
static struct str listed_name(struct str path)
{
	return str_starts(path, S("/")) ? str_slice(path, 1, path.len) : path;
}

static int by_bytes(const void *a, const void *b)
{
	const struct str *x = a, *y = b;

	return str_cmp(*x, *y);
}

/* Names that are left: signed, and not in the bundle. */
static enum status check_left(
	const struct verified *v, const struct map *left, struct err *e)
{
	struct arena a = {0};
	struct str *names = ARENA_ARRAY(&a, struct str, v->nfiles + 1);
	struct buf text = {0};
	size_t n = 0;

	for (size_t i = 0; i < v->nfiles; i++)
		if (map_get(left, v->files[i].name))
			names[n++] = v->files[i].name;
	qsort(names, n, sizeof(*names), by_bytes);
	for (size_t i = 0; i < n; i++)
		buf_addf(&text, "%s%.*s", i ? " " : "", STR_ARG(names[i]));
	if (n)
		err_set(e, E_DENIED,
			"file(s) [%s] specified in bundle signatures but not "
			"found in the target bundle",
			text.ptr);
	buf_release(&text);
	arena_release(&a);
	return n ? E_DENIED : OK;
}

static enum status check_file(const struct bundle_file *f, struct map *left,
	const struct bundle_verify_options *o, struct err *e)
{
	struct str name = listed_name(f->path);
	const struct signed_file *want = map_get(left, name);

	if (map_get(left, name))
		map_set(left, name, NULL); /* used up */
	if (excluded(o, name))
		return OK;
	if (!want)
		return err_set(e, E_DENIED,
			"file %.*s not included in bundle signature",
			STR_ARG(name));
	return check_digest(f, want, o->keys->strict, e);
}

static enum status check_files(const struct bundle *b,
	const struct bundle_file *signatures, struct verified *v,
	const struct bundle_verify_options *o, struct err *e)
{
	struct map left = {0};
	enum status st = OK;

	for (size_t i = 0; i < v->nfiles; i++)
		map_set(&left, v->files[i].name, &v->files[i]);
	for (uint32_t i = 0; i < b->nfiles && !st; i++)
		if (&b->files[i] != signatures)
			st = check_file(&b->files[i], &left, o, e);
	if (!st)
		st = check_left(v, &left, e);
	map_release(&left);
	return st;
}

/* An agent takes a delta without looking at signatures, or not at all. */
static enum status verify_delta(
	const struct bundle_verify_options *o, struct err *e)
{
	bool strict = o->keys && o->keys->strict;

	if (!strict && (!o->keys || o->optional || o->unsigned_deltas))
		return OK;
	return err_set(e, E_DENIED,
		"delta bundles do not support signature verification");
}

static bool is_empty(struct str signatures)
{
	struct str doc, member;
	size_t pos = 0;

	return json_scan(signatures, &pos, NULL, &doc, NULL) == OK &&
	       json_kind(doc) == JSON_OBJECT &&
	       !json_member(doc, S("signatures"), &member) &&
	       !json_member(doc, S("plugin"), &member);
}

static enum status strict_names(const struct bundle *b, struct err *e)
{
	enum status st = OK;

	for (uint32_t i = 0; i < b->nfiles && !st; i++)
		st = name_check_strict(b->files[i].path, e);
	return st;
}

enum status bundle_verify(const struct bundle *b,
	const struct bundle_verify_options *o, struct err *e)
{
	const struct bundle_file *f;
	struct verified v = {0};
	struct str patches;
	enum status st = find_signatures(b, &f, e);

	if (!st)
		st = delta_find(b, &patches, e);
	if (st)
		return st;
	if (patches.len)
		return verify_delta(o, e);
	if (!f || is_empty(f->content)) {
		if (!o->keys || o->optional)
			return OK;
		return err_set(
			e, E_NOT_FOUND, "bundle missing %s file", SIGNATURES);
	}
	if (!o->keys)
		return err_set(e, E_NOT_FOUND, "verification key not provided");
	st = verify_signatures(f->content, o->keys, &v, e);
	if (!st)
		st = check_files(b, f, &v, o, e);
	verified_release(&v);
	if (!st && o->keys->strict)
		st = strict_names(b, e);
	return st;
}
