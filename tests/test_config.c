/* regatta.yaml: what it may say, and where it says something else. */
#include "tests/test.h"

#include "base/clock.h"
#include "base/limits.h"
#include "bundler/config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct err err;

static enum status parse(struct config *c, const char *text)
{
	err = (struct err){0};
	return config_parse(c, CONFIG_NAME, str_from(text), &err);
}

static struct config good(const char *text)
{
	struct config c = {0};

	assert_ok(parse(&c, text), &err);
	return c;
}

/* --- what is read --------------------------------------------------------- */

static const char everything[] =
	"bundle: platform                 # name in URLs, scope and logs\n"
	"roots: [library, waivers, stages]\n"
	"include: [policies, waivers, stages]\n"
	"rego_version: 0\n"
	"version: {scheme: tag}\n"
	"source: {signed: commit, signers: /etc/allowed_signers, keyring: /k}\n"
	"sign: {key: keys/bundle.pem, alg: RS256, keyid: bundle-2026, "
	"scope: prod/platform}\n"
	"publish: {store: \"dir:./var/other\"}\n"
	"test: {coverage: 80, timeout: 30s, budget: {steps: 10000000, memory: "
	"256MiB}}\n"
	"decisions:\n"
	"  - {path: \"library/**\", outcome: violations, dimensions: "
	"{namespace: /input/review/object/metadata/namespace, b_2: /a~1b/~0}}\n"
	"  - path: \"*/allow\"\n"
	"rollout:\n"
	"  rings:\n"
	"    - {name: canary, select: \"ring=canary,zone!=eu-1\"}\n"
	"    - {name: early, percent: 10, gate: true}\n"
	"    - {name: fleet, percent: 100%}\n"
	"  bake: {min: 10m, max: 1h30m, fleet: 45m}\n"
	"  verdict: {alpha: 0.05, worse_than: 1.5, error_ceiling: 10%, "
	"pass_below: 0.25%, min_decisions: 200}\n"
	"  on_fail: hold\n"
	"  on_inconclusive: promote\n"
	"  reason: a batch fleet that decides twice a day\n"
	"  approvers: 2\n"
	"  denies:\n"
	"    - {path: \"library/**\", max_up: 3, min_down: 0.3, ticket: T-1, "
	"expires: 2026-12-31}\n"
	"    - {path: \"a/b\", mode: observe}\n"
	"server: https://regatta.example:8443\n"
	"notify: [./tell, --to, \"the team\", 7]\n";

static void every_key_is_read(void **state)
{
	struct config c = good(everything);

	(void)state;
	assert_string_equal(c.bundle, "platform");
	assert_num(c.roots.len, 3);
	assert_string_equal(c.roots.items[2], "stages");
	assert_num(c.include.len, 3);
	assert_num(c.rego_version, 0);
	assert_num(c.scheme, SCHEME_TAG);
	assert_string_equal(c.sign.key, "keys/bundle.pem");
	assert_num(c.sign.alg, ALG_RS256);
	assert_string_equal(c.sign.keyid, "bundle-2026");
	assert_string_equal(c.sign.scope, "prod/platform");
	assert_string_equal(c.store, "dir:./var/other");
	assert_near(c.test.coverage, 80, 1e-12);
	assert_num(c.test.timeout_ns, 30 * NS_PER_S);
	assert_num(c.test.steps, 10000000);
	assert_num(c.test.memory, MIB(256));
	assert_string_equal(c.server, "https://regatta.example:8443");
	assert_num(c.notify.len, 4);
	assert_string_equal(c.notify.items[2], "the team");
	assert_string_equal(c.notify.items[3], "7");
	config_release(&c);
}

/* That it is asked for counts, whatever else is given. */
static void the_source_is_what_versions_come_from(void **state)
{
	static const struct {
		const char *text, *what, *signers;
		uint32_t row;
	} rows[] = {
		{"bundle: x\n", "commit", NULL, 0},
		{"bundle: x\nsource: {}\n", "commit", NULL, 2},
		{"bundle: x\nversion: {scheme: tag}\n", "tag", NULL, 0},
		{"bundle: x\nversion: {scheme: tag}\nsource: {signed: tag}\n",
			"tag", NULL, 3},
		{"bundle: x\nversion: {scheme: tag}\nsource: {signed: commit, "
		 "signers: /a}\n",
			"commit", "/a", 3},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config c = good(rows[i].text);

		assert_string_equal(c.source.what, rows[i].what);
		assert_num(c.source.row, rows[i].row);
		if (rows[i].signers)
			assert_string_equal(c.source.signers, rows[i].signers);
		else
			assert_null(c.source.signers);
		config_release(&c);
	}
}

static void decisions_are_read_with_their_place(void **state)
{
	struct config c = good(everything);
	const struct config_decision *d = c.decisions;

	(void)state;
	assert_num(c.ndecisions, 2);
	assert_string_equal(d[0].path, "library/**");
	assert_string_equal(d[0].outcome, "violations");
	assert_num(d[0].ndimensions, 2);
	assert_string_equal(d[0].dimensions[0].name, "namespace");
	assert_string_equal(d[0].dimensions[0].pointer,
		"/input/review/object/metadata/namespace");
	assert_string_equal(d[0].dimensions[1].pointer, "/a~1b/~0");
	assert_num(d[0].row, 11);
	assert_num(d[0].col, 5);
	assert_string_equal(d[1].path, "*/allow");
	assert_string_equal(d[1].outcome, "");
	assert_num(d[1].ndimensions, 0);
	config_release(&c);
}

static void the_rollout_is_read(void **state)
{
	struct config c = good(everything);

	(void)state;
	assert_num(c.rollout.nrings, 3);
	assert_string_equal(c.rollout.rings[0].name, "canary");
	assert_string_equal(
		c.rollout.rings[0].select, "ring=canary,zone!=eu-1");
	assert_near(c.rollout.rings[0].percent, 0, 1e-12);
	assert_near(c.rollout.rings[2].percent, 100, 1e-12);
	assert_num(c.rollout.rings[2].row, 17);
	assert_num(c.rollout.bake_min_ns, 600 * NS_PER_S);
	assert_num(c.rollout.bake_max_ns, 5400 * NS_PER_S);
	assert_num(c.rollout.bake_fleet_ns, 2700 * NS_PER_S);
	assert_near(c.rollout.alpha, 0.05, 1e-12);
	assert_near(c.rollout.worse_than, 1.5, 1e-12);
	assert_near(c.rollout.error_ceiling, 0.1, 1e-12);
	assert_near(c.rollout.pass_below, 0.0025, 1e-12);
	assert_num(c.rollout.min_decisions, 200);
	assert_string_equal(c.rollout.on_fail, "hold");
	assert_string_equal(c.rollout.on_inconclusive, "promote");
	assert_string_equal(
		c.rollout.reason, "a batch fleet that decides twice a day");
	assert_false(c.rollout.rings[0].gate);
	assert_true(c.rollout.rings[1].gate);
	assert_num(c.rollout.approvers, 2);
	assert_num(c.rollout.ndenies, 2);
	assert_string_equal(c.rollout.denies[0].path, "library/**");
	assert_string_equal(c.rollout.denies[0].mode, "planned");
	assert_near(c.rollout.denies[0].max_up, 3, 1e-12);
	assert_near(c.rollout.denies[0].min_down, 0.3, 1e-12);
	assert_string_equal(c.rollout.denies[0].ticket, "T-1");
	assert_num(
		c.rollout.denies[0].expires_ns, INT64_C(1798675200) * NS_PER_S);
	assert_string_equal(c.rollout.denies[1].mode, "observe");
	config_release(&c);
}

/* --- what bundles carry of it --------------------------------------------- */

static void round_trip(const char *text)
{
	struct config c = good(text), back;
	struct buf one = {0}, two = {0};

	config_write_release(&c, &one);
	back = good(one.ptr);
	config_write_release(&back, &two);
	assert_string_equal(one.ptr, two.ptr);
	assert_true(c.rollout.error_ceiling <= back.rollout.error_ceiling &&
		    c.rollout.error_ceiling >= back.rollout.error_ceiling);
	assert_true(c.rollout.alpha <= back.rollout.alpha &&
		    c.rollout.alpha >= back.rollout.alpha);
	buf_release(&one);
	buf_release(&two);
	config_release(&c);
	config_release(&back);
}

static void what_a_rollout_goes_by_reads_back_as_the_same(void **state)
{
	(void)state;
	round_trip(everything);
	round_trip("bundle: x\n");
	round_trip("bundle: x\nrollout: {bake: {min: 200ms, max: 1.3s, "
		   "fleet: 1ns}, reason: \"a \\\"b\\\" \\u00e9 \\u2028 "
		   "\\u0085\\ufeff \\U0001F600 \\x7f\"}\n");
	round_trip("bundle: x\nrollout: {rings: [{name: a, percent: 0.00001}, "
		   "{name: b, percent: 100}], verdict: {alpha: 1e-9, "
		   "worse_than: 1.1, error_ceiling: 33.3%, pass_below: "
		   "0.000001%}}\n");
}

static void what_a_rollout_goes_by_has_one_text(void **state)
{
	struct config c = good("bundle: x\n");
	struct buf text = {0};

	(void)state;
	config_write_release(&c, &text);
	assert_string_equal(text.ptr,
		"{\"bundle\":\"x\",\"rollout\":{\"rings\":["
		"{\"name\":\"canary\",\"select\":\"ring=canary\"},"
		"{\"name\":\"early\",\"percent\":10},"
		"{\"name\":\"half\",\"percent\":50},"
		"{\"name\":\"fleet\",\"percent\":100}],"
		"\"bake\":{\"min\":\"900s\",\"max\":\"3600s\","
		"\"fleet\":\"3600s\"},"
		"\"verdict\":{\"alpha\":0.01,\"worse_than\":1.25,"
		"\"error_ceiling\":\"5%\",\"pass_below\":\"0.5%\","
		"\"min_decisions\":500,\"window\":\"60s\"},"
		"\"on_fail\":\"rollback\",\"on_inconclusive\":\"hold\","
		"\"approvers\":1}}");
	buf_release(&text);
	config_release(&c);
}

static void only_the_bundle_must_be_given(void **state)
{
	struct config c = good("bundle: prod/platform\n");

	(void)state;
	assert_string_equal(c.bundle, "prod/platform");
	assert_num(c.roots.len, 0);
	assert_num(c.include.len, 3);
	assert_string_equal(c.include.items[0], "policies");
	assert_num(c.rego_version, 1);
	assert_num(c.scheme, SCHEME_CALVER);
	assert_null(c.sign.key);
	assert_num(c.sign.alg, ALG_ES256);
	assert_null(c.sign.keyid);
	assert_null(c.sign.scope);
	assert_string_equal(c.store, "dir:./var/bundles");
	assert_near(c.test.coverage, 0, 1e-12);
	assert_num(c.test.timeout_ns, 5 * NS_PER_S);
	assert_num(c.test.steps, 0);
	assert_num(c.test.memory, 0);
	assert_num(c.ndecisions, 0);
	assert_null(c.server);
	assert_num(c.notify.len, 0);
	config_release(&c);
	config_release(&c);
}

/* Source: the design of the release side, defaults. */
static void a_rollout_has_defaults(void **state)
{
	struct config c = good("bundle: x\nrollout: {}\n");

	(void)state;
	assert_num(c.rollout.nrings, 4);
	assert_string_equal(c.rollout.rings[0].select, "ring=canary");
	assert_near(c.rollout.rings[1].percent, 10, 1e-12);
	assert_near(c.rollout.rings[2].percent, 50, 1e-12);
	assert_near(c.rollout.rings[3].percent, 100, 1e-12);
	assert_num(c.rollout.bake_min_ns, 15 * 60 * NS_PER_S);
	assert_num(c.rollout.bake_max_ns, 3600 * NS_PER_S);
	assert_num(c.rollout.bake_fleet_ns, 3600 * NS_PER_S);
	assert_near(c.rollout.alpha, 0.01, 1e-12);
	assert_near(c.rollout.worse_than, 1.25, 1e-12);
	assert_near(c.rollout.error_ceiling, 0.05, 1e-12);
	assert_near(c.rollout.pass_below, 0.005, 1e-12);
	assert_num(c.rollout.min_decisions, 500);
	assert_string_equal(c.rollout.on_fail, "rollback");
	assert_string_equal(c.rollout.on_inconclusive, "hold");
	assert_null(c.rollout.reason);
	config_release(&c);
}

static void these_are_fine_too(void **state)
{
	static const char *const rows[] = {
		"---\nbundle: x\n...\n",
		"bundle: '2026'\n",
		"bundle: a/b/c/d\n",
		"{\"bundle\": \"x\", \"test\": {\"coverage\": 12.5}}",
		"bundle: x\nrollout: {rings: [{name: all, percent: 100}]}\n",
		("bundle: x\nrollout: {rings: [{name: a, select: r=1, percent: "
		 "50}, {name: b, percent: 10}, {name: all, percent: 100}]}\n"),
		"bundle: x\npublish: {store: 's3://bucket/prefix'}\n",
		"bundle: x\npublish: {store: 'oci://registry/name'}\n",
		"bundle: x\npublish: {store: 'https://host/path'}\n",
		"bundle: x\nroots: [a, ab, c/d]\n",
		"bundle: x\nsign: {keyid: 2026}\n",
		"bundle: x\ntest: {coverage: 0}\n",
		"bundle: x\ndecisions: [{path: '**'}]\n",
		"bundle: x\nrollout: {verdict: {error_ceiling: 100%}}\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config c = {0};

		if (parse(&c, rows[i]))
			fail_msg("%s: %s", rows[i], err.text);
		config_release(&c);
	}
}

/* --- what is refused ------------------------------------------------------ */

#define B "bundle: x\n"
#define RINGS(list) B "rollout:\n  rings: [" list "]\n"
#define DECISION(rest) B "decisions:\n  - {path: p" rest "}\n"

static const struct {
	const char *text, *place, *part, *allowed;
} refused[] = {
	{"", "1:1", "\"bundle\" is missing", "bundle: platform"},
	{"# nothing\n", "1:1", "\"bundle\" is missing", "bundle: platform"},
	{"rego_version: 1\n", "1:1", "\"bundle\" is missing", ""},
	{"[a]", "1:1", "the config is a list", "must be a map"},
	{"text", "1:1", "the config is \"text\"", "must be a map"},
	{B "---\nbundle: y\n", "2:1", "a second document", "one config"},
	{B "a: *b\n", "2:4", "aliases are not allowed", "write the value out"},
	{B "a: &b c\n", "2:4", "anchors are not allowed",
		"write the value out"},
	{B "a: !b c\n", "2:4", "this tag is not allowed here", "leave it out"},
	{B "a: \"b\n", "3:1", "found unexpected end of stream",
		"while scanning a quoted scalar from 2:4"},
	{B "a: [b\n", "3:1", "did not find expected ',' or ']'",
		"while parsing a flow sequence from 2:4"},
	{B "roots: {}\n", "2:8", "roots is a map", "a list of data paths"},
	{B "  x\n y: [", "3:3", "mapping values are not allowed", ""},
	{B "? [a]\n: b\n", "2:3", "a key must be a scalar", ""},

	{B "rots: [a]\n", "2:1", "unknown key \"rots\"",
		"the nearest is \"roots\"; known here: bundle, roots, "},
	{B "test: {coverge: 1}\n", "2:8", "unknown key \"test.coverge\"",
		"the nearest is \"test.coverage\"; known here: coverage, "
		"timeout, budget"},
	{B "rollout: {alpha: 0.1}\n", "2:11", "unknown key \"rollout.alpha\"",
		"there is rollout.verdict.alpha"},
	{B "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz: 1\n", "2:1",
		"unknown key", "the nearest is "},
	{B "\"a\\tb\": 1\n", "2:1", "unknown key \"a\\x09b\"", ""},
	{B "\"\": 1\n", "2:1", "unknown key \"\"", ""},
	{B "rego_version: 1\nbundle: y\n", "3:1",
		"key \"bundle\" is already given in line 1", "remove one"},
	{B "test:\n  timeout: 1s\n  timeout: 1s\n", "4:3",
		"key \"test.timeout\" is already given in line 3", ""},

	{B "source: signed\n", "2:9", "source is \"signed\"", "a map with"},
	{B "source: {sigend: tag}\n", "2:10", "unknown key \"source.sigend\"",
		"the nearest is \"source.signed\""},
	{B "signers: /etc/x\n", "2:1", "unknown key \"signers\"",
		"there is source.signers"},
	{B "source: {signed: head}\n", "2:18", "source.signed is \"head\"",
		"commit or tag"},
	{B "source: {signers: keys/allowed}\n", "2:19",
		"source.signers is \"keys/allowed\"",
		"an absolute path of a file outside of the repository"},
	{B "source: {keyring: k.gpg}\n", "2:19", "source.keyring is \"k.gpg\"",
		"an absolute path of a file"},
	{B "source: {signed: tag}\n", "2:18", "source.signed is \"tag\"",
		"version: {scheme: tag}"},

	{"bundle: \n", "1:8", "bundle is empty", "a name like platform"},
	{"bundle: [a]\n", "1:9", "bundle is a list", "a name like platform"},
	{"bundle: {a: b}\n", "1:9", "bundle is a map", "a name like platform"},
	{"bundle: Platform\n", "1:9", "bundle is \"Platform\"", "lower-case"},
	{"bundle: a//b\n", "1:9", "bundle is \"a//b\"", "a name like"},
	{"bundle: a/b/c/d/e\n", "1:9", "bundle is \"a/b/c/d/e\"",
		"a name like"},
	{"bundle: .a\n", "1:9", "bundle is \".a\"", "a name like platform"},
	{"bundle: /a\n", "1:9", "bundle is \"/a\"", "a name like platform"},
	{"bundle: \"a\\0b\"\n", "1:9", "bundle is \"a\\x00b\"", ""},

	{B "roots: a\n", "2:8", "roots is \"a\"", "a list of data paths"},
	{B "roots: []\n", "2:8", "roots is an empty list",
		"a list of data paths"},
	{B "roots: [a, [b]]\n", "2:12", "roots is a list", "a list of"},
	{B "roots: [/a]\n", "2:9", "/a: a path may not have empty", "a list"},
	{B "roots: [a, b, a]\n", "2:15", "has \"a\" and \"a\"", "leave one"},
	{B "roots: [a/b, a]\n", "2:14", "has \"a/b\" and \"a\"", "leave one"},
	{B "include: [policies, policies/k8s]\n", "2:21",
		"include has \"policies\" and \"policies/k8s\"", "leave one"},
	{B "include: [../a]\n", "2:11", "../a: a path may not have", "files"},

	{B "rego_version: 2\n", "2:15", "rego_version is \"2\"", "0 or 1"},
	{B "rego_version: v1\n", "2:15", "rego_version is \"v1\"", "0 or 1"},
	{B "rego_version: 0x1\n", "2:15", "rego_version is \"0x1\"", "0 or 1"},
	{B "version: tag\n", "2:10", "version is \"tag\"", "map with scheme"},
	{B "version: {scheme: semver}\n", "2:19",
		"version.scheme is \"semver\"", "calver or tag"},
	{B "sign: {alg: HS256}\n", "2:13", "sign.alg is \"HS256\"",
		"RS, PS or ES with 256, 384 or 512"},
	{B "sign: {alg: none}\n", "2:13", "sign.alg is \"none\"", "like ES256"},
	{B "sign: {key: ''}\n", "2:13", "sign.key is \"\"", "a key file"},
	{B "sign: {scope: \"a\\nb\"}\n", "2:15", "sign.scope is \"a\\x0ab\"",
		"one line"},
	{B "publish: {store: /var/x}\n", "2:18", "publish.store is \"/var/x\"",
		"dir:PATH, http://"},
	{B "publish: {store: 'ftp://x'}\n", "2:18", "\"ftp://x\"", "dir:PATH"},
	{B "publish: {store: 'dir:'}\n", "2:18", "\"dir:\"", "dir:PATH"},
	{B "publish: {store: 's3:x'}\n", "2:18", "\"s3:x\"", "s3://"},

	{B "test: {coverage: 101}\n", "2:18", "test.coverage is \"101\"",
		"from 0 to 100"},
	{B "test: {coverage: -1}\n", "2:18", "test.coverage is \"-1\"", "100"},
	{B "test: {coverage: .nan}\n", "2:18", "test.coverage is \".nan\"", ""},
	{B "test: {coverage: 1e1}\n", "2:18", "test.coverage is \"1e1\"", ""},
	{B "test: {coverage: 8.0.1}\n", "2:18", "test.coverage is \"8.0.1\"",
		""},
	{B "test: {timeout: 30}\n", "2:17", "test.timeout is \"30\"",
		"a duration above 0, like 15m or 1h30m"},
	{B "test: {timeout: 0s}\n", "2:17", "test.timeout is \"0s\"", "above"},
	{B "test: {timeout: -1s}\n", "2:17", "test.timeout is \"-1s\"",
		"above"},
	{B "test: {timeout: 1e3s}\n", "2:17", "test.timeout is \"1e3s\"", ""},
	{B "test: {timeout: 9999999h}\n", "2:17", "test.timeout is ", ""},
	{B "test: {budget: {steps: 0}}\n", "2:24", "test.budget.steps is \"0\"",
		"a whole number above 0"},
	{B "test: {budget: {steps: 1.5}}\n", "2:24", "is \"1.5\"", "a whole"},
	{B "test: {budget: {steps: 99999999999999999999}}\n", "2:24",
		"test.budget.steps is", "a whole"},
	{B "test: {budget: {memory: 256Mb}}\n", "2:25",
		"test.budget.memory is \"256Mb\"",
		"a size above 0, like 256MiB"},
	{B "test: {budget: {memory: 0}}\n", "2:25", "memory is \"0\"",
		"a size"},
	{B "test: {budget: 5}\n", "2:16", "test.budget is \"5\"",
		"a map with steps and memory"},

	{B "decisions: {path: a}\n", "2:12", "decisions is a map", "a list of"},
	{B "decisions: [a]\n", "2:13", "decisions is \"a\"", "a list of maps"},
	{B "decisions: [{outcome: allow}]\n", "2:13", "decisions[] has no path",
		"{path: "},
	{B "decisions:\n  - {path: a}\n  - {path: b}\n  - {path: a}\n", "5:5",
		"path \"a\" is already in line 3", "remove one"},
	{B "decisions: [{path: /a}]\n", "2:20", "decisions[].path is \"/a\"",
		"a glob like library/**"},
	{B "decisions: [{path: a/b**}]\n", "2:20", "path is \"a/b**\"",
		"a glob"},
	{B "decisions: [{path: a//b}]\n", "2:20", "path is \"a//b\"", "a glob"},
	{DECISION(", outcome: maybe"), "3:24",
		"decisions[].outcome is \"maybe\"",
		"allow, deny, violations or advice"},
	{DECISION(", outcome: or"), "3:24", "outcome is \"or\"", "allow, deny"},
	{DECISION(", dimensions: [a]"), "3:27", "dimensions is a list",
		"a map"},
	{DECISION(", dimensions: {a: input/x}"), "3:31",
		"dimension a is \"input/x\"", "a JSON pointer"},
	{DECISION(", dimensions: {a: /x~2}"), "3:31", "dimension a is \"/x~2\"",
		"a JSON pointer"},
	{DECISION(", dimensions: {a: /x~}"), "3:31", "dimension a is \"/x~\"",
		"a JSON pointer"},
	{DECISION(", dimensions: {a-b: /x}"), "3:28",
		"the name of a dimension is \"a-b\"", "letters"},
	{DECISION(", dimensions: {1a: /x}"), "3:28",
		"the name of a dimension is \"1a\"", "letters"},
	{DECISION(", dimensions: {a: /x, a: /y}"), "3:35",
		"is already given in line 3", "remove one"},

	{RINGS(""), "3:10", "rollout.rings is an empty list", "a list of maps"},
	{RINGS("a"), "3:11", "rollout.rings is \"a\"", "a list of maps"},
	{RINGS("{percent: 100}"), "3:11", "has no name", "{name: canary"},
	{RINGS("{name: A, percent: 100}"), "3:18",
		"rollout.rings[].name is \"A\"", "lower-case"},
	{RINGS("{name: a}"), "3:11", "ring a has neither select nor percent",
		"say which"},
	{RINGS("{name: a, percent: 0}"), "3:30",
		"rollout.rings[].percent is \"0\"", "above 0, to 100"},
	{RINGS("{name: a, percent: 101}"), "3:30", "percent is \"101\"",
		"above 0, to 100"},
	{RINGS("{name: a, percent: 10}, {name: a, percent: 100}"), "3:35",
		"ring a is already in line 3", "name it otherwise"},
	{RINGS("{name: a, percent: 20}, {name: b, percent: 20}"), "3:35",
		"ring b has 20 percent, and a before it 20", "must rise"},
	{RINGS("{name: a, percent: 20}"), "3:11",
		"ring a is the last and not the whole fleet", "percent: 100"},
	{RINGS("{name: a, select: r=1, percent: 100}"), "3:11",
		"ring a is the last and not the whole fleet", "percent: 100"},
	{RINGS("{name: a, select: ring}"), "3:29", "select is \"ring\"",
		"ring=canary,region!=eu"},
	{RINGS("{name: a, select: \"a=b,\"}"), "3:29", "select is \"a=b,\"",
		"a selector"},
	{RINGS("{name: a, select: a==b}"), "3:29", "select is \"a==b\"", ""},
	{RINGS("{name: a, select: =b}"), "3:29", "select is \"=b\"", ""},
	{RINGS("{name: a, select: '!=b'}"), "3:29", "select is \"!=b\"", ""},

	{B "rollout: {bake: {min: 2h}}\n", "2:23",
		"rollout.bake.min is 7200 s and rollout.bake.max 3600 s",
		"min must not be more"},
	{B "rollout: {bake: {max: 1m}}\n", "2:23",
		"rollout.bake.min is 900 s and rollout.bake.max 60 s",
		"min must not be more"},
	{B "rollout: {verdict: {alpha: 0}}\n", "2:28",
		"rollout.verdict.alpha is \"0\"", "above 0, at most 0.5"},
	{B "rollout: {verdict: {alpha: 5%}}\n", "2:28", "alpha is \"5%\"",
		"0.5"},
	{B "rollout: {verdict: {worse_than: 1}}\n", "2:33",
		"worse_than is \"1\"", "a factor above 1"},
	{B "rollout: {verdict: {worse_than: .inf}}\n", "2:33",
		"worse_than is \".inf\"", "a factor above 1"},
	{B "rollout: {verdict: {error_ceiling: 0.05}}\n", "2:36",
		"error_ceiling is \"0.05\"", "with its sign, like 5%"},
	{B "rollout: {verdict: {error_ceiling: 101%}}\n", "2:36",
		"error_ceiling is \"101%\"", "with its sign"},
	{B "rollout: {verdict: {pass_below: 6%}}\n", "2:33",
		"pass_below is 6% and error_ceiling 5%", "must not be more"},
	{B "rollout: {verdict: {min_decisions: 0}}\n", "2:36",
		"min_decisions is \"0\"", "above 0"},
	{B "rollout: {on_fail: promote}\n", "2:20",
		"rollout.on_fail is \"promote\"", "rollback or hold"},
	{B "rollout: {on_inconclusive: maybe}\n", "2:28",
		"rollout.on_inconclusive is \"maybe\"",
		"hold, rollback or promote"},
	{B "rollout: {on_inconclusive: promote}\n", "2:28",
		"is \"promote\", which needs rollout.reason", "evidence"},
	{B "rollout: {approvers: 0}\n", "2:22", "rollout.approvers is \"0\"",
		"1 to 9"},
	{RINGS("{name: a, percent: 1, gate: 1}"), "3:39",
		"rollout.rings[].gate is \"1\"", "true or false"},
	{B "rollout: {denies: [{max_up: 2}]}\n", "2:20", "has no path",
		"like {path"},
	{B "rollout: {denies: [{path: a, max_up: 0.5}]}\n", "2:38",
		"max_up is \"0.5\"", "from 1 on"},
	{B "rollout: {denies: [{path: a, max_up: 2, expires: 2026-12-31}]}\n",
		"2:20", "has no ticket", "both"},
	{B "rollout: {denies: [{path: a, max_up: 2, ticket: t}]}\n", "2:20",
		"has no expires", "both"},
	{B "rollout: {denies: [{path: a}]}\n", "2:20",
		"is planned and has no ratio", "max_up or min_down"},
	{B "rollout: {denies: [{path: a, mode: steady, max_up: 2}]}\n", "2:20",
		"is steady and has a ratio", "max_up or min_down"},
	{B "rollout: {denies: [{path: a, expires: soon}]}\n", "2:39",
		"expires is \"soon\"", "a date or a time"},
	{B "server: regatta.example\n", "2:9", "server is \"regatta.example\"",
		"a URL like"},
	{B "server: 'https://a b'\n", "2:9", "server is", "a URL like"},
	{B "notify: ./x\n", "2:9", "notify is \"./x\"", "a list of a command"},
	{B "notify: []\n", "2:9", "notify is an empty list",
		"a list of a command"},
	{B "notify: [x, ~]\n", "2:13", "notify is empty", "a list of"},
};

static bool refused_as(size_t i, enum status st)
{
	char begin[64];

	snprintf(begin, sizeof(begin), "regatta.yaml:%s: ", refused[i].place);
	if (st == E_INVALID && err.code == E_INVALID &&
		str_starts(str_from(err.text), str_from(begin)) &&
		strstr(err.text, refused[i].part) &&
		strstr(err.text, refused[i].allowed))
		return true;
	print_message("%s\nstatus %d: %s\nwant %s %s ... %s\n", refused[i].text,
		(int)st, err.text, begin, refused[i].part, refused[i].allowed);
	return false;
}

static void every_mistake_has_place_thing_and_way_out(void **state)
{
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct config c = {.rego_version = 7};

		bad += !refused_as(i, parse(&c, refused[i].text));
		assert_num(c.rego_version, 7);
		assert_null(c.arena.top);
	}
	assert_num(bad, 0);
}

static void a_message_has_the_name_it_was_given(void **state)
{
	struct config c = {0};

	(void)state;
	assert_fails(config_parse(&c, "a/other.yaml", S("x: 1"), &err), &err,
		E_INVALID, "a/other.yaml:1:1: unknown key \"x\"");
}

static void bytes_are_read_to_their_limit(void **state)
{
	struct buf text = {0};
	struct config c = {0};

	(void)state;
	buf_adds(&text, "bundle: x #");
	while (text.len < LIMIT_CONFIG_BYTES)
		buf_addc(&text, '.');
	assert_ok(config_parse(&c, CONFIG_NAME, buf_str(&text), &err), &err);
	config_release(&c);
	buf_addc(&text, '.');
	assert_fails(config_parse(&c, CONFIG_NAME, buf_str(&text), &err), &err,
		E_LIMIT, "regatta.yaml:1:1: 1048577 bytes, limit 1048576");
	buf_release(&text);
}

/* `n` lines of a list or a map behind `begin`. */
static enum status many(
	struct config *c, const char *begin, const char *line, unsigned n)
{
	struct buf text = {0};
	enum status st;

	buf_adds(&text, begin);
	for (unsigned i = 0; i < n; i++)
		buf_addf(&text, "  %s%u%s\n", line, i,
			*line == '-' ? "" : ": /x");
	st = config_parse(c, CONFIG_NAME, buf_str(&text), &err);
	buf_release(&text);
	return st;
}

static void lists_are_read_to_their_limit(void **state)
{
	static const char begin[] = "bundle: x\nroots:\n";
	struct config c = {0};

	(void)state;
	assert_ok(many(&c, begin, "- r", LIMIT_CONFIG_ITEMS), &err);
	assert_num(c.roots.len, LIMIT_CONFIG_ITEMS);
	config_release(&c);
	assert_fails(many(&c, begin, "- r", LIMIT_CONFIG_ITEMS + 1), &err,
		E_LIMIT, "regatta.yaml:1003:5: roots has more than 1000 items");
}

static void dimensions_are_read_to_their_limit(void **state)
{
	static const char begin[] =
		"bundle: x\ndecisions:\n- path: p\n  dimensions:\n";
	struct config c = {0};

	(void)state;
	assert_ok(many(&c, begin, "  d", LIMIT_CONFIG_DIMENSIONS), &err);
	assert_num(c.decisions[0].ndimensions, LIMIT_CONFIG_DIMENSIONS);
	config_release(&c);
	assert_fails(many(&c, begin, "  d", LIMIT_CONFIG_DIMENSIONS + 1), &err,
		E_LIMIT, "regatta.yaml:13:5: more than 8 dimensions");
}

/* Unknown keys end at the first, known ones are few: nothing is quadratic. */
static void a_long_map_is_refused_quickly(void **state)
{
	struct buf text = {0};
	struct config c = {0};

	(void)state;
	buf_adds(&text, "bundle: x\ndecisions: [{path: p, dimensions: {");
	for (unsigned i = 0; i < 50000; i++)
		buf_addf(&text, "k%u: /a, ", i);
	buf_adds(&text, "}}]\n");
	assert_fails(config_parse(&c, CONFIG_NAME, buf_str(&text), &err), &err,
		E_LIMIT, "regatta.yaml:2:");
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(the_source_is_what_versions_come_from),
		cmocka_unit_test(decisions_are_read_with_their_place),
		cmocka_unit_test(the_rollout_is_read),
		cmocka_unit_test(what_a_rollout_goes_by_reads_back_as_the_same),
		cmocka_unit_test(what_a_rollout_goes_by_has_one_text),
		cmocka_unit_test(only_the_bundle_must_be_given),
		cmocka_unit_test(a_rollout_has_defaults),
		cmocka_unit_test(these_are_fine_too),
		cmocka_unit_test(every_mistake_has_place_thing_and_way_out),
		cmocka_unit_test(a_message_has_the_name_it_was_given),
		cmocka_unit_test(bytes_are_read_to_their_limit),
		cmocka_unit_test(lists_are_read_to_their_limit),
		cmocka_unit_test(dimensions_are_read_to_their_limit),
		cmocka_unit_test(a_long_map_is_refused_quickly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
