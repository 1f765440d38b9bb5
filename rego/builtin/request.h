/*
 * request: what http.send and providers.aws.sign_req take as a request.
 */
#ifndef REGO_BUILTIN_REQUEST_H
#define REGO_BUILTIN_REQUEST_H

#include "rego/builtin.h"

/* Whether it has all keys that are needed, and none that nobody knows. */
enum bi_status request_check(struct bi_ctx *cx, const struct object *request);

#endif
