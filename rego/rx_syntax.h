/*
 * rx_syntax: from a Go pattern to one for the engine. Only for rx.c.
 *
 * The rewritten pattern has no flags that reach beyond one item, no names, no
 * \Q..\E and no escapes but \x{..}, \pX and those of punctuation: an item under
 * a flag carries it along, as in (?i:k) or (?m:^).
 */
#ifndef REGO_RX_SYNTAX_H
#define REGO_RX_SYNTAX_H

#include "base/buf.h"
#include "base/err.h"

struct rx_name {
	size_t group;
	struct str text; /* part of the pattern */
};

struct rx_parsed {
	struct buf out;        /* the rewritten pattern */
	struct rx_name *names; /* in order of groups */
	size_t nnames, capnames;
	size_t ngroups;        /* without group 0 */
	bool has_not_boundary; /* \B stands in it */

	/*
	 * If is_plain, the pattern is: ^ or .* (perhaps), this text, then $ or
	 * .* (perhaps). Only one of each pair.
	 */
	bool is_plain, at_begin, at_end, star_before, star_after;
	struct buf plain;
};

/* False with the reason in *e, in Go's words. Release in both cases. */
bool rx_parse(struct str pattern, struct rx_parsed *out, struct err *e);
void rx_parsed_release(struct rx_parsed *p);

#endif
