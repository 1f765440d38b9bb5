/* The dashboard: its frame, and the strip on top. */
#include "server/page.h"

#include "base/date.h"
#include "base/json.h"

/* --- one word for a channel ------------------------------------------------
 */

struct word {
	const char *state, *word, *tone;
};

/* Of states that have one whatever else is. */
static const struct word words[] = {
	{"hold", "HOLD", "wait"},
	{"rolling-back", "ROLLING BACK", "bad"},
	{"rolled-back", "ROLLED BACK", "bad"},
	{"aborted", "ABORTED", "wait"},
	{"refused", "REFUSED", "bad"},
};

static struct str upper(const struct page *p, struct str s)
{
	char *out = arena_strdup(p->a, s);

	for (size_t i = 0; i < s.len; i++)
		if (out[i] >= 'a' && out[i] <= 'z')
			out[i] = (char)(out[i] - 32);
	return str_from(out);
}

/* "CANARY 10%": the ring that is now. */
static struct str ring_word(const struct page *p, struct str status)
{
	struct json_iter it = json_iter(page_part(status, "/rollout/rings"));
	struct str name = page_see(p, status, "/rollout/ring_name");

	if (!name.len)
		return S("STARTING");
	while (it.at && json_next(&it)) {
		struct str percent = page_see(p, it.value, "/percent");

		if (percent.len && str_eq(page_see(p, it.value, "/name"), name))
			return page_f(p, "%.*s %.*s%%", STR_ARG(upper(p, name)),
				STR_ARG(percent));
	}
	return upper(p, name);
}

static bool some(struct str doc, const char *pointer)
{
	struct str span = page_part(doc, pointer);
	struct json_iter it;

	if (!span.len)
		return false;
	it = json_iter(span);
	return json_next(&it);
}

static struct str word_of(
	const struct page *p, struct str status, const char **tone)
{
	struct str state = page_see(p, status, "/state");

	for (size_t i = 0; i < COUNT(words); i++)
		if (str_is(state, words[i].state)) {
			*tone = words[i].tone;
			return str_from(words[i].word);
		}
	*tone = "wait";
	if (some(status, "/freezes"))
		return S("FROZEN");
	*tone = "move";
	if (page_part(status, "/candidate").len)
		return ring_word(p, status);
	*tone = "good";
	if (page_part(status, "/stable").len)
		return S("STABLE");
	*tone = "none";
	return S("EMPTY");
}

/* --- the strip -------------------------------------------------------------
 */

static void versions(const struct page *p, struct str status)
{
	struct str to = page_see(p, status, "/candidate/revision"),
		   from = page_see(p, status, "/stable/revision");

	if (str_eq(from, to))
		from = page_see(p, status, "/last_good/revision");
	if (!to.len && !from.len)
		page_raw(p, "nothing released yet");
	else if (!to.len || str_eq(from, to))
		PUT(p, "<code>@</code>", to.len ? to : from);
	else if (!from.len)
		PUT(p, "<code>@</code>, the first one", to);
	else
		PUT(p, "<code>@</code> over <code>@</code>", to, from);
}

static void act(const struct page *p, struct str status)
{
	struct str why = page_see(p, status, "/act/why"),
		   hold = page_see(p, status, "/hold");

	if (!why.len)
		return;
	PUT(p, "<div class=\"act\" role=\"alert\"><b>Somebody must act:</b> @.",
		why);
	if (hold.len)
		PUT(p, " It says: @.", hold);
	PUT(p, "<pre><code>@</code></pre></div>\n",
		page_see(p, status, "/act/command"));
}

static void strip_one(const struct page *p, size_t i)
{
	struct str status = p->docs->status[i],
		   bundle = page_see(p, status, "/bundle"),
		   error = page_see(p, status, "/error/text");
	const char *tone;
	struct str word = word_of(p, status, &tone);

	if (error.len) {
		PUT(p, "<div class=\"act\" role=\"alert\">@</div>\n", error);
		return;
	}
	PUT(p,
		"<article class=\"channel @\"><h2><a href=\"/?bundle=@\"@>@"
		"</a></h2><p class=\"word\">@</p><p>",
		str_from(tone), page_query_value(p->a, bundle),
		i == p->docs->chosen ? S(" aria-current=page") : S(""), bundle,
		word);
	versions(p, status);
	PUT(p, "<br><span class=\"more\">for @",
		page_age(p, page_see(p, status, "/since")));
	if (page_part(status, "/last").len)
		PUT(p, "; last: @ by @", page_see(p, status, "/last/event"),
			page_see(p, status, "/last/who"));
	page_raw(p, "</span></p>");
	act(p, status);
	page_raw(p, "</article>\n");
}

static void strip(const struct page *p)
{
	page_raw(p, "<section class=\"strip\" aria-label=\"Channels\">\n");
	for (size_t i = 0; i < p->docs->nstatus; i++)
		strip_one(p, i);
	if (!p->docs->nstatus)
		page_raw(p, "<p>Nothing was published yet; <code>regatta "
			    "publish</code> does that.</p>");
	page_raw(p, "</section>\n");
}

/* --- the frame -------------------------------------------------------------
 */

static void head(const struct page *p)
{
	PUT(p,
		"<!doctype html>\n<html lang=\"en\"><head>"
		"<meta charset=\"utf-8\"><title>Regatta</title>\n"
		"<meta name=\"viewport\" content=\"width=device-width, "
		"initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<noscript><meta http-equiv=\"refresh\" content=\"10\">"
		"</noscript>\n<link rel=\"icon\" href=\"/page.svg\">\n"
		"<link rel=\"stylesheet\" href=\"@\">\n"
		"<script src=\"@\" defer></script>\n</head><body>\n<main>\n",
		p->docs->style, p->docs->script);
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
	struct str time;

	if (docs->nstatus)
		p.status = docs->status[docs->chosen];
	time = page_see(&p, p.status, "/time");
	if (!instant_parse(time, &p.now_ns, NULL))
		p.now_ns = 0;
	head(&p);
	strip(&p);
	if (page_part(p.status, "/bundle").len)
		details(&p);
	if (time.len)
		PUT(&p,
			"<footer>As of <time>@</time>. The same in a terminal: "
			"<code>regatta status</code></footer>\n",
			time);
	page_raw(&p, "</main>\n<p id=\"lost\" role=\"status\"></p>\n"
		     "</body></html>\n");
}
