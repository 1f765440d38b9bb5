/* What a target should run, and why. */
#include "canary/channel.h"

#include <stdlib.h>

/* clang-format off */
static const char *const names[WHYS] = {
	[WHY_NOTHING]     = "nothing",
	[WHY_STABLE]      = "stable",
	[WHY_UNKNOWN]     = "unknown-target",
	[WHY_CANDIDATE]   = "candidate",
	[WHY_HELD_BACK]   = "held-back",
	[WHY_PIN]         = "pin",
	[WHY_PIN_REFUSED] = "pin-refused",
};
/* clang-format on */

const char *channel_why_name(enum channel_why w)
{
	return names[w];
}

/* A selector that does not parse has no terms and a NULL to know it by. */
void channel_rules(
	const struct channel *c, struct arena *a, struct channel_rules *out)
{
	static const struct selector nobody = {NULL, SIZE_MAX};
	struct err ignored;

	out->selectors = ARENA_ARRAY(a, struct selector, c->npins);
	for (uint32_t i = 0; i < c->npins; i++)
		if (!c->pins[i].selector.len ||
			selector_parse(&out->selectors[i], c->pins[i].selector,
				a, &ignored))
			out->selectors[i] = nobody;
}

static const struct channel_pin *find_pin(const struct channel *c,
	const struct channel_rules *rules, struct str target,
	const struct label *labels, size_t nlabels, int64_t now)
{
	const struct channel_pin *found = NULL;

	for (uint32_t i = c->npins; i-- > 0;) {
		const struct channel_pin *p = &c->pins[i];
		const struct selector *s = &rules->selectors[i];

		if (p->until_ns <= now)
			continue;
		if (p->target.len && str_eq(p->target, target))
			return p;
		if (!found && s->nterms != SIZE_MAX &&
			selector_matches(s, labels, nlabels))
			found = p;
	}
	return found;
}

static struct channel_choice answer(const struct channel_version *v,
	enum channel_why why, const struct channel_pin *pin)
{
	if (!v->revision.len)
		return (struct channel_choice){NULL, WHY_NOTHING, pin};
	return (struct channel_choice){v, why, pin};
}

struct channel_choice channel_choose(const struct channel *c,
	const struct channel_rules *rules, struct str target,
	const struct label *labels, size_t nlabels, int64_t now_ns)
{
	const struct channel_pin *p;

	if (!target.len)
		return answer(&c->stable, WHY_UNKNOWN, NULL);
	p = find_pin(c, rules, target, labels, nlabels, now_ns);
	if (p && !channel_quarantined(c, p->version.revision))
		return answer(&p->version, WHY_PIN, p);
	if (p)
		return answer(&c->stable, WHY_PIN_REFUSED, p);
	if (c->candidate.revision.len && channel_lists(c, target))
		return c->all ? answer(&c->last_good, WHY_HELD_BACK, NULL)
			      : answer(&c->candidate, WHY_CANDIDATE, NULL);
	return answer(&c->stable, WHY_STABLE, NULL);
}
