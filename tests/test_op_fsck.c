/* fsck: each kind of damage in a state folder is named with its place. */
#include "tests/bundle_make.h"
#include "tests/shell.h"

#include "tests/decisions.h"

#include "base/json.h"
#include "server/service.h"
#include "server/service_ops.h"

static const char *const files[] = {
	"policies/a.rego", "package a\n\nallow := true\n", NULL};

static enum op_code run(
	struct service *s, const char *op, struct str body, struct buf *out)
{
	struct arena a = {0};
	struct op_arg args[] = {{S("bundle"), S("authz")}};
	struct op_call call = {.args = args,
		.nargs = body.len > 0,
		.body = body,
		.who = S("ana"),
		.roles = SERVER_EVERYONE,
		.now_ns = NOW,
		.a = &a};
	enum op_code code = op_run(s, op_find(op), &call, out);

	arena_release(&a);
	return code;
}

static void publish(struct service *s)
{
	struct bundle b = {0};
	struct buf bytes = {0}, out = {0};
	struct err e = {0};

	assert_ok(build_of(&b, files, NULL), &err);
	assert_ok(bundle_pack(&b, &bytes, &e), &e);
	if (run(s, "publish", buf_str(&bytes), &out))
		fail_msg("%s", out.ptr);
	bundle_release(&b);
	buf_release(&bytes);
	buf_release(&out);
}

/* Two full segments and an open one; an archive, a token, a ledger. */
static void make_folder(void)
{
	static const unsigned char random[SERVER_TOKEN_RANDOM] = {7};
	struct service_options o = {
		.dir = dir, .create = true, .clock = &fake.clock};
	struct buf path = {0}, token = {0};
	struct service *s;
	struct decisions *d;
	struct err e = {0};

	assert_ok(service_open(&s, &o, &e), &e);
	publish(s);
	buf_addf(&path, "%s/" STATE_TOKENS, dir);
	assert_ok(server_token_add(NULL, path.ptr, "ci1", SERVER_CI, NULL,
			  random, &token, &e),
		&e);
	assert_ok(service_decisions(s, true, &d, &e), &e);
	assert_ok(decisions_add_rules(d, S("authz"), S("r1"), NULL, 0, &e), &e);
	for (unsigned i = 0; i < 3; i++) {
		send_events(d, i * 300, (i + 1) * 300);
		if (i < 2)
			fake_clock_advance(&fake, 3600 * NS_PER_S);
		assert_ok(decisions_tick(d, &e), &e);
	}
	send_body(d, S("nonsense"));
	assert_ok(decisions_checkpoint(d, &e), &e);
	service_close(s);
	buf_release(&path);
	buf_release(&token);
}

static enum op_code fsck(const char *folder, struct buf *out)
{
	struct service_options o = {.dir = folder, .clock = &fake.clock};
	struct service *s;
	struct err e = {0};
	enum op_code code;
	enum status st = service_open(&s, &o, &e);

	if (st) {
		json_quote(out, str_from(e.text));
		return op_code_of(st);
	}
	code = run(s, "fsck", S(""), out);
	service_close(s);
	return code;
}

#define FLIP                                                                   \
	"flip() { printf '\\377' | dd of=$1 bs=1 seek=$2 conv=notrunc "        \
	"status=none; }; cut() { truncate -s $2 $1; }; "

/* clang-format off */
static const struct {
	const char *damage;
	enum op_code code;
	const char *says; /* in the document */
} rows[] = {
	{"true", OP_OK, "\"ok\":true,\"faults\":0,\"notes\":0,\"ledger_lines\":1,\"archives\":1,\"decisions\":900"},
	{"flip decisions/events/00000001.seg 200", OP_INTEGRITY, "\"where\":\"decisions/events/00000001.seg\""},
	{"flip decisions/events/00000002.seg 400", OP_INTEGRITY, "\"where\":\"decisions/events/00000002.seg\""},
	{"flip decisions/events/00000003.seg 200", OP_INTEGRITY, "\"where\":\"decisions/events/00000003.seg\""},
	{"cut decisions/events/00000002.seg -1", OP_INTEGRITY, "\"where\":\"decisions/events/00000002.seg\""},
	{"rm decisions/events/00000001.seg", OP_INTEGRITY, "\"where\":\"decisions/events/00000001.seg\""},
	{"cd decisions/events; mv 00000001.seg x; mv 00000002.seg 00000001.seg; mv x 00000002.seg", OP_INTEGRITY, "\"where\":\"decisions/events/00000001.seg\""},
	{"echo more >>decisions/events/00000001.seg", OP_INTEGRITY, "\"where\":\"decisions/events/00000001.seg\""},
	{"flip decisions/events/manifest 40", OP_INTEGRITY, "\"where\":\"decisions/events/manifest\""},
	{"sed -i 1d decisions/events/manifest", OP_INTEGRITY, "\"where\":\"decisions/events/manifest\""},
	{"rm decisions/events/manifest", OP_INTEGRITY, "\"where\":\"decisions/events/manifest\""},
	{"sed -i '1!G;h;$!d' decisions/events/manifest", OP_INTEGRITY, "\"where\":\"decisions/events/manifest\""},
	{"flip decisions/events/checkpoints 60", OP_INTEGRITY, "\"where\":\"decisions/events/checkpoints\""},
	{"cut decisions/events/checkpoints 60", OP_INTEGRITY, "\"where\":\"decisions/events/checkpoints\""},
	{"flip decisions/events/tree 3", OP_INTEGRITY, "\"where\":\"decisions/events/tree\""},
	{"flip decisions/quarantine/00000001.seg 100", OP_INTEGRITY, "\"where\":\"decisions/quarantine/00000001.seg\""},
	{"flip decisions/rules/00000001.seg 110", OP_INTEGRITY, "\"where\":\"decisions/rules/00000001.seg\""},
	{"rm -r decisions/rules", OP_INTEGRITY, "\"where\":\"decisions/rules\""},
	{"rm -r decisions/counters", OP_INTEGRITY, "\"where\":\"decisions/counters\""},
	{"rm decisions/index/*", OP_OK, "\"ok\":true"}, /* derived, and known to be nothing */
	{"rm decisions/index/*.db", OP_INTEGRITY, "\"where\":\"decisions/index/2026-11-24.db\""},
	{"flip decisions/index/2026-11-24.db 12286", OP_INTEGRITY, "\"where\":\"decisions/index/2026-11-24.db\""},
	{"cut decisions/index/2026-11-24.db 8192", OP_INTEGRITY, "\"where\":\"decisions/index/2026-11-24.db\""},
	{"flip bundles/archives/*.tar.gz 30", OP_INTEGRITY, "\"where\":\"bundles/archives/"},
	{"cut bundles/archives/*.tar.gz -1", OP_INTEGRITY, "its bytes have the digest"},
	{"cut bundles/archives/*.tar.gz 0", OP_INTEGRITY, "\"where\":\"bundles/archives/"},
	{"rm bundles/archives/*", OP_INTEGRITY, "is gone"},
	{"echo x >bundles/versions/authz/r1.json", OP_INTEGRITY, "r1.json"},
	{"echo x >tokens", OP_INTEGRITY, "\"where\":\"tokens\""},
	{"echo x >log.pub", OP_INTEGRITY, "\"where\":\"log.pub\""},
	{"rm log.pub", OP_INTEGRITY, "\"where\":\"log.pub\""},
	{"rm log.key", OP_INTEGRITY, "\"where\":\"log.key\""},
	{"flip log.key 60", OP_INTEGRITY, "\"where\":\"log.key\""},
	{"rm ledger.key", OP_INTEGRITY, "\"where\":\"ledger.key\""},
	{"flip ledger.key 100", OP_INTEGRITY, "\"where\":\"ledger.key\""},
	{"rm ledger.pub", OP_INTEGRITY, "\"where\":\"ledger.pub\""},
	{"openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out ledger.key", OP_INTEGRITY, "ledger.pub is not its other half"},
	{"rm channels.db", OP_INTEGRITY, "channels.db is gone or empty"},
	{": >channels.db; rm -f channels.db-*", OP_INTEGRITY, "channels.db is gone or empty"},
	{"rm -r decisions", OP_INTEGRITY, "\"where\":\"decisions\""},
	{"rm -r decisions/events", OP_INTEGRITY, "\"where\":\"decisions/events\""},
	{"cd decisions; mv events x; mv quarantine events; mv x quarantine", OP_INTEGRITY, "\"where\":\"decisions/events/"},
	{"cd decisions; mv counters x; mv rules counters; mv x rules", OP_INTEGRITY, "it is of another log"},
	{"rm decisions/events/checkpoints", OP_OK, "\"where\":\"decisions/events/checkpoints\""},
	{"rm bundles/versions/authz/r1.json", OP_INTEGRITY, "bundles/versions/authz/r1.json is gone"},
	{"sed -i s/sha256:../sha256:00/ bundles/versions/authz/r1.json", OP_INTEGRITY, "r1.json has another digest or commit"},
	{"sed -i 's/\"commit\":\"../\"commit\":\"00/' bundles/versions/authz/r1.json", OP_INTEGRITY, "r1.json has another digest or commit"},
	{"echo x >notes; echo x >decisions/events/core", OP_OK, "\"notes\":2"},
	{"touch decisions/index/2026-06-20.db-journal", OP_OK, "\"notes\":0"},
	{"echo x >bundles/archives/.a.tar.gz.12-1.tmp", OP_OK, "left by a process that was killed"},
};
/* clang-format on */

static void each_damage_is_named_with_its_place(void **state)
{
	struct buf out = {0}, script = {0};
	char copy[80];
	struct err e = {0};
	struct str doc;

	(void)state;
	make_folder();
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum op_code code;

		snprintf(copy, sizeof(copy), "%s.copy", dir);
		buf_reset(&out);
		buf_reset(&script);
		buf_addf(&script, FLIP "cp -a \"$0\" %s; cd %s; %s", copy, copy,
			rows[i].damage);
		shell(dir, script.ptr);
		code = fsck(copy, &out);
		shell_clean(copy);
		if (code != rows[i].code || !strstr(out.ptr, rows[i].says))
			fail_msg("%s: %d %s", rows[i].damage, code, out.ptr);
		assert_ok(json_check(buf_str(&out), NULL, &doc, &e), &e);
	}
	buf_release(&out);
	buf_release(&script);
}

/* Pages are flipped one by one: what SQLite or the ledger says is enough. */
static void a_damaged_database_is_no_state(void **state)
{
	struct buf out = {0}, script = {0};
	char copy[80];
	unsigned found = 0, tried = 0;

	(void)state;
	make_folder();
	snprintf(copy, sizeof(copy), "%s.copy", dir);
	for (unsigned at = 4096; at < 11 * 4096; at += 4096, tried++) {
		buf_reset(&out);
		buf_reset(&script);
		buf_addf(&script,
			"cp -a \"$0\" %s; cd %s; test $(stat -c %%s "
			"channels.db) -gt %u; printf "
			"'\\377\\377\\377\\377\\377\\377\\377\\377' | dd "
			"of=channels.db bs=1 seek=%u conv=notrunc status=none",
			copy, copy, at, at);
		shell(dir, script.ptr);
		found += fsck(copy, &out) == OP_INTEGRITY;
		shell_clean(copy);
	}
	assert_num(found, tried);
	buf_release(&out);
	buf_release(&script);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_damage_is_named_with_its_place),
		TEST(a_damaged_database_is_no_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
