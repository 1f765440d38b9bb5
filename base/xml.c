#include "base/xml.h"

static bool forbidden(uint32_t cp)
{
	return (cp < 0x20 && cp != '\t' && cp != '\n' && cp != '\r') ||
	       cp == 0xfffe || cp == 0xffff;
}

/* The escape of a character; NULL: it needs none. */
static const char *escape(uint32_t cp, bool attribute)
{
	switch (cp) {
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '"':
		return "&quot;";
	case '\r': /* a parser would read a line end */
		return "&#13;";
	case '\n': /* and blanks, in attributes */
		return attribute ? "&#10;" : NULL;
	case '\t':
		return attribute ? "&#9;" : NULL;
	default:
		return forbidden(cp) ? "\xef\xbf\xbd" : NULL;
	}
}

static void add(struct buf *out, struct str s, bool attribute)
{
	for (size_t i = 0; i < s.len;) {
		uint32_t cp;

		i += utf8_decode(s.ptr + i, s.len - i, &cp);
		const char *special = escape(cp, attribute);

		if (special)
			buf_adds(out, special);
		else
			buf_addcp(out, cp);
	}
}

void xml_text(struct buf *out, struct str s)
{
	add(out, s, false);
}

void xml_attr(struct buf *out, const char *name, struct str s)
{
	buf_addf(out, " %s=\"", name);
	add(out, s, true);
	buf_addc(out, '"');
}
