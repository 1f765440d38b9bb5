/*
 * serve: the HTTP server with one bundle, for end-to-end tests and the bench.
 *
 *	serve [--log] [--socket PATH] [--tls CERT KEY] [--tokens FILE]
 *		[--port N] [--wait SECONDS]
 *
 * Says "port N" and reads commands, each answered with one line:
 *
 *	use FILE         serve it as the bundle "authz" from now on
 *	canary ID FILE   but this one to a target
 *	waiting          how many polls wait
 *	uploads          how many uploads came: of logs, of status
 *	memory           resident bytes of this process
 *	stop             stop, say how many requests were cut, and end
 */
#include "base/digest.h"
#include "server/server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILES = 16 };

struct site {
	pthread_mutex_t lock;
	struct file {
		char digest[SERVER_DIGEST_HEX + 1];
		struct buf bytes;
	} files[FILES];
	size_t n;
	const struct file *all, *one; /* NULL: none */
	char canary[SERVER_TARGET_MAX + 1];
	atomic_uint logs, status;
};

static void answer(
	void *user, const struct server_ask *ask, struct server_answer *out)
{
	struct site *t = user;
	const struct file *f;

	pthread_mutex_lock(&t->lock);
	f = t->all;
	if (t->canary[0] && !strcmp(ask->who->target, t->canary))
		f = t->one;
	if (f && str_is(ask->bundle, "authz")) {
		out->choice = SERVER_BUNDLE;
		memcpy(out->digest, f->digest, sizeof(out->digest));
	}
	pthread_mutex_unlock(&t->lock);
}

static enum status content(
	void *user, struct str want, struct buf *out, struct err *e)
{
	struct site *t = user;

	for (size_t i = 0; i < t->n; i++)
		if (str_is(want, t->files[i].digest)) {
			buf_addstr(out, buf_str(&t->files[i].bytes));
			return OK;
		}
	return err_set(e, E_NOT_FOUND, "no such digest");
}

static enum server_stored logs(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	struct site *t = user;

	(void)req, (void)reply;
	t->logs++;
	return SERVER_STORED;
}

static enum server_stored status(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	struct site *t = user;

	(void)req, (void)reply;
	t->status++;
	return SERVER_STORED;
}

static void print(void *user, struct str line)
{
	(void)user;
	fwrite(line.ptr, 1, line.len, stderr);
}

static void warn(void *user, const char *text)
{
	(void)user;
	fprintf(stderr, "serve: %s\n", text);
}

static const struct file *load(struct site *t, const char *path)
{
	struct file *f = &t->files[t->n];
	unsigned char sum[DIGEST_MAX];
	struct buf hex = {0};
	struct err e = {0};

	if (t->n == FILES || fs_read(NULL, path, MIB(64), &f->bytes, &e))
		die("%s: %s", path, e.text);
	digest(DIGEST_SHA256, buf_str(&f->bytes), sum);
	digest_hex(&hex, sum, 32);
	memcpy(f->digest, hex.ptr, sizeof(f->digest));
	buf_release(&hex);
	t->n++;
	return f;
}

static void use(struct site *t, const char *path)
{
	pthread_mutex_lock(&t->lock);
	t->all = load(t, path);
	pthread_mutex_unlock(&t->lock);
}

static void use_for(struct site *t, char *line)
{
	char *path = strchr(line, ' ');

	if (!path || path - line > SERVER_TARGET_MAX)
		die("canary ID FILE");
	*path++ = '\0';
	pthread_mutex_lock(&t->lock);
	memcpy(t->canary, line, strlen(line) + 1);
	t->one = load(t, path);
	pthread_mutex_unlock(&t->lock);
}

static size_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	size_t pages = 0;

	if (!f || fscanf(f, "%*u %zu", &pages) != 1)
		die("no /proc/self/statm");
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void command(struct site *t, struct server *s, char *line)
{
	if (!strncmp(line, "use ", 4)) {
		use(t, line + 4);
		server_bundle_changed(s, "authz");
		puts("ok");
	} else if (!strncmp(line, "canary ", 7)) {
		use_for(t, line + 7);
		server_bundle_changed(s, "authz");
		puts("ok");
	} else if (!strcmp(line, "waiting")) {
		printf("%u\n", server_waiting(s));
	} else if (!strcmp(line, "uploads")) {
		printf("%u %u\n", t->logs, t->status);
	} else if (!strcmp(line, "memory")) {
		printf("%zu\n", resident());
	} else {
		die("no command %s", line);
	}
}

static void options(int argc, char **argv, struct server_config *cfg)
{
	static char listen[32] = "127.0.0.1:0";

	cfg->listen = listen;
	for (int i = 1; i < argc; i++) {
		int left = argc - i - 1;

		if (!strcmp(argv[i], "--log"))
			cfg->log = print;
		else if (!strcmp(argv[i], "--socket") && left)
			cfg->socket = argv[++i];
		else if (!strcmp(argv[i], "--tokens") && left)
			cfg->tokens = argv[++i];
		else if (!strcmp(argv[i], "--port") && left)
			snprintf(listen, sizeof(listen), "127.0.0.1:%s",
				argv[++i]);
		else if (!strcmp(argv[i], "--wait") && left)
			cfg->limits.wait_max_s =
				(unsigned)strtoul(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--tls") && left > 1) {
			cfg->tls_cert = argv[++i];
			cfg->tls_key = argv[++i];
		} else
			die("no option %s", argv[i]);
	}
	if (!cfg->tokens)
		cfg->anonymous = SERVER_AGENT;
}

int main(int argc, char **argv)
{
	static struct site t;
	struct server_config cfg = {.user = &t,
		.answer = answer,
		.content = content,
		.intake = logs,
		.status = status,
		.warn = warn};
	struct server *s;
	struct err e = {0};
	char line[4096];

	pthread_mutex_init(&t.lock, NULL);
	options(argc, argv, &cfg);
	if (server_start(&s, &cfg, &e))
		die("%s", e.text);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("port %u\n", server_port(s));
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strcmp(line, "stop"))
			break;
		command(&t, s, line);
	}
	printf("%u\n", server_stop(s));
	for (size_t i = 0; i < t.n; i++)
		buf_release(&t.files[i].bytes);
	return 0;
}
