/*
 * shape: structs as canonical JSON, by tables.
 *
 * A shape lists the members of a struct with their places. Writing gives
 * members in the table's order and leaves out what is empty (an empty string,
 * 0, false, the first name of an enum, a list of none, an object without
 * members), so that one value has one text. Parsing takes that text alone:
 * anything that would be written in another way is refused.
 */
#ifndef CANARY_SHAPE_H
#define CANARY_SHAPE_H

#include "base/arena.h"
#include "base/buf.h"

enum shape_kind {
	SHAPE_STR,    /* struct str */
	SHAPE_INT,    /* int64_t */
	SHAPE_BOOL,   /* bool */
	SHAPE_ENUM,   /* an enum, by `names` */
	SHAPE_OBJECT, /* a struct, by `sub` */
	SHAPE_STRS,   /* struct str * at `at`, uint32_t at `count` */
	SHAPE_LIST,   /* of structs, by `sub`, likewise */
};

struct shape_field {
	const char *name;
	enum shape_kind kind;
	size_t at, count;
	uint32_t max; /* names of an enum, or members of a list */
	const char *const *names;
	const struct shape *sub;
};

struct shape {
	const struct shape_field *fields;
	size_t nfields, size;
};

/* clang-format off */
#define SHAPE_AT(type, member) offsetof(struct type, member)
#define F_STR(t, name, m)     {name, SHAPE_STR, SHAPE_AT(t, m), 0, 0, NULL, NULL}
#define F_INT(t, name, m)     {name, SHAPE_INT, SHAPE_AT(t, m), 0, 0, NULL, NULL}
#define F_BOOL(t, name, m)    {name, SHAPE_BOOL, SHAPE_AT(t, m), 0, 0, NULL, NULL}
#define F_ENUM(t, name, m, names) \
	{name, SHAPE_ENUM, SHAPE_AT(t, m), 0, COUNT(names), names, NULL}
#define F_OBJ(t, name, m, sub) \
	{name, SHAPE_OBJECT, SHAPE_AT(t, m), 0, 0, NULL, &(sub)}
#define F_STRS(t, name, m, n, max) \
	{name, SHAPE_STRS, SHAPE_AT(t, m), SHAPE_AT(t, n), max, NULL, NULL}
#define F_LIST(t, name, m, n, max, sub) \
	{name, SHAPE_LIST, SHAPE_AT(t, m), SHAPE_AT(t, n), max, NULL, &(sub)}
#define SHAPE(type, fields) {fields, COUNT(fields), sizeof(struct type)}
/* clang-format on */

/* Append the one text of `from`, a struct of s->size bytes. */
void shape_write(const struct shape *s, const void *from, struct buf *out);

/* `out` has s->size bytes; its strings and lists are in `a`. */
enum status shape_parse(const struct shape *s, struct str text, struct arena *a,
	void *out, struct err *e) MUST_CHECK;

#endif
