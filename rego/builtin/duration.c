/*
 * Source: Go's time.ParseDuration, and OPA's time.parse_duration_ns, which
 * writes d, w and y as hours and hands the result to it. What that does to
 * precision and to errors can be seen from outside, so it is done here too.
 */
#include "rego/builtin/duration.h"

#include "rego/builtin/layout.h"
#include "rego/builtin/unicode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	struct str name;
	uint64_t ns;
} units[] = {
	{STR("ns"), 1},
	{STR("us"), 1000},
	{STR("\xc2\xb5s"), 1000}, /* micro sign */
	{STR("\xce\xbcs"), 1000}, /* Greek mu */
	{STR("ms"), 1000000},
	{STR("s"), 1000000000},
	{STR("m"), 60000000000},
	{STR("h"), 3600000000000},
};

static const uint64_t TOP = (uint64_t)1 << 63;

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "time: <what> "<orig>"", with `quote` to write what was given. */
struct reporter {
	struct err *e;
	struct str orig;
	void (*quote)(struct buf *out, struct str s);
};

static void quote_any(struct buf *out, struct str s)
{
	quote_go(out, s, false);
}

static bool fail(const struct reporter *r, const char *what)
{
	struct buf b = {0};

	r->quote(&b, r->orig);
	err_set(r->e, E_INVALID, "time: %s %s", what, b.ptr);
	buf_release(&b);
	return false;
}

static bool invalid(const struct reporter *r)
{
	return fail(r, "invalid duration");
}

static bool unknown_unit(const struct reporter *r, struct str unit)
{
	struct buf b = {0};

	buf_adds(&b, "unknown unit ");
	layout_quote(&b, unit);
	buf_adds(&b, " in duration");
	fail(r, b.ptr);
	buf_release(&b);
	return false;
}

/* The digits in front of `s`; false when they are more than 2^63. */
static bool leading_int(struct str *s, uint64_t *out)
{
	size_t i = 0;

	for (*out = 0; i < s->len && is_digit(s->ptr[i]); i++) {
		if (*out > TOP / 10)
			return false;
		*out = *out * 10 + (uint64_t)(s->ptr[i] - '0');
		if (*out > TOP)
			return false;
	}
	*s = str_slice(*s, i, s->len);
	return true;
}

/* The digits in front of `s` as *out / *scale; what is too fine is dropped. */
static void leading_fraction(struct str *s, uint64_t *out, double *scale)
{
	bool full = false;
	size_t i = 0;

	*out = 0;
	*scale = 1;
	for (; i < s->len && is_digit(s->ptr[i]); i++) {
		uint64_t more = *out * 10 + (uint64_t)(s->ptr[i] - '0');

		full |= *out > (TOP - 1) / 10 || more > TOP;
		if (full)
			continue;
		*out = more;
		*scale *= 10;
	}
	*s = str_slice(*s, i, s->len);
}

static uint64_t unit_ns(struct str name)
{
	for (size_t i = 0; i < COUNT(units); i++)
		if (str_eq(units[i].name, name))
			return units[i].ns;
	return 0;
}

/* A number and its unit in front of `s`, added to *sum. */
static bool segment(const struct reporter *r, struct str *s, uint64_t *sum)
{
	uint64_t whole, frac = 0, unit;
	double scale = 1;
	size_t len = s->len, n = 0;
	bool has_digits;
	struct str name;

	if (s->ptr[0] != '.' && !is_digit(s->ptr[0]))
		return invalid(r);
	if (!leading_int(s, &whole))
		return invalid(r);
	has_digits = s->len != len;
	if (str_starts(*s, S("."))) {
		*s = str_slice(*s, 1, s->len);
		len = s->len;
		leading_fraction(s, &frac, &scale);
		has_digits |= s->len != len;
	}
	if (!has_digits)
		return invalid(r);
	while (n < s->len && s->ptr[n] != '.' && !is_digit(s->ptr[n]))
		n++;
	if (n == 0)
		return fail(r, "missing unit in duration");
	name = str_slice(*s, 0, n);
	*s = str_slice(*s, n, s->len);
	unit = unit_ns(name);
	if (!unit)
		return unknown_unit(r, name);
	if (whole > TOP / unit)
		return invalid(r);
	whole *= unit;
	if (frac)
		whole += (uint64_t)((double)frac * ((double)unit / scale));
	*sum += whole;
	return (whole <= TOP && *sum <= TOP) || invalid(r);
}

static bool plain_parse(const struct reporter *r, struct str s, int64_t *ns)
{
	bool neg = str_starts(s, S("-"));
	uint64_t sum = 0;

	if (neg || str_starts(s, S("+")))
		s = str_slice(s, 1, s.len);
	if (!s.len)
		return invalid(r);
	while (s.len && !str_is(s, "0")) {
		if (!segment(r, &s, &sum))
			return false;
		if (str_is(s, "0"))
			return fail(r, "missing unit in duration");
	}
	if (sum == TOP && !neg)
		return invalid(r);
	*ns = neg ? (int64_t)(0 - sum) : (int64_t)sum;
	return true;
}

/* --- with days, weeks and years -------------------------------------- */

static size_t long_unit_len(struct str s)
{
	static const struct str two[] = {
		STR("ms"), STR("us"), STR("\xc2\xb5s"), STR("ns")};

	for (size_t i = 0; i < COUNT(two); i++)
		if (str_starts(s, two[i]))
			return two[i].len;
	return s.len && s.ptr[0] >= 'a' && s.ptr[0] <= 'z' ? 1 : 0;
}

/* Hours of one d, w or y; 0 of anything else. */
static int unit_hours(struct str unit)
{
	if (str_is(unit, "d"))
		return 24;
	if (str_is(unit, "w"))
		return 7 * 24;
	return str_is(unit, "y") ? 365 * 24 : 0;
}

/* The shortest decimal that reads back as `d`, never with an exponent. */
static void put_double(struct buf *out, double d)
{
	char text[40];
	int digits = 1, exponent;
	char *e;

	do
		snprintf(text, sizeof(text), "%.*e", digits - 1, d);
	while (strtod(text, NULL) != d && ++digits <= 17);
	e = strchr(text, 'e');
	exponent = (int)strtol(e + 1, NULL, 10);
	*e = '\0';
	if (digits > 1) /* drop the point */
		memmove(text + 1, text + 2, strlen(text + 2) + 1);
	if (exponent < 0) {
		buf_adds(out, "0.");
		for (int i = -1; i > exponent; i--)
			buf_addc(out, '0');
		buf_adds(out, text);
		return;
	}
	for (int i = 0; i < digits || i <= exponent; i++) {
		if (i == exponent + 1)
			buf_addc(out, '.');
		buf_addc(out, i < digits ? text[i] : '0');
	}
}

/* "1.5" as Go's ParseFloat takes it: one point, at least one digit. */
static bool to_double(struct str digits, double *out)
{
	struct buf b = {0};
	size_t points = 0;
	bool ok;

	for (size_t i = 0; i < digits.len; i++)
		points += digits.ptr[i] == '.';
	ok = points <= 1 && digits.len > points;
	buf_addstr(&b, digits);
	if (ok)
		*out = strtod(b.ptr, NULL);
	buf_release(&b);
	return ok && isfinite(*out);
}

/* One number and unit, written to `out` in units that Go knows. */
static bool rewrite_segment(struct str *s, struct buf *out)
{
	size_t n = 0;
	struct str digits, unit;
	double d;

	while (n < s->len && (is_digit(s->ptr[n]) || s->ptr[n] == '.'))
		n++;
	digits = str_slice(*s, 0, n);
	*s = str_slice(*s, n, s->len);
	unit = str_slice(*s, 0, long_unit_len(*s));
	*s = str_slice(*s, unit.len, s->len);
	if (!digits.len || !unit.len)
		return false;
	if (!unit_hours(unit)) {
		buf_addstr(out, digits);
		buf_addstr(out, unit);
		return true;
	}
	if (!to_double(digits, &d))
		return false;
	d *= unit_hours(unit);
	if (!isfinite(d))
		return false;
	put_double(out, d);
	buf_addc(out, 'h');
	return true;
}

static bool has_long_unit(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == 'd' || s.ptr[i] == 'w' || s.ptr[i] == 'y')
			return true;
	return false;
}

bool duration_parse(struct str s, int64_t *ns, struct err *e)
{
	struct reporter r = {e, s, layout_quote};
	struct buf plain = {0};
	bool ok = true;

	if (!has_long_unit(s))
		return plain_parse(&r, s, ns);
	r.quote = quote_any;
	if (str_starts(s, S("-")) || str_starts(s, S("+"))) {
		buf_addc(&plain, s.ptr[0]);
		s = str_slice(s, 1, s.len);
	}
	while (ok && s.len)
		ok = rewrite_segment(&s, &plain);
	ok = ok ? plain_parse(&r, buf_str(&plain), ns) : invalid(&r);
	buf_release(&plain);
	return ok;
}
