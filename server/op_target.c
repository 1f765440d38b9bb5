/* Targets: what each should run, what it runs, and why. */
#include "server/doc.h"
#include "server/op_common.h"

#include "base/clock.h"

#include <string.h>

struct fleet {
	struct channel ch;
	struct channel_rules rules;
	struct target *targets;
	size_t n;
	enum target_place *places;
	struct state_version *versions;
	size_t nversions;
};

static enum op_code load(struct service *s, struct op_call *c, struct fleet *f)
{
	enum op_code code = op_bundle(s, c, &f->ch);

	if (!code)
		code = op_fleet(s, c, f->ch.bundle, &f->targets, &f->n);
	if (!code)
		code = op_code_of(state_versions(service_state(s), f->ch.bundle,
			c->a, &f->versions, &f->nversions, c->err));
	if (code)
		return code;
	channel_rules(&f->ch, c->a, &f->rules);
	f->places = ARENA_ARRAY(c->a, enum target_place, f->n);
	target_converge(
		&f->ch, &f->rules, f->targets, f->n, c->now_ns, f->places);
	return OP_OK;
}

static struct channel_choice choice(
	const struct fleet *f, const struct target *t, int64_t now)
{
	return channel_choose(
		&f->ch, &f->rules, t->id, t->labels, t->nlabels, now);
}

static void write_target(struct buf *out, const struct fleet *f,
	const struct target *t, enum target_place place, int64_t now)
{
	struct channel_choice want = choice(f, t, now);

	doc_text(out, "target", t->id);
	doc_open(out, "labels", '{');
	for (uint32_t i = 0; i < t->nlabels; i++)
		doc_named(out, t->labels[i].key, t->labels[i].value);
	doc_close(out, '}');
	if (want.version)
		doc_text(out, "should_run", want.version->revision);
	doc_text(out, "because", str_from(channel_why_name(want.why)));
	doc_some(
		out, "runs", op_revision(f->versions, f->nversions, t->active));
	doc_some(out, "reports", t->revision);
	doc_text(out, "place", str_from(target_place_name(place)));
	doc_some(out, "error", t->error);
	doc_time(out, "last_poll", t->last_poll_ns);
	doc_time(out, "status", t->status_ns);
	doc_int(out, "poll_period_ms", t->period_ns / NS_PER_MS);
}

static enum op_code targets(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct fleet f;
	struct selector sel = {0};
	struct str place = op_text(c, "place"), after = op_text(c, "after");
	size_t shown = 0, max = (size_t)op_int(c, "limit", 1000);
	const char *next = NULL;
	enum op_code code = load(s, c, &f);

	if (!code && selector_parse(&sel, op_text(c, "select"), c->a, c->err))
		code = OP_USAGE;
	if (code)
		return code;
	doc_begin(out, "targets");
	doc_text(out, "bundle", f.ch.bundle);
	doc_int(out, "total", (int64_t)f.n);
	doc_open(out, "targets", '[');
	for (size_t i = 0; i < f.n && !next; i++) {
		const struct target *t = &f.targets[i];

		if ((after.len && str_cmp(t->id, after) <= 0) ||
			(place.len && !str_is(place, target_place_name(
							     f.places[i]))) ||
			!selector_matches(&sel, t->labels, t->nlabels))
			continue;
		doc_open(out, NULL, '{');
		write_target(out, &f, t, f.places[i], c->now_ns);
		doc_close(out, '}');
		if (++shown == max && i + 1 < f.n)
			next = arena_strdup(c->a, t->id);
	}
	doc_close(out, ']');
	if (next)
		doc_text(out, "next", str_from(next));
	doc_close(out, '}');
	return OP_OK;
}

static const struct op_param targets_params[] = {
	OP_PARAM_BUNDLE,
	{"select", PARAM_TEXT, false, "only with these labels, as ring=canary"},
	{"place", PARAM_TEXT, false, "only there, waiting, failed or lost"},
	{"limit", PARAM_INT, false, "at most so many (1000)"},
	{"after", PARAM_TEXT, false, "go on behind this id: `next` of a page"},
};

const struct op op_targets = {
	.name = "targets",
	.method = "GET",
	.pattern = "/v1/targets",
	.roles = OP_READERS,
	.summary = "List the targets: what each should run, and what it runs",
	.params = targets_params,
	.nparams = COUNT(targets_params),
	.state = true,
	.run = targets,
};

/* --- why ------------------------------------------------------------------ */

static void should(struct buf *out, const struct fleet *f,
	const struct channel_choice *want)
{
	const struct channel_pin *p = want->pin;

	switch (want->why) {
	case WHY_NOTHING:
		buf_adds(out, "nothing was released yet, so it gets no bundle");
		return;
	case WHY_CANDIDATE:
		buf_addf(out, "it is in ring %.*s of rollout %lld",
			STR_ARG(f->ch.ring_name), (long long)f->ch.rollout);
		break;
	case WHY_HELD_BACK:
		buf_adds(out, "it is held back, to compare the fleet with");
		break;
	case WHY_PIN:
		buf_addf(out, "%.*s pinned it: %.*s", STR_ARG(p->who),
			STR_ARG(p->why));
		break;
	case WHY_PIN_REFUSED:
		buf_addf(out,
			"its pin is to %.*s, which is in quarantine; it gets "
			"stable",
			STR_ARG(p->version.revision));
		break;
	case WHY_STABLE:
	case WHY_UNKNOWN:
	case WHYS:
		buf_adds(out, "that is what everybody gets");
		break;
	}
	buf_addf(out, ", so it should run %.*s",
		STR_ARG(want->version->revision));
}

static void does(struct buf *out, const struct fleet *f, const struct target *t,
	enum target_place place)
{
	struct str runs = op_revision(f->versions, f->nversions, t->active);

	if (!runs.len)
		buf_adds(out, "; it has never said that it has a bundle");
	else
		buf_addf(out, "; it runs %.*s", STR_ARG(runs));
	if (place == PLACE_LOST)
		buf_adds(out, ", and has not polled for three periods: what "
			      "it has stored is what it runs");
	else if (place == PLACE_FAILED)
		buf_addf(out, ", and refused the other: %.*s",
			STR_ARG(t->error));
	else if (place == PLACE_WAITING)
		buf_adds(out, ", and has not come for the other yet");
}

static enum op_code why(struct service *s, struct op_call *c, struct buf *out)
{
	struct fleet f;
	struct str id = op_text(c, "target");
	struct buf text = {0};
	struct channel_choice want;
	size_t i = 0;
	enum op_code code;

	if (op_given(c, "decision"))
		return op_decided(s, c, out);
	if (!id.len)
		return op_fail(c, OP_USAGE,
			"specify a target, or a decision by its id");
	code = load(s, c, &f);
	if (code)
		return code;
	while (i < f.n && !str_eq(f.targets[i].id, id))
		i++;
	if (i == f.n)
		return op_no_target(c, id, f.ch.bundle);
	want = choice(&f, &f.targets[i], c->now_ns);
	should(&text, &f, &want);
	does(&text, &f, &f.targets[i], f.places[i]);
	doc_begin(out, "why");
	doc_text(out, "bundle", f.ch.bundle);
	write_target(out, &f, &f.targets[i], f.places[i], c->now_ns);
	doc_text(out, "why", buf_str(&text));
	doc_close(out, '}');
	buf_release(&text);
	return OP_OK;
}

static const struct op_param why_params[] = {
	OP_PARAM_BUNDLE,
	{"target", PARAM_TEXT, false, "its id"},
	{"decision", PARAM_TEXT, false,
		"of this decision instead, by its decision_id: which version "
		"made it, and how its target came to that"},
};

const struct op op_why = {
	.name = "why",
	.method = "GET",
	.pattern = "/v1/why",
	.roles = OP_READERS,
	.summary = "Say what a target should run, what it runs, and why",
	.params = why_params,
	.nparams = COUNT(why_params),
	.state = true,
	.run = why,
};
