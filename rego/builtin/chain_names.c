/*
 * Names of certificates: of hosts, and what is permitted by those further up.
 *
 * Networks are looked up as Go does it: sorted and pruned, then one of them is
 * asked. A network whose address has bits outside of its mask may be passed
 * over that way, and is so here too.
 *
 * Source: RFC 5280, section 4.2.1.10; RFC 6125; Go's Certificate.Verify.
 */
#include "rego/builtin/address.h"
#include "rego/builtin/chain.h"
#include "rego/url.h"

#include <stdlib.h>
#include <string.h>

/* --- hosts -----------------------------------------------------------------
 */

static bool is_host_char(char c, bool first)
{
	char low = ascii_lower(c);

	return (c >= '0' && c <= '9') || (low >= 'a' && low <= 'z') ||
	       c == '_' || (c == '-' && !first);
}

static bool is_host_label(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_host_char(s.ptr[i], !i))
			return false;
	return s.len > 0;
}

/* Labels of letters; the first of a pattern may be a star. */
static bool is_host(struct str s, bool pattern)
{
	struct str rest = s;
	bool more = s.len > 0;

	if (str_is(s, "*"))
		return false;
	while (more) {
		struct str label = rest;
		bool first = rest.ptr == s.ptr;

		more = str_cut(&rest, S("."), &label);
		if (!(pattern && first && str_is(label, "*")) &&
			!is_host_label(label))
			return false;
	}
	return s.len > 0;
}

/* Label by label; a star in front stands for one. */
static bool matches(struct str pattern, struct str host)
{
	struct str skipped;

	if (!pattern.len || !host.len)
		return false;
	if (str_is(pattern, "*") || str_starts(pattern, S("*."))) {
		pattern = str_slice(pattern, 1, pattern.len);
		if (!str_cut(&host, S("."), &skipped))
			return !pattern.len;
		return pattern.len &&
		       str_eq_fold(str_slice(pattern, 1, pattern.len), host);
	}
	return str_eq_fold(pattern, host);
}

static bool has_name(const struct certificate *c, struct str host)
{
	struct str bare = str_ends(host, S("."))
				  ? str_slice(host, 0, host.len - 1)
				  : host;
	bool valid = is_host(bare, false);

	for (uint32_t i = 0; i < c->names.dns.len; i++) {
		struct str name = c->names.dns.items[i];

		if (valid && is_host(name, true)
				? matches(name, bare)
				: name.len && !str_is(name, ".") &&
					  str_eq_fold(name, host))
			return true;
	}
	return false;
}

static bool has_address(const struct certificate *c, const struct ip *ip)
{
	for (uint32_t i = 0; i < c->names.addresses.len; i++) {
		struct ip own = ip_of(c->names.addresses.items[i]);

		if (!memcmp(&own, ip, sizeof(own)))
			return true;
	}
	return false;
}

bool certificate_has_host(const struct certificate *c, struct str host)
{
	struct str bare = host;
	struct ip ip;
	bool is_v4;

	if (host.len >= 3 && str_starts(host, S("[")) && str_ends(host, S("]")))
		bare = str_slice(host, 1, host.len - 1);
	return ip_parse(bare, &ip, &is_v4) ? has_address(c, &ip)
					   : has_name(c, host);
}

/* --- constraints of domains ------------------------------------------------
 */

/* a.b covers itself and x.a.b; .a.b covers only x.a.b. */
static bool covers(struct str domain, struct str name)
{
	struct str tail;

	if (!domain.len)
		return true;
	if (domain.len > name.len)
		return false;
	tail = str_slice(name, name.len - domain.len, name.len);
	return str_eq_fold(domain, tail) &&
	       (domain.ptr[0] == '.' || domain.len == name.len ||
		       name.ptr[name.len - domain.len - 1] == '.');
}

/* From the first dot on. */
static struct str parent_of(struct str name)
{
	size_t dot = str_find(name, S("."), 0);

	return str_slice(name, dot == SIZE_MAX ? name.len : dot, name.len);
}

/* *.a.b could stand for x.a.b, which is excluded. */
static bool may_stand_for(struct str name, struct str domain)
{
	struct str above = parent_of(domain);

	return name.len && name.ptr[0] == '*' && above.len &&
	       str_eq_fold(parent_of(name), above);
}

static bool in_domains(const struct strs *list, struct str name, bool excluded)
{
	for (uint32_t i = 0; i < list->len; i++)
		if (covers(list->items[i], name) ||
			(excluded && may_stand_for(name, list->items[i])))
			return true;
	return false;
}

static bool domain_allowed(
	const struct strs *yes, const struct strs *no, struct str name)
{
	return domain_valid(name, false) &&
	       (!yes->len || in_domains(yes, name, false)) &&
	       !(no->len && in_domains(no, name, true));
}

/* --- constraints of mailboxes ----------------------------------------------
 */

/* A list of domains and of whole mailboxes. */
static bool in_mailboxes(struct bi_ctx *cx, const struct strs *list,
	const struct mailbox *name, bool excluded)
{
	struct mailbox whole;

	for (uint32_t i = 0; i < list->len; i++) {
		struct str one = list->items[i];

		if (str_find(one, S("@"), 0) != SIZE_MAX) {
			if (mailbox_parse(cx->arena, one, &whole) &&
				str_eq(whole.local, name->local) &&
				str_eq_fold(whole.domain, name->domain))
				return true;
		} else if (covers(one, name->domain) ||
			   (excluded && may_stand_for(name->domain, one))) {
			return true;
		}
	}
	return false;
}

static bool mailbox_allowed(struct bi_ctx *cx, const struct certificate *above,
	const struct mailbox *name)
{
	const struct strs *yes = &above->permitted.emails;
	const struct strs *no = &above->excluded.emails;

	return domain_valid(name->domain, false) &&
	       (!yes->len || in_mailboxes(cx, yes, name, false)) &&
	       !(no->len && in_mailboxes(cx, no, name, true));
}

/* --- constraints of networks -----------------------------------------------
 */

/* Address and mask, or an address; IPv4 in IPv6 as IPv4. */
static struct str unmapped(struct str ip)
{
	static const char prefix[12] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '\xff', '\xff'};

	return ip.len == 16 && !memcmp(ip.ptr, prefix, sizeof(prefix))
		       ? str_slice(ip, 12, 16)
		       : ip;
}

static bool net_has(struct str net, struct str ip)
{
	struct str base = unmapped(str_slice(net, 0, net.len / 2));
	struct str mask = str_slice(net, net.len - base.len, net.len);

	ip = unmapped(ip);
	if (ip.len != base.len)
		return false;
	for (size_t i = 0; i < ip.len; i++)
		if ((ip.ptr[i] ^ base.ptr[i]) & mask.ptr[i])
			return false;
	return true;
}

static bool net_has_net(struct str outer, struct str inner)
{
	size_t n = inner.len / 2;
	char last[16];

	for (size_t i = 0; i < n; i++)
		last[i] = (char)(inner.ptr[i] | ~inner.ptr[n + i]);
	return net_has(outer, str_slice(inner, 0, n)) &&
	       net_has(outer, str_make(last, n));
}

/* The networks of the address's kind, sorted, without those within others. */
static uint32_t pruned(struct bi_ctx *cx, const struct strs *list, size_t size,
	struct str **out)
{
	struct str *nets = ARENA_ARRAY(cx->arena, struct str, list->len);
	uint32_t n = 0, kept = 0;

	for (uint32_t i = 0; i < list->len; i++)
		if (list->items[i].len == 2 * size)
			nets[n++] = list->items[i];
	str_sort(nets, n);
	for (uint32_t i = 0; i < n; i++)
		if (!kept || !net_has_net(nets[kept - 1], nets[i]))
			nets[kept++] = nets[i];
	*out = nets;
	return kept;
}

static bool in_networks(
	struct bi_ctx *cx, const struct strs *list, struct str ip)
{
	struct str *nets;
	uint32_t n = pruned(cx, list, ip.len, &nets), at = 0;

	while (at < n && str_cmp(str_slice(nets[at], 0, ip.len), ip) < 0)
		at++;
	if (!n)
		return false;
	if (at < n && str_eq(str_slice(nets[at], 0, ip.len), ip))
		return true;
	return net_has(nets[at ? at - 1 : 0], ip);
}

static bool address_allowed(
	struct bi_ctx *cx, const struct certificate *above, struct str ip)
{
	const struct strs *yes = &above->permitted.networks;
	const struct strs *no = &above->excluded.networks;

	return (!yes->len || in_networks(cx, yes, ip)) &&
	       !(no->len && in_networks(cx, no, ip));
}

/* --- constraints of URIs ---------------------------------------------------
 */

/* Without its port; false if it is no name: empty, or an address. */
static bool host_name(struct str host, struct str *out)
{
	size_t colon = str_find(host, S(":"), 0);
	struct ip ip;
	bool is_v4;

	*out = str_slice(host, 0, colon == SIZE_MAX ? host.len : colon);
	if (!host.len || str_starts(host, S("[")) ||
		(colon != SIZE_MAX &&
			str_find(host, S(":"), colon + 1) != SIZE_MAX))
		return false;
	return !ip_parse(*out, &ip, &is_v4);
}

static bool uri_allowed(const struct certificate *above, struct str uri)
{
	struct url_parts parts = {0};
	struct buf why = {0};
	struct str host;
	bool ok = url_split(uri, &parts, &why) &&
		  host_name(buf_str(&parts.host), &host) &&
		  domain_allowed(
			  &above->permitted.uris, &above->excluded.uris, host);

	url_parts_release(&parts);
	buf_release(&why);
	return ok;
}

/* --- all -------------------------------------------------------------------
 */

static bool emails_allowed(struct bi_ctx *cx, const struct certificate *above,
	const struct strs *emails)
{
	struct mailbox name;

	for (uint32_t i = 0; i < emails->len; i++)
		if (!mailbox_parse(cx->arena, emails->items[i], &name) ||
			!mailbox_allowed(cx, above, &name))
			return false;
	return true;
}

static bool names_allowed(struct bi_ctx *cx, const struct certificate *above,
	const struct alt_names *names)
{
	for (uint32_t i = 0; i < names->addresses.len; i++)
		if (!address_allowed(cx, above, names->addresses.items[i]))
			return false;
	for (uint32_t i = 0; i < names->dns.len; i++)
		if (!domain_allowed(&above->permitted.dns, &above->excluded.dns,
			    names->dns.items[i]))
			return false;
	for (uint32_t i = 0; i < names->uris.len; i++)
		if (!uri_allowed(above, names->uris.items[i]))
			return false;
	return emails_allowed(cx, above, &names->emails);
}

static uint64_t size_of(const struct strs *a, const struct strs *b)
{
	return 1 + (uint64_t)a->len + b->len;
}

/* About how many comparisons it takes. */
static uint64_t work(
	const struct certificate *above, const struct alt_names *names)
{
	const struct subtrees *yes = &above->permitted, *no = &above->excluded;

	return names->dns.len * size_of(&yes->dns, &no->dns) +
	       names->uris.len * size_of(&yes->uris, &no->uris) +
	       names->emails.len * size_of(&yes->emails, &no->emails) +
	       names->addresses.len * size_of(&yes->networks, &no->networks);
}

enum bi_status chain_names_allowed(struct bi_ctx *cx, const struct chain *chain)
{
	static const struct str constraints = OID("\x55\x1d\x1e");

	for (uint32_t i = 0; i < chain->len; i++) {
		const struct alt_names *names = &chain->items[i]->names;

		for (uint32_t j = i + 1; j < chain->len; j++) {
			const struct certificate *above = chain->items[j];

			if (!extension_find(&above->extensions, constraints))
				continue;
			if (!bi_charge(cx, work(above, names)))
				return BI_HALT;
			if (!names_allowed(cx, above, names))
				return BI_UNDEF;
		}
	}
	return BI_OK;
}
