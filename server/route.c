#include "server/internal.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* --- our own handlers ------------------------------------------------------
 */

static void stored(enum server_stored got, struct server_reply *reply)
{
	if (got == SERVER_BUSY)
		reply_error(reply, 503, "busy; send it again");
	else if (!reply->body.len)
		buf_adds(&reply->body, "{}");
}

static void do_logs(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	struct server *s = user;

	stored(s->cfg.intake(s->cfg.user, req, reply), reply);
}

static void do_status(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	struct server *s = user;

	stored(s->cfg.status(s->cfg.user, req, reply), reply);
}

static void do_health(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	(void)user, (void)req;
	buf_adds(&reply->body, "{}\n");
}

static void do_ready(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	struct server *s = user;
	struct buf why = {0};
	bool ready = true;

	(void)req;
	if (s->stopping) {
		ready = false;
		buf_adds(&why, "the server is stopping");
	} else if (s->cfg.ready) {
		ready = s->cfg.ready(s->cfg.user, &why);
	}
	if (!ready) {
		reply_error(reply, 503, "%s", why.len ? why.ptr : "not ready");
	} else if (why.len) {
		buf_adds(&reply->body, "{\"degraded\":");
		json_quote(&reply->body, buf_str(&why));
		buf_adds(&reply->body, "}\n");
	} else {
		buf_adds(&reply->body, "{}\n");
	}
	buf_release(&why);
}

static void do_metrics(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	(void)req;
	reply->type = "text/plain; version=0.0.4; charset=utf-8";
	metrics_write(user, &reply->body);
}

/* --- the table ---------------------------------------------------------------
 */

enum { SMALL = 1 << 16 };

/* clang-format off */
static const struct route own[] = {
	{{"GET",  "/bundles/{name...}",     SERVER_AGENT, SMALL, NULL, NULL},       KIND_POLL, "bundles", false},
	{{"POST", "/logs",                  SERVER_AGENT, 0,     do_logs, NULL},    KIND_WORK, "logs", true},
	{{"POST", "/logs/{partition...}",   SERVER_AGENT, 0,     do_logs, NULL},    KIND_WORK, "logs", true},
	{{"POST", "/status",                SERVER_AGENT, 0,     do_status, NULL},  KIND_WORK, "status", false},
	{{"POST", "/status/{partition...}", SERVER_AGENT, 0,     do_status, NULL},  KIND_WORK, "status", false},
	{{"GET",  "/events",                SERVER_READERS, SMALL, NULL, NULL},     KIND_STREAM, "events", false},
	{{"GET",  "/healthz",               0,            SMALL, do_health, NULL},  KIND_NOW,  "healthz", false},
	{{"GET",  "/readyz",                0,            SMALL, do_ready, NULL},   KIND_NOW,  "readyz", false},
	{{"GET",  "/metrics",               0,            SMALL, do_metrics, NULL}, KIND_NOW,  "metrics", false},
};
/* clang-format on */

void routes_make(struct server *s)
{
	s->nroutes = COUNT(own) + s->cfg.napi;
	s->routes = calloc(s->nroutes, sizeof(*s->routes));
	if (!s->routes)
		die("out of memory: routes");
	memcpy(s->routes, own, sizeof(own));
	for (size_t i = 0; i < COUNT(own); i++) {
		struct server_route *api = &s->routes[i].api;

		if (api->handle == do_logs)
			api->max_body = s->max.log_body;
		if (api->handle == do_status)
			api->max_body = s->max.status_body;
	}
	for (size_t i = 0; i < s->cfg.napi; i++)
		s->routes[COUNT(own) + i] = (struct route){
			s->cfg.api[i], KIND_API, s->cfg.api[i].pattern, false};
}

static bool served(const struct server *s, const struct route *route)
{
	if (route->api.handle == do_logs)
		return s->cfg.intake != NULL;
	if (route->api.handle == do_status)
		return s->cfg.status != NULL;
	return route->kind != KIND_POLL || s->cfg.answer != NULL;
}

bool route_admits(struct request *r)
{
	const struct server_config *c = &r->s->cfg;

	return r->route->api.handle != do_logs || !c->admit ||
	       c->admit(c->user, &r->who, &r->reply);
}

static bool method_fits(const char *want, struct str method)
{
	return str_is(method, want) ||
	       (str_is(method, "HEAD") && !strcmp(want, "GET"));
}

const struct route *route_find(
	struct request *r, struct str method, struct buf *allowed)
{
	const struct server *s = r->s;

	for (size_t i = 0; i < s->nroutes; i++) {
		const struct route *route = &s->routes[i];
		struct str params[SERVER_PARAMS] = {0};

		if (!served(s, route) ||
			!url_match(route->api.pattern, r->pub.path, params))
			continue;
		if (method_fits(route->api.method, method)) {
			memcpy(r->pub.params, params, sizeof(params));
			if (route->kind == KIND_API)
				r->pub.route = &route->api;
			return route;
		}
		buf_addf(allowed, "%s%s", allowed->len ? ", " : "",
			route->api.method);
	}
	return NULL;
}
