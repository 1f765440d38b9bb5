/*
 * regatta inspect: what is in a bundle.
 */
#include <stddef.h>

#include "base/json.h"
#include "cli/output.h"
#include "cli/project.h"

struct inspect_params {
	const char *format;
};

#define AT(field) offsetof(struct inspect_params, field)

/* clang-format off */
static const struct option options[] = {
	{'a', "annotations", OPT_NO_BOOL, 0, NULL, NULL, NULL},
	{'o', "output", OPT_CHOICE, AT(format), "text json", "text", "what to print"},
};
/* clang-format on */

static void print_json(const struct bundle *b, size_t size)
{
	const struct bundle_file *manifest = bundle_find(b, S(".manifest"));
	const struct bundle_file *sig = bundle_find(b, S(".signatures.json"));
	struct buf out = {0};

	buf_addf(&out,
		"{\"digest\":\"%s\",\"size\":%zu,\"manifest\":", b->digest,
		size);
	if (manifest)
		buf_addstr(&out, manifest->content);
	else
		buf_adds(&out, "{}");
	buf_addf(&out, ",\"signed\":%s,\"files\":[", sig ? "true" : "false");
	for (size_t i = 0; i < b->nfiles; i++) {
		buf_adds(&out, i ? ",{\"path\":" : "{\"path\":");
		json_quote(&out, b->files[i].path);
		buf_addf(&out, ",\"size\":%zu}", b->files[i].content.len);
	}
	buf_adds(&out, "]}");
	json_print(stdout, buf_str(&out));
	buf_release(&out);
}

static void print_text(const struct bundle *b, size_t size)
{
	const struct bundle_manifest *m = &b->manifest;

	printf("revision  %s\ndigest    %s\nsize      %zu bytes, %u files\n",
		*m->revision ? m->revision : "none", b->digest, size,
		b->nfiles);
	printf("roots    ");
	for (size_t i = 0; i < m->nroots; i++)
		printf(" %s", *m->roots[i] ? m->roots[i] : "(everything)");
	printf("\nsigned    %s\n",
		bundle_find(b, S(".signatures.json")) ? "yes" : "no");
	if (m->metadata.len)
		printf("metadata  %.*s\n", STR_ARG(m->metadata));
	printf("\n");
	for (size_t i = 0; i < b->nfiles; i++)
		printf("%10zu  %.*s\n", b->files[i].content.len,
			STR_ARG(b->files[i].path));
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct inspect_params *p = params;
	struct bundle b = {0};
	struct buf archive = {0};

	if (args->len != 1)
		return usage_error(c, "specify one bundle file");
	int code = bundle_read_file(args->items[0], &b, &archive);

	if (!code) {
		struct err e = {0};

		if (bundle_check(&b, BUNDLE_AS_AGENT, &e))
			fprintf(stderr,
				"regatta: warning: an agent refuses this "
				"bundle: %s\n",
				e.text);
		(strcmp(p->format, "json") ? print_text : print_json)(
			&b, archive.len);
	}
	bundle_release(&b);
	buf_release(&archive);
	return code;
}

const struct command cmd_inspect = {
	.name = "inspect",
	.args = "<bundle>",
	.summary = "Show what is in a bundle",
	.text = "Shows the manifest, the files and whether a bundle is signed. "
		"Nothing is\nverified; `regatta verify` does that.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct inspect_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run,
};
