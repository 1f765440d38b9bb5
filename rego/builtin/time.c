/*
 * time.*: moments are nanoseconds since 1970 in UTC, which reaches from 1677
 * to 2262. An argument is such a number, or an array of it, the name of a zone
 * and, for time.format, a layout.
 *
 * Source: OPA's reference of builtins, "Time".
 */
#include "rego/builtin/duration.h"
#include "rego/builtin/layout.h"
#include "rego/builtin/operand.h"

#include <string.h>

enum { NS = 1000000000 };

struct moment {
	int64_t sec;
	int nsec;
	const struct zone *zone;
	struct zone_at at; /* what holds in the zone then */
	struct str layout; /* empty: none given */
};

/* A moment as the clocks of its zone show it. */
static struct civil local(const struct moment *m)
{
	return civil_from(m->sec + m->at.offset, m->nsec);
}

/* --- arguments ------------------------------------------------------- */

/*
 * A number that is an integer once it has a mantissa of 64 bits. The limits
 * are of an int64.
 */
static bool timestamp(struct value v, int64_t *out)
{
	const long double top = 9223372036854775808.0L;
	long double d;

	if (v.tag == V_INT) {
		*out = v.i;
		return true;
	}
	d = v.num->ld;
	if (!(d >= -top && d < top) || d != (long double)(int64_t)d)
		return false;
	*out = (int64_t)d;
	return true;
}

static enum bi_status wrong_moment(struct bi_ctx *cx, struct value v)
{
	return bi_operand(
		cx, 1, "either number (ns) or [number (ns), string (tz)]", v);
}

static enum bi_status find_zone(
	struct bi_ctx *cx, struct str name, const struct zone **out)
{
	struct err e = {0};

	if (!zone_find(&cx->caches[BI_CACHE_TIME], name, out, &e))
		return bi_error(cx, "%s", e.text);
	return BI_OK;
}

/* The zone and the layout of [ns, zone, layout]. */
static enum bi_status moment_more(
	struct bi_ctx *cx, const struct array *a, struct moment *out)
{
	enum bi_status st;

	if (a->len > 1) {
		if (a->items[1].tag != V_STR)
			return bi_operand(cx, 1, "string", a->items[1]);
		st = find_zone(cx, v_bytes(a->items[1]), &out->zone);
		if (st)
			return st;
	}
	if (a->len > 2) {
		if (a->items[2].tag != V_STR)
			return bi_operand(cx, 1, "string", a->items[2]);
		out->layout = v_bytes(a->items[2]);
	}
	return BI_OK;
}

/* OPA says "operand 1" whichever argument it is. */
static enum bi_status moment(
	struct bi_ctx *cx, struct value v, struct moment *out)
{
	enum bi_status st = BI_OK;
	int64_t ns;

	*out = (struct moment){0};
	if (v.tag == V_ARR && v.arr->len) {
		const struct array *a = v.arr;

		v = a->items[0];
		if (!is_num(v))
			return bi_operand(cx, 1, "number", v);
		st = moment_more(cx, a, out);
	} else if (!is_num(v)) {
		st = wrong_moment(cx, v);
	}
	if (st)
		return st;
	if (!timestamp(v, &ns))
		return bi_error(cx, "timestamp too big");
	out->sec = ns / NS - (ns % NS < 0);
	out->nsec = (int)(ns % NS + (ns % NS < 0 ? NS : 0));
	zone_lookup(out->zone, out->sec, &out->at);
	return BI_OK;
}

/* --- results --------------------------------------------------------- */

static enum bi_status nanoseconds(
	struct bi_ctx *cx, int64_t sec, int nsec, struct value *out)
{
	int64_t ns, rest = nsec;

	/* Below zero one second up, so that the lowest does not overflow. */
	if (sec < 0) {
		sec++;
		rest -= NS;
	}
	if (__builtin_mul_overflow(sec, (int64_t)NS, &ns) ||
		__builtin_add_overflow(ns, rest, &ns))
		return bi_error(cx, "time outside of valid range");
	*out = v_int(ns);
	return BI_OK;
}

static struct value numbers(struct bi_ctx *cx, const int64_t *n, size_t len)
{
	struct value *items = ARENA_ARRAY(cx->arena, struct value, len);

	for (size_t i = 0; i < len; i++)
		items[i] = v_int(n[i]);
	return v_arr(cx->arena, items, len);
}

/* --- the builtins ---------------------------------------------------- */

static enum bi_status now_ns(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	(void)args;
	*out = v_int(cx->now_ns);
	return BI_OK;
}

static enum bi_status date(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct moment m;
	enum bi_status st = moment(cx, args[0], &m);

	if (st)
		return st;
	struct civil c = local(&m);

	*out = numbers(cx, (int64_t[]){c.year, c.month, c.day}, 3);
	return BI_OK;
}

static enum bi_status clock_of(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct moment m;
	enum bi_status st = moment(cx, args[0], &m);

	if (st)
		return st;
	struct civil c = local(&m);

	*out = numbers(cx, (int64_t[]){c.hour, c.min, c.sec}, 3);
	return BI_OK;
}

static enum bi_status weekday(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct moment m;
	enum bi_status st = moment(cx, args[0], &m);

	if (!st)
		*out = v_cstr(cx->arena, weekday_names[local(&m).weekday]);
	return st;
}

static enum bi_status format(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct buf b = {0};
	struct str layout;
	struct moment m;
	enum bi_status st = moment(cx, args[0], &m);

	if (st)
		return st;
	layout = m.layout.len ? m.layout : S("RFC3339Nano");
	if (!bi_charge(cx, layout.len / 4))
		return BI_HALT;
	layout_format(&b, layout_named(layout), m.sec, m.nsec, &m.at);
	st = bi_string(cx, buf_str(&b), out);
	buf_release(&b);
	return st;
}

static enum bi_status parse(struct bi_ctx *cx, struct str layout,
	struct str value, struct value *out)
{
	const struct zone *zone;
	struct err e = {0};
	int64_t sec;
	int nsec;
	enum bi_status st = find_zone(cx, S("Local"), &zone);

	if (st)
		return st;
	if (!layout_parse(layout, value, zone, &sec, &nsec, &e))
		return bi_error(cx, "%s", e.text);
	return nanoseconds(cx, sec, nsec, out);
}

static enum bi_status parse_ns(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return parse(cx, layout_named(v_bytes(args[0])), v_bytes(args[1]), out);
}

static enum bi_status parse_rfc3339_ns(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return parse(cx, layout_named(S("RFC3339")), v_bytes(args[0]), out);
}

static enum bi_status parse_duration_ns(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct err e = {0};
	int64_t ns;

	if (!duration_parse(v_bytes(args[0]), &ns, &e))
		return bi_error(cx, "%s", e.text);
	*out = v_int(ns);
	return BI_OK;
}

/* Numbers that overflow wrap around, as in Go; few such dates are in range. */
static int64_t plus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* The moment when the zone's clocks show this many seconds since 1970. */
static int64_t from_local(const struct zone *zone, int64_t shown)
{
	struct zone_at at;

	/* Near a change the first guess may be on its other side. */
	zone_lookup(zone, shown, &at);
	if (at.offset)
		zone_lookup(zone, shown - at.offset, &at);
	return shown - at.offset;
}

static int64_t local_seconds(
	const struct civil *c, int64_t years, int64_t months, int64_t days)
{
	int64_t month = plus(c->month - 1, months);
	int64_t year = plus(plus(c->year, years), month / 12);

	month %= 12;
	if (month < 0) {
		month += 12;
		year = plus(year, -1);
	}
	days = days_from(year, (int)month + 1, plus(c->day, days));
	return plus((int64_t)((uint64_t)days * SECONDS_PER_DAY),
		c->hour * 3600 + c->min * 60 + c->sec);
}

static enum bi_status add_date(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	int64_t add[3], shown;
	struct moment m;
	enum bi_status st = moment(cx, args[0], &m);

	for (int i = 0; !st && i < 3; i++)
		st = operand_int(cx, i + 2, args[i + 1], &add[i]);
	if (st)
		return st;
	struct civil c = local(&m);

	shown = local_seconds(&c, add[0], add[1], add[2]);
	if (shown > INT64_MAX / NS * 2 || shown < INT64_MIN / NS * 2)
		return bi_error(cx, "time outside of valid range");
	return nanoseconds(cx, from_local(m.zone, shown), m.nsec, out);
}

static bool is_after(const struct moment *a, const struct moment *b)
{
	return a->sec > b->sec || (a->sec == b->sec && a->nsec > b->nsec);
}

/* Borrow from the next larger place when this one is below zero. */
static void borrow(int64_t *n, int64_t base, int64_t *larger)
{
	if (*n < 0) {
		*n += base;
		--*larger;
	}
}

static enum bi_status diff(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct moment m[2];
	struct civil a, b;
	enum bi_status st = moment(cx, args[0], &m[0]);

	if (!st)
		st = moment(cx, args[1], &m[1]);
	if (st)
		return st;
	/* Reading the second zone may have driven the first from the cache. */
	st = args[0].tag == V_ARR ? moment(cx, args[0], &m[0]) : BI_OK;
	if (st)
		return st;
	m[1].zone = m[0].zone;
	zone_lookup(m[1].zone, m[1].sec, &m[1].at);
	bool swap = is_after(&m[0], &m[1]);

	a = local(&m[swap]);
	b = local(&m[!swap]);
	int64_t d[6] = {b.year - a.year, b.month - a.month, b.day - a.day,
		b.hour - a.hour, b.min - a.min, b.sec - a.sec};

	borrow(&d[5], 60, &d[4]);
	borrow(&d[4], 60, &d[3]);
	borrow(&d[3], 24, &d[2]);
	borrow(&d[2], days_in(a.month, a.year), &d[1]);
	borrow(&d[1], 12, &d[0]);
	*out = numbers(cx, d, 6);
	return BI_OK;
}

enum { MOMENT = BT_NUM | BT_ARR };

/* clang-format off */
static const struct builtin rows[] = {
	{"time.add_date",          NULL, 4, {MOMENT, BT_NUM, BT_NUM, BT_NUM}, add_date, BF_RAWTYPES},
	{"time.clock",             NULL, 1, {MOMENT}, clock_of, BF_RAWTYPES},
	{"time.date",              NULL, 1, {MOMENT}, date, BF_RAWTYPES},
	{"time.diff",              NULL, 2, {MOMENT, MOMENT}, diff, BF_RAWTYPES},
	{"time.format",            NULL, 1, {MOMENT}, format, BF_RAWTYPES},
	{"time.now_ns",            NULL, 0, {0}, now_ns, BF_NONDET},
	{"time.parse_duration_ns", NULL, 1, {BT_STR}, parse_duration_ns, 0},
	{"time.parse_ns",          NULL, 2, {BT_STR, BT_STR}, parse_ns, 0},
	{"time.parse_rfc3339_ns",  NULL, 1, {BT_STR}, parse_rfc3339_ns, 0},
	{"time.weekday",           NULL, 1, {MOMENT}, weekday, BF_RAWTYPES},
};
/* clang-format on */

const struct builtin_table builtin_time = {rows, COUNT(rows)};
