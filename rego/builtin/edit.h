/*
 * edit: a value under a list of changes.
 *
 * A tree over a value that unfolds only where a change goes, for json.patch.
 * It follows OPA's own edit tree in what it accepts, in its messages and in
 * one thing that is visible: going *into* an array looks an untouched item up
 * by its index in the array as it was, not as it is after insertions and
 * removals before it.
 *
 * A path is an array of keys. Functions return BI_ERROR with the message set.
 */
#ifndef REGO_BUILTIN_EDIT_H
#define REGO_BUILTIN_EDIT_H

#include "rego/builtin.h"

struct edit;

/* To change copies of `v`, which itself stays as it is. */
struct edit *edit_new(struct bi_ctx *cx, struct value v);

/* The value at the end of the path, or all of it, becomes `v`. */
enum bi_status edit_insert_at(
	struct edit *e, const struct value *path, size_t len, struct value v);
enum bi_status edit_delete_at(
	struct edit *e, const struct value *path, size_t len);

/* The value at the path, with its changes; V_UNDEF when it was deleted. */
enum bi_status edit_render_at(struct edit *e, const struct value *path,
	size_t len, struct value *out);

#endif
