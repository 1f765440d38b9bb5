/*
 * The first byte picks the version of Rego, the rest is a module. What parses
 * must also print, and what does not must say why.
 */
#include "rego/ast.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct symtab t = {.arena = &a};
	struct diags d = {.arena = &a};
	struct parse_options o = {REGO_V1, true};
	struct source src = {.name = "fuzz.rego"};
	struct buf out = {0};
	struct module *m;

	if (!size)
		return 0;
	o.version = (enum rego_version)(data[0] % 4);
	src.text = str_make((const char *)data + 1, size - 1);
	m = parse_module(&a, &t, &src, &o, &d);
	if ((m != NULL) != (d.len == 0))
		abort();
	if (m)
		dump_module(&out, m);
	dump_tokens(&out, &src);
	buf_release(&out);
	symtab_release(&t);
	arena_release(&a);
	return 0;
}
