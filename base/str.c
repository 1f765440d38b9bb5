#include "base/str.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct str str_from(const char *cstr)
{
	return (struct str){cstr ? cstr : "", cstr ? strlen(cstr) : 0};
}

struct str str_make(const char *ptr, size_t len)
{
	return (struct str){ptr, len};
}

bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.ptr, b.ptr, a.len));
}

bool str_is(struct str a, const char *cstr)
{
	return str_eq(a, str_from(cstr));
}

char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

int ascii_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool str_eq_fold(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
			return false;
	return true;
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.ptr, b.ptr, n) : 0;

	if (c)
		return c;
	return a.len < b.len ? -1 : a.len > b.len;
}

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void str_sort(struct str *list, size_t n)
{
	if (n > 1)
		qsort(list, n, sizeof(*list), by_text);
}

bool str_among(struct str s, const struct str *list, size_t n)
{
	return n && bsearch(&s, list, n, sizeof(s), by_text);
}

bool str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len &&
	       str_eq((struct str){s.ptr, prefix.len}, prefix);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.len >= suffix.len &&
	       str_eq(str_slice(s, s.len - suffix.len, s.len), suffix);
}

size_t str_find(struct str s, struct str needle, size_t from)
{
	const char *hit;

	if (from > s.len)
		return SIZE_MAX;
	if (needle.len == 0)
		return from;
	if (needle.len > s.len - from)
		return SIZE_MAX;
	hit = memmem(s.ptr + from, s.len - from, needle.ptr, needle.len);
	return hit ? (size_t)(hit - s.ptr) : SIZE_MAX;
}

struct str str_slice(struct str s, size_t from, size_t to)
{
	if (to > s.len)
		to = s.len;
	if (from > to)
		from = to;
	/* {0} has no pointer to add to. */
	return (struct str){from ? s.ptr + from : s.ptr, to - from};
}

bool str_cut(struct str *rest, struct str sep, struct str *part)
{
	size_t at = str_find(*rest, sep, 0);

	if (at == SIZE_MAX)
		return false;
	*part = str_slice(*rest, 0, at);
	*rest = str_slice(*rest, at + sep.len, rest->len);
	return true;
}

struct str str_take(struct str *rest, struct str sep)
{
	struct str part;

	if (str_cut(rest, sep, &part))
		return part;
	part = *rest;
	*rest = str_slice(part, part.len, part.len);
	return part;
}

unsigned str_distance(const char *a, const char *b)
{
	unsigned row[32];
	size_t n = strlen(b);

	if (n >= sizeof(row) / sizeof(*row))
		return UINT_MAX;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			unsigned best = corner + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			corner = row[j];
			row[j] = best;
		}
	}
	return row[n];
}

/*
 * The last 1 to 7 bytes, the first lowest. Loads of fixed sizes: a memcpy() of
 * a length that the compiler doesn't know is a call.
 */
static uint64_t hash_tail(const char *ptr, size_t len)
{
	uint64_t w = 0;
	unsigned shift = 0;

	if (len & 4) {
		uint32_t four;

		memcpy(&four, ptr, 4);
		w = four;
		shift = 32;
		ptr += 4;
	}
	if (len & 2) {
		uint16_t two;

		memcpy(&two, ptr, 2);
		w |= (uint64_t)two << shift;
		shift += 16;
		ptr += 2;
	}
	if (len & 1)
		w |= (uint64_t)(unsigned char)*ptr << shift;
	return w;
}

uint32_t str_hash(const char *ptr, size_t len)
{
	uint64_t h = 0x9e3779b97f4a7c15u ^ (len * 0xff51afd7ed558ccdu);

	while (len >= 8) {
		uint64_t w;

		memcpy(&w, ptr, 8);
		h = (h ^ w) * 0x9fb21c651e98df25u;
		h ^= h >> 32;
		ptr += 8;
		len -= 8;
	}
	if (len) {
		h = (h ^ hash_tail(ptr, len)) * 0x9fb21c651e98df25u;
		h ^= h >> 32;
	}
	h *= 0xc4ceb9fe1a85ec53u;
	return (uint32_t)(h >> 32);
}

/*
 * The shortest form only, no surrogates, nothing above U+10FFFF: RFC 3629,
 * and one byte consumed per error, as Go's utf8.DecodeRune.
 */
size_t utf8_decode(const char *s, size_t len, uint32_t *cp)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t c = p[0], low;
	size_t n;

	if (c < 0x80) {
		*cp = c;
		return 1;
	}
	if (c >= 0xc2 && c <= 0xdf) {
		n = 2;
		c &= 0x1f;
		low = 0x80;
	} else if (c >= 0xe0 && c <= 0xef) {
		n = 3;
		c &= 0x0f;
		low = 0x800;
	} else if (c >= 0xf0 && c <= 0xf4) {
		n = 4;
		c &= 0x07;
		low = 0x10000;
	} else {
		goto broken;
	}
	if (len < n)
		goto broken;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			goto broken;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < low || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		goto broken;
	*cp = c;
	return n;
broken:
	*cp = 0xfffd;
	return 1;
}

size_t utf8_encode(uint32_t cp, char out[4])
{
	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		cp = 0xfffd;
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

bool utf8_valid(const char *s, size_t len)
{
	size_t i = 0;

	while (i < len) {
		uint32_t cp;
		size_t n;

		if ((unsigned char)s[i] < 0x80) {
			i++;
			continue;
		}
		n = utf8_decode(s + i, len - i, &cp);
		if (n == 1)
			return false;
		i += n;
	}
	return true;
}

size_t utf8_count(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; n++) {
		uint32_t cp;

		i += utf8_decode(s + i, len - i, &cp);
	}
	return n;
}
