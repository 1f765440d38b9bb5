#include "server/internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	FILES_KEPT = 64,       /* not for connections */
	POOL_BYTES = 32 << 10, /* libmicrohttpd's room a connection */
	POOL_TLS = 64 << 10,   /* its writes need more with TLS */
	LATE_MS = 100,         /* between looks for late connections */
	TOKENS_MS = 200,       /* between looks at the tokens file */
	PEM_MAX = 1 << 20,
};

/* TLS 1.2 and 1.3, with forward secrecy and an AEAD. */
#define TLS_PRIORITIES                                                         \
	"SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-CIPHER-ALL:"      \
	"+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305"

int64_t server_now(const struct server *s)
{
	return clock_mono(s->cfg.clock);
}

void server_warn(const struct server *s, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	if (!s->cfg.warn)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->cfg.warn(s->cfg.user, text);
}

/* --- limits
 * -------------------------------------------------------------------- */

#define DEFAULT(field, value) (m->field = m->field ? m->field : (value))

static void set_limits(struct server_limits *m)
{
	DEFAULT(connections, 12000);
	DEFAULT(waits, 11000);
	DEFAULT(waits_per_target, 16);
	DEFAULT(streams, 256);
	DEFAULT(wait_max_s, 60);
	DEFAULT(threads, 2);
	DEFAULT(workers, 4);
	DEFAULT(queue, 1024);
	DEFAULT(headers, LIMIT_SERVER_HEADERS);
	DEFAULT(header_bytes, LIMIT_SERVER_HEADER_BYTES);
	DEFAULT(header_ms, 10000);
	DEFAULT(idle_ms, 180000);
	DEFAULT(body_idle_ms, 10000);
	DEFAULT(body_ms, 60000);
	DEFAULT(rate, KIB(1));
	DEFAULT(send_rate, KIB(16));
	DEFAULT(log_body, LIMIT_SERVER_LOG);
	DEFAULT(status_body, LIMIT_SERVER_STATUS);
	DEFAULT(bodies, LIMIT_SERVER_BODIES);
	DEFAULT(blobs, MIB(256));
	DEFAULT(drain_ms, 10000);
	/* libmicrohttpd's room for them has no more. */
	if (m->header_bytes > LIMIT_SERVER_HEADER_BYTES)
		m->header_bytes = LIMIT_SERVER_HEADER_BYTES;
}

/* A connection is a file; the system's soft limit is raised as far as it goes.
 */
static void fit_files(struct server *s)
{
	struct rlimit r;
	rlim_t want = (rlim_t)s->max.connections + FILES_KEPT;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	if (r.rlim_cur < want) {
		r.rlim_cur = want < r.rlim_max ? want : r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r) ||
			getrlimit(RLIMIT_NOFILE, &r))
			return;
	}
	if (r.rlim_cur < want && r.rlim_cur > 2 * FILES_KEPT) {
		s->max.connections = (unsigned)r.rlim_cur - FILES_KEPT;
		server_warn(s,
			"this process may open %llu files, so that it takes %u "
			"connections",
			(unsigned long long)r.rlim_cur, s->max.connections);
	}
	/* A tenth stays for those who do not wait. */
	if (s->max.waits > s->max.connections - s->max.connections / 10)
		s->max.waits = s->max.connections - s->max.connections / 10;
}

/* --- the ticker
 * ---------------------------------------------------------------- */

static void *tick(void *user)
{
	struct server *s = user;
	int64_t late = 0, tokens = 0;

	while (!s->end) {
		int64_t now = clock_mono(&clock_system);

		poll_tick(s, s->waiting ? 20 : LATE_MS);
		if (now - late >= LATE_MS * NS_PER_MS) {
			conn_cut_late(s);
			conn_make_room(s);
			late = now;
		}
		if (s->cfg.tokens &&
			now - tokens >= (TOKENS_MS / 2) * NS_PER_MS) {
			tokens_refresh(s);
			tokens = now;
		}
	}
	return NULL;
}

/* --- start
 * ----------------------------------------------------------------------- */

static void daemon_log(void *user, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* What libmicrohttpd has to say is about single connections, mostly. */
static void daemon_log(void *user, const char *fmt, va_list ap)
{
	(void)user, (void)fmt, (void)ap;
}

/* We cut paths apart and decode them ourselves. */
static size_t keep_escapes(void *user, struct MHD_Connection *mc, char *text)
{
	(void)user, (void)mc;
	return strlen(text);
}

/* At most 16 with the end. */
static void daemon_options(const struct server *s, bool local, bool tls,
	struct MHD_OptionItem *options)
{
	size_t n = 0;

	options[n++] =
		(struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_LIMIT,
			tls ? POOL_TLS : POOL_BYTES, NULL};
	/* conn_allow() counts; by thread they are not spread evenly. */
	options[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_LIMIT,
		(intptr_t)(s->max.connections + 16) * s->max.threads, NULL};
	if (s->max.threads > 1 && !local)
		options[n++] = (struct MHD_OptionItem){
			MHD_OPTION_THREAD_POOL_SIZE, s->max.threads, NULL};
	if (!local && s->max.per_address)
		options[n++] = (struct MHD_OptionItem){
			MHD_OPTION_PER_IP_CONNECTION_LIMIT, s->max.per_address,
			NULL};
	if (tls) {
		options[n++] = (struct MHD_OptionItem){
			MHD_OPTION_HTTPS_MEM_CERT, 0, s->cert.ptr};
		options[n++] = (struct MHD_OptionItem){
			MHD_OPTION_HTTPS_MEM_KEY, 0, s->key.ptr};
		options[n++] = (struct MHD_OptionItem){
			MHD_OPTION_HTTPS_PRIORITIES, 0, TLS_PRIORITIES};
	}
	options[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}

static struct MHD_Daemon *daemon_start(struct server *s, int fd, bool local)
{
	bool tls = !local && s->cfg.tls_cert;
	struct MHD_OptionItem options[16];
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD |
			 MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
			 (tls ? MHD_USE_TLS : 0);

	daemon_options(s, local, tls, options);
	return mhd.MHD_start_daemon(flags, 0, conn_allow, s, http_access, s,
		MHD_OPTION_EXTERNAL_LOGGER, daemon_log, s,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_URI_LOG_CALLBACK, http_uri, s,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, s,
		MHD_OPTION_NOTIFY_COMPLETED, http_completed, s,
		MHD_OPTION_NOTIFY_CONNECTION,
		local ? conn_notify_local : conn_notify, s, MHD_OPTION_ARRAY,
		options, MHD_OPTION_END);
}

/* A daemon that does not start has closed its socket. */
static enum status start_tcp(struct server *s, struct err *e)
{
	s->tcp = daemon_start(s, s->tcp_fd, false);
	if (s->tcp)
		return OK;
	s->tcp_fd = -1;
	if (s->cfg.tls_cert)
		return err_set(e, E_INVALID,
			"%s: HTTPS does not start: is %s a certificate in PEM, "
			"and %s its key?",
			s->cfg.listen, s->cfg.tls_cert, s->cfg.tls_key);
	return err_set(e, E_IO, "%s: HTTP does not start", s->cfg.listen);
}

static enum status start_local(struct server *s, struct err *e)
{
	s->local = daemon_start(s, s->local_fd, true);
	if (s->local)
		return OK;
	s->local_fd = -1;
	unlink(s->cfg.socket);
	return err_set(e, E_IO, "%s: HTTP does not start", s->cfg.socket);
}

static enum status start_daemons(struct server *s, struct err *e)
{
	enum status st = OK;

	if (s->tcp_fd >= 0)
		st = start_tcp(s, e);
	if (!st && s->local_fd >= 0)
		st = start_local(s, e);
	return st;
}

static enum status read_pem(struct server *s, struct err *e)
{
	enum status st = OK;

	if (s->cfg.tls_cert)
		st = fs_read(s->cfg.fs, s->cfg.tls_cert, PEM_MAX, &s->cert, e);
	if (!st && s->cfg.tls_key)
		st = fs_read(s->cfg.fs, s->cfg.tls_key, PEM_MAX, &s->key, e);
	return st;
}

static enum status start(struct server *s, struct err *e)
{
	enum status st = mhd_open(e);

	if (!st && s->cfg.tokens)
		st = server_tokens_read(
			&s->tokens, s->cfg.fs, s->cfg.tokens, e);
	s->had_tokens = s->tokens.len > 0;
	if (!st)
		st = read_pem(s, e);
	if (!st && s->cfg.listen)
		st = listen_tcp(s, e);
	if (!st && s->cfg.socket)
		st = listen_local(s, e);
	if (st)
		return st;
	fit_files(s);
	routes_make(s);
	metrics_new(s);
	work_start(s);
	if (pthread_create(&s->ticker, NULL, tick, s))
		die("no thread for a ticker");
	s->ticking = true;
	return start_daemons(s, e);
}

static void init(struct server *s, const struct server_config *cfg)
{
	s->cfg = *cfg;
	s->max = cfg->limits;
	set_limits(&s->max);
	if (!s->cfg.clock)
		s->cfg.clock = &clock_system;
	s->tcp_fd = s->local_fd = s->lock_fd = -1;
	pthread_mutex_init(&s->conns_lock, NULL);
	pthread_mutex_init(&s->waits_lock, NULL);
	pthread_mutex_init(&s->jobs_lock, NULL);
	pthread_mutex_init(&s->blobs_lock, NULL);
	pthread_rwlock_init(&s->tokens_lock, NULL);
	pthread_mutex_init(&s->sessions_lock, NULL);
	pthread_cond_init(&s->jobs_more, NULL);
	s->per_target = calloc(TARGET_SLOTS, sizeof(*s->per_target));
	s->gone_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!s->per_target || s->gone_fd < 0)
		die("no memory or no file for a server");
	s->turned = server_now(s) / WHEEL_TICK;
}

enum status server_start(
	struct server **out, const struct server_config *cfg, struct err *e)
{
	struct server *s = calloc(1, sizeof(*s));
	enum status st;

	if (!s)
		die("out of memory: a server");
	init(s, cfg);
	st = start(s, e);
	if (st) {
		server_stop(s);
		return st;
	}
	*out = s;
	return OK;
}

unsigned server_port(const struct server *s)
{
	return s->port;
}

/* --- stop
 * -------------------------------------------------------------------------- */

static void quiesce(struct MHD_Daemon *d)
{
	if (d)
		mhd.MHD_quiesce_daemon(d);
}

/* What began ends: the answers too. */
static unsigned drain(struct server *s)
{
	int64_t until = clock_mono(&clock_system) + s->max.drain_ms * NS_PER_MS;

	while (s->in_flight && clock_mono(&clock_system) < until)
		clock_sleep(&clock_system, 2 * NS_PER_MS);
	return s->in_flight;
}

static void release(struct server *s)
{
	blobs_release(s);
	server_tokens_release(&s->tokens);
	if (s->key.ptr)
		explicit_bzero(s->key.ptr, s->key.cap);
	buf_release(&s->key);
	buf_release(&s->cert);
	close(s->gone_fd);
	pthread_mutex_destroy(&s->conns_lock);
	pthread_mutex_destroy(&s->waits_lock);
	pthread_mutex_destroy(&s->jobs_lock);
	pthread_mutex_destroy(&s->blobs_lock);
	pthread_rwlock_destroy(&s->tokens_lock);
	pthread_mutex_destroy(&s->sessions_lock);
	pthread_cond_destroy(&s->jobs_more);
	free(s->per_target);
	free(s->routes);
	free(s->metrics);
	free(s);
}

/*
 * The daemons end last but for the workers' last jobs, whose connections are
 * suspended till then: none may be when a daemon ends.
 */
unsigned server_stop(struct server *s)
{
	unsigned cut;

	if (!s)
		return 0;
	s->stopping = true;
	quiesce(s->tcp);
	quiesce(s->local);
	poll_stop(s);
	cut = drain(s);
	work_stop(s);
	if (s->tcp)
		mhd.MHD_stop_daemon(s->tcp);
	if (s->local)
		mhd.MHD_stop_daemon(s->local);
	s->end = true;
	if (s->ticking)
		pthread_join(s->ticker, NULL);
	listen_close(s);
	release(s);
	return cut;
}
