/*
 * A text that parses as a record or an event is written as the same text; a
 * record with an event applied to it, accepted or not, can be written, read
 * and asked.
 */
#include "canary/channel.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct buf *b, struct str text)
{
	if (!str_eq(buf_str(b), text))
		abort();
	buf_release(b);
}

static void ask(const struct channel *c, struct arena *a)
{
	struct channel_rules rules;
	struct label l = {S("region"), S("eu")};

	channel_rules(c, a, &rules);
	channel_choose(c, &rules, S("t1"), &l, 1, 1000);
	channel_choose(c, &rules, S(""), NULL, 0, 1000);
}

static void apply(const struct channel *c, const struct channel_event *ev,
	struct arena *a)
{
	struct channel after, again;
	struct err e = {0};
	struct buf text = {0}, other = {0};

	if (channel_apply(c, ev, 1000, a, &after, &e)) {
		if (!e.text[0])
			abort();
		return;
	}
	channel_write(&after, &text);
	/* More than fits in a record may be there before. */
	if (!channel_parse(&again, buf_str(&text), a, &e)) {
		channel_write(&again, &other);
		same(&other, buf_str(&text));
	}
	buf_release(&text);
	ask(&after, a);
}

/* A record, a line end, an event. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	size_t end = str_find(text, S("\n"), 0);
	struct str first = str_slice(text, 0, end);
	struct str second = str_slice(text, end + (end < size), size);
	struct channel c;
	struct channel_event ev;
	struct arena a = {0};
	struct err e = {0};
	struct buf out = {0};

	if (!channel_parse(&c, first, &a, &e)) {
		channel_write(&c, &out);
		same(&out, first);
		ask(&c, &a);
		if (!channel_event_parse(&ev, second, &a, &e)) {
			channel_event_write(&ev, &out);
			same(&out, second);
			apply(&c, &ev, &a);
		}
	}
	arena_release(&a);
	return 0;
}
