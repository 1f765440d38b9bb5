#include "cli/remote.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/http.h"
#include "base/json.h"
#include "bundler/config.h"
#include "server/service.h"

/* --- arguments ------------------------------------------------------------ */

static void add(struct remote *r, const char *name, struct str value)
{
	r->args =
		arena_grow(&r->a, r->args, r->nargs, &r->cap, sizeof(*r->args));
	r->args[r->nargs++] = (struct op_arg){str_from(name), value};
}

void remote_text(struct remote *r, const char *name, const char *value)
{
	if (value)
		add(r, name, str_from(value));
}

void remote_bool(struct remote *r, const char *name, bool value)
{
	if (value)
		add(r, name, S("true"));
}

void remote_list(struct remote *r, const char *name, const struct list *values)
{
	for (size_t i = 0; i < values->len; i++)
		add(r, name, str_from(values->items[i]));
}

void remote_int(struct remote *r, const char *name, int64_t n)
{
	if (n)
		add(r, name,
			str_from(arena_printf(&r->a, "%lld", (long long)n)));
}

void remote_duration(struct remote *r, const char *name, int64_t ns)
{
	if (ns)
		add(r, name,
			str_from(arena_printf(&r->a, "%lldns", (long long)ns)));
}

void remote_reset(struct remote *r)
{
	r->nargs = 0;
	r->body = (struct str){0};
}

/* --- where ---------------------------------------------------------------- */

const char *remote_folder(const char *given)
{
	const char *dir = given ? given : env_value("REGATTA_STATE");

	return dir ? dir : "var";
}

/* `server:` of the policy repo that we stand in; NULL: none. */
static const char *config_server(struct arena *a)
{
	struct config c = {0};
	struct err e;
	const char *out = NULL;

	if (!config_read(&c, ".", &e) && c.server)
		out = arena_strdup(a, str_from(c.server));
	config_release(&c);
	return out;
}

static const char *server_url(struct remote *r)
{
	if (r->params->server)
		return r->params->server;
	if (r->params->state)
		return NULL;
	if (env_value("REGATTA_SERVER"))
		return env_value("REGATTA_SERVER");
	return env_value("REGATTA_STATE") ? NULL : config_server(&r->a);
}

/* Does anybody listen there? */
static bool listens(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd;
	bool there;

	if (strlen(path) >= sizeof(to.sun_path))
		return false;
	memcpy(to.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	there = !connect(fd, (const void *)&to, sizeof(to));
	close(fd);
	return there;
}

static bool is_there(const char *path)
{
	struct fs_info info;
	struct err ignored;

	return !fs_stat(NULL, path, &info, &ignored) && info.kind != FS_NONE;
}

/*
 * At 2 a.m. nobody has to know where the package's service keeps its state. A
 * folder var alone is none yet: there is one in /.
 */
static const char *folder_there(struct remote *r)
{
	const char *given = r->params->state, *dir = remote_folder(given);

	if (given || env_value("REGATTA_STATE") || !is_there(SERVICE_STATE) ||
		is_there(arena_printf(&r->a, "%s/VERSION", dir)))
		return dir;
	return SERVICE_STATE;
}

static void find(struct remote *r)
{
	const char *url = server_url(r);

	if (url) {
		size_t len = strlen(url);

		while (len && url[len - 1] == '/')
			len--;
		r->url = arena_strdup(&r->a, str_make(url, len));
		r->place = PLACE_SERVER;
		return;
	}
	r->dir = folder_there(r);
	r->socket = arena_printf(&r->a, "%s/" STATE_SOCKET, r->dir);
	r->place = listens(r->socket) ? PLACE_SOCKET : PLACE_FOLDER;
}

const char *remote_where(const struct remote *r)
{
	return r->place == PLACE_SERVER ? r->url : r->dir;
}

/* Who runs this program on this host. */
static const char *remote_user(struct arena *a)
{
	const struct passwd *pw;
	const char *sudo = env_value("SUDO_USER");

	if (sudo && !geteuid())
		return sudo;
	pw = getpwuid(geteuid());
	return pw ? arena_strdup(a, str_from(pw->pw_name))
		  : arena_printf(a, "uid-%u", (unsigned)geteuid());
}

/* --- over HTTP ------------------------------------------------------------ */

static void write_query(const struct remote *r, struct buf *out)
{
	for (uint32_t i = 0; i < r->nargs; i++) {
		buf_addc(out, i ? '&' : '?');
		buf_addurl(out, r->args[i].name);
		buf_addc(out, '=');
		buf_addurl(out, r->args[i].value);
	}
}

static bool said_before(const struct remote *r, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++)
		if (str_eq(r->args[k].name, r->args[i].name))
			return true;
	return false;
}

/* {"name": ["value", ...]}: an array of one is the same as the one. */
static void write_object(const struct remote *r, struct buf *out)
{
	buf_addc(out, '{');
	for (uint32_t i = 0; i < r->nargs; i++) {
		if (said_before(r, i))
			continue;
		if (i)
			buf_addc(out, ',');
		json_quote(out, r->args[i].name);
		buf_adds(out, ":[");
		for (uint32_t k = i; k < r->nargs; k++) {
			if (!str_eq(r->args[k].name, r->args[i].name))
				continue;
			if (k > i)
				buf_addc(out, ',');
			json_quote(out, r->args[k].value);
		}
		buf_addc(out, ']');
	}
	buf_addc(out, '}');
}

static int exit_of(const struct http_response *res, struct str doc)
{
	struct str span;
	int64_t n;

	if (http_header(res, "Regatta-Exit", &span) && json_int(span, &n) &&
		n > 0 && n < 256)
		return (int)n;
	if (res->status < 400)
		return 0;
	if (json_at(doc, S("/error/exit"), &span) && json_int(span, &n) &&
		n > 0 && n < 256)
		return (int)n;
	return res->status == 401 || res->status == 403 ? OP_DENIED
	       : res->status == 404                     ? OP_MISSING
							: OP_ERROR;
}

/* A failure that has a result: what was found wrong, say. */
static bool has_result(const struct http_response *res, struct str doc)
{
	struct str x;

	return http_header(res, "Regatta-Exit", &x) &&
	       json_member(doc, S("kind"), &x);
}

/* "error" is our document, or a plain text of what served it. */
static void failed(
	struct remote *r, const struct http_response *res, struct str doc)
{
	struct str span;
	struct buf text = {0};

	if (r->quiet)
		return;
	if (json_at(doc, S("/error/text"), &span) &&
		json_kind(span) == JSON_STRING)
		json_text(&text, span);
	if (res->status == 401)
		buf_adds(&text, "; REGATTA_TOKEN holds the token of this "
				"command");
	if (!text.len)
		buf_addf(&text, "it answers %ld", res->status);
	fprintf(stderr, "regatta: %s: %s\n", remote_where(r), text.ptr);
	buf_release(&text);
}

static int read_answer(struct remote *r, const struct http_response *res)
{
	struct str doc;
	struct err e;
	bool json = !json_check(buf_str(&res->body),
		&(struct json_limits){.keys = UINT32_MAX, .string = MIB(64)},
		&doc, &e);
	int code;

	if (!json)
		doc = S("{}");
	code = exit_of(res, doc);
	buf_addstr(&r->out, doc);
	if (res->status >= 400 && !has_result(res, doc))
		failed(r, res, doc);
	else if (!json && !r->quiet)
		fprintf(stderr, "regatta: %s: not an answer of regatta: %s\n",
			remote_where(r), e.text);
	return json || res->status >= 400 ? code : OP_ERROR;
}

static enum status send_to(struct remote *r, const struct op *op,
	int64_t timeout_ms, struct http_response *res, struct err *e)
{
	struct buf url = {0}, body = {0};
	const char *token = env_value("REGATTA_TOKEN");
	const char *headers[] = {
		arena_printf(&r->a, "X-Regatta-User: %s", remote_user(&r->a)),
		token ? arena_printf(&r->a, "Authorization: Bearer %s", token)
		      : "X-Regatta: 1",
		"Content-Type: application/json",
		r->key ? arena_printf(&r->a, "Idempotency-Key: %s", r->key)
		       : NULL,
		NULL};
	bool get = !strcmp(op->method, "GET");
	enum status st = OK;

	buf_addf(&url, "%s%s", r->socket ? "http://localhost" : r->url,
		op->pattern);
	if (get || op->max_body)
		write_query(r, &url);
	else
		write_object(r, &body);
	if (!r->http && !(r->http = http_new(e)))
		st = E_UNSUPPORTED;
	if (!st)
		st = http_do(r->http,
			&(struct http_request){.method = op->method,
				.url = url.ptr,
				.headers = headers,
				.body = op->max_body ? r->body : buf_str(&body),
				.timeout_ms = timeout_ms,
				.socket = r->socket},
			res, e);
	buf_release(&url);
	buf_release(&body);
	return st;
}

static bool over_http(
	struct remote *r, const struct op *op, int64_t timeout_ms, int *code)
{
	struct http_response res = {0};
	struct err e = {0};
	enum status st = send_to(r, op, timeout_ms, &res, &e);

	if (!st)
		*code = read_answer(r, &res);
	else if (r->place == PLACE_SERVER && !r->quiet)
		fprintf(stderr,
			"regatta: %s: %s; on the server's host, --state DIR "
			"does without the server\n",
			remote_where(r), e.text);
	if (st)
		*code = OP_ERROR;
	http_response_release(&res);
	return !st;
}

/* --- on the folder -------------------------------------------------------- */

static int open_folder(struct remote *r)
{
	struct service_options o = {.dir = r->dir, .create = r->create};
	struct err e = {0};
	enum status st = service_open(&r->service, &o, &e);

	if (st && !r->quiet)
		print_wrong(e.text);
	return (int)op_code_of(st);
}

static int on_folder(struct remote *r, const struct op *op)
{
	struct op_call call = {.args = r->args,
		.nargs = r->nargs,
		.body = r->body,
		.who = str_from(remote_user(&r->a)),
		.roles = SERVER_EVERYONE,
		.key = str_from(r->key),
		.now_ns = clock_wall(&clock_system),
		.a = &r->a};
	struct str doc, text;
	struct buf sentence = {0};
	int code = r->service ? 0 : open_folder(r);

	if (code)
		return code;
	code = (int)op_run(r->service, op, &call, &r->out);
	doc = buf_str(&r->out);
	if (code && !r->quiet && json_at(doc, S("/error/text"), &text)) {
		json_text(&sentence, text);
		print_wrong(sentence.ptr);
	}
	buf_release(&sentence);
	return code;
}

static int64_t patience(const struct op *op)
{
	bool change = op->state && strcmp(op->method, "GET") != 0;

	return op->slow ? REMOTE_SLOW_MS : change ? REMOTE_QUICK_MS : REMOTE_MS;
}

/*
 * A server that is there but deaf is gone around: what changes a channel names
 * its generation or can't lose, so that doing it twice does no harm.
 */
static int through_socket(struct remote *r, const struct op *op)
{
	int code;

	if (over_http(r, op, op->state ? REMOTE_DEAF_MS : patience(op), &code))
		return code;
	if (!r->quiet)
		fprintf(stderr,
			"regatta: the server on %s does not answer; going "
			"around it\n",
			r->dir);
	r->place = PLACE_FOLDER;
	return on_folder(r, op);
}

int remote_call(struct remote *r, const char *name)
{
	const struct op *op = op_find(name);
	int code;

	if (!op)
		die("no operation %s", name);
	buf_reset(&r->out);
	if (r->place == PLACE_NOT_FOUND)
		find(r);
	if (r->place == PLACE_SOCKET)
		return through_socket(r, op);
	if (r->place == PLACE_FOLDER)
		return on_folder(r, op);
	over_http(r, op, patience(op), &code);
	return code;
}

bool remote_failed(const struct remote *r)
{
	struct str error;

	return !r->out.len || json_member(buf_str(&r->out), S("error"), &error);
}

void remote_release(struct remote *r)
{
	http_free(r->http);
	service_close(r->service);
	buf_release(&r->out);
	arena_release(&r->a);
}
