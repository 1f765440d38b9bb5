#include "base/http.h"
#include "base/lib.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#define CURL_FNS(X)                                                            \
	X(curl_global_init)                                                    \
	X(curl_easy_init)                                                      \
	X(curl_easy_cleanup)                                                   \
	X(curl_easy_reset)                                                     \
	X(curl_easy_setopt)                                                    \
	X(curl_easy_perform)                                                   \
	X(curl_easy_getinfo)                                                   \
	X(curl_easy_strerror)                                                  \
	X(curl_slist_append)                                                   \
	X(curl_slist_free_all)

/* clang-format off */
static struct { CURL_FNS(LIB_SLOT) } curl;
static const char *const names[] = { CURL_FNS(LIB_NAME) NULL };
static const char *const files[] = {"libcurl.so.4", NULL};
/* clang-format on */

struct http {
	CURL *easy;
};

/* One exchange, as the callbacks see it. */
struct exchange {
	const struct http_request *req;
	struct http_response *out;
	size_t max_body;
	const char *over; /* which limit was met */
	bool canceled;
};

static void start(void)
{
	if (curl.curl_global_init(CURL_GLOBAL_DEFAULT))
		die("libcurl does not start");
}

static struct lib lib = {.name = "libcurl",
	.files = files,
	.names = names,
	.slots = &curl,
	.start = start};

struct http *http_new(struct err *e)
{
	struct http *h;

	if (lib_load(&lib, e))
		return NULL;
	h = calloc(1, sizeof(*h));
	if (h)
		h->easy = curl.curl_easy_init();
	if (!h || !h->easy)
		die("out of memory: HTTP client");
	return h;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	curl.curl_easy_cleanup(h->easy);
	free(h);
}

/* --- what libcurl calls --------------------------------------------------- */

static size_t add_limited(struct exchange *x, struct buf *b, const char *ptr,
	size_t len, size_t max, const char *what)
{
	if (len > max - b->len) {
		x->over = what;
		return 0;
	}
	buf_add(b, ptr, len);
	return len;
}

static size_t on_body(char *ptr, size_t size, size_t n, void *user)
{
	struct exchange *x = user;

	return add_limited(
		x, &x->out->body, ptr, size * n, x->max_body, "a body");
}

/* Each answer begins with a status line: 100, redirects, then the last. */
static size_t on_header(char *ptr, size_t size, size_t n, void *user)
{
	struct exchange *x = user;
	struct str line = {ptr, size * n};

	if (str_starts(line, S("HTTP/")))
		buf_reset(&x->out->headers);
	return add_limited(x, &x->out->headers, ptr, line.len,
		LIMIT_HTTP_HEADERS, "headers");
}

static int on_progress(void *user, curl_off_t down_total, curl_off_t down,
	curl_off_t up_total, curl_off_t up)
{
	struct exchange *x = user;

	(void)down_total, (void)down, (void)up_total, (void)up;
	x->canceled = x->req->cancel && x->req->cancel(x->req->user);
	return x->canceled;
}

/* --- the request ------------------------------------------------------------
 */

static bool has_line_end(const char *s)
{
	return strpbrk(s, "\r\n") != NULL;
}

static enum status add_header(
	struct curl_slist **list, const char *line, struct err *e)
{
	struct curl_slist *longer;

	if (has_line_end(line))
		return err_set(e, E_INVALID, "a header holds a line end");
	longer = curl.curl_slist_append(*list, line);
	if (!longer)
		die("out of memory: HTTP headers");
	*list = longer;
	return OK;
}

/* "Expect: 100-continue" would cost a second with servers that ignore it. */
static enum status add_headers(
	struct curl_slist **list, const struct http_request *req, struct err *e)
{
	enum status st = add_header(list, "Expect:", e);

	for (size_t i = 0; !st && req->headers && req->headers[i]; i++)
		st = add_header(list, req->headers[i], e);
	return st;
}

#define SET(option, value)                                                     \
	(bad = bad ? bad : curl.curl_easy_setopt(easy, option, value))

static CURLcode set_transfer(CURL *easy, struct exchange *x)
{
	const struct http_request *req = x->req;
	CURLcode bad = CURLE_OK;

	SET(CURLOPT_URL, req->url);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_TIMEOUT_MS,
		(long)(req->timeout_ms ? req->timeout_ms : 60000));
	SET(CURLOPT_FOLLOWLOCATION, req->redirects ? 1L : 0L);
	SET(CURLOPT_MAXREDIRS, (long)req->redirects);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, x);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, x);
	SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(CURLOPT_XFERINFODATA, x);
	SET(CURLOPT_NOPROGRESS, req->cancel ? 0L : 1L);
	return bad;
}

static CURLcode set_peer(CURL *easy, const struct http_request *req)
{
	CURLcode bad = CURLE_OK;

	if (req->socket) {
		SET(CURLOPT_UNIX_SOCKET_PATH, req->socket);
		SET(CURLOPT_NOPROXY, "*");
	}
	if (req->ca_file)
		SET(CURLOPT_CAINFO, req->ca_file);
	if (req->cert_file)
		SET(CURLOPT_SSLCERT, req->cert_file);
	if (req->key_file)
		SET(CURLOPT_SSLKEY, req->key_file);
	return bad;
}

static CURLcode set_message(CURL *easy, const struct http_request *req,
	const struct curl_slist *headers)
{
	CURLcode bad = CURLE_OK;

	if (req->body.len) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.len);
		SET(CURLOPT_POSTFIELDS, req->body.ptr);
	}
	if (req->method && !strcmp(req->method, "HEAD"))
		SET(CURLOPT_NOBODY, 1L);
	else if (req->method)
		SET(CURLOPT_CUSTOMREQUEST, req->method);
	SET(CURLOPT_HTTPHEADER, headers);
	return bad;
}

static enum status outcome(const struct exchange *x, CURLcode code,
	const char *reason, struct err *e)
{
	enum status st = E_IO;

	if (code == CURLE_OK)
		return OK;
	if (x->over)
		return err_set(e, E_LIMIT, "%s: %s of more than %zu bytes",
			x->req->url, x->over,
			*x->over == 'h' ? LIMIT_HTTP_HEADERS : x->max_body);
	if (x->canceled)
		return err_set(e, E_CANCELED, "%s: canceled", x->req->url);
	if (code == CURLE_OPERATION_TIMEDOUT)
		st = E_CANCELED;
	else if (code == CURLE_UNSUPPORTED_PROTOCOL ||
		 code == CURLE_URL_MALFORMAT)
		st = E_INVALID;
	if (!*reason)
		reason = curl.curl_easy_strerror(code);
	return err_set(e, st, "%s: %s", x->req->url, reason);
}

static enum status perform(CURL *easy, struct exchange *x,
	const struct curl_slist *headers, struct err *e)
{
	char reason[CURL_ERROR_SIZE] = "";
	CURLcode bad = CURLE_OK;

	SET(CURLOPT_ERRORBUFFER, reason);
	if (!bad)
		bad = set_transfer(easy, x);
	if (!bad)
		bad = set_peer(easy, x->req);
	if (!bad)
		bad = set_message(easy, x->req, headers);
	if (!bad)
		bad = curl.curl_easy_perform(easy);
	if (!bad)
		bad = curl.curl_easy_getinfo(
			easy, CURLINFO_RESPONSE_CODE, &x->out->status);
	/* Before the text and the list go: both are on this stack. */
	curl.curl_easy_reset(easy);
	return outcome(x, bad, reason, e);
}

enum status http_do(struct http *h, const struct http_request *req,
	struct http_response *out, struct err *e)
{
	struct exchange x = {.req = req, .out = out};
	struct curl_slist *headers = NULL;
	enum status st;

	x.max_body = req->max_body ? req->max_body : LIMIT_HTTP_BODY;
	out->status = 0;
	buf_reset(&out->headers);
	buf_reset(&out->body);
	if (req->method && (!*req->method || strpbrk(req->method, " \r\n")))
		return err_set(
			e, E_INVALID, "\"%s\" is no HTTP method", req->method);
	st = add_headers(&headers, req, e);
	if (!st)
		st = perform(h->easy, &x, headers, e);
	curl.curl_slist_free_all(headers);
	return st;
}

void http_response_release(struct http_response *r)
{
	buf_release(&r->headers);
	buf_release(&r->body);
	*r = (struct http_response){0};
}

static struct str trimmed(struct str s)
{
	while (s.len && memchr(" \t", *s.ptr, 2))
		s = str_slice(s, 1, s.len);
	while (s.len && memchr(" \t\r\n", s.ptr[s.len - 1], 4))
		s.len--;
	return s;
}

bool http_header(
	const struct http_response *r, const char *name, struct str *value)
{
	struct str all = buf_str(&r->headers);
	size_t len = strlen(name), to;
	bool found = false;

	for (size_t at = 0; at < all.len; at = to) {
		struct str line;

		to = str_find(all, S("\n"), at);
		to = to == SIZE_MAX ? all.len : to + 1;
		line = str_slice(all, at, to);
		if (line.len <= len || line.ptr[len] != ':' ||
			strncasecmp(line.ptr, name, len) != 0)
			continue;
		*value = trimmed(str_slice(line, len + 1, line.len));
		found = true;
	}
	return found;
}
