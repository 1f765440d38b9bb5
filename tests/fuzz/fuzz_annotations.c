/*
 * The text of a METADATA block, on a rule. What is taken has a value that can
 * be written as JSON; what is refused says why. A schema in it is a type, which
 * can be shown and compared with itself, or says why not; the rule is compiled
 * with it.
 */
#include "rego/annotations.h"
#include "rego/rego.h"
#include "rego/schema.h"

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
	buf_adds(out,
		"\np if { some x in input.a; x.b == input; data.c[x] == 1 }\n");
}

static void schema(struct arena *a, struct value definition)
{
	const char *why = NULL;
	const struct type *t = schema_type(a, definition, &why);
	uint32_t work = 1000000;
	struct buf out = {0};

	if ((t != NULL) == (why != NULL))
		abort();
	if (t) {
		type_text(&out, t);
		type_json(&out, t);
		if (type_cmp(t, t) || !type_unifies(t, t, &work))
			abort();
		type_values(a, type_values(a, t));
	}
	buf_release(&out);
}

static void compile(struct str text)
{
	struct rego_config cfg = {.version = REGO_V1, .use_schemas = true};
	struct rego_engine *e = rego_new(&cfg);

	if (rego_add_module(e, "fuzz.rego", text) &&
		rego_compile(e, false) == (rego_errors(e)->len != 0))
		abort();
	rego_free(e);
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
		for (uint32_t k = 0; k < m->annotations[i]->nschemas; k++)
			if (!m->annotations[i]->schemas[k].schema)
				schema(&a, m->annotations[i]
						   ->schemas[k]
						   .definition);
	}
	if (m)
		compile(src.text);
	buf_release(&out);
	buf_release(&text);
	symtab_release(&t);
	arena_release(&a);
	return 0;
}
