/*
 * The configuration of an agent: whatever it is, each row is an object whose
 * place is in the file, and what can't be read has one row that says so.
 */
#include "base/json.h"
#include "server/advice.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
	if (!ok)
		abort();
}

static unsigned count_rows(struct str rows)
{
	struct json_iter it = json_iter(rows);
	unsigned n = 0;

	for (; json_next(&it); n++) {
		struct buf where = {0};
		struct str part;

		need(json_member(it.value, S("where"), &part));
		json_text(&where, part);
		need(str_starts(buf_str(&where), S("agent.yaml")));
		need(json_member(it.value, S("what"), &part));
		buf_release(&where);
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct advice a = {0};
	struct buf doc = {0};
	struct str value, rows;
	struct err e = {0};
	unsigned n = 0;

	advice_agent_config(
		&a, "agent.yaml", (struct str){(const char *)data, size});
	buf_addc(&doc, '{');
	advice_write(&a, &doc);
	buf_addc(&doc, '}');
	need(!json_check(buf_str(&doc), NULL, &value, &e));
	need(json_member(value, S("rows"), &rows));
	for (size_t h = 0; h < HARMS; h++)
		n += a.n[h];
	need(count_rows(rows) == n);
	buf_release(&doc);
	advice_release(&a);
	return 0;
}
