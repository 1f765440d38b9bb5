/*
 * layout: Go's way to say how a time is written, by example:
 * "Mon Jan 2 15:04:05 MST 2006".
 *
 * Source: the documentation of Go's package time, constants Layout and on, and
 * of time.Parse. The texts of errors are Go's.
 */
#ifndef REGO_BUILTIN_LAYOUT_H
#define REGO_BUILTIN_LAYOUT_H

#include "rego/builtin/calendar.h"
#include "rego/builtin/zone.h"

/* The layout a name stands for ("RFC1123"), or `layout` itself. */
struct str layout_named(struct str layout);

/* Append the moment: `sec` and `nsec` since 1970 in UTC, shown in a zone. */
void layout_format(struct buf *out, struct str layout, int64_t sec, int nsec,
	const struct zone_at *zone);

/*
 * Read `value`. Abbreviations of zones mean what they mean in `local`; unknown
 * ones are taken for UTC, as in Go. False with the reason in *e.
 */
bool layout_parse(struct str layout, struct str value, const struct zone *local,
	int64_t *sec, int *nsec, struct err *e);

extern const char *const weekday_names[7];

/* A text in quotes as Go's package time shows it in errors. */
void layout_quote(struct buf *out, struct str s);

#endif
