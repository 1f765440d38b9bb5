/*
 * capabilities: what the OPA that a policy is for can do.
 *
 * Agents of a fleet may be older than the OPA whose behaviour this engine has,
 * or built with functions of their own. Capabilities say which builtins,
 * keywords and features of the language they have: what a policy uses beyond
 * them is an error when it is parsed or compiled, as in OPA. They come from a
 * file in OPA's format (`opa capabilities`), or from the name of a version, for
 * which there is a table of when what was introduced.
 *
 * A builtin that this engine has not can be called and checked by the type in
 * the file, and replaced by `with`; evaluating it is an error.
 *
 * Where a function takes a struct capabilities, NULL stands for all that this
 * engine has.
 *
 * Source: OPA's documentation, "Deployments / capabilities"; behaviour of OPA
 * 1.22.2. WebAssembly versions are read and mean nothing here.
 */
#ifndef REGO_CAPABILITIES_H
#define REGO_CAPABILITIES_H

#include "base/map.h"
#include "rego/builtin.h"
#include "rego/types.h"

/* To be or-ed. Names of others in a file are passed over, as OPA does. */
enum feature {
	FEATURE_KEYWORDS_IN_REFS = 1,
	FEATURE_REGO_V1 = 2,
	FEATURE_REGO_V1_IMPORT = 4,
	FEATURE_REGO_V2 = 8,
	FEATURE_REGO_V2_IMPORT = 16,
	FEATURE_REF_HEAD_PREFIXES = 32,
	FEATURE_REF_HEADS = 64,
	FEATURE_TEMPLATES = 128,
	FEATURES_ALL = 255,
};

/* An OPA's version as a number that grows. */
enum { VERSION_FINAL = 255 };
#define VERSION_NUMBER(major, minor, patch, stage)                             \
	((uint32_t)(major) << 24 | (uint32_t)(minor) << 16 |                   \
		(uint32_t)(patch) << 8 | (stage))

struct capabilities {
	unsigned features;           /* enum feature */
	uint32_t keywords;           /* enum keyword: that can be imported */
	const char *unknown_keyword; /* the first, or NULL */
	bool some_hosts;             /* only these may be reached: */
	const struct str *hosts;
	uint32_t nhosts;
	/*
	 * By number of a builtin (capabilities_index()): its type, NULL where
	 * it is not there; and whether it is deprecated.
	 */
	const struct type **types;
	bool *deprecated;
	struct builtin *others; /* those that this engine has not */
	uint32_t nothers;
	struct map by_name; /* of others */
};

/* Of a file's text. Lives in `a`; see capabilities_release(). */
enum status capabilities_parse(struct arena *a, struct str text,
	struct capabilities *out, struct err *e) MUST_CHECK;

/* Of a version: "v1.0.0". E_NOT_FOUND: OPA has none of that name. */
enum status capabilities_of_version(struct arena *a, const char *name,
	struct capabilities *out, struct err *e) MUST_CHECK;

/* The same by number (version_parse()). */
void capabilities_at(
	struct arena *a, uint32_t version, struct capabilities *out);

/* Of the file of that name, else of the version. Reads the disk. */
enum status capabilities_load(struct arena *a, const char *name,
	struct capabilities *out, struct err *e) MUST_CHECK;

/* What does not lie in the arena. {0} is fine. */
void capabilities_release(struct capabilities *c);

/* The builtin of that name, or NULL. */
const struct builtin *capabilities_find(
	const struct capabilities *c, struct str name);
/* Number of a builtin that was found, below capabilities_count(). */
size_t capabilities_index(
	const struct capabilities *c, const struct builtin *b);
size_t capabilities_count(const struct capabilities *c);
/* Type of a builtin that was found; NULL: not known. */
const struct type *capabilities_type(
	struct arena *a, const struct capabilities *c, const struct builtin *b);
bool capabilities_deprecated(
	const struct capabilities *c, const struct builtin *b);
bool capabilities_host(const struct capabilities *c, struct str host);

/* The name of a feature, for all bits in turn; NULL behind the last. */
const char *feature_name(unsigned bit);

/* --- to be read by others (capabilities_write.c) ----------------------- */

/*
 * Capabilities as OPA writes them: those of a version; all that this engine
 * has, with the names of arguments; those of a file, with what OPA knows of it.
 */
void capabilities_of_version_json(struct buf *out, uint32_t version);
void capabilities_current_json(struct buf *out, bool v0);
enum status capabilities_of_file_json(
	struct buf *out, struct str text, struct err *e) MUST_CHECK;

/* The versions that have a name, oldest first, one a line. */
void capabilities_versions(struct buf *out);

/* The type that a file declares; NULL: it is none, see *e. */
const struct type *capabilities_type_read(
	struct arena *a, struct value decl, struct err *e);

/* --- by version (capabilities_version.c) ------------------------------- */

/* What one version had. The first that had a builtin: 0 from the start on. */
unsigned version_features(uint32_t version);
uint32_t version_keywords(uint32_t version);
uint32_t version_of_builtin(struct str name);
/* How it was declared, where that was otherwise than now; else NULL. */
const char *version_declared(uint32_t version, struct str name);
/* Whether a file of that version marks it. */
bool version_marks_deprecated(uint32_t version);
bool version_marks_nondeterministic(uint32_t version, struct str name);
/* How many versions of WebAssembly's interface a file of it names. */
int version_wasm_abis(uint32_t version);
/* 0: there is none of that name. */
uint32_t version_parse(struct str name);

#endif
