/* regatta doctor: what is wrong, in order of harm, and which line changes it.
 */
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/fs.h"
#include "base/json.h"
#include "bundler/config.h"
#include "cli/operation.h"
#include "cli/output.h"
#include "cli/screen.h"
#include "server/advice.h"

struct doctor_params {
	struct operation_params head;
	const char *repo;
	struct list agents;
};

enum { SKEW_S = 60 };

#define AT(field) offsetof(struct doctor_params, field)

/* clang-format off */
static const struct option options[] = {
	OUTPUT_OPTION(struct doctor_params),
	{0, "agent-config", OPT_LIST, AT(agents), "file", NULL, "the configuration of an OPA agent, to look at too; several times for several"},
	{0, "repo", OPT_STRING, AT(repo), "dir", ".", "the policy repo, if there is one"},
	SERVER_OPTION(struct doctor_params),
	STATE_OPTION(struct doctor_params),
};
/* clang-format on */

#define ADD(d, h, c, f, ...)                                                   \
	advice_add(d,                                                          \
		(struct advice_row){.harm = (h),                               \
			.code = (c),                                           \
			.where = S(CONFIG_NAME),                               \
			.fix = (f)},                                           \
		__VA_ARGS__)

/* --- the repo ------------------------------------------------------------- */

static void check_key(struct advice *d, const struct config *c, const char *dir)
{
	struct arena a = {0};
	const char *path = c->sign.key[0] == '/' ? c->sign.key
						 : arena_printf(&a, "%s/%s",
							   dir, c->sign.key);
	struct stat st;

	if (!stat(path, &st) && (st.st_mode & 077))
		ADD(d, HARM_HIGH, "D404",
			arena_printf(&a,
				"chmod 600 %s, and make a new key if "
				"others may have read it",
				path),
			"the key %s can be read by others (mode %04o)", path,
			(unsigned)st.st_mode & 07777);
	arena_release(&a);
}

/* In the last commit of the repo: everybody who has a clone has it. */
static void check_key_in_git(
	struct advice *d, const struct config *c, const char *dir)
{
	struct repo_options o = {.paths = &c->sign.key, .npaths = 1};
	struct repo r = {0};
	struct err e = {0};

	if (c->sign.key[0] == '/' || repo_read(&r, dir, &o, &e))
		return;
	if (r.nfiles)
		ADD(d, HARM_HIGH, "D411",
			"git rm --cached it, and make a new key: the history "
			"keeps this one",
			"the key %s is in git", c->sign.key);
	repo_release(&r);
}

static void check_signing(
	struct advice *d, const struct config *c, const char *dir)
{
	if (!c->sign.key) {
		ADD(d, HARM_HIGH, "D401",
			"sign: {key: keys/bundle.pem, alg: ES256, keyid: ID, "
			"scope: SCOPE}",
			"bundles are not signed");
		return;
	}
	if (!c->sign.keyid)
		ADD(d, HARM_MEDIUM, "D402", "sign.keyid: bundle-1",
			"signatures name no key: agents can't be moved from "
			"one key to the next");
	if (!c->sign.scope)
		ADD(d, HARM_MEDIUM, "D403", "sign.scope: prod",
			"signatures have no scope: a bundle for another fleet "
			"with the same key passes");
	check_key(d, c, dir);
	check_key_in_git(d, c, dir);
}

static void check_rollout(struct advice *d, const struct config *c)
{
	if (c->rollout.nrings < 2)
		ADD(d, HARM_HIGH, "D405",
			"rollout.rings: a first ring of few targets",
			"there is one ring: every version reaches all targets "
			"at once");
	if (!strcmp(c->rollout.on_inconclusive, "promote"))
		ADD(d, HARM_MEDIUM, "D406", "rollout.on_inconclusive: hold",
			"what could not be judged is promoted");
	if (!c->ndecisions)
		ADD(d, HARM_LOW, "D407",
			"decisions: [{path: \"**\", outcome: violations}]",
			"no outcome is named: what is a deny is told by the "
			"shape of results");
	if (c->test.coverage <= 0)
		ADD(d, HARM_LOW, "D408", "test.coverage: 80",
			"there is no gate for coverage");
	if (c->server && str_starts(str_from(c->server), S("http:")))
		ADD(d, HARM_MEDIUM, "D409", "server: https://...",
			"the server is spoken to without TLS: tokens can be "
			"read on the way");
	if (!c->notify.len)
		ADD(d, HARM_LOW, "D410", "notify: [./tell-the-team]",
			"nobody is told of what rollouts do by themselves");
}

static void check_repo(struct advice *d, const char *dir)
{
	struct config c = {0};
	struct err e = {0};
	enum status st = config_read(&c, dir, &e);

	if (st == E_NOT_FOUND)
		return;
	if (st) {
		ADD(d, HARM_HIGH, "D400", "correct it", "%s", e.text);
	} else {
		check_signing(d, &c, dir);
		check_rollout(d, &c);
	}
	config_release(&c);
}

/* --- agents --------------------------------------------------------------- */

static int check_agents(struct advice *d, const struct list *files)
{
	struct err e = {0};
	int code = 0;

	for (size_t i = 0; i < files->len && !code; i++) {
		struct buf text = {0};

		if (fs_read(NULL, files->items[i], LIMIT_CONFIG_BYTES, &text,
			    &e))
			code = print_err(e.code, &e);
		else
			advice_agent_config(d, files->items[i], buf_str(&text));
		buf_release(&text);
	}
	return code;
}

/* --- all of it ------------------------------------------------------------ */

/* The rows of the folder behind ours of the same harm. */
static void add_rows(struct advice *d, struct str rows)
{
	struct json_iter it = json_iter(rows);

	while (json_next(&it)) {
		struct str harm;

		for (size_t h = 0; h < HARMS; h++) {
			struct buf *out = &d->rows[h];

			if (!json_member(it.value, S("harm"), &harm) ||
				!json_text_is(harm,
					str_from(harm_name((enum harm)h))))
				continue;
			if (out->len)
				buf_addc(out, ',');
			buf_addstr(out, it.value);
			d->n[h]++;
		}
	}
}

static void print_rows(struct buf *out, struct str doc, bool looked)
{
	static const enum tone tones[HARMS] = {TONE_BAD, TONE_WAIT, TONE_DIM};
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);
	struct json_iter it = json_iter(see_part(&s, "/rows"));
	bool any = false;

	while (json_next(&it)) {
		struct str harm = see_in(&s, it.value, "harm");
		size_t h = 0;

		while (h + 1 < HARMS && !str_is(harm, harm_name((enum harm)h)))
			h++;
		say(&s, out, tones[h], "%-6.*s", STR_ARG(harm));
		buf_addf(out, " %.*s  %.*s: %.*s\n",
			STR_ARG(see_in(&s, it.value, "code")),
			STR_ARG(see_in(&s, it.value, "where")),
			STR_ARG(see_in(&s, it.value, "what")));
		buf_addf(out, "             %.*s\n",
			STR_ARG(see_in(&s, it.value, "fix")));
		any = true;
	}
	if (!any && looked)
		buf_adds(out, "nothing is wrong that doctor knows of\n");
	arena_release(&a);
}

/* `looked`: everywhere, so that nothing found is nothing wrong. */
static int print_all(const struct advice *d, bool json, bool looked)
{
	struct buf doc = {0}, out = {0};

	buf_adds(&doc, "{\"kind\":\"doctor\",");
	advice_write(d, &doc);
	buf_addc(&doc, '}');
	if (json)
		json_print(stdout, buf_str(&doc));
	else
		print_rows(&out, buf_str(&doc), looked);
	print_buf(stdout, &out);
	buf_release(&doc);
	buf_release(&out);
	return d->n[HARM_HIGH] ? EXIT_FAILED : 0;
}

/* Who says what time it is there: a server on another host. */
static void check_clock(struct advice *d, struct str doc)
{
	struct str span;
	struct buf text = {0};
	int64_t there, off;

	if (!json_member(doc, S("now"), &span) ||
		json_kind(span) != JSON_STRING)
		return;
	json_text(&text, span);
	if (instant_parse(buf_str(&text), &there, NULL)) {
		off = (there - clock_wall(&clock_system)) / NS_PER_S;
		if (off > SKEW_S || off < -SKEW_S)
			advice_add(d,
				(struct advice_row){.harm = HARM_MEDIUM,
					.code = "D306",
					.where = S("server"),
					.fix = "let both hosts run NTP"},
				"its clock is %lld s %s this host's",
				(long long)(off < 0 ? -off : off),
				off < 0 ? "behind" : "ahead of");
	}
	buf_release(&text);
}

/* Where there is no folder yet, there is nothing in it to look at. */
static int check_state(struct advice *d, const struct doctor_params *p)
{
	struct remote r = {.params = &p->head.remote};
	struct str rows;
	int code = remote_call(&r, "doctor");

	if (!code)
		check_clock(d, buf_str(&r.out));
	if (!code && json_member(buf_str(&r.out), S("rows"), &rows))
		add_rows(d, rows);
	remote_release(&r);
	return code == EXIT_MISSING ? 0 : code;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct doctor_params *p = params;
	struct advice d = {0};
	int code, found;

	if (args->len)
		return usage_error(c, "doctor takes no arguments");
	code = check_agents(&d, &p->agents);
	if (code) {
		advice_release(&d);
		return code;
	}
	check_repo(&d, p->repo);
	code = check_state(&d, p);
	/* What was found is shown, also where a server does not answer. */
	found = print_all(&d, !strcmp(p->head.format, "json"), !code);
	advice_release(&d);
	return code ? code : found;
}

const struct command cmd_doctor = {
	.name = "doctor",
	.args = "",
	.summary = "Say what is wrong, in order of harm",
	.text = "Looks at regatta.yaml of the repo in this folder, at the "
		"state folder or server, and\nat what agents have said of "
		"themselves, and says which line to change. With\n"
		"--agent-config also at what an agent is started with.\n\nExit "
		"codes: 0 "
		"nothing of high harm, 3 something is.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct doctor_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run,
};
