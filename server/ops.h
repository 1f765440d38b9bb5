/*
 * ops: every operation on versions, channels, rollouts and decisions.
 *
 * One row of a table each, and one function on a state folder. The server
 * makes its API of the rows; a command runs the same row on a folder when no
 * server has it. What an operation takes are texts by name, what it gives is
 * one document of JSON: {"kind": "rollback", ...}, with times in RFC 3339 UTC
 * and numbers as numbers. Commands make tables of that and nothing else, so
 * that what a person sees is what a script can have.
 *
 *	struct service *s;                      service.h
 *	const struct op *op = op_find("rollback");
 *	struct op_call call = {.args = args, .nargs = n, .who = S("ana"),
 *		.roles = SERVER_EVERYONE, .now_ns = now, .a = &arena};
 *	enum op_code code = op_run(s, op, &call, &out);
 *
 * Over HTTP: reading operations are GET with a query, changing ones POST with
 * one object of strings, numbers, booleans and arrays of strings as body, or
 * with raw bytes as body and a query.
 * A failure is {"error": {"code": "busy", "exit": 6, "text": "..."}}.
 */
#ifndef SERVER_OPS_H
#define SERVER_OPS_H

#include "base/arena.h"
#include "base/buf.h"
#include "server/server.h"

struct service;

/* What commands exit with. */
enum op_code {
	OP_OK = 0,
	OP_ERROR = 1,        /* unexpected */
	OP_USAGE = 2,        /* arguments */
	OP_FAILED = 3,       /* judged, and failed */
	OP_DENIED = 4,       /* who asks may not */
	OP_MISSING = 5,      /* no such version, target, ... */
	OP_CONFLICT = 6,     /* busy, stale generation, other bytes, ... */
	OP_VERDICT_FAIL = 7, /* verdict FAIL, or rolled back */
	OP_PENDING = 8,      /* pending, inconclusive, on hold */
	OP_FROZEN = 9,
	OP_NOT_CONVERGED = 10,
	OP_INTEGRITY = 11, /* a signature, a hash, a chain */
	OP_REPLAY = 12,    /* the replay gate */
	OP_CODES,
};

/* Of the answer over HTTP. */
unsigned op_code_status(enum op_code c);
/* For the end of what lies below: E_NOT_FOUND is OP_MISSING, OK is OP_OK. */
enum op_code op_code_of(enum status st);

enum op_param_kind {
	PARAM_TEXT,
	PARAM_BOOL,     /* "true" or "false" */
	PARAM_INT,      /* 0 or more */
	PARAM_DURATION, /* base/quantity.h: "90s" */
	PARAM_TIME,     /* RFC 3339, or a date */
	PARAM_LIST,     /* given any number of times */
};

struct op_param {
	const char *name;
	enum op_param_kind kind;
	bool required;
	const char *help; /* for docs/api.md: a few words, no full stop */
};

struct op_arg {
	struct str name, value;
};

struct op_call {
	const struct op_arg *args;
	size_t nargs;
	struct str body; /* raw, of an operation that takes bytes */
	struct str who;  /* "ana": a token's name, or the user on this host */
	unsigned roles;  /* of enum server_role */
	struct str key;  /* Idempotency-Key; empty: none */
	int64_t now_ns;  /* wall */
	struct arena *a; /* of the call */
	/* Filled by op_run(), for op->run(): */
	const char *code; /* on failure, one word; NULL: op_code_name() */
	struct err *err;  /* one sentence: what, why, what to do */
};

/* The value of an argument; empty when it was not given. */
struct str op_text(const struct op_call *c, const char *name);
bool op_given(const struct op_call *c, const char *name);
bool op_bool(const struct op_call *c, const char *name);
/* op_run() has checked them: `missing` when they were not given. */
int64_t op_int(const struct op_call *c, const char *name, int64_t missing);
int64_t op_duration(const struct op_call *c, const char *name, int64_t missing);
int64_t op_time(const struct op_call *c, const char *name, int64_t missing);
/* All values of a list, in `c->a`. */
size_t op_list(const struct op_call *c, const char *name, struct str **out);

struct op {
	const char *name;    /* "rollout start" */
	const char *method;  /* "GET" or "POST" */
	const char *pattern; /* "/v1/rollback"; names go as arguments, since a
			      * bundle may be called "prod/platform" */
	unsigned roles;      /* any of them may; 0: everybody */
	const char *summary; /* for docs/api.md: one sentence, no full stop */
	const struct op_param *params;
	size_t nparams;
	size_t max_body; /* of raw bytes; 0: it takes none */
	/*
	 * Whether service_state() is used: it is one caller's at a time, and
	 * taken for the length of the call. Without, the operation may take
	 * long and others go on.
	 */
	bool state;
	bool slow; /* it reads all there is: that can take hours */
	/*
	 * Append one document to `out`. On failure what was appended is
	 * dropped, unless the code is one that has a result beside it: then
	 * c->err is empty.
	 */
	enum op_code (*run)(
		struct service *s, struct op_call *c, struct buf *out);
};

/* By name; NULL: there is none. */
const struct op *op_find(const char *name);
/* All of them, in order of name. */
const struct op *const *ops_all(size_t *n);

/*
 * Check role and arguments, run it, and make a document of a failure too: one
 * is appended to `out` in any case.
 */
enum op_code op_run(struct service *s, const struct op *op, struct op_call *c,
	struct buf *out);

/* Roles of the call as a channel knows them (canary/channel.h). */
int64_t op_channel_roles(const struct op_call *c);

/* For op->run(): set the sentence, and return the code. */
enum op_code op_fail(struct op_call *c, enum op_code code, const char *fmt, ...)
	PRINTF(3, 4);

#endif
