/*
 * A body, taken apart: gzip or not, an array, lines, or one object.
 *
 * Good events next to bad ones are kept. Where the text can't be followed any
 * more, all that is left of it is one item that is none.
 */
#include "decisions/internal.h"

#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#include "base/digest.h"
#include "base/json.h"

/* --- gzip ---------------------------------------------------------------- */

static bool is_gzip(struct str body)
{
	return body.len >= 2 && !memcmp(body.ptr, "\x1f\x8b", 2);
}

/* One member and nothing behind it, as agents write it. NULL: it worked. */
static const char *inflate_all(z_stream *z, struct buf *out)
{
	size_t step = (size_t)z->avail_in * 8;
	int ret = Z_OK;

	while (ret == Z_OK) {
		size_t room = LIMIT_BATCH_INFLATED + 1 - out->len;
		size_t want = step < KIB(16) ? KIB(16) : step;

		want = want < room ? want : room;
		z->next_out = (unsigned char *)buf_reserve(out, want);
		z->avail_out = (unsigned)want;
		ret = inflate(z, Z_NO_FLUSH);
		out->len += want - z->avail_out;
		if (out->len > LIMIT_BATCH_INFLATED)
			return "more than 64 MiB when inflated";
		step = out->len;
	}
	if (ret == Z_BUF_ERROR)
		return "gzip that ends too early";
	if (ret != Z_STREAM_END)
		return "damaged gzip";
	return z->avail_in ? "text after the end of gzip" : NULL;
}

static const char *gunzip(struct str body, struct buf *out)
{
	z_stream z = {0};
	const char *why;

	if (inflateInit2(&z, 15 + 16) != Z_OK)
		die("out of memory: gzip");
	z.next_in = (unsigned char *)(uintptr_t)body.ptr;
	z.avail_in = (unsigned)body.len;
	why = inflate_all(&z, out);
	inflateEnd(&z);
	return why;
}

/* --- items --------------------------------------------------------------- */

struct split {
	struct batch *batch;
	const char *bundle;
	struct str target;
	struct str text;
	size_t at;
};

static struct item *add(struct batch *b, struct str bytes)
{
	struct item *it;

	b->items = arena_grow(
		&b->arena, b->items, b->n, &b->cap, sizeof(*b->items));
	it = &b->items[b->n++];
	*it = (struct item){.bytes = bytes};
	digest(DIGEST_SHA256, bytes, it->hash.b);
	return it;
}

/* What is in quarantine goes by the hash of its bytes. */
static void add_bad(struct batch *b, struct str bytes, const char *why)
{
	struct item *it = add(b, bytes);

	it->reason = arena_strdup(&b->arena, str_from(why));
	memcpy(it->id, it->hash.b, sizeof(it->id));
}

static void add_event(struct split *s, struct str doc)
{
	struct batch *b = s->batch;
	struct decision ev;
	struct err e = {0};
	struct item *it;

	if (decision_read(doc, s->bundle, &b->arena, &ev, &e)) {
		add_bad(b, doc, e.text);
		return;
	}
	it = add(b, doc);
	memcpy(it->id, ev.id, sizeof(it->id));
	it->time = ev.time;
	it->flags = ev.flags;
	if (s->target.len && ev.label_target.len &&
		!str_eq(s->target, ev.label_target))
		it->flags |= DECISION_FOREIGN;
}

/* --- the shapes ---------------------------------------------------------- */

static void skip_space(struct split *s)
{
	while (s->at < s->text.len && memchr(" \t\r\n", s->text.ptr[s->at], 4))
		s->at++;
}

static bool skip_char(struct split *s, char c)
{
	skip_space(s);
	if (s->at == s->text.len || s->text.ptr[s->at] != c)
		return false;
	s->at++;
	return true;
}

/* The rest of the text, without space around it, is no event. */
static void rest_is_bad(struct split *s, const char *why)
{
	struct str rest;

	skip_space(s);
	rest = str_slice(s->text, s->at, s->text.len);
	while (rest.len && memchr(" \t\r\n", rest.ptr[rest.len - 1], 4))
		rest.len--;
	if (rest.len)
		add_bad(s->batch, rest, why);
	s->at = s->text.len;
}

/*
 * The end of a value that the scanner did not take, by quotes and brackets
 * alone; SIZE_MAX when they do not close. So an event that is too deep does
 * not take its neighbours with it.
 */
static size_t end_by_brackets(struct str t, size_t at)
{
	size_t depth = 0;
	bool quoted = false;

	for (; at < t.len; at++) {
		char c = t.ptr[at];

		if (quoted) {
			if (c == '\\')
				at++;
			else if (c == '"')
				quoted = false;
			continue;
		}
		if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if (c == '}' || c == ']') {
			if (!depth)
				return at;
			depth--;
		} else if (c == ',' && !depth) {
			return at;
		}
	}
	return SIZE_MAX;
}

/* One value of an array. False: nothing can be read behind it. */
static bool element(struct split *s)
{
	struct err e = {0};
	struct str doc;
	size_t start, end;

	skip_space(s);
	start = s->at;
	if (!json_scan(s->text, &s->at, &event_limits, &doc, &e)) {
		add_event(s, doc);
		return true;
	}
	end = end_by_brackets(s->text, start);
	s->at = start;
	if (end == SIZE_MAX || end == start) {
		rest_is_bad(s, e.text);
		return false;
	}
	add_bad(s->batch, str_slice(s->text, start, end), e.text);
	s->at = end;
	return true;
}

static bool too_many(struct split *s)
{
	if (s->batch->n < LIMIT_BATCH_EVENTS)
		return false;
	rest_is_bad(s, "more than 100000 events in one upload");
	return true;
}

static void array(struct split *s)
{
	if (skip_char(s, ']')) {
		rest_is_bad(s, "text after the array");
		return;
	}
	do {
		if (too_many(s) || !element(s))
			return;
	} while (skip_char(s, ','));
	if (!skip_char(s, ']'))
		rest_is_bad(s, "neither ',' nor ']' after an event");
	else
		rest_is_bad(s, "text after the array");
}

/* A line that can't be read ends where the line ends. */
static void lines(struct split *s)
{
	for (;;) {
		struct err e = {0};
		struct str doc;
		size_t start, end;

		skip_space(s);
		if (s->at == s->text.len || too_many(s))
			return;
		start = s->at;
		if (!json_scan(s->text, &s->at, &event_limits, &doc, &e)) {
			add_event(s, doc);
			continue;
		}
		end = str_find(s->text, S("\n"), start);
		s->at = end < s->text.len ? end : s->text.len;
		add_bad(s->batch, str_slice(s->text, start, s->at), e.text);
	}
}

void batch_parse(
	struct batch *b, struct str body, const char *bundle, struct str target)
{
	struct split s = {.batch = b, .bundle = bundle, .target = target};
	const char *why;

	s.text = body;
	if (is_gzip(body)) {
		why = gunzip(body, &b->text);
		if (why) {
			add_bad(b, body, why);
			return;
		}
		s.text = buf_str(&b->text);
	} else if (body.len > LIMIT_BATCH_INFLATED) {
		add_bad(b, body, "more than 64 MiB");
		return;
	}
	if (skip_char(&s, '['))
		array(&s);
	else
		lines(&s);
}

void batch_cut(struct batch *b, struct str beginning, uint64_t left_out)
{
	struct buf why = {0};

	buf_addf(&why,
		"an upload of %" PRIu64 " bytes, of which the first %zu are "
		"kept: the agent's upload_size_limit_bytes is above that",
		beginning.len + left_out, beginning.len);
	add_bad(b, beginning, why.ptr);
	buf_release(&why);
}

void batch_release(struct batch *b)
{
	arena_release(&b->arena);
	buf_release(&b->text);
	*b = (struct batch){0};
}
