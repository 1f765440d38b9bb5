/*
 * doc: documents of JSON, member by member.
 *
 *	doc_begin(out, "status");             {"kind":"status","schema":1
 *	doc_text(out, "bundle", name);        ,"bundle":"platform"
 *	doc_open(out, "targets", '{');        ,"targets":{
 *	doc_int(out, "total", n);             "total":7
 *	doc_close(out, '}');                  }
 *	doc_close(out, '}');                  }
 *
 * A comma goes before each member but the first. In arrays names are NULL.
 * Empty texts, times of 0 and false are left out where it is said.
 *
 * And back: what stands at a JSON pointer of a document that was checked.
 */
#ifndef SERVER_DOC_H
#define SERVER_DOC_H

#include "base/arena.h"
#include "base/buf.h"

/*
 * Rises when a member goes or means something else; not when one is added.
 * Those who read documents look at it.
 */
enum { DOC_SCHEMA = 1 };

/* The document's brace, "kind" and "schema", which all have. */
void doc_begin(struct buf *out, const char *kind);
/*
 * A member that is an object or array, by its bracket; doc_close() has the
 * other bracket.
 */
void doc_open(struct buf *out, const char *name, char bracket);
void doc_close(struct buf *out, char bracket);
/*
 * Members of each kind; doc_named() has a name that is not ours and so is
 * quoted.
 */
void doc_text(struct buf *out, const char *name, struct str s);
void doc_named(struct buf *out, struct str name, struct str s);
void doc_some(struct buf *out, const char *name, struct str s); /* if any */
/* In full, also above 2^53. */
void doc_int(struct buf *out, const char *name, int64_t n);
void doc_bool(struct buf *out, const char *name, bool b);
void doc_time(struct buf *out, const char *name, int64_t ns); /* unless 0 */
/* A document as it is; an empty one is left out. */
void doc_json(struct buf *out, const char *name, struct str json);

/* --- reading: doc_read.c ---------------------------------------------------
 */

/* A part as it is; empty when there is none. */
struct str doc_part(struct str doc, const char *pointer);
/* A part as text: strings in `a`, other values as written, null is empty. */
struct str doc_see(struct str doc, const char *pointer, struct arena *a);
double doc_number(struct str doc, const char *pointer); /* 0: none */
/* The elements of an array, or the members of an object. */
size_t doc_count(struct str doc, const char *pointer);

/* "90 s", "12 min", "3 h", "2 d": what has passed of it. */
const char *doc_span(struct arena *a, int64_t ns);
/* The same of what is to come, to the nearest: 11:59 h are 12 h. */
const char *doc_ahead(struct arena *a, int64_t ns);
/* Evidence by its logarithm: "0.03", "986", "over a million", "under 0.01". */
const char *doc_evidence(struct arena *a, double ln);

/*
 * A verdict's metric in words for people: how far the canary is from the
 * baseline, "difference +2 points (+0.9 to +8.4); odds ratio 3.06 (1.29 to
 * 6.56); 99.8% likely worse"; and what `slow` knows of latency. NULL: there is
 * nothing to compare.
 */
const char *doc_compared(struct arena *a, struct str metric);
const char *doc_latency(struct arena *a, struct str metric);

#endif
