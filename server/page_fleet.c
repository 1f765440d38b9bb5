/* The dashboard: what runs where. */
#include "server/page.h"

#include "base/json.h"
#include "server/doc.h"

enum {
	GROUPS = 64,
	SMALL = 150, /* from so many targets on squares are small */
	NAMED = 10,  /* of those that are not there */
};

/* How a target stands to the two versions at work. */
enum kind { NONE, STABLE, CANDIDATE, OTHER };

/* clang-format off */
static const struct {
	const char *name, *letter, *words;
} kinds[] = {
	[NONE]      = {"none",      "\xe2\x80\x93", "nothing yet"},
	[STABLE]    = {"stable",    "S", "stable"},
	[CANDIDATE] = {"candidate", "C", "candidate"},
	[OTHER]     = {"other",     "O", "another"},
};
/* clang-format on */

struct square {
	struct str doc;
	size_t group;
	enum kind runs, should;
	bool differs;
};

struct group {
	struct str name;
	size_t n, differ;
};

struct fleet {
	struct square *squares;
	size_t n;
	struct group groups[GROUPS]; /* those that come later join the last */
	size_t ngroups;
	struct str stable, candidate;
};

static enum kind kind_of(const struct fleet *f, struct str revision)
{
	if (!revision.len || str_is(revision, "none"))
		return NONE;
	if (str_eq(revision, f->candidate))
		return CANDIDATE;
	return str_eq(revision, f->stable) ? STABLE : OTHER;
}

/* --- counts ----------------------------------------------------------------
 */

static void sum(const struct page *p)
{
	static const char *const places[] = {"waiting", "failed", "lost"};
	size_t total = (size_t)doc_number(p->status, "/targets/total");

	if (!total) {
		page_raw(p, "<p>No target has asked for this bundle yet; "
			    "<code>regatta agent config</code> prints what an "
			    "agent needs.</p>\n");
		return;
	}
	PUT(p, "<p><b>@ of @</b> run what they should",
		page_see(p, p->status, "/targets/there"),
		page_count(p, total, "target"));
	for (size_t i = 0; i < COUNT(places); i++) {
		struct str n = page_see(p, p->status,
			arena_printf(p->a, "/targets/%s", places[i]));

		if (n.len && !str_is(n, "0"))
			PUT(p, ", <b>@ @</b>", n, str_from(places[i]));
	}
	page_raw(p, ".</p>\n");
}

/* By version; the swatch is what squares of it look like. */
static void running(const struct page *p, const struct fleet *f)
{
	struct json_iter it =
		json_iter(doc_part(p->status, "/targets/running"));

	page_raw(p, "<table class=\"running\"><thead><tr><th>runs</th><th "
		    "class=\"n\">targets</th></tr></thead><tbody>\n");
	while (json_next(&it)) {
		struct str revision = page_see(p, it.value, "/revision");
		enum kind k = kind_of(f, revision);

		PUT(p,
			"<tr><td><span class=\"square runs-@ should-@\">@"
			"</span><code>@</code> <span class=\"more\">@</span>"
			"</td><td class=\"n\">@</td></tr>\n",
			str_from(kinds[k].name), str_from(kinds[k].name),
			str_from(kinds[k].letter), k ? revision : S(""),
			str_from(kinds[k].words),
			page_see(p, it.value, "/targets"));
	}
	page_raw(p, "</tbody></table>\n");
}

/* --- squares ---------------------------------------------------------------
 */

static struct str group_name(const struct page *p, struct str target)
{
	struct str ring = page_see(p, target, "/labels/ring"),
		   class = page_see(p, target, "/labels/class");

	if (ring.len && class.len)
		return PAGE_F(p, "%.*s, %.*s", STR_ARG(ring), STR_ARG(class));
	return ring.len ? ring : page_or(class, "without ring or class");
}

static size_t group_find(struct fleet *f, struct str name)
{
	size_t i = 0;

	while (i < f->ngroups && !str_eq(f->groups[i].name, name))
		i++;
	if (i == GROUPS)
		return GROUPS - 1;
	if (i == f->ngroups)
		f->groups[f->ngroups++].name =
			i == GROUPS - 1 ? S("others") : name;
	return i;
}

static void square_add(const struct page *p, struct fleet *f, struct str target)
{
	struct str runs = page_see(p, target, "/runs"),
		   should = page_see(p, target, "/should_run");
	struct square *s = &f->squares[f->n++];
	struct group *g;

	*s = (struct square){.doc = target,
		.group = group_find(f, group_name(p, target)),
		.runs = kind_of(f, runs),
		.should = kind_of(f, should),
		.differs = should.len && !str_eq(runs, should)};
	g = &f->groups[s->group];
	g->n++;
	g->differ += s->differs;
}

static void load(const struct page *p, struct fleet *f)
{
	struct json_iter it = json_iter(doc_part(p->docs->targets, "/targets"));

	f->squares = ARENA_ARRAY(p->a, struct square, PAGE_TARGETS);
	f->candidate = page_see(p, p->status, "/candidate/revision");
	f->stable = page_before(p, p->status);
	while (f->n < PAGE_TARGETS && json_next(&it))
		square_add(p, f, it.value);
}

/* What shows of a target that is pointed at, or has the focus. */
static void told(const struct page *p, struct str t)
{
	struct str poll = page_see(p, t, "/last_poll"),
		   error = page_see(p, t, "/error");

	PUT(p, " title=\"@: runs @, should run @, @", page_see(p, t, "/target"),
		page_or(page_see(p, t, "/runs"), "nothing"),
		page_or(page_see(p, t, "/should_run"), "nothing"),
		page_see(p, t, "/place"));
	if (poll.len)
		PUT(p, "; polled @ ago", page_age(p, poll));
	if (error.len)
		PUT(p, "; @", error);
	page_raw(p, "\"");
}

static void square(const struct page *p, const struct square *s, bool small)
{
	PUT(p, "<li class=\"square runs-@ should-@@\"",
		str_from(kinds[s->runs].name), str_from(kinds[s->should].name),
		s->differs ? S(" differs") : S(""));
	if (!small)
		page_raw(p, " tabindex=\"0\"");
	told(p, s->doc);
	PUT(p, ">@@</li>", small ? S("") : str_from(kinds[s->runs].letter),
		s->differs ? S("!") : S(""));
}

static void group(const struct page *p, const struct fleet *f, size_t g)
{
	const struct group *x = &f->groups[g];
	bool small = f->n >= SMALL;

	PUT(p, "<h3>@ <span class=\"more\">@@</span></h3>\n<ul class=\"@\">",
		x->name, page_count(p, x->n, "target"),
		x->differ ? PAGE_F(p, ", %zu out of step", x->differ) : S(""),
		small ? S("squares small") : S("squares"));
	for (size_t i = 0; i < f->n; i++)
		if (f->squares[i].group == g)
			square(p, &f->squares[i], small);
	page_raw(p, "</ul>\n");
}

static void squares(const struct page *p, const struct fleet *f)
{
	for (size_t g = 0; g < f->ngroups; g++)
		group(p, f, g);
	if (f->n)
		page_raw(p,
			"<p class=\"more\">Each square is a target: filled "
			"with what it runs, outlined with what it should run; "
			"striped and ! where they differ.</p>\n");
}

/* --- those that are not there ----------------------------------------------
 */

static void straggler(const struct page *p, struct str t)
{
	struct str poll = page_see(p, t, "/last_poll"),
		   error = page_see(p, t, "/error");

	PUT(p, "<li><code>@</code> <b>@</b>, runs @", page_see(p, t, "/target"),
		page_see(p, t, "/place"),
		page_or(page_see(p, t, "/runs"), "nothing"));
	if (poll.len)
		PUT(p, ", polled @ ago", page_age(p, poll));
	if (error.len)
		PUT(p, ": @", error);
	page_raw(p, "</li>\n");
}

static void stragglers(const struct page *p)
{
	struct json_iter it =
		json_iter(doc_part(p->status, "/targets/stragglers"));
	size_t total = (size_t)(doc_number(p->status, "/targets/total") -
				doc_number(p->status, "/targets/there"));

	if (!doc_count(p->status, "/targets/stragglers"))
		return;
	page_raw(p, "<h3>Not there</h3>\n<ul class=\"plain\">");
	for (size_t n = 0; n < NAMED && json_next(&it); n++)
		straggler(p, it.value);
	if (total > NAMED)
		PUT(p,
			"<li class=\"more\">and @ more; <code>regatta targets"
			"</code> lists them</li>\n",
			PAGE_F(p, "%zu", total - NAMED));
	page_raw(p, "</ul>\n");
}

void page_fleet(const struct page *p)
{
	struct fleet f = {0};

	page_raw(p, "<section><h2>What runs where</h2>\n");
	load(p, &f);
	sum(p);
	if (doc_count(p->status, "/targets/running"))
		running(p, &f);
	if (doc_number(p->status, "/targets/total") <= PAGE_TARGETS)
		squares(p, &f);
	else
		PUT(p,
			"<p class=\"more\">More than @ targets are counted, "
			"not drawn.</p>\n",
			PAGE_F(p, "%d", PAGE_TARGETS));
	stragglers(p);
	page_raw(p, "</section>\n");
}
