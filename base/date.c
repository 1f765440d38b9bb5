#include "base/date.h"

#include "base/clock.h"

#include <inttypes.h>

#define DAY_S INT64_C(86400)

/* Days of the 400-year cycle and of its parts, years beginning in March. */
enum { DAYS_400 = 146097, DAYS_100 = 36524, DAYS_4 = 1461, DAYS_1 = 365 };
enum { EPOCH_FROM_MARCH_0 = 719468 }; /* 0000-03-01 to 1970-01-01 */

struct date date_of_days(int64_t days)
{
	int64_t z = days + EPOCH_FROM_MARCH_0;
	int64_t cycle = (z >= 0 ? z : z - DAYS_400 + 1) / DAYS_400;
	int64_t in = z - cycle * DAYS_400;
	int64_t year =
		(in - in / (DAYS_4 - 1) + in / DAYS_100 - in / (DAYS_400 - 1)) /
		DAYS_1;
	int64_t yday = in - (DAYS_1 * year + year / 4 - year / 100);
	int64_t march = (5 * yday + 2) / 153; /* months since March */
	struct date d = {
		.day = (unsigned)(yday - (153 * march + 2) / 5 + 1),
		.month = (unsigned)(march < 10 ? march + 3 : march - 9),
	};

	d.year = (int)(year + cycle * 400 + (d.month <= 2));
	return d;
}

int64_t date_days(struct date d)
{
	int64_t y = d.year - (d.month <= 2);
	int64_t cycle = (y >= 0 ? y : y - 399) / 400;
	int64_t year = y - cycle * 400;
	int64_t march = d.month > 2 ? d.month - 3 : d.month + 9;
	int64_t yday = (153 * march + 2) / 5 + d.day - 1;

	return cycle * DAYS_400 + year * DAYS_1 + year / 4 - year / 100 + yday -
	       EPOCH_FROM_MARCH_0;
}

bool date_valid(struct date d)
{
	static const unsigned char days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = d.year % 4 == 0 && (d.year % 100 != 0 || d.year % 400 == 0);

	if (d.year < 1 || d.year > 9999 || d.month < 1 || d.month > 12)
		return false;
	return d.day >= 1 &&
	       d.day <= days[d.month - 1] + (unsigned)(d.month == 2 && leap);
}

/* Exactly `n` digits at *pos. */
static bool digits(struct str s, size_t *pos, size_t n, unsigned *out)
{
	unsigned v = 0;

	for (size_t i = 0; i < n; i++, (*pos)++) {
		if (*pos >= s.len || s.ptr[*pos] < '0' || s.ptr[*pos] > '9')
			return false;
		v = v * 10 + (unsigned)(s.ptr[*pos] - '0');
	}
	*out = v;
	return true;
}

static bool byte(struct str s, size_t *pos, char c)
{
	if (*pos >= s.len || s.ptr[*pos] != c)
		return false;
	++*pos;
	return true;
}

/* ".5" as nanoseconds; more than nine digits are cut. */
static bool fraction(struct str s, size_t *pos, int64_t *ns)
{
	int64_t unit = NS_PER_S;
	size_t from = *pos + 1;

	if (!byte(s, pos, '.'))
		return true;
	for (; *pos < s.len && s.ptr[*pos] >= '0' && s.ptr[*pos] <= '9';
		++*pos) {
		unit /= 10;
		*ns += unit * (s.ptr[*pos] - '0');
	}
	return *pos > from;
}

/* "Z" or "+02:00" as seconds east of Greenwich. */
static bool offset(struct str s, size_t *pos, int64_t *seconds)
{
	unsigned h, m;

	if (byte(s, pos, 'Z'))
		return true;
	bool west = byte(s, pos, '-');

	if (!west && !byte(s, pos, '+'))
		return false;
	if (!digits(s, pos, 2, &h) || !byte(s, pos, ':') ||
		!digits(s, pos, 2, &m) || h > 23 || m > 59)
		return false;
	*seconds = (int64_t)(h * 3600 + m * 60) * (west ? -1 : 1);
	return true;
}

static bool time_of_day(
	struct str s, size_t *pos, int64_t *seconds, int64_t *ns)
{
	unsigned h, m, sec;
	int64_t east = 0;

	if (!byte(s, pos, 'T') || !digits(s, pos, 2, &h) ||
		!byte(s, pos, ':') || !digits(s, pos, 2, &m) ||
		!byte(s, pos, ':') || !digits(s, pos, 2, &sec) || h > 23 ||
		m > 59 || sec > 59)
		return false;
	if (!fraction(s, pos, ns) || !offset(s, pos, &east))
		return false;
	*seconds = (int64_t)(h * 3600 + m * 60 + sec) - east;
	return true;
}

bool instant_parse(struct str text, int64_t *ns, bool *whole_day)
{
	struct date d;
	unsigned year;
	size_t pos = 0;
	int64_t seconds = 0, part = 0, total;

	if (!digits(text, &pos, 4, &year) || !byte(text, &pos, '-') ||
		!digits(text, &pos, 2, &d.month) || !byte(text, &pos, '-') ||
		!digits(text, &pos, 2, &d.day))
		return false;
	d.year = (int)year;
	bool day = pos == text.len;

	if (!date_valid(d) ||
		(!day && !time_of_day(text, &pos, &seconds, &part)))
		return false;
	if (pos != text.len ||
		__builtin_mul_overflow(
			date_days(d) * DAY_S + seconds, NS_PER_S, &total) ||
		__builtin_add_overflow(total, part, &total))
		return false;
	*ns = total;
	if (whole_day)
		*whole_day = day;
	return true;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

void date_text(struct buf *out, int64_t ns)
{
	struct date d = date_of_days(floor_div(ns, NS_PER_S * DAY_S));

	buf_addf(out, "%04d-%02u-%02u", d.year, d.month, d.day);
}

void instant_text(struct buf *out, int64_t ns)
{
	int64_t s = floor_div(ns, NS_PER_S);
	int in_day = (int)(s - floor_div(s, DAY_S) * DAY_S);

	date_text(out, ns);
	buf_addf(out, "T%02d:%02d:%02dZ", in_day / 3600, in_day / 60 % 60,
		in_day % 60);
}

void instant_text_whole(struct buf *out, int64_t ns)
{
	int64_t fraction = ns - floor_div(ns, NS_PER_S) * NS_PER_S;

	instant_text(out, ns);
	if (!fraction)
		return;
	out->len--; /* the Z */
	buf_addf(out, ".%09" PRId64, fraction);
	while (out->ptr[out->len - 1] == '0')
		out->len--;
	buf_addc(out, 'Z');
}
