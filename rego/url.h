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

/* What a URL consists of, without escapes; what is not there is empty. */
struct url_parts {
	struct buf scheme, hostname, port, path, fragment;
	struct buf raw_path, query;    /* as written; raw_path is path where Go
					  would write that again as it was */
	struct buf escaped_path;       /* as it goes over the wire */
	struct buf opaque;             /* me@here of mailto:me@here */
	struct buf host;               /* with its port and brackets */
	struct buf raw_fragment;       /* as written */
	bool path_kept, fragment_kept; /* Go would write it again as it was */
	bool has_user, has_query;      /* stands there, if empty */
	bool no_authority;             /* scheme:/path */
};

/* Fills `out`, which must be {0}. False as url_normal() is. */
bool url_split(struct str s, struct url_parts *out, struct buf *why);
void url_parts_release(struct url_parts *p);

#endif
