/* By which line of the ledger a target came to a version. */
#include "canary/internal.h"

enum { GIVEN_PAGE = 500 };

/* The record as it was after each line, and what the target got by it. */
struct walk {
	const struct given_ask *ask;
	struct channel now;
	struct arena *kept; /* of the answer */
	bool had;           /* it was to run the revision before this line */
	struct ledger_given *out;
};

static struct channel_choice choose(
	const struct walk *w, struct arena *a, int64_t ns)
{
	const struct given_ask *ask = w->ask;
	struct channel_rules rules;

	channel_rules(&w->now, a, &rules);
	return channel_choose(
		&w->now, &rules, ask->target, ask->labels, ask->nlabels, ns);
}

static void note(struct walk *w, const struct ledger_line *line,
	const struct channel_choice *c)
{
	struct arena *a = w->kept;
	struct ledger_given *g = w->out;

	g->found = true;
	g->seq = line->seq;
	g->ns = line->ns;
	g->kind = line->event.kind;
	g->who = arena_str(a, line->event.who);
	g->why = arena_str(a, line->event.why);
	g->evidence = arena_str(a, line->event.evidence);
	g->because = c->why;
	g->ring = arena_str(a, w->now.ring_name);
	g->rollout = w->now.rollout;
}

static enum status take_line(struct walk *w, const struct ledger_line *line,
	struct arena *a, struct err *e)
{
	struct channel after;
	struct channel_choice c;
	bool has;

	if (channel_apply(&w->now, &line->event, line->ns, a, &after, e))
		return err_set(e, E_INVALID,
			"ledger line %lld was not allowed: regatta audit "
			"verify says more",
			(long long)line->seq);
	w->now = after;
	c = choose(w, a, line->ns);
	has = c.version && str_eq(c.version->revision, w->ask->revision);
	if (has && !w->had)
		note(w, line, &c);
	w->had = has;
	return OK;
}

/* Lines after `*seq`, up to the time; false in *more: there are none. */
static enum status take_page(struct walk *w, struct state *s, int64_t *seq,
	struct arena *a, bool *more, struct err *e)
{
	struct ledger_line *lines;
	size_t n;
	enum status st = ledger_lines(
		s, w->ask->bundle, *seq, GIVEN_PAGE, a, &lines, &n, e);

	*more = !st && n == GIVEN_PAGE;
	for (size_t i = 0; i < n && !st; i++) {
		if (lines[i].ns > w->ask->at_ns) {
			*more = false;
			break;
		}
		st = take_line(w, &lines[i], a, e);
		*seq = lines[i].seq;
	}
	return st;
}

enum status ledger_given(struct state *s, const struct given_ask *ask,
	struct arena *a, struct ledger_given *out, struct err *e)
{
	struct arena arenas[2] = {{0}, {0}};
	struct walk w = {.ask = ask,
		.now = {.bundle = ask->bundle},
		.kept = a,
		.out = out};
	struct channel_choice c;
	unsigned at = 0;
	int64_t seq = 0;
	bool more = true;
	enum status st = OK;

	*out = (struct ledger_given){0};
	while (!st && more) {
		st = take_page(&w, s, &seq, &arenas[at], &more, e);
		at = !at;
		arena_reset(&arenas[at]);
		if (!st)
			st = channel_move(&w.now, &arenas[at], e);
	}
	if (!st) {
		c = choose(&w, &arenas[at], ask->at_ns);
		out->should_run =
			c.version ? arena_str(a, c.version->revision) : S("");
		out->should_because = c.why;
	}
	arena_release(&arenas[0]);
	arena_release(&arenas[1]);
	return st;
}
