/*
 * providers.aws.sign_req: the headers that make a request one of an account.
 *
 * Source: AWS, "Signature Version 4 signing process"; which headers count is
 * OPA's choice.
 */
#include "base/digest.h"
#include "rego/builtin/operand.h"
#include "rego/builtin/request.h"
#include "rego/url.h"

struct signing {
	struct bi_ctx *cx;
	struct str service, region, access_key, secret_key, session;
	struct str method;
	struct url_parts url;
	struct value headers; /* of the request, an object */
	struct value added;   /* by us: name to text */
	struct buf hash;      /* of the body */
	const char *date, *stamp;
	bool unsigned_body;
};

static struct str text_of(const struct object *o, const char *key)
{
	struct value v = obj_get_cstr(o, key);

	return v.tag == V_STR ? v_bytes(v) : S("");
}

/* --- what is given ---------------------------------------------------------
 */

static enum bi_status config_check(struct bi_ctx *cx, const struct object *o)
{
	static const char *const needed[] = {"aws_service", "aws_access_key",
		"aws_secret_access_key", "aws_region"};
	struct builder absent = builder_set(cx->arena),
		       wrong = builder_set(cx->arena);
	struct value set;

	for (size_t i = 0; i < COUNT(needed); i++) {
		struct value v = obj_get_cstr(o, needed[i]);

		if (!is_def(v))
			builder_add(&absent, v_cstr(cx->arena, needed[i]));
		else if (v.tag != V_STR)
			builder_add(&wrong, v_cstr(cx->arena, needed[i]));
	}
	if (absent.len) {
		set = builder_done(&absent);
		return bi_operand_text(cx, 2,
			"missing required AWS config parameters(s): %s",
			operand_text(cx, set));
	}
	if (!wrong.len)
		return BI_OK;
	set = builder_done(&wrong);
	return bi_operand_text(cx, 2,
		"invalid values for required AWS config parameters(s): %s",
		operand_text(cx, set));
}

static enum bi_status time_read(struct signing *s, struct value when)
{
	struct value args[3], list, got;
	int64_t ns;
	enum bi_status st;

	if (!num_literal_int64(when, &ns))
		return bi_operand_text(s->cx, 3,
			"could not convert time_ns value into a unix "
			"timestamp");
	args[0] = v_int(ns);
	args[1] = v_cstr(s->cx->arena, "UTC");
	args[2] = v_cstr(s->cx->arena, "20060102T150405Z");
	list = v_arr(s->cx->arena, args, 3);
	st = operand_call(s->cx, "time.format", &list, &got);
	if (st)
		return st;
	s->stamp = got.str->bytes;
	s->date = arena_strdup(s->cx->arena, str_slice(v_bytes(got), 0, 8));
	return BI_OK;
}

static enum bi_status request_types(
	struct bi_ctx *cx, const struct object *request)
{
	static const char *const texts[] = {"method", "url"};
	struct builder wrong = builder_set(cx->arena);
	struct value set;

	for (size_t i = 0; i < COUNT(texts); i++)
		if (obj_get_cstr(request, texts[i]).tag != V_STR)
			builder_add(&wrong, v_cstr(cx->arena, texts[i]));
	if (!wrong.len)
		return BI_OK;
	set = builder_done(&wrong);
	return bi_operand_text(cx, 1,
		"invalid values for required request parameters(s): %s",
		operand_text(cx, set));
}

static enum bi_status request_read(
	struct signing *s, const struct object *request)
{
	struct buf why = {0};
	enum bi_status st = request_check(s->cx, request);

	if (st)
		return st;
	s->headers = obj_get_cstr(request, "headers");
	if (!is_def(s->headers))
		s->headers = v_empty_obj;
	if (s->headers.tag != V_OBJ)
		return bi_operand(s->cx, 0, "object", s->headers);
	st = request_types(s->cx, request);
	if (st)
		return st;
	s->method = text_of(request, "method");
	if (!url_split(text_of(request, "url"), &s->url, &why))
		st = bi_error(s->cx, "%.*s", STR_ARG(buf_str(&why)));
	buf_release(&why);
	return st;
}

static enum bi_status config_read(
	struct signing *s, const struct object *config)
{
	struct value v = obj_get_cstr(config, "disable_payload_signing");

	s->service = text_of(config, "aws_service");
	s->region = text_of(config, "aws_region");
	s->access_key = text_of(config, "aws_access_key");
	s->secret_key = text_of(config, "aws_secret_access_key");
	s->session = text_of(config, "aws_session_token");
	if (is_def(v) && !is_bool(v))
		return bi_operand_text(s->cx, 2,
			"invalid value for 'disable_payload_signing' in AWS "
			"config");
	s->unsigned_body = v.tag == V_TRUE;
	return BI_OK;
}

static void hash_hex(struct buf *out, struct str text)
{
	unsigned char sum[DIGEST_MAX];

	digest(DIGEST_SHA256, text, sum);
	digest_hex(out, sum, digest_size(DIGEST_SHA256));
}

static void hash_body(struct signing *s, const struct object *request)
{
	struct value raw = obj_get_cstr(request, "raw_body");
	struct value body = obj_get_cstr(request, "body");
	struct buf text = {0};

	if (s->unsigned_body) {
		buf_adds(&s->hash, "UNSIGNED-PAYLOAD");
		return;
	}
	if (raw.tag == V_STR)
		buf_addstr(&text, v_bytes(raw));
	else if (!is_def(raw) && is_def(body))
		value_json(&text, body, 0, JSON_HTML);
	hash_hex(&s->hash, buf_str(&text));
	buf_release(&text);
}

/* --- the signature -----------------------------------------------------------
 */

static void add_header(
	struct signing *s, struct builder *b, const char *name, struct str text)
{
	builder_set_key(
		b, v_cstr(s->cx->arena, name), v_str(s->cx->arena, text));
}

static void add_headers(struct signing *s)
{
	struct builder b = builder_obj(s->cx->arena);
	struct buf host = {0};
	bool six = str_find(buf_str(&s->url.hostname), S(":"), 0) != SIZE_MAX;

	buf_adds(&host, six ? "[" : "");
	buf_addstr(&host, buf_str(&s->url.hostname));
	buf_adds(&host, six ? "]" : "");
	if (s->url.port.len)
		buf_addf(&host, ":%.*s", STR_ARG(buf_str(&s->url.port)));
	add_header(s, &b, "host", buf_str(&host));
	add_header(s, &b, "x-amz-date", str_from(s->stamp));
	if (str_is(s->service, "s3") || str_is(s->service, "glacier"))
		add_header(s, &b, "x-amz-content-sha256", buf_str(&s->hash));
	if (s->session.len)
		add_header(s, &b, "x-amz-security-token", s->session);
	s->added = builder_done(&b);
	buf_release(&host);
}

static struct value lower(struct signing *s, struct value text)
{
	struct value got = text;

	operand_call(s->cx, "lower", &text, &got);
	return got;
}

static bool is_ignored(struct value name)
{
	static const char *const ignored[] = {
		"authorization", "user-agent", "x-amzn-trace-id"};

	for (size_t i = 0; i < COUNT(ignored); i++)
		if (str_is(v_bytes(name), ignored[i]))
			return true;
	return false;
}

/* Names in lower case to texts; what the request brings wins. */
static struct value signed_headers(struct signing *s)
{
	struct builder b = builder_obj(s->cx->arena);
	const struct object *own = s->added.obj, *given = s->headers.obj;

	for (uint32_t i = 0; i < own->len; i++)
		builder_set_key(&b, own->keys->items[i], own->vals[i]);
	for (uint32_t i = 0; i < given->len; i++) {
		struct value name = given->keys->items[i], v = given->vals[i];

		name = name.tag == V_STR ? lower(s, name)
					 : v_cstr(s->cx->arena, "");
		if (v.tag != V_STR)
			v = v_cstr(s->cx->arena, "");
		if (!is_ignored(name))
			builder_set_key(&b, name, v);
	}
	return builder_done(&b);
}

static void add_names(struct buf *out, const struct object *headers)
{
	for (uint32_t i = 0; i < headers->len; i++) {
		buf_adds(out, i ? ";" : "");
		buf_addstr(out, v_bytes(headers->keys->items[i]));
	}
}

/* The request in the one form that is signed. */
static void canonical(
	const struct signing *s, const struct object *headers, struct buf *out)
{
	buf_addf(out, "%.*s\n", STR_ARG(s->method));
	buf_addf(out, "%.*s\n", STR_ARG(buf_str(&s->url.escaped_path)));
	buf_addf(out, "%.*s\n", STR_ARG(buf_str(&s->url.query)));
	for (uint32_t i = 0; i < headers->len; i++) {
		buf_addstr(out, v_bytes(headers->keys->items[i]));
		buf_addc(out, ':');
		buf_addstr(out, v_bytes(headers->vals[i]));
		buf_addc(out, '\n');
	}
	buf_addc(out, '\n');
	add_names(out, headers);
	buf_addf(out, "\n%.*s", STR_ARG(buf_str(&s->hash)));
}

static void mac(unsigned char key[DIGEST_MAX], struct str text)
{
	hmac(DIGEST_SHA256,
		str_make((const char *)key, digest_size(DIGEST_SHA256)), text,
		key);
}

/* The key of one day, region and service signs. */
static void sign(const struct signing *s, struct str text, struct buf *out)
{
	unsigned char key[DIGEST_MAX];
	struct buf first = {0};

	buf_addf(&first, "AWS4%.*s", STR_ARG(s->secret_key));
	hmac(DIGEST_SHA256, buf_str(&first), str_from(s->date), key);
	mac(key, s->region);
	mac(key, s->service);
	mac(key, S("aws4_request"));
	mac(key, text);
	digest_hex(out, key, digest_size(DIGEST_SHA256));
	buf_release(&first);
}

static struct value authorization(struct signing *s)
{
	struct value headers = signed_headers(s), v;
	struct buf request = {0}, text = {0}, out = {0}, scope = {0};

	buf_addf(&scope, "%s/%.*s/%.*s/aws4_request", s->date,
		STR_ARG(s->region), STR_ARG(s->service));
	canonical(s, headers.obj, &request);
	buf_addf(&text, "AWS4-HMAC-SHA256\n%s\n%.*s\n", s->stamp,
		STR_ARG(buf_str(&scope)));
	hash_hex(&text, buf_str(&request));
	buf_addf(&out, "AWS4-HMAC-SHA256 Credential=%.*s/%.*s,SignedHeaders=",
		STR_ARG(s->access_key), STR_ARG(buf_str(&scope)));
	add_names(&out, headers.obj);
	buf_adds(&out, ",Signature=");
	sign(s, buf_str(&text), &out);
	v = v_str(s->cx->arena, buf_str(&out));
	buf_release(&request);
	buf_release(&text);
	buf_release(&out);
	buf_release(&scope);
	return v;
}

/* The request, with the headers that sign it. */
static struct value signed_request(
	struct signing *s, const struct object *request)
{
	struct builder out = builder_obj(s->cx->arena),
		       b = builder_obj(s->cx->arena);
	const struct object *given = s->headers.obj, *own;

	add_headers(s);
	own = s->added.obj;
	for (uint32_t i = 0; i < given->len; i++)
		builder_set_key(&b,
			given->keys->items[i].tag == V_STR
				? given->keys->items[i]
				: v_cstr(s->cx->arena, ""),
			given->vals[i].tag == V_STR ? given->vals[i]
						    : v_cstr(s->cx->arena, ""));
	builder_set_key(
		&b, v_cstr(s->cx->arena, "Authorization"), authorization(s));
	for (uint32_t i = 0; i < own->len; i++)
		builder_set_key(&b, own->keys->items[i], own->vals[i]);
	for (uint32_t i = 0; i < request->len; i++)
		builder_set_key(
			&out, request->keys->items[i], request->vals[i]);
	builder_set_key(
		&out, v_cstr(s->cx->arena, "headers"), builder_done(&b));
	return builder_done(&out);
}

static enum bi_status sign_req(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct signing s = {.cx = cx};
	enum bi_status st = config_check(cx, args[1].obj);

	if (!st)
		st = time_read(&s, args[2]);
	if (!st)
		st = request_read(&s, args[0].obj);
	if (!st)
		st = config_read(&s, args[1].obj);
	if (!st) {
		hash_body(&s, args[0].obj);
		*out = signed_request(&s, args[0].obj);
	}
	url_parts_release(&s.url);
	buf_release(&s.hash);
	return st;
}

/* clang-format off */
static const struct builtin rows[] = {
	{"providers.aws.sign_req", NULL, 3, {BT_OBJ, BT_OBJ, BT_NUM}, sign_req, 0},
};
/* clang-format on */

const struct builtin_table builtin_aws = {rows, COUNT(rows)};
