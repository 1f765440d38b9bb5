/*
 * YAML events: every text ends in the end of the stream or in an error that
 * says where, lists and maps close as they opened, keys and values alternate.
 */
#include "base/yaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

struct state {
	uint32_t depth;
	bool map[LIMIT_YAML_DEPTH + 1]; /* by depth */
	bool key[LIMIT_YAML_DEPTH + 1]; /* a key comes next */
};

static void begin(struct state *s, const struct yaml_event *ev)
{
	bool *key = &s->key[s->depth];

	expect(ev->depth == s->depth);
	expect(ev->key == (s->map[s->depth] && *key));
	*key = !*key;
}

static void follow(struct state *s, const struct yaml_event *ev)
{
	expect(ev->row > 0 && ev->col > 0);
	if (ev->kind == YAML_SCALAR) {
		begin(s, ev);
		expect(utf8_valid(ev->text.ptr, ev->text.len));
	} else if (ev->kind == YAML_LIST || ev->kind == YAML_MAP) {
		begin(s, ev);
		expect(!ev->key && s->depth < LIMIT_YAML_DEPTH);
		s->map[++s->depth] = ev->kind == YAML_MAP;
		s->key[s->depth] = true;
	} else if (ev->kind == YAML_CLOSE) {
		expect(s->depth > 0 && ev->depth == --s->depth);
	} else {
		expect(s->depth == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct yaml_reader *r = yaml_reader_new("f.yaml", text);
	struct yaml_event ev = {0};
	struct state s = {0};
	struct err e = {0};
	enum status st;

	while (!(st = yaml_next(r, &ev, &e)) && ev.kind != YAML_END)
		follow(&s, &ev);
	if (st)
		expect(str_starts(str_from(e.text), S("f.yaml:")));
	else
		expect(s.depth == 0);
	yaml_reader_free(r);
	return 0;
}
