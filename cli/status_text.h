/* status_text: how a channel stands, for a terminal. */
#ifndef CLI_STATUS_TEXT_H
#define CLI_STATUS_TEXT_H

#include "cli/screen.h"

/*
 * What is it, where is it, is it good, who is missing, what comes next. Lines;
 * with `full` the verdict's small print too.
 */
void status_text(struct buf *out, const struct screen *s, bool full);

/* The verdict in the document's "verdict". */
void status_verdict(struct buf *out, const struct screen *s, bool full);

/* What the document's "inherits" warns of, a line each; `begin` in front. */
void status_inherits(
	struct buf *out, const struct screen *s, const char *begin);

/* "180 there, 30 waiting, 1 failed, 3 lost, of 214" */
void status_targets(struct buf *out, const struct screen *s);
/* Those that do not run what they should, as columns. */
void status_stragglers(struct buf *out, const struct screen *s);
/* "[########----------]" for a share of 1, `width` columns. */
void status_bar(struct buf *out, double share, unsigned width);

#endif
