/*
 * http: an HTTP client.
 *
 * libcurl behind one call: a request goes in, status, headers and body come
 * back. A struct http keeps connections open between requests; one thread may
 * use it at a time. libcurl is opened at the first http_new() (base/lib.h).
 *
 * http and https only; certificates are checked; no cookies, no .netrc, no
 * redirects unless asked for; bodies come as they are sent, not inflated. A
 * status of 400 or more is an answer, not an error.
 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include "base/buf.h"
#include "base/limits.h"

struct http;

/* NULL with E_UNSUPPORTED when libcurl is not there. */
struct http *http_new(struct err *e);
void http_free(struct http *h);

struct http_request {
	const char *method; /* NULL: GET, or POST with a body */
	const char *url;
	const char *const
		*headers; /* "Name: value", NULL at the end; or NULL */
	struct str body;
	int64_t timeout_ms;  /* of the whole exchange; 0: one minute */
	size_t max_body;     /* of the answer; 0: LIMIT_HTTP_BODY */
	unsigned redirects;  /* followed at most */
	const char *socket;  /* path of a UNIX socket to connect to */
	const char *ca_file; /* instead of the system's authorities */
	const char *cert_file, *key_file; /* of the client */
	bool (*cancel)(void *user);       /* asked every second; true: stop */
	void *user;
};

struct http_response {
	long status;
	struct buf headers; /* lines of the last answer, status line first */
	struct buf body;
};

/*
 * Send a request and wait for the answer. E_CANCELED: time is up or cancel()
 * said so; E_LIMIT: the answer is too large; E_IO: no answer. `out` may be
 * used again for the next request; it is emptied first.
 */
enum status http_do(struct http *h, const struct http_request *req,
	struct http_response *out, struct err *e) MUST_CHECK;

/* Give back what an answer holds; safe on {0} and twice. */
void http_response_release(struct http_response *r);

/* The value of the last header of this name, in any case; else false. */
bool http_header(
	const struct http_response *r, const char *name, struct str *value);

#endif
