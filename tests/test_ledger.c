/* The ledger: what it proves, and that nothing else gets past it. */
#include "tests/state_site.h"

#include "base/db.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/json.h"
#include "canary/internal.h"

static struct ledger_report report;

static enum status verify(const struct ledger_head *known)
{
	memset(&site.err, 0, sizeof(site.err));
	return ledger_verify(site.state, NULL, known, &report, &site.err);
}

/* Change the database behind everybody's back. */
static void forge(const char *sql)
{
	struct db *d;
	struct err e = {0};

	assert_ok(db_open(&d, state_path(site.state, STATE_DB, &site.arena),
			  NULL, &e),
		&e);
	assert_ok(db_script(d, sql, &e), &e);
	db_close(d);
}

static void history(void)
{
	site_publish("platform", "v1", 1);
	site_publish("platform", "v2", 2);
	site_release("platform", "v1");
	site_bake("platform", "v2");
	SITE_OK("platform", .kind = EVENT_ROLLBACK);
}

static void replay_leads_to_the_records(void **state)
{
	(void)state;
	history();
	assert_ok(verify(NULL), &site.err);
	assert_num(report.lines, 12);
	assert_num(report.signed_until, 12);
	assert_num(report.head.seq, 12);
	assert_num(report.bad, 0);
}

static void a_line_says_who_what_why_and_from_where_to_where(void **state)
{
	struct ledger_line *list;
	size_t n;

	(void)state;
	history();
	assert_ok(ledger_newest(site.state, S("platform"), 1, &site.arena,
			  &list, &n, &site.err),
		&site.err);
	assert_num(n, 1);
	assert_num(list->seq, 12);
	assert_num(list->event.kind, EVENT_ROLLBACK);
	assert_str(list->event.who, "ana");
	assert_str(list->event.why, "because");
	assert_str(list->before.candidate, "v2");
	assert_str(list->before.state, "baking");
	assert_str(list->after.stable, "v1");
	assert_str(list->after.candidate, "");
	assert_num(list->after.generation, list->before.generation + 1);
	assert_str(list->time, "2026-05-28T20:26:52Z");
	assert_ok(ledger_lines(site.state, S("other"), 0, 10, &site.arena,
			  &list, &n, &site.err),
		&site.err);
	assert_num(n, 0);
}

/* clang-format off */
static const struct {
	const char *what, *sql, *part;
	int bad;
} forgeries[] = {
	{"an author", "UPDATE ledger SET line = replace(line, 'ana', 'bob') WHERE seq = 5",
		"ledger line 5: the line and its hash", 5},
	{"a hash", "UPDATE ledger SET hash = zeroblob(32) WHERE seq = 4",
		"ledger line 4", 4},
	{"a short hash", "UPDATE ledger SET hash = zeroblob(31) WHERE seq = 4",
		"ledger line 4", 4},
	{"a line gone", "DELETE FROM ledger WHERE seq = 6", "line 6 is missing", 6},
	{"the first gone", "DELETE FROM ledger WHERE seq = 1", "line 1 is missing", 1},
	{"the last gone", "DELETE FROM ledger WHERE seq = 12", "is not what its ledger leads to", 0},
	{"a signature", "UPDATE ledger SET head = (SELECT head FROM ledger WHERE seq = 3) WHERE seq = 7",
		"the signature is of another line", 7},
	{"no signature at all", "UPDATE ledger SET head = 'a.b.c' WHERE seq = 8", "ledger line 8", 8},
	{"a bundle", "UPDATE ledger SET bundle = 'x' WHERE seq = 2", "another bundle", 2},
	{"a record", "UPDATE channels SET record = replace(record, '\"revision\":\"v1\"', '\"revision\":\"v2\"')",
		"the record of platform", 0},
	{"a channel gone", "DELETE FROM channels", "1 channels, 0 are stored", 0},
	{"a version's bytes", "UPDATE versions SET digest = replace(digest, 'a', 'b')",
		"version v", 0},
	{"a version gone", "DELETE FROM versions WHERE revision = 'v2'", "2 versions were published, 1 are", 0},
	{"a version more", "INSERT INTO versions VALUES('y', 'v', 'd', 'c', 1, 1, 1, 1)",
		"2 versions were published, 3 are", 0},
	{"a good version", "UPDATE versions SET first_stable = 5 WHERE revision = 'v2'", "version v2", 0},
	{"what it follows", "INSERT INTO ancestry VALUES('platform', 'v2', 'x', 1)", "version v2", 0},
	{"no JSON", "UPDATE channels SET record = '{'", "the record of platform", 0},
};
/* clang-format on */

static void the_first_wrong_line_is_named(void **state)
{
	(void)state;
	history();
	forge("CREATE TABLE l AS SELECT * FROM ledger;"
	      "CREATE TABLE c AS SELECT * FROM channels;"
	      "CREATE TABLE v AS SELECT * FROM versions;");
	for (size_t i = 0; i < COUNT(forgeries); i++) {
		forge(forgeries[i].sql);
		assert_fails(
			verify(NULL), &site.err, E_INVALID, forgeries[i].part);
		assert_num(report.bad, forgeries[i].bad);
		forge("DELETE FROM ledger; DELETE FROM channels;"
		      "DELETE FROM versions; DELETE FROM ancestry;"
		      "INSERT INTO ledger SELECT * FROM l;"
		      "INSERT INTO channels SELECT * FROM c;"
		      "INSERT INTO versions SELECT * FROM v;");
		assert_ok(verify(NULL), &site.err);
	}
}

/* --- by somebody who chains the lines again --------------------------------
 */

struct forger {
	const char *set;      /* SQL, before; NULL: none */
	int64_t from;         /* what is chained again begins here */
	struct sign_key *key; /* NULL: signatures stay as they are */
	bool strip;           /* or go */
};

static void sign_again(const struct forger *f, int64_t seq,
	const unsigned char *hash, struct buf *head)
{
	struct buf payload = {0};

	ledger_payload(&payload, seq, hash);
	assert_ok(sign_jws(f->key, sign_key_fingerprint(f->key),
			  buf_str(&payload), head, &site.err),
		&site.err);
	buf_release(&payload);
}

static void chain_line(struct db *d, const struct forger *f, int64_t seq,
	struct str line, unsigned char *hash)
{
	struct buf head = {0};
	struct str sum = str_make((const char *)hash, LEDGER_HASH);

	ledger_chain(hash, line);
	if (seq < f->from)
		return;
	if (f->key)
		sign_again(f, seq, hash, &head);
	assert_ok(db_run(d,
			  "UPDATE ledger SET hash = ?, head = CASE ? WHEN 0 "
			  "THEN head WHEN 1 THEN NULL ELSE ? END WHERE seq = ?",
			  DB(DB_BLOB(sum), DB_INT(f->key ? 2 : f->strip),
				  DB_TEXT(buf_str(&head)), DB_INT(seq)),
			  &site.err),
		&site.err);
	buf_release(&head);
}

static void chain_again(const struct forger *f)
{
	enum { MOST = 64 };
	struct db *d;
	struct db_rows r;
	struct str lines[MOST];
	int64_t n = 0;
	unsigned char hash[LEDGER_HASH] = {0};
	enum status st = OK;

	if (f->set)
		forge(f->set);
	assert_ok(db_open(&d, state_path(site.state, STATE_DB, &site.arena),
			  NULL, &site.err),
		&site.err);
	assert_ok(db_query(&r, d, "SELECT line FROM ledger ORDER BY seq",
			  DB_NONE, &site.err),
		&site.err);
	while (n < MOST && db_next(&r, &st, &site.err))
		lines[n++] = arena_str(&site.arena, db_text(&r, 0));
	db_end(&r);
	for (int64_t i = 0; i < n; i++)
		chain_line(d, f, i + 1, lines[i], hash);
	db_close(d);
}

static struct sign_key *another_key(struct buf *public)
{
	const char *path = state_path(site.state, "another", &site.arena);
	struct buf private = {0};
	struct sign_key *key;

	assert_ok(sign_key_generate(ALG_ES256, &private, public, &site.err),
		&site.err);
	assert_ok(fs_write(NULL, path, buf_str(&private), 0600, &site.err),
		&site.err);
	assert_ok(sign_key_load(&key, path, ALG_ES256, &site.err), &site.err);
	buf_release(&private);
	return key;
}

#define AUTHOR                                                                 \
	"UPDATE ledger SET line = replace(line, 'ana', 'bob') WHERE seq = 5"
#define SWAP                                                                   \
	"UPDATE ledger SET seq = -6 WHERE seq = 5;"                            \
	"UPDATE ledger SET seq = 5 WHERE seq = 6;"                             \
	"UPDATE ledger SET seq = 6 WHERE seq = -6;"

static void lines_that_are_chained_again_are_named(void **state)
{
	static const struct {
		struct forger f;
		const char *part;
		int bad;
	} rows[] = {
		{{AUTHOR, 5, NULL, false},
			"ledger line 5: the signature is of another line", 5},
		{{SWAP, 99, NULL, false},
			"ledger line 5: the line and its hash", 5},
		{{SWAP, 5, NULL, false},
			"ledger line 5: the signature is of another line", 5},
		{{SWAP, 5, NULL, true}, "ledger line 5: says that it is line 6",
			5},
		{{"UPDATE ledger SET line = substr(line, 1, 40) WHERE seq = 7",
			 7, NULL, true},
			"ledger line 7", 7},
		{{"DELETE FROM ledger WHERE seq = 7;"
		  "UPDATE ledger SET seq = seq - 1 WHERE seq > 7",
			 7, NULL, true},
			"ledger line 7: says that it is line 8", 7},
		{{"UPDATE ledger SET line = replace(line, "
		  "'\"candidate\":\"v2\"',"
		  " '\"candidate\":\"v1\"') WHERE seq = 12",
			 12, NULL, true},
			"the record before it is not the one it names", 12},
	};

	(void)state;
	history();
	forge("CREATE TABLE l AS SELECT * FROM ledger");
	for (size_t i = 0; i < COUNT(rows); i++) {
		chain_again(&rows[i].f);
		assert_fails(verify(NULL), &site.err, E_INVALID, rows[i].part);
		assert_num(report.bad, rows[i].bad);
		forge("DELETE FROM ledger; INSERT INTO ledger SELECT * FROM l");
		assert_ok(verify(NULL), &site.err);
	}
}

/* It is whole in itself: only what was kept elsewhere tells. */
static void lines_without_signatures_are_counted(void **state)
{
	struct ledger_head kept;

	(void)state;
	history();
	assert_ok(verify(NULL), &site.err);
	kept = report.head;
	chain_again(&(struct forger){AUTHOR, 5, NULL, true});
	assert_ok(verify(NULL), &site.err);
	assert_num(report.signed_until, 4);
	assert_num(report.lines, 12);
	assert_fails(verify(&kept), &site.err, E_INVALID,
		"ledger line 12: the head that was kept elsewhere is another");
}

/* As the folder has it: its public key and its head are as good as new. */
static void a_ledger_that_is_signed_again_is_named(void **state)
{
	struct buf kept_key = {0}, public = {0};
	struct sign_key *key = another_key(&public), *kept;
	struct ledger_head head;
	const char *path =
		state_path(site.state, STATE_KEY_PUBLIC, &site.arena);

	(void)state;
	history();
	assert_ok(verify(NULL), &site.err);
	head = report.head;
	assert_ok(fs_read(NULL, path, 4096, &kept_key, &site.err), &site.err);
	chain_again(&(struct forger){AUTHOR, 5, key, false});
	assert_fails(verify(NULL), &site.err, E_DENIED, "ledger line 5");
	assert_num(report.bad, 5);
	chain_again(&(struct forger){NULL, 1, key, false});
	assert_fails(verify(NULL), &site.err, E_DENIED, "ledger line 1");
	assert_ok(fs_write(NULL, path, buf_str(&public), 0644, &site.err),
		&site.err);
	assert_ok(verify(NULL), &site.err);
	assert_fails(verify(&head), &site.err, E_INVALID, "was rewritten");
	assert_ok(sign_key_parse_public(
			  &kept, buf_str(&kept_key), ALG_ES256, "k", &site.err),
		&site.err);
	assert_fails(ledger_verify(site.state, kept, NULL, &report, &site.err),
		&site.err, E_DENIED, "ledger line 1");
	sign_key_free(kept);
	sign_key_free(key);
	buf_release(&kept_key);
	buf_release(&public);
}

static void who_keeps_a_head_knows_when_lines_are_gone(void **state)
{
	struct ledger_head kept;

	(void)state;
	history();
	assert_ok(verify(NULL), &site.err);
	kept = report.head;
	site_advance("platform", EVENT_CONVERGED, false);
	assert_ok(verify(&kept), &site.err);
	kept = report.head;
	/* Back to before the last change, with all that belongs to it. */
	forge("DELETE FROM ledger WHERE seq > 11");
	assert_fails(verify(&kept), &site.err, E_INVALID,
		"ends at line 11, but line 13 was known");
	kept.seq = 5;
	assert_fails(verify(&kept), &site.err, E_INVALID, "was rewritten");
}

static void a_signature_of_another_key_is_refused(void **state)
{
	struct buf private = {0}, public = {0};
	struct sign_key *key;

	(void)state;
	history();
	assert_ok(sign_key_generate(ALG_ES256, &private, &public, &site.err),
		&site.err);
	assert_ok(sign_key_parse_public(
			  &key, buf_str(&public), ALG_ES256, "k", &site.err),
		&site.err);
	assert_fails(ledger_verify(site.state, key, NULL, &report, &site.err),
		&site.err, E_DENIED, "ledger line 1");
	sign_key_free(key);
	buf_release(&private);
	buf_release(&public);
}

static void a_key_that_can_not_be_read_stops_nothing(void **state)
{
	const char *path = state_path(site.state, STATE_KEY, &site.arena);

	(void)state;
	site_publish("platform", "v1", 1);
	assert_true(site.result.is_signed);
	assert_false(chmod(path, 0644));
	state_close(site.state);
	site_open();
	site_bake("platform", "v1");
	assert_false(site.result.is_signed);
	assert_ok(verify(NULL), &site.err);
	assert_num(report.signed_until, 1);
	assert_num(report.lines, 4);
	assert_false(chmod(path, 0600));
	state_close(site.state);
	site_open();
	SITE_OK("platform", .kind = EVENT_ROLLBACK);
	assert_ok(verify(NULL), &site.err);
	assert_num(report.signed_until, 5);
}

static void the_key_is_its_owners_alone(void **state)
{
	struct fs_info info;

	(void)state;
	site_publish("platform", "v1", 1);
	assert_ok(fs_stat(NULL, state_path(site.state, STATE_KEY, &site.arena),
			  &info, &site.err),
		&site.err);
	assert_num(info.mode, 0600);
}

static void an_export_can_be_chained_again(void **state)
{
	struct buf out = {0}, line = {0}, want = {0};
	unsigned char hash[32] = {0};
	struct str doc, span;
	size_t at = 0, n = 0;

	(void)state;
	history();
	assert_ok(ledger_export(site.state, &out, &site.err), &site.err);
	while (at < out.len) {
		struct digest d;

		assert_ok(json_scan(buf_str(&out), &at, NULL, &doc, &site.err),
			&site.err);
		at++; /* the line's end */
		buf_reset(&line);
		buf_reset(&want);
		assert_true(json_member(doc, S("line"), &span));
		json_text(&line, span);
		digest_init(&d, DIGEST_SHA256);
		digest_update(&d, hash, sizeof(hash));
		digest_update(&d, line.ptr, line.len);
		digest_final(&d, hash);
		digest_hex(&want, hash, sizeof(hash));
		assert_true(json_member(doc, S("hash"), &span));
		assert_true(json_text_is(span, buf_str(&want)));
		n++;
	}
	assert_num(n, 12);
	buf_release(&out);
	buf_release(&line);
	buf_release(&want);
}

/* --- random histories against a model that is too simple to be wrong -------
 */

enum { VERSIONS = 6, TARGETS = 5, STEPS = 60, SEEDS = 15 };

/* Versions and targets by number; 0 is no version. */
static struct model {
	int stable, good, former, candidate, bad[VERSIONS + 1];
	int exposed[TARGETS], held[TARGETS], pin[TARGETS];
	int64_t generation;
	bool was_good[VERSIONS + 1];
} m;

static uint64_t rng;

static int pick(int n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (int)(rng % (uint64_t)n);
}

static const char *const names[] = {"", "v1", "v2", "v3", "v4", "v5", "v6"};
static const char *const ids[] = {"t0", "t1", "t2", "t3", "t4"};

static void model_clear(void)
{
	memset(m.exposed, 0, sizeof(m.exposed));
	memset(m.held, 0, sizeof(m.held));
	m.candidate = 0;
}

static int model_answer(int t)
{
	if (m.pin[t] && !m.bad[m.pin[t]])
		return m.pin[t];
	if (m.pin[t])
		return m.stable;
	if (m.candidate && m.held[t])
		return m.good;
	return m.candidate && m.exposed[t] ? m.candidate : m.stable;
}

static void model_rollback(int to, enum channel_state was)
{
	bool active = channel_busy(was) && was != CHANNEL_ROLLING_BACK;
	int left = active ? m.candidate : m.stable;

	if (left && left != to)
		m.bad[left] = 1;
	m.bad[to] = 0;
	model_clear();
	m.stable = to;
	if (!to || m.was_good[to])
		m.good = to;
	else if (m.good == left)
		m.good = 0;
	m.former = 0;
}

/* What an event that was accepted means. `all` and `add` as in the event. */
static void model_apply(
	const struct channel_event *ev, int v, int t, enum channel_state was)
{
	bool active = channel_busy(was) && was != CHANNEL_ROLLING_BACK;

	switch ((int)ev->kind) {
	case EVENT_START:
		if (active)
			m.stable = m.good;
		model_clear();
		m.candidate = v;
		m.bad[v] = 0;
		break;
	case EVENT_EXPOSE:
		if (ev->all) {
			memset(m.exposed, 0, sizeof(m.exposed));
			m.stable = m.candidate;
			m.held[t] = ev->ntargets != 0;
		} else {
			m.exposed[t] = 1;
		}
		break;
	case EVENT_SUCCEED:
		m.former = m.good;
		m.good = m.candidate;
		m.was_good[m.good] = true;
		model_clear();
		break;
	case EVENT_ABORT:
	case EVENT_REFUSE:
		m.stable = m.good;
		model_clear();
		break;
	case EVENT_ROLLBACK:
		model_rollback(v                          ? v
			       : was == CHANNEL_SUCCEEDED ? m.former
							  : m.good,
			was);
		break;
	case EVENT_PIN:
		m.pin[t] = v;
		break;
	case EVENT_UNPIN:
		m.pin[t] = 0;
		break;
	case EVENT_QUARANTINE:
		m.bad[v] = 1;
		break;
	case EVENT_PARDON:
		m.bad[v] = 0;
		break;
	default:
		break;
	}
}

static void compare(void)
{
	struct channel c = site_channel("p");
	struct channel_rules rules;

	channel_rules(&c, &site.arena, &rules);
	assert_num(c.generation, m.generation);
	assert_str(c.stable.revision, names[m.stable]);
	assert_str(c.last_good.revision, names[m.good]);
	for (int t = 0; t < TARGETS; t++) {
		struct channel_choice got = channel_choose(
			&c, &rules, str_from(ids[t]), NULL, 0, site.now);

		assert_str(got.version ? got.version->revision : S(""),
			names[model_answer(t)]);
	}
	/* Invariants of the record. */
	assert_false(channel_quarantined(&c, c.last_good.revision));
	assert_false(channel_quarantined(&c, c.stable.revision) && m.stable);
}

static void random_step(void)
{
	static const enum channel_event_kind often[] = {EVENT_START,
		EVENT_EXPOSE, EVENT_EXPOSE, EVENT_CONVERGED, EVENT_CONVERGED,
		EVENT_CONVERGED, EVENT_SUCCEED, EVENT_SUCCEED, EVENT_HOLD,
		EVENT_RESUME, EVENT_ABORT, EVENT_ROLLBACK, EVENT_FREEZE,
		EVENT_UNFREEZE, EVENT_PIN, EVENT_UNPIN, EVENT_QUARANTINE,
		EVENT_PARDON, EVENT_REFUSE};
	struct channel before = site_channel("p");
	int v = 1 + pick(VERSIONS), t = pick(TARGETS);
	struct str id = str_from(ids[t]);
	struct channel_event ev = {.kind = often[pick(COUNT(often))],
		.expect = before.generation - !pick(8),
		.version = {.revision = str_from(names[v])},
		.force = pick(2),
		.allow_divergent = true,
		.if_busy = (enum channel_if_busy)(pick(2) * 2),
		.all = !pick(3),
		.evidence = pick(4) ? S("e") : S(""),
		.until_ns = site.now + HOURS(1000),
		.scope = FREEZE_AUTOMATION};

	if (ev.kind == EVENT_ROLLBACK && pick(2))
		ev.version.revision = S(""), v = 0;
	if (ev.kind == EVENT_EXPOSE) {
		ev.targets = &id;
		ev.ntargets = !ev.all || pick(2);
	}
	if (ev.kind == EVENT_PIN || ev.kind == EVENT_UNPIN)
		ev.target = id;
	if (!site_apply("p", ev) && site.result.changed) {
		model_apply(&ev, v, t, before.state);
		m.generation++;
	}
}

static void random_history(uint64_t seed)
{
	rng = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	m = (struct model){0};
	for (int i = 1; i <= VERSIONS; i++)
		site_publish("p", names[i], i);
	for (int i = 0; i < STEPS; i++) {
		random_step();
		compare();
		site_verify(site.state);
	}
}

static void random_histories_are_what_a_naive_model_says(void **state)
{
	int64_t changes = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		if (seed > 1)
			assert_num(site_setup(state), 0);
		random_history(seed);
		changes += m.generation;
		if (seed < SEEDS)
			assert_num(site_teardown(state), 0);
	}
	assert_true(changes > SEEDS * STEPS / 4);
}

#define T(test) cmocka_unit_test_setup_teardown(test, site_setup, site_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(replay_leads_to_the_records),
		T(a_line_says_who_what_why_and_from_where_to_where),
		T(the_first_wrong_line_is_named),
		T(lines_that_are_chained_again_are_named),
		T(lines_without_signatures_are_counted),
		T(a_ledger_that_is_signed_again_is_named),
		T(who_keeps_a_head_knows_when_lines_are_gone),
		T(a_signature_of_another_key_is_refused),
		T(a_key_that_can_not_be_read_stops_nothing),
		T(the_key_is_its_owners_alone),
		T(an_export_can_be_chained_again),
		T(random_histories_are_what_a_naive_model_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
