/*
 * mismatch: why types do not fit, as OPA says it.
 *
 * Most type errors come with details: a few lines below the message, and an
 * object in JSON. What is needed for them is kept here; text is made for the
 * errors that are reported. Lines that are too long are written again with
 * what both sides have in common left out.
 */
#ifndef REGO_MISMATCH_H
#define REGO_MISMATCH_H

#include "rego/passes.h"
#include "rego/types.h"

enum mismatch_kind {
	MM_PLAIN, /* no details */
	MM_ARGS,  /* items: types of arguments; want: the function */
	MM_MATCH, /* have, want: types of both sides */
	MM_REF,   /* ref, at; have, want, one_of: a step that can't be */
	MM_LEAF,  /* ref, at; have: what has no members */
};

struct mismatch {
	enum mismatch_kind kind;
	struct loc loc;
	const char *message;
	uint32_t row, col; /* for sorting */
	const struct type *have, *want;
	const struct type *const *items;
	uint32_t len;
	bool result;      /* MM_ARGS: `want` with the result as last argument */
	struct term *ref; /* with the names that were written */
	uint32_t at;      /* step of the ref */
	struct value one_of; /* array of the keys there are, or undefined */
	const char *text;    /* made on demand */
};

/* Caused by a type that is not known, so perhaps by another error. */
bool mismatch_unknown(const struct mismatch *m);
/* The lines, each after "\n\t"; "" when there are none. */
const char *mismatch_text(struct passes *p, struct mismatch *m);
/* An object, or NULL. */
const char *mismatch_json(struct passes *p, const struct mismatch *m);
/* OPA's order of errors. */
void mismatch_sort(struct passes *p, struct mismatch **items, uint32_t n);

/* types_diff.c: two types, without what is the same in both if it is long. */
bool type_is_short(const struct buf *text); /* not worth shortening */
void type_outline(struct buf *out, const struct type *t); /* set[...] */
void type_short(struct buf *out, const struct type *t);   /* if it is long */
void type_diff(struct buf *left, struct buf *right, const struct type *x,
	const struct type *y);
/* Some line is longer than a terminal is wide. */
bool types_wide(struct str line);

#endif
