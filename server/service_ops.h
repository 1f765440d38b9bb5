/*
 * service_ops: the operations, by name. Each is in the file of its family,
 * op_<family>.c; the table of them is in ops.c.
 */
#ifndef SERVER_SERVICE_OPS_H
#define SERVER_SERVICE_OPS_H

#include "server/ops.h"

extern const struct op op_doctor, op_ping;

/* service.c: around operations that use the folder's channels. */
void service_lock(struct service *s);
void service_unlock(struct service *s);

#endif
