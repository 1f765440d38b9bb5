/*
 * The text of a METADATA block, on a rule. What is taken has a value that can
 * be written as JSON; what is refused says why.
 */
#include "rego/annotations.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void block(struct buf *out, const char *data, size_t size)
{
	buf_adds(out, "package t\n# METADATA\n#");
	for (size_t i = 0; i < size; i++) {
		buf_addc(out, data[i]);
		if (data[i] == '\n')
			buf_addc(out, '#');
	}
	buf_adds(out, "\np := 1\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct parse_options o = {.version = REGO_V1};
	struct arena a = {0};
	struct symtab t = {.arena = &a};
	struct diags d = {.arena = &a};
	struct source src = {.name = "fuzz.rego"};
	struct buf text = {0}, out = {0};
	struct module *m;

	block(&text, (const char *)data, size);
	src.text = buf_str(&text);
	m = parse_module(&a, &t, &src, &o, &d);
	if ((m != NULL) != (d.len == 0))
		abort();
	for (uint32_t i = 0; m && i < m->nannotations; i++) {
		if (m->annotations[i]->scope == SCOPE_NONE)
			abort();
		value_json(&out, m->annotations[i]->value, 0, 0);
	}
	buf_release(&out);
	buf_release(&text);
	symtab_release(&t);
	arena_release(&a);
	return 0;
}
