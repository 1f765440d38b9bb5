/*
 * rollout_site: a fleet that polls, decides and logs, on a clock of its own,
 * around a state folder and a rollout engine.
 */
#ifndef TESTS_ROLLOUT_SITE_H
#define TESTS_ROLLOUT_SITE_H

#include <errno.h>

#include "base/date.h"
#include "canary/rollout.h"
#include "tests/state_site.h"

enum { AGENTS = 20, CANARIES = 3, STEP_S = 10, PER_STEP = 10 };

/* How a version decides; of a thousand. */
struct behaviour {
	const char *revision;
	unsigned error, undefined, deny;
};

struct agent {
	char id[16];
	struct label labels[2];
	char active[65]; /* digest */
	char revision[16];
	bool refuses;   /* a candidate: keeps what it has */
	bool silent;    /* answers nobody */
	bool gone;      /* does not even poll */
	unsigned loses; /* every n-th event; 0: none */
	const struct behaviour
		*own; /* whatever it runs; NULL: its version\'s */
	uint64_t requests, dropped;
};

static struct {
	struct fake_clock clock;
	struct agent agents[AGENTS];
	struct target_book *book;
	struct decisions *log;
	struct rollout_engine *engine;
	const struct behaviour *behaviour;
	uint64_t serial; /* of events */
	unsigned steps, notices;
	struct fs_fault fault; /* of the log */
	char notice[4096];
} fleet;

static struct decisions *fleet_log(void *user)
{
	(void)user;
	return fleet.log;
}

static void fleet_notice(void *user, struct str json)
{
	(void)user;
	fleet.notices++;
	snprintf(fleet.notice, sizeof(fleet.notice), "%.*s", STR_ARG(json));
}

static void fleet_engine(void)
{
	struct rollout_options o = {.dir = site.dir,
		.vfs = "faulty",
		.clock = &fleet.clock.clock,
		.decisions = fleet_log,
		.notify = fleet_notice};
	struct err e = {0};

	rollout_engine_free(fleet.engine);
	fleet.engine = NULL;
	assert_ok(rollout_engine_new(&fleet.engine, &o, &e), &e);
}

static void fleet_open_log(void)
{
	struct decisions_config c = {.dir = site.dir,
		.fs = &fleet.fault.fs,
		.clock = &fleet.clock.clock};
	struct err e = {0};

	assert_ok(decisions_open(&fleet.log, &c, &e), &e);
}

static void make_agent(unsigned i)
{
	struct agent *a = &fleet.agents[i];

	*a = (struct agent){
		.labels = {{S("class"), S("edge")},
			{S("ring"), i < CANARIES ? S("canary") : S("rest")}}};
	snprintf(a->id, sizeof(a->id), "t%02u", i);
}

static int fleet_setup(void **state)
{
	int failed = site_setup(state);

	memset(&fleet, 0, sizeof(fleet));
	fake_clock_init(&fleet.clock, site.now);
	fleet.book = target_book_new(0);
	for (unsigned i = 0; i < AGENTS; i++)
		make_agent(i);
	fs_fault_init(&fleet.fault, FS_READ, 0, EIO);
	fleet_open_log();
	fleet_engine();
	return failed;
}

static int fleet_teardown(void **state)
{
	rollout_engine_free(fleet.engine);
	decisions_close(fleet.log);
	target_book_free(fleet.book);
	return site_teardown(state);
}

/* --- one step ------------------------------------------------------------- */

static const struct behaviour *behaves(const char *revision)
{
	static const struct behaviour well = {"", 0, 0, 100};

	for (const struct behaviour *b = fleet.behaviour; b && b->revision; b++)
		if (!strcmp(b->revision, revision))
			return b;
	return &well;
}

static void poll_once(struct agent *a, const struct channel *c,
	const struct channel_rules *rules)
{
	struct channel_choice w = channel_choose(
		c, rules, str_from(a->id), a->labels, 2, site.now);
	struct target_poll p = {.bundle = S("p"),
		.id = str_from(a->id),
		.labels = a->labels,
		.nlabels = 2,
		.active = str_from(a->active),
		.offered = w.version ? w.version->digest : S("")};
	bool candidate = w.why == WHY_CANDIDATE;

	target_polled(fleet.book, &p, site.now);
	if (a->refuses && candidate) {
		target_reported(fleet.book,
			&(struct target_report){.bundle = S("p"),
				.id = str_from(a->id),
				.revision = str_from(a->revision),
				.error = S("rego_parse_error")},
			site.now);
		return;
	}
	if (!w.version)
		return;
	snprintf(a->active, sizeof(a->active), "%.*s",
		STR_ARG(w.version->digest));
	snprintf(a->revision, sizeof(a->revision), "%.*s",
		STR_ARG(w.version->revision));
	target_reported(fleet.book,
		&(struct target_report){.bundle = S("p"),
			.id = p.id,
			.revision = w.version->revision},
		site.now);
}

static const char *result_of(const struct behaviour *b, uint64_t serial)
{
	unsigned at = (unsigned)(serial * 2654435761u >> 7) % 1000;

	if (at < b->error)
		return "\"error\":{\"code\":\"eval_builtin_error\"},";
	at -= b->error;
	if (at < b->undefined)
		return "";
	at -= b->undefined;
	return at < b->deny ? "\"result\":false," : "\"result\":true,";
}

static void write_event(struct buf *b, const struct agent *a, int64_t at)
{
	uint64_t serial = ++fleet.serial;

	buf_addf(b,
		"%s{\"labels\":{\"id\":\"%s\"},\"decision_id\":"
		"\"%08llx-0000-4000-8000-000000000000\",\"bundles\":{\"p\":"
		"{\"revision\":\"%s\"}},\"path\":\"authz/allow\",\"input\":"
		"{\"n\":%llu},%s\"timestamp\":\"",
		b->len > 1 ? "," : "", a->id, (unsigned long long)serial,
		a->revision, (unsigned long long)serial,
		result_of(a->own ? a->own : behaves(a->revision), serial));
	instant_text(b, at);
	buf_adds(b, "\",\"metrics\":{\"timer_server_handler_ns\":200000}}");
}

static void decide(struct agent *a, struct decisions_ticket *t, unsigned n)
{
	struct buf b = {0};
	struct err e = {0};

	*t = (struct decisions_ticket){.source = {.target = str_from(a->id)}};
	buf_addc(&b, '[');
	for (unsigned i = 0; i < n; i++) {
		a->requests++;
		if (a->loses && a->requests % a->loses == 0)
			continue;
		write_event(&b, a,
			site.now - STEP_S * NS_PER_S +
				(int64_t)i * STEP_S * NS_PER_S / n);
	}
	buf_addc(&b, ']');
	assert_ok(decisions_submit(fleet.log, t, buf_str(&b), &e), &e);
	buf_release(&b);
}

static void report(const struct agent *a)
{
	struct decision_counters c = {.target = str_from(a->id),
		.instance = S("1"),
		.time = site.now,
		.requests = a->requests,
		.dropped = a->dropped};
	struct err e = {0};

	if (!a->gone)
		assert_ok(decisions_count(fleet.log, &c, &e), &e);
}

static void fleet_act(unsigned per_step)
{
	struct decisions_ticket t[AGENTS];
	struct channel c = site_channel("p");
	struct channel_rules rules;
	struct err e = {0};

	channel_rules(&c, &site.arena, &rules);
	for (unsigned i = 0; i < AGENTS; i++) {
		struct agent *a = &fleet.agents[i];

		if (a->revision[0] && !a->gone && !a->silent)
			decide(a, &t[i], per_step);
		if (!a->gone)
			poll_once(a, &c, &rules);
		if (fleet.steps % 3 == 0)
			report(a);
	}
	assert_ok(decisions_commit(fleet.log, &e), &e);
	assert_ok(decisions_tick(fleet.log, &e), &e);
	assert_ok(target_book_flush(fleet.book, site.state, &e), &e);
	fleet.steps++;
	arena_reset(&site.arena);
}

static void fleet_tick(void)
{
	struct err e = {0};

	assert_ok(rollout_engine_tick(fleet.engine, &e), &e);
}

static void fleet_step(void)
{
	fake_clock_advance(&fleet.clock, STEP_S * NS_PER_S);
	site.now = clock_wall(&fleet.clock.clock);
	fleet_act(PER_STEP);
	fleet_tick();
}

static void fleet_minutes(unsigned n)
{
	for (unsigned i = 0; i < n * 60 / STEP_S; i++)
		fleet_step();
}

static enum channel_state fleet_state(void)
{
	return site_channel("p").state;
}

/* Until a state is reached; what it is then. */
static enum channel_state fleet_until(enum channel_state want, unsigned minutes)
{
	for (unsigned i = 0; i < minutes * 60 / STEP_S; i++) {
		if (fleet_state() == want)
			break;
		fleet_step();
	}
	return fleet_state();
}

#define UNTIL(want, minutes)                                                   \
	do {                                                                   \
		enum channel_state got_ = fleet_until(want, minutes);          \
		if (got_ != (want))                                            \
			fail_msg("%s (%s), want %s: %s",                       \
				channel_state_name(got_), #want, #minutes,     \
				fleet_why());                                  \
	} while (0)

/* What the rollout waits for, or why it is held. */
static const char *fleet_why(void)
{
	struct channel c = site_channel("p");
	struct rollout_record r;
	struct err e = {0};

	if (c.state == CHANNEL_HOLD)
		return arena_strdup(&site.arena, c.hold);
	if (rollout_read(site.state, S("p"), c.rollout, &site.arena, &r, &e))
		return "no record";
	return arena_strdup(&site.arena, r.waiting);
}

/* --- rollouts ------------------------------------------------------------- */

#define PLAN                                                                   \
	"bundle: p\nrollout:\n"                                                \
	"  rings: [{name: canary, select: \"ring=canary\"}, "                  \
	"{name: half, percent: 50}, {name: fleet, percent: 100}]\n"            \
	"  bake: {min: 5m, max: 20m, fleet: 5m}\n"

static struct str fleet_release(const char *yaml)
{
	struct config c;
	struct buf b = {0};
	struct str s;
	struct err e = {0};

	assert_ok(config_parse(&c, "test", str_from(yaml), &e), &e);
	config_write_release(&c, &b);
	s = arena_str(&site.arena, buf_str(&b));
	buf_release(&b);
	config_release(&c);
	return s;
}

static enum status fleet_try_start(const char *yaml, struct channel_event ev)
{
	struct decisions_counts n;
	struct rollout_start start = {.release = fleet_release(yaml)};

	decisions_counts(fleet.log, &n);
	ev.kind = EVENT_START;
	ev.who = ev.who.len ? ev.who : S("ana");
	ev.roles = ROLE_RELEASE;
	ev.why = S("because");
	start.from_event = n.events;
	start.change = (struct state_change){
		.bundle = S("p"), .event = ev, .now_ns = site.now};
	memset(&site.err, 0, sizeof(site.err));
	return rollout_start(site.state, &start, &site.result, &site.err);
}

static void fleet_start(const char *yaml, const char *revision)
{
	assert_ok(fleet_try_start(yaml,
			  (struct channel_event){
				  .version = {.revision = str_from(revision)}}),
		&site.err);
}

/* v1 is out everywhere and decides; v2 is published. */
static void fleet_with_v1(void)
{
	site_publish("p", "v1", 1);
	site_publish("p", "v2", 2);
	site_publish("p", "v3", 3);
	site_release("p", "v1");
	fake_clock_step(&fleet.clock, 0);
	while (clock_wall(&fleet.clock.clock) < site.now)
		fake_clock_advance(&fleet.clock, NS_PER_S);
	fleet_minutes(10);
}

#endif
