#include "server/ops.h"

#include "base/date.h"
#include "base/json.h"
#include "base/quantity.h"
#include "canary/channel.h"
#include "server/service.h"
#include "server/service_ops.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- the table ------------------------------------------------------------ */

static const struct op *const all[] = {
	&op_abort,
	&op_audit_export,
	&op_audit_verify,
	&op_channels,
	&op_decisions_gaps,
	&op_decisions_quarantine,
	&op_decisions_query,
	&op_decisions_rebuild,
	&op_decisions_show,
	&op_decisions_tail,
	&op_decisions_verify,
	&op_diff,
	&op_doctor,
	&op_extend,
	&op_freeze,
	&op_fsck,
	&op_history,
	&op_hold,
	&op_pardon,
	&op_pin,
	&op_ping,
	&op_promote,
	&op_publish,
	&op_quarantine,
	&op_retry,
	&op_rollback,
	&op_rollout_list,
	&op_rollout_plan,
	&op_rollout_show,
	&op_rollout_start,
	&op_status,
	&op_targets,
	&op_unfreeze,
	&op_unpin,
	&op_verdict,
	&op_versions,
	&op_why,
};

const struct op *const *ops_all(size_t *n)
{
	*n = COUNT(all);
	return all;
}

const struct op *op_find(const char *name)
{
	for (size_t i = 0; i < COUNT(all); i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}

/* --- codes ---------------------------------------------------------------- */

/* clang-format off */
static const struct {
	const char *name;
	unsigned status;
} codes[OP_CODES] = {
	[OP_OK]            = {"ok",            200},
	[OP_ERROR]         = {"error",         500},
	[OP_USAGE]         = {"usage",         400},
	[OP_FAILED]        = {"failed",        422},
	[OP_DENIED]        = {"denied",        403},
	[OP_MISSING]       = {"not-found",     404},
	[OP_CONFLICT]      = {"conflict",      409},
	[OP_VERDICT_FAIL]  = {"fail",          200},
	[OP_PENDING]       = {"pending",       200},
	[OP_FROZEN]        = {"frozen",        423},
	[OP_NOT_CONVERGED] = {"not-converged", 200},
	[OP_INTEGRITY]     = {"integrity",     422},
	[OP_REPLAY]        = {"replay",        422},
};
/* clang-format on */

/* "busy", "not found": when an operation says nothing nearer. */
static const char *op_code_name(enum op_code c)
{
	return codes[c].name;
}

unsigned op_code_status(enum op_code c)
{
	return codes[c].status;
}

enum op_code op_code_of(enum status st)
{
	static const enum op_code by_status[] = {
		[E_INVALID] = OP_INTEGRITY,
		[E_NOT_FOUND] = OP_MISSING,
		[E_EXISTS] = OP_CONFLICT,
		[E_LIMIT] = OP_ERROR,
		[E_IO] = OP_ERROR,
		[E_DENIED] = OP_DENIED,
		[E_CONFLICT] = OP_CONFLICT,
		[E_CANCELED] = OP_ERROR,
		[E_UNSUPPORTED] = OP_ERROR,
	};

	return st ? by_status[st] : OP_OK;
}

enum op_code op_fail(struct op_call *c, enum op_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->err->text, sizeof(c->err->text), fmt, ap);
	va_end(ap);
	return code;
}

/* --- arguments ------------------------------------------------------------ */

static const struct op_arg *find(const struct op_call *c, const char *name)
{
	for (size_t i = 0; i < c->nargs; i++)
		if (str_is(c->args[i].name, name))
			return &c->args[i];
	return NULL;
}

bool op_given(const struct op_call *c, const char *name)
{
	return find(c, name) != NULL;
}

struct str op_text(const struct op_call *c, const char *name)
{
	const struct op_arg *x = find(c, name);

	return x ? x->value : S("");
}

bool op_bool(const struct op_call *c, const char *name)
{
	return str_is(op_text(c, name), "true");
}

static bool read_int(struct str s, int64_t *out)
{
	return json_int(s, out) && *out >= 0;
}

static bool read_duration(struct str s, struct arena *a, int64_t *out)
{
	return quantity_duration(arena_strdup(a, s), out) && *out >= 0;
}

int64_t op_int(const struct op_call *c, const char *name, int64_t missing)
{
	int64_t n;

	return read_int(op_text(c, name), &n) ? n : missing;
}

int64_t op_duration(const struct op_call *c, const char *name, int64_t missing)
{
	int64_t ns;

	return read_duration(op_text(c, name), c->a, &ns) ? ns : missing;
}

int64_t op_time(const struct op_call *c, const char *name, int64_t missing)
{
	int64_t ns;

	return instant_parse(op_text(c, name), &ns, NULL) ? ns : missing;
}

size_t op_list(const struct op_call *c, const char *name, struct str **out)
{
	size_t n = 0;

	*out = ARENA_ARRAY(c->a, struct str, c->nargs);
	for (size_t i = 0; i < c->nargs; i++)
		if (str_is(c->args[i].name, name))
			(*out)[n++] = c->args[i].value;
	return n;
}

/* --- checks --------------------------------------------------------------- */

static const struct op_param *param(const struct op *op, struct str name)
{
	for (size_t i = 0; i < op->nparams; i++)
		if (str_is(name, op->params[i].name))
			return &op->params[i];
	return NULL;
}

/* NULL: it is fine; else what it must be. */
static const char *must_be(
	const struct op_param *p, struct str v, struct arena *a)
{
	int64_t n;

	switch (p->kind) {
	case PARAM_TEXT:
	case PARAM_LIST:
		return utf8_valid(v.ptr, v.len) ? NULL : "UTF-8";
	case PARAM_BOOL:
		return str_is(v, "true") || str_is(v, "false")
			       ? NULL
			       : "true or false";
	case PARAM_INT:
		return read_int(v, &n) ? NULL : "a whole number from 0 on";
	case PARAM_DURATION:
		return read_duration(v, a, &n) ? NULL
					       : "a duration like 90s or 1h30m";
	case PARAM_TIME:
		return instant_parse(v, &n, NULL)
			       ? NULL
			       : "a time like 2026-06-30T12:00:00Z";
	}
	return NULL;
}

static const char *nearest(const struct op *op, const char *name)
{
	const char *best = NULL;
	unsigned least = 3;

	for (size_t i = 0; i < op->nparams; i++) {
		unsigned far = str_distance(name, op->params[i].name);

		if (far < least) {
			least = far;
			best = op->params[i].name;
		}
	}
	return best;
}

static enum op_code check_arg(
	const struct op *op, struct op_call *c, const struct op_arg *x)
{
	const struct op_param *p = param(op, x->name);
	const char *near, *must;

	if (!p) {
		near = nearest(op, arena_strdup(c->a, x->name));
		return op_fail(c, OP_USAGE, "%s takes no \"%.*s\"%s%s%s",
			op->name, STR_ARG(x->name),
			near ? "; did you mean " : "", near ? near : "",
			near ? "?" : "");
	}
	if (p->kind != PARAM_LIST && find(c, p->name) != x)
		return op_fail(c, OP_USAGE, "%s: \"%s\" is given twice",
			op->name, p->name);
	must = must_be(p, x->value, c->a);
	if (must)
		return op_fail(c, OP_USAGE, "%s is \"%.*s\", must be %s",
			p->name, STR_ARG(x->value), must);
	return OP_OK;
}

static enum op_code check(const struct op *op, struct op_call *c)
{
	enum op_code code = OP_OK;

	if (op->roles && !(op->roles & c->roles))
		return op_fail(c, OP_DENIED, "%.*s may not do %s",
			STR_ARG(c->who), op->name);
	for (size_t i = 0; !code && i < c->nargs; i++)
		code = check_arg(op, c, &c->args[i]);
	for (size_t i = 0; !code && i < op->nparams; i++)
		if (op->params[i].required &&
			!op_text(c, op->params[i].name).len)
			code = op_fail(c, OP_USAGE, "%s needs \"%s\": %s",
				op->name, op->params[i].name,
				op->params[i].help);
	return code;
}

/* --- running -------------------------------------------------------------- */

static void write_failure(
	struct buf *out, enum op_code code, const struct op_call *c)
{
	buf_adds(out, "{\"error\":{\"code\":");
	json_quote(out, str_from(c->code ? c->code : op_code_name(code)));
	buf_addf(out, ",\"exit\":%u,\"text\":", code);
	json_quote(out, str_from(c->err->text));
	buf_adds(out, "}}");
}

enum op_code op_run(struct service *s, const struct op *op, struct op_call *c,
	struct buf *out)
{
	struct err e = {0};
	size_t before = out->len;
	enum op_code code;

	c->err = &e;
	c->code = NULL;
	code = check(op, c);
	if (!code) {
		if (op->state)
			service_lock(s);
		code = op->run(s, c, out);
		if (op->state)
			service_unlock(s);
		if (op->state && !strcmp(op->method, "POST"))
			service_changed(s);
	}
	if (code && e.text[0]) {
		out->len = before;
		write_failure(out, code, c);
	}
	c->err = NULL;
	return code;
}

int64_t op_channel_roles(const struct op_call *c)
{
	static const struct {
		unsigned role;
		enum channel_role of;
	} roles[] = {
		{SERVER_CI, ROLE_CI},
		{SERVER_RELEASE, ROLE_RELEASE},
		{SERVER_ONCALL, ROLE_ONCALL},
	};
	int64_t all_of_them = 0;

	for (size_t i = 0; i < COUNT(roles); i++)
		if (c->roles & roles[i].role)
			all_of_them |= roles[i].of;
	return all_of_them;
}

/* --- who is there --------------------------------------------------------- */

static enum op_code ping(struct service *s, struct op_call *c, struct buf *out)
{
	(void)s;
	buf_adds(out, "{\"kind\":\"ping\",\"who\":");
	json_quote(out, c->who);
	buf_adds(out, ",\"roles\":[");
	for (unsigned role = 1, n = 0; role < SERVER_EVERYONE; role <<= 1)
		if (c->roles & role)
			buf_addf(out, "%s\"%s\"", n++ ? "," : "",
				server_role_name(role));
	buf_adds(out, "]}");
	return OP_OK;
}

const struct op op_ping = {
	.name = "ping",
	.method = "GET",
	.pattern = "/v1/ping",
	.summary = "Say who the caller is and what the caller may do",
	.run = ping,
};
