/* What happens in a week, and what people and machines do about it. */
#include "tests/scenario/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What waits for a moment happens without it then. */
#define FINALLY (36 * HOUR)

static void count(const char *name);

static bool moving(void)
{
	return channel_busy(model.state) && model.state != CHANNEL_HOLD;
}

static bool bakes(void)
{
	return model.state == CHANNEL_BAKING ||
	       model.state == CHANNEL_FLEET_BAKE;
}

/* What is interesting in the midst of a rollout waits for a step of one. */
static bool wait_for_one(const struct item *i)
{
	if (i->chance % 4 == 0 || w->true_ns - i->at_ns >= FINALLY)
		return false;
	return !moving() || !likely(0.06);
}

static const char *revision(int v)
{
	return w->versions[v].revision;
}

static const char *for_minutes(char room[16], int64_t from, int64_t to)
{
	snprintf(room, 16, "%dm", (int)between(from, to));
	return room;
}

/* --- releases ---------------------------------------------------------------
 */

/* Half of them are fine; of the others each kind comes in its turn. */
static enum trouble next_trouble(void)
{
	static const enum trouble fine[] = {FINE, FINE, FINE, LATE};
	unsigned n = w->nreleases++;

	if (!n || n % 2)
		return fine[n / 2 % COUNT(fine)];
	return (enum trouble)(1 + (n / 2 + w->seed) % (TROUBLES - 1));
}

static struct release *room_for_one(void)
{
	for (int k = 0; k < RELEASES; k++)
		if (!w->releases[k].next_ns)
			return &w->releases[k];
	return NULL;
}

static void release_of(struct release *r, enum trouble t, bool by_ci)
{
	*r = (struct release){.version = version_new(t),
		.by_ci = by_ci,
		.next_ns = w->true_ns};
	count(trouble_name(t));
}

static bool release(struct item *i)
{
	struct release *r = room_for_one();

	if (r)
		release_of(r, next_trouble(), i->chance % 10 < 7);
	return r;
}

/* When nothing is in its way; NULL: not yet. */
static struct release *release_at_once(enum trouble t, bool by_ci)
{
	struct release *r = room_for_one();

	if (!r || channel_busy(model.state) ||
		model_frozen(&model, true, wall()))
		return NULL;
	release_of(r, t, by_ci);
	return r;
}

/* It is back in minutes. */
static bool release_for_some(struct item *i)
{
	return release_at_once(REFUSED, i->chance % 2);
}

/* It errs, and is held as soon as it bakes: the evidence comes in meanwhile. */
static bool release_to_hold(struct item *i)
{
	struct release *r =
		release_at_once(ERRORS + (enum trouble)(i->chance % 4), false);

	if (!r)
		return false;
	r->set = "on_fail=rollback";
	w->to_hold = r->version;
	return true;
}

/* Nobody looks at it for long. */
static void hold_what_is_bad(void)
{
	if (w->to_hold == NOBODY || model.candidate != w->to_hold || !bakes())
		return;
	w->to_hold = NOBODY;
	if (site_call("ben", SERVER_RELEASE, "hold", "bundle", BUNDLE, "reason",
		    "let me look", NULL) == OP_OK)
		w->hold_until_ns = w->true_ns + 2 * HOUR;
	count("hold of what is bad");
}

static void publish(struct release *r)
{
	struct build *v = &w->versions[r->version];
	enum op_code code;

	v->tried = true;
	code = site_publish(r->version, "ci/1");
	if (code == OP_OK)
		v->there = r->published = true;
}

/* What this rollout does in another way than its plan says. */
static const char *one_setting(uint64_t chance)
{
	static const char *const settings[] = {"bake.max=60m", "on_fail=hold",
		"on_inconclusive=rollback", "approvers=2", "bake.fleet=20m",
		"bake.min=12m", "on_fail=hold", "bake.max=100m"};

	return settings[chance % COUNT(settings)];
}

static enum op_code start(const struct release *r)
{
	const char *set = r->set ? r->set : one_setting(chance());
	const char *busy = likely(0.5) ? "supersede" : "reject";
	const char *how = likely(0.15) ? "break_glass" : "force";

	if (r->by_ci)
		return site_call("ci/1", SERVER_CI, "rollout start", "bundle",
			BUNDLE, "revision", revision(r->version), "set", set,
			NULL);
	return site_call("ana", SERVER_RELEASE, "rollout start", "bundle",
		BUNDLE, "revision", revision(r->version), "reason", "planned",
		"set", set, "if_busy", busy, how, "true", NULL);
}

/* A job runs once; a person tries again, until something newer is there. */
static void go_on(struct release *r)
{
	enum op_code code = OP_OK;

	if (!r->published)
		publish(r);
	if (r->published)
		code = start(r);
	r->next_ns = w->true_ns;
	if (r->published && code == OP_OK)
		r->next_ns = 0;
	else if (r->published && code != OP_ERROR)
		r->next_ns += 40 * MINUTE;
	if (r->version + 3 < w->nversions ||
		(r->by_ci && code != OP_OK && code != OP_ERROR))
		r->next_ns = 0;
}

static void all_releases(void)
{
	for (int k = 0; k < RELEASES; k++) {
		struct release *r = &w->releases[k];

		if (r->next_ns && r->next_ns <= w->true_ns)
			go_on(r);
	}
}

/* --- people at a rollout that is held ---------------------------------------
 */

static bool is_bad(int v)
{
	return v != NOBODY && w->versions[v].trouble != FINE &&
	       (w->versions[v].trouble != LATE || trouble_began(v));
}

static void promote(void)
{
	bool glass = likely(0.3);

	for (int i = 0; i < 2; i++)
		site_call(i ? "eva" : "ben", SERVER_RELEASE, "promote",
			"bundle", BUNDLE, "reason", "looked at it",
			glass ? "break_glass" : "force", "true", NULL);
	count("promote by hand");
}

static void extend(void)
{
	char room[16];

	site_call("ben", SERVER_RELEASE, "extend", "bundle", BUNDLE, "by",
		for_minutes(room, 20, 50), NULL);
	count("extend");
}

static void abort_it(void)
{
	site_call("ana", SERVER_RELEASE, "abort", "bundle", BUNDLE, "reason",
		"not today", NULL);
	count("abort");
	if (likely(0.3))
		site_call("ana", SERVER_RELEASE, "retry", "bundle", BUNDLE,
			"reason", "once more", NULL);
}

static void roll_back(const char *why)
{
	enum channel_state from = model.state;
	enum op_code code = OP_MISSING;

	/* At night nobody gives a reason; what is a day old has to be named. */
	if (likely(0.3))
		code = site_call("olga", SERVER_ONCALL, "rollback", NULL);
	if (code == OP_MISSING)
		code = site_call("olga", SERVER_ONCALL, "rollback", "bundle",
			BUNDLE, "reason", why, NULL);
	w->back_from[from] += code == OP_OK;
	if (code == OP_OK && likely(0.3)) /* a second time changes nothing */
		site_call("olga", SERVER_ONCALL, "rollback", "bundle", BUNDLE,
			NULL);
}

static void decide(void)
{
	unsigned what = one_of(100);

	if (is_bad(model.candidate))
		what = what < 50 ? 70 : what < 80 ? 90 : what;
	if (model.failed && likely(0.3))
		what = 0;
	if (what < 60)
		promote();
	else if (what < 75)
		abort_it();
	else if (what < 88)
		extend();
	else
		roll_back("held for too long");
}

static void look_at_hold(void)
{
	if (model.state != CHANNEL_HOLD) {
		w->hold_until_ns = 0;
		return;
	}
	if (!w->hold_until_ns)
		w->hold_until_ns =
			w->true_ns + between(5 * MINUTE, 60 * MINUTE);
	if (w->hold_until_ns > w->true_ns)
		return;
	w->hold_until_ns = 0;
	decide();
}

/* Somebody is called when what everybody has does harm. */
static void look_at_stable(void)
{
	if (model.state == CHANNEL_SUCCEEDED && is_bad(model.stable) &&
		likely(0.05)) {
		roll_back("pages at night");
		count("called at night");
	}
}

/* --- by hand ----------------------------------------------------------------
 */

/* In whatever state the week has in store; at its end in any. */
static bool rollback_by_hand(struct item *i)
{
	bool late = w->true_ns - i->at_ns > 36 * HOUR;

	if (w->wanted_state < 0)
		w->wanted_state = (int)(i->chance % CHANNEL_STATES);
	if ((int)model.state != w->wanted_state && !late)
		return false;
	w->wanted_state = -1;
	roll_back("once a week");
	return true;
}

static int some_version(const bool *of)
{
	for (int tries = 0; tries < 20; tries++) {
		int v = (int)one_of((unsigned)w->nversions);

		if (of[v])
			return v;
	}
	return NOBODY;
}

static bool rollback_to(struct item *i)
{
	int v = some_version(model.promoted);

	if (v == NOBODY)
		return false;
	site_call("olga", SERVER_ONCALL, "rollback", "bundle", BUNDLE, "to",
		revision(v), "reason", "that one was good",
		i->chance % 2 ? "force" : "dry_run", "true", NULL);
	return true;
}

static bool rollback_of_some(struct item *i)
{
	if (i->chance % 2)
		site_call("olga", SERVER_ONCALL, "rollback", "bundle", BUNDLE,
			"ring", "canary", "for", "3h", NULL);
	else
		site_call("olga", SERVER_ONCALL, "rollback", "bundle", BUNDLE,
			"target", w->agents[one_of(TARGETS)].id, "reason",
			"one host", NULL);
	return true;
}

static bool pin(struct item *i)
{
	static const char *const labels[] = {
		"region=eu", "class=core", "ring=canary", "class=edge"};
	int v = some_version(model.published);
	bool one = i->chance % 3 > 0;
	const char *label = labels[i->chance / 3 % COUNT(labels)];
	const char *where = one ? w->agents[one_of(TARGETS)].id : label;
	char room[16];

	if (v == NOBODY)
		return false;
	if (is_bad(v) || w->versions[v].trouble == LATE)
		return true; /* nobody would */
	site_call("olga", SERVER_ONCALL, "pin", "bundle", BUNDLE,
		one ? "target" : "selector", where, "revision", revision(v),
		"reason", "while we look", "for", for_minutes(room, 20, 900),
		NULL);
	return true;
}

static bool unpin(struct item *i)
{
	const struct pinned *p =
		&model.pins[i->chance % PINS % (model.npins + 1)];

	if (!model.npins)
		return false;
	p = &model.pins[i->chance % model.npins];
	site_call("olga", SERVER_ONCALL, "unpin", "bundle", BUNDLE,
		p->target < 0 ? "selector" : "target",
		p->target < 0 ? p->selector : w->agents[p->target].id, NULL);
	return true;
}

/* That it passes is seen in the freeze then. */
static bool wait_for_good_bake(const struct item *i)
{
	return (!bakes() || is_bad(model.candidate)) &&
	       w->true_ns - i->at_ns < FINALLY;
}

static bool freeze(struct item *i)
{
	bool all = i->chance / 4 % 2; /* bundles */
	char room[16];

	if (i->chance / 8 % 4 ? wait_for_good_bake(i) : wait_for_one(i))
		return false;
	site_call("ana", SERVER_RELEASE, "freeze", all ? "all" : "bundle",
		all ? "true" : BUNDLE, "reason", "the big day", "for",
		for_minutes(room, 120, 300), "scope",
		i->chance % 4 ? "all" : "automation", NULL);
	w->tries_ns = w->true_ns + between(40 * MINUTE, 100 * MINUTE);
	return true;
}

static bool unfreeze(struct item *i)
{
	bool own = model_frozen_itself(&model, true, wall());

	(void)i;
	if (w->tries_ns || !model_frozen(&model, true, wall()))
		return false;
	site_call("ana", SERVER_RELEASE, "unfreeze", own ? "bundle" : "all",
		own ? BUNDLE : "true", NULL);
	return true;
}

/* --- what is not done -------------------------------------------------------
 * Each of it is refused; refused.c says by what.
 */

/* `with`: "force", "break_glass"; NULL: nothing. */
static void try_promote(const char *who, const char *with)
{
	site_call(who, SERVER_RELEASE, "promote", "bundle", BUNDLE, "reason",
		"it has to go out today", with, "true", NULL);
}

static void try_start(const char *who, unsigned roles, int v, const char *busy,
	const char *with)
{
	site_call(who, roles, "rollout start", "bundle", BUNDLE, "revision",
		revision(v), "reason", "it has to go out today", "if_busy",
		busy, with, "true", NULL);
}

/* Two that are heard, since they say why. */
static void break_glass(void)
{
	for (int i = 0; i < 2; i++)
		site_call(i ? "eva" : "ben", SERVER_RELEASE, "promote",
			"bundle", BUNDLE, "reason", "it mends an outage",
			"force", "true", "break_glass", "true", NULL);
}

/* A new version in the midst of a freeze. Nobody but people break glass. */
static void do_not_mind_the_freeze(void)
{
	int v;

	if (!w->tries_ns || w->tries_ns > w->true_ns)
		return;
	w->tries_ns = 0;
	if (!model_frozen(&model, true, wall()))
		return;
	v = version_new(FINE);
	w->versions[v].tried = true;
	w->versions[v].there = site_publish(v, "ci/1") == OP_OK;
	try_start("ci/1", SERVER_CI, v, "reject", "break_glass");
	if (model_frozen(&model, false, wall())) {
		try_start("ana", SERVER_RELEASE, v, "supersede", "force");
		try_promote("ben", "force");
	}
	try_start("ci/1", SERVER_CI, v, "queue", "force");
	if (!channel_busy(model.state))
		try_start("ana", SERVER_RELEASE, v, "reject", "break_glass");
	else if (!is_bad(model.candidate) &&
		 (model.state == CHANNEL_HOLD || (bakes() && likely(0.3))))
		break_glass();
	count("tries in a freeze");
}

/* What was taken back is wanted again, by whom and how it should not be. */
static bool tries_what_is_bad(struct item *i)
{
	int v = some_version(model.quarantined);

	(void)i;
	if (v == NOBODY)
		return false;
	try_start("ci/1", SERVER_CI, v, "queue", "force");
	try_start("ana", SERVER_RELEASE, v, "supersede", "break_glass");
	site_call("olga", SERVER_ONCALL, "pin", "bundle", BUNDLE, "target",
		w->agents[one_of(TARGETS)].id, "revision", revision(v),
		"reason", "it worked here", NULL);
	site_call("olga", SERVER_ONCALL, "rollback", "bundle", BUNDLE, "to",
		revision(v), "reason", "it was not that bad", NULL);
	return true;
}

/* Who means it may; it waits then until somebody starts it by hand. */
static bool queues_what_is_bad(struct item *i)
{
	int v = some_version(model.quarantined);

	(void)i;
	if (v == NOBODY || (model.last_good != NOBODY && v < model.last_good) ||
		!(channel_busy(model.state) ||
			model_frozen(&model, false, wall())))
		return false;
	try_start("ana", SERVER_RELEASE, v, "queue", "force");
	return true;
}

static bool late_job(struct item *i)
{
	int v;

	if (model.last_good <= 0)
		return false;
	v = (int)one_of((unsigned)model.last_good);
	if (!model.published[v])
		return false;
	if (i->chance % 2)
		try_start("ci/1", SERVER_CI, v, "queue", "allow_divergent");
	else
		try_start("ana", SERVER_RELEASE, v, "supersede", "force");
	return true;
}

static bool impatient(struct item *i)
{
	(void)i;
	if (!bakes() || !likely(0.2))
		return false;
	try_promote("ben", NULL);
	try_promote("eva", NULL);
	if (model.last_good != NOBODY)
		try_start("ana", SERVER_RELEASE, model.last_good, "reject",
			"force");
	return true;
}

static bool disbelieves(struct item *i)
{
	(void)i;
	if (!channel_busy(model.state) || !model.failed)
		return false;
	try_promote("ben", "force");
	return true;
}

static bool quarantine(struct item *i)
{
	int v = some_version(model.published);

	(void)i;
	if (v == NOBODY)
		return false;
	site_call("olga", SERVER_ONCALL, "quarantine", "bundle", BUNDLE,
		"revision", revision(v), "reason", "a leak", NULL);
	return true;
}

static bool pardon(struct item *i)
{
	int v = some_version(model.quarantined);

	(void)i;
	if (v == NOBODY)
		return false;
	site_call("ana", SERVER_RELEASE, "pardon", "bundle", BUNDLE, "revision",
		revision(v), "reason", "it was not its fault", NULL);
	return true;
}

static bool hold(struct item *i)
{
	if (wait_for_one(i))
		return false;
	site_call("ben", SERVER_RELEASE, "hold", "bundle", BUNDLE, "reason",
		"let me look", NULL);
	return true;
}

/* A rollback of what is stable then leads nowhere. */
static bool quarantine_the_former(struct item *i)
{
	int v = model.former;

	(void)i;
	if (model.state != CHANNEL_SUCCEEDED || v == NOBODY ||
		model.quarantined[v] ||
		w->versions[model.stable].trouble != FINE)
		return false;
	site_call("olga", SERVER_ONCALL, "quarantine", "bundle", BUNDLE,
		"revision", revision(v), "reason", "a leak", NULL);
	return true;
}

/* Whoever asks with what was true before is told so. */
static bool late_promoter(struct item *i)
{
	char generation[24];

	(void)i;
	if (!bakes() || model.generation < 2 || !likely(0.3))
		return false;
	snprintf(generation, sizeof(generation), "%lld",
		(long long)model.generation - 1);
	site_call("ben", SERVER_RELEASE, "promote", "bundle", BUNDLE, "force",
		"true", "reason", "late", "generation", generation, NULL);
	return true;
}

static bool nobody_in_particular(struct item *i)
{
	static const char *const names[] = {
		"rollback", "promote", "freeze", "abort"};

	site_call("eve", SERVER_VIEWER, names[i->chance % COUNT(names)],
		"bundle", BUNDLE, "reason", "for fun", NULL);
	return true;
}

/* --- what breaks ------------------------------------------------------------
 */

static bool server_away(struct item *i)
{
	if (wait_for_one(i))
		return false;
	w->server_away_ns = w->true_ns + between(3 * MINUTE, 90 * MINUTE);
	return true;
}

static bool engine_away(struct item *i)
{
	if (wait_for_one(i))
		return false;
	w->engine_away_ns = w->true_ns + between(4 * MINUTE, 40 * MINUTE);
	return true;
}

static bool agents_away(struct item *i)
{
	for (unsigned k = 0; k < TARGETS; k++)
		if (likely(0.02 + (double)(i->chance % 10) / 100))
			w->agents[k].away_ns =
				w->true_ns + between(10 * MINUTE, 300 * MINUTE);
	return true;
}

static bool network_away(struct item *i)
{
	if (wait_for_one(i))
		return false;
	w->eu_away_ns = w->true_ns + between(5 * MINUTE, 90 * MINUTE);
	return true;
}

/* Its bundle is on its disk; what it counted is gone. */
static bool agents_start_anew(struct item *i)
{
	(void)i;
	for (unsigned k = 0; k < TARGETS; k++)
		if (likely(0.01)) {
			struct agent *a = &w->agents[k];

			a->instance++;
			a->requests = a->dropped = 0;
			a->npending = 0;
			a->status_due = true;
		}
	return true;
}

static bool restart(struct item *i)
{
	if (wait_for_one(i))
		return false;
	w->restart = true;
	return true;
}

static bool killed(struct item *i)
{
	if (wait_for_one(i) || w->kill || !site_serves())
		return false;
	w->kill = i->chance % 2 ? SEAM_DATABASE : SEAM_FILES;
	w->kill_at =
		1 + one_of(1u << (3 + one_of(w->kill == SEAM_FILES ? 4 : 7)));
	return true;
}

static bool disk_bad(struct item *i)
{
	if (wait_for_one(i) || !site_serves())
		return false;
	w->breaks = i->chance % 2 ? SEAM_DATABASE : SEAM_FILES;
	w->broken_at = 1 + one_of(w->breaks == SEAM_FILES ? 20 : 60);
	return true;
}

static bool clock_jumps(struct item *i)
{
	static const int64_t by[] = {
		HOUR, -HOUR, 26 * HOUR, -2 * HOUR, 10 * MINUTE, -5 * MINUTE};
	int64_t now = by[i->chance % COUNT(by)];

	if (wait_for_one(i) || w->jumped_back_ns)
		return false;
	fake_clock_step(&w->clock, now);
	w->jumped_back_ns = w->true_ns + between(20 * MINUTE, 240 * MINUTE);
	return true;
}

static void set_clock_right(void)
{
	if (!w->jumped_back_ns || w->jumped_back_ns > w->true_ns)
		return;
	fake_clock_step(&w->clock, w->true_ns - wall());
	w->jumped_back_ns = 0;
	count("clock set right");
}

/* --- the week ---------------------------------------------------------------
 */

/* clang-format off */
static const struct happening {
	const char *name;
	unsigned a_week;
	bool (*happens)(struct item *i); /* false: not yet */
} rows[] = {
	{"release",              10, release},
	{"release for some",      2, release_for_some},
	{"release to hold",       2, release_to_hold},
	{"rollback by hand",      1, rollback_by_hand},
	{"rollback to",           1, rollback_to},
	{"rollback of some",      2, rollback_of_some},
	{"pin",                   6, pin},
	{"unpin",                 3, unpin},
	{"freeze",                4, freeze},
	{"unfreeze",             10, unfreeze},
	{"quarantine",            2, quarantine},
	{"pardon",                2, pardon},
	{"hold",                  1, hold},
	{"quarantine of former",  1, quarantine_the_former},
	{"tries what is bad",     3, tries_what_is_bad},
	{"queues what is bad",    1, queues_what_is_bad},
	{"late job",              2, late_job},
	{"impatient",             3, impatient},
	{"disbelieves a fail",    1, disbelieves},
	{"late promoter",         2, late_promoter},
	{"not allowed",           2, nobody_in_particular},
	{"server away",           2, server_away},
	{"engine away",           2, engine_away},
	{"agents away",           4, agents_away},
	{"network part away",     2, network_away},
	{"agents start anew",     4, agents_start_anew},
	{"restart",               4, restart},
	{"killed",               14, killed},
	{"disk bad",              6, disk_bad},
	{"clock jumps",           2, clock_jumps},
};
/* clang-format on */

/* Counted in w->happened: rows, then what has no row. */
static const char *const others[] = {"promote by hand", "extend", "abort",
	"called at night", "clock set right", "tries in a freeze",
	"hold of what is bad", "fine", "errors", "undefined", "denies more",
	"denies less", "slow", "refused", "silent", "loses events",
	"errors later"};

_Static_assert(COUNT(rows) + COUNT(others) <= KINDS, "room to count");

const char *days_name(unsigned row)
{
	if (row < COUNT(rows))
		return rows[row].name;
	row -= (unsigned)COUNT(rows);
	return row < COUNT(others) ? others[row] : NULL;
}

static void count(const char *name)
{
	for (unsigned i = 0; days_name(i); i++)
		if (!strcmp(days_name(i), name))
			w->happened[i]++;
}

static void add_item(int week, unsigned row)
{
	struct item i = {.what = row, .chance = chance()};

	i.at_ns = w->start_ns + week * WEEK + between(2 * HOUR, WEEK);
	if (w->nitems < ITEMS)
		w->items[w->nitems++] = i;
}

/* What is left of the week before is left. */
void days_plan(int week)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->nitems; i++)
		if (!w->items[i].done)
			w->items[n++] = w->items[i];
	w->nitems = n;
	for (unsigned r = 0; r < COUNT(rows); r++)
		for (unsigned k = 0; k < rows[r].a_week; k++)
			add_item(week, r);
	/* The fleet begins with a version. */
	if (week == 0)
		w->items[w->nitems++] =
			(struct item){.at_ns = w->start_ns + 10 * MINUTE};
	w->week = week;
}

static void week_goes_on(void)
{
	for (unsigned i = 0; i < w->nitems; i++) {
		struct item *x = &w->items[i];

		if (x->done || x->at_ns > w->true_ns)
			continue;
		x->done = rows[x->what].happens(x);
		w->happened[x->what] += x->done;
	}
}

void days_act(void)
{
	if (w->true_ns >= w->start_ns + (w->week + 1) * WEEK)
		days_plan(w->week + 1);
	set_clock_right();
	do_not_mind_the_freeze();
	hold_what_is_bad();
	all_releases();
	checks_lines();
	look_at_hold();
	look_at_stable();
	week_goes_on();
	checks_lines();
}
