/*
 * What asks for something outside of policy and data: http.send, opa.runtime,
 * and rego.metadata.* where no rule is around.
 *
 * An evaluation reaches no network. http.send checks its request as OPA does
 * and then ends the evaluation, so that what could not be asked is never taken
 * for an answer; tests replace it: `with http.send as f`.
 */
#include "rego/builtin/operand.h"
#include "rego/builtin/request.h"
#include "rego/rego.h"
#include "rego/url.h"

#include <string.h>
#include <unistd.h>

const char rego_opa_version[] = "1.22.2";

/* --- http.send --------------------------------------------------------- */

/* clang-format off */
static const char *const request_keys[] = {
	"method", "url", "body", "enable_redirect", "force_json_decode",
	"force_yaml_decode", "headers", "raw_body", "tls_use_system_certs",
	"tls_ca_cert", "tls_ca_cert_file", "tls_ca_cert_env_variable",
	"tls_client_cert", "tls_client_cert_file",
	"tls_client_cert_env_variable", "tls_client_key", "tls_client_key_file",
	"tls_client_key_env_variable", "tls_insecure_skip_verify",
	"tls_server_name", "timeout", "cache", "force_cache",
	"force_cache_duration_seconds", "raise_error", "caching_mode",
	"max_retry_attempts", "cache_ignored_headers",
};
/* clang-format on */

static bool is_request_key(struct value key)
{
	for (size_t i = 0; i < COUNT(request_keys); i++)
		if (key.tag == V_STR && str_is(v_bytes(key), request_keys[i]))
			return true;
	return false;
}

static struct value unknown_keys(struct bi_ctx *cx, const struct object *o)
{
	struct builder b = builder_set(cx->arena);

	for (uint32_t i = 0; i < o->len; i++)
		if (!is_request_key(o->keys->items[i]))
			builder_add(&b, o->keys->items[i]);
	return builder_done(&b);
}

static struct value absent_keys(struct bi_ctx *cx, const struct object *o)
{
	static const char *const needed[] = {"method", "url"};
	struct builder b = builder_set(cx->arena);

	for (size_t i = 0; i < COUNT(needed); i++)
		if (!is_def(obj_get_cstr(o, needed[i])))
			builder_add(&b, v_cstr(cx->arena, needed[i]));
	return builder_done(&b);
}

enum bi_status request_check(struct bi_ctx *cx, const struct object *request)
{
	struct value unknown = unknown_keys(cx, request);
	struct value absent = absent_keys(cx, request);

	if (v_len(unknown))
		return bi_operand_text(cx, 1,
			"invalid request parameters(s): %s",
			operand_text(cx, unknown));
	if (v_len(absent))
		return bi_operand_text(cx, 1,
			"missing required request parameters(s): %s",
			operand_text(cx, absent));
	return BI_OK;
}

/* The host of a URL as OPA compares it: up to the first colon. */
static enum bi_status host_check(struct bi_ctx *cx, struct str url)
{
	struct url_parts parts = {0};
	struct buf why = {0};
	enum bi_status st;

	if (url_split(url, &parts, &why)) {
		struct str host = buf_str(&parts.host);

		st = bi_host(cx, str_slice(host, 0, str_find(host, S(":"), 0)));
	} else {
		st = bi_error(cx, "%.*s", STR_ARG(buf_str(&why)));
	}
	buf_release(&why);
	url_parts_release(&parts);
	return st;
}

/* Whom capabilities do not let it reach is an error of the call. */
static enum bi_status reach_check(
	struct bi_ctx *cx, const struct object *request)
{
	static const char *const texts[] = {"method", "url"};

	if (!cx->caps || obj_get_cstr(request, "raise_error").tag == V_FALSE)
		return BI_OK; /* the error would be a part of the answer */
	for (size_t i = 0; i < COUNT(texts); i++)
		if (obj_get_cstr(request, texts[i]).tag != V_STR)
			return bi_error(
				cx, "\"%s\" must be a string", texts[i]);
	return host_check(cx, v_bytes(obj_get_cstr(request, "url")));
}

static enum bi_status http_send(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	enum bi_status st = request_check(cx, args[0].obj);

	if (!st)
		st = reach_check(cx, args[0].obj);
	(void)out;
	return st ? st
		  : bi_limit(cx, "no network is reached from here: replace "
				 "the call, `with http.send as ...`");
}

/* --- the process ------------------------------------------------------- */

static struct value environment(struct arena *a)
{
	struct builder b = builder_obj(a);

	for (char **e = environ; e && *e; e++) {
		const char *sign = strchr(*e, '=');
		struct str name = str_from(*e);

		if (sign)
			name.len = (size_t)(sign - *e);
		builder_set_key(&b, v_str(a, name),
			sign ? v_cstr(a, sign + 1) : v_null);
	}
	return builder_done(&b);
}

static enum bi_status opa_runtime(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct arena *a = cx->arena;
	struct builder b = builder_obj(a);

	(void)args;
	builder_set_key(&b, v_cstr(a, "authorization_enabled"), v_bool(false));
	builder_set_key(&b, v_cstr(a, "commit"), v_cstr(a, ""));
	builder_set_key(&b, v_cstr(a, "env"), environment(a));
	builder_set_key(
		&b, v_cstr(a, "skip_known_schema_check"), v_bool(false));
	builder_set_key(&b, v_cstr(a, "version"), v_cstr(a, rego_opa_version));
	*out = builder_done(&b);
	return BI_OK;
}

/* In rules the compiler has put a constant in its place: metadata.c. */
static enum bi_status metadata(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	(void)args;
	(void)out;
	return bi_error(cx,
		"the %s function must only be called within the scope of a "
		"rule",
		cx->name);
}

/* clang-format off */
static const struct builtin rows[] = {
	{"http.send",           NULL, 1, {BT_OBJ}, http_send,   BF_NONDET},
	{"opa.runtime",         NULL, 0, {0},      opa_runtime, BF_NONDET},
	{"rego.metadata.chain", NULL, 0, {0},      metadata,    0},
	{"rego.metadata.rule",  NULL, 0, {0},      metadata,    0},
};
/* clang-format on */

const struct builtin_table builtin_outside = {rows, COUNT(rows)};
