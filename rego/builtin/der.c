#include "rego/builtin/der.h"

#include "rego/builtin/calendar.h"
#include "rego/builtin/unicode.h"

#include <stdio.h>
#include <string.h>

static unsigned byte_at(struct str s, size_t i)
{
	return (unsigned char)s.ptr[i];
}

/* --- elements ------------------------------------------------------------ */

/* The length behind a tag, and where the body begins. */
static bool length_at(struct str s, size_t *len, size_t *from)
{
	unsigned first = byte_at(s, 1), n = first & 0x7f;

	*from = 2;
	*len = first;
	if (first < 0x80)
		return true;
	if (!n || n > 4 || s.len < 2 + n)
		return false;
	*len = 0;
	for (unsigned i = 0; i < n; i++)
		*len = *len << 8 | byte_at(s, 2 + i);
	*from = 2 + n;
	return *len >= 0x80 && *len >> (8 * (n - 1));
}

/* The next element: its tag, its size and where its body begins. */
static bool take(struct str *r, int *tag, struct str *whole, size_t *from)
{
	struct str s = *r;
	size_t len;

	*r = (struct str){0};
	if (s.len < 2 || (byte_at(s, 0) & 0x1f) == 0x1f ||
		!length_at(s, &len, from) || len > s.len - *from)
		return false;
	*tag = (int)byte_at(s, 0);
	*whole = str_make(s.ptr, *from + len);
	*r = str_make(s.ptr + whole->len, s.len - whole->len);
	return true;
}

bool der_any_whole(struct str *r, int *tag, struct str *whole)
{
	size_t from;

	return take(r, tag, whole, &from);
}

bool der_any(struct str *r, int *tag, struct str *body)
{
	struct str whole;
	size_t from;

	if (!take(r, tag, &whole, &from))
		return false;
	*body = str_make(whole.ptr + from, whole.len - from);
	return true;
}

bool der_read(struct str *r, int tag, struct str *body)
{
	int got;

	return der_any(r, &got, body) && got == tag;
}

bool der_read_whole(struct str *r, int tag, struct str *whole)
{
	int got;

	return der_any_whole(r, &got, whole) && got == tag;
}

bool der_is_next(struct str r, int tag)
{
	return r.len && (int)byte_at(r, 0) == tag;
}

bool der_maybe(struct str *r, int tag, struct str *body)
{
	*body = (struct str){0};
	return !der_is_next(*r, tag) || der_read(r, tag, body);
}

/* --- scalars ------------------------------------------------------------- */

bool der_bool(struct str *r, bool *out)
{
	struct str body;

	if (!der_read(r, DER_BOOL, &body) || body.len != 1)
		return false;
	*out = body.ptr[0] != 0;
	return !*out || byte_at(body, 0) == 0xff;
}

bool der_int(struct str *r, int tag, struct str *out)
{
	if (!der_read(r, tag, out) || !out->len)
		return false;
	if (out->len == 1)
		return true;
	/* the first nine bits are not all alike */
	return byte_at(*out, 0) != (byte_at(*out, 1) & 0x80 ? 0xffu : 0u);
}

bool der_int64(struct str *r, int tag, int64_t *out)
{
	struct str body;
	uint64_t v;

	if (!der_int(r, tag, &body) || body.len > 8)
		return false;
	v = byte_at(body, 0) & 0x80 ? UINT64_MAX : 0;
	for (size_t i = 0; i < body.len; i++)
		v = v << 8 | byte_at(body, i);
	*out = (int64_t)v;
	return true;
}

bool der_bits(struct str *r, struct der_bits *out)
{
	struct str body;
	unsigned last;

	if (!der_read(r, DER_BITS, &body) || !body.len)
		return false;
	out->unused = byte_at(body, 0);
	out->bytes = str_make(body.ptr + 1, body.len - 1);
	if (!out->bytes.len)
		return !out->unused;
	last = byte_at(body, body.len - 1);
	return out->unused < 8 && !(last & ((1u << out->unused) - 1));
}

/* --- object identifiers -------------------------------------------------- */

bool der_oid_part(struct str oid, size_t *at, uint64_t *out)
{
	*out = 0;
	while (*at < oid.len && *out >> 57 == 0) {
		unsigned c = byte_at(oid, (*at)++);

		*out = *out << 7 | (c & 0x7f);
		if (c < 0x80)
			return true;
	}
	return false;
}

bool der_oid_valid(struct str oid)
{
	bool first = true;

	if (!oid.len || byte_at(oid, oid.len - 1) >= 0x80)
		return false;
	for (size_t i = 0; i < oid.len; i++) {
		if (first && byte_at(oid, i) == 0x80)
			return false;
		first = byte_at(oid, i) < 0x80;
	}
	return true;
}

bool der_oid(struct str *r, struct str *out)
{
	uint64_t part;

	if (!der_read(r, DER_OID, out) || !der_oid_valid(*out))
		return false;
	for (size_t at = 0; at < out->len;)
		if (!der_oid_part(*out, &at, &part) || part > INT32_MAX)
			return false;
	return true;
}

/* --- times --------------------------------------------------------------- */

/* `n` digits at *at, a number of at most `max`. */
static bool digits(struct str s, size_t *at, unsigned n, int max, int *out)
{
	*out = 0;
	if (s.len - *at < n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		char c = s.ptr[(*at)++];

		if (c < '0' || c > '9')
			return false;
		*out = *out * 10 + c - '0';
	}
	return *out <= max;
}

/* "Z", or "+0130"; Z is the only way to write that it is UTC. */
static bool zone_at(struct str s, size_t at, int *zone)
{
	char sign = at < s.len ? s.ptr[at++] : '\0';
	int hours, minutes;

	*zone = 0;
	if (sign == 'Z')
		return at == s.len;
	if ((sign != '+' && sign != '-') || !digits(s, &at, 2, 23, &hours) ||
		!digits(s, &at, 2, 59, &minutes) || at != s.len)
		return false;
	*zone = (hours * 60 + minutes) * (sign == '-' ? -1 : 1);
	return *zone != 0;
}

static bool year_at(struct str s, size_t *at, int tag, int *year)
{
	if (tag == DER_TIME)
		return digits(s, at, 4, 9999, year);
	if (tag != DER_UTC_TIME || !digits(s, at, 2, 99, year))
		return false;
	*year += *year >= 50 ? 1900 : 2000;
	return true;
}

bool der_time(struct str s, int tag, struct der_time *out)
{
	int year, month, day, hour, min, sec = 0, zone;
	size_t at = 0;

	if (!year_at(s, &at, tag, &year) || !digits(s, &at, 2, 12, &month) ||
		!month || !digits(s, &at, 2, days_in(month, year), &day) ||
		!day || !digits(s, &at, 2, 23, &hour) ||
		!digits(s, &at, 2, 59, &min))
		return false;
	/* UTCTime without seconds is seen, and taken */
	if ((tag == DER_TIME ||
		    (at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9')) &&
		!digits(s, &at, 2, 59, &sec))
		return false;
	if (!zone_at(s, at, &zone))
		return false;
	out->sec = days_from(year, month, day) * SECONDS_PER_DAY +
		   ((hour * 60 + min - zone) * 60 + sec);
	out->zone = zone;
	return true;
}

/* --- strings ------------------------------------------------------------- */

static bool is_printable(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || (c && strchr(" '()+,-./:=?*&", c));
}

static bool is_numeric(unsigned char c)
{
	return (c >= '0' && c <= '9') || c == ' ';
}

static bool is_ascii(unsigned char c)
{
	return c < 0x80;
}

static bool add_if_all(
	struct buf *out, struct str s, bool (*fits)(unsigned char))
{
	for (size_t i = 0; i < s.len; i++)
		if (!fits((unsigned char)s.ptr[i]))
			return false;
	buf_addstr(out, s);
	return true;
}

static void add_latin1(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		buf_addcp(out, byte_at(s, i));
}

/* Two bytes each, without surrogates and what is no character. */
static bool add_bmp(struct buf *out, struct str s)
{
	if (s.len % 2)
		return false;
	if (s.len && !s.ptr[s.len - 1] && !s.ptr[s.len - 2])
		s.len -= 2;
	for (size_t i = 0; i < s.len; i += 2) {
		unsigned cp = byte_at(s, i) << 8 | byte_at(s, i + 1);

		if (cp >= 0xfffe || (cp >= 0xfdd0 && cp <= 0xfdef) ||
			(cp >= 0xd800 && cp <= 0xdfff))
			return false;
		buf_addcp(out, cp);
	}
	return true;
}

bool der_text(int tag, struct str body, struct buf *out, char why[static 48])
{
	const char *name = NULL;

	if (tag == DER_T61)
		add_latin1(out, body);
	else if (tag == DER_UTF8 && utf8_valid(body.ptr, body.len))
		buf_addstr(out, body);
	else if (tag == DER_UTF8)
		name = "UTF-8 string";
	else if (tag == DER_BMP)
		name = add_bmp(out, body) ? NULL : "BMPString";
	else if (tag == DER_PRINTABLE)
		name = add_if_all(out, body, is_printable) ? NULL
							   : "PrintableString";
	else if (tag == DER_IA5)
		name = add_if_all(out, body, is_ascii) ? NULL : "IA5String";
	else if (tag == DER_NUMERIC)
		name = add_if_all(out, body, is_numeric) ? NULL
							 : "NumericString";
	else {
		snprintf(why, 48, "unsupported string type: %d", tag);
		return false;
	}
	if (name)
		snprintf(why, 48, "invalid %s", name);
	return !name;
}
