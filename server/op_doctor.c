/*
 * doctor: what is wrong with a state folder, its channels and their agents.
 *
 * What the folder knows of agents is what they said: their polls, their status
 * uploads, their decisions. The repo and its config are the command's to look
 * at (cli/cmd_doctor.c).
 */
#include "server/advice.h"
#include "server/service_ops.h"
#include "server/service.h"

#include "base/json.h"
#include "server/doc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HOUR (3600 * NS_PER_S)
#define DAY (24 * HOUR)

enum {
	DISK_SOON = 5,      /* percent below the mark of decision logs */
	DISK_WARN = 4,      /* times the room that must be free */
	SLOW_POLL_S = 30,   /* of a target that does not wait */
	PINS_SOON_H = 24,   /* a pin ends within */
	FREEZE_LONG_H = 12, /* a freeze is open for longer */
	SKEW_S = 60,        /* an agent's clock is ahead by more */
	NAMED = 3,          /* targets by name in one row */
	LATE_S = 60,        /* a decision came in after more */
	SETTLE_S = 10,      /* until a decision must have come in */
	SAMPLE = 20000,     /* decisions looked at */
};

struct doctor {
	struct service *s;
	struct op_call *call;
	struct advice advice;
	int64_t now;
};

#define ADD(d, h, c, w, f, ...)                                                \
	advice_add(&(d)->advice,                                               \
		(struct advice_row){                                           \
			.harm = (h), .code = (c), .where = (w), .fix = (f)},   \
		__VA_ARGS__)

static struct str where(struct doctor *d, const char *kind, struct str name)
{
	return str_from(
		arena_printf(d->call->a, "%s %.*s", kind, STR_ARG(name)));
}

/* --- the folder ----------------------------------------------------------- */

static void check_room(struct doctor *d, struct str dir)
{
	struct decisions_mark mark;
	struct decisions_disk disk;
	struct err e;
	unsigned used;
	bool high;

	if (service_disk(d->s, &disk, &mark, &e)) {
		ADD(d, HARM_HIGH, "D101", dir, "look at the disk",
			"can't be asked for its free room: %s", e.text);
		return;
	}
	used = decisions_disk_percent(&disk);
	high = used > mark.percent || disk.free < mark.floor;
	if (high || used + DISK_SOON > mark.percent ||
		disk.free < DISK_WARN * mark.floor)
		ADD(d, high ? HARM_HIGH : HARM_MEDIUM, "D101", dir,
			"free room on that disk, or move the folder to a "
			"larger one",
			"has a disk that is %u %% full, with %" PRIu64
			" MiB left: decision logs %s above %u %%, or with less "
			"than %" PRIu64 " MiB",
			used, disk.free >> 20,
			high ? "are pushed back, as they are"
			     : "will be pushed back",
			mark.percent, mark.floor >> 20);
}

static void check_rights(struct doctor *d, struct str dir)
{
	struct stat st;

	if (!stat(service_dir(d->s), &st) && (st.st_mode & 077))
		ADD(d, HARM_HIGH, "D102", dir,
			arena_printf(
				d->call->a, "chmod 700 %s", service_dir(d->s)),
			"can be entered by others (mode %04o): who reaches "
			"the socket in it may do anything",
			(unsigned)st.st_mode & 07777);
}

static void check_tokens(struct doctor *d, struct str dir)
{
	struct server_tokens t = {0};
	struct err e;
	unsigned anybody = 0;

	if (server_tokens_read(&t, service_fs(d->s),
		    arena_printf(
			    d->call->a, "%s/" STATE_TOKENS, service_dir(d->s)),
		    &e)) {
		ADD(d, HARM_HIGH, "D103", dir,
			"restore the file, or remove it and make new tokens",
			"has a tokens file that can't be read: %s", e.text);
		return;
	}
	for (size_t i = 0; i < t.len; i++)
		anybody += t.items[i].role == SERVER_AGENT &&
			   !t.items[i].target[0];
	if (!t.len)
		ADD(d, HARM_MEDIUM, "D104", dir,
			"regatta token add NAME --role agent --target ID",
			"has no tokens: who reaches the port may poll as any "
			"target and send decisions in its name");
	else if (anybody)
		ADD(d, HARM_LOW, "D105", dir,
			"regatta token add NAME --role agent --target ID",
			"has %u agent %s for no target: their targets are "
			"claimed, not proved",
			anybody, anybody == 1 ? "token" : "tokens");
	server_tokens_release(&t);
}

static void check_folder(struct doctor *d)
{
	struct str dir = where(d, "state", str_from(service_dir(d->s)));

	check_room(d, dir);
	check_rights(d, dir);
	check_tokens(d, dir);
}

/* --- channels ------------------------------------------------------------- */

static void check_signature(
	struct doctor *d, const struct channel *c, struct str name)
{
	struct bundle b = {0};
	struct err e = {0};

	if (!c->stable.digest.len)
		return;
	if (service_bundle(d->s, c->stable.digest, &b, &e))
		ADD(d, HARM_HIGH, "D110", name,
			"restore bundles/ from a copy, or roll back to a "
			"version that is there",
			"its stable version %.*s can't be read: %s",
			STR_ARG(c->stable.revision), e.text);
	else if (!bundle_find(&b, S(".signatures.json")))
		ADD(d, HARM_HIGH, "D111", name,
			"regatta key new; sign: {key: ..., keyid: ..., scope: "
			"...} in regatta.yaml",
			"its stable version %.*s is not signed: agents can't "
			"tell it from a forged one",
			STR_ARG(c->stable.revision));
	bundle_release(&b);
}

static void check_freezes(struct doctor *d, const struct channel *c,
	struct str name, const char *which)
{
	for (size_t i = 0; i < FREEZES; i++) {
		const struct channel_freeze *f = &c->freeze[i];
		bool over = f->until_ns && f->until_ns <= d->now;

		if (!f->who.len || over || f->from_ns > d->now)
			continue;
		ADD(d,
			d->now - f->from_ns > FREEZE_LONG_H * HOUR ? HARM_MEDIUM
								   : HARM_LOW,
			"D112", name,
			arena_printf(d->call->a, "regatta unfreeze %s", which),
			"%s was frozen by %.*s %s ago: %.*s",
			i == FREEZE_ALL ? "everything" : "automation",
			STR_ARG(f->who),
			doc_span(d->call->a, d->now - f->from_ns),
			STR_ARG(f->why));
	}
}

static void check_pins(
	struct doctor *d, const struct channel *c, struct str name)
{
	for (uint32_t i = 0; i < c->npins; i++) {
		const struct channel_pin *p = &c->pins[i];
		struct str what = p->target.len ? p->target : p->selector;

		if (p->until_ns <= d->now)
			continue;
		if (channel_quarantined(c, p->version.revision))
			ADD(d, HARM_MEDIUM, "D113", name, "regatta unpin",
				"%.*s is pinned to %.*s, which is in "
				"quarantine: it gets stable",
				STR_ARG(what), STR_ARG(p->version.revision));
		else if (p->until_ns - d->now < PINS_SOON_H * HOUR)
			ADD(d, HARM_MEDIUM, "D114", name,
				"regatta pin again, or let it go",
				"the pin of %.*s to %.*s ends within %d h",
				STR_ARG(what), STR_ARG(p->version.revision),
				PINS_SOON_H);
	}
}

/* --- agents --------------------------------------------------------------- */

/* Targets with the same fault are one row: how many, and some by name. */
struct fault {
	enum harm harm;
	const char *code, *what, *fix;
	unsigned n;
	struct buf names;
};

enum {
	NO_STATUS,
	SLOW_POLLS,
	LOST,
	REFUSES,
	OLD,
	FAULTS,
};

/* clang-format off */
static const struct fault faults[FAULTS] = {
	[NO_STATUS] = {HARM_HIGH, "D201", "never sent a status: that a version was refused can't be seen", "status: {service: ...} in the agent's configuration (regatta agent config)", 0, {0}},
	[SLOW_POLLS] = {HARM_MEDIUM, "D202", "polls less than every 30 s and does not wait: a rollback takes as long", "bundles.NAME.polling.long_polling_timeout_seconds: 30 (regatta agent config)", 0, {0}},
	[LOST] = {HARM_MEDIUM, "D203", "has not polled for three of its periods", "look at the host; regatta why TARGET says what it ran last", 0, {0}},
	[REFUSES] = {HARM_HIGH, "D204", "refused what it was offered", "regatta why TARGET has its words; regatta rollback takes the version back", 0, {0}},
	[OLD] = {HARM_HIGH, "D206", "runs an OPA before 1.21.3, which takes what nobody signed when it comes as a delta or signing has no keyid", "install a newer OPA; until then keyid in signing, and persist: true", 0, {0}},
};
/* clang-format on */

/* "1.21.2" is before 1.21.3; what is no version is not. */
static bool is_old(struct arena *a, struct str version)
{
	static const unsigned long least[] = {1, 21, 3};
	const char *s = arena_strdup(a, version);

	for (size_t i = 0; i < COUNT(least); i++) {
		char *end;
		unsigned long n = strtoul(s, &end, 10);

		if (end == s || n != least[i])
			return end != s && n < least[i];
		s = *end == '.' ? end + 1 : end;
	}
	return false;
}

static void note(struct fault *f, const struct target *t)
{
	if (f->n < NAMED)
		buf_addf(&f->names, "%s%.*s", f->n ? ", " : "", STR_ARG(t->id));
	f->n++;
}

static void check_target(
	struct doctor *d, const struct target *t, struct fault *found)
{
	int64_t patience = 3 * t->period_ns > 180 * NS_PER_S ? 3 * t->period_ns
							     : 180 * NS_PER_S;

	if (d->now - t->last_poll_ns > patience) {
		note(&found[LOST], t);
		return;
	}
	if (t->error.len)
		note(&found[REFUSES], t);
	if (!t->status_ns)
		note(&found[NO_STATUS], t);
	if (is_old(d->call->a, t->version))
		note(&found[OLD], t);
	/* A poll that waits comes back after its wait, or at a change. */
	if (t->period_ns > SLOW_POLL_S * NS_PER_S * 2)
		note(&found[SLOW_POLLS], t);
}

static void add_faults(struct doctor *d, struct fault *found, struct str name)
{
	for (size_t i = 0; i < FAULTS; i++) {
		struct fault *f = &found[i];

		if (f->n)
			ADD(d, f->harm, f->code, name, f->fix,
				"%u %s (%s%s): %s", f->n,
				f->n == 1 ? "target" : "targets", f->names.ptr,
				f->n > NAMED ? ", ..." : "", f->what);
		buf_release(&f->names);
	}
}

static enum status check_targets(
	struct doctor *d, const struct channel *c, struct str name)
{
	struct fault found[FAULTS];
	struct target *targets;
	size_t n;
	enum status st = state_targets(service_state(d->s), c->bundle,
		d->call->a, &targets, &n, d->call->err);

	if (st)
		return st;
	memcpy(found, faults, sizeof(found));
	for (size_t i = 0; i < n; i++)
		check_target(d, &targets[i], found);
	if (!n && c->stable.revision.len)
		ADD(d, HARM_MEDIUM, "D205", name,
			"regatta agent config prints an agent's configuration "
			"with its identity",
			"no target is known: nobody polls it, or agents say "
			"no identity");
	add_faults(d, found, name);
	return OK;
}

static enum status check_channels(struct doctor *d)
{
	struct channel *channels, all;
	size_t n;
	enum status st = state_channels(
		service_state(d->s), d->call->a, &channels, &n, d->call->err);

	if (!st)
		st = state_fleet(
			service_state(d->s), d->call->a, &all, d->call->err);
	if (!st)
		check_freezes(d, &all, S("all bundles"), "--all");
	for (size_t i = 0; !st && i < n; i++) {
		const struct channel *c = &channels[i];
		struct str name = where(d, "bundle", c->bundle);

		check_signature(d, c, name);
		check_freezes(d, c, name,
			arena_printf(d->call->a, "--bundle %.*s",
				STR_ARG(c->bundle)));
		check_pins(d, c, name);
		st = check_targets(d, c, name);
	}
	return st;
}

/* --- decisions ------------------------------------------------------------ */

struct sample {
	uint64_t n, nameless, ahead, late;
	int64_t lag_ns; /* the longest way from decision to log */
};

static bool look(void *user, const struct decision_row *row)
{
	struct sample *x = user;

	x->n++;
	x->nameless += !row->target.len && !row->event.label_target.len;
	x->ahead += row->event.time - row->received > SKEW_S * NS_PER_S;
	x->late += row->received - row->event.time > LATE_S * NS_PER_S;
	if (row->received - row->event.time > x->lag_ns)
		x->lag_ns = row->received - row->event.time;
	return x->n < SAMPLE;
}

struct missing {
	struct doctor *d;
	uint64_t events, dropped;
	unsigned targets;
	struct buf names;
	struct str last;
};

static bool add_gap(void *user, const struct decision_gap *g)
{
	struct missing *m = user;

	m->events += g->missing;
	m->dropped += g->dropped;
	if (str_eq(g->target, m->last))
		return true;
	m->last = arena_str(m->d->call->a, g->target);
	if (m->targets < NAMED)
		buf_addf(&m->names, "%s%.*s", m->targets ? ", " : "",
			STR_ARG(g->target));
	m->targets++;
	return true;
}

/* What is under way is not missing. */
static enum status check_gaps(struct doctor *d, struct decisions *log,
	struct str name, int64_t lag_ns, struct err *e)
{
	struct missing m = {.d = d};
	enum status st = decisions_gaps(log, d->now - DAY,
		d->now - 2 * lag_ns - SETTLE_S * NS_PER_S, false, add_gap, &m,
		e);

	if (!st && m.targets)
		ADD(d, HARM_HIGH, "D301", name,
			"decision_logs.reporting.upload_size_limit_bytes: "
			"1048576, and lower delays (regatta agent config)",
			"lacks %" PRIu64 " decisions of the last 24 h from %u "
			"%s (%s%s), which say they dropped %" PRIu64,
			m.events, m.targets,
			m.targets == 1 ? "target" : "targets", m.names.ptr,
			m.targets > NAMED ? ", ..." : "", m.dropped);
	buf_release(&m.names);
	return st;
}

static enum status check_sample(struct doctor *d, struct decisions *log,
	struct str name, int64_t *lag_ns, struct err *e)
{
	struct decision_filter f = {.from = d->now - HOUR, .to = d->now + DAY};
	struct sample x = {0};
	enum status st = decisions_query(log, &f, false, look, &x, e);

	*lag_ns = x.lag_ns;

	if (!st && x.nameless)
		ADD(d, HARM_MEDIUM, "D302", name,
			"headers: {X-Regatta-Target: \"${NODE}\"} of the "
			"agent's service, and labels.target: \"${NODE}\"",
			"%" PRIu64 " of %" PRIu64 " decisions of the last hour "
			"name no target: they can't be judged",
			x.nameless, x.n);
	if (!st && x.ahead)
		ADD(d, HARM_MEDIUM, "D303", name, "let these hosts run NTP",
			"%" PRIu64 " of %" PRIu64 " decisions of the last hour "
			"are from the future: clocks are ahead",
			x.ahead, x.n);
	if (!st && x.late)
		ADD(d, HARM_MEDIUM, "D305", name,
			"decision_logs.reporting.max_delay_seconds: 5 (regatta "
			"agent config); where it is low, let these hosts run "
			"NTP",
			"%" PRIu64 " of %" PRIu64 " decisions of the last hour "
			"came in late, up to %lld s after they were made: "
			"verdicts wait for them, or their clocks are behind",
			x.late, x.n, (long long)(x.lag_ns / NS_PER_S));
	return st;
}

struct refused {
	struct doctor *d;
	uint64_t n;
	const char *target, *reason; /* of the first */
};

static bool add_refused(void *user, const struct quarantine_row *row)
{
	struct refused *x = user;

	if (!x->n++) {
		x->target = arena_strdup(x->d->call->a,
			row->target.len ? row->target : S("nobody known"));
		x->reason = arena_strdup(x->d->call->a, row->reason);
	}
	return x->n < SAMPLE;
}

/* Who sent it was told 200, so that its own log says nothing. */
static enum status check_quarantine(
	struct doctor *d, struct decisions *log, struct str name, struct err *e)
{
	struct refused x = {.d = d};
	enum status st = decisions_quarantine(
		log, d->now - DAY, d->now + DAY, add_refused, &x, e);

	if (!st && x.n)
		ADD(d, HARM_MEDIUM, "D307", name,
			"regatta decisions quarantine --since 24h",
			"holds what is no decision: %" PRIu64
			"%s of the last 24 h, the first of %s: %s",
			x.n, x.n < SAMPLE ? "" : " or more", x.target,
			x.reason);
	return st;
}

/* That it can't be read is something that is wrong, and no failure. */
static void check_log(struct doctor *d)
{
	struct decisions *log;
	struct str name = S("decision log");
	int64_t lag_ns;
	struct err e = {0};
	enum status st = service_decisions(d->s, false, &log, &e);

	if (st == E_NOT_FOUND)
		return;
	if (!st)
		st = check_sample(d, log, name, &lag_ns, &e);
	if (!st)
		st = check_gaps(d, log, name, lag_ns, &e);
	if (!st)
		st = check_quarantine(d, log, name, &e);
	if (st)
		ADD(d, HARM_HIGH, "D304", name, "regatta fsck",
			"can't be read: %s", e.text);
}

/* --- the operation -------------------------------------------------------- */

static enum op_code doctor(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct doctor d = {.s = s, .call = c, .now = c->now_ns};
	enum status st;

	check_folder(&d);
	service_lock(s);
	st = check_channels(&d);
	service_unlock(s);
	if (!st) {
		check_log(&d);
		doc_begin(out, "doctor");
		doc_time(out, "now", d.now);
		buf_addc(out, ',');
		advice_write(&d.advice, out);
		doc_close(out, '}');
	}
	advice_release(&d.advice);
	return op_code_of(st);
}

const struct op op_doctor = {
	.name = "doctor",
	.method = "GET",
	.pattern = "/v1/doctor",
	.roles = SERVER_RELEASE | SERVER_ONCALL | SERVER_VIEWER,
	.summary = "Look for what is wrong with the folder, its channels and "
		   "their agents",
	.run = doctor,
};
