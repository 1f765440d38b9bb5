/* What the simulated agents read of a server's answer. */
#include "tests/test.h"

#include "agent/internal.h"

#include <string.h>

static void answers_are_read_or_refused(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text;
		enum http_parsed want;
		unsigned status;
		size_t length;
		const char *etag;
	} rows[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\netag: W/\"a\"\r\n\r\nhello", HTTP_DONE, 200, 5, "W/\"a\""},
		{"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", HTTP_DONE, 304, 0, "\"a\""},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", HTTP_MORE, 0, 0, ""},
		{"HTTP/1.1 200 OK\r\n\r\n", HTTP_BAD, 0, 0, ""},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BAD, 0, 0, ""},
		{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", HTTP_BAD, 0, 0, ""},
		{"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n", HTTP_BAD, 0, 0, ""},
		{"\r\n\r\n", HTTP_BAD, 0, 0, ""},
	};
	/* clang-format on */
	struct http_answer a;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_num(http_answer_parse(&a, str_from(rows[i].text)),
			rows[i].want);
		if (rows[i].want != HTTP_DONE)
			continue;
		assert_num(a.status, rows[i].status);
		assert_num(a.length, rows[i].length);
		assert_str(a.etag, rows[i].etag);
	}
}

/* A head of `size` bytes before its empty line. */
static void long_head(struct buf *b, size_t size)
{
	buf_reset(b);
	buf_adds(b, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ");
	while (b->len < size)
		buf_addc(b, 'x');
	buf_adds(b, "\r\n\r\n");
}

static void the_limit_is_the_same_whole_and_in_pieces(void **state)
{
	struct buf b = {0};
	struct http_answer a;

	(void)state;
	long_head(&b, HEAD_MAX);
	assert_num(http_answer_parse(&a, buf_str(&b)), HTTP_DONE);
	for (size_t n = 0; n < b.len; n++)
		assert_num(
			http_answer_parse(&a, str_make(b.ptr, n)), HTTP_MORE);
	long_head(&b, HEAD_MAX + 1);
	assert_num(http_answer_parse(&a, buf_str(&b)), HTTP_BAD);
	buf_release(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_read_or_refused),
		cmocka_unit_test(the_limit_is_the_same_whole_and_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
