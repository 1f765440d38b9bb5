#include "server/internal.h"

#include <string.h>

/* The byte of "%xy" at s[0..len); -1 when there is none. */
static int escape(const char *s, size_t len)
{
	int high, low;

	if (len < 3)
		return -1;
	high = ascii_hex(s[1]);
	low = ascii_hex(s[2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static bool control(int c)
{
	return c <= 0x20 || c == 0x7f;
}

static bool dots(struct str segment)
{
	return str_is(segment, "") || str_is(segment, ".") ||
	       str_is(segment, "..");
}

/* "/a/b" has the segments a and b; one "/" at the end is let pass. */
static bool segments_fine(struct str path)
{
	size_t at = 1, to;

	for (; at < path.len; at = to + 1) {
		to = str_find(path, S("/"), at);
		if (to == SIZE_MAX)
			to = path.len;
		if (dots(str_slice(path, at, to)))
			return false;
	}
	return true;
}

enum status url_path(char *path, struct err *e)
{
	size_t len = strlen(path), to = 0;

	if (*path != '/')
		return err_set(e, E_INVALID, "the path has no / first");
	for (size_t at = 0; at < len; at++) {
		int c = (unsigned char)path[at];

		if (c == '%') {
			c = escape(path + at, len - at);
			if (c < 0 || c == '/' || c == '%')
				return err_set(e, E_INVALID,
					"the path has an escape that may not "
					"stand there");
			at += 2;
		}
		if (control(c))
			return err_set(e, E_INVALID,
				"the path has a control character or space");
		path[to++] = (char)c;
	}
	path[to] = '\0';
	if (!segments_fine(str_from(path)))
		return err_set(e, E_INVALID,
			"the path has an empty segment or "
			"one of dots");
	return OK;
}

bool url_value(struct buf *out, struct str raw)
{
	for (size_t i = 0; i < raw.len; i++) {
		int c = (unsigned char)raw.ptr[i];

		if (c == '%') {
			c = escape(raw.ptr + i, raw.len - i);
			if (c <= 0)
				return false;
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		buf_addc(out, (char)c);
	}
	return true;
}

bool url_next(struct str *query, struct str *key, struct str *value)
{
	size_t end, eq;
	struct str member;

	if (!query->len)
		return false;
	end = str_find(*query, S("&"), 0);
	member = str_slice(*query, 0, end);
	*query = str_slice(
		*query, end == SIZE_MAX ? query->len : end + 1, query->len);
	eq = str_find(member, S("="), 0);
	*key = str_slice(member, 0, eq);
	*value = str_slice(
		member, eq == SIZE_MAX ? member.len : eq + 1, member.len);
	return true;
}

/* The segment of `s` that begins at *at; *at goes behind it and its "/". */
static struct str segment(struct str s, size_t *at)
{
	size_t from = *at, to = str_find(s, S("/"), from);

	if (to == SIZE_MAX)
		to = s.len;
	*at = to + 1;
	return str_slice(s, from, to);
}

bool url_match(
	const char *pattern, struct str path, struct str params[SERVER_PARAMS])
{
	struct str p = str_from(pattern);
	size_t at = 1, from = 1, n = 0;

	while (at <= p.len && p.len > 1) {
		struct str want = segment(p, &at), got;

		if (from >= path.len)
			return false;
		if (str_ends(want, S("...}"))) {
			params[n] = str_slice(path, from, path.len);
			return true;
		}
		got = segment(path, &from);
		if (str_starts(want, S("{")))
			params[n++] = got;
		else if (!str_eq(want, got))
			return false;
		if (n == SERVER_PARAMS)
			return false;
	}
	return p.len > 1 ? from > path.len : path.len <= 1;
}

static bool name_char(char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
		return true;
	return !first && c && strchr("._-", c);
}

/* Up to four segments of [a-z0-9][a-z0-9._-]{0,63}. */
bool url_bundle_valid(struct str name)
{
	size_t at = 0, n = 0;

	while (at <= name.len) {
		struct str s = segment(name, &at);

		if (!s.len || s.len > 64 || ++n > 4)
			return false;
		for (size_t i = 0; i < s.len; i++)
			if (!name_char(s.ptr[i], i == 0))
				return false;
	}
	return n > 0;
}
