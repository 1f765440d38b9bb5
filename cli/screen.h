/*
 * screen: documents of operations as people read them.
 *
 * Everything a command prints comes from the document that a script can have
 * with -o json. See strings and numbers live in it or in the arena.
 */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include "base/arena.h"
#include "base/buf.h"

struct screen {
	struct str doc;
	struct arena *a;
	bool color;     /* of a terminal, and NO_COLOR is not set */
	int64_t now_ns; /* for "3 min ago"; 0: times as they are */
};

/* For standard output. */
struct screen screen_of(struct str doc, struct arena *a);

/* The text at a JSON pointer of the document, or of a part of it; "" when
 * there is none. Numbers as they are written. */
struct str see(const struct screen *s, const char *pointer);
struct str see_in(const struct screen *s, struct str part, const char *name);
int64_t see_int(const struct screen *s, const char *pointer);
bool see_true(const struct screen *s, const char *pointer);
/* A part as it is; empty when there is none. */
struct str see_part(const struct screen *s, const char *pointer);

/* "3 min ago", "in 2 h", for RFC 3339; the text itself when it is none. */
const char *see_ago(const struct screen *s, struct str time);

enum tone { TONE_NONE, TONE_GOOD, TONE_BAD, TONE_WAIT, TONE_DIM };

/* Append a word in a colour, if there are colours. */
void say(const struct screen *s, struct buf *out, enum tone tone,
	const char *fmt, ...) PRINTF(4, 5);

/* Columns under a head, as wide as they must be; cells row by row. */
struct columns {
	const char *const *head;
	size_t n;
	struct str *cells;
	uint32_t len, cap;
};
void columns_add(struct arena *a, struct columns *c, struct str cell);
void columns_write(const struct columns *c, struct buf *out);

#endif
