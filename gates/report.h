/*
 * report: what the writers of reports share.
 */
#ifndef GATES_REPORT_H
#define GATES_REPORT_H

#include "gates/gates.h"

/* "ok", "note", "warn", "fail", "broken" */
const char *report_level(enum gate_level l);

/* The number of a case's problem in the list of findings. */
size_t report_index(const struct gate_report *r, const struct finding *f);

/* The case that has each finding as its problem; NULL: none. In `a`. */
const struct gate_case **report_owners(
	struct arena *a, const struct gate_report *r);

/*
 * Append a foreign text so that what is in it can be seen: broken UTF-8 is
 * U+FFFD, characters that steer a terminal or the direction of writing are
 * \uXXXX, line ends are `line_end`, and those at the end are dropped.
 */
void report_visible(struct buf *out, struct str s, const char *line_end);

/* "policies/a.rego:3:7" in one line; nothing if there is no place. */
void report_place(struct buf *out, const struct finding *f);

/* "8 gates: 6 ok, 1 warning, 1 failed" */
void report_verdict(struct buf *out, const struct gate_report *r);

/* "base 9e1c2f0 -> head 4f1c2ab" */
void report_commits(struct buf *out, const struct gate_report *r);

#endif
