/*
 * regatta rollout plan|start|list|show, promote, hold, extend, abort, retry,
 * verdict.
 */
#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "cli/operation.h"
#include "cli/status_text.h"
#include "server/doc.h"

struct rollout_params {
	struct operation_params head;
	const char *bundle, *reason, *if_busy, *plan;
	int64_t by, limit, generation, number, retro;
	bool force, break_glass, allow_divergent, allow_overlap, windows, once;
	struct list set;
};

#define AT(field) offsetof(struct rollout_params, field)

/* clang-format off */
#define READS \
	BUNDLE_OPTION(AT(bundle)), \
	OUTPUT_OPTION(struct rollout_params), \
	SERVER_OPTION(struct rollout_params), \
	STATE_OPTION(struct rollout_params)
#define CHANGES \
	READS, \
	{0, "generation", OPT_INT, AT(generation), "n", NULL, "the channel's, that this was decided on"}, \
	KEY_OPTION(struct rollout_params), \
	REASON_OPTION(AT(reason))
#define SET \
	{0, "set", OPT_LIST, AT(set), "name=value", NULL, "for this rollout instead of what regatta.yaml says, as bake.min=5m"}
#define FORCE(what) \
	{0, "break-glass", OPT_BOOL, AT(break_glass), NULL, NULL, "in a freeze too; takes --reason"}, \
	{0, "force", OPT_BOOL, AT(force), NULL, NULL, what}

#define DIVERGENT \
	{0, "allow-divergent", OPT_BOOL, AT(allow_divergent), NULL, NULL, "what does not follow stable too: after a rewritten history, or of another branch"}
#define OVERLAP \
	{0, "allow-overlap", OPT_BOOL, AT(allow_overlap), NULL, NULL, "while another bundle is rolled out to the same targets too"}

static const struct option plan_options[] = {READS, SET};
static const struct option start_options[] = {
	CHANGES,
	DIVERGENT,
	OVERLAP,
	FORCE("a version in quarantine too; takes --reason"),
	{0, "if-busy", OPT_CHOICE, AT(if_busy), "reject queue supersede", NULL, "when one is under way (reject; for ci: queue)"},
	{0, "plan", OPT_STRING, AT(plan), "hash", NULL, "only if it does what that plan said"},
	SET,
};
static const struct option list_options[] = {
	READS,
	{'n', "limit", OPT_INT, AT(limit), "n", "20", "at most so many"},
};
static const struct option show_options[] = {READS};
static const struct option promote_options[] = {CHANGES, FORCE("without a verdict too; takes --reason")};
static const struct option simple_options[] = {CHANGES};
static const struct option extend_options[] = {
	CHANGES,
	{0, "by", OPT_DURATION, AT(by), "duration", "30m", "how much longer"},
};
static const struct option retry_options[] = {CHANGES, DIVERGENT, OVERLAP, FORCE("a version in quarantine too; takes --reason")};
static const struct option verdict_options[] = {
	READS,
	{0, "number", OPT_INT, AT(number), "n", NULL, "which of its verdicts (the last one)"},
	{0, "once", OPT_BOOL, AT(once), NULL, NULL, "by exact tests, for who looks once, at an end that was fixed before"},
	{0, "retro", OPT_INT, AT(retro), "n", NULL, "judge the last n rollouts once more, from the decision log"},
	{0, "set", OPT_LIST, AT(set), "name=value", NULL, "with --retro: by this setting instead of theirs, as worse_than=1.5"},
	{0, "windows", OPT_BOOL, AT(windows), NULL, NULL, "with the counts of each window, in JSON"},
};
/* clang-format on */

/* --- printing ------------------------------------------------------------- */

static void print_ring(struct buf *out, const struct screen *s, struct str r)
{
	struct str minutes = see_in(s, r, "minutes");
	struct str held = see_in(s, r, "held_back");

	buf_addf(out, "  %-10.*s +%.*s targets, %.*s of %.*s",
		STR_ARG(see_in(s, r, "name")), STR_ARG(see_in(s, r, "adds")),
		STR_ARG(see_in(s, r, "has")), STR_ARG(see_in(s, r, "of")));
	if (held.len && !str_is(held, "0"))
		buf_addf(
			out, ", %.*s held back to compare with", STR_ARG(held));
	if (minutes.len)
		buf_addf(out, ", about %.*s min to prove", STR_ARG(minutes));
	if (str_is(see_in(s, r, "too_little_traffic"), "true"))
		say(s, out, TONE_WAIT,
			", too little traffic to prove it in time");
	if (str_is(see_in(s, r, "gate"), "true"))
		buf_adds(out, ", then people promote");
	buf_addc(out, '\n');
}

static void print_plan(struct buf *out, struct str doc)
{
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);
	struct json_iter it = json_iter(see_part(&s, "/rings"));
	struct str stable = see(&s, "/stable/revision");

	buf_addf(out,
		"%.*s: %.*s over %.*s, %.*s targets, %.*s decisions a "
		"minute\n",
		STR_ARG(see(&s, "/bundle")),
		STR_ARG(see(&s, "/version/revision")),
		STR_ARG(stable.len ? stable : S("nothing")),
		STR_ARG(see(&s, "/targets")),
		STR_ARG(see(&s, "/decisions_per_minute")));
	while (json_next(&it))
		print_ring(out, &s, it.value);
	if (see_true(&s, "/first_release"))
		buf_adds(out, "a first release: there is nothing to compare "
			      "with, it is judged by its error rate alone\n");
	if (see(&s, "/refused").len)
		buf_addf(out, "as the targets are now it is refused: %.*s\n",
			STR_ARG(see(&s, "/refused")));
	if (see(&s, "/overlap").len)
		buf_addf(out,
			"%.*s is being rolled out to the same targets: it "
			"waits for that, or takes --allow-overlap\n",
			STR_ARG(see(&s, "/overlap")));
	status_inherits(out, &s, "");
	buf_addf(out, "plan %.*s\n", STR_ARG(see(&s, "/plan")));
	arena_release(&a);
}

static void print_start(struct buf *out, struct str doc)
{
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);

	if (see_true(&s, "/queued"))
		buf_addf(out, "%.*s: %.*s waits for the rollout under way\n",
			STR_ARG(see(&s, "/bundle")),
			STR_ARG(see(&s, "/version/revision")));
	else if (!see_true(&s, "/changed"))
		buf_addf(out, "%.*s: it is so already, nothing changed\n",
			STR_ARG(see(&s, "/bundle")));
	else
		buf_addf(out,
			"%.*s: rollout %.*s of %.*s has begun; regatta status "
			"--watch shows it\n",
			STR_ARG(see(&s, "/bundle")),
			STR_ARG(see(&s, "/rollout")),
			STR_ARG(see(&s, "/version/revision")));
	status_inherits(out, &s, "");
	arena_release(&a);
}

static void print_list(struct buf *out, struct str doc)
{
	static const char *const head[] = {
		"ROLLOUT", "VERSION", "STATE", "STARTED", "BY", "WHY"};
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);
	struct columns c = {.head = head, .n = COUNT(head)};
	struct json_iter it = json_iter(see_part(&s, "/rollouts"));

	while (json_next(&it)) {
		columns_add(&a, &c, see_in(&s, it.value, "rollout"));
		columns_add(&a, &c, see_in(&s, it.value, "version"));
		columns_add(&a, &c, see_in(&s, it.value, "state"));
		columns_add(&a, &c,
			str_from(see_ago(&s, see_in(&s, it.value, "started"))));
		columns_add(&a, &c, see_in(&s, it.value, "who"));
		columns_add(&a, &c, see_in(&s, it.value, "reason"));
	}
	if (c.len)
		columns_write(&c, out);
	else
		buf_adds(out, "no rollout yet\n");
	arena_release(&a);
}

static void print_show(struct buf *out, struct str doc)
{
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);
	struct json_iter it = json_iter(see_part(&s, "/steps"));

	buf_addf(out, "rollout %.*s of %.*s (%.*s), started by %.*s %s\n",
		STR_ARG(see(&s, "/rollout")), STR_ARG(see(&s, "/version")),
		STR_ARG(see(&s, "/state").len ? see(&s, "/state") : S("ended")),
		STR_ARG(see(&s, "/who")), see_ago(&s, see(&s, "/started")));
	while (json_next(&it))
		buf_addf(out, "  ring %-10.*s exposed %s, bake began %s\n",
			STR_ARG(see_in(&s, it.value, "name")),
			see_ago(&s, see_in(&s, it.value, "exposed")),
			see_ago(&s, see_in(&s, it.value, "bake")));
	if (see(&s, "/verdict/reason").len)
		buf_addf(out, "  verdict %.*s: %.*s\n",
			STR_ARG(see(&s, "/verdict/outcome")),
			STR_ARG(see(&s, "/verdict/reason")));
	arena_release(&a);
}

static void print_promote(struct buf *out, struct str doc)
{
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);
	int64_t have = see_int(&s, "/approvals"),
		need = see_int(&s, "/approvals_needed");

	if (have < need)
		buf_addf(out,
			"%.*s: %lld of %lld approvals; somebody else has to "
			"promote it too\n",
			STR_ARG(see(&s, "/bundle")), (long long)have,
			(long long)need);
	else if (see_true(&s, "/succeeded"))
		buf_addf(out, "%.*s: the rollout succeeded\n",
			STR_ARG(see(&s, "/bundle")));
	else
		buf_addf(out, "%.*s: promoted, %lld of %lld targets get it\n",
			STR_ARG(see(&s, "/bundle")),
			(long long)see_int(&s, "/has"),
			(long long)see_int(&s, "/of"));
	arena_release(&a);
}

static void print_change(struct buf *out, struct str doc)
{
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);

	buf_addf(out, "%.*s: %.*s %s\n", STR_ARG(see(&s, "/bundle")),
		STR_ARG(see(&s, "/kind")),
		see_true(&s, "/changed") ? "done" : "changed nothing");
	arena_release(&a);
}

static void print_once(struct buf *out, const struct screen *s)
{
	buf_addf(out, "%-10s%.*s\n", "one look",
		STR_ARG(see(s, "/once/reason")));
	buf_addf(out,
		"%-10sof this ring's canary decisions at most %.3g%% are "
		"errors, %.3g%% undefined (exact, 95%%)\n",
		"", 100 * doc_number(s->doc, "/once/rate/error/high"),
		100 * doc_number(s->doc, "/once/rate/undefined/high"));
}

static void print_retro(struct buf *out, const struct screen *s)
{
	static const char *const head[] = {"ROLLOUT", "VERSION", "OVER", "WAS",
		"WOULD BE", "RINGS", "DECISIONS", "WHY"};
	struct columns c = {.head = head, .n = COUNT(head)};
	struct json_iter it = json_iter(see_part(s, "/rollouts"));

	while (json_next(&it)) {
		struct str rings = str_from(arena_printf(s->a, "%.*s of %.*s",
			STR_ARG(see_in(s, it.value, "rings_passed")),
			STR_ARG(see_in(s, it.value, "rings"))));

		columns_add(s->a, &c, see_in(s, it.value, "rollout"));
		columns_add(s->a, &c, see_in(s, it.value, "version"));
		columns_add(s->a, &c, see_in(s, it.value, "over"));
		columns_add(s->a, &c, see_in(s, it.value, "was"));
		columns_add(s->a, &c, see_in(s, it.value, "outcome"));
		columns_add(s->a, &c, rings);
		columns_add(s->a, &c, see_in(s, it.value, "decisions"));
		columns_add(s->a, &c, see_in(s, it.value, "reason"));
	}
	if (c.len)
		columns_write(&c, out);
	else
		buf_adds(out, "no rollout yet\n");
}

static void print_verdict(struct buf *out, struct str doc)
{
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);

	if (see_part(&s, "/rollouts").len) {
		print_retro(out, &s);
		arena_release(&a);
		return;
	}
	buf_addf(out, "rollout %.*s, verdict %.*s\n",
		STR_ARG(see(&s, "/rollout")), STR_ARG(see(&s, "/number")));
	status_verdict(out, &s, true);
	if (see(&s, "/once/reason").len)
		print_once(out, &s);
	arena_release(&a);
}

/* --- the commands --------------------------------------------------------- */

OPERATION_COMMAND(cmd_rollout_plan, struct rollout_params, plan_options,
	.name = "rollout plan", .args = "[<version>]",
	.summary = "Say what a rollout would do, and how long it would take",
	.text = "Targets ring by ring, and the minutes that a clean bake takes "
		"to be proved good at\nthe traffic of the last 24 hours. "
		"`rollout start --plan HASH` starts just that.",
	.operation = OPERATION(NAMES("revision"), NULL, print_plan));
OPERATION_COMMAND(cmd_rollout_start, struct rollout_params, start_options,
	.name = "rollout start", .args = "[<version>]",
	.summary = "Start to roll a version out, ring by ring",
	.text = "The newest version when none is named. Rings, bake and "
		"verdict are those of\nregatta.yaml at the version's commit. "
		"From here it goes by itself: forward on a\nPASS, back on a "
		"FAIL, and on hold when nothing can be said.",
	.operation = OPERATION(NAMES("revision"), NULL, print_start));
OPERATION_COMMAND(cmd_rollout_list, struct rollout_params, list_options,
	.name = "rollout list", .args = "", .summary = "List rollouts",
	.text = "The newest first.",
	.operation = OPERATION(NULL, NULL, print_list));
OPERATION_COMMAND(cmd_rollout_show, struct rollout_params, show_options,
	.name = "rollout show", .args = "[<number>]",
	.summary = "Show one rollout",
	.text = "With its steps and its last verdict; -o json has its plan "
		"too.",
	.operation = OPERATION(NAMES("rollout"), NULL, print_show));
OPERATION_COMMAND(cmd_promote, struct rollout_params, promote_options,
	.name = "promote", .args = "", .summary = "Go on to the next ring",
	.text = "After a hold or a gate, or out of a bake with --force and "
		"--reason. Where the plan\nwants several approvers this is one "
		"approval, and the last of them goes on.\n\nExit codes: 0 "
		"done, 8 others have to approve too.",
	.operation = OPERATION(NULL, NULL, print_promote));
OPERATION_COMMAND(cmd_hold, struct rollout_params, simple_options,
	.name = "hold", .args = "", .summary = "Let a rollout wait",
	.text = "Who has the version keeps it; nothing moves until promote, "
		"extend or abort.",
	.operation = OPERATION(NULL, NULL, print_change));
OPERATION_COMMAND(cmd_extend, struct rollout_params, extend_options,
	.name = "extend", .args = "", .summary = "Give a bake more time",
	.text = "What is on hold bakes again for that long.",
	.operation = OPERATION(NULL, NULL, print_change));
OPERATION_COMMAND(cmd_abort, struct rollout_params, simple_options,
	.name = "abort", .args = "", .summary = "End a rollout",
	.text = "Everybody gets the stable version again. Unlike a rollback it "
		"says nothing bad of the\nversion, and freezes nothing.",
	.operation = OPERATION(NULL, NULL, print_change));
OPERATION_COMMAND(cmd_retry, struct rollout_params, retry_options,
	.name = "retry", .args = "", .summary = "Start the last rollout anew",
	.text = "With the plan that it had.",
	.operation = OPERATION(NULL, NULL, print_start));
OPERATION_COMMAND(cmd_verdict, struct rollout_params, verdict_options,
	.name = "verdict", .args = "[<number>]",
	.summary = "Say how a rollout was judged",
	.text = "Counts, rates, evidence against its threshold, and the reason "
		"in a sentence.\n\nEvidence may be looked at all the time. "
		"--once has the exact tests of textbooks\ninstead, for one "
		"look at an end that was fixed before: a script's, after so "
		"many\nminutes.\n\nExit codes: 0 PASS, 7 FAIL, 8 inconclusive.",
	.operation = OPERATION(NAMES("rollout"), NULL, print_verdict));
