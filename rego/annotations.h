/*
 * annotations: what METADATA comments say of packages and rules.
 *
 *	# METADATA
 *	# title: Only admins
 *	# custom: {severity: high}
 *	allow if ...
 *
 * A block begins with METADATA in a comment in the first column and takes the
 * comments on the lines below it, which are YAML. It belongs to the package,
 * import or rule that follows. The parser reads the blocks of a module
 * (module.annotations); the compiler refuses those that are declared twice.
 *
 * Scopes: `rule` is this one rule, `document` all rules of its name, `package`
 * the package in all its files, `subpackages` the package and those below it.
 * Errors, their texts and places are OPA's. Source: policy language, section
 * "Metadata".
 */
#ifndef REGO_ANNOTATIONS_H
#define REGO_ANNOTATIONS_H

#include "rego/ast.h"

struct type;

enum annotation_scope {
	SCOPE_NONE,
	SCOPE_RULE,
	SCOPE_DOCUMENT,
	SCOPE_PACKAGE,
	SCOPE_SUBPACKAGES,
};

/* A schema for a document: `- input: schema.x` or `- input: {type: ...}`. */
struct annotation_schema {
	struct term *path;       /* T_REF */
	struct term *schema;     /* T_REF below `schema`, or NULL: */
	struct value definition; /* the schema itself, an object */
	/* infer_schema.c's own: its type, or why it has none. */
	const struct type *type;
	const char *why;
};

struct annotation {
	enum annotation_scope scope;
	bool entrypoint;
	struct loc loc;           /* of "# METADATA" */
	uint32_t last_row_off;    /* of the last comment of the block */
	const struct module *mod; /* where it stands */
	struct rule *rule;        /* what it is for; NULL: the package */

	/*
	 * All of it as rego.metadata.rule() gives it: an object of scope,
	 * title, description, entrypoint, organizations, authors,
	 * related_resources, schemas, custom and labels, each only if set.
	 */
	struct value value;

	struct annotation_schema *schemas; /* as written */
	uint32_t nschemas;
};

/* A text of an annotation ("title", "description"); empty when not set. */
struct str annotation_text(const struct annotation *a, const char *name);

/* The annotations of all modules, by what they are for. */
struct annotation_set {
	struct annotation **items; /* in order of modules and places */
	uint32_t len;
	struct builder paths;    /* documents and subpackages: path to number */
	struct builder packages; /* path to number */
};

/*
 * Collect the annotations of modules that live as long as the set. Of two for
 * the same path the first counts; `twice`, if set, is told of the others.
 */
struct annotation_set *annotation_set_new(struct arena *arena,
	struct module *const *mods, size_t nmods,
	void (*twice)(void *user, const struct annotation *first,
		const struct annotation *again),
	void *user);

/*
 * The annotations that hold for a rule, nearest first: those of the rule
 * itself from the one right above it upwards, the document's, the package's,
 * those of subpackages from the rule's own package outwards. *out is made in
 * `arena`; returns how many there are.
 */
size_t annotations_of_rule(struct arena *arena,
	const struct annotation_set *set, const struct rule *r,
	const struct annotation ***out);

/*
 * Where a rule is, its package's steps in front, up to the first step that is
 * not fixed: ["data", "a", "p"].
 */
struct value annotation_rule_path(struct arena *a, const struct rule *r);

/* Where what an annotation is for is, in the same way. */
struct value annotation_path(struct arena *a, const struct annotation *an);

/* The one with scope `package`, by the package's ref (data.a.b), or NULL. */
const struct annotation *annotation_of_package(
	const struct annotation_set *set, const struct term *package);

/* "rule", "package", ...; empty for none. */
const char *annotation_scope_name(enum annotation_scope s);

/* --- for the parser ---------------------------------------------------- */

/* The comment begins a block. `text` is what follows the #. */
bool annotation_begins(struct str text);

/*
 * Read the block whose first comment is all[0]; *used is how many comments it
 * has. NULL with the reason in *why and the comment at fault in *at.
 */
struct annotation *annotation_parse(struct arena *a, struct symtab *t,
	const struct comment *all, uint32_t n, uint32_t *used, struct loc *at,
	const char **why);

/*
 * Find what each of a module's annotations is for. Those that stand in the
 * wrong place are errors in `d`.
 */
void annotations_attach(struct arena *a, struct module *m, struct diags *d);

#endif
