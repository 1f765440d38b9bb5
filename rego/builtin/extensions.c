/*
 * extensions: what the extensions of a certificate say.
 *
 * Source: RFC 5280, sections 4.2.1 and 4.2.2.
 */
#include "base/digest.h"
#include "base/limits.h"
#include "rego/builtin/address.h"
#include "rego/builtin/certificate.h"
#include "rego/builtin/unicode.h"
#include "rego/url.h"

#include <string.h>

/* --- names -----------------------------------------------------------------
 */

bool domain_valid(struct str s, bool constraint)
{
	bool label = false;

	if (!s.len)
		return true;
	for (size_t i = constraint && s.ptr[0] == '.'; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c < 33 || c > 126 || (c == '.' && !label))
			return false;
		label = c != '.';
	}
	return label;
}

static bool is_quoted_char(unsigned char c)
{
	return c && c < 127 && c != '\t' && c != '\n' && c != '\r' &&
	       c != '"' && c != '\\';
}

static bool is_local_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

/* What a backslash may stand in front of, in quotes. */
static bool is_escapable(unsigned char c)
{
	return c && c < 128 && c != '\n' && c != '\r';
}

/* "..." at the front of *s; `local` is what it says. */
static bool quoted_local(struct str *s, struct buf *local)
{
	size_t i = 1;

	for (; i < s->len && s->ptr[i] != '"'; i++) {
		unsigned char c = (unsigned char)s->ptr[i];

		if (c == '\\') {
			if (++i == s->len ||
				!is_escapable((unsigned char)s->ptr[i]))
				return false;
		} else if (!is_quoted_char(c) && c != 127) {
			return false;
		}
		buf_addc(local, s->ptr[i]);
	}
	if (i >= s->len)
		return false;
	*s = str_slice(*s, i + 1, s->len);
	return true;
}

/* Without quotes: letters, some signs, anything behind a backslash. */
static bool plain_local(struct str *s, struct buf *local)
{
	struct str text;
	size_t i = 0;

	for (; i < s->len; i++) {
		if (s->ptr[i] == '\\') {
			if (++i == s->len)
				return false;
		} else if (!is_local_char(s->ptr[i])) {
			break;
		}
		buf_addc(local, s->ptr[i]);
	}
	text = buf_str(local);
	*s = str_slice(*s, i, s->len);
	return text.len && text.ptr[0] != '.' && !str_ends(text, S(".")) &&
	       str_find(text, S(".."), 0) == SIZE_MAX;
}

bool mailbox_parse(struct arena *a, struct str s, struct mailbox *out)
{
	struct buf local = {0};
	bool ok = s.len && (s.ptr[0] == '"' ? quoted_local(&s, &local)
					    : plain_local(&s, &local));

	out->local = arena_str(a, buf_str(&local));
	buf_release(&local);
	if (!ok || !s.len || s.ptr[0] != '@')
		return false;
	out->domain = str_slice(s, 1, s.len);
	return domain_valid(out->domain, false);
}

static const char *with_quoted(struct bi_ctx *cx, const char *before,
	struct str quoted, const char *after)
{
	struct buf text = {0};
	const char *why;

	buf_adds(&text, before);
	quote_go(&text, quoted, false);
	buf_adds(&text, after);
	why = arena_strdup(cx->arena, buf_str(&text));
	buf_release(&text);
	return why;
}

static const char *uri_check(struct bi_ctx *cx, struct str s)
{
	struct url_parts parts = {0};
	struct buf text = {0};
	const char *why = NULL;

	if (!url_split(s, &parts, &text))
		why = with_quoted(cx, "x509: cannot parse URI ", s,
			arena_printf(cx->arena, ": %s", text.ptr));
	else if (!domain_valid(buf_str(&parts.host), false))
		why = with_quoted(
			cx, "x509: cannot parse URI ", s, ": invalid domain");
	url_parts_release(&parts);
	buf_release(&text);
	return why;
}

enum { NAME_EMAIL = 1, NAME_DNS = 2, NAME_URI = 6, NAME_ADDRESS = 7 };

static const char *alt_name(
	struct bi_ctx *cx, int kind, struct str s, struct alt_names *out)
{
	struct strs *to = kind == NAME_EMAIL ? &out->emails
			  : kind == NAME_DNS ? &out->dns
			  : kind == NAME_URI ? &out->uris
					     : &out->addresses;
	const char *why = NULL;

	if (kind == NAME_ADDRESS && s.len != 4 && s.len != 16)
		return arena_printf(cx->arena,
			"x509: cannot parse IP address of length %zu", s.len);
	if (kind != NAME_ADDRESS && !str_is_ascii(s))
		return kind == NAME_EMAIL ? "x509: SAN rfc822Name is malformed"
		       : kind == NAME_DNS
			       ? "x509: SAN dNSName is malformed"
			       : "x509: SAN uniformResourceIdentifier is "
				 "malformed";
	if (kind == NAME_URI)
		why = uri_check(cx, s);
	if (!why && !strs_add(cx->arena, to, s))
		why = certificate_too_many;
	return why;
}

const char *alt_names_parse(
	struct bi_ctx *cx, struct str der, struct alt_names *out)
{
	const char *why = NULL;
	struct str body;
	int tag;

	if (!der_read(&der, DER_SEQUENCE, &der))
		return "x509: invalid subject alternative names";
	while (der.len && !why) {
		if (!der_any(&der, &tag, &body))
			return "x509: invalid subject alternative name";
		tag ^= DER_FIELD;
		if (tag == NAME_EMAIL || tag == NAME_DNS || tag == NAME_URI ||
			tag == NAME_ADDRESS)
			why = alt_name(cx, tag, body, out);
	}
	return why;
}

static const char *read_alt_names(struct bi_ctx *cx, struct certificate *c,
	const struct extension *e, bool *unhandled)
{
	const char *why = alt_names_parse(cx, e->value, &c->names);

	*unhandled = !c->names.dns.len && !c->names.emails.len &&
		     !c->names.uris.len && !c->names.addresses.len;
	return why;
}

/* --- name constraints ------------------------------------------------------
 */

/* Ones, and nothing but zeros behind them. */
static bool is_mask(struct str s)
{
	bool ended = false;

	for (size_t i = 0; i < 8 * s.len; i++) {
		bool one = (unsigned char)s.ptr[i / 8] >> (7 - i % 8) & 1;

		if (one && ended)
			return false;
		ended = !one;
	}
	return true;
}

static const char *network(struct bi_ctx *cx, struct str s, struct strs *to)
{
	struct str mask;
	struct buf hex = {0};
	const char *why;

	if (s.len != 8 && s.len != 32)
		return arena_printf(cx->arena,
			"x509: IP constraint contained value of length %zu",
			s.len);
	mask = str_slice(s, s.len / 2, s.len);
	if (is_mask(mask))
		return strs_add(cx->arena, to, s) ? NULL : certificate_too_many;
	digest_hex(&hex, (const unsigned char *)mask.ptr, mask.len);
	why = arena_printf(cx->arena,
		"x509: IP constraint contained invalid mask %s", hex.ptr);
	buf_release(&hex);
	return why;
}

static const char *bad_subtree(
	struct bi_ctx *cx, int kind, struct str s, const char *after)
{
	const char *name = kind == NAME_EMAIL ? "rfc822Name"
			   : kind == NAME_DNS ? "dnsName"
					      : "URI";

	return with_quoted(cx,
		arena_printf(cx->arena, "x509: failed to parse %s constraint ",
			name),
		s, after);
}

static const char *subtree(
	struct bi_ctx *cx, int kind, struct str s, struct subtrees *to)
{
	struct strs *list = kind == NAME_EMAIL ? &to->emails
			    : kind == NAME_DNS ? &to->dns
					       : &to->uris;
	struct mailbox mailbox;
	struct ip ip;
	bool is_v4, good;

	if (!str_is_ascii(s))
		return with_quoted(cx,
			"x509: invalid constraint value: x509: ", s,
			" cannot be encoded as an IA5String");
	if (kind == NAME_URI && ip_parse(s, &ip, &is_v4))
		return bad_subtree(cx, kind, s, ": cannot be IP address");
	good = kind == NAME_EMAIL && str_find(s, S("@"), 0) != SIZE_MAX
		       ? mailbox_parse(cx->arena, s, &mailbox)
		       : domain_valid(s, true);
	if (!good)
		return bad_subtree(cx, kind, s, "");
	return strs_add(cx->arena, list, s) ? NULL : certificate_too_many;
}

static const char *subtrees(
	struct bi_ctx *cx, struct str r, struct subtrees *to, bool *unhandled)
{
	const char *why = NULL;
	struct str body;
	int tag;

	while (r.len && !why) {
		if (!der_read(&r, DER_SEQUENCE, &body) ||
			!der_any(&body, &tag, &body))
			return "x509: invalid NameConstraints extension";
		tag ^= DER_FIELD;
		if (tag == NAME_ADDRESS)
			why = network(cx, body, &to->networks);
		else if (tag == NAME_EMAIL || tag == NAME_DNS ||
			 tag == NAME_URI)
			why = subtree(cx, tag, body, to);
		else
			*unhandled = true;
	}
	return why;
}

static const char *read_name_constraints(struct bi_ctx *cx,
	struct certificate *c, const struct extension *e, bool *unhandled)
{
	struct str r = e->value, body, permitted, excluded;
	const char *why;

	if (!der_read(&r, DER_SEQUENCE, &body) || r.len ||
		!der_maybe(&body, DER_EXPLICIT, &permitted) ||
		!der_maybe(&body, DER_EXPLICIT + 1, &excluded) || body.len)
		return "x509: invalid NameConstraints extension";
	if (!permitted.len && !excluded.len)
		return "x509: empty name constraints extension";
	why = subtrees(cx, permitted, &c->permitted, unhandled);
	if (!why)
		why = subtrees(cx, excluded, &c->excluded, unhandled);
	c->subtrees_critical = e->critical;
	return why;
}

/* --- keys and their uses ---------------------------------------------------
 */

static const char *read_key_usage(struct bi_ctx *cx, struct certificate *c,
	const struct extension *e, bool *unhandled)
{
	struct str r = e->value;
	struct der_bits bits;

	(void)cx;
	(void)unhandled;
	if (!der_bits(&r, &bits))
		return "x509: invalid key usage";
	for (size_t i = 0; i < 9 && i < 8 * bits.bytes.len; i++)
		if (bits.bytes.ptr[i / 8] & 0x80 >> i % 8)
			c->key_usage |= 1u << i;
	return NULL;
}

/* In the order of Go's ExtKeyUsage. */
/* clang-format off */
static const struct str key_usages[] = {
	OID("\x55\x1d\x25\x00"),                         /* any */
	OID("\x2b\x06\x01\x05\x05\x07\x03\x01"),         /* server */
	OID("\x2b\x06\x01\x05\x05\x07\x03\x02"),         /* client */
	OID("\x2b\x06\x01\x05\x05\x07\x03\x03"),         /* code */
	OID("\x2b\x06\x01\x05\x05\x07\x03\x04"),         /* email */
	OID("\x2b\x06\x01\x05\x05\x07\x03\x05"),         /* IPSEC end system */
	OID("\x2b\x06\x01\x05\x05\x07\x03\x06"),         /* IPSEC tunnel */
	OID("\x2b\x06\x01\x05\x05\x07\x03\x07"),         /* IPSEC user */
	OID("\x2b\x06\x01\x05\x05\x07\x03\x08"),         /* time stamping */
	OID("\x2b\x06\x01\x05\x05\x07\x03\x09"),         /* OCSP */
	OID("\x2b\x06\x01\x04\x01\x82\x37\x0a\x03\x03"), /* Microsoft SGC */
	OID("\x60\x86\x48\x01\x86\xf8\x42\x04\x01"),     /* Netscape SGC */
	OID("\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x16"), /* commercial code */
	OID("\x2b\x06\x01\x04\x01\x82\x37\x3d\x01\x01"), /* kernel code */
};
/* clang-format on */

static int key_usage_of(struct str oid)
{
	for (size_t i = 0; i < COUNT(key_usages); i++)
		if (str_eq(oid, key_usages[i]))
			return (int)i;
	return -1;
}

static bool add_key_usage(
	struct bi_ctx *cx, struct certificate *c, struct str oid)
{
	struct usages *list = &c->ext_key_usage;
	int usage = key_usage_of(oid);

	if (usage < 0)
		return strs_add(cx->arena, &c->unknown_key_usage, oid);
	if (list->len == LIMIT_CERTIFICATE_ITEMS)
		return false;
	list->items = arena_grow(
		cx->arena, list->items, list->len, &list->cap, sizeof(usage));
	list->items[list->len++] = usage;
	return true;
}

static const char *read_ext_key_usage(struct bi_ctx *cx, struct certificate *c,
	const struct extension *e, bool *unhandled)
{
	struct str r = e->value, oid;

	(void)unhandled;
	if (!der_read(&r, DER_SEQUENCE, &r))
		return "x509: invalid extended key usages";
	while (r.len) {
		if (!der_oid(&r, &oid))
			return "x509: invalid extended key usages";
		if (!add_key_usage(cx, c, oid))
			return certificate_too_many;
	}
	return NULL;
}

static const char *read_subject_key_id(struct bi_ctx *cx, struct certificate *c,
	const struct extension *e, bool *unhandled)
{
	struct str r = e->value;

	(void)cx;
	(void)unhandled;
	if (e->critical)
		return "x509: subject key identifier incorrectly marked "
		       "critical";
	return der_read(&r, DER_OCTETS, &c->subject_key_id)
		       ? NULL
		       : "x509: invalid subject key identifier";
}

static const char *read_authority_key_id(struct bi_ctx *cx,
	struct certificate *c, const struct extension *e, bool *unhandled)
{
	struct str r = e->value;

	(void)cx;
	(void)unhandled;
	if (e->critical)
		return "x509: authority key identifier incorrectly marked "
		       "critical";
	return der_read(&r, DER_SEQUENCE, &r) &&
			       der_maybe(&r, DER_FIELD, &c->authority_key_id)
		       ? NULL
		       : "x509: invalid authority key identifier";
}

/* --- authorities -----------------------------------------------------------
 */

static const char *read_basic_constraints(struct bi_ctx *cx,
	struct certificate *c, const struct extension *e, bool *unhandled)
{
	struct str r = e->value;

	(void)cx;
	(void)unhandled;
	c->max_path_len = -1;
	if (!der_read(&r, DER_SEQUENCE, &r) ||
		(der_is_next(r, DER_BOOL) && !der_bool(&r, &c->is_ca)) ||
		(der_is_next(r, DER_INT) &&
			(!der_int64(&r, DER_INT, &c->max_path_len) ||
				c->max_path_len < 0)))
		return "x509: invalid basic constraints";
	c->has_constraints = true;
	return NULL;
}

/* The URIs of one distribution point. */
static const char *crl_point(
	struct bi_ctx *cx, struct str point, struct certificate *c)
{
	static const char invalid[] = "x509: invalid CRL distribution point";
	struct str name, uri;

	if (!der_maybe(&point, DER_EXPLICIT, &name))
		return invalid;
	if (!name.ptr)
		return NULL;
	if (!der_read(&name, DER_EXPLICIT, &name))
		return invalid;
	while (der_is_next(name, DER_FIELD + NAME_URI)) {
		if (!der_read(&name, DER_FIELD + NAME_URI, &uri))
			return invalid;
		if (!strs_add(cx->arena, &c->crl_points, uri))
			return certificate_too_many;
	}
	return NULL;
}

static const char *read_crl_points(struct bi_ctx *cx, struct certificate *c,
	const struct extension *e, bool *unhandled)
{
	struct str r = e->value, point;
	const char *why = NULL;

	(void)unhandled;
	if (!der_read(&r, DER_SEQUENCE, &r))
		return "x509: invalid CRL distribution points";
	while (r.len && !why)
		why = der_read(&r, DER_SEQUENCE, &point)
			      ? crl_point(cx, point, c)
			      : "x509: invalid CRL distribution point";
	return why;
}

static const char *access_method(
	struct bi_ctx *cx, struct str body, struct certificate *c)
{
	static const struct str ocsp = OID("\x2b\x06\x01\x05\x05\x07\x30\x01");
	static const struct str issuers =
		OID("\x2b\x06\x01\x05\x05\x07\x30\x02");
	struct strs *to;
	struct str method, uri;

	if (!der_oid(&body, &method) ||
		!der_maybe(&body, DER_FIELD + NAME_URI, &uri))
		return "x509: invalid authority info access";
	to = str_eq(method, ocsp)      ? &c->ocsp_servers
	     : str_eq(method, issuers) ? &c->issuer_urls
				       : NULL;
	if (uri.ptr && to && !strs_add(cx->arena, to, uri))
		return certificate_too_many;
	return NULL;
}

static const char *read_access(struct bi_ctx *cx, struct certificate *c,
	const struct extension *e, bool *unhandled)
{
	struct str r = e->value, body;
	const char *why = NULL;

	(void)unhandled;
	if (e->critical)
		return "x509: authority info access incorrectly marked "
		       "critical";
	if (!der_read(&r, DER_SEQUENCE, &r))
		return "x509: invalid authority info access";
	while (r.len && !why)
		why = der_read(&r, DER_SEQUENCE, &body)
			      ? access_method(cx, body, c)
			      : "x509: invalid authority info access";
	return why;
}

/* --- policies --------------------------------------------------------------
 */

static const char *read_policies(struct bi_ctx *cx, struct certificate *c,
	const struct extension *e, bool *unhandled)
{
	struct str r = e->value, policy, oid;

	(void)unhandled;
	c->policies.made = true;
	if (!der_read(&r, DER_SEQUENCE, &r))
		return "x509: invalid certificate policies";
	while (r.len) {
		if (!der_read(&r, DER_SEQUENCE, &policy) ||
			!der_read(&policy, DER_OID, &oid) ||
			strs_has(&c->policies, oid) || !der_oid_valid(oid))
			return "x509: invalid certificate policies";
		if (!strs_add(cx->arena, &c->policies, oid))
			return certificate_too_many;
	}
	return NULL;
}

static const char *read_policy_mappings(struct bi_ctx *cx,
	struct certificate *c, const struct extension *e, bool *unhandled)
{
	struct policy_mappings *list = &c->mappings;
	struct str r = e->value, body;
	struct policy_mapping m;

	(void)unhandled;
	if (!der_read(&r, DER_SEQUENCE, &r))
		return "x509: invalid policy mappings extension";
	while (r.len) {
		if (!der_read(&r, DER_SEQUENCE, &body) ||
			!der_read(&body, DER_OID, &m.issuer) ||
			!der_read(&body, DER_OID, &m.subject))
			return "x509: invalid policy mappings extension";
		if (list->len == LIMIT_CERTIFICATE_ITEMS)
			return certificate_too_many;
		list->items = arena_grow(cx->arena, list->items, list->len,
			&list->cap, sizeof(m));
		list->items[list->len++] = m;
	}
	return NULL;
}

static bool read_count(struct str *r, int tag, struct count *out)
{
	out->given = true;
	return der_int64(r, tag, &out->n);
}

static const char *read_policy_constraints(struct bi_ctx *cx,
	struct certificate *c, const struct extension *e, bool *unhandled)
{
	struct str r = e->value;

	(void)cx;
	(void)unhandled;
	if (!der_read(&r, DER_SEQUENCE, &r) ||
		(der_is_next(r, DER_FIELD) &&
			!read_count(&r, DER_FIELD, &c->require_explicit)) ||
		(der_is_next(r, DER_FIELD + 1) &&
			!read_count(&r, DER_FIELD + 1, &c->inhibit_mapping)))
		return "x509: invalid policy constraints extension";
	return NULL;
}

static const char *read_inhibit_any(struct bi_ctx *cx, struct certificate *c,
	const struct extension *e, bool *unhandled)
{
	struct str r = e->value;

	(void)cx;
	(void)unhandled;
	return read_count(&r, DER_INT, &c->inhibit_any)
		       ? NULL
		       : "x509: invalid inhibit any policy extension";
}

/* --- all -------------------------------------------------------------------
 */

/* clang-format off */
static const struct {
	struct str id;
	const char *(*read)(struct bi_ctx *cx, struct certificate *c,
		const struct extension *e, bool *unhandled);
} readers[] = {
	{OID("\x55\x1d\x0e"),                     read_subject_key_id},
	{OID("\x55\x1d\x0f"),                     read_key_usage},
	{OID(OID_SUBJECT_ALT_NAME),               read_alt_names},
	{OID("\x55\x1d\x13"),                     read_basic_constraints},
	{OID("\x55\x1d\x1e"),                     read_name_constraints},
	{OID("\x55\x1d\x1f"),                     read_crl_points},
	{OID("\x55\x1d\x20"),                     read_policies},
	{OID("\x55\x1d\x21"),                     read_policy_mappings},
	{OID("\x55\x1d\x23"),                     read_authority_key_id},
	{OID("\x55\x1d\x24"),                     read_policy_constraints},
	{OID("\x55\x1d\x25"),                     read_ext_key_usage},
	{OID("\x55\x1d\x36"),                     read_inhibit_any},
	{OID("\x2b\x06\x01\x05\x05\x07\x01\x01"), read_access},
};
/* clang-format on */

const char *extension_read(struct bi_ctx *cx, struct certificate *c,
	const struct extension *e, bool *unhandled)
{
	for (size_t i = 0; i < COUNT(readers); i++)
		if (str_eq(e->id, readers[i].id))
			return readers[i].read(cx, c, e, unhandled);
	*unhandled = true;
	return NULL;
}
