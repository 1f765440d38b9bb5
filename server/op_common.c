#include "server/op_common.h"

#include "base/clock.h"
#include "canary/rollout.h"
#include "server/doc.h"

enum op_code op_bundle(
	struct service *s, struct op_call *c, struct channel *out)
{
	struct str name = op_text(c, "bundle");
	struct channel *all;
	struct buf names = {0};
	size_t n;
	enum status st;

	if (name.len)
		return op_code_of(state_channel(
			service_state(s), name, c->a, out, c->err));
	st = state_channels(service_state(s), c->a, &all, &n, c->err);
	if (st)
		return op_code_of(st);
	if (n == 1) {
		*out = all[0];
		return OP_OK;
	}
	if (!n)
		return op_fail(c, OP_MISSING,
			"nothing was published here yet; regatta ci --publish "
			"does it");
	for (size_t i = 0; i < n && i < 10; i++)
		buf_addf(&names, "%s%.*s", i ? ", " : "",
			STR_ARG(all[i].bundle));
	op_fail(c, OP_USAGE, "there are %zu bundles; name one: %s", n,
		names.ptr);
	buf_release(&names);
	return OP_USAGE;
}

enum op_code op_refused(
	struct op_call *c, enum status st, enum channel_refusal refusal)
{
	static const enum op_code codes[REFUSALS] = {
		[REFUSED_ROLE] = OP_DENIED,
		[REFUSED_FROZEN] = OP_FROZEN,
		[REFUSED_QUARANTINED] = OP_CONFLICT,
		[REFUSED_NOT_PROMOTED] = OP_CONFLICT,
		[REFUSED_EVIDENCE] = OP_CONFLICT,
		[REFUSED_PEOPLE] = OP_CONFLICT,
		[REFUSED_WHY] = OP_USAGE,
		[REFUSED_UNTIL] = OP_USAGE,
		[REFUSED_VALUE] = OP_USAGE,
	};

	if (!refusal)
		return op_code_of(st);
	c->code = channel_refusal_name(refusal);
	return codes[refusal] ? codes[refusal] : op_code_of(st);
}

enum op_code op_apply(struct service *s, struct op_call *c,
	const struct state_change *change, struct state_result *out)
{
	enum status st = state_apply(service_state(s), change, out, c->err);

	return st ? op_refused(c, st, out->refusal) : OP_OK;
}

void op_version_members(struct buf *out, const struct channel_version *v)
{
	doc_text(out, "revision", v->revision);
	doc_some(out, "digest", v->digest);
	doc_some(out, "commit", v->commit);
	doc_time(out, "commit_time", v->commit_time * NS_PER_S);
}

void op_version_object(
	struct buf *out, const char *name, const struct channel_version *v)
{
	if (!v->revision.len)
		return;
	doc_open(out, name, '{');
	op_version_members(out, v);
	doc_close(out, '}');
}

void op_result_members(struct buf *out, const struct state_result *r)
{
	doc_bool(out, "changed", r->changed);
	doc_bool(out, "repeated", r->repeated);
	doc_int(out, "generation", r->changed ? r->after : r->before);
}

struct str op_revision(
	const struct state_version *v, size_t n, struct str digest)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].v.digest, digest))
			return v[i].v.revision;
	return digest.len ? S("unknown") : S("");
}

enum op_code op_fleet(struct service *s, struct op_call *c, struct str bundle,
	struct target **out, size_t *n)
{
	enum status st = OK;

	if (service_book(s))
		st = target_book_flush(
			service_book(s), service_state(s), c->err);
	if (!st)
		st = state_targets(
			service_state(s), bundle, c->a, out, n, c->err);
	return op_code_of(st);
}

const struct target *op_target_in(
	const struct target *list, size_t n, struct str id)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].id, id))
			return &list[i];
	return NULL;
}

enum op_code op_no_target(
	struct op_call *c, struct str target, struct str bundle)
{
	return op_fail(c, OP_MISSING,
		"no target %.*s ever polled for %.*s; regatta targets lists "
		"those that did",
		STR_ARG(target), STR_ARG(bundle));
}

enum op_code op_target_known(struct service *s, struct op_call *c,
	struct str bundle, struct str target)
{
	struct target *list;
	size_t n;

	if (op_fleet(s, c, bundle, &list, &n) || op_target_in(list, n, target))
		return OP_OK;
	return op_no_target(c, target, bundle);
}

struct state_change op_change(const struct op_call *c, const struct channel *ch,
	enum channel_event_kind kind)
{
	return (struct state_change){.bundle = ch->bundle,
		.event = {.kind = kind,
			.who = c->who,
			.roles = op_channel_roles(c),
			.why = op_text(c, "reason"),
			.expect = op_int(c, "generation", ch->generation),
			.version = {.revision = op_text(c, "revision")},
			.force = op_bool(c, "force"),
			.break_glass = op_bool(c, "break_glass"),
			.allow_divergent = op_bool(c, "allow_divergent"),
			.allow_overlap = op_bool(c, "allow_overlap")},
		.key = c->key,
		.now_ns = c->now_ns};
}

enum op_code op_overrides(
	struct op_call *c, struct rollout_override **out, size_t *n)
{
	struct str *list;

	*n = op_list(c, "set", &list);
	*out = ARENA_ARRAY(c->a, struct rollout_override, *n + 1);
	for (size_t i = 0; i < *n; i++) {
		struct rollout_override *o = &(*out)[i];

		o->value = list[i];
		if (!str_cut(&o->value, S("="), &o->name))
			return op_fail(c, OP_USAGE,
				"set is \"%.*s\", must be NAME=VALUE, as "
				"bake.min=5m",
				STR_ARG(list[i]));
	}
	return OP_OK;
}

void op_steps(struct buf *out, const struct rollout_record *r)
{
	doc_open(out, "steps", '[');
	for (uint32_t i = 0; i < r->nsteps; i++) {
		doc_open(out, NULL, '{');
		doc_int(out, "ring", r->steps[i].ring);
		doc_text(out, "name", r->steps[i].name);
		doc_time(out, "exposed", r->steps[i].exposed_ns);
		doc_time(out, "bake", r->steps[i].bake_ns);
		doc_close(out, '}');
	}
	doc_close(out, ']');
}
