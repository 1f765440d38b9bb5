/* The channel's record: every event, every refusal, every answer. */
#include "tests/test.h"

#include <string.h>

#include "base/clock.h"
#include "canary/channel.h"

#define H (3600 * NS_PER_S)
#define T0 (INT64_C(1780000000) * NS_PER_S)

enum { ALL_ROLES = ROLE_CI | ROLE_RELEASE | ROLE_ONCALL | ROLE_ENGINE };

static struct arena arena;
static struct channel c;
static struct err err;
static int64_t now;

static struct channel_version version(const char *name, int64_t order)
{
	return (struct channel_version){.revision = str_from(name),
		.digest = str_from(name),
		.commit = str_from(name),
		.commit_time = order * 1000,
		.order = order};
}

#define V1 version("v1", 1)
#define V2 version("v2", 2)
#define V3 version("v3", 3)

static enum channel_refusal apply(struct channel_event ev)
{
	if (!ev.who.len)
		ev.who = S("ana");
	if (!ev.roles)
		ev.roles = ALL_ROLES;
	memset(&err, 0, sizeof(err));
	return channel_apply(&c, &ev, now, &arena, &c, &err);
}

/* With the generation that stands, and a reason. */
static enum channel_refusal fresh(struct channel_event ev)
{
	ev.expect = c.generation;
	if (!ev.why.len)
		ev.why = S("because");
	return apply(ev);
}

#define OKAY(...)                                                              \
	do {                                                                   \
		enum channel_refusal r_ =                                      \
			fresh((struct channel_event){__VA_ARGS__});            \
		if (r_)                                                        \
			fail_msg("refused: %s: %s", channel_refusal_name(r_),  \
				err.text);                                     \
	} while (0)

/* The record stays, and the text holds `part`. */
#define REFUSED(want, part, ...)                                               \
	do {                                                                   \
		struct buf before_ = {0}, after_ = {0};                        \
		channel_write(&c, &before_);                                   \
		enum channel_refusal r_ =                                      \
			fresh((struct channel_event){__VA_ARGS__});            \
		channel_write(&c, &after_);                                    \
		if (r_ != (want))                                              \
			fail_msg("got %s (%s), want %s",                       \
				channel_refusal_name(r_), err.text, #want);    \
		assert_true(str_eq(buf_str(&before_), buf_str(&after_)));      \
		if (!strstr(err.text, part))                                   \
			fail_msg("\"%s\" lacks \"%s\"", err.text, part);       \
		buf_release(&before_);                                         \
		buf_release(&after_);                                          \
	} while (0)

static int setup(void **state)
{
	(void)state;
	c = (struct channel){.bundle = S("platform")};
	now = T0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static struct str some[] = {STR("t2"), STR("t1"), STR("t2")};
static struct str more[] = {STR("t3")};
static struct str held[] = {STR("t9")};

#define SOME .targets = some, .ntargets = 3
#define EVIDENCE .evidence = S("verdict:1")

static void start(struct channel_version v)
{
	OKAY(.kind = EVENT_START, .version = v);
}

static void to_baking(struct channel_version v)
{
	start(v);
	OKAY(.kind = EVENT_EXPOSE, .ring = S("canary"), SOME);
	OKAY(.kind = EVENT_CONVERGED);
}

static void to_fleet_bake(struct channel_version v)
{
	to_baking(v);
	OKAY(.kind = EVENT_EXPOSE, .ring = S("fleet"), .all = true,
		.targets = held, .ntargets = 1, EVIDENCE);
	OKAY(.kind = EVENT_CONVERGED);
}

static void release(struct channel_version v)
{
	to_fleet_bake(v);
	OKAY(.kind = EVENT_SUCCEED, EVIDENCE);
}

static const char *given(const char *id)
{
	struct channel_rules rules;
	struct channel_choice got;

	channel_rules(&c, &arena, &rules);
	got = channel_choose(&c, &rules, str_from(id), NULL, 0, now);
	return got.version ? arena_strdup(&arena, got.version->revision) : "";
}

/* --- one rollout ---------------------------------------------------------- */

static void a_rollout_goes_ring_by_ring(void **state)
{
	(void)state;
	release(V1);
	assert_string_equal(given("t1"), "v1");
	start(V2);
	assert_string_equal(given("t1"), "v1");
	OKAY(.kind = EVENT_EXPOSE, .ring = S("canary"), SOME);
	assert_num(c.state, CHANNEL_DISTRIBUTING);
	assert_num(c.ntargets, 2);
	assert_string_equal(given("t1"), "v2");
	assert_string_equal(given("t3"), "v1");
	OKAY(.kind = EVENT_CONVERGED);
	OKAY(.kind = EVENT_EXPOSE, .targets = more, .ntargets = 1, EVIDENCE);
	assert_num(c.ring, 2);
	assert_string_equal(given("t1"), "v2");
	assert_string_equal(given("t3"), "v2");
}

static void last_good_moves_when_the_fleet_bake_passes(void **state)
{
	(void)state;
	release(V1);
	to_fleet_bake(V2);
	assert_str(c.stable.revision, "v2");
	assert_str(c.last_good.revision, "v1");
	assert_string_equal(given("anybody"), "v2");
	assert_string_equal(given("t9"), "v1"); /* held back */
	OKAY(.kind = EVENT_SUCCEED, EVIDENCE);
	assert_str(c.last_good.revision, "v2");
	assert_str(c.former.revision, "v1");
	assert_string_equal(given("t9"), "v2");
	assert_num(c.ntargets, 0);
}

static void nobody_who_has_the_candidate_is_held_back(void **state)
{
	(void)state;
	to_baking(V1);
	REFUSED(REFUSED_VALUE, "t1 has the candidate", .kind = EVENT_EXPOSE,
		.all = true, SOME, EVIDENCE);
}

static void a_bake_ends_by_evidence_or_by_people_with_force(void **state)
{
	(void)state;
	to_baking(V1);
	REFUSED(REFUSED_EVIDENCE, "no verdict", .kind = EVENT_EXPOSE,
		.all = true);
	REFUSED(REFUSED_EVIDENCE, "no verdict", .kind = EVENT_EXPOSE,
		.all = true, .force = true, .roles = ROLE_ENGINE);
	OKAY(.kind = EVENT_EXPOSE, .all = true, .force = true,
		.roles = ROLE_RELEASE);
}

static void people_end_a_hold(void **state)
{
	(void)state;
	to_baking(V1);
	OKAY(.kind = EVENT_HOLD, .why = S("inconclusive"));
	assert_str(c.hold, "inconclusive");
	REFUSED(REFUSED_PEOPLE, "a person", .kind = EVENT_EXPOSE, .all = true,
		EVIDENCE, .roles = ROLE_ENGINE);
	OKAY(.kind = EVENT_RESUME);
	assert_num(c.state, CHANNEL_BAKING);
	OKAY(.kind = EVENT_HOLD, .why = S("paused"));
	OKAY(.kind = EVENT_EXPOSE, .all = true, .roles = ROLE_RELEASE);
	assert_num(c.state, CHANNEL_DISTRIBUTING);
}

static void a_ring_without_targets_is_refused(void **state)
{
	(void)state;
	start(V1);
	REFUSED(REFUSED_NOTHING, "has no targets", .kind = EVENT_EXPOSE,
		.ring = S("eu"));
}

static void an_aborted_rollout_leaves_everybody_on_the_last_good(void **state)
{
	(void)state;
	release(V1);
	to_fleet_bake(V2);
	OKAY(.kind = EVENT_ABORT);
	assert_num(c.state, CHANNEL_ABORTED);
	assert_string_equal(given("t1"), "v1");
	assert_string_equal(given("anybody"), "v1");
	assert_false(channel_quarantined(&c, S("v2")));
}

/* --- every event from every state ------------------------------------------
 */

/* Put a channel with v1 behind it into a state. */
static void bring_to(enum channel_state s)
{
	c = (struct channel){.bundle = S("platform")};
	if (s == CHANNEL_IDLE)
		return;
	release(V1);
	if (s == CHANNEL_SUCCEEDED)
		return;
	if (s == CHANNEL_FLEET_BAKE) {
		to_fleet_bake(V2);
		return;
	}
	start(V2);
	if (s == CHANNEL_PREFLIGHT)
		return;
	if (s == CHANNEL_REFUSED) {
		OKAY(.kind = EVENT_REFUSE);
		return;
	}
	OKAY(.kind = EVENT_EXPOSE, SOME);
	if (s == CHANNEL_DISTRIBUTING)
		return;
	OKAY(.kind = EVENT_CONVERGED);
	if (s == CHANNEL_HOLD)
		OKAY(.kind = EVENT_HOLD);
	if (s == CHANNEL_ABORTED)
		OKAY(.kind = EVENT_ABORT);
	if (s == CHANNEL_ROLLING_BACK || s == CHANNEL_ROLLED_BACK)
		OKAY(.kind = EVENT_ROLLBACK);
	if (s == CHANNEL_ROLLED_BACK)
		OKAY(.kind = EVENT_CONVERGED);
}

static void who_approves_counts_once_and_until_the_state_is_left(void **state)
{
	(void)state;
	to_baking(V3);
	OKAY(.kind = EVENT_APPROVE, .who = S("ben"));
	OKAY(.kind = EVENT_APPROVE, .who = S("ana"));
	REFUSED(REFUSED_ALREADY, "ben has approved already",
		.kind = EVENT_APPROVE, .who = S("ben"));
	assert_num(c.napprovals, 2);
	assert_str(c.approvals[1], "ana");
	OKAY(.kind = EVENT_HOLD, .why = S("x"));
	assert_num(c.napprovals, 0);
	OKAY(.kind = EVENT_APPROVE, .who = S("ben"));
}

/* clang-format off */
/* Columns: idle preflight distributing baking hold fleet-bake rolling-back
 * succeeded rolled-back aborted refused. 1 is allowed by state. */
static const struct {
	enum channel_event_kind kind;
	const char *from;
} moves[] = {
	{EVENT_PUBLISH,    "11111111111"},
	{EVENT_START,      "11111111111"},
	{EVENT_REFUSE,     "01000000000"},
	{EVENT_EXPOSE,     "01011000000"},
	{EVENT_CONVERGED,  "00100010000"},
	{EVENT_HOLD,       "00110100000"},
	{EVENT_RESUME,     "00001000000"},
	{EVENT_APPROVE,    "00111100000"},
	{EVENT_SUCCEED,    "00001100000"},
	{EVENT_ABORT,      "01111100000"},
	{EVENT_ROLLBACK,   "11111111111"},
	{EVENT_FREEZE,     "11111111111"},
	{EVENT_UNFREEZE,   "11111111111"},
	{EVENT_PIN,        "11111111111"},
	{EVENT_UNPIN,      "11111111111"},
	{EVENT_QUARANTINE, "11111111111"},
	{EVENT_PARDON,     "11111111111"},
	{EVENT_EPOCH,      "11111111111"},
};
/* clang-format on */

static void each_event_is_refused_from_the_states_it_may_not_leave(void **state)
{
	(void)state;
	assert_num(COUNT(moves), EVENTS - 1);
	for (size_t i = 0; i < COUNT(moves); i++)
		for (int s = 0; s < CHANNEL_STATES; s++) {
			struct channel_event ev = {.kind = moves[i].kind,
				.version = V3,
				.why = S("x"),
				.expect = 1};
			bool allowed = moves[i].from[s] == '1';
			enum channel_refusal r;

			bring_to((enum channel_state)s);
			assert_num(c.state, s);
			/* Generation 0 is before any event that names one. */
			if (!c.generation && !allowed)
				c.generation = 1;
			r = fresh(ev);
			if ((r != REFUSED_STATE) != allowed &&
				!(moves[i].kind == EVENT_SUCCEED &&
					s == CHANNEL_HOLD))
				fail_msg("%s from %s: %s",
					channel_event_name(ev.kind),
					channel_state_name(
						(enum channel_state)s),
					channel_refusal_name(r));
		}
}

/* clang-format off */
static const struct {
	enum channel_event_kind kind;
	const char *who; /* c r o e */
} may[] = {
	{EVENT_PUBLISH, "cr"},   {EVENT_START, "cre"},     {EVENT_REFUSE, "re"},
	{EVENT_EXPOSE, "re"},    {EVENT_CONVERGED, "e"},   {EVENT_HOLD, "roe"},
	{EVENT_RESUME, "ro"},    {EVENT_SUCCEED, "re"},    {EVENT_ABORT, "ro"},
	{EVENT_ROLLBACK, "roe"}, {EVENT_FREEZE, "ro"},     {EVENT_UNFREEZE, "r"},
	{EVENT_PIN, "ro"},       {EVENT_UNPIN, "ro"},      {EVENT_QUARANTINE, "ro"},
	{EVENT_PARDON, "r"},     {EVENT_EPOCH, "r"},
	{EVENT_APPROVE, "r"},
};
/* clang-format on */

static void each_role_may_what_it_may(void **state)
{
	static const char letters[] = "croe";

	(void)state;
	for (size_t i = 0; i < COUNT(may); i++)
		for (int role = 0; role < 4; role++) {
			enum channel_refusal r = apply((struct channel_event){
				.kind = may[i].kind, .roles = 1 << role});

			if ((r != REFUSED_ROLE) !=
				(strchr(may[i].who, letters[role]) != NULL))
				fail_msg("%s by %c: %s",
					channel_event_name(may[i].kind),
					letters[role], channel_refusal_name(r));
			setup(NULL);
		}
	assert_num(apply((struct channel_event){
			   .kind = EVENT_ROLLBACK, .roles = 1 << 10}),
		REFUSED_ROLE);
}

static void what_an_event_lacks_is_named(void **state)
{
	(void)state;
	assert_num(apply((struct channel_event){.kind = EVENT_START}),
		REFUSED_VALUE);
	assert_num(apply((struct channel_event){.kind = EVENT_NONE}),
		REFUSED_VALUE);
	assert_num(apply((struct channel_event){.kind = EVENT_FREEZE}),
		REFUSED_WHY);
	assert_num(apply((struct channel_event){
			   .kind = EVENT_ROLLBACK, .force = true}),
		REFUSED_WHY);
	start(V1);
	assert_num(apply((struct channel_event){
			   .kind = EVENT_EXPOSE, .all = true}),
		REFUSED_VALUE);
	REFUSED(REFUSED_VALUE, "not UTF-8", .kind = EVENT_ABORT,
		.why = S("\xff"));
	REFUSED(REFUSED_VALUE, "no id", .kind = EVENT_EXPOSE,
		.targets = &(struct str){0}, .ntargets = 1);
}

static void texts_and_targets_have_limits(void **state)
{
	struct buf b = {0};
	struct str *ids =
		ARENA_ARRAY(&arena, struct str, CHANNEL_TARGETS_MAX + 1);

	(void)state;
	memset(buf_reserve(&b, CHANNEL_TEXT_MAX + 1), 'x',
		CHANNEL_TEXT_MAX + 1);
	start(V1);
	REFUSED(REFUSED_VALUE, "longer than 65536", .kind = EVENT_ABORT,
		.why = str_make(b.ptr, CHANNEL_TEXT_MAX + 1));
	for (int i = 0; i <= CHANNEL_TARGETS_MAX; i++)
		ids[i] = str_from(arena_printf(&arena, "t%d", i));
	REFUSED(REFUSED_LIMIT, "more than 100000", .kind = EVENT_EXPOSE,
		.targets = ids, .ntargets = CHANNEL_TARGETS_MAX + 1);
	OKAY(.kind = EVENT_EXPOSE, .targets = ids,
		.ntargets = CHANNEL_TARGETS_MAX);
	OKAY(.kind = EVENT_CONVERGED);
	REFUSED(REFUSED_LIMIT, "more than 100000", .kind = EVENT_EXPOSE,
		.targets = ids + CHANNEL_TARGETS_MAX, .ntargets = 1, EVIDENCE);
	OKAY(.kind = EVENT_ABORT, .why = str_make(b.ptr, CHANNEL_TEXT_MAX));
	buf_release(&b);
}

/* --- who comes first --------------------------------------------------------
 */

static void who_decided_on_an_older_generation_is_late(void **state)
{
	int64_t seen;

	(void)state;
	to_baking(V1);
	seen = c.generation;
	OKAY(.kind = EVENT_HOLD);
	assert_num(apply((struct channel_event){
			   .kind = EVENT_EXPOSE, .all = true, .expect = seen}),
		REFUSED_GENERATION);
	assert_non_null(strstr(err.text, "look again"));
	assert_num(apply((struct channel_event){.kind = EVENT_RESUME,
			   .expect = c.generation,
			   .rollout = 7}),
		REFUSED_ROLLOUT);
}

static void who_lost_against_a_rollback_is_told_so(void **state)
{
	int64_t seen;

	(void)state;
	release(V1);
	to_baking(V2);
	seen = c.generation;
	OKAY(.kind = EVENT_ROLLBACK);
	assert_num(c.fence, c.generation);
	assert_num(apply((struct channel_event){
			   .kind = EVENT_EXPOSE, .all = true, .expect = seen}),
		REFUSED_FENCED);
	assert_non_null(strstr(err.text, "a rollback came first"));
}

static void a_busy_channel_rejects_queues_or_is_superseded(void **state)
{
	(void)state;
	release(V1);
	to_baking(V2);
	REFUSED(REFUSED_BUSY, "--if-busy", .kind = EVENT_START, .version = V3);
	REFUSED(REFUSED_ALREADY, "being rolled out", .kind = EVENT_START,
		.version = V2);
	OKAY(.kind = EVENT_START, .version = V3, .if_busy = BUSY_QUEUE);
	assert_str(c.queued.revision, "v3");
	assert_string_equal(given("t1"), "v2");
	REFUSED(REFUSED_ALREADY, "waiting", .kind = EVENT_START, .version = V3,
		.if_busy = BUSY_QUEUE);
	OKAY(.kind = EVENT_START, .version = version("v4", 4),
		.if_busy = BUSY_QUEUE);
	REFUSED(REFUSED_STALE_COMMIT, "waits already", .kind = EVENT_START,
		.version = V3, .if_busy = BUSY_QUEUE);
	OKAY(.kind = EVENT_START, .version = version("v5", 5),
		.if_busy = BUSY_SUPERSEDE);
	assert_str(c.candidate.revision, "v5");
	assert_num(c.ntargets, 0);
	assert_string_equal(given("t1"), "v1"); /* compared with v1 again */
}

static void superseding_a_fleet_bake_goes_back_first(void **state)
{
	(void)state;
	release(V1);
	to_fleet_bake(V2);
	OKAY(.kind = EVENT_START, .version = V3, .if_busy = BUSY_SUPERSEDE);
	assert_str(c.stable.revision, "v1");
	assert_string_equal(given("anybody"), "v1");
}

static void the_engine_starts_only_what_waits(void **state)
{
	(void)state;
	to_baking(V1);
	OKAY(.kind = EVENT_START, .version = V2, .if_busy = BUSY_QUEUE);
	OKAY(.kind = EVENT_ABORT);
	REFUSED(REFUSED_PEOPLE, "not what waits", .kind = EVENT_START,
		.version = V3, .roles = ROLE_ENGINE);
	OKAY(.kind = EVENT_START, .version = V2, .roles = ROLE_ENGINE);
	assert_num(c.queued.revision.len, 0);
}

static void a_late_job_and_a_rewritten_history_are_refused(void **state)
{
	struct channel_version other = {.revision = S("x"), .commit = S("x")};

	(void)state;
	other.order = 2;
	for (size_t i = 0; i < 4; i++) {
		struct channel_version v[] = {V1, V3, other, V2}, base = V2;
		enum channel_relation want[] = {RELATION_STALE, RELATION_AHEAD,
			RELATION_DIVERGENT, RELATION_UNKNOWN};

		assert_num(channel_relation(&v[i], &base), want[i]);
		base.order = 0; /* by time alone */
		assert_num(channel_relation(&v[i], &base),
			i % 2 ? RELATION_UNKNOWN : RELATION_STALE);
	}
	release(V2);
	REFUSED(REFUSED_STALE_COMMIT, "late job", .kind = EVENT_START,
		.version = V1, .relation = RELATION_STALE);
	REFUSED(REFUSED_DIVERGENT, "--allow-divergent", .kind = EVENT_START,
		.version = other, .relation = RELATION_DIVERGENT);
	OKAY(.kind = EVENT_START, .version = other,
		.relation = RELATION_DIVERGENT, .allow_divergent = true);
}

static void what_follows_stable_is_told_by_what_it_lists(void **state)
{
	static const struct {
		int64_t time, base_time, order, base_order;
		const char *commits;
		int64_t since;
		const char *base_commits;
		int64_t base_since;
		enum channel_relation want;
	} rows[] = {
		/* Listed: whatever counts and times say. */
		{9, 5, 2, 7, "aaaa.bbbb", 1, "", 0, RELATION_AHEAD},
		{5, 9, 7, 2, "cccc", 1, "vvvv", 1, RELATION_STALE},
		/* Not listed, though it would be. */
		{9, 5, 7, 2, "cccc", 1, "", 0, RELATION_DIVERGENT},
		{9, 5, 7, 2, "cccc", 4, "", 0, RELATION_DIVERGENT},
		{9, 5, 0, 0, "", 1, "", 0, RELATION_DIVERGENT},
		/* Older than what is listed: by counts, or times. */
		{9, 5, 7, 2, "cccc", 5, "", 0, RELATION_AHEAD},
		{9, 5, 0, 0, "cccc", 6, "", 0, RELATION_UNKNOWN},
		{9, 5, 0, 0, "", 0, "", 0, RELATION_UNKNOWN},
		/* A late job is one also where nobody can list it any more. */
		{5, 9, 2, 7, "cccc", 1, "dddd", 6, RELATION_STALE},
		{5, 9, 2, 7, "cccc", 1, "dddd", 4, RELATION_DIVERGENT},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct channel_version v = {.commit = S("vvvvvv"),
			.commit_time = rows[i].time,
			.order = rows[i].order};
		struct channel_version base = {.commit = S("bbbbbb"),
			.commit_time = rows[i].base_time,
			.order = rows[i].base_order};
		struct channel_ancestry of_v = {
			str_from(rows[i].commits), rows[i].since};
		struct channel_ancestry of_base = {
			str_from(rows[i].base_commits), rows[i].base_since};
		enum channel_relation got =
			channel_descent(&v, &of_v, &base, &of_base);

		if (got != rows[i].want)
			fail_msg("row %zu: %d, want %d", i, got, rows[i].want);
		base.commit = v.commit; /* the same one again */
		assert_num(channel_descent(&v, &of_v, &base, &of_base),
			RELATION_UNKNOWN);
	}
}

static void what_a_version_contains_is_what_it_follows(void **state)
{
	static const struct {
		const char *commit, *follows, *of;
		bool contains;
	} rows[] = {
		{"aaaaaa", "", "aaaaaa", true}, /* the same one, built again */
		{"aaaaaa", "cccc.bbbb", "bbbbbb", true},
		{"aaaaaa", "cccc", "bbbbbb", false},
		{"aaaaaa", "", "bbbbbb", false},
		{"", "", "", false},
		{"aaaaaa", "bbbb", "", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct channel_version v = {.commit = str_from(rows[i].commit)};
		struct channel_version q = {.commit = str_from(rows[i].of)};
		struct channel_ancestry x = {str_from(rows[i].follows), 1};

		if (channel_contains(&v, &x, &q) != rows[i].contains)
			fail_msg("row %zu", i);
	}
}

static void a_version_never_changes_its_bytes(void **state)
{
	(void)state;
	assert_num(apply((struct channel_event){
			   .kind = EVENT_PUBLISH, .version = V1}),
		REFUSED_NOT);
	assert_num(c.generation, 0);
	REFUSED(REFUSED_ALREADY, "same bytes", .kind = EVENT_PUBLISH,
		.version = V1, .known = KNOWN_SAME);
	REFUSED(REFUSED_OTHER_BYTES, "other bytes", .kind = EVENT_PUBLISH,
		.version = V1, .known = KNOWN_OTHER);
}

/* --- back ----------------------------------------------------------------- */

static void a_rollback_works_from_every_state(void **state)
{
	(void)state;
	for (int s = CHANNEL_PREFLIGHT; s <= CHANNEL_FLEET_BAKE; s++) {
		bring_to((enum channel_state)s);
		OKAY(.kind = EVENT_ROLLBACK, .roles = ROLE_ONCALL);
		assert_num(c.state, CHANNEL_ROLLING_BACK);
		assert_str(c.stable.revision, "v1");
		assert_str(c.last_good.revision, "v1");
		assert_str(c.bad.revision, "v2");
		assert_true(channel_quarantined(&c, S("v2")));
		assert_string_equal(given("t1"), "v1");
		assert_string_equal(given("anybody"), "v1");
		assert_non_null(channel_frozen(&c, true, now));
		assert_null(channel_frozen(&c, false, now));
		assert_null(channel_frozen(&c, true, now + 12 * H));
		REFUSED(REFUSED_ALREADY, "already at v1, 0 changed",
			.kind = EVENT_ROLLBACK);
		OKAY(.kind = EVENT_CONVERGED);
		REFUSED(REFUSED_ALREADY, "already at v1",
			.kind = EVENT_ROLLBACK);
	}
}

static void a_rollout_that_succeeded_can_be_taken_back_once(void **state)
{
	(void)state;
	release(V1);
	release(V2);
	OKAY(.kind = EVENT_ROLLBACK);
	assert_str(c.stable.revision, "v1");
	REFUSED(REFUSED_ALREADY, "already at v1", .kind = EVENT_ROLLBACK);
	assert_true(channel_quarantined(&c, S("v2")));
}

static void after_an_abort_there_is_nothing_to_take_back(void **state)
{
	(void)state;
	release(V1);
	release(V2);
	start(V3);
	OKAY(.kind = EVENT_ABORT);
	REFUSED(REFUSED_ALREADY, "already at v2", .kind = EVENT_ROLLBACK);
}

static void without_a_former_version_one_has_to_be_named(void **state)
{
	(void)state;
	release(V1);
	REFUSED(REFUSED_NO_GOOD, "--to", .kind = EVENT_ROLLBACK);
	release(V2);
	OKAY(.kind = EVENT_QUARANTINE, .version = V1);
	REFUSED(REFUSED_NO_GOOD, "--to", .kind = EVENT_ROLLBACK);
}

static void the_first_rollout_can_be_taken_back_to_nothing(void **state)
{
	(void)state;
	to_fleet_bake(V1);
	OKAY(.kind = EVENT_ROLLBACK);
	assert_num(c.stable.revision.len, 0);
	assert_string_equal(given("t1"), "");
}

static void further_back_takes_a_version_that_was_good(void **state)
{
	(void)state;
	release(V1);
	release(V2);
	release(V3);
	REFUSED(REFUSED_NOT_PROMOTED, "never reached", .kind = EVENT_ROLLBACK,
		.version = version("v0", 0));
	OKAY(.kind = EVENT_ROLLBACK, .version = V1, .promoted = true);
	assert_str(c.stable.revision, "v1");
	assert_str(c.last_good.revision, "v1");
	assert_true(channel_quarantined(&c, S("v3")));
	REFUSED(REFUSED_QUARANTINED, "--force", .kind = EVENT_ROLLBACK,
		.version = V3, .promoted = true);
	OKAY(.kind = EVENT_ROLLBACK, .version = V3, .promoted = true,
		.force = true);
	assert_false(channel_quarantined(&c, S("v3")));
	assert_true(channel_quarantined(&c, S("v1")));
	OKAY(.kind = EVENT_ROLLBACK, .version = version("v0", 0),
		.force = true);
	assert_str(c.stable.revision, "v0");
	assert_num(c.last_good.revision.len, 0); /* v3 is bad, v0 never good */
}

static void a_version_in_quarantine_starts_by_people_with_force(void **state)
{
	(void)state;
	release(V1);
	to_baking(V2);
	OKAY(.kind = EVENT_ROLLBACK);
	OKAY(.kind = EVENT_CONVERGED);
	REFUSED(REFUSED_QUARANTINED, "--force", .kind = EVENT_START,
		.version = V2);
	REFUSED(REFUSED_QUARANTINED, "--force", .kind = EVENT_START,
		.version = V2, .force = true, .roles = ROLE_CI);
	OKAY(.kind = EVENT_START, .version = V2, .force = true,
		.roles = ROLE_RELEASE);
	assert_false(channel_quarantined(&c, S("v2")));
}

static void quarantine_is_not_for_what_is_in_use(void **state)
{
	(void)state;
	release(V1);
	to_baking(V2);
	REFUSED(REFUSED_IN_USE, "roll back", .kind = EVENT_QUARANTINE,
		.version = V1);
	REFUSED(REFUSED_IN_USE, "candidate", .kind = EVENT_QUARANTINE,
		.version = V2);
	OKAY(.kind = EVENT_QUARANTINE, .version = V3);
	REFUSED(REFUSED_ALREADY, "quarantine", .kind = EVENT_QUARANTINE,
		.version = V3);
	OKAY(.kind = EVENT_PARDON, .version = V3);
	REFUSED(REFUSED_NOTHING, "not in quarantine", .kind = EVENT_PARDON,
		.version = V3);
}

static void a_full_quarantine_never_stops_a_rollback(void **state)
{
	(void)state;
	release(V1);
	for (int i = 0; i < CHANNEL_QUARANTINE_MAX; i++)
		OKAY(.kind = EVENT_QUARANTINE,
			.version = version(
				arena_printf(&arena, "q%d", i), 10 + i));
	REFUSED(REFUSED_LIMIT, "more than 1000", .kind = EVENT_QUARANTINE,
		.version = V3);
	start(V2);
	OKAY(.kind = EVENT_ROLLBACK);
	assert_num(c.nquarantine, CHANNEL_QUARANTINE_MAX);
	assert_true(channel_quarantined(&c, S("v2")));
	assert_false(channel_quarantined(&c, S("q0")));
}

/* --- freezes -------------------------------------------------------------- */

static void a_freeze_stops_everybody_but_a_rollback(void **state)
{
	(void)state;
	release(V1);
	to_baking(V2);
	OKAY(.kind = EVENT_FREEZE, .scope = FREEZE_ALL, .until_ns = now + H,
		.why = S("holidays"));
	REFUSED(REFUSED_FROZEN, "frozen by ana (holidays)",
		.kind = EVENT_EXPOSE, .all = true, EVIDENCE);
	OKAY(.kind = EVENT_HOLD, .why = S("frozen"));
	REFUSED(REFUSED_FROZEN, "frozen", .kind = EVENT_EXPOSE, .all = true);
	OKAY(.kind = EVENT_ROLLBACK);
	OKAY(.kind = EVENT_CONVERGED);
	REFUSED(REFUSED_FROZEN, "--break-glass", .kind = EVENT_START,
		.version = V3);
	REFUSED(REFUSED_FROZEN, "frozen", .kind = EVENT_START, .version = V3,
		.break_glass = true, .roles = ROLE_CI);
	OKAY(.kind = EVENT_START, .version = V3, .if_busy = BUSY_QUEUE);
	assert_str(c.queued.revision, "v3");
	OKAY(.kind = EVENT_START, .version = V3, .break_glass = true,
		.roles = ROLE_RELEASE);
	assert_num(c.state, CHANNEL_PREFLIGHT);
}

static void after_a_rollback_people_go_on_and_automation_waits(void **state)
{
	(void)state;
	release(V1);
	to_baking(V2);
	OKAY(.kind = EVENT_ROLLBACK);
	OKAY(.kind = EVENT_CONVERGED);
	REFUSED(REFUSED_FROZEN, "frozen", .kind = EVENT_START, .version = V3,
		.roles = ROLE_CI);
	now += 12 * H;
	OKAY(.kind = EVENT_START, .version = V3, .roles = ROLE_CI);
	OKAY(.kind = EVENT_ABORT);
	now -= 12 * H;
	OKAY(.kind = EVENT_START, .version = V3, .roles = ROLE_RELEASE);
}

static void a_freeze_has_an_end_and_can_begin_later(void **state)
{
	(void)state;
	REFUSED(REFUSED_UNTIL, "--until", .kind = EVENT_FREEZE);
	REFUSED(REFUSED_UNTIL, "--until", .kind = EVENT_FREEZE,
		.until_ns = now);
	REFUSED(REFUSED_UNTIL, "--until", .kind = EVENT_FREEZE,
		.from_ns = now + H, .until_ns = now + H);
	OKAY(.kind = EVENT_FREEZE, .scope = FREEZE_ALL, .from_ns = now + H,
		.until_ns = now + 2 * H);
	assert_null(channel_frozen(&c, false, now));
	assert_non_null(channel_frozen(&c, false, now + H));
	assert_null(channel_frozen(&c, false, now + 2 * H));
	OKAY(.kind = EVENT_UNFREEZE, .scope = FREEZE_ALL);
	assert_null(channel_frozen(&c, false, now + H));
	REFUSED(REFUSED_ALREADY, "not frozen", .kind = EVENT_UNFREEZE);
}

static void the_freeze_of_automation_ends_by_itself_or_with_that_of_all(
	void **state)
{
	(void)state;
	for (int scope = 0; scope < FREEZES; scope++) {
		for (int i = 0; i < FREEZES; i++)
			OKAY(.kind = EVENT_FREEZE,
				.scope = (enum channel_freeze_scope)i,
				.until_ns = now + H);
		OKAY(.kind = EVENT_UNFREEZE,
			.scope = (enum channel_freeze_scope)scope);
		assert_int_equal(channel_frozen(&c, true, now) != NULL,
			scope == FREEZE_AUTOMATION);
		assert_int_equal(channel_frozen(&c, false, now) != NULL,
			scope == FREEZE_AUTOMATION);
	}
}

static void what_stops_all_channels_stops_this_one(void **state)
{
	(void)state;
	release(V1);
	REFUSED(REFUSED_FROZEN,
		"all channels are frozen by bo (no reason); unfreeze --all",
		.kind = EVENT_START, .version = V2, .frozen_by = S("bo"));
	REFUSED(REFUSED_FROZEN, "frozen by bo (fair)", .kind = EVENT_START,
		.version = V2, .frozen_by = S("bo"), .frozen_why = S("fair"),
		.roles = ROLE_CI, .break_glass = true);
	OKAY(.kind = EVENT_START, .version = V2, .if_busy = BUSY_QUEUE,
		.frozen_by = S("bo"));
	assert_str(c.queued.revision, "v2");
	OKAY(.kind = EVENT_START, .version = V2, .break_glass = true,
		.roles = ROLE_RELEASE, .frozen_by = S("bo"));
	REFUSED(REFUSED_FROZEN, "frozen by bo", .kind = EVENT_EXPOSE,
		.ring = S("x"), .all = true, .frozen_by = S("bo"));
	OKAY(.kind = EVENT_ROLLBACK, .frozen_by = S("bo"));
}

static void a_rollback_keeps_a_longer_freeze(void **state)
{
	(void)state;
	release(V1);
	OKAY(.kind = EVENT_FREEZE, .until_ns = now + 20 * H, .why = S("audit"));
	start(V2);
	OKAY(.kind = EVENT_ROLLBACK);
	assert_non_null(channel_frozen(&c, true, now + 19 * H));
	assert_str(c.freeze[FREEZE_AUTOMATION].why, "audit");
}

/* --- pins and answers -------------------------------------------------------
 */

static const char *labelled(const char *id, const char *region)
{
	struct label l = {S("region"), str_from(region)};
	struct channel_rules rules;
	struct channel_choice got;

	channel_rules(&c, &arena, &rules);
	got = channel_choose(&c, &rules, str_from(id), &l, 1, now);
	return arena_printf(&arena, "%.*s %s",
		STR_ARG(got.version ? got.version->revision : S("-")),
		channel_why_name(got.why));
}

static void a_pin_goes_before_candidate_and_stable(void **state)
{
	(void)state;
	release(V1);
	release(V2);
	to_baking(V3);
	OKAY(.kind = EVENT_PIN, .target = S("t1"), .version = V1,
		.until_ns = now + H);
	OKAY(.kind = EVENT_PIN, .selector = S("region=eu"), .version = V2,
		.until_ns = now + 2 * H);
	assert_string_equal(labelled("t1", "eu"), "v1 pin");
	assert_string_equal(labelled("t2", "eu"), "v2 pin");
	assert_string_equal(labelled("t2", "us"), "v3 candidate");
	assert_string_equal(labelled("t7", "us"), "v2 stable");
	now += H;
	assert_string_equal(labelled("t1", "eu"), "v2 pin");
	OKAY(.kind = EVENT_HOLD);
	assert_num(c.npins, 1); /* one that ended goes with the next change */
	OKAY(.kind = EVENT_UNPIN, .selector = S("region=eu"));
	REFUSED(REFUSED_NOTHING, "no pin of region=eu", .kind = EVENT_UNPIN,
		.selector = S("region=eu"));
}

static void nobody_and_strangers_get_stable(void **state)
{
	(void)state;
	release(V1);
	to_baking(V2);
	OKAY(.kind = EVENT_PIN, .selector = S("region=eu"), .version = V2,
		.until_ns = now + H);
	assert_string_equal(labelled("", "eu"), "v1 unknown-target");
	assert_string_equal(labelled("stranger", "us"), "v1 stable");
}

static void a_pin_to_a_bad_version_does_not_hold(void **state)
{
	(void)state;
	release(V1);
	to_baking(V2);
	OKAY(.kind = EVENT_PIN, .target = S("t1"), .version = V2,
		.until_ns = now + H);
	OKAY(.kind = EVENT_ROLLBACK);
	assert_string_equal(labelled("t1", "eu"), "v1 pin-refused");
	REFUSED(REFUSED_QUARANTINED, "pardon", .kind = EVENT_PIN,
		.target = S("t3"), .version = V2, .until_ns = now + H);
}

static void a_pin_has_a_place_and_an_end(void **state)
{
	(void)state;
	REFUSED(REFUSED_VALUE, "one target or", .kind = EVENT_PIN,
		.version = V1, .until_ns = now + H);
	REFUSED(REFUSED_VALUE, "one target or", .kind = EVENT_PIN,
		.version = V1, .until_ns = now + H, .target = S("a"),
		.selector = S("b"));
	REFUSED(REFUSED_VALUE, "", .kind = EVENT_PIN, .version = V1,
		.until_ns = now + H, .selector = S("=="));
	REFUSED(REFUSED_UNTIL, "needs an end", .kind = EVENT_PIN, .version = V1,
		.target = S("a"));
	for (int i = 0; i < CHANNEL_PINS_MAX; i++)
		OKAY(.kind = EVENT_PIN, .version = V1, .until_ns = now + H,
			.target = str_from(arena_printf(&arena, "t%d", i)));
	REFUSED(REFUSED_LIMIT, "more than 1000 pins", .kind = EVENT_PIN,
		.version = V1, .until_ns = now + H, .target = S("a"));
	OKAY(.kind = EVENT_PIN, .version = V2, .until_ns = now + H,
		.target = S("t7"));
	assert_num(c.npins, CHANNEL_PINS_MAX);
}

static void the_epoch_only_rises(void **state)
{
	(void)state;
	OKAY(.kind = EVENT_EPOCH, .epoch = 3);
	REFUSED(REFUSED_VALUE, "only rises", .kind = EVENT_EPOCH, .epoch = 3);
}

static void before_the_first_release_there_is_no_answer(void **state)
{
	(void)state;
	assert_string_equal(labelled("t1", "eu"), "- nothing");
	REFUSED(REFUSED_ALREADY, "already", .kind = EVENT_ROLLBACK);
}

/* --- JSON ----------------------------------------------------------------- */

static void a_record_reads_as_it_was_written(void **state)
{
	struct buf first = {0}, second = {0};
	struct channel again;

	(void)state;
	release(V1);
	to_baking(V2);
	OKAY(.kind = EVENT_PIN, .target = S("t\"1\n"), .version = V1,
		.until_ns = now + H);
	OKAY(.kind = EVENT_QUARANTINE, .version = V3);
	OKAY(.kind = EVENT_FREEZE, .until_ns = now + H);
	OKAY(.kind = EVENT_HOLD);
	channel_write(&c, &first);
	assert_ok(channel_parse(&again, buf_str(&first), &arena, &err), &err);
	channel_write(&again, &second);
	assert_true(str_eq(buf_str(&first), buf_str(&second)));
	buf_release(&first);
	buf_release(&second);
}

static void other_texts_are_no_records(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *part; } bad[] = {
		{"", ""}, {"[]", "not an object"}, {"{} ", "canonical"},
		{"{\"bundle\":1}", "not a string"},
		{"{\"generation\":\"1\"}", "whole number"},
		{"{\"generation\":1.5}", "whole number"},
		{"{\"generation\":0}", "canonical"},
		{"{\"generation\":1,\"epoch\":1}", "canonical"},
		{"{\"epoch\":1,\"epoch\":1}", "canonical"},
		{"{\"all\":false}", "not true"},
		{"{\"state\":\"done\"}", "known name"},
		{"{\"stable\":{\"x\":1}}", "unknown member"},
		{"{\"targets\":[1]}", "array of strings"},
		{"{\"pins\":[1]}", "not an object"},
		{"{\"pins\":{}}", "array of objects"},
		{"{\"what\":1}", "unknown member"},
	};
	/* clang-format on */
	struct channel got;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_fails(channel_parse(
				     &got, str_from(bad[i].text), &arena, &err),
			&err, E_INVALID, bad[i].part);
}

static void a_record_with_too_many_pins_is_refused(void **state)
{
	struct buf b = {0};
	struct channel got;

	(void)state;
	buf_adds(&b, "{\"pins\":[");
	for (int i = 0; i < CHANNEL_PINS_MAX; i++)
		buf_adds(&b, "{\"why\":\"x\"},");
	b.len--;
	buf_adds(&b, "]}");
	assert_ok(channel_parse(&got, buf_str(&b), &arena, &err), &err);
	b.len -= 2;
	buf_adds(&b, ",{\"why\":\"x\"}]}");
	assert_fails(channel_parse(&got, buf_str(&b), &arena, &err), &err,
		E_LIMIT, "more than 1000");
	buf_release(&b);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_rollout_goes_ring_by_ring),
		T(last_good_moves_when_the_fleet_bake_passes),
		T(nobody_who_has_the_candidate_is_held_back),
		T(a_bake_ends_by_evidence_or_by_people_with_force),
		T(people_end_a_hold),
		T(a_ring_without_targets_is_refused),
		T(an_aborted_rollout_leaves_everybody_on_the_last_good),
		T(who_approves_counts_once_and_until_the_state_is_left),
		T(each_event_is_refused_from_the_states_it_may_not_leave),
		T(each_role_may_what_it_may),
		T(what_an_event_lacks_is_named),
		T(texts_and_targets_have_limits),
		T(who_decided_on_an_older_generation_is_late),
		T(who_lost_against_a_rollback_is_told_so),
		T(a_busy_channel_rejects_queues_or_is_superseded),
		T(superseding_a_fleet_bake_goes_back_first),
		T(the_engine_starts_only_what_waits),
		T(a_late_job_and_a_rewritten_history_are_refused),
		T(what_follows_stable_is_told_by_what_it_lists),
		T(what_a_version_contains_is_what_it_follows),
		T(a_version_never_changes_its_bytes),
		T(a_rollback_works_from_every_state),
		T(a_rollout_that_succeeded_can_be_taken_back_once),
		T(after_an_abort_there_is_nothing_to_take_back),
		T(without_a_former_version_one_has_to_be_named),
		T(the_first_rollout_can_be_taken_back_to_nothing),
		T(further_back_takes_a_version_that_was_good),
		T(a_version_in_quarantine_starts_by_people_with_force),
		T(quarantine_is_not_for_what_is_in_use),
		T(a_full_quarantine_never_stops_a_rollback),
		T(a_freeze_stops_everybody_but_a_rollback),
		T(after_a_rollback_people_go_on_and_automation_waits),
		T(a_freeze_has_an_end_and_can_begin_later),
		T(the_freeze_of_automation_ends_by_itself_or_with_that_of_all),
		T(what_stops_all_channels_stops_this_one),
		T(a_rollback_keeps_a_longer_freeze),
		T(a_pin_goes_before_candidate_and_stable),
		T(nobody_and_strangers_get_stable),
		T(a_pin_to_a_bad_version_does_not_hold),
		T(a_pin_has_a_place_and_an_end),
		T(the_epoch_only_rises),
		T(before_the_first_release_there_is_no_answer),
		T(a_record_reads_as_it_was_written),
		T(other_texts_are_no_records),
		T(a_record_with_too_many_pins_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
