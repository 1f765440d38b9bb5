/*
 * load: what path arguments bring into an engine.
 *
 * Files and folders as `opa eval -d`, `opa test` and `opa check` load them,
 * and folders as bundles (-b). Files come in the order of the arguments, below
 * a folder in the order of their names; errors have OPA's texts and order.
 *
 *	PATH         below a folder: *.rego, *.json, *.yaml, *.yml; the data of
 *	             t/a/b/x.json lands at data.a.b when the argument is t. A
 *	             file that is named itself may have any name
 *	x.y:PATH     the same, with data below data.x.y
 *	bundle       *.rego, data.json, data.yaml, data.yml and .manifest, whose
 *	             roots must hold every package and all data
 *	schema       a file of JSON or YAML, or a folder of them
 *
 * Source: OPA contract, sections 1.2 to 1.5, 7.3 and 8.1. Bundles as archives
 * are refused by name.
 */
#ifndef REGO_LOAD_H
#define REGO_LOAD_H

#include "rego/rego.h"

/*
 * Where files come from. Paths are those of the arguments, with "/" and names
 * from list() behind them. Failing functions put a text like the system's into
 * *err ("stat x: no such file or directory"), without further words.
 */
struct load_fs {
	void *user;
	/* Follows symbolic links unless `nofollow`; *kind is a load_kind. */
	enum status (*stat)(void *user, const char *path, bool nofollow,
		int *kind, struct err *err);
	/* Appends the whole file; E_LIMIT when it has more than `max` bytes. */
	enum status (*read)(void *user, const char *path, size_t max,
		struct buf *out, struct err *err);
	/* Names in a folder, in any order, allocated from `a`. */
	enum status (*list)(void *user, const char *path, struct arena *a,
		struct str **names, size_t *n, struct err *err);
};

enum load_kind { LOAD_FILE, LOAD_DIR, LOAD_OTHER };

extern const struct load_fs load_disk;

struct load_options {
	const struct load_fs *fs; /* NULL: load_disk */
	/* Shell patterns; names below the arguments that match are left out. */
	const char *const *ignore;
	size_t nignore;
	bool only_rego;            /* as `check`: no data */
	enum rego_version version; /* of the engine, for trying unknown files */
};

/*
 * The errors of one call, one by one. From bundles it is one error, or all
 * parse errors of one module, and then `prefix` stands in front of their text.
 */
struct load_errors {
	struct diags list;  /* code NULL: neither code nor place */
	const char *prefix; /* "bundle b: "; NULL: none */
	const char *bundle; /* the path that was being loaded as one, or NULL:
			       comparing and activating bundles */
};

/*
 * Load files and folders. False with all errors in *errs (its arena must be
 * set), and nothing may be compiled then.
 */
bool load_paths(struct rego_engine *e, const struct load_options *o,
	const char *const *paths, size_t n, struct load_errors *errs);

/*
 * Load folders as bundles, one for each path. False with the first error.
 * `activate`: also write what OPA keeps in data.system.bundles, and compare
 * the roots of the bundles.
 */
bool load_bundles(struct rego_engine *e, const struct load_options *o,
	const char *const *paths, size_t n, bool activate,
	struct load_errors *errs);

/*
 * Load JSON schemas, as -s does: a file has the schema of input, the files
 * of a folder those of schema.NAME and schema.FOLDER.NAME, whatever they are
 * called. False with the one error there is in `errs`.
 */
bool load_schemas(struct rego_engine *e, const struct load_options *o,
	const char *path, struct load_errors *errs);

/* As Go's filepath.Match() for one name; a broken pattern never matches. */
bool load_match(const char *pattern, const char *name);

/* As Go's filepath.Clean() and Join(). */
char *load_clean(struct arena *a, const char *path);
char *load_join(struct arena *a, const char *dir, const char *name);

#endif
