/*
 * json: JSON that keeps its bytes.
 *
 * No tree is built. A span is the struct str of one value inside the text it
 * came from, without the space around it, so that what is stored, hashed and
 * signed is what was received. Two steps:
 *
 *	json_check(text, &limits, &doc, e)       once: grammar, UTF-8, limits
 *	json_member(doc, S("labels"), &labels)   then: find, without checks
 *
 * Everything but json_check() and json_scan() wants spans of checked text and
 * can't fail. Nothing allocates. Numbers, escapes, order and duplicates stay
 * as they were written; of members with the same key the last counts, as in
 * Go's encoding/json.
 *
 * Source: RFC 8259, with its grammar taken strictly: no byte order mark, no
 * comments, UTF-8 only. Half a surrogate pair in an escape is allowed by that
 * grammar and reads as U+FFFD.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"
#include "base/limits.h"

/* 0 stands for the LIMIT_JSON_ constant; a larger depth is cut to it. */
struct json_limits {
	uint32_t depth; /* arrays and objects inside each other */
	uint32_t keys;  /* members of one object */
	size_t string;  /* bytes of one string as written, without quotes */
};

/* Check that `text` is one value and space; its span goes to *value. */
enum status json_check(struct str text, const struct json_limits *limits,
	struct str *value, struct err *e) MUST_CHECK;

/* The same; *bad: the byte that is wrong, when one is. */
enum status json_check_at(struct str text, const struct json_limits *limits,
	struct str *value, size_t *bad, struct err *e) MUST_CHECK;

/*
 * Check one value that begins at text[*pos], after space, and set *pos behind
 * it: to take apart an array whose members are judged one by one.
 */
enum status json_scan(struct str text, size_t *pos,
	const struct json_limits *limits, struct str *value,
	struct err *e) MUST_CHECK;

enum json_kind {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

/* By its first byte; nothing at all is JSON_NULL. */
enum json_kind json_kind(struct str span);
const char *json_kind_name(enum json_kind kind); /* "null", "bool", ... */

/*
 * Walk an array or an object:
 *
 *	struct json_iter it = json_iter(span);
 *	while (json_next(&it))
 *		use(it.key, it.value);
 *
 * A scalar has no members.
 */
struct json_iter {
	struct str key;   /* a string's span, quotes included; {0} in arrays */
	struct str value; /* a span */
	const char *at, *end;
	bool object;
};

/* A walk that stands before the first member; `span` must stay. */
struct json_iter json_iter(struct str span);
bool json_next(struct json_iter *it);

/* The member of an object with this key; false when there is none. */
bool json_member(struct str object, struct str key, struct str *value);

/*
 * Several members in one pass: got[i] is the span of keys[i], {0} when it is
 * missing. Returns how many were found. Faster than json_member() n times.
 */
size_t json_members(
	struct str object, const struct str *keys, size_t n, struct str *got);

/*
 * Follow a JSON pointer (RFC 6901), "/a/b~1c/0"; "" is the span itself. False
 * when it leads nowhere.
 */
bool json_at(struct str span, struct str pointer, struct str *value);

/* Append what a string's span means: escapes resolved, quotes gone. */
void json_text(struct buf *out, struct str string);
/* A string's span means exactly `text`. */
bool json_text_is(struct str string, struct str text);

/* The value of a number written as an integer that fits; else false. */
bool json_int(struct str span, int64_t *out);

/* Append `s` as a JSON string, quotes included; broken UTF-8 is U+FFFD. */
void json_quote(struct buf *out, struct str s);

/*
 * The canonical form (json_canonical.c): no space, members sorted by the bytes
 * of what their keys mean, numbers as written, strings escaped as Go escapes
 * them without HTML. Two texts that mean the same have the same form unless a
 * number is written in two ways.
 *
 * Refused with E_INVALID is what is not one document to every reader: members
 * with the same key, U+0008 and U+000C, which Go before 1.22 escaped in another
 * way, and numbers with exponents of more than four digits. `bad`, when not
 * NULL, then has the places inside the span.
 */
struct json_bad {
	const char *at;    /* of the key, string or number */
	const char *first; /* of a key that stands twice: where it was first */
};

/* Append the form of checked text. Of a failed call nothing stays in `out`. */
enum status json_canonical(struct buf *out, struct str span,
	struct json_bad *bad, struct err *e) MUST_CHECK;

#endif
