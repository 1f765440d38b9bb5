#include "rego/builtin/json_valid.h"

#include <string.h>

enum { DEPTH_MAX = 10000 };

struct reader {
	const char *at, *end;
	char closers[DEPTH_MAX]; /* of the arrays and objects around */
	size_t depth;
};

static void skip_space(struct reader *r)
{
	while (r->at < r->end && memchr(" \t\r\n", *r->at, 4))
		r->at++;
}

static bool take(struct reader *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static bool take_word(struct reader *r, struct str word)
{
	if (!str_starts((struct str){r->at, (size_t)(r->end - r->at)}, word))
		return false;
	r->at += word.len;
	return true;
}

static bool digits(struct reader *r)
{
	const char *start = r->at;

	while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
		r->at++;
	return r->at > start;
}

static bool number(struct reader *r)
{
	take(r, '-');
	if (!take(r, '0') && !digits(r))
		return false;
	if (take(r, '.') && !digits(r))
		return false;
	if (!take(r, 'e') && !take(r, 'E'))
		return true;
	if (!take(r, '+'))
		take(r, '-');
	return digits(r);
}

/* From behind the backslash. */
static bool escape(struct reader *r)
{
	if (r->at == r->end)
		return false;
	if (*r->at++ != 'u')
		return memchr("bfnrt\\/\"", r->at[-1], 8) != NULL;
	for (int i = 0; i < 4; i++, r->at++) {
		if (r->at == r->end ||
			!memchr("0123456789abcdefABCDEF", *r->at, 22))
			return false;
	}
	return true;
}

/* From behind the quote. */
static bool string(struct reader *r)
{
	while (r->at < r->end && (unsigned char)*r->at >= 0x20) {
		char c = *r->at++;

		if (c == '"')
			return true;
		if (c == '\\' && !escape(r))
			return false;
	}
	return false;
}

static bool scalar(struct reader *r)
{
	if (take(r, '"'))
		return string(r);
	return take_word(r, S("true")) || take_word(r, S("false")) ||
	       take_word(r, S("null")) || number(r);
}

/* A key and its colon. */
static bool key(struct reader *r)
{
	skip_space(r);
	if (!take(r, '"') || !string(r))
		return false;
	skip_space(r);
	return take(r, ':');
}

/* Closes what ends after a value; false unless a comma or the end follows. */
static bool after_value(struct reader *r)
{
	while (r->depth) {
		char closer = r->closers[r->depth - 1];

		skip_space(r);
		if (take(r, ','))
			return closer == ']' || key(r);
		if (!take(r, closer))
			return false;
		r->depth--;
	}
	return true;
}

/* From behind a bracket that `closer` closes. */
static bool opened(struct reader *r, char closer)
{
	if (r->depth == DEPTH_MAX)
		return false;
	skip_space(r);
	if (take(r, closer))
		return after_value(r);
	r->closers[r->depth++] = closer;
	return closer == ']' || key(r);
}

bool json_valid(struct str text)
{
	struct reader r;
	bool good;

	r.at = text.ptr;
	r.end = text.ptr + text.len;
	r.depth = 0;
	do {
		skip_space(&r);
		if (take(&r, '['))
			good = opened(&r, ']');
		else if (take(&r, '{'))
			good = opened(&r, '}');
		else
			good = scalar(&r) && after_value(&r);
	} while (good && r.depth);
	skip_space(&r);
	return good && r.at == r.end;
}
