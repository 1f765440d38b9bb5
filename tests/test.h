/*
 * test: what every unit test includes.
 *
 * The headers cmocka wants, in the order it wants them, and asserts that say
 * more when they fail: cmocka 1.1 prints integers in hex and knows nothing of
 * struct str or struct err.
 */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"

/* The call gave OK; if not, what *e says. */
#define assert_ok(st, e)                                                       \
	do {                                                                   \
		enum status assert_st_ = (st);                                 \
		if (assert_st_)                                                \
			fail_msg("%s: status %d: %s", #st, (int)assert_st_,    \
				(e)->text);                                    \
	} while (0)

/* The call failed with `want`, and the text holds `part`. */
#define assert_fails(st, e, want, part)                                        \
	do {                                                                   \
		enum status assert_st_ = (st);                                 \
		if (assert_st_ != (want))                                      \
			fail_msg("%s: status %d, want %s", #st,                \
				(int)assert_st_, #want);                       \
		if ((e)->code != (want))                                       \
			fail_msg("%s: code %d in the error, want %s", #st,     \
				(int)(e)->code, #want);                        \
		if (!strstr((e)->text, (part)))                                \
			fail_msg("%s: \"%s\" does not hold \"%s\"", #st,       \
				(e)->text, (part));                            \
	} while (0)

/* Two whole numbers are equal. */
#define assert_num(got, want)                                                  \
	do {                                                                   \
		long long assert_got_ = (long long)(got);                      \
		long long assert_want_ = (long long)(want);                    \
		if (assert_got_ != assert_want_)                               \
			fail_msg("%s is %lld, want %s: %lld", #got,            \
				assert_got_, #want, assert_want_);             \
	} while (0)

/* Two numbers are equal but for `relative` of `want`; never NaN. */
#define assert_near(got, want, relative)                                       \
	do {                                                                   \
		double assert_got_ = (got), assert_want_ = (want);             \
		double assert_off_ = assert_got_ - assert_want_;               \
		double assert_top_ = assert_want_;                             \
		if (assert_off_ < 0)                                           \
			assert_off_ = -assert_off_;                            \
		if (assert_top_ < 0)                                           \
			assert_top_ = -assert_top_;                            \
		if (!(assert_got_ == assert_want_ ||                           \
			    assert_off_ <= (relative)*assert_top_))            \
			fail_msg("%s is %.17g, want %s: %.17g", #got,          \
				assert_got_, #want, assert_want_);             \
	} while (0)

/* A struct str holds exactly the C string `want`. */
#define assert_str(got, want)                                                  \
	do {                                                                   \
		struct str assert_got_ = (got);                                \
		if (!str_is(assert_got_, (want)))                              \
			fail_msg("%s is \"%.*s\", want \"%s\"", #got,          \
				STR_ARG(assert_got_), (want));                 \
	} while (0)

#endif
