#include "rego/builtin/operand.h"

#include <string.h>
#include <strings.h>

/* --- semantic versions ----------------------------------------------- */

/* Source: semver.org 2.0.0; OPA also takes a "v" before the version. */
struct version {
	int64_t part[3]; /* major, minor, patch */
	struct str pre;  /* empty when there is none */
};

/* The part before the first `sep`; *rest is what follows it. */
static struct str cut(struct str s, const char *sep, struct str *rest)
{
	size_t at = str_find(s, str_from(sep), 0);

	*rest = str_slice(s, at == SIZE_MAX ? s.len : at + 1, s.len);
	return str_slice(s, 0, at);
}

static bool all_digits(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
	return s.len > 0;
}

/* Dotted identifiers, none empty, of letters, digits and hyphens. */
static bool identifiers(struct str s)
{
	bool empty = true;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i], low = (char)(c | 0x20);

		if (c == '.' && empty)
			return false;
		empty = c == '.';
		if (!empty && c != '-' && !(c >= '0' && c <= '9') &&
			!(low >= 'a' && low <= 'z'))
			return false;
	}
	return !empty;
}

/* A number among the identifiers must not begin with a zero. */
static bool no_leading_zeros(struct str pre)
{
	while (pre.len) {
		struct str id = cut(pre, ".", &pre);

		if (id.len > 1 && id.ptr[0] == '0' && all_digits(id))
			return false;
	}
	return true;
}

/* Digits as int64, held at the largest one; false if that happened. */
static bool clamped(struct str s, int64_t *out)
{
	int64_t n = 0;

	*out = INT64_MAX;
	for (size_t i = 0; i < s.len; i++)
		if (__builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, s.ptr[i] - '0', &n))
			return false;
	*out = n;
	return true;
}

static bool version_parse(struct version *v, struct str s)
{
	struct str meta, pre;
	bool has_meta, has_pre;

	if (str_starts(s, S("v")))
		s = str_slice(s, 1, s.len);
	has_meta = str_find(s, S("+"), 0) != SIZE_MAX;
	s = cut(s, "+", &meta);
	if (has_meta && !identifiers(meta))
		return false;
	has_pre = str_find(s, S("-"), 0) != SIZE_MAX;
	s = cut(s, "-", &pre);
	if (has_pre && !(identifiers(pre) && no_leading_zeros(pre)))
		return false;
	v->pre = pre;
	for (int i = 0; i < 3; i++) {
		struct str part = i < 2 ? cut(s, ".", &s) : s;

		if (!all_digits(part) || (part.len > 1 && part.ptr[0] == '0') ||
			!clamped(part, &v->part[i]))
			return false;
	}
	return true;
}

/* Identifiers of digits alone come first and count as numbers. */
static int identifier_cmp(struct str a, struct str b)
{
	bool anum = all_digits(a), bnum = all_digits(b);
	int64_t x, y;

	if (anum != bnum)
		return anum ? -1 : 1;
	if (!anum)
		return str_cmp(a, b);
	clamped(a, &x);
	clamped(b, &y);
	return (x > y) - (x < y);
}

/* Identifier by identifier; of two that agree so far the longer is greater. */
static int pre_cmp(struct str a, struct str b)
{
	if (!a.len || !b.len) /* a version without one is greater */
		return (int)(a.len == 0) - (int)(b.len == 0);
	while (a.len && b.len) {
		int c = identifier_cmp(cut(a, ".", &a), cut(b, ".", &b));

		if (c)
			return c;
	}
	return (int)(a.len > 0) - (int)(b.len > 0);
}

static int version_cmp(const struct version *a, const struct version *b)
{
	for (int i = 0; i < 3; i++)
		if (a->part[i] != b->part[i])
			return a->part[i] > b->part[i] ? 1 : -1;
	return pre_cmp(a->pre, b->pre);
}

static enum bi_status bi_semver_compare(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct version v[2];
	int c;

	for (int i = 0; i < 2; i++)
		if (!version_parse(&v[i], v_bytes(args[i])))
			return bi_error(cx,
				"operand %d: string %s is not a valid SemVer",
				i + 1, operand_text(cx, args[i]));
	c = version_cmp(&v[0], &v[1]);
	*out = v_int((c > 0) - (c < 0));
	return BI_OK;
}

static enum bi_status bi_semver_is_valid(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct version v;

	(void)cx;
	*out = v_bool(
		args[0].tag == V_STR && version_parse(&v, v_bytes(args[0])));
	return BI_OK;
}

/* --- uuids ----------------------------------------------------------- */

/*
 * 32 digits, or 36 characters with hyphens: alone, after "urn:uuid:", or with
 * one character more on each side (braces, but nobody looks).
 */
static bool uuid_parse(uint8_t id[16], struct str s)
{
	static const char dashed[] = "########-####-####-####-############";
	struct str urn = S("urn:uuid:");
	size_t n = 0;
	bool dashes = s.len != 32;

	if (s.len == 36 + 9 && !strncasecmp(s.ptr, urn.ptr, urn.len))
		s = str_slice(s, 9, s.len);
	else if (s.len == 36 + 2)
		s = str_slice(s, 1, 37);
	if (s.len != 32 && s.len != 36)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		int digit = ascii_hex(s.ptr[i]);

		if (dashes && dashed[i] == '-') {
			if (s.ptr[i] != '-')
				return false;
			continue;
		}
		if (digit < 0)
			return false;
		id[n / 2] = (uint8_t)(n % 2 ? id[n / 2] << 4 | digit : digit);
		n++;
	}
	return true;
}

static const char *variant_name(uint8_t b)
{
	if ((b & 0xc0) == 0x80)
		return "RFC4122";
	if ((b & 0xe0) == 0xc0)
		return "Microsoft";
	return (b & 0xe0) == 0xe0 ? "Future" : "Reserved";
}

/* Big-endian bytes as a number. */
static uint64_t be(const uint8_t *p, int n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

/*
 * Nanoseconds since 1970 of the clock of versions 1 and 2, which counts 100 ns
 * since the Gregorian reform. Wraps, as int64 does in OPA.
 */
static int64_t unix_ns(const uint8_t id[16])
{
	uint64_t ticks =
		be(id, 4) | be(id + 4, 2) << 32 | (be(id + 6, 2) & 0xfff) << 48;

	return (int64_t)((ticks - 122192928000000000u) * 100);
}

static void add(struct builder *b, const char *key, struct value v)
{
	builder_set_key(b, v_cstr(b->arena, key), v);
}

static void add_text(struct builder *b, const char *key, const char *text)
{
	add(b, key, v_cstr(b->arena, text));
}

/* The clock and the network card that versions 1 and 2 are made of. */
static void add_origin(struct builder *b, const uint8_t id[16])
{
	static const char *const casts[] = {"global:unicast",
		"global:multicast", "local:unicast", "local:multicast"};
	char mac[18];

	snprintf(mac, sizeof(mac), "%02x-%02x-%02x-%02x-%02x-%02x", id[10],
		id[11], id[12], id[13], id[14], id[15]);
	add(b, "time", v_int(unix_ns(id)));
	add_text(b, "nodeid", mac);
	add_text(b, "macvariables", casts[id[10] & 3]);
	add(b, "clocksequence", v_int((int64_t)(be(id + 8, 2) & 0x3fff)));
}

static void add_domain(struct builder *b, const uint8_t id[16])
{
	static const char *const domains[] = {"Person", "Group", "Org"};
	char text[16];

	snprintf(text, sizeof(text), "Domain%d", id[9]);
	add(b, "id", v_int((int64_t)be(id, 4)));
	add_text(b, "domain", id[9] < 3 ? domains[id[9]] : text);
}

static enum bi_status bi_uuid_parse(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct builder b = builder_obj(cx->arena);
	uint8_t id[16];
	int version;

	if (!uuid_parse(id, v_bytes(args[0])))
		return BI_UNDEF;
	version = id[6] >> 4;
	add(&b, "version", v_int(version));
	add_text(&b, "variant", variant_name(id[8]));
	if (version == 1 || version == 2)
		add_origin(&b, id);
	if (version == 2)
		add_domain(&b, id);
	*out = builder_done(&b);
	return BI_OK;
}

/*
 * A version 4 id out of the seed of the query and the argument, so that equal
 * calls of one query agree without being remembered.
 */
static enum bi_status bi_uuid_rfc4122(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str key = str_from(operand_text(cx, args[0]));
	uint64_t hi = operand_random(cx->seed, key);
	uint64_t lo = operand_random(~cx->seed, key);
	char text[37];

	hi = (hi & ~(uint64_t)0xf000) | 0x4000;
	lo = (lo & ~((uint64_t)3 << 62)) | (uint64_t)1 << 63;
	snprintf(text, sizeof(text), "%08x-%04x-%04x-%04x-%012jx",
		(unsigned)(hi >> 32), (unsigned)(hi >> 16 & 0xffff),
		(unsigned)(hi & 0xffff), (unsigned)(lo >> 48),
		(uintmax_t)(lo & 0xffffffffffff));
	*out = v_cstr(cx->arena, text);
	return BI_OK;
}

/* clang-format off */
static const struct builtin rows[] = {
	{"semver.compare",  NULL, 2, {BT_STR, BT_STR}, bi_semver_compare,  0},
	{"semver.is_valid", NULL, 1, {BT_ANY},         bi_semver_is_valid, 0},
	{"uuid.parse",      NULL, 1, {BT_STR},         bi_uuid_parse,      0},
	{"uuid.rfc4122",    NULL, 1, {BT_STR},         bi_uuid_rfc4122,    BF_NONDET | BF_RAWTYPES},
};
/* clang-format on */

const struct builtin_table builtin_semver = {rows, COUNT(rows)};
