/* Of one decision: which version made it, and by whom its target had that. */
#include "server/doc.h"
#include "server/op_common.h"

#include "base/json.h"

struct decided {
	struct op_call *c;
	struct str bundle;
	struct str id, path, target, outcome, revision;
	int64_t ns;
};

/* Of this bundle; an event of one bundle may name it without its name. */
static struct str decided_by(struct decided *d, const struct decision *ev)
{
	struct str part, revision = {0};
	struct buf text = {0};

	if (!ev->bundles.len)
		return arena_str(d->c->a, ev->revision);
	if (json_member(ev->bundles, d->bundle, &part) &&
		json_member(part, S("revision"), &revision))
		json_text(&text, revision);
	revision = arena_str(d->c->a, text.len ? buf_str(&text) : S(""));
	buf_release(&text);
	return revision;
}

static bool take(void *user, const struct decision_row *row)
{
	struct decided *d = user;
	struct arena *a = d->c->a;

	d->id = arena_str(a, row->event.id_text);
	d->path = arena_str(a, row->event.path);
	d->target = arena_str(
		a, row->target.len ? row->target : row->event.label_target);
	d->outcome = str_from(outcome_name(row->outcome));
	d->revision = decided_by(d, &row->event);
	d->ns = row->event.time;
	return false;
}

static enum op_code find(struct service *s, struct decided *d)
{
	struct op_call *c = d->c;
	struct str target = op_text(c, "target");
	struct decisions *log;
	enum status st = service_decisions(s, false, &log, c->err);

	if (!st)
		st = decisions_show(
			log, op_text(c, "decision"), take, d, c->err);
	if (st)
		return op_code_of(st);
	if (target.len && !str_eq(target, d->target))
		return op_fail(c, OP_MISSING,
			"decision %.*s is of target %.*s, not of %.*s",
			STR_ARG(d->id), STR_ARG(d->target), STR_ARG(target));
	return OP_OK;
}

/* Whoever never polled here has no labels; its decisions may be here still. */
static enum op_code ask_ledger(
	struct service *s, struct decided *d, struct ledger_given *g)
{
	struct op_call *c = d->c;
	struct given_ask ask = {.bundle = d->bundle,
		.target = d->target,
		.revision = d->revision,
		.at_ns = d->ns};
	const struct target *t;
	struct target *list;
	size_t n;
	enum op_code code = op_fleet(s, c, d->bundle, &list, &n);

	if (code)
		return code;
	t = op_target_in(list, n, d->target);
	if (t) {
		ask.labels = t->labels;
		ask.nlabels = t->nlabels;
	}
	return op_code_of(
		ledger_given(service_state(s), &ask, c->a, g, c->err));
}

static void because(struct buf *out, const struct ledger_given *g)
{
	switch (g->because) {
	case WHY_CANDIDATE:
		buf_addf(out, "for ring %.*s of rollout %lld", STR_ARG(g->ring),
			(long long)g->rollout);
		break;
	case WHY_HELD_BACK:
		buf_adds(out, "as one of those held back to compare with");
		break;
	case WHY_PIN:
		buf_adds(out, "by a pin");
		break;
	case WHY_PIN_REFUSED:
	case WHY_STABLE:
	case WHY_UNKNOWN:
	case WHY_NOTHING:
	case WHYS:
		buf_adds(out, "as stable");
		break;
	}
}

static void sentence(
	struct buf *out, const struct decided *d, const struct ledger_given *g)
{
	if (!d->revision.len) {
		buf_addf(out, "its event names no version of %.*s",
			STR_ARG(d->bundle));
		return;
	}
	if (!g->found) {
		buf_addf(out,
			"%.*s decided it, and by the ledger %.*s was not to "
			"have that by then",
			STR_ARG(d->revision), STR_ARG(d->target));
		return;
	}
	buf_addf(out, "%.*s decided it; %.*s got that ", STR_ARG(d->revision),
		STR_ARG(d->target));
	because(out, g);
	buf_addf(out, ", when %.*s did %s", STR_ARG(g->who),
		channel_event_name(g->kind));
	if (!str_eq(g->should_run, d->revision))
		buf_addf(out, "; at that time it was to run %.*s already",
			STR_ARG(g->should_run.len ? g->should_run
						  : S("no version")));
}

/* The record of a verdict, of which the reason is enough here. */
static void write_evidence(struct buf *out, struct op_call *c, struct str text)
{
	struct str doc, reason;
	struct err ignored;

	if (json_check(text, NULL, &doc, &ignored))
		reason = text;
	else
		reason = doc_see(doc, "/reason", c->a);
	doc_some(out, "evidence", reason);
}

static void write(
	struct buf *out, const struct decided *d, const struct ledger_given *g)
{
	struct buf text = {0};

	doc_begin(out, "why");
	doc_text(out, "bundle", d->bundle);
	doc_text(out, "target", d->target);
	doc_open(out, "decision", '{');
	doc_text(out, "id", d->id);
	doc_time(out, "time", d->ns);
	doc_text(out, "path", d->path);
	doc_text(out, "outcome", d->outcome);
	doc_text(out, "revision", d->revision);
	doc_close(out, '}');
	doc_some(out, "should_run", g->should_run);
	if (g->found) {
		doc_open(out, "given", '{');
		doc_int(out, "line", g->seq);
		doc_time(out, "time", g->ns);
		doc_text(out, "event", str_from(channel_event_name(g->kind)));
		doc_text(
			out, "because", str_from(channel_why_name(g->because)));
		doc_text(out, "who", g->who);
		doc_some(out, "reason", g->why);
		doc_int(out, "rollout", g->rollout);
		write_evidence(out, d->c, g->evidence);
		doc_close(out, '}');
	}
	sentence(&text, d, g);
	doc_text(out, "why", buf_str(&text));
	doc_close(out, '}');
	buf_release(&text);
}

enum op_code op_decided(struct service *s, struct op_call *c, struct buf *out)
{
	struct channel ch;
	struct decided d = {.c = c};
	struct ledger_given g = {0};
	enum op_code code = op_bundle(s, c, &ch);

	if (code)
		return code;
	d.bundle = ch.bundle;
	code = find(s, &d);
	if (!code)
		code = ask_ledger(s, &d, &g);
	if (!code)
		write(out, &d, &g);
	return code;
}
