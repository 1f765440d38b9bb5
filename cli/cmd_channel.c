/*
 * What people do with a channel by hand: freeze, unfreeze, pin, unpin,
 * quarantine, pardon.
 */
#include <stddef.h>

#include "canary/state.h"
#include "cli/operation.h"
#include "cli/screen.h"

struct channel_params {
	struct operation_params head;
	const char *bundle, *reason, *scope, *from, *until, *target, *selector;
	int64_t for_ns, generation;
	bool all, unseen;
};

#define AT(field) offsetof(struct channel_params, field)

/* clang-format off */
#define COMMON \
	BUNDLE_OPTION(AT(bundle)), \
	{0, "generation", OPT_INT, AT(generation), "n", NULL, "the channel's, that this was decided on"}, \
	KEY_OPTION(struct channel_params), \
	OUTPUT_OPTION(struct channel_params), \
	REASON_OPTION(AT(reason)), \
	SERVER_OPTION(struct channel_params), \
	STATE_OPTION(struct channel_params)
#define SCOPE \
	{0, "scope", OPT_CHOICE, AT(scope), "all automation", NULL, "people too, or CI and the engine alone"}
#define ALL \
	{0, "all", OPT_BOOL, AT(all), NULL, NULL, "the channels of all bundles, those to come too"}
#define TARGETS \
	{0, "selector", OPT_STRING, AT(selector), "labels", NULL, "targets by labels, as region=eu"}, \
	{0, "target", OPT_STRING, AT(target), "id", NULL, "one target"}

static const struct option freeze_options[] = {
	COMMON,
	ALL,
	{0, "for", OPT_DURATION, AT(for_ns), "duration", NULL, "how long (12h)"},
	{0, "from", OPT_STRING, AT(from), "time", NULL, "when it begins (now)"},
	SCOPE,
	{0, "until", OPT_STRING, AT(until), "time", NULL, "when it ends"},
};
static const struct option unfreeze_options[] = {COMMON, ALL, SCOPE};
static const struct option pin_options[] = {
	COMMON,
	{0, "for", OPT_DURATION, AT(for_ns), "duration", NULL, "how long (24h)"},
	TARGETS,
	{0, "unseen", OPT_BOOL, AT(unseen), NULL, NULL, "a target that never polled, too"},
};
static const struct option unpin_options[] = {COMMON, TARGETS};
static const struct option quarantine_options[] = {COMMON};
/* clang-format on */

/* "platform: frozen, generation 12", or that it was so already. */
static void print_change(struct buf *out, struct str doc)
{
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);
	struct str bundle = see(&s, "/bundle"), kind = see(&s, "/kind");

	if (str_is(bundle, STATE_FLEET))
		bundle = S("all bundles");
	if (see_true(&s, "/changed"))
		buf_addf(out, "%.*s: %.*s done, generation %lld\n",
			STR_ARG(bundle), STR_ARG(kind),
			(long long)see_int(&s, "/generation"));
	else
		buf_addf(out, "%.*s: it is so already, nothing changed\n",
			STR_ARG(bundle));
	arena_release(&a);
}

OPERATION_COMMAND(cmd_freeze, struct channel_params, freeze_options,
	.name = "freeze", .args = "",
	.summary = "Let nothing advance for some time",
	.text = "A rollout that bakes goes on baking and is then held. Nothing "
		"starts and no ring is\nadded. A rollback works always. --all "
		"freezes everything that this state folder\nreleases, until "
		"`unfreeze --all`.",
	.operation = OPERATION(NULL, NULL, print_change));
OPERATION_COMMAND(cmd_unfreeze, struct channel_params, unfreeze_options,
	.name = "unfreeze", .args = "", .summary = "End a freeze",
	.text = "Ends the freeze of people and automation, or else the one of "
		"automation that a\nrollback leaves behind. One that was made "
		"with --all ends with --all.",
	.operation = OPERATION(NULL, NULL, print_change));
OPERATION_COMMAND(cmd_pin, struct channel_params, pin_options, .name = "pin",
	.args = "<version>",
	.summary = "Hold targets on a version for some time",
	.text = "A pin goes before everything: its targets get that version "
		"until it ends. It is\nshown on every screen.",
	.operation = OPERATION(NAMES("revision"),
		"specify the version to hold them on", print_change));
OPERATION_COMMAND(cmd_unpin, struct channel_params, unpin_options,
	.name = "unpin", .args = "", .summary = "End a pin",
	.text = "Names the pin as it was made, by --target or --selector.",
	.operation = OPERATION(NULL, NULL, print_change));
OPERATION_COMMAND(cmd_quarantine, struct channel_params, quarantine_options,
	.name = "quarantine", .args = "<version>",
	.summary = "Let nobody get a version any more",
	.text = "A rollback does it by itself. Versions that are in use can't "
		"be quarantined: roll\nback instead.",
	.operation = OPERATION(
		NAMES("revision"), "specify the version", print_change));
OPERATION_COMMAND(cmd_pardon, struct channel_params, quarantine_options,
	.name = "pardon", .args = "<version>",
	.summary = "Take a version out of quarantine",
	.text = "It may be rolled out again, which takes --force and a reason.",
	.operation = OPERATION(
		NAMES("revision"), "specify the version", print_change));
