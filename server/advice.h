/*
 * advice: what `regatta doctor` finds, one row each.
 *
 * A row is one object of JSON:
 *
 *	{"harm": "high", "code": "D202", "where": "target web-17",
 *	 "what": "has refused v2 since ...", "fix": "..."}
 *
 * `where` is the thing, `what` is a sentence about it without full stop, `fix`
 * says which line or command changes it. Codes are documented in
 * docs/doctor.md and mean the same for ever.
 */
#ifndef SERVER_ADVICE_H
#define SERVER_ADVICE_H

#include "base/buf.h"
#include "base/err.h"

/* How much it can hurt; rows are shown in this order. */
enum harm {
	HARM_HIGH,   /* policy can be replaced, lost or blind now */
	HARM_MEDIUM, /* it will hurt when something else goes wrong */
	HARM_LOW,
	HARMS,
};

/* "high", "medium", "low". */
const char *harm_name(enum harm h);

struct advice {
	struct buf rows[HARMS]; /* objects, with commas between */
	unsigned n[HARMS];
};

struct advice_row {
	enum harm harm;
	const char *code, *fix;
	struct str where;
};

/* One more row; the text is `what`. */
void advice_add(struct advice *a, struct advice_row row, const char *what, ...)
	PRINTF(3, 4);
/* "rows": [...], the worst first. */
void advice_write(const struct advice *a, struct buf *out);
void advice_release(struct advice *a);

/*
 * The configuration of an OPA agent, YAML or JSON, as text: what in it lets
 * foreign bundles in, makes decisions late or lost, or hides who the agent is.
 * The place of a row is "NAME:LINE". Values that come from the environment
 * (${...}) are taken to be right.
 *
 * Source: OPA's configuration reference, as read by 1.22.2.
 */
void advice_agent_config(struct advice *a, const char *name, struct str text);

#endif
