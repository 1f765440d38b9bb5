/*
 * select: which targets are canaries.
 *
 * By label first, then by percentage. A percentage takes, in each class of
 * targets, the first by a hash of channel, salt and id: growing it only adds,
 * and the same channel has the same canaries each time. Classes under
 * SELECT_CLASS_MIN targets share one allocation, so that ten classes of one
 * target do not make ten canaries of 10 %.
 */
#ifndef CANARY_SELECT_H
#define CANARY_SELECT_H

#include "base/arena.h"
#include "base/err.h"

enum {
	SELECT_CLASS_MIN = 10,
	SELECT_TERMS_MAX = 64,   /* of one selector */
	SELECT_VALUES_MAX = 256, /* of all its terms */
	SELECT_BYTES_MAX = 4096, /* of its text */
	SELECT_WHOLE = 10000,    /* basis points: all */
};

struct label {
	struct str key, value;
};

struct select_target {
	struct str id, target_class;
	const struct label *labels;
	size_t nlabels;
};

/*
 * What labels must be, all of it: `key=value` (or ==), `key!=value`,
 * `key in (a,b)`, `key notin (a,b)`, `key`, `!key`, with commas between. A
 * missing label satisfies != and notin. Empty text selects everything.
 */
struct selector {
	const struct select_term *terms;
	size_t nterms;
};

/*
 * Its strings are in `a`. E_INVALID, with what is wrong and where; E_LIMIT:
 * too long, or too many terms.
 */
enum status selector_parse(struct selector *out, struct str text,
	struct arena *a, struct err *e) MUST_CHECK;
/* Whether labels fit all its terms; one without terms fits every target. */
bool selector_matches(
	const struct selector *s, const struct label *labels, size_t n);

/* First 8 bytes, big endian, of SHA-256(channel NUL salt NUL id). */
uint64_t select_hash(struct str channel, struct str salt, struct str id);

struct select_percent {
	struct str channel, salt;
	uint32_t basis_points; /* of SELECT_WHOLE: 10 % is 1000 */
	/* Kept back in each class as controls, the last by hash. */
	uint32_t held_back;
};

/*
 * Set chosen[i] for the targets a percentage takes, in addition to what is
 * set. Targets labelled `never-canary` (not "false") are taken at 100 % only.
 */
void select_by_percent(const struct select_percent *p,
	const struct select_target *targets, size_t n, bool *chosen);

#endif
