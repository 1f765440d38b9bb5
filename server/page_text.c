/* Markup with texts in it, and members of documents. */
#include "server/page.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/json.h"

/*
 * Bytes of a character that does not show, or turns what is around it: controls
 * and marks of direction, with which a name could pose as another. 0: none.
 */
static size_t unseen(struct str s)
{
	const unsigned char *b = (const unsigned char *)s.ptr;

	if ((b[0] < 0x20 && b[0] != '\n' && b[0] != '\t') || b[0] == 0x7f)
		return 1;
	if (s.len >= 2 && b[0] == 0xc2 && b[1] >= 0x80 && b[1] <= 0x9f)
		return 2; /* U+0080 to U+009F */
	if (s.len < 3 || b[0] != 0xe2)
		return 0;
	if (b[1] == 0x80 && ((b[2] >= 0x8b && b[2] <= 0x8f) ||
				    (b[2] >= 0xa8 && b[2] <= 0xae)))
		return 3; /* U+200B to U+200F, U+2028 to U+202E */
	return b[1] == 0x81 && b[2] >= 0xa0 && b[2] <= 0xaf ? 3 : 0;
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

static void escape(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		size_t n = unseen((struct str){s.ptr + i, s.len - i});
		const char *e = entity(s.ptr[i]);

		if (n) {
			buf_adds(out, "\xef\xbf\xbd");
			i += n - 1;
		} else if (e) {
			buf_adds(out, e);
		} else {
			buf_addc(out, s.ptr[i]);
		}
	}
}

void page_put(struct buf *out, const char *markup, const struct str *texts)
{
	const char *at;

	while ((at = strchr(markup, '@'))) {
		buf_add(out, markup, (size_t)(at - markup));
		escape(out, *texts++);
		markup = at + 1;
	}
	buf_adds(out, markup);
}

void page_raw(const struct page *p, const char *markup)
{
	buf_adds(p->out, markup);
}

static struct str keep(struct arena *a, struct buf *b)
{
	struct str s = arena_str(a, buf_str(b));

	buf_release(b);
	return s;
}

struct str page_query_value(struct arena *a, struct str s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789-._~";
	struct buf b = {0};

	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] && strchr(plain, s.ptr[i]))
			buf_addc(&b, s.ptr[i]);
		else
			buf_addf(&b, "%%%02X", (unsigned char)s.ptr[i]);
	return keep(a, &b);
}

struct str page_part(struct str doc, const char *pointer)
{
	struct str span;

	if (!doc.len || !json_at(doc, str_from(pointer), &span))
		return (struct str){0};
	return span;
}

struct str page_see(const struct page *p, struct str doc, const char *pointer)
{
	struct str span = page_part(doc, pointer);
	struct buf b = {0};

	if (!span.len || json_kind(span) != JSON_STRING)
		return span;
	json_text(&b, span);
	return keep(p->a, &b);
}

double page_number(struct str doc, const char *pointer)
{
	struct str span = page_part(doc, pointer);
	char text[64];

	if (!span.len || span.len >= sizeof(text) ||
		json_kind(span) != JSON_NUMBER)
		return 0;
	memcpy(text, span.ptr, span.len);
	text[span.len] = 0;
	return strtod(text, NULL);
}

struct str page_f(const struct page *p, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return str_from(arena_strdup(p->a, str_from(text)));
}

struct str page_age(const struct page *p, struct str then)
{
	int64_t ns, s;

	if (!instant_parse(then, &ns, NULL))
		return S("some time");
	s = llabs(p->now_ns / NS_PER_S - ns / NS_PER_S);
	if (s < 60)
		return page_f(p, "%lld s", (long long)s);
	if (s < 3600)
		return page_f(p, "%lld min", (long long)s / 60);
	if (s < 86400)
		return page_f(p, "%lld h", (long long)s / 3600);
	return page_f(p, "%lld day%s", (long long)s / 86400,
		s < 2 * 86400 ? "" : "s");
}
