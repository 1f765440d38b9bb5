/*
 * str: a borrowed run of bytes.
 *
 * A pointer and a length that travel together. A struct str never owns what it
 * points to, need not be NUL-terminated and may hold any byte. {0} is empty.
 * Lengths are in bytes; comparisons are by byte value, as memcmp().
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	const char *ptr;
	size_t len;
};

/* A struct str of a string literal, also in static initializers. */
#define STR(lit)                                                               \
	{                                                                      \
		"" lit, sizeof(lit) - 1                                        \
	}
#define S(lit) ((struct str)STR(lit))

/* For printf: printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).len, (s).ptr

struct str str_from(const char *cstr); /* NULL gives the empty string */
/* `len` bytes at `ptr`, borrowed. */
struct str str_make(const char *ptr, size_t len);
/* Whether the bytes are the same. */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *cstr);
/* The same but for the case of ASCII letters. */
bool str_eq_fold(struct str a, struct str b);
int str_cmp(struct str a, struct str b); /* <0, 0, >0 */
/* Put a list into str_cmp()'s order; whether a list in that order has `s`. */
void str_sort(struct str *list, size_t n);
bool str_among(struct str s, const struct str *list, size_t n);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* Offset of the first `needle` at or after `from`, or SIZE_MAX. */
size_t str_find(struct str s, struct str needle, size_t from);

/* The part from `from` up to, not including, `to`; both are cut to fit. */
struct str str_slice(struct str s, size_t from, size_t to);

/*
 * Cut *rest in two at its first `sep`: *part is what stands before it, *rest
 * what stands behind. False, and nothing is changed, when there is none.
 */
bool str_cut(struct str *rest, struct str sep, struct str *part);

/*
 * The same for a list, whose last part needs no `sep` behind it: all of *rest
 * when there is none. Each line of a text, empty ones too:
 *
 *	while (text.len)
 *		use(str_take(&text, S("\n")));
 */
struct str str_take(struct str *rest, struct str sep);

/*
 * Bytes changed, added or dropped between two names, for advice; UINT_MAX when
 * `b` has more than 31.
 */
unsigned str_distance(const char *a, const char *b);

/* a to z of A to Z; any other byte is what it was. */
char ascii_lower(char c);
/* The value of a hexadecimal digit of either case; -1 when it is none. */
int ascii_hex(char c);

/* 32-bit hash, the same in every process: for tables, not for secrets. */
uint32_t str_hash(const char *ptr, size_t len);

/*
 * UTF-8. utf8_decode() reads one code point at s[0..len), stores it in *cp and
 * returns its width; a broken sequence gives U+FFFD and width 1, as Go does.
 * len must not be 0.
 */
size_t utf8_decode(const char *s, size_t len, uint32_t *cp);
size_t utf8_encode(uint32_t cp, char out[4]); /* bytes written, 1 to 4 */
bool utf8_valid(const char *s, size_t len);
size_t utf8_count(const char *s, size_t len); /* code points */

#endif
