/*
 * regatta rollback: back to what was good, with no arguments, at 2 a.m.
 *
 * First it says what will change and asks; then one transaction; then it
 * watches until every target is back, or names those that are not.
 */
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/operation.h"
#include "cli/output.h"
#include "cli/status_text.h"
#include "cli/stop.h"
#include "server/doc.h"

struct rollback_params {
	struct operation_params head;
	const char *bundle, *reason, *to, *ring, *target;
	int64_t for_ns, timeout;
	bool force, dry_run, yes, no_wait, git_hint, drill;
};

#define AT(field) offsetof(struct rollback_params, field)

/* clang-format off */
static const struct option options[] = {
	BUNDLE_OPTION(AT(bundle)),
	{0, "drill", OPT_BOOL, AT(drill), NULL, NULL, "take --ring to another good version and back, and time it"},
	{'n', "dry-run", OPT_BOOL, AT(dry_run), NULL, NULL, "say what would be done"},
	{0, "for", OPT_DURATION, AT(for_ns), "duration", NULL, "how long a part of the fleet is held back (24h)"},
	{0, "force", OPT_BOOL, AT(force), NULL, NULL, "to a version that never was good; takes --to and --reason"},
	{0, "git-hint", OPT_BOOL, AT(git_hint), NULL, NULL, "print the git command that reverts the same commits"},
	KEY_OPTION(struct rollback_params),
	{0, "no-wait", OPT_BOOL, AT(no_wait), NULL, NULL, "end when it is done, not when all targets are back"},
	OUTPUT_OPTION(struct rollback_params),
	REASON_OPTION(AT(reason)),
	{0, "ring", OPT_STRING, AT(ring), "name", NULL, "only targets with the labels of this ring"},
	SERVER_OPTION(struct rollback_params),
	STATE_OPTION(struct rollback_params),
	{0, "target", OPT_STRING, AT(target), "id", NULL, "only this target"},
	{0, "timeout", OPT_DURATION, AT(timeout), "duration", "5m", "how long to wait for the targets"},
	{0, "to", OPT_STRING, AT(to), "version", NULL, "to this version (the last good one)"},
	{'y', "yes", OPT_BOOL, AT(yes), NULL, NULL, "do not ask"},
};
/* clang-format on */

enum { LOOK_MS = 200 };

struct back {
	const struct rollback_params *p;
	struct remote r;
	const char *bundle, *to;
	const char *key; /* of the change; not of what asks before */
	bool json;
	struct str done; /* the document of what was done */
};

/* A failure is a document too. */
static int ask(struct back *b, const char *op)
{
	int code = remote_call(&b->r, op);

	if (code && b->json && b->r.out.len)
		json_print(stdout, buf_str(&b->r.out));
	return code;
}

/* --- what will change ----------------------------------------------------- */

static int call(struct back *b, bool dry_run)
{
	const struct rollback_params *p = b->p;

	remote_reset(&b->r);
	remote_text(&b->r, "bundle", b->bundle);
	remote_text(&b->r, "to", b->to);
	remote_text(&b->r, "ring", p->ring);
	remote_text(&b->r, "target", p->target);
	remote_text(&b->r, "reason", p->reason);
	remote_duration(&b->r, "for", p->for_ns);
	remote_bool(&b->r, "force", p->force);
	remote_bool(&b->r, "dry_run", dry_run);
	b->r.key = dry_run ? NULL : b->key;
	return ask(b, "rollback");
}

static struct str version_or_none(const struct screen *s, const char *pointer)
{
	struct str revision = see(s, pointer);

	return revision.len ? revision : S("no version");
}

/* "authz: v2026.06.22-1 -> v2026.06.20-3, 210 of 214 targets, within 2 min" */
static void say_change(FILE *to, const struct screen *s)
{
	int64_t within = see_int(s, "/within_s");

	fprintf(to, "%.*s: %.*s -> %.*s", STR_ARG(see(s, "/bundle")),
		STR_ARG(version_or_none(s, "/from/revision")),
		STR_ARG(version_or_none(s, "/to/revision")));
	if (see(s, "/targets").len)
		fprintf(to, ", %.*s of %.*s targets",
			STR_ARG(see(s, "/affected")),
			STR_ARG(see(s, "/targets")));
	if (within)
		fprintf(to, ", within %s", doc_ahead(s->a, within * NS_PER_S));
	if (!see(s, "/to/revision").len)
		fputs(" (no version was ever good: agents keep what they have)",
			to);
	fputc('\n', to);
}

/* 0: go on. */
static int consent(const struct rollback_params *p)
{
	char answer[8] = "";

	if (p->yes)
		return 0;
	if (!isatty(STDIN_FILENO)) {
		fputs("regatta: nothing was done: --yes says that it is meant, "
		      "where nobody can be asked\n",
			stderr);
		return EXIT_BAD_USAGE;
	}
	fputs("go back? y/N ", stderr);
	if (fgets(answer, sizeof(answer), stdin) &&
		(answer[0] == 'y' || answer[0] == 'Y'))
		return 0;
	fputs("nothing was done\n", stderr);
	return EXIT_DENIED;
}

static void print_git_hint(const struct screen *s)
{
	struct str from = see(s, "/from/commit"), to = see(s, "/to/commit");

	if (from.len && to.len)
		printf("git revert --no-edit %.*s..%.*s\n", STR_ARG(to),
			STR_ARG(from));
	else
		fputs("regatta: the versions' commits are not known\n", stderr);
}

/* --- until all are back --------------------------------------------------- */

static int64_t missing(const struct screen *s)
{
	return see_int(s, "/targets/waiting") + see_int(s, "/targets/failed");
}

static void progress(const struct screen *s, int64_t since)
{
	struct buf out = {0};
	int64_t total = see_int(s, "/targets/total");
	double share =
		total ? (double)see_int(s, "/targets/there") / (double)total
		      : 1;

	if (!isatty(STDERR_FILENO))
		return;
	status_bar(&out, share, 30);
	buf_addc(&out, ' ');
	status_targets(&out, s);
	buf_addf(&out, "  %.1f s",
		(double)(clock_mono(&clock_system) - since) / 1e9);
	fprintf(stderr, "\r%s\x1b[K", out.ptr);
	buf_release(&out);
}

static void print_proof(struct back *b, const struct screen *s, int64_t since)
{
	struct buf out = {0};
	int64_t total = see_int(s, "/targets/total");
	double seconds = (double)(clock_mono(&clock_system) - since) / 1e9;

	if (b->json) {
		buf_addf(&out,
			"{\"kind\":\"rolled "
			"back\",\"schema\":%d,\"seconds\":%.3f,"
			"\"done\":%.*s,\"status\":%.*s}",
			DOC_SCHEMA, seconds, STR_ARG(b->done), STR_ARG(s->doc));
		json_print(stdout, buf_str(&out));
	} else if (!total) {
		puts("no target has ever polled here");
	} else if (see_int(s, "/targets/there") == total) {
		printf("all %lld targets run what they should, after %.1f s\n",
			(long long)total, seconds);
	} else {
		status_stragglers(&out, s);
		printf("%lld of %lld targets are not there after %.1f s; an "
		       "agent that stored its bundle\nruns it until it polls "
		       "again:\n",
			(long long)(total - see_int(s, "/targets/there")),
			(long long)total, seconds);
		print_buf(stdout, &out);
	}
	buf_release(&out);
}

/* Looks until nothing is missing; the status is in b->r.out then. */
static int converge(struct back *b, int64_t since)
{
	int64_t until = since + b->p->timeout;
	int code;

	for (;;) {
		struct arena a = {0};
		struct screen s;
		bool there;

		remote_reset(&b->r);
		remote_text(&b->r, "bundle", b->bundle);
		code = ask(b, "status");
		if (code)
			return code;
		s = screen_of(buf_str(&b->r.out), &a);
		there = !missing(&s);
		progress(&s, since);
		arena_release(&a);
		if (there || stop_asked() || clock_mono(&clock_system) >= until)
			break;
		clock_sleep(&clock_system, LOOK_MS * NS_PER_MS);
	}
	if (isatty(STDERR_FILENO))
		fputs("\r\x1b[K", stderr);
	return 0;
}

static int prove(struct back *b, int64_t since)
{
	struct screen s;
	int code;

	if (b->r.place == PLACE_FOLDER && !b->p->no_wait)
		fprintf(stderr,
			"regatta: no server runs on %s: agents get it when one "
			"does\n",
			remote_where(&b->r));
	code = converge(b, since);
	if (code)
		return code;
	s = screen_of(buf_str(&b->r.out), &b->r.a);
	print_proof(b, &s, since);
	return see_int(&s, "/targets/there") == see_int(&s, "/targets/total")
		       ? 0
		       : OP_NOT_CONVERGED;
}

/* --- the command ---------------------------------------------------------- */

static void say_same(const struct screen *s, bool json)
{
	if (json)
		json_print(stdout, s->doc);
	else
		printf("%.*s: already at %.*s, nothing changed\n",
			STR_ARG(see(s, "/bundle")),
			STR_ARG(version_or_none(s, "/to/revision")));
}

static int finish(struct back *b, int64_t since)
{
	struct screen s;

	b->done = arena_str(&b->r.a, buf_str(&b->r.out));
	s = screen_of(b->done, &b->r.a);
	if (!see_true(&s, "/changed")) {
		say_same(&s, b->json);
		return 0;
	}
	if (b->p->git_hint)
		print_git_hint(&s);
	if (!b->p->no_wait)
		return prove(b, since);
	if (b->json)
		json_print(stdout, b->done);
	return 0;
}

static void say_dry_run(const struct screen *s, bool json)
{
	if (json)
		json_print(stdout, s->doc);
	else
		say_change(stdout, s);
}

static int roll_back(struct back *b)
{
	struct screen s;
	int64_t since;
	int code = call(b, true);

	if (code)
		return code;
	s = screen_of(arena_str(&b->r.a, buf_str(&b->r.out)), &b->r.a);
	b->bundle = arena_strdup(&b->r.a, see(&s, "/bundle"));
	if (!see_true(&s, "/changed")) {
		say_same(&s, b->json);
		return 0;
	}
	if (b->p->dry_run) {
		say_dry_run(&s, b->json);
		return 0;
	}
	say_change(stderr, &s);
	code = consent(b->p);
	if (code)
		return code;
	stop_catch();
	since = clock_mono(&clock_system);
	/* What was agreed to is what is done, whatever came between. */
	if (see(&s, "/to/revision").len)
		b->to = arena_strdup(&b->r.a, see(&s, "/to/revision"));
	code = call(b, false);
	return code ? code : finish(b, since);
}

/* --- drill ---------------------------------------------------------------- */

static int time_there(struct back *b, const char *what)
{
	int64_t since = clock_mono(&clock_system);
	struct screen s;
	int code = converge(b, since);

	if (code)
		return code;
	s = screen_of(buf_str(&b->r.out), &b->r.a);
	printf("%s: %.*s after %.1f s\n", what,
		STR_ARG(missing(&s) ? S("not all there") : S("all there")),
		(double)(clock_mono(&clock_system) - since) / 1e9);
	return missing(&s) ? OP_NOT_CONVERGED : 0;
}

static int drill(struct back *b)
{
	struct screen s;
	const char *selector;
	int code, first, second;

	stop_catch(); /* the pin has to go, whatever comes */
	code = call(b, false);
	if (code)
		return code;
	s = screen_of(arena_str(&b->r.a, buf_str(&b->r.out)), &b->r.a);
	b->bundle = arena_strdup(&b->r.a, see(&s, "/bundle"));
	selector = arena_strdup(&b->r.a, see(&s, "/selector"));
	say_change(stderr, &s);
	first = time_there(b, "there");
	remote_reset(&b->r);
	remote_text(&b->r, "bundle", b->bundle);
	remote_text(&b->r, "selector", selector);
	remote_text(&b->r, "reason", "the end of a drill");
	b->r.key = operation_key(&b->r.a); /* not the pin's */
	code = ask(b, "unpin");
	if (code)
		return code;
	second = time_there(b, "and back");
	return first ? first : second;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct rollback_params *p = params;
	struct back b = {.p = p,
		.r = {.params = &p->head.remote},
		.key = p->head.key,
		.bundle = p->bundle,
		.to = p->to,
		.json = !strcmp(p->head.format, "json")};
	int code;

	if (args->len > 1)
		return usage_error(c, "name one bundle, or none");
	if (args->len)
		b.bundle = args->items[0];
	if (p->drill && (!p->ring || !p->to))
		return usage_error(
			c, "--drill takes --ring, and --to another version");
	if (!b.key)
		b.key = operation_key(&b.r.a);
	code = p->drill ? drill(&b) : roll_back(&b);
	remote_release(&b.r);
	return code;
}

const struct command cmd_rollback = {
	.name = "rollback",
	.args = "[<bundle>]",
	.summary = "Go back to the last good version, now",
	.text = "Needs no arguments: it finds the bundle with a rollout now or "
		"in the last 24 hours.\nThe version before is served again, "
		"the bad one is put into quarantine, and\nautomation is frozen "
		"until somebody unfreezes. It works on the server's host with\n"
		"the network and the server down. Running it twice changes "
		"nothing more.\n\nExit codes: 0 done or already so, 10 done, "
		"but not all targets are back in time.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct rollback_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run,
};
