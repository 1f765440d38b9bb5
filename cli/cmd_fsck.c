/* regatta fsck: is the state folder as it was written? */
#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "cli/operation.h"
#include "cli/output.h"
#include "cli/screen.h"

struct fsck_params {
	struct operation_params head;
};

/* clang-format off */
static const struct option options[] = {
	OUTPUT_OPTION(struct fsck_params),
	SERVER_OPTION(struct fsck_params),
	STATE_OPTION(struct fsck_params),
};
/* clang-format on */

static void print_row(const struct screen *s, struct str row, struct buf *out)
{
	struct str harm = see_in(s, row, "harm");

	say(s, out, str_is(harm, "fault") ? TONE_BAD : TONE_DIM, "%-5.*s",
		STR_ARG(harm));
	buf_addf(out, "  %.*s: %.*s\n", STR_ARG(see_in(s, row, "where")),
		STR_ARG(see_in(s, row, "what")));
}

static void print_fsck(struct buf *out, struct str doc)
{
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);
	struct json_iter it = json_iter(see_part(&s, "/rows"));

	while (json_next(&it))
		print_row(&s, it.value, out);
	if (see_true(&s, "/ok"))
		buf_adds(out, "ok");
	else
		buf_addf(out, "%lld faults", (long long)see_int(&s, "/faults"));
	buf_addf(out, ": %lld lines of the ledger, %lld archives",
		(long long)see_int(&s, "/ledger_lines"),
		(long long)see_int(&s, "/archives"));
	if (see_part(&s, "/decisions").len)
		buf_addf(out, ", %lld decisions",
			(long long)see_int(&s, "/decisions"));
	buf_addc(out, '\n');
	arena_release(&a);
}

OPERATION_COMMAND(cmd_fsck, struct fsck_params, options, .name = "fsck",
	.args = "", .summary = "Check everything in the state folder",
	.text = "The database and its ledger, every archive, the decision log "
		"and its indexes, the\ntokens. Each fault is named with its "
		"place, and it exits with 11; nothing is changed.\nNotes are "
		"files that nobody knows.",
	.operation = OPERATION(NULL, NULL, print_fsck));
