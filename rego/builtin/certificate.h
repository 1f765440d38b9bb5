/*
 * certificate: what an X.509 certificate or a request for one says.
 *
 * Reading takes and refuses what Go's crypto/x509 does, with its texts, and
 * keeps what its struct keeps: certificate_value() is that struct as JSON.
 * Everything is borrowed from the DER that was read, or lives in the arena of
 * the context. A struct str without a pointer is a field that Go leaves nil.
 *
 * Source: RFC 5280, RFC 2986; fields of x509.Certificate.
 */
#ifndef REGO_BUILTIN_CERTIFICATE_H
#define REGO_BUILTIN_CERTIFICATE_H

#include "rego/builtin.h"
#include "rego/builtin/der.h"

/* A list that grows in an arena. No items: Go's nil, unless `made`. */
struct strs {
	struct str *items;
	uint32_t len, cap;
	bool made;
};

/* Add one; false when there are LIMIT_CERTIFICATE_ITEMS. */
bool strs_add(struct arena *a, struct strs *list, struct str s);
bool strs_has(const struct strs *list, struct str s);

enum key_kind {
	KEY_UNKNOWN,
	KEY_RSA,
	KEY_DSA,
	KEY_EC,
	KEY_ED25519,
	KEY_X25519, /* only as a private key */
};                  /* up to there the numbers of Go's PublicKeyAlgorithm */

/* The numbers of Go's SignatureAlgorithm. */
enum signed_with {
	SIGNED_UNKNOWN,
	SIGNED_MD5_RSA = 2,
	SIGNED_SHA1_RSA,
	SIGNED_SHA256_RSA,
	SIGNED_SHA384_RSA,
	SIGNED_SHA512_RSA,
	SIGNED_SHA1_DSA,
	SIGNED_SHA256_DSA,
	SIGNED_SHA1_EC,
	SIGNED_SHA256_EC,
	SIGNED_SHA384_EC,
	SIGNED_SHA512_EC,
	SIGNED_SHA256_PSS,
	SIGNED_SHA384_PSS,
	SIGNED_SHA512_PSS,
	SIGNED_ED25519,
};

struct curve_info {
	const char *name; /* "P256", as Go's errors have it */
	const char *jwk;  /* "P-256" */
	struct str oid;
	size_t size;       /* bytes of a coordinate */
	const char *p, *b; /* y^2 = x^3 - 3 x + b modulo p, in hex */
};

/* By the bytes of its identifier, or NULL. */
const struct curve_info *curve_of(struct str oid);

struct public_key {
	enum key_kind kind;
	const struct curve_info *curve; /* of KEY_EC */
	struct str n, e;                /* RSA; numbers as der_int() has them */
	struct str p, q, g, y;          /* DSA */
	struct str point;               /* EC: 4, x, y; Ed25519: the key */
};

struct attribute {
	struct str type; /* identifier */
	struct value value;
	bool is_text; /* in Go; octets and times are texts only in JSON */
};

struct dn {
	struct str raw;
	struct attribute *attributes;
	uint32_t len, cap;
};

struct extension {
	struct str id, value;
	bool critical;
};

struct extensions {
	struct extension *items;
	uint32_t len, cap;
};

struct alt_names {
	struct strs dns, emails, addresses, uris;
};

struct subtrees {
	struct strs dns, emails, uris;
	struct strs networks; /* address and mask, of the same length */
};

struct policy_mapping {
	struct str issuer, subject; /* identifiers */
};

struct certificate {
	struct str raw, raw_tbs, raw_spki, raw_subject, raw_issuer;
	struct str signature;
	enum signed_with signature_algorithm;
	struct public_key key;
	int64_t version;
	struct str serial;
	struct dn issuer, subject;
	struct der_time not_before, not_after;
	struct extensions extensions;
	struct strs unhandled; /* identifiers of critical extensions */

	unsigned key_usage;
	struct usages {
		int *items; /* Go's numbers */
		uint32_t len, cap;
	} ext_key_usage;
	struct strs unknown_key_usage;
	bool has_constraints, is_ca;
	int64_t max_path_len; /* -1: none given */
	struct str subject_key_id, authority_key_id;
	struct strs ocsp_servers, issuer_urls, crl_points;
	struct alt_names names;
	bool subtrees_critical;
	struct subtrees permitted, excluded;
	struct strs policies;
	struct policy_mappings {
		struct policy_mapping *items;
		uint32_t len, cap;
	} mappings;
	struct count {
		int64_t n;
		bool given;
	} inhibit_any, inhibit_mapping, require_explicit;
};

struct certificates {
	struct certificate *items;
	uint32_t len, cap;
};

/* All certificates that stand one behind the other in `der`. */
enum bi_status certificates_parse(
	struct bi_ctx *cx, struct str der, struct certificates *out);

/* The one certificate that `der` is. */
enum bi_status certificate_parse_single(
	struct bi_ctx *cx, struct str der, struct certificate *out);

/*
 * As Go writes the struct; with `uri_strings` the field that OPA adds to it.
 */
struct value certificate_value(
	struct bi_ctx *cx, const struct certificate *c, bool uri_strings);

/* --- for the files that read and write it ----------------------------- */

/* What a reader returns when a list is too long for us. */
extern const char certificate_too_many[];

/* Such a reader's text as the error of the call. */
enum bi_status certificate_error(struct bi_ctx *cx, const char *why);

/* The one with that identifier, or NULL. */
const struct extension *extension_find(
	const struct extensions *list, struct str id);

/* One extension into its fields; NULL, or the error. */
const char *extension_read(struct bi_ctx *cx, struct certificate *c,
	const struct extension *e, bool *unhandled);

/* Whether a name can be one: "a.example"; a constraint also ".example". */
bool domain_valid(struct str s, bool constraint);

/* user@domain, with quotes and escapes; false if it is none. */
struct mailbox {
	struct str local, domain;
};

/* False: it is no mailbox. */
bool mailbox_parse(struct arena *a, struct str s, struct mailbox *out);

/* --- parts that requests and keys share ------------------------------- */

/* By the bytes of the algorithm's identifier. */
enum key_kind public_key_kind(struct str oid);
/* Fill from the element SubjectPublicKeyInfo; NULL, or Go's error. */
const char *public_key_parse(
	struct bi_ctx *cx, struct str spki, struct public_key *out);
/* The algorithm and its parameters (no pointer: none); NULL, or the error. */
const char *algorithm_parse(
	struct str body, struct str *oid, struct str *params);
enum signed_with signature_algorithm_of(struct str oid, struct str params);
/* Bits as bytes, as a number: the unused ones come to stand in front. */
struct str bits_right(struct arena *a, struct der_bits bits);
/* Whether it is an uncompressed point of the curve; NULL, or Go's error. */
const char *curve_point_parse(
	struct bi_ctx *cx, const struct curve_info *c, struct str point);
const char *alt_names_parse(
	struct bi_ctx *cx, struct str der, struct alt_names *out);

/* As the member PublicKey of Go's struct. */
struct value public_key_value(struct bi_ctx *cx, const struct public_key *k);
/* Curve, X and Y. */
void ec_point_put(
	struct bi_ctx *cx, struct builder *b, const struct public_key *k);
struct value attribute_value(struct bi_ctx *cx, const struct attribute *at);
struct value dn_value(struct bi_ctx *cx, const struct dn *name);
struct value extensions_value(struct bi_ctx *cx, const struct extensions *list);
/* "1.2.840", in the arena; and the same as a list of numbers. */
const char *oid_text(struct arena *a, struct str oid);
struct value oid_value(struct bi_ctx *cx, struct str oid);
struct value time_value(struct bi_ctx *cx, struct der_time t);
struct value base64_value(struct bi_ctx *cx, struct str bytes);
/* A number as der_int() has it. */
struct value integer_value(struct bi_ctx *cx, struct str bytes);
/* The four fields of `names`, put into an object. */
void alt_names_put(
	struct bi_ctx *cx, struct builder *b, const struct alt_names *names);

/* An identifier's bytes in a table. */
#define OID(bytes) STR(bytes)
#define OID_SUBJECT_ALT_NAME "\x55\x1d\x11"

#endif
