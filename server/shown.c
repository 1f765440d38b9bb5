/*
 * What polls are answered from: the channels' records, as they were last read.
 * When the database is away the last ones stay.
 */
#include "server/serving.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

void shown_free(struct shown *x)
{
	if (!x)
		return;
	arena_release(&x->arena);
	free(x);
}

static void show(struct shown *x, const struct channel *c, int64_t now)
{
	struct shown_channel *to = &x->channels[x->n++];

	to->c = *c;
	channel_rules(&to->c, &x->arena, &to->rules);
	for (uint32_t i = 0; i < c->npins; i++) {
		const struct channel_pin *p = &c->pins[i];

		to->by_labels |= p->selector.len > 0;
		if (p->until_ns > now && p->until_ns < x->next_ns)
			x->next_ns = p->until_ns;
	}
}

static enum status read_shown(struct service *s, struct shown *x, struct err *e)
{
	struct channel *channels;
	size_t n;
	int64_t now = clock_wall(s->clock);
	enum status st = state_channels(s->watch, &x->arena, &channels, &n, e);

	if (st)
		return st;
	x->channels = ARENA_ARRAY(&x->arena, struct shown_channel, n);
	x->next_ns = INT64_MAX;
	for (size_t i = 0; i < n; i++)
		show(x, &channels[i], now);
	return OK;
}

static void swap(struct service *s, struct shown *fresh)
{
	struct shown *old;

	pthread_rwlock_wrlock(&s->shown_lock);
	old = s->shown;
	s->shown = fresh;
	pthread_rwlock_unlock(&s->shown_lock);
	shown_free(old);
	if (s->server)
		server_bundle_changed(s->server, NULL);
}

enum status shown_refresh(struct service *s, struct err *e)
{
	struct shown *fresh;
	struct err later;
	bool changed;
	enum status st = state_changed(s->watch, &changed, e);

	/* The keeper alone replaces it, so it may look without the lock. */
	if (st || (!changed && s->shown &&
			  clock_wall(s->clock) < s->shown->next_ns))
		return st;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		die("out of memory: channels");
	st = read_shown(s, fresh, e);
	if (st) {
		shown_free(fresh);
		return st;
	}
	/* Its rules before a version; but agents don't wait for the log. */
	s->rules_due = s->rules_due || changed;
	if (s->server && outcomes_versions(s, fresh, &later))
		s->rules_due = true;
	swap(s, fresh);
	return OK;
}

/* --- answers -------------------------------------------------------------- */

static int by_name(const void *key, const void *item)
{
	const struct str *name = key;
	const struct shown_channel *x = item;

	return str_cmp(*name, x->c.bundle);
}

struct choosing {
	const struct shown_channel *x;
	struct str target;
	int64_t now;
	struct channel_choice choice;
};

static void choose(void *user, const struct label *labels, size_t n)
{
	struct choosing *c = user;

	c->choice = channel_choose(
		&c->x->c, &c->x->rules, c->target, labels, n, c->now);
}

static void answer_from(struct service *s, const struct shown_channel *x,
	const struct server_ask *ask, struct server_answer *out)
{
	struct choosing c = {
		x, str_from(ask->who->target), clock_wall(s->clock), {0}};
	const struct channel_version *v;

	choose(&c, NULL, 0);
	if (x->by_labels && c.target.len)
		target_labels(s->book, x->c.bundle, c.target, choose, &c);
	v = c.choice.version;
	if (v && v->digest.len == SERVER_DIGEST_HEX) {
		out->choice = SERVER_BUNDLE;
		memcpy(out->digest, v->digest.ptr, SERVER_DIGEST_HEX);
	}
	if (!c.target.len)
		return;
	target_polled(s->book,
		&(struct target_poll){.bundle = x->c.bundle,
			.id = c.target,
			.active = ask->holds,
			.offered = str_from(out->digest),
			.again = ask->again},
		c.now);
}

void shown_answer(
	void *user, const struct server_ask *ask, struct server_answer *out)
{
	struct service *s = user;
	const struct shown_channel *x = NULL;

	out->choice = SERVER_NO_BUNDLE;
	pthread_rwlock_rdlock(&s->shown_lock);
	if (s->shown->n)
		x = bsearch(&ask->bundle, s->shown->channels, s->shown->n,
			sizeof(*x), by_name);
	if (x)
		answer_from(s, x, ask, out);
	pthread_rwlock_unlock(&s->shown_lock);
}

enum status shown_content(
	void *user, struct str digest, struct buf *out, struct err *e)
{
	return service_archive(user, digest, out, e);
}

bool shown_canary(struct service *s, struct str target)
{
	bool found = false;

	pthread_rwlock_rdlock(&s->shown_lock);
	for (size_t i = 0; !found && i < s->shown->n; i++) {
		const struct channel *c = &s->shown->channels[i].c;

		found = target.len && c->candidate.revision.len && !c->all &&
			channel_lists(c, target);
	}
	pthread_rwlock_unlock(&s->shown_lock);
	return found;
}
