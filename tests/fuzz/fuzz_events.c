/* YAML events: every text ends in an error or in the end of the stream. */
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct yaml_reader *r = yaml_reader_new("f.yaml", text);
	struct yaml_event ev = {0};
	struct err e = {0};

	while (yaml_next(r, &ev, &e) == OK && ev.kind != YAML_END)
		;
	yaml_reader_free(r);
	return 0;
}
