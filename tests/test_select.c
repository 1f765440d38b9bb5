/* Which targets are canaries, and who is pinned. */
#include "tests/test.h"

#include "base/buf.h"
#include "canary/select.h"

#include <stdio.h>
#include <string.h>

static struct err err;

static const struct {
	const char *id;
	uint64_t hash;
} vectors[] = {
	{"edge-01", 0x560fbc6134f1680c},
	{"edge-02", 0xc609b2d21a9c2dbc},
	{"edge-03", 0x5f771bcac93557a7},
	{"edge-04", 0xaa010c5b7bb97d20},
	{"edge-05", 0x642b0b419720db1a},
	{"edge-06", 0xab1f1375ea6fd6b8},
	{"edge-07", 0xd0dceefd74f43bb6},
	{"edge-08", 0x73e343cd0df51147},
	{"edge-09", 0xffe8d8ea0ff2a3ad},
	{"edge-10", 0x5e5a8f2ce1a4abc7},
};

static struct select_percent percent(uint32_t basis_points)
{
	return (struct select_percent){
		S("authz"), S("seed-1"), basis_points, 0};
}

/* The ten edges, one class. */
static void edges(struct select_target *t)
{
	for (size_t i = 0; i < COUNT(vectors); i++)
		t[i] = (struct select_target){.id = str_from(vectors[i].id),
			.target_class = S("edge")};
}

/* One digit per target: the set as text. */
static const char *set_of(uint32_t basis_points)
{
	static char out[11];
	struct select_target t[10];
	struct select_percent p = percent(basis_points);
	bool chosen[10] = {0};
	size_t len = 0;

	edges(t);
	select_by_percent(&p, t, 10, chosen);
	for (size_t i = 0; i < 10; i++)
		if (chosen[i])
			out[len++] = (char)('0' + (i + 1) % 10);
	out[len] = '\0';
	return out;
}

static void hashes_are_those_of_the_design(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++)
		assert_true(
			select_hash(S("authz"), S("seed-1"),
				str_from(vectors[i].id)) == vectors[i].hash);
}

static void percentages_take_the_first_by_hash(void **state)
{
	(void)state;
	assert_string_equal(set_of(1000), "1");
	assert_string_equal(set_of(3000), "130");
	assert_string_equal(set_of(5000), "13580");
	assert_string_equal(set_of(0), "");
	assert_string_equal(set_of(SELECT_WHOLE), "1234567890");
	assert_string_equal(set_of(1), "1");
}

enum {
	FLEET = 100,
};

/* Sixty of class a, thirty of b, ten classes of one. */
static void fleet(struct select_target *t, char ids[FLEET][8])
{
	static const char *const one[] = {
		"c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};

	for (size_t i = 0; i < FLEET; i++) {
		snprintf(ids[i], 8, "t%zu", i);
		t[i] = (struct select_target){.id = str_from(ids[i]),
			.target_class = i < 60   ? S("a")
					: i < 90 ? S("b")
						 : str_from(one[i - 90])};
	}
}

static size_t chosen_of(const bool *chosen, size_t from, size_t to)
{
	size_t n = 0;

	for (size_t i = from; i < to; i++)
		n += chosen[i];
	return n;
}

static void each_class_gives_its_part_and_small_ones_share(void **state)
{
	struct select_target t[FLEET];
	char ids[FLEET][8];
	bool chosen[FLEET] = {0};
	struct select_percent p = percent(1000);

	(void)state;
	fleet(t, ids);
	select_by_percent(&p, t, FLEET, chosen);
	assert_num(chosen_of(chosen, 0, 60), 6);
	assert_num(chosen_of(chosen, 60, 90), 3);
	assert_num(chosen_of(chosen, 90, 100), 1);
}

static void growing_a_percentage_only_adds(void **state)
{
	struct select_target t[FLEET];
	char ids[FLEET][8];
	bool before[FLEET] = {0};

	(void)state;
	fleet(t, ids);
	for (uint32_t bp = 0; bp <= SELECT_WHOLE; bp += 250) {
		struct select_percent p = percent(bp);
		bool now[FLEET] = {0};

		select_by_percent(&p, t, FLEET, now);
		for (size_t i = 0; i < FLEET; i++)
			assert_false(before[i] && !now[i]);
		memcpy(before, now, sizeof(now));
	}
	assert_num(chosen_of(before, 0, FLEET), FLEET);
}

static void a_new_target_changes_one_membership_of_the_others(void **state)
{
	struct select_target t[FLEET];
	char ids[FLEET][8];
	struct select_percent p = percent(2000);

	(void)state;
	fleet(t, ids);
	for (size_t n = 20; n < 60; n++) {
		bool a[FLEET] = {0}, b[FLEET] = {0};
		size_t changed = 0;

		select_by_percent(&p, t, n, a);
		select_by_percent(&p, t, n + 1, b);
		for (size_t i = 0; i < n; i++)
			changed += a[i] != b[i];
		assert_true(changed <= 1);
	}
}

static void controls_are_the_last_and_never_canaries_wait(void **state)
{
	static const struct label never = {STR("never-canary"), STR("true")};
	struct select_target t[10];
	struct select_percent p = percent(SELECT_WHOLE);
	bool chosen[10] = {0};

	(void)state;
	edges(t);
	p.held_back = 500;
	select_by_percent(&p, t, 10, chosen);
	assert_num(chosen_of(chosen, 0, 10), 9);
	assert_false(chosen[8]); /* edge-09 has the largest hash */
	memset(chosen, 0, sizeof(chosen));
	t[0].labels = &never;
	t[0].nlabels = 1;
	p = percent(1000);
	select_by_percent(&p, t, 10, chosen);
	assert_false(chosen[0]);
	/* Nine are left: a small class, and still one canary. */
	assert_num(chosen_of(chosen, 0, 10), 1);
	p = percent(SELECT_WHOLE);
	select_by_percent(&p, t, 10, chosen);
	assert_true(chosen[0]);
}

static void selectors_match_as_written(void **state)
{
	static const struct label l[] = {
		{STR("ring"), STR("canary")}, {STR("zone"), STR("eu-1")}};
	static const struct {
		const char *text;
		bool matches;
	} rows[] = {
		{"", true},
		{"  ", true},
		{"ring=canary", true},
		{"ring == canary", true},
		{"ring=stable", false},
		{"ring!=canary", false},
		{"env!=prod", true},
		{"env=prod", false},
		{"zone in (us-1, eu-1)", true},
		{"zone in(us-1)", false},
		{"zone notin (us-1)", true},
		{"env notin (a,b)", true},
		{"env in (a)", false},
		{"ring", true},
		{"!ring", false},
		{"! env", true},
		{"env", false},
		{"ring=canary, zone notin (us-1), !env", true},
		{"ring=canary,env", false},
		{"ring=", false},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct selector s;

		assert_ok(selector_parse(&s, str_from(rows[i].text), &a, &err),
			&err);
		if (selector_matches(&s, l, COUNT(l)) != rows[i].matches)
			fail_msg("%s", rows[i].text);
	}
	arena_release(&a);
}

static void broken_selectors_say_where(void **state)
{
	static const struct {
		const char *text, *part;
	} rows[] = {
		{"=a", "column 1 should be a label's name"},
		{"a=b,", "ends where a label's name should stand"},
		{"a in b", "column 6 should be \"(\""},
		{"a in (", "ends where a value should stand"},
		{"a in (b", "ends where \",\" or \")\" should stand"},
		{"a in ()", "column 7 should be a value"},
		{"a b", "column 3 should be a comma"},
		{"a=b c", "column 5 should be a comma"},
		{"a;b", "column 2 should be a comma"},
		{"!a=b", "column 3 should be a comma"},
	};
	struct arena a = {0};
	struct selector s;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_fails(
			selector_parse(&s, str_from(rows[i].text), &a, &err),
			&err, E_INVALID, rows[i].part);
	assert_fails(selector_parse(&s, str_make("a\0b", 3), &a, &err), &err,
		E_INVALID, "column 2");
	arena_release(&a);
}

static void selectors_have_limits(void **state)
{
	struct arena a = {0};
	struct buf b = {0};
	struct selector s;

	(void)state;
	for (int i = 0; i < SELECT_TERMS_MAX; i++)
		buf_adds(&b, i ? ",a" : "a");
	assert_ok(selector_parse(&s, buf_str(&b), &a, &err), &err);
	buf_adds(&b, ",a");
	assert_fails(selector_parse(&s, buf_str(&b), &a, &err), &err, E_LIMIT,
		"64 terms");
	buf_reset(&b);
	buf_adds(&b, "a=1,b in (");
	for (int i = 1; i < SELECT_VALUES_MAX; i++)
		buf_adds(&b, i > 1 ? ",v" : "v");
	buf_addc(&b, ')');
	assert_ok(selector_parse(&s, buf_str(&b), &a, &err), &err);
	buf_adds(&b, ",c=1");
	assert_fails(selector_parse(&s, buf_str(&b), &a, &err), &err, E_LIMIT,
		"256 values");
	buf_reset(&b);
	while (b.len < SELECT_BYTES_MAX)
		buf_addc(&b, 'a');
	assert_ok(selector_parse(&s, buf_str(&b), &a, &err), &err);
	buf_addc(&b, 'a');
	assert_fails(selector_parse(&s, buf_str(&b), &a, &err), &err, E_LIMIT,
		"limit 4096");
	buf_release(&b);
	arena_release(&a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_those_of_the_design),
		cmocka_unit_test(percentages_take_the_first_by_hash),
		cmocka_unit_test(
			each_class_gives_its_part_and_small_ones_share),
		cmocka_unit_test(growing_a_percentage_only_adds),
		cmocka_unit_test(
			a_new_target_changes_one_membership_of_the_others),
		cmocka_unit_test(controls_are_the_last_and_never_canaries_wait),
		cmocka_unit_test(selectors_match_as_written),
		cmocka_unit_test(broken_selectors_say_where),
		cmocka_unit_test(selectors_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
