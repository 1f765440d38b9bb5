/*
 * chain: whether certificates lead from a leaf to a root that is trusted.
 *
 * Built and judged as Go's crypto/x509 does it: signatures (no MD5, no SHA-1),
 * validity, who may sign, lengths of paths, names of the host, name
 * constraints, policies and uses of keys.
 *
 * Source: RFC 5280, section 6; RFC 9618 for policies; Go's Certificate.Verify.
 */
#ifndef REGO_BUILTIN_CHAIN_H
#define REGO_BUILTIN_CHAIN_H

#include "rego/builtin/certificate.h"

/* From the leaf to the root. */
struct chain {
	const struct certificate **items;
	uint32_t len;
};

struct chain_options {
	struct str host;   /* to be one of the leaf's names; empty: any */
	int64_t now_ns;    /* all certificates must be valid then */
	const int *usages; /* numbers of ExtKeyUsage, of which one must do */
	uint32_t len;      /* 0: that of servers */
};

/*
 * The first chain from the last of `all` to the first, with those between as
 * links. BI_UNDEF: there is none.
 */
enum bi_status chain_find(struct bi_ctx *cx, const struct certificates *all,
	const struct chain_options *options, struct chain *out);

/* --- parts, each in a file ------------------------------------------------ */

/* BI_UNDEF: a name is not permitted, or excluded, by one further up. */
enum bi_status chain_names_allowed(
	struct bi_ctx *cx, const struct chain *chain);

/* BI_UNDEF: a policy is required, and none holds for the whole chain. */
enum bi_status chain_policies_hold(
	struct bi_ctx *cx, const struct chain *chain);

/* Whether the host, a name or an address, is one that the certificate has. */
bool certificate_has_host(const struct certificate *c, struct str host);

/* BI_UNDEF: not signed with that key, or with what is too weak. */
enum bi_status certificate_signed_by(struct bi_ctx *cx,
	const struct certificate *c, const struct certificate *parent);

#endif
