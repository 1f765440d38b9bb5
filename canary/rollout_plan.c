/* The plan of a rollout: what the version's config says, and flags for one. */
#include "canary/rollout.h"

#include <string.h>

#include "base/glob.h"
#include "base/json.h"

/* --- from the text -------------------------------------------------------- */

static enum rollout_way way_of(const char *word)
{
	if (!strcmp(word, "rollback"))
		return WAY_ROLLBACK;
	return !strcmp(word, "promote") ? WAY_PROMOTE : WAY_HOLD;
}

static enum outcome_kind kind_of(const char *outcome)
{
	static const struct {
		const char *word;
		enum outcome_kind kind;
	} words[] = {
		{"allow", KIND_BOOLEAN},
		{"violations", KIND_VIOLATIONS},
		{"advice", KIND_ADVICE},
		/* true is a deny, as is any message. */
		{"deny", KIND_VIOLATIONS},
	};

	for (size_t i = 0; i < COUNT(words); i++)
		if (!strcmp(outcome, words[i].word))
			return words[i].kind;
	return KIND_AUTO;
}

static struct outcome_rule rule_of(
	const struct config_decision *c, struct arena *a)
{
	struct dimension *d = ARENA_ARRAY(a, struct dimension, c->ndimensions);

	for (size_t i = 0; i < c->ndimensions; i++)
		d[i] = (struct dimension){str_from(c->dimensions[i].name),
			str_from(c->dimensions[i].pointer)};
	return (struct outcome_rule){.path = str_from(c->path),
		.kind = kind_of(c->outcome),
		.dimensions = d,
		.ndimensions = c->ndimensions};
}

size_t rollout_rules(
	const struct config *c, struct arena *a, struct outcome_rule **out)
{
	*out = ARENA_ARRAY(a, struct outcome_rule, c->ndecisions);
	for (size_t i = 0; i < c->ndecisions; i++)
		(*out)[i] = rule_of(&c->decisions[i], a);
	return c->ndecisions;
}

static enum status make_map(struct rollout_plan *p, struct err *e)
{
	struct arena a = {0};
	struct outcome_rule *rules;
	size_t n = rollout_rules(&p->config, &a, &rules);
	enum status st = outcome_map_new(&p->map, rules, n, e);

	arena_release(&a);
	return st;
}

static void set_verdict(struct rollout_plan *p)
{
	const struct config *c = &p->config;

	p->verdict = verdict_defaults;
	p->verdict.alpha = c->rollout.alpha;
	p->verdict.worse_than = c->rollout.worse_than;
	p->verdict.ceiling = c->rollout.error_ceiling;
	p->verdict.pass_below = c->rollout.pass_below;
	p->verdict.min_decisions = c->rollout.min_decisions;
	/* A PASS must refute more than what is tolerated. */
	if (p->verdict.twice <= p->verdict.worse_than)
		p->verdict.twice = 2 * p->verdict.worse_than;
}

enum status rollout_plan_parse(
	struct rollout_plan *out, struct str release, struct err *e)
{
	struct rollout_plan p = {0};
	enum status st = config_parse(&p.config, "release",
		release.len ? release : S("bundle: none\n"), e);

	if (st)
		return st;
	p.on_fail = way_of(p.config.rollout.on_fail);
	p.on_inconclusive = way_of(p.config.rollout.on_inconclusive);
	set_verdict(&p);
	st = make_map(&p, e);
	if (st)
		rollout_plan_release(&p);
	else
		*out = p;
	return st;
}

void rollout_plan_release(struct rollout_plan *p)
{
	outcome_map_free(p->map);
	config_release(&p->config);
	*p = (struct rollout_plan){0};
}

/* --- denies --------------------------------------------------------------- */

static enum status set_denies(const struct config_denies *d, int64_t now_ns,
	struct stratum *out, struct err *e)
{
	if (!strcmp(d->mode, "observe"))
		out->deny = DENY_OBSERVE;
	if (strcmp(d->mode, "planned") != 0)
		return OK;
	if (d->expires_ns <= now_ns)
		return err_set(e, E_INVALID,
			"the plan for denies of %s (%s) has ended; renew or "
			"remove it in regatta.yaml",
			d->path, d->ticket);
	out->deny = DENY_PLANNED;
	out->plan = (struct deny_plan){.predicted = 1,
		.max_up = d->max_up,
		.min_down = d->min_down,
		.ticket = str_from(d->ticket),
		.expires_ns = d->expires_ns};
	return deny_plan_check(&out->plan, e);
}

enum status rollout_plan_denies(const struct rollout_plan *p, struct str path,
	int64_t now_ns, struct stratum *out, struct err *e)
{
	const struct config *c = &p->config;

	out->deny = DENY_STEADY;
	out->plan = (struct deny_plan){.predicted = 1};
	for (size_t i = 0; i < c->rollout.ndenies; i++)
		if (glob_path(str_from(c->rollout.denies[i].path), path))
			return set_denies(
				&c->rollout.denies[i], now_ns, out, e);
	return OK;
}

/* --- flags for one rollout ------------------------------------------------ */

#define AT(field) offsetof(struct config, rollout.field)
#define SIZE(field) sizeof(((struct config *)0)->rollout.field)
#define FIELD(field) AT(field), SIZE(field)

/*
 * A value is read by the config's own parser, in the smallest config that may
 * have it, so that it is refused in the same words.
 */
/* clang-format off */
static const struct knob {
	const char *name;
	const char *text; /* around the value */
	size_t at, size;
} knobs[] = {
	{"bake.min",        "{bake: {min: %.*s, max: 1000000h}}",      FIELD(bake_min_ns)},
	{"bake.max",        "{bake: {max: %.*s, min: 1ns}}",           FIELD(bake_max_ns)},
	{"bake.fleet",      "{bake: {fleet: %.*s}}",                   FIELD(bake_fleet_ns)},
	{"min_decisions",   "{verdict: {min_decisions: %.*s}}",        FIELD(min_decisions)},
	{"window",          "{verdict: {window: %.*s}}",               FIELD(window_ns)},
	{"worse_than",      "{verdict: {worse_than: %.*s}}",           FIELD(worse_than)},
	{"error_ceiling",   "{verdict: {error_ceiling: %.*s, pass_below: 0.000001%%}}", FIELD(error_ceiling)},
	{"pass_below",      "{verdict: {pass_below: %.*s, error_ceiling: 100%%}}", FIELD(pass_below)},
	{"on_fail",         "{on_fail: %.*s}",                         FIELD(on_fail)},
	{"on_inconclusive", "{on_inconclusive: %.*s, reason: x}",      FIELD(on_inconclusive)},
	{"reason",          "{reason: \"%.*s\"}",                      FIELD(reason)},
	{"approvers",       "{approvers: %.*s}",                       FIELD(approvers)},
};
/* clang-format on */

static const struct knob *find_knob(struct str name)
{
	for (size_t i = 0; i < COUNT(knobs); i++)
		if (str_is(name, knobs[i].name))
			return &knobs[i];
	return NULL;
}

static enum status unknown(struct str name, struct err *e)
{
	struct buf known = {0};
	enum status st;

	for (size_t i = 0; i < COUNT(knobs); i++)
		buf_addf(&known, "%s%s", i ? ", " : "", knobs[i].name);
	st = err_set(e, E_INVALID,
		"%.*s of a plan can't be set for one rollout; known: %s",
		STR_ARG(name), known.ptr);
	buf_release(&known);
	return st;
}

/* What would end the value or begin something else. */
static bool one_value(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < ' ' ||
			strchr("\"\\{}[],#", s.ptr[i]))
			return false;
	return s.len > 0 && s.len < 500;
}

static enum status set_knob(struct config *c, struct config *own,
	const struct rollout_override *o, struct err *e)
{
	const struct knob *k = find_knob(o->name);
	struct buf text = {0};
	enum status st;

	if (!k)
		return unknown(o->name, e);
	if (!one_value(o->value))
		return err_set(e, E_INVALID, "%s is no value: \"%.*s\"",
			k->name, STR_ARG(o->value));
	buf_adds(&text, "bundle: x\nrollout: ");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	buf_addf(&text, k->text, STR_ARG(o->value));
#pragma GCC diagnostic pop
	st = config_parse(own, k->name, buf_str(&text), e);
	if (!st)
		memcpy((char *)c + k->at, (char *)own + k->at, k->size);
	buf_release(&text);
	return st;
}

enum status rollout_plan_override(struct buf *out, struct str release,
	const struct rollout_override *o, size_t n, struct err *e)
{
	struct config c = {0}, check = {0};
	struct arena a = {0};
	struct config *own = ARENA_ARRAY(&a, struct config, n);
	struct buf text = {0};
	enum status st = config_parse(
		&c, "release", release.len ? release : S("bundle: none\n"), e);

	for (size_t i = 0; i < n && !st; i++)
		st = set_knob(&c, &own[i], &o[i], e);
	if (!st) {
		config_write_release(&c, &text);
		st = config_parse(&check, "plan", buf_str(&text), e);
	}
	if (!st)
		buf_addstr(out, buf_str(&text));
	for (size_t i = 0; i < n; i++)
		config_release(&own[i]);
	config_release(&check);
	config_release(&c);
	buf_release(&text);
	arena_release(&a);
	return st;
}
