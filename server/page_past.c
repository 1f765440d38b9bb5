/* The dashboard: what changed between versions, and what was done. */
#include "server/page.h"

#include "base/json.h"

/* --- what changed ----------------------------------------------------------
 */

enum { CHANGES = 100 };

struct list {
	const char *title, *pointer, *name;
};

static const struct list lists[] = {
	{"Files", "/files", "/path"},
	{"Rules", "/rules", "/rule"},
	{"Data", "/data", "/path"},
};

static void change_list(const struct page *p, const struct list *l)
{
	struct str all = page_part(p->docs->diff, l->pointer);
	struct json_iter it = json_iter(all);
	size_t n = 0;

	for (; all.len && json_next(&it); n++) {
		if (!n)
			PUT(p, "<h3>@</h3>\n<ul class=\"changes\">",
				str_from(l->title));
		if (n < CHANGES)
			PUT(p, "<li><b>@</b> <code>@</code></li>",
				page_see(p, it.value, "/change"),
				page_see(p, it.value, l->name));
	}
	if (n > CHANGES)
		PUT(p, "<li>and @ more</li>", page_f(p, "%zu", n - CHANGES));
	if (n)
		page_raw(p, "</ul>\n");
}

void page_changes(const struct page *p)
{
	struct str d = p->docs->diff;

	page_raw(p, "<section><h2>What changed</h2>\n");
	if (page_part(d, "/error").len) {
		PUT(p, "<p>@</p>\n", page_see(p, d, "/error/text"));
	} else if (!d.len) {
		page_raw(p, "<p>No two versions are at work.</p>\n");
	} else {
		PUT(p, "<p>From <code>@</code> to <code>@</code></p>\n",
			page_see(p, d, "/from/revision"),
			page_see(p, d, "/to/revision"));
		for (size_t i = 0; i < COUNT(lists); i++)
			change_list(p, &lists[i]);
		if (str_is(page_see(p, d, "/release_changed"), "true"))
			page_raw(p, "<p>How it is released changed too.</p>\n");
		if (str_is(page_see(p, d, "/system_log"), "true"))
			page_raw(p, "<p><b>What decision logs hold back "
				    "changed.</b></p>\n");
		if (str_is(page_see(p, d, "/same"), "true"))
			page_raw(p, "<p>Nothing: the same content.</p>\n");
	}
	page_raw(p, "</section>\n");
}

/* --- what was done ---------------------------------------------------------
 */

static void history(const struct page *p)
{
	struct str all = page_part(p->docs->history, "/lines");
	struct json_iter it = json_iter(all);

	page_raw(p, "<section class=\"past\"><h2>What was done</h2>\n"
		    "<table><thead><tr><th>ago</th><th>what</th><th>who</th>"
		    "<th>why</th></tr></thead><tbody>\n");
	while (all.len && json_next(&it)) {
		struct str time = page_see(p, it.value, "/time");

		PUT(p,
			"<tr><td><time datetime=\"@\" title=\"@\">@</time></td>"
			"<td>@ <code>@</code></td><td>@</td><td>@</td></tr>\n",
			time, time, page_age(p, time),
			page_see(p, it.value, "/event"),
			page_see(p, it.value, "/revision"),
			page_see(p, it.value, "/who"),
			page_see(p, it.value, "/reason"));
	}
	page_raw(p, "</tbody></table></section>\n");
}

static void freezes(const struct page *p)
{
	struct str all = page_part(p->status, "/freezes");
	struct json_iter it = json_iter(all);

	while (all.len && json_next(&it)) {
		struct str until = page_see(p, it.value, "/until");

		PUT(p, "<li><b>frozen</b> (@) by @: @",
			page_see(p, it.value, "/scope"),
			page_see(p, it.value, "/who"),
			page_see(p, it.value, "/reason"));
		if (until.len)
			PUT(p, ", ends in @ (<time>@</time>)",
				page_age(p, until), until);
		page_raw(p, "</li>\n");
	}
}

static void pins(const struct page *p)
{
	struct str all = page_part(p->status, "/pins");
	struct json_iter it = json_iter(all);

	while (all.len && json_next(&it)) {
		struct str until = page_see(p, it.value, "/until");

		PUT(p,
			"<li><b>pinned</b> <code>@@</code> to <code>@</code> "
			"by "
			"@: @, ends in @ (<time>@</time>)</li>\n",
			page_see(p, it.value, "/target"),
			page_see(p, it.value, "/selector"),
			page_see(p, it.value, "/revision"),
			page_see(p, it.value, "/who"),
			page_see(p, it.value, "/reason"), page_age(p, until),
			until);
	}
}

static void quarantine(const struct page *p)
{
	struct str all = page_part(p->status, "/quarantine");
	struct json_iter it = json_iter(all);

	while (all.len && json_next(&it))
		PUT(p, "<li><b>in quarantine</b> <code>@</code> by @: @</li>\n",
			page_see(p, it.value, "/revision"),
			page_see(p, it.value, "/who"),
			page_see(p, it.value, "/reason"));
}

static void newer(const struct page *p)
{
	struct str all = page_part(p->status, "/newer");
	struct json_iter it = json_iter(all);

	while (all.len && json_next(&it))
		PUT(p, "<li><b>newer, waits</b> <code>@</code></li>\n",
			page_see(p, it.value, ""));
}

void page_past(const struct page *p)
{
	size_t began;

	page_raw(p, "<section><h2>In force</h2>\n<ul>");
	began = p->out->len;
	freezes(p);
	pins(p);
	quarantine(p);
	newer(p);
	if (p->out->len == began)
		page_raw(p, "<li>No freeze, no pin, no version in quarantine, "
			    "none that waits.</li>");
	page_raw(p, "</ul></section>\n");
	history(p);
}
