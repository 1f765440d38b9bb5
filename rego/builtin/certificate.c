#include "rego/builtin/certificate.h"

#include "base/limits.h"
#include "rego/builtin/unicode.h"

#include <string.h>

const char certificate_too_many[] = "too many";

bool strs_add(struct arena *a, struct strs *list, struct str s)
{
	if (list->len == LIMIT_CERTIFICATE_ITEMS)
		return false;
	list->items =
		arena_grow(a, list->items, list->len, &list->cap, sizeof(s));
	list->items[list->len++] = s;
	return true;
}

bool strs_has(const struct strs *list, struct str s)
{
	for (uint32_t i = 0; i < list->len; i++)
		if (str_eq(list->items[i], s))
			return true;
	return false;
}

/* --- names -----------------------------------------------------------------
 */

static const char *attribute_parse(
	struct bi_ctx *cx, struct str body, struct attribute *out)
{
	struct buf text = {0};
	struct str value;
	char why[48];
	bool ok;
	int tag;

	if (!der_oid(&body, &out->type))
		return "x509: invalid RDNSequence: invalid attribute type";
	if (!der_any(&body, &tag, &value))
		return "x509: invalid RDNSequence: invalid attribute value";
	ok = der_text(tag, value, &text, why);
	out->is_text = ok;
	if (ok)
		out->value = v_str(cx->arena, buf_str(&text));
	buf_release(&text);
	return ok ? NULL
		  : arena_printf(cx->arena,
			    "x509: invalid RDNSequence: invalid attribute "
			    "value: %s",
			    why);
}

static const char *relative_parse(
	struct bi_ctx *cx, struct str set, struct dn *out)
{
	struct str body;
	const char *why = NULL;

	while (set.len && !why) {
		if (out->len == LIMIT_CERTIFICATE_ITEMS)
			return certificate_too_many;
		if (!der_read(&set, DER_SEQUENCE, &body))
			return "x509: invalid RDNSequence: invalid attribute";
		out->attributes = arena_grow(cx->arena, out->attributes,
			out->len, &out->cap, sizeof(struct attribute));
		out->attributes[out->len] = (struct attribute){0};
		why = attribute_parse(cx, body, &out->attributes[out->len++]);
	}
	return why;
}

static const char *dn_parse(struct bi_ctx *cx, struct str raw, struct dn *out)
{
	const char *why = NULL;
	struct str r = raw, set;

	out->raw = raw;
	if (!der_read(&r, DER_SEQUENCE, &r))
		return "x509: invalid RDNSequence";
	while (r.len && !why)
		why = der_read(&r, DER_SET, &set) ? relative_parse(cx, set, out)
						  : "x509: invalid RDNSequence";
	return why;
}

/* --- validity --------------------------------------------------------------
 */

static const char *time_parse(struct str *r, struct der_time *out)
{
	struct str text;

	if (der_is_next(*r, DER_UTC_TIME))
		return der_read(r, DER_UTC_TIME, &text) &&
				       der_time(text, DER_UTC_TIME, out)
			       ? NULL
			       : "x509: malformed UTCTime";
	if (der_is_next(*r, DER_TIME))
		return der_read(r, DER_TIME, &text) &&
				       der_time(text, DER_TIME, out)
			       ? NULL
			       : "x509: malformed GeneralizedTime";
	return "x509: unsupported time format";
}

static const char *validity_parse(struct str *r, struct certificate *c)
{
	const char *why;
	struct str body;

	if (!der_read(r, DER_SEQUENCE, &body))
		return "x509: malformed validity";
	why = time_parse(&body, &c->not_before);
	return why ? why : time_parse(&body, &c->not_after);
}

/* --- extensions ------------------------------------------------------------
 */

static const char *extension_parse(struct str body, struct extension *out)
{
	if (!der_oid(&body, &out->id))
		return "x509: malformed extension OID field";
	if (der_is_next(body, DER_BOOL) && !der_bool(&body, &out->critical))
		return "x509: malformed extension critical field";
	if (!der_read(&body, DER_OCTETS, &out->value))
		return "x509: malformed extension value field";
	return NULL;
}

const struct extension *extension_find(
	const struct extensions *list, struct str id)
{
	for (uint32_t i = 0; i < list->len; i++)
		if (str_eq(list->items[i].id, id))
			return &list->items[i];
	return NULL;
}

static const char *duplicate(struct bi_ctx *cx, struct str id)
{
	return arena_printf(cx->arena,
		"x509: certificate contains duplicate extension with OID "
		"\"%s\"",
		oid_text(cx->arena, id));
}

static const char *extension_list(
	struct bi_ctx *cx, struct str body, struct extensions *out)
{
	struct str one;
	const char *why;

	while (body.len) {
		struct extension e = {0};

		if (out->len == LIMIT_CERTIFICATE_ITEMS)
			return certificate_too_many;
		if (!der_read(&body, DER_SEQUENCE, &one))
			return "x509: malformed extension";
		why = extension_parse(one, &e);
		if (why)
			return why;
		if (extension_find(out, e.id))
			return duplicate(cx, e.id);
		out->items = arena_grow(
			cx->arena, out->items, out->len, &out->cap, sizeof(e));
		out->items[out->len++] = e;
	}
	return NULL;
}

static const char *extensions_parse(
	struct bi_ctx *cx, struct str *r, struct certificate *c)
{
	struct str body;
	const char *why;

	if (!der_maybe(r, DER_EXPLICIT + 3, &body) ||
		(body.ptr && !der_read(&body, DER_SEQUENCE, &body)))
		return "x509: malformed extensions";
	why = extension_list(cx, body, &c->extensions);
	for (uint32_t i = 0; i < c->extensions.len && !why; i++) {
		const struct extension *e = &c->extensions.items[i];
		bool unhandled = false;

		why = extension_read(cx, c, e, &unhandled);
		if (!why && unhandled && e->critical &&
			!strs_add(cx->arena, &c->unhandled, e->id))
			why = certificate_too_many;
	}
	return why;
}

/* What stands behind the public key: of version 1 nothing does. */
static const char *tail_parse(
	struct bi_ctx *cx, struct str *r, struct certificate *c)
{
	struct str unique;

	if (c->version == 1)
		return NULL;
	if (!der_maybe(r, DER_FIELD + 1, &unique))
		return "x509: malformed issuerUniqueID";
	if (!der_maybe(r, DER_FIELD + 2, &unique))
		return "x509: malformed subjectUniqueID";
	return c->version == 3 ? extensions_parse(cx, r, c) : NULL;
}

/* --- a whole one -----------------------------------------------------------
 */

static const char *version_parse(struct str *r, struct certificate *c)
{
	struct str body;

	if (!der_maybe(r, DER_EXPLICIT, &body))
		return "x509: malformed version";
	if (body.ptr && (!der_int64(&body, DER_INT, &c->version) || body.len ||
				c->version < 0))
		return "x509: malformed version";
	if (c->version > 2)
		return "x509: invalid version";
	c->version++;
	return NULL;
}

static const char *serial_parse(struct str *r, struct certificate *c)
{
	if (!der_int(r, DER_INT, &c->serial))
		return "x509: malformed serial number";
	return c->serial.ptr[0] & 0x80 ? "x509: negative serial number" : NULL;
}

/* The algorithm stands in the signed part and behind it. */
static const char *signed_with_parse(
	struct str *tbs, struct str *outer, struct certificate *c)
{
	struct str body, again, oid, params;
	const char *why;

	if (!der_read(tbs, DER_SEQUENCE, &body))
		return "x509: malformed signature algorithm identifier";
	if (!der_read(outer, DER_SEQUENCE, &again))
		return "x509: malformed algorithm identifier";
	if (!str_eq(body, again))
		return "x509: inner and outer signature algorithm identifiers "
		       "don't match";
	why = algorithm_parse(body, &oid, &params);
	if (!why)
		c->signature_algorithm = signature_algorithm_of(oid, params);
	return why;
}

static const char *subjects_parse(
	struct bi_ctx *cx, struct str *r, struct certificate *c)
{
	const char *why;

	if (!der_read_whole(r, DER_SEQUENCE, &c->raw_issuer))
		return "x509: malformed issuer";
	if ((why = dn_parse(cx, c->raw_issuer, &c->issuer)) ||
		(why = validity_parse(r, c)))
		return why;
	if (!der_read_whole(r, DER_SEQUENCE, &c->raw_subject))
		return "x509: malformed issuer";
	if ((why = dn_parse(cx, c->raw_subject, &c->subject)))
		return why;
	if (!der_read_whole(r, DER_SEQUENCE, &c->raw_spki))
		return "x509: malformed spki";
	return public_key_parse(cx, c->raw_spki, &c->key);
}

/* The certificate at the front of *der, which moves behind it. */
static const char *certificate_parse(
	struct bi_ctx *cx, struct str *der, struct certificate *c)
{
	struct str r, tbs;
	struct der_bits signature;
	const char *why;

	if (!der_read_whole(der, DER_SEQUENCE, &c->raw))
		return "x509: malformed certificate";
	r = c->raw;
	if (!der_read(&r, DER_SEQUENCE, &r))
		return "x509: malformed certificate";
	if (!der_read_whole(&r, DER_SEQUENCE, &c->raw_tbs))
		return "x509: malformed tbs certificate";
	tbs = c->raw_tbs;
	if (!der_read(&tbs, DER_SEQUENCE, &tbs))
		return "x509: malformed tbs certificate";
	if ((why = version_parse(&tbs, c)) || (why = serial_parse(&tbs, c)) ||
		(why = signed_with_parse(&tbs, &r, c)) ||
		(why = subjects_parse(cx, &tbs, c)) ||
		(why = tail_parse(cx, &tbs, c)))
		return why;
	if (!der_bits(&r, &signature))
		return "x509: malformed signature";
	c->signature = bits_right(cx->arena, signature);
	return NULL;
}

enum bi_status certificate_error(struct bi_ctx *cx, const char *why)
{
	if (why == certificate_too_many)
		return bi_limit(cx,
			"a certificate has more than %u names, extensions, "
			"policies or addresses of one kind",
			LIMIT_CERTIFICATE_ITEMS);
	return bi_error(cx, "%s", why);
}

enum bi_status certificates_parse(
	struct bi_ctx *cx, struct str der, struct certificates *out)
{
	const char *why;

	if (!bi_charge(cx, der.len / 8))
		return BI_HALT;
	while (der.len) {
		struct certificate c = {0};

		if (out->len == LIMIT_CERTIFICATES)
			return bi_limit(cx, "more than %u certificates",
				LIMIT_CERTIFICATES);
		why = certificate_parse(cx, &der, &c);
		if (why)
			return certificate_error(cx, why);
		out->items = arena_grow(
			cx->arena, out->items, out->len, &out->cap, sizeof(c));
		out->items[out->len++] = c;
	}
	return BI_OK;
}

enum bi_status certificate_parse_single(
	struct bi_ctx *cx, struct str der, struct certificate *out)
{
	const char *why;

	if (!bi_charge(cx, der.len / 8))
		return BI_HALT;
	why = certificate_parse(cx, &der, out);
	if (!why && der.len)
		why = "x509: trailing data";
	return why ? certificate_error(cx, why) : BI_OK;
}
