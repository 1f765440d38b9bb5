/*
 * rx: regular expressions as Go's package regexp has them.
 *
 * The pattern language is RE2's: linear time, leftmost-first, no back
 * references, no look-around. A pattern is parsed here (rx_syntax.c), so that
 * what is accepted and the texts of errors are Go's, and rewritten without
 * flags and names for the engine behind rx_engine.h. Patterns that are plain
 * text, perhaps with ^, $ or .* around it, never get there.
 *
 * Text need not be UTF-8: a byte that is none counts as U+FFFD, as in Go.
 * Source: Go 1.26, regexp/syntax (documentation of the syntax) and regexp.
 */
#ifndef REGO_RX_H
#define REGO_RX_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

struct rx;

/*
 * A compiled pattern; NULL with the reason in *e. The pattern is copied. One
 * struct rx is for one thread at a time. RX_MEMORY bounds what it can take.
 */
struct rx *rx_new(struct str pattern, struct err *e);
void rx_free(struct rx *rx);

enum { RX_MEMORY = 256 << 20 };

/* Whether the pattern is well-formed, without compiling it. */
bool rx_valid(struct str pattern, struct err *e);

/* Bytes it takes, about. */
size_t rx_size(const struct rx *rx);

/* Number of groups, the whole match (group 0) included. */
size_t rx_groups(const struct rx *rx);

/* The name of a group; empty when it has none. Lives as long as `rx`. */
struct str rx_group_name(const struct rx *rx, size_t group);

/* Bytes from..to of the text; RX_NONE twice when the group took no part. */
struct rx_span {
	size_t from, to;
};
#define RX_NONE SIZE_MAX

/* Whether the text holds a match. */
bool rx_test(struct rx *rx, struct str text);

/*
 * All matches from left to right that do not overlap; an empty match right
 * after another match does not count. `ngroups` groups of each are asked for,
 * at least 1.
 */
struct rx_scan {
	struct rx *rx;
	struct str text;
	size_t ngroups;
	size_t pos, last_end;  /* in `fixed` where there is one */
	struct buf fixed;      /* the text with U+FFFD for what is not UTF-8 */
	size_t *origin;        /* of each byte of `fixed`, and of its end */
	struct rx_span *spans; /* what rx_scan_next() found */
};

/*
 * Scan `text`, which must stay, for matches from left to right that do not
 * overlap; s->spans has `ngroups` spans a match.
 */
void rx_scan_start(
	struct rx_scan *s, struct rx *rx, struct str text, size_t ngroups);
/* The next one, in s->spans; false: no more. */
bool rx_scan_next(struct rx_scan *s);
/* Give back what the scan holds. */
void rx_scan_end(struct rx_scan *s);

#endif
