/* Plans, verdicts and windows, beside the channels they are of. */
#include "base/json.h"
#include "canary/rollout_internal.h"
#include "canary/shape.h"

#include <string.h>

/* clang-format off */
static const struct shape_field record_fields[] = {
	F_STR(rollout_record, "version", version),
	F_STR(rollout_record, "who", who),
	F_STR(rollout_record, "why", why),
	F_STR(rollout_record, "overrides", overrides),
	F_STR(rollout_record, "plan", plan_hash),
	F_BOOL(rollout_record, "forced", forced),
	F_BOOL(rollout_record, "allow_divergent", allow_divergent),
	F_BOOL(rollout_record, "allow_overlap", allow_overlap),
	F_INT(rollout_record, "started_ns", started_ns),
	F_INT(rollout_record, "from_event", from_event),
};
static const struct shape record_shape = SHAPE(rollout_record, record_fields);

static const struct shape_field step_fields[] = {
	F_INT(rollout_step, "ring", ring),
	F_STR(rollout_step, "name", name),
	F_INT(rollout_step, "exposed_ns", exposed_ns),
	F_INT(rollout_step, "bake_ns", bake_ns),
};
static const struct shape step_shape = SHAPE(rollout_step, step_fields);

static const struct shape_field progress_fields[] = {
	F_INT(rollout_record, "beat_ns", beat_ns),
	F_STR(rollout_record, "waiting", waiting),
	F_LIST(rollout_record, "steps", steps, nsteps, ROLLOUT_STEPS, step_shape),
};
static const struct shape progress_shape =
	SHAPE(rollout_record, progress_fields);
/* clang-format on */

/* --- reading -------------------------------------------------------------- */

#define COLUMNS "rollout, release, record, progress, extended_ring, extended_ns"

static enum status read_row(const struct db_rows *r, struct arena *a,
	struct rollout_record *out, struct err *e)
{
	struct rollout_record made, x = {0};
	enum status st = shape_parse(&record_shape, db_text(r, 2), a, &x, e);

	made = x;
	if (!st)
		st = shape_parse(&progress_shape, db_text(r, 3), a, &x, e);
	if (st) {
		err_wrap(e, "the record of rollout %lld",
			(long long)db_int(r, 0));
		return st;
	}
	made.rollout = db_int(r, 0);
	made.release = arena_str(a, db_text(r, 1));
	made.beat_ns = x.beat_ns;
	made.waiting = x.waiting;
	made.steps = x.steps;
	made.nsteps = x.nsteps;
	made.extended_ring = db_int(r, 4);
	made.extended_ns = db_int(r, 5);
	*out = made;
	return OK;
}

static enum status find(struct state *s, struct str bundle, int64_t rollout,
	struct arena *a, struct rollout_record *out, bool *found, struct err *e)
{
	struct db_rows r;
	enum status st = db_query(&r, s->db,
		"SELECT " COLUMNS " FROM rollouts"
		" WHERE bundle = ? AND rollout = ?",
		DB(DB_TEXT(bundle), DB_INT(rollout)), e);

	*found = !st && db_next(&r, &st, e);
	if (*found)
		st = read_row(&r, a, out, e);
	db_end(&r);
	return st;
}

enum status rollout_read(struct state *s, struct str bundle, int64_t rollout,
	struct arena *a, struct rollout_record *out, struct err *e)
{
	bool found;
	enum status st = find(s, bundle, rollout, a, out, &found, e);

	if (!st && !found)
		st = err_set(e, E_NOT_FOUND, "%.*s has no rollout %lld",
			STR_ARG(bundle), (long long)rollout);
	return st;
}

enum status rollout_extended(struct state *s, struct str bundle,
	struct rollout_record *x, struct err *e)
{
	struct db_rows r;
	enum status st = db_query(&r, s->db,
		"SELECT extended_ring, extended_ns FROM rollouts"
		" WHERE bundle = ? AND rollout = ?",
		DB(DB_TEXT(bundle), DB_INT(x->rollout)), e);

	if (!st && db_next(&r, &st, e)) {
		x->extended_ring = db_int(&r, 0);
		x->extended_ns = db_int(&r, 1);
	}
	db_end(&r);
	return st;
}

enum status rollout_list(struct state *s, struct str bundle, size_t max,
	struct arena *a, struct rollout_record **out, size_t *n, struct err *e)
{
	struct rollout_record *list = NULL;
	struct db_rows r;
	uint32_t len = 0, cap = 0;
	enum status st = db_query(&r, s->db,
		"SELECT " COLUMNS " FROM rollouts WHERE bundle = ?"
		" AND rollout > 0 ORDER BY rollout DESC LIMIT ?",
		DB(DB_TEXT(bundle), DB_INT(max)), e);

	while (!st && db_next(&r, &st, e)) {
		list = arena_grow(a, list, len, &cap, sizeof(*list));
		st = read_row(&r, a, &list[len++], e);
	}
	db_end(&r);
	if (!st) {
		*out = list;
		*n = len;
	}
	return st;
}

enum status rollout_verdict(struct state *s, struct str bundle, int64_t rollout,
	int64_t number, struct arena *a, struct str *record, int64_t *found,
	struct err *e)
{
	struct db_rows r;
	bool any;
	enum status st = db_query(&r, s->db,
		"SELECT number, record FROM verdicts WHERE bundle = ?"
		" AND rollout = ? AND (number = ? OR ? = 0)"
		" ORDER BY number DESC LIMIT 1",
		DB(DB_TEXT(bundle), DB_INT(rollout), DB_INT(number),
			DB_INT(number)),
		e);

	any = !st && db_next(&r, &st, e);
	if (any) {
		*found = db_int(&r, 0);
		*record = arena_str(a, db_text(&r, 1));
	}
	db_end(&r);
	if (!st && !any)
		st = err_set(e, E_NOT_FOUND,
			"rollout %lld of %.*s has no such verdict yet",
			(long long)rollout, STR_ARG(bundle));
	return st;
}

enum status rollout_windows(struct state *s, struct str bundle, int64_t rollout,
	struct buf *out, struct err *e)
{
	struct db_rows r;
	char before = '[';
	enum status st = db_query(&r, s->db,
		"SELECT record FROM windows WHERE bundle = ? AND rollout = ?"
		" ORDER BY start",
		DB(DB_TEXT(bundle), DB_INT(rollout)), e);

	while (!st && db_next(&r, &st, e)) {
		buf_addc(out, before);
		buf_addstr(out, db_text(&r, 0));
		before = ',';
	}
	db_end(&r);
	buf_adds(out, before == '[' ? "[]" : "]");
	return st;
}

/* --- what the engine writes ----------------------------------------------- */

static enum status insert(struct state *s, struct str bundle,
	const struct rollout_record *x, struct err *e)
{
	struct buf text = {0};
	enum status st;

	shape_write(&record_shape, x, &text);
	st = db_run(s->db,
		"INSERT OR REPLACE INTO rollouts(bundle, rollout, release,"
		" record) VALUES(?, ?, ?, ?)",
		DB(DB_TEXT(bundle), DB_INT(x->rollout), DB_TEXT(x->release),
			DB_TEXT(buf_str(&text))),
		e);
	buf_release(&text);
	return st;
}

enum status rollout_adopt(struct state *s, const struct channel *c,
	uint64_t from_event, struct err *e)
{
	struct rollout_record x = {.rollout = c->rollout,
		.version = c->candidate.revision,
		.who = c->starter,
		.started_ns = c->started_ns,
		.from_event = (int64_t)from_event};
	struct buf text = {0};
	enum status st;

	shape_write(&record_shape, &x, &text);
	st = db_run(s->db,
		"INSERT OR IGNORE INTO rollouts(bundle, rollout, release,"
		" record) VALUES(?, ?, '', ?)",
		DB(DB_TEXT(c->bundle), DB_INT(x.rollout),
			DB_TEXT(buf_str(&text))),
		e);
	buf_release(&text);
	return st;
}

static enum status save_progress(struct state *s, struct str bundle,
	const struct rollout_record *x, struct err *e)
{
	struct buf text = {0};
	enum status st;

	shape_write(&progress_shape, x, &text);
	st = db_run(s->db,
		"UPDATE rollouts SET progress = ? WHERE bundle = ?"
		" AND rollout = ?",
		DB(DB_TEXT(buf_str(&text)), DB_TEXT(bundle),
			DB_INT(x->rollout)),
		e);
	buf_release(&text);
	return st;
}

static enum status save_verdict(struct state *s, struct str bundle,
	int64_t rollout, struct str record, struct err *e)
{
	enum status st = db_run(s->db,
		"INSERT INTO verdicts(bundle, rollout, number, record)"
		" SELECT ?1, ?2, 1 + coalesce(max(number), 0), ?3"
		" FROM verdicts WHERE bundle = ?1 AND rollout = ?2",
		DB(DB_TEXT(bundle), DB_INT(rollout), DB_TEXT(record)), e);

	if (st)
		return st;
	return db_run(s->db,
		"DELETE FROM verdicts WHERE bundle = ?1 AND rollout = ?2"
		" AND number <= (SELECT max(number) FROM verdicts"
		" WHERE bundle = ?1 AND rollout = ?2) - ?3",
		DB(DB_TEXT(bundle), DB_INT(rollout), DB_INT(VERDICTS_KEPT)), e);
}

static enum status save_window(struct state *s, struct str bundle,
	int64_t rollout, const struct rollout_window *w, struct err *e)
{
	return db_run(s->db,
		"INSERT OR REPLACE INTO windows(bundle, rollout, start,"
		" record) VALUES(?, ?, ?, ?)",
		DB(DB_TEXT(bundle), DB_INT(rollout), DB_INT(w->start_ns),
			DB_TEXT(w->record)),
		e);
}

enum status rollout_save(struct state *s, struct str bundle,
	const struct rollout_saving *w, struct err *e)
{
	int64_t rollout = w->progress->rollout;
	enum status st = db_begin(s->db, e);

	if (!st)
		st = save_progress(s, bundle, w->progress, e);
	if (!st && w->verdict.len)
		st = save_verdict(s, bundle, rollout, w->verdict, e);
	for (uint32_t i = 0; i < w->nwindows && !st; i++)
		st = save_window(s, bundle, rollout, &w->windows[i], e);
	return db_finish(s->db, st, e);
}

/* --- starting ------------------------------------------------------------- */

/* The plan that waited with the version now is a rollout's. */
static enum status unqueue(struct state *s, struct str bundle,
	const struct channel *after, uint64_t from_event, struct arena *a,
	struct err *e)
{
	struct rollout_record x = {0};
	bool found;
	enum status st = find(s, bundle, 0, a, &x, &found, e);

	if (st)
		return st;
	if (!found || !str_eq(x.version, after->candidate.revision))
		return rollout_adopt(s, after, from_event, e);
	x.rollout = after->rollout;
	x.started_ns = after->started_ns;
	x.from_event = (int64_t)from_event;
	st = insert(s, bundle, &x, e);
	if (!st)
		st = db_run(s->db,
			"DELETE FROM rollouts WHERE bundle = ? AND rollout = 0",
			DB(DB_TEXT(bundle)), e);
	return st;
}

static enum status forget_old(
	struct state *s, struct str bundle, int64_t rollout, struct err *e)
{
	int64_t old = rollout - ROLLOUTS_KEPT;
	enum status st = db_run(s->db,
		"DELETE FROM windows WHERE bundle = ? AND rollout <= ?",
		DB(DB_TEXT(bundle), DB_INT(old)), e);

	if (st)
		return st;
	return db_run(s->db,
		"DELETE FROM verdicts WHERE bundle = ? AND rollout <= ?",
		DB(DB_TEXT(bundle), DB_INT(old)), e);
}

static enum status keep_plan(struct state *s, const struct rollout_start *p,
	const struct channel *after, struct arena *a, struct err *e)
{
	const struct channel_event *ev = &p->change.event;
	bool now = after->state == CHANNEL_PREFLIGHT &&
		   str_eq(after->candidate.revision, ev->version.revision);
	struct rollout_record x = {.rollout = now ? after->rollout : 0,
		.release = p->release,
		.version = ev->version.revision,
		.who = ev->who,
		.why = ev->why,
		.overrides = p->overrides,
		.plan_hash = p->plan_hash,
		.forced = ev->force,
		.allow_divergent = ev->allow_divergent,
		.allow_overlap = ev->allow_overlap,
		.started_ns = p->change.now_ns,
		.from_event = (int64_t)p->from_event};
	enum status st;

	if (now && ev->roles == ROLE_ENGINE)
		st = unqueue(s, p->change.bundle, after, p->from_event, a, e);
	else
		st = insert(s, p->change.bundle, &x, e);
	if (!st && now)
		st = forget_old(s, p->change.bundle, after->rollout, e);
	return st;
}

enum status rollout_repeated(struct state *s, const struct state_change *change,
	struct arena *a, struct state_result *out, bool *was, struct err *e)
{
	struct ledger_line line;
	int64_t seq = 0;
	enum status st = OK;

	*was = false;
	if (change->key.len)
		st = db_number(s->db, "SELECT seq FROM calls WHERE key = ?",
			DB(DB_TEXT(change->key)), 0, &seq, e);
	if (!st && seq)
		st = ledger_line_at(s, seq, a, &line, e);
	if (st || !seq)
		return st;
	if (!str_eq(line.bundle, change->bundle) ||
		!str_eq(line.event.who, change->event.who))
		return err_set(e, E_CONFLICT,
			"the key %.*s was used for another call",
			STR_ARG(change->key));
	*was = true;
	*out = (struct state_result){.repeated = true,
		.seq = seq,
		.before = line.before.generation,
		.after = line.after.generation};
	return OK;
}

/* What was allowed to a version that waited is allowed to it now. */
static enum status as_queued(struct state *s, struct state_change *change,
	struct arena *a, struct err *e)
{
	struct rollout_record x = {0};
	bool found = false;
	enum status st = OK;

	if (change->event.roles == ROLE_ENGINE)
		st = find(s, change->bundle, 0, a, &x, &found, e);
	if (st || !found || !str_eq(x.version, change->event.version.revision))
		return st;
	change->event.allow_divergent = x.allow_divergent;
	change->event.allow_overlap = x.allow_overlap;
	return OK;
}

static enum status begin(struct state *s, const struct rollout_start *p,
	struct arena *a, struct state_result *out, struct err *e)
{
	struct state_change change = p->change;
	struct channel after;
	bool was;
	enum status st = rollout_repeated(s, &change, a, out, &was, e);

	if (!st && !was)
		st = as_queued(s, &change, a, e);
	if (!st && !was)
		st = state_apply_in(s, &change, a, out, &after, e);
	if (!st && out->changed)
		st = keep_plan(s, p, &after, a, e);
	return st;
}

enum status rollout_start(struct state *s, const struct rollout_start *p,
	struct state_result *out, struct err *e)
{
	struct arena a = {0};
	enum status st = db_begin(s->db, e);

	*out = (struct state_result){0};
	if (!st)
		st = begin(s, p, &a, out, e);
	st = state_finish(s, st, out, e);
	arena_release(&a);
	return st;
}
