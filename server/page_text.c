/* Markup with texts in it. */
#include "server/page.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/xml.h"
#include "server/doc.h"

/*
 * Characters that do not show, or turn what is around them: controls and marks
 * of direction, with which a name could pose as another.
 */
static bool unseen(uint32_t cp)
{
	static const struct {
		uint32_t from, to;
	} rows[] = {
		{0x00, 0x08}, {0x0b, 0x1f}, {0x7f, 0x9f},
		{0xad, 0xad},      /* soft hyphen */
		{0x61c, 0x61c},    /* Arabic letter mark */
		{0x180e, 0x180e},  /* Mongolian vowel separator */
		{0x200b, 0x200f},  /* of no width; left and right */
		{0x2028, 0x202e},  /* line ends; embedding, override */
		{0x2060, 0x206f},  /* joiners; isolates */
		{0xfeff, 0xfeff},  /* byte order mark */
		{0xfff9, 0xfffb},  /* annotations */
		{0xe0000, 0xe007f} /* tags */
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (cp >= rows[i].from && cp <= rows[i].to)
			return true;
	return false;
}

static void escape(struct buf *out, struct str s)
{
	size_t from = 0, n;

	for (size_t i = 0; i < s.len; i += n) {
		uint32_t cp;

		n = utf8_decode(s.ptr + i, s.len - i, &cp);
		if (!unseen(cp))
			continue;
		xml_text(out, str_slice(s, from, i));
		buf_adds(out, "\xef\xbf\xbd");
		from = i + n;
	}
	xml_text(out, str_slice(s, from, s.len));
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

struct str page_see(const struct page *p, struct str doc, const char *pointer)
{
	return doc_see(doc, pointer, p->a);
}

struct str page_or(struct str s, const char *missing)
{
	return s.len ? s : str_from(missing);
}

struct str page_age(const struct page *p, struct str then)
{
	int64_t ns;

	if (!instant_parse(then, &ns, NULL))
		return S("some time");
	return str_from(ns > p->now_ns ? doc_ahead(p->a, ns - p->now_ns)
				       : doc_span(p->a, p->now_ns - ns));
}

struct str page_count(const struct page *p, size_t n, const char *what)
{
	return PAGE_F(p, "%zu %s%s", n, what, n == 1 ? "" : "s");
}
