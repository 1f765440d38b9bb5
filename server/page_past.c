/* The dashboard: what changed between versions, and what was done. */
#include "server/page.h"

#include "base/json.h"
#include "server/doc.h"

/* --- what changed ----------------------------------------------------------
 */

enum { CHANGES = 100, COMMIT = 12 };

static const struct list {
	const char *title, *pointer, *name;
} lists[] = {
	{"Files", "/files", "/path"},
	{"Rules", "/rules", "/rule"},
	{"Data", "/data", "/path"},
};

static void change_list(const struct page *p, const struct list *l)
{
	size_t n = 0, all = doc_count(p->docs->diff, l->pointer);
	struct json_iter it = json_iter(doc_part(p->docs->diff, l->pointer));

	if (!all)
		return;
	PUT(p, "<h3>@ <span class=\"more\">@</span></h3>\n<ul class=\"plain\">",
		str_from(l->title), PAGE_F(p, "%zu", all));
	for (; n < CHANGES && json_next(&it); n++)
		PUT(p, "<li><b>@</b> <code>@</code></li>\n",
			page_see(p, it.value, "/change"),
			page_see(p, it.value, l->name));
	if (all > n)
		PUT(p, "<li class=\"more\">and @ more</li>\n",
			PAGE_F(p, "%zu", all - n));
	page_raw(p, "</ul>\n");
}

/* What is said of the change as a whole, where it is so. */
static const struct {
	const char *pointer, *html;
} remarks[] = {
	{"/system_log",
		"<p class=\"warn\"><b>What decision logs hold back changed.</b>"
		"</p>\n"},
	{"/release_changed", "<p>How it is released changed too.</p>\n"},
	{"/same", "<p>Nothing: the content is the same.</p>\n"},
};

/* A version, the commit it is made of, and when that was made. */
static void version(const struct page *p, const char *word, const char *which)
{
	struct str d = doc_part(p->docs->diff, which),
		   commit = page_see(p, d, "/commit"),
		   time = page_see(p, d, "/commit_time");

	PUT(p, "<tr><th>@</th><td><code>@</code>", str_from(word),
		page_see(p, d, "/revision"));
	if (commit.len)
		PUT(p, " <span class=\"more\">commit <code>@</code></span>",
			str_slice(commit, 0, COMMIT));
	if (time.len)
		PUT(p,
			" <span class=\"more\">of <time title=\"@\">@ ago"
			"</time></span>",
			time, page_age(p, time));
	page_raw(p, "</td></tr>\n");
}

static void changes(const struct page *p)
{
	page_raw(p, "<table class=\"pair\"><tbody>\n");
	version(p, "from", "/from");
	version(p, "to", "/to");
	page_raw(p, "</tbody></table>\n");
	for (size_t i = 0; i < COUNT(remarks); i++)
		if (str_is(doc_part(p->docs->diff, remarks[i].pointer), "true"))
			page_raw(p, remarks[i].html);
	for (size_t i = 0; i < COUNT(lists); i++)
		change_list(p, &lists[i]);
}

void page_changes(const struct page *p)
{
	struct str error = page_see(p, p->docs->diff, "/error/text");

	page_raw(p, "<section><h2>What changed</h2>\n");
	if (error.len)
		PUT(p, "<p>@.</p>\n", error);
	else if (p->docs->diff.len)
		changes(p);
	else
		page_raw(p, "<p>No second version is at work to compare "
			    "with.</p>\n");
	page_raw(p, "</section>\n");
}

/* --- what is in force ------------------------------------------------------
 */

static const struct force {
	const char *pointer, *word;
	const char *names[3]; /* what it is of; those that are there */
} forces[] = {
	{"/freezes", "frozen", {"/scope", NULL, NULL}},
	{"/pins", "pinned", {"/target", "/selector", "/revision"}},
	{"/quarantine", "in quarantine", {"/revision", NULL, NULL}},
	{"/newer", "newer, waits", {"", NULL, NULL}},
};

static void force(const struct page *p, const struct force *f, struct str d)
{
	struct str who = page_see(p, d, "/who"),
		   why = page_see(p, d, "/reason"),
		   until = page_see(p, d, "/until");

	PUT(p, "<li><b>@</b>", str_from(f->word));
	for (size_t i = 0; i < COUNT(f->names) && f->names[i]; i++) {
		struct str name = page_see(p, d, f->names[i]);

		if (name.len)
			PUT(p, " <code>@</code>", name);
	}
	if (who.len)
		PUT(p, " by @", who);
	if (why.len)
		PUT(p, ": <q>@</q>", why);
	if (until.len)
		PUT(p, ", ends in <time title=\"@\">@</time>", until,
			page_age(p, until));
	page_raw(p, "</li>\n");
}

static void in_force(const struct page *p)
{
	size_t began;

	page_raw(p, "<section><h2>In force</h2>\n<ul class=\"plain\">");
	began = p->out->len;
	for (size_t i = 0; i < COUNT(forces); i++) {
		struct json_iter it =
			json_iter(doc_part(p->status, forces[i].pointer));

		while (json_next(&it))
			force(p, &forces[i], it.value);
	}
	if (p->out->len == began)
		page_raw(p, "<li>No freeze, no pin, no version in quarantine, "
			    "none that waits.</li>\n");
	page_raw(p, "</ul></section>\n");
}

/* --- what was done ---------------------------------------------------------
 */

static void history(const struct page *p)
{
	struct json_iter it = json_iter(doc_part(p->docs->history, "/lines"));

	page_raw(p, "<section class=\"past\"><h2>What was done</h2>\n");
	if (!doc_count(p->docs->history, "/lines")) {
		page_raw(p, "<p>Nothing yet.</p></section>\n");
		return;
	}
	page_raw(p, "<table><thead><tr><th class=\"n\">ago</th><th>what</th>"
		    "<th>who</th><th>why</th></tr></thead><tbody>\n");
	while (json_next(&it)) {
		struct str time = page_see(p, it.value, "/time");

		PUT(p,
			"<tr><td class=\"n\"><time title=\"@\">@</time></td>"
			"<td>@ <code>@</code></td><td>@</td><td>@</td></tr>\n",
			time, page_age(p, time),
			page_see(p, it.value, "/event"),
			page_see(p, it.value, "/revision"),
			page_see(p, it.value, "/who"),
			page_see(p, it.value, "/reason"));
	}
	page_raw(p, "</tbody></table></section>\n");
}

void page_past(const struct page *p)
{
	in_force(p);
	history(p);
}
