/* 500 agents: what they have, how they decide, what they send. */
#include "tests/scenario/scenario.h"

#include "base/date.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ALLOW, DENY, UNDEFINED, FAILED, OUTCOME = 3, IS_SLOW = 4 };

/* Decisions a minute of one agent; 8 of all, a fifth of it by canaries. */
static double rate_of(const struct agent *a)
{
	return a->canary ? 1.5 / CANARIES : 6.5 / (TARGETS - CANARIES);
}

/* People sleep: from a half to one and a half. */
static double hour_of_day(void)
{
	double hours = (double)(w->true_ns % DAY) / (double)HOUR;

	return 1 + 0.5 * sin((hours - 9) * 3.14159265358979 / 12);
}

bool agent_away(const struct agent *a)
{
	return a->away_ns > w->true_ns || (a->eu && w->eu_away_ns > w->true_ns);
}

/* --- deciding ---------------------------------------------------------------
 */

bool trouble_began(int v)
{
	const struct build *x = &w->versions[v];

	if (x->trouble != LATE)
		return x->trouble != FINE;
	return x->first_ns && w->true_ns - x->first_ns > HOUR;
}

/* Of a thousand: errors, undefined, denies; and whether it is slow. */
static const struct {
	unsigned failed, undefined, deny;
	bool slow;
} behaviour[TROUBLES] = {
	[FINE] = {0, 0, 200, false},
	[ERRORS] = {300, 0, 200, false},
	[UNDEFINED_RESULTS] = {0, 300, 200, false},
	[DENIES_MORE] = {0, 0, 750, false},
	[DENIES_LESS] = {0, 0, 0, false},
	[SLOW] = {0, 0, 200, true},
	[REFUSED] = {0, 0, 200, false},
	[SILENT] = {0, 0, 200, false},
	[LOSES] = {0, 0, 200, false},
	[LATE] = {300, 0, 200, false},
};

static uint8_t what_comes(int v)
{
	enum trouble t = trouble_began(v) ? w->versions[v].trouble : FINE;
	unsigned at = one_of(1000);
	uint8_t slow = behaviour[t].slow ? IS_SLOW : 0;

	if (at < behaviour[t].failed)
		return FAILED | slow;
	at -= behaviour[t].failed;
	if (at < behaviour[t].undefined)
		return UNDEFINED | slow;
	at -= behaviour[t].undefined;
	return (at < behaviour[t].deny ? DENY : ALLOW) | slow;
}

static bool logged(const struct agent *a)
{
	enum trouble t = w->versions[a->active].trouble;

	return t != SILENT && (t != LOSES || one_of(3));
}

static void decide(struct agent *a, int64_t ns)
{
	int64_t at = w->true_ns - between(0, ns);
	struct event v = {
		.version = (int16_t)a->active, .time_ns = at - at % NS_PER_S};

	v.outcome = what_comes(a->active);
	a->requests++;
	w->decisions++;
	if (!logged(a))
		return;
	if (a->npending == PENDING) {
		a->dropped++;
		return;
	}
	if (w->serial == LOGGED - 1)
		die("scenario: more than %d decisions", LOGGED);
	v.serial = ++w->serial;
	a->pending[a->npending++] = v;
}

/* At most once; it is not asked for longer than that takes. */
void fleet_decide(int64_t ns)
{
	double minutes = (double)ns / (double)MINUTE * hour_of_day();

	for (unsigned i = 0; i < TARGETS; i++) {
		struct agent *a = &w->agents[i];

		if (a->active == NOBODY)
			continue;
		if (likely(minutes * rate_of(a)))
			decide(a, ns);
	}
}

/* --- decision logs ----------------------------------------------------------
 */

/*
 * Some of 50 us, and the same at all times: were it to grow, all would be
 * slower than the day before, and what is slow itself would not stand out.
 */
static uint32_t took(const struct event *v)
{
	return (v->serial * 2654435761u >> 8) % 50000;
}

static void event_write(
	struct buf *out, const struct agent *a, const struct event *v)
{
	static const char *const results[] = {"\"result\":true,",
		"\"result\":false,", "",
		"\"error\":{\"code\":\"eval_builtin_error\"},"};

	buf_addf(out,
		"{\"labels\":{\"id\":\"%u-%s\",\"target\":\"%s\"},"
		"\"decision_id\":\"%08x-0000-4000-8000-%012x\",\"bundles\":{"
		"\"" BUNDLE "\":{\"revision\":\"%s\"}},\"path\":"
		"\"authz/allow\",\"input\":{\"n\":%u},%s\"timestamp\":\"",
		a->instance, a->id, a->id, v->serial, a->number,
		w->versions[v->version].revision, v->serial,
		results[v->outcome & OUTCOME]);
	instant_text(out, v->time_ns);
	buf_addf(out, "\",\"metrics\":{\"timer_server_handler_ns\":%u}}",
		v->outcome & IS_SLOW ? 50000000 + took(v) : 200000 + took(v));
}

static void write_body(struct buf *out, const struct agent *a)
{
	buf_reset(out);
	buf_addc(out, '[');
	for (unsigned i = 0; i < a->npending; i++) {
		size_t at = out->len + (i > 0);

		if (i)
			buf_addc(out, ',');
		event_write(out, a, &a->pending[i]);
		w->hashes[a->pending[i].serial] =
			hash_of(str_slice(buf_str(out), at, out->len));
	}
	buf_addc(out, ']');
}

static void acknowledged(struct agent *a)
{
	for (unsigned i = 0; i < a->npending; i++) {
		const struct event *v = &a->pending[i];
		struct build *x = &w->versions[v->version];

		w->acked[v->serial] = 1;
		x->acked++;
		if (v->time_ns > x->newest_ns)
			x->newest_ns = v->time_ns;
	}
	a->npending = 0;
}

/* As upload_logs() does it, but for the commit, which all share. */
static bool submit(
	struct agent *a, struct decisions_ticket *t, struct buf *body)
{
	struct str id = str_from(a->id);
	struct err e = {0};

	*t = (struct decisions_ticket){.source.target = id};
	t->canary = shown_canary(site, id);
	t->source.cohort = t->canary ? S("canary") : S("stable");
	write_body(body, a);
	return decisions_admit(site->decisions, body->len, t) &&
	       !decisions_submit(site->decisions, t, buf_str(body), &e);
}

void fleet_upload(void)
{
	static struct decisions_ticket tickets[TARGETS];
	struct buf body = {0};
	bool sent[TARGETS] = {false};
	struct err e = {0};

	if (!site_serves())
		return;
	for (unsigned i = 0; i < TARGETS; i++) {
		struct agent *a = &w->agents[i];

		if (a->npending && !agent_away(a))
			sent[i] = submit(a, &tickets[i], &body);
	}
	if (decisions_commit(site->decisions, &e))
		w->faults++;
	for (unsigned i = 0; i < TARGETS; i++)
		if (sent[i] && tickets[i].state == TICKET_DURABLE)
			acknowledged(&w->agents[i]);
	buf_release(&body);
}

/* --- polls ------------------------------------------------------------------
 */

/* Some do not take what others do. */
static bool refuses(const struct agent *a, int v)
{
	return w->versions[v].trouble == REFUSED && a->number % 3 == 1;
}

/* Bytes are whole and signed, each time they are read by somebody new. */
static bool fetch(int v, struct str digest)
{
	static bool verified[VERSIONS];
	struct buf bytes = {0};
	struct err e = {0};
	bool good;

	if (verified[v] && !likely(0.02))
		return true;
	good = !shown_content(site, digest, &bytes, &e) &&
	       version_verify(v, buf_str(&bytes), &e);
	verified[v] = good;
	checks_look(&(struct moment){
		.at = AT_FETCH, .version = v, .good = good, .text = e.text});
	buf_release(&bytes);
	return good;
}

static void take(struct agent *a, int v, struct str digest)
{
	a->status_due = true;
	if (refuses(a, v) || !fetch(v, digest)) {
		if (a->refused != v)
			a->refused_ns = w->true_ns;
		a->refused = v;
		return;
	}
	a->refused = NOBODY;
	a->active = v;
	if (!w->versions[v].first_ns)
		w->versions[v].first_ns = w->true_ns;
}

static void poll_once(struct agent *a)
{
	struct server_who who = {.roles = SERVER_AGENT};
	struct server_answer answer = {0};
	struct server_ask ask = {.bundle = S(BUNDLE),
		.who = &who,
		.holds = a->active == NOBODY
				 ? S("")
				 : str_from(w->versions[a->active].digest)};
	int v;

	memcpy(who.target, a->id, sizeof(a->id));
	shown_answer(site, &ask, &answer);
	w->answers++;
	checks_look(&(struct moment){
		.at = AT_ANSWER, .agent = a, .answer = &answer});
	v = version_by_digest(str_from(answer.digest));
	if (answer.choice != SERVER_BUNDLE || v == NOBODY)
		return;
	if (v != a->active)
		take(a, v, str_from(answer.digest));
	else if (a->refused != NOBODY) {
		a->refused = NOBODY;
		a->status_due = true;
	}
	if (a->active == v)
		a->unwanted_ns = 0;
	else if (!a->unwanted_ns)
		a->unwanted_ns = w->true_ns;
}

void fleet_poll(void)
{
	if (!site_serves())
		return;
	for (unsigned i = 0; i < TARGETS; i++)
		if (!agent_away(&w->agents[i]) && !likely(0.02))
			poll_once(&w->agents[i]);
}

/* --- status -----------------------------------------------------------------
 */

static void write_bundle(struct buf *out, const struct agent *a)
{
	buf_adds(out, "\"bundles\":{\"" BUNDLE "\":{\"name\":\"" BUNDLE "\"");
	if (a->active != NOBODY)
		buf_addf(out, ",\"active_revision\":\"%s\"",
			w->versions[a->active].revision);
	if (a->refused != NOBODY)
		buf_adds(out, ",\"code\":\"bundle_error\",\"message\":"
			      "\"rego_type_error: undefined function nope\"");
	buf_adds(out, "}},");
}

static void write_status(struct buf *out, const struct agent *a)
{
	buf_reset(out);
	buf_addf(out,
		"{\"labels\":{\"id\":\"%u-%s\",\"version\":\"1.22.2\","
		"\"target\":\"%s\",\"region\":\"%s\",\"class\":\"%s\","
		"\"ring\":\"%s\"},",
		a->instance, a->id, a->id, a->eu ? "eu" : "us",
		a->core ? "core" : "edge", a->canary ? "canary" : "rest");
	write_bundle(out, a);
	buf_addf(out,
		"\"metrics\":{\"prometheus\":{"
		"\"http_request_duration_seconds\":{\"metric\":[{\"label\":["
		"{\"name\":\"code\",\"value\":\"200\"},{\"name\":\"handler\","
		"\"value\":\"v1/data\"}],\"histogram\":{\"sampleCount\":"
		"\"%llu\"}}]},\"counter_decision_logs_dropped_buffer_size_"
		"limit_exceeded\":{\"metric\":[{\"counter\":{\"value\":%llu}}]}"
		"}}}",
		(unsigned long long)a->requests,
		(unsigned long long)a->dropped);
}

static void report(struct agent *a, struct buf *body)
{
	struct server_who who = {.roles = SERVER_AGENT};
	struct server_reply reply = {.status = 200};
	struct server_request req = {.who = &who};

	memcpy(who.target, a->id, sizeof(a->id));
	write_status(body, a);
	req.body = buf_str(body);
	if (upload_status(site, &req, &reply) == SERVER_STORED &&
		reply.status == 200) {
		a->labels_known = true;
		a->status_due = false;
	}
	buf_release(&reply.body);
}

void fleet_report(bool all)
{
	struct buf body = {0};

	for (unsigned i = 0; site_serves() && i < TARGETS; i++) {
		struct agent *a = &w->agents[i];

		if ((all || a->status_due) && !agent_away(a))
			report(a, &body);
	}
	buf_release(&body);
}
