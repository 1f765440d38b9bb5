/*
 * certificate_value: certificates as Go's encoding/json writes its structs.
 */
#include "rego/builtin/address.h"
#include "rego/builtin/bigint.h"
#include "rego/builtin/calendar.h"
#include "rego/builtin/certificate.h"
#include "rego/builtin/operand.h"
#include "rego/url.h"

#include <stdlib.h>
#include <string.h>

static void put(
	struct bi_ctx *cx, struct builder *b, const char *name, struct value v)
{
	builder_set_key(b, v_cstr(cx->arena, name), v);
}

/* --- scalars ---------------------------------------------------------------
 */

struct value base64_value(struct bi_ctx *cx, struct str bytes)
{
	struct value text, out;

	if (!bytes.ptr)
		return v_null;
	text = v_str(cx->arena, bytes);
	return operand_call(cx, "base64.encode", &text, &out) ? v_null : out;
}

struct value integer_value(struct bi_ctx *cx, struct str bytes)
{
	struct value out;
	mpz_t z, wrap;

	mpz_init(z);
	mpz_import(z, bytes.len, 1, 1, 1, 0, bytes.ptr);
	if (bytes.len && bytes.ptr[0] & 0x80) {
		mpz_init(wrap);
		mpz_setbit(wrap, 8 * bytes.len);
		mpz_sub(z, z, wrap);
		mpz_clear(wrap);
	}
	out = bigint_to_value(cx->arena, z);
	mpz_clear(z);
	return out;
}

/* Bytes of foreign texts; what is not UTF-8 becomes U+FFFD. */
static struct value text_value(struct bi_ctx *cx, struct str s)
{
	struct buf text = {0};
	struct value v;

	buf_addutf8(&text, s);
	v = v_str(cx->arena, buf_str(&text));
	buf_release(&text);
	return v;
}

struct value time_value(struct bi_ctx *cx, struct der_time t)
{
	struct civil c = civil_from(t.sec + t.zone * 60, 0);
	char text[48], zone[16] = "Z";

	if (t.zone)
		snprintf(zone, sizeof(zone), "%c%02d:%02d",
			t.zone < 0 ? '-' : '+', abs(t.zone) / 60,
			abs(t.zone) % 60);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d%s",
		(int)c.year, c.month, c.day, c.hour, c.min, c.sec, zone);
	return v_cstr(cx->arena, text);
}

/* --- identifiers -----------------------------------------------------------
 */

/* The bytes of the part at `at`; 0 when its last one is missing. */
static size_t part_len(struct str oid, size_t at)
{
	for (size_t i = at; i < oid.len; i++)
		if (!(oid.ptr[i] & 0x80))
			return i + 1 - at;
	return 0;
}

/* The first byte's two parts, 40 * x + y: puts x, leaves y. */
static void split_first(struct buf *out, mpz_t z)
{
	unsigned long x = mpz_cmp_ui(z, 80) < 0 ? mpz_get_ui(z) / 40 : 2;

	buf_addf(out, "%lu", x);
	mpz_sub_ui(z, z, 40 * x);
}

const char *oid_text(struct arena *a, struct str oid)
{
	struct buf out = {0};
	const char *name;
	size_t n;
	mpz_t z;

	mpz_init(z);
	for (size_t at = 0; (n = part_len(oid, at)); at += n) {
		char *text;

		mpz_import(z, n, 1, 1, 1, 1, oid.ptr + at);
		if (!at)
			split_first(&out, z);
		text = mpz_get_str(NULL, 10, z);
		buf_addf(&out, ".%s", text);
		free(text);
	}
	mpz_clear(z);
	name = arena_strdup(a, buf_str(&out));
	buf_release(&out);
	return name;
}

/* The numbers of `oid` in `items`; 0 when one has more than 31 bits. */
static uint32_t oid_numbers(struct str oid, struct value *items)
{
	uint64_t part;
	uint32_t n = 0;

	for (size_t at = 0; at < oid.len;) {
		if (!der_oid_part(oid, &at, &part) || part > INT32_MAX)
			return 0;
		if (!n) {
			items[n++] = v_int(part < 80 ? (int64_t)part / 40 : 2);
			part -= part < 80 ? part / 40 * 40 : 80;
		}
		items[n++] = v_int((int64_t)part);
	}
	return n;
}

struct value oid_value(struct bi_ctx *cx, struct str oid)
{
	struct value *items = ARENA_ARRAY(cx->arena, struct value, oid.len + 1);

	return v_arr(cx->arena, items, oid_numbers(oid, items));
}

static struct value oid_text_value(struct bi_ctx *cx, struct str oid)
{
	return v_cstr(cx->arena, oid_text(cx->arena, oid));
}

/* --- lists -----------------------------------------------------------------
 */

typedef struct value one_fn(struct bi_ctx *cx, struct str s);

/* A list of texts; null when there is none. */
static struct value list_value(
	struct bi_ctx *cx, const struct strs *list, one_fn *one)
{
	struct value *items;

	if (!list->len && !list->made)
		return v_null;
	items = ARENA_ARRAY(cx->arena, struct value, list->len);
	for (uint32_t i = 0; i < list->len; i++)
		items[i] = one(cx, list->items[i]);
	return v_arr(cx->arena, items, list->len);
}

static struct value address_value(struct bi_ctx *cx, struct str s)
{
	struct ip ip = ip_of(s);
	struct buf text = {0};
	struct value v;

	ip_put(&text, &ip);
	v = v_str(cx->arena, buf_str(&text));
	buf_release(&text);
	return v;
}

static struct value network_value(struct bi_ctx *cx, struct str s)
{
	struct builder b = builder_obj(cx->arena);

	put(cx, &b, "IP", address_value(cx, str_slice(s, 0, s.len / 2)));
	put(cx, &b, "Mask", base64_value(cx, str_slice(s, s.len / 2, s.len)));
	return builder_done(&b);
}

static struct value buf_value(struct bi_ctx *cx, const struct buf *b)
{
	return text_value(cx, buf_str(b));
}

static struct value kept_value(
	struct bi_ctx *cx, const struct buf *b, bool kept)
{
	return kept ? v_cstr(cx->arena, "") : buf_value(cx, b);
}

/* A uniform resource identifier as Go's url.URL. */
static struct value uri_value(struct bi_ctx *cx, struct str s)
{
	struct builder b = builder_obj(cx->arena);
	struct url_parts p = {0};
	struct buf why = {0};

	url_split(s, &p, &why);
	put(cx, &b, "Scheme", buf_value(cx, &p.scheme));
	put(cx, &b, "Opaque", buf_value(cx, &p.opaque));
	put(cx, &b, "User", p.has_user ? v_empty_obj : v_null);
	put(cx, &b, "Host", buf_value(cx, &p.host));
	put(cx, &b, "Path", buf_value(cx, &p.path));
	put(cx, &b, "RawPath", kept_value(cx, &p.raw_path, p.path_kept));
	put(cx, &b, "OmitHost", v_bool(p.no_authority));
	put(cx, &b, "ForceQuery", v_bool(p.has_query && !p.query.len));
	put(cx, &b, "RawQuery", buf_value(cx, &p.query));
	put(cx, &b, "Fragment", buf_value(cx, &p.fragment));
	put(cx, &b, "RawFragment",
		kept_value(cx, &p.raw_fragment, p.fragment_kept));
	url_parts_release(&p);
	buf_release(&why);
	return builder_done(&b);
}

static struct value uri_text_value(struct bi_ctx *cx, struct str s)
{
	struct buf text = {0}, why = {0};
	struct value v;

	url_normal(s, &text, &why);
	v = buf_value(cx, &text);
	buf_release(&text);
	buf_release(&why);
	return v;
}

/* --- parts -----------------------------------------------------------------
 */

static struct value ec_value(struct bi_ctx *cx, const struct public_key *k)
{
	struct builder b = builder_obj(cx->arena);

	ec_point_put(cx, &b, k);
	return builder_done(&b);
}

/* A coordinate has no sign. */
static struct value coordinate(struct bi_ctx *cx, const char *at, size_t len)
{
	char *bytes = arena_alloc(cx->arena, len + 1);

	memcpy(bytes + 1, at, len);
	return integer_value(cx, str_make(bytes, len + 1));
}

void ec_point_put(
	struct bi_ctx *cx, struct builder *b, const struct public_key *k)
{
	size_t n = k->curve->size;

	put(cx, b, "Curve", v_empty_obj);
	put(cx, b, "X", coordinate(cx, k->point.ptr + 1, n));
	put(cx, b, "Y", coordinate(cx, k->point.ptr + 1 + n, n));
}

static struct value dsa_value(struct bi_ctx *cx, const struct public_key *k)
{
	struct builder b = builder_obj(cx->arena);

	put(cx, &b, "P", integer_value(cx, k->p));
	put(cx, &b, "Q", integer_value(cx, k->q));
	put(cx, &b, "G", integer_value(cx, k->g));
	put(cx, &b, "Y", integer_value(cx, k->y));
	return builder_done(&b);
}

static struct value rsa_value(struct bi_ctx *cx, const struct public_key *k)
{
	struct builder b = builder_obj(cx->arena);

	put(cx, &b, "N", integer_value(cx, k->n));
	put(cx, &b, "E", integer_value(cx, k->e));
	return builder_done(&b);
}

struct value public_key_value(struct bi_ctx *cx, const struct public_key *k)
{
	switch (k->kind) {
	case KEY_RSA:
		return rsa_value(cx, k);
	case KEY_DSA:
		return dsa_value(cx, k);
	case KEY_EC:
		return ec_value(cx, k);
	case KEY_ED25519:
		return base64_value(cx, k->point);
	case KEY_UNKNOWN:
	case KEY_X25519:
		break;
	}
	return v_null;
}

/* Attributes that Go's pkix.Name has fields for, by the last byte of 2.5.4. */
/* clang-format off */
static const struct {
	char last;
	bool single; /* the last one counts */
	const char *name;
} name_fields[] = {
	{3,  true,  "CommonName"},
	{5,  true,  "SerialNumber"},
	{6,  false, "Country"},
	{7,  false, "Locality"},
	{8,  false, "Province"},
	{9,  false, "StreetAddress"},
	{10, false, "Organization"},
	{11, false, "OrganizationalUnit"},
	{17, false, "PostalCode"},
};
/* clang-format on */

static bool is_name_field(const struct attribute *at, char last)
{
	return at->type.len == 3 && !memcmp(at->type.ptr, "\x55\x04", 2) &&
	       at->type.ptr[2] == last && at->is_text;
}

static struct value name_field(
	struct bi_ctx *cx, const struct dn *name, char last, bool single)
{
	struct value *items = ARENA_ARRAY(cx->arena, struct value, name->len);
	uint32_t n = 0;

	for (uint32_t i = 0; i < name->len; i++)
		if (is_name_field(&name->attributes[i], last))
			items[n++] = name->attributes[i].value;
	if (single)
		return n ? items[n - 1] : v_cstr(cx->arena, "");
	return n ? v_arr(cx->arena, items, n) : v_null;
}

struct value attribute_value(struct bi_ctx *cx, const struct attribute *at)
{
	struct builder b = builder_obj(cx->arena);

	put(cx, &b, "Type", oid_value(cx, at->type));
	put(cx, &b, "Value", at->value);
	return builder_done(&b);
}

struct value dn_value(struct bi_ctx *cx, const struct dn *name)
{
	struct builder b = builder_obj(cx->arena);
	struct value *all = ARENA_ARRAY(cx->arena, struct value, name->len);

	for (size_t i = 0; i < COUNT(name_fields); i++)
		put(cx, &b, name_fields[i].name,
			name_field(cx, name, name_fields[i].last,
				name_fields[i].single));
	for (uint32_t i = 0; i < name->len; i++)
		all[i] = attribute_value(cx, &name->attributes[i]);
	put(cx, &b, "Names",
		name->len ? v_arr(cx->arena, all, name->len) : v_null);
	put(cx, &b, "ExtraNames", v_null);
	return builder_done(&b);
}

static struct value extension_value(
	struct bi_ctx *cx, const struct extension *e)
{
	struct builder b = builder_obj(cx->arena);

	put(cx, &b, "Id", oid_value(cx, e->id));
	put(cx, &b, "Critical", v_bool(e->critical));
	put(cx, &b, "Value", base64_value(cx, e->value));
	return builder_done(&b);
}

struct value extensions_value(struct bi_ctx *cx, const struct extensions *list)
{
	struct value *items = ARENA_ARRAY(cx->arena, struct value, list->len);

	for (uint32_t i = 0; i < list->len; i++)
		items[i] = extension_value(cx, &list->items[i]);
	return list->len ? v_arr(cx->arena, items, list->len) : v_null;
}

void alt_names_put(
	struct bi_ctx *cx, struct builder *b, const struct alt_names *names)
{
	put(cx, b, "DNSNames", list_value(cx, &names->dns, text_value));
	put(cx, b, "EmailAddresses",
		list_value(cx, &names->emails, text_value));
	put(cx, b, "IPAddresses",
		list_value(cx, &names->addresses, address_value));
	put(cx, b, "URIs", list_value(cx, &names->uris, uri_value));
}

/* --- a certificate ---------------------------------------------------------
 */

static void raw_put(
	struct bi_ctx *cx, struct builder *b, const struct certificate *c)
{
	put(cx, b, "Raw", base64_value(cx, c->raw));
	put(cx, b, "RawTBSCertificate", base64_value(cx, c->raw_tbs));
	put(cx, b, "RawSubjectPublicKeyInfo", base64_value(cx, c->raw_spki));
	put(cx, b, "RawSubject", base64_value(cx, c->raw_subject));
	put(cx, b, "RawIssuer", base64_value(cx, c->raw_issuer));
	put(cx, b, "Signature", base64_value(cx, c->signature));
	put(cx, b, "SignatureAlgorithm", v_int(c->signature_algorithm));
	put(cx, b, "PublicKeyAlgorithm", v_int(c->key.kind));
	put(cx, b, "PublicKey", public_key_value(cx, &c->key));
}

static void subject_put(
	struct bi_ctx *cx, struct builder *b, const struct certificate *c)
{
	put(cx, b, "Version", v_int(c->version));
	put(cx, b, "SerialNumber", integer_value(cx, c->serial));
	put(cx, b, "Issuer", dn_value(cx, &c->issuer));
	put(cx, b, "Subject", dn_value(cx, &c->subject));
	put(cx, b, "NotBefore", time_value(cx, c->not_before));
	put(cx, b, "NotAfter", time_value(cx, c->not_after));
	put(cx, b, "Extensions", extensions_value(cx, &c->extensions));
	put(cx, b, "ExtraExtensions", v_null);
	put(cx, b, "UnhandledCriticalExtensions",
		list_value(cx, &c->unhandled, oid_value));
	put(cx, b, "SubjectKeyId", base64_value(cx, c->subject_key_id));
	put(cx, b, "AuthorityKeyId", base64_value(cx, c->authority_key_id));
}

static struct value usages_value(struct bi_ctx *cx, const struct usages *u)
{
	struct value *items = ARENA_ARRAY(cx->arena, struct value, u->len);

	for (uint32_t i = 0; i < u->len; i++)
		items[i] = v_int(u->items[i]);
	return u->len ? v_arr(cx->arena, items, u->len) : v_null;
}

static void uses_put(
	struct bi_ctx *cx, struct builder *b, const struct certificate *c)
{
	put(cx, b, "KeyUsage", v_int(c->key_usage));
	put(cx, b, "ExtKeyUsage", usages_value(cx, &c->ext_key_usage));
	put(cx, b, "UnknownExtKeyUsage",
		list_value(cx, &c->unknown_key_usage, oid_value));
	put(cx, b, "BasicConstraintsValid", v_bool(c->has_constraints));
	put(cx, b, "IsCA", v_bool(c->is_ca));
	put(cx, b, "MaxPathLen", v_int(c->max_path_len));
	put(cx, b, "MaxPathLenZero",
		v_bool(c->has_constraints && !c->max_path_len));
	put(cx, b, "OCSPServer", list_value(cx, &c->ocsp_servers, text_value));
	put(cx, b, "IssuingCertificateURL",
		list_value(cx, &c->issuer_urls, text_value));
	put(cx, b, "CRLDistributionPoints",
		list_value(cx, &c->crl_points, text_value));
}

static void constraints_put(
	struct bi_ctx *cx, struct builder *b, const struct certificate *c)
{
	const struct subtrees *yes = &c->permitted, *no = &c->excluded;

	put(cx, b, "PermittedDNSDomainsCritical", v_bool(c->subtrees_critical));
	put(cx, b, "PermittedDNSDomains",
		list_value(cx, &yes->dns, text_value));
	put(cx, b, "ExcludedDNSDomains", list_value(cx, &no->dns, text_value));
	put(cx, b, "PermittedIPRanges",
		list_value(cx, &yes->networks, network_value));
	put(cx, b, "ExcludedIPRanges",
		list_value(cx, &no->networks, network_value));
	put(cx, b, "PermittedEmailAddresses",
		list_value(cx, &yes->emails, text_value));
	put(cx, b, "ExcludedEmailAddresses",
		list_value(cx, &no->emails, text_value));
	put(cx, b, "PermittedURIDomains",
		list_value(cx, &yes->uris, text_value));
	put(cx, b, "ExcludedURIDomains", list_value(cx, &no->uris, text_value));
}

/* Go's older list of the same, of those that fit its numbers. */
static struct value small_policies(
	struct bi_ctx *cx, const struct certificate *c)
{
	struct value *items =
		ARENA_ARRAY(cx->arena, struct value, c->policies.len);
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->policies.len; i++) {
		items[n] = oid_value(cx, c->policies.items[i]);
		n += v_len(items[n]) > 0;
	}
	return c->policies.made ? v_arr(cx->arena, items, n) : v_null;
}

static struct value mappings_value(
	struct bi_ctx *cx, const struct policy_mappings *list)
{
	struct value *items = ARENA_ARRAY(cx->arena, struct value, list->len);

	for (uint32_t i = 0; i < list->len; i++) {
		struct builder b = builder_obj(cx->arena);

		put(cx, &b, "IssuerDomainPolicy",
			oid_text_value(cx, list->items[i].issuer));
		put(cx, &b, "SubjectDomainPolicy",
			oid_text_value(cx, list->items[i].subject));
		items[i] = builder_done(&b);
	}
	return list->len ? v_arr(cx->arena, items, list->len) : v_null;
}

static void count_put(struct bi_ctx *cx, struct builder *b, const char *name,
	struct count count)
{
	char zero[48];

	snprintf(zero, sizeof(zero), "%sZero", name);
	put(cx, b, name, v_int(count.n));
	put(cx, b, zero, v_bool(count.given && !count.n));
}

static void policies_put(
	struct bi_ctx *cx, struct builder *b, const struct certificate *c)
{
	struct strs all = c->policies;

	all.made = false; /* an empty one is null here */
	put(cx, b, "Policies", list_value(cx, &all, oid_text_value));
	put(cx, b, "PolicyIdentifiers", small_policies(cx, c));
	put(cx, b, "PolicyMappings", mappings_value(cx, &c->mappings));
	count_put(cx, b, "InhibitAnyPolicy", c->inhibit_any);
	count_put(cx, b, "InhibitPolicyMapping", c->inhibit_mapping);
	count_put(cx, b, "RequireExplicitPolicy", c->require_explicit);
}

struct value certificate_value(
	struct bi_ctx *cx, const struct certificate *c, bool uri_strings)
{
	struct builder b = builder_obj(cx->arena);

	raw_put(cx, &b, c);
	subject_put(cx, &b, c);
	uses_put(cx, &b, c);
	alt_names_put(cx, &b, &c->names);
	constraints_put(cx, &b, c);
	policies_put(cx, &b, c);
	if (uri_strings)
		put(cx, &b, "URIStrings",
			list_value(cx, &c->names.uris, uri_text_value));
	return builder_done(&b);
}
