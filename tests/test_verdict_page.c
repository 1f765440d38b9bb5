/* The tables of docs/verdict.md, computed again with what they speak of. */
#include "tests/test.h"

#include "base/fs.h"
#include "canary/verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_MIN = 24 * 60, BAKE_MIN = 15, BASELINE_TIMES = 9 };

/* The page without the commas in its numbers. */
static char *page(struct buf *b)
{
	struct err e = {0};
	char *to;

	assert_ok(fs_read(NULL, "docs/verdict.md", 1 << 20, b, &e), &e);
	to = b->ptr;
	for (char *p = b->ptr; *p; p++)
		if (*p != ',' || p[1] < '0' || p[1] > '9')
			*to++ = *p;
	*to = '\0';
	return b->ptr;
}

/* The lines of a text that begin with "| <digit>"; *text is moved on. */
static const char *next_row(char **text)
{
	while (*text) {
		char *line = *text, *end = strchr(line, '\n');

		if (end)
			*end = '\0';
		*text = end ? end + 1 : NULL;
		if (!strncmp(line, "| ", 2) && line[2] >= '0' && line[2] <= '9')
			return line;
	}
	return NULL;
}

static double minutes_of(const char *cell)
{
	return strncmp(cell, " over", 5) ? strtod(cell, NULL) : INFINITY;
}

static void minutes_until_a_pass_are_what_the_product_says(void **state)
{
	static const double rates[] = {0, 0.001, 0.01};
	struct buf b = {0};
	char *text = page(&b);
	unsigned rows = 0;

	(void)state;
	for (const char *row; (row = next_row(&text));) {
		double per_min = strtod(row + 2, NULL);
		const char *cell = row + 1;

		if (strstr(row, " of "))
			continue;
		rows++;
		for (size_t i = 0; i < COUNT(rates); i++) {
			double want = verdict_minutes(&verdict_defaults,
				per_min, per_min * BASELINE_TIMES, rates[i],
				BAKE_MIN, DAY_MIN);

			cell = strchr(cell, '|');
			assert_non_null(cell);
			if (minutes_of(++cell) != want)
				fail_msg("%s: the product says %g", row, want);
		}
	}
	assert_num(rows, 8);
	buf_release(&b);
}

static void evidence_of_harm_is_what_the_product_says(void **state)
{
	const struct verdict_config *c = &verdict_defaults;
	double threshold = verdict_threshold(c, METRIC_ERROR);
	struct buf b = {0};
	char *text = page(&b);
	unsigned rows = 0;

	(void)state;
	for (const char *row; (row = next_row(&text));) {
		unsigned long long cx, cn, bx, bn, evidence;
		struct harm h = {0};
		double got;

		if (sscanf(row, "| %llu of %llu | %llu of %llu | %llu |", &cx,
			    &cn, &bx, &bn, &evidence) != 5)
			continue;
		rows++;
		harm_add(&h, (struct cell){{cx, cn}, {bx, bn}}, HARM_UP,
			c->worse_than, c->eta);
		got = exp(harm_ln(&h));
		if (fabs(got - (double)evidence) > 0.5)
			fail_msg("%s: the product says %g", row, got);
		assert_num(strstr(row, "FAIL") != NULL, got >= threshold);
	}
	assert_num(rows, 8);
	buf_release(&b);
}

static void thresholds_are_those_of_the_page(void **state)
{
	const struct verdict_config *c = &verdict_defaults;

	(void)state;
	assert_num(round(verdict_threshold(c, METRIC_ERROR)), 250);
	assert_num(round(verdict_threshold(c, METRIC_UNDEFINED)), 667);
	assert_num(round(verdict_threshold(c, METRIC_DENY_UP)), 667);
	assert_num(round(verdict_threshold(c, METRIC_CEILING)), 1000);
	assert_num(round(verdict_threshold(c, METRIC_DENY_DOWN)), 1000);
	assert_num(round(verdict_threshold(c, METRIC_SLOW)), 1000);
	assert_num(round(1 / c->beta), 20);
	assert_num(round(c->min_effect * 1000), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			minutes_until_a_pass_are_what_the_product_says),
		cmocka_unit_test(evidence_of_harm_is_what_the_product_says),
		cmocka_unit_test(thresholds_are_those_of_the_page),
	};

	return cmocka_run_group_tests_name("verdict page", tests, NULL, NULL);
}
