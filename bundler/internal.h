/*
 * internal: what the files of the bundler share.
 */
#ifndef BUNDLER_INTERNAL_H
#define BUNDLER_INTERNAL_H

#include "bundler/bundler.h"

/* --- names (names.c) ------------------------------------------------------ */

/* What a path in a bundle is to an agent, in the order it asks. */
enum role {
	ROLE_SIGNATURES, /* base name .signatures.json */
	ROLE_PATCH,      /* base name patch.json */
	ROLE_MODULE,     /* *.rego */
	ROLE_WASM,       /* base name policy.wasm */
	ROLE_PLAN,       /* base name plan.json */
	ROLE_JSON,       /* base name data.json */
	ROLE_YAML,       /* base name data.yaml, data.yml */
	ROLE_MANIFEST,   /* *.manifest */
	ROLE_NONE,       /* ignored */
};

/* By the end of its name, or all of it: the table is in names.c. */
enum role name_role(struct str path);

/* The part behind the last "/". */
struct str name_base(struct str path);

/*
 * May an archive that comes from elsewhere have this name? One "/" or "./" in
 * front is allowed.
 */
enum status name_check(struct str path, struct err *e) MUST_CHECK;

/*
 * Is it the first of its kind in `seen`? Names that are the same but for the
 * case of ASCII letters, or for what name_check() allows in front, are one.
 */
bool name_first(struct map *seen, struct arena *a, struct str path);

/*
 * Is it one of those we write: letters, digits, "_", "-" and ".", no step that
 * begins with a dot but in the two control files, and none that only looks
 * like one of OPA's?
 */
enum status name_check_strict(struct str path, struct err *e) MUST_CHECK;

/* --- files (bundle.c) ----------------------------------------------------- */

/* As bundle_add(); takes the memory of `content`, also when it fails. */
enum status bundle_take(struct bundle *b, struct str path, struct buf *content,
	struct err *e) MUST_CHECK;
/* Replace or add. */
void bundle_set(struct bundle *b, struct str path, struct buf *content);
/* Put the files into the order of the archive. */
void bundle_order(struct bundle *b);

/* --- the manifest (manifest.c) -------------------------------------------- */

/* Everything lives in `a`. Words of OPA for what is wrong. */
enum status bundle_manifest_read(struct bundle_manifest *out, struct str text,
	struct arena *a, struct err *e) MUST_CHECK;
void bundle_manifest_write(struct buf *out, const struct bundle_manifest *m);

/* Is `path` (steps with "/" between) the same as `root` or below it? */
bool root_holds(struct str root, struct str path);

/* --- checking (check.c) --------------------------------------------------- */

/* Parse, merge and compile as an agent does when it activates a bundle. */
enum status check_activates(const struct bundle *b, struct err *e) MUST_CHECK;

/* --- deltas (delta.c) ----------------------------------------------------- */

/* The patches of a delta as a span of its patch.json; {0}: it is none. */
enum status delta_find(
	const struct bundle *b, struct str *list, struct err *e) MUST_CHECK;
enum status delta_check(
	const struct bundle *b, struct str list, struct err *e) MUST_CHECK;

/* --- data (data.c) -------------------------------------------------------- */

/* Documents of several files as one. {0} is empty. */
struct data {
	struct arena arena;
	struct data_node *root;
	uint64_t turns; /* objects taken apart so far */
};

/* Give back all documents; safe on {0} and twice. */
void data_release(struct data *d);

/*
 * Add what a file holds, JSON or YAML by its name, at the folder `at` ("a/b";
 * "" is the root). `name` stands in messages; it and the text must live as long
 * as `d`.
 */
enum status data_add(struct data *d, const char *name, struct str at,
	struct str text, struct err *e) MUST_CHECK;

/* Append the whole as canonical JSON; "{}" when nothing was added. */
enum status data_write(
	struct data *d, struct buf *out, struct err *e) MUST_CHECK;

/* --- stores (store.c) ----------------------------------------------------- */

/* What a kind of store does; see bundler.h for the meaning of each. */
struct store_ops {
	void (*close)(struct store *s);
	enum status (*put)(struct store *s, const struct version *v,
		struct str archive, bool *fresh, struct err *e);
	enum status (*get)(struct store *s, const char *digest, struct buf *out,
		struct err *e);
	enum status (*list)(struct store *s, const char *bundle,
		struct arena *a, struct version **out, size_t *n,
		struct err *e);
	enum status (*find)(struct store *s, const char *bundle,
		const char *revision, struct arena *a, struct version *out,
		struct err *e);
};

/* A kind of store begins with one. */
struct store {
	const struct store_ops *ops;
};

/*
 * Never NULL; the folder is looked at on the first use. `fs` must stay; NULL:
 * the system's.
 */
struct store *store_dir_new(const char *path, const struct fs *fs);

/* Append "sha256:<hex>" of some bytes. */
void store_digest(struct buf *out, struct str bytes);

/* A version as one line of JSON, and back; strings live in `a`. */
void version_write(struct buf *out, const struct version *v);
enum status version_read(struct version *out, struct str text, struct arena *a,
	struct err *e) MUST_CHECK;

#endif
