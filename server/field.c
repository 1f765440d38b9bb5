#include "server/internal.h"

#include <limits.h>
#include <string.h>

struct str field_trim(struct str s)
{
	while (s.len && (*s.ptr == ' ' || *s.ptr == '\t'))
		s = str_slice(s, 1, s.len);
	while (s.len && memchr(" \t", s.ptr[s.len - 1], 2))
		s.len--;
	return s;
}

/* Digits, quoted or not; nothing else is a number. */
static unsigned seconds(struct str s)
{
	unsigned n = 0;

	if (s.len > 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
		s = str_slice(s, 1, s.len - 1);
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)(s.ptr[i] - '0');

		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return 0;
		n = n > (UINT_MAX - digit) / 10 ? UINT_MAX : n * 10 + digit;
	}
	return n;
}

/*
 * What OPA writes, "modes=snapshot,delta;wait=30", is by the grammar a
 * preference `modes` and one `delta` with the parameter `wait`; a plain
 * "wait=30" is what the RFC has. Both are members between commas and
 * semicolons.
 */
unsigned field_wait(struct str prefer)
{
	size_t at = 0;

	while (at < prefer.len) {
		size_t to = at, eq;
		struct str member;

		while (to < prefer.len && !memchr(",;", prefer.ptr[to], 2))
			to++;
		member = str_slice(prefer, at, to);
		at = to + 1;
		eq = str_find(member, S("="), 0);
		if (eq != SIZE_MAX &&
			str_eq_fold(field_trim(str_slice(member, 0, eq)),
				S("wait")))
			return seconds(field_trim(
				str_slice(member, eq + 1, member.len)));
	}
	return 0;
}

/* A comma inside quotes does not end a tag. */
struct str field_first_tag(struct str list)
{
	bool quoted = false;
	size_t to = 0;

	for (; to < list.len && (quoted || list.ptr[to] != ','); to++)
		if (list.ptr[to] == '"')
			quoted = !quoted;
	return field_trim(str_slice(list, 0, to));
}

struct str field_cookie(struct str cookies, struct str name)
{
	size_t at = 0, to, eq;

	for (; at < cookies.len; at = to + 1) {
		struct str one;

		to = str_find(cookies, S(";"), at);
		if (to == SIZE_MAX)
			to = cookies.len;
		one = field_trim(str_slice(cookies, at, to));
		eq = str_find(one, S("="), 0);
		if (eq != SIZE_MAX && str_eq(str_slice(one, 0, eq), name))
			return str_slice(one, eq + 1, one.len);
	}
	return (struct str){0};
}

bool field_bearer(struct str authorization, struct str *token)
{
	struct str s = field_trim(authorization);

	if (s.len < 8 || !str_eq_fold(str_slice(s, 0, 6), S("Bearer")) ||
		s.ptr[6] != ' ')
		return false;
	s = field_trim(str_slice(s, 7, s.len));
	if (!s.len || memchr(s.ptr, ' ', s.len))
		return false;
	*token = s;
	return true;
}
