/*
 * How decisions in the log are read: by the rules of the version that made
 * them (decisions/decisions.h). Every version that is published is written to
 * the log with its rules before an agent can have it, and which one is stable
 * as soon as that changes.
 */
#include "server/serving.h"

#include <string.h>

static enum status read_release(struct service *s,
	const struct channel_version *v, struct rollout_plan *out,
	struct err *e)
{
	struct bundle b = {0};
	enum status st = service_bundle(s, v->digest, &b, e);

	if (!st)
		st = rollout_plan_parse(out, bundle_release_config(&b), e);
	bundle_release(&b);
	return st;
}

/*
 * A version that can't be read has no rules, and its decisions are read as
 * those of stable. One whose archive was removed is old.
 */
static enum status add_version(struct service *s, struct str bundle,
	const struct channel_version *v, struct err *e)
{
	struct rollout_plan p = {0};
	struct arena a = {0};
	struct outcome_rule *rules;
	size_t n;
	enum status st = read_release(s, v, &p, e);

	if (st && st != E_NOT_FOUND)
		service_warn(
			s, "rules of %.*s: %s", STR_ARG(v->revision), e->text);
	if (st)
		return OK;
	n = rollout_rules(&p.config, &a, &rules);
	st = decisions_add_rules(
		s->decisions, bundle, v->revision, rules, n, e);
	arena_release(&a);
	rollout_plan_release(&p);
	return st;
}

static enum status add_versions(
	struct service *s, struct str bundle, struct err *e)
{
	struct arena a = {0};
	struct state_version *versions;
	size_t n = 0;
	enum status st = state_versions(s->watch, bundle, &a, &versions, &n, e);

	for (size_t i = n; i > 0 && !st; i--) { /* the oldest first */
		const struct channel_version *v = &versions[i - 1].v;

		if (!decisions_have_rules(s->decisions, bundle, v->revision))
			st = add_version(s, bundle, v, e);
	}
	arena_release(&a);
	return st;
}

enum status outcomes_versions(
	struct service *s, const struct shown *x, struct err *e)
{
	enum status st = OK;

	for (size_t i = 0; i < x->n && !st; i++)
		st = add_versions(s, x->channels[i].c.bundle, e);
	return st;
}

enum status outcomes_record(struct service *s, struct err *e)
{
	const struct shown *x = s->shown;
	enum status st = outcomes_versions(s, x, e);

	for (size_t i = 0; i < x->n && !st; i++) {
		const struct channel *c = &x->channels[i].c;

		if (decisions_have_rules(
			    s->decisions, c->bundle, c->stable.revision))
			st = decisions_set_stable(
				s->decisions, c->bundle, c->stable.revision, e);
	}
	s->rules_due = st != OK;
	return st;
}
