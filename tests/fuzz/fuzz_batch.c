/*
 * Bodies of uploads: what is in the items was in the body, every event among
 * them is one when it is read alone, and taking it apart again gives the same.
 */
#include "decisions/internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static bool inside(struct str part, struct str whole)
{
	return part.ptr >= whole.ptr &&
	       part.ptr + part.len <= whole.ptr + whole.len;
}

static void check_item(
	const struct batch *b, const struct item *it, struct str body)
{
	struct arena a = {0};
	struct decision ev;

	expect(inside(it->bytes, body) || inside(it->bytes, buf_str(&b->text)));
	expect(it->bytes.len > 0);
	if (it->reason) {
		expect(it->reason[0] != '\0');
	} else {
		expect(!decision_parse(it->bytes, NULL, &a, &ev, NULL));
		expect(!memcmp(ev.id, it->id, sizeof(ev.id)));
		expect(ev.time == it->time && ev.time >= 0);
	}
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str body = {(const char *)data, size};
	struct batch b = {0}, again = {0};

	batch_parse(&b, body, NULL, S("t"));
	batch_parse(&again, body, NULL, S("t"));
	expect(b.n == again.n);
	for (uint32_t i = 0; i < b.n; i++) {
		check_item(&b, &b.items[i], body);
		expect(merkle_equal(&b.items[i].hash, &again.items[i].hash));
	}
	batch_release(&b);
	batch_release(&again);
	return 0;
}
