/* Operations on versions, channels and targets, on a folder without a server.
 */
#include "tests/bundle_make.h"
#include "tests/shell.h"
#include "tests/test.h"

#include "base/clock.h"
#include "base/json.h"
#include "server/compare.h"
#include "server/service.h"
#include "server/service_ops.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>

struct desk {
	char dir[64];
	struct service *s;
	struct arena a;
	struct buf out; /* the document of the last call */
	unsigned roles;
	const char *key;
	struct str body;
};

static void desk_open(struct desk *d)
{
	struct service_options o = {.create = true};
	struct err e = {0};

	*d = (struct desk){.roles = SERVER_EVERYONE};
	shell_folder(d->dir);
	o.dir = d->dir;
	assert_ok(service_open(&d->s, &o, &e), &e);
}

static void desk_close(struct desk *d)
{
	service_close(d->s);
	buf_release(&d->out);
	arena_release(&d->a);
	shell_clean(d->dir);
}

/* Names and values of the arguments, NULL at the end. */
static enum op_code call(struct desk *d, const char *name, ...)
{
	struct op_arg args[16];
	struct op_call c = {.args = args,
		.body = d->body,
		.who = S("ana"),
		.roles = d->roles,
		.key = str_from(d->key ? d->key : ""),
		.now_ns = clock_wall(&clock_system),
		.a = &d->a};
	const char *arg;
	enum op_code code;
	va_list ap;

	va_start(ap, name);
	while ((arg = va_arg(ap, const char *)) && c.nargs < COUNT(args)) {
		args[c.nargs].name = str_from(arg);
		args[c.nargs++].value = str_from(va_arg(ap, const char *));
	}
	va_end(ap);
	buf_reset(&d->out);
	code = op_run(d->s, op_find(name), &c, &d->out);
	return code;
}

static const char *said(struct desk *d, const char *pointer)
{
	struct str span, doc;
	struct buf text = {0};
	struct err e = {0};
	const char *out;

	assert_ok(json_check(buf_str(&d->out), NULL, &doc, &e), &e);
	if (!json_at(doc, str_from(pointer), &span))
		return "";
	if (json_kind(span) == JSON_STRING)
		json_text(&text, span);
	else
		buf_addstr(&text, span);
	out = arena_strdup(&d->a, buf_str(&text));
	buf_release(&text);
	return out;
}

/* An archive of one policy; the n-th commit, one a day. */
static void make(struct buf *out, const char *revision, const char *rule, int n)
{
	struct build_options o = {.revision = revision,
		.tool = "regatta 0",
		.test_digest = "sha256:0"};
	struct config c = {.include = {include_all, COUNT(include_all)},
		.rego_version = 1};
	struct bundle b = {0};
	struct buf policy = {0};
	struct repo r;

	buf_addf(&policy, "package a\n\n%s\n", rule);
	repo_of(&r, (const char *[]){"policies/a/a.rego", policy.ptr, NULL});
	snprintf(r.commit, sizeof(r.commit), "c%d", n);
	r.time = 1780000000 + 86400 * n;
	assert_ok(bundle_build(&b, &r, &c, &o, &err), &err);
	assert_ok(bundle_pack(&b, out, &err), &err);
	arena_release(&r.arena);
	bundle_release(&b);
	buf_release(&policy);
}

static enum op_code publish(
	struct desk *d, const char *revision, const char *rule, int n)
{
	struct buf archive = {0};
	enum op_code code;

	make(&archive, revision, rule, n);
	d->body = buf_str(&archive);
	code = call(d, "publish", "bundle", "authz", NULL);
	d->body = S("");
	buf_release(&archive);
	return code;
}

static void apply(struct desk *d, struct channel_event ev)
{
	struct state_result r;
	struct channel c;
	struct err e = {0};

	assert_ok(state_channel(service_state(d->s), S("authz"), &d->a, &c, &e),
		&e);
	ev.expect = c.generation;
	ev.who = S("engine");
	ev.roles = ROLE_RELEASE | ROLE_ENGINE;
	ev.why = S("because");
	ev.force = true;
	ev.evidence = S("{}");
	assert_ok(state_apply(service_state(d->s),
			  &(struct state_change){.bundle = S("authz"),
				  .event = ev,
				  .now_ns = clock_wall(&clock_system)},
			  &r, &e),
		&e);
}

/* Rolled out to everybody, and good. */
static void succeed(struct desk *d, const char *revision)
{
	service_lock(d->s);
	apply(d, (struct channel_event){.kind = EVENT_START,
			 .version.revision = str_from(revision)});
	apply(d,
		(struct channel_event){
			.kind = EVENT_EXPOSE, .ring = S("fleet"), .all = true});
	apply(d, (struct channel_event){.kind = EVENT_CONVERGED});
	apply(d, (struct channel_event){.kind = EVENT_SUCCEED});
	service_unlock(d->s);
}

/* --- the tests ------------------------------------------------------------ */

static void a_version_is_published_once(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d);
	assert_int_equal(publish(&d, "v1", "p := 1", 1), OP_OK);
	assert_string_equal(said(&d, "/fresh"), "true");
	assert_int_equal(publish(&d, "v1", "p := 1", 1), OP_OK);
	assert_string_equal(said(&d, "/fresh"), "false");
	assert_int_equal(publish(&d, "v1", "p := 2", 1), OP_CONFLICT);
	assert_int_equal(call(&d, "versions", NULL), OP_OK);
	assert_string_equal(said(&d, "/total"), "1");
	assert_string_equal(said(&d, "/versions/0/commit"), "c1");
	desk_close(&d);
}

static void what_is_no_bundle_changes_nothing(void **state)
{
	struct desk d;
	struct buf archive = {0};

	(void)state;
	desk_open(&d);
	make(&archive, "v1", "p := 1", 1);
	for (size_t cut = 0; cut < archive.len; cut += 37) {
		d.body = str_make(archive.ptr, cut);
		assert_int_not_equal(
			call(&d, "publish", "bundle", "authz", NULL), OP_OK);
	}
	archive.ptr[archive.len / 2] ^= 1;
	d.body = buf_str(&archive);
	assert_int_equal(
		call(&d, "publish", "bundle", "authz", NULL), OP_INTEGRITY);
	assert_int_equal(call(&d, "publish", "bundle", "../x", NULL), OP_USAGE);
	d.body = S("");
	assert_int_equal(call(&d, "versions", NULL), OP_MISSING);
	assert_int_equal(call(&d, "history", NULL), OP_OK);
	assert_string_equal(said(&d, "/lines"), "[]");
	buf_release(&archive);
	desk_close(&d);
}

static void a_refusal_has_its_code_and_its_name(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d);
	for (int i = 1; i <= 3; i++) {
		char name[8], rule[16];

		snprintf(name, sizeof(name), "v%d", i);
		snprintf(rule, sizeof(rule), "p := %d", i);
		assert_int_equal(publish(&d, name, rule, i), OP_OK);
	}
	succeed(&d, "v2");
#define REFUSED(want, name, ...)                                               \
	do {                                                                   \
		assert_int_equal(call(&d, __VA_ARGS__, NULL), want);           \
		assert_string_equal(said(&d, "/error/code"), name);            \
	} while (0)
	REFUSED(OP_CONFLICT, "stale-commit", "rollout start", "revision", "v1");
	REFUSED(OP_CONFLICT, "not-promoted", "rollback", "to", "v3");
	REFUSED(OP_USAGE, "why", "rollback", "to", "v3", "force", "true");
	REFUSED(OP_MISSING, "not-found", "rollback", "to", "v9");
	REFUSED(OP_MISSING, "not-found", "rollback", "ring", "nowhere");
	REFUSED(OP_MISSING, "not-found", "why", "target", "nobody");
	REFUSED(OP_MISSING, "not-found", "status", "bundle", "other");
	REFUSED(OP_MISSING, "not-found", "diff", "to", "v9");
	REFUSED(OP_USAGE, "usage", "freeze", "scope", "some", "reason", "x");
	REFUSED(OP_USAGE, "why", "freeze");
	REFUSED(OP_CONFLICT, "generation", "freeze", "reason", "x",
		"generation", "1");
	assert_int_equal(call(&d, "freeze", "reason", "x", NULL), OP_OK);
	REFUSED(OP_FROZEN, "frozen", "rollout start", "revision", "v3");
	assert_int_equal(call(&d, "unfreeze", "reason", "x", NULL), OP_OK);
	assert_int_equal(
		call(&d, "quarantine", "revision", "v3", "reason", "x", NULL),
		OP_OK);
	REFUSED(OP_CONFLICT, "quarantined", "rollout start", "revision", "v3");
	d.roles = SERVER_VIEWER;
	REFUSED(OP_DENIED, "denied", "rollback");
	desk_close(&d);
#undef REFUSED
}

/*
 * v3 and v4 are of v2's commit, which is in quarantine; v4 does something about
 * what that changed. Where v2 can't be read any more nobody can tell.
 */
static void what_still_has_a_bad_commit_is_warned_of(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d);
	assert_int_equal(publish(&d, "v1", "p := 1", 1), OP_OK);
	succeed(&d, "v1");
	assert_int_equal(publish(&d, "v2", "p := 2", 2), OP_OK);
	assert_int_equal(publish(&d, "v3", "p := 2", 2), OP_OK);
	assert_string_equal(said(&d, "/inherits"), "");
	assert_int_equal(
		call(&d, "quarantine", "revision", "v2", "reason", "x", NULL),
		OP_OK);
	assert_int_equal(publish(&d, "v3", "p := 2", 2), OP_OK);
	assert_string_equal(said(&d, "/inherits/0/revision"), "v2");
	assert_string_equal(said(&d, "/inherits/0/who"), "ana");
	assert_string_equal(said(&d, "/inherits/1"), "");
	assert_int_equal(publish(&d, "v4", "p := 1", 2), OP_OK);
	assert_string_equal(said(&d, "/inherits"), "");
	assert_int_equal(publish(&d, "v5", "p := 2", 5), OP_OK);
	assert_string_equal(said(&d, "/inherits"), "");
	assert_int_equal(
		call(&d, "rollout plan", "revision", "v4", NULL), OP_OK);
	assert_string_equal(said(&d, "/inherits"), "");
	assert_int_equal(
		call(&d, "rollout plan", "revision", "v3", NULL), OP_OK);
	assert_string_equal(said(&d, "/inherits/0/reason"), "x");
	assert_int_equal(
		call(&d, "rollout start", "revision", "v3", NULL), OP_OK);
	assert_string_equal(said(&d, "/inherits/0/commit"), "c2");
	shell(d.dir, "rm -r bundles/*");
	assert_int_equal(publish(&d, "v6", "p := 1", 2), OP_OK);
	assert_string_equal(said(&d, "/inherits/0/revision"), "v2");
	desk_close(&d);
}

/* Where one is wanted, none is made up. */
static void every_step_of_a_rollout_has_a_reason(void **state)
{
	struct desk d;
	struct channel_event on = {
		.kind = EVENT_EXPOSE, .ring = S("fleet"), .all = true};

	(void)state;
	desk_open(&d);
	assert_int_equal(publish(&d, "v1", "p := 1", 1), OP_OK);
	assert_int_equal(
		call(&d, "rollout start", "force", "true", NULL), OP_USAGE);
	assert_int_equal(call(&d, "rollout start", NULL), OP_OK);
	assert_int_equal(call(&d, "history", "limit", "1", NULL), OP_OK);
	assert_string_equal(said(&d, "/lines/0/reason"), "unspecified");
	service_lock(d.s);
	apply(&d, on);
	service_unlock(d.s);
	assert_int_equal(call(&d, "hold", NULL), OP_OK);
	assert_int_equal(call(&d, "extend", "by", "5m", NULL), OP_OK);
	assert_int_equal(call(&d, "history", "limit", "2", NULL), OP_OK);
	assert_string_equal(said(&d, "/lines/0/event"), "resume");
	assert_string_equal(said(&d, "/lines/0/reason"), "unspecified");
	assert_string_equal(said(&d, "/lines/1/reason"), "unspecified");
	desk_close(&d);
}

static void all_bundles_are_frozen_by_one_call(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d);
	assert_int_equal(publish(&d, "v1", "p := 1", 1), OP_OK);
	assert_int_equal(call(&d, "freeze", "all", "true", "bundle", "authz",
				 "reason", "x", NULL),
		OP_USAGE);
	assert_int_equal(call(&d, "unfreeze", "all", "true", NULL), OP_OK);
	assert_string_equal(said(&d, "/changed"), "false");
	assert_int_equal(
		call(&d, "freeze", "all", "true", "reason", "x", NULL), OP_OK);
	assert_int_equal(
		call(&d, "rollout start", "revision", "v1", NULL), OP_FROZEN);
	assert_int_equal(call(&d, "status", NULL), OP_OK);
	assert_string_equal(said(&d, "/freezes/0/everywhere"), "true");
	assert_string_equal(said(&d, "/freezes/0/who"), "ana");
	assert_int_equal(call(&d, "channels", NULL), OP_OK);
	assert_string_equal(said(&d, "/freezes/0/scope"), "all");
	assert_int_equal(call(&d, "doctor", NULL), OP_OK);
	assert_non_null(strstr(d.out.ptr, "regatta unfreeze --all"));
	/* What stands at a channel of its own is not what stops them all. */
	assert_int_equal(call(&d, "unfreeze", "reason", "y", NULL), OP_OK);
	assert_string_equal(said(&d, "/changed"), "false");
	assert_int_equal(
		call(&d, "unfreeze", "all", "true", "reason", "y", NULL),
		OP_OK);
	assert_int_equal(
		call(&d, "rollout start", "revision", "v1", NULL), OP_OK);
	assert_int_equal(call(&d, "audit verify", NULL), OP_OK);
	desk_close(&d);
}

enum { RACES = 40 };

/* Another process, which changes the channel all the time. */
static void *pin_and_unpin(void *user)
{
	struct desk *d = user;
	size_t *failed = calloc(1, sizeof(*failed));

	for (int i = 0; i < RACES; i++) {
		*failed +=
			call(d, "pin", "target", "t1", "unseen", "true",
				"revision", "v1", "reason", "x", NULL) != OP_OK;
		*failed += call(d, "unpin", "target", "t1", "reason", "x",
				   NULL) != OP_OK;
	}
	return failed;
}

/* Who names no generation means what there is now. */
static void changes_at_the_same_time_are_both_made(void **state)
{
	struct service_options o = {0};
	struct desk d, other = {.roles = SERVER_EVERYONE};
	struct err e = {0};
	pthread_t thread;
	void *failed;

	(void)state;
	desk_open(&d);
	o.dir = d.dir;
	assert_num(publish(&d, "v1", "allow := true", 1), OP_OK);
	succeed(&d, "v1");
	assert_ok(service_open(&other.s, &o, &e), &e);
	assert_num(pthread_create(&thread, NULL, pin_and_unpin, &other), 0);
	for (int i = 0; i < RACES; i++) {
		if (call(&d, "freeze", "reason", "x", NULL))
			fail_msg("%s", d.out.ptr);
		assert_num(call(&d, "unfreeze", "reason", "x", NULL), OP_OK);
	}
	assert_num(pthread_join(thread, &failed), 0);
	assert_num(*(size_t *)failed, 0);
	free(failed);
	service_close(other.s);
	buf_release(&other.out);
	arena_release(&other.a);
	desk_close(&d);
}

static void a_second_rollback_changes_nothing(void **state)
{
	struct desk d;
	const char *generation;

	(void)state;
	desk_open(&d);
	assert_int_equal(publish(&d, "v1", "p := 1", 1), OP_OK);
	assert_int_equal(publish(&d, "v2", "p := 2", 2), OP_OK);
	succeed(&d, "v1");
	succeed(&d, "v2");
	assert_int_equal(call(&d, "rollback", "dry_run", "true", NULL), OP_OK);
	assert_string_equal(said(&d, "/to/revision"), "v1");
	assert_int_equal(call(&d, "status", NULL), OP_OK);
	assert_string_equal(said(&d, "/stable/revision"), "v2");
	assert_int_equal(call(&d, "rollback", NULL), OP_OK);
	assert_string_equal(said(&d, "/changed"), "true");
	assert_string_equal(said(&d, "/from/revision"), "v2");
	generation = said(&d, "/generation");
	assert_int_equal(call(&d, "rollback", NULL), OP_OK);
	assert_string_equal(said(&d, "/changed"), "false");
	assert_string_equal(said(&d, "/generation"), generation);
	assert_int_equal(call(&d, "status", NULL), OP_OK);
	assert_string_equal(said(&d, "/stable/revision"), "v1");
	assert_string_equal(said(&d, "/quarantine/0/revision"), "v2");
	assert_string_equal(said(&d, "/freezes/0/scope"), "automation");
	assert_int_equal(call(&d, "history", "limit", "1", NULL), OP_OK);
	assert_string_equal(said(&d, "/lines/0/event"), "rollback");
	assert_string_equal(said(&d, "/lines/0/who"), "ana");
	assert_string_equal(said(&d, "/lines/0/reason"), "unspecified");
	assert_int_equal(call(&d, "audit verify", NULL), OP_OK);
	desk_close(&d);
}

static void a_call_that_is_repeated_has_its_first_result(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d);
	assert_int_equal(publish(&d, "v1", "p := 1", 1), OP_OK);
	d.key = "k1";
	assert_int_equal(
		call(&d, "freeze", "reason", "x", "for", "2h", NULL), OP_OK);
	assert_string_equal(said(&d, "/repeated"), "false");
	d.key = NULL;
	assert_int_equal(call(&d, "unfreeze", "reason", "y", NULL), OP_OK);
	d.key = "k1";
	assert_int_equal(
		call(&d, "freeze", "reason", "x", "for", "2h", NULL), OP_OK);
	assert_string_equal(said(&d, "/repeated"), "true");
	assert_int_equal(call(&d, "status", NULL), OP_OK);
	assert_string_equal(said(&d, "/freezes"), "[]");
	desk_close(&d);
}

static void rules_are_compared_as_they_are_parsed(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d);
	assert_int_equal(
		publish(&d, "v1", "p := 1\nq if input.x == 1", 1), OP_OK);
	assert_int_equal(publish(&d, "v2",
				 "# why\np :=\n\t1\nq if input.x == 2\n"
				 "r contains 3 if true",
				 2),
		OP_OK);
	assert_int_equal(
		call(&d, "diff", "from", "v1", "to", "v2", NULL), OP_OK);
	assert_string_equal(said(&d, "/files/0/change"), "changed");
	assert_string_equal(said(&d, "/rules"),
		"[{\"change\":\"changed\",\"rule\":\"data.a.q\"},"
		"{\"change\":\"added\",\"rule\":\"data.a.r\"}]");
	assert_string_equal(said(&d, "/system_log"), "false");
	assert_string_equal(said(&d, "/left_out"), "0");
	desk_close(&d);
}

static const char *left_out(unsigned keys, struct buf *out)
{
	struct bundle x = {0}, y = {0};
	struct buf data = {0};
	const char *at;

	buf_addc(&data, '{');
	for (unsigned i = 0; i < keys; i++)
		buf_addf(&data, "%s\"k%u\":1", i ? "," : "", i);
	buf_addc(&data, '}');
	bundle_of(&x, (const char *[]){"data.json", "{}", NULL});
	bundle_of(&y, (const char *[]){"data.json", data.ptr, NULL});
	buf_reset(out);
	compare_bundles(out, &x, &y);
	at = strstr(out->ptr, "\"left_out\":");
	assert_non_null(at);
	bundle_release(&x);
	bundle_release(&y);
	buf_release(&data);
	return at + strlen("\"left_out\":");
}

static void what_a_comparison_leaves_out_is_counted(void **state)
{
	struct buf out = {0};

	(void)state;
	assert_int_equal(left_out(COMPARE_MAX, &out)[0], '0');
	assert_int_equal(left_out(COMPARE_MAX + 1, &out)[0], '1');
	buf_release(&out);
}

static void data_is_compared_to_a_depth(void **state)
{
	static const char *const rows[][3] = {
		{"{\"a\":{\"b\":1}}", "{\"a\":{\"b\":2}}", "\"path\":\"/a/b\""},
		{"{\"a\":[1]}", "{\"a\":[2]}", "\"path\":\"/a\""},
		{"{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":1}}}}}",
			"{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":2}}}}}",
			"\"path\":\"/a/b/c/d\""},
		{"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", "\"data\":[]"},
		{"{\"\\u0061\":1}", "{\"a\":1}", "\"data\":[]"},
	};
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bundle x = {0}, y = {0};

		bundle_of(&x, (const char *[]){"data.json", rows[i][0], NULL});
		bundle_of(&y, (const char *[]){"data.json", rows[i][1], NULL});
		buf_reset(&out);
		compare_bundles(&out, &x, &y);
		if (!strstr(out.ptr, rows[i][2]))
			fail_msg("row %zu: %s", i, out.ptr);
		bundle_release(&x);
		bundle_release(&y);
	}
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_version_is_published_once),
		cmocka_unit_test(what_is_no_bundle_changes_nothing),
		cmocka_unit_test(a_refusal_has_its_code_and_its_name),
		cmocka_unit_test(all_bundles_are_frozen_by_one_call),
		cmocka_unit_test(what_still_has_a_bad_commit_is_warned_of),
		cmocka_unit_test(every_step_of_a_rollout_has_a_reason),
		cmocka_unit_test(changes_at_the_same_time_are_both_made),
		cmocka_unit_test(a_second_rollback_changes_nothing),
		cmocka_unit_test(a_call_that_is_repeated_has_its_first_result),
		cmocka_unit_test(rules_are_compared_as_they_are_parsed),
		cmocka_unit_test(what_a_comparison_leaves_out_is_counted),
		cmocka_unit_test(data_is_compared_to_a_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
