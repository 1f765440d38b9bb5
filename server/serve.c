/* A service that runs: its threads, its start and its stop. */
#include "server/page.h"
#include "server/serving.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_EVERY (100 * NS_PER_MS) /* for changes made beside us */
#define WORKERS 16 /* each may wait for the disk; one sync serves all */

/* --- threads -------------------------------------------------------------- */

/*
 * Sleep for so long, or until somebody calls; true: the service ends. `calls`
 * is NULL for a thread that nobody calls.
 */
static bool nap(struct service *s, int64_t ns, bool *calls)
{
	struct timespec until;
	int err = 0;
	bool end;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (until.tv_nsec + ns) / NS_PER_S;
	until.tv_nsec = (until.tv_nsec + ns) % NS_PER_S;
	pthread_mutex_lock(&s->wake_lock);
	while (!s->end && !(calls && *calls) && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&s->wake, &s->wake_lock, &until);
	if (calls)
		*calls = false;
	end = s->end;
	pthread_mutex_unlock(&s->wake_lock);
	return end;
}

/* An error is told once, and when it is another one. */
struct complaint {
	char text[ERR_TEXT_MAX];
};

static void complain(struct service *s, struct complaint *c, const char *what,
	enum status st, const struct err *e)
{
	if (!st) {
		c->text[0] = '\0';
	} else if (strcmp(c->text, e->text) != 0) {
		memcpy(c->text, e->text, sizeof(c->text));
		service_warn(s, "%s: %s", what, e->text);
	}
}

/* Looks for changes, and writes what was heard of targets. */
static void *keep(void *user)
{
	struct service *s = user;
	struct complaint looking = {{0}}, writing = {{0}}, rules = {{0}};
	int64_t flush_at = 0;
	struct err e;

	do {
		int64_t now = clock_mono(&clock_system);

		complain(s, &looking, "channels", shown_refresh(s, &e), &e);
		if (s->rules_due)
			complain(s, &rules, "rules of outcomes",
				outcomes_record(s, &e), &e);
		if (now < flush_at)
			continue;
		complain(s, &writing, "targets",
			target_book_flush(s->book, s->watch, &e), &e);
		flush_at = now + NS_PER_S;
	} while (!nap(s, LOOK_EVERY, &s->kicked));
	return NULL;
}

static void *keep_log(void *user)
{
	struct service *s = user;
	struct complaint c = {{0}};
	struct err e;

	while (!nap(s, NS_PER_S, NULL))
		complain(s, &c, "decision log",
			decisions_tick(s->decisions, &e), &e);
	return NULL;
}

/* Drives rollouts. Its connection and its judge are its own. */
static void *drive(void *user)
{
	struct service *s = user;
	struct complaint c = {{0}};
	struct err e;

	do
		complain(s, &c, "rollouts", rollout_engine_tick(s->engine, &e),
			&e);
	while (!nap(s, NS_PER_S, &s->woken));
	return NULL;
}

static struct decisions *engine_log(void *user)
{
	struct service *s = user;

	return s->decisions;
}

static void engine_tells(void *user, struct str json)
{
	struct service *s = user;

	notifier_tell(s->notifier, json);
}

static void engine_changed(void *user)
{
	service_changed(user);
}

void service_changed(struct service *s)
{
	pthread_mutex_lock(&s->wake_lock);
	s->kicked = s->woken = true;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->wake_lock);
}

static void start_thread(struct service *s, void *(*run)(void *))
{
	if (pthread_create(&s->threads[s->nthreads], NULL, run, s))
		die("no thread for a service");
	s->nthreads++;
}

static void stop_threads(struct service *s)
{
	pthread_mutex_lock(&s->wake_lock);
	s->end = true;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->wake_lock);
	while (s->nthreads)
		pthread_join(s->threads[--s->nthreads], NULL);
}

/* --- what /readyz and /metrics say ---------------------------------------- */

/*
 * A server that can't take decision logs still hands out bundles and answers
 * commands. Out of a load balancer it could hand out no rollback either, and
 * agents know what to do with a 503 for an upload: so it is ready.
 */
static bool ready(void *user, struct buf *why)
{
	struct service *s = user;
	struct decisions_counts c;

	decisions_counts(s->decisions, &c);
	if (c.failing)
		buf_adds(why, "decision logs can't be stored");
	else if (c.disk_high)
		buf_addf(why,
			"the disk is %u %% full, with %" PRIu64 " MiB left: "
			"decision logs are pushed back%s",
			decisions_disk_percent(&c.disk), c.disk.free >> 20,
			c.disk_full ? "" : ", but those of canaries");
	return true;
}

static void gauge(struct buf *out, const char *name, const char *help,
	const char *kind, uint64_t n)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name,
		help, name, kind, name, n);
}

static void write_channels(struct service *s, struct buf *out)
{
	buf_adds(out,
		"# HELP regatta_channel_generation Changes of a channel.\n"
		"# TYPE regatta_channel_generation gauge\n");
	pthread_rwlock_rdlock(&s->shown_lock);
	for (size_t i = 0; i < s->shown->n; i++) {
		const struct channel *c = &s->shown->channels[i].c;

		buf_addf(out,
			"regatta_channel_generation{bundle=\"%.*s\",state=\"%s"
			"\"} %" PRId64 "\n",
			STR_ARG(c->bundle), channel_state_name(c->state),
			c->generation);
	}
	pthread_rwlock_unlock(&s->shown_lock);
}

static void metrics(void *user, struct buf *out)
{
	struct service *s = user;
	struct decisions_counts c;

	decisions_counts(s->decisions, &c);
	const struct {
		const char *name, *help, *kind;
		uint64_t n;
	} rows[] = {
		{"regatta_decisions", "Decisions in the log.", "gauge",
			c.events},
		{"regatta_decisions_quarantined",
			"Entries that were no decisions.", "gauge",
			c.quarantined},
		{"regatta_decisions_duplicates_total",
			"Decisions that were there already.", "counter",
			c.duplicates},
		{"regatta_decisions_clashes_total",
			"Decisions with the id of another one.", "counter",
			c.clashes},
		{"regatta_decision_uploads_total", "Uploads of decisions.",
			"counter", c.bodies},
		{"regatta_decision_uploads_pushed_back_total",
			"Uploads answered 503.", "counter", c.busy},
		{"regatta_decision_commits_total",
			"Writes of the log that were synced.", "counter",
			c.commits},
		{"regatta_decision_commits_failed_total",
			"Writes of the log that failed.", "counter", c.failed},
		{"regatta_decision_uploads_refused_for_disk_total",
			"Uploads answered 503 since the disk is too full.",
			"counter", c.disk_refused},
		{"regatta_disk_size_bytes", "The disk of the state folder.",
			"gauge", c.disk.size},
		{"regatta_disk_free_bytes", "What is left of it.", "gauge",
			c.disk.free},
		{"regatta_disk_high",
			"Whether decision logs are pushed back: 1, but "
			"those of canaries; 2, all.",
			"gauge", (uint64_t)c.disk_high + c.disk_full},
		{"regatta_decisions_in_flight_bytes",
			"Bytes of uploads that are not stored yet.", "gauge",
			c.in_flight},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		gauge(out, rows[i].name, rows[i].help, rows[i].kind, rows[i].n);
	write_channels(s, out);
}

/* --- start and stop ------------------------------------------------------- */

static enum status open_all(struct service *s, struct err *e)
{
	struct state_options o = {.fs = s->fs, .busy_ms = s->busy_ms};
	struct decisions *d;
	struct store *store;
	enum status st = state_open(&s->watch, s->dir, &o, e);

	if (!st)
		st = target_book_load(s->book, s->watch, e);
	if (!st)
		st = shown_refresh(s, e);
	if (!st)
		st = service_store(s, &store, e);
	if (!st)
		st = service_decisions(s, true, &d, e);
	if (!st)
		st = outcomes_record(s, e);
	if (!st)
		st = rollout_engine_new(&s->engine,
			&(struct rollout_options){.dir = s->dir,
				.fs = s->fs,
				.clock = s->clock,
				.decisions = engine_log,
				.changed = engine_changed,
				.notify = s->notifier ? engine_tells : NULL,
				.user = s},
			e);
	return st;
}

static void forward_log(void *user, struct str line)
{
	struct service *s = user;

	s->caller.log(s->caller.user, line);
}

static void forward_warn(void *user, const char *text)
{
	struct service *s = user;

	s->caller.warn(s->caller.user, text);
}

static enum status start_server(
	struct service *s, const struct server_config *cfg, struct err *e)
{
	struct server_config c = *cfg;

	s->routes = api_routes(&c.napi);
	c.api = s->routes;
	c.tokens = arena_printf(&s->arena, "%s/" STATE_TOKENS, s->dir);
	c.fs = s->fs;
	c.clock = s->clock;
	c.user = s;
	c.answer = shown_answer;
	c.content = shown_content;
	c.admit = upload_admit;
	c.intake = upload_logs;
	c.status = upload_status;
	c.ready = ready;
	c.metrics = metrics;
	c.refused = page_refused;
	c.log = cfg->log ? forward_log : NULL;
	c.warn = cfg->warn ? forward_warn : NULL;
	if (!c.limits.workers)
		c.limits.workers = WORKERS;
	return server_start(&s->server, &c, e);
}

enum status service_start(
	struct service *s, const struct server_config *cfg, struct err *e)
{
	enum status st;

	s->caller = *cfg;
	s->end = false;
	s->book = target_book_new(0);
	st = open_all(s, e);
	if (!st)
		st = start_server(s, cfg, e);
	if (st) {
		service_stop(s);
		return st;
	}
	start_thread(s, keep);
	start_thread(s, keep_log);
	start_thread(s, drive);
	return OK;
}

/* What came in last is written when nothing can come in any more. */
static void write_last(struct service *s)
{
	struct err e;

	if (target_book_flush(s->book, s->watch, &e))
		service_warn(s, "targets: %s", e.text);
	if (decisions_commit(s->decisions, &e) ||
		decisions_checkpoint(s->decisions, &e))
		service_warn(s, "decision log: %s", e.text);
}

unsigned service_stop(struct service *s)
{
	unsigned cut;
	bool ran = s->server != NULL;

	stop_threads(s);
	cut = server_stop(s->server);
	s->server = NULL;
	if (ran)
		write_last(s);
	rollout_engine_free(s->engine);
	s->engine = NULL;
	shown_free(s->shown);
	s->shown = NULL;
	target_book_free(s->book);
	s->book = NULL;
	state_close(s->watch);
	s->watch = NULL;
	free(s->routes);
	s->routes = NULL;
	return cut;
}

unsigned service_port(const struct service *s)
{
	return server_port(s->server);
}
