/* The dashboard: one word for each channel, and what somebody must do. */
#include "server/page.h"

#include "base/json.h"
#include "server/doc.h"

/* --- the word --------------------------------------------------------------
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
	return str_make(out, s.len);
}

/* "CANARY 10%": the ring that is now. */
static struct str ring_word(const struct page *p, struct str status)
{
	struct json_iter it = json_iter(doc_part(status, "/rollout/rings"));
	struct str name = page_see(p, status, "/rollout/ring_name");

	if (!name.len)
		return S("STARTING");
	while (json_next(&it)) {
		struct str percent = page_see(p, it.value, "/percent");

		if (percent.len && str_eq(page_see(p, it.value, "/name"), name))
			return PAGE_F(p, "%.*s %.*s%%", STR_ARG(upper(p, name)),
				STR_ARG(percent));
	}
	return upper(p, name);
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
	if (doc_count(status, "/freezes"))
		return S("FROZEN");
	*tone = "move";
	if (doc_part(status, "/candidate").len)
		return ring_word(p, status);
	*tone = "good";
	if (doc_part(status, "/stable").len)
		return S("STABLE");
	*tone = "none";
	return S("EMPTY");
}

/* --- what is beside it -----------------------------------------------------
 */

struct str page_before(const struct page *p, struct str status)
{
	struct str to = page_see(p, status, "/candidate/revision"),
		   from = page_see(p, status, "/stable/revision");

	/* With the ring of all the candidate is stable. */
	if (str_eq(from, to))
		from = page_see(p, status, "/last_good/revision");
	return str_eq(from, to) ? S("") : from;
}

static void versions(const struct page *p, struct str status)
{
	struct str to = page_see(p, status, "/candidate/revision"),
		   from = page_before(p, status);

	if (!to.len && !from.len)
		page_raw(p, "nothing released yet");
	else if (!to.len)
		PUT(p, "<code>@</code>", from);
	else if (!from.len)
		PUT(p, "<code>@</code>, the first one", to);
	else
		PUT(p, "<code>@</code> over <code>@</code>", to, from);
}

static void since(const struct page *p, struct str status)
{
	struct str reason = page_see(p, status, "/last/reason"),
		   waits = page_see(p, status, "/rollout/waiting");

	page_raw(p, "<p class=\"more\">");
	if (doc_part(status, "/since").len)
		PUT(p, "for @; ", page_age(p, page_see(p, status, "/since")));
	if (doc_part(status, "/last").len)
		PUT(p, "last: @ by @", page_see(p, status, "/last/event"),
			page_see(p, status, "/last/who"));
	if (reason.len)
		PUT(p, ", <q>@</q>", reason);
	page_raw(p, "</p>\n");
	/* Where somebody must act it says so below. */
	if (waits.len && doc_part(status, "/candidate").len &&
		!doc_part(status, "/act").len)
		PUT(p, "<p>Waits: @.</p>\n", waits);
}

/* The rings of a rollout that is under way. */
static void rings(const struct page *p, struct str status)
{
	struct json_iter it = json_iter(doc_part(status, "/rollout/rings"));

	if (!doc_part(status, "/candidate").len)
		return;
	page_raw(p, "<ol class=\"rings\">");
	while (json_next(&it)) {
		struct str percent = page_see(p, it.value, "/percent"),
			   is = page_see(p, it.value, "/is");

		PUT(p, "<li class=\"is-@\">@@@ <span>@</span></li>", is,
			page_see(p, it.value, "/name"),
			percent.len ? PAGE_F(p, " %.*s", STR_ARG(percent))
				    : percent,
			percent.len ? S("%") : S(""), is);
	}
	page_raw(p, "</ol>\n");
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
		PUT(p, " It says: <q>@</q>.", hold);
	PUT(p, "<pre><code>@</code></pre>\n",
		page_see(p, status, "/act/command"));
	if (p->docs->nstatus > 1)
		PUT(p, "with <code>-b @</code>\n",
			page_see(p, status, "/bundle"));
	page_raw(p, "</div>\n");
}

/* --- the strip -------------------------------------------------------------
 */

static void link_to(const struct page *p, struct str bundle, bool chosen)
{
	struct buf query = {0};

	buf_addurl(&query, bundle);
	PUT(p, "<h2><a href=\"/?bundle=@\"@>@</a></h2>\n", buf_str(&query),
		chosen ? S(" aria-current=page") : S(""), bundle);
	buf_release(&query);
}

static void channel(const struct page *p, size_t i)
{
	struct str status = p->docs->status[i],
		   error = page_see(p, status, "/error/text");
	const char *tone;
	struct str word = word_of(p, status, &tone);

	if (error.len) {
		PUT(p, "<div class=\"act\" role=\"alert\">@.</div>\n", error);
		return;
	}
	PUT(p, "<article class=\"channel @\">", str_from(tone));
	link_to(p, page_see(p, status, "/bundle"), i == p->docs->chosen);
	PUT(p, "<p class=\"word\">@</p>\n<p>", word);
	versions(p, status);
	page_raw(p, "</p>\n");
	since(p, status);
	rings(p, status);
	act(p, status);
	page_raw(p, "</article>\n");
}

void page_strip(const struct page *p)
{
	page_raw(p, "<section class=\"strip\" aria-label=\"Channels\">\n");
	for (size_t i = 0; i < p->docs->nstatus; i++)
		channel(p, i);
	if (!p->docs->nstatus)
		page_raw(p,
			"<article class=\"channel none\"><h2>No bundle</h2>\n"
			"<p class=\"word\">EMPTY</p>\n<p>Nothing was published "
			"yet; <code>regatta publish</code> does that, or "
			"<code class=\"cmd\">regatta ci --publish</code> in "
			"the policy "
			"repository.</p></article>\n");
	page_raw(p, "</section>\n");
}
