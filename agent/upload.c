/*
 * How decisions are cut into uploads, and when something is tried again.
 *
 * An upload has as many events as are below a soft limit of bytes before gzip.
 * That begins at the limit of an upload and doubles while what was packed is
 * much smaller than the limit; what turns out larger is cut in halves, and
 * the soft limit goes down to that. An upload that fails is sent again as it
 * is, and those behind it wait.
 *
 * Source: uploads of OPA 1.22.2 with small limits; its retries after 503.
 */
#include "agent/internal.h"

#include "base/json.h"

#include <math.h>

enum {
	SOFT_TIMES = 64, /* the soft limit is at most so often the limit */
	FIRST_MS = 100,
};

int64_t back_off_ns(unsigned n, int64_t max_ns, double chance)
{
	double ns = (double)(FIRST_MS * NS_PER_MS) * pow(1.6, n < 64 ? n : 64);

	if (!n)
		return 0;
	return (int64_t)(fmin(ns, (double)max_ns) * (0.8 + 0.4 * chance));
}

static void pack(struct log *l, struct str events, uint64_t n, bool filled);

/* The text of the first `n` events, and of the others. */
static struct str cut(struct str *events, uint64_t n)
{
	struct buf list = {0};
	struct json_iter it;
	struct str first = {0};
	size_t end = 0;

	buf_addf(&list, "[%.*s]", STR_ARG(*events));
	it = json_iter(buf_str(&list));
	for (uint64_t i = 0; i < n && json_next(&it); i++)
		end = (size_t)(it.value.ptr + it.value.len - list.ptr - 1);
	first = str_slice(*events, 0, end);
	*events = str_slice(*events, end + 1, events->len);
	buf_release(&list);
	return first;
}

static void halve(struct log *l, struct str events, uint64_t n)
{
	struct str first = cut(&events, n / 2);

	l->soft = first.len > l->limit ? first.len : l->limit;
	pack(l, first, n / 2, false);
	pack(l, events, n - n / 2, false);
}

/* Without a comma at either end. */
static void pack(struct log *l, struct str events, uint64_t n, bool filled)
{
	struct buf text = {0}, packed = {0};

	buf_addf(&text, "[%.*s]", STR_ARG(events));
	gzip_write(&packed, buf_str(&text));
	buf_release(&text);
	if (packed.len <= l->limit) {
		if (filled && packed.len < l->limit / 10 * 9 &&
			l->soft < SOFT_TIMES * l->limit)
			l->soft *= 2;
		l->full(l->user, &packed, n);
	} else if (n > 1) {
		halve(l, events, n);
	} else {
		l->dropped++;
	}
	buf_release(&packed);
}

static void end_chunk(struct log *l, bool filled)
{
	struct buf text = l->text;
	uint64_t n = l->n;

	l->text = (struct buf){0};
	l->n = 0;
	if (n)
		pack(l, buf_str(&text), n, filled);
	buf_release(&text);
}

void log_add(struct log *l, struct str event)
{
	if (!l->soft)
		l->soft = l->limit;
	if (l->n && l->text.len + event.len + 3 > l->soft)
		end_chunk(l, true);
	if (l->n)
		buf_addc(&l->text, ',');
	buf_addstr(&l->text, event);
	l->n++;
}

void log_flush(struct log *l)
{
	end_chunk(l, false);
}
