/*
 * service_ops: the operations, by name. Each is in the file of its family,
 * op_<family>.c; the table of them is in ops.c.
 */
#ifndef SERVER_SERVICE_OPS_H
#define SERVER_SERVICE_OPS_H

#include "server/ops.h"

extern const struct op op_abort, op_audit_export, op_audit_verify, op_channels,
	op_decisions_gaps, op_decisions_quarantine, op_decisions_query,
	op_decisions_rebuild, op_decisions_show, op_decisions_tail,
	op_decisions_verify, op_diff, op_doctor, op_extend, op_freeze, op_fsck,
	op_history, op_hold, op_pardon, op_pin, op_ping, op_promote, op_publish,
	op_quarantine, op_retry, op_rollback, op_rollout_list, op_rollout_plan,
	op_rollout_show, op_rollout_start, op_status, op_targets, op_unfreeze,
	op_unpin, op_verdict, op_versions, op_why;

/* service.c: around operations that use the folder's channels. */
void service_lock(struct service *s);
void service_unlock(struct service *s);

#endif
