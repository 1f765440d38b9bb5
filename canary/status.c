#include "canary/status.h"

#include "base/date.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

static struct str text_of(struct str object, const char *name, struct arena *a)
{
	struct str span, out;
	struct buf text = {0};

	if (!json_member(object, str_from(name), &span) ||
		json_kind(span) != JSON_STRING)
		return S("");
	json_text(&text, span);
	out = arena_str(a, buf_str(&text));
	buf_release(&text);
	return out;
}

/* --- labels --------------------------------------------------------------- */

static void add_label(struct agent_status *s, struct arena *a, uint32_t *cap,
	struct str key, struct str value)
{
	static const struct {
		const char *name;
		size_t at;
	} own[] = {
		{"id", offsetof(struct agent_status, id)},
		{"version", offsetof(struct agent_status, version)},
		{"target", offsetof(struct agent_status, target)},
	};

	for (size_t i = 0; i < COUNT(own); i++)
		if (str_is(key, own[i].name)) {
			memcpy((char *)s + own[i].at, &value, sizeof(value));
			return;
		}
	if (s->nlabels == STATUS_LABELS_MAX)
		return;
	s->labels =
		arena_grow(a, s->labels, s->nlabels, cap, sizeof(*s->labels));
	s->labels[s->nlabels++] = (struct label){key, value};
}

static void read_labels(
	struct agent_status *s, struct str labels, struct arena *a)
{
	struct json_iter it = json_iter(labels);
	uint32_t cap = 0;

	while (json_kind(labels) == JSON_OBJECT && json_next(&it)) {
		struct buf key = {0}, value = {0};

		if (json_kind(it.value) != JSON_STRING)
			continue;
		json_text(&key, it.key);
		json_text(&value, it.value);
		add_label(s, a, &cap, arena_str(a, buf_str(&key)),
			arena_str(a, buf_str(&value)));
		buf_release(&key);
		buf_release(&value);
	}
}

/* --- bundles -------------------------------------------------------------- */

/* "/authz/p.rego:3: undefined function nope" */
static struct str first_error(struct str bundle, struct arena *a)
{
	struct str errors, file, message, row, where;
	struct json_iter it;

	if (!json_member(bundle, S("errors"), &errors) ||
		json_kind(errors) != JSON_ARRAY)
		return S("");
	it = json_iter(errors);
	if (!json_next(&it) || json_kind(it.value) != JSON_OBJECT)
		return S("");
	message = text_of(it.value, "message", a);
	if (!json_member(it.value, S("location"), &where) ||
		json_kind(where) != JSON_OBJECT)
		return message;
	file = text_of(where, "file", a);
	if (!json_member(where, S("row"), &row))
		row = S("?");
	return str_from(arena_printf(a, "%.*s:%.*s: %.*s", STR_ARG(file),
		STR_ARG(row), STR_ARG(message)));
}

static int64_t instant_of(struct str object, const char *name, struct arena *a)
{
	int64_t ns;

	/* The year 1 stands for never; it is out of range. */
	return instant_parse(text_of(object, name, a), &ns, NULL) ? ns : 0;
}

static void add_bundle(struct agent_status *s, struct arena *a, uint32_t *cap,
	struct str name, struct str b)
{
	struct status_bundle *x;
	struct str code;

	if (json_kind(b) != JSON_OBJECT || s->nbundles == STATUS_BUNDLES_MAX)
		return;
	s->bundles = arena_grow(
		a, s->bundles, s->nbundles, cap, sizeof(*s->bundles));
	x = &s->bundles[s->nbundles++];
	*x = (struct status_bundle){.name = text_of(b, "name", a),
		.revision = text_of(b, "active_revision", a),
		.code = text_of(b, "code", a),
		.message = text_of(b, "message", a),
		.detail = first_error(b, a),
		.activated_ns = instant_of(b, "last_successful_activation", a)};
	if (name.len)
		x->name = name;
	/* A number of today, a text of older agents. */
	if (json_member(b, S("http_code"), &code) &&
		!json_int(code, &x->http_code))
		x->http_code = strtoll(
			arena_strdup(a, text_of(b, "http_code", a)), NULL, 10);
}

static void read_bundles(
	struct agent_status *s, struct str bundles, struct arena *a)
{
	struct json_iter it = json_iter(bundles);
	uint32_t cap = 0;

	while (json_kind(bundles) == JSON_OBJECT && json_next(&it)) {
		struct buf name = {0};

		json_text(&name, it.key);
		add_bundle(s, a, &cap, arena_str(a, buf_str(&name)), it.value);
		buf_release(&name);
	}
}

struct str status_bundle_error(const struct status_bundle *b, struct arena *a)
{
	if (!b->code.len)
		return S("");
	if (b->detail.len)
		return str_from(arena_printf(a, "%.*s: %.*s",
			STR_ARG(b->message), STR_ARG(b->detail)));
	return b->message.len ? b->message : b->code;
}

struct str status_bundle_refusal(const struct status_bundle *b, struct arena *a)
{
	if (b->http_code || str_starts(b->message, S("request failed: ")))
		return S("");
	return status_bundle_error(b, a);
}

/* --- counters ------------------------------------------------------------- */

/* The protobuf form of JSON writes 64 bits as text. */
static uint64_t count_of(struct str object, const char *name, struct arena *a)
{
	struct str span;
	int64_t n;
	double d;

	if (!json_member(object, str_from(name), &span))
		return 0;
	if (json_int(span, &n))
		return n > 0 ? (uint64_t)n : 0;
	if (json_kind(span) == JSON_STRING)
		span = text_of(object, name, a);
	d = strtod(arena_strdup(a, span), NULL);
	return d > 0 && d < 1e18 ? (uint64_t)d : 0;
}

static bool has_label(struct str metric, const char *name, const char *value)
{
	struct str labels, key, is;
	struct json_iter it;

	if (!json_member(metric, S("label"), &labels) ||
		json_kind(labels) != JSON_ARRAY)
		return false;
	it = json_iter(labels);
	while (json_next(&it))
		if (json_kind(it.value) == JSON_OBJECT &&
			json_member(it.value, S("name"), &key) &&
			json_member(it.value, S("value"), &is) &&
			json_text_is(key, str_from(name)))
			return json_text_is(is, str_from(value));
	return false;
}

/* What the data API answered; 404 and the like decided nothing. */
static bool is_decision(struct str metric)
{
	return (has_label(metric, "handler", "v1/data") ||
		       has_label(metric, "handler", "v0/data") ||
		       has_label(metric, "handler", "index")) &&
	       (has_label(metric, "code", "200") ||
		       has_label(metric, "code", "500"));
}

/* The metrics of a family; none, where it has not the shape of one. */
static struct json_iter metrics_of(struct str family)
{
	struct str metrics;

	if (json_kind(family) == JSON_OBJECT &&
		json_member(family, S("metric"), &metrics) &&
		json_kind(metrics) == JSON_ARRAY)
		return json_iter(metrics);
	return (struct json_iter){0};
}

static bool next_object(struct json_iter *it)
{
	while (json_next(it))
		if (json_kind(it->value) == JSON_OBJECT)
			return true;
	return false;
}

static uint64_t requests(struct str family, struct arena *a)
{
	struct json_iter it = metrics_of(family);
	struct str histogram;
	uint64_t n = 0;

	while (next_object(&it))
		if (is_decision(it.value) &&
			json_member(it.value, S("histogram"), &histogram) &&
			json_kind(histogram) == JSON_OBJECT)
			n += count_of(histogram, "sampleCount", a);
	return n;
}

/* OPA writes its own counters as bare numbers, not as families. */
static uint64_t dropped(struct str family, struct arena *a)
{
	struct json_iter it = metrics_of(family);
	struct str value;
	uint64_t n = 0;
	int64_t bare;

	if (json_int(family, &bare))
		return bare > 0 ? (uint64_t)bare : 0;
	while (next_object(&it))
		if ((json_member(it.value, S("counter"), &value) ||
			    json_member(it.value, S("untyped"), &value) ||
			    json_member(it.value, S("gauge"), &value)) &&
			json_kind(value) == JSON_OBJECT)
			n += count_of(value, "value", a);
	return n;
}

static void read_metrics(
	struct agent_status *s, struct str families, struct arena *a)
{
	static const struct str names[] = {
		STR("http_request_duration_seconds"),
		STR("counter_decision_logs_dropped_buffer_size_limit_exceeded"),
		STR("counter_decision_logs_dropped_buffer_size_limit_bytes_"
		    "exceeded"),
		STR("counter_decision_logs_dropped_rate_limit_exceeded"),
		STR("counter_decision_logs_encoding_failure"),
		STR("counter_enc_log_exceeded_upload_size_limit_bytes"),
	};
	struct str got[COUNT(names)];

	if (json_kind(families) != JSON_OBJECT)
		return;
	/* A family is there from its first count on. */
	s->counted = true;
	json_members(families, names, COUNT(names), got);
	s->requests = requests(got[0], a);
	/* A buffer of bytes that is full counts in both of the first two. */
	s->dropped = dropped(got[1], a);
	if (dropped(got[2], a) > s->dropped)
		s->dropped = dropped(got[2], a);
	for (size_t i = 3; i < COUNT(names); i++)
		s->dropped += dropped(got[i], a);
}

/* --- the whole ------------------------------------------------------------ */

enum status agent_status_parse(struct agent_status *out, struct str text,
	struct arena *a, struct err *e)
{
	static const struct str names[] = {STR("labels"), STR("bundles"),
		STR("bundle"), STR("decision_logs"), STR("metrics")};
	struct str doc, got[COUNT(names)], families;
	uint32_t cap = 0;
	enum status st;

	*out = (struct agent_status){0};
	if (text.len > STATUS_BYTES_MAX)
		return err_set(e, E_LIMIT, "a status has more than %d bytes",
			STATUS_BYTES_MAX);
	st = json_check(text, NULL, &doc, e);
	if (st)
		return st;
	if (json_kind(doc) != JSON_OBJECT)
		return err_set(e, E_INVALID, "a status is one object");
	json_members(doc, names, COUNT(names), got);
	if (got[0].len)
		read_labels(out, got[0], a);
	if (got[1].len)
		read_bundles(out, got[1], a);
	else if (got[2].len)
		add_bundle(out, a, &cap, S(""), got[2]);
	if (json_kind(got[3]) == JSON_OBJECT)
		out->log_error = text_of(got[3], "message", a);
	if (json_kind(got[4]) == JSON_OBJECT &&
		json_member(got[4], S("prometheus"), &families))
		read_metrics(out, families, a);
	return OK;
}
