#include "rego/builtin/zone.h"

#include "rego/builtin/calendar.h"
#include "rego/builtin/patterns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct kind {
	int64_t offset;
	bool is_dst;
	const char *name; /* in zone.data */
};

struct change {
	int64_t when;
	uint8_t kind;
};

struct zone {
	char *data; /* the file, with a NUL at its end */
	struct kind *kinds;
	size_t nkinds;
	struct change *changes; /* at least one */
	size_t nchanges;
	struct str rule; /* for the time after the last change; may be empty */
};

void zone_free(struct zone *z)
{
	if (!z)
		return;
	free(z->data);
	free(z->kinds);
	free(z->changes);
	free(z);
}

/* --- the file -------------------------------------------------------- */

struct reader {
	struct str s;
	bool short_of; /* ran out of data */
};

static struct str take(struct reader *r, uint64_t n)
{
	struct str got;

	if (r->short_of || n > r->s.len) {
		r->short_of = true;
		return (struct str){0};
	}
	got = str_slice(r->s, 0, (size_t)n);
	r->s = str_slice(r->s, (size_t)n, r->s.len);
	return got;
}

/* A big-endian number of n bytes; 0 when there is not that much. */
static uint64_t number(struct reader *r, int n)
{
	struct str s = take(r, (uint64_t)n);
	uint64_t v = 0;

	for (size_t i = 0; i < s.len; i++)
		v = v << 8 | (unsigned char)s.ptr[i];
	return v;
}

struct counts {
	uint64_t utc, std, leap, time, type, chars;
};

static struct counts counts(struct reader *r)
{
	struct counts n;

	n.utc = number(r, 4);
	n.std = number(r, 4);
	n.leap = number(r, 4);
	n.time = number(r, 4);
	n.type = number(r, 4);
	n.chars = number(r, 4);
	return n;
}

/*
 * Version 2 and up have all of it twice: with 32-bit times, then with 64-bit
 * ones. Sets *width to the bytes of a time and *n to the counts that hold.
 */
static bool header(struct reader *r, int *width, struct counts *n)
{
	struct str head = take(r, 20);

	if (r->short_of || !str_starts(head, S("TZif")))
		return false;
	*n = counts(r);
	*width = 4;
	if (head.ptr[4] == '\0')
		return true;
	if (head.ptr[4] != '2' && head.ptr[4] != '3')
		return false;
	take(r, n->time * 5 + n->type * 6 + n->chars + n->leap * 8 + n->std +
			n->utc + 20);
	*n = counts(r);
	*width = 8;
	return true;
}

static bool read_kinds(struct zone *z, struct str kinds, struct str names)
{
	struct reader r = {.s = kinds};

	z->nkinds = kinds.len / 6;
	z->kinds = calloc(z->nkinds + 1, sizeof(*z->kinds));
	if (!z->kinds)
		die("out of memory: time zone");
	for (size_t i = 0; i < z->nkinds; i++) {
		size_t at;

		z->kinds[i].offset = (int32_t)(uint32_t)number(&r, 4);
		z->kinds[i].is_dst = number(&r, 1) != 0;
		at = (size_t)number(&r, 1);
		if (at >= names.len)
			return false;
		z->kinds[i].name = names.ptr + at;
	}
	return z->nkinds > 0;
}

static bool read_changes(
	struct zone *z, struct str times, int width, struct str kinds)
{
	struct reader r = {.s = times};

	z->nchanges = kinds.len ? kinds.len : 1;
	z->changes = calloc(z->nchanges, sizeof(*z->changes));
	if (!z->changes)
		die("out of memory: time zone");
	z->changes[0].when = INT64_MIN; /* of a zone without changes */
	for (size_t i = 0; i < kinds.len; i++) {
		uint64_t t = number(&r, width);

		z->changes[i].when =
			width == 4 ? (int32_t)(uint32_t)t : (int64_t)t;
		z->changes[i].kind = (uint8_t)kinds.ptr[i];
		if (z->changes[i].kind >= z->nkinds)
			return false;
	}
	return true;
}

static bool read_zone(struct zone *z, struct str tzif)
{
	struct reader r = {.s = tzif};
	struct str times, changes, kinds, names;
	struct counts n;
	int width;

	if (!header(&r, &width, &n))
		return false;
	times = take(&r, n.time * (uint64_t)width);
	changes = take(&r, n.time);
	kinds = take(&r, n.type * 6);
	names = take(&r, n.chars);
	take(&r, n.leap * (uint64_t)(width + 4));
	take(&r, n.std);
	take(&r, n.utc);
	if (r.short_of)
		return false;
	if (r.s.len > 2 && str_starts(r.s, S("\n")) && str_ends(r.s, S("\n")))
		z->rule = str_slice(r.s, 1, r.s.len - 1);
	return read_kinds(z, kinds, names) &&
	       read_changes(z, times, width, changes);
}

struct zone *zone_parse(struct str tzif)
{
	struct zone *z = calloc(1, sizeof(*z));

	if (z)
		z->data = malloc(tzif.len + 1);
	if (!z || !z->data)
		die("out of memory: time zone");
	memcpy(z->data, tzif.len ? tzif.ptr : "", tzif.len);
	z->data[tzif.len] = '\0';
	if (read_zone(z, str_make(z->data, tzif.len)))
		return z;
	zone_free(z);
	return NULL;
}

/* --- the rule: "CET-1CEST,M3.5.0,M10.5.0/3" --------------------------- */

struct rule_day {
	char kind; /* J: 1..365 without February 29; M; 0: 0..365 */
	int64_t day, week, month, time;
};

struct rule {
	struct str std, dst; /* names */
	int64_t std_offset, dst_offset;
	bool has_dst;
	struct rule_day begin, end;
};

static bool rule_number(struct str *s, int64_t min, int64_t max, int64_t *out)
{
	size_t i = 0;

	*out = 0;
	for (; i < s->len && s->ptr[i] >= '0' && s->ptr[i] <= '9'; i++) {
		*out = *out * 10 + s->ptr[i] - '0';
		if (*out > max)
			return false;
	}
	*s = str_slice(*s, i, s->len);
	return i > 0 && *out >= min;
}

static bool skip_char(struct str *s, char c)
{
	if (!s->len || s->ptr[0] != c)
		return false;
	*s = str_slice(*s, 1, s->len);
	return true;
}

static bool rule_name(struct str *s, struct str *out)
{
	size_t i = 0;

	if (skip_char(s, '<'))
		return str_cut(s, S(">"), out);
	while (i < s->len && !strchr("0123456789,-+", s->ptr[i]))
		i++;
	*out = str_slice(*s, 0, i);
	*s = str_slice(*s, i, s->len);
	return i >= 3;
}

/* [+-]h[:mm[:ss]] in seconds. */
static bool rule_time(struct str *s, int64_t *out)
{
	bool neg = skip_char(s, '-');
	int64_t h, m = 0, sec = 0;

	if (!neg)
		skip_char(s, '+');
	if (!rule_number(s, 0, 24 * 7, &h))
		return false;
	if (skip_char(s, ':')) {
		if (!rule_number(s, 0, 59, &m))
			return false;
		if (skip_char(s, ':') && !rule_number(s, 0, 59, &sec))
			return false;
	}
	*out = h * 3600 + m * 60 + sec;
	if (neg)
		*out = -*out;
	return true;
}

static bool rule_day(struct str *s, struct rule_day *d)
{
	*d = (struct rule_day){.time = 2 * 3600};
	if (skip_char(s, 'J')) {
		d->kind = 'J';
		if (!rule_number(s, 1, 365, &d->day))
			return false;
	} else if (skip_char(s, 'M')) {
		d->kind = 'M';
		if (!rule_number(s, 1, 12, &d->month) || !skip_char(s, '.') ||
			!rule_number(s, 1, 5, &d->week) || !skip_char(s, '.') ||
			!rule_number(s, 0, 6, &d->day))
			return false;
	} else if (!rule_number(s, 0, 365, &d->day)) {
		return false;
	}
	return !skip_char(s, '/') || rule_time(s, &d->time);
}

static bool rule_parse(struct str s, struct rule *r)
{
	*r = (struct rule){0};
	if (!rule_name(&s, &r->std) || !rule_time(&s, &r->std_offset))
		return false;
	r->std_offset = -r->std_offset; /* the rule counts west of UTC */
	if (!s.len || s.ptr[0] == ',')
		return true;
	r->has_dst = true;
	r->dst_offset = r->std_offset + 3600;
	if (!rule_name(&s, &r->dst))
		return false;
	if (s.len && s.ptr[0] != ',') {
		if (!rule_time(&s, &r->dst_offset))
			return false;
		r->dst_offset = -r->dst_offset;
	}
	if (!s.len)
		s = S(",M3.2.0,M11.1.0");
	if (!skip_char(&s, ',') && !skip_char(&s, ';'))
		return false;
	return rule_day(&s, &r->begin) && skip_char(&s, ',') &&
	       rule_day(&s, &r->end) && !s.len;
}

/* Seconds from the start of the year in UTC; `offset` holds until then. */
static int64_t rule_second(
	const struct rule_day *d, int64_t year, int64_t offset)
{
	int64_t day = d->day, first;

	if (d->kind == 'J') {
		day += (is_leap(year) && day >= 60) - 1;
	} else if (d->kind == 'M') {
		int month = (int)d->month;

		first = days_from(year, month, 1);
		day = d->day - ((first + 4) % 7 + 7) % 7;
		if (day < 0)
			day += 7;
		for (int64_t i = 1; i < d->week; i++)
			if (day + 7 < days_in(month, year))
				day += 7;
		day += first - days_from(year, 1, 1);
	}
	return day * SECONDS_PER_DAY + d->time - offset;
}

static void at_rule(struct zone_at *out, struct str name, int64_t offset)
{
	snprintf(out->room, sizeof(out->room), "%.*s", STR_ARG(name));
	out->name = out->room;
	out->offset = offset;
}

static bool rule_lookup(struct str text, int64_t sec, struct zone_at *out)
{
	struct civil c = civil_from(sec, 0);
	int64_t begin, end, now;
	struct rule r;
	bool dst = false;

	if (!rule_parse(text, &r))
		return false;
	if (r.has_dst) {
		now = sec - days_from(c.year, 1, 1) * SECONDS_PER_DAY;
		begin = rule_second(&r.begin, c.year, r.std_offset);
		end = rule_second(&r.end, c.year, r.dst_offset);
		dst = begin <= end ? now >= begin && now < end
				   : now < end || now >= begin;
	}
	if (dst)
		at_rule(out, r.dst, r.dst_offset);
	else
		at_rule(out, r.std, r.std_offset);
	return true;
}

/* --- looking up ------------------------------------------------------ */

/*
 * What holds before the first change: a kind no change leads to; else standard
 * time before the first change's daylight time; else any standard time.
 */
static size_t first_kind(const struct zone *z)
{
	bool used = false;

	for (size_t i = 0; i < z->nchanges; i++)
		used |= z->changes[i].kind == 0;
	if (!used)
		return 0;
	if (z->kinds[z->changes[0].kind].is_dst)
		for (size_t k = z->changes[0].kind; k-- > 0;)
			if (!z->kinds[k].is_dst)
				return k;
	for (size_t k = 0; k < z->nkinds; k++)
		if (!z->kinds[k].is_dst)
			return k;
	return 0;
}

void zone_lookup(const struct zone *z, int64_t sec, struct zone_at *out)
{
	size_t lo = 0, hi;
	const struct kind *k;

	*out = (struct zone_at){.name = "UTC"};
	if (!z)
		return;
	if (sec < z->changes[0].when) {
		k = &z->kinds[first_kind(z)];
	} else {
		hi = z->nchanges;
		while (hi - lo > 1) {
			size_t mid = (lo + hi) / 2;

			if (sec < z->changes[mid].when)
				hi = mid;
			else
				lo = mid;
		}
		if (lo == z->nchanges - 1 && z->rule.len &&
			rule_lookup(z->rule, sec, out))
			return;
		k = &z->kinds[z->changes[lo].kind];
	}
	out->name = k->name;
	out->offset = k->offset;
}

bool zone_offset_of(const struct zone *z, struct str name, int64_t unix_sec,
	int64_t *offset)
{
	struct zone_at at;

	if (!z)
		return false;
	for (size_t i = 0; i < z->nkinds; i++) {
		if (!str_is(name, z->kinds[i].name))
			continue;
		zone_lookup(z, unix_sec - z->kinds[i].offset, &at);
		*offset = at.offset;
		if (str_is(name, at.name))
			return true;
	}
	for (size_t i = 0; i < z->nkinds; i++) {
		*offset = z->kinds[i].offset;
		if (str_is(name, z->kinds[i].name))
			return true;
	}
	return false;
}

/* --- finding --------------------------------------------------------- */

static const char *const folders[] = {
	"/usr/share/zoneinfo",
	"/usr/share/lib/zoneinfo",
	"/usr/lib/locale/TZ",
	"/etc/zoneinfo",
};

enum { FILE_MAX = 10 << 20 };

/* The whole file; an errno, or 0. */
static int read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), errnum = 0;

	if (fd < 0)
		return errno;
	while (out->len <= FILE_MAX) {
		ssize_t n = read(fd, buf_reserve(out, 4096), 4096);

		if (n > 0)
			out->len += (size_t)n;
		else if (n == 0 || errno != EINTR) {
			errnum = n < 0 ? errno : 0;
			break;
		}
	}
	close(fd);
	return out->len > FILE_MAX ? EFBIG : errnum;
}

/* Go's words for an errno begin with a small letter. */
static void sys_text(int errnum, struct err *e)
{
	err_set(e, E_IO, "%s", strerror(errnum));
	if (e && e->text[0] >= 'A' && e->text[0] <= 'Z')
		e->text[0] = (char)(e->text[0] - 'A' + 'a');
}

/*
 * Read `path` into *out. True when that is the end of the search: it was there
 * and good. An error other than "not there" goes to *e, unless that has one.
 */
static bool try_file(const char *path, struct zone **out, struct err *e)
{
	struct buf b = {0};
	int errnum = read_file(path, &b);

	*out = errnum ? NULL : zone_parse(buf_str(&b));
	buf_release(&b);
	if (!*out && errnum != ENOENT && e && !e->code) {
		if (errnum)
			sys_text(errnum, e);
		else
			err_set(e, E_INVALID,
				"malformed time zone information");
	}
	return *out != NULL;
}

static bool search(struct str name, struct zone **out, struct err *e)
{
	char path[PATH_MAX];

	if (memchr(name.ptr, '\0', name.len)) {
		sys_text(EINVAL, e);
		return false;
	}
	for (size_t i = 0; i < COUNT(folders); i++) {
		int n = snprintf(path, sizeof(path), "%s/%.*s", folders[i],
			STR_ARG(name));

		if (n < 0 || (size_t)n >= sizeof(path)) {
			sys_text(ENAMETOOLONG, e);
			return false;
		}
		if (try_file(path, out, e))
			return true;
	}
	if (e && !e->code)
		err_set(e, E_NOT_FOUND, "unknown time zone %.*s",
			STR_ARG(name));
	return false;
}

/* The zone of this process; UTC when it has none or a bad one. */
static struct zone *local_zone(void)
{
	const char *tz = getenv("TZ");
	struct zone *z = NULL;

	if (!tz) {
		try_file("/etc/localtime", &z, NULL);
		return z;
	}
	if (tz[0] == ':')
		tz++;
	if (tz[0] == '/')
		try_file(tz, &z, NULL);
	else if (tz[0] && strcmp(tz, "UTC") != 0)
		search(str_from(tz), &z, NULL);
	return z;
}

static void free_zone(void *item)
{
	struct zone **boxed = item;

	zone_free(*boxed);
	free(boxed);
}

bool zone_find(struct bi_cache *cache, struct str name, const struct zone **out,
	struct err *e)
{
	struct zone *z, **boxed;

	*out = NULL;
	if (!name.len || str_is(name, "UTC"))
		return true;
	boxed = patterns_get(cache, name);
	if (boxed) {
		*out = *boxed;
		return true;
	}
	if (str_is(name, "Local")) {
		z = local_zone();
	} else if (str_find(name, S(".."), 0) != SIZE_MAX ||
		   name.ptr[0] == '/' || name.ptr[0] == '\\') {
		err_set(e, E_INVALID, "time: invalid location name");
		return false;
	} else if (!search(name, &z, e)) {
		return false;
	}
	boxed = malloc(sizeof(*boxed)); /* NULL is a zone, but not an item */
	if (!boxed)
		die("out of memory: time zone");
	*boxed = z;
	patterns_put(cache, name, boxed, free_zone, 4096);
	*out = z;
	return true;
}
