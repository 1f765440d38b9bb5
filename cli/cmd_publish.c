/*
 * regatta publish: a bundle file into a store.
 */
#include <stddef.h>

#include "cli/output.h"
#include "cli/project.h"

struct params {
	const char *name, *format;
	struct publish_params to;
};

#define AT(field) offsetof(struct params, field)

/* clang-format off */
static const struct option options[] = {
	{0, "name", OPT_STRING, AT(name), "name", NULL, "the bundle's name, as agents ask for it"},
	{'o', "output", OPT_CHOICE, AT(format), "text json", "text", "what to print"},
	PUBLISH_OPTIONS(struct params, to),
};
/* clang-format on */

static void print_published(
	const struct params *p, const struct bundle *b, bool fresh)
{
	struct buf out = {0};

	if (strcmp(p->format, "json") != 0) {
		printf("%s %s  %s  %s\n", p->name, b->manifest.revision,
			b->digest, fresh ? "published" : "published before");
		return;
	}
	buf_addc(&out, '{');
	version_json(&out, p->name, b->manifest.revision, b->digest);
	buf_addf(&out, ",\"fresh\":%s}", fresh ? "true" : "false");
	json_print(stdout, buf_str(&out));
	buf_release(&out);
}

static int check(struct bundle *b, struct str archive, const char *path)
{
	struct arena a = {0};
	struct version v;
	struct err e = {0};
	enum status st = bundle_check(b, true, &e);

	if (!st)
		st = bundle_version(b, "", archive, &a, &v, &e);
	arena_release(&a);
	if (st)
		fprintf(stderr, "regatta: %s: %s\n", path, e.text);
	return st ? EXIT_INTEGRITY : 0;
}

static int publish(const struct params *p, const char *path)
{
	struct bundle b = {0};
	struct buf archive = {0};
	struct published got = {0};
	int code = bundle_read_file(path, &b, &archive);

	if (!code)
		code = check(&b, buf_str(&archive), path);
	if (!code)
		code = publish_bundle(&p->to, NULL, NULL, p->name, &b,
			buf_str(&archive), &got);
	if (!code)
		print_published(p, &b, got.fresh);
	bundle_release(&b);
	buf_release(&archive);
	return code;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct params *p = params;

	if (args->len != 1)
		return usage_error(c, "specify one bundle file");
	if (!p->name)
		return usage_error(c, "specify --name, the bundle's name");
	if (!config_is_bundle(str_from(p->name)))
		return usage_error(c, "--name is \"%s\", must be %s", p->name,
			CONFIG_BUNDLE_MUST);
	return publish(p, args->items[0]);
}

const struct command cmd_publish = {
	.name = "publish",
	.args = "<bundle>",
	.summary = "Publish a bundle file",
	.text = "Makes a bundle file a version that can be released, whole "
		"or not at all: on a\nserver, in a state folder (./var), or in "
		"a store that others serve. A version\nthat is there already "
		"with the same content is left as it is; with other\ncontent "
		"it is refused. What agents run does not change.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run,
};
