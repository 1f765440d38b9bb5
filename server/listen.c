#include "server/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static enum status listen_allowed(const struct server_config *cfg,
	bool loopback, bool tokens, struct err *e)
{
	if (!cfg->tls_cert != !cfg->tls_key)
		return err_set(e, E_INVALID,
			"TLS needs both a certificate and its key: --tls-cert "
			"and --tls-key");
	if (loopback || cfg->insecure)
		return OK;
	if (!cfg->tls_cert)
		return err_set(e, E_DENIED,
			"%s can be reached from elsewhere: it needs TLS "
			"(--tls-cert and --tls-key), or --insecure",
			cfg->listen);
	if (!tokens)
		return err_set(e, E_DENIED,
			"%s can be reached from elsewhere: it needs tokens, "
			"and there is none: regatta token add, or --insecure",
			cfg->listen);
	return OK;
}

/* The resolver takes 65537 for 1. */
static bool port_fits(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= 5 && strspn(text, "0123456789") == len &&
	       strtol(text, NULL, 10) <= UINT16_MAX;
}

/* "host:port", "[v6]:port" or ":port" taken apart. */
static bool split(const char *listen, char host[256], const char **port)
{
	const char *colon = strrchr(listen, ':');
	size_t len = colon ? (size_t)(colon - listen) : 0;

	if (!colon || len >= 256)
		return false;
	*port = colon + 1;
	if (len > 1 && listen[0] == '[' && listen[len - 1] == ']') {
		listen++;
		len -= 2;
	}
	memcpy(host, listen, len);
	host[len] = '\0';
	return port_fits(*port);
}

static bool loopback(const struct sockaddr *a)
{
	const struct sockaddr_in *v4 = (const void *)a;
	const struct sockaddr_in6 *v6 = (const void *)a;

	if (a->sa_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static enum status bound(
	struct server *s, const struct addrinfo *a, struct err *e)
{
	int on = 1, off = 0;
	struct sockaddr_storage got;
	socklen_t len = sizeof(got);
	int fd = socket(
		a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_sys(e, errno, "%s", s->cfg.listen);
	s->tcp_fd = fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, BACKLOG) ||
		getsockname(fd, (struct sockaddr *)&got, &len))
		return err_sys(e, errno, "listening on %s", s->cfg.listen);
	s->port = ntohs(got.ss_family == AF_INET
				? ((struct sockaddr_in *)&got)->sin_port
				: ((struct sockaddr_in6 *)&got)->sin6_port);
	return OK;
}

enum status listen_tcp(struct server *s, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	char host[256];
	const char *port;
	enum status st;
	int bad;

	if (!split(s->cfg.listen, host, &port))
		return err_set(e, E_INVALID,
			"\"%s\" is no address to listen at: write HOST:PORT, "
			"with a port from 0 to 65535",
			s->cfg.listen);
	bad = getaddrinfo(*host ? host : NULL, port, &hints, &found);
	if (bad)
		return err_set(e, E_INVALID, "%s: %s", s->cfg.listen,
			gai_strerror(bad));
	st = listen_allowed(
		&s->cfg, loopback(found->ai_addr), s->tokens.len > 0, e);
	if (!st)
		st = bound(s, found, e);
	freeaddrinfo(found);
	return st;
}

/*
 * Who holds the lock owns the path: what else is found at it was left behind
 * by a server that died.
 */
static enum status own_path(struct server *s, struct err *e)
{
	struct buf name = {0};
	enum status st = OK;

	buf_addf(&name, "%s.lock", s->cfg.socket);
	s->lock_fd =
		open(name.ptr, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		st = err_sys(e, errno, "%s", name.ptr);
	else if (flock(s->lock_fd, LOCK_EX | LOCK_NB))
		st = err_set(e, E_CONFLICT, "%s: a server runs there already",
			s->cfg.socket);
	buf_release(&name);
	return st;
}

enum status listen_local(struct server *s, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const char *path = s->cfg.socket;
	size_t len = strlen(path);
	enum status st;
	int fd;

	if (len >= sizeof(a.sun_path))
		return err_set(e, E_LIMIT,
			"%s: the path of a socket has %zu bytes, at most %zu "
			"are allowed; use a folder with a shorter one",
			path, len, sizeof(a.sun_path) - 1);
	memcpy(a.sun_path, path, len + 1);
	st = own_path(s, e);
	if (st)
		return st;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	/* Before bind(): the file is never there with another mode. */
	if (fchmod(fd, 0600) || (unlink(path) && errno != ENOENT) ||
		bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
		listen(fd, BACKLOG)) {
		st = err_sys(e, errno, "listening on %s", path);
		close(fd);
		return st;
	}
	s->local_fd = fd;
	return OK;
}

void listen_close(struct server *s)
{
	if (s->tcp_fd >= 0)
		close(s->tcp_fd);
	if (s->local_fd >= 0) {
		unlink(s->cfg.socket);
		close(s->local_fd);
	}
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	s->tcp_fd = s->local_fd = s->lock_fd = -1;
}
