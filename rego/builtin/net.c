/*
 * net.cidr_*: networks of IPv4 and IPv6.
 *
 * An address is always 16 bytes here; IPv4 is ::ffff:a.b.c.d. What looks odd
 * below follows Go's package net, as policies can tell: an address written
 * as ::ffff:1.2.3.4 prints as 1.2.3.4, and net.cidr_merge gives a bare IPv4
 * address the mask of its historical class.
 *
 * Source: OPA's reference, "Net"; Go's ParseIP, ParseCIDR, IPNet.Contains.
 */
#include "base/fs.h"
#include "base/limits.h"
#include "rego/builtin/address.h"
#include "rego/builtin/operand.h"

#include <stdlib.h>
#include <string.h>

struct cidr {
	struct ip ip;    /* of the network: host bits are 0 */
	struct ip given; /* the address as written */
	unsigned ones;   /* bits of the mask, of 32 or 128 */
	bool is_v4;      /* written as a.b.c.d */
};

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool in_v4(const struct ip *ip)
{
	return !memcmp(ip->b, v4_prefix, sizeof(v4_prefix));
}

/* --- reading --------------------------------------------------------- */

struct ip ip_of(struct str bytes)
{
	struct ip ip;

	memcpy(ip.b, v4_prefix, sizeof(v4_prefix));
	memcpy(ip.b + 16 - bytes.len, bytes.ptr, bytes.len);
	return ip;
}

/* a.b.c.d, each without leading zeros, into 4 bytes. */
static bool parse_v4(struct str s, uint8_t *out)
{
	unsigned val = 0, digits = 0, pos = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c >= '0' && c <= '9') {
			if (digits == 1 && val == 0)
				return false;
			val = val * 10 + (unsigned)(c - '0');
			digits++;
			if (val > 255)
				return false;
		} else if (c == '.' && digits && pos < 3) {
			out[pos++] = (uint8_t)val;
			val = digits = 0;
		} else {
			return false;
		}
	}
	if (pos != 3 || !digits)
		return false;
	out[3] = (uint8_t)val;
	return true;
}

/* One group of up to four hex digits; its width, 0 if there is none. */
static size_t parse_group(struct str s, unsigned *out)
{
	size_t n = 0;

	*out = 0;
	while (n < s.len && ascii_hex(s.ptr[n]) >= 0) {
		if (n == 4)
			return 0;
		*out = *out * 16 + (unsigned)ascii_hex(s.ptr[n++]);
	}
	return n;
}

/* Move what stands behind the "::" at byte `gap` to the end. */
static void fill_gap(struct ip *ip, size_t used, size_t gap)
{
	size_t tail = used - gap;

	memmove(ip->b + 16 - tail, ip->b + gap, tail);
	memset(ip->b + gap, 0, 16 - used);
}

static bool parse_v6(struct str s, struct ip *out)
{
	size_t i = 0, gap = SIZE_MAX, n;
	unsigned group;

	*out = (struct ip){{0}};
	if (str_starts(s, S("::"))) {
		gap = 0;
		s = str_slice(s, 2, s.len);
		if (!s.len)
			return true;
	}
	while (i < 16) {
		n = parse_group(s, &group);
		if (n == 0)
			return false;
		if (n < s.len && s.ptr[n] == '.') {
			if ((gap == SIZE_MAX && i != 12) || i > 12 ||
				!parse_v4(s, out->b + i))
				return false;
			s.len = 0;
			i += 4;
			break;
		}
		out->b[i++] = (uint8_t)(group >> 8);
		out->b[i++] = (uint8_t)group;
		s = str_slice(s, n, s.len);
		if (!s.len)
			break;
		if (s.ptr[0] != ':' || s.len == 1)
			return false;
		s = str_slice(s, 1, s.len);
		if (s.ptr[0] != ':')
			continue;
		if (gap != SIZE_MAX)
			return false;
		gap = i;
		s = str_slice(s, 1, s.len);
		if (!s.len)
			break;
	}
	if (s.len || (i < 16) != (gap != SIZE_MAX))
		return false;
	if (i < 16)
		fill_gap(out, i, gap);
	return true;
}

/* An address without a zone. */
bool ip_parse(struct str s, struct ip *out, bool *is_v4)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == ':') {
			*is_v4 = false;
			return parse_v6(s, out);
		}
		if (s.ptr[i] == '.') {
			*is_v4 = true;
			memcpy(out->b, v4_prefix, sizeof(v4_prefix));
			return parse_v4(s, out->b + 12);
		}
		if (s.ptr[i] == '%')
			return false;
	}
	return false;
}

/* The mask's first `ones` bits of 128. */
static struct ip mask(struct ip ip, unsigned ones)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = ones > 8 * i ? ones - 8 * i : 0;

		if (bits < 8)
			ip.b[i] &= (uint8_t)(0xff00 >> bits);
	}
	return ip;
}

static unsigned ones128(const struct cidr *c)
{
	return c->is_v4 ? c->ones + 96 : c->ones;
}

static bool parse_cidr(struct str s, struct cidr *out)
{
	size_t slash = str_find(s, S("/"), 0);
	struct str bits;
	unsigned n = 0;

	if (slash == SIZE_MAX ||
		!ip_parse(str_slice(s, 0, slash), &out->given, &out->is_v4))
		return false;
	bits = str_slice(s, slash + 1, s.len);
	if (!bits.len)
		return false;
	for (size_t i = 0; i < bits.len; i++) {
		if (bits.ptr[i] < '0' || bits.ptr[i] > '9')
			return false;
		n = n * 10 + (unsigned)(bits.ptr[i] - '0');
		if (n > 128)
			return false;
	}
	if (n > (out->is_v4 ? 32u : 128u))
		return false;
	out->ones = n;
	out->ip = mask(out->given, ones128(out));
	return true;
}

/* OPA's way to read a CIDR argument: its position is always said to be 1. */
static enum bi_status cidr_operand(
	struct bi_ctx *cx, struct value v, struct cidr *out)
{
	if (v.tag != V_STR)
		return bi_operand(cx, 1, "string", v);
	if (!parse_cidr(v_bytes(v), out))
		return bi_error(
			cx, "invalid CIDR address: %.*s", STR_ARG(v_bytes(v)));
	return BI_OK;
}

/* --- writing --------------------------------------------------------- */

/*
 * RFC 5952: the longest run of zero groups, of at least two, is "::".
 */
static void put_v6(struct buf *out, const struct ip *ip)
{
	unsigned g[8], from = 8, len = 1;

	for (unsigned i = 0; i < 8; i++)
		g[i] = (unsigned)ip->b[2 * i] << 8 | ip->b[2 * i + 1];
	for (unsigned i = 0; i < 8; i++) {
		unsigned n = 0;

		while (i + n < 8 && g[i + n] == 0)
			n++;
		if (n > len) {
			from = i;
			len = n;
		}
	}
	for (unsigned i = 0; i < 8; i++) {
		if (i == from) {
			buf_adds(out, "::");
			i += len - 1;
			continue;
		}
		if (i && i != from + len)
			buf_addc(out, ':');
		buf_addf(out, "%x", g[i]);
	}
}

void ip_put(struct buf *out, const struct ip *ip)
{
	if (in_v4(ip))
		buf_addf(out, "%d.%d.%d.%d", ip->b[12], ip->b[13], ip->b[14],
			ip->b[15]);
	else
		put_v6(out, ip);
}

/* `ones` as ones128(). */
static struct value cidr_value(
	struct bi_ctx *cx, const struct ip *ip, unsigned ones)
{
	struct buf b = {0};
	struct value v;

	ip_put(&b, ip);
	buf_addf(&b, "/%u", in_v4(ip) ? ones - 96 : ones);
	v = v_str(cx->arena, buf_str(&b));
	buf_release(&b);
	return v;
}

/* --- containing ------------------------------------------------------ */

/* IPv4 and IPv6 contain nothing of each other, whatever the bits say. */
static bool contains(const struct cidr *c, struct ip ip)
{
	struct ip net = mask(ip, ones128(c));

	return in_v4(&c->ip) == in_v4(&ip) &&
	       !memcmp(net.b, c->ip.b, sizeof(net.b));
}

static struct ip last_ip(const struct cidr *c)
{
	struct ip hosts, last = c->ip;

	memset(hosts.b, 0xff, sizeof(hosts.b));
	hosts = mask(hosts, ones128(c));
	for (int i = 0; i < 16; i++)
		last.b[i] |= (uint8_t)~hosts.b[i];
	return last;
}

/*
 * The last address of a plain IPv6 network may be one of ::ffff:0:0/96, which
 * contains() takes for IPv4: there the prefixes decide.
 */
static bool contains_net(const struct cidr *a, const struct cidr *b)
{
	if (!in_v4(&a->ip) && !in_v4(&b->ip))
		return a->ones <= b->ones && contains(a, b->ip);
	return contains(a, b->ip) && contains(a, last_ip(b));
}

static enum bi_status cidr_contains(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct cidr a, b;
	struct ip ip;
	bool is_v4;
	enum bi_status st = cidr_operand(cx, args[0], &a);

	if (st)
		return st;
	if (args[1].tag != V_STR)
		return bi_operand(cx, 1, "string", args[1]);
	if (ip_parse(v_bytes(args[1]), &ip, &is_v4))
		*out = v_bool(contains(&a, ip));
	else if (parse_cidr(v_bytes(args[1]), &b))
		*out = v_bool(contains_net(&a, &b));
	else
		return bi_error(cx,
			"not a valid textual representation of an IP address "
			"or CIDR: %.*s",
			STR_ARG(v_bytes(args[1])));
	return BI_OK;
}

static enum bi_status cidr_intersects(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct cidr a, b;
	enum bi_status st = cidr_operand(cx, args[0], &a);

	if (!st)
		st = cidr_operand(cx, args[1], &b);
	if (!st)
		*out = v_bool(contains(&a, b.ip) || contains(&b, a.ip));
	return st;
}

static enum bi_status cidr_is_valid(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct cidr c;

	(void)cx;
	*out = v_bool(args[0].tag == V_STR && parse_cidr(v_bytes(args[0]), &c));
	return BI_OK;
}

/* --- cidr_contains_matches ------------------------------------------- */

/* One side: a string by itself, or a collection of strings or arrays. */
struct side {
	struct value all;
	uint32_t len;
	int pos; /* of the argument */
};

static struct side side_of(struct value v, int pos)
{
	struct side s = {.all = v, .pos = pos, .len = 1};

	if (v.tag == V_ARR || v.tag == V_SET || v.tag == V_OBJ)
		s.len = v_len(v);
	else if (v.tag != V_STR)
		s.len = 0;
	return s;
}

/* The i-th address and what stands for it in the result. */
static enum bi_status side_at(struct bi_ctx *cx, const struct side *s,
	uint32_t i, struct value *addr, struct value *index)
{
	struct value v = s->all;

	*index = v;
	*addr = v;
	if (v.tag == V_STR)
		return BI_OK;
	if (v.tag == V_ARR) {
		*addr = v.arr->items[i];
		*index = v_int(i);
	} else if (v.tag == V_SET) {
		*addr = *index = v.set->keys->items[i];
	} else {
		*addr = v.obj->vals[i];
		*index = v.obj->keys->items[i];
	}
	if (addr->tag == V_ARR && addr->arr->len)
		*addr = addr->arr->items[0];
	else if (addr->tag != V_STR)
		return bi_error(cx,
			"operand %d: element must be string or non-empty "
			"array",
			s->pos);
	return BI_OK;
}

static enum bi_status match_pair(struct bi_ctx *cx, const struct side sides[2],
	const uint32_t at[2], struct builder *found)
{
	struct value *index = ARENA_ARRAY(cx->arena, struct value, 2);
	struct value addrs[2], yes;
	enum bi_status st;

	for (int k = 0; k < 2; k++) {
		st = side_at(cx, &sides[k], at[k], &addrs[k], &index[k]);
		if (st)
			return st;
	}
	st = cidr_contains(cx, addrs, &yes);
	if (!st && is_truthy(yes))
		builder_add(found, v_arr(cx->arena, index, 2));
	return st;
}

static enum bi_status cidr_contains_matches(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct side sides[2] = {side_of(args[0], 1), side_of(args[1], 2)};
	struct builder found = builder_set(cx->arena);
	struct value addr, index;
	uint32_t at[2];
	enum bi_status st;

	if (!bi_charge(cx, (uint64_t)sides[0].len * (sides[1].len + 1)))
		return BI_HALT;
	for (at[0] = 0; at[0] < sides[0].len; at[0]++) {
		st = side_at(cx, &sides[0], at[0], &addr, &index);
		if (st)
			return st;
		for (at[1] = 0; at[1] < sides[1].len; at[1]++) {
			st = match_pair(cx, sides, at, &found);
			if (st)
				return st;
		}
	}
	*out = builder_done(&found);
	return BI_OK;
}

/* --- cidr_expand ----------------------------------------------------- */

static void ip_next(struct ip *ip)
{
	for (int i = 15; i >= 0 && ++ip->b[i] == 0; i--)
		;
}

static enum bi_status cidr_expand(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct buf b = {0};
	struct value *items;
	struct cidr c;
	unsigned hosts;
	size_t n;
	enum bi_status st = cidr_operand(cx, args[0], &c);

	if (st)
		return st;
	hosts = 128 - ones128(&c);
	if (hosts > 32 || (n = (size_t)1 << hosts) > LIMIT_RANGE)
		return bi_limit(cx, "network has 2^%u addresses, limit %u",
			hosts, LIMIT_RANGE);
	if (!bi_charge(cx, 4 * n))
		return BI_HALT;
	items = ARENA_ARRAY(cx->arena, struct value, n);
	for (size_t i = 0; i < n; i++, ip_next(&c.ip)) {
		buf_reset(&b);
		ip_put(&b, &c.ip);
		items[i] = v_str(cx->arena, buf_str(&b));
	}
	buf_release(&b);
	*out = v_set(cx->arena, items, n);
	return BI_OK;
}

/* --- cidr_merge ------------------------------------------------------ */

/* Addresses first..last that one or more networks cover. */
struct span {
	struct ip first, last;
	struct ip shown; /* the network's address, if it is only one network */
	unsigned ones;   /* as ones128() */
	bool is_one;
	bool is_mapped; /* written as ::ffff:... with a prefix */
};

static int ip_cmp(const struct ip *a, const struct ip *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

static int by_last(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	int c = ip_cmp(&x->last, &y->last);

	return c ? c : ip_cmp(&x->first, &y->first);
}

/* The mask of class A, B or C that an IPv4 address had before CIDR. */
static unsigned class_ones(const struct ip *ip)
{
	if (ip->b[12] < 0x80)
		return 8;
	return ip->b[12] < 0xc0 ? 16 : 24;
}

static enum bi_status span_of(
	struct bi_ctx *cx, struct value v, struct span *out)
{
	struct cidr c = {.is_v4 = true};
	enum bi_status st = BI_OK;

	if (v.tag != V_STR)
		return bi_error(cx, "element must be string");
	if (!ip_parse(v_bytes(v), &c.given, &c.is_v4)) {
		st = cidr_operand(cx, v, &c);
		c.given = c.ip;
	} else if (in_v4(&c.given)) {
		c.is_v4 = true;
		c.ones = class_ones(&c.given);
		c.ip = mask(c.given, ones128(&c));
	} else {
		st = bi_error(cx, "IPv6 invalid: needs prefix length");
	}
	if (!st)
		*out = (struct span){.first = c.ip,
			.last = last_ip(&c),
			.shown = c.given,
			.ones = ones128(&c),
			.is_one = true,
			.is_mapped = !c.is_v4 && in_v4(&c.ip)};
	return st;
}

static void ip_previous(struct ip *ip)
{
	for (int i = 15; i >= 0 && ip->b[i]-- == 0; i--)
		;
}

/* Whether `next` begins inside of `s` or right behind it. */
static bool touches(const struct span *s, const struct span *next)
{
	static const struct ip zero, v4_zero = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
					     0xff, 0xff, 0, 0, 0, 0}};
	struct ip before = next->first;

	if (ip_cmp(&before, &zero) && ip_cmp(&before, &v4_zero))
		ip_previous(&before);
	return ip_cmp(&before, &s->last) <= 0;
}

/* Merge what touches, from the end on; sorted before. Returns how many. */
static size_t merge(struct span *s, size_t n)
{
	for (size_t i = n; i-- > 1;) {
		if (!touches(&s[i - 1], &s[i]))
			continue;
		if (ip_cmp(&s[i].first, &s[i - 1].first) < 0)
			s[i - 1].first = s[i].first;
		s[i - 1].last = s[i].last;
		s[i - 1].is_one = false;
		memmove(s + i, s + i + 1, (n - i - 1) * sizeof(*s));
		n--;
	}
	return n;
}

/* Trailing bits of an address that are 0, or 1 in `last`. */
static unsigned free_bits(struct ip first, struct ip last)
{
	unsigned n = 0;

	for (; n < 128; n++) {
		unsigned byte = 15 - n / 8, bit = 1u << n % 8;
		struct ip top = first;

		if (first.b[byte] & bit)
			break;
		for (unsigned k = 0; k <= n; k++)
			top.b[15 - k / 8] |= (uint8_t)(1u << k % 8);
		if (ip_cmp(&top, &last) > 0)
			break;
	}
	return n;
}

/* The fewest networks that cover first..last and nothing else. */
static void span_networks(struct bi_ctx *cx, struct span s, struct builder *out)
{
	for (;;) {
		unsigned n = free_bits(s.first, s.last);
		struct cidr c = {.ip = s.first, .ones = 128 - n};

		builder_add(out, cidr_value(cx, &s.first, 128 - n));
		s.first = last_ip(&c);
		if (ip_cmp(&s.first, &s.last) >= 0)
			return;
		ip_next(&s.first);
	}
}

static enum bi_status cidr_merge(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct builder found = builder_set(cx->arena);
	const struct value *items;
	struct span *spans;
	size_t nspans = 0;
	uint32_t n;
	enum bi_status st;

	if (!operand_members(args[0], &items, &n))
		return bi_error(cx, "operand must be an array");
	if (!bi_charge(cx, 8 * (uint64_t)n))
		return BI_HALT;
	spans = ARENA_ARRAY(cx->arena, struct span, n + 1);
	for (uint32_t i = 0; i < n; i++) {
		struct span *s = &spans[nspans];

		st = span_of(cx, items[i], s);
		if (st)
			return st;
		if (s->is_mapped) /* meets no other network */
			builder_add(&found, cidr_value(cx, &s->shown, s->ones));
		else
			nspans++;
	}
	qsort(spans, nspans, sizeof(*spans), by_last);
	nspans = merge(spans, nspans);
	for (size_t i = 0; i < nspans; i++) {
		if (spans[i].is_one)
			builder_add(&found,
				cidr_value(cx, &spans[i].shown, spans[i].ones));
		else
			span_networks(cx, spans[i], &found);
	}
	*out = builder_done(&found);
	return BI_OK;
}

/* --- names ------------------------------------------------------------ */

enum { HOSTS_MAX = 1 << 20 }; /* bytes of /etc/hosts */

static bool is_host_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       c == '-';
}

/* What Go asks a name server for; digits alone are no name. */
static bool is_host_name(struct str s)
{
	bool letters = false;

	for (size_t i = 0; i < s.len; i++) {
		letters |= is_host_letter(s.ptr[i]);
		if (!is_host_letter(s.ptr[i]) && s.ptr[i] != '.' &&
			!(s.ptr[i] >= '0' && s.ptr[i] <= '9'))
			return false;
	}
	return letters && s.len <= 254;
}

/* The text of an address: an IPv6 one may have a zone. False: it is none. */
static bool address_text(struct str s, struct buf *out)
{
	size_t zone = str_find(s, S("%"), 0);
	struct str bare = str_slice(s, 0, zone == SIZE_MAX ? s.len : zone);
	struct ip ip;
	bool is_v4;

	if (!ip_parse(bare, &ip, &is_v4) || (zone != SIZE_MAX && is_v4) ||
		zone == s.len - 1)
		return false;
	ip_put(out, &ip);
	buf_add(out, s.ptr + bare.len, s.len - bare.len);
	return true;
}

/* The next word of a line of /etc/hosts; empty at its end. */
static struct str hosts_word(struct str *line)
{
	size_t from = 0, to;

	while (from < line->len && strchr(" \t\r", line->ptr[from]))
		from++;
	to = from;
	while (to < line->len && !strchr(" \t\r#", line->ptr[to]))
		to++;
	struct str word = str_slice(*line, from, to);
	*line = str_slice(*line, to, line->len);
	return word;
}

/* Add the line's address to the set if it is one of `name`. */
static void hosts_line(
	struct bi_ctx *cx, struct str line, struct str name, struct builder *b)
{
	struct str addr = hosts_word(&line), word;
	struct buf text = {0};

	for (word = hosts_word(&line); word.len; word = hosts_word(&line))
		if (str_eq_fold(word, name)) {
			if (address_text(addr, &text))
				builder_add(
					b, v_str(cx->arena, buf_str(&text)));
			break;
		}
	buf_release(&text);
}

static struct value hosts_find(struct bi_ctx *cx, struct str name)
{
	struct builder b = builder_set(cx->arena);
	struct buf text = {0};
	struct err e = {0};

	if (!fs_read(NULL, "/etc/hosts", HOSTS_MAX, &text, &e))
		for (struct str rest = buf_str(&text); rest.len;)
			hosts_line(cx, str_take(&rest, S("\n")), name, &b);
	buf_release(&text);
	return builder_done(&b);
}

/* Addresses and the names of this host; a name server is never asked. */
static enum bi_status lookup_ip_addr(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str name = v_bytes(args[0]);
	struct buf text = {0};

	if (bi_host(cx, name))
		return BI_ERROR;
	if (address_text(name, &text)) {
		struct builder b = builder_set(cx->arena);

		builder_add(&b, v_str(cx->arena, buf_str(&text)));
		*out = builder_done(&b);
		buf_release(&text);
		return BI_OK;
	}
	if (!is_host_name(name))
		return bi_error(cx, "lookup %.*s: no such host", STR_ARG(name));
	*out = hosts_find(cx, name);
	if (v_len(*out))
		return BI_OK;
	return bi_limit(cx,
		"no network is reached from here to look up %.*s: replace the "
		"call, `with net.lookup_ip_addr as ...`",
		STR_ARG(name));
}

enum { MATCHES = BT_STR | BT_ARR | BT_OBJ | BT_SET };

/* clang-format off */
static const struct builtin rows[] = {
	{"net.cidr_contains",         NULL, 2, {BT_STR, BT_STR}, cidr_contains, BF_RAWTYPES},
	{"net.cidr_contains_matches", NULL, 2, {MATCHES, MATCHES}, cidr_contains_matches, BF_RAWTYPES},
	{"net.cidr_expand",           NULL, 1, {BT_STR}, cidr_expand, BF_RAWTYPES},
	{"net.cidr_intersects",       NULL, 2, {BT_STR, BT_STR}, cidr_intersects, BF_RAWTYPES},
	{"net.cidr_is_valid",         NULL, 1, {BT_STR}, cidr_is_valid, BF_RAWTYPES},
	{"net.cidr_merge",            NULL, 1, {BT_ARR | BT_SET}, cidr_merge, BF_RAWTYPES},
	{"net.lookup_ip_addr",        NULL, 1, {BT_STR}, lookup_ip_addr, BF_NONDET},
	{"net.cidr_overlap",          NULL, 2, {BT_STR, BT_STR}, cidr_contains, BF_RAWTYPES | BF_DEPRECATED},
};
/* clang-format on */

const struct builtin_table builtin_net = {rows, COUNT(rows)};
