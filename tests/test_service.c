/* A served state folder: what polls get, and operations over HTTP. */
#include "tests/shell.h"
#include "tests/test.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/http.h"
#include "base/json.h"
#include "server/service.h"
#include "server/service_ops.h"

#include <stdatomic.h>

struct house {
	char dir[64];
	struct service *s;
	struct http *http;
	struct http_response res;
};

static atomic_int warnings; /* of the house that is open */

static void count_warning(void *user, const char *text)
{
	(void)user, (void)text;
	warnings++;
}

static void open_house_on(struct house *h, struct service_disk disk)
{
	struct server_config cfg = {.listen = "127.0.0.1:0",
		.warn = count_warning,
		.tokenless = SERVER_AGENT | SERVER_VIEWER};
	struct service_options o = {.create = true, .disk = disk};
	struct err e = {0};

	*h = (struct house){0};
	warnings = 0;
	shell_folder(h->dir);
	o.dir = h->dir;
	assert_ok(service_open(&h->s, &o, &e), &e);
	assert_ok(service_start(h->s, &cfg, &e), &e);
	h->http = http_new(&e);
	assert_non_null(h->http);
}

static void open_house(struct house *h)
{
	open_house_on(h, (struct service_disk){0});
}

static void close_house(struct house *h)
{
	service_close(h->s);
	http_free(h->http);
	http_response_release(&h->res);
	shell_clean(h->dir);
}

static long ask(struct house *h, const char *method, const char *path,
	const char *body, const char *const *headers)
{
	struct buf url = {0};
	struct err e = {0};

	buf_addf(&url, "http://127.0.0.1:%u%s", service_port(h->s), path);
	assert_ok(http_do(h->http,
			  &(struct http_request){.method = method,
				  .url = url.ptr,
				  .headers = headers,
				  .body = str_from(body),
				  .timeout_ms = 20000},
			  &h->res, &e),
		&e);
	buf_release(&url);
	return h->res.status;
}

static void apply(struct state *to, struct channel_event ev)
{
	struct state_result r;
	struct err e = {0};

	struct arena a = {0};
	struct channel c;

	if (!state_channel(to, S("authz"), &a, &c, &e))
		ev.expect = c.generation;
	arena_release(&a);
	ev.who = S("ana");
	ev.roles = ROLE_CI | ROLE_RELEASE | ROLE_ONCALL | ROLE_ENGINE;
	if (!ev.why.len)
		ev.why = S("because");
	assert_ok(state_apply(to,
			  &(struct state_change){.bundle = S("authz"),
				  .event = ev,
				  .now_ns = clock_wall(&clock_system)},
			  &r, &e),
		&e);
}

/* Put an archive into the folder's store and let the channel know it. */
static void publish_archive(
	struct house *h, const char *revision, struct str bytes)
{
	unsigned char sum[DIGEST_MAX];
	struct buf hex = {0}, name = {0};
	struct err e = {0};
	struct store *store;
	bool fresh;

	digest(DIGEST_SHA256, bytes, sum);
	digest_hex(&hex, sum, 32);
	buf_addf(&name, "sha256:%s", hex.ptr);
	assert_ok(service_store(h->s, &store, &e), &e);
	assert_ok(store_put(store,
			  &(struct version){.bundle = "authz",
				  .revision = revision,
				  .digest = name.ptr,
				  .commit = "c",
				  .tree = "t",
				  .size = bytes.len},
			  bytes, &fresh, &e),
		&e);
	service_lock(h->s);
	apply(service_state(h->s),
		(struct channel_event){.kind = EVENT_PUBLISH,
			.version = {str_from(revision), buf_str(&hex), S("c"),
				1, 1}});
	service_unlock(h->s);
	buf_release(&hex);
	buf_release(&name);
}

static void publish(struct house *h, const char *revision, const char *bytes)
{
	publish_archive(h, revision, str_from(bytes));
}

/* An archive whose manifest says how decisions of lib are read. */
static void publish_rules(
	struct house *h, const char *revision, const char *outcome)
{
	struct bundle b = {0};
	struct buf manifest = {0}, bytes = {0};
	struct err e = {0};

	buf_addf(&manifest,
		"{\"revision\":\"%s\",\"roots\":[\"lib\"],\"metadata\":{"
		"\"release\":{\"bundle\":\"authz\",\"decisions\":[{\"path\":"
		"\"lib/**\",\"outcome\":\"%s\",\"dimensions\":{\"who\":"
		"\"/input/user\"}}]}}}",
		revision, outcome);
	assert_ok(bundle_add(&b, S(".manifest"), buf_str(&manifest), &e), &e);
	assert_ok(bundle_pack(&b, &bytes, &e), &e);
	publish_archive(h, revision, buf_str(&bytes));
	bundle_release(&b);
	buf_release(&manifest);
	buf_release(&bytes);
}

/* The first version of a channel goes to everybody. */
static void release_to_all(struct state *to, const char *revision)
{
	apply(to, (struct channel_event){.kind = EVENT_START,
			  .version = {str_from(revision), {0}, {0}, 0, 0}});
	apply(to,
		(struct channel_event){
			.kind = EVENT_EXPOSE, .ring = S("fleet"), .all = true});
}

/* --- the tests ------------------------------------------------------------ */

static void nobody_gets_a_bundle_that_was_not_released(void **state)
{
	struct house h;

	(void)state;
	open_house(&h);
	assert_num(ask(&h, "GET", "/bundles/authz", "", NULL), 404);
	publish(&h, "v1", "bytes of v1");
	service_changed(h.s);
	clock_sleep(&clock_system, 50 * NS_PER_MS);
	assert_num(ask(&h, "GET", "/bundles/authz", "", NULL), 404);
	close_house(&h);
}

static void a_change_beside_the_server_reaches_a_waiting_poll(void **state)
{
	static const char *const wait[] = {
		"Prefer: modes=snapshot;wait=10", "X-Regatta-Target: a1", NULL};
	struct house h;
	struct state *beside;
	struct err e = {0};
	int64_t since;

	(void)state;
	open_house(&h);
	publish(&h, "v1", "bytes of v1");
	assert_ok(state_open(&beside, h.dir, NULL, &e), &e);
	release_to_all(beside, "v1");
	since = clock_mono(&clock_system);
	while (ask(&h, "GET", "/bundles/authz", "", wait) == 404)
		assert_true(clock_mono(&clock_system) - since < 5 * NS_PER_S);
	assert_str(buf_str(&h.res.body), "bytes of v1");
	state_close(beside);
	close_house(&h);
}

static void arguments_are_checked_by_name_and_kind(void **state)
{
	static const struct {
		const char *method, *path, *body;
		long status;
		const char *says;
	} rows[] = {
		{"GET", "/v1/ping", "", 200, "\"who\":\"anonymous\""},
		{"GET", "/v1/ping?a=1", "", 400, "takes no \\\"a\\\""},
		{"GET", "/v1/ping?a=%zz", "", 400, "escape"},
		{"POST", "/v1/ping", "{}", 405, "GET"},
		{"GET", "/v1/nothing", "", 404, "not-found"},
	};
	struct house h;

	(void)state;
	open_house(&h);
	for (size_t i = 0; i < COUNT(rows); i++) {
		long status = ask(
			&h, rows[i].method, rows[i].path, rows[i].body, NULL);

		if (status != rows[i].status ||
			!strstr(h.res.body.ptr, rows[i].says))
			fail_msg("row %zu: %ld %s", i, status, h.res.body.ptr);
	}
	close_house(&h);
}

static void uploads_are_kept_and_counted_once(void **state)
{
	static const char event[] =
		"[{\"decision_id\":\"4ca636c1-55e4-417a-b1d8-4aceb67960d1\","
		"\"timestamp\":\"2026-06-20T12:00:00Z\",\"path\":\"a/b\","
		"\"labels\":{\"id\":\"x\"},\"result\":true}]";
	struct house h;

	(void)state;
	open_house(&h);
	assert_num(ask(&h, "POST", "/logs", event, NULL), 200);
	assert_str(buf_str(&h.res.body),
		"{\"accepted\":1,\"duplicate\":0,\"quarantined\":0}");
	assert_num(ask(&h, "POST", "/logs", event, NULL), 200);
	assert_str(buf_str(&h.res.body),
		"{\"accepted\":0,\"duplicate\":1,\"quarantined\":0}");
	assert_num(ask(&h, "GET", "/metrics", "", NULL), 200);
	assert_non_null(strstr(h.res.body.ptr, "\nregatta_decisions 1\n"));
	close_house(&h);
}

static void an_upload_that_is_too_long_is_not_sent_for_ever(void **state)
{
	struct house h;
	struct buf body = {0};

	(void)state;
	open_house(&h);
	memset(buf_reserve(&body, LIMIT_SERVER_LOG + 8), ' ',
		LIMIT_SERVER_LOG + 7);
	body.len = LIMIT_SERVER_LOG + 7;
	body.ptr[body.len] = '\0';
	for (int i = 0; i < 2; i++) {
		assert_num(ask(&h, "POST", "/logs", body.ptr, NULL), 200);
		assert_str(buf_str(&h.res.body),
			"{\"accepted\":0,\"duplicate\":0,\"quarantined\":1}");
	}
	assert_num(warnings, 1); /* each time would fill a disk */
	assert_num(ask(&h, "GET", "/v1/decisions/quarantine", "", NULL), 200);
	assert_non_null(strstr(h.res.body.ptr,
		"an upload of 16777223 bytes, of which the first 16777216 are "
		"kept: the agent's upload_size_limit_bytes is above that"));
	buf_release(&body);
	close_house(&h);
}

/* --- how decisions are read ------------------------------------------------
 */

/* What the server says of all decisions, as `outcome outcome ...`. */
static void hear_outcomes(struct house *h, const char *query, struct buf *out)
{
	static const char key[] = "\"outcome\":\"";
	const char *at;

	assert_num(ask(h, "GET", query, "", NULL), 200);
	buf_reset(out);
	for (at = h->res.body.ptr; (at = strstr(at, key));) {
		at += sizeof(key) - 1;
		buf_addf(out, "%.*s ", (int)strcspn(at, "\""), at);
	}
	buf_adds(out, "");
}

/* One decision of lib/a that came to true, by a version; "" is of none. */
static void decide(struct house *h, unsigned n, const char *revision)
{
	struct buf body = {0};

	buf_addf(&body,
		"[{\"decision_id\":\"n%u\",\"timestamp\":"
		"\"2026-06-20T12:00:%02uZ\",\"path\":\"lib/a\",\"result\":true,"
		"\"input\":{\"user\":\"u%u\"},\"labels\":{\"id\":\"x\"},"
		"\"bundles\":{\"authz\":{\"revision\":\"%s\"}}}]",
		n, n, n % 2, revision);
	assert_num(ask(h, "POST", "/logs", body.ptr, NULL), 200);
	buf_release(&body);
}

/* Decides until it is read as wanted; returns how many times that took. */
static void await_outcome(
	struct house *h, unsigned *n, const char *revision, const char *want)
{
	struct buf got = {0};
	bool yes = false;

	for (unsigned i = 0; i < 100 && !yes; i++) {
		decide(h, (*n)++, revision);
		hear_outcomes(h, "/v1/decisions", &got);
		yes = str_ends(buf_str(&got), str_from(want));
		if (!yes)
			usleep(50000);
	}
	if (!yes)
		fail_msg("%s, want %s at the end", got.ptr, want);
	buf_release(&got);
}

static void assert_same_outcomes(struct house *h, const struct buf *want)
{
	struct buf got = {0};

	hear_outcomes(h, "/v1/decisions", &got);
	assert_str(buf_str(&got), want->ptr);
	hear_outcomes(h, "/v1/decisions?scan=true", &got);
	assert_str(buf_str(&got), want->ptr);
	buf_release(&got);
}

static void a_new_version_is_read_by_its_own_rules_at_once(void **state)
{
	struct house h;
	struct buf before = {0}, who = {0};
	struct decisions *d;
	struct err e = {0};
	unsigned n = 0, user;

	(void)state;
	open_house(&h);
	decide(&h, n++, "v1"); /* by its shape: an allow */
	publish_rules(&h, "v1", "deny");
	await_outcome(&h, &n, "v1", "deny ");
	service_lock(h.s);
	release_to_all(service_state(h.s), "v1");
	service_unlock(h.s);
	await_outcome(&h, &n, "", "deny "); /* of stable */
	publish_rules(&h, "v2", "advice");
	await_outcome(&h, &n, "v2", "advice ");
	user = n - 1;
	decide(&h, n++, "");
	decide(&h, n++, "v1");
	hear_outcomes(&h, "/v1/decisions", &before);
	assert_true(str_starts(buf_str(&before), S("allow ")));
	assert_true(str_ends(buf_str(&before), S("advice deny deny ")));
	assert_same_outcomes(&h, &before);
	hear_outcomes(&h,
		user % 2 ? "/v1/decisions?where=who%3Du1&outcome=advice"
			 : "/v1/decisions?where=who%3Du0&outcome=advice",
		&who);
	assert_str(buf_str(&who), "advice ");
	assert_ok(service_decisions(h.s, true, &d, &e), &e);
	assert_ok(decisions_rebuild(d, &e), &e);
	assert_same_outcomes(&h, &before);
	buf_release(&before);
	buf_release(&who);
	close_house(&h);
}

/* --- a disk that runs full -------------------------------------------------
 */

static enum status fake_disk(
	void *user, struct decisions_disk *out, struct err *e)
{
	(void)e;
	*out = (struct decisions_disk){1000000,
		1000000 - 10000 * (uint64_t)atomic_load((atomic_int *)user)};
	return OK;
}

/*
 * Until /readyz says that, which is at most a second or two. It is always 200:
 * who is taken out of traffic hands out no rollback.
 */
static void await_ready(struct house *h, const char *says)
{
	for (unsigned i = 0; i < 100; i++) {
		assert_num(ask(h, "GET", "/readyz", "", NULL), 200);
		if (strstr(h->res.body.ptr, says))
			return;
		usleep(50000);
	}
	fail_msg("%s", h->res.body.ptr);
}

static void assert_doctor(struct house *h, const char *says)
{
	assert_num(ask(h, "GET", "/v1/doctor", "", NULL), 200);
	if (!strstr(h->res.body.ptr, says))
		fail_msg("%s", h->res.body.ptr);
}

static void a_disk_that_runs_full_takes_canaries_alone(void **state)
{
	static const char *const canary[] = {"X-Regatta-Target: node-1", NULL};
	atomic_int percent = 50;
	struct str node = S("node-1"), after;
	struct house h;

	(void)state;
	open_house_on(&h, (struct service_disk){{90, 1}, fake_disk, &percent});
	publish(&h, "v1", "one");
	service_lock(h.s);
	apply(service_state(h.s),
		(struct channel_event){.kind = EVENT_START,
			.version = {S("v1"), {0}, {0}, 0, 0}});
	apply(service_state(h.s), (struct channel_event){.kind = EVENT_EXPOSE,
					  .ring = S("canary"),
					  .targets = &node,
					  .ntargets = 1});
	service_unlock(h.s);
	await_ready(&h, "{}\n");
	assert_num(ask(&h, "POST", "/logs", "[]", NULL), 200);
	percent = 92;
	await_ready(&h, "{\"degraded\":\"the disk is 92 % full");
	assert_num(ask(&h, "POST", "/logs", "[]", NULL), 503);
	assert_true(http_header(&h.res, "Retry-After", &after));
	assert_str(after, "30");
	assert_num(ask(&h, "POST", "/logs", "[]", canary), 200);
	assert_num(ask(&h, "POST", "/status", "{}", NULL), 200);
	assert_num(ask(&h, "GET", "/bundles/authz", "", canary), 200);
	assert_num(ask(&h, "GET", "/metrics", "", NULL), 200);
	assert_non_null(strstr(h.res.body.ptr, "\nregatta_disk_high 1\n"));
	assert_doctor(&h, "92 % full");
	percent = 88; /* not low enough */
	usleep(1500000);
	assert_num(ask(&h, "POST", "/logs", "[]", NULL), 503);
	percent = 80;
	await_ready(&h, "{}\n");
	assert_num(ask(&h, "POST", "/logs", "[]", NULL), 200);
	close_house(&h);
}

/* What is lost is not begun anew without a word. */
static void what_is_gone_stops_the_start(void **state)
{
	static const char *const rows[][2] = {
		{"rm -r \"$0\"/decisions", "/decisions is gone"},
		{"rm \"$0\"/channels.db*", "/channels.db is gone or empty"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct server_config cfg = {0};
		struct service_options o = {.create = true};
		struct house h;
		struct err e = {0};
		enum status st;

		open_house(&h);
		publish(&h, "v1", "one");
		service_close(h.s);
		shell(h.dir, rows[i][0]);
		o.dir = h.dir;
		st = service_open(&h.s, &o, &e);
		if (!st)
			st = service_start(h.s, &cfg, &e);
		else
			h.s = NULL;
		assert_num(st, E_INVALID);
		assert_non_null(strstr(e.text, rows[i][1]));
		close_house(&h);
	}
}

static void a_token_ends_what_anybody_may(void **state)
{
	static const unsigned char random[SERVER_TOKEN_RANDOM] = {7};
	struct house h;
	struct buf path = {0}, token = {0};
	struct err e = {0};

	(void)state;
	open_house(&h);
	buf_addf(&path, "%s/" STATE_TOKENS, h.dir);
	assert_ok(server_token_add(NULL, path.ptr, "ci1", SERVER_CI, NULL,
			  random, &token, &e),
		&e);
	clock_sleep(&clock_system, 300 * NS_PER_MS);
	assert_num(ask(&h, "GET", "/bundles/authz", "", NULL), 401);
	buf_release(&path);
	buf_release(&token);
	close_house(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_gets_a_bundle_that_was_not_released),
		cmocka_unit_test(
			a_change_beside_the_server_reaches_a_waiting_poll),
		cmocka_unit_test(arguments_are_checked_by_name_and_kind),
		cmocka_unit_test(uploads_are_kept_and_counted_once),
		cmocka_unit_test(
			an_upload_that_is_too_long_is_not_sent_for_ever),
		cmocka_unit_test(
			a_new_version_is_read_by_its_own_rules_at_once),
		cmocka_unit_test(a_disk_that_runs_full_takes_canaries_alone),
		cmocka_unit_test(what_is_gone_stops_the_start),
		cmocka_unit_test(a_token_ends_what_anybody_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
