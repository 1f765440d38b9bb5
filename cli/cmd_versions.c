/* regatta versions, diff: what was published, and what differs. */
#include <stddef.h>

#include "base/json.h"
#include "cli/operation.h"
#include "cli/screen.h"

struct versions_params {
	struct operation_params head;
	const char *bundle;
	int64_t limit;
};

#define AT(field) offsetof(struct versions_params, field)

/* clang-format off */
static const struct option versions_options[] = {
	BUNDLE_OPTION(AT(bundle)),
	{'n', "limit", OPT_INT, AT(limit), "n", "20", "at most so many"},
	OUTPUT_OPTION(struct versions_params),
	SERVER_OPTION(struct versions_params),
	STATE_OPTION(struct versions_params),
};
static const struct option diff_options[] = {
	BUNDLE_OPTION(AT(bundle)),
	OUTPUT_OPTION(struct versions_params),
	SERVER_OPTION(struct versions_params),
	STATE_OPTION(struct versions_params),
};
/* clang-format on */

static struct str short_id(struct str s)
{
	return str_slice(s, 0, s.len < 12 ? s.len : 12);
}

static void print_versions(struct buf *out, struct str doc)
{
	static const char *const head[] = {
		"VERSION", "IS", "PUBLISHED", "PROMOTED", "COMMIT", "DIGEST"};
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);
	struct columns c = {.head = head, .n = COUNT(head)};
	struct json_iter it = json_iter(see_part(&s, "/versions"));

	while (json_next(&it)) {
		columns_add(&a, &c, see_in(&s, it.value, "revision"));
		columns_add(&a, &c, see_in(&s, it.value, "is"));
		columns_add(&a, &c,
			str_from(see_ago(
				&s, see_in(&s, it.value, "published"))));
		columns_add(&a, &c,
			str_from(
				see_ago(&s, see_in(&s, it.value, "promoted"))));
		columns_add(&a, &c, short_id(see_in(&s, it.value, "commit")));
		columns_add(&a, &c, short_id(see_in(&s, it.value, "digest")));
	}
	columns_write(&c, out);
	arena_release(&a);
}

/* "  added    policies/a.rego": what changed under one name. */
static void print_part(struct buf *out, const struct screen *s,
	const char *part, const char *what, const char *name)
{
	struct json_iter it = json_iter(see_part(s, part));

	while (json_next(&it)) {
		struct str change = see_in(s, it.value, "change");
		enum tone tone = str_is(change, "removed") ? TONE_BAD
				 : str_is(change, "added") ? TONE_GOOD
							   : TONE_WAIT;

		say(s, out, tone, "  %-8.*s", STR_ARG(change));
		buf_addf(out, " %s %.*s\n", what,
			STR_ARG(see_in(s, it.value, name)));
	}
}

static void print_diff(struct buf *out, struct str doc)
{
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);

	buf_addf(out, "%.*s -> %.*s\n", STR_ARG(see(&s, "/from/revision")),
		STR_ARG(see(&s, "/to/revision")));
	if (see_true(&s, "/same"))
		buf_adds(out, "the same files\n");
	print_part(out, &s, "/files", "file", "path");
	print_part(out, &s, "/rules", "rule", "rule");
	print_part(out, &s, "/data", "data", "path");
	if (see_int(&s, "/left_out"))
		buf_addf(out, "  and %lld more\n",
			(long long)see_int(&s, "/left_out"));
	if (see_true(&s, "/system_log"))
		say(&s, out, TONE_BAD,
			"  what agents log changes: look at it, the verdict "
			"rests on that\n");
	if (see_true(&s, "/release_changed"))
		buf_adds(out, "  changed  how it is rolled out (rings, bake, "
			      "verdict, decisions)\n");
	arena_release(&a);
}

static int run_diff(
	const struct command *c, const void *params, const struct list *args)
{
	static const char *const two[] = {"from", "to", NULL};
	static const char *const one[] = {"to", NULL};
	struct operation o = {args->len > 1 ? two : one,
		"specify a version, or two", print_diff};

	return operation_run_as(&o, c, params, args);
}

OPERATION_COMMAND(cmd_versions, struct versions_params, versions_options,
	.name = "versions", .args = "", .summary = "List what was published",
	.text = "The newest first, and what each is to its channel: candidate, "
		"stable, last good,\nqueued or quarantined.",
	.operation = OPERATION(NULL, NULL, print_versions));

const struct command cmd_diff = {
	.name = "diff",
	.args = "[<version>] <version>",
	.summary =
		"Say which files, rules and data differ between two versions",
	.text = "With one version, between the stable one and that. Rules are "
		"compared as they are parsed: a\ncomment is no difference.",
	.options = diff_options,
	.noptions = COUNT(diff_options),
	.params = sizeof(struct versions_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run_diff,
};
