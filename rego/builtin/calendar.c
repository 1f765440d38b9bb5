#include "rego/builtin/calendar.h"

bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int days_before(int month)
{
	static const int before[] = {
		0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

	return before[month - 1];
}

int days_in(int month, int64_t year)
{
	if (month == 2)
		return is_leap(year) ? 29 : 28;
	return days_before(month + 1) - days_before(month);
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*
 * Days since a March 1 in the far past. Years begin in March here, so that
 * February's extra day is their last; a month then begins 153 / 5 days after
 * the one before. Numbers so large that this overflows wrap around, as in Go.
 */
static uint64_t days_since_origin(int64_t year, int month, int64_t day)
{
	const uint64_t origin = 292277022400; /* a multiple of 400 */
	unsigned early = month < 3;
	unsigned from_march = (unsigned)month + 12 * early;
	uint64_t y = (uint64_t)year + origin - early;
	uint64_t in_year = (153 * from_march - 457) / 5;
	uint64_t in_century = 1461 * (y % 100) / 4;

	return 146097 * (y / 100) / 4 + in_century + in_year + (uint64_t)day -
	       1;
}

int64_t days_from(int64_t year, int month, int64_t day)
{
	return (int64_t)(days_since_origin(year, month, day) -
			 days_since_origin(1970, 1, 1));
}

struct civil civil_from(int64_t sec, int nsec)
{
	int64_t days = floor_div(sec, SECONDS_PER_DAY);
	int rest = (int)(sec - days * SECONDS_PER_DAY);
	struct civil c = {.nsec = nsec,
		.hour = rest / 3600,
		.min = rest / 60 % 60,
		.sec = rest % 60,
		.weekday = (int)(((days + 4) % 7 + 7) % 7)};

	/* 146097 days are 400 years: at most one year wrong, either way. */
	c.year = 1970 + floor_div(days * 400, 146097);
	while (days_from(c.year, 1, 1) > days)
		c.year--;
	while (days_from(c.year + 1, 1, 1) <= days)
		c.year++;
	c.yday = (int)(days - days_from(c.year, 1, 1)) + 1;
	c.month = 1;
	while (c.month < 12 && days_from(c.year, c.month + 1, 1) <= days)
		c.month++;
	c.day = (int)(days - days_from(c.year, c.month, 1)) + 1;
	return c;
}
