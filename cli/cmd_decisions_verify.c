/* regatta decisions verify, rebuild: is the log as it was written? */
#include <stddef.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "cli/operation.h"
#include "cli/output.h"
#include "cli/screen.h"
#include "decisions/decisions.h"
#include "signer/note.h"

struct verify_params {
	struct operation_params head;
	const char *held, *prove, *proof, *event, *public_key;
};

#define AT(field) offsetof(struct verify_params, field)

/* clang-format off */
static const struct option verify_options[] = {
	{0, "event", OPT_STRING, AT(event), "file", NULL, "with --proof: the event's bytes, as `decisions show -o raw` prints them"},
	{0, "held", OPT_STRING, AT(held), "file", NULL, "a checkpoint that was kept elsewhere: the log must begin with it"},
	OUTPUT_OPTION(struct verify_params),
	{0, "proof", OPT_STRING, AT(proof), "file", NULL, "check a proof without the log; needs --event and --public-key"},
	{0, "prove", OPT_STRING, AT(prove), "number|id", NULL, "print a proof that this decision is in the log"},
	{0, "public-key", OPT_STRING, AT(public_key), "file", NULL, "with --proof: log.pub of the state folder"},
	SERVER_OPTION(struct verify_params),
	STATE_OPTION(struct verify_params),
};
static const struct option rebuild_options[] = {
	OUTPUT_OPTION(struct verify_params),
	SERVER_OPTION(struct verify_params),
	STATE_OPTION(struct verify_params),
};
/* clang-format on */

static const char *signed_by(const struct screen *s)
{
	if (!see_int(s, "/events"))
		return "";
	if (!see_true(s, "/checkpoints"))
		return "; there is no checkpoint, so nobody signed for them";
	return see_true(s, "/signatures")
		       ? ", and checkpoints that log.pub signed"
		       : "; no key, so no signatures were checked";
}

static void print_verified(struct buf *out, struct str doc)
{
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);

	if (!see_true(&s, "/ok"))
		buf_addf(out, "damaged: %.*s\n",
			STR_ARG(see(&s, "/fault/text")));
	else
		buf_addf(out, "ok: %lld decisions%s\n",
			(long long)see_int(&s, "/events"), signed_by(&s));
	arena_release(&a);
}

static void print_proof(struct buf *out, struct str doc)
{
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);

	buf_addstr(out, see(&s, "/proof"));
	arena_release(&a);
}

static void print_rebuilt(struct buf *out, struct str doc)
{
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);

	buf_addf(out, "ok: %lld decisions indexed\n",
		(long long)see_int(&s, "/events"));
	arena_release(&a);
}

static int finish(struct remote *r, const struct verify_params *p,
	const char *op, void (*print)(struct buf *out, struct str doc))
{
	struct buf out = {0};
	int code;

	code = remote_call(r, op);
	if (!remote_failed(r) && !strcmp(p->head.format, "json"))
		json_print(stdout, buf_str(&r->out));
	else if (!remote_failed(r))
		print(&out, buf_str(&r->out));
	print_buf(stdout, &out);
	buf_release(&out);
	remote_release(r);
	return code;
}

/* --- a proof, without the log -----------------------------------------------
 */

/* `decisions show -o raw` ends with a line end that is not the event's. */
static struct str without_line_end(struct str s)
{
	return str_ends(s, S("\n")) ? str_slice(s, 0, s.len - 1) : s;
}

static int check_proof(const struct verify_params *p)
{
	struct buf proof = {0}, event = {0};
	struct note_key *key = NULL;
	struct err e = {0};
	enum status st = fs_read(NULL, p->proof, MIB(1), &proof, &e);

	if (!st)
		st = fs_read(NULL, p->event, LIMIT_EVENT + 1, &event, &e);
	if (!st)
		st = note_key_read(&key, NULL, p->public_key, &e);
	if (!st) {
		st = decision_proof_check(buf_str(&proof),
			without_line_end(buf_str(&event)), key, &e);
		if (st)
			st = E_INVALID;
	}
	if (st)
		fprintf(stderr, "regatta: %s\n", e.text);
	else
		printf("ok: the decision is in the log that was signed\n");
	note_key_free(key);
	buf_release(&event);
	buf_release(&proof);
	return (int)op_code_of(st);
}

/* --- the commands -----------------------------------------------------------
 */

static int add_held(struct remote *r, const char *path, struct buf *text)
{
	struct err e = {0};
	enum status st = fs_read(NULL, path, KIB(64), text, &e);

	if (st)
		fprintf(stderr, "regatta: %s\n", e.text);
	else
		remote_text(r, "held", text->ptr);
	return (int)op_code_of(st);
}

static int run_verify(
	const struct command *c, const void *params, const struct list *args)
{
	const struct verify_params *p = params;
	struct remote r = {.params = &p->head.remote};
	struct buf held = {0};
	int code = 0;

	if (args->len)
		return usage_error(c, "decisions verify takes no arguments");
	if (!p->proof != !p->event || !p->proof != !p->public_key)
		return usage_error(
			c, "--proof, --event and --public-key go together");
	if (p->proof)
		return check_proof(p);
	if (p->held)
		code = add_held(&r, p->held, &held);
	remote_text(&r, "prove", p->prove);
	if (!code)
		code = finish(&r, p, "decisions verify",
			p->prove ? print_proof : print_verified);
	buf_release(&held);
	return code;
}

static int run_rebuild(
	const struct command *c, const void *params, const struct list *args)
{
	const struct verify_params *p = params;
	struct remote r = {.params = &p->head.remote};

	if (args->len)
		return usage_error(c, "decisions rebuild takes no arguments");
	return finish(&r, p, "decisions rebuild", print_rebuilt);
}

const struct command cmd_decisions_verify = {
	.name = "decisions verify",
	.args = "",
	.summary = "Read the whole decision log and compare",
	.text = "Everything that can be computed is: hashes, their chain, the "
		"manifest, the tree,\nsigned checkpoints, and the indexes. The "
		"first place that does not fit is named,\nand it exits with "
		"11. What was cut off the end is found by a checkpoint that "
		"was\nkept elsewhere alone: give it with --held.",
	.options = verify_options,
	.noptions = COUNT(verify_options),
	.params = sizeof(struct verify_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run_verify,
};

const struct command cmd_decisions_rebuild = {
	.name = "decisions rebuild",
	.args = "",
	.summary = "Make the indexes of the decision log again",
	.text = "From the log alone, beside the ones in use, which answer "
		"until they are replaced.",
	.options = rebuild_options,
	.noptions = COUNT(rebuild_options),
	.params = sizeof(struct verify_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run_rebuild,
};
