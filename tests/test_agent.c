/* What the simulated agents read of a server's answer. */
#include "tests/test.h"

#include "agent/internal.h"

#include "base/json.h"
#include "canary/status.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

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

/* --- uploads -------------------------------------------------------------- */

struct uploads {
	size_t packed[100];
	uint64_t events[100];
	unsigned n;
	struct buf all; /* events, as they were added */
};

static void gunzip(struct buf *out, const struct buf *packed)
{
	z_stream z = {0};
	size_t max = 1 << 22;

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (unsigned char *)packed->ptr;
	z.avail_in = (unsigned)packed->len;
	z.next_out = (unsigned char *)buf_reserve(out, max);
	z.avail_out = (unsigned)max;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	out->len += max - z.avail_out;
	inflateEnd(&z);
}

static void take_upload(void *user, struct buf *packed, uint64_t events)
{
	struct uploads *u = user;
	struct buf text = {0};
	struct json_iter it;

	gunzip(&text, packed);
	u->packed[u->n] = packed->len;
	u->events[u->n++] = events;
	it = json_iter(buf_str(&text));
	for (; json_next(&it); events--) {
		buf_addstr(&u->all, it.value);
		buf_addc(&u->all, ' ');
	}
	assert_num(events, 0);
	buf_release(&text);
}

/* An event of `len` bytes; with `noise` gzip makes little of it. */
static void make_event(struct buf *b, unsigned n, size_t len, bool noise)
{
	uint64_t x = n * UINT64_C(0x9e3779b97f4a7c15) + 1;

	buf_reset(b);
	buf_addf(b, "{\"n\":%u,\"pad\":\"", n);
	while (b->len < len - 2) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buf_addc(b, noise ? (char)('A' + x % 58 % 26) : 'x');
	}
	buf_adds(b, "\"}");
}

static void add_events(
	struct log *l, struct buf *want, unsigned n, size_t len, bool noise)
{
	struct buf event = {0};

	for (unsigned i = 0; i < n; i++) {
		make_event(&event, i, len, noise);
		buf_addstr(want, buf_str(&event));
		buf_addc(want, ' ');
		log_add(l, buf_str(&event));
	}
	log_flush(l);
	buf_release(&event);
}

/* As OPA does with a limit of 4000: below 4,000 bytes, 8,000, 16,000 ... */
static void borders_of_uploads_grow_while_they_pack_well(void **state)
{
	struct uploads u = {0};
	struct log l = {.limit = 4000, .full = take_upload, .user = &u};
	static const uint64_t want[] = {5, 11, 22, 44, 88, 177, 53};
	struct buf added = {0};

	(void)state;
	add_events(&l, &added, 400, 720, false);
	assert_num(u.n, COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++)
		assert_num(u.events[i], want[i]);
	assert_str(buf_str(&u.all), added.ptr);
	buf_release(&u.all);
	buf_release(&added);
	buf_release(&l.text);
}

static void what_is_larger_than_an_upload_is_cut_again(void **state)
{
	struct uploads u = {0};
	struct log l = {.limit = 4000, .full = take_upload, .user = &u};
	struct buf added = {0};
	struct err e;
	struct str doc;

	(void)state;
	add_events(&l, &added, 100, 720, true);
	assert_true(u.n > 10);
	for (unsigned i = 0; i < u.n; i++)
		assert_true(u.packed[i] <= 4000 && u.events[i] > 0);
	assert_str(buf_str(&u.all), added.ptr);
	assert_num(l.dropped, 0);
	make_event(&added, 1, 9000, true); /* no upload can have that */
	assert_ok(json_check(buf_str(&added), NULL, &doc, &e), &e);
	log_add(&l, buf_str(&added));
	log_flush(&l);
	assert_num(l.dropped, 1);
	buf_release(&u.all);
	buf_release(&added);
	buf_release(&l.text);
}

/* Seen of OPA 1.22.2: 0, 0.19, 0.23, 0.46, 0.64 s. */
static void failures_are_tried_again_later_each_time(void **state)
{
	static const int64_t ms[] = {
		0, 160, 256, 409, 655, 1048, 1677, 2684, 4294, 5000, 5000};

	(void)state;
	for (unsigned i = 0; i < COUNT(ms); i++) {
		int64_t soon = back_off_ns(i, 5 * NS_PER_S, 0) / NS_PER_MS;
		int64_t late = back_off_ns(i, 5 * NS_PER_S, 1) / NS_PER_MS;

		assert_true(llabs(soon - ms[i] * 8 / 10) <= 1);
		assert_true(llabs(late - ms[i] * 12 / 10) <= 1);
	}
	assert_true(back_off_ns(1000000, NS_PER_S, 0.5) == NS_PER_S);
}

/* --- status --------------------------------------------------------------- */

static struct agent_status status_of(
	const struct agent *a, struct arena *arena, struct buf *text)
{
	static const struct fleet_config c = {
		.host = "h", .port = "1", .bundle = STR("authz")};
	struct agent_status s;
	struct err e = {0};

	buf_reset(text);
	status_write(text, a, &c);
	assert_ok(agent_status_parse(&s, buf_str(text), arena, &e), &e);
	return s;
}

static void a_status_says_what_opa_says(void **state)
{
	static const struct fleet_group group = {.name = STR("web")};
	struct agent a = {.name = S("web-1"), .id = S("i"), .group = &group};
	struct arena arena = {0};
	struct buf text = {0};
	struct agent_status s = status_of(&a, &arena, &text);

	(void)state;
	assert_num(s.nbundles, 0);
	assert_true(s.counted);
	assert_null(strstr(text.ptr, "decision_logs\":{\"code"));
	a.asked_ns = NS_PER_S;
	a.http_code = 404;
	answered_add(&a.decided, 2000000);
	answered_add(&a.decided, 2000);
	answered_add(&a.failed, 2000);
	a.log.dropped = 3;
	a.sent = true;
	a.log_code = 500;
	s = status_of(&a, &arena, &text);
	assert_num(s.nbundles, 1);
	assert_num(s.requests, 3);
	assert_num(s.dropped, 3);
	assert_num(s.bundles[0].http_code, 404);
	assert_str(s.bundles[0].message, "server replied with Not Found");
	assert_str(status_bundle_refusal(&s.bundles[0], &arena), "");
	assert_num(s.bundles[0].activated_ns, 0);
	assert_str(s.log_error, "log upload failed, server replied with HTTP "
				"500 Internal Server Error");
	assert_non_null(strstr(text.ptr,
		"\"sampleCount\":\"2\",\"sampleSum\":0.002002,\"bucket\":[{"
		"\"cumulativeCount\":\"0\",\"upperBound\":1e-06},{"
		"\"cumulativeCount\":\"1\",\"upperBound\":5e-06}"));
	a.log_code = 0;
	s = status_of(&a, &arena, &text);
	assert_non_null(strstr(text.ptr, ",\"decision_logs\":{},"));
	buf_release(&text);
	arena_release(&arena);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_read_or_refused),
		cmocka_unit_test(the_limit_is_the_same_whole_and_in_pieces),
		cmocka_unit_test(borders_of_uploads_grow_while_they_pack_well),
		cmocka_unit_test(what_is_larger_than_an_upload_is_cut_again),
		cmocka_unit_test(failures_are_tried_again_later_each_time),
		cmocka_unit_test(a_status_says_what_opa_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
