/*
 * walk: every document inside a value, one at a time.
 *
 * The value itself comes first, with the path []; then what it holds, depth
 * first: arrays by index, objects by sorted key, sets by sorted member with
 * the member itself as path element. This is OPA's order.
 *
 *	struct walk *it = walk_new(arena, value, true);
 *
 *	while (walk_next(it, &path, &val))
 *		...
 */
#ifndef REGO_BUILTIN_WALK_H
#define REGO_BUILTIN_WALK_H

#include "rego/value.h"

struct walk;

/*
 * An iterator over `v`. It, and the paths that it makes if `want_path` is set,
 * come out of `arena`.
 */
struct walk *walk_new(struct arena *arena, struct value v, bool want_path);

/*
 * The next document and its path, an array of its own; [] when paths are not
 * wanted. `path` may be NULL. False at the end.
 */
bool walk_next(struct walk *it, struct value *path, struct value *val);

#endif
