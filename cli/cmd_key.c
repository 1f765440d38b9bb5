/*
 * regatta key new: a key pair to sign bundles with.
 */
#include <stddef.h>

#include "base/fs.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/stop.h"
#include "signer/signer.h"

struct key_params {
	const char *alg, *format;
};

#define AT(field) offsetof(struct key_params, field)

/* clang-format off */
static const struct option options[] = {
	{0, "alg", OPT_CHOICE, AT(alg), "ES256 ES384 ES512 RS256 RS384 RS512 PS256 PS384 PS512", "ES256", "algorithm the key is for"},
	{'o', "output", OPT_CHOICE, AT(format), "text json", "text", "what to print"},
};
/* clang-format on */

/* keys/bundle.pem: its public half is keys/bundle.pub.pem. */
static char *public_path(struct arena *a, const char *path)
{
	struct str s = str_from(path);

	if (str_ends(s, S(".pem")))
		s.len -= 4;
	return arena_printf(a, "%.*s.pub.pem", STR_ARG(s));
}

static enum status refuse_existing(const char *path, struct err *e)
{
	struct fs_info info;
	enum status st = fs_stat(NULL, path, &info, e);

	if (!st && info.kind != FS_NONE)
		st = err_set(e, E_EXISTS,
			"%s exists; a key is never written over: move it away "
			"first, agents may still trust it",
			path);
	return st;
}

static enum status make_folder(struct arena *a, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return OK;
	return fs_mkdirs(NULL,
		arena_strdup(a, str_make(path, (size_t)(slash - path))), 0700,
		e);
}

static enum status write_pair(const char *path, const char *pub,
	enum sign_alg alg, struct arena *a, struct err *e)
{
	struct buf private_pem = {0}, public_pem = {0};
	struct err ignored;
	enum status st = sign_key_generate(alg, &private_pem, &public_pem, e);

	if (!st)
		st = make_folder(a, path, e);
	stop_hold();
	if (!st)
		st = fs_write(NULL, path, buf_str(&private_pem), 0600, e);
	if (!st) {
		st = fs_write(NULL, pub, buf_str(&public_pem), 0644, e);
		if (st && fs_remove(NULL, path, &ignored))
			err_wrap(e, "%s stays without its public half", path);
	}
	stop_release();
	if (private_pem.ptr)
		explicit_bzero(private_pem.ptr, private_pem.cap);
	buf_release(&private_pem);
	buf_release(&public_pem);
	return st;
}

static void print_text(const char *path, const char *pub, const char *alg,
	const char *fingerprint)
{
	printf("%s\n%s\nsha256:%s\n", path, pub, fingerprint);
	fprintf(stderr,
		"Keep %s secret: whoever has it can sign for you. In "
		"regatta.yaml:\n\n"
		"  sign: {key: %s, alg: %s, keyid: bundle-1, scope: prod}\n\n"
		"and in the agents' configuration the text of %s as "
		"keys.bundle-1.key.\n",
		path, path, alg, pub);
}

static void print_json(const char *path, const char *pub, const char *alg,
	const char *fingerprint)
{
	struct buf out = {0};

	buf_adds(&out, "{\"private\":");
	json_quote(&out, str_from(path));
	buf_adds(&out, ",\"public\":");
	json_quote(&out, str_from(pub));
	buf_addf(&out, ",\"alg\":\"%s\",\"fingerprint\":\"sha256:%s\"}", alg,
		fingerprint);
	json_print(stdout, buf_str(&out));
	buf_release(&out);
}

static enum status make(
	const struct key_params *p, const char *path, struct err *e)
{
	struct arena a = {0};
	const char *pub = public_path(&a, path);
	enum sign_alg alg = sign_alg_find(str_from(p->alg));
	struct sign_key *key = NULL;
	enum status st = refuse_existing(path, e);

	if (!st)
		st = refuse_existing(pub, e);
	if (!st)
		st = write_pair(path, pub, alg, &a, e);
	if (!st)
		st = sign_key_load(&key, path, alg, e);
	if (!st)
		(strcmp(p->format, "json") ? print_text : print_json)(
			path, pub, p->alg, sign_key_fingerprint(key));
	sign_key_free(key);
	arena_release(&a);
	return st;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	struct err e = {0};

	if (args->len > 1)
		return usage_error(
			c, "unknown argument \"%s\"", args->items[1]);
	enum status st = make(
		params, args->len ? args->items[0] : "keys/bundle.pem", &e);

	return st ? print_err(st, &e) : 0;
}

const struct command cmd_key_new = {
	.name = "key new",
	.args = "[<path>]",
	.summary = "Make a key pair to sign bundles with",
	.text = "Makes a private key at the path (keys/bundle.pem if none is "
		"given), readable by\nits owner only, and its public half "
		"beside it as *.pub.pem. Nothing is ever\nwritten over.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct key_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run,
};
