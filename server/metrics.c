#include "server/internal.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* clang-format off */
static const unsigned statuses[] = {
	200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 409, 412, 413, 414,
	422, 429, 431, 500, 503, 0 /* any other */
};
static const int64_t bounds_us[] = {
	100, 1000, 10000, 100000, 1000000, 10000000, 100000000
};
static const char *const refusals[REFUSE_KINDS] = {
	[REFUSE_CONNECTIONS] = "connections",
	[REFUSE_SLOW] = "slow",
	[REFUSE_FRAMING] = "framing",
	[REFUSE_HEADERS] = "headers",
	[REFUSE_BODY] = "body",
	[REFUSE_BUSY] = "busy",
	[REFUSE_TOKEN] = "token",
	[REFUSE_ROLE] = "role",
};
/* clang-format on */

struct route_metrics {
	_Atomic uint64_t by_status[COUNT(statuses)];
	_Atomic uint64_t within[COUNT(bounds_us) + 1];
	_Atomic uint64_t ns, bytes;
};

struct metrics {
	_Atomic uint64_t refused[REFUSE_KINDS], mismatched;
	struct route_metrics routes[]; /* one more: of no route */
};

void metrics_new(struct server *s)
{
	s->metrics = calloc(
		1, sizeof(*s->metrics) +
			   (s->nroutes + 1) * sizeof(s->metrics->routes[0]));
	if (!s->metrics)
		die("out of memory: metrics");
}

static size_t status_index(unsigned status)
{
	size_t i = 0;

	while (statuses[i] && statuses[i] != status)
		i++;
	return i;
}

void metrics_count(struct server *s, const struct route *route, unsigned status,
	int64_t ns, size_t bytes)
{
	size_t at = route ? (size_t)(route - s->routes) : s->nroutes, i = 0;
	struct route_metrics *m = &s->metrics->routes[at];

	while (i < COUNT(bounds_us) && ns > bounds_us[i] * NS_PER_US)
		i++;
	m->by_status[status_index(status)]++;
	m->within[i]++;
	m->ns += (uint64_t)ns;
	m->bytes += bytes;
}

void metrics_refuse(struct server *s, enum refusal why)
{
	s->metrics->refused[why]++;
}

void metrics_mismatch(struct server *s)
{
	s->metrics->mismatched++;
}

/* Rows with one label are one series. */
static const char *label(const struct server *s, size_t i)
{
	return i < s->nroutes ? s->routes[i].label : "none";
}

static uint64_t value(const _Atomic uint64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

static bool same_series(const struct server *s, size_t a, size_t b)
{
	return !strcmp(label(s, a), label(s, b));
}

/* Whether a row before this one has the label: then it was written there. */
static bool written(const struct server *s, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (same_series(s, k, i))
			return true;
	return false;
}

/* The sum of one counter over the rows of a series. */
static uint64_t sum(const struct server *s, size_t i, size_t offset)
{
	uint64_t n = 0;

	for (size_t k = i; k <= s->nroutes; k++)
		if (same_series(s, k, i))
			n += value((const _Atomic uint64_t *)(const void
					*)((const char *)&s->metrics
						   ->routes[k] +
					   offset));
	return n;
}

#define SUM(i, field) sum(s, i, offsetof(struct route_metrics, field))

static void write_requests(const struct server *s, struct buf *out)
{
	buf_adds(out, "# TYPE regatta_http_requests_total counter\n");
	for (size_t i = 0; i <= s->nroutes; i++)
		for (size_t k = 0; !written(s, i) && k < COUNT(statuses); k++) {
			uint64_t n = sum(s, i,
				offsetof(struct route_metrics, by_status) +
					k * sizeof(uint64_t));

			if (n)
				buf_addf(out,
					"regatta_http_requests_total{route="
					"\"%s\",code=\"%u\"} %llu\n",
					label(s, i), statuses[k],
					(unsigned long long)n);
		}
}

static void write_durations(const struct server *s, struct buf *out)
{
	buf_adds(out, "# TYPE regatta_http_request_seconds histogram\n");
	for (size_t i = 0; i <= s->nroutes; i++) {
		unsigned long long n = 0;

		if (written(s, i))
			continue;
		for (size_t k = 0; k <= COUNT(bounds_us); k++) {
			n += sum(s, i,
				offsetof(struct route_metrics, within) +
					k * sizeof(uint64_t));
			buf_addf(out,
				"regatta_http_request_seconds_bucket{route="
				"\"%s\",le=\"",
				label(s, i));
			if (k < COUNT(bounds_us))
				buf_addf(out, "%g", (double)bounds_us[k] / 1e6);
			else
				buf_adds(out, "+Inf");
			buf_addf(out, "\"} %llu\n", n);
		}
		buf_addf(out,
			"regatta_http_request_seconds_sum{route=\"%s\"} %.9f\n"
			"regatta_http_request_seconds_count{route=\"%s\"} "
			"%llu\n",
			label(s, i), (double)SUM(i, ns) / 1e9, label(s, i), n);
	}
}

static void write_bytes(const struct server *s, struct buf *out)
{
	buf_adds(out, "# TYPE regatta_http_sent_bytes_total counter\n");
	for (size_t i = 0; i <= s->nroutes; i++)
		if (!written(s, i))
			buf_addf(out,
				"regatta_http_sent_bytes_total{route=\"%s\"} "
				"%llu\n",
				label(s, i), (unsigned long long)SUM(i, bytes));
}

static void write_gauge(struct buf *out, const char *name, size_t n)
{
	buf_addf(out, "# TYPE %s gauge\n%s %zu\n", name, name, n);
}

void metrics_write(struct server *s, struct buf *out)
{
	write_requests(s, out);
	write_durations(s, out);
	write_bytes(s, out);
	buf_adds(out, "# TYPE regatta_http_refused_total counter\n");
	for (size_t i = 0; i < REFUSE_KINDS; i++)
		buf_addf(out,
			"regatta_http_refused_total{reason=\"%s\"} %llu\n",
			refusals[i],
			(unsigned long long)value(&s->metrics->refused[i]));
	buf_addf(out,
		"# TYPE regatta_http_target_mismatches_total counter\n"
		"regatta_http_target_mismatches_total %llu\n",
		(unsigned long long)value(&s->metrics->mismatched));
	write_gauge(out, "regatta_http_connections", s->nconns);
	write_gauge(out, "regatta_http_in_flight", s->in_flight);
	write_gauge(out, "regatta_http_waiting_polls", s->waiting);
	write_gauge(out, "regatta_http_upload_bytes", s->bodies);
	if (s->cfg.metrics)
		s->cfg.metrics(s->cfg.user, out);
}

/* --- the access log ---------------------------------------------------------
 */

static void add_time(struct buf *out, int64_t wall)
{
	time_t seconds = (time_t)(wall / NS_PER_S);
	char text[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_addf(out, "{\"time\":\"%s.%03dZ\"", text,
		(int)(wall % NS_PER_S / NS_PER_MS));
}

static void add_text(struct buf *out, const char *key, struct str value_text)
{
	if (!value_text.len)
		return;
	buf_addf(out, ",\"%s\":", key);
	json_quote(out, value_text);
}

/* The path without its query; never a header. */
void access_log(struct server *s, const struct request *r, bool whole)
{
	struct buf line = {0};

	if (!s->cfg.log)
		return;
	add_time(&line, clock_wall(s->cfg.clock));
	add_text(&line, "address", str_from(r->conn->address));
	add_text(&line, "method", r->pub.method);
	add_text(&line, "path", r->pub.path);
	buf_addf(&line,
		",\"status\":%u,\"bytes\":%zu,\"received\":%llu,"
		"\"ms\":%.3f",
		r->status, r->sent, (unsigned long long)r->received,
		(double)(server_now(s) - r->began) / 1e6);
	add_text(&line, "token", str_from(r->who.token));
	add_text(&line, "target", str_from(r->who.target));
	if (r->who.disagrees)
		buf_adds(&line, ",\"disagrees\":true");
	if (!whole)
		buf_adds(&line, ",\"cut\":true");
	buf_adds(&line, "}\n");
	s->cfg.log(s->cfg.user, buf_str(&line));
	buf_release(&line);
}
