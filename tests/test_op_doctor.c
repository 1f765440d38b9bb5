/*
 * doctor: what is wrong with a folder, its channels, their agents and the
 * decision log is found, with its harm, and is not found when it is right.
 */
#include "tests/bundle_make.h"
#include "tests/shell.h"

#include "tests/decisions.h"

#include "base/date.h"
#include "base/json.h"
#include "server/server.h"
#include "server/service.h"
#include "server/service_ops.h"

static const char *const files[] = {
	"policies/a.rego", "package a\n\nallow := true\n", NULL};

static struct {
	struct service *s;
	struct target_book *book;
	struct arena a;
	struct buf out; /* of the last call */
	unsigned disk;  /* percent used */
} desk;

static enum status read_disk(
	void *user, struct decisions_disk *out, struct err *e)
{
	(void)user, (void)e;
	*out = (struct decisions_disk){.size = 100 * UINT64_C(1000000000),
		.free = (100 - desk.disk) * UINT64_C(1000000000)};
	return OK;
}

/* Names and values of arguments, NULL at the end. */
static enum op_code call(const char *name, struct str body, ...)
{
	struct op_arg args[8];
	struct op_call c = {.args = args,
		.body = body,
		.who = S("ana"),
		.roles = SERVER_EVERYONE,
		.now_ns = clock_wall(&fake.clock),
		.a = &desk.a};
	const char *arg;
	va_list ap;

	va_start(ap, body);
	while ((arg = va_arg(ap, const char *)) && c.nargs < COUNT(args)) {
		args[c.nargs].name = str_from(arg);
		args[c.nargs++].value = str_from(va_arg(ap, const char *));
	}
	va_end(ap);
	buf_reset(&desk.out);
	return op_run(desk.s, op_find(name), &c, &desk.out);
}

#define DO(name, ...)                                                          \
	do {                                                                   \
		if (call(name, S(""), __VA_ARGS__, NULL))                      \
			fail_msg("%s: %s", name, desk.out.ptr);                \
	} while (0)

/* The row of a code, as "HARM WHERE: WHAT"; "": it is not found. */
static const char *finding(const char *code)
{
	struct str rows, doc, part;
	struct json_iter it;
	struct err e = {0};

	if (call("doctor", S(""), NULL))
		fail_msg("doctor: %s", desk.out.ptr);
	assert_ok(json_check(buf_str(&desk.out), NULL, &doc, &e), &e);
	assert_true(json_member(doc, S("rows"), &rows));
	it = json_iter(rows);
	while (json_next(&it)) {
		static const char *const names[] = {"harm", "where", "what"};
		struct buf text = {0};
		const char *out;

		assert_true(json_member(it.value, S("code"), &part));
		if (!json_text_is(part, str_from(code)))
			continue;
		for (size_t i = 0; i < COUNT(names); i++) {
			assert_true(json_member(
				it.value, str_from(names[i]), &part));
			buf_adds(&text, i == 0 ? "" : i == 1 ? " " : ": ");
			json_text(&text, part);
		}
		out = arena_strdup(&desk.a, buf_str(&text));
		buf_release(&text);
		return out;
	}
	return "";
}

#define FINDS(code, part)                                                      \
	do {                                                                   \
		const char *found_ = finding(code);                            \
		if (!strstr(found_, part))                                     \
			fail_msg("%s: \"%s\" does not hold \"%s\"", code,      \
				found_, part);                                 \
	} while (0)
#define FINDS_NO(code) assert_string_equal(finding(code), "")

static void publish(void)
{
	struct bundle b = {0};
	struct buf bytes = {0};
	struct err e = {0};

	assert_ok(build_of(&b, files, NULL), &err);
	assert_ok(bundle_pack(&b, &bytes, &e), &e);
	if (call("publish", buf_str(&bytes), "bundle", "authz", NULL))
		fail_msg("%s", desk.out.ptr);
	bundle_release(&b);
	buf_release(&bytes);
}

static void apply(struct channel_event ev)
{
	struct state_result r;
	struct channel c;
	struct err e = {0};

	assert_ok(state_channel(
			  service_state(desk.s), S("authz"), &desk.a, &c, &e),
		&e);
	ev.expect = c.generation;
	ev.who = S("engine");
	ev.roles = ROLE_RELEASE | ROLE_ENGINE;
	ev.why = S("because");
	ev.force = true;
	ev.evidence = S("{}");
	assert_ok(state_apply(service_state(desk.s),
			  &(struct state_change){.bundle = S("authz"),
				  .event = ev,
				  .now_ns = clock_wall(&fake.clock)},
			  &r, &e),
		&e);
}

static void succeed(const char *revision)
{
	service_lock(desk.s);
	apply((struct channel_event){
		.kind = EVENT_START, .version.revision = str_from(revision)});
	apply((struct channel_event){
		.kind = EVENT_EXPOSE, .ring = S("fleet"), .all = true});
	apply((struct channel_event){.kind = EVENT_CONVERGED});
	apply((struct channel_event){.kind = EVENT_SUCCEED});
	service_unlock(desk.s);
}

static int desk_setup(void **state)
{
	struct service_options o = {.create = true, .clock = &fake.clock};
	struct err e = {0};

	if (setup(state))
		return -1;
	memset(&desk, 0, sizeof(desk));
	desk.disk = 50;
	desk.book = target_book_new(0);
	o.dir = dir;
	o.disk = (struct service_disk){{90, 1 << 20}, read_disk, NULL};
	assert_ok(service_open(&desk.s, &o, &e), &e);
	publish();
	succeed("r1");
	return 0;
}

static int desk_teardown(void **state)
{
	service_close(desk.s);
	target_book_free(desk.book);
	buf_release(&desk.out);
	arena_release(&desk.a);
	return teardown(state);
}

static void later(int64_t seconds)
{
	fake_clock_advance(&fake, seconds * NS_PER_S);
}

/* --- agents that say something -------------------------------------------- */

static void keep_heard(void)
{
	struct err e = {0};

	service_lock(desk.s);
	assert_ok(target_book_flush(desk.book, service_state(desk.s), &e), &e);
	service_unlock(desk.s);
}

static void polls(const char *id)
{
	target_polled(desk.book,
		&(struct target_poll){.bundle = S("authz"), .id = str_from(id)},
		clock_wall(&fake.clock));
	keep_heard();
}

static void reports(const char *id, const char *version, const char *error)
{
	target_reported(desk.book,
		&(struct target_report){.bundle = S("authz"),
			.id = str_from(id),
			.version = str_from(version),
			.error = str_from(error)},
		clock_wall(&fake.clock));
	keep_heard();
}

static struct decisions *log_of_desk(void)
{
	struct decisions *d;
	struct err e = {0};

	assert_ok(service_decisions(desk.s, true, &d, &e), &e);
	return d;
}

/* A decision that was made so long ago. */
static void decides(const char *target, int64_t seconds_ago)
{
	static unsigned serial;
	struct buf b = {0};
	struct decisions_ticket t = {.source = {.target = str_from(target)}};
	struct decisions *d = log_of_desk();
	struct err e = {0};

	buf_addf(&b,
		"[{\"labels\":{\"id\":\"agent\"},\"decision_id\":\"d%u\","
		"\"bundles\":{\"authz\":{\"revision\":\"r1\"}},"
		"\"path\":\"a/allow\",\"result\":true,\"timestamp\":\"",
		serial++);
	instant_text(&b, clock_wall(&fake.clock) - seconds_ago * NS_PER_S);
	buf_adds(&b, "\"}]");
	assert_ok(decisions_submit(d, &t, buf_str(&b), &e), &e);
	assert_ok(decisions_wait(d, &t, &e), &e);
	buf_release(&b);
}

static void counts(const char *target, uint64_t requests)
{
	struct decision_counters c = {.target = str_from(target),
		.instance = S("i"),
		.time = clock_wall(&fake.clock),
		.requests = requests};
	struct decisions *d = log_of_desk();
	struct err e = {0};

	assert_ok(decisions_count(d, &c, &e), &e);
	assert_ok(decisions_commit(d, &e), &e);
}

/* --- the folder ----------------------------------------------------------- */

static void a_full_disk_is_found_before_it_is_full(void **state)
{
	(void)state;
	FINDS_NO("D101");
	desk.disk = 87;
	FINDS("D101", "medium state ");
	desk.disk = 91;
	FINDS("D101", "high state ");
}

static void a_folder_that_others_enter_is_found(void **state)
{
	(void)state;
	FINDS_NO("D102");
	assert_int_equal(chmod(dir, 0755), 0);
	FINDS("D102", "mode 0755");
	assert_int_equal(chmod(dir, 0700), 0);
}

static void missing_and_unbound_tokens_are_found(void **state)
{
	static const unsigned char random[SERVER_TOKEN_RANDOM] = {7};
	struct buf path = {0}, token = {0};
	struct err e = {0};

	(void)state;
	FINDS("D104", "has no tokens");
	buf_addf(&path, "%s/" STATE_TOKENS, dir);
	assert_ok(server_token_add(NULL, path.ptr, "a", SERVER_AGENT, NULL,
			  random, &token, &e),
		&e);
	FINDS_NO("D104");
	FINDS("D105", "has 1 agent token for no target");
	shell(dir, "echo nonsense > tokens");
	FINDS("D103", "high state ");
	buf_release(&path);
	buf_release(&token);
}

/* --- channels ------------------------------------------------------------- */

static void an_unsigned_version_is_found(void **state)
{
	(void)state;
	FINDS("D111", "high bundle authz: its stable version r1 is not signed");
	shell(dir, "rm -r bundles/archives/*");
	FINDS("D110", "high bundle authz: its stable version r1");
}

static void an_open_freeze_is_found_and_weighs_more_with_time(void **state)
{
	(void)state;
	FINDS_NO("D112");
	DO("freeze", "reason", "network work", "for", "48h");
	FINDS("D112", "low bundle authz: ");
	FINDS("D112", "frozen by ana 0 s ago: network work");
	later(13 * 3600);
	FINDS("D112",
		"medium bundle authz: everything was frozen by ana 13 h ago");
	later(36 * 3600);
	FINDS_NO("D112");
	DO("freeze", "all", "true", "reason", "a holiday");
	FINDS("D112", "low all bundles: ");
}

static void a_pin_is_found_before_it_ends(void **state)
{
	(void)state;
	DO("pin", "target", "eu-1", "revision", "r1", "for", "48h", "reason",
		"a test", "unseen", "true");
	FINDS_NO("D114");
	later(25 * 3600);
	FINDS("D114", "medium bundle authz: the pin of eu-1 to r1 ends within");
	later(24 * 3600);
	FINDS_NO("D114");
}

/* --- agents --------------------------------------------------------------- */

static void nobody_known_is_found(void **state)
{
	(void)state;
	FINDS("D205", "medium bundle authz: no target is known");
	polls("eu-1");
	FINDS_NO("D205");
}

static void what_agents_lack_is_found_with_their_names(void **state)
{
	(void)state;
	polls("eu-1");
	polls("eu-2");
	FINDS("D201", "high bundle authz: 2 targets (eu-1, eu-2): never sent");
	reports("eu-1", "1.22.2", "");
	FINDS("D201", "1 target (eu-2)");
	FINDS_NO("D204");
	reports("eu-2", "1.22.2", "does not compile");
	FINDS_NO("D201");
	FINDS("D204", "high bundle authz: 1 target (eu-2): refused");
	FINDS_NO("D203");
	later(200);
	FINDS("D203", "medium bundle authz: 2 targets");
}

static void slow_polls_are_found(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++) {
		polls("fast");
		if (i % 2)
			polls("slow");
		if (i == 1)
			FINDS_NO("D202");
		later(45);
	}
	FINDS("D202", "medium bundle authz: 1 target (slow): polls less than");
}

static void old_agents_are_found(void **state)
{
	static const struct {
		const char *version;
		bool old;
	} rows[] = {
		{"1.22.2", false},
		{"1.21.3", false},
		{"1.21.3-dev", false},
		{"2", false},
		{"edge", false},
		{"1.21.2", true},
		{"1.9.0", true},
		{"0.70.0", true},
		{"1.21", false},
	};

	(void)state;
	polls("eu-1");
	for (size_t i = 0; i < COUNT(rows); i++) {
		reports("eu-1", rows[i].version, "");
		if (rows[i].old)
			FINDS("D206", "high bundle authz: 1 target (eu-1)");
		else
			FINDS_NO("D206");
	}
}

/* --- the log -------------------------------------------------------------- */

static void decisions_without_a_name_are_found(void **state)
{
	(void)state;
	decides("eu-1", 1);
	FINDS_NO("D302");
	decides("", 1);
	FINDS("D302", "1 of 2 decisions of the last hour name no target");
}

static void clocks_that_are_ahead_are_found(void **state)
{
	(void)state;
	decides("eu-1", -50);
	FINDS_NO("D303");
	decides("eu-1", -90);
	FINDS("D303", "1 of 2 decisions of the last hour are from the future");
}

static void late_decisions_are_found(void **state)
{
	(void)state;
	decides("eu-1", 50);
	FINDS_NO("D305");
	decides("eu-1", 420);
	FINDS("D305", "1 of 2 decisions of the last hour came in late, up to "
		      "420 s");
}

static void lost_decisions_are_found(void **state)
{
	(void)state;
	counts("eu-1", 0);
	decides("eu-1", -5);
	later(10);
	counts("eu-1", 1);
	later(60);
	FINDS_NO("D301");
	counts("eu-1", 5);
	later(60);
	FINDS("D301", "high decision log: lacks 4 decisions of the last 24 h "
		      "from 1 target (eu-1)");
}

static void what_is_no_decision_is_found(void **state)
{
	struct decisions_ticket t = {
		.source = {.target = S("eu-1")}, .left_out = 1};
	struct decisions *d = log_of_desk();

	(void)state;
	decides("eu-1", 1);
	FINDS_NO("D307");
	assert_ok(decisions_submit(d, &t, S("[{"), &err), &err);
	assert_ok(decisions_wait(d, &t, &err), &err);
	FINDS("D307", "1 of the last 24 h, the first of eu-1: an upload of 3 "
		      "bytes");
	later(25 * 3600);
	FINDS_NO("D307");
}

static void a_damaged_log_is_found(void **state)
{
	(void)state;
	decides("eu-1", 1);
	service_close(desk.s);
	shell(dir, "echo nonsense > decisions/events/manifest");
	assert_ok(service_open(&desk.s,
			  &(struct service_options){
				  .dir = dir, .clock = &fake.clock},
			  &err),
		&err);
	FINDS("D304", "high decision log: can't be read");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, desk_setup, desk_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_full_disk_is_found_before_it_is_full),
		TEST(a_folder_that_others_enter_is_found),
		TEST(missing_and_unbound_tokens_are_found),
		TEST(an_unsigned_version_is_found),
		TEST(an_open_freeze_is_found_and_weighs_more_with_time),
		TEST(a_pin_is_found_before_it_ends),
		TEST(nobody_known_is_found),
		TEST(what_agents_lack_is_found_with_their_names),
		TEST(slow_polls_are_found),
		TEST(old_agents_are_found),
		TEST(decisions_without_a_name_are_found),
		TEST(clocks_that_are_ahead_are_found),
		TEST(late_decisions_are_found),
		TEST(lost_decisions_are_found),
		TEST(what_is_no_decision_is_found),
		TEST(a_damaged_log_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
