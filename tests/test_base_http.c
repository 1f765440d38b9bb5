/* The HTTP client against a server that says exactly what a test wants. */
#include "tests/test.h"

#include "base/http.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * Takes one connection at a time and answers each request on it with the next
 * reply; closes when a reply says so. What came in is kept.
 */
struct server {
	int fd;
	pthread_t thread;
	const char *const *replies; /* NULL at the end */
	size_t fill;                /* bytes behind the last reply */
	struct buf got;
	unsigned connections;
	char url[64];
};

/* Read until the header ends and as much as Content-Length says. */
static bool read_request(struct server *s, int fd)
{
	struct buf b = {0};
	size_t head = SIZE_MAX, body = 0, at;
	char room[4096];
	ssize_t n;

	while (head == SIZE_MAX || b.len < head + 4 + body) {
		n = read(fd, room, sizeof(room));
		if (n <= 0)
			break;
		buf_add(&b, room, (size_t)n);
		head = str_find(buf_str(&b), S("\r\n\r\n"), 0);
		at = str_find(buf_str(&b), S("Content-Length: "), 0);
		if (at != SIZE_MAX)
			body = strtoul(b.ptr + at + 16, NULL, 10);
	}
	buf_addstr(&s->got, buf_str(&b));
	buf_release(&b);
	return head != SIZE_MAX;
}

static bool send_all(int fd, struct str s)
{
	while (s.len) {
		ssize_t n = send(fd, s.ptr, s.len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		s = str_slice(s, (size_t)n, s.len);
	}
	return true;
}

static void send_zeros(int fd, size_t len)
{
	static const char zeros[1 << 16];
	struct str all = {zeros, sizeof(zeros)}, part;

	for (; len; len -= part.len) {
		part = str_slice(all, 0, len);
		if (!send_all(fd, part))
			return;
	}
}

static void *serve(void *user)
{
	struct server *s = user;
	const char *const *reply = s->replies;

	while (*reply) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return NULL;
		s->connections++;
		while (*reply && read_request(s, fd)) {
			bool end = strstr(*reply, "Connection: close");

			if (!send_all(fd, str_from(*reply++)) || end)
				break;
		}
		send_zeros(fd, s->fill);
		close(fd);
	}
	return NULL;
}

static void server_start(struct server *s, const char *const *replies)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	s->replies = replies;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->fd >= 0);
	assert_num(bind(s->fd, (struct sockaddr *)&at, len), 0);
	assert_num(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
	assert_num(listen(s->fd, 8), 0);
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d/",
		ntohs(at.sin_port));
	assert_num(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	buf_release(&s->got);
}

static struct http *client(void)
{
	struct err e = {0};
	struct http *h = http_new(&e);

	if (!h)
		fail_msg("%s", e.text);
	return h;
}

static void an_answer_has_status_headers_and_body(void **state)
{
	static const char *const replies[] = {
		"HTTP/1.1 200 OK\r\nETag: \"a\"\r\nX-Two: 1\r\nx-two:  2 \r\n"
		"Content-Length: 5\r\n\r\nhello",
		NULL};
	static const char *const headers[] = {
		"Authorization: Bearer t", "X-Regatta-Target: web-1", NULL};
	struct server s = {0};
	struct http *h = client();
	struct http_response r = {0};
	struct err e = {0};
	struct str v = {0};

	(void)state;
	server_start(&s, replies);
	assert_ok(http_do(h,
			  &(struct http_request){
				  .url = s.url, .headers = headers},
			  &r, &e),
		&e);
	assert_num(r.status, 200);
	assert_str(buf_str(&r.body), "hello");
	assert_true(http_header(&r, "etag", &v));
	assert_str(v, "\"a\"");
	assert_true(http_header(&r, "X-TWO", &v));
	assert_str(v, "2");
	assert_false(http_header(&r, "X", &v));
	assert_false(http_header(&r, "Content", &v));
	http_response_release(&r);
	http_response_release(&r);
	http_free(h);
	http_free(NULL);
	assert_true(str_starts(buf_str(&s.got), S("GET / HTTP/1.1\r\n")));
	assert_non_null(strstr(s.got.ptr, "\r\nAuthorization: Bearer t\r\n"));
	assert_non_null(strstr(s.got.ptr, "\r\nX-Regatta-Target: web-1\r\n"));
	server_stop(&s);
}

static void a_body_is_posted_as_it_is(void **state)
{
	static const char *const replies[] = {"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", NULL};
	struct server s = {0};
	struct http *h = client();
	struct http_response r = {0};
	struct err e = {0};

	(void)state;
	server_start(&s, replies);
	assert_ok(http_do(h,
			  &(struct http_request){
				  .url = s.url, .body = STR("a\0b")},
			  &r, &e),
		&e);
	assert_num(r.status, 204);
	assert_ok(http_do(h,
			  &(struct http_request){.url = s.url,
				  .method = "PUT",
				  .body = STR("xyz")},
			  &r, &e),
		&e);
	assert_num(r.status, 201);
	http_response_release(&r);
	http_free(h);
	assert_true(str_starts(buf_str(&s.got), S("POST / ")));
	assert_true(str_find(buf_str(&s.got), S("\r\n\r\na\0bPUT / "), 0) !=
		    SIZE_MAX);
	assert_true(str_ends(buf_str(&s.got), S("\r\n\r\nxyz")));
	assert_null(strstr(s.got.ptr, "Expect"));
	/* One connection served both. */
	assert_num(s.connections, 1);
	server_stop(&s);
}

static void an_error_status_is_an_answer(void **state)
{
	static const char *const replies[] = {
		"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\n"
		"Content-Length: 4\r\n\r\nwait",
		NULL};
	struct server s = {0};
	struct http *h = client();
	struct http_response r = {0};
	struct err e = {0};

	(void)state;
	server_start(&s, replies);
	assert_ok(http_do(h, &(struct http_request){.url = s.url}, &r, &e), &e);
	assert_num(r.status, 503);
	assert_str(buf_str(&r.body), "wait");
	http_response_release(&r);
	http_free(h);
	server_stop(&s);
}

static enum status body_of(size_t len, size_t max, struct err *e)
{
	static const char *const replies[] = {
		"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", NULL};
	struct server s = {.fill = len};
	struct http *h = client();
	struct http_response r = {0};
	enum status st;

	server_start(&s, replies);
	st = http_do(h, &(struct http_request){.url = s.url, .max_body = max},
		&r, e);
	if (!st)
		assert_num(r.body.len, len);
	http_response_release(&r);
	http_free(h);
	server_stop(&s);
	return st;
}

static void a_body_is_limited(void **state)
{
	struct err e = {0};

	(void)state;
	assert_ok(body_of(4096, 4096, &e), &e);
	assert_fails(body_of(4097, 4096, &e), &e, E_LIMIT,
		"a body of more than 4096 bytes");
	assert_ok(body_of(LIMIT_HTTP_BODY, 0, &e), &e);
	assert_fails(body_of(LIMIT_HTTP_BODY + 1, 0, &e), &e, E_LIMIT,
		"a body of more than 67108864 bytes");
}

/* A response whose header lines have `len` bytes, all of them. */
static enum status headers_of(size_t len, struct err *e)
{
	struct buf reply = {0};
	const char *replies[] = {NULL, NULL};
	struct server s = {0};
	struct http *h = client();
	struct http_response r = {0};
	enum status st;

	buf_adds(&reply, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
	for (size_t line; reply.len + 2 < len; reply.len += 2) {
		line = len - 2 - reply.len;
		if (line > 1000)
			line = line < 1100 ? 500 : 1000;
		buf_adds(&reply, "a:");
		memset(buf_reserve(&reply, line), 'x', line);
		reply.len += line - 4;
		memcpy(buf_reserve(&reply, 2), "\r\n", 2);
	}
	buf_adds(&reply, "\r\n");
	assert_num(reply.len, len);
	replies[0] = reply.ptr;
	server_start(&s, replies);
	st = http_do(h, &(struct http_request){.url = s.url}, &r, e);
	http_response_release(&r);
	http_free(h);
	server_stop(&s);
	buf_release(&reply);
	return st;
}

static void headers_are_limited(void **state)
{
	struct err e = {0};

	(void)state;
	assert_ok(headers_of(LIMIT_HTTP_HEADERS, &e), &e);
	assert_fails(headers_of(LIMIT_HTTP_HEADERS + 1, &e), &e, E_LIMIT,
		"headers of more than 65536 bytes");
}

static void redirects_are_followed_only_when_asked(void **state)
{
	static const char *const replies[] = {
		"HTTP/1.1 302 Found\r\nLocation: /two\r\n"
		"Content-Length: 0\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: /two\r\n"
		"Content-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-Last: 1\r\nContent-Length: 3\r\n\r\nend",
		"HTTP/1.1 302 Found\r\nLocation: file:///etc/hostname\r\n"
		"Content-Length: 0\r\n\r\n",
		NULL};
	struct server s = {0};
	struct http *h = client();
	struct http_response r = {0};
	struct err e = {0};
	struct str v;

	(void)state;
	server_start(&s, replies);
	assert_ok(http_do(h, &(struct http_request){.url = s.url}, &r, &e), &e);
	assert_num(r.status, 302);
	assert_ok(
		http_do(h, &(struct http_request){.url = s.url, .redirects = 1},
			&r, &e),
		&e);
	assert_num(r.status, 200);
	/* Headers are those of the last answer alone. */
	assert_true(http_header(&r, "X-Last", &v));
	assert_false(http_header(&r, "Location", &v));
	assert_num(
		http_do(h, &(struct http_request){.url = s.url, .redirects = 1},
			&r, &e),
		E_INVALID);
	http_response_release(&r);
	http_free(h);
	server_stop(&s);
}

static void only_the_last_answer_is_kept(void **state)
{
	static const char *const replies[] = {
		"HTTP/1.1 100 Continue\r\nA: 1\r\n\r\n"
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", NULL};
	struct server s = {0};
	struct http *h = client();
	struct http_response r = {0};
	struct err e = {0};
	struct str v;

	(void)state;
	server_start(&s, replies);
	assert_ok(http_do(h, &(struct http_request){.url = s.url}, &r, &e), &e);
	assert_num(r.status, 200);
	assert_str(buf_str(&r.body), "ok");
	assert_false(http_header(&r, "A", &v));
	/* The same room again: empty, and HEAD waits for no body. */
	assert_ok(
		http_do(h,
			&(struct http_request){.url = s.url, .method = "HEAD"},
			&r, &e),
		&e);
	assert_num(r.body.len, 0);
	assert_true(http_header(&r, "Content-Length", &v));
	assert_str(v, "9");
	http_response_release(&r);
	http_free(h);
	server_stop(&s);
}

static void what_would_break_a_request_is_refused(void **state)
{
	static const char *const split[] = {"A: b\r\nC: d", NULL};
	struct http *h = client();
	struct http_response r = {0};
	struct err e = {0};

	(void)state;
	assert_fails(http_do(h,
			     &(struct http_request){.url = "http://127.0.0.1/",
				     .headers = split},
			     &r, &e),
		&e, E_INVALID, "a header holds a line end");
	assert_fails(http_do(h,
			     &(struct http_request){.url = "http://127.0.0.1/",
				     .method = "GET /x"},
			     &r, &e),
		&e, E_INVALID, "\"GET /x\" is no HTTP method");
	assert_fails(http_do(h, &(struct http_request){.url = "file:///etc"},
			     &r, &e),
		&e, E_INVALID, "file:///etc: ");
	assert_num(http_do(h, &(struct http_request){.url = "no url"}, &r, &e),
		E_INVALID);
	http_response_release(&r);
	http_free(h);
}

static void nobody_listening_is_an_error_of_the_network(void **state)
{
	struct server s = {0};
	static const char *const none[] = {NULL};
	struct http *h = client();
	struct http_response r = {0};
	struct err e = {0};

	(void)state;
	server_start(&s, none);
	server_stop(&s);
	assert_fails(http_do(h, &(struct http_request){.url = s.url}, &r, &e),
		&e, E_IO, s.url);
	http_response_release(&r);
	http_free(h);
}

static bool stop(void *user)
{
	++*(int *)user;
	return true;
}

static void time_and_the_caller_can_end_a_request(void **state)
{
	static const char *const replies[] = {"HTTP/1.1 200 OK\r\n", NULL};
	struct server s = {0};
	struct http *h = client();
	struct http_response r = {0};
	struct err e = {0};
	int asked = 0;

	(void)state;
	server_start(&s, replies);
	assert_num(
		http_do(h,
			&(struct http_request){
				.url = s.url, .cancel = stop, .user = &asked},
			&r, &e),
		E_CANCELED);
	assert_true(asked > 0);
	http_free(h);
	server_stop(&s);
	/* A listening socket that nobody accepts from never answers. */
	s = (struct server){0};
	s.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	assert_num(bind(s.fd, (struct sockaddr *)&at, len), 0);
	assert_num(getsockname(s.fd, (struct sockaddr *)&at, &len), 0);
	assert_num(listen(s.fd, 1), 0);
	snprintf(s.url, sizeof(s.url), "http://127.0.0.1:%d/",
		ntohs(at.sin_port));
	h = client();
	assert_num(
		http_do(h,
			&(struct http_request){.url = s.url, .timeout_ms = 20},
			&r, &e),
		E_CANCELED);
	close(s.fd);
	http_response_release(&r);
	http_free(h);
}

static void a_unix_socket_is_a_way_too(void **state)
{
	static const char *const replies[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", NULL};
	char dir[] = "/tmp/regatta-http-XXXXXX";
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct server s = {.replies = replies};
	struct http *h = client();
	struct http_response r = {0};
	struct err e = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", dir);
	s.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_num(bind(s.fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_num(listen(s.fd, 1), 0);
	assert_num(pthread_create(&s.thread, NULL, serve, &s), 0);
	assert_ok(http_do(h,
			  &(struct http_request){.url = "http://regatta/v1",
				  .socket = at.sun_path},
			  &r, &e),
		&e);
	assert_str(buf_str(&r.body), "ok");
	http_response_release(&r);
	http_free(h);
	assert_non_null(strstr(s.got.ptr, "Host: regatta\r\n"));
	server_stop(&s);
	unlink(at.sun_path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_has_status_headers_and_body),
		cmocka_unit_test(a_body_is_posted_as_it_is),
		cmocka_unit_test(an_error_status_is_an_answer),
		cmocka_unit_test(a_body_is_limited),
		cmocka_unit_test(headers_are_limited),
		cmocka_unit_test(redirects_are_followed_only_when_asked),
		cmocka_unit_test(only_the_last_answer_is_kept),
		cmocka_unit_test(what_would_break_a_request_is_refused),
		cmocka_unit_test(nobody_listening_is_an_error_of_the_network),
		cmocka_unit_test(time_and_the_caller_can_end_a_request),
		cmocka_unit_test(a_unix_socket_is_a_way_too),
	};

	/* A proxy of the machine has nothing to do with these. */
	setenv("no_proxy", "*", 1);
	return cmocka_run_group_tests_name("base http", tests, NULL, NULL);
}
