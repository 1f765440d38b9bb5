/*
 * bundler: from files to a bundle in a store.
 *
 *	repo.h    files of one commit, from git's object database
 *	config.h  regatta.yaml
 *	bundle    files of a bundle: building, packing, reading, checking
 *	store     bundles by digest, immutable
 *
 * It packs a list of (path, bytes) and knows nothing of what gates think. The
 * way of a release:
 *
 *	bundle_build(&b, &repo, &config, &options, e)    files, .manifest
 *	bundle_check(&b, true, e)                        would it activate?
 *	bundle_sign(&b, key, keyid, scope, e)            .signatures.json
 *	bundle_pack(&b, &bytes, e)                       b.digest
 *	store_put(store, &version, bytes, &fresh, e)
 *
 * and of a bundle that comes from elsewhere: bundle_unpack(), bundle_verify(),
 * bundle_check(). Errors name the file and have the words of an OPA agent
 * where it has some.
 *
 * Source: the OPA contract, sections 0 to 2.
 */
#ifndef BUNDLER_BUNDLER_H
#define BUNDLER_BUNDLER_H

#include "base/buf.h"
#include "base/fs.h"
#include "base/map.h"
#include "bundler/config.h"
#include "bundler/repo.h"

/* --- a bundle's files (bundle.c) ------------------------------------------ */

/*
 * In archives a path has one "/" in front that is not here. Of an archive that
 * was read it is otherwise as it stands there ("./a.rego" stays).
 */
struct bundle_file {
	struct str path; /* "policies/k8s/a.rego", ".manifest", "data.json" */
	struct str content;
	bool bare; /* it was read from an archive without a "/" in front */
};

struct bundle_manifest {
	const char *revision; /* "" when there is none */
	const char **roots;   /* NULL: not given, which means everything */
	size_t nroots;
	int rego_version;    /* -1: not given */
	struct str metadata; /* a JSON span; {0}: none */
	struct str wasm;     /* the list of compiled policies, as metadata */
};

/* {0} is empty. Must not be copied. */
struct bundle {
	struct arena arena;
	struct bundle_file *files;
	uint32_t nfiles, cap;
	struct map index;                /* by path */
	struct bundle_text *texts;       /* contents that were handed over */
	struct bundle_manifest manifest; /* once read or written */
	char digest[72]; /* "sha256:<hex>" of the archive, once packed or read
			  */
};

/* Give back all its files; safe on {0} and twice. */
void bundle_release(struct bundle *b);

/* Copies both. A path that is there already is E_CONFLICT. */
enum status bundle_add(struct bundle *b, struct str path, struct str content,
	struct err *e) MUST_CHECK;
/* NULL: no such file. Until the next bundle_add(). */
const struct bundle_file *bundle_find(const struct bundle *b, struct str path);

/*
 * Do two bundles hold the same files, signatures aside? The same commit built
 * twice does; but PSS signs with a random number, so the archives differ. Who
 * publishes a revision that is there compares by this.
 */
bool bundle_same(const struct bundle *a, const struct bundle *b);

/* --- building (build.c, data.c) ------------------------------------------- */

struct build_options {
	const char *revision;
	const char *tool;        /* "regatta 0.1.0" */
	const char *test_digest; /* of the test report; NULL: none */
	const char *signer_key;  /* "SHA256:...", of the commit; NULL: none */
	/* Files made beside the repo's: data that gates derive. */
	const struct bundle_file *extra;
	size_t nextra;
};

/*
 * The bundle of a commit. Into it go, of the folders that the config includes,
 *
 *	*.rego                 as it is in git and under the same path, but for
 *	                       *_test.rego and what lies in a folder fixtures
 *	data.json, data.yaml   merged into one data.json. The document stands at
 *	                       the path of its folder below the included one:
 *	                       policies/k8s/data.yaml is data.k8s
 *	extra                  the same; paths count from the bundle's root
 *
 * and .manifest: revision, roots, rego_version, and as metadata the commit and
 * tree, the tool, the digest of the test report, the key that signed the
 * commit, and as `release` what a rollout goes by (config_write_release()).
 *Everything else stays out. Data in the folders waivers, stages and enforcement
 *is the gates' to hand in.
 *
 * Roots that the config does not name are the first step of every package and
 * of all data, two steps below system.
 *
 * E_CONFLICT: two files give one datum; both places are named. E_INVALID: names
 * that mean something to OPA (.manifest, *signatures.json, patch.json,
 * data.yml, ...) or that a bundle should not have, data that readers of
 * different age read in different ways, files outside the roots.
 */
enum status bundle_build(struct bundle *out, const struct repo *r,
	const struct config *c, const struct build_options *o,
	struct err *e) MUST_CHECK;

/*
 * bundle_build() in its two steps: what goes into the bundle, and whether an
 * agent would activate that. Errors of the second are in the agent's words.
 */
enum status bundle_gather(struct bundle *out, const struct repo *r,
	const struct config *c, const struct build_options *o,
	struct err *e) MUST_CHECK;
enum status bundle_activates(const struct bundle *b, const struct config *c,
	struct err *e) MUST_CHECK;

/* --- archives (pack.c, unpack.c) ------------------------------------------ */

/*
 * Append the archive, and set b->digest. The same files give the same bytes on
 * every machine, in whatever order they were added; they are put in the order
 * of the archive: data.json, modules by name, the signatures, .manifest.
 */
enum status bundle_pack(
	struct bundle *b, struct buf *out, struct err *e) MUST_CHECK;

/*
 * Read an archive within the limits; entries in their order. `out` is {0}.
 * Nothing is trusted yet: bundle_verify() and bundle_check() come next. Refused
 * is what two readers could take for different bundles: links, devices, sparse
 * files, names twice or the same but for case, bytes behind the archive.
 */
enum status bundle_unpack(
	struct bundle *out, struct str bytes, struct err *e) MUST_CHECK;

/* --- checking (check.c) --------------------------------------------------- */

enum bundle_rules {
	BUNDLE_AS_AGENT,
	/* Also revision, roots and version, one data.json, no tests, no
	 * delta, nothing that agents ignore. */
	BUNDLE_STRICT,
	/* What bundle_build() makes: no compiled policies either. */
	BUNDLE_RELEASE,
};

/*
 * Whether it compiles in an OPA of these capabilities (rego/capabilities.h);
 * NULL: in one that this engine equals.
 */
struct capabilities;
enum status bundle_check_capabilities(const struct bundle *b,
	const struct capabilities *caps, struct err *e) MUST_CHECK;

/*
 * Everything an agent checks on load but signatures: the manifest, data, every
 * module, roots, and whether it all compiles.
 */
enum status bundle_check(
	struct bundle *b, enum bundle_rules rules, struct err *e) MUST_CHECK;

/* Are there policies in it that only an agent with Wasm can run? */
bool bundle_is_compiled(const struct bundle *b);

/*
 * The engine that an agent would decide with. `b` has been checked, and must
 * live as long as it. The caller frees it with rego_free().
 */
struct rego_engine;
enum status bundle_compile(const struct bundle *b, struct rego_engine **out,
	struct err *e) MUST_CHECK;

/* --- signatures (sign.c) -------------------------------------------------- */

/* Adds .signatures.json over all files, in place of one that is there. */
enum status bundle_sign(struct bundle *b, const struct sign_key *k,
	const char *keyid, const char *scope, struct err *e) MUST_CHECK;

/*
 * What an agent with this configuration would say. `keys` NULL: it has none.
 * With keys->strict also what an agent lets pass and should not: weak digests,
 * deltas, other files that older agents take for signatures.
 */
struct bundle_verify_options {
	const struct verify_config *keys;
	const char *const *exclude; /* shell globs, as exclude_files */
	size_t nexclude;
	bool optional; /* keys without a signing block: unsigned passes */
	bool unsigned_deltas; /* allow_unsigned_delta_bundles */
};
enum status bundle_verify(const struct bundle *b,
	const struct bundle_verify_options *o, struct err *e) MUST_CHECK;

/* --- stores (store.c, store_dir.c) ---------------------------------------- */

/* One version as a store knows it. */
struct version {
	const char *bundle, *revision;
	const char *digest; /* "sha256:<hex>" of the archive */
	const char *commit, *tree;
	int64_t commit_time, published; /* seconds */
	uint64_t size;                  /* bytes of the archive */
};

struct store;

/* --- what a bundle says of itself (publish.c) ----------------------------- */

/* A text member of the manifest's metadata, in `a`; "" when there is none. */
const char *bundle_metadata(
	const struct bundle *b, const char *key, struct arena *a);
/* What a rollout goes by (config_write_release()): JSON; empty: none. */
struct str bundle_release_config(const struct bundle *b);

/*
 * The version that a bundle would be, but for when it is published. E_INVALID:
 * no revision, or no commit. Strings are the bundle's or in `a`.
 */
enum status bundle_version(const struct bundle *b, const char *name,
	struct str archive, struct arena *a, struct version *out,
	struct err *e) MUST_CHECK;

/*
 * store_put(), but a version that is there with the same files and another
 * signature is there already, and *v becomes that: PSS signs with a random
 * number.
 */
enum status store_publish(struct store *s, struct version *v,
	const struct bundle *b, struct str archive, struct arena *a,
	bool *fresh, struct err *e) MUST_CHECK;

/*
 * "dir:PATH". Other schemes are refused by name. `fs` is the seam, NULL: none;
 * it must outlive the store. Nothing is made or read before the first call, and
 * a folder that is not there is an empty store.
 */
enum status store_open(struct store **out, const char *url, const struct fs *fs,
	struct err *e) MUST_CHECK;
void store_close(struct store *s); /* NULL is fine */

/*
 * Put a version and its archive. The same revision with the same bytes changes
 * nothing and sets *fresh to false; with other bytes it is E_CONFLICT. After a
 * crash at any point the store holds all of it or nothing. Any number of
 * processes may put at the same time.
 */
enum status store_put(struct store *s, const struct version *v,
	struct str archive, bool *fresh, struct err *e) MUST_CHECK;

/* Append the archive with this digest; its bytes are checked against it. */
enum status store_get(struct store *s, const char *digest, struct buf *out,
	struct err *e) MUST_CHECK;

/* All versions of a bundle, oldest first; in `a`. */
enum status store_list(struct store *s, const char *bundle, struct arena *a,
	struct version **out, size_t *n, struct err *e) MUST_CHECK;

/* E_NOT_FOUND: no such revision. */
enum status store_find(struct store *s, const char *bundle,
	const char *revision, struct arena *a, struct version *out,
	struct err *e) MUST_CHECK;

#endif
