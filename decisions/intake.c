/*
 * Uploads in, one commit for many of them.
 *
 * Bodies are taken apart by the threads that bring them; what is new in them
 * is put in order under one lock and waits. A commit takes all that waits and
 * writes it without that lock. When it fails, everything that waits fails with
 * it, because a duplicate may wait for what was just lost.
 */
#include "decisions/internal.h"

#include <inttypes.h>
#include <string.h>

enum { EARLY_S = 600, LATE_S = 900 }; /* of an event's time */

/* --- tickets ------------------------------------------------------------- */

static void give_back(struct decisions *d, struct decisions_ticket *t)
{
	d->in_flight[t->canary] -= t->reserved;
	t->reserved = 0;
}

/* Under the lock. Returns those whose owner wants to be called. */
static struct decisions_ticket *settle(struct decisions *d,
	struct decisions_ticket *t, enum ticket_state state,
	struct decisions_ticket *calls)
{
	while (t) {
		struct decisions_ticket *next = t->next;

		give_back(d, t);
		if (t->done) {
			t->next = calls;
			calls = t;
		}
		t->state = state; /* a waiting owner may take it away now */
		t = next;
	}
	return calls;
}

static void call(struct decisions_ticket *t)
{
	while (t) {
		struct decisions_ticket *next = t->next;

		t->done(t);
		t = next;
	}
}

bool decisions_admit(
	struct decisions *d, size_t len, struct decisions_ticket *t)
{
	size_t budget = t->canary ? d->c.canary_budget : d->c.budget;
	bool ok;

	pthread_mutex_lock(&d->lock);
	ok = !d->high[t->canary] && len <= budget &&
	     d->in_flight[t->canary] <= budget - len &&
	     (t->canary || d->wait[LOG_EVENTS].raw.len <= d->c.budget);
	if (ok) {
		d->in_flight[t->canary] += len;
		t->reserved = len;
	} else {
		d->counts.busy++;
	}
	pthread_mutex_unlock(&d->lock);
	return ok;
}

void decisions_withdraw(struct decisions *d, struct decisions_ticket *t)
{
	pthread_mutex_lock(&d->lock);
	give_back(d, t);
	pthread_mutex_unlock(&d->lock);
}

/* --- taking in ----------------------------------------------------------- */

struct arrival {
	struct decisions *d;
	struct decisions_ticket *t;
	int64_t now;
	/* Of the last sealed day that was asked; while the lock is held. */
	struct index_file sealed;
	int64_t sealed_day;
};

static struct record record_of(const struct arrival *a, struct str bytes)
{
	return (struct record){.bytes = bytes,
		.target = a->t->source.target,
		.cohort = a->t->source.cohort,
		.received = a->now};
}

/*
 * With the quarantine full, the reason is kept and the hash of the bytes in
 * it, which also makes it the same thing when it comes again.
 */
static void drop_bytes(struct item *it, struct buf *reason)
{
	buf_addf(reason, "%s (not kept: %zu bytes, SHA-256 ", it->reason,
		it->bytes.len);
	digest_hex(reason, it->hash.b, MERKLE_BYTES);
	buf_addc(reason, ')');
	it->bytes = S("");
	digest(DIGEST_SHA256, it->bytes, it->hash.b);
}

static void quarantine(struct arrival *a, struct item *it)
{
	struct decisions *d = a->d;
	struct pending *p = &d->wait[LOG_QUARANTINE];
	uint64_t hash = hash_start(&it->hash);
	struct buf reason = {0};
	struct record r;

	a->t->quarantined++;
	memcpy(it->id, it->hash.b, sizeof(it->id));
	if (ids_find(&d->bad_known, it->id, hash) ||
		ids_find(&d->bad[0], it->id, hash) ||
		ids_find(&d->bad[1], it->id, hash))
		return;
	/* Each is in memory with its id, and nonsense has no end. */
	if (d->durable[LOG_QUARANTINE] + d->work[LOG_QUARANTINE].n + p->n >=
		d->c.quarantine_items)
		return;
	ids_add(&d->bad[0], it->id, hash);
	if (d->quarantine_bytes + p->raw.len + it->bytes.len >
		d->c.quarantine_bytes)
		drop_bytes(it, &reason);
	else
		buf_adds(&reason, it->reason);
	r = record_of(a, it->bytes);
	r.note = buf_str(&reason);
	it->time = a->now;
	pending_add(p, &r, it);
	buf_release(&reason);
}

/* Most late events of a body are of one day: its file stays open. */
static enum status open_sealed(struct arrival *a, int64_t day, struct err *e)
{
	struct decisions *d = a->d;

	if (a->sealed.db && a->sealed_day == day)
		return OK;
	index_file_close(&a->sealed);
	a->sealed_day = day;
	return index_file_open(&a->sealed, d->index_dir, day, e);
}

static enum status seen_in_day(struct arrival *a, const struct item *it,
	uint64_t hash, enum seen *out, struct err *e)
{
	struct day *day = day_get(a->d, day_of(it->time));
	enum seen sealed = SEEN_NOT;
	enum status st = OK;

	*out = ids_find(&day->ids, it->id, hash);
	if (*out == SEEN_SAME || !day->sealed)
		return OK;
	st = open_sealed(a, day->number, e);
	if (!st && a->sealed.db)
		st = index_seen(&a->sealed, it->id, hash, &sealed, e);
	if (sealed != SEEN_NOT)
		*out = sealed;
	/* Twice is better than never, and damage does not go away: agents
	 * would send for ever. decisions_verify() tells. */
	return st == E_INVALID ? OK : st;
}

static enum status seen(struct arrival *a, const struct item *it,
	enum seen *worst, struct err *e)
{
	struct decisions *d = a->d;
	uint64_t hash = hash_start(&it->hash);
	enum seen in[] = {ids_find(&d->fresh[0], it->id, hash),
		ids_find(&d->fresh[1], it->id, hash), SEEN_NOT};
	enum status st = seen_in_day(a, it, hash, &in[2], e);

	*worst = SEEN_NOT;
	for (size_t i = 0; i < COUNT(in) && *worst != SEEN_SAME; i++)
		if (in[i] != SEEN_NOT)
			*worst = in[i];
	return st;
}

static const char *bad_time(const struct arrival *a, const struct item *it)
{
	int64_t kept = a->d->c.retention_ns;

	if (it->time - a->now > EARLY_S * NS_PER_S)
		return "more than 10 minutes in the future";
	if (kept && a->now - it->time > kept)
		return "older than decisions are kept";
	return NULL;
}

static enum status event(struct arrival *a, struct item *it, struct err *e)
{
	struct decisions *d = a->d;
	struct record r = record_of(a, it->bytes);
	enum seen s;
	enum status st = seen(a, it, &s, e);

	if (st)
		return st;
	if (s == SEEN_SAME) {
		a->t->duplicate++;
		return OK;
	}
	if (s == SEEN_OTHER) {
		it->flags |= DECISION_CLASH;
		a->t->clashes++;
	}
	if (a->now - it->time > LATE_S * NS_PER_S)
		it->flags |= DECISION_BACKDATED;
	r.flags = it->flags;
	ids_add(&d->fresh[0], it->id, hash_start(&it->hash));
	pending_add(&d->wait[LOG_EVENTS], &r, it);
	a->t->accepted++;
	return OK;
}

/*
 * When it can't be told whether an event is there already, the agent is to send
 * all of them again. What of them waits is then a duplicate.
 */
static enum status arrive(struct arrival *a, struct batch *b, struct err *e)
{
	enum status st = OK;

	for (uint32_t i = 0; i < b->n && !st; i++) {
		struct item *it = &b->items[i];

		if (!it->reason)
			it->reason = bad_time(a, it);
		if (it->reason)
			quarantine(a, it);
		else
			st = event(a, it, e);
	}
	index_file_close(&a->sealed);
	return st;
}

/* Something waits, or is being written: what came may be a duplicate of it. */
static bool busy(const struct decisions *d)
{
	bool some = d->writing;

	for (int i = 0; i < LOGS; i++)
		some |= d->wait[i].n > 0;
	return some;
}

static void enqueue(struct decisions *d, struct decisions_ticket *t)
{
	if (!busy(d)) {
		give_back(d, t);
		t->state = TICKET_DURABLE;
		return;
	}
	t->state = TICKET_WAITING;
	t->next = d->tickets;
	d->tickets = t;
}

/*
 * What is in flight was counted as it came, and gzip may be a thousand times
 * that. A body that is larger than the limit comes in when nothing waits.
 */
static bool has_room(
	const struct decisions *d, const struct decisions_ticket *t, size_t len)
{
	size_t limit = d->c.budget + (t->canary ? d->c.canary_budget : 0);
	size_t waits =
		d->wait[LOG_EVENTS].raw.len + d->wait[LOG_QUARANTINE].raw.len;

	return !waits || (waits <= limit && len <= limit - waits);
}

/* Under the lock. */
static enum status take_in(
	struct arrival *a, struct batch *b, size_t len, struct err *e)
{
	struct decisions *d = a->d;
	struct decisions_ticket *t = a->t;
	enum status st;

	if (!has_room(d, t, len)) {
		d->counts.busy++;
		return err_set(e, E_CONFLICT,
			"too much waits to be written: send it again later");
	}
	st = arrive(a, b, e);
	d->counts.bodies++;
	d->counts.duplicates += t->duplicate;
	d->counts.clashes += t->clashes;
	return st;
}

static enum status check_source(const struct decisions_source *s, struct err *e)
{
	if (s->target.len > LIMIT_SOURCE || s->cohort.len > LIMIT_SOURCE)
		return err_set(e, E_LIMIT,
			"the name of a target or cohort has %zu bytes, "
			"limit %u",
			s->target.len > s->cohort.len ? s->target.len
						      : s->cohort.len,
			LIMIT_SOURCE);
	return OK;
}

enum status decisions_submit(struct decisions *d, struct decisions_ticket *t,
	struct str body, struct err *e)
{
	struct arrival a = {.d = d, .t = t, .now = clock_wall(d->c.clock)};
	struct batch b = {0};
	enum status st = store_writes(d, e);

	if (!st)
		st = check_source(&t->source, e);
	if (!st && body.len > LIMIT_BATCH_COMPRESSED)
		st = err_set(e, E_LIMIT, "an upload of %zu bytes, limit %zu",
			body.len, LIMIT_BATCH_COMPRESSED);
	if (st) {
		decisions_withdraw(d, t);
		return st;
	}
	if (t->left_out)
		batch_cut(&b, body, t->left_out);
	else
		batch_parse(&b, body, d->c.bundle, t->source.target);
	t->accepted = t->duplicate = t->quarantined = t->clashes = 0;
	pthread_mutex_lock(&d->lock);
	st = take_in(&a, &b, b.text.len > body.len ? b.text.len : body.len, e);
	if (st)
		give_back(d, t);
	else
		enqueue(d, t);
	pthread_mutex_unlock(&d->lock);
	batch_release(&b);
	return st;
}

void store_add_counters(struct decisions *d, struct str json)
{
	struct item it = {.bytes = json, .time = clock_wall(d->c.clock)};
	struct record r = {.bytes = json, .received = it.time};

	digest(DIGEST_SHA256, json, it.hash.b);
	pthread_mutex_lock(&d->lock);
	pending_add(&d->wait[LOG_COUNTERS], &r, &it);
	pthread_mutex_unlock(&d->lock);
}

void store_add_rules(struct decisions *d, struct str rest)
{
	struct item it = {.time = clock_wall(d->c.clock)};
	struct record r = {.received = it.time};
	struct buf json = {0};

	pthread_mutex_lock(&d->lock);
	buf_addf(&json, "{\"from\":%" PRIu64 ",%.*s", d->next, STR_ARG(rest));
	r.bytes = it.bytes = buf_str(&json);
	digest(DIGEST_SHA256, it.bytes, it.hash.b);
	pending_add(&d->wait[LOG_RULES], &r, &it);
	pthread_mutex_unlock(&d->lock);
	buf_release(&json);
}

/* --- committing ---------------------------------------------------------- */

static void swap_ids(struct ids pair[2])
{
	struct ids old = pair[1];

	pair[1] = pair[0];
	pair[0] = old;
}

/* All that waits is to be written now. Under the lock. */
static struct decisions_ticket *take(struct decisions *d)
{
	struct decisions_ticket *tickets = d->tickets;

	for (int i = 0; i < LOGS; i++) {
		struct pending empty = d->work[i];

		d->work[i] = d->wait[i];
		d->wait[i] = empty;
	}
	d->next = d->durable[LOG_EVENTS] + d->work[LOG_EVENTS].n;
	swap_ids(d->fresh);
	swap_ids(d->bad);
	d->tickets = NULL;
	d->writing = true;
	return tickets;
}

/* Before the events that came with them can be read. */
static void learn_rules(struct decisions *d, const struct pending *p)
{
	struct err e = {0};
	size_t at = 0;

	for (uint32_t k = 0; k < p->n; k++) {
		size_t len = p->records[k].bytes.len;

		if (rules_take(&d->rules, str_make(p->raw.ptr + at, len), &e))
			die("rules that were just written: %s", e.text);
		at += len + 1;
	}
}

/* What log `i` has written is known from now on. Under the lock. */
static void learn_written(struct decisions *d, int i)
{
	const struct pending *p = &d->work[i];

	for (uint32_t k = 0; k < p->n && i == LOG_EVENTS; k++)
		day_know(d, p->times[k], p->ids[k], hash_start(&p->hashes[k]),
			d->durable[i] + k);
	if (i == LOG_RULES)
		learn_rules(d, p);
	if (i == LOG_QUARANTINE) {
		ids_merge(&d->bad_known, &d->bad[1]);
		d->quarantine_bytes += p->raw.len;
	}
	d->durable[i] += p->n;
}

/* Everything that waits goes with what could not be written. */
static void forget(struct decisions *d)
{
	for (int i = 0; i < LOGS; i++)
		pending_reset(&d->wait[i]);
	d->next = d->durable[LOG_EVENTS];
	ids_reset(&d->fresh[0]);
	ids_reset(&d->bad[0]);
}

static enum status write_logs(struct decisions *d, struct err *e)
{
	enum status st = OK;

	for (int i = LOGS - 1; i >= 0 && !st; i--) {
		st = log_append(&d->logs[i], &d->work[i], e);
		if (st)
			break;
		pthread_mutex_lock(&d->lock);
		learn_written(d, i);
		pthread_mutex_unlock(&d->lock);
	}
	return st;
}

/* Under the lock. */
static struct decisions_ticket *finish(
	struct decisions *d, struct decisions_ticket *tickets, enum status st)
{
	enum ticket_state state = st ? TICKET_FAILED : TICKET_DURABLE;
	struct decisions_ticket *calls = settle(d, tickets, state, NULL);

	if (st) {
		calls = settle(d, d->tickets, state, calls);
		d->tickets = NULL;
		forget(d);
		d->counts.failed++;
	}
	d->counts.failing = st != OK;
	for (int i = 0; i < LOGS; i++)
		pending_reset(&d->work[i]);
	ids_reset(&d->fresh[1]);
	ids_reset(&d->bad[1]);
	d->counts.commits++;
	d->writing = false;
	pthread_cond_broadcast(&d->changed);
	return calls;
}

enum status decisions_commit(struct decisions *d, struct err *e)
{
	struct decisions_ticket *tickets, *calls;
	enum status st = store_writes(d, e);
	bool any;

	if (st)
		return st;
	pthread_mutex_lock(&d->writer);
	pthread_mutex_lock(&d->lock);
	any = busy(d) || d->tickets; /* of duplicates of what was written */
	tickets = any ? take(d) : NULL;
	pthread_mutex_unlock(&d->lock);
	if (!any) {
		pthread_mutex_unlock(&d->writer);
		return OK;
	}
	st = write_logs(d, e);
	pthread_mutex_lock(&d->lock);
	calls = finish(d, tickets, st);
	pthread_mutex_unlock(&d->lock);
	pthread_mutex_unlock(&d->writer);
	call(calls);
	return st;
}

enum status decisions_wait(
	struct decisions *d, struct decisions_ticket *t, struct err *e)
{
	enum status st = OK;

	pthread_mutex_lock(&d->lock);
	while (t->state == TICKET_WAITING) {
		if (d->writing) {
			pthread_cond_wait(&d->changed, &d->lock);
			continue;
		}
		pthread_mutex_unlock(&d->lock);
		st = decisions_commit(d, e);
		pthread_mutex_lock(&d->lock);
	}
	if (t->state == TICKET_DURABLE)
		st = OK;
	else if (!st)
		st = err_set(e, E_IO, "the commit failed: send it again");
	pthread_mutex_unlock(&d->lock);
	return st;
}

void store_fail_tickets(struct decisions *d)
{
	call(settle(d, d->tickets, TICKET_FAILED, NULL));
	d->tickets = NULL;
}
