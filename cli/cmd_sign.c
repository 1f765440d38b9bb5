/*
 * regatta sign and regatta verify: signatures of a bundle that exists.
 */
#include <stddef.h>

#include "base/json.h"
#include "cli/output.h"
#include "cli/project.h"

/* --- sign
 * ------------------------------------------------------------------------ */

#define ALGS "ES256 ES384 ES512 RS256 RS384 RS512 PS256 PS384 PS512"

struct sign_params {
	const char *key, *alg, *keyid, *scope, *out, *format;
	bool bundle;
};

#define AT(field) offsetof(struct sign_params, field)

/* clang-format off */
static const struct option sign_options[] = {
	{'b', "bundle", OPT_BOOL, AT(bundle), NULL, NULL, "accepted for opa's sake: a bundle is what is signed"},
	{0, "claims-file", OPT_NO_VALUE, 0, NULL, NULL, NULL},
	{'f', "format", OPT_CHOICE, AT(format), "text json", "text", "what to print"},
	{0, "keyid", OPT_STRING, AT(keyid), "id", NULL, "name of the key in the agents' configuration"},
	{'o', "output", OPT_STRING, AT(out), "file", NULL, "where to write the signed bundle; in place if not given"},
	{0, "scope", OPT_STRING, AT(scope), "text", NULL, "scope to sign for; agents must have the same"},
	{0, "signing-alg", OPT_CHOICE, AT(alg), ALGS, "ES256", "algorithm; it must fit the key"},
	{0, "signing-key", OPT_STRING, AT(key), "file", NULL, "private key, PEM"},
	{0, "signing-plugin", OPT_NO_VALUE, 0, NULL, NULL, NULL},
};
/* clang-format on */

static int sign_bundle(const struct sign_params *p, struct bundle *b)
{
	struct sign_key *key = NULL;
	struct err e = {0};
	enum status st = sign_key_load(
		&key, p->key, sign_alg_find(str_from(p->alg)), &e);

	if (!st)
		st = bundle_sign(b, key, p->keyid, p->scope, &e);
	sign_key_free(key);
	return st ? print_given(st, &e) : 0;
}

static void print_signed(
	const struct sign_params *p, const char *path, const struct bundle *b)
{
	struct buf out = {0};

	if (strcmp(p->format, "json") != 0) {
		printf("%s  %s\n", path, b->digest);
		return;
	}
	buf_addf(&out, "{\"digest\":\"%s\",\"file\":", b->digest);
	json_quote(&out, str_from(path));
	buf_addc(&out, '}');
	json_print(stdout, buf_str(&out));
	buf_release(&out);
}

static int sign_file(const struct sign_params *p, const char *path)
{
	struct bundle b = {0};
	struct buf in = {0}, out = {0};
	struct err e = {0};
	int code = bundle_read_file(path, &b, &in);

	if (!code)
		code = sign_bundle(p, &b);
	if (!code) {
		enum status st = bundle_pack(&b, &out, &e);

		if (!st)
			st = output_file(
				p->out ? p->out : path, buf_str(&out), &e);
		code = st ? print_err(st, &e) : 0;
	}
	if (!code)
		print_signed(p, p->out ? p->out : path, &b);
	bundle_release(&b);
	buf_release(&in);
	buf_release(&out);
	return code;
}

static int run_sign(
	const struct command *c, const void *params, const struct list *args)
{
	const struct sign_params *p = params;

	if (args->len != 1)
		return usage_error(c, "specify one bundle file");
	if (!p->key)
		return usage_error(c,
			"specify --signing-key; `regatta key new` makes one");
	return sign_file(p, args->items[0]);
}

const struct command cmd_sign = {
	.name = "sign",
	.args = "<bundle>",
	.summary = "Sign a bundle, in place of a signature it has",
	.text = "Signs every file of a bundle as OPA agents check it. The file "
		"is replaced as a\nwhole or not at all.",
	.options = sign_options,
	.noptions = COUNT(sign_options),
	.params = sizeof(struct sign_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run_sign,
};

/* --- verify
 * ------------------------------------------------------------------------ */

struct verify_params {
	struct list exclude;
	const char *key, *keyid, *alg, *scope, *format;
	bool as_agent;
};

#undef AT
#define AT(field) offsetof(struct verify_params, field)

/* clang-format off */
static const struct option verify_options[] = {
	{0, "as-agent", OPT_BOOL, AT(as_agent), NULL, NULL, "as an OPA agent judges, not stricter"},
	{0, "exclude-files-verify", OPT_CSV, AT(exclude), "globs", NULL, "files that need no signature"},
	{'o', "output", OPT_CHOICE, AT(format), "text json", "text", "what to print"},
	{0, "scope", OPT_STRING, AT(scope), "text", "", "scope the bundle must be signed for"},
	{0, "signing-alg", OPT_CHOICE, AT(alg), ALGS " HS256 HS384 HS512", "ES256", "algorithm of the key"},
	{0, "verification-key", OPT_STRING, AT(key), "file", NULL, "public key or certificate, PEM; for HS* the secret"},
	{0, "verification-key-id", OPT_STRING, AT(keyid), "id", NULL, "name of the key, as an agent's signing.keyid; default if not given"},
};
/* clang-format on */

/* One key is given, so whatever the signature calls its own is not asked. */
static const char *key_name(const struct verify_params *p)
{
	return p->keyid ? p->keyid : "default";
}

static enum status load_public(
	const struct verify_params *p, struct sign_key **key, struct err *e)
{
	struct buf text = {0};
	enum status st = fs_read(NULL, p->key, MIB(1), &text, e);

	if (!st) {
		st = sign_key_parse_public(key, buf_str(&text),
			sign_alg_find(str_from(p->alg)), key_name(p), e);
		if (st)
			err_wrap(e, "%s", p->key);
	}
	buf_release(&text);
	return st;
}

static void print_verdict(const struct verify_params *p, const char *path,
	const struct bundle *b, const struct err *e)
{
	struct buf out = {0};

	if (strcmp(p->format, "json") != 0) {
		struct err why = {0};

		if (!e) {
			printf("%s: signature is good, %u files, revision "
			       "%s\n",
				path, b->nfiles, b->manifest.revision);
			return;
		}
		why = *e;
		err_wrap(&why, "%s", path);
		print_wrong(why.text);
		return;
	}
	buf_addf(&out, "{\"verified\":%s,\"digest\":\"%s\",\"revision\":",
		e ? "false" : "true", b->digest);
	json_quote(&out, str_from(b->manifest.revision));
	if (e) {
		buf_adds(&out, ",\"reason\":");
		json_quote(&out, str_from(e->text));
	}
	buf_addc(&out, '}');
	json_print(stdout, buf_str(&out));
	buf_release(&out);
}

/* The verdict is that of an agent that has Wasm; not every one has. */
static void warn_compiled(const char *path, const struct bundle *b)
{
	if (bundle_is_compiled(b))
		fprintf(stderr,
			"regatta: warning: %s: policies compiled to Wasm; an "
			"OPA that was built without it does not activate "
			"them\n",
			path);
}

static int verify_bundle(const struct verify_params *p, const char *path,
	struct bundle *b, struct sign_key *key)
{
	struct err e = {0};
	struct verify_config cfg = {.keys = &key,
		.nkeys = 1,
		.keyid = key_name(p),
		.scope = p->scope,
		.strict = !p->as_agent};
	struct bundle_verify_options o = {.keys = &cfg,
		.exclude = p->exclude.items,
		.nexclude = p->exclude.len};
	enum status st = bundle_verify(b, &o, &e);

	if (!st)
		st = bundle_check(
			b, p->as_agent ? BUNDLE_AS_AGENT : BUNDLE_STRICT, &e);
	if (!st)
		warn_compiled(path, b);
	print_verdict(p, path, b, st ? &e : NULL);
	return st ? EXIT_INTEGRITY : 0;
}

static int verify_file(const struct verify_params *p, const char *path)
{
	struct bundle b = {0};
	struct buf archive = {0};
	struct sign_key *key = NULL;
	struct err e = {0};
	enum status st = load_public(p, &key, &e);
	int code =
		st ? print_given(st, &e) : bundle_read_file(path, &b, &archive);

	if (!code)
		code = verify_bundle(p, path, &b, key);
	sign_key_free(key);
	bundle_release(&b);
	buf_release(&archive);
	return code;
}

static int run_verify(
	const struct command *c, const void *params, const struct list *args)
{
	const struct verify_params *p = params;

	if (args->len != 1)
		return usage_error(c, "specify one bundle file");
	if (!p->key)
		return usage_error(c, "specify --verification-key, such as "
				      "keys/bundle.pub.pem");
	return verify_file(p, args->items[0]);
}

const struct command cmd_verify = {
	.name = "verify",
	.args = "<bundle>",
	.summary = "Check a bundle's signature and content",
	.text = "Says what an agent with this key would say of a bundle: the "
		"signature, every\nfile's digest, the manifest, the policies. "
		"Ends with 11 and the reason when it\nwould refuse it, or when "
		"an agent would let pass what it should not.",
	.options = verify_options,
	.noptions = COUNT(verify_options),
	.params = sizeof(struct verify_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run_verify,
};
