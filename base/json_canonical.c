/*
 * The canonical form of JSON.
 *
 * One pass: members are written as they come, and where an object turns out
 * not to be sorted, what was written of it is put in order. Text that is
 * canonical already, the usual case, is copied once.
 *
 * Source: RFC 8259; Go's encoding/json for the escapes.
 */
#include "base/arena.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* A member of an object that is open. */
struct member {
	struct str key;  /* what it means */
	const char *at;  /* where it stands in the text */
	size_t from, to; /* what was written for it, key included */
};

struct writer {
	struct buf *out;
	const char *at, *end;
	struct member *members; /* of all open objects */
	size_t nmembers, cap;
	struct arena keys; /* of those that had to be decoded */
	struct json_bad *bad;
	struct err *e;
};

static enum status twice(
	struct writer *w, const struct member *m, const struct member *next)
{
	struct str key = str_slice(m->key, 0, 64);

	if (w->bad)
		*w->bad = (struct json_bad){next->at, m->at};
	return err_set(
		w->e, E_INVALID, "the key \"%.*s\" stands twice", STR_ARG(key));
}

/* Go before 1.22 escaped these two in another way. */
static enum status check_text(struct writer *w, struct str text, const char *at)
{
	const char *odd = NULL;

	if (text.len)
		odd = memchr(text.ptr, '\b', text.len);
	if (text.len && !odd)
		odd = memchr(text.ptr, '\f', text.len);
	if (!odd)
		return OK;
	if (w->bad)
		*w->bad = (struct json_bad){at, NULL};
	return err_set(w->e, E_INVALID,
		"a string holds U+%04X, which agents hash in different ways",
		(unsigned)*odd);
}

static void space(struct writer *w)
{
	while (w->at < w->end && (*w->at == ' ' || *w->at == '\t' ||
					 *w->at == '\n' || *w->at == '\r'))
		w->at++;
}

/* Most texts take no more room than is there; then this is a copy. */
static inline void put(struct writer *w, const char *ptr, size_t len)
{
	struct buf *out = w->out;

	if (out->cap - out->len > len) {
		memcpy(out->ptr + out->len, ptr, len);
		out->len += len;
	} else {
		buf_add(out, ptr, len);
	}
}

/* The next byte, which stands for itself. */
static inline void put_next(struct writer *w)
{
	put(w, w->at++, 1);
}

/* None of eight bytes is a quote, a backslash or the start of U+2028. */
static inline bool plain8(const char *at)
{
	const uint64_t ones = 0x0101010101010101, highs = ones << 7;
	uint64_t x, quote, slash;

	memcpy(&x, at, sizeof(x));
	quote = x ^ ones * '"';
	slash = x ^ ones * '\\';
	return !((((quote - ones) & ~quote) | ((slash - ones) & ~slash) | x) &
		 highs);
}

/* The span of the string that begins here; *plain: it needs no escapes. */
static struct str take_string(struct writer *w, bool *plain)
{
	const char *from = w->at++;

	*plain = true;
	for (;; w->at++) {
		while (w->end - w->at >= 8 && plain8(w->at))
			w->at += 8;
		if (*w->at == '"')
			break;
		if (*w->at == '\\') {
			*plain = false;
			w->at++;
		} else if (*w->at == '\xe2' && w->at[1] == '\x80' &&
			   (w->at[2] == '\xa8' || w->at[2] == '\xa9')) {
			*plain = false; /* U+2028 and U+2029 are escaped */
		}
	}
	w->at++;
	return str_make(from, (size_t)(w->at - from));
}

/* Go escapes the two line ends of JavaScript; json_quote() leaves them. */
static void quote(struct buf *out, struct str text)
{
	size_t from = out->len, at;

	json_quote(out, text);
	for (at = from; at + 2 < out->len; at++) {
		char *p = out->ptr + at;

		if (memcmp(p, "\xe2\x80", 2) != 0 ||
			(p[2] != '\xa8' && p[2] != '\xa9'))
			continue;
		char last = p[2] == '\xa8' ? '8' : '9';

		buf_reserve(out, 3);
		p = out->ptr + at;
		memmove(p + 6, p + 3, out->len - at - 3);
		memcpy(p, "\\u202", 5);
		p[5] = last;
		out->len += 3;
		out->ptr[out->len] = '\0';
		at += 5;
	}
}

/* Write a string and tell what it means; that lives as long as w->keys. */
static enum status write_string(struct writer *w, struct str *meaning)
{
	bool plain;
	struct str span = take_string(w, &plain);
	struct buf text = {0};
	enum status st;

	if (plain) {
		put(w, span.ptr, span.len);
		*meaning = str_slice(span, 1, span.len - 1);
		return OK;
	}
	buf_reserve(&text, span.len);
	json_text(&text, span);
	st = check_text(w, buf_str(&text), span.ptr);
	quote(w->out, buf_str(&text));
	*meaning = arena_str(&w->keys, buf_str(&text));
	buf_release(&text);
	return st;
}

/*
 * Go reads numbers of any size, but agents stop at binary exponents past
 * 100,000; four digits, and a text that is not as long, stay far below.
 */
static bool is_huge(struct str number)
{
	enum { LONG = 10000, DIGITS = 4 };
	size_t at = 0;

	while (at < number.len && (number.ptr[at] | 0x20) != 'e')
		at++;
	if (at == number.len)
		return false;
	do
		at++;
	while (at < number.len && memchr("+-0", number.ptr[at], 3));
	return number.len > LONG || number.len - at > DIGITS;
}

static enum status write_scalar(struct writer *w)
{
	const char *from = w->at;
	struct str text;

	while (w->at<w->end && * w->at> ' ' && *w->at != ',' && *w->at != ']' &&
		*w->at != '}')
		w->at++;
	text = str_make(from, (size_t)(w->at - from));
	put(w, text.ptr, text.len);
	if (json_kind(text) != JSON_NUMBER || !is_huge(text))
		return OK;
	if (w->bad)
		*w->bad = (struct json_bad){from, NULL};
	return err_set(w->e, E_INVALID,
		"the number %.*s is larger or smaller than agents read",
		STR_ARG(str_slice(text, 0, 64)));
}

static enum status write_value(struct writer *w);

static enum status write_array(struct writer *w)
{
	enum status st = OK;

	put_next(w);
	space(w);
	while (!st && *w->at != ']') {
		st = write_value(w);
		space(w);
		if (*w->at == ',')
			put_next(w);
	}
	if (!st)
		put_next(w);
	return st;
}

static struct member *new_member(struct writer *w)
{
	if (w->nmembers == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 64;
		w->members =
			reallocarray(w->members, w->cap, sizeof(*w->members));
		if (!w->members)
			die("out of memory: %zu members", w->cap);
	}
	w->members[w->nmembers] = (struct member){.at = w->at};
	return &w->members[w->nmembers++];
}

static int by_key(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int cmp = str_cmp(x->key, y->key);

	return cmp ? cmp : (x->at > y->at) - (x->at < y->at);
}

/* Put what was written of an object's members in the order of their keys. */
static void reorder(struct writer *w, struct member *ms, size_t n)
{
	size_t from = SIZE_MAX;
	struct buf text = {0};

	for (size_t i = 0; i < n; i++)
		from = ms[i].from < from ? ms[i].from : from;
	buf_reserve(&text, w->out->len - from);
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addc(&text, ',');
		buf_add(&text, w->out->ptr + ms[i].from, ms[i].to - ms[i].from);
	}
	memcpy(w->out->ptr + from, text.ptr, text.len);
	buf_release(&text);
}

static enum status sort_members(struct writer *w, struct member *ms, size_t n)
{
	bool sorted = true;

	for (size_t i = 1; i < n && sorted; i++)
		sorted = by_key(&ms[i - 1], &ms[i]) < 0;
	if (!sorted)
		qsort(ms, n, sizeof(*ms), by_key);
	for (size_t i = 1; i < n; i++)
		if (str_eq(ms[i - 1].key, ms[i].key))
			return twice(w, &ms[i - 1], &ms[i]);
	if (!sorted)
		reorder(w, ms, n);
	return OK;
}

static enum status write_member(struct writer *w)
{
	size_t at = w->nmembers, from = w->out->len;
	struct member *m = new_member(w);
	struct str key;
	enum status st = write_string(w, &key);

	m->from = from;
	m->key = key;
	space(w);
	put_next(w); /* the colon */
	if (!st)
		st = write_value(w);
	w->members[at].to = w->out->len; /* they may have moved */
	return st;
}

static enum status write_object(struct writer *w)
{
	size_t first = w->nmembers;
	struct arena_mark mark = arena_mark(&w->keys);
	enum status st = OK;

	put_next(w);
	space(w);
	while (!st && *w->at != '}') {
		st = write_member(w);
		space(w);
		if (!st && *w->at == ',') {
			put_next(w);
			space(w);
		}
	}
	if (!st && w->nmembers > first)
		st = sort_members(w, w->members + first, w->nmembers - first);
	if (!st)
		put_next(w);
	w->nmembers = first;
	arena_rewind(&w->keys, mark);
	return st;
}

/* No deeper than json_check() lets through. */
static enum status write_value(struct writer *w)
{
	struct str meaning;

	space(w);
	if (*w->at == '{')
		return write_object(w);
	if (*w->at == '[')
		return write_array(w);
	if (*w->at == '"')
		return write_string(w, &meaning);
	return write_scalar(w);
}

enum status json_canonical(
	struct buf *out, struct str span, struct json_bad *bad, struct err *e)
{
	struct writer w = {.out = out,
		.at = span.ptr,
		.end = span.ptr + span.len,
		.bad = bad,
		.e = e};
	size_t from = out->len;
	enum status st;

	buf_reserve(out, span.len + 1);
	st = write_value(&w);
	if (st)
		out->len = from;
	out->ptr[out->len] = '\0';
	free(w.members);
	arena_release(&w.keys);
	return st;
}
