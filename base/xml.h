/*
 * xml: any bytes as text of an XML 1.0 document.
 *
 * Characters with a meaning are escaped. What is no UTF-8, and characters that
 * XML 1.0 forbids even when escaped, become U+FFFD. The same text is safe in
 * HTML. Source: XML 1.0, sections 2.2, 2.11, 3.3.3.
 */
#ifndef BASE_XML_H
#define BASE_XML_H

#include "base/buf.h"

/* Between tags. */
void xml_text(struct buf *out, struct str s);

/* ` name="s"`, with the blank in front. Line ends and tabs are kept too. */
void xml_attr(struct buf *out, const char *name, struct str s);

#endif
