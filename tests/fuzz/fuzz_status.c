/* Status uploads: what is read lies in the arena, and says what it is. */
#include "canary/status.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agent_status s;
	struct arena a = {0};
	struct err e = {0};

	if (!agent_status_parse(
		    &s, str_make((const char *)data, size), &a, &e)) {
		expect(s.nbundles <= STATUS_BUNDLES_MAX);
		expect(s.nlabels <= STATUS_LABELS_MAX);
		for (uint32_t i = 0; i < s.nbundles; i++)
			expect(!status_bundle_error(&s.bundles[i], &a).len ==
				!s.bundles[i].code.len);
	} else {
		expect(e.text[0] != '\0');
	}
	arena_release(&a);
	return 0;
}
