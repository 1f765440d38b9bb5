/* What a version still has in it of those that are in quarantine. */
#include "server/compare.h"
#include "server/doc.h"
#include "server/op_common.h"

/* What all of them are compared with. */
struct beside {
	struct bundle base, now;
	bool known; /* both could be read */
};

static void beside_read(struct service *s, const struct channel *ch,
	const struct channel_version *v, struct beside *x)
{
	struct err ignored;
	enum status st = OK;

	if (ch->last_good.revision.len)
		st = service_bundle(
			s, ch->last_good.digest, &x->base, &ignored);
	if (!st)
		st = service_bundle(s, v->digest, &x->now, &ignored);
	x->known = !st;
}

static void beside_release(struct beside *x)
{
	bundle_release(&x->base);
	bundle_release(&x->now);
}

/*
 * Whether nothing was done about it. Of what can't be read any more that is not
 * known, and then it is said.
 */
static bool untouched(struct service *s, const struct beside *x,
	const struct channel_version *bad)
{
	struct bundle then = {0};
	struct err ignored;
	bool yes = !x->known ||
		   service_bundle(s, bad->digest, &then, &ignored) ||
		   compare_keeps(&x->base, &then, &x->now);

	bundle_release(&then);
	return yes;
}

void op_inherits(struct service *s, struct op_call *c, const struct channel *ch,
	const struct channel_version *v, struct buf *out)
{
	const struct channel_quarantine **list;
	struct beside x = {0};
	struct err ignored;
	size_t n;
	bool any = false;

	if (state_inherits(
		    service_state(s), ch, v, c->a, &list, &n, &ignored) ||
		!n)
		return;
	beside_read(s, ch, v, &x);
	for (size_t i = 0; i < n; i++) {
		if (!untouched(s, &x, &list[i]->version))
			continue;
		if (!any)
			doc_open(out, "inherits", '[');
		any = true;
		doc_open(out, NULL, '{');
		op_version_members(out, &list[i]->version);
		doc_text(out, "who", list[i]->who);
		doc_some(out, "reason", list[i]->why);
		doc_time(out, "since", list[i]->since_ns);
		doc_close(out, '}');
	}
	if (any)
		doc_close(out, ']');
	beside_release(&x);
}
