/*
 * status: what an agent says of itself, read from its status upload.
 *
 * Nine tenths of an upload are metrics of Go's runtime; they are walked over,
 * but for the counters below. Every member is optional; what is of another
 * kind than OPA makes it is read as absent.
 *
 * Source: OPA's status service (docs: "Status"), as seen with 1.22.2.
 */
#ifndef CANARY_STATUS_H
#define CANARY_STATUS_H

#include "canary/select.h"

enum {
	STATUS_LABELS_MAX = 64,
	STATUS_BUNDLES_MAX = 64,
	STATUS_BYTES_MAX = 4 << 20,
};

struct status_bundle {
	struct str name, revision; /* the active one; empty: none */
	struct str code;           /* empty: healthy */
	struct str message;
	struct str detail;    /* the first of its errors, with its place */
	int64_t http_code;    /* 0: none */
	int64_t activated_ns; /* wall; 0: never */
};

struct agent_status {
	struct str id;        /* of this run of the agent */
	struct str version;   /* of OPA */
	struct str target;    /* label `target`; empty: none */
	struct label *labels; /* all others */
	uint32_t nlabels;
	struct status_bundle *bundles;
	uint32_t nbundles;
	struct str log_error; /* of decision log uploads; empty: fine */
	bool counted;         /* the two below are known */
	uint64_t requests;    /* decisions that were answered since its start */
	uint64_t dropped;     /* events that it gave up */
};

/* Everything in `a`. E_INVALID: no object of JSON; E_LIMIT: too large. */
enum status agent_status_parse(struct agent_status *out, struct str text,
	struct arena *a, struct err *e) MUST_CHECK;

/* What is wrong with a bundle, in one line; empty: nothing. In `a`. */
struct str status_bundle_error(const struct status_bundle *b, struct arena *a);

/*
 * The same, if the agent got a bundle and did not take it. That it could not
 * fetch one says nothing of the bundle.
 */
struct str status_bundle_refusal(
	const struct status_bundle *b, struct arena *a);

#endif
