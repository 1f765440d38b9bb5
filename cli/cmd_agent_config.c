/*
 * regatta agent config: what a stock OPA is to be started with.
 *
 * All that a gate needs of an agent is in it: an identity that its polls, its
 * status and its decisions share, long polls, so that a change arrives at once,
 * low delays and a large upload limit, so that no decision is lost on the way,
 * and a key that bundles must be signed with.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "bundler/config.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "server/server.h"

struct agent_params {
	const char *server, *bundle, *target, *token_env, *key, *keyid, *scope;
	const char *persist, *format;
	struct list labels;
};

#define AT(field) offsetof(struct agent_params, field)

/* clang-format off */
static const struct option options[] = {
	{'b', "bundle", OPT_STRING, AT(bundle), "name", NULL, "what it polls (bundle: of ./regatta.yaml)"},
	{0, "keyid", OPT_STRING, AT(keyid), "id", NULL, "the key's name (sign.keyid)"},
	{'l', "label", OPT_LIST, AT(labels), "name=value", NULL, "a label, as ring=canary; any number of times"},
	{'o', "output", OPT_CHOICE, AT(format), "yaml json", "yaml", "what to print"},
	{0, "persist", OPT_STRING, AT(persist), "dir", NULL, "where it keeps bundles, to start without a server"},
	{0, "public-key", OPT_STRING, AT(key), "file", NULL, "bundles must be signed with this key, PEM"},
	{0, "scope", OPT_STRING, AT(scope), "text", NULL, "and for this scope (sign.scope)"},
	{0, "server", OPT_STRING, AT(server), "url", NULL, "where it polls (or REGATTA_SERVER; server: of ./regatta.yaml)"},
	{0, "target", OPT_STRING, AT(target), "id", "${NODE}", "its name; ${NODE} is taken from the environment of the agent"},
	{0, "token-env", OPT_STRING, AT(token_env), "name", NULL, "the agent's variable that holds its token"},
};
/* clang-format on */

struct wanted {
	struct agent_params p;
	struct buf key;
	const char *alg;
};

/* --- what regatta.yaml says ------------------------------------------------
 */

static const char *kept(struct arena *a, const char *given, const char *other)
{
	return given || !other ? given : arena_strdup(a, str_from(other));
}

static void read_config(struct wanted *w, struct arena *a)
{
	struct config c = {0};
	struct err e;

	w->alg = "ES256";
	if (!config_read(&c, ".", &e)) {
		w->p.server = kept(a, w->p.server, c.server);
		w->p.bundle = kept(a, w->p.bundle, c.bundle);
		w->p.keyid = kept(a, w->p.keyid, c.sign.keyid);
		w->p.scope = kept(a, w->p.scope, c.sign.scope);
		w->alg = arena_strdup(a, str_from(sign_alg_name(c.sign.alg)));
	}
	config_release(&c);
}

/* --- the document ----------------------------------------------------------
 */

static void text(struct buf *out, const char *name, const char *value)
{
	char last = out->ptr[out->len - 1];

	if (last != '{')
		buf_addc(out, ',');
	buf_addf(out, "\"%s\":", name);
	json_quote(out, str_from(value));
}

static void write_service(struct buf *out, const struct agent_params *p)
{
	buf_adds(out, "{\"services\":{\"regatta\":{");
	text(out, "url", p->server);
	buf_adds(out, ",\"headers\":{");
	text(out, "X-Regatta-Target", p->target);
	buf_addc(out, '}');
	if (p->token_env)
		buf_addf(out,
			",\"credentials\":{\"bearer\":{\"token\":\"${%s}\"}}",
			p->token_env);
	buf_adds(out, "}}");
}

static void write_labels(struct buf *out, const struct agent_params *p)
{
	buf_adds(out, ",\"labels\":{");
	text(out, "target", p->target);
	for (size_t i = 0; i < p->labels.len; i++) {
		struct str one = str_from(p->labels.items[i]);
		size_t at = str_find(one, S("="), 0);

		buf_addc(out, ',');
		json_quote(out, str_slice(one, 0, at));
		buf_addc(out, ':');
		json_quote(out, str_slice(one, at + 1, one.len));
	}
	buf_addc(out, '}');
}

static void write_key(struct buf *out, const struct wanted *w)
{
	if (!w->key.len)
		return;
	buf_adds(out, ",\"keys\":{");
	json_quote(out, str_from(w->p.keyid));
	buf_adds(out, ":{");
	text(out, "algorithm", w->alg);
	buf_adds(out, ",\"key\":");
	json_quote(out, buf_str(&w->key));
	buf_adds(out, "}}");
}

static void write_bundle(struct buf *out, const struct wanted *w)
{
	const struct agent_params *p = &w->p;

	buf_adds(out, ",\"bundles\":{");
	json_quote(out, str_from(p->bundle));
	buf_adds(out, ":{\"service\":\"regatta\",\"resource\":");
	buf_adds(out, "\"bundles/");
	buf_adds(out, p->bundle);
	buf_adds(out, "\",\"polling\":{\"min_delay_seconds\":1,"
		      "\"max_delay_seconds\":2,"
		      "\"long_polling_timeout_seconds\":30}");
	if (w->key.len) {
		buf_adds(out, ",\"signing\":{");
		text(out, "keyid", p->keyid);
		if (p->scope)
			text(out, "scope", p->scope);
		buf_addc(out, '}');
	}
	if (p->persist)
		buf_adds(out, ",\"persist\":true");
	buf_adds(out, "}}");
}

static void write_all(struct buf *out, const struct wanted *w)
{
	write_service(out, &w->p);
	write_labels(out, &w->p);
	write_key(out, w);
	write_bundle(out, w);
	buf_adds(out, ",\"status\":{\"service\":\"regatta\"},"
		      "\"decision_logs\":{\"service\":\"regatta\","
		      "\"reporting\":{\"min_delay_seconds\":1,"
		      "\"max_delay_seconds\":5,"
		      "\"upload_size_limit_bytes\":1048576}}");
	if (w->p.persist)
		text(out, "persistence_directory", w->p.persist);
	buf_addc(out, '}');
}

/* --- YAML: block maps, texts as JSON has them ------------------------------
 */

static void write_yaml(struct buf *out, struct str object, int depth)
{
	struct json_iter it = json_iter(object);

	while (json_next(&it)) {
		buf_addf(out, "%*s", 2 * depth, "");
		buf_addstr(out, str_slice(it.key, 1, it.key.len - 1));
		buf_addc(out, ':');
		if (json_kind(it.value) == JSON_OBJECT) {
			buf_addc(out, '\n');
			write_yaml(out, it.value, depth + 1);
		} else {
			buf_addc(out, ' ');
			buf_addstr(out, it.value);
			buf_addc(out, '\n');
		}
	}
}

/* --- the command -----------------------------------------------------------
 */

static const char *wrong(const struct wanted *w)
{
	const struct agent_params *p = &w->p;

	if (!p->server)
		return "specify --server, where the agent polls";
	if (!p->bundle)
		return "specify --bundle, what the agent polls";
	if (!config_is_bundle(str_from(p->bundle)))
		return "--bundle must be " CONFIG_BUNDLE_MUST;
	if (p->key && !p->keyid)
		return "specify --keyid, the name of --public-key";
	if (strcmp(p->target, "${NODE}") != 0 &&
		!server_target_valid(str_from(p->target)))
		return "--target must be 1 to 128 of A-Z a-z 0-9 . _ - : @";
	for (size_t i = 0; i < p->labels.len; i++)
		if (!strchr(p->labels.items[i], '=') ||
			p->labels.items[i][0] == '=')
			return "--label is NAME=VALUE, as ring=canary";
	return NULL;
}

static void print(const struct wanted *w)
{
	struct buf doc = {0}, out = {0};

	write_all(&doc, w);
	if (!strcmp(w->p.format, "json")) {
		json_print(stdout, buf_str(&doc));
	} else {
		write_yaml(&out, buf_str(&doc), 0);
		print_buf(stdout, &out);
	}
	if (!w->key.len)
		fputs("regatta: warning: without --public-key the agent takes "
		      "bundles that nobody signed\n",
			stderr);
	buf_release(&doc);
	buf_release(&out);
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct agent_params *p = params;
	struct wanted w = {.p = *p};
	struct arena a = {0};
	struct err e = {0};
	const char *why;
	int code = 0;

	if (args->len)
		return usage_error(
			c, "unknown argument \"%s\"", args->items[0]);
	if (!w.p.server)
		w.p.server = env_value("REGATTA_SERVER");
	read_config(&w, &a);
	why = wrong(&w);
	if (why)
		code = usage_error(c, "%s", why);
	else if (p->key && fs_read(NULL, p->key, KIB(64), &w.key, &e))
		code = print_err(e.code, &e);
	else
		print(&w);
	buf_release(&w.key);
	arena_release(&a);
	return code;
}

const struct command cmd_agent_config = {
	.name = "agent config",
	.args = "",
	.summary = "Print what a stock OPA is to be started with",
	.text = "A configuration with all that a rollout needs of an agent: "
		"its "
		"name in polls, status\nand decisions, long polls, low delays, "
		"uploads that lose nothing, and the key that\nbundles must be "
		"signed with. Start it with: NODE=$(hostname) opa run --server "
		"-c FILE",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct agent_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run,
};
