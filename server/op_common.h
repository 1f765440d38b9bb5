/* op_common: what operations on channels share. */
#ifndef SERVER_OP_COMMON_H
#define SERVER_OP_COMMON_H

#include "server/service.h"
#include "server/service_ops.h"

#define OP_READERS SERVER_READERS

#define OP_PARAM_BUNDLE                                                        \
	{                                                                      \
		"bundle", PARAM_TEXT, false,                                   \
			"the bundle's name (the only one there is)"            \
	}
#define OP_PARAM_REASON                                                        \
	{                                                                      \
		"reason", PARAM_TEXT, false, "why, for the ledger"             \
	}
#define OP_PARAM_GENERATION                                                    \
	{                                                                      \
		"generation", PARAM_INT, false,                                \
			"the channel's, that this was decided on (the one "    \
			"there is)"                                            \
	}

/* The channel that the call names, or the only one there is. In the call's
 * arena. */
enum op_code op_bundle(
	struct service *s, struct op_call *c, struct channel *out);

/*
 * The targets of a bundle, with what a server that runs has just heard. In the
 * call's arena.
 */
enum op_code op_fleet(struct service *s, struct op_call *c, struct str bundle,
	struct target **out, size_t *n);
/* By its id; NULL: it is none of these. */
const struct target *op_target_in(
	const struct target *list, size_t n, struct str id);
/* Says that it never polled for the bundle: OP_MISSING. */
enum op_code op_no_target(
	struct op_call *c, struct str target, struct str bundle);
/*
 * op_no_target() for one that never polled for the bundle. Where the targets
 * can't be read each is taken for known.
 */
enum op_code op_target_known(struct service *s, struct op_call *c,
	struct str bundle, struct str target);

/*
 * An event of the caller's, with the arguments that such calls have: reason,
 * generation (the one there is), revision, force, break_glass,
 * allow_divergent, allow_overlap.
 */
struct state_change op_change(const struct op_call *c, const struct channel *ch,
	enum channel_event_kind kind);

/* state_apply(), its refusals as codes. */
enum op_code op_apply(struct service *s, struct op_call *c,
	const struct state_change *change, struct state_result *out);
/* The code of a refusal that state.h made an error of. */
enum op_code op_refused(
	struct op_call *c, enum status st, enum channel_refusal refusal);

/* Members "revision", "digest", "commit", "commit_time", as far as known. */
void op_version_members(struct buf *out, const struct channel_version *v);
/* The same as an object; left out when there is no version. */
void op_version_object(
	struct buf *out, const char *name, const struct channel_version *v);
/*
 * "inherits": versions in quarantine whose commit is in `v`, where nothing of
 * what that changed has been changed since; left out when there are none.
 */
void op_inherits(struct service *s, struct op_call *c, const struct channel *ch,
	const struct channel_version *v, struct buf *out);
/* `why` of the argument "decision" (op_decided.c). */
enum op_code op_decided(struct service *s, struct op_call *c, struct buf *out);
/*
 * The settings of "set", each NAME=VALUE as bake.min=5m; into the call's arena.
 * OP_USAGE for another form.
 */
struct rollout_override;
enum op_code op_overrides(
	struct op_call *c, struct rollout_override **out, size_t *n);
/* "steps": the rings of a rollout, as far as it came. */
struct rollout_record;
void op_steps(struct buf *out, const struct rollout_record *r);
/* By its digest; "unknown" when it was never published here, empty for none. */
struct str op_revision(
	const struct state_version *v, size_t n, struct str digest);
/* "changed", "generation": what a change did. */
void op_result_members(struct buf *out, const struct state_result *r);

#endif
