/*
 * calendar: dates of the Gregorian calendar, as if it had always been in use.
 */
#ifndef REGO_BUILTIN_CALENDAR_H
#define REGO_BUILTIN_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

enum { SECONDS_PER_DAY = 86400 };

/* A moment as clocks and calendars show it. */
struct civil {
	int64_t year;
	int month, day; /* from 1 */
	int hour, min, sec, nsec;
	int yday;    /* from 1 */
	int weekday; /* Sunday is 0 */
};

/*
 * Whether it has a 29th of February; Gregorian for all years, negative ones
 * too.
 */
bool is_leap(int64_t year);
/* Days of a month, which counts from 1. */
int days_in(int month, int64_t year);
int days_before(int month); /* of a year that is no leap year; month 1..13 */

/* Days since 1970-01-01. `day` may be any number; month is 1..12. */
int64_t days_from(int64_t year, int month, int64_t day);

/* The date and time of day `sec` seconds after 1970-01-01 00:00. */
struct civil civil_from(int64_t sec, int nsec);

#endif
