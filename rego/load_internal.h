/*
 * load_internal: what load.c and load_bundle.c share.
 */
#ifndef REGO_LOAD_INTERNAL_H
#define REGO_LOAD_INTERNAL_H

#include "rego/load.h"

enum format { F_UNKNOWN, F_REGO, F_JSON, F_YAML, F_ARCHIVE };

/* By the end of the name. */
enum format load_format(const char *path);
/* Most bytes a file of that format may have. */
size_t load_max(enum format f);

/* As str_ends(), of C strings. */
bool load_has_suffix(const char *s, const char *suffix);

/* fs->list(), sorted. */
enum status load_list(const struct load_fs *fs, const char *path,
	struct arena *a, struct str **names, size_t *n, struct err *err);

/*
 * Whether a file or folder is passed over: by a pattern of --ignore, which
 * what was named itself (depth 0) is not, or for not being Rego.
 */
bool load_ignored(
	const struct load_options *o, const char *name, int kind, size_t depth);

/* An error with neither code nor place. */
void load_fail(struct diags *d, const char *fmt, ...) PRINTF(2, 3);

/* Add a module; name and text are copied. Its errors go to `d` as well. */
bool load_module(struct rego_engine *e, const char *name, struct str text,
	enum rego_version version, struct diags *d);

/* One document of data in the engine's arena. False: why, and where, in *je. */
bool load_document(struct rego_engine *e, enum format f, struct str text,
	struct value *out, struct json_error *je);

/* {"a": {"b": v}} for the steps a, b, in the engine's arena. */
struct value load_nest(struct rego_engine *e, const struct str *steps, size_t n,
	struct value v);

/* file:// is taken off; false when the path can't be read. */
bool load_url(struct arena *a, const char **path, struct diags *d);

#endif
