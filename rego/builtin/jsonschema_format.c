/* Formats and patterns of texts. */
#include <string.h>

#include "rego/builtin/jsonschema.h"
#include "rego/builtin/operand.h"
#include "rego/url.h"

bool jsonschema_matches(
	struct bi_ctx *cx, struct str pattern, struct value text)
{
	struct value args[2] = {v_str(cx->arena, pattern), text}, got;

	return operand_call(cx, "regex.match", args, &got) == BI_OK &&
	       got.tag == V_TRUE;
}

static bool has_layout(struct bi_ctx *cx, const char *layout, struct value text)
{
	struct value args[2] = {v_cstr(cx->arena, layout), text}, got;

	/* A time that is none fails otherwise than one out of range. */
	return operand_call(cx, "time.parse_ns", args, &got) == BI_OK ||
	       strcmp(cx->text, "time outside of valid range") == 0;
}

static bool is_time(struct bi_ctx *cx, struct value text)
{
	return has_layout(cx, "15:04:05Z07:00", text) ||
	       has_layout(cx, "15:04:05", text);
}

static bool is_date(struct bi_ctx *cx, struct value text)
{
	return has_layout(cx, "2006-01-02", text);
}

static bool is_date_time(struct bi_ctx *cx, struct value text)
{
	return is_time(cx, text) || is_date(cx, text) ||
	       has_layout(cx, "2006-01-02T15:04:05Z07:00", text);
}

static bool is_network(struct bi_ctx *cx, struct value text, const char *sign,
	const char *mask)
{
	struct value got = v_bool(false), net;
	struct buf b = {0};

	if (str_find(v_bytes(text), str_from(sign), 0) == SIZE_MAX)
		return false;
	buf_addf(&b, "%s/%s", text.str->bytes, mask);
	net = v_str(cx->arena, buf_str(&b));
	buf_release(&b);
	operand_call(cx, "net.cidr_is_valid", &net, &got);
	return got.tag == V_TRUE;
}

static bool is_ipv4(struct bi_ctx *cx, struct value text)
{
	return is_network(cx, text, ".", "32") ||
	       (str_find(v_bytes(text), S(":"), 0) != SIZE_MAX &&
		       is_network(cx, text, ".", "128"));
}

static bool is_ipv6(struct bi_ctx *cx, struct value text)
{
	return is_network(cx, text, ":", "128");
}

static bool is_uri_reference(struct bi_ctx *cx, struct value text)
{
	struct url_parts parts = {0};
	struct buf why = {0};
	bool ok = url_split(v_bytes(text), &parts, &why);

	(void)cx;
	url_parts_release(&parts);
	buf_release(&why);
	return ok && str_find(v_bytes(text), S("\\"), 0) == SIZE_MAX;
}

static bool is_uri(struct bi_ctx *cx, struct value text)
{
	return is_uri_reference(cx, text) &&
	       jsonschema_matches(cx, S("^[a-zA-Z][a-zA-Z0-9+.-]*:"), text);
}

static bool is_uri_template(struct bi_ctx *cx, struct value text)
{
	struct url_parts parts = {0};
	struct buf why = {0};
	bool ok = is_uri_reference(cx, text) &&
		  url_split(v_bytes(text), &parts, &why) &&
		  jsonschema_matches(cx, S("^([^{]*({[^}]*})?)*$"),
			  v_str(cx->arena, buf_str(&parts.path)));

	url_parts_release(&parts);
	buf_release(&why);
	return ok;
}

static bool is_regex(struct bi_ctx *cx, struct value text)
{
	struct value got = v_bool(false);

	operand_call(cx, "regex.is_valid", &text, &got);
	return got.tag == V_TRUE;
}

/* Formats that a function or a pattern decides. */
/* clang-format off */
#define LABEL "([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]{0,61}[a-zA-Z0-9])"
#define ATOM "[^\\s\\x00-\\x20()<>\\[\\]:;@\\\\,.\"\\x7f]+"
#define ADDRESS "(" ATOM "(\\." ATOM ")*|\"[^\"]*\")@(" ATOM "(\\." ATOM ")*|\\[[^\\[\\]]*\\])"
#define EMAIL "^\\s*(" ADDRESS "|[^<>@\"]*<" ADDRESS ">)(\\s*\\([^()]*\\))?\\s*$"
static const struct format {
	const char *name;
	bool (*has)(struct bi_ctx *cx, struct value text);
	const char *pattern;
} formats[] = {
	{"date",                  is_date,          NULL},
	{"date-time",             is_date_time,     NULL},
	{"email",                 NULL,             EMAIL},
	{"hostname",              NULL,             "^" LABEL "(\\." LABEL ")*$"},
	{"idn-email",             NULL,             EMAIL},
	{"ipv4",                  is_ipv4,          NULL},
	{"ipv6",                  is_ipv6,          NULL},
	{"iri",                   is_uri,           NULL},
	{"iri-reference",         is_uri_reference, NULL},
	{"json-pointer",          NULL,             "^(?:/(?:[^~/]|~0|~1)*)*$"},
	{"regex",                 is_regex,         NULL},
	{"relative-json-pointer", NULL,             "^(?:0|[1-9][0-9]*)(?:#|(?:/(?:[^~/]|~0|~1)*)*)$"},
	{"time",                  is_time,          NULL},
	{"uri",                   is_uri,           NULL},
	{"uri-reference",         is_uri_reference, NULL},
	{"uri-template",          is_uri_template,  NULL},
	{"uuid",                  NULL,             "^(?i)[a-f0-9]{8}(-[a-f0-9]{4}){3}-[a-f0-9]{12}$"},
};
/* clang-format on */

bool jsonschema_has_format(
	struct bi_ctx *cx, struct str format, struct value text)
{
	for (size_t i = 0; i < COUNT(formats); i++) {
		const struct format *f = &formats[i];

		if (!str_is(format, f->name))
			continue;
		if (f->has)
			return f->has(cx, text);
		return jsonschema_matches(cx, str_from(f->pattern), text) &&
		       (strcmp(f->name, "hostname") != 0 ||
			       text.str->len < 256);
	}
	return true;
}
