/*
 * node: a YAML document as a tree whose every node knows its place.
 *
 * For files that people write and get wrong: waivers, stages. Keys are
 * distinct (a later `expires` that replaces an earlier one is an attack), and
 * what a scalar means is YAML 1.2's core schema, except that dates stay text.
 */
#ifndef GATES_NODE_H
#define GATES_NODE_H

#include "base/arena.h"
#include "base/yaml.h"

struct node {
	enum yaml_kind kind; /* YAML_SCALAR, YAML_LIST or YAML_MAP */
	enum yaml_type type; /* of a scalar */
	struct str text;     /* of a scalar */
	uint32_t row, col;
	struct node *items; /* of a list; of a map: key, value, ... */
	uint32_t n, cap;    /* items */
};

/* One document; an empty one is null. Everything lives in `a`. */
enum status node_parse(struct arena *a, const char *name, struct str text,
	struct node *out, struct err *e) MUST_CHECK;

/* The value of a key; NULL: no such key, or no map. */
const struct node *node_get(const struct node *map, const char *key);
/* The text of a key's string; NULL: not there, or no string. */
const char *node_string(
	struct arena *a, const struct node *map, const char *key);

/*
 * Append it as JSON. A number that JSON would write in another way (0x1f, .5)
 * is a string.
 */
void node_json(struct buf *out, const struct node *n);

#endif
