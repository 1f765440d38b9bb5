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
	bool all;
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
};
static const struct option unpin_options[] = {COMMON, TARGETS};
static const struct option quarantine_options[] = {COMMON};
/* clang-format on */

static const char *const revision[] = {"revision", NULL};

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

#define RUN(name, of, names, missing)                                          \
	static int name(const struct command *c, const void *params,           \
		const struct list *args)                                       \
	{                                                                      \
		static const struct operation o = {                            \
			(of), (names), (missing), print_change};               \
                                                                               \
		return operation_run(&o, c, params, args);                     \
	}

RUN(run_freeze, "freeze", NULL, "")
RUN(run_unfreeze, "unfreeze", NULL, "")
RUN(run_pin, "pin", revision, "specify the version to hold them on")
RUN(run_unpin, "unpin", NULL, "")
RUN(run_quarantine, "quarantine", revision, "specify the version")
RUN(run_pardon, "pardon", revision, "specify the version")

#define COMMAND(                                                               \
	id, the_name, the_args, the_options, the_run, the_summary, the_text)   \
	const struct command id = {                                            \
		.name = (the_name),                                            \
		.args = (the_args),                                            \
		.summary = (the_summary),                                      \
		.text = (the_text),                                            \
		.options = (the_options),                                      \
		.noptions = COUNT(the_options),                                \
		.params = sizeof(struct channel_params),                       \
		.usage_exit = EXIT_BAD_USAGE,                                  \
		.run = (the_run),                                              \
	}

COMMAND(cmd_freeze, "freeze", "", freeze_options, run_freeze,
	"Let nothing advance for some time",
	"A rollout that bakes goes on baking and is then held. Nothing starts "
	"and no ring is\nadded. A rollback works always. --all freezes "
	"everything that this state folder\nreleases, until `unfreeze --all`.");
COMMAND(cmd_unfreeze, "unfreeze", "", unfreeze_options, run_unfreeze,
	"End a freeze",
	"Ends the freeze of people and automation, or else the one of "
	"automation that a\nrollback leaves behind. One that was made with "
	"--all ends with --all.");
COMMAND(cmd_pin, "pin", "<version>", pin_options, run_pin,
	"Hold targets on a version for some time",
	"A pin goes before everything: its targets get that version until "
	"it ends. It is\nshown on every screen.");
COMMAND(cmd_unpin, "unpin", "", unpin_options, run_unpin, "End a pin",
	"Names the pin as it was made, by --target or --selector.");
COMMAND(cmd_quarantine, "quarantine", "<version>", quarantine_options,
	run_quarantine, "Let nobody get a version any more",
	"A rollback does it by itself. Versions that are in use can't be "
	"quarantined: roll\nback instead.");
COMMAND(cmd_pardon, "pardon", "<version>", quarantine_options, run_pardon,
	"Take a version out of quarantine",
	"It may be rolled out again, which takes --force and a reason.");
