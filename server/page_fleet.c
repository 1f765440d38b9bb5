/* The dashboard: what runs where. */
#include "server/page.h"

#include <string.h>

#include "base/json.h"

enum { GROUPS = 64 };

struct square {
	struct str doc, group;
};

struct fleet {
	struct square *squares;
	size_t n;
	struct str groups[GROUPS]; /* those that come later join the last */
	size_t ngroups;
	struct str stable, candidate;
};

/* --- counts ----------------------------------------------------------------
 */

static struct str plural(const struct page *p, struct str n)
{
	return page_f(
		p, "%.*s target%s", STR_ARG(n), str_is(n, "1") ? "" : "s");
}

static void counts(const struct page *p)
{
	static const char *const places[] = {"waiting", "failed", "lost"};
	struct json_iter it =
		json_iter(page_part(p->status, "/targets/running"));
	struct str total = page_see(p, p->status, "/targets/total");

	PUT(p, "<p>@ of @ run what they should",
		page_see(p, p->status, "/targets/there"), plural(p, total));
	for (size_t i = 0; i < COUNT(places); i++) {
		struct str n = page_see(
			p, p->status, page_f(p, "/targets/%s", places[i]).ptr);

		if (n.len && !str_is(n, "0"))
			PUT(p, ", <b>@ @</b>", n, str_from(places[i]));
	}
	page_raw(p, ".</p>\n<table><thead><tr><th>runs</th><th class=\"n\">"
		    "targets</th></tr></thead><tbody>\n");
	while (it.at && json_next(&it)) {
		struct str revision = page_see(p, it.value, "/revision");

		PUT(p,
			"<tr><td><code>@</code></td><td "
			"class=\"n\">@</td></tr>\n",
			revision.len ? revision : S("nothing yet"),
			page_see(p, it.value, "/targets"));
	}
	page_raw(p, "</tbody></table>\n");
}

/* --- squares ---------------------------------------------------------------
 */

static struct str group_of(const struct page *p, struct str target)
{
	struct str ring = page_see(p, target, "/labels/ring"),
		   class = page_see(p, target, "/labels/class");

	if (ring.len && class.len)
		return page_f(p, "%.*s, %.*s",
			(int)(ring.len > 90 ? 90 : ring.len), ring.ptr,
			(int)(class.len > 90 ? 90 : class.len), class.ptr);
	if (ring.len || class.len)
		return ring.len ? ring : class;
	return S("without ring or class");
}

static struct str group_add(struct fleet *f, struct str name)
{
	for (size_t i = 0; i < f->ngroups; i++)
		if (str_eq(f->groups[i], name))
			return f->groups[i];
	if (f->ngroups == GROUPS - 1)
		name = S("others");
	else if (f->ngroups == GROUPS)
		return f->groups[GROUPS - 1];
	return f->groups[f->ngroups++] = name;
}

static void load(const struct page *p, struct fleet *f)
{
	struct str list = page_part(p->docs->targets, "/targets");
	struct json_iter it = json_iter(list);

	f->squares = ARENA_ARRAY(p->a, struct square, PAGE_TARGETS);
	while (list.len && f->n < PAGE_TARGETS && json_next(&it))
		f->squares[f->n++] = (struct square){
			it.value, group_add(f, group_of(p, it.value))};
	f->stable = page_see(p, p->status, "/stable/revision");
	f->candidate = page_see(p, p->status, "/candidate/revision");
	if (str_eq(f->stable, f->candidate))
		f->stable = page_see(p, p->status, "/last_good/revision");
}

static const char *kind(const struct fleet *f, struct str revision)
{
	if (!revision.len)
		return "none";
	if (str_eq(revision, f->candidate))
		return "candidate";
	return str_eq(revision, f->stable) ? "stable" : "other";
}

static const char *letter(const char *kind)
{
	switch (*kind) {
	case 'c':
		return "C";
	case 's':
		return "S";
	case 'o':
		return "O";
	default:
		return "\xe2\x80\x93";
	}
}

static struct str or (struct str s, const char *missing)
{
	return s.len ? s : str_from(missing);
}

static void square(const struct page *p, const struct fleet *f, struct str t)
{
	struct str runs = page_see(p, t, "/runs"),
		   should = page_see(p, t, "/should_run"),
		   place = page_see(p, t, "/place"),
		   poll = page_see(p, t, "/last_poll"),
		   error = page_see(p, t, "/error");
	const char *fill = kind(f, runs), *line = kind(f, should);
	bool differs = !str_eq(runs, should);

	PUT(p,
		"<li class=\"runs-@ should-@@\" tabindex=\"0\" title=\"@: runs "
		"@, should run @, @",
		str_from(fill), str_from(line), differs ? S(" differs") : S(""),
		page_see(p, t, "/target"), or (runs, "nothing"),
		or (should, "nothing"), place);
	if (poll.len)
		PUT(p, "; polled @ ago", page_age(p, poll));
	if (error.len)
		PUT(p, "; @", error);
	PUT(p, "\">@@</li>", str_from(letter(fill)), differs ? S("!") : S(""));
}

static void group(const struct page *p, const struct fleet *f, size_t g)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += str_eq(f->squares[i].group, f->groups[g]);
	PUT(p,
		"<h3>@ <span class=\"more\">@</span></h3>\n<ul "
		"class=\"squares\">",
		f->groups[g], page_f(p, "%zu", n));
	for (size_t i = 0; i < f->n; i++)
		if (str_eq(f->squares[i].group, f->groups[g]))
			square(p, f, f->squares[i].doc);
	page_raw(p, "</ul>\n");
}

static void legend(const struct page *p, const struct fleet *f)
{
	page_raw(p, "<p class=\"more\">");
	if (f->candidate.len)
		PUT(p, "C: candidate <code>@</code>, ", f->candidate);
	if (f->stable.len)
		PUT(p, "S: stable <code>@</code>, ", f->stable);
	page_raw(p, "O: another, \xe2\x80\x93: nothing. Filled with what it "
		    "runs, outlined with what it should; striped and ! where "
		    "they differ.</p>\n");
}

void page_fleet(const struct page *p)
{
	struct fleet f = {0};

	page_raw(p, "<section><h2>What runs where</h2>\n");
	counts(p);
	if (page_part(p->docs->targets, "/targets").len) {
		load(p, &f);
		for (size_t g = 0; g < f.ngroups; g++)
			group(p, &f, g);
		if (f.n)
			legend(p, &f);
	} else {
		PUT(p,
			"<p class=\"more\">More than @ targets are counted, "
			"not "
			"drawn; <code>regatta targets</code> lists them.</p>\n",
			page_f(p, "%d", PAGE_TARGETS));
	}
	page_raw(p, "</section>\n");
}
