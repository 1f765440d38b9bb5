/*
 * bench_client: asks an HTTP server over and over, or waits on it.
 *
 *	bench_client rate PORT CONNECTIONS SECONDS REQUEST-FILE
 *	bench_client wait PORT CONNECTIONS REQUEST-FILE
 *
 * rate: each connection sends the request again when the answer is there;
 * prints answers a second. wait: all send it once; "ready" is printed when it
 * is sent, and when the last answer came a line with how many of them have
 * status 200, and how many milliseconds were between the first and the last.
 * After a 304, which ends a wait, it is asked again.
 * "@@@@@" in the request is the number of the connection.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_MAX = 2048 };

struct client {
	int fd;
	char head[HEAD_MAX];
	size_t len;  /* of the head so far */
	size_t left; /* of the body */
	bool in_body;
};

static int dial(unsigned port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("connect: %s", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void ask(const struct client *c, struct str request)
{
	if (send(c->fd, request.ptr, request.len, MSG_NOSIGNAL) !=
		(ssize_t)request.len)
		die("send: %s", strerror(errno));
}

static size_t body_length(const char *head)
{
	const char *at = strstr(head, "Content-Length: ");

	if (!strncmp(head + 9, "304", 3) || !at)
		return 0;
	return strtoul(at + 16, NULL, 10);
}

/* What is there of a head; true when it is whole. Reads no further. */
static bool read_head(struct client *c)
{
	ssize_t n =
		recv(c->fd, c->head + c->len, HEAD_MAX - 1 - c->len, MSG_PEEK);
	const char *end;
	size_t had = c->len;

	if (n <= 0)
		die("the connection ended");
	c->len += (size_t)n;
	c->head[c->len] = '\0';
	end = strstr(c->head, "\r\n\r\n");
	if (end)
		c->len = (size_t)(end + 4 - c->head);
	if (recv(c->fd, c->head + had, c->len - had, 0) < 0)
		die("recv: %s", strerror(errno));
	c->head[c->len] = '\0';
	return end != NULL;
}

/* True when an answer is whole. */
static bool hear(struct client *c)
{
	static char room[1 << 18];
	ssize_t n;

	if (!c->in_body) {
		if (!read_head(c))
			return false;
		c->left = body_length(c->head);
		c->in_body = true;
	}
	while (c->left) {
		n = recv(c->fd, room,
			c->left < sizeof(room) ? c->left : sizeof(room),
			MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n <= 0)
			die("the connection ended");
		c->left -= (size_t)n;
	}
	c->in_body = false;
	c->len = 0;
	return true;
}

static double rate(int epoll, struct str request, double seconds)
{
	int64_t began = clock_mono(&clock_system), now;
	int64_t until = began + (int64_t)(seconds * 1e9);
	uint64_t answers = 0;
	struct epoll_event ev[64];

	do {
		int n = epoll_wait(epoll, ev, 64, 1000);

		for (int i = 0; i < n; i++)
			if (hear(ev[i].data.ptr)) {
				answers++;
				ask(ev[i].data.ptr, request);
			}
		now = clock_mono(&clock_system);
	} while (now < until);
	return (double)answers / ((double)(now - began) / 1e9);
}

/* Numbers from 10000 on: all have five digits. */
static void ask_as(const struct client *c, struct buf *request, unsigned number)
{
	size_t at = str_find(buf_str(request), S("@@@@@"), 0);
	char digits[16];

	if (at != SIZE_MAX) {
		snprintf(digits, sizeof(digits), "%05u", 10000 + number);
		memcpy(request->ptr + at, digits, 5);
	}
	ask(c, buf_str(request));
	if (at != SIZE_MAX)
		memcpy(request->ptr + at, "@@@@@", 5);
}

static unsigned wait_all(int epoll, struct client *all, unsigned clients,
	struct buf *request, int64_t *took)
{
	unsigned done = 0, good = 0;
	struct epoll_event ev[64];
	int64_t first = 0;

	while (done < clients) {
		int n = epoll_wait(epoll, ev, 64, 120000);

		if (n <= 0)
			die("%u of %u answers", done, clients);
		for (int i = 0; i < n; i++) {
			struct client *c = ev[i].data.ptr;

			if (!hear(c))
				continue;
			if (!strncmp(c->head + 9, "304", 3)) {
				ask_as(c, request, (unsigned)(c - all));
				continue;
			}
			*took = clock_mono(&clock_system);
			first = done++ ? first : *took;
			good += !strncmp(c->head + 9, "200", 3);
		}
	}
	*took -= first;
	return good;
}

static void raise_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

int main(int argc, char **argv)
{
	bool waits = argc == 5 && !strcmp(argv[1], "wait");
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct buf request = {0};
	struct client *clients;
	struct err e = {0};
	int64_t took = 0;
	unsigned n;

	if (!waits && (argc != 6 || strcmp(argv[1], "rate") != 0))
		die("bench_client rate|wait PORT CONNECTIONS ...");
	raise_files();
	n = (unsigned)strtoul(argv[3], NULL, 10);
	clients = calloc(n, sizeof(*clients));
	if (!clients || fs_read(NULL, argv[argc - 1], 65536, &request, &e))
		die("%s", e.text);
	for (unsigned i = 0; i < n; i++) {
		struct epoll_event ev = {
			.events = EPOLLIN, .data.ptr = &clients[i]};

		clients[i].fd = dial((unsigned)strtoul(argv[2], NULL, 10));
		epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &ev);
		ask_as(&clients[i], &request, i);
	}
	if (waits) {
		puts("ready");
		fflush(stdout);
		n = wait_all(epoll, clients, n, &request, &took);
		printf("%u %.0f\n", n, (double)took / NS_PER_MS);
	} else {
		printf("%.0f\n",
			rate(epoll, buf_str(&request), strtod(argv[4], NULL)));
	}
	free(clients);
	buf_release(&request);
	return 0;
}
