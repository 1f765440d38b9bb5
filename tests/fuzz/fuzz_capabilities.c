/*
 * A capabilities file, as an OPA in the fleet may have written it. What is
 * taken can be asked and written down again, and a policy compiled under it.
 */
#include "rego/capabilities.h"

#include <stdlib.h>

#include "rego/rego.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char policy[] =
	"package t\n"
	"p contains x if { some x in my.f(\"a\"); count(x) > 1 }\n"
	"a.b[x] := $\"{x}\" if x := [1][_] with my.f as 1\n";

static void compile_under(const struct capabilities *c)
{
	struct rego_config cfg = {.version = REGO_V1, .caps = c};
	struct rego_engine *e = rego_new(&cfg);
	bool ok = rego_add_module(e, "fuzz.rego", str_from(policy)) &&
		  rego_compile(e, false);

	if (ok != (rego_errors(e)->len == 0))
		abort();
	rego_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct capabilities c = {0};
	struct err e = {0};
	struct str text = str_make((const char *)data, size);

	if (capabilities_parse(&a, text, &c, &e)) {
		if (!e.text[0] || c.types)
			abort();
	} else {
		for (size_t i = 0; i < capabilities_count(&c); i++)
			if (c.types[i] && c.types[i]->kind != TY_FUNCTION)
				abort();
		compile_under(&c);
	}
	capabilities_release(&c);
	arena_release(&a);
	return 0;
}
