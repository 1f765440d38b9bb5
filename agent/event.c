/* What agents send, member by member as OPA does. */
#include "agent/internal.h"

#include "base/date.h"
#include "base/json.h"

#include <inttypes.h>
#include <string.h>
#include <zlib.h>

static void write_time(struct buf *out, int64_t ns)
{
	buf_addc(out, '"');
	instant_text_whole(out, ns);
	buf_addc(out, '"');
}

static void write_uuid(struct buf *out, const unsigned char r[16])
{
	for (int i = 0; i < 16; i++) {
		unsigned char c = r[i];

		if (i == 6)
			c = (unsigned char)((c & 0x0f) | 0x40);
		if (i == 8)
			c = (unsigned char)((c & 0x3f) | 0x80);
		if (i == 4 || i == 6 || i == 8 || i == 10)
			buf_addc(out, '-');
		buf_addf(out, "%02x", c);
	}
}

static void write_labels(struct buf *out, const struct agent *a)
{
	buf_adds(out, "{\"id\":");
	json_quote(out, a->id);
	for (size_t i = 0; i < a->group->nlabels; i++) {
		buf_addc(out, ',');
		json_quote(out, a->group->labels[i].key);
		buf_addc(out, ':');
		json_quote(out, a->group->labels[i].value);
	}
	buf_adds(out, ",\"target\":");
	json_quote(out, a->name);
	buf_adds(out, ",\"version\":\"1.22.2\"}");
}

void event_write(struct buf *out, const struct event *e,
	const struct fleet_config *c, const unsigned char random[16])
{
	buf_adds(out, "{\"labels\":");
	write_labels(out, e->a);
	buf_adds(out, ",\"decision_id\":\"");
	write_uuid(out, random);
	buf_adds(out, "\",\"bundles\":{");
	json_quote(out, c->bundle);
	buf_adds(out, ":{\"revision\":");
	json_quote(out, e->a->program->revision);
	buf_adds(out, "}},\"path\":");
	json_quote(out, e->path);
	buf_adds(out, ",\"input\":");
	buf_addstr(out, e->input);
	if (e->kind == DECIDED)
		buf_addf(out, ",\"result\":%.*s", STR_ARG(e->result));
	if (e->kind == DECIDED_ERROR)
		buf_addf(out, ",\"error\":%.*s", STR_ARG(e->result));
	buf_adds(out, ",\"requested_by\":\"127.0.0.1:1\",\"timestamp\":");
	write_time(out, e->wall_ns);
	buf_addf(out,
		",\"metrics\":{\"counter_server_query_cache_hit\":1,"
		"\"timer_rego_input_parse_ns\":%" PRId64
		",\"timer_rego_query_eval_ns\":%" PRId64
		",\"timer_server_handler_ns\":%" PRId64 "},\"req_id\":%" PRIu64
		"}",
		e->took_ns / 10, e->took_ns, e->took_ns + 20000, e->serial);
}

/* --- status --------------------------------------------------------------- */

/* Bounds of OPA's buckets, in seconds. */
static const double bounds[BUCKETS] = {
	1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 1e-2, 0.1, 1};

void answered_add(struct answered *a, int64_t ns)
{
	double seconds = (double)ns / (double)NS_PER_S;

	a->n++;
	a->seconds += seconds;
	for (size_t i = 0; i < BUCKETS; i++)
		a->at[i] += seconds <= bounds[i];
}

static void write_requests(
	struct buf *out, const char *code, const struct answered *a)
{
	if (!a->n) /* a family has what has happened */
		return;
	if (out->ptr[out->len - 1] != '[')
		buf_addc(out, ',');
	buf_addf(out,
		"{\"label\":[{\"name\":\"code\",\"value\":\"%s\"},"
		"{\"name\":\"handler\",\"value\":\"v1/data\"},"
		"{\"name\":\"method\",\"value\":\"post\"}],"
		"\"histogram\":{\"sampleCount\":\"%" PRIu64
		"\",\"sampleSum\":%.9g,\"bucket\":[",
		code, a->n, a->seconds);
	for (size_t i = 0; i < BUCKETS; i++)
		buf_addf(out,
			"%s{\"cumulativeCount\":\"%" PRIu64
			"\",\"upperBound\":%g}",
			i ? "," : "", a->at[i], bounds[i]);
	buf_adds(out, "]}}");
}

/* OPA's own counters are bare numbers, there from their first count on. */
static void write_metrics(struct buf *out, const struct agent *a)
{
	buf_adds(out, ",\"metrics\":{\"prometheus\":{");
	if (a->log.dropped)
		buf_addf(out,
			"\"counter_enc_log_exceeded_upload_size_limit_bytes\":"
			"%" PRIu64 ",",
			a->log.dropped);
	buf_adds(out,
		"\"http_request_duration_seconds\":{\"name\":"
		"\"http_request_duration_seconds\",\"help\":\"A histogram of "
		"duration for requests.\",\"type\":\"HISTOGRAM\",\"metric\":[");
	write_requests(out, "200", &a->decided);
	write_requests(out, "500", &a->failed);
	buf_adds(out, "]}}}");
}

static const char *status_text(unsigned code)
{
	static const struct {
		unsigned code;
		const char *text;
	} texts[] = {
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{413, "Request Entity Too Large"},
		{429, "Too Many Requests"},
		{500, "Internal Server Error"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
	};

	for (size_t i = 0; i < COUNT(texts); i++)
		if (texts[i].code == code)
			return texts[i].text;
	return "";
}

static void write_named_time(struct buf *out, const char *name, int64_t ns)
{
	buf_addf(out, ",\"%s\":", name);
	if (ns)
		write_time(out, ns);
	else
		buf_adds(out, "\"0001-01-01T00:00:00Z\"");
}

/* In OPA's order. */
static void write_bundle(
	struct buf *out, const struct agent *a, const struct fleet_config *c)
{
	json_quote(out, c->bundle);
	buf_adds(out, ":{\"name\":");
	json_quote(out, c->bundle);
	if (a->program && a->program->revision.len) {
		buf_adds(out, ",\"active_revision\":");
		json_quote(out, a->program->revision);
	}
	write_named_time(out, "last_successful_activation", a->activated_ns);
	if (a->program)
		buf_addf(out, ",\"type\":\"snapshot\",\"size\":%zu",
			a->program->size);
	write_named_time(out, "last_successful_download", a->downloaded_ns);
	write_named_time(out, "last_successful_request", a->answered_ns);
	write_named_time(out, "last_request", a->asked_ns);
	if (a->error.len || a->http_code)
		buf_adds(out, ",\"code\":\"bundle_error\",\"message\":");
	if (a->http_code)
		buf_addf(out, "\"server replied with %s\"",
			status_text(a->http_code));
	else if (a->error.len)
		json_quote(out, a->error);
	buf_addf(out, ",\"metrics\":{\"timer_bundle_request_ns\":%" PRId64 "}",
		a->took_ns);
	if (a->http_code)
		buf_addf(out, ",\"http_code\":%u", a->http_code);
	buf_addc(out, '}');
}

static void write_log_status(
	struct buf *out, const struct agent *a, const struct fleet_config *c)
{
	if (!a->sent)
		return;
	buf_adds(out, ",\"decision_logs\":{");
	if (a->log_lost)
		buf_addf(out,
			"\"code\":\"decision_log_error\",\"message\":"
			"\"log upload failed: Post \\\"http://%s:%s/logs\\\": "
			"EOF\"",
			c->host, c->port);
	else if (a->log_code)
		buf_addf(out,
			"\"code\":\"decision_log_error\",\"message\":"
			"\"log upload failed, server replied with HTTP %u "
			"%s\",\"http_code\":%u",
			a->log_code, status_text(a->log_code), a->log_code);
	buf_addc(out, '}');
}

void status_write(
	struct buf *out, const struct agent *a, const struct fleet_config *c)
{
	buf_adds(out, "{\"labels\":");
	write_labels(out, a);
	/* Before the first answer nothing is known of a bundle. */
	if (a->asked_ns) {
		buf_adds(out, ",\"bundles\":{");
		write_bundle(out, a, c);
		buf_addc(out, '}');
	}
	write_log_status(out, a, c);
	write_metrics(out, a);
	buf_addf(out,
		",\"plugins\":{\"bundle\":{\"state\":\"%s\"},"
		"\"decision_logs\":{\"state\":\"OK\"},"
		"\"discovery\":{\"state\":\"OK\"},"
		"\"status\":{\"state\":\"OK\"}}}",
		a->program ? "OK" : "NOT_READY");
}

/* --- gzip ----------------------------------------------------------------- */

void gzip_write(struct buf *out, struct str text)
{
	z_stream z = {0};
	uLong max;

	if (deflateInit2(&z, 1, Z_DEFLATED, MAX_WBITS + 16, MAX_MEM_LEVEL - 1,
		    Z_DEFAULT_STRATEGY) != Z_OK)
		die("out of memory: deflate");
	max = deflateBound(&z, text.len);
	z.next_in = (Bytef *)(uintptr_t)text.ptr;
	z.avail_in = (uInt)text.len;
	z.next_out = (Bytef *)buf_reserve(out, max);
	z.avail_out = (uInt)max;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		die("deflate did not end");
	out->len += max - z.avail_out;
	deflateEnd(&z);
}
