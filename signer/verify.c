/*
 * Checking the signature of a bundle as an agent does.
 *
 * The JSON is read as Go's encoding/json reads it into structs: names of
 * members match in any case, null leaves a member empty, and a member of
 * another type is reported once all of the text was read.
 *
 * Source: OPA contract, section 2.7; verify.go and Reader of OPA's bundle
 * package for the texts.
 */
#include "base/arena.h"
#include "base/json.h"
#include "base/map.h"
#include "rego/value.h"
#include "signer/internal.h"

#include <stdlib.h>
#include <string.h>

struct reader {
	struct arena *arena;
	bool strict;
	char bad[512]; /* the first member of a wrong type */
};

/* --- JSON into structs, as Go does it ------------------------------------- */

/* Go's way to name a character. */
static enum status after_value(unsigned char c, struct err *e)
{
	char utf8[4];

	if (c == '\'' || c == '\\')
		return err_set(e, E_INVALID,
			"invalid character '\\%c' after top-level value", c);
	if (c < 0x20 || c == 0x7f)
		return err_set(e, E_INVALID,
			"invalid character '\\x%02x' after top-level value", c);
	return err_set(e, E_INVALID,
		"invalid character '%.*s' after top-level value",
		(int)utf8_encode(c, utf8), utf8);
}

/* Go's words for a syntax error; ours where Go has no objection. */
static enum status syntax(struct str text, bool whole, struct err *e)
{
	struct arena a = {0};
	struct json_error je = {0};
	struct value v;
	const char *why = je.text;

	if (!json_parse(&a, NULL, text.ptr ? text : S(""), LIMIT_DATA_DEPTH, &v,
		    &je)) {
		if (whole &&
			(!strcmp(why, "EOF") || !strcmp(why, "unexpected EOF")))
			why = "unexpected end of JSON input";
		err_set(e, E_INVALID, "%s", why);
	}
	arena_release(&a);
	return E_INVALID;
}

/* One value and nothing else. */
static enum status check_whole(struct str text, struct str *doc, struct err *e)
{
	static const struct json_limits limits = {.string = SIZE_MAX};
	size_t pos = 0;
	enum status st = json_scan(text, &pos, &limits, doc, e);

	if (st)
		return st == E_INVALID ? syntax(text, true, e) : st;
	while (pos < text.len && memchr(" \t\r\n", text.ptr[pos], 4))
		pos++;
	if (pos < text.len)
		return after_value((unsigned char)text.ptr[pos], e);
	return OK;
}

/* The first value of a text, as Go's Decoder reads it. */
static enum status check_first(struct str text, struct str *doc, struct err *e)
{
	static const struct json_limits limits = {.string = SIZE_MAX};
	size_t pos = 0;
	enum status st = json_scan(text, &pos, &limits, doc, e);

	return st == E_INVALID ? syntax(text, false, e) : st;
}

/* What a string means; it may hold NULs. */
static struct str text_of(struct reader *r, struct str span)
{
	struct buf b = {0};
	struct str s;

	buf_reserve(&b, span.len);
	json_text(&b, span);
	s = arena_str(r->arena, buf_str(&b));
	buf_release(&b);
	return s;
}

/* Go folds two letters that are not ASCII onto ASCII: U+017F and U+212A. */
static bool same_name(struct str key, const char *name)
{
	size_t at = 0;

	for (; *name; name++) {
		uint32_t cp;

		if (at == key.len)
			return false;
		at += utf8_decode(key.ptr + at, key.len - at, &cp);
		if (cp >= 'A' && cp <= 'Z')
			cp += 'a' - 'A';
		else if (cp == 0x17f)
			cp = 's';
		else if (cp == 0x212a)
			cp = 'k';
		if (cp != (unsigned char)*name)
			return false;
	}
	return at == key.len;
}

static void mismatch(struct reader *r, struct str span, const char *where,
	const char *type, bool number_too)
{
	enum json_kind kind = json_kind(span);

	if (r->bad[0])
		return;
	if (kind != JSON_NUMBER || !number_too)
		span.len = 0;
	snprintf(r->bad, sizeof(r->bad),
		"json: cannot unmarshal %s%s%.*s into Go %s of type %s",
		json_kind_name(kind), span.len ? " " : "", STR_ARG(span), where,
		type);
}

/* `null` leaves what is there. */
static void read_string(
	struct reader *r, struct str span, const char *where, struct str *out)
{
	if (json_kind(span) == JSON_STRING)
		*out = text_of(r, span);
	else if (json_kind(span) != JSON_NULL)
		mismatch(r, span, where, "string", false);
}

static void read_int64(struct reader *r, struct str span, const char *where)
{
	int64_t n;

	if (json_kind(span) == JSON_NULL)
		return;
	if (json_kind(span) != JSON_NUMBER || !json_int(span, &n))
		mismatch(r, span, where, "int64", true);
}

/*
 * The spans of the members of a struct with `n` fields; of repeated ones the
 * last counts. Only `strict` minds them.
 */
static enum status members(struct reader *r, struct str object,
	const char *const *names, size_t n, struct str *got, struct err *e)
{
	struct json_iter it = json_iter(object);

	while (it.object && json_next(&it)) {
		struct str key = text_of(r, it.key);

		for (size_t i = 0; i < n; i++) {
			if (!same_name(key, names[i]))
				continue;
			if (r->strict && got[i].ptr)
				return err_set(e, E_INVALID,
					"the member \"%s\" stands twice",
					names[i]);
			got[i] = it.value;
		}
	}
	return OK;
}

static enum status wrong_type(const struct reader *r, struct err *e)
{
	return r->bad[0] ? err_set(e, E_INVALID, "%s", r->bad) : OK;
}

/* --- .signatures.json ----------------------------------------------------- */

struct signatures {
	bool empty; /* as good as no file */
	size_t ntokens;
	struct str token, plugin;
};

static void read_tokens(
	struct reader *r, struct str span, struct signatures *out)
{
	static const char field[] = "struct field SignaturesConfig.signatures";
	struct json_iter it = json_iter(span);

	if (json_kind(span) != JSON_ARRAY) {
		if (json_kind(span) != JSON_NULL)
			mismatch(r, span, field, "[]string", false);
		return;
	}
	out->empty = false;
	while (json_next(&it)) {
		out->ntokens++;
		read_string(r, it.value, field, &out->token);
	}
}

static enum status read_signatures(struct reader *r, struct str text,
	struct signatures *out, struct err *e)
{
	static const char *const names[] = {"signatures", "plugin"};
	struct str doc, got[COUNT(names)] = {{0}};
	enum status st = r->strict ? check_whole(text, &doc, e)
				   : check_first(text, &doc, e);

	if (!st)
		st = members(r, doc, names, COUNT(names), got, e);
	if (st)
		return st;
	out->empty = true;
	out->token = out->plugin = S("");
	if (json_kind(doc) != JSON_OBJECT && json_kind(doc) != JSON_NULL)
		mismatch(r, doc, "value", "bundle.SignaturesConfig", false);
	if (got[0].ptr)
		read_tokens(r, got[0], out);
	if (got[1].ptr)
		read_string(r, got[1], "struct field SignaturesConfig.plugin",
			&out->plugin);
	if (out->plugin.len)
		out->empty = false;
	return wrong_type(r, e);
}

static enum status one_token(const struct signatures *s, struct err *e)
{
	if (s->plugin.len && !str_is(s->plugin, "_default"))
		return err_set(e, E_UNSUPPORTED,
			"no verifier exists under id %.*s", STR_ARG(s->plugin));
	if (!s->ntokens)
		return err_set(e, E_INVALID,
			".signatures.json: missing JWT (expected exactly one)");
	if (s->ntokens > 1)
		return err_set(e, E_INVALID,
			".signatures.json: multiple JWTs not supported "
			"(expected exactly one)");
	return OK;
}

/* --- the token ------------------------------------------------------------ */

struct token {
	struct str header, payload, signature; /* base64url */
	struct str signed_text;                /* header.payload */
};

static enum status split(struct str text, struct token *t, struct err *e)
{
	size_t one = str_find(text, S("."), 0), two = SIZE_MAX;

	if (one != SIZE_MAX)
		two = str_find(text, S("."), one + 1);
	if (two == SIZE_MAX || str_find(text, S("."), two + 1) != SIZE_MAX)
		return err_set(e, E_INVALID,
			"failed to split compact JWT: "
			"jwsbb: invalid number of segments");
	t->header = str_slice(text, 0, one);
	t->payload = str_slice(text, one + 1, two);
	t->signature = str_slice(text, two + 1, text.len);
	t->signed_text = str_slice(text, 0, two);
	return OK;
}

/* The bytes behind one part; they live in the arena. */
static enum status decode(
	struct reader *r, struct str part, struct str *out, struct err *e)
{
	struct buf b = {0};
	enum status st = b64url_parse(&b, part, r->strict, e);

	if (!st)
		*out = arena_str(r->arena, buf_str(&b));
	buf_release(&b);
	return st;
}

/* What would let a header choose how, or with which key, it is checked. */
static enum status strict_header(
	struct str doc, enum sign_alg alg, struct err *e)
{
	static const char *const refused[] = {
		"crit", "b64", "jku", "jwk", "x5c", "x5u"};
	struct str value, want = str_from(sign_alg_name(alg));

	if (json_kind(doc) != JSON_OBJECT)
		return err_set(e, E_INVALID, "the header is no object");
	for (size_t i = 0; i < COUNT(refused); i++)
		if (json_member(doc, str_from(refused[i]), &value))
			return err_set(e, E_DENIED,
				"the header has a member \"%s\"", refused[i]);
	if (!json_member(doc, S("alg"), &value) ||
		json_kind(value) != JSON_STRING || !json_text_is(value, want))
		return err_set(e, E_DENIED,
			"the header's alg is not %.*s, as the key's is",
			STR_ARG(want));
	return OK;
}

static enum status repeated(struct reader *r, struct str doc, struct err *e)
{
	struct json_iter it = json_iter(doc);
	struct map seen = {0};
	enum status st = OK;

	while (!st && it.object && json_next(&it)) {
		struct str key = text_of(r, it.key);
		void **place = map_at(&seen, key);

		if (*place)
			st = err_set(e, E_INVALID,
				"the header's member \"%.*s\" stands twice",
				STR_ARG(key));
		*place = &seen;
	}
	map_release(&seen);
	return st;
}

static enum status read_header(
	struct reader *r, struct str part, struct str *doc, struct err *e)
{
	struct str json;
	enum status st = decode(r, part, &json, e);

	if (!st)
		st = check_whole(json, doc, e);
	if (!st && r->strict)
		st = repeated(r, *doc, e);
	return st;
}

static enum status no_string(struct str span, struct err *e)
{
	enum json_kind kind = json_kind(span);
	struct str what = str_from(json_kind_name(kind));

	if (kind == JSON_BOOL) /* "true", "false" */
		what = span;
	return err_set(e, E_INVALID,
		"value doesn't contain string; it contains %.*s",
		STR_ARG(what));
}

/* The header's kid, "" when it has none. Of repeated ones the first counts. */
static enum status header_kid(
	struct reader *r, struct str part, struct str *kid, struct err *e)
{
	struct str doc;
	enum status st = read_header(r, part, &doc, e);
	struct json_iter it;

	if (st)
		goto out;
	it = json_iter(doc);
	while (it.object && json_next(&it)) {
		if (!json_text_is(it.key, S("kid")))
			continue;
		if (json_kind(it.value) == JSON_STRING)
			*kid = text_of(r, it.value);
		else
			st = no_string(it.value, e);
		break;
	}
out:
	if (st)
		err_wrap(e, "failed to extract key ID from headers");
	return st;
}

/* --- the payload ---------------------------------------------------------- */

struct payload {
	struct signed_file *files;
	size_t nfiles;
	struct str keyid, scope;
};

static enum status read_file(
	struct reader *r, struct str span, struct signed_file *f, struct err *e)
{
	static const char *const names[] = {"name", "hash", "algorithm"};
	struct str got[COUNT(names)] = {{0}};
	struct str *to[] = {&f->name, &f->hash, &f->algorithm};
	char where[64];
	enum status st;

	*f = (struct signed_file){S(""), S(""), S("")};
	if (json_kind(span) != JSON_OBJECT) {
		if (json_kind(span) != JSON_NULL)
			mismatch(r, span, "struct field DecodedSignature.files",
				"bundle.FileInfo", false);
		return OK;
	}
	st = members(r, span, names, COUNT(names), got, e);
	for (size_t i = 0; i < COUNT(names) && !st; i++) {
		snprintf(where, sizeof(where), "struct field FileInfo.files.%s",
			names[i]);
		if (got[i].ptr)
			read_string(r, got[i], where, to[i]);
	}
	return st;
}

/* A name that comes again takes the place of the one before. */
static enum status add_file(struct reader *r, struct map *places,
	struct payload *p, const struct signed_file *f, struct err *e)
{
	void **place = map_at(places, f->name);
	struct signed_file *old = *place;

	if (!old) {
		old = &p->files[p->nfiles++];
		*place = old;
	} else if (r->strict) {
		return err_set(e, E_INVALID, "the file %.*s is listed twice",
			STR_ARG(f->name));
	}
	*old = *f;
	return OK;
}

static enum status read_files(
	struct reader *r, struct str span, struct payload *p, struct err *e)
{
	struct json_iter it = json_iter(span);
	struct map places = {0};
	struct signed_file f;
	enum status st = OK;
	size_t n = 0;

	if (json_kind(span) != JSON_ARRAY) {
		if (json_kind(span) != JSON_NULL)
			mismatch(r, span, "struct field DecodedSignature.files",
				"[]bundle.FileInfo", false);
		return OK;
	}
	while (json_next(&it))
		n++;
	p->files = ARENA_ARRAY(r->arena, struct signed_file, n);
	it = json_iter(span);
	while (!st && json_next(&it)) {
		st = read_file(r, it.value, &f, e);
		if (!st)
			st = add_file(r, &places, p, &f, e);
	}
	map_release(&places);
	return st;
}

/* `iat` and `iss` mean nothing to an agent, but their types do. */
static enum status read_members(struct reader *r, const struct str *got,
	struct payload *p, struct err *e)
{
	struct str issuer;
	enum status st = OK;

	if (got[0].ptr)
		st = read_files(r, got[0], p, e);
	if (got[1].ptr)
		read_string(r, got[1], "struct field DecodedSignature.keyid",
			&p->keyid);
	if (got[2].ptr)
		read_string(r, got[2], "struct field DecodedSignature.scope",
			&p->scope);
	if (got[3].ptr)
		read_int64(r, got[3], "struct field DecodedSignature.iat");
	if (got[4].ptr)
		read_string(r, got[4], "struct field DecodedSignature.iss",
			&issuer);
	return st;
}

static enum status read_payload(
	struct reader *r, struct str part, struct payload *p, struct err *e)
{
	static const char *const names[] = {
		"files", "keyid", "scope", "iat", "iss"};
	struct str json, doc, got[COUNT(names)] = {{0}};
	enum status st = decode(r, part, &json, e);

	if (st) {
		err_wrap(e, "failed to base64 decode JWT payload");
		return st;
	}
	*p = (struct payload){.keyid = S(""), .scope = S("")};
	st = check_whole(json, &doc, e);
	if (!st)
		st = members(r, doc, names, COUNT(names), got, e);
	if (st)
		return st;
	if (json_kind(doc) != JSON_OBJECT && json_kind(doc) != JSON_NULL)
		mismatch(r, doc, "value", "bundle.DecodedSignature", false);
	st = read_members(r, got, p, e);
	return st ? st : wrong_type(r, e);
}

/* --- all of it ------------------------------------------------------------ */

/* The agent's own name for the key, the header's, then the payload's. */
static enum status find_key(const struct verify_config *cfg, struct str id,
	const struct sign_key **out, struct err *e)
{
	if (!id.len)
		return err_set(e, E_NOT_FOUND, "verification key ID is empty");
	for (size_t i = 0; i < cfg->nkeys; i++)
		if (cfg->keys[i]->id && str_is(id, cfg->keys[i]->id)) {
			*out = cfg->keys[i];
			return OK;
		}
	return err_set(e, E_NOT_FOUND,
		"verification key corresponding to ID %.*s not found",
		STR_ARG(id));
}

static enum status check_signature(struct reader *r, const struct sign_key *k,
	const struct token *t, struct err *e)
{
	struct str signature, doc;
	enum status st = decode(r, t->signature, &signature, e);

	if (st) {
		err_wrap(e, "failed to base64 decode JWT signature");
		return st;
	}
	st = raw_verify(k, t->signed_text, signature, e);
	if (st) {
		err_wrap(e, "failed to verify JWT signature");
		return st;
	}
	if (!r->strict)
		return OK;
	st = read_header(r, t->header, &doc, e);
	return st ? st : strict_header(doc, k->alg, e);
}

enum status verify_jws(const struct sign_key *k, struct str token,
	struct buf *payload, struct err *e)
{
	struct arena a = {0};
	struct reader r = {.arena = &a, .strict = true};
	struct str bytes;
	struct token t;
	enum status st = split(token, &t, e);

	if (!st)
		st = check_signature(&r, k, &t, e);
	if (!st)
		st = decode(&r, t.payload, &bytes, e);
	if (!st)
		buf_addstr(payload, bytes);
	arena_release(&a);
	return st;
}

static enum status check_token(struct reader *r, struct str text,
	const struct verify_config *cfg, struct payload *p, struct str *keyid,
	struct err *e)
{
	const struct sign_key *key = NULL;
	struct str id = str_from(cfg->keyid);
	struct token t;
	enum status st = split(text, &t, e);

	if (!st && !id.len)
		st = header_kid(r, t.header, &id, e);
	if (!st)
		st = read_payload(r, t.payload, p, e);
	if (!st && !id.len)
		id = p->keyid;
	if (!st)
		st = find_key(cfg, id, &key, e);
	if (!st)
		st = check_signature(r, key, &t, e);
	if (!st && !str_eq(p->scope, str_from(cfg->scope)))
		st = err_set(e, E_DENIED, "scope mismatch");
	if (!st)
		*keyid = id;
	return st;
}

static enum status check_text(struct reader *r, struct str text,
	const struct verify_config *cfg, struct payload *p, struct str *keyid,
	struct err *e)
{
	struct signatures s = {0};
	enum status st = read_signatures(r, text, &s, e);

	if (st) {
		err_wrap(e, "bundle load failed on signatures decode");
		return st;
	}
	if (s.empty)
		return err_set(
			e, E_NOT_FOUND, "bundle missing .signatures.json file");
	if (!cfg->nkeys)
		return err_set(e, E_NOT_FOUND, "verification key not provided");
	st = one_token(&s, e);
	return st ? st : check_token(r, s.token, cfg, p, keyid, e);
}

enum status verify_signatures(struct str signatures_json,
	const struct verify_config *cfg, struct verified *out, struct err *e)
{
	struct arena *a = calloc(1, sizeof(*a));
	struct reader r = {.arena = a, .strict = cfg->strict};
	struct payload p = {0};
	struct str keyid;
	enum status st;

	if (!a)
		die("out of memory: signature");
	st = check_text(&r, signatures_json, cfg, &p, &keyid, e);
	if (st) {
		arena_release(a);
		free(a);
		return st;
	}
	*out = (struct verified){.files = p.files,
		.nfiles = p.nfiles,
		.keyid = arena_strdup(a, keyid),
		.scope = arena_strdup(a, p.scope),
		.memory = a};
	return OK;
}

void verified_release(struct verified *v)
{
	struct arena *a = v->memory;

	if (a) {
		arena_release(a);
		free(a);
	}
	*v = (struct verified){0};
}
