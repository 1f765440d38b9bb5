/*
 * page: the dashboard.
 *
 * HTML made from the documents of operations (ops.h) and nothing else, so that
 * nothing stands on the page that a script can't have. It works without
 * scripts and without a style; what is coloured is said in words too. What
 * comes from outside goes through PUT(), which escapes it.
 *
 *	page.c          the frame, and pages of one sentence
 *	page_strip.c    one word for each channel
 *	page_fleet.c    what runs where
 *	page_verdict.c  is it good
 *	page_past.c     what changed, and what was done
 *	page_text.c     markup with texts in it
 *	page_serve.c    over HTTP: the documents, the style, the script
 *	page_sign.c     who looks: signing in and out, and refusals
 */
#ifndef SERVER_PAGE_H
#define SERVER_PAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "server/server.h"

/* More targets than these are counted, not drawn. */
enum { PAGE_TARGETS = 2000, PAGE_BINS = 60 };

/* Where style and script are: addresses that are of their bytes. */
struct page_files {
	struct str style, script;
};

/* What a page is made from: checked JSON, empty where there is none. */
struct page_docs {
	const struct str *status; /* of each channel */
	size_t nstatus, chosen;
	struct str targets, verdict, history, diff; /* of the chosen one */
	struct page_files files;
	struct str name, role; /* of who looks; empty: nobody by name */
	bool session;          /* who can sign out */
};

/* Append the whole page; memory comes from `a`. */
void page_write(struct buf *out, struct arena *a, const struct page_docs *docs);

/*
 * A page of one sentence. With `sign_in` it has the form, which asks for
 * /sign-in?bundle=<bundle>; with `session` it can sign out.
 */
struct page_word {
	struct page_files files;
	struct str title, text, bundle;
	bool sign_in, session;
};
void page_write_word(
	struct buf *out, struct arena *a, const struct page_word *w);

/* GET / and the files; /sign-in and /sign-out. */
extern const struct server_route page_routes[];
extern const size_t page_nroutes;

/* Handlers of these. */
void page_sign_in_form(void *user, const struct server_request *req,
	struct server_reply *reply);
void page_sign_in(void *user, const struct server_request *req,
	struct server_reply *reply);
void page_sign_out(void *user, const struct server_request *req,
	struct server_reply *reply);

/* server_config.refused: the JSON of a refusal becomes a page. */
void page_refused(void *user, const struct server_request *req,
	struct server_reply *reply);

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
 * for an element and for an attribute in double quotes.
 */
#define PUT(p, markup, ...)                                                    \
	page_put((p)->out, markup, (const struct str[]){__VA_ARGS__})
void page_put(struct buf *out, const char *markup, const struct str *texts);
void page_raw(const struct page *p, const char *markup);

/* Text as printf() has it. */
#define PAGE_F(p, ...) str_from(arena_printf((p)->a, __VA_ARGS__))
/* What doc_see() has. */
struct str page_see(const struct page *p, struct str doc, const char *pointer);
struct str page_or(struct str s, const char *missing);
/* "12 s", "3 min": between then and now, either way. */
struct str page_age(const struct page *p, struct str then);
/* "1 target", "2 targets". */
struct str page_count(const struct page *p, size_t n, const char *what);

/* What a channel compares its candidate with; empty: nothing. */
struct str page_before(const struct page *p, struct str status);

/* The sections, in the order in which they stand. */
void page_strip(const struct page *p);
void page_fleet(const struct page *p);
void page_verdict(const struct page *p);
void page_changes(const struct page *p);
void page_past(const struct page *p);

/*
 * Where style and script are served: their addresses have the hash of the
 * content.
 */
struct page_files page_files(struct arena *a);

#endif
