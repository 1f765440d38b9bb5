/*
 * regatta history, audit verify, audit export: who changed what, and that
 * nobody changed what is written of it.
 */
#include <stddef.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "cli/operation.h"
#include "cli/output.h"
#include "cli/screen.h"

struct history_params {
	struct operation_params head;
	const char *bundle, *known, *public_key;
	int64_t limit, after;
};

#define AT(field) offsetof(struct history_params, field)

/* clang-format off */
static const struct option history_options[] = {
	{0, "after", OPT_INT, AT(after), "line", NULL, "oldest first, from behind this line of the ledger"},
	BUNDLE_OPTION(AT(bundle)),
	{'n', "limit", OPT_INT, AT(limit), "n", "20", "at most so many"},
	OUTPUT_OPTION(struct history_params),
	SERVER_OPTION(struct history_params),
	STATE_OPTION(struct history_params),
};
static const struct option verify_options[] = {
	{0, "known", OPT_STRING, AT(known), "line:hash", NULL, "a head that was kept elsewhere"},
	{0, "public-key", OPT_STRING, AT(public_key), "file", NULL, "a copy of ledger.pub that was kept elsewhere: all must be signed with it"},
	OUTPUT_OPTION(struct history_params),
	SERVER_OPTION(struct history_params),
	STATE_OPTION(struct history_params),
};
static const struct option export_options[] = {
	SERVER_OPTION(struct history_params),
	STATE_OPTION(struct history_params),
};
/* clang-format on */

/* What it was about: a version, a ring, a target. */
static struct str about(const struct screen *s, struct str line)
{
	static const char *const names[] = {
		"revision", "ring", "target", "selector"};
	struct buf text = {0};
	struct str out;

	for (size_t i = 0; i < COUNT(names); i++) {
		struct str x = see_in(s, line, names[i]);

		if (x.len)
			buf_addf(&text, "%s%.*s", text.len ? " " : "",
				STR_ARG(x));
	}
	out = arena_str(s->a, buf_str(&text));
	buf_release(&text);
	return out;
}

static void print_history(struct buf *out, struct str doc)
{
	static const char *const head[] = {"LINE", "TIME", "BUNDLE", "EVENT",
		"WHAT", "STATE", "WHO", "WHY"};
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);
	struct columns c = {.head = head, .n = COUNT(head)};
	struct json_iter it = json_iter(see_part(&s, "/lines"));

	while (json_next(&it)) {
		struct str state;

		columns_add(&a, &c, see_in(&s, it.value, "seq"));
		columns_add(&a, &c, see_in(&s, it.value, "time"));
		columns_add(&a, &c, see_in(&s, it.value, "bundle"));
		columns_add(&a, &c, see_in(&s, it.value, "event"));
		columns_add(&a, &c, about(&s, it.value));
		columns_add(&a, &c,
			json_member(it.value, S("after"), &state)
				? see_in(&s, state, "state")
				: S(""));
		columns_add(&a, &c, see_in(&s, it.value, "who"));
		columns_add(&a, &c, see_in(&s, it.value, "reason"));
	}
	if (c.len)
		columns_write(&c, out);
	else
		buf_adds(out, "nothing has happened yet\n");
	arena_release(&a);
}

static void print_audit(struct buf *out, struct str doc)
{
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);
	long long lines = see_int(&s, "/lines"),
		  until = see_int(&s, "/signed_until");

	buf_addf(out, "ok: %lld lines, signed up to line %lld\n", lines, until);
	if (until < lines)
		buf_addf(out,
			"lines %lld to %lld have no signature: who wrote them "
			"could not read ledger.key\n",
			until + 1, lines);
	buf_addf(out, "head %.*s\n", STR_ARG(see(&s, "/head")));
	arena_release(&a);
}

static int run_verify(
	const struct command *c, const void *params, const struct list *args)
{
	struct history_params p = *(const struct history_params *)params;
	struct buf key = {0};
	struct err e = {0};
	enum status st = OK;
	int code;

	if (p.public_key)
		st = fs_read(NULL, p.public_key, KIB(64), &key, &e);
	if (p.public_key && !st)
		p.public_key = key.len ? key.ptr : "";
	if (st)
		print_wrong(e.text);
	code = st ? (int)op_code_of(st) : operation_run(c, &p, args);
	buf_release(&key);
	return code;
}

static int run_export(
	const struct command *c, const void *params, const struct list *args)
{
	const struct history_params *p = params;
	struct remote r = {.params = &p->head.remote};
	struct str lines;
	int code;

	if (args->len)
		return usage_error(c, "audit export takes no arguments");
	code = remote_call(&r, "audit export");
	if (!code && json_member(buf_str(&r.out), S("lines"), &lines)) {
		struct json_iter it = json_iter(lines);

		while (json_next(&it)) {
			fwrite(it.value.ptr, 1, it.value.len, stdout);
			putchar('\n');
		}
	}
	remote_release(&r);
	return code;
}

OPERATION_COMMAND(cmd_history, struct history_params, history_options,
	.name = "history", .args = "",
	.summary = "Say who changed what, when and why",
	.text = "The ledger's lines, the newest first: every change of a "
		"channel with its author and\nreason. -o json has the evidence "
		"too.",
	.operation = OPERATION(NULL, NULL, print_history));

const struct command cmd_audit_verify = {
	.name = "audit verify",
	.args = "",
	.summary = "Recompute the whole ledger and compare",
	.text = "Checks the chain of hashes, the signatures, and that the "
		"events give the records\nthat are stored. Keep the head it "
		"prints elsewhere and give it with --known later:\nlines that "
		"were cut off the end are found by that alone.",
	.options = verify_options,
	.noptions = COUNT(verify_options),
	.params = sizeof(struct history_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run_verify,
	.operation = OPERATION(NULL, NULL, print_audit),
};

const struct command cmd_audit_export = {
	.name = "audit export",
	.args = "",
	.summary = "Write the ledger as lines of JSON",
	.text = "Each line has the bytes that were hashed, the hash, and the "
		"head's signature where\nthere is one, to be checked "
		"elsewhere.",
	.options = export_options,
	.noptions = COUNT(export_options),
	.params = sizeof(struct history_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run_export,
};
