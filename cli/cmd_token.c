/*
 * regatta token: who may what, in the tokens file of a state folder.
 *
 * The file is the credential's place: whoever may write it may do anything, so
 * these commands work on the folder and never over the network. A server
 * notices within 200 ms.
 */
#include <stddef.h>
#include <string.h>
#include <sys/random.h>

#include "base/json.h"
#include "canary/state.h"
#include "cli/cli.h"
#include "cli/remote.h"
#include "cli/output.h"
#include "server/server.h"

struct token_params {
	const char *state, *role, *target, *format;
};

#define AT(field) offsetof(struct token_params, field)
#define STATE_OPTION                                                           \
	{                                                                      \
		0, "state", OPT_STRING, AT(state), "dir", NULL,                \
			"the state folder (or REGATTA_STATE; ./var)"           \
	}

/* clang-format off */
static const struct option add_options[] = {
	{'o', "output", OPT_CHOICE, AT(format), "text json", "text", "what to print"},
	{0, "role", OPT_CHOICE, AT(role), "agent ci release oncall viewer", "agent", "what it may do"},
	STATE_OPTION,
	{0, "target", OPT_STRING, AT(target), "id", NULL, "the one target that an agent's token is for"},
};
static const struct option list_options[] = {
	{'o', "output", OPT_CHOICE, AT(format), "table json", "table", "what to print"},
	STATE_OPTION,
};
static const struct option revoke_options[] = {
	STATE_OPTION,
};
/* clang-format on */

static const char *tokens_path(struct arena *a, const struct token_params *p)
{
	return arena_printf(a, "%s/" STATE_TOKENS, remote_folder(p->state));
}

/* Also that it is one of ours, and of no newer program. */
static enum status open_folder(
	const struct token_params *p, bool create, struct err *e)
{
	struct state *s;
	enum status st = state_open(&s, remote_folder(p->state),
		&(struct state_options){.create = create}, e);

	if (!st)
		state_close(s);
	return st;
}

static void print_added(
	const struct token_params *p, const char *name, const struct buf *token)
{
	struct buf out = {0};

	if (strcmp(p->format, "json") != 0) {
		fprintf(stderr,
			"regatta: this is the only time that the token of %s "
			"is shown\n",
			name);
		printf("%s\n", token->ptr);
		return;
	}
	buf_adds(&out, "{\"kind\":\"token\",\"name\":");
	json_quote(&out, str_from(name));
	buf_addf(&out, ",\"role\":\"%s\",\"token\":\"%s\"}", p->role,
		token->ptr);
	json_print(stdout, buf_str(&out));
	buf_release(&out);
}

static int run_add(
	const struct command *c, const void *params, const struct list *args)
{
	const struct token_params *p = params;
	unsigned char random[SERVER_TOKEN_RANDOM];
	struct arena a = {0};
	struct buf token = {0};
	struct err e = {0};
	enum status st;

	if (args->len != 1)
		return usage_error(c, "specify the token's name");
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		die("no randomness");
	st = open_folder(p, true, &e);
	if (!st)
		st = server_token_add(NULL, tokens_path(&a, p), args->items[0],
			server_role_find(str_from(p->role)), p->target, random,
			&token, &e);
	explicit_bzero(random, sizeof(random));
	if (!st)
		print_added(p, args->items[0], &token);
	buf_release(&token);
	arena_release(&a);
	return st ? print_err(st, &e) : 0;
}

static void write_list(const struct server_tokens *t, struct buf *out)
{
	buf_adds(out, "{\"kind\":\"tokens\",\"tokens\":[");
	for (size_t i = 0; i < t->len; i++) {
		const struct server_token *x = &t->items[i];

		buf_adds(out, i ? ",{\"name\":" : "{\"name\":");
		json_quote(out, str_from(x->name));
		buf_addf(out, ",\"role\":\"%s\"", server_role_name(x->role));
		if (x->target[0]) {
			buf_adds(out, ",\"target\":");
			json_quote(out, str_from(x->target));
		}
		buf_addc(out, '}');
	}
	buf_adds(out, "]}");
}

static void print_table(const struct server_tokens *t)
{
	printf("%-24s %-8s %s\n", "NAME", "ROLE", "TARGET");
	for (size_t i = 0; i < t->len; i++)
		printf("%-24s %-8s %s\n", t->items[i].name,
			server_role_name(t->items[i].role),
			t->items[i].target[0] ? t->items[i].target : "-");
}

static int run_list(
	const struct command *c, const void *params, const struct list *args)
{
	const struct token_params *p = params;
	struct server_tokens t = {0};
	struct arena a = {0};
	struct buf out = {0};
	struct err e = {0};
	enum status st;

	if (args->len)
		return usage_error(c, "token list takes no arguments");
	st = open_folder(p, false, &e);
	if (!st)
		st = server_tokens_read(&t, NULL, tokens_path(&a, p), &e);
	if (!st && !strcmp(p->format, "json")) {
		write_list(&t, &out);
		json_print(stdout, buf_str(&out));
	} else if (!st) {
		print_table(&t);
	}
	server_tokens_release(&t);
	buf_release(&out);
	arena_release(&a);
	return st ? print_err(st, &e) : 0;
}

static int run_revoke(
	const struct command *c, const void *params, const struct list *args)
{
	struct arena a = {0};
	struct err e = {0};
	enum status st;

	if (args->len != 1)
		return usage_error(c, "specify the token's name");
	st = open_folder(params, false, &e);
	if (!st)
		st = server_token_revoke(
			NULL, tokens_path(&a, params), args->items[0], &e);
	arena_release(&a);
	if (st)
		return print_err(st, &e);
	fprintf(stderr, "regatta: %s is revoked\n", args->items[0]);
	return 0;
}

const struct command cmd_token_add = {
	.name = "token add",
	.args = "<name>",
	.summary = "Make a token and print it",
	.text = "Makes a token with a role and prints it, once: the folder "
		"keeps its SHA-256.\n\n  agent    polls bundles, sends "
		"decision logs and status\n  ci       publishes versions, "
		"starts rollouts where that is allowed\n  release  starts, "
		"promotes, holds, unfreezes\n  oncall   rolls back, freezes, "
		"pins\n  viewer   looks",
	.options = add_options,
	.noptions = COUNT(add_options),
	.params = sizeof(struct token_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run_add,
};

const struct command cmd_token_list = {
	.name = "token list",
	.args = "",
	.summary = "List the tokens of a state folder",
	.text = "Names, roles and targets; tokens themselves are nowhere.",
	.options = list_options,
	.noptions = COUNT(list_options),
	.params = sizeof(struct token_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run_list,
};

const struct command cmd_token_revoke = {
	.name = "token revoke",
	.args = "<name>",
	.summary = "Revoke a token",
	.text = "From now on the token is refused; a running server notices "
		"within 200 ms.",
	.options = revoke_options,
	.noptions = COUNT(revoke_options),
	.params = sizeof(struct token_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run_revoke,
};
