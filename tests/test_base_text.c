/* Errors, strings, buffers, arenas, maps, XML. */
#include "tests/test.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/xml.h"
#include "base/quantity.h"

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

static void the_reason_of_the_system_decides_the_code(void **state)
{
	/* clang-format off */
	static const struct { int errnum; enum status code; } rows[] = {
		{ENOENT,  E_NOT_FOUND},
		{ENOTDIR, E_NOT_FOUND},
		{EEXIST,  E_EXISTS},
		{EACCES,  E_DENIED},
		{EPERM,   E_DENIED},
		{ENOSPC,  E_IO},
		{123456,  E_IO},
	};
	/* clang-format on */
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_fails(err_sys(&e, rows[i].errnum, "doing %d", 1), &e,
			rows[i].code, "doing 1: ");
		assert_num(err_sys(NULL, rows[i].errnum, "x"), rows[i].code);
	}
	err_wrap(NULL, "nobody asks");
}

/* Every length of what is put in front, around the end of the room. */
static void a_wrapped_error_stays_inside(void **state)
{
	char text[ERR_TEXT_MAX];
	struct err e = {0};

	(void)state;
	for (size_t n = ERR_TEXT_MAX - 6; n < ERR_TEXT_MAX; n++) {
		memset(text, 'x', n);
		text[n] = '\0';
		err_set(&e, E_IO, "inner");
		err_wrap(&e, "%s", text);
		assert_true(strlen(e.text) < ERR_TEXT_MAX);
		assert_memory_equal(e.text, text, n);
		assert_num(e.code, E_IO);
	}
}

/* The signal that ends a process which asks for too much. */
static int ends_with(void (*ask)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(2);
		ask();
		_exit(0);
	}
	assert_num(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void ask_array(void)
{
	struct arena a = {0};

	arena_array(&a, SIZE_MAX / 2, 3);
}

static void ask_arena(void)
{
	struct arena a = {0};

	arena_raw(&a, SIZE_MAX - 3);
}

static void ask_buf(void)
{
	struct buf b = {0};

	buf_addc(&b, 'x');
	buf_reserve(&b, SIZE_MAX - 1);
}

static void a_size_that_overflows_ends_the_process(void **state)
{
	(void)state;
	assert_num(ends_with(ask_array), SIGABRT);
	assert_num(ends_with(ask_arena), SIGABRT);
	assert_num(ends_with(ask_buf), SIGABRT);
}

static void nothing_is_a_string_too(void **state)
{
	struct str none = {0};
	struct map m = {0};
	struct buf b = {0};

	(void)state;
	assert_str(none, "");
	assert_true(str_eq(none, S("")));
	assert_num(str_cmp(none, S("")), 0);
	assert_true(str_cmp(none, S("a")) < 0);
	assert_true(str_starts(S("a"), none) && str_ends(S("a"), none));
	assert_true(str_ends(none, none) && !str_ends(none, S("a")));
	assert_num(str_find(none, S("a"), 0), SIZE_MAX);
	assert_num(str_find(none, none, 0), 0);
	assert_num(str_find(none, none, 1), SIZE_MAX);
	assert_str(str_slice(none, 0, 5), "");
	assert_str(str_slice(none, 3, 5), "");
	assert_num(str_hash(none.ptr, 0), str_hash("", 0));
	assert_true(utf8_valid(none.ptr, 0));
	assert_num(utf8_count(none.ptr, 0), 0);
	buf_addstr(&b, none);
	assert_string_equal(b.ptr, "");
	assert_null(map_set(&m, none, &m));
	assert_ptr_equal(map_get(&m, S("")), &m);
	buf_release(&b);
	map_release(&m);
}

static void only_ascii_letters_have_a_case(void **state)
{
	struct str none = {0};

	(void)state;
	assert_true(str_eq_fold(S("AbyZ-09"), S("aBYz-09")));
	assert_true(str_eq_fold(none, S("")));
	assert_false(str_eq_fold(S("ab"), S("abc")));
	assert_false(str_eq_fold(S("abc"), S("ab")));
	assert_false(str_eq_fold(S("abc"), S("abd")));
	/* beside the letters, and a bit away from them */
	assert_false(str_eq_fold(S("@[`{"), S("`{@[")));
	assert_false(str_eq_fold(S("\r"), S("-")));
	/* a NUL ends nothing */
	assert_true(str_eq_fold(S("a\0B"), S("A\0b")));
	assert_false(str_eq_fold(S("a\0b"), S("a\0c")));
	/* bytes of letters that are not ASCII, as they are and in Latin-1 */
	assert_false(str_eq_fold(S("\xc3\x84"), S("\xc3\xa4")));
	assert_false(str_eq_fold(S("\xc4"), S("\xe4")));
	for (int c = 0; c < 256; c++)
		assert_num((unsigned char)ascii_lower((char)c),
			c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static void a_hex_digit_has_a_value(void **state)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";

	(void)state;
	for (int c = 0; c < 256; c++) {
		const char *at = c ? strchr(digits, c) : NULL;

		assert_int_equal(
			ascii_hex((char)c), at ? (int)(at - digits) % 16 : -1);
	}
}

static void a_list_is_taken_part_by_part(void **state)
{
	struct str rest = S("a=b=c"), part = S("kept"), none = {0};

	(void)state;
	assert_true(str_cut(&rest, S("="), &part));
	assert_str(part, "a");
	assert_str(rest, "b=c");
	assert_false(str_cut(&rest, S(";"), &part));
	assert_str(part, "a");
	assert_str(rest, "b=c");
	assert_str(str_take(&rest, S("=")), "b");
	assert_str(str_take(&rest, S("=")), "c");
	assert_num(rest.len, 0);
	assert_str(str_take(&rest, S("=")), "");
	rest = S("x\r\n\r\n");
	assert_str(str_take(&rest, S("\r\n")), "x");
	assert_str(str_take(&rest, S("\r\n")), "");
	assert_num(rest.len, 0);
	assert_str(str_take(&none, S(",")), "");
	assert_false(str_cut(&none, S(","), &part));
}

static void what_is_no_utf8_is_replaced_byte_by_byte(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_addutf8(&b, (struct str){0});
	assert_str(buf_str(&b), "");
	buf_addutf8(&b, S("caf\303\251 \303( \355\240\200"));
	assert_str(buf_str(&b), "caf\303\251 \357\277\275( "
				"\357\277\275\357\277\275\357\277\275");
	buf_release(&b);
}

/*
 * No byte is left out, no byte behind the end is read, and where the text
 * stands does not matter.
 */
static void a_hash_is_of_the_bytes_alone(void **state)
{
	char a[48], *b;

	(void)state;
	for (size_t len = 0; len < 24; len++)
		for (size_t off = 0; off < 8; off++) {
			uint32_t h;

			for (size_t i = 0; i < sizeof(a); i++)
				a[i] = (char)(i * 37 + len);
			h = str_hash(a + off, len);
			b = malloc(len ? len : 1); /* asan sees its end */
			assert_non_null(b);
			memcpy(b, a + off, len);
			assert_num(str_hash(b, len), h);
			free(b);
			assert_true(str_hash(a + off, len + 1) != h);
			for (size_t i = off; i < off + len; i++) {
				a[i] ^= 1;
				assert_true(str_hash(a + off, len) != h);
				a[i] ^= 1;
			}
		}
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

	struct str list[] = {STR("b"), STR(""), STR("ab"), STR("a")};

	str_sort(list, COUNT(list));
	for (size_t i = 1; i < COUNT(list); i++)
		assert_true(str_cmp(list[i - 1], list[i]) < 0);
	for (size_t i = 0; i < COUNT(list); i++)
		assert_true(str_among(list[i], list, COUNT(list)));
	assert_false(str_among(S("aa"), list, COUNT(list)));
	str_sort(NULL, 0);
	assert_false(str_among(S(""), NULL, 0));
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

static void every_code_point_comes_back(void **state)
{
	char u[4], all[8] = {0};

	(void)state;
	for (uint32_t cp = 0; cp < 0x110000; cp++) {
		uint32_t got = 0;
		size_t n = utf8_encode(cp, u);
		bool half = cp >= 0xd800 && cp <= 0xdfff;

		if (utf8_decode(u, n, &got) != n ||
			got != (half ? 0xfffd : cp) || !utf8_valid(u, n))
			fail_msg("U+%04x came back as U+%04x", cp, got);
		/* Cut short, each byte is broken by itself. */
		memcpy(all, u, n);
		if (n > 1 && utf8_count(all, n - 1) != n - 1)
			fail_msg("U+%04x cut short", cp);
	}
	assert_num(utf8_encode(0x110000, u), 3);
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

static void an_array_grows_and_keeps_what_it_holds(void **state)
{
	struct arena a = {0};
	uint32_t *items = NULL, cap = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		items = arena_grow(&a, items, i, &cap, sizeof(*items));
		assert_true(cap > i);
		items[i] = i;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_num(items[i], i);
	assert_num(cap, 1024);
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

static void an_arena_goes_back_to_its_mark(void **state)
{
	struct arena a = {0};
	struct arena_mark empty = arena_mark(&a), m;
	char *first = arena_strdup(&a, S("first"));

	(void)state;
	m = arena_mark(&a);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 100; i++)
			memset(arena_raw(&a, 50000), round, 50000);
		memset(arena_raw(&a, 3 << 20), round, 3 << 20);
		arena_rewind(&a, m);
		assert_string_equal(first, "first");
		assert_num(a.used, m.used);
	}
	arena_rewind(&a, empty);
	assert_num(a.used, 0);
	assert_null(a.top);
	assert_string_equal(arena_printf(&a, "%d", 7), "7");
	arena_release(&a);
}

static void a_place_in_a_map_is_made_once(void **state)
{
	struct map m = {0};
	void **at = map_at(&m, S("k"));
	int x = 0;

	(void)state;
	assert_null(*at);
	*at = &x;
	assert_ptr_equal(map_at(&m, S("k")), at);
	assert_ptr_equal(map_get(&m, S("k")), &x);
	assert_num(m.len, 1);
	assert_null(map_get(&m, S("K")));
	assert_num(m.len, 1);
	map_release(&m);
	map_release(&m);
	assert_null(map_get(&m, S("k")));
}

static void anything_is_text_in_xml(void **state)
{
	struct buf out = {0};

	(void)state;
	xml_text(&out, S("a<b>&\"]]>\n\t\r\x01\x1b\xff\xef\xbf\xbf\xc3\xa9"));
	assert_str(buf_str(&out),
		"a&lt;b&gt;&amp;&quot;]]&gt;\n\t&#13;\xef\xbf\xbd\xef\xbf\xbd"
		"\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9");
	buf_reset(&out);
	xml_attr(&out, "name", S("a\n\tb\r\"'"));
	assert_str(buf_str(&out), " name=\"a&#10;&#9;b&#13;&quot;'\"");
	buf_release(&out);
}

static void a_duration_is_numbers_with_units(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{"0", 0},
		{"1ns", 1},
		{"1.5us", 1500},
		{"2\xc2\xb5s", 2000},
		{"300ms", 300000000},
		{"1h30m", INT64_C(5400000000000)},
		{".5s", 500000000},
		{"1.s", 1000000000},
		{"-2m", INT64_C(-120000000000)},
	};
	static const char *const bad[] = {"", "-", "1", "s", "1x", "1 s", "s1",
		"1s1", ".s", "1.2.3s", "0x10s", "1e3s", "--1s", "+1s",
		"9999999h", "1d", "99999999999999999999999999999999s"};
	int64_t ns = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (!quantity_duration(rows[i].text, &ns))
			fail_msg("%s is no duration", rows[i].text);
		assert_num(ns, rows[i].ns);
	}
	ns = 7;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (quantity_duration(bad[i], &ns))
			fail_msg("%s is a duration", bad[i]);
	assert_num(ns, 7);
}

static void a_size_is_numbers_with_units(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} rows[] = {
		{"0", 0},
		{"1000", 1000},
		{"12B", 12},
		{"1kB", 1000},
		{"64MiB", INT64_C(64) << 20},
		{"1.5K", 1536},
		{"2GB", INT64_C(2000000000)},
		{"1G", INT64_C(1) << 30},
	};
	static const char *const bad[] = {
		"", "-1", "MiB", "1mb", "1Mb", "1TB", "1 MB", "0x10", "1e3"};
	int64_t bytes = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (!quantity_size(rows[i].text, &bytes))
			fail_msg("%s is no size", rows[i].text);
		assert_num(bytes, rows[i].bytes);
	}
	bytes = 7;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (quantity_size(bad[i], &bytes))
			fail_msg("%s is a size", bad[i]);
	assert_num(bytes, 7);
}

static void a_distance_counts_changes(void **state)
{
	char longer[33] = "";

	(void)state;
	assert_num(str_distance("", ""), 0);
	assert_num(str_distance("roots", "roots"), 0);
	assert_num(str_distance("rots", "roots"), 1);
	assert_num(str_distance("roost", "roots"), 2);
	assert_num(str_distance("", "roots"), 5);
	assert_num(str_distance("kitten", "sitting"), 3);
	memset(longer, 'a', 31);
	assert_num(str_distance("", longer), 31);
	longer[31] = 'a';
	assert_true(str_distance("", longer) == UINT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_reads_outermost_first),
		cmocka_unit_test(the_reason_of_the_system_decides_the_code),
		cmocka_unit_test(a_long_error_is_cut),
		cmocka_unit_test(a_wrapped_error_stays_inside),
		cmocka_unit_test(a_size_that_overflows_ends_the_process),
		cmocka_unit_test(strings_are_found_cut_and_ordered),
		cmocka_unit_test(nothing_is_a_string_too),
		cmocka_unit_test(only_ascii_letters_have_a_case),
		cmocka_unit_test(a_hex_digit_has_a_value),
		cmocka_unit_test(a_list_is_taken_part_by_part),
		cmocka_unit_test(what_is_no_utf8_is_replaced_byte_by_byte),
		cmocka_unit_test(a_hash_is_of_the_bytes_alone),
		cmocka_unit_test(utf8_is_the_shortest_form_only),
		cmocka_unit_test(every_code_point_comes_back),
		cmocka_unit_test(a_buffer_grows_and_ends_with_a_nul),
		cmocka_unit_test(an_arena_gives_aligned_zeroed_room),
		cmocka_unit_test(an_arena_goes_back_to_its_mark),
		cmocka_unit_test(an_array_grows_and_keeps_what_it_holds),
		cmocka_unit_test(a_map_keeps_the_order_of_its_keys),
		cmocka_unit_test(a_place_in_a_map_is_made_once),
		cmocka_unit_test(anything_is_text_in_xml),
		cmocka_unit_test(a_duration_is_numbers_with_units),
		cmocka_unit_test(a_size_is_numbers_with_units),
		cmocka_unit_test(a_distance_counts_changes),
	};

	return cmocka_run_group_tests_name("base text", tests, NULL, NULL);
}
