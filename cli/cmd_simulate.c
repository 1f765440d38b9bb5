/* regatta simulate: a fleet of agents in one process. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/fs.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/screen.h"
#include "cli/stop.h"
#include "rego/value.h"

struct simulate_params {
	const char *server, *bundle, *name, *format, *until;
	const char *key, *alg, *keyid, *scope;
	struct list groups, labels, paths, inputs, faults;
	int64_t count, seed, wait, duration, upload, status, poll, timeout;
	int64_t limit;
	double rate;
};

#define AT(field) offsetof(struct simulate_params, field)

/* clang-format off */
static const struct option options[] = {
	{0, "alg", OPT_STRING, AT(alg), "name", "ES256", "of --public-key"},
	{'b', "bundle", OPT_STRING, AT(bundle), "name", NULL, "what they poll"},
	{'n', "count", OPT_INT, AT(count), "n", "10", "how many agents, without --group"},
	{0, "duration", OPT_DURATION, AT(duration), "duration", NULL, "how long (until Ctrl-C)"},
	{0, "fault", OPT_LIST, AT(faults), "kind=share[@version]", NULL, "what goes wrong: error, undefined, deny, allow, slow, lost (of decisions), silent, refuse (of agents); error=0.05@v2"},
	{'g', "group", OPT_LIST, AT(groups), "name=n[,label=value]", NULL, "agents with labels: canary=2,ring=canary; any number of times"},
	{0, "inputs", OPT_LIST, AT(inputs), "path", NULL, "a file or folder of inputs: JSON, YAML, or a document a line"},
	{0, "keyid", OPT_STRING, AT(keyid), "id", "key", "the name of --public-key"},
	{0, "label", OPT_LIST, AT(labels), "name=value", NULL, "a label of all agents"},
	{0, "name", OPT_STRING, AT(name), "text", "agent", "they are called NAME-1, NAME-2, ..."},
	{'o', "output", OPT_CHOICE, AT(format), "text json", "text", "what to print; json: a line for each event"},
	{0, "path", OPT_LIST, AT(paths), "path", NULL, "what they decide: authz/allow; any number of times"},
	{0, "poll-every", OPT_DURATION, AT(poll), "duration", "1s", "between polls that don't wait"},
	{0, "public-key", OPT_STRING, AT(key), "file", NULL, "take only bundles signed with this key, PEM"},
	{0, "rate", OPT_FLOAT, AT(rate), "n", "1", "decisions a second of each agent"},
	{0, "scope", OPT_STRING, AT(scope), "text", NULL, "and for this scope"},
	{0, "seed", OPT_INT, AT(seed), "n", "1", "the same seed gives the same decisions"},
	{0, "server", OPT_STRING, AT(server), "url", NULL, "http://host:port (or REGATTA_SERVER; its token: REGATTA_TOKEN)"},
	{0, "status-every", OPT_DURATION, AT(status), "duration", "10s", "between status uploads"},
	{0, "timeout", OPT_DURATION, AT(timeout), "duration", "60s", "of --until-revision; then exit code 124"},
	{0, "until-revision", OPT_STRING, AT(until), "version", NULL, "end when all agents run it"},
	{0, "upload-limit", OPT_SIZE, AT(limit), "size", "1MiB", "of one upload of decisions, after gzip: upload_size_limit_bytes of OPA"},
	{0, "upload-every", OPT_DURATION, AT(upload), "duration", "2s", "between uploads of decisions"},
	{0, "wait", OPT_DURATION, AT(wait), "duration", "30s", "how long a poll may wait for a change; 0: don't"},
};
/* clang-format on */

struct simulate {
	const struct simulate_params *p;
	const struct command *command;
	struct arena a;
	struct fleet_config c;
	struct fleet_group *groups;
	struct fault *faults;
	struct str *inputs;
	uint32_t ninputs, cap;
	bool json, failed_before;
	struct sign_key *key;
	struct sign_key *const *keys;
	struct verify_config verify;
};

/* --- arguments ------------------------------------------------------------ */

static bool read_label(struct str text, struct fleet_label *out)
{
	out->value = text;
	return str_cut(&out->value, S("="), &out->key);
}

/* "canary=2,ring=canary" */
static bool read_group(
	struct simulate *x, struct str text, struct fleet_group *out)
{
	struct fleet_label *labels = ARENA_ARRAY(&x->a, struct fleet_label, 64);
	struct str count = str_take(&text, S(","));
	int64_t n;

	if (!str_cut(&count, S("="), &out->name) || !json_int(count, &n) ||
		n < 1 || n > 1000000)
		return false;
	out->count = (unsigned)n;
	out->labels = labels;
	for (size_t i = 0; i < x->p->labels.len && out->nlabels < 32; i++)
		if (!read_label(str_from(x->p->labels.items[i]),
			    &labels[out->nlabels++]))
			return false;
	while (text.len && out->nlabels < 64)
		if (!read_label(
			    str_take(&text, S(",")), &labels[out->nlabels++]))
			return false;
	return true;
}

static bool read_groups(struct simulate *x, struct err *e)
{
	const struct list *l = &x->p->groups;
	size_t n = l->len ? l->len : 1;
	const char *one = arena_printf(
		&x->a, "%s=%lld", x->p->name, (long long)x->p->count);

	x->groups = ARENA_ARRAY(&x->a, struct fleet_group, n);
	for (size_t i = 0; i < n; i++) {
		const char *text = l->len ? l->items[i] : one;

		if (!read_group(x, str_from(text), &x->groups[i])) {
			err_set(e, E_INVALID,
				"a group is NAME=COUNT[,LABEL=VALUE], as in "
				"canary=2,ring=canary, and labels are "
				"NAME=VALUE; this is \"%s\"",
				text);
			return false;
		}
	}
	x->c.groups = x->groups;
	x->c.ngroups = n;
	return true;
}

/* "error=0.05@v2" */
static bool read_fault(struct simulate *x, const char *text, struct fault *out)
{
	struct str rest = str_from(text), kind, share;
	char *end;

	if (!str_cut(&rest, S("="), &kind) || !fault_find(kind, &out->kind))
		return false;
	share = str_take(&rest, S("@"));
	out->revision = rest;
	out->share = strtod(arena_strdup(&x->a, share), &end);
	return !*end && out->share >= 0 && out->share <= 1;
}

static bool read_faults(struct simulate *x, struct err *e)
{
	const struct list *l = &x->p->faults;

	x->faults = ARENA_ARRAY(&x->a, struct fault, l->len);
	for (size_t i = 0; i < l->len; i++)
		if (!read_fault(x, l->items[i], &x->faults[i])) {
			err_set(e, E_INVALID,
				"a fault is KIND=SHARE[@VERSION], as in "
				"error=0.05@v2, with one of error, undefined, "
				"deny, allow, slow, lost, silent, refuse; this "
				"is \"%s\"",
				l->items[i]);
			return false;
		}
	x->c.faults = x->faults;
	x->c.nfaults = l->len;
	return true;
}

static bool read_server(struct simulate *x, struct err *e)
{
	const char *url =
		x->p->server ? x->p->server : env_value("REGATTA_SERVER");
	struct str rest, host;
	const char *token = getenv("REGATTA_TOKEN");

	if (!url) {
		err_set(e, E_INVALID, "specify --server http://host:port");
		return false;
	}
	rest = str_from(url);
	if (!str_starts(rest, S("http://"))) {
		err_set(e, E_INVALID,
			"%s: simulated agents speak plain HTTP alone: "
			"http://host:port",
			url);
		return false;
	}
	rest = str_slice(rest, 7, rest.len);
	while (rest.len && rest.ptr[rest.len - 1] == '/')
		rest.len--;
	if (!str_cut(&rest, S(":"), &host)) {
		host = rest;
		rest = S("80");
	}
	x->c.host = arena_strdup(&x->a, host);
	x->c.port = arena_strdup(&x->a, rest);
	x->c.token = token && *token ? token : NULL;
	return true;
}

static bool read_key(struct simulate *x, struct err *e)
{
	const struct simulate_params *p = x->p;
	enum sign_alg alg = sign_alg_find(str_from(p->alg));
	struct buf text = {0};
	bool ok;

	if (!p->key)
		return true;
	if (alg == ALG_NONE) {
		err_set(e, E_INVALID, "there is no algorithm %s", p->alg);
		return false;
	}
	ok = !fs_read(NULL, p->key, KIB(64), &text, e) &&
	     !sign_key_parse_public(&x->key, buf_str(&text), alg, p->keyid, e);
	buf_release(&text);
	x->keys = &x->key;
	x->verify = (struct verify_config){.keys = x->keys,
		.nkeys = 1,
		.keyid = p->keyid,
		.scope = p->scope};
	x->c.keys = &x->verify;
	return ok;
}

/* --- inputs --------------------------------------------------------------- */

static void add_input(struct simulate *x, struct str doc)
{
	x->inputs = arena_grow(
		&x->a, x->inputs, x->ninputs, &x->cap, sizeof(*x->inputs));
	x->inputs[x->ninputs++] = doc;
}

static bool add_lines(struct simulate *x, struct str text, struct err *e)
{
	while (text.len) {
		struct str line = str_take(&text, S("\n")), doc;

		if (!line.len)
			continue;
		if (json_check(line, NULL, &doc, e))
			return false;
		add_input(x, arena_str(&x->a, doc));
	}
	return true;
}

static bool add_document(struct simulate *x, struct str text, struct err *e)
{
	struct json_error je;
	struct value v;
	struct buf json = {0};

	if (!json_parse(&x->a, NULL, text, LIMIT_JSON_DEPTH, &v, &je) &&
		!yaml_parse(&x->a, NULL, text, &v, &je)) {
		err_set(e, E_INVALID, "%s", je.text);
		return false;
	}
	value_json(&json, v, 0, 0);
	add_input(x, arena_str(&x->a, buf_str(&json)));
	buf_release(&json);
	return true;
}

static bool add_file(struct simulate *x, const char *path, struct err *e)
{
	struct str name = str_from(path);
	struct buf text = {0};
	bool lines =
		str_ends(name, S(".ndjson")) || str_ends(name, S(".jsonl"));
	bool ok = !fs_read(NULL, path, MIB(16), &text, e);

	if (ok)
		ok = lines ? add_lines(x, buf_str(&text), e)
			   : add_document(x, buf_str(&text), e);
	if (!ok)
		err_wrap(e, "%s", path);
	buf_release(&text);
	return ok;
}

static bool is_input(struct str name)
{
	static const char *const ends[] = {
		".json", ".yaml", ".yml", ".ndjson", ".jsonl"};

	for (size_t i = 0; i < COUNT(ends); i++)
		if (str_ends(name, str_from(ends[i])))
			return !str_ends(name, S("data.json"));
	return false;
}

static enum fs_visit visit(void *user, const struct fs_entry *entry,
	enum status *st, struct err *e)
{
	struct simulate *x = user;

	if (entry->info.kind != FS_FILE || !is_input(str_from(entry->name)))
		return FS_GO_ON;
	if (!add_file(x, entry->path, e))
		*st = E_INVALID;
	return FS_GO_ON;
}

static bool read_inputs(struct simulate *x, struct err *e)
{
	struct fs_info info;

	for (size_t i = 0; i < x->p->inputs.len; i++) {
		const char *path = x->p->inputs.items[i];

		if (fs_stat(NULL, path, &info, e))
			return false;
		if (info.kind == FS_DIR
				? fs_walk(NULL, path, 0, visit, x, e) != OK
				: !add_file(x, path, e))
			return false;
	}
	if (x->p->inputs.len && !x->ninputs) {
		err_set(e, E_NOT_FOUND, "there is no input in %s",
			x->p->inputs.items[0]);
		return false;
	}
	for (int i = 0; !x->p->inputs.len && i < 100; i++)
		add_input(x, str_from(arena_printf(&x->a,
				     "{\"user\":\"user-%d\",\"n\":%d}", i, i)));
	x->c.inputs = x->inputs;
	x->c.ninputs = x->ninputs;
	return true;
}

static bool read_paths(struct simulate *x, struct err *e)
{
	const struct list *l = &x->p->paths;
	struct str *paths = ARENA_ARRAY(&x->a, struct str, l->len);

	if (!l->len && x->p->rate > 0) {
		err_set(e, E_INVALID,
			"specify --path, what they decide, or --rate 0");
		return false;
	}
	for (size_t i = 0; i < l->len; i++)
		paths[i] = str_from(l->items[i]);
	x->c.paths = paths;
	x->c.npaths = l->len;
	return true;
}

/* --- events --------------------------------------------------------------- */

static void print_event(
	const struct simulate *x, const struct fleet_event *e, const char *kind)
{
	struct buf out = {0};

	if (!x->json)
		return;
	buf_addf(&out, "{\"kind\":\"%s\",\"target\":", kind);
	json_quote(&out, e->target);
	buf_adds(&out, ",\"revision\":");
	json_quote(&out, e->revision);
	if (e->text.len) {
		buf_adds(&out, ",\"text\":");
		json_quote(&out, e->text);
	}
	buf_addf(&out, ",\"after_ms\":%lld}\n",
		(long long)(e->after_ns / NS_PER_MS));
	print_buf(stdout, &out);
	fflush(stdout);
	buf_release(&out);
}

static void event(void *user, const struct fleet_event *e)
{
	static const char *const kinds[] = {
		[FLEET_ACTIVATED] = "activated",
		[FLEET_REFUSED] = "refused",
		[FLEET_FAILED] = "failed",
	};
	struct simulate *x = user;

	print_event(x, e, kinds[e->kind]);
	if (e->kind == FLEET_FAILED && !x->failed_before && !x->json)
		fprintf(stderr, "regatta: %.*s: %.*s; it will try again\n",
			STR_ARG(e->target), STR_ARG(e->text));
	x->failed_before |= e->kind == FLEET_FAILED;
}

/* --- running -------------------------------------------------------------- */

static void progress(const struct fleet *f, int64_t *at)
{
	struct fleet_counts c;
	int64_t now = clock_mono(&clock_system);

	if (now < *at || !isatty(STDERR_FILENO))
		return;
	*at = now + NS_PER_S / 2;
	fleet_counts(f, &c);
	fprintf(stderr,
		"\r%u of %u active, %u wait, %llu decisions, %llu "
		"acknowledged\x1b[K",
		c.active, c.agents, c.waiting, (unsigned long long)c.decided,
		(unsigned long long)c.acknowledged);
}

static bool arrived(const struct simulate *x, const struct fleet *f)
{
	struct fleet_counts c;

	if (!x->p->until)
		return false;
	fleet_counts(f, &c);
	return fleet_running(f, str_from(x->p->until)) == c.agents;
}

/* What was decided is uploaded, for up to five seconds. */
static void drain(struct fleet *f)
{
	int64_t until = clock_mono(&clock_system) + 5 * NS_PER_S;
	struct fleet_counts c;

	fleet_drain(f);
	do {
		fleet_step(f, 20);
		fleet_counts(f, &c);
	} while (c.in_flight && clock_mono(&clock_system) < until);
}

static int loop(struct simulate *x, struct fleet *f)
{
	int64_t began = clock_mono(&clock_system), shown = 0, now = began;

	while (!stop_asked()) {
		fleet_step(f, 20);
		progress(f, &shown);
		now = clock_mono(&clock_system);
		if (arrived(x, f))
			break;
		if (x->p->until && now - began > x->p->timeout)
			return EXIT_TIMEOUT;
		if (x->p->duration && now - began > x->p->duration)
			break;
	}
	return 0;
}

/* --- the summary ---------------------------------------------------------- */

static void add_revision(void *user, struct str revision, unsigned agents)
{
	struct buf *out = user;

	buf_addf(out, "%s", out->ptr[out->len - 1] == '{' ? "" : ",");
	json_quote(out, revision.len ? revision : S("none"));
	buf_addf(out, ":%u", agents);
}

static void print_summary(struct simulate *x, const struct fleet *f)
{
	struct fleet_counts c;
	struct buf out = {0};

	fleet_counts(f, &c);
	buf_addf(&out,
		"{\"kind\":\"summary\",\"agents\":%u,\"active\":%u,"
		"\"polls\":%llu,\"activations\":%llu,\"refusals\":%llu,"
		"\"failures\":%llu,\"decided\":%llu,\"logged\":%llu,"
		"\"acknowledged\":%llu,\"lost\":%llu,\"dropped\":%llu,"
		"\"uploads\":%llu,"
		"\"pushed_back\":%llu,\"running\":{",
		c.agents, c.active, (unsigned long long)c.polls,
		(unsigned long long)c.activations,
		(unsigned long long)c.refusals, (unsigned long long)c.failures,
		(unsigned long long)c.decided, (unsigned long long)c.logged,
		(unsigned long long)c.acknowledged, (unsigned long long)c.lost,
		(unsigned long long)c.dropped, (unsigned long long)c.uploads,
		(unsigned long long)c.pushed_back);
	fleet_revisions(f, add_revision, &out);
	buf_adds(&out, "}}");
	if (x->json) {
		buf_addc(&out, '\n');
		print_buf(stdout, &out);
	} else {
		if (isatty(STDERR_FILENO))
			fputs("\r\x1b[K", stderr);
		printf("%u agents, %u active; %llu decisions, %llu logged, "
		       "%llu acknowledged, %llu lost; %llu activations\n",
			c.agents, c.active, (unsigned long long)c.decided,
			(unsigned long long)c.logged,
			(unsigned long long)c.acknowledged,
			(unsigned long long)c.lost,
			(unsigned long long)c.activations);
	}
	buf_release(&out);
}

/* Each agent that waits has a connection. */
static void raise_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

static int simulate(struct simulate *x)
{
	struct fleet *f;
	struct err e = {0};
	int code;
	enum status st = fleet_new(&f, &x->c, &e);

	if (st)
		return print_err(st, &e);
	raise_files();
	stop_catch();
	code = loop(x, f);
	drain(f);
	print_summary(x, f);
	fleet_free(f);
	return code;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct simulate_params *p = params;
	struct simulate x = {.p = p, .command = c};
	struct err e = {0};
	int code;

	if (args->len)
		return usage_error(
			c, "unknown argument \"%s\"", args->items[0]);
	if (!p->bundle)
		return usage_error(c, "specify --bundle, what they poll");
	x.json = !strcmp(p->format, "json");
	x.c.bundle = str_from(p->bundle);
	x.c.rate = p->rate;
	x.c.seed = (uint64_t)p->seed;
	x.c.wait_s = (unsigned)(p->wait / NS_PER_S);
	x.c.poll_ns = p->poll;
	x.c.upload_ns = p->upload;
	x.c.upload_limit = (size_t)p->limit;
	x.c.status_ns = p->status;
	x.c.event = event;
	x.c.user = &x;
	if (!read_server(&x, &e) || !read_groups(&x, &e) ||
		!read_faults(&x, &e) || !read_paths(&x, &e) ||
		!read_inputs(&x, &e) || !read_key(&x, &e))
		code = usage_error(c, "%s", e.text);
	else
		code = simulate(&x);
	sign_key_free(x.key);
	arena_release(&x.a);
	return code;
}

const struct command cmd_simulate = {
	.name = "simulate",
	.args = "",
	.summary = "Play a fleet of agents",
	.text = "Agents that poll, wait, activate, decide on our own engine, "
		"and send decision logs\nand status as OPA does, as many as "
		"the host holds, in one process. For trying out\nwhat a "
		"rollout does, and for measuring. Ctrl-C ends it; what was "
		"decided is sent\nfirst.\n\nExit codes: 0 it ended, 124 "
		"--timeout came before --until-revision.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct simulate_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run,
};
