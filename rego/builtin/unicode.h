/*
 * unicode: case, letters and what can be printed, as OPA sees them.
 *
 * Simple case mapping and general categories of Unicode 15.0.0, which are what
 * Go's package unicode has: one code point becomes one code point, in no
 * language in particular ("ß" has no upper case). The tables are in
 * unicode_data.c, written by tests/unicode_tables.py.
 */
#ifndef REGO_BUILTIN_UNICODE_H
#define REGO_BUILTIN_UNICODE_H

#include "base/buf.h"
#include "base/str.h"

/* Of one code point, as Go's unicode package; itself where there is none. */
uint32_t rune_upper(uint32_t cp);
uint32_t rune_lower(uint32_t cp);
bool rune_is_space(uint32_t cp);  /* White_Space, without U+200B */
bool rune_is_print(uint32_t cp);  /* categories L M N P S, and U+0020 */
bool rune_is_letter(uint32_t cp); /* category L */
bool rune_is_digit(uint32_t cp);  /* category Nd */

/* Only bytes below 0x80. */
bool str_is_ascii(struct str s);

/* The last code point of `s`, its width; as utf8_decode(). */
size_t utf8_decode_last(const char *s, size_t len, uint32_t *cp);

/*
 * `s` in quotes as a Go literal: \n, \x07, \u200b for what can't be printed;
 * bytes that are not UTF-8 become \xff. With `ascii` everything above 0x7e is
 * escaped too.
 */
void quote_go(struct buf *out, struct str s, bool ascii);
void quote_go_rune(struct buf *out, uint32_t cp, bool ascii); /* 'x' */

/* --- the tables ------------------------------------------------------ */

struct rune_shift {
	uint32_t first, last;
	int32_t delta; /* add to get the other case */
	uint32_t step; /* 1, or 2: every second one from `first` */
};

struct rune_span {
	uint32_t first, last;
};

extern const struct rune_shift uni_upper[], uni_lower[];
extern const size_t uni_upper_len, uni_lower_len;
extern const struct rune_span uni_print[], uni_letter[], uni_digit[];
extern const size_t uni_print_len, uni_letter_len, uni_digit_len;

#endif
