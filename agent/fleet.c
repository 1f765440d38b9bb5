/* Agents, and the loop in which they live. */
#include "agent/internal.h"

#include "base/digest.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	UPLOADERS = 16,    /* connections that all uploads share */
	EVENTS = 512,      /* of one epoll */
	UPLOAD_LEAST = 90, /* bytes, as in OPA */
	CATCH_UP = 50,     /* decisions of one agent at once */
	CONNECTS = 500,    /* polls begun in one step */
};

#define REQUEST_NS (30 * NS_PER_S)
/* max_delay_seconds of what `regatta agent config` prints. */
#define BACK_OFF_MAX (5 * NS_PER_S)

/* Something to be sent, which stays until it is acknowledged. */
struct job {
	struct job *next;
	struct agent *a;
	bool is_log;
	struct buf body;
	uint64_t events;
};

struct uploader {
	struct link link;
	struct job *job;
};

struct fleet {
	struct fleet_config c;
	const struct clock *clock;
	struct arena arena;
	struct loop loop;
	struct agent *agents;
	unsigned n;
	struct program *programs;
	struct uploader uploaders[UPLOADERS];
	struct job *jobs, **last;
	struct fleet_counts counts;
	int64_t marked; /* mono */
	int64_t stepped;
	bool draining;
	uint64_t chance;            /* for waits, which no decision hangs on */
	struct str unanswered;      /* what a poll says that had no answer */
	unsigned char random[4096]; /* for ids */
	size_t random_at;
};

/* --- chance --------------------------------------------------------------- */

/* splitmix64: small, and the same everywhere. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static double share(uint64_t *state)
{
	return (double)(next(state) >> 11) * 0x1p-53;
}

static const unsigned char *fresh(struct fleet *f)
{
	if (f->random_at + 16 > sizeof(f->random)) {
		size_t have = 0;

		while (have < sizeof(f->random)) {
			ssize_t n = getrandom(
				f->random + have, sizeof(f->random) - have, 0);

			if (n <= 0)
				die("no randomness");
			have += (size_t)n;
		}
		f->random_at = 0;
	}
	f->random_at += 16;
	return f->random + f->random_at - 16;
}

/* --- faults --------------------------------------------------------------- */

/* clang-format off */
static const char *const fault_names[FAULTS] = {
	[FAULT_ERROR]     = "error",
	[FAULT_UNDEFINED] = "undefined",
	[FAULT_DENY]      = "deny",
	[FAULT_ALLOW]     = "allow",
	[FAULT_SLOW]      = "slow",
	[FAULT_LOST]      = "lost",
	[FAULT_SILENT]    = "silent",
	[FAULT_REFUSE]    = "refuse",
};
/* clang-format on */

bool fault_find(struct str name, enum fault_kind *out)
{
	for (size_t i = 0; i < FAULTS; i++)
		if (str_is(name, fault_names[i])) {
			*out = (enum fault_kind)i;
			return true;
		}
	return false;
}

static double fault_share(
	const struct fleet *f, enum fault_kind kind, struct str revision)
{
	for (size_t i = 0; i < f->c.nfaults; i++) {
		const struct fault *x = &f->c.faults[i];

		if (x->kind == kind &&
			(!x->revision.len || str_eq(x->revision, revision)))
			return x->share;
	}
	return 0;
}

/* Of an agent, the same at each time it is asked. */
static bool is_one_of(
	const struct agent *a, enum fault_kind kind, struct str revision)
{
	uint64_t state = a->fleet->c.seed + (uint64_t)kind * 7919 +
			 str_hash(a->name.ptr, a->name.len);

	return share(&state) < fault_share(a->fleet, kind, revision);
}

/* --- telling -------------------------------------------------------------- */

static void tell(struct agent *a, enum fleet_event_kind kind, struct str text)
{
	struct fleet *f = a->fleet;
	struct fleet_event e = {.kind = kind,
		.target = a->name,
		.revision = a->program ? a->program->revision : S(""),
		.text = text,
		.after_ns = clock_mono(f->clock) - f->marked};

	if (f->c.event)
		f->c.event(f->c.user, &e);
}

/* --- uploads -------------------------------------------------------------- */

static void write_head(struct buf *out, const struct fleet *f,
	const struct agent *a, const char *method, const char *path)
{
	buf_addf(out,
		"%s %s HTTP/1.1\r\nHost: %s:%s\r\n"
		"User-Agent: regatta-simulate\r\nX-Regatta-Target: %.*s\r\n",
		method, path, f->c.host, f->c.port, STR_ARG(a->name));
	if (f->c.token)
		buf_addf(out, "Authorization: Bearer %s\r\n", f->c.token);
}

static void queue(struct fleet *f, struct job *j)
{
	j->next = NULL;
	*f->last = j;
	f->last = &j->next;
}

static void queue_first(struct fleet *f, struct job *j)
{
	j->next = f->jobs;
	if (!f->jobs)
		f->last = &j->next;
	f->jobs = j;
}

static int64_t back_off(struct fleet *f, unsigned failures)
{
	return clock_mono(f->clock) +
	       back_off_ns(failures, BACK_OFF_MAX, share(&f->chance));
}

static void upload_status(struct agent *a);

/* Errors are told at once, and that they have ended. */
static void log_answered(struct agent *a, const struct http_answer *answer)
{
	bool ok = answer && answer->status / 100 == 2;
	bool told = a->log_code || a->log_lost;

	a->sending = false;
	a->sent = true;
	a->log_lost = !answer;
	a->log_code = ok || !answer ? 0 : answer->status;
	if (!ok)
		a->log_at = back_off(a->fleet, a->log_fails);
	a->log_fails = ok ? 0 : a->log_fails + 1;
	if (!ok || told)
		upload_status(a);
}

static void drop_job(struct job *j)
{
	buf_release(&j->body);
	free(j);
}

static void uploaded(
	struct link *l, const struct http_answer *answer, struct str body)
{
	struct uploader *u = l->user;
	struct job *j = u->job;
	struct fleet *f = j->a->fleet;

	(void)body;
	u->job = NULL;
	if (j->is_log)
		log_answered(j->a, answer);
	if (answer && answer->status / 100 == 2) {
		f->counts.acknowledged += j->events;
		f->counts.uploads++;
		drop_job(j);
		return;
	}
	f->counts.pushed_back++;
	/* A status is not sent again: the next one says it all. */
	if (j->is_log)
		queue_first(f, j);
	else
		drop_job(j);
}

static void send_job(struct fleet *f, struct uploader *u, struct job *j)
{
	struct buf *out = &u->link.out;

	buf_reset(out);
	write_head(out, f, j->a, "POST", j->is_log ? "/logs" : "/status");
	buf_addf(out,
		"Content-Type: application/json\r\n%sContent-Length: %zu"
		"\r\n\r\n",
		j->is_log ? "Content-Encoding: gzip\r\n" : "", j->body.len);
	buf_addstr(out, buf_str(&j->body));
	u->job = j;
	j->a->sending |= j->is_log;
	link_send(&u->link, clock_mono(f->clock) + REQUEST_NS);
}

/* An agent's uploads of decisions go one after the other. */
static bool is_due(const struct job *j, int64_t now)
{
	return !j->is_log || (!j->a->sending && j->a->log_at <= now);
}

/* The first job that is due. */
static struct job *take_job(struct fleet *f, int64_t now)
{
	for (struct job **at = &f->jobs; *at; at = &(*at)->next) {
		struct job *j = *at;

		if (!is_due(j, now))
			continue;
		*at = j->next;
		if (!j->next)
			f->last = at;
		return j;
	}
	return NULL;
}

static void start_uploads(struct fleet *f, int64_t now)
{
	for (size_t i = 0; i < UPLOADERS && f->jobs; i++) {
		struct uploader *u = &f->uploaders[i];
		struct job *j = u->job ? NULL : take_job(f, now);

		if (u->job)
			continue;
		if (!j)
			return;
		send_job(f, u, j);
	}
}

static struct job *job_new(struct agent *a, bool is_log)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		die("out of memory: an upload");
	j->a = a;
	j->is_log = is_log;
	return j;
}

static void upload_log(void *user, struct buf *packed, uint64_t events)
{
	struct agent *a = user;
	struct job *j = job_new(a, true);

	j->events = events;
	j->body = *packed;
	*packed = (struct buf){0};
	queue(a->fleet, j);
}

static void upload_status(struct agent *a)
{
	struct job *j;

	if (a->silent)
		return;
	j = job_new(a, false);
	status_write(&j->body, a, &a->fleet->c);
	queue(a->fleet, j);
}

/* --- polls ---------------------------------------------------------------- */

static void use(struct agent *a, struct program *p, struct str etag)
{
	struct fleet *f = a->fleet;

	if (a->program)
		a->program->users--;
	a->program = p;
	p->users++;
	snprintf(a->etag, sizeof(a->etag), "%.*s", STR_ARG(etag));
	a->error = S("");
	a->poll_fails = 0;
	a->activated_ns = clock_wall(f->clock);
	a->silent = is_one_of(a, FAULT_SILENT, p->revision);
	f->counts.activations++;
	tell(a, FLEET_ACTIVATED, S(""));
	upload_status(a);
}

static void refuse(struct agent *a, struct str why)
{
	a->error = why;
	a->fleet->counts.refusals++;
	a->poll_at = back_off(a->fleet, a->poll_fails++);
	tell(a, FLEET_REFUSED, why);
	upload_status(a);
}

static void took(
	struct agent *a, const struct http_answer *answer, struct str body)
{
	struct fleet *f = a->fleet;
	unsigned char sum[DIGEST_MAX];
	struct buf hex = {0};
	struct program *p;

	a->downloaded_ns = clock_wall(f->clock);
	digest(DIGEST_SHA256, body, sum);
	digest_hex(&hex, sum, 32);
	p = program_find(f->programs, hex.ptr);
	if (!p) {
		p = program_new(&f->c, hex.ptr, body);
		p->next = f->programs;
		f->programs = p;
	}
	buf_release(&hex);
	if (p->refusal.len)
		refuse(a, p->refusal);
	else if (is_one_of(a, FAULT_REFUSE, p->revision))
		refuse(a, S("error(s) occurred while compiling module(s)"));
	else
		use(a, p, answer->etag);
}

static void poll_failed(struct agent *a, const struct http_answer *answer)
{
	struct fleet *f = a->fleet;
	char text[64];

	a->poll_at = back_off(f, a->poll_fails++);
	a->http_code = answer ? answer->status : 0;
	a->error = answer ? S("") : f->unanswered;
	f->counts.failures++;
	snprintf(text, sizeof(text), "the server answered %u", a->http_code);
	tell(a, FLEET_FAILED, answer ? str_from(text) : S("no answer"));
	upload_status(a);
}

static void polled(
	struct link *l, const struct http_answer *answer, struct str body)
{
	struct agent *a = l->user;
	struct fleet *f = a->fleet;
	int64_t now = clock_mono(f->clock);
	bool told;

	f->counts.waiting -= a->waits;
	a->waits = false;
	a->took_ns = now - a->asked_at;
	a->poll_at = f->c.wait_s ? now : now + f->c.poll_ns;
	if (!answer || (answer->status != 200 && answer->status != 304)) {
		poll_failed(a, answer);
		return;
	}
	a->answered_ns = clock_wall(f->clock);
	told = a->error.len || a->http_code;
	a->http_code = 0;
	if (answer->status == 200) {
		took(a, answer, body);
		return;
	}
	/* What it has is what it should have, after all. */
	a->error = S("");
	a->poll_fails = 0;
	if (told)
		upload_status(a);
}

static void poll_now(struct agent *a, int64_t now)
{
	struct fleet *f = a->fleet;
	struct buf *out = &a->poll.out, path = {0};
	int64_t wait = f->c.wait_s;

	buf_addf(&path, "/bundles/%.*s", STR_ARG(f->c.bundle));
	buf_reset(out);
	write_head(out, f, a, "GET", path.ptr);
	if (a->etag[0])
		buf_addf(out, "If-None-Match: %s\r\n", a->etag);
	if (wait)
		buf_addf(out,
			"Prefer: modes=snapshot,delta;wait=%" PRId64 "\r\n",
			wait);
	buf_adds(out, "\r\n");
	buf_release(&path);
	a->waits = wait && a->etag[0];
	f->counts.waiting += a->waits;
	f->counts.polls++;
	a->poll_at = INT64_MAX;
	a->asked_at = now;
	a->asked_ns = clock_wall(f->clock);
	link_send(&a->poll, now + wait * NS_PER_S + REQUEST_NS);
}

/* --- decisions ------------------------------------------------------------ */

/* What a fault makes of a result, by its shape. */
static struct str verdict_of(struct str result, bool allow)
{
	if (str_is(result, "true") || str_is(result, "false"))
		return allow ? S("true") : S("false");
	if (result.len && result.ptr[0] == '[')
		return allow ? S("[]") : S("[{\"msg\":\"simulated\"}]");
	return allow ? S("true") : S("false");
}

static void spoil(struct agent *a, struct event *e, struct buf *text)
{
	struct fleet *f = a->fleet;
	struct str r = a->program->revision;

	/* One throw for each, so that one fault does not move another. */
	if (share(&a->rng) < fault_share(f, FAULT_DENY, r))
		e->result = verdict_of(e->result, false);
	if (share(&a->rng) < fault_share(f, FAULT_ALLOW, r))
		e->result = verdict_of(e->result, true);
	if (share(&a->rng) < fault_share(f, FAULT_UNDEFINED, r))
		e->kind = DECIDED_UNDEFINED;
	if (share(&a->rng) < fault_share(f, FAULT_ERROR, r)) {
		e->kind = DECIDED_ERROR;
		buf_reset(text);
		buf_adds(text, "{\"code\":\"eval_conflict_error\",\"message\":"
			       "\"simulated\"}");
		e->result = buf_str(text);
	}
	if (share(&a->rng) < fault_share(f, FAULT_SLOW, r))
		e->took_ns *= 100;
}

/*
 * What the log says a decision took: this host has better things to do than
 * to be a fleet, so its own times would say nothing.
 */
static int64_t latency(uint64_t *rng)
{
	double x = share(rng);

	return (int64_t)(100000 * (1 + 4 * x * x * x));
}

static void decide(struct agent *a)
{
	struct fleet *f = a->fleet;
	struct buf text = {0}, event = {0};
	size_t path = next(&a->rng) % f->c.npaths;
	size_t input = next(&a->rng) % f->c.ninputs;
	struct event e = {.a = a,
		.path = f->c.paths[path],
		.input = f->c.inputs[input],
		.wall_ns = clock_wall(f->clock)};
	bool lost;

	e.kind = program_decide(a->program, path, input, &text);
	e.took_ns = latency(&a->rng);
	e.result = buf_str(&text);
	spoil(a, &e, &text);
	lost = share(&a->rng) <
	       fault_share(f, FAULT_LOST, a->program->revision);
	answered_add(
		e.kind == DECIDED_ERROR ? &a->failed : &a->decided, e.took_ns);
	e.serial = a->decided.n + a->failed.n;
	f->counts.decided++;
	f->counts.lost += lost;
	if (!lost && !a->silent) {
		event_write(&event, &e, &f->c, fresh(f));
		log_add(&a->log, buf_str(&event));
		f->counts.logged++;
	}
	buf_release(&event);
	buf_release(&text);
}

static void decide_due(struct agent *a, double seconds)
{
	if (!a->program || a->fleet->draining)
		return;
	a->credit += seconds * a->fleet->c.rate;
	if (a->credit > CATCH_UP)
		a->credit = CATCH_UP;
	for (; a->credit >= 1; a->credit--)
		decide(a);
}

/* --- the loop ------------------------------------------------------------- */

static void agent_due(
	struct agent *a, int64_t now, double seconds, unsigned *connects)
{
	struct fleet *f = a->fleet;

	decide_due(a, seconds);
	if (now >= a->upload_at || f->draining) {
		log_flush(&a->log);
		a->upload_at = now + f->c.upload_ns;
	}
	if (now >= a->status_at) {
		upload_status(a);
		a->status_at = now + f->c.status_ns;
	}
	if (a->poll.state != LINK_CLOSED && now > a->poll.deadline_ns) {
		link_close(&a->poll);
		polled(&a->poll, NULL, S(""));
	}
	if (now >= a->poll_at && a->poll.state == LINK_CLOSED && *connects) {
		poll_now(a, now);
		--*connects;
	}
}

static void do_due(struct fleet *f)
{
	int64_t now = clock_mono(f->clock);
	double seconds = f->stepped ? (double)(now - f->stepped) / 1e9 : 0;
	unsigned connects = CONNECTS;

	f->stepped = now;
	for (unsigned i = 0; i < f->n; i++)
		agent_due(&f->agents[i], now, seconds, &connects);
	for (size_t i = 0; i < UPLOADERS; i++) {
		struct uploader *u = &f->uploaders[i];

		if (u->job && now > u->link.deadline_ns) {
			link_close(&u->link);
			uploaded(&u->link, NULL, S(""));
		}
	}
	start_uploads(f, now);
}

void fleet_step(struct fleet *f, int ms)
{
	struct epoll_event ev[EVENTS];
	int n;

	do_due(f);
	n = epoll_wait(f->loop.epoll, ev, EVENTS, ms);
	for (int i = 0; i < n; i++)
		link_ready(ev[i].data.ptr, ev[i].events);
}

void fleet_drain(struct fleet *f)
{
	f->draining = true;
}

void fleet_mark(struct fleet *f)
{
	f->marked = clock_mono(f->clock);
}

/* --- life ----------------------------------------------------------------- */

static void init_link(struct link *l, struct loop *loop,
	void (*done)(struct link *, const struct http_answer *, struct str),
	void *user)
{
	*l = (struct link){.loop = loop, .fd = -1, .done = done, .user = user};
}

static void init_agent(struct fleet *f, struct agent *a,
	const struct fleet_group *g, unsigned number)
{
	const unsigned char *r = fresh(f);
	uint64_t state = f->c.seed ^ ((uint64_t)(a - f->agents) << 32);
	int64_t now = clock_mono(f->clock);
	struct buf id = {0};

	digest_hex(&id, r, 16);
	*a = (struct agent){.fleet = f,
		.name = str_from(arena_printf(
			&f->arena, "%.*s-%u", STR_ARG(g->name), number)),
		.id = arena_str(&f->arena, buf_str(&id)),
		.group = g,
		.log = {.limit = f->c.upload_limit,
			.full = upload_log,
			.user = a},
		.rng = next(&state)};
	buf_release(&id);
	init_link(&a->poll, &f->loop, polled, a);
	a->credit = share(&state);
	/* Not all at once. */
	a->upload_at = now + (int64_t)(share(&state) * (double)f->c.upload_ns);
	a->status_at = now + (int64_t)(share(&state) * (double)f->c.status_ns);
}

static enum status find_host(struct fleet *f, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	int rc = getaddrinfo(f->c.host, f->c.port, &hints, &found);

	if (rc)
		return err_set(e, E_IO, "%s:%s: %s", f->c.host, f->c.port,
			gai_strerror(rc));
	memcpy(&f->loop.to, found->ai_addr, found->ai_addrlen);
	f->loop.tolen = found->ai_addrlen;
	f->loop.family = found->ai_family;
	freeaddrinfo(found);
	return OK;
}

static void make_agents(struct fleet *f)
{
	const struct fleet_config *c = &f->c;

	for (size_t i = 0; i < c->ngroups; i++)
		f->n += c->groups[i].count;
	f->agents = calloc(f->n ? f->n : 1, sizeof(*f->agents));
	if (!f->agents)
		die("out of memory: a fleet");
	f->n = 0;
	for (size_t i = 0; i < c->ngroups; i++)
		for (unsigned k = 0; k < c->groups[i].count; k++)
			init_agent(f, &f->agents[f->n++], &c->groups[i], k + 1);
}

enum status fleet_new(
	struct fleet **out, const struct fleet_config *c, struct err *e)
{
	struct fleet *f = calloc(1, sizeof(*f));
	enum status st;

	if (!f)
		die("out of memory: a fleet");
	f->c = *c;
	f->clock = c->clock ? c->clock : &clock_system;
	if (!f->c.upload_limit)
		f->c.upload_limit = MIB(1);
	if (f->c.upload_limit < UPLOAD_LEAST)
		f->c.upload_limit = UPLOAD_LEAST;
	f->chance = c->seed;
	f->unanswered = str_from(arena_printf(&f->arena,
		"request failed: Get \"http://%s:%s/bundles/%.*s\": EOF",
		c->host, c->port, STR_ARG(c->bundle)));
	f->last = &f->jobs;
	f->random_at = sizeof(f->random);
	f->loop.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (f->loop.epoll < 0)
		die("no file for a fleet");
	make_agents(f);
	for (size_t i = 0; i < UPLOADERS; i++)
		init_link(&f->uploaders[i].link, &f->loop, uploaded,
			&f->uploaders[i]);
	fleet_mark(f);
	st = find_host(f, e);
	if (st)
		fleet_free(f);
	else
		*out = f;
	return st;
}

static void free_link(struct link *l)
{
	link_close(l);
	buf_release(&l->in);
	buf_release(&l->out);
}

void fleet_free(struct fleet *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < f->n; i++) {
		free_link(&f->agents[i].poll);
		buf_release(&f->agents[i].log.text);
	}
	for (size_t i = 0; i < UPLOADERS; i++) {
		free_link(&f->uploaders[i].link);
		if (f->uploaders[i].job)
			drop_job(f->uploaders[i].job);
	}
	for (struct job *j = f->jobs, *after; j; j = after) {
		after = j->next;
		drop_job(j);
	}
	for (struct program *p = f->programs, *after; p; p = after) {
		after = p->next;
		program_free(p);
	}
	if (f->loop.epoll >= 0)
		close(f->loop.epoll);
	free(f->agents);
	arena_release(&f->arena);
	free(f);
}

/* --- looking -------------------------------------------------------------- */

void fleet_counts(const struct fleet *f, struct fleet_counts *out)
{
	*out = f->counts;
	out->agents = f->n;
	out->active = 0;
	for (unsigned i = 0; i < f->n; i++) {
		out->active += f->agents[i].program != NULL;
		out->dropped += f->agents[i].log.dropped;
	}
	out->in_flight = out->logged - out->acknowledged - out->dropped;
}

unsigned fleet_running(const struct fleet *f, struct str revision)
{
	unsigned n = 0;

	for (const struct program *p = f->programs; p; p = p->next)
		if (str_eq(p->revision, revision))
			n += p->users;
	return n;
}

void fleet_revisions(const struct fleet *f,
	void (*visit)(void *user, struct str revision, unsigned agents),
	void *user)
{
	for (const struct program *p = f->programs; p; p = p->next)
		if (p->users)
			visit(user, p->revision, p->users);
}
