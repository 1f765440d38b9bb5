/*
 * regatta serve: one process, one folder.
 */
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "bundler/config.h"
#include "cli/cli.h"
#include "cli/remote.h"
#include "server/service.h"

struct serve_params {
	const char *state, *listen, *cert, *key, *anonymous, *log;
	bool insecure;
	int64_t disk_percent, disk_floor;
	struct list notify;
};

#define AT(field) offsetof(struct serve_params, field)

/* clang-format off */
static const struct option options[] = {
	{0, "access-log", OPT_CHOICE, AT(log), "off json", "off", "a line of JSON on stdout for each request"},
	{0, "anonymous", OPT_CHOICE, AT(anonymous), "auto agent viewer none", "auto", "what may be done without a token; auto: poll, upload and look while there are no tokens"},
	{0, "disk-floor", OPT_SIZE, AT(disk_floor), "size", "256MiB", "push decision logs back (503) when less of the disk is free"},
	{0, "disk-percent", OPT_INT, AT(disk_percent), "n", "90", "and when more of it is used; canaries' at halfway from there to full"},
	{0, "insecure", OPT_BOOL, AT(insecure), NULL, NULL, "listen beyond this host without TLS and tokens"},
	{'l', "listen", OPT_STRING, AT(listen), "host:port", "127.0.0.1:8282", "where agents find it; port 0: any free one"},
	{0, "notify", OPT_LIST, AT(notify), "word", NULL, "a command that is told of what rollouts do, and its arguments, one each time (notify: of ./regatta.yaml)"},
	{0, "state", OPT_STRING, AT(state), "dir", NULL, "the state folder (or REGATTA_STATE; ./var), made if it is not there"},
	{0, "tls-cert", OPT_STRING, AT(cert), "file", NULL, "certificate chain, PEM"},
	{0, "tls-key", OPT_STRING, AT(key), "file", NULL, "its key, PEM"},
};
/* clang-format on */

static void print_log(void *user, struct str line)
{
	(void)user;
	fwrite(line.ptr, 1, line.len, stdout);
}

static void print_warning(void *user, const char *text)
{
	struct buf time = {0};

	(void)user;
	instant_text(&time, clock_wall(&clock_system));
	fprintf(stderr, "%s regatta: %s\n", time.ptr, text);
	buf_release(&time);
}

static void set_anonymous(struct server_config *c, const char *what)
{
	if (!strcmp(what, "auto"))
		c->tokenless = SERVER_AGENT | SERVER_VIEWER;
	else if (!strcmp(what, "agent"))
		c->anonymous = SERVER_AGENT;
	else if (!strcmp(what, "viewer"))
		c->anonymous = SERVER_AGENT | SERVER_VIEWER;
}

static void announce(const struct service *s, const struct serve_params *p)
{
	const char *colon = strrchr(p->listen, ':');

	fprintf(stderr, "regatta: serving %s at http%s://%.*s:%u\n",
		service_dir(s), p->cert ? "s" : "", (int)(colon - p->listen),
		p->listen, service_port(s));
	fflush(stderr);
}

/* Until somebody ends it; the signals are blocked in all threads. */
static void wait_for_end(const sigset_t *ends)
{
	int got;

	while (sigwait(ends, &got) != 0)
		;
	fprintf(stderr, "regatta: %s, stopping\n", strsignal(got));
}

/* --notify, or else what regatta.yaml on this host says. */
static void set_notify(
	struct service *s, const struct serve_params *p, struct arena *a)
{
	const char **argv = ARENA_ARRAY(a, const char *, p->notify.len + 1);
	struct config c = {0};
	struct err e;

	for (size_t i = 0; i < p->notify.len; i++)
		argv[i] = p->notify.items[i];
	if (p->notify.len) {
		service_notify(s, argv);
	} else if (!config_read(&c, ".", &e)) {
		argv = ARENA_ARRAY(a, const char *, c.notify.len + 1);
		for (size_t i = 0; i < c.notify.len; i++)
			argv[i] = c.notify.items[i];
		if (c.notify.len)
			service_notify(s, argv);
	}
	config_release(&c);
}

static int serve(struct service *s, const struct serve_params *p,
	struct arena *a, const sigset_t *ends)
{
	struct err e = {0};
	struct server_config c = {.listen = p->listen,
		.tls_cert = p->cert,
		.tls_key = p->key,
		.socket = arena_printf(a, "%s/" STATE_SOCKET, service_dir(s)),
		.insecure = p->insecure,
		.log = strcmp(p->log, "json") ? NULL : print_log,
		.warn = print_warning};
	unsigned cut;
	enum status st;

	set_anonymous(&c, p->anonymous);
	set_notify(s, p, a);
	st = service_start(s, &c, &e);
	if (st)
		return print_err(st, &e);
	setvbuf(stdout, NULL, _IOLBF, 0);
	announce(s, p);
	wait_for_end(ends);
	cut = service_stop(s);
	if (cut)
		fprintf(stderr, "regatta: %u requests were cut\n", cut);
	return 0;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct serve_params *p = params;
	struct service_options o = {.create = true};
	struct service *s;
	struct arena a = {0};
	struct err e = {0};
	sigset_t ends;
	enum status st;
	int code;

	if (args->len)
		return usage_error(c, "serve takes no arguments");
	if (!strchr(p->listen, ':'))
		return usage_error(
			c, "--listen is \"%s\", must be host:port", p->listen);
	if (!p->cert != !p->key)
		return usage_error(c, "--tls-cert and --tls-key go together");
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	if (p->disk_percent < 1 || p->disk_percent > 100 || p->disk_floor < 1)
		return usage_error(c,
			"--disk-percent is 1 to 100, --disk-floor at least 1");
	o.disk.mark = (struct decisions_mark){
		(unsigned)p->disk_percent, (uint64_t)p->disk_floor};
	o.dir = remote_folder(p->state);
	st = service_open(&s, &o, &e);
	if (st)
		return print_err(st, &e);
	code = serve(s, p, &a, &ends);
	service_close(s);
	arena_release(&a);
	return code;
}

const struct command cmd_serve = {
	.name = "serve",
	.args = "",
	.summary = "Serve a state folder to agents and to commands",
	.text = "Hands bundles to OPA agents, takes in their decision logs and "
		"status, drives\nrollouts, and answers every command. All it "
		"keeps is in the state folder.\nSIGTERM and Ctrl-C end it; "
		"nothing that was acknowledged is lost.\n\nBeyond this host "
		"it wants TLS and tokens (`regatta token add`). On this host "
		"the\ncommands reach it through a socket in the folder.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct serve_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run,
};
