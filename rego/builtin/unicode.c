#include "rego/builtin/unicode.h"

#include <string.h>

static uint32_t shifted(uint32_t cp, const struct rune_shift *rows, size_t len)
{
	size_t lo = 0, hi = len;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct rune_shift *r = &rows[mid];

		if (cp < r->first)
			hi = mid;
		else if (cp > r->last)
			lo = mid + 1;
		else if ((cp - r->first) % r->step)
			return cp;
		else
			return (uint32_t)((int32_t)cp + r->delta);
	}
	return cp;
}

static bool inside(uint32_t cp, const struct rune_span *rows, size_t len)
{
	size_t lo = 0, hi = len;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (cp < rows[mid].first)
			hi = mid;
		else if (cp > rows[mid].last)
			lo = mid + 1;
		else
			return true;
	}
	return false;
}

uint32_t rune_upper(uint32_t cp)
{
	if (cp < 0x80)
		return cp >= 'a' && cp <= 'z' ? cp - 0x20 : cp;
	return shifted(cp, uni_upper, uni_upper_len);
}

uint32_t rune_lower(uint32_t cp)
{
	if (cp < 0x80)
		return cp >= 'A' && cp <= 'Z' ? cp + 0x20 : cp;
	return shifted(cp, uni_lower, uni_lower_len);
}

bool rune_is_space(uint32_t cp)
{
	switch (cp) {
	case '\t':
	case '\n':
	case '\v':
	case '\f':
	case '\r':
	case ' ':
	case 0x85:
	case 0xa0:
	case 0x1680:
	case 0x2028:
	case 0x2029:
	case 0x202f:
	case 0x205f:
	case 0x3000:
		return true;
	default:
		return cp >= 0x2000 && cp <= 0x200a;
	}
}

bool rune_is_print(uint32_t cp)
{
	if (cp < 0x7f)
		return cp >= ' ';
	return inside(cp, uni_print, uni_print_len);
}

bool rune_is_letter(uint32_t cp)
{
	return inside(cp, uni_letter, uni_letter_len);
}

bool rune_is_digit(uint32_t cp)
{
	if (cp < 0x80)
		return cp >= '0' && cp <= '9';
	return inside(cp, uni_digit, uni_digit_len);
}

bool str_is_ascii(struct str s)
{
	size_t i = 0;
	uint64_t word;

	for (; i + 8 <= s.len; i += 8) {
		memcpy(&word, s.ptr + i, 8);
		if (word & 0x8080808080808080u)
			return false;
	}
	for (; i < s.len; i++) {
		if ((unsigned char)s.ptr[i] & 0x80)
			return false;
	}
	return true;
}

size_t utf8_decode_last(const char *s, size_t len, uint32_t *cp)
{
	/* A sequence that ends here is at most four bytes long. */
	for (size_t n = 1; n <= 4 && n <= len; n++) {
		if (((unsigned char)s[len - n] & 0xc0) == 0x80)
			continue;
		if (utf8_decode(s + len - n, n, cp) == n)
			return n;
		break;
	}
	*cp = 0xfffd;
	return 1;
}

static void add_hex(struct buf *out, char kind, uint32_t cp, unsigned digits)
{
	buf_addc(out, '\\');
	buf_addc(out, kind);
	while (digits--)
		buf_addc(out, "0123456789abcdef"[cp >> (4 * digits) & 15]);
}

static void add_escaped(struct buf *out, uint32_t cp, char quote, bool ascii)
{
	static const char letters[] = "abtnvfr"; /* from 7 on */

	if (cp == (unsigned char)quote || cp == '\\') {
		buf_addc(out, '\\');
		buf_addc(out, (char)cp);
	} else if (rune_is_print(cp) && (cp < 0x80 || !ascii)) {
		buf_addcp(out, cp);
	} else if (cp >= 7 && cp <= 13) {
		buf_addc(out, '\\');
		buf_addc(out, letters[cp - 7]);
	} else if (cp < ' ' || cp == 0x7f) {
		add_hex(out, 'x', cp, 2);
	} else if (cp < 0x10000) {
		add_hex(out, 'u', cp, 4);
	} else {
		add_hex(out, 'U', cp, 8);
	}
}

static bool is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

void quote_go(struct buf *out, struct str s, bool ascii)
{
	buf_addc(out, '"');
	for (size_t i = 0, from = 0; i < s.len; from = i) {
		uint32_t cp;
		size_t w;

		while (i < s.len && is_plain((unsigned char)s.ptr[i]))
			i++;
		buf_add(out, s.ptr + from, i - from);
		if (i == s.len)
			break;
		w = utf8_decode(s.ptr + i, s.len - i, &cp);

		if (w == 1 && cp == 0xfffd)
			add_hex(out, 'x', (unsigned char)s.ptr[i], 2);
		else
			add_escaped(out, cp, '"', ascii);
		i += w;
	}
	buf_addc(out, '"');
}

void quote_go_rune(struct buf *out, uint32_t cp, bool ascii)
{
	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		cp = 0xfffd;
	buf_addc(out, '\'');
	add_escaped(out, cp, '\'', ascii);
	buf_addc(out, '\'');
}
