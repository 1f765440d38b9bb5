#include "rego/builtin.h"

#include <string.h>

#include "base/limits.h"
#include "rego/builtin/json_valid.h"
#include "rego/builtin/operand.h"
#include "rego/builtin/unicode.h"
#include "rego/builtin/yaml_write.h"
#include "rego/url.h"

/* The result of a function that filled `b`, which is released. */
static enum bi_status buf_result(
	struct bi_ctx *cx, struct buf *b, struct value *out)
{
	enum bi_status st = bi_string(cx, buf_str(b), out);

	buf_release(b);
	return st;
}

/* is_valid() functions are false for what is not a string. */
static bool is_text(struct value v)
{
	return v.tag == V_STR;
}

/* --- base64 ---------------------------------------------------------- */

static const char base64_std[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static enum bi_status encode64(struct bi_ctx *cx, struct str s,
	const char *alphabet, bool pad, struct value *out)
{
	size_t len = (s.len + 2) / 3 * 4, i = 0;
	struct buf b = {0};
	char *p;

	if (len > LIMIT_STRING)
		return bi_limit(cx, "result has %zu bytes, limit %zu", len,
			LIMIT_STRING);
	p = buf_reserve(&b, len + 4);
	for (; i < s.len; i += 3) {
		const unsigned char *in = (const unsigned char *)s.ptr + i;
		size_t n = s.len - i < 3 ? s.len - i : 3;
		uint32_t w = (uint32_t)in[0] << 16;

		w |= n > 1 ? (uint32_t)in[1] << 8 : 0;
		w |= n > 2 ? in[2] : 0;
		for (unsigned k = 0; k <= n; k++)
			*p++ = alphabet[w >> (18 - 6 * k) & 63];
		for (; n < 3 && pad; n++)
			*p++ = '=';
	}
	b.len = (size_t)(p - b.ptr);
	return buf_result(cx, &b, out);
}

/* The reverse of an alphabet: 0xff for what is not in it. */
struct alphabet {
	unsigned char of[256];
};

static struct alphabet alphabet_of(const char *letters)
{
	struct alphabet a;

	memset(a.of, 0xff, sizeof(a.of));
	for (unsigned i = 0; i < 64; i++)
		a.of[(unsigned char)letters[i]] = (unsigned char)i;
	return a;
}

static bool is_newline(char c)
{
	return c == '\n' || c == '\r';
}

static size_t skip_newlines(struct str s, size_t at)
{
	while (at < s.len && is_newline(s.ptr[at]))
		at++;
	return at;
}

/*
 * The padding after `n` letters of a group, whose first sign is at s[at - 1].
 * Returns the byte at which Go finds fault, or SIZE_MAX.
 */
static size_t bad_padding(struct str s, size_t at, unsigned n)
{
	if (n < 2)
		return at - 1;
	if (n == 2) {
		at = skip_newlines(s, at);
		if (at == s.len)
			return s.len;
		if (s.ptr[at] != '=')
			return at - 1;
		at++;
	}
	at = skip_newlines(s, at);
	return at < s.len ? at : SIZE_MAX;
}

/*
 * Padded base64; line breaks do not count. Returns the byte at which Go finds
 * fault, or SIZE_MAX.
 */
static size_t decode64(struct str s, const struct alphabet *a, struct buf *out)
{
	uint32_t group = 0;
	unsigned n = 0;

	for (size_t at = 0; at < s.len;) {
		char c = s.ptr[at++];
		unsigned char six = a->of[(unsigned char)c];

		if (six != 0xff) {
			group = group << 6 | six;
			if (++n < 4)
				continue;
			buf_addc(out, (char)(group >> 16));
			buf_addc(out, (char)(group >> 8));
			buf_addc(out, (char)group);
			n = 0;
		} else if (c == '=') {
			size_t bad = bad_padding(s, at, n);

			if (bad != SIZE_MAX)
				return bad;
			buf_addc(out, (char)(group >> (n == 2 ? 4 : 10)));
			if (n == 3)
				buf_addc(out, (char)(group >> 2));
			return SIZE_MAX;
		} else if (!is_newline(c)) {
			return at - 1;
		}
	}
	/* line breaks inside a group are not counted: Go's doing */
	return n ? s.len - n : SIZE_MAX;
}

static enum bi_status decoded64(
	struct bi_ctx *cx, struct str s, const char *letters, struct value *out)
{
	struct alphabet a = alphabet_of(letters);
	struct buf b = {0};
	size_t bad;

	buf_reserve(&b, s.len / 4 * 3 + 3);
	bad = decode64(s, &a, &b);
	if (bad == SIZE_MAX)
		return buf_result(cx, &b, out);
	buf_release(&b);
	return bi_error(cx, "illegal base64 data at input byte %zu", bad);
}

static enum bi_status bi_base64_encode(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return encode64(cx, v_bytes(args[0]), base64_std, true, out);
}

static enum bi_status bi_base64_decode(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return decoded64(cx, v_bytes(args[0]), base64_std, out);
}

static enum bi_status bi_base64_is_valid(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct alphabet a = alphabet_of(base64_std);
	struct buf b = {0};

	(void)cx;
	*out = v_bool(is_text(args[0]) &&
		      decode64(v_bytes(args[0]), &a, &b) == SIZE_MAX);
	buf_release(&b);
	return BI_OK;
}

static enum bi_status bi_base64url_encode(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return encode64(cx, v_bytes(args[0]), base64_url, true, out);
}

static enum bi_status bi_base64url_encode_no_pad(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return encode64(cx, v_bytes(args[0]), base64_url, false, out);
}

/* Padding may be left out: RFC 7515, appendix C. */
static enum bi_status bi_base64url_decode(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str s = v_bytes(args[0]);
	struct buf b = {0};
	enum bi_status st;

	if (str_ends(s, S("=")) || s.len % 4 == 0)
		return decoded64(cx, s, base64_url, out);
	if (s.len % 4 == 1)
		return bi_error(cx, "illegal base64url string: %.*s",
			s.len < 900 ? (int)s.len : 900, s.ptr);
	buf_addstr(&b, s);
	buf_adds(&b, s.len % 4 == 2 ? "==" : "=");
	st = decoded64(cx, buf_str(&b), base64_url, out);
	buf_release(&b);
	return st;
}

/* --- hex ------------------------------------------------------------- */

static enum bi_status bi_hex_encode(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str s = v_bytes(args[0]);
	struct buf b = {0};

	if (s.len > LIMIT_STRING / 2)
		return bi_limit(cx, "result has %zu bytes, limit %zu",
			2 * s.len, LIMIT_STRING);
	buf_reserve(&b, 2 * s.len);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		buf_addc(&b, "0123456789abcdef"[c >> 4]);
		buf_addc(&b, "0123456789abcdef"[c & 15]);
	}
	return buf_result(cx, &b, out);
}

/* The first byte that is not a hex digit, or SIZE_MAX. */
static size_t bad_hex(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (ascii_hex(s.ptr[i]) < 0)
			return i;
	}
	return SIZE_MAX;
}

static enum bi_status bad_hex_error(struct bi_ctx *cx, unsigned char c)
{
	char text[4];
	size_t n = utf8_encode(c, text);

	if (!rune_is_print(c))
		return bi_error(cx, "encoding/hex: invalid byte: U+%04X", c);
	return bi_error(cx, "encoding/hex: invalid byte: U+%04X '%.*s'", c,
		(int)n, text);
}

static enum bi_status bi_hex_decode(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str s = v_bytes(args[0]);
	size_t bad = bad_hex(s);
	struct buf b = {0};

	if (bad != SIZE_MAX)
		return bad_hex_error(cx, (unsigned char)s.ptr[bad]);
	if (s.len % 2)
		return bi_error(cx, "encoding/hex: odd length hex string");
	buf_reserve(&b, s.len / 2);
	for (size_t i = 0; i < s.len; i += 2)
		buf_addc(&b, (char)(ascii_hex(s.ptr[i]) << 4 |
				     ascii_hex(s.ptr[i + 1])));
	return buf_result(cx, &b, out);
}

/* --- uri ------------------------------------------------------------- */

static void put_part(struct bi_ctx *cx, struct builder *b, const char *name,
	struct buf *part)
{
	if (part->len)
		builder_set_key(b, v_cstr(cx->arena, name),
			v_str(cx->arena, buf_str(part)));
}

static enum bi_status bi_uri_parse(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct builder b = builder_obj(cx->arena);
	struct url_parts parts = {0};
	struct buf why = {0};
	enum bi_status st = BI_OK;

	if (!url_split(v_bytes(args[0]), &parts, &why)) {
		st = bi_error(cx, "%.*s", STR_ARG(buf_str(&why)));
	} else {
		put_part(cx, &b, "scheme", &parts.scheme);
		put_part(cx, &b, "hostname", &parts.hostname);
		put_part(cx, &b, "port", &parts.port);
		put_part(cx, &b, "path", &parts.path);
		put_part(cx, &b, "raw_path", &parts.raw_path);
		put_part(cx, &b, "raw_query", &parts.query);
		put_part(cx, &b, "fragment", &parts.fragment);
		*out = builder_done(&b);
	}
	url_parts_release(&parts);
	buf_release(&why);
	return st;
}

/* The empty text is a URI, but not what a policy asks for. */
static enum bi_status bi_uri_is_valid(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct buf text = {0}, why = {0};

	(void)cx;
	*out = v_bool(is_text(args[0]) && v_bytes(args[0]).len &&
		      url_normal(v_bytes(args[0]), &text, &why));
	buf_release(&text);
	buf_release(&why);
	return BI_OK;
}

/* --- urlquery -------------------------------------------------------- */

static bool is_unreserved(char c)
{
	return (c >= '0' && c <= '9') ||
	       ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
	       c == '.' || c == '_' || c == '~';
}

static void add_url_escaped(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (is_unreserved(c))
			buf_addc(out, c);
		else if (c == ' ')
			buf_addc(out, '+');
		else
			buf_addf(out, "%%%02X", (unsigned char)c);
	}
}

/* False at a broken escape, which is then the text of *bad. */
static bool add_url_unescaped(struct buf *out, struct str s, struct str *bad)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '%') {
			if (s.len - i < 3 || ascii_hex(s.ptr[i + 1]) < 0 ||
				ascii_hex(s.ptr[i + 2]) < 0) {
				*bad = str_slice(s, i, i + 3);
				return false;
			}
			c = (char)(ascii_hex(s.ptr[i + 1]) << 4 |
				   ascii_hex(s.ptr[i + 2]));
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		buf_addc(out, c);
	}
	return true;
}

static enum bi_status bad_url_escape(struct bi_ctx *cx, struct str bad)
{
	struct buf b = {0};
	enum bi_status st;

	quote_go(&b, bad, false);
	st = bi_error(cx, "invalid URL escape %s", b.ptr);
	buf_release(&b);
	return st;
}

static enum bi_status bi_urlquery_encode(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str s = v_bytes(args[0]);
	struct buf b = {0};

	if (!bi_charge(cx, s.len / 64))
		return BI_HALT;
	add_url_escaped(&b, s);
	return buf_result(cx, &b, out);
}

static enum bi_status bi_urlquery_decode(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct buf b = {0};
	struct str bad;

	if (add_url_unescaped(&b, v_bytes(args[0]), &bad))
		return buf_result(cx, &b, out);
	buf_release(&b);
	return bad_url_escape(cx, bad);
}

static struct value json_value(struct arena *a, struct value v);

static void add_pair(struct buf *out, struct value key, struct value v)
{
	if (out->len)
		buf_addc(out, '&');
	add_url_escaped(out, v_bytes(key));
	buf_addc(out, '=');
	add_url_escaped(out, v_bytes(v));
}

/* One key with its value, or with each member of an array or set. */
static bool add_pairs(struct buf *out, struct value key, struct value v)
{
	const struct value *items;
	uint32_t n;

	if (v.tag == V_STR) {
		add_pair(out, key, v);
		return true;
	}
	if (!operand_members(v, &items, &n))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (items[i].tag != V_STR)
			return false;
		add_pair(out, key, items[i]);
	}
	return true;
}

static enum bi_status bi_urlquery_encode_object(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct value v = json_value(cx->arena, args[0]);
	struct buf b = {0};

	for (uint32_t i = 0; i < v.obj->len; i++) {
		if (add_pairs(&b, v.obj->keys->items[i], v.obj->vals[i]))
			continue;
		buf_release(&b);
		return bi_operand_text(cx, 1,
			"values must be string, array[string], or set[string]");
	}
	return buf_result(cx, &b, out);
}

/* Key and value of one part of a query, to be grouped by key. */
struct pair {
	struct value key, value;
	size_t order;
};

static int cmp_pairs(const void *pa, const void *pb)
{
	const struct pair *a = pa, *b = pb;
	int c = value_cmp(a->key, b->key);

	return c ? c : (a->order > b->order) - (a->order < b->order);
}

/* False, with the message set, if the part is broken. */
static bool read_pair(struct bi_ctx *cx, struct str part, struct pair *p)
{
	size_t equals = str_find(part, S("="), 0);
	size_t after = equals == SIZE_MAX ? part.len : equals + 1;
	struct buf b = {0};
	struct str bad;
	bool good = add_url_unescaped(&b, str_slice(part, 0, equals), &bad);

	if (good) {
		p->key = v_str(cx->arena, buf_str(&b));
		b.len = 0;
		good = add_url_unescaped(
			&b, str_slice(part, after, part.len), &bad);
	}
	if (good)
		p->value = v_str(cx->arena, buf_str(&b));
	else
		bad_url_escape(cx, bad);
	buf_release(&b);
	return good;
}

/*
 * All parts of a query. Go goes on after a broken escape and names the first
 * one, but of a semicolon the last word counts.
 */
static enum bi_status read_pairs(
	struct bi_ctx *cx, struct str query, struct pair *pairs, size_t *n)
{
	enum bi_status st = BI_OK;
	size_t end;

	*n = 0;
	for (size_t at = 0; at < query.len; at = end + 1) {
		struct str part;

		end = str_find(query, S("&"), at);
		if (end == SIZE_MAX)
			end = query.len;
		part = str_slice(query, at, end);
		if (memchr(part.ptr, ';', part.len)) {
			st = bi_error(
				cx, "invalid semicolon separator in query");
			continue;
		}
		if (!part.len)
			continue;
		if (st)
			continue;
		pairs[*n].order = *n;
		if (read_pair(cx, part, &pairs[*n]))
			++*n;
		else
			st = BI_ERROR;
	}
	return st;
}

/* Pairs sorted by key into an object of arrays. */
static struct value pairs_object(struct arena *a, struct pair *pairs, size_t n)
{
	struct value *keys = ARENA_ARRAY(a, struct value, n);
	struct value *vals = ARENA_ARRAY(a, struct value, n);
	struct value *items = ARENA_ARRAY(a, struct value, n);
	size_t len = 0;

	qsort(pairs, n, sizeof(*pairs), cmp_pairs);
	for (size_t i = 0; i < n;) {
		size_t end = i;

		for (; end < n && value_eq(pairs[end].key, pairs[i].key); end++)
			items[end] = pairs[end].value;
		keys[len] = pairs[i].key;
		vals[len++] = v_arr(a, items + i, end - i);
		i = end;
	}
	return v_obj_sorted(a, keys, vals, len);
}

static enum bi_status bi_urlquery_decode_object(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	enum { PARAMS_MAX = 10000 }; /* of Go's net/url */
	struct str query = v_bytes(args[0]);
	struct pair *pairs;
	size_t n = 1;
	enum bi_status st;

	for (size_t i = 0; i < query.len; i++)
		n += query.ptr[i] == '&';
	if (n > PARAMS_MAX)
		return bi_error(
			cx, "number of URL query parameters exceeded limit");
	pairs = ARENA_ARRAY(cx->arena, struct pair, n);
	st = read_pairs(cx, query, pairs, &n);
	if (!st)
		*out = pairs_object(cx->arena, pairs, n);
	return st;
}

/* --- JSON ------------------------------------------------------------ */

/* Whether an object in `v` has a key that is not a string. */
static bool has_other_keys(struct value v)
{
	const struct value *items;
	uint32_t n;

	if (operand_members(v, &items, &n)) {
		for (uint32_t i = 0; i < n; i++) {
			if (has_other_keys(items[i]))
				return true;
		}
		return false;
	}
	if (v.tag != V_OBJ || !v.obj->len)
		return false;
	/* sorted by type, so strings are at neither end if others are there */
	if (v.obj->keys->items[0].tag != V_STR ||
		v.obj->keys->items[v.obj->len - 1].tag != V_STR)
		return true;
	for (uint32_t i = 0; i < v.obj->len; i++) {
		if (has_other_keys(v.obj->vals[i]))
			return true;
	}
	return false;
}

static struct value json_key(struct arena *a, struct value key)
{
	struct buf b = {0};
	struct value text;

	if (key.tag == V_STR)
		return key;
	value_json(&b, json_value(a, key), 0, JSON_HTML);
	text = v_str(a, buf_str(&b));
	buf_release(&b);
	return text;
}

static struct value json_object(struct arena *a, const struct object *o)
{
	struct value *keys = ARENA_ARRAY(a, struct value, o->len);
	struct value *vals = ARENA_ARRAY(a, struct value, o->len);

	for (uint32_t i = 0; i < o->len; i++) {
		keys[i] = json_key(a, o->keys->items[i]);
		vals[i] = json_value(a, o->vals[i]);
	}
	return v_obj(a, keys, vals, o->len);
}

/*
 * The value with strings for keys: what is not one becomes its JSON text. Of
 * 1 and "1", which fall together then, the string wins.
 */
static struct value json_value(struct arena *a, struct value v)
{
	const struct value *items;
	struct value *copies;
	uint32_t n;

	if (!has_other_keys(v))
		return v;
	if (v.tag == V_OBJ)
		return json_object(a, v.obj);
	if (!operand_members(v, &items, &n))
		return v;
	copies = ARENA_ARRAY(a, struct value, n);
	for (uint32_t i = 0; i < n; i++)
		copies[i] = json_value(a, items[i]);
	return v_arr(a, copies, n);
}

static enum bi_status bi_json_marshal(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct buf b = {0};

	value_json(&b, json_value(cx->arena, args[0]), 0, JSON_HTML);
	return buf_result(cx, &b, out);
}

struct json_options {
	struct str prefix, indent;
	bool pretty;
};

static enum bi_status read_text_option(struct bi_ctx *cx, const char *key,
	uint32_t at, struct value v, struct str *out)
{
	if (v.tag != V_STR)
		return bi_operand_text(cx, 2,
			"key \"%s\" failed cast to string: operand %u must be "
			"string but got %s",
			key, at, value_type(v));
	*out = v_bytes(v);
	return BI_OK;
}

static enum bi_status read_option(struct bi_ctx *cx, struct value key,
	struct value v, uint32_t at, struct json_options *o)
{
	if (key.tag != V_STR)
		return bi_operand_text(cx, 2,
			"failed to stringify key %s at index %u: operand %u "
			"must be string but got %s",
			operand_text(cx, key), at, at, value_type(key));
	if (str_is(v_bytes(key), "prefix"))
		return read_text_option(cx, "prefix", at, v, &o->prefix);
	if (str_is(v_bytes(key), "indent"))
		return read_text_option(cx, "indent", at, v, &o->indent);
	if (!str_is(v_bytes(key), "pretty"))
		return bi_operand_text(cx, 2, "object contained unknown key %s",
			operand_text(cx, key));
	if (!is_bool(v))
		return bi_operand_text(
			cx, 2, "key \"pretty\" failed cast to bool");
	o->pretty = v.tag == V_TRUE;
	return BI_OK;
}

/* An option makes it pretty, unless "pretty" says otherwise: it comes last. */
static enum bi_status read_options(
	struct bi_ctx *cx, const struct object *opts, struct json_options *o)
{
	*o = (struct json_options){.indent = S("\t"), .pretty = opts->len > 0};
	for (uint32_t i = 0; i < opts->len; i++) {
		enum bi_status st = read_option(
			cx, opts->keys->items[i], opts->vals[i], i, o);

		if (st)
			return st;
	}
	return BI_OK;
}

static void add_line(
	struct buf *out, const struct json_options *o, size_t depth)
{
	buf_addc(out, '\n');
	buf_addstr(out, o->prefix);
	while (depth--)
		buf_addstr(out, o->indent);
}

/* The end of the string that begins at json[at]. */
static size_t string_end(struct str json, size_t at)
{
	for (at++; json.ptr[at] != '"'; at++)
		at += json.ptr[at] == '\\';
	return at + 1;
}

/* Compact JSON on lines of its own, as Go's json.Indent(). */
static enum bi_status add_indented(struct bi_ctx *cx, struct buf *out,
	struct str json, const struct json_options *o)
{
	size_t depth = 0;

	buf_addstr(out, o->prefix);
	for (size_t i = 0; i < json.len; i++) {
		char c = json.ptr[i];

		if (c == '"') {
			size_t end = string_end(json, i);

			buf_addstr(out, str_slice(json, i, end));
			i = end - 1;
			continue;
		}
		if (c == '}' || c == ']')
			add_line(out, o, --depth);
		buf_addc(out, c);
		if ((c == '{' || c == '[') && json.ptr[i + 1] == c + 2)
			buf_addc(out, json.ptr[++i]);
		else if (c == '{' || c == '[')
			add_line(out, o, ++depth);
		else if (c == ',')
			add_line(out, o, depth);
		else if (c == ':')
			buf_addc(out, ' ');
		if (out->len > LIMIT_STRING)
			return bi_limit(cx, "result has more than %zu bytes",
				LIMIT_STRING);
	}
	return BI_OK;
}

static enum bi_status bi_json_marshal_with_options(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct json_options o;
	struct buf json = {0}, b = {0};
	enum bi_status st = read_options(cx, args[1].obj, &o);

	if (st)
		return st;
	value_json(&json, json_value(cx->arena, args[0]), 0, JSON_HTML);
	if (!o.pretty)
		return buf_result(cx, &json, out);
	st = add_indented(cx, &b, buf_str(&json), &o);
	buf_release(&json);
	if (!st)
		return buf_result(cx, &b, out);
	buf_release(&b);
	return st;
}

static enum bi_status bi_json_is_valid(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	(void)cx;
	*out = v_bool(is_text(args[0]) && json_valid(v_bytes(args[0])));
	return BI_OK;
}

static enum bi_status bi_json_unmarshal(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str text = v_bytes(args[0]);
	struct json_error e;

	if (!bi_charge(cx, text.len / 64))
		return BI_HALT;
	if (!json_parse(cx->arena, NULL, text, LIMIT_DATA_DEPTH, out, &e))
		return bi_error(cx, "%s", e.text);
	return BI_OK;
}

/* --- YAML ------------------------------------------------------------ */

static enum bi_status bi_yaml_marshal(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	char why[YAML_WHY_MAX];
	struct buf b = {0};
	struct value v = json_value(cx->arena, args[0]);

	if (yaml_write(cx->arena, &b, v, why))
		return buf_result(cx, &b, out);
	buf_release(&b);
	return bi_error(cx, "%s", why);
}

static enum bi_status bi_yaml_unmarshal(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str text = v_bytes(args[0]);
	struct json_error e;

	if (!bi_charge(cx, text.len / 16))
		return BI_HALT;
	if (!yaml_parse(cx->arena, NULL, text, out, &e))
		return bi_error(cx, "%s", e.text);
	return BI_OK;
}

static enum bi_status bi_yaml_is_valid(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct json_error e;
	struct value v;

	if (!is_text(args[0])) {
		*out = v_false;
		return BI_OK;
	}
	if (!bi_charge(cx, args[0].str->len / 16))
		return BI_HALT;
	*out = v_bool(yaml_parse(cx->arena, NULL, v_bytes(args[0]), &v, &e));
	return BI_OK;
}

enum { RAW = BF_RAWTYPES };

/* clang-format off */
static const struct builtin rows[] = {
	{"base64.decode",           NULL, 1, {BT_STR}, bi_base64_decode,           0},
	{"base64.encode",           NULL, 1, {BT_STR}, bi_base64_encode,           0},
	{"base64.is_valid",         NULL, 1, {BT_STR}, bi_base64_is_valid,         RAW},
	{"base64url.decode",        NULL, 1, {BT_STR}, bi_base64url_decode,        0},
	{"base64url.encode",        NULL, 1, {BT_STR}, bi_base64url_encode,        0},
	{"base64url.encode_no_pad", NULL, 1, {BT_STR}, bi_base64url_encode_no_pad, 0},
	{"hex.decode",              NULL, 1, {BT_STR}, bi_hex_decode,              0},
	{"hex.encode",              NULL, 1, {BT_STR}, bi_hex_encode,              0},
	{"json.is_valid",           NULL, 1, {BT_STR}, bi_json_is_valid,           RAW},
	{"json.marshal",            NULL, 1, {BT_ANY}, bi_json_marshal,            0},
	{"json.marshal_with_options", NULL, 2, {BT_ANY, BT_OBJ},
		bi_json_marshal_with_options, 0},
	{"json.unmarshal",          NULL, 1, {BT_STR}, bi_json_unmarshal,          0},
	{"uri.is_valid",            NULL, 1, {BT_ANY}, bi_uri_is_valid,            0},
	{"uri.parse",               NULL, 1, {BT_STR}, bi_uri_parse,               0},
	{"urlquery.decode",         NULL, 1, {BT_STR}, bi_urlquery_decode,         0},
	{"urlquery.decode_object",  NULL, 1, {BT_STR}, bi_urlquery_decode_object,  0},
	{"urlquery.encode",         NULL, 1, {BT_STR}, bi_urlquery_encode,         0},
	{"urlquery.encode_object",  NULL, 1, {BT_OBJ}, bi_urlquery_encode_object,  0},
	{"yaml.is_valid",           NULL, 1, {BT_STR}, bi_yaml_is_valid,           RAW},
	{"yaml.marshal",            NULL, 1, {BT_ANY}, bi_yaml_marshal,            0},
	{"yaml.unmarshal",          NULL, 1, {BT_STR}, bi_yaml_unmarshal,          0},
};
/* clang-format on */

const struct builtin_table builtin_encoding = {rows, COUNT(rows)};
