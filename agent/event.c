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
		",\"metrics\":{\"timer_rego_query_eval_ns\":%" PRId64
		",\"timer_server_handler_ns\":%" PRId64 "},\"req_id\":%" PRIu64
		"}",
		e->took_ns, e->took_ns + 20000, e->serial);
}

/* --- status --------------------------------------------------------------- */

static void write_requests(struct buf *out, const char *code, uint64_t n)
{
	buf_addf(out,
		"{\"label\":[{\"name\":\"code\",\"value\":\"%s\"},"
		"{\"name\":\"handler\",\"value\":\"v1/data\"},"
		"{\"name\":\"method\",\"value\":\"post\"}],"
		"\"histogram\":{\"sampleCount\":\"%" PRIu64 "\"}}",
		code, n);
}

static void write_bundle(struct buf *out, const struct agent *a,
	const struct fleet_config *c, int64_t now)
{
	json_quote(out, c->bundle);
	buf_adds(out, ":{\"name\":");
	json_quote(out, c->bundle);
	if (a->program) {
		buf_adds(out, ",\"active_revision\":");
		json_quote(out, a->program->revision);
		buf_adds(out, ",\"last_successful_activation\":");
		write_time(out, a->activated_ns);
		buf_addf(out, ",\"type\":\"snapshot\",\"size\":%zu",
			a->program->size);
	}
	buf_adds(out, ",\"last_request\":");
	write_time(out, now);
	if (a->error.len) {
		buf_adds(out, ",\"code\":\"bundle_error\",\"message\":");
		json_quote(out, a->error);
	}
	buf_addc(out, '}');
}

void status_write(struct buf *out, const struct agent *a,
	const struct fleet_config *c, int64_t wall_ns)
{
	buf_adds(out, "{\"labels\":");
	write_labels(out, a);
	buf_adds(out, ",\"bundles\":{");
	write_bundle(out, a, c, wall_ns);
	buf_adds(out, "},\"metrics\":{\"prometheus\":{"
		      "\"http_request_duration_seconds\":{\"name\":"
		      "\"http_request_duration_seconds\",\"metric\":[");
	write_requests(out, "200", a->decided);
	if (a->failed) {
		buf_addc(out, ',');
		write_requests(out, "500", a->failed);
	}
	buf_addf(out, "]}}},\"plugins\":{\"bundle\":{\"state\":\"%s\"}}}",
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
