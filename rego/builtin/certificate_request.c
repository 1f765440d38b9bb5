#include "rego/builtin/certificate_request.h"

#include "base/limits.h"
#include "rego/builtin/asn.h"
#include "rego/builtin/certificate.h"

#include <string.h>

struct request {
	struct str raw, raw_tbs, raw_spki, raw_subject;
	int64_t version;
	struct der_bits signature;
	enum signed_with signature_algorithm;
	struct public_key key;
	struct dn subject;
	struct str attributes; /* members, one behind the other */
	struct extensions extensions;
	struct alt_names names;
};

static void put(
	struct bi_ctx *cx, struct builder *b, const char *name, struct value v)
{
	builder_set_key(b, v_cstr(cx->arena, name), v);
}

/* --- values of any kind ----------------------------------------------------
 */

static struct value bits_value(struct bi_ctx *cx, struct der_bits bits)
{
	struct builder b = builder_obj(cx->arena);

	put(cx, &b, "Bytes", base64_value(cx, bits.bytes));
	put(cx, &b, "BitLength",
		v_int((int64_t)(8 * bits.bytes.len - bits.unused)));
	return builder_done(&b);
}

static bool bool_any(
	struct asn_fault *fault, struct str body, struct value *out)
{
	if (body.len != 1 || (body.ptr[0] && body.ptr[0] != '\xff'))
		return asn_syntax(fault, "invalid boolean");
	*out = v_bool(body.ptr[0]);
	return true;
}

static bool int_any(struct bi_ctx *cx, struct asn_fault *fault, struct str body,
	struct value *out)
{
	if (!asn_int_check(fault, body))
		return false;
	if (body.len > 8)
		return asn_structure(fault, "integer too large");
	*out = integer_value(cx, body);
	return true;
}

static bool time_any(struct bi_ctx *cx, struct asn_fault *fault, int tag,
	struct str body, struct value *out)
{
	struct der_time t;

	if (!der_time(body, tag, &t))
		return asn_structure(fault, "time is not as DER wants it");
	*out = time_value(cx, t);
	return true;
}

static bool bits_any(struct bi_ctx *cx, struct asn_fault *fault,
	struct str body, struct value *out)
{
	struct der_bits bits;

	if (!asn_bits_check(fault, body, &bits))
		return false;
	*out = bits_value(cx, bits);
	return true;
}

static bool oid_any(struct bi_ctx *cx, struct asn_fault *fault, struct str body,
	struct value *out)
{
	if (!asn_oid_check(fault, body))
		return false;
	*out = oid_value(cx, body);
	return true;
}

static bool is_text(int tag)
{
	return tag == DER_UTF8 || tag == DER_NUMERIC || tag == DER_PRINTABLE ||
	       tag == DER_T61 || tag == DER_IA5 || tag == DER_BMP;
}

static bool text_any(struct bi_ctx *cx, struct asn_fault *fault, int tag,
	struct str body, struct value *out)
{
	char why[48], text[96];
	struct buf b = {0};
	bool ok = der_text(tag, body, &b, why);

	if (ok)
		*out = v_str(cx->arena, buf_str(&b));
	buf_release(&b);
	if (ok)
		return true;
	if (tag == DER_UTF8 || tag == DER_BMP) {
		snprintf(fault->text, sizeof(fault->text), "%s%s",
			tag == DER_UTF8 ? "asn1: " : "", why);
		return false;
	}
	snprintf(text, sizeof(text), "%s contains invalid character",
		why + strlen("invalid "));
	return asn_syntax(fault, text);
}

/* What Go makes of a value whose type it is not told; null of most. */
static bool any_value(struct bi_ctx *cx, struct asn_fault *fault,
	const struct asn_any *any, struct value *out)
{
	struct str body = any->body;

	*out = v_null;
	if (any->class || any->compound)
		return true;
	if (is_text(any->tag))
		return text_any(cx, fault, any->tag, body, out);
	switch (any->tag) {
	case DER_BOOL:
		return bool_any(fault, body, out);
	case DER_INT:
		return int_any(cx, fault, body, out);
	case DER_BITS:
		return bits_any(cx, fault, body, out);
	case DER_OID:
		return oid_any(cx, fault, body, out);
	case DER_UTC_TIME:
	case DER_TIME:
		return time_any(cx, fault, any->tag, body, out);
	case DER_OCTETS:
		*out = base64_value(cx, body);
		return true;
	default:
		return true;
	}
}

/* --- names -----------------------------------------------------------------
 */

/* Type and value; what stands behind them is passed over. */
static bool attribute_read(
	struct bi_ctx *cx, struct asn *r, struct attribute *out)
{
	struct asn inner;
	struct asn_any any;

	if (!asn_enter(r, "AttributeTypeAndValue", &inner, NULL) ||
		!asn_identifier(&inner, &out->type) || !asn_next(&inner, &any))
		return false;
	out->is_text = !any.class && !any.compound && is_text(any.tag);
	return any_value(cx, r->fault, &any, &out->value);
}

/* A list calls by another name what is cut off. */
static void truncated(struct asn_fault *fault)
{
	if (!strstr(fault->text, "data truncated"))
		return;
	fault->text[0] = '\0';
	asn_syntax(fault, "truncated sequence");
}

/* The members of a set or a sequence must all have that tag. */
static bool all_tagged(const struct asn *r, int tag)
{
	struct asn walk = {r->s, 0, r->fault};
	struct asn_any any;

	while (!asn_end(&walk)) {
		if (!asn_next(&walk, &any)) {
			truncated(r->fault);
			return false;
		}
		if (any.class || any.tag != tag || !any.compound)
			return asn_structure(r->fault, "sequence tag mismatch");
	}
	return true;
}

static bool dn_add(struct bi_ctx *cx, struct asn *set, struct dn *out)
{
	while (!asn_end(set)) {
		if (out->len == LIMIT_CERTIFICATE_ITEMS)
			return false;
		out->attributes = arena_grow(cx->arena, out->attributes,
			out->len, &out->cap, sizeof(struct attribute));
		out->attributes[out->len] = (struct attribute){0};
		if (!attribute_read(cx, set, &out->attributes[out->len++]))
			return false;
	}
	return true;
}

static bool subject_read(struct bi_ctx *cx, struct str raw, struct dn *out,
	struct asn_fault *fault)
{
	static const struct asn_kind set = {17, true, ""};
	struct asn outer = {raw, 0, fault}, list, one = {.fault = fault};

	if (!asn_enter(&outer, "RDNSequence", &list, NULL) ||
		!all_tagged(&list, 17))
		return false;
	while (!asn_end(&list)) {
		one.at = 0;
		if (!asn_take(&list, set, &one.s, NULL) ||
			!all_tagged(&one, 16) || !dn_add(cx, &one, out))
			return false;
	}
	return true;
}

/* --- attributes ------------------------------------------------------------
 */

/* The attribute's type, and the members of its set of values. */
static bool attribute_open(struct str raw, struct str *type, struct asn *values)
{
	static const struct asn_kind set = {17, true, ""};
	struct asn outer = {raw, 0, values->fault}, inner;

	values->at = 0;
	return asn_enter(&outer, "", &inner, NULL) && asn_end(&outer) &&
	       asn_identifier(&inner, type) &&
	       asn_take(&inner, set, &values->s, NULL);
}

/* [[{Type, Value}]] of an attribute; false if it is of another form. */
static bool attribute_set(struct bi_ctx *cx, struct str raw, struct value *out)
{
	struct asn_fault fault = {""};
	struct asn values = {.fault = &fault}, list;
	struct builder b = builder_obj(cx->arena);
	struct value *sets;
	struct str type;
	uint32_t n = 0;

	if (!attribute_open(raw, &type, &values) || !all_tagged(&values, 16))
		return false;
	sets = ARENA_ARRAY(cx->arena, struct value, raw.len / 2 + 1);
	while (!asn_end(&values)) {
		struct dn one = {0};
		struct value *items;

		if (!asn_enter(&values, "", &list, NULL) ||
			!all_tagged(&list, 16) || !dn_add(cx, &list, &one))
			return false;
		items = ARENA_ARRAY(cx->arena, struct value, one.len);
		for (uint32_t i = 0; i < one.len; i++)
			items[i] = attribute_value(cx, &one.attributes[i]);
		sets[n++] = v_arr(cx->arena, items, one.len);
	}
	put(cx, &b, "Type", oid_value(cx, type));
	put(cx, &b, "Value", v_arr(cx->arena, sets, n));
	*out = builder_done(&b);
	return true;
}

static struct value attributes_value(struct bi_ctx *cx, struct str all)
{
	struct asn_fault fault = {""};
	struct asn r = {all, 0, &fault};
	struct value *items =
		ARENA_ARRAY(cx->arena, struct value, all.len / 2 + 1);
	struct asn_any any;
	uint32_t n = 0;

	while (!asn_end(&r) && asn_next(&r, &any))
		n += attribute_set(cx, any.whole, &items[n]);
	return n ? v_arr(cx->arena, items, n) : v_null;
}

/* --- extensions ------------------------------------------------------------
 */

static bool extension_take(struct asn *r, struct extension *out)
{
	static const struct asn_kind truth = {DER_BOOL, false, "bool"};
	struct asn inner;
	struct str body;
	struct value v = v_null;

	if (!asn_enter(r, "Extension", &inner, NULL) ||
		!asn_identifier(&inner, &out->id))
		return false;
	if (asn_is_next(&inner, DER_BOOL)) {
		if (!asn_take(&inner, truth, &body, NULL) ||
			!bool_any(r->fault, body, &v))
			return false;
		out->critical = v.tag == V_TRUE;
	}
	return asn_take(&inner, asn_octets, &out->value, NULL);
}

static const char *extensions_take(
	struct bi_ctx *cx, struct asn *r, struct extensions *out)
{
	struct asn list;

	if (!asn_enter(r, "", &list, NULL) || !all_tagged(&list, 16))
		return r->fault->text;
	while (!asn_end(&list)) {
		struct extension e = {0};

		if (out->len == LIMIT_CERTIFICATE_ITEMS)
			return certificate_too_many;
		if (!extension_take(&list, &e))
			return r->fault->text;
		if (extension_find(out, e.id))
			return "x509: certificate request contains duplicate "
			       "requested extensions";
		out->items = arena_grow(
			cx->arena, out->items, out->len, &out->cap, sizeof(e));
		out->items[out->len++] = e;
	}
	return NULL;
}

/* All extensions that are asked for. */
static const char *requested(
	struct bi_ctx *cx, struct request *q, struct asn_fault *fault)
{
	static const struct str extension_request =
		OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e");
	struct asn r = {q->attributes, 0, fault};
	const char *why = NULL;
	struct asn_any any;

	while (!asn_end(&r) && !why && asn_next(&r, &any)) {
		struct asn_fault ignored = {""};
		struct asn values = {.fault = &ignored};
		struct str type;

		if (!attribute_open(any.whole, &type, &values) ||
			asn_end(&values) || !str_eq(type, extension_request))
			continue;
		values.fault = fault;
		why = extensions_take(cx, &values, &q->extensions);
	}
	return why;
}

/* --- a whole one -----------------------------------------------------------
 */

static bool key_take(struct asn *r, struct request *q)
{
	struct asn inner;
	struct str oid, params;
	struct der_bits bits;

	return asn_enter(r, "publicKeyInfo", &inner, &q->raw_spki) &&
	       asn_algorithm(&inner, &oid, &params) &&
	       asn_bit_string(&inner, &bits);
}

static bool attributes_take(struct asn *r, struct request *q)
{
	struct asn_any any;
	struct asn walk = {.fault = r->fault};

	if (!asn_next(r, &any))
		return false;
	if (any.class != 2 || any.tag || !any.compound)
		return asn_structure(r->fault, "tags don't match (0)");
	q->attributes = walk.s = any.body;
	while (!asn_end(&walk))
		if (!asn_next(&walk, &any)) {
			truncated(r->fault);
			return false;
		}
	return true;
}

static bool tbs_take(struct asn *r, struct request *q)
{
	struct asn inner;
	struct asn_any subject;

	if (!asn_enter(r, "tbsCertificateRequest", &inner, &q->raw_tbs) ||
		!asn_int64(&inner, &q->version) || !asn_next(&inner, &subject))
		return false;
	q->raw_subject = subject.whole;
	return key_take(&inner, q) && attributes_take(&inner, q);
}

static bool request_take(
	struct str der, struct request *q, struct asn_fault *fault)
{
	struct asn outer = {der, 0, fault}, inner;
	struct str oid, params;

	if (!asn_enter(&outer, "certificateRequest", &inner, &q->raw) ||
		!tbs_take(&inner, q) || !asn_algorithm(&inner, &oid, &params) ||
		!asn_bit_string(&inner, &q->signature))
		return false;
	q->signature_algorithm = signature_algorithm_of(oid, params);
	return asn_end(&outer) || asn_syntax(fault, "trailing data");
}

static const char *request_parse(struct bi_ctx *cx, struct str der,
	struct request *q, struct asn_fault *fault)
{
	static const struct str names = OID(OID_SUBJECT_ALT_NAME);
	const struct extension *e;
	const char *why;

	if (!request_take(der, q, fault))
		return fault->text;
	why = public_key_parse(cx, q->raw_spki, &q->key);
	if (why)
		return why;
	if (!subject_read(cx, q->raw_subject, &q->subject, fault))
		return fault->text[0] ? fault->text : certificate_too_many;
	why = requested(cx, q, fault);
	if (why)
		return why;
	e = extension_find(&q->extensions, names);
	return e ? alt_names_parse(cx, e->value, &q->names) : NULL;
}

static struct value request_value(struct bi_ctx *cx, const struct request *q)
{
	struct builder b = builder_obj(cx->arena);

	put(cx, &b, "Raw", base64_value(cx, q->raw));
	put(cx, &b, "RawTBSCertificateRequest", base64_value(cx, q->raw_tbs));
	put(cx, &b, "RawSubjectPublicKeyInfo", base64_value(cx, q->raw_spki));
	put(cx, &b, "RawSubject", base64_value(cx, q->raw_subject));
	put(cx, &b, "Version", v_int(q->version));
	put(cx, &b, "Signature",
		base64_value(cx, bits_right(cx->arena, q->signature)));
	put(cx, &b, "SignatureAlgorithm", v_int(q->signature_algorithm));
	put(cx, &b, "PublicKeyAlgorithm", v_int(q->key.kind));
	put(cx, &b, "PublicKey", public_key_value(cx, &q->key));
	put(cx, &b, "Subject", dn_value(cx, &q->subject));
	put(cx, &b, "Attributes", attributes_value(cx, q->attributes));
	put(cx, &b, "Extensions", extensions_value(cx, &q->extensions));
	put(cx, &b, "ExtraExtensions", v_null);
	alt_names_put(cx, &b, &q->names);
	return builder_done(&b);
}

enum bi_status certificate_request_value(
	struct bi_ctx *cx, struct str der, struct value *out)
{
	struct asn_fault fault = {""};
	struct request q = {0};
	const char *why;

	if (!bi_charge(cx, der.len / 8))
		return BI_HALT;
	why = request_parse(cx, der, &q, &fault);
	if (why)
		return certificate_error(cx, why);
	*out = request_value(cx, &q);
	return BI_OK;
}
