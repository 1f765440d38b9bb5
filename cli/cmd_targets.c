/* regatta targets, why: what each target should run, and what it runs. */
#include <stddef.h>

#include "base/json.h"
#include "cli/operation.h"
#include "cli/screen.h"

struct targets_params {
	struct operation_params head;
	const char *bundle, *select, *place, *after, *decision;
	int64_t limit;
};

#define AT(field) offsetof(struct targets_params, field)

/* clang-format off */
static const struct option targets_options[] = {
	{0, "after", OPT_STRING, AT(after), "id", NULL, "go on behind this target"},
	BUNDLE_OPTION(AT(bundle)),
	{'n', "limit", OPT_INT, AT(limit), "n", "1000", "at most so many"},
	OUTPUT_OPTION(struct targets_params),
	{0, "place", OPT_CHOICE, AT(place), "there waiting failed lost", NULL, "only these"},
	{'l', "select", OPT_STRING, AT(select), "labels", NULL, "only with these labels, as ring=canary"},
	SERVER_OPTION(struct targets_params),
	STATE_OPTION(struct targets_params),
};
static const struct option why_options[] = {
	BUNDLE_OPTION(AT(bundle)),
	{0, "decision", OPT_STRING, AT(decision), "id", NULL, "of this decision: which version made it, who gave that to the target, and on what evidence"},
	OUTPUT_OPTION(struct targets_params),
	SERVER_OPTION(struct targets_params),
	STATE_OPTION(struct targets_params),
};
/* clang-format on */

static void print_targets(struct buf *out, struct str doc)
{
	static const char *const head[] = {"TARGET", "SHOULD RUN", "RUNS",
		"PLACE", "BECAUSE", "LAST POLL"};
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);
	struct columns c = {.head = head, .n = COUNT(head)};
	struct json_iter it = json_iter(see_part(&s, "/targets"));

	while (json_next(&it)) {
		columns_add(&a, &c, see_in(&s, it.value, "target"));
		columns_add(&a, &c, see_in(&s, it.value, "should_run"));
		columns_add(&a, &c, see_in(&s, it.value, "runs"));
		columns_add(&a, &c, see_in(&s, it.value, "place"));
		columns_add(&a, &c, see_in(&s, it.value, "because"));
		columns_add(&a, &c,
			str_from(see_ago(
				&s, see_in(&s, it.value, "last_poll"))));
	}
	if (c.len)
		columns_write(&c, out);
	else
		buf_adds(out, "no such target\n");
	if (see(&s, "/next").len)
		buf_addf(out, "there are more: --after %.*s\n",
			STR_ARG(see(&s, "/next")));
	arena_release(&a);
}

static void print_target(struct buf *out, const struct screen *s)
{
	struct str labels = see_part(s, "/labels");
	struct json_iter it = json_iter(labels);

	buf_addf(out, "%.*s (%.*s): %.*s\n", STR_ARG(see(s, "/target")),
		STR_ARG(see(s, "/bundle")), STR_ARG(see(s, "/why")));
	buf_addf(out, "last poll %s", see_ago(s, see(s, "/last_poll")));
	if (see(s, "/status").len)
		buf_addf(out, ", status %s", see_ago(s, see(s, "/status")));
	else
		buf_adds(out, ", no status ever");
	while (json_next(&it)) {
		buf_adds(out, ", ");
		json_text(out, it.key);
		buf_addc(out, '=');
		json_text(out, it.value);
	}
	buf_addc(out, '\n');
}

static void print_decided(struct buf *out, const struct screen *s)
{
	buf_addf(out, "%.*s (%.*s): %.*s\n", STR_ARG(see(s, "/decision/id")),
		STR_ARG(see(s, "/bundle")), STR_ARG(see(s, "/why")));
	buf_addf(out, "decided %s, %.*s by %.*s\n",
		see_ago(s, see(s, "/decision/time")),
		STR_ARG(see(s, "/decision/outcome")),
		STR_ARG(see(s, "/decision/path")));
	if (!see(s, "/given/line").len)
		return;
	buf_addf(out, "given %s, ledger line %.*s",
		see_ago(s, see(s, "/given/time")),
		STR_ARG(see(s, "/given/line")));
	if (see(s, "/given/reason").len)
		buf_addf(out, ": %.*s", STR_ARG(see(s, "/given/reason")));
	buf_addc(out, '\n');
	if (see(s, "/given/evidence").len)
		buf_addf(out, "evidence %.*s\n",
			STR_ARG(see(s, "/given/evidence")));
}

static void print_why(struct buf *out, struct str doc)
{
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);

	if (see_part(&s, "/decision").len)
		print_decided(out, &s);
	else
		print_target(out, &s);
	arena_release(&a);
}

OPERATION_COMMAND(cmd_targets, struct targets_params, targets_options,
	.name = "targets", .args = "",
	.summary = "List the targets and what they run",
	.text = "A target is there when its polls say that it runs what it "
		"should, waiting when not\nyet, failed when it refused the "
		"version, lost when it has not polled for three\nperiods.",
	.operation = OPERATION(NULL, NULL, print_targets));

OPERATION_COMMAND(cmd_why, struct targets_params, why_options, .name = "why",
	.args = "[<target>]",
	.summary = "Say what a target should run, what it runs, and why",
	.text = "In a sentence: its ring or pin, what its last poll said, and "
		"the words with which it\nrefused a version.\n\nWith "
		"--decision "
		"it is about the past: which version made that decision, by "
		"which\nline of the ledger the target came to it, and on what "
		"evidence. A pin or a ring by\nlabels is held against the "
		"labels "
		"that the target has today.",
	.operation = OPERATION(NAMES("target"), NULL, print_why));
