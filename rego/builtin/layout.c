#include "rego/builtin/layout.h"

#include <string.h>

const char *const weekday_names[7] = {"Sunday", "Monday", "Tuesday",
	"Wednesday", "Thursday", "Friday", "Saturday"};

static const char *const month_names[12] = {"January", "February", "March",
	"April", "May", "June", "July", "August", "September", "October",
	"November", "December"};

static const struct {
	const char *name;
	struct str layout;
} named[] = {
	{"ANSIC", STR("Mon Jan _2 15:04:05 2006")},
	{"UnixDate", STR("Mon Jan _2 15:04:05 MST 2006")},
	{"RubyDate", STR("Mon Jan 02 15:04:05 -0700 2006")},
	{"RFC822", STR("02 Jan 06 15:04 MST")},
	{"RFC822Z", STR("02 Jan 06 15:04 -0700")},
	{"RFC850", STR("Monday, 02-Jan-06 15:04:05 MST")},
	{"RFC1123", STR("Mon, 02 Jan 2006 15:04:05 MST")},
	{"RFC1123Z", STR("Mon, 02 Jan 2006 15:04:05 -0700")},
	{"RFC3339", STR("2006-01-02T15:04:05Z07:00")},
	{"RFC3339Nano", STR("2006-01-02T15:04:05.999999999Z07:00")},
};

struct str layout_named(struct str layout)
{
	for (size_t i = 0; i < COUNT(named); i++)
		if (str_is(layout, named[i].name))
			return named[i].layout;
	return layout;
}

void layout_quote(struct buf *out, struct str s)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c >= 0x80 || c < ' ') {
			buf_addf(out, "\\x%02x", c);
			continue;
		}
		if (c == '"' || c == '\\')
			buf_addc(out, '\\');
		buf_addc(out, (char)c);
	}
	buf_addc(out, '"');
}

/* --- the elements of a layout ---------------------------------------- */

enum element {
	L_NONE,
	L_LONG_MONTH,
	L_MONTH,
	L_NUM_MONTH,
	L_ZERO_MONTH,
	L_LONG_WEEKDAY,
	L_WEEKDAY,
	L_DAY,
	L_UNDER_DAY,
	L_ZERO_DAY,
	L_UNDER_YDAY,
	L_ZERO_YDAY,
	L_HOUR,
	L_HOUR12,
	L_ZERO_HOUR12,
	L_MINUTE,
	L_ZERO_MINUTE,
	L_SECOND,
	L_ZERO_SECOND,
	L_LONG_YEAR,
	L_YEAR,
	L_PM,
	L_SMALL_PM,
	L_TZ,
	L_OFFSET,    /* see struct chunk */
	L_FRACTION0, /* .000: as many digits */
	L_FRACTION9, /* .999: without zeros at the end */
};

/* How an offset is written: Z07, -0700, -07:00:00, ... */
enum offset_style { O_Z = 1, O_COLON = 2, O_MINUTES = 4, O_SECONDS = 8 };

struct chunk {
	enum element el;
	struct str before; /* plain text in front of it */
	struct str text;   /* of the element */
	int style;         /* L_OFFSET: enum offset_style, or-ed */
	size_t digits;     /* of a fraction */
	char point;        /* "." or "," of a fraction */
};

/* Elements that are fixed texts; a longer one stands before its prefix. */
static const struct fixed {
	struct str text;
	enum element el;
	bool no_small; /* no small letter may follow */
	int style;
} fixed[] = {
	{STR("January"), L_LONG_MONTH, false, 0},
	{STR("Jan"), L_MONTH, true, 0},
	{STR("Monday"), L_LONG_WEEKDAY, false, 0},
	{STR("Mon"), L_WEEKDAY, true, 0},
	{STR("MST"), L_TZ, false, 0},
	{STR("01"), L_ZERO_MONTH, false, 0},
	{STR("02"), L_ZERO_DAY, false, 0},
	{STR("03"), L_ZERO_HOUR12, false, 0},
	{STR("04"), L_ZERO_MINUTE, false, 0},
	{STR("05"), L_ZERO_SECOND, false, 0},
	{STR("06"), L_YEAR, false, 0},
	{STR("002"), L_ZERO_YDAY, false, 0},
	{STR("15"), L_HOUR, false, 0},
	{STR("1"), L_NUM_MONTH, false, 0},
	{STR("2006"), L_LONG_YEAR, false, 0},
	{STR("2"), L_DAY, false, 0},
	{STR("_2"), L_UNDER_DAY, false, 0},
	{STR("__2"), L_UNDER_YDAY, false, 0},
	{STR("3"), L_HOUR12, false, 0},
	{STR("4"), L_MINUTE, false, 0},
	{STR("5"), L_SECOND, false, 0},
	{STR("PM"), L_PM, false, 0},
	{STR("pm"), L_SMALL_PM, false, 0},
	{STR("-070000"), L_OFFSET, false, O_MINUTES | O_SECONDS},
	{STR("-07:00:00"), L_OFFSET, false, O_MINUTES | O_SECONDS | O_COLON},
	{STR("-0700"), L_OFFSET, false, O_MINUTES},
	{STR("-07:00"), L_OFFSET, false, O_MINUTES | O_COLON},
	{STR("-07"), L_OFFSET, false, 0},
	{STR("Z070000"), L_OFFSET, false, O_Z | O_MINUTES | O_SECONDS},
	{STR("Z07:00:00"), L_OFFSET, false,
		O_Z | O_MINUTES | O_SECONDS | O_COLON},
	{STR("Z0700"), L_OFFSET, false, O_Z | O_MINUTES},
	{STR("Z07:00"), L_OFFSET, false, O_Z | O_MINUTES | O_COLON},
	{STR("Z07"), L_OFFSET, false, O_Z},
};

static bool is_digit_at(struct str s, size_t i)
{
	return i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9';
}

static bool small_letter_at(struct str s, size_t i)
{
	return i < s.len && s.ptr[i] >= 'a' && s.ptr[i] <= 'z';
}

/* .000 or ,999 at the start of `s`, with no other digit behind. */
static bool fraction(struct str s, struct chunk *c)
{
	size_t n = 1;

	if (s.len < 2 || (s.ptr[0] != '.' && s.ptr[0] != ',') ||
		(s.ptr[1] != '0' && s.ptr[1] != '9'))
		return false;
	while (n < s.len && s.ptr[n] == s.ptr[1])
		n++;
	if (is_digit_at(s, n))
		return false;
	c->el = s.ptr[1] == '0' ? L_FRACTION0 : L_FRACTION9;
	c->digits = (n - 1) & 0xfff; /* as Go counts them */
	c->point = s.ptr[0];
	c->text = str_slice(s, 0, n);
	return true;
}

/* The element at the start of `s`. */
static bool element(struct str s, struct chunk *c)
{
	for (size_t i = 0; i < COUNT(fixed); i++) {
		const struct fixed *f = &fixed[i];

		if (f->text.ptr[0] != s.ptr[0] || !str_starts(s, f->text) ||
			(f->no_small && small_letter_at(s, f->text.len)))
			continue;
		c->el = f->el;
		c->style = f->style;
		c->text = str_slice(s, 0, f->text.len);
		return true;
	}
	return fraction(s, c);
}

/*
 * Whether an element can begin with this byte. `_2006` is an underscore and a
 * year.
 */
static bool may_begin(struct str s)
{
	return s.ptr[0] && strchr("JM012_345Pp-Z.,", s.ptr[0]) &&
	       !str_starts(s, S("_2006"));
}

/* Cut the next element and the text before it off the layout. */
static struct chunk next_chunk(struct str *layout)
{
	struct chunk c = {.el = L_NONE};

	for (size_t i = 0; i < layout->len; i++) {
		struct str rest = str_slice(*layout, i, layout->len);

		if (!may_begin(rest) || !element(rest, &c))
			continue;
		c.before = str_slice(*layout, 0, i);
		*layout = str_slice(rest, c.text.len, rest.len);
		return c;
	}
	c.before = *layout;
	*layout = str_slice(*layout, layout->len, layout->len);
	c.text = *layout;
	return c;
}

/* --- formatting ------------------------------------------------------ */

struct shown {
	struct civil c;
	const struct zone_at *zone;
};

/* At least `width` digits, filled up with `fill`. */
static void put_int(struct buf *out, int64_t n, int width, char fill)
{
	char text[24];
	int at = sizeof(text);

	if (n < 0) {
		buf_addc(out, '-');
		n = -n;
	}
	do
		text[--at] = (char)('0' + n % 10);
	while (n /= 10);
	while (at > (int)sizeof(text) - width)
		text[--at] = fill;
	buf_add(out, text + at, sizeof(text) - (size_t)at);
}

static void put_offset(struct buf *out, int64_t offset, int style)
{
	int64_t abs = offset < 0 ? -offset : offset;
	/* Between -00:00:59 and 0 Go writes a plus sign. */
	bool minus = offset <= -60;
	const char *colon = style & O_COLON ? ":" : "";

	if (offset == 0 && (style & O_Z)) {
		buf_addc(out, 'Z');
		return;
	}
	buf_addf(out, "%c%02d", minus ? '-' : '+', (int)(abs / 3600));
	if (style & O_MINUTES)
		buf_addf(out, "%s%02d", colon, (int)(abs / 60 % 60));
	if (style & O_SECONDS)
		buf_addf(out, "%s%02d", colon,
			(int)((minus ? abs : offset) % 60));
}

static void put_fraction(struct buf *out, const struct chunk *c, int nsec)
{
	bool trim = c->el == L_FRACTION9;
	size_t from = out->len;

	if (trim && (c->digits == 0 || nsec == 0))
		return;
	buf_addc(out, c->point);
	put_int(out, nsec, 9, '0');
	if (c->digits < 9)
		out->len -= 9 - c->digits;
	while (trim && out->len > from && out->ptr[out->len - 1] == '0')
		out->len--;
	if (trim && out->len == from + 1)
		out->len--;
	out->ptr[out->len] = '\0';
}

static void put_tz(struct buf *out, const struct zone_at *zone)
{
	if (zone->name[0])
		buf_adds(out, zone->name);
	else
		put_offset(out, zone->offset, O_MINUTES);
}

static void put_element(
	struct buf *out, const struct chunk *ch, const struct shown *s)
{
	const struct civil *c = &s->c;
	int hour12 = c->hour % 12 ? c->hour % 12 : 12;

	switch (ch->el) {
	case L_YEAR:
		put_int(out, (c->year % 100), 2, '0');
		break;
	case L_LONG_YEAR:
		put_int(out, c->year, 4, '0');
		break;
	case L_MONTH:
		buf_add(out, month_names[c->month - 1], 3);
		break;
	case L_LONG_MONTH:
		buf_adds(out, month_names[c->month - 1]);
		break;
	case L_NUM_MONTH:
		put_int(out, c->month, 0, '0');
		break;
	case L_ZERO_MONTH:
		put_int(out, c->month, 2, '0');
		break;
	case L_WEEKDAY:
		buf_add(out, weekday_names[c->weekday], 3);
		break;
	case L_LONG_WEEKDAY:
		buf_adds(out, weekday_names[c->weekday]);
		break;
	case L_DAY:
		put_int(out, c->day, 0, '0');
		break;
	case L_UNDER_DAY:
		put_int(out, c->day, 2, ' ');
		break;
	case L_ZERO_DAY:
		put_int(out, c->day, 2, '0');
		break;
	case L_UNDER_YDAY:
		put_int(out, c->yday, 3, ' ');
		break;
	case L_ZERO_YDAY:
		put_int(out, c->yday, 3, '0');
		break;
	case L_HOUR:
		put_int(out, c->hour, 2, '0');
		break;
	case L_HOUR12:
		put_int(out, hour12, 0, '0');
		break;
	case L_ZERO_HOUR12:
		put_int(out, hour12, 2, '0');
		break;
	case L_MINUTE:
		put_int(out, c->min, 0, '0');
		break;
	case L_ZERO_MINUTE:
		put_int(out, c->min, 2, '0');
		break;
	case L_SECOND:
		put_int(out, c->sec, 0, '0');
		break;
	case L_ZERO_SECOND:
		put_int(out, c->sec, 2, '0');
		break;
	case L_PM:
		buf_adds(out, c->hour >= 12 ? "PM" : "AM");
		break;
	case L_SMALL_PM:
		buf_adds(out, c->hour >= 12 ? "pm" : "am");
		break;
	case L_TZ:
		put_tz(out, s->zone);
		break;
	case L_OFFSET:
		put_offset(out, s->zone->offset, ch->style);
		break;
	case L_FRACTION0:
	case L_FRACTION9:
		put_fraction(out, ch, c->nsec);
		break;
	case L_NONE:
	default:
		break;
	}
}

void layout_format(struct buf *out, struct str layout, int64_t sec, int nsec,
	const struct zone_at *zone)
{
	struct shown s = {civil_from(sec + zone->offset, nsec), zone};

	while (layout.len) {
		struct chunk c = next_chunk(&layout);

		buf_addstr(out, c.before);
		put_element(out, &c, &s);
	}
}

/* --- parsing --------------------------------------------------------- */

struct parse {
	struct str layout, value; /* as given */
	struct str rest;          /* of the value */
	struct str next_layout;   /* what follows the element being read */
	struct err *e;
	const char *range; /* what is out of range; NULL */
	bool am, pm, utc, has_offset;
	int64_t year, month, day, yday, hour, min, sec, nsec, offset;
	struct str zone_name;
};

/* Without a message: "cannot parse <at> as <what>". */
static bool fail(
	struct parse *p, struct str at, struct str what, const char *message)
{
	struct buf b = {0};

	buf_adds(&b, "parsing time ");
	layout_quote(&b, p->value);
	if (message) {
		buf_adds(&b, message);
	} else {
		buf_adds(&b, " as ");
		layout_quote(&b, p->layout);
		buf_adds(&b, ": cannot parse ");
		layout_quote(&b, at);
		buf_adds(&b, " as ");
		layout_quote(&b, what);
	}
	err_set(p->e, E_INVALID, "%s", b.ptr);
	buf_release(&b);
	return false;
}

static void advance(struct parse *p, size_t n)
{
	p->rest = str_slice(p->rest, n, p->rest.len);
}

static void skip_spaces(struct str *s)
{
	while (s->len && s->ptr[0] == ' ')
		*s = str_slice(*s, 1, s->len);
}

/* Plain text of the layout; any number of spaces is as good as any other. */
static bool skip_text(struct parse *p, struct str text)
{
	while (text.len) {
		if (text.ptr[0] == ' ') {
			if (p->rest.len && p->rest.ptr[0] != ' ')
				return false;
			skip_spaces(&text);
			skip_spaces(&p->rest);
			continue;
		}
		if (!p->rest.len || p->rest.ptr[0] != text.ptr[0])
			return false;
		text = str_slice(text, 1, text.len);
		advance(p, 1);
	}
	return true;
}

/* All of `s` as a number, perhaps with a sign. */
static bool whole_number(struct str s, int64_t *out)
{
	bool neg = s.len && s.ptr[0] == '-';
	int64_t n = 0;

	if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+'))
		s = str_slice(s, 1, s.len);
	for (size_t i = 0; i < s.len; i++) {
		if (!is_digit_at(s, i))
			return false;
		n = n * 10 + s.ptr[i] - '0';
	}
	*out = neg ? -n : n;
	return true;
}

/* One to `max` digits, or exactly `max` of them. */
static bool digits(struct parse *p, size_t max, bool exact, int64_t *out)
{
	size_t n = 0;

	*out = 0;
	while (n < max && is_digit_at(p->rest, n))
		n++;
	if (n == 0 || (exact && n != max))
		return false;
	whole_number(str_slice(p->rest, 0, n), out);
	advance(p, n);
	return true;
}

static bool digits_in(struct parse *p, bool exact, int64_t *out, int64_t min,
	int64_t max, const char *what)
{
	if (!digits(p, 2, exact, out))
		return false;
	if (*out < min || *out > max)
		p->range = what;
	return true;
}

static bool same_letters(struct str a, struct str b)
{
	for (size_t i = 0; i < a.len; i++) {
		char x = a.ptr[i], y = b.ptr[i];

		if (x == y)
			continue;
		x |= 'a' - 'A';
		y |= 'a' - 'A';
		if (x != y || x < 'a' || x > 'z')
			return false;
	}
	return true;
}

/* One of `names`, cut to `cut` letters if that is not 0; from 1. */
static bool one_of(struct parse *p, const char *const *names, size_t n,
	size_t cut, int64_t *out)
{
	for (size_t i = 0; i < n; i++) {
		struct str name = str_from(names[i]);

		if (cut)
			name.len = cut;
		if (p->rest.len < name.len || !same_letters(name, p->rest))
			continue;
		advance(p, name.len);
		*out = (int64_t)i + 1;
		return true;
	}
	*out = 0;
	return false;
}

static bool is_point(struct str s)
{
	return s.len && (s.ptr[0] == '.' || s.ptr[0] == ',');
}

/* A point and n - 1 digits; what is more than nanoseconds is dropped. */
static bool nanoseconds(struct parse *p, size_t n)
{
	struct str s = str_slice(p->rest, 0, n > 10 ? 10 : n);
	bool ok = is_point(s) && whole_number(str_slice(s, 1, s.len), &p->nsec);

	if (ok && p->nsec < 0)
		p->range = "fractional second";
	else if (ok)
		for (size_t i = s.len; i < 10; i++)
			p->nsec *= 10;
	advance(p, n);
	return ok;
}

/* The point and the digits at the start of the rest; 0 if there are none. */
static size_t fraction_len(const struct parse *p)
{
	size_t n = 1;

	if (!is_point(p->rest) || !is_digit_at(p->rest, 1))
		return 0;
	while (is_digit_at(p->rest, n))
		n++;
	return n;
}

/* Seconds may have a fraction where the layout says nothing about it. */
static bool parse_second(struct parse *p, bool exact)
{
	struct str layout = p->next_layout;
	enum element next;
	size_t n;

	if (!digits_in(p, exact, &p->sec, 0, 59, "second"))
		return false;
	n = fraction_len(p);
	if (p->range || !n)
		return true;
	next = next_chunk(&layout).el;
	if (next == L_FRACTION0 || next == L_FRACTION9)
		return true;
	return nanoseconds(p, n);
}

static bool parse_pm(struct parse *p, struct str pm, struct str am)
{
	if (str_starts(p->rest, pm))
		p->pm = true;
	else if (str_starts(p->rest, am))
		p->am = true;
	else
		return false;
	advance(p, 2);
	return true;
}

static bool parse_year(struct parse *p)
{
	if (p->rest.len < 2 ||
		!whole_number(str_slice(p->rest, 0, 2), &p->year))
		return false;
	p->year += p->year >= 69 ? 1900 : 2000;
	advance(p, 2);
	return true;
}

static bool parse_long_year(struct parse *p)
{
	if (p->rest.len < 4 || !is_digit_at(p->rest, 0) ||
		!whole_number(str_slice(p->rest, 0, 4), &p->year))
		return false;
	advance(p, 4);
	return true;
}

/* Two digits at `at`; 0 if they are none. */
static bool two_digits(struct str s, size_t at, int64_t *out)
{
	*out = 0;
	return is_digit_at(s, at) && is_digit_at(s, at + 1) &&
	       whole_number(str_slice(s, at, at + 2), out);
}

static bool parse_offset(struct parse *p, int style)
{
	struct str s = p->rest;
	size_t colon = (style & O_COLON) != 0, at = 3 + colon;
	size_t len = 3 + (style & O_MINUTES ? 2 + colon : 0) +
		     (style & O_SECONDS ? 2 + colon : 0);
	int64_t h, m = 0, sec = 0;
	bool ok;

	if ((style & O_Z) && str_starts(s, S("Z"))) {
		p->utc = true;
		advance(p, 1);
		return true;
	}
	if (s.len < len || (colon && s.ptr[3] != ':') ||
		(colon && (style & O_SECONDS) && s.ptr[6] != ':'))
		return false;
	ok = two_digits(s, 1, &h) &&
	     (!(style & O_MINUTES) || two_digits(s, at, &m)) &&
	     (!(style & O_SECONDS) || two_digits(s, at + 2 + colon, &sec));
	if (sec > 60)
		p->range = "time zone offset second";
	else if (m > 60)
		p->range = "time zone offset minute";
	else if (h > 24)
		p->range = "time zone offset hour";
	p->offset = (h * 60 + m) * 60 + sec;
	if (s.ptr[0] == '-')
		p->offset = -p->offset;
	p->has_offset = p->offset != -1; /* Go's mark for "none" */
	advance(p, len);
	return ok && (s.ptr[0] == '-' || s.ptr[0] == '+');
}

/* +03 or -11 up to 23: its length, or 0. */
static size_t signed_hours(struct str s)
{
	size_t i = 1;
	int64_t n = 0;

	if (!s.len || (s.ptr[0] != '-' && s.ptr[0] != '+'))
		return 0;
	for (; is_digit_at(s, i) && n <= 23; i++)
		n = n * 10 + s.ptr[i] - '0';
	return i == 1 || n > 23 ? 0 : i;
}

/* The length of what looks like an abbreviation of a zone, or 0. */
static size_t zone_name_len(struct str s)
{
	size_t n = 0;

	if (s.len < 3)
		return 0;
	if (str_starts(s, S("ChST")) || str_starts(s, S("MeST")))
		return 4;
	if (str_starts(s, S("GMT")))
		return 3 + signed_hours(str_slice(s, 3, s.len));
	if (s.ptr[0] == '+' || s.ptr[0] == '-')
		return signed_hours(s);
	while (n < 6 && n < s.len && s.ptr[n] >= 'A' && s.ptr[n] <= 'Z')
		n++;
	if (n == 3 || (n == 4 && str_starts(s, S("WITA"))) ||
		((n == 4 || n == 5) && s.ptr[n - 1] == 'T'))
		return n;
	return 0;
}

static bool parse_tz(struct parse *p)
{
	size_t n;

	if (str_starts(p->rest, S("UTC"))) {
		p->utc = true;
		advance(p, 3);
		return true;
	}
	n = zone_name_len(p->rest);
	if (!n)
		return false;
	p->zone_name = str_slice(p->rest, 0, n);
	advance(p, n);
	return true;
}

static bool parse_element(struct parse *p, const struct chunk *c)
{
	int64_t ignored;
	size_t n;

	switch (c->el) {
	case L_YEAR:
		return parse_year(p);
	case L_LONG_YEAR:
		return parse_long_year(p);
	case L_MONTH:
		return one_of(p, month_names, 12, 3, &p->month);
	case L_LONG_MONTH:
		return one_of(p, month_names, 12, 0, &p->month);
	case L_NUM_MONTH:
	case L_ZERO_MONTH:
		return digits_in(
			p, c->el == L_ZERO_MONTH, &p->month, 1, 12, "month");
	case L_WEEKDAY:
		return one_of(p, weekday_names, 7, 3, &ignored);
	case L_LONG_WEEKDAY:
		return one_of(p, weekday_names, 7, 0, &ignored);
	case L_DAY:
	case L_UNDER_DAY:
	case L_ZERO_DAY:
		if (c->el == L_UNDER_DAY && str_starts(p->rest, S(" ")))
			advance(p, 1);
		return digits(p, 2, c->el == L_ZERO_DAY, &p->day);
	case L_UNDER_YDAY:
	case L_ZERO_YDAY:
		for (int i = 0; i < 2; i++)
			if (c->el == L_UNDER_YDAY &&
				str_starts(p->rest, S(" ")))
				advance(p, 1);
		return digits(p, 3, c->el == L_ZERO_YDAY, &p->yday);
	case L_HOUR:
		return digits_in(p, false, &p->hour, 0, 23, "hour");
	case L_HOUR12:
	case L_ZERO_HOUR12:
		return digits_in(
			p, c->el == L_ZERO_HOUR12, &p->hour, 0, 12, "hour");
	case L_MINUTE:
	case L_ZERO_MINUTE:
		return digits_in(
			p, c->el == L_ZERO_MINUTE, &p->min, 0, 59, "minute");
	case L_SECOND:
	case L_ZERO_SECOND:
		return parse_second(p, c->el == L_ZERO_SECOND);
	case L_PM:
		return parse_pm(p, S("PM"), S("AM"));
	case L_SMALL_PM:
		return parse_pm(p, S("pm"), S("am"));
	case L_OFFSET:
		return parse_offset(p, c->style);
	case L_TZ:
		return parse_tz(p);
	case L_FRACTION0:
		return p->rest.len > c->digits && nanoseconds(p, c->digits + 1);
	case L_FRACTION9:
		n = fraction_len(p);
		return !n || nanoseconds(p, n);
	case L_NONE:
	default:
		return true;
	}
}

static bool out_of_range(struct parse *p)
{
	char text[64];

	snprintf(text, sizeof(text), ": %s out of range", p->range);
	return fail(p, p->rest, p->rest, text);
}

static bool extra_text(struct parse *p)
{
	struct buf b = {0};

	buf_adds(&b, ": extra text: ");
	layout_quote(&b, p->rest);
	fail(p, p->rest, p->rest, b.ptr);
	buf_release(&b);
	return false;
}

static bool parse_all(struct parse *p)
{
	struct str layout = p->layout;

	for (;;) {
		struct chunk c = next_chunk(&layout);
		struct str before;

		if (!skip_text(p, c.before))
			return fail(p, p->rest, c.before, NULL);
		if (c.el == L_NONE)
			return p->rest.len == 0 || extra_text(p);
		before = p->rest;
		p->next_layout = layout;
		if (!parse_element(p, &c)) {
			if (p->range)
				return out_of_range(p);
			return fail(p, before, c.text, NULL);
		}
		if (p->range)
			return out_of_range(p);
	}
}

/* Month and day from the day of the year; they must agree with those read. */
static bool apply_yday(struct parse *p)
{
	int64_t yday = p->yday, month = 0, day = 0;

	if (is_leap(p->year) && yday == 31 + 29) {
		month = 2;
		day = 29;
	} else if (is_leap(p->year) && yday > 31 + 29) {
		yday--;
	}
	if (yday < 1 || yday > 365)
		return fail(p, p->rest, p->rest, ": day-of-year out of range");
	if (!month) {
		month = (yday - 1) / 31 + 1;
		if (days_before((int)month + 1) < yday)
			month++;
		day = yday - days_before((int)month);
	}
	if (p->month >= 0 && p->month != month)
		return fail(p, p->rest, p->rest,
			": day-of-year does not match month");
	p->month = month;
	if (p->day >= 0 && p->day != day)
		return fail(p, p->rest, p->rest,
			": day-of-year does not match day");
	p->day = day;
	return true;
}

static bool check_date(struct parse *p)
{
	if (p->pm && p->hour < 12)
		p->hour += 12;
	else if (p->am && p->hour == 12)
		p->hour = 0;
	if (p->yday >= 0 && !apply_yday(p))
		return false;
	if (p->month < 0)
		p->month = 1;
	if (p->day < 0)
		p->day = 1;
	if (p->day < 1 || p->day > days_in((int)p->month, p->year))
		return fail(p, p->rest, p->rest, ": day out of range");
	return true;
}

bool layout_parse(struct str layout, struct str value, const struct zone *local,
	int64_t *sec, int *nsec, struct err *e)
{
	struct parse p = {.layout = layout,
		.value = value,
		.rest = value,
		.e = e,
		.month = -1,
		.day = -1,
		.yday = -1};
	int64_t offset = 0, t;

	if (!parse_all(&p) || !check_date(&p))
		return false;
	t = days_from(p.year, (int)p.month, p.day) * SECONDS_PER_DAY +
	    p.hour * 3600 + p.min * 60 + p.sec;
	if (p.has_offset && !p.utc)
		offset = p.offset;
	else if (p.zone_name.len && !p.utc &&
		 !zone_offset_of(local, p.zone_name, t, &offset))
		offset = 0;
	*sec = t - offset;
	*nsec = (int)p.nsec;
	return true;
}
