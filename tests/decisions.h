/*
 * decisions: what tests of decisions/ share: a folder of their own, uploads,
 * and a store on a clock that stands still.
 */
#ifndef TESTS_DECISIONS_H
#define TESTS_DECISIONS_H

#include "tests/test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "decisions/decisions.h"

/* 2026-11-24T10:00:00Z */
#define NOW (INT64_C(1795514400) * NS_PER_S)

static char *dir; /* a fresh folder for each test */
static struct fake_clock fake;

static inline int setup(void **state)
{
	char name[] = "/tmp/regatta-decisions-XXXXXX";

	(void)state;
	dir = strdup(mkdtemp(name));
	fake_clock_init(&fake, NOW);
	return dir ? 0 : -1;
}

static inline int remove_one(
	const char *path, const struct stat *sb, int kind, struct FTW *where)
{
	(void)sb, (void)kind, (void)where;
	return remove(path);
}

static inline int teardown(void **state)
{
	int failed = nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);

	(void)state;
	free(dir);
	return failed;
}

static inline struct decisions_config config(void)
{
	return (struct decisions_config){.dir = dir, .clock = &fake.clock};
}

static inline struct decisions *open_with(struct decisions_config c)
{
	struct decisions *d = NULL;
	struct err e = {0};

	assert_ok(decisions_open(&d, &c, &e), &e);
	return d;
}

static inline struct decisions *open_store(void)
{
	return open_with(config());
}

/* Append one event: number `n` of its kind, `ns` after NOW. */
static inline void add_event(struct buf *b, unsigned n, int64_t ns,
	const char *path, const char *result)
{
	int64_t t = NOW + ns;
	time_t s = (time_t)(t / NS_PER_S);
	struct tm tm;

	gmtime_r(&s, &tm);
	buf_addf(b,
		"{\"labels\":{\"id\":\"agent\",\"target\":\"eu-%u\"},"
		"\"decision_id\":\"%08x-0000-4000-8000-000000000000\","
		"\"bundles\":{\"authz\":{\"revision\":\"r%u\"},\"other\":{}},"
		"\"path\":\"%s\",\"input\":{\"user\":\"u%u\",\"n\":%u},%s%s"
		"\"timestamp\":\"%04d-%02d-%02dT%02d:%02d:%02d.%09dZ\","
		"\"metrics\":{\"timer_server_handler_ns\":%u}}",
		n % 3, n, n % 2 + 1, path, n % 7, n, result, *result ? "," : "",
		tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		tm.tm_min, tm.tm_sec, (int)(t % NS_PER_S), 1000 + n);
}

/* Events from .. to - 1 as an array. */
static inline void add_batch(struct buf *b, unsigned from, unsigned to)
{
	buf_addc(b, '[');
	for (unsigned i = from; i < to; i++) {
		if (i > from)
			buf_addc(b, ',');
		add_event(b, i, (int64_t)i * NS_PER_MS, "authz/allow",
			i % 5 ? "\"result\":true" : "\"result\":false");
	}
	buf_addc(b, ']');
}

static inline void gzip(struct buf *out, struct str text)
{
	z_stream z = {0};
	size_t max;

	assert_int_equal(
		deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
		Z_OK);
	max = deflateBound(&z, text.len);
	z.next_in = (unsigned char *)(uintptr_t)text.ptr;
	z.avail_in = (unsigned)text.len;
	z.next_out = (unsigned char *)buf_reserve(out, max);
	z.avail_out = (unsigned)max;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len += max - z.avail_out;
	deflateEnd(&z);
}

/* Submit a body and wait until it is durable. */
static inline struct decisions_ticket send_body(
	struct decisions *d, struct str body)
{
	struct decisions_ticket t = {
		.source = {.target = S("eu-1"), .cohort = S("stable")}};
	struct err e = {0};

	assert_ok(decisions_submit(d, &t, body, &e), &e);
	assert_ok(decisions_wait(d, &t, &e), &e);
	return t;
}

static inline struct decisions_ticket send_events(
	struct decisions *d, unsigned from, unsigned to)
{
	struct decisions_ticket t;
	struct buf b = {0};

	add_batch(&b, from, to);
	t = send_body(d, buf_str(&b));
	buf_release(&b);
	return t;
}

#endif
