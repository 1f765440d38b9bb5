/* Operations over HTTP: arguments out of a request, a document back. */
#include "server/internal.h"
#include "server/page.h"
#include "server/serving.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 1 << 20 };

struct reading {
	struct op_arg *items;
	uint32_t n, cap;
	struct arena *a;
	struct err e;
};

static void add(struct reading *r, struct str name, struct str value)
{
	r->items = arena_grow(r->a, r->items, r->n, &r->cap, sizeof(*r->items));
	r->items[r->n++] = (struct op_arg){name, value};
}

static struct str plain(struct reading *r, struct str span)
{
	struct buf text = {0};
	struct str out;

	if (json_kind(span) != JSON_STRING)
		return span;
	json_text(&text, span);
	out = str_from(arena_strdup(r->a, buf_str(&text)));
	out.len = text.len;
	buf_release(&text);
	return out;
}

static bool read_query(struct reading *r, struct str query)
{
	struct str key, value;
	struct buf text = {0};
	bool fine = true;

	while (fine && url_next(&query, &key, &value)) {
		buf_reset(&text);
		fine = url_value(&text, value);
		add(r, key, arena_str(r->a, buf_str(&text)));
	}
	buf_release(&text);
	if (!fine)
		err_set(&r->e, E_INVALID,
			"the query has an escape that is none");
	return fine;
}

static bool scalar(struct str span)
{
	enum json_kind k = json_kind(span);

	return k == JSON_STRING || k == JSON_NUMBER || k == JSON_BOOL;
}

static bool read_member(struct reading *r, struct str key, struct str value)
{
	struct json_iter it = json_iter(value);

	if (json_kind(value) == JSON_NULL)
		return true;
	if (scalar(value)) {
		add(r, key, plain(r, value));
		return true;
	}
	while (json_kind(value) == JSON_ARRAY && json_next(&it)) {
		if (!scalar(it.value))
			break;
		add(r, key, plain(r, it.value));
	}
	if (json_kind(value) == JSON_ARRAY && !json_next(&it))
		return true;
	err_set(&r->e, E_INVALID,
		"\"%.*s\" is a text, a number, true, false, or an array of "
		"those",
		STR_ARG(key));
	return false;
}

static bool read_object(struct reading *r, struct str body)
{
	struct str doc;
	struct json_iter it;

	if (!body.len)
		return true;
	if (json_check(body, NULL, &doc, &r->e))
		return false;
	if (json_kind(doc) != JSON_OBJECT) {
		err_set(&r->e, E_INVALID,
			"the body is one object of arguments");
		return false;
	}
	it = json_iter(doc);
	while (json_next(&it))
		if (!read_member(r, plain(r, it.key), it.value))
			return false;
	return true;
}

/* Who asks. On this host the socket's permissions are the credential. */
static struct str who(const struct server_request *req)
{
	struct str name;

	if (req->who->token[0])
		return str_from(req->who->token);
	if (req->who->local && server_header(req, "X-Regatta-User", &name) &&
		name.len && name.len <= SERVER_NAME_MAX &&
		utf8_valid(name.ptr, name.len))
		return name;
	return req->who->local ? S("local") : S("anonymous");
}

static void handle(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	const struct op *op = req->route->data;
	struct service *s = user;
	struct arena a = {0};
	struct reading r = {.a = &a};
	struct op_call call = {.who = who(req),
		.roles = req->who->roles,
		.now_ns = clock_wall(service_clock(s)),
		.a = &a};

	server_header(req, "Idempotency-Key", &call.key);
	if (!read_query(&r, req->query) ||
		(!op->max_body && !read_object(&r, req->body))) {
		reply_error(reply, 400, "%s", r.e.text);
	} else {
		call.args = r.items;
		call.nargs = r.n;
		if (op->max_body)
			call.body = req->body;
		enum op_code code = op_run(s, op, &call, &reply->body);

		reply->status = op_code_status(code);
		reply->exit = (int)code;
	}
	arena_release(&a);
}

struct server_route *api_routes(size_t *n)
{
	const struct op *const *ops = ops_all(n);
	struct server_route *out = calloc(*n + page_nroutes, sizeof(*out));

	if (!out)
		die("out of memory: routes");
	for (size_t i = 0; i < *n; i++)
		out[i] = (struct server_route){.method = ops[i]->method,
			.pattern = ops[i]->pattern,
			.roles = ops[i]->roles,
			.max_body =
				ops[i]->max_body ? ops[i]->max_body : BODY_MAX,
			.handle = handle,
			.data = ops[i]};
	memcpy(out + *n, page_routes, page_nroutes * sizeof(*out));
	*n += page_nroutes;
	return out;
}
