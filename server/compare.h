/*
 * compare: what differs between two bundles, as a reviewer asks it: which
 * files, which rules, which keys of the data.
 *
 * Rules are compared as they are parsed, by name and over all files: a comment
 * or a line break is no difference, and a rule that moved to another file is
 * none either. Data is compared as one document, COMPARE_DEPTH keys deep.
 */
#ifndef SERVER_COMPARE_H
#define SERVER_COMPARE_H

#include "bundler/bundler.h"

enum {
	COMPARE_DEPTH = 4, /* /waivers/team/id/expires */
	COMPARE_MAX = 500, /* entries of one list; more are counted */
};

/*
 * Append the members "files", "rules", "data" (arrays of {"change": "added",
 * "changed" or "removed", ...}), "left_out" (how many entries are not shown)
 * and "system_log": whether rules differ that mask or drop what agents log,
 * and so can blind the verdict.
 */
void compare_bundles(
	struct buf *out, const struct bundle *from, const struct bundle *to);

/*
 * Whether `v` has all that `bad` made of `base` just as it is there: of the
 * files that `bad` changed, added or removed none is another one in `v`.
 */
bool compare_keeps(const struct bundle *base, const struct bundle *bad,
	const struct bundle *v);

#endif
