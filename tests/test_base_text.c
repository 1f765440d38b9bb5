/* Errors, strings, buffers, arenas, maps. */
#include "tests/test.h"

#include <errno.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"

static void an_error_reads_outermost_first(void **state)
{
	struct err e = {0};

	(void)state;
	assert_num(err_set(&e, E_LIMIT, "%d bytes", 7), E_LIMIT);
	err_wrap(&e, "adding %s", "a.rego");
	err_wrap(&e, "building");
	assert_string_equal(e.text, "building: adding a.rego: 7 bytes");
	assert_num(err_sys(&e, ENOENT, "open x"), E_NOT_FOUND);
	assert_string_equal(e.text, "open x: No such file or directory");
	assert_num(err_set(NULL, E_IO, "nobody asks"), E_IO);
}

static void a_long_error_is_cut(void **state)
{
	struct err e = {0};
	char text[ERR_TEXT_MAX + 100];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_num(err_set(&e, E_IO, "%s", text), E_IO);
	assert_num(strlen(e.text), ERR_TEXT_MAX - 1);
	err_wrap(&e, "around");
	assert_num(strlen(e.text), ERR_TEXT_MAX - 1);
	assert_memory_equal(e.text, "around: xxx", 11);
}

static void strings_are_found_cut_and_ordered(void **state)
{
	struct str s = S("a.b.c");

	(void)state;
	assert_num(str_find(s, S("."), 2), 3);
	assert_num(str_find(s, S("x"), 0), SIZE_MAX);
	assert_num(str_find(s, S(""), 5), 5);
	assert_str(str_slice(s, 2, 99), "b.c");
	assert_str(str_slice(s, 4, 2), "");
	assert_true(str_starts(s, S("a.")) && !str_starts(s, S("b")));
	assert_true(str_ends(s, S(".c")) && !str_ends(S("c"), S(".c")));
	assert_true(str_cmp(S("a"), S("ab")) < 0);
	assert_true(str_cmp(S("b"), S("ab")) > 0);
	assert_true(str_eq(str_from(NULL), S("")));
}

static void utf8_is_the_shortest_form_only(void **state)
{
	static const char *const bad[] = {"\xc0\x80", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xff"};
	uint32_t cp;
	char u[4];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_false(utf8_valid(bad[i], strlen(bad[i])));
		assert_num(utf8_decode(bad[i], strlen(bad[i]), &cp), 1);
		assert_num(cp, 0xfffd);
	}
	assert_num(utf8_decode("\xf0\x9f\x98\x80", 4, &cp), 4);
	assert_num(cp, 0x1f600);
	assert_num(utf8_encode(0x1f600, u), 4);
	assert_memory_equal(u, "\xf0\x9f\x98\x80", 4);
	assert_num(utf8_count("a\xc3\xa9\xff", 4), 3);
	assert_num(utf8_encode(0xd800, u), 3); /* U+FFFD */
}

static void a_buffer_grows_and_ends_with_a_nul(void **state)
{
	struct buf b = {0};
	char *p;

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_addf(&b, "%d,", i % 10);
	assert_num(b.len, 2000);
	assert_num(b.ptr[2000], 0);
	buf_reset(&b);
	buf_addcp(&b, 0xe9);
	buf_addc(&b, '!');
	assert_str(buf_str(&b), "\xc3\xa9!");
	p = buf_detach(&b);
	assert_string_equal(p, "\xc3\xa9!");
	assert_num(b.cap, 0);
	free(p);
	buf_release(&b);
	buf_release(&b);
}

static void an_arena_gives_aligned_zeroed_room(void **state)
{
	struct arena a = {0};
	struct arena_mark m;
	char *p;

	(void)state;
	for (size_t i = 0; i < 3000; i++) {
		p = arena_alloc(&a, i);
		assert_num((uintptr_t)p % 16, 0);
		for (size_t k = 0; k < i; k += 97)
			assert_num(p[k], 0);
		memset(p, 0xa5, i);
	}
	m = arena_mark(&a);
	arena_alloc(&a, 5 << 20);
	arena_rewind(&a, m);
	assert_num(a.used, m.used);
	arena_reset(&a);
	assert_num(a.used, 0);
	assert_string_equal(arena_printf(&a, "%s-%d", "x", 3), "x-3");
	assert_str(arena_str(&a, S("abc")), "abc");
	arena_release(&a);
	arena_release(&a);
}

static void a_map_keeps_the_order_of_its_keys(void **state)
{
	struct map m = {0};
	struct arena a = {0};

	(void)state;
	assert_null(map_get(&m, S("none")));
	for (uintptr_t i = 1; i <= 5000; i++)
		assert_null(map_set(&m,
			str_from(arena_printf(&a, "k%d", (int)i)), (void *)i));
	for (uintptr_t i = 1; i <= 5000; i++)
		assert_ptr_equal(
			map_get(&m, str_from(arena_printf(&a, "k%d", (int)i))),
			(void *)i);
	assert_str(m.entries[4999].key, "k5000");
	assert_ptr_equal(map_set(&m, S("k7"), NULL), (void *)7);
	assert_num(m.len, 5000);
	map_release(&m);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_reads_outermost_first),
		cmocka_unit_test(a_long_error_is_cut),
		cmocka_unit_test(strings_are_found_cut_and_ordered),
		cmocka_unit_test(utf8_is_the_shortest_form_only),
		cmocka_unit_test(a_buffer_grows_and_ends_with_a_nul),
		cmocka_unit_test(an_arena_gives_aligned_zeroed_room),
		cmocka_unit_test(a_map_keeps_the_order_of_its_keys),
	};

	return cmocka_run_group_tests_name("base text", tests, NULL, NULL);
}
