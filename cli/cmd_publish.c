/*
 * regatta publish: a bundle file into a store.
 */
#include <stddef.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/json.h"
#include "cli/output.h"
#include "cli/project.h"

struct publish_params {
	const char *store, *name, *format;
};

#define AT(field) offsetof(struct publish_params, field)

/* clang-format off */
static const struct option options[] = {
	{0, "name", OPT_STRING, AT(name), "name", NULL, "the bundle's name, as agents ask for it"},
	{'o', "output", OPT_CHOICE, AT(format), "text json", "text", "what to print"},
	{0, "store", OPT_STRING, AT(store), "url", "dir:./var/bundles", "where to"},
};
/* clang-format on */

/* A text member of the manifest's metadata; "" when there is none. */
static const char *metadata(
	struct arena *a, const struct bundle *b, struct str key)
{
	struct str value;
	struct buf text = {0};

	if (!b->manifest.metadata.len ||
		!json_member(b->manifest.metadata, key, &value) ||
		json_kind(value) != JSON_STRING)
		return "";
	json_text(&text, value);
	const char *out = arena_strdup(a, buf_str(&text));

	buf_release(&text);
	return out;
}

static void print_published(
	const struct publish_params *p, const struct version *v, bool fresh)
{
	struct buf out = {0};

	if (strcmp(p->format, "json") != 0) {
		printf("%s %s  %s  %s\n", v->bundle, v->revision, v->digest,
			fresh ? "published" : "published before");
		return;
	}
	buf_addc(&out, '{');
	version_json(&out, v->bundle, v->revision, v->digest);
	buf_addf(&out, ",\"fresh\":%s}", fresh ? "true" : "false");
	json_print(stdout, buf_str(&out));
	buf_release(&out);
}

static int put(const struct publish_params *p, const struct bundle *b,
	struct str archive)
{
	struct arena a = {0};
	struct store *s;
	struct err e = {0};
	bool fresh;
	struct version v = {.bundle = p->name,
		.revision = b->manifest.revision,
		.digest = b->digest,
		.commit = metadata(&a, b, S("commit")),
		.tree = metadata(&a, b, S("tree")),
		.published = clock_wall(&clock_system) / NS_PER_S,
		.size = archive.len};
	enum status st = store_open(&s, p->store, NULL, &e);

	if (!st) {
		st = version_put(s, &v, b, archive, &fresh, &e);
		store_close(s);
	}
	if (!st)
		print_published(p, &v, fresh);
	arena_release(&a);
	return st ? print_err(st, &e) : 0;
}

static int publish(const struct publish_params *p, const char *path)
{
	struct bundle b = {0};
	struct buf archive = {0};
	struct err e = {0};
	int code = bundle_read_file(path, &b, &archive);

	if (!code && bundle_check(&b, true, &e)) {
		fprintf(stderr, "regatta: %s: %s\n", path, e.text);
		code = EXIT_INTEGRITY;
	}
	if (!code && !*b.manifest.revision) {
		fprintf(stderr,
			"regatta: %s: no revision in its manifest, so nobody "
			"could name it; build it with one\n",
			path);
		code = EXIT_INTEGRITY;
	}
	if (!code && !*metadata(&b.arena, &b, S("commit"))) {
		fprintf(stderr,
			"regatta: %s: its manifest names no commit, so it "
			"can't be made again; build it from one\n",
			path);
		code = EXIT_INTEGRITY;
	}
	if (!code)
		code = put(p, &b, buf_str(&archive));
	bundle_release(&b);
	buf_release(&archive);
	return code;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct publish_params *p = params;

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
	.summary = "Put a bundle into a store",
	.text = "Puts a bundle file into a store, whole or not at all. A "
		"version that is there\nalready with the same content is left "
		"as it is; with other content it is\nrefused.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct publish_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run,
};
