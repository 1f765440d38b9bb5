/*
 * The first byte picks the version of Rego, the rest is a module. What parses
 * must also print, and what does not must say why. What parses as v1 also has a
 * tree in JSON.
 */
#include "rego/ast.h"
#include "rego/builtin.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tree(struct arena *a, struct str text, struct buf *out)
{
	const struct builtin *b = builtin_find(str_from("rego.parse_module"));
	struct bi_ctx cx = {.arena = a, .name = b->name, .steps = 1000000};
	struct value args[2] = {v_cstr(a, "fuzz.rego"), v_str(a, text)}, v;

	if (b->fn(&cx, args, &v) == BI_OK)
		value_json(out, v, 0, 0);
	else if (!*cx.text)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct symtab t = {.arena = &a};
	struct diags d = {.arena = &a};
	struct parse_options o = {.keep_comments = true};
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
	tree(&a, src.text, &out);
	buf_release(&out);
	symtab_release(&t);
	arena_release(&a);
	return 0;
}
