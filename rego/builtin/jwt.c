/*
 * io.jwt.*: tokens as three parts of base64url with dots between.
 *
 * Source: RFC 7515, RFC 7519 section 7.2; OPA's reference, "Tokens".
 */
#include <math.h>
#include <string.h>

#include "rego/builtin/json_valid.h"
#include "rego/builtin/jwk.h"
#include "rego/builtin/jws_header.h"
#include "rego/builtin/operand.h"

struct token {
	struct str header, payload, signature; /* as they stand in it */
	struct str signed_part;                /* header.payload */
	struct value head;                     /* decoded, an object */
};

/* --- reading --------------------------------------------------------- */

static enum bi_status token_split(
	struct bi_ctx *cx, struct str s, struct token *t)
{
	size_t dots = 0, at[2] = {0};

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] != '.')
			continue;
		if (dots < 2)
			at[dots] = i;
		dots++;
	}
	if (!dots)
		return bi_error(cx, "encoded JWT had no period separators");
	if (dots != 2)
		return bi_error(cx,
			"encoded JWT must have 3 sections, found %zu",
			dots + 1);
	*t = (struct token){
		.header = str_slice(s, 0, at[0]),
		.payload = str_slice(s, at[0] + 1, at[1]),
		.signature = str_slice(s, at[1] + 1, s.len),
		.signed_part = str_slice(s, 0, at[1]),
		.head = v_undef,
	};
	return BI_OK;
}

/* One part; an error begins with `before`. */
static enum bi_status part_decode(struct bi_ctx *cx, struct str part,
	const char *before, struct value *out)
{
	struct value text = v_str(cx->arena, part);
	enum bi_status st = operand_call(cx, "base64url.decode", &text, out);

	return st == BI_ERROR ? operand_wrap(cx, before) : st;
}

static enum bi_status object_decode(
	struct bi_ctx *cx, struct value text, struct value *out)
{
	enum bi_status st = operand_call(cx, "json.unmarshal", &text, out);

	if (st == BI_ERROR)
		return operand_wrap(cx, "invalid JSON: ");
	if (!st && out->tag != V_OBJ)
		return bi_error(cx, "decoded JSON type was not an Object");
	return st;
}

static enum bi_status header_decode(struct bi_ctx *cx, struct token *t)
{
	struct value text;
	enum bi_status st = part_decode(
		cx, t->header, "JWT header had invalid encoding: ", &text);

	if (st)
		return st;
	st = object_decode(cx, text, &t->head);
	if (st)
		return st == BI_ERROR ? operand_wrap(cx, "bad JWT header: ")
				      : st;
	if (is_def(obj_get_cstr(t->head.obj, "enc")))
		return bi_error(
			cx, "JWT is a JWE object, which is not supported");
	return BI_OK;
}

static enum bi_status payload_decode(
	struct bi_ctx *cx, const struct token *t, struct value *out)
{
	return part_decode(
		cx, t->payload, "JWT payload had invalid encoding: ", out);
}

static bool is_text(struct value v, const char *want)
{
	return v.tag == V_STR && str_is(v_bytes(v), want);
}

static struct value triple(
	struct bi_ctx *cx, struct value x, struct value y, struct value z)
{
	struct value *items = ARENA_ARRAY(cx->arena, struct value, 3);

	items[0] = x;
	items[1] = y;
	items[2] = z;
	return v_arr(cx->arena, items, 3);
}

static enum bi_status decode_whole(struct bi_ctx *cx, const struct token *t,
	struct value payload, struct value *out)
{
	struct value body, sig, hex;
	enum bi_status st = object_decode(cx, payload, &body);

	if (!st)
		st = part_decode(cx, t->signature,
			"JWT signature had invalid encoding: ", &sig);
	if (!st)
		st = operand_call(cx, "hex.encode", &sig, &hex);
	if (!st)
		*out = triple(cx, t->head, body, hex);
	return st;
}

/* A token may hold another one, in quotes. */
static enum bi_status decode(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct value inner = args[0], payload, trim[2];
	struct token t;
	enum bi_status st;

	for (;;) {
		st = token_split(cx, v_bytes(inner), &t);
		if (!st)
			st = header_decode(cx, &t);
		if (!st)
			st = payload_decode(cx, &t, &payload);
		if (st)
			return st;
		if (!is_text(obj_get_cstr(t.head.obj, "cty"), "JWT"))
			return decode_whole(cx, &t, payload, out);
		trim[0] = payload;
		trim[1] = v_cstr(cx->arena, "\"'");
		st = operand_call(cx, "trim", trim, &inner);
		if (st)
			return st;
	}
}

/* --- the header ------------------------------------------------------ */

struct header {
	struct str alg, kid, cty;
	const struct object *all;
	struct value crit; /* an array; undefined: none */
};

static enum bi_status header_text(struct bi_ctx *cx, const struct object *o,
	const char *name, struct str *out)
{
	struct value v = obj_get_cstr(o, name);

	*out = S("");
	if (!is_def(v))
		return BI_OK;
	if (v.tag != V_STR)
		return bi_error(cx, "%s: must be a string", name);
	*out = v_bytes(v);
	return BI_OK;
}

static enum bi_status header_crit(struct bi_ctx *cx, struct header *h)
{
	h->crit = obj_get_cstr(h->all, "crit");
	if (!is_def(h->crit))
		return BI_OK;
	if (h->crit.tag != V_ARR)
		return bi_error(cx, "crit: must be a list");
	if (!v_len(h->crit) || h->crit.arr->items[0].tag != V_STR)
		return bi_error(cx, "crit: must be a nonempty list");
	return BI_OK;
}

/* In the order of names, as errors are found. */
static enum bi_status header_read(
	struct bi_ctx *cx, const struct token *t, struct header *h)
{
	struct str typ;
	enum bi_status st;

	*h = (struct header){.all = t->head.obj};
	(void)((st = header_text(cx, h->all, "alg", &h->alg)) ||
		(st = header_crit(cx, h)) ||
		(st = header_text(cx, h->all, "cty", &h->cty)) ||
		(st = header_text(cx, h->all, "kid", &h->kid)) ||
		(st = header_text(cx, h->all, "typ", &typ)));
	return st;
}

static bool is_known_parameter(struct value name)
{
	static const char *const known[] = {"alg", "kid", "typ", "cty", "crit"};

	for (size_t i = 0; i < COUNT(known); i++)
		if (is_text(name, known[i]))
			return true;
	return false;
}

/* RFC 7515, 4.1.1 and 4.1.11. What stands behind no string is not read. */
static bool header_is_valid(const struct header *h)
{
	if (!h->alg.len)
		return false;
	if (!is_def(h->crit))
		return true;
	for (uint32_t i = 0; i < v_len(h->crit); i++) {
		struct value name = h->crit.arr->items[i];

		if (name.tag != V_STR)
			break;
		if (!is_known_parameter(name) && is_def(obj_get(h->all, name)))
			return false;
	}
	return true;
}

/* --- signatures ------------------------------------------------------- */

/* The key with the token's id alone, else any that names no other alg. */
static bool verify_any(const struct jwks *ks, const struct header *h,
	const struct jwk_alg *alg, struct str text, struct str sig, bool exact)
{
	if (h->kid.len)
		for (uint32_t i = 0; i < ks->len; i++)
			if (str_eq(ks->items[i].kid, h->kid))
				return jwk_verify(
					&ks->items[i], alg, text, sig, exact);
	for (uint32_t i = 0; i < ks->len; i++) {
		const struct jwk *k = &ks->items[i];

		if ((!k->alg.len || str_eq(k->alg, h->alg)) &&
			jwk_verify(k, alg, text, sig, exact))
			return true;
	}
	return false;
}

static enum bi_status signature_decode(
	struct bi_ctx *cx, const struct token *t, struct str *out)
{
	struct value sig;
	enum bi_status st = part_decode(cx, t->signature, "", &sig);

	if (!st)
		*out = v_bytes(sig);
	return st;
}

/* io.jwt.verify_ALG: the name's end says the algorithm. */
static const struct jwk_alg *alg_of(const struct bi_ctx *cx)
{
	return jwk_alg_find_fold(str_from(strrchr(cx->name, '_') + 1));
}

static enum bi_status verify_with(struct bi_ctx *cx, struct token *t,
	const struct jwks *ks, struct value *out)
{
	struct header h;
	struct str sig;
	enum bi_status st = signature_decode(cx, t, &sig);

	if (!st)
		st = header_decode(cx, t);
	if (!st)
		st = header_read(cx, t, &h);
	if (!st)
		*out = v_bool(verify_any(
			ks, &h, alg_of(cx), t->signed_part, sig, false));
	return st;
}

static enum bi_status verify(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct jwks ks = {0};
	struct token t;
	enum bi_status st = token_split(cx, v_bytes(args[0]), &t);

	if (!st)
		st = jwks_parse_public(cx, v_bytes(args[1]), &ks);
	if (!st)
		st = verify_with(cx, &t, &ks, out);
	jwks_release(&ks);
	return st;
}

static enum bi_status verify_hmac(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct jwk secret = {.is_secret = true, .secret = v_bytes(args[1])};
	struct token t;
	struct str sig;
	enum bi_status st = token_split(cx, v_bytes(args[0]), &t);

	if (!st)
		st = signature_decode(cx, &t, &sig);
	if (!st)
		*out = v_bool(jwk_verify(
			&secret, alg_of(cx), t.signed_part, sig, true));
	return st;
}

/* --- decode_verify ------------------------------------------------------ */

struct constraints {
	struct jwks keys;
	bool has_keys;
	struct str secret, alg, iss, aud; /* empty: none */
	double time_ns;
};

static enum bi_status constraint_text(
	struct bi_ctx *cx, struct str name, struct value v, struct str *out)
{
	if (v.tag != V_STR)
		return bi_error(
			cx, "%.*s constraint: must be a string", STR_ARG(name));
	*out = v_bytes(v);
	return BI_OK;
}

static enum bi_status constraint_cert(
	struct bi_ctx *cx, struct value v, struct constraints *c)
{
	enum bi_status st;

	if (v.tag != V_STR)
		return bi_error(cx, "cert constraint: must be a string");
	st = jwks_parse_public(cx, v_bytes(v), &c->keys);
	c->has_keys = !st;
	return st;
}

static enum bi_status constraint_time(
	struct bi_ctx *cx, struct value v, struct constraints *c)
{
	if (!is_num(v))
		return bi_error(cx, "token time constraint: must be a number");
	c->time_ns = num_to_double(v);
	if (!isfinite(c->time_ns))
		return bi_error(cx, "token time constraint: unvalid float64");
	if (c->time_ns < 0)
		return bi_error(
			cx, "token time constraint: must not be negative");
	return BI_OK;
}

static enum bi_status constraint_read(struct bi_ctx *cx, struct str name,
	struct value v, struct constraints *c)
{
	struct str *text = str_is(name, "secret") ? &c->secret
			   : str_is(name, "alg")  ? &c->alg
			   : str_is(name, "iss")  ? &c->iss
			   : str_is(name, "aud")  ? &c->aud
						  : NULL;

	if (text)
		return constraint_text(cx, name, v, text);
	if (str_is(name, "cert"))
		return constraint_cert(cx, v, c);
	if (str_is(name, "time"))
		return constraint_time(cx, v, c);
	return bi_error(
		cx, "unknown token validation constraint: %.*s", STR_ARG(name));
}

static enum bi_status constraints_read(
	struct bi_ctx *cx, const struct object *o, struct constraints *c)
{
	*c = (struct constraints){.time_ns = (double)cx->now_ns};
	for (uint32_t i = 0; i < o->len; i++) {
		struct value key = o->keys->items[i];
		enum bi_status st = constraint_read(cx,
			key.tag == V_STR ? v_bytes(key)
					 : str_from(operand_text(cx, key)),
			o->vals[i], c);

		if (st)
			return st;
	}
	if (c->has_keys && c->secret.len)
		return bi_error(cx, "duplicate key constraints");
	if (!c->has_keys && !c->secret.len)
		return bi_error(cx, "no key constraint");
	return BI_OK;
}

static bool is_signed(const struct constraints *c, const struct header *h,
	const struct token *t, struct str sig)
{
	const struct jwk_alg *alg = jwk_alg_find(h->alg);
	struct jwk secret = {.is_secret = true, .secret = c->secret};

	if (!alg)
		return false;
	if (!c->has_keys)
		return jwk_verify(&secret, alg, t->signed_part, sig, true);
	return verify_any(&c->keys, h, alg, t->signed_part, sig, true);
}

/*
 * The innermost token's header and payload, all around it verified. *good is
 * false when one was not.
 */
static enum bi_status unwrap(struct bi_ctx *cx, struct str text,
	const struct constraints *c, struct token *t, struct value *payload,
	bool *good)
{
	struct header h;
	struct str sig;
	enum bi_status st;

	*good = false;
	for (;;) {
		if ((st = token_split(cx, text, t)) ||
			(st = header_decode(cx, t)) ||
			(st = header_read(cx, t, &h)))
			return st;
		if (!header_is_valid(&h) ||
			(c->alg.len && !str_eq(c->alg, h.alg)))
			return BI_OK;
		if ((st = signature_decode(cx, t, &sig)))
			return st;
		if (!is_signed(c, &h, t, sig))
			return BI_OK;
		if ((st = payload_decode(cx, t, payload)))
			return st;
		if (!str_eq_fold(h.cty, S("JWT")))
			break;
		text = v_bytes(*payload);
	}
	*good = true;
	return object_decode(cx, *payload, payload);
}

static bool is_audience(struct value aud, struct str want)
{
	if (aud.tag == V_STR)
		return str_eq(v_bytes(aud), want);
	if (aud.tag != V_ARR)
		return false;
	for (uint32_t i = 0; i < v_len(aud); i++)
		if (aud.arr->items[i].tag == V_STR &&
			str_eq(v_bytes(aud.arr->items[i]), want))
			return true;
	return false;
}

static bool claims_hold(
	const struct object *claims, const struct constraints *c)
{
	struct value iss = obj_get_cstr(claims, "iss");
	struct value aud = obj_get_cstr(claims, "aud");

	if (c->iss.len && (iss.tag != V_STR || !str_eq(v_bytes(iss), c->iss)))
		return false;
	return is_def(aud) ? is_audience(aud, c->aud) : !c->aud.len;
}

/* Claims are in seconds. *good becomes false when it is too late or early. */
static enum bi_status times_hold(struct bi_ctx *cx, const struct object *claims,
	const struct constraints *c, bool *good)
{
	struct value now = num_from_double(cx->arena, c->time_ns / 1e9);
	struct value exp = obj_get_cstr(claims, "exp");
	struct value nbf = obj_get_cstr(claims, "nbf");

	if (is_def(exp) && !is_num(exp))
		return bi_error(cx, "exp value must be a number");
	if (is_def(exp) && value_cmp(now, exp) >= 0) {
		*good = false;
		return BI_OK;
	}
	if (is_def(nbf) && !is_num(nbf))
		return bi_error(cx, "nbf value must be a number");
	if (is_def(nbf) && value_cmp(now, nbf) < 0)
		*good = false;
	return BI_OK;
}

static enum bi_status decode_verify(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct constraints c;
	struct token t;
	struct value payload;
	bool good;
	enum bi_status st = constraints_read(cx, args[1].obj, &c);

	if (!st)
		st = unwrap(cx, v_bytes(args[0]), &c, &t, &payload, &good);
	jwks_release(&c.keys);
	if (st)
		return st;
	good = good && claims_hold(payload.obj, &c);
	if (good && (st = times_hold(cx, payload.obj, &c, &good)))
		return st;
	*out = good ? triple(cx, v_true, t.head, payload)
		    : triple(cx, v_bool(false), v_empty_obj, v_empty_obj);
	return BI_OK;
}

/* --- signing ------------------------------------------------------------ */

static const char *json_type(struct value v)
{
	return v.tag == V_NULL    ? "null"
	       : v.tag == V_TRUE  ? "true"
	       : v.tag == V_FALSE ? "false"
				  : value_type(v);
}

/* The header's alg, and whether its payload must be JSON. */
static enum bi_status header_alg(struct bi_ctx *cx, struct str header,
	const struct jwk_alg **alg, bool *is_jwt)
{
	static const char before[] = "missing or invalid 'alg' header: ";
	struct jws_header h;

	if (jws_header_read(cx, header, &h))
		return operand_wrap(cx, before);
	if (!is_def(h.alg))
		return bi_error(
			cx, "%sjwsbb: header \"alg\" not found", before);
	if (h.alg.tag != V_STR)
		return bi_error(cx,
			"%svalue doesn't contain string; it contains %s",
			before, json_type(h.alg));
	*alg = jwk_alg_find(v_bytes(h.alg));
	if (!*alg)
		return bi_error(cx, "unknown JWS algorithm: %.*s",
			STR_ARG(v_bytes(h.alg)));
	*is_jwt = h.typ.tag != V_STR || is_text(h.typ, "JWT");
	return BI_OK;
}

static void add_base64url(struct bi_ctx *cx, struct buf *out, struct str s)
{
	struct value text = v_str(cx->arena, s), coded;

	if (!operand_call(cx, "base64url.encode_no_pad", &text, &coded))
		buf_addstr(out, v_bytes(coded));
}

static enum bi_status sign_with(struct bi_ctx *cx, const struct jwks *ks,
	struct str header, struct str payload, struct value *out)
{
	const struct jwk_alg *alg = NULL;
	struct buf text = {0}, sig = {0};
	bool is_jwt = false;
	enum bi_status st;

	if (!ks->len)
		return bi_error(cx, "no keys found in JWK set");
	st = header_alg(cx, header, &alg, &is_jwt);
	if (st)
		return st;
	if (is_jwt && !json_valid(payload))
		return bi_error(cx, "type is JWT but payload is not JSON");
	add_base64url(cx, &text, header);
	buf_addc(&text, '.');
	add_base64url(cx, &text, payload);
	st = jwk_sign(cx, &ks->items[0], alg, buf_str(&text), &sig);
	if (!st) {
		buf_addc(&text, '.');
		add_base64url(cx, &text, buf_str(&sig));
		st = bi_string(cx, buf_str(&text), out);
	}
	buf_release(&text);
	buf_release(&sig);
	return st;
}

static enum bi_status sign(struct bi_ctx *cx, struct str header,
	struct str payload, struct str key, struct value *out)
{
	struct jwks ks = {0};
	enum bi_status st = jwks_parse(cx, key, &ks);

	if (!st)
		st = sign_with(cx, &ks, header, payload, out);
	jwks_release(&ks);
	return st;
}

static enum bi_status encode_sign_raw(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return sign(
		cx, v_bytes(args[0]), v_bytes(args[1]), v_bytes(args[2]), out);
}

static enum bi_status encode_sign(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct buf text[3] = {{0}};
	enum bi_status st;

	for (size_t i = 0; i < COUNT(text); i++)
		value_json(&text[i], args[i], 0, JSON_HTML);
	st = sign(cx, buf_str(&text[0]), buf_str(&text[1]), buf_str(&text[2]),
		out);
	for (size_t i = 0; i < COUNT(text); i++)
		buf_release(&text[i]);
	return st;
}

/* clang-format off */
static const struct builtin rows[] = {
	{"io.jwt.decode",          NULL, 1, {BT_STR},                 decode,          0},
	{"io.jwt.decode_verify",   NULL, 2, {BT_STR, BT_OBJ},         decode_verify,   BF_NONDET},
	{"io.jwt.encode_sign",     NULL, 3, {BT_OBJ, BT_OBJ, BT_OBJ}, encode_sign,     BF_NONDET | BF_RAWTYPES},
	{"io.jwt.encode_sign_raw", NULL, 3, {BT_STR, BT_STR, BT_STR}, encode_sign_raw, BF_NONDET},
	{"io.jwt.verify_eddsa",    NULL, 2, {BT_STR, BT_STR},         verify,          0},
	{"io.jwt.verify_es256",    NULL, 2, {BT_STR, BT_STR},         verify,          0},
	{"io.jwt.verify_es384",    NULL, 2, {BT_STR, BT_STR},         verify,          0},
	{"io.jwt.verify_es512",    NULL, 2, {BT_STR, BT_STR},         verify,          0},
	{"io.jwt.verify_hs256",    NULL, 2, {BT_STR, BT_STR},         verify_hmac,     0},
	{"io.jwt.verify_hs384",    NULL, 2, {BT_STR, BT_STR},         verify_hmac,     0},
	{"io.jwt.verify_hs512",    NULL, 2, {BT_STR, BT_STR},         verify_hmac,     0},
	{"io.jwt.verify_ps256",    NULL, 2, {BT_STR, BT_STR},         verify,          0},
	{"io.jwt.verify_ps384",    NULL, 2, {BT_STR, BT_STR},         verify,          0},
	{"io.jwt.verify_ps512",    NULL, 2, {BT_STR, BT_STR},         verify,          0},
	{"io.jwt.verify_rs256",    NULL, 2, {BT_STR, BT_STR},         verify,          0},
	{"io.jwt.verify_rs384",    NULL, 2, {BT_STR, BT_STR},         verify,          0},
	{"io.jwt.verify_rs512",    NULL, 2, {BT_STR, BT_STR},         verify,          0},
};
/* clang-format on */

const struct builtin_table builtin_jwt = {rows, COUNT(rows)};
