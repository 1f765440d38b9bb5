/*
 * yaml_tree: YAML as a tree of nodes, before anything is made of them.
 *
 * What OPA knows of YAML is go.yaml.in/yaml v3: how scalars are resolved, how
 * merge keys and aliases work, which texts and lines its errors have. That
 * much is here. What becomes of the nodes differs: data files are turned into
 * JSON (yaml.c), annotations fill a struct (yaml_typed.c).
 *
 *	struct yreader r = {.e = &error};
 *
 *	if (ytree_read(&r, text, true, &root)) ... root, NULL for no document
 *	ytree_release(&r);
 *
 * Bounds: base/limits.h's of YAML for the text; ytree_count(), ytree_deeper()
 * and ytree_follow() for whoever walks it, since aliases can make a small tree
 * endless.
 */
#ifndef REGO_YAML_TREE_H
#define REGO_YAML_TREE_H

#include "base/map.h"
#include "rego/value.h"

enum ynode_kind { N_SCALAR, N_SEQ, N_MAP, N_ALIAS };

struct ynode {
	enum ynode_kind kind;
	bool plain;                        /* a scalar without quotes */
	bool open;                         /* an alias that is being followed */
	uint32_t line;                     /* from 1 */
	struct str text, tag;              /* tag: short form, or empty */
	struct ynode *first, *last, *next; /* members; keys and values */
	struct ynode *target;              /* of an alias */
};

enum yscalar_type { Y_NULL, Y_BOOL, Y_INT, Y_UINT, Y_FLOAT, Y_STR, Y_MERGE };

struct yscalar {
	enum yscalar_type type;
	bool b;
	int64_t i;
	uint64_t u;
	double d;
	struct str s;
};

struct yreader {
	struct arena nodes;   /* the tree, and what is made on the way */
	struct json_error *e; /* where errors go; never NULL */
	struct map anchors;
	uint32_t events;
	size_t decoded, aliased; /* nodes converted; of these, below aliases */
	uint32_t depth, alias_depth;
};

/*
 * Read the first document of a text. `whole`: what is broken behind it is an
 * error as well.
 */
bool ytree_read(
	struct yreader *r, struct str text, bool whole, struct ynode **root);
void ytree_release(struct yreader *r);

/* The error of r->e; always false. */
bool ytree_fail(struct yreader *r, const char *fmt, ...) PRINTF(2, 3);

/* A copy that lives as long as the tree. */
struct str ytree_keep(struct yreader *r, const void *text, size_t len);

/* What a scalar means. False when its tag asks for what it is not. */
bool ytree_resolve(
	struct yreader *r, const struct ynode *n, struct yscalar *out);
const char *ytree_type_tag(enum yscalar_type t); /* "!!int" */

/* The key "<<": tagged as a merge, or plain without a tag. */
bool ynode_is_merge(const struct ynode *n);

/* All keys of a map are strings or merge keys. */
bool ytree_string_keys(struct yreader *r, const struct ynode *map);

/* Count one more node that is decoded; false when aliases make up too many. */
bool ytree_count(struct yreader *r);

/* Into an alias and out of it; false where it holds itself. */
bool ytree_follow(struct yreader *r, struct ynode *alias);
void ytree_leave(struct yreader *r, struct ynode *alias);

/* One level deeper; r->depth-- when done. */
bool ytree_deeper(struct yreader *r);

/* Scalars as values. */
struct value ytree_integer(struct arena *a, uint64_t u);
struct value ytree_float(struct arena *a, double d); /* finite */

/* With U+FFFD where bytes are not UTF-8: they don't survive JSON. */
struct str ytree_repaired(struct yreader *r, struct str s);

/* A value as Go's %#v shows it, in the types that go-yaml decodes to. */
void ytree_go_syntax(struct buf *out, struct value v);

#endif
