#include "tests/test.h"

#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/glob.h"

#define DAY INT64_C(86400)

/* --- dates ------------------------------------------------------------------
 */

static void days_and_dates_are_each_others_inverse(void **state)
{
	(void)state;
	for (int64_t days = -719162; days < 2932896; days += 97) {
		struct date d = date_of_days(days);

		assert_true(date_valid(d));
		assert_num(date_days(d), days);
	}
}

static void leap_days_are_where_the_calendar_has_them(void **state)
{
	static const struct {
		struct date d;
		bool valid;
	} rows[] = {
		{{2024, 2, 29}, true},
		{{2000, 2, 29}, true},
		{{1900, 2, 29}, false},
		{{2026, 2, 29}, false},
		{{2026, 4, 31}, false},
		{{2026, 13, 1}, false},
		{{2026, 0, 1}, false},
		{{0, 1, 1}, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_num(date_valid(rows[i].d), rows[i].valid);
}

static void an_instant_is_read_with_its_zone(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
		int64_t ns;
		bool day;
	} rows[] = {
		{"1970-01-01", 0, 0, true},
		{"2026-09-30", 20726 * DAY, 0, true},
		{"2026-09-30T00:00:00Z", 20726 * DAY, 0, false},
		{"2026-09-30T02:00:00+02:00", 20726 * DAY, 0, false},
		{"2026-09-29T22:30:00-01:30", 20726 * DAY, 0, false},
		{"1970-01-01T00:00:01.25Z", 1, 250000000, false},
		{"1970-01-01T00:00:01.1234567891Z", 1, 123456789, false},
		{"1969-12-31T23:59:59Z", -1, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t ns;
		bool day;

		assert_true(instant_parse(str_from(rows[i].text), &ns, &day));
		assert_num(ns, rows[i].seconds * NS_PER_S + rows[i].ns);
		assert_num(day, rows[i].day);
	}
}

static void what_is_no_instant_is_refused(void **state)
{
	static const char *const rows[] = {"", "2026", "2026-9-30",
		"2026-09-30T", "2026-09-30T10:00:00", "2026-09-30T10:00:60Z",
		"2026-09-30T24:00:00Z", "2026-09-30T10:00:00.Z",
		"2026-09-30T10:00:00Zx", "2026-09-30T10:00:00+24:00",
		"2026-09-30 10:00:00Z", "2026-02-30", "2026-09-30x",
		"2300-01-01", "1600-01-01", "-026-09-30"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t ns = 7;

		assert_false(instant_parse(str_from(rows[i]), &ns, NULL));
		assert_num(ns, 7);
	}
}

static void an_instant_is_written_in_utc(void **state)
{
	struct buf out = {0};

	(void)state;
	instant_text(&out, 20726 * DAY * NS_PER_S + 3661 * NS_PER_S + 5);
	assert_string_equal(out.ptr, "2026-09-30T01:01:01Z");
	buf_reset(&out);
	instant_text(&out, -1);
	assert_string_equal(out.ptr, "1969-12-31T23:59:59Z");
	buf_reset(&out);
	instant_text_whole(&out, 20726 * DAY * NS_PER_S + 5);
	assert_string_equal(out.ptr, "2026-09-30T00:00:00.000000005Z");
	buf_reset(&out);
	instant_text_whole(&out, NS_PER_S / 4);
	assert_string_equal(out.ptr, "1970-01-01T00:00:00.25Z");
	buf_reset(&out);
	instant_text_whole(&out, -NS_PER_S / 2);
	assert_string_equal(out.ptr, "1969-12-31T23:59:59.5Z");
	buf_reset(&out);
	instant_text_whole(&out, NS_PER_S);
	assert_string_equal(out.ptr, "1970-01-01T00:00:01Z");
	buf_release(&out);
}

/* --- globs ------------------------------------------------------------------
 */

static void a_glob_goes_step_by_step(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool match;
	} rows[] = {
		{"a/b", "a/b", true},
		{"a/b", "a/bc", false},
		{"a/*", "a/b", true},
		{"a/*", "a/b/c", false},
		{"a/*", "a", false},
		{"a/**", "a/b/c", true},
		{"a/**", "a", true},
		{"a/**", "ab", false},
		{"**", "", true},
		{"**", "x/y", true},
		{"**/z", "x/y/z", true},
		{"**/z", "z", true},
		{"a/**/z", "a/z", true},
		{"a/**/z", "a/b/c/z", true},
		{"a/**/z", "a/b/c/y", false},
		{"**/b/**/c", "a/b/b/x/c", true},
		{"a/b*d", "a/bcd", true},
		{"a/b*d", "a/bcde", false},
		{"a/*b*", "a/xbx", true},
		{"", "", true},
		{"", "a", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (glob_path(str_from(rows[i].pattern),
			    str_from(rows[i].path)) != rows[i].match)
			fail_msg("%s on %s", rows[i].pattern, rows[i].path);
}

/* --- the same, said in another way: every way to match is tried ------------
 */

static bool slow_step(struct str p, struct str s)
{
	if (!p.len)
		return !s.len;
	struct str rest = str_slice(p, 1, p.len);

	if (*p.ptr == '*')
		return slow_step(rest, s) ||
		       (s.len && slow_step(p, str_slice(s, 1, s.len)));
	return s.len && (*p.ptr == '?' || *p.ptr == *s.ptr) &&
	       slow_step(rest, str_slice(s, 1, s.len));
}

static struct str cut_step(struct str *path)
{
	size_t slash = str_find(*path, S("/"), 0);
	struct str step = str_slice(*path, 0, slash);

	*path = slash == SIZE_MAX ? S("")
				  : str_slice(*path, slash + 1, path->len);
	return step;
}

static bool slow_glob(struct str p, struct str s)
{
	struct str prest = p, srest = s, step, first;

	if (!p.len)
		return !s.len;
	first = cut_step(&prest);
	if (str_is(first, "**") && slow_glob(prest, s))
		return true;
	if (!s.len)
		return false;
	step = cut_step(&srest);
	if (str_is(first, "**"))
		return slow_glob(p, srest);
	return slow_step(first, step) && slow_glob(prest, srest);
}

/* Number `n`, written with the letters of `set`; the first says nothing. */
static struct str word(char out[16], const char *set, unsigned n)
{
	size_t len = strlen(set), i = 0;

	for (; n; n /= (unsigned)len)
		if (n % len)
			out[i++] = set[n % len];
	return str_make(out, i);
}

static void globs_match_as_if_all_ways_were_tried(void **state)
{
	char glob[16], path[16];

	(void)state;
	for (unsigned i = 0; i < 5 * 5 * 5 * 5 * 5 * 5; i++)
		for (unsigned k = 0; k < 3 * 3 * 3 * 3 * 3; k++) {
			struct str g = word(glob, " a/*?", i);
			struct str p = word(path, " a/", k);

			if (glob_path(g, p) != slow_glob(g, p))
				fail_msg(
					"%.*s on %.*s", STR_ARG(g), STR_ARG(p));
		}
}

static void a_hostile_glob_costs_no_more_than_its_length(void **state)
{
	struct buf pattern = {0}, path = {0};

	(void)state;
	for (int i = 0; i < 2000; i++) {
		buf_adds(&pattern, "**/a*a*a*/");
		buf_adds(&path, "aaaaaaaaab/");
	}
	buf_adds(&pattern, "x");
	buf_adds(&path, "y");
	assert_false(glob_path(buf_str(&pattern), buf_str(&path)));
	buf_release(&pattern);
	buf_release(&path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_and_dates_are_each_others_inverse),
		cmocka_unit_test(leap_days_are_where_the_calendar_has_them),
		cmocka_unit_test(an_instant_is_read_with_its_zone),
		cmocka_unit_test(what_is_no_instant_is_refused),
		cmocka_unit_test(an_instant_is_written_in_utc),
		cmocka_unit_test(a_glob_goes_step_by_step),
		cmocka_unit_test(globs_match_as_if_all_ways_were_tried),
		cmocka_unit_test(a_hostile_glob_costs_no_more_than_its_length),
	};

	return cmocka_run_group_tests_name("base date", tests, NULL, NULL);
}
