/*
 * date: days and instants as people write them, always UTC.
 *
 * An instant is nanoseconds since 1970. A date stands for the instant at which
 * it begins. Years are 1 to 9999; the calendar is the Gregorian one.
 * Source: RFC 3339.
 */
#ifndef BASE_DATE_H
#define BASE_DATE_H

#include "base/buf.h"

struct date {
	int year;
	unsigned month, day; /* from 1 */
};

struct date date_of_days(int64_t days); /* since 1970-01-01 */
/* Days since 1970-01-01; the way back of date_of_days(). */
int64_t date_days(struct date d);
/* Whether there is such a day: a month has so many days in that year. */
bool date_valid(struct date d);

/*
 * "2026-06-30" or "2026-06-30T12:00:00.5+02:00". Times need an offset or Z; a
 * 60th second is refused. *whole_day tells which of the two it was (may be
 * NULL). Instants outside 1678 to 2261 are refused.
 */
bool instant_parse(struct str text, int64_t *ns, bool *whole_day);

/* Append "2026-06-30T12:00:00Z"; fractions are cut off. */
void instant_text(struct buf *out, int64_t ns);
/* The same with a fraction, "12:00:00.25Z", if there is one. */
void instant_text_whole(struct buf *out, int64_t ns);
/* Append "2026-06-30". */
void date_text(struct buf *out, int64_t ns);

#endif
