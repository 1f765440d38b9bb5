/*
 * page: the dashboard.
 *
 * HTML made from the documents of operations (ops.h) and nothing else, so that
 * nothing stands on the page that a script can't have. It works without
 * scripts and without a style; what is coloured is said in words too. What
 * comes from outside goes through page_put(), which escapes it.
 *
 *	page.c          the frame and the strip on top
 *	page_text.c     markup with texts in it; members of documents
 *	page_fleet.c    what runs where
 *	page_verdict.c  is it good
 *	page_past.c     what changed, and what was done
 *	page_serve.c    over HTTP: the documents, the style, the script
 */
#ifndef SERVER_PAGE_H
#define SERVER_PAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "server/server.h"

/* More targets than these are counted, not drawn. */
enum { PAGE_TARGETS = 2000, PAGE_BINS = 60 };

/* What a page is made from: checked JSON, empty where there is none. */
struct page_docs {
	const struct str *status; /* of each channel */
	size_t nstatus, chosen;
	struct str targets, verdict, history, diff; /* of the chosen one */
	struct str style, script; /* addresses of the two files */
};

/* Append the whole page; memory comes from `a`. */
void page_write(struct buf *out, struct arena *a, const struct page_docs *docs);

/* GET /, /page.css, /page.js, /page.svg. */
extern const struct server_route page_routes[];
extern const size_t page_nroutes;

/* --- what the files of the page share --------------------------------------
 */

struct page {
	struct buf *out;
	struct arena *a;
	const struct page_docs *docs;
	struct str status; /* of the chosen channel */
	int64_t now_ns;    /* when it was true */
};

/*
 * Append markup; each "@" in it stands for one of the texts, which is escaped
 * for an element and for a quoted attribute.
 */
#define PUT(p, markup, ...)                                                    \
	page_put((p)->out, markup, (const struct str[]){__VA_ARGS__})
void page_put(struct buf *out, const char *markup, const struct str *texts);
void page_raw(const struct page *p, const char *markup);
/* For a query: all but letters, digits and -._~ as %XX. */
struct str page_query_value(struct arena *a, struct str s);

/* The text of a string or the span of another value; empty: there is none. */
struct str page_see(const struct page *p, struct str doc, const char *pointer);
struct str page_part(struct str doc, const char *pointer);
double page_number(struct str doc, const char *pointer); /* 0: none */
struct str page_f(const struct page *p, const char *fmt, ...) PRINTF(2, 3);
/* "12 s", "3 min", "4 h", "9 days" between then and now, either way. */
struct str page_age(const struct page *p, struct str then);

void page_fleet(const struct page *p);
void page_verdict(const struct page *p);
void page_changes(const struct page *p);
void page_past(const struct page *p);

#endif
