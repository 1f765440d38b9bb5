#include "rego/url.h"

#include <arpa/inet.h>
#include <string.h>

#include "rego/builtin/unicode.h"

enum part { P_PATH, P_FRAGMENT, P_HOST, P_USER };

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

/* What stands for itself in a part when Go writes it. */
static bool is_plain(char c, enum part part)
{
	static const char *const more[] = {
		[P_PATH] = "$&+,/:;=@",
		[P_FRAGMENT] = "$&+,/:;=?@!()*",
		[P_HOST] = "!$&'()*+,;=:[]<>\"",
		[P_USER] = "$&+,;=",
	};

	return is_alnum(c) || is_one_of(c, "-_.~") || is_one_of(c, more[part]);
}

static bool is_escape(struct str s, size_t i)
{
	return i + 2 < s.len && ascii_hex(s.ptr[i + 1]) >= 0 &&
	       ascii_hex(s.ptr[i + 2]) >= 0;
}

static bool refuse(
	struct buf *why, const char *what, struct str which, const char *rest)
{
	buf_adds(why, what);
	quote_go(why, which, false);
	buf_adds(why, rest);
	return false;
}

/* Without escapes. In a host only what is not ASCII may be escaped. */
static bool unescape(
	struct str s, enum part part, struct buf *out, struct buf *why)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '%') {
			if (!is_escape(s, i) ||
				(part == P_HOST &&
					ascii_hex(s.ptr[i + 1]) < 8 &&
					!str_eq(str_slice(s, i, i + 3),
						S("%25"))))
				return refuse(why, "invalid URL escape ",
					str_slice(s, i, i + 3), "");
			c = (char)(ascii_hex(s.ptr[i + 1]) << 4 |
				   ascii_hex(s.ptr[i + 2]));
			i += 2;
		} else if (part == P_HOST && !(c & 0x80) &&
			   !is_plain(c, part)) {
			return refuse(why, "invalid character ",
				str_slice(s, i, i + 1), " in host name");
		}
		buf_addc(out, c);
	}
	return true;
}

static void escape(struct buf *out, struct str s, enum part part)
{
	for (size_t i = 0; i < s.len; i++) {
		if (is_plain(s.ptr[i], part))
			buf_addc(out, s.ptr[i]);
		else
			buf_addf(out, "%%%02X", (unsigned char)s.ptr[i]);
	}
}

static bool is_written_well(struct str s, enum part part)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_plain(s.ptr[i], part) &&
			!is_one_of(s.ptr[i], "!$&'()*+,;=:@[]%"))
			return false;
	return true;
}

/* A path or fragment: as it is, or with other escapes. */
static bool add_part(
	struct buf *out, struct str s, enum part part, struct buf *why)
{
	struct buf bare = {0};
	bool ok = unescape(s, part, &bare, why);

	if (ok && is_written_well(s, part))
		buf_addstr(out, s);
	else if (ok)
		escape(out, buf_str(&bare), part);
	buf_release(&bare);
	return ok;
}

static size_t find_last(struct str s, char c)
{
	for (size_t i = s.len; i-- > 0;)
		if (s.ptr[i] == c)
			return i;
	return SIZE_MAX;
}

static size_t find(struct str s, char c)
{
	const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;

	return at ? (size_t)(at - s.ptr) : SIZE_MAX;
}

static bool port_fits(struct str s, struct buf *why)
{
	bool ok = !s.len || s.ptr[0] == ':';

	for (size_t i = 1; i < s.len; i++)
		ok = ok && s.ptr[i] >= '0' && s.ptr[i] <= '9';
	return ok || refuse(why, "invalid port ", s, " after host");
}

/* [fe80::1%25en0]:80 */
static bool add_ip(struct buf *out, struct str s, struct buf *why)
{
	size_t end = find_last(s, ']');
	struct in6_addr six;
	struct in_addr four;
	struct buf ip = {0};
	bool ok = false;

	if (end == SIZE_MAX) {
		buf_adds(why, "missing ']' in host");
		return false;
	}
	if (!port_fits(str_slice(s, end + 1, s.len), why))
		return false;
	struct str inside = str_slice(s, 1, end);
	size_t percent = str_find(inside, S("%25"), 0);

	buf_addstr(&ip, str_slice(inside, 0, percent));
	if (!ip.len)
		refuse(why, "invalid host: ParseAddr(", inside,
			"): unable to parse IP");
	else if (inet_pton(AF_INET, ip.ptr, &four) == 1)
		buf_adds(why, "invalid IP-literal");
	else if (inet_pton(AF_INET6, ip.ptr, &six) != 1)
		refuse(why, "invalid host: ParseAddr(", inside,
			"): unable to parse IP");
	else
		ok = true;
	if (ok)
		buf_addstr(out, s);
	buf_release(&ip);
	return ok;
}

static bool add_host(
	struct buf *out, struct str scheme, struct str s, struct buf *why)
{
	bool http = str_is(scheme, "http") || str_is(scheme, "https");
	size_t bracket = find_last(s, '['), colon;
	struct buf bare = {0};
	bool ok;

	if (bracket == 0)
		return add_ip(out, s, why);
	if (bracket != SIZE_MAX) {
		buf_adds(why, "invalid IP-literal");
		return false;
	}
	colon = http ? find(s, ':') : find_last(s, ':');
	if (colon != SIZE_MAX && !port_fits(str_slice(s, colon, s.len), why))
		return false;
	ok = unescape(s, P_HOST, &bare, why);
	if (ok)
		escape(out, buf_str(&bare), P_HOST);
	buf_release(&bare);
	return ok;
}

static bool add_user(struct buf *out, struct str s, struct buf *why)
{
	struct buf bare = {0};
	bool ok;

	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) &&
			!is_one_of(s.ptr[i], "-._:~!$&'()*+,;=%@")) {
			buf_adds(why, "net/url: invalid userinfo");
			return false;
		}
	ok = unescape(s, P_USER, &bare, why);
	buf_release(&bare);
	if (ok)
		buf_addf(out, "%.*s@", STR_ARG(s));
	return ok;
}

/* //user@host */
static bool add_authority(
	struct buf *out, struct str scheme, struct str s, struct buf *why)
{
	size_t at = find_last(s, '@');
	bool user = at != SIZE_MAX;
	struct buf host = {0};
	bool ok = add_host(
		&host, scheme, str_slice(s, user ? at + 1 : 0, s.len), why);

	buf_adds(out, "//");
	ok = ok && (!user || add_user(out, str_slice(s, 0, at), why));
	buf_addstr(out, buf_str(&host));
	buf_release(&host);
	return ok;
}

/* The length of "http" in "http://..."; 0 when there is none. */
static bool scheme_len(struct str s, size_t *len, struct buf *why)
{
	*len = 0;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == ':' && !i) {
			buf_adds(why, "missing protocol scheme");
			return false;
		}
		if (c == ':')
			*len = i;
		if (!is_alnum(c) && !(i && is_one_of(c, "+-.")))
			return true;
		if (!i && c >= '0' && c <= '9')
			return true;
	}
	return true;
}

/* What is between the scheme and the query. */
static bool add_rest(
	struct buf *out, struct str scheme, struct str s, struct buf *why)
{
	size_t slash = find(s, '/');
	struct str first = str_slice(s, 0, slash);

	if (slash != 0 && scheme.len) {
		buf_addstr(out, s); /* mailto:me: has no parts */
		return true;
	}
	if (slash != 0 && find(first, ':') != SIZE_MAX) {
		buf_adds(why, "first path segment in URL cannot contain colon");
		return false;
	}
	if (str_starts(s, S("//")) &&
		(scheme.len || !str_starts(s, S("///")))) {
		struct str rest = str_slice(s, 2, s.len);
		size_t end = find(rest, '/');

		if (!add_authority(out, scheme, str_slice(rest, 0, end), why))
			return false;
		s = end == SIZE_MAX ? S("") : str_slice(rest, end, rest.len);
	}
	return add_part(out, s, P_PATH, why);
}

static void add_scheme(struct buf *out, struct str scheme)
{
	for (size_t i = 0; i < scheme.len; i++)
		buf_addc(out, ascii_lower(scheme.ptr[i]));
}

static bool add_url(struct buf *out, struct str s, struct buf *why)
{
	size_t len, query;
	struct buf scheme = {0};
	bool ok;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c < ' ' || c == 0x7f) {
			buf_adds(why, "net/url: invalid control character in "
				      "URL");
			return false;
		}
	}
	if (!scheme_len(s, &len, why))
		return false;
	add_scheme(&scheme, str_slice(s, 0, len));
	if (len)
		buf_addf(out, "%.*s:", STR_ARG(buf_str(&scheme)));
	s = str_slice(s, len ? len + 1 : 0, s.len);
	query = find(s, '?');
	ok = add_rest(out, buf_str(&scheme), str_slice(s, 0, query), why);
	if (query != SIZE_MAX)
		buf_addstr(out, str_slice(s, query, s.len));
	buf_release(&scheme);
	return ok;
}

bool url_normal(struct str s, struct buf *out, struct buf *why)
{
	size_t hash = find(s, '#');
	struct str fragment =
		hash == SIZE_MAX ? S("") : str_slice(s, hash + 1, s.len);
	struct str blamed = str_slice(s, 0, hash);
	struct buf reason = {0};
	bool ok = add_url(out, blamed, &reason);

	if (ok && fragment.len) {
		blamed = s;
		buf_addc(out, '#');
		ok = add_part(out, fragment, P_FRAGMENT, &reason);
	}
	if (!ok)
		buf_adds(why, "parse "), quote_go(why, blamed, false),
			buf_addf(why, ": %s", reason.ptr);
	buf_release(&reason);
	return ok;
}

/* --- in parts ------------------------------------------------------------
 */

/* user@host:port, of which the port may have no digits. */
static void split_authority(struct str s, struct url_parts *out)
{
	struct buf bare = {0}, why = {0};
	size_t at = find_last(s, '@'), end, colon;
	struct str host = str_slice(s, at == SIZE_MAX ? 0 : at + 1, s.len);

	out->has_user = at != SIZE_MAX;
	if (!unescape(host, P_HOST, &bare, &why)) /* a zone's %25 */
		buf_reset(&bare), buf_addstr(&bare, host);
	host = buf_str(&bare);
	buf_addstr(&out->host, host);
	colon = find_last(host, ':');
	end = find_last(host, ']');
	if (colon != SIZE_MAX && (end == SIZE_MAX || colon > end))
		buf_addstr(&out->port, str_slice(host, colon + 1, host.len));
	else
		colon = host.len;
	if (end != SIZE_MAX && host.ptr[0] == '[')
		buf_addstr(&out->hostname, str_slice(host, 1, end));
	else
		buf_addstr(&out->hostname, str_slice(host, 0, colon));
	buf_release(&bare);
	buf_release(&why);
}

static void split_path(struct str s, struct url_parts *out)
{
	struct buf why = {0}, again = {0};

	if (unescape(s, P_PATH, &out->path, &why)) {
		struct str path = buf_str(&out->path);

		escape(&again, path, P_PATH);
		out->path_kept = str_eq(buf_str(&again), s);
		buf_addstr(&out->raw_path, out->path_kept ? path : s);
		buf_addstr(&out->escaped_path,
			is_written_well(s, P_PATH) ? s : buf_str(&again));
	}
	buf_release(&why);
	buf_release(&again);
}

/* What is between the scheme and the query. */
static void split_rest(struct str s, bool scheme, struct url_parts *out)
{
	size_t end;

	if (scheme && !str_starts(s, S("/"))) {
		buf_addstr(&out->opaque, s); /* mailto:me: has no parts */
		return;
	}
	out->no_authority = scheme && !str_starts(s, S("//"));
	if (str_starts(s, S("//")) && (scheme || !str_starts(s, S("///")))) {
		s = str_slice(s, 2, s.len);
		end = find(s, '/');
		split_authority(str_slice(s, 0, end), out);
		s = end == SIZE_MAX ? S("") : str_slice(s, end, s.len);
	}
	split_path(s, out);
}

static void split_fragment(struct str s, struct url_parts *out)
{
	struct buf why = {0}, again = {0};

	if (unescape(s, P_FRAGMENT, &out->fragment, &why))
		escape(&again, buf_str(&out->fragment), P_FRAGMENT);
	buf_addstr(&out->raw_fragment, s);
	out->fragment_kept = str_eq(buf_str(&again), s);
	buf_release(&why);
	buf_release(&again);
}

bool url_split(struct str s, struct url_parts *out, struct buf *why)
{
	struct buf normal = {0};
	bool ok = url_normal(s, &normal, why);
	size_t hash = find(s, '#'), query, len;

	buf_release(&normal);
	if (!ok)
		return false;
	if (hash != SIZE_MAX)
		split_fragment(str_slice(s, hash + 1, s.len), out);
	s = str_slice(s, 0, hash);
	scheme_len(s, &len, why);
	add_scheme(&out->scheme, str_slice(s, 0, len));
	s = str_slice(s, len ? len + 1 : 0, s.len);
	query = find(s, '?');
	out->has_query = query != SIZE_MAX;
	if (out->has_query)
		buf_addstr(&out->query, str_slice(s, query + 1, s.len));
	split_rest(str_slice(s, 0, query), len > 0, out);
	out->path_kept |= str_is(s, "*");
	return true;
}

void url_parts_release(struct url_parts *p)
{
	buf_release(&p->scheme);
	buf_release(&p->hostname);
	buf_release(&p->port);
	buf_release(&p->path);
	buf_release(&p->fragment);
	buf_release(&p->raw_path);
	buf_release(&p->query);
	buf_release(&p->escaped_path);
	buf_release(&p->opaque);
	buf_release(&p->host);
	buf_release(&p->raw_fragment);
}
