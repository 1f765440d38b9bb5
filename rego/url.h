/*
 * url: a URL as Go's net/url takes it and writes it again.
 *
 * Source: RFC 3986 as far as Go follows it, and Go's texts of what it refuses.
 */
#ifndef REGO_URL_H
#define REGO_URL_H

#include "base/buf.h"

/*
 * Appends the URL in its normal form to `out`: the scheme in lower case, what
 * may not stand in it escaped. False with Go's error in `why`: `parse "...":
 * missing ']' in host`.
 */
bool url_normal(struct str s, struct buf *out, struct buf *why);

#endif
