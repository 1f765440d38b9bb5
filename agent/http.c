/*
 * A client that never waits: a request is handed over whole, and its answer
 * comes back through `done`. Answers have a length; ours always do.
 */
#include "agent/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- answers -------------------------------------------------------------- */

static bool number(struct str s, size_t *out)
{
	size_t n = 0;

	if (!s.len || s.len > 18)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		n = n * 10 + (size_t)(s.ptr[i] - '0');
	}
	*out = n;
	return true;
}

static struct str trim(struct str s)
{
	while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = str_slice(s, 1, s.len);
	while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static bool is_field(struct str name, const char *want)
{
	return str_eq_fold(name, str_from(want));
}

/* False: an answer that we can't read. */
static bool read_field(struct http_answer *a, struct str line, bool *has_length)
{
	size_t colon = str_find(line, S(":"), 0);
	struct str name = str_slice(line, 0, colon), value;

	if (colon >= line.len)
		return false;
	value = trim(str_slice(line, colon + 1, line.len));
	if (is_field(name, "Content-Length")) {
		*has_length = true;
		return number(value, &a->length) && a->length <= ANSWER_MAX;
	}
	if (is_field(name, "Transfer-Encoding"))
		return false;
	if (is_field(name, "ETag"))
		a->etag = value;
	if (is_field(name, "Connection"))
		a->close |= is_field(value, "close");
	return true;
}

static bool read_status(struct http_answer *a, struct str line)
{
	size_t status;

	if (line.len < 12 || !str_starts(line, S("HTTP/1.")) ||
		line.ptr[8] != ' ' || (line.len > 12 && line.ptr[12] != ' ') ||
		!number(str_slice(line, 9, 12), &status) || status < 100)
		return false;
	a->status = (unsigned)status;
	a->close = line.ptr[7] == '0';
	return true;
}

enum http_parsed http_answer_parse(struct http_answer *out, struct str text)
{
	size_t end = str_find(text, S("\r\n\r\n"), 0), at = 0;
	bool has_length = false, first = true;

	*out = (struct http_answer){0};
	if (end >= text.len)
		return text.len > HEAD_MAX + 3 ? HTTP_BAD : HTTP_MORE;
	if (end > HEAD_MAX)
		return HTTP_BAD;
	out->head = end + 4;
	while (at < end) {
		size_t stop = str_find(text, S("\r\n"), at);
		struct str line = str_slice(text, at, stop);

		if (first ? !read_status(out, line)
			  : !read_field(out, line, &has_length))
			return HTTP_BAD;
		first = false;
		at = stop + 2;
	}
	if (first)
		return HTTP_BAD;
	if (out->status == 304 || out->status == 204)
		out->length = 0;
	else if (!has_length)
		return HTTP_BAD;
	return HTTP_DONE;
}

/* --- connections ---------------------------------------------------------- */

static void watch(struct link *l, uint32_t events, int op)
{
	struct epoll_event ev = {.events = events, .data.ptr = l};

	epoll_ctl(l->loop->epoll, op, l->fd, &ev);
}

void link_close(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->state = LINK_CLOSED;
	l->kept = false;
}

static void finish(struct link *l, bool answered)
{
	struct str body = str_make(l->in.ptr + (answered ? l->answer.head : 0),
		answered ? l->answer.length : 0);
	bool close_it = !answered || l->answer.close;

	l->state = LINK_CLOSED;
	if (close_it)
		link_close(l);
	else
		l->kept = true;
	l->done(l, answered ? &l->answer : NULL, body);
	if (l->state != LINK_CLOSED)
		return;
	buf_release(&l->in);
	buf_release(&l->out);
}

static bool open_link(struct link *l)
{
	int fd = socket(
		l->loop->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	l->fd = fd;
	l->kept = false;
	if (connect(fd, (const void *)&l->loop->to, l->loop->tolen) &&
		errno != EINPROGRESS) {
		link_close(l);
		return false;
	}
	l->state = LINK_CONNECTING;
	watch(l, EPOLLOUT, EPOLL_CTL_ADD);
	return true;
}

/* A server may have closed what we kept: once more on a new one. */
static void retry(struct link *l)
{
	link_close(l);
	l->sent = 0;
	buf_reset(&l->in);
	l->has_head = false;
	if (!open_link(l))
		finish(l, false);
}

static void send_more(struct link *l)
{
	while (l->sent < l->out.len) {
		ssize_t n = send(l->fd, l->out.ptr + l->sent,
			l->out.len - l->sent, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			if (l->kept)
				retry(l);
			else
				finish(l, false);
			return;
		}
		l->sent += (size_t)n;
	}
	l->state = LINK_READING;
	watch(l, EPOLLIN, EPOLL_CTL_MOD);
}

void link_send(struct link *l, int64_t deadline_ns)
{
	l->sent = 0;
	buf_reset(&l->in);
	l->has_head = false;
	l->deadline_ns = deadline_ns;
	if (l->fd >= 0) {
		l->state = LINK_SENDING;
		watch(l, EPOLLOUT, EPOLL_CTL_MOD);
		return;
	}
	if (!open_link(l))
		finish(l, false);
}

static void read_more(struct link *l)
{
	enum http_parsed got = HTTP_DONE;
	ssize_t n = recv(l->fd, buf_reserve(&l->in, 16384), 16384, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		if (l->kept && !l->in.len)
			retry(l);
		else
			finish(l, false);
		return;
	}
	l->in.len += (size_t)n;
	if (!l->has_head)
		got = http_answer_parse(&l->answer, buf_str(&l->in));
	if (got == HTTP_BAD) {
		finish(l, false);
		return;
	}
	if (got == HTTP_MORE)
		return;
	l->has_head = true;
	if (l->in.len < l->answer.head + l->answer.length)
		return;
	/* The text may have moved since the head was read. */
	got = http_answer_parse(&l->answer, buf_str(&l->in));
	finish(l, got == HTTP_DONE);
}

void link_ready(struct link *l, uint32_t events)
{
	(void)events;
	switch (l->state) {
	case LINK_CONNECTING:
	case LINK_SENDING:
		l->state = LINK_SENDING;
		send_more(l);
		break;
	case LINK_READING:
		read_more(l);
		break;
	case LINK_CLOSED:
		/* Kept, and the server closed it. */
		link_close(l);
		break;
	}
}
