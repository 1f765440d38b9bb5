/*
 * yaml: the safe part of YAML, as events.
 *
 * What people write by hand: maps, lists, scalars, comments, block texts.
 * Refused with the place where it stands: anchors and aliases (a few bytes
 * that expand without end, and two places that mean one thing), tags other
 * than the core ones, keys that are not scalars, and more bytes, depth or
 * events than base/limits.h allows. Keys may be repeated here; who builds a
 * map knows whether that is a mistake.
 *
 *	r = yaml_reader_new("regatta.yaml", text);
 *	do st = yaml_next(r, &ev, e);
 *	while (!st && ev.kind != YAML_END);
 *	yaml_reader_free(r);
 *
 * Errors begin with "name:row:col: ". Reading is libyaml's, which knows
 * YAML 1.1; what a plain scalar means is decided here, by the core schema of
 * YAML 1.2, section 10.3: `yes` and `on` are strings.
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/buf.h"
#include "base/limits.h"

enum yaml_kind {
	YAML_DOC, /* a document begins */
	YAML_SCALAR,
	YAML_LIST,
	YAML_MAP,   /* then key, value, key, value, ... */
	YAML_CLOSE, /* the list or map that was opened last ends */
	YAML_END,   /* of the stream; comes again when asked again */
};

enum yaml_type {
	YAML_NULL,
	YAML_BOOL,
	YAML_INT,   /* decimal, 0o17 or 0xff */
	YAML_FLOAT, /* .inf and .nan too */
	YAML_STRING,
};

struct yaml_event {
	enum yaml_kind kind;
	enum yaml_type type; /* of a scalar */
	struct str text;     /* of a scalar; until the next yaml_next() */
	uint32_t row, col;   /* from 1; col counts code points */
	uint32_t depth;      /* maps and lists around it */
	bool key;            /* a key of a map */
	bool plain;          /* a scalar without quotes and tag */
};

struct yaml_reader;

/* `name` (for messages) and `text` must outlive the reader. */
struct yaml_reader *yaml_reader_new(const char *name, struct str text);
void yaml_reader_free(struct yaml_reader *r);

/* After an error, the same error comes again. */
enum status yaml_next(
	struct yaml_reader *r, struct yaml_event *ev, struct err *e) MUST_CHECK;

/* What a plain (unquoted) scalar means in the core schema. */
enum yaml_type yaml_plain_type(struct str text);

#endif
