/* The dashboard: its frame, and pages of one sentence. */
#include "server/page.h"

#include "base/date.h"
#include "server/doc.h"

static void head(const struct page *p, const struct page_files *files,
	struct str title, bool reload)
{
	PUT(p,
		"<!doctype html>\n<html lang=\"en\"><head>"
		"<meta charset=\"utf-8\"><title>@</title>\n"
		"<meta name=\"viewport\" content=\"width=device-width, "
		"initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n",
		title);
	if (reload)
		page_raw(p, "<noscript><meta http-equiv=\"refresh\" "
			    "content=\"10\"></noscript>\n");
	PUT(p,
		"<link rel=\"icon\" href=\"/page.svg\">\n"
		"<link rel=\"stylesheet\" href=\"@\">\n"
		"<script src=\"@\" defer></script>\n</head><body>\n"
		"<div id=\"page\">\n<header><a class=\"brand\" href=\"/\">"
		"<img src=\"/page.svg\" alt=\"\" width=\"24\" height=\"24\">"
		"Regatta</a>\n",
		files->style, files->script);
}

static void sign_out(const struct page *p)
{
	page_raw(p, "<form method=\"post\" action=\"/sign-out\"><button>Sign "
		    "out</button></form>\n");
}

static void foot(const struct page *p)
{
	page_raw(p, "</div>\n<p id=\"lost\" role=\"status\"></p>\n"
		    "</body></html>\n");
}

/* --- the dashboard ---------------------------------------------------------
 */

enum { CLOCK = 11 }; /* where a time has its hours */

static void who(const struct page *p)
{
	if (p->docs->name.len)
		PUT(p, "<span><b>@</b>, @</span>\n", p->docs->name,
			p->docs->role);
	if (p->docs->session)
		sign_out(p);
}

static void details(const struct page *p)
{
	if (p->docs->nstatus > 1)
		PUT(p, "<h2 class=\"chosen\">@</h2>\n",
			page_see(p, p->status, "/bundle"));
	page_raw(p, "<div class=\"parts\">\n");
	page_fleet(p);
	page_verdict(p);
	page_changes(p);
	page_raw(p, "</div>\n");
	page_past(p);
}

void page_write(struct buf *out, struct arena *a, const struct page_docs *docs)
{
	struct page p = {.out = out, .a = a, .docs = docs};
	struct str time, bundle;

	if (docs->nstatus)
		p.status = docs->status[docs->chosen];
	time = page_see(&p, p.status, "/time");
	bundle = page_see(&p, p.status, "/bundle");
	if (!instant_parse(time, &p.now_ns, NULL))
		p.now_ns = 0;
	head(&p, &docs->files,
		bundle.len ? PAGE_F(&p, "%.*s - Regatta", STR_ARG(bundle))
			   : S("Regatta"),
		true);
	if (time.len)
		PUT(&p,
			"<span class=\"more\">as of <time title=\"@\">@ UTC"
			"</time></span>\n",
			time, str_slice(time, CLOCK, CLOCK + 8));
	who(&p);
	page_raw(&p, "</header>\n<main>\n");
	page_strip(&p);
	if (bundle.len)
		details(&p);
	page_raw(&p, "</main>\n<footer>The same in a terminal: "
		     "<code>regatta status</code></footer>\n");
	foot(&p);
}

/* --- one sentence ----------------------------------------------------------
 */

static void form(const struct page *p, struct str bundle)
{
	struct buf query = {0};

	if (bundle.len) {
		buf_adds(&query, "?bundle=");
		buf_addurl(&query, bundle);
	}
	PUT(p,
		"<form id=\"sign-in\" method=\"post\" action=\"/sign-in@\">\n"
		"<label for=\"token\">Token</label>\n"
		"<input id=\"token\" name=\"token\" type=\"password\" "
		"autocomplete=\"current-password\" required autofocus "
		"spellcheck=\"false\" placeholder=\"rgt_\xe2\x80\xa6\">\n"
		"<button>Sign in</button></form>\n"
		"<p class=\"more\">Any token but an agent's will do: from here "
		"it looks and changes nothing, for 12 hours at most. On the "
		"server's host <code>regatta token add NAME --role viewer"
		"</code> makes one.</p>\n"
		"<p class=\"more\">Signed in already, and came by a link from "
		"elsewhere? <a href=\"/@\">Go on</a>.</p>\n",
		buf_str(&query), buf_str(&query));
	buf_release(&query);
}

void page_write_word(
	struct buf *out, struct arena *a, const struct page_word *w)
{
	struct page p = {.out = out, .a = a};

	head(&p, &w->files, PAGE_F(&p, "%.*s - Regatta", STR_ARG(w->title)),
		false);
	if (w->session)
		sign_out(&p);
	PUT(&p, "</header>\n<main class=\"word\">\n<h1>@</h1>\n<p>@.</p>\n",
		w->title, w->text);
	if (w->sign_in)
		form(&p, w->bundle);
	else
		page_raw(&p, "<p><a href=\"/\">To the dashboard</a></p>\n");
	page_raw(&p, "</main>\n");
	foot(&p);
}
