/* What a version still has in it of those that are in quarantine. */
#include "server/compare.h"
#include "server/doc.h"
#include "server/op_common.h"

/*
 * Whether nothing was done about it. Of what can't be read any more that is not
 * known, and then it is said.
 */
static bool untouched(struct service *s, const struct channel *ch,
	const struct channel_version *bad, const struct channel_version *v)
{
	struct bundle base = {0}, then = {0}, now = {0};
	struct err ignored;
	enum status st = OK;
	bool yes;

	if (ch->last_good.revision.len)
		st = service_bundle(s, ch->last_good.digest, &base, &ignored);
	if (!st)
		st = service_bundle(s, bad->digest, &then, &ignored);
	if (!st)
		st = service_bundle(s, v->digest, &now, &ignored);
	yes = st || compare_keeps(&base, &then, &now);
	bundle_release(&base);
	bundle_release(&then);
	bundle_release(&now);
	return yes;
}

void op_inherits(struct service *s, struct op_call *c, const struct channel *ch,
	const struct channel_version *v, struct buf *out)
{
	const struct channel_quarantine **list;
	struct err ignored;
	size_t n;
	bool any = false;

	if (state_inherits(service_state(s), ch, v, c->a, &list, &n, &ignored))
		return;
	for (size_t i = 0; i < n; i++) {
		if (!untouched(s, ch, &list[i]->version, v))
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
}
